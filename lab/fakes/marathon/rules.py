"""Validation of apps and groups whose JSON has the right shape."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .errors import Errors, Line, unique
from .fields import OPERATORS
from .normal import App, Settings, is_resident, mappings, parent, service_ports

SEGMENT = (
    r"^(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])|(\.|\.\.)$"
)
MESOS_TEXT = r"[A-Za-z0-9_/.-]+"
IS_VALUE = (
    "IS only supports Mesos text and float values (see "
    "http://mesos.apache.org/documentation/latest/attributes-resources/)"
)
RESERVED = ("restart", "tasks", "versions")
NO_COMMAND = "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."
SECRET_REFERENCES = (
    "use of secret-references in the environment requires the secrets feature to be enabled"
)
IPV6 = "IPv6 can only be used for container type DOCKER and Mesos http/https/tcp health checks"
AMBIGUOUS_NETWORK = (
    "networkNames must be a single item list when hostPort is specified and more than 1 container "
    "network is defined"
)
INDEX = (
    "Health check port indices must address an element of the ports array or container port "
    "mappings."
)
NETWORK_MIX = (
    "May specify a single host network, single bridge network, or else 1-to-n container networks"
)


def disabled(feature: str) -> str:
    """Return the message for a feature that is not enabled."""
    return f"Feature {feature} is not enabled. Enable with --enable_features {feature})"


def of_id(path: str, line: Line) -> list[str]:
    """Return the errors of the id of an app, pod or group."""
    parts = [part for part in path.split("/") if part]
    errors = []
    if not all(re.fullmatch(SEGMENT[1:-1], part) for part in parts):
        errors.append(f"must fully match regular expression '{SEGMENT}'")
    if line >= (1, 8) and parts and parts[-1] in RESERVED:
        errors.append(
            f"must not end with any of the following reserved keywords: {', '.join(RESERVED)}"
        )
    return errors


def of_app(app: App, settings: Settings) -> Errors:
    """Return the errors of a complete app."""
    line = settings.line
    errors: Errors = [("/id", text) for text in of_id(app["id"], line)]
    if app["id"] == "/" and line == (1, 8):
        errors.insert(0, ("/id", "Path must contain at least one path element"))
    if app["id"] == "/":
        errors.append(("/", "must not be root"))
    has_cmd, has_args = "cmd" in app, bool(app.get("args"))
    image = app.get("container") or {}
    if (
        has_cmd
        and has_args
        or not (has_cmd or has_args or image.get("docker") or image.get("appc"))
    ):
        errors.append(("/", NO_COMMAND))
    if has_cmd and len(app["cmd"]) <= 1:
        errors.append(("/", "must not be an empty string"))
    for name in (
        "instances",
        "cpus",
        "mem",
        "disk",
        "gpus",
        "backoffSeconds",
        "maxLaunchDelaySeconds",
    ):
        if app[name] < 0:
            errors.append((f"/{name}", f"got {app[name]}, expected 0 or more"))
    for name, value in app["upgradeStrategy"].items():
        if not 0 <= value <= 1:
            errors.append(
                (f"/upgradeStrategy/{name}", f"got {float(value)}, expected between 0.0 and 1.0")
            )
    errors += [
        ("/constraints" if line >= (1, 8) else f"/constraints({index})", text)
        for index, entry in enumerate(app["constraints"])
        for text in of_constraint(entry)
    ]
    errors += (
        _of_ports(app) + _of_health_checks(app) + _of_container(app) + _of_roles(app, settings)
    )
    errors += _of_unreachable(app["unreachableStrategy"])
    if is_resident(app) and app["unreachableStrategy"] != "disabled":
        errors.append(("/", "unreachableStrategy must be disabled for resident tasks"))
    if app["secrets"] and "secrets" not in settings.features:
        errors.append(("/secrets", disabled("secrets")))
    secrets = [name for name, value in app["env"].items() if isinstance(value, dict)]
    if secrets and line >= (1, 8) and "secrets" not in settings.features:
        errors.append(("/env", SECRET_REFERENCES))
    for name in secrets:
        if app["env"][name]["secret"] not in app["secrets"]:
            path = f"/env/{name}/secret" if line >= (1, 8) else f"/env({name})/secret"
            errors.append((path, "references an undefined secret"))
    if line >= (1, 8):
        errors += _of_features(app, settings) + _of_mapped_networks(app) + _of_contradictions(app)
    if app["labels"].get("MARATHON_SINGLE_INSTANCE_APP") == "true" and app["instances"] > 1:
        errors.append(("/", "Single instance app may only have one instance"))
    return errors


def _of_features(app: App, settings: Settings) -> Errors:
    """Return the errors of what needs a feature that is not enabled."""
    errors: Errors = []
    container = app.get("container") or {}
    docker = container.get("docker") or {}
    if app["gpus"] > 0 and "gpu_resources" not in settings.features:
        errors.append(("/", disabled("gpu_resources")))
    if "credential" in docker:
        errors.append(("/container/docker/credential", "must be empty"))
    if "pullConfig" in docker and container["type"] == "DOCKER":
        text = "pullConfig is not supported with Docker containerizer"
        errors.append(("/container/docker/pullConfig", text))
    elif "pullConfig" in docker and "secrets" not in settings.features:
        path = "/container/docker/pullConfig"
        errors += [(path, "must be empty"), (path, disabled("secrets"))]
    for index, volume in enumerate(container.get("volumes", [])):
        if "external" in volume and "external_volumes" not in settings.features:
            errors.append((f"/container/volumes({index})", disabled("external_volumes")))
        if "secret" in volume and "secrets" not in settings.features:
            path = "/container/secretVolumes(container)"
            errors += [(path, "must be empty"), (path, disabled("secrets"))]
    for index, check in enumerate(app["healthChecks"]):
        if check.get("ipProtocol") == "IPv6" and container.get("type") != "DOCKER":
            errors.append((f"/healthChecks({index})", IPV6))
    return errors


def _of_mapped_networks(app: App) -> Errors:
    """Return the errors of port mappings that name networks, and of too many networks."""
    errors: Errors = []
    networks = [network for network in app["networks"] if network["mode"] == "container"]
    names = [network["name"] for network in networks]
    for index, mapping in enumerate(mappings(app)):
        path, mapped_names = f"/container/portMappings({index})", mapping.get("networkNames", [])
        for number, name in enumerate(mapped_names):
            if name not in names:
                text = f"is not one of ({','.join(names)})"
                errors.append((f"{path}/networkNames({number})", text))
        if len(names) > 1 and "hostPort" in mapping and len(mapped_names) != 1:
            errors.append((path, AMBIGUOUS_NETWORK))
    if len(names) > 1 and app["container"]["type"] == "DOCKER":
        text = "may only specify a single container network when using the Docker container engine"
        errors.append(("/", text))
    return errors


def _of_contradictions(app: App) -> Errors:
    """Return the errors of members that contradict each other."""
    errors: Errors = []
    container, over = app.get("container") or {}, app["upgradeStrategy"]["maximumOverCapacity"]
    if "docker" in container and "appc" in container:
        text = "mesos containers should specify, at most, a single image type"
        errors.append(("/container", text))
    if is_resident(app) and over > 0:
        path = "/upgradeStrategy/maximumOverCapacity"
        errors.append((path, f"got {float(over)}, expected 0.0"))
    if app["id"] in app["dependencies"]:
        errors.append(("/", "Dependency graph has cyclic dependencies."))
    if "" in app["env"]:
        errors.append((f"/env/keys({list(app['env']).index('')})", "must not be empty"))
    return errors


def _of_unreachable(strategy: Any) -> Errors:
    """Return the errors of an unreachableStrategy."""
    if not isinstance(strategy, dict):
        return []
    inactive, expunge = strategy["inactiveAfterSeconds"], strategy["expungeAfterSeconds"]
    if inactive <= expunge:
        return []
    text = (
        f"inactiveAfterSeconds ({inactive}) must be less or equal to expungeAfterSeconds, "
        f"which is {expunge}"
    )
    return [("/unreachableStrategy/inactiveAfterSeconds", text)]


def of_constraint(entry: list[str]) -> list[str]:
    """Return the errors of one constraint of an app."""
    if not 2 <= len(entry) <= 3:
        return ["Each constraint must have either 2 or 3 fields"]
    field, operator, value = (*entry, None)[:3]
    if not field:
        return ["illegal constraint specification"]
    operator = operator.upper()
    integer = value is not None and re.fullmatch(r"[+-]?\d+", value)
    if operator not in OPERATORS:
        return [
            "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, "
            "UNLIKE or IS"
        ]
    if operator == "UNIQUE" and value is not None:
        return ["UNIQUE does not accept a value"]
    if operator == "IS" and value and not re.fullmatch(MESOS_TEXT, value):
        return [IS_VALUE]
    if operator == "GROUP_BY" and value is not None and not integer:
        return ["GROUP BY must define an integer value or else no value at all"]
    if operator == "MAX_PER" and not integer:
        return ["MAX_PER requires an integer value"]
    if operator in ("LIKE", "UNLIKE"):
        if value is None:
            return ["LIKE and UNLIKE require a non-empty, regular expression value"]
        try:
            re.compile(value)
        except re.error:
            return ["is not a valid regular expression"]
    return []


def _of_ports(app: App) -> Errors:
    errors: Errors = []
    definitions, mapped = app.get("portDefinitions") or [], mappings(app)
    path = "/container/portMappings"
    for where, entries in (("/portDefinitions", definitions), (path, mapped)):
        if not unique(entry.get("name") for entry in entries):
            errors.append((where, "Port names must be unique."))
    if not unique(entry["port"] or None for entry in definitions):
        errors.append(("/portDefinitions", "Ports must be unique."))
    for where, entries in (("/portDefinitions", definitions), (path, mapped)):
        for index, entry in enumerate(entries):
            if not set(entry["protocol"].split(",")) <= {"tcp", "udp"}:
                errors.append(
                    (
                        f"{where}({index})/protocol",
                        f"got {entry['protocol']}, expected one of: tcp, udp, udp,tcp",
                    )
                )
    networks = app.get("networks", [])
    if len(networks) > 1 and any(network["mode"] != "container" for network in networks):
        errors.append(("/networks", NETWORK_MIX))
    if any(network["mode"] == "host" and "name" in network for network in networks):
        errors.append(("/networks", "Host networks may not have names or labels"))
    if not unique(network.get("name") for network in networks):
        errors.append(("/networks", "Duplicate networks are not allowed"))
    if any(network["mode"] == "container/bridge" and "name" in network for network in networks):
        errors.append(("/networks", "Bridge networks may not have names"))
    return errors


def _of_health_checks(app: App) -> Errors:
    errors: Errors = []
    for index, check in enumerate(app["healthChecks"]):
        path = f"/healthChecks({index})"
        if check["protocol"] == "COMMAND":
            if "command" not in check:
                errors.append(
                    (
                        path,
                        f"command must be defined for health check of protocol {check['protocol']}",
                    )
                )
        elif check.get("portIndex") is not None and check["portIndex"] >= len(service_ports(app)):
            errors.append((path, INDEX))
    readiness = app["readinessChecks"]
    names = {entry.get("name") for entry in (mappings(app) or app.get("portDefinitions") or [])}
    if len(readiness) > 1:
        errors.append(("/readinessChecks/size", f"got {len(readiness)}, expected 1 or less"))
    for index, check in enumerate(readiness):
        interval, timeout = check["intervalSeconds"], check["timeoutSeconds"]
        if timeout >= interval:
            path = f"/readinessChecks({index})/timeoutSeconds"
            errors.append((path, f"got {timeout}, expected less than {interval}"))
        if check["portName"] not in names:
            text = f"No port definition reference for portName {check['portName']}"
            errors.append((f"/readinessChecks({index})/portName", text))
    return errors


def _of_container(app: App) -> Errors:
    errors: Errors = []
    container = app.get("container")
    if not container:
        return errors
    for index, volume in enumerate(container["volumes"]):
        path = f"/container/volumes({index})"
        if "secret" not in volume and "mode" not in volume:
            errors.append((f"{path}/mode", "error.path.missing"))
        if not volume.get("containerPath"):
            errors.append((f"{path}/containerPath", "must not be empty"))
        errors += _of_persistent(volume, path)
    if container["type"] == "DOCKER" and "docker" not in container:
        errors.append(("/container/docker", "not defined"))
    if container["type"] == "DOCKER" and app["gpus"] > 0:
        errors.append(("/", "GPU resources only work with the Mesos containerizer"))
    if (container.get("docker") or {}).get("image") == "":
        errors.append(("/container/docker/image", "must not be empty"))
    return errors


def _of_persistent(volume: dict[str, Any], path: str) -> Errors:
    """Return the errors of a persistent volume."""
    if "persistent" not in volume:
        return []
    errors: Errors = []
    persistent, container_path = volume["persistent"], volume.get("containerPath") or ""
    if container_path in (".", ".."):
        errors.append((f"{path}/containerPath", "can not be one of (.,..)"))
    if "/" in container_path:
        errors.append((f"{path}/containerPath", 'value must not contain "/"'))
    if persistent["size"] <= 0:
        errors.append(
            (f"{path}/persistent/size", f"got {persistent['size']}, expected more than 0")
        )
    if volume.get("mode") != "RW":
        errors.append((f"{path}/mode", "does not equal RW"))
    if "maxSize" in persistent and persistent["type"] != "mount":
        errors.append((f"{path}/persistent", "Only mount volumes can have maxSize"))
    return errors


def _of_roles(app: App, settings: Settings) -> Errors:
    errors: Errors = []
    accepted = app.get("acceptedResourceRoles")
    if "" in (accepted or []):
        errors.append(("/acceptedResourceRoles", 'A role name must not be "".'))
    if settings.line >= (1, 9) and app["role"] not in settings.roles:
        errors.append(("/role", f"is not one of ({','.join(settings.roles)})"))
    if settings.line >= (1, 10) and accepted and set(accepted) - {"*", app["role"]}:
        text = f"acceptedResourceRoles can only contain {' and '.join(sorted({'*', app['role']}))}"
        errors.append(("/acceptedResourceRoles", text))
    if accepted and is_resident(app) and accepted != ["*"]:
        errors.append(
            ("/acceptedResourceRoles", 'A resident app must have `acceptedResourceRoles = ["*"]`.')
        )
    limits = app.get("resourceLimits") or {}
    for name, value in limits.items():
        if isinstance(value, str) and value != "unlimited":
            errors.append(
                (
                    f"/resourceLimits/{name}",
                    f"'{value}' is an invalid resource limit. It must be 'unlimited' or a number",
                )
            )
        elif not isinstance(value, str) and value < app[name]:
            text = (
                "resource limit must be greater than or equal to requested resource "
                f"({float(app[name])})"
            )
            errors.append((f"/resourceLimits/{name}", text))
    return errors


def place_of(path: str, groups: Iterable[str]) -> str:
    """Return the place of the group of an app in errors, such as ``/groups(0)``; / for the root."""
    group, place = parent(path), ""
    while group != "/":
        siblings = sorted(name for name in groups if parent(name) == parent(group) and name != "/")
        place = f"/groups({siblings.index(group)}){place}"
        group = parent(group)
    return place or "/"


def of_tree(
    specs: dict[str, Any],
    groups: Iterable[str],
    dependencies: dict[str, list[str]],
    line: Line = (1, 8),
) -> Errors:
    """
    Return the errors of a whole tree.

    specs
        Apps and pods by id.

    groups
        Ids of the groups.

    dependencies
        Dependencies of each app and pod, by id.
    """
    groups = set(groups)
    errors: Errors = []
    for path in sorted(set(specs) & groups):
        place = place_of(path, groups) if line >= (1, 8) else "/"
        errors.append((place, "Groups and Applications may not have the same identifier."))
    for path, needed in dependencies.items():
        visited: set[str] = set()
        ahead = list(needed)
        while ahead:
            step = ahead.pop()
            if step == path:
                errors.append(("/", "Dependency graph has cyclic dependencies."))
                return errors
            if step not in visited:
                visited.add(step)
                ahead += dependencies.get(step, [])
    for path in specs:
        if parent(path) not in groups:
            errors.append(("/", f"'{path}' has no group"))
    return errors
