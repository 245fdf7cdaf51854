"""Marathon: one of several servers leads, the others pass every request on to it."""

from __future__ import annotations

import getpass
import os
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from . import marathon_options
from .election import MemoryRoom, ZooKeeperUrl
from .flags import release
from .framework import Framework, native_library, serve
from .http import Request, Response, answer, route
from .scallop import Known, OptionError, parse

# The oldest libmesos that a version accepts, newest first.
LIBMESOS = (("1.7.0", "1.5.0"), ("1.5.0", "1.1.0"), ("0", "0"))


class Marathon(Framework):
    """
    A Marathon of a given version, started with its command line.

    From 1.5.10 on the environment counts, too: ``MARATHON_X=y`` is ``--x y``, an empty one the bare ``--x``.
    ``room`` is where the Mesos masters of a unit test meet, ``servers`` where its Marathons do.
    Raises OptionError for options that are refused.
    """

    lost_leadership = 103
    no_zookeeper = 100
    pause = 0.25  # seconds between two looks for a leader

    def __init__(
        self,
        arguments: Iterable[str],
        environment: Mapping[str, str] | None = None,
        version: str = "1.8.244",
        room: MemoryRoom | None = None,
        servers: MemoryRoom | None = None,
    ) -> None:
        self.version = version
        environment = dict(environment or {})
        known = Known.of(marathon_options, version)
        self.options = parse([*arguments, *self._from_environment(environment)], known)
        if self.options["master"] is None and not room:
            raise OptionError("Required option 'master' not found")
        if not self.options["http"]:
            raise OptionError("The stand-in speaks no TLS, so --disable_http leaves nothing")
        try:
            zk = ZooKeeperUrl.parse(str(self.options["zk"]))
        except ValueError as error:
            raise OptionError(f"Bad arguments for option 'zk': '{self.options['zk']}' - {error}") from error
        if not self.options["ha"]:
            servers = MemoryRoom()
        super().__init__(
            host=str(self.options["http_address"] or "0.0.0.0"),
            port=int(str(self.options["http_port"])),
            hostname=str(self.options["hostname"] or socket.gethostname()),
            master=room or str(self.options["master"]),
            election=servers or zk._replace(path=f"{zk.path}/leader-curator"),
            environment=environment,
            zk_timeout=int(str(self.options["zk_timeout"])) / 1000,
        )

    def _from_environment(self, environment: Mapping[str, str]) -> Iterable[str]:
        if release(self.version) < release("1.5.10"):
            return
        for name, value in environment.items():
            if name.startswith("MARATHON_") and not name.startswith("MARATHON_APP_"):
                yield "--" + name.removeprefix("MARATHON_").lower()
                if value:
                    yield value

    def info(self) -> dict[str, Any]:
        """Return the FrameworkInfo, without its id."""
        options = self.options
        optional = {"role": options["mesos_role"], "principal": options["mesos_authentication_principal"]}
        return {
            "user": options["mesos_user"] or getpass.getuser(),
            "name": options["framework_name"],
            "failover_timeout": float(str(options["failover_timeout"])),
            "checkpoint": options["checkpoint"],
            "hostname": self.hostname,
            "webui_url": options["webui_url"] or f"http://{self.address}",
            **{name: value for name, value in optional.items() if value},
        }

    # --- leading ---

    def forestall(self, request: Request) -> Response | None:
        """Pass everything on to the leader, whatever it is."""
        if self.leading:
            return None
        for _ in range(10):
            if self.leader not in (None, self.address):
                break
            time.sleep(self.pause)
        bad = 502 if release(self.version) >= release("1.7") else 503
        if self.leader in (None, self.address):
            return _page("Could not determine the current leader", bad)
        via = f"1.1 {self.address}"
        if via in request.headers.get("X-Marathon-Via", ""):
            return _page("Detected proxying loop.", 502)
        try:
            response = self.forward(request, **{"X-Marathon-Via": via})
        except OSError:
            return _page("Connection to leader refused.", bad)
        response.headers["X-Marathon-Via"] = via
        return response

    def finish(self, response: Response) -> None:
        """Say who the leader is."""
        if self.leading:
            response.headers["X-Marathon-Leader"] = f"http://{self.address}"

    # --- what it answers ---

    @route("/ping")
    def ping(self, _request: Request) -> Any:
        """Say that it lives, for the leader."""
        return "pong"

    @route("/metrics", "GET")
    def get_metrics(self, _request: Request) -> Any:
        """Show the shape of metrics, empty."""
        return {"version": "4.0.0", "gauges": {}, "counters": {}, "histograms": {}, "meters": {}, "timers": {}}

    @route("/v2/info", "GET")
    def get_info(self, _request: Request) -> Any:
        """Show version, leader and configuration."""
        options = {
            name: int(value) if isinstance(value, str) and value.isdigit() else value
            for name, value in self.options.items()
        }
        zk = {name: options[name] for name in ("zk", "zk_timeout", "zk_session_timeout", "zk_max_versions")}
        http = {name: options[name] for name in ("http_port", "https_port")}
        hidden = {*zk, *http, "http_credentials", "ssl_keystore_password", "mesos_authentication_secret"}
        return {
            "name": "marathon",
            "version": self.version,
            "buildref": "stand-in",
            "elected": self.leading,
            "leader": self.leader,
            "frameworkId": self.framework_id,
            "marathon_config": {name: value for name, value in options.items() if name not in hidden},
            "zookeeper_config": zk,
            "http_config": http,
        }

    @route("/v2/leader", "GET")
    def get_leader(self, _request: Request) -> Any:
        """Show who leads."""
        return {"leader": self.leader}

    @route("/v2/apps", "GET")
    def get_apps(self, _request: Request) -> Any:
        """Show the apps: none yet."""
        return {"apps": []}

    def error(self, request: Request, error: Any) -> Response:
        """Answer what no route takes: 404, from 1.6 on 500."""
        if error.code == 404 and release(self.version) >= release("1.6"):
            return answer({"message": "URI not found"}, 500)
        return answer({"message": error.name}, error.code)


def _page(text: str, status: int) -> Response:
    """An error as Jetty shows it, in HTML."""
    page = f"<html><head><title>Error {status} {text}</title></head><body><h2>HTTP ERROR {status}</h2></body></html>\n"
    return Response(page, status, content_type="text/html;charset=iso-8859-1")


def main(version: str) -> int:
    """Be the program. Returns the exit status where it does not start."""
    refused = 112 if release(version) >= release("1.6") else 1
    try:
        daemon = Marathon(sys.argv[1:], os.environ, version)
    except OptionError as error:
        print(f"[scallop] Error: {error}", file=sys.stderr)
        return refused
    library = native_library()
    if library is None:
        print("java.lang.UnsatisfiedLinkError: no mesos in java.library.path", file=sys.stderr)
        return 1
    oldest = next(oldest for since, oldest in LIBMESOS if release(version) >= release(since))
    if release(library) < release(oldest):
        print(f"IncompatibleLibMesos: libmesos {library} is older than {oldest}", file=sys.stderr)
        return 109
    return serve(daemon, 111)
