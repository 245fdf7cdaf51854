#!py
"""
The pillar that is derived from topology.yaml, beside this file: settings of the formulas, and the
key ``topology`` for common/validation.py and the orchestrations.

topology_file.py reads the file, and roles.yaml names the fact that each setting is derived from. An
agent gets the addresses of the control nodes and its own, so its pillar does not grow with the
number of agents.
"""

import copy
import importlib.util
from pathlib import Path

SLS_FILE = Path(__file__)


def run():
    """Return the pillar of the minion that asks."""
    # This file may be a link beside the topology of a site. topology_file.py is where it leads to.
    path = SLS_FILE.resolve().with_name("topology_file.py")
    spec = importlib.util.spec_from_file_location("topology_file", str(path))
    topology_file = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(topology_file)

    minion = __opts__["id"]
    roots = __opts__.get("file_roots", {}).get("base", [])
    topology = topology_file.read(SLS_FILE.with_name("topology.yaml"), roots)
    # An orchestration has the id of the Salt master and this.
    if minion.endswith("_master"):
        nodes = {} if topology.errors else {node.name: node.roles for node in topology.nodes}
        return dict(topology={"errors": topology.errors, "nodes": nodes})
    node = topology_file.node_of(topology, minion) if topology.nodes else None
    address = topology_file.address_of(topology, node, __grains__.get("ipv4")) if node else None
    if topology.errors:
        return dict(topology={"errors": topology.errors})
    return _pillar(topology_file, topology, node, minion, address) if node else {}


def _pillar(topology_file, topology, node, minion, address):
    """Return the settings that are derived for a minion, and the key ``topology``."""
    name = minion if topology.advertise == "name" else address
    facts = {"address": address, "name": name, "zookeeper_id": node.zookeeper_id}
    facts.update(_cluster_facts(topology_file, topology))
    ensemble = {key: copy.deepcopy(facts[key]) for key in ("servers", "observers")}
    ensemble["port"] = topology.ports["zookeeper"]
    control = [peer for peer in topology.nodes if topology_file.is_control(topology, peer)]
    peers = topology.nodes if node in control else control
    settings = {"common:firewall:members": list(dict.fromkeys(peer.address for peer in peers))}
    if len(topology.nodes) > 1 or node.is_glob:
        settings["common:restarts:zookeeper"] = facts["zookeeper_hosts"]
        settings["common:restarts:turn"] = "control-nodes" if node in control else "agents"
    fixed = {}
    for role, row in topology.roles.items():
        hosts = topology_file.nodes_with(topology, role)
        ports = [port for port in row.get("ports", []) if "name" in port]
        for port in ports:
            number = topology.ports[port["name"]]
            if port.get("api") and hosts:
                urls = [f"http://{host.address}:{number}" for host in hosts]
                settings[f"{row['formula']}:url"] = urls
        if role not in node.roles:
            continue
        derived = {setting: facts[fact] for setting, fact in row.get("derived", {}).items()}
        settings.update((key, value) for key, value in derived.items() if value not in (None, []))
        for port in ports:
            if "setting" in port:
                setting = f"{row['formula']}:{port['setting']}"
                derived[setting] = topology.ports[port["name"]]
                if port["name"] in topology.own_ports:
                    settings[setting] = derived[setting]
        # Copies: Salt merges the settings of a site into the objects of the pillar.
        fixed.update((key, copy.deepcopy(derived[key])) for key in row.get("fixed", []))
    pillar = _nested(settings)
    pillar["topology"] = {
        "entry": node.name,
        "roles": node.roles,
        "address": address,
        "name": name,
        "ensemble": ensemble if facts["servers"] else {},
        "fixed": fixed,
        "errors": [],
    }
    return pillar


def _cluster_facts(topology_file, topology):
    """Return the facts that are the same for all nodes."""
    servers = topology_file.nodes_with(topology, "zookeeper")
    servers = sorted(servers, key=lambda server: server.zookeeper_id)
    masters = topology_file.nodes_with(topology, "mesos-master")
    hosts = ",".join(f"{server.address}:{topology.ports['zookeeper']}" for server in servers)
    return {
        "servers": {server.zookeeper_id: server.address for server in servers},
        "observers": [server.zookeeper_id for server in servers if server.is_observer],
        "zookeeper_hosts": hosts,
        "mesos_zk": f"zk://{hosts}{topology.chroots['mesos']}",
        "marathon_zk": f"zk://{hosts}{topology.chroots['marathon']}",
        "chronos_path": topology.own_chroots.get("chronos"),
        "quorum": len(masters) // 2 + 1,
    }


def _nested(settings):
    """Return settings such as ``mesos:master:flags:ip`` as nested mappings."""
    pillar = {}
    for setting, value in settings.items():
        *sections, key = setting.split(":")
        section = pillar
        for name in sections:
            section = section.setdefault(name, {})
        section[key] = value
    return pillar
