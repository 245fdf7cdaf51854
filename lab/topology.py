"""
Topologies of the lab, ``tests/topologies/<name>.yaml``, either with hosts::

    hosts:
      lxdev01:                       # id of its minion
        address: 172.31.250.11       # in 172.31.250.0/24; .1 is this machine
        roles: [zookeeper, docker]   # its grain `roles`, which the lab writes
        platform: el7                # or el8, el9: what it looks like
        salt_master: true            # on exactly one host
        pillar: {}                   # for this host
    pillar: {}                       # for all hosts

or with the nodes of the pillar's topology, to which the Salt master assigns their roles::

    topology: pillar/topology.yaml   # below the repository
    salt_master: lxcm01.devops.test  # a node of it
    glob_hosts:                      # hosts for its nodes with globs
      lxb001.devops.test: 172.31.250.65
    pillar: {}                       # for all hosts

A host has two names: the id of its minion, and a short one for the command line, the first label
of the id, at most 12 characters.
"""

import fnmatch
import ipaddress
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from . import ROOT, LabError, network, platforms

DIRECTORY = ROOT / "tests" / "topologies"


@dataclass(frozen=True)
class Host:
    """A host of the lab."""

    id: str
    address: str
    roles: list[str]
    salt_master: bool = False
    pillar: dict = field(default_factory=dict)
    platform: str = platforms.DEFAULT

    @property
    def name(self) -> str:
        """The id without the domain, as commands of the lab take it."""
        return self.id.partition(".")[0]


@dataclass(frozen=True)
class Topology:
    """
    A topology.

    ``nodes`` are the entries of the pillar's topology, globs included; empty if the file lists
    ``hosts``.
    """

    name: str
    hosts: list[Host]
    pillar: dict
    nodes: dict[str, dict] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def master(self) -> Host:
        """The host that the Salt master runs on."""
        return next(host for host in self.hosts if host.salt_master)

    def host(self, name: str) -> Host:
        """Return a host by its name or its id; LabError if there is none."""
        for host in self.hosts:
            if name in (host.name, host.id):
                return host
        raise LabError(
            f"the lab has no host '{name}'. Known: {', '.join(host.name for host in self.hosts)}"
        )


def names() -> list[str]:
    """Return the names of all topologies."""
    return sorted(path.stem for path in DIRECTORY.glob("*.yaml"))


def load(name: str, added: dict[str, str] | None = None) -> Topology:
    """
    Read a topology. ``added`` are further hosts for nodes with globs: id -> address.

    Raises LabError, with the file and the node, if the topology does not exist or is invalid. Salt
    itself validates the rest, such as roles.
    """
    path = DIRECTORY / f"{name}.yaml"
    if name not in names():
        raise LabError(f"there is no topology '{name}'. Known: {', '.join(names())}")
    content = read(path)
    if "topology" in content:
        check(path, content, {"topology", "salt_master", "glob_hosts", "pillar"})
        topology = from_pillar(path, content, added or {})
    else:
        check(path, content, {"hosts", "pillar"})
        entries = content.get("hosts")
        if not isinstance(entries, dict):
            raise LabError(f"{path}: should have a mapping 'hosts', or 'topology' with a path")
        hosts = [parse_host(path, id, entry) for id, entry in entries.items()]
        topology = Topology(name, hosts, content.get("pillar") or {})
    if sum(host.salt_master for host in topology.hosts) != 1:
        raise LabError(f"{path}: exactly one host must be the Salt master")
    return topology


def from_pillar(path: Path, content: dict, added: dict[str, str]) -> Topology:
    """Return the topology of a file that refers to the topology in pillar."""
    source = ROOT / content["topology"]
    pillar_topology = read(source)
    nodes = pillar_topology.get("nodes") or {}
    if not isinstance(nodes, dict):
        raise LabError(f"{source}: nodes: should be a mapping")
    master, pillar = content.get("salt_master"), content.get("pillar") or {}
    if master not in nodes:
        raise LabError(f"{path}: salt_master: {master} is not a node of {source}")

    def host_of_node(source: Path, id: str, node: object, **settings) -> Host:
        node = node if isinstance(node, dict) else {}
        entry = {
            "address": node.get("address"),
            "roles": node.get("roles") or [],
            "salt_master": id == master,
        }
        return parse_host(source, id, entry | settings)

    hosts = [host_of_node(source, id, node) for id, node in nodes.items() if not is_glob(id)]
    for id, address in ((content.get("glob_hosts") or {}) | added).items():
        if id not in nodes:  # a node with this very id takes precedence over a glob
            node = nodes[matching_glob(id, nodes, source)]
            hosts.append(host_of_node(path, id, node, address=address))
    ports = pillar_topology.get("ports")
    return Topology(path.stem, hosts, pillar, nodes, ports if isinstance(ports, dict) else {})


def read(path: Path) -> dict:
    """Return the mapping in a file of YAML. LabError if there is none."""
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise LabError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise LabError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise LabError(f"{path}: should be a mapping")
    return content


def check(path: Path, content: dict, allowed: set[str]) -> None:
    """Raise LabError if there are unknown keys."""
    if unknown := sorted(map(str, content.keys() - allowed)):
        raise LabError(
            f"{path}: {', '.join(unknown)}: unknown. Known: {', '.join(sorted(allowed))}"
        )


def parse_host(path: Path, id: str, entry: dict) -> Host:
    """Return the host that an entry describes. LabError if the entry is invalid."""
    try:
        parsed = Host(id=str(id), **entry)
    except TypeError as error:
        raise LabError(f"{path}: {id}: {error}") from error
    roles = [parsed.roles] if isinstance(parsed.roles, str) else parsed.roles
    if not isinstance(roles, list):
        raise LabError(f"{path}: {id}: roles: should be a list")
    if parsed.platform not in platforms.PRETENDED:
        raise LabError(
            f"{path}: {id}: platform: {parsed.platform}: unknown. "
            f"Known: {', '.join(platforms.PRETENDED)}"
        )
    return replace(parsed, address=str(parsed.address), roles=roles)


def check_bootable(topology: Topology) -> None:
    """Raise LabError, with all reasons, if the hosts cannot be booted."""
    errors, owners = [], {"name": {}, "address": {network.MACHINE: "this machine"}}
    for host in topology.hosts:
        # vb-<name> must fit a network interface's 15 characters.
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,11}", host.name):
            errors.append(
                f"{host.id}: '{host.name}' is not a host name: "
                "up to 12 lower-case letters, digits and hyphens"
            )
        try:
            inside = ipaddress.ip_address(host.address) in network.NETWORK
        except ValueError:
            inside = False
        if not inside:
            errors.append(
                f"{host.id}: {host.address} is not an address of {network.NETWORK}, "
                "the network of the lab"
            )
        for kind, value in (("name", host.name), ("address", host.address)):
            if owner := owners[kind].get(value):
                errors.append(f"{host.id}: the {kind} {value} is already that of {owner}")
            owners[kind][value] = host.id
    if errors:
        raise LabError(
            f"the hosts of topology {topology.name} cannot be booted:\n  " + "\n  ".join(errors)
        )


def is_glob(id: str) -> bool:
    """Whether the id of a node is a glob, which matches the ids of many hosts."""
    return any(letter in str(id) for letter in "*?[")


def matching_glob(id: str, nodes: dict, source: Path) -> str:
    """Return the one glob that matches an id. LabError if there is none or more than one."""
    matches = [glob for glob in nodes if is_glob(glob) and fnmatch.fnmatchcase(id, glob)]
    if len(matches) != 1:
        globs = matches or list(filter(is_glob, nodes)) or ["none"]
        count = "several globs" if matches else "no glob"
        raise LabError(f"{id} matches {count} of {source}: {', '.join(globs)}")
    return matches[0]


def new_host(topology: Topology, name: str) -> tuple[str, str]:
    """
    Return id and address of a host that is to join the lab.

    The address is the first free one in the network of the glob that matches the id.

    A name without a domain gets that of the Salt master. LabError if there can be no such host.
    """
    if not topology.nodes:
        raise LabError(
            f"topology {topology.name} has no nodes with globs that another host could match"
        )
    _, dot, domain = topology.master.id.partition(".")
    id = name if "." in name else f"{name}{dot}{domain}"
    for host in topology.hosts:
        if id == host.id or id.partition(".")[0] == host.name:
            raise LabError(f"the lab already has a host {host.name}")
    glob = matching_glob(id, topology.nodes, Path("the topology"))
    try:
        candidates = ipaddress.ip_network(topology.nodes[glob]["address"]).hosts()
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"{glob}: its address is not a network: {error}") from error
    used = {host.address for host in topology.hosts} | {network.MACHINE}
    for address in candidates:
        if str(address) not in used:
            return id, str(address)
    raise LabError(f"{glob}: no address is free in {topology.nodes[glob]['address']}")


def write_empty_topology(directory: Path, repository: Path) -> None:
    """Make a pillar root with an empty topology, to override the repository's own."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "topology.yaml").write_text("nodes: {}\n")
    # topology.sls reads the topology.yaml beside it.
    (directory / "topology.sls").symlink_to(repository / "pillar/topology.sls")


def host_pillar(topology: Topology, host: Host) -> dict:
    """Return the pillar of a host: that of the topology, overridden by that of the host."""
    return merge(topology.pillar, host.pillar)


def merge(base: dict, override: dict) -> dict:
    """Merge two mappings in depth. Where they differ, the second wins."""
    merged = {**base, **override}
    for key in base.keys() & override.keys():
        if isinstance(base[key], dict) and isinstance(override[key], dict):
            merged[key] = merge(base[key], override[key])
    return merged
