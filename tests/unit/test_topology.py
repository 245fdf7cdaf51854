"""The hosts that the lab boots, and errors in topologies."""

import pytest
import yaml

from lab import ROOT, LabError, topology

NODES = {
    "salt.example.org": {"address": "172.31.250.10", "roles": []},
    "one.example.org": {
        "address": "172.31.250.11",
        "roles": ["zookeeper", "mesos-master"],
        "zookeeper_id": 1,
    },
    "agent*.example.org": {"address": "172.31.250.64/29", "roles": "mesos-slave"},
}
OPTIONS = {"salt_master": "salt.example.org", "glob_hosts": {"agent1.example.org": "172.31.250.65"}}


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that loads a topology of the lab for a topology.yaml with these nodes."""
    monkeypatch.setattr(topology, "DIRECTORY", tmp_path)

    def load(nodes=NODES, options=OPTIONS, added=None, **keys):
        (tmp_path / "topology").write_text(
            nodes
            if isinstance(nodes, str)
            else yaml.safe_dump({"nodes": nodes, **keys}, sort_keys=False)
        )
        (tmp_path / "rack.yaml").write_text(
            yaml.safe_dump({"topology": str(tmp_path / "topology"), **options})
        )
        return topology.load("rack", added)

    return load


@pytest.fixture
def hosts(tmp_path, monkeypatch):
    """Return a function that loads a topology with hosts of its own: ``hosts(lxdev01={...})``."""
    monkeypatch.setattr(topology, "DIRECTORY", tmp_path)

    def hosts(**entries):
        (tmp_path / "rack.yaml").write_text(yaml.safe_dump({"hosts": entries}))
        return topology.load("rack")

    return hosts


def test_named_nodes_and_the_listed_hosts_of_globs_are_booted(load):
    loaded = load(added={"agent7.example.org": "172.31.250.70"})
    assert [(host.name, host.id, host.address) for host in loaded.hosts] == [
        ("salt", "salt.example.org", "172.31.250.10"),
        ("one", "one.example.org", "172.31.250.11"),
        ("agent1", "agent1.example.org", "172.31.250.65"),
        ("agent7", "agent7.example.org", "172.31.250.70"),
    ]
    assert loaded.master.name == "salt"
    assert loaded.host("one").roles == ["zookeeper", "mesos-master"] and loaded.host(
        "agent1.example.org"
    ).roles == ["mesos-slave"]


def test_an_entry_takes_precedence_over_the_host_of_a_glob(load):
    loaded = load(
        {**NODES, "agent1.example.org": {"address": "172.31.250.99", "roles": ["docker"]}}
    )
    assert [(host.name, host.address) for host in loaded.hosts if host.name == "agent1"] == [
        ("agent1", "172.31.250.99")
    ]


def test_the_lab_uses_the_ports_of_the_topology(load):
    assert load(ports={"marathon": 8888}).ports == {"marathon": 8888}


def test_every_topology_of_the_repository_can_be_booted():
    for name in topology.names():
        topology.check_bootable(topology.load(name))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"nodes": "nodes: ["}, "topology"),
        ({"nodes": "nodes: [a]\n"}, "nodes: should be a mapping"),
        ({"nodes": {}}, "salt.example.org is not a node"),
        (
            {"options": OPTIONS | {"salt_master": "agent*.example.org"}},
            "exactly one host must be the Salt master",
        ),
        ({"options": OPTIONS | {"glob_host": {}}}, "glob_host: unknown. Known: glob_hosts"),
        (
            {"options": OPTIONS | {"glob_hosts": {"lone.example.org": "172.31.250.65"}}},
            "lone.example.org matches no glob .*: agent",
        ),
        (
            {"nodes": NODES | {"*1.example.org": {}}},
            "agent1.example.org matches several globs .*: agent.*, .*1.example.org",
        ),
        (
            {"nodes": NODES | {"two.example.org": {"roles": {"a": "b"}}}},
            "two.example.org: roles: should be a list",
        ),
    ],
    ids=[
        "no yaml",
        "no mapping",
        "no master",
        "a glob as master",
        "unknown key",
        "no glob",
        "two globs",
        "roles",
    ],
)
def test_an_invalid_topology_is_rejected(load, change, words):
    with pytest.raises(LabError, match=words):
        load(**change)


@pytest.mark.parametrize("entry", [None, 7, {}, {"address": "172.31.250.300", "roles": ["king"]}])
def test_errors_that_salt_reports_are_not_checked(load, entry):
    assert load(NODES | {"two.example.org": entry}).host("two")


def test_a_topology_of_hosts_needs_one_salt_master(hosts):
    entry = {"address": "172.31.250.11", "roles": []}
    for entries in (
        {"one": entry},
        {name: entry | {"salt_master": True} for name in ("one", "two")},
    ):
        with pytest.raises(LabError, match="exactly one host must be the Salt master"):
            hosts(**entries)
    with pytest.raises(LabError, match="one: .*adress"):
        hosts(one={"adress": "172.31.250.11", "roles": []})


def test_all_errors_of_hosts_are_reported_at_once(load):
    nodes = NODES | {
        "a-name-too-long.example.org": {"address": "172.31.250.12"},
        "far.example.org": {"address": "10.0.0.1"},
        "one.example.com": {"address": "172.31.250.10"},
    }
    with pytest.raises(LabError) as refusal:
        topology.check_bootable(load(nodes))
    for words in (
        "'a-name-too-long' is not a host name",
        "10.0.0.1 is not an address",
        "name one is already that of one.example.org",
        "address 172.31.250.10 is already that of salt.example.org",
    ):
        assert words in str(refusal.value)


def test_an_added_host_gets_the_first_free_address_of_its_glob(load):
    assert topology.new_host(load(), "agent2") == ("agent2.example.org", "172.31.250.66")
    loaded = load(added={"agent2.example.org": "172.31.250.67"})
    assert topology.new_host(loaded, "agent3.example.org") == (
        "agent3.example.org",
        "172.31.250.66",
    )


def test_an_invalid_host_is_rejected(load, hosts):
    full = {f"agent{number}.example.org": f"172.31.250.{64 + number}" for number in range(1, 7)}
    for added, name, words in (
        ({}, "agent1", "already has a host agent1"),
        ({}, "agent1.example.com", "already has a host agent1"),
        ({}, "other", "other.example.org matches no glob"),
        (full, "agent7", "no address is free"),
    ):
        with pytest.raises(LabError, match=words):
            topology.new_host(load(added=added), name)
    with pytest.raises(LabError, match="has no nodes with globs"):
        topology.new_host(
            hosts(one={"address": "172.31.250.11", "roles": [], "salt_master": True}), "two"
        )


def test_an_unknown_host_is_reported_with_the_hosts_of_the_topology(load):
    with pytest.raises(LabError, match="no host 'tow'. Known: salt, one, agent1"):
        load().host("tow")


def test_a_host_is_like_centos_7_unless_it_has_another_platform(hosts):
    entry = {"address": "172.31.250.11", "roles": []}
    loaded = hosts(one=entry | {"salt_master": True}, two=entry | {"platform": "el9"})
    assert [host.platform for host in loaded.hosts] == ["el7", "el9"]
    with pytest.raises(LabError, match="two: platform: el6: unknown. Known: el7, el8, el9"):
        hosts(two=entry | {"platform": "el6"})


def test_a_host_without_a_master_has_the_roots_of_a_master():
    master, minion = (
        yaml.safe_load((ROOT / f"conf/{kind}.d/mesos.conf").read_text())
        for kind in ("master", "minion")
    )
    assert minion == {"file_client": "local", **master}
