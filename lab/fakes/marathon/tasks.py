"""Instances of apps and pods with their tasks, and the routes that list and kill them."""

from __future__ import annotations

import dataclasses
import json
import re
import statistics
import time
import uuid
from typing import Any

from ..wire.http import Request, answer
from . import placement
from .errors import JSON, Errors, Line, Refused, api, body, flag, misshapen, missing
from .launch import task_info
from .normal import App, absolute, service_ports
from .tree import at, config_version, instances, with_instances

ENDED = (
    "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED",
    "TASK_GONE",
    "TASK_GONE_BY_OPERATOR", "TASK_UNREACHABLE", "TASK_UNKNOWN",
)  # fmt: skip
UUID = re.compile(r"[0-9a-f]+(-[0-9a-f]+){4}")
TASK_ID = re.compile(r"[^.]+\.(?:instance-|marathon-)?([^.]+).*")
LIST_TYPES = (JSON, "text/plain")
UNDELAYED = ("TASK_KILLED",)  # terminal states that cause no launch delay
FAILURES = tuple(state for state in ENDED if state not in ("TASK_KILLED", "TASK_FINISHED"))


@dataclasses.dataclass
class Task:
    """One task of an instance."""

    id: str
    container: str | None
    ports: list[int]
    state: str = "TASK_STAGING"
    reported: bool = False  # whether the master sent a status
    staged: float = 0.0
    started: float | None = None
    healthy: bool | None = None
    address: str | None = None
    # Results of the checks that Marathon makes itself, by index.
    checks: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Instance:
    """One instance of an app or pod: tasks by id, on one agent."""

    id: str
    path: str
    version: str  # of the configuration
    agent: dict[str, Any]
    tasks: dict[str, Task]
    killed: bool = False


def awaits(spec: App) -> bool:
    """
    Return whether Marathon waits for tasks of an unreachable agent. Otherwise it replaces them at
    once.
    """
    return spec.get("scheduling", spec).get("unreachableStrategy") == "disabled"


def _id_errors(content: Any) -> Errors:
    """Return the errors of the body that names the tasks to kill."""
    text = json.dumps(content, separators=(",", ":"))
    if not isinstance(content, dict):
        return [("", f"{text} is not an object")]
    if "ids" not in content:
        return [("", f"'ids' is undefined on object: {text}")]
    if not isinstance(content["ids"], list):
        return [("", "error.expected.jsarray")]
    return [
        (f"({index})", "error.expected.jsstring")
        for index, id in enumerate(content["ids"])
        if not isinstance(id, str)
    ]


def _wants_text(request: Request) -> bool:
    """Return whether the client prefers text to JSON."""
    return request.accept_mimetypes.best_match([JSON, "text/plain"], JSON) == "text/plain"


def _check_task_id(id: str, line: Line) -> None:
    """Raise Refused (500) for the id of a task without a UUID, as Marathon does since 1.8."""
    part = TASK_ID.fullmatch(id)
    if line >= (1, 8) and part and not UUID.fullmatch(part[1]):
        text = f"Failure(java.lang.IllegalArgumentException: Invalid UUID string: {part[1]})"
        raise Refused(500, f"{text} (of class scala.util.Failure)")


class Tasks:
    """Marathon's instances, and its API for tasks."""

    def instances_of(self: Any, path: str) -> list[Instance]:
        """Return the instances of an app or pod, oldest first."""
        return [instance for instance in self.instances.values() if instance.path == path]

    def kill_instances(self: Any, ids: Any) -> None:
        """Kill instances by id."""
        for id in ids:
            self.kill_instance(self.instances[id])

    def kill_instance(self: Any, instance: Instance) -> None:
        """Kill the tasks of an instance, and mark it as killed."""
        instance.killed = self.touched = True
        for task in instance.tasks.values():
            if task.state not in ENDED and task.id not in self._kills:
                self.kill_task(task.id)

    def is_ready(self: Any, instance: Instance) -> bool:
        """Return whether an instance runs, is healthy and is not being killed."""
        return not instance.killed and all(
            task.state == "TASK_RUNNING"
            and (self.is_healthy(instance, task) or not self.is_checked(instance))
            for task in instance.tasks.values()
        )

    # --- exchange with the master ---

    def reconcile(self: Any) -> None:
        """Kill surplus instances, and count missing ones."""
        self.queue = {}
        for path in sorted(
            {instance.path for instance in self.instances.values()} | set(self.goals)
        ):
            spec = self.tree.spec(path)
            goal = self.goals.get(path, 0) if spec else 0
            path_instances = self.instances_of(path)
            live = [instance for instance in path_instances if not instance.killed]
            if spec and self.replaces(path):
                current = [
                    instance for instance in live if instance.version == config_version(spec)
                ]
                old = [instance for instance in live if instance not in current]
                min_healthy, max_count = self.limits(path)
                spare = sum(self.is_ready(instance) for instance in live) - min_healthy
                for instance in old:
                    if not self.is_ready(instance) or spare > 0:
                        spare -= self.is_ready(instance)
                        self.kill_instance(instance)
                missing_count = min(goal - len(current), max_count - len(path_instances))
            else:
                selection = (spec or {}).get("killSelection", "YOUNGEST_FIRST")
                candidates = live[::-1] if selection == "YOUNGEST_FIRST" else live
                candidates = sorted(candidates, key=self.is_ready)
                for instance in candidates[: max(len(live) - goal, 0)]:
                    self.kill_instance(instance)
                missing_count = goal - len(live)
            if spec and missing_count > 0:
                self.queue[path] = missing_count
        for path in [path for path in self.waits if path not in self.queue]:
            del self.waits[path]
        for path in self.queue:
            used = {"used": self.used_offers[path]} if path in self.used_offers else {}
            self.waits.setdefault(
                path, {"since": time.time(), "processed": 0, "rejected": {}, "offers": {}, **used}
            )

    def updated(self: Any, status: dict[str, Any]) -> None:
        """Process the status of a task. An unknown task is killed."""
        id, state = status["task_id"]["value"], status["state"]
        match = next(
            (
                (instance, instance.tasks[id])
                for instance in self.instances.values()
                if id in instance.tasks
            ),
            None,
        )
        if match:
            self._status(*match, status)
        elif state not in ENDED and id not in self._kills:
            self.kill_task(id)

    def offered(self: Any) -> None:
        """Process the free resources of agents, less those of tasks that are on their way."""
        agents = {agent["id"]: agent for agent in self.agents}
        for id, info in self._launches.items():
            if id not in self.reported and info["agent_id"]["value"] in agents:
                placement.reserve(agents[info["agent_id"]["value"]]["free"], info["resources"])
        self.advance()

    def _status(self: Any, instance: Instance, task: Task, status: dict[str, Any]) -> None:
        state = status["state"]
        task.reported, task.healthy = True, status.get("healthy", task.healthy)
        if state == task.state:
            return
        task.state, self.touched = state, True
        self.tell(
            "status_update_event",
            appId=instance.path,
            taskId=task.id,
            taskStatus=state,
            host=instance.agent["hostname"],
        )
        networks = status.get("container_status", {}).get("network_infos", [])
        task.address = next(
            (address["ip_address"] for network in networks for address in network["ip_addresses"]),
            task.address,
        )
        if state == "TASK_RUNNING":
            task.started = float(status.get("timestamp") or time.time())
        spec = self.tree.spec(instance.path)
        if state not in ENDED or (state == "TASK_UNREACHABLE" and spec and awaits(spec)):
            return
        if state in FAILURES:
            self.failures[instance.path] = {
                "appId": instance.path,
                "host": instance.agent["hostname"],
                "message": status.get("message", ""),
                "state": state,
                "taskId": task.id,
                "timestamp": at(float(status.get("timestamp") or time.time())),
                "version": spec["version"] if spec else instance.version,
                "slaveId": instance.agent["id"],
            }
        if (
            spec
            and state not in UNDELAYED
            and not instance.killed
            and instance.version == config_version(spec)
        ):
            self.delay(spec)
        if all(sibling.state in ENDED for sibling in instance.tasks.values()):
            self.instances.pop(instance.id, None)
        elif state != "TASK_FINISHED":
            self.kill_instance(instance)

    def place(self: Any) -> bool:
        """Launch missing instances. Returns whether any could be placed."""
        placed = False
        for path, count in list(self.queue.items()):
            spec = self.tree.spec(path)
            if self.delay_left(path) > 0:
                continue
            wait = self.waits[path]
            for _ in range(count):
                agent, fits = self._agent_for(spec, wait)
                if agent is None:
                    break
                self._launch(spec, agent, fits)
                placed = True
        return placed

    def _agent_for(
        self: Any, spec: App, wait: dict[str, Any]
    ) -> tuple[dict[str, Any] | None, list[Any]]:
        config = config_version(spec)
        replacing = self.replaces(spec["id"])
        used_agents = [
            instance.agent
            for instance in self.instances_of(spec["id"])
            if not instance.killed and (instance.version == config or not replacing)
        ]
        constraints, parts = placement.constraints(spec), placement.parts(spec)
        accepted = str(self.options.get("default_accepted_resource_roles") or "")
        user = spec.get("role", self.settings.role)
        accepted_roles = placement.roles(spec, user, accepted.split(",") if accepted else [])
        rejected: dict[str, int] = {}
        for agent in self.agents:
            wait["processed"] += 1
            if not placement.allowed(agent, used_agents, constraints):
                reason = "UnfulfilledConstraint"
            else:
                fits = placement.take(agent["free"], parts, accepted_roles, user)
                if not isinstance(fits, str):
                    wait["used"] = self.used_offers[spec["id"]] = time.time()
                    return agent, fits
                reason = fits
            rejected[reason] = rejected.get(reason, 0) + 1
            wait["offers"][agent["id"]] = (agent, reason)
            wait["unused"] = time.time()
        wait["rejected"], wait["seen"] = rejected, len(self.agents)
        return None, []

    def _launch(self: Any, spec: App, agent: dict[str, Any], fits: list[Any]) -> None:
        is_pod, is_new = "containers" in spec, self.line >= (1, 8)
        prefix = spec["id"].strip("/").replace("/", "_")
        infix = "instance-" if is_pod or is_new else ""
        place = {name: agent.get(name, {}) for name in ("id", "hostname", "attributes")}
        instance_id = f"{prefix}.{infix}{uuid.uuid4()}"
        instance = Instance(instance_id, spec["id"], config_version(spec), place, {})
        for part, fit in zip(placement.parts(spec), fits, strict=True):
            id = instance_id
            if is_pod:
                id += f".{part.name}"
            elif is_new:
                id += "._app"
            if is_new:
                id += ".1"
            instance.tasks[id] = Task(id, part.name, fit.ports, staged=time.time())
            self.launch(
                task_info(
                    spec, agent, id, part.name, fit.ports, fit.resources, self.options["mesos_user"]
                )
            )
        self.instances[instance.id] = instance
        self.touched = True

    # --- JSON of tasks ---

    def task_view(
        self: Any, instance: Instance, task: Task, has_service_ports: bool = False
    ) -> dict[str, Any]:
        """Return the JSON of a task. Since 1.8 only the list of all tasks has service ports."""
        spec = self.tree.apps.get(instance.path)
        view: dict[str, Any] = {
            "id": task.id,
            "appId": instance.path,
            "host": instance.agent["hostname"],
            "slaveId": instance.agent["id"],
            "ports": task.ports,
            "stagedAt": at(task.staged),
            "startedAt": at(task.started) if task.started else None,
            "version": instance.version,
            "ipAddresses": [{"ipAddress": task.address, "protocol": "IPv4"}]
            if task.address
            else [],
            "state": task.state,
        }
        if self.line >= (1, 8):
            view["healthCheckResults"] = view["servicePorts"] = []
        if self.line < (1, 3):
            del view["state"]
        if self.line >= (1, 5) and task.started is None:
            del view["startedAt"]
        if self.line >= (1, 5):
            view["localVolumes"] = []
        if self.line >= (1, 9):
            view["role"] = (spec or {}).get("role", self.settings.role)
        if spec and (has_service_ports or self.line < (1, 8)):
            view["servicePorts"] = [entry[name] for entry, name in service_ports(spec)]
        if spec and self.is_healthy(instance, task) is not None:
            view["healthCheckResults"] = self.health_of(instance, task)
        return view

    def task_views(self: Any, path: str) -> list[dict[str, Any]]:
        """Return the JSON of the tasks of an app."""
        return [
            self.task_view(instance, task)
            for instance in self.instances_of(path)
            for task in instance.tasks.values()
        ]

    def counts(self: Any, path: str) -> dict[str, int]:
        """Count the tasks of an app."""
        return self._counts(
            [
                (instance, task)
                for instance in self.instances_of(path)
                for task in instance.tasks.values()
            ]
        )

    def _counts(self: Any, pairs: list[tuple[Instance, Task]]) -> dict[str, int]:
        health = [self.is_healthy(instance, task) for instance, task in pairs]
        return {
            "tasksStaged": sum(
                task.state in ("TASK_STAGING", "TASK_STARTING") for _, task in pairs
            ),
            "tasksRunning": sum(task.state == "TASK_RUNNING" for _, task in pairs),
            "tasksHealthy": health.count(True),
            "tasksUnhealthy": health.count(False),
        }

    def task_stats(self: Any, app: App) -> dict[str, Any]:
        """Return the JSON of the statistics of an app's tasks."""
        tasks = [
            (instance, task)
            for instance in self.instances_of(app["id"])
            for task in instance.tasks.values()
        ]
        scaled, configured = app["versionInfo"]["lastScalingAt"], config_version(app)
        kinds = {
            "startedAfterLastScaling": lambda version: version >= scaled,
            "withLatestConfig": lambda version: version >= configured,
            "withOutdatedConfig": lambda version: version < configured,
            "totalSummary": lambda _version: True,
        }
        stats = {
            name: self._stats([pair for pair in tasks if matches(pair[0].version)])
            for name, matches in kinds.items()
        }
        return {name: {"stats": content} for name, content in stats.items() if content}

    def _stats(self: Any, tasks: list[tuple[Instance, Task]]) -> dict[str, Any]:
        """Return counts and life time in seconds of some tasks; empty if there are none."""
        if not tasks:
            return {}
        counts = {
            name.removeprefix("tasks").lower(): count for name, count in self._counts(tasks).items()
        }
        now = time.time()
        seconds = [round(now - task.started, 3) for _, task in tasks if task.started]
        if not seconds:
            return {"counts": counts}
        life_time = {
            "averageSeconds": statistics.mean(seconds),
            "medianSeconds": statistics.median(seconds),
        }
        return {"counts": counts, "lifeTime": life_time}

    # --- routes ---

    def kill(self: Any, request: Request, chosen: list[Instance], unscaled: Any) -> Any:
        """
        Kill instances, and scale their apps down if the query says so. Otherwise ``unscaled``
        makes the response, before the instances are killed.
        """
        scale, wipe = flag(request, "scale"), flag(request, "wipe")
        if scale and wipe:
            raise Refused(400, "You cannot use scale and wipe at the same time.")
        if scale:
            tree, version = self.tree.copy(), self.clock.now()
            for path in {instance.path for instance in chosen}:
                spec = tree.spec(path)
                killed = sum(instance.path == path for instance in chosen)
                specs = tree.apps if path in tree.apps else tree.pods
                specs[path] = with_instances(spec, max(instances(spec) - killed, 0))
            plan = self.deploy(
                tree,
                version,
                flag(request, "force"),
                kill=tuple(instance.id for instance in chosen),
            )
            return self.changed(plan)
        response = unscaled()
        self.kill_instances([instance.id for instance in chosen])
        self.advance()
        return response

    def _views_of(self: Any, chosen: list[Instance]) -> list[dict[str, Any]]:
        return [
            self.task_view(instance, task)
            for instance in chosen
            for task in instance.tasks.values()
        ]

    def _listed(self: Any, request: Request, apps: list[App], tasks: list[dict[str, Any]]) -> Any:
        """Respond with tasks of apps, as text if the client prefers it. 1.10 has no text."""
        if not _wants_text(request):
            return answer({"tasks": tasks})
        if self.line >= (1, 10):
            return answer({"message": "Not Acceptable"}, 406)
        return answer("".join(self._lines(app, tasks) for app in apps))

    def _lines(self: Any, app: App, tasks: list[dict[str, Any]]) -> str:
        """Return a line for each service port of an app: its id, the port and its addresses."""
        name = app["id"].strip("/").replace("/", "_")
        lines = []
        for index, (entry, member) in enumerate(service_ports(app)):
            addresses = [
                f"{task['host']}:{task['ports'][index]}"
                for task in tasks
                if task["appId"] == app["id"] and len(task["ports"]) > index
            ]
            lines.append("\t".join([name, str(entry[member]), *addresses, "\n"]))
        return "".join(lines)

    @api("/v2/tasks", "GET", types=LIST_TYPES)
    def get_tasks(self: Any, request: Request) -> Any:
        """List all tasks, or those that are running or staging."""
        statuses = {*request.args.getlist("status"), *request.args.getlist("status[]")} & {
            "running",
            "staging",
        }
        states = {f"TASK_{status.upper()}" for status in statuses}
        tasks = [
            self.task_view(instance, task, has_service_ports=True)
            for instance in self.instances.values()
            for task in instance.tasks.values()
            if instance.path in self.tree.apps and (not states or task.state in states)
        ]
        return self._listed(request, list(self.tree.apps.values()), tasks)

    @api("/v2/tasks/delete", "POST")
    def kill_listed(self: Any, request: Request) -> Any:
        """Kill tasks by id."""
        content = body(request)
        ids = content.get("ids") if isinstance(content, dict) else None
        if self.line >= (1, 8):
            misshapen(_id_errors(content), self.line)
        elif not isinstance(ids, list):
            misshapen([("/ids", "error.path.missing")], self.line)
        for id in ids:
            if not re.fullmatch(r"[^.]+\.[^.].*", str(id)):
                reason = f"[taskId {id} no valid identifier (of class java.lang.String)]"
                raise Refused(400, f"Invalid task id '{id}'. {reason}")
        chosen = [
            instance for instance in self.instances.values() if set(ids) & set(instance.tasks)
        ]
        return self.kill(request, chosen, lambda: answer({"tasks": self._views_of(chosen)}))

    @api("/v2/apps/<path:id>/tasks", "GET", types=LIST_TYPES)
    def get_app_tasks(self: Any, request: Request, id: str) -> Any:
        """List the tasks of an app, or of all apps below a group."""
        if id == "*" or id.endswith("/*"):
            group = absolute(id[:-1])
            if group not in self.tree.groups:
                raise missing("Group", group)
            apps = [self.tree.apps[path] for path in self.tree.below(group, self.tree.apps)]
        elif absolute(id) not in self.tree.apps and _wants_text(request) and self.line >= (1, 8):
            raise missing("App", absolute(id)).as_text()
        else:
            apps = [self.find_app(id)]
        tasks = [task for app in apps for task in self.task_views(app["id"])]
        return self._listed(request, apps, tasks)

    @api("/v2/apps/<path:id>/tasks", "DELETE")
    def kill_app_tasks(self: Any, request: Request, id: str) -> Any:
        """Kill the tasks of an app, all or those on one host."""
        app, host = self.find_app(id), request.args.get("host")
        chosen = [
            instance
            for instance in self.instances_of(app["id"])
            if host in (None, "*", instance.agent["hostname"])
        ]
        return self.kill(request, chosen, lambda: answer({"tasks": self._views_of(chosen)}))

    @api("/v2/apps/<path:id>/tasks/<task>", "DELETE")
    def kill_app_task(self: Any, request: Request, id: str, task: str) -> Any:
        """Kill one task of an app."""
        app = self.find_app(id)
        _check_task_id(task, self.line)
        chosen = [instance for instance in self.instances_of(app["id"]) if task in instance.tasks]
        if not chosen and not flag(request, "scale"):
            raise missing("Task", task)
        return self.kill(request, chosen, lambda: answer({"task": self._views_of(chosen)[0]}))
