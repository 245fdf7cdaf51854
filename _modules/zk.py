"""
What the servers of a ZooKeeper ensemble say. Called zk, as Salt up to 3007 has a module ``zookeeper``.
"""

import importlib
import re
import socket
import time
from collections.abc import Mapping

import _mesos_http
from salt.exceptions import SaltInvocationError

# A minion that has had this module before still has the older helper in memory.
importlib.reload(_mesos_http)

MAX_BYTES = 65536
MODES = ("leader", "follower", "observer", "standalone")


def ensemble(servers=None, port=None, timeout=5):
    """
    Ask each server of an ensemble what it is at the moment.

    servers
        Addresses by id: ``{1: 10.0.0.1, 2: 10.0.0.2}``. If not given those of pillar ``zookeeper:servers``, and if
        there are none the server on this host, as 1.

    port
        Port for clients. If not given that of pillar ``zookeeper:client_port``, else 2181.

    timeout
        Seconds for each server; all are asked at the same time.

    Returns for each id its ``address``, its ``mode`` and an ``error``, else None. The mode is ``leader``, ``follower``,
    ``observer`` or ``standalone``; ``not serving`` for a server that answers and has no quorum; ``unreachable``.
    Asked is ``srvr``, the one command of four letters that every version answers without being told to allow it.
    Raises SaltInvocationError for arguments that make no sense.

    CLI Example:

    .. code-block:: bash

        salt-call zk.ensemble
        salt-call zk.ensemble servers='{1: 10.0.0.1, 2: 10.0.0.2, 3: 10.0.0.3}'
    """
    configured = __pillar__.get("zookeeper")
    configured = configured if isinstance(configured, Mapping) else {}
    servers = _servers(servers or configured.get("servers") or {1: "127.0.0.1"})
    port = port if port is not None else configured.get("client_port") or 2181
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise SaltInvocationError(f"port: {port!r} is no port")
    timeout = _mesos_http.seconds(timeout)
    return _mesos_http.together(lambda address: _ask(address, port, timeout), servers)


def _servers(given):
    """Return ids as numbers and their addresses. Raises SaltInvocationError if there is anything else in it."""
    if not isinstance(given, Mapping):
        raise SaltInvocationError(
            "servers: should be addresses by id, such as {1: 10.0.0.1, 2: 10.0.0.2}"
        )
    found = {}
    for number, address in given.items():
        if not re.fullmatch("[1-9][0-9]{0,2}", str(number)) or int(number) > 255:
            raise SaltInvocationError(
                f"servers: {number!r} is no id. An id is a number from 1 to 255"
            )
        if not isinstance(address, str) or not re.fullmatch("[!-~]+", address):
            raise SaltInvocationError(f"servers: {number}: {address!r} is no address")
        found[int(number)] = address
    return found


def _ask(address, port, timeout):
    """Return address, mode and error of one server."""
    try:
        text = _four_letters(address, port, timeout)
    except (OSError, UnicodeError) as error:
        return {
            "address": address,
            "mode": "unreachable",
            "error": _mesos_http.reason(error, timeout),
        }
    match = re.search("^Mode: *(.+?) *$", text, re.MULTILINE)
    if match and match[1] in MODES:
        return {"address": address, "mode": match[1], "error": None}
    if not text.strip():
        return {
            "address": address,
            "mode": "unreachable",
            "error": "closed the connection without an answer",
        }
    return {
        "address": address,
        "mode": "not serving",
        "error": match[0] if match else _mesos_http.first_line(text),
    }


def _four_letters(address, port, timeout):
    """Say ``srvr`` and return the answer, at most 64 KiB of it; the server closes the connection when it is done."""
    deadline = time.monotonic() + timeout
    with socket.create_connection((address, port), timeout) as connection:
        connection.sendall(b"srvr")
        said = b""
        while len(said) < MAX_BYTES:
            connection.settimeout(_mesos_http.left(deadline))
            chunk = connection.recv(4096)
            if not chunk:
                break
            said += chunk
    return said.decode("utf-8", "replace")
