"""daemon.running and cluster.*, run by real Salt with a fake systemctl and a real ZooKeeper."""

import json
import os
import threading
import time
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from mesos_world import HOSTS, MesosCluster, RecordingMaster, until

from lab.fakes.mesos.agent import Agent
from lab.fakes.mesos.master import Master
from lab.fakes.wire.election import MemoryRoom

pytestmark = pytest.mark.xdist_group("zookeeper")

SYSTEMCTL = Path(__file__).parent / "data" / "systemctl"
SERVES = b"Zookeeper version: 3.4.6\nMode: standalone\nNode count: 17\n"
NOT_SERVING = b"This ZooKeeper instance is not currently serving requests\n"


class Host:
    """A minion with one unit, ``mesos-master``, that reads one file."""

    def __init__(self, salt, directory: Path):
        self.salt = salt
        self.units_file = directory / "units.json"
        self.file = directory / "flags" / "quorum"
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text("1")
        self.restarts = {"ready_timeout": 5}
        self.records = directory / "state"
        self.set_unit()

    def set_unit(self, **properties):
        start = str(int((time.monotonic() - 0.01) * 1e6))
        unit = {
            "ActiveState": "active",
            "SubState": "running",
            "ExecMainStartTimestampMonotonic": start,
            **properties,
        }
        self.units_file.write_text(json.dumps({"mesos-master": unit, "calls": []}))

    def calls(self) -> list[str]:
        """Return the commands of systemctl since the last call of this function."""
        units = json.loads(self.units_file.read_text())
        self.units_file.write_text(json.dumps({**units, "calls": []}))
        return units["calls"]

    def write(self):
        """Write the file that the daemon reads, a moment after its start."""
        time.sleep(0.05)
        self.file.write_text("2")

    def running(self, test=False, **arguments) -> dict:
        arguments = {"reads": [str(self.file.parent)], "restarts": self.restarts, **arguments}
        return self.salt("daemon.running", test, name="mesos-master", **arguments)

    def returned(self, **keywords) -> dict:
        return self.salt("daemon.turn_returned", name="end", restarts=self.restarts, **keywords)


@pytest.fixture(scope="module")
def minion(tmp_path_factory, start_minion):
    directory = tmp_path_factory.mktemp("daemon")
    programs = directory / "bin"
    programs.mkdir()
    for name in ("systemctl", "journalctl"):
        (programs / name).symlink_to(SYSTEMCTL)
    path = f"{programs}:{os.environ['PATH']}"
    units = str(directory / "units.json")
    with start_minion("3008", directory, PATH=path, UNITS=units) as salt:
        yield salt, directory


@pytest.fixture
def host(minion):
    host = Host(*minion)
    yield host
    host.returned()
    for path in host.records.glob("*"):
        path.unlink()


@pytest.fixture
def cluster(host, zookeeper):
    """A host that takes turns."""
    host.restarts = {
        "zookeeper": zookeeper.address,
        "turn": "control-nodes",
        "turn_timeout": 1,
        "ready_timeout": 5,
    }
    host.client = KazooClient(zookeeper.address)
    host.client.start()
    yield host
    host.returned()
    host.client.delete("/salt-mesos", recursive=True)
    host.client.stop()
    host.client.close()


# --- one host ---


def test_a_daemon_that_is_newer_than_its_files_is_left_alone(host):
    host.set_unit(ExecMainStartTimestampMonotonic=str(int((time.monotonic() + 1) * 1e6)))
    for test in (True, False):
        result = host.running(test)
        assert (result["result"], result["changes"]) == (True, {})
    assert host.calls() == []


def test_a_daemon_that_is_older_than_its_files_is_restarted_once(host):
    host.write()
    foreseen = host.running(test=True)
    assert foreseen["result"] is None and foreseen["changes"] == {"mesos-master": "restarted"}
    assert str(host.file) in foreseen["comment"]
    assert host.calls() == []
    result = host.running()
    assert result["result"] is True and result["changes"] == foreseen["changes"]
    assert host.calls() == ["restart mesos-master"]
    assert host.running()["changes"] == {}
    assert host.calls() == []


def test_a_removed_file_and_a_new_unit_make_a_daemon_stale(host, tmp_path):
    time.sleep(0.05)
    host.file.unlink()
    assert host.running(test=True)["changes"]
    unit = tmp_path / "mesos-master.service"
    unit.write_text("[Service]")
    host.set_unit(FragmentPath=str(unit), ExecMainStartTimestampMonotonic="1")
    assert str(unit) in host.running(test=True)["comment"]


def test_a_daemon_that_has_started_before_a_time_is_restarted_once(host):
    host.set_unit(ExecMainStartTimestampMonotonic=str(int((time.monotonic() - 60) * 1e6)))
    since = int(time.time())
    assert host.running(reads=[], since=since - 120)["changes"] == {}
    foreseen = host.running(test=True, reads=[], since=since)
    assert foreseen["result"] is None and foreseen["changes"] == {"mesos-master": "restarted"}
    reason = "It has run since before "
    assert foreseen["comment"].startswith(f"mesos-master would be restarted. {reason}")
    assert host.calls() == []
    result = host.running(reads=[], since=since)
    assert result["comment"].startswith(f"mesos-master was restarted. {reason}")
    assert host.calls() == ["restart mesos-master"]
    assert host.running(reads=[], since=since)["changes"] == {} and host.calls() == []


def test_a_time_does_not_restart_a_daemon_that_does_not_run(host):
    host.set_unit(ActiveState="inactive")
    assert host.running(since=time.time())["changes"] == {"mesos-master": "started"}
    assert host.calls()[-1] == "start mesos-master"


def test_a_file_from_the_future_does_not_restart_a_daemon_in_every_run(host, monkeypatch):
    # The clock was set back, so the process seems to start in an hour.
    host.set_unit(ExecMainStartTimestampMonotonic=str(int((time.monotonic() + 3600) * 1e6)))
    host.write()
    assert host.running()["changes"] == {}


def test_a_daemon_that_does_not_run_is_enabled_and_started_unless_it_is_masked(host):
    host.set_unit(ActiveState="inactive", UnitFileState="disabled", LoadState="masked")
    assert "mesos-master.service is masked" in host.running()["comment"]
    assert host.calls() == []
    foreseen = host.running(test=True, unmask=True)
    result = host.running(unmask=True)
    assert result["result"] is True
    assert foreseen["changes"] == result["changes"] == {"mesos-master": "started"}
    assert host.calls() == ["unmask mesos-master", "enable mesos-master", "start mesos-master"]


def test_a_running_daemon_is_enabled(host):
    host.set_unit(
        UnitFileState="disabled",
        ExecMainStartTimestampMonotonic=str(int((time.monotonic() + 1) * 1e6)),
    )
    assert host.running()["changes"] == {"mesos-master at boot": "enabled"}
    assert host.calls() == ["enable mesos-master"]


def test_a_changed_unit_is_loaded_before_a_restart(host):
    host.write()
    host.set_unit(NeedDaemonReload="yes", ExecMainStartTimestampMonotonic="1")
    assert host.running()["result"] is True
    assert host.calls() == ["daemon-reload", "restart mesos-master"]


@pytest.mark.parametrize("state", ["active", "inactive"])
def test_a_daemon_that_exits_again_fails_the_state_with_the_journal(host, state):
    host.set_unit(ActiveState=state, fails=1)
    host.write()
    result = host.running()
    assert result["result"] is False and result["changes"] == {}
    assert "mesos-master has exited (exit-code)" in result["comment"]
    assert "E unknown flag" in result["comment"] and "sesame" not in result["comment"]
    # The frames of a stack trace would be all of it.
    assert "Caused by: java.net.BindException" in result["comment"]
    assert "Server.java" not in result["comment"]
    # The cause was removed, so the next run starts the daemon.
    assert host.running()["changes"] == {"mesos-master": "started"}


def test_a_condition_that_is_not_met_is_an_error(host):
    host.set_unit(ActiveState="inactive", ConditionResult="no", fails=1)
    assert "condition of its unit" in host.running()["comment"]


def test_a_missing_unit_is_an_error_but_a_test_run_expects_that_it_starts(host):
    host.units_file.write_text(json.dumps({"calls": []}))
    assert host.running(test=True)["changes"] == {"mesos-master": "started"}
    assert host.running()["comment"] == "The unit mesos-master does not exist"


def readiness(server):
    return {"zk.ensemble_available": {"servers": {1: server.address}, "port": server.port}}


def test_after_a_restart_the_daemon_has_to_become_ready(host, raw):
    host.write()
    assert host.running(ready=readiness(raw(SERVES)))["result"] is True
    host.write()
    result = host.running(ready=readiness(raw(NOT_SERVING)))
    assert result["result"] is False
    assert "not ready after 5 seconds" in result["comment"] and "not serving" in result["comment"]


def test_after_its_first_start_a_daemon_may_wait_for_others(host, raw):
    host.set_unit(ActiveState="inactive")
    result = host.running(ready=readiness(raw(NOT_SERVING)))
    assert result["result"] is True and "It is waiting: " in result["comment"]


def test_options_that_the_daemon_can_reload_need_no_restart(host, tmp_path):
    file = tmp_path / "daemon.json"

    def running(options, write=True, test=False):
        time.sleep(0.05)
        if write:
            file.write_text(json.dumps(options))
        reload = {"file": str(file), "options": options, "keys": ["debug", "labels"]}
        return host.running(test, reads=[], reload=reload)

    file.write_text(json.dumps({"debug": False, "mtu": 1500}))
    time.sleep(0.05)
    host.set_unit()
    assert running({"debug": False, "mtu": 1500}, write=False)["result"] is True
    assert running({"debug": True, "mtu": 1500}, test=True)["changes"] == {
        "mesos-master": "reloaded"
    }
    assert running({"debug": True, "mtu": 1500})["changes"] == {"mesos-master": "reloaded"}
    assert host.calls() == ["reload mesos-master"]
    assert running({"debug": True, "mtu": 1500}, write=False)["changes"] == {}
    # A reload would keep a label that is no longer in the file.
    assert running({"debug": True, "labels": ["a=b"], "mtu": 1500})["changes"]
    assert running({"debug": True, "mtu": 1500})["changes"] == {"mesos-master": "restarted"}
    assert running({"debug": True, "mtu": 1400})["changes"] == {"mesos-master": "restarted"}
    assert host.calls() == [
        "reload mesos-master",
        "restart mesos-master",
        "restart mesos-master",
    ]


@pytest.mark.parametrize("line", ["3006", "3008"])
def test_a_test_run_foresees_a_reload_only_if_nothing_else_changes(
    host, tmp_path, start_minion, line
):
    paths = {"options": str(tmp_path / "daemon.json"), "proxy": str(tmp_path / "proxy")}
    old = {"options": '{"debug": false}', "proxy": "none"}
    for name, text in old.items():
        Path(paths[name]).write_text(f"{text}\n")
    reload = {"file": paths["options"], "options": {"debug": False}, "keys": ["debug"]}
    time.sleep(0.05)
    host.set_unit()

    def foreseen(salt, **texts) -> dict:
        """Return the changes of the daemon in a test run that would change two files."""
        texts = {**old, **texts}
        sls = {
            name: {"file.managed": [{"name": paths[name]}, {"contents": text}]}
            for name, text in texts.items()
        }
        changed = {**reload, "options": json.loads(texts["options"])}
        watch = [{"file": name} for name in texts]
        arguments = [{"name": "mesos-master"}, {"reload": changed}, {"watch": watch}]
        salt.serve("daemon.sls", json.dumps({**sls, "daemon": {"daemon.running": arguments}}))
        return salt.apply("daemon", pillar=[], test=True)["daemon"]["changes"]

    programs = f"{host.units_file.parent / 'bin'}:{os.environ['PATH']}"
    (tmp_path / "salt").mkdir()
    with start_minion(line, tmp_path / "salt", PATH=programs, UNITS=str(host.units_file)) as salt:
        assert salt("daemon.running", name="mesos-master", reload=reload)["result"] is True
        assert foreseen(salt) == {}
        debug = '{"debug": true}'
        assert foreseen(salt, options=debug) == {"mesos-master": "reloaded"}
        assert foreseen(salt, proxy="new") == {"mesos-master": "restarted"}
        assert foreseen(salt, proxy="new", options=debug) == {"mesos-master": "restarted"}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"ready": ["zk"]}, "ready: "),
        ({"restarts": "no"}, "restarts: "),
        ({"since": "yesterday"}, "since: "),
        ({"since": True}, "since: "),
    ],
)
def test_an_invalid_argument_is_an_error(host, arguments, error):
    assert host.running(**arguments)["comment"].startswith(error)


# --- a cluster ---


def queue(cluster) -> dict:
    return cluster.salt.call("cluster.turns", zookeeper=cluster.restarts["zookeeper"])


def test_a_restart_takes_a_turn_and_gives_it_back_at_the_end(cluster):
    cluster.write()
    assert cluster.running()["result"] is True
    (holder,) = queue(cluster)["control-nodes"]
    assert (holder["host"], holder["state"]) == ("unit", "holds")
    assert holder["reason"] == "restart of mesos-master"
    assert set(queue(cluster)["unready"]["control-nodes"]) == {"unit"}
    assert cluster.returned()["comment"] == "The turn was returned"
    assert queue(cluster) == {
        "control-nodes": [],
        "agents": [],
        "unready": {"control-nodes": {}, "agents": {}},
        "held": {},
    }
    assert cluster.returned()["comment"] == "This run has not taken a turn"


def test_one_turn_is_for_all_daemons_of_a_run(cluster):
    cluster.write()
    assert cluster.running()["result"] is True
    cluster.write()
    assert cluster.running()["result"] is True
    assert len(queue(cluster)["control-nodes"]) == 1


def test_the_first_start_takes_no_turn(cluster):
    cluster.set_unit(ActiveState="inactive")
    assert cluster.running()["changes"] == {"mesos-master": "started"}
    assert queue(cluster)["control-nodes"] == []


def test_a_daemon_that_does_not_become_ready_keeps_others_from_restarting(cluster, raw):
    cluster.write()
    assert cluster.running(ready=readiness(raw(NOT_SERVING)))["result"] is False
    result = cluster.returned()
    assert result["result"] is False and "mesos-master" in result["comment"]
    assert queue(cluster)["control-nodes"] == []
    assert set(queue(cluster)["unready"]["control-nodes"]) == {"unit"}


def test_no_other_daemon_of_the_run_is_restarted_after_a_failure(cluster, raw):
    cluster.write()
    assert cluster.running(ready=readiness(raw(NOT_SERVING)))["result"] is False
    cluster.write()
    result = cluster.running()
    assert result["result"] is False and "did not become ready" in result["comment"]


def test_a_restart_waits_for_healthy_peers(cluster, raw):
    cluster.write()
    result = cluster.running(peers=readiness(raw(NOT_SERVING)))
    assert result["result"] is False
    assert result["comment"].startswith("mesos-master was not touched. Waited 5 seconds for ")
    assert '"rolling": false' in result["comment"]
    assert cluster.calls() == []
    assert cluster.running(peers=readiness(raw(SERVES)))["result"] is True


def test_a_held_host_is_neither_started_nor_restarted(cluster):
    target = {"host": "unit", "zookeeper": cluster.restarts["zookeeper"]}
    cluster.salt.call("cluster.hold", "the disk is being replaced", duration="30m", **target)
    cluster.write()
    for restarts in (cluster.restarts, {**cluster.restarts, "rolling": False}):
        comment = cluster.running(restarts=restarts)["comment"]
        assert "mesos-master was not touched" in comment
        assert "the disk is being replaced" in comment
    cluster.set_unit(ActiveState="inactive")
    assert "cluster.release" in cluster.running()["comment"]
    assert cluster.calls() == []
    assert cluster.salt.call("cluster.release", **target)["was_held"] is True
    assert cluster.running()["result"] is True


AGENT = "lxb001.devops.test"
AGENT_INFO = {"hostname": AGENT, "port": 5051, "attributes": []}


@pytest.fixture
def new_leader(running, tmp_path):
    """A Mesos master that has just been elected: the agent has not reregistered yet."""
    options = ["--ip=127.0.0.1", "--port=0", "--hostname=127.0.0.1", f"--work_dir={tmp_path}"]
    master = running(Master(options, None, "1.11.0", MemoryRoom()))
    until(lambda: master.recovered)
    master.recovered_agents["S0"] = AGENT_INFO
    return master


def restarted_with_drain(cluster, master, timeout) -> dict:
    cluster.write()
    restarts = {**cluster.restarts, "ready_timeout": timeout}
    pillar = {"mesos": {"url": f"http://127.0.0.1:{master.port}"}}
    return cluster.running(drain=AGENT, restarts=restarts, pillar=pillar)


def test_an_agent_that_has_not_reregistered_keeps_its_daemon_from_restarting(cluster, new_leader):
    result = restarted_with_drain(cluster, new_leader, 1)
    assert result["result"] is False
    assert result["comment"].startswith(
        "mesos-master was not touched, since its tasks would be killed"
    )
    assert f"the agent {AGENT} has not reregistered" in result["comment"]
    assert cluster.calls() == []


def test_a_restart_waits_until_the_agent_has_reregistered(cluster, new_leader):
    removal = threading.Timer(1, new_leader.recovered_agents.pop, ["S0"])
    removal.start()
    result = restarted_with_drain(cluster, new_leader, 20)
    assert result["result"] is True and not removal.is_alive()
    assert cluster.calls() == ["restart mesos-master"]


def test_nobody_knows_whether_an_agent_is_out_of_service_before_it_has_reregistered(
    cluster, new_leader
):
    removal = threading.Timer(1, new_leader.recovered_agents.pop, ["S0"])
    removal.start()
    cluster.write()
    restarts = {**cluster.restarts, "ready_timeout": 20}
    pillar = {"mesos": {"url": f"http://127.0.0.1:{new_leader.port}"}}
    result = cluster.running(agent=AGENT, restarts=restarts, pillar=pillar)
    assert result["changes"] == {"mesos-master": "restarted"} and not removal.is_alive()


@pytest.mark.parametrize("version, drained", [("1.11.0", True), ("1.8.1", False)])
def test_an_agent_without_tasks_is_drained_since_it_may_get_one(
    cluster, running, tmp_path, version, drained
):
    room = MemoryRoom()
    local = ["--ip=127.0.0.1", "--port=0"]
    options = [*local, "--hostname=127.0.0.1", f"--work_dir={tmp_path / 'master'}"]
    master = running(Master(options, None, version, room))
    options = [*local, f"--hostname={AGENT}", f"--work_dir={tmp_path / 'agent'}"]
    agent = running(Agent(options, None, version, room))
    until(lambda: agent.id is not None)
    result = restarted_with_drain(cluster, master, 20)
    assert result["result"] is True, result
    assert (f"{AGENT} was drained first. {AGENT} was reactivated" in result["comment"]) is drained
    assert cluster.calls() == ["restart mesos-master"]
    [status] = cluster.salt.call("mesos.agents", url=f"http://127.0.0.1:{master.port}")
    assert status["active"] and not status["deactivated"]


def start_mesos(running, directory, agents: list[str]) -> Master:
    """Start a Mesos master with agents that have these host names."""
    room = MemoryRoom()
    local = ["--ip=127.0.0.1", "--port=0"]
    options = [*local, "--hostname=127.0.0.1", f"--work_dir={directory / 'master'}"]
    master = running(Master(options, None, "1.11.0", room))
    for host in agents:
        options = [*local, f"--hostname={host}", f"--work_dir={directory / host}"]
        agent = running(Agent(options, None, "1.11.0", room))
        until(lambda agent=agent: agent.id is not None)
    return master


@pytest.fixture
def agent_master(running, tmp_path):
    """A Mesos master with one agent."""
    return start_mesos(running, tmp_path, [AGENT])


def out_of_service(cluster, master) -> dict:
    """Drain the agent, as an operator would. Returns the arguments of states of its daemons."""
    url = f"http://127.0.0.1:{master.port}"
    cluster.salt.call("mesos.drain_agent", AGENT, url=url)
    until(lambda: cluster.salt.call("mesos.agent", AGENT, url=url)["drain"] == "DRAINED")
    return {"pillar": {"mesos": {"url": url}}}


UNTOUCHED = f"mesos-master was not touched: the Mesos agent {AGENT} is out of service (drained)"


@pytest.mark.parametrize("argument", ["agent", "drain"])
@pytest.mark.parametrize("test", [True, False])
def test_no_daemon_is_restarted_while_its_agent_is_out_of_service(
    cluster, agent_master, argument, test
):
    options = {**out_of_service(cluster, agent_master), argument: AGENT}
    cluster.write()
    result = cluster.running(test, **options)
    assert (result["result"], result["changes"]) == (True, {})
    assert result["comment"].startswith(UNTOUCHED)
    assert queue(cluster)["agents"] == queue(cluster)["control-nodes"] == []
    url = options["pillar"]["mesos"]["url"]
    assert cluster.salt.call("mesos.agent", AGENT, url=url)["drain"] == "DRAINED"
    assert cluster.calls() == []


def test_the_restart_is_owed_until_the_agent_is_back_in_service(cluster, agent_master):
    options = {**out_of_service(cluster, agent_master), "agent": AGENT}
    cluster.write()
    assert cluster.running(**options)["changes"] == {}
    url = options["pillar"]["mesos"]["url"]
    back = cluster.salt("mesos.agents_in_service", name="back", agents=[AGENT], url=url)
    assert back["result"] is True
    assert cluster.running(**options)["changes"] == {"mesos-master": "restarted"}
    assert cluster.calls() == ["restart mesos-master"]


def test_a_test_run_of_undrain_names_the_restart_that_is_owed(cluster, agent_master):
    options = {**out_of_service(cluster, agent_master), "agent": AGENT}
    options["pillar"]["in_service"] = True
    cluster.write()
    result = cluster.running(True, **options)
    assert (result["result"], result["changes"]) == (None, {"mesos-master": "restarted"})
    file = cluster.file
    assert result["comment"] == f"mesos-master would be restarted. Newer than the process: {file}"
    # Without test somebody may have taken the agent out of service again.
    assert cluster.running(**options)["comment"].startswith(UNTOUCHED)
    assert cluster.calls() == []


def test_a_package_is_not_replaced_while_its_agent_is_out_of_service(cluster, agent_master):
    options = out_of_service(cluster, agent_master)
    for test in (True, False):
        result = cluster.salt(
            "daemon.turn",
            test,
            name="mesos-master",
            agent=AGENT,
            restarts=cluster.restarts,
            **options,
        )
        assert result["result"] is False and result["comment"].startswith(UNTOUCHED)
    assert queue(cluster)["control-nodes"] == []


def test_a_daemon_that_does_not_run_is_started_though_its_agent_is_out_of_service(
    cluster, agent_master
):
    options = out_of_service(cluster, agent_master)
    cluster.set_unit(ActiveState="inactive")
    assert cluster.running(agent=AGENT, **options)["changes"] == {"mesos-master": "started"}


def test_a_daemon_that_this_run_has_stopped_is_started_though_its_old_agent_is_out_of_service(
    cluster, agent_master
):
    """As by mesos.agent_identity_removed, after which the agent registers under a new id."""
    options = out_of_service(cluster, agent_master)
    arguments = {"name": "mesos-master", "restarts": cluster.restarts}
    assert cluster.salt("daemon.turn", **arguments, **options)["result"] is True
    cluster.set_unit(ActiveState="inactive")
    assert cluster.running(agent=AGENT, **options)["changes"] == {"mesos-master": "restarted"}


def test_without_a_leader_nobody_knows_whether_the_agent_is_out_of_service(cluster, nobody):
    cluster.write()
    result = cluster.running(agent=AGENT, pillar={"mesos": {"url": nobody}})
    assert result["changes"] == {"mesos-master": "restarted"}


# --- dockerd, with whose restart the tasks of an agent die ---


class BusyAgent:
    """A host whose agent runs a task, ``web.1``, and whose daemon is ``mesos-master``."""

    def __init__(self, host, mesos):
        self.host = host
        self.mesos = mesos
        self.pillar = {"mesos": {"url": mesos.url}}

    def restarted(self, test=False, **restarts) -> dict:
        restarts = {**self.host.restarts, "ready_timeout": 20, "drain_timeout": 20, **restarts}
        return self.host.running(test, drain=AGENT, restarts=restarts, pillar=self.pillar)

    def turn(self, test=False, installed=None, **restarts) -> dict:
        """Take a turn for the package docker-ce, which conflicts with docker and podman."""
        return self.host.salt(
            "daemon.turn",
            test,
            name="mesos-master",
            package="docker-ce",
            version="*-*",
            replaces=["docker", "podman"],
            drain=AGENT,
            restarts={**self.host.restarts, "ready_timeout": 20, **restarts},
            pillar=self.pillar,
            installed=installed or {},
        )

    def reasons(self) -> dict:
        """Return which agents are out of service, and why."""
        return {entry["hostname"]: entry["reason"] for entry in self.mesos.call("out_of_service")}

    def active_tasks(self) -> list:
        return self.mesos.call("tasks", state="running")


@pytest.fixture
def busy_agent(cluster, running, tmp_path):
    """Return a function that starts a Mesos cluster of a version, with a task on the agent."""

    def start(version="1.11.0"):
        mesos = MesosCluster(cluster.salt, running, tmp_path, version=version, hosts=HOSTS[:1])
        return BusyAgent(cluster, mesos)

    return start


DOCKER = {"docker": "2:1.13.1-210.el7"}


def test_the_removal_of_another_package_of_dockerd_takes_a_turn_and_drains(cluster, busy_agent):
    agent = busy_agent()
    for installed in ({}, {"docker-ce": "3:26.1.3-1.el7"}):
        assert agent.turn(installed=installed)["comment"] == "docker-ce is not replaced"
    assert queue(cluster)["control-nodes"] == [] and agent.active_tasks()
    reason = "docker 2:1.13.1-210.el7 is replaced by docker-ce"
    assert agent.turn(test=True, installed=DOCKER)["comment"] == reason
    assert agent.active_tasks()
    result = agent.turn(installed=DOCKER)
    assert result["result"] is True and result["comment"].startswith(reason)
    assert [holder["reason"] for holder in queue(cluster)["control-nodes"]] == [reason]
    assert agent.reasons() == {AGENT: "drained"} and not agent.active_tasks()
    # As the scriptlet of the removed package does.
    cluster.set_unit(ActiveState="inactive")
    result = agent.restarted()
    assert result["changes"] == {"mesos-master": "restarted"} and agent.reasons() == {}


def test_a_daemon_that_an_interrupted_run_has_stopped_brings_its_agent_back(cluster, busy_agent):
    agent = busy_agent()
    assert agent.turn(installed=DOCKER)["result"] is True
    agent.pillar["run"] = 2  # Salt loads its modules anew, so they know nothing of the first run
    cluster.set_unit(ActiveState="inactive")
    assert agent.restarted()["changes"] == {"mesos-master": "started"}
    assert agent.reasons() == {}


def test_a_drained_agent_that_is_not_registered_any_more_does_not_block_its_daemon(
    cluster, busy_agent
):
    agent = busy_agent()
    assert agent.turn(installed=DOCKER)["result"] is True
    [registered] = agent.mesos.call("agents")
    agent.mesos.call("mark_agent_gone", registered["id"], confirm=True)
    until(lambda: not agent.mesos.call("agents"))
    agent.pillar["run"] = 2
    cluster.set_unit(ActiveState="inactive")
    started = agent.restarted(ready_timeout=2)
    assert started["changes"] == {"mesos-master": "started"}, started["comment"]
    assert f"{AGENT} is not registered" in started["comment"]
    unchanged = agent.restarted()
    assert (unchanged["result"], unchanged["changes"]) == (True, {}), unchanged["comment"]
    cluster.write()
    restarted = agent.restarted(ready_timeout=2)
    assert restarted["changes"] == {"mesos-master": "restarted"}, restarted["comment"]


def test_a_test_run_names_the_number_of_tasks_that_a_restart_kills(cluster, busy_agent):
    agent = busy_agent()
    cluster.write()
    assert "kill" not in agent.restarted(test=True)["comment"]
    foreseen = "That would kill up to 1 task, since common:restarts:drain is false"
    assert agent.restarted(test=True, drain=False)["comment"].endswith(foreseen)
    assert agent.turn(True, DOCKER, drain=False)["comment"].endswith(foreseen)
    result = agent.restarted(drain=False)
    assert result["changes"] == {"mesos-master": "restarted"}
    assert result["comment"].endswith(foreseen.replace("would kill", "kills"))
    agent.mesos.call("drain_agent", AGENT)
    until(lambda: not agent.active_tasks())
    assert "kill" not in agent.turn(True, DOCKER, drain=False)["comment"]


def test_a_restart_waits_for_the_tasks_of_a_drain_that_an_earlier_run_has_begun(
    cluster, busy_agent, monkeypatch
):
    monkeypatch.setattr(RecordingMaster, "_drain", lambda *arguments: None)
    agent = busy_agent()
    cluster.write()
    for _ in range(2):
        comment = agent.restarted(drain_timeout=1)["comment"]
        assert "was not touched, since its tasks would be killed: After 1 second 1 task" in comment
        assert agent.reasons() == {AGENT: "draining"} and cluster.calls() == []


def test_before_mesos_1_9_a_maintenance_window_lasts_until_the_restart(cluster, busy_agent):
    agent = busy_agent("1.8.1")
    [task] = agent.mesos.leader.tasks.values()

    def stop_task_in_maintenance():
        until(lambda: agent.mesos.leader.maintenance.windows)
        task.killing = True

    framework = threading.Thread(target=stop_task_in_maintenance)
    framework.start()
    cluster.write()
    result = agent.restarted()
    framework.join()
    assert result["result"] is True and task.over, result
    assert f"{AGENT} was drained first. {AGENT} was reactivated" in result["comment"]
    assert cluster.calls() == ["restart mesos-master"] and agent.reasons() == {}


def test_before_mesos_1_9_the_window_ends_if_no_framework_moves_the_tasks(cluster, busy_agent):
    agent = busy_agent("1.8.1")
    cluster.write()
    result = agent.restarted(drain_timeout=1)
    assert result["result"] is False
    assert "After 1 second 1 task still runs" in result["comment"]
    assert "common:restarts:drain: false" in result["comment"]
    assert agent.reasons() == {} and agent.active_tasks() and cluster.calls() == []


@pytest.mark.parametrize("version", ["1.8.1", "1.11.0"])
def test_a_maintenance_window_of_an_operator_stays_as_it_is(cluster, busy_agent, version):
    agent = busy_agent(version)
    schedule = agent.mesos.call("add_maintenance_window", AGENT, "+1h")
    cluster.write()
    result = agent.restarted()
    assert result["result"] is False and "is scheduled for maintenance" in result["comment"]
    assert agent.mesos.call("maintenance_schedule") == schedule and cluster.calls() == []


def withdrawn(cluster, test=False) -> dict:
    """Withdraw the role of the daemon from a host that is no longer a control node."""
    daemon = {"role": "mesos-master", "unit": "mesos-master", "formula": "mesos", "control": True}
    restarts = {**cluster.restarts, "turn": "agents"}
    return cluster.salt(
        "withdrawn.stopped", test, name="roles", daemons=[daemon], restarts=restarts
    )


def test_a_withdrawn_daemon_is_stopped_in_a_turn_of_its_kind(cluster):
    assert withdrawn(cluster, test=True)["result"] is None
    assert queue(cluster)["control-nodes"] == []
    assert withdrawn(cluster)["result"] is True
    assert cluster.calls() == ["stop mesos-master", "disable mesos-master"]
    [holder] = queue(cluster)["control-nodes"]
    assert (holder["state"], holder["reason"]) == ("holds", "mesos-master is stopped")
    assert queue(cluster)["agents"] == []
    assert cluster.returned()["comment"] == "The turn was returned"
    assert queue(cluster)["control-nodes"] == []
    assert withdrawn(cluster)["changes"] == {}


def test_a_withdrawn_daemon_of_a_held_host_keeps_running(cluster):
    target = {"host": "unit", "zookeeper": cluster.restarts["zookeeper"]}
    cluster.salt.call("cluster.hold", "the disk is being replaced", **target)
    result = withdrawn(cluster)
    assert (result["result"], result["changes"]) == (False, {})
    assert "the disk is being replaced" in result["comment"]
    assert cluster.calls() == []


def test_a_daemon_that_another_state_stops_has_to_run_again(cluster):
    arguments = {"name": "mesos-master", "restarts": cluster.restarts}
    assert cluster.salt("daemon.turn", **arguments)["result"] is True
    [holder] = queue(cluster)["control-nodes"]
    assert holder["reason"] == "mesos-master is stopped"
    cluster.set_unit(ActiveState="inactive")
    result = cluster.returned()
    assert result["result"] is False and "Not ready: mesos-master" in result["comment"]


def test_without_zookeeper_nothing_is_restarted_unless_pillar_says_so(cluster, nobody):
    cluster.restarts = {**cluster.restarts, "zookeeper": nobody.partition("//")[2]}
    cluster.write()
    result = cluster.running()
    assert result["result"] is False and '"rolling": false' in result["comment"]
    assert cluster.calls() == []
    result = cluster.running(restarts={**cluster.restarts, "rolling": False})
    assert result["result"] is True and "Without a turn" in result["comment"]
    assert cluster.calls() == ["restart mesos-master"]


def turn_of_another_host(cluster, turn_class: str, host: str) -> str:
    """Give a host a turn; return the path of its znode."""
    return cluster.client.create(
        f"/salt-mesos/turns/{turn_class}/turn-",
        json.dumps({"host": host, "acquired": 1}).encode(),
        ephemeral=True,
        sequence=True,
        makepath=True,
    )


def test_the_other_daemons_of_a_run_do_not_wait_for_a_turn_again(cluster):
    turn = turn_of_another_host(cluster, "control-nodes", "cc02")
    cluster.write()
    assert "did not get a turn" in cluster.running()["comment"]
    cluster.restarts = {**cluster.restarts, "turn_timeout": 3600}
    assert "did not get a turn" in cluster.running()["comment"]
    assert cluster.calls() == []
    cluster.client.delete(turn)
    cluster.returned()
    assert cluster.running()["changes"] == {"mesos-master": "restarted"}


@pytest.fixture
def four_agents(running, tmp_path):
    """A Mesos master with four agents."""
    return start_mesos(running, tmp_path, [f"lxb00{number}" for number in range(4)])


@pytest.mark.parametrize(
    "limit, agents", [(1, 1), (2, 2), ("20%", 1), ("25%", 1), ("50%", 2), ("99%", 3)]
)
def test_as_many_agents_restart_at_once_as_the_setting_says(cluster, four_agents, limit, agents):
    cluster.restarts = {**cluster.restarts, "turn": "agents", "max_unavailable": limit}
    pillar = {"mesos": {"url": f"http://127.0.0.1:{four_agents.port}"}}
    turns = [turn_of_another_host(cluster, "agents", f"lxb00{number}") for number in range(agents)]
    cluster.write()
    assert "did not get a turn" in cluster.running(pillar=pillar)["comment"]
    assert cluster.calls() == []
    cluster.returned(pillar=pillar)
    cluster.client.delete(turns[0])
    assert cluster.running(pillar=pillar)["result"] is True
    assert cluster.calls() == ["restart mesos-master"]


@pytest.mark.parametrize("limit", [0, -1, True, "ten", "0%", "101%", None])
def test_an_invalid_limit_of_agents_is_an_error(cluster, limit):
    cluster.restarts = {**cluster.restarts, "turn": "agents", "max_unavailable": limit}
    cluster.write()
    assert cluster.running()["comment"].startswith("max_unavailable: ")
    assert cluster.calls() == []


@pytest.mark.parametrize("duration", [0, -1, "soon", "1 year", "400d", None])
def test_an_invalid_duration_of_a_hold_is_an_error(cluster, duration):
    with pytest.raises(cluster.salt.Error, match="duration: "):
        cluster.salt.call("cluster.hold", "why", duration=duration)
