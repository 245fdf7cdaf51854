#!py
"""
What only Mesos can know to be wrong with its settings. See common/faults.py, which runs this with ``settings``.
"""

import re

ZK = re.compile(r"zk://([^\s@/]+:[^\s@]+@)?[\w.\[\]:-]+:\d+(,[\w.\[\]:-]+:\d+)*/[^\s/]\S*")

# Flags that a setting of their own stands for.
OWN = {
    "master": {"zk": "mesos:zk"},
    "slave": {
        "master": "mesos:zk",
        "attributes": "mesos:slave:attributes",
        "resources": "mesos:slave:resources",
    },
}

# Flags with a secret in them, or in the file that they name.
SECRET = re.compile("credentials?|http_credentials|jwt_secret_key|executor_secret_key")

# Resources that are amounts. Agents may have others.
RESOURCES = ("cpus", "mem", "disk", "gpus")

# Variables that the init wrapper makes a flag of.
WRAPPER = {
    "CLUSTER": "cluster",
    "IP": "ip",
    "ISOLATION": "isolation",
    "LOGS": "log_dir",
    "MASTER": "master",
    "PORT": "port",
    "ZK": "zk",
}


def run():
    """Return a list of faults: setting, value, and what is wrong with it."""
    return [
        *_shared(),
        *(fault for daemon in OWN for fault in _daemon(daemon)),
        *_spellings(),
        *_quotas(),
        *_weights(),
    ]


def _fault(key, value, wrong):
    """A fault; common/faults.py makes a sentence of it, without secrets."""
    return key, value, wrong


def _yaml(name):
    """A file of the formula as data."""
    return __salt__["slsutil.renderer"](f"salt://mesos/{name}", default_renderer="yaml")


def _mapping(value):
    """The value if it is a mapping, else an empty one: its type is another check's business."""
    return value if isinstance(value, dict) else {}


def _shared():
    """Faults in what both daemons share."""
    version, flavour, url = settings["version"], settings["flavour"], settings["zk"]
    if isinstance(version, str) and not re.fullmatch(r"\d+\.\d+\.\d+", version):
        yield _fault(
            "version",
            version,
            "not a version. It looks like 1.9.0, what comes after goes into release.",
        )
    flavours = _yaml("flavours.yaml")
    if isinstance(flavour, str) and flavour not in flavours:
        yield _fault("flavour", flavour, f"no such flavour. Known: {', '.join(flavours)}.")
    if isinstance(url, str) and not ZK.fullmatch(url):
        shown = re.sub("//.*@", "//***@", url)
        yield _fault(
            "zk",
            shown,
            "not a ZooKeeper URL. It looks like zk://10.0.0.1:2181,10.0.0.2:2181/mesos.",
        )
    if type(settings["open_files"]) is int and settings["open_files"] < 1024:
        yield _fault("open_files", settings["open_files"], "too few. A daemon needs 1024 at least.")
    age = settings["logs_kept"]
    if isinstance(age, str) and not re.fullmatch(r"(\d+(us|ms|s|min|m|h|d|w))+", age):
        yield _fault("logs_kept", age, "not an age. An age looks like 14d or 12h.")
    yield from _environment("environment", settings["environment"])


def _environment(path, variables):
    """Variables that a shell cannot set."""
    for name, value in _mapping(variables).items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w*", name):
            yield _fault(f"{path}:{name}", value, "not the name of a variable.")
        elif isinstance(value, dict | list) or "\n" in str(value):
            yield _fault(f"{path}:{name}", value, "should be one line of text, or a number.")
        elif name == "ULIMIT":
            yield _fault(f"{path}:{name}", value, "has a setting of its own: mesos:open_files.")


def _daemon(daemon):
    """Faults in the section of one daemon."""
    section = _mapping(settings[daemon])
    flags, secrets = _mapping(section.get("flags")), _mapping(section.get("secrets"))
    for name, value in flags.items():
        path = f"{daemon}:flags:{name}"
        if not isinstance(name, str) or not re.fullmatch(r"\??[A-Za-z][A-Za-z0-9_-]*", name):
            yield _fault(path, value, "not the name of a flag.")
        elif name in OWN[daemon]:
            yield _fault(path, value, f"has a setting of its own: {OWN[daemon][name]}.")
        elif name.startswith("?") and value not in (True, False, None):
            yield _fault(path, value, "a flag with a question mark has no value: true or false.")
        elif (
            value is not None and SECRET.fullmatch(name) and not re.match("(file://)?/", str(value))
        ):
            wrong = f"everyone can read the command line. A secret goes into mesos:{daemon}:secrets:{name}."
            yield _fault(path, "(hidden)", wrong)
    for name in secrets:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            yield _fault(f"{daemon}:secrets:{name}", "(hidden)", "not the name of a flag.")
    yield from _environment(f"{daemon}:environment", section.get("environment"))
    for name in ("attributes", "resources"):
        yield from _entries(f"{daemon}:{name}", _mapping(section.get(name)))
    if section.get("resources") is not None and not isinstance(
        section["resources"], dict | list | str
    ):
        yield _fault(
            f"{daemon}:resources",
            section["resources"],
            "should be a mapping, a list, text, or null.",
        )
    quorum = flags.get("quorum")
    if daemon == "master" and quorum is not None and not re.fullmatch("[1-9][0-9]*", str(quorum)):
        yield _fault(
            "master:flags:quorum", quorum, "not a quorum: a number, more than half of the masters."
        )
    if "KillMode" in _mapping(section.get("unit")):
        wrong = "has to stay process, or tasks die with the agent."
        yield _fault(f"{daemon}:unit:KillMode", section["unit"]["KillMode"], wrong)


def _plain(name, aliases):
    """The name of a flag behind ``?x``, ``no-x``, capital letters and old names."""
    plain = re.sub("^no_", "", str(name).lstrip("?").lower().replace("-", "_"))
    return aliases.get(plain, plain)


def _flags_in(path, variables, aliases):
    """The variables that are flags: plain name, path, value."""
    for name, value in _mapping(variables).items():
        flag = name[6:] if str(name).startswith("MESOS_") else WRAPPER.get(name)
        if flag:
            yield _plain(flag, aliases), f"{path}:{name}", value


def _given(daemon, aliases):
    """All that gives a flag to one daemon alone: plain name, path, value."""
    section = _mapping(settings[daemon])
    for name, value in _mapping(section.get("flags")).items():
        if (
            value is not None
            and name not in OWN[daemon]
            and (value is not False or not str(name).startswith("?"))
        ):
            yield _plain(name, aliases), f"{daemon}:flags:{name}", value
    for name, value in _mapping(section.get("secrets")).items():
        if value is not None:
            yield _plain(name, aliases), f"{daemon}:secrets:{name}", "(hidden)"
    for name, setting in OWN[daemon].items():
        yield name, setting.removeprefix("mesos:"), "(given)"
    yield from _flags_in(f"{daemon}:environment", section.get("environment"), aliases)


def _spellings():
    """The same flag under two names, of which each daemon takes only one."""
    aliases = _yaml("aliases.yaml")
    given = {daemon: list(_given(daemon, aliases)) for daemon in OWN}
    for places in given.values():
        found = {}
        for flag, path, value in places:
            if flag in found:
                wrong = f"the same flag, {flag}, as mesos:{found[flag]}. Keep one of them."
                yield _fault(path, value, wrong)
            found.setdefault(flag, path)
    for flag, path, value in _flags_in("environment", settings["environment"], aliases):
        same = dict.fromkeys(
            f"mesos:{other}"
            for places in given.values()
            for name, other, _ in places
            if name == flag
        )
        if same:
            yield _fault(
                path, value, f"the same flag, {flag}, as {', '.join(same)}. Keep one of them."
            )


def _entries(path, entries):
    """Attributes or resources that the wrapper could not put together."""
    for name, value in entries.items():
        if not isinstance(name, str) or not re.fullmatch(r"[^\s./:;~][^/:;~]*", name):
            yield _fault(f"{path}:{name}", value, "not a name that an entry can have.")
        elif isinstance(value, dict) or not str(value) or ";" in str(value) or "\n" in str(value):
            yield _fault(
                f"{path}:{name}",
                value,
                "should be text without semicolons, a number, or a list of these.",
            )


def _is_number(value):
    """Whether a value is a number, 0 or more."""
    return type(value) in (int, float) and 0 <= value < float("inf")


def _quotas():
    """Roles and amounts that no quota can have."""
    known = list(
        dict.fromkeys(
            [
                *RESOURCES,
                *(
                    name
                    for name in _mapping(_mapping(settings["slave"]).get("resources"))
                    if name != "ports"
                ),
            ]
        )
    )
    for role, quota in _mapping(settings["quotas"]).items():
        path = f"quotas:{role}"
        if not _is_role(role) or "/" in role:
            yield _fault(
                path,
                role,
                "not a role that can have a quota. One looks like web; one below another (a/b) has none.",
            )
        if quota is not None and not {"guarantees", "limits"} & set(_mapping(quota)):
            yield _fault(
                path,
                quota,
                "should be a mapping with guarantees, limits, or both. null takes the quota away.",
            )
        for key, amounts in _mapping(quota).items():
            if key == "force":
                if not isinstance(amounts, bool):
                    yield _fault(f"{path}:{key}", amounts, "should be true or false.")
            elif key not in ("guarantees", "limits"):
                yield _fault(
                    f"{path}:{key}", amounts, "no such key. Known: guarantees, limits, force."
                )
            elif not isinstance(amounts, dict):
                yield _fault(
                    f"{path}:{key}",
                    amounts,
                    "should be a mapping: resource -> number, such as {cpus: 8, mem: 16384}.",
                )
            else:
                yield from _amounts(f"{path}:{key}", amounts, known)
        guarantees, limits = (
            _mapping(_mapping(quota).get(key)) for key in ("guarantees", "limits")
        )
        for name in guarantees.keys() & limits.keys():
            if (
                _is_number(guarantees[name])
                and _is_number(limits[name])
                and guarantees[name] > limits[name]
            ):
                yield _fault(
                    f"{path}:guarantees:{name}",
                    guarantees[name],
                    f"more than the limit, which is {limits[name]}.",
                )


def _amounts(path, amounts, known):
    """Resources that there are not, and what is no amount of one."""
    for name, amount in amounts.items():
        if name not in known:
            wrong = f"no such resource. Known: {', '.join(known)}. Others have to stand in mesos:slave:resources."
            yield _fault(f"{path}:{name}", amount, wrong)
        elif not _is_number(amount):
            yield _fault(f"{path}:{name}", amount, "should be a number, 0 or more.")


def _weights():
    """What is no weight."""
    for role, weight in _mapping(settings["weights"]).items():
        if not _is_role(role):
            yield _fault(
                f"weights:{role}",
                role,
                "not the name of a role. One looks like web, or web/frontend.",
            )
        if not _is_number(weight) or weight == 0:
            yield _fault(
                f"weights:{role}", weight, "should be a number above 0. 1 is as if there were none."
            )


def _is_role(name):
    """Whether Mesos takes this for the name of a role."""
    return isinstance(name, str) and all(
        re.fullmatch(r"(?!-|\.\.?$)[^\s\x08/]+", part) for part in name.split("/")
    )
