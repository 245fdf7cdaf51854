#!py
"""The errors in the settings of Mesos. common/validation.py renders this: see common/checks.py."""

import functools
import json
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

# Variables that the wrapper of the package turns into flags.
WRAPPER_VARIABLES = {
    "CLUSTER": "cluster",
    "IP": "ip",
    "ISOLATION": "isolation",
    "LOGS": "log_dir",
    "MASTER": "master",
    "PORT": "port",
    "ZK": "zk",
}


DURATION = r"[0-9]+(\.[0-9]+)?(ns|us|ms|secs|mins|hrs|days|weeks)"
BYTES = r"[0-9]+(B|KB|MB|GB|TB)"
NUMBER = r"-?[0-9]+(\.[0-9]+)?"
RANGE = r"[0-9]+(-[0-9]+)?"
RANGES = rf"\[\s*{RANGE}(\s*,\s*{RANGE})*\s*\]"
SET = r"\{[^{};]*\}"
ABSOLUTE_PATH = r"/[^\n]*"

PORT_FLAGS = ("port", "advertise_port")

# Type of a flag -> pattern of its text, and what it should be.
FLAG_TYPES = {
    "bool": ("true|false|0|1", "should be true or false."),
    "int": ("-?[0-9]{1,18}", "should be an integer."),
    "num": (NUMBER, "should be a number."),
    "time": (DURATION, "not a duration. Example: 15secs, 5mins, 1hrs, 2days."),
    "bytes": (BYTES, "not a size. Example: 512MB, 2GB."),
    "path": (ABSOLUTE_PATH, "should be an absolute path."),
    "file": (ABSOLUTE_PATH, "should be the absolute path of a file."),
    "paths": (ABSOLUTE_PATH, "should be absolute paths: text with colons, or a list."),
    "list": (".*", "should be a list of words, or text with commas."),
    "string": (".*", "should be one line of text, or a number."),
}

RESOURCE_TYPES = {"SCALAR": "scalar", "RANGES": "ranges", "SET": "set"}

DEFAULT_ZK = "zk://localhost:2181/mesos"

roles = ()


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
        *_contradictions(),
        *_frameworks(),
    ]


def _both_daemons():
    """Yield the errors in what both daemons share."""
    open_files, age = settings["open_files"], settings["log_retention"]
    yield from checks.version("version", settings["version"], "1.9.0")
    yield from checks.zookeeper_url("zk", settings["zk"], "/mesos")
    if open_files < 1024:
        yield "open_files", open_files, "too few. A daemon needs at least 1024."
    if not re.fullmatch(r"([0-9]+(us|ms|s|min|m|h|d|w))+", age):
        yield "log_retention", age, "not an age. Example: 14d, or 12h."
    yield from _environment("environment", settings["environment"])


def _environment(path, variables):
    if "ULIMIT" in variables:
        message = "use the setting mesos:open_files instead."
        yield f"{path}:ULIMIT", variables["ULIMIT"], message


def _daemon(daemon):
    """Yield the errors in the section of one daemon."""
    section = settings[daemon]
    for name, value in section["flags"].items():
        yield from _flag(daemon, name, value)
    for name in section["secrets"]:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            yield f"{daemon}:secrets:{name}", "(hidden)", "not the name of a flag."
        else:
            yield from _unknown_flag(daemon, "secrets", name, "(hidden)")
    yield from _environment(f"{daemon}:environment", section["environment"])
    systemd = tree.run("common/systemd_options.py")
    release = __grains__.get("osmajorrelease")
    yield from systemd.errors("Service", f"{daemon}:unit", section["unit"], release, checks)
    if daemon == "slave":
        yield from _attributes(section["attributes"])
        yield from _resources(section["resources"])
    if "KillMode" in section["unit"]:
        message = "should stay process. Otherwise, tasks are killed when the agent stops."
        yield f"{daemon}:unit:KillMode", section["unit"]["KillMode"], message


# --- flags ---


@functools.lru_cache(None)
def _all_flags():
    """Return what flags.py knows of both daemons, for the version in the settings."""
    version = settings["version"]
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        version = "1.9.0"
    return tree.run("mesos/flags.py", version=version)


def _flags(daemon):
    return _all_flags()[daemon]


def _flag(daemon, name, value):
    """Yield what is wrong with a flag."""
    path = f"{daemon}:flags:{name}"
    if not isinstance(name, str) or not re.fullmatch(r"\??[A-Za-z][A-Za-z0-9_-]*", name):
        yield path, value, "not the name of a flag."
        return
    if name in OWN_FLAGS[daemon]:
        yield path, value, f"use the setting {OWN_FLAGS[daemon][name]} instead."
        return
    unknown = list(_unknown_flag(daemon, "flags", name, value))
    yield from unknown
    if any(isinstance(error, tuple) and len(error) == 3 for error in unknown):
        return
    message = _flag_error(daemon, name, value)
    if message:
        yield path, value, message


def _unknown_flag(daemon, section, name, value):
    """Yield that a flag is not one of this version, or that its name is an old one."""
    known_flags = _flags(daemon)
    flags, since, removed = (known_flags[key] for key in ("flags", "since", "removed"))
    plain = _plain_name(name)
    path = f"{daemon}:{section}:{name}"
    new_name = known_flags["aliases"].get(plain)
    version = f"Mesos {settings['version']}"
    if plain in flags or name == "?no-logger":
        return
    if new_name in flags:
        yield checks.Deprecated(path, f"{daemon}:{section}:{new_name}")
    elif plain in since:
        # A default of the formula is left out where the version does not know it.
        if (plain, value) != ("reconfiguration_policy", "additive"):
            yield path, value, f"{version} does not have this flag, {since[plain]} is the first."
    elif plain in removed:
        yield path, value, f"{version} does not have this flag, {removed[plain]} was the last."
    else:
        match = checks.closest(plain, [*flags, *since])
        question = f" Did you mean {match}?" if match else ""
        yield path, value, f"no such flag of mesos-{daemon} {settings['version']}.{question}"


def _plain_name(name):
    """Return the name of a flag without ``?`` and ``no-``."""
    return re.sub("^no-", "", name.lstrip("?").lower())


def _flag_error(daemon, name, value):
    """Return what is wrong with the value of a flag, or None."""
    known_flags = _flags(daemon)
    plain = _plain_name(name)
    current_name = known_flags["aliases"].get(plain, plain)
    flag_type = known_flags["flags"].get(plain) or known_flags["flags"].get(current_name)
    if name.startswith("?"):
        if value not in (True, False, None):
            return "a flag with a question mark has no value: should be true or false."
        is_flag = flag_type == "bool" or name == "?no-logger"
        return None if is_flag else "needs a value: leave the question mark out."
    is_path = re.match("(file://)?/", str(value))
    if value is not None and checks.is_secret(name) and not is_path:
        return (
            "everyone can read the command line. "
            f"A secret belongs in mesos:{daemon}:secrets:{name}."
        )
    if value is None:
        return None
    if plain in PORT_FLAGS and not _is_port(value):
        return "not a port. A port is a number from 1 to 65535."
    return _value_error(flag_type, value)


def _is_port(value):
    text = checks.word(value)
    return re.fullmatch("[0-9]{1,5}", text) is not None and 1 <= int(text) <= 65535


def _value_error(flag_type, value):
    """Return why a daemon would not take a value of a flag, or None."""
    if isinstance(value, str) and re.fullmatch(r"file:///[^\n]+", value):
        return None
    if flag_type == "json":
        return _json_error(value)
    pattern, message = FLAG_TYPES[flag_type or "string"]
    if isinstance(value, list) and flag_type in ("list", "paths"):
        item_pattern = "[^,\\s]+" if flag_type == "list" else "/[^:\\n]*"
        are_items = all(
            isinstance(item, str) and re.fullmatch(item_pattern, item) for item in value
        )
        return None if are_items and value else message
    is_scalar = isinstance(value, (str, int, float))
    if is_scalar and re.fullmatch(pattern, checks.word(value)):
        return None
    if flag_type == "time" and re.fullmatch(NUMBER, str(value)):
        return f"a duration needs a unit. Example: {value}secs."
    if flag_type == "bytes" and re.fullmatch("[0-9]+", str(value)):
        return f"a size needs a unit. Example: {value}MB."
    return message


def _json_error(value):
    message = "should be a mapping or a list, JSON, or the path of a file with it."
    if isinstance(value, (dict, list)):
        return None if checks.is_json(value) else "cannot be JSON: put names and dates in quotes."
    if not isinstance(value, str):
        return message
    if value.startswith("/"):
        return None
    try:
        is_json = isinstance(json.loads(value), (dict, list))
    except ValueError:
        is_json = False
    return None if is_json else message


def _quorum(quorum):
    if quorum is not None and not re.fullmatch("[1-9][0-9]*", str(quorum)):
        message = "not a quorum: a number, more than half of the masters."
        yield "master:flags:quorum", quorum, message


# --- attributes and resources ---


def _attributes(attributes):
    for name, value in attributes.items():
        path = f"slave:attributes:{name}"
        if not _is_entry_name(name):
            yield path, value, "not a name that an attribute can have."
        elif value is not None and not _is_attribute(value):
            message = "should be a number, text without semicolons, or ranges: [31000-32000]."
            yield path, value, message


def _is_entry_name(name):
    return isinstance(name, str) and re.fullmatch(r"[^\s./:;~][^/:;~\x00-\x1f]*", name)


def _is_attribute(value):
    if isinstance(value, list):
        return _is_range_list(value)
    if not _is_one_line(value):
        return False
    text = checks.word(value)
    return not text.startswith(("[", "{")) or re.fullmatch(RANGES, text)


def _is_one_line(value):
    """Return whether a value is a number, or text that can be an entry of a list with ``;``."""
    is_scalar = isinstance(value, (str, int)) or checks.is_number(value)
    return is_scalar and re.fullmatch(r"[^;\x00-\x1f\x7f\ud800-\udfff]+", str(value)) is not None


def _is_range_list(values):
    return bool(values) and all(
        not isinstance(value, bool)
        and re.fullmatch(RANGE, str(value))
        and _is_ascending(str(value))
        for value in values
    )


def _is_ascending(text):
    begin, _, end = text.partition("-")
    return not end or int(begin) <= int(end)


def _resources(resources):
    """Yield the resources that no agent takes."""
    path = "slave:resources"
    if isinstance(resources, str) and resources.lstrip().startswith("["):
        try:
            resources = json.loads(resources)
        except ValueError:
            yield path, resources, "neither JSON nor text such as cpus:4;mem:8192."
            return
    if isinstance(resources, str):
        pairs = [entry.partition(":") for entry in resources.split(";") if entry.strip()]
        resources = {name.strip(): value.strip() for name, _, value in pairs}
    if isinstance(resources, dict):
        for name, value in resources.items():
            message = _resource_error(name, value)
            if message:
                yield f"{path}:{name}", value, message
    elif isinstance(resources, list):
        for resource in resources:
            if not _is_json_resource(resource):
                message = "not a resource. Example: {name: cpus, type: SCALAR, scalar: {value: 4}}."
                yield path, resource, message
    elif resources is not None:
        yield path, resources, "should be a mapping, a list, text, or null."


def _resource_error(name, value):
    """Return what is wrong with a resource, or None."""
    if not _is_entry_name(name):
        return "not a name that a resource can have."
    if value is None:
        return None
    plain = name.partition("(")[0]
    number = r"[0-9]+" if plain == "gpus" else r"[0-9]+(\.[0-9]+)?"
    is_amount = not isinstance(value, bool) and re.fullmatch(number, str(value))
    is_ranges = (
        _is_range_list(value)
        if isinstance(value, list)
        else isinstance(value, str) and re.fullmatch(RANGES, value)
    )
    if plain in RESOURCES:
        noun = "an integer" if plain == "gpus" else "a number"
        return None if is_amount else f"should be {noun}, 0 or more."
    if plain == "ports":
        return None if is_ranges else "should be a list of ranges. Example: [31000-32000]."
    if is_amount or is_ranges or _is_set(value):
        return None
    return "should be a number, a list of ranges ([1-9]), or a list of names."


def _is_set(value):
    if isinstance(value, list):
        return bool(value) and all(
            type(item) in (str, int) and re.fullmatch(r"[^\s,;{}\[\]]+", str(item))
            for item in value
        )
    return isinstance(value, str) and re.fullmatch(SET, value) is not None


def _is_json_resource(resource):
    if not isinstance(resource, dict) or not checks.is_json(resource):
        return False
    key = RESOURCE_TYPES.get(str(resource.get("type")))
    return isinstance(resource.get("name"), str) and isinstance(resource.get(key), dict)


# --- flags that are set twice ---


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
    aliases = {**_flags("master")["aliases"], **_flags("slave")["aliases"]}
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
            message = checks.number_in_quotes(amount) or "should be a number, 0 or more."
            yield f"{path}:{name}", amount, message


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
            message = "should be a number above 0. The default of Mesos is 1."
            message = checks.number_in_quotes(weight) or message
            yield f"weights:{role}", weight, message


def _is_role(name):
    """Return whether Mesos takes this for the name of a role."""
    return isinstance(name, str) and all(
        re.fullmatch(r"(?!-|\.\.?$)[^\s\x08/]+", part) for part in name.split("/")
    )


# --- settings that contradict each other ---


def _contradictions():
    """Yield settings of other formulas that look for ZooKeeper or the masters elsewhere."""
    zk = settings["zk"].replace("//127.0.0.1:", "//localhost:")
    if zk == DEFAULT_ZK or not checks.ZOOKEEPER_URL.fullmatch(zk):
        return
    for formula in ("marathon", "chronos"):
        if formula in roles and "master" not in checks.as_mapping(__pillar__.get(formula)):
            message = (
                f"but {formula}:master is not set, so {formula.capitalize()} would look for the "
                f"masters at {DEFAULT_ZK}. Set {formula}:master as well."
            )
            yield "zk", zk, message
    servers = checks.as_mapping(__pillar__.get("zookeeper")).get("servers")
    if "zookeeper" in roles and not servers and "," in zk:
        message = (
            "names several servers, but zookeeper:servers is empty, so this node would run a "
            "ZooKeeper of its own. Set zookeeper:servers and zookeeper:myid."
        )
        yield "zk", zk, message


def _frameworks():
    """Yield that Marathon or Chronos on this node would not work with this version."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", settings["version"]):
        return
    frameworks = tree.run("mesos/frameworks.py")
    mesos = _numbers(settings["version"])
    for formula, requirements in frameworks.items():
        too_new = [entry for entry in requirements if _numbers(entry["mesos"]) > mesos]
        if formula not in roles or not too_new:
            continue
        version = _framework_version(formula)
        needed = [entry for entry in too_new if _numbers(entry["since"]) <= _numbers(version)]
        if needed:
            yield "version", settings["version"], _too_old(formula, version, needed[-1], too_new[0])


def _framework_version(formula):
    """Return the version of Marathon or Chronos on this node, also of an installed package."""
    pillar = __pillar__.get(formula, {})
    framework_settings = tree.run("common/settings.py", formula=formula, overrides=pillar)
    version = framework_settings["version"]
    if version == "installed":
        plan = tree.run(f"{formula}/plan.py", settings=framework_settings)
        version = ".".join(str(number) for number in plan["version"] or ())
    return str(version)


def _too_old(formula, version, needed, too_new):
    """Return the message for a Mesos that a framework would refuse."""
    name, alternative = formula.capitalize(), ""
    if _numbers(too_new["since"]) > (0, 0, 0):
        alternative = f", or a {formula}:version before {too_new['since']}"
    return (
        f"{name} {version} on this node needs Mesos {needed['mesos']} or later. "
        f"Set that{alternative}."
    )


def _numbers(version):
    """Return ``1.4.13`` as (1, 4, 13), to compare it; other text as (0, 0, 0)."""
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(int(number) for number in match.groups()) if match else (0, 0, 0)
