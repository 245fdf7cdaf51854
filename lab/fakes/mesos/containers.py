"""Containers of Docker, which an agent runs with the command ``docker``, as Mesos does."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from typing import Any

from . import resources
from .executor import container
from .tasks import Task

LEAST_MEMORY = 32  # MiB
NETWORKS = {"HOST": "host", "BRIDGE": "bridge", "NONE": "none"}


class Unlaunched(Exception):
    """A task that cannot be started, and why."""


class Docker:
    """The Docker that the flags of an agent name."""

    def __init__(self, flags: Mapping[str, str]) -> None:
        self.command = [flags["docker"], "-H", f"unix://{flags['docker_socket']}"]
        self.mapped = flags["sandbox_directory"]

    def pull(self, docker: dict[str, Any]) -> None:
        """Have the image of a task here; Unlaunched, in Docker's words, if it cannot be had."""
        image = docker["image"]
        if docker.get("force_pull_image") or self._run("inspect", image).returncode:
            pulled = self._run("pull", image)
            if pulled.returncode:
                command = " ".join([*self.command, "pull", image])
                text = f"Failed to run '{command}': exited with status {pulled.returncode}; stderr='{pulled.stderr.strip()}'"
                raise Unlaunched(text)

    def run(self, task: Task, sandbox: str, names: list[str]) -> list[str]:
        """Return the command that runs a task in the foreground. It takes its variables, named here, from the command's environment."""
        info, docker = task.info["container"], task.info["container"]["docker"]
        amounts = resources.amounts(map(resources.modern, task.info["resources"]))
        network = docker.get("network", "HOST")
        user = next(
            (each["name"] for each in info.get("network_infos", []) if "name" in each), "bridge"
        )
        options = [
            f"--name={name(task)}",
            f"--cpu-shares={max(int(amounts.get('cpus', 0) * 1024), 2)}",
            f"--memory={int(max(amounts.get('mem', 0), LEAST_MEMORY) * 2**20)}",
            f"--net={NETWORKS.get(network, user)}",
            f"--volume={sandbox}:{self.mapped}",
            *(f"--env={variable}" for variable in names),
            *(f"--volume={_volume(each)}" for each in info.get("volumes", [])),
            *(["--privileged"] if docker.get("privileged") else []),
            *(
                f"--publish={each['host_port']}:{each['container_port']}/{each.get('protocol', 'tcp')}"
                for each in docker.get("port_mappings", [])
            ),
            *(f"--{each['key']}={each['value']}" for each in docker.get("parameters", [])),
        ]
        command = task.info["command"]
        words = [
            *([command["value"]] if command.get("value") else []),
            *command.get("arguments", []),
        ]
        if command.get("shell", True) and words:
            options.append("--entrypoint=/bin/sh")
            words = ["-c", command["value"]]
        return [*self.command, "run", "--rm", *options, docker["image"], *words]

    def address(self, task: Task) -> str | None:
        """Return the address of a task's container, empty if it has none of its own; None as long as it does not run."""
        shown = self._run(
            "inspect", "--format={{.State.Running}} {{.NetworkSettings.IPAddress}}", name(task)
        ).stdout.split()
        return " ".join(shown[1:]) if shown[:1] == ["true"] else None

    def stop(self, task: Task, grace: float) -> list[str]:
        """Return the command that ends a task's container."""
        return [*self.command, "stop", f"--time={max(round(grace), 1)}", name(task)]

    def inside(self, task: Task, command: list[str]) -> list[str]:
        """Return a command that runs in a task's container."""
        return [*self.command, "exec", name(task), *command]

    def remove(self, task: Task) -> None:
        """End a task's container that nobody is in charge of any more; dockerd may have to come up before."""
        for _ in range(60):
            if "Cannot connect" not in self._run("rm", "--force", name(task)).stderr:
                return
            time.sleep(1)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )


def name(task: Task) -> str:
    """The name of a task's container."""
    return f"mesos-{container(task)}"


def _volume(volume: dict[str, Any]) -> str:
    return f"{volume['host_path']}:{volume['container_path']}:{volume.get('mode', 'RW').lower()}"
