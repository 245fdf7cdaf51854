"""
Time the compilation of pillar and low state. Run by the Python of a Salt environment, for
render.py.

Reads ``{"root": path of the repository, "rounds": 15, "cases": [case, ...]}`` on stdin, with cases
as in lab/render.py. Writes for each case a list of rounds: the seconds of the pillar and those of
the low state.
"""

import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import salt.loader
import salt.pillar
import salt.state

from lab import render


def measure(options: dict) -> tuple[float, float]:
    """Compile once; return the seconds of pillar and of low state."""
    start = time.perf_counter()
    pillar = salt.pillar.get_pillar(
        options, options["grains"], options["id"], "base"
    ).compile_pillar()
    middle = time.perf_counter()
    highstate = salt.state.HighState(options, initial_pillar=pillar)
    highstate.push_active()
    try:
        chunks, errors = render.compile_states(highstate, [])
    finally:
        highstate.pop_active()
    end = time.perf_counter()
    if errors or "mesos-slave-service" not in [chunk["__id__"] for chunk in chunks]:
        raise SystemExit(f"this is no agent: {errors or [chunk['__id__'] for chunk in chunks]}")
    return middle - start, end - middle


def main() -> None:
    """Measure all cases in turns, after one round that does not count."""
    logging.disable(logging.CRITICAL)
    salt.loader.grains = lambda opts, *_, **__: opts["grains"]
    request = json.load(sys.stdin)
    root = Path(request["root"])
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        options = render.minion_options(root, Path(scratch))
        minions = [render.case_options(options, case, root) for case in request["cases"]]
        rounds = [[measure(minion) for minion in minions] for _ in range(request["rounds"] + 1)]
    print(json.dumps(list(zip(*rounds[1:], strict=True))))


if __name__ == "__main__":
    main()
