"""Who leads: a group of candidates, of whom the one that joined first leads until it is gone.

``ZooKeeperGroup`` keeps it in ZooKeeper as the real daemons do, ``MemoryGroup`` in the process, for unit tests.
"""

from __future__ import annotations

import contextlib
import logging
import pathlib
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import NamedTuple, Protocol

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import ConnectionLoss, KazooException, NoNodeError
from kazoo.security import make_acl, make_digest_acl

logging.getLogger("kazoo").setLevel(
    logging.CRITICAL
)  # an absent ZooKeeper is ordinary here, and said by the daemons

Members = list[
    tuple[str, bytes]
]  # (node name, what the candidate says of itself), the leader first


class Group(Protocol):
    """What a daemon needs of its group: the members, none where the group cannot be seen, and its own entry."""

    members: Members
    node: str | None

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def load(self) -> bytes: ...

    def store(self, data: bytes) -> None: ...


def leader(group: Group) -> bytes | None:
    """What the leader says of itself, None if there is none."""
    return group.members[0][1] if group.members else None


def leads(group: Group) -> bool:
    """Whether the own entry is the first."""
    return bool(group.members) and group.members[0][0] == group.node


class ZooKeeperUrl(NamedTuple):
    """The parts of ``zk://[user:password@]host1:port1,host2:port2/path``."""

    hosts: str
    path: str
    login: str | None

    @classmethod
    def parse(cls, url: str) -> ZooKeeperUrl:
        """Take a URL apart; ValueError if it is none."""
        if not url.startswith("zk://"):
            raise ValueError("Expecting 'zk://' at the beginning of the URL")
        servers, _, path = url.removeprefix("zk://").partition("/")
        login, _, hosts = servers.rpartition("@")
        return cls(hosts, "/" + path.strip("/"), urllib.parse.unquote(login) or None)


class ZooKeeperGroup:
    """
    A group below a path in ZooKeeper: one ephemeral node with a number for each candidate.

    url
        Where ZooKeeper is; the path in it is the group's.

    prefix
        How the own node's name begins, such as ``json.info_``.

    like
        What the names of all members contain (None: the prefix); other children of the path are no members.

    data
        What to join with; None only looks on.

    changed
        Called, from a thread of the group's own, whenever members came or went. Losing ZooKeeper for longer than
        the session lasts empties the group; the own entry is then gone too, and joins anew when ZooKeeper is back.

    timeout
        Of the session, in seconds.

    The number decides, not the name. ``load`` and ``store`` keep one record for the group outside its path: the
    fake daemons' substitute for the replicated log.
    """

    def __init__(
        self,
        url: ZooKeeperUrl,
        prefix: str,
        data: bytes | None,
        changed: Callable[[], None] = lambda: None,
        timeout: float = 10.0,
        like: str | None = None,
    ) -> None:
        self.url, self.prefix, self.data, self.changed, self.timeout = (
            url,
            prefix,
            data,
            changed,
            timeout,
        )
        self.like = prefix if like is None else like
        self.members: Members = []
        self.node: str | None = None
        self._client: KazooClient | None = None
        self._wake = threading.Event()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to connect, and keep trying."""
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Leave the group."""
        self._stopped.set()
        self._wake.set()
        self._close()

    def load(self) -> bytes:
        """Return the group's record, empty if there is none."""
        if client := self._client:
            with contextlib.suppress(NoNodeError):
                return client.get(self._record)[0]
        return b""

    def store(self, data: bytes) -> None:
        """Replace the group's record."""
        if client := self._client:
            client.ensure_path(self._record)
            client.set(self._record, data)

    @property
    def _record(self) -> str:
        return "/lab-fakes" + self.url.path

    def _run(self) -> None:
        """Connect, join, look on until the session is lost; then all over again."""
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                self._connect()
                self._watch()
            except KazooException:  # ZooKeeper went away in the middle
                self._stopped.wait(0.5)
            self._close()
            self.node = None
            if self.members:
                self.members = []
                self.changed()

    def _connect(self) -> None:
        client = KazooClient(
            self.url.hosts, timeout=self.timeout, connection_retry={"max_tries": -1, "max_delay": 1}
        )
        if self.url.login:
            user, _, password = self.url.login.partition(":")
            client.add_auth("digest", self.url.login)
            client.default_acl = [
                make_digest_acl(user, password, all=True),
                make_acl("world", "anyone", read=True),
            ]
        self._client = client
        client.add_listener(lambda _state: self._wake.set())
        connected = client.start_async()
        # A server that just starts may swallow the first words, and kazoo would wait for an answer all session long.
        if not connected.wait(3) or self._stopped.is_set():
            raise KazooException("no answer")
        client.ensure_path(self.url.path)
        if self.data is not None:
            created = client.create(
                f"{self.url.path}/{self.prefix}", self.data, ephemeral=True, sequence=True
            )
            self.node = created.rpartition("/")[2]

    def _watch(self) -> None:
        """Follow the members until the session is over, or ZooKeeper was away for as long as a session lasts."""
        client = self._client
        seen = time.monotonic()
        while not self._stopped.is_set() and client:
            self._wake.clear()
            if client.state == KazooState.CONNECTED:
                seen = time.monotonic()
                with contextlib.suppress(ConnectionLoss):
                    self._look(client)
                    self._wake.wait()
                    seen = time.monotonic()
            elif client.state == KazooState.LOST or time.monotonic() > seen + self.timeout:
                return
            else:
                self._wake.wait(0.2)

    def _look(self, client: KazooClient) -> None:
        """See who the members are now, and be woken when that changes."""
        names = client.get_children(self.url.path, watch=lambda _event: self._wake.set())
        members: Members = []
        for name in sorted(names, key=lambda name: name[-10:]):
            if self.like in name and name[-10:].isdigit():
                with contextlib.suppress(NoNodeError):
                    members.append((name, client.get(f"{self.url.path}/{name}")[0]))
        if members != self.members:
            self.members = members
            self.changed()

    def _close(self) -> None:
        client, self._client = self._client, None
        if client:
            ending = threading.Thread(target=_end, args=(client,), daemon=True)
            ending.start()
            ending.join(1)  # more than it takes, but for a server that does not answer


def _end(client: KazooClient) -> None:
    client.stop()
    client.close()


class MemoryRoom:
    """Where candidates meet who share a process. With a path their record outlives it, in that file."""

    def __init__(self, path: pathlib.Path | None = None) -> None:
        self.groups: list[MemoryGroup] = []
        self.path = path
        self.record = path.read_bytes() if path and path.exists() else b""
        self.counter = 0

    def tell(self) -> None:
        """Show every group its members."""
        members = [
            (g.node, g.data) for g in self.groups if g.node is not None and g.data is not None
        ]
        for group in self.groups:
            group.members = list(members)
            group.changed()


class MemoryGroup:
    """A group in the memory of the process; what it means stands at ``ZooKeeperGroup``."""

    def __init__(
        self, room: MemoryRoom, data: bytes | None, changed: Callable[[], None] = lambda: None
    ) -> None:
        self.room, self.data, self.changed = room, data, changed
        self.members: Members = []
        self.node: str | None = None

    def start(self) -> None:
        """Join."""
        if self.data is not None:
            self.node = f"{self.room.counter:010}"
            self.room.counter += 1
        self.room.groups.append(self)
        self.room.tell()

    def stop(self) -> None:
        """Leave."""
        if self in self.room.groups:
            self.room.groups.remove(self)
            self.node, self.members = None, []
            self.room.tell()

    def load(self) -> bytes:
        """Return the group's record, empty if there is none."""
        return self.room.record

    def store(self, data: bytes) -> None:
        """Replace the group's record."""
        self.room.record = data
        if self.room.path:
            self.room.path.write_bytes(data)
