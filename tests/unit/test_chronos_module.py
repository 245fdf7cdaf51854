"""The module chronos, run by the real Salt against fake daemons of Chronos 2.5 and 3.0."""

import ast
import datetime
import importlib.util
import json
import re

import pytest
import requests
from mesos_world import until

from lab import ROOT
from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.wire.election import MemoryRoom

# The functions speak HTTP, which Salt has no part in: one line is enough. With both lines the
# modules are loaded (test_modules_loaded.py) and called by the tests of states.
pytestmark = pytest.mark.lines("3008")

MODULE = ROOT / "_modules" / "mesos_chronos.py"
SPEC = importlib.util.spec_from_file_location(
    "chronos_schedule", ROOT / "_modules" / "_chronos_schedule.py"
)
chronos_schedule = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(chronos_schedule)
SCHEDULE = "R/2030-01-01T00:00:00Z/PT24H"
OFFLINE_FUNCTIONS = ("chronos.schedule_equivalent", "chronos.canonical_job")


@pytest.fixture(params=["2.5.0", "3.0.2"])
def start_cluster(request, salt, running):
    """Return a function that starts a Chronos with two jobs."""

    def start():
        local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
        agents = Agents(agent("lxb001.devops.test", {"rack": "r1"}))
        room = MemoryRoom()

        def start_server():
            server = Chronos(local, None, request.param, servers=room, agents=agents)
            server.loop = 0.05
            return running(server)

        return ChronosCluster(salt, start_server)

    return start


class ChronosCluster:
    def __init__(self, salt, start_server):
        self.salt, self.server, self.start_server = salt, start_server(), start_server
        self.call("create_job", "hello", {"command": "echo hello", "schedule": SCHEDULE})
        self.call("create_job", "hello-report", {"command": "echo report", "parents": ["hello"]})

    def call(self, function, *positional, **options):
        return self.salt.call(
            f"chronos.{function}", *positional, **{"url": self.server.url, **options}
        )

    def fails(self, function, *positional, **options):
        with pytest.raises(self.salt.Error) as error:
            self.call(function, *positional, **options)
        return one_line(error)

    def writes(self):
        return [
            request for request in self.server.requests if request.method not in ("GET", "HEAD")
        ]


def one_line(error_info):
    text = str(error_info.value)
    assert "\n" not in text and "Traceback" not in text, text
    return text


def http_response(body):
    headers = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"HTTP/1.1 200 OK\r\n{headers}\r\n{body}".encode()


def test_each_example_runs_as_printed(salt, start_cluster):
    cluster = start_cluster()
    for function, commands in salt.examples("chronos").items():
        assert commands, f"{function} has no example"
        before = len(cluster.writes())
        for command in commands:
            if function not in OFFLINE_FUNCTIONS:
                command = f"{re.sub(' url=.*', '', command)} url={cluster.server.url}"
            assert salt.cli(command) is not None, command
        if len(cluster.writes()) > before:
            cluster = start_cluster()


def test_the_documentation_of_each_function_is_complete(salt):
    documentation = salt.documented("chronos")
    parsed = {
        node.name: node.args
        for node in ast.parse(MODULE.read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    # Salt calls import_ import.
    public = {
        f"chronos.{name.rstrip('_')}": arguments
        for name, arguments in parsed.items()
        if not name.startswith("_")
    }
    assert documentation.keys() == public.keys()
    for function, arguments in public.items():
        text = documentation[function] or ""
        for part in ("CLI Example:", ".. code-block:: bash", "Returns "):
            assert part in text, f"{function}: {part}"
        headings = re.findall(r"^ *(\w+(?:, \w+)*)$", text, re.MULTILINE)
        explained = {name for heading in headings for name in heading.split(", ")}
        parameters = {
            argument.arg
            for argument in (*arguments.args, *arguments.kwonlyargs, arguments.kwarg)
            if argument
        }
        assert parameters <= explained, f"{function}: {parameters - explained}"


def test_an_import_creates_parents_first_and_does_not_make_up_for_missed_runs(start_cluster):
    cluster = start_cluster()
    exported = cluster.call("jobs")
    jobs = {
        "a-child": {**exported["hello-report"], "name": "a-child", "parents": ["past"]},
        "past": {
            **exported["hello"],
            "name": "past",
            "schedule": "R5/2026-01-01T00:30:00.000+02:00/PT24H",
            "successCount": 3,
        },
    }
    predicted = cluster.call("import", jobs, dry_run=True)
    assert cluster.call("jobs") == exported
    result = cluster.call("import", jobs)
    assert sorted(result["created"]) == sorted(predicted["created"]) == ["a-child", "past"]
    assert re.fullmatch(r"R5/20\S+T00:30:00\.000\+02:00/PT24H", result["rescheduled"]["past"])
    job = cluster.call("job", "past")
    assert job["schedule"].startswith("R5/") and job["successCount"] == 3
    before = len(cluster.writes())
    assert cluster.call("import", jobs)["changed"] == []
    assert len(cluster.writes()) == before


@pytest.mark.parametrize(
    "schedule, zone, expected",
    [
        ("R/2020-01-01T03:00:00Z/P1D", "", "R/2026-03-29T03:00:00.000Z/P1D"),
        ("R5/2020-01-01T00:00:00Z/PT1H", "", "R5/2026-03-29T01:00:00.000Z/PT1H"),
        ("R5/2026-03-29T01:00:00Z/PT1H", "", "R5/2026-03-29T01:00:00Z/PT1H"),
        ("R5/2026-03-29T00:30:00Z/PT1H", "", "R5/2026-03-29T01:30:00.000Z/PT1H"),
        ("R//PT1H", "", "R/2026-03-29T01:30:00.000Z/PT1H"),
        ("R/2020-01-31T00:00:00Z/P1M", "", "R/2026-03-31T00:00:00.000Z/P1M"),
        # At 01:00 UTC of this day summer time begins in Berlin.
        (
            "R/2026-03-01T03:30:00Z/P1D",
            "Europe/Berlin",
            "R/2026-03-29T03:30:00.000+02:00/P1D",
        ),
        ("R1/2020-01-01T00:00:00Z/PT0S", "", None),
        ("R0/2020-01-01T00:00:00Z/PT1H", "", "R0/2026-03-29T01:00:00.000Z/PT1H"),
    ],
)
def test_a_start_in_the_past_moves_to_the_next_run(schedule, zone, expected):
    now = datetime.datetime(2026, 3, 29, 0, 30, tzinfo=datetime.timezone.utc)
    assert chronos_schedule.without_missed_runs(schedule, now, zone) == expected


def test_put_job_is_idempotent(start_cluster):
    cluster = start_cluster()
    config = {"command": "echo night", "schedule": SCHEDULE, "retries": 3}
    assert cluster.call("put_job", "night", config)["created"] is True
    before = len(cluster.writes())
    again = cluster.call("put_job", "night", config)
    assert (again["created"], again["changes"]) == (False, {})
    assert len(cluster.writes()) == before


def test_an_update_preserves_the_counters_and_the_current_schedule(start_cluster):
    cluster = start_cluster()
    cluster.call("mark_success", "hello")
    moved = "R/2030-01-05T00:00:00.000Z/PT24H"
    with cluster.server.lock:
        cluster.server.jobs["hello"]["schedule"] = moved
    old = cluster.call("job", "hello")
    changed = cluster.call("update_job", "hello", {"command": "echo new", "schedule": SCHEDULE})
    assert list(changed["changes"]) == ["command"]
    new = cluster.call("job", "hello")
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
def test_a_schedule_is_equivalent_only_after_some_runs(salt, desired, current, tz, same):
    assert salt.call("chronos.schedule_equivalent", desired, current, tz=tz) is same


def test_a_rejected_change_sends_nothing(start_cluster, nobody):
    cluster = start_cluster()
    before, config = len(cluster.writes()), {"command": "true", "schedule": SCHEDULE}
    assert "hello-report run after 'hello'" in cluster.fails("delete_job", "hello")
    assert "no job called 'nosuch'" in cluster.fails(
        "put_job", "new", {"command": "true", "parents": ["nosuch"]}
    )
    for function in ("job", "delete_job", "kill_tasks", "job_stats", "children", "parents"):
        assert "no job called 'nosuch'" in cluster.fails(function, "nosuch"), function
    assert "no job called 'nosuch'" in cluster.fails("update_job", "nosuch", config)
    assert "already" in cluster.fails("create_job", "hello", config)
    assert len(cluster.writes()) == before
    assert nobody in cluster.fails("jobs", url=nobody, retries=0)


def test_invalid_arguments_are_rejected_before_anything_is_sent(start_cluster):
    cluster = start_cluster()
    before = len(cluster.server.requests)
    for function, positional, options in (
        ("put_job", ("new", {"schedule": "daily"}), {}),
        ("put_job", ("new", {"comand": "true"}), {}),
        ("put_job", ("new", "text"), {}),
        ("put_job", ("hello", {"name": "other"}), {}),
        ("put_job", ("hello", {"cpus": "many"}), {}),
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
        assert cluster.fails(function, *positional, **options).startswith(
            "SaltInvocationError: "
        ), function
    assert len(cluster.server.requests) == before


def test_api_call_sends_any_request(start_cluster):
    cluster = start_cluster()
    prefix = {2: "/scheduler", 3: "/v1/scheduler"}[cluster.call("api_version")]
    assert cluster.call("api_call", "GET", "/ping") == "pong\n"
    jobs = cluster.call("api_call", "GET", f"{prefix}/jobs/search", params={"name": "report"})
    assert [job["name"] for job in jobs] == ["hello-report"]
    sent = {
        "name": "made",
        "command": "true",
        "schedule": SCHEDULE,
        "owner": "",
        "epsilon": "PT60S",
    }
    assert cluster.call("api_call", "POST", f"{prefix}/iso8601", body=sent) is None
    assert json.loads(cluster.writes()[-1].body) == sent
    assert "confirm: False should be True, since DELETE" in cluster.fails(
        "api_call", "DELETE", f"{prefix}/job/hello-report"
    )
    assert cluster.call("api_call", "DELETE", f"{prefix}/job/hello-report", confirm=True) is None
    assert cluster.call("job_exists", "hello-report") is False
    assert "404" in cluster.fails("api_call", "GET", "/nosuch")


# --- what Chronos does with jobs ---


def test_the_generation_is_detected_once_and_not_at_all_if_it_is_configured(start_cluster):
    cluster = start_cluster()
    right, before = cluster.call("api_version"), len(cluster.server.requests)
    cluster.call("jobs")
    cluster.call("jobs", api_version=right)
    assert [request.path.rpartition("/")[2] for request in cluster.server.requests[before:]] == [
        "jobs",
        "jobs",
    ]
    assert "404" in cluster.fails("jobs", api_version=5 - right)
    assert cluster.fails("jobs", api_version=4).startswith(
        "SaltInvocationError: api_version: 4 should be 2, 3 or auto"
    )


def test_reset_schedule_sends_the_schedule_as_it_is_written(start_cluster):
    cluster = start_cluster()
    with cluster.server.lock:
        cluster.server.jobs["hello"]["schedule"] = "R/2030-01-05T00:00:00.000Z/PT24H"
    assert cluster.call("update_job", "hello", {"schedule": SCHEDULE})["changes"] == {}
    assert list(
        cluster.call("update_job", "hello", {"schedule": SCHEDULE}, reset_schedule=True)["changes"]
    ) == ["schedule"]
    assert json.loads(cluster.writes()[-1].body)["schedule"] == SCHEDULE


def test_a_start_in_the_past_causes_a_warning(start_cluster):
    cluster = start_cluster()
    result = cluster.call(
        "create_job", "early", {"command": "true", "schedule": "R/2020-01-01T00:00:00Z/PT24H"}
    )
    assert result["warnings"]
    for warning in result["warnings"]:
        assert warning.startswith("schedule: the start 2020-01-01T00:00:00+00:00 is in the past")


def test_a_job_that_chronos_accepts_and_drops_is_an_error(start_cluster):
    cluster = start_cluster()
    cluster.server._put = lambda job: None
    message = cluster.fails(
        "create_job", "new", {"command": "true", "schedule": SCHEDULE}, wait=0.3
    )
    assert message.startswith(
        "CommandExecutionError: Chronos accepted the job 'new', but it does not exist: "
    )


def test_a_job_can_change_from_parents_to_a_schedule_and_back(start_cluster):
    cluster = start_cluster()
    cluster.call("create_job", "other", {"command": "true", "schedule": SCHEDULE})
    for config, endpoint in (
        ({"schedule": SCHEDULE}, "/iso8601"),
        ({"parents": ["other", "hello"]}, "/dependency"),
    ):
        assert set(cluster.call("update_job", "hello-report", config)["changes"]) >= set(config)
        assert cluster.writes()[-1].path.endswith(endpoint)
    assert (
        cluster.call("update_job", "hello-report", {"parents": ["hello", "other"]})["changes"] == {}
    )
    assert "run after itself" in cluster.fails(
        "update_job", "hello-report", {"parents": ["hello-report"]}
    )


def test_deleting_a_job_reports_what_changes_in_its_children(start_cluster):
    deletion = start_cluster().call("delete_job", "hello", children="allow")
    assert deletion["deleted"]["name"] == "hello"
    assert deletion["children"]["hello-report"]["parents"] == {"old": ["hello"], "new": None}


def test_null_is_not_sent_and_a_resource_of_0_is_the_default(start_cluster):
    cluster = start_cluster()
    config = {
        "command": "true",
        "schedule": SCHEDULE,
        "owner": None,
        "cpus": 0,
        "runAsUser": None,
        "epsilon": "PT60S",
    }
    result = cluster.call("put_job", "new", config)
    sent = json.loads(cluster.writes()[-1].body)
    assert (
        None not in sent.values()
        and not {"owner", "runAsUser"} & set(sent)
        and result["job"]["cpus"] > 0
    )
    new = cluster.call("api_version") == 3
    assert ("epsilon" in sent, [warning.partition(":")[0] for warning in result["warnings"]]) == (
        not new,
        ["epsilon"] * new,
    )
    assert cluster.call("put_job", "new", config)["changes"] == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"uris": ["http://10.0.0.1/a.tgz"]},
        {"fetch": [{"uri": "http://10.0.0.1/a.tgz", "extract": False}]},
        {"constraints": [["rack", "EQUALS", "r1"]]},
        {"environmentVariables": {"B": 1, "A": "true"}},
        {
            "container": {
                "type": "docker",
                "image": "busybox",
                "volumes": [{"hostPath": "/a", "containerPath": "/a", "mode": "rw"}],
            }
        },
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_another_spelling_by_chronos_is_not_a_change(start_cluster, fields):
    cluster = start_cluster()
    cluster.call("put_job", "new", {"command": "true", "schedule": SCHEDULE, **fields})
    before = len(cluster.writes())
    assert (
        cluster.call("put_job", "new", fields)["changes"] == {} and len(cluster.writes()) == before
    )


def test_only_chronos_2_allows_names_with_spaces(start_cluster):
    cluster = start_cluster()
    before, config = len(cluster.writes()), {"command": "true", "schedule": SCHEDULE}
    if cluster.call("api_version") == 2:
        cluster.call("create_job", "a b #1", config)
        assert cluster.call("job", "a b #1")["name"] == "a b #1"
        assert cluster.call("run_job", "a b #1") is True
        assert cluster.call("delete_job", "a b #1")["children"] == {}
    else:
        assert cluster.fails("create_job", "a b #1", config).startswith(
            "SaltInvocationError: name: 'a b #1' should be made of letters"
        )
        assert len(cluster.writes()) == before


def test_a_server_that_does_not_lead_can_be_queried(start_cluster):
    cluster = start_cluster()
    at = {"url": cluster.start_server().url}
    assert cluster.call("jobs", **at).keys() == {"hello", "hello-report"}
    assert (
        cluster.call("update_job", "hello", {"command": "echo new"}, **at)["job"]["command"]
        == "echo new"
    )
    for function in ("job", "run_job", "job_stats"):
        message = cluster.fails(function, "nosuch", **at)
        expected = ("no job called 'nosuch'", "Only the leader returns the reason")
        assert any(text in message for text in expected), message


# --- servers with unexpected responses ---


def run_examples(salt, url, *settings, skip=()):
    """Run the first example of each function that sends requests; return the errors by function."""
    errors = {}
    for function, commands in salt.examples("chronos").items():
        if function not in (*OFFLINE_FUNCTIONS, "chronos.connection", *skip):
            with pytest.raises(salt.Error) as error_info:
                salt.cli(" ".join((commands[0], f"url={url}", *settings)))
            errors[function] = one_line(error_info)
            assert errors[function].startswith("CommandExecutionError: "), (
                f"{function}: {errors[function]}"
            )
    return errors


def test_each_function_reports_a_server_that_is_down_in_one_line(salt, nobody):
    for function, text in run_examples(salt, nobody, "retries=0").items():
        assert f"{nobody}/" in text and "Connection refused" in text, function


def test_each_server_that_is_down_gets_a_line(salt, nobody):
    with pytest.raises(salt.Error) as error_info:
        salt.call("chronos.jobs", url=[nobody, "http://no.such.host.invalid:4400"], retries=0)
    first_error, second_error = str(error_info.value).splitlines()
    assert "Connection refused" in first_error and "host name not found" in second_error


@pytest.mark.parametrize(
    "body", ["<html>It works!</html>", "[]", "{", "{}", '"x"', "null", "\x00"], ids=ascii
)
def test_each_function_reports_a_response_of_another_server_in_one_line(salt, raw, body):
    server = raw(http_response(body))
    run_examples(salt, server.url, "retries=0", skip=("chronos.api_call",))
    assert not [request for request in server.heard if not request.startswith(b"GET ")]


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
def test_an_unexpected_response_never_causes_a_traceback(salt, raw, body):
    """With api_version set, each function gets as far as its own request."""
    for version in (2, 3):
        url, failed = raw(http_response(body)).url, set()
        for function, commands in salt.examples("chronos").items():
            if function not in (
                *OFFLINE_FUNCTIONS,
                "chronos.connection",
                "chronos.api_call",
                "chronos.api_version",
            ):
                wait = " wait=0" if function in ("chronos.create_job", "chronos.put_job") else ""
                try:
                    salt.cli(f"{commands[0]} url={url} retries=0 api_version={version}{wait}")
                except salt.Error as error:
                    failed.add(function)
                    assert str(error).startswith("CommandExecutionError: ") and "\n" not in str(
                        error
                    ), f"{function}: {error}"
        assert {"chronos.ping", "chronos.leader", "chronos.graph", "chronos.summary"} <= failed


def test_each_function_reports_a_server_that_hangs_in_one_line(salt, raw):
    server = raw(None)
    for function, text in run_examples(salt, server.url, "retries=0", "timeout=0.1").items():
        assert "no response within 0.1 seconds" in text, function
    with pytest.raises(salt.Error) as error_info:  # and a write that has been sent
        salt.call(
            "chronos.api_call",
            "PUT",
            "/scheduler/job/hello",
            url=server.url,
            timeout=0.1,
            retries=3,
        )
    assert one_line(error_info).endswith("It is not known whether the change was made")
    assert len([request for request in server.heard if request.startswith(b"PUT ")]) == 1


def test_without_valid_credentials_each_function_reports_401_and_no_secret(salt, closed):
    for login in ((), ("username=ops", "password=swordfish")):
        for function, text in run_examples(salt, closed.url, "retries=0", *login).items():
            assert "401" in text and "swordfish" not in text and "sesame" not in text, function
    assert not [request for request in closed.requests if request.method != "GET"]
    assert salt.call("chronos.jobs", url=closed.url, username="ops", password="sesame") == {}
    settings = salt.call("chronos.connection", url=closed.url, username="ops", password="sesame")
    assert settings["authentication"] == "basic" and "sesame" not in str(settings)


@pytest.fixture(params=["2.5.0", "3.0.2"])
def closed(request, running, nobody):
    """
    A Chronos that requires a password.

    It has a port that no other server had, since the module remembers the generation of a server.
    """
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
    "call",
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
def test_another_generation_at_the_same_address_is_detected(salt, running, nobody, versions, call):
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
    salt.call(f"chronos.{call[0]}", *call[1:], url=nobody)
    assert salt.call("chronos.api_version", url=nobody) == int(versions[1][0])


@pytest.mark.parametrize(("version", "extract"), [("2.4.0", False), ("3.0.2", True)])
def test_the_default_of_extract_depends_on_the_version(salt, version, extract):
    entry = salt.call(
        "chronos.canonical_job", {"fetch": [{"uri": "http://a.test/a.tgz"}]}, version=version
    )["fetch"][0]
    assert entry["extract"] is extract


def test_a_container_is_the_same_in_lower_case_and_with_ports_as_text(salt):
    def canonical(kind, network, port):
        info = {"name": "net", "portMappings": [{"hostPort": port, "containerPort": port}]}
        container = {"type": kind, "image": "busybox", "network": network, "networkInfos": [info]}
        return salt.call("chronos.canonical_job", {"container": container})["container"]

    assert (
        canonical("docker", "bridge", 80)
        == canonical("DOCKER", "BRIDGE", "80")
        != canonical("DOCKER", "BRIDGE", "81")
    )


def test_an_unknown_operator_of_a_constraint_is_named(salt):
    with pytest.raises(salt.Error, match="SaltInvocationError: .*NEAR"):
        salt.call("chronos.canonical_job", {"constraints": [["rack", "NEAR", "r1"]]})
