"""
The Mesos master: leader election, registration of agents and frameworks, and their tasks.

``views.py`` reads this state for the APIs, ``calls.py`` changes it.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import fcntl
import http.client
import itertools
import json
import pathlib
import socket
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from kazoo.exceptions import KazooException

from ..wire.election import (
    Group,
    MemoryGroup,
    MemoryRoom,
    ZooKeeperGroup,
    ZooKeeperUrl,
    leader,
    leads,
)
from ..wire.http import Request, Response, answer, route
from . import flag_data, resources
from .calls import Calls
from .daemon import Exit, MesosDaemon
from .flags import seconds
from .maintenance import Maintenance, key
from .quota import Quotas, Weights
from .tasks import Task
from .views import Views

# Capabilities of a master with the version that introduced them.
CAPABILITIES = (("1.5.0", "AGENT_UPDATE"), ("1.9.0", "AGENT_DRAINING"), ("1.9.0", "QUOTA_V2"))


@dataclasses.dataclass
class Peer:
    """
    An agent or a framework.

    info
        The AgentInfo or FrameworkInfo of the v1 API.

    heard
        Time of the latest registration in monotonic seconds.

    total
        Resources of an agent, including the reservations made by operators.
    """

    info: dict[str, Any]
    pid: str
    version: str
    capabilities: list[str]
    registered: float
    heard: float
    reregistered: float | None = None
    unregistered: float = 0.0
    total: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @property
    def id(self) -> str:
        """The ID of the agent or framework."""
        return self.info["id"]["value"]


def next_state(state: str, states: Iterable[str], quorum: int, initialize: bool = True) -> str:
    """
    Return the next state of a log replica, by the rules of apache/mesos, src/log/recover.cpp.

    state
        State of the replica: EMPTY (a new disk), STARTING or VOTING.

    states
        States of all replicas that respond, including this one.

    quorum, initialize
        The flags ``quorum`` and ``log_auto_initialize``.

    A new log starts in two steps. No replica may vote while another one is EMPTY: that one would
    see neither a voting quorum nor a new log, and never recover. This does happen when a master
    that ran alone votes and all other replicas are EMPTY.
    """
    counts, replicas = collections.Counter(states), 2 * quorum - 1
    if state == "VOTING" or counts["VOTING"] >= quorum:
        return "VOTING"
    if initialize and state == "EMPTY" and counts["EMPTY"] + counts["STARTING"] >= replicas:
        return "STARTING"
    if initialize and state == "STARTING" and counts["STARTING"] + counts["VOTING"] >= replicas:
        return "VOTING"
    return state


def _replica_state(address: str) -> str:
    """Return the replica state of the master at ``ip:port``, empty without a valid response."""
    try:
        with urllib.request.urlopen(f"http://{address}/fake/replica", timeout=1) as response:
            return json.load(response)["state"]
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return ""


class Master(Calls, Views, MesosDaemon):
    """A master. It is elected in ZooKeeper with ``--zk``, in a ``room``, or else leads alone."""

    program = "mesos-master"
    process = "master"
    table = flag_data.MASTER
    disconnect_timeout = 6.0  # seconds without a registration until a peer is disconnected
    pause = 1.0  # seconds between two requests to the other replicas of the log

    def __init__(
        self,
        arguments: Iterable[str],
        environment: Mapping[str, str] | None = None,
        version: str = "1.9.0",
        room: MemoryRoom | None = None,
    ) -> None:
        super().__init__(arguments, environment, version)
        self.room = room
        self.zk = self._checked()
        self.id = str(uuid.uuid4())
        self.elected_time: float | None = None
        self.recovered = False
        self.replica = "EMPTY"
        self.agents: dict[str, Peer] = {}
        self.frameworks: dict[str, Peer] = {}
        self.recovered_agents: dict[str, dict[str, Any]] = {}
        self.completed_frameworks: list[Peer] = []
        self.tasks: dict[tuple[str, str], Task] = {}
        self.unreachable: dict[str, dict[str, Any]] = {}
        self.gone_agents: set[str] = set()
        self.totals: dict[str, list[dict[str, Any]]] = {}
        self.deactivated: set[str] = set()
        self.drains: dict[str, dict[str, Any]] = {}
        self.weights, self.quotas, self.maintenance = Weights(), Quotas(), Maintenance()
        self._agent_numbers, self._framework_numbers = itertools.count(), itertools.count()
        self.group: Group
        self.replicas: ZooKeeperGroup | None = None
        self._followed: bytes | None = None
        self._lock: Any = None
        self._wake, self._stopped = threading.Event(), threading.Event()

    def _checked(self) -> ZooKeeperUrl | None:
        """Raise Exit for flags that contradict each other. Returns the ZooKeeper URL."""
        replicated = self.replicated
        if replicated and "work_dir" not in self.flags:
            raise Exit("--work_dir needed for replicated log based registry")
        if "zk" not in self.flags:
            return None
        if replicated and "quorum" not in self.flags:
            raise Exit(
                "Need to specify --quorum for replicated log based registry when using ZooKeeper"
            )
        try:
            zk = ZooKeeperUrl.parse(self.flags["zk"])
        except ValueError as error:
            raise Exit(f"Error parsing ZooKeeper URL: {error}") from error
        if zk.path == "/":
            text = "Expecting a (chroot) path for ZooKeeper ('/' is not supported)"
            raise Exit(f"Failed to create a master contender: {text}")
        return zk

    @property
    def replicated(self) -> bool:
        """Whether the registry is stored in the replicated log."""
        return self.flags["registry"] == "replicated_log"

    # --- leadership ---

    @property
    def leading(self) -> bool:
        """Whether this master is the elected one."""
        return self.elected_time is not None

    def info(self) -> dict[str, Any]:
        """Return the MasterInfo that is stored in ZooKeeper."""
        port = int(self.pid.rpartition(":")[2])
        return {
            "address": {"hostname": self.hostname, "ip": self.ip, "port": port},
            "capabilities": [{"type": name} for name in self.capabilities()],
            "hostname": self.hostname,
            "id": self.id,
            "ip": int.from_bytes(socket.inet_aton(self.ip), "little"),
            "pid": self.pid,
            "port": port,
            "version": self.version,
        }

    def capabilities(self) -> list[str]:
        """Return the capabilities of this version."""
        return [name for since, name in CAPABILITIES if self.since(since)]

    def start(self) -> None:
        """Serve and join the election."""
        record = self._lock_log()
        super().start()
        data = json.dumps(self.info(), separators=(",", ":")).encode()
        if self.room or not self.zk:
            self.group = MemoryGroup(self.room or MemoryRoom(record), data, self._changed)
        else:
            timeout = seconds(self.flags["zk_session_timeout"])
            self.group = ZooKeeperGroup(self.zk, "json.info_", data, self._changed, timeout)
            if self.replicated:
                log = self.zk._replace(path=self.zk.path + "/log_replicas")
                replica = f"log-replica(1)@{self.pid.partition('@')[2]}".encode()
                self.replicas = ZooKeeperGroup(log, "", replica, self._wake.set, timeout)
                self.replicas.start()
                threading.Thread(target=self._replicate, daemon=True).start()
        self.group.start()

    def stop(self) -> None:
        """Leave the election and stop serving."""
        self.elected_time = None
        self._stopped.set()
        self._wake.set()
        self.group.stop()
        if self.replicas:
            self.replicas.stop()
        super().stop()
        if self._lock:
            self._lock.close()

    def _lock_log(self) -> pathlib.Path | None:
        """Lock the directory of the log. Returns the registry file used without ZooKeeper."""
        if not self.replicated:
            return None
        directory = self._state_file.parent
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = (directory / "LOCK").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            text = f"IO error: lock {directory}/LOCK: Resource temporarily unavailable"
            raise Exit(f"Failed to recover the log: {text}") from error
        if self._state_file.exists():
            self.replica = self._state_file.read_text()
        return directory / "registry.json"

    def _changed(self) -> None:
        """Handle a change of the election's members."""
        data = leader(self.group)
        if data and data != self._followed:
            info = json.loads(data)
            text = f"The newly elected leader is {info['pid']} with id {info['id']}"
            self.log.write("INFO", text)
        self._followed = data
        if leads(self.group) and not self.leading:
            self.elected_time = time.time()
            self.log.write("INFO", "Elected as the leading master!")
            timer = threading.Timer(seconds(self.flags["registry_fetch_timeout"]), self._fetched)
            timer.daemon = True
            timer.start()
        elif self.leading and not leads(self.group):
            self.end("Lost leadership after indecisive election... committing suicide!")
        if self.replicas:
            self._wake.set()
        elif len(self.group.members) >= (int(self.flags.get("quorum", 1)) if self.zk else 1):
            # Masters in a unit test or without a log: each candidate counts as a replica.
            self._become("VOTING")
            self._recover()

    @property
    def _state_file(self) -> pathlib.Path:
        return pathlib.Path(self.flags["work_dir"], "replicated_log", "replica")

    def _become(self, state: str) -> None:
        """Set the state of the local log replica and store it on disk."""
        with self.lock:
            if not self.replicated or state == self.replica:
                return
            # Replace the file atomically, in case the master is killed while writing.
            new_file = self._state_file.with_suffix(".new")
            new_file.write_text(state)
            new_file.replace(self._state_file)
            self.log.write("INFO", f"Replica status changed from {self.replica} to {state}")
            self.replica = state

    def _replicate(self) -> None:
        """Ask the other replicas until this one votes and a leader has recovered the registry."""
        while not self._stopped.is_set():
            self._wake.wait(self.pause)
            self._wake.clear()
            if self.replica != "VOTING" or (self.leading and not self.recovered):
                # The connection to ZooKeeper may be lost; the next iteration tries again.
                with contextlib.suppress(KazooException):
                    self._ask_replicas()

    def _ask_replicas(self) -> None:
        # A restarted master has two nodes until its old session expires.
        replicas = (
            {data.decode().partition("@")[2] for _, data in self.replicas.members}
            if self.replicas
            else set()
        )
        states = [_replica_state(address) for address in sorted(replicas)]
        quorum = int(self.flags["quorum"])
        state = next_state(
            self.replica, states, quorum, self.flags["log_auto_initialize"] == "true"
        )
        if state != self.replica:
            if state == "STARTING":
                # A new log has no agents. No replica votes yet, so nothing has been written.
                self.group.store(b"{}")
            self._become(state)
            self._wake.set()
        elif state == "VOTING" and states.count("VOTING") >= quorum:
            self._recover()

    @route("/fake/replica", "GET", local=True, realm=None)
    def get_replica(self, _request: Request) -> Any:
        """Return the state of the local log replica to the other masters."""
        return {"state": self.replica}

    def _recover(self) -> None:
        """Recover the registry, if this master leads and has not recovered it yet."""
        if not self.leading or self.recovered:
            return
        record = json.loads(self.group.load() or b"{}")
        with self.lock:
            if self.recovered:
                return
            agents = record.get("agents", {})
            self.recovered_agents = {
                id_: info for id_, info in agents.items() if id_ not in self.agents
            }
            self.totals = record.get("totals", {})
            self.gone_agents = set(record.get("gone", ()))
            self.deactivated = set(record.get("deactivated", ()))
            self.drains = record.get("drains", {})
            self.weights.update(record.get("weights", {}))
            self.quotas.update(record.get("quotas", {}))
            self.maintenance.load(record.get("maintenance", {}))
            self.recovered = True
        self.log.write("INFO", f"Recovered {len(agents)} agents from the registry")

    def _fetched(self) -> None:
        """Exit if the registry has not been recovered within ``registry_fetch_timeout``."""
        if self.leading and not self.recovered:
            timeout = self.flags["registry_fetch_timeout"]
            text = f"Failed to recover registrar: Failed to perform fetch within {timeout}"
            self.end(f"Recovery failed: {text}")

    def intercept(self, request: Request, marks: dict[str, Any]) -> Response | None:
        """Require credentials, and redirect requests that only the leader handles."""
        if denied := super().intercept(request, marks):
            return denied
        if marks.get("local") or self.leading:
            return None
        target = self.location()
        if target is None:
            return answer("No leader elected", 503)
        query = f"?{request.query_string.decode()}" if request.query_string else ""
        return answer(None, 307, Location=f"{target}/master{self.rewrite(request.path)}{query}")

    def location(self) -> str | None:
        """Return the leader as a Location without a scheme, None without a leader."""
        data = leader(self.group)
        if data is None:
            return None
        info = json.loads(data)
        return f"//{info['hostname']}:{info['port']}"

    @route("/redirect", local=True, realm=None)
    def redirect(self, request: Request) -> Response:
        """Redirect to the leader, even if it is this master."""
        if request.path.endswith("/"):
            return answer("404 Not Found.", 404)
        target = self.location()
        if target is None:
            return answer("No leader elected", 503)
        return answer(None, 307, Location=target)

    # --- peers ---

    @route("/fake/agents", "POST", realm=None)
    def post_agent(self, request: Request) -> Any:
        """Register an agent. Responds with its ID and the tasks to run and to kill."""
        if not self.recovered:
            return answer("Master has not finished recovery", 503)
        body = json.loads(request.get_data())
        refusal = self.access.agent_problem(body.get("credential"))
        if refusal:
            text = f"Refusing registration of agent at {body['pid']}: it is not authenticated"
            self.log.write("WARNING", text)
            return answer(f"Master {self.pid} refused authentication", refusal)
        with self.lock:
            self._sweep()
            registered_id = body["info"].get("id", {}).get("value")
            id_ = registered_id or f"{self.id}-S{next(self._agent_numbers)}"
            info = {**body["info"], "id": {"value": id_}}
            if id_ in self.gone_agents:
                return answer(f"Agent {id_} has been marked gone", 410)
            machine = _machine(info, body["pid"])
            if key(machine) in self.maintenance.down:
                return answer("Machine is `DOWN`", 410)
            self.maintenance.add(machine)
            before = self.agents.get(id_)
            if registered_id is None:
                self._forget_previous(body["pid"])
            if before is None:
                word = "Re-registered" if registered_id else "Registered"
                self.log.write("INFO", f"{word} agent {id_} at {body['pid']} ({info['hostname']})")
            peer = self.agents[id_] = self._peer(before, info, body, bool(registered_id))
            peer.total = self.totals.get(id_) or info["resources"]
            self.unreachable.pop(id_, None)
            tasks = [Task(task["info"], task["statuses"]) for task in body.get("tasks", ())]
            for task in tasks:
                self._reported(task)
            running = {task.key for task in tasks if not task.over}
            self._drain(id_, set(running))
            if id_ in self.gone_agents:
                return answer(f"Agent {id_} has been marked gone", 410)
            if self.recovered_agents.pop(id_, None) or before is None or before.info != info:
                self._store()
            agent_tasks = [
                task for task in self.tasks.values() if task.agent_id == id_ and not task.over
            ]
            # Tasks of a removed framework are over at the master but may still run on the agent.
            orphans = [key for key in running if self.tasks[key].over]
        return {
            "id": id_,
            # Includes tasks killed before their start, as only the agent can report their end.
            "run": [
                {**task.info, "framework": self.frameworks[task.key[0]].info}
                for task in agent_tasks
                if not task.statuses and task.key[0] in self.frameworks
            ],
            "kill": [*(task.key for task in agent_tasks if task.killing), *orphans],
        }

    def _forget_previous(self, pid: str) -> None:
        """Remove the agent whose address a new agent has registered with."""
        for id_ in [id_ for id_, agent in self.agents.items() if agent.pid == pid]:
            self.log.write(
                "INFO",
                f"Removing old disconnected agent {id_} because a registration attempt occurred",
            )
            self._forget(id_, "TASK_LOST", "a new agent registered at the same address")

    def _reported(self, report: Task) -> None:
        """Add the statuses of a reported task, which may be unknown after a failover."""
        task = self.tasks.setdefault(report.key, Task(report.info, list(report.statuses)))
        for status in report.statuses:
            if status not in task.statuses:
                task.update(status)
        if task.state == "TASK_UNREACHABLE":
            task.statuses.append(report.statuses[-1])

    def _drain(self, id_: str, running: set[tuple[str, str]]) -> None:
        """Continue draining an agent: kill its running tasks, or mark it drained without any."""
        drain = self.drains.get(id_)
        if not drain or drain["state"] == "DRAINED":
            return
        for task in self.tasks.values():
            if task.agent_id == id_ and not task.over:
                task.killing = True
                running.add(task.key)
        if not running:
            drain["state"] = "DRAINED"
            if drain["config"].get("mark_gone"):
                self._mark_gone(id_)
            self._store()

    def _mark_gone(self, id_: str) -> None:
        self.gone_agents.add(id_)
        self._forget(id_, "TASK_GONE_BY_OPERATOR", "Agent was marked gone by an operator")
        self._store()

    def _forget(self, id_: str, state: str, reason: str) -> None:
        """Remove an agent. Its tasks end in the given state."""
        agent = self.agents.get(id_)
        message = f"Agent {agent.info['hostname']} removed: {reason}" if agent else reason
        self.agents.pop(id_, None)
        self.recovered_agents.pop(id_, None)
        self.unreachable.pop(id_, None)
        self.drains.pop(id_, None)
        self.deactivated.discard(id_)
        for task in self.tasks.values():
            if task.agent_id == id_:
                task.update(_status(task, state, message, "REASON_AGENT_REMOVED"))

    @route("/fake/agents", "DELETE", realm=None)
    def delete_agent(self, request: Request) -> Any:
        """Remove an agent that unregisters (SIGUSR1)."""
        with self.lock:
            self._forget(
                json.loads(request.get_data())["info"].get("id", {}).get("value"),
                "TASK_LOST",
                "Agent unregistered",
            )
            self._store()
        return {}

    @route("/fake/frameworks", "POST", realm=None)
    def post_framework(self, request: Request) -> Any:
        """Register a framework. Responds with its ID, the offers and the statuses of its tasks."""
        if not self.recovered:
            return answer("Master has not finished recovery", 503)
        body = json.loads(request.get_data())
        problem = self.access.framework_problem(body["pid"], body["info"], body.get("credential"))
        if problem:
            return answer(problem, 410)
        with self.lock:
            self._sweep()
            registered_id = body["info"].get("id", {}).get("value")
            if registered_id in {framework.id for framework in self.completed_frameworks}:
                return answer("Framework has been removed", 410)
            id_ = registered_id or f"{self.id}-{next(self._framework_numbers):04}"
            before = self.frameworks.get(id_)
            if before is None:
                self.log.write(
                    "INFO",
                    f"Subscribed framework '{body['info']['name']}' ({id_}) at {body['pid']}",
                )
            self.frameworks[id_] = self._peer(
                before, {**body["info"], "id": {"value": id_}}, body, bool(registered_id)
            )
            for info in body.get("launch", ()):
                self._launch({**info, "framework_id": {"value": id_}})
            for task_id in body.get("kill", ()):
                if (id_, task_id) in self.tasks:
                    self.tasks[id_, task_id].killing = True
            tasks = [task for task in self.tasks.values() if task.key[0] == id_]
            over = [task for task in tasks if task.over][-100:]
            return {
                "id": id_,
                "master": self.info(),
                "agents": [
                    self._offer(agent) for agent in self.agents.values() if self.usable(agent)
                ],
                "tasks": [
                    task.statuses[-1]
                    for task in [*over, *tasks]
                    if task.statuses and (not task.over or task in over)
                ],
            }

    def _launch(self, info: dict[str, Any]) -> None:
        """Add a new task. It fails with TASK_ERROR if it does not fit its agent."""
        task = Task(info)
        if task.key in self.tasks:
            return
        agent = self.agents.get(task.agent_id)
        self.tasks[task.key] = task
        try:
            if agent is None or not self.usable(agent):
                raise ValueError("Agent is not available")
            required = resources.amounts(info["resources"])
            free = resources.amounts(
                resources.minus(agent.total, map(resources.modern, self.allocated(agent)))
            )
            if any(value > free.get(name, 0) for name, value in required.items()):
                raise ValueError(
                    f"Task uses more resources {resources.words(required)} than available "
                    f"{resources.words(free)}"
                )
        except ValueError as error:
            task.update(_status(task, "TASK_ERROR", str(error)))

    def usable(self, agent: Peer) -> bool:
        """Return whether the resources of an agent are offered."""
        return (
            self.active(agent)
            and key(_machine(agent.info, agent.pid)) not in self.maintenance.scheduled
        )

    def allocated(self, agent: Peer) -> list[dict[str, Any]]:
        """Return the resources of an agent that are allocated to tasks."""
        allocated: list[dict[str, Any]] = []
        for task in self.tasks.values():
            if task.agent_id == agent.id:
                allocated += task.allocated
        return allocated

    def _offer(self, agent: Peer) -> dict[str, Any]:
        """Return the free resources of an agent by the role they are reserved for."""
        allocated = self.allocated(agent)
        free = resources.minus(
            agent.total, [resources.modern(entry) for entry in allocated if "scalar" in entry]
        )
        used_ports = {
            port
            for entry in allocated
            if "ranges" in entry
            for part in entry["ranges"]["range"]
            for port in range(part["begin"], part["end"] + 1)
        }
        by_role: dict[str, dict[str, Any]] = {}
        for entry in free:
            amounts = by_role.setdefault(resources.role(entry), {"ports": []})
            if "scalar" in entry:
                amounts[entry["name"]] = amounts.get(entry["name"], 0.0) + entry["scalar"]["value"]
            elif entry["name"] == "ports":
                amounts["ports"] = resources.free_ranges(entry["ranges"]["range"], used_ports)
        attributes = {entry["name"]: resources.plain(entry) for entry in agent.info["attributes"]}
        return {
            "id": agent.id,
            "hostname": agent.info["hostname"],
            "attributes": attributes,
            "free": by_role,
        }

    def _peer(self, before: Peer | None, info: dict, body: dict, again: bool) -> Peer:
        now = time.time()
        registered = before.registered if before else now
        reregistered = (
            before.reregistered if before and self._heard(before) else (now if again else None)
        )
        capabilities = body["capabilities"]
        return Peer(
            info,
            body["pid"],
            body["version"],
            capabilities,
            registered,
            time.monotonic(),
            reregistered,
        )

    def _store(self) -> None:
        """Write the registry. The master ends if it cannot."""
        record = {
            "agents": {
                **self.recovered_agents,
                **{id_: agent.info for id_, agent in self.agents.items()},
            },
            "totals": self.totals,
            "gone": sorted(self.gone_agents),
            "deactivated": sorted(self.deactivated),
            "drains": self.drains,
            "weights": self.weights,
            "quotas": {
                role: quota
                for role, quota in self.quotas.items()
                if quota["guarantees"] or quota["limits"]
            },
            "maintenance": self.maintenance.record(),
        }
        timeout = self.flags["registry_store_timeout"]
        deadline = time.monotonic() + seconds(timeout)
        while not self._stopped.is_set():
            # The connection to ZooKeeper may be lost.
            with contextlib.suppress(KazooException):
                self.group.store(json.dumps(record).encode())
                return
            if time.monotonic() >= deadline:
                self.end(
                    "Registrar aborting: Failed to update registry: "
                    f"Failed to perform store within {timeout}"
                )
            self._stopped.wait(self.pause)

    def _heard(self, peer: Peer) -> bool:
        return time.monotonic() - peer.heard < self.disconnect_timeout

    def active(self, peer: Peer) -> bool:
        """Return whether a peer is connected and not deactivated."""
        return self._heard(peer) and peer.id not in self.deactivated

    def _sweep(self) -> None:
        """Mark silent agents unreachable, and complete frameworks past their failover timeout."""
        now = time.monotonic()
        limit = seconds(self.flags["agent_ping_timeout"]) * int(
            self.flags["max_agent_ping_timeouts"]
        )
        for id_ in [id_ for id_, agent in self.agents.items() if now - agent.heard > limit]:
            self.log.write("WARNING", f"Marked agent {id_} unreachable: health check timed out")
            self.unreachable[id_] = self.agents.pop(id_).info
            for task in self.tasks.values():
                if task.agent_id == id_:
                    task.update(
                        _status(
                            task, "TASK_UNREACHABLE", "Agent is unreachable", "REASON_AGENT_REMOVED"
                        )
                    )
            self._store()
        for id_, framework in list(self.frameworks.items()):
            if now - framework.heard > self.disconnect_timeout + framework.info.get(
                "failover_timeout", 0.0
            ):
                self.complete(id_)

    def complete(self, framework_id: str) -> None:
        """Remove a framework and kill its tasks."""
        framework = self.frameworks.pop(framework_id)
        framework.unregistered = time.time()
        self.completed_frameworks.append(framework)
        for task in self.tasks.values():
            if task.key[0] == framework_id and not task.over:
                task.killing = True
                task.update(
                    _status(
                        task,
                        "TASK_KILLED",
                        f"Framework {framework_id} removed",
                        "REASON_FRAMEWORK_REMOVED",
                    )
                )

    def registered(self) -> tuple[list[Peer], list[Peer]]:
        """Return the agents and the frameworks that are registered now."""
        with self.lock:
            self._sweep()
            return list(self.agents.values()), list(self.frameworks.values())


def _machine(info: dict[str, Any], pid: str) -> dict[str, str]:
    """Return the MachineID of an agent."""
    return {"hostname": info["hostname"], "ip": pid.partition("@")[2].rpartition(":")[0]}


def _status(
    task: Task, state: str, message: str, reason: str = "REASON_TASK_INVALID"
) -> dict[str, Any]:
    """Return a task status whose source is the master."""
    return {
        "task_id": task.info["task_id"],
        "agent_id": task.info["agent_id"],
        "state": state,
        "source": "SOURCE_MASTER",
        "timestamp": time.time(),
        "message": message,
        "reason": reason,
    }
