"""A Marathon with two agents in memory, to which the unit tests apply states."""

import applying
from mesos_world import until

from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

LINES = [
    "1.1.2",
    "1.3.14",
    "1.4.8",
    "1.4.13",
    "1.5.0",
    "1.5.15",
    "1.6.608",
    "1.7.236",
    "1.8.244",
    "1.9.109",
    "1.10.26",
]
VERSIONS = ["1.4.13", "1.5.15", "1.8.244", "1.10.26"]
NEW = "1.8.244"
SMALL = {"cmd": "sleep 3600", "cpus": 0.1, "mem": 32}


def start(salt, running, version=NEW, *options):
    """Start a Marathon of a version, and return what applies states to it."""
    local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
    agents = Agents(
        *(agent(f"lxb00{number}.devops.test", {"rack": f"r{number}"}) for number in (1, 2))
    )
    return MarathonStates(
        salt,
        running(Marathon([*local, *options], None, version, servers=MemoryRoom(), agents=agents)),
        agents,
    )


class MarathonStates(applying.StateRunner):
    service = "marathon"

    def __init__(self, salt, server, mesos):
        self.salt, self.server, self.mesos, self.url = salt, server, mesos, server.url

    def changed(self, function, name, **arguments):
        """Apply a state that must change something. Returns the changes."""
        answer = self(function, name, **arguments)
        assert answer["result"] is True and answer["changes"], answer
        self.wait_for_deployments()
        return answer["changes"]

    def changed_as_predicted(self, function, name, **arguments):
        """
        Apply a state that must change something, as its test run predicts, and only once.

        Returns the changes.
        """
        before = len(self.writes())
        predicted = self(function, name, True, **arguments)
        assert predicted["result"] is None and predicted["changes"], predicted
        assert len(self.writes()) == before, predicted
        changes = self.changed(function, name, **arguments)
        assert changes == predicted["changes"]
        self.unchanged(function, name, **arguments)
        return changes

    def wait_for_deployments(self):
        until(lambda: not self.call("deployments"))

    def writes(self):
        return [
            request for request in self.server.requests if request.method not in ("GET", "HEAD")
        ]
