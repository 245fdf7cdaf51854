"""The runbooks of salt/orchestration: their steps follow from the table, and what makes no sense stops them before the first."""

import pytest

from lab import SALT_LINES

from .tables import table

MASTER = "lxcm01.devops.test_master"
CONTROL = [f"lxcc0{number}.devops.test" for number in (1, 2, 3)]
PATTERN = "lxb*.devops.test"


def runbook(name: str, given: dict | None = None, **pillar) -> dict:
    return {
        "id": MASTER,
        "sls": [f"orchestration.{name}"],
        "table": given or table(),
        "pillar": pillar,
    }


LATER = {"lxd*.devops.test": {"address": "10.7.0.0/16", "roles": ["mesos-slave"]}}
SCALED = {"marathon": {"apps": {"/hello": {"instances": 3}}}}
APART = {
    **{f"lxcc0{number}": {"roles": ["zookeeper", "mesos-master"]} for number in (1, 2, 3)},
    "lxcm01": {"roles": ["marathon"]},
}
CASES = {
    "apps": runbook("apps"),
    "apps without one": runbook("apps", skip=CONTROL[0]),
    "apps, scaled": runbook("apps", timeout=7, **SCALED),
    "apps of nodes apart": runbook("apps", table(APART)),
    "apps of a faulty table": runbook("apps", table({"lxcc01": {"zookeeper_id": 0}})),
    "apps of an empty table": runbook("apps", {"nodes": {}}),
    "the gates of apps": {
        "id": CONTROL[0],
        "sls": [
            "orchestration.minion.mesos_leader",
            "mesos.policy",
            "orchestration.minion.marathon_leader",
            "marathon.apps",
            "orchestration.minion.chronos_leader",
            "chronos.jobs",
        ],
        "site": True,
        "grains": {"roles": ["zookeeper", "mesos-master", "marathon", "chronos"]},
        "pillar": {"timeout": 7},
    },
    "roles": runbook("roles"),
    "deploy": runbook("deploy"),
    "without one": runbook("deploy", skip=CONTROL[2:], timeout=7),
    "without one, by the old names": runbook("deploy", absent=CONTROL[2:], patience=7),
    "apps, scaled, by the old names": runbook("apps", patience=7, **SCALED),
    "without one, as text": runbook("deploy", skip=CONTROL[2]),
    "two patterns": runbook("deploy", table(LATER)),
    "zookeeper alone": runbook(
        "deploy",
        table(
            {name: {"roles": ["zookeeper"]} for name in ("lxcc01", "lxcc02", "lxcc03")},
            {"lxb*": None},
        ),
    ),
    "skipped and unknown": runbook("deploy", skip=["lxcc09.devops.test"]),
    "faulty table": runbook(
        "deploy", table({"lxcc01": {"zookeeper_id": 0}, "lxcc02": {"address": "nowhere"}})
    ),
    "empty table": runbook("deploy", {"nodes": {}}),
    "impatient": runbook("deploy", timeout="soon"),
    "a minion's gates": {
        "id": CONTROL[0],
        "sls": [
            "orchestration.minion.zookeeper",
            "orchestration.minion.mesos_master",
            "orchestration.minion.marathon",
            "orchestration.minion.chronos",
            "orchestration.minion.zookeeper_quorum",
            "orchestration.minion.mesos_leader",
        ],
        "table": table(),
        "grains": {"roles": ["zookeeper", "mesos-master", "marathon", "chronos"]},
        "pillar": {"timeout": 7},
    },
    "an agent's gate": {
        "id": "lxb001.devops.test",
        "sls": ["orchestration.minion.mesos_slave"],
        "table": table(),
        "grains": {"roles": ["mesos-slave", "docker"], "ipv4": ["172.31.250.65"]},
    },
    "stamped": {"id": CONTROL[0], "sls": ["orchestration.minion.roles"], "table": table()},
    "not stamped": {
        "id": CONTROL[0],
        "sls": ["orchestration.minion.roles"],
        "table": table({"lxcc02": {"zookeeper_id": 1}}),
    },
    "nothing to stamp": {
        "id": CONTROL[0],
        "sls": ["orchestration.minion.roles"],
        "table": {"nodes": {}},
    },
}


@pytest.fixture(scope="module")
def runbooks(render):
    return render(CASES)


@pytest.fixture(params=SALT_LINES)
def plans(request, runbooks) -> dict[str, dict]:
    for name, answer in runbooks[request.param].items():
        assert not answer.get("errors") and not answer["invalid"], (name, answer)
    return runbooks[request.param]


def steps(plan: dict) -> list[str]:
    return [state["id"] for state in plan["states"]]


def targets(plan: dict) -> list:
    return [state["arguments"].get("tgt") for state in plan["states"]]


ROLES = [
    "Every named node answers and knows its roles",
    f"The nodes called {PATTERN} know their roles",
]


def test_roles_are_stamped_on_every_row(plans):
    assert steps(plans["roles"]) == ROLES
    assert targets(plans["roles"]) == [["lxcm01.devops.test", *CONTROL], PATTERN]


def test_a_deployment_goes_from_zookeeper_to_the_frameworks_node_by_node(plans):
    assert steps(plans["deploy"]) == [
        *ROLES,
        *(f"ZooKeeper on {node}" for node in CONTROL),
        "ZooKeeper has its quorum",
        *(f"Mesos master on {node}" for node in CONTROL),
        "The Mesos masters have a leader",
        "The Mesos slaves are registered",
        *(f"Marathon on {node}" for node in CONTROL),
        *(f"Chronos on {node}" for node in CONTROL),
        "Every node has all that its roles name",
    ]


def test_every_step_stops_the_run_where_it_fails(plans):
    for name in ("roles", "deploy", "two patterns"):
        assert all(state["arguments"]["failhard"] is True for state in plans[name]["states"])


def test_a_node_that_is_skipped_gets_no_step(plans):
    for name in ("without one", "without one, as text"):
        assert CONTROL[2] not in str(steps(plans[name])) + str(targets(plans[name]))
        assert f"ZooKeeper on {CONTROL[1]}" in steps(plans[name])


def test_gates_wait_as_long_as_they_are_told(plans):
    waiting = [
        state["arguments"]["pillar"]
        for state in plans["without one"]["states"]
        if "pillar" in state["arguments"]
    ]
    assert waiting and all(pillar == {"timeout": 7} for pillar in waiting)
    gates = [
        state["arguments"]["timeout"]
        for state in plans["a minion's gates"]["states"]
        if "timeout" in state["arguments"]
    ]
    assert gates == [7] * 6


def test_patterns_are_one_step_together(plans):
    slaves = next(
        state
        for state in plans["two patterns"]["states"]
        if state["id"] == "The Mesos slaves are registered"
    )
    assert slaves["arguments"]["tgt"] == f"{PATTERN} or lxd*.devops.test"


def test_what_the_table_does_not_have_gets_no_step(plans):
    assert steps(plans["zookeeper alone"])[1:] == [
        *(f"ZooKeeper on {node}" for node in CONTROL),
        "ZooKeeper has its quorum",
        "Every node has all that its roles name",
    ]


@pytest.mark.parametrize("name", ["without one", "apps, scaled"])
def test_old_names_of_options_work_and_are_reported(plans, name):
    old = plans[f"{name}, by the old names"]["states"]
    (notice,) = [state for state in old if state["function"] == "test.show_notification"]
    assert "patience is deprecated. Use timeout instead." in notice["arguments"]["text"]

    def steps_with_pillar(states):
        """The steps in order, each with what it tells the nodes; options in their old names, too."""
        pillars = [state["arguments"].get("pillar") or {} for state in states]
        for pillar in pillars:
            pillar.pop("patience", None)
        return [(state["id"], pillar) for state, pillar in zip(states, pillars, strict=True)]

    assert steps_with_pillar([state for state in old if state != notice]) == steps_with_pillar(
        plans[name]["states"]
    )


@pytest.mark.parametrize(
    "name, words",
    [
        ("skipped and unknown", ["lxcc09.devops.test", "not in the topology", CONTROL[0]]),
        (
            "faulty table",
            ["lxcc01.devops.test:zookeeper_id = 0", "lxcc02.devops.test:address = nowhere"],
        ),
        ("empty table", ["names no node"]),
        ("impatient", ["timeout = soon"]),
    ],
)
def test_what_makes_no_sense_is_the_only_step(plans, name, words):
    (only,) = plans[name]["states"]
    assert only["function"] == "test.fail_without_changes" and all(
        word in only["name"] for word in words
    )


def test_a_gate_comes_after_what_it_waits_for(plans):
    order = steps(plans["a minion's gates"])
    for service, gate in (
        ("zookeeper-service", "this-server-has-joined"),
        ("mesos-master-service", "this-master-is-healthy"),
        ("marathon-service", "marathon-answers"),
        ("chronos-service", "chronos-answers"),
    ):
        assert order.index(service) < order.index(gate)
    agent = steps(plans["an agent's gate"])
    assert (
        agent.index("docker-service")
        < agent.index("mesos-slave-service")
        < agent.index("this-agent-is-registered")
    )


def test_gates_ask_where_the_table_says(plans):
    gates = {
        state["id"]: state["arguments"]
        for name in ("a minion's gates", "an agent's gate")
        for state in plans[name]["states"]
    }
    assert gates["this-master-is-healthy"]["member"] == "http://172.31.250.11:5050"
    assert gates["this-master-is-healthy"]["url"] == [
        f"http://172.31.250.1{number}:5050" for number in (1, 2, 3)
    ]
    assert (
        gates["this-server-has-joined"]["myid"] == 1
        and len(gates["this-server-has-joined"]["servers"]) == 3
    )
    assert gates["marathon-answers"]["url"] == "http://172.31.250.11:8080"
    assert gates["this-agent-is-registered"]["agents"] == ["172.31.250.65"]


def test_a_minion_takes_its_roles_from_a_table_without_fault(plans):
    assert [state["function"] for state in plans["stamped"]["states"]] == [
        "saltutil.sync_all",
        "grains.present",
    ]
    assert plans["stamped"]["states"][1]["arguments"]["value"] == [
        "zookeeper",
        "mesos-master",
        "marathon",
        "chronos",
    ]
    for name, word in (
        ("not stamped", "lxcc02.devops.test:zookeeper_id"),
        ("nothing to stamp", "names no node"),
    ):
        (only,) = plans[name]["states"]
        assert only["function"] == "test.fail_without_changes" and word in only["name"]


APPS = [
    "The Mesos masters have their weights and quotas",
    "Marathon has its groups and apps",
    "Chronos has its jobs",
]


def test_what_is_declared_is_brought_to_the_cluster_by_one_node_of_each_role(plans):
    assert steps(plans["apps"]) == APPS and targets(plans["apps"]) == [CONTROL] * 3
    assert targets(plans["apps without one"]) == [CONTROL[1:]] * 3
    assert steps(plans["apps of nodes apart"]) == APPS[:2]
    assert targets(plans["apps of nodes apart"]) == [CONTROL, ["lxcm01.devops.test"]]
    for state in plans["apps"]["states"]:
        arguments = state["arguments"]
        assert (
            arguments["subset"] == 1
            and arguments["tgt_type"] == "list"
            and arguments["failhard"] is True
        )


def test_a_leader_comes_before_what_it_is_asked_for(plans):
    assert [state["arguments"]["sls"] for state in plans["apps"]["states"]] == [
        ["orchestration.minion.mesos_leader", "mesos.policy"],
        ["orchestration.minion.marathon_leader", "marathon.apps"],
        ["orchestration.minion.chronos_leader", "chronos.jobs"],
    ]
    run = plans["the gates of apps"]["states"]
    gates = [state for state in run if state["function"].endswith("available")]
    assert [(state["arguments"]["timeout"], state["arguments"]["failhard"]) for state in gates] == [
        (7, True)
    ] * 3
    order = steps(plans["the gates of apps"])
    for gate, declared in (
        ("the-masters-have-a-leader", "mesos-weights"),
        ("marathon-has-a-leader", "marathon-apps"),
        ("chronos-has-a-leader", "chronos-jobs"),
    ):
        assert order.index(gate) < order.index(declared)


def test_pillar_on_the_command_line_is_for_the_nodes_too(plans):
    for state in plans["apps, scaled"]["states"]:
        assert state["arguments"]["pillar"] == {"timeout": 7, **SCALED}
    for name in ("apps", "apps without one"):
        assert all(not state["arguments"]["pillar"] for state in plans[name]["states"])


@pytest.mark.parametrize(
    "name, words",
    [
        ("apps of a faulty table", ["lxcc01.devops.test:zookeeper_id = 0"]),
        ("apps of an empty table", ["names no node"]),
    ],
)
def test_without_a_table_nothing_is_brought_anywhere(plans, name, words):
    (only,) = plans[name]["states"]
    assert only["function"] == "test.fail_without_changes" and all(
        word in only["name"] for word in words
    )
