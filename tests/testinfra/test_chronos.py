"""A node with the role chronos."""

import re

import pytest

pytestmark = pytest.mark.role("chronos")


@pytest.fixture
def chronos(settings) -> dict:
    return settings("chronos")


def test_chronos_runs(runs):
    runs("chronos")


def test_chronos_responds(get, chronos):
    assert get(f"http://localhost:{chronos['http_port']}/ping").strip() == "pong"


@pytest.fixture
def leader(settled, chronos) -> str:
    """The leader, as host:port."""
    prefix = "scheduler" if str(chronos["version"]).startswith("2.") else "v1/scheduler"
    return settled(
        f"http://localhost:{chronos['http_port']}/{prefix}/leader", lambda answer: answer["leader"]
    )["leader"]


def test_chronos_has_a_leader(leader):
    assert leader


def test_the_leader_listens_on_the_libprocess_port_of_the_firewall(
    host, leader, listening, chronos
):
    if leader.partition(":")[0] in (chronos["hostname"], host.check_output("hostname")):
        assert chronos["libprocess_port"] in listening


def test_the_option_directory_contains_no_stray_file(host):
    names = host.check_output("find /etc/chronos/conf -type f -printf '%f\\n'").splitlines()
    assert names
    for name in names:
        assert re.fullmatch(r"\??[a-z0-9_]+", name), name
