"""Fixtures that the unit tests of states and execution modules share."""

import contextlib
import itertools
import json
import os
import random
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zookeeper_server

from lab import ROOT, SALT_LINES, saltenv

CALLER = Path(__file__).with_name("salt_caller.py")
# A request that honors these fails. The modules must ignore them.
DEAD_PROXY = dict.fromkeys(
    ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"
)


class SaltError(Exception):
    """An error of an execution function; the text begins with the name of its class."""


class Salt:
    """The real Salt of a release line: a masterless minion in a separate process."""

    Error = SaltError

    def __init__(self, ask: Callable[[dict], object], files: Path):
        self._ask, self._files = ask, files

    def serve(self, name: str, content: str | bytes) -> str:
        """Put a file on the file server. Returns its URL."""
        path = self._files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return f"salt://{name}"

    def __call__(
        self,
        state: str,
        test: bool = False,
        pillar: dict | None = None,
        installed: dict[str, str] | None = None,
        **arguments,
    ) -> dict:
        """
        Apply one state, such as ``zk.myid_stays``. Returns its result.

        ``installed`` are versions of packages, by name; others are not installed.
        """
        answer = self._ask(
            {
                "state": state,
                "arguments": arguments,
                "test": test,
                "pillar": pillar or {},
                "installed": installed or {},
            }
        )
        assert isinstance(answer, dict), answer
        assert "Traceback" not in answer["comment"]
        return answer

    def apply(
        self, *sls: str, pillar: list[str], test: bool = False
    ) -> dict[str, dict] | list[str]:
        """Apply SLS with a pillar merged from YAML texts. Returns results by id, or errors."""
        answer = self._ask({"sls": list(sls), "pillar": pillar, "test": test})
        return (
            answer
            if isinstance(answer, list)
            else {result["__id__"]: result for result in answer.values()}
        )

    def call(
        self,
        function: str,
        *positional,
        pillar: dict | None = None,
        installed: dict[str, str] | None = None,
        **arguments,
    ):
        """
        Call an execution function, such as ``mesos.leader``. Raises Salt.Error.

        ``installed`` are versions of packages, by name; others are not installed.
        """
        return self._returned(
            {
                "function": function,
                "positional": positional,
                "arguments": arguments,
                "pillar": pillar or {},
                "installed": installed or {},
            }
        )

    def cli(self, command: str, pillar: dict | None = None):
        """Call a function as ``salt-call mesos.set_weights '{web: 2}'`` does. Raises Salt.Error."""
        return self._returned({"command": command, "pillar": pillar or {}})

    def _returned(self, question: dict):
        answer = self._ask(question)
        if "raised" in answer:
            raise SaltError(answer["raised"])
        return answer["returned"]

    def documented(self, module: str) -> dict[str, str | None]:
        """Return the docstrings of a module's functions, as ``sys.doc`` shows them."""
        return self._ask({"documented": module})

    def examples(self, module: str) -> dict[str, list[str]]:
        """Return the commands in the ``CLI Example`` of each function, without ``salt-call``."""
        return {name: examples(text or "") for name, text in self.documented(module).items()}

    def loaded(self, name: str, proxytype: str | None = None) -> dict[str, list[str]]:
        """Return the functions and states that are loaded under a name, on a minion or a proxy."""
        return self._ask({"loaded": name, "proxytype": proxytype})


def examples(docstring: str) -> list[str]:
    """Return the commands in a docstring's example. A backslash continues a line."""
    _, _, block = docstring.partition(".. code-block:: bash")
    lines = block.replace("\\\n", " ").splitlines()
    pattern = re.compile(r"\s*(?:salt-call|salt '\S+'|salt \S+) (\w+\.\w+.*)")
    return [match[1] for line in lines if (match := pattern.fullmatch(line))]


@contextlib.contextmanager
def started(line: str, scratch: Path, **variables: str) -> Iterator[Salt]:
    """Start the minion, with these variables in its environment."""
    command = [saltenv.machine_env(line), "-W", "ignore", CALLER, scratch, ROOT]
    (scratch / ".netrc").write_text(
        "machine 127.0.0.1 login nobody password wrong\n"
    )  # Must be ignored as well.
    environment = {**os.environ, **DEAD_PROXY, "no_proxy": "", "HOME": str(scratch), **variables}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:

        def ask(question: dict):
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield Salt(ask, scratch / "files")
        process.stdin.close()


def pytest_generate_tests(metafunc):
    """Run what needs a minion with each Salt line, or with those of its mark ``lines``."""
    if "salt" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("lines")
        lines = mark.args if mark else SALT_LINES
        metafunc.parametrize("salt", lines, indirect=True, scope="session")


@pytest.fixture(scope="session")
def salt(request, tmp_path_factory) -> Iterator[Salt]:
    """The real Salt of each release line, one after another."""
    with started(request.param, tmp_path_factory.mktemp("salt")) as minion:
        minion.line = request.param
        yield minion


@pytest.fixture(scope="session")
def start_minion() -> Callable:
    """Return ``started``, for tests whose minion needs an environment of its own."""
    return started


# Below the range of the kernel. No port is used twice, since modules remember servers by URL.
PORTS = itertools.cycle(range(10000, 20000))


def fresh(address: str) -> socket.socket:
    """Listen on a port that no server of this session has used."""
    while True:
        with contextlib.suppress(OSError):
            return socket.create_server((address, next(PORTS)))


def whole_request(connection: socket.socket) -> bytes:
    """Read a request with its body. If it is not HTTP, return what arrives first."""
    heard = b""
    while part := connection.recv(65536):
        heard += part
        head, end, body = heard.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        if b" HTTP/1." not in head or (end and len(body) >= (int(length[1]) if length else 0)):
            break
    return heard


class RawServer:
    """
    A TCP server that reads one request per connection, sends fixed bytes and closes the connection.

    says
        The bytes to send, or a function that returns them for a request. None: do not respond until
        the test ends.

    tls
        Use TLS with this context.
    """

    def __init__(
        self,
        says: bytes | None | Callable[[bytes], bytes | None],
        address: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ):
        self.says, self.tls, self.heard = says, tls, []
        self.address = address
        self._over = threading.Event()
        self._listening = socket.create_server((address, port)) if port else fresh(address)
        self.port = self._listening.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://{address}:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self):
        self._over.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket):
        with (
            contextlib.suppress(OSError),
            self.tls.wrap_socket(connection, server_side=True)
            if self.tls
            else connection as connection,
        ):
            heard = whole_request(connection)
            self.heard.append(heard)
            says = self.says(heard) if callable(self.says) else self.says
            if says is None:
                self._over.wait()
            else:
                connection.sendall(says)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(65536)


@pytest.fixture
def raw() -> Iterator[Callable[..., RawServer]]:
    """Return a function that starts a RawServer, which stops at the end of the test."""
    servers = []

    def start(*positional, **arguments) -> RawServer:
        servers.append(RawServer(*positional, **arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def zookeeper(tmp_path_factory) -> Iterator[zookeeper_server.Server]:
    """A real ZooKeeper server, which all tests share. Each uses znodes of its own."""
    server = zookeeper_server.Server(tmp_path_factory.mktemp("zookeeper") / "server")
    with zookeeper_server.serving([server]):
        yield server


@pytest.fixture
def running() -> Iterator[Callable]:
    """Return a function that starts a fake daemon, which stops at the end of the test."""
    daemons = []

    def start(daemon):
        daemon.start()
        daemons.append(daemon)
        return daemon

    yield start
    for daemon in daemons:
        daemon.stop()


@pytest.fixture
def nobody() -> str:
    """A URL where nobody listens, outside of the kernel's range of ports."""
    while True:
        port = random.randint(20000, 30000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return f"http://127.0.0.1:{port}"


@pytest.fixture
def cell(request) -> Callable[[str, str, str], None]:
    """Show the outcome of this test in a table at the end: its title, row and column."""
    return lambda *place: request.node.user_properties.append(("cell", place))


def pytest_terminal_summary(terminalreporter) -> None:
    """Print the tables. A cell with several tests has passed if all of them have."""
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for title, row, column in (
                value for name, value in report.user_properties if name == "cell"
            ):
                tables.setdefault(title, {}).setdefault(row, {})[column] = outcome
    for title, rows in sorted(tables.items()):
        columns = sorted({column for row in rows.values() for column in row})
        terminalreporter.section(title)
        terminalreporter.write_line(" " * 26 + "".join(f"{column:>10}" for column in columns))
        for name, row in sorted(rows.items()):
            terminalreporter.write_line(
                f"{name:26}" + "".join(f"{row.get(column, ''):>10}" for column in columns)
            )
