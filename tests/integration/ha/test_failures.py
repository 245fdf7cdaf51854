"""The cluster survives the loss of a leader or an agent, by power or by cable."""

import subprocess
import time

import pytest
from cluster_lab import eventually, lab_command
from ha_cluster import (
    CONTROL,
    ELECTION_TIMEOUT,
    agent_host,
    await_pages,
    back,
    check_healthy,
    chronos_leader,
    get,
    marathon_leader,
    mesos_leader,
    running_tasks,
    runs,
    zookeeper_leader,
)

pytestmark = pytest.mark.lines("3008")


def test_what_ran_on_an_agent_that_lost_its_power_runs_again(ha):
    (before,) = running_tasks("http-server")
    lost = agent_host(ha, before).host
    ha.do("kill", lost)
    ha.do("start", lost)
    assert eventually(
        lambda: [task for task in running_tasks("http-server") if task["id"] != before["id"]]
    )
    assert await_pages("http-server")
    assert ha.orchestrated("apps")[1] == [] and ha.at(lost).converge() == {}


ASKS_TWICE = """
import subprocess, sys, time, salt.client
functions = salt.client.Caller("/etc/salt/minion").sminion.functions
before = functions["mesos.leader"]()["host"]
assert len(functions["mesos.agents"](active=True)) == 4
print(before, flush=True)
sys.stdin.readline()
patient = {"retries": 60, "total_timeout": 90}
agents = functions["mesos.agents"](**patient)
after = functions["mesos.leader"](**patient)["host"]
for function in ("marathon.apps", "chronos.jobs"):
    functions[function](**patient)
print(after, len(agents))
"""


def test_with_the_leader_killed_between_two_calls_the_next_one_answers(ha):
    lost = eventually(lambda: mesos_leader(ha))
    asker = ha.at("lxcm01")
    asker.run(f"cat > /root/twice.py <<'END'\n{ASKS_TWICE}\nEND")
    command = lab_command(
        "run", "lxcm01", "/opt/saltstack/salt/bin/python3", "-W", "ignore", "/root/twice.py"
    )
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline().strip() == CONTROL[lost]
        ha.do("kill", lost)
        try:
            process.stdin.write("\n")
            process.stdin.flush()
            after, agents = process.stdout.readline().split()
        finally:
            ha.do("start", lost)
    assert process.returncode == 0 and after != CONTROL[lost] and after in CONTROL.values()
    assert int(agents) == 4
    back(ha, lost)


@pytest.mark.parametrize(
    "leader, case",
    [
        (mesos_leader, "the next master leads"),
        (zookeeper_leader, "the next server leads"),
        (marathon_leader, "the next Marathon leads"),
    ],
    ids=["mesos master", "zookeeper", "marathon"],
)
def test_the_cluster_survives_the_loss_of_a_leader(ha, leader, case):
    lost = eventually(lambda: leader(ha))
    ha.do("kill", lost)
    try:
        began = time.monotonic()
        assert eventually(lambda: (now := leader(ha)) != lost and now, ELECTION_TIMEOUT), case
        print(f"{case} after {time.monotonic() - began:.0f} s")
        check_healthy(ha, servers=2)
        assert "down" in ha.do("status")

        # Who is well stays as he is while another is down: nothing shrinks.
        well = runs(ha, *(set(CONTROL) - {lost}))
        assert ha.at(well).converge() == {}
        assert ha.at("lxb001").converge() == {}
        config = ha.at(well).run(
            "cat /etc/zookeeper/conf/zoo.cfg /etc/mesos/zk /etc/mesos-master/quorum"
        )
        assert config.count("server.") == 3 and all(
            f"{address}:2181" in config for address in CONTROL.values()
        )
        assert config.splitlines()[-1] == "2"
    finally:
        ha.do("start", lost)
    back(ha, lost)


def test_the_cluster_survives_a_cut_cable(ha):
    lost = eventually(lambda: mesos_leader(ha))
    ha.do("cut", lost)
    try:
        assert eventually(lambda: (now := mesos_leader(ha)) != lost and now, ELECTION_TIMEOUT)
        eventually(
            lambda: get(mesos_leader(ha), 5050, "/state").json()["activated_slaves"] == 4,
            ELECTION_TIMEOUT,
        )
        eventually(
            lambda: marathon_leader(ha) not in ("", lost) and chronos_leader(ha) not in ("", lost),
            ELECTION_TIMEOUT,
        )
    finally:
        ha.do("heal", lost)
    back(ha, lost)
