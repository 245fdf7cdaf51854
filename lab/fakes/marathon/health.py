"""The health of tasks: results from Mesos, and Marathon's own checks."""

from __future__ import annotations

import threading
import time
from typing import Any

from ..wire.checks import http_fault, tcp_fault
from .launch import host_ports
from .normal import MARATHON_CHECKS
from .tree import at

CHECK_INTERVAL = 0.5  # seconds between two searches for due checks


class Health:
    """
    Health checks. If agents are in memory, running tasks are healthy unless the agents report
    otherwise.
    """

    def watch_health(self: Any) -> None:
        """Run due checks until Marathon stops."""
        due: dict[tuple[str, int], float] = {}
        while not self.over.wait(CHECK_INTERVAL):
            with self.lock:
                checks = self._own_checks() if self.leading else {}
                due = {key: due.get(key, 0.0) for key in checks}
                for key in [key for key, then in due.items() if then <= time.monotonic()]:
                    due[key] = time.monotonic() + checks[key][2]["intervalSeconds"]
                    threading.Thread(
                        target=self._check, args=(*checks[key], key[1]), daemon=True
                    ).start()

    def _own_checks(self: Any) -> dict[tuple[str, int], tuple[Any, Any, dict[str, Any], int]]:
        """
        Map (task id, index of the check) to instance, task, check and port, for Marathon's own
        checks.
        """
        checks = {}
        for instance in self.instances.values():
            app = self.tree.apps.get(instance.path) or {"healthChecks": []}
            for index, check in enumerate(app["healthChecks"]):
                for id, task in instance.tasks.items():
                    if check["protocol"] in MARATHON_CHECKS and task.state == "TASK_RUNNING":
                        port = check.get("port") or dict(
                            enumerate(host_ports(app, task.ports))
                        ).get(check.get("portIndex", 0))
                        checks[id, index] = (instance, task, check, port or 0)
        return checks

    def _check(
        self: Any, instance: Any, task: Any, check: dict[str, Any], port: int, index: int
    ) -> None:
        """Run one check. A task with too many failures is killed."""
        if check["protocol"] == "TCP":
            fault = tcp_fault(instance.agent["hostname"], port, check["timeoutSeconds"])
        else:
            scheme, path = check["protocol"].lower(), check.get("path", "").lstrip("/")
            url = f"{scheme}://{instance.agent['hostname']}:{port}/{path}"
            fault = http_fault(url, check["timeoutSeconds"])
        with self.lock:
            result, now = task.checks.setdefault(str(index), {"failures": 0}), time.time()
            young = now < (task.started or now) + check["gracePeriodSeconds"]
            over = not self.leading or task.state != "TASK_RUNNING" or instance.killed
            if over or (fault and "success" not in result and young):
                return
            before = result.get("alive")
            result["alive"] = not fault
            if fault:
                result |= {"failures": result["failures"] + 1, "failure": now, "cause": fault}
            else:
                result |= {"failures": 0, "success": now, "first": result.get("first", now)}
            if before is not result["alive"]:
                self.touched = True
                self.tell(
                    "health_status_changed_event",
                    appId=instance.path,
                    taskId=task.id,
                    alive=result["alive"],
                )
            if 0 < check["maxConsecutiveFailures"] <= result["failures"]:
                self.tell(
                    "unhealthy_task_kill_event", appId=instance.path, taskId=task.id, reason=fault
                )
                self.kill_instance(instance)
            self.advance()

    def is_checked(self: Any, instance: Any) -> bool:
        """Return whether an instance has health checks."""
        spec = self.tree.spec(instance.path) or {}
        return bool(
            spec.get("healthChecks")
            or any("healthCheck" in container for container in spec.get("containers", []))
        )

    def is_healthy(self: Any, instance: Any, task: Any) -> bool | None:
        """
        Return whether a task is healthy; None if it has no checks or no result yet. Tests may
        replace this.
        """
        if task.state != "TASK_RUNNING" or not self.is_checked(instance):
            return None
        if self.in_memory:
            return task.healthy is not False
        results = [result.get("alive") for result in self.health_of(instance, task)]
        return None if None in results else all(results)

    def health_of(self: Any, instance: Any, task: Any) -> list[dict[str, Any]]:
        """Return the JSON of each check of a task. ``alive`` is None if there is no result yet."""
        spec = self.tree.spec(instance.path) or {}
        checks = spec.get("healthChecks", [{"protocol": "MESOS"}])
        return [
            self._result(instance, task, str(index), check["protocol"])
            for index, check in enumerate(checks)
        ]

    def _result(self: Any, instance: Any, task: Any, index: str, protocol: str) -> dict[str, Any]:
        result = task.checks.get(index, {})
        if self.in_memory or protocol not in MARATHON_CHECKS:
            alive = task.healthy is not False if self.in_memory else task.healthy
            since = {
                True: {"first": task.started, "success": task.started},
                False: {"failure": time.time()},
            }.get(alive, {})
            result = {"alive": alive, "failures": int(alive is False), **since}

        def moment(name: str) -> str | None:
            return at(result[name]) if result.get(name) else None

        view = {
            "alive": result.get("alive"), "consecutiveFailures": result.get("failures", 0),
            "firstSuccess": moment("first"),
            "lastFailure": moment("failure"), "lastFailureCause": result.get("cause"),
            "lastSuccess": moment("success"),
            "instanceId": instance.id,
        }  # fmt: skip
        if self.line < (1, 8):
            return view
        view["instanceId"] = f"instance [{instance.id}]"
        return {name: value for name, value in view.items() if value is not None}
