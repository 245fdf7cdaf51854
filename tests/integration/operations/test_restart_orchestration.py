"""
orchestration.restart restarts daemons in turns and nothing else. orchestration.deploy changes
agents by a canary and batches, and names the nodes that do not respond.
"""

import json
import re

import pytest
from cluster_lab import eventually
from ha_cluster import (
    AGENTS,
    SERVICES,
    active_agents,
    check_healthy,
    failed_tasks,
    failed_tasks_since,
    no_turn_is_left,
    start_times,
    wait_for_pages,
)
from ha_observer import Observer

pytestmark = pytest.mark.lines("3008")

ROLES = ("zookeeper", "mesos-master", "mesos-slave", "marathon", "chronos", "docker")
SILENT_CONTROL_NODE = "lxcc03"
SILENT_AGENTS = ("lxb003", "lxb004")
CANARY = "Mesos agent on lxb001.devops.test, the canary"
CHANGED_FLAG = {"registration_backoff_factor": "2secs"}
# The agent exits: there is no such program.
FATAL_FLAG = {"docker": "/usr/bin/no-docker"}


@pytest.fixture
def serve_flags(serve):
    """Return a function that serves flags of the Mesos agents, until the test ends."""
    return lambda flags: serve({"mesos": {"slave": {"flags": flags}}})


def step_names(output: str) -> list[str]:
    return re.findall(r"^ {10}ID: (.*)", output, re.MULTILINE)


def restarted(ha, before: dict) -> set[tuple[str, str]]:
    """Return the daemons that have another start time than before, as host and unit."""
    return {daemon for daemon, start in start_times(ha).items() if start != before[daemon]}


def daemons_of(role: str) -> set[tuple[str, str]]:
    return {(host, role) for host, units in SERVICES.items() if role in units}


@pytest.mark.parametrize("role", ROLES)
def test_the_daemons_of_a_role_are_restarted_in_turns(ha, role):
    ha.orchestrated("apps")
    wait_for_pages("http-server")
    before, lost_before, agents = start_times(ha), failed_tasks(), active_agents()
    with Observer(ha) as observer:
        ha.orchestrated("restart", json.dumps({"role": role}))
    print(observer.table())
    assert restarted(ha, before) == daemons_of(role)
    observer.check_turns()
    observer.check_elections()
    assert failed_tasks_since(lost_before) == {}
    assert no_turn_is_left(ha)
    check_healthy(ha, agents=agents)
    assert wait_for_pages("http-server")


def test_after_a_failure_the_run_continues_where_it_stopped(ha):
    before = start_times(ha)
    ha.at("lxcc02").run("systemctl mask marathon")
    try:
        code, output = ha.orchestrate("restart", '{"role": "marathon"}')
    finally:
        ha.at("lxcc02").run("systemctl unmask marathon")
    assert code != 0 and "Run failed on minions: lxcc02.devops.test" in output
    assert "Unit marathon.service is masked" in output
    assert restarted(ha, before) == {("lxcc01", "marathon"), ("lxcc03", "marathon")}
    in_between = start_times(ha)
    since = re.search(r'add "since": "([^"]+)" to pillar', output)[1]
    options = json.dumps({"role": "marathon", "since": since})
    ha.orchestrated("restart", options)
    assert restarted(ha, in_between) == {("lxcc02", "marathon")}
    assert ha.orchestrated("restart", options)[1] == []


def test_without_a_role_stale_daemons_are_restarted_and_no_others(ha):
    for host, file in (("lxcc03", "/etc/default/mesos-master"), ("lxb002", "/etc/mesos-slave")):
        ha.at(host).run(f"touch {file}")
    before = start_times(ha)
    command = "salt-run --no-color state.orchestrate orchestration.restart test=True"
    output = ha.at("lxcm01").run(command)
    assert len(re.findall("would be restarted", output)) == 2, output
    assert "mesos-master would be restarted. Newer than the process" in output
    assert restarted(ha, before) == set()
    ha.orchestrated("restart")
    assert restarted(ha, before) == {("lxcc03", "mesos-master"), ("lxb002", "mesos-slave")}
    check_healthy(ha)


def test_a_deployment_changes_the_agents_that_respond_and_names_the_others(ha, serve_flags):
    serve_flags(CHANGED_FLAG)
    before = start_times(ha)
    silent_hosts = (SILENT_CONTROL_NODE, *SILENT_AGENTS)
    for host in silent_hosts:
        ha.do("kill", host)
    try:
        code, output = ha.orchestrate("deploy")
        assert code != 0 and "tolerate_down = 25%: 2 of 4 agents do not respond" in output
        assert step_names(output) == ["The topology and the options are valid"]
        code, output = ha.orchestrate("deploy", '{"tolerate_down": "50%"}')
    finally:
        for host in silent_hosts:
            ha.do("start", host)
    assert code != 0
    silent_nodes = ", ".join(f"{host}.devops.test" for host in silent_hosts)
    assert f"left out: {silent_nodes}. Everything else is done." in " ".join(output.split())
    names = step_names(output)
    assert names[-1] == "Every node responds"
    batch = "Mesos agent on lxb002.devops.test, batch 1 of 1"
    assert names.index(CANARY) + 1 == names.index(batch)
    changed = {host for host, unit in restarted(ha, before) if unit == "mesos-slave"}
    assert changed == set(AGENTS)
    flags = {
        host: ha.at(host).run("cat /etc/mesos-slave/registration_backoff_factor || true").strip()
        for host in AGENTS
    }
    assert flags == {"lxb001": "2secs", "lxb002": "2secs", "lxb003": "", "lxb004": ""}
    # The outage alone makes daemons exit that have led.
    assert set(re.findall(r"Comment: (\S+) was \w*started", output)) == {"mesos-slave"}
    check_healthy(ha)


def test_one_agent_may_fail_with_max_failures_and_the_run_names_it_at_the_end(ha, serve_flags):
    serve_flags(CHANGED_FLAG)
    held_node = "lxb003.devops.test"
    minion = ha.at("lxcc01")
    minion.run(f"salt-call cluster.hold 'a new disk' host={held_node} duration=1h")
    try:
        code, output = ha.orchestrate("deploy", '{"batch": 3, "max_failures": 1}')
    finally:
        minion.run(f"salt-call cluster.release {held_node}")
    names = step_names(output)
    batch = "Mesos agent on lxb002.devops.test to lxb004.devops.test, batch 1 of 1"
    assert names.index(CANARY) + 1 == names.index(batch)
    # The step that applies all states tries it again.
    assert code != 0 and names[-1] == "All states are applied to every node"
    assert output.count(f"Run failed on minions: {held_node}") == 1
    assert f"mesos-slave was not touched: {held_node} is held until" in output
    flag_file = "/etc/mesos-slave/registration_backoff_factor"
    assert ha.at("lxb004").run(f"cat {flag_file}").strip() == "2secs"
    check_healthy(ha)


def test_a_flag_that_breaks_the_canary_reaches_no_other_agent(ha, serve_flags):
    serve_flags({})
    ha.orchestrated("deploy")
    serve_flags(FATAL_FLAG)
    before, agents = start_times(ha), active_agents()
    try:
        code, output = ha.orchestrate("deploy")
        assert code != 0 and "Run failed on minions: lxb001.devops.test" in output
        assert "no-docker" in output and step_names(output)[-1] == CANARY
        assert {host for host, _ in restarted(ha, before)} <= {"lxb001"}
        eventually(lambda: active_agents() == agents - 1)
    finally:
        serve_flags({})
        ha.orchestrated("deploy")
    assert no_turn_is_left(ha)
    check_healthy(ha, agents=agents)
