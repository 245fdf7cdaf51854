#!py
"""
What only Mesos can know to be wrong with its settings. See common/faults.py, which runs this with ``settings``.
"""

import re

ZK = re.compile(r"zk://([^\s@/]+:[^\s@]+@)?[\w.\[\]:-]+:\d+(,[\w.\[\]:-]+:\d+)*/[^\s/]\S*")

# Flags that a setting of their own stands for.
OWN = {
    "master": {"zk": "mesos:zk"},
    "slave": {"master": "mesos:zk", "attributes": "mesos:slave:attributes", "resources": "mesos:slave:resources"},
}

# Flags with a secret in them, or in the file that they name.
SECRET = re.compile("credentials?|http_credentials|jwt_secret_key|executor_secret_key")

# Variables that the init wrapper makes a flag of.
WRAPPER = {"CLUSTER": "cluster", "IP": "ip", "ISOLATION": "isolation", "LOGS": "log_dir", "MASTER": "master",
           "PORT": "port", "ZK": "zk"}


def run():
    """Return a list of faults: setting, value, and what is wrong with it."""
    return [*_shared(), *(fault for daemon in OWN for fault in _daemon(daemon)), *_spellings()]


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
        yield _fault("version", version, "not a version. It looks like 1.9.0, what comes after goes into release.")
    flavours = _yaml("flavours.yaml")
    if isinstance(flavour, str) and flavour not in flavours:
        yield _fault("flavour", flavour, f"no such flavour. Known: {', '.join(flavours)}.")
    if isinstance(url, str) and not ZK.fullmatch(url):
        shown = re.sub("//.*@", "//***@", url)
        yield _fault("zk", shown, "not a ZooKeeper URL. It looks like zk://10.0.0.1:2181,10.0.0.2:2181/mesos.")
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
        elif value is not None and SECRET.fullmatch(name) and not re.match("(file://)?/", str(value)):
            wrong = f"everyone can read the command line. A secret goes into mesos:{daemon}:secrets:{name}."
            yield _fault(path, "(hidden)", wrong)
    for name in secrets:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            yield _fault(f"{daemon}:secrets:{name}", "(hidden)", "not the name of a flag.")
    yield from _environment(f"{daemon}:environment", section.get("environment"))
    for name in ("attributes", "resources"):
        yield from _entries(f"{daemon}:{name}", _mapping(section.get(name)))
    if section.get("resources") is not None and not isinstance(section["resources"], dict | list | str):
        yield _fault(f"{daemon}:resources", section["resources"], "should be a mapping, a list, text, or null.")
    quorum = flags.get("quorum")
    if daemon == "master" and quorum is not None and not re.fullmatch("[1-9][0-9]*", str(quorum)):
        yield _fault("master:flags:quorum", quorum, "not a quorum: a number, more than half of the masters.")
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
        if value is not None and name not in OWN[daemon] and (value is not False or not str(name).startswith("?")):
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
        same = dict.fromkeys(f"mesos:{other}" for places in given.values() for name, other, _ in places if name == flag)
        if same:
            yield _fault(path, value, f"the same flag, {flag}, as {', '.join(same)}. Keep one of them.")


def _entries(path, entries):
    """Attributes or resources that the wrapper could not put together."""
    for name, value in entries.items():
        if not isinstance(name, str) or not re.fullmatch(r"[^\s./:;~][^/:;~]*", name):
            yield _fault(f"{path}:{name}", value, "not a name that an entry can have.")
        elif isinstance(value, dict) or not str(value) or ";" in str(value) or "\n" in str(value):
            yield _fault(f"{path}:{name}", value, "should be text without semicolons, a number, or a list of these.")
