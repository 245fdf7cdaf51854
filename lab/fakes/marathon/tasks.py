"""Instances of apps and pods, their tasks, and the routes under which they are seen and killed."""

from __future__ import annotations

import dataclasses
import re
import time
import uuid
from typing import Any

from ..wire.http import Request, answer
from . import placement
from .errors import Refused, api, body, flag, missing
from .launch import task_info
from .normal import App, absolute, service_ports
from .tree import at, config_version, instances, with_instances

ENDED = (
    "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE",
    "TASK_GONE_BY_OPERATOR", "TASK_UNREACHABLE", "TASK_UNKNOWN",
)  # fmt: skip
CALM = ("TASK_KILLED",)  # ends that delay nothing
FAILURES = tuple(state for state in ENDED if state not in ("TASK_KILLED", "TASK_FINISHED"))


@dataclasses.dataclass
class Task:
    """One task of an instance."""

    id: str
    container: str | None
    ports: list[int]
    state: str = "TASK_STAGING"
    seen: bool = False  # whether the master said anything of it
    staged: float = 0.0
    started: float | None = None
    healthy: bool | None = None
    address: str | None = None
    checks: dict[str, Any] = dataclasses.field(
        default_factory=dict
    )  # what Marathon's own found, by their index


@dataclasses.dataclass
class Instance:
    """One instance of an app or a pod: its tasks by id, on one agent."""

    id: str
    path: str
    version: str  # of the configuration
    agent: dict[str, Any]
    tasks: dict[str, Task]
    killed: bool = False


def awaits(spec: App) -> bool:
    """Whether tasks on an agent that is away are waited for; else they are replaced at once, whatever the seconds."""
    return spec.get("scheduling", spec).get("unreachableStrategy") == "disabled"


class Tasks:
    """The part of Marathon that has instances."""

    def instances_of(self: Any, path: str) -> list[Instance]:
        """Return the instances of an app or pod, the oldest first."""
        return [instance for instance in self.instances.values() if instance.path == path]

    def instances_killed(self: Any, ids: Any) -> None:
        """Let instances be killed."""
        for id in ids:
            self._mark(self.instances[id])

    def _mark(self: Any, instance: Instance) -> None:
        """Have an instance killed."""
        instance.killed = self.touched = True
        for task in instance.tasks.values():
            if task.state not in ENDED and task.id not in self._kills:
                self.kill_task(task.id)

    def is_ready(self: Any, instance: Instance) -> bool:
        """Whether an instance runs, is healthy and is to stay."""
        return not instance.killed and all(
            task.state == "TASK_RUNNING"
            and (self.is_healthy(instance, task) or not self.is_checked(instance))
            for task in instance.tasks.values()
        )

    # --- to and from the master ---

    def reconcile(self: Any) -> None:
        """Have killed what is too many, and count what is missing."""
        self.queue = {}
        for path in sorted(
            {instance.path for instance in self.instances.values()} | set(self.goals)
        ):
            spec = self.tree.spec(path)
            goal = self.goals.get(path, 0) if spec else 0
            found = self.instances_of(path)
            alive = [one for one in found if not one.killed]
            if spec and self.replaces(path):
                current = [one for one in alive if one.version == config_version(spec)]
                old = [one for one in alive if one not in current]
                least, most = self.limits(path)
                spare = sum(self.is_ready(one) for one in alive) - least
                for one in old:
                    if not self.is_ready(one) or spare > 0:
                        spare -= self.is_ready(one)
                        self._mark(one)
                lacking = min(goal - len(current), most - len(found))
            else:
                youngest = (
                    not spec or spec.get("killSelection", "YOUNGEST_FIRST") == "YOUNGEST_FIRST"
                )
                surplus = (
                    sorted(alive, key=self.is_ready)
                    if not youngest
                    else sorted(alive[::-1], key=self.is_ready)
                )
                for one in surplus[: max(len(alive) - goal, 0)]:
                    self._mark(one)
                lacking = goal - len(alive)
            if spec and lacking > 0:
                self.queue[path] = lacking
        for path in [path for path in self.waits if path not in self.queue]:
            del self.waits[path]
        for path in self.queue:
            self.waits.setdefault(
                path, {"since": time.time(), "processed": 0, "rejected": {}, "offers": {}}
            )

    def updated(self: Any, status: dict[str, Any]) -> None:
        """Take in what became of a task; one that nobody knows is killed."""
        id, state = status["task_id"]["value"], status["state"]
        found = next(
            ((one, one.tasks[id]) for one in self.instances.values() if id in one.tasks), None
        )
        if found:
            self._status(*found, status)
        elif state not in ENDED and id not in self._kills:
            self.kill_task(id)

    def offered(self: Any) -> None:
        """Take in what the agents have: less what the master was not yet told of."""
        agents = {agent["id"]: agent for agent in self.agents}
        for id, info in self._launches.items():
            if id not in self.told and info["agent_id"]["value"] in agents:
                placement.reserve(agents[info["agent_id"]["value"]]["free"], info["resources"])
        self.advance()

    def _status(self: Any, instance: Instance, task: Task, status: dict[str, Any]) -> None:
        state = status["state"]
        task.seen, task.healthy = True, status.get("healthy", task.healthy)
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
            (each["ip_address"] for one in networks for each in one["ip_addresses"]), task.address
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
            and state not in CALM
            and not instance.killed
            and instance.version == config_version(spec)
        ):
            self.delay(spec)
        rest = [other for other in instance.tasks.values() if other.state not in ENDED]
        if not rest:
            self.instances.pop(instance.id, None)
        elif state != "TASK_FINISHED":
            self._mark(instance)

    def place(self: Any) -> bool:
        """Find an agent for what is missing; whether there was one for anything."""
        found = False
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
                found = True
        return found

    def _agent_for(
        self: Any, spec: App, wait: dict[str, Any]
    ) -> tuple[dict[str, Any] | None, list[Any]]:
        config = config_version(spec)
        replacing = self.replaces(spec["id"])
        others = [
            one.agent
            for one in self.instances_of(spec["id"])
            if not one.killed and (one.version == config or not replacing)
        ]
        wanted, needed = placement.constraints(spec), placement.parts(spec)
        accepted = str(self.options.get("default_accepted_resource_roles") or "")
        user = spec.get("role", self.settings.role)
        among = placement.roles(spec, user, accepted.split(",") if accepted else [])
        rejected: dict[str, int] = {}
        for agent in self.agents:
            wait["processed"] += 1
            if not placement.allowed(agent, others, wanted):
                reason = "UnfulfilledConstraint"
            else:
                fits = placement.take(agent["free"], needed, among, user)
                if not isinstance(fits, str):
                    wait["used"] = time.time()
                    return agent, fits
                reason = fits
            rejected[reason] = rejected.get(reason, 0) + 1
            wait["offers"][agent["id"]] = (agent, reason)
            wait["unused"] = time.time()
        wait["rejected"], wait["seen"] = rejected, len(self.agents)
        return None, []

    def _launch(self: Any, spec: App, agent: dict[str, Any], fits: list[Any]) -> None:
        safe, unique = spec["id"].strip("/").replace("/", "_"), str(uuid.uuid4())
        pod = "containers" in spec
        marker = "instance-" if pod or self.line >= (1, 8) else ""
        where = {name: agent.get(name, {}) for name in ("id", "hostname", "attributes")}
        instance = Instance(f"{safe}.{marker}{unique}", spec["id"], config_version(spec), where, {})
        for part, fit in zip(placement.parts(spec), fits, strict=True):
            tail = f".{part.name}" if pod else "._app" if marker else ""
            id = instance.id + tail + (".1" if self.line >= (1, 8) else "")
            instance.tasks[id] = Task(id, part.name, fit.ports, staged=time.time())
            self.launch(
                task_info(
                    spec, agent, id, part.name, fit.ports, fit.resources, self.options["mesos_user"]
                )
            )
        self.instances[instance.id] = instance
        self.touched = True

    # --- how they are shown ---

    def task_shown(self: Any, instance: Instance, task: Task) -> dict[str, Any]:
        """Return what the API says of a task."""
        spec = self.tree.apps.get(instance.path)
        shown: dict[str, Any] = {
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
        if self.line < (1, 3):
            del shown["state"]
        if self.line >= (1, 5) and task.started is None:
            del shown["startedAt"]
        if self.line >= (1, 5):
            shown["localVolumes"] = []
        if self.line >= (1, 9):
            shown["role"] = (spec or {}).get("role", self.settings.role)
        if spec:
            shown["servicePorts"] = [entry[name] for entry, name in service_ports(spec)]
            healthy = self.is_healthy(instance, task)
            if healthy is not None:
                shown["healthCheckResults"] = self.health_of(instance, task)
        return shown

    def tasks_of(self: Any, path: str) -> list[dict[str, Any]]:
        """Return what the API says of the tasks of an app."""
        return [
            self.task_shown(one, task)
            for one in self.instances_of(path)
            for task in one.tasks.values()
        ]

    def counts(self: Any, path: str) -> dict[str, int]:
        """Return the numbers of an app's tasks."""
        found = [(one, task) for one in self.instances_of(path) for task in one.tasks.values()]
        health = [self.is_healthy(one, task) for one, task in found]
        return {
            "tasksStaged": sum(
                task.state in ("TASK_STAGING", "TASK_STARTING") for _, task in found
            ),
            "tasksRunning": sum(task.state == "TASK_RUNNING" for _, task in found),
            "tasksHealthy": health.count(True),
            "tasksUnhealthy": health.count(False),
        }

    # --- what it answers ---

    def kill(self: Any, request: Request, chosen: list[Instance], unscaled: Any) -> Any:
        """Kill instances as the query says; ``unscaled`` makes the answer where no app is scaled down."""
        scale, wipe = flag(request, "scale"), flag(request, "wipe")
        if scale and wipe:
            raise Refused(400, "You cannot use scale and wipe at the same time.")
        if scale:
            tree, version = self.tree.copy(), self.clock.now()
            for path in {one.path for one in chosen}:
                spec = tree.spec(path)
                less = sum(one.path == path for one in chosen)
                among = tree.apps if path in tree.apps else tree.pods
                among[path] = with_instances(spec, max(instances(spec) - less, 0))
            plan = self.deploy(
                tree, version, flag(request, "force"), kill=tuple(one.id for one in chosen)
            )
            return self.changed(plan)
        shown = unscaled()
        self.instances_killed([one.id for one in chosen])
        self.advance()
        return shown

    def _shown(self: Any, chosen: list[Instance]) -> list[dict[str, Any]]:
        return [self.task_shown(one, task) for one in chosen for task in one.tasks.values()]

    def _listed(self: Any, request: Request, tasks: list[dict[str, Any]]) -> Any:
        """Answer with tasks; as text where that is asked for, which 1.10 does not do any more."""
        best = request.accept_mimetypes.best_match(
            ["application/json", "text/plain"], "application/json"
        )
        if best != "text/plain":
            return answer({"tasks": tasks})
        if self.line >= (1, 10):
            return answer({"message": "Not Acceptable"}, 406)
        lines = [
            f"{task['appId'].strip('/').replace('/', '_')}\t{task['host']}:{port}\n"
            for task in tasks
            for port in task["ports"]
        ]
        return answer("".join(lines))

    @api("/v2/tasks", "GET")
    def get_tasks(self: Any, request: Request) -> Any:
        """Show all tasks, or those that run or are staged."""
        wanted = {*request.args.getlist("status"), *request.args.getlist("status[]")} & {
            "running",
            "staging",
        }
        states = {f"TASK_{each.upper()}" for each in wanted}
        apps = [one for one in self.instances.values() if one.path in self.tree.apps]
        found = [
            self.task_shown(one, task)
            for one in apps
            for task in one.tasks.values()
            if not states or task.state in states
        ]
        return self._listed(request, found)

    @api("/v2/tasks/delete", "POST")
    def kill_listed(self: Any, request: Request) -> Any:
        """Kill tasks by their ids."""
        given = body(request)
        ids = given.get("ids") if isinstance(given, dict) else None
        if not isinstance(ids, list):
            raise Refused(
                422 if self.line >= (1, 5) else 400,
                "Invalid JSON",
                details=[{"path": "/ids", "errors": ["error.path.missing"]}],
            )
        for id in ids:
            if not re.fullmatch(r"[^.]+\.[^.].*", str(id)):
                raise Refused(400, f"Invalid task id '{id}'.")
        chosen = [one for one in self.instances.values() if set(ids) & set(one.tasks)]
        return self.kill(request, chosen, lambda: answer({"tasks": self._shown(chosen)}))

    @api("/v2/apps/<path:id>/tasks", "GET")
    def get_app_tasks(self: Any, request: Request, id: str) -> Any:
        """Show the tasks of an app, or of all below a group."""
        if id == "*" or id.endswith("/*"):
            group = absolute(id[:-1])
            if group not in self.tree.groups:
                raise missing("Group", group)
            apps = self.tree.below(group, self.tree.apps)
        else:
            apps = [self.known_app(id)["id"]]
        return self._listed(request, [task for path in apps for task in self.tasks_of(path)])

    @api("/v2/apps/<path:id>/tasks", "DELETE")
    def kill_app_tasks(self: Any, request: Request, id: str) -> Any:
        """Kill the tasks of an app, all or those on one host."""
        app, host = self.known_app(id), request.args.get("host")
        chosen = [
            one
            for one in self.instances_of(app["id"])
            if host in (None, "*", one.agent["hostname"])
        ]
        return self.kill(request, chosen, lambda: answer({"tasks": self._shown(chosen)}))

    @api("/v2/apps/<path:id>/tasks/<task>", "DELETE")
    def kill_app_task(self: Any, request: Request, id: str, task: str) -> Any:
        """Kill one task of an app."""
        app = self.known_app(id)
        chosen = [one for one in self.instances_of(app["id"]) if task in one.tasks]
        if not chosen and not flag(request, "scale"):
            raise missing("Task", task)
        return self.kill(request, chosen, lambda: answer({"task": self._shown(chosen)[0]}))
