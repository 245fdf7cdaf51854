"""
The orchestration deploy: from bare minions to one control node, and from one to three. Then an
upgrade of Mesos and Marathon.
"""

import re
from pathlib import Path

import pytest
import yaml
from cluster_lab import eventually
from ha_cluster import (
    AGENTS,
    CONTROL,
    ELECTION_SECONDS,
    ELECTION_TIMEOUT,
    HOSTS,
    active_agents,
    active_frameworks,
    apply_all,
    changes,
    check_healthy,
    failed_tasks,
    failed_tasks_since,
    failures,
    get,
    marathon_leader,
    mesos_leader,
    no_turn_is_left,
    persistent_znodes,
    wait_for_pages,
)
from ha_observer import Observer
from reader import Reader

from lab import cluster

ROOT = Path(__file__).parents[2]
TOPOLOGY_FILE = ROOT / "pillar/topology.yaml"
CHECKSUM_COMMAND = (
    "find /etc /var/lib -type f -printf '%p %T@\\n' "
    "| grep -v -e /etc/salt/ -e version-2 -e /var/lib/[^z] | sort | md5sum"
)

# Until the last tests upgrade them.
OLD_VERSIONS = {"mesos": {"version": "1.4.3"}, "marathon": {"version": "1.6.567"}}

# test_install.py deploys the same cluster with the other Salt line.
pytestmark = pytest.mark.lines("3008")


@pytest.fixture(autouse=True, scope="module")
def settings(bare):
    """Serve the settings of the old versions. Returns their file."""
    path = cluster.topology_directory() / "settings.sls"
    path.write_text(yaml.safe_dump(OLD_VERSIONS))
    return path


@pytest.fixture
def serve_topology(bare):
    """Return a function that serves a topology; with None, that of the repository again."""
    directory = cluster.topology_directory()

    def serve(contents: dict | str | None) -> None:
        for path in directory.glob("topology.*"):
            path.unlink()
        if contents is not None:
            directory.joinpath("topology.yaml").write_text(
                contents if isinstance(contents, str) else yaml.safe_dump(contents, sort_keys=False)
            )
            directory.joinpath("topology.sls").symlink_to("/srv/mesos/pillar/topology.sls")

    yield serve
    serve(None)


def test_a_bare_host_has_neither_configuration_nor_roles(bare):
    for host in ("lxcc01", "lxb001"):
        assert (
            bare.at(host).run("ls /etc/mesos* /etc/zookeeper /etc/docker 2>/dev/null | wc -l")
            == "0\n"
        )
        assert "roles" not in bare.at(host).run("cat /etc/salt/grains 2>/dev/null || true")


def test_a_node_without_its_roles_is_rejected_with_the_command_that_assigns_them(bare):
    errors = bare.at("lxcc01").apply()
    assert isinstance(errors, list) and len(errors) == 1, errors
    for texts in ("grains:roles", "zookeeper", "salt-run state.orchestrate orchestration.roles"):
        assert texts in errors[0]


@pytest.mark.parametrize(
    "invalid_entries, texts",
    [
        ({"lxcc02.devops.test": {"zookeeper_id": 1}}, ["lxcc02.devops.test:zookeeper_id", "= 1"]),
        (
            {
                "lxcc01.devops.test": {"zookeeper_id": 300},
                "lxcc02.devops.test": {"address": "172.31.250"},
                "lxb*.devops.test": {"roles": ["mesos-slaves"]},
            },
            [
                "lxcc01.devops.test:zookeeper_id",
                "300",
                "lxcc02.devops.test:address",
                "172.31.250",
                "mesos-slaves",
                "Did you mean mesos-slave?",
            ],
        ),
    ],
    ids=["one error", "three errors"],
)
def test_an_invalid_topology_is_rejected_and_no_host_is_changed(
    bare, serve_topology, invalid_entries, texts
):
    before = {host: bare.at(host).run(CHECKSUM_COMMAND) for host in ("lxcc01", "lxb001")}
    topology = yaml.safe_load(TOPOLOGY_FILE.read_text())
    for entry, settings in invalid_entries.items():
        topology["nodes"][entry] |= settings
    serve_topology(topology)
    for host in before:
        errors = bare.at(host).apply()
        assert isinstance(errors, list) and len(errors) == 1, errors
        assert all(text in errors[0] for text in texts) and "Traceback" not in errors[0], errors
    code, output = bare.orchestrate("deploy")
    assert code != 0 and all(text in output for text in texts) and "Traceback" not in output
    assert before == {host: bare.at(host).run(CHECKSUM_COMMAND) for host in before}


def test_one_control_node_is_deployed(bare, serve_topology):
    topology = yaml.safe_load(TOPOLOGY_FILE.read_text())
    for node in ("lxcc02", "lxcc03"):
        del topology["nodes"][f"{node}.devops.test"]
    serve_topology(topology)
    steps, changed = bare.orchestrated("deploy")
    order = [
        "Every node that responds has its roles",
        "ZooKeeper on all nodes listed by id, in turns",
        "ZooKeeper has its quorum",
        "Mesos master on lxcc01.devops.test",
        "The Mesos masters have a leader",
        "Mesos agent on lxb001.devops.test, the canary",
        "Mesos agent on lxb002.devops.test, batch 1 of 3",
        "Marathon on lxcc01.devops.test",
        "Chronos on lxcc01.devops.test",
        "All states are applied to every node",
    ]
    assert [step for step in steps if step in order] == order
    assert "ZooKeeper on all nodes listed by id, in turns" in changed
    bare.at("lxcc01").run("/opt/mesosphere/zookeeper/bin/zkCli.sh create /test-data treasure")


def modes(lab, hosts) -> list[str]:
    """Return the modes of the ZooKeeper servers, as they report them."""
    return sorted(
        re.search(r"Mode: (\w+)", lab.at(host).run("printf srvr | nc -w 2 localhost 2181"))[1]
        for host in hosts
    )


# How long servers wait for others that do not come.
IMPATIENT = {"common": {"restarts": {"turn_timeout": 20}}}
SECTION = "docs/operate.md, Grow from one control node to three"


def check_alone(lab, znodes: int) -> None:
    """Assert that the only master leads with its quorum of 1, and that no znode is lost."""
    assert mesos_leader(lab) == "lxcc01"
    assert lab.at("lxcc01").run("cat /etc/mesos-master/quorum").strip() == "1"
    state = eventually(lambda: get("lxcc01", 5050, "/state").json())
    assert state["flags"]["quorum"] == "1" and state["activated_slaves"] == len(AGENTS)
    eventually(lambda: active_frameworks("lxcc01") == {"marathon", "chronos"}, ELECTION_TIMEOUT)
    assert eventually(lambda: marathon_leader(lab), ELECTION_TIMEOUT)
    assert persistent_znodes(lab, "lxcc01") >= znodes


def unexpected_failures(done, *texts: str) -> list[str]:
    """Return the failures other than these, and than those that follow from them."""
    texts = (*texts, "One or more requisite failed")
    return [failure for failure in failures(done) if not any(text in failure for text in texts)]


def test_one_control_node_stays_alone_before_the_others_have_their_roles(bare):
    """``salt '*' state.apply`` as soon as the topology has three, such as a schedule runs it."""
    znodes = persistent_znodes(bare, "lxcc01")
    with Observer(bare, control=["lxcc01"]) as observer:
        applied = apply_all(bare, IMPATIENT)
    print(observer.table())
    assert unexpected_failures(applied, "grains:roles", "Server 1 serves alone", SECTION) == []
    assert SECTION in applied.stdout and "lxcc01.devops.test has a quorum of 1" in applied.stdout
    assert "apply the states to 2 as well" in applied.stdout
    assert modes(bare, ["lxcc01"]) == ["standalone"]
    assert observer.outages["zookeeper"] == observer.outages["mesos"] == [], observer.table()
    check_alone(bare, znodes)


def test_with_a_node_down_zookeeper_grows_and_the_only_master_stays_as_it_is(bare):
    """The log of the masters cannot grow: one voting and one new replica are not a quorum."""
    znodes = persistent_znodes(bare, "lxcc01")
    bare.do("kill", "lxcc03")
    with Observer(bare, control=["lxcc01"]) as observer:
        code, output = bare.orchestrate("deploy", '{"timeout": 15}')
        applied = apply_all(bare, target="* and not lxcc03*")
    print(observer.table())
    assert modes(bare, ["lxcc01", "lxcc02"]) == ["follower", "leader"]
    assert all(persistent_znodes(bare, host) >= znodes for host in ("lxcc01", "lxcc02"))
    check_outages(observer)
    assert unexpected_failures(applied, SECTION) == []
    assert all(f"master on {host}.devops" in applied.stdout for host in ("lxcc01", "lxcc02"))
    check_alone(bare, znodes)
    assert no_turn_is_left(bare)
    assert "Nodes that do not respond are left out" in output
    steps = re.findall(r"ID: (.*)", output)
    assert "ZooKeeper has its quorum" in steps and "lxcc03.devops.test" not in "".join(steps)
    assert "Mesos master on lxcc01.devops.test" in steps
    assert "Mesos master on lxcc02.devops.test" not in steps
    assert code != 0 and SECTION in output and "Marathon on" not in output
    assert "Run failed on minions: lxcc01.devops.test" in output


def test_with_a_new_log_on_all_three_masters_the_cluster_is_healthy(bare):
    """The steps of docs/operate.md: all three ZooKeeper servers have the data of the first one."""
    bare.do("start", "lxcc03")
    Reader(bare).follow("Grow from one control node to three")
    check_healthy(bare)
    assert "treasure" in bare.at("lxcc03").run(
        "/opt/mesosphere/zookeeper/bin/zkCli.sh get /test-data 2>&1"
    )


def test_a_second_run_and_state_apply_change_nothing(bare):
    assert bare.orchestrated("deploy")[1] == []
    assert bare.converge_all(HOSTS) == {}


def test_a_node_that_is_not_in_the_topology_cannot_be_skipped(bare):
    code, output = bare.orchestrate("deploy", '{"skip": ["lxcc09.devops.test"]}')
    assert code != 0 and "lxcc09.devops.test" in output and "lxcc01.devops.test" in output


def test_a_service_that_fails_stops_the_run_with_host_and_reason(bare):
    """ZooKeeper cannot start on lxcc02: the run ends there, and no master is changed."""
    bare.at("lxcc02").run("systemctl mask --now zookeeper")
    try:
        code, output = bare.orchestrate("deploy")
        assert (
            code != 0
            and "Run failed on minions: lxcc02.devops.test" in output
            and "Unit zookeeper.service is masked" in output
        )
        assert "Mesos master on" not in output
    finally:
        bare.at("lxcc02").run("systemctl unmask zookeeper && systemctl start zookeeper")
    check_healthy(bare)


def versions() -> dict[str, set[str]]:
    """Return the versions that the masters and Marathons of all control nodes have."""
    return {
        "mesos": {get(host, 5050, "/version").json()["version"] for host in CONTROL},
        "marathon": {get(host, 8080, "/v2/info").json()["version"] for host in CONTROL},
    }


def test_mesos_is_upgraded_on_all_nodes_at_once_and_marathon_by_its_own_procedure(bare, settings):
    # The quotas of the orchestration need Mesos 1.9.
    bare.at("lxcc01").converge("marathon.apps")
    pages = wait_for_pages("http-server")
    assert versions() == {"mesos": {"1.4.3"}, "marathon": {"1.6.567"}}
    lost_before, agents = failed_tasks(), active_agents()
    settings.unlink()
    bare.run("salt-run saltutil.sync_runners")
    with Observer(bare) as observer:
        first_run = apply_all(bare)
        # It would migrate the store while old Marathons run.
        reasons = ("orchestration.upgrade", "One or more requisite failed")
        assert failures(first_run) != []
        assert [
            failure
            for failure in failures(first_run)
            if not any(text in failure for text in reasons)
        ] == []
        assert versions() == {"mesos": {"1.9.0"}, "marathon": {"1.6.567"}}
        bare.orchestrated("upgrade")
    print(observer.table())
    assert versions() == {"mesos": {"1.9.0"}, "marathon": {"1.8.244"}}
    # All but one of the Marathons are stopped while the store is migrated.
    observer.check_turns(apart_from=("marathon",))
    for service, outages in observer.outages.items():
        assert all(seconds < ELECTION_SECONDS for seconds in outages), (service, observer.table())
    assert failed_tasks_since(lost_before) == {}
    assert no_turn_is_left(bare)
    check_healthy(bare, agents=agents)
    assert marathon_leader(bare)
    assert wait_for_pages("http-server") == pages
    assert not any(changes(apply_all(bare)).values())


NEW_CONTROL_NODES = {"lxb003": 4, "lxb004": 5}  # host -> id of its ZooKeeper
CONTROL_UNITS = "zookeeper mesos-master"


def topology_of_five(are_control_nodes: bool = True) -> dict:
    """Return the topology with two more control nodes, or with these as agents."""
    topology = yaml.safe_load(TOPOLOGY_FILE.read_text())
    new_nodes = {}
    for host, server_id in NEW_CONTROL_NODES.items():
        new_nodes[f"{host}.devops.test"] = {
            "address": AGENTS[host],
            "roles": ["mesos-slave", "docker"],
        }
        if are_control_nodes:
            new_nodes[f"{host}.devops.test"] |= {
                "roles": ["zookeeper", "mesos-master", "mesos-slave", "docker"],
                "zookeeper_id": server_id,
            }
    # Above the old ones: the masters that run are deployed first, wherever they are.
    return {**topology, "nodes": {**new_nodes, **topology["nodes"]}}


def quorums(lab, hosts) -> set[str]:
    return {lab.at(host).run("cat /etc/mesos-master/quorum").strip() for host in hosts}


def check_five(lab, znodes: int) -> None:
    servers = [*CONTROL, *NEW_CONTROL_NODES]
    assert modes(lab, servers) == ["follower"] * 4 + ["leader"]
    assert quorums(lab, servers) == {"3"}
    assert all(persistent_znodes(lab, host) >= znodes for host in servers)


def check_three(lab, znodes: int) -> None:
    assert modes(lab, CONTROL) == ["follower"] * 2 + ["leader"]
    assert quorums(lab, CONTROL) == {"2"}
    assert all(persistent_znodes(lab, host) >= znodes for host in CONTROL)
    for host in NEW_CONTROL_NODES:
        states = lab.at(host).run(f"systemctl is-active {CONTROL_UNITS} || true").split()
        assert "active" not in states, (host, states)
        # It must not vote with what it knew, if the node gets the role again.
        assert lab.at(host).run("ls /var/lib/mesos | grep -x replicated_log || true") == ""
    check_healthy(lab)


def check_outages(*observers: Observer) -> None:
    """Assert that each service was away for elections only."""
    for observer in observers:
        for service, outages in observer.outages.items():
            # While a removed master leads, the observer, which asks the others, sees no leader.
            limit = ELECTION_TIMEOUT if service == "mesos" else ELECTION_SECONDS
            assert all(seconds < limit for seconds in outages), (service, observer.table())


def test_three_control_nodes_become_five_and_five_become_three(bare, serve_topology):
    """The steps of docs/operate.md."""
    before = persistent_znodes(bare, "lxcc01")
    with Observer(bare) as growth:
        serve_topology(topology_of_five())
        Reader(bare).follow("Grow from three control nodes to five")
    print(growth.table())
    check_five(bare, before)
    with Observer(bare) as shrinkage:
        serve_topology(topology_of_five(are_control_nodes=False))
        Reader(bare).follow("Shrink from five control nodes to three")
    print(shrinkage.table())
    check_three(bare, before)
    check_outages(growth, shrinkage)


def test_three_control_nodes_become_five_and_three_again_by_state_apply(bare, serve_topology):
    """First before the new nodes have their roles. They have the data of the last time."""
    before = persistent_znodes(bare, "lxcc01")
    serve_topology(topology_of_five())
    with Observer(bare) as mistake:
        applied = apply_all(bare, IMPATIENT, "lxcc*")
    print(mistake.table())
    assert unexpected_failures(applied, "The other servers have no quorum") == []
    assert modes(bare, CONTROL) == ["follower"] * 2 + ["leader"]
    assert mistake.outages["zookeeper"] == [], mistake.table()
    check_healthy(bare)
    with Observer(bare) as growth:
        bare.orchestrated("roles")
        applied = apply_all(bare)
    print(growth.table())
    assert failures(applied) == []
    check_five(bare, before)
    with Observer(bare) as shrinkage:
        serve_topology(topology_of_five(are_control_nodes=False))
        bare.orchestrated("roles")
        applied = apply_all(bare)
    print(shrinkage.table())
    assert failures(applied) == []
    check_three(bare, before)
    check_outages(mistake, growth, shrinkage)
    assert no_turn_is_left(bare)
