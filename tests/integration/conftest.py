"""Labs: booted, converged, and torn down whatever happens. A machine can have one at a time: each module of tests has its own."""

import contextlib
import os
from collections.abc import Iterator

import pytest
from cluster_lab import Lab

from lab import SALT_LINES, machine

LABS = {"lab", "ha", "bare", "el", "doors", "single"}  # the fixtures below


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "lines(line, ...): only with these lines of Salt, as it says nothing about Salt"
    )


def pytest_generate_tests(metafunc):
    for name in LABS & set(metafunc.fixturenames):
        only = metafunc.definition.get_closest_marker("lines")
        metafunc.parametrize(name, only.args if only else SALT_LINES, indirect=True, scope="module")


@contextlib.contextmanager
def booted(topology: str, line: str, host: str, *options: str) -> Iterator[Lab]:
    """A lab of a topology, from nothing; off when the tests are through. Where none can run: skip, or fail in CI."""
    obstacles = machine.obstacles()
    if obstacles:
        reason = "the lab cannot run here: " + "; ".join(obstacles)
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    lab = Lab(line, host)
    lab.do("down")
    try:
        lab.up_output = lab.do("up", "--topology", topology, "--salt", line, *options)
        yield lab
    finally:
        lab.do("down")


def fixture_of(topology: str, host: str, *options: str):
    """A fixture: that lab, for all tests of a module."""

    @pytest.fixture(scope="module")
    def fixture(request):
        with booted(topology, request.param, host, *options) as lab:
            yield lab

    return fixture


# One host that is everything, and the same with nothing but Salt on it.
lab = fixture_of("single", "lxdev01")
single = fixture_of("single", "lxdev01", "--no-apply")
# The eight hosts of the table, converged by ``salt '*' state.apply``, and with nothing but Salt on them.
ha = fixture_of("ha", "lxcm01")
bare = fixture_of("ha", "lxcm01", "--no-apply")
# With nothing but Salt, too: a host like EL 8 and one like EL 9, each to be everything; two hosts, one of them a master.
el = fixture_of("el", "lxel8", "--no-apply")
doors = fixture_of("doors", "lxgit01", "--no-apply")
