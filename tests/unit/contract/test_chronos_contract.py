"""
The fake Chronos responds as a real Chronos 3.0.2 did: every recorded exchange is replayed, in
order, unless its kind is in LEFT_OUT.

Compared are status, the headers Content-Type, Allow and WWW-Authenticate, JSON with all types,
text, and the first line of an error. What only Java decides is not: stack traces, hash codes, the
explanation of a NullPointerException, and the position in a JsonParseException. The order of lists
is that of a hash. Times are compared as times: "" or not, and those of launches without seconds.
"""

import collections
import http.client
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mesos_world import until

from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.wire.election import MemoryRoom

DATA = Path(__file__).parent.parent / "data" / "chronos-3.0.2"
VERSION = "3.0.2"
RECORDED_EXCHANGES = 568
MIN_SHARE = 0.8
TIMEOUT = 5
LOCAL = ("--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1")
CREDENTIALS = ("--http_credentials", "admin:s3cret")
# Requests that were sent before the main loop of Chronos ran again.
AT_ONCE = re.compile(
    r"write-create-get-at-once|write-child-at-once|.*pending-2|paths-jobs-after|noleader-.*-18"
    r"|run-summary-at-once"
)
# Recordings that are not replayed: a pattern for their names by kind, and the reasons.
LEFT_OUT = {
    "web": r".*-root(-good)?|read-logging|.*-metrics(-good)?|read-options-.*|.*-wadl"
    r"|read-jobs-gzip",
    "encoded": r"paths-job-slash-in-name|paths-double-slash|read-head-ping",
    "order": r"read-search-(limit|offset)|fields-schedule-forms-summary",
    "runs": r"run-(summary|csv)-12s|run-summary-update-running|run-stat|run-stats-(99|median|mean)"
    r"|again-(concurrent|single)-get",
    "states": r"follower-csv|follower-jobs-end|run-jobs-end",
}
REASONS = {
    "web": "web pages, metrics of the JVM, and what fails without JAXB: no module asks for them",
    "encoded": "what the HTTP server of the fake does by itself: decoded paths, and HEAD",
    "order": "an extract of a list in the order of a hash",
    "runs": "durations, and runs that wait for an offer while others have had one",
    "states": "depend on runs that had not been offered resources",
}
JAVA_DETAILS = re.compile(
    r"(java\.lang\.NullPointerException|JsonParseException|ClassCastException).*"
)
TIMES = ("lastSuccess", "lastError")
# The second in which a job was launched, or created without a schedule.
LAUNCH_TIME = re.compile(r"18:19:\d\d\.\d{3}Z")
SCHEDULE = "R/2030-01-01T00:00:00Z/PT24H"


def exchanges(*groups: str) -> list[dict]:
    """Return the recordings of groups, in their order."""
    lines = [line for group in groups for line in _read(group).splitlines()]
    return [json.loads(line) for line in lines]


def _read(group: str) -> str:
    return (DATA / f"{group}.jsonl").read_text()


def left_out(name: str) -> str | None:
    """Return the kind of a recording that is not replayed, None if it is."""
    for kind, pattern in LEFT_OUT.items():
        if re.fullmatch(pattern, name):
            return kind
    return None


# --- scenes ---


class Scene:
    """Servers, the recorded addresses that stand for them, and what happens before a recording."""

    def __init__(self, running, *options: str) -> None:
        self.running, self.options, self.room = running, options, MemoryRoom()
        self.agents = Agents(agent("127.0.0.10", {}, cpus=0.0))
        self.server = self.start()
        self.servers: dict[str, Chronos] = {}
        self.before: dict = {}

    def start(self) -> Chronos:
        server = Chronos(
            [*LOCAL, *self.options], None, VERSION, servers=self.room, agents=self.agents
        )
        server.loop = 3600  # The test runs the main loop.
        return self.running(server)

    def create(self, *names: str, **fields) -> None:
        """Create jobs that existed before the first recording."""
        for name in names:
            job = {"name": name, "command": "true", "schedule": SCHEDULE, **fields}
            request = {"method": "POST", "path": "/v1/scheduler/iso8601", "body": json.dumps(job)}
            sent = {"Content-Type": "application/json"}
            assert send(self.server, {**request, "sent": sent}).status == 204
            self.server.turn()


def one(running) -> Scene:
    return Scene(running)


def run(running) -> Scene:
    """A server with the time of the recordings. Mesos offers resources in certain seconds."""
    scene = Scene(running)
    server, agents = scene.server, scene.agents
    # Commands that the agents of the fake do not run.
    outcomes = {"r8": "TASK_FAILED", "r12": "TASK_FINISHED"}

    def set_clock(time: str) -> None:
        moment = datetime.fromisoformat(f"2026-11-28T{time}+00:00")
        server.advance((moment - server.now()).total_seconds())

    def is_idle() -> bool:
        runs = list(server.runs.values())
        for job_run in runs:
            if job_run.id in agents.tasks and job_run.job in outcomes:
                agents.end(job_run.id, outcomes[job_run.job], "")
        return all(job_run.job in ("r13", "r14") for job_run in runs)

    def launch(*times: str) -> None:
        agents.agents = [agent("127.0.0.10")]
        for time in times:
            set_clock(time)
            until(is_idle)

    def offer_nothing() -> None:
        until(lambda: not any(job_run.job == "r13" for job_run in server.runs.values()))
        agents.agents = [agent("127.0.0.10", {}, cpus=0.0)]
        until(lambda: server.agents[0]["free"]["*"]["cpus"] == 0)

    scene.before = {
        "run-child": lambda: set_clock("18:19:27"),
        "run-summary-12s": lambda: launch("18:19:28"),
        "run-summary-35s": lambda: launch("18:19:38", "18:19:48", "18:20:01"),
        "run-after-kill": offer_nothing,
        "run-summary-end": lambda: set_clock("18:20:09"),
    }
    set_clock("18:19:24")
    return scene


def fields(running) -> Scene:
    """A server that launches the only job whose start is in the past."""
    scene = Scene(running)
    moment = datetime(2026, 11, 28, 18, 19, tzinfo=UTC)
    scene.server.advance((moment - scene.server.now()).total_seconds())
    scene.agents.hold = True
    scene.agents.agents = [agent("127.0.0.10")]
    return scene


def extra(running) -> Scene:
    scene = Scene(running)
    scene.create("dis", disabled=True, schedule="R/2030-01-01T00:00:00Z/P1D")
    return scene


def auth(running) -> Scene:
    return Scene(running, *CREDENTIALS)


def follower(running) -> Scene:
    scene = Scene(running)
    scene.servers = {"127.0.0.9:4402": scene.server, "127.0.0.9:4411": scene.start()}
    return scene


def noleader(running) -> Scene:
    """A follower whose leader is known, but does not answer, until the follower is elected."""
    scene = Scene(running)
    scene.create("fa")
    leader, standby = scene.server, scene.start()
    scene.servers = {"127.0.0.9:4407": standby}
    election = Chronos.leader

    class Orphan(Chronos):
        leader = property(lambda _server: "127.0.0.1:1")

    standby.__class__ = Orphan

    def elect() -> None:
        standby.__class__ = Chronos
        assert election is Chronos.leader
        leader.stop()

    scene.before = {"noleader-ping-18": elect}
    return scene


SCENES = {
    "one": (one, ("read", "paths", "err")),
    "fields": (fields, ("fields",)),
    "write": (one, ("write",)),
    "run": (run, ("run",)),
    "extra": (extra, ("extra",)),
    "again": (one, ("again",)),
    "follower": (follower, ("follower",)),
    "noleader": (noleader, ("noleader",)),
    "auth": (auth, ("auth",)),
    "crash": (one, ("crash",)),
    "crash2": (one, ("crash2",)),
}


# --- comparison ---


class Answer:
    """A response: status, headers, and the body unless it never comes."""

    def __init__(self, response: http.client.HTTPResponse, has_body: bool) -> None:
        self.status, self.headers = response.status, dict(response.getheaders())
        self.text = response.read().decode() if has_body else ""


def send(server: Chronos, exchange: dict) -> Answer:
    """Send a recorded request, with the recorded headers only."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    try:
        connection.putrequest(exchange["method"], exchange["path"], skip_accept_encoding=True)
        body = exchange.get("body", "").encode()
        headers = dict(exchange.get("sent", {}))
        if body or exchange["method"] in ("POST", "PUT"):
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        # A follower announces the body of an error page that never comes.
        return Answer(connection.getresponse(), "ounce" not in exchange.get("note", ""))
    finally:
        connection.close()


def replay(scene: Scene, exchange: dict) -> list[str]:
    """Send a recorded request. Returns the differences in the response."""
    scene.before.get(exchange["name"], lambda: None)()
    server = scene.servers.get(exchange["host"], scene.server)
    if not AT_ONCE.fullmatch(exchange["name"]):
        scene.server.turn()
        server.turn()
    try:
        answer = send(server, exchange)
    except (OSError, http.client.HTTPException) as error:
        return [] if exchange["status"] is None else [f"no response: {error}"]
    if exchange["status"] is None:
        return [f"status {answer.status}, where the real one gave no response"]
    for host, peer in (scene.servers or {exchange["host"]: server}).items():
        answer.text = answer.text.replace(f"{peer.hostname}:{peer.port}", host)
    return list(compared(exchange, answer))


def compared(exchange: dict, answer: Answer):
    """Yield the differences between a recorded response and that of the fake."""
    if answer.status != exchange["status"]:
        yield f"status: {exchange['status']} was recorded, here it is {answer.status}"
        return
    for name in ("Content-Type", "Allow", "WWW-Authenticate"):
        recorded, actual = exchange["headers"].get(name), answer.headers.get(name)
        if sorted((recorded or "").split(",")) != sorted((actual or "").split(",")):
            yield f"header {name}: {recorded} was recorded, here it is {actual}"
    if exchange["method"] == "HEAD":
        return
    # A follower announces the length of a page that it does not send, but not that of JSON.
    is_empty = answer.headers.get("Content-Length") == "0"
    if exchange["status"] >= 400 and (exchange.get("length") == 0) != is_empty:
        yield f"header Content-Length: {exchange.get('length')} was recorded, here it is another"
    if "json" in exchange:
        yield from differences(exchange["json"], comparable(json.loads(answer.text)))
    elif "page" in exchange:
        reason = re.search(r"<pre>\s*(.*?)(\n|</pre>)", answer.text)
        yield from differences(exchange["page"], reason[1] if reason else answer.text)
    else:
        recorded, actual = exchange.get("text", ""), answer.text
        if exchange["path"].endswith("graph/csv"):
            recorded, actual = (sorted(text.splitlines()) for text in (recorded, actual))
        yield from differences(recorded, actual)


def comparable(content):
    """Return JSON with only the first line of an error, which a stack trace follows."""
    if isinstance(content, dict) and content.keys() == {"message", "status"}:
        return {**content, "message": content["message"].split("\n")[0]}
    return content


def differences(recorded, actual, path: str = ""):
    """Yield a line with path for each difference."""
    types = (type(recorded).__name__, type(actual).__name__)
    if types[0] != types[1]:
        yield f"{path}: {types[0]} was recorded, here it is {types[1]} ({actual})"
    elif isinstance(recorded, dict):
        yield from (f"{path}/{key}: is missing" for key in recorded.keys() - actual.keys())
        yield from (f"{path}/{key}: was not recorded" for key in actual.keys() - recorded.keys())
        for key in recorded.keys() & actual.keys():
            yield from differences(recorded[key], actual[key], f"{path}/{key}")
    elif isinstance(recorded, list):
        if len(recorded) != len(actual):
            yield f"{path}: {len(recorded)} entries were recorded, here are {len(actual)}"
            return
        pairs = zip(sorted(recorded, key=_key), sorted(actual, key=_key), strict=True)
        for number, pair in enumerate(pairs):
            yield from differences(*pair, f"{path}[{number}]")
    elif _firm(path, recorded) != _firm(path, actual):
        yield f"{path}: {recorded!r} was recorded, here it is {actual!r}"


def _key(entry) -> str:
    if isinstance(entry, dict):
        return str(entry.get("name", entry.get("jobNameLabel", json.dumps(entry, sort_keys=True))))
    return json.dumps(entry)


def _firm(path: str, value):
    """Return what must be equal of a value."""
    if path.endswith(TIMES) and value[:2] == "20":
        return "a time"
    if not isinstance(value, str):
        return value
    return LAUNCH_TIME.sub("18:19", JAVA_DETAILS.sub(r"\1", value))


# --- tests ---


@pytest.mark.parametrize("name", SCENES)
def test_the_fake_chronos_answers_as_recorded(running, name):
    start, groups = SCENES[name]
    scene, lines = start(running), []
    for exchange in exchanges(*groups):
        # What is left out is sent all the same, since it may change a job.
        differing = replay(scene, exchange)
        if not left_out(exchange["name"]):
            lines += [f"{exchange['name']}: {line}" for line in differing[:6]]
    assert not lines, "\n".join(lines)


def test_most_recordings_of_chronos_are_replayed_and_the_others_left_out_for_a_reason(capsys):
    names = [entry["name"] for _, groups in SCENES.values() for entry in exchanges(*groups)]
    counts = collections.Counter(left_out(name) for name in names)
    with capsys.disabled():
        print(f"\n{counts[None]} of {len(names)} recorded exchanges of Chronos are replayed")
        for kind, reason in REASONS.items():
            print(f"  left out: {counts[kind]} {kind} ({reason})")
    assert {file.stem for file in DATA.glob("*.jsonl")} == {
        group for _, groups in SCENES.values() for group in groups
    }
    assert len(names) == RECORDED_EXCHANGES and LEFT_OUT.keys() == REASONS.keys()
    assert all(counts[kind] for kind in LEFT_OUT)
    assert counts[None] >= MIN_SHARE * len(names)


@pytest.mark.parametrize(
    ("field", "value", "difference"),
    [
        ("cpus", "0.1", "/cpus: float was recorded, here it is str"),
        ("retries", 2.0, "/retries: int was recorded, here it is float"),
        ("disabled", None, "/disabled: bool was recorded, here it is NoneType"),
        ("extra", 1, "/extra: was not recorded"),
        ("owner", "x", "/owner: '' was recorded, here it is 'x'"),
    ],
)
def test_a_changed_field_in_the_answer_of_the_fake_is_a_difference(
    running, monkeypatch, field, value, difference
):
    unchanged = Chronos._job

    def changed(server, *positional, **options):
        return {**unchanged(server, *positional, **options), field: value}

    monkeypatch.setattr(Chronos, "_job", changed)
    scene = one(running)
    names = ("fields-defaults-post", "fields-defaults-get")
    recordings = [entry for entry in exchanges("fields") if entry["name"] in names]
    lines = [line for exchange in recordings for line in replay(scene, exchange)]
    assert any(line.startswith(difference) for line in lines), lines
