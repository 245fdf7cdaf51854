"""What the lab needs of this machine."""

from __future__ import annotations

import pathlib

import pytest

from lab import LabError, machine


@pytest.fixture
def limit(monkeypatch, tmp_path):
    """A copy of the kernel's limit of inotify instances, with the default value."""
    file = tmp_path / "max_user_instances"
    file.write_text("128\n")
    monkeypatch.setattr(machine, "INOTIFY_INSTANCES", file)
    return file


def test_a_low_limit_is_raised(limit):
    """Three labs at once need more instances than the default; systemd ends without a message."""
    machine.raise_limits()
    assert int(limit.read_text()) == machine.MIN_INOTIFY_INSTANCES


def test_a_higher_limit_stays(limit):
    limit.write_text("8192\n")
    machine.raise_limits()
    assert limit.read_text() == "8192\n"


def test_a_limit_that_cannot_be_raised_is_an_error(limit, monkeypatch):
    def refuse(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "write_text", refuse)
    with pytest.raises(LabError, match=r"max_user_instances is 128.*Permission denied.*sysctl"):
        machine.raise_limits()
