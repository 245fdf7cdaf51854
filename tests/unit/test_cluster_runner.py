"""salt-run cluster.status and cluster.drift: answers become sentences and an exit code."""

import copy
import getpass
import json
import subprocess
import types
from unittest import mock

import pytest
import runner_modules
import yaml

from lab import ROOT, SALT_LINES, saltenv

CONTROL = ["cc01", "cc02", "cc03"]
MINIONS = ["cm01", *CONTROL, "b001", "b002"]
CONTROL_ROLES = ["zookeeper", "mesos-master", "marathon", "chronos"]
TOPOLOGY = {
    "errors": [],
    "nodes": {
        "cm01": [],
        **dict.fromkeys(CONTROL, CONTROL_ROLES),
        "b*": ["mesos-slave", "docker"],
    },
}
ADDRESSES = {node: f"10.0.0.{number}" for number, node in enumerate(MINIONS, 10)}


runner = runner_modules.load("mesos_cluster")


def agent(node: str, **fields) -> dict:
    return {
        "id": f"id-{node}",
        "hostname": ADDRESSES[node],
        "ip": ADDRESSES[node],
        "active": True,
        "deactivated": False,
        "drain": None,
        **fields,
    }


def healthy_answer() -> dict:
    return {
        "service.status": {"marathon": True, "chronos": True},
        "zk.ensemble": {
            1: {"address": "10.0.0.11", "mode": "leader", "error": None},
            2: {"address": "10.0.0.12", "mode": "follower", "error": None},
            3: {"address": "10.0.0.13", "mode": "follower", "error": None},
        },
        "mesos.summary": {
            "leader": "10.0.0.11:5050",
            "version": "1.9.0",
            "masters": {
                "http://10.0.0.11:5050": "leads",
                "http://10.0.0.12:5050": "stands by",
                "http://10.0.0.13:5050": "stands by",
            },
            "agents": {"up": 2, "down": 0},
            "resources": {"cpus": "1 of 4 (25 %)"},
        },
        "mesos.agents": [agent("b001"), agent("b002")],
        "mesos.out_of_service": [],
        "marathon.summary": {
            "leader": "10.0.0.12:8080",
            "version": "1.8.222",
            "apps": {"total": 1},
            "instances": {"wanted": 1},
            "unhealthy": [],
            "waiting": {},
            "deployments": [],
        },
        "chronos.summary": {"leader": None, "jobs": {"total": 1}, "failing": {}},
        "cluster.turns": {
            "control-nodes": [],
            "agents": [],
            "unready": {"control-nodes": {}, "agents": {}},
            "held": {},
        },
    }


class World:
    """What the runner learns; a healthy cluster that a test damages."""

    def __init__(self):
        self.topology = copy.deepcopy(TOPOLOGY)
        self.minions = list(MINIONS)
        self.entries = {node: {"address": ip, "name": ip} for node, ip in ADDRESSES.items()}
        self.answers = {node: healthy_answer() for node in CONTROL}

    def set(self, function: str, answer) -> None:
        for node in self.answers:
            self.answers[node][function] = answer

    def part(self, function: str):
        """Return an answer that all control nodes share from now on."""
        self.set(function, healthy_answer()[function])
        shared = self.answers["cc01"][function]
        self.set(function, shared)
        return shared

    def report(self) -> dict:
        return runner._report(self.topology, self.minions, self.entries, self.answers)


def lost_quorum(world):
    ensemble = world.part("zk.ensemble")
    for server in ensemble.values():
        server["mode"] = "unreachable"
    ensemble[1]["mode"] = "not serving"


def stopped_zookeeper(world):
    world.part("zk.ensemble")[2]["mode"] = "unreachable"


def no_mesos_leader(world):
    world.set("mesos.summary", "Traceback\nsalt.exceptions.CommandExecutionError: no leader")


def dead_master(world):
    world.part("mesos.summary")["masters"]["http://10.0.0.13:5050"] = "Connection refused"


def no_marathon_leader(world):
    world.set("marathon.summary", "CommandExecutionError: Connection refused")


def no_chronos_leader(world):
    world.set("chronos.summary", "CommandExecutionError: Connection refused")


def dead_marathon(world):
    world.answers["cc03"]["service.status"]["marathon"] = False


def dead_chronos(world):
    world.answers["cc03"]["service.status"]["chronos"] = False


def unregistered_agent(world):
    world.set("mesos.agents", [agent("b001")])


def draining_agent(world):
    agents = [agent("b001"), agent("b002", active=False, deactivated=True, drain="DRAINING")]
    world.set("mesos.agents", agents)


def deactivated_agent(world):
    world.set("mesos.agents", [agent("b001"), agent("b002", active=False, deactivated=True)])


def disconnected_agent(world):
    world.set("mesos.agents", [agent("b001"), agent("b002", active=False)])


def unhealthy_app(world):
    world.part("marathon.summary")["unhealthy"].append("/web")


def waiting_app(world):
    world.part("marathon.summary")["waiting"]["/web"] = "2 wait for offers"


def failing_job(world):
    world.part("chronos.summary")["failing"]["backup"] = "never, 3 since the last success"


def silent_node(world):
    del world.entries["b002"]


def unaccepted_node(world):
    world.minions.remove("cc03")
    del world.entries["cc03"], world.answers["cc03"]


def silent_control_nodes(world):
    for node in CONTROL:
        del world.entries[node]
    world.answers.clear()


def unready_node(world):
    turns = world.part("cluster.turns")
    turns["unready"]["agents"]["b001"] = {"reason": "new flags", "since": 1}


def topology_error(world):
    world.topology = {"nodes": {}, "errors": [["nodes", "x", "should be a mapping."]]}


@pytest.mark.parametrize(
    "damage, exit_code, beginning",
    [
        (lost_quorum, 2, "DOWN: ZooKeeper has lost its quorum: 0 of 3 servers serve. Start"),
        (stopped_zookeeper, 1, "DEGRADED: The ZooKeeper server cc02 is unreachable. See there"),
        (no_mesos_leader, 2, "DOWN: Mesos has no leader that has recovered. See on cc01, cc02"),
        (dead_master, 1, "DEGRADED: The Mesos master cc03 is not healthy: Connection refused."),
        (no_marathon_leader, 2, "DOWN: Marathon has no leader. See on cc01, cc02, cc03"),
        (no_chronos_leader, 2, "DOWN: Chronos has no leader. See on cc01, cc02, cc03"),
        (dead_marathon, 1, "DEGRADED: Marathon on cc03 does not run. Start it there"),
        (dead_chronos, 1, "DEGRADED: Chronos on cc03 does not run. Start it there"),
        (unregistered_agent, 1, "DEGRADED: The agent b002 is not registered at the Mesos"),
        (disconnected_agent, 1, "DEGRADED: The agent b002 is registered, and not connected."),
        (unhealthy_app, 1, "DEGRADED: The app /web has unhealthy instances. See: salt-call"),
        (waiting_app, 1, "DEGRADED: The app /web waits: 2 wait for offers. See: salt-call"),
        (failing_job, 1, "DEGRADED: The job backup fails: never, 3 since the last success."),
        (silent_node, 1, "DEGRADED: b002 does not respond to Salt. Check that the host is up"),
        (unaccepted_node, 1, "DEGRADED: cc03 is in the topology, and its key is not accepted."),
        (silent_control_nodes, 2, "DOWN: No control node responds to Salt (cc01, cc02, cc03), so"),
        (unready_node, 1, "DEGRADED: b001 is not ready since a restart (new flags). Apply"),
        (topology_error, 2, "DOWN: The topology has an error: nodes = x: should be a mapping."),
    ],
)
def test_the_first_line_names_the_problem(damage, exit_code, beginning):
    world = World()
    damage(world)
    data = world.report()
    assert runner._screen(data).splitlines()[0].startswith(beginning)
    assert data["retcode"] == exit_code
    assert data["status"] == ["ok", "degraded", "down"][exit_code]


@pytest.mark.parametrize(
    "damage, kind, subject",
    [
        (lost_quorum, "quorum", "zookeeper"),
        (stopped_zookeeper, "replica", "zookeeper on cc02"),
        (no_mesos_leader, "leader", "mesos"),
        (dead_master, "replica", "mesos-master on cc03"),
        (no_marathon_leader, "leader", "marathon"),
        (no_chronos_leader, "leader", "chronos"),
        (dead_marathon, "replica", "marathon on cc03"),
        (unregistered_agent, "agent", "b002"),
        (unhealthy_app, "app", "/web"),
        (waiting_app, "app", "/web"),
        (failing_job, "job", "backup"),
        (silent_node, "node", "b002"),
        (unready_node, "node", "b001"),
        (topology_error, "topology", "nodes"),
    ],
)
def test_a_problem_has_a_kind_and_a_subject_for_programs(damage, kind, subject):
    world = World()
    damage(world)
    problem = world.report()["problems"][0]
    assert (problem["kind"], problem["subject"]) == (kind, subject)
    assert sorted(problem) == ["kind", "message", "severity", "subject"]


def test_a_healthy_cluster_is_ok():
    data = World().report()
    assert (data["status"], data["retcode"], data["problems"]) == ("ok", 0, [])
    lines = runner._screen(data).splitlines()
    assert lines[0] == "OK: 6 nodes answer, 2 agents are up."
    assert "Mesos      1.9.0, leader 10.0.0.11:5050" in lines


def test_what_is_down_comes_before_what_is_degraded():
    world = World()
    silent_node(world)
    stopped_zookeeper(world)
    no_chronos_leader(world)
    problems = [(entry["severity"], entry["kind"]) for entry in world.report()["problems"]]
    assert problems == [("down", "leader"), ("degraded", "node"), ("degraded", "replica")]


def test_turns_in_progress_and_held_nodes_are_no_problems():
    world = World()
    turns = world.part("cluster.turns")
    turns["agents"].append({"host": "b001", "state": "holds", "reason": "new flags"})
    turns["unready"]["agents"]["b001"] = {"reason": "new flags", "since": 1}
    turns["held"]["b002"] = {"reason": "new disk", "expiry": 0}
    data = world.report()
    assert data["retcode"] == 0
    assert data["notes"] == [
        "b001 has its turn to restart: new flags",
        "b002 is held until 1970-01-01 00:00 UTC: new disk. To end this: salt-call "
        "cluster.release b002",
    ]


@pytest.mark.parametrize(
    "flags, is_noted",
    [
        ({"authenticate_agents": "false", "authenticate_http_readwrite": "false"}, True),
        ({"authenticate_agents": "true", "authenticate_http_readwrite": "false"}, True),
        ({"authenticate_agents": "true", "authenticate_http_readwrite": "true"}, False),
        ("ERROR: 404", False),
    ],
)
def test_masters_that_demand_no_credentials_are_a_note_and_no_problem(flags, is_noted):
    world = World()
    world.set("mesos.flags", flags)
    data = world.report()
    assert (data["status"], data["problems"]) == ("ok", [])
    assert ["demand no credentials" in note for note in data["notes"]] == [True] * is_noted


def absence(reason: str, **tasks) -> dict:
    address = ADDRESSES["b002"]
    return {"id": None, "hostname": address, "ip": address, "reason": reason, "tasks": tasks}


@pytest.mark.parametrize(
    "damage, absences, beginning",
    [
        (draining_agent, None, "The agent b002 is out of service (draining). To end this: "),
        (deactivated_agent, None, "The agent b002 is out of service (deactivated). To end"),
        (
            draining_agent,
            [absence("draining", web="TASK_RUNNING")],
            "The agent b002 is out of service (draining), and 1 task still on it. To end",
        ),
        (lambda world: None, [absence("maintenance")], "The agent b002 is out of service (main"),
        (unregistered_agent, [absence("down")], "The agent b002 is out of service (down). To"),
    ],
)
def test_an_agent_out_of_service_is_no_problem(damage, absences, beginning):
    world = World()
    damage(world)
    world.set("mesos.out_of_service", "not available" if absences is None else absences)
    data = world.report()
    assert (data["status"], data["problems"]) == ("ok", [])
    [note] = data["notes"]
    assert note.startswith(beginning)
    assert note.endswith('orchestration.undrain pillar=\'{"agents": ["b002"]}\'')


class Client:
    """A client of the Salt master that answers with the pillar of minions."""

    def __init__(self, entries):
        self.entries = entries

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def cmd(self, target, *_, **__):
        return {node: self.entries[node] for node in target if node in self.entries}


def agents_of(world: World, patterns, cached=()) -> dict:
    """Call the runner cluster.agents. The Salt master remembers the pillar of some minions."""
    cached_pillar = {node: {"topology": {"address": ADDRESSES[node]}} for node in cached}
    client = types.SimpleNamespace(get_local_client=lambda **_: Client(world.entries))
    with mock.patch.multiple(
        runner,
        create=True,
        salt=types.SimpleNamespace(client=client),
        _read_topology=lambda *_args: (world.topology, world.minions),
        __opts__={},
        __salt__={"cache.pillar": lambda **_: cached_pillar},
    ):
        return runner.agents(patterns)


@pytest.mark.parametrize("patterns", ["b*", ["b001", "b002"], ["b00[12]", "b001"]])
def test_ids_and_globs_mean_agents_with_their_addresses(patterns):
    assert agents_of(World(), patterns) == {
        "agents": {"b001": "10.0.0.14", "b002": "10.0.0.15"},
        "responding": ["b001", "b002"],
        "errors": [],
    }


def test_an_agent_that_does_not_answer_has_the_address_that_it_told_last():
    world = World()
    silent_node(world)
    result = agents_of(world, ["b002"], cached=["b002"])
    assert (result["agents"], result["responding"]) == ({"b002": "10.0.0.15"}, [])
    [error] = agents_of(world, ["b002"])["errors"]
    assert error.startswith("b002 does not respond to Salt, and its address is not known.")


@pytest.mark.parametrize(
    "patterns, beginning",
    [
        ([], "agents = []: should be a list of agents"),
        (None, "agents = None: should be a list of agents"),
        ([7], "agents = [7]: should be a list of agents"),
        (["b009"], "agents = b009: no minion of the topology matches. Agents: b001, b002."),
        (["x*"], "agents = x*: no minion of the topology matches. Agents: b001, b002."),
        (["cc01"], "agents = cc01: cc01 has not the role mesos-slave. Agents: b001, b002."),
        (["cc*"], "agents = cc*: cc01, cc02, cc03 has not the role mesos-slave."),
    ],
)
def test_what_means_no_agent_is_an_error(patterns, beginning):
    result = agents_of(World(), patterns)
    assert result["errors"][0].startswith(beginning) and result["agents"] == {}


def test_each_pattern_that_means_no_agent_is_an_error():
    result = agents_of(World(), ["b001", "b009", "cm01"])
    assert len(result["errors"]) == 2 and result["agents"] == {}


CLUSTERS = {
    "bonn": {"errors": [], "nodes": {"bonn-cc": ["zookeeper"], "x*": ["mesos-slave"]}},
    "ulm": {"errors": [["topologies/ulm", "ulm.yaml", "cannot be read."]], "nodes": {}},
}


@pytest.mark.parametrize(
    "cluster, words",
    [
        (None, "cluster = null: name one of bonn, ulm, such as cluster=bonn."),
        ("koeln", "cluster = koeln: name one of bonn, ulm, such as cluster=bonn."),
        (7, "cluster = 7: name one of bonn, ulm, such as cluster=bonn."),
        ("ulm", "The topology has an error: topologies/ulm = ulm.yaml: cannot be read."),
    ],
)
def test_a_cluster_that_is_not_known_is_refused(cluster, words):
    topology = runner._select_cluster({"clusters": CLUSTERS}, cluster)
    assert topology["nodes"] == {}
    data = runner._report(topology, ["bonn-cc", "x1"], {}, {})
    assert (data["status"], data["retcode"]) == ("down", 2)
    assert [problem["message"] for problem in data["problems"]] == [words]
    drift = runner._drift_report(topology, ["bonn-cc"], {}, {})
    assert (drift["retcode"], drift["errors"][0]["message"]) == (2, words)


def test_a_cluster_is_selected_by_its_name():
    topology = runner._select_cluster({"clusters": CLUSTERS}, "bonn")
    assert topology["nodes"] == CLUSTERS["bonn"]["nodes"] and topology["errors"] == []
    assert (topology["cluster"], topology["file"]) == ("bonn", "pillar/topologies/bonn.yaml")
    only = runner._select_cluster({"clusters": {"bonn": CLUSTERS["bonn"]}}, None)
    assert only["cluster"] == "bonn"


def test_one_topology_has_no_name():
    topology = runner._select_cluster(TOPOLOGY, None)
    assert (topology["nodes"], topology["cluster"]) == (TOPOLOGY["nodes"], None)
    [error] = runner._select_cluster(TOPOLOGY, "ulm")["errors"]
    assert error[:2] == ["cluster", "ulm"] and "there is only one" in error[2]


def test_a_minion_that_globs_of_two_clusters_match_is_an_error():
    clusters = {**CLUSTERS, "ulm": {"errors": [], "nodes": {"*1": ["docker"], "ulm-cc": []}}}
    topology = runner._select_cluster({"clusters": clusters}, "bonn")
    minions = ["bonn-cc", "x1", "x2", "web1"]
    [error] = runner._shared_minions(topology, minions)
    assert error[:2] == ["pillar/topologies/bonn.yaml:nodes", "x1"]
    assert "also in the cluster ulm" in error[2]
    assert runner._shared_minions(topology, ["bonn-cc", "x2"]) == []


def test_agents_are_not_looked_for_without_a_cluster():
    world = World()
    world.topology = runner._select_cluster({"clusters": CLUSTERS}, None)
    result = agents_of(world, "*")
    assert result["agents"] == {} and "name one of bonn, ulm" in result["errors"][0]


def test_the_command_for_an_agent_out_of_service_names_the_cluster():
    absence = {"reason": "DRAINED", "tasks": {}}
    note = runner._out_of_service_note("b001", "drained", absence, "bonn")
    assert note.endswith('pillar=\'{"agents": ["b001"], "cluster": "bonn"}\'')


def test_a_cluster_without_apps_has_none():
    world = World()
    world.part("marathon.summary")["apps"] = {"total": 0}
    assert "Apps       none" in runner._screen(world.report()).splitlines()


@pytest.mark.parametrize(
    "options, is_printed",
    [
        ({"fun": "cluster.status"}, True),
        ({"fun": "cluster.status", "output": "json"}, False),
        ({"fun": "state.orchestrate"}, False),
    ],
    ids=["command line", "json", "orchestration"],
)
def test_only_the_command_line_without_out_prints_the_screen(options, is_printed):
    world = World()
    stopped_zookeeper(world)
    screens = []
    output = types.SimpleNamespace(display_output=lambda text, *_: screens.append(text))
    context = {}
    event = types.SimpleNamespace(print_func=print)
    module = types.SimpleNamespace(__globals__={"__jid_event__": event})
    with mock.patch.multiple(
        runner,
        create=True,
        salt=types.SimpleNamespace(output=output),
        _ask=lambda *_: (world.topology, world.minions, world.entries, world.answers),
        __opts__=options,
        __context__=context,
        __salt__={"pillar.show_pillar": module},
    ):
        data = runner.status()
    # salt-run exits with the retcode of what a runner returns.
    assert data["retcode"] == context["retcode"] == 1
    assert bool(screens) == is_printed == (event.print_func is None)


class DyingMinions:
    """A client of minions, each of which answers a number of jobs, and then none."""

    def __init__(self, **jobs_by_node: int):
        self.jobs_by_node = jobs_by_node
        self.jobs = []

    def cmd(self, nodes, function, arguments, tgt_type, timeout):
        assert isinstance(function, str) and isinstance(arguments, list)
        assert (tgt_type, timeout) == ("list", 7)
        self.jobs.append((function, nodes))
        return {node: function for node in nodes if len(self.jobs) <= self.jobs_by_node[node]}


def test_each_question_is_a_job_of_its_own():
    client = DyingMinions(cc01=99)
    answers = runner._ask_services(client, ["cc01"], 7)
    assert client.jobs == [(function, ["cc01"]) for function in runner.QUESTIONS]
    assert answers == {"cc01": {function: function for function in runner.QUESTIONS}}


def test_a_node_that_stops_answering_is_not_asked_again():
    client = DyingMinions(cc01=3, cc02=1)
    answers = runner._ask_services(client, ["cc01", "cc02"], 7)
    nodes = [nodes for _, nodes in client.jobs]
    assert nodes == [["cc01", "cc02"], ["cc01", "cc02"], ["cc01"], ["cc01"]]
    assert [len(answers[node]) for node in ("cc01", "cc02")] == [3, 1]
    missing = {"cc02": answers["cc02"]}
    assert runner._answer(missing, "chronos.summary") == (None, ["cc02: no answer"])


RUNNERS = ("backup", "cluster", "secrets", "upgrade")
SYNCED = [f"runners.mesos_{name}" for name in RUNNERS]
LOADER = """
import sys, salt.config, salt.loader, salt.utils.extmods
scratch, root = sys.argv[1:]
opts = salt.config.apply_master_config({
    "root_dir": scratch, "conf_file": scratch + "/master", "log_file": scratch + "/log",
    "file_client": "local", "file_roots": {"base": [root + "/salt", root + "/formulas"]},
    "extension_modules": scratch + "/extmods",
})
print(salt.utils.extmods.sync(opts, "runners")[0])
runners = salt.loader.runner(opts)
print(*[name in runners for name in ("cluster.status", "cluster.agents", "cluster.members")])
"""


@pytest.mark.parametrize("line", SALT_LINES)
def test_salt_loads_the_runner_beside_its_own(line, tmp_path):
    command = [saltenv.machine_env(line), "-W", "ignore", "-c", LOADER, tmp_path, ROOT]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    # Salt has a runner cluster from 3008 on.
    has_own = line != "3006"
    assert result.stdout.splitlines() == [str(SYNCED), f"True True {has_own}"]


@pytest.fixture(params=SALT_LINES)
def salt_run(request, tmp_path):
    """Return a function that runs the real salt-run, without a master and with an empty pillar."""
    for directory in ("pillar", "var/cache/salt/master/proc"):
        (tmp_path / directory).mkdir(parents=True)
    options = {
        "root_dir": str(tmp_path),
        "user": getpass.getuser(),
        "id": "cm01",
        "file_roots": {"base": [str(ROOT / "salt"), str(ROOT / "formulas")]},
        "pillar_roots": {"base": [str(tmp_path / "pillar")]},
    }
    (tmp_path / "master").write_text(json.dumps(options))
    python = saltenv.machine_env(request.param)
    command = [python, "-W", "ignore", python.with_name("salt-run"), "-c", tmp_path]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)

    run("saltutil.sync_runners")
    return run


def test_salt_run_prints_a_screen_or_json_and_exits_with_the_code(salt_run):
    message = "The topology names no node. Edit pillar/topology.yaml."
    screen = salt_run("cluster.status")
    assert (screen.stdout, screen.returncode) == (f"DOWN: {message}\n", 2)
    result = salt_run("--out=json", "--log-level=quiet", "cluster.status", "timeout=5")
    [problem] = json.loads(result.stdout)["problems"]
    assert (problem["message"], result.returncode) == (message, 2)


def test_the_ensemble_is_the_answer_that_reaches_most_servers():
    world = World()
    ensemble = copy.deepcopy(world.answers["cc01"]["zk.ensemble"])
    for number in (2, 3):
        ensemble[number]["mode"] = "unreachable"
    ensemble[1]["mode"] = "not serving"
    world.answers["cc01"]["zk.ensemble"] = ensemble
    assert world.report()["problems"] == []


# --- drift ---


def node_drift(**fields) -> dict:
    return {"drift": [], "errors": [], "notes": [], **fields}


QUORUM = {
    "service": "mesos-master",
    "what": "flag quorum",
    "runs": "1",
    "declared": "2",
    "next": "salt 'cc02' state.apply",
}
WEB = {
    "service": "marathon",
    "what": "app /web instances",
    "runs": "1",
    "declared": "2",
    "next": "salt-run state.orchestrate orchestration.apps",
}


class DriftWorld:
    """What ``cluster.drift`` learns; a cluster without drift that a test changes."""

    def __init__(self):
        self.minions = list(MINIONS)
        self.answers = {node: node_drift() for node in MINIONS}
        self.cluster_answers = {"cc01": node_drift()}

    def report(self) -> dict:
        return runner._drift_report(TOPOLOGY, self.minions, self.answers, self.cluster_answers)

    def screen(self) -> list[str]:
        return runner._drift_screen(self.report()).splitlines()


def test_a_cluster_as_pillar_declares_it_has_no_drift():
    world = DriftWorld()
    data = world.report()
    assert (data["status"], data["retcode"], data["drift"]) == ("ok", 0, [])
    assert world.screen() == ["OK: 6 nodes and the cluster are as pillar declares."]


def test_each_difference_is_a_line_with_node_values_and_command():
    world = DriftWorld()
    world.answers["cc02"]["drift"].append(QUORUM)
    world.answers["b001"]["drift"].append({**QUORUM, "runs": "differs", "declared": "differs"})
    world.cluster_answers["cc01"] = node_drift(drift=[WEB], notes=["Jobs: stray"])
    data = world.report()
    assert (data["status"], data["retcode"]) == ("drift", 1)
    assert [entry["node"] for entry in data["drift"]] == ["b001", "cc02", "cluster"]
    assert world.screen() == [
        "DRIFT: 3 differences.",
        "b001     mesos-master  flag quorum         differs. Next: salt 'cc02' state.apply",
        "cc02     mesos-master  flag quorum         runs: 1, declared: 2. Next: salt 'cc02' "
        "state.apply",
        "cluster  marathon      app /web instances  runs: 1, declared: 2. Next: salt-run "
        "state.orchestrate orchestration.apps",
        "  * Jobs: stray",
    ]


def drift_silent(world):
    del world.answers["b002"]


def drift_unaccepted(world):
    world.minions.remove("cc03")
    del world.answers["cc03"]


def drift_unsynced(world):
    world.answers["b002"] = "'cluster.drift' is not available."


def drift_failed(world):
    world.answers["b002"]["errors"].append("The Mesos agent cannot be compared: refused")


@pytest.mark.parametrize(
    "damage, node, message",
    [
        (drift_silent, "b002", "b002 does not respond to Salt."),
        (drift_unaccepted, "cc03", "cc03 is in the topology, and its key is not accepted."),
        (drift_failed, "b002", "The Mesos agent cannot be compared: refused"),
        (drift_unsynced, "b002", "'cluster.drift' is not available."),
    ],
)
def test_what_cannot_be_compared_is_unknown_even_beside_drift(damage, node, message):
    world = DriftWorld()
    damage(world)
    world.answers["cc02"]["drift"].append(QUORUM)
    data = world.report()
    assert (data["status"], data["retcode"], len(data["drift"])) == ("unknown", 2, 1)
    [error] = data["errors"]
    assert error["node"] == node and error["message"].startswith(message)
    assert world.screen()[0].startswith(f"UNKNOWN: {node}: {message}")


def test_one_node_that_answers_is_asked_about_what_the_cluster_has():
    world = DriftWorld()
    members = runner._members(TOPOLOGY, MINIONS)
    every_sls = ["mesos.policy", "marathon.apps", "chronos.jobs"]
    assert runner._cluster_questions(members, world.answers) == {"cc01": every_sls}
    world.answers["cc01"] = "error"
    assert runner._cluster_questions(members, world.answers) == {"cc02": every_sls}
    world.answers.clear()
    assert runner._cluster_questions(members, world.answers) == {}


def test_the_sls_of_the_cluster_are_those_of_the_orchestration():
    roles = yaml.safe_load((ROOT / "formulas/common/roles.yaml").read_text())
    declared = {
        name: role["declared"]["sls"][-1] for name, role in roles.items() if "declared" in role
    }
    assert declared == runner.CLUSTER_SLS


def test_salt_run_cluster_drift_prints_a_screen_or_json_and_exits_with_the_code(salt_run):
    message = "The topology names no node. Edit pillar/topology.yaml."
    screen = salt_run("cluster.drift")
    assert (screen.stdout, screen.returncode) == (f"UNKNOWN: topology: {message}\n", 2)
    result = salt_run("--out=json", "--log-level=quiet", "cluster.drift", "timeout=5")
    [error] = json.loads(result.stdout)["errors"]
    assert (error, result.returncode) == ({"node": "topology", "message": message}, 2)
