#!py
"""
The flags of mesos-master and mesos-slave on this node, out of the merged settings (the global ``settings``).

What is added to ``flags``: where ZooKeeper is, attributes and resources, the paths of secrets, and for the agent what
runs its containers. Returns ``{"master": {...}, "slave": {...}}``.
"""

# The first version that knows a flag of defaults.yaml; an older one would not start.
SINCE = {"reconfiguration_policy": (1, 5)}

ZK = "file:///etc/mesos/zk"


def run():
    """Return the flags of both daemons: name -> value."""
    roles = __grains__.get("roles") or []
    has_docker = "docker" in (roles if isinstance(roles, list) else [roles])
    slave = settings["slave"]
    own = {"attributes": slave["attributes"], "resources": slave["resources"]}
    return {
        "master": {"zk": ZK, **_flags("master")},
        "slave": {
            "master": ZK,
            "containerizers": "docker,mesos" if has_docker else "mesos",
            **_flags("slave"),
            **own,
        },
    }


def _flags(daemon):
    """The flags from pillar that this version knows, and the paths of the secrets."""
    section = settings[daemon]
    version = tuple(int(part) for part in str(settings["version"]).split(".") if part.isdecimal())
    flags = {
        name: value for name, value in section["flags"].items() if SINCE.get(name, ()) <= version
    }
    secrets = [name for name, value in section["secrets"].items() if value is not None]
    return {**flags, **{name: f"file:///etc/mesos/{daemon}-secrets/{name}" for name in secrets}}
