"""Steps: each is a line on the screen with its seconds; the output of programs goes to logs."""

import fcntl
import hashlib
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from . import CACHE, LabError, cgroups, instance

T = TypeVar("T")
Report = Callable[[str], None]

HEARTBEAT = 30  # seconds between progress lines if the output is not a terminal


class Steps:
    """Shows the steps that are under way. Use as a context manager; threads may share it."""

    def __init__(self, console: Console):
        self.console = console
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self.bar = Progress(*columns, console=console, transient=True)
        self.done = threading.Event()
        self.heart = threading.Thread(target=self._beat, daemon=True)
        self.running: dict[str, float] = {}

    def __enter__(self) -> "Steps":
        if self.console.is_terminal:
            self.bar.start()
        else:
            self.heart.start()
        return self

    def __exit__(self, *_) -> None:
        self.done.set()
        if self.console.is_terminal:
            self.bar.stop()

    def _beat(self) -> None:
        while not self.done.wait(HEARTBEAT):
            for title, start in list(self.running.items()):
                self.console.print(f"  ... {title}: {time.monotonic() - start:.0f} s so far")

    @contextmanager
    def step(self, title: str) -> Iterator[Report]:
        """Time a step. Yields a function that shows a text for its current phase."""
        task = self.bar.add_task(title, total=None)
        start = self.running[title] = time.monotonic()
        mark = "[red]failed[/]"
        try:
            yield lambda text: self.bar.update(task, description=f"{title}: {text}")
            mark = "[green]ok[/]"
        finally:
            del self.running[title]
            self.bar.remove_task(task)
            self.console.print(f"{title:<60} {time.monotonic() - start:6.1f} s  {mark}")

    def run_parallel(self, work: Mapping[str, Callable[[Report], T]]) -> list[T]:
        """Run steps in parallel; return results in order. Raise errors after all have ended."""

        def run_step(title: str) -> T:
            with self.step(title) as report:
                return work[title](report)

        with ThreadPoolExecutor() as pool:
            return [future.result() for future in [pool.submit(run_step, title) for title in work]]


def run(command: list[str | Path], log: str, **options) -> None:
    """Run a program, append its output to <log>.log. LabError if it fails or is not installed."""
    instance.logs.mkdir(parents=True, exist_ok=True)
    path = instance.logs / f"{log}.log"
    words = [str(word) for word in command]
    with path.open("a") as output:
        output.write(f"$ {' '.join(words)}\n")
        output.flush()
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
                **options,
            )
        except FileNotFoundError as error:
            raise LabError(f"{words[0]} is not installed") from error
    if done.returncode:
        raise LabError(f"{' '.join(words[:3])} ... ended with {done.returncode}", path)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Wait until no other lab of this directory holds the lock of this name, and hold it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached(kind: str, recipe: bytes, build: Callable[[Path], None]) -> Path:
    """
    Return build/cache/<kind>-<hash of recipe>, built if it is not there.

    Builds of older recipes are deleted, unless other labs run, which may use them.
    """
    with locked(kind):
        target = CACHE / f"{kind}-{hashlib.sha256(recipe).hexdigest()[:12]}"
        if not target.is_dir():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            build(partial)
            if cgroups.labs() <= {instance.name}:
                for old in set(CACHE.glob(f"{kind}-*")) - {partial}:
                    shutil.rmtree(old)
            partial.rename(target)
    return target
