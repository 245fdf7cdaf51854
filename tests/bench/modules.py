"""
Compare functions and states on a large cluster with the bare requests that they send. ``make
bench`` calls it.

It needs no host: a server in this process has prepared responses. Function and requests take turns,
and the median of each counts. Compare only the ratios from run to run.
"""

import json
import os
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import click
from rich.console import Console
from rich.table import Table

from lab import ROOT, SALT_LINES, saltenv

FOLDER = ROOT / "tests" / "bench"
DATA = ROOT / "tests" / "unit" / "data"
AIM, AIM_OF_STATES = 1.2, 2
AGENTS, TASKS, APPS = 10_000, 100_000, 1000


def master(deactivated: int) -> dict:
    """Return the responses of a master, by v1 call or path, with some agents deactivated."""
    responses = {}
    for line in (DATA / "mesos-1.11.0" / "cluster.jsonl").read_text().splitlines():
        recorded = json.loads(line)
        if recorded["name"] in ("v1-GET_MASTER", "v1-GET_METRICS", "v1-GET_FRAMEWORKS"):
            responses[recorded["name"].removeprefix("v1-")] = recorded["json"]
    large = {
        "slaves_connected": AGENTS,
        "slaves_active": AGENTS - deactivated,
        "tasks_running": TASKS,
        "cpus_total": 8 * AGENTS,
        "cpus_used": TASKS / 10,
    }
    metrics = {
        metric["name"]: metric.get("value", 0)
        for metric in responses["GET_METRICS"]["get_metrics"]["metrics"]
    }
    metrics.update({f"master/{name}": float(value) for name, value in large.items()})
    responses["GET_METRICS"]["get_metrics"]["metrics"] = [
        {"name": name, "value": value} for name, value in metrics.items()
    ]
    resources = {
        "cpus": 8.0,
        "mem": 32768.0,
        "disk": 100000.0,
        "gpus": 0.0,
        "ports": "[31000-32000]",
    }
    counted = dict.fromkeys(
        (
            "TASK_STAGING",
            "TASK_STARTING",
            "TASK_KILLING",
            "TASK_FINISHED",
            "TASK_KILLED",
            "TASK_FAILED",
        ),
        0,
    )
    slaves = [
        {
            "id": f"ace451d0-8183-4ac6-ac2b-1ea85839cd6b-S{number}",
            "hostname": f"lxn{number}.devops.test",
            "port": 5051,
            "attributes": {"rack": f"r{number // 50}"},
            "pid": f"slave(1)@10.{number // 250}.{number % 250}.1:5051",
            "registered_time": 1795349837.2,
            "resources": resources,
            "used_resources": resources,
            "offered_resources": resources,
            "reserved_resources": {},
            "unreserved_resources": resources,
            "active": number >= deactivated,
            "version": "1.11.0",
            "capabilities": ["MULTI_ROLE", "AGENT_DRAINING"],
            **counted,
            "TASK_RUNNING": TASKS // AGENTS,
            "framework_ids": ["marathon"],
            **({"deactivated": True} if number < deactivated else {}),
        }
        for number in range(AGENTS)
    ]
    return {
        **responses,
        "GET_HEALTH": {"type": "GET_HEALTH", "get_health": {"healthy": True}},
        "/health": None,
        "/metrics/snapshot": metrics,
        "/state-summary": {"hostname": "127.0.0.1", "slaves": slaves, "frameworks": []},
    }


def marathon() -> dict:
    """Return the responses of a Marathon with many apps."""
    frame = json.loads((DATA / "marathon" / "returned.json").read_text())["frames"]["1.3.14"]
    return {
        "/v2/apps": {
            "apps": [
                {**frame, "id": app_id(number), "env": {"PLACE": "here"}} for number in range(APPS)
            ]
        }
    }


def app_id(number: int) -> str:
    """Return the id of an app."""
    return f"/team{number % 20}/app{number}"


def declared(name: str) -> dict:
    """Return the definitions of many apps like one in tests/unit/data/marathon."""
    posted = json.loads((DATA / "marathon" / "posted.json").read_text())[name]
    config = {
        key: value
        for key, value in {"cpus": 0.1, "mem": 32, "instances": 2, **posted}.items()
        if key != "id"
    }
    return {
        app_id(number): {**config, "labels": {"number": str(number), "MANAGED_BY": "salt"}}
        for number in range(APPS)
    }


def marathon_with(name: str) -> dict:
    """Return the responses of a Marathon that has the apps of ``declared``."""
    data, version = json.loads((DATA / "marathon" / "returned.json").read_text()), "1.8.244"
    answers = data["answers"][name]
    since = max((key for key in answers if numbers(key) <= numbers(version)), key=numbers)
    app = {
        key: value
        for key, value in {**data["frames"][version], **answers[since]}.items()
        if value != "-"
    }
    apps = [
        {**app, "cpus": 0.1, "mem": 32, "instances": 2, "id": id, "labels": config["labels"]}
        for id, config in declared(name).items()
    ]
    return {
        "/v2/info": {"version": version, "leader": "127.0.0.1:8080"},
        "/v2/apps": {"apps": apps},
    }


def numbers(version: str) -> list[int]:
    """Return the numbers of a version, to compare it."""
    return [int(number) for number in version.split(".")]


def serve(answers: dict) -> ThreadingHTTPServer:
    """Start a server with these responses, which records requests in ``heard``."""
    ready = {
        name: b"" if content is None else json.dumps(content).encode()
        for name, content in answers.items()
    }

    class Answers(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            self.server.heard.append((self.command, self.path, body or None))
            name = json.loads(body)["type"] if body else self.path.partition("?")[0]
            content = ready.get(name)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        do_GET = do_POST = answer

        def log_message(self, *_):
            """Keep the screen for the table."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.heard = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Case(NamedTuple):
    """A function or a state to time, its arguments, and the responses of the server."""

    asks: dict
    answers: Callable[[], dict]
    arguments: Callable[[], dict] = dict
    aim: float = AIM


def state(case: str, include_salt: bool = False) -> Case:
    """Return a case of many apps that are as declared."""
    asks = {"state": "marathon.apps_present", "whole": include_salt}
    return Case(
        asks,
        lambda: marathon_with(case),
        lambda: {"name": "all", "apps": declared(case)},
        AIM_OF_STATES,
    )


CASES = {
    f"mesos.summary, {AGENTS:,} agents, {TASKS:,} tasks": Case(
        {"function": "mesos.summary"}, lambda: master(0)
    ),
    "the same, 5 agents deactivated": Case({"function": "mesos.summary"}, lambda: master(5)),
    f"marathon.apps, {APPS:,} apps": Case({"function": "marathon.apps"}, marathon),
    f"marathon.apps_present, {APPS:,} apps as they are": state("minimal"),
    "the same, in Docker containers": state("user network, new form"),
    "the same, what Marathon shows otherwise": state("health checks"),
    "the first of these with what Salt does with arguments": state("minimal", include_salt=True),
}


def measure(salt: str, cases: list, rounds: int) -> list:
    """Return what ask.py measures."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        request = {"root": str(ROOT), "scratch": scratch, "rounds": rounds, "cases": cases}
        done = subprocess.run(
            [saltenv.machine_env(salt), "-W", "ignore", FOLDER / "ask.py"],
            input=json.dumps(request),
            text=True,
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tests" / "unit")},
        )
    if done.returncode:
        raise click.ClickException(f"asking with Salt {salt} failed:\n{done.stderr}")
    return json.loads(done.stdout)


@click.command()
@click.option(
    "--salt",
    type=click.Choice(SALT_LINES),
    default=SALT_LINES[0],
    show_default=True,
    help="Salt line",
)
@click.option("--rounds", default=15, show_default=True, help="how often each is asked")
def main(salt: str, rounds: int) -> None:
    """Query a large cluster with the modules and without them, and print the ratios."""
    servers = [serve(case.answers()) for case in CASES.values()]
    cases = [
        {
            **case.asks,
            "url": f"http://127.0.0.1:{server.server_port}",
            "arguments": case.arguments(),
            "requests": [],
        }
        for case, server in zip(CASES.values(), servers, strict=True)
    ]
    measure(salt, cases, 0)  # Record the requests of each case.
    for case, server in zip(cases, servers, strict=True):
        case["requests"] = list(server.heard)
    table = Table(title=f"Modules and bare requests, Salt {salt}: medians of {rounds} rounds")
    for column in ("function or state", "requests", "it takes", "requests take", "ratio", "aim"):
        table.add_column(column, justify="left" if column == "function or state" else "right")
    for name, case, seconds in zip(CASES, cases, measure(salt, cases, rounds), strict=True):
        took, needed = (statistics.median(column) for column in zip(*seconds, strict=True))
        table.add_row(
            name,
            str(len(case["requests"])),
            f"{took * 1000:.1f} ms",
            f"{needed * 1000:.1f} ms",
            f"{took / needed:.2f}",
            f"{CASES[name].aim:g}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
