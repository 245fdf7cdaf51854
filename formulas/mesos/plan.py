#!py
"""
The flags of one daemon of Mesos on this node, made from the settings. Keywords: ``settings``;
``daemon``, master or slave; ``roles``, those of the node. The result has ``flags``, name -> value,
the ``aliases`` of flags, old name -> new name, and of the agent its ``identity``: the arguments of
mesos.agent_identity_stays.

Added to the flags in the settings are where ZooKeeper is, the paths of secrets, and, of the agent,
its attributes, its resources, and what runs its containers.
"""

daemon, roles = "", ()

# The separator of items in a flag that is a list.
SEPARATORS = {"list": ",", "paths": ":"}

ZOOKEEPER_FILE = "file:///etc/mesos/zk"

# Flags that the agent checkpoints, or that decide whether they may change.
IDENTITY_FLAGS = (
    "attributes",
    "resources",
    "hostname",
    "domain",
    "default_role",
    "reconfiguration_policy",
)


def run():
    """Return the flags and their aliases."""
    all_flags = tree.run("mesos/flags.py", version=settings["version"])
    known_flags = all_flags[daemon]
    section = settings[daemon]
    flags = {"zk": ZOOKEEPER_FILE} if daemon == "master" else _agent_flags()
    for name, value in section["flags"].items():
        # A default flag that this version does not know yet; the daemon would not start with it.
        if name in known_flags["since"]:
            continue
        separator = SEPARATORS.get(known_flags["flags"].get(name))
        is_joined = separator and isinstance(value, list)
        flags[name] = separator.join(str(item) for item in value) if is_joined else value
    for name, value in section["secrets"].items():
        if value is not None:
            flags[name] = f"file:///etc/mesos/{daemon}-secrets/{name}"
    plan = {"flags": flags, "aliases": known_flags["aliases"], "identity": None}
    if daemon == "slave":
        flags.update(attributes=section["attributes"], resources=section["resources"])
        plan["identity"] = _identity({**_environment_flags(), **flags})
    return plan


def _agent_flags():
    containerizers = "docker,mesos" if "docker" in roles else "mesos"
    return {"master": ZOOKEEPER_FILE, "containerizers": containerizers}


def _environment_flags():
    """Return the flags that variables of the environment set."""
    variables = {**settings["environment"], **settings["slave"]["environment"]}
    prefix = "MESOS_"
    return {
        name[len(prefix) :].lower(): value
        for name, value in variables.items()
        if name.startswith(prefix)
    }


def _identity(flags):
    """Return what decides whether the agent keeps its id; None if only the agent knows."""
    # Hooks may add attributes and resources.
    if not flags.get("work_dir") or flags.get("hooks"):
        return None
    port = flags.get("port") or 5051
    identity = {name: flags.get(name) for name in IDENTITY_FLAGS}
    identity.update(
        name=flags["work_dir"],
        port=flags.get("advertise_port") or port,
        version=settings["version"],
        agent=f"http://{flags.get('ip') or '127.0.0.1'}:{port}",
    )
    return {name: value for name, value in identity.items() if value not in (None, {}, [])}
