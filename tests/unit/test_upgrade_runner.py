"""salt-run cluster.upgrade_plan: versions of nodes become the steps of an upgrade."""

import types

import pytest
import runner_modules

CONTROL = ("cc01", "cc02", "cc03")
AGENTS = ("b001", "b002")
CONTROL_ROLES = ["zookeeper", "mesos-master", "marathon", "chronos"]
ROLES = {**dict.fromkeys(CONTROL, CONTROL_ROLES), **dict.fromkeys(AGENTS, ["mesos-slave"])}
VERSIONS = {"zookeeper": "3.8.0", "mesos": "1.9.0", "marathon": "1.8.244", "chronos": "2.5.0"}
OLD_MARATHON = {"version": "1.6.567", "has_new_store": False}
NEW_MARATHON = {"version": "1.8.244", "has_new_store": True}


runner = runner_modules.load("mesos_upgrade")


class Cluster:
    """Three control nodes and two agents with the declared versions. cc02 leads everything."""

    def __init__(self):
        self.answers = {node: self._answer(node) for node in ROLES}

    def _answer(self, node):
        names = ["mesos"] if node in AGENTS else list(VERSIONS)
        return {
            "components": {name: self._status(name) for name in names},
            "leads": ["zookeeper", "mesos", "marathon", "chronos"] if node == "cc02" else [],
            "marathon_leader": None if node in AGENTS else NEW_MARATHON,
            "errors": [],
        }

    @staticmethod
    def _status(name):
        status = {"declared": VERSIONS[name], "runs": True, "library_newer": False}
        return {**status, "installed": f"{VERSIONS[name]}-1.el7", "has_declared": True}

    def install(self, component, version, *nodes):
        """Let nodes, by default all, have an old version of a component."""
        for node in nodes or ROLES:
            status = self.answers[node]["components"].get(component)
            if status:
                status.update(installed=f"{version}-1.el7", has_declared=False)
        return self

    def old_marathon(self, *nodes, leader=OLD_MARATHON):
        self.install("marathon", "1.6.567", *nodes)
        for node in CONTROL:
            self.answers[node]["marathon_leader"] = leader
        return self

    def stop_marathon(self, *nodes):
        for node in nodes:
            self.answers[node]["components"]["marathon"]["runs"] = False
            self.answers[node]["leads"] = []
        return self

    def plan(self, components=None, backup=None, roles=ROLES):
        components = components or list(runner.COMPONENTS)
        return runner._plan(components, backup, roles, self.answers)

    def names(self, *arguments):
        plan = self.plan(*arguments)
        assert plan["errors"] == []
        return [step["name"] for step in plan["steps"]]

    def errors(self, *arguments):
        plan = self.plan(*arguments)
        assert plan["steps"] == []
        return plan["errors"]


BACKUP = "The cluster is backed up"


def test_a_cluster_with_the_declared_versions_needs_no_step():
    assert Cluster().plan() == {"steps": [], "notes": [], "errors": []}


def test_servers_are_upgraded_one_by_one_and_the_leader_last():
    names = Cluster().install("zookeeper", "3.5.10").names()
    assert names == [BACKUP, *(f"ZooKeeper on {node}: 3.5.10 -> 3.8.0" for node in order())]
    names = Cluster().install("chronos", "2.4.0").names()
    assert names == [BACKUP, *(f"Chronos on {node}: 2.4.0 -> 2.5.0" for node in order())]


def order():
    return ["cc01", "cc03", "cc02"]


def test_the_agents_follow_the_masters_and_the_frameworks_load_the_new_library():
    names = Cluster().install("mesos", "1.4.3").names()
    assert names == [
        BACKUP,
        *(f"Mesos master on {node}: 1.4.3 -> 1.9.0" for node in order()),
        "Mesos agents on b001, b002, in turns: 1.4.3 -> 1.9.0",
        *(f"Marathon on {node} is restarted with libmesos 1.9.0" for node in order()),
        *(f"Chronos on {node} is restarted with libmesos 1.9.0" for node in order()),
    ]


def test_a_framework_that_an_earlier_run_has_not_restarted_is_restarted():
    cluster = Cluster()
    cluster.answers["cc03"]["components"]["chronos"]["library_newer"] = True
    assert cluster.names() == [BACKUP, "Chronos on cc03 is restarted with the new libmesos"]
    assert cluster.names(["zookeeper"]) == []


def test_marathon_migrates_its_store_while_one_of_the_new_version_is_alone():
    assert Cluster().old_marathon().names() == [
        BACKUP,
        "Marathon is stopped on cc01, cc03",
        "Marathon on cc01: 1.6.567 -> 1.8.244",
        "Marathon is stopped on cc02",
        "Marathon 1.8.244 leads",
        "Marathon on cc03: 1.6.567 -> 1.8.244",
        "Marathon on cc02: 1.6.567 -> 1.8.244",
    ]


def test_the_steps_apply_the_states_that_they_name():
    steps = Cluster().old_marathon().plan()["steps"]
    assert steps[0] == {"name": BACKUP, "backup": {}}
    prefix = "orchestration.minion."
    applied = [[name.removeprefix(prefix) for name in step["sls"]] for step in steps[1:]]
    assert applied == [
        ["marathon_leader", "marathon_stopped"],
        ["marathon"],
        ["marathon_stopped"],
        ["marathon_version"],
        ["marathon"],
        ["marathon"],
    ]
    assert all(step["pillar"] == {"marathon_upgrade": True} for step in steps[1:])
    assert [step["nodes"] for step in steps[1:4]] == [["cc01", "cc03"], ["cc01"], ["cc02"]]


# --- after a run that was interrupted ---


def test_a_run_that_ended_with_all_but_one_stopped_is_continued():
    cluster = Cluster().old_marathon().stop_marathon("cc01", "cc03")
    assert cluster.names()[:3] == [
        BACKUP,
        "Marathon on cc01: 1.6.567 -> 1.8.244",
        "Marathon is stopped on cc02",
    ]


def test_a_run_that_ended_with_the_new_version_beside_the_old_leader_is_continued():
    cluster = Cluster().old_marathon("cc01", "cc02").stop_marathon("cc01")
    assert cluster.names() == [
        BACKUP,
        "Marathon runs on cc03",
        "Marathon is stopped on cc02",
        "Marathon 1.8.244 leads",
        "Marathon on cc01: 1.6.567 -> 1.8.244",
        "Marathon on cc02: 1.6.567 -> 1.8.244",
    ]


def test_a_run_that_ended_without_any_marathon_is_continued_without_a_backup():
    cluster = Cluster().old_marathon("cc01", "cc02", leader=None).stop_marathon(*CONTROL)
    assert cluster.names() == [
        "Marathon runs on cc03",
        "Marathon 1.8.244 leads",
        "Marathon on cc01: 1.6.567 -> 1.8.244",
        "Marathon on cc02: 1.6.567 -> 1.8.244",
    ]


def test_a_run_that_ended_after_the_migration_is_continued():
    cluster = Cluster().old_marathon("cc01", "cc03", leader=NEW_MARATHON)
    assert cluster.names() == [
        BACKUP,
        "Marathon on cc01: 1.6.567 -> 1.8.244",
        "Marathon on cc03: 1.6.567 -> 1.8.244",
        "Marathon 1.8.244 leads",
    ]


def test_a_leader_that_still_runs_the_old_version_of_a_new_package_is_stopped_too():
    cluster = Cluster().old_marathon("cc01", "cc03")
    assert cluster.names() == [
        BACKUP,
        "Marathon is stopped on cc01, cc03",
        "Marathon on cc01: 1.6.567 -> 1.8.244",
        "Marathon is stopped on cc02",
        "Marathon 1.8.244 leads",
        "Marathon on cc03: 1.6.567 -> 1.8.244",
        "Marathon runs on cc02",
    ]


def test_versions_with_the_same_store_are_upgraded_one_by_one():
    leader = {"version": "1.8.207", "has_new_store": True}
    cluster = Cluster().old_marathon(leader=leader).install("marathon", "1.8.207")
    assert cluster.names() == [
        BACKUP,
        *(f"Marathon on {node}: 1.8.207 -> 1.8.244" for node in order()),
        "Marathon 1.8.244 leads",
    ]


def test_a_single_marathon_is_upgraded_in_place():
    cluster = Cluster().old_marathon()
    cluster.answers = {"cc02": cluster.answers["cc02"]}
    plan = cluster.plan(roles={"cc02": CONTROL_ROLES})
    assert [step["name"] for step in plan["steps"]] == [
        BACKUP,
        "Marathon on cc02: 1.6.567 -> 1.8.244",
        "Marathon 1.8.244 leads",
    ]


# --- errors and options ---


def test_without_a_leader_there_is_no_backup_and_so_no_upgrade():
    cluster = Cluster().old_marathon(leader=None).stop_marathon(*CONTROL)
    [error] = cluster.errors()
    assert "no Marathon leads" in error and "service.start marathon" in error


def test_a_marathon_outside_of_the_topology_must_not_lead():
    cluster = Cluster().old_marathon()
    cluster.answers["cc02"]["leads"] = []
    [error] = cluster.errors()
    assert error.startswith(
        "marathon: the leading Marathon 1.6.567 runs on none of the nodes cc01, cc02, cc03."
    )


def test_a_component_is_not_upgraded_without_the_package_that_its_states_upgrade():
    cluster = Cluster().old_marathon().install("mesos", "1.4.3")
    [error] = cluster.errors(["marathon"])
    assert error == (
        "components = marathon: the states of marathon would upgrade Mesos as well (1.4.3 -> 1.9.0 "
        "on cc01). Add mesos."
    )
    assert cluster.names(["zookeeper"]) == []


def test_nodes_that_do_not_answer_stop_the_upgrade_if_they_are_control_nodes():
    cluster = Cluster().install("mesos", "1.4.3")
    del cluster.answers["b002"]
    plan = cluster.plan()
    assert plan["notes"] == ["b002 does not respond to Salt, and was left out."]
    assert "Mesos agent on b001, in turns: 1.4.3 -> 1.9.0" in [
        step["name"] for step in plan["steps"]
    ]
    del cluster.answers["cc03"]
    [error] = cluster.errors()
    assert error.startswith("cc03 does not respond to Salt.") and '{"skip": ["cc03"]}' in error


def test_errors_of_the_nodes_are_reported():
    cluster = Cluster().old_marathon()
    cluster.answers["cc01"]["errors"] = ["marathon:version = 1.8.244 on cc01: no."]
    cluster.answers["cc03"] = "'cluster.versions' is not available."
    assert cluster.errors() == [
        "cc03: cluster.versions failed: 'cluster.versions' is not available. After an update of "
        "this tree run: salt '*' saltutil.sync_all",
        "marathon:version = 1.8.244 on cc01: no.",
    ]


def test_marathon_has_one_version():
    cluster = Cluster().old_marathon()
    cluster.answers["cc03"]["components"]["marathon"]["declared"] = "1.9.109"
    assert cluster.errors() == [
        "marathon:version = 1.8.244, 1.9.109: should be the same on all nodes."
    ]


def test_the_backup_gets_its_options_and_may_be_left_out():
    cluster = Cluster().install("chronos", "2.4.0")
    assert cluster.plan(None, {"keep": 3})["steps"][0]["backup"] == {"keep": 3}
    assert BACKUP not in cluster.names(None, False)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"components": "mesoss"}, "components = mesoss: no such component. Known: zookeeper,"),
        ({"components": {"a": 1}}, "components = {'a': 1}: should be a list out of"),
        ({"backup": True}, "backup = True: should be false, or a mapping of directory, keep"),
        ({"backup": {"dir": "/srv"}}, "backup = dir: no such option. Known: directory, keep"),
        ({"backup": {"directory": "srv"}}, "backup:directory = srv: should be an absolute path."),
        ({"backup": {"keep": 0}}, "backup:keep = 0: should be a number, 1 or more."),
        ({"backup": {"timeout": True}}, "backup:timeout = True: should be a number, 1 or more."),
    ],
)
def test_invalid_options_are_refused_by_name(arguments, message):
    plan = runner.upgrade_plan(**arguments)
    assert plan["steps"] == [] and len(plan["errors"]) == 1
    assert plan["errors"][0].startswith(message)


# --- asking the nodes ---


class Client:
    """Minions that answer each question with its name."""

    def __init__(self):
        self.questions = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def cmd(self, nodes, function, **options):
        self.questions.append((function, nodes, options.get("kwarg")))
        answers = Cluster().answers
        return {node: {"ret": answers[node]} for node in nodes if node != "b002"}


@pytest.fixture
def client(monkeypatch):
    """The minions of a cluster called ulm, whose topology is read with the signature of Salt."""
    client = Client()
    topology = {"nodes": {**dict.fromkeys(CONTROL, CONTROL_ROLES), "b*": ["mesos-slave"]}}
    minions = [*CONTROL, *AGENTS, "another"]

    def read_topology(_functions, _opts, cluster):
        if cluster == "ulm":
            return topology, minions
        return {"nodes": {}, "errors": [["cluster", cluster, "name one of ulm."]]}, minions

    monkeypatch.setattr(runner, "__salt__", {}, raising=False)
    monkeypatch.setattr(runner, "__opts__", {}, raising=False)
    local = types.SimpleNamespace(get_local_client=lambda **_: client)
    monkeypatch.setattr(runner, "salt", types.SimpleNamespace(client=local))
    monkeypatch.setattr(runner.mesos_cluster, "_read_topology", read_topology)
    return client


def test_the_nodes_read_their_pillar_again_before_they_are_asked(client):
    plan = runner.upgrade_plan(skip=["cc03", "b001*"], cluster="ulm")
    asked_nodes = ["b002", "cc01", "cc02"]
    assert client.questions == [
        ("saltutil.refresh_pillar", asked_nodes, {"wait": True}),
        ("cluster.versions", asked_nodes, None),
    ]
    assert plan == {
        "steps": [],
        "notes": ["b002 does not respond to Salt, and was left out."],
        "errors": [],
    }


def test_the_backup_is_of_the_same_cluster(client, monkeypatch):
    monkeypatch.setitem(VERSIONS, "chronos", "3.0.2")
    answers = Cluster().answers
    for node in CONTROL:
        answers[node]["components"]["chronos"] |= {"has_declared": False, "installed": "2.4.0-1"}
    monkeypatch.setattr(Cluster, "_answer", lambda _self, node: answers[node])
    plan = runner.upgrade_plan(backup={"keep": 2}, cluster="ulm")
    assert plan["steps"][0]["backup"] == {"keep": 2, "cluster": "ulm"}
    assert len(plan["steps"]) == 4


def test_an_error_of_the_topology_is_the_answer(client):
    plan = runner.upgrade_plan(cluster="bonn")
    assert plan == {"steps": [], "notes": [], "errors": ["cluster = bonn: name one of ulm."]}
    assert client.questions == []
