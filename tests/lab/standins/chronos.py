"""Chronos: one of several servers leads, the others pass every request on to it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from . import chronos_options
from .election import MemoryRoom, ZooKeeperUrl
from .flags import release
from .framework import Framework, native_library, serve
from .http import Request, Response, answer, route
from .scallop import Known, OptionError, parse


def zk_servers(text: str) -> str:
    """Read ``h1:2181,h2:2181`` or ``zk://h1:2181,h2:2181/anything``; OptionError unless each entry is host:port."""
    servers = text.removeprefix("zk://").partition("/")[0]
    for entry in servers.split(","):
        host, colon, port = entry.partition(":")
        if not (host and colon and port.isdigit()):
            raise OptionError(f"Bad arguments for option 'zk_hosts': '{text}' - '{entry}' is not host:port")
    return servers


class Chronos(Framework):
    """
    A Chronos of a given version, started with its command line.

    ``room`` is where the Mesos masters of a unit test meet, ``servers`` where its Chronoses do.
    Raises OptionError for options that are refused.
    """

    def __init__(
        self,
        arguments: Iterable[str],
        environment: Mapping[str, str] | None = None,
        version: str = "2.5.0",
        room: MemoryRoom | None = None,
        servers: MemoryRoom | None = None,
    ) -> None:
        self.version = version
        self.options = parse(arguments, Known.of(chronos_options, version))
        self.prefix = "/v1/scheduler/" if release(version) >= release("3.0") else "/scheduler/"
        zk = ZooKeeperUrl(
            zk_servers(str(self.options["zk_hosts"])),
            f"{self.options['zk_path']}/candidate",
            str(self.options.get("zk_auth") or "") or None,
        )
        super().__init__(
            host=str(self.options["http_address"] or "0.0.0.0"),
            port=int(str(self.options["http_port"])),
            hostname=str(self.options["hostname"] or socket.gethostname()),
            master=room or str(self.options["master"]),
            election=servers or zk,
            environment=dict(environment or {}),
            zk_timeout=int(str(self.options["zk_timeout"])) / 1000,
        )

    def info(self) -> dict[str, Any]:
        """Return the FrameworkInfo, without its id."""
        options = self.options
        principal = options["mesos_authentication_principal"]
        return {
            "user": options["user"],
            "name": options["mesos_framework_name"],
            "role": options["mesos_role"],
            "failover_timeout": float(str(options["failover_timeout"])),
            "checkpoint": options["mesos_checkpoint"],
            "hostname": self.hostname,
            "webui_url": options["webui_url"] or f"http://{self.address}",
            **({"principal": principal} if principal else {}),
        }

    def rewrite(self, path: str) -> str:
        """Know the API under the prefix of this version only."""
        return path.replace(self.prefix, "/api/", 1) if path.startswith(self.prefix) else path

    def forestall(self, request: Request) -> Response | None:
        """Pass everything on to the leader; as Chronos swallows what a leader says of an error, so does this."""
        if self.leading:
            return None
        try:
            if self.leader in (None, self.address):
                raise OSError("no leader")
            response = self.forward(request)
        except OSError:
            return answer("Error proxying request to leader (maybe the leadership just changed?)", 500)
        if response.status_code >= 400:
            response.data = b""
        return response

    @route("/ping")
    def ping(self, _request: Request) -> Any:
        """Say that it lives, for the leader."""
        return "pong"

    @route("/metrics", "GET")
    def get_metrics(self, _request: Request) -> Any:
        """Show the shape of metrics, empty."""
        return {"version": "3.0.0", "gauges": {}, "counters": {}, "histograms": {}, "meters": {}, "timers": {}}

    @route("/api/jobs", "GET")
    def get_jobs(self, _request: Request) -> Any:
        """Show the jobs: none yet."""
        return []

    @route("/api/leader", "GET")
    def get_leader(self, _request: Request) -> Any:
        """Show who leads; 2.4 does not know this."""
        if release(self.version) < release("2.5"):
            return answer(None, 404)
        return {"leader": self.leader}


def main(version: str) -> int:
    """Be the program. Returns the exit status where it does not start."""
    try:
        daemon = Chronos(sys.argv[1:], os.environ, version)
    except OptionError as error:
        print(f"[scallop] Error: {error}", file=sys.stderr)
        return 1
    if native_library() is None:
        print("java.lang.UnsatisfiedLinkError: no mesos in java.library.path", file=sys.stderr)
        return 1
    return serve(daemon, 1)
