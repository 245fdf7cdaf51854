"""
A cluster of fake Mesos daemons for the unit tests of module and states: a leader that records the
writes that it receives, and agents.
"""

import json
import time

import pytest
import requests

from lab.fakes.mesos.agent import Agent
from lab.fakes.mesos.master import Master
from lab.fakes.wire.election import MemoryRoom

HOSTS = tuple(f"lxb00{number}.devops.test" for number in (1, 2, 3, 4))
READS = ("GET_", "LIST_", "READ_")


class RecordingMaster(Master):
    """A master that records its writes in ``heard``: types of v1 calls, or method and path."""

    disconnect_timeout = 3600.0  # the framework of a test sends no heartbeats

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.heard = []

    def forestall(self, request):
        if request.path == "/api/v1":
            call = json.loads(request.get_data()).get("type", "")
            if not call.startswith(READS):
                self.heard.append(call)
        elif request.method != "GET" and not request.path.startswith("/fake/"):
            self.heard.append(f"{request.method} {request.path}")


class FastAgent(Agent):
    beat = 0.1


class MesosCluster:
    """
    A leader with four agents, two roles with a weight, and a framework ``marathon`` with a running
    task.
    """

    def __init__(
        self, salt, running, directory, *flags, version="1.11.0", hosts=HOSTS, connection=None
    ):
        self.salt = salt
        self.connection = connection or {}
        self.directory = directory
        self.room = MemoryRoom()
        self.leader = running(self.master("leader", *flags, version=version))
        self.url = self.leader.url
        for host in hosts:
            running(
                FastAgent(
                    [
                        "--ip=127.0.0.1",
                        "--port=0",
                        f"--hostname={host}",
                        f"--work_dir={directory / host}",
                        "--resources=cpus:4;mem:2048;disk:4096;ports:[31000-32000]",
                        "--attributes=rack:r1",
                    ],
                    None,
                    version,
                    self.room,
                )
            )
        until(lambda: len(self.leader.agents) == len(hosts))
        if hosts:
            self.leader.weights.change(
                [{"role": "web", "weight": 1}, {"role": "batch", "weight": 1}]
            )
            self.framework = self.launch()

    def master(self, name, *flags, version="1.11.0"):
        address = ("--ip=127.0.0.1", "--port=0", "--hostname=127.0.0.1")
        directories = (
            f"--work_dir={self.directory / name}",
            f"--log_dir={self.directory / name}-log",
        )
        return RecordingMaster([*address, *directories, *flags], None, version, self.room)

    def launch(self):
        """Register the framework, and run its task on the first agent. Returns its id."""
        registration = {
            "info": {
                "name": "marathon",
                "user": "root",
                "roles": ["web"],
                "failover_timeout": 3600.0,
            },
            "pid": "scheduler@127.0.0.1:1",
            "version": "1.11.0",
            "capabilities": ["MULTI_ROLE"],
        }

        def post(**members):
            return requests.post(
                f"{self.url}/fake/frameworks", json={**registration, **members}, timeout=5
            ).json()

        response = post()
        registration["info"]["id"] = {"value": response["id"]}
        agent_ids = {agent["hostname"]: agent["id"] for agent in response["agents"]}
        post(
            launch=[
                {
                    "task_id": {"value": "web.1"},
                    "name": "web",
                    "agent_id": {"value": agent_ids[HOSTS[0]]},
                    "command": {"value": "sleep 3600"},
                    "resources": [
                        {
                            "name": name,
                            "type": "SCALAR",
                            "scalar": {"value": value},
                            "allocation_info": {"role": "web"},
                        }
                        for name, value in (("cpus", 0.1), ("mem", 32.0))
                    ],
                }
            ]
        )
        until(lambda: [task.state for task in self.leader.tasks.values()] == ["TASK_RUNNING"])
        return response["id"]

    def call(self, function, *args, **kwargs):
        return self.salt.call(f"mesos.{function}", *args, url=self.url, **self.connection, **kwargs)

    def fails(self, function, *args, **kwargs):
        """Call a function that raises an error of one line. Returns the error."""
        with pytest.raises(self.salt.Error) as error_info:
            self.call(function, *args, **kwargs)
        return one_line(error_info)


def one_line(error_info):
    text = str(error_info.value)
    assert "\n" not in text and "Traceback" not in text, text
    return text


def until(condition, event="the condition", timeout: float = 20):
    """
    Wait until a condition is true and return its value. The timeout is in seconds.

    A condition may read the tables of a fake daemon, whose threads change them meanwhile.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            result = condition()
        except RuntimeError as error:
            if "changed size during iteration" not in str(error):
                raise
            result = None
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {timeout:g} seconds: {event}"
        time.sleep(0.02)
