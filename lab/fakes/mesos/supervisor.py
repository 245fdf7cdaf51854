"""
Supervise a task across agent restarts, as Mesos executors do: ``python supervisor.py ORDER``.

ORDER is a JSON file with the fields of ``processes.Order``. The wait status of the task is written
to a file next to it with the suffix ``.status``. All children of the task are killed when it ends.
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
POLL_INTERVAL = 1.0  # seconds between two checks whether the agent runs
PR_SET_CHILD_SUBREAPER = 36


def begin(order: dict[str, Any]) -> subprocess.Popen | None:
    """
    Start the task in its own process group. Returns None if it cannot be started.

    Keep the returned object: its finalizer would reap the task.
    """

    def prepare() -> None:
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)

    identity = dict(zip(("user", "group", "extra_groups"), order["identity"], strict=False))
    try:
        return subprocess.Popen(
            order["command"],
            executable=order["executable"],
            env=order["environment"],
            cwd=order["directory"],
            stdin=subprocess.DEVNULL, preexec_fn=prepare, **identity,
        )  # fmt: skip
    except OSError as error:
        print(f"Failed to execute command: {error.strerror}", file=sys.stderr, flush=True)
        return None


def reap(task: int) -> int | None:
    """Reap the children that have ended. Returns the wait status of the task if it has ended."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == task:
                status = ended[1]
    return status


def attended(lock: Any) -> bool:
    """Return whether an agent holds the lock."""
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
    """Wait for the task to end; stop it on SIGTERM or if there is no agent for too long."""
    attended_at, deadline = time.monotonic(), None
    with pathlib.Path(order["agent"]).open() as lock:
        while True:
            info = signal.sigtimedwait(WATCHED, POLL_INTERVAL)
            status = reap(task)
            if status is not None:
                return status
            now = time.monotonic()
            if attended(lock):
                attended_at = now
            terminated = info is not None and info.si_signo == signal.SIGTERM
            # Repeat a stop command: at the first one the container may not exist yet.
            abandoned = now > attended_at + order["recovery_timeout"]
            if (terminated or abandoned) and (deadline is None or order["stop"]):
                stop(order, task)
                deadline = deadline or now + order["grace"]
            if deadline and now >= deadline:
                os.killpg(task, signal.SIGKILL)


def end_children() -> None:
    """Kill the processes that the task left behind. Their children are adopted, and killed, too."""
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
