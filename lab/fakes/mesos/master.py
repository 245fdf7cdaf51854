"""The Mesos master: leads or redirects, knows its agents, frameworks and their tasks; what it shows is in ``views.py``."""

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

# What a master says that it can do, by the version that it came with.
CAPABILITIES = (("1.5.0", "AGENT_UPDATE"), ("1.9.0", "AGENT_DRAINING"), ("1.9.0", "QUOTA_V2"))


@dataclasses.dataclass
class Peer:
    """
    An agent or a framework: its info as v1 shows it, and when it was heard of (monotonic seconds).

    Of an agent ``total`` is what it has, with what was reserved since it came; ``drain`` how it is drained.
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
        """The id as text."""
        return self.info["id"]["value"]


def next_state(own: str, states: Iterable[str], quorum: int, initialize: bool = True) -> str:
    """
    Return what a replica of the log becomes next, by the rules of the real one (apache/mesos, src/log/recover.cpp).

    own
        Its state: EMPTY (a new disk), STARTING or VOTING.

    states
        Those of all replicas that answer, itself among them.

    quorum, initialize
        The flags ``quorum`` and ``log_auto_initialize``.

    A new log begins in two steps, as nobody may vote while another one is still EMPTY: that one would see neither a
    quorum that votes nor a log that is new, and be stuck. Where a former lone master votes and all others are EMPTY, they
    are stuck indeed.
    """
    found, everyone = collections.Counter(states), 2 * quorum - 1
    if own == "VOTING" or found["VOTING"] >= quorum:
        return "VOTING"
    if initialize and own == "EMPTY" and found["EMPTY"] + found["STARTING"] >= everyone:
        return "STARTING"
    if initialize and own == "STARTING" and found["STARTING"] + found["VOTING"] >= everyone:
        return "VOTING"
    return own


def _replica_state(address: str) -> str:
    """Ask the master at ``ip:port`` for the state of its replica; empty if it does not say."""
    try:
        with urllib.request.urlopen(f"http://{address}/fake/replica", timeout=1) as response:
            return json.load(response)["state"]
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return ""


class Master(Calls, Views, MesosDaemon):
    """A master. With ``--zk`` it elects in ZooKeeper, with a ``room`` in memory, else it leads alone."""

    program = "mesos-master"
    process = "master"
    table = flag_data.MASTER
    patience = 6.0  # seconds without a word until a peer is disconnected
    pause = 1.0  # seconds until the other replicas of the log are asked again

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
        self.gone: set[str] = set()
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
        """Refuse flags that do not fit together; return where ZooKeeper is."""
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
        """Whether the registry is in a replicated log."""
        return self.flags["registry"] == "replicated_log"

    # --- leading ---

    @property
    def leading(self) -> bool:
        """Whether this master is the elected one."""
        return self.elected_time is not None

    def info(self) -> dict[str, Any]:
        """Return the MasterInfo as it stands in ZooKeeper."""
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
        """Return what this version can do."""
        return [name for since, name in CAPABILITIES if self.since(since)]

    def start(self) -> None:
        """Serve and stand for election."""
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
        """Take the replicated log's place for this process alone; return where the record of a lone master stands."""
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
        """React to members of the election that came or went."""
        first = leader(self.group)
        if first and first != self._followed:
            found = json.loads(first)
            self.log.write(
                "INFO", f"The newly elected leader is {found['pid']} with id {found['id']}"
            )
        self._followed = first
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
            # Masters of a unit test and those without a log ask nobody; there each candidate is a replica.
            self._become("VOTING")
            self._recover()

    @property
    def _state_file(self) -> pathlib.Path:
        return pathlib.Path(self.flags["work_dir"], "replicated_log", "replica")

    def _become(self, state: str) -> None:
        """Put the local replica of the log into a state, which a restart does not change."""
        with self.lock:
            if not self.replicated or state == self.replica:
                return
            beside = self._state_file.with_suffix(".new")
            beside.write_text(state)
            beside.replace(
                self._state_file
            )  # a master that is killed in the middle must not find half a word
            self.log.write("INFO", f"Replica status changed from {self.replica} to {state}")
            self.replica = state

    def _replicate(self) -> None:
        """Ask the other replicas, until this one votes and the registry is read if this master leads."""
        while not self._stopped.is_set():
            self._wake.wait(self.pause)
            self._wake.clear()
            if self.replica != "VOTING" or (self.leading and not self.recovered):
                with contextlib.suppress(
                    KazooException
                ):  # ZooKeeper went away in the middle; asked again soon
                    self._ask_replicas()

    def _ask_replicas(self) -> None:
        # A master that was killed and is back has two nodes for a while: its old session has not ended yet.
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
                self.group.store(
                    b"{}"
                )  # a new log knows no agents; nobody votes yet, so that nobody has written any
            self._become(state)
            self._wake.set()
        elif state == "VOTING" and states.count("VOTING") >= quorum:
            self._recover()

    @route("/fake/replica", "GET", local=True, realm=None)
    def get_replica(self, _request: Request) -> Any:
        """Tell the other masters the state of the local replica of the log."""
        return {"state": self.replica}

    def _recover(self) -> None:
        """Read the registry, if this master leads and has not done so."""
        if not self.leading or self.recovered:
            return
        record = json.loads(self.group.load() or b"{}")
        with self.lock:
            if self.recovered:
                return
            known = record.get("agents", {})
            self.recovered_agents = {
                id_: info for id_, info in known.items() if id_ not in self.agents
            }
            self.totals, self.gone = record.get("totals", {}), set(record.get("gone", ()))
            self.deactivated, self.drains = (
                set(record.get("deactivated", ())),
                record.get("drains", {}),
            )
            self.weights.update(record.get("weights", {}))
            self.quotas.update(record.get("quotas", {}))
            self.maintenance.load(record.get("maintenance", {}))
            self.recovered = True
        self.log.write("INFO", f"Recovered {len(known)} agents from the registry")

    def _fetched(self) -> None:
        if self.leading and not self.recovered:
            timeout = self.flags["registry_fetch_timeout"]
            text = f"Failed to recover registrar: Failed to perform fetch within {timeout}"
            self.end(f"Recovery failed: {text}")

    def intercept(self, request: Request, marks: dict[str, Any]) -> Response | None:
        """Ask for credentials, and redirect what only the leader answers."""
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
        """Return the leader as a Location without a scheme, None if there is no leader."""
        first = leader(self.group)
        if first is None:
            return None
        found = json.loads(first)
        return f"//{found['hostname']}:{found['port']}"

    @route("/redirect", local=True, realm=None)
    def redirect(self, request: Request) -> Response:
        """Point to the leader, also where that is this master."""
        if request.path.endswith("/"):
            return answer("404 Not Found.", 404)
        target = self.location()
        return (
            answer("No leader elected", 503)
            if target is None
            else answer(None, 307, Location=target)
        )

    # --- peers ---

    @route("/fake/agents", "POST", realm=None)
    def post_agent(self, request: Request) -> Any:
        """Take an agent in or hear of it again; answers its id, what it is to run and what to kill."""
        if not self.recovered:
            return answer("Master has not finished recovery", 503)
        body = json.loads(request.get_data())
        with self.lock:
            self._sweep()
            known = body["info"].get("id", {}).get("value")
            id_ = known or f"{self.id}-S{next(self._agent_numbers)}"
            info = {**body["info"], "id": {"value": id_}}
            if id_ in self.gone:
                return answer(f"Agent {id_} has been marked gone", 410)
            machine = _machine(info, body["pid"])
            if key(machine) in self.maintenance.down:
                return answer("Machine is `DOWN`", 410)
            self.maintenance.meet(machine)
            before = self.agents.get(id_)
            if before is None:
                word = "Re-registered" if known else "Registered"
                self.log.write("INFO", f"{word} agent {id_} at {body['pid']} ({info['hostname']})")
            peer = self.agents[id_] = self._peer(before, info, body, bool(known))
            peer.total = self.totals.get(id_) or info["resources"]
            self.unreachable.pop(id_, None)
            reports = [Task(each["info"], each["statuses"]) for each in body.get("tasks", ())]
            for each in reports:
                self._reported(each)
            running = {each.key for each in reports if not each.over}
            self._drain(id_, set(running))
            if id_ in self.gone:
                return answer(f"Agent {id_} has been marked gone", 410)
            if self.recovered_agents.pop(id_, None) or before is None or before.info != info:
                self._store()
            mine = [task for task in self.tasks.values() if task.agent_id == id_ and not task.over]
            # What was given up here, as its framework was removed, may still run there.
            given_up = [key for key in running if self.tasks[key].over]
        return {
            "id": id_,
            # Also what is killed before it began, or nobody would ever say that it ended.
            "run": [
                {**task.info, "framework": self.frameworks[task.key[0]].info}
                for task in mine
                if not task.statuses and task.key[0] in self.frameworks
            ],
            "kill": [*(task.key for task in mine if task.killing), *given_up],
        }

    def _reported(self, report: Task) -> None:
        """Take what an agent says of a task; after a failover the task may be news, too."""
        task = self.tasks.setdefault(report.key, Task(report.info, list(report.statuses)))
        for status in report.statuses:
            if status not in task.statuses:
                task.update(status)
        if task.state == "TASK_UNREACHABLE":
            task.statuses.append(report.statuses[-1])

    def _drain(self, id_: str, running: set[tuple[str, str]]) -> None:
        """Go on with draining an agent that was just heard of: kill what runs; where nothing does, it is drained."""
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
        self.gone.add(id_)
        self._forget(id_, "TASK_GONE_BY_OPERATOR", "Agent was marked gone by an operator")
        self._store()

    def _forget(self, id_: str, state: str, why: str) -> None:
        """Let go of an agent, whose tasks end in a state."""
        known = self.agents.get(id_)
        message = f"Agent {known.info['hostname']} removed: {why}" if known else why
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
        """Let an agent go that unregisters (SIGUSR1)."""
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
        """Take a framework in or hear of it again; answers its id, what agents have to offer, and how its tasks are."""
        if not self.recovered:
            return answer("Master has not finished recovery", 503)
        body = json.loads(request.get_data())
        with self.lock:
            self._sweep()
            known = body["info"].get("id", {}).get("value")
            if known in {each.id for each in self.completed_frameworks}:
                return answer("Framework has been removed", 410)
            id_ = known or f"{self.id}-{next(self._framework_numbers):04}"
            before = self.frameworks.get(id_)
            if before is None:
                self.log.write(
                    "INFO",
                    f"Subscribed framework '{body['info']['name']}' ({id_}) at {body['pid']}",
                )
            self.frameworks[id_] = self._peer(
                before, {**body["info"], "id": {"value": id_}}, body, bool(known)
            )
            for info in body.get("launch", ()):
                self._launch({**info, "framework_id": {"value": id_}})
            for task_id in body.get("kill", ()):
                if (id_, task_id) in self.tasks:
                    self.tasks[id_, task_id].killing = True
            mine = [task for task in self.tasks.values() if task.key[0] == id_]
            over = [task for task in mine if task.over][-100:]
            return {
                "id": id_,
                "master": self.info(),
                "agents": [
                    self._offer(agent) for agent in self.agents.values() if self.usable(agent)
                ],
                "tasks": [
                    task.statuses[-1]
                    for task in [*over, *mine]
                    if task.statuses and (not task.over or task in over)
                ],
            }

    def _launch(self, info: dict[str, Any]) -> None:
        """Take a new task; one that does not fit its agent is an error at once."""
        task = Task(info)
        if task.key in self.tasks:
            return
        agent = self.agents.get(task.agent_id)
        self.tasks[task.key] = task
        try:
            if agent is None or not self.usable(agent):
                raise ValueError("Agent is not available")
            wanted = resources.amounts(info["resources"])
            free = resources.amounts(
                resources.minus(agent.total, map(resources.modern, self.allocated(agent)))
            )
            if any(value > free.get(name, 0) for name, value in wanted.items()):
                raise ValueError(
                    f"Task uses more resources {resources.words(wanted)} than available {resources.words(free)}"
                )
        except ValueError as error:
            task.update(_status(task, "TASK_ERROR", str(error)))

    def usable(self, agent: Peer) -> bool:
        """Whether an agent's resources are offered."""
        return (
            self.active(agent)
            and key(_machine(agent.info, agent.pid)) not in self.maintenance.scheduled
        )

    def allocated(self, agent: Peer) -> list[dict[str, Any]]:
        """What tasks hold of an agent."""
        held: list[dict[str, Any]] = []
        for task in self.tasks.values():
            if task.agent_id == agent.id:
                held += task.allocated
        return held

    def _offer(self, agent: Peer) -> dict[str, Any]:
        """What is free on an agent, by the role that it is reserved for."""
        held = self.allocated(agent)
        free = resources.minus(
            agent.total, [resources.modern(each) for each in held if "scalar" in each]
        )
        taken = {
            port
            for each in held
            if "ranges" in each
            for part in each["ranges"]["range"]
            for port in range(part["begin"], part["end"] + 1)
        }
        by_role: dict[str, dict[str, Any]] = {}
        for entry in free:
            amounts = by_role.setdefault(resources.role(entry), {"ports": []})
            if "scalar" in entry:
                amounts[entry["name"]] = amounts.get(entry["name"], 0.0) + entry["scalar"]["value"]
            elif entry["name"] == "ports":
                amounts["ports"] = resources.free_ranges(entry["ranges"]["range"], taken)
        attributes = {each["name"]: resources.plain(each) for each in agent.info["attributes"]}
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
        """Write the registry."""
        record = {
            "agents": {
                **self.recovered_agents,
                **{id_: agent.info for id_, agent in self.agents.items()},
            },
            "totals": self.totals,
            "gone": sorted(self.gone),
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
        self.group.store(json.dumps(record).encode())

    def _heard(self, peer: Peer) -> bool:
        return time.monotonic() - peer.heard < self.patience

    def active(self, peer: Peer) -> bool:
        """Whether a framework is connected; whether an agent is, and was not deactivated."""
        return self._heard(peer) and peer.id not in self.deactivated

    def _sweep(self) -> None:
        """Forget agents that were silent for all pings, and frameworks whose failover timeout passed."""
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
            if now - framework.heard > self.patience + framework.info.get("failover_timeout", 0.0):
                self.complete(id_)

    def complete(self, framework_id: str) -> None:
        """Remove a framework; its tasks are killed."""
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
        """Return the agents and the frameworks that the master has now."""
        with self.lock:
            self._sweep()
            return list(self.agents.values()), list(self.frameworks.values())


def _machine(info: dict[str, Any], pid: str) -> dict[str, str]:
    """The id of the machine that an agent runs on."""
    return {"hostname": info["hostname"], "ip": pid.partition("@")[2].rpartition(":")[0]}


def _status(
    task: Task, state: str, message: str, reason: str = "REASON_TASK_INVALID"
) -> dict[str, Any]:
    """What the master itself says of a task."""
    who = {"task_id": task.info["task_id"], "agent_id": task.info["agent_id"]}
    return {
        **who,
        "state": state,
        "source": "SOURCE_MASTER",
        "timestamp": time.time(),
        "message": message,
        "reason": reason,
    }
