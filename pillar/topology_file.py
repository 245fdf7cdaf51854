"""
Reads and checks topology.yaml, or the topologies of several clusters, and computes what follows
from it. pillar/topology.sls and conf/roster load this file by its path.

All errors are collected: lists of setting, value, and a message that says what is wrong and what
would be right. An invalid value is left out of the result, and nothing is derived from a topology
with errors, so no node gets a partial configuration.

The roles, their ports and the common checks come from ``formulas/common``. The directory
``formulas`` is next to the directory of this file; if pillar is kept elsewhere, it is one of the
Salt master's file roots.
"""

import copy
import fnmatch
import importlib.util
import ipaddress
import itertools
import re
import reprlib
from collections import namedtuple
from pathlib import Path

from salt.utils.yaml import safe_load

# The topology of the only cluster, or a directory with that of each cluster, NAME.yaml.
FILE = "topology.yaml"
DIRECTORY = "topologies"

TOPOLOGY_KEYS = ("nodes", "advertise", "ports", "chroots", "allow_even")
NODE_KEYS = ("address", "roles", "zookeeper_id", "zookeeper_observer")

# The path in ZooKeeper where each service keeps its state, unless the topology sets another.
CHROOTS = {"mesos": "/mesos", "marathon": "/marathon", "chronos": "/chronos/state"}

# Networks with addresses that no other node could reach: this network, loopback, multicast and
# reserved ones.
UNUSABLE_NETWORKS = [
    ipaddress.IPv4Network(network) for network in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3")
]

ADDRESS_EXAMPLE = "Example: 10.0.0.11."
NETWORK_EXAMPLE = "Example: 10.0.0.0/24."

# Attributes with an error are None, or missing from a list. The `address` of a glob is a network.
Node = namedtuple("Node", "name is_glob address roles zookeeper_id is_observer")

# `ports` and `chroots` are complete, `custom_ports` and `custom_chroots` are those in the file.
# `roles` has the contents of roles.yaml, `checks` is the module common/checks.py, `name` is the
# name in messages.
Topology = namedtuple(
    "Topology",
    "nodes advertise ports custom_ports chroots custom_chroots allow_even roles checks errors name",
)

# The cluster and the entry of a minion. Without an entry, `topology` and `node` are None, and
# `errors` say why. `is_foreign`: no topology has an entry for it, so it belongs to no cluster.
Membership = namedtuple("Membership", "cluster topology node errors is_foreign")

VALUE_FORMAT = reprlib.Repr()
VALUE_FORMAT.maxstring = VALUE_FORMAT.maxother = 60


def read_all(directory, file_roots=()):
    """Return the topologies in a directory: name of the cluster -> Topology, with its ``errors``.

    The name is None for ``topology.yaml``, and there is no other cluster then. ``file_roots``:
    where else the formulas may be.
    """
    formulas = _formulas(file_roots)
    if formulas is None:
        message = "not found beside pillar/ or in the file roots of the Salt master."
        return {None: _empty([["topology", "formulas/common/roles.yaml", message]])}
    directory = Path(directory)
    if not (directory / DIRECTORY).is_dir():
        return {None: _Reader(directory / FILE, formulas, "topology").read()}
    files = sorted((directory / DIRECTORY).glob("[!.]*.y*ml"))
    errors = [_file_error(path) for path in files if not _is_cluster_file(path)]
    if (directory / FILE).exists():
        message = (
            f"the directory {DIRECTORY} has the topologies. Move this file there, or remove it."
        )
        errors.append(_error("topology", FILE, message))
    if not files:
        message = "empty. It needs a file NAME.yaml for each cluster."
        errors.append(_error("topology", f"{DIRECTORY}/", message))
    if errors:
        return {None: _empty(errors)}
    return {path.stem: _Reader(path, formulas, f"{DIRECTORY}/{path.stem}").read() for path in files}


def nodes_with(topology, role):
    """Return the nodes with a role, in the order of the topology."""
    return [node for node in topology.nodes if role in node.roles]


def is_control(topology, node):
    """Return whether all nodes have to know where a node is."""
    return any(topology.roles[role].get("control") for role in node.roles)


def check_clusters(topologies):
    """Record an error for nodes that two clusters share.

    Whether two globs overlap can only be checked for a given minion. Only orchestrations and the
    roster check this: the other nodes of a cluster do not depend on it.
    """
    if len(topologies) < 2:
        return
    nodes = [node for topology in topologies.values() for node in topology.nodes]
    for minion in dict.fromkeys(node.name for node in nodes if not node.is_glob):
        entries = {cluster: _entries(topologies[cluster], minion) for cluster in topologies}
        clusters = [cluster for cluster in entries if entries[cluster]]
        if len(clusters) < 2:
            continue
        for cluster in clusters:
            topologies[cluster].errors.append(_shared_error(minion, entries))


def find_membership(topologies, minion):
    """Return the Membership of a minion in the topologies that ``read_all`` returned."""
    entries = {cluster: _entries(topology, minion) for cluster, topology in topologies.items()}
    clusters = [cluster for cluster in entries if entries[cluster]]
    if not clusters:
        return _no_membership(topologies, minion)
    if len(clusters) > 1:
        return Membership(None, None, None, [_shared_error(minion, entries)], False)
    [cluster] = clusters
    topology, nodes = topologies[cluster], entries[cluster]
    if len(nodes) > 1:
        names = ", ".join(node.name for node in nodes)
        message = f"all of these globs match {minion}. Add an entry for it, or change the globs."
        topology.errors.append(_error(f"{topology.name}:nodes", names, message))
    return Membership(cluster, topology, nodes[0], topology.errors, False)


def _shared_error(minion, entries):
    """Return the error of a minion with entries in several clusters."""
    names = [f"{nodes[0].name} of {cluster}" for cluster, nodes in entries.items() if nodes]
    message = f"all of these entries match {minion}. A node belongs to one cluster. Change them."
    return _error(f"{DIRECTORY}:nodes", ", ".join(names), message)


def _entries(topology, minion):
    """Return the entries of a minion: its own, or all globs that match."""
    nodes = [node for node in topology.nodes if not node.is_glob and node.name == minion]
    return nodes or [node for node in topology.nodes if _is_match(node, minion)]


def _is_match(node, minion):
    return node.is_glob and fnmatch.fnmatchcase(minion, node.name)


def _no_membership(topologies, minion):
    """Return the Membership of a minion without an entry."""
    errors = [error for topology in topologies.values() for error in topology.errors]
    if list(topologies) == [None] and not topologies[None].nodes:
        return Membership(None, None, None, errors, False)
    names = [node.name for topology in topologies.values() for node in topology.nodes]
    checks = next(iter(topologies.values())).checks
    match = checks.closest(minion, names)
    hint = f" (closest: {match})" if match else ""
    if None in topologies:
        message = (
            f"the topology has no entry for this minion{hint}. Add one, or a glob that matches. "
            "With nodes: {}, every node is on its own."
        )
        setting = "topology:nodes"
    else:
        clusters = ", ".join(topologies)
        message = (
            f"no topology has an entry for this minion{hint}. Add one, or a glob that matches, "
            f"to one of the clusters: {clusters}."
        )
        setting = f"{DIRECTORY}:nodes"
    # A file that cannot be read may have an entry for it.
    is_foreign = all(topology.nodes or not topology.errors for topology in topologies.values())
    return Membership(None, None, None, [*errors, _error(setting, minion, message)], is_foreign)


def find_address(topology, node, grain):
    """Return the address of a minion; for a glob it is one in the grain ``ipv4``."""
    if not node.is_glob or node.address is None:
        return node.address
    network = ipaddress.IPv4Network(node.address)
    addresses = set()
    for address in grain if isinstance(grain, list) else [grain]:
        try:
            addresses.add(ipaddress.IPv4Address(address))
        except ValueError:  # a minion can claim any grain
            continue
    addresses = [str(address) for address in sorted(addresses)]
    inside = [address for address in addresses if ipaddress.IPv4Address(address) in network]
    if len(inside) == 1:
        return inside[0]
    if inside:
        problem = f"several addresses in this network, {', '.join(inside)}"
    elif addresses:
        problem = f"no address in this network, only {', '.join(addresses)}"
    else:
        problem = "no IPv4 address"
    message = f"the minion has {problem}. Correct the network, or add an entry for the minion."
    setting = f"{topology.name}:nodes:{node.name}:address"
    topology.errors.append(_error(setting, node.address, message))
    return None


def cluster_values(topology):
    """Return the values that are the same for all nodes."""
    servers = nodes_with(topology, "zookeeper")
    servers = sorted(servers, key=lambda server: server.zookeeper_id)
    masters = nodes_with(topology, "mesos-master")
    hosts = ",".join(f"{server.address}:{topology.ports['zookeeper']}" for server in servers)
    return {
        "servers": {server.zookeeper_id: server.address for server in servers},
        "observers": [server.zookeeper_id for server in servers if server.is_observer],
        "zookeeper_hosts": hosts,
        "mesos_zk": f"zk://{hosts}{topology.chroots['mesos']}",
        "marathon_zk": f"zk://{hosts}{topology.chroots['marathon']}",
        "chronos_path": topology.custom_chroots.get("chronos"),
        "quorum": len(masters) // 2 + 1,
    }


def ensemble(topology, values):
    """Return ``servers``, ``observers`` and ``port`` of ZooKeeper; empty without servers."""
    if not values["servers"]:
        return {}
    return {
        "servers": dict(values["servers"]),
        "observers": list(values["observers"]),
        "port": topology.ports["zookeeper"],
    }


def urls(topology):
    """Return the settings such as ``mesos:url``: the URLs of all nodes that serve an API."""
    settings = {}
    for name, role in topology.roles.items():
        hosts = nodes_with(topology, name)
        for port in role.get("ports", []):
            if hosts and port.get("api") and "name" in port:
                number = topology.ports[port["name"]]
                settings[f"{role['formula']}:url"] = [
                    f"http://{host.address}:{number}" for host in hosts
                ]
    return settings


def role_settings(topology, node, values):
    """Return the settings that a node has for its roles, and those that pillar must not change.

    Both are mappings of a setting, such as ``mesos:master:flags:ip``, to its value.
    """
    settings, fixed = {}, {}
    for name, role in topology.roles.items():
        if name not in node.roles:
            continue
        derived = {setting: values[key] for setting, key in role.get("derived", {}).items()}
        settings.update((key, value) for key, value in derived.items() if value not in (None, []))
        for port in role.get("ports", []):
            if "name" not in port or "setting" not in port:
                continue
            setting = f"{role['formula']}:{port['setting']}"
            derived[setting] = topology.ports[port["name"]]
            if port["name"] in topology.custom_ports:
                settings[setting] = derived[setting]
        # Copies: Salt merges the settings of a site into the objects of the pillar.
        fixed.update((key, copy.deepcopy(derived[key])) for key in role.get("fixed", []))
    return settings, fixed


def nest_settings(settings):
    """Return settings such as ``mesos:master:flags:ip`` as nested mappings."""
    pillar = {}
    for setting, value in settings.items():
        *sections, key = setting.split(":")
        section = pillar
        for name in sections:
            section = section.setdefault(name, {})
        section[key] = value
    return pillar


def _empty(errors):
    """Return a Topology that could not be read."""
    return Topology([], "address", {}, {}, CHROOTS, {}, False, {}, None, errors, "topology")


def _is_cluster_file(path):
    """Return whether a file is the topology of a cluster. Commands read its name as YAML."""
    name = path.stem
    is_name = re.fullmatch(r"[a-z][a-z0-9_-]*", name) and safe_load(name) == name
    return path.suffix == ".yaml" and bool(is_name)


def _file_error(path):
    message = (
        "not a file NAME.yaml. The name of a cluster has lower-case letters, digits, - and _, "
        "begins with a letter, and is not a word of YAML such as no. Rename or remove it."
    )
    return _error("topology", f"{DIRECTORY}/{path.name}", message)


def _formulas(file_roots):
    """Return the directory of the formulas, or None."""
    for directory in (Path(__file__).resolve().parents[1] / "formulas", *file_roots):
        if Path(directory, "common/roles.yaml").is_file():
            return Path(directory)
    return None


def _yaml(path):
    return safe_load(path.read_text(encoding="utf-8"))


def _module(path):
    """Return a Python file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Reader:
    """Reads one file, and collects its errors."""

    def __init__(self, path, formulas, name):
        self.path = path
        self.name = name
        self.checks = _module(formulas / "common/checks.py")
        self.roles = _yaml(formulas / "common/roles.yaml")
        self.default_ports = _default_ports(self.roles, formulas)
        self.errors = []

    def error(self, key, value, message):
        """Record an error for a key of the topology."""
        setting = f"{self.name}:{_text(key)}" if key else self.name
        self.errors.append(_error(setting, self.checks.quoted(value), message))

    def read(self):
        contents = self._load()
        for key in contents:
            if key not in TOPOLOGY_KEYS:
                message = f"no such key. {self.checks.hint(_text(key), TOPOLOGY_KEYS)}"
                self.error(key, contents[key], message)
        ports = self._section(
            contents,
            "ports",
            self.default_ports,
            self.checks.is_port,
            "not a port. A port is a number from 1 to 65535.",
        )
        chroots = self._section(
            contents, "chroots", CHROOTS, _is_path, "not a path in ZooKeeper. Example: /mesos."
        )
        advertise = contents.get("advertise", "address")
        allow_even = contents.get("allow_even", False)
        if advertise not in ("address", "name"):
            self.error("advertise", advertise, "should be address, or name: the minion id.")
        if not isinstance(allow_even, bool):
            self.error("allow_even", allow_even, "should be true or false.")
        topology = Topology(
            nodes=[self._node(name, entry) for name, entry in self._nodes(contents).items()],
            advertise=advertise,
            ports={**self.default_ports, **ports},
            custom_ports=ports,
            chroots={**CHROOTS, **chroots},
            custom_chroots=chroots,
            allow_even=allow_even,
            roles=self.roles,
            checks=self.checks,
            errors=self.errors,
            name=self.name,
        )
        self._check_uniqueness(topology)
        self._check_required_roles(topology)
        self._check_ports(topology)
        return topology

    def _load(self):
        """Return the file as a mapping, whatever is in it."""
        try:
            contents = _yaml(self.path)
        except FileNotFoundError:
            message = "no such file. A topology without nodes is one line, nodes: {}."
            self.error("", self.path, message)
            return {}
        # Not only YAMLError: `!!bool x` raises KeyError, 2024-13-01 ValueError, open brackets
        # RecursionError.
        except Exception as error:
            self.error("", self.path.name, f"cannot be read. {_reason(error)}.")
            return {}
        if not isinstance(contents, dict) or "nodes" not in contents:
            message = (
                "should be a mapping with the key nodes. "
                "A topology without nodes is one line, nodes: {}."
            )
            self.error("", contents, message)
        return contents if isinstance(contents, dict) else {}

    def _section(self, contents, section, defaults, is_valid, message):
        """Return the valid part of the mapping ``ports`` or ``chroots``."""
        values = contents.get(section, {})
        if not isinstance(values, dict):
            self.error(section, values, f"should be a mapping. Known: {', '.join(defaults)}.")
            return {}
        valid = {}
        for key, value in values.items():
            if key not in defaults:
                hint = self.checks.hint(_text(key), defaults)
                self.error(f"{section}:{_text(key)}", value, f"no such key. {hint}")
            elif is_valid(value):
                valid[key] = value
            else:
                self.error(f"{section}:{key}", value, message)
        return valid

    def _nodes(self, contents):
        nodes = contents.get("nodes", {})
        if isinstance(nodes, dict):
            return nodes
        message = (
            "should be a mapping: minion id or glob -> address, roles... "
            "{} if every node is on its own."
        )
        self.error("nodes", nodes, message)
        return {}

    def _node(self, name, entry):
        """Return an entry as a Node."""
        path = f"nodes:{_text(name)}"
        self._check_name(path, name)
        name = _text(name)
        is_glob = re.search(r"[*?\[]", name) is not None
        if not isinstance(entry, dict):
            self.error(path, entry, f"should be a mapping. Known: {', '.join(NODE_KEYS)}.")
            return Node(name, is_glob, None, [], None, False)
        for key, value in entry.items():
            if key not in NODE_KEYS:
                hint = self.checks.hint(_text(key), NODE_KEYS)
                self.error(f"{path}:{_text(key)}", value, f"no such key. {hint}")
        roles = self._roles(path, entry.get("roles", []))
        control = [role for role in roles if self.roles[role].get("control")]
        zookeeper_id = None
        if is_glob and control:
            message = f"{', '.join(control)}: not possible for a glob. Add an entry for each node."
            self.error(f"{path}:roles", entry["roles"], message)
            roles = [role for role in roles if role not in control]
        else:
            zookeeper_id = self._zookeeper(path, entry, "zookeeper" in roles)
        return Node(
            name,
            is_glob,
            self._address(path, entry, is_glob),
            roles,
            zookeeper_id,
            entry.get("zookeeper_observer") is True,
        )

    def _check_name(self, path, name):
        if not isinstance(name, str) or not re.fullmatch(r"[\w.:@+*?\[\]!-]+", name):
            message = "not a minion id or a glob. If it is one, put it in quotes."
            self.error(path, name, message)
        elif name.endswith("_master"):
            message = (
                "the Salt master needs ids that end like this for orchestrations. Choose another."
            )
            self.error(path, name, message)

    def _roles(self, path, value):
        """Return the roles of an entry.

        A misspelt one counts as the closest, so that no other error follows from it.
        """
        if not isinstance(value, (list, str)):
            message = "should be a list of roles, or one of them. [] for none."
            self.error(f"{path}:roles", value, message)
            return []
        roles = []
        for role in value if isinstance(value, list) else [value]:
            actual = role
            if not isinstance(role, str) or role not in self.roles:
                actual = self.checks.closest(_text(role), self.roles)
                hint = self.checks.hint(_text(role), self.roles)
                self.error(f"{path}:roles", role, f"no such role. {hint}")
            elif role in roles:
                self.error(f"{path}:roles", role, "assigned twice. Remove one.")
            if actual and actual not in roles:
                roles.append(actual)
        return roles

    def _zookeeper(self, path, entry, has_role):
        """Return the id of a ZooKeeper server, or None."""
        if not has_role:
            for key in ("zookeeper_id", "zookeeper_observer"):
                if key in entry:
                    message = (
                        "only for a node with the role zookeeper. Add the role, or remove this."
                    )
                    self.error(f"{path}:{key}", entry[key], message)
            return None
        observer = entry.get("zookeeper_observer", False)
        zookeeper_id = entry.get("zookeeper_id")
        if "zookeeper_id" not in entry:
            message = "missing. A ZooKeeper server needs an id of its own, 1 to 255."
        elif type(zookeeper_id) is not int or not 1 <= zookeeper_id <= 255:
            message = "not an id. An id is a number from 1 to 255."
        else:
            message = None
        if message:
            self.error(f"{path}:zookeeper_id", zookeeper_id, message)
        if not isinstance(observer, bool):
            self.error(f"{path}:zookeeper_observer", observer, "should be true or false.")
        return None if message else zookeeper_id

    def _address(self, path, entry, is_glob):
        """Return the address of an entry, or the network of a glob; None if there is an error."""
        value = entry.get("address")
        if "address" not in entry:
            message = f"missing. {NETWORK_EXAMPLE if is_glob else ADDRESS_EXAMPLE}"
        elif is_glob:
            message = _network_error(value)
        else:
            message = _address_error(value)
        if message:
            self.error(f"{path}:address", value, message)
            return None
        return value

    def _check_uniqueness(self, topology):
        """Record an error for addresses and ids that two nodes have."""
        for key, noun in (("address", "address"), ("zookeeper_id", "id")):
            owners = {}
            for node in topology.nodes:
                value = getattr(node, key)
                if node.is_glob or value is None:
                    continue
                owner = owners.setdefault(value, node)
                if owner is not node:
                    message = f"{owner.name} has the same {noun}. Every node needs its own."
                    self.error(f"nodes:{node.name}:{key}", value, message)

    def _check_required_roles(self, topology):
        """Record an error for missing roles, and for an even number of servers of a quorum."""
        for name, role in self.roles.items():
            noun = role.get("quorum_of", f"nodes with the role {name}")
            nodes = nodes_with(topology, name)
            if name == "zookeeper":
                nodes = [node for node in nodes if not node.is_observer]
            dependents = [
                dependent
                for dependent, dependent_role in self.roles.items()
                if name in dependent_role.get("needs", []) and nodes_with(topology, dependent)
            ]
            if dependents and not nodes:
                node = nodes_with(topology, dependents[0])[0]
                message = f"there are no {noun}. {', '.join(dependents)} cannot run without them."
                self.error(f"nodes:{node.name}:roles", ", ".join(node.roles), message)
            elif "quorum_of" in role and nodes and len(nodes) % 2 == 0:
                self._check_even(topology, noun, nodes)

    def _check_even(self, topology, noun, nodes):
        if topology.allow_even is True:
            return
        names = ", ".join(node.name for node in nodes)
        message = (
            f"{len(nodes)} of them tolerate no more failures than {len(nodes) - 1}. "
            "Add or remove one, or set allow_even: true."
        )
        self.error("nodes", f"{len(nodes)} {noun} ({names})", message)

    def _check_ports(self, topology):
        """Record an error for ports that two programs of one node would listen on."""
        reported = set()
        for node in topology.nodes:
            for pair in itertools.combinations(self._port_names(node), 2):
                conflicting_name, name = pair
                if topology.ports[conflicting_name] != topology.ports[name] or pair in reported:
                    continue
                reported.add(pair)
                if name not in topology.custom_ports:
                    name, conflicting_name = pair
                message = (
                    f"also the port of {conflicting_name} on {node.name}. Change one of the ports."
                )
                self.error(f"ports:{name}", topology.ports[name], message)

    def _port_names(self, node):
        return [
            port["name"]
            for name, role in self.roles.items()
            for port in role.get("ports", [])
            if name in node.roles and "name" in port
        ]


def _default_ports(roles, formulas):
    """Return the ports that the topology knows, by name, with the defaults of the formulas."""
    ports, defaults = {}, {}
    for role in roles.values():
        for port in role.get("ports", []):
            if "name" not in port:
                continue
            formula = role["formula"]
            if "port" in port:
                ports[port["name"]] = port["port"]
                continue
            if formula not in defaults:
                defaults[formula] = _yaml(formulas / formula / "defaults.yaml")
            value = defaults[formula]
            for key in port["setting"].split(":"):
                value = value[key]
            ports[port["name"]] = value
    return ports


def _network_error(value):
    """Return why a value is not the network of a glob, or None."""
    example = NETWORK_EXAMPLE
    if not isinstance(value, str):
        return f"not a network. {example}"
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        try:
            network = ipaddress.IPv4Network(value, strict=False)
        except ValueError:
            return f"not a network. {example}"
        return f"not the address of the network itself. Did you mean {network}?"
    if "/" not in value:
        return f"an address. A glob needs the network of its nodes. {example}"
    if any(network.overlaps(unreachable) for unreachable in UNUSABLE_NETWORKS):
        return "no other node could reach it: loopback, multicast or reserved."
    return None


def _address_error(value):
    """Return why a value is not the address of a node, or None."""
    try:
        if not isinstance(value, str):  # ipaddress also accepts a number
            raise ValueError
        address = ipaddress.IPv4Address(value)
    except ValueError:
        if isinstance(value, str) and "/" in value:
            return f"a network. Only globs have one; this entry needs an address. {ADDRESS_EXAMPLE}"
        return f"not an IPv4 address. {ADDRESS_EXAMPLE}"
    if any(address in unreachable for unreachable in UNUSABLE_NETWORKS):
        return "no other node could reach it: loopback, multicast or reserved."
    return None


def _is_path(value):
    """Return whether a value is a path in ZooKeeper, such as /chronos/state.

    /zookeeper is its own.
    """
    pattern = r"(?!/zookeeper(/|$))(/(?!\.\.?(/|$))[\w.-]+)+"
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _reason(error):
    """Return why a file cannot be read."""
    mark = getattr(error, "problem_mark", None)
    if not mark:
        return f"{type(error).__name__}: {error}"
    problem = error.problem.replace("found conflicting ID", "duplicate key")
    return f"line {mark.line + 1}: {problem}"


def _error(setting, value, message):
    """Return an error as text, since pillar cannot hold all that YAML can (dates, bytes)."""
    return [_text(setting), _text(value)[:80], _text(message)]


def _text(value):
    """Return a value on one line, with null, true and false as in YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    try:
        is_collection = isinstance(value, (dict, list, set, tuple))
        text = VALUE_FORMAT.repr(value) if is_collection else str(value)
    except ValueError:  # Python refuses to write numbers of thousands of digits
        text = "a number too long to write"
    if text.isprintable():
        return text
    line = re.sub(r"\s+", " ", text).strip()
    return "".join(letter if letter.isprintable() else "?" for letter in line)
