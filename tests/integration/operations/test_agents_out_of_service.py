"""
An agent that is drained loses its tasks to other agents, and is left alone by state.apply until it
is back in service. Then it carries out the restart that it owes. The machine of another agent is
replaced, and the cluster works.
"""

import json

import pytest
from cluster_lab import eventually
from ha_cluster import AGENTS, check_healthy, get, mesos_leader, running_tasks

pytestmark = pytest.mark.lines("3008")

APP = {"cmd": "sleep 3600", "cpus": 0.1, "mem": 32, "instances": 8}
CHANGED_FLAG = {"mesos": {"slave": {"flags": {"registration_backoff_factor": "2secs"}}}}


@pytest.fixture(autouse=True, scope="module")
def modules(ha):
    ha.at("lxcm01").run("salt-run saltutil.sync_runners")
    ha.at("lxcm01").run("salt '*' saltutil.sync_all")


@pytest.fixture
def app(ha):
    """An app that runs on all agents."""
    minion = ha.at("lxcc01")
    minion.run(f"salt-call marathon.create_app /spread '{json.dumps(APP)}'")
    eventually(lambda: len(running_tasks("spread")) == APP["instances"], 60)
    yield
    minion.run("salt-call marathon.delete_app /spread force=True")


def orchestrate(ha, name: str, **pillar) -> str:
    text = json.dumps(pillar)
    return ha.at("lxcm01").run(f"salt-run state.orchestrate orchestration.{name} pillar='{text}'")


def hosts_of_tasks() -> list[str]:
    """Return the address of the agent of each running task."""
    return [task["host"] for task in running_tasks("spread")]


def agent_ids(ha) -> dict[str, str]:
    """Return the id of each agent that the leader has registered, by address."""
    state = get(eventually(lambda: mesos_leader(ha)), 5050, "/state").json()
    return {agent["hostname"]: agent["id"] for agent in state["slaves"]}


def process(ha, host: str) -> str:
    return ha.at(host).run("systemctl show mesos-slave --property=MainPID")


def test_a_drained_agent_is_left_alone_until_it_is_back_in_service(ha, app):
    check_healthy(ha)
    host = next(host for host in AGENTS if AGENTS[host] in hosts_of_tasks())
    agents = {"agents": [f"{host}*"]}
    before = process(ha, host)
    try:
        check_left_alone(ha, host, agents)
        assert process(ha, host) == before
    finally:
        # The flag is no longer declared, so its file was changed twice: a restart is owed.
        orchestrate(ha, "undrain", **agents)
    assert process(ha, host) != before
    check_healthy(ha)


def check_left_alone(ha, host: str, agents: dict) -> None:
    """Drain an agent, and assert that its tasks move and that state.apply leaves it alone."""
    orchestrate(ha, "drain", **agents, timeout=120)
    # Marathon hears of it after Mesos.
    eventually(lambda: hosts_of_tasks().count(AGENTS[host]) == 0, 60)
    eventually(lambda: len(hosts_of_tasks()) == APP["instances"], 60)
    assert AGENTS[host] not in hosts_of_tasks()
    assert "drained" in ha.at("lxcc01").run("salt-call mesos.out_of_service")

    change = f"salt-call --state-output=full state.apply pillar='{json.dumps(CHANGED_FLAG)}'"
    assert "is out of service (drained)" in ha.at(host).run(change)
    status = ha.at("lxcm01").execute("salt-run", "--no-color", "cluster.status")
    assert status.returncode == 0 and "is out of service (drained)" in status.stdout


def test_the_machine_of_an_agent_is_replaced(ha):
    host, before = "lxb002", agent_ids(ha)
    agents = {"agents": [f"{host}*"], "timeout": 120}
    steps = orchestrate(ha, "replace", **agents)
    assert f"salt-key -d {host}.devops.test" in steps
    assert AGENTS[host] not in agent_ids(ha)
    enabled = ha.at(host).execute("systemctl", "is-enabled", "mesos-slave")
    assert enabled.stdout.strip() == "masked"

    ha.do("replace", host)
    orchestrate(ha, "replace", **agents, new_machine=True)
    check_healthy(ha)
    assert agent_ids(ha).keys() == before.keys()
    assert agent_ids(ha)[AGENTS[host]] != before[AGENTS[host]]
    assert ha.at(host).converge() == {}


def test_the_cluster_works_and_keeps_nothing_of_the_verification(ha):
    orchestrate(ha, "verify")
    minion = ha.at("lxcc01")
    assert "salt-mesos-verify" not in minion.run("salt-call marathon.groups")
    assert "salt-mesos-verify" not in minion.run("salt-call chronos.jobs")
