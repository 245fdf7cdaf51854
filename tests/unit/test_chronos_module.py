"""The module chronos, run by the real Salt of both lines against fake daemons of Chronos 2.5 and 3.0."""

import ast
import json
import re

import pytest
import requests
from mesos_world import until

from lab import ROOT
from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.wire.election import MemoryRoom

# The functions speak HTTP, which Salt has no part in: one line is enough. With both lines the modules
# are loaded (test_modules_loaded.py) and called by the tests of states.
pytestmark = pytest.mark.lines("3008")

MODULE = ROOT / "_modules" / "mesos_chronos.py"
SCHEDULE = "R/2030-01-01T00:00:00Z/PT24H"
ASK_NOBODY = ("chronos.schedule_equivalent", "chronos.canonical_job")


@pytest.fixture(params=["2.5.0", "3.0.2"])
def world(request, salt, running):
    """A Chronos with two jobs, and how to call functions on it."""

    def start():
        local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
        agents = Agents(agent("lxb001.devops.test", {"rack": "r1"}))
        room = MemoryRoom()

        def another():
            server = Chronos(local, None, request.param, servers=room, agents=agents)
            server.loop = 0.05
            return running(server)

        return World(salt, another)

    return start


class World:
    def __init__(self, salt, another):
        self.salt, self.server, self.another = salt, another(), another
        self.call("create_job", "hello", {"command": "echo hello", "schedule": SCHEDULE})
        self.call("create_job", "hello-report", {"command": "echo report", "parents": ["hello"]})

    def call(self, function, *positional, **named):
        return self.salt.call(
            f"chronos.{function}", *positional, **{"url": self.server.url, **named}
        )

    def fails(self, function, *positional, **named):
        with pytest.raises(self.salt.Error) as error:
            self.call(function, *positional, **named)
        return one_line(error)

    def writes(self):
        return [asked for asked in self.server.requests if asked.method not in ("GET", "HEAD")]


def one_line(caught):
    text = str(caught.value)
    assert "\n" not in text and "Traceback" not in text, text
    return text


def answered(body):
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_each_example_runs_as_printed(salt, world):
    place = world()
    for function, commands in salt.examples("chronos").items():
        assert commands, f"{function} has no example"
        before = len(place.writes())
        for command in commands:
            if function not in ASK_NOBODY:
                command = f"{re.sub(' url=.*', '', command)} url={place.server.url}"
            assert salt.cli(command) is not None, command
        if len(place.writes()) > before:
            place = world()


def test_the_documentation_of_each_function_is_whole(salt):
    found = salt.documented("chronos")
    parsed = {
        node.name: node.args
        for node in ast.parse(MODULE.read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    public = {
        f"chronos.{name}": arguments
        for name, arguments in parsed.items()
        if not name.startswith("_")
    }
    assert found.keys() == public.keys()
    for function, arguments in public.items():
        text = found[function] or ""
        for part in ("CLI Example:", ".. code-block:: bash", "Returns "):
            assert part in text, f"{function}: {part}"
        headings = re.findall(r"^ *(\w+(?:, \w+)*)$", text, re.MULTILINE)
        explained = {name for heading in headings for name in heading.split(", ")}
        parameters = {
            each.arg for each in (*arguments.args, *arguments.kwonlyargs, arguments.kwarg) if each
        }
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


@pytest.mark.parametrize(
    ("desired", "current", "tz", "same"),
    [
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
        ("R/2030-01-01T00:00:00Z/PT60M", "R/2030-01-01T05:00:00.000Z/PT1H", "", True),
        ("R/2030-01-01T00:00:00.5Z/PT1H", "R/2030-01-01T05:00:00.500Z/PT1H", "", True),
        ("R/2030-01-01T00:00:00.5Z/PT1H", "R/2030-01-01T05:00:00.000Z/PT1H", "", False),
        ("R/2030-01-01T01:00:00+01:00/PT24H", "R/2030-01-03T00:00:00.000Z/P1D", "", True),
        ("R/2030-01-15T00:00:00Z/P1M", "R/2030-03-15T00:00:00.000Z/P1M", "", True),
        ("R/2030-01-15T00:00:00Z/P1M", "R/2030-03-16T00:00:00.000Z/P1M", "", False),
        ("R1/2030-01-01T00:00:00Z/PT1H", "R0/2030-01-01T01:00:00.000Z/PT1H", "", True),
    ],
)
def test_a_schedule_is_the_same_after_some_runs_only(salt, desired, current, tz, same):
    assert salt.call("chronos.schedule_equivalent", desired, current, tz=tz) is same


def test_what_is_refused_changes_nothing(world, nobody):
    place = world()
    before, config = len(place.writes()), {"command": "true", "schedule": SCHEDULE}
    assert "hello-report run after 'hello'" in place.fails("delete_job", "hello")
    assert "no job called 'nosuch'" in place.fails(
        "put_job", "new", {"command": "true", "parents": ["nosuch"]}
    )
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
        ("put_job", ("new", {"schedule": "daily"}), {}),
        ("put_job", ("new", {"nosuch": 1}), {}),
        ("put_job", ("new", "text"), {}),
        ("put_job", ("hello", {"name": "other"}), {}),
        ("put_job", ("hello", {"cpus": "1"}), {}),
        ("put_job", ("hello", {"schedule": SCHEDULE, "parents": ["hello"]}), {}),
        ("put_job", ("hello", {}), {"match": "nosuch"}),
        ("put_job", ("hello", {}), {"wait": -1}),
        ("put_jobs", ("text",), {}),
        ("put_jobs", ({},), {"purge": True}),
        ("put_jobs", ({},), {"owner_name": 5}),
        ("put_jobs", ({},), {"test": "yes"}),
        ("delete_job", ("hello",), {"test": "yes"}),
        ("delete_job", ("hello",), {"children": "yes"}),
        ("job", (5,), {}),
        ("run_job", ("hello",), {"arguments": "a;b"}),
        ("graph", ("png",), {}),
        ("stats", ("50",), {}),
        ("search", (), {"limit": -1}),
        ("api_call", ("LOOK", "/ping"), {}),
        ("api_call", ("GET", "ping"), {}),
        ("api_call", ("GET", "/ping?x=y"), {}),
        ("api_call", ("GET", "/ping"), {"params": "x=y"}),
        ("api_call", ("DELETE", "/ping"), {}),
        ("api_call", ("DELETE", "/ping"), {"confirm": "yes"}),
    ):
        assert place.fails(function, *positional, **named).startswith("SaltInvocationError: "), (
            function
        )
    assert len(place.server.requests) == before


def test_what_has_no_function_is_asked_for_as_it_is(world):
    place = world()
    prefix = {2: "/scheduler", 3: "/v1/scheduler"}[place.call("api_version")]
    assert place.call("api_call", "GET", "/ping") == "pong"
    found = place.call("api_call", "GET", f"{prefix}/jobs/search", params={"name": "report"})
    assert [each["name"] for each in found] == ["hello-report"]
    sent = {
        "name": "made",
        "command": "true",
        "schedule": SCHEDULE,
        "owner": "",
        "epsilon": "PT60S",
    }
    assert place.call("api_call", "POST", f"{prefix}/iso8601", body=sent) is None
    assert json.loads(place.writes()[-1].body) == sent
    assert "confirm: False should be True" in place.fails(
        "api_call", "DELETE", f"{prefix}/job/hello-report"
    )
    assert place.call("api_call", "DELETE", f"{prefix}/job/hello-report", confirm=True) is None
    assert place.call("job_exists", "hello-report") is False
    assert "404" in place.fails("api_call", "GET", "/nosuch")


# --- what Chronos makes of jobs ---


def test_the_generation_is_asked_for_once_and_not_at_all_if_it_is_told(world):
    place = world()
    right, before = place.call("api_version"), len(place.server.requests)
    place.call("jobs")
    place.call("jobs", api_version=right)
    assert [asked.path.rpartition("/")[2] for asked in place.server.requests[before:]] == [
        "jobs",
        "jobs",
    ]
    assert "404" in place.fails("jobs", api_version=5 - right)
    assert place.fails("jobs", api_version=4).startswith(
        "SaltInvocationError: api_version: 4 should be 2, 3 or auto"
    )


def test_a_schedule_is_sent_as_it_stands_if_it_is_to_begin_anew(world):
    place = world()
    with place.server.lock:
        place.server.jobs["hello"]["schedule"] = "R/2030-01-05T00:00:00.000Z/PT24H"
    assert place.call("update_job", "hello", {"schedule": SCHEDULE})["changes"] == {}
    assert list(
        place.call("update_job", "hello", {"schedule": SCHEDULE}, reset_schedule=True)["changes"]
    ) == ["schedule"]
    assert json.loads(place.writes()[-1].body)["schedule"] == SCHEDULE


def test_a_job_that_begins_in_the_past_is_warned_of(world):
    place = world()
    made = place.call(
        "create_job", "early", {"command": "true", "schedule": "R/2020-01-01T00:00:00Z/PT24H"}
    )
    assert (
        [each for each in made["warnings"] if each.startswith("schedule: begins in the past")]
        == made["warnings"]
        != []
    )


def test_a_job_that_chronos_accepts_and_drops_is_an_error(world):
    place = world()
    place.server._put = lambda job: None
    said = place.fails("create_job", "new", {"command": "true", "schedule": SCHEDULE}, wait=0.3)
    assert said.startswith(
        "CommandExecutionError: Chronos accepted the job 'new', and it is not there: "
    )


def test_a_job_goes_from_parents_to_a_schedule_and_back(world):
    place = world()
    place.call("create_job", "other", {"command": "true", "schedule": SCHEDULE})
    for config, endpoint in (
        ({"schedule": SCHEDULE}, "/iso8601"),
        ({"parents": ["other", "hello"]}, "/dependency"),
    ):
        assert set(place.call("update_job", "hello-report", config)["changes"]) >= set(config)
        assert place.writes()[-1].path.endswith(endpoint)
    assert (
        place.call("update_job", "hello-report", {"parents": ["hello", "other"]})["changes"] == {}
    )
    assert "run after itself" in place.fails(
        "update_job", "hello-report", {"parents": ["hello-report"]}
    )


def test_a_job_is_deleted_with_what_that_does_to_its_children(world):
    gone = world().call("delete_job", "hello", children="allow")
    assert gone["deleted"]["name"] == "hello"
    assert gone["children"]["hello-report"]["parents"] == {"old": ["hello"], "new": None}


def test_null_is_not_sent_and_a_size_of_0_is_the_default(world):
    place = world()
    config = {
        "command": "true",
        "schedule": SCHEDULE,
        "owner": None,
        "cpus": 0,
        "runAsUser": None,
        "epsilon": "PT60S",
    }
    made = place.call("put_job", "new", config)
    sent = json.loads(place.writes()[-1].body)
    assert (
        None not in sent.values()
        and not {"owner", "runAsUser"} & set(sent)
        and made["job"]["cpus"] > 0
    )
    new = place.call("api_version") == 3
    assert ("epsilon" in sent, [each.partition(":")[0] for each in made["warnings"]]) == (
        not new,
        ["epsilon"] * new,
    )
    assert place.call("put_job", "new", config)["changes"] == {}


@pytest.mark.parametrize(
    "more",
    [
        {"uris": ["http://10.0.0.1/a.tgz"]},
        {"fetch": [{"uri": "http://10.0.0.1/a.tgz", "extract": False}]},
        {"constraints": [["rack", "EQUALS", "r1"]]},
        {"environmentVariables": {"B": 1, "A": True}},
        {
            "container": {
                "type": "docker",
                "image": "busybox",
                "volumes": [{"hostPath": "/a", "containerPath": "/a", "mode": "rw"}],
            }
        },
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_chronos_spells_differently_does_not_change_for_ever(world, more):
    place = world()
    place.call("put_job", "new", {"command": "true", "schedule": SCHEDULE, **more})
    before = len(place.writes())
    assert place.call("put_job", "new", more)["changes"] == {} and len(place.writes()) == before


def test_a_name_with_spaces_is_one_for_chronos_2_alone(world):
    place = world()
    before, config = len(place.writes()), {"command": "true", "schedule": SCHEDULE}
    if place.call("api_version") == 2:
        place.call("create_job", "a b #1", config)
        assert place.call("job", "a b #1")["name"] == "a b #1"
        assert place.call("run_job", "a b #1") is True
        assert place.call("delete_job", "a b #1")["children"] == {}
    else:
        assert place.fails("create_job", "a b #1", config).startswith(
            "SaltInvocationError: name: 'a b #1' should be made of letters"
        )
        assert len(place.writes()) == before


def test_one_that_does_not_lead_serves_as_well(world):
    place = world()
    at = {"url": place.another().url}
    assert place.call("jobs", **at).keys() == {"hello", "hello-report"}
    assert (
        place.call("update_job", "hello", {"command": "echo new"}, **at)["job"]["command"]
        == "echo new"
    )
    for function in ("job", "run_job", "job_stats"):
        said = place.fails(function, "nosuch", **at)
        assert "no job called 'nosuch'" in said or "keeps the reason to itself" in said, said


# --- servers that do not answer as they should ---


def every_example(salt, url, *settings, but=()):
    """Run the first example of each function that asks, but for some; returns the errors by function."""
    said = {}
    for function, commands in salt.examples("chronos").items():
        if function not in (*ASK_NOBODY, "chronos.connection", *but):
            with pytest.raises(salt.Error) as caught:
                salt.cli(" ".join((commands[0], f"url={url}", *settings)))
            said[function] = one_line(caught)
            assert said[function].startswith("CommandExecutionError: "), (
                f"{function}: {said[function]}"
            )
    return said


def test_of_a_server_that_is_down_each_function_says_so_in_one_line(salt, nobody):
    for function, text in every_example(salt, nobody, "retries=0").items():
        assert f"{nobody}/" in text and "Connection refused" in text, function


def test_of_servers_that_are_down_each_has_a_line(salt, nobody):
    with pytest.raises(salt.Error) as caught:
        salt.call("chronos.jobs", url=[nobody, "http://no.such.host.invalid:4400"], retries=0)
    first, second = str(caught.value).splitlines()
    assert "Connection refused" in first and "host name not found" in second


@pytest.mark.parametrize(
    "body", ["<html>It works!</html>", "[]", "{", "{}", '"x"', "null", "\x00"], ids=ascii
)
def test_of_a_server_that_answers_garbage_each_function_says_so_in_one_line(salt, raw, body):
    server = raw(answered(body))
    every_example(salt, server.url, "retries=0", but=("chronos.api_call",))
    assert not [heard for heard in server.heard if not heard.startswith(b"GET ")]


@pytest.mark.parametrize(
    "body",
    [
        "<html>It works!</html>",
        "[]",
        "{",
        "{}",
        "[1]",
        '[{"name": "hello"}]',
        '{"jobs": [{}]}',
        '"x"',
        "null",
        "\x00",
    ],
    ids=ascii,
)
def test_what_a_chronos_answers_is_understood_or_an_error_of_one_line(salt, raw, body):
    """The generation is told, so that each function gets as far as its own question."""
    for version in (2, 3):
        url, said = raw(answered(body)).url, set()
        for function, commands in salt.examples("chronos").items():
            if function not in (
                *ASK_NOBODY,
                "chronos.connection",
                "chronos.api_call",
                "chronos.api_version",
            ):
                wait = " wait=0" if function in ("chronos.create_job", "chronos.put_job") else ""
                try:
                    salt.cli(f"{commands[0]} url={url} retries=0 api_version={version}{wait}")
                except salt.Error as error:
                    said.add(function)
                    assert str(error).startswith("CommandExecutionError: ") and "\n" not in str(
                        error
                    ), f"{function}: {error}"
        assert {"chronos.ping", "chronos.leader", "chronos.graph", "chronos.summary"} <= said


def test_of_a_server_that_hangs_each_function_says_so_in_one_line(salt, raw):
    server = raw(None)
    for function, text in every_example(salt, server.url, "retries=0", "timeout=0.1").items():
        assert "no response within 0.1 seconds" in text, function
    with pytest.raises(salt.Error) as caught:  # and a write that has been sent
        salt.call(
            "chronos.api_call",
            "PUT",
            "/scheduler/job/hello",
            url=server.url,
            timeout=0.1,
            retries=3,
        )
    assert one_line(caught).endswith("It is not known whether the change was made")
    assert len([heard for heard in server.heard if heard.startswith(b"PUT ")]) == 1


def test_without_credentials_each_function_says_401_and_shows_no_secret(salt, closed):
    for wrong in ((), ("username=ops", "password=swordfish")):
        for function, text in every_example(salt, closed.url, "retries=0", *wrong).items():
            assert "401" in text and "swordfish" not in text and "sesame" not in text, function
    assert not [asked for asked in closed.requests if asked.method != "GET"]
    assert salt.call("chronos.jobs", url=closed.url, username="ops", password="sesame") == {}
    shown = salt.call("chronos.connection", url=closed.url, username="ops", password="sesame")
    assert shown["authentication"] == "basic" and "sesame" not in str(shown)


@pytest.fixture(params=["2.5.0", "3.0.2"])
def closed(request, running, nobody):
    """A Chronos that asks for a password, at a port that no other had: the module remembers which generation was there."""
    port = nobody.rpartition(":")[2]
    local = [
        "--http_address",
        "127.0.0.1",
        "--http_port",
        port,
        "--hostname",
        "127.0.0.1",
        "--http_credentials",
        "ops:sesame",
    ]
    return running(Chronos(local, None, request.param, servers=MemoryRoom(), agents=Agents()))


@pytest.mark.parametrize("versions", [("2.5.0", "3.0.2"), ("3.0.2", "2.5.0")])
@pytest.mark.parametrize(
    "asked",
    [
        ("job", "hello"),
        ("job_exists", "hello"),
        ("jobs",),
        ("jobs_summary",),
        ("search",),
        ("summary",),
        ("leader",),
        ("update_job", "hello", {"command": "false"}),
        ("delete_job", "hello"),
        ("mark_success", "hello"),
        ("run_job", "hello", "now"),
    ],
)
def test_another_generation_at_the_same_address_is_noticed(salt, running, nobody, versions, asked):
    local = [
        "--http_address",
        "127.0.0.1",
        "--http_port",
        nobody.rpartition(":")[2],
        "--hostname",
        "127.0.0.1",
    ]
    for version in versions:
        server = running(
            Chronos(
                local,
                None,
                version,
                servers=MemoryRoom(),
                agents=Agents(agent("lxb001.devops.test")),
            )
        )
        body = {"name": "hello", "command": "true", "schedule": SCHEDULE}
        requests.post(f"{nobody}{server.prefix}iso8601", json=body, timeout=5).raise_for_status()
        until(lambda server=server: server.jobs)
        if version is versions[0]:
            assert salt.call("chronos.api_version", url=nobody) == int(version[0])
            server.stop()
    salt.call(f"chronos.{asked[0]}", *asked[1:], url=nobody)
    assert salt.call("chronos.api_version", url=nobody) == int(versions[1][0])


@pytest.mark.parametrize(("version", "extract"), [("2.4.0", False), ("3.0.2", True)])
def test_whether_something_fetched_is_extracted_depends_on_the_version_where_it_is_not_said(
    salt, version, extract
):
    entry = salt.call(
        "chronos.canonical_job", {"fetch": [{"uri": "http://a.test/a.tgz"}]}, version=version
    )["fetch"][0]
    assert entry["extract"] is extract


def test_a_container_is_the_same_in_small_letters_and_with_ports_as_text(salt):
    def canonical(kind, network, port):
        info = {"portMappings": [{"hostPort": port, "containerPort": port}]}
        container = {"type": kind, "image": "busybox", "network": network, "networkInfos": [info]}
        return salt.call("chronos.canonical_job", {"container": container})["container"]

    assert (
        canonical("docker", "bridge", 80)
        == canonical("DOCKER", "BRIDGE", "80")
        != canonical("DOCKER", "BRIDGE", "81")
    )


def test_an_operator_of_a_constraint_that_there_is_not_is_refused_by_name(salt):
    with pytest.raises(salt.Error, match="SaltInvocationError: .*NEAR"):
        salt.call("chronos.canonical_job", {"constraints": [["rack", "NEAR", "r1"]]})
