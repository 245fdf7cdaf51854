"""A reader of the documents, who types their commands on the hosts of a lab."""

import shlex
from dataclasses import dataclass

from cluster_lab import Lab, lab_command
from document import LAPTOP, parse, run, run_locally

from lab import ROOT, cluster

OPERATE = "docs/operate.md"


@dataclass
class Reader:
    """A reader who follows the documents until an example fails."""

    lab: Lab
    stopped_at: str = ""

    def execute(self, host: str, text: str) -> tuple[int, str]:
        """
        Run a command on a host, or on this machine, where ``lab`` is that of the test, and
        ``LAB_PILLAR`` a directory with pillar that takes precedence over the repository's.
        """
        if host == LAPTOP:
            definitions = f"""
                lab() {{ {shlex.join(lab_command())} "$@"; }}
                LAB_PILLAR={cluster.topology_directory()}
            """
            return run_locally(definitions + text)
        result = self.lab.at(host).execute("bash", "-c", f"exec 2>&1\n{text}")
        return result.returncode, result.stdout + result.stderr

    def follow(self, title: str) -> None:
        """Run the examples of a section of docs/operate.md. Raises DocumentError."""
        [part] = [part for part in parse((ROOT / OPERATE).read_text()) if part.title == title]
        run(part, self.execute)
