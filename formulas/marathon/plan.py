#!py
"""
What this version of Marathon is to find where, out of the merged settings (the global ``settings``). See eras.yaml.

Returns ``era``, ``splits``, the paths ``environment`` and ``leftovers``, and what goes where: ``flags`` into files
of the conf directory, ``variables`` into the environment file, ``secrets`` into another that only root can read.
"""

import re

# Options that are settings, for the formula or the firewall has to know them.
OPTIONS = ("master", "zk", "http_port", "https_port", "hostname", "mesos_user")

# The variables of secrets: on no command line, whatever the version.
SECRETS = {
    "http_credentials": "MESOSPHERE_HTTP_CREDENTIALS",
    "ssl_keystore_password": "MESOSPHERE_KEYSTORE_PASS",
    "mesos_authentication_secret": "MARATHON_MESOS_AUTHENTICATION_SECRET",
}


def run():
    """Return the plan; for a version that is none, the one of the newest."""
    data = __salt__["slsutil.renderer"]("salt://marathon/eras.yaml", default_renderer="yaml")
    version = settings["version"]
    if version == "installed":
        version = __salt__["pkg.version"]("marathon")
    numbers = _numbers(version)
    fitting = [era for era in data["eras"] if numbers is None or _numbers(era["since"]) <= numbers]
    era = fitting[-1]

    options = {name: settings[name] for name in OPTIONS if settings[name] is not None}
    for name, value in settings["options"].items():
        if value is True:
            options[name] = None
        elif value is False and name in data["toggles"]:
            options[f"disable_{name}"] = None
        elif value is not None and value is not False:
            options[name] = value

    variables = {
        "JAVA_OPTS": settings["java_opts"],
        "LIBPROCESS_PORT": settings["libprocess_port"],
        "LIBPROCESS_IP": settings["libprocess_ip"],
        **settings["environment"],
    }
    secrets = {variable: settings[name] for name, variable in SECRETS.items()}
    flags = {}
    for name, value in options.items():
        if re.search("://[^/]*@", str(value)):
            secrets[f"MARATHON_{name.upper()}"] = value
        elif era["options"] == "variables":
            variables[f"MARATHON_{name.upper()}"] = "" if value is None else value
        else:
            flags.update({f"?{name}": True} if value is None else {name: value})
    return {
        **era,
        **data["places"][era["options"]],
        "toggles": data["toggles"],
        "switches": data["switches"],
        "version": numbers,
        "flags": flags,
        "variables": {name: value for name, value in variables.items() if value is not None},
        "secrets": {name: value for name, value in secrets.items() if value is not None},
    }


def _numbers(version):
    """``1.4.13-1.0.678.el7`` as (1, 4, 13), to be compared; None if it is no version."""
    match = re.match(r"(?:\d+:)?(\d+)\.(\d+)(?:\.(\d+))?(?=-|$)", str(version))
    return match and tuple(int(number or 0) for number in match.groups())
