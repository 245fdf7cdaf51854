"""The suites of kitchen.yml on each of their platforms: what both Salt lines have against the settings that kitchen-salt copies."""

import os

import pytest
import yaml

from lab import kitchen


@pytest.fixture(scope="module")
def answers(ruby, render, tmp_path_factory) -> dict[str, dict[str, dict]]:
    """The pillar of every instance and the faults in it, and of one whose settings were spoilt: line -> name -> answer."""
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
    spoilt = tmp_path_factory.mktemp("spoilt")
    for path in (tree / "srv/pillar").iterdir():
        (spoilt / path.name).write_text(path.read_text().replace("heap: 256", "heep: 256"))
    return render({**cases, "spoilt": {**cases[instance.name], "pillar_roots": [str(spoilt)]}})


def test_nothing_is_wrong_with_the_settings_of_any_suite_on_any_of_its_platforms(answers):
    for line, found in answers.items():
        assert {
            name: answer["faults"]
            for name, answer in found.items()
            if name != "spoilt" and answer["faults"]
        } == {}, line


def test_a_suite_whose_settings_are_wrong_is_refused(answers):
    for found in answers.values():
        assert [
            fault
            for fault in found["spoilt"]["faults"]
            if "zookeeper:heep = 256" in fault and "Did you mean heap?" in fault
        ]


def test_a_suite_has_its_settings_and_those_of_its_platform(answers):
    for found in answers.values():
        for platform, key in (("centos-7", "vault"), ("almalinux-8", "extra")):
            pillar = found[f"zookeeper-{platform}"]["pillar"]
            assert pillar["zookeeper"]["heap"] == 384 and list(
                pillar["common"]["repositories"]
            ) == [key]
