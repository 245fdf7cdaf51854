#!py
"""
What only Marathon can know to be wrong with its settings. See common/faults.py, which runs this with ``settings``.
"""

import re

OWN = (
    "master",
    "zk",
    "http_port",
    "https_port",
    "hostname",
    "mesos_user",
    "http_credentials",
    "ssl_keystore_password",
    "mesos_authentication_secret",
)

ZK = re.compile(r"zk://([^\s@/]+:[^\s@]+@)?[\w.\[\]:-]+:\d+(,[\w.\[\]:-]+:\d+)*/[^\s/]\S*")


# Of an app or a group, with or without a slash at its beginning.
ID = re.compile(r"/?[a-z0-9]([a-z0-9-]*[a-z0-9])?([./][a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
FILE = re.compile(r"salt://\S+\.(json|ya?ml)(\?saltenv=\S+)?")
GROUP = ("apps", "groups", "dependencies", "purge")


def run():
    """Return a list of faults: setting, value, and what is wrong with it."""
    return [*_ids(), *_groups(), *_deployment(), *_daemon()]


def _daemon():
    """Faults in what the program is to find."""
    version, options, environment = (
        settings["version"],
        settings["options"],
        settings["environment"],
    )
    if (
        not isinstance(version, str)
        or not isinstance(options, dict)
        or not isinstance(environment, dict)
    ):
        return []
    if version != "installed" and not re.fullmatch(r"\d+\.\d+\.\d+", version):
        wrong = "not a version. It looks like 1.8.244, what comes after goes into release; or it is: installed."
        return [_fault("version", version, wrong)]
    plan = __salt__["slsutil.renderer"](
        "salt://marathon/plan.py", default_renderer="py", settings=settings
    )
    if plan["version"] is None:
        return [
            _fault(
                "version", version, "Marathon is not installed. Give a version, such as 1.8.244."
            )
        ]
    shared = __salt__["slsutil.renderer"](
        "salt://mesos/framework.py",
        default_renderer="py",
        formula="marathon",
        settings=settings,
        own=OWN,
        toggles=plan["toggles"],
        switches=plan["switches"],
    )
    return [*_urls(), *_secret(plan), *_words(plan), *shared]


def _fault(key, value, wrong):
    """A fault; common/faults.py makes a sentence of it, without secrets."""
    return key, value, wrong


def _urls():
    zk, master = settings["zk"], settings["master"]
    if isinstance(zk, str) and not ZK.fullmatch(zk):
        shown = re.sub("//.*@", "//***@", zk)
        yield _fault(
            "zk",
            shown,
            "not a ZooKeeper URL. It looks like zk://10.0.0.1:2181,10.0.0.2:2181/marathon.",
        )
    if isinstance(master, str) and not re.fullmatch(r"\S+", master):
        yield _fault(
            "master", master, "not the URL of the masters, such as zk://10.0.0.1:2181/mesos."
        )


def _secret(plan):
    if settings["mesos_authentication_secret"] is not None and plan["version"] < (1, 3, 7):
        wrong = "this version would show it in the list of processes. Upgrade, to 1.3.7 at least."
        yield _fault("mesos_authentication_secret", "(hidden)", wrong)


def _words(plan):
    """Values that the launcher takes apart. In era 1 only secret options are variables."""
    for name, value in {**plan["variables"], **plan["secrets"]}.items():
        if plan["splits"] and name.startswith("MARATHON_") and re.search(r"[\s*?\[]", str(value)):
            option = name.removeprefix("MARATHON_").lower()
            path = option if option in OWN else f"options:{option}"
            shown = "(hidden)" if name in plan["secrets"] else value
            wrong = f"the launcher of Marathon {settings['version']} splits values at spaces and expands * ? [ in them."
            yield _fault(path, shown, f"{wrong} From 1.5.10 and 1.6.535 on it does not.")


def _mapping(value):
    """The value if it is a mapping, else an empty one: its type is another check's business."""
    return value if isinstance(value, dict) else {}


def _ids():
    """Apps and groups that cannot be called so, or that are there twice."""
    for section, one in (("apps", "an app"), ("groups", "a group")):
        found = {}
        for name in _mapping(settings[section]):
            path = f"{section}:{name}"
            if not isinstance(name, str) or not ID.fullmatch(name):
                wrong = f"{one} cannot be called so. Between slashes: a-z, 0-9, hyphens inside and dots, such as /shop/cart."
                yield _fault(path, name, wrong)
            elif found.setdefault(name.lstrip("/"), name) != name:
                yield _fault(
                    path, name, f"the same id as {found[name.lstrip('/')]}. Keep one of them."
                )


def _groups():
    """What is no definition of a group."""
    for name, group in _mapping(settings["groups"]).items():
        if not isinstance(group, dict | None):
            shown = "(a list)" if isinstance(group, list) else group
            yield _fault(
                f"groups:{name}",
                shown,
                f"should be a mapping. Known: {', '.join(GROUP)}. null takes the group away.",
            )
        for key in set(_mapping(group)) - set(GROUP):
            yield _fault(
                f"groups:{name}:{key}", "(given)", f"no such key. Known: {', '.join(GROUP)}."
            )


def _deployment():
    """What no deployment can be."""
    deployment = _mapping(settings["deployment"])
    mode, owner = deployment.get("mode"), deployment.get("owner")
    if isinstance(mode, str) and mode not in ("merge", "replace"):
        yield _fault("deployment:mode", mode, "no such mode. Known: merge, replace.")
    if isinstance(owner, str) and not owner.strip():
        yield _fault("deployment:owner", owner, "nobody's name. Apps bear it as a label.")
    for key, least in (("timeout", 1), ("wait_for_lock", 0)):
        seconds = deployment.get(key)
        if type(seconds) is int and not least <= seconds <= 3600:
            yield _fault(
                f"deployment:{key}", seconds, f"should be a number of seconds from {least} to 3600."
            )
    if deployment.get("rollback") is True and deployment.get("wait") is False:
        yield _fault(
            "deployment:rollback",
            True,
            "needs wait: true. Only who waits sees what has to be undone.",
        )
