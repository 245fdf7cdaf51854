"""The units of the minion of the unit tests, which has no systemd. A unit runs until stopped."""

from pathlib import Path

__virtualname__ = "service"


def __virtual__():
    return __virtualname__


def _stopped(name):
    return Path(__opts__["root_dir"], f"{name}.stopped")


def status(name):
    """Return whether a unit is running. One whose name begins with ``stopped`` is not."""
    return not name.startswith("stopped") and not _stopped(name).exists()


def stop(name):
    """Stop a unit, except one whose name begins with ``stubborn``."""
    if not name.startswith("stubborn"):
        _stopped(name).touch()
    return True
