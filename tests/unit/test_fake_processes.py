"""The fake agent of the lab, whose tasks are processes."""

import os
import signal
import sys
from pathlib import Path

import pytest
import requests
from mesos_world import until

from lab.fakes.marathon.server import Marathon
from lab.fakes.mesos import processes, supervisor
from lab.fakes.mesos.agent import Agent, WorkingAgent
from lab.fakes.mesos.master import Master
from lab.fakes.wire.election import MemoryRoom
from lab.fakes.wire.framework import Framework

# Tasks really listen on the offered ports, so each worker of pytest-xdist has its own.
PORTS = 31000 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
RESOURCES = [
    {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}, "allocation_info": {"role": "*"}}
]


class Cluster:
    """A master, an agent that runs tasks, and a framework that the test controls."""

    def __init__(self, directory: Path, running):
        self.directory, self.running, self.room = directory, running, MemoryRoom()
        local = ["--ip=127.0.0.1", "--port=0", "--hostname=127.0.0.1"]
        self.master = running(Master([*local, f"--work_dir={directory}/master"], room=self.room))
        self.agent = self.start_agent()
        self.framework = None

    def start_agent(self, *flags) -> WorkingAgent:
        """Start the agent in its work directory, on the port that it had before."""
        port = self.agent.port if hasattr(self, "agent") else 0
        local = [
            "--ip=127.0.0.1",
            f"--port={port}",
            "--hostname=127.0.0.1",
            f"--work_dir={self.directory}/agent",
        ]
        offer = f"--resources=cpus:4;mem:2048;disk:4096;ports:[{PORTS}-{PORTS + 99}]"
        agent = self.agent = self.running(WorkingAgent([*local, offer, *flags], room=self.room))
        until(lambda: agent.id and self.master.active(self.master.agents[agent.id]), "the agent")
        return agent

    def send(self, **fields) -> list[dict]:
        """Send a request as the framework and return the last status of each of its tasks."""
        info = {
            "name": "f",
            "user": "root",
            "roles": ["*"],
            "checkpoint": True,
            "failover_timeout": 60.0,
        }
        if self.framework:
            info["id"] = {"value": self.framework}
        framework = {
            "info": info,
            "pid": "scheduler@127.0.0.1:1",
            "version": "1.11.0",
            "capabilities": [],
        }
        answer = requests.post(
            f"{self.master.url}/fake/frameworks", json={**framework, **fields}, timeout=5
        ).json()
        self.framework = answer["id"]
        return answer["tasks"]

    def run(self, command: str | dict, id: str = "t", **fields) -> None:
        """Launch a task. A command that is text runs in a shell."""
        command = {"value": command, "shell": True} if isinstance(command, str) else command
        task = {
            "task_id": {"value": id},
            "name": id,
            "agent_id": {"value": self.agent.id},
            "command": command,
            "resources": RESOURCES,
        }
        self.send(launch=[{**task, **fields}])

    def status(self, state: str, id: str = "t") -> dict:
        """Wait until a task is in a state and return its status."""

        def matching_status():
            return next(
                (
                    status
                    for status in self.send()
                    if status["task_id"]["value"] == id and status["state"] == state
                ),
                None,
            )

        return until(matching_status, f"{id} is {state}")

    def outcome(self, id: str = "t") -> tuple[str, str]:
        """Wait until a task is over and return its state and message."""
        task = until(lambda: (task := self.task(id)) and task.over and task, f"the end of {id}")
        return task.state, task.statuses[-1]["message"]

    def task(self, id: str = "t"):
        return self.master.tasks.get((self.framework, id))

    def status_field(self, name: str, id: str = "t"):
        """Return a field of the last status of a task, or None."""
        task = self.task(id)
        return task.statuses[-1].get(name) if task and task.statuses else None

    def sandbox(self, id: str = "t") -> Path:
        return self.agent.executor.sandbox(self.task(id))


@pytest.fixture
def cluster(tmp_path, running, monkeypatch):
    monkeypatch.setattr(Agent, "beat", 0.05)
    cluster = Cluster(tmp_path, running)
    yield cluster
    if not cluster.agent.ended:
        cluster.agent.executor.kill_all()
        until(lambda: all(task.over for task in cluster.agent.tasks), "the end of all tasks")


def is_alive(pid: int) -> bool:
    """Return whether a process exists and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def read_pid(file: Path) -> int:
    return int(until(lambda: file.exists() and file.read_text().strip(), f"a pid in {file}"))


def test_a_command_runs_in_its_sandbox_which_keeps_its_output(cluster):
    cluster.run("pwd; echo oh >&2; exit 0")
    assert cluster.outcome() == ("TASK_FINISHED", "Command exited with status 0")
    assert [status["state"] for status in cluster.task().statuses] == [
        "TASK_STARTING",
        "TASK_RUNNING",
        "TASK_FINISHED",
    ]
    assert (cluster.sandbox() / "stdout").read_text() == f"{cluster.sandbox()}\n"
    assert (cluster.sandbox() / "stderr").read_text() == "oh\n"
    executor = requests.get(f"{cluster.agent.url}/state", timeout=5).json()["frameworks"][0][
        "completed_executors"
    ][0]
    assert executor["directory"] == str(cluster.sandbox())
    params = {"path": f"{executor['directory']}/stderr", "offset": 0, "length": 9}
    assert requests.get(f"{cluster.agent.url}/files/read", params=params, timeout=5).json() == {
        "data": "oh\n",
        "offset": 0,
    }


@pytest.mark.parametrize(
    "command, message",
    [
        ("exit 3", "Command exited with status 3"),
        ("kill -9 $$", "Command terminated with signal Killed"),
        ({"shell": False, "value": "/no/such"}, "Command exited with status 1"),
    ],
)
def test_a_failed_command_is_reported_with_its_exit_status_or_signal(cluster, command, message):
    cluster.run(command)
    assert cluster.outcome() == ("TASK_FAILED", message)


def test_a_command_can_run_without_a_shell(cluster):
    cluster.run({"shell": False, "value": "echo", "arguments": ["echo", "$HOME", "*"]})
    cluster.outcome()
    assert (cluster.sandbox() / "stdout").read_text() == "$HOME *\n"


def test_a_task_gets_its_own_variables_and_none_of_its_agent(cluster, monkeypatch):
    monkeypatch.setenv("LIBPROCESS_PORT", "1")
    cluster.run(
        {"value": "env", "environment": {"variables": [{"name": "PORT0", "value": "31005"}]}}
    )
    cluster.outcome()
    environment = dict(
        line.split("=", 1) for line in (cluster.sandbox() / "stdout").read_text().splitlines()
    )
    assert (
        environment.items()
        >= {"PORT0": "31005", "MESOS_TASK_ID": "t", "MESOS_SANDBOX": str(cluster.sandbox())}.items()
    )
    assert "LIBPROCESS_PORT" not in environment and "PATH" in environment


def test_only_the_owner_can_read_the_files_that_the_agent_keeps_of_a_task(cluster):
    cluster.run(
        {"value": "sleep 100", "environment": {"variables": [{"name": "TOKEN", "value": "hush"}]}}
    )
    cluster.status("TASK_RUNNING")
    paths = [
        path
        for path in (cluster.directory / "agent").rglob("*")
        if path.is_file() and b"hush" in path.read_bytes()
    ]
    assert paths and {path.stat().st_mode & 0o777 for path in paths} == {0o600}


def test_files_are_fetched_and_unpacked_before_the_command_begins(cluster, tmp_path):
    (tmp_path / "greeting").write_text("hello")
    os.system(f"tar -C {tmp_path} -czf {tmp_path}/all.tgz greeting")
    cluster.run(
        {
            "value": "cat greeting",
            "uris": [{"value": f"file://{tmp_path}/all.tgz", "extract": True}],
        }
    )
    cluster.outcome()
    assert (cluster.sandbox() / "stdout").read_text() == "hello"
    cluster.run({"value": "true", "uris": [{"value": "file:///no/such"}]}, id="lost")
    state, message = cluster.outcome("lost")
    assert state == "TASK_FAILED" and message.startswith(
        "Failed to launch container: Failed to fetch all URIs for container: file:///no/such"
    )


@pytest.mark.root
def test_an_unknown_user_fails_the_task_with_a_reason(cluster):
    cluster.agent.flags["switch_user"] = "true"
    cluster.run({"value": "true", "user": "nosuchuser"})
    assert cluster.outcome() == (
        "TASK_FAILED",
        "Failed to launch container: Failed to get user information for 'nosuchuser': No such user",
    )


def test_a_docker_container_needs_an_agent_with_the_docker_containerizer(cluster):
    cluster.run("true", container={"type": "DOCKER", "docker": {"image": "busybox"}})
    assert cluster.outcome() == (
        "TASK_FAILED",
        "Failed to launch container: None of the enabled containerizers (mesos) could create a "
        "container for the provided TaskInfo/ExecutorInfo message",
    )


def test_a_mesos_container_without_an_image_is_a_process(cluster):
    cluster.run("true", container={"type": "MESOS", "volumes": []})
    assert cluster.outcome()[0] == "TASK_FINISHED"


# --- the end of a task ---


def test_a_task_that_is_killed_gets_sigterm_first(cluster):
    cluster.run("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.1; done")
    until(
        lambda: cluster.task()
        and cluster.task().statuses
        and (cluster.sandbox() / "stdout").read_text(),
        "the output",
    )
    cluster.send(kill=["t"])
    assert cluster.outcome() == ("TASK_KILLED", "Command exited with status 7")
    assert (cluster.sandbox() / "stdout").read_text() == "up\nbye\n"


def test_a_task_that_ignores_sigterm_is_killed_after_its_grace_period(cluster):
    policy = {"grace_period": {"nanoseconds": 200_000_000}}
    cluster.run("trap '' TERM; echo up; while :; do sleep 0.1; done", kill_policy=policy)
    until(
        lambda: cluster.task()
        and cluster.task().statuses
        and (cluster.sandbox() / "stdout").read_text(),
        "the output",
    )
    cluster.send(kill=["t"])
    assert cluster.outcome() == ("TASK_KILLED", "Command terminated with signal Killed")


def test_a_daemon_started_by_a_task_ends_with_it(cluster):
    cluster.run("setsid sleep 1000 & echo $! > daemon")
    cluster.outcome()
    assert not is_alive(read_pid(cluster.sandbox() / "daemon"))


def test_the_tasks_of_a_removed_framework_are_killed(cluster):
    cluster.run("echo $$ > pid; exec sleep 1000")
    cluster.status("TASK_RUNNING")
    pid = read_pid(cluster.sandbox() / "pid")
    requests.post(
        f"{cluster.master.url}/teardown", data={"frameworkId": cluster.framework}, timeout=5
    ).raise_for_status()
    until(lambda: not is_alive(pid), "the end of the process")


def test_the_tasks_of_an_agent_that_was_marked_gone_are_killed(cluster):
    cluster.run("echo $$ > pid; exec sleep 1000")
    cluster.status("TASK_RUNNING")
    pid = read_pid(cluster.sandbox() / "pid")
    with cluster.master.lock:
        cluster.master._mark_gone(cluster.agent.id)
    until(lambda: not is_alive(pid), "the end of the process")


# --- restarts of the agent ---


def test_a_task_survives_a_restart_of_its_agent(cluster):
    cluster.run("echo $$ > pid; exec sleep 1000")
    status = cluster.status("TASK_RUNNING")
    pid = read_pid(cluster.sandbox() / "pid")
    cluster.agent.stop()
    assert is_alive(pid)
    cluster.start_agent()
    assert cluster.status("TASK_RUNNING") == status and is_alive(pid)
    os.kill(pid, signal.SIGTERM)
    assert cluster.outcome() == ("TASK_FAILED", "Command terminated with signal Terminated")


def test_an_agent_reports_the_exit_status_of_a_task_that_ended_while_it_was_down(cluster):
    cluster.run("while [ ! -e go ]; do sleep 0.05; done; exit 4")
    cluster.status("TASK_RUNNING")
    sandbox, record = cluster.sandbox(), cluster.agent.executor.record(cluster.agent.tasks[0])
    cluster.agent.stop()
    (sandbox / "go").touch()
    until(record.with_suffix(".status").exists, "the exit status")
    cluster.start_agent()
    assert cluster.outcome() == ("TASK_FAILED", "Command exited with status 4")


def test_a_task_whose_supervisor_was_killed_fails_and_leaves_no_process(cluster):
    cluster.run("echo $$ > pid; sleep 1000; true")
    cluster.status("TASK_RUNNING")
    pid = read_pid(cluster.sandbox() / "pid")
    os.kill(os.getsid(pid), signal.SIGKILL)
    assert cluster.outcome() == ("TASK_FAILED", "Abnormal executor termination: unknown container")
    until(lambda: not is_alive(pid), "the end of the process")


def test_an_agent_with_a_new_id_kills_the_tasks_of_the_previous_one(cluster):
    cluster.run("echo $$ > pid; exec sleep 1000")
    cluster.status("TASK_RUNNING")
    before, pid = cluster.agent.id, read_pid(cluster.sandbox() / "pid")
    cluster.agent.stop()
    cluster.agent.latest.unlink()
    assert cluster.start_agent().id != before
    until(lambda: not is_alive(pid), "the end of the process")


def test_a_task_ends_by_itself_if_its_agent_does_not_recover(cluster, tmp_path):
    cluster.agent.stop()
    cluster.start_agent("--recovery_timeout=1secs")
    cluster.run("echo $$ > pid; exec sleep 1000")
    cluster.status("TASK_RUNNING")
    pid = read_pid(cluster.sandbox() / "pid")
    cluster.agent.stop()
    until(lambda: not is_alive(pid), "the end of the process")
    cluster.start_agent()
    assert cluster.outcome() == ("TASK_FAILED", "Command terminated with signal Terminated")


def test_a_supervisor_that_ends_while_it_is_opened_is_not_watched(cluster, monkeypatch):
    cluster.run("sleep 1000")
    cluster.status("TASK_RUNNING")
    pid, start_time = cluster.agent.executor._supervisors[cluster.task().key]
    assert processes._began(pid) == start_time
    cluster.agent.executor.kill_all()
    cluster.outcome()
    # The process has ended, although pidfd_open succeeds.
    monkeypatch.setattr(os, "pidfd_open", lambda pid: os.open("/dev/null", os.O_RDONLY))
    with cluster.agent.executor._watched(cluster.task()) as watched:
        assert watched is None


def test_a_task_of_an_unreachable_agent_runs_again_when_the_agent_is_back(cluster):
    cluster.run("sleep 1000")
    cluster.status("TASK_RUNNING")
    with cluster.master.lock:
        cluster.task().update(
            {**cluster.task().statuses[-1], "state": "TASK_UNREACHABLE", "source": "SOURCE_MASTER"}
        )
    assert cluster.status("TASK_RUNNING")["source"] == "SOURCE_EXECUTOR"


def test_a_supervisor_needs_only_the_standard_library():
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import runpy; runpy.run_path({supervisor.__file__!r})",
    ]
    assert os.spawnv(os.P_WAIT, sys.executable, command) == 0


# --- containers: only the calls of docker; the tests on hosts run real containers ---

DOCKER = """#!/bin/sh
case "$*" in *" run "*) echo $$ > "$0.pid"; env > "$0.env" ;; esac
echo "$@" >> "$0.log"
case "$*" in
  *nosuch) echo "pull access denied for nosuch" >&2; exit 1 ;;
  *" inspect --format="*) echo true 10.0.0.9 ;;
  *" stop "*) kill "$(cat "$0.pid")" ;;
  *" run "*) exec sleep 1000 ;;
esac
"""


@pytest.fixture
def docker(cluster):
    """A program that logs its arguments in a file beside it; the agent uses it as docker."""
    program = cluster.directory / "docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    cluster.agent.stop()
    cluster.start_agent(f"--docker={program}", "--containerizers=docker,mesos")
    return program


def run_command(docker: Path) -> str:
    """Wait until docker has logged the start of a container and return the logged line."""

    def line_of_docker_run() -> str | None:
        lines = docker.with_suffix(".log").read_text().splitlines()
        return next((line for line in lines if " run " in line), None)

    return until(line_of_docker_run, "docker run")


WEB = {
    "type": "DOCKER",
    "volumes": [{"host_path": "/srv", "container_path": "/www", "mode": "RO"}],
    "docker": {
        "image": "busybox",
        "network": "BRIDGE",
        "port_mappings": [{"host_port": 31005, "container_port": 80, "protocol": "tcp"}],
    },
}


def test_a_container_gets_image_ports_volumes_limits_and_command(cluster, docker):
    cluster.run("httpd -f", container=WEB)
    status = cluster.status("TASK_RUNNING")
    arguments = run_command(docker).split()
    id = status["container_status"]["container_id"]["value"]
    assert {
        "--rm",
        f"--name=mesos-{id}",
        "--cpu-shares=102",
        "--memory=33554432",
        "--net=bridge",
        "--publish=31005:80/tcp",
        "--volume=/srv:/www:ro",
        f"--volume={cluster.sandbox()}:/mnt/mesos/sandbox",
        "--entrypoint=/bin/sh",
    } <= set(arguments)
    assert arguments[-4:] == ["busybox", "-c", "httpd", "-f"]
    assert (
        status["container_status"]["network_infos"][0]["ip_addresses"][0]["ip_address"]
        == "10.0.0.9"
    )


def test_the_variables_of_a_container_are_not_on_the_command_line(cluster, docker):
    cluster.run(
        {"value": "true", "environment": {"variables": [{"name": "TOKEN", "value": "hush"}]}},
        container=WEB,
    )
    cluster.status("TASK_RUNNING")
    command = run_command(docker)
    assert "--env=TOKEN " in command and "hush" not in command
    environment = docker.with_suffix(".env").read_text().splitlines()
    assert "TOKEN=hush" in environment and "MESOS_SANDBOX=/mnt/mesos/sandbox" in environment


def test_a_missing_image_fails_the_task_with_the_error_of_docker(cluster, docker):
    cluster.run("true", container={"type": "DOCKER", "docker": {"image": "nosuch"}})
    command = f"{docker} -H unix:///var/run/docker.sock pull nosuch"
    assert cluster.outcome() == (
        "TASK_FAILED",
        f"Failed to launch container: Failed to run '{command}': exited with status 1; "
        "stderr='pull access denied for nosuch'",
    )


def test_a_container_is_stopped_by_docker(cluster, docker):
    cluster.run("httpd -f", container=WEB)
    id = cluster.status("TASK_RUNNING")["container_status"]["container_id"]["value"]
    cluster.send(kill=["t"])
    assert cluster.outcome() == ("TASK_KILLED", "Container terminated with signal Terminated")
    assert f"stop --time=3 mesos-{id}" in docker.with_suffix(".log").read_text()


# --- health ---

CHECK_OPTIONS = {
    "delay_seconds": 0.0,
    "interval_seconds": 0.05,
    "timeout_seconds": 5.0,
    "grace_period_seconds": 0.0,
    "consecutive_failures": 2,
}


def test_the_agent_reports_the_health_of_a_task(cluster):
    check = {
        "type": "COMMAND",
        "command": {"value": "test -e well"},
        **CHECK_OPTIONS,
        "consecutive_failures": 0,
    }
    cluster.run("sleep 1000", health_check=check)
    until(lambda: cluster.status_field("healthy") is False, "the first result")
    (cluster.sandbox() / "well").touch()
    until(lambda: cluster.status_field("healthy") is True, "the second result")
    assert cluster.task().state == "TASK_RUNNING"


def test_a_task_that_stays_unhealthy_is_killed(cluster):
    cluster.run("sleep 1000", health_check={"type": "TCP", "tcp": {"port": 1}, **CHECK_OPTIONS})
    assert cluster.outcome() == ("TASK_KILLED", "Command terminated with signal Terminated")
    assert cluster.task().statuses[-1]["healthy"] is False


SERVER = """exec {python} -c '
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if os.path.exists("well") else 503)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT0"])), Answer).serve_forever()'"""


@pytest.mark.parametrize("protocol", ["HTTP", "MESOS_HTTP"])
def test_a_deployment_waits_until_its_tasks_are_healthy(cluster, running, monkeypatch, protocol):
    monkeypatch.setattr(Framework, "beat", 0.05)
    local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
    server = running(Marathon(local, None, "1.8.244", cluster.room, MemoryRoom()))
    body = {
        "id": "/web",
        "cmd": SERVER.format(python=sys.executable),
        "cpus": 0.1,
        "mem": 32,
        "portDefinitions": [{"port": 0}],
        "healthChecks": [
            {
                "protocol": protocol,
                "path": "/",
                "gracePeriodSeconds": 0,
                "intervalSeconds": 1,
                "delaySeconds": 0,
                "maxConsecutiveFailures": 0,
            }
        ],
    }
    assert requests.post(f"{server.url}/v2/apps", json=body, timeout=5).status_code == 201

    def app():
        return requests.get(f"{server.url}/v2/apps//web", timeout=5).json()["app"]

    until(lambda: app()["tasksUnhealthy"] == 1, "a result")
    status = app()
    assert status["deployments"] and status["tasks"][0]["healthCheckResults"][0]["alive"] is False
    if protocol == "HTTP":
        assert status["tasks"][0]["healthCheckResults"][0]["lastFailureCause"]
    task = next(task for task in cluster.agent.tasks if not task.over)
    (cluster.agent.executor.sandbox(task) / "well").touch()
    until(lambda: not app()["deployments"], "the deployment")
    assert (app()["tasksHealthy"], app()["tasksUnhealthy"]) == (1, 0)


def test_an_app_gets_its_ports_as_variables_by_number_and_by_name(cluster, running, monkeypatch):
    monkeypatch.setattr(Framework, "beat", 0.05)
    local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
    server = running(Marathon(local, None, "1.8.244", cluster.room, MemoryRoom()))
    ports = [{"port": 0, "name": "http"}, {"port": 0}]
    body = {
        "id": "/web",
        "cmd": "env > environment; sleep 1000",
        "cpus": 0.1,
        "mem": 32,
        "portDefinitions": ports,
    }
    requests.post(f"{server.url}/v2/apps", json=body, timeout=5).raise_for_status()
    task = until(
        lambda: next((task for task in cluster.agent.tasks if task.state == "TASK_RUNNING"), None),
        "the task",
    )
    environment_file = cluster.agent.executor.sandbox(task) / "environment"
    variables = until(
        lambda: environment_file.exists()
        and [line for line in environment_file.read_text().splitlines() if line.startswith("PORT")],
        "the ports",
    )
    port, second_port = requests.get(f"{server.url}/v2/apps//web/tasks", timeout=5).json()["tasks"][
        0
    ]["ports"]
    assert {
        f"PORT0={port}",
        f"PORT1={second_port}",
        f"PORT_HTTP={port}",
        f"PORT={port}",
        f"PORTS={port},{second_port}",
    } <= set(variables)
