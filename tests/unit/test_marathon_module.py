"""The module marathon, run by the real Salt against fake daemons of several versions."""

import functools
import json
import re
import threading

import pytest
import requests
from mesos_world import until

from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom
from lab.fakes.wire.http import answer

# The functions speak HTTP, which Salt has no part in: one line is enough. With both lines the
# modules are loaded (test_modules_loaded.py) and called by the tests of states.
pytestmark = pytest.mark.lines("3008")

NEWEST = "1.10.26"
OLD, NEW = "1.3.14", "1.8.244"
POD = {
    "id": "/pod",
    "containers": [
        {
            "name": "a",
            "exec": {"command": {"shell": "sleep 3600"}},
            "resources": {"cpus": 0.1, "mem": 32},
        }
    ],
}
APPS = {
    "/web": {"cmd": "sleep 3600", "cpus": 0.1, "mem": 32, "instances": 2, "labels": {"team": "a"}},
    "/shop/cart": {"cmd": "sleep 3600", "cpus": 0.1, "mem": 32},
    "/shop/db": {"cmd": "sleep 3600", "cpus": 0.1, "mem": 32},
}
# The id and the version in the examples of the docstrings, which are replaced by real ones.
EXAMPLE_ID, EXAMPLE_TIME = "5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43", "2030-01-01T00:00:00.000Z"


def create_server(*options, version=NEW, agents=None, servers=None):
    local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
    agents = agents or Agents(
        agent("lxb001.devops.test", {"rack": "r1"}), agent("lxb002.devops.test", {"rack": "r2"})
    )
    server = Marathon(
        [*local, *options], None, version, servers=servers or MemoryRoom(), agents=agents
    )
    server.mesos = agents
    return server


@pytest.fixture
def start_marathon(running):
    return lambda *options, **arguments: running(create_server(*options, **arguments))


@pytest.fixture
def start_cluster(salt, start_marathon):
    """Return a function that starts a Marathon with apps, a group and a pod."""
    return lambda **options: MarathonCluster(salt, start_marathon(**options))


class MarathonCluster:
    def __init__(self, salt, server):
        self.salt, self.server = salt, server
        for name, config in APPS.items():
            self.call("create_app", name, config)
        if tuple(map(int, server.version.split("."))) >= (1, 4):
            self.call("create_pod", "/pod", POD)
        if not server.mesos.hold and server.mesos.agents:
            until(lambda: not self.call("deployments"))

    def call(self, function, *positional, **arguments):
        return self.salt.call(f"marathon.{function}", *positional, url=self.server.url, **arguments)

    def fails(self, function, *positional, **arguments):
        with pytest.raises(self.salt.Error) as error:
            self.call(function, *positional, **arguments)
        text = str(error.value)
        assert "\n" not in text and "Traceback" not in text
        return text

    def writes(self):
        return [
            request for request in self.server.requests if request.method not in ("GET", "HEAD")
        ]


# --- examples and documentation ---


# Functions whose examples change something or need a running deployment, and checks of results.
DEPLOYMENT_FUNCTIONS = {
    "create_app",
    "update_app",
    "update_apps",
    "replace_app",
    "delete_app",
    "scale_app",
    "restart_app",
    "rollback_app",
    "create_pod",
    "update_pod",
    "delete_pod",
    "create_group",
    "delete_group",
    "scale_group",
    "rollback_group",
}
OTHER_CHECKS = {
    "abdicate": lambda result: result is True,
    "update_group": lambda result: result == []
    or result["deploymentId"],  # a change of dependencies has no steps
    "kill_task": lambda result: [task["appId"] for task in result] == ["/web"],
    "kill_tasks": lambda result: {task["host"] for task in result} == {"lxb001.devops.test"},
    "kill_task_ids": lambda result: [task["appId"] for task in result] == ["/web"],
    "kill_pod_instances": lambda result: len(result) == 1,
    "deployment": lambda result: result["affectedApps"] == ["/web"],
    "cancel_deployment": lambda result: result["deploymentId"],
    "wait_deployment": lambda result: result["result"] == "done",
    "reset_delay": lambda result: result is True,
    "import": lambda result: result["apps"] == ["/imported"],
}
WRITES = {
    **dict.fromkeys(DEPLOYMENT_FUNCTIONS, lambda result: result["deploymentId"]),
    **OTHER_CHECKS,
}
# Functions that only read and whose examples return nothing from this cluster.
EMPTY = {"plugins": [], "deployments": [], "queue": {}}


def with_url(cluster, name, command):
    """Return a command line with the URL of the cluster instead of that of the examples."""
    command = command.replace(" --out=json", "")
    if "url=http" in command:
        return re.sub("url=.*", f"url={cluster.server.url}", command)
    return f"{with_real_ids(cluster, name, command)} url={cluster.server.url}"


def test_the_examples_of_each_function_that_reads_run(salt, cluster):
    before = len(cluster.writes())
    for function, commands in salt.examples("marathon").items():
        name = function.partition(".")[2]
        assert commands, f"{function} has no example"
        for command in commands if name not in WRITES else ():
            returned = salt.cli(with_url(cluster, name, command))
            assert returned == EMPTY[name] if name in EMPTY else returned, command
    assert len(cluster.writes()) == before


@pytest.mark.parametrize("name", sorted(WRITES))
def test_the_examples_of_each_function_that_writes_run(salt, start_cluster, commands, name):
    cluster = start_cluster()
    before = len(cluster.writes())
    for command in commands[name]:
        returned = salt.cli(with_url(cluster, name, command))
        assert WRITES[name](returned), f"{command}: {returned}"
    assert len(cluster.writes()) > before


@pytest.fixture(scope="module")
def commands(salt):
    """The examples of each function, by name."""
    return {
        function.partition(".")[2]: lines for function, lines in salt.examples("marathon").items()
    }


@pytest.fixture(scope="module")
def cluster(salt):
    """One cluster for all calls that change nothing."""
    server = create_server()
    server.start()
    cluster = MarathonCluster(salt, server)
    cluster.call("create_group", "/shop/spare")
    until(lambda: not cluster.call("deployments"))
    yield cluster
    server.stop()


def with_real_ids(cluster, name, command):
    """Return a command line with real ids and times, and prepare the cluster for it."""
    if name in ("deployment", "cancel_deployment", "wait_deployment"):
        cluster.server.mesos.hold = True
        change = cluster.call("update_app", "/web", {"labels": {"at": command}}, force=True)
        command = command.replace(EXAMPLE_ID, change["deploymentId"])
        if name == "wait_deployment":
            after_listing_deployments(
                cluster.server, lambda: setattr(cluster.server.mesos, "hold", False)
            )
    if name == "reset_delay":
        if not cluster.call("app_exists", "/sick"):
            cluster.call("create_app", "/sick", {"cmd": "exit 1", "backoffSeconds": 3600})
        until(lambda: cluster.call("queue").get("/sick", {}).get("delay"))
    if EXAMPLE_TIME in command:
        kind, target = ("group", "/shop") if "group" in name else ("app", "/web")
        command = command.replace(EXAMPLE_TIME, cluster.call(f"{kind}_versions", target)[-1])
    if "kill_pod" in name:
        command = command.replace(
            f"pod.instance-{EXAMPLE_ID}", cluster.call("pod_status", "/pod")["instances"][0]["id"]
        )
    elif name.startswith("kill"):
        command = command.replace(f"web.{EXAMPLE_ID}", cluster.call("tasks", app="/web")[0]["id"])
    return command


def after_listing_deployments(server, action):
    """Call a function once a server has listed its deployments."""

    def finish(response):
        type(server).finish(server, response)
        if server.requests[-1].path == "/v2/deployments":
            del server.finish
            threading.Thread(target=action, daemon=True).start()

    server.finish = finish


def test_the_documentation_of_each_function_is_complete(salt):
    for function, text in salt.documented("marathon").items():
        assert text, function
        for part in ("CLI Example:", "profile", "connection", "Returns "):
            assert part in text, f"{function}: {part}"


# --- reads ---


@pytest.mark.parametrize("version", ["1.1.2", OLD, "1.4.13", "1.5.15", NEW, NEWEST])
def test_apps_are_listed_created_changed_and_deleted_with_each_version(start_cluster, version):
    cluster = start_cluster(version=version)
    assert [app["id"] for app in cluster.call("apps")] == ["/shop/cart", "/shop/db", "/web"]
    assert cluster.call("version") == list(map(int, version.split(".")))
    assert (
        cluster.call("app_exists", "web") is True and cluster.call("app_exists", "/nosuch") is False
    )
    assert cluster.call("diff_app", "/web", APPS["/web"]) == {}
    assert cluster.call("diff_app", "/web", {"labels": {"team": "b"}}) == {
        "/labels/team": {"old": "a", "new": "b"}
    }
    cluster.server.mesos.hold = True
    change = cluster.call("update_app", "/web", {"labels": {"team": "b"}})
    assert change["deploymentId"] and change["created"] is False
    after_listing_deployments(cluster.server, lambda: setattr(cluster.server.mesos, "hold", False))
    result = cluster.call("wait_deployment", change["deploymentId"], interval=0.05)
    assert result == {
        "result": "done",
        "reason": "Everything is as declared",
        "apps": {"/web": None},
    }
    assert cluster.call("app", "/web")["labels"] == {"team": "b"}
    before = len(cluster.writes())
    assert cluster.call("update_app", "/web", {"labels": {"team": "b"}})["deploymentId"] is None
    assert len(cluster.writes()) == before
    assert cluster.call("scale_app", "/web", 5)["deploymentId"]
    until(lambda: len(cluster.call("tasks", app="/web", status="running")) == 5)
    assert cluster.call("delete_app", "/web")["deploymentId"]
    until(lambda: not cluster.call("app_exists", "/web"))
    assert "There is no app called /web" in cluster.fails("app", "/web")


def test_a_summary_fits_on_a_screen(start_cluster):
    summary = start_cluster().call("summary")
    assert summary["apps"] == {"total": 3, "suspended": 0, "deploying": 0}
    assert summary["instances"] == {
        "wanted": 4,
        "running": 4,
        "staged": 0,
        "healthy": 0,
        "unhealthy": 0,
    }
    assert (
        summary["pods"] == {"stable": 1}
        and summary["deployments"] == []
        and summary["waiting"] == {}
    )
    assert len(json.dumps(summary, indent=1).splitlines()) <= 40


def test_a_summary_of_many_waiting_apps_fits_on_a_screen(start_cluster):
    cluster = start_cluster()
    cluster.call(
        "create_group",
        "/much",
        {
            "apps": [
                {"id": f"app-{number:02}", "cmd": "sleep 9", "cpus": 1000} for number in range(12)
            ]
        },
    )
    until(lambda: len(cluster.call("queue")) == 12)
    waiting = cluster.call("summary")["waiting"]
    assert len(waiting) == 11 and waiting["..."] == "2 more"


def test_apps_are_embedded_and_filtered_as_requested(start_cluster):
    cluster = start_cluster()
    app = cluster.call("app", "/web", embed=["lastTaskFailure"])
    assert len(app["tasks"]) == 2
    assert cluster.fails("app", "/web", embed=["everything"]).startswith(
        "SaltInvocationError: embed: 'everything' should be one of "
    )
    assert [app["id"] for app in cluster.call("apps", group="/shop")] == [
        "/shop/cart",
        "/shop/db",
    ]
    assert [app["id"] for app in cluster.call("apps", label="team==a")] == ["/web"]


# --- writes ---


def test_force_is_always_sent(start_cluster):
    cluster = start_cluster()
    cluster.call("restart_app", "/web")
    cluster.call("delete_app", "/shop/cart", force=True)
    cluster.call("delete_app", "/shop/db")
    assert all("force=" in request.query for request in cluster.writes())
    assert [request.query for request in cluster.writes()][-2:] == ["force=true", "force=false"]


@pytest.mark.parametrize("version", ["1.4.13", NEW, NEWEST])
@pytest.mark.parametrize(
    "config, equivalent",
    [
        (
            {"constraints": [["hostname", "UNIQUE"], ["rack", "MAX_PER", 2]]},
            {"constraints": [["rack", "MAX_PER", "2"], ["hostname", "UNIQUE", ""]]},
        ),
        (
            {"env": {"PORT": 8080, "NAME": "\u00fc"}, "labels": {"tier": 1}},
            {"env": {"NAME": "\u00fc", "PORT": "8080"}, "labels": {"tier": "1"}},
        ),
        ({"acceptedResourceRoles": ["*"]}, {"cmd": "sleep 99"}),
        (
            {"upgradeStrategy": {"minimumHealthCapacity": 0.5}},
            {"upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 1}},
        ),
        (
            {
                "container": {
                    "type": "MESOS",
                    "volumes": [
                        {"containerPath": "data", "mode": "RW", "persistent": {"size": 10}}
                    ],
                }
            },
            {"upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0}},
        ),
        ({"ports": [0]}, {"ports": [0]}),
        (
            {"uris": ["http://a.test/a.tgz", "http://a.test/a.jar"]},
            {
                "fetch": [
                    {"uri": "http://a.test/a.tgz", "extract": True},
                    {"uri": "http://a.test/a.jar", "extract": False},
                ]
            },
        ),
    ],
    ids=lambda value: ", ".join(value),
)
def test_an_equivalent_definition_is_not_sent(start_cluster, version, config, equivalent):
    cluster = start_cluster(version=version)
    cluster.call("create_app", "/same", {"cmd": "sleep 99", **config})
    until(lambda: not cluster.call("deployments", app="/same"))
    before = len(cluster.writes())
    assert cluster.call("update_app", "/same", equivalent)["deploymentId"] is None
    assert len(cluster.writes()) == before


@pytest.mark.parametrize("version", ["1.4.13", NEW, NEWEST])
def test_an_update_keeps_omitted_fields_and_removes_unset_ones(start_cluster, version):
    cluster = start_cluster(version=version)
    kept_fields = (
        {"executorResources": {"cpus": 0.1, "mem": 32, "disk": 10}} if version != "1.4.13" else {}
    )
    kept_fields |= {"resourceLimits": {"cpus": 1, "mem": 64}} if version == NEWEST else {}
    config = {
        "cmd": "sleep 99",
        "cpus": 0.1,
        "mem": 32,
        "instances": 3,
        "user": "root",
        "env": {"A": 1, "B": 2},
    }
    cluster.call("create_app", "/much", {**config, **kept_fields})

    def update_app(**arguments):
        until(lambda: not cluster.call("deployments", app="/much"))
        assert cluster.call("update_app", "/much", **arguments)["deploymentId"]
        assert "partialUpdate=false" in cluster.writes()[-1].query
        return cluster.call("app", "/much")

    app = update_app(config={"labels": {"team": "b"}})
    assert app["instances"] == 3 and app["user"] == "root"
    assert app.items() >= kept_fields.items()
    assert update_app(config={"env": {"A": 1}})["env"] == {"A": "1"}
    assert not update_app(config={}, unset=["user"]).get("user")
    app = update_app(
        config={
            "args": ["sleep", "99"],
            "container": {"type": "DOCKER", "docker": {"image": "busybox"}},
        }
    )
    assert app["args"] == ["sleep", "99"] and not app.get("cmd")
    app = update_app(config={"cmd": "sleep 99"}, unset=["container"])
    assert app["cmd"] == "sleep 99" and not app.get("args") and not app.get("container")
    assert update_app(config={"cmd": "sleep 99"}, partial=False)["instances"] == 3


def test_before_1_4_fields_cannot_be_unset(start_cluster):
    cluster = start_cluster(version=OLD)
    before = len(cluster.writes())
    for arguments in ({"unset": ["user"]}, {"partial": False}):
        assert "Marathon before 1.4" in cluster.fails(
            "update_app", "/web", {"cmd": "sleep 9"}, **arguments
        )
    assert len(cluster.writes()) == before


@pytest.mark.parametrize("version", ["1.1.2", OLD, "1.4.13", "1.5.15", NEW, NEWEST])
def test_each_change_returns_the_id_of_its_deployment(start_cluster, version):
    cluster = start_cluster(version=version)
    cluster.server.mesos.hold = True
    change = cluster.call("create_app", "/new", {"cmd": "sleep 99"})
    assert change["created"] is True and [
        deployment["id"] for deployment in cluster.call("deployments", "/new")
    ] == [change["deploymentId"]]
    change = cluster.call("update_app", "/web", {"cmd": "sleep 99"})
    assert change["created"] is False and [
        deployment["id"] for deployment in cluster.call("deployments", "/web")
    ] == [change["deploymentId"]]
    if cluster.call("version") >= [1, 4]:
        change = cluster.call("update_pod", "/pod", {"labels": {"team": "b"}})
        assert [deployment["id"] for deployment in cluster.call("deployments", "/pod")] == [
            change["deploymentId"]
        ]
        assert cluster.call("delete_pod", "/pod", force=True)["deploymentId"] not in (
            None,
            change["deploymentId"],
        )


def test_an_existing_object_is_not_created_again(start_cluster):
    cluster = start_cluster()
    for function, name, config in (
        ("create_app", "/web", APPS["/web"]),
        ("create_pod", "/pod", POD),
        ("create_group", "/shop", {}),
        ("create_group", "/web", {}),
    ):
        text = cluster.fails(function, name, config)
        assert text.startswith("CommandExecutionError: POST ") and "409" in text and name in text, (
            text
        )
    assert cluster.fails("create_app", "/shop", APPS["/web"]).startswith(
        "CommandExecutionError: POST "
    )


def test_a_missing_object_is_reported_in_one_line(start_cluster):
    cluster = start_cluster()
    for function, arguments, message in (
        ("app", (), "no app"),
        ("delete_app", (), "no app"),
        ("scale_app", (1,), "no app"),
        ("restart_app", (), "no app"),
        ("pod", (), "no pod"),
        ("delete_pod", (), "no pod"),
        ("pod_status", (), "no pod"),
        ("group", (), "no group"),
        ("delete_group", (), "no group"),
        ("update_group", ({},), "no group"),
    ):
        assert (
            cluster.fails(function, "/nosuch", *arguments)
            == f"CommandExecutionError: There is {message} called /nosuch"
        )


def test_an_old_pod_keeps_its_shared_cgroups(start_cluster):
    cluster = start_cluster(version=NEWEST)
    cluster.call("create_pod", "/old", {**POD, "id": "/old", "legacySharedCgroups": True})
    until(lambda: not cluster.call("deployments"))
    cluster.call("update_pod", "/old", {"labels": {"team": "b"}})
    sent = json.loads(cluster.writes()[-1].body)
    assert sent["legacySharedCgroups"] is True and "version" not in sent
    assert cluster.call("pod", "/old")["labels"] == {"team": "b"}


def test_too_many_deployments_are_not_taken_for_a_permission_error(salt, start_marathon):
    server = start_marathon("--max_running_deployments", "1")
    server.mesos.hold = True
    salt.call("marathon.create_app", "/a", APPS["/web"], url=server.url)
    with pytest.raises(
        salt.Error, match=r"403 Max number \(1\) of running deployments is achieved"
    ):
        salt.call("marathon.create_app", "/b", APPS["/web"], url=server.url)


@pytest.mark.parametrize(
    "body, message",
    [
        (
            {
                "message": "Object is not valid",
                "details": [{"path": "/apps(0)", "errors": ["is bad", "is worse"]}],
            },
            "Object is not valid (/apps(0): is bad, is worse)",
        ),
        (
            {
                "message": "Invalid JSON",
                "details": [
                    {
                        "path": "/containers(0)/name",
                        "errors": [
                            '\'name\' is undefined on object: {"environment":{"TOKEN":"s3cret"}}'
                        ],
                    }
                ],
            },
            "Invalid JSON (/containers(0)/name: 'name' is missing)",
        ),
        ({"message": "Invalid JSON", "details": "Unexpected end"}, "Invalid JSON (Unexpected end)"),
        ({"message": "Object is not valid"}, "Object is not valid"),
    ],
    ids=["list", "missing", "text", "none"],
)
def test_the_error_of_a_rejected_request_has_its_details(salt, raw, body, message):
    text = json.dumps(body)
    url = raw(
        f"HTTP/1.1 422 Unprocessable Entity\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
    ).url
    with pytest.raises(salt.Error) as error_info:
        salt.call(
            "marathon.api_call", "POST", "/v2/groups", body={"id": "/x"}, confirm=True, url=url
        )
    assert str(error_info.value) == f"CommandExecutionError: POST {url}/v2/groups: 422 {message}"


def test_an_app_that_another_client_deletes_meanwhile_is_not_found(salt, raw):
    def respond(request):
        app = {"app": {"id": "/web", "version": EXAMPLE_TIME, "instances": 1}}
        status, body = (
            ("404 Not Found", {"message": "App '/web' does not exist"})
            if request.startswith(b"DELETE")
            else ("200 OK", app)
        )
        text = json.dumps(body)
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()

    url = raw(respond).url
    with pytest.raises(salt.Error) as error_info:
        salt.call("marathon.delete_app", "/web", url=url)
    assert (
        str(error_info.value) == f"CommandExecutionError: DELETE {url}/v2/apps/web?force=false: "
        "404 App '/web' does not exist"
    )


def test_the_slashes_of_ids_are_kept_and_other_characters_are_encoded(salt, raw):
    server = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"apps": []}')
    salt.call("marathon.apps", label="team in (a,b)", embed=["counts", "failures"], url=server.url)
    assert server.heard[-1].startswith(
        b"GET /v2/apps?label=team%20in%20%28a%2Cb%29"
        b"&embed=apps.counts&embed=apps.failures HTTP/1.1\r\n"
    )
    salt.call("marathon.kill_task", "/shop/cart", "a b/c?d", url=server.url)
    assert server.heard[-1].startswith(b"DELETE /v2/apps/shop/cart/tasks/a%20b%2Fc%3Fd?")
    content = json.dumps({"versions": [EXAMPLE_TIME]})
    server = raw(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode())
    salt.call("marathon.app_version", "shop/cart/", EXAMPLE_TIME, url=server.url)
    assert server.heard[-1].startswith(
        b"GET /v2/apps/shop/cart/versions/2030-01-01T00%3A00%3A00.000Z HTTP/1.1\r\n"
    )


def test_a_change_of_a_locked_app_fails_with_the_deployment_that_locks_it(start_cluster):
    cluster = start_cluster()
    cluster.server.mesos.hold = True
    change = cluster.call("update_app", "/web", {"cmd": "sleep 1000"})
    text = cluster.fails("update_app", "/web", {"cmd": "sleep 2000"})
    assert (
        text.startswith("CommandExecutionError: PUT ")
        and change["deploymentId"] in text
        and "409" in text
    )
    assert cluster.call("update_app", "/web", {"cmd": "sleep 2000"}, force=True)["deploymentId"]


@pytest.mark.parametrize(
    "function, arguments",
    [
        ("delete_group", ("/",)),
        ("delete_group", ("",)),
        ("delete_app", ("/",)),
        ("delete_app", ("//",)),
        ("rollback_group", ("/", EXAMPLE_TIME)),
        ("api_call", ("DELETE", "/v2/groups")),
        ("api_call", ("PUT", "/v2/groups/")),
        ("abdicate", ()),
        ("update_app", ("/web", [])),
        ("scale_app", ("/web", "5")),
        ("scale_app", ("/web", -1)),
        ("delete_app", (7,)),
        ("delete_app", ("/Web",)),
        ("kill_task_ids", ([],)),
        ("update_app", ("/web", {"id": "/other"})),
        ("create_app", ("/x", {"cmd": "sleep 9", "env": {"A": True}})),
        ("scale_group", ("/shop", 0)),
        ("create_app", ("/x", {"comand": "sleep 9"})),
        ("tasks", ("/web", "failed")),
        ("import_", ({},)),
        ("wait_deployment", ("a b",)),
        ("create_app", ("/x/tasks", {"cmd": "sleep 9"})),
        ("app", ("",)),
        ("pod", ("/",)),
        (
            "create_app",
            (
                "/x",
                {
                    "container": {
                        "docker": {"image": "x", "portMappings": [{}]},
                        "portMappings": [{}],
                    }
                },
            ),
        ),
        ("update_app", ("/web", {"constraints": [["hostname", "UNIQ"]]})),
        ("update_app", ("/web", {"cmd": "sleep 9", "args": ["a"]})),
    ],
    ids=str,
)
def test_invalid_arguments_are_rejected_before_anything_is_sent(cluster, function, arguments):
    before = len(cluster.writes())
    function = function.replace("import_", "import")
    assert cluster.fails(function, *arguments).startswith("SaltInvocationError: ")
    assert len(cluster.writes()) == before


def test_an_update_of_a_group_deletes_omitted_members_only_with_purge(start_cluster):
    cluster = start_cluster()
    text = cluster.fails("update_group", "/shop", {"apps": [{"id": "cart", "cmd": "sleep 3600"}]})
    assert "/shop/db would be deleted" in text and "purge=True" in text
    text = cluster.fails("update_group", "/", {"groups": []})
    assert all(name in text for name in ("/shop", "/shop/cart", "/shop/db"))
    steps = cluster.call(
        "update_group",
        "/shop",
        {"apps": [{"id": "cart", "cmd": "sleep 3600"}]},
        purge=True,
        dry_run=True,
    )
    assert any(action["action"] == "StopApplication" for step in steps for action in step)
    assert cluster.call("app_exists", "/shop/db")
    cluster.call(
        "update_group", "/shop", {"apps": [{"id": "cart", "cmd": "sleep 3600"}]}, purge=True
    )
    until(lambda: not cluster.call("app_exists", "/shop/db"))


def answer_with(cluster, method, path, status, content):
    """Answer requests for a path with this status and JSON, after the server has processed them."""

    def finish(response):
        type(cluster.server).finish(cluster.server, response)
        request = cluster.server.requests[-1]
        if request.method == method and request.path == path:
            response.status_code, response.data = status, json.dumps(content).encode()

    cluster.server.finish = finish


OLDEST_VERSION, MIDDLE_VERSION, NEWEST_VERSION = (
    f"2030-01-01T00:00:00.00{number}Z" for number in (1, 2, 3)
)


@pytest.mark.parametrize(
    "function, id, path, key",
    [
        ("app_versions", "/web", "/v2/apps/web/versions", "versions"),
        ("pod_versions", "/pod", "/v2/pods/pod::versions", None),
        ("group_versions", "/shop", "/v2/groups/shop/versions", None),
        ("group_versions", "/", "/v2/groups/versions", None),
    ],
)
def test_versions_are_unique_and_the_newest_is_first(start_cluster, function, id, path, key):
    cluster = start_cluster()
    versions = [MIDDLE_VERSION, OLDEST_VERSION, NEWEST_VERSION, MIDDLE_VERSION]
    answer_with(cluster, "GET", path, 200, {key: versions} if key else versions)
    assert cluster.call(function, id) == [NEWEST_VERSION, MIDDLE_VERSION, OLDEST_VERSION]


def test_the_status_of_all_pods_has_its_own_path(start_cluster):
    cluster = start_cluster()
    assert [status["id"] for status in cluster.call("pod_status")] == ["/pod"]
    assert sum(cluster.call("summary")["pods"].values()) == 1
    assert {request.path for request in cluster.server.requests if "status" in request.path} == {
        "/v2/pods/::status"
    }


def test_a_rollback_of_an_app_to_an_unknown_version_names_the_version(start_cluster):
    cluster = start_cluster()
    answer_with(cluster, "PUT", "/v2/apps/web", 404, {"message": "App '/web' does not exist"})
    text = cluster.fails("rollback_app", "/web", OLDEST_VERSION)
    assert text == f"CommandExecutionError: /web has no version {OLDEST_VERSION}"


def test_a_rollback_of_a_group_to_an_unknown_version_is_not_found(start_cluster):
    cluster = start_cluster()
    message = f"Group /shop not available in version {OLDEST_VERSION}"
    answer_with(cluster, "PUT", "/v2/groups/shop", 422, {"message": message})
    assert cluster.fails("rollback_group", "/shop", OLDEST_VERSION) == (
        f"CommandExecutionError: /shop has no version {OLDEST_VERSION}"
    )
    answer_with(cluster, "PUT", "/v2/groups/shop", 422, {"message": "Object is not valid"})
    assert "Object is not valid" in cluster.fails("rollback_group", "/shop", OLDEST_VERSION)


def test_a_task_with_a_malformed_id_is_not_found(start_cluster):
    cluster = start_cluster()
    message = "Failure(java.lang.IllegalArgumentException: Invalid UUID string: nosuch)"
    answer_with(cluster, "DELETE", "/v2/apps/web/tasks/web.nosuch", 500, {"message": message})
    assert cluster.fails("kill_task", "/web", "web.nosuch") == (
        "CommandExecutionError: /web has no task web.nosuch"
    )


def refuse_writes(raw, content, status, message):
    """Start a server that answers GET with content and rejects other requests. Returns its URL."""

    def respond(request):
        is_read = request.startswith(b"GET")
        line, body = ("200 OK", content) if is_read else (status, {"message": message})
        text = json.dumps(body)
        return f"HTTP/1.1 {line}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()

    return raw(respond).url


@pytest.mark.parametrize(
    "status, message",
    [
        ("400 Bad Request", "Invalid task id 'nosuch'. [taskId nosuch no valid identifier]"),
        ("500 Server Error", "Failure(java.lang.IllegalArgumentException)"),
    ],
)
def test_a_malformed_id_in_a_list_of_tasks_is_not_found(salt, raw, status, message):
    url = refuse_writes(raw, {"tasks": [{"id": "web.1"}]}, status, message)
    with pytest.raises(salt.Error) as error_info:
        salt.call("marathon.kill_task_ids", ["web.1", "nosuch"], url=url)
    assert str(error_info.value) == "CommandExecutionError: There is no task nosuch"
    with pytest.raises(salt.Error) as error_info:
        salt.call("marathon.kill_task_ids", ["web.1"], url=url)
    assert message in str(error_info.value)


def test_a_malformed_id_in_a_list_of_pod_instances_is_not_found(salt, raw):
    instances = [{"id": "pod.instance-1"}]
    content = {"id": "/pod", "spec": {}, "status": "STABLE", "instances": instances}
    url = refuse_writes(raw, content, "422 Unprocessable Entity", "Object is not valid")
    with pytest.raises(salt.Error) as error_info:
        salt.call("marathon.kill_pod_instances", "/pod", ["pod.instance-1", "nosuch"], url=url)
    assert str(error_info.value) == "CommandExecutionError: /pod has no instance nosuch"
    with pytest.raises(salt.Error) as error_info:
        salt.call("marathon.kill_pod_instances", "/pod", ["pod.instance-1"], url=url)
    assert "Object is not valid" in str(error_info.value)


def test_an_unknown_version_of_an_app_is_not_requested(start_cluster):
    cluster = start_cluster()
    versions = cluster.call("app_versions", "/web")
    assert cluster.call("app_version", "/web", versions[0])["id"] == "/web"
    text = cluster.fails("app_version", "/web", OLDEST_VERSION)
    assert text == f"CommandExecutionError: /web has no version {OLDEST_VERSION}"
    assert not [request for request in cluster.server.requests if OLDEST_VERSION in request.path]
    text = cluster.fails("app_version", "/nosuch", OLDEST_VERSION)
    assert text == "CommandExecutionError: There is no app called /nosuch"


def lose_put(cluster, is_processed):
    """Let the response to a PUT be lost, and the request too unless it is processed."""
    server = cluster.server

    def finish(response):
        type(server).finish(server, response)
        if server.requests[-1].method == "PUT":
            if not is_processed:
                # Another client changes something, which changes the version of every group.
                server.tree = before.copy()
                server.tree.touch("/shop", "2030-01-01T00:00:00.000Z")
            response.status_code = 503
            response.data = b'{"message": "Futures timed out after [5 seconds]"}'

    before = server.tree.copy()
    server.finish = finish


GROUP_CHANGES = {
    "update_group": [{"dependencies": ["/web"]}],
    "scale_group": [2],
    "rollback_group": [],
}


@pytest.mark.parametrize("function", GROUP_CHANGES)
@pytest.mark.parametrize("is_processed", [True, False])
def test_only_the_contents_of_a_group_prove_a_change_without_a_response(
    start_cluster, function, is_processed
):
    cluster = start_cluster()
    arguments = GROUP_CHANGES[function]
    if function == "rollback_group":
        arguments = [cluster.call("group_versions", "/shop")[0]]
        cluster.call("scale_app", "/shop/cart", 2)
        until(lambda: not cluster.call("deployments"))
    lose_put(cluster, is_processed)
    if is_processed:
        assert cluster.call(function, "/shop", *arguments)["deploymentId"] is None
    else:
        text = cluster.fails(function, "/shop", *arguments)
        assert text.startswith("CommandExecutionError: ") and "does not show the change" in text


IGNORED = "ignored, since Marathon does not have this field"
UNKNOWN = {**APPS["/web"], "maintainer": "ops", "container": {"type": "MESOS", "nosuch": 1}}
UNKNOWN_WARNINGS = [f"maintainer: {IGNORED}", f"container.nosuch: {IGNORED}"]


@pytest.mark.parametrize("version", ["1.1.2", "1.4.13", NEW, NEWEST])
def test_what_marathon_does_not_have_is_neither_sent_nor_compared(start_cluster, version):
    cluster = start_cluster(version=version)
    assert cluster.call("ignored_fields", UNKNOWN) == UNKNOWN_WARNINGS
    apps = {"/web": APPS["/web"], "/new": UNKNOWN}
    assert cluster.call("ignored_fields", apps, "apps") == [
        f"/new: {text}" for text in UNKNOWN_WARNINGS
    ]
    assert cluster.call("create_app", "/new", UNKNOWN)["warnings"] == UNKNOWN_WARNINGS
    until(lambda: not cluster.call("deployments"))
    assert cluster.call("diff_app", "/new", UNKNOWN) == {}
    assert cluster.call("diff_apps", {"/new": UNKNOWN}) == {}
    unchanged = cluster.call("update_app", "/new", UNKNOWN)
    assert unchanged["deploymentId"] is None and unchanged["warnings"] == UNKNOWN_WARNINGS
    config = {**UNKNOWN, "mem": 64}
    done = cluster.call("update_apps", {"/new": config})
    assert done["deploymentId"] and done["warnings"] == [
        f"/new: {text}" for text in UNKNOWN_WARNINGS
    ]
    until(lambda: not cluster.call("deployments"))
    done = cluster.call(
        "import", {"apps": [{**config, "id": "/new"}], "groups": {"/g": {"team": 1}}}
    )
    assert done["apps"] == [] and done["groups"] == ["/g"]
    assert done["warnings"] == [
        *(f"/new: {text}" for text in UNKNOWN_WARNINGS),
        f"/g: team: {IGNORED}",
    ]
    assert cluster.call("import", {"groups": {"/g": {"team": 1}}})["groups"] == []
    assert not [
        write for write in cluster.writes() if "nosuch" in write.body or 'team": 1' in write.body
    ]
    assert "nosuch" not in json.dumps(cluster.call("canonical_app", UNKNOWN))
    assert "warnings" not in cluster.call("create_app", "/other", APPS["/web"])


def test_what_marathon_ignores_of_a_pod_and_of_a_group_is_a_warning(start_cluster):
    cluster = start_cluster()
    config = {**POD, "id": "/new", "maintainer": "ops"}
    assert cluster.call("create_pod", "/new", config)["warnings"] == [f"maintainer: {IGNORED}"]
    assert cluster.call("diff_pod", "/new", config) == {}
    assert cluster.call("update_pod", "/new", config)["warnings"] == [f"maintainer: {IGNORED}"]
    assert "maintainer" not in cluster.call("canonical_pod", config)
    app = {"id": "a", "cmd": "sleep 3600", "maintainer": "ops"}
    group = {"apps": [app], "groups": [{"id": "sub", "comment": "x"}]}
    warnings = [f"apps[0].maintainer: {IGNORED}", f"groups[0].comment: {IGNORED}"]
    assert cluster.call("create_group", "/g", group)["warnings"] == warnings
    assert cluster.call("update_group", "/g", group, force=True)["warnings"] == warnings
    assert not [write for write in cluster.writes() if "maintainer" in write.body]
    assert cluster.call("ignored_fields", group, "group") == warnings


def test_fields_that_only_marathon_sets_are_a_warning_and_are_not_sent(start_cluster):
    cluster = start_cluster()
    text = "ignored, since only Marathon sets this"
    app = {**APPS["/web"], "version": EXAMPLE_TIME, "tasksRunning": 1, "deployments": None}
    assert cluster.call("ignored_fields", app) == [f"version, tasksRunning: {text}"]
    assert cluster.call("create_app", "/new", app)["warnings"] == [f"version, tasksRunning: {text}"]
    pod = {**POD, "id": "/new-pod", "version": EXAMPLE_TIME}
    assert cluster.call("create_pod", "/new-pod", pod)["warnings"] == [f"version: {text}"]
    group = {"groups": [{"id": "sub", "version": EXAMPLE_TIME, "apps": [{**app, "id": "a"}]}]}
    assert sorted(cluster.call("create_group", "/g", group)["warnings"]) == [
        f"groups[0].apps[0].version, groups[0].apps[0].tasksRunning: {text}",
        f"groups[0].version: {text}",
    ]
    assert not [write for write in cluster.writes() if "version" in write.body]


def test_ports_that_the_network_does_not_have_are_a_warning(start_cluster):
    cluster = start_cluster()
    text = "container.portMappings: ignored, since the app is on the host network"
    container = {"type": "MESOS", "portMappings": [{"containerPort": 80}]}
    config = {**APPS["/web"], "networks": [{"mode": "host"}], "container": container}
    assert cluster.call("create_app", "/new", config)["warnings"] == [text]
    assert cluster.call("update_app", "/new", config)["warnings"] == [text]
    assert cluster.call("update_apps", {"/new": config})["warnings"] == [f"/new: {text}"]
    assert cluster.call("import", {"apps": [{**config, "id": "/new"}]})["warnings"] == [
        f"/new: {text}"
    ]
    group = {"groups": [{"id": "sub", "apps": [{**config, "id": "a"}]}]}
    assert cluster.call("create_group", "/g", group)["warnings"] == [f"groups[0].apps[0].{text}"]


def test_fields_that_every_version_ignores_are_a_warning_unless_they_are_empty(start_cluster):
    cluster = start_cluster()
    config = {**APPS["/web"], "storeUrls": ["http://a.test/a"], "taskRateLimit": None}
    assert cluster.call("ignored_fields", config) == [
        "storeUrls: ignored, since Marathon does not use this field"
    ]


@pytest.mark.parametrize(
    "function, config, text",
    [
        ("create_app", {"cmd": "sleep 9", "uri": []}, "config: uri: there is no such field"),
        ("create_group", {"app": []}, "config: app: there is no such field. Did you mean apps?"),
        (
            "create_group",
            {"groups": [{"id": "a", "apps": [{"id": "b", "comand": "x"}]}]},
            "config: groups[0].apps[0].comand: there is no such field. Did you mean cmd?",
        ),
        (
            "update_group",
            {"apps": [{"id": "cart", "check": {"exec": {"command": {"shell": "true"}}}}]},
            "config: apps[0].check: needs Marathon 1.8; 1.6.608 ignores it",
        ),
        (
            "ignored_fields",
            {"contaner": {}},
            "contaner: there is no such field. Did you mean container?",
        ),
    ],
)
def test_what_looks_misspelt_or_is_too_new_is_refused_in_groups_too(
    start_cluster, function, config, text
):
    cluster = start_cluster(version="1.6.608")
    writes = len(cluster.writes())
    arguments = [config] if function == "ignored_fields" else ["/shop", config]
    assert cluster.fails(function, *arguments).startswith(f"SaltInvocationError: {text}")
    assert len(cluster.writes()) == writes


def test_an_import_names_the_id_of_what_is_invalid_and_takes_apps_only_beside_groups(start_cluster):
    cluster = start_cluster()
    text = cluster.fails("import", {"apps": [{"id": "/new", "comand": "x"}]})
    assert (
        text
        == "SaltInvocationError: config: /new: comand: there is no such field. Did you mean cmd?"
    )
    text = cluster.fails("import", {"groups": {"/shop": {"apps": []}}})
    assert text == (
        "SaltInvocationError: config: groups: /shop: ['apps'] should be omitted: list them in "
        "config: apps and config: groups"
    )


def restart_and_hold(server, restart):
    server.mesos.hold = True
    restart()


def restart_and_finish(server, restart):
    restart()
    until(lambda: not server.plans)


def scale_instead(server, restart):
    requests.put(f"{server.url}/v2/apps//web", json={"instances": 3}).raise_for_status()


def change_a_group_instead(server, restart):
    body = {"dependencies": ["/web"]}
    requests.put(f"{server.url}/v2/groups//shop", json=body).raise_for_status()


@pytest.mark.parametrize(
    "event, is_restarted",
    [
        (restart_and_hold, True),
        (restart_and_finish, True),
        (scale_instead, False),
        (change_a_group_instead, False),
        (lambda server, restart: None, False),
    ],
)
def test_only_replaced_tasks_prove_a_restart_without_a_response(start_cluster, event, is_restarted):
    cluster = start_cluster()
    process = cluster.server.restart_app

    @functools.wraps(process)
    def restart_app(request, id):
        event(cluster.server, lambda: process(request, id))
        return answer({"message": "Futures timed out after [5 seconds]"}, 503)

    cluster.server.restart_app = restart_app
    if is_restarted:
        version = cluster.call("app", "/web")["version"]
        assert cluster.call("restart_app", "/web")["version"] > version
    else:
        text = cluster.fails("restart_app", "/web")
        assert text.startswith("CommandExecutionError: ") and "does not show the change" in text


def test_enforce_role_of_a_group_needs_1_9(start_cluster):
    cluster = start_cluster(version=NEWEST)
    cluster.call("create_group", "/new", {"enforceRole": True})
    assert cluster.call("group", "/new")["enforceRole"] is True
    cluster = start_cluster(version=NEW)
    for function, id in (("create_group", "/new"), ("update_group", "/shop")):
        text = cluster.fails(function, id, {"enforceRole": True})
        assert "enforceRole: needs Marathon 1.9; 1.8.244 ignores it" in text
    assert not cluster.call("group_exists", "/new")


@pytest.mark.parametrize("version", [OLD, "1.4.13", NEW])
def test_many_apps_are_compared_with_two_requests_and_changed_in_one_deployment(
    start_cluster, version
):
    cluster = start_cluster(version=version)
    apps = {
        "/web": {"labels": {"team": "b"}},
        "new/one": {"cmd": "sleep 99", "env": {"PORT": 80}},
        "/shop/db": APPS["/shop/db"],
    }
    before = len(cluster.server.requests)
    differences = cluster.call("diff_apps", apps)
    assert [(request.method, request.path) for request in cluster.server.requests[before:]] == [
        ("GET", "/v2/info"),
        ("GET", "/v2/apps"),
    ]
    assert sorted(differences) == ["/new/one", "/web"] and differences["/web"] == {
        "/labels/team": {"old": "a", "new": "b"}
    }
    assert differences["/new/one"]["/"]["old"] is None
    changes = cluster.call("update_apps", apps)
    assert (changes["created"], changes["updated"]) == (["/new/one"], ["/web"]) and changes[
        "deploymentId"
    ]
    until(lambda: not cluster.call("deployments"))
    assert cluster.call("diff_apps", apps, current=cluster.call("apps"), version=version) == {}
    app = cluster.call("app", "/web")
    assert app["cmd"] == APPS["/web"]["cmd"] and cluster.call("app", "/new/one")["env"] == {
        "PORT": "80"
    }
    writes = len(cluster.writes())
    assert cluster.call("update_apps", apps) == {
        "version": None,
        "deploymentId": None,
        "created": [],
        "updated": [],
    }
    assert len(cluster.writes()) == writes


def test_many_apps_are_changed_although_the_response_is_lost(start_cluster):
    cluster = start_cluster()

    def finish(response):
        type(cluster.server).finish(cluster.server, response)
        if cluster.server.requests[-1].method == "PUT":
            response.status_code, response.data = (
                503,
                b'{"message": "Futures timed out after [5 seconds]"}',
            )

    cluster.server.finish = finish
    changes = cluster.call(
        "update_apps", {"/web": {"labels": {"team": "b"}}, "/new": {"cmd": "sleep 99"}}
    )
    assert (changes["created"], changes["updated"], changes["deploymentId"]) == (
        ["/new"],
        ["/web"],
        None,
    )
    assert (
        cluster.call("app", "/web")["labels"] == {"team": "b"}
        and len([write for write in cluster.writes() if write.method == "PUT"]) == 1
    )


def test_the_invalid_one_of_many_apps_is_reported_if_it_can_be_known(start_cluster):
    cluster = start_cluster()
    for apps, message in (
        ({"/a": {"cmd": "sleep 9"}, "/b": {"cmd": "sleep 9", "cpus": "x"}}, "apps: /b: cpus"),
        ({"/a": {"cpus": 1}}, "apps: /a: there is nothing to run"),
        ({"/a": {"cmd": "sleep 9"}, "a": {"cmd": "sleep 9"}}, "apps: /a is declared twice"),
        (
            {"/web": {"cmd": "sleep 9", "mem": 1}, "/b": {"cmd": "sleep 9", "mem": -1}},
            "/b: ",
        ),
        (
            {
                "/web": {"cmd": "sleep 9"},
                "/b": {"cmd": "sleep 9", "upgradeStrategy": {"minimumHealthCapacity": 2}},
            },
            "/b: ",
        ),
    ):
        before = len(cluster.server.requests)
        assert cluster.fails("update_apps", apps).partition(": ")[2].startswith(message)
        assert (
            "/b" not in {app["id"] for app in cluster.call("apps")}
            and len(cluster.server.requests) > before
        )


def test_an_app_without_a_command_or_image_is_rejected_before_anything_is_sent(start_cluster):
    cluster = start_cluster()
    before = len(cluster.writes())
    for function, arguments in (
        ("diff_app", ("/new", {"cpus": 1})),
        ("diff_app", ("/web", {}, "merge", ["cmd"])),
        ("update_app", ("/web", {}, True, ["cmd"])),
        ("diff_app", ("/web", {"user": "me"}, "merge", ["user"])),
    ):
        text = cluster.fails(function, *arguments)
        assert "nothing to run" in text or "user: both declared and in unset" in text
    assert len(cluster.writes()) == before


def test_pods_need_1_4(start_cluster):
    cluster = start_cluster(version=OLD)
    for function in ("diff_pod", "create_pod"):
        assert "/pod: pods need Marathon 1.4, and this is 1.3.14" in cluster.fails(
            function, "/pod", POD
        )


def test_the_status_of_many_apps_is_one_request_and_the_reason_lists_ten(start_cluster):
    cluster = start_cluster()
    names = [f"/big/a{number}" for number in range(12)]
    deployment_id = cluster.call(
        "update_apps", {name: {"cmd": "sleep 9", "cpus": 1000} for name in names}
    )["deploymentId"]
    before = len(cluster.server.requests)
    result = cluster.call("wait_deployment", deployment_id, timeout=0.1, interval=0.1)
    assert result["result"] == "timeout" and all(
        "0 of 1 instances run" in result["apps"][name] for name in names
    )
    assert "/big/a0: " in result["reason"] and "... 2 more" in result["reason"]
    assert len(cluster.server.requests) - before <= 4


def test_fields_are_those_of_the_version(cluster):
    fields = cluster.call("fields", version="1.4.13")
    assert {"cmd", "uris", "killSelection"} <= set(fields) and not {
        "tty",
        "role",
        "version",
        "tasks",
        "id",
    } & set(fields)
    assert "tty" in cluster.call("fields") and "containers" in cluster.call("fields", "pod")
    assert "kind: 'group' should be app or pod" in cluster.fails("fields", "group")


def test_an_export_can_be_imported_into_another_marathon_and_then_nothing_differs(
    salt, start_cluster, start_marathon
):
    cluster, other_server = start_cluster(), start_marathon()
    exported = cluster.call("export")
    imported = salt.call("marathon.import", exported, url=other_server.url)
    assert (imported["apps"], imported["pods"]) == (["/shop/cart", "/shop/db", "/web"], ["/pod"])
    repeated = salt.call("marathon.import", exported, url=other_server.url)
    assert repeated == {"apps": [], "pods": [], "groups": [], "deployments": []}
    assert salt.call("marathon.export", url=other_server.url) == exported


# --- deployments ---


def test_a_deployment_that_waits_for_offers_is_reported_with_the_reason(start_cluster):
    cluster = start_cluster()
    cluster.call("create_app", "/huge", {"cmd": "sleep 9", "cpus": 1000})
    deployment = until(lambda: cluster.call("deployments", app="/huge"))[0]
    result = until(
        lambda: if_reason_contains(
            cluster.call("wait_deployment", deployment["id"], timeout=0.2, interval=0.1),
            "declined: InsufficientCpus",
        )
    )
    assert result["result"] == "timeout" and "0 of 1 instances run" in result["apps"]["/huge"]


def if_reason_contains(result, text):
    return result if text in result["reason"] else None


def test_a_deployment_that_is_cancelled_is_not_taken_for_done(start_cluster, salt):
    cluster = start_cluster()
    cluster.server.mesos.hold = True
    change = cluster.call("update_app", "/web", {"cmd": "sleep 1000"})
    deployment = cluster.call("deployment", change["deploymentId"])
    cluster.server.mesos.hold = False
    cluster.call("cancel_deployment", deployment["id"], force=True)
    result = cluster.call("wait_deployment", deployment["id"], interval=0.05)
    assert result["result"] == "unknown" and result["reason"]


def test_a_deployment_that_another_one_replaces_is_cancelled(start_cluster):
    cluster = start_cluster()
    cluster.server.mesos.hold = True
    change = cluster.call("update_app", "/web", {"cmd": "sleep 1000"})
    url = f"{cluster.server.url}/v2/apps/web?force=true"
    after_listing_deployments(
        cluster.server, lambda: requests.put(url, json={"cmd": "sleep 2000"}, timeout=5)
    )
    result = cluster.call("wait_deployment", change["deploymentId"], interval=0.1)
    assert result["result"] == "cancelled" and "its version is" in result["apps"]["/web"]


def test_waiting_for_a_deployment_continues_while_there_is_no_leader(start_cluster):
    cluster = start_cluster()
    server = cluster.server
    server.mesos.hold = True
    deployment_id = cluster.call("update_app", "/web", {"cmd": "sleep 1000"})["deploymentId"]
    statuses = [503, 502, 503, 200]

    def finish(response):
        type(server).finish(server, response)
        if server.requests[-1].path == "/v2/deployments":
            response.status_code = statuses.pop()
            if not statuses:
                del server.finish
                server.mesos.hold = False

    server.finish = finish
    # Loading another module reloads the client, and its error classes are new objects.
    cluster.salt.call("mesos.connection", pillar={"loaded": "again"})
    result = cluster.call("wait_deployment", deployment_id, interval=0.1, retries=0)
    assert not statuses and result["result"] == "done", result


def test_a_deployment_that_ends_with_fewer_instances_has_failed_with_the_last_failure(
    start_cluster,
):
    cluster = start_cluster()
    deployment_id = cluster.call("create_app", "/sick", {"cmd": "exit 1", "backoffSeconds": 3600})[
        "deploymentId"
    ]
    until(
        lambda: if_reason_contains(
            cluster.call("wait_deployment", deployment_id, timeout=0.1, interval=0.1), "TASK_FAILED"
        )
    )
    after_listing_deployments(
        cluster.server,
        lambda: requests.delete(
            f"{cluster.server.url}/v2/deployments/{deployment_id}?force=true", timeout=5
        ),
    )
    result = cluster.call("wait_deployment", deployment_id, interval=0.1)
    assert (
        result["result"] == "failed"
        and "0 of 1 instances run; last failure: TASK_FAILED on " in result["apps"]["/sick"]
    )


def test_before_1_8_a_deployment_may_be_listed_late(start_cluster):
    cluster = start_cluster(version="1.4.13")
    cluster.server.mesos.hold = True
    change = cluster.call("update_app", "/web", {"cmd": "sleep 1000"})
    cluster.server.late = 1
    assert (
        cluster.call("wait_deployment", change["deploymentId"], timeout=0.1, interval=0.1)["result"]
        == "timeout"
    )


# --- servers that are down, invalid, slow or protected ---

# Functions that send no request.
OFFLINE_FUNCTIONS = {"connection", "canonical_app", "canonical_pod", "ignored_fields"}


def errors_of_examples(salt, commands, url, skip=(), **settings):
    """Run the first example of each function that sends requests. Returns errors by function."""
    errors = {}
    for name, lines in commands.items():
        if name not in OFFLINE_FUNCTIONS and name not in skip:
            with pytest.raises(salt.Error) as error_info:
                salt.cli(
                    f"{lines[0].partition(' url=')[0]} url={url}",
                    {"marathon": {"retries": 0, **settings}},
                )
            errors[name] = str(error_info.value)
            assert (
                errors[name].startswith("CommandExecutionError: ") and "\n" not in errors[name]
            ), f"{name}: {errors[name]}"
    return errors


def test_each_function_reports_a_server_that_is_down_in_one_line(salt, commands, nobody):
    for name, error in errors_of_examples(salt, commands, nobody).items():
        assert "Connection refused" in error and nobody in error, name


def test_each_server_that_is_down_gets_a_line(salt, nobody):
    with pytest.raises(salt.Error) as error_info:
        salt.call(
            "marathon.apps", url=f"{nobody},{nobody.replace('127.0.0.1', '127.0.0.2')}", retries=0
        )
    lines = str(error_info.value).splitlines()
    assert len(
        [line for line in lines if "Connection refused" in line]
    ) == 2 and "Traceback" not in str(error_info.value)


# Functions that accept an empty list: Marathon has no such objects.
EMPTY_LIST_ALLOWED = {"pods", "pod_versions", "group_versions", "deployments", "kill_pod_instances"}
# Functions that accept an empty mapping.
EMPTY_MAPPING_ALLOWED = {
    "abdicate",
    "api_call",
    "cancel_deployment",
    "create_group",
    "kill_task",
    "kill_task_ids",
    "metrics",
}


@pytest.mark.parametrize("body", ["<html>It works!</html>", "[]", "{", "null", "\x00"], ids=ascii)
def test_each_function_reports_an_invalid_response_in_one_line(salt, raw, commands, body):
    server = raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        + f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    skip = EMPTY_LIST_ALLOWED if body == "[]" else set()
    errors_of_examples(salt, commands, server.url, {"api_call", *skip})
    for name in skip:
        assert salt.cli(f"{commands[name][0]} url={server.url}") == []
    # api_call returns any response.
    assert salt.call("marathon.api_call", "GET", "/", url=server.url) == {
        "[]": [],
        "null": None,
    }.get(body, body)


def test_each_function_reports_a_response_without_required_members_in_one_line(salt, raw, commands):
    server = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    for name, error in errors_of_examples(
        salt, commands, server.url, EMPTY_MAPPING_ALLOWED
    ).items():
        assert ("there is no leader" if name == "leader" else "{}") in error, f"{name}: {error}"


def test_each_function_reports_a_server_that_hangs_in_one_line(salt, raw, commands):
    for name, error in errors_of_examples(salt, commands, raw(None).url, timeout=0.1).items():
        assert "no response within 0.1 seconds" in error, f"{name}: {error}"


@pytest.mark.parametrize(
    "login", [{}, {"username": "ops", "password": "open-sesame"}], ids=["none", "wrong"]
)
def test_without_valid_credentials_each_function_reports_401_and_no_secret(
    salt, start_marathon, commands, login
):
    server = start_marathon("--http_credentials", "ops:right-one")
    for name, error in errors_of_examples(salt, commands, server.url, **login).items():
        assert "401" in error and "sesame" not in error and "right-one" not in error, (
            f"{name}: {error}"
        )


def test_an_error_about_a_wrong_password_does_not_contain_it(salt, start_marathon):
    server = start_marathon("--http_credentials", "user:secret")
    assert salt.call("marathon.ping", url=server.url, username="user", password="secret") is True
    with pytest.raises(salt.Error, match="401") as error:
        salt.call("marathon.apps", url=server.url, username="user", password="wrong-one", retries=0)
    assert "wrong-one" not in str(error.value)
