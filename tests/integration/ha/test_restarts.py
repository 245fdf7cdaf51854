"""A change of all services on all nodes at once: nothing is down for longer than an election."""

import json

import pytest
from cluster_lab import eventually
from ha_cluster import AGENTS, CONTROL, check_healthy, get, mesos_leader, wait_for_pages
from ha_observer import Observer

pytestmark = pytest.mark.lines("3008")

# One option of each service. The one of Docker cannot be reloaded.
CHANGED = {
    "zookeeper": {"options": {"syncLimit": 6}},
    "mesos": {
        "master": {"flags": {"max_completed_frameworks": 40}},
        "slave": {"flags": {"executor_shutdown_grace_period": "6secs"}},
    },
    "marathon": {"options": {"task_launch_timeout": 310000}},
    "chronos": {"options": {"failure_retry": 61000}},
    "docker": {"options": {"log-opts": {"max-size": "60m"}}},
}
SERVICES = {
    **{host: ("zookeeper", "mesos-master", "marathon", "chronos") for host in CONTROL},
    **{host: ("docker", "mesos-slave") for host in AGENTS},
}
# The session of a master in ZooKeeper lasts 10 seconds, and it does not end it when it stops.
ELECTION_SECONDS = 25


def apply_all(ha, pillar: dict | None = None):
    """Run ``salt '*' state.apply``, whatever its result."""
    extra = [f"pillar={json.dumps(pillar)}"] if pillar else []
    return ha.call("salt", "--timeout=900", "--out=json", "--static", "*", "state.apply", *extra)


def failures(done) -> list[str]:
    """Return the failed states, or what was printed instead of results."""
    return [
        f"{host}: {state if isinstance(states, list) else state['comment']}"
        for host, states in json.loads(done.stdout).items()
        for state in (states.values() if isinstance(states, dict) else states)
        if isinstance(states, list) or state["result"] is False
    ]


def changes(done, kind: str = "daemon") -> dict[str, dict[str, str]]:
    """Return the changes of the states of a module by host."""
    return {
        host.partition(".")[0]: {
            name: change
            for key, state in states.items()
            if key.startswith(f"{kind}_|")
            for name, change in state["changes"].items()
        }
        for host, states in json.loads(done.stdout).items()
    }


def starts(ha) -> dict[tuple[str, str], str]:
    return {
        (host, unit): ha.at(host).start_time(unit)
        for host, units in SERVICES.items()
        for unit in units
    }


def turns(ha) -> dict:
    return json.loads(ha.at("lxcc01").run("salt-call cluster.turns --out=json"))["local"]


def no_turn_is_left(ha) -> bool:
    status = turns(ha)
    return not (status["control-nodes"] or status["agents"]) and not any(status["unready"].values())


def killed_tasks() -> list[dict]:
    """Return the tasks that have failed or were lost."""
    state = get(mesos_leader(None), 5050, "/state").json()
    tasks = [task for entry in state["frameworks"] for task in entry["completed_tasks"]]
    return [task for task in tasks if task["state"] not in ("TASK_KILLED", "TASK_FINISHED")]


def active_agents() -> int:
    """Return the number of active agents: four, and those that other tests have added."""
    return get(eventually(lambda: mesos_leader(None)), 5050, "/state").json()["activated_slaves"]


def test_one_change_of_every_service_on_all_nodes_at_once(ha):
    ha.orchestrated("apps")
    wait_for_pages("http-server")
    lost_before, agents = killed_tasks(), active_agents()
    with Observer(ha) as observer:
        done = apply_all(ha, CHANGED)
    print(observer.table())
    assert failures(done) == []
    restarted = {host: dict.fromkeys(units, "restarted") for host, units in SERVICES.items()}
    assert {host: changes(done)[host] for host in SERVICES} == restarted
    assert observer.down == {"control": 1, "agents": 1}, observer.table()
    for service in ("zookeeper", "mesos", "marathon", "chronos"):
        outages = observer.outages[service]
        assert all(seconds < ELECTION_SECONDS for seconds in outages), observer.table()
    assert len(observer.outages["mesos"]) <= 1, observer.table()
    assert killed_tasks() == lost_before
    assert no_turn_is_left(ha)
    check_healthy(ha, agents=agents)
    assert wait_for_pages("http-server")
    assert changes(apply_all(ha, CHANGED)) == dict.fromkeys(changes(done), {})


def holder(ha, turn_class: str) -> str:
    """Return the host that has a turn, empty without one."""
    holders = [entry["host"] for entry in turns(ha)[turn_class] if entry["state"] == "holds"]
    return holders[0].partition(".")[0] if holders else ""


def test_a_run_that_dies_in_the_middle_is_completed_by_the_next_one(ha):
    started, agents = starts(ha), active_agents()
    # Back to the settings in pillar.
    ha.do("salt", "--async", "*", "state.apply")
    dying = eventually(lambda: holder(ha, "control-nodes"), 120)
    ha.at(dying).run("systemctl kill --signal=KILL salt-minion; systemctl restart salt-minion")
    without_power = eventually(lambda: holder(ha, "agents"), 120)
    ha.do("kill", without_power)
    ha.do("start", without_power)
    # Nodes that still apply the states of the first run refuse a second one.
    eventually(lambda: failures(apply_all(ha)) == [], 900)
    assert no_turn_is_left(ha)
    check_healthy(ha, agents=agents)
    restarted = starts(ha)
    for host, unit in started:
        assert started[host, unit] != restarted[host, unit], (host, unit)
    done = apply_all(ha)
    assert failures(done) == [] and not any(changes(done).values()), changes(done)
    assert starts(ha) == restarted
