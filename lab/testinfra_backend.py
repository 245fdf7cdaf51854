"""pytest-testinfra's way into a host of the lab: ``--hosts=lab://lxdev01``."""

import subprocess

from testinfra.backend.base import BaseBackend, CommandResult

from . import hosts


class LabBackend(BaseBackend):
    """Runs each command on a host as root, as ``lab run`` does."""

    NAME = "lab"

    def run(self, command: str, *args: str, **_) -> CommandResult:
        command = self.get_command(command, *args)
        done = hosts.execute(
            self.hostname, ["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True
        )
        return self.result(done.returncode, command.encode(), done.stdout, done.stderr)

    def get_encoding(self) -> str:
        return "UTF-8"
