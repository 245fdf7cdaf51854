"""Leader election and forwarding of requests in the fakes of Marathon and Chronos."""

import socket

import pytest
import requests
from mesos_world import until

from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.server import Marathon
from lab.fakes.mesos.agent import Agent
from lab.fakes.mesos.master import Master
from lab.fakes.wire.election import MemoryRoom
from lab.fakes.wire.framework import Framework


@pytest.fixture
def masters(running, tmp_path):
    """An election that a Mesos master has won; the attribute ``leader`` is the master."""
    room = MemoryRoom()
    arguments = ["--ip=127.0.0.1", "--port=0", "--hostname=127.0.0.1", f"--work_dir={tmp_path}"]
    room.leader = running(Master(arguments, room=room))
    return room


LOCAL = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]


@pytest.fixture
def marathon(running, masters):
    """Return a function that starts one more Marathon of a cluster."""
    servers = MemoryRoom()

    def start(*arguments, environment=None, version="1.8.244"):
        return running(Marathon([*LOCAL, *arguments], environment, version, masters, servers))

    return start


@pytest.fixture
def chronos(running, masters):
    """Return a function that starts one more Chronos of a cluster."""
    servers = MemoryRoom()

    def start(*arguments, environment=None, version="2.5.0"):
        return running(Chronos([*LOCAL, *arguments], environment, version, masters, servers))

    return start


def get(daemon, path):
    return requests.get(daemon.url + path, timeout=5)


def frameworks(masters, count):
    """Wait until the Mesos master lists ``count`` frameworks and return them."""

    def registered():
        """Return the frameworks if there are enough of them."""
        entries = get(masters.leader, "/state").json()["frameworks"]
        return entries if len(entries) >= count else None

    return until(registered, f"{count} frameworks")


def framework_id(server):
    """
    Wait until a Marathon knows its framework id and return it.

    The master lists the framework a moment earlier.
    """
    return until(lambda: get(server, "/v2/info").json()["frameworkId"], "a framework id")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_leading_marathon_answers_ping_info_leader_and_apps(marathon):
    server = marathon("--mesos_user", "root")
    assert get(server, "/ping").text == "pong"
    assert get(server, "/v2/leader").json() == {"leader": server.address}
    assert get(server, "/v2/apps").json() == {"apps": []}
    info = get(server, "/v2/info").json()
    assert (info["name"], info["version"], info["elected"]) == ("marathon", "1.8.244", True)
    assert (info["marathon_config"]["mesos_user"], info["marathon_config"]["failover_timeout"]) == (
        "root",
        604800,
    )


def test_every_response_of_the_leader_has_a_header_with_its_address(marathon):
    server = marathon()
    assert get(server, "/ping").headers["X-Marathon-Leader"] == f"http://{server.address}"


def test_a_standby_forwards_requests_to_the_leader(marathon):
    leader, standby = marathon(), marathon()
    answer = get(standby, "/v2/info")
    assert answer.json()["leader"] == leader.address
    assert answer.headers["X-Marathon-Leader"] == f"http://{leader.address}"
    assert answer.headers["X-Marathon-Via"] == f"1.1 {standby.address}"
    assert "X-Marathon-Via" not in get(leader, "/v2/info").headers


def test_a_standby_takes_over(marathon):
    leader, standby = marathon(), marathon()
    leader.stop()
    assert get(standby, "/v2/leader").json() == {"leader": standby.address}


@pytest.mark.parametrize("version, status", [("1.5.15", 503), ("1.8.244", 502)])
def test_a_standby_without_a_leader_answers_with_an_html_page(marathon, version, status):
    marathon()
    standby = marathon(version=version)
    standby.pause = 0.0
    standby.group.members = []
    answer = get(standby, "/ping")
    assert answer.status_code == status
    assert "Could not determine the current leader" in answer.text


def test_a_standby_rejects_a_request_that_it_forwarded_itself(marathon):
    marathon()
    standby = marathon()
    via = {"X-Marathon-Via": f"1.1 {standby.address}"}
    answer = requests.get(standby.url + "/ping", headers=via, timeout=5)
    assert (answer.status_code, "Detected proxying loop." in answer.text) == (502, True)


@pytest.mark.parametrize("version, status", [("1.4.13", 404), ("1.8.244", 500)])
def test_an_unknown_path_is_404_up_to_1_5_and_500_since(marathon, version, status):
    assert get(marathon(version=version), "/v2/nosuch").status_code == status


def test_a_marathon_runs_its_tasks_on_the_agents_of_the_leading_master(
    marathon, masters, running, tmp_path, monkeypatch
):
    monkeypatch.setattr(Framework, "beat", 0.05)
    monkeypatch.setattr(Agent, "beat", 0.05)
    local = [
        "--ip=127.0.0.1",
        "--port=0",
        "--hostname=a1",
        f"--work_dir={tmp_path}/a1",
        "--attributes=rack:r1",
    ]
    running(
        Agent([*local, "--resources=cpus:4;mem:2048;disk:4096;ports:[31000-32000]"], room=masters)
    )
    server = marathon("--mesos_role", "web")

    def app(path):
        return get(server, f"/v2/apps/{path}").json()["app"]

    for name, command in (("web", "sleep 3600"), ("sick", "false")):
        body = {
            "id": name,
            "cmd": command,
            "cpus": 0.5,
            "instances": 2,
            "constraints": [["rack", "CLUSTER", "r1"]],
        }
        assert requests.post(server.url + "/v2/apps", json=body, timeout=5).status_code == 201
    until(lambda: app("web")["tasksRunning"] == 2 and not app("web")["deployments"], "the app")
    task_ids = {task["id"] for task in app("web")["tasks"]}

    def statuses():
        return {
            (task["state"], task["role"])
            for task in get(masters.leader, "/tasks").json()["tasks"]
            if task["id"] in task_ids
        }

    assert statuses() == {("TASK_RUNNING", "web")}
    failure = until(lambda: app("sick").get("lastTaskFailure"), "the failure")
    assert (failure["state"], failure["host"]) == ("TASK_FAILED", "a1")
    requests.delete(server.url + "/v2/apps/web", timeout=5)
    until(lambda: statuses() == {("TASK_KILLED", "web")}, "the end")


def test_a_task_that_is_killed_before_its_agent_starts_it_ends(
    masters, running, tmp_path, monkeypatch
):
    monkeypatch.setattr(Agent, "beat", 0.05)
    running(
        Agent(
            [
                "--ip=127.0.0.1",
                "--port=0",
                "--hostname=a1",
                f"--work_dir={tmp_path}",
                "--resources=cpus:4;mem:2048",
            ],
            room=masters,
        )
    )
    leader = masters.leader
    until(lambda: leader.agents, "the agent")
    framework = {
        "info": {"name": "f", "user": "root", "roles": ["*"]},
        "pid": "scheduler@127.0.0.1:1",
        "version": "1.11.0",
        "capabilities": [],
    }
    task = {
        "task_id": {"value": "t"},
        "name": "t",
        "agent_id": {"value": next(iter(leader.agents))},
        "command": {"value": "sleep 9"},
        "resources": [
            {
                "name": "cpus",
                "type": "SCALAR",
                "scalar": {"value": 0.1},
                "allocation_info": {"role": "*"},
            }
        ],
    }
    requests.post(
        f"{leader.url}/fake/frameworks",
        json={**framework, "launch": [task], "kill": ["t"]},
        timeout=5,
    )
    until(lambda: [task.state for task in leader.tasks.values()] == ["TASK_KILLED"], "the end")


def test_marathon_registers_with_the_leading_master(marathon, masters):
    server = marathon("--framework_name", "services", "--mesos_role", "web", "--mesos_user", "root")
    framework = frameworks(masters, 1)[0]
    assert (framework["name"], framework["role"], framework["user"], framework["active"]) == (
        "services",
        "web",
        "root",
        True,
    )
    assert framework["webui_url"] == f"http://{server.address}"
    assert framework_id(server) == framework["id"]


def test_a_new_leader_keeps_the_framework_id(marathon, masters):
    leader, standby = marathon(), marathon()
    identifier = framework_id(leader)
    leader.stop()
    assert framework_id(standby) == identifier
    assert [framework["id"] for framework in frameworks(masters, 1)] == [identifier]


@pytest.mark.parametrize("kind", ["marathon", "chronos"])
def test_the_leader_listens_on_the_address_of_libprocess(kind, request):
    port = free_port()
    environment = {"LIBPROCESS_IP": "127.0.0.1", "LIBPROCESS_PORT": str(port)}
    request.getfixturevalue(kind)(environment=environment)
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_libprocess_port_in_use_ends_the_leader(marathon):
    with socket.create_server(("127.0.0.1", 0)) as server:
        environment = {
            "LIBPROCESS_IP": "127.0.0.1",
            "LIBPROCESS_PORT": str(server.getsockname()[1]),
        }
        assert "Failed to bind" in marathon(environment=environment).ended


def test_a_marathon_that_loses_leadership_ends(marathon):
    server = marathon()
    exit_statuses = []
    server.exit = exit_statuses.append
    server.group.members = []
    server.group.changed()
    assert exit_statuses == [103]


def test_a_leading_chronos_answers_ping_jobs_and_leader(chronos, masters):
    server = chronos("--mesos_framework_name", "jobs")
    assert get(server, "/ping").text == "pong\n"
    assert get(server, "/scheduler/jobs").json() == []
    assert get(server, "/scheduler/leader").json() == {"leader": server.address}
    assert frameworks(masters, 1)[0]["name"] == "jobs"


def test_chronos_serves_only_the_path_of_its_version(chronos):
    assert get(chronos(), "/v1/scheduler/jobs").status_code == 404
    assert get(chronos(version="2.4.0"), "/scheduler/jobs").status_code == 200


def test_chronos_2_4_does_not_serve_the_leader(chronos):
    assert get(chronos(version="2.4.0"), "/scheduler/leader").status_code == 404


def test_a_standby_of_chronos_forwards_requests_and_loses_the_body_of_errors(chronos):
    leader, standby = chronos(), chronos()
    assert get(standby, "/scheduler/leader").json() == {"leader": leader.address}
    # Content-Length is that of the leader's response, but the body is empty.
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(standby, "/scheduler/nosuch")


def test_a_chronos_without_a_leader_answers_500(chronos):
    chronos()
    standby = chronos()
    standby.group.members = []
    assert get(standby, "/ping").status_code == 500
