"""Which hosts the lab boots, and what becomes of tables that make no sense."""

import pytest
import yaml

from lab import ROOT, LabError, topology

ROWS = {
    "salt.example.org": {"address": "172.31.250.10", "roles": []},
    "one.example.org": {
        "address": "172.31.250.11",
        "roles": ["zookeeper", "mesos-master"],
        "zookeeper_id": 1,
    },
    "agent*.example.org": {"address": "172.31.250.64/29", "roles": "mesos-slave"},
}
GIVEN = {"salt_master": "salt.example.org", "glob_hosts": {"agent1.example.org": "172.31.250.65"}}


@pytest.fixture
def load(tmp_path, monkeypatch):
    """``load(rows, given, added)``: the topology that names a table with these rows."""
    monkeypatch.setattr(topology, "DIRECTORY", tmp_path)

    def load(rows=ROWS, given=GIVEN, added=None, **table):
        (tmp_path / "table").write_text(
            rows
            if isinstance(rows, str)
            else yaml.safe_dump({"nodes": rows, **table}, sort_keys=False)
        )
        (tmp_path / "rack.yaml").write_text(
            yaml.safe_dump({"table": str(tmp_path / "table"), **given})
        )
        return topology.load("rack", added)

    return load


@pytest.fixture
def hosts(tmp_path, monkeypatch):
    """``hosts(lxdev01={...})``: the topology with hosts of its own."""
    monkeypatch.setattr(topology, "DIRECTORY", tmp_path)

    def hosts(**rows):
        (tmp_path / "rack.yaml").write_text(yaml.safe_dump({"hosts": rows}))
        return topology.load("rack")

    return hosts


def test_named_rows_are_hosts_and_globs_have_hosts_that_stand_for_them(load):
    found = load(added={"agent7.example.org": "172.31.250.70"})
    assert [(host.name, host.id, host.address) for host in found.hosts] == [
        ("salt", "salt.example.org", "172.31.250.10"),
        ("one", "one.example.org", "172.31.250.11"),
        ("agent1", "agent1.example.org", "172.31.250.65"),
        ("agent7", "agent7.example.org", "172.31.250.70"),
    ]
    assert found.master.name == "salt"
    assert found.host("one").roles == ["zookeeper", "mesos-master"] and found.host(
        "agent1.example.org"
    ).roles == ["mesos-slave"]


def test_a_row_of_its_own_wins_over_the_host_that_stood_for_a_glob(load):
    found = load({**ROWS, "agent1.example.org": {"address": "172.31.250.99", "roles": ["docker"]}})
    assert [(host.name, host.address) for host in found.hosts if host.name == "agent1"] == [
        ("agent1", "172.31.250.99")
    ]


def test_ports_of_the_table_are_known(load):
    assert load(ports={"marathon": 8888}).ports == {"marathon": 8888}


def test_every_topology_of_the_repository_can_be_booted():
    for name in topology.names():
        topology.check_bootable(topology.load(name))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"rows": "nodes: ["}, "table"),
        ({"rows": "nodes: [a]\n"}, "nodes: should be a mapping"),
        ({"rows": {}}, "salt.example.org is no row"),
        (
            {"given": GIVEN | {"salt_master": "agent*.example.org"}},
            "exactly one host must be the Salt master",
        ),
        ({"given": GIVEN | {"glob_host": {}}}, "glob_host: unknown. Known: glob_hosts"),
        (
            {"given": GIVEN | {"glob_hosts": {"lone.example.org": "172.31.250.65"}}},
            "lone.example.org matches no row .*: agent",
        ),
        (
            {"rows": ROWS | {"*1.example.org": {}}},
            "agent1.example.org matches several rows .*: agent.*, .*1.example.org",
        ),
        (
            {"rows": ROWS | {"two.example.org": {"roles": {"a": "b"}}}},
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
def test_what_no_host_can_be_made_of_is_refused(load, change, words):
    with pytest.raises(LabError, match=words):
        load(**change)


@pytest.mark.parametrize("row", [None, 7, {}, {"address": "172.31.250.300", "roles": ["king"]}])
def test_what_salt_refuses_better_is_left_to_salt(load, row):
    assert load(ROWS | {"two.example.org": row}).host("two")


def test_a_table_of_hosts_needs_one_salt_master(hosts):
    row = {"address": "172.31.250.11", "roles": []}
    for rows in ({"one": row}, {name: row | {"salt_master": True} for name in ("one", "two")}):
        with pytest.raises(LabError, match="exactly one host must be the Salt master"):
            hosts(**rows)
    with pytest.raises(LabError, match="one: .*adress"):
        hosts(one={"adress": "172.31.250.11", "roles": []})


def test_all_reasons_why_hosts_cannot_be_booted_are_given_at_once(load):
    rows = ROWS | {
        "a-name-too-long.example.org": {"address": "172.31.250.12"},
        "far.example.org": {"address": "10.0.0.1"},
        "one.example.com": {"address": "172.31.250.10"},
    }
    with pytest.raises(LabError) as refusal:
        topology.check_bootable(load(rows))
    for words in (
        "'a-name-too-long' is no name",
        "10.0.0.1 is no address",
        "name one is that of one.example.org",
        "address 172.31.250.10 is that of salt.example.org",
    ):
        assert words in str(refusal.value)


def test_a_newcomer_gets_the_first_free_address_of_its_row(load):
    assert topology.newcomer(load(), "agent2") == ("agent2.example.org", "172.31.250.66")
    found = load(added={"agent2.example.org": "172.31.250.67"})
    assert topology.newcomer(found, "agent3.example.org") == ("agent3.example.org", "172.31.250.66")


def test_a_newcomer_that_cannot_be_is_refused(load, hosts):
    full = {f"agent{number}.example.org": f"172.31.250.{64 + number}" for number in range(1, 7)}
    for added, name, words in (
        ({}, "agent1", "has a host agent1 already"),
        ({}, "agent1.example.com", "has a host agent1 already"),
        ({}, "other", "other.example.org matches no row"),
        (full, "agent7", "no address is free"),
    ):
        with pytest.raises(LabError, match=words):
            topology.newcomer(load(added=added), name)
    with pytest.raises(LabError, match="has no table"):
        topology.newcomer(
            hosts(one={"address": "172.31.250.11", "roles": [], "salt_master": True}), "two"
        )


def test_a_host_that_is_not_there_is_named_with_those_that_are(load):
    with pytest.raises(LabError, match="no host 'tow'; it has salt, one, agent1"):
        load().host("tow")


def test_a_host_looks_like_centos_7_unless_another_platform_is_named(hosts):
    row = {"address": "172.31.250.11", "roles": []}
    found = hosts(one=row | {"salt_master": True}, two=row | {"platform": "el9"})
    assert [host.platform for host in found.hosts] == ["el7", "el9"]
    with pytest.raises(LabError, match="two: platform: el6: unknown. Known: el7, el8, el9"):
        hosts(two=row | {"platform": "el6"})


def test_a_host_without_a_master_has_the_roots_of_a_master():
    master, minion = (
        yaml.safe_load((ROOT / f"conf/{kind}.d/mesos.conf").read_text())
        for kind in ("master", "minion")
    )
    assert minion == {"file_client": "local", **master}
