"""What an agent does with the tasks that it is told to run."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from typing import Any

from .tasks import Task

# Commands that end at once, and how; all others run until they are killed.
ENDS = {"true": "TASK_FINISHED", "exit 0": "TASK_FINISHED", "false": "TASK_FAILED", "exit 1": "TASK_FAILED"}


class Pretend:
    """Runs nothing: a task is said to run from the start, and to be killed when that is asked for."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.tasks: dict[tuple[str, str], Task] = {}
        self.lock = threading.Lock()

    def start(self, info: dict[str, Any]) -> bool:
        """Begin with a task; whether it is a new one."""
        with self.lock:
            task = Task(info)
            if task.key in self.tasks:
                return False
            self.tasks[task.key] = task
            self._say(task, "TASK_STARTING")
            self._say(task, "TASK_RUNNING")
            command = info.get("command", {}).get("value", "").strip()
            if command in ENDS:
                self._say(task, ENDS[command], f"Command exited with status {0 if ENDS[command] == 'TASK_FINISHED' else 1}")
            return True

    def adopt(self, info: dict[str, Any], statuses: list[dict[str, Any]]) -> None:
        """Take a task over with what was said of it."""
        with self.lock:
            task = Task(info, list(statuses))
            self.tasks[task.key] = task

    def kill(self, key: tuple[str, str]) -> bool:
        """End a task; whether it was running."""
        with self.lock:
            task = self.tasks.get(key)
            if task is None or task.over:
                return False
            self._say(task, "TASK_KILLED", "Command terminated with signal Terminated")
            return True

    def reports(self) -> list[dict[str, Any]]:
        """What the master is told."""
        with self.lock:
            return [{"info": task.info, "statuses": task.statuses} for task in self.tasks.values()]

    def told(self, reports: list[dict[str, Any]]) -> None:
        """Forget the tasks of whose end the master knows now; the agent shows the last ones as completed."""
        with self.lock:
            over = [key for key, task in self.tasks.items() if task.over and {"info": task.info, "statuses": task.statuses} in reports]
            for key in over[:-50]:
                del self.tasks[key]

    def _say(self, task: Task, state: str, message: str | None = None) -> None:
        first = task.statuses[0]["container_status"] if task.statuses else {
            "container_id": {"value": str(uuid.uuid4())},
            "network_infos": [{"ip_addresses": [{"protocol": "IPv4", "ip_address": self.address}]}],
        }
        task.statuses.append({
            "task_id": task.info["task_id"],
            "state": state,
            **({"message": message} if message else {}),
            "source": "SOURCE_EXECUTOR",
            "agent_id": task.info["agent_id"],
            "executor_id": {"value": task.info["task_id"]["value"]},
            "timestamp": time.time(),
            "uuid": base64.b64encode(uuid.uuid4().bytes).decode(),
            "container_status": first,
        })
