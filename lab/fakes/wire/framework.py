"""Shared code of Marathon and Chronos: one server leads, the others forward requests to it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

from kazoo.exceptions import KazooException

from . import threads
from .election import Group, MemoryGroup, MemoryRoom, ZooKeeperGroup, ZooKeeperUrl, leader, leads
from .http import HttpDaemon, Request, Response, answer
from .peers import Registration
from .task_states import TERMINAL

HOP_HEADERS = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}
NATIVE_LIBRARIES = (
    "/usr/local/lib/libmesos.so",
    "/usr/lib/libmesos.so",
    "/usr/lib64/libmesos.so",
)


class Framework(HttpDaemon):
    """
    A scheduler with an HTTP server. Subclasses implement ``info``.

    host, port
        Address that the HTTP server binds to. ``hostname`` is advertised to the other servers.

    master
        URL of the Mesos masters (``zk://...`` or ``host:port``), or the room of a unit test.

    election
        ZooKeeper URL with the path of the election, or a room.

    ``exit`` is called with the exit status when the server ends by itself.
    """

    lost_leadership = 1
    no_zookeeper = 1
    beat = 2.0  # seconds between two registrations with the Mesos master

    def __init__(
        self,
        host: str,
        port: int,
        hostname: str,
        master: str | MemoryRoom,
        election: ZooKeeperUrl | MemoryRoom,
        environment: dict[str, str],
        zk_timeout: float = 10.0,
    ) -> None:
        super().__init__(host, port)
        self.hostname, self.election, self.zk_timeout = hostname, election, zk_timeout
        self.environment = environment
        room = master if isinstance(master, MemoryRoom) else None
        url = master if isinstance(master, str) else ""
        self.registration = Registration(
            url,
            "/fake/frameworks",
            self.describe,
            self._accepted,
            self._removed,
            room,
            self.beat,
        )
        self.agents: list[dict[str, Any]] = []
        self._launches: dict[str, dict[str, Any]] = {}
        self._kills: set[str] = set()
        self.framework_id: str | None = None
        self.leading = False
        self.ended: str | None = None
        self.exit: Callable[[int], Any] = lambda _status: self.stop()
        self.group: Group
        self._driver: socket.socket | None = None

    @property
    def address(self) -> str:
        """The ``host:port`` that this server advertises to the others."""
        return f"{self.hostname}:{self.port}"

    @property
    def leader(self) -> str | None:
        """The leader's address, None if there is none."""
        data = leader(self.group)
        return data.decode() if data else None

    def info(self) -> dict[str, Any]:
        """Return the FrameworkInfo, without its id."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """Return the registration that is sent to the Mesos master."""
        info = {
            **self.info(),
            **({"id": {"value": self.framework_id}} if self.framework_id else {}),
        }
        port = self.environment.get("LIBPROCESS_PORT", "0")
        pid = (
            f"scheduler-{id(self):x}@{self.environment.get('LIBPROCESS_IP', self.hostname)}:{port}"
        )
        registration = {
            "info": info,
            "pid": pid,
            "version": "",
            "capabilities": ["TASK_KILLING_STATE", "PARTITION_AWARE"],
        }
        launches = list(self._launches.values())
        return {**registration, "launch": launches, "kill": sorted(self._kills)}

    # --- tasks ---

    def launch(self, task: dict[str, Any]) -> None:
        """Launch a TaskInfo on the agent it names. ``updated`` receives its status updates."""
        self._launches[task["task_id"]["value"]] = task
        self.registration.wake()

    def kill_task(self, task_id: str) -> None:
        """Kill a task. ``updated`` receives its status updates."""
        self._kills.add(task_id)
        self.registration.wake()

    def offered(self) -> None:
        """Handle new offers in ``self.agents``. Called in the thread of the registration."""

    def updated(self, status: dict[str, Any]) -> None:
        """Handle the last status of a task. Statuses repeat; a new leader receives all of them."""

    def _removed(self, text: str) -> None:
        self.end(1, text)

    def say(self, text: str) -> None:
        """Log a line to stdout, as the loggers of the JVM do."""
        print(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] INFO  {text} (fake)", flush=True)

    def end(self, status: int, reason: str) -> None:
        """Log the reason and exit with a status."""
        self.ended = reason
        print(
            f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] ERROR {reason} (fake)",
            file=sys.stderr,
            flush=True,
        )
        self.exit(status)

    def start(self) -> None:
        """Serve and join the election. Exit if ZooKeeper cannot be reached within its timeout."""
        super().start()
        data = self.address.encode()
        if isinstance(self.election, MemoryRoom):
            self.group = MemoryGroup(self.election, data, self._changed)
        else:
            node = f"_c_{uuid.uuid4()}-latch-"
            self.group = ZooKeeperGroup(
                self.election, node, data, self._changed, self.zk_timeout, "latch-"
            )
            timer = threading.Timer(self.zk_timeout, self._connected)
            timer.daemon = True
            timer.start()
        self.group.start()

    def stop(self) -> None:
        """Leave the election, stop registering and close the sockets."""
        self.leading = False
        self.registration.stop()
        self.group.stop()
        if self._driver:
            self._driver.close()
        super().stop()

    def _connected(self) -> None:
        if not self.group.members:
            self.end(self.no_zookeeper, "Could not connect to ZooKeeper in time")

    def _changed(self) -> None:
        if leads(self.group) and not self.leading:
            self.say(f"{self.address} was elected leader")
            self.framework_id = self._stored() or None
            if self.ended:
                return
            self._drive()
            self.leading = True
            self.registration.start()
        elif self.leading and not leads(self.group):
            self.end(self.lost_leadership, "Lost leadership")

    def _drive(self) -> None:
        """Listen on LIBPROCESS_PORT, if set, as the scheduler driver does."""
        port = int(self.environment.get("LIBPROCESS_PORT", "0"))
        if port and not self._driver:
            host = self.environment.get("LIBPROCESS_IP", "0.0.0.0")
            try:
                self._driver = socket.create_server((host, port), backlog=16)
            except OSError as error:
                self.end(
                    1, f"Failed to initialize: Failed to bind on {host}:{port}: {error.strerror}"
                )

    def _stored(self) -> str:
        with contextlib.suppress(KazooException):
            return self.group.load().decode()
        return ""

    def _accepted(self, reply: dict[str, Any]) -> None:
        if reply["id"] != self.framework_id:
            self.framework_id = reply["id"]
            self.say(f"Registered as {self.framework_id} with master {reply['master']['pid']}")
            with contextlib.suppress(KazooException):
                self._keep_id(reply["id"])
        for status in reply["tasks"]:
            self._launches.pop(status["task_id"]["value"], None)
            if status["state"] in TERMINAL:
                self._kills.discard(status["task_id"]["value"])
            self.updated(status)
        self.agents = reply["agents"]
        self.offered()

    def _keep_id(self, framework_id: str) -> None:
        self.group.store(framework_id.encode())

    # --- forwarding ---

    def forward(self, request: Request, **headers: str) -> Response:
        """Forward a request to the leader. Raises OSError if the leader cannot be reached."""
        query = f"?{request.query_string.decode()}" if request.query_string else ""
        forwarded = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in HOP_HEADERS
        }
        body = request.get_data() or None
        onward = urllib.request.Request(
            f"http://{self.leader}{request.path}{query}", body, method=request.method
        )
        for name, value in {**forwarded, **headers}.items():
            onward.add_header(name, value)
        try:
            reply = urllib.request.urlopen(onward, timeout=10)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:
            response = answer()
            response.status_code = reply.status
            response.data = reply.read()
            for name, value in reply.headers.items():
                if name.lower() not in HOP_HEADERS:
                    response.headers[name] = value
        return response


def native_library() -> str | None:
    """Return the version of the libmesos that a scheduler on this host loads, None without one."""
    variable = os.environ.get("MESOS_NATIVE_JAVA_LIBRARY") or os.environ.get("MESOS_NATIVE_LIBRARY")
    for name in [variable] if variable else NATIVE_LIBRARIES:
        path = pathlib.Path(name)
        if path.exists():
            return path.resolve().name.removeprefix("libmesos-").removesuffix(".so")
    return None


def serve(daemon: Framework, bind_error_status: int) -> int:
    """
    Serve until SIGTERM.

    Returns the exit status: ``bind_error_status`` if the address is in use, else that of a JVM
    after SIGTERM.
    """
    threads.exit_on_error()
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: done.set())
    daemon.exit = os._exit
    try:
        daemon.start()
    except OSError as error:
        print(f"java.net.BindException: {error}", file=sys.stderr)
        return bind_error_status
    done.wait()
    daemon.stop()
    return 128 + signal.SIGTERM
