"""The ``lab`` command as the integration tests use it."""

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

from lab import cluster, hosts, instance, network

T = TypeVar("T")
EVERY_FUNCTION = Path(__file__).with_name("every_function.py")
TESTINFRA = Path(__file__).parents[1] / "testinfra"

# For bash: the files of a host, without those that differ between two hosts (keys, ids, dates of
# users) and without Salt itself.
FILE_LIST_COMMAND = r"""
shopt -s nullglob
find /etc /var/lib/zookeeper* /usr/lib/systemd/system -type f \
    -not -path '/etc/salt/*' -not -path '/etc/ssh/ssh_host_*' -not -path '*/version-2/*' \
    -not -name machine-id -not -name hosts -not -name 'shadow*' -not -name 'salt-*.service' \
    -not -path /etc/docker/key.json -not -name '*.pid' -print0 | sort -z |
    while IFS= read -r -d '' file; do
        echo "$(stat -c '%a %U %G' "$file") $(sha256sum "$file")"
    done
find /etc/systemd/system -type l -not -name 'salt-*' -printf '%p -> %l\n' | sort
"""

# The package docker-ce in the place of docker, which is the default on EL 7.
DOCKER_CE = {
    "docker": {"package": "docker-ce"},
    "common": {
        "repositories": {
            "extra": {
                "docker-ce": {
                    "baseurl": f"{network.REPOSITORY_URL}/docker-ce/7/$basearch/stable",
                    "gpgkey": f"{network.REPOSITORY_URL}/RPM-GPG-KEY-lab",
                }
            }
        }
    },
}

SALT_PYTHON = "/opt/saltstack/salt/bin/python3"


def eventually(question: Callable[[], T], seconds: int = 60) -> T:
    """Repeat a call until its result is true and return it. Fails with the last result."""
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


def orchestration(runbook: str, pillar: str = "", test: bool = False) -> list[str]:
    """Return the command that runs a runbook on the Salt master, or only shows its changes."""
    return [
        "salt-run",
        "--no-color",
        "state.orchestrate",
        f"orchestration.{runbook}",
        *([f"pillar={pillar}"] if pillar else []),
        *(["test=True"] if test else []),
    ]


def steps(output: str) -> tuple[list[str], list[str]]:
    """Return the successful steps of a runbook, in order, and those with changes."""
    assert re.search(r"^Failed: +0$", output, re.MULTILINE), output
    changed = [
        block.partition("\n")[0]
        for block in output.split("ID: ")[1:]
        if re.search(r"Changes: +\n +[-\w]", block)
    ]
    return re.findall(r"ID: (.*)", output), changed


@dataclass
class Lab:
    """The ``lab`` command. ``host`` is the host of run() and apply()."""

    line: str
    host: str
    up_output: str = field(default="", repr=False)

    def at(self, host: str) -> "Lab":
        """Return the same lab with another host."""
        return Lab(self.line, host)

    def call(self, *args: str, timeout: int = 1200) -> subprocess.CompletedProcess[str]:
        """Run ``lab ARGS`` and return the result, whatever its exit code."""
        return subprocess.run(
            lab_command(*args), capture_output=True, text=True, timeout=timeout, check=False
        )

    def do(self, *args: str) -> str:
        """Run ``lab ARGS``, assert that it succeeds, and return its stdout."""
        result = self.call(*args)
        assert result.returncode == 0, (
            f"lab {' '.join(args)}: exit {result.returncode}\n{result.stdout}\n{result.stderr}"
        )
        return result.stdout

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the host and return the result, whatever its exit code."""
        return hosts.execute(
            self.host, list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def run(self, line: str) -> str:
        """Run a shell line on the host; return its stdout, fail with its stderr."""
        result = self.execute("sh", "-c", line)
        assert result.returncode == 0, (
            f"{self.host}: {line}: exit {result.returncode}\n{result.stdout}\n{result.stderr}"
        )
        return result.stdout

    def apply(self, *args: str, pillar: dict | None = None) -> dict:
        """
        Run ``state.apply`` on the host; return the results, or the list of rendering errors.

        It calls ``salt-call``: ``salt`` sometimes reports "No return received" for a running job.
        """
        extra = [f"pillar={json.dumps(pillar)}"] if pillar else []
        result = self.execute("salt-call", "state.apply", *args, *extra, "--out=json", "--no-color")
        try:
            return json.loads(result.stdout)["local"]
        except (ValueError, KeyError):
            raise AssertionError(
                f"state.apply: exit {result.returncode}\n{result.stdout}\n{result.stderr}"
            ) from None

    def converge(self, *args: str, pillar: dict | None = None) -> dict:
        """Apply, assert that every state succeeded, and return changes by state id."""
        results = self.apply(*args, pillar=pillar)
        assert isinstance(results, dict), "\n".join(results)
        failed = {
            state["__id__"]: state["comment"]
            for state in results.values()
            if state["result"] is False
        }
        assert not failed, json.dumps(failed, indent=2)
        return {state["__id__"]: state["changes"] for state in results.values() if state["changes"]}

    def converge_all(self, hosts: list[str]) -> dict:
        """Run ``salt '*' state.apply``, assert success, return changes by host and state id."""
        options = [f"--timeout={cluster.SALT_TIMEOUT}", "--out=json", "--static", "--no-color"]
        result = self.call("salt", *options, "*", "state.apply")
        answers = json.loads(result.stdout)
        answers = {host: answers.get(f"{host}.devops.test") for host in hosts}
        errors = {host: states for host, states in answers.items() if not isinstance(states, dict)}
        errors |= {
            f"{host} {state['__id__']}": state["comment"]
            for host, states in answers.items()
            if host not in errors
            for state in states.values()
            if state["result"] is not True
        }
        assert not errors, json.dumps(errors, indent=2)
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
        """Apply one state on the host with ``salt-call state.single`` and return its result."""
        words = [f"{key}={json.dumps(value)}" for key, value in {"name": name, **arguments}.items()]
        result = self.execute(
            "salt-call", "state.single", state, *words, "--out=json", "--no-color"
        )
        (state_result,) = json.loads(result.stdout)["local"].values()
        return state_result

    def orchestrate(self, runbook: str, pillar: str = "", test: bool = False) -> tuple[int, str]:
        """Run a runbook on the Salt master and return its exit code and output."""
        result = self.execute(*orchestration(runbook, pillar, test))
        print(result.stdout, result.stderr)
        assert "unclosed" not in result.stderr and "Traceback" not in result.stderr, result.stderr
        return result.returncode, result.stdout

    def orchestrated(self, runbook: str, pillar: str = "") -> tuple[list[str], list[str]]:
        """Run a runbook, assert success; return its steps in order, and those with changes."""
        code, output = self.orchestrate(runbook, pillar)
        assert code == 0, output
        return steps(output)

    def file_list(self) -> list[str]:
        """Return mode, owner and checksum of each file on the host, and the enabled units."""
        result = self.execute("bash", "-c", FILE_LIST_COMMAND)
        assert result.returncode == 0 and not result.stderr, result.stderr
        return result.stdout.splitlines()

    def start_time(self, unit: str) -> str:
        """Return when systemd last started a unit; unchanged if nothing restarted it since."""
        return self.run(f"systemctl show -p ActiveEnterTimestampMonotonic -p MainPID {unit}")

    def python(self, program: str, *arguments: str, interpreter: str = SALT_PYTHON) -> str:
        """Run a Python program on the host; return stdout, fail with stderr."""
        return self.run(
            f"cat > /root/program.py <<'END'\n{program}\nEND\n"
            f"{interpreter} -W ignore /root/program.py {shlex.join(arguments)}"
        )

    def verify(self) -> None:
        """Run the testinfra files against the host, and assert that they pass."""
        command = [sys.executable, "-m", "pytest", "-q", str(TESTINFRA), "--lab-host", self.host]
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "CI": "true", "LAB_NAME": instance.name},
        )
        print(result.stdout)
        assert result.returncode == 0, result.stdout + result.stderr

    def call_every_function(self) -> str:
        """Call each module function on the host; return the host name of the agent marked gone."""
        report = json.loads(self.python(EVERY_FUNCTION.read_text()).splitlines()[-1])
        assert report["called"] == report["available"]
        return report["marked_gone"]

    def remove_agent_id(self) -> None:
        """Restart the agent on the host with a new id, which it needs after it was marked gone."""
        self.run("rm -rf /var/lib/mesos/meta/slaves/latest && systemctl restart mesos-slave")
