"""
Topologies: tables of hosts, ``tests/topologies/<name>.yaml``. ::

    hosts:
      lxdev01:                       # name of the host and id of its minion; at most 12 characters
        address: 172.31.250.11       # in 172.31.250.0/24; .1 is this machine
        roles: [zookeeper, docker]   # its grain `roles`
        salt_master: true            # on exactly one host
        pillar: {}                   # for this host
    pillar: {}                       # for all hosts
"""

import ipaddress
import re
from dataclasses import dataclass, field

import yaml

from . import ROOT, LabError, network

DIRECTORY = ROOT / "tests" / "topologies"


@dataclass(frozen=True)
class Host:
    """One row of the table."""

    name: str
    address: str
    roles: list[str]
    salt_master: bool = False
    pillar: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Topology:
    """The table."""

    name: str
    hosts: list[Host]
    pillar: dict

    @property
    def master(self) -> Host:
        """The host that the Salt master runs on."""
        return next(host for host in self.hosts if host.salt_master)


def names() -> list[str]:
    """Return the names of the topologies that there are."""
    return sorted(path.stem for path in DIRECTORY.glob("*.yaml"))


def load(name: str) -> Topology:
    """Read a topology. LabError, naming the file and the row, if there is no such topology or if it makes no sense."""
    path = DIRECTORY / f"{name}.yaml"
    if name not in names():
        raise LabError(f"there is no topology '{name}'; there are: {', '.join(names())}")
    table = yaml.safe_load(path.read_text())
    hosts = []
    for host, row in table["hosts"].items():
        try:
            hosts.append(Host(name=host, **row))
        except TypeError as error:
            raise LabError(f"{path}: {host}: {error}") from error
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,11}", host):  # vb-<name> must fit a network interface's 15 characters
            raise LabError(f"{path}: {host} is no name of a host: up to 12 lower-case letters, digits and hyphens")
        if ipaddress.ip_address(hosts[-1].address) not in network.NETWORK:
            raise LabError(f"{path}: {host}: {hosts[-1].address} is not in {network.NETWORK}")
    if sum(host.salt_master for host in hosts) != 1:
        raise LabError(f"{path}: exactly one host has salt_master: true")
    return Topology(name, hosts, table.get("pillar") or {})


def pillar_of(topology: Topology, host: Host) -> dict:
    """Return the pillar of a host: the topology's, and its own on top."""
    return merge(topology.pillar, host.pillar)


def merge(one: dict, other: dict) -> dict:
    """Return both, the other's values where they differ; mappings are merged in depth."""
    both = {**one, **other}
    return both | {key: merge(one[key], other[key]) for key in one.keys() & other.keys()
                   if isinstance(one[key], dict) and isinstance(other[key], dict)}
