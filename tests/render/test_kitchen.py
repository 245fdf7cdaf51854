"""The settings of the suites in kitchen.yml, on each of their platforms."""

import os

import pytest
import yaml

from lab import kitchen


@pytest.fixture(scope="module")
def answers(ruby, render, tmp_path_factory) -> dict[str, dict[str, dict]]:
    """The answers of all instances, and of one with a misspelt setting."""
    cases = {}
    for instance in kitchen.instances({"PATH": os.environ["PATH"]}):
        tree = tmp_path_factory.mktemp("kitchen")
        kitchen.sandbox(instance, tree)
        grains = yaml.safe_load((tree / "etc/salt/grains").read_text())
        cases[instance.name] = {
            "id": instance.name,
            "platform": kitchen.PLATFORMS[instance.platform],
            "grains": grains,
            "pillar_roots": [str(tree / "srv/pillar")],
            "only": "faults",
        }
    misspelt = tmp_path_factory.mktemp("misspelt")
    for path in (tree / "srv/pillar").iterdir():
        (misspelt / path.name).write_text(path.read_text().replace("heap: 256", "heep: 256"))
    return render({**cases, "misspelt": {**cases[instance.name], "pillar_roots": [str(misspelt)]}})


def test_the_settings_of_all_suites_are_valid_on_all_their_platforms(answers):
    for line, instances in answers.items():
        errors = {
            name: answer["faults"] for name, answer in instances.items() if name != "misspelt"
        }
        assert not any(errors.values()), (line, errors)


def test_a_misspelt_setting_of_a_suite_is_refused(answers):
    for instances in answers.values():
        messages = "\n".join(instances["misspelt"]["faults"])
        assert "zookeeper:heep = 256" in messages and "Did you mean heap?" in messages


def test_a_suite_has_its_settings_and_those_of_its_platform(answers):
    for instances in answers.values():
        for platform, key in (("centos-7", "vault"), ("almalinux-8", "extra")):
            pillar = instances[f"zookeeper-{platform}"]["pillar"]
            assert pillar["zookeeper"]["heap"] == 384 and list(
                pillar["common"]["repositories"]
            ) == [key]
