#!py
"""The errors in the settings of Docker. common/validation.py renders this: see common/checks.py."""

import difflib
import ipaddress
import re

HOST_AND_PORT = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")

# Flags of dockerd whose key in daemon.json has another name.
DAEMON_JSON_KEYS = {
    "H": "hosts",
    "add-runtime": "runtimes",
    "authorization-plugin": "authorization-plugins",
    "exec-opt": "exec-opts",
    "g": "graph",
    "host": "hosts",
    "insecure-registry": "insecure-registries",
    "l": "log-level",
    "label": "labels",
    "log-opt": "log-opts",
    "registry-mirror": "registry-mirrors",
    "s": "storage-driver",
    "storage-opt": "storage-opts",
}


# The types of the settings, from types.yaml.
types = {}


def run():
    """Return the errors: setting, value, message."""
    packages = tree.data("docker/versions.yaml")
    package = settings["package"]
    options = {name: value for name, value in settings["options"].items() if value is not None}
    return [
        *checks.optional_version("version", settings["version"], "1.13.1"),
        *_unit_options(package, packages[package]["unit_options"], options),
        *_names(options),
        *_registries(options),
        *(_docker_1_13(options) if package == "docker" else ()),
        *_log_options(options.get("log-driver"), checks.as_mapping(options.get("log-opts"))),
    ]


def _names(options):
    """Yield misspelt options. dockerd does not start with an option that it does not know."""
    names = [name for name in types["options"] if not name.startswith("<")]
    for name, value in options.items():
        key = DAEMON_JSON_KEYS.get(name)
        match = difflib.get_close_matches(name.replace("_", "-"), names, 1, cutoff=0.85)
        if key:
            yield f"options:{name}", value, f"a flag of dockerd. Its name in daemon.json is {key}."
        elif name not in names and match:
            yield f"options:{name}", value, f"no such option. Did you mean {match[0]}?"


def _registries(options):
    for registry in options.get("insecure-registries", []):
        if not HOST_AND_PORT.fullmatch(registry) and not _is_network(registry):
            message = (
                "should be host:port or a network, without a scheme and a path. "
                "Example: registry.example.org:5000."
            )
            yield "options:insecure-registries", registry, message
    for mirror in options.get("registry-mirrors", []):
        if not re.fullmatch(r"https?://[^\s/?#@]+/?", mirror):
            message = (
                "should be http:// or https:// and a host, without a path. "
                "Example: https://mirror.example.org."
            )
            yield "options:registry-mirrors", mirror, message
    for name in ("labels", "storage-opts", "exec-opts"):
        for item in options.get(name, []):
            if "=" not in item or item.startswith("="):
                yield f"options:{name}", item, "should be name=value."


def _is_network(value):
    try:
        return "/" in value and bool(ipaddress.ip_network(value, strict=False))
    except ValueError:
        return False


def _unit_options(package, names, options):
    for name in names:
        if name in options:
            message = (
                f"the unit of {package} sets this on the command line. "
                "dockerd does not start with an option in both places."
            )
            yield f"options:{name}", options[name], message


def _docker_1_13(options):
    """Yield the errors of the package ``docker``, which has flags as well."""
    if "data-root" in options:
        message = "docker 1.13 does not have this option. Its name there is graph."
        yield "options:data-root", options["data-root"], message
    for flag in checks.as_list(settings["flags"]):
        name = str(flag).lstrip("-").split("=")[0]
        key = DAEMON_JSON_KEYS.get(name, name)
        if key in options:
            message = (
                f"set twice, here and in options:{key}, so dockerd would not start. Remove one."
            )
            yield "flags", flag, message


def _log_options(driver, options):
    for name, value in options.items():
        setting = f"options:log-opts:{name}"
        if not isinstance(value, str):
            yield (
                setting,
                value,
                "should be text, since dockerd accepts nothing else here. Put it in quotes.",
            )
        elif name in ("max-size", "max-file") and driver not in ("json-file", "local"):
            message = (
                f"the log driver {driver} does not have this option. "
                "Set log-opts to null, or to options of the driver."
            )
            yield setting, value, message
