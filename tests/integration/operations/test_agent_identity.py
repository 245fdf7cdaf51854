"""
An attribute that an agent does not survive under its id: state.apply refuses it before it writes a
file, and orchestration.agent_identity moves the tasks and gives the agent a new id.
"""

import json

import pytest
from cluster_lab import eventually
from ha_cluster import (
    AGENTS,
    agent_ids,
    check_healthy,
    failed_tasks,
    failed_tasks_since,
    get,
    no_turn_is_left,
)

pytestmark = pytest.mark.lines("3008")

HOST = "lxb004"
PEERS = [address for host, address in AGENTS.items() if host != HOST]
OPTIONS = {"agents": [f"{HOST}.devops.test"]}
IDENTITY = "agent_identity"


@pytest.fixture
def serve_rack(ha, serve):
    """Return a function that serves the attribute rack; at the end the agent has none again."""

    def serve_attribute(rack: str) -> None:
        serve({"mesos": {"slave": {"attributes": {"rack": rack}}}})

    yield serve_attribute
    serve({})
    ha.orchestrated(IDENTITY, json.dumps(OPTIONS))
    check_healthy(ha)


@pytest.fixture
def agent(ha, serve_rack):
    """The host of an agent with the attribute rack=r1. The only one that gets tasks."""
    node, first_id = ha.at(HOST), agent_id()
    serve_rack("r1")
    node.converge()
    # An added attribute is permitted.
    assert (agent_id(), rack()) == (first_id, "r1")
    # But the checkpoint has it only after the agent has registered anew.
    node.remove_agent_id()
    eventually(lambda: agent_id() != first_id)
    for address in PEERS:
        ha.at("lxcc01").run(f"salt-call mesos.deactivate_agent {address}")
    yield node
    put_peers_into_service(ha)


def put_peers_into_service(ha) -> None:
    state = ha.at("lxcc01").single("mesos.agents_in_service", "others", agents=PEERS)
    assert state["result"] is True, state


def agent_id() -> str:
    """Return the id of the agent, as soon as it is registered."""
    return eventually(lambda: agent_ids().get(AGENTS[HOST]))


def rack() -> str | None:
    return get(HOST, 5051, "/state").json()["attributes"].get("rack")


def test_an_agent_with_another_attribute_is_refused_until_it_may_have_a_new_id(
    ha, agent, app, serve_rack
):
    old_id = agent_id()
    put_peers_into_service(ha)
    serve_rack("r2")
    check_refused(agent)
    assert (agent_id(), rack()) == (old_id, "r1")

    assert set(app.addresses()) == {AGENTS[HOST]}
    lost_before = failed_tasks()
    ha.orchestrated(IDENTITY, json.dumps(OPTIONS))
    assert agent_id() != old_id and rack() == "r2"
    app.wait_until_moved(AGENTS[HOST])
    assert failed_tasks_since(lost_before) == {}
    assert no_turn_is_left(ha)
    assert agent.converge() == {}


def check_refused(node) -> None:
    """Assert that state.apply names the difference and the command, and changes nothing."""
    files, process = node.file_list(), node.start_time("mesos-slave")
    results = node.apply()
    failures = [state for state in results.values() if state["result"] is False]
    [refusal] = [state for state in failures if state["__id__"] == "mesos-slave-identity"]
    assert "rack: r1 -> r2" in refusal["comment"]
    command = f"orchestration.{IDENTITY} pillar='{json.dumps(OPTIONS)}'"
    assert command in refusal["comment"]
    assert not any(state["changes"] for state in results.values())
    assert (node.file_list(), node.start_time("mesos-slave")) == (files, process)
