"""A task as the master and the agent know it, in the shapes of their APIs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from ..wire.task_states import STATES, TERMINAL
from . import resources

# Of a TaskInfo, what a task shows as it is.
KEPT = ("labels", "discovery", "health_check", "container", "user", "kill_policy")


@dataclasses.dataclass
class Task:
    """A TaskInfo with its ``framework_id``, and its statuses, the last one last."""

    info: dict[str, Any]
    statuses: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    killing: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """The ids of framework and task."""
        return self.info["framework_id"]["value"], self.info["task_id"]["value"]

    @property
    def agent_id(self) -> str:
        """The id of its agent."""
        return self.info["agent_id"]["value"]

    @property
    def state(self) -> str:
        """Its state: the last, but for what comes after its end."""
        ends = [each["state"] for each in self.statuses if each["state"] in TERMINAL]
        return ends[0] if ends else self.statuses[-1]["state"] if self.statuses else "TASK_STAGING"

    @property
    def over(self) -> bool:
        """Whether it came to an end."""
        return self.state in TERMINAL

    @property
    def role(self) -> str:
        """The role that its resources are allocated to."""
        return next(
            (
                each["allocation_info"]["role"]
                for each in self.info["resources"]
                if "allocation_info" in each
            ),
            "*",
        )

    @property
    def allocated(self) -> list[dict[str, Any]]:
        """What it and its executor hold of its agent, none once it is over."""
        return (
            []
            if self.over
            else [*self.info["resources"], *self.info.get("executor", {}).get("resources", [])]
        )

    def update(self, status: dict[str, Any]) -> bool:
        """Take a status; whether it was news."""
        if self.over or (self.statuses and _word(self.statuses[-1]) == _word(status)):
            return False
        self.statuses.append(status)
        return True

    def v1(self) -> dict[str, Any]:
        """As GET_TASKS shows it."""
        last = next(
            (each for each in reversed(self.statuses) if each.get("source") != "SOURCE_MASTER"), {}
        )
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
            **({"status_update_state": last["state"]} if last else {}),
            **({"status_update_uuid": last["uuid"]} if "uuid" in last else {}),
            **{key: info[key] for key in KEPT if key in info},
        }

    def v0(self) -> dict[str, Any]:
        """As ``/tasks`` shows it."""
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
            "statuses": [_status(each) for each in self.statuses],
            **({"labels": labels} if labels else {}),
            **{key: info[key] for key in KEPT[1:] if key in info},
        }


def _word(status: dict[str, Any]) -> tuple[Any, ...]:
    return status["state"], status.get("healthy"), status.get("message"), status.get("uuid")


def _status(status: dict[str, Any]) -> dict[str, Any]:
    shown = {
        key: status[key] for key in ("state", "timestamp", "labels", "healthy") if key in status
    }
    if "container_status" in status:
        shown["container_status"] = {
            k: v for k, v in status["container_status"].items() if k != "executor_pid"
        }
    return shown


def counts(tasks: Iterable[Task]) -> dict[str, int]:
    """How many tasks are in each state."""
    found = dict.fromkeys(STATES, 0)
    for task in tasks:
        if task.state in found:
            found[task.state] += 1
    return found
