"""The Mesos agent: registers its resources with the leader; its work directory stores its ID."""

from __future__ import annotations

import json
import pathlib
import shutil
import signal
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ..wire.election import MemoryRoom
from ..wire.http import Request, route
from ..wire.peers import Registration
from . import flag_data, resources, slave_info
from .authentication import agent_credential
from .daemon import COMMON_CALLS, Abort, Exit, MesosDaemon
from .executor import Pretend, container
from .processes import Processes
from .tasks import Task

# Capabilities of an agent with the version that introduced them.
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

# Resources of the command executor itself.
EXECUTOR = resources.resources("cpus:0.1;mem:32")
BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")
POLICIES = ("equal", "additive")
# What an agent says if it cannot recover, since 1.5 and before.
RECOVERY_FAILED = """Failed to perform recovery: {error}
If recovery failed due to a change in configuration and you want to
keep the current agent id, you might want to change the
`--reconfiguration_policy` flag to a more permissive value.

To restart this agent with a new agent id instead, do as follows:
rm -f {latest}
This ensures that the agent does not recover old live executors.

If you use the Docker containerizer and think that the Docker
daemon state is broken, you can try to clear it. But be careful:
these commands will erase all containers and images from this host,
not just those started by Mesos!
docker kill $(docker ps -q)
docker rm $(docker ps -a -q)
docker rmi $(docker images -q)

Finally, restart the agent."""
OLD_RECOVERY_FAILED = """Failed to perform recovery: {error}
To remedy this do as follows:
Step 1: rm -f {latest}
        This ensures agent doesn't recover old live executors.
Step 2: Restart the agent."""


class Agent(MesosDaemon):
    """An agent that simulates its tasks. It finds its master by ``--master`` or in a ``room``."""

    program = "mesos-slave"
    process = "slave(1)"
    table = flag_data.AGENT
    required = ("work_dir",)
    beat = 2.0  # seconds between two registrations with the master
    executes: ClassVar[type[Pretend]] = Pretend
    boot_id: ClassVar[pathlib.Path] = BOOT_ID

    def __init__(
        self,
        arguments: Iterable[str],
        environment: Mapping[str, str] | None = None,
        version: str = "1.9.0",
        room: MemoryRoom | None = None,
    ) -> None:
        super().__init__(arguments, environment, version)
        policy = self.flags.get("reconfiguration_policy", "equal")
        if policy not in POLICIES:
            raise Exit(
                f"Unknown option for 'reconfiguration_policy' flag {policy}. "
                "Please run the agent with '--help' to see the valid options."
            )
        master = self.flags.get("master", "")
        if not (master or "master_detector" in self.flags or room):
            raise Exit("Missing required option `--master` or `--master_detector`")
        self.work_dir = pathlib.Path(self.flags["work_dir"])
        self.work_dir.mkdir(parents=True, exist_ok=True)
        self.attributes, self.resources = self._offer()
        self.id: str | None = None
        self.master: dict[str, Any] | None = None
        self._reports: list[dict[str, Any]] = []
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
        """Read attributes and resources. Resources missing in the flag are detected."""
        try:
            attributes = resources.attributes(self.flags.get("attributes", ""))
        except ValueError as error:
            raise Abort(str(error)) from error
        role = self.flags.get("default_role", "*")
        try:
            offered = resources.resources(self.flags.get("resources", ""), role)
        except ValueError as error:
            raise Exit(f"Failed to determine agent resources: {error}") from error
        names = {entry["name"] for entry in offered}
        detected = resources.detected(str(self.work_dir), role)
        offered += [entry for entry in detected if entry["name"] not in names]
        return attributes, offered

    def info(self) -> dict[str, Any]:
        """Return the AgentInfo, without an ID until a master has assigned one."""
        return {
            "hostname": self.hostname,
            "port": int(self.flags.get("advertise_port") or self.port),
            "resources": self.resources,
            "attributes": self.attributes,
            **({"domain": json.loads(self.flags["domain"])} if "domain" in self.flags else {}),
            **({"id": {"value": self.id}} if self.id else {}),
        }

    def capabilities(self) -> list[str]:
        """Return the capabilities of this version."""
        return [name for since, name in CAPABILITIES if self.since(since)]

    def describe(self) -> dict[str, Any]:
        """Return the registration that is sent to the master."""
        info = {**self.info(), "checkpoint": True}
        self._reports = self.executor.reports()
        credential = agent_credential(self.flags.get("credential"))
        return {
            **({"credential": credential} if credential else {}),
            "info": info,
            "pid": self.pid,
            "version": self.version,
            "capabilities": self.capabilities(),
            "tasks": self._reports,
        }

    def start(self) -> None:
        """Serve, recover the previous run and register. Raises Exit if its AgentInfo differs."""
        super().start()
        self.log.write("INFO", f"Agent attributes: {[resources.plain(a) for a in self.attributes]}")
        try:
            self._recover()
        except Exit:
            super().stop()
            raise
        self.registration.start()

    def stop(self) -> None:
        """Stop registering and serving, without unregistering."""
        self.registration.stop()
        self.executor.stop()
        super().stop()

    def unregister(self) -> None:
        """Unregister from the master and exit, as on SIGUSR1."""
        self.registration.leave()
        self._refused("Received SIGUSR1 signal; unregistering and shutting down")

    def _refused(self, reason: str) -> None:
        """
        Kill all tasks and exit, as an agent does when the master shuts it down. Executors survive
        if the master has refused authentication.
        """
        if not reason.endswith("refused authentication"):
            self.executor.kill_all()
        self.end(reason)

    # --- identity ---

    @property
    def latest(self) -> pathlib.Path:
        """The link to the directory of the current agent ID."""
        return self.work_dir / "meta" / "slaves" / "latest"

    def _recover(self) -> None:
        """Recover what was checkpointed. Raises Exit if the agent would become another one."""
        info = self._checkpointed()
        error = self._incompatibility(info) if info else None
        if error and self._rebooted():
            self.log.write(
                "WARNING", f"Falling back to recover as a new agent due to error: {error}"
            )
            self.latest.unlink()
            info = error = None
        if error:
            raise self._recovery_failed(error)
        self.id = info["id"]["value"] if info else None
        self.executor.recover(self.id)
        if self.id:
            self.log.write("INFO", f"Recovered agent {self.id}")
        self._boot_id_file.parent.mkdir(exist_ok=True)
        self._boot_id_file.write_text(self.boot_id.read_text())

    def _checkpointed(self) -> dict[str, Any] | None:
        """Return the AgentInfo that was checkpointed, None if there is none."""
        file = self.latest / "slave.info"
        if self.latest.is_symlink() and not self.latest.exists():
            error = "Failed to find latest agent: No such file or directory"
            raise self._recovery_failed(error)
        if not file.exists() or file.stat().st_size == 0:
            return None
        try:
            return slave_info.read(file.read_bytes())
        except ValueError as error:
            path = self.latest.resolve() / "slave.info"
            raise self._recovery_failed(
                f"Failed to read agent info from '{path}': {error}"
            ) from error

    def _incompatibility(self, info: dict[str, Any]) -> str | None:
        """Return why Mesos does not let this agent have the id that was checkpointed."""
        current = {**self.info(), "id": info["id"], "checkpoint": True}
        if self.flags.get("reconfiguration_policy") == "additive":
            return slave_info.additive(info, current)
        return slave_info.equal(info, current, self.version)

    def _recovery_failed(self, error: str) -> Exit:
        text = RECOVERY_FAILED if self.since("1.5.0") else OLD_RECOVERY_FAILED
        return Exit(text.format(error=error, latest=self.latest))

    @property
    def _boot_id_file(self) -> pathlib.Path:
        return self.work_dir / "meta" / "boot_id"

    def _rebooted(self) -> bool:
        """Return whether the host has rebooted since the agent last recovered."""
        file = self._boot_id_file
        return file.exists() and file.read_text().strip() != self.boot_id.read_text().strip()

    def _accepted(self, reply: dict[str, Any]) -> None:
        self.master = self.registration.leader()
        if "id" in reply and reply["id"] != self.id:
            self.id = reply["id"]
            directory = self.latest.parent / self.id
            directory.mkdir(parents=True, exist_ok=True)
            info = {**self.info(), "checkpoint": True}
            (directory / "slave.info").write_bytes(slave_info.write(info))
            self.latest.unlink(missing_ok=True)
            self.latest.symlink_to(directory)
            self.log.write("INFO", f"Registered with master; given agent ID {self.id}")
        self.executor.acknowledge(self._reports)
        for info in reply.get("run", ()):
            self.executor.start(info)
        for key in reply.get("kill", ()):
            self.executor.kill(tuple(key))

    # --- API ---

    @property
    def tasks(self) -> list[Task]:
        """All tasks that the agent has not forgotten yet."""
        return list(self.executor.tasks.values())

    @property
    def files(self) -> dict[str, pathlib.Path]:
        """The files that can be read over HTTP: the log and the sandboxes of the tasks."""
        paths = (path for task in self.tasks for path in self.executor.sandbox(task).glob("*"))
        return {**super().files, **{str(path): path for path in paths if path.is_file()}}

    def allocated(self) -> list[dict[str, Any]]:
        """Return the resources that are allocated to tasks."""
        return [entry for task in self.tasks for entry in task.allocated]

    @route("/state")
    def get_state(self, _request: Request) -> Any:
        """Return the agent. Before registration ``id`` is empty and ``master_hostname`` missing."""
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
            **({"domain": self.info()["domain"]} if "domain" in self.flags else {}),
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
        tasks = [task for task in self.tasks if task.key[0] == id_]
        info = tasks[0].info.get("framework", {})
        fields = ("name", "user", "failover_timeout", "checkpoint", "role", "roles")
        return {
            "id": id_,
            "hostname": info.get("hostname", ""),
            **{key: info[key] for key in fields if key in info},
            "executors": [self._executor(task) for task in tasks if not task.over],
            "completed_executors": [self._executor(task) for task in tasks if task.over],
        }

    def _executor(self, task: Task) -> dict[str, Any]:
        tasks, container_info = [task.v0()], self._container(task)
        return {
            "id": task.key[1],
            "name": container_info["executor_name"],
            "source": task.key[1],
            "container": container_info["container_id"],
            "directory": str(self.executor.sandbox(task)),
            "resources": resources.totals(resources.plus(EXECUTOR, task.allocated)),
            "role": task.role,
            "tasks": [] if task.over else tasks,
            "completed_tasks": tasks if task.over else [],
            "queued_tasks": [],
        }

    @staticmethod
    def _container(task: Task) -> dict[str, Any]:
        """Return a container as the v0 endpoints do."""
        amounts = resources.amounts(
            resources.plus(EXECUTOR, map(resources.modern, task.info["resources"]))
        )
        cpus, mem = amounts["cpus"], int(amounts["mem"]) * 2**20
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
        """Return the containers of the running tasks."""
        return [
            {**self._container(task), "status": _container_status(task)}
            for task in self.tasks
            if not task.over
        ]

    @route("/monitor/statistics")
    def get_statistics(self, _request: Request) -> Any:
        """Return the resource usage of the executors, which only has their limits."""
        statistics = [self._container(task) for task in self.tasks if not task.over]
        for entry in statistics:
            del entry["container_id"]
        return statistics

    @route("/containerizer/debug")
    def get_debug(self, _request: Request) -> Any:
        """Return the pending operations of the containerizer, always none."""
        return {"pending": []}

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the agent."""
        total, used = resources.totals(self.resources), resources.totals(self.allocated())
        metrics = {"slave/registered": float(self.master is not None), **super().metrics()}
        for name in resources.SCALARS:
            metrics[f"slave/{name}_total"] = total[name]
            metrics[f"slave/{name}_used"] = used[name]
            metrics[f"slave/{name}_percent"] = used[name] / total[name] if total[name] else 0.0
        metrics["slave/frameworks_active"] = float(
            len({task.key[0] for task in self.tasks if not task.over})
        )
        metrics["slave/executors_running"] = metrics["slave/tasks_running"] = float(
            sum(not task.over for task in self.tasks)
        )
        metrics["slave/tasks_failed"] = float(
            sum(task.state == "TASK_FAILED" for task in self.tasks)
        )
        metrics["slave/recovery_errors"] = 0.0
        return metrics

    def call_agent(self, _request: Request, _call: dict) -> Any:
        """GET_AGENT"""
        return {"get_agent": {"agent_info": self.info()}}

    def call_containers(self, _request: Request, _call: dict) -> Any:
        """GET_CONTAINERS"""
        containers = []
        for task in self.tasks:
            if not task.over:
                container_info = self._container(task)
                containers.append(
                    {
                        "framework_id": task.info["framework_id"],
                        "executor_id": {"value": task.key[1]},
                        "executor_name": container_info["executor_name"],
                        "container_id": {"value": container_info["container_id"]},
                        "container_status": _container_status(task),
                        "resource_statistics": container_info["statistics"],
                    }
                )
        return {"get_containers": {"containers": containers}}

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
    """
    An agent that really runs its tasks.

    Raises Exit if it needs the client of Docker and there is none.
    """

    executes = Processes

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        client, address = self.flags["docker"], f"unix://{self.flags['docker_socket']}"
        if "docker" in self.flags["containerizers"].split(",") and not shutil.which(client):
            raise Exit(
                "Failed to create a containerizer: Could not create DockerContainerizer: "
                f"Failed to create docker: Failed to execute '{client} -H {address} --version': "
                "exited with status 127"
            )


def _container_status(task: Task) -> dict[str, Any]:
    return {
        "executor_pid": 1,
        **{k: v for k, v in task.statuses[-1]["container_status"].items() if k != "network_infos"},
    }


def ready(agent: Agent) -> None:
    """Unregister on SIGUSR1."""
    signal.signal(signal.SIGUSR1, lambda _number, _frame: agent.unregister())
