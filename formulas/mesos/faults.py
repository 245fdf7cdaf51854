#!py
"""The errors in the settings of Mesos. common/validation.py renders this: see common/checks.py."""

import re

# Flags for which there is another setting.
OWN_FLAGS = {
    "master": {"zk": "mesos:zk"},
    "slave": {
        "master": "mesos:zk",
        "attributes": "mesos:slave:attributes",
        "resources": "mesos:slave:resources",
    },
}

# Resources that are amounts. Agents may have more of them.
RESOURCES = ("cpus", "mem", "disk", "gpus")

# Variables that the package's wrapper makes a flag of.
WRAPPER_VARIABLES = {
    "CLUSTER": "cluster",
    "IP": "ip",
    "ISOLATION": "isolation",
    "LOGS": "log_dir",
    "MASTER": "master",
    "PORT": "port",
    "ZK": "zk",
}


def run():
    """Return the errors: setting, value, message."""
    return [
        *_both_daemons(),
        *_daemon("master"),
        *_daemon("slave"),
        *_quorum(settings["master"]["flags"].get("quorum")),
        *_repeated_flags(),
        *_quotas(),
        *_weights(),
    ]


def _yaml(name):
    return __salt__["slsutil.renderer"](f"salt://mesos/{name}", default_renderer="yaml")


def _both_daemons():
    """Yield the errors in what both daemons share."""
    open_files, age = settings["open_files"], settings["log_retention"]
    yield from checks.version("version", settings["version"], "1.9.0")
    yield from checks.choice("vendor", settings["vendor"], _yaml("versions.yaml"))
    yield from checks.zookeeper_url("zk", settings["zk"], "/mesos")
    if type(open_files) is int and open_files < 1024:
        yield "open_files", open_files, "too few. A daemon needs at least 1024."
    if isinstance(age, str) and not re.fullmatch(r"(\d+(us|ms|s|min|m|h|d|w))+", age):
        yield "log_retention", age, "not an age. Example: 14d, or 12h."
    yield from _environment("environment", settings["environment"])


def _environment(path, variables):
    yield from checks.variables(path, variables)
    if "ULIMIT" in variables:
        message = "use the setting mesos:open_files instead."
        yield f"{path}:ULIMIT", variables["ULIMIT"], message


def _daemon(daemon):
    """Yield the errors in the section of one daemon."""
    section = settings[daemon]
    for name, value in section["flags"].items():
        message = _flag_error(daemon, name, value)
        if message:
            yield f"{daemon}:flags:{name}", value, message
    for name in section["secrets"]:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            yield f"{daemon}:secrets:{name}", "(hidden)", "not the name of a flag."
    yield from _environment(f"{daemon}:environment", section["environment"])
    for key in ("attributes", "resources"):
        yield from _entries(f"{daemon}:{key}", checks.as_mapping(section.get(key)))
    resources = section.get("resources")
    if resources is not None and not isinstance(resources, (dict, list, str)):
        message = "should be a mapping, a list, text, or null."
        yield f"{daemon}:resources", resources, message
    if "KillMode" in section["unit"]:
        message = "has to stay process, or tasks die with the agent."
        yield f"{daemon}:unit:KillMode", section["unit"]["KillMode"], message


def _flag_error(daemon, name, value):
    """Return what is wrong with a flag, or None."""
    if not isinstance(name, str) or not re.fullmatch(r"\??[A-Za-z][A-Za-z0-9_-]*", name):
        return "not the name of a flag."
    if name in OWN_FLAGS[daemon]:
        return f"use the setting {OWN_FLAGS[daemon][name]} instead."
    if name.startswith("?") and value not in (True, False, None):
        return "a flag with a question mark has no value: should be true or false."
    is_path = re.match("(file://)?/", str(value))
    if value is not None and checks.is_secret(name) and not is_path:
        return (
            "everyone can read the command line. "
            f"A secret belongs in mesos:{daemon}:secrets:{name}."
        )
    return None


def _quorum(quorum):
    if quorum is not None and not re.fullmatch("[1-9][0-9]*", str(quorum)):
        message = "not a quorum: a number, more than half of the masters."
        yield "master:flags:quorum", quorum, message


def _entries(path, entries):
    """Yield attributes or resources that the wrapper could not put together."""
    for name, value in entries.items():
        if not isinstance(name, str) or not re.fullmatch(r"[^\s./:;~][^/:;~]*", name):
            yield f"{path}:{name}", value, "not a name that an entry can have."
        elif isinstance(value, dict) or not str(value) or re.search("[;\n]", str(value)):
            message = "should be text without semicolons, a number, or a list of these."
            yield f"{path}:{name}", value, message


def _canonical(name, aliases):
    """Return the current name of a flag, without ``?`` and ``no-``, in small letters."""
    plain = re.sub("^no_", "", str(name).lstrip("?").lower().replace("-", "_"))
    return aliases.get(plain, plain)


def _environment_flags(path, variables, aliases):
    """Yield the variables that are flags: canonical name, path, value."""
    for name, value in variables.items():
        flag = WRAPPER_VARIABLES.get(name)
        if str(name).startswith("MESOS_"):
            flag = name[len("MESOS_") :]
        if flag:
            yield _canonical(flag, aliases), f"{path}:{name}", value


def _daemon_flags(daemon, aliases):
    """Yield every place that sets a flag of one daemon alone: canonical name, path, value."""
    section = settings[daemon]
    for name, value in section["flags"].items():
        is_unset = value is None or value is False and str(name).startswith("?")
        if not is_unset and name not in OWN_FLAGS[daemon]:
            yield _canonical(name, aliases), f"{daemon}:flags:{name}", value
    for name, value in section["secrets"].items():
        if value is not None:
            yield _canonical(name, aliases), f"{daemon}:secrets:{name}", "(hidden)"
    for name, setting in OWN_FLAGS[daemon].items():
        yield name, setting.partition(":")[2], "(not shown)"
    yield from _environment_flags(f"{daemon}:environment", section["environment"], aliases)


def _repeated_flags():
    """Yield flags that are set in several places, of which a daemon takes only one."""
    aliases = _yaml("aliases.yaml")
    all_paths = {}
    for daemon in OWN_FLAGS:
        paths = {}
        for flag, path, value in _daemon_flags(daemon, aliases):
            if flag in paths:
                message = f"the same flag, {flag}, as mesos:{paths[flag]}. Keep one of them."
                yield path, value, message
            paths.setdefault(flag, path)
            all_paths.setdefault(flag, []).append(f"mesos:{path}")
    for flag, path, value in _environment_flags("environment", settings["environment"], aliases):
        if flag in all_paths:
            places = ", ".join(dict.fromkeys(all_paths[flag]))
            yield path, value, f"the same flag, {flag}, as {places}. Keep one of them."


def _quotas():
    own_resources = checks.as_mapping(settings["slave"].get("resources"))
    resources = [*RESOURCES, *(name for name in own_resources if name not in (*RESOURCES, "ports"))]
    for role, quota in settings["quotas"].items():
        path = f"quotas:{role}"
        if not _is_role(role) or "/" in role:
            message = (
                "not a role that can have a quota. Example: web. "
                "A role below another (a/b) has none."
            )
            yield path, role, message
        if quota is not None and not {"guarantees", "limits"} & set(checks.as_mapping(quota)):
            message = (
                "should be a mapping with guarantees, limits, or both. null removes the quota."
            )
            yield path, quota, message
        for key, amounts in checks.as_mapping(quota).items():
            yield from _quota_key(f"{path}:{key}", key, amounts, resources)
        yield from _guarantees_above_limits(path, checks.as_mapping(quota))


def _quota_key(path, key, amounts, resources):
    if key == "force":
        if not isinstance(amounts, bool):
            yield path, amounts, "should be true or false."
    elif key not in ("guarantees", "limits"):
        yield path, amounts, "no such key. Known: guarantees, limits, force."
    elif not isinstance(amounts, dict):
        message = "should be a mapping: resource -> number, such as {cpus: 8, mem: 16384}."
        yield path, amounts, message
    else:
        yield from _amounts(path, amounts, resources)


def _amounts(path, amounts, resources):
    for name, amount in amounts.items():
        if name not in resources:
            message = (
                f"no such resource. Known: {', '.join(resources)}. "
                "Any other has to be in mesos:slave:resources."
            )
            yield f"{path}:{name}", amount, message
        elif not checks.is_number(amount):
            yield f"{path}:{name}", amount, "should be a number, 0 or more."


def _guarantees_above_limits(path, quota):
    guarantees, limits = (checks.as_mapping(quota.get(key)) for key in ("guarantees", "limits"))
    for name in guarantees.keys() & limits.keys():
        guarantee, limit = guarantees[name], limits[name]
        if checks.is_number(guarantee) and checks.is_number(limit) and guarantee > limit:
            message = f"more than the limit, which is {limit}."
            yield f"{path}:guarantees:{name}", guarantee, message


def _weights():
    for role, weight in settings["weights"].items():
        if not _is_role(role):
            message = "not the name of a role. Example: web, or web/frontend."
            yield f"weights:{role}", role, message
        if not checks.is_number(weight) or weight == 0:
            message = "should be a number above 0. 1 is as if there were none."
            yield f"weights:{role}", weight, message


def _is_role(name):
    """Return whether Mesos takes this for the name of a role."""
    return isinstance(name, str) and all(
        re.fullmatch(r"(?!-|\.\.?$)[^\s\x08/]+", part) for part in name.split("/")
    )
