"""
The fake Marathon 1.8.244 accepts and refuses apps as a real one did: each definition that was sent
to a real server is sent to the fake, in order. Statuses, error texts and headers are compared, and
names and types of the members of accepted apps.
"""

import collections
import json
from pathlib import Path

import pytest
import requests

from lab.fakes.marathon import views
from lab.fakes.marathon.agents import Agents
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

from .comparison import differences, header_differences

DATA = Path(__file__).parent.parent / "data" / "marathon-1.8.244"
OPTIONS = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
RECORDED_ADDRESS = "127.0.0.9:8080"
MIN_COVERED = 0.8
# The values of these members differ from run to run.
LOOSE_MEMBERS = ("version", "deployments")


def exchanges() -> list[dict]:
    """Return the recorded exchanges in order."""
    lines = (DATA / "apps-invalid.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def exceptions() -> dict[str, dict]:
    """Return the groups of exchanges that are left out: reason and names by group."""
    return json.loads((DATA / "left-out.json").read_text())


def left_out_names() -> set[str]:
    return {name for group in exceptions().values() for name in group["names"]}


@pytest.fixture
def server():
    marathon = Marathon(OPTIONS, None, "1.8.244", servers=MemoryRoom(), agents=Agents())
    marathon.start()
    yield marathon
    marathon.stop()


def replay(server: Marathon, exchange: dict) -> list[str]:
    """Send a recorded request. Return the differences in the response."""
    recorded = exchange["request"]
    response = requests.request(
        recorded["method"],
        server.url + recorded["path"],
        headers={"User-Agent": None, "Accept": None, "Accept-Encoding": None} | recorded["headers"],
        data=recorded["body"].encode(),
        timeout=5,
    )
    if response.status_code == 201:
        app_id = response.json()["id"]
        requests.delete(f"{server.url}/v2/apps{app_id}", timeout=5)
    return list(response_differences(server, exchange, response))


def response_differences(server: Marathon, exchange: dict, response: requests.Response):
    if response.status_code != exchange["status"]:
        text = response.text[:200]
        yield f"status: {exchange['status']} was recorded, here it is {response.status_code} {text}"
        return
    headers = {
        name: value.replace(server.address, RECORDED_ADDRESS)
        for name, value in response.headers.items()
    }
    yield from header_differences(exchange["headers"], headers)
    expected, actual = exchange["json"], response.json()
    for name in LOOSE_MEMBERS:
        if name in expected and name in actual:
            actual[name] = expected[name]
    yield from differences(numbers_as_floats(expected), numbers_as_floats(actual))


def numbers_as_floats(value):
    """Convert numbers to float, since JSON has one type for 1 and 1.0."""
    if isinstance(value, dict):
        return {name: numbers_as_floats(member) for name, member in value.items()}
    if isinstance(value, list):
        return [numbers_as_floats(entry) for entry in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def test_the_fake_marathon_answers_definitions_of_apps_as_recorded(server):
    left_out = left_out_names()
    report = []
    for exchange in exchanges():
        lines = replay(server, exchange)
        if exchange["name"] not in left_out:
            report += [f"{exchange['name']}: {line}" for line in lines[:6]]
    assert not report, "\n".join(report)


def test_an_exchange_is_left_out_only_while_it_differs(server):
    left_out = left_out_names()
    equal = [
        exchange["name"]
        for exchange in exchanges()
        if not replay(server, exchange) and exchange["name"] in left_out
    ]
    assert not equal, f"these exchanges no longer differ, remove them: {equal}"


def test_at_least_80_percent_of_the_recorded_definitions_are_compared(capsys):
    names = [exchange["name"] for exchange in exchanges()]
    repeated = [name for name, count in collections.Counter(names).items() if count > 1]
    assert not repeated
    left_out = left_out_names()
    assert left_out <= set(names)
    covered = len(names) - len(left_out)
    with capsys.disabled():
        print(f"\n{covered} of {len(names)} recorded definitions of apps are compared")
        for group, exception in exceptions().items():
            print(f"  left out: {len(exception['names'])} {group} ({exception['reason']})")
    assert covered / len(names) >= MIN_COVERED


def test_a_changed_type_in_a_response_is_a_difference(server, monkeypatch):
    exchange = next(
        entry for entry in exchanges() if entry["name"] == "apps-invalid-unreachable-equal"
    )
    assert replay(server, exchange) == []
    original = views.app

    def changed(definition, line):
        view = original(definition, line)
        return {**view, "instances": str(view["instances"])}

    monkeypatch.setattr(views, "app", changed)
    assert replay(server, exchange) == ['/instances: float was recorded, here it is str ("0")']
