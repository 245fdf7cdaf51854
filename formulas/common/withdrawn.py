#!py
"""The daemons of the roles that this node does not have, for common.withdrawn."""


def run():
    """
    Return ``roles``, those that this node does not have, in the order in which they are stopped;
    their ``daemons``; and what withdrawn.stopped asks first: the ZooKeeper ``ensemble`` and the
    ``masters`` of the topology.

    Without a topology, a node without roles is not one of this tree: no daemon is withdrawn there.
    """
    topology, rows, roles = _pillar("topology"), tree.data("common/roles.yaml"), tree.node["roles"]
    withdrawn = [role for role in _stop_order(rows) if role not in roles]
    if "roles" not in topology and not {str(role) for role in roles} & set(rows):
        withdrawn = []
    return {
        "roles": withdrawn,
        "daemons": [daemon for role in withdrawn for daemon in _daemons(role, rows[role])],
        "ensemble": topology.get("ensemble") if "zookeeper" in withdrawn else None,
        "masters": _masters(topology) if "mesos-master" in withdrawn else None,
    }


def _stop_order(rows):
    """Return the roles in the reverse order of their deployment, unless they say otherwise."""
    order = [role for role in reversed(list(rows)) if "stop_after" not in rows[role]]
    for role, row in rows.items():
        if "stop_after" in row:
            order.insert(order.index(row["stop_after"]) + 1, role)
    return order


def _daemons(role, row):
    drop_in = f"/etc/systemd/system/{row['unit']}.service.d/salt.conf"
    units = row.get("managed_units", {row["unit"]: [drop_in]})
    daemon = {"role": role, "formula": row["formula"], "control": row.get("control", False)}
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
