"""
A real ZooKeeper on this machine, from the packages of the lab, a proxy that breaks it, and members
of ensembles of which it is the database.
"""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lab import CACHE, ROOT, LabError, packages, steps
from lab.packages import build
from lab.packages.table import JVM, MESOSPHERE_ZOOKEEPER

ZOOKEEPER, JAVA = "mesosphere-zookeeper", "java-1.8.0-openjdk"
START_TIMEOUT = 60
# Sessions may be shorter than in production, so that tests see them expire.
CONFIGURATION = """
tickTime=500
initLimit=20
syncLimit=10
minSessionTimeout=1000
maxSessionTimeout=60000
admin.enableServer=false
4lw.commands.whitelist=srvr, conf
clientPortAddress=127.0.0.1
"""
JVM_FLAGS = (
    "-Xmx96m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dzookeeper.forceSync=no",
    "-Dzookeeper.digest.enabled=false",
)
SERVES = b"Zookeeper version: 3.4.6\nZxid: 0x100000012\nMode: %s\nNode count: 17\n"
LOGGING = """
log4j.rootLogger=INFO, FILE
log4j.appender.FILE=org.apache.log4j.FileAppender
log4j.appender.FILE.File={file}
log4j.appender.FILE.layout=org.apache.log4j.PatternLayout
log4j.appender.FILE.layout.ConversionPattern=%d %-5p %m%n
"""


def installation() -> Path:
    """Return the directory with ZooKeeper and Java. Without it, skip the test, or fail in CI."""

    def unpack(target: Path) -> None:
        packages.unpack({ZOOKEEPER, JAVA}, CACHE, target, lambda text: None)

    recipe = Path(build.__file__).with_name("table.py").read_bytes()
    try:
        return steps.cached("zookeeper", recipe, unpack)
    except (packages.BuildError, LabError, OSError) as error:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"ZooKeeper and Java cannot be downloaded from Debian: {error}")


def client_module() -> ModuleType:
    """Return the module under test. It needs no Salt."""
    name = "_zookeeper_client"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "_modules" / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


class Server:
    """
    A ZooKeeper server. Its data survives a restart.

    settings
        More lines of zoo.cfg.

    server_id
        Its id in an ensemble, None for a server of its own.
    """

    def __init__(self, directory: Path, settings: Iterable[str] = (), server_id: int | None = None):
        self.directory, self.port = directory, free_port()
        self.address = f"127.0.0.1:{self.port}"
        data = directory / "data"
        data.mkdir(parents=True)
        lines = [CONFIGURATION, f"dataDir={data}", f"clientPort={self.port}", *settings]
        (directory / "zoo.cfg").write_text("\n".join(lines) + "\n")
        (directory / "log4j.properties").write_text(LOGGING.format(file=directory / "log"))
        if server_id is not None:
            (data / "myid").write_text(f"{server_id}\n")
        self._process = None

    def start(self, flags: Iterable[str] = ()) -> None:
        """Start the process. Does not wait."""
        home = installation()
        jars = sorted((home / MESOSPHERE_ZOOKEEPER.lstrip("/")).rglob("*.jar"))
        self._process = subprocess.Popen(
            [
                home / JVM.lstrip("/") / "jre/bin/java",
                *JVM_FLAGS,
                *flags,
                "-cp",
                ":".join(map(str, [self.directory, *jars])),
                "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                self.directory / "zoo.cfg",
            ],
            stdin=subprocess.DEVNULL,
            stdout=(self.directory / "out").open("ab"),
            stderr=subprocess.STDOUT,
        )

    def wait(self) -> None:
        """Wait until it serves clients."""
        deadline = time.monotonic() + START_TIMEOUT
        while self.mode() is None:
            output = (self.directory / "out").read_text()
            assert self._process.poll() is None, f"ZooKeeper has ended: {output}"
            assert time.monotonic() < deadline, f"ZooKeeper does not serve: {output}"
            time.sleep(0.1)

    def mode(self) -> str | None:
        """Return ``standalone``, ``leader`` or ``follower``; None while it does not serve."""
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                connection.sendall(b"srvr")
                answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
            for line in answer.splitlines():
                if line.startswith("Mode: "):
                    return line.removeprefix("Mode: ")
        return None

    def stop(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def serving(servers: list[Server], flags: Iterable[str] = ()) -> Iterator[list[Server]]:
    """Start servers, wait until all of them serve, and stop them at the end."""
    try:
        for server in servers:
            server.start(flags)
        for server in servers:
            server.wait()
        yield servers
    finally:
        for server in servers:
            server.stop()
            shutil.rmtree(server.directory)


def ensemble(directory: Path, size: int) -> list[Server]:
    """Return the servers of an ensemble. They are not started."""
    peers = [
        f"server.{number}=127.0.0.1:{free_port()}:{free_port()}" for number in range(1, size + 1)
    ]
    return [
        Server(directory / str(number), peers, server_id=number) for number in range(1, size + 1)
    ]


class Proxy:
    """
    A TCP proxy in front of a server. Connections can be broken in several ways:

    drop_reply
        After this has been set, the next reply to a request that contains these bytes is dropped,
        and the connection closed.

    silent
        While true, nothing is forwarded, and new connections get no reply.

    refuses
        While true, connections are closed at once.
    """

    def __init__(self, port: int):
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.drop_reply: bytes | None = None
        self.silent = self.refuses = False
        self.connections = 0
        self._sockets: list[socket.socket] = []
        self._start(self._accept)

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def cut(self) -> None:
        """Close all connections."""
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._sockets = []

    def stop(self) -> None:
        """Close all connections, and accept no more."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    @staticmethod
    def _start(function: Callable, *arguments) -> None:
        threading.Thread(target=function, args=arguments, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self.connections += 1
                if self.refuses:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                doomed = threading.Event()
                self._start(self._forward_requests, client, server, doomed)
                self._start(self._forward_replies, server, client, doomed)

    def _forward_requests(self, client, server, doomed) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                self._wait_while_silent()
                if self.drop_reply and self.drop_reply in data:
                    self.drop_reply = None
                    doomed.set()
                server.sendall(data)
        self._close(client, server)

    def _forward_replies(self, server, client, doomed) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                self._wait_while_silent()
                if doomed.is_set():
                    break
                client.sendall(data)
        self._close(client, server)

    def _wait_while_silent(self) -> None:
        while self.silent:
            time.sleep(0.01)

    @staticmethod
    def _close(*connections) -> None:
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


class Member:
    """
    A server of an ensemble: answers ``srvr`` with a mode, or what a function returns, and connects
    all other clients to a real ZooKeeper, whose port is ``target``.
    """

    def __init__(self, address: str, port: int, mode: str | Callable[[], str], target: int):
        self.mode, self._target = mode, target
        self._listening = socket.create_server((address, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            data = client.recv(65536)
            if data == b"srvr":
                mode = self.mode if isinstance(self.mode, str) else self.mode()
                client.sendall(SERVES % mode.encode())
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                server.sendall(data)
                threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
                self._pump(server, client)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
