"""
Call each function of mesos, marathon, chronos and zk on a host of the lab, and check its result.

The Python of Salt runs it on the host, after ``state.apply``. It prints as JSON the functions that
it called, all available functions, and the host name of the agent that it marked gone. That agent
needs a new id; otherwise it leaves nothing behind.
"""

import json
import time
import urllib.request

import salt.client

functions = salt.client.Caller("/etc/salt/minion").sminion.functions
called = set()
APP = {"cmd": "sleep 3600", "cpus": 0.1, "mem": 32}
POD = {
    "containers": [
        {
            "name": "a",
            "exec": {"command": {"shell": "sleep 3600"}},
            "resources": {"cpus": 0.1, "mem": 32},
        }
    ]
}
SCHEDULE = "R/2030-01-01T00:00:00Z/PT24H"


def call(name, *positional, **keywords):
    called.add(name)
    return functions[name](*positional, **keywords)


def wait_until(condition, seconds=90):
    """Repeat a call until its result is true and return it. Fails with the last result."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} seconds; last: {result!r}"
        time.sleep(0.5)
    return result


def call_non_empty(name, *positional, **keywords):
    """Call a function and assert that its result is not empty."""
    result = call(name, *positional, **keywords)
    assert result, f"{name}: {result!r}"
    return result


def deployed(answer):
    """Wait for the deployment of a write, if there is one."""
    if answer["deploymentId"]:
        deployment = call(
            "marathon.wait_deployment", answer["deploymentId"], timeout=90, interval=0.5
        )
        assert deployment["result"] in ("done", "unknown"), deployment


def mesos_reads():
    for name in (
        "connection",
        "leader",
        "masters",
        "quorums",
        "masters_without_credentials",
        "peers_without_credentials",
        "health",
        "version",
        "flags",
        "info",
        "state",
        "state_summary",
        "summary",
        "agents",
        "frameworks",
        "roles",
    ):
        call_non_empty(f"mesos.{name}")
    agents = call("mesos.agents", active=True)
    count = call("mesos.metrics", "master/slaves_active")
    assert list(count.values()) == [len(agents)], count
    agent = agents[0]["hostname"]
    for name in ("agent", "agent_health", "agent_state", "agent_flags", "agent_metrics"):
        call_non_empty(f"mesos.{name}", agent)
    checkpoint = call("mesos.agent_checkpoint")
    assert checkpoint is None or checkpoint["hostname"] in [agent["hostname"] for agent in agents]
    assert call("mesos.diff_agent", "/var/lib/mesos")["policy"] == "equal"
    for name in ("agent_containers", "agent_statistics"):
        assert isinstance(call(f"mesos.{name}", agent), list)
    assert call("mesos.framework", "marathon")["active"] is True
    call_non_empty("mesos.role", "*")
    assert isinstance(call("mesos.tasks"), list)
    assert isinstance(call("mesos.reservations", agent), dict)
    assert call("mesos.maintenance_schedule") == call("mesos.out_of_service") == []
    assert call("mesos.maintenance_status") == {"draining": [], "down": []}
    assert call("mesos.set_logging_level", 1, duration="10s") == call("mesos.logging_level") == 1
    assert isinstance(call("mesos.list_files", "/master/log"), list)
    assert {"size", "offset", "text"} <= set(call("mesos.read_file", "/master/log", length=100))
    assert call("mesos.api_call", "GET_VERSION")
    return [agent["hostname"] for agent in agents]


def mesos_policy(agent):
    assert call("mesos.diff_weights", {"every": 2}) == {"/every": {"old": 1, "new": 2}}
    assert call("mesos.set_weights", {"every": 2})["every"] == 2
    assert call("mesos.weight", "every") == call("mesos.weights")["every"] == 2
    call("mesos.set_weights", {"every": 1})
    assert list(call("mesos.diff_quota", "every", guarantees={"cpus": 0.5})) == ["/guarantees/cpus"]
    assert call("mesos.set_quota", "every", guarantees={"cpus": 0.5})["guarantees"] == {"cpus": 0.5}
    assert (
        call("mesos.quota", "every")["guarantees"]
        == call("mesos.quotas")["every"]["guarantees"]
        == {"cpus": 0.5}
    )
    assert [call("mesos.remove_quota", "every") for _ in range(2)] == [True, False]
    assert call("mesos.reserve", agent, "every", {"cpus": 0.1, "disk": 64})["every"]["dynamic"] == {
        "cpus": 0.1,
        "disk": 64,
    }
    assert list(
        call("mesos.create_volumes", agent, "every", {"data": {"path": "data", "size": 64}})[
            "every"
        ]["volumes"]
    ) == ["data"]
    assert (
        call("mesos.destroy_volumes", agent, "every", "data", confirm=True)["every"]["volumes"]
        == {}
    )
    assert (
        not call("mesos.unreserve", agent, "every", {"cpus": 0.1, "disk": 64})
        .get("every", {})
        .get("dynamic")
    )

    body = {
        "info": {"name": "guest", "user": "root", "roles": ["every"], "failover_timeout": 3600.0},
        "pid": "scheduler@127.0.0.1:1",
        "version": "1.11.0",
        "capabilities": ["MULTI_ROLE"],
    }
    request = urllib.request.Request(
        f"{call('mesos.leader')['url']}/fake/frameworks",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()
    assert call("mesos.teardown_framework", "guest", confirm=True)["name"] == "guest"
    assert "guest" not in [framework["name"] for framework in call("mesos.frameworks")]


def mesos_agents(agent):
    def has_reregistered():
        return wait_until(
            lambda: [
                info for info in call("mesos.agents", active=True) if info["hostname"] == agent
            ]
        )

    machines = [
        machine["hostname"]
        for window in call(
            "mesos.set_maintenance_schedule",
            [{"machines": [agent], "start": "+1h", "duration": "2h"}],
            confirm=True,
        )
        for machine in window["machines"]
    ]
    assert machines == [agent]
    assert call("mesos.remove_from_schedule", agent) == []
    assert [
        machine["hostname"]
        for machine in call("mesos.maintenance_window", agent, "now", "1h")["machines"]
    ] == [agent]
    assert len(call("mesos.add_maintenance_window", agent, "now", "1h")) == 1
    assert [
        machine["hostname"] for machine in call("mesos.machine_down", agent, confirm=True)["down"]
    ] == [agent]
    assert call("mesos.machine_up", agent)["down"] == []
    has_reregistered()
    assert call("mesos.deactivate_agent", agent)["deactivated"] is True
    assert call("mesos.reactivate_agent", agent)["deactivated"] is False
    assert call("mesos.drain_agent", agent, max_grace_period="5s")["drain"] in (
        "DRAINING",
        "DRAINED",
    )
    wait_until(lambda: call("mesos.agent", agent)["drain"] == "DRAINED")
    call("mesos.reactivate_agent", agent)
    has_reregistered()
    assert call("mesos.mark_agent_gone", agent, confirm=True)


def marathon_reads():
    for name in ("connection", "ping", "leader", "info", "version", "metrics", "summary", "group"):
        call_non_empty(f"marathon.{name}")
    for name in (
        "apps",
        "tasks",
        "groups",
        "group_versions",
        "pods",
        "plugins",
        "deployments",
        "pod_status",
    ):
        assert isinstance(call(f"marathon.{name}"), list), name
    assert isinstance(call("marathon.queue"), dict)
    assert "cmd" in call("marathon.fields")
    assert call("marathon.api_call", "GET", "/v2/info")
    assert call_non_empty("marathon.canonical_app", {"id": "/x", **APP})["id"] == "/x"
    assert call_non_empty("marathon.canonical_pod", {"id": "/x", **POD})["id"] == "/x"
    assert call("marathon.ignored_fields", {**APP, "maintainer": "ops"})


def marathon_apps():
    web = "/every/web"
    deployed(call("marathon.create_app", web, {**APP, "instances": 2}))
    first_version = call("marathon.app", web)["version"]
    assert call("marathon.app_exists", web) is True
    assert call("marathon.diff_app", web, {"labels": {"a": "b"}}) == {
        "/labels/a": {"old": None, "new": "b"}
    }
    deployed(call("marathon.update_app", web, {"labels": {"a": "b"}}))
    assert call("marathon.diff_app", web, {"labels": {"a": "b"}}) == {}
    assert first_version in call("marathon.app_versions", web)
    assert call("marathon.app_version", web, first_version).get("labels", {}) == {}
    deployed(call("marathon.rollback_app", web, first_version))
    assert not call("marathon.app", web).get("labels")
    deployed(call("marathon.replace_app", web, {**APP, "mem": 33}))
    deployed(call("marathon.scale_app", web, 3))
    deployed(call("marathon.restart_app", web))
    running = wait_until(
        lambda: len(tasks := call("marathon.tasks", app=web, status="running")) == 3 and tasks
    )
    assert {task["id"] for task in running} <= {
        task["id"] for task in call("mesos.tasks", framework="marathon", state="running")
    }
    for number, (name, arguments) in enumerate(
        (
            ("kill_task", (web, running[0]["id"])),
            ("kill_task_ids", ([running[1]["id"]],)),
            ("kill_tasks", (web,)),
        )
    ):
        assert call(f"marathon.{name}", *arguments) is not None, number
        task_id = running[min(number, 2)]["id"]
        wait_until(
            lambda task_id=task_id: task_id
            not in [task["id"] for task in call("marathon.tasks", app=web, status="running")]
        )
    wait_until(lambda: len(call("marathon.tasks", app=web, status="running")) == 3)
    call("marathon.create_app", "/every/huge", {**APP, "cpus": 999})
    begun = wait_until(lambda: call("marathon.deployments", app="/every/huge"))[0]["id"]
    assert call("marathon.deployment", begun)["id"] == begun
    assert call("marathon.wait_deployment", begun, timeout=1, interval=0.5)["result"] == "timeout"
    call("marathon.cancel_deployment", begun, force=True)
    wait_until(lambda: not call("marathon.deployments", app="/every/huge"))
    call(
        "marathon.create_app",
        "/every/sick",
        {**APP, "cmd": "exit 1", "backoffSeconds": 3600},
        force=True,
    )
    wait_until(lambda: call("marathon.queue").get("/every/sick", {}).get("delay"))
    call("marathon.reset_delay", "/every/sick")
    assert list(call("marathon.diff_apps", {"/every/other": APP})) == ["/every/other"]
    changed = call("marathon.update_apps", {"/every/other": APP})
    assert changed["created"] == ["/every/other"]
    deployed(changed)
    for app in ("/every/sick", "/every/web", "/every/other"):
        deployed(call("marathon.delete_app", app, force=True))


def marathon_groups():
    shop = "/every/shop"
    deployed(call("marathon.create_group", shop, {"apps": [{"id": "cart", **APP}]}))
    assert call("marathon.group_exists", shop) is True
    first_version = call("marathon.group", shop)["version"]
    steps = call(
        "marathon.update_group",
        shop,
        {"apps": [{"id": name, **APP} for name in ("cart", "db")]},
        dry_run=True,
    )
    assert steps and not call("marathon.app_exists", f"{shop}/db")
    deployed(call("marathon.scale_group", shop, 2))
    assert call("marathon.app", f"{shop}/cart")["instances"] == 2
    deployed(call("marathon.rollback_group", shop, first_version))
    assert call("marathon.app", f"{shop}/cart")["instances"] == 1
    exported = call("marathon.export")
    deployed(call("marathon.delete_group", shop))
    assert call("marathon.group_exists", shop) is False
    assert f"{shop}/cart" in call("marathon.import", exported)["apps"]
    deployed(call("marathon.delete_group", "/every", force=True))


def marathon_pods():
    pod = "/every-pod"
    deployed(call("marathon.create_pod", pod, POD))
    assert call("marathon.pod_exists", pod) is True and call("marathon.pod", pod)["id"] == pod
    assert call("marathon.diff_pod", pod, {"labels": {"a": "b"}}) == {
        "/labels/a": {"old": None, "new": "b"}
    }
    deployed(call("marathon.update_pod", pod, {"labels": {"a": "b"}}))
    assert len(call("marathon.pod_versions", pod)) >= 2
    instance = wait_until(lambda: call("marathon.pod_status", pod)["instances"])[0]["id"]
    call("marathon.kill_pod_instances", pod, [instance])
    wait_until(
        lambda: instance
        not in [instance["id"] for instance in call("marathon.pod_status", pod)["instances"]]
    )
    deployed(call("marathon.delete_pod", pod, force=True))


def chronos():
    for name in ("connection", "ping", "leader", "api_version", "graph", "stats", "summary"):
        assert call(f"chronos.{name}") is not None, name
    call_non_empty("chronos.api_call", "GET", "/metrics")
    assert call(
        "chronos.schedule_equivalent",
        "R/2018-01-01T00:00:00Z/PT24H",
        "R/2026-05-04T00:00:00.000Z/P1D",
    )
    assert call_non_empty("chronos.canonical_job", {"command": "true"})
    assert (
        call("chronos.create_job", "every", {"command": "true", "schedule": SCHEDULE})["created"]
        is True
    )
    assert (
        call("chronos.put_job", "every-child", {"command": "echo child", "parents": ["every"]})[
            "created"
        ]
        is True
    )
    assert (
        call("chronos.put_job", "every-child", {"command": "echo child", "parents": ["every"]})[
            "changes"
        ]
        == {}
    )
    assert (
        call("chronos.put_jobs", {"every-child": {"command": "echo child", "parents": ["every"]}})[
            "created"
        ]
        == []
    )
    assert {"every", "every-child"} <= set(call("chronos.jobs"))
    assert call("chronos.import", call("chronos.jobs"))["created"] == []
    assert (
        call("chronos.job", "every")["name"] == "every"
        and call("chronos.job_exists", "nothing") is False
    )
    assert call("chronos.children", "every") == ["every-child"] and call(
        "chronos.parents", "every-child"
    ) == ["every"]
    assert list(call("chronos.diff_job", "every", {"retries": 7})) == ["retries"]
    assert list(call("chronos.update_job", "every", {"retries": 7})["changes"]) == ["retries"]
    for name in ("jobs_summary", "search"):
        assert "every" in json.dumps(call(f"chronos.{name}")), name
    call("chronos.run_job", "every")
    wait_until(lambda: call("chronos.job", "every")["successCount"])
    assert call("chronos.job_stats", "every") is not None
    call("chronos.kill_tasks", "every")
    call("chronos.mark_success", "every")
    for name in ("every-child", "every"):
        call("chronos.delete_job", name)
    wait_until(lambda: not call("chronos.job_exists", "every"))


def main():
    agents = mesos_reads()
    statuses = call_non_empty("zk.ensemble")
    assert call("zk.metrics")["znode_count"] > 0
    assert call("zk.options")["clientPort"]
    servers = {str(server_id): status["address"] for server_id, status in statuses.items()}
    for server_id in servers:
        assert call("zk.record_server_list", server_id, servers) is True
    assert call("zk.server_lists") == dict.fromkeys(servers, servers)
    znode = {"path": "/every", "data": "eA==", "acl": [[31, "world", "anyone"]]}
    assert call("zk.put_znodes", [znode]) == {"created": ["/every"], "changed": []}
    assert call("zk.export", "/every")["znodes"] == [znode]
    assert call("zk.save", "/every", "/root/every.jsonl") == 1
    assert call("zk.delete_znodes", ["/every"], confirm=True) == ["/every"]
    assert call("zk.restore", "/every", "/root/every.jsonl", confirm=True)["created"] == ["/every"]
    assert call("zk.delete_znodes", ["/every"], confirm=True) == ["/every"]
    mesos_policy(agents[0])
    marathon_reads()
    marathon_apps()
    marathon_groups()
    marathon_pods()
    chronos()
    call("marathon.abdicate", confirm=True)
    call_non_empty("marathon.leader", retries=30, total_timeout=60)
    mesos_agents(agents[-1])
    available = sorted(
        name
        for name in functions
        if name.partition(".")[0] in ("mesos", "marathon", "chronos", "zk")
    )
    print(json.dumps({"called": sorted(called), "available": available, "marked_gone": agents[-1]}))


main()
