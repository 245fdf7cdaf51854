"""
Two labs at once: separate hosts with the same addresses, and nothing is left behind.

`lab down` stops all labs of the machine, so these tests run when no others do (mark ``alone``).
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import require_lab
from lab import BUILD, cgroups

ADDRESS = "172.31.250.11"  # of the host in tests/topologies/single.yaml
HOST = "lxdev01"
NAMES = ("first", "second")

pytestmark = pytest.mark.alone


def command(name: str, *args: str) -> list[str]:
    """Return the command line of ``lab`` for one of the labs."""
    return [sys.executable, "-m", "lab.cli", "--name", name, *args]


def lab(name: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run ``lab`` for one of the labs, and return the result."""
    return subprocess.run(command(name, *args), capture_output=True, text=True, check=False)


def output(name: str, *args: str) -> str:
    """Run ``lab`` for one of the labs, assert that it succeeds, and return its stdout."""
    result = lab(name, *args)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def stop_all() -> None:
    """Run ``lab down``, without a name."""
    environment = {name: value for name, value in os.environ.items() if name != "LAB_NAME"}
    subprocess.run([sys.executable, "-m", "lab.cli", "down"], env=environment, check=True)


def reachable(name: str) -> bool:
    """Return whether sshd of the host accepts connections on the network of a lab."""
    connect = f"</dev/tcp/{ADDRESS}/22"
    return lab(name, "exec", "timeout", "3", "bash", "-c", connect).returncode == 0


def machine_id(name: str) -> str:
    """Return the machine id of the host of a lab, as its Salt master reads it."""
    return output(name, "salt", "*", "cmd.run", "cat /etc/machine-id", "--out=newline_values_only")


def per_process(path: str) -> set[str]:
    """Return the contents of a file, or the target of a link, in /proc of every process."""
    contents = set()
    for process in Path("/proc").glob("[0-9]*"):
        file = process / path
        try:
            contents.add(os.readlink(file) if file.is_symlink() else file.read_text())
        except OSError:  # the process has ended
            continue
    return contents


def resources() -> dict[str, set[str]]:
    """Return everything that a lab could leave behind on this machine."""
    links = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True)
    mounts = {line for text in per_process("mounts") for line in text.splitlines()}
    return {
        "processes": set(map(str, cgroups.members(lab=""))),
        "control groups": {str(group) for group in cgroups.groups(lab="") if group.exists()},
        "network namespaces": per_process("ns/net"),
        "mount namespaces": per_process("ns/mnt"),
        "mounts": {line for line in mounts if str(BUILD) in line},
        "interfaces": {line.split()[0] for line in links.stdout.splitlines()},
        "directories": {str(path) for path in (BUILD / "labs").glob("*")},
    }


@pytest.fixture(scope="module")
def before():
    """The resources of the machine while no lab runs."""
    require_lab()
    stop_all()
    return resources()


@pytest.fixture(scope="module")
def both(before):
    """Two labs of one host with only Salt."""
    processes = [
        subprocess.Popen(
            command(name, "up", "--no-apply"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for name in NAMES
    ]
    for process in processes:
        output_bytes, _ = process.communicate()
        assert process.returncode == 0, output_bytes.decode()
    yield NAMES
    stop_all()


def test_two_labs_have_the_same_address_and_do_not_see_each_other(both):
    first_id, second_id = (machine_id(name) for name in both)
    assert first_id != second_id
    assert all(reachable(name) for name in both)
    output("first", "cut", HOST)
    assert not reachable("first") and reachable("second")
    output("first", "heal", HOST)
    assert reachable("first")


def test_the_list_shows_both_labs(both):
    listing = output("first", "list")
    assert all(name in listing for name in both) and listing.count("1 of 1") == 2, listing


def test_killing_a_host_does_not_affect_the_other_lab(both):
    boot_before = output(
        "second", "run", HOST, "cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat"
    )
    output("first", "kill", HOST)
    assert not reachable("first")
    assert machine_id("second")
    boot_after = output(
        "second", "run", HOST, "cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat"
    )
    assert boot_before.split()[:3] == boot_after.split()[:3]


def test_stopping_a_lab_does_not_affect_the_other_one(both):
    output("first", "down")
    assert "first" not in output("second", "list")
    assert machine_id("second")


def test_down_leaves_nothing_behind_even_if_a_lab_was_killed_while_it_started(both, before):
    process = subprocess.Popen(
        command("first", "up"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not cgroups.members(HOST, lab="first"):
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert cgroups.labs() == set(both)
    stop_all()
    new = {kind: resources()[kind] - before[kind] for kind in before}
    assert {kind: remains for kind, remains in new.items() if remains} == {}
