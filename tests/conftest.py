"""Options and fixtures for all tests. pytest reads options only from this file."""

import os
import shutil

import pytest


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write tests/render/golden anew from what the formulas render to now",
    )
    parser.addoption(
        "--lab-host",
        metavar="NAME",
        help="run tests/testinfra against this host of the lab; other machines: --hosts=ssh://...",
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs root; `make hosts` runs it, `make check` not")
    config.addinivalue_line(
        "markers",
        "lines(line, ...): runs with these lines of Salt alone, because they do not matter",
    )


def pytest_runtest_setup(item):
    """Skip a test that needs root for any other user, or fail it in CI."""
    if item.get_closest_marker("root") and os.geteuid():
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse("needs root")


def pytest_terminal_summary(terminalreporter):
    """
    Show the tables that tests record.

    A test adds a column: ``record_property("table", (title, column, {row: cell}))``.
    """
    tables = {}
    for report in (
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
    ):
        for name, value in report.user_properties if report.when == "call" else ():
            if name == "table":
                title, column, cells = value
                tables.setdefault(title, {})[column] = cells
    for title, columns in sorted(tables.items()):
        terminalreporter.write_sep("-", title)
        columns = dict(sorted(columns.items(), key=lambda column: version_numbers(column[0])))
        rows = list(dict.fromkeys(row for cells in columns.values() for row in cells))
        width = max(map(len, rows))
        terminalreporter.write_line(
            " ".join(["".ljust(width), *(f"{column:>9}" for column in columns)])
        )
        for row in rows:
            terminalreporter.write_line(
                " ".join(
                    [row.ljust(width), *(f"{cells.get(row, ''):>9}" for cells in columns.values())]
                )
            )


def version_numbers(version: str) -> list[int]:
    """Return the numbers of a version, to sort versions."""
    return [int(number) for number in version.split(".")]


def _program(name: str) -> str:
    path = shutil.which(name)
    if not path:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"{name} is not installed")
    return path


@pytest.fixture(scope="session")
def ruby() -> str:
    """The path of Ruby. If it is not installed, the test is skipped, or fails in CI."""
    return _program("ruby")


@pytest.fixture(scope="session")
def vagrant() -> str:
    """The path of Vagrant. If it is not installed, the test is skipped, or fails in CI."""
    return _program("vagrant")


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of promtool, of Prometheus. Without it the test is skipped, or fails in CI."""
    return _program("promtool")
