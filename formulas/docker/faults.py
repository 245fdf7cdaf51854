#!py
"""
What only Docker can know to be wrong with its settings. See common/faults.py, which runs this with ``settings``.
"""

import re

# Flags whose key in daemon.json is not the flag's own name -> that key.
KEYS = {
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


def _fault(key, value, wrong):
    """A fault; common/faults.py makes a sentence of it, without secrets."""
    return key, value, wrong


def run():
    """Return a list of faults: setting, value, and what is wrong with it."""
    packages = __salt__["slsutil.renderer"]("salt://docker/packages.yaml", default_renderer="yaml")
    package, version = settings["package"], settings["version"]
    options = settings["options"] if isinstance(settings["options"], dict) else {}
    faults = []
    if not isinstance(package, str):
        return faults
    if package not in packages:
        return [_fault("package", package, f"no such package. Known: {', '.join(packages)}.")]
    if version is not None and not (
        isinstance(version, str) and re.match(r"\d+(\.\d+){1,2}$", version)
    ):
        wrong = (
            "not a version. A version looks like '1.13.1', in quotes; the rest goes into release."
        )
        faults.append(_fault("version", version, wrong))
    options = {name: value for name, value in options.items() if value is not None}
    return faults + list(_options(options, package, packages[package]["taken"]))


def _options(options, package, taken):
    """What keeps dockerd from starting, in the keys of daemon.json."""
    for name in taken:
        if name in options:
            wrong = f"the unit of {package} has this on the command line already; twice, dockerd does not start."
            yield _fault(f"options:{name}", options[name], wrong)
    for name, value in options.items():
        if value in ("true", "false"):
            yield _fault(
                f"options:{name}",
                value,
                "text, where dockerd takes a boolean. Take the quotes away.",
            )
    if package == "docker" and "data-root" in options:
        yield _fault(
            "options:data-root",
            options["data-root"],
            "no option of docker 1.13. There it is called graph.",
        )
    if package == "docker" and isinstance(settings["flags"], list):
        for flag in settings["flags"]:
            name = str(flag).lstrip("-").split("=")[0]
            key = KEYS.get(name, name)
            if key in options:
                wrong = (
                    f"also in options:{key}; twice, dockerd does not start. Take one of them out."
                )
                yield _fault("flags", flag, wrong)
    log, limits = options.get("log-driver"), options.get("log-opts")
    if isinstance(limits, dict):
        for name, value in limits.items():
            if value is not None and not isinstance(value, str):
                yield _fault(
                    f"options:log-opts:{name}",
                    value,
                    "not text. dockerd takes nothing else here: quote it.",
                )
            elif name in ("max-size", "max-file") and log not in ("json-file", "local"):
                wrong = f"no option of the log driver {log}. Set log-opts to null, or name the ones it has."
                yield _fault(f"options:log-opts:{name}", value, wrong)
