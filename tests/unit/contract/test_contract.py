"""
The fake Mesos daemons respond as a real Apache Mesos 1.11.0 did in the same situation: every
recorded exchange is replayed, in order.
"""

import collections
import json

import pytest
import requests

from lab.fakes.mesos.calls import Calls
from lab.fakes.mesos.views import Views
from lab.fakes.wire.http import answer

from . import scenes
from .comparison import differences, header_differences, text_differences

SCENES = (
    "cluster",
    "standalone",
    "standalone-nohostname",
    "nonleader",
    "noquorum",
    "nozk",
    "extra",
    "crash",
    "auth",
    "auth-readwrite",
    "auth-agent",
    "auth-standby",
    "acl",
    "zk",
    "agent",
    "failover",
    "startup",
)
RECORDED_EXCHANGES = 854
# Kinds of recordings that are not replayed, with the reason. Each recording names its kind.
LEFT_OUT = {
    "pages": "web page, help and process list: no module asks for them",
    "streams": "event streams, and the API of schedulers",
    "protobuf": "answers in protobuf instead of JSON",
    "encodings": "gzip and JSONP, which the fakes do not support (tests of the modules use gzip)",
    "executors": "executors, nested containers and sandboxes: the fake agent does not run tasks",
    "ending": "executors and containers of tasks that ended in the second of the recording",
    "doubled": "completed tasks that a restarted agent reported again, listed twice by the master",
    "before": "responses that depend on events before the first recording, or on a restart",
}


def replay(scene, exchange: dict) -> list[str]:
    """Send a recorded request. Returns the differences in the response."""
    scene.before.get(exchange["name"], lambda: None)()
    daemon = scene.hosts.get(exchange.get("host", "127.0.0.1:5050"), scene.target)
    sent = {"Accept": None, "User-Agent": None, "Accept-Encoding": None, **exchange["sent"]}
    login = scenes.LOGIN.get(sent.get("Authorization", ""))
    if login:
        del sent["Authorization"]
    try:
        response = requests.request(
            exchange["method"],
            daemon.url + exchange["path"],
            headers=sent,
            data=exchange.get("body"),
            auth=login,
            allow_redirects=exchange["name"].endswith("-followed"),
            timeout=3,
        )
    except requests.RequestException as error:
        return [] if exchange["status"] is None else [f"no answer: {error}"]
    if exchange["status"] is None:
        return [f"status {response.status_code}, where the real one gave no answer"]
    return list(compared(scene, exchange, response))


def compared(scene, exchange, response):
    if response.status_code != exchange["status"]:
        status = f"{response.status_code} ({response.text[:200]})"
        yield f"status: {exchange['status']} was recorded, here it is {status}"
        return
    text, headers = response.text, dict(response.headers)
    for daemon in scene.daemons:  # each has its own port
        port = 5050 if daemon.process == "master" else 5051
        address = daemon.hostname if daemon.hostname[0].isdigit() else daemon.ip
        text = text.replace(f"{daemon.ip}:{daemon.port}", f"{address}:{port}").replace(
            f'"port":{daemon.port}', f'"port":{port}'
        )
        headers = {
            name: value.replace(f"{daemon.hostname}:{daemon.port}", f"{daemon.hostname}:{port}")
            for name, value in headers.items()
        }
    yield from header_differences(exchange["headers"], headers)
    if "json" in exchange:
        loose = "/metrics" if "metrics/snapshot" in exchange["path"] else ""
        yield from differences(exchange["json"], json.loads(text), loose)
    else:
        yield from text_differences(exchange.get("text", ""), text)


@pytest.mark.parametrize("scene", SCENES)
def test_the_fakes_answer_as_recorded(scene, tmp_path):
    stage = getattr(scenes, scene.replace("-", "_"))(tmp_path)
    try:
        differences_by_name = {
            exchange["name"]: replay(stage, exchange)
            for exchange in scenes.exchanges(scene)
            if "left_out" not in exchange
        }
    finally:
        stage.stop()
    failures = {name: lines for name, lines in differences_by_name.items() if lines}
    report = [f"{len(failures)} of {len(differences_by_name)}"]
    for name, lines in failures.items():
        report += [f"{name}: {line}" for line in lines[:6]]
    assert not failures, "\n".join(report)


def test_every_recording_is_replayed_or_left_out_for_a_reason(capsys):
    replayed, left_out = collections.Counter(), collections.defaultdict(list)
    for file in sorted(scenes.DATA.glob("*.jsonl")):
        for exchange in scenes.exchanges(file.stem):
            if "left_out" in exchange:
                left_out[exchange["left_out"]].append(exchange["name"])
            else:
                assert file.stem in SCENES, f"{exchange['name']} is in no scene"
                replayed[file.stem] += 1
    total = sum(replayed.values()) + sum(map(len, left_out.values()))
    with capsys.disabled():
        print(
            f"\n{sum(replayed.values())} of {total} recorded exchanges are replayed:",
            ", ".join(f"{n} {s}" for s, n in replayed.items()),
        )
        for kind, names in left_out.items():
            print(f"  left out: {len(names)} {kind} ({LEFT_OUT[kind]})")
    assert total == RECORDED_EXCHANGES and left_out.keys() == LEFT_OUT.keys()
    assert sum(replayed.values()) >= 500


def _other_type(answer):
    answer["get_weights"]["weight_infos"][0]["weight"] = str(
        answer["get_weights"]["weight_infos"][0]["weight"]
    )


def _missing(answer):
    del answer["get_weights"]["weight_infos"][0]["role"]


def _one_more(answer):
    answer["get_weights"]["more"] = True


def _other_value(answer):
    answer["get_weights"]["weight_infos"][0]["weight"] += 1


@pytest.mark.parametrize(
    "mutate, difference",
    [
        (_other_type, "/weight: float was recorded, here it is str"),
        (_missing, "/role: is missing"),
        (_one_more, "/get_weights/more: was not recorded"),
        (_other_value, "/weight: 2.5 was recorded, here it is 3.5"),
    ],
)
def test_a_different_field_in_the_response_of_a_fake_is_a_difference(
    monkeypatch, tmp_path, mutate, difference
):
    real = Calls.calls["GET_WEIGHTS"]

    def mutated(master, request, call):
        answer = real(master, request, call)
        if answer:
            mutate(answer)
        return answer

    monkeypatch.setitem(Calls.calls, "GET_WEIGHTS", mutated)
    names = ("v1-UPDATE_WEIGHTS", "v1-GET_WEIGHTS-after")
    assert any(difference in line for line in _replayed("cluster", names, tmp_path))


@pytest.mark.parametrize(
    "name, answered, difference",
    [
        ("leader-get-master_version", answer("404 Not Found!", 404), "text: "),
        (
            "leader-get-master_version",
            answer("404 Not Found.", 500),
            "status: 404 was recorded, here it is 500",
        ),
        (
            "leader-get-master_version",
            answer("404 Not Found.", 404, WWW_Authenticate="Basic"),
            "header WWW-Authenticate: ",
        ),
        ("leader-get-master_version", answer({}, 404), "header Content-Type: "),
    ],
)
def test_a_different_status_text_or_header_is_a_difference(
    monkeypatch, tmp_path, name, answered, difference
):
    monkeypatch.setattr(Views, "no_version", lambda *_: answered, raising=True)
    Views.no_version.marks = {"local": True, "realm": None}
    assert any(line.startswith(difference) for line in _replayed("cluster", (name,), tmp_path))


def _replayed(scene: str, names: tuple[str, ...], directory) -> list[str]:
    """Replay a few recordings of a scene; what is different."""
    stage = getattr(scenes, scene)(directory)
    try:
        return [
            line
            for exchange in scenes.exchanges(scene)
            if exchange["name"] in names
            for line in replay(stage, exchange)
        ]
    finally:
        stage.stop()
