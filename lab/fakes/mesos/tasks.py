"""Tasks of the master and the agent, and their representation in the v0 and v1 APIs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from ..wire.task_states import STATES, TERMINAL
from . import resources

# Fields of a TaskInfo that the APIs return unchanged.
INFO_FIELDS = ("labels", "discovery", "health_check", "container", "user", "kill_policy")


@dataclasses.dataclass
class Task:
    """A TaskInfo with its ``framework_id``, and its statuses from oldest to newest."""

    info: dict[str, Any]
    statuses: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    killing: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """The framework ID and the task ID."""
        return self.info["framework_id"]["value"], self.info["task_id"]["value"]

    @property
    def agent_id(self) -> str:
        """The ID of the task's agent."""
        return self.info["agent_id"]["value"]

    @property
    def state(self) -> str:
        """The first terminal state, else the latest state."""
        states = [status["state"] for status in self.statuses]
        terminal = [state for state in states if state in TERMINAL]
        if terminal:
            return terminal[0]
        return states[-1] if states else "TASK_STAGING"

    @property
    def over(self) -> bool:
        """Whether the task is in a terminal state."""
        return self.state in TERMINAL

    @property
    def role(self) -> str:
        """The role that the task's resources are allocated to."""
        for resource in self.info["resources"]:
            if "allocation_info" in resource:
                return resource["allocation_info"]["role"]
        return "*"

    @property
    def allocated(self) -> list[dict[str, Any]]:
        """The resources of the task and its executor; empty in a terminal state."""
        if self.over:
            return []
        return [*self.info["resources"], *self.info.get("executor", {}).get("resources", [])]

    def update(self, status: dict[str, Any]) -> bool:
        """Add a status. Returns False if it repeats the latest one or the task is over."""
        if self.over or (self.statuses and _identity(self.statuses[-1]) == _identity(status)):
            return False
        self.statuses.append(status)
        return True

    def v1(self) -> dict[str, Any]:
        """Return the task as GET_TASKS does."""
        updates = [status for status in self.statuses if status.get("source") != "SOURCE_MASTER"]
        latest = updates[-1] if updates else {}
        info = self.info
        executor = info.get("executor", {}).get("executor_id")
        return {
            "name": info["name"],
            "task_id": info["task_id"],
            "framework_id": info["framework_id"],
            **({"executor_id": executor} if executor else {}),
            "agent_id": info["agent_id"],
            "state": self.state,
            "resources": info["resources"],
            "statuses": self.statuses,
            **({"status_update_state": latest["state"]} if latest else {}),
            **({"status_update_uuid": latest["uuid"]} if "uuid" in latest else {}),
            **{key: info[key] for key in INFO_FIELDS if key in info},
        }

    def v0(self) -> dict[str, Any]:
        """Return the task as ``/tasks`` does."""
        info = self.info
        labels = info.get("labels", {}).get("labels")
        return {
            "id": info["task_id"]["value"],
            "name": info["name"],
            "framework_id": info["framework_id"]["value"],
            "executor_id": info.get("executor", {}).get("executor_id", {}).get("value", ""),
            "slave_id": self.agent_id,
            "state": self.state,
            "resources": resources.totals(info["resources"]),
            "role": self.role,
            "statuses": [_status(status) for status in self.statuses],
            **({"labels": labels} if labels else {}),
            **{key: info[key] for key in INFO_FIELDS[1:] if key in info},
        }


def _identity(status: dict[str, Any]) -> tuple[Any, ...]:
    return status["state"], status.get("healthy"), status.get("message"), status.get("uuid")


def _status(status: dict[str, Any]) -> dict[str, Any]:
    """Return a status as the v0 endpoints do."""
    fields = ("state", "timestamp", "labels", "healthy")
    entry = {key: status[key] for key in fields if key in status}
    if "container_status" in status:
        entry["container_status"] = {
            k: v for k, v in status["container_status"].items() if k != "executor_pid"
        }
    return entry


def counts(tasks: Iterable[Task]) -> dict[str, int]:
    """Return the number of tasks by state."""
    numbers = dict.fromkeys(STATES, 0)
    for task in tasks:
        if task.state in numbers:
            numbers[task.state] += 1
    return numbers
