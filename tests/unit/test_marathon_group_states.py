"""The states for groups: declared members are created, and others are deleted only by purge."""

import functools

import pytest
from marathon_world import SMALL, VERSIONS, start

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
def start_marathon(salt, running):
    return functools.partial(start, salt, running)


def create_shop(marathon):
    """Create a group with apps, a pod and groups, and apps outside of the group."""
    for name in (
        "/shop/cart",
        "/shop/db",
        "/shop/jobs/nightly",
        "/shop/spare/deep/one",
        "/shopping",
        "/web",
    ):
        marathon.call("create_app", name, SMALL)
    marathon.call("create_pod", "/shop/pod", POD)
    marathon.call("create_pod", "/shop/spare/pod", POD)
    marathon.wait_for_deployments()


def ids(marathon):
    return [app["id"] for app in marathon.call("apps")]


INITIAL_IDS = [
    "/shop/cart",
    "/shop/db",
    "/shop/jobs/nightly",
    "/shop/spare/deep/one",
    "/shopping",
    "/web",
]


# --- present ---


@pytest.mark.parametrize("version", ["1.1.2", "1.3.14", *VERSIONS])
def test_a_group_is_created_and_changed_with_apps_groups_and_dependencies(start_marathon, version):
    marathon = start_marathon(version)
    marathon.changed("app_present", "/net", config=SMALL)
    declared = {
        "apps": {"cart": {**SMALL, "dependencies": ["db"]}, "/shop/db": SMALL},
        "groups": {"jobs": {"apps": {"nightly": SMALL}, "dependencies": ["/shop/db"]}, "empty": {}},
        "dependencies": ["/net"],
    }
    changes = marathon.changed_as_predicted("group_present", "/shop", **declared)
    assert sorted(changes) == [
        "/shop",
        "/shop/cart",
        "/shop/db",
        "/shop/empty",
        "/shop/jobs",
        "/shop/jobs/nightly",
    ]
    assert changes["/shop"] == {"/": {"old": None, "new": {"dependencies": ["/net"]}}}
    assert marathon.call("app", "/shop/cart")["dependencies"] == ["/shop/db"]
    assert marathon.call("groups", "/shop") == ["/shop/empty", "/shop/jobs"]
    declared["apps"]["cart"] = {"labels": {"team": "a"}}
    declared["dependencies"] = []
    changes = marathon.changed_as_predicted("group_present", "shop", **declared)
    assert changes == {
        "/shop/cart": {"/labels/team": {"old": None, "new": "a"}},
        "/shop": {"/dependencies": {"old": ["/net"], "new": []}},
    }
    assert marathon.call("app", "/shop/cart")["cmd"] == "sleep 3600"


def test_a_group_can_have_lists_as_in_marathons_json_and_apps_in_files(start_marathon, salt):
    marathon = start_marathon()
    url = salt.serve("groups/db.json", '{"id": "db", "cmd": "sleep 3600", "cpus": 0.1, "mem": 32}')
    apps = [{"id": "cart", **SMALL}, url]
    marathon.changed_as_predicted(
        "group_present",
        "/shop",
        apps=apps,
        groups=[{"id": "jobs", "apps": [{"id": "/shop/jobs/nightly", **SMALL}]}],
    )
    assert ids(marathon) == ["/shop/cart", "/shop/db", "/shop/jobs/nightly"]


def test_undeclared_members_stay_and_no_group_is_sent_with_apps_or_groups(start_marathon):
    marathon = start_marathon()
    create_shop(marathon)
    jobs = {"apps": {}, "dependencies": ["/web"]}
    declared = {
        "apps": {"cart": {"mem": 64}, "new": SMALL},
        "groups": {"jobs": jobs},
        "dependencies": ["/web"],
    }
    before = len(marathon.writes())
    changes = marathon.changed_as_predicted("group_present", "/shop", **declared)
    assert sorted(changes) == ["/shop", "/shop/cart", "/shop/jobs", "/shop/new"]
    assert ids(marathon) == sorted([*INITIAL_IDS, "/shop/new"]) and marathon.call(
        "pod_exists", "/shop/spare/pod"
    )
    groups = [write for write in marathon.writes()[before:] if write.path.startswith("/v2/groups")]
    assert groups and all(
        '"apps"' not in write.body and '"groups"' not in write.body for write in groups
    )


def test_an_app_that_another_client_creates_in_the_meantime_stays(start_marathon, monkeypatch):
    marathon, put_apps = start_marathon(), Marathon.put_apps

    @functools.wraps(put_apps)
    def put_apps_late(self, request):
        if "/shop/late" not in self.tree.apps:
            self.tree.put(
                "apps", {**self.tree.apps["/web"], "id": "/shop/late"}, self.clock.now(), False
            )
        return put_apps(self, request)

    create_shop(marathon)
    monkeypatch.setattr(Marathon, "put_apps", put_apps_late)
    answer = marathon("group_present", "/shop", apps={"cart": {"mem": 64}}, groups={}, purge=True)
    assert (
        answer["result"] is True
        and "/shop/late" in ids(marathon)
        and "/shop/db" not in ids(marathon)
    ), answer


def test_purge_deletes_undeclared_members_of_each_declared_list_and_reports_them(start_marathon):
    marathon = start_marathon()
    create_shop(marathon)
    declared = {"apps": {"cart": {}}, "groups": {"jobs": {}}}
    marathon.unchanged("group_present", "/shop", **declared)
    changes = marathon.changed_as_predicted("group_present", "/shop", purge=True, **declared)
    assert sorted(changes) == [
        "/shop/db",
        "/shop/spare",
        "/shop/spare/deep",
        "/shop/spare/deep/one",
        "/shop/spare/pod",
    ]
    assert all(change["/"]["old"] and change["/"]["new"] is None for change in changes.values())
    assert ids(marathon) == ["/shop/cart", "/shop/jobs/nightly", "/shopping", "/web"]
    assert marathon.call("pod_exists", "/shop/pod") and not marathon.call(
        "pod_exists", "/shop/spare/pod"
    )
    marathon.unchanged("group_present", "/shop", purge=True)
    assert list(marathon.changed_as_predicted("group_present", "/shop", apps={}, purge=True)) == [
        "/shop/cart"
    ]
    assert list(marathon.changed_as_predicted("group_present", "/shop", groups={}, purge=True)) == [
        "/shop/jobs",
        "/shop/jobs/nightly",
    ]
    assert ids(marathon) == ["/shopping", "/web"] and marathon.call("group_exists", "/shop")


def test_with_wait_the_state_returns_when_all_apps_run_and_reports_one_that_does_not(
    start_marathon,
):
    marathon = start_marathon()
    answer = marathon(
        "group_present", "/shop", apps={"cart": SMALL}, dependencies=[], wait=True, timeout=30
    )
    assert (
        answer["result"] is True
        and answer["comment"]
        == "/shop: created: /shop, /shop/cart, and its deployment has finished"
    ), answer
    answer = marathon("group_present", "/shop", dependencies=[], groups={"empty": {}}, wait=True)
    assert answer["result"] is True and answer["comment"] == "/shop: created: /shop/empty", answer
    changes, message = marathon.fails_with_changes(
        "group_present",
        "/shop",
        apps={"cart": {"mem": 64}, "big": {**SMALL, "cpus": 100}},
        wait=True,
        timeout=1,
    )
    assert (
        sorted(changes) == ["/shop/big", "/shop/cart"]
        and "/shop/big: 0 of 1 instances run" in message
    )
    marathon("group_absent", "/shop", force=True)
    marathon.wait_for_deployments()
    assert not ids(marathon)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"apps": "x"}, "/shop: apps: 'x' should be a mapping of ids to fields"),
        ({"apps": [{"cmd": "sleep 9"}]}, "/shop: apps: id: None should be text such as /shop/cart"),
        (
            {"apps": {"/other/cart": SMALL}},
            "/shop: apps: id: '/other/cart' should be the id of a direct member of /shop",
        ),
        (
            {"apps": {"deep/cart": SMALL}},
            "/shop: apps: id: 'deep/cart' should be the id of a direct member of /shop",
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
            "/shop/jobs: app: there is no such field. Did you mean apps?",
        ),
        (
            {"groups": {"jobs": {"pods": [{"id": "/shop/jobs/p"}]}}},
            "/shop/jobs: pods: not a field of this state; declare them with marathon.pod_present",
        ),
        (
            {"groups": {"jobs": {"scaleBy": 2}}},
            "/shop/jobs: scaleBy: not a field of this state; declare the instances of the apps",
        ),
        ({"groups": {"Jobs": {}}}, "id: '/shop/Jobs' should be lower-case letters, digits"),
        ({"dependencies": "/db"}, "/shop: dependencies: '/db' should be a list of ids"),
        ({"dependencies": ["/nosuch"]}, "/shop: dependencies: /nosuch does not exist"),
        (
            {
                "apps": {"a": SMALL, "b": {**SMALL, "dependencies": ["a"]}},
                "groups": {"c": {"apps": {"x": SMALL}, "dependencies": ["/shop/b"]}},
                "dependencies": ["/shop/c"],
            },
            "dependencies: circular: /",
        ),
        ({"purge": 1}, "purge: 1 should be True or False"),
        ({"app": {}}, "app: no such argument"),
    ],
    ids=str,
)
def test_an_invalid_group_is_reported_and_nothing_is_sent(start_marathon, arguments, message):
    assert start_marathon().rejected("group_present", "/shop", **arguments).startswith(message)


def test_each_field_that_marathon_does_not_have_is_a_warning_with_the_id_of_its_group_or_app(
    start_marathon,
):
    marathon = start_marathon()
    declared = {
        "apps": {"cart": {**SMALL, "maintainer": "ops"}},
        # As Marathon returns a group.
        "groups": {"jobs": {"comment": "x", "version": "2030-01-01T00:00:00.000Z", "pods": []}},
    }
    ignored = "ignored, since Marathon does not have this field"
    warnings = f". /shop/jobs: comment: {ignored}"
    warnings += ". /shop/jobs: version: ignored, since only Marathon sets this"
    warnings += f". /shop/cart: maintainer: {ignored}"
    assert marathon("group_present", "/shop", **declared)["comment"].endswith(warnings)
    marathon.wait_for_deployments()
    for test in (True, False):
        answer = marathon("group_present", "/shop", test, **declared)
        assert (answer["result"], answer["changes"]) == (True, {})
        assert answer["comment"] == f"/shop is as declared{warnings}"


def test_an_app_and_a_group_cannot_have_the_same_id(start_marathon):
    marathon = start_marathon()
    create_shop(marathon)
    assert (
        marathon.rejected("group_present", "/web", apps={})
        == "/web is the id of both an app and a group"
    )
    assert marathon.rejected("group_present", "/web/inner", apps={"x": SMALL}).startswith(
        "/web is the id of both an app and a group"
    )


# --- absent ---


@pytest.mark.parametrize("version", VERSIONS)
def test_a_group_is_deleted_with_all_members_and_each_is_reported(start_marathon, version):
    marathon = start_marathon(version)
    create_shop(marathon)
    changes = marathon.changed_as_predicted("group_absent", "shop")
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
    assert ids(marathon) == ["/shopping", "/web"]
    assert [write.path for write in marathon.writes() if write.method == "DELETE"] == [
        "/v2/groups/shop"
    ]


@pytest.mark.parametrize(
    "state", ["group_absent", "group_present", "app_absent", "pod_absent", "app_suspended"]
)
def test_the_root_group_cannot_be_deleted_or_suspended_in_any_spelling(start_marathon, state):
    marathon = start_marathon()
    marathon.call("create_app", "/web", SMALL)
    marathon.wait_for_deployments()
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
        marathon.rejected(state, root, **arguments)
    assert ids(marathon) == ["/web"]


def test_with_wait_a_group_with_only_groups_is_deleted(start_marathon):
    marathon = start_marathon()
    marathon.call("create_group", "/a/b/c")
    answer = marathon("group_absent", "/a", wait=True)
    assert answer["result"] is True and sorted(answer["changes"]) == ["/a", "/a/b", "/a/b/c"], (
        answer
    )


def test_a_group_can_enforce_its_role_from_1_9_on(start_marathon):
    marathon = start_marathon("1.9.109")
    assert marathon.changed_as_predicted("group_present", "/shop", enforceRole=True) == {
        "/shop": {"/": {"old": None, "new": {"dependencies": [], "enforceRole": True}}}
    }
    assert marathon.changed("group_present", "/shop", enforceRole=False) == {
        "/shop": {"/enforceRole": {"old": True, "new": False}}
    }
    marathon.unchanged("group_present", "/shop", enforceRole=False)
    marathon.unchanged("group_present", "/shop")
    comment = marathon.rejected("group_present", "/shop/sub", enforceRole=True)
    assert comment == "/shop/sub: enforceRole: only a group directly below / can have it"
    comment = marathon.rejected("group_present", "/shop", enforceRole="yes")
    assert comment == "/shop: enforceRole: 'yes' should be True or False"


def test_enforce_role_is_rejected_before_1_9(start_marathon):
    comment = start_marathon("1.8.244").rejected("group_present", "/shop", enforceRole=True)
    assert comment == "/shop: enforceRole: needs Marathon 1.9; 1.8.244 ignores it"


def test_a_locked_group_is_deleted_only_with_force(start_marathon):
    marathon = start_marathon()
    marathon.mesos.hold = True
    marathon.call("create_app", "/shop/cart", SMALL)
    assert marathon.call("deployments")[0]["id"] in marathon.fails("group_absent", "/shop")
    assert marathon("group_absent", "/shop", force=True)["result"] is True and not ids(marathon)
