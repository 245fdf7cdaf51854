#!py
"""The errors in the settings of the formula ``common``.

common/validation.py renders this: see common/checks.py.
"""

import re

# Sections that the formula writes from other settings.
OWN_SECTIONS = ("mesosphere", "mesosphere-noarch", "base", "updates", "extras")

# Role -> the file of cluster.make_secrets for it, and the settings that it needs from it.
SECRETS = {
    "mesos-master": ("masters", ("mesos:api", "mesos:master:secrets:credentials")),
    "mesos-slave": (
        "agents",
        (
            "mesos:api",
            "mesos:slave:secrets:credential",
            "mesos:slave:secrets:http_credentials",
            "mesos:slave:secrets:jwt_secret_key",
        ),
    ),
    "marathon": ("marathon", ("marathon:http_credentials", "marathon:mesos_authentication_secret")),
    "chronos": ("chronos", ("chronos:http_credentials", "chronos:mesos_authentication_secret")),
}

roles = ()


def run():
    """Return the errors: setting, value, message."""
    return [
        *_repositories(settings["repositories"]),
        *_extra_repositories(checks.as_mapping(settings["repositories"].get("extra"))),
        *_time(settings["time"]),
        *_rules(checks.as_list(settings["firewall"].get("extra"))),
        *_journald(settings["journald"]),
        *_security(settings["security"]),
    ]


def _security(security):
    """Yield a level whose secrets this node does not have, or whose secrets it would use anyway."""
    level = security["level"]
    if level == "open":
        if security["has_secrets"]:
            message = (
                "pillar has the secrets of cluster.make_secrets, so daemons would authenticate. "
                "Set authenticated for a new cluster, or accepting for one that runs."
            )
            yield "security:level", level, message
        return
    for role, (name, paths) in SECRETS.items():
        missing = [path for path in paths if not (_pillar_value(path) or _is_unused(path))]
        if role in roles and missing:
            message = (
                f"a node with the role {role} needs {', '.join(missing)} for this level. Run "
                f"salt-run cluster.make_secrets, and see that pillar/secrets/{name}.sls is "
                "assigned to this node."
            )
            yield "security:level", level, message


def _is_unused(path):
    """Return whether a secret is not needed: the key of tokens that this agent does not use."""
    flags = checks.as_mapping(_pillar_value("mesos:slave:flags"))
    is_key = path.endswith(":jwt_secret_key")
    return is_key and not flags.get("authenticate_http_executors", True)


def _pillar_value(path):
    value = __pillar__
    for key in path.split(":"):
        value = checks.as_mapping(value).get(key)
    return value


def _journald(options):
    systemd = tree.run("common/systemd_options.py")
    release = __grains__.get("osmajorrelease")
    return systemd.errors("Journal", "journald", options, release, checks)


def _repositories(repositories):
    if repositories.get("vault"):
        yield from _vault(repositories["vault"])
    is_verified = repositories.get("gpgcheck") is True
    if repositories.get("baseurl") and is_verified and not repositories.get("gpgkey"):
        message = (
            "needed, since yum verifies the packages of baseurl. "
            "Set this to the URL of the key, or set gpgcheck: false."
        )
        yield "repositories:gpgkey", None, message


def _vault(url):
    name, major = __grains__.get("os"), __grains__.get("osmajorrelease")
    is_supported = __grains__.get("os_family") == "RedHat" and major in tree.node["releases"]
    systems = tree.node["release"]["systems"]
    if is_supported and name not in systems:
        message = (
            f"the repository files of {name} {major} are unknown, only those of "
            f"{', '.join(systems)} are known. Use common:repositories:extra."
        )
        yield "repositories:vault", url, message


def _extra_repositories(repositories):
    for name, options in repositories.items():
        setting = f"repositories:extra:{name}"
        # From pillar, since an option with an error is not among the settings.
        addresses = {"baseurl", "mirrorlist", "metalink"} & set(_pillar_options(name))
        if name in OWN_SECTIONS:
            yield setting, options, "baseurl or vault writes this section. Use another id."
        elif not addresses:
            message = "should be a mapping with an address: baseurl, mirrorlist or metalink."
            yield setting, options, message


def _pillar_options(name):
    section = checks.as_mapping(__pillar__["common"]["repositories"])
    return checks.as_mapping(checks.as_mapping(section.get("extra")).get(name))


def _time(time):
    if time.get("enabled") is True and time.get("servers") == [] and time.get("pools") == []:
        message = "there is no time server. Name servers or pools, or set enabled: false."
        yield "time:servers", [], message


def _rules(rules):
    keys = ("port", "protocol", "from")
    for rule in rules:
        if not isinstance(rule, dict) or not {"port", "from"} <= set(rule) <= set(keys):
            message = f"not a rule. Known: {', '.join(keys)}; protocol may be left out."
        elif not _are_ports(rule["port"]):
            message = "not a port. Ports are numbers from 1 to 65535, or a range: 31000-32000."
        elif rule.get("protocol", "tcp") not in ("tcp", "udp", "sctp", "dccp"):
            message = "no such protocol. Known: tcp, udp, sctp, dccp."
        elif rule["from"] not in ("clients", "members", "everyone"):
            message = "from should be one of clients, members, everyone."
        else:
            continue
        yield "firewall:extra", rule, message


def _are_ports(value):
    """Return whether a value is a port, or a range of ports such as ``31000-32000``."""
    match = re.fullmatch("([0-9]{1,5})(-([0-9]{1,5}))?", str(value))
    if not match:
        return False
    begin, end = int(match.group(1)), int(match.group(3) or match.group(1))
    return 1 <= begin <= end <= 65535
