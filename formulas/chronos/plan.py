#!py
"""
The files of Chronos, made from the settings (keyword ``settings``).

Returns ``launcher`` (old or new), the result of options.py as ``known_options``, ``authenticates``
(whether this version sends its secret to the masters), and what belongs where: ``flags`` in files
of the conf directory, ``variables`` in the environment file, ``secrets`` in another that only root
can read.
"""

import re

# Options that are settings, because the formula or the firewall needs them.
OPTIONS = ("master", "zk_hosts", "http_port", "hostname")

# The variables of secrets, which must not be on the command line.
SECRETS = {
    "http_credentials": "MESOSPHERE_HTTP_CREDENTIALS",
    "ssl_keystore_password": "MESOSPHERE_KEYSTORE_PASS",
}

# Packages built on this day or later have the launcher that adds zk_hosts and master only if they
# are not set.
NEW_LAUNCHER_SINCE = "20160322"

# The first version that sends `<ByteString@...>` to the masters instead of the secret in its file,
# and the first one that sends the secret again.
BROKEN_SINCE, BROKEN_BEFORE = [2, 5], [3, 0, 2]


def run():
    """Return the plan."""
    launcher = _launcher()
    known_options = tree.run("chronos/options.py", version=settings["version"])
    variables = {
        "JAVA_OPTS": settings["java_opts"],
        "LIBPROCESS_PORT": settings["libprocess_port"],
        "LIBPROCESS_IP": settings["libprocess_ip"],
    }
    variables.update(settings["environment"])
    secrets = {variable: settings[name] for name, variable in SECRETS.items()}
    return {
        "launcher": launcher,
        "authenticates": _authenticates(),
        "known_options": known_options,
        "flags": _flags(launcher, known_options["types"]),
        "variables": {name: value for name, value in variables.items() if value is not None},
        "secrets": {name: value for name, value in secrets.items() if value is not None},
    }


def _flags(launcher, types):
    """Return the options as mesos.flags_managed takes them."""
    omitted = ("master", "zk_hosts") if launcher == "old" else ()
    flags = {
        name: settings[name]
        for name in OPTIONS
        if settings[name] is not None and name not in omitted
    }
    # With a wrong secret it would be refused, also by masters that do not demand any.
    if settings["mesos_authentication_secret"] is not None and _authenticates():
        flags["mesos_authentication_secret_file"] = "/etc/chronos/mesos-authentication-secret"
    for name, value in settings["options"].items():
        if value is True:
            flags[f"?{name}"] = True
        elif value is False and types.get(name) == "toggle":
            flags[f"?disable_{name}"] = True
        elif value is not None and value is not False:
            flags[name] = value
    return flags


def _launcher():
    """Return the launcher in the package, old or new."""
    if settings["launcher"] in ("old", "new"):
        return settings["launcher"]
    build = re.search(r"\.(20\d{6})", str(settings["release"]))
    if build:
        return "new" if build.group(1) >= NEW_LAUNCHER_SINCE else "old"
    return "new" if _numbers() >= [2, 5] else "old"


def _authenticates():
    """Return whether this version sends the secret that it was given."""
    return not BROKEN_SINCE <= _numbers() < BROKEN_BEFORE


def _numbers():
    return [int(number) for number in re.findall(r"\d+", str(settings["version"]))]
