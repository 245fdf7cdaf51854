"""What all parts of the tests share. Options stand here, as pytest reads them here alone, whichever part it is pointed at."""

import os
import shutil

import pytest


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true",
                     help="write tests/render/golden anew from what the formulas render to now")
    parser.addoption("--lab-host", metavar="NAME",
                     help="run tests/testinfra against this host of the lab; other machines: --hosts=ssh://...")


def _program(name: str) -> str:
    path = shutil.which(name)
    if not path:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"{name} is not installed")
    return path


@pytest.fixture(scope="session")
def ruby() -> str:
    """Ruby's path. Where it is not installed the test is skipped, or fails in CI; so with vagrant."""
    return _program("ruby")


@pytest.fixture(scope="session")
def vagrant() -> str:
    """Vagrant's path."""
    return _program("vagrant")
