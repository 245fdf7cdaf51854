"""The lab as the integration tests use it, and the questions that they ask."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
EVERY_FUNCTION = Path(__file__).with_name("every_function.py")
TESTINFRA = Path(__file__).parents[1] / "testinfra"


def eventually(question: Callable[[], T], seconds: int = 60) -> T:
    """Ask until the answer is true; fail with the last one."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            reply = last = question()
        except (OSError, ValueError, KeyError) as error:
            reply, last = None, error
        if reply:
            return reply
        assert time.monotonic() < deadline, f"not within {seconds} s; last: {last!r}"
        time.sleep(1)


@dataclass
class Lab:
    """The ``lab`` command; what it prints is kept for the failure message. ``host``: whom run() and apply() are about."""

    line: str
    host: str
    up_output: str = field(default="", repr=False)

    def at(self, host: str) -> "Lab":
        """The same lab, about another host."""
        return Lab(self.line, host)

    def call(self, *args: str, timeout: int = 1200) -> subprocess.CompletedProcess[str]:
        """Run ``lab ARGS`` and return what it did, whatever its exit code."""
        command = [sys.executable, "-m", "lab.cli", *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    def do(self, *args: str) -> str:
        """Run ``lab ARGS``, insist that it succeeds, and return its stdout."""
        done = self.call(*args)
        assert done.returncode == 0, f"lab {' '.join(args)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run(self, *args: str) -> str:
        """A shell line on the host; return its stdout, fail with its stderr."""
        return self.do("run", self.host, "sh", "-c", *args)

    def apply(self, *args: str, pillar: dict | None = None) -> dict:
        """
        ``state.apply`` on the host: the state results, or the list of errors that stopped the render.

        By ``salt-call``, which always has an answer; ``salt`` now and then says "No return received" of a job that runs.
        """
        extra = [f"pillar={json.dumps(pillar)}"] if pillar else []
        done = self.call("run", self.host, "salt-call", "state.apply", *args, *extra, "--out=json", "--no-color")
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

    def converge_all(self, hosts: list[str]) -> dict:
        """``salt '*' state.apply``: insist that every state of these hosts is true; return what changed: host -> state id -> changes."""
        done = self.call("salt", "*", "state.apply", "--out=json", "--static", "--no-color")
        answers = json.loads(done.stdout)
        answers = {host: answers.get(f"{host}.devops.test") for host in hosts}
        faults = {host: states for host, states in answers.items() if not isinstance(states, dict)}
        faults |= {f"{host} {state['__id__']}": state["comment"] for host, states in answers.items() if host not in faults
                   for state in states.values() if state["result"] is not True}
        assert not faults, json.dumps(faults, indent=2)
        return {host: changed for host, states in answers.items()
                if (changed := {state["__id__"]: state["changes"] for state in states.values() if state["changes"]})}

    def started(self, unit: str) -> str:
        """When systemd last started a unit: equal twice means that nothing restarted it in between."""
        return self.run(f"systemctl show -p ActiveEnterTimestampMonotonic -p MainPID {unit}")

    def python(self, program: str) -> str:
        """Run a program by Salt's own Python on the host; return its stdout, fail with its stderr."""
        return self.run(f"cat > /root/program.py <<'END'\n{program}\nEND\n/opt/saltstack/salt/bin/python3 -W ignore /root/program.py")

    def verify(self) -> None:
        """Run the repository's testinfra files against the host, and insist that all of them hold."""
        command = [sys.executable, "-m", "pytest", "-q", str(TESTINFRA), "--lab-host", self.host]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "CI": "true"})
        print(done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr

    def call_every_function(self) -> str:
        """Call each function of the execution modules on the host; return the host name of the agent that is marked gone by that."""
        told = json.loads(self.python(EVERY_FUNCTION.read_text()).splitlines()[-1])
        assert told["called"] == told["there"]
        return told["gone"]

    def begin_agent_anew(self) -> None:
        """What an agent on the host needs that was marked gone: another id."""
        self.run("rm -rf /var/lib/mesos/meta/slaves/latest && systemctl restart mesos-slave")
