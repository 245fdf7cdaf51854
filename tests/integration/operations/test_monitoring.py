"""
salt-run cluster.status names what has failed, and its exit code tells how bad that is. A beacon
reports it to the bus, where a reactor writes it to the log. cluster.metrics measures the nodes.
"""

import contextlib
import json
import re

import pytest
from cluster_lab import eventually
from ha_cluster import AGENTS, CONTROL, check_healthy, check_rejoined

from lab import ROOT

pytestmark = pytest.mark.lines("3008")

# Seconds: a stopped agent is registered until its master has missed five pings of 15 seconds.
STATUS_TIMEOUT = 150


@pytest.fixture(autouse=True, scope="module")
def runner(ha):
    ha.at("lxcm01").run("salt-run saltutil.sync_runners")


def status(ha) -> tuple[int, str]:
    """Return the exit code and the screen."""
    result = ha.at("lxcm01").execute("salt-run", "--no-color", "cluster.status")
    assert "Traceback" not in result.stdout + result.stderr
    return result.returncode, result.stdout


def wait_for_status(ha, exit_code: int, pattern: str) -> None:
    """Wait until the first line of the screen matches, with this exit code."""
    screens = []

    def matches() -> bool:
        code, screen = status(ha)
        screens.append(f"exit {code}\n{screen}")
        return code == exit_code and bool(re.search(pattern, screen.partition("\n")[0]))

    try:
        eventually(matches, STATUS_TIMEOUT)
    except AssertionError:
        raise AssertionError(f"{pattern!r}, exit {exit_code}: {screens[-1]}") from None


@contextlib.contextmanager
def stopped(ha, unit: str, *hosts: str):
    """Stop a unit on hosts, and start it again afterwards."""
    for host in hosts:
        ha.at(host).run(f"systemctl stop {unit}")
    try:
        yield
    finally:
        for host in hosts:
            ha.at(host).run(f"systemctl start {unit}")
        for host in set(hosts) & set(CONTROL):
            check_rejoined(ha, host)
        check_healthy(ha)


def test_a_healthy_cluster_is_ok(ha):
    check_healthy(ha)
    wait_for_status(ha, 0, r"^OK: 8 nodes answer, 4 agents are up\.$")


def test_json_has_the_same_verdict(ha):
    result = ha.at("lxcm01").execute("salt-run", "cluster.status", "--out=json")
    data = json.loads(result.stdout)
    assert result.returncode == data["retcode"] == 0
    assert (data["status"], data["problems"]) == ("ok", [])
    assert data["mesos"]["agents"]["up"] == len(AGENTS)


def test_a_stopped_zookeeper_is_the_first_line(ha):
    with stopped(ha, "zookeeper", "lxcc02"):
        wait_for_status(ha, 1, r"^DEGRADED: The ZooKeeper server lxcc02\S* is unreachable")


def test_a_stopped_master_is_the_first_line(ha):
    with stopped(ha, "mesos-master", "lxcc03"):
        wait_for_status(ha, 1, r"^DEGRADED: The Mesos master lxcc03\S* is not healthy")


def test_a_stopped_agent_is_the_first_line(ha):
    agent = r"The agent lxb004\S* is (not registered|registered, and not connected)"
    with stopped(ha, "mesos-slave", "lxb004"):
        wait_for_status(ha, 1, f"^DEGRADED: {agent}")


def test_an_unhealthy_app_is_the_first_line(ha):
    app = {
        "cmd": "sleep 3600",
        "cpus": 0.1,
        "mem": 32,
        "instances": 1,
        "healthChecks": [
            {
                "protocol": "COMMAND",
                "command": {"value": "false"},
                "gracePeriodSeconds": 1,
                "intervalSeconds": 1,
                "maxConsecutiveFailures": 0,
            }
        ],
    }
    minion = ha.at("lxcc01")
    minion.run(f"salt-call marathon.create_app /status-unhealthy '{json.dumps(app)}'")
    try:
        wait_for_status(ha, 1, "^DEGRADED: The app /status-unhealthy has unhealthy instances")
    finally:
        minion.run("salt-call marathon.delete_app /status-unhealthy force=True")
        check_healthy(ha)


def test_a_failing_job_is_the_first_line(ha):
    job = {
        "schedule": "R/2030-01-01T00:00:00Z/P1D",
        "command": "exit 1",
        "owner": "ops@devops.test",
        "retries": 0,
    }
    minion = ha.at("lxcc01")
    minion.run(f"salt-call chronos.create_job status-failing '{json.dumps(job)}'")
    try:
        minion.run("salt-call chronos.run_job status-failing")
        wait_for_status(ha, 1, "^DEGRADED: The job status-failing fails")
    finally:
        minion.run("salt-call chronos.delete_job status-failing")


BEACON_FILE = "/etc/salt/minion.d/beacon.conf"
BEACON = "beacons: {mesos_cluster: [{interval: 10}]}"
REACTOR_FILE = "/etc/salt/master.d/reactor.conf"
REACTOR = "reactor: [{salt/beacon/*/mesos_cluster/*/*: [/srv/reactor/cluster.sls]}]"


@pytest.fixture(scope="module")
def beacon(ha):
    """The beacon and the reactor of the documentation, on the Salt master."""
    master = ha.at("lxcm01")
    example = (ROOT / "docs/monitoring/reactor.sls").read_text()
    master.run("mkdir -p /srv/reactor")
    for path, text in (
        ("/srv/reactor/cluster.sls", example),
        (REACTOR_FILE, REACTOR),
        (BEACON_FILE, BEACON),
    ):
        master.run(f"cat > {path} <<'END'\n{text}\nEND")
    master.run("salt 'lxcm01*' saltutil.sync_beacons")
    restart_salt(ha)
    yield master
    master.run(f"rm -f {BEACON_FILE} {REACTOR_FILE} /srv/reactor/cluster.sls")
    restart_salt(ha)


def restart_salt(ha):
    """Restart the Salt master and its minion, and wait until all minions are connected again."""
    ha.at("lxcm01").run("systemctl restart salt-master salt-minion")
    eventually(lambda: status(ha)[0] == 0, STATUS_TIMEOUT)


def wait_for_event(beacon, event: str) -> None:
    """Wait until the reactor has logged an event."""

    def is_logged() -> bool:
        return f" {event}" in beacon.run("journalctl -t mesos-cluster --no-pager")

    eventually(is_logged, STATUS_TIMEOUT)


def test_the_reactor_logs_what_fails_and_what_works_again(ha, beacon):
    with stopped(ha, "zookeeper", "lxcc02"):
        wait_for_event(beacon, "failed degraded replica zookeeper on lxcc02")
    wait_for_event(beacon, "solved degraded replica zookeeper on lxcc02")


def test_without_any_marathon_the_cluster_is_down(ha, beacon):
    with stopped(ha, "marathon", *CONTROL):
        wait_for_status(ha, 2, "^DOWN: Marathon has no leader")
        wait_for_event(beacon, "failed down leader marathon")
    wait_for_event(beacon, "solved down leader marathon")


def test_each_node_has_the_metrics_of_its_daemons(ha):
    path = "/tmp/mesos.prom"
    ha.at("lxcm01").run(f"salt '*' cluster.metrics path={path}")
    for host in CONTROL:
        text = ha.at(host).run(f"cat {path}")
        for name in ("zookeeper", "mesos_master", "marathon"):
            assert f"\n{name}_up 1\n" in text
        assert "\nzookeeper_znode_count " in text
    for host in AGENTS:
        text = ha.at(host).run(f"cat {path}")
        assert "\nmesos_agent_up 1\n" in text and "\nmesos_agent_registered 1\n" in text


def test_at_the_end_the_cluster_is_ok_again(ha):
    wait_for_status(ha, 0, "^OK: ")
