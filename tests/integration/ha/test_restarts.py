"""A change of all services on all nodes at once: nothing is down for longer than an election."""

import itertools
import json
import time

import pytest
from cluster_lab import eventually
from ha_cluster import (
    AGENTS,
    CHANGED,
    CONTROL,
    SERVICES,
    active_agents,
    app_on_fixed_port,
    apply_all,
    changes,
    check_healthy,
    downtimes,
    failed_tasks,
    failed_tasks_since,
    failures,
    no_turn_is_left,
    start_times,
    starts_since,
    turn_znodes,
    turns,
    wait_for_pages,
)
from ha_observer import Observer

pytestmark = pytest.mark.lines("3008")


def test_one_change_of_every_service_on_all_nodes_at_once(ha):
    ha.orchestrated("apps")
    wait_for_pages("http-server")
    lost_before, agents = failed_tasks(), active_agents()
    with app_on_fixed_port() as port, Observer(ha, app_port=port) as observer:
        done = apply_all(ha, CHANGED)
    print(observer.table())
    assert failures(done) == []
    restarted = {host: dict.fromkeys(units, "restarted") for host, units in SERVICES.items()}
    assert {host: changes(done)[host] for host in SERVICES} == restarted
    assert set(observer.down.values()) == {1}, observer.table()
    observer.check_elections()
    assert observer.outages["app"] == [], observer.table()
    dockerd = downtimes(ha, "docker")
    assert all(start < stop for (_, start), (stop, _) in itertools.pairwise(dockerd)), dockerd
    assert failed_tasks_since(lost_before) == {}
    assert no_turn_is_left(ha)
    check_healthy(ha, agents=agents)
    assert wait_for_pages("http-server")
    znodes = turn_znodes(ha)
    assert changes(apply_all(ha, CHANGED)) == dict.fromkeys(changes(done), {})
    assert turn_znodes(ha) == znodes


def holder(ha, turn_class: str) -> str:
    """Return the host that has a turn, empty without one."""
    holders = [entry["host"] for entry in turns(ha)[turn_class] if entry["state"] == "holds"]
    return holders[0].partition(".")[0] if holders else ""


def test_a_run_that_dies_in_the_middle_is_completed_by_the_next_one(ha):
    started, agents, begin = start_times(ha), active_agents(), time.time()
    # Back to the settings in pillar.
    ha.do("salt", "--async", "*", "state.apply")
    dying = eventually(lambda: holder(ha, "control-nodes"), 120)
    ha.at(dying).run("systemctl kill --signal=KILL salt-minion; systemctl restart salt-minion")
    ha.run("systemctl kill --signal=KILL salt-master; systemctl restart salt-master")
    without_power = eventually(lambda: holder(ha, "agents"), 120)
    ha.do("kill", without_power)
    ha.do("start", without_power)
    # Nodes that still apply the states of the first run refuse a second one.
    eventually(lambda: failures(apply_all(ha)) == [], 900)
    assert no_turn_is_left(ha)
    check_healthy(ha, agents=agents)
    restarted = start_times(ha)
    for host, unit in started:
        assert started[host, unit] != restarted[host, unit], (host, unit)
    starts = starts_since(ha, begin)
    twice = {daemon: count for daemon, count in starts.items() if count > 1}
    # One that has booted may have to be restarted once more.
    assert {host for host, _ in twice} <= {without_power}, twice
    done = apply_all(ha)
    assert failures(done) == [] and not any(changes(done).values()), changes(done)
    assert start_times(ha) == restarted


# The daemons exit: there is no such file, and no such program.
FATAL = {
    "mesos": {
        "master": {"flags": {"cluster": "file:///no-such-file"}},
        "slave": {"flags": {"docker": "/usr/bin/no-docker"}},
    }
}
# Unit -> nodes that have it, and the end of the journal. Other tests may have added an agent.
FATAL_ERRORS = {"mesos-master": (CONTROL, "no-such-file"), "mesos-slave": (AGENTS, "no-docker")}
AGENT_ON_HOLD = "lxb004"


def comments(done, unit: str) -> dict[str, str]:
    """Return the comment of ``daemon.running`` for a daemon by host."""
    return {
        host.partition(".")[0]: state["comment"]
        for host, states in json.loads(done.stdout).items()
        for key, state in states.items()
        if key.startswith("daemon_|") and key.endswith(f"_|-{unit}_|-running")
    }


def test_a_fatal_flag_reaches_one_node_of_each_class_and_a_held_node_is_left_alone(ha):
    before, agents = start_times(ha), active_agents()
    ha.at(AGENT_ON_HOLD).run("salt-call cluster.hold 'its disk is being replaced'")
    with Observer(ha) as observer:
        done = apply_all(ha, FATAL)
    print(observer.table())
    for unit, (nodes, error) in FATAL_ERRORS.items():
        reasons = comments(done, unit)
        assert set(reasons) >= set(nodes)
        [broken] = [host for host, reason in reasons.items() if error in reason]
        for host in set(nodes) - {broken, AGENT_ON_HOLD}:
            assert f"{broken}.devops.test has not been ready since" in reasons[host], reasons
            assert start_times(ha)[host, unit] == before[host, unit]
    observer.check_turns()
    observer.check_elections()
    eventually(lambda: active_agents() == agents - 1)
    with Observer(ha) as observer:
        repaired = apply_all(ha, {"common": {"restarts": {"max_unavailable": 2}}})
    print(observer.table())
    observer.check_turns(max_unavailable=2)
    observer.check_elections()
    for results in (done, repaired):
        assert "its disk is being replaced" in comments(results, "mesos-slave")[AGENT_ON_HOLD]
    assert {failure.partition(".")[0] for failure in failures(repaired)} == {AGENT_ON_HOLD}
    assert start_times(ha)[AGENT_ON_HOLD, "mesos-slave"] == before[AGENT_ON_HOLD, "mesos-slave"]
    ha.at(AGENT_ON_HOLD).run("salt-call cluster.release")
    assert ha.at(AGENT_ON_HOLD).converge()
    assert no_turn_is_left(ha)
    check_healthy(ha, agents=agents)
