"""
The module marathon, run by the real Salt of both lines against fake daemons of several versions of
Marathon.
"""

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
# What examples name and no one can know beforehand; the time and the ids are of the docstrings.
EXAMPLE_ID, EXAMPLE_TIME = "5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43", "2030-01-01T00:00:00.000Z"


def made(*options, version=NEW, agents=None, servers=None):
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
def marathon(running):
    return lambda *options, **named: running(made(*options, **named))


@pytest.fixture
def world(salt, marathon):
    """A Marathon with apps, a group and a pod, and how to call functions on it."""
    return lambda **options: World(salt, marathon(**options))


class World:
    def __init__(self, salt, server):
        self.salt, self.server = salt, server
        for name, config in APPS.items():
            self.call("create_app", name, config)
        if tuple(map(int, server.version.split("."))) >= (1, 4):
            self.call("create_pod", "/pod", POD)
        if not server.mesos.hold and server.mesos.agents:
            until(lambda: not self.call("deployments"))

    def call(self, function, *positional, **named):
        return self.salt.call(f"marathon.{function}", *positional, url=self.server.url, **named)

    def fails(self, function, *positional, **named):
        with pytest.raises(self.salt.Error) as error:
            self.call(function, *positional, **named)
        text = str(error.value)
        assert "\n" not in text and "Traceback" not in text
        return text

    def writes(self):
        return [asked for asked in self.server.requests if asked.method not in ("GET", "HEAD")]


# --- examples and documentation ---


# Functions whose examples change something, or need a deployment that is under way; each with what
# it returns.
BEGUN = {
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
OTHERS = {
    "abdicate": lambda found: found is True,
    "update_group": lambda found: found == []
    or found["deploymentId"],  # dependencies take no steps
    "kill_task": lambda found: [each["appId"] for each in found] == ["/web"],
    "kill_tasks": lambda found: {each["host"] for each in found} == {"lxb001.devops.test"},
    "kill_task_ids": lambda found: [each["appId"] for each in found] == ["/web"],
    "kill_pod_instances": lambda found: len(found) == 1,
    "deployment": lambda found: found["affectedApps"] == ["/web"],
    "cancel_deployment": lambda found: found["deploymentId"],
    "wait_deployment": lambda found: found["result"] == "done",
    "reset_delay": lambda found: found is True,
    "import": lambda found: found["apps"] == ["/imported"],
}
WRITES = {**dict.fromkeys(BEGUN, lambda found: found["deploymentId"]), **OTHERS}
# Reading functions whose examples find nothing in such a world.
EMPTY = {"plugins": [], "deployments": [], "queue": {}}


def asked(place, name, command):
    """A command line for a world: the server of the examples is its own."""
    command = command.replace(" --out=json", "")
    if "url=http" in command:
        return re.sub("url=.*", f"url={place.server.url}", command)
    return f"{settled(place, name, command)} url={place.server.url}"


def test_the_examples_of_each_function_that_reads_run(salt, place):
    before = len(place.writes())
    for function, commands in salt.examples("marathon").items():
        name = function.partition(".")[2]
        assert commands, f"{function} has no example"
        for command in commands if name not in WRITES else ():
            returned = salt.cli(asked(place, name, command))
            assert returned == EMPTY[name] if name in EMPTY else returned, command
    assert len(place.writes()) == before


@pytest.mark.parametrize("name", sorted(WRITES))
def test_the_examples_of_each_function_that_writes_run(salt, world, commands, name):
    place = world()
    before = len(place.writes())
    for command in commands[name]:
        returned = salt.cli(asked(place, name, command))
        assert WRITES[name](returned), f"{command}: {returned}"
    assert len(place.writes()) > before


@pytest.fixture(scope="module")
def commands(salt):
    """The examples of each function."""
    return {
        function.partition(".")[2]: lines for function, lines in salt.examples("marathon").items()
    }


@pytest.fixture(scope="module")
def place(salt):
    """One world for all that changes nothing."""
    server = made()
    server.start()
    found = World(salt, server)
    found.call("create_group", "/shop/spare")
    until(lambda: not found.call("deployments"))
    yield found
    server.stop()


def settled(place, name, command):
    """A command line with real ids and times, in a world where it makes sense."""
    if name in ("deployment", "cancel_deployment", "wait_deployment"):
        place.server.mesos.hold = True
        begun = place.call("update_app", "/web", {"labels": {"at": command}}, force=True)
        command = command.replace(EXAMPLE_ID, begun["deploymentId"])
        if name == "wait_deployment":
            meanwhile(place.server, lambda: setattr(place.server.mesos, "hold", False))
    if name == "reset_delay":
        if not place.call("app_exists", "/sick"):
            place.call("create_app", "/sick", {"cmd": "exit 1", "backoffSeconds": 3600})
        until(lambda: place.call("queue").get("/sick", {}).get("delay"))
    if EXAMPLE_TIME in command:
        kind, target = ("group", "/shop") if "group" in name else ("app", "/web")
        command = command.replace(EXAMPLE_TIME, place.call(f"{kind}_versions", target)[-1])
    if "kill_pod" in name:
        command = command.replace(
            f"pod.instance-{EXAMPLE_ID}", place.call("pod_status", "/pod")["instances"][0]["id"]
        )
    elif name.startswith("kill"):
        command = command.replace(f"web.{EXAMPLE_ID}", place.call("tasks", app="/web")[0]["id"])
    return command


def meanwhile(server, act):
    """Let something happen once a server has shown its deployments."""

    def finish(response):
        type(server).finish(server, response)
        if server.requests[-1].path == "/v2/deployments":
            del server.finish
            threading.Thread(target=act, daemon=True).start()

    server.finish = finish


def test_the_documentation_of_each_function_is_whole(salt):
    for function, text in salt.documented("marathon").items():
        assert text, function
        for part in ("CLI Example:", "profile", "connection", "Returns "):
            assert part in text, f"{function}: {part}"


# --- reading ---


@pytest.mark.parametrize("version", ["1.1.2", OLD, "1.4.13", "1.5.15", NEW, NEWEST])
def test_apps_are_listed_made_changed_and_deleted_with_each_version(world, version):
    place = world(version=version)
    assert [each["id"] for each in place.call("apps")] == ["/shop/cart", "/shop/db", "/web"]
    assert place.call("version") == list(map(int, version.split(".")))
    assert place.call("app_exists", "web") is True and place.call("app_exists", "/nosuch") is False
    assert place.call("diff_app", "/web", APPS["/web"]) == {}
    assert place.call("diff_app", "/web", {"labels": {"team": "b"}}) == {
        "/labels/team": {"old": "a", "new": "b"}
    }
    place.server.mesos.hold = True
    begun = place.call("update_app", "/web", {"labels": {"team": "b"}})
    assert begun["deploymentId"] and begun["created"] is False
    meanwhile(place.server, lambda: setattr(place.server.mesos, "hold", False))
    found = place.call("wait_deployment", begun["deploymentId"], interval=0.05)
    assert found == {"result": "done", "reason": "All is as it should be", "apps": {"/web": None}}
    assert place.call("app", "/web")["labels"] == {"team": "b"}
    before = len(place.writes())
    assert place.call("update_app", "/web", {"labels": {"team": "b"}})["deploymentId"] is None
    assert len(place.writes()) == before
    assert place.call("scale_app", "/web", 5)["deploymentId"]
    until(lambda: len(place.call("tasks", app="/web", status="running")) == 5)
    assert place.call("delete_app", "/web")["deploymentId"]
    until(lambda: not place.call("app_exists", "/web"))
    assert "There is no app called /web" in place.fails("app", "/web")


def test_a_summary_fits_on_a_screen(world):
    found = world().call("summary")
    assert found["apps"] == {"total": 3, "suspended": 0, "deploying": 0}
    assert found["instances"] == {
        "wanted": 4,
        "running": 4,
        "staged": 0,
        "healthy": 0,
        "unhealthy": 0,
    }
    assert found["pods"] == {"stable": 1} and found["deployments"] == [] and found["waiting"] == {}
    assert len(json.dumps(found, indent=1).splitlines()) <= 40


def test_a_summary_fits_on_a_screen_however_much_there_is_to_tell(world):
    place = world()
    place.call(
        "create_group",
        "/much",
        {
            "apps": [
                {"id": f"app-{number:02}", "cmd": "sleep 9", "cpus": 1000} for number in range(12)
            ]
        },
    )
    until(lambda: len(place.call("queue")) == 12)
    waiting = place.call("summary")["waiting"]
    assert len(waiting) == 11 and waiting["..."] == "2 more"


def test_what_is_embedded_of_an_app_is_what_was_asked_for(world):
    place = world()
    shown = place.call("app", "/web", embed=["lastTaskFailure"])
    assert len(shown["tasks"]) == 2
    assert place.fails("app", "/web", embed=["everything"]).startswith(
        "SaltInvocationError: embed: 'everything' should be one of "
    )
    assert [each["id"] for each in place.call("apps", group="/shop")] == ["/shop/cart", "/shop/db"]
    assert [each["id"] for each in place.call("apps", label="team==a")] == ["/web"]


# --- changing ---


def test_force_is_always_said(world):
    place = world()
    place.call("restart_app", "/web")
    place.call("delete_app", "/shop/cart", force=True)
    place.call("delete_app", "/shop/db")
    assert all("force=" in asked.query for asked in place.writes())
    assert [asked.query for asked in place.writes()][-2:] == ["force=true", "force=false"]


@pytest.mark.parametrize("version", ["1.4.13", NEW, NEWEST])
@pytest.mark.parametrize(
    "config, again",
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
def test_the_same_in_other_words_is_not_sent(world, version, config, again):
    place = world(version=version)
    place.call("create_app", "/same", {"cmd": "sleep 99", **config})
    until(lambda: not place.call("deployments", app="/same"))
    before = len(place.writes())
    assert place.call("update_app", "/same", again)["deploymentId"] is None
    assert len(place.writes()) == before


@pytest.mark.parametrize("version", ["1.4.13", NEW, NEWEST])
def test_what_is_not_mentioned_stays_and_what_is_unset_goes(world, version):
    place = world(version=version)
    kept = (
        {"executorResources": {"cpus": 0.1, "mem": 32, "disk": 10}} if version != "1.4.13" else {}
    )
    kept |= {"resourceLimits": {"cpus": 1, "mem": 64}} if version == NEWEST else {}
    given = {
        "cmd": "sleep 99",
        "cpus": 0.1,
        "mem": 32,
        "instances": 3,
        "user": "root",
        "env": {"A": 1, "B": 2},
    }
    place.call("create_app", "/much", {**given, **kept})

    def changed(**arguments):
        until(lambda: not place.call("deployments", app="/much"))
        assert place.call("update_app", "/much", **arguments)["deploymentId"]
        assert "partialUpdate=false" in place.writes()[-1].query
        return place.call("app", "/much")

    shown = changed(config={"labels": {"team": "b"}})
    assert shown["instances"] == 3 and shown["user"] == "root"
    assert shown.items() >= kept.items()
    assert changed(config={"env": {"A": 1}})["env"] == {"A": "1"}
    assert not changed(config={}, unset=["user"]).get("user")
    shown = changed(
        config={
            "args": ["sleep", "99"],
            "container": {"type": "DOCKER", "docker": {"image": "busybox"}},
        }
    )
    assert shown["args"] == ["sleep", "99"] and not shown.get("cmd")
    shown = changed(config={"cmd": "sleep 99"}, unset=["container"])
    assert shown["cmd"] == "sleep 99" and not shown.get("args") and not shown.get("container")
    assert changed(config={"cmd": "sleep 99"}, partial=False)["instances"] == 3


def test_before_1_4_nothing_can_be_unset(world):
    place = world(version=OLD)
    before = len(place.writes())
    for arguments in ({"unset": ["user"]}, {"partial": False}):
        assert "Marathon before 1.4" in place.fails(
            "update_app", "/web", {"cmd": "sleep 9"}, **arguments
        )
    assert len(place.writes()) == before


@pytest.mark.parametrize("version", ["1.1.2", OLD, "1.4.13", "1.5.15", NEW, NEWEST])
def test_each_change_names_the_deployment_that_it_began(world, version):
    place = world(version=version)
    place.server.mesos.hold = True
    begun = place.call("create_app", "/new", {"cmd": "sleep 99"})
    assert begun["created"] is True and [
        each["id"] for each in place.call("deployments", "/new")
    ] == [begun["deploymentId"]]
    begun = place.call("update_app", "/web", {"cmd": "sleep 99"})
    assert begun["created"] is False and [
        each["id"] for each in place.call("deployments", "/web")
    ] == [begun["deploymentId"]]
    if place.call("version") >= [1, 4]:
        begun = place.call("update_pod", "/pod", {"labels": {"team": "b"}})
        assert [each["id"] for each in place.call("deployments", "/pod")] == [begun["deploymentId"]]
        assert place.call("delete_pod", "/pod", force=True)["deploymentId"] not in (
            None,
            begun["deploymentId"],
        )


def test_what_is_there_is_not_created_again(world):
    place = world()
    for function, name, config in (
        ("create_app", "/web", APPS["/web"]),
        ("create_pod", "/pod", POD),
        ("create_group", "/shop", {}),
        ("create_group", "/web", {}),
    ):
        text = place.fails(function, name, config)
        assert text.startswith("CommandExecutionError: POST ") and "409" in text and name in text, (
            text
        )
    assert place.fails("create_app", "/shop", APPS["/web"]).startswith(
        "CommandExecutionError: POST "
    )


def test_what_is_not_there_is_said_in_a_line(world):
    place = world()
    for function, arguments, said in (
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
            place.fails(function, "/nosuch", *arguments)
            == f"CommandExecutionError: There is {said} called /nosuch"
        )


def test_an_old_pod_keeps_its_shared_cgroups(world):
    place = world(version=NEWEST)
    place.call("create_pod", "/old", {**POD, "id": "/old", "legacySharedCgroups": True})
    until(lambda: not place.call("deployments"))
    place.call("update_pod", "/old", {"labels": {"team": "b"}})
    sent = json.loads(place.writes()[-1].body)
    assert sent["legacySharedCgroups"] is True and "version" not in sent
    assert place.call("pod", "/old")["labels"] == {"team": "b"}


def test_too_many_deployments_are_not_taken_for_a_missing_right(salt, marathon):
    server = marathon("--max_running_deployments", "1")
    server.mesos.hold = True
    salt.call("marathon.create_app", "/a", APPS["/web"], url=server.url)
    with pytest.raises(
        salt.Error, match=r"403 Max number \(1\) of running deployments is achieved"
    ):
        salt.call("marathon.create_app", "/b", APPS["/web"], url=server.url)


@pytest.mark.parametrize(
    "body, said",
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
def test_what_is_refused_is_said_with_its_details(salt, raw, body, said):
    text = json.dumps(body)
    url = raw(
        f"HTTP/1.1 422 Unprocessable Entity\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
    ).url
    with pytest.raises(salt.Error) as caught:
        salt.call(
            "marathon.api_call", "POST", "/v2/groups", body={"id": "/x"}, confirm=True, url=url
        )
    assert str(caught.value) == f"CommandExecutionError: POST {url}/v2/groups: 422 {said}"


def test_an_app_that_someone_else_deletes_meanwhile_is_not_found(salt, raw):
    def says(heard):
        found = {"app": {"id": "/web", "version": EXAMPLE_TIME, "instances": 1}}
        status, body = (
            ("404 Not Found", {"message": "App '/web' does not exist"})
            if heard.startswith(b"DELETE")
            else ("200 OK", found)
        )
        text = json.dumps(body)
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()

    url = raw(says).url
    with pytest.raises(salt.Error) as caught:
        salt.call("marathon.delete_app", "/web", url=url)
    assert (
        str(caught.value)
        == f"CommandExecutionError: DELETE {url}/v2/apps/web?force=false: 404 App '/web' does not exist"
    )


def test_ids_keep_their_slashes_and_all_else_is_encoded(salt, raw):
    server = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"apps": []}')
    salt.call("marathon.apps", label="team in (a,b)", embed=["counts", "failures"], url=server.url)
    assert server.heard[-1].startswith(
        b"GET /v2/apps?label=team%20in%20%28a%2Cb%29&embed=apps.counts&embed=apps.failures HTTP/1.1\r\n"
    )
    salt.call("marathon.kill_task", "/shop/cart", "a b/c?d", url=server.url)
    assert server.heard[-1].startswith(b"DELETE /v2/apps/shop/cart/tasks/a%20b%2Fc%3Fd?")
    content = json.dumps({"versions": [EXAMPLE_TIME]})
    server = raw(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode())
    salt.call("marathon.app_version", "shop/cart/", EXAMPLE_TIME, url=server.url)
    assert server.heard[-1].startswith(
        b"GET /v2/apps/shop/cart/versions/2030-01-01T00%3A00%3A00.000Z HTTP/1.1\r\n"
    )


def test_what_is_locked_is_refused_with_the_deployment_that_locks_it(world):
    place = world()
    place.server.mesos.hold = True
    begun = place.call("update_app", "/web", {"cmd": "sleep 1000"})
    text = place.fails("update_app", "/web", {"cmd": "sleep 2000"})
    assert (
        text.startswith("CommandExecutionError: PUT ")
        and begun["deploymentId"] in text
        and "409" in text
    )
    assert place.call("update_app", "/web", {"cmd": "sleep 2000"}, force=True)["deploymentId"]


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
def test_wrong_arguments_are_refused_before_anything_is_sent(place, function, arguments):
    before = len(place.writes())
    function = function.replace("import_", "import")
    assert place.fails(function, *arguments).startswith("SaltInvocationError: ")
    assert len(place.writes()) == before


def test_a_group_loses_nothing_that_is_not_listed(world):
    place = world()
    text = place.fails("update_group", "/shop", {"apps": [{"id": "cart", "cmd": "sleep 3600"}]})
    assert "/shop/db would be deleted" in text and "purge=True" in text
    text = place.fails("update_group", "/", {"groups": []})
    assert all(name in text for name in ("/shop", "/shop/cart", "/shop/db"))
    steps = place.call(
        "update_group",
        "/shop",
        {"apps": [{"id": "cart", "cmd": "sleep 3600"}]},
        purge=True,
        dry_run=True,
    )
    assert any(each["action"] == "StopApplication" for step in steps for each in step)
    assert place.call("app_exists", "/shop/db")
    place.call("update_group", "/shop", {"apps": [{"id": "cart", "cmd": "sleep 3600"}]}, purge=True)
    until(lambda: not place.call("app_exists", "/shop/db"))


def answer_with(place, method, path, status, content):
    """Answer requests for a path with this status and JSON, after the server has processed them."""

    def finish(response):
        type(place.server).finish(place.server, response)
        request = place.server.requests[-1]
        if request.method == method and request.path == path:
            response.status_code, response.data = status, json.dumps(content).encode()

    place.server.finish = finish


FIRST, SECOND, THIRD = (f"2030-01-01T00:00:00.00{number}Z" for number in (1, 2, 3))


@pytest.mark.parametrize(
    "function, id, path, key",
    [
        ("app_versions", "/web", "/v2/apps/web/versions", "versions"),
        ("pod_versions", "/pod", "/v2/pods/pod::versions", None),
        ("group_versions", "/shop", "/v2/groups/shop/versions", None),
        ("group_versions", "/", "/v2/groups/versions", None),
    ],
)
def test_versions_are_unique_and_the_newest_is_first(world, function, id, path, key):
    place = world()
    versions = [SECOND, FIRST, THIRD, SECOND]
    answer_with(place, "GET", path, 200, {key: versions} if key else versions)
    assert place.call(function, id) == [THIRD, SECOND, FIRST]


def test_the_status_of_all_pods_has_a_path_of_its_own(world):
    place = world()
    assert [status["id"] for status in place.call("pod_status")] == ["/pod"]
    assert sum(place.call("summary")["pods"].values()) == 1
    assert {request.path for request in place.server.requests if "status" in request.path} == {
        "/v2/pods/::status"
    }


def test_a_rollback_of_an_app_to_an_unknown_version_names_the_version(world):
    place = world()
    answer_with(place, "PUT", "/v2/apps/web", 404, {"message": "App '/web' does not exist"})
    text = place.fails("rollback_app", "/web", FIRST)
    assert text == f"CommandExecutionError: /web has no version {FIRST}"


def test_a_rollback_of_a_group_to_an_unknown_version_is_not_found(world):
    place = world()
    message = f"Group /shop not available in version {FIRST}"
    answer_with(place, "PUT", "/v2/groups/shop", 422, {"message": message})
    assert place.fails("rollback_group", "/shop", FIRST) == (
        f"CommandExecutionError: /shop has no version {FIRST}"
    )
    answer_with(place, "PUT", "/v2/groups/shop", 422, {"message": "Object is not valid"})
    assert "Object is not valid" in place.fails("rollback_group", "/shop", FIRST)


def test_a_task_with_a_malformed_id_is_not_found(world):
    place = world()
    message = "Failure(java.lang.IllegalArgumentException: Invalid UUID string: nosuch)"
    answer_with(place, "DELETE", "/v2/apps/web/tasks/web.nosuch", 500, {"message": message})
    assert place.fails("kill_task", "/web", "web.nosuch") == (
        "CommandExecutionError: /web has no task web.nosuch"
    )


def refuse_writes(raw, content, status, message):
    """Start a server that answers GET with content, and refuses all else. Returns its URL."""

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
    with pytest.raises(salt.Error) as caught:
        salt.call("marathon.kill_task_ids", ["web.1", "nosuch"], url=url)
    assert str(caught.value) == "CommandExecutionError: There is no task nosuch"
    with pytest.raises(salt.Error) as caught:
        salt.call("marathon.kill_task_ids", ["web.1"], url=url)
    assert message in str(caught.value)


def test_a_malformed_id_in_a_list_of_pod_instances_is_not_found(salt, raw):
    instances = [{"id": "pod.instance-1"}]
    content = {"id": "/pod", "spec": {}, "status": "STABLE", "instances": instances}
    url = refuse_writes(raw, content, "422 Unprocessable Entity", "Object is not valid")
    with pytest.raises(salt.Error) as caught:
        salt.call("marathon.kill_pod_instances", "/pod", ["pod.instance-1", "nosuch"], url=url)
    assert str(caught.value) == "CommandExecutionError: /pod has no instance nosuch"
    with pytest.raises(salt.Error) as caught:
        salt.call("marathon.kill_pod_instances", "/pod", ["pod.instance-1"], url=url)
    assert "Object is not valid" in str(caught.value)


def test_an_unknown_version_of_an_app_is_not_requested(world):
    place = world()
    versions = place.call("app_versions", "/web")
    assert place.call("app_version", "/web", versions[0])["id"] == "/web"
    text = place.fails("app_version", "/web", FIRST)
    assert text == f"CommandExecutionError: /web has no version {FIRST}"
    assert not [request for request in place.server.requests if FIRST in request.path]
    text = place.fails("app_version", "/nosuch", FIRST)
    assert text == "CommandExecutionError: There is no app called /nosuch"


def lose_put(place, is_processed):
    """Let the response to a PUT be lost, and the request too unless it is processed."""
    server = place.server

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
    world, function, is_processed
):
    place = world()
    arguments = GROUP_CHANGES[function]
    if function == "rollback_group":
        arguments = [place.call("group_versions", "/shop")[0]]
        place.call("scale_app", "/shop/cart", 2)
        until(lambda: not place.call("deployments"))
    lose_put(place, is_processed)
    if is_processed:
        assert place.call(function, "/shop", *arguments)["deploymentId"] is None
    else:
        text = place.fails(function, "/shop", *arguments)
        assert text.startswith("CommandExecutionError: ") and "does not show the change" in text


IGNORED = "ignored, since Marathon does not have this field"
UNKNOWN = {**APPS["/web"], "maintainer": "ops", "container": {"type": "MESOS", "nosuch": 1}}
UNKNOWN_WARNINGS = [f"maintainer: {IGNORED}", f"container.nosuch: {IGNORED}"]


@pytest.mark.parametrize("version", ["1.1.2", "1.4.13", NEW, NEWEST])
def test_what_marathon_does_not_have_is_neither_sent_nor_compared(world, version):
    place = world(version=version)
    assert place.call("ignored_fields", UNKNOWN) == UNKNOWN_WARNINGS
    assert place.call("create_app", "/new", UNKNOWN)["warnings"] == UNKNOWN_WARNINGS
    until(lambda: not place.call("deployments"))
    assert place.call("diff_app", "/new", UNKNOWN) == {}
    assert place.call("diff_apps", {"/new": UNKNOWN}) == {}
    unchanged = place.call("update_app", "/new", UNKNOWN)
    assert unchanged["deploymentId"] is None and unchanged["warnings"] == UNKNOWN_WARNINGS
    config = {**UNKNOWN, "mem": 64}
    done = place.call("update_apps", {"/new": config})
    assert done["deploymentId"] and done["warnings"] == [
        f"/new: {text}" for text in UNKNOWN_WARNINGS
    ]
    until(lambda: not place.call("deployments"))
    done = place.call("import", {"apps": [{**config, "id": "/new"}], "groups": {"/g": {"team": 1}}})
    assert done["apps"] == [] and done["groups"] == ["/g"]
    assert done["warnings"] == [
        *(f"/new: {text}" for text in UNKNOWN_WARNINGS),
        f"/g: team: {IGNORED}",
    ]
    assert place.call("import", {"groups": {"/g": {"team": 1}}})["groups"] == []
    assert not [
        write for write in place.writes() if "nosuch" in write.body or 'team": 1' in write.body
    ]
    assert "nosuch" not in json.dumps(place.call("canonical_app", UNKNOWN))
    assert "warnings" not in place.call("create_app", "/other", APPS["/web"])


def test_what_marathon_ignores_of_a_pod_and_of_a_group_is_a_warning(world):
    place = world()
    config = {**POD, "id": "/new", "maintainer": "ops"}
    assert place.call("create_pod", "/new", config)["warnings"] == [f"maintainer: {IGNORED}"]
    assert place.call("diff_pod", "/new", config) == {}
    assert place.call("update_pod", "/new", config)["warnings"] == [f"maintainer: {IGNORED}"]
    assert "maintainer" not in place.call("canonical_pod", config)
    app = {"id": "a", "cmd": "sleep 3600", "maintainer": "ops"}
    group = {"apps": [app], "groups": [{"id": "sub", "comment": "x"}]}
    warnings = [f"apps[0].maintainer: {IGNORED}", f"groups[0].comment: {IGNORED}"]
    assert place.call("create_group", "/g", group)["warnings"] == warnings
    assert place.call("update_group", "/g", group, force=True)["warnings"] == warnings
    assert not [write for write in place.writes() if "maintainer" in write.body]
    assert place.call("ignored_fields", group, "group") == warnings


def test_fields_that_every_version_ignores_are_a_warning_unless_they_are_empty(world):
    place = world()
    config = {**APPS["/web"], "storeUrls": ["http://a.test/a"], "taskRateLimit": None}
    assert place.call("ignored_fields", config) == [
        "storeUrls: ignored, since Marathon does not use this field"
    ]


@pytest.mark.parametrize(
    "function, config, text",
    [
        ("create_app", {"cmd": "sleep 9", "uri": []}, "config: uri: there is no such field"),
        ("create_group", {"app": []}, "config: app: there is no such field; is it apps?"),
        (
            "create_group",
            {"groups": [{"id": "a", "apps": [{"id": "b", "comand": "x"}]}]},
            "config: groups[0].apps[0].comand: there is no such field; is it cmd?",
        ),
        (
            "update_group",
            {"apps": [{"id": "cart", "check": {"exec": {"command": {"shell": "true"}}}}]},
            "config: apps[0].check: needs Marathon 1.8; 1.6.608 ignores it",
        ),
        ("ignored_fields", {"contaner": {}}, "contaner: there is no such field; is it container?"),
    ],
)
def test_what_looks_misspelt_or_is_too_new_is_refused_in_groups_too(world, function, config, text):
    place = world(version="1.6.608")
    writes = len(place.writes())
    arguments = [config] if function == "ignored_fields" else ["/shop", config]
    assert place.fails(function, *arguments).startswith(f"SaltInvocationError: {text}")
    assert len(place.writes()) == writes


def test_an_import_names_the_id_of_what_is_invalid_and_takes_apps_only_beside_groups(world):
    place = world()
    text = place.fails("import", {"apps": [{"id": "/new", "comand": "x"}]})
    assert text == "SaltInvocationError: config: /new: comand: there is no such field; is it cmd?"
    text = place.fails("import", {"groups": {"/shop": {"apps": []}}})
    assert text == (
        "SaltInvocationError: config: groups: /shop: ['apps'] should be left out: list them in "
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
def test_only_replaced_tasks_prove_a_restart_without_a_response(world, event, is_restarted):
    place = world()
    process = place.server.restart_app

    @functools.wraps(process)
    def restart_app(request, id):
        event(place.server, lambda: process(request, id))
        return answer({"message": "Futures timed out after [5 seconds]"}, 503)

    place.server.restart_app = restart_app
    if is_restarted:
        version = place.call("app", "/web")["version"]
        assert place.call("restart_app", "/web")["version"] > version
    else:
        text = place.fails("restart_app", "/web")
        assert text.startswith("CommandExecutionError: ") and "does not show the change" in text


def test_a_group_takes_enforce_role_from_1_9_on(world):
    place = world(version=NEWEST)
    place.call("create_group", "/new", {"enforceRole": True})
    assert place.call("group", "/new")["enforceRole"] is True
    place = world(version=NEW)
    for function, id in (("create_group", "/new"), ("update_group", "/shop")):
        text = place.fails(function, id, {"enforceRole": True})
        assert "enforceRole: needs Marathon 1.9; 1.8.244 ignores it" in text
    assert not place.call("group_exists", "/new")


@pytest.mark.parametrize("version", [OLD, "1.4.13", NEW])
def test_many_apps_are_compared_with_two_requests_and_changed_in_one_deployment(world, version):
    place = world(version=version)
    apps = {
        "/web": {"labels": {"team": "b"}},
        "new/one": {"cmd": "sleep 99", "env": {"PORT": 80}},
        "/shop/db": APPS["/shop/db"],
    }
    before = len(place.server.requests)
    differing = place.call("diff_apps", apps)
    assert [(each.method, each.path) for each in place.server.requests[before:]] == [
        ("GET", "/v2/info"),
        ("GET", "/v2/apps"),
    ]
    assert sorted(differing) == ["/new/one", "/web"] and differing["/web"] == {
        "/labels/team": {"old": "a", "new": "b"}
    }
    assert differing["/new/one"]["/"]["old"] is None
    done = place.call("update_apps", apps)
    assert (done["created"], done["updated"]) == (["/new/one"], ["/web"]) and done["deploymentId"]
    until(lambda: not place.call("deployments"))
    assert place.call("diff_apps", apps, current=place.call("apps"), version=version) == {}
    kept = place.call("app", "/web")
    assert kept["cmd"] == APPS["/web"]["cmd"] and place.call("app", "/new/one")["env"] == {
        "PORT": "80"
    }
    writes = len(place.writes())
    assert place.call("update_apps", apps) == {
        "version": None,
        "deploymentId": None,
        "created": [],
        "updated": [],
    }
    assert len(place.writes()) == writes


def test_many_apps_are_changed_although_the_answer_is_lost(world):
    place = world()

    def finish(response):
        type(place.server).finish(place.server, response)
        if place.server.requests[-1].method == "PUT":
            response.status_code, response.data = (
                503,
                b'{"message": "Futures timed out after [5 seconds]"}',
            )

    place.server.finish = finish
    done = place.call(
        "update_apps", {"/web": {"labels": {"team": "b"}}, "/new": {"cmd": "sleep 99"}}
    )
    assert (done["created"], done["updated"], done["deploymentId"]) == (["/new"], ["/web"], None)
    assert (
        place.call("app", "/web")["labels"] == {"team": "b"}
        and len([each for each in place.writes() if each.method == "PUT"]) == 1
    )


def test_of_many_apps_the_one_that_is_wrong_is_named_as_far_as_anyone_knows(world):
    place = world()
    for apps, said in (
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
        before = len(place.server.requests)
        assert place.fails("update_apps", apps).partition(": ")[2].startswith(said)
        assert (
            "/b" not in {each["id"] for each in place.call("apps")}
            and len(place.server.requests) > before
        )


def test_what_would_have_nothing_to_run_is_refused_before_anything_is_sent(world):
    place = world()
    before = len(place.writes())
    for function, arguments in (
        ("diff_app", ("/new", {"cpus": 1})),
        ("diff_app", ("/web", {}, "merge", ["cmd"])),
        ("update_app", ("/web", {}, True, ["cmd"])),
        ("diff_app", ("/web", {"user": "me"}, "merge", ["user"])),
    ):
        text = place.fails(function, *arguments)
        assert "nothing to run" in text or "user: both declared and in unset" in text
    assert len(place.writes()) == before


def test_before_1_4_there_are_no_pods(world):
    place = world(version=OLD)
    for function in ("diff_pod", "create_pod"):
        assert "/pod: pods need Marathon 1.4, and this is 1.3.14" in place.fails(
            function, "/pod", POD
        )


def test_what_came_of_many_apps_is_asked_in_one_request_and_told_of_ten(world):
    place = world()
    names = [f"/big/a{number}" for number in range(12)]
    begun = place.call("update_apps", {name: {"cmd": "sleep 9", "cpus": 1000} for name in names})[
        "deploymentId"
    ]
    before = len(place.server.requests)
    found = place.call("wait_deployment", begun, timeout=0.1, interval=0.1)
    assert found["result"] == "timeout" and all(
        "0 of 1 instances run" in found["apps"][name] for name in names
    )
    assert "/big/a0: " in found["reason"] and "... 2 more" in found["reason"]
    assert len(place.server.requests) - before <= 4


def test_fields_are_those_that_the_version_knows(place):
    known = place.call("fields", version="1.4.13")
    assert {"cmd", "uris", "killSelection"} <= set(known) and not {
        "tty",
        "role",
        "version",
        "tasks",
        "id",
    } & set(known)
    assert "tty" in place.call("fields") and "containers" in place.call("fields", "pod")
    assert "kind: 'group' should be app or pod" in place.fails("fields", "group")


def test_what_is_exported_is_imported_elsewhere_and_then_nothing_differs(salt, world, marathon):
    place, other = world(), marathon()
    exported = place.call("export")
    done = salt.call("marathon.import", exported, url=other.url)
    assert (done["apps"], done["pods"]) == (["/shop/cart", "/shop/db", "/web"], ["/pod"])
    again = salt.call("marathon.import", exported, url=other.url)
    assert again == {"apps": [], "pods": [], "groups": [], "deployments": []}
    assert salt.call("marathon.export", url=other.url) == exported


# --- waiting ---


def test_a_deployment_that_waits_says_why(world):
    place = world()
    place.call("create_app", "/huge", {"cmd": "sleep 9", "cpus": 1000})
    begun = until(lambda: place.call("deployments", app="/huge"))[0]
    found = until(
        lambda: told(
            place.call("wait_deployment", begun["id"], timeout=0.2, interval=0.1),
            "refused: InsufficientCpus",
        )
    )
    assert found["result"] == "timeout" and "0 of 1 instances run" in found["apps"]["/huge"]


def told(found, text):
    return found if text in found["reason"] else None


def test_a_deployment_that_is_cancelled_is_not_taken_for_done(world, salt):
    place = world()
    place.server.mesos.hold = True
    begun = place.call("update_app", "/web", {"cmd": "sleep 1000"})
    deployment = place.call("deployment", begun["deploymentId"])
    place.server.mesos.hold = False
    place.call("cancel_deployment", deployment["id"], force=True)
    found = place.call("wait_deployment", deployment["id"], interval=0.05)
    assert found["result"] == "unknown" and found["reason"]


def test_a_deployment_that_another_takes_over_is_cancelled(world):
    place = world()
    place.server.mesos.hold = True
    begun = place.call("update_app", "/web", {"cmd": "sleep 1000"})
    url = f"{place.server.url}/v2/apps/web?force=true"
    meanwhile(place.server, lambda: requests.put(url, json={"cmd": "sleep 2000"}, timeout=5))
    found = place.call("wait_deployment", begun["deploymentId"], interval=0.1)
    assert found["result"] == "cancelled" and "its version is" in found["apps"]["/web"]


def test_who_waits_for_a_deployment_bears_with_a_leader_that_is_gone(world):
    place = world()
    server = place.server
    server.mesos.hold = True
    begun = place.call("update_app", "/web", {"cmd": "sleep 1000"})["deploymentId"]
    statuses = [503, 502, 503, 200]

    def finish(response):
        type(server).finish(server, response)
        if server.requests[-1].path == "/v2/deployments":
            response.status_code = statuses.pop()
            if not statuses:
                del server.finish
                server.mesos.hold = False

    server.finish = finish
    # A module that is loaded later loads the client anew, for all of them: there are new classes of
    # errors.
    place.salt.call("mesos.connection", pillar={"loaded": "anew"})
    found = place.call("wait_deployment", begun, interval=0.1, retries=0)
    assert not statuses and found["result"] == "done", found


def test_a_deployment_that_ends_with_fewer_instances_has_failed_and_the_last_one_says_why(world):
    place = world()
    begun = place.call("create_app", "/sick", {"cmd": "exit 1", "backoffSeconds": 3600})[
        "deploymentId"
    ]
    until(
        lambda: told(place.call("wait_deployment", begun, timeout=0.1, interval=0.1), "TASK_FAILED")
    )
    meanwhile(
        place.server,
        lambda: requests.delete(f"{place.server.url}/v2/deployments/{begun}?force=true", timeout=5),
    )
    found = place.call("wait_deployment", begun, interval=0.1)
    assert (
        found["result"] == "failed"
        and "0 of 1 instances run; the last that failed: TASK_FAILED on " in found["apps"]["/sick"]
    )


def test_before_1_8_a_deployment_may_be_listed_late(world):
    place = world(version="1.4.13")
    place.server.mesos.hold = True
    begun = place.call("update_app", "/web", {"cmd": "sleep 1000"})
    place.server.late = 1
    assert (
        place.call("wait_deployment", begun["deploymentId"], timeout=0.1, interval=0.1)["result"]
        == "timeout"
    )


# --- servers that are down, strange, slow or closed ---

# They ask nobody.
SILENT = {"connection", "canonical_app", "canonical_pod", "ignored_fields"}


def every_example(salt, commands, url, fine=(), **settings):
    """
    Run the first example of each function that asks, other than those that are fine; returns the
    errors by function.
    """
    said = {}
    for name, lines in commands.items():
        if name not in SILENT and name not in fine:
            with pytest.raises(salt.Error) as caught:
                salt.cli(
                    f"{lines[0].partition(' url=')[0]} url={url}",
                    {"marathon": {"retries": 0, **settings}},
                )
            said[name] = str(caught.value)
            assert said[name].startswith("CommandExecutionError: ") and "\n" not in said[name], (
                f"{name}: {said[name]}"
            )
    return said


def test_of_a_server_that_is_down_each_function_says_so_in_one_line(salt, commands, nobody):
    for name, said in every_example(salt, commands, nobody).items():
        assert "Connection refused" in said and nobody in said, name


def test_of_several_servers_that_are_down_each_has_a_line(salt, nobody):
    with pytest.raises(salt.Error) as caught:
        salt.call(
            "marathon.apps", url=f"{nobody},{nobody.replace('127.0.0.1', '127.0.0.2')}", retries=0
        )
    lines = str(caught.value).splitlines()
    assert len(
        [line for line in lines if "Connection refused" in line]
    ) == 2 and "Traceback" not in str(caught.value)


# To these no list at all is an answer: Marathon has nothing of that kind.
NONE_OF_THEM = {"pods", "pod_versions", "group_versions", "deployments", "kill_pod_instances"}
# Nor is it strange to these that there is nothing in a mapping.
NOTHING_NEEDED = {
    "abdicate",
    "api_call",
    "cancel_deployment",
    "create_group",
    "kill_task",
    "kill_task_ids",
    "metrics",
}


@pytest.mark.parametrize("body", ["<html>It works!</html>", "[]", "{", "null", "\x00"], ids=ascii)
def test_of_a_server_that_answers_garbage_each_function_says_so_in_one_line(
    salt, raw, commands, body
):
    server = raw(
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    fine = NONE_OF_THEM if body == "[]" else set()
    every_example(salt, commands, server.url, {"api_call", *fine})
    for name in fine:
        assert salt.cli(f"{commands[name][0]} url={server.url}") == []
    # Who makes any request gets any answer.
    assert salt.call("marathon.api_call", "GET", "/", url=server.url) == {
        "[]": [],
        "null": None,
    }.get(body, body)


def test_of_a_server_that_leaves_out_what_is_needed_each_function_says_so_in_one_line(
    salt, raw, commands
):
    server = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    for name, said in every_example(salt, commands, server.url, NOTHING_NEEDED).items():
        assert ("there is no leader" if name == "leader" else "{}") in said, f"{name}: {said}"


def test_of_a_server_that_hangs_each_function_says_so_in_one_line(salt, raw, commands):
    for name, said in every_example(salt, commands, raw(None).url, timeout=0.1).items():
        assert "no response within 0.1 seconds" in said, f"{name}: {said}"


@pytest.mark.parametrize(
    "login", [{}, {"username": "ops", "password": "open-sesame"}], ids=["none", "wrong"]
)
def test_without_credentials_each_function_says_401_in_one_line_and_tells_none(
    salt, marathon, commands, login
):
    server = marathon("--http_credentials", "ops:right-one")
    for name, said in every_example(salt, commands, server.url, **login).items():
        assert "401" in said and "sesame" not in said and "right-one" not in said, f"{name}: {said}"


def test_a_wrong_password_is_said_without_it(salt, marathon):
    server = marathon("--http_credentials", "user:secret")
    assert salt.call("marathon.ping", url=server.url, username="user", password="secret") is True
    with pytest.raises(salt.Error, match="401") as error:
        salt.call("marathon.apps", url=server.url, username="user", password="wrong-one", retries=0)
    assert "wrong-one" not in str(error.value)
