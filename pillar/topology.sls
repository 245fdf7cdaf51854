#!py
"""
The pillar that is derived from topology.yaml, beside this file, or from topologies/CLUSTER.yaml:
settings of the formulas, and the key ``topology`` for common/validation.py and the orchestrations.

topology_file.py reads the files and computes the values; roles.yaml says which setting gets which
value. An agent receives only the addresses of the control nodes and its own, so its pillar does not
grow with the number of agents.

A node also gets the files of cluster.make_secrets for its roles, and no others, below any of the
pillar roots: ``secrets/agents.sls``, or ``secrets/CLUSTER/agents.sls``.
"""

import importlib.util
from pathlib import Path

SLS_FILE = Path(__file__)

# Role -> file with its secrets. A later one takes precedence in mesos:api.
SECRETS = {
    "mesos-slave": "agents",
    "chronos": "chronos",
    "marathon": "marathon",
    "mesos-master": "masters",
}


def run():
    """Return the pillar of the minion that asks."""
    # This file may be a link beside the topology of a site. topology_file.py is beside its target.
    path = SLS_FILE.resolve().with_name("topology_file.py")
    spec = importlib.util.spec_from_file_location("topology_file", str(path))
    topology_file = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(topology_file)

    minion = __opts__["id"]
    roots = __opts__.get("file_roots", {}).get("base", [])
    topologies = topology_file.read_all(SLS_FILE.parent, roots)
    # The pillar of an orchestration: its minion id is that of the Salt master plus _master.
    if minion.endswith("_master"):
        topology_file.check_clusters(topologies)
        return {"topology": _orchestration_pillar(topologies)}
    membership = topology_file.find_membership(topologies, minion)
    address = None
    if membership.node and not membership.errors:
        addresses = __grains__.get("ipv4")
        address = topology_file.find_address(membership.topology, membership.node, addresses)
    if membership.errors:
        return {"topology": _error_pillar(membership)}
    if not membership.node:
        return {}
    pillar = _pillar(topology_file, membership.topology, membership.node, minion, address)
    if membership.cluster:
        pillar["topology"]["cluster"] = membership.cluster
    included = _secrets(membership.cluster, membership.node.roles)
    return {"include": included, **pillar} if included else pillar


def _secrets(cluster, roles):
    """Return the SLS with the secrets of a cluster for roles, of those that there are."""
    roots = [SLS_FILE.parent, *(__opts__.get("pillar_roots") or {}).get("base", [])]
    parts = ["secrets", cluster] if cluster else ["secrets"]
    return [
        ".".join([*parts, name])
        for role, name in SECRETS.items()
        if role in roles and any(Path(root, *parts, f"{name}.sls").is_file() for root in roots)
    ]


def _error_pillar(membership):
    """Return the errors of a minion that gets no settings. A foreign minion is left alone."""
    topology = {"errors": membership.errors}
    if membership.is_foreign:
        topology["foreign"] = True
    return topology


def _orchestration_pillar(topologies):
    """Return the nodes of the cluster, or of each cluster, with their roles, and the errors."""
    clusters = {}
    for cluster, topology in topologies.items():
        nodes = {} if topology.errors else {node.name: node.roles for node in topology.nodes}
        clusters[cluster] = {"errors": topology.errors, "nodes": nodes}
    # The only cluster has no name.
    return clusters.get(None, {"clusters": clusters})


def _pillar(topology_file, topology, node, minion, address):
    """Return the settings that are derived for a minion, and the key ``topology``."""
    name = minion if topology.advertise == "name" else address
    values = topology_file.cluster_values(topology)
    values.update({"address": address, "name": name, "zookeeper_id": node.zookeeper_id})
    control = [peer for peer in topology.nodes if topology_file.is_control(topology, peer)]
    peers = topology.nodes if node in control else control
    settings = {"common:firewall:members": list(dict.fromkeys(peer.address for peer in peers))}
    if len(topology.nodes) > 1 or node.is_glob:
        settings["common:restarts:zookeeper"] = values["zookeeper_hosts"]
        settings["common:restarts:turn"] = "control-nodes" if node in control else "agents"
    settings.update(topology_file.urls(topology))
    role_settings, fixed = topology_file.role_settings(topology, node, values)
    settings.update(role_settings)
    pillar = topology_file.nest_settings(settings)
    pillar["topology"] = {
        "entry": node.name,
        "roles": node.roles,
        "address": address,
        "name": name,
        "ensemble": topology_file.ensemble(topology, values),
        "fixed": fixed,
        "errors": [],
    }
    return pillar
