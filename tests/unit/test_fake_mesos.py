"""The fake Mesos master and agent, compared with the responses of a real Apache Mesos 1.11.0."""

import collections
import contextlib
import json
import random
import shutil
import socket
import time
from pathlib import Path

import pytest
import requests
from kazoo.exceptions import ConnectionLoss
from mesos_world import until

from lab.fakes.mesos import master as master_module
from lab.fakes.mesos.agent import Agent
from lab.fakes.mesos.daemon import Abort, Exit
from lab.fakes.mesos.master import Master, next_state
from lab.fakes.wire.election import MemoryGroup, MemoryRoom

RECORDED = json.loads(Path(__file__).with_name("data").joinpath("mesos-1.11.0.json").read_text())
VERSION = "1.11.0"
AGENT_OFFER = (
    "--resources=cpus:4;mem:2048;disk:4096;ports:[31000-32000];cpus(web):1;mem(web):512",
    "--attributes=rack:r1;zone:z1;ssd:1",
)


class Cluster:
    """Masters and agents that stop at the end of a test."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.room = MemoryRoom()
        self.daemons = []

    def master(self, *arguments, room=True, version=VERSION) -> Master:
        name = f"m{len(self.daemons)}"
        local = (
            "--ip=127.0.0.1",
            "--port=0",
            "--hostname=127.0.0.1",
            f"--log_dir={self.directory / 'log'}",
        )
        work_dir = (
            ()
            if any("work_dir" in argument for argument in arguments)
            else (f"--work_dir={self.directory / name}",)
        )
        return self._started(
            Master([*local, *work_dir, *arguments], None, version, self.room if room else None)
        )

    def agent(self, *arguments, name="a", port=0, hostname="127.0.0.1", version=VERSION) -> Agent:
        local = (
            "--ip=127.0.0.1",
            f"--port={port}",
            f"--hostname={hostname}",
            f"--work_dir={self.directory / name}",
        )
        return self._started(Agent([*local, *arguments], None, version, self.room))

    def _started(self, daemon):
        daemon.start()
        self.daemons.append(daemon)
        return daemon

    def stop(self):
        for daemon in self.daemons:
            if daemon._server:
                daemon.stop()


@pytest.fixture
def cluster(tmp_path):
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.stop()


def free_port():
    """Return a free port outside of the kernel's range, so that it stays free for a restart."""
    while True:
        port = random.randint(20000, 30000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def send(daemon, path, method="GET", **arguments):
    return requests.request(
        method, daemon.url + path, allow_redirects=False, timeout=5, **arguments
    )


def replay(daemon, exchange):
    """Send a recorded request without additional headers."""
    headers = {"Accept": None, "User-Agent": None, **exchange["sent"]}
    return send(
        daemon, exchange["path"], exchange["method"], headers=headers, data=exchange.get("body")
    )


def shape(value):
    """Return the keys and types of a JSON value, and of the first entry of each list."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    if isinstance(value, list):
        return [shape(member) for member in value[:1]]
    return type(value).__name__


def assert_like(response, exchange, **replaced):
    """Compare status, some headers, and the body: text must be equal, JSON of the same shape."""
    assert response.status_code == exchange["status"]
    for name in ("Content-Type", "Location", "Allow"):
        expected = exchange["headers"].get(name)
        for old, new in replaced.items():
            expected = expected and expected.replace(old, new)
        assert response.headers.get(name) == expected, name
    if "json" in exchange:
        assert shape(response.json()) == shape(exchange["json"])
    else:
        assert response.text == exchange.get("text", "")


def recorded(prefix):
    return sorted(name for name in RECORDED if name.startswith(prefix) and "metrics" not in name)


# --- standalone master ---


@pytest.mark.parametrize("name", recorded("standalone-"))
def test_a_standalone_master_responds_as_recorded(cluster, name):
    master = cluster.master("--cluster=solo", room=False)
    exchange = RECORDED[name]
    if "Location" in exchange["headers"]:
        exchange = {**exchange, "headers": {"Location": f"//127.0.0.1:{master.port}"}}
    assert_like(replay(master, exchange), exchange)


def test_a_standalone_master_has_the_recorded_flags(cluster):
    local_flags = {"port", "work_dir", "log_dir"}
    flags = send(cluster.master("--cluster=solo", room=False), "/flags").json()["flags"]
    expected = RECORDED["standalone-get-state"]["json"]["flags"]
    assert {name: value for name, value in flags.items() if name not in local_flags} == {
        name: value for name, value in expected.items() if name not in local_flags
    }
    assert flags.keys() == expected.keys()


def test_every_metric_of_a_master_is_recorded_and_a_float(cluster):
    metrics = send(cluster.master(room=False), "/metrics/snapshot").json()
    assert metrics.keys() <= set(RECORDED["standalone-get-metrics_snapshot"]["json"])
    assert {type(value) for value in metrics.values()} == {float}
    assert metrics["master/elected"] == metrics["registrar/log/recovered"] == 1.0


@pytest.mark.parametrize("name", recorded("err-"))
def test_a_malformed_v1_call_is_rejected_with_the_recorded_message(cluster, name):
    assert_like(replay(cluster.master(room=False), RECORDED[name]), RECORDED[name])


# --- leader and standby ---


@pytest.mark.parametrize("name", recorded("standby-"))
def test_a_standby_responds_as_recorded(cluster, name):
    leader, standby = cluster.master(), cluster.master()
    assert_like(
        replay(standby, RECORDED[name]),
        RECORDED[name],
        **{"127.0.0.1:5050": f"127.0.0.1:{leader.port}"},
    )


@pytest.mark.parametrize("name", recorded("nozk-"))
def test_a_master_without_a_leader_responds_as_recorded(cluster, name):
    cluster.master()
    standby = cluster.master()
    standby.group.members = []
    assert_like(replay(standby, RECORDED[name]), RECORDED[name])


@pytest.mark.parametrize("name", recorded("noquorum-"))
def test_a_leader_without_a_quorum_responds_as_recorded(cluster, name):
    leader = cluster.master("--quorum=2", "--zk=zk://127.0.0.1/mesos")
    assert leader.leading and not leader.recovered
    assert_like(
        replay(leader, RECORDED[name]),
        RECORDED[name],
        **{"127.0.0.1:5050": f"127.0.0.1:{leader.port}"},
    )


def test_a_redirect_leads_to_the_leader(cluster):
    leader, standby = cluster.master(), cluster.master()
    state = requests.get(standby.url + "/state", timeout=5).json()
    assert state["id"] == leader.id


def test_the_znode_of_a_master_is_as_recorded(cluster):
    master = cluster.master()
    znode = RECORDED["znodes"]["/mesos/json.info_0000000000"]
    assert shape(master.info()) == shape(znode)
    assert master.info()["ip"] == znode["ip"]


def test_an_agent_keeps_its_id_when_the_standby_takes_over(cluster):
    leader, standby = cluster.master(), cluster.master()
    agent = cluster.agent()
    until(lambda: agent.id)
    leader.stop()
    slaves = until(lambda: send(standby, "/slaves").json()["slaves"])
    assert [(slave["id"], slave["active"]) for slave in slaves] == [(agent.id, True)]
    assert slaves[0]["reregistered_time"]


def test_a_new_leader_lists_agents_that_have_not_reregistered_as_recovered(cluster):
    leader, standby = cluster.master(), cluster.master()
    agent = cluster.agent(*AGENT_OFFER)
    until(lambda: agent.id)
    agent.stop()
    leader.stop()
    answer = send(standby, "/slaves").json()
    assert shape(answer) == shape(RECORDED["recovered"])
    assert [slave["id"] for slave in answer["recovered_slaves"]] == [agent.id]


def test_a_leader_that_loses_zookeeper_ends(cluster):
    master = cluster.master()
    master.group.members = []
    master.group.changed()
    assert "Lost leadership" in master.ended


def test_a_leader_that_has_not_recovered_answers_v1_calls_with_503(cluster):
    master = cluster.master()
    master.recovered = False
    answer = send(master, "/api/v1", "POST", json={"type": "GET_HEALTH"})
    assert (answer.status_code, answer.text) == (503, "Master has not finished recovery")
    assert send(master, "/slaves").status_code == 200


# --- replicas of the log ---


@pytest.mark.parametrize(
    "state, peer_states, quorum, expected",
    [
        ("EMPTY", [], 1, "STARTING"),
        ("STARTING", [], 1, "VOTING"),
        ("EMPTY", ["EMPTY", "EMPTY"], 2, "STARTING"),
        ("EMPTY", ["EMPTY", "STARTING"], 2, "STARTING"),
        ("EMPTY", ["STARTING", "STARTING"], 2, "STARTING"),
        ("STARTING", ["STARTING", "STARTING"], 2, "VOTING"),
        ("STARTING", ["STARTING", "VOTING"], 2, "VOTING"),
        ("STARTING", ["VOTING", "VOTING"], 2, "VOTING"),
        ("VOTING", ["EMPTY", "EMPTY"], 2, "VOTING"),
        ("EMPTY", ["VOTING", "VOTING"], 2, "VOTING"),
        ("EMPTY", ["EMPTY", "VOTING", "VOTING", "VOTING"], 3, "VOTING"),
        # A new log needs all replicas. A state that was not received does not count.
        ("EMPTY", [], 2, "EMPTY"),
        ("EMPTY", ["EMPTY"], 2, "EMPTY"),
        ("EMPTY", ["EMPTY", ""], 2, "EMPTY"),
        ("STARTING", ["STARTING", ""], 2, "STARTING"),
        ("EMPTY", ["EMPTY", "EMPTY", "EMPTY"], 3, "EMPTY"),
        # No replica may vote while one is still empty.
        ("STARTING", ["STARTING", "EMPTY"], 2, "STARTING"),
        # One replica votes and all others are new: they cannot recover.
        ("EMPTY", ["EMPTY", "VOTING"], 2, "EMPTY"),
        ("EMPTY", ["VOTING"], 2, "EMPTY"),
        ("VOTING", ["EMPTY"], 2, "VOTING"),
    ],
)
def test_a_replica_follows_the_rules_of_the_real_one(state, peer_states, quorum, expected):
    assert next_state(state, [state, *peer_states], quorum) == expected


def test_without_log_auto_initialize_a_new_log_is_not_initialized():
    assert next_state("EMPTY", ["EMPTY"] * 3, 2, initialize=False) == "EMPTY"
    assert next_state("STARTING", ["STARTING"] * 3, 2, initialize=False) == "STARTING"
    assert next_state("EMPTY", ["EMPTY", "VOTING", "VOTING"], 2, initialize=False) == "VOTING"


def test_three_new_replicas_vote_in_the_end_in_any_order_of_events():
    for seed in range(200):
        generator = random.Random(seed)
        states = ["EMPTY"] * 3
        known_states = [list(states) for _ in states]
        for _ in range(200):
            replica, peer = generator.randrange(3), generator.randrange(3)
            known_states[replica][peer] = states[peer]  # the states of peers may be out of date
            known_states[replica][replica] = states[replica]
            states[replica] = next_state(states[replica], known_states[replica], 2)
        assert states == ["VOTING"] * 3


@pytest.fixture
def zookeeper(monkeypatch):
    """Groups in memory in place of those in ZooKeeper, by path."""
    rooms = collections.defaultdict(MemoryRoom)

    def group(url, _prefix, data, changed, _timeout):
        return MemoryGroup(rooms[url.path], data, changed)

    monkeypatch.setattr(master_module, "ZooKeeperGroup", group)
    monkeypatch.setattr(Master, "pause", 0.05)
    return rooms


def start_replica(cluster, name, *arguments, quorum=2):
    """Start a master of several, with the work directory of this name."""
    flags = (
        "--zk=zk://127.0.0.1/mesos",
        f"--quorum={quorum}",
        f"--work_dir={cluster.directory / name}",
    )
    return cluster.master(*flags, *arguments, room=False)


def replica_states(*masters):
    """Return the state of the replica of each master."""
    return [send(master, "/fake/replica").json()["state"] for master in masters]


def recovery_metrics(*masters):
    """Return the metric for the recovery of the log of each master."""
    return [
        send(master, "/metrics/snapshot").json()["registrar/log/recovered"] for master in masters
    ]


def test_a_new_log_is_initialized_when_all_masters_are_running(cluster, zookeeper):
    leader, standby = start_replica(cluster, "1"), start_replica(cluster, "2")
    time.sleep(0.5)
    assert leader.leading and not leader.recovered
    assert (replica_states(leader, standby), recovery_metrics(leader, standby)) == (
        ["EMPTY", "EMPTY"],
        [0.0, 0.0],
    )
    last_master = start_replica(cluster, "3")
    until(
        lambda: leader.recovered and replica_states(leader, standby, last_master) == ["VOTING"] * 3
    )
    assert recovery_metrics(leader, standby, last_master) == [1.0] * 3
    assert not standby.recovered and not last_master.recovered


def test_a_single_master_initializes_its_log_and_votes_again_after_a_restart(cluster, zookeeper):
    master = start_replica(cluster, "1", quorum=1)
    until(lambda: master.recovered)
    master.stop()
    restarted = start_replica(cluster, "1", quorum=1)
    assert replica_states(restarted) == ["VOTING"]
    until(lambda: restarted.recovered)


def test_a_master_with_a_new_disk_catches_up_with_a_voting_quorum(cluster, zookeeper):
    masters = [start_replica(cluster, name) for name in "123"]
    until(lambda: replica_states(*masters) == ["VOTING"] * 3)
    masters[0].stop()
    until(lambda: masters[1].recovered)
    replaced = start_replica(cluster, "1.new")
    until(lambda: replica_states(replaced) == ["VOTING"])


def test_two_znodes_of_one_master_are_one_replica(cluster, zookeeper):
    master = start_replica(cluster, "1")
    room = zookeeper["/mesos/log_replicas"]
    for _ in range(2):
        MemoryGroup(room, room.groups[0].data).start()
    time.sleep(0.3)
    assert len(master.replicas.members) == 3 and replica_states(master) == ["EMPTY"]


def test_a_single_master_that_becomes_one_of_three_cannot_recover_until_its_log_is_removed(
    cluster, zookeeper
):
    single_master = start_replica(cluster, "1", quorum=1)
    until(lambda: single_master.recovered)
    single_master.group.store(b'{"a": {"id": {"value": "a"}}}')
    single_master.stop()
    restarted = start_replica(cluster, "1", "--registry_fetch_timeout=1secs")
    new_masters = [start_replica(cluster, name) for name in "23"]
    until(lambda: restarted.ended)
    assert (
        restarted.ended
        == "Recovery failed: Failed to recover registrar: Failed to perform fetch within 1secs"
    )
    assert replica_states(*new_masters) == ["EMPTY", "EMPTY"]
    shutil.rmtree(cluster.directory / "1" / "replicated_log")
    replaced = start_replica(cluster, "1")
    until(lambda: replica_states(replaced, *new_masters) == ["VOTING"] * 3)
    leader = until(lambda: next((master for master in new_masters if master.recovered), None))
    assert leader.recovered_agents == {}


def test_without_log_auto_initialize_three_new_masters_wait(cluster, zookeeper):
    masters = [start_replica(cluster, name, "--log_auto_initialize=false") for name in "123"]
    time.sleep(0.3)
    assert replica_states(*masters) == ["EMPTY"] * 3 and not masters[0].recovered


def test_a_registry_in_memory_has_no_log(cluster, zookeeper):
    master = cluster.master("--registry=in_memory", "--zk=zk://127.0.0.1/mesos", room=False)
    until(lambda: master.recovered)
    assert "registrar/log/recovered" not in send(master, "/metrics/snapshot").json()


@pytest.mark.parametrize("failures, ended", [(2, False), (1000, True)])
def test_a_change_is_in_the_registry_or_the_master_ends(cluster, monkeypatch, failures, ended):
    master = cluster.master("--registry_store_timeout=1secs")
    until(lambda: master.recovered)
    monkeypatch.setattr(master, "pause", 0.1)
    store, remaining = master.group.store, [ConnectionLoss()] * failures

    def fail_or_store(record):
        if remaining:
            raise remaining.pop()
        store(record)

    monkeypatch.setattr(master.group, "store", fail_or_store)
    with contextlib.suppress(requests.ConnectionError):
        requests.put(f"{master.url}/weights", json=[{"role": "web", "weight": 2.5}], timeout=10)
    assert (master.ended is not None) == ended
    stored = json.loads(cluster.room.record or "{}").get("weights", {})
    assert stored == ({} if ended else {"web": 2.5})


# --- agents ---


def test_a_master_lists_an_agent_as_recorded(cluster):
    master = cluster.master()
    agent = cluster.agent(*AGENT_OFFER)
    until(lambda: agent.id)
    slave = send(master, "/slaves").json()["slaves"][0]
    assert shape(slave).keys() == shape(RECORDED["agent-in-slaves"]).keys()
    assert slave["attributes"] == {"rack": "r1", "zone": "z1", "ssd": 1.0}
    assert slave["reserved_resources"] == {
        "web": {"disk": 0.0, "mem": 512.0, "gpus": 0.0, "cpus": 1.0}
    }
    answer = send(master, "/api/v1", "POST", json={"type": "GET_AGENTS"}).json()["get_agents"][
        "agents"
    ][0]
    assert answer.keys() == RECORDED["agent-in-v1"].keys() - {"allocated_resources"}
    assert shape(answer["agent_info"]) == shape(RECORDED["agent-in-v1"]["agent_info"])


def test_the_state_of_an_agent_is_as_recorded(cluster):
    cluster.master()
    agent = cluster.agent(
        *AGENT_OFFER, f"--log_dir={cluster.directory}/log", "--master=zk://127.0.0.1:2181/mesos"
    )
    until(lambda: agent.master)
    answer, expected = send(agent, "/slave(1)/state").json(), RECORDED["agent-state"]
    assert answer["flags"].keys() - {"authenticate_http_executors"} == expected["flags"].keys()
    assert shape({**answer, "flags": {}}) == shape({**expected, "flags": {}})
    for key in (
        "resources",
        "reserved_resources",
        "unreserved_resources",
        "unreserved_resources_full",
        "attributes",
    ):
        assert answer[key] == expected[key]


def test_every_metric_of_an_agent_is_recorded(cluster):
    cluster.master()
    assert (
        send(cluster.agent(), "/metrics/snapshot").json().keys() <= RECORDED["agent-metrics"].keys()
    )


@pytest.mark.parametrize("path", ["/redirect", "/slaves", "/state-summary", "/master/state", "/"])
def test_an_agent_does_not_serve_the_paths_of_a_master(cluster, path):
    answer = send(cluster.agent(), path)
    assert (answer.status_code, answer.text) == (404, "404 Not Found.")


def test_an_agent_that_stops_responding_becomes_inactive_and_is_then_removed(cluster):
    master = cluster.master("--agent_ping_timeout=1secs", "--max_agent_ping_timeouts=1")
    master.disconnect_timeout = 0.3
    agent = cluster.agent()
    until(lambda: agent.id)
    agent.stop()
    until(
        lambda: [slave["active"] for slave in send(master, "/slaves").json()["slaves"]] == [False]
    )
    until(lambda: send(master, "/slaves").json()["slaves"] == [])
    assert send(master, "/metrics/snapshot").json()["master/slaves_unreachable"] == 1.0


def test_an_agent_that_unregisters_is_removed_at_once(cluster):
    master = cluster.master()
    agent = cluster.agent()
    until(lambda: agent.id)
    agent.unregister()
    assert send(master, "/slaves").json() == {"slaves": [], "recovered_slaves": []}
    assert "SIGUSR1" in agent.ended


def test_a_restarted_agent_keeps_its_id(cluster):
    cluster.master()
    agent = cluster.agent(port=free_port())
    until(lambda: agent.id)
    agent.stop()
    assert cluster.agent(port=agent.port).id == agent.id


@pytest.mark.parametrize(
    "changed",
    [
        {"arguments": ["--attributes=rack:r2"]},
        {"arguments": ["--attributes=rack:r1", "--resources=cpus:8"]},
        {"arguments": ["--attributes=rack:r1"], "hostname": "other"},
        {"arguments": ["--attributes=rack:r1"], "port": 0},
    ],
    ids=["attributes", "resources", "hostname", "port"],
)
@pytest.mark.parametrize("version", ["1.4.3", "1.9.0"])
def test_an_agent_with_incompatible_changes_does_not_start(cluster, changed, version):
    cluster.master()
    agent = cluster.agent("--attributes=rack:r1", version=version, port=free_port())
    until(lambda: agent.id)
    agent.stop()
    options = {"port": agent.port, **changed}
    with pytest.raises(Exit, match="Incompatible agent info detected") as error:
        cluster.agent(*options.pop("arguments"), version=version, **options)
    assert f"rm -f {cluster.directory}/a/meta/slaves/latest" in str(error.value)


def test_the_additive_policy_allows_more_resources_but_not_fewer(cluster):
    cluster.master()
    agent = cluster.agent("--resources=cpus:4", port=free_port())
    until(lambda: agent.id)
    agent.stop()
    larger_agent = cluster.agent(
        "--resources=cpus:8", "--reconfiguration_policy=additive", port=agent.port
    )
    assert larger_agent.id == agent.id
    larger_agent.stop()
    decreased = "Value of scalar resource 'cpus' decreased from 4 to 2"
    with pytest.raises(Exit, match=decreased):
        cluster.agent("--resources=cpus:2", "--reconfiguration_policy=additive", port=agent.port)
    with pytest.raises(Exit, match="Incompatible"):
        cluster.agent("--resources=cpus:8", port=agent.port)


def registered(cluster, *arguments, **options) -> Agent:
    """Return an agent that has registered and stopped."""
    agent = cluster.agent(*arguments, port=free_port(), **options)
    until(lambda: agent.id)
    agent.stop()
    return agent


def test_after_a_reboot_an_agent_that_has_changed_becomes_a_new_one(cluster, tmp_path, monkeypatch):
    cluster.master()
    before = registered(cluster, "--attributes=rack:r1")
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("another\n")
    monkeypatch.setattr(Agent, "boot_id", boot_id)
    agent = cluster.agent("--attributes=rack:r2", port=before.port)
    assert until(lambda: agent.id) != before.id
    agent.stop()
    with pytest.raises(Exit, match="Incompatible agent info detected"):
        cluster.agent("--attributes=rack:r1", port=before.port)


def test_no_agent_knows_the_policy_any(cluster):
    with pytest.raises(Exit, match="Unknown option for 'reconfiguration_policy' flag any"):
        cluster.agent("--reconfiguration_policy=any")


def test_an_old_agent_names_two_steps_when_it_has_changed(cluster):
    cluster.master()
    before = registered(cluster, "--attributes=rack:r1", version="1.4.3")
    with pytest.raises(Exit) as error:
        cluster.agent("--attributes=rack:r2", port=before.port, version="1.4.3")
    lines = str(error.value).splitlines()
    link = f"{cluster.directory}/a/meta/slaves/latest"
    assert lines[0] == "Failed to perform recovery: Incompatible agent info detected."
    assert lines[-3:] == [
        f"Step 1: rm -f {link}",
        "        This ensures agent doesn't recover old live executors.",
        "Step 2: Restart the agent.",
    ]


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda latest: (latest / "slave.info").write_text("{}"), "Failed to read agent info from"),
        (lambda latest: shutil.rmtree(latest.resolve()), "Failed to find latest agent"),
    ],
    ids=["content", "missing directory"],
)
def test_an_agent_refuses_to_start_from_a_damaged_checkpoint(cluster, damage, words):
    cluster.master()
    before = registered(cluster)
    damage(cluster.directory / "a" / "meta" / "slaves" / "latest")
    with pytest.raises(Exit, match=words):
        cluster.agent(port=before.port)


def test_a_new_agent_replaces_the_one_that_had_its_address(cluster):
    master = cluster.master()
    before = registered(cluster, "--attributes=rack:r1")
    (cluster.directory / "a" / "meta" / "slaves" / "latest").unlink()
    agent = cluster.agent("--attributes=rack:r2", port=before.port)
    assert until(lambda: agent.id) != before.id
    assert [slave["id"] for slave in send(master, "/slaves").json()["slaves"]] == [agent.id]


def test_resources_without_a_role_are_those_of_the_default_role(cluster):
    agent = cluster.agent("--resources=cpus:4;cpus(db):1", "--default_role=web")
    reserved = send(agent, "/state").json()["reserved_resources"]
    assert (reserved["web"]["cpus"], reserved["db"]["cpus"]) == (4.0, 1.0)
    assert reserved["web"]["ports"] == "[31000-32000]"


def test_resources_in_json_may_have_a_role_and_a_disk(cluster):
    cluster.master()
    entries = [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 2}, "role": "db"},
        {
            "name": "disk",
            "type": "SCALAR",
            "scalar": {"value": 10},
            "disk": {"source": {"type": "MOUNT", "mount": {"root": "/data"}}},
        },
    ]
    before = registered(cluster, f"--resources={json.dumps(entries)}")
    agent = cluster.agent(f"--resources={json.dumps(entries)}", port=before.port)
    assert agent.id == before.id
    assert send(agent, "/state").json()["reserved_resources"]["db"]["cpus"] == 2.0
    agent.stop()
    entries[1]["disk"]["source"]["mount"]["root"] = "/other"
    additive = "--reconfiguration_policy=additive"
    with pytest.raises(Exit, match=r"Resource not found: disk\[MOUNT:/data\]:10"):
        cluster.agent(f"--resources={json.dumps(entries)}", additive, port=before.port)


# --- invalid flags ---


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "--work_dir needed for replicated log based registry"),
        (
            ["--work_dir=/w", "--zk=zk://h:1/m"],
            "Need to specify --quorum for replicated log based registry when using ZooKeeper",
        ),
        (
            ["--work_dir=/w", "--zk=http://h:1", "--quorum=1"],
            "Expecting 'zk://' at the beginning of the URL",
        ),
        (
            ["--work_dir=/w", "--zk=zk://h:1", "--quorum=1"],
            "Expecting a (chroot) path for ZooKeeper",
        ),
    ],
)
def test_a_master_rejects_an_invalid_combination_of_flags(arguments, words):
    with pytest.raises(Exit) as error:
        Master(["--ip=127.0.0.1", *arguments])
    assert words in str(error.value)


def test_a_master_does_not_start_in_a_work_directory_in_use(cluster):
    cluster.master(f"--work_dir={cluster.directory / 'w'}")
    with pytest.raises(Exit, match="Failed to recover the log: IO error: lock"):
        cluster.master(f"--work_dir={cluster.directory / 'w'}")


def test_an_agent_requires_a_master(tmp_path):
    with pytest.raises(Exit, match="Missing required option `--master` or `--master_detector`"):
        Agent([f"--work_dir={tmp_path}", "--ip=127.0.0.1"])


def test_an_agent_exits_with_invalid_resources_and_aborts_with_invalid_attributes(tmp_path):
    start = [f"--work_dir={tmp_path}", "--ip=127.0.0.1", "--master=127.0.0.1:5050"]
    with pytest.raises(Exit, match="missing or extra ':' in cpus=4"):
        Agent([*start, "--resources=cpus=4"])
    with pytest.raises(Abort, match="Invalid attribute key:value pair 'rack'"):
        Agent([*start, "--attributes=rack"])


def test_a_port_in_use_is_fatal(cluster):
    port = cluster.master().port
    with pytest.raises(Abort, match="Address already in use"):
        cluster.agent(port=port)


def test_the_log_file_has_the_name_of_glog(cluster):
    cluster.master()
    link = cluster.directory / "log" / "mesos-master.INFO"
    assert link.is_symlink()
    assert "Elected as the leading master!" in link.read_text()


CREDENTIALS = {"credentials": [{"principal": "agent", "secret": "sesame"}]}


@pytest.fixture
def strict_master(cluster):
    """A master that demands that agents authenticate."""
    path = cluster.directory / "credentials"
    path.write_text(json.dumps(CREDENTIALS))
    return cluster.master("--authenticate_agents", f"--credentials={path}")


def credential_flag(cluster, secret):
    path = cluster.directory / "credential"
    path.write_text(json.dumps({"principal": "agent", "secret": secret}))
    return f"--credential=file://{path}"


def test_a_master_registers_an_agent_with_its_credential(cluster, strict_master):
    agent = cluster.agent(credential_flag(cluster, "sesame"))
    until(lambda: agent.id)
    assert agent.ended is None and list(strict_master.agents) == [agent.id]


def test_a_master_ignores_an_agent_without_a_credential(cluster, strict_master, capfd):
    agent = cluster.agent()
    until(lambda: "it is not authenticated" in capfd.readouterr().err)
    assert (agent.ended, agent.id, strict_master.agents) == (None, None, {})


@pytest.mark.parametrize("is_strict", [True, False], ids=["wrong secret", "no credentials"])
def test_a_refused_agent_exits_and_leaves_its_tasks_alone(cluster, is_strict, request):
    master = request.getfixturevalue("strict_master") if is_strict else cluster.master()
    agent = Agent(
        [
            "--ip=127.0.0.1",
            "--port=0",
            f"--work_dir={cluster.directory / 'a'}",
            credential_flag(cluster, "guess"),
        ],
        None,
        VERSION,
        cluster.room,
    )
    killed = []
    agent.executor.kill_all = lambda: killed.append(True)
    cluster._started(agent)
    until(lambda: agent.ended)
    assert agent.ended == f"Master {master.pid} refused authentication"
    assert (killed, master.agents) == ([], {})


@pytest.mark.parametrize(
    "flags, message",
    [
        (
            ["--authenticate_http_readwrite"],
            "Failed to create HTTP authenticator module 'basic': No credentials provided for the "
            "default 'basic' HTTP authenticator for realm 'mesos-master-readwrite'",
        ),
        (
            ["--authenticate_http_frameworks", "--credentials=/x"],
            "Missing `--http_framework_authenticators` flag. This must be used in conjunction with "
            "`--authenticate_http_frameworks`",
        ),
    ],
)
def test_a_master_whose_authentication_is_incomplete_exits(cluster, flags, message):
    with pytest.raises(Exit) as caught:
        cluster.master(*flags)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--authenticate_http_readonly"], "for realm 'mesos-agent-readonly'"),
        (["--authenticate_http_executors"], "--jwt_secret_key must be specified when"),
    ],
)
def test_an_agent_whose_authentication_is_incomplete_exits(cluster, flags, message):
    with pytest.raises(Exit) as caught:
        cluster.agent(*flags)
    assert message in str(caught.value)
