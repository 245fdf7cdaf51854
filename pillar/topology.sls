#!py
"""
What follows from the table (topology.yaml, beside this file) for the minion that asks: settings of the formulas, and the
key ``topology`` with what the checks of common/faults.py and the orchestration want to know.

First the whole table is read, ``_table``, and every fault noted: a tuple of path, value and what would be right. Only if
there is none, ``_settings`` derives the pillar of this minion, so that nobody gets half a cluster. An agent is told of the
nodes with a role of CONTROL and of itself: what it receives does not grow with the number of agents.
"""

import difflib
import fnmatch
import ipaddress
import re
import reprlib
from collections import namedtuple
from pathlib import Path

from salt.utils.yaml import safe_load

TABLE = Path(__file__).with_name("topology.yaml")

# Roles whose nodes all others have to know: named one by one, never by a pattern.
CONTROL = ("zookeeper", "mesos-master", "marathon", "chronos")
ROLES = (*CONTROL, "mesos-slave", "docker")

# Who cannot work without it, if there is none in the whole table.
NEEDED_BY = {
    "zookeeper": ("zookeeper", "mesos-master", "mesos-slave", "marathon", "chronos"),
    "mesos-master": ("mesos-slave", "marathon", "chronos"),
}

KEYS = ("nodes", "advertise", "ports", "chroots", "allow_even")
ROW_KEYS = ("address", "roles", "zookeeper_id", "zookeeper_observer")

# The formulas' own defaults: what a port or a path is that the table does not name.
PORTS = {
    "zookeeper": 2181,
    "zookeeper-peer": 2888,
    "zookeeper-election": 3888,
    "mesos-master": 5050,
    "mesos-slave": 5051,
    "marathon": 8080,
    "chronos": 4400,
}
CHROOTS = {"mesos": "/mesos", "marathon": "/marathon", "chronos": "/chronos/state"}

# Addresses that no other node could reach: this network, loopback, multicast and what is reserved.
NOWHERE = [
    ipaddress.IPv4Network(network) for network in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3")
]

# Without what was wrong in it, which is None, or missing from a list. `address` of a pattern is a network.
Node = namedtuple("Node", "name is_pattern address roles zookeeper_id is_observer")

# `ports` and `chroots` as far as the table names them.
Table = namedtuple("Table", "nodes advertise ports chroots allow_even")

SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 60


def run():
    """Return the pillar of the minion that asks."""
    minion, faults = __opts__["id"], []
    table = _table(faults)
    # `salt-run` renders the pillar of a runbook for the id of the master and this.
    if minion.endswith("_master"):
        nodes = {} if faults else {node.name: node.roles for node in table.nodes}
        return dict(topology={"faults": faults, "nodes": nodes})
    row = _row_of(minion, table.nodes, faults) if table.nodes else None
    address = _own_address(row, faults) if row else None
    if faults:
        return dict(topology={"faults": faults})
    return _settings(table, row, minion, address) if row else {}


# The table, and its faults.


def _table(faults):
    """Read the table. What is not in order is left out of it and noted in ``faults``."""

    def fault(key, value, wrong):
        faults.append(_fault(f"topology:{_text(key)}".rstrip(":"), value, wrong))

    given = _load(fault)
    for key in given:
        if key not in KEYS:
            fault(key, given[key], f"no such key. {_known(key, KEYS)}")
    ports = _named(
        given, "ports", PORTS, _is_port, "not a port. A port is a number from 1 to 65535.", fault
    )
    chroots = _named(
        given,
        "chroots",
        CHROOTS,
        _is_path,
        "not a path in ZooKeeper. One looks like /mesos.",
        fault,
    )
    advertise, allow_even = given.get("advertise", "address"), given.get("allow_even", False)
    if advertise not in ("address", "name"):
        fault("advertise", advertise, "should be address, or name: the minion id.")
    if not isinstance(allow_even, bool):
        fault("allow_even", allow_even, "should be true or false.")
    nodes = given.get("nodes", {})
    if not isinstance(nodes, dict):
        fault(
            "nodes",
            nodes,
            "should be a mapping: minion id or pattern -> address, roles... {} if every node stands alone.",
        )
        nodes = {}
    table = Table(
        [_node(name, row, fault) for name, row in nodes.items()],
        advertise,
        ports,
        chroots,
        allow_even,
    )
    _check_together(table, fault)
    return table


def _load(fault):
    """The file as a mapping, whatever is in it."""
    try:
        given = safe_load(TABLE.read_text(encoding="utf-8"))
    except FileNotFoundError:
        fault("", TABLE, "no such file. A table without nodes is one line, nodes: {}.")
    # Not only YAMLError: `!!bool x` raises KeyError, 2024-13-01 ValueError, brackets without end RecursionError.
    except Exception as error:
        mark = getattr(error, "problem_mark", None)
        where = (
            f"line {mark.line + 1}: {error.problem}" if mark else f"{type(error).__name__}: {error}"
        )
        fault(
            "",
            TABLE.name,
            f"cannot be read. {where.replace('found conflicting ID', 'given twice:')}.",
        )
    else:
        if isinstance(given, dict) and "nodes" in given:
            return given
        fault(
            "",
            given,
            "should be a mapping with the key nodes. A table without nodes is one line, nodes: {}.",
        )
        return given if isinstance(given, dict) else {}
    return {}


def _named(given, section, defaults, is_right, wrong, fault):
    """One of the mappings ``ports`` and ``chroots``: what is right of it."""
    values = given.get(section, {})
    if not isinstance(values, dict):
        fault(section, values, f"should be a mapping. Known: {', '.join(defaults)}.")
        return {}
    for key, value in values.items():
        if key not in defaults:
            fault(f"{section}:{_text(key)}", value, f"no such key. {_known(key, defaults)}")
        elif not is_right(value):
            fault(f"{section}:{key}", value, wrong)
    return {key: value for key, value in values.items() if key in defaults and is_right(value)}


def _node(name, row, fault):
    """A row as a Node."""
    path = f"nodes:{_text(name)}"
    if not isinstance(name, str) or not re.fullmatch(r"[\w.:@+*?\[\]!-]+", name):
        fault(path, name, "not a minion id, or a pattern of ids. If it is one, put it in quotes.")
    elif name.endswith("_master"):
        fault(
            path,
            name,
            "an id with this end is the Salt master's own, for its runbooks. Give the minion another.",
        )
    name = _text(name)
    is_pattern = re.search(r"[*?\[]", name) is not None
    if not isinstance(row, dict):
        fault(path, row, f"should be a mapping. Known: {', '.join(ROW_KEYS)}.")
        return Node(name, is_pattern, None, [], None, False)
    for key, value in row.items():
        if key not in ROW_KEYS:
            fault(f"{path}:{_text(key)}", value, f"no such key. {_known(key, ROW_KEYS)}")

    roles = _roles(path, row.get("roles", []), fault)
    control = [role for role in roles if role in CONTROL]
    if is_pattern and control:
        fault(
            f"{path}:roles",
            row["roles"],
            f"{', '.join(control)}: not for a pattern. Give each of these nodes a row of its own.",
        )
        roles = [role for role in roles if role not in CONTROL]

    number, observer = None, row.get("zookeeper_observer", False)
    if "zookeeper" in roles:
        if "zookeeper_id" not in row:
            fault(
                f"{path}:zookeeper_id",
                None,
                "missing. A ZooKeeper server needs an id of its own, 1 to 255.",
            )
        elif type(row["zookeeper_id"]) is not int or not 1 <= row["zookeeper_id"] <= 255:
            fault(
                f"{path}:zookeeper_id",
                row["zookeeper_id"],
                "not an id. An id is a number from 1 to 255.",
            )
        else:
            number = row["zookeeper_id"]
        if not isinstance(observer, bool):
            fault(f"{path}:zookeeper_observer", observer, "should be true or false.")
    elif not (is_pattern and control):  # to which it has been said that it may not be a server
        for key in ("zookeeper_id", "zookeeper_observer"):
            if key in row:
                fault(
                    f"{path}:{key}",
                    row[key],
                    "only for a node with the role zookeeper. Add the role, or take this out.",
                )

    if "address" not in row:
        fault(
            f"{path}:address",
            None,
            f"missing. It looks like {'10.0.0.0/24' if is_pattern else '10.0.0.11'}.",
        )
    address = _address(path, row["address"], is_pattern, fault) if "address" in row else None
    return Node(name, is_pattern, address, roles, number, observer is True)


def _roles(path, given, fault):
    """The roles of a row. One that is misspelt counts as what was probably meant, so that nothing else seems to be missing."""
    roles = []
    if not isinstance(given, (list, str)):  # noqa: UP038
        fault(f"{path}:roles", given, "should be a list of roles, or one of them. [] for none.")
        return roles
    for role in given if isinstance(given, list) else [given]:
        meant = role
        if role not in ROLES:
            fault(f"{path}:roles", role, f"no such role. {_known(role, ROLES)}")
            meant = _likely(role, ROLES)
        elif role in roles:
            fault(f"{path}:roles", role, "given twice. Take one out.")
        if meant and meant not in roles:
            roles.append(meant)
    return roles


def _address(path, given, is_pattern, fault):
    """The address of a row, or the network of a pattern; None if it is none."""
    kind = ipaddress.IPv4Network if is_pattern else ipaddress.IPv4Address
    wrong = None
    try:
        if not isinstance(given, str):  # which a number is to ipaddress
            raise ValueError
        found = kind(given)
        if is_pattern and "/" not in given:
            wrong = "an address. The nodes of a pattern have theirs in a network: 10.0.0.0/24."
        elif any(
            found in network if not is_pattern else found.overlaps(network) for network in NOWHERE
        ):
            wrong = "no other node could reach it: loopback, multicast or reserved."
    except ValueError:
        wrong = (
            "not a network. One looks like 10.0.0.0/24."
            if is_pattern
            else "not an IPv4 address. One looks like 10.0.0.11."
        )
        if isinstance(given, str) and "/" in given:
            wrong = (
                _network_meant(given)
                if is_pattern
                else "a network is for a pattern. This row needs an address: 10.0.0.11."
            )
    if wrong:
        fault(f"{path}:address", given, wrong)
        return None
    return str(found)


def _network_meant(given):
    """What is wrong with a network: often the address of a node stands in front of the slash."""
    try:
        return f"not the address of the network itself. Did you mean {ipaddress.IPv4Network(given, strict=False)}?"
    except ValueError:
        return "not a network. One looks like 10.0.0.0/24."


def _check_together(table, fault):
    """Note what is wrong between rows."""
    named = [node for node in table.nodes if not node.is_pattern]
    for key, what in (("address", "address"), ("zookeeper_id", "id")):
        owner = {}
        for node in named:
            value = getattr(node, key)
            if value is not None and owner.setdefault(value, node) is not node:
                fault(
                    f"nodes:{node.name}:{key}",
                    value,
                    f"{owner[value].name} has this {what}. Each needs one of its own.",
                )

    voters = [node for node in _having(table, "zookeeper") if not node.is_observer]
    for role, kind, nodes in (
        ("zookeeper", "voting ZooKeeper servers", voters),
        ("mesos-master", "Mesos masters", _having(table, "mesos-master")),
    ):
        needing = [other for other in NEEDED_BY[role] if _having(table, other)]
        if needing and not nodes:
            first = _having(table, needing[0])[0]
            wrong = (
                f"there are no {kind} in the table, which {', '.join(needing)} cannot do without."
            )
            fault(f"nodes:{first.name}:roles", ", ".join(first.roles), wrong)
        elif nodes and len(nodes) % 2 == 0 and table.allow_even is not True:
            wrong = f"an even number of them survives no more failures than {len(nodes) - 1}. Add or remove one, or set allow_even: true."
            fault("nodes", f"{len(nodes)} {kind} ({', '.join(node.name for node in nodes)})", wrong)
    _check_ports(table, fault)


def _check_ports(table, fault):
    """Note ports that two programs of one node would want."""
    ports, seen = {**PORTS, **table.ports}, set()
    for node in table.nodes:
        wanted = [
            key
            for key in PORTS
            if key in node.roles or ("zookeeper" in node.roles and key.startswith("zookeeper-"))
        ]
        for number, key in enumerate(wanted):
            for other in wanted[:number]:
                if ports[key] == ports[other] and (key, other) not in seen:
                    seen.add((key, other))
                    named, rival = (key, other) if key in table.ports else (other, key)
                    fault(
                        f"ports:{named}",
                        ports[key],
                        f"the port of {rival}, and {node.name} is both. Give one of them another.",
                    )


def _having(table, role):
    """The nodes with a role, in the order of the table."""
    return [node for node in table.nodes if role in node.roles]


# This minion.


def _row_of(minion, nodes, faults):
    """The row of a minion: its own, or the only pattern that fits."""
    own = [node for node in nodes if not node.is_pattern and node.name == minion]
    fitting = own or [
        node for node in nodes if node.is_pattern and fnmatch.fnmatchcase(minion, node.name)
    ]
    names = [node.name for node in fitting]
    if not fitting:
        close = _likely(minion, [node.name for node in nodes])
        nearest = f" (the nearest: {close})" if close else ""
        wrong = f"no row is for this minion{nearest}. Give it one, or a pattern that fits; nodes: {{}} if every node stands alone."
        faults.append(_fault("topology:nodes", minion, wrong))
    elif len(fitting) > 1:
        wrong = f"patterns that all fit {minion}. Give it a row of its own, or make them differ."
        faults.append(_fault("topology:nodes", ", ".join(names), wrong))
    return fitting[0] if len(fitting) == 1 else None


def _own_address(row, faults):
    """The address of this minion: that of its row, or of its own addresses the one that is in the network of its pattern."""
    if not row.is_pattern or row.address is None:
        return row.address
    given, network = __grains__.get("ipv4") or [], ipaddress.IPv4Network(row.address)
    found = set()
    for address in given if isinstance(given, list) else [given]:
        try:
            found.add(ipaddress.IPv4Address(address))
        except ValueError:  # it is the minion who says so
            continue
    fitting = [str(address) for address in sorted(found) if address in network]
    if len(fitting) != 1:
        has = f"several addresses in it, {', '.join(fitting)}" if fitting else "no address in it"
        others = "" if fitting else f", only {', '.join(map(str, sorted(found))) or 'none at all'}"
        wrong = (
            f"this minion has {has}{others}. Mend the network, or give the minion a row of its own."
        )
        faults.append(_fault(f"topology:nodes:{row.name}:address", row.address, wrong))
        return None
    return fitting[0]


# What follows from the table.


def _settings(table, row, minion, address):
    """The pillar of a minion. The table is in order, and the minion has a row and an address."""
    roles, name = set(row.roles), minion if table.advertise == "name" else address
    ports, chroots = {**PORTS, **table.ports}, {**CHROOTS, **table.chroots}
    servers = sorted(_having(table, "zookeeper"), key=lambda node: node.zookeeper_id)
    masters = _having(table, "mesos-master")
    hosts = ",".join(f"{node.address}:{ports['zookeeper']}" for node in servers)
    zk = f"zk://{hosts}{chroots['mesos']}"
    settled = {}

    def named(**settings):
        """Setting -> port, as far as the table names it: the formulas know the others."""
        return {
            setting: table.ports[key] for setting, key in settings.items() if key in table.ports
        }

    members = (
        table.nodes
        if roles & set(CONTROL)
        else [node for node in table.nodes if set(node.roles) & set(CONTROL)]
    )
    firewall = {"members": list(dict.fromkeys(node.address for node in members))}
    pillar = dict(common={"firewall": firewall})
    # Where the execution modules find the APIs.
    for formula, role in (
        ("mesos", "mesos-master"),
        ("marathon", "marathon"),
        ("chronos", "chronos"),
    ):
        urls = [f"http://{node.address}:{ports[role]}" for node in _having(table, role)]
        if urls:
            pillar[formula] = {"url": urls}

    if "zookeeper" in roles:
        observers = [node.zookeeper_id for node in servers if node.is_observer]
        addresses = {node.zookeeper_id: node.address for node in servers}
        pillar["zookeeper"] = {
            "servers": addresses,
            "myid": row.zookeeper_id,
            **({"observers": observers} if observers else {}),
            **named(
                client_port="zookeeper",
                peer_port="zookeeper-peer",
                election_port="zookeeper-election",
            ),
        }
        # Copies: Salt merges the settings into the very objects above.
        settled["zookeeper:servers"] = dict(addresses)
        settled["zookeeper:observers"] = list(observers)
        settled["zookeeper:myid"] = row.zookeeper_id
        settled["zookeeper:client_port"] = ports["zookeeper"]
    if roles & {"mesos-master", "mesos-slave", "marathon", "chronos"}:
        pillar["mesos"]["zk"] = zk
    own = {"ip": address, "hostname": name}
    if "mesos-master" in roles:
        quorum = len(masters) // 2 + 1
        pillar["mesos"]["master"] = dict(
            flags={**own, "quorum": quorum, **named(port="mesos-master")}
        )
        settled["mesos:master:flags:quorum"] = quorum
    if "mesos-slave" in roles:
        pillar["mesos"]["slave"] = dict(flags={**own, **named(port="mesos-slave")})
    if "marathon" in roles:
        pillar["marathon"].update(
            master=zk,
            zk=f"zk://{hosts}{chroots['marathon']}",
            hostname=name,
            libprocess_ip=address,
            **named(http_port="marathon"),
        )
    if "chronos" in roles:
        pillar["chronos"].update(
            master=zk,
            zk_hosts=hosts,
            hostname=name,
            libprocess_ip=address,
            **named(http_port="chronos"),
        )
        if "chronos" in table.chroots:
            pillar["chronos"]["options"] = {"zk_path": chroots["chronos"]}

    pillar["topology"] = {
        "row": row.name,
        "roles": row.roles,
        "address": address,
        "name": name,
        "settled": settled,
        "faults": [],
    }
    return pillar


# Words.


def _fault(path, value, wrong):
    """A fault, as text alone: what YAML can make of a value (dates, bytes, numbers without end) no pillar can hold."""
    return [_text(path), _text(value)[:80], _text(wrong)]


def _text(value):
    """A value on one line; null, true and false as YAML has them."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    try:
        text = SHORT.repr(value) if isinstance(value, (dict, list, set, tuple)) else str(value)  # noqa: UP038
    except ValueError:  # Python writes no number of more than some thousand digits
        text = "a number too long to write"
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else "?" for letter in re.sub(r"\s+", " ", text).strip()
    )


def _likely(word, words):
    """The word that was probably meant, None if none is like it."""
    return next(iter(difflib.get_close_matches(_text(word), words, 1)), None)


def _known(word, words):
    """What to say about an unknown word: the one that was probably meant, and all there are."""
    likely = _likely(word, words)
    return (f"Did you mean {likely}? " if likely else "") + f"Known: {', '.join(words)}."


def _is_port(value):
    """Whether a value is a port."""
    return type(value) is int and 1 <= value <= 65535


def _is_path(value):
    """Whether a value is a path in ZooKeeper, such as /chronos/state; /zookeeper is its own."""
    return (
        isinstance(value, str)
        and re.fullmatch(r"(?!/zookeeper(/|$))(/(?!\.\.?(/|$))[\w.-]+)+", value) is not None
    )
