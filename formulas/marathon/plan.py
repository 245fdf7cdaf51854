#!py
"""
The files of this version of Marathon, made from the settings (keyword ``settings``). See
versions.yaml.

Returns the generation of the version in versions.yaml, the paths ``environment`` and ``leftovers``,
the result of options.py as ``known_options``, and what belongs where: ``flags`` in files of the
conf directory, ``variables`` in the environment file, ``secrets`` in another that only root can
read.
"""

import re

# Options that are settings, because the formula or the firewall needs them.
OPTIONS = ("master", "zk", "http_port", "https_port", "hostname", "mesos_user")

# The variables of secrets. No version gets them on its command line.
SECRETS = {
    "http_credentials": "MESOSPHERE_HTTP_CREDENTIALS",
    "ssl_keystore_password": "MESOSPHERE_KEYSTORE_PASS",
    "mesos_authentication_secret": "MARATHON_MESOS_AUTHENTICATION_SECRET",
}

# Whose options there are where no version is known.
NEWEST = (1, 8, 244)


def run():
    """Return the plan. A text that is not a version gets the plan of the newest."""
    versions = tree.data("marathon/versions.yaml")
    version = settings["version"]
    if version == "installed":
        version = __salt__["pkg.version"]("marathon")
    numbers = _numbers(version)
    generation = _generation(versions["generations"], numbers)
    known_options = tree.run("marathon/options.py", version=".".join(map(str, numbers or NEWEST)))
    variables = {
        "JAVA_OPTS": settings["java_opts"],
        "LIBPROCESS_PORT": settings["libprocess_port"],
        "LIBPROCESS_IP": settings["libprocess_ip"],
    }
    variables.update(settings["environment"])
    secrets = {variable: settings[name] for name, variable in SECRETS.items()}
    flags = {}
    for name, value in _options(known_options["types"]).items():
        if re.search("://[^/]*@", str(value)):
            secrets[f"MARATHON_{str(name).upper()}"] = value
        elif generation["options"] == "variables":
            variables[f"MARATHON_{str(name).upper()}"] = "" if value is None else value
        elif value is None:
            flags[f"?{name}"] = True
        else:
            flags[name] = value
    plan = dict(generation, version=numbers, flags=flags)
    plan.update(versions["paths"][generation["options"]])
    plan["known_options"] = known_options
    plan["variables"] = {name: value for name, value in variables.items() if value is not None}
    plan["secrets"] = {name: value for name, value in secrets.items() if value is not None}
    return plan


def _generation(generations, numbers):
    """Return the generation of a version, or the last one."""
    if numbers is None:
        return generations[-1]
    return [entry for entry in generations if _numbers(entry["since"]) <= numbers][-1]


def _options(types):
    """Return the options by name; those without a value have None."""
    options = {name: settings[name] for name in OPTIONS if settings[name] is not None}
    for name, value in settings["options"].items():
        if value is True:
            options[name] = None
        elif value is False and types.get(name) == "toggle":
            options[f"disable_{name}"] = None
        elif value is not None and value is not False:
            options[name] = value
    return options


def _numbers(version):
    """Return ``1.4.13-1.0.678.el7`` as (1, 4, 13), to compare it; None if it is not a version."""
    match = re.match(r"(?:\d+:)?(\d+)\.(\d+)(?:\.(\d+))?(?=-|$)", str(version))
    return match and tuple(int(number or 0) for number in match.groups())
