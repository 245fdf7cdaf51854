"""The runs of Chronos' jobs: when they are due, on which agent, and how they end."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from ..marathon.placement import Part, take, value
from ..wire.framework import Framework
from ..wire.task_states import TERMINAL
from ..wire.versions import release
from .jobs import Job
from .schedule import Schedule, parse, stamp


@dataclasses.dataclass
class Run:
    """One run of a job: queued, or a task on an agent."""

    id: str
    job: str
    attempt: int = 0
    arguments: str = ""
    due: float = 0.0  # earliest start, in seconds since 1970
    begun: float = 0.0  # launch, in seconds since 1970
    launched: bool = False
    confirmed: bool = False  # whether an agent has sent a status


class Runs(Framework):
    """
    The scheduler of Chronos.

    ``loop`` is how many seconds the main loop sleeps at most; ``turn()`` runs it once, immediately.
    ``ahead`` is how many seconds its clock is ahead of the real one; ``advance(seconds)`` sets it
    forward and starts the runs that are due by then. ``pending`` has new jobs, and ``unloaded``
    those of the former leader, until the main loop loads them into ``jobs``. ``done`` maps a job to
    its parents that have succeeded since its last run, ``times`` to the durations of its runs in
    seconds. ``dirty`` tells the main loop to save.
    """

    loop = 1.0

    version: str
    options: dict[str, Any]

    def prepare(self) -> None:
        """Begin without jobs and runs."""
        self.jobs: dict[str, Job] = {}
        self.unloaded: dict[str, Job] = {}
        self.pending: dict[str, Job] = {}
        self.runs: dict[str, Run] = {}
        self.done: dict[str, list[str]] = {}
        self.times: dict[str, list[float]] = {}
        self.ahead, self.number, self.dirty = 0.0, 0, False

    @property
    def is_chronos_3(self) -> bool:
        """Whether this is Chronos 3."""
        return release(self.version) >= release("3.0")

    def now(self) -> datetime:
        """The time of Chronos' clock."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def advance(self, seconds: float) -> None:
        """Set the clock forward, and run the main loop."""
        with self.lock:
            self.ahead += seconds
        self.turn()

    def turn(self) -> None:
        """Load new jobs, queue the runs that are due, and save the changes."""
        with self.lock:
            if not self.leading:
                return
            self._load_jobs()
            if self._has_cycle():
                self.say("Loading tasks or jobs failed. Exiting.")
                self.stop()
                return
            now = self.now()
            for job in list(self.jobs.values()):
                schedule = self.schedule(job)
                if schedule and not job["disabled"] and schedule.repeat != 0:
                    self._run_if_due(job, schedule, now)
            self.offered()
            if self.dirty:
                self.dirty = False
                self.save()

    def save(self) -> None:
        """Save jobs and runs for the next leader."""
        raise NotImplementedError

    def schedule(self, job: Job) -> Schedule | None:
        """The schedule of a job, None if it has none."""
        return parse(job["schedule"], job["scheduleTimeZone"]) if "schedule" in job else None

    def _load_jobs(self) -> None:
        """
        Load the jobs of the former leader, and new ones.

        A new job whose parents do not exist stays in ``pending`` until they do.
        """
        self.dirty = self.dirty or bool(self.unloaded or self.pending)
        self.jobs.update(self.unloaded)
        self.unloaded = {}
        while names := [name for name in self.pending if self._has_parents(self.pending[name])]:
            for name in names:
                self.jobs[name] = self.pending.pop(name)

    def _has_parents(self, job: Job) -> bool:
        return all(parent in self.jobs for parent in job.get("parents", ()))

    def _has_cycle(self) -> bool:
        """Return whether a new job is its own ancestor, which makes Chronos exit."""
        for name in self.pending:
            ancestors, names = set(), [name]
            while names:
                job = self.pending.get(names.pop(), {})
                parents = set(job.get("parents", ())) - ancestors
                ancestors |= parents
                names += parents
            if name in ancestors:
                return True
        return False

    def _run_if_due(self, job: Job, schedule: Schedule, now: datetime) -> None:
        start = schedule.start or now
        if start > now:
            return
        if self.is_chronos_3:
            # The schedule moves when the run is launched.
            if not self.is_queued(job["name"]):
                self.enqueue(job, start)
            return
        if schedule.start is None:
            schedule = schedule._replace(start=now)
        # Chronos starts one run for all that were missed. Chronos 2 counts each of them.
        job["schedule"] = schedule.skipped(max(1, schedule.missed(now))).text
        self.dirty = True
        self.enqueue(job, start)

    def _count_run(self, job: Job) -> None:
        """Advance the schedule at a launch. Only Chronos 3 does, also for manual runs."""
        schedule, now = self.schedule(job), self.now()
        if not self.is_chronos_3 or not schedule or schedule.repeat == 0:
            return
        schedule = schedule._replace(start=schedule.start or now)
        next_schedule = schedule.skipped(schedule.missed_by_division(now))
        job["schedule"] = next_schedule._replace(repeat=max(-1, schedule.repeat - 1)).text

    def settle(self, job: Job) -> None:
        """
        Skip the missed runs of a new schedule, as Chronos 2 does.

        A job that has no runs left remains, and never runs.
        """
        schedule = self.schedule(job)
        if self.is_chronos_3 or job["disabled"] or not schedule or not schedule.start:
            return
        late = parse(f"R//{job['epsilon']}", "")
        epsilon = timedelta(seconds=(late.after(1) - late.after(0)).total_seconds() if late else 0)
        missed = schedule.missed(self.now() - epsilon)
        if missed:
            job["schedule"] = schedule.skipped(missed).text

    def enqueue(
        self, job: Job, due: datetime, arguments: str = "", attempt: int = 0, delay: float = 0.0
    ) -> None:
        """Queue a run, to start as soon as an agent has enough resources."""
        self.number += 1
        id = f"ct:{int(due.timestamp() * 1000)}:{attempt}:{job['name']}:{arguments}"
        while id in self.runs:
            id += f"{self.number}"
        self.runs[id] = Run(id, job["name"], attempt, arguments, self.now().timestamp() + delay)
        self.dirty = True

    def running(self, name: str) -> list[Run]:
        """Return the runs of a job that have a task."""
        return [run for run in self.runs.values() if run.job == name and run.launched]

    def is_queued(self, name: str) -> bool:
        """Return whether a run of a job waits for resources."""
        return any(run.job == name and not run.launched for run in self.runs.values())

    def state(self, name: str) -> str:
        """Return the state of a job: ``idle``, ``queued`` or for example ``1 running``."""
        running = len(self.running(name))
        if running:
            return f"{running} running"
        return "queued" if self.is_queued(name) else "idle"

    def kill(self, name: str) -> None:
        """Kill the tasks of a job."""
        for run in [run for run in self.runs.values() if run.job == name]:
            if run.launched:
                self.kill_task(run.id)
            elif not self.is_chronos_3:
                del self.runs[run.id]
        self.dirty = True

    # --- agents ---

    def offered(self) -> None:
        """Launch the queued runs for which an agent has enough resources."""
        with self.lock:
            role = str(self.options["mesos_role"] or "*")
            now = self.now().timestamp()
            for run in [run for run in self.runs.values() if not run.launched and run.due <= now]:
                job = self.jobs.get(run.job)
                if job is None:
                    del self.runs[run.id]
                elif job.get("concurrent") or not self.running(run.job):
                    self._place(run, job, role)

    def _place(self, run: Run, job: Job, role: str) -> None:
        part = Part(None, {name: job[name] for name in ("cpus", "mem", "disk")}, [])
        for agent in self.agents:
            if not all(_fulfils(agent, *constraint) for constraint in job["constraints"]):
                continue
            fits = take(agent["free"], [part], sorted({role, "*"}, reverse=True), role)
            if isinstance(fits, str):
                continue
            run.launched, run.begun, self.dirty = True, self.now().timestamp(), True
            if not run.attempt:
                self._count_run(job)
            self.launch(_task(run, job, agent, fits[0].resources))
            return

    def updated(self, status: dict[str, Any]) -> None:
        """Handle a status update of a task."""
        with self.lock:
            run = self.runs.get(status["task_id"]["value"])
            if run and not run.confirmed:
                run.confirmed = self.dirty = True
            if status["state"] not in TERMINAL:
                return
            self.runs.pop(status["task_id"]["value"], None)
            job = self.jobs.get(run.job) if run else None
            if not run or not job:
                return
            self.dirty = True
            if not self.is_chronos_3 or status["state"] == "TASK_FINISHED":
                self._disable_if_used_up(job)
            if status["state"] == "TASK_FINISHED":
                self.times.setdefault(job["name"], []).append(self.now().timestamp() - run.begun)
                self.succeeded(job)
            elif status["state"] != "TASK_KILLED":
                self._failed(job, run)

    def _disable_if_used_up(self, job: Job) -> None:
        schedule = self.schedule(job)
        if schedule and schedule.repeat == 0:
            job["disabled"] = True

    def succeeded(self, job: Job) -> None:
        """Count a success, and queue the jobs that depend on it."""
        job["successCount"] += 1
        job["errorsSinceLastSuccess"] = 0
        job["lastSuccess"] = stamp(self.now())
        self._notify_children(job)

    def _failed(self, job: Job, run: Run) -> None:
        if run.attempt < job["retries"] and (
            not job["lastError"] or job["lastSuccess"] > job["lastError"]
        ):
            delay = int(str(self.options["failure_retry"])) / 1000
            self.enqueue(job, self.now(), run.arguments, run.attempt + 1, delay)
            return
        job["errorCount"] += 1
        job["errorsSinceLastSuccess"] += 1
        job["lastError"] = stamp(self.now())
        limit = int(str(self.options["disable_after_failures"]))
        job["disabled"] = job["disabled"] or 0 < limit <= job["errorsSinceLastSuccess"]
        if job["softError"]:
            self._notify_children(job)

    def _notify_children(self, job: Job) -> None:
        for child in self.jobs.values():
            if job["name"] in child.get("parents", ()):
                done = self.done.setdefault(child["name"], [])
                if job["name"] not in done:
                    done.append(job["name"])
                if set(done) >= set(child["parents"]) and not child["disabled"]:
                    del self.done[child["name"]]
                    self.enqueue(child, self.now())


def _fulfils(agent: dict[str, Any], field: str, operator: str, operand: str) -> bool:
    attribute = value(agent, field)
    if operator == "EQUALS":
        return attribute == operand
    like = attribute is not None and bool(re.fullmatch(operand, attribute))
    return like if operator == "LIKE" else not like


def _task(
    run: Run, job: Job, agent: dict[str, Any], resources: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the TaskInfo of a run."""
    arguments = [run.arguments] if run.arguments else job["arguments"]
    command = {
        "value": " ".join([job["command"], *arguments]) if job["shell"] else job["command"],
        "shell": job["shell"],
    }
    if not job["shell"]:
        command["arguments"] = arguments
    if job["runAsUser"]:
        command["user"] = job["runAsUser"]
    job_variables = {
        "CHRONOS_JOB_NAME": job["name"],
        "CHRONOS_JOB_OWNER": job["owner"],
        "CHRONOS_JOB_RUN_ATTEMPT": str(run.attempt),
    }
    variables = [{"name": name, "value": text} for name, text in job_variables.items()]
    command["environment"] = {"variables": [*variables, *job["environmentVariables"]]}
    uris = job.get("fetch") or [{"value": uri} for uri in job["uris"]]
    if uris:
        command["uris"] = [{"value": entry.get("uri", entry.get("value"))} for entry in uris]
    task = {
        "task_id": {"value": run.id},
        "name": f"ChronosTask:{job['name']}",
        "agent_id": {"value": agent["id"]},
        "resources": resources,
        "command": command,
    }
    if "container" in job:
        task["container"] = _container(job["container"])
    return task


def _container(container: dict[str, Any]) -> dict[str, Any]:
    """Return the ContainerInfo of a run."""
    volumes = [
        {
            "host_path": volume["hostPath"],
            "container_path": volume["containerPath"],
            "mode": volume.get("mode", "RO"),
        }
        for volume in container["volumes"]
        if "hostPath" in volume
    ]
    if container["type"].upper() != "DOCKER":
        return {
            "type": "MESOS",
            "volumes": volumes,
            "mesos": {"image": {"type": "DOCKER", "docker": {"name": container["image"]}}},
        }
    return {
        "type": "DOCKER",
        "volumes": volumes,
        "docker": {
            "image": container["image"],
            "network": container["network"],
            "parameters": container.get("parameters", []),
            "force_pull_image": container["forcePullImage"],
        },
    }
