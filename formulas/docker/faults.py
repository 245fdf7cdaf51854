#!py
"""The errors in the settings of Docker. common/validation.py renders this: see common/checks.py."""

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


def run():
    """Return the errors: setting, value, message."""
    packages = __salt__["slsutil.renderer"]("salt://docker/versions.yaml", default_renderer="yaml")
    package = settings["package"]
    errors = list(checks.choice("package", package, packages))
    if errors or not isinstance(package, str):
        return errors
    options = {name: value for name, value in settings["options"].items() if value is not None}
    return [
        *checks.optional_version("version", settings["version"], "1.13.1"),
        *_unit_options(package, packages[package]["unit_options"], options),
        *_values(options),
        *(_docker_1_13(options) if package == "docker" else ()),
        *_log_options(options.get("log-driver"), checks.as_mapping(options.get("log-opts"))),
    ]


def _unit_options(package, names, options):
    for name in names:
        if name in options:
            message = (
                f"the unit of {package} sets this on the command line. "
                "dockerd does not start with an option in both places."
            )
            yield f"options:{name}", options[name], message


def _values(options):
    for name, value in options.items():
        if value in ("true", "false"):
            yield f"options:{name}", value, "is text, but dockerd needs a boolean: no quotes."


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
                f"set twice, here and in options:{key}. dockerd does not start then. Remove one."
            )
            yield "flags", flag, message


def _log_options(driver, options):
    for name, value in options.items():
        setting = f"options:log-opts:{name}"
        if value is not None and not isinstance(value, str):
            yield setting, value, "should be text, dockerd takes nothing else here: quote it."
        elif name in ("max-size", "max-file") and driver not in ("json-file", "local"):
            message = (
                f"the log driver {driver} does not have this option. "
                "Set log-opts to null, or to options of the driver."
            )
            yield setting, value, message
