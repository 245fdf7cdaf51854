"""
An agent that is drained loses its tasks to other agents, and is left alone by state.apply until it
is back in service. Then it carries out the restart that it owes. An agent is retired, the machine
of another one is replaced, and the cluster works.
"""

import json

import pytest
from ha_cluster import AGENTS, agent_ids, check_healthy, failed_tasks, failed_tasks_since

pytestmark = pytest.mark.lines("3008")

CHANGED_FLAG = {"mesos": {"slave": {"flags": {"registration_backoff_factor": "2secs"}}}}


@pytest.fixture(autouse=True, scope="module")
def modules(ha):
    ha.at("lxcm01").run("salt-run saltutil.sync_runners")
    ha.at("lxcm01").run("salt '*' saltutil.sync_all")


def orchestrate(ha, name: str, test: bool = False, **pillar) -> str:
    """Run an orchestration, assert success, and return its output."""
    code, output = ha.orchestrate(name, json.dumps(pillar), test)
    assert code == 0, output
    return output


def process(ha, host: str) -> str:
    return ha.at(host).run("systemctl show mesos-slave --property=MainPID")


def host_with_tasks(app) -> str:
    return next(host for host in AGENTS if AGENTS[host] in app.addresses())


def test_a_drained_agent_is_left_alone_until_it_is_back_in_service(ha, app):
    check_healthy(ha)
    host = host_with_tasks(app)
    agents = {"agents": [f"{host}*"]}
    before = process(ha, host)
    try:
        check_left_alone(ha, app, host, agents)
        # The flag is no longer declared, so its file was changed twice: a restart is owed.
        prediction = "mesos-slave would be restarted. Newer than the process: /etc/mesos-slave"
        assert prediction in orchestrate(ha, "undrain", test=True, **agents)
        assert "drained" in ha.at("lxcc01").run("salt-call mesos.out_of_service")
        assert process(ha, host) == before
    finally:
        orchestrate(ha, "undrain", **agents)
    assert process(ha, host) != before
    check_healthy(ha)


def check_left_alone(ha, app, host: str, agents: dict) -> None:
    """Drain an agent, and assert that its tasks move and that state.apply leaves it alone."""
    orchestrate(ha, "drain", **agents, timeout=120)
    app.wait_until_moved(AGENTS[host])
    assert "drained" in ha.at("lxcc01").run("salt-call mesos.out_of_service")

    change = f"salt-call --state-output=full state.apply pillar='{json.dumps(CHANGED_FLAG)}'"
    assert "is out of service (drained)" in ha.at(host).run(change)
    status = ha.at("lxcm01").execute("salt-run", "--no-color", "cluster.status")
    assert status.returncode == 0 and "is out of service (drained)" in status.stdout


def check_removed(ha, app, host: str) -> None:
    """Assert that an agent is gone, and cannot start again, and its tasks run elsewhere."""
    assert AGENTS[host] not in agent_ids()
    enabled = ha.at(host).execute("systemctl", "is-enabled", "mesos-slave")
    assert enabled.stdout.strip() == "masked"
    app.wait_until_moved(AGENTS[host])


def test_no_task_is_lost_when_agents_are_retired_and_their_machines_replaced(ha, app):
    before, lost_before = agent_ids(), failed_tasks()
    hosts = []
    for name in ("retire", "replace"):
        host = host_with_tasks(app)
        hosts.append(host)
        steps = orchestrate(ha, name, agents=[f"{host}*"], timeout=120)
        assert f"salt-key -d {host}.devops.test" in steps
        check_removed(ha, app, host)
    # A task that still runs on an agent that is removed is lost (TASK_GONE_BY_OPERATOR).
    assert failed_tasks_since(lost_before) == {}

    for host in hosts:
        ha.do("replace", host)
    agents = [f"{host}*" for host in hosts]
    orchestrate(ha, "replace", agents=agents, at_once=2, new_machine=True)
    check_healthy(ha)
    assert agent_ids().keys() == before.keys()
    for host in hosts:
        assert agent_ids()[AGENTS[host]] != before[AGENTS[host]]
        assert ha.at(host).converge() == {}


def test_the_cluster_works_and_keeps_nothing_of_the_verification(ha):
    orchestrate(ha, "verify")
    minion = ha.at("lxcc01")
    assert "salt-mesos-verify" not in minion.run("salt-call marathon.groups")
    assert "salt-mesos-verify" not in minion.run("salt-call chronos.jobs")
