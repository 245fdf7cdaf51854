#!py
"""The errors in the settings of Marathon.

common/validation.py renders this: see common/checks.py.
"""

import re

OWN_OPTIONS = (
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

# The id of an app or a group, with or without a slash in front.
ID = re.compile(r"/?[a-z0-9]([a-z0-9-]*[a-z0-9])?([./][a-z0-9]([a-z0-9-]*[a-z0-9])?)*")

GROUP_KEYS = ("apps", "groups", "dependencies", "purge")


DEFAULT_MASTER = "zk://localhost:2181/mesos"

roles = ()


def run():
    """Return the errors: setting, value, message."""
    return [
        *_ids("apps", "an app"),
        *_ids("groups", "a group"),
        *_groups(settings["groups"]),
        *_deployment(settings["deployment"]),
        *_daemon(settings["version"]),
    ]


def _daemon(version):
    """Return the errors in what the program reads."""
    if not isinstance(version, str):
        return []
    if version != "installed":
        errors = list(checks.version("version", version, "1.8.244, or: installed"))
        if errors:
            return errors
    plan = tree.run("marathon/plan.py", settings=settings)
    if plan["version"] is None:
        message = "Marathon is not installed. Name a version, such as 1.8.244."
        return [("version", version, message)]
    common_errors = tree.run(
        "common/framework_errors.py",
        formula="marathon",
        settings=settings,
        checks=checks,
        own_options=OWN_OPTIONS,
        known_options=plan["known_options"],
        version=".".join(str(number) for number in plan["version"]),
    )
    return [*_urls(), *_secret(plan["version"]), *_split_values(plan), *common_errors]


def _urls():
    master = settings["master"]
    yield from checks.zookeeper_url("zk", settings["zk"], "/marathon")
    if isinstance(master, str) and not re.fullmatch(r"\S+", master):
        message = "not the URL of the Mesos masters. Example: zk://10.0.0.1:2181/mesos."
        yield "master", master, message
    mesos = checks.as_mapping(__pillar__.get("mesos"))
    if (
        {"mesos-master", "mesos-slave"} & set(roles)
        and "zk" not in mesos
        and master != DEFAULT_MASTER
    ):
        message = (
            f"but mesos:zk is not set, so Mesos on this node would use {DEFAULT_MASTER}. "
            "Set mesos:zk as well."
        )
        yield "master", master, message


def _secret(version):
    """Yield a secret that everyone can read, or that Marathon would not use, and doubled ones."""
    secret, options = settings["mesos_authentication_secret"], settings["options"]
    secret_file = options.get("mesos_authentication_secret_file")
    authenticates = options.get("mesos_authentication") is True
    principal = options.get("mesos_authentication_principal")
    if secret is not None and version < (1, 3, 7):
        message = "this version shows it in the list of processes. Upgrade to 1.3.7 or later."
        yield "mesos_authentication_secret", "(hidden)", message
    elif secret is not None and secret_file is not None:
        message = "marathon:mesos_authentication_secret is set as well. Keep one of them."
        yield "options:mesos_authentication_secret_file", secret_file, message
    elif secret is not None and not authenticates:
        message = (
            "Marathon would register without it. "
            "Set marathon:options:mesos_authentication: true as well."
        )
        yield "mesos_authentication_secret", "(hidden)", message
    elif secret_file is not None and not authenticates and version >= (1, 3, 0):
        message = (
            "Marathon would register without the secret in it. "
            "Set marathon:options:mesos_authentication: true as well."
        )
        yield "options:mesos_authentication_secret_file", secret_file, message
    elif options.get("mesos_authentication") is not None and principal is None:
        message = "Marathon would exit: it needs the option mesos_authentication_principal as well."
        yield "options:mesos_authentication", options["mesos_authentication"], message


def _split_values(plan):
    """Yield values that the launcher would take apart.

    Generation 1 has variables for secrets alone.
    """
    if not plan["splits_values"]:
        return
    for name, value in {**plan["variables"], **plan["secrets"]}.items():
        if name.startswith("MARATHON_") and re.search(r"[\s*?\[]", str(value)):
            option = name[len("MARATHON_") :].lower()
            setting = option if option in OWN_OPTIONS else f"options:{option}"
            message = (
                f"the launcher of Marathon {settings['version']} splits values at spaces and "
                "expands * ? [ in them. 1.5.10, 1.6.535 and later do not."
            )
            yield setting, "(hidden)" if name in plan["secrets"] else value, message


def _ids(section, noun):
    """Yield ids that Marathon does not accept, and those that are there twice."""
    names = {}
    for name in settings[section]:
        if not isinstance(name, str) or not ID.fullmatch(name):
            message = (
                f"not an id that {noun} can have. Between slashes: a-z, 0-9, dots, and hyphens "
                "inside. Example: /shop/cart."
            )
            yield f"{section}:{name}", name, message
            continue
        first_name = names.setdefault(name.lstrip("/"), name)
        if first_name != name:
            yield f"{section}:{name}", name, f"the same id as {first_name}. Keep one of them."


def _groups(groups):
    keys = ", ".join(GROUP_KEYS)
    for name, group in groups.items():
        if group is not None and not isinstance(group, dict):
            value = "(a list)" if isinstance(group, list) else group
            message = f"should be a mapping. Known: {keys}. null deletes the group."
            yield f"groups:{name}", value, message
        for key in set(checks.as_mapping(group)) - set(GROUP_KEYS):
            yield f"groups:{name}:{key}", "(not shown)", f"no such key. Known: {keys}."


def _deployment(deployment):
    owner = deployment.get("owner")
    if not owner.strip():
        yield "deployment:owner", owner, "should not be empty: apps get it as a label."
    for key, minimum in (("timeout", 1), ("wait_for_lock", 0)):
        seconds = deployment.get(key)
        if not minimum <= seconds <= 3600:
            message = f"should be a number of seconds from {minimum} to 3600."
            yield f"deployment:{key}", seconds, message
    if deployment.get("rollback") is True and deployment.get("wait") is False:
        message = "needs wait: true, to see which deployments fail."
        yield "deployment:rollback", True, message
