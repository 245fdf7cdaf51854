"""
Groups as they are declared: what is said of them is made so, and nothing else goes unless it is to
be purged.
"""

import functools

import pytest
from marathon_world import SMALL, VERSIONS, started

from lab.fakes.marathon.server import Marathon

# Both lines apply every state in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

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


def shop(here):
    """Have a group with apps, a pod, and groups in it, and something beside it."""
    for name in (
        "/shop/cart",
        "/shop/db",
        "/shop/jobs/nightly",
        "/shop/spare/deep/one",
        "/shopping",
        "/web",
    ):
        here.call("create_app", name, SMALL)
    here.call("create_pod", "/shop/pod", POD)
    here.call("create_pod", "/shop/spare/pod", POD)
    here.quiet()


def ids(here):
    return [each["id"] for each in here.call("apps")]


EVERYTHING = [
    "/shop/cart",
    "/shop/db",
    "/shop/jobs/nightly",
    "/shop/spare/deep/one",
    "/shopping",
    "/web",
]


# --- present ---


@pytest.mark.parametrize("version", ["1.1.2", "1.3.14", *VERSIONS])
def test_a_group_is_made_with_apps_groups_and_dependencies_and_changed_in_the_same_way(
    place, version
):
    here = place(version)
    here.changed("app_present", "/net", config=SMALL)
    declared = {
        "apps": {"cart": {**SMALL, "dependencies": ["db"]}, "/shop/db": SMALL},
        "groups": {"jobs": {"apps": {"nightly": SMALL}, "dependencies": ["/shop/db"]}, "empty": {}},
        "dependencies": ["/net"],
    }
    changes = here.told_and_changed("group_present", "/shop", **declared)
    assert sorted(changes) == [
        "/shop",
        "/shop/cart",
        "/shop/db",
        "/shop/empty",
        "/shop/jobs",
        "/shop/jobs/nightly",
    ]
    assert changes["/shop"] == {"/": {"old": None, "new": {"dependencies": ["/net"]}}}
    assert here.call("app", "/shop/cart")["dependencies"] == ["/shop/db"]
    assert here.call("groups", "/shop") == ["/shop/empty", "/shop/jobs"]
    declared["apps"]["cart"] = {"labels": {"team": "a"}}
    declared["dependencies"] = []
    changes = here.told_and_changed("group_present", "shop", **declared)
    assert changes == {
        "/shop/cart": {"/labels/team": {"old": None, "new": "a"}},
        "/shop": {"/dependencies": {"old": ["/net"], "new": []}},
    }
    assert here.call("app", "/shop/cart")["cmd"] == "sleep 3600"


def test_a_group_may_be_written_as_marathon_writes_it_and_its_apps_be_files(place, salt):
    here = place()
    url = salt.serve("groups/db.json", '{"id": "db", "cmd": "sleep 3600", "cpus": 0.1, "mem": 32}')
    apps = [{"id": "cart", **SMALL}, url]
    here.told_and_changed(
        "group_present",
        "/shop",
        apps=apps,
        groups=[{"id": "jobs", "apps": [{"id": "/shop/jobs/nightly", **SMALL}]}],
    )
    assert ids(here) == ["/shop/cart", "/shop/db", "/shop/jobs/nightly"]


def test_what_is_not_declared_stays_and_no_group_is_put_with_apps_or_groups_in_it(place):
    here = place()
    shop(here)
    jobs = {"apps": {}, "dependencies": ["/web"]}
    declared = {
        "apps": {"cart": {"mem": 64}, "new": SMALL},
        "groups": {"jobs": jobs},
        "dependencies": ["/web"],
    }
    before = len(here.writes())
    changes = here.told_and_changed("group_present", "/shop", **declared)
    assert sorted(changes) == ["/shop", "/shop/cart", "/shop/jobs", "/shop/new"]
    assert ids(here) == sorted([*EVERYTHING, "/shop/new"]) and here.call(
        "pod_exists", "/shop/spare/pod"
    )
    groups = [each for each in here.writes()[before:] if each.path.startswith("/v2/groups")]
    assert groups and all(
        '"apps"' not in each.body and '"groups"' not in each.body for each in groups
    )


def test_an_app_that_somebody_makes_in_the_meantime_stays(place, monkeypatch):
    here, put = place(), Marathon.put_apps

    @functools.wraps(put)
    def late(self, request):
        if "/shop/late" not in self.tree.apps:
            self.tree.put(
                "apps", {**self.tree.apps["/web"], "id": "/shop/late"}, self.clock.now(), False
            )
        return put(self, request)

    shop(here)
    monkeypatch.setattr(Marathon, "put_apps", late)
    answer = here("group_present", "/shop", apps={"cart": {"mem": 64}}, groups={}, purge=True)
    assert answer["result"] is True and "/shop/late" in ids(here) and "/shop/db" not in ids(here), (
        answer
    )


def test_purge_deletes_what_is_not_declared_where_others_are_and_tells_each(place):
    here = place()
    shop(here)
    declared = {"apps": {"cart": {}}, "groups": {"jobs": {}}}
    here.kept("group_present", "/shop", **declared)
    changes = here.told_and_changed("group_present", "/shop", purge=True, **declared)
    assert sorted(changes) == [
        "/shop/db",
        "/shop/spare",
        "/shop/spare/deep",
        "/shop/spare/deep/one",
        "/shop/spare/pod",
    ]
    assert all(each["/"]["old"] and each["/"]["new"] is None for each in changes.values())
    assert ids(here) == ["/shop/cart", "/shop/jobs/nightly", "/shopping", "/web"]
    assert here.call("pod_exists", "/shop/pod") and not here.call("pod_exists", "/shop/spare/pod")
    here.kept("group_present", "/shop", purge=True)
    assert list(here.told_and_changed("group_present", "/shop", apps={}, purge=True)) == [
        "/shop/cart"
    ]
    assert list(here.told_and_changed("group_present", "/shop", groups={}, purge=True)) == [
        "/shop/jobs",
        "/shop/jobs/nightly",
    ]
    assert ids(here) == ["/shopping", "/web"] and here.call("group_exists", "/shop")


def test_who_waits_returns_when_all_runs_and_fails_with_the_app_that_does_not(place):
    here = place()
    answer = here(
        "group_present", "/shop", apps={"cart": SMALL}, dependencies=[], wait=True, timeout=30
    )
    assert (
        answer["result"] is True
        and answer["comment"] == "/shop: created: /shop, /shop/cart, and its deployment is done"
    ), answer
    answer = here("group_present", "/shop", dependencies=[], groups={"empty": {}}, wait=True)
    assert answer["result"] is True and answer["comment"] == "/shop: created: /shop/empty", answer
    changes, said = here.breaks(
        "group_present",
        "/shop",
        apps={"cart": {"mem": 64}, "big": {**SMALL, "cpus": 100}},
        wait=True,
        timeout=1,
    )
    assert (
        sorted(changes) == ["/shop/big", "/shop/cart"] and "/shop/big: 0 of 1 instances run" in said
    )
    here("group_absent", "/shop", force=True)
    here.quiet()
    assert not ids(here)


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"apps": "x"}, "/shop: apps: 'x' should be a mapping of ids to fields"),
        ({"apps": [{"cmd": "sleep 9"}]}, "/shop: apps: id: None should be text such as /shop/cart"),
        (
            {"apps": {"/other/cart": SMALL}},
            "/shop: apps: id: '/other/cart' should be one that is in /shop itself",
        ),
        (
            {"apps": {"deep/cart": SMALL}},
            "/shop: apps: id: 'deep/cart' should be one that is in /shop itself",
        ),
        (
            {"apps": {"cart": SMALL, "/shop/cart": SMALL}},
            "/shop: apps: /shop/cart is declared twice",
        ),
        (
            {"apps": {"cart": {**SMALL, "comand": "x"}}},
            "apps: /shop/cart: comand: there is no such field",
        ),
        ({"apps": {"cart": {"cpus": 1}}}, "apps: /shop/cart: there is nothing to run"),
        (
            {"groups": {"jobs": {"app": {}}}},
            "/shop/jobs: app: there is no such field; is it apps?",
        ),
        (
            {"groups": {"jobs": {"pods": [{"id": "/shop/jobs/p"}]}}},
            "/shop/jobs: pods: not a field of this state; declare them with marathon.pod_present",
        ),
        (
            {"groups": {"jobs": {"scaleBy": 2}}},
            "/shop/jobs: scaleBy: not a field of this state; declare the instances of the apps",
        ),
        ({"groups": {"Jobs": {}}}, "id: '/shop/Jobs' should be small letters, digits"),
        ({"dependencies": "/db"}, "/shop: dependencies: '/db' should be a list of ids"),
        ({"dependencies": ["/nosuch"]}, "/shop: dependencies: there is no /nosuch"),
        (
            {
                "apps": {"a": SMALL, "b": {**SMALL, "dependencies": ["a"]}},
                "groups": {"c": {"apps": {"x": SMALL}, "dependencies": ["/shop/b"]}},
                "dependencies": ["/shop/c"],
            },
            "dependencies: a circle: /",
        ),
        ({"purge": 1}, "purge: 1 should be True or False"),
        ({"app": {}}, "app: no such argument"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_group_is_named_and_nothing_is_sent(place, arguments, said):
    assert place().refused("group_present", "/shop", **arguments).startswith(said)


def test_each_field_that_marathon_does_not_have_is_a_warning_with_the_id_of_its_group_or_app(place):
    here = place()
    declared = {
        "apps": {"cart": {**SMALL, "maintainer": "ops"}},
        # As Marathon returns a group.
        "groups": {"jobs": {"comment": "x", "version": "2030-01-01T00:00:00.000Z", "pods": []}},
    }
    ignored = "ignored, since Marathon does not have this field"
    warnings = f". /shop/jobs: comment: {ignored}. /shop/cart: maintainer: {ignored}"
    assert here("group_present", "/shop", **declared)["comment"].endswith(warnings)
    here.quiet()
    for test in (True, False):
        answer = here("group_present", "/shop", test, **declared)
        assert (answer["result"], answer["changes"]) == (True, {})
        assert answer["comment"] == f"/shop is as declared{warnings}"


def test_an_id_is_that_of_an_app_or_of_a_group(place):
    here = place()
    shop(here)
    assert (
        here.refused("group_present", "/web", apps={})
        == "/web: both an app and a group; an id is one of them"
    )
    assert here.refused("group_present", "/web/inner", apps={"x": SMALL}).startswith(
        "/web: both an app and a group"
    )


# --- absent ---


@pytest.mark.parametrize("version", VERSIONS)
def test_a_group_goes_with_all_that_is_in_it_and_each_is_told(place, version):
    here = place(version)
    shop(here)
    changes = here.told_and_changed("group_absent", "shop")
    assert sorted(changes) == [
        "/shop",
        "/shop/cart",
        "/shop/db",
        "/shop/jobs",
        "/shop/jobs/nightly",
        "/shop/pod",
        "/shop/spare",
        "/shop/spare/deep",
        "/shop/spare/deep/one",
        "/shop/spare/pod",
    ]
    assert (
        changes["/shop/cart"]["/"]["old"]["cmd"] == "sleep 3600"
        and changes["/shop/cart"]["/"]["new"] is None
    )
    assert ids(here) == ["/shopping", "/web"]
    assert [each.path for each in here.writes() if each.method == "DELETE"] == ["/v2/groups/shop"]


@pytest.mark.parametrize(
    "state", ["group_absent", "group_present", "app_absent", "pod_absent", "app_suspended"]
)
def test_nothing_can_delete_or_suspend_the_root_whatever_it_is_called(place, state):
    here = place()
    here.call("create_app", "/web", SMALL)
    here.quiet()
    arguments = {"apps": {}, "groups": {}, "purge": True} if state == "group_present" else {}
    for root in (
        "/",
        "",
        " ",
        "//",
        "/./",
        "///",
        ".",
        "/../",
        "..",
        " / ",
        "/shop/..",
        "/shop/../",
        "%2F",
    ):
        here.refused(state, root, **arguments)
    assert ids(here) == ["/web"]


def test_a_group_of_nothing_but_groups_is_deleted_and_waited_for(place):
    here = place()
    here.call("create_group", "/a/b/c")
    answer = here("group_absent", "/a", wait=True)
    assert answer["result"] is True and sorted(answer["changes"]) == ["/a", "/a/b", "/a/b/c"], (
        answer
    )


def test_a_group_enforces_its_role_from_1_9_on(place):
    here = place("1.9.109")
    assert here.told_and_changed("group_present", "/shop", enforceRole=True) == {
        "/shop": {"/": {"old": None, "new": {"dependencies": [], "enforceRole": True}}}
    }
    assert here.changed("group_present", "/shop", enforceRole=False) == {
        "/shop": {"/enforceRole": {"old": True, "new": False}}
    }
    here.kept("group_present", "/shop", enforceRole=False)
    here.kept("group_present", "/shop")
    comment = here.refused("group_present", "/shop/sub", enforceRole=True)
    assert comment == "/shop/sub: enforceRole: only a group directly below / has it"
    comment = here.refused("group_present", "/shop", enforceRole="yes")
    assert comment == "/shop: enforceRole: 'yes' should be True or False"


def test_a_role_that_marathon_would_not_enforce_is_refused_before_1_9(place):
    comment = place("1.8.244").refused("group_present", "/shop", enforceRole=True)
    assert comment == "/shop: enforceRole: needs Marathon 1.9; 1.8.244 ignores it"


def test_a_lock_keeps_a_group_unless_it_is_forced(place):
    here = place()
    here.mesos.hold = True
    here.call("create_app", "/shop/cart", SMALL)
    assert here.call("deployments")[0]["id"] in here.fails("group_absent", "/shop")
    assert here("group_absent", "/shop", force=True)["result"] is True and not ids(here)
