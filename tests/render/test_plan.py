"""``lab plan``: what each node of a topology would get, in files and on the screen."""

import io
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from lab import ROOT, LabError, plan, topology

TABLE = {
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
def place(tmp_path_factory):
    """Where topologies are looked for and plans are written to."""
    place = tmp_path_factory.mktemp("plan")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topology, "DIRECTORY", place)
        patch.setattr(plan, "PLAN", place / "build")
        yield place


def make_plan(place: Path, table: dict) -> str:
    """Plan a topology; return what was on the screen."""
    (place / "rack.yaml").write_text(yaml.safe_dump(table))
    screen = io.StringIO()
    plan.plan("rack", "3008", Console(file=screen, width=120))
    return screen.getvalue()


@pytest.fixture(scope="module")
def screen(place) -> str:
    stray = place / "build/beta/files/stray"
    stray.parent.mkdir(parents=True)
    stray.write_text("from an older plan")
    return make_plan(place, TABLE)


def test_states_and_files_of_each_node_are_written(place, screen):
    states = (place / "build/alpha/states.txt").read_text().splitlines()
    assert [line.split()[0] for line in states] == [
        str(number) for number in range(1, len(states) + 1)
    ]
    assert any(
        line.split()[1:] == ["zookeeper-service", "daemon.running", "zookeeper"] for line in states
    )
    assert (
        "clientPort=2181"
        in (place / "build/alpha/files/etc/zookeeper/conf/zoo.cfg").read_text().splitlines()
    )
    assert (
        '"log-driver": "journald"'
        in (place / "build/beta/files/etc/docker/daemon.json").read_text()
    )
    assert not (place / "build/beta/files/etc/zookeeper").exists()


def test_the_screen_sums_it_up(place, screen):
    count = len((place / "build/alpha/states.txt").read_text().splitlines())
    for word in ("alpha", "beta", "marathon", "8080", str(count), "make up TOPOLOGY=rack"):
        assert word in screen


def test_a_plan_is_made_anew(place, screen):
    assert not (place / "build/beta/files/stray").exists()


def test_only_the_owner_may_read_it(place, screen):
    """There may be secrets in the pillar."""
    assert (place / "build/alpha").stat().st_mode & 0o077 == 0


def test_a_wrong_setting_is_named_with_its_node(place):
    with pytest.raises(LabError, match="docker:optoins.* on beta: .*Did you mean options"):
        make_plan(place, TABLE | {"pillar": {"docker": {"optoins": {}}}})


def test_what_is_wrong_with_all_nodes_is_said_once(place):
    with pytest.raises(LabError) as refusal:
        rows = {name: row | {"pillar": {}} for name, row in TABLE["hosts"].items()}
        make_plan(place, {"hosts": rows, "pillar": {"zookeeper": {"zookeper": 1}}})
    assert str(refusal.value).count("zookeeper:zookeper = 1") == 1


def test_nodes_of_the_table_are_planned_as_the_table_has_them(place):
    (place / "cluster.yaml").write_text((ROOT / "tests/topologies/ha.yaml").read_text())
    screen = io.StringIO()
    plan.plan("cluster", "3008", Console(file=screen, width=120))
    config = (place / "build/lxcc02/files/etc/zookeeper/conf/zoo.cfg").read_text().splitlines()
    assert [line.partition(":")[0] for line in config if line.startswith("server.")] == [
        "server.1=172.31.250.11",
        "server.2=172.31.250.12",
        "server.3=172.31.250.13",
    ]
    assert (place / "build/lxcc02/files/etc/mesos-master/quorum").read_text().strip() == "2"
    assert "172.31.250.13:2181" in (place / "build/lxb004/files/etc/mesos/zk").read_text()
