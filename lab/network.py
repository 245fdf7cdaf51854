"""
The network: a bridge that this machine and all hosts of a lab are on. It has no route to other
networks.

The bridge of the default lab is on the machine's own network. That of any other lab is in a network
namespace, which lives as long as the process HOLDER in the lab's control group: nothing is mounted
for it, so it vanishes with the lab's processes.
"""

import contextlib
import ctypes
import ipaddress
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from . import LabError, cgroups, instance

BRIDGE = "mesoslab0"
NETWORK = ipaddress.ip_network("172.31.250.0/24")
MACHINE = "172.31.250.1"
REPOSITORY_PORT = 8888
REPOSITORY_URL = f"http://{MACHINE}:{REPOSITORY_PORT}"

HOLDER = "network_namespace"  # a control group next to those of the hosts; no host has such a name
HOLDER_TIMEOUT = 10  # seconds
CLONE_NEWNET = 0x40000000  # linux/sched.h


def ip(*words: str, check: bool = True) -> bool:
    """Run ``ip``; return whether it succeeded. CalledProcessError if ``check`` and it did not."""
    command = ["ip", *words]
    return subprocess.run(command, capture_output=True, text=True, check=check).returncode == 0


def interface(host: str) -> str:
    """Return the name of the interface between the bridge and a host, as systemd-nspawn sets it."""
    return f"vb-{host}"


def create() -> None:
    """Create the bridge and, if the lab is isolated, its namespace, unless they exist."""
    if instance.isolated and not cgroups.members(HOLDER):
        _start_holder()
    with joined():
        ip("link", "set", "lo", "up")
        if not ip("link", "show", BRIDGE, check=False):
            ip("link", "add", BRIDGE, "type", "bridge")
        ip("address", "replace", f"{MACHINE}/{NETWORK.prefixlen}", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")


def _start_holder() -> None:
    """Start the process that holds the network namespace, and wait until it has entered it."""
    holder = subprocess.Popen(
        ["unshare", "--net", "sleep", "infinity"],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: cgroups.enter(HOLDER),
    )
    machine_namespace = os.readlink("/proc/self/ns/net")
    deadline = time.monotonic() + HOLDER_TIMEOUT
    while os.readlink(f"/proc/{holder.pid}/ns/net") == machine_namespace:
        if holder.poll() is not None or time.monotonic() > deadline:
            raise LabError("cannot create a network namespace: unshare --net failed")
        time.sleep(0.01)


def join() -> None:
    """Move this thread, and what it will start, to the lab's network. LabError if there is none."""
    if instance.isolated:
        _enter(_namespace())


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Join the lab's network temporarily, with this thread and the processes that it starts."""
    if not instance.isolated:
        yield
        return
    descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _enter(_namespace())
        try:
            yield
        finally:
            _setns(descriptor)
    finally:
        os.close(descriptor)


def _namespace() -> Path:
    """Return the file of the lab's namespace."""
    pids = cgroups.members(HOLDER)
    if not pids:
        raise LabError(f"lab '{instance.name}' is not running: it has no network")
    return Path(f"/proc/{min(pids)}/ns/net")


def _enter(namespace: Path) -> None:
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        _setns(descriptor)
    finally:
        os.close(descriptor)


def _setns(descriptor: int) -> None:
    """As ``os.setns`` of Python 3.12: of this thread alone."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "setns")


def remove() -> None:
    """
    Remove the bridge of the default lab. The interfaces of the hosts vanish with the hosts, and a
    namespace with the processes in it.
    """
    ip("link", "delete", BRIDGE, check=False)


def unplug(host: str) -> None:
    """
    Take a host off the bridge.

    It keeps its link and address, and its packets are lost, as with a broken switch.
    """
    ip("link", "set", interface(host), "nomaster")


def plug(host: str) -> None:
    """Put a host back on the bridge."""
    ip("link", "set", interface(host), "master", BRIDGE)


def plugged(host: str) -> bool:
    """Whether a host that is on is on the bridge as well."""
    command = ["ip", "-json", "link", "show", "dev", interface(host)]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return any("master" in link for link in json.loads(output or "[]"))


def forget(host: str) -> None:
    """
    Remove the interface of a host that lost its power.

    The kernel removes it, too, but later, and the name is needed again.
    """
    ip("link", "delete", interface(host), check=False)
