"""
A Marathon with two agents, all in memory, and how to apply states to it and to see what they did.
"""

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


def started(salt, running, version=NEW, *options):
    """Start a Marathon of a version, and return how to apply states to it."""
    local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
    agents = Agents(
        *(agent(f"lxb00{number}.devops.test", {"rack": f"r{number}"}) for number in (1, 2))
    )
    return Place(
        salt,
        running(Marathon([*local, *options], None, version, servers=MemoryRoom(), agents=agents)),
        agents,
    )


class Place(applying.Place):
    service = "marathon"

    def __init__(self, salt, server, mesos):
        self.salt, self.server, self.mesos, self.url = salt, server, mesos, server.url

    def changed(self, function, name, **arguments):
        """Apply a state that is to change something, and return the changes."""
        answer = self(function, name, **arguments)
        assert answer["result"] is True and answer["changes"], answer
        self.quiet()
        return answer["changes"]

    def told_and_changed(self, function, name, **arguments):
        """
        Apply a state that is to change something, as it told before, and only once. Returns the
        changes.
        """
        before = len(self.writes())
        told = self(function, name, True, **arguments)
        assert told["result"] is None and told["changes"] and len(self.writes()) == before, told
        changes = self.changed(function, name, **arguments)
        assert changes == told["changes"]
        self.kept(function, name, **arguments)
        return changes

    def quiet(self):
        until(lambda: not self.call("deployments"))

    def writes(self):
        return [asked for asked in self.server.requests if asked.method not in ("GET", "HEAD")]
