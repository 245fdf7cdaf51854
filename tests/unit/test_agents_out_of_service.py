"""
Agents that are out of service: which they are, what runs on them, and the states that take them out
of service, bring them back, and remove them.
"""

import applying
import pytest
from mesos_world import HOSTS, MesosCluster, RecordingMaster, until

# Both lines apply the states in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

NEW = "1.11.0"
OLD = "1.8.1"
NODES = ["lxb001", "lxb002"]
AGENTS = dict(zip(NODES, HOSTS, strict=False))
BUSY = {NODES[0]: HOSTS[0]}


class Agents(applying.StateRunner):
    service = "mesos"

    def __init__(self, salt, world):
        self.salt = salt
        self.world = world
        self.leader = world.leader
        self.url = world.url

    def writes(self):
        return self.leader.heard

    def reasons(self) -> dict[str, str]:
        return {entry["hostname"]: entry["reason"] for entry in self.call("out_of_service")}


@pytest.fixture
def place(salt, running, tmp_path):
    """Return a function that starts a cluster of a version, with a task on the first agent."""
    return lambda version: Agents(salt, MesosCluster(salt, running, tmp_path, version=version))


def end_task(cluster):
    """Let the framework stop its task."""
    for task in cluster.leader.tasks.values():
        task.killing = True
    until(lambda: all(task.over for task in cluster.leader.tasks.values()))


# --- the function ---


def test_nothing_is_out_of_service_unless_an_operator_wants_it(place):
    cluster = place(NEW)
    assert cluster.call("out_of_service") == []
    cluster.call("add_maintenance_window", HOSTS[2], "+1h")
    assert cluster.call("out_of_service") == []


def test_each_reason_is_named_with_what_still_runs(place, monkeypatch):
    monkeypatch.setattr(RecordingMaster, "_drain", lambda *arguments: None)
    cluster = place(NEW)
    cluster.call("drain_agent", HOSTS[0])
    cluster.call("deactivate_agent", HOSTS[1])
    cluster.call("add_maintenance_window", HOSTS[2:4], "now")
    cluster.call("machine_down", HOSTS[3], confirm=True)
    busy, *empty = cluster.call("out_of_service")
    assert (busy["hostname"], busy["reason"]) == (HOSTS[0], "draining")
    assert busy["tasks"] == {"web.1": "TASK_RUNNING"} and busy["id"]
    assert [(entry["hostname"], entry["reason"], entry["tasks"]) for entry in empty] == [
        (HOSTS[1], "deactivated", {}),
        (HOSTS[2], "maintenance", {}),
        (HOSTS[3], "down", {}),
    ]


# --- out of service, and back ---


def test_an_agent_that_has_not_reregistered_is_not_taken_for_one_in_service(place):
    """A new leader does not know before whether the agent is drained."""
    cluster = place(NEW)
    name = "lxb009.devops.test"
    info = {"hostname": name, "port": 5051, "attributes": []}
    cluster.leader.recovered_agents["S9"] = info
    reason = "has not reregistered with the new leader"
    assert reason in cluster.rejected("agent_active", name)
    assert reason in cluster.rejected("agents_in_service", "back", agents=[name])
    with pytest.raises(cluster.salt.Error) as caught:
        cluster.call("reactivate_agent", name)
    assert reason in str(caught.value)


@pytest.mark.parametrize("version, reason", [(NEW, "drained"), (OLD, "maintenance")])
def test_agents_go_out_of_service_together_and_come_back(place, version, reason):
    cluster = place(version)
    if version == OLD:
        end_task(cluster)
    assert cluster.changed("agents_out_of_service", "out", agents=AGENTS) == {
        f"/{node}": {"old": "active", "new": reason} for node in NODES
    }
    assert cluster.reasons() == dict.fromkeys(HOSTS[:2], reason)
    assert not cluster.call("tasks", state="running")
    assert cluster.changed("agents_in_service", "in", agents=AGENTS) == {
        f"/{node}": {"old": reason, "new": "active"} for node in NODES
    }
    assert cluster.reasons() == {}


def test_tasks_that_do_not_stop_fail_the_state_and_are_listed(place, monkeypatch):
    monkeypatch.setattr(RecordingMaster, "_drain", lambda *arguments: None)
    cluster = place(NEW)
    changes, comment = cluster.fails_with_changes(
        "agents_out_of_service", "out", agents=BUSY, timeout=1
    )
    assert changes == {"/lxb001": {"old": "active", "new": "drained"}}
    assert comment == (
        "After 1 second 1 task still runs on lxb001: web.1. max_grace_period limits how long tasks "
        "may take to stop. Run this again to continue"
    )
    assert cluster.fails("agents_out_of_service", "out", agents=BUSY, timeout=1) == comment
    assert cluster.writes() == ["DRAIN_AGENT"]
    assert cluster.rejected("agents_in_service", "in", agents=BUSY).startswith("still draining")
    comment = cluster.fails("agents_gone", "gone", agents=BUSY, confirm=True)
    assert comment == "lxb001 is draining, and is only removed once it is drained"


def test_before_mesos_1_9_only_the_frameworks_move_the_tasks(place):
    cluster = place(OLD)
    comment = cluster.fails_with_changes("agents_out_of_service", "out", agents=BUSY, timeout=1)[1]
    assert "1 task still runs on lxb001: web.1. Before Mesos 1.9 only the frameworks" in comment
    end_task(cluster)
    cluster.unchanged("agents_out_of_service", "out", agents=BUSY, timeout=1)
    cluster.call("machine_down", HOSTS[0], confirm=True)
    # The master has shut the agent down, and systemd would start it again.
    assert cluster("agents_in_service", "in", agents=BUSY)["result"] is True
    assert cluster.reasons() == {}


def test_an_agent_that_is_out_of_service_for_another_reason_stays_as_it_is(place):
    cluster = place(NEW)
    cluster.call("add_maintenance_window", HOSTS[1], "now")
    cluster.unchanged("agents_out_of_service", "out", agents={"lxb002": HOSTS[1]})
    cluster.call("deactivate_agent", HOSTS[2])
    assert cluster.changed("agents_out_of_service", "out", agents=[HOSTS[2]]) == {
        f"/{HOSTS[2]}": {"old": "deactivated", "new": "drained"}
    }


def test_an_agent_that_is_not_registered_is_an_error_before_anything_changes(place):
    cluster = place(NEW)
    agents = {**AGENTS, "lxb009": "10.0.0.9"}
    for state in ("agents_out_of_service", "agents_in_service"):
        assert cluster.rejected(state, "x", agents=agents).startswith(
            "agents: not registered at the leading Mesos master: lxb009."
        )
    cluster.unchanged("agents_out_of_service", "x", agents=["10.0.0.9"], ignore_missing=True)
    # All of them have this address.
    assert "4 agents are called 127.0.0.1. Use an id: " in cluster.rejected(
        "agents_out_of_service", "x", agents=["127.0.0.1"]
    )


@pytest.mark.parametrize("agents", [[], {}, None, 7, [7], [""]])
def test_invalid_agents_are_an_error(place, agents):
    cluster = place(NEW)
    for state in ("agents_out_of_service", "agents_in_service"):
        assert "should be a list of ids" in cluster.rejected(state, "x", agents=agents)


# --- gone ---


def test_a_drained_agent_is_removed_for_good(place):
    cluster = place(NEW)
    assert cluster.rejected("agents_gone", "gone", agents=BUSY).startswith("confirm: ")
    comment = cluster.fails("agents_gone", "gone", agents=BUSY, confirm=True)
    assert comment == "lxb001 is active, and is only removed once it is drained"
    cluster.changed("agents_out_of_service", "out", agents=BUSY)
    agent_id = cluster.call("agent", HOSTS[0])["id"]
    assert cluster.changed("agents_gone", "gone", agents=BUSY, confirm=True) == {
        "/lxb001": {"old": agent_id, "new": None}
    }
    assert agent_id in cluster.leader.gone_agents


@pytest.mark.parametrize("version", [OLD, "1.4.3"])
def test_a_removed_agent_leaves_the_maintenance_schedule(place, version):
    cluster = place(version)
    cluster.changed("agents_out_of_service", "out", agents={"lxb002": HOSTS[1]})
    arguments = {"agents": {"lxb002": HOSTS[1]}, "confirm": True, "timeout": 1}
    if version == "1.4.3":
        comment = cluster.fails("agents_gone", "gone", **arguments)
        assert "lxb002 is still registered. Stop its Mesos agent" in comment
        return
    cluster.changed("agents_gone", "gone", **arguments)
    assert cluster.reasons() == {}
