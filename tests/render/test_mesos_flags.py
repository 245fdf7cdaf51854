"""
The flags of each version of Mesos are those of its source.

The data was read in src/{master,slave}/flags.{hpp,cpp}, main.cpp and src/logging/flags.* of
apache/mesos at one release tag of each minor version: the first tag that adds a flag, and of those
that 1.11.0 does not add, the first and the last.
"""

import json

import pytest

from lab import ROOT

from .in_process import Formulas, Minion

FORMULAS = Formulas()
SOURCE = json.loads((ROOT / "tests/unit/data/mesos-flags.json").read_text())
TAGS = (
    *("0.20.1", "0.21.1", "0.22.1", "0.23.0", "0.24.1", "0.25.0", "0.26.0", "0.27.0", "0.28.2"),
    *("1.0.1", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0", "1.7.0", "1.8.0", "1.9.0"),
    *("1.10.0", "1.11.0"),
)
EVERY_TAG = [(daemon, tag) for daemon in SOURCE for tag in TAGS]


def flags_at(daemon: str, tag: str) -> set[str]:
    """Return the names that a daemon adds at a tag, without the aliases that it accepts."""
    tags = TAGS[: TAGS.index(tag) + 1]
    first_tags = SOURCE[daemon]["first_tag"]
    flags = {name for old_tag in tags for name in first_tags.get(old_tag, "").split()}
    for name, interval in SOURCE[daemon]["gone"].items():
        begin, end = interval.split()
        if TAGS.index(begin) <= TAGS.index(tag) <= TAGS.index(end):
            flags.add(name)
    return flags


@pytest.mark.parametrize("daemon, tag", EVERY_TAG)
def test_the_flags_of_a_version_are_those_of_its_source(daemon, tag):
    data = Minion(FORMULAS, {}).render("mesos/flags.py", version=tag)[daemon]
    assert set(data["flags"]) == flags_at(daemon, tag)
