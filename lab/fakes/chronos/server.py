"""Chronos: one of several servers leads, the others forward every request to it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import re
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kazoo.exceptions import KazooException
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    UnsupportedMediaType,
)

from ..marathon.agents import Agents, Direct
from ..marathon.server import RecordedRequest
from ..wire.election import MemoryRoom, ZooKeeperUrl
from ..wire.framework import native_library, serve
from ..wire.http import Request, Response, answer, route
from ..wire.scallop import KnownOptions, OptionError, parse
from ..wire.versions import release
from . import options as chronos_options
from .jobs import (
    COUNTERS,
    FIELDS_WITHOUT_PARENT,
    Failure,
    Job,
    Null,
    Unreadable,
    fields,
    listed,
    parse_body,
    read,
    required,
    valid_name,
)
from .pages import CONTENT_TYPE, error_page
from .runs import Run, Runs
from .schedule import parse as parse_schedule
from .schedule import stamp

PROXY_ERROR = "Error proxying request to leader (maybe the leadership just changed?)"
OLDEST_START = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
TASK_ID = re.compile(r"ct:\d+:\d+:[^:]*:.*")
# The paths of Chronos 3 below its prefix, and their methods.
ALLOWED_METHODS = (
    (r"|graph", ()),
    (r"jobs(/summary|/search)?|leader|job/stat/[^/]+", ("HEAD", "GET")),
    (r"stats/[^/]+|graph/(dot|csv)", ("HEAD", "GET")),
    (r"iso8601|dependency|job/[^/]+/task/[^/]+/progress", ("POST",)),
    (r"job/success/[^/]+", ("PUT",)),
    (r"task/kill/[^/]+", ("DELETE",)),
    (r"job/[^/]+", ("HEAD", "GET", "DELETE", "PUT")),
)
PERCENTILES = {
    "median": 0.5,
    "75thPercentile": 0.75,
    "95thPercentile": 0.95,
    "98thPercentile": 0.98,
    "99thPercentile": 0.99,
}


def zk_servers(text: str) -> str:
    """
    Return the servers of ``h1:2181,h2:2181`` or ``zk://h1:2181,h2:2181/path``.

    Raises OptionError unless each entry is host:port.
    """
    servers = text.removeprefix("zk://").partition("/")[0]
    for entry in servers.split(","):
        host, colon, port = entry.partition(":")
        if not (host and colon and port.isdigit()):
            raise OptionError(
                f"Bad arguments for option 'zk_hosts': '{text}' - '{entry}' is not host:port"
            )
    return servers


def api(
    path: str,
    *methods: str,
    since: str = "0",
    until: str = "99",
    without: type[Exception] = NotFound,
) -> Callable:
    """
    Mark a method as ``http.route`` does, with a path below the prefix of the API.

    The method runs with the daemon's lock, and its changes are saved. Only versions from ``since``
    on and before ``until`` have it; others raise ``without``.
    """

    def mark(function: Callable) -> Callable:
        @functools.wraps(function)
        def answered(self: Chronos, request: Request, **captured: str) -> Any:
            if not release(since) <= release(self.version) < release(until):
                raise without
            try:
                with self.lock:
                    if self.is_chronos_3:
                        self.negotiate(request, path)
                    content = function(self, request, **captured)
                    if self.dirty:
                        self.dirty = False
                        self.save()
                return self.response(content)
            except Failure as failure:
                return failure.response(self.version, request.path)

        return route(f"/api/{path}", *methods)(answered)

    return mark


class Chronos(Runs):
    """
    A Chronos of a version, started with its command line.

    ``room`` is where the Mesos masters of a unit test elect a leader, ``servers`` where the servers
    of Chronos do; ``agents`` replace a whole Mesos. ``requests`` has the last 1000 requests to this
    server. Raises OptionError for invalid options.
    """

    def __init__(
        self,
        arguments: Iterable[str],
        environment: Mapping[str, str] | None = None,
        version: str = "2.5.0",
        room: MemoryRoom | None = None,
        servers: MemoryRoom | None = None,
        agents: Agents | None = None,
    ) -> None:
        self.version = version
        self.options = parse(arguments, KnownOptions.of(chronos_options, version))
        self.prefix = "/v1/scheduler/" if self.is_chronos_3 else "/scheduler/"
        self.requests: list[RecordedRequest] = []
        self.prepare()
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
        if agents:
            self.registration = Direct(agents, self.describe, self._accepted)
        self._over = threading.Event()

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

    def describe(self) -> dict[str, Any]:
        """Return the report to the Mesos master. Chronos authenticates if it has a secret file."""
        described = super().describe()
        principal = self.options["mesos_authentication_principal"]
        secret_file = self.options["mesos_authentication_secret_file"]
        if principal and secret_file:
            secret = pathlib.Path(str(secret_file)).read_text()
            # They send the text of an object in Java, which no master knows (toString).
            if release("2.5") <= release(self.version) < release("3.0.2"):
                secret = f"<ByteString@{id(secret):x} size={len(secret)}>"
            described["credential"] = {"principal": str(principal), "secret": secret}
        return described

    # --- election and storage ---

    def start(self) -> None:
        """Serve requests, take part in the election, and run the main loop."""
        super().start()
        threading.Thread(target=self._turns, daemon=True).start()

    def stop(self) -> None:
        """Stop the main loop and the server."""
        self._over.set()
        super().stop()

    def _turns(self) -> None:
        while not self._over.wait(self.loop):
            self.turn()

    def save(self) -> None:
        """Save jobs and runs for the next leader."""
        with contextlib.suppress(KazooException):
            self._keep_id(self.framework_id)

    def _keep_id(self, framework_id: str | None) -> None:
        state = {name: getattr(self, name) for name in ("pending", "done", "times", "number")}
        state["jobs"] = {**self.unloaded, **self.jobs}
        runs = [dataclasses.asdict(run) for run in self.runs.values()]
        self.group.store(
            zlib.compress(
                json.dumps({"framework_id": framework_id, "runs": runs, **state}).encode()
            )
        )

    def _stored(self) -> str:
        with self.lock, contextlib.suppress(KazooException):
            record = self.group.load()
            state = json.loads(zlib.decompress(record)) if record else {}
            framework_id = state.pop("framework_id", None) or ""
            # A task that no agent confirmed was not sent.
            runs = [Run(**{**run, "launched": run["confirmed"]}) for run in state.pop("runs", [])]
            self.runs = {run.id: run for run in runs}
            for name, value in state.items():
                setattr(self, name, value)
            if self.is_chronos_3:
                # The main loop of a new leader sleeps before it loads anything.
                self.unloaded, self.jobs = self.jobs, {}
            return framework_id
        return ""

    def _accepted(self, reply: dict[str, Any]) -> None:
        with self.lock:
            if self.leading:
                super()._accepted(reply)

    # --- HTTP ---

    def negotiate(self, request: Request, path: str) -> None:
        """Refuse a request whose Accept or Content-Type does not match. Only Chronos 3 does."""
        content_type = "text/plain" if path.startswith("graph/") else "application/json"
        accepted = request.accept_mimetypes
        if accepted and not accepted.best_match([content_type]):
            raise NotAcceptable
        if request.method == "POST" and request.mimetype != "application/json":
            raise UnsupportedMediaType

    def response(self, content: Any) -> Response:
        """Return the response with a content; None is 204."""
        if isinstance(content, Response):
            return content
        response = answer(content, 204 if content is None else 200)
        if self.is_chronos_3 and content is None:
            response.headers["Content-Type"] = "application/json"
        elif self.is_chronos_3 and isinstance(content, str):
            response.headers["Content-Type"] = "text/plain"
        return response

    def error(self, request: Request, error: HTTPException) -> Response:
        """Answer a request without a route: below the prefix without a body, else with a page."""
        if not self.is_chronos_3:
            return super().error(request, error)
        path = request.path.removeprefix(self.prefix)
        if path == request.path:
            if error.code == 405:
                reason = f"HTTP method {request.method} is not supported by this URL"
                return error_page(request.path, 405, reason)
            return error_page(request.path, 404, "Not Found")
        if error.code in (406, 415):
            return answer(None, error.code)
        for pattern, allowed in ALLOWED_METHODS:
            if re.fullmatch(pattern, path.removesuffix("/")):
                if request.method in allowed:
                    break
                return answer(None, 405, Allow=",".join((*allowed, "OPTIONS")))
        return answer(None, 404)

    def rewrite(self, path: str) -> str:
        """Accept the API only below the prefix of this version."""
        if path.startswith(self.prefix):
            return path.replace(self.prefix, "/api/", 1)
        # Only the API accepts a trailing slash.
        return "" if self.is_chronos_3 and path.endswith("/") and path != "/" else path

    def forestall(self, request: Request) -> Response | None:
        """
        Check the credentials, and forward the request to the leader.

        As Chronos, this drops the body of the leader's errors. Of a page it keeps the length.
        """
        self.requests.append(
            RecordedRequest(
                request.method,
                request.path,
                request.query_string.decode(),
                request.get_data(as_text=True),
            )
        )
        del self.requests[:-1000]
        credentials = str(
            self.options["http_credentials"]
            or self.environment.get("MESOSPHERE_HTTP_CREDENTIALS", "")
        )
        login = request.authorization
        if credentials and (login is None or f"{login.username}:{login.password}" != credentials):
            response = error_page(request.path, 401, "Unauthorized")
            response.headers["WWW-Authenticate"] = 'basic realm="Mesosphere"'
            return response
        if self.leading:
            return None
        try:
            if self.leader in (None, self.address) or request.method == "PATCH":
                raise OSError("no leader")
            response = self.forward(request)
        except OSError:
            return error_page(request.path, 500, PROXY_ERROR)
        if response.status_code >= 400:
            is_page = response.content_type == CONTENT_TYPE or not self.is_chronos_3
            content_length = str(len(response.data)) if is_page else "0"
            response.data = b""
            response.headers["Content-Length"] = content_length
        return response

    # --- API ---

    @route("/ping", "GET")
    def ping(self, _request: Request) -> Any:
        """Answer that the leader is alive."""
        return Response("pong\n", content_type="text/plain;charset=iso-8859-1")

    @route("/metrics", "GET")
    def get_metrics(self, _request: Request) -> Any:
        """Return empty metrics."""
        return {
            "version": "3.0.0",
            "gauges": {},
            "counters": {},
            "histograms": {},
            "meters": {},
            "timers": {},
        }

    @api("leader", "GET", since="2.5")
    def get_leader(self, _request: Request) -> Any:
        """Return the leader; new in 2.5."""
        return {"leader": self.leader}

    def _all(self) -> list[Job]:
        # The order of a hash map, not of the names.
        return sorted(self.jobs.values(), key=lambda job: zlib.crc32(job["name"].encode()))

    @api("jobs", "GET")
    def get_jobs(self, _request: Request) -> Any:
        """Return all jobs."""
        return [listed(job) for job in self._all()]

    @api("jobs/summary", "GET", since="3.0")
    def get_summary(self, _request: Request) -> Any:
        """Return a summary of each job."""
        invalid_time = self._invalid_time()
        if invalid_time:
            raise Failure(400, f'Invalid format: "{invalid_time}"')
        summaries = [
            {
                "name": job["name"],
                "status": self._status(job),
                "state": self.state(job["name"]),
                "schedule": job.get("schedule", ""),
                "parents": job.get("parents", []),
                "disabled": job["disabled"],
            }
            for job in self._all()
        ]
        return {"jobs": summaries}

    def _invalid_time(self) -> str | None:
        """Return the first time that is not one. Chronos parses them only if a job has both."""
        for job in self._all():
            times = (job["lastSuccess"], job["lastError"])
            if all(times):
                for time in times:
                    if not time[:1].isdigit():
                        return time
        return None

    def _status(self, job: Job) -> str:
        if not job["lastSuccess"] and not job["lastError"]:
            return "fresh"
        return "success" if job["lastSuccess"] >= job["lastError"] else "failure"

    @api("jobs/search", "GET")
    def search(self, request: Request) -> Any:
        """Return the jobs whose name or command contains a text; ``limit`` defaults to ten."""
        texts = {key: request.args.get(key, "").lower() for key in ("name", "command", "any")}

        def matches(job: Job) -> bool:
            name, command = job["name"].lower(), job["command"].lower()
            if texts["name"] in name and texts["command"] in command:
                return True
            # "any" only adds jobs that the other two have ruled out.
            return bool(texts["any"]) and any(texts["any"] in text for text in (name, command))

        try:
            offset = int(request.args.get("offset", 0))
            limit = int(request.args.get("limit", 10))
        except ValueError:
            raise NotFound from None
        return [job for job in self._all() if matches(job)][offset : offset + max(0, limit)]

    def _job(self, name: str, mute: bool = False, kind: str = "Job") -> Job:
        required(name in self.jobs, f"{kind} '{name}' not found", mute)
        return self.jobs[name]

    @api("job/<name>", "GET", since="3.0", without=MethodNotAllowed)
    def get_job(self, _request: Request, name: str) -> Any:
        """Return a job."""
        return self._job(name)

    @api("iso8601", "POST")
    def post_scheduled(self, request: Request) -> Any:
        """Create or replace a job with a schedule."""
        job = self._read(request)
        if "parents" in job:
            raise Unreadable("java.lang.IllegalArgumentException: java.lang.ClassCastException")
        if job["schedule"] is None or not (job["schedule"] or self.is_chronos_3):
            job["schedule"] = (
                f"R1/{self.now():%Y-%m-%dT%H:%M:%S.000Z}/PT24H"
                if self.is_chronos_3
                else "R1//PT24H"
            )
        self._check_new(job)
        if job["name"] not in self.jobs and job.get("fetch") and job["uris"]:
            text = f"Tried to add both uri (deprecated) and fetch parameters on {job['name']}"
            raise Failure(400, text, kind="", mute=True)
        self._check_schedule(job)
        self._put(job)

    @api("dependency", "POST")
    def post_dependent(self, request: Request) -> Any:
        """Create or replace a job that runs after others."""
        job = self._read(request)
        if "parents" not in job:
            raise Unreadable("java.lang.IllegalArgumentException: argument type mismatch")
        self._check_new(job)
        is_new, name = job["name"] not in self.jobs, job["name"]
        if not job["parents"]:
            text = "Error, parent does not exist"
            required(is_new, text)
            raise Failure(500, text, "java.lang.Exception", mute=True)
        unknown = [
            parent for parent in job["parents"] if parent not in self.jobs and parent != name
        ]
        if unknown and not self.is_chronos_3:
            required(False, f"Job '{name}' does not have all parents defined!")
        if unknown and not is_new:
            required(False, f"JobSchedule {name} does not have all parents defined!")
        if name in job["parents"] and not is_new:
            raise Failure(400, "loops not allowed")
        if name in self._ancestors(job) and not (self.is_chronos_3 and is_new):
            raise Failure(
                500,
                "",
                "org.jgrapht.experimental.dag.DirectedAcyclicGraph$CycleFoundException",
                mute=True,
            )
        self._put(job)

    @api("iso8601", "PUT", until="3.0", without=MethodNotAllowed)
    def put_scheduled(self, request: Request) -> Any:
        """Do the same as POST."""
        return self.post_scheduled(request)

    @api("dependency", "PUT", until="3.0", without=MethodNotAllowed)
    def put_dependent(self, request: Request) -> Any:
        """Do the same as POST."""
        return self.post_dependent(request)

    def _read(self, request: Request) -> Job:
        try:
            body = parse_body(request.get_data(as_text=True))
            return read(body, self.version, self.options)
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise Null from error

    def _check_new(self, job: Job) -> None:
        if job["name"] in self.jobs:
            return
        pattern = valid_name(job["name"], self.version)
        required(pattern is None, f"the job's name is invalid. Allowed names: '{pattern}'")

    def _check_schedule(self, job: Job) -> None:
        schedule = parse_schedule(job["schedule"], job["scheduleTimeZone"])
        if schedule is None:
            raise Failure(
                400, f"Cannot parse schedule '{job['schedule']}' (wtf bro)", kind="", mute=True
            )
        if not self.is_chronos_3 or not schedule.start or job["name"] in self.jobs:
            return
        if self.version == "3.0.0" and schedule.start < self.now() - timedelta(days=365):
            text = f"Start date of schedule '{job['schedule']}' is too far in the past"
            raise Failure(400, text, kind="")
        if schedule.start < OLDEST_START:
            start = stamp(schedule.start)
            raise Failure(400, f"Scheduled start date '{start}' is before 1970!", kind="")

    def _ancestors(self, job: Job) -> set[str]:
        ancestors: set[str] = set()
        names = list(job.get("parents", ()))
        while names:
            name = names.pop()
            if name not in ancestors:
                ancestors.add(name)
                names += self.jobs.get(name, {}).get("parents", ())
        return ancestors

    def _put(self, job: Job) -> None:
        """Store a job. Chronos 3 only saves a new job, until the main loop loads it."""
        name, self.dirty = job["name"], True
        self.done.pop(name, None)
        if self.is_chronos_3 and name not in self.jobs:
            self.pending[name] = job
        else:
            self.settle(job)
            self.jobs[name] = job

    @api("job/<name>", "DELETE")
    def delete_job(self, _request: Request, name: str) -> Any:
        """Delete a job, kill its tasks, and change the jobs that depend on it."""
        job = self._job(name, kind="JobSchedule" if self.is_chronos_3 else "Job")
        self.kill(name)
        del self.jobs[name]
        self.pending.pop(name, None)
        for child in [child for child in self.jobs.values() if name in child.get("parents", ())]:
            if "parents" in job:
                child["parents"] = sorted({*child["parents"], *job["parents"]} - {name})
                continue
            defaults = {
                key: field.default
                for key, field in fields(self.version, self.options).items()
                if key not in COUNTERS and key != "container"
            }
            retained = {key: child[key] for key in FIELDS_WITHOUT_PARENT.split() if key in child}
            schedule = {key: job[key] for key in ("schedule", "scheduleTimeZone")}
            self.jobs[child["name"]] = {**defaults, "runAsUser": "", **retained, **schedule}
            self.done.pop(child["name"], None)
        self.dirty = True

    @api("job/<name>", "PUT")
    def run_job(self, request: Request, name: str) -> Any:
        """Run a job now."""
        job = self._job(name)
        arguments = request.args.get("arguments", "").replace(";", "")
        if self.is_chronos_3 and (job["disabled"] or self.is_queued(name)):
            return  # Answered with 204 all the same.
        self.enqueue(job, self.now(), arguments if release(self.version) >= release("2.5") else "")
        self.offered()

    @api("job/success/<name>", "PUT", since="2.5")
    def mark_success(self, _request: Request, name: str) -> Any:
        """Count a success without a run."""
        if name in self.jobs:
            self.succeeded(self.jobs[name])
            self.dirty = True
        text = f"marked job {name} as successful: {str(name in self.jobs).lower()}"
        # Chronos 3 sends bare text under the type of JSON.
        return (
            Response(text, content_type="application/json")
            if self.is_chronos_3
            else answer(f'"{text}"')
        )

    @api("task/kill/<name>", "DELETE")
    def kill_tasks(self, _request: Request, name: str) -> Any:
        """Kill the tasks of a job."""
        if name not in self.jobs and not self.is_chronos_3:
            raise Failure(500, "", mute=True)
        self._job(name, kind="JobSchedule")
        self.kill(name)

    @api("task/<path:id>", "PUT", until="3.0")
    def end_task(self, request: Request, id: str) -> Any:
        """Record how the task of an asynchronous job ended."""
        status = json.loads(request.get_data())["statusCode"]
        self.updated(
            {"task_id": {"value": id}, "state": "TASK_FAILED" if status else "TASK_FINISHED"}
        )

    @api("task/all", "DELETE", until="3.0")
    def kill_all(self, _request: Request) -> Any:
        """Kill all tasks."""
        for name in self.jobs:
            self.kill(name)

    @api("job/<name>/task/<path:id>/progress", "POST")
    def progress(self, _request: Request, name: str, id: str) -> Any:
        """Accept the progress of a task, which only Cassandra would store."""
        job = self._job(name, kind="JobSchedule" if self.is_chronos_3 else "Job")
        required(TASK_ID.fullmatch(id), f"Invalid task id format {id}")
        text = f"JobSchedule '{name}' is not enabled to track data"
        required(job["dataProcessingJobType"], text)

    @api("job/stat/<name>", "GET")
    def job_stat(self, _request: Request, name: str) -> Any:
        """Return the durations of a job. The history is empty, since it needs Cassandra."""
        self._job(name)
        times = [1000 * seconds for seconds in self.times.get(name, [])]
        durations = {label: self._percentile(times, label) for label in (*PERCENTILES, "mean")}
        return {"histogram": {**durations, "count": len(times)}, "taskStatHistory": []}

    @api("stats/<label>", "GET")
    def stats(self, _request: Request, label: str) -> Any:
        """Return the durations of jobs, the longest first."""
        if label not in (*PERCENTILES, "mean", "count"):
            return []
        entries = [
            {"jobNameLabel": name, "time": self._percentile(self.times.get(name, []), label)}
            for name in self.jobs
        ]
        return sorted(entries, key=lambda entry: -entry["time"])

    def _percentile(self, times: list[float], label: str) -> float:
        if not times:
            return 0.0
        if label == "mean":
            return sum(times) / len(times)
        if label == "count":
            return float(len(times))
        return sorted(times)[min(len(times) - 1, int(PERCENTILES[label] * len(times)))]

    @api("graph/dot", "GET")
    def dot(self, _request: Request) -> Any:
        """Return the dependencies, for Graphviz."""
        if not self.is_chronos_3:
            links = [
                f'  "{parent}" -> "{job["name"]}";'
                for job in self._all()
                for parent in job.get("parents", ())
            ]
            nodes = [f'  "{job["name"]}";' for job in self._all()]
            return "\n".join(["digraph G {", *nodes, *links, "}", ""])
        numbers = {name: number for number, name in enumerate(self.jobs, 1)}
        edges = sorted(
            (numbers[parent], numbers[name])
            for name, job in self.jobs.items()
            for parent in job.get("parents", ())
        )
        nodes = [f'  {number} [ label="{name}" ];' for name, number in numbers.items()]
        links = [f"  {parent} -> {child};" for parent, child in edges]
        return "\n".join(["digraph G {", *nodes, *links, "}", ""])

    @api("graph/csv", "GET")
    def csv(self, _request: Request) -> Any:
        """Return jobs and dependencies, a line each."""
        if self._invalid_time():
            return answer(None, 500)
        nodes = [
            f"node,{job['name']},{self._status(job)},{self.state(job['name'])}"
            for job in self._all()
        ]
        links = [
            f"link,{parent},{job['name']}"
            for job in self._all()
            for parent in job.get("parents", ())
        ]
        return "".join(f"{line}\n" for line in (*nodes, *links))


def main(version: str) -> int:
    """Run the program. Returns the exit status if it does not start."""
    try:
        daemon = Chronos(sys.argv[1:], os.environ, version)
    except OptionError as error:
        print(f"[scallop] Error: {error}", file=sys.stderr)
        return 1
    if native_library() is None:
        print("java.lang.UnsatisfiedLinkError: no mesos in java.library.path", file=sys.stderr)
        return 1
    return serve(daemon, 1)
