"""
The situations in which the responses were recorded.

Each one is a set of fake daemons, brought into the same state over the protocol of their peers.
"""

import contextlib
import json
import time
from pathlib import Path
from typing import NamedTuple

import requests

from lab.fakes.mesos.agent import Agent
from lab.fakes.mesos.daemon import Exit
from lab.fakes.mesos.master import Master
from lab.fakes.wire.election import MemoryRoom

DATA = Path(__file__).parent.parent / "data" / "mesos-1.11.0"
VERSION = "1.11.0"
LOGIN = {
    "Basic <admin:s3cret>": ("admin", "s3cret"),
    "Basic <viewer:view>": ("viewer", "view"),
    "Basic <admin:wrong>": ("admin", "wrong"),
}
CREDENTIALS = json.dumps(
    {
        "credentials": [
            {"principal": "admin", "secret": "s3cret"},
            {"principal": "viewer", "secret": "view"},
        ]
    }
)
ONLY_ADMIN = (
    "update_weights",
    "update_quotas",
    "update_maintenance_schedules",
    "get_maintenance_schedules",
    "set_log_level",
    "teardown_frameworks",
    "view_flags",
    "view_frameworks",
    "drain_agents",
    "mark_agents_gone",
    "access_mesos_logs",
)
ACLS = {
    "permissive": True,
    **{
        action: [
            {"principals": {"values": ["admin"]}, "objects": {"type": "ANY"}},
            {"principals": {"type": "ANY"}, "objects": {"type": "NONE"}},
        ]
        for action in ONLY_ADMIN
    },
}
REMOVED = 410  # HTTP status: Gone


def exchanges(scene: str) -> list[dict]:
    """Return the recordings of a scene, in their order."""
    return [json.loads(line) for line in (DATA / f"{scene}.jsonl").read_text().splitlines()]


def recorded(scene: str, name: str) -> dict:
    """Return the response of one recording."""
    exchange = next(entry for entry in exchanges(scene) if entry["name"] == name)
    return exchange["json"]


def prepared(name: str) -> dict:
    """Return data of a scene that is not in any recording that is replayed."""
    return json.loads((DATA / "scenes.json").read_text())[name]


class Scene:
    """
    Masters and agents in a certain state.

    ``before`` maps the name of a recording to a function to call before it is replayed. ``target``
    is the daemon that receives the requests, ``hosts`` maps recorded addresses to daemons if there
    are several targets.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.room = MemoryRoom()
        self.daemons = []
        self.target: object = None
        self.hosts: dict = {}
        self.before: dict = {}

    def master(self, *flags: str, room: MemoryRoom | None = None, id_: str | None = None) -> Master:
        ip = () if any(flag.startswith("--ip") for flag in flags) else ("--ip=127.0.0.1",)
        local = (
            *ip,
            "--port=0",
            f"--work_dir={self.directory / f'm{len(self.daemons)}'}",
            f"--log_dir={self.directory}/log",
        )
        hostname = (
            ()
            if any(flag.startswith("--hostname") for flag in flags)
            else ("--hostname=127.0.0.1",)
        )
        master = Master(
            [*local, *hostname, *(flag for flag in flags if flag != "--hostname")],
            None,
            VERSION,
            room,
        )
        if id_:
            master.id = id_
        return self.started(master)

    def started(self, daemon):
        daemon.start()
        self.daemons.append(daemon)
        return daemon

    def stop(self) -> None:
        for daemon in self.daemons:
            with contextlib.suppress(OSError):
                daemon.stop()

    # --- messages of peers to a master ---

    def tell(self, path: str, body: dict, expected: int = 200, method: str = "POST") -> dict:
        """Send a request as a peer does."""
        answer = requests.request(method, f"{self.leader.url}/fake/{path}", json=body, timeout=5)
        assert answer.status_code == expected, answer.text
        self.alive(*self.leader.agents.values(), *self.leader.frameworks.values())
        return answer.json() if answer.status_code == 200 else {}

    @staticmethod
    def alive(*peers) -> None:
        """Let peers stay alive without heartbeats, except for those that are silent."""
        for peer in peers:
            if peer.heard > time.monotonic() - 1:
                peer.heard = float("inf")

    @staticmethod
    def silent(peer, seconds: float = 10) -> None:
        """Let a peer be silent: after 10 seconds it is inactive, after 100 an agent is removed."""
        peer.heard = time.monotonic() - seconds

    def agent(self, entry: dict, tasks: list[dict] = (), expected: int = 200) -> None:
        """Register an agent, an entry of GET_AGENTS, with tasks, entries of GET_TASKS."""
        reports = [{"info": _info(task), "statuses": task["statuses"]} for task in tasks]
        capabilities = [capability["type"] for capability in entry["capabilities"]]
        body = {
            "info": entry["agent_info"],
            **{key: entry[key] for key in ("pid", "version")},
            "capabilities": capabilities,
        }
        self.tell("agents", {**body, "tasks": reports}, expected)

    def framework(self, entry: dict) -> None:
        """Register a framework, an entry of GET_FRAMEWORKS."""
        info = entry["framework_info"]
        capabilities = [capability["type"] for capability in info.get("capabilities", [])]
        self.tell(
            "frameworks",
            {
                "info": info,
                "pid": "scheduler@127.0.0.1:1",
                "version": "",
                "capabilities": capabilities,
            },
        )
        peer = self.leader.frameworks[info["id"]["value"]]
        peer.reregistered = peer.registered

    @property
    def leader(self) -> Master:
        return next(
            daemon for daemon in self.daemons if isinstance(daemon, Master) and daemon.leading
        )

    def populate(
        self, agents: dict, frameworks: dict, tasks: dict, executors: dict | None = None
    ) -> None:
        """Bring a master into the state of these responses."""
        running = frameworks["frameworks"]
        completed = frameworks.get("completed_frameworks", [])
        for framework in (*running, *completed):
            self.framework(framework)
        executors_by_id = {}
        for entry in (executors or {}).get("executors", []):
            info = entry["executor_info"]
            executors_by_id[info["executor_id"]["value"]] = info
        for agent in agents["agents"]:
            agent_tasks = [
                task
                for task in (*tasks["tasks"], *tasks["completed_tasks"])
                if task["agent_id"] == agent["agent_info"]["id"]
            ]
            for task in agent_tasks:
                executor_id = task.get("executor_id", {}).get("value")
                if executor_id in executors_by_id:
                    task["executor"] = executors_by_id[executor_id]
            self.agent(agent, agent_tasks)
        for framework in completed:
            self.leader.complete(framework["framework_info"]["id"]["value"])
        for framework in running:
            if not framework["active"]:
                self.silent(self.leader.frameworks[framework["framework_info"]["id"]["value"]])


def _info(task: dict) -> dict:
    """Return the TaskInfo of an entry of GET_TASKS."""
    return {
        key: value
        for key, value in task.items()
        if key
        not in ("state", "statuses", "status_update_state", "status_update_uuid", "executor_id")
    }


def cluster(directory: Path) -> Scene:
    """A leader and two standbys, two agents, four frameworks. Recordings: leader, v1, old, err."""
    scene = Scene(directory)
    flags = ("--cluster=golden", "--quorum=1", "--zk=zk://127.0.0.1:2181/mesos")
    agents = recorded("cluster", "v1-GET_AGENTS")["get_agents"]
    id_ = agents["agents"][0]["agent_info"]["id"]["value"].rpartition("-")[0]
    scene.target = scene.master(*flags, room=scene.room, id_=id_)
    one, two = sorted(agents["agents"], key=lambda agent: agent["agent_info"]["id"]["value"])
    scene.populate(
        agents,
        *(
            recorded("cluster", f"v1-GET_{name}")[f"get_{name.lower()}"]
            for name in ("FRAMEWORKS", "TASKS", "EXECUTORS")
        ),
    )
    for agent in scene.target.agents.values():
        agent.reregistered = None

    def running(agent: dict) -> list[dict]:
        return [
            {**task.info, "statuses": task.statuses}
            for task in scene.target.tasks.values()
            if task.agent_id == agent["agent_info"]["id"]["value"] and not task.over
        ]

    def silent(seconds: float) -> None:
        scene.silent(scene.target.agents[two["agent_info"]["id"]["value"]], seconds)

    def ended() -> None:
        """Let agent 1, which is drained, kill its tasks and report that."""
        for task in list(scene.target.tasks.values()):
            if task.agent_id == one["agent_info"]["id"]["value"] and not task.over:
                task.update(
                    {
                        **task.statuses[-1],
                        "state": "TASK_KILLED",
                        "uuid": "",
                        "timestamp": time.time(),
                    }
                )
        scene.agent(one)

    scene.before = {
        "v1-GET_AGENTS-down-agent-restarted": lambda: scene.agent(two, expected=REMOVED),
        "leader-get-slaves-after-maintenance": lambda: scene.agent(two),
        "v1-GET_AGENTS-drained": ended,
        "v1-REACTIVATE_AGENT-drained": lambda: scene.agent(one),
        "v1-DRAIN_AGENT": lambda: scene.target.complete(
            f"{id_}-0001"
        ),  # mesos-execute ends with its task
        "v1-GET_AGENTS-agent-killed-2s": lambda: silent(10),
        "v1-GET_AGENTS-unreachable": lambda: silent(100),
        "leader-get-slaves-gone-restarted": lambda: scene.agent(two, expected=REMOVED),
    }
    return scene


def standalone(directory: Path) -> Scene:
    """One master without ZooKeeper."""
    scene = Scene(directory)
    scene.target = scene.master("--cluster=solo")
    return scene


def standalone_nohostname(directory: Path) -> Scene:
    """One master that must look up its name."""
    scene = Scene(directory)
    scene.target = scene.master("--hostname")
    return scene


def nonleader(directory: Path) -> Scene:
    """A standby."""
    scene = Scene(directory)
    scene.master("--cluster=golden", room=scene.room)
    scene.target = scene.master(
        "--cluster=golden",
        "--hostname=127.0.0.2",
        "--quorum=2",
        "--zk=zk://127.0.0.1:2181/mesos",
        room=scene.room,
    )
    return scene


def noquorum(directory: Path) -> Scene:
    """The only running master of three: elected, but its registry has not recovered."""
    scene = Scene(directory)
    scene.target = scene.master(
        "--cluster=golden", "--quorum=2", "--zk=zk://127.0.0.1:2181/mesos", room=scene.room
    )
    return scene


def nozk(directory: Path) -> Scene:
    """A master that has never reached ZooKeeper."""
    scene = nonleader(directory)
    scene.target.group.members = []
    return scene


def extra(directory: Path) -> Scene:
    """Failovers, ids of machines in upper case, agents that are removed or recovered."""
    scene = Scene(directory)
    agents = recorded("extra", "extra-v1-GET_AGENTS-two")["get_agents"]["agents"]
    id_ = agents[0]["agent_info"]["id"]["value"].rpartition("-")[0]
    flags = ("--cluster=golden", "--quorum=1", "--zk=zk://127.0.0.1:2181/mesos")
    leader = scene.target = scene.master(*flags, room=scene.room, id_=id_)
    standbys = [
        scene.master(*flags, f"--hostname=127.0.0.{number}", room=scene.room) for number in (2, 3)
    ]
    # 127.0.0.4 and Host-A.Example
    one, two = sorted(agents, key=lambda agent: agent["agent_info"]["hostname"])

    def join(*agents: dict, again: bool = True) -> None:
        for agent in agents:
            scene.agent(agent)
        for peer in scene.leader.agents.values():
            peer.reregistered = peer.registered if again else None

    def failover(*ending: Master) -> None:
        for master in ending:
            master.stop()
        scene.target = scene.leader

    join(two, one, again=False)
    scene.before = {
        "extra-after-failover-v1-GET_AGENTS-at-once": lambda: failover(leader),
        "extra-v1-GET_AGENTS-two": lambda: join(one, two),
        "extra-get-slaves-agents-killed": lambda: _silence(scene),
        "extra-recovered-get-slaves": lambda: failover(standbys[0]),
        "extra-recovered-agent-back-get-slaves": lambda: join(one),
        "extra-agent-SIGUSR1-get-slaves": lambda: scene.tell(
            "agents", {"info": one["agent_info"]}, method="DELETE"
        ),
    }
    return scene


def _silence(scene: Scene) -> None:
    for peer in scene.leader.agents.values():
        scene.silent(peer)


def crash(directory: Path) -> Scene:
    """A master without any quota."""
    return standalone(directory)


def protected(directory: Path, *flags: str) -> Scene:
    """A master that requires credentials."""
    scene = Scene(directory)
    credentials = directory / "credentials"
    credentials.write_text(CREDENTIALS)
    scene.target = scene.master(
        "--authenticate_http_readwrite", f"--credentials={credentials}", *flags
    )
    return scene


def auth(directory: Path) -> Scene:
    """A master that requires credentials, and lets only admin make changes."""
    flags = (
        "--authenticate_http_readonly",
        "--authenticate_http_frameworks",
        "--http_framework_authenticators=basic",
    )
    scene = protected(directory, *flags, f"--acls={json.dumps(ACLS)}")
    scene.before = {
        "auth-viewer-get-logging_toggle": lambda: scene.target._set_level(0, 0)
    }  # it was set for one second
    return scene


def auth_readwrite(directory: Path) -> Scene:
    """A master that requires credentials for changes only."""
    scene = protected(directory)
    agent = recorded("auth-readwrite", "auth-rwonly-none-get-slaves-after-reserve")["slaves"][0]
    sizes = {"cpus": 4.0, "mem": 2048.0, "disk": 4096.0}
    resources = [
        {"name": name, "type": "SCALAR", "scalar": {"value": value}}
        for name, value in sizes.items()
    ]
    ports = {
        "name": "ports",
        "type": "RANGES",
        "ranges": {"range": [{"begin": 31000, "end": 32000}]},
    }
    reserved = [
        {
            "name": name,
            "type": "SCALAR",
            "scalar": {"value": value},
            "reservations": [{"type": "STATIC", "role": "web"}],
        }
        for name, value in (("cpus", 1.0), ("mem", 512.0))
    ]
    attributes = [
        {"name": "rack", "type": "TEXT", "text": {"value": "r1"}},
        {"name": "zone", "type": "TEXT", "text": {"value": "z1"}},
        {"name": "ssd", "type": "SCALAR", "scalar": {"value": 1.0}},
    ]
    info = {
        "hostname": agent["hostname"],
        "port": agent["port"],
        "id": {"value": agent["id"]},
        "checkpoint": True,
        "attributes": attributes,
        "resources": [*resources, ports, *reserved],
    }
    entry = {
        "agent_info": info,
        "pid": agent["pid"],
        "version": VERSION,
        "capabilities": [{"type": c} for c in agent["capabilities"]],
    }
    before = recorded("auth-readwrite", "auth-rwonly-none-get-state")["recovered_slaves"][0]["id"]

    def join() -> None:
        scene.agent(entry)
        for peer in scene.target.agents.values():
            peer.reregistered = agent.get("reregistered_time")

    scene.target.recovered_agents[before] = {**info, "id": {"value": before}}
    scene.target.maintenance.replace(_SCHEDULE)
    scene.before = {"auth-rwonly-admin-v1-RESERVE_RESOURCES-no-principal": join}
    return scene


def auth_agent(directory: Path) -> Scene:
    """An agent that requires credentials and has no master."""
    scene = Scene(directory)
    credentials = directory / "credentials"
    credentials.write_text(CREDENTIALS)
    flags = (
        "--authenticate_http_readonly",
        "--authenticate_http_readwrite",
        f"--http_credentials={credentials}",
    )
    scene.target = scene.started(_agent(directory, *flags))
    return scene


def auth_standby(directory: Path) -> Scene:
    """A standby that requires credentials."""
    scene = Scene(directory)
    credentials = directory / "credentials"
    credentials.write_text(CREDENTIALS)
    scene.master("--cluster=golden", room=scene.room)
    flags = (
        "--authenticate_http_readonly",
        "--authenticate_http_readwrite",
        f"--credentials={credentials}",
        "--quorum=2",
        "--zk=zk://127.0.0.1:2181/mesos",
        "--hostname=127.0.0.2",
        "--cluster=golden",
    )
    scene.target = scene.master(*flags, room=scene.room)
    return scene


_SCHEDULE = {
    "windows": [
        {
            "machine_ids": [{"hostname": "h", "ip": "10.0.0.1"}],
            "unavailability": {"start": {"nanoseconds": 1900000000000000000}},
        }
    ]
}


def acl(directory: Path) -> Scene:
    """A master with one agent and one framework, which only admin may view."""
    scene = auth(directory)
    responses = [
        recorded("acl", f"acl-admin-v1-GET_{name}")[f"get_{name.lower()}"]
        for name in ("AGENTS", "FRAMEWORKS", "TASKS")
    ]
    scene.populate(*responses)
    for peer in scene.target.agents.values():
        peer.reregistered = None
    scene.target.weights.update(web=2.0)
    scene.target.quotas.update(web={"guarantees": {}, "limits": {"cpus": 2.0}})
    scene.target.maintenance.replace(_SCHEDULE)
    return scene


def zk(directory: Path) -> Scene:
    """Three masters after ZooKeeper was stopped: the leader has ended, the others know none."""
    scene = Scene(directory)
    leader = scene.master(room=scene.room)
    standbys = [scene.master(room=scene.room) for _ in range(2)]
    leader.stop()
    for standby in standbys:
        standby.elected_time, standby.group.members = None, []
    scene.hosts = {
        "127.0.0.1:5050": standbys[0],
        "127.0.0.2:5050": standbys[1],
        "127.0.0.3:5050": leader,
        "127.0.0.4:5051": scene.started(_agent(directory)),
    }
    return scene


def failover(directory: Path) -> Scene:
    """Three masters and two agents. The leader fails, and then the next one."""
    scene = Scene(directory)
    agents = recorded("extra", "extra-v1-GET_AGENTS-two")["get_agents"]["agents"]
    ids = {
        agent["hostname"]: agent
        for agent in recorded("failover", "failover-sigkill-get-slaves")["slaves"]
    }
    flags = ("--cluster=golden", "--quorum=1", "--zk=zk://127.0.0.1:2181/mesos")
    masters = [
        scene.master(*flags, f"--hostname=127.0.0.{n}", f"--ip=127.0.0.{n}", room=scene.room)
        for n in (1, 2, 3)
    ]

    def after(dead: Master) -> None:
        dead.stop()
        scene.target = scene.leader
        for hostname, slave in ids.items():
            entry = next(agent for agent in agents if agent["pid"] == slave["pid"])
            info = {**entry["agent_info"], "hostname": hostname, "id": {"value": slave["id"]}}
            scene.agent({**entry, "agent_info": info})

    scene.before = {
        "failover-sigkill-v1-GET_MASTER": lambda: after(masters[0]),
        "failover-sigterm-v1-GET_MASTER": lambda: after(masters[1]),
    }
    return scene


def _agent(directory: Path, *flags: str, room: MemoryRoom | None = None) -> Agent:
    offer = (
        "--attributes=rack:r1;zone:z1;ssd:1",
        "--resources=cpus:4;mem:2048;disk:4096;ports:[31000-32000];cpus(web):1;mem(web):512",
    )
    local = (
        "--ip=127.0.0.1",
        "--port=0",
        "--hostname=127.0.0.4",
        "--master=zk://127.0.0.1:2181/mesos",
        f"--work_dir={directory / 'agent'}",
        f"--log_dir={directory}/log",
    )
    return Agent([*local, *offer, *flags], None, VERSION, room or MemoryRoom())


def agent(directory: Path) -> Scene:
    """An agent that runs tasks."""
    scene = Scene(directory)
    recorded_tasks = prepared("agent-v1-GET_TASKS")["get_tasks"]
    id_ = recorded_tasks["launched_tasks"][0]["agent_id"]["value"]
    master = scene.master(room=scene.room, id_=id_.rpartition("-")[0])
    daemon = scene.target = scene.started(_agent(directory, room=scene.room))
    _until(lambda: daemon.id)
    assert daemon.id == id_
    frameworks = {
        entry["framework_info"]["id"]["value"]: entry["framework_info"]
        for key in ("frameworks", "completed_frameworks")
        for entry in prepared("agent-v1-GET_FRAMEWORKS")["get_frameworks"].get(key, [])
    }
    for task in (
        *recorded_tasks["launched_tasks"],
        *recorded_tasks["terminated_tasks"],
        *recorded_tasks["completed_tasks"],
    ):
        info = {
            **_info(task),
            "framework": frameworks[task["framework_id"]["value"]],
            "command": {"value": "sleep 100000"},
        }
        daemon.executor.adopt(info, task["statuses"])
    scene.hosts = {"127.0.0.1:5050": master, "127.0.0.4:5051": daemon, "127.0.0.5:5051": daemon}
    return scene


class Start(NamedTuple):
    """A start of an agent with other flags, as recorded: its flags, and the lines that it wrote."""

    flags: list[str]
    is_refused: bool
    output: list[str]


# In the order in which they were recorded.
STARTS = ("attributes", "resources", "resources-additive", "port", "hostname")
RECORDED_WORK_DIR = "/etc/mesos/st/a"
START_FLAGS = ("port", "hostname", "resources", "attributes", "reconfiguration_policy")


def recorded_start(change: str) -> Start:
    """Return the start of an agent after a change of its flags."""
    text = (DATA / f"startup-agent-changed-{change}.txt").read_text()
    head, _, output = text.partition("--- output\n")
    command = head.splitlines()[0]
    flags = [
        word for word in command.split() if word.startswith(tuple(f"--{f}=" for f in START_FLAGS))
    ]
    return Start(flags, "exit code: 1" in head, output.splitlines())


class StartedAgent(Agent):
    """An agent that registers at once."""

    beat = 0.1


class Startup(Scene):
    """A master, and an agent that is started again and again on the same work directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        agent_id = recorded("startup", "startup-slaves-after-agent-changes")["slaves"][0]["id"]
        self.target = self.master("--cluster=golden", room=self.room, id_=agent_id[: -len("-S0")])
        self.work_dir = directory / "a"
        self.port = "0"
        agent = self.start("--resources=cpus:4;mem:2048", "--attributes=rack:r1")
        self.port = str(agent.port)
        agent.stop()

    def start(self, *flags: str) -> Agent:
        """Start the agent, and wait until it is registered. Raises Exit if it refuses."""
        # A port is free for a second start; the other one is never bound for long.
        ports = {"--port=5051": f"--port={self.port}", "--port=5052": "--port=0"}
        # Disk is detected on this machine, and was on the one of the recordings.
        flags = [
            f"{flag};disk:252899" if flag.startswith("--resources") else ports.get(flag, flag)
            for flag in flags
        ]
        if not any(flag.startswith("--port") for flag in flags):
            flags.append(f"--port={self.port}")
        if not any(flag.startswith("--hostname") for flag in flags):
            flags.append("--hostname=127.0.0.4")
        local = ["--ip=127.0.0.1", f"--work_dir={self.work_dir}"]
        agent = StartedAgent([*local, *flags], None, VERSION, self.room)
        for peer in self.target.agents.values():
            self.silent(peer)
        agent.start()
        self.daemons.append(agent)
        peers = self.target.agents
        _until(lambda: agent.id in peers and peers[agent.id].info["resources"] == agent.resources)
        return agent

    def refused(self, change: str) -> str:
        """Return what the agent says when it refuses to start after a change."""
        try:
            self.start(*recorded_start(change).flags)
        except Exit as error:
            return str(error).replace(str(self.work_dir), RECORDED_WORK_DIR)
        raise AssertionError(f"the agent started after a change of its {change}")


def startup(directory: Path) -> Scene:
    """An agent that was started with other flags. Recordings: what the master knows of it then."""
    scene = Startup(directory)

    def change() -> None:
        for name in STARTS:
            if recorded_start(name).is_refused:
                scene.refused(name)
            else:
                scene.start(*recorded_start(name).flags).stop()
        for peer in scene.target.agents.values():
            scene.silent(peer)

    scene.before = {"startup-slaves-after-agent-changes": change}
    return scene


def _until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met within 10 seconds"
        time.sleep(0.02)
