"""CHANGELOG.md, the modules and the command ``lab`` have the version in pyproject.toml."""

import re

import pytest
from click.testing import CliRunner

from lab import ROOT
from lab.cli import cli


@pytest.fixture
def version() -> str:
    """The version in pyproject.toml."""
    return re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]


def test_the_newest_release_in_the_changelog_is_the_version_of_the_package(version):
    changelog = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", headings[1])


def test_the_modules_have_the_version_of_the_package(version):
    code = (ROOT / "_modules" / "_http_client.py").read_text()
    assert re.findall(r"^VERSION = \"(.+)\"$", code, re.MULTILINE) == [version]


def test_the_command_lab_shows_the_version_of_the_package(version):
    result = CliRunner().invoke(cli, ["--version"], prog_name="lab")
    assert (result.exit_code, result.output) == (0, f"lab, version {version}\n")
