"""The states for Marathon, applied by the real Salt to fake daemons of several versions."""

import functools
import json
import threading

import pytest
import requests
from marathon_world import LINES, NEW, SMALL, VERSIONS, start
from mesos_world import until

from lab.fakes.marathon.server import Marathon

# Both lines apply every state in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

APPS = {
    "minimal": {"cmd": "sleep 3600"},
    "Docker bridge, old form": {
        "cmd": "sleep 3600",
        "container": {
            "type": "DOCKER",
            "docker": {
                "image": "nginx:1.25",
                "network": "BRIDGE",
                "portMappings": [{"containerPort": 80, "hostPort": 0, "name": "http"}],
            },
        },
    },
    "Docker bridge, new form": {
        "cmd": "sleep 3600",
        "networks": [{"mode": "container/bridge"}],
        "container": {
            "type": "DOCKER",
            "docker": {"image": "nginx:1.25"},
            "portMappings": [{"containerPort": 80, "hostPort": 0}],
        },
    },
    "health checks": {
        "cmd": "sleep 3600",
        "healthChecks": [
            {"protocol": "HTTP", "path": "/health", "portIndex": 0},
            {"protocol": "COMMAND", "command": {"value": "test -e /ready"}},
        ],
    },
    "constraints": {
        "cmd": "sleep 3600",
        "constraints": [["rack", "GROUP_BY", 2], ["hostname", "UNIQUE"]],
    },
    "fetch": {
        "cmd": "sleep 3600",
        "fetch": [
            {"uri": "http://example.com/a.tgz"},
            {"uri": "http://example.com/b.jar", "extract": False},
        ],
    },
    "uris": {"cmd": "sleep 3600", "uris": ["http://example.com/a.tgz", "http://example.com/b.jar"]},
    "resident": {
        "cmd": "sleep 3600",
        "container": {
            "type": "MESOS",
            "volumes": [{"containerPath": "data", "mode": "RW", "persistent": {"size": 64}}],
        },
    },
    "ports 0": {"cmd": "sleep 3600", "ports": [0, 0]},
}
POD = {
    "containers": [
        {
            "name": "a",
            "exec": {"command": {"shell": "sleep 3600"}},
            "resources": {"cpus": 0.1, "mem": 32},
        }
    ]
}


@pytest.fixture
def start_marathon(salt, running):
    return functools.partial(start, salt, running)


# --- apps ---


@pytest.mark.parametrize("version", LINES)
def test_each_kind_of_app_is_created_once_and_a_label_is_one_change(
    start_marathon, version, record_property
):
    marathon, paths_by_case = start_marathon(version), {}
    marathon.mesos.hold = True  # the tasks do not matter here
    for case, config in APPS.items():
        name = f"/{case.replace(', ', '-').replace(' ', '-').lower()}"
        labelled = {**config, "labels": {"team": "b"}}
        answers = [
            marathon("app_present", name, config=declared, force=True)
            for declared in (config, config, labelled, labelled)
        ]
        assert all(answer["result"] is True for answer in answers), (case, answers)
        paths_by_case[case] = [list(answer["changes"]) for answer in answers]
    title = (
        f"marathon.app_present, Salt {marathon.salt.line}: "
        "changes when applied, applied again, given a label, applied again"
    )
    record_property(
        "table",
        (
            title,
            version,
            {
                case: " ".join(str(len(paths)) for paths in path_lists)
                for case, path_lists in paths_by_case.items()
            },
        ),
    )
    assert paths_by_case == dict.fromkeys(APPS, [["/"], [], ["/labels/team"], []])
    assert len(marathon.writes()) == 2 * len(APPS)


def test_only_differences_are_reported_and_changed(start_marathon):
    marathon = start_marathon()
    marathon.changed(
        "app_present",
        "/web",
        config={**SMALL, "instances": 2, "labels": {"team": "a", "tier": "1"}, "user": "nobody"},
    )
    changes = marathon.changed(
        "app_present", "/web", config={"cpus": 0.2, "labels": {"team": "b", "tier": "1"}}
    )
    assert changes == {"/cpus": {"old": 0.1, "new": 0.2}, "/labels/team": {"old": "a", "new": "b"}}
    app = marathon.call("app", "/web")
    assert (app["instances"], app["user"], app["cmd"]) == (2, "nobody", "sleep 3600")
    assert marathon.changed("app_present", "/web", config={}, unset=["user"]) == {
        "/user": {"old": "nobody", "new": None}
    }
    marathon.unchanged("app_present", "web", config={}, unset=["user"])
    changes = marathon.changed("app_present", "/web", config=SMALL, mode="replace")
    assert sorted(changes) == ["/cpus", "/labels/team", "/labels/tier"]
    assert marathon.call("app", "/web")["instances"] == 2
    marathon.unchanged("app_present", "/web", config=SMALL, mode="replace")


@pytest.mark.parametrize(
    "kind, config, field", [("app", SMALL, "instances"), ("pod", POD, "scaling")]
)
def test_instances_are_not_changed_if_instances_managed_is_false(
    start_marathon, kind, config, field
):
    marathon = start_marathon()
    initial, scaled = (
        number if kind == "app" else {"kind": "fixed", "instances": number} for number in (2, 3)
    )
    declared = {"config": {**config, field: initial}, "instances_managed": False}
    marathon.changed(f"{kind}_present", "/x", **declared)
    assert marathon.call(kind, "/x")[field] == initial
    marathon.call(f"update_{kind}", "/x", {field: scaled})
    marathon.wait_for_deployments()
    marathon.unchanged(f"{kind}_present", "/x", **declared)
    declared["config"]["labels"] = {"team": "b"}
    assert list(marathon.changed(f"{kind}_present", "/x", **declared)) == ["/labels/team"]
    assert marathon.call(kind, "/x")[field] == scaled
    declared["instances_managed"] = True
    assert [
        path.split("/")[1] for path in marathon.changed(f"{kind}_present", "/x", **declared)
    ] == [field]


def test_secrets_are_redacted_unless_show_secrets_is_set(start_marathon):
    marathon = start_marathon()
    config = {**SMALL, "env": {"DB_PASSWORD": "sesame", "USER": "me"}}
    changes = marathon.changed("app_present", "/web", config=config)
    assert changes["/"]["new"]["env"] == {"DB_PASSWORD": "***", "USER": "me"}
    assert marathon.call("app", "/web")["env"]["DB_PASSWORD"] == "sesame"
    config["env"]["DB_PASSWORD"] = "simsim"
    answer = marathon("app_present", "/web", config=config, test=True, show_secrets=True)
    assert answer["changes"] == {"/env/DB_PASSWORD": {"old": "sesame", "new": "simsim"}}
    assert marathon.changed("app_present", "/web", config=config) == {
        "/env/DB_PASSWORD": {"old": "***", "new": "***"}
    }
    assert marathon.changed("app_absent", "/web")["/"]["old"]["env"] == {
        "DB_PASSWORD": "***",
        "USER": "me",
    }


# --- sources of declarations ---


def test_fields_can_be_arguments_and_config_can_be_a_file(start_marathon, salt):
    marathon = start_marathon()
    web = salt.serve(
        "apps/web.yaml",
        "cmd: sleep 3600\ncpus: 0.1\nmem: 32\n"
        "env:\n  PORT: 8080\n  SINCE: 2030-01-01\n  ALL: '*'\n",
    )
    fields = {"instances": 2, "labels": {"team": "a"}}
    assert list(marathon.changed_as_predicted("app_present", "/web", config=web, **fields)) == ["/"]
    assert marathon.changed_as_predicted("app_present", "/web", mem=64) == {
        "/mem": {"old": 32, "new": 64}
    }
    app = marathon.call("app", "/web")
    assert (app["env"], app["instances"]) == (
        {"PORT": "8080", "SINCE": "2030-01-01", "ALL": "*"},
        2,
    )
    pod = salt.serve("apps/pod.json", json.dumps(POD))
    marathon.changed_as_predicted("pod_present", "/pod", config=pod, labels={"team": "a"})
    assert list(marathon.changed_as_predicted("pod_present", "/pod", environment={"A": "1"})) == [
        "/environment/A"
    ]


def test_an_app_whose_fields_are_arguments_is_restarted_if_a_watched_state_changes(start_marathon):
    marathon = start_marathon()
    marathon.changed("app_present", "/web", config=SMALL)
    declared = [
        {key: value}
        for key, value in {
            "name": "/web",
            "url": marathon.server.url,
            **SMALL,
            "watch": [{"test": "watched"}],
        }.items()
    ]
    high = {
        "watched": {"test": ["succeed_with_changes"], "__sls__": "x", "__env__": "base"},
        "watching": {"marathon": ["app_present", *declared], "__sls__": "x", "__env__": "base"},
    }
    (changes,) = (
        answer["changes"]
        for name, answer in marathon.salt.call("state.high", high).items()
        if name.startswith("marathon_")
    )
    assert changes == {"/restarted": {"old": False, "new": True}}


def test_unknown_arguments_and_fields_that_are_set_twice_are_rejected(start_marathon, salt):
    marathon = start_marathon()
    for arguments, message in (
        ({"comand": "sleep 9"}, "comand: there is no such field. Did you mean cmd?"),
        ({**SMALL, "instnaces": 2}, "instnaces: there is no such field. Did you mean instances?"),
        (
            {**SMALL, "pasword": "sesame"},
            "pasword: no such argument. The connection settings are url, username, password",
        ),
        ({**SMALL, "tasks": []}, "tasks: no such argument"),
        ({"config": SMALL, "mem": 64}, "mem: set twice, in config and as an argument"),
        ({}, "config: nothing is declared. Set config, or fields such as cmd instead"),
        (
            {"config": "salt://no/such.json"},
            "config: salt://no/such.json is not on Salt's file server",
        ),
        (
            {"config": "web.json"},
            "config: 'web.json' should be a mapping, or a file such as salt://apps/web.yaml",
        ),
        (
            {"env": {"DEBUG": True}, "cmd": "sleep 9"},
            "config: env.DEBUG: true should be text; put it in quotes",
        ),
    ):
        assert marathon.rejected("app_present", "/web", **arguments).startswith(message)


IGNORED = "ignored, since Marathon does not have this field"
# Definitions with fields that Marathon accepts and drops, and their paths.
UNKNOWN_FIELDS = [
    ("app", {**SMALL, "maintainer": "ops"}, ["maintainer"]),
    (
        "app",
        {
            **SMALL,
            "container": {"type": "MESOS", "nosuch": 1},
            "upgradeStrategy": {"minimumHealthCapacity": 0.5, "nosuch": 1},
            "portDefinitions": [{"port": 0, "nosuch": {"a": 1}}],
        },
        ["container.nosuch", "upgradeStrategy.nosuch", "portDefinitions[0].nosuch"],
    ),
    ("pod", {**POD, "maintainer": "ops"}, ["maintainer"]),
    ("pod", {"containers": [{**POD["containers"][0], "nosuch": 1}]}, ["containers[0].nosuch"]),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind, config, paths", UNKNOWN_FIELDS)
def test_a_field_that_marathon_does_not_have_is_a_warning_and_never_a_change(
    start_marathon, version, kind, config, paths
):
    marathon = start_marathon(version)
    warnings = "".join(f". {path}: {IGNORED}" for path in paths)
    for test, text in (
        (True, "/x would be created"),
        (False, "/x was created"),
        (True, "/x is as declared"),
        (False, "/x is as declared"),
    ):
        answer = marathon(f"{kind}_present", "/x", test, config=config)
        assert answer["comment"].startswith(text) and answer["comment"].endswith(warnings)
        if text.endswith("declared"):
            assert (answer["result"], answer["changes"]) == (True, {})
        marathon.wait_for_deployments()
    assert "nosuch" not in json.dumps(answer["changes"])
    assert not [write for write in marathon.writes() if "maintainer" in write.body]
    labels = {"config": {**config, "labels": {"team": "a"}}}
    assert list(marathon.changed(f"{kind}_present", "/x", **labels)) == ["/labels/team"]
    assert len(marathon.writes()) == 2 and "nosuch" not in marathon.writes()[-1].body


# Fields that Marathon returns, and that an app or a pod copied from its answer has.
TIME = "2030-01-01T00:00:00.000Z"
FIELDS_OF_MARATHON = {
    "app": {"version": TIME, "versionInfo": {"lastScalingAt": TIME}, "tasksRunning": 1},
    "pod": {"version": TIME},
}


@pytest.mark.parametrize("version", [VERSIONS[0], NEW])
@pytest.mark.parametrize("kind, config", [("app", SMALL), ("pod", POD)])
def test_fields_that_only_marathon_sets_are_one_warning_and_never_a_change(
    start_marathon, version, kind, config
):
    marathon = start_marathon(version)
    fields = FIELDS_OF_MARATHON[kind]
    warning = f". {', '.join(fields)}: ignored, since only Marathon sets this"
    declared = {"config": {**config, **fields}}
    for text in ("/x was created", "/x is as declared"):
        answer = marathon(f"{kind}_present", "/x", **declared)
        assert answer["result"] is True
        assert answer["comment"].startswith(text) and answer["comment"].endswith(warning)
        marathon.wait_for_deployments()
    assert answer["changes"] == {} and len(marathon.writes()) == 1
    assert not fields.keys() & json.loads(marathon.writes()[0].body).keys()


def test_an_app_as_marathon_returns_it_is_as_declared(start_marathon):
    marathon = start_marathon()
    marathon.changed("app_present", "/x", config=SMALL)
    marathon.wait_for_deployments()
    app = marathon.call("app", "/x")
    answer = marathon("app_present", "/x", config=app)
    assert (answer["result"], answer["changes"]) == (True, {})
    assert "version" in answer["comment"] and "tasksRunning" in answer["comment"]
    assert answer["comment"].count("ignored, since only Marathon sets this") == 1


MAPPINGS = [{"containerPort": 80}]
MESOS_PORTS = {"type": "MESOS", "portMappings": MAPPINGS}
DOCKER = {"image": "nginx:1.25"}
ON_HOST = "ignored, since the app is on the host network"
NOT_ON_HOST = "at most their number counts, since the app is not on the host network"
# Definitions with ports that their network does not have, and the warning.
IGNORED_PORTS = [
    ({"container": MESOS_PORTS}, f"container.portMappings: {ON_HOST}"),
    (
        {"container": MESOS_PORTS, "networks": [{"mode": "host"}]},
        f"container.portMappings: {ON_HOST}",
    ),
    (
        {
            "container": {
                "type": "DOCKER",
                "docker": {**DOCKER, "network": "HOST", "portMappings": MAPPINGS},
            }
        },
        f"container.docker.portMappings: {ON_HOST}",
    ),
    (
        {
            "container": {"type": "DOCKER", "docker": {**DOCKER, "network": "HOST"}},
            "ipAddress": {"networkName": "cni"},
        },
        f"ipAddress.networkName: {ON_HOST}",
    ),
    (
        {
            "container": {"type": "DOCKER", "docker": {**DOCKER, "network": "BRIDGE"}},
            "portDefinitions": [{"port": 10001, "name": "http"}],
        },
        f"portDefinitions: {NOT_ON_HOST}",
    ),
    (
        {
            "container": {"type": "DOCKER", "docker": {**DOCKER, "network": "BRIDGE"}},
            "requirePorts": True,
        },
        "requirePorts: ignored, since the app is not on the host network",
    ),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("fields, warning", IGNORED_PORTS)
def test_ports_that_the_network_does_not_have_are_a_warning(
    start_marathon, version, fields, warning
):
    marathon = start_marathon(version)
    marathon.mesos.hold = True  # the tasks do not matter here
    for text in ("/x was created", "/x is as declared"):
        answer = marathon("app_present", "/x", config={**SMALL, **fields}, wait=False)
        assert answer["result"] is True, answer
        assert answer["comment"].startswith(text) and answer["comment"].endswith(f". {warning}")
    assert answer["changes"] == {} and len(marathon.writes()) == 1
    apps = {"/x": {**SMALL, **fields}}
    several = marathon("apps_present", "all", apps=apps, force=True, wait=False)
    assert several["result"] is True, several["comment"]
    assert several["comment"].endswith(f". /x: {warning}")


def test_ports_of_a_definition_without_a_network_belong_to_the_network_of_the_app(start_marathon):
    marathon = start_marathon()
    network = {"networks": [{"mode": "container/bridge"}]}
    marathon.changed("app_present", "/x", config={**SMALL, **network})
    answer = marathon("app_present", "/x", config={**SMALL, "container": MESOS_PORTS})
    assert answer["result"] is True and "ignored" not in answer["comment"]
    assert marathon.call("app", "/x")["container"]["portMappings"][0]["containerPort"] == 80
    marathon.wait_for_deployments()
    replaced = marathon(
        "app_present", "/x", config={**SMALL, "container": MESOS_PORTS}, mode="replace"
    )
    assert replaced["comment"].endswith(f". container.portMappings: {ON_HOST}")


@pytest.mark.parametrize(
    "kind, config, text",
    [
        (
            "app",
            {**SMALL, "upgradeStrategy": {"minimunHealthCapacity": 1}},
            "upgradeStrategy.minimunHealthCapacity: there is no such field. "
            "Did you mean minimumHealthCapacity?",
        ),
        ("app", {**SMALL, "health_checks": []}, "health_checks: there is no such field"),
        ("pod", {"container": []}, "container: there is no such field. Did you mean containers?"),
    ],
)
def test_a_misspelt_field_is_refused_with_its_name(start_marathon, kind, config, text):
    marathon = start_marathon()
    assert marathon.rejected(f"{kind}_present", "/x", config=config).startswith(f"config: {text}")


def test_no_field_has_the_name_of_an_argument_of_a_state_a_setting_or_a_keyword_of_salt(
    start_marathon, salt
):
    marathon = start_marathon()
    arguments = {
        "name",
        "config",
        "mode",
        "unset",
        "instances_managed",
        "force",
        "wait",
        "timeout",
        "rollback",
        "wait_for_lock",
        "show_secrets",
        "profile",
    }
    settings = {
        "url",
        "username",
        "password",
        "token",
        "auth_scheme",
        "verify_ssl",
        "ca_bundle",
        "cert",
        "key",
        "timeout",
        "headers",
        "connect_timeout",
        "total_timeout",
        "retries",
        "retry_delay",
        "redirect_hosts",
        "api_version",
    }
    keywords = {
        "fun",
        "state",
        "order",
        "names",
        "require",
        "watch",
        "onchanges",
        "onfail",
        "prereq",
        "listen",
        "use",
        "unless",
        "onlyif",
        "creates",
        "check_cmd",
        "retry",
        "failhard",
        "parallel",
        "reload_modules",
        "runas",
        "umask",
        "saltenv",
        "fire_event",
    }
    for kind in ("app", "pod"):
        assert not {*marathon.call("fields", kind)} & (arguments | settings | keywords)


# --- a test run of several states ---


def run(marathon, test, *states):
    """Apply several states in one run. Returns result and changes of each."""
    answers = marathon.states(*states, test=test)
    marathon.wait_for_deployments()
    return [(answer["result"], answer["changes"]) for answer in answers]


@pytest.mark.parametrize(
    "present",
    [
        ("app_present", "/shop/web", {"config": {**SMALL, "instances": 2}}),
        ("apps_present", "all", {"apps": {"shop/web": {**SMALL, "instances": 2}}}),
        ("group_present", "/shop", {"apps": {"web": {**SMALL, "instances": 2}}}),
    ],
    ids=lambda state: state[0],
)
def test_a_test_run_considers_an_app_that_an_earlier_state_would_create(start_marathon, present):
    marathon = start_marathon()
    states = [
        present,
        ("app_scaled", "/shop/web", {"instances": 3}),
        ("app_running", "shop/web", {}),
        ("app_suspended", "/shop/web", {}),
        ("app_running", "/shop/web", {"instances": 2}),
        ("app_scaled", "/shop/web", {"instances": 2}),
    ]
    predicted = run(marathon, True, *states)
    applied = run(
        marathon,
        False,
        *[(function, name, {**arguments, "force": True}) for function, name, arguments in states],
    )
    assert [changes for _, changes in predicted] == [changes for _, changes in applied]
    assert [result for result, _ in predicted] == [None, None, True, None, None, True] and {
        result for result, _ in applied
    } == {True}


def test_a_test_run_predicts_the_restart_of_an_app_that_it_would_create(start_marathon):
    marathon = start_marathon()
    states = [
        ("app_present", "/web", {"config": SMALL}),
        ("app_restarted", "/web", {"force": True, "watch": [{"marathon": "state 1"}]}),
    ]
    predicted, applied = run(marathon, True, *states), run(marathon, False, *states)
    assert [changes for _, changes in predicted] == [changes for _, changes in applied] and [
        result for result, _ in predicted
    ] == [None, None]
    assert applied[1] == (True, {"/restarted": {"old": False, "new": True}})


def test_a_test_run_considers_the_changes_of_earlier_states_to_dependencies(start_marathon):
    marathon = start_marathon()
    web = ("apps_present", "all", {"apps": {"/web": {**SMALL, "dependencies": ["/db", "/group"]}}})
    assert run(marathon, True, web)[0] == run(marathon, False, web)[0] == (False, {})
    states = [
        ("app_present", "/db", {"config": SMALL, "wait": True}),
        ("group_present", "/group", {"dependencies": []}),
        web,
    ]
    predicted, applied = run(marathon, True, *states), run(marathon, False, *states)
    assert [result for result, _ in predicted] == [None, None, None] and {
        result for result, _ in applied
    } == {True}
    assert [changes for _, changes in predicted] == [changes for _, changes in applied]
    predicted = run(
        marathon,
        True,
        ("app_absent", "/db", {}),
        ("apps_present", "all", {"apps": {"/web": {"mem": 64, "dependencies": ["/db"]}}}),
    )
    assert [result for result, _ in predicted] == [None, False]


def test_an_app_that_is_created_on_another_marathon_or_deleted_before_cannot_be_scaled(
    start_marathon,
):
    marathon, other_marathon = start_marathon(), start_marathon()
    present, scaled = (
        ("app_present", "/web", {"config": SMALL, "url": other_marathon.server.url}),
        ("app_scaled", "/web", {"instances": 3}),
    )
    for test in (True, False):
        assert run(marathon, test, present, scaled)[1] == (False, {})
    marathon.changed("app_present", "/web", config=SMALL)
    for test in (True, False):
        assert run(marathon, test, ("app_absent", "/web", {}), scaled)[1] == (False, {})


@pytest.mark.parametrize("version", VERSIONS)
def test_apps_are_suspended_started_scaled_and_deleted(start_marathon, version):
    marathon = start_marathon(version)
    marathon.changed("app_present", "/web", config={**SMALL, "instances": 2})
    marathon.unchanged("app_running", "/web", instances=5)
    marathon.unchanged("app_scaled", "/web", instances=2)
    assert marathon.changed("app_suspended", "/web") == {"/instances": {"old": 2, "new": 0}}
    until(lambda: not marathon.call("tasks", app="/web"))
    assert marathon.changed("app_running", "/web") == {"/instances": {"old": 0, "new": 1}}
    assert marathon.changed("app_scaled", "web", instances=3) == {
        "/instances": {"old": 1, "new": 3}
    }
    until(lambda: len(marathon.call("tasks", app="/web", status="running")) == 3)
    changes = marathon.changed("app_absent", "/web")
    assert (
        changes["/"]["new"] is None
        and changes["/"]["old"]["instances"] == 3
        and "tasksRunning" not in changes["/"]["old"]
    )
    marathon.unchanged("app_absent", "/web")
    for state in ("app_running", "app_suspended"):
        assert marathon.rejected(state, "/web").endswith("There is no app called /web")


# --- restarts ---


def test_app_restarted_without_a_watched_change_changes_nothing_even_without_an_app(start_marathon):
    start_marathon().unchanged("app_restarted", "/nosuch")


@pytest.mark.parametrize("requisite", ["watch", "onchanges", "listen"])
def test_an_app_is_restarted_once_if_a_watched_state_changes(start_marathon, requisite):
    marathon = start_marathon()
    marathon.changed("app_present", "/web", config=SMALL)

    def apply(text, test=False, state="app_restarted", **arguments):
        watched = {
            "test": ["succeed_with_changes" if text == "new" else "succeed_without_changes"],
            "__sls__": "x",
            "__env__": "base",
        }
        arguments_list = [
            {key: value}
            for key, value in {"name": "/web", "url": marathon.server.url, **arguments}.items()
        ]
        watching = {
            "marathon": [state, *arguments_list, {requisite: [{"test": "watched"}]}],
            "__sls__": "x",
            "__env__": "base",
        }
        answers = marathon.salt.call(
            "state.high", {"watched": watched, "watching": watching}, test=test
        )
        marathon.wait_for_deployments()
        return [answer for name, answer in answers.items() if name.startswith("marathon_")][-1]

    version = marathon.call("app", "/web")["version"]
    unchanged = apply("old")
    assert (unchanged["result"], unchanged["changes"]) == (True, {}) and marathon.call(
        "app", "/web"
    )["version"] == version
    if requisite == "watch":
        predicted = apply("new", test=True)
        assert (predicted["result"], predicted["changes"]) == (
            None,
            {"/restarted": {"old": False, "new": True}},
        ), predicted["comment"]
        assert marathon.call("app", "/web")["version"] == version
    applied = apply("new", wait=True)
    assert (applied["result"], applied["changes"]) == (
        True,
        {"/restarted": {"old": False, "new": True}},
    ), applied
    assert len(marathon.call("app_versions", "/web")) == 2
    if requisite == "watch":
        for state, arguments in (
            ("app_present", {"config": SMALL, "unset": ["user"]}),
            ("app_running", {"instances": 2}),
        ):
            assert apply("new", state=state, **arguments)["changes"] == applied["changes"]
        assert (
            "marathon.app_scaled cannot watch"
            in apply("new", state="app_scaled", instances=1)["comment"]
        )
        assert len(marathon.call("app_versions", "/web")) == 4


# --- pods ---


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pod_is_created_changed_and_deleted_once(start_marathon, version):
    marathon = start_marathon(version)
    assert (
        marathon.changed("pod_present", "/pod", config=POD, wait=version == NEW)["/"]["old"] is None
    )
    marathon.unchanged("pod_present", "/pod", config=POD)
    labelled = {**POD, "labels": {"team": "a"}}
    assert marathon.changed("pod_present", "pod", config=labelled) == {
        "/labels/team": {"old": None, "new": "a"}
    }
    marathon.unchanged("pod_present", "/pod", config=labelled, mode="replace")
    assert marathon.changed("pod_present", "/pod", config={}, unset=["labels"]) == {
        "/labels/team": {"old": "a", "new": None}
    }
    assert marathon.changed("pod_absent", "/pod", wait=version == NEW)["/"]["new"] is None
    marathon.unchanged("pod_absent", "/pod")


# --- deployments ---


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_with_wait_the_state_returns_when_the_deployment_is_done(start_marathon, version):
    marathon = start_marathon(version)
    for arguments in ({"config": {**SMALL, "instances": 2}}, {"config": {"cmd": "sleep 1000"}}):
        answer = marathon("app_present", "/web", wait=True, timeout=30, **arguments)
        assert answer["result"] is True and answer["comment"].endswith(
            "and its deployment has finished"
        ), answer
        assert (
            not marathon.call("deployments")
            and len(marathon.call("tasks", app="/web", status="running")) == 2
        )
    assert marathon("app_scaled", "/web", instances=1, wait=True)["result"] is True
    answer = marathon("app_absent", "/web", wait=True)
    assert (
        answer["result"] is True and not marathon.call("deployments") and not marathon.call("apps")
    ), answer


def test_a_deployment_that_cannot_end_fails_this_and_the_next_run_with_app_and_reason(
    start_marathon,
):
    marathon = start_marathon()
    config = {**SMALL, "cpus": 100}
    answer = marathon("app_present", "/big", config=config, wait=True, timeout=1.5)
    assert (
        answer["result"] is False
        and list(answer["changes"]) == ["/"]
        and "\n" not in answer["comment"]
    ), answer
    deployment = marathon.call("deployments")[0]["id"]
    for part in (
        "/big was created, but its deployment was still running after 1.5 seconds",
        deployment,
        "/big: 0 of 1 instances run",
        "InsufficientCpus",
        f"marathon.cancel_deployment {deployment} undoes it",
    ):
        assert part in answer["comment"], answer["comment"]
    again = marathon.fails("app_present", "/big", config=config, wait=True, timeout=1)
    assert again.startswith(
        "/big is as declared, but its deployment was still running after 1 second"
    )
    marathon.unchanged("app_present", "/big", config=config)


def test_with_rollback_the_old_version_runs_again_and_a_new_app_is_deleted(start_marathon):
    marathon = start_marathon(VERSIONS[-1])
    marathon.changed("app_present", "/web", config=SMALL)
    for name, config in (
        ("/web", {**SMALL, "cpus": 100, "labels": {"team": "a"}}),
        ("/new", {**SMALL, "cpus": 100}),
    ):
        answer = marathon("app_present", name, config=config, wait=True, timeout=1, rollback=True)
        assert (answer["result"], answer["changes"]) == (False, {}), answer
        reason = "not all new instances run" if name == "/web" else "0 of 1 instances run"
        assert (
            f"{name}: {reason}" in answer["comment"] and "1 waiting for offers" in answer["comment"]
        ), answer
        assert (
            answer["comment"].endswith("The change was undone") and "\n" not in answer["comment"]
        ), answer
        assert not marathon.call("deployments")
    assert [app["id"] for app in marathon.call("apps")] == ["/web"]
    marathon.unchanged("app_present", "/web", config=SMALL, mode="replace")
    assert len(marathon.call("tasks", app="/web", status="running")) == 1


def test_with_rollback_an_ended_deployment_without_running_tasks_is_undone_unless_it_is_locked(
    start_marathon, monkeypatch
):
    get_deployments = Marathon.get_deployments
    monkeypatch.setattr(
        Marathon, "get_deployments", functools.wraps(get_deployments)(lambda self, request: [])
    )
    marathon = start_marathon()
    marathon.call("create_app", "/web", {**SMALL, "instances": 0})
    declared = {"config": {**SMALL, "cpus": 100, "instances": 1}, "wait": True, "rollback": True}
    # The deployments are not listed, but they run.
    locked = marathon("app_present", "/locked", **declared)
    assert locked["result"] is False and list(locked["changes"]) == ["/"], locked
    assert (
        "/locked was created, but 0 of 1 instances run" in locked["comment"]
        and "The change could not be undone: " in locked["comment"]
    ), locked
    for name in ("/web", "/new"):
        forced = marathon("app_present", name, force=True, **declared)
        assert (forced["result"], forced["changes"]) == (
            False,
            {},
        ) and "but 0 of 1 instances run" in forced["comment"], forced
        assert forced["comment"].endswith("The change was undone"), forced
    assert marathon.call("app", "/web")["instances"] == 0 and not marathon.call(
        "app_exists", "/new"
    )


def test_with_wait_an_app_that_never_becomes_healthy_fails_the_state(start_marathon, monkeypatch):
    monkeypatch.setattr(Marathon, "is_healthy", lambda self, instance, task: False)
    marathon = start_marathon()
    config = {**SMALL, "healthChecks": [{"protocol": "COMMAND", "command": {"value": "false"}}]}
    answer = marathon("app_present", "/sick", config=config, wait=True, timeout=1)
    assert answer["result"] is False and list(answer["changes"]) == ["/"], answer
    assert "/sick: 1 of 1 instances run, 1 unhealthy" in answer["comment"]


@pytest.mark.parametrize(
    "state, config, message",
    [
        ("app_present", SMALL, "0 of 1 instances run, 0 unhealthy"),
        ("pod_present", POD, "it is "),
    ],
)
def test_an_invisible_deployment_fails_if_its_instances_do_not_run(
    start_marathon, monkeypatch, state, config, message
):
    get_deployments = Marathon.get_deployments
    monkeypatch.setattr(
        Marathon, "get_deployments", functools.wraps(get_deployments)(lambda self, request: [])
    )
    marathon = start_marathon()
    marathon.mesos.hold = True
    answer = marathon(state, "/x", config=config, wait=True)
    assert answer["result"] is False and list(answer["changes"]) == ["/"], answer
    assert f"/x was created, but {message}" in answer["comment"]
    assert answer["comment"].endswith(
        "marathon.queue shows what it waits for, and the logs of the tasks show why they end"
    )


def test_a_deployment_that_another_one_replaces_fails_the_state(start_marathon):
    marathon = start_marathon()
    marathon.changed("app_present", "/web", config=SMALL)
    marathon.mesos.hold = True
    before = len(marathon.writes())

    def update_app_with_force():
        until(lambda: len(marathon.writes()) > before)
        position = marathon.server.requests.index(marathon.writes()[-1])
        until(
            lambda: any(
                request.path == "/v2/deployments" for request in marathon.server.requests[position:]
            )
        )
        body = {"cmd": "sleep 5"}
        requests.put(
            f"{marathon.server.url}/v2/apps/web", params={"force": "true"}, json=body, timeout=5
        ).raise_for_status()

    thread = threading.Thread(target=update_app_with_force)
    thread.start()
    answer = marathon("app_present", "/web", config={"cmd": "sleep 1000"}, wait=True, timeout=30)
    thread.join()
    assert answer["result"] is False and list(answer["changes"]) == ["/cmd"], answer
    assert (
        "/web was updated, but its deployment" in answer["comment"]
        and "was cancelled: /web: its version is " in answer["comment"]
    )


def test_a_lock_fails_the_state_unless_wait_for_lock_or_force_is_set(start_marathon):
    marathon = start_marathon()
    marathon.mesos.hold = True
    marathon("app_present", "/web", config=SMALL)
    deployment = marathon.call("deployments")[0]["id"]
    change = {"config": {"labels": {"team": "a"}}}
    comment = marathon.fails("app_present", "/web", **change)
    assert deployment in comment and "409" in comment
    assert deployment in marathon.fails("app_present", "/web", wait_for_lock=1, **change)
    assert marathon("app_present", "/web", force=True, **change)["result"] is True
    before = len(marathon.writes())

    def release_offers():
        until(lambda: len(marathon.writes()) > before)
        marathon.mesos.hold = False

    thread = threading.Thread(target=release_offers)
    thread.start()
    answer = marathon("app_scaled", "/web", instances=2, wait_for_lock=30)
    thread.join()
    assert answer["result"] is True and len(marathon.writes()) > before + 1, answer


# --- reading back ---


def test_fields_that_marathon_accepts_and_does_not_store_fail_the_state(
    start_marathon, monkeypatch
):
    marathon = start_marathon()
    marathon.changed("app_present", "/web", config=SMALL)
    monkeypatch.setattr(Marathon, "app_read", lambda self, app, path: dict(self.tree.apps[path]))
    answer = marathon("app_present", "/web", config={"mem": 64, "labels": {"team": "a"}})
    assert answer["result"] is False and sorted(answer["changes"]) == ["/labels/team", "/mem"], (
        answer
    )
    assert (
        answer["comment"]
        == "/web was sent, but Marathon has different values at /labels/team, /mem"
    )
    answer = marathon("app_scaled", "/web", instances=2)
    assert (answer["result"], answer["comment"]) == (
        False,
        "/web was scaled to 2 instances, but Marathon has 1",
    ), answer


def test_an_app_that_still_exists_after_its_deletion_fails_the_state(start_marathon, monkeypatch):
    marathon, deploy = start_marathon(), Marathon.deploy
    marathon.changed("app_present", "/web", config=SMALL)
    monkeypatch.setattr(
        Marathon,
        "deploy",
        lambda self, tree, *arguments: deploy(self, self.tree.copy(), *arguments),
    )
    assert (
        marathon.fails_with_changes("app_absent", "/web")[1]
        == "/web was deleted, but it exists again"
    )


def test_an_app_that_another_client_deletes_at_the_same_time_is_a_success(
    start_marathon, monkeypatch
):
    marathon, deploy = start_marathon(), Marathon.deploy
    marathon.changed("app_present", "/web", config=SMALL)

    def deleted_before(self, *arguments):
        deploy(self, *arguments)
        return self.known_app("web")

    monkeypatch.setattr(Marathon, "deploy", deleted_before)
    answer = marathon("app_absent", "/web")
    assert answer["result"] is True and list(answer["changes"]) == ["/"], answer


# --- invalid arguments ---


@pytest.mark.parametrize(
    "state, arguments, message",
    [
        ("app_present", {"config": {"comand": "x"}}, "comand"),
        ("app_present", {"config": {**SMALL, "env": {"DEBUG": True}}}, "DEBUG"),
        ("app_present", {"config": [SMALL]}, "config: "),
        (
            "app_present",
            {"config": SMALL, "mode": "patch"},
            "mode: 'patch' should be merge or replace",
        ),
        (
            "app_present",
            {"config": SMALL, "unset": "user"},
            "unset: 'user' should be a list of fields",
        ),
        ("app_present", {"config": SMALL, "wait": "yes"}, "wait: 'yes' should be True or False"),
        ("app_present", {"config": SMALL, "force": 1}, "force: 1 should be True or False"),
        (
            "app_present",
            {"config": SMALL, "timeout": -1},
            "timeout: -1 should be a number of seconds from 1 to 3600",
        ),
        (
            "app_present",
            {"config": SMALL, "wait_for_lock": True},
            "wait_for_lock: True should be a number of seconds from 0 to 3600",
        ),
        (
            "app_present",
            {"config": SMALL, "rollback": True},
            "rollback: True should be False without wait",
        ),
        (
            "app_present",
            {"config": SMALL, "instances_managed": "no"},
            "instances_managed: 'no' should be True or False",
        ),
        ("app_present", {"config": SMALL, "instnaces_managed": False}, "instnaces_managed"),
        ("pod_present", {"config": {**POD, "container": []}}, "container"),
        ("app_scaled", {"instances": -1}, "instances: -1 should be a whole number, 0 or more"),
        ("app_scaled", {"instances": "3"}, "instances: '3' should be a whole number, 0 or more"),
        ("app_running", {"instances": 0}, "instances: 0 should be a whole number, 1 or more"),
    ],
    ids=str,
)
def test_invalid_arguments_are_reported_and_nothing_is_sent(
    start_marathon, state, arguments, message
):
    assert message in start_marathon().rejected(state, "/web", **arguments)


def test_unsupported_requests_to_an_old_marathon_are_rejected_in_a_test_run_as_well(start_marathon):
    marathon = start_marathon("1.3.14")
    marathon.changed("app_present", "/web", config={**SMALL, "user": "nobody"})
    for arguments in ({"config": SMALL, "mode": "replace"}, {"unset": ["user"]}):
        assert "Marathon before 1.4 keeps the fields that are not sent" in marathon.rejected(
            "app_present", "/web", **arguments
        )
    marathon.unchanged("app_present", "/web", config={**SMALL, "user": "nobody"}, mode="replace")
    assert (
        marathon.rejected("pod_present", "/pod", config=POD)
        == "/pod: pods need Marathon 1.4, and this is 1.3.14"
    )
    marathon.unchanged("pod_absent", "/pod")


@pytest.mark.parametrize("state", ["app_absent", "app_suspended", "pod_absent"])
def test_the_root_group_cannot_be_deleted_or_suspended(start_marathon, state):
    assert "group below the root /" in start_marathon().rejected(state, "/")


@pytest.mark.parametrize(
    "state, arguments", [("app_present", {"config": SMALL}), ("app_absent", {}), ("pod_absent", {})]
)
def test_a_server_that_does_not_respond_is_reported(salt, nobody, state, arguments):
    answer = salt(f"marathon.{state}", name="/web", url=nobody, **arguments)
    assert (answer["result"], answer["changes"]) == (False, {}) and nobody in answer["comment"]
