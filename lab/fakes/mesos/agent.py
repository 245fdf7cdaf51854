"""The Mesos agent: offers what its flags say to the leading master, and keeps its identity in its work directory."""

from __future__ import annotations

import json
import pathlib
import signal
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ..wire.election import MemoryRoom
from ..wire.http import Request, route
from ..wire.peers import Registration
from . import flag_data, resources
from .daemon import COMMON_CALLS, Abort, Exit, MesosDaemon
from .executor import Pretend, container
from .processes import Processes
from .tasks import Task

# What an agent says that it can do, by the version that it came with.
CAPABILITIES = (
    ("1.2.0", "MULTI_ROLE"),
    ("1.4.0", "HIERARCHICAL_ROLE"),
    ("1.4.0", "RESERVATION_REFINEMENT"),
    ("1.5.0", "RESOURCE_PROVIDER"),
    ("1.6.0", "RESIZE_VOLUME"),
    ("1.7.0", "AGENT_OPERATION_FEEDBACK"),
    ("1.9.0", "AGENT_DRAINING"),
    ("1.10.0", "TASK_RESOURCE_LIMITS"),
)

# What the executor of a command has for itself.
EXECUTOR = resources.resources("cpus:0.1;mem:32")
# What must stay as it was, or the agent must be told to start as a new one.
INCOMPATIBLE = """Failed to perform recovery: Incompatible agent info detected.{hint}
------------------------------------------------------------
Old agent info:
{old}

New agent info:
{new}
------------------------------------------------------------

To restart this agent with a new agent id instead, do as follows:
rm -f {work_dir}/meta/slaves/latest
This ensures that the agent does not recover old live executors.

Finally, restart the agent."""
HINT = """
If these changes are meant, set the `--reconfiguration_policy` flag to a more permissive value."""


class Agent(MesosDaemon):
    """An agent that only pretends to run its tasks. Its master is what ``--master`` says, or the one that leads in a ``room``."""

    program = "mesos-slave"
    process = "slave(1)"
    table = flag_data.AGENT
    required = ("work_dir",)
    beat = 2.0  # seconds between two words to the master
    executes: ClassVar[type[Pretend]] = Pretend

    def __init__(
        self,
        arguments: Iterable[str],
        environment: Mapping[str, str] | None = None,
        version: str = "1.9.0",
        room: MemoryRoom | None = None,
    ) -> None:
        super().__init__(arguments, environment, version)
        master = self.flags.get("master", "")
        if not (master or "master_detector" in self.flags or room):
            raise Exit("Missing required option `--master` or `--master_detector`")
        self.work_dir = pathlib.Path(self.flags["work_dir"])
        self.work_dir.mkdir(parents=True, exist_ok=True)
        self.attributes, self.resources = self._offer()
        self.id: str | None = None
        self.master: dict[str, Any] | None = None
        self._told: list[dict[str, Any]] = []
        try:
            self.registration = Registration(
                master,
                "/fake/agents",
                self.describe,
                self._accepted,
                self._refused,
                room,
                self.beat,
            )
        except ValueError as error:
            raise Exit(f"Failed to create a master detector: {error}") from error
        self.executor = self.executes(self.ip, self.flags, self.registration.wake)

    def _offer(self) -> tuple[list[dict], list[dict]]:
        """Read attributes and resources; what the flag leaves out is taken from the machine."""
        try:
            attributes = resources.attributes(self.flags.get("attributes", ""))
        except ValueError as error:
            raise Abort(str(error)) from error
        try:
            offered = resources.resources(self.flags.get("resources", ""))
        except ValueError as error:
            raise Exit(f"Failed to determine agent resources: {error}") from error
        named = {entry["name"] for entry in offered}
        offered += [
            entry for entry in resources.detected(str(self.work_dir)) if entry["name"] not in named
        ]
        return attributes, offered

    def info(self) -> dict[str, Any]:
        """Return the AgentInfo, without an id as long as no master gave one."""
        return {
            "hostname": self.hostname,
            "port": self.port,
            "resources": self.resources,
            "attributes": self.attributes,
            **({"id": {"value": self.id}} if self.id else {}),
        }

    def capabilities(self) -> list[str]:
        """Return what this version can do."""
        return [name for since, name in CAPABILITIES if self.since(since)]

    def describe(self) -> dict[str, Any]:
        """Return what the master is told."""
        info = {**self.info(), "checkpoint": True}
        self._told = self.executor.reports()
        who = {
            "info": info,
            "pid": self.pid,
            "version": self.version,
            "capabilities": self.capabilities(),
        }
        return {**who, "tasks": self._told}

    def start(self) -> None:
        """Serve, recover what an earlier run left, and register; Exit if that run was of another agent."""
        super().start()
        self.log.write("INFO", f"Agent attributes: {[resources.plain(a) for a in self.attributes]}")
        try:
            self._recover()
        except Exit:
            super().stop()
            raise
        self.registration.start()

    def stop(self) -> None:
        """Stop registering and serving; the master will notice."""
        self.registration.stop()
        self.executor.stop()
        super().stop()

    def unregister(self) -> None:
        """Tell the master good-bye and end, as SIGUSR1 asks for."""
        self.registration.leave()
        self._refused("Received SIGUSR1 signal; unregistering and shutting down")

    def _refused(self, reason: str) -> None:
        """End, and the tasks with it, as an agent does that is not wanted any more."""
        self.executor.kill_all()
        self.end(reason)

    # --- identity ---

    @property
    def latest(self) -> pathlib.Path:
        """The link to the directory of the current identity."""
        return self.work_dir / "meta" / "slaves" / "latest"

    def _recover(self) -> None:
        file = self.latest / "slave.info"
        if not file.exists():
            self.executor.recover(None)
            return
        old = json.loads(file.read_text())
        new = {**self.info(), "id": old["id"]}
        if old != new and not (self._additive() and _grew(old, new)):
            hint = HINT if "reconfiguration_policy" in self.flags else ""
            shown = {
                "old": json.dumps(old),
                "new": json.dumps(new),
                "work_dir": self.work_dir,
                "hint": hint,
            }
            raise Exit(INCOMPATIBLE.format(**shown))
        self.id = old["id"]["value"]
        self.executor.recover(self.id)
        self.log.write("INFO", f"Recovered agent {self.id}")

    def _additive(self) -> bool:
        return self.flags.get("reconfiguration_policy") in ("additive", "any")

    def _accepted(self, reply: dict[str, Any]) -> None:
        self.master = self.registration.leader()
        if "id" in reply and reply["id"] != self.id:
            self.id = reply["id"]
            directory = self.latest.parent / self.id
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "slave.info").write_text(json.dumps(self.info()))
            self.latest.unlink(missing_ok=True)
            self.latest.symlink_to(directory)
            self.log.write("INFO", f"Registered with master; given agent ID {self.id}")
        self.executor.told(self._told)
        for info in reply.get("run", ()):
            self.executor.start(info)
        for key in reply.get("kill", ()):
            self.executor.kill(tuple(key))

    # --- what it answers ---

    @property
    def tasks(self) -> list[Task]:
        """All tasks that it still knows of."""
        return list(self.executor.tasks.values())

    @property
    def files(self) -> dict[str, pathlib.Path]:
        """The files that can be read over HTTP: the log, and those of its tasks."""
        found = (path for task in self.tasks for path in self.executor.sandbox(task).glob("*"))
        return {**super().files, **{str(path): path for path in found if path.is_file()}}

    def allocated(self) -> list[dict[str, Any]]:
        """What its tasks hold."""
        return [entry for task in self.tasks for entry in task.allocated]

    @route("/state")
    def get_state(self, _request: Request) -> Any:
        """Show the agent; ``id`` is empty and there is no ``master_hostname`` until it registered."""
        reserved = resources.reserved(self.resources)
        free = [entry for entry in self.resources if resources.role(entry) == "*"]
        return {
            **self.build(),
            "start_time": self.start_time,
            "id": self.id or "",
            "pid": self.pid,
            "hostname": self.hostname,
            "capabilities": self.capabilities(),
            "resources": resources.totals(self.resources),
            "reserved_resources": {
                role: resources.totals(entries) for role, entries in reserved.items()
            },
            "unreserved_resources": resources.totals(free),
            "reserved_resources_full": {
                role: resources.full(entries) for role, entries in reserved.items()
            },
            "unreserved_resources_full": resources.full(free),
            "reserved_resources_allocated": {},
            "unreserved_resources_allocated": resources.totals(self.allocated()),
            "resource_providers": [],
            "attributes": {a["name"]: resources.plain(a) for a in self.attributes},
            **({"master_hostname": self.master["hostname"]} if self.master else {}),
            **{
                key: self.flags[key]
                for key in ("log_dir", "external_log_file")
                if key in self.flags
            },
            "flags": self.flags,
            "frameworks": [
                self._framework(id_) for id_ in sorted({task.key[0] for task in self.tasks})
            ],
            "completed_frameworks": [],
        }

    def _framework(self, id_: str) -> dict[str, Any]:
        mine = [task for task in self.tasks if task.key[0] == id_]
        info = mine[0].info.get("framework", {})
        shown = {
            key: info[key]
            for key in ("name", "user", "failover_timeout", "checkpoint", "role", "roles")
            if key in info
        }
        executors = {
            over: [self._executor(task) for task in mine if task.over == over]
            for over in (False, True)
        }
        ends = {"executors": executors[False], "completed_executors": executors[True]}
        return {"id": id_, "hostname": info.get("hostname", ""), **shown, **ends}

    def _executor(self, task: Task) -> dict[str, Any]:
        shown, found = [task.v0()], self._container(task)
        return {
            "id": task.key[1],
            "name": found["executor_name"],
            "source": task.key[1],
            "container": found["container_id"],
            "directory": str(self.executor.sandbox(task)),
            "resources": resources.totals(resources.plus(EXECUTOR, task.allocated)),
            "role": task.role,
            "tasks": [] if task.over else shown,
            "completed_tasks": shown if task.over else [],
            "queued_tasks": [],
        }

    @staticmethod
    def _container(task: Task) -> dict[str, Any]:
        """A container as the older endpoints show it."""
        held = resources.amounts(
            resources.plus(EXECUTOR, map(resources.modern, task.info["resources"]))
        )
        cpus, mem = held["cpus"], int(held["mem"]) * 2**20
        command = task.info.get("command", {}).get("value", "")
        return {
            "container_id": container(task),
            "executor_id": task.key[1],
            "executor_name": f"Command Executor (Task: {task.key[1]}) (Command: sh -c '{command}')",
            "framework_id": task.key[0],
            "source": task.key[1],
            "statistics": {
                "timestamp": time.time(),
                "cpus_user_time_secs": 0.0,
                "cpus_system_time_secs": 0.0,
                "cpus_soft_limit": cpus,
                "mem_limit_bytes": mem,
                "mem_soft_limit_bytes": mem,
                "mem_rss_bytes": 0,
            },
        }

    @route("/containers")
    def get_containers(self, _request: Request) -> Any:
        """Show the containers of the tasks that run."""
        return [
            {**self._container(task), "status": _container_status(task)}
            for task in self.tasks
            if not task.over
        ]

    @route("/monitor/statistics")
    def get_statistics(self, _request: Request) -> Any:
        """Show what executors use: their limits, as they only pretend."""
        shown = [self._container(task) for task in self.tasks if not task.over]
        return [
            {key: value for key, value in each.items() if key != "container_id"} for each in shown
        ]

    @route("/containerizer/debug")
    def get_debug(self, _request: Request) -> Any:
        """Show what the containerizer waits for: nothing."""
        return {"pending": []}

    def metrics(self) -> dict[str, float]:
        """Return what the agent measures."""
        total, used = resources.totals(self.resources), resources.totals(self.allocated())
        found = {"slave/registered": float(self.master is not None), **super().metrics()}
        for name in resources.SCALARS:
            found[f"slave/{name}_total"], found[f"slave/{name}_used"] = total[name], used[name]
            found[f"slave/{name}_percent"] = used[name] / total[name] if total[name] else 0.0
        found["slave/frameworks_active"] = float(
            len({task.key[0] for task in self.tasks if not task.over})
        )
        found["slave/executors_running"] = found["slave/tasks_running"] = float(
            sum(not task.over for task in self.tasks)
        )
        found["slave/tasks_failed"] = float(sum(task.state == "TASK_FAILED" for task in self.tasks))
        found["slave/recovery_errors"] = 0.0
        return found

    def call_agent(self, _request: Request, _call: dict) -> Any:
        """GET_AGENT"""
        return {"get_agent": {"agent_info": self.info()}}

    def call_containers(self, _request: Request, _call: dict) -> Any:
        """GET_CONTAINERS"""
        shown = []
        for task in self.tasks:
            if not task.over:
                found = self._container(task)
                shown.append(
                    {
                        "framework_id": task.info["framework_id"],
                        "executor_id": {"value": task.key[1]},
                        "executor_name": found["executor_name"],
                        "container_id": {"value": found["container_id"]},
                        "container_status": _container_status(task),
                        "resource_statistics": found["statistics"],
                    }
                )
        return {"get_containers": {"containers": shown}}

    def call_tasks(self, _request: Request, _call: dict) -> Any:
        """GET_TASKS"""
        return {"get_tasks": self._tasks()}

    def _tasks(self) -> dict[str, Any]:
        return {
            "pending_tasks": [],
            "queued_tasks": [],
            "launched_tasks": [task.v1() for task in self.tasks if not task.over],
            "terminated_tasks": [],
            "completed_tasks": [task.v1() for task in self.tasks if task.over],
        }

    def call_operations(self, _request: Request, _call: dict) -> Any:
        """GET_OPERATIONS"""
        return {"get_operations": {}}

    def call_providers(self, _request: Request, _call: dict) -> Any:
        """GET_RESOURCE_PROVIDERS"""
        return {"get_resource_providers": {}}

    def call_prune(self, _request: Request, _call: dict) -> Any:
        """PRUNE_IMAGES"""

    calls = {
        **COMMON_CALLS,
        "GET_AGENT": call_agent,
        "GET_CONTAINERS": call_containers,
        "GET_TASKS": call_tasks,
        "GET_OPERATIONS": call_operations,
        "GET_RESOURCE_PROVIDERS": call_providers,
        "PRUNE_IMAGES": call_prune,
    }


class WorkingAgent(Agent):
    """An agent that runs its tasks."""

    executes = Processes


def _container_status(task: Task) -> dict[str, Any]:
    return {
        "executor_pid": 1,
        **{k: v for k, v in task.statuses[-1]["container_status"].items() if k != "network_infos"},
    }


def _grew(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether nothing of the old info went away: what ``--reconfiguration_policy=additive`` allows."""
    before, after = resources.totals(old["resources"]), resources.totals(new["resources"])
    more = all(
        after.get(name) == value or after.get(name, 0.0) >= value for name, value in before.items()
    )
    kept = all(attribute in new["attributes"] for attribute in old["attributes"])
    return more and kept and all(old[key] == new[key] for key in ("hostname", "port", "id"))


def ready(agent: Agent) -> None:
    """Unregister at SIGUSR1."""
    signal.signal(signal.SIGUSR1, lambda _number, _frame: agent.unregister())
