"""Tasks that really run, as processes or Docker containers, and survive restarts of the agent."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import json
import os
import pathlib
import pwd
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypedDict

from ..wire.checks import OPENER, http_fault, tcp_fault
from .containers import Docker, LaunchError
from .executor import Pretend, container
from .flags import seconds
from .tasks import Task

SUPERVISOR = pathlib.Path(__file__).with_name("supervisor.py")
GRACE = 3.0  # seconds between SIGTERM and SIGKILL, where a task has no policy of its own
OVERTIME = 30.0  # seconds that Docker gets besides, to stop a container
# Prefixes of the agent's variables that tasks do not inherit.
AGENT_PREFIXES = ("LIBPROCESS_", "MESOS_", "GLOG_")


class Order(TypedDict):
    """Input of a supervisor. The lock on the file ``agent`` shows that an agent is running."""

    command: list[str]
    executable: str | None  # where it is not the first word of the command
    environment: dict[str, str]
    directory: str
    identity: list[Any]  # user, group and other groups by number; none: those of the agent
    stop: list[str]  # a command that ends it; none: SIGTERM
    grace: float  # seconds from there to SIGKILL
    agent: str
    recovery_timeout: float  # seconds without an agent until the task is stopped


class Processes(Pretend):
    """Runs each task under a supervisor, and stores its state for a restart of the agent."""

    def __init__(self, address: str, flags: Mapping[str, str], changed: Callable[[], None]) -> None:
        super().__init__(address, flags, changed)
        self.docker = Docker(flags)
        self._supervisors: dict[tuple[str, str], tuple[int, str]] = {}
        self._stopped = False
        agents = self.work_dir / "meta" / "slaves"
        agents.mkdir(parents=True, exist_ok=True)
        self._lock_file = agents / "lock"
        self._lock = self._lock_file.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def stop(self) -> None:
        """Leave the tasks to their supervisors."""
        self._stopped = True
        self._lock.close()

    # --- what outlives the agent ---

    def record(self, task: Task) -> pathlib.Path:
        """Where the agent keeps what it knows of a task; its supervisor has files beside."""
        return (
            self.work_dir / "meta" / "slaves" / task.agent_id / "runs" / f"{container(task)}.json"
        )

    def _keep(self, task: Task) -> None:
        record = {
            "info": task.info,
            "statuses": task.statuses,
            "killing": task.killing,
            "supervisor": self._supervisors.get(task.key),
        }
        _write(self.record(task), record)

    def say(
        self, task: Task, state: str, message: str | None = None, address: str = "", **fields: Any
    ) -> None:
        """Add a status, and write it down before anybody hears of it."""
        with self.lock:
            if not self._stopped:
                super().say(task, state, message, address, **fields)
                self._keep(task)

    def forget(self, task: Task) -> None:
        """Let go of a task that is over; its sandbox stays."""
        super().forget(task)
        self._supervisors.pop(task.key, None)
        for suffix in (".json", ".order", ".status"):
            self.record(task).with_suffix(suffix).unlink(missing_ok=True)

    def recover(self, agent_id: str | None) -> None:
        """Recover the tasks of the agent with this ID, and stop the tasks of other agents."""
        for record in sorted((self.work_dir / "meta" / "slaves").glob("*/runs/*.json")):
            owner = record.parent.parent
            if owner.is_symlink():
                continue
            state = json.loads(record.read_text())
            task = Task(state["info"], state["statuses"], state["killing"])
            if state["supervisor"]:
                self._supervisors[task.key] = tuple(state["supervisor"])
            if owner.name != agent_id:
                self._ask_to_end(task)
                record.unlink()
                continue
            self.tasks[task.key] = task
            if not task.over:
                threading.Thread(target=self._follow, args=(task,), daemon=True).start()

    # --- the life of a task ---

    def launch(self, task: Task) -> None:
        """Begin to bring a task to run; that may take a while."""
        threading.Thread(target=self._live, args=(task,), daemon=True).start()

    def terminate(self, task: Task) -> None:
        """Signal the supervisor of a task. A missing one is signalled once it has started."""
        self._keep(task)
        self._ask_to_end(task)

    def _ask_to_end(self, task: Task) -> None:
        with self._watched(task) as watched:
            if watched is not None:
                os.kill(self._supervisors[task.key][0], signal.SIGTERM)

    def _live(self, task: Task) -> None:
        try:
            self._begin(task)
        except LaunchError as error:
            self.say(
                task,
                "TASK_FAILED",
                f"Failed to launch container: {error}",
                reason="REASON_CONTAINER_LAUNCH_FAILED",
            )
        else:
            self._follow(task)

    def _begin(self, task: Task) -> None:
        """Make all that a task needs, and start its supervisor. Raises LaunchError."""
        sandbox, identity = self.sandbox(task), self._identity(task)
        sandbox.mkdir(parents=True, exist_ok=True)
        for path in (sandbox / "stdout", sandbox / "stderr"):
            path.touch()
        latest = sandbox.with_name("latest")
        latest.unlink(missing_ok=True)
        latest.symlink_to(sandbox.name)
        for entry in task.info["command"].get("uris", []):
            _fetch(entry, sandbox)
        for path in (sandbox, *sandbox.iterdir()) if identity else ():
            os.chown(path, *identity[:2])
        order = self.record(task).with_suffix(".order")
        _write(order, self._order(task, sandbox, identity))
        program = [sys.executable, "-I", "-S", "-B", str(SUPERVISOR), str(order)]
        files = [
            (os.POSIX_SPAWN_OPEN, number, str(path), os.O_RDWR | os.O_APPEND, 0)
            for number, path in enumerate(
                (pathlib.Path(os.devnull), sandbox / "stdout", sandbox / "stderr")
            )
        ]
        with self.lock:
            # SIGTERM has to wait until the supervisor knows what to do with it.
            pid = os.posix_spawn(
                program[0],
                program,
                {},
                file_actions=files,
                setsid=True,
                setsigmask=[signal.SIGTERM],
            )
            self._supervisors[task.key] = pid, _began(pid)
            self._keep(task)
            if task.killing:
                self.terminate(task)

    def _order(self, task: Task, sandbox: pathlib.Path, identity: list[Any]) -> Order:
        command, variables = task.info["command"], self._variables(task)
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(AGENT_PREFIXES)
        }
        policy = task.info.get("kill_policy", {}).get("grace_period", {})
        grace = policy["nanoseconds"] / 1e9 if policy else GRACE
        order: Order = {
            "command": ["sh", "-c", command.get("value", "")]
            if command.get("shell", True)
            else command.get("arguments") or [command.get("value", "")],
            "executable": None if command.get("shell", True) else command.get("value"),
            "environment": {**inherited, **variables, "MESOS_SANDBOX": str(sandbox)},
            "directory": str(sandbox),
            "identity": identity,
            "stop": [],
            "grace": grace,
            "agent": str(self._lock_file),
            "recovery_timeout": seconds(self.flags["recovery_timeout"]),
        }
        if "container" in task.info:
            self._contain(task, order, sandbox, grace)
        return order

    def _contain(self, task: Task, order: Order, sandbox: pathlib.Path, grace: float) -> None:
        """Make an order run a container, if the task has one. Raises LaunchError if unsupported."""
        container_info, enabled = task.info["container"], self.flags["containerizers"]
        if container_info["type"] == "DOCKER" and "docker" in enabled.split(","):
            self.docker.pull(container_info["docker"])
            variables = {**self._variables(task), "MESOS_SANDBOX": self.docker.mapped_directory}
            order.update(
                {
                    "command": self.docker.run(task, str(sandbox), list(variables)),
                    "executable": None,
                    "identity": [],
                    "environment": {**order["environment"], **variables},
                    "stop": self.docker.stop(task, grace),
                    "grace": grace + OVERTIME,
                }
            )
        elif container_info["type"] != "MESOS" or "image" in container_info.get("mesos", {}):
            raise LaunchError(
                f"None of the enabled containerizers ({enabled}) could create a container for "
                "the provided TaskInfo/ExecutorInfo message"
            )

    def _variables(self, task: Task) -> dict[str, str]:
        """What a task is told in its environment, besides where it is."""
        variables = task.info["command"].get("environment", {}).get("variables", [])
        return {
            "MESOS_FRAMEWORK_ID": task.key[0],
            "MESOS_EXECUTOR_ID": task.key[1],
            "MESOS_TASK_ID": task.key[1],
            "MESOS_SLAVE_ID": task.agent_id,
            **{variable["name"]: variable["value"] for variable in variables},
        }

    def _identity(self, task: Task) -> list[Any]:
        """Return UID, GID and groups of a task, empty for the agent's user. Raises LaunchError."""
        name = task.info["command"].get("user") or task.info.get("framework", {}).get("user")
        if not name or os.geteuid() or self.flags["switch_user"] != "true":
            return []
        try:
            user = pwd.getpwnam(name)
        except KeyError as error:
            raise LaunchError(
                f"Failed to get user information for '{name}': No such user"
            ) from error
        groups = [group.gr_gid for group in grp.getgrall() if name in group.gr_mem]
        return [user.pw_uid, user.pw_gid, groups] if user.pw_uid else []

    @contextlib.contextmanager
    def _watched(self, task: Task) -> Iterator[int | None]:
        """Yield a descriptor, readable once the supervisor ends; None without a supervisor."""
        pid, began = self._supervisors.get(task.key, (0, ""))
        try:
            watched = os.pidfd_open(pid) if pid else None
        except ProcessLookupError:
            watched = None
        if watched is None:
            yield None
            return
        try:
            yield watched if _began(pid) == began else None
        finally:
            os.close(watched)

    def _follow(self, task: Task) -> None:
        """Say what becomes of a task that has a supervisor, to its end."""
        with self._watched(task) as watched:
            if watched is not None:
                if task.state == "TASK_STARTING":
                    self._await_start(task, watched)
                self._await_end(task, watched)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(self._supervisors[task.key][0], 0)
        self._over(task)

    def _await_start(self, task: Task, watched: int) -> None:
        if not self._contained(task):
            self.say(task, "TASK_RUNNING")
            return
        while not _ended(watched, 0.2):
            address = self.docker.address(task)
            if address is not None:
                self.say(task, "TASK_RUNNING", address=address)
                return

    def _await_end(self, task: Task, watched: int) -> None:
        """Wait for the end of a task; meanwhile check its health, and end it where that is bad."""
        check = task.info.get("health_check")
        if not check:
            _ended(watched, None)
            return
        healthy, failures, begun = task.statuses[-1].get("healthy"), 0, time.monotonic()
        pause = check["delay_seconds"]
        while not _ended(watched, pause):
            pause = check["interval_seconds"]
            if task.killing:
                continue
            sick = bool(self._fault(task, check))
            if (
                sick
                and healthy is None
                and time.monotonic() - begun < check["grace_period_seconds"]
            ):
                continue
            failures = failures + 1 if sick else 0
            hopeless = 0 < check["consecutive_failures"] <= failures
            if hopeless or healthy is sick or healthy is None:
                healthy = not sick
                self.say(
                    task,
                    "TASK_RUNNING",
                    healthy=healthy,
                    reason="REASON_TASK_HEALTH_CHECK_STATUS_UPDATED",
                )
            if hopeless:
                self.kill(task.key)

    def _fault(self, task: Task, check: dict[str, Any]) -> str:
        """What is wrong with a task, nothing if it is well."""
        timeout = check["timeout_seconds"]
        # A container with its own IP address is checked there, on its own port.
        address = task.statuses[-1]["container_status"]["network_infos"][0]["ip_addresses"][0][
            "ip_address"
        ]
        host = address if address != self.address else "127.0.0.1"
        if check["type"] == "TCP":
            return tcp_fault(host, check["tcp"]["port"], timeout)
        if check["type"] == "HTTP":
            http = check["http"]
            return http_fault(
                f"{http.get('scheme', 'http')}://{host}:{http['port']}{http.get('path', '')}",
                timeout,
            )
        order = json.loads(self.record(task).with_suffix(".order").read_text())
        command = ["sh", "-c", check["command"]["value"]]
        identity = dict(zip(("user", "group", "extra_groups"), order["identity"], strict=False))
        if self._contained(task):
            command = self.docker.inside(task, command)
        try:
            done = subprocess.run(
                command,
                env=order["environment"],
                cwd=order["directory"],
                timeout=timeout or None,
                capture_output=True,
                check=False,
                **identity,
            )
        except subprocess.TimeoutExpired:
            return f"Command has not returned after {timeout} seconds"
        return "" if done.returncode == 0 else f"Command returned {done.returncode}"

    def _over(self, task: Task) -> None:
        """Say how a task ended."""
        if self._stopped:
            return
        status = self.record(task).with_suffix(".status")
        if not status.exists():
            # Its supervisor was killed, or lost its power.
            if self._contained(task):
                self.docker.remove(task)
            elif task.key in self._supervisors:
                _end_session(self._supervisors[task.key][0])
            text = "Abnormal executor termination: unknown container"
            self.say(task, "TASK_FAILED", text, reason="REASON_EXECUTOR_TERMINATED")
            return
        word, code = "Container" if self._contained(task) else "Command", int(status.read_text())
        exited = os.WIFEXITED(code)
        outcome = (
            f"exited with status {os.WEXITSTATUS(code)}"
            if exited
            else f"terminated with signal {signal.strsignal(os.WTERMSIG(code))}"
        )
        state = "TASK_KILLED" if task.killing else "TASK_FINISHED" if code == 0 else "TASK_FAILED"
        sick = {"healthy": False} if task.statuses[-1].get("healthy") is False else {}
        if state == "TASK_FINISHED" and task.state == "TASK_STARTING":
            self.say(task, "TASK_RUNNING")
        self.say(task, state, f"{word} {outcome}", **sick)

    def _contained(self, task: Task) -> bool:
        return task.info.get("container", {}).get("type") == "DOCKER"


def _write(path: pathlib.Path, content: Any) -> None:
    """Write JSON atomically. Only the owner may read it, as it may contain secrets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f"{path.suffix}.new")
    beside.touch(mode=0o600)
    beside.write_text(json.dumps(content))
    beside.replace(path)


def _fetch(entry: dict[str, Any], sandbox: pathlib.Path) -> None:
    """Bring a file into a sandbox, and unpack it if that is wanted. Raises LaunchError."""
    uri = entry["value"]
    target = sandbox / pathlib.PurePath(urllib.parse.urlsplit(uri).path).name
    try:
        with (
            OPENER.open(uri if "://" in uri else f"file://{uri}", timeout=60) as source,
            target.open("wb") as file,
        ):
            shutil.copyfileobj(source, file)
    except (OSError, ValueError) as error:
        raise LaunchError(f"Failed to fetch all URIs for container: {uri}: {error}") from error
    if entry.get("executable"):
        target.chmod(0o755)
    elif entry.get("extract", True):
        with contextlib.suppress(shutil.ReadError):  # no archive
            shutil.unpack_archive(target, sandbox)


def _ended(watched: int, timeout: float | None) -> bool:
    return bool(select.select([watched], [], [], timeout)[0])


def _began(pid: int) -> str:
    """
    When a process began, in clock ticks since boot: this tells it from a later one with the same
    pid. Empty if there is no such process.
    """
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return stat.rpartition(")")[2].split()[19]


def _end_session(leader: int) -> None:
    """Kill the processes of a session."""
    for path in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(ValueError, OSError):
            pid = int(path.name)
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)
