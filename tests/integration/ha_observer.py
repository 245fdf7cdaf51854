"""Observes a cluster while a test changes it, by observe.py on one of its hosts."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path

from cluster_lab import SALT_PYTHON
from ha_cluster import AGENTS, CONTROL, ELECTION_SECONDS

PROGRAM = Path(__file__).with_name("observe.py")
STOP = "/run/observe.stop"


class Observer:
    """
    A context manager. At its end ``outages`` has the seconds of each outage by service, and
    ``down`` the highest number of nodes of each kind that were down at the same time.

    interpreter
        The Python of the host, 3.6 or later. Default: Salt's.

    control
        The control nodes. Default: three. A single one need not be a majority of three.

    urls
        Further URLs by name, such as that of a container.
    """

    def __init__(
        self,
        lab,
        interpreter: str = SALT_PYTHON,
        control: Iterable[str] = tuple(CONTROL),
        **urls: str,
    ):
        self._host = lab.at("lxcc01")
        self._interpreter = interpreter
        self._setup = {
            "control": [CONTROL[host] for host in control],
            "agents": list(AGENTS.values()),
            "urls": urls,
            "stop": STOP,
        }
        self._thread = threading.Thread(target=self._run)
        self.outages: dict[str, list[float]] = {}
        self.down: dict[str, int] = {}

    def __enter__(self):
        self._host.run(f"rm -f {STOP}")
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._host.run(f"touch {STOP}")
        self._thread.join()

    def _run(self):
        output = self._host.python(
            PROGRAM.read_text(), json.dumps(self._setup), interpreter=self._interpreter
        )
        report = json.loads(output)
        self.outages, self.down = report["outages"], report["down"]

    def check_elections(self) -> None:
        """Assert that each service was away for elections only, and Mesos for one at most."""
        for service in ("zookeeper", "mesos", "marathon", "chronos"):
            outages = self.outages[service]
            assert all(seconds < ELECTION_SECONDS for seconds in outages), self.table()
        assert len(self.outages["mesos"]) <= 1, self.table()

    def table(self) -> str:
        """Return the outages, one line for each service."""
        lines = [
            f"{service:12} {', '.join(f'{seconds} s' for seconds in outages) or 'none'}"
            for service, outages in self.outages.items()
        ]
        return "\n".join([*lines, f"down at the same time: {self.down}"])
