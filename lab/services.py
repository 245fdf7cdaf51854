"""
Whether the services of the hosts answer, and who leads.

They are asked as clients do: over HTTP from this machine, ZooKeeper on its host.
"""

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import LabError, hosts
from .topology import Host, Topology

TIMEOUT = 3  # seconds for one question: a host that is off the network answers none
AT_ONCE = 16  # questions
LEADING = ("leader", "standalone")

# The network of the hosts is this machine's own; a proxy knows nothing of it.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """Whether a service works, and its mode (leader, registered, ...), empty if unknown."""

    host: Host
    role: str
    place: str
    works: bool = False
    mode: str = ""

    @property
    def fine(self) -> bool:
        """Whether it does what the cluster has it for; who leads is another question."""
        return self.works and self.mode not in ("no leader", "not registered")


def get(host: Host, port: int, path: str) -> str | None:
    """Return what a URL of a host answers, None if it does not."""
    try:
        with OPENER.open(f"http://{host.address}:{port}{path}", timeout=TIMEOUT) as reply:
            return reply.read().decode()
    except (OSError, ValueError):
        return None


def on_host(host: Host, command: str) -> str | None:
    """Return what a shell line on a host prints, None if it fails or takes long."""
    with contextlib.suppress(LabError, subprocess.TimeoutExpired):
        done = hosts.execute(
            host.name, ["sh", "-c", command], capture_output=True, text=True, timeout=3 * TIMEOUT
        )
        return None if done.returncode else done.stdout
    return None


def named_leader(host: Host, text: str | None) -> str:
    """Say what a framework's server is that names the leader as host:port."""
    try:
        leader = json.loads(text or "{}")["leader"].rpartition(":")[0]
    except (ValueError, KeyError, AttributeError):
        return "no leader"
    return "leader" if leader in (host.address, host.id, host.name) else "standby"


def zookeeper(host: Host, port: int) -> tuple[bool, str]:
    """The ports of ZooKeeper are for members of the cluster alone, so this machine cannot ask."""
    # Without a newline: ZooKeeper would close the connection without reading it, which may drop the
    # answer.
    response = on_host(host, f"printf srvr | nc -w 2 localhost {port}")
    modes = [
        line.removeprefix("Mode: ")
        for line in (response or "").splitlines()
        if line.startswith("Mode: ")
    ]
    return bool(modes), "".join(modes) or ("no quorum" if response else "")


def mesos_master(host: Host, port: int) -> tuple[bool, str]:
    """A standby redirects to the leader, if it knows one."""
    if get(host, port, "/health") is None:
        return False, ""
    metrics = json.loads(get(host, port, "/metrics/snapshot") or "{}")
    if metrics.get("master/elected"):
        return True, "leader"
    return True, "no leader" if get(host, port, "/state-summary") is None else "standby"


def mesos_slave(host: Host, port: int) -> tuple[bool, str]:
    """An agent works on without a master, for a while."""
    if get(host, port, "/health") is None:
        return False, ""
    metrics = json.loads(get(host, port, "/metrics/snapshot") or "{}")
    return True, "registered" if metrics.get("slave/registered") else "not registered"


def marathon(host: Host, port: int) -> tuple[bool, str]:
    """Every server answers, for the leader."""
    return (
        (True, named_leader(host, get(host, port, "/v2/leader")))
        if get(host, port, "/ping")
        else (False, "")
    )


def chronos(host: Host, port: int) -> tuple[bool, str]:
    """From 3.0 on the API has a version in its paths."""
    if not get(host, port, "/ping"):
        return False, ""
    return True, named_leader(
        host, get(host, port, "/v1/scheduler/leader") or get(host, port, "/scheduler/leader")
    )


def docker(host: Host, _port: int) -> tuple[bool, str]:
    """The socket of dockerd is on its host."""
    return on_host(host, "docker version") is not None, ""


# Role -> port (0: none), whether it has a web page, its check, whether its daemons elect a leader.
SERVICES: dict[str, tuple[int, bool, Callable[[Host, int], tuple[bool, str]], bool]] = {
    "zookeeper": (2181, False, zookeeper, True),
    "mesos-master": (5050, True, mesos_master, True),
    "mesos-slave": (5051, True, mesos_slave, False),
    "marathon": (8080, True, marathon, True),
    "chronos": (4400, True, chronos, True),
    "docker": (0, False, docker, False),
}


def ask_one(topology: Topology, host: Host, role: str) -> Answer:
    """Ask a service of a host."""
    port, browsed, question, _ = SERVICES[role]
    port = topology.ports.get(role, port)
    place = (
        f"http://{host.address}:{port}" if browsed else f"{host.name}:{port}" if port else host.name
    )
    works, mode = question(host, port) if hosts.running(host.name) else (False, "")
    return Answer(host, role, place, works, mode)


def ask(topology: Topology, timeout: float = 0) -> list[Answer]:
    """
    Ask every service of every host, all at once.

    Repeat for up to ``timeout`` seconds while one does not answer or has no leader.
    """
    deadline = time.monotonic() + timeout
    pairs = [(host, role) for host in topology.hosts for role in host.roles if role in SERVICES]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while True:
            answers = list(pool.map(lambda pair: ask_one(topology, *pair), pairs))
            if not troubles(answers) or time.monotonic() > deadline:
                return answers
            time.sleep(0.5)


def leaders(answers: list[Answer]) -> dict[str, list[str]]:
    """Return who leads: role -> names of hosts, for the roles that elect somebody. One is right."""
    return {
        role: [
            answer.host.name for answer in answers if answer.role == role and answer.mode in LEADING
        ]
        for role, (*_, elects) in SERVICES.items()
        if elects and any(answer.role == role for answer in answers)
    }


def troubles(answers: list[Answer]) -> list[str]:
    """Say what keeps the cluster from being whole; an empty list if it is."""
    problems = [
        f"{answer.role} on {answer.host.name}: {answer.mode or 'no answer'}"
        for answer in answers
        if not answer.fine
    ]
    return problems + [
        f"{role}: {'several leaders: ' + ', '.join(names) if names else 'no leader'}"
        for role, names in leaders(answers).items()
        if len(names) != 1
    ]
