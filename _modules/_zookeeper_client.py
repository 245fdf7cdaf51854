"""
Client for ZooKeeper 3.4 and later, in the standard library only. A helper, not a module itself:
Salt's loader skips names that begin with ``_``.

A ``Client`` is one session. A thread pings the server, and reconnects to another one if the
connection breaks, so that the session and its ephemeral znodes survive the restart of a server.
Watches are not supported. The messages are described in ``zookeeper.jute`` of ZooKeeper's source.

See ``_http_client`` for why helpers are reloaded, and why their classes are always referred to by
module name. All errors are subclasses of ZooKeeperError.
"""

import base64
import contextlib
import hashlib
import random
import re
import socket
import struct
import threading
import time
import uuid
from typing import NamedTuple

DEFAULT_PORT = 2181
RETRY_DELAY = 0.2
CREATE_ATTEMPTS = 3
# Fractions of the session timeout. Together they leave time to reconnect before it is over.
PING_INTERVAL = 1 / 4
REPLY_TIMEOUT = 1 / 3
# ZooKeeper limits the data of a znode to 1 MiB, but not a list of children.
MAX_REPLY_BYTES = 16 * 1024 * 1024

READ, WRITE, CREATE, DELETE, ADMIN = 1, 2, 4, 8, 16
ALL_PERMISSIONS = 31
ANY_VERSION = -1

# The types of requests, and the numbers of those that are not counted.
OP_CREATE, OP_DELETE, OP_EXISTS, OP_GET, OP_SET, OP_GET_ACL, OP_SET_ACL = 1, 2, 3, 4, 5, 6, 7
OP_CHILDREN, OP_SYNC, OP_PING, OP_AUTH, OP_CLOSE = 8, 9, 11, 100, -11
PING_XID, AUTH_XID = -2, -4
EPHEMERAL, SEQUENTIAL = 1, 2


# --- errors ---


class ZooKeeperError(Exception):
    """A request that failed. The message is one line."""


class NoNode(ZooKeeperError):
    """The znode, or the parent of one to create, does not exist."""


class NodeExists(ZooKeeperError):
    """The znode to create exists already."""


class NotEmpty(ZooKeeperError):
    """The znode to delete has children."""


class BadVersion(ZooKeeperError):
    """The znode has another version than the request."""


class NoAuth(ZooKeeperError):
    """The ACL of the znode does not permit the request, or the login was rejected."""


class ConnectionLoss(ZooKeeperError):
    """No server can be reached, or the connection broke: a write may have been made or not."""


class Timeout(ConnectionLoss):
    """A server did not reply in time, so that the connection was closed."""


class SessionExpired(ZooKeeperError):
    """The session is over, its ephemeral znodes are deleted, and the client is of no more use."""


SESSION_EXPIRED, SESSION_MOVED = -112, -118
ERRORS = {
    -101: (NoNode, "no such znode"),
    -102: (NoAuth, "access denied by the ACL of the znode"),
    -103: (BadVersion, "the znode was changed by another client"),
    -108: (ZooKeeperError, "an ephemeral znode cannot have children"),
    -110: (NodeExists, "the znode exists already"),
    -111: (NotEmpty, "the znode has children"),
    SESSION_EXPIRED: (SessionExpired, "the session has expired"),
    -114: (ZooKeeperError, "the ACL is not valid"),
    -115: (NoAuth, "the login was rejected"),
    SESSION_MOVED: (ConnectionLoss, "the session has moved to another server"),
}


# --- records ---


class Acl(NamedTuple):
    """Permissions of an identity: the sum of READ, WRITE, CREATE, DELETE and ADMIN."""

    permissions: int
    scheme: str
    identity: str


OPEN_ACL = (Acl(ALL_PERMISSIONS, "world", "anyone"),)


def digest_acl(username, password, permissions=ALL_PERMISSIONS):
    """Return the Acl of a user. ZooKeeper stores a hash of the name and password."""
    digest = hashlib.sha1(f"{username}:{password}".encode()).digest()
    return Acl(permissions, "digest", f"{username}:{base64.b64encode(digest).decode()}")


class Stat(NamedTuple):
    """Metadata of a znode. Times are milliseconds since 1970; the owner of most znodes is 0."""

    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    cversion: int
    aversion: int
    ephemeral_owner: int
    data_length: int
    num_children: int
    pzxid: int


STAT_FORMAT = ">qqqqiiiqiiq"


def _pack_bytes(data):
    return struct.pack(">i", len(data)) + data


def _pack_text(text):
    return _pack_bytes(text.encode())


def _pack_acl(acl):
    packed = struct.pack(">i", len(acl))
    for permissions, scheme, identity in acl:
        packed += struct.pack(">i", permissions) + _pack_text(scheme) + _pack_text(identity)
    return packed


class _Reader:
    """Reads the fields of a reply one after another."""

    def __init__(self, data):
        self._data = data
        self._offset = 0

    def unpack(self, layout):
        """Return the fields of a layout of ``struct``. Raises ConnectionLoss if one is missing."""
        try:
            fields = struct.unpack_from(layout, self._data, self._offset)
        except struct.error:
            raise ConnectionLoss("the server sent a reply that is too short") from None
        self._offset += struct.calcsize(layout)
        return fields

    def bytes(self):
        """Return the bytes of a buffer. ZooKeeper sends the length -1 for one that is null."""
        (length,) = self.unpack(">i")
        return self.unpack(f">{max(length, 0)}s")[0]

    def text(self):
        """Return a text."""
        return self.bytes().decode("utf-8", "replace")

    def acl(self):
        """Return a list of Acl."""
        (count,) = self.unpack(">i")
        return [Acl(*self.unpack(">i"), self.text(), self.text()) for _ in range(count)]

    def texts(self):
        """Return a list of texts."""
        (count,) = self.unpack(">i")
        return [self.text() for _ in range(count)]

    def stat(self):
        """Return a Stat."""
        return Stat(*self.unpack(STAT_FORMAT))


def parse_hosts(hosts):
    """
    Return a list of ``(host, port)``.

    hosts
        ``host1:2181,host2:2181``, or a list of such texts. The default port is 2181; IPv6 addresses
        stand in brackets.

    Raises ValueError for invalid ones.
    """
    texts = hosts.split(",") if isinstance(hosts, str) else hosts
    servers = []
    for text in texts:
        match = re.fullmatch(r"\s*(?:\[([\da-fA-F:.%]+)\]|([\w.-]+))(?::(\d{1,5}))?\s*", text)
        port = int(match[3] or DEFAULT_PORT) if match else 0
        if not 0 < port < 65536:
            raise ValueError(f"{text!r} is not a server. Example: 10.0.0.1:{DEFAULT_PORT}")
        servers.append((match[1] or match[2], port))
    return servers


# --- the client ---


class Client:
    """
    A session with an ensemble. A context manager, which closes the session at its end.

    hosts
        See ``parse_hosts``. The servers are tried in random order.

    timeout
        Seconds for opening the session, default 10. Each server is tried at least once, each for at
        most ``connect_timeout`` seconds, default 5.

    session_timeout
        Seconds without contact after which ZooKeeper ends the session and deletes its ephemeral
        znodes, default 30. The server may choose another value.

    login
        ``(username, password)`` for the scheme ``digest``, None for none.

    tls
        An ssl.SSLContext for the ``secureClientPort`` of the servers, None for a plain connection.

    The attributes are ``session_timeout``, as the server chose it, ``server``, the one that was
    connected to last, and ``expired``, whether ZooKeeper has said that the session is over.

    Requests reconnect if necessary, for up to the session timeout. Raises ConnectionLoss if no
    server accepts the session, NoAuth if the login is rejected, ValueError for invalid hosts.
    """

    def __init__(
        self, hosts, timeout=10, session_timeout=30, connect_timeout=5, login=None, tls=None
    ):
        self._servers = parse_hosts(hosts)
        random.shuffle(self._servers)
        self.session_timeout = session_timeout
        self.expired = False
        self._connect_timeout = connect_timeout
        self._login = login
        self._tls = tls
        self._socket = None
        self.server = None
        self._session_id, self._session_password = 0, bytes(16)
        self._last_zxid = 0
        self._last_contact = 0.0
        self._xid = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._open_session(time.monotonic() + timeout)
        threading.Thread(target=self._keep_alive, name="zookeeper-ping", daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """
        End the session. ZooKeeper deletes its ephemeral znodes at once, or, if the connection is
        broken, after the session timeout.
        """
        self._closing.set()
        with self._lock:
            if self._socket is None:
                return
            try:
                self._exchange(self._next_xid(), OP_CLOSE, b"")
            except ZooKeeperError:
                pass  # Without pings the session ends by itself.
            finally:
                self._disconnect()

    def may_have_expired(self):
        """
        Return whether ZooKeeper may have ended the session.

        That is so if it has said so, or if there was no contact for the session timeout, after
        which other clients may see the ephemeral znodes deleted.
        """
        return self.expired or time.monotonic() - self._last_contact >= self.session_timeout

    # --- znodes ---

    def create(self, path, data=b"", ephemeral=False, sequential=False, acl=OPEN_ACL):
        """
        Create a znode. Returns its path.

        path
            Such as ``/a/b``. The parent must exist, see ``ensure_path``.

        ephemeral
            Whether to delete it when the session ends.

        sequential
            Whether to append a number with ten digits, which grows with each znode of the parent.
            An ephemeral one also gets a prefix, ``_c_<uuid>-`` as in Apache Curator, by which it is
            recognized if the connection breaks before the reply. If it still is not known whether
            it exists, the client closes, so that ZooKeeper deletes it with the session.

        acl
            A list of Acl.

        Raises NodeExists, NoNode if the parent does not exist, NoAuth, and ConnectionLoss if it is
        not known whether the znode was created.
        """
        flags = 0
        if ephemeral:
            flags |= EPHEMERAL
        if sequential:
            flags |= SEQUENTIAL
        options = _pack_bytes(data) + _pack_acl(acl) + struct.pack(">i", flags)
        if not (ephemeral and sequential):
            return self._request(OP_CREATE, path, options).text()
        parent, _, name = path.rpartition("/")
        prefix = f"_c_{uuid.uuid4()}-"
        try:
            return self._create_recognizable(parent, prefix, name, options)
        except ConnectionLoss:
            self.close()
            raise

    def _create_recognizable(self, parent, prefix, name, options):
        """Create a znode with a unique prefix, unless a lost request has done so."""
        path = f"{parent}/{prefix}{name}"
        for attempt in range(CREATE_ATTEMPTS):
            try:
                return self._request(OP_CREATE, path, options).text()
            except ConnectionLoss:
                if attempt == CREATE_ATTEMPTS - 1:
                    raise
            # The new server may lag behind the one that created the znode.
            self.sync(parent or "/")
            for child in self.children(parent or "/"):
                if child.startswith(prefix):
                    return f"{parent}/{child}"

    def ensure_path(self, path, acl=OPEN_ACL):
        """Create a persistent znode without data, and its parents, unless they exist."""
        if path in ("", "/") or self.exists(path):
            return
        self.ensure_path(path.rpartition("/")[0], acl)
        try:
            self.create(path, acl=acl)
        except NodeExists:
            pass
        except ConnectionLoss:
            if not self.exists(path):
                raise

    def exists(self, path):
        """Return the Stat of a znode, None if it does not exist."""
        try:
            return self._request(OP_EXISTS, path, b"\0", repeatable=True).stat()
        except NoNode:
            return None

    def get(self, path):
        """Return the data and the Stat of a znode. Raises NoNode and NoAuth."""
        reply = self._request(OP_GET, path, b"\0", repeatable=True)
        return reply.bytes(), reply.stat()

    def children(self, path):
        """Return the names of the children of a znode in any order. Raises NoNode and NoAuth."""
        return self._request(OP_CHILDREN, path, b"\0", repeatable=True).texts()

    def set(self, path, data, version=ANY_VERSION):
        """
        Replace the data of a znode, if it has this version. Returns its Stat.

        Raises NoNode, BadVersion, NoAuth, and ConnectionLoss if it is not known whether the data
        was replaced.
        """
        options = _pack_bytes(data) + struct.pack(">i", version)
        return self._request(OP_SET, path, options).stat()

    def acl(self, path):
        """Return the list of Acl of a znode. Raises NoNode, and NoAuth from ZooKeeper 3.4.14 on."""
        return self._request(OP_GET_ACL, path, b"", repeatable=True).acl()

    def set_acl(self, path, acl):
        """Replace the list of Acl of a znode. Raises NoNode and NoAuth."""
        self._request(OP_SET_ACL, path, _pack_acl(acl) + struct.pack(">i", ANY_VERSION))

    def delete(self, path, version=ANY_VERSION):
        """
        Delete a znode, if it has this version.

        If the reply is lost, the znode is deleted again. Raises NoNode, NotEmpty, BadVersion and
        NoAuth.
        """
        options = struct.pack(">i", version)
        try:
            self._request(OP_DELETE, path, options)
        except ConnectionLoss:
            if self.may_have_expired():
                raise
            with contextlib.suppress(NoNode):
                self._request(OP_DELETE, path, options)

    def sync(self, path):
        """Wait until the server knows all that the ensemble has written before."""
        self._request(OP_SYNC, path, b"", repeatable=True)

    # --- requests ---

    def _request(self, operation, path, options, repeatable=False):
        """
        Send a request about a path. Returns a reader of the reply.

        repeatable
            Whether to send it again if the connection breaks after it was sent.
        """
        message = _pack_text(path) + options
        deadline = time.monotonic() + self.session_timeout
        while True:
            sent = False
            try:
                with self._lock:
                    self._ensure_connected()
                    sent = True
                    return self._exchange(self._next_xid(), operation, message, f"{path}: ")
            except ConnectionLoss:
                is_final = self._closing.is_set() or time.monotonic() >= deadline
                if is_final or (sent and not repeatable):
                    raise
            time.sleep(RETRY_DELAY)

    def _next_xid(self):
        self._xid += 1
        return self._xid

    def _exchange(self, xid, operation, message, context=""):
        """
        Send a request and return a reader of the reply. The caller holds the lock.

        context
            What an error message begins with.

        Raises the matching ZooKeeperError. The connection is closed if its state is unknown.
        """
        start = time.monotonic()
        try:
            self._send(struct.pack(">ii", xid, operation) + message)
            reply = self._receive()
            reply_xid, zxid, code = reply.unpack(">iqi")
            if reply_xid != xid:
                raise OSError("sent a reply to another request")
        except OSError as error:
            failure = self._failure(error)
            self._disconnect()
            raise failure from None
        except ConnectionLoss:
            self._disconnect()
            raise
        self._last_zxid = max(self._last_zxid, zxid)
        if code in (SESSION_EXPIRED, SESSION_MOVED):
            self.expired = code == SESSION_EXPIRED
            self._disconnect()
        else:
            self._last_contact = start
        if code:
            error_class, explanation = ERRORS.get(code, (ZooKeeperError, f"error {code}"))
            raise error_class(f"{context}{explanation}")
        return reply

    def _send(self, message):
        self._socket.sendall(_pack_bytes(message))

    def _receive(self):
        (length,) = struct.unpack(">i", self._receive_bytes(4))
        if not 0 <= length <= MAX_REPLY_BYTES:
            raise OSError("does not speak the protocol of ZooKeeper")
        return _Reader(self._receive_bytes(length))

    def _receive_bytes(self, length):
        data = b""
        while len(data) < length:
            chunk = self._socket.recv(length - len(data))
            if not chunk:
                raise OSError("closed the connection. It may have no quorum")
            data += chunk
        return data

    def _failure(self, error):
        """Return the ConnectionLoss for an error of the connection."""
        if isinstance(error, socket.timeout):
            return Timeout(f"{self.server}: no reply in time")
        if isinstance(error, (socket.gaierror, UnicodeError)):
            return ConnectionLoss(f"{self.server}: host name not found")
        reason = getattr(error, "verify_message", None) or error.strerror or str(error)
        return ConnectionLoss(f"{self.server}: {reason}")

    # --- connection and session ---

    def _open_session(self, deadline):
        while True:
            try:
                self._connect()
                return
            except ConnectionLoss:
                if time.monotonic() + RETRY_DELAY >= deadline:
                    raise
            time.sleep(RETRY_DELAY)

    def _ensure_connected(self):
        if self.expired:
            raise SessionExpired("the session has expired")
        if self._closing.is_set():
            raise ConnectionLoss("the session is closed")
        if self._socket is None:
            self._connect()

    def _connect(self):
        """Connect to the first server that accepts the session. The caller holds the lock."""
        reasons = []
        for server in list(self._servers):
            try:
                self._connect_to(*server)
                return
            except ConnectionLoss as failure:
                reasons.append(str(failure))
                # The next attempt begins with another server.
                self._servers.append(self._servers.pop(0))
        raise ConnectionLoss("; ".join(reasons))

    def _connect_to(self, host, port):
        timeout = min(self._connect_timeout, self.session_timeout / len(self._servers))
        self.server = f"{host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                self._socket = self._tls.wrap_socket(self._socket, server_hostname=host)
            self._start_session()
            self._authenticate()
        except (OSError, UnicodeError) as error:
            failure = self._failure(error)
            self._disconnect()
            raise failure from None
        except ZooKeeperError:
            self._disconnect()
            raise

    def _start_session(self):
        """Ask the server for a session, or to resume the one that exists."""
        start = time.monotonic()
        milliseconds = int(self.session_timeout * 1000)
        request = struct.pack(">iqiq", 0, self._last_zxid, milliseconds, self._session_id)
        # The byte at the end declines servers that are read-only.
        self._send(request + _pack_bytes(self._session_password) + b"\0")
        reply = self._receive()
        _, milliseconds, session_id = reply.unpack(">iiq")
        if milliseconds <= 0:
            self.expired = True
            raise SessionExpired("the session has expired")
        self.session_timeout = milliseconds / 1000
        self._session_id, self._session_password = session_id, reply.bytes()
        self._last_contact = start
        self._socket.settimeout(self.session_timeout * REPLY_TIMEOUT)

    def _authenticate(self):
        if self._login is not None:
            credentials = _pack_text("digest") + _pack_text(":".join(self._login))
            self._exchange(AUTH_XID, OP_AUTH, struct.pack(">i", 0) + credentials)

    def _disconnect(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _keep_alive(self):
        """Ping the server until the session is closed or expires, and reconnect if necessary."""
        delay = self.session_timeout * PING_INTERVAL
        while not self._closing.wait(delay):
            delay = self.session_timeout * PING_INTERVAL
            try:
                with self._lock:
                    self._ensure_connected()
                    self._exchange(PING_XID, OP_PING, b"")
            except Exception:  # also classes of before a reload; the thread must not end
                delay = RETRY_DELAY
            if self.expired:
                return
