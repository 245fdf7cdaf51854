"""
Call each function of mesos, marathon, chronos and zk on a host of the lab, and check its answer.

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


def ask(name, *positional, **keywords):
    called.add(name)
    return functions[name](*positional, **keywords)


def until(question, seconds=90):
    """Ask until the answer is true; the failure message has the last answer."""
    deadline = time.monotonic() + seconds
    while not (reply := question()):
        assert time.monotonic() < deadline, f"not within {seconds} seconds; last: {reply!r}"
        time.sleep(0.5)
    return reply


def holds(name, *positional, **keywords):
    """Ask, and insist on an answer that holds something."""
    reply = ask(name, *positional, **keywords)
    assert reply, f"{name}: {reply!r}"
    return reply


def deployed(answer):
    """Wait for the deployment of a write, if there is one."""
    if answer["deploymentId"]:
        deployment = ask(
            "marathon.wait_deployment", answer["deploymentId"], timeout=90, interval=0.5
        )
        assert deployment["result"] in ("done", "unknown"), deployment


def mesos_reads():
    for name in (
        "connection",
        "leader",
        "masters",
        "quorums",
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
        holds(f"mesos.{name}")
    agents = ask("mesos.agents", active=True)
    count = ask("mesos.metrics", "master/slaves_active")
    assert list(count.values()) == [len(agents)], count
    agent = agents[0]["hostname"]
    for name in ("agent", "agent_health", "agent_state", "agent_flags", "agent_metrics"):
        holds(f"mesos.{name}", agent)
    checkpoint = ask("mesos.agent_checkpoint")
    assert checkpoint is None or checkpoint["hostname"] in [agent["hostname"] for agent in agents]
    assert ask("mesos.diff_agent", "/var/lib/mesos")["policy"] == "equal"
    for name in ("agent_containers", "agent_statistics"):
        assert isinstance(ask(f"mesos.{name}", agent), list)
    assert ask("mesos.framework", "marathon")["active"] is True
    holds("mesos.role", "*")
    assert isinstance(ask("mesos.tasks"), list)
    assert isinstance(ask("mesos.reservations", agent), dict)
    assert ask("mesos.maintenance_schedule") == []
    assert ask("mesos.maintenance_status") == {"draining": [], "down": []}
    assert ask("mesos.set_logging_level", 1, duration="10s") == ask("mesos.logging_level") == 1
    assert isinstance(ask("mesos.list_files", "/master/log"), list)
    assert {"size", "offset", "text"} <= set(ask("mesos.read_file", "/master/log", length=100))
    assert ask("mesos.api_call", "GET_VERSION")
    return [agent["hostname"] for agent in agents]


def mesos_policy(agent):
    assert ask("mesos.diff_weights", {"every": 2}) == {"/every": {"old": 1, "new": 2}}
    assert ask("mesos.set_weights", {"every": 2})["every"] == 2
    assert ask("mesos.weight", "every") == ask("mesos.weights")["every"] == 2
    ask("mesos.set_weights", {"every": 1})
    assert list(ask("mesos.diff_quota", "every", guarantees={"cpus": 0.5})) == ["/guarantees/cpus"]
    assert ask("mesos.set_quota", "every", guarantees={"cpus": 0.5})["guarantees"] == {"cpus": 0.5}
    assert (
        ask("mesos.quota", "every")["guarantees"]
        == ask("mesos.quotas")["every"]["guarantees"]
        == {"cpus": 0.5}
    )
    assert [ask("mesos.remove_quota", "every") for _ in range(2)] == [True, False]
    assert ask("mesos.reserve", agent, "every", {"cpus": 0.1, "disk": 64})["every"]["dynamic"] == {
        "cpus": 0.1,
        "disk": 64,
    }
    assert list(
        ask("mesos.create_volumes", agent, "every", {"data": {"path": "data", "size": 64}})[
            "every"
        ]["volumes"]
    ) == ["data"]
    assert (
        ask("mesos.destroy_volumes", agent, "every", "data", confirm=True)["every"]["volumes"] == {}
    )
    assert (
        not ask("mesos.unreserve", agent, "every", {"cpus": 0.1, "disk": 64})
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
        f"{ask('mesos.leader')['url']}/fake/frameworks",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()
    assert ask("mesos.teardown_framework", "guest", confirm=True)["name"] == "guest"
    assert "guest" not in [framework["name"] for framework in ask("mesos.frameworks")]


def mesos_agents(agent):
    def comes_back():
        return until(
            lambda: [info for info in ask("mesos.agents", active=True) if info["hostname"] == agent]
        )

    machines = [
        machine["hostname"]
        for window in ask(
            "mesos.set_maintenance_schedule",
            [{"machines": [agent], "start": "+1h", "duration": "2h"}],
            confirm=True,
        )
        for machine in window["machines"]
    ]
    assert machines == [agent]
    assert ask("mesos.remove_from_schedule", agent) == []
    assert [
        machine["hostname"]
        for machine in ask("mesos.maintenance_window", agent, "now", "1h")["machines"]
    ] == [agent]
    assert len(ask("mesos.add_maintenance_window", agent, "now", "1h")) == 1
    assert [
        machine["hostname"] for machine in ask("mesos.machine_down", agent, confirm=True)["down"]
    ] == [agent]
    assert ask("mesos.machine_up", agent)["down"] == []
    comes_back()
    assert ask("mesos.deactivate_agent", agent)["deactivated"] is True
    assert ask("mesos.reactivate_agent", agent)["deactivated"] is False
    assert ask("mesos.drain_agent", agent, max_grace_period="5s")["drain"] in (
        "DRAINING",
        "DRAINED",
    )
    until(lambda: ask("mesos.agent", agent)["drain"] == "DRAINED")
    ask("mesos.reactivate_agent", agent)
    comes_back()
    assert ask("mesos.mark_agent_gone", agent, confirm=True)


def marathon_reads():
    for name in ("connection", "ping", "leader", "info", "version", "metrics", "summary", "group"):
        holds(f"marathon.{name}")
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
        assert isinstance(ask(f"marathon.{name}"), list), name
    assert isinstance(ask("marathon.queue"), dict)
    assert "cmd" in ask("marathon.fields")
    assert ask("marathon.api_call", "GET", "/v2/info")
    assert holds("marathon.canonical_app", {"id": "/x", **APP})["id"] == "/x"
    assert holds("marathon.canonical_pod", {"id": "/x", **POD})["id"] == "/x"
    assert ask("marathon.ignored_fields", {**APP, "maintainer": "ops"})


def marathon_apps():
    web = "/every/web"
    deployed(ask("marathon.create_app", web, {**APP, "instances": 2}))
    first_version = ask("marathon.app", web)["version"]
    assert ask("marathon.app_exists", web) is True
    assert ask("marathon.diff_app", web, {"labels": {"a": "b"}}) == {
        "/labels/a": {"old": None, "new": "b"}
    }
    deployed(ask("marathon.update_app", web, {"labels": {"a": "b"}}))
    assert ask("marathon.diff_app", web, {"labels": {"a": "b"}}) == {}
    assert first_version in ask("marathon.app_versions", web)
    assert ask("marathon.app_version", web, first_version).get("labels", {}) == {}
    deployed(ask("marathon.rollback_app", web, first_version))
    assert not ask("marathon.app", web).get("labels")
    deployed(ask("marathon.replace_app", web, {**APP, "mem": 33}))
    deployed(ask("marathon.scale_app", web, 3))
    deployed(ask("marathon.restart_app", web))
    running = until(
        lambda: len(tasks := ask("marathon.tasks", app=web, status="running")) == 3 and tasks
    )
    assert {task["id"] for task in running} <= {
        task["id"] for task in ask("mesos.tasks", framework="marathon", state="running")
    }
    for number, (name, arguments) in enumerate(
        (
            ("kill_task", (web, running[0]["id"])),
            ("kill_task_ids", ([running[1]["id"]],)),
            ("kill_tasks", (web,)),
        )
    ):
        assert ask(f"marathon.{name}", *arguments) is not None, number
        task_id = running[min(number, 2)]["id"]
        until(
            lambda task_id=task_id: task_id
            not in [task["id"] for task in ask("marathon.tasks", app=web, status="running")]
        )
    until(lambda: len(ask("marathon.tasks", app=web, status="running")) == 3)
    ask("marathon.create_app", "/every/huge", {**APP, "cpus": 999})
    begun = until(lambda: ask("marathon.deployments", app="/every/huge"))[0]["id"]
    assert ask("marathon.deployment", begun)["id"] == begun
    assert ask("marathon.wait_deployment", begun, timeout=1, interval=0.5)["result"] == "timeout"
    ask("marathon.cancel_deployment", begun, force=True)
    until(lambda: not ask("marathon.deployments", app="/every/huge"))
    ask(
        "marathon.create_app",
        "/every/sick",
        {**APP, "cmd": "exit 1", "backoffSeconds": 3600},
        force=True,
    )
    until(lambda: ask("marathon.queue").get("/every/sick", {}).get("delay"))
    ask("marathon.reset_delay", "/every/sick")
    assert list(ask("marathon.diff_apps", {"/every/other": APP})) == ["/every/other"]
    changed = ask("marathon.update_apps", {"/every/other": APP})
    assert changed["created"] == ["/every/other"]
    deployed(changed)
    for app in ("/every/sick", "/every/web", "/every/other"):
        deployed(ask("marathon.delete_app", app, force=True))


def marathon_groups():
    shop = "/every/shop"
    deployed(ask("marathon.create_group", shop, {"apps": [{"id": "cart", **APP}]}))
    assert ask("marathon.group_exists", shop) is True
    first_version = ask("marathon.group", shop)["version"]
    steps = ask(
        "marathon.update_group",
        shop,
        {"apps": [{"id": name, **APP} for name in ("cart", "db")]},
        dry_run=True,
    )
    assert steps and not ask("marathon.app_exists", f"{shop}/db")
    deployed(ask("marathon.scale_group", shop, 2))
    assert ask("marathon.app", f"{shop}/cart")["instances"] == 2
    deployed(ask("marathon.rollback_group", shop, first_version))
    assert ask("marathon.app", f"{shop}/cart")["instances"] == 1
    exported = ask("marathon.export")
    deployed(ask("marathon.delete_group", shop))
    assert ask("marathon.group_exists", shop) is False
    assert f"{shop}/cart" in ask("marathon.import", exported)["apps"]
    deployed(ask("marathon.delete_group", "/every", force=True))


def marathon_pods():
    pod = "/every-pod"
    deployed(ask("marathon.create_pod", pod, POD))
    assert ask("marathon.pod_exists", pod) is True and ask("marathon.pod", pod)["id"] == pod
    assert ask("marathon.diff_pod", pod, {"labels": {"a": "b"}}) == {
        "/labels/a": {"old": None, "new": "b"}
    }
    deployed(ask("marathon.update_pod", pod, {"labels": {"a": "b"}}))
    assert len(ask("marathon.pod_versions", pod)) >= 2
    instance = until(lambda: ask("marathon.pod_status", pod)["instances"])[0]["id"]
    ask("marathon.kill_pod_instances", pod, [instance])
    until(
        lambda: instance
        not in [instance["id"] for instance in ask("marathon.pod_status", pod)["instances"]]
    )
    deployed(ask("marathon.delete_pod", pod, force=True))


def chronos():
    for name in ("connection", "ping", "leader", "api_version", "graph", "stats", "summary"):
        assert ask(f"chronos.{name}") is not None, name
    holds("chronos.api_call", "GET", "/metrics")
    assert ask(
        "chronos.schedule_equivalent",
        "R/2018-01-01T00:00:00Z/PT24H",
        "R/2026-05-04T00:00:00.000Z/P1D",
    )
    assert holds("chronos.canonical_job", {"command": "true"})
    assert (
        ask("chronos.create_job", "every", {"command": "true", "schedule": SCHEDULE})["created"]
        is True
    )
    assert (
        ask("chronos.put_job", "every-child", {"command": "echo child", "parents": ["every"]})[
            "created"
        ]
        is True
    )
    assert (
        ask("chronos.put_job", "every-child", {"command": "echo child", "parents": ["every"]})[
            "changes"
        ]
        == {}
    )
    assert (
        ask("chronos.put_jobs", {"every-child": {"command": "echo child", "parents": ["every"]}})[
            "created"
        ]
        == []
    )
    assert {"every", "every-child"} <= set(ask("chronos.jobs"))
    assert (
        ask("chronos.job", "every")["name"] == "every"
        and ask("chronos.job_exists", "nothing") is False
    )
    assert ask("chronos.children", "every") == ["every-child"] and ask(
        "chronos.parents", "every-child"
    ) == ["every"]
    assert list(ask("chronos.diff_job", "every", {"retries": 7})) == ["retries"]
    assert list(ask("chronos.update_job", "every", {"retries": 7})["changes"]) == ["retries"]
    for name in ("jobs_summary", "search"):
        assert "every" in json.dumps(ask(f"chronos.{name}")), name
    ask("chronos.run_job", "every")
    until(lambda: ask("chronos.job", "every")["successCount"])
    assert ask("chronos.job_stats", "every") is not None
    ask("chronos.kill_tasks", "every")
    ask("chronos.mark_success", "every")
    for name in ("every-child", "every"):
        ask("chronos.delete_job", name)
    until(lambda: not ask("chronos.job_exists", "every"))


def main():
    agents = mesos_reads()
    statuses = holds("zk.ensemble")
    servers = {str(server_id): status["address"] for server_id, status in statuses.items()}
    for server_id in servers:
        assert ask("zk.record_server_list", server_id, servers) is True
    assert ask("zk.server_lists") == dict.fromkeys(servers, servers)
    mesos_policy(agents[0])
    marathon_reads()
    marathon_apps()
    marathon_groups()
    marathon_pods()
    chronos()
    ask("marathon.abdicate", confirm=True)
    holds("marathon.leader", retries=30, total_timeout=60)
    mesos_agents(agents[-1])
    available = sorted(
        name
        for name in functions
        if name.partition(".")[0] in ("mesos", "marathon", "chronos", "zk")
    )
    print(json.dumps({"called": sorted(called), "available": available, "marked_gone": agents[-1]}))


main()
