"""
Compare the compilation of pillar and low state in small and large topologies. ``make bench`` calls
it.

It needs no host. The topologies are compiled in turns, and the median of each counts, so that other
load on the machine affects all of them. Compare only the ratios from run to run.
"""

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

import click
import yaml
from rich.console import Console
from rich.table import Table

from lab import ROOT, SALT_LINES, saltenv

FOLDER = Path(__file__).parent
AGENT = "lxb001.devops.test"
ADDRESS = "172.31.250.65"
ROLES = ["mesos-slave", "docker"]
AIM = 1.1


def by_glob(count: int) -> dict:
    """Return nodes for so many agents, one glob for each rack of fifty but the first."""
    return {
        f"lxr{rack:03}-*.devops.test": {"address": f"10.1.{rack}.0/26", "roles": ROLES}
        for rack in range(1, count // 50)
    }


def by_name(count: int) -> dict:
    """Return a node for each of so many agents, including the one that is compiled."""
    other_agents = {
        f"lxn{number:04}.devops.test": {
            "address": f"10.{number // 250}.{number % 250}.1",
            "roles": ROLES,
        }
        for number in range(1, count)
    }
    return {AGENT: {"address": ADDRESS, "roles": ROLES}, **other_agents}


AGENT_ENTRIES = {
    "50 agents, by glob": by_glob(50),
    "5,000 agents, by glob": by_glob(5000),
    "50 agents, by name": by_name(50),
    "5,000 agents, by name": by_name(5000),
}


def lay(place: Path) -> list[dict]:
    """Write the topologies. Returns a case for each, with the agent that is compiled."""
    nodes = yaml.safe_load((ROOT / "pillar" / "topology.yaml").read_text())["nodes"]
    cases = []
    for number, entries in enumerate(AGENT_ENTRIES.values()):
        directory = place / str(number)
        directory.mkdir()
        (directory / "topology.sls").symlink_to(ROOT / "pillar" / "topology.sls")
        (directory / "topology.yaml").write_text(
            yaml.safe_dump({"nodes": {**nodes, **entries}}, sort_keys=False)
        )
        cases.append(
            {
                "id": AGENT,
                "grains": {"roles": ROLES, "ipv4": ["127.0.0.1", ADDRESS]},
                "pillar_roots": [str(directory)],
                "site": True,
            }
        )
    return cases


@click.command()
@click.option(
    "--salt",
    type=click.Choice(SALT_LINES),
    default=SALT_LINES[0],
    show_default=True,
    help="Salt line",
)
@click.option("--rounds", default=21, show_default=True, help="how often each topology is compiled")
def main(salt: str, rounds: int) -> None:
    """Compile one agent in small and large topologies, and print the ratios."""
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as place,
        console.status(f"compiling, {rounds} rounds"),
    ):
        request = {"root": str(ROOT), "rounds": rounds, "cases": lay(Path(place))}
        command = [saltenv.machine_env(salt), "-W", "ignore", FOLDER / "compile.py"]
        # compile.py imports lab.render, which needs nothing but Salt and the modules beside it.
        done = subprocess.run(
            command,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'lab'}"},
        )
    if done.returncode:
        raise click.ClickException(f"compiling with Salt {salt} failed:\n{done.stderr}")
    measured = dict(zip(AGENT_ENTRIES, json.loads(done.stdout), strict=True))

    table = Table(title=f"One agent of a topology, Salt {salt}: medians of {rounds} rounds")
    for column in ("topology", "entries", "pillar", "low state", "both", "ratio"):
        table.add_column(column, justify="left" if column == "topology" else "right")
    base, ratios = None, {}
    for name, seconds in measured.items():
        pillar, low = (statistics.median(column) for column in zip(*seconds, strict=True))
        both = statistics.median(sum(pair) for pair in seconds)
        base = both if name.startswith("50 ") else base
        ratios[name] = both / base
        table.add_row(
            name,
            str(len(AGENT_ENTRIES[name])),
            f"{pillar * 1000:.0f} ms",
            f"{low * 1000:.0f} ms",
            f"{both * 1000:.0f} ms",
            f"{ratios[name]:.2f}",
        )
    console.print(table)
    console.print(
        f"The ratio by glob should be at most {AIM}: {ratios['5,000 agents, by glob']:.2f}. "
        "Thousands of agents by name cost the time to read them."
    )


if __name__ == "__main__":
    main()
