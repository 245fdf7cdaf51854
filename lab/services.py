"""
Whether the services of the hosts respond, and which of them are leaders.

The checks send requests as a client does: over HTTP from this machine, or for ZooKeeper and
Docker on the host itself.
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

TIMEOUT = 3  # seconds for a request: a host that is off the network never responds
MAX_CONNECTIONS = 16
LEADING = ("leader", "standalone")

# The network of the hosts is local to this machine; a proxy cannot reach it.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """Whether a service works, and its mode (leader, registered, ...), empty if unknown."""

    host: Host
    role: str
    location: str
    works: bool = False
    mode: str = ""

    @property
    def healthy(self) -> bool:
        """Whether it works and is part of the cluster, as the leader or not."""
        return self.works and self.mode not in ("no leader", "not registered")


def get(host: Host, port: int, path: str) -> str | None:
    """Return the body of a URL of a host, None if there is no response or an error."""
    try:
        with OPENER.open(f"http://{host.address}:{port}{path}", timeout=TIMEOUT) as reply:
            return reply.read().decode()
    except (OSError, ValueError):
        return None


def on_host(host: Host, command: str) -> str | None:
    """Return the output of a shell command on a host, None if it fails or times out."""
    with contextlib.suppress(LabError, subprocess.TimeoutExpired):
        done = hosts.execute(
            host.name, ["sh", "-c", command], capture_output=True, text=True, timeout=3 * TIMEOUT
        )
        return None if done.returncode else done.stdout
    return None


def framework_mode(host: Host, text: str | None) -> str:
    """Return a server's mode from its response, which has the leader as host:port."""
    try:
        leader = json.loads(text or "{}")["leader"].rpartition(":")[0]
    except (ValueError, KeyError, AttributeError):
        return "no leader"
    return "leader" if leader in (host.address, host.id, host.name) else "standby"


def zookeeper(host: Host, port: int) -> tuple[bool, str]:
    """Run on the host: the firewall opens ZooKeeper's ports to members of the cluster only."""
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
    """A standby redirects /state-summary to the leader, if there is one."""
    if get(host, port, "/health") is None:
        return False, ""
    metrics = json.loads(get(host, port, "/metrics/snapshot") or "{}")
    if metrics.get("master/elected"):
        return True, "leader"
    return True, "no leader" if get(host, port, "/state-summary") is None else "standby"


def mesos_slave(host: Host, port: int) -> tuple[bool, str]:
    """An agent keeps working without a master, for a while."""
    if get(host, port, "/health") is None:
        return False, ""
    metrics = json.loads(get(host, port, "/metrics/snapshot") or "{}")
    return True, "registered" if metrics.get("slave/registered") else "not registered"


def marathon(host: Host, port: int) -> tuple[bool, str]:
    """Every server forwards requests to the leader."""
    return (
        (True, framework_mode(host, get(host, port, "/v2/leader")))
        if get(host, port, "/ping")
        else (False, "")
    )


def chronos(host: Host, port: int) -> tuple[bool, str]:
    """From 3.0 on the API has a version in its paths."""
    if not get(host, port, "/ping"):
        return False, ""
    return True, framework_mode(
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


def check_service(topology: Topology, host: Host, role: str) -> Answer:
    """Check a service of a host."""
    port, has_web_page, check, _ = SERVICES[role]
    port = topology.ports.get(role, port)
    location = host.name
    if has_web_page:
        location = f"http://{host.address}:{port}"
    elif port:
        location = f"{host.name}:{port}"
    works, mode = check(host, port) if hosts.running(host.name) else (False, "")
    return Answer(host, role, location, works, mode)


def ask(topology: Topology, timeout: float = 0) -> list[Answer]:
    """
    Check all services of all hosts in parallel.

    Repeat for up to ``timeout`` seconds while one does not respond or has no leader.
    """
    deadline = time.monotonic() + timeout
    pairs = [(host, role) for host in topology.hosts for role in host.roles if role in SERVICES]
    with ThreadPoolExecutor(MAX_CONNECTIONS) as pool:
        while True:
            answers = list(pool.map(lambda pair: check_service(topology, *pair), pairs))
            if not problems(answers) or time.monotonic() > deadline:
                return answers
            time.sleep(0.5)


def leaders(answers: list[Answer]) -> dict[str, list[str]]:
    """Return the leaders, role -> names of hosts, of the roles that elect one."""
    return {
        role: [
            answer.host.name for answer in answers if answer.role == role and answer.mode in LEADING
        ]
        for role, (*_, elects) in SERVICES.items()
        if elects and any(answer.role == role for answer in answers)
    }


def problems(answers: list[Answer]) -> list[str]:
    """Return the problems of the cluster, a sentence each; empty if it is healthy."""
    errors = [
        f"{answer.role} on {answer.host.name}: {answer.mode or 'no answer'}"
        for answer in answers
        if not answer.healthy
    ]
    return errors + [
        f"{role}: {'several leaders: ' + ', '.join(names) if names else 'no leader'}"
        for role, names in leaders(answers).items()
        if len(names) != 1
    ]
