"""The cluster of the topology: eight hosts, three of everything that has to survive a failure."""

import json
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests
from cluster_lab import eventually, lab_command, orchestration, steps
from ha_cluster import (
    AGENTS,
    CONTROL,
    ELECTION_TIMEOUT,
    HOSTS,
    back,
    check_healthy,
    chronos_leader,
    framework_leader,
    get,
    marathon_leader,
    mesos_leader,
    modules_know_who_leads,
    runs,
    zookeeper_leader,
)

ROOT = Path(__file__).parents[2]

# What Salt itself does not change: one line is enough. With the other one test_install.py converges
# the same hosts, by salt-ssh test_ssh.py.
pytestmark = pytest.mark.lines("3008")


def test_up_and_a_second_run_changes_nothing_on_any_host(ha):
    assert ha.converge_all(HOSTS) == {}


def test_the_cluster_is_whole(ha):
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
def test_whoever_is_asked_answers_for_the_leader(ha, port, path):
    assert len({get(host, port, path).text for host in CONTROL}) == 1


def test_status_names_the_leaders(ha):
    status = ha.do("status")
    for host in HOSTS:
        assert host in status
    assert status.count("leader") >= 4 and "down" not in status, status


def test_the_modules_know_who_leads(ha):
    modules_know_who_leads(ha)


def test_each_function_of_the_modules_answers(ha):
    agent_name = ha.at("lxcc01").call_every_function()
    agent = ha.at({address: host for host, address in AGENTS.items()}[agent_name])
    agent.begin_agent_anew()
    check_healthy(ha)
    assert agent.converge() == {}
    for host in CONTROL:
        back(ha, host)  # the Marathon that abdicated is started again after a minute


# What runs on the cluster. The apps and jobs are those of pillar/apps.sls.

SERVER = {
    "container": {
        "type": "DOCKER",
        "docker": {"image": "busybox"},
        "portMappings": [{"containerPort": 80, "hostPort": 0}],
    },
    "networks": [{"mode": "container/bridge"}],
    "cpus": 0.1,
    "mem": 32,
    "upgradeStrategy": {
        "minimumHealthCapacity": 0,
        "maximumOverCapacity": 0,
    },  # the old one goes before the new one comes
    "healthChecks": [
        {
            "protocol": "HTTP",
            "path": "/",
            "gracePeriodSeconds": 1,
            "intervalSeconds": 1,
            "timeoutSeconds": 2,
        }
    ],
}


def serving(page: str, port: int = 80) -> dict:
    """An app whose container serves a page, on the port that it publishes or on another one."""
    return {
        **SERVER,
        "cmd": f"mkdir /www && echo {page} > /www/index.html && exec httpd -f -p {port} -h /www",
    }


def running(app: str) -> list[dict]:
    """The tasks of an app that run."""
    leader = eventually(lambda: framework_leader(8080, "/v2/leader"))
    tasks = get(leader, 8080, f"/v2/apps/{app}/tasks").json()["tasks"]
    return [task for task in tasks if task["state"] == "TASK_RUNNING"]


def pages(app: str) -> list[str]:
    """What the tasks of an app answer on their published ports, at their agents' addresses."""
    return [
        requests.get(f"http://{task['host']}:{task['ports'][0]}/", timeout=5).text
        for task in running(app)
    ]


def answering(app: str, instances: int = 1) -> list[str]:
    """Wait until so many instances of an app answer, and return what."""
    return eventually(lambda: len(bodies := pages(app)) == instances and bodies)


def agent_of(ha, task: dict):
    """The host on which a task runs."""
    return ha.at({address: host for host, address in AGENTS.items()}[task["host"]])


def scaled(**instances: int) -> str:
    """Pillar for one run that says how many instances apps have."""
    apps = {f"/{app.replace('_', '-')}": {"instances": count} for app, count in instances.items()}
    return json.dumps({"marathon": {"apps": apps}})


def test_one_command_brings_the_declared_apps_and_jobs_to_the_cluster(ha):
    _, changed = ha.orchestrated("apps")
    assert {"Marathon has its groups and apps", "Chronos has its jobs"} <= set(changed)
    (page,) = answering("http-server")
    assert page.startswith("hello from ")
    (task,) = running("http-server")
    assert (
        ha.at("lxcc01").run(f"curl --silent --fail http://{task['host']}:{task['ports'][0]}/")
        == page
    )
    output = agent_of(ha, running("hello")[0]).run(
        "cat /var/lib/mesos/slaves/*/frameworks/*/executors/hello.*/runs/latest/stdout"
    )
    assert "hello from " in output

    def successes() -> dict[str, int]:
        return {
            job["name"]: job["successCount"]
            for job in get("lxcc01", 4400, "/scheduler/jobs").json()
        }

    eventually(lambda: all(successes().values()))
    assert set(successes()) == {"hello", "hello-again"}
    assert ha.orchestrated("apps")[1] == []


def test_a_container_that_is_killed_comes_back(ha):
    (before,) = running("http-server")
    agent_of(ha, before).run("docker kill $(docker ps --quiet --filter name=mesos-)")
    assert eventually(
        lambda: [task for task in running("http-server") if task["id"] != before["id"]]
    )
    assert answering("http-server")
    failure = get("lxcc01", 8080, "/v2/apps/http-server?embed=app.lastTaskFailure").json()["app"][
        "lastTaskFailure"
    ]
    assert (failure["taskId"], failure["message"]) == (
        before["id"],
        "Container exited with status 137",
    )


def test_pillar_scales_apps_up_and_down(ha):
    ha.orchestrated("apps", scaled(http_server=3, hello=4))
    assert (
        answering("http-server", 3)
        and len({(task["host"], task["ports"][0]) for task in running("http-server")}) == 3
    )
    assert len(running("hello")) == 4
    ha.orchestrated("apps")
    containers = [
        ha.at(host).run("docker ps --quiet --filter name=mesos-").split() for host in AGENTS
    ]
    assert (
        answering("http-server") and sum(map(len, containers)) == 1 and len(running("hello")) == 2
    )


def test_apps_are_brought_to_run_although_marathon_loses_its_leader_meanwhile(ha):
    lost = eventually(lambda: marathon_leader(ha))
    command = lab_command("run", "lxcm01", *orchestration("apps", scaled(hello=6)))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        eventually(lambda: get(lost, 8080, "/v2/deployments").json())
        ha.at(lost).run("systemctl kill --signal=KILL marathon")
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    assert "Marathon has its groups and apps" in steps(printed)[1], printed
    assert len(running("hello")) == 6 and answering("http-server")
    assert eventually(lambda: marathon_leader(ha)) != lost
    ha.orchestrated("apps")
    assert ha.orchestrated("apps")[1] == []
    back(ha, lost)


def test_a_deployment_that_cannot_finish_fails_in_time_and_says_why(ha):
    node = ha.at("lxcc01")
    huge = node.single(
        "marathon.app_present",
        "/huge",
        config={**serving("huge"), "cpus": 999},
        wait=True,
        timeout=10,
        rollback=True,
    )
    assert (
        huge["result"] is False
        and "/huge" in huge["comment"]
        and "InsufficientCpus" in huge["comment"]
    ), huge
    assert get("lxcc01", 8080, "/v2/apps/huge").status_code == 404
    web = node.single("marathon.app_present", "/web", config=serving("first"), wait=True)
    assert web["result"] is True and pages("web") == ["first\n"], web
    sick = node.single(
        "marathon.app_present",
        "/web",
        config=serving("second", port=81),
        wait=True,
        timeout=15,
        rollback=True,
    )
    # Unhealthy, or not healthy yet where it was killed for that and is started again.
    assert sick["result"] is False and "/web" in sick["comment"] and "healthy" in sick["comment"], (
        sick
    )
    assert eventually(lambda: pages("web")) == ["first\n"]
    assert node.single("marathon.app_absent", "/web", wait=True)["result"] is True


def test_what_ran_on_an_agent_that_lost_its_power_runs_again(ha):
    (before,) = running("http-server")
    lost = agent_of(ha, before).host
    ha.do("kill", lost)
    ha.do("start", lost)
    assert eventually(
        lambda: [task for task in running("http-server") if task["id"] != before["id"]]
    )
    assert answering("http-server")
    assert ha.orchestrated("apps")[1] == [] and ha.at(lost).converge() == {}


# In one process, which remembers who led.
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


@pytest.mark.parametrize("host", ["lxcc01", "lxb001"])
def test_a_node_is_what_its_roles_promise(ha, host):
    ha.at(host).verify()


def test_members_reach_what_others_do_not(ha):
    """This machine is a client, but not in the topology; the bridge's other address is neither."""
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
    stranger = "172.31.250.240"
    subprocess.run(["ip", "address", "add", f"{stranger}/24", "dev", "mesoslab0"], check=True)
    try:
        for port in (2181, 5050, 8080, 4400):
            with pytest.raises(OSError):
                socket.create_connection(
                    (CONTROL["lxcc01"], port), timeout=2, source_address=(stranger, 0)
                )
        socket.create_connection(
            (CONTROL["lxcc01"], 22), timeout=2, source_address=(stranger, 0)
        ).close()
    finally:
        subprocess.run(
            ["ip", "address", "delete", f"{stranger}/24", "dev", "mesoslab0"], check=True
        )


def test_a_container_keeps_its_published_port_when_the_zone_changes(ha):
    agent = ha.at("lxb001")
    agent.run("tar -C / -c usr/bin/busybox | docker import - bare >/dev/null")
    agent.run(
        "docker run --detach --name web --publish 31080:80 bare /usr/bin/busybox sh -c "
        "'/usr/bin/busybox mkdir /www && echo hello > /www/index.html; exec /usr/bin/busybox httpd -f -h /www'"
    )
    url = f"http://{AGENTS['lxb001']}:31080/"

    def running() -> str:
        assert eventually(lambda: requests.get(url, timeout=5).text) == "hello\n"
        return agent.run("docker inspect --format '{{.State.StartedAt}}' web")

    try:
        since = running()
        changes = agent.converge(
            pillar={"common": {"firewall": {"extra": [{"port": 9100, "from": "clients"}]}}}
        )
        assert list(changes) == ["firewall-zone", "firewall-reload"]
        assert running() == since
    finally:
        agent.run("docker rm --force web")
        agent.converge()


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


def checksums() -> str:
    """Of all files of the repository that Salt serves."""
    return subprocess.run(
        "find pillar salt/ formulas conf -type f -exec md5sum {} + | sort",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_fifth_agent_joins_by_its_name_alone(ha):
    before = checksums()
    ha.do("add", "lxb005")
    ha.at("lxcm01").run("salt-run state.orchestrate orchestration.roles")
    ha.at("lxb005").converge()
    check_healthy(ha, agents=5)
    assert ha.at("lxb005").converge() == {}
    assert ha.at("lxb001").converge() == {} and ha.at("lxcc01").converge() == {}
    assert checksums() == before


def test_a_replaced_member_rejoins_with_its_id(ha):
    ha.do("replace", "lxcc02")
    ha.at("lxcm01").run("salt-run state.orchestrate orchestration.roles")
    ha.at("lxcc02").converge()
    check_healthy(ha, agents=5)
    assert ha.at("lxcc02").run("cat /var/lib/zookeeper/myid").strip() == "2"
    assert ha.at("lxcc02").converge() == {} and ha.at("lxcc01").converge() == {}
