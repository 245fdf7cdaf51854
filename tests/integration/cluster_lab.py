"""The lab as the integration tests use it, and the questions that they ask."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lab import cluster, hosts, instance

T = TypeVar("T")
EVERY_FUNCTION = Path(__file__).with_name("every_function.py")
TESTINFRA = Path(__file__).parents[1] / "testinfra"

# The files of a host, without what differs between two hosts (keys, ids, when its users were made)
# and without Salt itself. For bash.
PORTRAIT = r"""
find /etc /var/lib/zookeeper /usr/lib/systemd/system -type f \
    -not -path '/etc/salt/*' -not -path '/etc/ssh/ssh_host_*' -not -path '*/version-2/*' \
    -not -name machine-id -not -name hosts -not -name 'shadow*' -not -name 'salt-*.service' \
    -not -path /etc/docker/key.json -not -name '*.pid' -print0 | sort -z |
    while IFS= read -r -d '' file; do
        echo "$(stat -c '%a %U %G' "$file") $(sha256sum "$file")"
    done
find /etc/systemd/system -type l -not -name 'salt-*' -printf '%p -> %l\n' | sort
"""


def eventually(question: Callable[[], T], seconds: int = 60) -> T:
    """Ask until the answer is true; fail with the last one."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            reply = last_reply = question()
        except (OSError, ValueError, KeyError) as error:
            reply, last_reply = None, error
        if reply:
            return reply
        assert time.monotonic() < deadline, f"not within {seconds} s; last: {last_reply!r}"
        time.sleep(0.5)


def lab_command(*args: str) -> list[str]:
    """Return the command line of ``lab`` for the lab of this process."""
    return [sys.executable, "-m", "lab.cli", "--name", instance.name, *args]


def orchestration(runbook: str, pillar: str = "") -> list[str]:
    """Return the command that runs a runbook on the Salt master."""
    return [
        "salt-run",
        "--no-color",
        "state.orchestrate",
        f"orchestration.{runbook}",
        *([f"pillar={pillar}"] if pillar else []),
    ]


def steps(printed: str) -> tuple[list[str], list[str]]:
    """Return the successful steps of a runbook, in order, and those with changes."""
    assert re.search(r"^Failed: +0$", printed, re.MULTILINE), printed
    changed = [
        block.partition("\n")[0]
        for block in printed.split("ID: ")[1:]
        if re.search(r"Changes: +\n +[-\w]", block)
    ]
    return re.findall(r"ID: (.*)", printed), changed


@dataclass
class Lab:
    """The ``lab`` command. ``host`` is the host of run() and apply()."""

    line: str
    host: str
    up_output: str = field(default="", repr=False)

    def at(self, host: str) -> "Lab":
        """The same lab, about another host."""
        return Lab(self.line, host)

    def call(self, *args: str, timeout: int = 1200) -> subprocess.CompletedProcess[str]:
        """Run ``lab ARGS`` and return what it did, whatever its exit code."""
        return subprocess.run(
            lab_command(*args), capture_output=True, text=True, timeout=timeout, check=False
        )

    def do(self, *args: str) -> str:
        """Run ``lab ARGS``, insist that it succeeds, and return its stdout."""
        done = self.call(*args)
        assert done.returncode == 0, (
            f"lab {' '.join(args)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the host and return what it did, whatever its exit code."""
        return hosts.execute(
            self.host, list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def run(self, line: str) -> str:
        """A shell line on the host; return its stdout, fail with its stderr."""
        done = self.execute("sh", "-c", line)
        assert done.returncode == 0, (
            f"{self.host}: {line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def apply(self, *args: str, pillar: dict | None = None) -> dict:
        """
        Run ``state.apply`` on the host; return the results, or the list of rendering errors.

        It calls ``salt-call``: ``salt`` sometimes reports "No return received" for a running job.
        """
        extra = [f"pillar={json.dumps(pillar)}"] if pillar else []
        done = self.execute("salt-call", "state.apply", *args, *extra, "--out=json", "--no-color")
        try:
            return json.loads(done.stdout)["local"]
        except (ValueError, KeyError):
            raise AssertionError(
                f"state.apply: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
            ) from None

    def converge(self, *args: str, pillar: dict | None = None) -> dict:
        """Apply, assert that every state succeeded, and return changes by state id."""
        result = self.apply(*args, pillar=pillar)
        assert isinstance(result, dict), "\n".join(result)
        failed = {
            state["__id__"]: state["comment"]
            for state in result.values()
            if state["result"] is False
        }
        assert not failed, json.dumps(failed, indent=2)
        return {state["__id__"]: state["changes"] for state in result.values() if state["changes"]}

    def converge_all(self, hosts: list[str]) -> dict:
        """Run ``salt '*' state.apply``, assert success, return changes by host and state id."""
        options = [f"--timeout={cluster.SALT_TIMEOUT}", "--out=json", "--static", "--no-color"]
        done = self.call("salt", *options, "*", "state.apply")
        answers = json.loads(done.stdout)
        answers = {host: answers.get(f"{host}.devops.test") for host in hosts}
        faults = {host: states for host, states in answers.items() if not isinstance(states, dict)}
        faults |= {
            f"{host} {state['__id__']}": state["comment"]
            for host, states in answers.items()
            if host not in faults
            for state in states.values()
            if state["result"] is not True
        }
        assert not faults, json.dumps(faults, indent=2)
        return {
            host: changed
            for host, states in answers.items()
            if (
                changed := {
                    state["__id__"]: state["changes"]
                    for state in states.values()
                    if state["changes"]
                }
            )
        }

    def single(self, state: str, name: str, **arguments) -> dict:
        """One state on the host, by ``salt-call state.single``: its result."""
        words = [f"{key}={json.dumps(value)}" for key, value in {"name": name, **arguments}.items()]
        done = self.execute("salt-call", "state.single", state, *words, "--out=json", "--no-color")
        (result,) = json.loads(done.stdout)["local"].values()
        return result

    def orchestrate(self, runbook: str, pillar: str = "") -> tuple[int, str]:
        """Run a runbook on the Salt master: its exit code and what it printed."""
        done = self.execute(*orchestration(runbook, pillar))
        print(done.stdout, done.stderr)
        assert "unclosed" not in done.stderr and "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout

    def orchestrated(self, runbook: str, pillar: str = "") -> tuple[list[str], list[str]]:
        """Run a runbook, assert success; return its steps in order, and those with changes."""
        code, printed = self.orchestrate(runbook, pillar)
        assert code == 0, printed
        return steps(printed)

    def portrait(self) -> list[str]:
        """Mode, owner and checksum of each file on the host, and what is enabled."""
        done = self.execute("bash", "-c", PORTRAIT)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return done.stdout.splitlines()

    def started(self, unit: str) -> str:
        """Return when systemd last started a unit; unchanged if nothing restarted it since."""
        return self.run(f"systemctl show -p ActiveEnterTimestampMonotonic -p MainPID {unit}")

    def python(self, program: str, *arguments: str) -> str:
        """Run a program with Salt's Python on the host; return stdout, fail with stderr."""
        return self.run(
            f"cat > /root/program.py <<'END'\n{program}\nEND\n"
            f"/opt/saltstack/salt/bin/python3 -W ignore /root/program.py {shlex.join(arguments)}"
        )

    def verify(self) -> None:
        """Run the testinfra files against the host, and assert that they pass."""
        command = [sys.executable, "-m", "pytest", "-q", str(TESTINFRA), "--lab-host", self.host]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "CI": "true", "LAB_NAME": instance.name},
        )
        print(done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr

    def call_every_function(self) -> str:
        """Call each module function on the host; return the host name of the agent marked gone."""
        report = json.loads(self.python(EVERY_FUNCTION.read_text()).splitlines()[-1])
        assert report["called"] == report["available"]
        return report["marked_gone"]

    def begin_agent_anew(self) -> None:
        """What an agent on the host needs that was marked gone: another id."""
        self.run("rm -rf /var/lib/mesos/meta/slaves/latest && systemctl restart mesos-slave")
