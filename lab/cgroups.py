"""
Which processes belong to a lab: those in the control group ``mesoslab/<lab>/<host>``.

The kernel keeps this record, so it survives any crash, and no other process can be in it. Both
hierarchies are supported: version 2 (an ordinary Debian 12) and the separate controllers of
version 1.
"""

import contextlib
import errno
import os
import signal
import time
from pathlib import Path

from . import LabError, instance

TOP = "mesoslab"
MOUNT = Path("/sys/fs/cgroup")
KILL_TIMEOUT = 20  # seconds
ENTER_ATTEMPTS = 10
# All labs together count as eight processes of this machine, not as one: 8 times the default share.
CPU_SHARES = {"cpu.shares": "8192", "cpu.weight": "800"}  # version 1, version 2


def hierarchies() -> list[Path]:
    """Return the roots of the control group hierarchies: one of version 2, or one a controller."""
    if (MOUNT / "cgroup.controllers").exists():
        return [MOUNT]
    if not MOUNT.is_dir():
        return []
    roots = (path for path in MOUNT.iterdir() if not path.is_symlink())
    return [path for path in roots if (path / "cgroup.procs").exists()]


def groups(host: str = "", lab: str | None = None) -> list[Path]:
    """
    Return the directories of a host's group, one a hierarchy, whether they exist or not.

    Without a host those of the lab; without a lab (``lab=""``) those of all labs. By default the
    lab is the one that this process works on.
    """
    name = instance.name if lab is None else lab
    return [root / TOP / name / host for root in hierarchies()]


def enter(host: str) -> None:
    """Move the calling process, and thereby all that it will start, into the group of a host."""
    for root, group in zip(hierarchies(), groups(host), strict=True):
        for attempt in range(ENTER_ATTEMPTS):
            try:
                _enter_group(root, group)
                break
            except OSError as error:
                # `lab down` of another lab may just have removed the group of all labs.
                is_removed = error.errno in (errno.ENOENT, errno.ENODEV)
                if not is_removed or attempt == ENTER_ATTEMPTS - 1:
                    raise


def _enter_group(root: Path, group: Path) -> None:
    """Create the group of a host in one hierarchy, and move the calling process there."""
    for directory in (root / TOP, root / TOP / instance.name, group):
        directory.mkdir(exist_ok=True)
        _delegate(directory.parent, root)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # Version 1: a new group has none of these and takes no process.
            if root != MOUNT and (directory / setting).exists():
                (directory / setting).write_text((directory.parent / setting).read_text())
    for setting, share in CPU_SHARES.items():
        if (root / TOP / setting).exists():
            (root / TOP / setting).write_text(share)
    (group / "cgroup.procs").write_text(str(os.getpid()))


def _delegate(directory: Path, root: Path) -> None:
    """Version 2: let the groups below a directory use its controllers."""
    if root == MOUNT and (directory / "cgroup.subtree_control").exists():
        for controller in (directory / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):  # hosts do without one that cannot be delegated
                (directory / "cgroup.subtree_control").write_text(f"+{controller}")


def members(host: str = "", lab: str | None = None) -> set[int]:
    """Return the pids in these groups and below; the arguments are those of ``groups``."""
    pids = set()
    for top in groups(host, lab):
        for directory, *_ in os.walk(top):  # ignores groups that have vanished
            with contextlib.suppress(OSError):
                pids.update(int(pid) for pid in Path(directory, "cgroup.procs").read_text().split())
    return pids - {0}


def labs() -> set[str]:
    """Return the names of the labs that have processes."""
    names = {path.name for top in groups(lab="") for path in top.glob("*/")}
    return {name for name in names if members(lab=name)}


def kill(host: str = "", lab: str | None = None) -> None:
    """Kill every process in these groups and remove the groups. LabError if one does not end."""
    deadline = time.monotonic() + KILL_TIMEOUT
    while remaining := [group for group in groups(host, lab) if group.exists()]:
        for pid in members(host, lab):
            _kill_member(pid, host, lab)
        for group in remaining:
            for directory, *_ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):  # not yet empty
                    os.rmdir(directory)
        if time.monotonic() > deadline:
            pids = sorted(members(host, lab))
            raise LabError(f"processes that cannot be killed: {pids}, in {remaining}")
        time.sleep(0.05)


def _kill_member(pid: int, host: str, lab: str | None) -> None:
    """
    Kill a process if it is still a member of these groups.

    Hundreds of processes end at the same moment, and the kernel gives their pids to others before
    all are killed here. A thread can get one as well: ``os.kill`` would end its whole process.
    """
    name = "/".join(filter(None, (TOP, instance.name if lab is None else lab, host)))
    with contextlib.suppress(OSError):  # it has ended, or the pid is that of a thread
        process = os.pidfd_open(pid)
        try:
            paths = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
            if any(f"/{name}/" in f"{path}/" for path in paths):
                signal.pidfd_send_signal(process, signal.SIGKILL)
        finally:
            os.close(process)


def prune() -> None:
    """Remove the group of all labs if there is no lab in it."""
    for top in groups(lab=""):
        with contextlib.suppress(OSError):  # another lab runs or starts
            os.rmdir(top)
