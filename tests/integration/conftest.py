"""Labs: booted, converged, and torn down whatever happens. A machine can have one at a time: each module of tests has its own."""

import contextlib
import os
from collections.abc import Iterator

import pytest
from cluster_lab import Lab

from lab import SALT_LINES, machine

LABS = {"lab": "single", "ha": "ha", "bare": "ha", "el": "el", "doors": "doors", "single": "single"}  # fixture -> topology


def pytest_configure(config):
    config.addinivalue_line("markers", "lines(line, ...): only with these lines of Salt, as it says nothing about Salt")


def pytest_generate_tests(metafunc):
    for name in LABS.keys() & set(metafunc.fixturenames):
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


@pytest.fixture(scope="module")
def lab(request):
    """One host that is everything."""
    with booted("single", request.param, "lxdev01") as lab:
        yield lab


@pytest.fixture(scope="module")
def ha(request):
    """The eight hosts of the table, converged by ``salt '*' state.apply``."""
    with booted("ha", request.param, "lxcm01") as lab:
        yield lab


@pytest.fixture(scope="module")
def bare(request):
    """The eight hosts of the table with nothing but Salt on them."""
    with booted("ha", request.param, "lxcm01", "--no-apply") as lab:
        yield lab


@pytest.fixture(scope="module")
def el(request):
    """A host that looks like EL 8 and one that looks like EL 9, with nothing but Salt on them: each is to be everything."""
    with booted("el", request.param, "lxel8", "--no-apply") as lab:
        yield lab


@pytest.fixture(scope="module")
def doors(request):
    """Two hosts with nothing but Salt on them, one of them its master."""
    with booted("doors", request.param, "lxgit01", "--no-apply") as lab:
        yield lab


@pytest.fixture(scope="module")
def single(request):
    """One host with nothing but Salt on it."""
    with booted("single", request.param, "lxdev01", "--no-apply") as lab:
        yield lab
