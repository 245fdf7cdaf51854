"""Rules that Marathon 1.8 takes from its RAML types, and checks before all others.

Source: responses recorded from Marathon 1.8.244. That of convert_health_checks is
HealthCheckConversion.scala of mesosphere/marathon at v1.5.15, v1.7.236, v1.8.244 and v1.10.26.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .errors import Errors, Refused

MAX_INT = 2**31 - 1
LABEL = r"([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])"
APP_ID = re.compile(rf"/?((({LABEL}\.)*{LABEL}|\.\.)?/*)+")
ID_PART = re.compile(rf"(({LABEL}\.)*{LABEL}|\.\.?)?")
PORT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
EXECUTOR = re.compile(r"(//cmd)|(/?[^/ ]+(/[^/ ]+)*)|")
PROTOCOLS = ("tcp", "udp", "udp,tcp")
TASK_LOST_BEHAVIORS = ("WAIT_FOREVER", "RELAUNCH_AFTER_TIMEOUT")
CHECK_KINDS = ("http", "tcp", "exec")


def of_app(app: dict[str, Any]) -> Errors:
    """
    Return the errors of an app whose members have the right types.

    Raises Refused (500) for combinations that Marathon does not expect.
    """
    errors: Errors = []
    if app.get("cmd") == "":
        errors.append(("/cmd", "error.minLength"))
    if app.get("instances", 0) > MAX_INT:
        errors.append(("/instances", "error.expected.int"))
    if not EXECUTOR.fullmatch(app.get("executor", "")):
        errors.append(("/executor", "error.pattern"))
    behavior = app.get("residency", {}).get("taskLostBehavior", TASK_LOST_BEHAVIORS[0])
    if behavior not in TASK_LOST_BEHAVIORS:
        errors.append(("/residency/taskLostBehavior", "error.unknown.enum.literal"))
    for name in ("maximumOverCapacity", "minimumHealthCapacity"):
        share = app.get("upgradeStrategy", {}).get(name, 0)
        if share < 0:
            errors.append((f"/upgradeStrategy/{name}", "error.min"))
        if share > 1:
            errors.append((f"/upgradeStrategy/{name}", "error.max"))
    errors += _of_ports(app) + _of_empty_texts(app) + _of_volumes(app)
    _check_combinations(app)
    return errors


def of_new_id(app_id: str) -> Errors:
    """Return the errors of the id of an app that is created by POST."""
    if not app_id:
        return [("/id", "error.minLength")]
    return [] if APP_ID.fullmatch(app_id) else [("/id", "error.pattern")]


def of_group_id(group_id: str) -> Errors:
    """Return the errors of the id of a group or pod."""
    if all(ID_PART.fullmatch(part) for part in group_id.split("/")):
        return []
    return [("/id", "error.pattern")]


def of_pod(pod: dict[str, Any]) -> Errors:
    """Return the errors of a pod whose members have the right types."""
    errors = of_group_id(pod["id"])
    if not pod["containers"]:
        errors.append(("/containers", "error.minLength"))
    for index, container in enumerate(pod["containers"]):
        if not PORT_NAME.fullmatch(container["name"]):
            errors.append((f"/containers({index})/name", "error.pattern"))
    upgrade = pod.get("scheduling", {}).get("upgrade", {})
    for name, share in upgrade.items():
        if share > 1:
            errors.append((f"/scheduling/upgrade/{name}", "error.max"))
    return errors


def _of_ports(app: dict[str, Any]) -> Errors:
    """Return the errors of protocols and names of ports."""
    container, address = app.get("container", {}), app.get("ipAddress", {})
    lists = {
        "/portDefinitions": app.get("portDefinitions", []),
        "/container/portMappings": container.get("portMappings", []),
        "/ipAddress/discovery/ports": address.get("discovery", {}).get("ports", []),
    }
    errors: Errors = []
    for path, entries in lists.items():
        for index, entry in enumerate(entries):
            if entry.get("protocol", "tcp") not in PROTOCOLS:
                errors.append((f"{path}({index})/protocol", "error.unknown.enum.literal"))
            if not PORT_NAME.fullmatch(entry.get("name", "default")):
                errors.append((f"{path}({index})/name", "error.pattern"))
    return errors


def _of_volumes(app: dict[str, Any]) -> Errors:
    """Return the errors of volumes, which are on the host if they are nothing else."""
    errors: Errors = []
    for index, volume in enumerate(app.get("container", {}).get("volumes", [])):
        text = json.dumps(volume, separators=(",", ":"))
        if {"persistent", "external", "secret"} & set(volume):
            continue
        errors += [
            (f"/container/volumes({index})/{name}", f"'{name}' is undefined on object: {text}")
            for name in ("containerPath", "hostPath", "mode")
            if name not in volume
        ]
    return errors


def _of_empty_texts(app: dict[str, Any]) -> Errors:
    """Return the errors of members that must not be empty."""
    errors: Errors = []
    for index, artifact in enumerate(app.get("fetch", [])):
        if artifact["uri"] == "":
            errors.append((f"/fetch({index})/uri", "error.minLength"))
    for name, secret in app.get("secrets", {}).items():
        if secret["source"] == "":
            errors.append((f"/secrets/{name}/source", "error.minLength"))
    if app.get("container", {}).get("docker", {}).get("image") == "":
        errors.append(("/container/docker/image", "error.minLength"))
    for index, check in enumerate(app.get("readinessChecks", [])):
        if check.get("httpStatusCodesForReady") == []:
            path = f"/readinessChecks({index})/httpStatusCodesForReady"
            errors.append((path, "error.minLength"))
    return errors


def _scala_check(check: dict[str, Any], line: tuple[int, int]) -> str:
    """Return a health check with a command as Scala prints it."""
    command = "AppCommandCheck" if line >= (1, 8) else "CommandCheck"

    def option(name: str) -> str:
        return f"Some({check[name]})" if name in check else "None"

    values = (
        f"Some({command}({check['command']['value']}))",
        check.get("gracePeriodSeconds", 300),
        option("ignoreHttp1xx"),
        check.get("intervalSeconds", 60),
        check.get("maxConsecutiveFailures", 3),
        option("path"),
        option("port"),
        option("portIndex"),
        check["protocol"],
        *([check.get("ipProtocol", "IPv4")] if line >= (1, 6) else []),
        check.get("timeoutSeconds", 20),
        check.get("delaySeconds", 15),
    )
    return f"AppHealthCheck({','.join(str(value) for value in values)})"


def _check_combinations(app: dict[str, Any]) -> None:
    """Raise Refused (500) for combinations of members that Marathon fails to convert."""
    convert_health_checks(app, (1, 8))
    if "check" in app and sum(kind in app["check"] for kind in CHECK_KINDS) != 1:
        text = "illegal RAML Check: expected one of http, tcp or exec checks"
        raise Refused(500, text)
    container = app.get("container", {})
    docker = container.get("docker", {})
    if docker.get("network") == "NONE":
        raise Refused(500, "unsupported docker network type NONE")
    if docker.get("portMappings") and container.get("portMappings"):
        raise Refused(500, "cannot specify both portMappings and docker.portMappings")


def convert_health_checks(app: dict[str, Any], line: tuple[int, int]) -> None:
    """
    Raise Refused (500) for a health check that Marathon fails to convert, from 1.5 on.

    The index of a port may be beside a command, for old definitions, and is dropped.
    """
    for check in app.get("healthChecks", []):
        protocol = check.get("protocol", "HTTP")
        if "command" not in check:
            if protocol == "COMMAND":
                raise Refused(500, "illegal protocol COMMAND for non-command health check")
        elif {"path", "port"} & set(check):
            text = _scala_check({"protocol": protocol, **check}, line)
            if line >= (1, 7):
                raise Refused(500, f"Invalid combination of HealthCheck parameters in {text}")
            raise Refused(500, f"{text} (of class mesosphere.marathon.raml.AppHealthCheck)")
        elif protocol != "COMMAND":
            raise Refused(500, f"illegal protocol {protocol} specified with command")
