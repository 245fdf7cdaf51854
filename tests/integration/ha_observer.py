"""Observes a cluster while a test changes it, by observe.py on one of its hosts."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path

from cluster_lab import SALT_PYTHON
from ha_cluster import AGENTS, CONTROL, ELECTION_SECONDS

PROGRAM = Path(__file__).with_name("observe.py")
STOP = "/run/observe.stop"
# The node that leads the masters is restarted last. One that leads another service is not if some
# node leads a service of a higher rank, and the next leader may be on a node that follows.
MAX_ELECTIONS = {"zookeeper": 3, "mesos": 1, "marathon": 2, "chronos": 3}


class Observer:
    """
    A context manager. At its end ``outages`` has the seconds of each outage by service, and
    ``down`` the highest number of nodes on which a daemon was down at the same time, by daemon.
    The service ``app`` is away while no agent serves it.

    interpreter
        The Python of the host, 3.6 or later. Default: Salt's.

    control
        The control nodes. Default: three. A single one need not be a majority of three.

    app_port
        A port on which an app listens, on whichever agent. Default: no app is asked.
    """

    def __init__(
        self,
        lab,
        interpreter: str = SALT_PYTHON,
        control: Iterable[str] = tuple(CONTROL),
        app_port: int | None = None,
    ):
        self._host = lab.at("lxcc01")
        self._interpreter = interpreter
        self._setup = {
            "control": [CONTROL[host] for host in control],
            "agents": list(AGENTS.values()),
            "app_port": app_port,
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

    def check_turns(self, max_unavailable: int = 1, apart_from: tuple[str, ...] = ()) -> None:
        """Assert that no two control nodes lacked the same daemon, nor too many agents theirs."""
        for daemon, nodes in self.down.items():
            limit = max_unavailable if daemon == "mesos-slave" else 1
            assert nodes <= limit or daemon in apart_from, (daemon, self.table())

    def check_elections(self) -> None:
        """Assert that each service was away for elections only, and for as few as possible."""
        for service, elections in MAX_ELECTIONS.items():
            outages = self.outages[service]
            assert all(seconds < ELECTION_SECONDS for seconds in outages), self.table()
            assert len(outages) <= elections, (service, self.table())

    def table(self) -> str:
        """Return the outages, one line for each service."""
        lines = [
            f"{service:12} {', '.join(f'{seconds} s' for seconds in outages) or 'none'}"
            for service, outages in self.outages.items()
        ]
        return "\n".join([*lines, f"down at the same time: {self.down}"])
