"""
Query the servers of a ZooKeeper ensemble. Called zk, since Salt up to 3007 has a module
``zookeeper``.
"""

import importlib
import re
import socket
import time
from collections.abc import Mapping

import _http_client
import _http_settings
import _text
from salt.exceptions import SaltInvocationError

# After a sync Salt still has the old helpers in sys.modules.
importlib.reload(_text)
importlib.reload(_http_settings)
importlib.reload(_http_client)

DEFAULT_SERVERS = {1: "127.0.0.1"}
DEFAULT_PORT = 2181
MAX_BYTES = 65536
CHUNK_SIZE = 4096
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
    settings = __pillar__.get("zookeeper")
    if not isinstance(settings, Mapping):
        settings = {}
    addresses = _addresses_by_id(servers or settings.get("servers") or DEFAULT_SERVERS)
    if port is None:
        port = settings.get("client_port") or DEFAULT_PORT
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise SaltInvocationError(f"port: {port!r} is not a port")
    timeout = _http_settings.check_timeout(timeout)
    return _http_client.map_concurrently(
        lambda address: _server_status(address, port, timeout), addresses
    )


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
        response = _send_srvr(address, port, timeout)
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


def _send_srvr(address, port, timeout):
    """Send ``srvr`` and return up to 64 KiB of the response, after which the server disconnects."""
    deadline = time.monotonic() + timeout
    with socket.create_connection((address, port), timeout) as connection:
        connection.sendall(b"srvr")
        response = b""
        while len(response) < MAX_BYTES:
            connection.settimeout(_http_client.time_left(deadline))
            chunk = connection.recv(CHUNK_SIZE)
            if not chunk:
                break
            response += chunk
    return response.decode("utf-8", "replace")
