"""
The lab: hosts that run on this machine as a rack would hold them, each with systemd, a network address and a disk.

    cli        the command ``lab``: what there is to say to it
    machine    can this machine boot hosts, and what must be installed for it
    topology   which hosts there are: a table of the lab's own, or the one in pillar
    rootfs     the disk image of a bare host: Debian underneath, CentOS 7 to Salt and yum
    platforms  what is different of the image where a host looks like EL8 or EL9
    saltenv    Salt for the hosts, as the vendor's packages lay it out, and for this machine
    packages   the yum repository
    server     hands the repository out over HTTP
    network    the bridge between the hosts
    cgroups    which processes belong to which host
    hosts      boot a host, run commands on it, cut its power or its network
    ssh        hosts without Salt, and salt-ssh, which brings it
    cluster    Salt on top: keys, pillar, roles, ``state.apply``
    services   do the services answer, and who leads
    plan       what each node would get, without any host
    steps      progress on the screen, output in logs

Everything generated lies below ``build``: ``build/cache`` is kept, ``build/lab`` is the lab that runs.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
CACHE = BUILD / "cache"
RUN = BUILD / "lab"
LOGS = BUILD / "logs"
SALT_LINES = ("3008", "3006")
DOORS = ("minion", "ssh")


class LabError(Exception):
    """What the user should read: what went wrong, the log that says more if there is one, and the exit code."""

    def __init__(self, message: str, log: Path | None = None, code: int = 1):
        super().__init__(message)
        self.log = log
        self.code = code
