"""Executors of an agent's tasks; this one only simulates them."""

from __future__ import annotations

import base64
import pathlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from .tasks import Task

# Commands that end immediately, with their state. All others run until they are killed.
ENDS = {
    "true": "TASK_FINISHED",
    "exit 0": "TASK_FINISHED",
    "false": "TASK_FAILED",
    "exit 1": "TASK_FAILED",
}


class Pretend:
    """
    Simulates tasks: reports a task as running once started, and as killed on request.

    address, flags
        Address and flags of the agent.

    changed
        Called after each status update.
    """

    def __init__(self, address: str, flags: Mapping[str, str], changed: Callable[[], None]) -> None:
        self.address, self.flags, self.changed = address, flags, changed
        self.work_dir = pathlib.Path(flags["work_dir"]).absolute()
        self.tasks: dict[tuple[str, str], Task] = {}
        self.lock = threading.RLock()

    def start(self, info: dict[str, Any]) -> None:
        """Start a task, unless it was started before."""
        with self.lock:
            task = Task(info)
            if task.key not in self.tasks:
                self.tasks[task.key] = task
                self.say(task, "TASK_STARTING")
                self.launch(task)

    def launch(self, task: Task) -> None:
        """Launch a task that is in TASK_STARTING."""
        self.say(task, "TASK_RUNNING")
        command = task.info.get("command", {}).get("value", "").strip()
        if command in ENDS:
            self.say(
                task,
                ENDS[command],
                f"Command exited with status {0 if ENDS[command] == 'TASK_FINISHED' else 1}",
            )

    def adopt(self, info: dict[str, Any], statuses: list[dict[str, Any]]) -> None:
        """Add a task with its statuses."""
        with self.lock:
            task = Task(info, list(statuses))
            self.tasks[task.key] = task

    def recover(self, agent_id: str | None) -> None:
        """Recover the tasks of the agent with this ID, and kill the tasks of other agents."""

    def kill(self, key: tuple[str, str]) -> None:
        """Kill a task, unless it is over."""
        with self.lock:
            task = self.tasks.get(key)
            if task and not task.over:
                task.killing = True
                self.terminate(task)

    def kill_all(self) -> None:
        """Kill all tasks."""
        for key in list(self.tasks):
            self.kill(key)

    def terminate(self, task: Task) -> None:
        """Terminate a task."""
        self.say(task, "TASK_KILLED", "Command terminated with signal Terminated")

    def reports(self) -> list[dict[str, Any]]:
        """Return all tasks with their statuses, for the master."""
        with self.lock:
            return [
                {"info": task.info, "statuses": list(task.statuses)} for task in self.tasks.values()
            ]

    def acknowledge(self, reports: list[dict[str, Any]]) -> None:
        """Forget tasks whose end the master has received; the latest stay as completed tasks."""
        with self.lock:
            over = [
                task
                for task in self.tasks.values()
                if task.over and {"info": task.info, "statuses": task.statuses} in reports
            ]
            for task in over[:-50]:
                self.forget(task)

    def forget(self, task: Task) -> None:
        """Forget a task that is over."""
        del self.tasks[task.key]

    def stop(self) -> None:
        """Release all resources, as the agent exits."""

    def sandbox(self, task: Task) -> pathlib.Path:
        """Return the sandbox directory of a task."""
        framework, id = (part.replace("/", "_") for part in task.key)
        executor = (
            self.work_dir / "slaves" / task.agent_id / "frameworks" / framework / "executors" / id
        )
        return executor / "runs" / container(task)

    def say(
        self, task: Task, state: str, message: str | None = None, address: str = "", **fields: Any
    ) -> None:
        """Add a status. ``address`` is the task's IP address, if it differs from the agent's."""
        with self.lock:
            container_status = (
                task.statuses[-1]["container_status"]
                if task.statuses
                else {"container_id": {"value": str(uuid.uuid4())}}
            )
            if address or not task.statuses:
                ip_address = {"protocol": "IPv4", "ip_address": address or self.address}
                network_infos = [{"ip_addresses": [ip_address]}]
                container_status = {**container_status, "network_infos": network_infos}
            task.statuses.append(
                {
                    "task_id": task.info["task_id"],
                    "state": state,
                    **({"message": message} if message else {}),
                    "source": "SOURCE_EXECUTOR",
                    "agent_id": task.info["agent_id"],
                    "executor_id": {"value": task.info["task_id"]["value"]},
                    "timestamp": time.time(),
                    "uuid": base64.b64encode(uuid.uuid4().bytes).decode(),
                    **fields,
                    "container_status": container_status,
                }
            )
        self.changed()


def container(task: Task) -> str:
    """Return the ID of a task's container."""
    return task.statuses[0]["container_status"]["container_id"]["value"]
