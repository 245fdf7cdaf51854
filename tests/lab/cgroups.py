"""
Which processes belong to the lab: those in the control group ``mesoslab/<host>``.

The kernel keeps this record, so it holds after any crash, and no process of anyone else can be in it. Both hierarchies
are served: version 2 (an ordinary Debian 12) and the separate controllers of version 1.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from . import LabError

TOP = "mesoslab"
MOUNT = Path("/sys/fs/cgroup")
PATIENCE = 20  # seconds for killed processes to go


def hierarchies() -> list[Path]:
    """Return the roots of the control group hierarchies: one of version 2, or one a controller."""
    if (MOUNT / "cgroup.controllers").exists():
        return [MOUNT]
    return [
        path
        for path in MOUNT.iterdir()
        if (path / "cgroup.procs").exists() and not path.is_symlink()
    ]


def enter(name: str) -> None:
    """Move the calling process, and thereby all that it will start, into the group of a host."""
    for root in hierarchies():
        group = root
        for part in (TOP, name):
            above, group = group, group / part
            group.mkdir(exist_ok=True)
            if (above / "cgroup.subtree_control").exists():
                for controller in (above / "cgroup.controllers").read_text().split():
                    with contextlib.suppress(
                        OSError
                    ):  # one that cannot be delegated here is one that hosts do without
                        (above / "cgroup.subtree_control").write_text(f"+{controller}")
            for setting in (
                "cpuset.cpus",
                "cpuset.mems",
            ):  # version 1: a new group has none and takes no process
                if root != MOUNT and (group / setting).exists():
                    (group / setting).write_text((above / setting).read_text())
        (group / "cgroup.procs").write_text(str(os.getpid()))


def members(name: str = "") -> set[int]:
    """Return the pids in a host's group and below; without a name, those of the whole lab."""
    pids = set()
    for root in hierarchies():
        for group, *_ in os.walk(root / TOP / name):  # which bears with groups that go meanwhile
            with contextlib.suppress(OSError):
                pids.update(int(pid) for pid in Path(group, "cgroup.procs").read_text().split())
    return pids - {0}


def names() -> set[str]:
    """Return the names of the groups that hold processes."""
    found = {path.name for root in hierarchies() for path in (root / TOP).glob("*/")}
    return {name for name in found if members(name)}


def kill(name: str = "") -> None:
    """End every process of a host, or of the lab, at once, and remove the groups. LabError if one does not go."""
    deadline = time.monotonic() + PATIENCE
    while groups := [root / TOP / name for root in hierarchies() if (root / TOP / name).exists()]:
        for pid in members(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for group in groups:
            for path, *_ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):  # not yet empty
                    os.rmdir(path)
        if time.monotonic() > deadline:
            raise LabError(f"processes that cannot be killed: {sorted(members(name))}, in {groups}")
        time.sleep(0.05)
