"""The settings of the suites in kitchen.yml, on each of their platforms."""

import os
from pathlib import Path

import pytest
import yaml

from lab import kitchen

# An existing machine whose sshd listens on another port than 22.
PROXY = {"KITCHEN_DRIVER": "proxy", "KITCHEN_HOSTNAME": "192.0.2.11", "KITCHEN_PORT": "2222"}


@pytest.fixture(scope="module")
def answers(ruby, render, tmp_path_factory) -> dict[str, dict[str, dict]]:
    """The answers of all instances, of some on another port, and of one with a misspelt setting."""
    cases = {}
    for instance in kitchen.instances({"PATH": os.environ["PATH"]}):
        cases[instance.name] = case(instance, tmp_path_factory.mktemp("kitchen"))
    for instance in kitchen.instances({"PATH": os.environ["PATH"], **PROXY}):
        if instance.suite == "standalone":
            cases["another-port"] = case(instance, tmp_path_factory.mktemp("kitchen"))
    misspelt = tmp_path_factory.mktemp("misspelt")
    (pillar,) = cases["standalone-centos-7"]["pillar_roots"]
    for path in Path(pillar).iterdir():
        (misspelt / path.name).write_text(path.read_text().replace("heap: 256", "heep: 256"))
    cases["misspelt"] = {**cases["standalone-centos-7"], "pillar_roots": [str(misspelt)]}
    return render(cases)


def case(instance: kitchen.Instance, tree: Path) -> dict:
    """Write the sandbox of an instance, and return the case that renders it."""
    kitchen.sandbox(instance, tree)
    return {
        "id": instance.name,
        "platform": kitchen.PLATFORMS[instance.platform],
        "grains": yaml.safe_load((tree / "etc/salt/grains").read_text()),
        "pillar_roots": [str(tree / "srv/pillar")],
        "only": "validation",
    }


def test_the_firewall_keeps_the_port_of_sshd_open(answers):
    for instances in answers.values():
        firewall = instances["another-port"]["pillar"]["common"]["firewall"]
        assert firewall == {
            "clients": ["10.0.0.0/8"],
            "extra": [{"port": 2222, "from": "everyone"}],
        }


def test_the_settings_of_all_suites_are_valid_on_all_their_platforms(answers):
    for line, instances in answers.items():
        errors = {
            name: answer["validation"] for name, answer in instances.items() if name != "misspelt"
        }
        assert not any(errors.values()), (line, errors)


def test_a_misspelt_setting_of_a_suite_is_rejected(answers):
    for instances in answers.values():
        messages = "\n".join(instances["misspelt"]["validation"])
        assert "zookeeper:heep = 256" in messages and "Did you mean heap?" in messages


def test_a_suite_has_its_settings_and_those_of_its_platform(answers):
    for instances in answers.values():
        for platform, key in (("centos-7", "vault"), ("almalinux-8", "extra")):
            pillar = instances[f"zookeeper-{platform}"]["pillar"]
            assert pillar["zookeeper"]["heap"] == 384 and list(
                pillar["common"]["repositories"]
            ) == [key]
