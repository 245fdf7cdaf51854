"""
Hosts: each is a systemd in its own namespaces (systemd-nspawn), with a disk that survives a power
failure.

The disk of a host is an overlay over the image and the layer of its platform. It is mounted only in
the mount namespace of the host's processes, so it is unmounted when they end.
"""

import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path

from . import LabError, cgroups, instance, network
from .steps import Report
from .topology import Host

COMMANDS = "commands"  # the control group of commands that `execute` runs, below the host's
BOOT_TIMEOUT = 300  # seconds
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

# $1 lower directories of the disk, $2 directory of the host, then systemd-nspawn and its arguments.
START = """
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root" &&
shift 2 && exec "$@"
"""


def disk(name: str) -> Path:
    """Return the directory of a host: ``upper``, ``work``, ``root`` of its overlay, ``docker``."""
    return instance.run / "hosts" / name


def has_disk(name: str) -> bool:
    """Return whether a host has a disk."""
    return disk(name).exists()


def make_disk(host: Host, files: dict[str, str], units: list[str]) -> None:
    """
    Make a fresh disk with the host's identity, further files (path -> contents) and enabled units.

    An older disk is deleted.
    """
    home = disk(host.name)
    shutil.rmtree(home, ignore_errors=True)
    for directory in ("upper", "work", "root", "docker"):
        (home / directory).mkdir(parents=True)
    interface = {
        "DEVICE": "eth0",
        "IPADDR": host.address,
        "PREFIX": network.NETWORK.prefixlen,
        "GATEWAY": network.MACHINE,
    }
    identity = {
        "etc/hostname": f"{host.id}\n",
        "etc/machine-id": f"{uuid.uuid4().hex}\n",
        "etc/resolv.conf": "",
        "etc/sysconfig/network-scripts/ifcfg-eth0": "".join(
            f"{key}={value}\n" for key, value in interface.items()
        ),
    }
    for path, contents in (identity | files).items():
        write(host.name, path, contents)
    wants = home / "upper/etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    for unit in units:
        (wants / f"{unit}.service").symlink_to(f"/usr/lib/systemd/system/{unit}.service")


def write(name: str, path: str, contents: str) -> None:
    """Write a file on a host, whether it is on or off. The path is relative to its root."""
    mode = 0o644
    if path.endswith((".pem", "_key")):
        mode = 0o600
    elif "bin" in Path(path).parts:
        mode = 0o755
    if running(name):
        done = execute(
            name,
            ["install", "-D", f"--mode={mode:o}", "/dev/stdin", f"/{path}"],
            input=contents,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise LabError(f"{name}: /{path} cannot be written: {done.stderr.strip()}")
        return
    target = disk(name) / "upper" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # a removed file of the image is a device in the overlay
    target.write_text(contents)
    target.chmod(mode)


def start(name: str, below: str, binds: dict[str, Path]) -> subprocess.Popen | None:
    """
    Power up a host that has a disk. Returns None, and does nothing, if the host is on.

    ``below`` are the lower directories of its disk, ``binds`` are directories that the host sees
    read-only: path in the host -> path on this machine.
    """
    if running(name):
        return None
    cgroups.kill(name)  # processes that a crash left behind
    network.forget(name)
    home = disk(name)
    nspawn = [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        f"--directory={home}/root",
        f"--machine={name}",
        "--console=pipe",
        "--register=no",
        "--keep-unit",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        f"--network-bridge={network.BRIDGE}",
        # dockerd needs nearly all capabilities; no host may set the clock of this machine.
        "--capability=all",
        "--drop-capability=CAP_SYS_TIME",
        "--system-call-filter=add_key keyctl bpf",
        f"--bind={home}/docker:/var/lib/docker",  # overlayfs cannot lie on overlayfs
        *(f"--bind-ro={source}:{target}:norbind" for target, source in binds.items()),
    ]
    instance.logs.mkdir(parents=True, exist_ok=True)
    with console(name).open("a") as output:
        return subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", START, "sh", below, home, *nspawn],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=lambda: cgroups.enter(name),
        )


def await_boot(
    started: dict[str, subprocess.Popen | None], report: Report = lambda _text: None
) -> None:
    """
    Wait until the systemd of started hosts has started its units.

    Raises LabError, with the console log, if a host has not booted within BOOT_TIMEOUT seconds.
    """
    deadline = time.monotonic() + BOOT_TIMEOUT
    pending = dict(started)
    while pending:
        report(f"waiting for {', '.join(pending)}")
        for name, process in list(pending.items()):
            state = systemd_state(name)
            if state in ("running", "degraded"):
                del pending[name]
            elif process and process.poll() is not None:
                raise LabError(
                    f"{name} did not boot: systemd-nspawn ended with {process.returncode}. "
                    f"Its last lines: {last_lines(name)}",
                    console(name),
                )
            elif time.monotonic() > deadline:
                raise LabError(f"{name} did not boot: {state or 'no systemd'}", console(name))
        time.sleep(0.1)


def console(name: str) -> Path:
    """Return the log with the output of a host while it booted."""
    return instance.logs / f"console-{name}.log"


def last_lines(name: str) -> str:
    """Return the end of what a host printed while it booted."""
    return "".join(f"\n  {line}" for line in console(name).read_text().splitlines()[-3:])


def leader(name: str) -> int | None:
    """Return the pid of a host's systemd on this machine, None if the host is off."""
    for pid in cgroups.members(name):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:  # the process has just ended
            continue
        pids = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
        if len(pids) == 2 and pids[-1] == "1":
            return int(pids[0])
    return None


def running(name: str) -> bool:
    """Return whether a host is on."""
    return leader(name) is not None


def systemd_state(name: str) -> str:
    """Return the state of a host's systemd: running, degraded, ...; empty if it is off."""
    if not running(name):
        return ""
    try:
        return execute(
            name, ["systemctl", "is-system-running"], capture_output=True, text=True, timeout=10
        ).stdout.strip()
    except LabError:  # the host was powered off in the meantime
        return ""
    except subprocess.TimeoutExpired:
        return "silent"


def established(name: str) -> set[tuple[str, str]]:
    """
    Return the TCP connections that the kernel of a host considers established.

    Each is (local, remote) as hexadecimal addresses.
    """
    try:
        lines = Path(f"/proc/{leader(name)}/net/tcp").read_text().splitlines()[1:]
    except OSError:  # the host is off
        return set()
    return {
        (local, remote)
        for _, local, remote, state, *_ in (line.split() for line in lines)
        if state == "01"
    }


def execute(name: str, command: list[str], **options) -> subprocess.CompletedProcess:
    """
    Run a command on a host as root; options are those of subprocess.run.

    The command ends when the host is powered off. Raises LabError if the host is off.
    """
    pid = leader(name)
    if pid is None:
        raise LabError(f"{name} is off; `{instance.command} start {name}` boots it")
    environment = {
        "PATH": PATH,
        "HOME": "/root",
        "LANG": "en_US.UTF-8",
        "TERM": os.environ.get("TERM", "dumb"),
    }
    nsenter = [shutil.which("nsenter") or "nsenter", f"--target={pid}", "--all", "--", *command]
    # A child group: cgroup v2 allows no processes in a group that has children.
    options["preexec_fn"] = lambda: cgroups.enter(f"{name}/{COMMANDS}")
    return subprocess.run(nsenter, env=environment, check=False, **options)


def spawn(name: str, command: list[str], log: str) -> None:
    """Start a program of the lab on this machine. ``lab down`` ends it, as it ends hosts."""
    instance.logs.mkdir(parents=True, exist_ok=True)
    with (instance.logs / f"{log}.log").open("a") as output:
        subprocess.Popen(
            command,
            env={**os.environ, "LAB_NAME": instance.name},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=lambda: cgroups.enter(name),
        )


def power_off(name: str) -> None:
    """Cut a host's power: its processes are killed without a chance to clean up."""
    cgroups.kill(name)
    network.forget(name)


def exit_code(done: subprocess.CompletedProcess) -> int:
    """Return a process's exit code as a shell does: 128 + the signal, if a signal ended it."""
    return done.returncode if done.returncode >= 0 else 128 - done.returncode
