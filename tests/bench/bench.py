"""
Compare Salt with a plain shell script, on fresh lab hosts. ``make bench`` calls it.

Seconds depend mostly on the machine, so compare only the ratios from run to run.
"""

import subprocess
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from lab.network import REPOSITORY_URL

FOLDER = Path(__file__).parent
LOG = Path("build/bench.log")
HOST = "lxdev01"


def lab(*args: str) -> float:
    """Run a lab command with its output in the log. Returns its seconds."""
    start = time.monotonic()
    with LOG.open("a") as log:
        log.write(f"$ lab {' '.join(args)}\n")
        log.flush()
        done = subprocess.run(
            [sys.executable, "-m", "lab.cli", *args], stdout=log, stderr=log, check=False
        )
    if done.returncode:
        raise click.ClickException(
            f"lab {' '.join(args[:3])} ended with {done.returncode}; see {LOG}"
        )
    return time.monotonic() - start


@click.command()
@click.option(
    "--salt",
    type=click.Choice(["3006", "3008"]),
    default="3008",
    show_default=True,
    help="Salt line",
)
def main(salt: str) -> None:
    """Time the quick start as a script and as formulas, on fresh hosts, and print the ratios."""
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_text("")
    console = Console()
    seconds: dict[str, float] = {}

    def step(name: str, *args: str) -> None:
        with console.status(name):
            seconds[name] = lab(*args)
        console.print(f"{name}: {seconds[name]:.1f} s")

    try:
        lab("down")
        step("boot a bare host", "up", "--salt", salt, "--no-apply")
        lab(
            "run",
            HOST,
            "sh",
            "-c",
            f"cat > /root/quickstart.sh <<'END'\n{(FOLDER / 'quickstart.sh').read_text()}\nEND",
        )
        step("shell script", "run", HOST, "bash", "/root/quickstart.sh", REPOSITORY_URL)
        lab("down")
        step("boot a bare host again", "up", "--salt", salt, "--no-apply")
        step("salt '*' test.ping", "salt", "*", "test.ping")
        step("first state.apply", "salt", "*", "state.apply")
        step("second state.apply", "salt", "*", "state.apply")
        step("state.show_lowstate (render alone)", "salt", "*", "state.show_lowstate")
        lab("down")
        step(
            "boot a bare host without a minion",
            "up",
            "--salt",
            salt,
            "--transport",
            "ssh",
            "--no-apply",
        )
        step("first state.apply by salt-ssh", "salt", "*", "state.apply")
        step("second state.apply by salt-ssh", "salt", "*", "state.apply")
    finally:
        lab("down")

    table = Table(title=f"Against the shell script, Salt {salt}")
    for column in ("what", "seconds", "ratio"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, spent in seconds.items():
        if not name.startswith("boot"):
            table.add_row(name, f"{spent:.1f}", f"{spent / seconds['shell script']:.2f}")
    console.print(table)
    for run in ("first state.apply", "second state.apply"):
        console.print(
            f"{run}: salt-ssh takes {seconds[f'{run} by salt-ssh'] / seconds[run]:.1f} times "
            "as long as the minion"
        )
    console.print(
        "Next: the aim is a first state.apply of at most 1.25; what each state took: "
        "lab salt '*' state.apply --out=json, key duration"
    )


if __name__ == "__main__":
    main()
