"""A fake Marathon. One of several servers leads; the others proxy requests to it."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import pathlib
import queue
import re
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from kazoo.exceptions import KazooException

from ..wire.election import MemoryRoom, ZooKeeperUrl
from ..wire.framework import Framework, native_library, serve
from ..wire.http import Request, Response, answer, route
from ..wire.scallop import KnownOptions, OptionError, parse
from ..wire.versions import release
from . import compatibility
from . import options as marathon_options
from .agents import Agents, Direct
from .apps import Apps
from .deployments import Deployments, Plan
from .errors import JSON, api, invalid, page
from .groups import Groups
from .health import Health
from .normal import Settings
from .pods import Pods
from .queue import Queue
from .record import load, store
from .tasks import Instance, Tasks
from .tree import Clock, Tree

EVENT_STREAM = "text/event-stream"

# Options in /v2/info, and the names that differ there.
INFO_OPTIONS = """
    access_control_allow_origin checkpoint decline_offer_duration default_network_name
    env_vars_prefix executor
    failover_timeout framework_name ha hostname launch_tokens launch_token_refresh_interval
    leader_proxy_connection_timeout leader_proxy_read_timeout local_port_max local_port_min master
    max_instances_per_offer mesos_bridge_name mesos_heartbeat_failure_threshold
    mesos_heartbeat_interval
    mesos_leader_ui_url mesos_role mesos_user new_group_enforce_role min_revive_offers_interval
    offer_matching_timeout
    on_elected_prepare_timeout reconciliation_initial_delay reconciliation_interval
    revive_offers_for_new_apps
    revive_offers_repetitions scale_apps_initial_delay scale_apps_interval store_cache
    task_launch_confirm_timeout
    task_launch_timeout task_lost_expunge_initial_delay task_lost_expunge_interval
    task_reservation_timeout webui_url
    maintenance_mode
"""
ZK_INFO_OPTIONS = (
    "zk", "zk_timeout", "zk_session_timeout", "zk_max_versions", "zk_compression",
    "zk_compression_threshold", "zk_connection_timeout", "zk_max_node_size",
)  # fmt: skip
INFO_NAMES = {
    "launch_tokens": "launch_token",
    "leader_proxy_connection_timeout": "leader_proxy_connection_timeout_ms",
    "leader_proxy_read_timeout": "leader_proxy_read_timeout_ms",
}


class RecordedRequest(NamedTuple):
    """A request that a server received."""

    method: str
    path: str
    query: str
    body: str


class Marathon(Apps, Groups, Pods, Deployments, Tasks, Health, Queue, Framework):
    """
    A Marathon of a version, started with its command line.

    Since 1.5.10 the environment is read, too: ``MARATHON_X=y`` means ``--x y``, an empty value
    means ``--x``. Raises OptionError for invalid options.

    room
        Where the Mesos masters of a unit test are elected.

    servers
        Where the Marathons of a unit test are elected.

    agents
        Agents in memory, instead of a Mesos.

    ``requests`` has the last 1000 requests. ``late`` is how many more times the newest deployment
    is missing in the list, which happens before 1.8.
    """

    lost_leadership = 103
    no_zookeeper = 100
    # A store that cannot be migrated, an error of the master, and a framework that was removed.
    # Before 1.6 it is fatal_error.
    failed_leadership = 104
    scheduler_error = 106
    removed_framework = 110
    fatal_error = 137
    pause = 0.25  # seconds between two searches for a leader

    def __init__(
        self,
        arguments: Iterable[str],
        environment: Mapping[str, str] | None = None,
        version: str = "1.8.244",
        room: MemoryRoom | None = None,
        servers: MemoryRoom | None = None,
        agents: Agents | None = None,
    ) -> None:
        self.version, self.line = version, release(version)[:2]
        environment = dict(environment or {})
        known_options = KnownOptions.of(marathon_options, version)
        words = [*arguments, *self._from_environment(environment)]
        self.options = parse(words, known_options)
        self._check_authentication(words)
        if self.options["master"] is None and not room and not agents:
            raise OptionError("Required option 'master' not found")
        if self.options["disable_http"]:
            raise OptionError("The fake speaks no TLS, so --disable_http leaves nothing")
        try:
            zk = ZooKeeperUrl.parse(str(self.options["zk"]))
        except ValueError as error:
            raise OptionError(
                f"Bad arguments for option 'zk': '{self.options['zk']}' - {error}"
            ) from error
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
        self.in_memory, self.over = agents is not None, threading.Event()
        if agents:
            self.registration = Direct(agents, self.describe, self._accepted)
        self.settings = Settings(
            release(version),
            default_network=str(self.options.get("default_network_name") or "") or None,
            bridge=str(self.options.get("mesos_bridge_name") or "mesos-bridge"),
            role=str(self.options["mesos_role"] or "*"),
            roles=(str(self.options["mesos_role"] or "*"),),
            features=tuple(str(self.options["enable_features"] or "").split(",")),
            deprecated=tuple(str(self.options.get("deprecated_features") or "").split(",")),
        )
        self.enforces_roles = self.options.get("new_group_enforce_role") == "top"
        self.requests: list[RecordedRequest] = []
        self.late = 0
        self.mesos_url: str | None = None  # of the master that registered the framework
        self.followers: list[queue.Queue[dict[str, Any] | None]] = []
        self.clock, self.reported, self.touched = Clock(), set[str](), False
        self.tree = Tree()
        self.versions: dict[str, dict[str, dict[str, Any]]] = {"apps": {}, "pods": {}}
        self.missing_versions: dict[str, set[str]] = {}
        self.history: list[tuple[str, Tree]] = []
        self.plans: list[Plan] = []
        self.instances: dict[str, Instance] = {}
        self.goals: dict[str, int] = {}
        self.queue: dict[str, int] = {}
        self.waits: dict[str, dict[str, Any]] = {}
        self.used_offers: dict[str, float] = {}  # when an app or pod was launched, by id
        self.delays: dict[str, tuple[str, float, float]] = {}
        self.failures: dict[str, dict[str, Any]] = {}
        self.tree.touch("/", self.clock.now())

    def _check_authentication(self, words: list[str]) -> None:
        """Refuse options of authentication that go together, or not, in another way."""
        if self.line < (1, 3):
            return
        toggles = {"--mesos_authentication", "--disable_mesos_authentication"}
        if toggles & set(words) and self.options["mesos_authentication_principal"] is None:
            raise OptionError(
                "When specifying 'mesos_authentication', all of the following options must also be "
                "provided: mesos_authentication_principal"
            )
        secrets = ("mesos_authentication_secret", "mesos_authentication_secret_file")
        if all(self.options[name] is not None for name in secrets):
            raise OptionError(
                f"There should be only one or zero of the following options: {', '.join(secrets)}"
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
        optional = {
            "role": options["mesos_role"],
            "principal": options["mesos_authentication_principal"],
        }
        return {
            "user": options["mesos_user"] or getpass.getuser(),
            "name": options["framework_name"],
            "failover_timeout": float(str(options["failover_timeout"])),
            "checkpoint": options["checkpoint"],
            "hostname": self.hostname,
            "webui_url": options["webui_url"] or f"http://{self.address}",
            **{name: value for name, value in optional.items() if value},
        }

    def settings_for(self, path: str) -> Settings:
        """
        Return the settings for an app or pod. Its top-level group is an allowed role, or the only
        one.
        """
        top = "/" + path.split("/")[1]
        group = self.tree.groups.get(top) if top != path else None
        if self.line < (1, 9) or group is None:
            return self.settings
        if group["enforceRole"]:
            return self.settings._replace(role=top[1:], roles=(top[1:],))
        return self.settings._replace(roles=(*self.settings.roles, top[1:]))

    # --- state, and the exchange with Mesos ---

    def remember(self, version: str) -> None:
        """Add the tree to the history, and its definitions to the versions."""
        max_versions = int(str(self.options["zk_max_versions"]))
        self.history = [*self.history, (version, self.tree)][-max_versions:]
        specs = self.tree.specs()
        self.missing_versions = {
            path: versions for path, versions in self.missing_versions.items() if path in specs
        }
        referenced: dict[str, dict[str, set[str]]] = {"apps": {}, "pods": {}}
        trees = [tree for _, tree in self.history] + [
            tree for plan in self.plans for tree in (plan.original, plan.target)
        ]
        for kind, definitions in self.versions.items():
            for path, spec in getattr(self.tree, kind).items():
                definitions.setdefault(path, {})[spec["version"]] = spec
            for tree in trees:
                for path, spec in getattr(tree, kind).items():
                    referenced[kind].setdefault(path, set()).add(spec["version"])
            for path in list(definitions):
                definitions[path] = {
                    name: spec
                    for name, spec in definitions[path].items()
                    if name in referenced[kind].get(path, ())
                }
                if not definitions[path]:
                    del definitions[path]

    def save(self) -> None:
        """Store the state for the next leader."""
        self.touched = False
        with contextlib.suppress(KazooException):
            self._keep_id(self.framework_id)

    def _keep_id(self, framework_id: str | None) -> None:
        names = ("tree", "versions", "history", "plans", "goals", "delays", "failures")
        self.group.store(
            store(
                {
                    "framework_id": framework_id,
                    "store_version": compatibility.store_left_by(self.version),
                    **{name: getattr(self, name) for name in names},
                    "instances": list(self.instances.values()),
                }
            )
        )

    def _stored(self) -> str:
        """Load the state that the last leader stored, and migrate it. End if that is impossible."""
        with contextlib.suppress(KazooException):
            state = load(self.group.load())
            store_version = state.pop("store_version", None)
            problem = store_version and compatibility.store_problem(store_version, self.version)
            if problem:
                self._crash(self.failed_leadership, problem)
                return ""
            return self._restore(state, store_version)
        return ""

    def _restore(self, state: dict[str, Any], store_version: str | None) -> str:
        """Restore a state, and store it if it was migrated. Returns the framework id."""
        with self.lock:
            framework_id = state.pop("framework_id", None) or ""
            instances = state.pop("instances", [])
            # Drop instances that no master confirmed. Their tasks are unknown, and will be killed.
            self.instances = {
                instance.id: instance
                for instance in instances
                if all(task.reported for task in instance.tasks.values())
            }
            for name, value in state.items():
                setattr(self, name, value)
            if store_version != compatibility.store_left_by(self.version):
                self._keep_id(framework_id)
            return framework_id

    def _crash(self, status: int, reason: str) -> None:
        """End with the exit status that the version has for it."""
        self.end(status if self.line >= (1, 6) else self.fatal_error, reason)

    def _removed(self, text: str) -> None:
        is_removed = "Framework has been removed" in text
        self._crash(self.removed_framework if is_removed else self.scheduler_error, text)

    def describe(self) -> dict[str, Any]:
        """Return the report to the Mesos master."""
        with self.lock:
            described = super().describe()
            self.reported = {info["task_id"]["value"] for info in described["launch"]}
            credential = self._credential()
            return {**described, "credential": credential} if credential else described

    def _credential(self) -> dict[str, str] | None:
        """
        Return principal and secret with which Marathon authenticates at the master, None if it does
        not: since 1.3 only with the option ``mesos_authentication``, whatever else is set.
        """
        principal = self.options["mesos_authentication_principal"]
        secret = self.options.get("mesos_authentication_secret")
        secret_file = self.options["mesos_authentication_secret_file"]
        if not principal or self.line >= (1, 3) and not self.options["mesos_authentication"]:
            return None
        if secret is None and secret_file:
            secret = pathlib.Path(str(secret_file)).read_text()
        return {"principal": str(principal), **({"secret": str(secret)} if secret else {})}

    def _accepted(self, reply: dict[str, Any]) -> None:
        oldest = compatibility.oldest_mesos(self.version)
        master_version = reply["master"].get("version", oldest)
        if release(master_version) < release(oldest):
            text = (
                f"Mesos Master version {master_version} does not meet minimum required "
                f"version {oldest}"
            )
            self._crash(self.scheduler_error, text)
            return
        with self.lock:
            if self.leading:
                self.mesos_url = f"http://{reply['master']['pid'].rpartition('@')[2]}/"
                super()._accepted(reply)

    def tell(self, event: str, **members: Any) -> None:
        """Send an event to the subscribers."""
        for follower in list(self.followers):
            follower.put({"eventType": event, "timestamp": self.clock.now(), **members})

    def start(self) -> None:
        """Serve, take part in the election, and run health checks."""
        super().start()
        if not self.in_memory:
            threading.Thread(target=self.watch_health, daemon=True).start()

    def stop(self) -> None:
        """Leave the election, and end the event streams."""
        self.over.set()
        for follower in list(self.followers):
            follower.put(None)
        super().stop()

    # --- leader and proxy ---

    def forestall(self, request: Request) -> Response | None:
        """Check the credentials, and proxy to the leader."""
        query, body = request.query_string.decode(), request.get_data(as_text=True)
        self.requests.append(RecordedRequest(request.method, request.path, query, body))
        del self.requests[:-1000]
        login = str(
            self.options["http_credentials"]
            or self.environment.get("MESOSPHERE_HTTP_CREDENTIALS", "")
        )
        if login:
            credentials = request.authorization
            if credentials is None or f"{credentials.username}:{credentials.password}" != login:
                response = page("Unauthorized", 401)
                response.headers["WWW-Authenticate"] = f'Basic realm="{self.options["http_realm"]}"'
                return response
        if self.leading:
            return None
        if request.path == "/v2/events" and self.line >= (1, 7) and self.leader:
            response = answer(None, 302)
            response.headers["Location"] = f"http://{self.leader}/v2/events" + (
                f"?{query}" if query else ""
            )
            return response
        for _ in range(10):
            if self.leader not in (None, self.address):
                break
            time.sleep(self.pause)
        bad = 502 if release(self.version) >= release("1.7") else 503
        if self.leader in (None, self.address):
            return page("Could not determine the current leader", bad)
        via = f"1.1 {self.address}"
        if via in request.headers.get("X-Marathon-Via", ""):
            return page("Detected proxying loop.", 502)
        try:
            response = self.forward(request, **{"X-Marathon-Via": via})
        except OSError:
            return page("Connection to leader refused.", bad)
        response.headers["X-Marathon-Via"] = via
        return response

    def rewrite(self, path: str) -> str:
        """Merge repeated slashes. Clients that append an absolute id to a path send them."""
        return re.sub("(?<=.)/+", "/", path)

    def intercept(self, request: Request, marks: dict[str, Any]) -> Any:
        """Refuse what the client does not accept, and a body that is not JSON."""
        types, accepted = marks.get("types"), request.accept_mimetypes
        if types and accepted and not any(name in accepted for name in types):
            return answer({"message": "Not Acceptable"}, 406)
        if types and request.get_data() and request.mimetype not in ("", JSON):
            return answer({"message": "Unsupported Media Type"}, 415)
        return None

    def finish(self, response: Response) -> None:
        """Add the header with the leader. Marathon's text has no charset."""
        if response.headers.get("Content-Type") == "text/plain; charset=utf-8":
            response.headers["Content-Type"] = "text/plain"
        if self.leading:
            response.headers["X-Marathon-Leader"] = f"http://{self.address}"

    # --- routes ---

    @route("/ping", "GET")
    def ping(self, request: Request) -> Any:
        """Answer ``pong``, as text to a client of events."""
        accepted = request.accept_mimetypes
        best = accepted.best_match(["text/plain", "text/html", JSON, EVENT_STREAM], "")
        if accepted and not best:
            return answer(None, 204)
        response = answer("pong")
        if best == "text/html":
            response.headers["Content-Type"] = best
        elif best == JSON:
            response.data, response.content_type = b'"pong"', JSON
        return response

    @route("/metrics", "GET", types=(JSON,))
    def get_metrics(self, _request: Request) -> Any:
        """Return metrics that are all empty."""
        return {
            "version": "4.0.0",
            "gauges": {},
            "counters": {},
            "histograms": {},
            "meters": {},
            "timers": {},
        }

    @route("/v2/info", "GET", types=(JSON,))
    def get_info(self, _request: Request) -> Any:
        """Return version, leader and configuration."""
        options = {
            name: int(value) if isinstance(value, str) and value.isdigit() else value
            for name, value in self.options.items()
        }
        config = {
            INFO_NAMES.get(name, name): options[name]
            for name in INFO_OPTIONS.split()
            if name in options
        }
        config["mesos_leader_ui_url"] = config["mesos_leader_ui_url"] or self.mesos_url
        names = ZK_INFO_OPTIONS if self.line >= (1, 8) else ZK_INFO_OPTIONS[:4]
        zk = {name: options[name] for name in names}
        if self.line >= (1, 7):  # older versions expose the password
            zk["zk"] = re.sub("//[^@/]*@", "//xxxxxxxx:xxxxxxxx@", zk["zk"])
            config["master"] = config["master"] and re.sub(
                "//[^@/]*@", "//xxxxxxxx:xxxxxxxx@", str(config["master"])
            )
        return {
            "name": "marathon",
            "version": self.version,
            "buildref": "fake",
            "elected": self.leading,
            "leader": self.leader,
            "frameworkId": self.framework_id,
            "marathon_config": {
                **config,
                "features": [name for name in self.settings.features if name],
            },
            "zookeeper_config": zk,
            "http_config": {name: options[name] for name in ("http_port", "https_port")},
        }

    @route("/v2/events", "GET")
    def get_events(self, request: Request) -> Any:
        """Stream events until the client disconnects."""
        if EVENT_STREAM not in request.accept_mimetypes.values():
            return self._not_allowed(request)
        follower: queue.Queue[dict[str, Any] | None] = queue.Queue()
        kinds = request.args.getlist("event_type")

        def stream() -> Iterator[str]:
            try:
                while (event := follower.get()) is not None:
                    if not kinds or event["eventType"] in kinds:
                        yield f"event: {event['eventType']}\ndata: {json.dumps(event)}\n\n"
            finally:
                self.followers.remove(follower)

        with self.lock:
            self.followers.append(follower)
        follower.put(
            {
                "eventType": "event_stream_attached",
                "timestamp": self.clock.now(),
                "remoteAddress": request.remote_addr,
            }
        )
        return Response(stream(), mimetype=EVENT_STREAM)

    @staticmethod
    def _not_allowed(request: Request) -> Response:
        """Make the error of the servlet for events: a page, or nothing if HTML is not accepted."""
        accepted = request.accept_mimetypes
        if accepted and "text/html" not in accepted:
            return answer(None, 405)
        text = f"HTTP method {request.method} is not supported by this URL"
        return page(text, 405, request.path)

    @api("/v2/leader", "GET")
    def get_leader(self, _request: Request) -> Any:
        """Return the leader."""
        return answer({"leader": self.leader})

    @api("/v2/leader", "DELETE")
    def abdicate(self, request: Request) -> Any:
        """Give up leadership. The process ends a moment later. The fake makes no backup."""
        backup = request.args.get("backup", "file:")
        if not backup.startswith(("file:", "s3:")):
            invalid([("/", f"Invalid URI or unsupported scheme: {backup}")])
        timer = threading.Timer(0.05, self.end, (self.lost_leadership, "Abdicating"))
        timer.daemon = True
        timer.start()
        return answer({"message": "Leadership abdicated"})

    @api("/v2/plugins", "GET")
    def get_plugins(self, _request: Request) -> Any:
        """List the plugins: none."""
        return answer({"plugins": []})

    def error(self, request: Request, error: Any) -> Response:
        """Respond to a path without a route: 404, since 1.6 500."""
        if request.method == "OPTIONS":
            return answer(None, 500)
        if request.path == "/v2/events" and error.code == 405:
            return self._not_allowed(request)
        if error.code == 404:
            if self.line >= (1, 6):
                return answer({"message": "URI not found"}, 500)
            return answer({"message": f"URI not found: {request.path}"}, 404)
        return answer({"message": error.name}, error.code)


def main(version: str) -> int:
    """Run the program. Returns its exit status."""
    refused = 112 if release(version) >= release("1.6") else 1
    try:
        daemon = Marathon(sys.argv[1:], os.environ, version)
    except OptionError as error:
        print(f"[scallop] Error: {error}", file=sys.stderr)
        return refused
    return _library_status(version) or serve(daemon, 111)


def _library_status(version: str) -> int:
    """Return 0 if the libmesos of this host is one that the version takes, else the exit status."""
    library = native_library()
    if library is None:
        print("java.lang.UnsatisfiedLinkError: no mesos in java.library.path", file=sys.stderr)
        return 1
    oldest = compatibility.oldest_mesos(version)
    if release(library) >= release(oldest):
        return 0
    if release(version) < release("1.8"):
        print(f"Failed to load libmesos: {library}", file=sys.stderr)
        return 1
    print(
        f"Found libmesos version {library} is incompatible with minimum required version: "
        f"{oldest}\nFailed to load libmesos: {library}",
        file=sys.stderr,
    )
    return 109
