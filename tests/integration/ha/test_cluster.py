"""The cluster is healthy: leaders, redirects, status, modules, firewall, published ports."""

import socket
import subprocess

import pytest
import requests
from cluster_lab import eventually
from ha_cluster import (
    AGENTS,
    CONTROL,
    HOSTS,
    check_healthy,
    check_module_leaders,
    check_rejoined,
    chronos_leader,
    get,
    marathon_leader,
    mesos_leader,
)

pytestmark = pytest.mark.lines("3008")


def test_up_and_a_second_run_changes_nothing_on_any_host(ha):
    assert ha.converge_all(HOSTS) == {}


def test_the_cluster_is_healthy(ha):
    check_healthy(ha)


def test_one_master_leads_and_the_others_redirect_to_it(ha):
    leader = mesos_leader(ha)
    for host in set(CONTROL) - {leader}:
        answer = get(host, 5050, "/state", allow_redirects=False)
        assert answer.status_code == 307
        assert answer.headers["Location"].startswith(f"//{CONTROL[leader]}:5050/")
        assert get(host, 5050, "/state").json()["leader"] == f"master@{CONTROL[leader]}:5050"


@pytest.mark.parametrize(
    "port, path", [(8080, "/v2/info"), (4400, "/scheduler/jobs")], ids=["marathon", "chronos"]
)
def test_every_server_returns_the_response_of_the_leader(ha, port, path):
    assert len({get(host, port, path).text for host in CONTROL}) == 1


def test_status_names_the_leaders(ha):
    status = ha.do("status")
    for host in HOSTS:
        assert host in status
    assert status.count("leader") >= 4 and "down" not in status, status


def test_the_modules_report_the_leaders(ha):
    check_module_leaders(ha)


def test_each_function_of_the_modules_succeeds(ha):
    agent_name = ha.at("lxcc01").call_every_function()
    agent = ha.at({address: host for host, address in AGENTS.items()}[agent_name])
    agent.remove_agent_id()
    check_healthy(ha)
    assert agent.converge() == {}
    for host in CONTROL:
        check_rejoined(ha, host)  # systemd restarts the Marathon that abdicated after a minute


@pytest.mark.parametrize("host", ["lxcc01", "lxb001"])
def test_a_node_passes_the_tests_of_its_roles(ha, host):
    ha.at(host).verify()


def test_the_firewall_distinguishes_members_clients_and_foreign_hosts(ha):
    """This machine is a client but not a member; its second address on the bridge is neither."""
    for port in (2181, 3888, 15101, 15201):
        with pytest.raises(OSError):
            socket.create_connection((CONTROL["lxcc01"], port), timeout=2)
    member = ha.at("lxb001")
    assert member.run(f"printf srvr | nc -w 2 {CONTROL['lxcc01']} 2181").count("Mode:") == 1
    for port, host in ((15101, marathon_leader(ha)), (15201, chronos_leader(ha))):
        member.run(f"nc -z -w 2 {CONTROL[host]} {port}")
    for port in (5050, 8080, 4400):
        socket.create_connection((CONTROL["lxcc01"], port), timeout=2).close()
        member.run(f"nc -z -w 2 {CONTROL['lxcc01']} {port}")
    foreign_address = "172.31.250.240"
    subprocess.run(
        ["ip", "address", "add", f"{foreign_address}/24", "dev", "mesoslab0"], check=True
    )
    try:
        for port in (2181, 5050, 8080, 4400):
            with pytest.raises(OSError):
                socket.create_connection(
                    (CONTROL["lxcc01"], port), timeout=2, source_address=(foreign_address, 0)
                )
        socket.create_connection(
            (CONTROL["lxcc01"], 22), timeout=2, source_address=(foreign_address, 0)
        ).close()
    finally:
        subprocess.run(
            ["ip", "address", "delete", f"{foreign_address}/24", "dev", "mesoslab0"], check=True
        )


def test_a_container_keeps_its_published_port_when_the_zone_changes(ha):
    agent = ha.at("lxb001")
    agent.run("tar -C / -c usr/bin/busybox | docker import - bare >/dev/null")
    agent.run(
        "docker run --detach --name web --publish 31080:80 bare /usr/bin/busybox sh -c "
        "'/usr/bin/busybox mkdir /www && echo hello > /www/index.html; "
        "exec /usr/bin/busybox httpd -f -h /www'"
    )
    url = f"http://{AGENTS['lxb001']}:31080/"

    def container_start_time() -> str:
        assert eventually(lambda: requests.get(url, timeout=5).text) == "hello\n"
        return agent.run("docker inspect --format '{{.State.StartedAt}}' web")

    try:
        start_time = container_start_time()
        changes = agent.converge(
            pillar={"common": {"firewall": {"extra": [{"port": 9100, "from": "clients"}]}}}
        )
        assert list(changes) == ["firewall-zone", "firewall-reload"]
        assert container_start_time() == start_time
    finally:
        agent.run("docker rm --force web")
        agent.converge()
