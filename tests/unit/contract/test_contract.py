"""The fake daemons of Mesos answer what a real Apache Mesos 1.11.0 answered in the same situation: every recorded exchange, in order."""

import collections
import json

import pytest
import requests

from lab.fakes.mesos.calls import Calls
from lab.fakes.mesos.views import Views
from lab.fakes.wire.http import answer

from . import scenes
from .comparison import differences, of_headers, of_text

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
)
ALL = 854
# Recordings that are not replayed: kinds of them (each recording names its own), and why.
LEFT_OUT = {
    "pages": "web page, help and process list: no module asks for them",
    "streams": "event streams, and the API of schedulers",
    "protobuf": "answers in protobuf instead of JSON",
    "encodings": "gzip and JSONP, which the fake daemons do not speak (the modules' own tests unpack gzip)",
    "executors": "executors, nested containers and sandboxes of an agent: that of the fake only pretends to run tasks",
    "ending": "executors and containers of tasks that ended in the very second of the recording",
    "doubled": "completed tasks which a restarted agent reported again, and the real master then shows twice",
    "before": "answers that show what happened before the first recording, or a restart in between",
    "startup": "agents started anew with other flags: what they do then is in test_fake_mesos.py",
}


def replay(scene, exchange: dict) -> list[str]:
    """Send a recorded request and say what is different in the answer."""
    scene.before.get(exchange["name"], lambda: None)()
    asked = scene.hosts.get(exchange.get("host", "127.0.0.1:5050"), scene.asked)
    sent = {"Accept": None, "User-Agent": None, "Accept-Encoding": None, **exchange["sent"]}
    login = scenes.LOGIN.get(sent.get("Authorization", ""))
    if login:
        del sent["Authorization"]
    try:
        found = requests.request(
            exchange["method"],
            asked.url + exchange["path"],
            headers=sent,
            data=exchange.get("body"),
            auth=login,
            allow_redirects=exchange["name"].endswith("-followed"),
            timeout=3,
        )
    except requests.RequestException as error:
        return [] if exchange["status"] is None else [f"no answer: {error}"]
    if exchange["status"] is None:
        return [f"status {found.status_code}, where the real one gave no answer"]
    return list(compared(scene, exchange, found))


def compared(scene, exchange, found):
    if found.status_code != exchange["status"]:
        yield f"status: {exchange['status']} was recorded, here it is {found.status_code} ({found.text[:200]})"
        return
    text, headers = found.text, dict(found.headers)
    for daemon in scene.daemons:  # each has a port of its own here
        port = 5050 if daemon.process == "master" else 5051
        shown = daemon.hostname if daemon.hostname[0].isdigit() else daemon.ip
        text = text.replace(f"{daemon.ip}:{daemon.port}", f"{shown}:{port}").replace(
            f'"port":{daemon.port}', f'"port":{port}'
        )
        headers = {
            name: value.replace(f"{daemon.hostname}:{daemon.port}", f"{daemon.hostname}:{port}")
            for name, value in headers.items()
        }
    yield from of_headers(exchange["headers"], headers)
    if "json" in exchange:
        loose = "/metrics" if "metrics/snapshot" in exchange["path"] else ""
        yield from differences(exchange["json"], json.loads(text), loose)
    else:
        yield from of_text(exchange.get("text", ""), text)


@pytest.mark.parametrize("scene", SCENES)
def test_the_stand_ins_answer_as_recorded(scene, tmp_path):
    stage = getattr(scenes, scene.replace("-", "_"))(tmp_path)
    try:
        found = {
            each["name"]: replay(stage, each)
            for each in scenes.exchanges(scene)
            if "left_out" not in each
        }
    finally:
        stage.stop()
    wrong = {name: lines for name, lines in found.items() if lines}
    told = [f"{name}: {line}" for name, lines in wrong.items() for line in lines[:6]]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(found)}", *told])


def test_every_recording_is_replayed_or_left_out_for_a_reason(capsys):
    replayed, left_out = collections.Counter(), collections.defaultdict(list)
    for file in sorted(scenes.DATA.glob("*.jsonl")):
        for each in scenes.exchanges(file.stem):
            if "left_out" in each:
                left_out[each["left_out"]].append(each["name"])
            else:
                assert file.stem in SCENES, f"{each['name']} is in no scene"
                replayed[file.stem] += 1
    total = sum(replayed.values()) + sum(map(len, left_out.values()))
    with capsys.disabled():
        print(
            f"\n{sum(replayed.values())} of {total} recorded exchanges are replayed:",
            ", ".join(f"{n} {s}" for s, n in replayed.items()),
        )
        for kind, names in left_out.items():
            print(f"  left out: {len(names)} {kind} ({LEFT_OUT[kind]})")
    assert total == ALL and left_out.keys() == LEFT_OUT.keys()
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
    "mutate, told",
    [
        (_other_type, "/weight: float was recorded, here it is str"),
        (_missing, "/role: is missing"),
        (_one_more, "/get_weights/more: was not recorded"),
        (_other_value, "/weight: 2.5 was recorded, here it is 3.5"),
    ],
)
def test_one_field_that_is_another_in_a_stand_in_makes_the_comparison_fail(
    monkeypatch, tmp_path, mutate, told
):
    real = Calls.calls["GET_WEIGHTS"]

    def mutated(master, request, call):
        answer = real(master, request, call)
        if answer:
            mutate(answer)
        return answer

    monkeypatch.setitem(Calls.calls, "GET_WEIGHTS", mutated)
    names = ("v1-UPDATE_WEIGHTS", "v1-GET_WEIGHTS-after")
    assert any(told in line for line in _replayed("cluster", names, tmp_path))


@pytest.mark.parametrize(
    "name, answered, told",
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
def test_another_status_text_or_header_makes_the_comparison_fail(
    monkeypatch, tmp_path, name, answered, told
):
    monkeypatch.setattr(Views, "no_version", lambda *_: answered, raising=True)
    Views.no_version.marks = {"local": True, "realm": None}
    assert any(line.startswith(told) for line in _replayed("cluster", (name,), tmp_path))


def _replayed(scene: str, names: tuple[str, ...], directory) -> list[str]:
    """Replay a few recordings of a scene; what is different."""
    stage = getattr(scenes, scene)(directory)
    try:
        return [
            line
            for each in scenes.exchanges(scene)
            if each["name"] in names
            for line in replay(stage, each)
        ]
    finally:
        stage.stop()
