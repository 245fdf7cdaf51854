"""What an agent does with the tasks that it is told to run."""

from __future__ import annotations

import base64
import pathlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from .tasks import Task

# Commands that end at once, and how; all others run until they are killed.
ENDS = {
    "true": "TASK_FINISHED",
    "exit 0": "TASK_FINISHED",
    "false": "TASK_FAILED",
    "exit 1": "TASK_FAILED",
}


class Pretend:
    """
    Runs nothing: a task is said to run from the start, and to be killed when that is asked for.

    address, flags
        The agent's.

    changed
        Called whenever there is news of a task.
    """

    def __init__(self, address: str, flags: Mapping[str, str], changed: Callable[[], None]) -> None:
        self.address, self.flags, self.changed = address, flags, changed
        self.work_dir = pathlib.Path(flags["work_dir"]).absolute()
        self.tasks: dict[tuple[str, str], Task] = {}
        self.lock = threading.RLock()

    def start(self, info: dict[str, Any]) -> None:
        """Begin with a task, unless it was begun."""
        with self.lock:
            task = Task(info)
            if task.key not in self.tasks:
                self.tasks[task.key] = task
                self.say(task, "TASK_STARTING")
                self.launch(task)

    def launch(self, task: Task) -> None:
        """Bring a task that is starting to run."""
        self.say(task, "TASK_RUNNING")
        command = task.info.get("command", {}).get("value", "").strip()
        if command in ENDS:
            self.say(
                task,
                ENDS[command],
                f"Command exited with status {0 if ENDS[command] == 'TASK_FINISHED' else 1}",
            )

    def adopt(self, info: dict[str, Any], statuses: list[dict[str, Any]]) -> None:
        """Take a task over with what was said of it."""
        with self.lock:
            task = Task(info, list(statuses))
            self.tasks[task.key] = task

    def recover(self, agent_id: str | None) -> None:
        """Take up the tasks that the agent of this id had before it was restarted; end those of all others."""

    def kill(self, key: tuple[str, str]) -> None:
        """Have a task end, if it runs."""
        with self.lock:
            task = self.tasks.get(key)
            if task and not task.over:
                task.killing = True
                self.terminate(task)

    def kill_all(self) -> None:
        """Have all tasks end."""
        for key in list(self.tasks):
            self.kill(key)

    def terminate(self, task: Task) -> None:
        """Bring a task to its end."""
        self.say(task, "TASK_KILLED", "Command terminated with signal Terminated")

    def reports(self) -> list[dict[str, Any]]:
        """What the master is told."""
        with self.lock:
            return [
                {"info": task.info, "statuses": list(task.statuses)} for task in self.tasks.values()
            ]

    def told(self, reports: list[dict[str, Any]]) -> None:
        """Forget the tasks of whose end the master knows now; the agent shows the last ones as completed."""
        with self.lock:
            over = [
                task
                for task in self.tasks.values()
                if task.over and {"info": task.info, "statuses": task.statuses} in reports
            ]
            for task in over[:-50]:
                self.forget(task)

    def forget(self, task: Task) -> None:
        """Let go of a task that is over."""
        del self.tasks[task.key]

    def stop(self) -> None:
        """Let go of everything, as the agent ends."""

    def sandbox(self, task: Task) -> pathlib.Path:
        """Where a task has its files."""
        framework, id = (each.replace("/", "_") for each in task.key)
        executor = (
            self.work_dir / "slaves" / task.agent_id / "frameworks" / framework / "executors" / id
        )
        return executor / "runs" / container(task)

    def say(
        self, task: Task, state: str, message: str | None = None, address: str = "", **more: Any
    ) -> None:
        """Add a status; with an address that is the task's own from now on."""
        with self.lock:
            where = (
                task.statuses[-1]["container_status"]
                if task.statuses
                else {"container_id": {"value": str(uuid.uuid4())}}
            )
            if address or not task.statuses:
                found = {"protocol": "IPv4", "ip_address": address or self.address}
                where = {**where, "network_infos": [{"ip_addresses": [found]}]}
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
                    **more,
                    "container_status": where,
                }
            )
        self.changed()


def container(task: Task) -> str:
    """The id of a task's container."""
    return task.statuses[0]["container_status"]["container_id"]["value"]
