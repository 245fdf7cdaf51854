"""The tables of the formulas that the fake daemons read, so that both know the same versions."""

from __future__ import annotations

import pathlib
import runpy
from typing import Any

# On a host the package lab-fakes has copies of these files beside the fakes.
FILES = (
    "chronos/options.py",
    "marathon/options.py",
    "marathon/steps.py",
    "mesos/flags.py",
    "mesos/frameworks.py",
)
PARENTS = pathlib.Path(__file__).parents


def read(name: str) -> dict[str, Any]:
    """Return what a file of the formulas defines, such as ``mesos/flags.py``."""
    candidates = (PARENTS[depth] / "formulas" / name for depth in (2, 3))
    return runpy.run_path(str(next(path for path in candidates if path.exists())))
