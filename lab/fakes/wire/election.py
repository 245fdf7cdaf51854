"""Leader election: the candidate that joined its group first leads until it leaves.

``ZooKeeperGroup`` elects in ZooKeeper as the real daemons do. ``MemoryGroup`` elects in memory, for
unit tests.
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

# The daemons themselves report that ZooKeeper cannot be reached; in tests this is common.
logging.getLogger("kazoo").setLevel(logging.CRITICAL)

# Pairs of node name and candidate data, the leader first.
Members = list[tuple[str, bytes]]


class Group(Protocol):
    """Interface of a group: its members (empty if disconnected) and the node of this daemon."""

    members: Members
    node: str | None

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def load(self) -> bytes: ...

    def store(self, data: bytes) -> None: ...


def leader(group: Group) -> bytes | None:
    """Return the data of the leader, None if there is no leader."""
    return group.members[0][1] if group.members else None


def leads(group: Group) -> bool:
    """Return whether the node of this daemon is the first."""
    return bool(group.members) and group.members[0][0] == group.node


class ZooKeeperUrl(NamedTuple):
    """The parts of ``zk://[user:password@]host1:port1,host2:port2/path``."""

    hosts: str
    path: str
    login: str | None

    @classmethod
    def parse(cls, url: str) -> ZooKeeperUrl:
        """Parse a URL. Raises ValueError if it does not begin with ``zk://``."""
        if not url.startswith("zk://"):
            raise ValueError("Expecting 'zk://' at the beginning of the URL")
        servers, _, path = url.removeprefix("zk://").partition("/")
        login, _, hosts = servers.rpartition("@")
        return cls(hosts, "/" + path.strip("/"), urllib.parse.unquote(login) or None)


class ZooKeeperGroup:
    """
    A group below a path in ZooKeeper: one ephemeral sequential node for each candidate.

    url
        The ZooKeeper servers and the path of the group.

    prefix
        Prefix of this daemon's node name, such as ``json.info_``.

    like
        Text that the names of all members contain, the prefix if None. Other children of the path
        are not members.

    data
        Content of this daemon's node. None watches the group without joining it.

    changed
        Called from the group's thread whenever the members change. When the session expires the
        group becomes empty; the daemon joins again once ZooKeeper is back.

    timeout
        Session timeout in seconds.

    The lowest sequence number leads, whatever the rest of the node name is. ``load`` and ``store``
    keep one record for the group outside its path. It replaces the replicated log.
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
        """Connect in a thread, with retries."""
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Leave the group."""
        self._stopped.set()
        self._wake.set()
        self._close()

    def load(self) -> bytes:
        """Return the group's record, empty if there is none. KazooException without ZooKeeper."""
        with contextlib.suppress(NoNodeError):
            return self._connected().get(self._record)[0]
        return b""

    def store(self, data: bytes) -> None:
        """Replace the group's record. KazooException without ZooKeeper."""
        client = self._connected()
        client.ensure_path(self._record)
        client.set(self._record, data)

    def _connected(self) -> KazooClient:
        if not self._client:
            raise ConnectionLoss
        return self._client

    @property
    def _record(self) -> str:
        return "/lab-fakes" + self.url.path

    def _run(self) -> None:
        """Connect, join and watch until the session is lost, then start again."""
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                self._connect()
                self._watch()
            except KazooException:  # the connection was lost
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
        # A server that is starting may drop the first request. kazoo would then wait for the
        # response for a whole session timeout.
        if not connected.wait(3) or self._stopped.is_set():
            raise KazooException("no answer")
        client.ensure_path(self.url.path)
        if self.data is not None:
            created = client.create(
                f"{self.url.path}/{self.prefix}", self.data, ephemeral=True, sequence=True
            )
            self.node = created.rpartition("/")[2]

    def _watch(self) -> None:
        """Update the members until the session is lost or the session timeout passes."""
        client = self._client
        connected_at = time.monotonic()
        while not self._stopped.is_set() and client:
            self._wake.clear()
            if client.state == KazooState.CONNECTED:
                connected_at = time.monotonic()
                with contextlib.suppress(ConnectionLoss):
                    self._read_members(client)
                    self._wake.wait()
                    connected_at = time.monotonic()
            elif client.state == KazooState.LOST or time.monotonic() > connected_at + self.timeout:
                return
            else:
                self._wake.wait(0.2)

    def _read_members(self, client: KazooClient) -> None:
        """Read the members, and set a watch that wakes this thread when they change."""
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
            ending.join(1)  # takes longer only if the server does not respond


def _end(client: KazooClient) -> None:
    with contextlib.suppress(KazooException, OSError):  # the server does not respond
        client.stop()
        client.close()


class MemoryRoom:
    """The groups of one process. With a ``path``, their record is stored in that file."""

    def __init__(self, path: pathlib.Path | None = None) -> None:
        self.groups: list[MemoryGroup] = []
        self.path = path
        self.record = path.read_bytes() if path and path.exists() else b""
        self.counter = 0

    def tell(self) -> None:
        """Update the members of every group."""
        members = [
            (g.node, g.data) for g in self.groups if g.node is not None and g.data is not None
        ]
        for group in self.groups:
            group.members = list(members)
            group.changed()


class MemoryGroup:
    """A group in memory, with the interface of ``ZooKeeperGroup``."""

    def __init__(
        self, room: MemoryRoom, data: bytes | None, changed: Callable[[], None] = lambda: None
    ) -> None:
        self.room, self.data, self.changed = room, data, changed
        self.members: Members = []
        self.node: str | None = None

    def start(self) -> None:
        """Join the group."""
        if self.data is not None:
            self.node = f"{self.room.counter:010}"
            self.room.counter += 1
        self.room.groups.append(self)
        self.room.tell()

    def stop(self) -> None:
        """Leave the group."""
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
