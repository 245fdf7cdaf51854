"""How agents and frameworks stay registered with the leading master.

The real ones speak libprocess messages and a stream of events; the fake daemons post what they are to ``/fake/agents``
or ``/fake/frameworks``, again and again. A peer that is not heard of for some seconds is disconnected.
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
        ``zk://...`` or ``host:port``, as agents and frameworks are given it.

    path
        Where to post to.

    describe
        Returns what to post.

    accepted
        Called with the answer whenever a master took it.

    refused
        Called with the text whenever the leader wants this peer to end (status 410).

    room
        Where the masters of a unit test meet, instead of ``master``.

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
        self.master, self.path, self.describe, self.accepted, self.refused = (
            master,
            path,
            describe,
            accepted,
            refused,
        )
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
        """Begin to look for the leader and to register."""
        if self._group:
            self._group.start()
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Stop registering, without a word to the master."""
        self._stopped = True
        self._wake.set()
        if self._group:
            self._group.stop()

    def wake(self) -> None:
        """Post at once: there is news."""
        self._wake.set()

    def leave(self) -> None:
        """Tell the master good-bye, and stop."""
        self._stopped = True
        self.post("DELETE")
        self.stop()

    def leader(self) -> dict[str, Any] | None:
        """Return the leading master's MasterInfo, None if there is none; of one given as ``host:port`` just that."""
        if self._group is None:
            host, _, port = self.master.removeprefix("master@").rpartition(":")
            return {"hostname": host, "address": {"ip": host, "port": int(port)}}
        data = leader(self._group)
        return json.loads(data) if data else None

    def post(self, method: str = "POST") -> bool:
        """Tell the leader once; whether it accepted."""
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
            pass  # a leader that died or does not lead yet; there will be another beat
        return False

    def _run(self) -> None:
        while not self._stopped:
            self._wake.clear()
            self._wake.wait(self.beat if self.post() else min(self.beat, 0.5))
