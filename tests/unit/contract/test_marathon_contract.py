"""
The fake Marathon 1.8.244 answers as a real one did: each request that was sent to a real server is
sent to the fake, in order. Status, headers, error texts, and names, types and values of members are
compared.
"""

import collections
import json
from pathlib import Path

import pytest
from mesos_world import until

from lab.fakes.marathon import views

from .marathon_replay import Session

DATA = Path(__file__).parent.parent / "data" / "marathon-1.8.244"
RECORDED_EXCHANGES = 1179
MIN_SHARE = 0.8
NOWHERE = [["hostname", "CLUSTER", "nosuch.example"]]
SMALL = {"cmd": "sleep 1000", "cpus": 0.01, "mem": 16}


def exchanges(group: str) -> list[dict]:
    """Return the recorded exchanges of a group in order."""
    return [json.loads(line) for line in (DATA / f"{group}.jsonl").read_text().splitlines()]


def exceptions() -> dict[str, dict]:
    """Return what is left out: reason and names of exchanges, by kind."""
    return json.loads((DATA / "left-out.json").read_text())


def left_out_names() -> set[str]:
    return {name for exception in exceptions().values() for name in exception["names"]}


# --- what happened between the recorded requests ---


def nothing(_session: Session) -> None:
    pass


def apps(session: Session) -> None:
    """A failed task is launched again, and fails once more."""

    def fail() -> None:
        server = session.server
        # The first task has to run before it fails.
        until(lambda: not server.plans)
        session.agents.hold = True
        session.agents.end_failing()
        until(lambda: "/golden-apps/fail" in server.failures)
        until(lambda: session.staged("/golden-apps/fail"))

    def fail_again() -> None:
        session.release()
        until(lambda: "/golden-apps/fail" in session.server.queue)

    session.before = {"apps-fail-get": fail, "apps-fail-queue": fail_again}


def valid_apps(session: Session) -> None:
    session.before = {
        "apps-valid-post-minimal": session.hold,
        "apps-valid-put-get-answer-minimal": session.release,
    }


def deployments(session: Session) -> None:
    """Mesos offers nothing at first. Later an app was changed, whose deployment is canceled."""
    agents, session.agents.agents = session.agents.agents, []
    until(lambda: not session.server.agents)

    def offer() -> None:
        session.agents.agents = agents

    def change() -> None:
        path = "/v2/apps/golden-deployments/wait"
        answer = session.request("PUT", path, {"labels": {"n": "1"}, "instances": 1})
        recorded = "332b98b4-1749-4e15-af39-6e5e92f1fa80"
        session.values[recorded] = json.loads(answer.text)["deploymentId"]

    session.before = {
        "deployments-stuck-tasks": offer,
        "deployments-cancel-force": change,
    }


def groups(session: Session) -> None:
    session.before = {
        "groups-dryrun-create": lambda: session.request("DELETE", "/v2/groups/golden-groups")
    }


def pods(session: Session) -> None:
    session.before = {"pods-post": session.hold, "pods-get": session.release}


def queue(session: Session) -> None:
    """Two specs that no offer matches, and an app whose task has failed."""
    wait = {**SMALL, "instances": 2, "constraints": NOWHERE}
    field, operator, value = NOWHERE[0]
    constraint = {"fieldName": field, "operator": operator, "value": value}
    placement = {"constraints": [constraint]}
    command = {"command": {"shell": "sleep 1000"}}
    container = {"name": "c1", "resources": {"cpus": 0.01, "mem": 16}, "exec": command}
    pod = {"id": "/golden-queue/podwait", "containers": [container]}

    def create() -> None:
        session.request("PUT", "/v2/apps/golden-queue/wait", wait)
        session.request("POST", "/v2/pods", {**pod, "scheduling": {"placement": placement}})

        app = {**SMALL, "cmd": "false", "backoffSeconds": 60}
        session.request("PUT", "/v2/apps/golden-queue/fail", app)
        session.agents.end_failing()
        until(lambda: "/golden-queue/fail" in session.server.queue)

    session.before = {"queue-list": create}


def tasks(session: Session) -> None:
    """An app with two ports. Its health checks pass at first, and have no results later."""
    check = {"protocol": "COMMAND", "command": {"value": "true"}}
    times = {"gracePeriodSeconds": 1, "intervalSeconds": 1}
    ports = [{"port": 0, "name": name} for name in ("one", "two")]
    app = {**SMALL, "instances": 3, "labels": {"a": "b"}, "portDefinitions": ports}
    session.request("PUT", "/v2/apps/golden-tasks/t", {**app, "healthChecks": [{**check, **times}]})

    def forget_results() -> None:
        session.server.is_healthy = lambda _instance, _task: None

    def lock() -> None:
        session.request("PUT", "/v2/apps/golden-tasks/t?force=true", {"instances": 2})

    session.before = {"tasks-delete-empty": forget_results, "tasks-lock-kill-scale": lock}


def leader(session: Session) -> None:
    """The process ends only after the second ping."""
    session.server.exit = lambda _status: None
    session.before = {"leader-ping-after-2": session.server.stop}


SCENES = {
    "apps": apps,
    "apps-invalid": nothing,
    "apps-valid": valid_apps,
    "deployments": deployments,
    "events": nothing,
    "groups": groups,
    "info": nothing,
    "leader": leader,
    "pods": pods,
    "queue": queue,
    "tasks": tasks,
    "versions": nothing,
}


def replay(running, group: str) -> dict[str, list[str]]:
    """Send the requests of a group. Returns the differences by name of the exchange."""
    session = Session(running)
    SCENES[group](session)
    differences = {}
    for exchange in exchanges(group):
        name = exchange["name"]
        # What else is left out is sent all the same, since it may change something.
        is_stream = name in exceptions()["streams"]["names"]
        differences[name] = ["not sent"] if is_stream else session.replay(exchange)
    return differences


# --- tests ---


@pytest.mark.parametrize("group", SCENES)
def test_the_fake_marathon_answers_as_recorded(running, group):
    left_out = left_out_names()
    differences = replay(running, group)
    report = [
        f"{name}: {line}"
        for name, lines in differences.items()
        for line in lines[:6]
        if name not in left_out
    ]
    assert not report, "\n".join(report)
    equal = [name for name, lines in differences.items() if not lines and name in left_out]
    assert not equal, f"these exchanges no longer differ, remove them: {equal}"


def test_at_least_80_percent_of_the_recorded_exchanges_are_compared(capsys):
    names = {group: [exchange["name"] for exchange in exchanges(group)] for group in SCENES}
    every_name = [name for group in names.values() for name in group]
    repeated = [name for name, count in collections.Counter(every_name).items() if count > 1]
    left_out = left_out_names()
    covered = len(every_name) - len(left_out)
    with capsys.disabled():
        print(f"\n{covered} of {len(every_name)} recorded exchanges of Marathon are compared")
        for group, group_names in names.items():
            count = len(set(group_names) - left_out)
            print(f"  {group}: {count} of {len(group_names)}")
        for kind, exception in exceptions().items():
            print(f"  left out: {len(exception['names'])} {kind} ({exception['reason']})")
    assert not repeated
    assert left_out <= set(every_name)
    assert {file.stem for file in DATA.glob("*.jsonl")} == set(SCENES)
    assert len(every_name) == RECORDED_EXCHANGES
    assert covered >= MIN_SHARE * len(every_name)


@pytest.mark.parametrize(
    ("field", "value", "difference"),
    [
        ("instances", "0", '/instances: 0 was recorded, here it is "0"'),
        ("requirePorts", None, "/requirePorts: false was recorded, here it is null"),
        ("extra", 1, "/extra: was not recorded (1)"),
        ("killSelection", "OLDEST_FIRST", '/killSelection: "YOUNGEST_FIRST" was recorded, here'),
    ],
)
def test_a_changed_field_in_a_response_is_a_difference(
    running, monkeypatch, field, value, difference
):
    exchange = next(
        entry for entry in exchanges("apps-valid") if entry["name"] == "apps-valid-post-nulls"
    )
    session, unchanged = Session(running), views.app
    assert session.replay(exchange) == []

    def changed(definition, line):
        return {**unchanged(definition, line), field: value}

    monkeypatch.setattr(views, "app", changed)
    lines = session.replay(exchange)
    assert len(lines) == 1 and lines[0].startswith(difference), lines
