"""``lab plan``: the states and files of each node of a topology, and a summary on the screen."""

import io
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from lab import ROOT, LabError, plan, topology

TOPOLOGY = {
    "hosts": {
        "alpha": {
            "address": "172.31.250.11",
            "salt_master": True,
            "roles": ["zookeeper", "marathon"],
        },
        "beta": {
            "address": "172.31.250.12",
            "roles": ["docker"],
            "pillar": {"docker": {"options": {"log-driver": "journald"}}},
        },
    },
    "pillar": {"docker": {"options": {"log-opts": None}}},
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """The directory with the topologies and plans of this module."""
    directory = tmp_path_factory.mktemp("plan")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topology, "DIRECTORY", directory)
        patch.setattr(plan, "PLAN", directory / "build")
        yield directory


def make_plan(directory: Path, contents: dict) -> str:
    """Plan a topology and return the output on the screen."""
    (directory / "rack.yaml").write_text(yaml.safe_dump(contents))
    screen = io.StringIO()
    plan.plan("rack", "3008", Console(file=screen, width=120))
    return screen.getvalue()


@pytest.fixture(scope="module")
def screen(directory) -> str:
    stray = directory / "build/beta/files/stray"
    stray.parent.mkdir(parents=True)
    stray.write_text("from an older plan")
    return make_plan(directory, TOPOLOGY)


def test_states_and_files_of_each_node_are_written(directory, screen):
    states = (directory / "build/alpha/states.txt").read_text().splitlines()
    assert [line.split()[0] for line in states] == [
        str(number) for number in range(1, len(states) + 1)
    ]
    assert any(
        line.split()[1:] == ["zookeeper-service", "daemon.running", "zookeeper"] for line in states
    )
    assert (
        "clientPort=2181"
        in (directory / "build/alpha/files/etc/zookeeper/conf/zoo.cfg").read_text().splitlines()
    )
    assert (
        '"log-driver": "journald"'
        in (directory / "build/beta/files/etc/docker/daemon.json").read_text()
    )
    assert not (directory / "build/beta/files/etc/zookeeper").exists()


def test_the_screen_shows_each_node_with_its_roles_and_number_of_states(directory, screen):
    count = len((directory / "build/alpha/states.txt").read_text().splitlines())
    for word in ("alpha", "beta", "marathon", "8080", str(count), "make up TOPOLOGY=rack"):
        assert word in screen


def test_a_plan_replaces_the_previous_one(directory, screen):
    assert not (directory / "build/beta/files/stray").exists()


def test_only_the_owner_can_read_a_plan(directory, screen):
    """The pillar may contain secrets."""
    assert (directory / "build/alpha").stat().st_mode & 0o077 == 0


def test_an_invalid_setting_is_reported_with_its_node(directory):
    with pytest.raises(LabError, match="docker:optoins.* on beta: .*Did you mean options"):
        make_plan(directory, TOPOLOGY | {"pillar": {"docker": {"optoins": {}}}})


def test_an_error_of_all_nodes_is_reported_once(directory):
    with pytest.raises(LabError) as error:
        entries = {name: entry | {"pillar": {}} for name, entry in TOPOLOGY["hosts"].items()}
        make_plan(directory, {"hosts": entries, "pillar": {"zookeeper": {"zookeper": 1}}})
    assert str(error.value).count("zookeeper:zookeper = 1") == 1


def test_a_plan_of_the_topology_of_the_repository_has_its_settings(directory):
    (directory / "cluster.yaml").write_text((ROOT / "tests/topologies/ha.yaml").read_text())
    screen = io.StringIO()
    plan.plan("cluster", "3008", Console(file=screen, width=120))
    config = (directory / "build/lxcc02/files/etc/zookeeper/conf/zoo.cfg").read_text().splitlines()
    assert [line.partition(":")[0] for line in config if line.startswith("server.")] == [
        "server.1=172.31.250.11",
        "server.2=172.31.250.12",
        "server.3=172.31.250.13",
    ]
    assert (directory / "build/lxcc02/files/etc/mesos-master/quorum").read_text().strip() == "2"
    assert "172.31.250.13:2181" in (directory / "build/lxb004/files/etc/mesos/zk").read_text()
