"""
Compare the second ``state.apply`` of this tree with that of an earlier commit.

Each has a host of its own, at the same time. They take turns, and the medians count, so that other
load on the machine affects both.
"""

import json
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lab import BUILD, ROOT, SALT_LINES

# Before daemons were restarted in turns.
DEFAULT_BASE = "6a3e60a^"
HOST = "lxdev01"
AIM = 1.05
# Prints the seconds of user and system time of the run, and its results.
COMMAND = "TIMEFORMAT='%U %S'; time salt-call state.apply --out=json --no-color"


class Tree:
    """A commit of this repository, and a lab of it. ``name`` is the name of the lab."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name, self.directory = name, directory

    def lab(self, *args: str) -> subprocess.CompletedProcess:
        """Run a lab command. ClickException, with its output, if it fails."""
        command = [self.directory / ".venv/bin/lab", "--name", self.name, *args]
        done = subprocess.run(
            command, cwd=self.directory, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise click.ClickException(f"lab {' '.join(args)}: {done.stdout}{done.stderr}")
        return done

    def apply(self) -> tuple[float, float]:
        """Apply the states; return the seconds, and those of CPU. ClickException on a change."""
        start = time.monotonic()
        done = self.lab("run", HOST, "bash", "-c", COMMAND)
        wall = time.monotonic() - start
        states = json.loads(done.stdout)["local"].values()
        changed = [state["__id__"] for state in states if state["changes"] or not state["result"]]
        if changed:
            raise click.ClickException(f"{self.name}: not a run without changes: {changed}")
        return wall, sum(float(word) for word in done.stderr.splitlines()[-1].split())


def check_out(base: str) -> Path:
    """Check out a commit with an environment of its own below build/; return the directory."""
    directory = BUILD / "bench-base"
    shutil.rmtree(directory, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", ROOT, directory], check=True)
    subprocess.run(["git", "checkout", "--quiet", base], cwd=directory, check=True)
    (directory / "build").mkdir()
    (directory / "build/cache").symlink_to(BUILD / "cache")
    subprocess.run(["make", "--quiet", ".venv/.made"], cwd=directory, check=True)
    return directory


@click.command()
@click.option(
    "--salt",
    type=click.Choice(SALT_LINES),
    default=SALT_LINES[0],
    show_default=True,
    help="Salt line",
)
@click.option("--base", default=DEFAULT_BASE, show_default=True, help="the commit to compare with")
@click.option("--rounds", default=9, show_default=True, help="how often each tree is applied")
def main(salt: str, base: str, rounds: int) -> None:
    """Time runs without changes of this tree and of a commit, and print the ratio."""
    console = Console()
    with console.status(f"checking out {base}"):
        trees = [Tree("bench-base", check_out(base)), Tree("bench-new", ROOT)]
    seconds: dict[str, list[tuple[float, float]]] = {tree.name: [] for tree in trees}
    try:
        for tree in trees:
            with console.status(f"lab {tree.name}"):
                tree.lab("up", "--topology", "single", "--salt", salt)
        for number in track(range(rounds + 1), "state.apply", console=console):
            for tree in trees:
                measured = tree.apply()
                if number:  # the first run fills caches
                    seconds[tree.name].append(measured)
    finally:
        for tree in trees:
            tree.lab("down")
    print_table(console, f"Run without changes against {base}, Salt {salt}", seconds)


def print_table(console: Console, title: str, seconds: dict) -> None:
    """Print the medians of both trees, their ratios, and the aim."""
    table = Table(title=title)
    for column in ("", *seconds, "ratio"):
        table.add_column(column, justify="right")
    for name, values in (("wall", 0), ("CPU", 1)):
        base, new = (statistics.median(pair[values] for pair in runs) for runs in seconds.values())
        table.add_row(name, f"{base:.2f} s", f"{new:.2f} s", f"{new / base:.2f}")
    console.print(table)
    console.print(f"The ratio should be at most {AIM}.")


if __name__ == "__main__":
    main()
