"""The orchestrations: their steps follow from the topology, and errors stop them."""

import itertools

import pytest

from lab import ROOT, SALT_LINES

from .topologies import topology

MASTER = "lxcm01.devops.test_master"
CONTROL = [f"lxcc0{number}.devops.test" for number in (1, 2, 3)]
GLOB = "lxb*.devops.test"


def orchestration(name: str, contents: dict | None = None, **pillar) -> dict:
    return {
        "id": MASTER,
        "sls": [f"orchestration.{name}"],
        "topology": contents or topology(),
        "pillar": pillar,
    }


AGENTS = [f"lxb00{number}.devops.test" for number in (1, 2, 3, 4)]


def rollout(name: str, contents: dict | None = None, *, up=None, down=(), **pillar) -> dict:
    """Return the case of an orchestration that asks which nodes respond."""
    nodes = ["lxcm01.devops.test", *CONTROL, *AGENTS] if up is None else up
    answer = {"up": [node for node in nodes if node not in down], "down": list(down)}
    return {**orchestration(name, contents, **pillar), "runners": {"manage.status": answer}}


PAST = "2020-01-02T03:04:05Z"
MANY_AGENTS = [f"lxb{number:03}.devops.test" for number in range(1, 13)]
LATER = {"lxd*.devops.test": {"address": "10.7.0.0/16", "roles": ["mesos-slave"]}}
SCALED = {"marathon": {"apps": {"/hello": {"instances": 3}}}}
SEPARATE = {
    **{f"lxcc0{number}": {"roles": ["zookeeper", "mesos-master"]} for number in (1, 2, 3)},
    "lxcm01": {"roles": ["marathon"]},
}
CASES = {
    "apps": orchestration("apps"),
    "apps, one skipped": orchestration("apps", skip=CONTROL[0]),
    "apps, scaled": orchestration("apps", timeout=7, **SCALED),
    "apps of separate nodes": orchestration("apps", topology(SEPARATE)),
    "apps of a topology with an error": orchestration(
        "apps", topology({"lxcc01": {"zookeeper_id": 0}})
    ),
    "apps of an empty topology": orchestration("apps", {"nodes": {}}),
    "checks of apps": {
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
    "roles": orchestration("roles"),
    "deploy": rollout("deploy"),
    "one skipped": rollout("deploy", skip=CONTROL[2:], timeout=7),
    "one skipped, as text": rollout("deploy", skip=CONTROL[2]),
    "a glob skipped": rollout("deploy", skip=["lxcc0[23]*", "lxb003*", AGENTS[3]]),
    "old names": rollout("deploy", absent=CONTROL[2:], patience=7),
    "two globs": rollout("deploy", topology(LATER), up=["lxd001.devops.test", *CONTROL, AGENTS[0]]),
    "twelve agents": rollout("deploy", up=[*CONTROL, *MANY_AGENTS], down=MANY_AGENTS[10:]),
    "batches of five": rollout("deploy", up=[*CONTROL, *MANY_AGENTS], batch=5, max_failures=3),
    "nodes down": rollout("deploy", down=[CONTROL[0], AGENTS[1]]),
    "too many agents down": rollout("deploy", down=AGENTS[2:]),
    "half of the agents may be down": rollout("deploy", down=AGENTS[2:], tolerate_down="50%"),
    "a skipped agent is down": rollout("deploy", down=AGENTS[2:], skip=["lxb003*"]),
    "all agents down": rollout("deploy", down=AGENTS, tolerate_down="100%"),
    "no node responds": rollout("deploy", up=[]),
    "new masters above": {
        **rollout("deploy"),
        "minions": {"service.status": {CONTROL[1]: True, CONTROL[2]: True}},
    },
    "zookeeper alone": rollout(
        "deploy",
        topology(
            {name: {"roles": ["zookeeper"]} for name in ("lxcc01", "lxcc02", "lxcc03")},
            {"lxb*": None},
        ),
        up=["lxcm01.devops.test", *CONTROL],
    ),
    "unknown node skipped": rollout("deploy", skip=["lxcc09.devops.test"]),
    "glob skipped that matches nothing": rollout("deploy", skip=["lxb09*"]),
    "skip that is a number": rollout("deploy", skip=3),
    "batch of none": rollout("deploy", batch=0),
    "batch that is text": rollout("deploy", batch="some"),
    "tolerated share above all": rollout("deploy", tolerate_down="101%"),
    "failures that are a share": rollout("deploy", max_failures="10%"),
    "unknown key": {
        **rollout("deploy", max_failure=1),
        "arguments": ["orchestration.deploy", 'pillar={"max_failure": 1, "patience": 7}'],
    },
    "key of another orchestration": {
        **rollout("deploy", role="marathon"),
        "arguments": ["orchestration.of_the_site", 'pillar={"role": "marathon"}'],
    },
    "topology with errors": rollout(
        "deploy", topology({"lxcc01": {"zookeeper_id": 0}, "lxcc02": {"address": "nowhere"}})
    ),
    "empty topology": rollout("deploy", {"nodes": {}}),
    "timeout that is text": rollout("deploy", timeout="soon"),
    "timeout that is negative": rollout("deploy", timeout=-1),
    "restart": rollout("restart", down=[AGENTS[3]]),
    "restart of two roles": rollout("restart", role=["docker", "zookeeper"], since=PAST, timeout=7),
    "restart of a role of agents": rollout("restart", role="docker"),
    "restart of a role that nobody has": rollout(
        "restart", topology(SEPARATE), up=[*CONTROL, AGENTS[0]], role="chronos"
    ),
    "restart of an unknown role": rollout("restart", role=["mesos", "marathon"]),
    "restart of nothing": rollout("restart", role=[]),
    "restart since tomorrow": rollout("restart", role="marathon", since="2100-01-01T00:00:00Z"),
    "restart since text": rollout("restart", role="marathon", since="yesterday"),
    "stale daemons since": rollout("restart", since=PAST),
    "restarted": {
        "id": CONTROL[0],
        "sls": ["orchestration.minion.restarted"],
        "topology": topology(),
        "grains": {"roles": ["zookeeper", "mesos-master", "marathon", "chronos"]},
        "pillar": {"restart": {"roles": ["mesos-master", "chronos", "docker"], "since": 1000}},
    },
    "restarted agent": {
        "id": AGENTS[0],
        "sls": ["orchestration.minion.restarted"],
        "topology": topology(),
        "grains": {"roles": ["mesos-slave", "docker"], "ipv4": ["172.31.250.65"]},
        "pillar": {"restart": {"roles": ["mesos-slave", "docker"], "since": None}},
    },
    "checks of a control node": {
        "id": CONTROL[0],
        "sls": [
            "orchestration.minion.zookeeper",
            "orchestration.minion.mesos_master",
            "orchestration.minion.marathon",
            "orchestration.minion.chronos",
            "orchestration.minion.zookeeper_quorum",
            "orchestration.minion.mesos_leader",
        ],
        "topology": topology(),
        "grains": {"roles": ["zookeeper", "mesos-master", "marathon", "chronos"]},
        "pillar": {"timeout": 7},
    },
    "checks of an agent": {
        "id": "lxb001.devops.test",
        "sls": ["orchestration.minion.mesos_slave"],
        "topology": topology(),
        "grains": {"roles": ["mesos-slave", "docker"], "ipv4": ["172.31.250.65"]},
    },
    "new ids": orchestration(
        "agent_identity",
        agents=["lxb001.devops.test", "lxb002.devops.test", "lxb003.devops.test", "lxc*"],
        at_once=2,
        max_grace_period="10m",
    ),
    "new id of one agent": orchestration("agent_identity", agents="lxb001.devops.test"),
    "new ids of nobody": orchestration("agent_identity"),
    "new ids, none at once": orchestration("agent_identity", agents=GLOB, at_once=0),
    "new id": {
        "id": "lxb001.devops.test",
        "sls": ["orchestration.minion.agent_identity"],
        "topology": topology(),
        "grains": {"roles": ["mesos-slave", "docker"], "ipv4": ["172.31.250.65"]},
        "pillar": {"timeout": 7, "drain_timeout": 9, "max_grace_period": "10m"},
    },
    "new id with a hook": {
        "id": "lxb001.devops.test",
        "sls": ["orchestration.minion.agent_identity"],
        "topology": topology(),
        "grains": {"roles": ["mesos-slave", "docker"], "ipv4": ["172.31.250.65"]},
        "pillar": {"mesos": {"slave": {"flags": {"hooks": "site_Attributes"}}}},
    },
    "roles of a minion": {
        "id": CONTROL[0],
        "sls": ["orchestration.minion.roles"],
        "topology": topology(),
    },
    "roles of a topology with an error": {
        "id": CONTROL[0],
        "sls": ["orchestration.minion.roles"],
        "topology": topology({"lxcc02": {"zookeeper_id": 1}}),
    },
    "roles of an empty topology": {
        "id": CONTROL[0],
        "sls": ["orchestration.minion.roles"],
        "topology": {"nodes": {}},
    },
}


AGENT = "lxb001.devops.test"
AGENT_ADDRESSES = {
    f"lxb00{number}.devops.test": f"172.31.250.{64 + number}" for number in (1, 2, 3)
}


def about_agents(name: str, *, responding=tuple(AGENT_ADDRESSES), errors=(), **pillar) -> dict:
    """Return the case of an orchestration of agents, with the answer of the runner."""
    answer = {
        "agents": {} if errors else AGENT_ADDRESSES,
        "responding": list(responding),
        "errors": list(errors),
    }
    return {
        **orchestration(name, agents=["lxb00[123]*"], **pillar),
        "runners": {"cluster.agents": answer},
    }


CASES.update(
    {
        "drain": about_agents("drain"),
        "drain of two at once": about_agents("drain", at_once=2, timeout=7, max_grace_period="10m"),
        "drain of none at once": about_agents("drain", at_once=0),
        "drain of nobody": about_agents("drain", errors=["agents = x: no minion matches."]),
        "drain without the runner": {
            **about_agents("drain"),
            "runners": {},
        },
        "drain without a topology": orchestration("drain", {"nodes": {}}, agents=[AGENT]),
        "undrain": about_agents("undrain", responding=[AGENT], at_once=2),
        "retire": about_agents("retire", responding=[AGENT], at_once=3),
        "retire of a named agent": {
            **about_agents("retire"),
            **orchestration(
                "retire",
                topology(
                    {"lxb002.devops.test": {"address": "172.31.250.66", "roles": ["mesos-slave"]}}
                ),
                agents=[AGENT],
            ),
        },
        "replace": about_agents("replace", at_once=3),
        "new machines": about_agents("replace", at_once=3, new_machine=True),
        "new machine without a key": about_agents("replace", responding=[], new_machine=True),
        "new machine that is text": about_agents("replace", new_machine="yes"),
        "verify": orchestration("verify", timeout=7),
        "verify without Chronos": orchestration("verify", topology(SEPARATE)),
        "verify without frameworks": orchestration(
            "verify",
            topology(
                {
                    name: {"roles": ["zookeeper", "mesos-master"]}
                    for name in ("lxcc01", "lxcc02", "lxcc03")
                }
            ),
        ),
        "verification on a node": {
            "id": CONTROL[0],
            "sls": [
                "orchestration.minion.mesos_agents",
                "orchestration.minion.marathon_verified",
                "orchestration.minion.chronos_verified",
            ],
            "topology": topology(),
            "pillar": {"timeout": 7},
        },
        "agents on a master": {
            "id": CONTROL[0],
            "sls": [
                "orchestration.minion.agents_out_of_service",
                "orchestration.minion.agents_in_service",
                "orchestration.minion.agents_gone",
            ],
            "topology": topology(),
            "pillar": {
                "agents": {AGENT: "172.31.250.65"},
                "drain_timeout": 7,
                "max_grace_period": "10m",
                "ignore_missing": True,
            },
        },
        "agent that is stopped": {
            "id": AGENT,
            "sls": ["orchestration.minion.agent_stopped"],
            "topology": topology(),
            "grains": {"roles": ["mesos-slave", "docker"], "ipv4": ["172.31.250.65"]},
        },
    }
)


UPGRADE_STEPS = [
    {"name": "The cluster is backed up", "backup": {"keep": 3}},
    {
        "name": "ZooKeeper on lxcc01.devops.test: 3.5.10 -> 3.8.0",
        "nodes": CONTROL[:1],
        "sls": ["orchestration.minion.zookeeper"],
        "pillar": {},
    },
    {
        "name": "Marathon is stopped on lxcc02.devops.test, lxcc03.devops.test",
        "nodes": CONTROL[1:],
        "sls": ["orchestration.minion.marathon_leader", "orchestration.minion.marathon_stopped"],
        "pillar": {"marathon_upgrade": True},
    },
]


def upgrade(steps=(), notes=(), errors=(), **pillar) -> dict:
    """Return the case of an upgrade, with the answer of the runner."""
    answer = {"steps": list(steps), "notes": list(notes), "errors": list(errors)}
    return {**orchestration("upgrade", **pillar), "runners": {"cluster.upgrade_plan": answer}}


CASES.update(
    {
        "upgrade": upgrade(UPGRADE_STEPS, ["lxb002 does not respond to Salt."], timeout=7),
        "upgrade of nothing": upgrade(),
        "upgrade with an error": upgrade(errors=["components = x: no such component."]),
        "upgrade without the runner": orchestration("upgrade"),
        "upgrade of an unknown node skipped": upgrade(UPGRADE_STEPS, skip=["lxcc09"]),
        "upgrade of a Marathon": {
            "id": CONTROL[0],
            "sls": [
                "orchestration.minion.marathon_stopped",
                "orchestration.minion.marathon_version",
            ],
            "topology": topology(),
            "grains": {"roles": ["zookeeper", "mesos-master", "marathon", "chronos"]},
            "pillar": {"timeout": 7, "marathon": {"version": "1.8.244"}},
        },
    }
)


ORCHESTRATIONS = sorted((ROOT / "salt" / "orchestration").glob("*.sls"))


@pytest.mark.parametrize("file", ORCHESTRATIONS, ids=lambda file: file.stem)
def test_the_head_of_an_orchestration_has_a_command_that_shows_its_changes(file):
    head = itertools.takewhile(lambda line: line.startswith("#"), file.read_text().splitlines())
    commands = [line for line in head if f"orchestration.{file.stem}" in line]
    assert commands[0].endswith("test=True")


@pytest.fixture(scope="module")
def answers_by_line(render):
    return render(CASES)


@pytest.fixture(params=SALT_LINES)
def plans(request, answers_by_line) -> dict[str, dict]:
    for name, answer in answers_by_line[request.param].items():
        assert not answer.get("errors") and not answer["invalid"], (name, answer)
    return answers_by_line[request.param]


def steps(plan: dict) -> list[str]:
    return [state["id"] for state in plan["states"]]


def targets(plan: dict) -> list:
    return [state["arguments"].get("tgt") for state in plan["states"]]


ROLES = "Every node that responds has its roles"
ENSEMBLE = "ZooKeeper on all nodes listed by id, in turns"
CANARY = f"Mesos agent on {AGENTS[0]}, the canary"
ALL_STATES = "All states are applied to every node"
NODES_WITH_ENTRY = ["lxcm01.devops.test", *CONTROL]


def batch_steps(*batches: tuple[str, ...]) -> list[str]:
    count = len(batches)
    return [
        f"Mesos agent on {' to '.join(batch)}, batch {number} of {count}"
        for number, batch in enumerate(batches, 1)
    ]


def test_every_entry_gets_its_roles(plans):
    assert steps(plans["roles"]) == [
        "Every named node responds and has its roles",
        f"The nodes {GLOB} have their roles",
    ]
    assert targets(plans["roles"]) == [NODES_WITH_ENTRY, GLOB]


def test_a_deployment_goes_from_zookeeper_to_the_frameworks(plans):
    assert steps(plans["deploy"]) == [
        ROLES,
        ENSEMBLE,
        "ZooKeeper has its quorum",
        *(f"Mesos master on {node}" for node in CONTROL),
        "The Mesos masters have a leader",
        CANARY,
        *batch_steps((AGENTS[1],), (AGENTS[2],), (AGENTS[3],)),
        *(f"Marathon on {node}" for node in CONTROL),
        *(f"Chronos on {node}" for node in CONTROL),
        ALL_STATES,
    ]
    assert (
        targets(plans["deploy"])[0] == targets(plans["deploy"])[-1] == [*NODES_WITH_ENTRY, *AGENTS]
    )
    assert targets(plans["deploy"])[1] == NODES_WITH_ENTRY


def test_a_failed_step_stops_the_run(plans):
    for name in ("roles", "deploy", "two globs", "restart"):
        assert all(
            state["arguments"]["failhard"] is True
            for state in plans[name]["states"]
            if state["function"] == "salt.state"
        )


def test_a_skipped_node_gets_no_step(plans):
    for name in ("one skipped", "one skipped, as text", "old names"):
        assert CONTROL[2] not in str(steps(plans[name])) + str(targets(plans[name]))
        assert f"Marathon on {CONTROL[1]}" in steps(plans[name])


def test_globs_skip_named_nodes_and_those_that_a_glob_of_the_topology_covers(plans):
    plan = plans["a glob skipped"]
    assert targets(plan)[0] == ["lxcm01.devops.test", CONTROL[0], *AGENTS[:2]]
    assert [step for step in steps(plan) if "agent" in step] == [CANARY, *batch_steps((AGENTS[1],))]


def test_checks_wait_for_the_timeout(plans):
    pillars = [
        state["arguments"]["pillar"]
        for state in plans["one skipped"]["states"]
        if "pillar" in state["arguments"]
    ]
    assert pillars and all(pillar == {"timeout": 7} for pillar in pillars)
    timeouts = [
        state["arguments"]["timeout"]
        for state in plans["checks of a control node"]["states"]
        # A new ZooKeeper server waits for the others, which takes as long as their installation.
        if "timeout" in state["arguments"] and state["function"] != "zk.may_join"
    ]
    assert timeouts == [7] * 6


def test_the_nodes_of_all_globs_are_agents(plans):
    assert [step for step in steps(plans["two globs"]) if "agent" in step] == [
        CANARY,
        *batch_steps(("lxd001.devops.test",)),
    ]


def test_agents_follow_their_canary_in_batches_of_a_quarter(plans):
    plan = plans["twelve agents"]
    assert [step for step in steps(plan) if "agent" in step] == [
        CANARY,
        *batch_steps(
            (MANY_AGENTS[1], MANY_AGENTS[2]),
            (MANY_AGENTS[3], MANY_AGENTS[4]),
            (MANY_AGENTS[5], MANY_AGENTS[6]),
            (MANY_AGENTS[7], MANY_AGENTS[8]),
            (MANY_AGENTS[9],),
        ),
    ]
    assert MANY_AGENTS[1:3] in targets(plan)


def test_a_batch_of_which_all_agents_fail_stops_the_run(plans):
    allowed_failures = {
        state["id"]: state["arguments"].get("allow_fail", 0)
        for state in plans["batches of five"]["states"]
        if "agent" in state["id"]
    }
    assert list(allowed_failures.values()) == [0, 3, 3, 0]
    assert list(allowed_failures)[-1].endswith(f"on {MANY_AGENTS[11]}, batch 3 of 3")


def test_nodes_that_do_not_respond_are_left_out_and_fail_the_run_at_its_end(plans):
    plan = plans["nodes down"]
    warning, end = plan["states"][0], plan["states"][-1]
    assert warning["arguments"]["warnings"] == [CONTROL[0], AGENTS[1]]
    assert end["id"] == "Every node responds"
    assert end["function"] == "test.fail_without_changes"
    assert f"left out: {CONTROL[0]}, {AGENTS[1]}. " in end["name"]
    assert steps(plan)[-2] == ALL_STATES
    assert not {CONTROL[0], AGENTS[1]} & {node for tgt in targets(plan) for node in tgt or []}
    # Another server than the one that is down tells whether there is a quorum.
    check = next(state for state in plan["states"] if state["id"] == "ZooKeeper has its quorum")
    assert check["arguments"]["tgt"] == [CONTROL[1]]


def test_more_agents_may_be_down_if_the_operator_says_so(plans):
    for name, silent in (
        ("half of the agents may be down", AGENTS[2:]),
        ("a skipped agent is down", AGENTS[3:]),
    ):
        assert f"left out: {', '.join(silent)}. " in plans[name]["states"][-1]["name"], name
        assert CANARY in steps(plans[name])


def test_masters_that_run_are_deployed_before_new_ones(plans):
    masters = [step for step in steps(plans["new masters above"]) if "Mesos master on" in step]
    assert masters == [f"Mesos master on {CONTROL[index]}" for index in (1, 2, 0)]


def test_a_role_that_no_node_has_gets_no_step(plans):
    assert steps(plans["zookeeper alone"]) == [
        ROLES,
        ENSEMBLE,
        "ZooKeeper has its quorum",
        ALL_STATES,
    ]


@pytest.mark.parametrize(
    "name, words",
    [
        ("unknown node skipped", ["lxcc09.devops.test", "not in the topology", CONTROL[0]]),
        ("glob skipped that matches nothing", ["skip = lxb09*: no node of the topology matches"]),
        ("skip that is a number", ["skip = 3: should be a list of nodes"]),
        (
            "topology with errors",
            ["lxcc01.devops.test:zookeeper_id = 0", "lxcc02.devops.test:address = nowhere"],
        ),
        ("empty topology", ["names no node"]),
        ("timeout that is text", ["timeout = soon"]),
        ("timeout that is negative", ["timeout = -1"]),
        ("batch of none", ["batch = 0: should be a number of agents from 1, or a percentage"]),
        ("batch that is text", ["batch = some: should be a number of agents"]),
        ("tolerated share above all", ["tolerate_down = 101%: should be a number of agents"]),
        ("failures that are a share", ["max_failures = 10%: should be a number of agents from 0"]),
        ("unknown key", ["max_failure = 1: unknown. The keys", "tolerate_down, batch"]),
        (
            "too many agents down",
            ["tolerate_down = 25%: 2 of 4 agents", "at most 1 may", AGENTS[2], AGENTS[3]],
        ),
        ("all agents down", ["tolerate_down = 100%: 4 of 4 agents do not respond"]),
        ("no node responds", ["No node of the topology responds"]),
        ("restart of a role that nobody has", ["role = chronos: no node that responds has"]),
        ("restart of an unknown role", ["role = mesos: should be one of zookeeper, mesos-master"]),
        ("restart of nothing", ["role = []: should be a role or a list of roles"]),
        ("restart since tomorrow", ["since = 2100-01-01T00:00:00Z: should be a time in the past"]),
        ("restart since text", ["since = yesterday: should be a time in the past, in UTC"]),
        ("stale daemons since", [f"since = {PAST}: needs the key role"]),
    ],
)
def test_errors_are_the_only_step(plans, name, words):
    (step,) = plans[name]["states"]
    assert step["function"] == "test.fail_without_changes"
    assert all(word in step["name"] for word in words), step["name"]


def test_keys_of_another_orchestration_are_not_its_own_unknown_keys(plans):
    assert steps(plans["key of another orchestration"]) == steps(plans["deploy"])


def test_stale_daemons_are_restarted_on_control_nodes_and_then_on_agents(plans):
    plan = plans["restart"]
    assert steps(plan) == [
        "Nodes that do not respond are left out",
        "Restart of stale daemons on the control nodes, in turns",
        f"Restart of stale daemons on {AGENTS[0]}, the canary",
        f"Restart of stale daemons on {AGENTS[1]}, batch 1 of 2",
        f"Restart of stale daemons on {AGENTS[2]}, batch 2 of 2",
        "Every node responds",
    ]
    control = plan["states"][1]["arguments"]
    assert control["tgt"] == CONTROL and control["sls"] == "orchestration.minion.restarted"
    assert control["pillar"]["restart"]["since"] is None
    assert "mesos-slave" in control["pillar"]["restart"]["roles"]


def test_a_restart_of_roles_names_the_time_with_which_it_continues(plans):
    plan = plans["restart of two roles"]
    assert steps(plan)[:3] == [
        f"Daemons that have run since before {PAST} are restarted",
        "Restart of zookeeper on the control nodes, in turns",
        f"Restart of docker on {AGENTS[0]}, the canary",
    ]
    assert f'"since": "{PAST}"' in plan["states"][0]["arguments"]["comment"]
    assert plan["states"][1]["arguments"]["pillar"] == {
        "restart": {"roles": ["zookeeper", "docker"], "since": 1577934245},
        "timeout": 7,
    }
    assert "control nodes" not in str(steps(plans["restart of a role of agents"]))


def test_a_restart_changes_no_file_and_has_the_arguments_of_the_formula(plans):
    states = {state["id"]: state for state in plans["restarted"]["states"]}
    assert list(states) == [
        "settings-are-known",
        "mesos-master-service",
        "chronos-service",
        "turn-returned",
    ]
    formula = {state["id"]: state for state in plans["checks of a control node"]["states"]}
    for name in ("mesos-master-service", "chronos-service"):
        assert states[name]["name"] == formula[name]["name"]
        arguments = dict(states[name]["arguments"])
        assert arguments.pop("since") == 1000
        assert arguments == formula[name]["arguments"]
    agent = {state["id"]: state for state in plans["restarted agent"]["states"]}
    formula = {state["id"]: state for state in plans["checks of an agent"]["states"]}
    for name in ("mesos-slave-service", "docker-service"):
        arguments = dict(agent[name]["arguments"])
        assert arguments.pop("since") is None
        assert arguments == formula[name]["arguments"]


def test_a_check_comes_after_the_service_that_it_waits_for(plans):
    order = steps(plans["checks of a control node"])
    for service, check in (
        ("zookeeper-service", "this-server-has-joined"),
        ("mesos-master-service", "this-master-is-healthy"),
        ("marathon-service", "marathon-answers"),
        ("chronos-service", "chronos-answers"),
    ):
        assert order.index(service) < order.index(check)
    agent = steps(plans["checks of an agent"])
    assert (
        agent.index("docker-service")
        < agent.index("mesos-slave-service")
        < agent.index("this-agent-is-registered")
    )


def test_checks_use_the_addresses_of_the_topology(plans):
    checks = {
        state["id"]: state["arguments"]
        for name in ("checks of a control node", "checks of an agent")
        for state in plans[name]["states"]
    }
    assert checks["this-master-is-healthy"]["member"] == "http://172.31.250.11:5050"
    assert checks["this-master-is-healthy"]["url"] == [
        f"http://172.31.250.1{number}:5050" for number in (1, 2, 3)
    ]
    assert (
        checks["this-server-has-joined"]["myid"] == 1
        and len(checks["this-server-has-joined"]["servers"]) == 3
    )
    assert checks["marathon-answers"]["url"] == "http://172.31.250.11:8080"
    assert checks["this-agent-is-registered"]["agents"] == ["172.31.250.65"]


def test_a_minion_gets_its_roles_from_a_topology_without_errors(plans):
    assert [state["function"] for state in plans["roles of a minion"]["states"]] == [
        "saltutil.sync_all",
        "grains.present",
    ]
    assert plans["roles of a minion"]["states"][1]["arguments"]["value"] == [
        "zookeeper",
        "mesos-master",
        "marathon",
        "chronos",
    ]
    for name, word in (
        ("roles of a topology with an error", "lxcc02.devops.test:zookeeper_id"),
        ("roles of an empty topology", "names no node"),
    ):
        (step,) = plans[name]["states"]
        assert step["function"] == "test.fail_without_changes" and word in step["name"]


APPS = [
    "The Mesos masters have their weights and quotas",
    "Marathon has its groups and apps",
    "Chronos has its jobs",
]


def test_declarations_are_applied_on_one_node_of_each_role(plans):
    assert steps(plans["apps"]) == APPS and targets(plans["apps"]) == [CONTROL] * 3
    assert targets(plans["apps, one skipped"]) == [CONTROL[1:]] * 3
    assert steps(plans["apps of separate nodes"]) == APPS[:2]
    assert targets(plans["apps of separate nodes"]) == [CONTROL, ["lxcm01.devops.test"]]
    for state in plans["apps"]["states"]:
        arguments = state["arguments"]
        assert (
            arguments["subset"] == 1
            and arguments["tgt_type"] == "list"
            and arguments["failhard"] is True
        )


def test_the_leader_is_checked_before_declarations_are_applied(plans):
    assert [state["arguments"]["sls"] for state in plans["apps"]["states"]] == [
        ["orchestration.minion.mesos_leader", "mesos.policy"],
        ["orchestration.minion.marathon_leader", "marathon.apps"],
        ["orchestration.minion.chronos_leader", "chronos.jobs"],
    ]
    states = plans["checks of apps"]["states"]
    checks = [
        (state["arguments"]["timeout"], state["arguments"]["failhard"])
        for state in states
        if state["function"].endswith("available")
    ]
    assert checks == [(7, True)] * 3
    order = steps(plans["checks of apps"])
    for check, declared in (
        ("the-masters-have-a-leader", "mesos-weights"),
        ("marathon-has-a-leader", "marathon-apps"),
        ("chronos-has-a-leader", "chronos-jobs"),
    ):
        assert order.index(check) < order.index(declared)


def test_nodes_get_the_pillar_of_the_command_line(plans):
    for state in plans["apps, scaled"]["states"]:
        assert state["arguments"]["pillar"] == {"timeout": 7, **SCALED}
    for name in ("apps", "apps, one skipped"):
        assert all(not state["arguments"]["pillar"] for state in plans[name]["states"])


@pytest.mark.parametrize(
    "name, words",
    [
        ("apps of a topology with an error", ["lxcc01.devops.test:zookeeper_id = 0"]),
        ("apps of an empty topology", ["names no node"]),
    ],
)
def test_nothing_is_applied_without_a_topology(plans, name, words):
    (step,) = plans[name]["states"]
    assert step["function"] == "test.fail_without_changes" and all(
        word in step["name"] for word in words
    )


def test_the_old_names_of_options_still_work_and_are_reported(plans):
    report, *steps_after = plans["old names"]["states"]
    assert report["function"] == "test.configurable_test_state"
    assert report["arguments"]["warnings"] == [
        "The pillar key absent is deprecated. Use skip instead.",
        "The pillar key patience is deprecated. Use timeout instead.",
    ]
    assert steps_after == plans["one skipped"]["states"]


def test_agents_register_under_a_new_id_a_few_at_a_time(plans):
    agents, later_agents, matching = plans["new ids"]["states"]
    cluster = f"( {' or '.join(topology()['nodes'])} )"
    assert [state["arguments"]["tgt"] for state in (agents, later_agents, matching)] == [
        f"( lxb001.devops.test or lxb002.devops.test ) and {cluster} and G@roles:mesos-slave",
        f"( lxb003.devops.test ) and {cluster} and G@roles:mesos-slave",
        f"( lxc* ) and {cluster} and G@roles:mesos-slave",
    ]
    for state in (agents, later_agents, matching):
        arguments = state["arguments"]
        assert arguments["sls"] == "orchestration.minion.agent_identity"
        assert arguments["pillar"] == {"max_grace_period": "10m"} and arguments["failhard"] is True
    # A batch leaves out minions that do not respond, so named ones have none.
    assert [state["arguments"].get("batch") for state in (agents, matching)] == [None, 2]
    (step,) = plans["new id of one agent"]["states"]
    assert step["arguments"]["tgt"] == (
        f"( lxb001.devops.test ) and {cluster} and G@roles:mesos-slave"
    )


@pytest.mark.parametrize(
    "name, words",
    [
        ("new ids of nobody", "agents: should be a list of agents"),
        ("new ids, none at once", "at_once = 0: should be a number of agents"),
    ],
)
def test_no_agent_registers_anew_with_invalid_options(plans, name, words):
    (step,) = plans[name]["states"]
    assert step["function"] == "test.fail_without_changes" and words in step["name"]


def test_an_agent_loses_its_identity_before_the_formula_checks_it(plans):
    states = {state["id"]: state for state in plans["new id"]["states"]}
    order = steps(plans["new id"])
    removed, stays = states["mesos-slave-new-id"], states["mesos-slave-identity"]
    assert order.index("mesos-slave-new-id") < order.index("mesos-slave-identity")
    removal_arguments = {
        "unit": "mesos-slave",
        "drain": True,
        "max_grace_period": "10m",
        "timeout": 9,
    }
    requisites = ("require", "require_in", "order")
    arguments = [
        {key: value for key, value in state["arguments"].items() if key not in requisites}
        for state in (removed, stays)
    ]
    assert arguments[0] == {**arguments[1], **removal_arguments}
    assert (removed["name"], removed["function"]) == (
        "/var/lib/mesos",
        "mesos.agent_identity_removed",
    )
    assert states["this-agent-is-registered"]["arguments"]["timeout"] == 7
    assert order.index("docker-service") < order.index("this-agent-is-registered")


def test_only_the_agent_knows_its_identity_if_it_has_hooks(plans):
    states = {state["id"]: state for state in plans["new id with a hook"]["states"]}
    assert states["mesos-slave-new-id"]["function"] == "test.fail_without_changes"
    assert "mesos-slave-identity" not in states


# --- agents out of service ---


def arguments(plan: dict, number: int) -> dict:
    return plan["states"][number]["arguments"]


def test_agents_are_drained_one_after_another_on_a_master_that_answers(plans):
    assert steps(plans["drain"]) == [
        f"{node} is out of service, and nothing runs there" for node in AGENT_ADDRESSES
    ]
    step = arguments(plans["drain"], 0)
    assert (step["tgt"], step["tgt_type"], step["subset"]) == (CONTROL, "list", 1)
    assert step["failhard"] is True
    assert step["sls"] == [
        "orchestration.minion.mesos_leader",
        "orchestration.minion.agents_out_of_service",
    ]
    assert step["pillar"] == {
        "agents": {AGENT: "172.31.250.65"},
        "drain_timeout": 600,
        "max_grace_period": None,
        "ignore_missing": False,
    }


def test_some_agents_are_drained_at_once_with_the_options(plans):
    pair, single = plans["drain of two at once"]["states"]
    assert pair["id"].startswith("lxb001.devops.test, lxb002.devops.test are out of service")
    assert single["id"].startswith("lxb003.devops.test is out of service")
    pillar = pair["arguments"]["pillar"]
    assert (len(pillar["agents"]), pillar["drain_timeout"], pillar["max_grace_period"]) == (
        2,
        7,
        "10m",
    )


@pytest.mark.parametrize(
    "name, words",
    [
        ("drain of none at once", "at_once = 0: should be a number of agents"),
        ("drain of nobody", "agents = x: no minion matches."),
        ("drain without the runner", "salt-run saltutil.sync_runners"),
        ("drain without a topology", "names no node"),
        ("new machine without a key", "lxb001.devops.test does not respond to Salt"),
        ("verify without frameworks", "No node of the topology has the role marathon or chronos"),
        ("new machine that is text", "new_machine = yes: should be true or false"),
    ],
)
def test_no_agent_is_touched_after_an_error(plans, name, words):
    (step,) = plans[name]["states"]
    assert step["function"] == "test.fail_without_changes" and words in step["name"]


def test_an_agent_in_service_again_gets_the_restarts_that_it_owes(plans):
    assert steps(plans["undrain"]) == [
        "lxb001.devops.test, lxb002.devops.test are in service",
        "lxb001.devops.test has all that its roles name",
        "lxb002.devops.test does not respond to Salt",
        "lxb003.devops.test is in service",
        "lxb003.devops.test does not respond to Salt",
    ]
    assert arguments(plans["undrain"], 1)["highstate"] is True
    # With test=True the agents are not in service before.
    assert arguments(plans["undrain"], 1)["pillar"] == {"in_service": True}
    assert "salt lxb002.devops.test state.apply" in arguments(plans["undrain"], 2)["comment"]


def test_a_retired_agent_is_stopped_before_its_id_is_removed(plans):
    names = "lxb001.devops.test, lxb002.devops.test, lxb003.devops.test"
    assert steps(plans["retire"]) == [
        f"{names} are out of service, and nothing runs there",
        "The Mesos agent is stopped on lxb001.devops.test",
        "lxb002.devops.test does not respond to Salt",
        "lxb003.devops.test does not respond to Salt",
        f"{names} are removed from Mesos permanently",
        *(f"What is left to be deleted of {node}" for node in AGENT_ADDRESSES),
    ]
    # A lost machine is not registered any more.
    assert arguments(plans["retire"], 0)["pillar"]["ignore_missing"] is True
    comment = arguments(plans["retire"], 5)["comment"]
    assert "salt-key -d lxb001.devops.test. The topology stays as it is" in comment
    comments = {
        state["id"]: state["arguments"].get("comment")
        for state in plans["retire of a named agent"]["states"]
    }
    comment = comments["What is left to be deleted of lxb002.devops.test"]
    assert comment.endswith("Then remove its entry from pillar/topology.yaml.")


def test_a_replaced_agent_is_retired_and_the_new_machine_joins_in_a_second_run(plans):
    names = ", ".join(AGENT_ADDRESSES)
    assert steps(plans["replace"]) == [
        f"{names} are out of service, and nothing runs there",
        f"The Mesos agent is stopped on {names}",
        f"{names} are removed from Mesos permanently",
        *(f"What is left to be done by hand for {node}" for node in AGENT_ADDRESSES),
    ]
    comment = arguments(plans["replace"], -1)["comment"]
    assert "the address 172.31.250.67" in comment and '"new_machine": true' in comment
    assert steps(plans["new machines"]) == [
        f"The roles are assigned to {names}",
        f"{names} are registered under a new id",
        f"All that the roles name is on {names}",
    ]


def test_the_states_on_a_master_get_the_agents_and_options(plans):
    departure, comeback, removal = plans["agents on a master"]["states"]
    agents = {AGENT: "172.31.250.65"}
    assert departure["arguments"] == {
        "agents": agents,
        "timeout": 7,
        "max_grace_period": "10m",
        "ignore_missing": True,
    }
    assert comeback["arguments"] == {"agents": agents}
    assert removal["arguments"] == {"agents": agents, "confirm": True}


def test_an_agent_is_stopped_and_masked_and_returns_its_turn(plans):
    stop, end = plans["agent that is stopped"]["states"]
    assert stop["function"] == "withdrawn.stopped" and stop["arguments"]["mask"] is True
    assert stop["arguments"]["daemons"] == [{"role": "mesos-slave", "unit": "mesos-slave"}]
    assert end["function"] == "daemon.turn_returned"


# --- verification ---


def test_an_app_and_a_job_are_run_on_a_node_of_each_role(plans):
    assert steps(plans["verify"]) == [
        "Mesos has a leader and agents",
        "An app of Marathon runs, answers over HTTP and is removed",
        "A job of Chronos runs, succeeds and is removed",
    ]
    assert targets(plans["verify"]) == [CONTROL] * 3
    for state in plans["verify"]["states"]:
        assert (state["arguments"]["subset"], state["arguments"]["pillar"]) == (1, {"timeout": 7})
    # Without an agent nothing can run; a failure of Marathon says nothing about Chronos.
    assert [state["arguments"].get("failhard") for state in plans["verify"]["states"]] == [
        True,
        None,
        None,
    ]


def test_a_framework_that_no_node_has_is_not_verified(plans):
    assert steps(plans["verify without Chronos"]) == steps(plans["verify"])[:2]
    assert targets(plans["verify without Chronos"])[1] == ["lxcm01.devops.test"]


def test_verification_uses_ids_of_its_own_and_the_timeout(plans):
    agents, app, job = plans["verification on a node"]["states"]
    assert agents["arguments"] == {"count": 1, "timeout": 7}
    assert (app["function"], app["name"]) == ("marathon.verified", "/salt-mesos-verify/app")
    assert (job["function"], job["name"]) == ("chronos.verified", "salt-mesos-verify")
    assert app["arguments"] == job["arguments"] == {"timeout": 7}


# --- upgrade ---


def test_an_upgrade_carries_out_the_plan_of_the_runner(plans):
    states = plans["upgrade"]["states"]
    assert steps(plans["upgrade"]) == [
        *(step["name"] for step in UPGRADE_STEPS),
        "lxb002 does not respond to Salt.",
        "What to do next",
    ]
    backup, zookeeper, marathon = states[:3]
    assert (backup["function"], backup["name"]) == ("salt.runner", "cluster.backup")
    assert backup["arguments"] == {"keep": 3, "failhard": True}
    assert zookeeper["arguments"] == {
        "tgt": CONTROL[:1],
        "tgt_type": "list",
        "sls": ["orchestration.minion.zookeeper"],
        "pillar": {"timeout": 7},
        "failhard": True,
    }
    assert marathon["arguments"]["sls"] == UPGRADE_STEPS[2]["sls"]
    assert marathon["arguments"]["pillar"] == {"timeout": 7, "marathon_upgrade": True}


def test_a_cluster_with_all_versions_is_left_alone(plans):
    assert steps(plans["upgrade of nothing"]) == ["All nodes have the versions in pillar"]


@pytest.mark.parametrize(
    "name, words",
    [
        ("upgrade with an error", "components = x: no such component."),
        ("upgrade without the runner", "salt-run saltutil.sync_runners"),
        ("upgrade of an unknown node skipped", "skip = lxcc09: not in the topology."),
    ],
)
def test_nothing_is_upgraded_after_an_error(plans, name, words):
    (step,) = plans[name]["states"]
    assert step["function"] == "test.fail_without_changes" and words in step["name"]


def test_a_marathon_is_stopped_in_a_turn_and_the_new_version_awaited(plans):
    states = {state["id"]: state for state in plans["upgrade of a Marathon"]["states"]}
    stop, check = states["marathon-is-stopped"], states["marathon-leads-with-its-version"]
    assert stop["function"] == "withdrawn.stopped"
    daemon = {"role": "marathon", "unit": "marathon", "control": True}
    assert stop["arguments"]["daemons"] == [daemon]
    assert check["arguments"] == {
        "version": "1.8.244",
        "url": "http://172.31.250.11:8080",
        "timeout": 7,
    }
    assert states["turn-returned"]["function"] == "daemon.turn_returned"
