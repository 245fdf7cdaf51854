"""
The states for a Mesos cluster, applied by real Salt 3006 and 3008 to fake daemons of several
versions.
"""

import contextlib

import applying
import pytest
import requests
from mesos_world import HOSTS, MesosCluster, RecordingMaster

from lab.fakes.wire.http import Refusal

# Both lines apply every state in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

OLD = ["1.4.3", "1.8.1"]
NEW = ["1.9.0", "1.11.0"]
NEW_YEAR = "2030-01-01T00:00:00Z"
# Machines without an agent, with and without an address.
MACHINE_WITHOUT_AGENT = {"hostname": "lxb009.devops.test", "ip": "172.31.250.73"}
MACHINE_WITHOUT_ADDRESS = {"hostname": "lxb008.devops.test"}


class MesosStates(applying.StateRunner):
    service = "mesos"

    def __init__(self, salt, world):
        self.salt = salt
        self.world = world
        self.leader = world.leader
        self.url = world.url

    def writes(self):
        return self.leader.heard

    def schedule(self):
        """Return the machines of each window."""
        return [
            [machine["hostname"] for machine in window["machines"]]
            for window in self.call("maintenance_schedule")
        ]


@pytest.fixture
def place(salt, running, tmp_path):
    """Return a function that starts a cluster and returns its MesosStates."""
    return lambda version=NEW[-1], *flags, **options: MesosStates(
        salt, MesosCluster(salt, running, tmp_path, *flags, version=version, **options)
    )


@pytest.fixture(scope="module")
def cluster(salt, tmp_path_factory):
    """The states of one cluster for all tests that change nothing."""
    with contextlib.ExitStack() as daemons:

        def running(daemon):
            daemon.start()
            daemons.callback(daemon.stop)
            return daemon

        yield MesosStates(salt, MesosCluster(salt, running, tmp_path_factory.mktemp("cluster")))


def change(old, new):
    return {"old": old, "new": new}


# --- quota ---


@pytest.mark.parametrize("version", NEW)
def test_quota_present_reports_differences_and_keeps_the_omitted_part(place, version):
    cluster = place(version)
    changes = cluster.changed(
        "quota_present", "web", limits={"cpus": 4, "mem": 1024}, guarantees={"cpus": 1}
    )
    assert changes == {
        "/limits/cpus": change(None, 4),
        "/limits/mem": change(None, 1024),
        "/guarantees/cpus": change(None, 1),
    }
    assert cluster.changed("quota_present", "web", guarantees={"cpus": 2}) == {
        "/guarantees/cpus": change(1, 2)
    }
    assert cluster.changed("quota_present", "web", limits={"cpus": 4}) == {
        "/limits/mem": change(1024, None)
    }
    assert cluster.call("quota", "web") == {"limits": {"cpus": 4}, "guarantees": {"cpus": 2}}
    assert cluster.changed("quota_present", "web", limits={}) == {"/limits/cpus": change(4, None)}
    assert cluster.changed("quota_absent", "web") == {"/guarantees/cpus": change(2, None)}
    cluster.unchanged("quota_present", "web", limits={}, guarantees={})


def test_quotas_are_compared_in_thousandths_and_only_a_limit_may_be_0(
    place,
):
    cluster = place()
    cluster.changed("quota_present", "web", limits={"cpus": 0.3})
    cluster.unchanged("quota_present", "web", limits={"cpus": 0.1 + 0.2}, guarantees={"cpus": 0})
    cluster.unchanged("quota_present", "web", limits={"cpus": 0.3004})
    assert cluster.changed("quota_present", "web", limits={"cpus": 0.301}) == {
        "/limits/cpus": change(0.3, 0.301)
    }
    assert cluster.changed("quota_present", "batch", limits={"gpus": 0}) == {
        "/limits/gpus": change(None, 0)
    }


@pytest.mark.parametrize("version", OLD)
def test_before_mesos_1_9_a_quota_is_removed_and_set_anew(place, version):
    cluster = place(version)
    assert cluster.changed("quota_present", "web", guarantees={"cpus": 1}) == {
        "/guarantees/cpus": change(None, 1)
    }
    changes = cluster.changed("quota_present", "web", guarantees={"cpus": 2, "mem": 64})
    assert changes == {"/guarantees/cpus": change(1, 2), "/guarantees/mem": change(None, 64)}
    assert cluster.writes() == ["POST /quota", "DELETE /quota/web", "POST /quota"]
    assert "limits: this needs Mesos 1.9" in cluster.rejected(
        "quota_present", "web", limits={"cpus": 4}
    )
    assert cluster.changed("quota_absent", "web") == {
        "/guarantees/cpus": change(2, None),
        "/guarantees/mem": change(64, None),
    }


@pytest.mark.parametrize("version", [*OLD, *NEW])
def test_a_rejected_quota_leaves_the_previous_one(place, version):
    cluster = place(version)
    cluster.changed("quota_present", "web", guarantees={"cpus": 17}, force=True)
    assert "exceed cluster capacity" in cluster.fails(
        "quota_present", "web", guarantees={"cpus": 18}
    )
    assert cluster.call("quota", "web")["guarantees"] == {"cpus": 17}
    cluster.changed("quota_present", "web", guarantees={"cpus": 18}, force=True)


def test_a_quota_that_cannot_be_restored_is_reported_as_changed(place, monkeypatch):
    cluster = place(OLD[-1])
    cluster.changed("quota_present", "web", guarantees={"cpus": 1, "mem": 64})

    def refuse(*arguments):
        raise Refusal(409, "No more of it")

    monkeypatch.setattr(cluster.leader.quotas, "add", refuse)
    changes, comment = cluster.fails_with_changes(
        "quota_present", "web", guarantees={"cpus": 2, "mem": 64}
    )
    assert changes == {"/guarantees/cpus": change(1, None)} and cluster.call("quotas") == {}
    assert "No more of it; and the previous quota of web could not be restored: " in comment


@pytest.mark.parametrize("version", [*OLD, *NEW])
def test_quota_absent_sends_nothing_for_a_role_without_a_quota(place, version):
    cluster = place(version)
    cluster.unchanged("quota_absent", "web")
    cluster.changed("quota_present", "web", guarantees={"cpus": 1})
    cluster.changed("quota_absent", "web")
    assert "REMOVE_QUOTA" not in cluster.writes() and cluster.leader.ended is None


# --- weights ---


@pytest.mark.parametrize("version", [OLD[0], NEW[-1]])
def test_only_weights_that_differ_are_sent(place, version):
    cluster = place(version)
    assert cluster.changed("weights_present", "drf", weights={"web": 2, "batch": 1, "ops": 1}) == {
        "/web": change(1, 2)
    }
    assert sorted(cluster.call("weights")) == ["batch", "web"]
    cluster.unchanged("weights_present", "drf", weights={"web": 2.0})
    assert cluster.changed("weights_present", "drf", weights={"a/token": 0.5, "web": 1}) == {
        "/a/token": change(1, 0.5),
        "/web": change(2, 1),
    }


def test_weights_that_are_accepted_but_not_visible_fail_the_state(place, monkeypatch):
    cluster = place()
    monkeypatch.setattr(cluster.leader.weights, "change", lambda infos: None)
    changes, comment = cluster.fails_with_changes("weights_present", "drf", weights={"web": 2})
    assert changes == {"/web": change(1, 2)}
    assert comment == (
        "The weight of web was set, but Mesos reports a different value of /web, "
        "or hides it from this user"
    )


def test_a_leader_that_is_lost_after_a_change_fails_the_state(place, monkeypatch):
    cluster = place()
    cluster.changed("quota_present", "web", limits={"cpus": 4})

    def lose_leader(*arguments):
        cluster.leader.recovered = False

    monkeypatch.setattr(cluster.leader.weights, "change", lose_leader)
    monkeypatch.setattr(cluster.leader.quotas, "change", lose_leader)
    assert "; it is not known whether the change was made: " in cluster.fails(
        "weights_present", "drf", weights={"web": 2}, retries=0
    )
    cluster.leader.recovered = True
    changes, comment = cluster.fails_with_changes("quota_absent", "web", retries=0)
    assert changes == {"/limits/cpus": change(4, None)} and comment.startswith(
        "The quota of web was removed, but reading it back failed: "
    )


# --- maintenance ---


@pytest.mark.parametrize("version", [OLD[0], NEW[-1]])
def test_scheduling_and_cancelling_does_not_change_other_machines(place, version):
    cluster = place(version)
    cluster.call("add_maintenance_window", [HOSTS[0], MACHINE_WITHOUT_AGENT], "now", "1h")
    cluster.call("machine_down", HOSTS[0], confirm=True)
    times = {"start": NEW_YEAR, "duration": 7200}
    changes = cluster.changed(
        "maintenance_scheduled",
        "disks",
        machines=[HOSTS[1].upper(), HOSTS[2]],
        start=NEW_YEAR,
        duration="2h",
    )
    assert changes == {f"/{HOSTS[1]}": change(None, times), f"/{HOSTS[2]}": change(None, times)}
    cluster.unchanged(
        "maintenance_scheduled",
        "disks",
        machines=f"{HOSTS[1]}, {HOSTS[2]}",
        start=1893456000 * 10**9,
        duration="120m",
    )
    assert cluster.changed(
        "maintenance_scheduled", "disks", machines=MACHINE_WITHOUT_ADDRESS, start=NEW_YEAR
    ) == {"/lxb008.devops.test": change(None, {"start": NEW_YEAR, "duration": None})}
    assert cluster.changed(
        "maintenance_cancelled", "no disks", machines=[HOSTS[1].upper(), HOSTS[3]]
    ) == {f"/{HOSTS[1]}": change(times, None)}
    cluster.unchanged(
        "maintenance_cancelled", "no disks", machines=["nosuch.devops.test", {"ip": "10.9.9.9"}]
    )
    assert cluster.schedule() == [
        [HOSTS[0], MACHINE_WITHOUT_AGENT["hostname"]],
        [HOSTS[2]],
        [MACHINE_WITHOUT_ADDRESS["hostname"]],
    ]
    down = [machine["hostname"] for machine in cluster.call("maintenance_status")["down"]]
    assert down == [HOSTS[0]]
    assert "has started; mesos.machine_up ends it" in cluster.rejected(
        "maintenance_cancelled", "no disks", machines=HOSTS[0]
    )


def test_a_relative_start_only_applies_to_machines_that_are_not_scheduled_yet(place):
    cluster = place()
    changes = cluster.changed(
        "maintenance_scheduled", "disks", machines=HOSTS[0], start="+1h", duration="1h"
    )
    assert changes == {f"/{HOSTS[0]}": change(None, {"start": "+1h", "duration": 3600})}
    start = cluster.call("maintenance_schedule")[0]["start"]
    cluster.unchanged(
        "maintenance_scheduled", "disks", machines=HOSTS[0], start="now", duration="1h"
    )
    changes = cluster.changed(
        "maintenance_scheduled", "disks", machines=HOSTS[:2], start="now", duration="90m"
    )
    assert changes == {
        f"/{HOSTS[0]}/duration": change(3600, 5400),
        f"/{HOSTS[1]}": change(None, {"start": "now", "duration": 5400}),
    }
    begins = {
        window["machines"][0]["hostname"]: window["start"]
        for window in cluster.call("maintenance_schedule")
    }
    assert begins[HOSTS[0]] // 10**9 == start // 10**9 and begins[HOSTS[1]] < start


def test_a_machine_is_rescheduled_if_its_start_differs_by_more_than_the_tolerance(place):
    cluster = place()
    cluster.changed(
        "maintenance_scheduled",
        "disks",
        machines=HOSTS[:2],
        start="2030-01-01T01:00:00+01:00",
        duration="1.5s",
    )
    moved = {"machines": HOSTS[0], "start": "2030-01-01T00:00:30Z", "duration": "1.5s"}
    cluster.unchanged("maintenance_scheduled", "disks", **moved)
    assert cluster.changed("maintenance_scheduled", "disks", **moved, tolerance=29.5) == {
        f"/{HOSTS[0]}/start": change(NEW_YEAR, "2030-01-01T00:00:30Z")
    }
    assert cluster.schedule() == [[HOSTS[1]], [HOSTS[0]]]
    assert cluster.changed("maintenance_scheduled", "disks", machines=HOSTS[0], start=NEW_YEAR) == {
        f"/{HOSTS[0]}/duration": change(1.5, None)
    }


def test_if_the_second_window_is_rejected_the_first_is_reported_as_changed(place, monkeypatch):
    cluster = place()
    schedules = []
    cluster.changed("maintenance_scheduled", "disks", machines=HOSTS[0], start="+1h")
    replace = cluster.leader.maintenance.replace

    def once(schedule):
        if schedules:
            raise Refusal(400, "Once is enough")
        schedules.append(replace(schedule))

    monkeypatch.setattr(cluster.leader.maintenance, "replace", once)
    changes, comment = cluster.fails_with_changes(
        "maintenance_scheduled", "disks", machines=HOSTS[:2], start="now", duration="1h"
    )
    assert changes == {f"/{HOSTS[0]}/duration": change(None, 3600)} and "Once is enough" in comment


HIDDEN = (
    '--acls={"get_maintenance_schedules": '
    '[{"principals": {"type": "ANY"}, "machines": {"type": "NONE"}}]}'
)


@pytest.mark.parametrize(
    "state, arguments",
    [
        ("maintenance_scheduled", {"machines": [HOSTS[1]], "start": "now"}),
        ("maintenance_cancelled", {"machines": [HOSTS[1]]}),
        ("machine_down", {}),
    ],
)
def test_a_hidden_schedule_is_neither_erased_nor_taken_for_an_empty_one(place, state, arguments):
    cluster = place(NEW[-1], HIDDEN)
    window = {
        "machine_ids": [{"hostname": HOSTS[1], "ip": "127.0.0.1"}],
        "unavailability": {"start": {"nanoseconds": 1}},
    }
    cluster.leader.maintenance.replace({"windows": [window]})
    assert "The maintenance schedule is not completely visible to this user" in cluster.rejected(
        state, HOSTS[1], **arguments
    )


@pytest.mark.parametrize("version", [OLD[0], NEW[-1]])
def test_a_machine_goes_down_and_comes_up_as_the_schedule_spells_it(place, version):
    cluster = place(version)
    ours = {"hostname": HOSTS[1].upper(), "ip": "127.0.0.1"}
    window = {
        "machine_ids": [ours, MACHINE_WITHOUT_AGENT, {"ip": "10.0.0.9"}],
        "unavailability": {"start": {"nanoseconds": 1}},
    }
    cluster.leader.maintenance.replace({"windows": [window]})
    assert cluster.rejected("machine_down", HOSTS[0]) == (
        f"machines: no maintenance of {HOSTS[0]} is scheduled. "
        "Schedule it with mesos.maintenance_scheduled first"
    )
    names = [HOSTS[1].upper(), MACHINE_WITHOUT_AGENT["hostname"], "10.0.0.9"]
    changes = cluster.changed(
        "machine_down", "disks", machines=[HOSTS[1], MACHINE_WITHOUT_AGENT, {"ip": "10.0.0.9"}]
    )
    assert changes == {f"/{name}": change("DRAINING", "DOWN") for name in names}
    assert len(cluster.call("agents")) == 3
    cluster.unchanged("machine_up", HOSTS[0])
    changes = cluster.changed("machine_up", "disks", machines=f"{HOSTS[1]},{names[1]}")
    assert changes == {
        f"/{name.lower()}": change("DOWN", "UP") for name in names[:2]
    }  # as its agent spelled it first
    assert cluster.call("maintenance_status") == {"draining": [], "down": [{"ip": "10.0.0.9"}]}


def test_two_machines_with_one_name_are_distinguished_by_their_addresses(place):
    cluster = place()
    both = [{"hostname": "twin", "ip": f"10.0.0.{number}"} for number in (1, 2)]
    assert list(cluster.changed("maintenance_scheduled", "twins", machines=both, start="now")) == [
        "/twin",
        "/twin (10.0.0.2)",
    ]
    assert len(cluster.changed("machine_down", "twin")) == 2


# --- agents ---


@pytest.mark.parametrize("version", NEW)
def test_an_agent_is_drained_once_and_active_again(place, version):
    cluster = place(version)
    assert cluster.changed(
        "agent_drained", HOSTS[0].upper(), max_grace_period="10m", wait=True
    ) == {"/drain": change(None, "DRAINED")}
    assert cluster.call("agent", HOSTS[0])["drain"] == "DRAINED" and not cluster.call(
        "tasks", state="running"
    )
    changes = cluster.changed("agent_active", cluster.call("agent", HOSTS[0])["id"])
    assert changes == {"/drain": change("DRAINED", None), "/deactivated": change(True, False)}
    cluster.call("deactivate_agent", HOSTS[0])
    assert cluster.changed("agent_drained", HOSTS[0], max_grace_period=5) == {
        "/drain": change(None, "DRAINED")
    }


def test_a_draining_agent_is_not_drained_again_and_a_timeout_lists_its_tasks(place, monkeypatch):
    monkeypatch.setattr(RecordingMaster, "_drain", lambda *arguments: None)
    cluster = place()
    comment = (
        f"{HOSTS[0]} is not drained after 1 second. Its remaining tasks are web.1. "
        "max_grace_period limits how long they may take to stop"
    )
    assert cluster.fails_with_changes("agent_drained", HOSTS[0], wait=True, timeout=1) == (
        {"/drain": change(None, "DRAINED")},
        comment,
    )
    cluster.unchanged("agent_drained", HOSTS[0], max_grace_period="1s")
    assert cluster.fails("agent_drained", HOSTS[0], wait=True, timeout=1) == comment
    assert (
        cluster.rejected("agent_active", HOSTS[0])
        == f"{HOSTS[0]} is still draining, and can only be reactivated once it is drained"
    )
    assert cluster.writes() == ["DRAIN_AGENT"]
    changes = cluster.changed("agent_drained", HOSTS[0], mark_gone=True)
    assert changes["/"]["old"]["hostname"] == HOSTS[0] and len(cluster.writes()) == 2


def test_a_drained_agent_can_still_be_removed_permanently(place):
    cluster = place()
    cluster.changed("agent_drained", HOSTS[3], wait=True)
    id_ = cluster.call("agent", HOSTS[3])["id"]
    assert cluster.changed("agent_drained", HOSTS[3], mark_gone=True, wait=True) == {
        "/": change({"hostname": HOSTS[3], "id": id_}, None)
    }
    cluster.unchanged("agent_drained", id_, mark_gone=True)
    assert f"there is no agent {HOSTS[3]}" in cluster.rejected("agent_drained", HOSTS[3])


def test_a_scheduled_agent_is_not_drained(place):
    cluster = place()
    cluster.call("add_maintenance_window", HOSTS[3], "now")
    assert (
        cluster.rejected("agent_drained", HOSTS[3])
        == f"{HOSTS[3]} is scheduled for maintenance and cannot be drained. "
        "mesos.maintenance_cancelled removes it from the schedule"
    )


@pytest.mark.parametrize("version", OLD)
def test_draining_needs_mesos_1_9(place, version):
    cluster = place(version)
    for state in ("agent_drained", "agent_active"):
        assert (
            cluster.rejected(state, HOSTS[0])
            == f"This needs Mesos 1.9; these masters have {version}"
        )


def test_a_test_run_considers_the_changes_of_its_earlier_states(place):
    cluster = place()
    runbook = (
        ("maintenance_scheduled", "window", {"machines": HOSTS[:2], "start": "+1h"}),
        ("machine_down", HOSTS[0].upper(), {}),
        ("machine_down", HOSTS[0], {}),
        ("machine_up", HOSTS[0], {}),
        ("machine_up", HOSTS[0].upper(), {}),
        ("machine_down", "never", {"machines": HOSTS[0]}),
        ("maintenance_cancelled", "no window", {"machines": HOSTS[:1]}),
        ("agent_drained", HOSTS[1], {"wait": True}),
        ("agent_drained", HOSTS[2], {"wait": True}),
        ("agent_active", HOSTS[2], {}),
        ("agent_active", HOSTS[3], {}),
    )
    predictions = cluster.states(*runbook, test=True)
    results = cluster.states(*runbook, test=False)
    for (state, name, _), prediction, result in zip(runbook, predictions, results, strict=True):
        details = (state, name, prediction, result)
        assert prediction["changes"] == result["changes"], details
        expected = None if prediction["changes"] else result["result"]
        assert prediction["result"] is expected, details
        assert prediction["comment"] == result["comment"] or prediction["changes"], details
    assert [bool(result["changes"]) for result in results] == [
        True,
        True,
        False,
        True,
        False,
        False,
        False,
        False,
        True,
        True,
        False,
    ]


# --- frameworks ---


@pytest.mark.parametrize("version", [OLD[0], NEW[-1]])
def test_framework_absent_needs_confirmation_and_an_unambiguous_name_or_id(place, version):
    cluster = place(version)
    second = {
        "info": {"name": "marathon", "user": "root", "roles": ["web"], "failover_timeout": 3600.0},
        "pid": "scheduler@127.0.0.1:2",
        "version": version,
        "capabilities": ["MULTI_ROLE"],
    }
    second_id = requests.post(f"{cluster.url}/fake/frameworks", json=second, timeout=5).json()["id"]
    for confirm in ({}, {"confirm": "yes"}):
        assert (
            "should be True: the framework and all of its tasks would end permanently"
            in cluster.rejected("framework_absent", "marathon", **confirm)
        )
    error = cluster.rejected("framework_absent", "marathon", confirm=True)
    assert (
        error.startswith("2 frameworks are called marathon. Use an id: ")
        and second_id in error
        and cluster.world.framework in error
    )
    assert (
        cluster.changed("framework_absent", second_id, confirm=True)["/"]["old"]["id"] == second_id
    )
    change_of_framework = cluster.changed("framework_absent", "marathon", confirm=True)["/"]
    assert change_of_framework["old"]["name"] == "marathon"
    assert change_of_framework["old"]["roles"] == ["web"]
    assert change_of_framework["new"] is None
    assert cluster.call("frameworks") == [] and not cluster.call("tasks", state="running")
    cluster.unchanged("framework_absent", cluster.world.framework, confirm=True)


def test_a_framework_that_ends_at_the_same_time_is_a_success(place, monkeypatch):
    cluster = place()
    complete = cluster.leader.complete

    def too_late(framework_id):
        complete(framework_id)
        raise Refusal(400, "No framework found with specified ID")

    monkeypatch.setattr(cluster.leader, "complete", too_late)
    answer = cluster("framework_absent", "marathon", confirm=True)
    assert answer["result"] is True and list(answer["changes"]) == ["/"], answer


def test_a_framework_that_may_be_hidden_is_not_taken_for_absent(place):
    cluster = place(
        NEW[-1],
        '--acls={"view_frameworks": [{"principals": {"type": "ANY"}, "users": {"type": "NONE"}}]}',
    )
    assert (
        cluster.rejected("framework_absent", "marathon", confirm=True)
        == "Frameworks hidden from this user: 1. marathon may be one of them"
    )


# --- errors ---


@pytest.mark.parametrize(
    "state, arguments, error",
    [
        ("quota_present", {}, "limits: None should be a mapping such as {cpus: 8}, unless"),
        (
            "quota_present",
            {"limits": {"cpus": -1}},
            "limits: cpus: -1 should be a number, 0 or more",
        ),
        (
            "quota_present",
            {"limits": {"cpus": 1}, "guarantees": {"cpus": 2}},
            "guarantees: cpus: 2.0 should be at most the limit, 1",
        ),
        (
            "quota_present",
            {"limits": {"cpus": "2"}},
            "limits: cpus: '2' should be a number, 0 or more",
        ),
        (
            "quota_present",
            {"limits": {"cpus": 1}, "force": "yes"},
            "force: 'yes' should be True or False",
        ),
        (
            "quota_present",
            {"name": "a/b", "limits": {"cpus": 1}},
            "role: 'a/b' should be a top-level role",
        ),
        ("quota_present", {"limit": {"cpus": 1}, "guarantees": {}}, "limit: no such argument"),
        ("quota_absent", {"name": "a b"}, "role: 'a b' should be the name of a role"),
        ("weights_present", {"weights": {"web": 0}}, "weights: web: 0 should be a number above 0"),
        (
            "weights_present",
            {"weights": {"web": -1}},
            "weights: web: -1 should be a number above 0",
        ),
        (
            "weights_present",
            {"weights": {"web": True}},
            "weights: web: True should be a number above 0",
        ),
        ("weights_present", {"weights": {}}, "weights: {} should be a mapping of roles to numbers"),
        (
            "maintenance_scheduled",
            {"machines": [], "start": "now"},
            "machines: [] should be a host name",
        ),
        (
            "maintenance_scheduled",
            {"machines": "nosuch", "start": "now"},
            "machines: no agent and no scheduled machine is called nosuch",
        ),
        (
            "maintenance_scheduled",
            {"machines": HOSTS[0], "start": "2030-01-01T00:00:00"},
            "start: '2030-01-01T00:00:00' should be now",
        ),
        (
            "maintenance_scheduled",
            {"machines": HOSTS[0], "start": "9999-01-01T00:00:00Z"},
            "start: '9999-01-01T00:00:00Z' should be now",
        ),
        (
            "maintenance_scheduled",
            {"machines": HOSTS[0], "start": 10**20},
            "start: 100000000000000000000 should be now",
        ),
        (
            "maintenance_scheduled",
            {"machines": HOSTS[0], "start": "now", "duration": 7200},
            "duration: 7200 should be a duration",
        ),
        (
            "maintenance_scheduled",
            {"machines": HOSTS[0], "start": "now", "tolerance": -1},
            "tolerance: -1 should be a number of seconds, 0",
        ),
        (
            "maintenance_cancelled",
            {"machines": {"host": "x"}},
            "machines: {'host': 'x'} should be a host name, or a list",
        ),
        (
            "maintenance_cancelled",
            {"machines": [7]},
            "machines: 7 should be a host name, or a list",
        ),
        ("machine_down", {"machines": []}, "machines: [] should be a host name, or a list"),
        ("machine_up", {"machines": [""]}, "machines: '' should be a host name, or a list"),
        ("agent_drained", {"name": "nosuch"}, "agent: there is no agent nosuch. Known: "),
        (
            "agent_drained",
            {"max_grace_period": "soon"},
            "max_grace_period: 'soon' should be an integer number of seconds, or text such as 10m",
        ),
        (
            "agent_drained",
            {"max_grace_period": -1},
            "max_grace_period: -1 should be an integer number of seconds",
        ),
        ("agent_drained", {"mark_gone": 1}, "mark_gone: 1 should be True or False"),
        ("agent_drained", {"wait": "yes"}, "wait: 'yes' should be True or False"),
        (
            "agent_drained",
            {"timeout": 0},
            "timeout: 0 should be a number of seconds from 1 to 86400",
        ),
        ("agent_active", {"name": "nosuch"}, "agent: there is no agent nosuch. Known: "),
    ],
    ids=str,
)
def test_invalid_arguments_are_rejected_before_anything_is_sent(cluster, state, arguments, error):
    assert cluster.rejected(state, **{"name": HOSTS[0], **arguments}).startswith(error)


# Valid arguments of each state.
VALID_ARGUMENTS = {
    "quota_present": {"limits": {"cpus": 1}},
    "quota_absent": {},
    "weights_present": {"weights": {"web": 2}},
    "maintenance_scheduled": {"machines": [MACHINE_WITHOUT_AGENT], "start": "now"},
    "maintenance_cancelled": {"machines": HOSTS[0]},
    "machine_down": {},
    "machine_up": {},
    "agent_drained": {},
    "agent_active": {},
    "framework_absent": {"confirm": True},
}


def test_a_leader_that_has_not_recovered_is_not_taken_for_an_empty_cluster_and_nothing_is_sent(
    place,
):
    cluster = place(hosts=())
    cluster.leader.recovered = False
    for state, arguments in VALID_ARGUMENTS.items():
        assert "has not finished recovery" in cluster.rejected(
            state, "web", retries=0, **arguments
        ), state


def test_the_error_names_the_server_that_does_not_respond(salt, nobody):
    for state, arguments in VALID_ARGUMENTS.items():
        answer = salt(f"mesos.{state}", name="web", url=nobody, retries=0, **arguments)
        assert (answer["result"], answer["changes"]) == (False, {}) and nobody in applying.one_line(
            answer
        ), answer
