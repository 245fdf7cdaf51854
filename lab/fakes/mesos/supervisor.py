"""
What stays with a task while the agent comes and goes, as the executors of Mesos do: ``python supervisor.py ORDER``.

ORDER is a JSON file, ``processes.Order`` says what is in it. The exit status of the task, as ``wait`` has it, is written to the file
beside ORDER with the suffix ``.status``; nothing that the task started outlives it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

WATCHED = (signal.SIGCHLD, signal.SIGTERM)
LOOK = 1.0  # seconds between two looks whether the agent is there
PR_SET_CHILD_SUBREAPER = 36


def begin(order: dict[str, Any]) -> subprocess.Popen | None:
    """Start the task in a process group of its own; None where it cannot be started. Who forgets what is returned reaps the task."""

    def prepare() -> None:
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)

    identity = dict(zip(("user", "group", "extra_groups"), order["identity"], strict=False))
    try:
        return subprocess.Popen(
            order["command"], executable=order["executable"], env=order["environment"], cwd=order["directory"],
            stdin=subprocess.DEVNULL, preexec_fn=prepare, **identity,
        )  # fmt: skip
    except OSError as error:
        print(f"Failed to execute command: {error.strerror}", file=sys.stderr, flush=True)
        return None


def reap(task: int) -> int | None:
    """Let go of the children that have ended; return the status of the task if it is among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == task:
                found = ended[1]
    return found


def attended(lock: Any) -> bool:
    """Whether an agent holds the lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(lock, fcntl.LOCK_UN)
    return False


def stop(order: dict[str, Any], task: int) -> None:
    """Ask the task to end."""
    if order["stop"]:
        subprocess.Popen(order["stop"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    else:
        os.killpg(task, signal.SIGTERM)


def follow(order: dict[str, Any], task: int) -> int:
    """Wait for the end of the task; end it where that is asked for (SIGTERM), or where no agent was there for too long."""
    seen, deadline = time.monotonic(), None
    with pathlib.Path(order["agent"]).open() as lock:
        while True:
            came = signal.sigtimedwait(WATCHED, LOOK)
            status = reap(task)
            if status is not None:
                return status
            now = time.monotonic()
            if attended(lock):
                seen = now
            asked = came is not None and came.si_signo == signal.SIGTERM
            # A container may not be there yet when it is asked to stop.
            if (asked or now > seen + order["patience"]) and (deadline is None or order["stop"]):
                stop(order, task)
                deadline = deadline or now + order["grace"]
            if deadline and now >= deadline:
                os.killpg(task, signal.SIGKILL)


def end_children() -> None:
    """Kill what the task left behind; what these leave behind in turn becomes ours, too."""
    children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children")
    while pids := [int(pid) for pid in children.read_text().split()]:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)


def main() -> None:
    """Run the task of an order."""
    path = pathlib.Path(sys.argv[1])
    order = json.loads(path.read_text())
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    task = begin(order)
    status = 1 << 8 if task is None else follow(order, task.pid)
    end_children()
    beside = path.with_suffix(".new")
    beside.write_text(str(status))
    beside.replace(path.with_suffix(".status"))


if __name__ == "__main__":
    main()
