"""
Hosts: systemd in namespaces of its own (systemd-nspawn), on a disk that outlives a power failure.

The disk of a host is what it changed of the image: an overlay, mounted in a mount namespace that only the host's
processes are in. When they are gone the mount is gone; this machine never sees it.
"""

import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path

from . import LOGS, RUN, LabError, cgroups, network
from .topology import Host

DISKS = RUN / "hosts"
BOOT = 60  # seconds that a host may take to boot
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

# $1 image, $2 directory of the host, the rest: systemd-nspawn and its arguments.
START = """
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root" && shift 2 && exec "$@"
"""


def make_disk(host: Host, neighbours: list[Host], files: dict[str, str], units: list[str]) -> None:
    """Make a fresh disk: who the host is and who is beside it, further files (path -> contents), units to start."""
    home = DISKS / host.name
    for directory in ("upper", "work", "root", "docker"):
        (home / directory).mkdir(parents=True)
    names = "".join(f"{neighbour.address} {neighbour.name}\n" for neighbour in neighbours)
    interface = {"DEVICE": "eth0", "IPADDR": host.address, "PREFIX": network.NETWORK.prefixlen,
                 "GATEWAY": network.MACHINE}
    own = {
        "etc/hostname": f"{host.name}\n",
        "etc/hosts": f"127.0.0.1 localhost localhost.localdomain\n{names}",
        "etc/machine-id": f"{uuid.uuid4().hex}\n",
        "etc/resolv.conf": "",
        "etc/sysconfig/network-scripts/ifcfg-eth0": "".join(f"{key}={value}\n" for key, value in interface.items()),
    }
    for path, contents in (own | files).items():
        target = home / "upper" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(contents)
        target.chmod(0o600 if path.endswith(".pem") else 0o644)
    wants = home / "upper/etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    for unit in units:
        (wants / f"{unit}.service").symlink_to(f"/usr/lib/systemd/system/{unit}.service")


def boot(name: str, image: Path, binds: dict[str, Path]) -> None:
    """
    Boot a host that has a disk, and wait until systemd has started what it should.

    ``binds`` are directories that the host sees read-only: its path -> ours. LabError, with the console's log, if it
    does not boot within BOOT seconds. A host that runs is left alone.
    """
    if running(name):
        return
    cgroups.kill(name)  # what a crash left
    network.forget(name)
    home, console = DISKS / name, LOGS / f"console-{name}.log"
    nspawn = [
        "systemd-nspawn", "--quiet", "--boot", f"--directory={home}/root", f"--machine={name}", "--console=pipe",
        "--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=off", "--timezone=off",
        f"--network-bridge={network.BRIDGE}",
        # dockerd needs nearly all; the clock is this machine's and no host's business.
        "--capability=all", "--drop-capability=CAP_SYS_TIME", "--system-call-filter=add_key keyctl bpf",
        f"--bind={home}/docker:/var/lib/docker",  # overlayfs cannot lie on overlayfs
        *(f"--bind-ro={ours}:{theirs}:norbind" for theirs, ours in binds.items()),
    ]
    LOGS.mkdir(parents=True, exist_ok=True)
    with console.open("a") as output:
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", START, "sh", image, home, *nspawn], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=lambda: cgroups.enter(name))
    deadline = time.monotonic() + BOOT
    while (state := systemd_state(name)) not in ("running", "degraded"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise LabError(f"{name} did not boot: {state or 'no systemd'}", console)
        time.sleep(0.1)


def leader(name: str) -> int | None:
    """Return the pid of a host's systemd as this machine counts, None if the host is off."""
    for pid in cgroups.members(name):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:  # it just ended
            continue
        pids = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
        if len(pids) == 2 and pids[-1] == "1":
            return int(pids[0])
    return None


def running(name: str) -> bool:
    """Whether a host is on."""
    return leader(name) is not None


def systemd_state(name: str) -> str:
    """Return what the systemd of a host says of it: running, degraded, starting, ...; empty if there is none."""
    if not running(name):
        return ""
    return execute(name, ["systemctl", "is-system-running"], capture_output=True, text=True).stdout.strip()


def execute(name: str, command: list[str], **options) -> subprocess.CompletedProcess:
    """Run a command on a host as root; options are those of subprocess.run. LabError if the host is off."""
    pid = leader(name)
    if pid is None:
        raise LabError(f"{name} is off; `lab start {name}` boots it")
    environment = {"PATH": PATH, "HOME": "/root", "LANG": "en_US.UTF-8", "TERM": os.environ.get("TERM", "dumb")}
    nsenter = [shutil.which("nsenter") or "nsenter", f"--target={pid}", "--all", "--", *command]
    return subprocess.run(nsenter, env=environment, check=False, **options)


def spawn(name: str, command: list[str], log: str) -> None:
    """Start a program of the lab on this machine that stays, and that ``lab down`` ends as it ends hosts."""
    with (LOGS / f"{log}.log").open("a") as output:
        subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                         preexec_fn=lambda: cgroups.enter(name))


def power_off(name: str) -> None:
    """Cut a host's power: nothing on it has a chance to tidy up."""
    cgroups.kill(name)
    network.forget(name)


def remove_disks() -> None:
    """Throw the disks of all hosts away."""
    shutil.rmtree(DISKS, ignore_errors=True)


def exit_code(done: subprocess.CompletedProcess) -> int:
    """Return a process's exit code as a shell has it: 128 + number of the signal that ended it."""
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


