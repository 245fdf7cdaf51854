"""The Mesos agent: offers what its flags say to the leading master, and keeps its identity in its work directory."""

from __future__ import annotations

import json
import pathlib
import signal
from collections.abc import Iterable, Mapping
from typing import Any

from . import mesos_flags, resources
from .election import MemoryRoom
from .http import Request, route
from .mesos import COMMON_CALLS, Abort, Exit, MesosDaemon
from .peers import Registration

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
    """An agent. Its master is what ``--master`` says, or the one that leads in a ``room``."""

    program = "mesos-slave"
    process = "slave(1)"
    table = mesos_flags.AGENT
    required = ("work_dir",)
    beat = 2.0  # seconds between two words to the master

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
        try:
            self.registration = Registration(
                master, "/standin/agents", self.describe, self._accepted, self.end, room, self.beat
            )
        except ValueError as error:
            raise Exit(f"Failed to create a master detector: {error}") from error

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
        offered += [entry for entry in resources.detected(str(self.work_dir)) if entry["name"] not in named]
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
        return {"info": info, "pid": self.pid, "version": self.version, "capabilities": self.capabilities()}

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
        super().stop()

    def unregister(self) -> None:
        """Tell the master good-bye and end, as SIGUSR1 asks for."""
        self.registration.leave()
        self.end("Received SIGUSR1 signal; unregistering and shutting down")

    # --- identity ---

    @property
    def latest(self) -> pathlib.Path:
        """The link to the directory of the current identity."""
        return self.work_dir / "meta" / "slaves" / "latest"

    def _recover(self) -> None:
        file = self.latest / "slave.info"
        if not file.exists():
            return
        old = json.loads(file.read_text())
        new = {**self.info(), "id": old["id"]}
        if old != new and not (self._additive() and _grew(old, new)):
            hint = HINT if "reconfiguration_policy" in self.flags else ""
            shown = {"old": json.dumps(old), "new": json.dumps(new), "work_dir": self.work_dir, "hint": hint}
            raise Exit(INCOMPATIBLE.format(**shown))
        self.id = old["id"]["value"]
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

    # --- what it answers ---

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
            "reserved_resources": {role: resources.totals(entries) for role, entries in reserved.items()},
            "unreserved_resources": resources.totals(free),
            "reserved_resources_full": {role: resources.full(entries) for role, entries in reserved.items()},
            "unreserved_resources_full": resources.full(free),
            "reserved_resources_allocated": {},
            "unreserved_resources_allocated": resources.totals([]),
            "resource_providers": [],
            "attributes": {a["name"]: resources.plain(a) for a in self.attributes},
            **({"master_hostname": self.master["hostname"]} if self.master else {}),
            **{key: self.flags[key] for key in ("log_dir", "external_log_file") if key in self.flags},
            "flags": self.flags,
            "frameworks": [],
            "completed_frameworks": [],
        }

    @route("/containers")
    def get_containers(self, _request: Request) -> Any:
        """Show the containers: none, as nothing is ever scheduled."""
        return []

    @route("/monitor/statistics")
    def get_statistics(self, _request: Request) -> Any:
        """Show what executors use: none."""
        return []

    def metrics(self) -> dict[str, float]:
        """Return what the agent measures."""
        total = resources.totals(self.resources)
        found = {"slave/registered": float(self.master is not None), **super().metrics()}
        for name in resources.SCALARS:
            found[f"slave/{name}_total"] = total[name]
            found[f"slave/{name}_used"] = found[f"slave/{name}_percent"] = 0.0
        for name in ("frameworks_active", "executors_running", "tasks_running", "tasks_failed", "recovery_errors"):
            found[f"slave/{name}"] = 0.0
        return found

    def call_agent(self, _call: dict) -> Any:
        """GET_AGENT"""
        return {"get_agent": {"agent_info": self.info()}}

    def call_containers(self, _call: dict) -> Any:
        """GET_CONTAINERS"""
        return {"get_containers": {"containers": []}}

    calls = {**COMMON_CALLS, "GET_AGENT": call_agent, "GET_CONTAINERS": call_containers}


def _grew(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether nothing of the old info went away: what ``--reconfiguration_policy=additive`` allows."""
    before, after = resources.totals(old["resources"]), resources.totals(new["resources"])
    more = all(after.get(name) == value or after.get(name, 0.0) >= value for name, value in before.items())
    kept = all(attribute in new["attributes"] for attribute in old["attributes"])
    return more and kept and all(old[key] == new[key] for key in ("hostname", "port", "id"))


def ready(agent: Agent) -> None:
    """Unregister at SIGUSR1."""
    signal.signal(signal.SIGUSR1, lambda _number, _frame: agent.unregister())
