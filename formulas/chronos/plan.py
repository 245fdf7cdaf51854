#!py
"""
What Chronos is to find where, out of the merged settings (the global ``settings``).

Returns ``launcher`` (old or new), ``flags`` for files of the conf directory, ``variables`` for the environment file,
and ``secrets`` for another that only root can read.
"""

import re

# Options that are settings, for the formula or the firewall has to know them.
OPTIONS = ("master", "zk_hosts", "http_port", "hostname")

# Without a value: true is the name alone, false is disable_ and the name.
TOGGLES = ("http_compression", "mail_ssl", "mesos_checkpoint", "revive_offers_for_new_jobs")

# Without a value, and without the other form: false is to leave them out.
SWITCHES = ("disable_http",)

# The variables of secrets: on no command line.
SECRETS = {
    "http_credentials": "MESOSPHERE_HTTP_CREDENTIALS",
    "ssl_keystore_password": "MESOSPHERE_KEYSTORE_PASS",
}

# From here on packages have the launcher that adds zk_hosts and master only if they are not given.
NEW = "20160322"


def run():
    """Return the plan."""
    launcher = _launcher()
    left_out = ("master", "zk_hosts") if launcher == "old" else ()
    options = {
        name: settings[name]
        for name in OPTIONS
        if settings[name] is not None and name not in left_out
    }
    if settings["mesos_authentication_secret"] is not None:
        options["mesos_authentication_secret_file"] = "/etc/chronos/mesos-authentication-secret"
    for name, value in settings["options"].items():
        if value is True:
            options[f"?{name}"] = True
        elif value is False and name in TOGGLES:
            options[f"?disable_{name}"] = True
        elif value is not None and value is not False:
            options[name] = value
    variables = {
        "JAVA_OPTS": settings["java_opts"],
        "LIBPROCESS_PORT": settings["libprocess_port"],
        "LIBPROCESS_IP": settings["libprocess_ip"],
        **settings["environment"],
    }
    return {
        "launcher": launcher,
        "toggles": TOGGLES,
        "switches": SWITCHES,
        "flags": options,
        "variables": {name: value for name, value in variables.items() if value is not None},
        "secrets": {
            variable: settings[name]
            for name, variable in SECRETS.items()
            if settings[name] is not None
        },
    }


def _launcher():
    """Which launcher the package has: what the setting says, or else its release or version."""
    if settings["launcher"] in ("old", "new"):
        return settings["launcher"]
    built = re.search(r"\.(20\d{6})", str(settings["release"]))
    if built:
        return "new" if built[1] >= NEW else "old"
    numbers = [int(number) for number in re.findall(r"\d+", str(settings["version"]))]
    return "new" if numbers >= [2, 5] else "old"
