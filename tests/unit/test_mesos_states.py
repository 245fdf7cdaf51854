"""The states of Mesos that are about the cluster, applied by the real Salt of both lines to fake daemons of several versions."""

import contextlib

import applying
import pytest
import requests
from mesos_world import HOSTS, Listening, World

from lab.fakes.wire.http import Refusal

OLD = ["1.4.3", "1.8.1"]
NEW = ["1.9.0", "1.11.0"]
NEW_YEAR = "2030-01-01T00:00:00Z"
ELSEWHERE = {"hostname": "lxb009.devops.test", "ip": "172.31.250.73"}  # a machine that has no agent
ABSENT = {"hostname": "lxb008.devops.test"}  # and one of which nobody knows the address


class Place(applying.Place):
    service = "mesos"

    def __init__(self, salt, world):
        self.salt, self.world, self.leader, self.url = salt, world, world.leader, world.url

    def writes(self):
        return self.leader.heard

    def schedule(self):
        """The machines of each window."""
        return [
            [machine["hostname"] for machine in window["machines"]]
            for window in self.call("maintenance_schedule")
        ]


@pytest.fixture
def place(salt, running, tmp_path):
    """Start a cluster, and return how to apply states to it."""
    return lambda version=NEW[-1], *flags, **options: Place(
        salt, World(salt, running, tmp_path, *flags, version=version, **options)
    )


@pytest.fixture(scope="module")
def cluster(salt, tmp_path_factory):
    """The same, one for all that change nothing."""
    with contextlib.ExitStack() as daemons:

        def running(daemon):
            daemon.start()
            daemons.callback(daemon.stop)
            return daemon

        yield Place(salt, World(salt, running, tmp_path_factory.mktemp("cluster")))


def change(old, new):
    return {"old": old, "new": new}


# --- quota ---


@pytest.mark.parametrize("version", NEW)
def test_only_what_differs_in_a_quota_is_told_and_what_is_left_out_is_kept(place, version):
    here = place(version)
    changes = here.changed(
        "quota_present", "web", limits={"cpus": 4, "mem": 1024}, guarantees={"cpus": 1}
    )
    assert changes == {
        "/limits/cpus": change(None, 4),
        "/limits/mem": change(None, 1024),
        "/guarantees/cpus": change(None, 1),
    }
    assert here.changed("quota_present", "web", guarantees={"cpus": 2}) == {
        "/guarantees/cpus": change(1, 2)
    }
    assert here.changed("quota_present", "web", limits={"cpus": 4}) == {
        "/limits/mem": change(1024, None)
    }
    assert here.call("quota", "web") == {"limits": {"cpus": 4}, "guarantees": {"cpus": 2}}
    assert here.changed("quota_present", "web", limits={}) == {"/limits/cpus": change(4, None)}
    assert here.changed("quota_absent", "web") == {"/guarantees/cpus": change(2, None)}
    here.kept("quota_present", "web", limits={}, guarantees={})


def test_amounts_of_a_quota_are_compared_in_thousandths_and_a_guarantee_of_0_is_none_but_a_limit_of_0_is_one(
    place,
):
    here = place()
    here.changed("quota_present", "web", limits={"cpus": 0.3})
    here.kept("quota_present", "web", limits={"cpus": 0.1 + 0.2}, guarantees={"cpus": 0})
    here.kept("quota_present", "web", limits={"cpus": 0.3004})
    assert here.changed("quota_present", "web", limits={"cpus": 0.301}) == {
        "/limits/cpus": change(0.3, 0.301)
    }
    assert here.changed("quota_present", "batch", limits={"gpus": 0}) == {
        "/limits/gpus": change(None, 0)
    }


@pytest.mark.parametrize("version", OLD)
def test_before_mesos_1_9_a_quota_is_removed_and_set_anew(place, version):
    here = place(version)
    assert here.changed("quota_present", "web", guarantees={"cpus": 1}) == {
        "/guarantees/cpus": change(None, 1)
    }
    changes = here.changed("quota_present", "web", guarantees={"cpus": 2, "mem": 64})
    assert changes == {"/guarantees/cpus": change(1, 2), "/guarantees/mem": change(None, 64)}
    assert here.writes() == ["POST /quota", "DELETE /quota/web", "POST /quota"]
    assert "limits: this needs Mesos 1.9" in here.refused(
        "quota_present", "web", limits={"cpus": 4}
    )
    assert here.changed("quota_absent", "web") == {
        "/guarantees/cpus": change(2, None),
        "/guarantees/mem": change(64, None),
    }


@pytest.mark.parametrize("version", [*OLD, *NEW])
def test_a_quota_that_is_refused_leaves_the_role_with_the_one_that_it_had(place, version):
    here = place(version)
    here.changed("quota_present", "web", guarantees={"cpus": 17}, force=True)
    assert "exceed cluster capacity" in here.fails("quota_present", "web", guarantees={"cpus": 18})
    assert here.call("quota", "web")["guarantees"] == {"cpus": 17}
    here.changed("quota_present", "web", guarantees={"cpus": 18}, force=True)


def test_a_quota_that_is_lost_in_between_is_told_as_what_was_changed(place, monkeypatch):
    here = place(OLD[-1])
    here.changed("quota_present", "web", guarantees={"cpus": 1, "mem": 64})

    def refuse(*arguments):
        raise Refusal(409, "No more of it")

    monkeypatch.setattr(here.leader.quotas, "add", refuse)
    changes, comment = here.breaks("quota_present", "web", guarantees={"cpus": 2, "mem": 64})
    assert changes == {"/guarantees/cpus": change(1, None)} and here.call("quotas") == {}
    assert "No more of it; and the previous quota of web could not be restored: " in comment


@pytest.mark.parametrize("version", [*OLD, *NEW])
def test_a_role_without_a_quota_is_left_alone_as_removing_it_may_kill_the_master(place, version):
    here = place(version)
    here.kept("quota_absent", "web")
    here.changed("quota_present", "web", guarantees={"cpus": 1})
    here.changed("quota_absent", "web")
    assert "REMOVE_QUOTA" not in here.writes() and here.leader.ended is None


# --- weights ---


@pytest.mark.parametrize("version", [OLD[0], NEW[-1]])
def test_weights_are_numbers_and_only_those_that_differ_are_sent(place, version):
    here = place(version)
    assert here.changed("weights_present", "drf", weights={"web": 2, "batch": 1, "ops": 1}) == {
        "/web": change(1, 2)
    }
    assert sorted(here.call("weights")) == ["batch", "web"]
    here.kept("weights_present", "drf", weights={"web": 2.0})
    assert here.changed("weights_present", "drf", weights={"a/token": 0.5, "web": 1}) == {
        "/a/token": change(1, 0.5),
        "/web": change(2, 1),
    }


def test_weights_that_are_taken_and_not_shown_fail_the_state(place, monkeypatch):
    here = place()
    monkeypatch.setattr(here.leader.weights, "change", lambda infos: None)
    changes, comment = here.breaks("weights_present", "drf", weights={"web": 2})
    assert changes == {"/web": change(1, 2)}
    assert comment == (
        "The weight of web was set, but Mesos reports a different value of /web, "
        "or hides it from this user"
    )


def test_a_leader_that_is_lost_after_a_change_fails_the_state(place, monkeypatch):
    here = place()
    here.changed("quota_present", "web", limits={"cpus": 4})

    def last(*arguments):
        here.leader.recovered = False

    monkeypatch.setattr(here.leader.weights, "change", last)
    monkeypatch.setattr(here.leader.quotas, "change", last)
    assert "; it is not known whether the change was made: " in here.fails(
        "weights_present", "drf", weights={"web": 2}, retries=0
    )
    here.leader.recovered = True
    changes, comment = here.breaks("quota_absent", "web", retries=0)
    assert changes == {"/limits/cpus": change(4, None)} and comment.startswith(
        "The quota of web was removed, but reading it back failed: "
    )


# --- maintenance ---


@pytest.mark.parametrize("version", [OLD[0], NEW[-1]])
def test_machines_are_scheduled_and_cancelled_and_all_others_stay(place, version):
    here = place(version)
    here.call("add_maintenance_window", [HOSTS[0], ELSEWHERE], "now", "1h")
    here.call("machine_down", HOSTS[0], confirm=True)
    times = {"start": NEW_YEAR, "duration": 7200}
    changes = here.changed(
        "maintenance_scheduled",
        "disks",
        machines=[HOSTS[1].upper(), HOSTS[2]],
        start=NEW_YEAR,
        duration="2h",
    )
    assert changes == {f"/{HOSTS[1]}": change(None, times), f"/{HOSTS[2]}": change(None, times)}
    here.kept(
        "maintenance_scheduled",
        "disks",
        machines=f"{HOSTS[1]}, {HOSTS[2]}",
        start=1893456000 * 10**9,
        duration="120m",
    )
    assert here.changed("maintenance_scheduled", "disks", machines=ABSENT, start=NEW_YEAR) == {
        "/lxb008.devops.test": change(None, {"start": NEW_YEAR, "duration": None})
    }
    assert here.changed(
        "maintenance_cancelled", "no disks", machines=[HOSTS[1].upper(), HOSTS[3]]
    ) == {f"/{HOSTS[1]}": change(times, None)}
    here.kept(
        "maintenance_cancelled", "no disks", machines=["nosuch.devops.test", {"ip": "10.9.9.9"}]
    )
    assert here.schedule() == [[HOSTS[0], ELSEWHERE["hostname"]], [HOSTS[2]], [ABSENT["hostname"]]]
    down = [machine["hostname"] for machine in here.call("maintenance_status")["down"]]
    assert down == [HOSTS[0]]
    assert "has started; mesos.machine_up ends it" in here.refused(
        "maintenance_cancelled", "no disks", machines=HOSTS[0]
    )


def test_a_start_that_is_relative_counts_for_machines_that_are_not_scheduled_yet(place):
    here = place()
    changes = here.changed(
        "maintenance_scheduled", "disks", machines=HOSTS[0], start="+1h", duration="1h"
    )
    assert changes == {f"/{HOSTS[0]}": change(None, {"start": "+1h", "duration": 3600})}
    first = here.call("maintenance_schedule")[0]["start"]
    here.kept("maintenance_scheduled", "disks", machines=HOSTS[0], start="now", duration="1h")
    changes = here.changed(
        "maintenance_scheduled", "disks", machines=HOSTS[:2], start="now", duration="90m"
    )
    assert changes == {
        f"/{HOSTS[0]}/duration": change(3600, 5400),
        f"/{HOSTS[1]}": change(None, {"start": "now", "duration": 5400}),
    }
    begins = {
        window["machines"][0]["hostname"]: window["start"]
        for window in here.call("maintenance_schedule")
    }
    assert begins[HOSTS[0]] // 10**9 == first // 10**9 and begins[HOSTS[1]] < first


def test_a_machine_moves_if_its_start_differs_by_more_than_is_tolerated(place):
    here = place()
    here.changed(
        "maintenance_scheduled",
        "disks",
        machines=HOSTS[:2],
        start="2030-01-01T01:00:00+01:00",
        duration="1.5s",
    )
    moved = {"machines": HOSTS[0], "start": "2030-01-01T00:00:30Z", "duration": "1.5s"}
    here.kept("maintenance_scheduled", "disks", **moved)
    assert here.changed("maintenance_scheduled", "disks", **moved, tolerance=29.5) == {
        f"/{HOSTS[0]}/start": change(NEW_YEAR, "2030-01-01T00:00:30Z")
    }
    assert here.schedule() == [[HOSTS[1]], [HOSTS[0]]]
    assert here.changed("maintenance_scheduled", "disks", machines=HOSTS[0], start=NEW_YEAR) == {
        f"/{HOSTS[0]}/duration": change(1.5, None)
    }


def test_a_second_window_that_is_refused_leaves_the_first_as_what_was_changed(place, monkeypatch):
    here, kept = place(), []
    here.changed("maintenance_scheduled", "disks", machines=HOSTS[0], start="+1h")
    replace = here.leader.maintenance.replace

    def once(schedule):
        if kept:
            raise Refusal(400, "Once is enough")
        kept.append(replace(schedule))

    monkeypatch.setattr(here.leader.maintenance, "replace", once)
    changes, comment = here.breaks(
        "maintenance_scheduled", "disks", machines=HOSTS[:2], start="now", duration="1h"
    )
    assert changes == {f"/{HOSTS[0]}/duration": change(None, 3600)} and "Once is enough" in comment


HIDDEN = '--acls={"get_maintenance_schedules": [{"principals": {"type": "ANY"}, "machines": {"type": "NONE"}}]}'


@pytest.mark.parametrize(
    "state, arguments",
    [
        ("maintenance_scheduled", {"machines": [HOSTS[1]], "start": "now"}),
        ("maintenance_cancelled", {"machines": [HOSTS[1]]}),
        ("machine_down", {}),
    ],
)
def test_a_schedule_that_is_hidden_is_neither_erased_nor_taken_for_an_empty_one(
    place, state, arguments
):
    here = place(NEW[-1], HIDDEN)
    window = {
        "machine_ids": [{"hostname": HOSTS[1], "ip": "127.0.0.1"}],
        "unavailability": {"start": {"nanoseconds": 1}},
    }
    here.leader.maintenance.replace({"windows": [window]})
    assert "The maintenance schedule is not completely visible to this user" in here.refused(
        state, HOSTS[1], **arguments
    )


@pytest.mark.parametrize("version", [OLD[0], NEW[-1]])
def test_a_machine_goes_down_and_comes_up_as_the_schedule_spells_it(place, version):
    here = place(version)
    ours = {"hostname": HOSTS[1].upper(), "ip": "127.0.0.1"}
    window = {
        "machine_ids": [ours, ELSEWHERE, {"ip": "10.0.0.9"}],
        "unavailability": {"start": {"nanoseconds": 1}},
    }
    here.leader.maintenance.replace({"windows": [window]})
    assert here.refused("machine_down", HOSTS[0]) == (
        f"machines: no maintenance of {HOSTS[0]} is scheduled. "
        "Schedule it with mesos.maintenance_scheduled first"
    )
    names = [HOSTS[1].upper(), ELSEWHERE["hostname"], "10.0.0.9"]
    changes = here.changed(
        "machine_down", "disks", machines=[HOSTS[1], ELSEWHERE, {"ip": "10.0.0.9"}]
    )
    assert changes == {f"/{name}": change("DRAINING", "DOWN") for name in names}
    assert len(here.call("agents")) == 3
    here.kept("machine_up", HOSTS[0])
    changes = here.changed("machine_up", "disks", machines=f"{HOSTS[1]},{names[1]}")
    assert changes == {
        f"/{name.lower()}": change("DOWN", "UP") for name in names[:2]
    }  # as its agent spelled it first
    assert here.call("maintenance_status") == {"draining": [], "down": [{"ip": "10.0.0.9"}]}


def test_two_machines_of_one_name_are_told_apart_by_their_addresses(place):
    here = place()
    both = [{"hostname": "twin", "ip": f"10.0.0.{number}"} for number in (1, 2)]
    assert list(here.changed("maintenance_scheduled", "twins", machines=both, start="now")) == [
        "/twin",
        "/twin (10.0.0.2)",
    ]
    assert len(here.changed("machine_down", "twin")) == 2


# --- agents ---


@pytest.mark.parametrize("version", NEW)
def test_an_agent_is_drained_once_and_active_again(place, version):
    here = place(version)
    assert here.changed("agent_drained", HOSTS[0].upper(), max_grace_period="10m", wait=True) == {
        "/drain": change(None, "DRAINED")
    }
    assert here.call("agent", HOSTS[0])["drain"] == "DRAINED" and not here.call(
        "tasks", state="running"
    )
    changes = here.changed("agent_active", here.call("agent", HOSTS[0])["id"])
    assert changes == {"/drain": change("DRAINED", None), "/deactivated": change(True, False)}
    here.call("deactivate_agent", HOSTS[0])
    assert here.changed("agent_drained", HOSTS[0], max_grace_period=5) == {
        "/drain": change(None, "DRAINED")
    }


def test_an_agent_that_is_draining_is_left_alone_and_who_waits_hears_of_its_tasks(
    place, monkeypatch
):
    monkeypatch.setattr(Listening, "_drain", lambda *arguments: None)
    here = place()
    comment = (
        f"{HOSTS[0]} is not drained after 1 seconds. Its remaining tasks are web.1. "
        "max_grace_period limits their time"
    )
    assert here.breaks("agent_drained", HOSTS[0], wait=True, timeout=1) == (
        {"/drain": change(None, "DRAINED")},
        comment,
    )
    here.kept("agent_drained", HOSTS[0], max_grace_period="1s")
    assert here.fails("agent_drained", HOSTS[0], wait=True, timeout=1) == comment
    assert (
        here.refused("agent_active", HOSTS[0])
        == f"{HOSTS[0]} is still draining, and can only be reactivated once it is drained"
    )
    assert here.writes() == ["DRAIN_AGENT"]
    changes = here.changed("agent_drained", HOSTS[0], mark_gone=True)
    assert changes["/"]["old"]["hostname"] == HOSTS[0] and len(here.writes()) == 2


def test_an_agent_that_is_drained_may_still_be_made_to_go_for_ever(place):
    here = place()
    here.changed("agent_drained", HOSTS[3], wait=True)
    id_ = here.call("agent", HOSTS[3])["id"]
    assert here.changed("agent_drained", HOSTS[3], mark_gone=True, wait=True) == {
        "/": change({"hostname": HOSTS[3], "id": id_}, None)
    }
    here.kept("agent_drained", id_, mark_gone=True)
    assert f"there is no agent {HOSTS[3]}" in here.refused("agent_drained", HOSTS[3])


def test_a_scheduled_agent_is_not_drained(place):
    here = place()
    here.call("add_maintenance_window", HOSTS[3], "now")
    assert (
        here.refused("agent_drained", HOSTS[3])
        == f"{HOSTS[3]} is scheduled for maintenance and cannot be drained. "
        "mesos.maintenance_cancelled removes it from the schedule"
    )


@pytest.mark.parametrize("version", OLD)
def test_before_mesos_1_9_nothing_drains(place, version):
    here = place(version)
    for state in ("agent_drained", "agent_active"):
        assert (
            here.refused(state, HOSTS[0]) == f"This needs Mesos 1.9; these masters have {version}"
        )


def test_a_test_run_foresees_what_its_earlier_states_would_make(place):
    here = place()
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
    told, done = (here.states(*runbook, test=test) for test in (True, False))
    for (state, name, _), one, other in zip(runbook, told, done, strict=True):
        assert one["changes"] == other["changes"], (state, name, one, other)
        assert one["result"] is (None if one["changes"] else other["result"]), (
            state,
            name,
            one,
            other,
        )
        assert one["comment"] == other["comment"] or one["changes"], (state, name, one, other)
    assert [bool(each["changes"]) for each in done] == [
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
def test_a_framework_ends_by_name_or_id_if_that_is_confirmed_and_if_it_is_the_only_one(
    place, version
):
    here = place(version)
    second = {
        "info": {"name": "marathon", "user": "root", "roles": ["web"], "failover_timeout": 3600.0},
        "pid": "scheduler@127.0.0.1:2",
        "version": version,
        "capabilities": ["MULTI_ROLE"],
    }
    other = requests.post(f"{here.url}/fake/frameworks", json=second, timeout=5).json()["id"]
    for confirm in ({}, {"confirm": "yes"}):
        assert (
            "should be True: the framework and all of its tasks would end permanently"
            in here.refused("framework_absent", "marathon", **confirm)
        )
    said = here.refused("framework_absent", "marathon", confirm=True)
    assert (
        said.startswith("2 frameworks are called marathon. Use an id: ")
        and other in said
        and here.world.framework in said
    )
    assert here.changed("framework_absent", other, confirm=True)["/"]["old"]["id"] == other
    gone = here.changed("framework_absent", "marathon", confirm=True)["/"]
    assert (gone["old"]["name"], gone["old"]["roles"], gone["new"]) == ("marathon", ["web"], None)
    assert here.call("frameworks") == [] and not here.call("tasks", state="running")
    here.kept("framework_absent", here.world.framework, confirm=True)


def test_a_framework_that_ends_by_itself_at_the_same_time_is_gone_all_the_same(place, monkeypatch):
    here = place()
    complete = here.leader.complete

    def too_late(framework_id):
        complete(framework_id)
        raise Refusal(400, "No framework found with specified ID")

    monkeypatch.setattr(here.leader, "complete", too_late)
    answer = here("framework_absent", "marathon", confirm=True)
    assert answer["result"] is True and list(answer["changes"]) == ["/"], answer


def test_a_framework_that_may_be_hidden_is_not_taken_for_absent(place):
    here = place(
        NEW[-1],
        '--acls={"view_frameworks": [{"principals": {"type": "ANY"}, "users": {"type": "NONE"}}]}',
    )
    assert (
        here.refused("framework_absent", "marathon", confirm=True)
        == "1 frameworks are hidden from this user, and marathon may be one of them"
    )


# --- what is wrong ---


@pytest.mark.parametrize(
    "state, arguments, said",
    [
        (
            "quota_present",
            {},
            "limits: None should be a mapping such as {cpus: 8}, unless there are guarantees",
        ),
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
        ("agent_drained", {"name": "nosuch"}, "agent: there is no agent nosuch. There are "),
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
        ("agent_active", {"name": "nosuch"}, "agent: there is no agent nosuch. There are "),
    ],
    ids=str,
)
def test_wrong_arguments_are_named_and_nothing_is_sent(cluster, state, arguments, said):
    assert cluster.refused(state, **{"name": HOSTS[0], **arguments}).startswith(said)


# Each state with arguments that are right.
RIGHT = {
    "quota_present": {"limits": {"cpus": 1}},
    "quota_absent": {},
    "weights_present": {"weights": {"web": 2}},
    "maintenance_scheduled": {"machines": [ELSEWHERE], "start": "now"},
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
    here = place(hosts=())
    here.leader.recovered = False
    for state, arguments in RIGHT.items():
        assert "has not finished recovery" in here.refused(state, "web", retries=0, **arguments), (
            state
        )


def test_who_does_not_answer_is_named(salt, nobody):
    for state, arguments in RIGHT.items():
        answer = salt(f"mesos.{state}", name="web", url=nobody, retries=0, **arguments)
        assert (answer["result"], answer["changes"]) == (False, {}) and nobody in applying.one_line(
            answer
        ), answer
