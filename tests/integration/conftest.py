"""One lab for the whole session: booted, converged, and torn down whatever happens."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from lab import machine

HOST = "lxdev01"


@dataclass
class Lab:
    """The ``lab`` command as a test uses it; output is kept for the failure message."""

    line: str

    def call(self, *args: str, timeout: int = 1200) -> subprocess.CompletedProcess[str]:
        """Run ``lab ARGS`` and return what it did, whatever its exit code."""
        command = [sys.executable, "-m", "lab.cli", *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    def run(self, *args: str) -> str:
        """``lab run`` a shell line on the host; return its stdout, fail with its stderr."""
        done = self.call("run", HOST, "sh", "-c", *args)
        assert done.returncode == 0, f"{args}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def apply(self, *args: str, pillar: dict | None = None) -> dict:
        """
        ``state.apply`` on the host: the state results, or the list of errors that stopped the render.

        By ``salt-call``, which always has an answer; ``salt`` now and then says "No return received" of a job that runs.
        """
        extra = [f"pillar={json.dumps(pillar)}"] if pillar else []
        done = self.call("run", HOST, "salt-call", "state.apply", *args, *extra, "--out=json", "--no-color")
        try:
            return json.loads(done.stdout)["local"]
        except (ValueError, KeyError):
            raise AssertionError(f"state.apply: exit {done.returncode}\n{done.stdout}\n{done.stderr}") from None

    def converge(self, *args: str, pillar: dict | None = None) -> dict:
        """Apply, insist that every state succeeded, and return what changed: state id -> changes."""
        result = self.apply(*args, pillar=pillar)
        assert isinstance(result, dict), "\n".join(result)
        failed = {state["__id__"]: state["comment"] for state in result.values() if state["result"] is False}
        assert not failed, json.dumps(failed, indent=2)
        return {state["__id__"]: state["changes"] for state in result.values() if state["changes"]}

    def started(self, unit: str) -> str:
        """When systemd last started a unit: equal twice means that nothing restarted it in between."""
        return self.run(f"systemctl show -p ActiveEnterTimestampMonotonic -p MainPID {unit}")


def pytest_generate_tests(metafunc):
    if "lab" in metafunc.fixturenames:
        metafunc.parametrize("lab", ["3008", "3006"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def lab(request):
    obstacles = machine.obstacles()
    if obstacles:
        reason = "the lab cannot run here: " + "; ".join(obstacles)
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    lab = Lab(request.param)
    lab.call("down")
    done = lab.call("up", "--topology", "single", "--salt", lab.line)
    try:
        assert done.returncode == 0, f"lab up: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        lab.up_output = done.stdout
        yield lab
    finally:
        lab.call("down")
