"""Registration of agents and frameworks with the leading master.

The real daemons use libprocess messages and an event stream. The fake daemons periodically post
their description to ``/fake/agents`` or ``/fake/frameworks``. The master treats a peer as
disconnected after some seconds without a post.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from .election import Group, MemoryGroup, MemoryRoom, ZooKeeperGroup, ZooKeeperUrl, leader


class Registration:
    """
    Keeps one peer registered.

    master
        ``zk://...`` or ``host:port``, the form that the flags of agents and frameworks have.

    path
        Path at the master to post to.

    describe
        Returns the description to post.

    accepted
        Called with the master's response after each successful post.

    refused
        Called with the master's message if the leader shuts this peer down (status 410).

    room
        The room of a unit test's masters, used instead of ``master``.

    beat
        Seconds between two posts.
    """

    def __init__(
        self,
        master: str,
        path: str,
        describe: Callable[[], dict[str, Any]],
        accepted: Callable[[dict[str, Any]], None],
        refused: Callable[[str], None] = lambda _text: None,
        room: MemoryRoom | None = None,
        beat: float = 2.0,
    ) -> None:
        self.master = master
        self.path = path
        self.describe = describe
        self.accepted = accepted
        self.refused = refused
        self.beat = beat
        self._wake = threading.Event()
        self._stopped = False
        self._group: Group | None = None
        if room:
            self._group = MemoryGroup(room, None, self._wake.set)
        elif master.startswith("zk://"):
            self._group = ZooKeeperGroup(
                ZooKeeperUrl.parse(master), "json.info_", None, self._wake.set
            )

    def start(self) -> None:
        """Start detecting the leader and registering with it."""
        if self._group:
            self._group.start()
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Stop registering without notifying the master."""
        self._stopped = True
        self._wake.set()
        if self._group:
            self._group.stop()

    def wake(self) -> None:
        """Post immediately, as the description has changed."""
        self._wake.set()

    def leave(self) -> None:
        """Unregister from the master and stop."""
        self._stopped = True
        self.post("DELETE")
        self.stop()

    def leader(self) -> dict[str, Any] | None:
        """
        Return the MasterInfo of the leader, None without a leader.

        For a master given as ``host:port`` it only has the address.
        """
        if self._group is None:
            host, _, port = self.master.removeprefix("master@").rpartition(":")
            return {"hostname": host, "address": {"ip": host, "port": int(port)}}
        data = leader(self._group)
        return json.loads(data) if data else None

    def post(self, method: str = "POST") -> bool:
        """Post once to the leader. Returns whether it accepted."""
        info = self.leader()
        if info is None:
            return False
        request = urllib.request.Request(
            f"http://{info['address']['ip']}:{info['address']['port']}{self.path}",
            json.dumps(self.describe()).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=3) as response:
                self.accepted(json.loads(response.read()))
                return True
        except urllib.error.HTTPError as error:
            if error.code == 410:
                self.refused(error.read().decode())
        except (OSError, ValueError):
            pass  # the leader died or was not elected yet; the next beat tries again
        return False

    def _run(self) -> None:
        while not self._stopped:
            self._wake.clear()
            self._wake.wait(self.beat if self.post() else min(self.beat, 0.5))
