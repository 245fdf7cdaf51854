"""The states of Chronos, applied by the real Salt of both lines to fake daemons of Chronos 2.5 and 3.0."""

import json
from datetime import UTC, datetime

import applying
import pytest
from mesos_world import until

from lab.fakes.chronos.jobs import Failure
from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.wire.election import MemoryRoom

VERSIONS = ["2.5.0", "3.0.2"]
BEGIN = datetime(2030, 1, 31, 6, tzinfo=UTC)
DAY = 86400
DAILY = {"command": "true", "schedule": "R/2030-01-31T06:00:00Z/PT24H"}


def after(*parents):
    return {"command": "true", "parents": list(parents)}


AFTER = after("hello")
FINITE = {**DAILY, "schedule": "R3/2030-01-31T06:00:00Z/P1D"}
# What is declared, what is changed of it afterwards with the paths of that, and how many days pass in between.
JOBS = {
    "interval": (DAILY, {"command": "false"}, ["/command"], 3),
    "interval, from now on": (
        {**DAILY, "schedule": "R//PT1H"},
        {"schedule": "R//PT2H"},
        ["/schedule"],
        3,
    ),
    "finite": (FINITE, {"description": "Three times"}, ["/description"], 1),
    "finite, exhausted": (FINITE, {"description": "Three times"}, ["/description"], 9),
    "calendar": (
        {**DAILY, "schedule": "R/2030-01-31T06:00:00/P1M", "scheduleTimeZone": "Europe/Berlin"},
        {"schedule": "R/2030-01-31T06:00:00/P2M"},
        ["/schedule"],
        100,
    ),
    "dependent": (AFTER, {"retries": 5}, ["/retries"], 3),
    "environment": (
        {**DAILY, "environmentVariables": {"LEVEL": 1, "MODE": "fast"}},
        {"environmentVariables": {"LEVEL": 2, "MODE": "fast"}},
        ["/environmentVariables/LEVEL"],
        3,
    ),
    "container": (
        {
            **DAILY,
            "container": {
                "image": "busybox:1.36",
                "volumes": [{"hostPath": "/srv", "containerPath": "/srv"}],
            },
        },
        {
            "container": {
                "image": "busybox:1.37",
                "volumes": [{"hostPath": "/srv", "containerPath": "/srv"}],
            }
        },
        ["/container/image"],
        3,
    ),
    "fetched": (
        {**DAILY, "uris": ["http://example.com/a.tgz"]},
        {"uris": ["http://example.com/b.tgz"]},
        ["/fetch"],
        3,
    ),
    "constraints": (
        {**DAILY, "constraints": [["rack", "EQUALS", "r1"]]},
        {"constraints": [["rack", "EQUALS", "r2"]]},
        ["/constraints"],
        3,
    ),
}


@pytest.fixture
def place(salt, running):
    """Start a Chronos with an agent in memory, and return how to apply states to it."""

    def start(version=VERSIONS[-1]):
        local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
        agents = Agents(agent("lxb001.devops.test", {"rack": "r1"}))
        server = Chronos(local, None, version, servers=MemoryRoom(), agents=agents)
        server.loop = 0.05
        return Place(salt, running(server), agents)

    return start


@pytest.fixture(params=VERSIONS)
def here(request, place):
    """The same for each version."""
    return place(request.param)


class Place(applying.Place):
    service = "chronos"

    def __init__(self, salt, server, agents):
        self.salt, self.server, self.agents, self.url = salt, server, agents, server.url

    def days(self, number):
        """Let days pass, one by one."""
        for _ in range(number):
            self.server.advance(DAY)

    def until_begin(self):
        self.server.advance((BEGIN - self.server.now()).total_seconds() + 60)

    def exhausted(self, name):
        """Let days pass until a job has run as often as it should."""
        self.until_begin()
        self.days(9)
        until(lambda: self.call("job", name)["disabled"])
        return self.call("job", name)

    def writes(self):
        return [asked for asked in self.server.requests if asked.method not in ("GET", "HEAD")]

    def sent(self):
        """The last job that was sent."""
        return json.loads(self.writes()[-1].body)


# --- a job ---


@pytest.mark.parametrize("here", ["2.4.0", *VERSIONS], indirect=True)
@pytest.mark.parametrize("case", JOBS)
def test_a_job_is_made_once_and_what_its_schedule_becomes_is_no_change_and_another_value_is_one(
    here, case, cell
):
    cell("Jobs of Chronos: made, kept, changed", case, here.server.version)
    config, change, paths, days = JOBS[case]
    here("job_present", "hello", config=DAILY)
    changes = here.changed("job_present", "x", config=config)
    assert (
        list(changes) == ["/"]
        and changes["/"]["old"] is None
        and changes["/"]["new"].keys() >= {"command"}
    ), changes
    here.until_begin()
    here.days(days)
    now = here.call("job", "x")
    assert (
        now.get("schedule") != config["schedule"]
        if "schedule" in config
        else now["parents"] == ["hello"]
    ), now
    here.kept("job_present", "x", config=config)
    here.kept("job_present", "x", config=config, mode="replace")
    assert sorted(here.changed("job_present", "x", config={**config, **change})) == paths


def test_a_job_that_is_over_is_as_declared_and_a_change_neither_runs_nor_enables_it(here):
    here.changed("job_present", "x", config=FINITE)
    over = here.exhausted("x")
    assert over["schedule"].startswith("R0/")
    here.kept("job_present", "x", config=FINITE)
    here.kept("job_present", "x", config={**FINITE, "disabled": False})
    described = {**FINITE, "disabled": False, "description": "Three times"}
    assert list(here.changed("job_present", "x", config=described)) == ["/description"]
    here.days(3)
    now = here.call("job", "x")
    assert (now["disabled"], now["successCount"]) == (True, over["successCount"])
    assert now["schedule"] == over["schedule"]


def test_a_job_that_is_over_runs_again_with_another_schedule_unless_it_is_to_be_disabled(here):
    here.changed("job_present", "x", config=FINITE)
    done = here.exhausted("x")["successCount"]
    again = {**FINITE, "schedule": "R2/2031-01-31T06:00:00Z/P1D"}
    assert list(here("job_present", "x", True, config={**again, "disabled": True})["changes"]) == [
        "/schedule"
    ]
    assert here.changed("job_present", "x", config=again)["/disabled"] == {
        "old": True,
        "new": False,
    }
    here.days(380)
    until(lambda: here.call("job", "x")["successCount"] > done)
    here.kept("job_present", "x", config=again)


def test_an_update_sends_the_schedule_and_the_counters_of_the_server_and_nothing_runs_for_it(here):
    here.changed("job_present", "x", config=DAILY)
    here.until_begin()
    here.days(3)
    until(lambda: here.call("jobs_summary")["x"]["state"] == "idle")
    before, tasks = here.call("job", "x"), len(here.agents.launched)
    assert list(here.changed("job_present", "x", config={**DAILY, "description": "Daily"})) == [
        "/description"
    ]
    assert (
        here.sent()["schedule"] == before["schedule"] != DAILY["schedule"]
        and here.sent()["successCount"] == before["successCount"] > 0
    )
    here.server.turn()
    assert (
        here.call("job", "x") == {**before, "description": "Daily"}
        and len(here.agents.launched) == tasks
    )


def test_schedule_and_counters_begin_anew_with_a_change_if_that_is_wanted(here):
    here.changed("job_present", "x", config=DAILY)
    here.until_begin()
    here.days(3)
    count = until(lambda: here.call("job", "x")["successCount"])
    anew = {"reset_schedule": True, "reset_counters": True}
    here.kept("job_present", "x", config=DAILY, **anew)
    with here.server.lock:
        here.server.ahead = 0.0
    changes = here.changed("job_present", "x", config={**DAILY, "retries": 5}, **anew)
    assert {"/retries", "/schedule", "/successCount", "/lastSuccess"} == changes.keys()
    assert (
        changes["/successCount"] == {"old": count, "new": 0}
        and changes["/schedule"]["new"] == DAILY["schedule"]
    )
    assert (
        here.sent()["schedule"] == DAILY["schedule"] and here.call("job", "x")["successCount"] == 0
    )


@pytest.mark.parametrize(
    "schedule, match, same",
    [
        ("R/2030-01-31T05:00:00Z/PT24H", "equivalent", False),
        ("R/2030-01-31T05:00:00Z/PT24H", "period", True),
        ("R/2030-01-31T06:00:00Z/P1D", "equivalent", True),
        ("R/2030-01-31T06:00:00Z/PT12H", "period", False),
        ("R5/2030-01-31T06:00:00Z/PT24H", "equivalent", False),
    ],
)
def test_another_period_phase_or_number_is_a_change(place, schedule, match, same):
    here = place()
    here.changed("job_present", "x", config=DAILY)
    arguments = {"config": {**DAILY, "schedule": schedule}, "match": match}
    if same:
        here.kept("job_present", "x", **arguments)
    else:
        assert list(here.changed("job_present", "x", **arguments)) == ["/schedule"]


def test_another_time_zone_is_a_change(here):
    config = {
        "command": "true",
        "schedule": "R/2030-01-31T06:00:00/P1D",
        "scheduleTimeZone": "Europe/Berlin",
    }
    here.changed("job_present", "x", config=config)
    changes = here.changed(
        "job_present", "x", config={**config, "scheduleTimeZone": "America/New_York"}
    )
    assert changes == {"/scheduleTimeZone": {"old": "Europe/Berlin", "new": "America/New_York"}}


def test_whether_a_job_is_disabled_counts_only_if_it_is_given(here):
    here.changed("job_present", "x", config=DAILY)
    here.call("update_job", "x", {"disabled": True})
    here.kept("job_present", "x", config=DAILY)
    assert list(here.changed("job_present", "x", config={**DAILY, "retries": 5})) == ["/retries"]
    assert here.call("job", "x")["disabled"] is True
    here.kept("job_present", "x", config={**DAILY, "retries": 5}, mode="replace")
    assert here.changed("job_present", "x", config={**DAILY, "disabled": False}) == {
        "/disabled": {"old": True, "new": False}
    }


def test_a_job_goes_from_a_schedule_to_parents_and_back(here):
    here.changed("job_present", "hello", config=DAILY)
    here.changed("job_present", "x", config={**DAILY, "scheduleTimeZone": "Europe/Berlin"})
    changes = here.changed("job_present", "x", config=AFTER)
    assert (
        changes["/parents"] == {"old": None, "new": ["hello"]}
        and changes["/schedule"]["new"] is None
    )
    assert here.writes()[-1].path.endswith("/dependency")
    changes = here.changed("job_present", "x", config=DAILY)
    assert (
        changes["/parents"] == {"old": ["hello"], "new": None}
        and changes["/schedule"]["old"] is None
    )
    assert here.writes()[-1].path.endswith("/iso8601")


def test_what_is_not_given_is_kept_or_replaced(here):
    config = {
        **DAILY,
        "description": "Daily",
        "environmentVariables": {"LEVEL": 1, "MODE": "fast"},
        "owner": "ops@example.com",
    }
    here.changed("job_present", "x", config=config)
    here.kept("job_present", "x", config={"retries": 2})
    changes = here.changed(
        "job_present", "x", config={**DAILY, "owner": "ops@example.com"}, mode="replace"
    )
    assert changes == {
        "/description": {"old": "Daily", "new": ""},
        "/environmentVariables/LEVEL": {"old": "1", "new": None},
        "/environmentVariables/MODE": {"old": "fast", "new": None},
    }


@pytest.mark.parametrize(
    "version, warning",
    [(VERSIONS[0], "leaves out the runs that it has missed"), (VERSIONS[1], "runs it at once")],
)
def test_a_start_in_the_past_is_warned_of_when_the_job_is_made_and_then_no_more(
    place, version, warning
):
    here, config = place(version), {**DAILY, "schedule": "R/2020-01-01T00:00:00Z/PT24H"}
    comments = [here("job_present", "x", test, config=config)["comment"] for test in (True, False)]
    said = f". x: schedule: begins in the past, at 2020-01-01T00:00:00+00:00: Chronos {version[0]} {warning}"
    assert comments == [f"x would be created{said}", f"x was created{said}"]
    until(lambda: here.call("job", "x")["schedule"] != config["schedule"])
    here.kept("job_present", "x", config=config)
    assert here("job_present", "x", config=config)["comment"] == "x is as declared"


def test_a_job_that_becomes_visible_late_is_waited_for(place):
    here = place()
    here.server.loop = 0.7
    here.changed("job_present", "x", config=DAILY)
    assert here.call("job_exists", "x") is True


def test_a_job_that_chronos_drops_fails_the_state_without_changes(here, monkeypatch):
    monkeypatch.setattr(here.server, "_put", lambda job: None)
    assert here.fails("job_present", "x", config=DAILY, wait_visible=0.3).startswith(
        "Chronos accepted the job 'x', and it is not there: "
    )


def test_what_chronos_takes_and_does_not_keep_fails_the_state(here, monkeypatch):
    here.changed("job_present", "x", config=DAILY)
    monkeypatch.setattr(here.server, "_put", lambda job: None)
    changes, comment = here.breaks(
        "job_present", "x", config={**DAILY, "retries": 5, "description": "Daily"}
    )
    assert sorted(changes) == ["/description", "/retries"]
    assert comment == "What was sent Chronos did not keep as it was: x: description, retries"


def test_secrets_are_hidden_unless_they_are_to_be_shown(here):
    config = {**DAILY, "environmentVariables": {"DB_PASSWORD": "sesame", "USER": "me"}}
    changes = here.changed("job_present", "x", config=config)
    assert changes["/"]["new"]["environmentVariables"] == [
        {"name": "DB_PASSWORD", "value": "***"},
        {"name": "USER", "value": "me"},
    ]
    config["environmentVariables"]["DB_PASSWORD"] = "simsim"
    answer = here("job_present", "x", True, config=config, show_secrets=True)
    assert answer["changes"] == {
        "/environmentVariables/DB_PASSWORD": {"old": "sesame", "new": "simsim"}
    }
    changes = here.changed("jobs_present", "all", jobs={"x": config})
    assert changes == {"x": {"/environmentVariables/DB_PASSWORD": {"old": "***", "new": "***"}}}
    assert "simsim" not in str(here.changed("job_absent", "x")["/"]["old"])


# --- no job ---


def test_a_job_is_deleted_once_and_not_while_others_run_after_it(here):
    here("jobs_present", "all", jobs={"hello": DAILY, "x": AFTER, "y": after("x", "hello")})
    assert here.refused("job_absent", "hello").startswith(
        "x, y run after 'hello', and would lose most of their fields"
    )
    for name in ("y", "x", "hello"):
        changes = here.changed("job_absent", name)
        assert (
            list(changes) == ["/"]
            and changes["/"]["old"]["name"] == name
            and changes["/"]["new"] is None
        )
        assert "successCount" not in changes["/"]["old"]
    here.kept("job_absent", "nosuch")


def test_a_job_is_deleted_in_spite_of_others_with_all_that_becomes_of_these(here):
    rich = {
        **AFTER,
        "description": "Reports",
        "environmentVariables": {"PASSWORD": "sesame"},
        "retries": 5,
        "taskInfoData": "a",
        "container": {"image": "busybox:1.36"},
        "runAsUser": "nobody",
        "shell": False,
        "arguments": ["-v"],
    }
    here("jobs_present", "all", jobs={"hello": DAILY, "x": rich, "y": after("x")})
    changes = here.changed("job_absent", "x", children="allow")
    assert changes["y"] == {"/parents": {"old": ["x"], "new": ["hello"]}}
    here("job_present", "x", config=rich)
    answer = here("job_absent", "hello", True, children="allow")
    assert (
        answer["comment"]
        == "hello would be deleted, and Chronos would change what runs after it: x, y"
    )
    changes = here.changed("job_absent", "hello", children="allow")
    assert changes["x"] == {
        "/parents": {"old": ["hello"], "new": None},
        "/schedule": {"old": None, "new": DAILY["schedule"]},
        "/scheduleTimeZone": {"old": None, "new": ""},
        "/description": {"old": "Reports", "new": ""},
        "/environmentVariables/PASSWORD": {"old": "***", "new": None},
        "/runAsUser": {"old": "nobody", "new": ""},
        "/container": {"old": changes["x"]["/container"]["old"], "new": None},
        "/shell": {"old": False, "new": True},
        "/arguments": {"old": ["-v"], "new": []},
    }
    assert here.call("job", "x")["retries"] == 5


def test_what_is_deleted_and_still_there_fails_the_state(here, monkeypatch):
    here.changed("job_present", "x", config=DAILY)
    monkeypatch.setattr(here.server, "jobs", Sticky(here.server.jobs))
    assert here.breaks("job_absent", "x")[1] == "x was deleted, but Chronos has it again"


class Sticky(dict):
    """Keeps what is deleted."""

    def __delitem__(self, name):
        pass


# --- many jobs ---


DAG = {
    "report": after("left", "right"),
    "right": after("first"),
    "left": after("first"),
    "first": DAILY,
}


def test_many_jobs_are_made_parents_first_as_a_test_tells_it_and_read_at_once(here):
    changes = here.changed("jobs_present", "all", jobs=DAG)
    assert changes.keys() == DAG.keys() and all(
        list(paths) == ["/"] and paths["/"]["old"] is None for paths in changes.values()
    )
    order = [json.loads(asked.body)["name"] for asked in here.writes()]
    assert order[0] == "first" and order[-1] == "report" and sorted(order) == sorted(DAG)
    assert here.call("graph")["report"]["parents"] == ["left", "right"]
    before = len(here.server.requests)
    assert (
        here("jobs_present", "all", jobs=DAG)["comment"]
        == "report, right, left, first are as declared"
    )
    assert len(here.server.requests) - before <= 3


def test_a_hundred_jobs_that_are_as_declared_cost_three_requests_at_most(place):
    here = place()
    jobs = {f"job-{number}": after("job-0") if number else DAILY for number in range(100)}
    changes = here("jobs_present", "all", jobs=jobs)["changes"]
    assert changes.keys() == jobs.keys()
    before = len(here.server.requests)
    assert here("jobs_present", "all", jobs=jobs)["comment"].endswith(
        "job-8, job-9 and 90 more are as declared"
    )
    assert len(here.server.requests) - before <= 3


def test_of_many_jobs_only_those_that_differ_are_sent_and_told(here):
    here.changed("jobs_present", "all", jobs=DAG)
    before = len(here.writes())
    jobs = {
        **DAG,
        "left": {**DAG["left"], "retries": 5},
        "report": after("left", "new"),
        "new": after("right"),
    }
    answer = here("jobs_present", "all", True, jobs=jobs)
    assert answer["comment"] == "new would be created; report, left would be updated"
    changes = here.changed("jobs_present", "all", jobs=jobs)
    assert changes["left"] == {"/retries": {"old": 2, "new": 5}} and list(changes["new"]) == ["/"]
    assert (
        changes["report"] == {"/parents": {"old": ["left", "right"], "new": ["left", "new"]}}
        and len(changes) == 3
    )
    assert [json.loads(asked.body)["name"] for asked in here.writes()[before:]][-1] == "report"
    assert len(here.writes()) == before + 3


def test_who_runs_after_whom_can_be_turned_round(here):
    here.changed("jobs_present", "all", jobs={"a": DAILY, "b": after("a"), "c": after("b")})
    assert here.changed(
        "jobs_present", "all", jobs={"a": after("b"), "b": after("c"), "c": DAILY}
    ).keys() == {"a", "b", "c"}


def test_parents_that_are_there_need_not_be_declared(here):
    here.changed("job_present", "hello", config=DAILY)
    assert list(here.changed("jobs_present", "all", jobs={"x": AFTER})) == ["x"]


def test_all_that_is_wrong_with_many_jobs_is_told_at_once_and_nothing_is_sent(here):
    here.changed("job_present", "there", config=DAILY)
    comment = here.refused(
        "jobs_present",
        "all",
        jobs={
            "a": after("b"),
            "b": after("a", "there"),
            "c": AFTER,
            "d": {**DAILY, "schedule": "daily"},
            "e": {**DAILY, "comand": "true"},
            "f": {"command": "true"},
            "g": DAILY,
            "h": after("h"),
        },
    )
    for part in (
        "a: parents: 'a' would run after itself, by way of b",
        "b: parents: 'b' would run after itself, by way of a",
        "c: parents: There is no job called 'hello'",
        "d: schedule: 'daily' is no schedule",
        "e: config: comand: no such field",
        "f: config: a new job needs a schedule or parents",
        "h: parents: 'h' would run after itself",
    ):
        assert part in comment, comment
    assert "; g: " not in comment


def test_of_many_jobs_those_that_were_written_before_an_error_are_told(here, monkeypatch):
    put = here.server._put

    def refusing(job):
        if job["name"] == "report":
            raise Failure(500, "No space left")
        put(job)

    monkeypatch.setattr(here.server, "_put", refusing)
    changes, comment = here.breaks("jobs_present", "all", jobs=DAG)
    assert (
        changes.keys() == {"first", "left", "right"}
        and comment.startswith("report: POST ")
        and "No space left" in comment
    )
    monkeypatch.undo()
    assert here.changed("jobs_present", "all", jobs=DAG).keys() == {"report"}


def test_only_jobs_of_the_owner_that_are_not_declared_are_purged_children_first(here):
    owned = {"owner_name": "nightly", "purge": True}
    here.changed("jobs_present", "all", jobs={"mine": DAILY}, owner_name="other")
    here.changed("job_present", "nobodys", config=DAILY)
    changes = here.changed("jobs_present", "all", jobs=DAG, **owned)
    assert changes["first"]["/"]["new"]["ownerName"] == "nightly" and changes.keys() == DAG.keys()
    before = len(here.writes())
    answer = here("jobs_present", "all", True, jobs={"first": DAILY}, **owned)
    assert answer["comment"] == "left, report, right would be deleted"
    changes = here.changed("jobs_present", "all", jobs={"first": DAILY}, **owned)
    assert {job: list(paths) for job, paths in changes.items()} == {
        "left": ["/"],
        "report": ["/"],
        "right": ["/"],
    }
    assert [asked.method for asked in here.writes()[before:]] == ["DELETE"] * 3 and here.writes()[
        before
    ].path.endswith("/report")
    assert here.changed("jobs_present", "all", jobs={}, **owned).keys() == {"first"}
    assert here.call("jobs").keys() == {"mine", "nobodys"}


def test_jobs_that_are_to_be_gone_are_deleted_children_first_and_not_while_others_run_after_them(
    here,
):
    here.changed("jobs_present", "all", jobs=DAG)
    comment = here.refused(
        "jobs_present", "all", jobs={"right": DAG["right"]}, absent=["first", "left", "report"]
    )
    assert comment == "right: runs after first, which would be deleted"
    changes = here.changed(
        "jobs_present", "all", jobs={"right": DAILY}, absent=["first", "left", "report", "nosuch"]
    )
    assert list(changes) == ["right", "first", "left", "report"] and sorted(changes["right"]) == [
        "/parents",
        "/schedule",
    ]
    assert here.writes()[-1].path.endswith("/first") and here.call("jobs").keys() == {"right"}


def test_what_others_run_after_is_not_purged(here):
    owned = {"owner_name": "nightly", "purge": True}
    here.changed("jobs_present", "all", jobs={"hello": DAILY}, **owned)
    here.changed("job_present", "x", config=AFTER)
    assert (
        here.refused("jobs_present", "all", jobs={}, **owned)
        == "x: runs after hello, which would be deleted"
    )
    comment = here.refused("jobs_present", "all", jobs={"y": {**AFTER, "ownerName": "me"}}, **owned)
    assert comment.startswith(
        "y: ownerName: 'me' should be 'nightly', as owner_name says; x: runs after hello"
    )


# --- runs ---


@pytest.mark.parametrize("requisite", ["watch", "onchanges", "listen"])
def test_a_job_is_run_once_if_what_is_watched_changes(place, requisite):
    here = place()
    here.changed("job_present", "x", config={**DAILY, "command": "echo"})
    run = {"/run": {"old": False, "new": True}}

    def apply(changes, test=False, state="job_run", **arguments):
        given = [{key: value} for key, value in {"name": "x", "url": here.url, **arguments}.items()]
        answers = here.salt.call(
            "state.high",
            {
                "seen": {
                    "test": [f"succeed_{changes}_changes"],
                    "__sls__": "unit",
                    "__env__": "base",
                },
                "run": {
                    "chronos": [state, {requisite: [{"test": "seen"}]}, *given],
                    "__sls__": "unit",
                    "__env__": "base",
                },
            },
            test=test,
        )
        return max(
            (answer for tag, answer in answers.items() if tag.startswith("chronos_")),
            key=lambda answer: answer["__run_num__"],
        )

    assert apply("without")["changes"] == {} and not here.agents.launched
    if requisite != "listen":  # of which Salt tells nothing in a test
        told = apply("with", test=True)
        assert (told["result"], told["changes"], told["comment"]) == (
            None,
            run,
            "x would be told to run",
        ) and not here.agents.launched
    done = apply("with", arguments="now")
    assert (done["result"], done["changes"], done["comment"]) == (True, run, "x was told to run")
    until(lambda: [each["command"]["value"] for each in here.agents.launched] == ["echo now"])
    if requisite == "watch":
        assert (
            "arguments: 'a;b' should be text without a ;"
            in apply("with", arguments="a;b")["comment"]
        )
        assert apply("with", name="y")["comment"] == "There is no job called 'y'"
        assert (
            "chronos.job_present cannot watch; chronos.job_run can"
            in apply("with", state="job_present", config=DAILY | {"command": "echo"})["comment"]
        )


# --- several states ---


def test_several_states_tell_in_a_test_what_they_then_do_together(here):
    declared = [
        ("job_present", "hello", {"config": DAILY}),
        ("job_present", "x", {"config": AFTER}),
        ("jobs_present", "more", {"jobs": {"y": after("x")}}),
        ("job_present", "z", {"config": after("y", "hello")}),
    ]
    told, done = (here.states(*declared, test=test) for test in (True, False))
    assert [answer["result"] for answer in told] == [None] * 4 and [
        answer["result"] for answer in done
    ] == [True] * 4, (told, done)
    assert [answer["changes"] for answer in told] == [answer["changes"] for answer in done]
    declared = [
        ("job_absent", "z", {}),
        ("job_present", "y", {"config": after("hello")}),
        ("job_absent", "x", {}),
        ("job_present", "v", {"config": after("x")}),
    ]
    told, done = (here.states(*declared, test=test) for test in (True, False))
    results = [[answer["result"] for answer in answers] for answers in (told, done)]
    assert results == [[None] * 3 + [False], [True] * 3 + [False]], [
        answer["comment"] for answer in told + done
    ]
    assert [answer["changes"] for answer in told] == [answer["changes"] for answer in done]
    assert (
        told[3]["comment"] == done[3]["comment"]
        and "There is no job called 'x'" in told[3]["comment"]
    )


def test_what_a_test_tells_of_another_chronos_does_not_count(here, place):
    other = place().url
    told = here.states(
        ("job_present", "hello", {"config": DAILY, "url": other}),
        ("job_present", "x", {"config": AFTER}),
        test=True,
    )
    assert [answer["result"] for answer in told] == [
        None,
        False,
    ] and "There is no job called 'hello'" in told[1]["comment"]


# --- files ---


def test_jobs_may_be_files(here):
    hello = here.salt.serve(
        "jobs/hello.yaml", "command: 'true'\nschedule: R/2030-01-31T06:00:00Z/PT24H\n"
    )
    x = here.salt.serve("jobs/x.json", json.dumps(AFTER))
    every = here.salt.serve("jobs/all.yaml", f"hello: {hello}\nx: {x}\n")
    here.changed("job_present", "hello", config=hello)
    assert list(here.changed("jobs_present", "all", jobs={"hello": hello, "x": x})) == ["x"]
    here.kept("jobs_present", "all", jobs=every)
    here.kept("jobs_present", "all", jobs={"hello": DAILY, "x": AFTER})


# --- what is wrong ---


@pytest.mark.parametrize(
    "state, arguments, said",
    [
        (
            "job_present",
            {"config": {"comand": "x"}},
            "x: config: comand: no such field. A job has ",
        ),
        (
            "job_present",
            {"config": {**DAILY, "command": 5}},
            "x: command: 5 should be text. A number or a truth value needs quotes",
        ),
        (
            "job_present",
            {"config": {**DAILY, "disabled": "no"}},
            "x: disabled: 'no' should be true or false",
        ),
        (
            "job_present",
            {"config": {**DAILY, "schedule": "daily"}},
            "x: schedule: 'daily' is no schedule. It looks like R/2030-01-01T",
        ),
        (
            "job_present",
            {"config": {**DAILY, "name": "y"}},
            "x: config: says name: 'y', and the job is called 'x'",
        ),
        (
            "job_present",
            {"config": {**DAILY, "parents": ["y"]}},
            "x: schedule: there is parents, too. Give one of them",
        ),
        (
            "job_present",
            {"config": {"command": "true"}},
            "x: config: a new job needs a schedule or parents",
        ),
        ("job_present", {"config": AFTER}, "x: parents: There is no job called 'hello'"),
        (
            "job_present",
            {"config": {**DAILY, "environmentVariables": {"PASSWORD": ["sesame"]}}},
            "x: environmentVariables: its value should",
        ),
        (
            "job_present",
            {"config": {**DAILY, "container": {"parameters": [{"PASSWORD": "sesame"}]}}},
            "x: container: its value should be a",
        ),
        ("job_present", {"config": [DAILY]}, "config: "),
        (
            "job_present",
            {"config": "salt://nosuch.yaml"},
            "config: salt://nosuch.yaml is not on Salt's file server",
        ),
        (
            "job_present",
            {"config": DAILY, "mode": "patch"},
            "mode: 'patch' should be merge or replace",
        ),
        (
            "job_present",
            {"config": DAILY, "match": "strict"},
            "match: 'strict' should be equivalent or period",
        ),
        (
            "job_present",
            {"config": DAILY, "reset_schedule": "yes"},
            "reset_schedule: 'yes' should be true or false",
        ),
        (
            "job_present",
            {"config": DAILY, "reset_counters": 1},
            "reset_counters: 1 should be True or False",
        ),
        (
            "job_present",
            {"config": DAILY, "wait_visible": -1},
            "wait_visible: -1 should be a number of seconds from 0 to 3600",
        ),
        ("job_present", {"config": DAILY, "reset_shedule": True}, "reset_shedule"),
        ("job_absent", {"children": "yes"}, "children: 'yes' should be refuse or allow"),
        ("jobs_present", {"jobs": [DAILY]}, "jobs: "),
        (
            "jobs_present",
            {"jobs": {"y": "hello"}},
            "jobs: y: 'hello' should be a mapping, or a file",
        ),
        (
            "jobs_present",
            {"jobs": {"a/b": DAILY}},
            "a/b: name: 'a/b' should be made of letters, digits",
        ),
        (
            "jobs_present",
            {"jobs": {"y": DAILY}, "purge": True},
            "purge: True should be False without owner_name",
        ),
        (
            "jobs_present",
            {"jobs": {"y": DAILY}, "absent": "y"},
            "absent: 'y' should be a list of names of jobs",
        ),
        (
            "jobs_present",
            {"jobs": {"y": DAILY}, "absent": ["y"]},
            "absent: 'y' should be no job that is to be there",
        ),
        ("jobs_present", {"jobs": {"y": DAILY}, "owner_name": 5}, "owner_name: 5 should be text"),
    ],
    ids=str,
)
def test_wrong_arguments_are_named_and_nothing_is_sent(place, state, arguments, said):
    comment = place().refused(state, "x", **arguments)
    assert said in comment and "sesame" not in comment


@pytest.mark.parametrize(
    "state, arguments",
    [
        ("job_present", {"config": DAILY}),
        ("job_absent", {}),
        ("jobs_present", {"jobs": {"x": DAILY}}),
    ],
)
def test_who_does_not_answer_is_named(salt, nobody, state, arguments):
    answer = salt(f"chronos.{state}", name="x", url=nobody, retries=0, **arguments)
    assert (answer["result"], answer["changes"]) == (False, {}) and nobody in answer["comment"]
