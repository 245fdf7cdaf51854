"""
Turns: leases in ZooKeeper that limit how many nodes of a cluster are disrupted at the same time. A
helper of the execution modules, not a module: Salt's loader skips names that begin with ``_``.

Each class of nodes has a queue, the children of ``/salt-mesos/turns/<class>``. A node that wants a
turn creates an ephemeral, sequential znode there, and has the turn when fewer znodes than the limit
have a lower number. This needs no trust in clocks or in other nodes: a lower number can disappear,
but not appear. ZooKeeper deletes the znode of a process that dies, after the session timeout.

A node that leads a service lets the others go first: when its turn has come and another node waits,
it deletes its znode and queues again. So there is one election, not one for each node. If nodes
lead different services, the one whose election takes longest goes last, see LEADER_RANKS.

The data of a znode is JSON: ``host``, ``reason``, ``leads``, ``since`` (Unix seconds, when the
node began to wait) and ``acquired`` (when it got the turn; null while it waits).

Operators can hold a host: ``/salt-mesos/held/<host>`` is a persistent znode with ``reason``,
``since`` and ``expiry`` (Unix seconds) as JSON. A held host gets no turn.

A host that disrupts a daemon is unready until the daemon is ready again:
``/salt-mesos/unready/<class>/<host>`` is a persistent znode with ``reason`` and ``since``. It
remains after the turn if the daemon does not become ready, or if the process dies first. It counts
as a turn, so a change that breaks one host does not reach the next one. The unready host itself can
get a turn, before the others.
"""

import contextlib
import importlib
import json
import re
import time

import _text
import _zookeeper_client
from salt.exceptions import CommandExecutionError, SaltInvocationError

importlib.reload(_text)
importlib.reload(_zookeeper_client)

CONTROL_NODES = "control-nodes"
AGENTS = "agents"

TURNS_PATH = "/salt-mesos/turns"
HELD_PATH = "/salt-mesos/held"
UNREADY_PATH = "/salt-mesos/unready"
ZNODE_NAME = "turn-"

# Rank of each service. A node with a higher sum of the services that it leads gets its turn later.
LEADER_RANKS = {"zookeeper": 1, "chronos": 2, "marathon": 4, "mesos": 8}

# Seconds that a leader waits for others to queue, since they do not all start at the same time.
LEADER_DELAY = 10
POLL_INTERVAL = 0.5
PROGRESS_INTERVAL = 10
# Longer than an election of ZooKeeper, so that a turn survives one.
SESSION_TIMEOUT = 30
CONNECT_TIMEOUT = 10
WRITE_ATTEMPTS = 3
# Seconds that an unready host has to queue when the states are applied to all hosts.
UNREADY_TIMEOUT = 60


class TurnError(CommandExecutionError):
    """ZooKeeper cannot be reached, or refuses a request for a turn."""


class TurnTimeout(TurnError):
    """The turn did not come within the timeout."""


class TurnLost(TurnError):
    """The znode of a turn, or of a node that waits, was deleted."""


class HostHeld(TurnError):
    """An operator holds the host."""


class PeerUnready(TurnError):
    """Unready hosts that do not wait for a turn themselves have reached the limit."""


class Turns:
    """
    The turns of a cluster, as one of its hosts uses them.

    hosts
        The ZooKeeper servers: ``10.0.0.1:2181,10.0.0.2:2181``, or a list.

    host
        The minion id of this host.

    login, tls
        See ``_zookeeper_client.Client``.

    acl
        The ACL of all znodes, default anyone.

    session_timeout
        Seconds after which the turn of a process that died is given to the next node, default 30.

    connect_timeout
        Seconds to find a server that serves, default 10.
    """

    def __init__(
        self,
        hosts,
        host,
        login=None,
        tls=None,
        acl=_zookeeper_client.OPEN_ACL,
        session_timeout=SESSION_TIMEOUT,
        connect_timeout=CONNECT_TIMEOUT,
    ):
        self._hosts = hosts
        self._host = host
        self._acl = acl
        self._options = {
            "login": login,
            "tls": tls,
            "session_timeout": session_timeout,
            "connect_timeout": connect_timeout,
        }

    def acquire(self, turn_class, limit, reason, timeout, leads=(), progress=None):
        """
        Wait for a turn of this host. Returns a Lease, to be released after the disruption.

        turn_class
            ``control-nodes`` or ``agents``.

        limit
            How many hosts of the class may have a turn at the same time, at least 1.

        reason
            What the turn is for, in a few words. Others read it while they wait.

        timeout
            Seconds to wait; 0 means not to wait.

        leads
            The services that this host leads, out of LEADER_RANKS, so that others go first; or a
            function that returns them, called before the turn is taken.

        progress
            A function, called every 10 seconds of waiting with the seconds waited so far and the
            list of ``holders``.

        Raises HostHeld, PeerUnready, TurnTimeout, TurnLost, TurnError if ZooKeeper cannot be
        reached, and SaltInvocationError for invalid arguments.
        """
        _check_class(turn_class)
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise SaltInvocationError(f"limit: {limit!r} is not a number of hosts from 1")
        with _salt_errors():
            client = self._connect()
            try:
                lease = Lease(client, turn_class, self._host, reason, leads, self._acl)
                self._wait(client, lease, limit, timeout, progress)
                return lease
            except BaseException:
                client.close()
                raise

    def holders(self, turn_class):
        """
        Return the hosts that have a turn or wait for one, in the order of their queue.

        Each is a mapping with ``host``, ``state`` (``holds`` or ``waits``), ``since`` (Unix
        seconds, of that state), ``reason`` and ``leads``. Raises TurnError.
        """
        _check_class(turn_class)
        with _salt_errors(), self._connect() as client:
            return _holders(client, turn_class)

    def hold(self, host, reason, expiry):
        """
        Keep a host from getting a turn, until a time in Unix seconds. Replaces an earlier hold.

        Raises SaltInvocationError for a time in the past, and TurnError.
        """
        path = _held_path(host)
        is_number = isinstance(expiry, (int, float)) and not isinstance(expiry, bool)
        if not is_number or expiry <= time.time():
            raise SaltInvocationError(
                f"expiry: {expiry!r} is not a time in the future, in Unix seconds"
            )
        record = {"reason": reason, "since": int(time.time()), "expiry": expiry}
        with _salt_errors(), self._connect() as client:
            client.ensure_path(HELD_PATH, self._acl)
            _write(client, path, record, self._acl)

    def release_hold(self, host):
        """Let a host get turns again. Returns whether it was held. Raises TurnError."""
        path = _held_path(host)
        with _salt_errors(), self._connect() as client:
            is_held = _hold(client, path) is not None
            with contextlib.suppress(_zookeeper_client.NoNode):
                client.delete(path)
            return is_held

    def holds(self):
        """
        Return the hosts that are held: a mapping of host to ``reason``, ``since`` and ``expiry``.

        Raises TurnError.
        """
        with _salt_errors(), self._connect() as client:
            hosts = _children(client, HELD_PATH)
            holds = {host: _hold(client, f"{HELD_PATH}/{host}") for host in hosts}
            return {host: hold for host, hold in holds.items() if hold is not None}

    def unready(self, turn_class):
        """
        Return the hosts of a class that are unready: a mapping of host to ``reason`` and ``since``.

        Raises TurnError.
        """
        _check_class(turn_class)
        with _salt_errors(), self._connect() as client:
            return _unready(client, turn_class)

    def set_ready(self, host):
        """Remove the record that a host is unready. Returns whether there was one."""
        _check_host(host)
        was_unready = False
        with _salt_errors(), self._connect() as client:
            for turn_class in _children(client, UNREADY_PATH):
                with contextlib.suppress(_zookeeper_client.NoNode):
                    client.delete(f"{UNREADY_PATH}/{turn_class}/{host}")
                    was_unready = True
        return was_unready

    # --- waiting ---

    def _wait(self, client, lease, limit, timeout, progress):
        """Queue a lease, and wait until it has its turn."""
        start = time.monotonic()
        next_progress = start + PROGRESS_INTERVAL
        blocked_since = None
        self._refuse_if_held(client)
        lease.enqueue()
        while not lease.is_first(limit, min(LEADER_DELAY, timeout) - (time.monotonic() - start)):
            waited = time.monotonic() - start
            if not lease.blocking_hosts:
                blocked_since = None
            elif blocked_since is None:
                blocked_since = waited
            if waited >= timeout or self._is_blocked(blocked_since, waited):
                self._refuse_if_blocked(client, lease)
                raise TurnTimeout(self._timeout_message(client, lease, timeout))
            if progress is not None and time.monotonic() >= next_progress:
                next_progress += PROGRESS_INTERVAL
                progress(waited, _holders(client, lease.turn_class))
            time.sleep(min(POLL_INTERVAL, timeout - waited))
        self._refuse_if_held(client)
        lease.confirm(time.monotonic() - start)

    @staticmethod
    def _is_blocked(blocked_since, waited):
        return blocked_since is not None and waited - blocked_since >= UNREADY_TIMEOUT

    @staticmethod
    def _refuse_if_blocked(client, lease):
        if not lease.blocking_hosts:
            return
        unready = _unready(client, lease.turn_class)
        reasons = [
            f"{host} has not been ready since {_utc(unready[host].get('since'))} "
            f"({unready[host].get('reason')})"
            for host in lease.blocking_hosts
            if host in unready
        ]
        if reasons:
            raise PeerUnready(
                f"{lease.turn_class}: {', '.join(reasons)}. Apply the states there first. "
                "If a host will not return, remove its record with cluster.release"
            )

    def _refuse_if_held(self, client):
        hold = _hold(client, _held_path(self._host))
        if hold is not None:
            end = f"until {_utc(hold['expiry'])}" if hold["expiry"] else "until it is released"
            raise HostHeld(f"{self._host} is held {end}: {hold['reason']}")

    def _timeout_message(self, client, lease, timeout):
        holders = [
            f"{entry['host']} since {_utc(entry['since'])} ({entry['reason']})"
            for entry in _holders(client, lease.turn_class)
            if entry["state"] == "holds"
        ]
        message = f"{lease.turn_class}: {self._host} did not get a turn within {timeout:g} seconds"
        return f"{message}. Current holders: {', '.join(holders)}" if holders else message

    # --- ZooKeeper ---

    def _connect(self):
        try:
            return _zookeeper_client.Client(self._hosts, **self._options)
        except ValueError as error:
            raise SaltInvocationError(f"hosts: {error}") from None


class Lease:
    """
    A turn, or a place in its queue. Made by ``Turns.acquire``. A context manager, which releases
    the turn at its end.

    Attributes: ``turn_class``; ``waited``, in seconds; ``waited_for``, the hosts that had the turn
    during that time; ``blocking_hosts``, the unready hosts that keep this host from its turn.
    """

    def __init__(self, client, turn_class, host, reason, leads, acl):
        self.turn_class = turn_class
        self.waited = 0.0
        self.waited_for = []
        self.blocking_hosts = []
        self._client = client
        self._acl = acl
        self._directory = f"{TURNS_PATH}/{turn_class}"
        self._name = None
        self._data = {
            "host": host,
            "reason": reason,
            "leads": [],
            "since": int(time.time()),
            "acquired": None,
        }
        self._find_leads = leads if callable(leads) else lambda: leads
        self._noted_names = set()
        self._released = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()

    def lost(self):
        """
        Return whether another host may have this turn by now.

        That is so if the session has expired, if there was no contact to ZooKeeper for the session
        timeout, or if the znode was deleted. A connection that broke and was restored in time does
        no harm. May take as long as the session timeout if ZooKeeper does not respond.
        """
        try:
            return self._client.exists(self._path) is None
        except _zookeeper_client.SessionExpired:
            return True
        except _zookeeper_client.ZooKeeperError:
            # No pings keep the session alive after a release.
            return self._released or self._client.may_have_expired()

    def release(self):
        """
        Give the turn back. May be called more than once.

        If ZooKeeper does not respond, the turn ends with the session, after the session timeout.
        """
        self._released = True
        with contextlib.suppress(_zookeeper_client.ZooKeeperError):
            self._client.delete(self._path)
        self._client.close()

    def set_unready(self, reason):
        """Record that the host is about to be disrupted. Repeatable. Raises TurnError."""
        directory = f"{UNREADY_PATH}/{self.turn_class}"
        record = {"reason": reason, "since": int(time.time())}
        with _salt_errors():
            self._client.ensure_path(directory, self._acl)
            _write(self._client, f"{directory}/{self._data['host']}", record, self._acl)

    # --- for Turns ---

    @property
    def _path(self):
        return f"{self._directory}/{self._name}"

    def enqueue(self):
        """Create the znode at the end of the queue."""
        self._data["leads"] = list(self._find_leads())
        self._client.ensure_path(self._directory, self._acl)
        path = self._client.create(
            f"{self._directory}/{ZNODE_NAME}",
            _encode(self._data),
            ephemeral=True,
            sequential=True,
            acl=self._acl,
        )
        self._name = path.rpartition("/")[2]

    def is_first(self, limit, leader_delay):
        """
        Return whether the turn has come.

        A host that leads a service queues again if a host with a lower rank waits behind it, and
        takes no turn while ``leader_delay``, in seconds, is above 0. Raises TurnLost.
        """
        queue = _queue(self._client, self.turn_class)
        if self._name not in queue:
            raise TurnLost(
                f"{self.turn_class}: the znode {self._path} was deleted while "
                f"{self._data['host']} waited for its turn"
            )
        position = queue.index(self._name)
        ahead = [name for name in queue[:position] if not self._is_own(name)]
        if len(ahead) >= limit:
            self._note_holders(ahead[:limit])
            return False
        waiting = queue[position + 1 :]
        self.blocking_hosts = self._find_blocking_hosts(ahead, limit)
        if self.blocking_hosts:
            if self._blocks(waiting, self.blocking_hosts):
                self._queue_again()
            return False
        # This host may have become a leader while others were restarted.
        self._data["leads"] = list(self._find_leads())
        if not self._blocks_lower_ranks(queue[limit:]):
            return leader_delay <= 0 or _rank(self._data) == 0
        self._queue_again()
        return False

    def _is_own(self, name):
        """Return whether a znode is from an earlier run of this host that has not expired yet."""
        entry = _read(self._client, f"{self._directory}/{name}")
        return entry is None or entry.get("host") == self._data["host"]

    def _find_blocking_hosts(self, names, limit):
        """
        Return the unready hosts that keep this host from its turn.

        Together with the hosts of the znodes ahead, ``names``, they reach the limit.
        """
        unready = _unready(self._client, self.turn_class)
        if self._data["host"] in unready:
            return []
        holders = {entry.get("host") for entry in self._entries(names)}
        absent_hosts = sorted(set(unready) - holders)
        return absent_hosts if len(names) + len(absent_hosts) >= limit else []

    def _queue_again(self):
        with contextlib.suppress(_zookeeper_client.NoNode):
            self._client.delete(self._path)
        self.enqueue()

    def confirm(self, waited):
        """Record that the turn was taken."""
        self.waited = waited
        self._data["acquired"] = int(time.time())
        for attempt in range(WRITE_ATTEMPTS):
            try:
                self._client.set(self._path, _encode(self._data))
                return
            except _zookeeper_client.NoNode:
                raise TurnLost(f"{self.turn_class}: the znode {self._path} was deleted") from None
            except _zookeeper_client.ConnectionLoss:
                if attempt == WRITE_ATTEMPTS - 1:
                    raise

    def _blocks_lower_ranks(self, names):
        """Return whether one of the znodes belongs to a waiting host with a lower rank."""
        rank = _rank(self._data)
        return rank > 0 and any(
            _rank(entry) < rank and not entry.get("acquired") for entry in self._entries(names)
        )

    def _blocks(self, names, hosts):
        """Return whether one of the znodes belongs to one of the hosts."""
        return any(entry.get("host") in hosts for entry in self._entries(names))

    def _entries(self, names):
        entries = [_read(self._client, f"{self._directory}/{name}") for name in names]
        return [entry for entry in entries if entry]

    def _note_holders(self, names):
        """Remember which hosts had a turn while this one waited. Each znode is noted once."""
        for name in names:
            if name in self._noted_names:
                continue
            entry = _read(self._client, f"{self._directory}/{name}")
            if entry is None or not entry.get("acquired"):
                continue
            self._noted_names.add(name)
            if entry.get("host") not in self.waited_for:
                self.waited_for.append(entry.get("host"))


@contextlib.contextmanager
def _salt_errors():
    """Raise errors of ZooKeeper as TurnError."""
    try:
        yield
    except _zookeeper_client.ZooKeeperError as error:
        raise TurnError(f"ZooKeeper: {_text.first_line(str(error))}") from None


# --- znodes ---


def _check_class(turn_class):
    if not isinstance(turn_class, str) or not re.fullmatch("[a-z][a-z0-9-]*", turn_class):
        raise SaltInvocationError(
            f"class: {turn_class!r} is not a class of nodes such as {CONTROL_NODES} or {AGENTS}"
        )


def _check_host(host):
    if not isinstance(host, str) or not re.fullmatch(r"(?!\.{1,2}$)[!-.0-~]+", host):
        raise SaltInvocationError(f"host: {host!r} is not a minion id")


def _held_path(host):
    _check_host(host)
    return f"{HELD_PATH}/{host}"


def _children(client, path):
    try:
        return sorted(client.children(path))
    except _zookeeper_client.NoNode:
        return []


def _unready(client, turn_class):
    directory = f"{UNREADY_PATH}/{turn_class}"
    hosts = _children(client, directory)
    records = {host: _read(client, f"{directory}/{host}") for host in hosts}
    return {host: record for host, record in records.items() if record is not None}


def _queue(client, turn_class):
    """Return the names of the znodes of a class in the order of their numbers."""
    names = _children(client, f"{TURNS_PATH}/{turn_class}")
    return sorted((name for name in names if re.search(r"\d{10}$", name)), key=_number)


def _number(name):
    return int(name[-10:])


def _holders(client, turn_class):
    holders = []
    for name in _queue(client, turn_class):
        entry = _read(client, f"{TURNS_PATH}/{turn_class}/{name}")
        if entry is None:
            continue
        acquired = entry.get("acquired")
        holders.append(
            {
                "host": entry.get("host", "unknown"),
                "state": "holds" if acquired else "waits",
                "since": acquired or entry.get("since"),
                "reason": entry.get("reason", ""),
                "leads": entry.get("leads") or [],
            }
        )
    return holders


def _rank(entry):
    leads = entry.get("leads")
    return sum(LEADER_RANKS.get(service, 0) for service in leads) if leads else 0


def _hold(client, path):
    """Return ``reason``, ``since`` and ``expiry`` of a hold; None if there is none in force."""
    record = _read(client, path)
    if record is None:
        return None
    hold = {"reason": "", "since": None, "expiry": None, **record}
    if isinstance(hold["expiry"], (int, float)) and hold["expiry"] <= time.time():
        return None
    return hold


def _read(client, path):
    """
    Return the mapping in a znode, None without the znode.

    Data that is not a JSON mapping, which an operator may have written, becomes the ``reason``.
    """
    try:
        text = client.get(path)[0].decode("utf-8", "replace")
    except _zookeeper_client.NoNode:
        return None
    try:
        record = json.loads(text)
    except ValueError:
        record = None
    return record if isinstance(record, dict) else {"reason": _text.first_line(text)}


def _write(client, path, record, acl):
    """Write a mapping to a znode, which is created if it does not exist."""
    for attempt in range(WRITE_ATTEMPTS):
        try:
            if client.exists(path):
                client.set(path, _encode(record))
            else:
                client.create(path, _encode(record), acl=acl)
            return
        except (
            _zookeeper_client.ConnectionLoss,
            _zookeeper_client.NodeExists,
            _zookeeper_client.NoNode,
        ):
            if attempt == WRITE_ATTEMPTS - 1:
                raise


def _encode(record):
    return json.dumps(record, sort_keys=True).encode()


def _utc(seconds):
    """Return a time as text for messages. Data written by hand may have none."""
    if not isinstance(seconds, (int, float)):
        return "an unknown time"
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
