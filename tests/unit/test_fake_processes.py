"""The fake of the agent as the lab has it: tasks are processes."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
import requests

from lab.fakes.marathon.server import Marathon
from lab.fakes.mesos import processes, supervisor
from lab.fakes.mesos.agent import Agent, WorkingAgent
from lab.fakes.mesos.master import Master
from lab.fakes.wire.election import MemoryRoom
from lab.fakes.wire.framework import Framework

# What an agent offers is really listened at: each of the processes that pytest runs tests in has
# ports of its own.
PORTS = 31000 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
SOME = [
    {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}, "allocation_info": {"role": "*"}}
]


def until(question, what):
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + 20
    while not (found := question()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)
    return found


class Place:
    """A master, an agent that works, and a framework that launches tasks by hand."""

    def __init__(self, directory: Path, running):
        self.directory, self.running, self.room = directory, running, MemoryRoom()
        local = ["--ip=127.0.0.1", "--port=0", "--hostname=127.0.0.1"]
        self.master = running(Master([*local, f"--work_dir={directory}/master"], room=self.room))
        self.agent = self.begin()
        self.framework = None

    def begin(self, *flags) -> WorkingAgent:
        """Start the agent, with its directory as it is."""
        # It keeps its port, which an agent that recovers has to have.
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

    def tell(self, **what) -> list[dict]:
        """Be the framework for a moment; return the last status of each of its tasks."""
        info = {
            "name": "f",
            "user": "root",
            "roles": ["*"],
            "checkpoint": True,
            "failover_timeout": 60.0,
        }
        if self.framework:
            info["id"] = {"value": self.framework}
        who = {
            "info": info,
            "pid": "scheduler@127.0.0.1:1",
            "version": "1.11.0",
            "capabilities": [],
        }
        answer = requests.post(
            f"{self.master.url}/fake/frameworks", json={**who, **what}, timeout=5
        ).json()
        self.framework = answer["id"]
        return answer["tasks"]

    def run(self, command: str | dict, id: str = "t", **more) -> None:
        """Launch a task; a text is a shell's command."""
        command = {"value": command, "shell": True} if isinstance(command, str) else command
        task = {
            "task_id": {"value": id},
            "name": id,
            "agent_id": {"value": self.agent.id},
            "command": command,
            "resources": SOME,
        }
        self.tell(launch=[{**task, **more}])

    def status(self, state: str, id: str = "t") -> dict:
        """Wait until a task is in a state; return its status."""

        def found():
            return next(
                (
                    each
                    for each in self.tell()
                    if each["task_id"]["value"] == id and each["state"] == state
                ),
                None,
            )

        return until(found, f"{id} is {state}")

    def ended(self, id: str = "t") -> tuple[str, str]:
        """Wait until a task is over; return its state and message."""
        task = until(lambda: (task := self.task(id)) and task.over and task, f"the end of {id}")
        return task.state, task.statuses[-1]["message"]

    def task(self, id: str = "t"):
        return self.master.tasks.get((self.framework, id))

    def said(self, what: str, id: str = "t"):
        """Return a part of the last status of a task, None if it has none."""
        task = self.task(id)
        return task.statuses[-1].get(what) if task and task.statuses else None

    def sandbox(self, id: str = "t") -> Path:
        return self.agent.executor.sandbox(self.task(id))


@pytest.fixture
def place(tmp_path, running, monkeypatch):
    monkeypatch.setattr(Agent, "beat", 0.05)
    place = Place(tmp_path, running)
    yield place
    if not place.agent.ended:
        place.agent.executor.kill_all()
        until(lambda: all(task.over for task in place.agent.tasks), "the end of all tasks")


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pid_in(file: Path) -> int:
    return int(until(lambda: file.exists() and file.read_text().strip(), f"a pid in {file}"))


def test_a_command_runs_in_its_sandbox_and_its_output_stays_there(place):
    place.run("pwd; echo oh >&2; exit 0")
    assert place.ended() == ("TASK_FINISHED", "Command exited with status 0")
    assert [each["state"] for each in place.task().statuses] == [
        "TASK_STARTING",
        "TASK_RUNNING",
        "TASK_FINISHED",
    ]
    assert (place.sandbox() / "stdout").read_text() == f"{place.sandbox()}\n"
    assert (place.sandbox() / "stderr").read_text() == "oh\n"
    shown = requests.get(f"{place.agent.url}/state", timeout=5).json()["frameworks"][0][
        "completed_executors"
    ][0]
    assert shown["directory"] == str(place.sandbox())
    asked = {"path": f"{shown['directory']}/stderr", "offset": 0, "length": 9}
    assert requests.get(f"{place.agent.url}/files/read", params=asked, timeout=5).json() == {
        "data": "oh\n",
        "offset": 0,
    }


@pytest.mark.parametrize(
    "command, said",
    [
        ("exit 3", "Command exited with status 3"),
        ("kill -9 $$", "Command terminated with signal Killed"),
        ({"shell": False, "value": "/no/such"}, "Command exited with status 1"),
    ],
)
def test_a_command_that_fails_says_how(place, command, said):
    place.run(command)
    assert place.ended() == ("TASK_FAILED", said)


def test_a_command_need_not_be_a_shells(place):
    place.run({"shell": False, "value": "echo", "arguments": ["echo", "$HOME", "*"]})
    place.ended()
    assert (place.sandbox() / "stdout").read_text() == "$HOME *\n"


def test_a_task_is_told_what_it_is_and_nothing_of_its_agents_own(place, monkeypatch):
    monkeypatch.setenv("LIBPROCESS_PORT", "1")
    place.run({"value": "env", "environment": {"variables": [{"name": "PORT0", "value": "31005"}]}})
    place.ended()
    shown = dict(
        line.split("=", 1) for line in (place.sandbox() / "stdout").read_text().splitlines()
    )
    assert (
        shown.items()
        >= {"PORT0": "31005", "MESOS_TASK_ID": "t", "MESOS_SANDBOX": str(place.sandbox())}.items()
    )
    assert "LIBPROCESS_PORT" not in shown and "PATH" in shown


def test_what_the_agent_keeps_of_a_task_is_for_its_own_eyes(place):
    place.run(
        {"value": "sleep 100", "environment": {"variables": [{"name": "TOKEN", "value": "hush"}]}}
    )
    place.status("TASK_RUNNING")
    kept = [
        path
        for path in (place.directory / "agent").rglob("*")
        if path.is_file() and b"hush" in path.read_bytes()
    ]
    assert kept and {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_files_are_fetched_and_unpacked_before_the_command_begins(place, tmp_path):
    (tmp_path / "greeting").write_text("hello")
    os.system(f"tar -C {tmp_path} -czf {tmp_path}/all.tgz greeting")
    place.run(
        {
            "value": "cat greeting",
            "uris": [{"value": f"file://{tmp_path}/all.tgz", "extract": True}],
        }
    )
    place.ended()
    assert (place.sandbox() / "stdout").read_text() == "hello"
    place.run({"value": "true", "uris": [{"value": "file:///no/such"}]}, id="lost")
    state, said = place.ended("lost")
    assert state == "TASK_FAILED" and said.startswith(
        "Failed to launch container: Failed to fetch all URIs for container: file:///no/such"
    )


@pytest.mark.root
def test_a_user_that_is_not_there_fails_the_task_in_words(place):
    place.agent.flags["switch_user"] = "true"
    place.run({"value": "true", "user": "nosuchuser"})
    assert place.ended() == (
        "TASK_FAILED",
        "Failed to launch container: Failed to get user information for 'nosuchuser': No such user",
    )


def test_a_container_of_docker_needs_an_agent_that_has_the_containerizer(place):
    place.run("true", container={"type": "DOCKER", "docker": {"image": "busybox"}})
    assert place.ended() == (
        "TASK_FAILED",
        "Failed to launch container: None of the enabled containerizers (mesos) could create a "
        "container for the provided TaskInfo/ExecutorInfo message",
    )


def test_a_container_of_mesos_without_an_image_is_a_process(place):
    place.run("true", container={"type": "MESOS", "volumes": []})
    assert place.ended()[0] == "TASK_FINISHED"


# --- how tasks are ended ---


def test_a_killed_task_is_asked_first(place):
    place.run("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.1; done")
    until(
        lambda: place.task() and place.task().statuses and (place.sandbox() / "stdout").read_text(),
        "the trap",
    )
    place.tell(kill=["t"])
    assert place.ended() == ("TASK_KILLED", "Command exited with status 7")
    assert (place.sandbox() / "stdout").read_text() == "up\nbye\n"


def test_a_task_that_does_not_listen_is_killed_after_its_grace_period(place):
    policy = {"grace_period": {"nanoseconds": 200_000_000}}
    place.run("trap '' TERM; echo up; while :; do sleep 0.1; done", kill_policy=policy)
    until(
        lambda: place.task() and place.task().statuses and (place.sandbox() / "stdout").read_text(),
        "the trap",
    )
    place.tell(kill=["t"])
    assert place.ended() == ("TASK_KILLED", "Command terminated with signal Killed")


def test_nothing_outlives_a_task_that_is_over_not_even_a_daemon(place):
    place.run("setsid sleep 1000 & echo $! > daemon")
    place.ended()
    assert not alive(pid_in(place.sandbox() / "daemon"))


def test_the_tasks_of_a_framework_that_is_removed_are_ended(place):
    place.run("echo $$ > pid; exec sleep 1000")
    place.status("TASK_RUNNING")
    pid = pid_in(place.sandbox() / "pid")
    requests.post(
        f"{place.master.url}/teardown", data={"frameworkId": place.framework}, timeout=5
    ).raise_for_status()
    until(lambda: not alive(pid), "the end of the process")


def test_the_tasks_of_an_agent_that_is_not_wanted_any_more_are_ended(place):
    place.run("echo $$ > pid; exec sleep 1000")
    place.status("TASK_RUNNING")
    pid = pid_in(place.sandbox() / "pid")
    with place.master.lock:
        place.master._mark_gone(place.agent.id)
    until(lambda: not alive(pid), "the end of the process")


# --- what outlives the agent ---


def test_a_task_outlives_its_agent_which_takes_it_up_again(place):
    place.run("echo $$ > pid; exec sleep 1000")
    first = place.status("TASK_RUNNING")
    pid = pid_in(place.sandbox() / "pid")
    place.agent.stop()
    assert alive(pid)
    place.begin()
    assert place.status("TASK_RUNNING") == first and alive(pid)
    os.kill(pid, signal.SIGTERM)
    assert place.ended() == ("TASK_FAILED", "Command terminated with signal Terminated")


def test_a_task_that_ended_while_its_agent_was_away_ended_as_it_did(place):
    place.run("while [ ! -e go ]; do sleep 0.05; done; exit 4")
    place.status("TASK_RUNNING")
    sandbox, watched = place.sandbox(), place.agent.executor.record(place.agent.tasks[0])
    place.agent.stop()
    (sandbox / "go").touch()
    until(watched.with_suffix(".status").exists, "the exit status")
    place.begin()
    assert place.ended() == ("TASK_FAILED", "Command exited with status 4")


def test_a_task_whose_supervisor_was_killed_is_over_and_leaves_nothing(place):
    place.run("echo $$ > pid; sleep 1000; true")
    place.status("TASK_RUNNING")
    pid = pid_in(place.sandbox() / "pid")
    os.kill(os.getsid(pid), signal.SIGKILL)
    assert place.ended() == ("TASK_FAILED", "Abnormal executor termination: unknown container")
    until(lambda: not alive(pid), "the end of the process")


def test_an_agent_that_begins_anew_ends_what_the_one_before_had(place):
    place.run("echo $$ > pid; exec sleep 1000")
    place.status("TASK_RUNNING")
    before, pid = place.agent.id, pid_in(place.sandbox() / "pid")
    place.agent.stop()
    place.agent.latest.unlink()
    assert place.begin().id != before
    until(lambda: not alive(pid), "the end of the process")


def test_a_task_ends_by_itself_where_no_agent_comes_back(place, tmp_path):
    place.agent.stop()
    place.begin("--recovery_timeout=1secs")
    place.run("echo $$ > pid; exec sleep 1000")
    place.status("TASK_RUNNING")
    pid = pid_in(place.sandbox() / "pid")
    place.agent.stop()
    until(lambda: not alive(pid), "the end of the process")
    place.begin()
    assert place.ended() == ("TASK_FAILED", "Command terminated with signal Terminated")


def test_a_supervisor_that_ends_while_it_is_looked_at_is_over(place, monkeypatch):
    place.run("sleep 1000")
    place.status("TASK_RUNNING")
    pid, began = place.agent.executor._supervisors[place.task().key]
    assert processes._began(pid) == began
    place.agent.executor.kill_all()
    place.ended()
    # Here it is gone, although a descriptor of it could be had.
    monkeypatch.setattr(os, "pidfd_open", lambda pid: os.open("/dev/null", os.O_RDONLY))
    with place.agent.executor._watched(place.task()) as watched:
        assert watched is None


def test_a_task_whose_agent_was_out_of_reach_runs_again_when_it_is_back(place):
    place.run("sleep 1000")
    place.status("TASK_RUNNING")
    with place.master.lock:
        place.task().update(
            {**place.task().statuses[-1], "state": "TASK_UNREACHABLE", "source": "SOURCE_MASTER"}
        )
    assert place.status("TASK_RUNNING")["source"] == "SOURCE_EXECUTOR"


def test_a_supervisor_needs_nothing_but_the_standard_library():
    loaded = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import runpy; runpy.run_path({supervisor.__file__!r})",
    ]
    assert os.spawnv(os.P_WAIT, sys.executable, loaded) == 0


# --- containers: what docker is asked for; that it does it is for the lab to show ---

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
def docker(place):
    """
    A program that notes what it is asked for, in a file beside it, and an agent that takes it for
    docker.
    """
    program = place.directory / "docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    place.agent.stop()
    place.begin(f"--docker={program}", "--containerizers=docker,mesos")
    return program


def run_command(docker: Path) -> str:
    """Return the line that docker notes when it runs a container; the agent may be earlier."""

    def noted() -> str | None:
        lines = docker.with_suffix(".log").read_text().splitlines()
        return next((line for line in lines if " run " in line), None)

    return until(noted, "docker run")


WEB = {
    "type": "DOCKER",
    "volumes": [{"host_path": "/srv", "container_path": "/www", "mode": "RO"}],
    "docker": {
        "image": "busybox",
        "network": "BRIDGE",
        "port_mappings": [{"host_port": 31005, "container_port": 80, "protocol": "tcp"}],
    },
}


def test_a_container_gets_image_ports_volumes_limits_and_command(place, docker):
    place.run("httpd -f", container=WEB)
    status = place.status("TASK_RUNNING")
    asked = run_command(docker).split()
    id = status["container_status"]["container_id"]["value"]
    assert {
        "--rm",
        f"--name=mesos-{id}",
        "--cpu-shares=102",
        "--memory=33554432",
        "--net=bridge",
        "--publish=31005:80/tcp",
        "--volume=/srv:/www:ro",
        f"--volume={place.sandbox()}:/mnt/mesos/sandbox",
        "--entrypoint=/bin/sh",
    } <= set(asked)
    assert asked[-4:] == ["busybox", "-c", "httpd", "-f"]
    assert (
        status["container_status"]["network_infos"][0]["ip_addresses"][0]["ip_address"]
        == "10.0.0.9"
    )


def test_the_variables_of_a_container_are_on_no_command_line(place, docker):
    place.run(
        {"value": "true", "environment": {"variables": [{"name": "TOKEN", "value": "hush"}]}},
        container=WEB,
    )
    place.status("TASK_RUNNING")
    command = run_command(docker)
    assert "--env=TOKEN " in command and "hush" not in command
    told = docker.with_suffix(".env").read_text().splitlines()
    assert "TOKEN=hush" in told and "MESOS_SANDBOX=/mnt/mesos/sandbox" in told


def test_an_image_that_is_nowhere_fails_the_task_in_the_words_of_docker(place, docker):
    place.run("true", container={"type": "DOCKER", "docker": {"image": "nosuch"}})
    command = f"{docker} -H unix:///var/run/docker.sock pull nosuch"
    assert place.ended() == (
        "TASK_FAILED",
        f"Failed to launch container: Failed to run '{command}': exited with status 1; "
        "stderr='pull access denied for nosuch'",
    )


def test_a_container_is_stopped_by_docker(place, docker):
    place.run("httpd -f", container=WEB)
    id = place.status("TASK_RUNNING")["container_status"]["container_id"]["value"]
    place.tell(kill=["t"])
    assert place.ended() == ("TASK_KILLED", "Container terminated with signal Terminated")
    assert f"stop --time=3 mesos-{id}" in docker.with_suffix(".log").read_text()


# --- health ---

SOON = {
    "delay_seconds": 0.0,
    "interval_seconds": 0.05,
    "timeout_seconds": 5.0,
    "grace_period_seconds": 0.0,
    "consecutive_failures": 2,
}


def test_the_agent_says_how_healthy_a_task_is(place):
    check = {
        "type": "COMMAND",
        "command": {"value": "test -e well"},
        **SOON,
        "consecutive_failures": 0,
    }
    place.run("sleep 1000", health_check=check)
    until(lambda: place.said("healthy") is False, "the first result")
    (place.sandbox() / "well").touch()
    until(lambda: place.said("healthy") is True, "a better one")
    assert place.task().state == "TASK_RUNNING"


def test_a_task_that_stays_sick_is_killed(place):
    place.run("sleep 1000", health_check={"type": "TCP", "tcp": {"port": 1}, **SOON})
    assert place.ended() == ("TASK_KILLED", "Command terminated with signal Terminated")
    assert place.task().statuses[-1]["healthy"] is False


SERVER = """exec {python} -c '
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if os.path.exists("well") else 503)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT0"])), Answer).serve_forever()'"""


@pytest.mark.parametrize("protocol", ["HTTP", "MESOS_HTTP"])
def test_a_deployment_waits_until_its_tasks_are_healthy(place, running, monkeypatch, protocol):
    monkeypatch.setattr(Framework, "beat", 0.05)
    local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
    server = running(Marathon(local, None, "1.8.244", place.room, MemoryRoom()))
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
    found = app()
    assert found["deployments"] and found["tasks"][0]["healthCheckResults"][0]["alive"] is False
    if protocol == "HTTP":
        assert found["tasks"][0]["healthCheckResults"][0]["lastFailureCause"]
    task = next(task for task in place.agent.tasks if not task.over)
    (place.agent.executor.sandbox(task) / "well").touch()
    until(lambda: not app()["deployments"], "the deployment")
    assert (app()["tasksHealthy"], app()["tasksUnhealthy"]) == (1, 0)


def test_an_app_is_told_its_ports_by_number_and_by_name(place, running, monkeypatch):
    monkeypatch.setattr(Framework, "beat", 0.05)
    local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
    server = running(Marathon(local, None, "1.8.244", place.room, MemoryRoom()))
    ports = [{"port": 0, "name": "http"}, {"port": 0}]
    body = {
        "id": "/web",
        "cmd": "env > told; sleep 1000",
        "cpus": 0.1,
        "mem": 32,
        "portDefinitions": ports,
    }
    requests.post(f"{server.url}/v2/apps", json=body, timeout=5).raise_for_status()
    task = until(
        lambda: next((task for task in place.agent.tasks if task.state == "TASK_RUNNING"), None),
        "the task",
    )
    told = place.agent.executor.sandbox(task) / "told"
    shown = until(
        lambda: told.exists()
        and [line for line in told.read_text().splitlines() if line.startswith("PORT")],
        "the ports",
    )
    first, second = requests.get(f"{server.url}/v2/apps//web/tasks", timeout=5).json()["tasks"][0][
        "ports"
    ]
    assert {
        f"PORT0={first}",
        f"PORT1={second}",
        f"PORT_HTTP={first}",
        f"PORT={first}",
        f"PORTS={first},{second}",
    } <= set(shown)
