"""Many apps in one state: requests, owners, dependencies, purge, failures and rollback."""

import functools
import threading

import pytest
import requests
from marathon_world import NEW, SMALL, VERSIONS, start
from mesos_world import until

from lab.fakes.marathon.server import Marathon

# Both lines apply every state in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

OWNED = {"MANAGED_BY": "salt"}
TOO_BIG = {**SMALL, "cpus": 100}


@pytest.fixture
def start_marathon(salt, running):
    return functools.partial(start, salt, running)


def create_apps(marathon, **apps):
    """Create apps without an owner. Each keyword is the id of an app."""
    for name, config in apps.items():
        marathon.call("create_app", f"/{name}", config)
    marathon.wait_for_deployments()


# --- changes ---


@pytest.mark.parametrize("version", VERSIONS)
def test_many_apps_are_created_changed_and_purged_and_changes_are_by_app_and_path(
    start_marathon, version
):
    marathon = start_marathon(version)
    apps = {"/web": {**SMALL, "labels": {"team": "a"}}, "shop/cart": SMALL, "/shop/db": SMALL}
    changes = marathon.changed_as_predicted("apps_present", "all", apps=apps)
    assert list(changes) == ["/web", "/shop/cart", "/shop/db"] and {
        tuple(paths) for paths in changes.values()
    } == {("/",)}
    assert changes["/web"]["/"]["new"]["labels"] == {**OWNED, "team": "a"}
    apps["/web"] = {"labels": {"team": "b"}, "mem": 64}
    changes = marathon.changed_as_predicted("apps_present", "all", apps=apps)
    assert changes == {
        "/web": {"/labels/team": {"old": "a", "new": "b"}, "/mem": {"old": 32, "new": 64}}
    }
    del apps["shop/cart"]
    marathon.unchanged("apps_present", "all", apps=apps)
    changes = marathon.changed_as_predicted("apps_present", "all", apps=apps, purge=True)
    assert list(changes) == ["/shop/cart"] and changes["/shop/cart"]["/"]["new"] is None
    assert (
        changes["/shop/cart"]["/"]["old"]["cmd"] == "sleep 3600"
        and "tasksRunning" not in changes["/shop/cart"]["/"]["old"]
    )
    assert {app["id"]: app["labels"] for app in marathon.call("apps")} == {
        "/shop/db": OWNED,
        "/web": {**OWNED, "team": "b"},
    }


def test_a_thousand_apps_are_one_deployment_and_two_requests_if_they_do_not_differ(
    start_marathon, monkeypatch
):
    marathon, deploy, plans = start_marathon(), Marathon.deploy, []

    def count_plans(self, *arguments):
        plans.append(deploy(self, *arguments))
        return plans[-1]

    monkeypatch.setattr(Marathon, "deploy", count_plans)
    # Suspended and without ports, since the fake is slow with both.
    config = {**SMALL, "instances": 0, "portDefinitions": []}
    apps = {
        f"/team{number % 20}/app{number}": {**config, "labels": {"number": str(number)}}
        for number in range(1000)
    }
    answer = marathon("apps_present", "all", apps=apps)
    assert answer["result"] is True and len(answer["changes"]) == 1000, answer["comment"]
    assert [(write.method, write.path) for write in marathon.writes()] == [("PUT", "/v2/apps")]
    assert [len(plan.affected()) for plan in plans] == [1000]
    before = len(marathon.server.requests)
    marathon.unchanged("apps_present", "all", apps=apps)
    requests_sent = [
        (request.method, request.path) for request in marathon.server.requests[before:]
    ]
    assert requests_sent == [("GET", "/v2/info"), ("GET", "/v2/apps")] * 2  # with and without test


def test_definitions_can_be_files_and_an_invalid_file_is_reported(start_marathon, salt):
    marathon = start_marathon()
    web = salt.serve(
        "bulk/web.yaml",
        "cmd: sleep 3600\ncpus: 0.1\nmem: 32\nenv: {PORT: 8080, SINCE: 2030-01-01}\n",
    )
    cart = salt.serve("bulk/cart.json", '{"cmd": "sleep 3600", "cpus": 0.1, "mem": 32}')
    marathon.changed_as_predicted("apps_present", "all", apps={"/web": web, "/shop/cart": cart})
    assert marathon.call("app", "/web")["env"] == {"PORT": "8080", "SINCE": "2030-01-01"}
    bad = salt.serve("bulk/bad.yaml", "cmd: sleep 3600\nenv:\n  MODE: 0644\n")
    message = marathon.rejected("apps_present", "all", apps={"/web": web, "/bad": bad})
    assert (
        message == f"apps: /bad: {bad}: line 3: YAML reads 0644 as a different number; "
        "quote it, or write the number in decimal"
    )


@pytest.mark.parametrize("mode", ["merge", "replace"])
def test_instances_of_each_app_are_not_changed_if_instances_managed_is_false(start_marathon, mode):
    marathon = start_marathon()
    apps = {"/web": {**SMALL, "instances": 2}}
    declared = {"apps": apps, "instances_managed": False, "mode": mode}
    marathon.changed_as_predicted("apps_present", "all", **declared)
    marathon.call("scale_app", "/web", 3)
    marathon.wait_for_deployments()
    marathon.unchanged("apps_present", "all", **declared)
    apps["/web"]["mem"] = 64
    assert list(marathon.changed_as_predicted("apps_present", "all", **declared)["/web"]) == [
        "/mem"
    ]
    assert marathon.call("app", "/web")["instances"] == 3


def test_each_field_that_marathon_does_not_have_is_a_warning_with_the_id_of_its_app(start_marathon):
    marathon = start_marathon()
    apps = {"/web": {**SMALL, "maintainer": "ops"}, "/db": SMALL}
    ignored = ". /web: maintainer: ignored, since Marathon does not have this field"
    assert marathon("apps_present", "all", apps=apps)["comment"].endswith(ignored)
    marathon.wait_for_deployments()
    marathon.unchanged("apps_present", "all", apps=apps)
    for test in (True, False):
        answer = marathon("apps_present", "all", test, apps=apps)
        assert answer["comment"] == f"all is as declared{ignored}"


def test_replace_removes_undeclared_fields_except_for_the_owner(start_marathon):
    marathon = start_marathon()
    marathon.changed_as_predicted(
        "apps_present",
        "all",
        apps={"/web": {**SMALL, "user": "nobody", "labels": {"team": "a"}, "instances": 2}},
    )
    changes = marathon.changed_as_predicted(
        "apps_present", "all", apps={"/web": SMALL}, mode="replace"
    )
    assert sorted(changes["/web"]) == ["/labels/team", "/user"]
    assert (
        marathon.call("app", "/web")["labels"] == OWNED
        and marathon.call("app", "/web")["instances"] == 2
    )


def test_secrets_are_redacted_in_the_changes_of_each_app(start_marathon):
    marathon = start_marathon()
    apps = {"/web": {**SMALL, "env": {"DB_PASSWORD": "sesame", "USER": "me"}}}
    assert marathon.changed_as_predicted("apps_present", "all", apps=apps)["/web"]["/"]["new"][
        "env"
    ] == {
        "DB_PASSWORD": "***",
        "USER": "me",
    }
    apps["/web"]["env"]["DB_PASSWORD"] = "simsim"
    assert marathon.changed_as_predicted("apps_present", "all", apps=apps) == {
        "/web": {"/env/DB_PASSWORD": {"old": "***", "new": "***"}}
    }


# --- owners and purge ---


def test_purge_deletes_only_apps_of_the_owner(start_marathon):
    marathon = start_marathon()
    create_apps(marathon, nobodys=SMALL, named={**SMALL, "labels": {"MANAGED_BY": ""}})
    marathon.changed_as_predicted("apps_present", "theirs", apps={"/theirs": SMALL}, owner="them")
    marathon.changed_as_predicted(
        "apps_present", "mine", apps={"/mine": SMALL, "/group/old": SMALL}, owner="me"
    )
    changes = marathon.changed_as_predicted(
        "apps_present", "mine", apps={"/mine": SMALL}, owner="me", purge=True
    )
    assert list(changes) == ["/group/old"]
    changes = marathon.changed_as_predicted("apps_present", "mine", apps={}, owner="me", purge=True)
    assert list(changes) == ["/mine"]
    marathon.unchanged("apps_present", "nothing", apps={}, purge=True)
    assert [app["id"] for app in marathon.call("apps")] == ["/named", "/nobodys", "/theirs"]
    assert all("/v2/groups" not in write.path for write in marathon.writes())


def test_an_app_of_another_owner_is_rejected_and_one_without_owner_gets_the_label(start_marathon):
    marathon = start_marathon()
    create_apps(marathon, web={**SMALL, "labels": {"team": "a"}})
    changes = marathon.changed_as_predicted("apps_present", "all", apps={"/web": SMALL})
    assert changes == {"/web": {"/labels/MANAGED_BY": {"old": None, "new": "salt"}}}
    message = marathon.rejected("apps_present", "all", apps={"/web": SMALL}, owner="them")
    assert message == "/web belongs to 'salt' (label MANAGED_BY), not to 'them'"


@pytest.mark.parametrize("version", ["1.3.14", NEW])
def test_without_a_leader_nothing_is_created_or_purged(start_marathon, version, monkeypatch):
    marathon = start_marathon(version)
    marathon.changed_as_predicted("apps_present", "all", apps={"/web": SMALL, "/db": SMALL})
    monkeypatch.setattr(marathon.server, "pause", 0)
    monkeypatch.setattr(marathon.server.group, "members", [])
    monkeypatch.setattr(marathon.server, "leading", False)
    writes_before = len(marathon.writes())
    arguments = {"apps": {"/web": SMALL, "/new": SMALL}, "purge": True}
    answer = marathon("apps_present", "all", retries=0, **arguments)
    assert (answer["result"], answer["changes"]) == (False, {})
    assert "Could not determine the current leader" in answer["comment"]
    assert len(marathon.writes()) == writes_before
    monkeypatch.undo()
    changes = marathon.changed_as_predicted("apps_present", "all", **arguments)
    assert set(changes) == {"/new", "/db"}


def test_purged_apps_are_deleted_before_their_dependencies(start_marathon):
    marathon = start_marathon()
    marathon.changed_as_predicted(
        "apps_present", "all", apps={"/a": SMALL, "/b": {**SMALL, "dependencies": ["/a"]}}
    )
    marathon.changed_as_predicted("apps_present", "all", apps={}, purge=True)
    assert [write.path for write in marathon.writes() if write.method == "DELETE"] == [
        "/v2/apps/b",
        "/v2/apps/a",
    ]


def test_nothing_is_purged_if_the_declared_apps_do_not_run(start_marathon):
    marathon = start_marathon()
    marathon.changed_as_predicted("apps_present", "all", apps={"/old": SMALL})
    declared = {"apps": {"/big": TOO_BIG}, "purge": True, "wait": True, "timeout": 1}
    changes, message = marathon.fails_with_changes("apps_present", "all", **declared)
    assert list(changes) == ["/big"] and "/big: 0 of 1 instances run" in message
    assert marathon.call("app_exists", "/old")


# --- dependencies ---


def test_dependencies_are_started_first(start_marathon):
    marathon = start_marathon()
    apps = {
        "/a": {**SMALL, "dependencies": ["/b"]},
        "/b": {**SMALL, "dependencies": ["c", "/group"]},
        "/c": SMALL,
        "/group/x": SMALL,
    }
    marathon.mesos.hold = True
    assert marathon("apps_present", "all", apps=apps)["result"] is True
    steps = [
        [action.path for action in step if action.verb == "Scale"]
        for step in marathon.server.plans[0].steps
    ]
    assert list(filter(None, steps)) == [["/c", "/group/x"], ["/b"], ["/a"]]


@pytest.mark.parametrize(
    "apps, message",
    [
        (
            {"/a": {**SMALL, "dependencies": ["/b"]}, "/b": {**SMALL, "dependencies": ["/a"]}},
            "dependencies: circular: /a needs /b needs /a",
        ),
        ({"/a": {**SMALL, "dependencies": ["/a"]}}, "dependencies: circular: /a needs /a"),
        ({"/g/a": {**SMALL, "dependencies": ["/g"]}}, "dependencies: circular: /"),
        (
            {"/a": {**SMALL, "dependencies": ["/nosuch"]}},
            "/a: dependencies: /nosuch does not exist",
        ),
        (
            {"/web": {"dependencies": ["/a"]}, "/a": {**SMALL, "dependencies": ["/web"]}},
            "dependencies: circular: /",
        ),
        ({"/web/inner": SMALL}, "/web is the id of both an app and a group"),
    ],
    ids=str,
)
def test_cyclic_and_missing_dependencies_are_rejected(start_marathon, apps, message):
    marathon = start_marathon()
    create_apps(marathon, web=SMALL)
    assert marathon.rejected("apps_present", "all", apps=apps).startswith(message)


def test_a_chain_of_dependencies_may_be_long(start_marathon):
    marathon = start_marathon()
    marathon.mesos.hold = True
    apps = {
        f"/a{number:04}": {**SMALL, "dependencies": [f"/a{number + 1:04}"] if number < 1200 else []}
        for number in range(1201)
    }
    assert marathon("apps_present", "all", True, apps=apps)["result"] is None
    apps["/a1200"] = {**SMALL, "dependencies": ["/a0000"]}
    assert marathon.fails("apps_present", "all", True, apps=apps).startswith(
        "dependencies: circular: /a0000 needs /a0001 needs /a0002"
    )


def test_an_app_can_depend_on_an_existing_pod_or_group(start_marathon):
    marathon = start_marathon()
    marathon.call(
        "create_pod",
        "/pods/one",
        {
            "containers": [
                {
                    "name": "a",
                    "exec": {"command": {"shell": "sleep 9"}},
                    "resources": {"cpus": 0.1, "mem": 32},
                }
            ]
        },
    )
    marathon.call("create_group", "/empty")
    marathon.wait_for_deployments()
    marathon.changed_as_predicted(
        "apps_present", "all", apps={"/a": {**SMALL, "dependencies": ["/pods/one", "/empty"]}}
    )


def test_dependencies_of_a_declared_app_are_not_purged(start_marathon):
    marathon = start_marathon()
    marathon.changed_as_predicted(
        "apps_present", "all", apps={"/db": SMALL, "/web": {**SMALL, "dependencies": ["/db"]}}
    )
    message = marathon.rejected("apps_present", "all", apps={"/web": SMALL}, purge=True)
    assert message == "/web: dependencies: /db would be deleted"


# --- deployments ---


@pytest.mark.parametrize("version", [VERSIONS[0], NEW])
def test_with_wait_the_state_returns_when_all_apps_run(start_marathon, version):
    marathon = start_marathon(version)
    answer = marathon(
        "apps_present",
        "all",
        apps={"/a": SMALL, "/b": {**SMALL, "instances": 2}},
        wait=True,
        timeout=30,
    )
    assert (
        answer["result"] is True
        and answer["comment"] == "all: created: /a, /b, and its deployment has finished"
    ), answer
    assert not marathon.call("deployments") and len(marathon.call("tasks", status="running")) == 3
    answer = marathon("apps_present", "all", apps={"/a": SMALL}, purge=True, wait=True, timeout=30)
    assert (
        answer["result"] is True
        and answer["comment"] == "all: deleted: /b, and its deployment has finished"
    ), answer


def test_a_deployment_that_cannot_end_fails_this_and_the_next_run_with_app_reason_and_remedy(
    start_marathon,
):
    marathon = start_marathon()
    apps = {"/a": SMALL, "/big": TOO_BIG}
    changes, message = marathon.fails_with_changes(
        "apps_present", "all", apps=apps, wait=True, timeout=1.5
    )
    assert list(changes) == ["/a", "/big"]
    deployment = marathon.call("deployments")[0]["id"]
    for part in (
        "all: created: /a, /big, but its deployment was still running after 1.5 seconds",
        "/big: 0 of 1 instances run",
        "InsufficientCpus",
        f"marathon.cancel_deployment {deployment} undoes it",
    ):
        assert part in message, message
    assert "/a: " not in message
    again = marathon.fails("apps_present", "all", apps=apps, wait=True, timeout=1)
    assert (
        again.startswith("all is as declared, but its deployment was still running after 1 second")
        and "/big: 0 of 1" in again
    )


def test_with_wait_an_app_that_never_becomes_healthy_is_reported(start_marathon, monkeypatch):
    monkeypatch.setattr(
        Marathon, "is_healthy", lambda self, instance, task: "sick" not in instance.path
    )
    marathon = start_marathon()
    unhealthy_app = {
        **SMALL,
        "healthChecks": [{"protocol": "COMMAND", "command": {"value": "false"}}],
    }
    _, message = marathon.fails_with_changes(
        "apps_present",
        "all",
        apps={"/well": unhealthy_app, "/sick": unhealthy_app},
        wait=True,
        timeout=1,
    )
    assert "/sick: 1 of 1 instances run, 1 unhealthy" in message and "/well: " not in message


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_with_rollback_all_apps_are_as_before_and_new_ones_are_deleted(start_marathon, version):
    marathon = start_marathon(version)
    marathon.changed_as_predicted("apps_present", "all", apps={"/web": SMALL, "/old": SMALL})
    declared = {
        "apps": {"/web": {**TOO_BIG, "labels": {"team": "a"}}, "/new": SMALL},
        "purge": True,
    }
    answer = marathon("apps_present", "all", **declared, wait=True, timeout=1, rollback=True)
    assert (answer["result"], answer["changes"]) == (False, {}), answer
    assert "/web: " in answer["comment"] and answer["comment"].endswith("The change was undone"), (
        answer
    )
    assert [app["id"] for app in marathon.call("apps")] == ["/old", "/web"] and not marathon.call(
        "deployments"
    )
    marathon.unchanged(
        "apps_present", "all", apps={"/web": SMALL, "/old": SMALL}, mode="replace", purge=True
    )
    assert len(marathon.call("tasks", app="/web", status="running")) == 1


def test_with_rollback_an_ended_deployment_without_running_tasks_is_undone(
    start_marathon, monkeypatch
):
    get_deployments = Marathon.get_deployments
    monkeypatch.setattr(
        Marathon, "get_deployments", functools.wraps(get_deployments)(lambda self, request: [])
    )
    marathon = start_marathon()
    marathon("apps_present", "all", apps={"/web": {**SMALL, "instances": 0}})
    # The deployments are not listed, but they run.
    answer = marathon(
        "apps_present",
        "all",
        apps={"/web": {**TOO_BIG, "instances": 1}, "/new": TOO_BIG},
        force=True,
        wait=True,
        rollback=True,
    )
    assert (answer["result"], answer["changes"]) == (False, {}), answer
    assert "/new: 0 of 1 instances run" in answer["comment"], answer
    assert "The change was undone" in answer["comment"], answer
    assert marathon.call("app", "/web")["instances"] == 0 and not marathon.call(
        "app_exists", "/new"
    )


def test_a_lock_fails_the_state_unless_force_is_set(start_marathon):
    marathon = start_marathon()
    marathon.mesos.hold = True
    marathon("apps_present", "all", apps={"/a": SMALL})
    deployment = marathon.call("deployments")[0]["id"]
    changed = {"apps": {"/a": {**SMALL, "mem": 64}, "/b": SMALL}}
    assert deployment in marathon.fails("apps_present", "all", **changed)
    assert deployment in marathon.fails("apps_present", "all", wait_for_lock=1, **changed)
    assert marathon("apps_present", "all", force=True, **changed)["result"] is True


def test_after_waiting_for_a_lock_the_fields_are_merged_into_the_current_app(start_marathon):
    marathon = start_marathon()
    marathon.mesos.hold = True
    marathon("apps_present", "all", apps={"/a": SMALL})
    before = len(marathon.writes())

    def update_app_with_force():
        until(lambda: len(marathon.writes()) > before)
        requests.put(
            f"{marathon.server.url}/v2/apps/a",
            params={"force": "true"},
            json={"mem": 64},
            timeout=5,
        ).raise_for_status()
        marathon.mesos.hold = False

    thread = threading.Thread(target=update_app_with_force)
    thread.start()
    answer = marathon(
        "apps_present", "all", apps={"/a": {"cpus": 0.2}, "/b": SMALL}, wait_for_lock=30
    )
    thread.join()
    assert answer["result"] is True and len(marathon.writes()) > before + 2, answer
    assert (marathon.call("app", "/a")["cpus"], marathon.call("app", "/a")["mem"]) == (0.2, 64)


def test_fields_that_marathon_accepts_and_does_not_store_are_reported(start_marathon, monkeypatch):
    marathon = start_marathon()
    marathon.changed_as_predicted("apps_present", "all", apps={"/a": SMALL, "/b": SMALL})
    monkeypatch.setattr(Marathon, "app_read", lambda self, app, path: dict(self.tree.apps[path]))
    _, message = marathon.fails_with_changes(
        "apps_present", "all", apps={"/a": SMALL, "/b": {**SMALL, "mem": 64}}
    )
    assert message == "all: updated: /b, but Marathon has different values: /b at /mem"


def test_a_purge_that_fails_halfway_reports_the_changes_up_to_then(start_marathon):
    marathon = start_marathon()
    marathon.changed_as_predicted("apps_present", "all", apps={"/a": SMALL, "/b": SMALL})
    marathon.mesos.hold = True
    marathon.call("update_app", "/a", {"mem": 64})
    changes, message = marathon.fails_with_changes(
        "apps_present", "all", apps={"/c": SMALL}, purge=True
    )
    assert set(changes) in ({"/c"}, {"/b", "/c"}) and "the next step failed: DELETE " in message


# --- invalid arguments ---


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"apps": ["/web"]}, "apps[0]: '/web' should be a mapping, or a file"),
        ({"apps": "x"}, "apps: 'x' should be a mapping of ids to fields"),
        ({"apps": {"/": SMALL}}, "apps: id: '/' should be text such as /shop/cart"),
        ({"apps": {"/web": None}}, "apps: /web: None should be a mapping, or a file such as"),
        (
            {"apps": {"/web": {"comand": "x"}}},
            "apps: /web: comand: there is no such field. Did you mean cmd?",
        ),
        (
            {"apps": {"/ok": SMALL, "/web": {**SMALL, "env": {"DEBUG": True}}}},
            "apps: /web: env.DEBUG: true should be text",
        ),
        (
            {"apps": {"/web": {**SMALL, "labels": "x"}}},
            "apps: /web: labels: text should be a mapping",
        ),
        ({"apps": {"/Web": SMALL}}, "apps: '/Web' should be lower-case letters, digits"),
        ({"apps": {"/web": SMALL, "web": SMALL}}, "apps: /web is declared twice"),
        (
            {"apps": {"/web": {**SMALL, "labels": {"MANAGED_BY": "me"}}}},
            "/web: labels: MANAGED_BY: 'me' should be omitted, or 'salt'",
        ),
        ({"apps": {"/web": {"cpus": 1}}}, "apps: /web: there is nothing to run"),
        ({"apps": {}, "purge": "yes"}, "purge: 'yes' should be True or False"),
        ({"apps": {}, "owner": ""}, "owner: '' should be text, such as salt"),
        ({"apps": {}, "rollback": True}, "rollback: True should be False without wait"),
        ({"apps": {}, "instances_managed": 1}, "instances_managed: 1 should be True or False"),
        ({"apps": {}, "mode": "patch"}, "mode: 'patch' should be merge or replace"),
        ({"apps": {}, "cmd": "sleep 9"}, "cmd: no such argument"),
    ],
    ids=str,
)
def test_invalid_arguments_are_reported_with_their_app_and_nothing_is_sent(
    start_marathon, arguments, message
):
    assert start_marathon().rejected("apps_present", "all", **arguments).startswith(message)


def test_before_1_4_existing_apps_cannot_be_replaced(start_marathon):
    marathon = start_marathon("1.3.14")
    marathon.changed_as_predicted(
        "apps_present", "all", apps={"/web": {**SMALL, "labels": {"team": "a"}}}
    )
    message = marathon.rejected("apps_present", "all", apps={"/web": SMALL}, mode="replace")
    assert message.startswith("apps: /web: cannot replace or unset fields; Marathon before 1.4")
    assert list(
        marathon.changed_as_predicted("apps_present", "all", apps={"/web": {"mem": 64}})["/web"]
    ) == ["/mem"]
