"""The cluster survives the loss of a leader or an agent, by power or by cable."""

import subprocess
import time

import pytest
from cluster_lab import eventually, lab_command
from ha_cluster import (
    CONTROL,
    ELECTION_TIMEOUT,
    agent_host,
    apply_all,
    check_healthy,
    check_rejoined,
    chronos_leader,
    control_node_with_all_services,
    failures,
    get,
    marathon_leader,
    mesos_leader,
    persistent_znodes,
    running_tasks,
    wait_for_pages,
    zookeeper_leader,
)

pytestmark = pytest.mark.lines("3008")


def test_tasks_of_an_agent_that_lost_power_run_again(ha):
    (before,) = running_tasks("http-server")
    host = agent_host(ha, before).host
    ha.do("kill", host)
    ha.do("start", host)
    assert eventually(
        lambda: [task for task in running_tasks("http-server") if task["id"] != before["id"]]
    )
    assert wait_for_pages("http-server")
    assert ha.orchestrated("apps")[1] == [] and ha.at(host).converge() == {}


TWO_CALLS = """
import subprocess, sys, time, salt.client
functions = salt.client.Caller("/etc/salt/minion").sminion.functions
before = functions["mesos.leader"]()["host"]
assert len(functions["mesos.agents"](active=True)) == 4
print(before, flush=True)
sys.stdin.readline()
options = {"retries": 60, "total_timeout": 90}
agents = functions["mesos.agents"](**options)
after = functions["mesos.leader"](**options)["host"]
for function in ("marathon.apps", "chronos.jobs"):
    functions[function](**options)
print(after, len(agents))
"""


def test_the_modules_use_the_new_leader_if_the_old_one_is_killed_between_two_calls(ha):
    old_leader = eventually(lambda: mesos_leader(ha))
    minion = ha.at("lxcm01")
    minion.run(f"cat > /root/twice.py <<'END'\n{TWO_CALLS}\nEND")
    command = lab_command(
        "run", "lxcm01", "/opt/saltstack/salt/bin/python3", "-W", "ignore", "/root/twice.py"
    )
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline().strip() == CONTROL[old_leader]
        ha.do("kill", old_leader)
        try:
            process.stdin.write("\n")
            process.stdin.flush()
            leader_address, agents = process.stdout.readline().split()
        finally:
            ha.do("start", old_leader)
    assert (
        process.returncode == 0
        and leader_address != CONTROL[old_leader]
        and leader_address in CONTROL.values()
    )
    assert int(agents) == 4
    check_rejoined(ha, old_leader)


@pytest.mark.parametrize(
    "find_leader, case",
    [
        (mesos_leader, "the next master leads"),
        (zookeeper_leader, "the next server leads"),
        (marathon_leader, "the next Marathon leads"),
    ],
    ids=["mesos master", "zookeeper", "marathon"],
)
def test_the_cluster_survives_the_loss_of_a_leader(ha, find_leader, case):
    old_leader = eventually(lambda: find_leader(ha))
    ha.do("kill", old_leader)
    try:
        start = time.monotonic()
        assert eventually(
            lambda: (new_leader := find_leader(ha)) != old_leader and new_leader, ELECTION_TIMEOUT
        ), case
        print(f"{case} after {time.monotonic() - start:.0f} s")
        check_healthy(ha, servers=2)
        assert "down" in ha.do("status")

        # The configuration of the healthy hosts does not change while another is down.
        healthy_host = control_node_with_all_services(ha, *(set(CONTROL) - {old_leader}))
        assert ha.at(healthy_host).converge() == {}
        assert ha.at("lxb001").converge() == {}
        config = ha.at(healthy_host).run(
            "cat /etc/zookeeper/conf/zoo.cfg /etc/mesos/zk /etc/mesos-master/quorum"
        )
        assert config.count("server.") == 3 and all(
            f"{address}:2181" in config for address in CONTROL.values()
        )
        assert config.splitlines()[-1] == "2"
    finally:
        ha.do("start", old_leader)
    check_rejoined(ha, old_leader)


def test_the_cluster_survives_a_cut_cable(ha):
    old_leader = eventually(lambda: mesos_leader(ha))
    ha.do("cut", old_leader)
    try:
        assert eventually(
            lambda: (new_leader := mesos_leader(ha)) != old_leader and new_leader, ELECTION_TIMEOUT
        )
        eventually(
            lambda: get(mesos_leader(ha), 5050, "/state").json()["activated_slaves"] == 4,
            ELECTION_TIMEOUT,
        )
        eventually(
            lambda: marathon_leader(ha) not in ("", old_leader)
            and chronos_leader(ha) not in ("", old_leader),
            ELECTION_TIMEOUT,
        )
    finally:
        ha.do("heal", old_leader)
    check_rejoined(ha, old_leader)


DATA = "/var/lib/zookeeper"
NO_DATA = f"{DATA} has none of its data. Is its disk mounted?"


def test_a_zookeeper_whose_disk_is_not_mounted_is_not_started(ha):
    """Two of three servers would elect a leader without data."""
    before = persistent_znodes(ha, "lxcc01")
    unmounted = ("lxcc02", "lxcc03")
    for host in unmounted:
        ha.at(host).run(f"systemctl stop zookeeper && mv {DATA} /root/data && mkdir {DATA}")

    try:
        refused = [failure for failure in failures(apply_all(ha)) if NO_DATA in failure]
        assert sorted(failure.partition(".")[0] for failure in refused) == [*unmounted]
        ha.do("kill", "lxcc01")  # the only one with data
        for host in unmounted:
            comments = [state["comment"] for state in ha.at(host).apply().values()]
            assert any(NO_DATA in comment for comment in comments), comments
            assert ha.at(host).execute("systemctl", "is-active", "zookeeper").returncode != 0
            assert ha.at(host).run(f"ls -A {DATA}") == ""
    finally:
        for host in unmounted:
            ha.at(host).run(f"rmdir {DATA} && mv /root/data {DATA}")
        ha.do("start", "lxcc01")
    eventually(lambda: failures(apply_all(ha)) == [], 600)
    check_healthy(ha)
    assert persistent_znodes(ha, "lxcc01") >= before
    assert len({persistent_znodes(ha, host) for host in CONTROL}) == 1
