"""
Query the servers of a ZooKeeper ensemble, and export and import its znodes. Called zk, since Salt
up to 3007 has a module ``zookeeper``.
"""

import base64
import contextlib
import importlib
import json
import os
import re
import socket
import time
from collections.abc import Mapping

import _arguments
import _http_client
import _http_settings
import _text
import _zookeeper_client
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_text)
importlib.reload(_arguments)
importlib.reload(_zookeeper_client)
importlib.reload(_http_settings)
importlib.reload(_http_client)

DEFAULT_SERVERS = {1: "127.0.0.1"}
DEFAULT_PORT = 2181
MAX_BYTES = 65536
SESSION_POLL_INTERVAL = 1  # seconds
MAX_SESSION_TIMEOUT = 3600
CHUNK_SIZE = 4096
# One znode for each server, with the list that it was started with.
LISTS_PATH = "/salt-mesos/zookeeper"
# ZooKeeper's own znodes: it writes them itself, and refuses others.
SYSTEM_PATH = "/zookeeper"
# Data and znodes of one answer of zk.export. Salt cuts answers of more than 1 MiB.
EXPORT_BYTES = 256 * 1024
EXPORT_ZNODES = 2000
# The settings of daemons that may have a user and a password for the znodes.
LOGIN_SETTINGS = (("marathon", "zk"), ("mesos", "zk"))
LOGIN = re.compile(r"zk://(?P<username>[^:/@]+):(?P<password>[^@/]+)@")
MNTR_LINE = re.compile(r"^zk_(\S+)\t(.*)$", re.MULTILINE)
CONF_LINE = re.compile(r"^([\w.]+)=(.*)$", re.MULTILINE)
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
    values = _values("mntr", MNTR_LINE, server, port, timeout)
    return {name: _number_or_text(values[name]) for name in sorted(values)}


def options(server=None, port=None, timeout=5):
    """
    Return the options that a ZooKeeper server runs with, as far as it reports them.

    server, port, timeout
        As for ``zk.metrics``.

    Returns a mapping of names as in ``zoo.cfg`` to texts, sorted. ``dataDir`` and ``dataLogDir``
    end with ``/version-2``. A server of an ensemble lists the servers from 3.5 on. Uses ``conf``,
    which ZooKeeper 3.5 and later must allow (``4lw.commands.whitelist``, as the formula does).
    Raises as ``zk.metrics`` does.

    CLI Example:

    .. code-block:: bash

        salt-call zk.options
    """
    values = _values("conf", CONF_LINE, server, port, timeout)
    return {name: values[name] for name in sorted(values)}


def _values(command, pattern, server, port, timeout):
    """Return the values by name in the response of a server to a four-letter command."""
    addresses, port = _ensemble({1: server} if server else None, port)
    timeout = _http_settings.check_timeout(timeout)
    address = server or _own_address(addresses)
    try:
        response = _send_command(command, address, port, timeout)
    except (OSError, UnicodeError) as error:
        reason = _http_client.failure_reason(error, timeout)
        raise CommandExecutionError(f"{address}:{port}: {command}: {reason}") from None
    values = dict(pattern.findall(response))
    if not values:
        reason = _text.first_line(response) or "closed the connection without a response"
        raise CommandExecutionError(f"{address}:{port}: {command}: {reason}")
    return values


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


# --- znodes ---


def export(path="/", start=None, servers=None, port=None, timeout=10):
    """
    Read persistent znodes with their data and ACLs, a page at a time.

    path
        The znode to begin with, and all below it. Default ``/``: all but those below
        ``/zookeeper``, which ZooKeeper writes itself.

    start
        The last path of the previous page. Default: the first page.

    servers, port, timeout
        As for ``zk.server_lists``.

    Returns ``znodes``, parents before children: a list of ``path``, ``data`` (base64) and ``acl``
    (a list of permissions, scheme and identity); ``next``, the ``start`` of the next page, None at
    the end; ``ephemeral``, the paths of ephemeral znodes, which are not exported; and ``denied``,
    the paths that an ACL protects. A page ends after 256 KiB of data or 2000 znodes. Pages are not
    a snapshot: what clients write in between may be in it or not. Uses the user and password of
    the settings ``marathon:zk`` or ``mesos:zk``. Raises SaltInvocationError for invalid arguments,
    CommandExecutionError if no server serves.

    CLI Example:

    .. code-block:: bash

        salt-call zk.export
        salt-call zk.export /marathon
    """
    _check_path("path", path)
    if start is not None:
        _check_path("start", start)
    page = {"znodes": [], "next": None, "ephemeral": [], "denied": []}
    size = 0
    count = 0
    with _session(servers, port, timeout, _login()) as client:
        for znode_path in _walk(client, path, _parts(start) if start else (), page["denied"]):
            size += _export_znode(client, znode_path, page)
            count += 1
            if size >= EXPORT_BYTES or count >= EXPORT_ZNODES:
                page["next"] = znode_path
                break
    return page


def put_znodes(znodes, servers=None, port=None, timeout=10):
    """
    Create znodes, or give them the data and ACLs that they have in an export.

    znodes
        A list as ``zk.export`` returns it. Parents that are missing are created without data.

    servers, port, timeout
        As for ``zk.server_lists``.

    Returns ``created`` and ``changed``, lists of paths. What is equal is not written. Raises
    SaltInvocationError for invalid arguments, CommandExecutionError if an ACL forbids it or no
    server serves.

    CLI Example:

    .. code-block:: bash

        salt-call zk.put_znodes '[{path: /imported, data: eA==, acl: [[31, world, anyone]]}]'
    """
    _arguments.require(isinstance(znodes, list), "znodes", znodes, "a list of znodes")
    decoded_znodes = [_decoded(znode) for znode in znodes]
    written = {"created": [], "changed": []}
    with _session(servers, port, timeout, _login()) as client:
        for path, data, acl in decoded_znodes:
            outcome = _put_znode(client, path, data, acl)
            if outcome:
                written[outcome].append(path)
    return written


def delete_znodes(paths, confirm=False, servers=None, port=None, timeout=10):
    """
    Delete znodes. Idempotent.

    paths
        A list of paths. Children have to be in it too.

    confirm
        Must be True.

    servers, port, timeout
        As for ``zk.server_lists``.

    Returns the list of paths that existed. Raises SaltInvocationError for invalid arguments,
    CommandExecutionError if a znode has children that are not listed, or no server serves.

    CLI Example:

    .. code-block:: bash

        salt-call zk.delete_znodes '[/imported]' confirm=True
    """
    _arguments.require(isinstance(paths, list), "paths", paths, "a list of paths")
    for path in paths:
        _check_path("paths", path)
        is_valid = path != "/" and _parts(path)[0] != _parts(SYSTEM_PATH)[0]
        _arguments.require(is_valid, "paths", path, f"neither / nor below {SYSTEM_PATH}")
    _arguments.require(confirm is True, "confirm", confirm, "True: this cannot be undone")
    deleted_paths = []
    with _session(servers, port, timeout, _login()) as client:
        for path in sorted(paths, key=_parts, reverse=True):
            with contextlib.suppress(_zookeeper_client.NoNode):
                client.delete(path)
                deleted_paths.append(path)
    return deleted_paths


def save(path, file, servers=None, port=None, timeout=10):
    """
    Save persistent znodes in a file of this node, for ``zk.restore``.

    path
        The znode to begin with, and all below it, such as ``/marathon``.

    file
        The file, which only root can read: one znode in JSON on each line. Its directory is
        created. An existing file is replaced.

    servers, port, timeout
        As for ``zk.server_lists``.

    Returns the number of znodes. Without any, nothing is written. Raises SaltInvocationError for
    invalid arguments, CommandExecutionError if an ACL protects a znode, no server serves, or the
    file cannot be written.

    CLI Example:

    .. code-block:: bash

        salt-call zk.save /marathon /var/lib/salt-mesos/marathon.jsonl
    """
    _check_file(file)
    znodes = _export_all(path, servers, port, timeout)["znodes"]
    if znodes:
        text = "".join(json.dumps(znode, sort_keys=True) + "\n" for znode in znodes)
        _replace_file(file, text)
    return len(znodes)


def restore(path, file, confirm=False, servers=None, port=None, timeout=10, session_timeout=60):
    """
    Give a path of ZooKeeper the znodes that a file has, and no others. Stop the daemons that use
    the path first.

    path
        The znode to restore, with all below it, such as ``/marathon``.

    file
        What ``zk.save`` has written. Znodes outside of ``path`` are left out.

    confirm
        Must be True.

    servers, port, timeout
        As for ``zk.server_lists``.

    session_timeout
        Seconds to wait until stopped clients have no ephemeral znode there, default 60. A client
        that was killed keeps its session for up to 40 seconds. 0: check once.

    Returns ``created``, ``changed`` and ``deleted``, lists of paths. Idempotent: after an error,
    repeat it. Raises SaltInvocationError for invalid arguments, CommandExecutionError if the file
    cannot be read or has no znode of the path, if a client still has an ephemeral znode there, if
    an ACL forbids it, or if no server serves.

    CLI Example:

    .. code-block:: bash

        salt-call zk.restore /marathon /var/lib/salt-mesos/marathon.jsonl confirm=True
    """
    _check_path("path", path)
    _check_file(file)
    _arguments.require(confirm is True, "confirm", confirm, "True: this cannot be undone")
    _arguments.require(
        type(session_timeout) in (int, float) and 0 <= session_timeout <= MAX_SESSION_TIMEOUT,
        "session_timeout",
        session_timeout,
        f"seconds from 0 to {MAX_SESSION_TIMEOUT}",
    )
    prefix = f"{path.rstrip('/')}/"
    znodes = [znode for znode in _read_znodes(file) if f"{znode['path']}/".startswith(prefix)]
    if not znodes:
        raise CommandExecutionError(f"{file}: has no znode at {path}")
    deadline = time.monotonic() + session_timeout
    current = _export_all(path, servers, port, timeout)
    while current["ephemeral"]:
        if time.monotonic() >= deadline:
            raise CommandExecutionError(
                f"{path}: a client still uses it, as {current['ephemeral'][0]} exists. Stop it "
                "first"
            )
        time.sleep(SESSION_POLL_INTERVAL)
        current = _export_all(path, servers, port, timeout)
    paths = {znode["path"] for znode in znodes}
    surplus = [znode["path"] for znode in current["znodes"] if znode["path"] not in paths]
    written = put_znodes(znodes, servers, port, timeout)
    written["deleted"] = delete_znodes(surplus, True, servers, port, timeout)
    return written


def _export_all(path, servers, port, timeout):
    """Return all pages of an export. Raises CommandExecutionError if an ACL protects a znode."""
    znodes, ephemeral, start = [], [], None
    while True:
        page = export(path, start, servers, port, timeout)
        if page["denied"]:
            raise CommandExecutionError(f"{page['denied'][0]}: access denied by its ACL")
        znodes += page["znodes"]
        ephemeral += page["ephemeral"]
        start = page["next"]
        if start is None:
            return {"znodes": znodes, "ephemeral": ephemeral}


def _check_file(file):
    is_valid = isinstance(file, str) and file.startswith("/")
    _arguments.require(is_valid, "file", file, "an absolute path")


def _replace_file(path, text):
    """Write a file that only root can read, so that it is complete even after a power cut."""
    new_path = f"{path}.new"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = os.open(new_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new_path, path)
    except OSError as error:
        raise CommandExecutionError(f"{path}: {error.strerror}") from None


def _read_znodes(path):
    try:
        with open(path, encoding="utf-8") as file:
            znodes = [json.loads(line) for line in file]
            return [znode for znode in znodes if _decoded(znode)]
    except OSError as error:
        raise CommandExecutionError(f"{path}: {error.strerror}") from None
    except (ValueError, SaltInvocationError):
        raise CommandExecutionError(f"{path}: is not a file of zk.save") from None


def _walk(client, path, start, denied):
    """
    Yield a path and all paths below it, parents first, in the order of their parts.

    ``start`` are the parts of the last path that is skipped. Paths whose children an ACL protects
    are added to ``denied``.
    """
    if path.rstrip("/") == SYSTEM_PATH:
        return
    parts = _parts(path)
    if parts > start:
        yield path
    try:
        names = sorted(client.children(path))
    except _zookeeper_client.NoNode:
        return
    except _zookeeper_client.NoAuth:
        if path not in denied:
            denied.append(path)
        return
    for name in names:
        child_parts = (*parts, name)
        # A smaller one that start is not below was in a previous page, with all below it.
        if child_parts < start[: len(child_parts)]:
            continue
        yield from _walk(client, f"{path.rstrip('/')}/{name}", start, denied)


def _export_znode(client, path, page):
    """Add a znode to a page. Returns the size of its data in bytes."""
    try:
        data, stat = client.get(path)
        acl = client.acl(path)
    except _zookeeper_client.NoNode:
        return 0
    except _zookeeper_client.NoAuth:
        if path not in page["denied"]:
            page["denied"].append(path)
        return 0
    if stat.ephemeral_owner:
        page["ephemeral"].append(path)
        return 0
    encoded_data = base64.b64encode(data).decode()
    page["znodes"].append(
        {"path": path, "data": encoded_data, "acl": [list(entry) for entry in acl]}
    )
    return len(data)


def _put_znode(client, path, data, acl):
    """Return whether a znode was ``created`` or ``changed``, None if it was equal."""
    try:
        current_data, _ = client.get(path)
    except _zookeeper_client.NoNode:
        client.ensure_path(path.rpartition("/")[0])
        client.create(path, data, acl=acl)
        return "created"
    outcome = None
    if current_data != data:
        client.set(path, data)
        outcome = "changed"
    if sorted(client.acl(path)) != sorted(acl):
        client.set_acl(path, acl)
        outcome = "changed"
    return outcome


def _decoded(znode):
    """Return path, data and ACL of an exported znode."""
    try:
        data = base64.b64decode(znode["data"], validate=True)
        acl = [
            _zookeeper_client.Acl(permissions, scheme, identity)
            for permissions, scheme, identity in znode["acl"]
        ]
        path = znode["path"]
    except (KeyError, TypeError, ValueError):
        raise SaltInvocationError(
            "znodes: each should have path, data (base64) and acl, as zk.export returns them"
        ) from None
    _check_path("znodes: path", path)
    return path, data, acl


def _check_path(argument, path):
    is_valid = isinstance(path, str) and re.fullmatch(r"/|(/[^/\0]+)+", path)
    _arguments.require(is_valid, argument, path, "the path of a znode, such as /marathon")


def _parts(path):
    return tuple(path.strip("/").split("/")) if path != "/" else ()


def _login():
    """Return user and password of the first setting that has them, None without."""
    for section, name in LOGIN_SETTINGS:
        settings = __pillar__.get(section)
        url = settings.get(name) if isinstance(settings, Mapping) else None
        match = LOGIN.match(str(url))
        if match:
            return match["username"], match["password"]
    return None


@contextlib.contextmanager
def _session(servers, port, timeout, login=None):
    """
    Open a session with an ensemble. Errors of ZooKeeper become those of Salt.

    ``login`` is a user and a password, None for none.
    """
    addresses, port = _ensemble(servers, port)
    timeout = _http_settings.check_timeout(timeout)
    hosts = [_host_and_port(address, port) for address in addresses.values()]
    try:
        with _zookeeper_client.Client(hosts, timeout=timeout, login=login) as client:
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
