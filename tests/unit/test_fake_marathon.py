"""The fake Marathon: how each version treats apps, groups, pods and deployments."""

import json

import pytest
import requests
from mesos_world import until

from lab.fakes.marathon import placement as marathon_placement
from lab.fakes.marathon import views
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

LOCAL = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
VERSIONS = (
    "1.1.2",
    "1.3.14",
    "1.4.13",
    "1.5.0",
    "1.5.15",
    "1.6.608",
    "1.7.236",
    "1.8.244",
    "1.9.109",
    "1.10.26",
)
OLD, NEW = "1.4.13", "1.8.244"
TASK_ID = "web.instance-00000000-0000-0000-0000-000000000000._app.1"
MINIMAL = {"id": "/web", "cmd": "sleep 3600"}


class Client:
    """A client of one Marathon that also knows its agents."""

    def __init__(self, server, mesos):
        self.server, self.mesos = server, mesos
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(self, method, path, body=None, status=None, **options):
        """Send a request and return the JSON of the response, None if it is empty."""
        answer = self.session.request(
            method, self.server.url + path, json=body, timeout=5, **options
        )
        assert status is None or answer.status_code == status, answer.text
        assert status or answer.status_code < 400, answer.text
        self.headers = answer.headers
        return answer.json() if answer.content else None

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def app(self, path="/web", **options):
        return self.get(f"/v2/apps{path}", **options)["app"]

    def create(self, status=201, **app):
        return self.ask("POST", "/v2/apps", {**MINIMAL, **app}, status)

    def stored(self, **app):
        """Create an app and return it as the server stores it."""
        self.create(instances=0, **app)
        return self.app()

    def put(self, path="/web", status=200, query="", **app):
        return self.ask("PUT", f"/v2/apps{path}{query}", app, status)

    def group(self, path="/", status=200, query="", **group):
        return self.ask("PUT", f"/v2/groups{path}{query}", group, status)

    def rejection(self, status=422, **app):
        """Fail to create an app and return message and details of the error."""
        answer = self.create(status, **app)
        details = answer.get("details", [])
        return answer["message"], {
            entry["path"]: entry["errors"] for entry in details
        } if isinstance(details, list) else details

    def tasks(self, path="/web"):
        return {task["id"]: task["host"] for task in self.get(f"/v2/apps{path}/tasks")["tasks"]}

    def deployed(self):
        """Wait until nothing is being deployed."""
        until(lambda: not self.get("/v2/deployments"), "the deployments")
        return self


@pytest.fixture
def start(running):
    """Return a function that starts a Marathon with agents in memory."""

    def start(version=NEW, *options, agents=None, servers=None):
        agents = (
            Agents(agent("a1", {"rack": "r1"}), agent("a2", {"rack": "r2"}))
            if agents is None
            else agents
        )
        server = running(
            Marathon(
                [*LOCAL, *options], None, version, servers=servers or MemoryRoom(), agents=agents
            )
        )
        return Client(server, agents)

    return start


@pytest.fixture
def idle(start):
    """Return a function that starts a Marathon without offers: its deployments do not end."""
    return lambda *arguments: start(*arguments, agents=Agents())


# --- fields of an app ---


@pytest.mark.parametrize("version", VERSIONS)
def test_defaults_differ_by_version(idle, version):
    line = tuple(map(int, version.split(".")))
    app = idle(version).stored()
    assert (app["cpus"], app["mem"], app["disk"], app["backoffFactor"]) == (1, 128, 0, 1.15)
    assert app["upgradeStrategy"] == {"minimumHealthCapacity": 1, "maximumOverCapacity": 1}
    assert app["maxLaunchDelaySeconds"] == (3600 if line < (1, 8) else 300)
    slow = {"inactiveAfterSeconds": 300, "expungeAfterSeconds": 600}
    fast = {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0}
    assert app.get("unreachableStrategy") == (
        None if line < (1, 4) else slow if version == "1.5.0" else fast
    )
    assert app.get("killSelection") == (None if line < (1, 4) else "YOUNGEST_FIRST")
    assert ("gpus" in app, "networks" in app, app.get("role")) == (
        line >= (1, 3),
        line >= (1, 5),
        "*" if line >= (1, 9) else None,
    )
    name = {"name": "default"} if line >= (1, 4) else {}
    labels = {"labels": {}} if line < (1, 5) else {}
    assert app["portDefinitions"] == [{"port": 10000, "protocol": "tcp", **name, **labels}]


def test_up_to_1_4_8_an_unreachable_task_becomes_inactive_after_300_seconds(idle):
    assert idle("1.4.8").stored()["unreachableStrategy"]["inactiveAfterSeconds"] == 300


@pytest.mark.parametrize("version", VERSIONS)
def test_unset_fields_are_null_or_empty_up_to_1_4_and_omitted_since(idle, version):
    app = idle(version).stored()
    old = version < "1.5" and version != "1.10.26"
    defaults = {
        "args": None,
        "user": None,
        "container": None,
        "ipAddress": None,
        "env": {},
        "constraints": [],
        "fetch": [],
    }
    defaults |= {
        "uris": [],
        "storeUrls": [],
        "healthChecks": [],
        "dependencies": [],
        "ports": [10000],
    }
    assert {name: app[name] for name in defaults if name in app} == (defaults if old else {})
    assert app["labels"] == {}
    assert ("acceptedResourceRoles" in app) == version.startswith(("1.1.", "1.3"))


@pytest.mark.parametrize(
    "fields, expected_by_path",
    [
        (
            {"uris": ["http://h/a.tgz", "http://h/b.jar"]},
            {
                "fetch": [
                    {"uri": "http://h/a.tgz", "extract": True, "executable": False, "cache": False},
                    {
                        "uri": "http://h/b.jar",
                        "extract": False,
                        "executable": False,
                        "cache": False,
                    },
                ]
            },
        ),
        (
            {"ports": [8080, 0]},
            {
                "portDefinitions": [
                    {"port": 8080, "protocol": "tcp"},
                    {"port": 10000, "protocol": "tcp"},
                ]
            },
        ),
        ({"portDefinitions": []}, {"portDefinitions": []}),
        (
            {
                "container": {
                    "docker": {
                        "image": "nginx",
                        "network": "BRIDGE",
                        "portMappings": [{"containerPort": 80}],
                    }
                }
            },
            {
                "networks": [{"mode": "container/bridge"}],
                "portDefinitions": None,
                "container": {
                    "type": "DOCKER",
                    "volumes": [],
                    "docker": {
                        "image": "nginx",
                        "forcePullImage": False,
                        "privileged": False,
                        "parameters": [],
                    },
                    "portMappings": [
                        {
                            "containerPort": 80,
                            "hostPort": 0,
                            "servicePort": 10000,
                            "protocol": "tcp",
                            "labels": {},
                        }
                    ],
                },
            },
        ),
        (
            {
                "container": {
                    "docker": {
                        "image": "nginx",
                        "network": "HOST",
                        "portMappings": [{"containerPort": 80}],
                    }
                }
            },
            {"networks": [{"mode": "host"}], "container/portMappings": None},
        ),
        (
            {
                "container": {"docker": {"image": "nginx", "network": "USER"}},
                "ipAddress": {"networkName": "dcos"},
            },
            {"networks": [{"mode": "container", "name": "dcos"}], "requirePorts": False},
        ),
        (
            {
                "ipAddress": {
                    "networkName": "dcos",
                    "discovery": {"ports": [{"number": 80, "name": "http", "protocol": "tcp"}]},
                }
            },
            {
                "networks": [{"mode": "container", "name": "dcos"}],
                "container": {
                    "type": "MESOS",
                    "volumes": [],
                    "portMappings": [
                        {
                            "containerPort": 80,
                            "servicePort": 10000,
                            "protocol": "tcp",
                            "name": "http",
                            "labels": {},
                        }
                    ],
                },
            },
        ),
        (
            {"networks": [{"mode": "container", "name": "dcos"}]},
            {
                "container": {
                    "type": "MESOS",
                    "volumes": [],
                    "portMappings": [
                        {
                            "containerPort": 0,
                            "servicePort": 10000,
                            "protocol": "tcp",
                            "name": "default",
                            "labels": {},
                        }
                    ],
                }
            },
        ),
        (
            {
                "networks": [{"mode": "container/bridge"}],
                "container": {"type": "MESOS"},
                "ports": [0, 0],
            },
            {
                "portDefinitions": None,
                "container/portMappings/1/hostPort": 0,
                "container/portMappings/1/servicePort": 10001,
            },
        ),
        (
            {"ipAddress": {"networkName": "mesos-bridge"}},
            {"networks": [{"mode": "container/bridge"}]},
        ),
        (
            {
                "container": {
                    "type": "MESOS",
                    "docker": {
                        "image": "n",
                        "privileged": True,
                        "parameters": [{"key": "a", "value": "b"}],
                    },
                }
            },
            {
                "container/docker": {
                    "image": "n",
                    "privileged": False,
                    "parameters": [],
                    "forcePullImage": False,
                }
            },
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
            {
                "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0},
                "unreachableStrategy": "disabled",
                "residency": {
                    "relaunchEscalationTimeoutSeconds": 3600,
                    "taskLostBehavior": "WAIT_FOREVER",
                },
                "container/volumes/0/persistent": {"size": 10, "type": "root", "constraints": []},
            },
        ),
        ({"dependencies": ["db", "/other/app"]}, {"dependencies": ["/db", "/other/app"]}),
        ({"tty": False}, {"tty": False}),
        ({"tty": True}, {"tty": True}),
        ({"constraints": [["rack", "CLUSTER", ""]]}, {"constraints": [["rack", "CLUSTER"]]}),
        (
            {"executorResources": {"cpus": 1}},
            {"executorResources": {"cpus": 1, "mem": 32, "disk": 10}},
        ),
        ({"storeUrls": ["http://h/x"], "nonsense": 1}, {"storeUrls": None, "nonsense": None}),
    ],
)
def test_since_1_5_only_the_canonical_form_is_stored(idle, fields, expected_by_path):
    app = idle(NEW).stored(**fields)
    for name in ("uris", "ports", "ipAddress"):
        assert name not in app
    for path, expected in expected_by_path.items():
        assert at(app, path) == expected, path


def at(value, path):
    """Return the value at a path such as ``container/volumes/0``, or None."""
    for step in path.split("/"):
        value = value[int(step)] if step.isdigit() else (value or {}).get(step)
    return value


def test_up_to_1_4_deprecated_fields_are_stored(idle):
    client = idle(OLD)
    docker = {"image": "nginx", "network": "BRIDGE", "portMappings": [{"containerPort": 80}]}
    app = client.stored(container={"type": "DOCKER", "docker": docker}, uris=["http://h/a.tgz"])
    assert app["uris"] == ["http://h/a.tgz"]
    assert app["fetch"] == [
        {"uri": "http://h/a.tgz", "extract": True, "executable": False, "cache": False}
    ]
    mapping = {
        "containerPort": 80,
        "hostPort": 0,
        "servicePort": 10000,
        "protocol": "tcp",
        "labels": {},
    }
    assert app["container"]["docker"] == {
        "image": "nginx", "network": "BRIDGE", "portMappings": [mapping],
        "privileged": False, "parameters": [], "forcePullImage": False
    }  # fmt: skip
    assert (app["ports"], app["portDefinitions"][0]["port"], "networks" in app) == (
        [10000],
        10000,
        False,
    )
    address = {"networkName": "dcos", "labels": {"a": "b"}}
    client.create(id="/ip", instances=0, ipAddress=address)
    app = client.app("/ip")
    assert app["ipAddress"] == {"groups": [], "discovery": {"ports": []}, **address}
    assert not {"ports", "portDefinitions", "requirePorts"} & set(app)


@pytest.mark.parametrize(
    "version, check, expected",
    [
        (
            NEW,
            {},
            {
                "protocol": "HTTP",
                "ignoreHttp1xx": False,
                "delaySeconds": 15,
                "ipProtocol": "IPv4",
                "portIndex": None,
            },
        ),
        (
            NEW,
            {"ignoreHttp1xx": True, "delaySeconds": 3},
            {"ignoreHttp1xx": False, "delaySeconds": 15},
        ),
        (
            NEW,
            {"protocol": "MESOS_HTTP", "delaySeconds": 3, "ipProtocol": "IPv4"},
            {"delaySeconds": 3, "ipProtocol": "IPv4"},
        ),
        (
            "1.5.15",
            {"protocol": "COMMAND", "command": {"value": "x"}, "portIndex": 0},
            {"portIndex": None, "command": {"value": "x"}},
        ),
        (
            NEW,
            {"protocol": "COMMAND", "command": {"value": "x"}, "portIndex": 0},
            {"portIndex": None, "command": {"value": "x"}},
        ),
        ("1.5.15", {}, {"delaySeconds": 15, "ipProtocol": None}),
        (
            OLD,
            {"ignoreHttp1xx": True},
            {"ignoreHttp1xx": True, "delaySeconds": None, "portIndex": 0},
        ),
        (
            OLD,
            {"protocol": "COMMAND", "command": {"value": "x"}},
            {"delaySeconds": 15, "portIndex": None},
        ),
    ],
)
def test_health_checks_get_defaults_and_lose_unsupported_fields(idle, version, check, expected):
    app = idle(version).stored(healthChecks=[check])
    assert {name: app["healthChecks"][0].get(name) for name in expected} == expected
    assert app["healthChecks"][0]["gracePeriodSeconds"] == 300


def test_the_port_index_of_a_health_check_is_0_if_ports_are_defined_or_the_app_is_updated(idle):
    client = idle()
    client.create(instances=0, healthChecks=[{}])
    assert "portIndex" not in client.app()["healthChecks"][0]
    client.put(healthChecks=[{"path": "/health"}])
    assert client.app()["healthChecks"][0]["portIndex"] == 0
    client.create(id="/two", instances=0, healthChecks=[{}], portDefinitions=[{}])
    assert client.app("/two")["healthChecks"][0]["portIndex"] == 0


@pytest.mark.parametrize(
    "version, roles, expected",
    [
        ("1.8.244", ["web", "*"], ["web", "*"]),
        ("1.9.109", ["web", "*"], ["*"]),
        ("1.9.109", ["web"], ["*"]),
        ("1.10.26", ["*"], ["*"]),
    ],
)
def test_1_9_sanitises_accepted_roles(idle, version, roles, expected):
    assert idle(version).stored(acceptedResourceRoles=roles)["acceptedResourceRoles"] == expected


def test_a_partial_upgrade_strategy_is_completed_up_to_1_4_and_rejected_since(idle):
    half = {"minimumHealthCapacity": 0.5}
    assert idle(OLD).stored(upgradeStrategy=half)["upgradeStrategy"] == {
        **half,
        "maximumOverCapacity": 1,
    }
    message, details = idle(NEW).rejection(upgradeStrategy=half)
    assert (message, details) == (
        "Invalid JSON",
        {
            "/upgradeStrategy/maximumOverCapacity": [
                "'maximumOverCapacity' is undefined on object: {\"minimumHealthCapacity\":0.5}"
            ]
        },
    )


def test_fields_that_a_version_does_not_support_are_dropped(idle):
    app = idle("1.7.236").stored(
        role="web", resourceLimits={"mem": "unlimited"}, check={"exec": {"command": {"shell": "x"}}}
    )
    assert not {"role", "resourceLimits", "check"} & set(app)
    app = idle("1.10.26").stored(
        resourceLimits={"mem": "unlimited"}, check={"exec": {"command": {"shell": "x"}}}
    )
    assert (app["resourceLimits"], app["check"]["intervalSeconds"]) == ({"mem": "unlimited"}, 60)


# --- validation ---


@pytest.mark.parametrize(
    "fields, path, text",
    [
        ({"id": "/x/tasks"}, "/id", "must not end with any of the following reserved keywords"),
        ({"id": "/"}, "/", "must not be root"),
        ({"args": ["a"]}, "/", "AppDefinition must either contain one of 'cmd' or 'args'"),
        ({"cmd": None}, "/", "AppDefinition must either contain one of 'cmd' or 'args'"),
        ({"cmd": "x"}, "/", "must not be an empty string"),
        (
            {"constraints": [["rack"]]},
            "/constraints",
            "Each constraint must have either 2 or 3 fields",
        ),
        ({"constraints": [["rack", "NEAR"]]}, "/constraints", "operator must be one of"),
        (
            {"constraints": [["rack", "MAX_PER", "x"]]},
            "/constraints",
            "MAX_PER requires an integer value",
        ),
        ({"constraints": [["rack", "LIKE"]]}, "/constraints", "LIKE and UNLIKE require"),
        (
            {"constraints": [["rack", "LIKE", "("]]},
            "/constraints",
            "is not a valid regular expression",
        ),
        (
            {"constraints": [["rack", "UNIQUE", "x"]]},
            "/constraints",
            "UNIQUE does not accept a value",
        ),
        (
            {"constraints": [["rack", "GROUP_BY", "x"]]},
            "/constraints",
            "GROUP BY must define an integer",
        ),
        (
            {"uris": ["http://h/a"], "fetch": [{"uri": "http://h/b"}]},
            "/uris",
            "may not be set in conjunction with fetch",
        ),
        (
            {"ports": [1], "portDefinitions": [{"port": 2}]},
            "/",
            "cannot specify both ports and port definitions",
        ),
        ({"ports": [1, 1]}, "/", "ports must be unique"),
        (
            {
                "networks": [{"mode": "host"}],
                "container": {"docker": {"image": "n", "network": "BRIDGE"}},
            },
            "/",
            "must not specify both container.docker.network and networks",
        ),
        (
            {"networks": [{"mode": "host"}], "ipAddress": {}},
            "/",
            "must not specify both networks and ipAddress",
        ),
        ({"container": {"type": "DOCKER"}}, "/container/docker", "not defined"),
        (
            {"healthChecks": [{"portIndex": 4}]},
            "/healthChecks(0)",
            "Health check port indices must address",
        ),
        (
            {"readinessChecks": [{"portName": "none"}]},
            "/readinessChecks(0)/portName",
            "No port definition reference",
        ),
        (
            {"portDefinitions": [{"name": "a"}, {"name": "a"}]},
            "/portDefinitions",
            "Port names must be unique.",
        ),
        ({"secrets": {"a": {"source": "b"}}}, "/secrets", "Feature secrets is not enabled"),
        ({"env": {"A": {"secret": "none"}}}, "/env/A/secret", "references an undefined secret"),
        (
            {"instances": 2, "labels": {"MARATHON_SINGLE_INSTANCE_APP": "true"}},
            "/",
            "Single instance app may only have one",
        ),
    ],
)
def test_an_invalid_app_is_rejected_with_the_path_of_the_error(idle, fields, path, text):
    message, details = idle().rejection(**fields)
    assert message == "Object is not valid"
    assert text in details[path][0]


@pytest.mark.parametrize(
    "definition, path, text",
    [
        ({"id": "/Web"}, "/id", "must fully match regular expression"),
        (
            {"upgradeStrategy": {"minimumHealthCapacity": 2, "maximumOverCapacity": 1}},
            "/upgradeStrategy/minimumHealthCapacity",
            "got 2.0",
        ),
        ({"networks": [{"mode": "container"}]}, "/networks(0)", "no network name specified"),
        (
            {
                "container": {
                    "portMappings": [{}],
                    "docker": {"image": "n", "portMappings": [{}], "network": "BRIDGE"},
                }
            },
            "/container",
            "cannot specify both portMappings and docker.portMappings",
        ),
    ],
)
def test_1_7_rejects_an_invalid_app_with_its_own_messages(idle, definition, path, text):
    message, details = idle("1.7.236").rejection(**definition)
    assert message == "Object is not valid"
    assert text in details[path][0]


COMMAND_CHECK = {"protocol": "COMMAND", "command": {"value": "x"}}


@pytest.mark.parametrize(
    "version, check, text",
    [
        *(
            (version, check, text)
            for version in ("1.5.15", "1.6.567", "1.7.236", NEW, "1.10.26")
            for check, text in (
                ({"protocol": "COMMAND"}, "illegal protocol COMMAND for non-command health check"),
                ({**COMMAND_CHECK, "protocol": "HTTP"}, "illegal protocol HTTP specified with"),
            )
        ),
        (
            "1.5.15",
            {**COMMAND_CHECK, "path": "/"},
            "AppHealthCheck(Some(CommandCheck(x)),300,None,60,3,Some(/),None,None,COMMAND,20,15) "
            "(of class mesosphere.marathon.raml.AppHealthCheck)",
        ),
        (
            "1.7.236",
            {**COMMAND_CHECK, "port": 80},
            "Invalid combination of HealthCheck parameters in AppHealthCheck(Some(CommandCheck(x)),"
            "300,None,60,3,None,Some(80),None,COMMAND,IPv4,20,15)",
        ),
        (NEW, {**COMMAND_CHECK, "port": 80}, "Invalid combination of HealthCheck parameters"),
    ],
)
def test_a_health_check_that_marathon_fails_to_convert_is_an_error_of_the_server(
    idle, version, check, text
):
    message, _ = idle(version).rejection(500, healthChecks=[check])
    assert message.startswith(text)


@pytest.mark.parametrize(
    "fields, path, text",
    [
        ({"cmd": 5}, "/cmd", "error.expected.jsstring"),
        ({"cpus": "1"}, "/cpus", "error.expected.jsnumber"),
        ({"instances": 1.5}, "/instances", "error.expected.int"),
        ({"args": "a"}, "/args", "error.expected.jsarray"),
        ({"container": []}, "/container", "error.expected.jsobject"),
        ({"requirePorts": "yes"}, "/requirePorts", "error.expected.jsboolean"),
        ({"labels": {"a": 1}}, "/labels/a", "error.expected.jsstring"),
        (
            {"constraints": [["rack", "MAX_PER", 2]]},
            "/constraints(0)(2)",
            "error.expected.jsstring",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_400_up_to_1_4_and_422_since(idle, fields, path, text):
    for version, status in ((OLD, 400), (NEW, 422)):
        assert idle(version).rejection(status, **fields) == ("Invalid JSON", {path: [text]})


@pytest.mark.parametrize(
    "definition, path, old_text, new_text",
    [
        (
            {"env": {"PORT": 8080}},
            "/env/PORT",
            "error.expected.jsstring",
            "error.expected.jsobject",
        ),
        (
            {"fetch": [{}]},
            "/fetch(0)/uri",
            "error.path.missing",
            "'uri' is undefined on object: {}",
        ),
        ({"id": None}, "/id", "error.path.missing", "error.expected.jsstring"),
    ],
)
def test_1_8_words_some_json_errors_differently(idle, definition, path, old_text, new_text):
    assert idle(OLD).rejection(400, **definition) == ("Invalid JSON", {path: [old_text]})
    assert idle(NEW).rejection(422, **definition) == ("Invalid JSON", {path: [new_text]})


@pytest.mark.parametrize(
    "fields, path, text",
    [
        ({"backoffSeconds": 1.5}, "/backoffSeconds", "int"),
        ({"maxLaunchDelaySeconds": 1.5}, "/maxLaunchDelaySeconds", "int"),
        ({"taskKillGracePeriodSeconds": 5.7}, "/taskKillGracePeriodSeconds", "int"),
        (
            {"healthChecks": [{"gracePeriodSeconds": 1.5}]},
            "/healthChecks(0)/gracePeriodSeconds",
            "int",
        ),
        (
            {"unreachableStrategy": {"inactiveAfterSeconds": 0.5}},
            "/unreachableStrategy/inactiveAfterSeconds",
            "long",
        ),
    ],
)
def test_since_1_8_a_fraction_of_a_second_is_rejected(idle, fields, path, text):
    definition = {"id": "/x", "cmd": "sleep 1", **fields}
    assert idle(NEW).rejection(422, **definition) == (
        "Invalid JSON",
        {path: [f"error.expected.{text}"]},
    )


def test_deprecated_and_new_fields_together_are_rejected_by_every_version(idle):
    for fields, conflict in (
        ({"uris": ["http://h/a"], "fetch": [{"uri": "http://h/b"}]}, "uris and fetch fields"),
        ({"ports": [1], "portDefinitions": [{"port": 2}]}, "ports and port definitions"),
        ({"ports": [1], "ipAddress": {}}, "an IP address and ports"),
    ):
        assert idle(OLD).rejection(400, **fields) == (
            "Invalid JSON",
            {"": [f"You cannot specify both {conflict}"]},
        )
        assert idle(NEW).rejection(**fields)[0] == "Object is not valid"


def test_an_empty_list_of_accepted_roles_is_rejected(idle):
    assert idle(OLD).rejection(400, acceptedResourceRoles=[])[1] == {
        "/acceptedResourceRoles": ["set must not be empty"]
    }
    assert idle(NEW).rejection(acceptedResourceRoles=[])[1] == {
        "/acceptedResourceRoles": ["must not be empty"]
    }


def test_a_negative_number_is_a_json_error_since_1_5(idle):
    assert idle(OLD).rejection(instances=-1) == (
        "Object is not valid",
        {"/instances": ["got -1, expected 0 or more"]},
    )
    assert idle(NEW).rejection(instances=-1) == ("Invalid JSON", {"/instances": ["error.min"]})


def test_1_10_rejects_roles_that_it_does_not_have_and_limits_below_the_request(idle):
    client = idle("1.10.26", "--mesos_role", "web")
    assert client.rejection(acceptedResourceRoles=["batch"])[1] == {
        "/acceptedResourceRoles": ["acceptedResourceRoles can only contain * and web"]
    }
    assert (
        "resource limit must be greater"
        in client.rejection(resourceLimits={"mem": 1})[1]["/resourceLimits/mem"][0]
    )


@pytest.mark.parametrize(
    "body, message", [(b"{", "Invalid JSON"), (b"", "Please specify data in JSON format")]
)
def test_a_body_that_is_not_json_is_400_with_details_as_text(idle, body, message):
    answer = idle().ask("POST", "/v2/apps", status=400, data=body)
    assert (answer["message"], type(answer["details"])) == (message, str)


def test_reserved_words_were_valid_ids_before_1_8(idle):
    assert idle("1.7.236").create(id="/x/tasks", instances=0)["id"] == "/x/tasks"


@pytest.mark.parametrize("version, status", [("1.5.15", 404), ("1.6.608", 500)])
def test_an_unknown_path_is_404_up_to_1_5_and_500_since(idle, version, status):
    assert idle(version).get("/v2/nosuch", status=status)["message"].startswith("URI not found")


def test_pods_patch_and_roles_of_groups_need_a_recent_version(idle):
    idle("1.3.14").get("/v2/pods", status=404)
    assert idle("1.4.13").get("/v2/pods") == []
    idle("1.3.14").ask("PATCH", "/v2/apps/web", {}, 405)
    idle("1.8.244").ask("PATCH", "/v2/groups/web", {}, 405)


@pytest.mark.parametrize(
    "options, environment",
    [
        (["--http_credentials", "ops:secret"], {}),
        ([], {"MESOSPHERE_HTTP_CREDENTIALS": "ops:secret"}),
    ],
)
def test_without_a_password_every_path_answers_401_with_a_page(running, options, environment):
    server = running(
        Marathon([*LOCAL, *options], environment, NEW, servers=MemoryRoom(), agents=Agents())
    )
    client = Client(server, None)
    answer = requests.get(client.server.url + "/ping", timeout=5)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (
        401,
        'Basic realm="Mesosphere"',
    )
    assert answer.headers["Content-Type"].startswith("text/html")
    assert client.get("/v2/apps", auth=("ops", "secret")) == {"apps": []}


# --- updates ---


DEFINITIONS = [
    {},
    {
        "uris": ["http://h/a.tgz"],
        "ports": [0, 8080],
        "env": {"A": "b"},
        "constraints": [["rack", "UNIQUE"]],
        "healthChecks": [{}],
    },
    {
        "container": {
            "docker": {"image": "n", "network": "BRIDGE", "portMappings": [{"containerPort": 80}]}
        },
        "dependencies": ["x"],
    },
    {
        "ipAddress": {"networkName": "dcos", "labels": {"a": "b"}},
        "taskKillGracePeriodSeconds": 5,
        "user": "ops",
    },
    {
        "container": {
            "type": "MESOS",
            "volumes": [{"containerPath": "d", "mode": "RW", "persistent": {"size": 1}}],
        }
    },
    {
        "healthChecks": [
            {"protocol": "COMMAND", "command": {"value": "x"}},
            {"protocol": "TCP", "port": 80},
        ],
        "acceptedResourceRoles": ["*"],
    },
]
READ_ONLY_FIELDS = (
    "version", "versionInfo", "tasks", "tasksStaged", "tasksRunning", "tasksHealthy",
    "tasksUnhealthy", "deployments", "storeUrls", "uris", "ports",
)  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("fields", DEFINITIONS)
def test_an_app_that_is_sent_back_as_it_was_read_does_not_change(idle, version, fields):
    client = idle(version)
    before = client.stored(**fields)
    sent = {name: value for name, value in before.items() if name not in READ_ONLY_FIELDS}
    client.put(query="?partialUpdate=false", **sent)
    assert client.app() == before


def test_a_partial_update_merges_only_the_top_level(idle):
    client = idle()
    client.create(instances=0, env={"A": "1", "B": "2"}, labels={"x": "y"}, user="ops")
    client.put(env={"A": "3"}, user=None)
    app = client.app()
    assert (app["env"], app["labels"], app["user"]) == ({"A": "3"}, {"x": "y"}, "ops")


def test_a_full_update_resets_omitted_fields(idle):
    client = idle()
    client.create(instances=0, env={"A": "1"}, user="ops")
    client.put(query="?partialUpdate=false", cmd="sleep 60")
    app = client.app()
    assert (app["instances"], "env" in app, "user" in app, app["cmd"]) == (
        1,
        False,
        False,
        "sleep 60",
    )


def test_before_1_4_every_update_is_partial(idle):
    client = idle("1.3.14")
    client.create(instances=0, user="ops")
    client.put(query="?partialUpdate=false", cmd="sleep 60")
    assert (client.app()["user"], client.app()["instances"]) == ("ops", 0)


def test_a_partial_update_cannot_replace_a_command_with_arguments(idle):
    client = idle()
    client.create(instances=0)
    assert client.put(status=422, args=["a"])["details"][0]["path"] == "/"
    client.put(query="?partialUpdate=false", args=["a"], instances=0)
    assert "cmd" not in client.app()


def test_a_partial_update_loses_limits_and_executor_resources(idle):
    client = idle("1.10.26")
    client.create(instances=0, executorResources={"cpus": 1}, resourceLimits={"mem": 256})
    client.put(labels={"a": "b"})
    assert not {"executorResources", "resourceLimits"} & set(client.app())


def test_a_change_of_only_the_executor_resources_is_ignored(idle):
    client = idle()
    client.create(instances=0)
    before = client.app()
    client.put(executorResources={"cpus": 1})
    assert client.app() == before


@pytest.mark.parametrize("version", [OLD, NEW, "1.10.26"])
def test_an_update_without_changes_is_answered_with_a_deployment(start, version):
    client = start(version)
    client.create()
    before, tasks = client.deployed().app(), client.tasks()
    answer = client.put(cmd="sleep 3600")
    assert set(answer) == {"version", "deploymentId"}
    assert client.headers["Marathon-Deployment-Id"] == answer["deploymentId"]
    assert (client.app(), client.tasks()) == (before, tasks)


def test_an_unknown_app_is_created_by_put_and_not_by_patch(idle):
    client = idle()
    assert client.ask("PATCH", "/v2/apps/new", {"cmd": "sleep 1"}, 404) == {
        "message": "App '/new' does not exist"
    }
    client.put("/new", 201, cmd="sleep 1")
    client.ask("PATCH", "/v2/apps/new?force=true", {"cmd": "sleep 2"}, 200)
    assert client.app("/new")["cmd"] == "sleep 2"


def test_versions_have_an_order_that_is_not_that_of_time():
    versions = [f"2030-01-01T00:00:00.{number:03}Z" for number in range(5)]
    listed = views.versions(versions)
    assert sorted(listed) == versions and listed not in (versions, versions[::-1])
    assert views.versions(reversed(versions)) == listed


def test_a_version_that_does_not_exist_is_listed_once_it_was_asked_for(start):
    never = "2001-01-01T00:00:00.000Z"
    client = start()
    client.create(instances=0)
    client.ask("POST", "/v2/pods", {**POD, "scaling": {"kind": "fixed", "instances": 0}}, 201)
    client.deployed()
    for path in ("/v2/apps/web/versions", "/v2/pods/pod::versions"):
        client.ask("GET", f"{path}/{never}", status=404)
    assert sorted(client.get("/v2/apps/web/versions")["versions"]) == [
        never,
        client.app()["version"],
    ]
    assert never in client.get("/v2/pods/pod::versions")
    client.ask("DELETE", "/v2/apps/web", status=200)
    client.create(instances=0)
    versions = client.deployed().get("/v2/apps/web/versions")["versions"]
    assert len(versions) == 2 and never not in versions, "that of the deleted app is listed"


def test_an_app_is_rolled_back_to_a_version(idle):
    client = idle()
    client.create(instances=0, labels={"a": "b"})
    version = client.app()["version"]
    client.put(labels={}, cmd="sleep 1")
    client.put(version=version)
    assert (client.app()["labels"], client.app()["cmd"], client.app()["version"] > version) == (
        {"a": "b"},
        "sleep 3600",
        True,
    )
    assert client.put(status=422, version=version, cmd="sleep 2")["details"][0]["errors"] == [
        "The 'version' field may only be combined with the 'id' field."
    ]
    unknown_version = "2001-01-01T00:00:00.000Z"
    assert client.put(status=404, version=unknown_version)["message"] == "App '/web' does not exist"
    details = client.put(status=422, version="soon")["details"]
    assert details == [{"path": "/version", "errors": ["error.expected.date.isoformat"]}]
    assert len(client.get("/v2/apps/web/versions")["versions"]) == 3
    assert client.get(f"/v2/apps/web/versions/{version}")["labels"] == {"a": "b"}


def test_scaling_keeps_the_configuration_and_the_tasks(start):
    client = start()
    client.create()
    before, tasks = client.deployed().app()["versionInfo"], client.tasks()
    client.put(instances=2)
    after = client.deployed().app()["versionInfo"]
    assert after["lastConfigChangeAt"] == before["lastConfigChangeAt"] < after["lastScalingAt"]
    assert set(tasks) < set(client.tasks())


def test_several_apps_are_one_deployment(start):
    client = start()
    client.ask("PUT", "/v2/apps", [MINIMAL, {**MINIMAL, "id": "/db"}], 200)
    assert {app["id"] for app in client.deployed().get("/v2/apps")["apps"]} == {"/db", "/web"}
    assert client.ask("PATCH", "/v2/apps", [{"id": "/db", "instances": 0}, {"id": "/none"}], 404)[
        "message"
    ].startswith("App '/none'")
    client.ask("PATCH", "/v2/apps", [{"id": "/db", "instances": 0}], 200)
    assert client.deployed().app("/db")["instances"] == 0
    client.ask("PUT", "/v2/apps", [{"cmd": "sleep 1"}], 200)
    assert len(client.deployed().get("/v2/apps")["apps"]) == 2


def test_service_ports_are_assigned_once_and_do_not_change(idle):
    client = idle()
    client.create(instances=0, portDefinitions=[{"port": 0}, {"port": 0}])
    client.create(id="/db", instances=0)
    assert client.app("/db")["portDefinitions"][0]["port"] == 10002
    client.put(portDefinitions=[{"port": 0}, {"port": 0}, {"port": 0}])
    assert [entry["port"] for entry in client.app()["portDefinitions"]] == [10000, 10001, 10003]


def test_an_app_without_a_free_service_port_is_rejected(idle):
    client = idle(NEW, "--local_port_min", "10000", "--local_port_max", "10001")
    client.create(instances=0)
    assert "already in use" in client.create(500, id="/db")["message"]


# --- reading apps ---


@pytest.mark.parametrize(
    "selector, ids",
    [
        ("tier==front", {"/web"}),
        ("tier!=front", {"/db"}),
        ("tier", {"/web", "/db"}),
        ("tier in (front, back)", {"/web", "/db"}),
        ("tier notin (front)", {"/db"}),
        ("tier==front, zone in (z1, z2)", {"/web"}),
        (r"a\/b == c\ d", {"/web"}),
        ("none", set()),
    ],
)
def test_apps_are_selected_by_labels(idle, selector, ids):
    client = idle()
    client.create(instances=0, labels={"tier": "front", "zone": "z1", "a/b": "c d"})
    client.create(id="/db", instances=0, labels={"tier": "back"})
    client.create(id="/other", instances=0)
    assert {app["id"] for app in client.get("/v2/apps", params={"label": selector})["apps"]} == ids


def test_an_invalid_label_selector_is_rejected(idle):
    assert (
        "Can not parse label selector"
        in idle().get("/v2/apps", params={"label": "a in b"}, status=422)["message"]
    )


def test_counts_and_deployments_are_always_embedded_and_tasks_on_request(start):
    client = start()
    client.create(healthChecks=[{}])
    client.deployed()
    (app,) = client.get("/v2/apps")["apps"]
    assert (app["tasksRunning"], app["tasksHealthy"], app["deployments"], "tasks" in app) == (
        1,
        1,
        [],
        False,
    )
    (app,) = client.get("/v2/apps?embed=apps.tasks&embed=apps.taskStats")["apps"]
    assert app["tasks"][0]["healthCheckResults"][0]["alive"] is True
    assert app["taskStats"]["totalSummary"]["stats"]["counts"]["running"] == 1
    assert client.app()["tasks"] == app["tasks"]


def test_an_asterisk_selects_the_apps_of_a_group(idle):
    client = idle()
    client.create(id="/shop/db", instances=0)
    client.create(id="/shop/front/cart", instances=0)
    client.create(id="/other", instances=0)
    assert [app["id"] for app in client.get("/v2/apps/shop/*")["*"]] == [
        "/shop/db",
        "/shop/front/cart",
    ]
    assert len(client.get("/v2/apps/*")["*"]) == 3
    assert client.get("/v2/apps/none/*", status=404) == {"message": "Group '/none' does not exist"}


# --- deployments ---


def test_a_deployment_without_offers_keeps_running_and_locks_its_apps(idle):
    client = idle()
    created = client.create()
    (deployment,) = client.get("/v2/deployments")
    assert (
        deployment["id"] == created["deployments"][0]["id"] == client.app()["deployments"][0]["id"]
    )
    assert deployment["steps"] == [
        {"actions": [{"action": "StartApplication", "app": "/web"}]},
        {"actions": [{"action": "ScaleApplication", "app": "/web"}]},
    ]
    assert (deployment["currentStep"], deployment["totalSteps"], deployment["affectedApps"]) == (
        2,
        2,
        ["/web"],
    )
    assert deployment["currentActions"] == [
        {"action": "ScaleApplication", "app": "/web", "readinessCheckResults": []}
    ]
    locked = client.put(status=409, cmd="sleep 1")
    assert locked["deployments"] == [{"id": deployment["id"]}]
    assert locked["message"].startswith("App is locked by one or more deployments.")
    client.put(query="?force=true", cmd="sleep 1")
    (replacement,) = client.get("/v2/deployments")
    assert replacement["id"] != deployment["id"]


def test_before_1_8_the_newest_deployment_may_be_late(idle):
    for version, counts in (("1.7.236", [0, 1]), ("1.8.244", [1, 1])):
        client = idle(version)
        client.create()
        client.server.late = 1
        assert [len(client.get("/v2/deployments")) for _ in range(2)] == counts


def test_the_limit_of_deployments_applies_to_force_as_well(idle):
    client = idle("1.6.608", "--max_running_deployments", "1")
    client.create()
    for query in ("", "?force=true"):
        assert client.put("/db", 403, query, cmd="sleep 1")["message"].startswith(
            "Max number (1) of running deployments"
        )


def test_deleting_a_deployment_rolls_it_back_with_a_new_one(idle):
    client = idle()
    client.create(id="/shop/db")
    (deployment,) = client.get("/v2/deployments")
    answer = client.ask("DELETE", f"/v2/deployments/{deployment['id']}", status=200)
    assert answer["deploymentId"] != deployment["id"]
    assert (
        client.get("/v2/deployments"),
        client.get("/v2/apps"),
        client.get("/v2/groups")["groups"],
    ) == ([], {"apps": []}, [])


def test_deleting_a_deployment_with_force_rolls_nothing_back(idle):
    client = idle()
    client.create()
    (deployment,) = client.get("/v2/deployments")
    path = f"/v2/deployments/{deployment['id']}"
    assert client.ask("DELETE", f"{path}?force=true", status=202) is None
    assert (client.get("/v2/deployments"), client.app()["id"]) == ([], "/web")
    answer = client.ask("DELETE", path, status=404)
    assert answer == {"message": f"DeploymentPlan {deployment['id']} does not exist"}


def test_dependencies_are_started_first(idle):
    client = idle()
    client.group(
        "/shop",
        apps=[
            {"id": "cart", "cmd": "sleep 1", "dependencies": ["db"]},
            {"id": "db", "cmd": "sleep 1"},
        ],
    )
    (deployment,) = client.get("/v2/deployments")
    assert [[action["app"] for action in step["actions"]] for step in deployment["steps"]] == [
        ["/shop/cart", "/shop/db"], ["/shop/db"], ["/shop/cart"]
    ]  # fmt: skip
    circle = [
        {"id": "a", "cmd": "sleep 1", "dependencies": ["b"]},
        {"id": "b", "cmd": "sleep 1", "dependencies": ["a"]},
    ]
    assert client.group("/ring", 422, apps=circle)["details"][0]["errors"] == [
        "Dependency graph has cyclic dependencies."
    ]


def test_a_change_replaces_tasks_without_going_below_the_healthy_minimum(start):
    client = start()
    client.create(
        instances=4, upgradeStrategy={"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0}
    )
    client.deployed()
    before = client.tasks()
    client.mesos.hold = True
    client.put(labels={"a": "b"})
    new = until(
        lambda: {id for id in client.tasks() if id not in before and len(client.tasks()) == 4},
        "two new tasks",
    )
    assert (len(new), client.app()["tasksRunning"], client.app()["tasksStaged"]) == (2, 2, 2)
    client.mesos.hold = False
    assert not set(client.deployed().tasks()) & set(before)


def test_a_restart_replaces_all_tasks_and_does_not_change_the_app(start):
    client = start()
    client.create(instances=2)
    before, tasks = client.deployed().app(), client.tasks()
    client.ask("POST", "/v2/apps/web/restart", status=200)
    after = client.deployed().app()
    assert not set(tasks) & set(client.tasks())
    assert {
        name: value
        for name, value in before.items()
        if name not in ("version", "versionInfo", "tasks")
    } == {
        name: value
        for name, value in after.items()
        if name not in ("version", "versionInfo", "tasks")
    }
    client.ask("POST", "/v2/apps/none/restart", status=404)


def test_an_app_is_deleted_with_force_unless_force_is_false(idle):
    client = idle()
    client.create()
    client.ask("DELETE", "/v2/apps/web?force=false", status=409)
    client.ask("DELETE", "/v2/apps/web", status=200)
    assert client.deployed().ask("DELETE", "/v2/apps/web", status=404) == {
        "message": "App '/web' does not exist"
    }


def test_an_app_that_cannot_start_is_retried_with_a_growing_delay(start):
    client = start()
    client.create(cmd="exit 1", backoffSeconds=3600)
    failure = until(lambda: client.app().get("lastTaskFailure"), "the failure")
    assert (failure["state"], failure["message"], failure["host"]) == (
        "TASK_FAILED",
        "Command exited with status 1",
        "a1",
    )
    (queued,) = client.get("/v2/queue")["queue"]
    assert queued["app"]["id"] == "/web"
    assert 200 < queued["delay"]["timeLeftSeconds"] <= 300, "maxLaunchDelaySeconds"
    assert (queued["delay"]["overdue"], queued["count"], len(client.mesos.launched)) == (
        False,
        1,
        1,
    )
    assert client.ask("DELETE", "/v2/queue/web/delay", status=204) is None
    until(lambda: len(client.mesos.launched) == 2, "another attempt")
    assert (
        client.ask("DELETE", "/v2/queue/none/delay", status=404)["message"]
        == "Application /none not found in tasks queue."
    )


def test_a_failed_task_is_replaced(start):
    client = start()
    client.create(backoffSeconds=0)
    (old,) = client.deployed().tasks()
    client.mesos.fail(old, "Container exited with status 137")
    until(lambda: client.tasks() and old not in client.tasks(), "a new task")
    assert client.app()["lastTaskFailure"]["message"] == "Container exited with status 137"


@pytest.mark.parametrize(
    "strategy, stays",
    [({"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0}, False), ("disabled", True)],
)
def test_a_task_on_an_unreachable_agent_is_replaced_unless_that_is_disabled(start, strategy, stays):
    client = start()
    client.create(unreachableStrategy=strategy)
    (old,) = client.deployed().tasks()
    client.mesos.end(old, "TASK_UNREACHABLE", "Agent is away")
    until(
        lambda: client.get("/v2/tasks?status=running")["tasks"] == []
        if stays
        else old not in client.tasks(),
        "the end of the task",
    )
    until(lambda: len(client.tasks()) == 1, "the task")
    assert (old in client.tasks()) == stays


def test_the_queue_gives_the_reasons_of_declined_offers(start):
    client = start()
    client.create(cpus=100)
    queued = until(
        lambda: [
            entry
            for entry in client.get("/v2/queue?embed=lastUnusedOffers")["queue"]
            if entry["lastUnusedOffers"]
        ],
        "offers",
    )[0]
    summary = queued["processedOffersSummary"]
    assert {"reason": "InsufficientCpus", "declined": 2, "processed": 2} in summary[
        "rejectSummaryLastOffers"
    ]
    assert summary["processedOffersCount"] >= summary["unusedOffersCount"] > 0
    assert [entry["reason"] for entry in queued["lastUnusedOffers"]] == [["InsufficientCpus"]] * 2
    assert "role" not in queued


@pytest.mark.parametrize(
    "version, names",
    [
        ("1.3.14", set()),
        (OLD, {"since", "processedOffersSummary"}),
        ("1.9.109", {"since", "processedOffersSummary", "role"}),
    ],
)
def test_the_fields_of_the_queue_depend_on_the_version(idle, version, names):
    client = idle(version)
    client.create()
    assert set(client.get("/v2/queue")["queue"][0]) == {"app", "count", "delay"} | names


# --- tasks ---


def test_a_task_is_killed_and_replaced(start):
    client = start()
    client.create(instances=2)
    first_id, second_id = client.deployed().tasks()
    killed = client.ask("DELETE", f"/v2/apps/web/tasks/{first_id}", status=200)["task"]
    assert killed["id"] == first_id
    until(lambda: len(client.tasks()) == 2 and first_id not in client.tasks(), "a new task")
    answer = client.ask("DELETE", f"/v2/apps/web/tasks/{second_id}?scale=true", status=200)
    assert set(answer) == {"version", "deploymentId"}
    assert (client.deployed().app()["instances"], second_id in client.tasks()) == (1, False)


def test_tasks_are_killed_by_host_or_by_a_list_of_ids(start):
    client = start()
    client.create(instances=2, constraints=[["hostname", "UNIQUE"]])
    ids = {host: id for id, host in client.deployed().tasks().items()}
    killed = client.ask("DELETE", "/v2/apps/web/tasks?host=a1", status=200)["tasks"]
    assert [task["id"] for task in killed] == [ids["a1"]]
    client.ask("POST", "/v2/tasks/delete?scale=true", {"ids": [ids["a2"], "web.unknown"]}, 200)
    assert client.deployed().app()["instances"] == 1


@pytest.mark.parametrize(
    "method, path, body, status, message",
    [
        (
            "DELETE",
            "/v2/apps/web/tasks?scale=true&wipe=true",
            None,
            400,
            "You cannot use scale and wipe at the same time.",
        ),
        ("DELETE", f"/v2/apps/web/tasks/{TASK_ID}", None, 404, f"Task '{TASK_ID}' does not exist"),
        (
            "DELETE",
            "/v2/apps/web/tasks/web.none",
            None,
            500,
            "Failure(java.lang.IllegalArgumentException: Invalid UUID string: none)",
        ),
        ("DELETE", "/v2/apps/none/tasks", None, 404, "App '/none' does not exist"),
        ("POST", "/v2/tasks/delete", {"ids": ["none"]}, 400, "Invalid task id 'none'."),
        ("POST", "/v2/tasks/delete", {}, 422, "Invalid JSON"),
        ("GET", "/v2/apps/none/tasks", None, 404, "App '/none' does not exist"),
    ],
)
def test_a_rejected_kill_is_an_error_with_its_reason(idle, method, path, body, status, message):
    client = idle()
    client.create(instances=0)
    assert client.ask(method, path, body, status)["message"].startswith(message)


def test_tasks_are_listed_by_status_and_as_text(start):
    client = start()
    client.create(instances=2)
    client.deployed()
    counts = {
        status: len(client.get(f"/v2/tasks?status={status}")["tasks"])
        for status in ("running", "staging", "nonsense")
    }
    assert counts == {"running": 2, "staging": 0, "nonsense": 2}
    answer = requests.get(
        client.server.url + "/v2/tasks", headers={"Accept": "text/plain"}, timeout=5
    )
    assert answer.text == "web\t10000\ta1:31000\ta1:31001\t\n"
    newer = start("1.10.26").server.url
    assert (
        requests.get(newer + "/v2/tasks", headers={"Accept": "text/plain"}, timeout=5).status_code
        == 406
    )


@pytest.mark.parametrize(
    "version, fields", [("1.1.2", set()), (OLD, {"state"}), (NEW, {"state", "localVolumes"})]
)
def test_the_fields_of_a_task_depend_on_the_version(start, version, fields):
    client = start(version)
    client.create()
    (task,) = client.deployed().app()["tasks"]
    assert {"state", "localVolumes"} & set(task) == fields
    assert ("instance-" in task["id"], task["ports"], task["servicePorts"]) == (
        version == NEW,
        [31000],
        [] if version == NEW else [10000],
    )
    assert client.get("/v2/tasks")["tasks"][0]["servicePorts"] == [10000]


# --- placement ---

RACKS = [
    agent(f"a{number}", {"rack": f"r{number % 2}", "ssd": float(number)}) for number in range(4)
]


@pytest.mark.parametrize(
    "constraint, used, allowed",
    [
        (("hostname", "UNIQUE", None), [0, 1], [2, 3]),
        (("rack", "UNIQUE", None), [0], [1, 3]),
        (("rack", "CLUSTER", None), [1], [1, 3]),
        (("rack", "CLUSTER", "r0"), [], [0, 2]),
        (("rack", "GROUP_BY", None), [0, 1, 0], [1, 3]),
        (("rack", "GROUP_BY", "2"), [0, 0], [1, 3]),
        (("hostname", "LIKE", "a[01]"), [], [0, 1]),
        (("hostname", "UNLIKE", "a[01]"), [], [2, 3]),
        (("none", "UNLIKE", ".*"), [], [0, 1, 2, 3]),
        (("none", "LIKE", ".*"), [], []),
        (("rack", "MAX_PER", "2"), [0, 2, 1], [1, 3]),
        (("ssd", "IS", "3"), [], [3]),
    ],
)
def test_constraints_choose_agents(constraint, used, allowed):
    used_agents = [RACKS[number] for number in used]
    for number, offered in enumerate(RACKS):
        is_allowed = marathon_placement.allowed(offered, used_agents, [constraint])
        assert is_allowed == (number in allowed), number


def test_resources_are_taken_from_the_role_of_marathon_first_and_then_from_any_role(start):
    agents = Agents(agent("a1", cpus=1.0))
    agents.agents[0]["free"]["web"] = {"cpus": 0.5, "mem": 64.0, "ports": [[8080, 8081]]}
    client = start(NEW, "--mesos_role", "web", agents=agents)
    client.create(cpus=1, mem=32, portDefinitions=[{"port": 8080}], requirePorts=True)
    client.deployed()
    resources = [
        (
            resource["name"],
            resource.get("reservations", [{"role": "*"}])[0]["role"],
            resource.get("scalar", resource.get("ranges")),
        )
        for resource in agents.launched[0]["resources"]
    ]
    assert resources == [
        ("cpus", "web", {"value": 0.5}),
        ("cpus", "*", {"value": 0.5}),
        ("mem", "web", {"value": 32.0}),
        ("ports", "web", {"range": [{"begin": 8080, "end": 8080}]}),
    ]
    client.create(id="/own", acceptedResourceRoles=["web"], cpus=0.1, mem=1, portDefinitions=[])
    until(
        lambda: client.get("/v2/queue")["queue"][0]["processedOffersSummary"][
            "processedOffersCount"
        ],
        "offers",
    )
    assert client.tasks("/own") == {}


def test_a_task_gets_its_ports_app_id_and_labels(start):
    client = start()
    client.create(env={"GREETING": "hello"}, labels={"tier": "front"}, user="ops", ports=[0, 0])
    client.deployed()
    (task,) = client.mesos.launched
    environment = task["command"]["environment"]
    variables = {entry["name"]: entry["value"] for entry in environment["variables"]}
    assert (
        variables.items()
        >= {
            "GREETING": "hello",
            "MARATHON_APP_ID": "/web",
            "PORT0": "31000",
            "PORT1": "31001",
        }.items()
    )
    assert (task["command"]["value"], task["command"]["user"], task["name"]) == (
        "sleep 3600",
        "ops",
        "web",
    )
    assert task["labels"] == {"labels": [{"key": "tier", "value": "front"}]}


# --- groups ---

SHOP = {
    "apps": [
        {"id": "cart", "cmd": "sleep 1", "instances": 0},
        {"id": "db", "cmd": "sleep 1", "instances": 0},
    ]
}


@pytest.fixture
def shop(idle):
    client = idle("1.9.109")
    client.group(
        "/shop",
        **SHOP,
        groups=[{"id": "back", "apps": [{"id": "bank", "cmd": "sleep 1", "instances": 0}]}],
    )
    return client


def names(client):
    return [app["id"] for app in client.get("/v2/apps")["apps"]]


def test_a_group_contains_its_apps_pods_and_groups(shop):
    group = shop.get("/v2/groups/shop")
    assert ([app["id"] for app in group["apps"]], [child["id"] for child in group["groups"]]) == (
        ["/shop/cart", "/shop/db"], ["/shop/back"]
    )  # fmt: skip
    assert (group["pods"], group["dependencies"], group["enforceRole"]) == ([], [], False)
    assert set(shop.get("/v2/groups/shop?embed=group.groups")) == {
        "id",
        "version",
        "dependencies",
        "groups",
        "enforceRole",
    }
    group = shop.get("/v2/groups/shop?embed=group.apps&embed=group.apps.counts")
    assert group["apps"][0]["tasksRunning"] == 0 and "groups" not in group
    assert shop.get("/v2/groups/none", status=404) == {"message": "Group '/none' does not exist"}


def test_an_update_of_a_group_deletes_omitted_members_of_each_list_that_it_contains(shop):
    shop.group("/shop", apps=SHOP["apps"][:1])
    assert names(shop) == ["/shop/back/bank", "/shop/cart"]
    shop.group("/shop", groups=[])
    assert names(shop) == ["/shop/cart"]
    shop.group("/shop", dependencies=["../other"])
    assert (names(shop), shop.get("/v2/groups/shop")["dependencies"]) == (
        ["/shop/cart"],
        ["/other"],
    )


def test_a_dry_run_shows_the_steps_and_changes_nothing(shop):
    before = shop.get("/v2/groups")
    steps = shop.group("/shop", query="?dryRun=true", apps=SHOP["apps"][:1])["steps"]
    assert steps == [{"actions": [{"action": "StopApplication", "app": "/shop/db"}]}]
    assert shop.get("/v2/groups") == before


def test_a_group_is_scaled_and_rolled_back_to_a_version(shop):
    version = max(shop.get("/v2/groups/shop/versions"))
    shop.ask("PUT", "/v2/apps", [{"id": "/shop/cart", "instances": 2}], 200)
    shop.group("/shop", query="?force=true", scaleBy=1.5)
    assert {app["id"]: app["instances"] for app in shop.get("/v2/apps")["apps"]}["/shop/cart"] == 3
    shop.group("/shop", query="?force=true", version=version)
    assert {app["instances"] for app in shop.get("/v2/apps")["apps"]} == {0}
    assert shop.group("/shop", 422, version=version, scaleBy=2)["message"] == "Object is not valid"
    assert shop.get(f"/v2/groups/shop/versions/{version}")["id"] == "/shop"
    assert len(shop.get("/v2/groups/versions")) == 4


def test_an_existing_group_is_not_created_again(shop):
    shop.ask("POST", "/v2/groups", {"id": "/new"}, 201)
    message = "Group /shop is already created. Use PUT to change this group."
    assert shop.ask("POST", "/v2/groups", {"id": "/shop"}, 409) == {"message": message}
    message = "An app with the path /shop/db already exists."
    assert shop.ask("POST", "/v2/groups/shop/db", {}, 409) == {"message": message}
    clash = shop.create(422, id="/shop")
    assert clash["details"][0]["errors"] == [
        "Groups and Applications may not have the same identifier."
    ]
    shop.create(id="/new", instances=0)
    assert "/new" in names(shop), "an app replaces an empty group"


@pytest.mark.parametrize("path", ["/v2/groups", "/v2/groups/", "/v2/groups//"])
def test_deleting_the_root_group_deletes_everything(shop, path):
    shop.ask("DELETE", path, status=200)
    assert (names(shop), shop.get("/v2/groups")["groups"]) == ([], [])


def test_deleting_a_group_deletes_its_apps(shop):
    shop.ask("DELETE", "/v2/groups/shop/back", status=200)
    assert names(shop) == ["/shop/cart", "/shop/db"]
    shop.ask("DELETE", "/v2/groups/none", status=404)


def test_apps_get_the_role_that_their_group_enforces(shop):
    assert shop.ask("PATCH", "/v2/groups/shop", {"enforceRole": True}, 200) is None
    shop.create(id="/shop/new", instances=0)
    assert shop.app("/shop/new")["role"] == "shop"
    shop.ask("PATCH", "/v2/groups/shop/back", {"enforceRole": True}, 422)
    shop.ask("PATCH", "/v2/groups/none", {"enforceRole": True}, 404)


def test_a_role_is_that_of_marathon_or_of_the_top_level_group(shop):
    shop.create(id="/shop/own", instances=0, role="shop")
    for path in ("/shop/other", "/other"):
        (details,) = shop.create(422, id=path, instances=0, role="other")["details"]
        assert (details["path"], details["errors"][0].startswith("is not one of (*")) == (
            "/role",
            True,
        )


def test_new_groups_enforce_their_role_if_marathon_is_configured_to(idle):
    client = idle("1.9.109", "--new_group_enforce_role", "top")
    client.group("/shop", **SHOP)
    assert (
        client.get("/v2/groups/shop")["enforceRole"],
        client.get("/v2/groups")["enforceRole"],
    ) == (True, False)


def test_an_app_of_a_group_must_have_an_id_below_the_group(shop):
    text = shop.group("/shop", 422, apps=[{"id": "/other/app", "cmd": "sleep 1"}])["details"][0][
        "errors"
    ][0]
    assert text == "Identifier is not child of /shop. Hint: use relative paths."


# --- pods ---

POD = {
    "id": "/pod",
    "containers": [
        {
            "name": "main",
            "exec": {"command": {"shell": "sleep 3600"}},
            "resources": {"cpus": 0.1, "mem": 32},
            "endpoints": [{"name": "http"}],
        }
    ],
}


@pytest.mark.parametrize(
    "version, delay, role",
    [(OLD, 3600, None), ("1.7.236", 3600, None), (NEW, 300, None), ("1.10.26", 300, "*")],
)
def test_a_pod_gets_defaults(idle, version, delay, role):
    client = idle(version)
    created = client.ask("POST", "/v2/pods", POD, 201)
    assert client.headers["Marathon-Deployment-Id"] == client.get("/v2/deployments")[0]["id"]
    pod = client.get("/v2/pods/pod")
    assert created == pod and "deploymentId" not in pod
    assert pod["scheduling"] == {
        "backoff": {"backoff": 1, "backoffFactor": 1.15, "maxLaunchDelay": delay},
        "upgrade": {"minimumHealthCapacity": 1, "maximumOverCapacity": 1},
        "killSelection": "YOUNGEST_FIRST",
        "unreachableStrategy": {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0},
    }
    assert (pod["scaling"], pod["executorResources"], pod.get("role")) == (
        {"kind": "fixed", "instances": 1}, {"cpus": 0.1, "mem": 32, "disk": 10}, role
    )  # fmt: skip
    (main,) = pod["containers"]
    assert main["resources"] == {"cpus": 0.1, "mem": 32, "disk": 0, "gpus": 0}
    assert main["endpoints"] == [{"name": "http", "hostPort": 0}]
    assert not {"networks", "labels", "environment", "volumes"} & set(pod)


def test_old_pods_keep_their_shared_cgroups(idle):
    client = idle("1.10.26")
    assert (
        client.ask("POST", "/v2/pods", {**POD, "legacySharedCgroups": True}, 201)[
            "legacySharedCgroups"
        ]
        is True
    )


def test_a_pod_runs_and_is_replaced_and_deleted(start):
    client = start()
    client.ask("POST", "/v2/pods", {**POD, "scaling": {"kind": "fixed", "instances": 2}}, 201)
    status = client.deployed().get("/v2/pods/pod::status")
    assert (status["status"], len(status["instances"])) == ("STABLE", 2)
    assert status["instances"][0]["containers"][0]["endpoints"] == [
        {"name": "http", "allocatedHostPort": 31000}
    ]
    assert [status["id"] for status in client.get("/v2/pods/::status")] == ["/pod"]
    client.ask("PUT", "/v2/pods/pod", {**POD, "labels": {"a": "b"}}, 200)
    assert client.deployed().get("/v2/pods/pod")["scaling"]["instances"] == 1, (
        "a PUT replaces everything"
    )
    versions = client.get("/v2/pods/pod::versions")
    assert client.get(f"/v2/pods/pod::versions/{min(versions)}")["scaling"]["instances"] == 2
    assert client.ask("DELETE", "/v2/pods/pod", status=202) is None
    deployment = client.headers["Marathon-Deployment-Id"]
    assert client.headers["Location"] == f"{client.server.url}/{deployment}"
    assert client.deployed().get("/v2/pods") == []


def test_instances_of_a_pod_are_killed_and_replaced(start):
    client = start()
    client.ask("POST", "/v2/pods", POD, 201)
    client.deployed()

    def stable_ids():
        return {
            instance["id"]
            for instance in client.get("/v2/pods/pod::status")["instances"]
            if instance["status"] == "STABLE"
        }

    old_ids = stable_ids()
    client.ask("DELETE", "/v2/pods/pod::instances", list(old_ids), 200)
    new_ids = until(lambda: stable_ids() - old_ids, "another instance")
    assert (
        client.ask("DELETE", f"/v2/pods/pod::instances/{new_ids.pop()}", status=200)["agentInfo"][
            "host"
        ]
        == "a1"
    )
    client.ask("DELETE", "/v2/pods/pod::instances", ["nonsense"], 422)


def test_an_unknown_pod_is_created_by_put(idle):
    client = idle()
    client.ask("PUT", "/v2/pods/pod", POD, 200)
    assert client.get("/v2/pods/pod")["id"] == "/pod"


def test_the_statuses_of_all_pods_need_a_slash_in_the_path(idle):
    client = idle()
    assert client.get("/v2/pods/::status") == []
    message = client.ask("GET", "/v2/pods::status", status=500)
    assert message == {"message": "URI not found"}


def test_a_health_check_can_use_an_endpoint_without_a_host_port(start):
    client = start()
    container = {
        **POD["containers"][0],
        "endpoints": [{"name": "http", "containerPort": 80}],
        "healthCheck": {"http": {"endpoint": "http", "path": "/"}},
    }
    networks = [{"mode": "container", "name": "dcos"}]
    client.ask("POST", "/v2/pods", {**POD, "containers": [container], "networks": networks}, 201)
    until(lambda: client.mesos.launched, "the launch")
    assert client.mesos.launched[0]["health_check"]["http"]["port"] == 80


def test_a_missing_pod_is_reported_as_json_inside_json(idle):
    client = idle()
    assert json.loads(client.get("/v2/pods/none", status=404)["message"]) == {
        "message": "pod with /none does not exist"
    }
    for method, path in (("DELETE", "/v2/pods/pod"), ("GET", "/v2/pods/pod::status")):
        message = {"message": "Pod '/pod' does not exist"}
        assert client.ask(method, path, status=404) == message
    assert (
        "does not match definition's id ('/pod')"
        in client.ask("PUT", "/v2/pods/other", POD, 400)["message"]
    )
    assert client.ask("POST", "/v2/pods", {"id": "/pod"}, 422)["details"] == [
        {
            "path": "/containers",
            "errors": ['\'containers\' is undefined on object: {"id":"/pod"}'],
        }
    ]
    assert requests.head(client.server.url + "/v2/pods", timeout=5).status_code == 200


def test_an_update_of_the_apps_of_a_group_keeps_its_pods(idle):
    client = idle()
    client.ask("POST", "/v2/pods", {**POD, "id": "/shop/pod"}, 201)
    client.group("/shop", **SHOP)
    client.group("/shop", apps=[])
    assert [pod["id"] for pod in client.get("/v2/groups/shop")["pods"]] == ["/shop/pod"]


# --- leaders ---


def test_a_new_leader_has_the_state_of_the_old_one(start):
    servers, agents = MemoryRoom(), Agents(agent("a1"))
    leader, standby = (start(NEW, agents=agents, servers=servers) for _ in range(2))
    leader.create(instances=2)
    leader.deployed()
    leader.ask("POST", "/v2/pods", POD, 201)
    leader.deployed().create(id="/sick", cmd="exit 1", backoffSeconds=3600)
    until(lambda: leader.app("/sick").get("lastTaskFailure"), "the failure")
    agents.agents.clear()
    until(lambda: not leader.server.agents, "no offers left")
    leader.put(labels={"a": "b"})
    reads = (
        "/v2/apps",
        "/v2/tasks",
        "/v2/deployments",
        "/v2/groups?embed=group.apps",
        "/v2/groups/versions",
        "/v2/apps/web/versions",
        "/v2/pods",
    )
    before = {path: leader.get(path) for path in reads}
    assert len(before["/v2/deployments"]) == 2
    framework = leader.get("/v2/info")["frameworkId"]
    leader.server.stop()
    assert {path: standby.get(path) for path in reads} == before
    assert standby.get("/v2/info")["frameworkId"] == framework
    agents.agents.append(agent("a2"))
    assert [app["labels"] for app in standby.get("/v2/apps?id=web")["apps"]] == [{"a": "b"}]
    until(
        lambda: [plan["affectedApps"] for plan in standby.get("/v2/deployments")] == [["/sick"]],
        "the update of /web",
    )


def test_requests_are_recorded_with_their_bodies(idle):
    client = idle()
    client.put(status=201, query="?force=true", cmd="sleep 1")
    (request,) = client.server.requests
    assert (request.method, request.path, request.query, json.loads(request.body)) == (
        "PUT",
        "/v2/apps/web",
        "force=true",
        {"cmd": "sleep 1"},
    )


def test_since_1_7_a_standby_redirects_requests_for_events_to_the_leader(start):
    for version, status in (("1.6.608", 200), ("1.7.236", 302)):
        servers = MemoryRoom()
        leader, standby = (start(version, servers=servers) for _ in range(2))
        if status == 302:
            answer = standby.session.get(
                f"{standby.server.url}/v2/events?event_type=x", allow_redirects=False, timeout=5
            )
            assert (answer.status_code, answer.headers["Location"]) == (
                302,
                f"{leader.server.url}/v2/events?event_type=x",
            )
        assert (
            requests.get(
                f"{leader.server.url}/v2/events", headers={"Accept": "text/html"}, timeout=5
            ).status_code
            == 405
        )


@pytest.mark.parametrize(
    "version, credentials", [("1.6.608", "user:secret"), ("1.7.236", "xxxxxxxx:xxxxxxxx")]
)
def test_the_password_of_zookeeper_was_shown_before_1_7(idle, version, credentials):
    info = idle(version, "--zk", "zk://user:secret@h:2181/marathon").get("/v2/info")
    assert info["zookeeper_config"]["zk"] == f"zk://{credentials}@h:2181/marathon"


@pytest.mark.parametrize(
    "accept, body",
    [("*/*", "pong"), ("text/plain", "pong"), ("application/json", '"pong"'), ("image/png", "")],
)
def test_ping_answers_in_the_accepted_content_type(idle, accept, body):
    assert (
        requests.get(idle().server.url + "/ping", headers={"Accept": accept}, timeout=5).text
        == body
    )
