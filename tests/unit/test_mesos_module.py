"""The module mesos, run by real Salt 3006 and 3008 against a cluster of fake daemons."""

import ast
import json
import re
from pathlib import Path

import pytest
from mesos_world import HOSTS, MesosCluster, one_line, until

# The functions speak HTTP, which Salt has no part in: one line is enough. With both lines the
# modules are loaded (test_modules_loaded.py) and called by the tests of states.
pytestmark = pytest.mark.lines("3008")

MODULE = Path(__file__).parents[2] / "_modules" / "mesos.py"
WINDOW = {"start": 1893456000 * 10**9, "duration": 7200 * 10**9}  # of 2030


@pytest.fixture
def start_cluster(salt, running, tmp_path):
    """Return a function that starts a cluster in its own directory."""
    clusters = []

    def start(*flags, **options):
        clusters.append(
            MesosCluster(salt, running, tmp_path / str(len(clusters)), *flags, **options)
        )
        return clusters[-1]

    return start


# --- examples and documentation ---

# The calls before the example of a function that writes, and the check of its result.
WRITES = {
    "set_weights": ((), lambda result: result == {"web": 2.0, "batch": 0.5}),
    "set_quota": ((), lambda result: result["guarantees"] or result["limits"]),
    "remove_quota": ([("set_quota", "batch", {"cpus": 1})], lambda result: result is True),
    "set_maintenance_schedule": ((), lambda result: scheduled(result) == [HOSTS[0]]),
    "add_maintenance_window": ((), lambda result: scheduled(result) == [HOSTS[1]]),
    "remove_from_schedule": (
        [("add_maintenance_window", f"{HOSTS[1]},{HOSTS[2]}", "now")],
        lambda result: scheduled(result) == [HOSTS[2]],
    ),
    "machine_down": (
        [("add_maintenance_window", HOSTS[1], "now")],
        lambda result: names(result["down"]) == [HOSTS[1]],
    ),
    "machine_up": (
        [("add_maintenance_window", HOSTS[1], "now"), ("machine_down", HOSTS[1], True)],
        lambda result: result["down"] == [],
    ),
    "drain_agent": ((), lambda result: result["drain"] in ("DRAINING", "DRAINED")),
    "deactivate_agent": ((), lambda result: result["deactivated"]),
    "reactivate_agent": (
        [("deactivate_agent", HOSTS[3])],
        lambda result: not result["deactivated"],
    ),
    "mark_agent_gone": ((), lambda result: re.search(r"-S\d+$", result)),
    "teardown_framework": ((), lambda result: result["name"] == "marathon"),
    "reserve": ((), lambda result: result["web"]["dynamic"] == {"cpus": 0.5, "mem": 64}),
    "unreserve": (
        [("reserve", HOSTS[0], "web", {"cpus": 1, "mem": 64})],
        lambda result: result["web"]["dynamic"] == {"cpus": 0.5},
    ),
    "create_volumes": (
        [("reserve", HOSTS[0], "web", {"disk": 100})],
        lambda result: list(result["web"]["volumes"]) == ["data-1"],
    ),
    "destroy_volumes": (
        [
            ("reserve", HOSTS[0], "web", {"disk": 100}),
            ("create_volumes", HOSTS[0], "web", {"data-1": {"path": "data", "size": 100}}),
        ],
        lambda result: result["web"]["volumes"] == {},
    ),
    "set_logging_level": ((), lambda result: result == 1),
}
# Empty results of examples in this cluster. A log is a file, and its list is empty.
EMPTY = {
    "out_of_service": [],
    "list_files": [],
    "quotas": {},
    "maintenance_schedule": [],
    "logging_level": 0,
}


def scheduled(windows):
    return names(machine for window in windows for machine in window["machines"])


def names(machines):
    return sorted(machine["hostname"] for machine in machines)


# They read what the agent of this host has stored, see test_agent_identity_states.py.
LOCAL_FUNCTIONS = {"agent_checkpoint", "diff_agent"}


def with_masters(command, cluster):
    """Return a command line with the masters of a cluster instead of those of the examples."""
    if "url=http://10." not in command:
        return f"{command} url={cluster.url}"
    for literal, real in cluster.masters.items():
        command = command.replace(literal, real)
    return command


def test_the_examples_of_each_function_that_reads_run(salt, start_cluster, running, nobody):
    cluster = start_cluster()
    cluster.call("reserve", HOSTS[0], "web", {"cpus": 1})
    cluster.leader.heard.clear()
    standby = running(cluster.master("standby"))
    cluster.masters = {
        "http://10.0.0.1:5050": cluster.url,
        "http://10.0.0.2:5050": standby.url,
        "http://10.0.0.3:5050": nobody,
    }
    for function, commands in salt.examples("mesos").items():
        name = function.partition(".")[2]
        assert commands, f"{function} has no example"
        for command in commands if name not in {*WRITES, *LOCAL_FUNCTIONS} else ():
            returned = salt.cli(with_masters(command, cluster))
            assert returned == EMPTY[name] if name in EMPTY else returned, command
    assert cluster.leader.heard == []


@pytest.mark.parametrize("name", WRITES)
def test_the_examples_of_each_function_that_writes_run(salt, start_cluster, name):
    preparations, is_expected = WRITES[name]
    cluster = start_cluster()
    for function, *positional in preparations:
        cluster.call(function, *positional)
    cluster.leader.heard.clear()
    for command in salt.examples("mesos")[f"mesos.{name}"]:
        returned = salt.cli(f"{command} url={cluster.url}")
        assert is_expected(returned), f"{command}: {returned}"
    assert cluster.leader.heard


def test_the_docstring_of_each_function_is_complete(salt):
    docstrings = salt.documented("mesos")
    parsed = {
        node.name: node.args
        for node in ast.parse(MODULE.read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    public = {
        f"mesos.{name}": arguments for name, arguments in parsed.items() if not name.startswith("_")
    }
    assert docstrings.keys() == public.keys()
    for function, arguments in public.items():
        text = docstrings[function] or ""
        for part in ("    CLI Example:\n", "    .. code-block:: bash\n", "    Returns "):
            assert part in text, f"{function}: {part}"
        headings = re.findall(r"^    (\w+(?:, \w+)*)$", text, re.MULTILINE)
        explained = {name for heading in headings for name in heading.split(", ")}
        parameters = [
            parameter.arg
            for parameter in (*arguments.args, *arguments.kwonlyargs, arguments.kwarg)
            if parameter
        ]
        assert set(parameters) <= explained, f"{function}: {set(parameters) - explained}"
        if function != "mesos.agent_checkpoint":
            assert parameters[-2:] == ["profile", "connection"], function


# --- quota ---


@pytest.mark.parametrize("version", ["1.4.3", "1.8.1", "1.11.0"])
def test_remove_quota_never_uses_the_call_that_kills_the_master(salt, start_cluster, version):
    cluster = start_cluster(version=version)
    assert cluster.call("remove_quota", "web") is False
    assert cluster.leader.heard == []
    cluster.call("set_quota", "web", guarantees={"cpus": 1})
    assert cluster.call("quota", "web")["guarantees"] == {"cpus": 1}
    assert [cluster.call("remove_quota", "web") for _ in range(2)] == [True, False]
    assert cluster.call("quotas") == {}
    assert "REMOVE_QUOTA" not in cluster.leader.heard and cluster.leader.ended is None


def test_the_omitted_part_of_a_quota_does_not_change(salt, start_cluster):
    cluster = start_cluster()
    assert cluster.call("set_quota", "web", {"cpus": 4, "mem": 1024}, {"cpus": 1}) == {
        "limits": {"cpus": 4, "mem": 1024},
        "guarantees": {"cpus": 1},
    }
    assert cluster.call("set_quota", "web", guarantees={"cpus": 2}) == {
        "limits": {"cpus": 4, "mem": 1024},
        "guarantees": {"cpus": 2},
    }
    assert cluster.call("set_quota", "web", limits={}) == {"limits": {}, "guarantees": {"cpus": 2}}
    cluster.call("set_quota", "batch", {"cpus": 1})
    assert cluster.call("set_quota", "web", guarantees={}) == {"limits": {}, "guarantees": {}}
    assert list(cluster.call("quotas")) == ["batch"]


def test_a_quota_changes_before_mesos_1_9_too(salt, start_cluster):
    cluster = start_cluster(version="1.8.1")
    for cpus in (1, 2):
        assert cluster.call("set_quota", "web", guarantees={"cpus": cpus})["guarantees"] == {
            "cpus": cpus
        }
    assert "needs Mesos 1.9" in cluster.fails("set_quota", "web", {"cpus": 4})
    assert cluster.call("quota", "web")["guarantees"] == {"cpus": 2}


@pytest.mark.parametrize("version", ["1.8.1", "1.11.0"])
def test_guarantees_above_the_capacity_need_force(salt, start_cluster, version):
    cluster = start_cluster(version=version)
    error = cluster.fails("set_quota", "web", guarantees={"cpus": 17})
    assert "exceed cluster capacity" in error and "17" in error
    assert cluster.call("quotas") == {}
    assert cluster.call("set_quota", "web", guarantees={"cpus": 17}, force=True)["guarantees"] == {
        "cpus": 17
    }


# --- maintenance ---


def test_adding_a_window_keeps_the_existing_windows(salt, start_cluster):
    cluster = start_cluster()
    without_agent = {"hostname": "lxb009.devops.test", "ip": "172.31.250.73"}
    schedule = cluster.call("add_maintenance_window", [HOSTS[0], without_agent], **WINDOW)
    assert schedule == [
        {"machines": [{"hostname": HOSTS[0], "ip": "127.0.0.1"}, without_agent], **WINDOW}
    ]
    second = cluster.call("add_maintenance_window", HOSTS[1], "2031-01-01T00:00:00Z")
    assert second == [
        *schedule,
        {
            "machines": [{"hostname": HOSTS[1], "ip": "127.0.0.1"}],
            "start": 1924992000 * 10**9,
            "duration": None,
        },
    ]
    moved = cluster.call("add_maintenance_window", HOSTS[0].upper(), "2031-01-01T00:00:00Z", "90m")
    assert [names(window["machines"]) for window in moved] == [
        ["lxb009.devops.test"],
        [HOSTS[0]],
        [HOSTS[1]],
    ]
    assert scheduled(cluster.call("remove_from_schedule", without_agent)) == [HOSTS[0], HOSTS[1]]
    assert cluster.leader.heard == ["UPDATE_MAINTENANCE_SCHEDULE"] * 4


def test_removing_a_machine_that_is_not_scheduled_writes_nothing(salt, start_cluster):
    cluster = start_cluster()
    assert cluster.call("remove_from_schedule", HOSTS[0]) == []
    assert cluster.leader.heard == []


def test_a_machine_that_is_down_stays_in_the_schedule(salt, start_cluster):
    cluster = start_cluster()
    cluster.call("add_maintenance_window", HOSTS[1], "now")
    cluster.call("machine_down", HOSTS[1], confirm=True)
    assert "cannot be removed from the schedule" in cluster.fails("remove_from_schedule", HOSTS[1])
    assert names(cluster.call("maintenance_status")["down"]) == [HOSTS[1]]


HIDDEN = (
    '--acls={"get_maintenance_schedules": '
    '[{"principals": {"type": "ANY"}, "machines": {"type": "NONE"}}]}'
)


@pytest.mark.parametrize(
    "function, arguments",
    [
        ("add_maintenance_window", (HOSTS[1], "now")),
        ("remove_from_schedule", (HOSTS[1],)),
        ("set_maintenance_schedule", ([], True)),
    ],
)
def test_a_schedule_that_is_hidden_is_not_written_back(salt, start_cluster, function, arguments):
    cluster = start_cluster(HIDDEN)
    machine = {"hostname": HOSTS[0], "ip": "127.0.0.1"}
    cluster.leader.maintenance.replace(
        {"windows": [{"machine_ids": [machine], "unavailability": {"start": {"nanoseconds": 1}}}]}
    )
    assert cluster.call("maintenance_schedule") == []
    error = cluster.fails(function, *arguments)
    assert (
        error.startswith(
            "CommandExecutionError: The maintenance schedule is not completely visible to this user"
        )
        and HOSTS[0] in error
    )
    assert cluster.leader.heard == [] and len(cluster.leader.maintenance.windows) == 1


# --- leaders ---


def test_a_leader_that_has_not_recovered_is_not_taken_for_an_empty_cluster(salt, start_cluster):
    cluster = start_cluster(hosts=())
    cluster.leader.recovered = False
    for function, *positional in (
        ("agents",),
        ("tasks",),
        ("frameworks",),
        ("roles",),
        ("weights",),
        ("quotas",),
        ("maintenance_schedule",),
        ("summary",),
        ("set_weights", {"web": 2}),
        ("set_quota", "web", {"cpus": 1}),
        ("remove_quota", "web"),
        ("add_maintenance_window", [{"hostname": "a"}], "now"),
        ("set_maintenance_schedule", [], True),
        ("diff_quota", "web", {"cpus": 1}),
        ("diff_weights", {"web": 1}),
        ("maintenance_window", [{"hostname": "a"}], "now"),
        ("maintenance_schedule", True),
    ):
        assert "has not finished recovery" in cluster.fails(
            function, *positional, retries=0, timeout=2
        ), function
    assert set(cluster.leader.heard) <= {
        "UPDATE_WEIGHTS"
    }  # which the master refuses as it does the reads
    assert cluster.call("health", retries=0) is False


def test_a_standby_sends_reads_and_writes_to_the_leader(salt, start_cluster, running):
    cluster = start_cluster()
    standby = running(cluster.master("standby"))
    assert names(salt.call("mesos.agents", url=standby.url)) == list(HOSTS)
    salt.call("mesos.set_weights", {"web": 3}, url=standby.url)
    assert cluster.call("weight", "web") == 3
    assert salt.call("mesos.leader", url=standby.url)["url"] == cluster.url


def canned(raw, endpoints, version="1.11.0", mark_gone_statuses=(200,)):
    """
    Return a server that answers as a master does.

    ``endpoints`` maps paths of older endpoints to responses, or to functions of the query.
    """
    statuses = list(mark_gone_statuses)

    def respond(data):
        head, _, body = data.decode().partition("\r\n\r\n")
        path, _, query = head.split()[1].partition("?")
        call = json.loads(body)["type"] if body else None
        status = statuses.pop(0) if call == "MARK_AGENT_GONE" else 200
        content = (
            {"type": call, "get_health": {"healthy": True}}
            if call
            else {"/version": {"version": version}, **endpoints}[path]
        )
        text = json.dumps(
            content(dict(part.split("=") for part in query.split("&")))
            if callable(content)
            else content
        )
        return f"HTTP/1.1 {status} x\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()

    return raw(respond)


def test_all_tasks_are_read_in_pages(salt, raw):
    recorded = [
        {
            "id": f"t{number}",
            "name": "t",
            "framework_id": "f",
            "slave_id": "s",
            "state": "TASK_RUNNING",
        }
        for number in range(2345)
    ]

    def page(query):
        offset = int(query["offset"])
        return {"tasks": recorded[offset : offset + int(query["limit"])]}

    url = canned(raw, {"/tasks": page}).url
    assert [task["id"] for task in salt.call("mesos.tasks", url=url)] == [
        task["id"] for task in recorded
    ]
    assert len(salt.call("mesos.tasks", url=url, limit=1500)) == 1500


def test_an_agent_that_has_not_reregistered_is_marked_as_recovered(salt, raw):
    url = canned(
        raw, {"/slaves": {"slaves": [], "recovered_slaves": [{"id": "0-S0", "hostname": "a"}]}}
    ).url
    agents = salt.call("mesos.agents", url=url)
    assert [
        (agent["id"], agent["recovered"], agent["active"], agent["ip"]) for agent in agents
    ] == [("0-S0", True, False, None)]


def test_two_agents_with_one_host_name_need_an_id(salt, raw):
    both = [
        {
            "id": f"0-S{number}",
            "hostname": "a",
            "pid": f"slave(1)@10.0.0.1:{5051 + number}",
            "active": True,
        }
        for number in (0, 1)
    ]
    url = canned(raw, {"/slaves": {"slaves": both}}).url
    for function in ("agent", "drain_agent", "reactivate_agent"):
        with pytest.raises(salt.Error) as caught:
            salt.call(f"mesos.{function}", "a", url=url)
        assert "0-S0" in one_line(caught) and "0-S1" in one_line(caught)
    assert salt.call("mesos.agent", "0-S1", url=url)["port"] == both[1].get("port")


def test_mark_agent_gone_is_retried_while_the_master_is_busy(salt, raw):
    server = canned(raw, {}, mark_gone_statuses=(503, 200))
    assert (
        salt.call("mesos.mark_agent_gone", "0-S1", confirm=True, url=server.url, retry_delay=0.01)
        == "0-S1"
    )
    assert len([data for data in server.heard if b"MARK_AGENT_GONE" in data]) == 2


# --- draining ---


def test_an_agent_is_not_drained_twice_unless_requested(salt, start_cluster):
    cluster = start_cluster()
    for _ in range(2):
        cluster.call("drain_agent", HOSTS[3], "10m")
    until(lambda: cluster.call("agent", HOSTS[3])["drain"] == "DRAINED")
    assert cluster.call("drain_agent", HOSTS[3])["drain"] == "DRAINED"
    assert cluster.leader.heard == ["DRAIN_AGENT"]
    cluster.call("drain_agent", HOSTS[3], again=True)
    until(lambda: cluster.call("agent", HOSTS[3])["drain"] == "DRAINED")
    for _ in range(2):
        assert cluster.call("reactivate_agent", HOSTS[3])["deactivated"] is False
    assert cluster.leader.heard == ["DRAIN_AGENT", "DRAIN_AGENT", "REACTIVATE_AGENT"]


def test_a_scheduled_agent_is_not_drained(salt, start_cluster):
    cluster = start_cluster()
    cluster.call("add_maintenance_window", HOSTS[3], "now")
    assert cluster.fails("drain_agent", HOSTS[3]).startswith("CommandExecutionError: POST ")
    assert cluster.call("agent", HOSTS[3])["drain"] is None


def test_draining_needs_mesos_1_9(salt, start_cluster):
    cluster = start_cluster(version="1.8.1")
    for function in ("drain_agent", "deactivate_agent", "reactivate_agent"):
        assert "needs Mesos 1.9" in cluster.fails(function, HOSTS[3])
    assert cluster.leader.heard == []


def test_a_machine_is_taken_down_and_up_as_the_schedule_spells_it(salt, start_cluster):
    cluster = start_cluster()
    machine = {"hostname": HOSTS[1].upper(), "ip": "127.0.0.1"}
    cluster.leader.maintenance.replace(
        {"windows": [{"machine_ids": [machine], "unavailability": {"start": {"nanoseconds": 1}}}]}
    )
    assert [
        hostname.lower()
        for hostname in names(cluster.call("machine_down", HOSTS[1], confirm=True)["down"])
    ] == [HOSTS[1]]
    assert cluster.call("machine_up", HOSTS[1])["down"] == []
    assert cluster.call("maintenance_schedule") == []


# --- irreversible calls ---


@pytest.fixture
def endangered(start_cluster):
    """A cluster with something to destroy."""
    cluster = start_cluster()
    cluster.call("add_maintenance_window", HOSTS[0], "now")
    cluster.call("reserve", HOSTS[0], "web", {"disk": 100})
    cluster.call("create_volumes", HOSTS[0], "web", {"data-1": {"path": "data", "size": 100}})
    cluster.leader.heard.clear()
    return cluster


def test_irreversible_calls_need_confirmation(salt, endangered):
    irreversible = ast.literal_eval(
        re.search(r"^IRREVERSIBLE = (\{.*?^\})", MODULE.read_text(), re.MULTILINE | re.DOTALL)[1]
    )
    for function, *positional in (
        ("teardown_framework", "marathon"),
        ("machine_down", HOSTS[0]),
        ("mark_agent_gone", HOSTS[3]),
        ("mark_agent_gone", "0-S99"),
        ("destroy_volumes", HOSTS[0], "web", "data-1"),
        ("set_maintenance_schedule", []),
        *(("api_call", call) for call in irreversible),
    ):
        for confirm in ({}, {"confirm": False}, {"confirm": "yes"}, {"confirm": 1}):
            error = endangered.fails(function, *positional, **confirm)
            assert error.startswith("SaltInvocationError: "), error
            assert error.endswith("To confirm this, use confirm=True"), error
    assert endangered.fails("drain_agent", HOSTS[3], mark_gone=True).endswith("confirm=True")
    assert endangered.leader.heard == []


def test_confirmed_calls_are_executed(salt, endangered):
    assert endangered.call("set_maintenance_schedule", [], confirm=True) == []
    endangered.call("teardown_framework", "marathon", confirm=True)
    assert endangered.call("frameworks") == []
    assert [
        (entry["name"], entry["completed"])
        for entry in endangered.call("frameworks", completed=True)
    ] == [("marathon", True)]
    endangered.call("drain_agent", HOSTS[3], mark_gone=True, confirm=True)
    until(lambda: names(endangered.call("agents")) == list(HOSTS[:3]))


def test_a_framework_is_torn_down_once(salt, start_cluster):
    cluster = start_cluster()
    cluster.call("teardown_framework", cluster.framework, confirm=True)
    assert "has already ended" in cluster.fails(
        "teardown_framework", cluster.framework, confirm=True
    )
    assert len(cluster.leader.heard) == 1


def test_a_guarantee_of_0_sets_no_limit_of_0(salt, start_cluster):
    cluster = start_cluster()
    assert cluster.call("set_quota", "web", guarantees={"cpus": 0})["limits"] == {}
    assert "SET_QUOTA" not in cluster.leader.heard


def test_a_weight_of_1_stays_listed_and_may_be_set_again(salt, start_cluster):
    cluster = start_cluster()
    for weight in (2, 2.0, 1, 1):
        cluster.call("set_weights", {"web": weight})
    assert cluster.call("weights") == {"web": 1, "batch": 1}


# --- errors ---


@pytest.mark.parametrize(
    "function, arguments, error",
    [
        (
            "role",
            ("nobody",),
            "CommandExecutionError: role: the leader does not know the role nobody. Known: ",
        ),
        (
            "agent",
            ("lxb009",),
            f"CommandExecutionError: agent: there is no agent lxb009. Known: {', '.join(HOSTS)}",
        ),
        ("agent", ("",), "SaltInvocationError: agent: '' should be the id or the host name"),
        ("agent_state", ("lxb009",), "CommandExecutionError: agent: there is no agent lxb009"),
        ("drain_agent", ("lxb009",), "CommandExecutionError: agent: there is no agent lxb009"),
        (
            "reserve",
            ("lxb009", "web", {"cpus": 1}),
            "CommandExecutionError: agent: there is no agent lxb009",
        ),
        ("mark_agent_gone", ("0-S99", True), "CommandExecutionError: "),
        (
            "framework",
            ("chronos",),
            "CommandExecutionError: framework: there is no framework chronos. Known: marathon",
        ),
        ("tasks", ("chronos",), "CommandExecutionError: framework: there is no framework chronos"),
        ("weight", ("a b",), "SaltInvocationError: role: 'a b' should be the name of a role"),
        ("quota", ("/web",), "SaltInvocationError: role: '/web' should be the name of a role"),
        (
            "set_weights",
            ({"-web": 1},),
            "SaltInvocationError: weights: '-web' should be the name of a role",
        ),
        (
            "set_weights",
            ({"web": 0},),
            "SaltInvocationError: weights: web: 0 should be a number above 0",
        ),
        ("set_weights", ("web",), "SaltInvocationError: weights: 'web' should be a mapping"),
        (
            "set_quota",
            ("web/a", {"cpus": 1}),
            "SaltInvocationError: role: 'web/a' should be a top-level role",
        ),
        (
            "set_quota",
            ("web",),
            "SaltInvocationError: limits: None should be a mapping such as {cpus: 8}",
        ),
        (
            "set_quota",
            ("web", {"cpus": -1}),
            "SaltInvocationError: limits: cpus: -1 should be a number, 0 or more",
        ),
        (
            "set_quota",
            ("web", {"cpus": 1}, {"cpus": 2}),
            "SaltInvocationError: guarantees: cpus: 2.0 should be at most the limit, 1",
        ),
        ("machine_down", (HOSTS[0], True), "CommandExecutionError: "),
        ("machine_up", (HOSTS[0],), "CommandExecutionError: "),
        (
            "add_maintenance_window",
            ("lxb009", "now"),
            "CommandExecutionError: machines: no agent and no scheduled machine is called lxb009",
        ),
        (
            "add_maintenance_window",
            (HOSTS[0], "2030-01-01T00:00:00"),
            "SaltInvocationError: start: '2030-01-01T00:00:00' should be now",
        ),
        (
            "add_maintenance_window",
            (HOSTS[0], "now", "soon"),
            "SaltInvocationError: duration: 'soon' should be a duration",
        ),
        ("reserve", (HOSTS[0], "web", {"cpus": 5}), "CommandExecutionError: "),
        (
            "create_volumes",
            (HOSTS[0], "web", {"d": {"path": "d", "size": 1}}),
            "CommandExecutionError: ",
        ),
        (
            "destroy_volumes",
            (HOSTS[0], "web", "d", True),
            "CommandExecutionError: ids: web has no volume d",
        ),
        ("list_files", ("/no/such",), "CommandExecutionError: "),
        (
            "read_file",
            ("stdout",),
            "SaltInvocationError: path: 'stdout' should be an absolute path",
        ),
        (
            "api_call",
            ("SUBSCRIBE",),
            "SaltInvocationError: call: 'SUBSCRIBE' should be a call with one response",
        ),
        ("api_call", ("GET_NOTHING",), "CommandExecutionError: "),
    ],
    ids=str,
)
def test_errors_are_one_line(salt, cluster, function, arguments, error):
    assert cluster.fails(function, *arguments).startswith(error)


@pytest.fixture(scope="module")
def cluster(salt, tmp_path_factory):
    """A cluster for all calls that fail."""
    daemons = []

    def running(daemon):
        daemon.start()
        daemons.append(daemon)
        return daemon

    yield MesosCluster(salt, running, tmp_path_factory.mktemp("cluster"))
    for daemon in daemons:
        daemon.stop()


# Functions that do not fail if no master responds.
NEVER_FAILING = {
    "connection",
    "health",
    "masters",
    "masters_without_credentials",
    "peers_without_credentials",
    "quorums",
}


def errors_of_examples(salt, url, *settings):
    """Run the first example of each function that sends requests. Returns the errors."""
    errors = {}
    for function, commands in salt.examples("mesos").items():
        name = function.partition(".")[2]
        if name not in NEVER_FAILING | LOCAL_FUNCTIONS:
            with pytest.raises(salt.Error) as caught:
                salt.cli(" ".join((commands[0], f"url={url}", *settings)))
            errors[name] = one_line(caught)
            assert errors[name].startswith("CommandExecutionError: "), f"{name}: {errors[name]}"
    return errors


def test_each_function_reports_in_one_line_that_a_server_is_down(salt, nobody):
    for name, error in errors_of_examples(salt, nobody, "retries=0").items():
        assert "Connection refused" in error, name
    assert salt.call("mesos.health", url=nobody, retries=0) is False


@pytest.mark.parametrize(
    "body", ["<html>It works!</html>", "[]", "{", '"x"', "null", "\x00"], ids=ascii
)
def test_each_function_reports_an_invalid_response_in_one_line(salt, raw, body):
    headers = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    server = raw(f"HTTP/1.1 200 OK\r\n{headers}\r\n{body}".encode())
    errors_of_examples(salt, server.url, "retries=0")
    assert salt.call("mesos.health", url=server.url, retries=0) is False


def test_missing_members_of_a_response_are_empty_or_an_error_of_one_line(salt, raw):
    def respond(data: bytes) -> bytes:
        request_body = data.partition(b"\r\n\r\n")[2]
        body = json.dumps({"type": json.loads(request_body)["type"]} if request_body else {})
        return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    url = raw(respond).url
    errors = {}
    for function, commands in salt.examples("mesos").items():
        if function.partition(".")[2] in LOCAL_FUNCTIONS:
            continue
        try:
            salt.cli(f"{commands[0]} url={url} retries=0")
        except salt.Error as error:
            errors[function] = str(error)
            assert str(error).startswith("CommandExecutionError: ") and "\n" not in str(error), (
                f"{function}: {error}"
            )
    for function in ("flags", "info", "metrics", "summary", "logging_level", "read_file"):
        assert "this is not the response of a Mesos master" in errors[f"mesos.{function}"]
    assert salt.call("mesos.health", url=url) is False


def test_reads_and_writes_report_a_timeout_in_one_line(salt, raw):
    server = raw(None)
    for function, *positional in (
        ("agents",),
        ("quotas",),
        ("version",),
        ("set_weights", {"web": 2}),
    ):
        with pytest.raises(salt.Error) as caught:
            salt.call(f"mesos.{function}", *positional, url=server.url, timeout=1, retries=0)
        assert re.search(r"no response within 1 second\b", one_line(caught))


def test_each_function_fails_with_401_without_credentials_and_works_with_them(salt, start_cluster):
    credentials = json.dumps({"credentials": [{"principal": "ops", "secret": "sesame"}]})
    cluster = start_cluster(
        "--authenticate_http_readonly=true",
        "--authenticate_http_readwrite=true",
        f"--credentials={credentials}",
        hosts=(),
    )
    for function, *positional in (
        ("agents",),
        ("tasks",),
        ("quotas",),
        ("flags",),
        ("state",),
        ("summary",),
        ("health",),
        ("set_weights", {"web": 2}),
        ("remove_quota", "web"),
        ("add_maintenance_window", [{"hostname": "a"}], "now"),
        ("logging_level",),
    ):
        for login in ({}, {"username": "ops", "password": "open"}):
            error = cluster.fails(function, *positional, **login)
            assert (
                error.startswith("CommandExecutionError: ")
                and "401" in error
                and "open" not in error
            ), error
        cluster.call(function, *positional, username="ops", password="sesame")
    for function in ("leader", "version"):  # which everyone may ask
        cluster.call(function)
