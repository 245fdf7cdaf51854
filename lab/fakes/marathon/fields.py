"""
Schemas of Marathon's apps, groups and pods, and a reader that checks JSON against them.

A field that a version does not know is dropped. ``null`` equals a missing field. A wrong type or a
missing field is an error with the path and the text of Marathon's JSON library.
"""

from __future__ import annotations

import json
from typing import Any

from . import raml
from .errors import Errors, Line, misshapen
from .tree import parsed

# A name that ends in "!" is required. Types: a word is explained in ``_scalar``; (a, b) is an enum;
# [x] an array of x; {...} an object; {"*": x} an object with any names.
Schema = Any

# Types whose values have to be integers, before 1.8 and since then.
INTEGERS = (("natural", "port"), ("natural", "port", "seconds"))

NETWORK = {"mode": ("container", "container/bridge", "host"), "name": "string", "labels": "strings"}
PORT_MAPPING = {
    "containerPort": "port", "hostPort": "port", "servicePort": "port", "protocol": "string",
    "name": "string",
    "labels": "strings", "networkNames": ["string"],
}  # fmt: skip
PERSISTENT = {
    "size!": "natural", "maxSize": "natural", "type": "string", "profileName": "string",
    "constraints": [["string"]],
}  # fmt: skip
VOLUME = {
    "containerPath": "string", "hostPath": "string", "mode": ("RO", "RW"),
    "persistent": PERSISTENT, "secret": "string",
    "external": {
        "size": "natural", "name": "string", "provider": "string", "options": "strings",
        "shared": "boolean",
    },
}  # fmt: skip
DOCKER = {
    "image!": "string", "network": ("BRIDGE", "HOST", "NONE", "USER"),
    "portMappings": [PORT_MAPPING], "privileged": "boolean",
    "parameters": [{"key!": "string", "value!": "string"}], "forcePullImage": "boolean",
    "credential": "any",
    "pullConfig": {"secret!": "string"},
}  # fmt: skip
HEALTH_CHECK = {
    "protocol": ("HTTP", "HTTPS", "TCP", "COMMAND", "MESOS_TCP", "MESOS_HTTP", "MESOS_HTTPS"),
    "path": "string", "port": "port", "portIndex": "natural", "command": {"value!": "string"},
    "gracePeriodSeconds": "natural", "intervalSeconds": "natural", "timeoutSeconds": "natural",
    "maxConsecutiveFailures": "natural", "delaySeconds": "natural", "ignoreHttp1xx": "boolean",
    "ipProtocol": ("IPv4", "IPv6"),
}  # fmt: skip
CHECK = {
    "exec": {"command!": "any"}, "http": "any", "tcp": "any", "intervalSeconds": "natural",
    "timeoutSeconds": "natural", "delaySeconds": "natural",
}  # fmt: skip
READINESS_CHECK = {
    "name": "string", "protocol": ("HTTP", "HTTPS"), "path": "string", "portName": "string",
    "intervalSeconds": "natural",
    "timeoutSeconds": "natural", "httpStatusCodesForReady": ["natural"],
    "preserveLastResponse": "boolean",
}  # fmt: skip
ARTIFACT = {
    "uri!": "string", "extract": "boolean", "executable": "boolean", "cache": "boolean",
    "destPath": "string",
    "outputFile": "string",
}  # fmt: skip
IP_ADDRESS = {
    "groups": ["string"], "labels": "strings", "networkName": "string",
    "discovery": {"ports": [{"number!": "port", "name!": "string", "protocol!": "string",
    "labels": "strings"}]},
}  # fmt: skip
APP = {
    "id": "string", "cmd": "string", "args": ["string"], "user": "string", "env": "env",
    "instances": "natural",
    "cpus": "amount", "mem": "amount", "disk": "amount", "gpus": "natural", "executor": "string",
    "constraints": [["string"]], "uris": ["string"], "fetch": [ARTIFACT], "storeUrls": ["string"],
    "ports": ["port"],
    "portDefinitions": [{"port": "port", "protocol": "string", "name": "string",
    "labels": "strings"}],
    "requirePorts": "boolean", "backoffSeconds": "seconds", "backoffFactor": "factor",
    "maxLaunchDelaySeconds": "seconds",
    "container": {
        "type": ("DOCKER", "MESOS"), "docker": DOCKER, "volumes": [VOLUME],
        "portMappings": [PORT_MAPPING], "appc": "any",
        "linuxInfo": "any",
    },
    "healthChecks": [HEALTH_CHECK], "readinessChecks": [READINESS_CHECK], "check": CHECK,
    "dependencies": ["string"],
    "upgradeStrategy": {"minimumHealthCapacity!": "number", "maximumOverCapacity!": "number"},
    "unreachableStrategy": "unreachable", "killSelection": ("YOUNGEST_FIRST", "OLDEST_FIRST"),
    "labels": "strings",
    "acceptedResourceRoles": ["string"], "ipAddress": IP_ADDRESS, "networks": [NETWORK],
    "residency": {"relaunchEscalationTimeoutSeconds": "natural", "taskLostBehavior": "string"},
    "secrets": {"*": {"source!": "string"}}, "taskKillGracePeriodSeconds": "seconds",
    "tty": "boolean",
    "executorResources": {"cpus": "amount", "mem": "amount", "disk": "amount"}, "role": "string",
    "resourceLimits": {"cpus": "any", "mem": "any"}, "version": "time",
}  # fmt: skip

OPERATORS = ("UNIQUE", "CLUSTER", "GROUP_BY", "LIKE", "UNLIKE", "MAX_PER", "IS")

# The first version that has a field, if older versions do not have it.
SINCE = {
    "gpus": (1, 3), "secrets": (1, 3), "taskKillGracePeriodSeconds": (1, 3),
    "unreachableStrategy": (1, 4),
    "killSelection": (1, 4), "networks": (1, 5), "tty": (1, 5), "executorResources": (1, 6),
    "check": (1, 8),
    "role": (1, 9), "resourceLimits": (1, 10),
}  # fmt: skip

GROUP = {
    "id": "string", "apps": [APP], "groups": ["group"], "dependencies": ["string"],
    "scaleBy": "amount",
    "version": "time", "enforceRole": "boolean",
}  # fmt: skip

RESOURCES = {"cpus": "amount", "mem": "amount", "disk": "amount", "gpus": "natural"}
POD = {
    "id!": "string", "labels": "strings", "version": "time", "user": "string",
    "environment": "env",
    "containers!": [
        {
            "name!": "string", "exec": {"command!": "command"}, "resources!": RESOURCES,
            "image": {
                "kind!": ("DOCKER", "APPC"), "id!": "string", "forcePull": "boolean",
                "labels": "any", "pullConfig": "any",
            },
            "artifacts": [ARTIFACT],
            "endpoints": [
                {
                    "name!": "string", "containerPort": "port", "hostPort": "port",
                    "protocol": ["string"],
                    "labels": "strings", "networkNames": ["string"],
                }
            ],
            "healthCheck": {
                "http": {"endpoint!": "string", "path": "string", "scheme": ("HTTP", "HTTPS")},
                "tcp": {"endpoint!": "string"}, "exec": {"command!": "command"},
                "gracePeriodSeconds": "natural", "intervalSeconds": "natural",
                "maxConsecutiveFailures": "natural", "timeoutSeconds": "natural",
                "delaySeconds": "natural",
            },
            "check": "any", "volumeMounts": [
                {"name!": "string", "mountPath!": "string", "readOnly": "boolean"}
            ],
            "user": "string", "environment": "env", "labels": "strings", "lifecycle": "any",
            "tty": "boolean",
            "linuxInfo": "any", "resourceLimits": "any",
        }
    ],
    "secrets": {"*": {"source!": "string"}}, "volumes": ["any"], "networks": [NETWORK],
    "linuxInfo": "any",
    "scaling": "scaling",
    "scheduling": {
        "backoff": {"backoff": "amount", "backoffFactor": "factor", "maxLaunchDelay": "amount"},
        "upgrade": {"minimumHealthCapacity": "number", "maximumOverCapacity": "number"},
        "placement": {
            "constraints": [
                {"fieldName": "string", "operator": OPERATORS, "value": "string"}
            ],
            "acceptedResourceRoles": ["string"],
        },
        "killSelection": ("YOUNGEST_FIRST", "OLDEST_FIRST"), "unreachableStrategy": "unreachable",
    },
    "executorResources": {"cpus": "amount", "mem": "amount", "disk": "amount"}, "role": "string",
    "legacySharedCgroups": "boolean",
}  # fmt: skip


def read(schema: Schema, value: Any, line: Line) -> Any:
    """Read a value by its schema. Raises Refused if its shape is wrong."""
    errors: Errors = []
    content = _read(schema, value, "", errors, line)
    misshapen(errors, line)
    return content


def read_app(value: Any, line: Line, creates: bool = False) -> dict[str, Any]:
    """Read an app, or an update of an app."""
    schema = {**APP, "id!": "string"} if creates else APP
    if creates:
        del schema["id"]
    app = read(_fields_of(schema, line), value, line)
    if line == (1, 8):
        misshapen(raml.of_app(app), line)
    elif line >= (1, 5):
        raml.convert_health_checks(app, line)
    return app


def read_apps(value: Any, line: Line) -> list[dict[str, Any]]:
    """Read a list of updates of apps."""
    return read([_fields_of(APP, line)], value, line)


def _fields_of(schema: dict[str, Schema], line: Line) -> dict[str, Schema]:
    """Return the fields of an app that a version has."""
    return {name: kind for name, kind in schema.items() if SINCE.get(name, (0,)) <= line}


def _read(schema: Schema, value: Any, path: str, errors: Errors, line: Line) -> Any:
    if schema == "group":
        app_schema = {"id!": "string", **_fields_of(APP, line)}
        del app_schema["id"]
        schema = {**GROUP, "apps": [app_schema]}
    if isinstance(schema, list):
        if not isinstance(value, list):
            errors.append((path, "error.expected.jsarray"))
            return []
        return [
            _read(schema[0], item, f"{path}({index})", errors, line)
            for index, item in enumerate(value)
        ]
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            errors += _no_object(schema, value, path, line)
            return {}
        if "*" in schema:
            return {
                name: _read(schema["*"], item, f"{path}/{name}", errors, line)
                for name, item in value.items()
            }
        members = {}
        for name, kind in schema.items():
            plain = name.rstrip("!")
            item = value.get(plain)
            if item is not None:
                members[plain] = _read(kind, item, f"{path}/{plain}", errors, line)
            elif name != plain and (
                line >= (1, 5) or plain not in ("minimumHealthCapacity", "maximumOverCapacity")
            ):
                errors.append((f"{path}/{plain}", _undefined(plain, kind, value, line)))
        return members
    return _scalar(schema, value, path, errors, line)


def _no_object(schema: dict[str, Schema], value: Any, path: str, line: Line) -> Errors:
    """Return the errors of what is not an object: since 1.8 one for each required member."""
    required = [name[:-1] for name in schema if name.endswith("!")]
    if line < (1, 8) or not required:
        return [(path, "error.expected.jsobject")]
    text = f"{json.dumps(value, separators=(',', ':'))} is not an object"
    return [(f"{path}/{name}", text) for name in required]


def _env_error(path: str, value: Any) -> tuple[str, str]:
    """Return the error of an environment variable that is neither a text nor a secret."""
    if isinstance(value, dict) and "secret" not in value:
        return f"{path}/secret", "error.path.missing"
    return path, "error.expected.jsobject"


def _unreachable(value: Any, path: str, errors: Errors, line: Line) -> Any:
    """
    Read an unreachableStrategy. Marathon reads any string as ``disabled``. The RAML type of its
    seconds is int64; the text of the error is that of Play JSON, it was not recorded.
    """
    if isinstance(value, str):
        return "disabled"
    if not isinstance(value, dict):
        errors.append((path, "error.expected.jsobject"))
        return value
    for name in ("inactiveAfterSeconds", "expungeAfterSeconds"):
        seconds = value.get(name)
        if line >= (1, 8) and isinstance(seconds, float) and not seconds.is_integer():
            errors.append((f"{path}/{name}", "error.expected.long"))
        elif isinstance(seconds, int | float) and seconds < 0:
            errors.append((f"{path}/{name}", "error.min"))
    return value


def _undefined(name: str, kind: Schema, value: dict[str, Any], line: Line) -> str:
    """Return the message for a missing required member. Since 1.8 it contains the object."""
    if line >= (1, 8) and kind == "string" and name in value:
        return "error.expected.jsstring"
    if line < (1, 8) or kind == "command" or name in value:
        return "error.path.missing"
    return f"'{name}' is undefined on object: {json.dumps(value, separators=(',', ':'))}"


def _scalar(kind: str | tuple[str, ...], value: Any, path: str, errors: Errors, line: Line) -> Any:
    if isinstance(kind, tuple):
        if not isinstance(value, str):
            errors.append((path, "error.expected.jsstring"))
        elif value not in kind:
            errors.append(
                (
                    path,
                    "error.unknown.enum.literal"
                    if line >= (1, 5)
                    else f"{value} is not one of {', '.join(kind)}",
                )
            )
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "time" and line >= (1, 8) and parsed(str(value)) is None:
        errors.append((path, "error.expected.date.isoformat"))
    elif kind in ("string", "time") and not isinstance(value, str):
        errors.append((path, "error.expected.jsstring"))
    elif kind == "boolean" and not isinstance(value, bool):
        errors.append((path, "error.expected.jsboolean"))
    elif kind in ("number", "amount", "factor", "natural", "port", "seconds"):
        if not number:
            errors.append((path, "error.expected.jsnumber"))
        elif kind in INTEGERS[line >= (1, 8)] and value != int(value):
            errors.append((path, "error.expected.int"))
        elif (
            line >= (1, 5)
            and kind == "factor"
            and value < 1
            or line >= (1, 5)
            and kind != "number"
            and value < 0
        ):
            errors.append((path, "error.min"))
        elif line >= (1, 5) and kind == "port" and value > 65535 and path[:7] != "/ports(":
            errors.append((path, "error.max"))
        elif kind in ("natural", "port"):
            return int(value)
    elif kind in ("strings", "env"):
        if not isinstance(value, dict):
            errors.append((path, "error.expected.jsobject"))
        else:
            for name, item in value.items():
                secret = (
                    kind == "env" and isinstance(item, dict) and isinstance(item.get("secret"), str)
                )
                if isinstance(item, str) or secret:
                    continue
                if kind == "env" and line == (1, 8):
                    errors.append(_env_error(f"{path}/{name}", item))
                else:
                    errors.append((f"{path}/{name}", "error.expected.jsstring"))
    elif kind == "unreachable":
        return _unreachable(value, path, errors, line)
    elif kind == "command" and not isinstance(value, dict):
        text = json.dumps(value, separators=(",", ":"))
        errors.append((f"{path}/argv", f"{text} is not an object"))
    elif kind == "scaling" and not (isinstance(value, dict) and value.get("kind") == "fixed"):
        errors.append((path, "error.expected.jsstring"))
    return value
