"""Chronos: one of several servers leads, the others forward every request to it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kazoo.exceptions import KazooException
from werkzeug.exceptions import MethodNotAllowed, NotFound

from ..marathon.agents import Agents, Direct
from ..marathon.errors import page
from ..marathon.server import Asked
from ..wire.election import MemoryRoom, ZooKeeperUrl
from ..wire.framework import native_library, serve
from ..wire.http import Request, Response, answer, route
from ..wire.scallop import Known, OptionError, parse
from ..wire.versions import release
from . import options as chronos_options
from .jobs import (
    COUNTERS,
    FIELDS_WITHOUT_PARENT,
    Failure,
    Job,
    Null,
    fields,
    listed,
    read,
    required,
    valid_name,
)
from .runs import Run, Runs
from .schedule import parse as parse_schedule

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
                    content = function(self, request, **captured)
                    if self.dirty:
                        self.dirty = False
                        self.save()
                return answer(content, 204) if content is None else content
            except Failure as failure:
                return failure.response(self.version)

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
        self.options = parse(arguments, Known.of(chronos_options, version))
        self.prefix = "/v1/scheduler/" if self.new else "/scheduler/"
        self.requests: list[Asked] = []
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
        state = {
            name: getattr(self, name) for name in ("jobs", "pending", "done", "times", "number")
        }
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
            return framework_id
        return ""

    def _accepted(self, reply: dict[str, Any]) -> None:
        with self.lock:
            if self.leading:
                super()._accepted(reply)

    def rewrite(self, path: str) -> str:
        """Accept the API only below the prefix of this version."""
        return path.replace(self.prefix, "/api/", 1) if path.startswith(self.prefix) else path

    def forestall(self, request: Request) -> Response | None:
        """
        Check the credentials, and forward the request to the leader.

        As Chronos, this drops the body of the leader's errors, but not its Content-Length.
        """
        self.requests.append(
            Asked(
                request.method,
                request.path,
                request.query_string.decode(),
                request.get_data(as_text=True),
            )
        )
        del self.requests[:-1000]
        credentials, login = str(self.options["http_credentials"] or ""), request.authorization
        if credentials and (login is None or f"{login.username}:{login.password}" != credentials):
            response = page("Unauthorized", 401)
            response.headers["WWW-Authenticate"] = 'Basic realm="Mesosphere"'
            return response
        if self.leading:
            return None
        try:
            if self.leader in (None, self.address):
                raise OSError("no leader")
            response = self.forward(request)
        except OSError:
            return answer(
                "Error proxying request to leader (maybe the leadership just changed?)", 500
            )
        if response.status_code >= 400:
            content_length = str(len(response.data))
            response.data = b""
            response.headers["Content-Length"] = content_length
        return response

    # --- API ---

    @route("/ping")
    def ping(self, _request: Request) -> Any:
        """Answer that the leader is alive."""
        return "pong"

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

    def _status(self, job: Job) -> str:
        if not job["lastSuccess"] and not job["lastError"]:
            return "fresh"
        return "success" if job["lastSuccess"] >= job["lastError"] else "failure"

    @api("jobs/search", "GET")
    def search(self, request: Request) -> Any:
        """Return the jobs whose name or command contains a text; ``limit`` defaults to ten."""
        texts = {key: request.args.get(key, "").lower() for key in ("name", "command", "any")}

        def fits(job: Job) -> bool:
            name, command = job["name"].lower(), job["command"].lower()
            return (
                texts["name"] in name
                and texts["command"] in command
                and any(texts["any"] in text for text in (name, command))
            )

        offset, limit = (
            int(request.args.get(key, default)) for key, default in (("offset", 0), ("limit", 10))
        )
        return [job for job in self._all() if fits(job)][offset : offset + limit]

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
            raise Failure(
                500,
                "DependencyBasedJob cannot be cast to ScheduleBasedJob",
                "java.lang.ClassCastException",
                mute=True,
            )
        if not job["schedule"]:
            job["schedule"] = (
                f"R1/{self.now():%Y-%m-%dT%H:%M:%S.000Z}/PT24H" if self.new else "R1//PT24H"
            )
        self._check_new(job)
        self._check_schedule(job)
        self._put(job)

    @api("dependency", "POST")
    def post_dependent(self, request: Request) -> Any:
        """Create or replace a job that runs after others."""
        job = self._read(request)
        if "parents" not in job:
            raise Failure(
                500,
                "ScheduleBasedJob cannot be cast to DependencyBasedJob",
                "java.lang.ClassCastException",
                mute=True,
            )
        self._check_new(job)
        is_new, name = job["name"] not in self.jobs, job["name"]
        if not job["parents"]:
            raise Failure(
                500 if is_new else 400,
                f"Error, parent does not exist for {name}",
                "java.lang.Exception",
                mute=is_new,
            )
        unknown = [
            parent for parent in job["parents"] if parent not in self.jobs and parent != name
        ]
        if unknown and not self.new:
            required(False, f"Job '{name}' does not have all parents defined!")
        if unknown and not is_new:
            raise Failure(500, "no such vertex in graph")
        if name in self._ancestors(job):
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
            return read(json.loads(request.get_data()), self.version, self.options)
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise Null from error

    def _check_new(self, job: Job) -> None:
        if job["name"] in self.jobs:
            return
        pattern = valid_name(job["name"], self.version)
        required(pattern is None, f"the job's name is invalid. Allowed names: '{pattern}'")
        if job.get("fetch") and job["uris"]:
            raise Failure(400, "Use either uris or fetch, but not both", kind="", mute=True)

    def _check_schedule(self, job: Job) -> None:
        schedule = parse_schedule(job["schedule"], job["scheduleTimeZone"])
        if schedule is None:
            raise Failure(
                400, f"Cannot parse schedule '{job['schedule']}' (wtf bro)", kind="", mute=True
            )
        oldest = (
            self.now() - timedelta(days=365)
            if self.version == "3.0.0"
            else datetime(1970, 1, 1, tzinfo=UTC)
        )
        if self.new and schedule.start and schedule.start < oldest:
            raise Failure(
                400, f"Start date of schedule '{job['schedule']}' is too far in the past", kind=""
            )

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
        if self.new and name not in self.jobs:
            self.pending[name] = job
        else:
            self.settle(job)
            self.jobs[name] = job

    @api("job/<name>", "DELETE")
    def delete_job(self, _request: Request, name: str) -> Any:
        """Delete a job, kill its tasks, and change the jobs that depend on it."""
        job = self._job(name)
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
        self.advance_by_hand(job)
        self.enqueue(job, self.now(), arguments if release(self.version) >= release("2.5") else "")
        self.offered()

    @api("job/success/<name>", "PUT", since="2.5")
    def mark_success(self, _request: Request, name: str) -> Any:
        """Count a success without a run."""
        if name in self.jobs:
            self.succeeded(self.jobs[name])
            self.dirty = True
        return answer(f'"marked job {name} as successful: {str(name in self.jobs).lower()}"', 200)

    @api("task/kill/<name>", "DELETE")
    def kill_tasks(self, _request: Request, name: str) -> Any:
        """Kill the tasks of a job."""
        if name not in self.jobs and not self.new:
            raise Failure(500, "", mute=True)
        self._job(name, kind="JobSchedule")
        self.kill(name)

    @api("task/<path:id>", "PUT", until="3.0", without=MethodNotAllowed)
    def end_task(self, request: Request, id: str) -> Any:
        """Record how the task of an asynchronous job ended."""
        status = json.loads(request.get_data())["statusCode"]
        self.updated(
            {"task_id": {"value": id}, "state": "TASK_FAILED" if status else "TASK_FINISHED"}
        )

    @api("task/all", "DELETE", until="3.0", without=MethodNotAllowed)
    def kill_all(self, _request: Request) -> Any:
        """Kill all tasks."""
        for name in self.jobs:
            self.kill(name)

    @api("job/<name>/task/<path:id>/progress", "POST")
    def progress(self, _request: Request, name: str, id: str) -> Any:
        """Accept the progress of a task, which only Cassandra would store."""
        required(name in self.jobs and id, f"Job '{name}' not found")

    @api("job/stat/<name>", "GET")
    def job_stat(self, _request: Request, name: str) -> Any:
        """Return the durations of a job. The history is empty, since it needs Cassandra."""
        self._job(name)
        times = self.times.get(name, [])
        durations = {label: self._percentile(times, label) for label in (*PERCENTILES, "mean")}
        return {"histogram": {**durations, "count": len(times)}, "taskStatHistory": []}

    @api("stats/<label>", "GET")
    def stats(self, _request: Request, label: str) -> Any:
        """Return the durations of jobs, the longest first."""
        required(label in (*PERCENTILES, "mean"), f"unknown statistic {label}")
        entries = [
            {"jobNameLabel": name, "time": self._percentile(times, label)}
            for name, times in self.times.items()
            if name in self.jobs
        ]
        return sorted(entries, key=lambda entry: -entry["time"])

    def _percentile(self, times: list[float], label: str) -> float:
        if not times:
            return 0.0
        if label == "mean":
            return sum(times) / len(times)
        return sorted(times)[min(len(times) - 1, int(PERCENTILES[label] * len(times)))]

    @api("graph/dot", "GET")
    def dot(self, _request: Request) -> Any:
        """Return the dependencies, for Graphviz."""
        links = [
            f'  "{parent}" -> "{job["name"]}";'
            for job in self._all()
            for parent in job.get("parents", ())
        ]
        return "\n".join(
            ["digraph G {", *(f'  "{job["name"]}";' for job in self._all()), *links, "}", ""]
        )

    @api("graph/csv", "GET")
    def csv(self, _request: Request) -> Any:
        """Return jobs and dependencies, a line each."""
        nodes = [
            f"node,{job['name']},{self._status(job)},{self.state(job['name'])}"
            for job in self._all()
        ]
        links = [
            f"link,{parent},{job['name']}"
            for job in self._all()
            for parent in job.get("parents", ())
        ]
        return "\n".join([*nodes, *links, ""])


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
