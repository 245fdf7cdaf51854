#!py
"""
The flags of one daemon of Mesos on this node, made from the settings. Keywords: ``settings``;
``daemon``, master or slave; ``roles``, those of the node.

Added to the flags in the settings are where ZooKeeper is, the paths of secrets, and, of the agent,
its attributes, its resources, and what runs its containers.
"""

daemon, roles = "", ()

# The first version that knows a flag of defaults.yaml. An older one would not start with it.
FLAG_SINCE = {"reconfiguration_policy": (1, 5)}

ZOOKEEPER_FILE = "file:///etc/mesos/zk"


def run():
    """Return the flags: name -> value."""
    section = settings[daemon]
    flags = {"zk": ZOOKEEPER_FILE} if daemon == "master" else _agent_flags()
    version = tuple(int(part) for part in str(settings["version"]).split(".") if part.isdecimal())
    for name, value in section["flags"].items():
        if FLAG_SINCE.get(name, ()) <= version:
            flags[name] = value
    for name, value in section["secrets"].items():
        if value is not None:
            flags[name] = f"file:///etc/mesos/{daemon}-secrets/{name}"
    if daemon == "slave":
        flags.update(attributes=section["attributes"], resources=section["resources"])
    return flags


def _agent_flags():
    containerizers = "docker,mesos" if "docker" in roles else "mesos"
    return {"master": ZOOKEEPER_FILE, "containerizers": containerizers}
