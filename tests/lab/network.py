"""The network: a bridge that this machine and all hosts are on. Nothing leads from it to other networks."""

import ipaddress
import subprocess
from pathlib import Path

BRIDGE = "mesoslab0"
NETWORK = ipaddress.ip_network("172.31.250.0/24")
MACHINE = "172.31.250.1"
REPOSITORY_PORT = 8888
REPOSITORY_URL = f"http://{MACHINE}:{REPOSITORY_PORT}"


def ip(*words: str, check: bool = True) -> bool:
    """Run ``ip``; return whether it succeeded. CalledProcessError if it must and does not."""
    return (
        subprocess.run(["ip", *words], capture_output=True, text=True, check=check).returncode == 0
    )


def port_of(host: str) -> str:
    """Return the name of the network interface that leads from the bridge to a host; systemd-nspawn names it so."""
    return f"vb-{host}"


def create() -> None:
    """Make the bridge, unless it is there."""
    if not ip("link", "show", BRIDGE, check=False):
        ip("link", "add", BRIDGE, "type", "bridge")
    ip("address", "replace", f"{MACHINE}/{NETWORK.prefixlen}", "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")


def remove() -> None:
    """Remove the bridge. The interfaces of the hosts go with the hosts."""
    ip("link", "delete", BRIDGE, check=False)


def unplug(host: str) -> None:
    """Take a host off the bridge. It keeps its link and address, and its packets go nowhere, as with a dead switch."""
    ip("link", "set", port_of(host), "nomaster")


def plug(host: str) -> None:
    """Put a host back on the bridge."""
    ip("link", "set", port_of(host), "master", BRIDGE)


def plugged(host: str) -> bool:
    """Whether a host that is on is on the bridge as well."""
    return Path(f"/sys/class/net/{port_of(host)}/master").exists()


def forget(host: str) -> None:
    """Remove what is left of a host that lost its power: the kernel takes its time, and the name is needed again."""
    ip("link", "delete", port_of(host), check=False)
