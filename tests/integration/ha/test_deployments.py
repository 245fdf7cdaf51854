"""The apps and jobs of pillar/apps.sls run, are scaled, redeployed and rolled back."""

import json
import subprocess

import pytest
from cluster_lab import eventually, lab_command, orchestration, steps
from ha_cluster import (
    AGENTS,
    agent_host,
    check_rejoined,
    get,
    marathon_leader,
    running_tasks,
    served_pages,
    wait_for_pages,
)

pytestmark = pytest.mark.lines("3008")


SERVER = {
    "container": {
        "type": "DOCKER",
        "docker": {"image": "busybox"},
        "portMappings": [{"containerPort": 80, "hostPort": 0}],
    },
    "networks": [{"mode": "container/bridge"}],
    "cpus": 0.1,
    "mem": 32,
    # The old task is stopped before the new one starts.
    "upgradeStrategy": {"minimumHealthCapacity": 0, "maximumOverCapacity": 0},
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


def app_serving(page: str, port: int = 80) -> dict:
    """Return an app whose container serves a page on a port; 80 is the published one."""
    return {
        **SERVER,
        "cmd": f"mkdir /www && echo {page} > /www/index.html && exec httpd -f -p {port} -h /www",
    }


def pillar_with_instances(**instances: int) -> str:
    """Return pillar for one run that sets the number of instances of apps."""
    apps = {f"/{app.replace('_', '-')}": {"instances": count} for app, count in instances.items()}
    return json.dumps({"marathon": {"apps": apps}})


def test_one_command_creates_the_declared_apps_and_jobs(ha):
    _, changed = ha.orchestrated("apps")
    assert {"Marathon has its groups and apps", "Chronos has its jobs"} <= set(changed)
    (page,) = wait_for_pages("http-server")
    assert page.startswith("hello from ")
    (task,) = running_tasks("http-server")
    assert (
        ha.at("lxcc01").run(f"curl --silent --fail http://{task['host']}:{task['ports'][0]}/")
        == page
    )
    output = agent_host(ha, running_tasks("hello")[0]).run(
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


def test_a_killed_container_is_replaced(ha):
    (before,) = running_tasks("http-server")
    agent_host(ha, before).run("docker kill $(docker ps --quiet --filter name=mesos-)")
    assert eventually(
        lambda: [task for task in running_tasks("http-server") if task["id"] != before["id"]]
    )
    assert wait_for_pages("http-server")
    failure = get("lxcc01", 8080, "/v2/apps/http-server?embed=app.lastTaskFailure").json()["app"][
        "lastTaskFailure"
    ]
    assert (failure["taskId"], failure["message"]) == (
        before["id"],
        "Container exited with status 137",
    )


def test_pillar_scales_apps_up_and_down(ha):
    ha.orchestrated("apps", pillar_with_instances(http_server=3, hello=4))
    assert (
        wait_for_pages("http-server", 3)
        and len({(task["host"], task["ports"][0]) for task in running_tasks("http-server")}) == 3
    )
    assert len(running_tasks("hello")) == 4
    ha.orchestrated("apps")
    containers = [
        ha.at(host).run("docker ps --quiet --filter name=mesos-").split() for host in AGENTS
    ]
    assert (
        wait_for_pages("http-server")
        and sum(map(len, containers)) == 1
        and len(running_tasks("hello")) == 2
    )


def test_apps_are_deployed_although_marathon_loses_its_leader_meanwhile(ha):
    old_leader = eventually(lambda: marathon_leader(ha))
    command = lab_command("run", "lxcm01", *orchestration("apps", pillar_with_instances(hello=6)))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        eventually(lambda: get(old_leader, 8080, "/v2/deployments").json())
        ha.at(old_leader).run("systemctl kill --signal=KILL marathon")
        output = process.stdout.read()
    assert process.returncode == 0, output
    assert "Marathon has its groups and apps" in steps(output)[1], output
    assert len(running_tasks("hello")) == 6 and wait_for_pages("http-server")
    assert eventually(lambda: marathon_leader(ha)) != old_leader
    ha.orchestrated("apps")
    assert ha.orchestrated("apps")[1] == []
    check_rejoined(ha, old_leader)


def test_a_deployment_that_cannot_finish_fails_after_the_timeout_with_a_reason(ha):
    node = ha.at("lxcc01")
    huge = node.single(
        "marathon.app_present",
        "/huge",
        config={**app_serving("huge"), "cpus": 999},
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
    web = node.single("marathon.app_present", "/web", config=app_serving("first"), wait=True)
    assert web["result"] is True and served_pages("web") == ["first\n"], web
    sick = node.single(
        "marathon.app_present",
        "/web",
        config=app_serving("second", port=81),
        wait=True,
        timeout=15,
        rollback=True,
    )
    # Unhealthy, or not yet healthy if it was killed as unhealthy and is starting again.
    assert sick["result"] is False and "/web" in sick["comment"] and "healthy" in sick["comment"], (
        sick
    )
    assert eventually(lambda: served_pages("web")) == ["first\n"]
    assert node.single("marathon.app_absent", "/web", wait=True)["result"] is True
