"""
Make the canonical form of an app: translate deprecated fields, add defaults, drop lost fields.

Since 1.5 Marathon stores the canonical form only. Older versions store the old fields of networks
and ports.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from .errors import Line, Refused, invalid, misshapen

App = dict[str, Any]

ARCHIVES = (".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".gz", ".tgz", ".tbz2", ".txz", ".zip")
MARATHON_CHECKS = ("HTTP", "HTTPS", "TCP")
DEFAULT_PORT = {"port": 0, "name": "default", "protocol": "tcp"}
DEFAULT_MAPPING = {
    "containerPort": 0,
    "servicePort": 0,
    "protocol": "tcp",
    "name": "default",
    "labels": {},
}
READINESS = {
    "name": "readinessCheck", "protocol": "HTTP", "path": "/", "portName": "http-api",
    "intervalSeconds": 30,
    "timeoutSeconds": 10, "httpStatusCodesForReady": [200], "preserveLastResponse": False,
}  # fmt: skip
RESIDENCY = {"relaunchEscalationTimeoutSeconds": 3600, "taskLostBehavior": "WAIT_FOREVER"}
NO_NETWORK_NAME = "Network name must be specified when container network is selected."
TRANSIENT = ("version", "uris", "ports", "ipAddress", "storeUrls")


class Settings(NamedTuple):
    """The configuration of a Marathon that affects apps."""

    release: tuple[int, ...]
    default_network: str | None = None
    bridge: str = "mesos-bridge"
    role: str = "*"
    roles: tuple[str, ...] = ("*",)
    features: tuple[str, ...] = ()
    deprecated: tuple[str, ...] = ()

    @property
    def line(self) -> Line:
        """The version without its last number."""
        return self.release[:2]


def absolute(path: str, base: str = "/") -> str:
    """Resolve an id against a group: no slash at the end; ``.`` and ``..`` work as in paths."""
    full = path if path.startswith("/") else f"{base}/{path}"
    parts: list[str] = []
    for part in full.split("/"):
        if part == "..":
            parts[-1:] = []
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def parent(path: str) -> str:
    """Return the group of an id."""
    return absolute(path.rpartition("/")[0])


def default_launch_delay(line: Line) -> int:
    """Return the default of maxLaunchDelaySeconds."""
    return 3600 if line < (1, 8) else 300


def default_unreachable(release: tuple[int, ...], resident: bool) -> Any:
    """Return the default of unreachableStrategy."""
    if resident:
        early = (1, 4) <= release < (1, 4, 2)
        return (
            {"inactiveAfterSeconds": 3600, "expungeAfterSeconds": 604800} if early else "disabled"
        )
    slow = (1, 4) <= release < (1, 4, 9) or release[:3] == (1, 5, 0)
    return {"inactiveAfterSeconds": 300, "expungeAfterSeconds": 600} if slow else {
        "inactiveAfterSeconds": 0, "expungeAfterSeconds": 0
    }  # fmt: skip


# --- fields deprecated since 1.5 ---


def translate(definition: App, settings: Settings, update: bool) -> App:
    """
    Translate deprecated fields of an app, or of an update of an app. No defaults are added.

    Raises Refused if old and new fields are mixed. Before 1.5 only ``uris`` and ``ports`` are
    translated.
    """
    app = copy.deepcopy(definition)
    _check_given(app, settings.line)
    if app.get("uris"):
        app["fetch"] = [{"uri": uri, "extract": uri.endswith(ARCHIVES)} for uri in app["uris"]]
    if "ports" in app and "portDefinitions" not in app:
        app["portDefinitions"] = [{"port": port, "protocol": "tcp"} for port in app["ports"]]
    if settings.line >= (1, 5):
        _translate_networks(app, settings)
        if not update and not is_host(app) and (count := len(app.get("portDefinitions", []))):
            mappings = app.setdefault("container", {"type": "MESOS"}).setdefault("portMappings", [])
            mappings += [{} for _ in range(count - len(mappings))]
    elif app.get("ipAddress") is not None:
        app["ipAddress"] = {
            "groups": [],
            "labels": {},
            "discovery": {"ports": []},
            **app["ipAddress"],
        }
    ports = update or app.get("portDefinitions") or (app.get("container") or {}).get("portMappings")
    ports = ports or ((app.get("container") or {}).get("docker") or {}).get("portMappings")
    if ports or (
        settings.line < (1, 5) and "portDefinitions" not in app and app.get("ipAddress") is None
    ):
        for check in app.get("healthChecks", []):
            if check.get("protocol", "HTTP") != "COMMAND" and "port" not in check:
                check.setdefault("portIndex", 0)
    return {
        name: value
        for name, value in app.items()
        if name not in TRANSIENT or (name == "ipAddress" and settings.line < (1, 5))
    }


def _check_given(app: App, line: Line) -> None:
    """Raise Refused if fields exclude each other, or if the canonical form would drop them."""
    container, docker = app.get("container") or {}, (app.get("container") or {}).get("docker") or {}
    ports, definitions = app.get("ports"), app.get("portDefinitions")
    fixed_ports = [port for port in ports or [] if port != 0]
    both_artifacts = bool(app.get("uris") and app.get("fetch"))
    both_ports = bool(
        ports and definitions and ports != [entry.get("port", 0) for entry in definitions]
    )
    address_and_ports = bool(app.get("ipAddress") is not None and (ports or definitions))
    if line < (1, 5):
        misshapen(
            [
                ("", f"You cannot specify both {fields}")
                for fields, conflict in (
                    ("uris and fetch fields", both_artifacts),
                    ("an IP address and ports", address_and_ports),
                    ("ports and port definitions", both_ports),
                )
                if conflict
            ]
            + [("/acceptedResourceRoles", "set must not be empty")]
            * (app.get("acceptedResourceRoles") == []),
            line,
        )
        return
    rules = (
        (both_artifacts, "/uris", "may not be set in conjunction with fetch"),
        (both_ports, "/", "cannot specify both ports and port definitions"),
        (address_and_ports, "/", "cannot specify both an IP address and port"),
        (len(fixed_ports) != len(set(fixed_ports)), "/", "ports must be unique"),
        (app.get("acceptedResourceRoles") == [], "/acceptedResourceRoles", "must not be empty"),
        (
            docker.get("network") and app.get("networks"),
            "/",
            "must not specify both container.docker.network and networks",
        ),
        (
            app.get("ipAddress") is not None and app.get("networks"),
            "/",
            "must not specify both networks and ipAddress",
        ),
        (
            docker.get("portMappings") and container.get("portMappings"),
            "/container",
            "cannot specify both portMappings and docker.portMappings",
        ),
    )
    invalid([(path, text) for conflict, path, text in rules if conflict])


def _translate_networks(app: App, settings: Settings) -> None:
    address = app.get("ipAddress")
    if address is not None:
        app.setdefault("container", {"type": "MESOS"})
    container = app.get("container")
    network = None
    if container is not None:
        docker = container.get("docker") or {}
        network = docker.pop("network", None)
        mappings = docker.pop("portMappings", None)
        if mappings is not None and not container.get("portMappings"):
            container["portMappings"] = mappings
        discovered = ((address or {}).get("discovery") or {}).get("ports", [])
        if discovered:
            if container.get("type", "DOCKER") != "MESOS":
                text = "ipAddress/discovery is not allowed for Docker containers"
                invalid([("/ipAddress", text)])
            container["portMappings"] = [
                {
                    "containerPort": port["number"],
                    **{name: port[name] for name in port if name != "number"},
                }
                for port in discovered
            ]
    name = (address or {}).get("networkName")
    if network == "BRIDGE" or (network is None and address is not None and name == settings.bridge):
        app["networks"] = [{"mode": "container/bridge"}]
    elif network == "HOST":
        app["networks"] = [{"mode": "host"}]
    elif network == "USER" or address is not None:
        labels = (address or {}).get("labels")
        app["networks"] = [
            {
                "mode": "container",
                **({"name": name} if name else {}),
                **({"labels": labels} if labels else {}),
            }
        ]
    elif network is not None:
        raise Refused(422, f"unsupported docker network type {network}")


# --- properties of an app, canonical or not ---


def is_host(app: App) -> bool:
    """Return whether the app uses the host network."""
    if app.get("networks"):
        return all(network.get("mode", "container") == "host" for network in app["networks"])
    docker = (app.get("container") or {}).get("docker") or {}
    return app.get("ipAddress") is None and docker.get("network") not in ("BRIDGE", "USER")


def mappings(app: App) -> list[dict[str, Any]]:
    """Return the port mappings of an app's container."""
    container = app.get("container") or {}
    return (
        container.get("portMappings") or (container.get("docker") or {}).get("portMappings") or []
    )


def service_ports(app: App) -> list[tuple[dict[str, Any], str]]:
    """Return the places of an app's service ports: pairs of an entry and the name of its member."""
    if mappings(app):
        return [(entry, "servicePort") for entry in mappings(app)]
    return [(entry, "port") for entry in app.get("portDefinitions") or []]


def is_resident(app: App) -> bool:
    """Return whether the app has persistent volumes."""
    volumes = (app.get("container") or {}).get("volumes", [])
    return any("persistent" in volume for volume in volumes)


def has_external(app: App) -> bool:
    """Return whether the app has external volumes."""
    return any("external" in volume for volume in (app.get("container") or {}).get("volumes", []))


# --- defaults ---


def complete(app: App, settings: Settings) -> App:
    """Add all defaults, and drop the fields that Marathon drops. The function is idempotent."""
    line, definition = settings.line, copy.deepcopy(app)
    resident = is_resident(definition)
    full: App = {
        "instances": 1, "cpus": 1.0, "mem": 128.0, "disk": 0.0, "gpus": 0, "executor": "",
        "env": {}, "constraints": [],
        "fetch": [], "backoffSeconds": 1, "backoffFactor": 1.15,
        "maxLaunchDelaySeconds": default_launch_delay(line),
        "healthChecks": [], "readinessChecks": [], "dependencies": [], "labels": {}, "secrets": {},
        "requirePorts": False, "killSelection": "YOUNGEST_FIRST",
        "unreachableStrategy": default_unreachable(settings.release, resident),
        **definition,
    }  # fmt: skip
    for name in ("backoffSeconds", "maxLaunchDelaySeconds", "taskKillGracePeriodSeconds"):
        if name in full:
            full[name] = int(full[name])
    full["dependencies"] = [absolute(path, parent(full["id"])) for path in full["dependencies"]]
    full["constraints"] = [_constraint(entry, line) for entry in full["constraints"]]
    capacity = (0.5, 0) if resident or has_external(full) else (1, 1)
    full["upgradeStrategy"] = {
        "minimumHealthCapacity": capacity[0], "maximumOverCapacity": capacity[1],
        **full.get("upgradeStrategy", {})
    }  # fmt: skip
    if isinstance(full["unreachableStrategy"], dict):
        full["unreachableStrategy"] = {
            **default_unreachable(settings.release, False),
            **full["unreachableStrategy"],
        }
    full["fetch"] = [_artifact(entry, settings.release) for entry in full["fetch"]]
    full["healthChecks"] = [health_check(check, line) for check in full["healthChecks"]]
    full["readinessChecks"] = [{**READINESS, **check} for check in full["readinessChecks"]]
    if resident:
        full["residency"] = {**RESIDENCY, **full.get("residency", {})}
        if line >= (1, 8):
            full["residency"]["relaunchEscalationTimeoutSeconds"] = 3600
    elif line >= (1, 8):
        full.pop("residency", None)
    if "executorResources" in full:
        full["executorResources"] = {
            "cpus": 0.1,
            "mem": 32,
            "disk": 10,
            **full["executorResources"],
        }
    if "check" in full:
        full["check"] = {
            "intervalSeconds": 60,
            "timeoutSeconds": 20,
            "delaySeconds": 15,
            **full["check"],
        }
        if isinstance(full["check"].get("http"), dict):
            full["check"]["http"] = {"scheme": "HTTP", **full["check"]["http"]}
    if line < (1, 8) and not full.get("tty"):
        full.pop("tty", None)
    if not full.get("acceptedResourceRoles"):
        full.pop("acceptedResourceRoles", None)
    if line >= (1, 5):
        _complete_networks(full, settings)
    else:
        _complete_old_networks(full, settings.line)
    if line >= (1, 9):
        full.setdefault("role", settings.role)
        _sanitise_roles(full, settings)
    return full


def _constraint(entry: list[str], line: Line) -> list[str]:
    """Return a constraint without an empty value. Since 1.8 UNIQUE is refused with one."""
    if line >= (1, 8) and entry[1:2] == ["UNIQUE"]:
        return entry
    checked_count = 2 if line >= (1, 8) else 0
    return entry[:checked_count] + [text for text in entry[checked_count:] if text != ""]


def health_check(check: dict[str, Any], line: Line) -> dict[str, Any]:
    """Add the defaults of a health check, and drop the members that its protocol does not have."""
    full = {
        "protocol": "HTTP", "gracePeriodSeconds": 300, "intervalSeconds": 60, "timeoutSeconds": 20,
        "maxConsecutiveFailures": 3, **check,
    }  # fmt: skip
    protocol = full["protocol"]
    lost = {"COMMAND": ("path", "port", "portIndex", "ignoreHttp1xx", "ipProtocol")}.get(
        protocol, ("command",)
    )
    if protocol not in ("HTTP", "HTTPS"):
        lost += ("ignoreHttp1xx",)
    if protocol in ("TCP", "MESOS_TCP"):
        lost += ("path",)
    full = {name: value for name, value in full.items() if name not in lost}
    if protocol in ("HTTP", "HTTPS"):
        full["ignoreHttp1xx"] = False if line >= (1, 5) else full.get("ignoreHttp1xx", False)
    if protocol in MARATHON_CHECKS:
        full.pop("delaySeconds", None)
    if line >= (1, 5) or (line >= (1, 4) and protocol not in MARATHON_CHECKS):
        full.setdefault("delaySeconds", 15)
    if line >= (1, 6):
        full.setdefault("ipProtocol", "IPv4")
        if not protocol.startswith("MESOS_"):
            full["ipProtocol"] = "IPv4"
    else:
        full.pop("ipProtocol", None)
    return full


def _complete_networks(app: App, settings: Settings) -> None:
    networks = []
    for index, entry in enumerate(app.get("networks") or [{"mode": "host"}]):
        network = {"mode": "container", **entry}
        if network["mode"] == "container" and "name" not in network:
            if not settings.default_network:
                if settings.line >= (1, 8):
                    invalid([("/networks", NO_NETWORK_NAME)])
                text = "no network name specified and no default network defined"
                invalid([(f"/networks({index})", text)])
            network["name"] = settings.default_network
        if not network.get("labels"):
            network.pop("labels", None)
        networks.append(network)
    app["networks"] = networks
    host, bridged = is_host(app), any(network["mode"] == "container/bridge" for network in networks)
    if not host and not app.get("container"):
        app["container"] = {"type": "MESOS"}
    if container := app.get("container"):
        _complete_container(container, settings.release)
        if host:
            container.pop("portMappings", None)
        else:
            entries = container.get("portMappings")
            container["portMappings"] = [
                _mapping(entry, bridged)
                for entry in ([DEFAULT_MAPPING] if entries is None else entries)
            ]
    if host:
        definitions = app.get("portDefinitions")
        app["portDefinitions"] = [
            {
                name: value
                for name, value in {"port": 0, "protocol": "tcp", **entry}.items()
                if value != {}
            }
            for entry in ([DEFAULT_PORT] if definitions is None else definitions)
        ]
    else:
        app.pop("portDefinitions", None)
        app["requirePorts"] = False


def _artifact(entry: dict[str, Any], release: tuple[int, ...]) -> dict[str, Any]:
    """Add the defaults of an artifact. Its file name was called outputFile before 1.4.6."""
    name_field = (
        "outputFile"
        if (1, 3) <= release < (1, 4, 6)
        else "destPath"
        if release >= (1, 4, 6)
        else None
    )
    fields = {
        name: value
        for name, value in entry.items()
        if name not in ("outputFile", "destPath") or name == name_field
    }
    return {"extract": True, "executable": False, "cache": False, **fields}


def _mapping(entry: dict[str, Any], bridged: bool) -> dict[str, Any]:
    full = {"containerPort": 0, "servicePort": 0, "protocol": "tcp", "labels": {}, **entry}
    if not full.get("networkNames"):
        full.pop("networkNames", None)
    if full["protocol"] == "tcp,udp":
        full["protocol"] = "udp,tcp"
    if bridged:
        full.setdefault("hostPort", 0)
    return full


def _complete_container(container: dict[str, Any], release: tuple[int, ...]) -> None:
    container.setdefault("type", "DOCKER")
    if "appc" in container:
        container["appc"] = {"forcePullImage": False, **container["appc"]}
    if "linuxInfo" in container and release[:2] == (1, 8):
        container["linuxInfo"] = {
            name: value for name, value in container["linuxInfo"].items() if name != "ipcInfo"
        }
    container["volumes"] = [_volume(volume, release) for volume in container.get("volumes", [])]
    if docker := container.get("docker"):
        defaults = {"forcePullImage": False, "privileged": False, "parameters": []}
        lost = defaults if container["type"] == "MESOS" else {}
        fields = {
            name: value
            for name, value in docker.items()
            if name == "forcePullImage" or name not in lost
        }
        container["docker"] = {**defaults, **fields}


def _volume(volume: dict[str, Any], release: tuple[int, ...]) -> dict[str, Any]:
    full = dict(volume)
    if "persistent" in full:
        profiled = release >= (1, 8) and "profileName" in full["persistent"]
        full["persistent"] = {
            "type": "mount" if profiled else "root",
            "constraints": [],
            **full["persistent"],
        }
    if "external" in full:
        full["external"] = {name: value for name, value in full["external"].items() if value != {}}
        if release >= (1, 8, 222):
            full["external"].setdefault("shared", False)
    return full


def _complete_old_networks(app: App, line: Line) -> None:
    app.pop("networks", None)
    if container := app.get("container"):
        container.pop("portMappings", None)
        container.setdefault("type", "DOCKER")
        container["volumes"] = [_volume(volume, (1, 4)) for volume in container.get("volumes", [])]
        if docker := container.get("docker"):
            network = docker.get("network")
            defaults = {
                "network": None,
                "portMappings": [],
                "privileged": False,
                "parameters": [],
                "forcePullImage": False,
            }
            if container["type"] == "MESOS":
                fields = {
                    name: docker[name] for name in ("image", "forcePullImage") if name in docker
                }
                container["docker"] = {"credential": None, "forcePullImage": False, **fields}
            else:
                container["docker"] = {**defaults, **docker}
                container["docker"]["portMappings"] = [
                    _mapping(entry, network == "BRIDGE") for entry in docker.get("portMappings", [])
                ] if network in ("BRIDGE", "USER") else []  # fmt: skip
    if app.get("ipAddress") is None:
        definitions = app.get("portDefinitions")
        default = DEFAULT_PORT if line >= (1, 4) else {}
        app["portDefinitions"] = [
            {"port": 0, "protocol": "tcp", "labels": {}, **entry}
            for entry in ([default] if definitions is None else definitions)
        ]


def _sanitise_roles(app: App, settings: Settings) -> None:
    """
    Drop accepted roles that the role of the app excludes. 1.10 does so only with a deprecated
    feature.
    """
    roles = app.get("acceptedResourceRoles")
    sanitises = settings.line == (1, 9) or "sanitize_accepted_resource_roles" in settings.deprecated
    if roles and sanitises:
        app["acceptedResourceRoles"] = [role for role in roles if role in ("*", app["role"])] or [
            "*"
        ]
