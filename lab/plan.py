"""
``lab plan``: the states and files of each node of a topology, without root or hosts.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import click
from rich.console import Console
from rich.table import Table

from . import BUILD, ROOT, SALT_LINES, LabError, cluster, saltenv
from .topology import host_pillar, load, merge, write_empty_topology

PLAN = BUILD / "plan"


def render(line: str, cases: list[dict]) -> list[dict]:
    """
    Render cases with the real Salt of a line (``3006`` or ``3008``).

    lab/render.py describes cases and answers.

    Raises LabError, with Salt's own words, where the process that renders fails.
    """
    command = [saltenv.machine_env(line), "-W", "ignore", Path(__file__).with_name("render.py")]
    request = json.dumps({"root": str(ROOT), "cases": cases})
    done = subprocess.run(command, input=request, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"rendering with Salt {line} failed:\n{done.stderr}")
    return [json.loads(answer) for answer in done.stdout.splitlines()]


def write(directory: Path, answer: dict) -> None:
    """Write states.txt and files/ of a node, readable only by their owner."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o700)
    width = max((len(state["id"]) for state in answer["states"]), default=0)
    lines = [
        f"{number:3}  {state['id']:<{width}}  {state['function']:<20}  {state['name']}"
        for number, state in enumerate(answer["states"], 1)
    ]
    (directory / "states.txt").write_text("\n".join(lines) + "\n")
    for path, entry in answer["files"].items():
        target = directory / "files" / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if "contents" in entry:
            target.write_text(entry["contents"])
            target.chmod(int(entry["mode"], 8))
        else:
            target.mkdir(exist_ok=True)


def services(answer: dict) -> list[str]:
    """Return the services that run on the node, in the order in which they are started."""
    functions = ("service.running", "daemon.running")
    return [state["name"] for state in answer["states"] if state["function"] in functions]


def open_ports(answer: dict) -> list[str]:
    """Return the ports that the node's firewall opens, to whomever, as its zone file has them."""
    zones = [
        entry["contents"]
        for path, entry in answer["files"].items()
        if path.startswith("/etc/firewalld/zones/")
    ]
    ports = [
        port.get("port") for zone in zones for port in ElementTree.fromstring(zone).iter("port")
    ]
    return list(dict.fromkeys(ports))


def plan(name: str, line: str, console: Console) -> None:
    """Plan every node of a topology. Raises LabError if the topology or settings are invalid."""
    topology = load(name)
    with (
        console.status(f"rendering {len(topology.hosts)} node(s) with Salt {line}"),
        tempfile.TemporaryDirectory() as scratch,
    ):
        if not topology.nodes:
            write_empty_topology(Path(scratch), ROOT)
        answers = render(
            line,
            [
                {
                    "id": host.id,
                    "grains": {"roles": host.roles, "ipv4": ["127.0.0.1", host.address]},
                    "pillar_roots": [scratch],
                    "site": True,
                    "platform": host.platform,
                    "pillar": merge(
                        cluster.repository_pillar("", host.platform),
                        host_pillar(topology, host),
                    ),
                }
                for host in topology.hosts
            ],
        )
    errors = {}
    for host, answer in zip(topology.hosts, answers, strict=True):
        for error in answer.get("errors") or answer["invalid"]:
            # A message that differs only in the id of the host is reported once.
            errors.setdefault(error.replace(host.id, ""), f"{host.name}: {error}")
    if errors:
        raise LabError("\n".join(errors.values()))

    summary = Table(title=f"Topology {name}, Salt {line}")
    for column in ("host", "roles", "states", "files", "services", "open ports"):
        summary.add_column(column, justify="right" if column in ("states", "files") else "left")
    for host, answer in zip(topology.hosts, answers, strict=True):
        write(PLAN / host.name, answer)
        count = sum("contents" in entry for entry in answer["files"].values())
        summary.add_row(
            host.name,
            "\n".join(host.roles),
            str(len(answer["states"])),
            str(count),
            "\n".join(services(answer)),
            "\n".join(open_ports(answer)),
        )
    console.print(summary)
    directory = os.path.relpath(PLAN)
    console.print(
        f"States in order: {directory}/HOST/states.txt, files: {directory}/HOST/files/\n"
        f"Next: make up TOPOLOGY={name} boots these hosts and applies the states."
    )


@click.command("plan")
@click.option(
    "--topology", "name", default="single", show_default=True, help="tests/topologies/NAME.yaml"
)
@click.option(
    "--salt",
    "line",
    type=click.Choice(SALT_LINES),
    default=SALT_LINES[0],
    show_default=True,
    help="Salt line",
)
def command(name: str, line: str) -> None:
    """What each node would get, without any host: its states and files, below build/plan."""
    plan(name, line, Console(highlight=False))
