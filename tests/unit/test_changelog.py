"""CHANGELOG.md and the packaging metadata agree on the version."""

import re

from lab import ROOT


def test_the_newest_release_is_the_version_of_the_package():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    project = (ROOT / "pyproject.toml").read_text()
    assert releases[0] == re.search(r'^version = "(.+)"$', project, re.MULTILINE)[1]
    assert "## [Unreleased]" in changelog
