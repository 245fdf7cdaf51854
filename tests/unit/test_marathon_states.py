"""
The states of Marathon, applied by the real Salt of both lines to fake daemons of several versions
of Marathon.
"""

import functools
import json
import threading

import pytest
import requests
from marathon_world import LINES, NEW, SMALL, VERSIONS, started
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
def place(salt, running):
    return functools.partial(started, salt, running)


# --- apps ---


@pytest.mark.parametrize("version", LINES)
def test_each_kind_of_app_is_made_once_and_a_label_is_one_change(place, version, record_property):
    here, found = place(version), {}
    here.mesos.hold = True  # what it becomes does not matter
    for case, config in APPS.items():
        name = f"/{case.replace(', ', '-').replace(' ', '-').lower()}"
        labelled = {**config, "labels": {"team": "b"}}
        answers = [
            here("app_present", name, config=each, force=True)
            for each in (config, config, labelled, labelled)
        ]
        assert all(answer["result"] is True for answer in answers), (case, answers)
        found[case] = [list(answer["changes"]) for answer in answers]
    title = f"marathon.app_present, Salt {here.salt.line}: changes when applied, applied again, given a label, applied again"
    record_property(
        "table",
        (
            title,
            version,
            {case: " ".join(str(len(each)) for each in paths) for case, paths in found.items()},
        ),
    )
    assert found == dict.fromkeys(APPS, [["/"], [], ["/labels/team"], []])
    assert len(here.writes()) == 2 * len(APPS)


def test_only_what_differs_is_told_and_changed_and_the_rest_is_kept(place):
    here = place()
    here.changed(
        "app_present",
        "/web",
        config={**SMALL, "instances": 2, "labels": {"team": "a", "tier": "1"}, "user": "nobody"},
    )
    changes = here.changed(
        "app_present", "/web", config={"cpus": 0.2, "labels": {"team": "b", "tier": "1"}}
    )
    assert changes == {"/cpus": {"old": 0.1, "new": 0.2}, "/labels/team": {"old": "a", "new": "b"}}
    found = here.call("app", "/web")
    assert (found["instances"], found["user"], found["cmd"]) == (2, "nobody", "sleep 3600")
    assert here.changed("app_present", "/web", config={}, unset=["user"]) == {
        "/user": {"old": "nobody", "new": None}
    }
    here.kept("app_present", "web", config={}, unset=["user"])
    changes = here.changed("app_present", "/web", config=SMALL, mode="replace")
    assert sorted(changes) == ["/cpus", "/labels/team", "/labels/tier"]
    assert here.call("app", "/web")["instances"] == 2
    here.kept("app_present", "/web", config=SMALL, mode="replace")


@pytest.mark.parametrize(
    "kind, config, field", [("app", SMALL, "instances"), ("pod", POD, "scaling")]
)
def test_instances_that_something_else_manages_are_left_alone(place, kind, config, field):
    here = place()
    first, second = (
        number if kind == "app" else {"kind": "fixed", "instances": number} for number in (2, 3)
    )
    declared = {"config": {**config, field: first}, "instances_managed": False}
    here.changed(f"{kind}_present", "/x", **declared)
    assert here.call(kind, "/x")[field] == first
    here.call(f"update_{kind}", "/x", {field: second})
    here.quiet()
    here.kept(f"{kind}_present", "/x", **declared)
    declared["config"]["labels"] = {"team": "b"}
    assert list(here.changed(f"{kind}_present", "/x", **declared)) == ["/labels/team"]
    assert here.call(kind, "/x")[field] == second
    declared["instances_managed"] = True
    assert [path.split("/")[1] for path in here.changed(f"{kind}_present", "/x", **declared)] == [
        field
    ]


def test_secrets_are_hidden_unless_they_are_to_be_shown(place):
    here = place()
    config = {**SMALL, "env": {"DB_PASSWORD": "sesame", "USER": "me"}}
    changes = here.changed("app_present", "/web", config=config)
    assert changes["/"]["new"]["env"] == {"DB_PASSWORD": "***", "USER": "me"}
    assert here.call("app", "/web")["env"]["DB_PASSWORD"] == "sesame"
    config["env"]["DB_PASSWORD"] = "simsim"
    answer = here("app_present", "/web", config=config, test=True, show_secrets=True)
    assert answer["changes"] == {"/env/DB_PASSWORD": {"old": "sesame", "new": "simsim"}}
    assert here.changed("app_present", "/web", config=config) == {
        "/env/DB_PASSWORD": {"old": "***", "new": "***"}
    }
    assert here.changed("app_absent", "/web")["/"]["old"]["env"] == {
        "DB_PASSWORD": "***",
        "USER": "me",
    }


# --- where declarations stand ---


def test_fields_may_be_arguments_of_the_state_and_a_declaration_a_file(place, salt):
    here = place()
    web = salt.serve(
        "apps/web.yaml",
        "cmd: sleep 3600\ncpus: 0.1\nmem: 32\nenv:\n  PORT: 8080\n  SINCE: 2030-01-01\n  ALL: '*'\n",
    )
    fields = {"instances": 2, "labels": {"team": "a"}}
    assert list(here.told_and_changed("app_present", "/web", config=web, **fields)) == ["/"]
    assert here.told_and_changed("app_present", "/web", mem=64) == {"/mem": {"old": 32, "new": 64}}
    found = here.call("app", "/web")
    assert (found["env"], found["instances"]) == (
        {"PORT": "8080", "SINCE": "2030-01-01", "ALL": "*"},
        2,
    )
    pod = salt.serve("apps/pod.json", json.dumps(POD))
    here.told_and_changed("pod_present", "/pod", config=pod, labels={"team": "a"})
    assert list(here.told_and_changed("pod_present", "/pod", environment={"A": "1"})) == [
        "/environment/A"
    ]


def test_an_app_that_watches_is_restarted_whether_its_fields_are_arguments_or_not(place):
    here = place()
    here.changed("app_present", "/web", config=SMALL)
    declared = [
        {key: value}
        for key, value in {
            "name": "/web",
            "url": here.server.url,
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
        for name, answer in here.salt.call("state.high", high).items()
        if name.startswith("marathon_")
    )
    assert changes == {"/restarted": {"old": False, "new": True}}


def test_what_is_neither_field_nor_setting_is_refused_and_what_stands_there_twice(place, salt):
    here = place()
    for arguments, said in (
        ({"comand": "sleep 9"}, "comand: there is no such field; is it cmd?"),
        ({**SMALL, "instnaces": 2}, "instnaces: there is no such field; is it instances?"),
        (
            {**SMALL, "pasword": "sesame"},
            "pasword: no such argument. A connection has url, username, password",
        ),
        ({**SMALL, "tasks": []}, "tasks: no such argument"),
        ({"config": SMALL, "mem": 64}, "mem: given twice, in config and beside it"),
        ({}, "config: nothing is declared; give it, or fields such as cmd in its place"),
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
        assert here.refused("app_present", "/web", **arguments).startswith(said)


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
    place, version, kind, config, paths
):
    here = place(version)
    warnings = "".join(f". {path}: {IGNORED}" for path in paths)
    for test, text in (
        (True, "/x would be created"),
        (False, "/x was created"),
        (True, "/x is as declared"),
        (False, "/x is as declared"),
    ):
        answer = here(f"{kind}_present", "/x", test, config=config)
        assert answer["comment"].startswith(text) and answer["comment"].endswith(warnings)
        if text.endswith("declared"):
            assert (answer["result"], answer["changes"]) == (True, {})
        here.quiet()
    assert "nosuch" not in json.dumps(answer["changes"])
    assert not [write for write in here.writes() if "maintainer" in write.body]
    labels = {"config": {**config, "labels": {"team": "a"}}}
    assert list(here.changed(f"{kind}_present", "/x", **labels)) == ["/labels/team"]
    assert len(here.writes()) == 2 and "nosuch" not in here.writes()[-1].body


@pytest.mark.parametrize(
    "kind, config, text",
    [
        (
            "app",
            {**SMALL, "upgradeStrategy": {"minimunHealthCapacity": 1}},
            "upgradeStrategy.minimunHealthCapacity: there is no such field; "
            "is it minimumHealthCapacity?",
        ),
        ("app", {**SMALL, "health_checks": []}, "health_checks: there is no such field"),
        ("pod", {"container": []}, "container: there is no such field; is it containers?"),
    ],
)
def test_a_misspelt_field_is_refused_with_its_name(place, kind, config, text):
    here = place()
    assert here.refused(f"{kind}_present", "/x", config=config).startswith(f"config: {text}")


def test_no_field_is_called_like_an_argument_of_a_state_a_setting_or_a_keyword_of_salt(place, salt):
    here = place()
    own = {
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
        assert not {*here.call("fields", kind)} & (own | settings | keywords)


# --- a test run of several states ---


def run(here, test, *states):
    """
    Apply states one after another in one run, each a function, a name and its arguments; returns
    result and changes of each.
    """
    answers = here.states(*states, test=test)
    here.quiet()
    return [(answer["result"], answer["changes"]) for answer in answers]


@pytest.mark.parametrize(
    "first",
    [
        ("app_present", "/shop/web", {"config": {**SMALL, "instances": 2}}),
        ("apps_present", "all", {"apps": {"shop/web": {**SMALL, "instances": 2}}}),
        ("group_present", "/shop", {"apps": {"web": {**SMALL, "instances": 2}}}),
    ],
    ids=lambda each: each[0],
)
def test_a_test_run_tells_of_an_app_that_an_earlier_state_would_make_what_the_real_run_does(
    place, first
):
    here = place()
    states = [
        first,
        ("app_scaled", "/shop/web", {"instances": 3}),
        ("app_running", "shop/web", {}),
        ("app_suspended", "/shop/web", {}),
        ("app_running", "/shop/web", {"instances": 2}),
        ("app_scaled", "/shop/web", {"instances": 2}),
    ]
    told = run(here, True, *states)
    done = run(
        here,
        False,
        *[(function, name, {**arguments, "force": True}) for function, name, arguments in states],
    )
    assert [changes for _, changes in told] == [changes for _, changes in done]
    assert [result for result, _ in told] == [None, None, True, None, None, True] and {
        result for result, _ in done
    } == {True}


def test_a_test_run_tells_of_a_restart_of_an_app_that_it_would_make_first(place):
    here = place()
    states = [
        ("app_present", "/web", {"config": SMALL}),
        ("app_restarted", "/web", {"force": True, "watch": [{"marathon": "state 1"}]}),
    ]
    told, done = run(here, True, *states), run(here, False, *states)
    assert [changes for _, changes in told] == [changes for _, changes in done] and [
        result for result, _ in told
    ] == [None, None]
    assert done[1] == (True, {"/restarted": {"old": False, "new": True}})


def test_a_test_run_knows_what_earlier_states_would_make_of_that_which_an_app_depends_on(place):
    here = place()
    web = ("apps_present", "all", {"apps": {"/web": {**SMALL, "dependencies": ["/db", "/group"]}}})
    assert run(here, True, web)[0] == run(here, False, web)[0] == (False, {})
    states = [
        ("app_present", "/db", {"config": SMALL, "wait": True}),
        ("group_present", "/group", {"dependencies": []}),
        web,
    ]
    told, done = run(here, True, *states), run(here, False, *states)
    assert [result for result, _ in told] == [None, None, None] and {
        result for result, _ in done
    } == {True}
    assert [changes for _, changes in told] == [changes for _, changes in done]
    told = run(
        here,
        True,
        ("app_absent", "/db", {}),
        ("apps_present", "all", {"apps": {"/web": {"mem": 64, "dependencies": ["/db"]}}}),
    )
    assert [result for result, _ in told] == [None, False]


def test_a_test_run_knows_that_an_app_is_made_elsewhere_or_deleted_before_and_so_does_the_real_run(
    place,
):
    here, other = place(), place()
    made, scaled = (
        ("app_present", "/web", {"config": SMALL, "url": other.server.url}),
        ("app_scaled", "/web", {"instances": 3}),
    )
    for test in (True, False):
        assert run(here, test, made, scaled)[1] == (False, {})
    here.changed("app_present", "/web", config=SMALL)
    for test in (True, False):
        assert run(here, test, ("app_absent", "/web", {}), scaled)[1] == (False, {})


@pytest.mark.parametrize("version", VERSIONS)
def test_apps_are_suspended_started_and_scaled_and_deleted(place, version):
    here = place(version)
    here.changed("app_present", "/web", config={**SMALL, "instances": 2})
    here.kept("app_running", "/web", instances=5)
    here.kept("app_scaled", "/web", instances=2)
    assert here.changed("app_suspended", "/web") == {"/instances": {"old": 2, "new": 0}}
    until(lambda: not here.call("tasks", app="/web"))
    assert here.changed("app_running", "/web") == {"/instances": {"old": 0, "new": 1}}
    assert here.changed("app_scaled", "web", instances=3) == {"/instances": {"old": 1, "new": 3}}
    until(lambda: len(here.call("tasks", app="/web", status="running")) == 3)
    gone = here.changed("app_absent", "/web")
    assert (
        gone["/"]["new"] is None
        and gone["/"]["old"]["instances"] == 3
        and "tasksRunning" not in gone["/"]["old"]
    )
    here.kept("app_absent", "/web")
    for state in ("app_running", "app_suspended"):
        assert here.refused(state, "/web").endswith("There is no app called /web")


# --- restarts ---


def test_a_restart_by_itself_changes_nothing_not_even_where_there_is_no_app(place):
    place().kept("app_restarted", "/nosuch")


@pytest.mark.parametrize("requisite", ["watch", "onchanges", "listen"])
def test_an_app_is_restarted_once_if_what_it_watches_changes(place, requisite):
    here = place()
    here.changed("app_present", "/web", config=SMALL)

    def apply(text, test=False, state="app_restarted", **arguments):
        watched = {
            "test": ["succeed_with_changes" if text == "new" else "succeed_without_changes"],
            "__sls__": "x",
            "__env__": "base",
        }
        given = [
            {key: value}
            for key, value in {"name": "/web", "url": here.server.url, **arguments}.items()
        ]
        watching = {
            "marathon": [state, *given, {requisite: [{"test": "watched"}]}],
            "__sls__": "x",
            "__env__": "base",
        }
        answers = here.salt.call(
            "state.high", {"watched": watched, "watching": watching}, test=test
        )
        here.quiet()
        return [answer for name, answer in answers.items() if name.startswith("marathon_")][-1]

    version = here.call("app", "/web")["version"]
    kept = apply("old")
    assert (kept["result"], kept["changes"]) == (True, {}) and here.call("app", "/web")[
        "version"
    ] == version
    if requisite == "watch":
        would = apply("new", test=True)
        assert (would["result"], would["changes"]) == (
            None,
            {"/restarted": {"old": False, "new": True}},
        ), would["comment"]
        assert here.call("app", "/web")["version"] == version
    done = apply("new", wait=True)
    assert (done["result"], done["changes"]) == (
        True,
        {"/restarted": {"old": False, "new": True}},
    ), done
    assert len(here.call("app_versions", "/web")) == 2
    if requisite == "watch":
        for state, arguments in (
            ("app_present", {"config": SMALL, "unset": ["user"]}),
            ("app_running", {"instances": 2}),
        ):
            assert apply("new", state=state, **arguments)["changes"] == done["changes"]
        assert (
            "marathon.app_scaled cannot watch"
            in apply("new", state="app_scaled", instances=1)["comment"]
        )
        assert len(here.call("app_versions", "/web")) == 4


# --- pods ---


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pod_is_made_changed_and_deleted_once(place, version):
    here = place(version)
    assert here.changed("pod_present", "/pod", config=POD, wait=version == NEW)["/"]["old"] is None
    here.kept("pod_present", "/pod", config=POD)
    labelled = {**POD, "labels": {"team": "a"}}
    assert here.changed("pod_present", "pod", config=labelled) == {
        "/labels/team": {"old": None, "new": "a"}
    }
    here.kept("pod_present", "/pod", config=labelled, mode="replace")
    assert here.changed("pod_present", "/pod", config={}, unset=["labels"]) == {
        "/labels/team": {"old": "a", "new": None}
    }
    assert here.changed("pod_absent", "/pod", wait=version == NEW)["/"]["new"] is None
    here.kept("pod_absent", "/pod")


# --- deployments ---


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_who_waits_returns_when_the_deployment_is_done(place, version):
    here = place(version)
    for arguments in ({"config": {**SMALL, "instances": 2}}, {"config": {"cmd": "sleep 1000"}}):
        answer = here("app_present", "/web", wait=True, timeout=30, **arguments)
        assert answer["result"] is True and answer["comment"].endswith(
            "and its deployment is done"
        ), answer
        assert (
            not here.call("deployments")
            and len(here.call("tasks", app="/web", status="running")) == 2
        )
    assert here("app_scaled", "/web", instances=1, wait=True)["result"] is True
    answer = here("app_absent", "/web", wait=True)
    assert answer["result"] is True and not here.call("deployments") and not here.call("apps"), (
        answer
    )


def test_a_deployment_that_cannot_end_fails_the_state_with_its_app_and_reason_and_so_does_the_next_run(
    place,
):
    here = place()
    config = {**SMALL, "cpus": 100}
    answer = here("app_present", "/big", config=config, wait=True, timeout=1.5)
    assert (
        answer["result"] is False
        and list(answer["changes"]) == ["/"]
        and "\n" not in answer["comment"]
    ), answer
    deployment = here.call("deployments")[0]["id"]
    for part in (
        "/big was created, but its deployment was still running after 1.5 seconds",
        deployment,
        "/big: 0 of 1 instances run",
        "InsufficientCpus",
        f"marathon.cancel_deployment {deployment} undoes it",
    ):
        assert part in answer["comment"], answer["comment"]
    again = here.fails("app_present", "/big", config=config, wait=True, timeout=1)
    assert again.startswith(
        "/big is as declared, but its deployment was still running after 1 second"
    )
    here.kept("app_present", "/big", config=config)


def test_with_rollback_the_old_version_runs_again_and_a_new_app_is_gone(place):
    here = place(VERSIONS[-1])
    here.changed("app_present", "/web", config=SMALL)
    for name, config in (
        ("/web", {**SMALL, "cpus": 100, "labels": {"team": "a"}}),
        ("/new", {**SMALL, "cpus": 100}),
    ):
        answer = here("app_present", name, config=config, wait=True, timeout=1, rollback=True)
        assert (answer["result"], answer["changes"]) == (False, {}), answer
        why = "not all new instances run" if name == "/web" else "0 of 1 instances run"
        assert f"{name}: {why}" in answer["comment"] and "1 wait for offers" in answer["comment"], (
            answer
        )
        assert (
            answer["comment"].endswith("That was undone: it is as it was before")
            and "\n" not in answer["comment"]
        ), answer
        assert not here.call("deployments")
    assert [each["id"] for each in here.call("apps")] == ["/web"]
    here.kept("app_present", "/web", config=SMALL, mode="replace")
    assert len(here.call("tasks", app="/web", status="running")) == 1


def test_with_rollback_what_is_over_and_does_not_run_is_undone_too_unless_it_is_locked(
    place, monkeypatch
):
    seen = Marathon.get_deployments
    monkeypatch.setattr(
        Marathon, "get_deployments", functools.wraps(seen)(lambda self, request: [])
    )
    here = place()
    here.call("create_app", "/web", {**SMALL, "instances": 0})
    declared = {"config": {**SMALL, "cpus": 100, "instances": 1}, "wait": True, "rollback": True}
    # Nobody sees the deployments, which go on nevertheless.
    locked = here("app_present", "/locked", **declared)
    assert locked["result"] is False and list(locked["changes"]) == ["/"], locked
    assert (
        "/locked was created, but 0 of 1 instances run" in locked["comment"]
        and "It could not be undone: " in locked["comment"]
    ), locked
    for name in ("/web", "/new"):
        forced = here("app_present", name, force=True, **declared)
        assert (forced["result"], forced["changes"]) == (
            False,
            {},
        ) and "but 0 of 1 instances run" in forced["comment"], forced
        assert forced["comment"].endswith("That was undone: it is as it was before"), forced
    assert here.call("app", "/web")["instances"] == 0 and not here.call("app_exists", "/new")


def test_an_app_that_never_gets_healthy_fails_the_state_of_who_waits(place, monkeypatch):
    monkeypatch.setattr(Marathon, "is_healthy", lambda self, instance, task: False)
    here = place()
    config = {**SMALL, "healthChecks": [{"protocol": "COMMAND", "command": {"value": "false"}}]}
    answer = here("app_present", "/sick", config=config, wait=True, timeout=1)
    assert answer["result"] is False and list(answer["changes"]) == ["/"], answer
    assert "/sick: 1 of 1 instances run, 1 unhealthy" in answer["comment"]


@pytest.mark.parametrize(
    "state, config, said",
    [
        ("app_present", SMALL, "0 of 1 instances run, 0 unhealthy"),
        ("pod_present", POD, "it is "),
    ],
)
def test_a_deployment_that_nobody_saw_is_judged_by_what_runs(
    place, monkeypatch, state, config, said
):
    seen = Marathon.get_deployments
    monkeypatch.setattr(
        Marathon, "get_deployments", functools.wraps(seen)(lambda self, request: [])
    )
    here = place()
    here.mesos.hold = True
    answer = here(state, "/x", config=config, wait=True)
    assert answer["result"] is False and list(answer["changes"]) == ["/"], answer
    assert f"/x was created, but {said}" in answer["comment"]
    assert answer["comment"].endswith(
        "marathon.queue says what is waited for, and the logs of the tasks why they end"
    )


def test_a_deployment_that_is_given_up_for_another_fails_the_state(place):
    here = place()
    here.changed("app_present", "/web", config=SMALL)
    here.mesos.hold = True
    before = len(here.writes())

    def interfere():
        until(lambda: len(here.writes()) > before)
        asked = here.server.requests.index(here.writes()[-1])
        until(lambda: any(each.path == "/v2/deployments" for each in here.server.requests[asked:]))
        body = {"cmd": "sleep 5"}
        requests.put(
            f"{here.server.url}/v2/apps/web", params={"force": "true"}, json=body, timeout=5
        ).raise_for_status()

    interfering = threading.Thread(target=interfere)
    interfering.start()
    answer = here("app_present", "/web", config={"cmd": "sleep 1000"}, wait=True, timeout=30)
    interfering.join()
    assert answer["result"] is False and list(answer["changes"]) == ["/cmd"], answer
    assert (
        "/web was updated, but its deployment" in answer["comment"]
        and "was cancelled: /web: its version is " in answer["comment"]
    )


def test_a_lock_fails_the_state_unless_one_waits_for_it_or_forces_it(place):
    here = place()
    here.mesos.hold = True
    here("app_present", "/web", config=SMALL)
    deployment = here.call("deployments")[0]["id"]
    change = {"config": {"labels": {"team": "a"}}}
    comment = here.fails("app_present", "/web", **change)
    assert deployment in comment and "409" in comment
    assert deployment in here.fails("app_present", "/web", wait_for_lock=1, **change)
    assert here("app_present", "/web", force=True, **change)["result"] is True
    before = len(here.writes())

    def release():
        until(lambda: len(here.writes()) > before)
        here.mesos.hold = False

    releasing = threading.Thread(target=release)
    releasing.start()
    answer = here("app_scaled", "/web", instances=2, wait_for_lock=30)
    releasing.join()
    assert answer["result"] is True and len(here.writes()) > before + 1, answer


# --- reading back ---


def test_what_marathon_takes_and_does_not_keep_fails_the_state(place, monkeypatch):
    here = place()
    here.changed("app_present", "/web", config=SMALL)
    monkeypatch.setattr(Marathon, "app_read", lambda self, given, path: dict(self.tree.apps[path]))
    answer = here("app_present", "/web", config={"mem": 64, "labels": {"team": "a"}})
    assert answer["result"] is False and sorted(answer["changes"]) == ["/labels/team", "/mem"], (
        answer
    )
    assert (
        answer["comment"] == "/web was sent, but Marathon has something else at /labels/team, /mem"
    )
    answer = here("app_scaled", "/web", instances=2)
    assert (answer["result"], answer["comment"]) == (
        False,
        "/web was to have 2 instances, but Marathon has 1",
    ), answer


def test_what_is_deleted_and_still_there_fails_the_state(place, monkeypatch):
    here, deploy = place(), Marathon.deploy
    here.changed("app_present", "/web", config=SMALL)
    monkeypatch.setattr(
        Marathon,
        "deploy",
        lambda self, tree, *arguments: deploy(self, self.tree.copy(), *arguments),
    )
    assert here.breaks("app_absent", "/web")[1] == "/web was deleted, but Marathon has it again"


def test_an_app_that_another_deletes_at_the_same_time_is_gone_all_the_same(place, monkeypatch):
    here, deploy = place(), Marathon.deploy
    here.changed("app_present", "/web", config=SMALL)

    def deleted_before(self, *arguments):
        deploy(self, *arguments)
        return self.known_app("web")

    monkeypatch.setattr(Marathon, "deploy", deleted_before)
    answer = here("app_absent", "/web")
    assert answer["result"] is True and list(answer["changes"]) == ["/"], answer


# --- what is wrong ---


@pytest.mark.parametrize(
    "state, arguments, said",
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
def test_wrong_arguments_are_named_and_nothing_is_sent(place, state, arguments, said):
    assert said in place().refused(state, "/web", **arguments)


def test_what_an_old_marathon_cannot_do_is_refused_in_a_test_run_too(place):
    here = place("1.3.14")
    here.changed("app_present", "/web", config={**SMALL, "user": "nobody"})
    for arguments in ({"config": SMALL, "mode": "replace"}, {"unset": ["user"]}):
        assert "Marathon before 1.4 keeps the fields that are not sent" in here.refused(
            "app_present", "/web", **arguments
        )
    here.kept("app_present", "/web", config={**SMALL, "user": "nobody"}, mode="replace")
    assert (
        here.refused("pod_present", "/pod", config=POD)
        == "/pod: pods need Marathon 1.4, and this is 1.3.14"
    )
    here.kept("pod_absent", "/pod")


@pytest.mark.parametrize("state", ["app_absent", "app_suspended", "pod_absent"])
def test_nothing_can_delete_or_suspend_the_root(place, state):
    assert "/ is everything" in place().refused(state, "/")


@pytest.mark.parametrize(
    "state, arguments", [("app_present", {"config": SMALL}), ("app_absent", {}), ("pod_absent", {})]
)
def test_who_does_not_answer_is_named(salt, nobody, state, arguments):
    answer = salt(f"marathon.{state}", name="/web", url=nobody, **arguments)
    assert (answer["result"], answer["changes"]) == (False, {}) and nobody in answer["comment"]
