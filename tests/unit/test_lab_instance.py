"""Labs by name: valid names, and the directories of their files."""

import pytest
from click.testing import CliRunner

from lab import BUILD, Instance, LabError, cli, instance


@pytest.fixture(autouse=True)
def selected():
    """Restore the selected lab after each test."""
    name = instance.name
    yield
    instance.select(name)


def test_the_default_lab_is_on_the_network_of_the_machine():
    assert not Instance("default").isolated
    assert Instance("other").isolated


def test_each_lab_has_its_own_directories():
    assert Instance("first").run == BUILD / "labs/first"
    assert Instance("first").logs == BUILD / "logs/first"


@pytest.mark.parametrize("name", ["", "-a", "a/b", "..", "A", "a b", "a" * 21])
def test_a_name_that_cannot_be_a_directory_is_rejected(name):
    with pytest.raises(LabError, match="should be 1 to 20 lower-case letters"):
        Instance(name)


def test_the_option_selects_a_lab_and_hints_contain_it():
    result = CliRunner().invoke(cli.cli, ["--name", "first", "status"])
    assert result.exit_code == 0 and "No lab is running" in result.output
    assert instance.name == "first" and instance.command == ".venv/bin/lab --name first"


def test_the_environment_selects_a_lab():
    CliRunner(env={"LAB_NAME": "second"}).invoke(cli.cli, ["status"])
    assert instance.name == "second"


@pytest.mark.parametrize(
    "option, is_deprecated", [("--transport", False), ("--door", True)], ids=["new", "old"]
)
def test_the_old_name_of_the_transport_works_and_is_reported(monkeypatch, option, is_deprecated):
    transports = []

    def load(_topology, transport):
        transports.append(transport)
        raise LabError("nothing is booted in this test")

    monkeypatch.setattr(cli.machine, "check", lambda: None)
    monkeypatch.setattr(cli.cluster, "load", load)
    result = CliRunner().invoke(cli.cli, ["up", option, "ssh"])
    assert transports == ["ssh"]
    message = "--door is deprecated. Use --transport instead."
    assert (message in result.output) == is_deprecated
