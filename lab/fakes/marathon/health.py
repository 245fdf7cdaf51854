"""The health of tasks: what Mesos says of it, and what Marathon finds out by itself."""

from __future__ import annotations

import threading
import time
from typing import Any

from ..wire.checks import http_fault, tcp_fault
from .launch import host_ports
from .normal import MARATHON_CHECKS
from .tree import at

LOOK = 0.5  # seconds between two looks for checks that are due


class Health:
    """The part of Marathon that knows how tasks are. Where its agents are in memory, what runs is healthy unless they say otherwise."""

    def watch_health(self: Any) -> None:
        """Make the checks that are due, until Marathon ends."""
        due: dict[tuple[str, int], float] = {}
        while not self.over.wait(LOOK):
            with self.lock:
                wanted = self._own_checks() if self.leading else {}
                due = {key: due.get(key, 0.0) for key in wanted}
                for key in [key for key, then in due.items() if then <= time.monotonic()]:
                    due[key] = time.monotonic() + wanted[key][2]["intervalSeconds"]
                    threading.Thread(
                        target=self._check, args=(*wanted[key], key[1]), daemon=True
                    ).start()

    def _own_checks(self: Any) -> dict[tuple[str, int], tuple[Any, Any, dict[str, Any], int]]:
        """Marathon's own checks: (task id, index of the check) -> instance, task, check and the port that it asks."""
        found = {}
        for instance in self.instances.values():
            app = self.tree.apps.get(instance.path) or {"healthChecks": []}
            for index, check in enumerate(app["healthChecks"]):
                for id, task in instance.tasks.items():
                    if check["protocol"] in MARATHON_CHECKS and task.state == "TASK_RUNNING":
                        port = check.get("port") or dict(
                            enumerate(host_ports(app, task.ports))
                        ).get(check.get("portIndex", 0))
                        found[id, index] = (instance, task, check, port or 0)
        return found

    def _check(
        self: Any, instance: Any, task: Any, check: dict[str, Any], port: int, index: int
    ) -> None:
        """Make one check; a task that failed too many is killed."""
        if check["protocol"] == "TCP":
            fault = tcp_fault(instance.agent["hostname"], port, check["timeoutSeconds"])
        else:
            url = f"{check['protocol'].lower()}://{instance.agent['hostname']}:{port}/{check.get('path', '').lstrip('/')}"
            fault = http_fault(url, check["timeoutSeconds"])
        with self.lock:
            found, now = task.checks.setdefault(str(index), {"failures": 0}), time.time()
            young = now < (task.started or now) + check["gracePeriodSeconds"]
            over = not self.leading or task.state != "TASK_RUNNING" or instance.killed
            if over or (fault and "success" not in found and young):
                return
            before = found.get("alive")
            found["alive"] = not fault
            if fault:
                found |= {"failures": found["failures"] + 1, "failure": now, "cause": fault}
            else:
                found |= {"failures": 0, "success": now, "first": found.get("first", now)}
            if before is not found["alive"]:
                self.touched = True
                self.tell(
                    "health_status_changed_event",
                    appId=instance.path,
                    taskId=task.id,
                    alive=found["alive"],
                )
            if 0 < check["maxConsecutiveFailures"] <= found["failures"]:
                self.tell(
                    "unhealthy_task_kill_event", appId=instance.path, taskId=task.id, reason=fault
                )
                self._mark(instance)
            self.advance()

    def is_checked(self: Any, instance: Any) -> bool:
        """Whether anything looks after the health of an instance."""
        spec = self.tree.spec(instance.path) or {}
        return bool(
            spec.get("healthChecks")
            or any("healthCheck" in each for each in spec.get("containers", []))
        )

    def is_healthy(self: Any, instance: Any, task: Any) -> bool | None:
        """Say how a task is; None where nothing checks it, or has not yet. Tests may replace this."""
        if task.state != "TASK_RUNNING" or not self.is_checked(instance):
            return None
        if self.in_memory:
            return task.healthy is not False
        results = [found["alive"] for found in self.health_of(instance, task)]
        return None if None in results else all(results)

    def health_of(self: Any, instance: Any, task: Any) -> list[dict[str, Any]]:
        """Return what the API says of each check of a task; ``alive`` is None where it has no result yet."""
        spec = self.tree.spec(instance.path) or {}
        checks = spec.get("healthChecks", [{"protocol": "MESOS"}])
        return [
            self._result(instance, task, str(index), check["protocol"])
            for index, check in enumerate(checks)
        ]

    def _result(self: Any, instance: Any, task: Any, index: str, protocol: str) -> dict[str, Any]:
        found = task.checks.get(index, {})
        if self.in_memory or protocol not in MARATHON_CHECKS:
            alive = task.healthy is not False if self.in_memory else task.healthy
            since = {
                True: {"first": task.started, "success": task.started},
                False: {"failure": time.time()},
            }.get(alive, {})
            found = {"alive": alive, "failures": int(alive is False), **since}

        def moment(name: str) -> str | None:
            return at(found[name]) if found.get(name) else None

        return {
            "alive": found.get("alive"), "consecutiveFailures": found.get("failures", 0), "firstSuccess": moment("first"),
            "lastFailure": moment("failure"), "lastFailureCause": found.get("cause"), "lastSuccess": moment("success"),
            "instanceId": instance.id,
        }  # fmt: skip
