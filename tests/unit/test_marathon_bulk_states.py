"""Many apps in one state of Marathon: requests, owners, dependencies, purge, failures, rollback."""

import functools
import threading

import pytest
import requests
from marathon_world import NEW, SMALL, VERSIONS, started
from mesos_world import until

from lab.fakes.marathon.server import Marathon

# Both lines apply every state in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

OWNED = {"MANAGED_BY": "salt"}
TOO_BIG = {**SMALL, "cpus": 100}


@pytest.fixture
def place(salt, running):
    return functools.partial(started, salt, running)


def made(here, **apps):
    """Have apps that nobody owns, called after the arguments."""
    for name, config in apps.items():
        here.call("create_app", f"/{name}", config)
    here.quiet()


# --- what it does ---


@pytest.mark.parametrize("version", VERSIONS)
def test_many_apps_are_made_changed_and_purged_and_told_by_app_and_path(place, version):
    here = place(version)
    apps = {"/web": {**SMALL, "labels": {"team": "a"}}, "shop/cart": SMALL, "/shop/db": SMALL}
    changes = here.told_and_changed("apps_present", "all", apps=apps)
    assert list(changes) == ["/web", "/shop/cart", "/shop/db"] and {
        tuple(each) for each in changes.values()
    } == {("/",)}
    assert changes["/web"]["/"]["new"]["labels"] == {**OWNED, "team": "a"}
    apps["/web"] = {"labels": {"team": "b"}, "mem": 64}
    changes = here.told_and_changed("apps_present", "all", apps=apps)
    assert changes == {
        "/web": {"/labels/team": {"old": "a", "new": "b"}, "/mem": {"old": 32, "new": 64}}
    }
    del apps["shop/cart"]
    here.kept("apps_present", "all", apps=apps)
    changes = here.told_and_changed("apps_present", "all", apps=apps, purge=True)
    assert list(changes) == ["/shop/cart"] and changes["/shop/cart"]["/"]["new"] is None
    assert (
        changes["/shop/cart"]["/"]["old"]["cmd"] == "sleep 3600"
        and "tasksRunning" not in changes["/shop/cart"]["/"]["old"]
    )
    assert {each["id"]: each["labels"] for each in here.call("apps")} == {
        "/shop/db": OWNED,
        "/web": {**OWNED, "team": "b"},
    }


def test_a_thousand_apps_are_one_deployment_and_unchanged_they_are_two_requests(place, monkeypatch):
    here, deploy, plans = place(), Marathon.deploy, []

    def counted(self, *arguments):
        plans.append(deploy(self, *arguments))
        return plans[-1]

    monkeypatch.setattr(Marathon, "deploy", counted)
    # Suspended and without ports, as the fake takes its time over both.
    config = {**SMALL, "instances": 0, "portDefinitions": []}
    apps = {
        f"/team{number % 20}/app{number}": {**config, "labels": {"number": str(number)}}
        for number in range(1000)
    }
    answer = here("apps_present", "all", apps=apps)
    assert answer["result"] is True and len(answer["changes"]) == 1000, answer["comment"]
    assert [(each.method, each.path) for each in here.writes()] == [("PUT", "/v2/apps")]
    assert [len(plan.affected()) for plan in plans] == [1000]
    before = len(here.server.requests)
    here.kept("apps_present", "all", apps=apps)
    asked = [(each.method, each.path) for each in here.server.requests[before:]]
    assert asked == [("GET", "/v2/info"), ("GET", "/v2/apps")] * 2  # with and without test


def test_declarations_may_be_files_and_the_file_that_is_wrong_is_named(place, salt):
    here = place()
    web = salt.serve(
        "bulk/web.yaml",
        "cmd: sleep 3600\ncpus: 0.1\nmem: 32\nenv: {PORT: 8080, SINCE: 2030-01-01}\n",
    )
    cart = salt.serve("bulk/cart.json", '{"cmd": "sleep 3600", "cpus": 0.1, "mem": 32}')
    here.told_and_changed("apps_present", "all", apps={"/web": web, "/shop/cart": cart})
    assert here.call("app", "/web")["env"] == {"PORT": "8080", "SINCE": "2030-01-01"}
    bad = salt.serve("bulk/bad.yaml", "cmd: sleep 3600\nenv:\n  MODE: 0644\n")
    said = here.refused("apps_present", "all", apps={"/web": web, "/bad": bad})
    assert (
        said
        == f"apps: /bad: {bad}: line 3: YAML takes 0644 for another number; put it in quotes, or write that number"
    )


@pytest.mark.parametrize("mode", ["merge", "replace"])
def test_instances_that_something_else_manages_are_left_alone_in_each_app(place, mode):
    here = place()
    apps = {"/web": {**SMALL, "instances": 2}}
    declared = {"apps": apps, "instances_managed": False, "mode": mode}
    here.told_and_changed("apps_present", "all", **declared)
    here.call("scale_app", "/web", 3)
    here.quiet()
    here.kept("apps_present", "all", **declared)
    apps["/web"]["mem"] = 64
    assert list(here.told_and_changed("apps_present", "all", **declared)["/web"]) == ["/mem"]
    assert here.call("app", "/web")["instances"] == 3


def test_each_field_that_marathon_does_not_have_is_a_warning_with_the_id_of_its_app(place):
    here = place()
    apps = {"/web": {**SMALL, "maintainer": "ops"}, "/db": SMALL}
    ignored = ". /web: maintainer: ignored, since Marathon does not have this field"
    assert here("apps_present", "all", apps=apps)["comment"].endswith(ignored)
    here.quiet()
    here.kept("apps_present", "all", apps=apps)
    for test in (True, False):
        answer = here("apps_present", "all", test, apps=apps)
        assert answer["comment"] == f"all: all is as declared{ignored}"


def test_replaced_apps_lose_what_is_not_declared_but_their_owner(place):
    here = place()
    here.told_and_changed(
        "apps_present",
        "all",
        apps={"/web": {**SMALL, "user": "nobody", "labels": {"team": "a"}, "instances": 2}},
    )
    changes = here.told_and_changed("apps_present", "all", apps={"/web": SMALL}, mode="replace")
    assert sorted(changes["/web"]) == ["/labels/team", "/user"]
    assert (
        here.call("app", "/web")["labels"] == OWNED and here.call("app", "/web")["instances"] == 2
    )


def test_secrets_are_hidden_in_the_changes_of_each_app(place):
    here = place()
    apps = {"/web": {**SMALL, "env": {"DB_PASSWORD": "sesame", "USER": "me"}}}
    assert here.told_and_changed("apps_present", "all", apps=apps)["/web"]["/"]["new"]["env"] == {
        "DB_PASSWORD": "***",
        "USER": "me",
    }
    apps["/web"]["env"]["DB_PASSWORD"] = "simsim"
    assert here.told_and_changed("apps_present", "all", apps=apps) == {
        "/web": {"/env/DB_PASSWORD": {"old": "***", "new": "***"}}
    }


# --- owners and purge ---


def test_purge_removes_only_what_this_owner_made_and_nothing_that_nobody_owns(place):
    here = place()
    made(here, nobodys=SMALL, named={**SMALL, "labels": {"MANAGED_BY": ""}})
    here.told_and_changed("apps_present", "theirs", apps={"/theirs": SMALL}, owner="them")
    here.told_and_changed(
        "apps_present", "mine", apps={"/mine": SMALL, "/group/old": SMALL}, owner="me"
    )
    changes = here.told_and_changed(
        "apps_present", "mine", apps={"/mine": SMALL}, owner="me", purge=True
    )
    assert list(changes) == ["/group/old"]
    changes = here.told_and_changed("apps_present", "mine", apps={}, owner="me", purge=True)
    assert list(changes) == ["/mine"]
    here.kept("apps_present", "nothing", apps={}, purge=True)
    assert [each["id"] for each in here.call("apps")] == ["/named", "/nobodys", "/theirs"]
    assert all("/v2/groups" not in each.path for each in here.writes())


def test_an_app_of_another_owner_is_refused_and_one_of_nobody_is_taken_over_which_is_told(place):
    here = place()
    made(here, web={**SMALL, "labels": {"team": "a"}})
    changes = here.told_and_changed("apps_present", "all", apps={"/web": SMALL})
    assert changes == {"/web": {"/labels/MANAGED_BY": {"old": None, "new": "salt"}}}
    said = here.refused("apps_present", "all", apps={"/web": SMALL}, owner="them")
    assert said == "/web: it belongs to 'salt', by its label MANAGED_BY, and not to 'them'"


@pytest.mark.parametrize("version", ["1.3.14", NEW])
def test_without_a_leader_nothing_is_created_or_purged(place, version, monkeypatch):
    here = place(version)
    here.told_and_changed("apps_present", "all", apps={"/web": SMALL, "/db": SMALL})
    monkeypatch.setattr(here.server, "pause", 0)
    monkeypatch.setattr(here.server.group, "members", [])
    monkeypatch.setattr(here.server, "leading", False)
    writes_before = len(here.writes())
    arguments = {"apps": {"/web": SMALL, "/new": SMALL}, "purge": True}
    answer = here("apps_present", "all", retries=0, **arguments)
    assert (answer["result"], answer["changes"]) == (False, {})
    assert "Could not determine the current leader" in answer["comment"]
    assert len(here.writes()) == writes_before
    monkeypatch.undo()
    changes = here.told_and_changed("apps_present", "all", **arguments)
    assert set(changes) == {"/new", "/db"}


def test_what_is_purged_goes_after_those_that_it_depends_on_would(place):
    here = place()
    here.told_and_changed(
        "apps_present", "all", apps={"/a": SMALL, "/b": {**SMALL, "dependencies": ["/a"]}}
    )
    here.told_and_changed("apps_present", "all", apps={}, purge=True)
    assert [each.path for each in here.writes() if each.method == "DELETE"] == [
        "/v2/apps/b",
        "/v2/apps/a",
    ]


def test_nothing_is_purged_if_what_is_declared_does_not_come_to_run(place):
    here = place()
    here.told_and_changed("apps_present", "all", apps={"/old": SMALL})
    declared = {"apps": {"/big": TOO_BIG}, "purge": True, "wait": True, "timeout": 1}
    changes, said = here.breaks("apps_present", "all", **declared)
    assert list(changes) == ["/big"] and "/big: 0 of 1 instances run" in said
    assert here.call("app_exists", "/old")


# --- dependencies ---


def test_what_others_depend_on_is_started_first(place):
    here = place()
    apps = {
        "/a": {**SMALL, "dependencies": ["/b"]},
        "/b": {**SMALL, "dependencies": ["c", "/group"]},
        "/c": SMALL,
        "/group/x": SMALL,
    }
    here.mesos.hold = True
    assert here("apps_present", "all", apps=apps)["result"] is True
    steps = [
        [action.path for action in step if action.verb == "Scale"]
        for step in here.server.plans[0].steps
    ]
    assert list(filter(None, steps)) == [["/c", "/group/x"], ["/b"], ["/a"]]


@pytest.mark.parametrize(
    "apps, said",
    [
        (
            {"/a": {**SMALL, "dependencies": ["/b"]}, "/b": {**SMALL, "dependencies": ["/a"]}},
            "dependencies: a circle: /a needs /b needs /a",
        ),
        ({"/a": {**SMALL, "dependencies": ["/a"]}}, "dependencies: a circle: /a needs /a"),
        ({"/g/a": {**SMALL, "dependencies": ["/g"]}}, "dependencies: a circle: /"),
        ({"/a": {**SMALL, "dependencies": ["/nosuch"]}}, "/a: dependencies: there is no /nosuch"),
        (
            {"/web": {"dependencies": ["/a"]}, "/a": {**SMALL, "dependencies": ["/web"]}},
            "dependencies: a circle: /",
        ),
        ({"/web/inner": SMALL}, "/web: both an app and a group; an id is one of them"),
    ],
    ids=str,
)
def test_circles_and_what_is_not_there_are_refused(place, apps, said):
    here = place()
    made(here, web=SMALL)
    assert here.refused("apps_present", "all", apps=apps).startswith(said)


def test_apps_may_depend_on_each_other_in_a_long_row(place):
    here = place()
    here.mesos.hold = True
    apps = {
        f"/a{number:04}": {**SMALL, "dependencies": [f"/a{number + 1:04}"] if number < 1200 else []}
        for number in range(1201)
    }
    assert here("apps_present", "all", True, apps=apps)["result"] is None
    apps["/a1200"] = {**SMALL, "dependencies": ["/a0000"]}
    assert here.fails("apps_present", "all", True, apps=apps).startswith(
        "dependencies: a circle: /a0000 needs /a0001 needs /a0002"
    )


def test_an_app_may_depend_on_a_pod_or_group_that_is_there(place):
    here = place()
    here.call(
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
    here.call("create_group", "/empty")
    here.quiet()
    here.told_and_changed(
        "apps_present", "all", apps={"/a": {**SMALL, "dependencies": ["/pods/one", "/empty"]}}
    )


def test_what_a_declared_app_depends_on_is_not_purged(place):
    here = place()
    here.told_and_changed(
        "apps_present", "all", apps={"/db": SMALL, "/web": {**SMALL, "dependencies": ["/db"]}}
    )
    said = here.refused("apps_present", "all", apps={"/web": SMALL}, purge=True)
    assert said == "/web: dependencies: there is no /db, as it is to be deleted"


# --- deployments ---


@pytest.mark.parametrize("version", [VERSIONS[0], NEW])
def test_who_waits_returns_when_all_run(place, version):
    here = place(version)
    answer = here(
        "apps_present",
        "all",
        apps={"/a": SMALL, "/b": {**SMALL, "instances": 2}},
        wait=True,
        timeout=30,
    )
    assert (
        answer["result"] is True
        and answer["comment"] == "all: created: /a, /b, and its deployment is done"
    ), answer
    assert not here.call("deployments") and len(here.call("tasks", status="running")) == 3
    answer = here("apps_present", "all", apps={"/a": SMALL}, purge=True, wait=True, timeout=30)
    assert (
        answer["result"] is True
        and answer["comment"] == "all: deleted: /b, and its deployment is done"
    ), answer


def test_a_deployment_that_cannot_end_says_which_app_and_why_and_what_to_do_and_so_does_the_next_run(
    place,
):
    here = place()
    apps = {"/a": SMALL, "/big": TOO_BIG}
    changes, said = here.breaks("apps_present", "all", apps=apps, wait=True, timeout=1.5)
    assert list(changes) == ["/a", "/big"]
    deployment = here.call("deployments")[0]["id"]
    for part in (
        "all: created: /a, /big, but its deployment was still running after 1.5 seconds",
        "/big: 0 of 1 instances run",
        "InsufficientCpus",
        f"marathon.cancel_deployment {deployment} undoes it",
    ):
        assert part in said, said
    assert "/a: " not in said
    again = here.fails("apps_present", "all", apps=apps, wait=True, timeout=1)
    assert (
        again.startswith("all is as declared, but its deployment was still running after 1 second")
        and "/big: 0 of 1" in again
    )


def test_an_app_that_never_gets_healthy_is_named(place, monkeypatch):
    monkeypatch.setattr(
        Marathon, "is_healthy", lambda self, instance, task: "sick" not in instance.path
    )
    here = place()
    checked = {**SMALL, "healthChecks": [{"protocol": "COMMAND", "command": {"value": "false"}}]}
    _, said = here.breaks(
        "apps_present", "all", apps={"/well": checked, "/sick": checked}, wait=True, timeout=1
    )
    assert "/sick: 1 of 1 instances run, 1 unhealthy" in said and "/well: " not in said


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_with_rollback_all_are_what_they_were_and_new_ones_are_gone(place, version):
    here = place(version)
    here.told_and_changed("apps_present", "all", apps={"/web": SMALL, "/old": SMALL})
    declared = {
        "apps": {"/web": {**TOO_BIG, "labels": {"team": "a"}}, "/new": SMALL},
        "purge": True,
    }
    answer = here("apps_present", "all", **declared, wait=True, timeout=1, rollback=True)
    assert (answer["result"], answer["changes"]) == (False, {}), answer
    assert "/web: " in answer["comment"] and answer["comment"].endswith(
        "That was undone: it is as it was before"
    ), answer
    assert [each["id"] for each in here.call("apps")] == ["/old", "/web"] and not here.call(
        "deployments"
    )
    here.kept(
        "apps_present", "all", apps={"/web": SMALL, "/old": SMALL}, mode="replace", purge=True
    )
    assert len(here.call("tasks", app="/web", status="running")) == 1


def test_with_rollback_what_is_over_and_does_not_run_is_undone_too(place, monkeypatch):
    seen = Marathon.get_deployments
    monkeypatch.setattr(
        Marathon, "get_deployments", functools.wraps(seen)(lambda self, request: [])
    )
    here = place()
    here("apps_present", "all", apps={"/web": {**SMALL, "instances": 0}})
    # Nobody sees the deployments, which go on nevertheless.
    answer = here(
        "apps_present",
        "all",
        apps={"/web": {**TOO_BIG, "instances": 1}, "/new": TOO_BIG},
        force=True,
        wait=True,
        rollback=True,
    )
    assert (answer["result"], answer["changes"]) == (False, {}), answer
    assert "/new: 0 of 1 instances run" in answer["comment"], answer
    assert "That was undone: it is as it was before" in answer["comment"], answer
    assert here.call("app", "/web")["instances"] == 0 and not here.call("app_exists", "/new")


def test_a_lock_fails_all_unless_it_is_forced(place):
    here = place()
    here.mesos.hold = True
    here("apps_present", "all", apps={"/a": SMALL})
    deployment = here.call("deployments")[0]["id"]
    changed = {"apps": {"/a": {**SMALL, "mem": 64}, "/b": SMALL}}
    assert deployment in here.fails("apps_present", "all", **changed)
    assert deployment in here.fails("apps_present", "all", wait_for_lock=1, **changed)
    assert here("apps_present", "all", force=True, **changed)["result"] is True


def test_who_waits_for_a_lock_merges_into_what_is_there_when_it_is_gone(place):
    here = place()
    here.mesos.hold = True
    here("apps_present", "all", apps={"/a": SMALL})
    before = len(here.writes())

    def interfere():
        until(lambda: len(here.writes()) > before)
        requests.put(
            f"{here.server.url}/v2/apps/a", params={"force": "true"}, json={"mem": 64}, timeout=5
        ).raise_for_status()
        here.mesos.hold = False

    interfering = threading.Thread(target=interfere)
    interfering.start()
    answer = here("apps_present", "all", apps={"/a": {"cpus": 0.2}, "/b": SMALL}, wait_for_lock=30)
    interfering.join()
    assert answer["result"] is True and len(here.writes()) > before + 2, answer
    assert (here.call("app", "/a")["cpus"], here.call("app", "/a")["mem"]) == (0.2, 64)


def test_what_marathon_takes_and_does_not_keep_is_named(place, monkeypatch):
    here = place()
    here.told_and_changed("apps_present", "all", apps={"/a": SMALL, "/b": SMALL})
    monkeypatch.setattr(Marathon, "app_read", lambda self, given, path: dict(self.tree.apps[path]))
    _, said = here.breaks("apps_present", "all", apps={"/a": SMALL, "/b": {**SMALL, "mem": 64}})
    assert said == "all: updated: /b; that was sent, but Marathon has something else: /b at /mem"


def test_a_purge_that_is_refused_in_between_tells_what_was_done(place):
    here = place()
    here.told_and_changed("apps_present", "all", apps={"/a": SMALL, "/b": SMALL})
    here.mesos.hold = True
    here.call("update_app", "/a", {"mem": 64})
    changes, said = here.breaks("apps_present", "all", apps={"/c": SMALL}, purge=True)
    assert set(changes) in ({"/c"}, {"/b", "/c"}) and "but then: DELETE " in said


# --- what is wrong ---


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"apps": ["/web"]}, "apps[0]: '/web' should be a mapping, or a file"),
        ({"apps": "x"}, "apps: 'x' should be a mapping of ids to fields"),
        ({"apps": {"/": SMALL}}, "apps: id: '/' should be text such as /shop/cart"),
        ({"apps": {"/web": None}}, "apps: /web: None should be a mapping, or a file such as"),
        (
            {"apps": {"/web": {"comand": "x"}}},
            "apps: /web: comand: there is no such field; is it cmd?",
        ),
        (
            {"apps": {"/ok": SMALL, "/web": {**SMALL, "env": {"DEBUG": True}}}},
            "apps: /web: env.DEBUG: true should be text",
        ),
        (
            {"apps": {"/web": {**SMALL, "labels": "x"}}},
            "apps: /web: labels: text should be a mapping",
        ),
        ({"apps": {"/Web": SMALL}}, "apps: '/Web' should be small letters, digits"),
        ({"apps": {"/web": SMALL, "web": SMALL}}, "apps: /web is declared twice"),
        (
            {"apps": {"/web": {**SMALL, "labels": {"MANAGED_BY": "me"}}}},
            "/web: labels: MANAGED_BY: 'me' should be left out, or 'salt'",
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
def test_wrong_arguments_are_named_with_their_app_and_nothing_is_sent(place, arguments, said):
    assert place().refused("apps_present", "all", **arguments).startswith(said)


def test_before_1_4_apps_that_are_there_cannot_be_replaced(place):
    here = place("1.3.14")
    here.told_and_changed("apps_present", "all", apps={"/web": {**SMALL, "labels": {"team": "a"}}})
    said = here.refused("apps_present", "all", apps={"/web": SMALL}, mode="replace")
    assert said.startswith("apps: /web: cannot replace or unset fields; Marathon before 1.4")
    assert list(
        here.told_and_changed("apps_present", "all", apps={"/web": {"mem": 64}})["/web"]
    ) == ["/mem"]
