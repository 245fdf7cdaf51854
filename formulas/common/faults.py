#!py
"""
What is wrong with the settings of this node: read by common.guard, which refuses to go on if there is anything.

A setting is a key of a formula's ``defaults.yaml``. A key in pillar that is not there is a typing error, a value of
another type than the default's an oversight. A mapping that is empty in ``defaults.yaml``, or named in OPEN, takes any
key, as its keys are the program's own. What only one formula can know stands in its own ``faults.py``: run with the
merged settings as the global ``settings``, it returns tuples of setting, value and what is wrong, and skips values of a
wrong type, which are named here.

Where there is a table of nodes (pillar/topology.yaml) its faults are told first, and nothing may contradict it: neither
the grain ``roles`` nor a setting that all nodes have to agree on. Those who are about to set the grain run this with the
keyword ``stamping=True``, and are not told that it is wrong.
"""

import difflib
import functools
import ipaddress
import json
import re

FORMULAS = ("common", "zookeeper", "mesos", "marathon", "chronos", "docker")
ROLES = ("zookeeper", "mesos-master", "mesos-slave", "marathon", "chronos", "docker")

# Mappings with defaults that take the program's other keys as well.
OPEN = {"options", "flags", "environment", "sysctl", "journald"}

# Mappings of what runs on the cluster: their own faults.py know what may stand in there.
DECLARED = ("marathon:apps", "marathon:groups", "chronos:jobs", "mesos:quotas", "mesos:weights")

# Set by whoever is about to write the grain `roles`.
stamping = False

TYPES = {bool: "true or false", int: "an integer", float: "a number", str: "text", list: "a list"}


def run():
    """Return a list of sentences, one for each fault; an empty one if all is well."""
    faults = _topology() + _node()
    for name in FORMULAS:
        faults += _formula(name)
    return faults


def _fault(path, value, wrong):
    """A sentence: which setting, its value (but no secret), on which node, and what is wrong with it."""
    path, shown = (
        text if isinstance(text, str) and text.isprintable() else json.dumps(text, default=str)
        for text in (path, value)
    )
    if re.search("secret|password|credential|zk_auth", path, re.IGNORECASE):
        shown = "(hidden)"
    shown = re.sub(r"://[^/]*@", "://(hidden)@", shown)
    return f"{path} = {shown[:80]} on {__grains__['id']}: {wrong}"


def _known(word, words):
    """What to say about an unknown word: the one that was probably meant, and all there are."""
    close = difflib.get_close_matches(str(word), map(str, words), 1)
    return (f"Did you mean {close[0]}? " if close else "") + f"Known: {', '.join(map(str, words))}."


@functools.cache
def _releases():
    """What differs between the releases of EL: major version -> settings, repositories, systems."""
    return __salt__["slsutil.renderer"]("salt://common/releases.yaml", default_renderer="yaml")


def _release():
    """The same of this node's release; of EL 7 if it is not known."""
    return _releases().get(__grains__.get("osmajorrelease"), _releases()[7])


def _table():
    """The pillar key ``topology``: what the table says to this node; empty where there is no table."""
    table = __pillar__.get("topology")
    return table if isinstance(table, dict) else {}


def _topology():
    """Faults of the table, and what pillar says against it: settings come after the table, and win where they differ."""
    table, faults = _table(), []
    if not isinstance(__pillar__.get("topology", {}), dict):
        faults.append(
            _fault(
                "topology",
                __pillar__["topology"],
                "this key is the table's own, see pillar/topology.yaml.",
            )
        )
    if "nodes" in table:
        wrong = "an id with this end is the Salt master's own, for its runbooks. Give this minion another."
        faults.append(_fault("grains:id", __grains__["id"], wrong))
    for path, value, wrong in table.get("faults") or []:
        faults.append(_fault(path, value, wrong))
    for path, settled in (table.get("settled") or {}).items():
        first, *rest = path.split(":")
        said = __pillar__.get(first)
        for key in rest:
            said = said.get(key, settled) if isinstance(said, dict) else settled
        if _plain(said) != _plain(settled) and not (settled == [] and said is None):
            wrong = f"comes from the table: {json.dumps(settled)}. Take it out of the settings."
            faults.append(_fault(path, said, wrong))
    return faults


def _plain(value):
    """A value as it is after a way through JSON, which has text alone for keys."""
    return json.loads(json.dumps(value, default=str))


def _node():
    """Faults of the minion: operating system, roles, and formulas misspelt in pillar, which nobody would read."""
    faults = _system() + _roles()
    known = (*FORMULAS, "topology")
    for key, value in __pillar__.items():
        if key not in known and difflib.get_close_matches(str(key), known, 1, cutoff=0.9):
            faults.append(_fault(str(key), value, f"no formula reads this. {_known(key, known)}"))
    return faults


def _system():
    """The fault of an operating system that the formulas do not know."""
    family, release, known = (
        __grains__.get("os_family"),
        __grains__.get("osmajorrelease"),
        ", ".join(map(str, _releases())),
    )
    if family != "RedHat":
        wrong = f"not of the RedHat family. The packages that these formulas know are those of EL {known}."
        return [_fault("grains:os_family", family, wrong)]
    if release not in _releases():
        return [
            _fault(
                "grains:osmajorrelease",
                release,
                f"no release of EL that these formulas know. Known: {known}.",
            )
        ]
    return []


def _roles():
    """Faults of the grain `roles`: it has to be what the table says; without a table, words that are roles."""
    roles, granted = __grains__.get("roles") or [], _table().get("roles")
    roles = roles if isinstance(roles, list) else [roles]
    if granted is None:
        return [
            _fault("grains:roles", role, f"no such role. {_known(role, ROLES)}")
            for role in roles
            if role not in ROLES
        ]
    if stamping or set(map(str, roles)) == set(granted):
        return []
    wrong = (
        f"the table says [{', '.join(granted)}], in the row {_table()['row']}. If it is right: salt-run state.orchestrate "
        f"orchestration.roles, or salt '{__grains__['id']}' grains.setval roles '[{', '.join(granted)}]'."
    )
    return [_fault("grains:roles", f"[{', '.join(map(str, roles))}]", wrong)]


def _formula(name):
    """Faults in what pillar says for one formula. If it says nothing, there is nothing to read."""
    given = __pillar__.get(name)
    if given is None:
        return []
    if not isinstance(given, dict):
        return [_fault(name, given, "should be a mapping of settings.")]
    defaults = __salt__["slsutil.renderer"](f"salt://{name}/defaults.yaml", default_renderer="yaml")
    defaults = __salt__["slsutil.merge"](defaults, _release()["settings"].get(name, {}))
    settings = __salt__["slsutil.merge"](defaults, given)
    faults = list(_keys(name, given, defaults))
    if name == "common":
        return faults + _common(settings)
    special = f"salt://{name}/faults.py"
    found = __salt__["slsutil.renderer"](special, default_renderer="py", settings=settings)
    return faults + [_fault(f"{name}:{key}", value, wrong) for key, value, wrong in found]


def _keys(path, given, defaults, is_open=False):
    """Unknown keys, wrong types and impossible ports in one mapping and those below it."""
    for key, value in given.items():
        here = f"{path}:{key}"
        default = defaults.get(key)
        wrong = None
        if key in defaults:
            wrong = _type(value, default, is_open)
        elif not is_open:
            wrong = f"no such setting. {_known(key, defaults)}"
        if not wrong and re.search("(^|_)port$", str(key), re.IGNORECASE) and not _is_port(value):
            wrong = "not a port. A port is a number from 1 to 65535."
        if not wrong and key == "url" and not is_open and not _is_url(value):
            wrong = "not a URL, or list of them. One looks like http://10.0.0.1:5050."
        if wrong:
            yield _fault(here, value, wrong)
        elif isinstance(value, dict) and here not in DECLARED:
            yield from _keys(here, value, default or {}, is_open or not default or key in OPEN)


def _type(value, default, is_open):
    """What is wrong with the type of a value, None if nothing is. In open mappings null takes a key back."""
    if default is None or (value is None and is_open):
        return None
    if isinstance(default, dict) or isinstance(value, dict):
        fits = isinstance(default, dict) and isinstance(value, dict)
    elif is_open and not isinstance(default, list):
        # The program reads text, whatever the type here; of words for a boolean, these are the ones that all know.
        fits = not isinstance(value, list) and (
            type(default) is not bool or str(value).lower() in ("true", "false")
        )
    elif isinstance(default, list):
        fits = isinstance(
            value, list
        )  # Salt 3008 may have its own kind of list, which hides its values from logs
    else:
        fits = type(value) is type(default) or (type(default) is float and type(value) is int)
    if fits:
        return None
    if isinstance(default, dict):
        return f"should be a mapping. {_known(value, default) if default else ''}".strip()
    if value is None:
        return f"has no value. Leave the key out for the default, {json.dumps(default)}."
    return f"should be {TYPES[type(default)]}, as the default {json.dumps(default)}."


def _is_port(value):
    """Whether a value is null (no port) or a port, as a number or as text."""
    return value is None or (str(value).isdecimal() and 1 <= int(value) <= 65535)


def _is_url(value):
    """Whether a value is null, the URL of an API, a list of such URLs that is not empty, or where ZooKeeper knows the leader."""
    if isinstance(value, str) and re.fullmatch(r"zk://[^\s/]+/\S+", value):
        return True
    urls = value if isinstance(value, list) else [value]
    known = r"https?://[^\s/?#,]+(/\S*)?"
    return (
        value is None
        or bool(urls)
        and all(isinstance(url, str) and re.fullmatch(known, url) for url in urls)
    )


def _is_network(value):
    """Whether a value is an address or a network, such as 10.0.0.0/8."""
    try:
        return bool(ipaddress.ip_network(value, strict=False))
    except ValueError:
        return False


def _list(value):
    """The value if it is a list, else an empty one: its type is another check's business."""
    return value if isinstance(value, list) else []


def _common(settings):
    """Faults that only the formula `common` can know."""
    faults = []

    def fault(key, value, wrong):
        faults.append(_fault(f"common:{key}", value, wrong))

    sections = (settings[name] for name in ("repositories", "firewall", "time"))
    repositories, firewall, time = (
        section if isinstance(section, dict) else {} for section in sections
    )
    for key in ("baseurl", "gpgkey", "proxy", "vault", "vault_gpgkey"):
        url = repositories.get(key)
        if url is not None and not re.match(r"\w+://\S+$", str(url)):
            fault(
                f"repositories:{key}",
                url,
                "not a URL. A URL looks like https://mirror.example.org/el/7.",
            )
    system, known = (
        f"{__grains__.get('os')} {__grains__.get('osmajorrelease')}",
        _release()["systems"],
    )
    if repositories.get("vault") and not _system() and __grains__.get("os") not in known:
        wrong = f"in which files {system} has its own repositories is not known, only of {', '.join(known)}. Use common:repositories:extra."
        fault("repositories:vault", repositories["vault"], wrong)
    if (
        repositories.get("baseurl")
        and repositories.get("gpgcheck") is True
        and not repositories.get("gpgkey")
    ):
        wrong = "yum is to verify the packages of baseurl, but no key is named. Give its URL, or set gpgcheck: false."
        fault("repositories:gpgkey", None, wrong)
    extra = repositories.get("extra")
    for name, options in extra.items() if isinstance(extra, dict) else ():
        if name in ("mesosphere", "mesosphere-noarch", "base", "updates", "extras"):
            wrong = "this section is written from baseurl or vault. Take another id."
            fault(f"repositories:extra:{name}", options, wrong)
        elif not isinstance(options, dict) or not {"baseurl", "mirrorlist", "metalink"} & set(
            options
        ):
            wrong = "no address. Needed: a mapping with baseurl, mirrorlist or metalink."
            fault(f"repositories:extra:{name}", options, wrong)

    if time.get("enabled") is True and time.get("servers") == [] and time.get("pools") == []:
        fault(
            "time:servers",
            [],
            "nothing to take the time from. Name servers or pools, or set enabled: false.",
        )

    for key in ("clients", "members"):
        networks = firewall.get(key)
        if networks is not None and not isinstance(networks, list):
            fault(f"firewall:{key}", networks, "should be a list of networks, or null.")
        for network in _list(networks):
            if not isinstance(network, str) or not _is_network(network):
                fault(
                    f"firewall:{key}",
                    network,
                    "not a network. One looks like 10.0.0.0/8, an address like 10.0.0.1.",
                )
    for rule in _list(firewall.get("extra")):
        known = ("port", "protocol", "from")
        if (
            not isinstance(rule, dict)
            or not {"port", "from"} <= set(rule)
            or set(rule) - set(known)
        ):
            fault(
                "firewall:extra",
                rule,
                f"not a rule. Known: {', '.join(known)}; protocol may be left out.",
            )
        elif not all(_is_port(port) for port in str(rule["port"]).split("-")):
            fault(
                "firewall:extra",
                rule,
                "not a port. Ports are numbers from 1 to 65535, or two of them: 31000-32000.",
            )
        elif rule.get("protocol", "tcp") not in ("tcp", "udp", "sctp", "dccp"):
            fault("firewall:extra", rule, "no such protocol. Known: tcp, udp, sctp, dccp.")
        elif rule["from"] not in ("clients", "members", "everyone"):
            fault("firewall:extra", rule, "from is none of: clients, members, everyone.")
    return faults
