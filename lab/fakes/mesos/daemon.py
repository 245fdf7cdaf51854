"""Shared code of the Mesos master and agent: flags, log, address, metrics and the v1 API."""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import os
import pathlib
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from ..wire import threads
from ..wire.http import HttpDaemon, Refusal, Request, Response, answer, route
from ..wire.versions import release
from . import flags as mesos_flags
from . import protobuf
from .authentication import Access, problem

BUILD = {
    "build_date": "2020-11-17 00:00:00 UTC",
    "build_time": 1605571200.0,
    "build_user": "fake",
}


# Calls that came later than the API, which was there with 1.0.
SINCE = {
    "MARK_AGENT_GONE": "1.5.0",
    "TEARDOWN": "1.5.0",
    "GET_OPERATIONS": "1.6.0",
    "UPDATE_QUOTA": "1.9.0",
    "DRAIN_AGENT": "1.9.0",
    "DEACTIVATE_AGENT": "1.9.0",
    "REACTIVATE_AGENT": "1.9.0",
    "PRUNE_IMAGES": "1.5.0",
}


class Exit(Exception):
    """The daemon ends with status 1 and these words."""


class Abort(Exception):
    """The daemon ends by SIGABRT, as the real one does where a check fails."""


def allow_only(request: Request, *methods: str) -> None:
    """Refuse other methods, as libprocess does."""
    if request.method not in methods:
        expected = ", ".join(f"'{method}'" for method in methods)
        text = (
            f"405 Method Not Allowed. Expecting one of {{ {expected} }}, "
            f"but received '{request.method}'."
        )
        raise Refusal(405, text, Allow=", ".join(methods))


def read_json(request: Request, before: str = "") -> Any:
    """Return the JSON body. Raises Refusal with the parser's message, prefixed by ``before``."""
    body = request.get_data(as_text=True)
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise Refusal(
            400, f"{before.format(body=body)}syntax error at line 1 near: {body[error.pos :]}"
        ) from error


class Log:
    """
    A log in the format of glog. Lines go to stderr and, with a directory, to one file per severity.

    The link ``<program>.<severity>`` points to the file of this run.
    """

    def __init__(self, program: str, directory: str | None) -> None:
        self.program, self.directory = program, directory
        self._files: dict[str, Any] = {}

    def write(self, severity: str, text: str) -> None:
        """Write a line of severity INFO, WARNING, ERROR or FATAL."""
        now = datetime.datetime.now()
        line = f"{severity[0]}{now:%m%d %H:%M:%S.%f} {os.getpid():5} fake.cpp:1] {text}\n"
        sys.stderr.write(line)
        if self.directory:
            levels = ("INFO", "WARNING", "ERROR", "FATAL")
            for level in levels[: levels.index(severity) + 1]:
                if level not in self._files:
                    self._files[level] = self._open(level, now)
                self._files[level].write(line)

    def _open(self, level: str, now: datetime.datetime) -> Any:
        host = socket.gethostname()
        name = f"{self.program}.{host}.root.log.{level}.{now:%Y%m%d-%H%M%S}.{os.getpid()}"
        directory = pathlib.Path(self.directory or "")
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / name).open("a", buffering=1)
        link = directory / f"{self.program}.{level}"
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(name)
        return file


class MesosDaemon(HttpDaemon):
    """
    A master or an agent, started with a command line and an environment.

    Raises FlagError for invalid flags, and Exit or Abort for invalid settings. ``exit`` is called
    when the daemon ends by itself. By default it stops the daemon; ``ended`` has the reason.
    """

    program: ClassVar[str]
    process: ClassVar[str]
    table: ClassVar[str]
    required: ClassVar[tuple[str, ...]] = ()
    calls: ClassVar[dict[str, Callable[[Any, Request, dict], Any]]]

    def __init__(
        self,
        arguments: Iterable[str],
        environment: Mapping[str, str] | None = None,
        version: str = "1.9.0",
    ):
        self.version = version
        environment = environment or {}
        known_flags = mesos_flags.flags_of_version(self.table, version)
        self.flags = mesos_flags.load(known_flags, arguments, environment, self.required)
        self.log = Log(self.program, self.flags.get("log_dir"))
        self.log.write("INFO", f"Version: {version}, a fake")
        bound = self.flags.get("ip") or environment.get("LIBPROCESS_IP")
        super().__init__(bound or "0.0.0.0", int(self.flags["port"]))
        self.ip = self.flags.get("advertise_ip") or bound or _own_address()
        self.hostname = self.flags.get("hostname") or self._looked_up()
        side = "master" if self.process == "master" else "agent"
        authentication_problem = problem(side, self.flags)
        if authentication_problem:
            raise Exit(authentication_problem)
        self.access = Access(side, self.flags)
        self.level = self._own_level = 0
        self._level_until = 0.0
        self.start_time = 0.0
        self.ended: str | None = None
        self.exit: Callable[[int], Any] = lambda _status: self.stop()

    @property
    def url(self) -> str:
        """Where others reach the daemon."""
        return f"http://{self.ip}:{self.port}"

    @property
    def pid(self) -> str:
        """The libprocess address, such as ``master@10.0.0.1:5050``."""
        return f"{self.process}@{self.ip}:{self.flags.get('advertise_port') or self.port}"

    def start(self) -> None:
        """Bind and serve; Abort if the port is taken."""
        try:
            super().start()
        except OSError as error:
            raise Abort(f"Failed to initialize: {error}") from error
        self.start_time = time.time()
        self.log.write("INFO", f"{self.program} started on {self.ip}:{self.port}")
        self.log.write(
            "INFO", "Flags at startup: " + " ".join(f'--{k}="{v}"' for k, v in self.flags.items())
        )

    def end(self, reason: str) -> None:
        """End with status 1."""
        self.ended = reason
        self.log.write("ERROR", f"EXIT with status 1: {reason}")
        self.exit(1)

    def since(self, version: str) -> bool:
        """Whether this daemon's version has what came with the given one."""
        return release(self.version) >= release(version)

    def _looked_up(self) -> str:
        if self.flags["hostname_lookup"] == "true":
            with contextlib.suppress(OSError):
                return socket.gethostbyaddr(self.ip)[0]
        return self.ip

    def intercept(self, request: Request, marks: dict[str, Any]) -> Response | None:
        """Ask for the credentials that a path needs: by default those of a reader."""
        return self.access.unauthorized(request, marks.get("realm", "readonly"))

    def rewrite(self, path: str) -> str:
        """Map ``/master/state`` to ``/state``. Endpoints of other processes have one path only."""
        endpoint = path.removeprefix(f"/{self.process}/")
        if endpoint == path or endpoint.startswith(("version", "metrics", "fake")):
            return path
        return f"/{endpoint}"

    # --- what both answer ---

    def build(self) -> dict[str, Any]:
        """Return the version as ``/version`` and ``/state`` show it."""
        return {"version": self.version, **BUILD}

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the process."""
        load = os.getloadavg()
        page = os.sysconf("SC_PAGE_SIZE")
        return {
            "system/cpus_total": float(os.cpu_count() or 1),
            "system/load_1min": load[0],
            "system/load_5min": load[1],
            "system/load_15min": load[2],
            "system/mem_free_bytes": float(os.sysconf("SC_AVPHYS_PAGES") * page),
            "system/mem_total_bytes": float(os.sysconf("SC_PHYS_PAGES") * page),
        }

    @route("/health", local=True, realm=None)
    def get_health(self, _request: Request) -> Any:
        """Say nothing, with 200: the process lives."""
        return None

    @route("/version", local=True, realm=None)
    def get_version(self, _request: Request) -> Any:
        """Show version and build."""
        return self.build()

    @route("/flags", local=True)
    def get_flags(self, request: Request) -> Any:
        """Show every flag that is set, as text."""
        self.access.demand(request, "view_flags")
        return {"flags": self.flags}

    @route("/metrics/snapshot", local=True)
    def get_metrics(self, request: Request) -> Any:
        """Show all metrics, as floats."""
        timeout = request.args.get("timeout")
        if timeout is not None and not mesos_flags.DURATION.fullmatch(timeout):
            return answer(f"Invalid timeout '{timeout}': Failed to convert '' to number.\n", 400)
        return dict(sorted(self.metrics().items()))

    @route("/system/stats.json", local=True, realm=None)
    def get_system(self, _request: Request) -> Any:
        """Show what the machine does."""
        measured = MesosDaemon.metrics(self)
        return {
            **{f"avg_load_{n}min": measured[f"system/load_{n}min"] for n in (1, 5, 15)},
            "cpus_total": int(measured["system/cpus_total"]),
            **{
                name: int(measured[f"system/{name}"])
                for name in ("mem_free_bytes", "mem_total_bytes")
            },
        }

    # --- logging and files ---

    @property
    def logging_level(self) -> int:
        """The level of the log: what was set last, until its time is over."""
        return self.level if time.monotonic() < self._level_until else self._own_level

    def _set_level(self, level: int, seconds: float) -> None:
        self.level, self._level_until = level, time.monotonic() + seconds

    @route("/logging/toggle", local=True, realm="readwrite")
    def toggle_logging(self, request: Request) -> Any:
        """Show the level of the log, or set it for a while, whatever the method is."""
        level, duration = request.args.get("level"), request.args.get("duration")
        if level is None:
            return answer(f"{self.logging_level}\n", 200)
        if not level.isdigit():
            return answer(f"Failed to convert '{level}' to number.\n", 400)
        if duration is None:
            return answer("Expecting 'duration=value' in query.\n", 400)
        self._set_level(int(level), mesos_flags.seconds(duration))
        return None

    @property
    def files(self) -> dict[str, pathlib.Path]:
        """The files that can be read over HTTP: the log."""
        if not self.log.directory:
            return {}
        log_file = pathlib.Path(self.log.directory, f"{self.program}.INFO").resolve()
        return {f"/{self.process.partition('(')[0]}/log": log_file}

    @route("/files/debug", local=True)
    def get_files(self, _request: Request) -> Any:
        """Show which files there are."""
        return {virtual: str(path) for virtual, path in self.files.items()}

    @route("/files/browse", local=True)
    def browse(self, request: Request) -> Any:
        """Show what is in a directory; a file has nothing in it."""
        return [] if request.args.get("path") in self.files else answer("", 404)

    @route("/files/read", local=True)
    def read(self, request: Request) -> Any:
        """Show a part of a file."""
        path = request.args.get("path", "")
        if path not in self.files:
            return answer("", 404)
        if not self.access.may(request, "access_mesos_logs"):
            return answer("", 403)
        offset, length = request.args.get("offset", 0, int), request.args.get("length", 0, int)
        return {
            "data": self._part(path, offset, length)[1].decode("utf-8", "replace"),
            "offset": offset,
        }

    def _part(self, path: str, offset: int, length: int | None) -> tuple[int, bytes]:
        content = self.files[path].read_bytes()
        return len(content), content[offset:][:length]

    def call_list_files(self, _request: Request, call: dict) -> Any:
        """LIST_FILES"""
        return {"list_files": {}} if call["path"] in self.files else answer("", 404)

    def call_read_file(self, request: Request, call: dict) -> Any:
        """READ_FILE"""
        if call["path"] not in self.files:
            return answer("", 404)
        self.access.demand(request, "access_mesos_logs")
        length = int(call["length"]) if "length" in call else None
        size, data = self._part(call["path"], int(call["offset"]), length)
        return {"read_file": {"size": size, "data": base64.b64encode(data).decode()}}

    def call_logging_level(self, _request: Request, _call: dict) -> Any:
        """GET_LOGGING_LEVEL"""
        return {"get_logging_level": {"level": self.logging_level}}

    def call_set_logging_level(self, request: Request, call: dict) -> Any:
        """SET_LOGGING_LEVEL"""
        self.access.demand(request, "set_log_level")
        self._set_level(int(call["level"]), int(call["duration"]["nanoseconds"]) / 1e9)

    def call_metrics(self, _request: Request, _call: dict) -> Any:
        """GET_METRICS"""
        return {
            "get_metrics": {
                "metrics": [
                    {"name": name, "value": value} for name, value in sorted(self.metrics().items())
                ]
            }
        }

    # --- POST /api/v1 ---

    @route("/api/v1", realm="readwrite")
    def api(self, request: Request) -> Any:
        """Answer a call of the v1 operator API."""
        allow_only(request, "POST")
        kind = request.headers.get("Content-Type")
        if kind is None:
            return answer("Expecting 'Content-Type' to be present", 400)
        if kind != "application/json":
            return answer(
                "Expecting 'Content-Type' of application/json or application/x-protobuf", 415
            )
        if request.accept_mimetypes and not request.accept_mimetypes["application/json"]:
            return answer(
                "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'", 406
            )
        body = request.get_data(as_text=True)
        try:
            call = json.loads(body)
        except json.JSONDecodeError as error:
            remainder = body[error.pos :]
            return answer(
                f"Failed to parse body into JSON: syntax error at line 1 near: {remainder}", 400
            )
        if not isinstance(call, dict):
            return answer("Failed to convert JSON into Call protobuf: Expecting a JSON object", 400)
        return self._dispatch(request, call)

    def _dispatch(self, request: Request, call: dict[str, Any]) -> Any:
        name = call.get("type")
        side = "master" if self.process == "master" else "agent"
        if isinstance(name, int | float):
            text = "Not expecting a JSON number for field 'type'"
            return answer(f"Failed to convert JSON into Call protobuf: {text}", 400)
        if name == "UNKNOWN":
            return answer("501 Not Implemented.", 501)
        if name not in self.calls or not self.since(SINCE.get(name, "1.0.0")):
            return answer(f"Failed to validate {side}::Call: Expecting 'type' to be present", 400)
        content = self.calls[name](self, request, protobuf.member(name, call, side))
        return {"type": name, **content} if isinstance(content, dict) else content

    def call_health(self, _request: Request, _call: dict) -> Any:
        """GET_HEALTH"""
        return {"get_health": {"healthy": True}}

    def call_version(self, _request: Request, _call: dict) -> Any:
        """GET_VERSION"""
        return {"get_version": {"version_info": self.build()}}

    def call_flags(self, request: Request, _call: dict) -> Any:
        """GET_FLAGS"""
        self.access.demand(request, "view_flags")
        return {
            "get_flags": {
                "flags": [{"name": name, "value": value} for name, value in self.flags.items()]
            }
        }


COMMON_CALLS = {
    "GET_HEALTH": MesosDaemon.call_health,
    "GET_VERSION": MesosDaemon.call_version,
    "GET_FLAGS": MesosDaemon.call_flags,
    "GET_METRICS": MesosDaemon.call_metrics,
    "GET_LOGGING_LEVEL": MesosDaemon.call_logging_level,
    "SET_LOGGING_LEVEL": MesosDaemon.call_set_logging_level,
    "LIST_FILES": MesosDaemon.call_list_files,
    "READ_FILE": MesosDaemon.call_read_file,
}


def _own_address() -> str:
    """Return the address that the machine's name stands for."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


def run(
    daemon: type[MesosDaemon], version: str, ready: Callable[[Any], None] = lambda _daemon: None
) -> int:
    """Run the daemon until it is killed. Returns the exit status of a failed start."""
    arguments = sys.argv[1:]
    log = Log(daemon.program, None)
    if "--version" in arguments:
        print(f"mesos {version}")
        return 0
    threads.exit_on_error()
    try:
        instance = daemon(arguments, os.environ, version)
        instance.exit = os._exit
        instance.start()
    except mesos_flags.FlagError as error:
        print(
            f"{error}\n\nSee `{daemon.program} --help` for a list of supported flags.",
            file=sys.stderr,
        )
        return 1
    except Exit as error:
        log.write("ERROR", f"EXIT with status 1: {error}")
        return 1
    except Abort as error:
        log.write("FATAL", str(error))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.abort()
    ready(instance)
    while True:  # SIGTERM ends it at once and closes no ZooKeeper session, as with the real ones
        time.sleep(3600)
