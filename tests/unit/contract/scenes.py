"""The situations in which the recordings were made: fake daemons, brought into the same state over the protocol of their peers."""

import contextlib
import json
import time
from pathlib import Path

import requests

from lab.fakes.mesos.agent import Agent
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
GONE = 410


def exchanges(scene: str) -> list[dict]:
    """The recordings of a scene, in the order in which they were made."""
    return [json.loads(line) for line in (DATA / f"{scene}.jsonl").read_text().splitlines()]


def recorded(scene: str, name: str) -> dict:
    """The answer of one recording."""
    return next(each["json"] for each in exchanges(scene) if each["name"] == name)


def prepared(name: str) -> dict:
    """What a scene needs to know that is the answer of no recording that is replayed."""
    return json.loads((DATA / "scenes.json").read_text())[name]


class Scene:
    """Masters and agents in a state, and what had to happen to them between two recordings (``before``)."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.room, self.daemons = directory, MemoryRoom(), []
        self.asked: object = None  # the daemon that the requests go to
        self.hosts: dict = {}  # where several daemons are asked: by the address in the recording
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

    # --- what peers tell a master ---

    def tell(self, path: str, body: dict, expected: int = 200, method: str = "POST") -> dict:
        """Post as a peer does."""
        answer = requests.request(method, f"{self.leader.url}/fake/{path}", json=body, timeout=5)
        assert answer.status_code == expected, answer.text
        self.alive(*self.leader.agents.values(), *self.leader.frameworks.values())
        return answer.json() if answer.status_code == 200 else {}

    @staticmethod
    def alive(*peers) -> None:
        """Nobody beats here: those that were heard of are heard for ever, but for those that are silent."""
        for peer in peers:
            if peer.heard > time.monotonic() - 1:
                peer.heard = float("inf")

    @staticmethod
    def silent(peer, seconds: float = 10) -> None:
        """A peer was not heard of for some time: with 10 seconds it is inactive, an agent with 100 is gone."""
        peer.heard = time.monotonic() - seconds

    def agent(self, shown: dict, tasks: list[dict] = (), expected: int = 200) -> None:
        """Register an agent that GET_AGENTS showed, with tasks that GET_TASKS showed."""
        reports = [{"info": _info(task), "statuses": task["statuses"]} for task in tasks]
        capabilities = [each["type"] for each in shown["capabilities"]]
        body = {
            "info": shown["agent_info"],
            **{key: shown[key] for key in ("pid", "version")},
            "capabilities": capabilities,
        }
        self.tell("agents", {**body, "tasks": reports}, expected)

    def framework(self, shown: dict) -> None:
        """Register a framework that GET_FRAMEWORKS showed."""
        info = shown["framework_info"]
        capabilities = [each["type"] for each in info.get("capabilities", [])]
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
        """Bring a master into the state that these answers show."""
        now, over = frameworks["frameworks"], frameworks.get("completed_frameworks", [])
        for shown in (*now, *over):
            self.framework(shown)
        kept = {
            each["executor_info"]["executor_id"]["value"]: each["executor_info"]
            for each in (executors or {}).get("executors", [])
        }
        for shown in agents["agents"]:
            mine = [
                task
                for task in (*tasks["tasks"], *tasks["completed_tasks"])
                if task["agent_id"] == shown["agent_info"]["id"]
            ]
            for task in mine:
                executor = task.get("executor_id", {}).get("value")
                if executor in kept:
                    task["executor"] = kept[executor]
            self.agent(shown, mine)
        for shown in over:
            self.leader.complete(shown["framework_info"]["id"]["value"])
        for shown in now:
            if not shown["active"]:
                self.silent(self.leader.frameworks[shown["framework_info"]["id"]["value"]])


def _info(task: dict) -> dict:
    """The TaskInfo of a task that GET_TASKS showed."""
    return {
        key: value
        for key, value in task.items()
        if key
        not in ("state", "statuses", "status_update_state", "status_update_uuid", "executor_id")
    }


def cluster(directory: Path) -> Scene:
    """Three masters, of whom the first leads, two agents, four frameworks; the recordings of leader, v1, old and err."""
    scene = Scene(directory)
    flags = ("--cluster=golden", "--quorum=1", "--zk=zk://127.0.0.1:2181/mesos")
    agents = recorded("cluster", "v1-GET_AGENTS")["get_agents"]
    id_ = agents["agents"][0]["agent_info"]["id"]["value"].rpartition("-")[0]
    scene.asked = scene.master(*flags, room=scene.room, id_=id_)
    one, two = sorted(agents["agents"], key=lambda each: each["agent_info"]["id"]["value"])
    scene.populate(
        agents,
        *(
            recorded("cluster", f"v1-GET_{name}")[f"get_{name.lower()}"]
            for name in ("FRAMEWORKS", "TASKS", "EXECUTORS")
        ),
    )
    for agent in scene.asked.agents.values():
        agent.reregistered = None

    def running(agent: dict) -> list[dict]:
        return [
            {**task.info, "statuses": task.statuses}
            for task in scene.asked.tasks.values()
            if task.agent_id == agent["agent_info"]["id"]["value"] and not task.over
        ]

    def silent(seconds: float) -> None:
        scene.silent(scene.asked.agents[two["agent_info"]["id"]["value"]], seconds)

    def ended() -> None:
        """Agent 1 kills what runs on it, as it is drained, and says so."""
        for task in list(scene.asked.tasks.values()):
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
        "v1-GET_AGENTS-down-agent-restarted": lambda: scene.agent(two, expected=GONE),
        "leader-get-slaves-after-maintenance": lambda: scene.agent(two),
        "v1-GET_AGENTS-drained": ended,
        "v1-REACTIVATE_AGENT-drained": lambda: scene.agent(one),
        "v1-DRAIN_AGENT": lambda: scene.asked.complete(
            f"{id_}-0001"
        ),  # mesos-execute ends with its task
        "v1-GET_AGENTS-agent-killed-2s": lambda: silent(10),
        "v1-GET_AGENTS-unreachable": lambda: silent(100),
        "leader-get-slaves-gone-restarted": lambda: scene.agent(two, expected=GONE),
    }
    return scene


def standalone(directory: Path) -> Scene:
    """One master without ZooKeeper."""
    scene = Scene(directory)
    scene.asked = scene.master("--cluster=solo")
    return scene


def standalone_nohostname(directory: Path) -> Scene:
    """One master that has to look up its name."""
    scene = Scene(directory)
    scene.asked = scene.master("--hostname")
    return scene


def nonleader(directory: Path) -> Scene:
    """A standby."""
    scene = Scene(directory)
    scene.master("--cluster=golden", room=scene.room)
    scene.asked = scene.master(
        "--cluster=golden",
        "--hostname=127.0.0.2",
        "--quorum=2",
        "--zk=zk://127.0.0.1:2181/mesos",
        room=scene.room,
    )
    return scene


def noquorum(directory: Path) -> Scene:
    """The one master of three that is there: elected, and its registry is not recovered."""
    scene = Scene(directory)
    scene.asked = scene.master(
        "--cluster=golden", "--quorum=2", "--zk=zk://127.0.0.1:2181/mesos", room=scene.room
    )
    return scene


def nozk(directory: Path) -> Scene:
    """A master that never saw ZooKeeper."""
    scene = nonleader(directory)
    scene.asked.group.members = []
    return scene


def extra(directory: Path) -> Scene:
    """What survives a failover, ids of machines in other letters, agents that are gone or recovered."""
    scene = Scene(directory)
    shown = recorded("extra", "extra-v1-GET_AGENTS-two")["get_agents"]["agents"]
    id_ = shown[0]["agent_info"]["id"]["value"].rpartition("-")[0]
    flags = ("--cluster=golden", "--quorum=1", "--zk=zk://127.0.0.1:2181/mesos")
    first = scene.asked = scene.master(*flags, room=scene.room, id_=id_)
    other = [
        scene.master(*flags, f"--hostname=127.0.0.{number}", room=scene.room) for number in (2, 3)
    ]
    one, two = sorted(
        shown, key=lambda each: each["agent_info"]["hostname"]
    )  # 127.0.0.4 and Host-A.Example

    def join(*agents: dict, again: bool = True) -> None:
        for agent in agents:
            scene.agent(agent)
        for peer in scene.leader.agents.values():
            peer.reregistered = peer.registered if again else None

    def failover(*ending: Master) -> None:
        for master in ending:
            master.stop()
        scene.asked = scene.leader

    join(two, one, again=False)
    scene.before = {
        "extra-after-failover-v1-GET_AGENTS-at-once": lambda: failover(first),
        "extra-v1-GET_AGENTS-two": lambda: join(one, two),
        "extra-get-slaves-agents-killed": lambda: _silence(scene),
        "extra-recovered-get-slaves": lambda: failover(other[0]),
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
    """A master that asks for credentials."""
    scene = Scene(directory)
    credentials = directory / "credentials"
    credentials.write_text(CREDENTIALS)
    scene.asked = scene.master(
        "--authenticate_http_readwrite", f"--credentials={credentials}", *flags
    )
    return scene


def auth(directory: Path) -> Scene:
    """A master that asks everyone for credentials, and lets only admin change something."""
    flags = (
        "--authenticate_http_readonly",
        "--authenticate_http_frameworks",
        "--http_framework_authenticators=basic",
    )
    scene = protected(directory, *flags, f"--acls={json.dumps(ACLS)}")
    scene.before = {
        "auth-viewer-get-logging_toggle": lambda: scene.asked._set_level(0, 0)
    }  # the second for which it was set is over
    return scene


def auth_readwrite(directory: Path) -> Scene:
    """A master that asks for credentials where something can be changed."""
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
    held = [
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
        "resources": [*resources, ports, *held],
    }
    shown = {
        "agent_info": info,
        "pid": agent["pid"],
        "version": VERSION,
        "capabilities": [{"type": c} for c in agent["capabilities"]],
    }
    before = recorded("auth-readwrite", "auth-rwonly-none-get-state")["recovered_slaves"][0]["id"]

    def join() -> None:
        scene.agent(shown)
        for peer in scene.asked.agents.values():
            peer.reregistered = agent.get("reregistered_time")

    scene.asked.recovered_agents[before] = {**info, "id": {"value": before}}
    scene.asked.maintenance.replace(_SCHEDULE)
    scene.before = {"auth-rwonly-admin-v1-RESERVE_RESOURCES-no-principal": join}
    return scene


def auth_agent(directory: Path) -> Scene:
    """An agent that asks everyone for credentials, and has no master."""
    scene = Scene(directory)
    credentials = directory / "credentials"
    credentials.write_text(CREDENTIALS)
    flags = (
        "--authenticate_http_readonly",
        "--authenticate_http_readwrite",
        f"--http_credentials={credentials}",
    )
    scene.asked = scene.started(_agent(directory, *flags))
    return scene


def auth_standby(directory: Path) -> Scene:
    """A standby that asks everyone for credentials."""
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
    scene.asked = scene.master(*flags, room=scene.room)
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
    """A master on which only admin sees the frameworks; with one agent and one framework."""
    scene = auth(directory)
    shown = [
        recorded("acl", f"acl-admin-v1-GET_{name}")[f"get_{name.lower()}"]
        for name in ("AGENTS", "FRAMEWORKS", "TASKS")
    ]
    scene.populate(*shown)
    for peer in scene.asked.agents.values():
        peer.reregistered = None
    scene.asked.weights.update(web=2.0)
    scene.asked.quotas.update(web={"guarantees": {}, "limits": {"cpus": 2.0}})
    scene.asked.maintenance.replace(_SCHEDULE)
    return scene


def zk(directory: Path) -> Scene:
    """Three masters whose ZooKeeper was stopped: the leader is gone, the others know of none."""
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
    """Three masters and two agents; the leader dies, and the next one, too."""
    scene = Scene(directory)
    shown = recorded("extra", "extra-v1-GET_AGENTS-two")["get_agents"]["agents"]
    ids = {
        each["hostname"]: each
        for each in recorded("failover", "failover-sigkill-get-slaves")["slaves"]
    }
    flags = ("--cluster=golden", "--quorum=1", "--zk=zk://127.0.0.1:2181/mesos")
    masters = [
        scene.master(*flags, f"--hostname=127.0.0.{n}", f"--ip=127.0.0.{n}", room=scene.room)
        for n in (1, 2, 3)
    ]

    def after(dead: Master) -> None:
        dead.stop()
        scene.asked = scene.leader
        for hostname, slave in ids.items():
            like = next(each for each in shown if each["pid"] == slave["pid"])
            info = {**like["agent_info"], "hostname": hostname, "id": {"value": slave["id"]}}
            scene.agent({**like, "agent_info": info})

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
    shown = prepared("agent-v1-GET_TASKS")["get_tasks"]
    id_ = shown["launched_tasks"][0]["agent_id"]["value"]
    master = scene.master(room=scene.room, id_=id_.rpartition("-")[0])
    found = scene.asked = scene.started(_agent(directory, room=scene.room))
    _until(lambda: found.id)
    assert found.id == id_
    frameworks = {
        each["framework_info"]["id"]["value"]: each["framework_info"]
        for key in ("frameworks", "completed_frameworks")
        for each in prepared("agent-v1-GET_FRAMEWORKS")["get_frameworks"].get(key, [])
    }
    for task in (*shown["launched_tasks"], *shown["terminated_tasks"], *shown["completed_tasks"]):
        info = {
            **_info(task),
            "framework": frameworks[task["framework_id"]["value"]],
            "command": {"value": "sleep 100000"},
        }
        found.executor.adopt(info, task["statuses"])
    scene.hosts = {"127.0.0.1:5050": master, "127.0.0.4:5051": found, "127.0.0.5:5051": found}
    return scene


def _until(question) -> None:
    deadline = time.monotonic() + 10
    while not question():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
