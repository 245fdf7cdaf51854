#!py
"""The daemons of the roles that this node does not have, for common.withdrawn."""


def run():
    """
    Return ``roles``, those that this node does not have, in the order in which they are stopped;
    their ``daemons``; and what withdrawn.stopped asks first: the ZooKeeper ``ensemble`` and the
    ``masters`` of the topology.

    Without a topology, a node without roles is not one of this tree: no daemon is withdrawn there.
    """
    topology, roles = _pillar("topology"), tree.data("common/roles.yaml")
    own_roles = tree.node["roles"]
    withdrawn = [name for name in _stop_order(roles) if name not in own_roles]
    if "roles" not in topology and not {str(name) for name in own_roles} & set(roles):
        withdrawn = []
    return {
        "roles": withdrawn,
        "daemons": [daemon for name in withdrawn for daemon in _daemons(name, roles[name])],
        "ensemble": topology.get("ensemble") if "zookeeper" in withdrawn else None,
        "masters": _masters(topology) if "mesos-master" in withdrawn else None,
    }


def _stop_order(roles):
    """Return the roles in the reverse order of their deployment, unless they say otherwise."""
    order = [name for name in reversed(list(roles)) if "stop_after" not in roles[name]]
    for name, role in roles.items():
        if "stop_after" in role:
            order.insert(order.index(role["stop_after"]) + 1, name)
    return order


def _daemons(name, role):
    drop_in = f"/etc/systemd/system/{role['unit']}.service.d/salt.conf"
    units = role.get("managed_units", {role["unit"]: [drop_in]})
    daemon = {"role": name, "formula": role["formula"], "control": role.get("control", False)}
    return [{**daemon, "unit": unit, "files": files} for unit, files in units.items()]


def _masters(topology):
    """Return the URLs of the masters, and the file with the quorum of the master on this node."""
    urls = _pillar("mesos").get("url")
    if "roles" not in topology or not urls:
        return None
    return {"url": urls, "quorum_file": "/etc/mesos-master/quorum"}


def _pillar(key):
    """Return a mapping in pillar. common.validate stops rendering where it is another value."""
    value = __pillar__.get(key)
    return value if isinstance(value, dict) else {}
