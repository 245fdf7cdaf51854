"""Docker containers, which an agent runs with the ``docker`` command, as Mesos does."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from typing import Any

from . import resources
from .executor import container
from .tasks import Task

MIN_MEMORY = 32  # MiB
NETWORKS = {"HOST": "host", "BRIDGE": "bridge", "NONE": "none"}


class LaunchError(Exception):
    """A task cannot be launched. The message is the reason."""


class Docker:
    """Docker commands with the settings of an agent's flags."""

    def __init__(self, flags: Mapping[str, str]) -> None:
        self.command = [flags["docker"], "-H", f"unix://{flags['docker_socket']}"]
        self.mapped_directory = flags["sandbox_directory"]

    def pull(self, docker: dict[str, Any]) -> None:
        """Pull the image of a task, if needed. Raises LaunchError with the error of Docker."""
        image = docker["image"]
        if docker.get("force_pull_image") or self._run("inspect", image).returncode:
            pulled = self._run("pull", image)
            if pulled.returncode:
                command = " ".join([*self.command, "pull", image])
                raise LaunchError(
                    f"Failed to run '{command}': exited with status {pulled.returncode}; "
                    f"stderr='{pulled.stderr.strip()}'"
                )

    def run(self, task: Task, sandbox: str, names: list[str]) -> list[str]:
        """
        Return the command that runs a task in the foreground.

        The container receives the variables with these ``names`` from the environment.
        """
        info, docker = task.info["container"], task.info["container"]["docker"]
        amounts = resources.amounts(map(resources.modern, task.info["resources"]))
        network = docker.get("network", "HOST")
        network_names = [
            entry["name"] for entry in info.get("network_infos", []) if "name" in entry
        ]
        user_network = network_names[0] if network_names else "bridge"
        options = [
            f"--name={name(task)}",
            f"--cpu-shares={max(int(amounts.get('cpus', 0) * 1024), 2)}",
            f"--memory={int(max(amounts.get('mem', 0), MIN_MEMORY) * 2**20)}",
            f"--net={NETWORKS.get(network, user_network)}",
            f"--volume={sandbox}:{self.mapped_directory}",
            *(f"--env={variable}" for variable in names),
            *(f"--volume={_volume(volume)}" for volume in info.get("volumes", [])),
            *(["--privileged"] if docker.get("privileged") else []),
            *(f"--publish={_port_mapping(mapping)}" for mapping in docker.get("port_mappings", [])),
            *(f"--{entry['key']}={entry['value']}" for entry in docker.get("parameters", [])),
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
        """Return the IP address of a running container (empty with the host network), else None."""
        fields = self._run(
            "inspect", "--format={{.State.Running}} {{.NetworkSettings.IPAddress}}", name(task)
        ).stdout.split()
        return " ".join(fields[1:]) if fields[:1] == ["true"] else None

    def stop(self, task: Task, grace: float) -> list[str]:
        """Return the command that stops a container, with a grace period in seconds."""
        return [*self.command, "stop", f"--time={max(round(grace), 1)}", name(task)]

    def inside(self, task: Task, command: list[str]) -> list[str]:
        """Return the command that executes another one in a container."""
        return [*self.command, "exec", name(task), *command]

    def remove(self, task: Task) -> None:
        """Remove an orphaned container. Waits up to a minute for dockerd to start."""
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
    """Return the name of a task's container."""
    return f"mesos-{container(task)}"


def _port_mapping(mapping: dict[str, Any]) -> str:
    ports = f"{mapping['host_port']}:{mapping['container_port']}"
    return f"{ports}/{mapping.get('protocol', 'tcp')}"


def _volume(volume: dict[str, Any]) -> str:
    return f"{volume['host_path']}:{volume['container_path']}:{volume.get('mode', 'RW').lower()}"
