"""The Mesos master: leads or redirects, and shows the agents and frameworks that registered."""

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

from . import mesos_flags, resources
from .election import Group, MemoryGroup, MemoryRoom, ZooKeeperGroup, ZooKeeperUrl, leader, leads
from .flags import seconds
from .http import Request, Response, answer, route
from .mesos import COMMON_CALLS, Exit, MesosDaemon

# What a master says that it can do, by the version that it came with.
CAPABILITIES = (("1.5.0", "AGENT_UPDATE"), ("1.9.0", "AGENT_DRAINING"), ("1.9.0", "QUOTA_V2"))
TASK_STATES = (
    *("STAGING", "STARTING", "RUNNING", "KILLING", "UNREACHABLE"),
    *("FINISHED", "KILLED", "FAILED", "LOST", "ERROR"),
)


@dataclasses.dataclass
class Peer:
    """An agent or a framework: its info as v1 shows it, and when it was heard of (monotonic seconds)."""

    info: dict[str, Any]
    pid: str
    version: str
    capabilities: list[str]
    registered: float
    heard: float
    reregistered: float | None = None

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
        with urllib.request.urlopen(f"http://{address}/standin/replica", timeout=1) as response:
            return json.load(response)["state"]
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return ""


def _nanoseconds(at: float) -> dict[str, int]:
    return {"nanoseconds": int(at * 1e9)}


class Master(MesosDaemon):
    """A master. With ``--zk`` it elects in ZooKeeper, with a ``room`` in memory, else it leads alone."""

    program = "mesos-master"
    process = "master"
    table = mesos_flags.MASTER
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
        self.unreachable = 0
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
            raise Exit("Need to specify --quorum for replicated log based registry when using ZooKeeper")
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
            self.log.write("INFO", f"The newly elected leader is {found['pid']} with id {found['id']}")
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
            beside.replace(self._state_file)  # a master that is killed in the middle must not find half a word
            self.log.write("INFO", f"Replica status changed from {self.replica} to {state}")
            self.replica = state

    def _replicate(self) -> None:
        """Ask the other replicas, until this one votes and the registry is read if this master leads."""
        while not self._stopped.is_set():
            self._wake.wait(self.pause)
            self._wake.clear()
            if self.replica != "VOTING" or (self.leading and not self.recovered):
                with contextlib.suppress(KazooException):  # ZooKeeper went away in the middle; asked again soon
                    self._ask_replicas()

    def _ask_replicas(self) -> None:
        # A master that was killed and is back has two nodes for a while: its old session has not ended yet.
        replicas = {data.decode().partition("@")[2] for _, data in self.replicas.members} if self.replicas else set()
        states = [_replica_state(address) for address in sorted(replicas)]
        quorum = int(self.flags["quorum"])
        state = next_state(self.replica, states, quorum, self.flags["log_auto_initialize"] == "true")
        if state != self.replica:
            if state == "STARTING":
                self.group.store(b"{}")  # a new log knows no agents; nobody votes yet, so that nobody has written any
            self._become(state)
            self._wake.set()
        elif state == "VOTING" and states.count("VOTING") >= quorum:
            self._recover()

    @route("/standin/replica", "GET", local=True)
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
            self.recovered_agents = {id_: info for id_, info in record.items() if id_ not in self.agents}
            self.recovered = True
        self.log.write("INFO", f"Recovered {len(record)} agents from the registry")

    def _fetched(self) -> None:
        if self.leading and not self.recovered:
            timeout = self.flags["registry_fetch_timeout"]
            text = f"Failed to recover registrar: Failed to perform fetch within {timeout}"
            self.end(f"Recovery failed: {text}")

    def intercept(self, request: Request, marks: dict[str, Any]) -> Response | None:
        """Redirect what only the leader answers."""
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

    @route("/redirect", local=True)
    def redirect(self, request: Request) -> Response:
        """Point to the leader, also where that is this master."""
        if request.path.endswith("/"):
            return answer("404 Not Found.", 404)
        target = self.location()
        return answer("No leader elected", 503) if target is None else answer(None, 307, Location=target)

    # --- peers ---

    @route("/standin/agents", "POST")
    def post_agent(self, request: Request) -> Any:
        """Take an agent in or hear of it again; answers its id."""
        if not self.recovered:
            return answer("Master has not finished recovery", 503)
        body = json.loads(request.get_data())
        with self.lock:
            self._sweep()
            known = body["info"].get("id", {}).get("value")
            id_ = known or f"{self.id}-S{next(self._agent_numbers)}"
            info = {**body["info"], "id": {"value": id_}}
            before = self.agents.get(id_)
            if before is None:
                word = "Re-registered" if known else "Registered"
                self.log.write("INFO", f"{word} agent {id_} at {body['pid']} ({info['hostname']})")
            self.agents[id_] = self._peer(before, info, body, bool(known))
            if self.recovered_agents.pop(id_, None) or before is None or before.info != info:
                self._store()
        return {"id": id_}

    @route("/standin/agents", "DELETE")
    def delete_agent(self, request: Request) -> Any:
        """Let an agent go that unregisters (SIGUSR1)."""
        with self.lock:
            self.agents.pop(json.loads(request.get_data())["info"].get("id", {}).get("value"), None)
            self._store()
        return {}

    @route("/standin/frameworks", "POST")
    def post_framework(self, request: Request) -> Any:
        """Take a framework in or hear of it again; answers its id."""
        if not self.recovered:
            return answer("Master has not finished recovery", 503)
        body = json.loads(request.get_data())
        with self.lock:
            self._sweep()
            known = body["info"].get("id", {}).get("value")
            id_ = known or f"{self.id}-{next(self._framework_numbers):04}"
            before = self.frameworks.get(id_)
            if before is None:
                self.log.write("INFO", f"Subscribed framework '{body['info']['name']}' ({id_}) at {body['pid']}")
            self.frameworks[id_] = self._peer(before, {**body["info"], "id": {"value": id_}}, body, bool(known))
        return {"id": id_, "master": self.info()}

    def _peer(self, before: Peer | None, info: dict, body: dict, again: bool) -> Peer:
        now = time.time()
        registered = before.registered if before else now
        reregistered = before.reregistered if before and self._active(before) else (now if again else None)
        capabilities = body["capabilities"]
        return Peer(info, body["pid"], body["version"], capabilities, registered, time.monotonic(), reregistered)

    def _store(self) -> None:
        record = {**self.recovered_agents, **{id_: agent.info for id_, agent in self.agents.items()}}
        self.group.store(json.dumps(record).encode())

    def _active(self, peer: Peer) -> bool:
        return time.monotonic() - peer.heard < self.patience

    def _sweep(self) -> None:
        """Forget agents that were silent for all pings, and frameworks whose failover timeout passed."""
        now = time.monotonic()
        limit = seconds(self.flags["agent_ping_timeout"]) * int(self.flags["max_agent_ping_timeouts"])
        for id_ in [id_ for id_, agent in self.agents.items() if now - agent.heard > limit]:
            self.log.write("WARNING", f"Marked agent {id_} unreachable: health check timed out")
            del self.agents[id_]
            self.unreachable += 1
            self._store()
        for id_, framework in list(self.frameworks.items()):
            if now - framework.heard > self.patience + framework.info.get("failover_timeout", 0.0):
                del self.frameworks[id_]

    def registered(self) -> tuple[list[Peer], list[Peer]]:
        """Return the agents and the frameworks that the master has now."""
        with self.lock:
            self._sweep()
            return list(self.agents.values()), list(self.frameworks.values())

    # --- what the older endpoints show ---

    def agent(self, agent: Peer) -> dict[str, Any]:
        """Show an agent as ``/state`` does."""
        info = agent.info
        offered = info["resources"]
        shown = {
            "id": agent.id,
            "hostname": info["hostname"],
            "port": info["port"],
            "attributes": {a["name"]: resources.plain(a) for a in info["attributes"]},
            "pid": agent.pid,
            "registered_time": agent.registered,
            "resources": resources.totals(offered),
            "used_resources": resources.totals([]),
            "offered_resources": resources.totals([]),
            "reserved_resources": {r: resources.totals(e) for r, e in resources.reserved(offered).items()},
            "unreserved_resources": resources.totals(e for e in offered if resources.role(e) == "*"),
            "active": self._active(agent),
            "version": agent.version,
            "capabilities": agent.capabilities,
        }
        if agent.reregistered:
            shown["reregistered_time"] = agent.reregistered
        if self.since("1.9.0"):
            shown["deactivated"] = False
        return shown

    def agent_in_full(self, agent: Peer) -> dict[str, Any]:
        """Show an agent as ``/slaves`` does."""
        entries = agent.info["resources"]
        return {
            **self.agent(agent),
            "reserved_resources_full": {r: resources.full(e) for r, e in resources.reserved(entries).items()},
            "unreserved_resources_full": resources.full(e for e in entries if resources.role(e) == "*"),
            "used_resources_full": [],
            "offered_resources_full": [],
        }

    def recovered_agents_shown(self) -> list[dict[str, Any]]:
        """Show the agents that the registry knows and that did not come back yet."""
        return [
            {
                "id": id_,
                "hostname": info["hostname"],
                "port": info["port"],
                "attributes": {a["name"]: resources.plain(a) for a in info["attributes"]},
            }
            for id_, info in self.recovered_agents.items()
        ]

    def framework_summary(self, framework: Peer) -> dict[str, Any]:
        """Show a framework as ``/state-summary`` does, without its tasks."""
        info = framework.info
        return {
            "id": framework.id,
            "name": info["name"],
            "used_resources": resources.totals([]),
            "offered_resources": resources.totals([]),
            "capabilities": framework.capabilities,
            "hostname": info.get("hostname", ""),
            "webui_url": info.get("webui_url", ""),
            "active": self._active(framework),
            "connected": self._active(framework),
            "recovered": False,
        }

    def framework(self, framework: Peer) -> dict[str, Any]:
        """Show a framework as ``/state`` does."""
        info = framework.info
        shown = {
            **self.framework_summary(framework),
            "user": info["user"],
            "failover_timeout": info.get("failover_timeout", 0.0),
            "checkpoint": info.get("checkpoint", False),
            "registered_time": framework.registered,
            "unregistered_time": 0.0,
            "resources": resources.totals([]),
            **({"roles": info["roles"]} if "roles" in info else {"role": info.get("role", "*")}),
            "tasks": [],
            "unreachable_tasks": [],
            "completed_tasks": [],
            "offers": [],
            "executors": [],
        }
        if "principal" in info:
            shown["principal"] = info["principal"]
        if framework.reregistered:
            shown["reregistered_time"] = framework.reregistered
        if self.since("1.11.0"):
            shown["offer_constraints"] = {}
        return shown

    @route("/state")
    def get_state(self, _request: Request) -> Any:
        """Show the master, its agents and frameworks."""
        agents, frameworks = self.registered()
        active = sum(map(self._active, agents))
        info = self.info()
        return {
            **self.build(),
            "start_time": self.start_time,
            "elected_time": self.elected_time,
            "id": self.id,
            "pid": self.pid,
            "hostname": self.hostname,
            "capabilities": self.capabilities(),
            "activated_slaves": float(active),
            "deactivated_slaves": float(len(agents) - active),
            "unreachable_slaves": float(self.unreachable),
            "leader": self.pid,
            "leader_info": {key: info[key] for key in ("id", "pid", "port", "hostname")},
            **{key: self.flags[key] for key in ("cluster", "log_dir", "external_log_file") if key in self.flags},
            "flags": self.flags,
            "slaves": [self.agent(agent) for agent in agents],
            "recovered_slaves": self.recovered_agents_shown(),
            "frameworks": [self.framework(framework) for framework in frameworks],
            "completed_frameworks": [],
            "orphan_tasks": [],
            "unregistered_frameworks": [],
        }

    @route("/state-summary")
    def get_summary(self, _request: Request) -> Any:
        """Show agents and frameworks with the numbers of their tasks."""
        agents, frameworks = self.registered()
        tasks = dict.fromkeys((f"TASK_{state}" for state in TASK_STATES), 0)
        return {
            "hostname": self.hostname,
            **({"cluster": self.flags["cluster"]} if "cluster" in self.flags else {}),
            "slaves": [{**self.agent(agent), **tasks, "framework_ids": []} for agent in agents],
            "frameworks": [{**self.framework_summary(each), **tasks, "slave_ids": []} for each in frameworks],
        }

    @route("/slaves")
    def get_agents(self, request: Request) -> Any:
        """Show the agents, or the one that ``slave_id`` names."""
        wanted = request.args.get("slave_id")
        agents = [agent for agent in self.registered()[0] if wanted in (None, agent.id)]
        return {
            "slaves": [self.agent_in_full(agent) for agent in agents],
            "recovered_slaves": [each for each in self.recovered_agents_shown() if wanted in (None, each["id"])],
        }

    @route("/frameworks")
    def get_frameworks(self, _request: Request) -> Any:
        """Show the frameworks."""
        frameworks = [self.framework(framework) for framework in self.registered()[1]]
        return {"frameworks": frameworks, "completed_frameworks": [], "unregistered_frameworks": []}

    def metrics(self) -> dict[str, float]:
        """Return what the master measures; a standby has no peers."""
        agents, frameworks = self.registered() if self.leading else ([], [])
        active, connected = sum(map(self._active, agents)), sum(map(self._active, frameworks))
        total = resources.totals(entry for agent in agents for entry in agent.info["resources"])
        found = {
            "master/elected": float(self.leading),
            "master/uptime_secs": time.time() - self.start_time,
            "master/slaves_active": active,
            "master/slaves_connected": active,
            "master/slaves_disconnected": len(agents) - active,
            "master/slaves_inactive": len(agents) - active,
            "master/slaves_unreachable": self.unreachable,
            "master/frameworks_active": connected,
            "master/frameworks_connected": connected,
            "master/frameworks_disconnected": len(frameworks) - connected,
            "master/frameworks_inactive": len(frameworks) - connected,
            "master/recovery_slave_removals": 0,
            "master/slave_removals": self.unreachable,
            "master/event_queue_messages": 0,
            "master/dropped_messages": 0,
            "master/outstanding_offers": 0,
            "registrar/queued_operations": 0,
            **super().metrics(),
        }
        if self.replicated:
            found["registrar/log/recovered"] = self.replica == "VOTING"
        for name in resources.SCALARS:
            found[f"master/{name}_total"] = total[name]
            found[f"master/{name}_used"] = found[f"master/{name}_percent"] = 0.0
        for state in TASK_STATES:
            found[f"master/tasks_{state.lower()}"] = 0.0
        return {name: float(value) for name, value in found.items()}

    # --- v1 ---

    def _dispatch(self, call: dict[str, Any]) -> Any:
        if not self.recovered:
            return answer("Master has not finished recovery", 503)
        return super()._dispatch(call)

    def call_master(self, _call: dict) -> Any:
        """GET_MASTER; its enum has no QUOTA_V2, so that this one comes out empty."""
        known = [{} if name == "QUOTA_V2" else {"type": name} for name in self.capabilities()]
        info = {**self.info(), "capabilities": known}
        return {"get_master": {"master_info": info, "start_time": self.start_time, "elected_time": self.elected_time}}

    def call_agents(self, _call: dict) -> Any:
        """GET_AGENTS"""
        return {
            "get_agents": {
                "agents": [self._agent_v1(agent) for agent in self.registered()[0]],
                "recovered_agents": list(self.recovered_agents.values()),
            }
        }

    def _agent_v1(self, agent: Peer) -> dict[str, Any]:
        shown = {
            "agent_info": agent.info,
            "active": self._active(agent),
            "version": agent.version,
            "pid": agent.pid,
            "registered_time": _nanoseconds(agent.registered),
            "total_resources": resources.full(agent.info["resources"]),
            "capabilities": [{"type": name} for name in agent.capabilities],
        }
        if agent.reregistered:
            shown["reregistered_time"] = _nanoseconds(agent.reregistered)
        if self.since("1.9.0"):
            shown["deactivated"] = False
        return shown

    calls = {**COMMON_CALLS, "GET_MASTER": call_master, "GET_AGENTS": call_agents}
