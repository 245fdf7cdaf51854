"""
Labs for the tests: booted, converged, and stopped even if a test fails.

Each worker of pytest-xdist has its own lab in a network namespace, and runs the tests of the lab on
its network. Tests that share a lab stay together (``xdist_group``). The longest groups begin first.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_lab import Lab

from lab import SALT_LINES, instance, machine, network

DIRECTORY = Path(__file__).parent

# The fixtures below that are a lab of each Salt line.
LABS = {"lab", "ha", "bare", "el", "entry_points", "secure", "single", "clusters"}

LAB_STATUS = "lab status"

# Groups of tests, the longest first; others follow.
LONGEST_FIRST = (
    "operations-3008",
    "ha-3008",
    "test_install-3006",
    "test_deploy-3008",
    "test_secure-3008",
    "kitchen-suites",
    "test_single-3008",
    "test_single-3006",
    "test_clusters-3008",
    "test_ssh-bare_by_ssh",
    "test_entry_points-3006",
)


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: while no other lab runs; `make hosts` runs it last")
    instance.select(f"test-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")


class ImmediateFailures:
    """Prints a failure at once, since a run takes long, and a failure of a fixture only once."""

    def __init__(self, terminal):
        self.terminal = terminal
        self.printed = set()

    def pytest_runtest_logreport(self, report):
        if report.failed and report.longreprtext not in self.printed:
            self.printed.add(report.longreprtext)
            self.terminal.write_line(f"\n{report.nodeid}\n{report.longreprtext}", red=True)
            for title, text in report.sections:
                if title == LAB_STATUS:
                    self.terminal.write_line(f"{title}:\n{text}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Add the status of the lab to the report of a test that has failed."""
    report = (yield).get_result()
    lab = next((value for value in item.funcargs.values() if isinstance(value, Lab)), None)
    if report.failed and call.when == "call" and lab:
        report.sections.append((LAB_STATUS, lab.call("status").stdout))


def pytest_sessionstart(session):
    terminal = session.config.pluginmanager.getplugin("terminalreporter")
    if terminal and "PYTEST_XDIST_WORKER" not in os.environ:
        session.config.pluginmanager.register(ImmediateFailures(terminal))


def pytest_generate_tests(metafunc):
    for name in LABS & set(metafunc.fixturenames):
        only = metafunc.definition.get_closest_marker("lines")
        metafunc.parametrize(name, only.args if only else SALT_LINES, indirect=True)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items):
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group_of(item)))
    items.sort(key=weight)


def group_of(item) -> str:
    """
    Return the name of the lab of a test: its module, or the folder of several modules, and the Salt
    line.

    The host by ssh comes after the one with a minion, with which it is compared.
    """
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    folder = item.path.parent
    module = item.path.stem if folder == DIRECTORY else folder.name
    if "by_ssh" in parameters:
        module = "test_single"
    lines = [str(value) for value in parameters.values() if value in SALT_LINES]
    fixtures = [name for name in item.fixturenames if name.endswith("_by_ssh")]
    return "-".join([module, *(lines or fixtures)])


def weight(item) -> int:
    """Return the place of a test's group in the order of execution."""
    group = item.get_closest_marker("xdist_group").args[0]
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)


def require_lab() -> None:
    """Skip the test if no lab can run. With CI=true, fail it."""
    obstacles = machine.obstacles()
    if obstacles:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse("the lab cannot run here: " + "; ".join(obstacles))


@contextlib.contextmanager
def booted(topology: str, line: str, host: str, *options: str) -> Iterator[Lab]:
    """Boot a lab, enter its network, and stop the lab at the end of the tests."""
    require_lab()
    lab = Lab(line, host)
    lab.do("down")
    try:
        lab.up_output = lab.do("up", "--topology", topology, "--salt", line, *options)
        with network.joined():
            yield lab
    finally:
        lab.do("down")


def fixture_of(topology: str, host: str, *options: str, scope: str = "module"):
    """Return a fixture: a lab for all tests of a module, or of the package that defines it."""

    @pytest.fixture(scope=scope)
    def fixture(request):
        with booted(topology, request.param, host, *options) as lab:
            yield lab

    return fixture


# Salt line -> the files that `salt '*' state.apply` creates on the host of ``single``.
FILE_LISTS: dict[str, list[str]] = {}


@contextlib.contextmanager
def converged_single(line: str) -> Iterator[Lab]:
    """One converged host with all roles. FILE_LISTS gets its files."""
    with booted("single", line, "lxdev01") as lab:
        FILE_LISTS[line] = lab.file_list()
        yield lab


@pytest.fixture(scope="module")
def lab(request):
    """One host with all roles, converged."""
    with converged_single(request.param) as lab:
        yield lab


# The same host with only Salt.
single = fixture_of("single", "lxdev01", "--no-apply")
# The eight hosts of the topology, with only Salt.
bare = fixture_of("ha", "lxcm01", "--no-apply")
# Also with only Salt: nodes of two clusters, and minions that belong to neither.
clusters = fixture_of("clusters", "lxsm01", "--no-apply")
# Also with only Salt: a host like EL 8 and one like EL 9, with all roles; and two hosts, of which
# one is a Salt master.
el = fixture_of("el", "lxel8", "--no-apply")
entry_points = fixture_of("entry_points", "lxgit01", "--no-apply")
# Four hosts with only Salt, whose topology and settings test_secure.py writes.
secure = fixture_of("secure", "lxcm01", "--no-apply")
