"""Agents in memory, for unit tests of Marathon's API that need no Mesos."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from typing import Any

from .placement import Agent, reserve

TERMINAL = {"true": "TASK_FINISHED", "exit 0": "TASK_FINISHED", "false": "TASK_FAILED"}


def agent(hostname: str, attributes: dict[str, Any] | None = None, **free: Any) -> Agent:
    """
    Make an agent with 4 CPUs, 4 GiB of memory, 10 GiB of disk and ports 31000-32000. ``free``
    overrides these resources.
    """
    resources = {
        "cpus": 4.0,
        "mem": 4096.0,
        "disk": 10240.0,
        "gpus": 0.0,
        "ports": [[31000, 32000]],
        **free,
    }
    return {
        "id": f"id-of-{hostname}",
        "hostname": hostname,
        "attributes": attributes or {},
        "free": {"*": resources},
    }


class Agents:
    """
    A Mesos with some agents. It speaks the protocol of ``peers.py`` without a network.

    A launched task runs at once. The commands ``true``, ``false`` and ``exit N`` end at once, as on
    the fake agent. With ``hold = True`` launched tasks stay staged; ``fail(id)`` ends a task.
    ``tasks`` has the last status of each task.
    """

    def __init__(self, *agents: Agent) -> None:
        self.agents = list(agents)
        self.tasks: dict[str, dict[str, Any]] = {}
        self.launched: list[dict[str, Any]] = []
        self.hold = False
        self._infos: dict[str, dict[str, Any]] = {}
        self._lock = threading.RLock()

    def answer(self, report: dict[str, Any]) -> dict[str, Any]:
        """Process a framework's report, and return the reply of the master."""
        with self._lock:
            for info in report.get("launch", []):
                id = info["task_id"]["value"]
                if id not in self.tasks:
                    self.launched.append(info)
                    self._infos[id] = info
                    self._set(id, "TASK_STAGING")
            for id in report.get("kill", []):
                if id in self._infos:
                    self.end(id, "TASK_KILLED", "Killed")
            if not self.hold:
                for id, status in list(self.tasks.items()):
                    if status["state"] == "TASK_STAGING":
                        self._run(id)
            return copy.deepcopy({
                "id": "framework-in-memory", "master": {"pid": "master@memory"},
                "agents": [{**agent, "free": self._free(agent)} for agent in self.agents],
                "tasks": list(self.tasks.values()),
            })  # fmt: skip

    def fail(self, id: str, message: str = "Command exited with status 1") -> None:
        """Let a task fail."""
        self.end(id, "TASK_FAILED", message)

    def end(self, id: str, state: str, message: str) -> None:
        """End a task."""
        with self._lock:
            self._infos.pop(id, None)
            self._set(id, state, message)

    def _run(self, id: str) -> None:
        command = self._infos[id]["command"].get("value", "").strip()
        state = TERMINAL.get(
            command, "TASK_FAILED" if command.startswith("exit ") else "TASK_RUNNING"
        )
        if state == "TASK_RUNNING":
            self._set(id, state)
        else:
            self.end(
                id,
                state,
                "Command exited" if state == "TASK_FINISHED" else "Command exited with status 1",
            )

    def _set(self, id: str, state: str, message: str = "") -> None:
        agent_id = self.tasks[id]["agent_id"] if id in self.tasks else self._infos[id]["agent_id"]
        self.tasks[id] = {
            "task_id": {"value": id}, "state": state, "agent_id": agent_id,
            "timestamp": time.time(), "message": message,
        }  # fmt: skip

    def _free(self, agent: Agent) -> dict[str, Any]:
        free = copy.deepcopy(agent["free"])
        for info in self._infos.values():
            if info["agent_id"]["value"] == agent["id"]:
                reserve(free, info["resources"])
        return free


class Direct:
    """Replace ``peers.Registration``: keep a framework registered with agents in memory."""

    def __init__(
        self, agents: Agents, describe: Callable[[], Any], accepted: Callable[[Any], None]
    ) -> None:
        self.agents, self.describe, self.accepted = agents, describe, accepted
        self.beat = 0.05
        self._wake, self._stopped = threading.Event(), False

    def start(self) -> None:
        """Start to register."""
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Stop registering."""
        self._stopped = True
        self._wake.set()

    def wake(self) -> None:
        """Send a report to the agents now."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.clear()
            self.accepted(self.agents.answer(self.describe()))
            self._wake.wait(self.beat)
