"""What the unit tests of states have in common."""

import json
import subprocess
from pathlib import Path

import pytest

from lab import ROOT, SALT_LINES, saltenv

CALLER = Path(__file__).with_name("salt_caller.py")


@pytest.fixture(scope="session", params=SALT_LINES)
def salt(request, tmp_path_factory):
    """The real Salt of a line: ``salt("zk.myid_stays", test, pillar, **arguments)`` applies one state, returns its result."""
    command = [saltenv.machine_env(request.param), "-W", "ignore", CALLER, tmp_path_factory.mktemp("salt"), ROOT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        def apply(state: str, test: bool = False, pillar: dict | None = None, **arguments) -> dict:
            asked = {"state": state, "arguments": arguments, "test": test, "pillar": pillar or {}}
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert isinstance(answer, dict), answer
            assert "Traceback" not in answer["comment"]
            return answer
        yield apply
        process.stdin.close()
