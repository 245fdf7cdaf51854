"""The states for Chronos, applied by the real Salt to fake daemons of Chronos 2.5 and 3.0."""

import json
from datetime import UTC, datetime

import applying
import pytest
from mesos_world import until

from lab.fakes.chronos.jobs import Failure
from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.wire.election import MemoryRoom

# Both lines apply every state in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

VERSIONS = ["2.5.0", "3.0.2"]
BEGIN = datetime(2030, 1, 31, 6, tzinfo=UTC)
DAY = 86400
DAILY = {"command": "true", "schedule": "R/2030-01-31T06:00:00Z/PT24H"}


def after(*parents):
    return {"command": "true", "parents": list(parents)}


AFTER = after("hello")
FINITE = {**DAILY, "schedule": "R3/2030-01-31T06:00:00Z/P1D"}
# Declared fields, fields to change afterwards, the paths of that change, and days in between.
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
def start_chronos(salt, running):
    """Return a function that starts a Chronos of a version, with one agent."""

    def start(version=VERSIONS[-1]):
        local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
        agents = Agents(agent("lxb001.devops.test", {"rack": "r1"}))
        server = Chronos(local, None, version, servers=MemoryRoom(), agents=agents)
        server.loop = 0.05
        return ChronosStates(salt, running(server), agents)

    return start


@pytest.fixture(params=VERSIONS)
def chronos(request, start_chronos):
    """A running Chronos, in each version."""
    return start_chronos(request.param)


class ChronosStates(applying.StateRunner):
    service = "chronos"

    def __init__(self, salt, server, agents):
        self.salt, self.server, self.agents, self.url = salt, server, agents, server.url

    def days(self, number):
        """Let days pass, one by one, and each run end before the next one."""
        for _ in range(number):
            self.server.advance(DAY)
            until(lambda: not any(run.launched for run in self.server.runs.values()))

    def until_begin(self):
        self.server.advance((BEGIN - self.server.now()).total_seconds() + 60)

    def exhausted(self, name):
        """Let days pass until a job has no runs left."""
        self.until_begin()
        self.days(9)
        until(lambda: self.call("job", name)["disabled"])
        return self.call("job", name)

    def writes(self):
        return [
            request for request in self.server.requests if request.method not in ("GET", "HEAD")
        ]

    def last_sent(self):
        """Return the last job that was sent."""
        return json.loads(self.writes()[-1].body)


# --- a job ---


@pytest.mark.parametrize("chronos", ["2.4.0", *VERSIONS], indirect=True)
@pytest.mark.parametrize("case", JOBS)
def test_a_job_is_created_once_and_only_another_value_is_a_change_after_some_runs(
    chronos, case, cell
):
    cell("Jobs of Chronos: created, unchanged, changed", case, chronos.server.version)
    config, change, paths, days = JOBS[case]
    chronos("job_present", "hello", config=DAILY)
    changes = chronos.changed("job_present", "x", config=config)
    assert (
        list(changes) == ["/"]
        and changes["/"]["old"] is None
        and changes["/"]["new"].keys() >= {"command"}
    ), changes
    chronos.until_begin()
    chronos.days(days)
    now = chronos.call("job", "x")
    assert (
        now.get("schedule") != config["schedule"]
        if "schedule" in config
        else now["parents"] == ["hello"]
    ), now
    chronos.unchanged("job_present", "x", config=config)
    chronos.unchanged("job_present", "x", config=config, mode="replace")
    assert sorted(chronos.changed("job_present", "x", config={**config, **change})) == paths


def test_a_job_without_runs_left_is_as_declared_and_a_change_does_not_enable_it(chronos):
    chronos.changed("job_present", "x", config=FINITE)
    over = chronos.exhausted("x")
    assert over["schedule"].startswith("R0/")
    chronos.unchanged("job_present", "x", config=FINITE)
    chronos.unchanged("job_present", "x", config={**FINITE, "disabled": False})
    described = {**FINITE, "disabled": False, "description": "Three times"}
    assert list(chronos.changed("job_present", "x", config=described)) == ["/description"]
    chronos.days(3)
    now = chronos.call("job", "x")
    assert (now["disabled"], now["successCount"]) == (True, over["successCount"])
    assert now["schedule"] == over["schedule"]


def test_a_new_schedule_enables_a_job_without_runs_left_unless_it_is_declared_disabled(chronos):
    chronos.changed("job_present", "x", config=FINITE)
    done = chronos.exhausted("x")["successCount"]
    again = {**FINITE, "schedule": "R2/2031-01-31T06:00:00Z/P1D"}
    assert list(
        chronos("job_present", "x", True, config={**again, "disabled": True})["changes"]
    ) == ["/schedule"]
    assert chronos.changed("job_present", "x", config=again)["/disabled"] == {
        "old": True,
        "new": False,
    }
    chronos.days(380)
    until(lambda: chronos.call("job", "x")["successCount"] > done)
    chronos.unchanged("job_present", "x", config=again)


def test_an_update_sends_the_current_schedule_and_counters_and_starts_no_run(chronos):
    chronos.changed("job_present", "x", config=DAILY)
    chronos.until_begin()
    chronos.days(3)
    until(lambda: chronos.call("jobs_summary")["x"]["state"] == "idle")
    before, tasks = chronos.call("job", "x"), len(chronos.agents.launched)
    assert list(chronos.changed("job_present", "x", config={**DAILY, "description": "Daily"})) == [
        "/description"
    ]
    assert (
        chronos.last_sent()["schedule"] == before["schedule"] != DAILY["schedule"]
        and chronos.last_sent()["successCount"] == before["successCount"] > 0
    )
    chronos.server.turn()
    assert (
        chronos.call("job", "x") == {**before, "description": "Daily"}
        and len(chronos.agents.launched) == tasks
    )


def test_a_change_resets_schedule_and_counters_only_if_requested(chronos):
    chronos.changed("job_present", "x", config=DAILY)
    chronos.until_begin()
    chronos.days(3)
    count = 4  # of the first day and of three more
    until(lambda: chronos.call("job", "x")["successCount"] == count)
    anew = {"reset_schedule": True, "reset_counters": True}
    chronos.unchanged("job_present", "x", config=DAILY, **anew)
    with chronos.server.lock:
        chronos.server.ahead = 0.0
    changes = chronos.changed("job_present", "x", config={**DAILY, "retries": 5}, **anew)
    assert {"/retries", "/schedule", "/successCount", "/lastSuccess"} == changes.keys()
    assert (
        changes["/successCount"] == {"old": count, "new": 0}
        and changes["/schedule"]["new"] == DAILY["schedule"]
    )
    assert (
        chronos.last_sent()["schedule"] == DAILY["schedule"]
        and chronos.call("job", "x")["successCount"] == 0
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
def test_another_period_phase_or_number_of_repetitions_is_a_change(
    start_chronos, schedule, match, same
):
    chronos = start_chronos()
    chronos.changed("job_present", "x", config=DAILY)
    arguments = {"config": {**DAILY, "schedule": schedule}, "match": match}
    if same:
        chronos.unchanged("job_present", "x", **arguments)
    else:
        assert list(chronos.changed("job_present", "x", **arguments)) == ["/schedule"]


def test_another_time_zone_is_a_change(chronos):
    config = {
        "command": "true",
        "schedule": "R/2030-01-31T06:00:00/P1D",
        "scheduleTimeZone": "Europe/Berlin",
    }
    chronos.changed("job_present", "x", config=config)
    changes = chronos.changed(
        "job_present", "x", config={**config, "scheduleTimeZone": "America/New_York"}
    )
    assert changes == {"/scheduleTimeZone": {"old": "Europe/Berlin", "new": "America/New_York"}}


def test_disabled_is_compared_only_if_it_is_declared(chronos):
    chronos.changed("job_present", "x", config=DAILY)
    chronos.call("update_job", "x", {"disabled": True})
    chronos.unchanged("job_present", "x", config=DAILY)
    assert list(chronos.changed("job_present", "x", config={**DAILY, "retries": 5})) == ["/retries"]
    assert chronos.call("job", "x")["disabled"] is True
    chronos.unchanged("job_present", "x", config={**DAILY, "retries": 5}, mode="replace")
    assert chronos.changed("job_present", "x", config={**DAILY, "disabled": False}) == {
        "/disabled": {"old": True, "new": False}
    }


def test_a_job_can_change_from_a_schedule_to_parents_and_back(chronos):
    chronos.changed("job_present", "hello", config=DAILY)
    chronos.changed("job_present", "x", config={**DAILY, "scheduleTimeZone": "Europe/Berlin"})
    changes = chronos.changed("job_present", "x", config=AFTER)
    assert (
        changes["/parents"] == {"old": None, "new": ["hello"]}
        and changes["/schedule"]["new"] is None
    )
    assert chronos.writes()[-1].path.endswith("/dependency")
    changes = chronos.changed("job_present", "x", config=DAILY)
    assert (
        changes["/parents"] == {"old": ["hello"], "new": None}
        and changes["/schedule"]["old"] is None
    )
    assert chronos.writes()[-1].path.endswith("/iso8601")


def test_omitted_fields_stay_or_get_their_defaults_depending_on_the_mode(chronos):
    config = {
        **DAILY,
        "description": "Daily",
        "environmentVariables": {"LEVEL": 1, "MODE": "fast"},
        "owner": "ops@example.com",
    }
    chronos.changed("job_present", "x", config=config)
    chronos.unchanged("job_present", "x", config={"retries": 2})
    changes = chronos.changed(
        "job_present", "x", config={**DAILY, "owner": "ops@example.com"}, mode="replace"
    )
    assert changes == {
        "/description": {"old": "Daily", "new": ""},
        "/environmentVariables/LEVEL": {"old": "1", "new": None},
        "/environmentVariables/MODE": {"old": "fast", "new": None},
    }


@pytest.mark.parametrize(
    "version, warning",
    [(VERSIONS[0], "skips the missed runs"), (VERSIONS[1], "runs the job immediately")],
)
def test_a_start_in_the_past_causes_a_warning_only_when_the_job_is_created(
    start_chronos, version, warning
):
    chronos, config = start_chronos(version), {**DAILY, "schedule": "R/2020-01-01T00:00:00Z/PT24H"}
    comments = [
        chronos("job_present", "x", test, config=config)["comment"] for test in (True, False)
    ]
    message = (
        ". x: schedule: the start 2020-01-01T00:00:00+00:00 is in the past, "
        f"so Chronos {version[0]} {warning}"
    )
    assert comments == [f"x would be created{message}", f"x was created{message}"]
    until(lambda: chronos.call("job", "x")["schedule"] != config["schedule"])
    chronos.unchanged("job_present", "x", config=config)
    assert chronos("job_present", "x", config=config)["comment"] == "x is as declared"


def test_the_state_waits_for_a_job_that_becomes_visible_late(start_chronos):
    chronos = start_chronos()
    chronos.server.loop = 0.7
    chronos.changed("job_present", "x", config=DAILY)
    assert chronos.call("job_exists", "x") is True


def test_the_state_fails_without_changes_if_chronos_drops_the_job(chronos, monkeypatch):
    monkeypatch.setattr(chronos.server, "_put", lambda job: None)
    assert chronos.fails("job_present", "x", config=DAILY, wait_visible=0.3).startswith(
        "Chronos accepted the job 'x', but it does not exist: "
    )


def test_the_state_fails_if_chronos_accepts_fields_but_does_not_store_them(chronos, monkeypatch):
    chronos.changed("job_present", "x", config=DAILY)
    monkeypatch.setattr(chronos.server, "_put", lambda job: None)
    changes, comment = chronos.fails_with_changes(
        "job_present", "x", config={**DAILY, "retries": 5, "description": "Daily"}
    )
    assert sorted(changes) == ["/description", "/retries"]
    assert comment == "Chronos did not store as sent: x: description, retries"


def test_secrets_are_redacted_unless_show_secrets_is_set(chronos):
    config = {**DAILY, "environmentVariables": {"DB_PASSWORD": "sesame", "USER": "me"}}
    changes = chronos.changed("job_present", "x", config=config)
    assert changes["/"]["new"]["environmentVariables"] == [
        {"name": "DB_PASSWORD", "value": "***"},
        {"name": "USER", "value": "me"},
    ]
    config["environmentVariables"]["DB_PASSWORD"] = "simsim"
    answer = chronos("job_present", "x", True, config=config, show_secrets=True)
    assert answer["changes"] == {
        "/environmentVariables/DB_PASSWORD": {"old": "sesame", "new": "simsim"}
    }
    changes = chronos.changed("jobs_present", "all", jobs={"x": config})
    assert changes == {"x": {"/environmentVariables/DB_PASSWORD": {"old": "***", "new": "***"}}}
    assert "simsim" not in str(chronos.changed("job_absent", "x")["/"]["old"])


# --- absent jobs ---


def test_a_job_is_deleted_once_and_not_while_other_jobs_run_after_it(chronos):
    chronos("jobs_present", "all", jobs={"hello": DAILY, "x": AFTER, "y": after("x", "hello")})
    assert chronos.rejected("job_absent", "hello").startswith(
        "x, y run after 'hello', and Chronos would reset most of their fields"
    )
    for name in ("y", "x", "hello"):
        changes = chronos.changed("job_absent", name)
        assert (
            list(changes) == ["/"]
            and changes["/"]["old"]["name"] == name
            and changes["/"]["new"] is None
        )
        assert "successCount" not in changes["/"]["old"]
    chronos.unchanged("job_absent", "nosuch")


def test_deleting_a_job_with_children_reports_what_changes_in_the_children(chronos):
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
    chronos("jobs_present", "all", jobs={"hello": DAILY, "x": rich, "y": after("x")})
    changes = chronos.changed("job_absent", "x", children="allow")
    assert changes["y"] == {"/parents": {"old": ["x"], "new": ["hello"]}}
    chronos("job_present", "x", config=rich)
    answer = chronos("job_absent", "hello", True, children="allow")
    assert (
        answer["comment"]
        == "hello would be deleted, and Chronos would change the jobs that run after it: x, y"
    )
    changes = chronos.changed("job_absent", "hello", children="allow")
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
    assert chronos.call("job", "x")["retries"] == 5


def test_the_state_fails_if_a_deleted_job_still_exists(chronos, monkeypatch):
    chronos.changed("job_present", "x", config=DAILY)
    monkeypatch.setattr(chronos.server, "jobs", Sticky(chronos.server.jobs))
    assert chronos.fails_with_changes("job_absent", "x")[1] == "x was deleted, but it exists again"


class Sticky(dict):
    """A dict that ignores deletions."""

    def __delitem__(self, name):
        pass


# --- many jobs ---


DAG = {
    "report": after("left", "right"),
    "right": after("first"),
    "left": after("first"),
    "first": DAILY,
}


def test_many_jobs_are_created_parents_first_as_predicted_and_read_with_few_requests(chronos):
    changes = chronos.changed("jobs_present", "all", jobs=DAG)
    assert changes.keys() == DAG.keys() and all(
        list(paths) == ["/"] and paths["/"]["old"] is None for paths in changes.values()
    )
    order = [json.loads(request.body)["name"] for request in chronos.writes()]
    assert order[0] == "first" and order[-1] == "report" and sorted(order) == sorted(DAG)
    assert chronos.call("graph")["report"]["parents"] == ["left", "right"]
    before = len(chronos.server.requests)
    assert (
        chronos("jobs_present", "all", jobs=DAG)["comment"]
        == "report, right, left, first are as declared"
    )
    assert len(chronos.server.requests) - before <= 3


def test_a_hundred_jobs_that_are_as_declared_cost_three_requests_at_most(start_chronos):
    chronos = start_chronos()
    jobs = {f"job-{number}": after("job-0") if number else DAILY for number in range(100)}
    changes = chronos("jobs_present", "all", jobs=jobs)["changes"]
    assert changes.keys() == jobs.keys()
    before = len(chronos.server.requests)
    assert chronos("jobs_present", "all", jobs=jobs)["comment"].endswith(
        "job-8, job-9 and 90 more are as declared"
    )
    assert len(chronos.server.requests) - before <= 3


def test_only_the_jobs_that_differ_are_sent_and_reported(chronos):
    chronos.changed("jobs_present", "all", jobs=DAG)
    before = len(chronos.writes())
    jobs = {
        **DAG,
        "left": {**DAG["left"], "retries": 5},
        "report": after("left", "new"),
        "new": after("right"),
    }
    answer = chronos("jobs_present", "all", True, jobs=jobs)
    assert answer["comment"] == "new would be created; report, left would be updated"
    changes = chronos.changed("jobs_present", "all", jobs=jobs)
    assert changes["left"] == {"/retries": {"old": 2, "new": 5}} and list(changes["new"]) == ["/"]
    assert (
        changes["report"] == {"/parents": {"old": ["left", "right"], "new": ["left", "new"]}}
        and len(changes) == 3
    )
    assert [json.loads(request.body)["name"] for request in chronos.writes()[before:]][
        -1
    ] == "report"
    assert len(chronos.writes()) == before + 3


def test_the_order_of_parents_and_children_can_be_reversed(chronos):
    chronos.changed("jobs_present", "all", jobs={"a": DAILY, "b": after("a"), "c": after("b")})
    assert chronos.changed(
        "jobs_present", "all", jobs={"a": after("b"), "b": after("c"), "c": DAILY}
    ).keys() == {"a", "b", "c"}


def test_existing_parents_need_not_be_declared(chronos):
    chronos.changed("job_present", "hello", config=DAILY)
    assert list(chronos.changed("jobs_present", "all", jobs={"x": AFTER})) == ["x"]


def test_all_errors_in_many_jobs_are_reported_at_once_and_nothing_is_sent(chronos):
    chronos.changed("job_present", "there", config=DAILY)
    comment = chronos.rejected(
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
        "a: parents: 'a' would run after itself, via b",
        "b: parents: 'b' would run after itself, via a",
        "c: parents: There is no job called 'hello'",
        "d: schedule: 'daily' is not a schedule",
        "e: config: comand: there is no such field",
        "f: config: a new job needs a schedule or parents",
        "h: parents: 'h' would run after itself",
    ):
        assert part in comment, comment
    assert "; g: " not in comment


def test_the_jobs_that_were_written_before_an_error_are_reported(chronos, monkeypatch):
    put = chronos.server._put

    def refusing(job):
        if job["name"] == "report":
            raise Failure(500, "No space left")
        put(job)

    monkeypatch.setattr(chronos.server, "_put", refusing)
    changes, comment = chronos.fails_with_changes("jobs_present", "all", jobs=DAG)
    assert (
        changes.keys() == {"first", "left", "right"}
        and comment.startswith("report: POST ")
        and "No space left" in comment
    )
    monkeypatch.undo()
    assert chronos.changed("jobs_present", "all", jobs=DAG).keys() == {"report"}


def test_purge_deletes_only_undeclared_jobs_of_the_owner_children_first(chronos):
    owned = {"owner_name": "nightly", "purge": True}
    chronos.changed("jobs_present", "all", jobs={"mine": DAILY}, owner_name="other")
    chronos.changed("job_present", "nobodys", config=DAILY)
    changes = chronos.changed("jobs_present", "all", jobs=DAG, **owned)
    assert changes["first"]["/"]["new"]["ownerName"] == "nightly" and changes.keys() == DAG.keys()
    before = len(chronos.writes())
    answer = chronos("jobs_present", "all", True, jobs={"first": DAILY}, **owned)
    assert answer["comment"] == "left, report, right would be deleted"
    changes = chronos.changed("jobs_present", "all", jobs={"first": DAILY}, **owned)
    assert {job: list(paths) for job, paths in changes.items()} == {
        "left": ["/"],
        "report": ["/"],
        "right": ["/"],
    }
    assert [request.method for request in chronos.writes()[before:]] == [
        "DELETE"
    ] * 3 and chronos.writes()[before].path.endswith("/report")
    assert chronos.changed("jobs_present", "all", jobs={}, **owned).keys() == {"first"}
    assert chronos.call("jobs").keys() == {"mine", "nobodys"}


def test_absent_jobs_are_deleted_children_first_and_not_while_a_remaining_job_needs_them(
    chronos,
):
    chronos.changed("jobs_present", "all", jobs=DAG)
    comment = chronos.rejected(
        "jobs_present", "all", jobs={"right": DAG["right"]}, absent=["first", "left", "report"]
    )
    assert comment == "right: runs after first, which would be deleted"
    changes = chronos.changed(
        "jobs_present", "all", jobs={"right": DAILY}, absent=["first", "left", "report", "nosuch"]
    )
    assert list(changes) == ["right", "first", "left", "report"] and sorted(changes["right"]) == [
        "/parents",
        "/schedule",
    ]
    assert chronos.writes()[-1].path.endswith("/first") and chronos.call("jobs").keys() == {"right"}


def test_a_job_is_not_purged_while_a_remaining_job_runs_after_it(chronos):
    owned = {"owner_name": "nightly", "purge": True}
    chronos.changed("jobs_present", "all", jobs={"hello": DAILY}, **owned)
    chronos.changed("job_present", "x", config=AFTER)
    assert (
        chronos.rejected("jobs_present", "all", jobs={}, **owned)
        == "x: runs after hello, which would be deleted"
    )
    comment = chronos.rejected(
        "jobs_present", "all", jobs={"y": {**AFTER, "ownerName": "me"}}, **owned
    )
    assert comment.startswith(
        "y: ownerName: 'me' should be 'nightly', the argument owner_name; x: runs after hello"
    )


# --- runs ---


@pytest.mark.parametrize("requisite", ["watch", "onchanges", "listen"])
def test_a_job_runs_once_if_a_watched_state_changes(start_chronos, requisite):
    chronos = start_chronos()
    chronos.changed("job_present", "x", config={**DAILY, "command": "echo"})
    run = {"/run": {"old": False, "new": True}}

    def apply(changes, test=False, state="job_run", **arguments):
        arguments_list = [
            {key: value} for key, value in {"name": "x", "url": chronos.url, **arguments}.items()
        ]
        answers = chronos.salt.call(
            "state.high",
            {
                "seen": {
                    "test": [f"succeed_{changes}_changes"],
                    "__sls__": "unit",
                    "__env__": "base",
                },
                "run": {
                    "chronos": [state, {requisite: [{"test": "seen"}]}, *arguments_list],
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

    assert apply("without")["changes"] == {} and not chronos.agents.launched
    if requisite != "listen":  # Salt ignores listen in a test run.
        planned = apply("with", test=True)
        assert (planned["result"], planned["changes"], planned["comment"]) == (
            None,
            run,
            "x would be started",
        ) and not chronos.agents.launched
    done = apply("with", arguments="now")
    assert (done["result"], done["changes"], done["comment"]) == (True, run, "x was started")
    until(lambda: [task["command"]["value"] for task in chronos.agents.launched] == ["echo now"])
    if requisite == "watch":
        assert (
            "arguments: 'a;b' should be text without a ;"
            in apply("with", arguments="a;b")["comment"]
        )
        assert apply("with", name="y")["comment"] == "There is no job called 'y'"
        assert (
            "chronos.job_present does not support watch; use chronos.job_run"
            in apply("with", state="job_present", config=DAILY | {"command": "echo"})["comment"]
        )


# --- several states ---


def test_a_test_run_of_several_states_predicts_their_combined_changes(chronos):
    declared = [
        ("job_present", "hello", {"config": DAILY}),
        ("job_present", "x", {"config": AFTER}),
        ("jobs_present", "more", {"jobs": {"y": after("x")}}),
        ("job_present", "z", {"config": after("y", "hello")}),
    ]
    planned, done = (chronos.states(*declared, test=test) for test in (True, False))
    assert [answer["result"] for answer in planned] == [None] * 4 and [
        answer["result"] for answer in done
    ] == [True] * 4, (planned, done)
    assert [answer["changes"] for answer in planned] == [answer["changes"] for answer in done]
    declared = [
        ("job_absent", "z", {}),
        ("job_present", "y", {"config": after("hello")}),
        ("job_absent", "x", {}),
        ("job_present", "v", {"config": after("x")}),
    ]
    planned, done = (chronos.states(*declared, test=test) for test in (True, False))
    results = [[answer["result"] for answer in answers] for answers in (planned, done)]
    assert results == [[None] * 3 + [False], [True] * 3 + [False]], [
        answer["comment"] for answer in planned + done
    ]
    assert [answer["changes"] for answer in planned] == [answer["changes"] for answer in done]
    assert (
        planned[3]["comment"] == done[3]["comment"]
        and "There is no job called 'x'" in planned[3]["comment"]
    )


def test_predicted_changes_on_another_chronos_are_ignored(chronos, start_chronos):
    other_url = start_chronos().url
    planned = chronos.states(
        ("job_present", "hello", {"config": DAILY, "url": other_url}),
        ("job_present", "x", {"config": AFTER}),
        test=True,
    )
    assert [answer["result"] for answer in planned] == [
        None,
        False,
    ] and "There is no job called 'hello'" in planned[1]["comment"]


# --- files ---


def test_jobs_can_be_defined_in_files(chronos):
    hello = chronos.salt.serve(
        "jobs/hello.yaml", "command: 'true'\nschedule: R/2030-01-31T06:00:00Z/PT24H\n"
    )
    x = chronos.salt.serve("jobs/x.json", json.dumps(AFTER))
    every = chronos.salt.serve("jobs/all.yaml", f"hello: {hello}\nx: {x}\n")
    chronos.changed("job_present", "hello", config=hello)
    assert list(chronos.changed("jobs_present", "all", jobs={"hello": hello, "x": x})) == ["x"]
    chronos.unchanged("jobs_present", "all", jobs=every)
    chronos.unchanged("jobs_present", "all", jobs={"hello": DAILY, "x": AFTER})


# --- invalid arguments ---


@pytest.mark.parametrize(
    "state, arguments, message",
    [
        (
            "job_present",
            {"config": {"comand": "x"}},
            "x: config: comand: there is no such field. Did you mean command?",
        ),
        (
            "job_present",
            {"config": {**DAILY, "command": 5}},
            "x: command: 5 should be text. Numbers and booleans need quotes",
        ),
        (
            "job_present",
            {"config": {**DAILY, "disabled": "no"}},
            "x: disabled: 'no' should be true or false",
        ),
        (
            "job_present",
            {"config": {**DAILY, "schedule": "daily"}},
            "x: schedule: 'daily' is not a schedule. Example: R/2030-01-01T",
        ),
        (
            "job_present",
            {"config": {**DAILY, "name": "y"}},
            "x: config: name is 'y', but the job is called 'x'",
        ),
        (
            "job_present",
            {"config": {**DAILY, "parents": ["y"]}},
            "x: schedule: cannot be combined with parents",
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
            "x: environmentVariables.PASSWORD.value: its value should",
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
            "reset_counters: 1 should be true or false",
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
            "absent: y should not be in jobs as well",
        ),
        ("jobs_present", {"jobs": {"y": DAILY}, "owner_name": 5}, "owner_name: 5 should be text"),
    ],
    ids=str,
)
def test_invalid_arguments_are_named_and_nothing_is_sent(start_chronos, state, arguments, message):
    comment = start_chronos().rejected(state, "x", **arguments)
    assert message in comment and "sesame" not in comment


@pytest.mark.parametrize(
    "state, arguments",
    [
        ("job_present", {"config": DAILY}),
        ("job_absent", {}),
        ("jobs_present", {"jobs": {"x": DAILY}}),
    ],
)
def test_a_server_that_does_not_respond_is_named(salt, nobody, state, arguments):
    answer = salt(f"chronos.{state}", name="x", url=nobody, retries=0, **arguments)
    assert (answer["result"], answer["changes"]) == (False, {}) and nobody in answer["comment"]
