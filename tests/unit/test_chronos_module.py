"""The module chronos, run by the real Salt of both lines against stand-ins of Chronos 2.5 and 3.0."""

import ast
import re

import pytest

from lab import ROOT
from lab.standins.chronos import Chronos
from lab.standins.election import MemoryRoom
from lab.standins.marathon_agents import Agents, agent

MODULE = ROOT / "_modules" / "mesos_chronos.py"
SCHEDULE = "R/2030-01-01T00:00:00Z/PT24H"
ASK_NOBODY = ("chronos.schedule_equivalent", "chronos.canonical_job")


@pytest.fixture(params=["2.5.0", "3.0.2"])
def world(request, salt, running):
    """A Chronos with two jobs, and how to call functions on it."""
    def start():
        local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
        agents = Agents(agent("lxb001.devops.test", {"rack": "r1"}))
        server = Chronos(local, None, request.param, servers=MemoryRoom(), agents=agents)
        server.loop = 0.05
        return World(salt, running(server))
    return start


class World:
    def __init__(self, salt, server):
        self.salt, self.server = salt, server
        self.call("create_job", "hello", {"command": "echo hello", "schedule": SCHEDULE})
        self.call("create_job", "hello-report", {"command": "echo report", "parents": ["hello"]})

    def call(self, function, *positional, **named):
        return self.salt.call(f"chronos.{function}", *positional, **{"url": self.server.url, **named})

    def fails(self, function, *positional, **named):
        with pytest.raises(self.salt.Error) as error:
            self.call(function, *positional, **named)
        assert "\n" not in str(error.value) and "Traceback" not in str(error.value)
        return str(error.value)

    def writes(self):
        return [asked for asked in self.server.requests if asked.method not in ("GET", "HEAD")]


def test_each_example_runs_as_printed(salt, world):
    for function, commands in salt.examples("chronos").items():
        assert commands, f"{function} has no example"
        place = world()
        for command in commands:
            if function not in ASK_NOBODY:
                command = f"{re.sub(' url=.*', '', command)} url={place.server.url}"
            assert salt.cli(command) is not None, command


def test_the_documentation_of_each_function_is_whole(salt):
    found = salt.documented("chronos")
    parsed = {node.name: node.args for node in ast.parse(MODULE.read_text()).body if isinstance(node, ast.FunctionDef)}
    public = {f"chronos.{name}": arguments for name, arguments in parsed.items() if not name.startswith("_")}
    assert found.keys() == public.keys()
    for function, arguments in public.items():
        text = found[function] or ""
        for part in ("CLI Example:", ".. code-block:: bash", "Returns "):
            assert part in text, f"{function}: {part}"
        headings = re.findall(r"^ *(\w+(?:, \w+)*)$", text, re.MULTILINE)
        explained = {name for heading in headings for name in heading.split(", ")}
        parameters = {each.arg for each in (*arguments.args, *arguments.kwonlyargs, arguments.kwarg) if each}
        assert parameters <= explained, f"{function}: {parameters - explained}"


def test_a_job_that_is_put_twice_is_written_once(world):
    place = world()
    config = {"command": "echo night", "schedule": SCHEDULE, "retries": 3}
    assert place.call("put_job", "night", config)["created"] is True
    before = len(place.writes())
    again = place.call("put_job", "night", config)
    assert (again["created"], again["changes"]) == (False, {})
    assert len(place.writes()) == before


def test_an_update_keeps_the_counters_and_the_schedule_that_has_moved_on(world):
    place = world()
    place.call("mark_success", "hello")
    moved = "R/2030-01-05T00:00:00.000Z/PT24H"
    with place.server.lock:
        place.server.jobs["hello"]["schedule"] = moved
    old = place.call("job", "hello")
    changed = place.call("update_job", "hello", {"command": "echo new", "schedule": SCHEDULE})
    assert list(changed["changes"]) == ["command"]
    new = place.call("job", "hello")
    assert new["command"] == "echo new" and new["schedule"] == moved and new["successCount"] == 1
    assert new["lastSuccess"] == old["lastSuccess"]


@pytest.mark.parametrize(("desired", "current", "tz", "same"), [
    (SCHEDULE, "R/2030-02-01T00:00:00.000Z/P1D", "", True),
    (SCHEDULE, "R/2030-02-01T00:00:01.000Z/P1D", "", False),
    (SCHEDULE, "R/2029-12-31T00:00:00.000Z/PT24H", "", False),
    (SCHEDULE, "R/2030-01-01T00:00:00.000Z/PT12H", "", False),
    (SCHEDULE, "R5/2030-01-01T00:00:00.000Z/PT24H", "", False),
    ("R5/2030-01-01T00:00:00Z/P1D", "R3/2030-01-03T00:00:00.000Z/P1D", "", True),
    ("R5/2030-01-01T00:00:00Z/P1D", "R6/2030-01-03T00:00:00.000Z/P1D", "", False),
    ("R/2018-01-01T00:00:00/P1D", "R/2026-07-01T00:00:00.000+02:00/P1D", "Europe/Berlin", True),
    ("R/2018-01-01T00:00:00/P1D", "R/2026-07-01T00:00:00.000+02:00/P1D", "", False),
    ("R//PT1H", "R/2030-01-01T00:17:00.000Z/PT1H", "", True),
])
def test_a_schedule_is_the_same_after_some_runs_only(salt, desired, current, tz, same):
    assert salt.call("chronos.schedule_equivalent", desired, current, tz=tz) is same


def test_what_is_refused_changes_nothing(world, nobody):
    place = world()
    before, config = len(place.writes()), {"command": "true", "schedule": SCHEDULE}
    assert "hello-report run after 'hello'" in place.fails("delete_job", "hello")
    assert "no job called 'nosuch'" in place.fails("put_job", "new", {"command": "true", "parents": ["nosuch"]})
    for function in ("job", "delete_job", "kill_tasks", "job_stats", "children", "parents"):
        assert "no job called 'nosuch'" in place.fails(function, "nosuch"), function
    assert "no job called 'nosuch'" in place.fails("update_job", "nosuch", config)
    assert "already" in place.fails("create_job", "hello", config)
    assert len(place.writes()) == before
    assert nobody in place.fails("jobs", url=nobody, retries=0)


def test_wrong_arguments_are_refused_before_anything_is_sent(world):
    place = world()
    before = len(place.server.requests)
    for function, positional, named in (
        ("put_job", ("new", {"schedule": "daily"}), {}), ("put_job", ("new", {"nosuch": 1}), {}), ("put_job", ("new", "text"), {}),
        ("put_job", ("hello", {"name": "other"}), {}), ("put_job", ("hello", {"cpus": "1"}), {}),
        ("put_job", ("hello", {"schedule": SCHEDULE, "parents": ["hello"]}), {}), ("put_job", ("hello", {}), {"match": "nosuch"}),
        ("put_job", ("hello", {}), {"wait": -1}), ("delete_job", ("hello",), {"children": "yes"}), ("job", (5,), {}),
        ("run_job", ("hello",), {"arguments": "a;b"}), ("graph", ("png",), {}), ("stats", ("50",), {}), ("search", (), {"limit": -1}),
    ):
        assert place.fails(function, *positional, **named).startswith("SaltInvocationError: "), function
    assert len(place.server.requests) == before
