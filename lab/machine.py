"""Whether this machine can boot hosts, and the Debian packages that it needs for that."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from . import BUILD, LabError, packages
from .steps import Report, locked, run

DEBIAN_PACKAGES = [
    "systemd-container",
    "mmdebstrap",
    "iproute2",
    "util-linux",
    "python3-venv",
    "openssh-client",
]
MIN_FREE_DISK = 4  # GiB: the cache and one host, with some reserve
# Three labs of eight hosts have about 200 instances. systemd ends without a word if it gets none.
INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
MIN_INOTIFY_INSTANCES = 1024
CAP_NET_ADMIN, CAP_SYS_CHROOT, CAP_SYS_ADMIN, CAP_MKNOD = 12, 18, 21, 27  # linux/capability.h


def obstacles() -> list[str]:
    """Return the reasons why this machine cannot boot hosts, a sentence each; empty if it can."""
    problems = []
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return [
            f"the hosts need Linux on x86_64, this is {platform.system()} on {platform.machine()}"
        ]
    if distribution() != ("debian", "12"):
        problems.append(f"the lab is made for Debian 12, this is {' '.join(distribution())}")
    if os.geteuid():
        return [*problems, "only root can boot hosts"]
    missing_capabilities = [
        name
        for name, number in (
            ("CAP_SYS_ADMIN", CAP_SYS_ADMIN),
            ("CAP_NET_ADMIN", CAP_NET_ADMIN),
            ("CAP_SYS_CHROOT", CAP_SYS_CHROOT),
            ("CAP_MKNOD", CAP_MKNOD),
        )
        if not capabilities() >> number & 1
    ]
    if missing_capabilities:
        problems.append(
            f"root lacks {', '.join(missing_capabilities)}, as in an unprivileged container"
        )
    if not os.access("/sys/fs/cgroup", os.W_OK):
        problems.append("/sys/fs/cgroup is not writable, so hosts cannot have control groups")
    if filesystem(BUILD.parent) in ("overlay", "nfs", "nfs4", "9p", "vboxsf"):
        problems.append(
            f"{BUILD} is on {filesystem(BUILD.parent)}, which overlayfs does not support for the "
            "disks of hosts"
        )
    if shutil.disk_usage(BUILD.parent).free < MIN_FREE_DISK << 30 and not BUILD.exists():
        problems.append(f"less than {MIN_FREE_DISK} GiB free for {BUILD}")
    return problems


def distribution() -> tuple[str, str]:
    """Return ID and VERSION_ID of /etc/os-release."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "an unknown distribution", ""
    return release["ID"], release.get("VERSION_ID", "")


def capabilities() -> int:
    """Return the effective capabilities of this process as the kernel's bit set."""
    status = Path("/proc/self/status").read_text()
    return int(
        next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[1], 16
    )


def filesystem(path: Path) -> str:
    """Return the type of the file system that a path lies on."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    above = [mount for mount in mounts if path.is_relative_to(mount[1])]
    return max(above, key=lambda mount: len(mount[1]))[2]


def install(report: Report) -> None:
    """Install the missing Debian packages that the lab needs."""
    with locked("apt"):
        missing = _missing_packages()
        if not missing:
            return
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        report("apt-get update")
        run(["apt-get", "update"], "apt", env=quiet)
        report(f"apt-get install {' '.join(missing)}")
        install = ["apt-get", "install", "--yes", "--no-install-recommends"]
        run([*install, *missing], "apt", env=quiet)


def raise_limits() -> None:
    """Let root have enough inotify instances for all labs. LabError if the kernel refuses."""
    current = int(INOTIFY_INSTANCES.read_text())
    if current >= MIN_INOTIFY_INSTANCES:
        return
    try:
        INOTIFY_INSTANCES.write_text(str(MIN_INOTIFY_INSTANCES))
    except OSError as error:
        raise LabError(
            f"fs.inotify.max_user_instances is {current}, the hosts need {MIN_INOTIFY_INSTANCES}, "
            f"and it cannot be raised here: {error.strerror}. Run "
            f"`sysctl fs.inotify.max_user_instances={MIN_INOTIFY_INSTANCES}` where it can"
        ) from error


def _missing_packages() -> list[str]:
    """Return the Debian packages that are to be installed."""
    required = {*DEBIAN_PACKAGES, *packages.DEBIAN_PACKAGES}
    status = "${Package} ${db:Status-Status}\n"
    query = ["dpkg-query", "--show", f"--showformat={status}", *required]
    lines = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    return sorted(required - {line.split()[0] for line in lines if line.endswith(" installed")})


def check() -> None:
    """Raise LabError with all obstacles, and with what to do instead."""
    problems = obstacles()
    if problems:
        reasons = "".join(f"\n  - {reason}" for reason in problems)
        raise LabError(
            f"This machine cannot boot the lab's hosts:{reasons}\n"
            "`make plan` shows what each node would get, without hosts. To boot hosts, run "
            "`make up` as root in a virtual machine with Debian 12, 2 CPUs, 4 GiB of memory and "
            "10 GiB of disk.",
            code=2,
        )
