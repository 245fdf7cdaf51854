"""
Query the servers of a ZooKeeper ensemble. Called zk, since Salt up to 3007 has a module
``zookeeper``.
"""

import contextlib
import importlib
import json
import re
import socket
import time
from collections.abc import Mapping

import _http_client
import _http_settings
import _text
import _zookeeper_client
from salt.exceptions import CommandExecutionError, SaltInvocationError

# After a sync Salt still has the old helpers in sys.modules.
importlib.reload(_text)
importlib.reload(_zookeeper_client)
importlib.reload(_http_settings)
importlib.reload(_http_client)

DEFAULT_SERVERS = {1: "127.0.0.1"}
DEFAULT_PORT = 2181
MAX_BYTES = 65536
CHUNK_SIZE = 4096
# One znode for each server, with the list that it was started with.
LISTS_PATH = "/salt-mesos/zookeeper"
MNTR_LINE = re.compile(r"^zk_(\S+)\t(.*)$", re.MULTILINE)
MODES = ("leader", "follower", "observer", "standalone")


def ensemble(servers=None, port=None, timeout=5):
    """
    Show the mode of each server of an ensemble.

    servers
        Addresses by id: ``{1: 10.0.0.1, 2: 10.0.0.2}``. Default: pillar ``zookeeper:servers``, or
        the server on this host with the id 1.

    port
        Port for clients. Default: pillar ``zookeeper:client_port``, or 2181.

    timeout
        Seconds for each server. All servers are queried at the same time.

    Returns for each id the ``address``, the ``mode`` and the ``error``, None without one. The mode
    is ``leader``, ``follower``, ``observer`` or ``standalone``; ``not serving`` for a server that
    responds without a quorum; or ``unreachable``. Uses ``srvr``, the only four-letter command that
    every version allows by default. Raises SaltInvocationError for invalid arguments.

    CLI Example:

    .. code-block:: bash

        salt-call zk.ensemble
        salt-call zk.ensemble servers='{1: 10.0.0.1, 2: 10.0.0.2, 3: 10.0.0.3}'
    """
    addresses, port = _ensemble(servers, port)
    timeout = _http_settings.check_timeout(timeout)
    return _http_client.map_concurrently(
        lambda address: _server_status(address, port, timeout), addresses
    )


def metrics(server=None, port=None, timeout=5):
    """
    Return what a ZooKeeper server measures.

    server
        Its address. Default: that of this node in pillar ``zookeeper:servers``, or 127.0.0.1.

    port
        Port for clients. Default: pillar ``zookeeper:client_port``, or 2181.

    timeout
        Seconds for the server, default 5.

    Returns a mapping of names without ``zk_`` to numbers or text, sorted. Uses ``mntr``, which
    ZooKeeper 3.5 and later must allow (``4lw.commands.whitelist``, as the formula does). Raises
    SaltInvocationError for invalid arguments, and CommandExecutionError if the server does not
    respond, does not allow ``mntr``, or does not serve.

    CLI Example:

    .. code-block:: bash

        salt-call zk.metrics
        salt-call zk.metrics 10.0.0.1
    """
    addresses, port = _ensemble({1: server} if server else None, port)
    timeout = _http_settings.check_timeout(timeout)
    address = server or _own_address(addresses)
    try:
        response = _send_command("mntr", address, port, timeout)
    except (OSError, UnicodeError) as error:
        reason = _http_client.failure_reason(error, timeout)
        raise CommandExecutionError(f"{address}:{port}: mntr: {reason}") from None
    values = dict(MNTR_LINE.findall(response))
    if not values:
        reason = _text.first_line(response) or "closed the connection without a response"
        raise CommandExecutionError(f"{address}:{port}: mntr: {reason}")
    return {name: _number_or_text(values[name]) for name in sorted(values)}


def _own_address(addresses):
    """Return the address of the server on this node."""
    settings = __pillar__.get("zookeeper")
    myid = settings.get("myid") if isinstance(settings, Mapping) else None
    return addresses.get(myid, DEFAULT_SERVERS[1])


def _number_or_text(text):
    for parse in (int, float):
        try:
            return parse(text)
        except ValueError:
            pass
    return text


def server_lists(servers=None, port=None, timeout=10):
    """
    Show which list of servers each server of an ensemble was started with.

    The states record it while voters are added, as versions up to 3.4 do not tell. See
    ``zk.may_join``.

    servers, port
        As for ``zk.ensemble``. Any server that serves is asked.

    timeout
        Seconds to connect, default 10.

    Returns for each id the addresses by id, as text; None if no server has recorded a list. Raises
    CommandExecutionError if no server serves.

    CLI Example:

    .. code-block:: bash

        salt-call zk.server_lists
    """
    with _session(servers, port, timeout) as client:
        try:
            ids = client.children(LISTS_PATH)
        except _zookeeper_client.NoNode:
            return None
        return {server_id: _recorded_list(client, server_id) for server_id in sorted(ids)}


def record_server_list(myid, server_list, servers=None, port=None, timeout=10):
    """
    Record which list of servers a server was started with.

    myid
        The id of the server.

    server_list
        Addresses by id.

    servers, port, timeout
        As for ``zk.server_lists``.

    Returns True. Raises SaltInvocationError for invalid arguments, and CommandExecutionError if no
    server serves.

    CLI Example:

    .. code-block:: bash

        salt-call zk.record_server_list 1 '{1: 10.0.0.1, 2: 10.0.0.2, 3: 10.0.0.3}'
    """
    addresses = _addresses_by_id(server_list)
    if str(myid) not in {str(server_id) for server_id in addresses}:
        raise SaltInvocationError(f"myid: {myid!r} is not one of the servers")
    data = json.dumps(addresses, sort_keys=True).encode()
    path = f"{LISTS_PATH}/{myid}"
    with _session(servers, port, timeout) as client:
        client.ensure_path(path)
        client.set(path, data)
    return True


def _recorded_list(client, server_id):
    """Return the list of a server; none for data that somebody else wrote."""
    data, _ = client.get(f"{LISTS_PATH}/{server_id}")
    try:
        record = json.loads(data.decode())
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


@contextlib.contextmanager
def _session(servers, port, timeout):
    """Open a session with an ensemble. Errors of ZooKeeper become those of Salt."""
    addresses, port = _ensemble(servers, port)
    timeout = _http_settings.check_timeout(timeout)
    hosts = [_host_and_port(address, port) for address in addresses.values()]
    try:
        with _zookeeper_client.Client(hosts, timeout=timeout) as client:
            yield client
    except _zookeeper_client.ZooKeeperError as error:
        raise CommandExecutionError(f"ZooKeeper: {_text.first_line(str(error))}") from None
    except ValueError as error:
        raise SaltInvocationError(f"servers: {error}") from None


def _host_and_port(address, port):
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port}"


def _ensemble(servers, port):
    """Return the addresses by id and the port of arguments, which pillar completes."""
    settings = __pillar__.get("zookeeper")
    if not isinstance(settings, Mapping):
        settings = {}
    addresses = _addresses_by_id(servers or settings.get("servers") or DEFAULT_SERVERS)
    if port is None:
        port = settings.get("client_port") or DEFAULT_PORT
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise SaltInvocationError(f"port: {port!r} is not a port")
    return addresses, port


def _addresses_by_id(servers):
    """Return the addresses by id, a number. Raises SaltInvocationError for invalid ones."""
    if not isinstance(servers, Mapping):
        raise SaltInvocationError(
            "servers: should be addresses by id, such as {1: 10.0.0.1, 2: 10.0.0.2}"
        )
    addresses = {}
    for server_id, address in servers.items():
        if not re.fullmatch("[1-9][0-9]{0,2}", str(server_id)) or int(server_id) > 255:
            raise SaltInvocationError(
                f"servers: {server_id!r} is not an id. An id is a number from 1 to 255"
            )
        if not isinstance(address, str) or not re.fullmatch("[!-~]+", address):
            raise SaltInvocationError(f"servers: {server_id}: {address!r} is not an address")
        addresses[int(server_id)] = address
    return addresses


def _server_status(address, port, timeout):
    """Return the address, mode and error of a server."""
    try:
        response = _send_command("srvr", address, port, timeout)
    except (OSError, UnicodeError) as error:
        return _status(address, "unreachable", _http_client.failure_reason(error, timeout))
    match = re.search("^Mode: *(.+?) *$", response, re.MULTILINE)
    if match and match[1] in MODES:
        return _status(address, match[1])
    if not response.strip():
        return _status(address, "unreachable", "closed the connection without a response")
    return _status(address, "not serving", match[0] if match else _text.first_line(response))


def _status(address, mode, error=None):
    return {"address": address, "mode": mode, "error": error}


def _send_command(command, address, port, timeout):
    """Send four letters and return up to 64 KiB of the response. Then the server disconnects."""
    deadline = time.monotonic() + timeout
    with socket.create_connection((address, port), timeout) as connection:
        connection.sendall(command.encode())
        response = b""
        while len(response) < MAX_BYTES:
            connection.settimeout(_http_client.time_left(deadline))
            chunk = connection.recv(CHUNK_SIZE)
            if not chunk:
                break
            response += chunk
    return response.decode("utf-8", "replace")
