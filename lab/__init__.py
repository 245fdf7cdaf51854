"""
The lab: hosts that run on this machine like servers in a rack, each with systemd, a network
address and a disk.

    cli        the command ``lab``
    machine    whether this machine can boot hosts, and the packages that it needs for that
    topology   the hosts: from a file of the lab, or from the topology in pillar
    rootfs     the disk image of a bare host: Debian underneath, CentOS 7 to Salt and yum
    platforms  the differences of hosts that look like EL8 or EL9
    saltenv    Salt for the hosts, as the vendor's packages lay it out, and for this machine
    packages   the yum repository
    server     serves the repository over HTTP
    network    the bridge between the hosts
    cgroups    the processes of each host
    hosts      boot a host, run commands on it, cut its power or its network
    ssh        hosts without Salt, and salt-ssh, which brings it
    cluster    Salt on top: keys, pillar, roles, ``state.apply``
    services   whether the services respond, and their leaders
    plan       the states and files of each node, without any host
    salt_cache what Salt need not repeat for each minion of one process
    steps      progress on the screen, output in logs

Several labs can run side by side, each with a name and, but for the default one, a network
namespace of its own in which it has the same addresses. ``instance`` is the lab that this process
works on.

Generated files lie below ``build``: ``build/cache`` is kept, ``build/labs/NAME`` is the lab of that
name while it runs, ``build/logs/NAME`` its logs.
"""

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
CACHE = BUILD / "cache"
SALT_LINES = ("3008", "3006")
TRANSPORTS = ("minion", "ssh")
DEFAULT_NAME = "default"


class LabError(Exception):
    """An error for the user: the message, the log with details if there is one, the exit code."""

    def __init__(self, message: str, log: Path | None = None, code: int = 1):
        super().__init__(message)
        self.log = log
        self.code = code


class Instance:
    """
    One of the labs on this machine: its name and its directories.

    ``$LAB_NAME`` or ``lab --name`` select it. The default lab is on the machine's own network, so
    that its hosts can be reached from everywhere on the machine; any other has a namespace.
    """

    def __init__(self, name: str):
        self.select(name)

    def select(self, name: str) -> None:
        """Work on the lab of this name from now on. LabError if it cannot be a name."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,19}", name):
            raise LabError(
                f"lab name '{name}': should be 1 to 20 lower-case letters, digits and hyphens",
                code=2,
            )
        self.name = name

    @property
    def isolated(self) -> bool:
        """Whether the lab has a network namespace of its own."""
        return self.name != DEFAULT_NAME

    @property
    def run(self) -> Path:
        """The directory of the running lab."""
        return BUILD / "labs" / self.name

    @property
    def logs(self) -> Path:
        """The directory of its logs."""
        return BUILD / "logs" / self.name

    @property
    def command(self) -> str:
        """How a user calls the command ``lab`` for it."""
        return f".venv/bin/lab --name {self.name}" if self.isolated else ".venv/bin/lab"


instance = Instance(os.environ.get("LAB_NAME") or DEFAULT_NAME)
