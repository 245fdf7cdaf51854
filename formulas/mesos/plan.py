#!py
"""
The flags of one daemon of Mesos on this node, made from the settings. Keywords: ``settings``;
``daemon``, master or slave; ``roles``, those of the node. The result has ``flags``, name -> value,
and the ``aliases`` of flags, old name -> new name.

Added to the flags in the settings are where ZooKeeper is, the paths of secrets, and, of the agent,
its attributes, its resources, and what runs its containers.
"""

daemon, roles = "", ()

# What separates the items of a flag that is a list.
SEPARATORS = {"list": ",", "paths": ":"}

ZOOKEEPER_FILE = "file:///etc/mesos/zk"


def run():
    """Return the flags and their aliases."""
    all_flags = __salt__["slsutil.renderer"]("salt://mesos/flags.py", version=settings["version"])
    known_flags = all_flags[daemon]
    section = settings[daemon]
    flags = {"zk": ZOOKEEPER_FILE} if daemon == "master" else _agent_flags()
    for name, value in section["flags"].items():
        # A flag of defaults.yaml that is newer than this version, which would not start with it.
        if name in known_flags["since"]:
            continue
        separator = SEPARATORS.get(known_flags["flags"].get(name))
        is_joined = separator and isinstance(value, list)
        flags[name] = separator.join(str(item) for item in value) if is_joined else value
    for name, value in section["secrets"].items():
        if value is not None:
            flags[name] = f"file:///etc/mesos/{daemon}-secrets/{name}"
    if daemon == "slave":
        flags.update(attributes=section["attributes"], resources=section["resources"])
    return {"flags": flags, "aliases": known_flags["aliases"]}


def _agent_flags():
    containerizers = "docker,mesos" if "docker" in roles else "mesos"
    return {"master": ZOOKEEPER_FILE, "containerizers": containerizers}
