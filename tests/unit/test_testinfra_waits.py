"""The tests in tests/testinfra wait for the services of a node once."""

import importlib.util
import time

import pytest

from lab import ROOT


@pytest.fixture
def conftest(monkeypatch):
    """A fresh copy of tests/testinfra/conftest.py, whose tests wait for half a second."""
    path = ROOT / "tests/testinfra/conftest.py"
    spec = importlib.util.spec_from_file_location("testinfra_conftest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.5)
    return module


def seconds(function) -> float:
    start = time.monotonic()
    function()
    return time.monotonic() - start


def test_the_tests_wait_once_for_a_service_that_is_down(conftest):
    def wait():
        assert conftest.wait_for("lxdev01", lambda: "dead", lambda status: status == "up") == "dead"

    assert seconds(wait) >= 0.5
    assert seconds(lambda: [wait() for _ in range(20)]) < 0.5


def test_the_tests_wait_for_each_node(conftest):
    for node in ("lxdev01", "lxdev02"):
        assert seconds(lambda node=node: conftest.wait_for(node, lambda: None, bool)) >= 0.5


def test_the_timeout_starts_when_a_test_has_to_wait(conftest):
    statuses = iter(["up", "starting", "up"])

    def is_up():
        return conftest.wait_for("lxdev01", lambda: next(statuses), lambda status: status == "up")

    assert is_up() == "up"
    time.sleep(0.6)
    assert is_up() == "up"
