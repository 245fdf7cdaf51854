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
    """Make an agent: 4 CPUs, 4 GiB of memory, 10 GiB of disk and the ports 31000 to 32000, unless ``free`` says otherwise."""
    has = {
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
        "free": {"*": has},
    }


class Agents:
    """
    A Mesos of some agents, spoken to in the protocol of ``peers.py`` but without a network.

    What is launched runs at once; the commands ``true``, ``false`` and ``exit N`` end at once, as on the fake of an
    agent. ``hold = True`` leaves all launched tasks staged, ``fail(id)`` ends one. ``tasks`` has the last status of each.
    """

    def __init__(self, *agents: Agent) -> None:
        self.agents = list(agents)
        self.tasks: dict[str, dict[str, Any]] = {}
        self.launched: list[dict[str, Any]] = []
        self.hold = False
        self._infos: dict[str, dict[str, Any]] = {}
        self._lock = threading.RLock()

    def answer(self, told: dict[str, Any]) -> dict[str, Any]:
        """Take what a framework tells, and return what the master would."""
        with self._lock:
            for info in told.get("launch", []):
                id = info["task_id"]["value"]
                if id not in self.tasks:
                    self.launched.append(info)
                    self._infos[id] = info
                    self._set(id, "TASK_STAGING")
            for id in told.get("kill", []):
                if id in self._infos:
                    self.end(id, "TASK_KILLED", "Killed")
            if not self.hold:
                for id, status in list(self.tasks.items()):
                    if status["state"] == "TASK_STAGING":
                        self._run(id)
            return copy.deepcopy({
                "id": "framework-in-memory", "master": {"pid": "master@memory"},
                "agents": [{**each, "free": self._free(each)} for each in self.agents], "tasks": list(self.tasks.values()),
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
        where = self.tasks[id]["agent_id"] if id in self.tasks else self._infos[id]["agent_id"]
        self.tasks[id] = {
            "task_id": {"value": id}, "state": state, "agent_id": where, "timestamp": time.time(), "message": message,
        }  # fmt: skip

    def _free(self, of: Agent) -> dict[str, Any]:
        free = copy.deepcopy(of["free"])
        for info in self._infos.values():
            if info["agent_id"]["value"] == of["id"]:
                reserve(free, info["resources"])
        return free


class Direct:
    """Stands where ``peers.Registration`` does, and keeps a framework registered with agents in memory."""

    def __init__(
        self, agents: Agents, describe: Callable[[], Any], accepted: Callable[[Any], None]
    ) -> None:
        self.agents, self.describe, self.accepted = agents, describe, accepted
        self.beat = 0.05
        self._wake, self._stopped = threading.Event(), False

    def start(self) -> None:
        """Begin to register."""
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Stop that."""
        self._stopped = True
        self._wake.set()

    def wake(self) -> None:
        """Tell the agents now."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.clear()
            self.accepted(self.agents.answer(self.describe()))
            self._wake.wait(self.beat)
