"""
Read what a ZooKeeper server has stored: zoo.cfg, database and paths. A helper of the states zk and
withdrawn, not a state itself: Salt's loader skips names that begin with ``_``.
"""

import re
from pathlib import Path

# ZooKeeper keeps both below its data directories. The number is a transaction id, in hexadecimal;
# compressed snapshots, from 3.6 on, have a suffix.
DATABASE_DIRECTORY = "version-2"
DATABASE_FILE = re.compile(r"(?P<kind>snapshot|log)\.(?P<zxid>[0-9a-f]+)(\.\w+)?")
SERVER_OPTION = re.compile(r"server\.(?P<id>[0-9]+)")
# The URL ends at a quote, or where the value does.
URL_PATH = re.compile(r"[\"']?zk://[^/\s\"']+(?P<path>/[^\s\"']*)")
# host:peer port:election port, the host perhaps in brackets. 3.5 and later may add more.
ADDRESS = re.compile(r"(\[(?P<ipv6>[^]]+)\]|(?P<host>[^:]+)):")


def read_zoo_cfg(path):
    """Return the options in a zoo.cfg by name; none if there is no such file."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith(("#", "!")))
    return {name.strip(): value.strip() for name, _, value in pairs}


def server_addresses(zoo_cfg):
    """Map server ids (text) to addresses, from the options of a zoo.cfg."""
    servers = {}
    for name, value in zoo_cfg.items():
        server = SERVER_OPTION.fullmatch(name)
        address = ADDRESS.match(value)
        if server and address:
            servers[server.group("id")] = address.group("ipv6") or address.group("host")
    return servers


def count_votes(zoo_cfg):
    """Return the number of servers in the options of a zoo.cfg that vote."""
    return sum(
        bool(SERVER_OPTION.fullmatch(name)) and not value.endswith(":observer")
        for name, value in zoo_cfg.items()
    )


def outdated_servers(lists, server_ids, servers):
    """
    Return the servers that have not recorded this list.

    lists
        What ``zk.server_lists`` returned, None included.

    server_ids
        The servers to look at.

    servers
        The addresses by id in that list.
    """
    return {server_id for server_id in server_ids if (lists or {}).get(server_id) != servers}


def read_zk_path(file, variable=None):
    """
    Return the path of the ``zk://`` URL in a file, None without one.

    The file is the URL, or the path alone; or it has the URL as the value of an environment
    variable.
    """
    try:
        text = Path(file).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
    if variable is not None:
        assignment = re.search(f"^(export )?{re.escape(variable)}=(?P<value>.*)$", text, re.M)
        if assignment:
            text = assignment.group("value")
    url = URL_PATH.match(text)
    if url:
        return url.group("path")
    return text if re.fullmatch(r"/\S*", text) else None


def has_transactions(data_dir, data_log_dir=None):
    """
    Return whether the database has any transaction. The database of an empty server has none,
    although ZooKeeper 3.5 and later write ``snapshot.0``.
    """
    for directory in {data_dir, data_log_dir or data_dir}:
        for name in _names(directory):
            file = DATABASE_FILE.fullmatch(name)
            if file and (file.group("kind") == "log" or int(file.group("zxid"), 16) > 0):
                return True
    return False


def missing_database(data_dir, data_log_dir=None):
    """
    Return the data directory that has no database, None if both have one.

    A server that was started has the directory ``version-2`` in both. In that of the log there may
    be no file yet.
    """
    if not _names(data_dir):
        return data_dir
    if data_log_dir and not Path(data_log_dir, DATABASE_DIRECTORY).is_dir():
        return data_log_dir
    return None


def _names(directory):
    try:
        return [path.name for path in Path(directory, DATABASE_DIRECTORY).iterdir()]
    except OSError:
        return []
