"""
Compare definitions of apps and pods with those of Marathon: canonical form, differences, and the
body to send, all for a given version. A helper, not a module itself: Salt's loader skips names that
begin with ``_``. It sends no requests and does not need Salt.

Marathon does not return a definition as it was sent: it fills in defaults, which depend on the
version, converts deprecated forms, and loses some fields. A plain comparison would always find
differences, and each update restarts all tasks. Therefore both sides are converted to a canonical
form first:

* It has the newer fields with every version: ``fetch``, not ``uris``; ``portDefinitions``, not
  ``ports``; ``networks`` and ``container.portMappings``, not ``ipAddress``,
  ``container.docker.network`` and ``container.docker.portMappings``.
* All defaults are filled in. Lists and mappings are always present, possibly empty. Single values
  without a default (``cmd``, ``user``, ``container``, ...) are left out unless they are declared.
  ``null`` means not declared, as it does for Marathon.
* Sets are sorted, ids are absolute, whole numbers have no fraction. Fields that only Marathon sets,
  or that it ignores, are left out.

A version is a text such as ``1.5.0-SNAPSHOT`` or a tuple such as ``(1, 5, 0)``. Functions copy
definitions and never modify their arguments.
"""

import datetime
import importlib
import json
import math
import re
from collections.abc import Mapping

import _text

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_text)

# Runtime fields, which Marathon returns and does not accept.
RUNTIME_FIELDS = frozenset(
    (
        "version",
        "versionInfo",
        "tasks",
        "tasksStaged",
        "tasksRunning",
        "tasksHealthy",
        "tasksUnhealthy",
        "taskStats",
        "tasksStats",
        "deployments",
        "lastTaskFailure",
        "readinessCheckResults",
    )
)
# Fields that only Marathon sets, by kind of definition.
FIELDS_OF_MARATHON = {"app": RUNTIME_FIELDS, "pod": ("version",), "group": ("version",)}
# Fields that every supported version ignores.
IGNORED_FIELDS = frozenset(("storeUrls", "taskRateLimit"))
RENAMED_FIELDS = {"uris": "fetch", "ports": "portDefinitions", "ipAddress": "networks"}

ARCHIVES = (".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".gz", ".tgz", ".tbz2", ".txz", ".zip")
NETWORK_MODES = {"HOST": "host", "BRIDGE": "container/bridge", "USER": "container", "NONE": "none"}
HOST = ({"mode": "host"},)
NO_DISCOVERY = (None, {}, {"ports": []})
MESOS_BRIDGE = "mesos-bridge"
DEFAULT_PORT = {"containerPort": 0, "name": "default"}
SEGMENT = re.compile(
    r"(?:(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])\.)*(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])"
)
RESERVED = ("restart", "tasks", "versions")

FETCH = {"extract": True, "executable": False, "cache": False}
HEALTH_CHECK = {
    "protocol": "HTTP",
    "gracePeriodSeconds": 300,
    "intervalSeconds": 60,
    "timeoutSeconds": 20,
    "maxConsecutiveFailures": 3,
}
POD_HEALTH_CHECK = {
    **{key: HEALTH_CHECK[key] for key in HEALTH_CHECK if key != "protocol"},
    "delaySeconds": 15,
}
CHECK = {"intervalSeconds": 60, "timeoutSeconds": 20, "delaySeconds": 15}
READINESS_CHECK = {
    "name": "readinessCheck",
    "protocol": "HTTP",
    "path": "/",
    "portName": "http-api",
    "intervalSeconds": 30,
    "timeoutSeconds": 10,
    "httpStatusCodesForReady": [200],
    "preserveLastResponse": False,
}
EXECUTOR = {"cpus": 0.1, "mem": 32, "disk": 10}
RESIDENCY = {"relaunchEscalationTimeoutSeconds": 3600, "taskLostBehavior": "WAIT_FOREVER"}
RESOURCES = {"cpus": 1, "mem": 128, "disk": 0, "gpus": 0}
UPGRADE = {"minimumHealthCapacity": 1, "maximumOverCapacity": 1}
UPGRADE_RESIDENT = {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0}

# The fields of each object and their types: text, whole (number), number, flag (boolean), values
# (text by name), environment (the same, or a secret), the name of another object, a list of one of
# these, or any.
OBJECTS = {
    "app": {
        "id": "text",
        "cmd": "text",
        "args": ["text"],
        "user": "text",
        "executor": "text",
        "killSelection": "selection",
        "role": "text",
        "env": "environment",
        "labels": "values",
        "secrets": "any",
        "tty": "flag",
        "requirePorts": "flag",
        "instances": "whole",
        "gpus": "whole",
        "cpus": "number",
        "mem": "number",
        "disk": "number",
        "backoffFactor": "number",
        "backoffSeconds": "whole",
        "maxLaunchDelaySeconds": "whole",
        "taskKillGracePeriodSeconds": "whole",
        "constraints": ["constraint"],
        "dependencies": ["text"],
        "acceptedResourceRoles": ["text"],
        "storeUrls": "any",
        "taskRateLimit": "any",
        "uris": ["text"],
        "fetch": ["artifact"],
        "ports": ["whole"],
        "portDefinitions": ["portDefinition"],
        "ipAddress": "ipAddress",
        "networks": ["network"],
        "container": "container",
        "healthChecks": ["healthCheck"],
        "check": "check",
        "readinessChecks": ["readinessCheck"],
        "upgradeStrategy": "upgrade",
        "unreachableStrategy": "unreachable",
        "residency": "residency",
        "executorResources": "executorResources",
        "resourceLimits": "limits",
        **dict.fromkeys(RUNTIME_FIELDS, "any"),
    },
    "artifact": {
        "uri": "text",
        "extract": "flag",
        "executable": "flag",
        "cache": "flag",
        "destPath": "text",
        "outputFile": "text",
    },
    "portDefinition": {
        "port": "whole",
        "protocol": "portProtocol",
        "name": "text",
        "labels": "values",
    },
    "ipAddress": {
        "networkName": "text",
        "groups": ["text"],
        "labels": "values",
        "discovery": "discovery",
    },
    "discovery": {"ports": ["discoveryPort"]},
    "discoveryPort": {
        "number": "whole",
        "name": "text",
        "protocol": "portProtocol",
        "labels": "values",
    },
    "network": {"mode": "networkMode", "name": "text", "labels": "values"},
    "container": {
        "type": "containerType",
        "docker": "docker",
        "appc": "appc",
        "linuxInfo": "linuxInfo",
        "volumes": ["volume"],
        "portMappings": ["portMapping"],
    },
    "docker": {
        "image": "text",
        "network": "dockerNetwork",
        "portMappings": ["portMapping"],
        "privileged": "flag",
        "parameters": ["parameter"],
        "forcePullImage": "flag",
        "credential": "any",
        "pullConfig": "any",
    },
    "linuxInfo": {"seccomp": "seccomp", "ipcInfo": "ipcInfo"},
    "seccomp": {"profileName": "text", "unconfined": "flag"},
    "ipcInfo": {"mode": "text", "shmSize": "whole"},
    "appc": {"image": "text", "id": "text", "labels": "values", "forcePullImage": "flag"},
    "parameter": {"key": "text", "value": "text"},
    "portMapping": {
        "containerPort": "whole",
        "hostPort": "whole",
        "servicePort": "whole",
        "protocol": "portProtocol",
        "name": "text",
        "labels": "values",
        "networkNames": ["text"],
    },
    "volume": {
        "containerPath": "text",
        "hostPath": "text",
        "mode": "access",
        "secret": "text",
        "persistent": "persistent",
        "external": "external",
    },
    "persistent": {
        "size": "whole",
        "maxSize": "whole",
        "type": "text",
        "profileName": "text",
        "constraints": ["constraint"],
    },
    "external": {
        "size": "whole",
        "name": "text",
        "provider": "text",
        "options": "values",
        "shared": "flag",
    },
    "healthCheck": {
        "protocol": "checkProtocol",
        "path": "text",
        "port": "whole",
        "portIndex": "any",
        "command": "command",
        "gracePeriodSeconds": "whole",
        "intervalSeconds": "whole",
        "timeoutSeconds": "whole",
        "delaySeconds": "whole",
        "maxConsecutiveFailures": "whole",
        "ignoreHttp1xx": "flag",
        "ipProtocol": "text",
    },
    "command": {"value": "text"},
    # An app names a port by its index, a pod by its endpoint.
    "httpCheck": {"scheme": "text", "path": "text", "portIndex": "any", "endpoint": "text"},
    "tcpCheck": {"portIndex": "any", "endpoint": "text"},
    "execCheck": {"command": "podCommand"},
    "check": {
        "http": "httpCheck",
        "tcp": "tcpCheck",
        "exec": "execCheck",
        "intervalSeconds": "whole",
        "timeoutSeconds": "whole",
        "delaySeconds": "whole",
    },
    "readinessCheck": {
        "name": "text",
        "protocol": "text",
        "path": "text",
        "portName": "text",
        "intervalSeconds": "whole",
        "timeoutSeconds": "whole",
        "httpStatusCodesForReady": ["whole"],
        "preserveLastResponse": "flag",
    },
    "upgrade": {"minimumHealthCapacity": "number", "maximumOverCapacity": "number"},
    "unreachable": {"inactiveAfterSeconds": "whole", "expungeAfterSeconds": "whole"},
    "residency": {"relaunchEscalationTimeoutSeconds": "whole", "taskLostBehavior": "text"},
    "executorResources": {"cpus": "number", "mem": "number", "disk": "number"},
    "limits": {"cpus": "limit", "mem": "limit"},
    "pod": {
        "id": "text",
        "version": "any",
        "user": "text",
        "role": "text",
        "labels": "values",
        "environment": "environment",
        "secrets": "any",
        "containers": ["podContainer"],
        "volumes": ["podVolume"],
        "networks": ["network"],
        "scaling": "scaling",
        "scheduling": "scheduling",
        "executorResources": "executorResources",
        "linuxInfo": "linuxInfo",
        "legacySharedCgroups": "flag",
    },
    "podContainer": {
        "name": "text",
        "exec": "exec",
        "resources": "resources",
        "resourceLimits": "limits",
        "endpoints": ["endpoint"],
        "image": "image",
        "environment": "environment",
        "user": "text",
        "healthCheck": "podHealthCheck",
        "check": "check",
        "volumeMounts": ["mount"],
        "artifacts": ["artifact"],
        "labels": "values",
        "lifecycle": "lifecycle",
        "tty": "flag",
        "linuxInfo": "linuxInfo",
    },
    "exec": {"command": "podCommand", "overrideEntrypoint": "flag"},
    "podCommand": {"shell": "text", "argv": ["text"]},
    "resources": {"cpus": "number", "mem": "number", "disk": "number", "gpus": "whole"},
    "endpoint": {
        "name": "text",
        "containerPort": "whole",
        "hostPort": "whole",
        "protocol": ["text"],
        "labels": "values",
        "networkNames": ["text"],
    },
    "image": {
        "kind": "text",
        "id": "text",
        "forcePull": "flag",
        "pullConfig": "any",
        "labels": "values",
    },
    "podHealthCheck": {
        "http": "httpCheck",
        "tcp": "tcpCheck",
        "exec": "execCheck",
        "maxConsecutiveFailures": "whole",
        "gracePeriodSeconds": "whole",
        "intervalSeconds": "whole",
        "timeoutSeconds": "whole",
        "delaySeconds": "whole",
    },
    "mount": {"name": "text", "mountPath": "text", "readOnly": "flag"},
    "lifecycle": {"killGracePeriodSeconds": "number"},
    "podVolume": {"name": "text", "host": "text", "secret": "text", "persistent": "persistent"},
    "scaling": {"kind": "text", "instances": "whole"},
    "scheduling": {
        "backoff": "backoff",
        "upgrade": "upgrade",
        "placement": "placement",
        "killSelection": "selection",
        "unreachableStrategy": "unreachable",
    },
    "backoff": {"backoff": "number", "backoffFactor": "number", "maxLaunchDelay": "number"},
    "placement": {"constraints": ["podConstraint"], "acceptedResourceRoles": ["text"]},
    "podConstraint": {"fieldName": "text", "operator": "operator", "value": "text"},
    "group": {
        "id": "text",
        "apps": ["app"],
        "groups": ["group"],
        "dependencies": ["text"],
        "enforceRole": "flag",
        "scaleBy": "number",
        "version": "any",
    },
}
CHOICES = {
    "operator": ("UNIQUE", "CLUSTER", "GROUP_BY", "LIKE", "UNLIKE", "MAX_PER", "IS"),
    "portProtocol": ("tcp", "udp", "udp,tcp", "tcp,udp"),
    "checkProtocol": ("HTTP", "HTTPS", "TCP", "COMMAND", "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP"),
    "networkMode": ("host", "container", "container/bridge"),
    "dockerNetwork": tuple(NETWORK_MODES),
    "containerType": ("DOCKER", "MESOS"),
    "access": ("RO", "RW"),
    "selection": ("YOUNGEST_FIRST", "OLDEST_FIRST"),
}
# The first version with each field. Older versions ignore the field without an error.
SINCE = {
    "gpus": (1, 3),
    "secrets": (1, 3),
    "taskKillGracePeriodSeconds": (1, 3),
    "killSelection": (1, 4),
    "unreachableStrategy": (1, 4),
    "tty": (1, 5),
    "executorResources": (1, 6),
    "check": (1, 8),
    "role": (1, 9),
    "resourceLimits": (1, 10),
}
# Fields of pods and their containers, likewise.
POD_SINCE = {"role": (1, 9)}
POD_CONTAINER_SINCE = {"check": (1, 9), "resourceLimits": (1, 10)}
ENFORCE_ROLE_SINCE = (1, 9)
# Fields of a health check that say what to connect to.
ENDPOINT_FIELDS = ("path", "port", "portIndex")
# Fields of linuxInfo, of apps and pods. Marathon 1.8.244 was seen to drop ipcInfo.
LINUX_INFO_SINCE = {"seccomp": (1, 8), "ipcInfo": (1, 9)}
# Mappings of settings. A merge keeps those that the definition does not mention.
MERGED_FIELDS = (
    "upgradeStrategy",
    "unreachableStrategy",
    "executorResources",
    "residency",
    "resourceLimits",
)
POD_MERGED_FIELDS = ("scheduling", "executorResources", "scaling")
# Defaults that every version adds to a part of an app, whatever its other fields.
ADDED_DEFAULTS = {
    "container": {"type": "DOCKER", "volumes": []},
    "docker": {"forcePullImage": False, "privileged": False, "parameters": []},
    "portMapping": {"containerPort": 0, "protocol": "tcp", "labels": {}},
    "portDefinition": {"protocol": "tcp", "labels": {}},
    "network": {"mode": "container", "labels": {}},
    "artifact": FETCH,
    "healthCheck": {
        **HEALTH_CHECK,
        "delaySeconds": 15,
        "ipProtocol": "IPv4",
        "ignoreHttp1xx": False,
        "portIndex": 0,
    },
}
# Types that only contain text.
TEXT_TYPES = frozenset(("text", "values", "environment", *CHOICES))
# Fields for which Marathon chooses a number if they are 0.
CHOSEN_PORTS = {"portMapping": "servicePort", "portDefinition": "port"}
AS_THEY_ARE = (str, int, bool)
# Fields that have a deprecated form or are converted.
CONVERTED_FIELDS = frozenset((*RENAMED_FIELDS, *IGNORED_FIELDS, *RUNTIME_FIELDS, "residency"))
CONVERTED_BEFORE_1_5 = CONVERTED_FIELDS | {"container", "networks", "portDefinitions", "fetch"}
# The version from which on fewer fields are converted.
CONVERTED_SINCE = (1, 5, 0)
# Fields of an app that decide about its ports.
PORT_FIELDS = ("container", "ipAddress", "networks", "portDefinitions", "ports", "requirePorts")
# A text that is accepted in place of another type.
SPECIAL_TEXTS = {"unreachable": "disabled", "limit": "unlimited"}


def release(version):
    """
    Return a version as numbers: ``1.5.0-SNAPSHOT`` is (1, 5, 0). Raises ValueError if invalid.
    """
    if isinstance(version, tuple) and len(version) == 3:
        return version
    text = ".".join(map(str, version)) if isinstance(version, (tuple, list)) else str(version)
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    if not match:
        raise ValueError(f"{version!r} is not a version of Marathon, such as 1.8.244")
    return tuple(int(number or 0) for number in match.groups())


# --- apps ---


def canonical(config, version):
    """Return the canonical form of an app, be it declared or as Marathon returned it."""
    version = release(version)
    return _filled(
        _settled(_modern(_texts(_plain(_without_runtime_fields(config)), "app"), version), version),
        version,
    )


def diff(current, desired, version, mode="merge", unset=()):
    """
    Return what a definition would change in an existing app: ``{"/labels/team": {"old": "a", "new":
    "b"}}``.

    With mode ``merge`` only declared top-level fields are compared, and those that they exclude
    (``args`` excludes ``cmd``). A missing setting of a strategy or of resources is kept (see
    ``MERGED_FIELDS``); any other missing subfield means its default. With ``replace`` all fields
    are compared, except undeclared ``instances`` and ``role``. ``unset`` are top-level fields to
    remove.

    The paths are JSON pointers into the canonical form, to the deepest value that differs; sets,
    lists of text and lists of different length are compared as one value. A missing value is None.
    Values that Marathon chooses (a port 0, the name of the default network, roles of which it
    accepts none) are not differences, nor is executorResources alone, as Marathon ignores such a
    change.
    """
    version = release(version)
    old = canonical(current, version)
    new = _filled(_settled(_combine(current, desired, version, mode, unset), version), version)
    return _changes(old, _with_chosen_values(old, new, version))


def stands(current, desired, version):
    """
    Return whether merging a definition certainly changes nothing in an app from Marathon. It takes
    a fiftieth of the time of ``diff`` and ``check``. False: call these to find out.
    """
    twofold = CONVERTED_FIELDS if version >= CONVERTED_SINCE else CONVERTED_BEFORE_1_5
    fields = OBJECTS["app"]
    for name, value in desired.items():
        if value is None:
            return False
        if (
            name not in current
            or name in twofold
            or name not in fields
            or not _is_same(value, current[name], fields[name])
        ):
            return False
    return True


def _is_same(value, current, kind):
    """
    Return whether a declared value equals Marathon's, apart from defaults that it always adds.
    """
    if value == current and isinstance(kind, str) and kind in TEXT_TYPES:
        return True
    if isinstance(value, dict):
        return (
            isinstance(current, dict)
            and isinstance(kind, str)
            and _are_parts_same(value, current, kind)
        )
    if isinstance(value, list):
        if not isinstance(current, list) or len(value) != len(current):
            return False
        part = "any"
        if isinstance(kind, list):
            part = kind[0]
        elif kind == "constraint":
            part = "text"
        remaining = list(current)
        for item in value:
            index = 0
            if part in ("healthCheck", "constraint"):  # these are sets
                index = next(
                    (
                        number
                        for number, candidate in enumerate(remaining)
                        if _is_same(item, candidate, part)
                    ),
                    0,
                )
            if not _is_same(item, remaining.pop(index), part):
                return False
        return True
    if type(value) is bool or type(current) is bool:
        return value is current
    return value == current or (type(value) is int and str(value) == current and kind == "text")


def _are_parts_same(declared, current, kind):
    if kind == "healthCheck" and "port" in declared:
        return False
    fields, chosen = OBJECTS.get(kind, {}), CHOSEN_PORTS.get(kind)
    default_kind = "text" if kind in TEXT_TYPES else "any"
    for name, value in declared.items():
        if name == chosen and value == 0 and type(value) is int:
            continue
        if name not in current:
            return False
        current_value = current[name]
        if not (
            type(value) is type(current_value) is str and value == current_value
        ) and not _is_same(value, current_value, fields.get(name, default_kind)):
            return False
    if declared.keys() != current.keys():
        added = ADDED_DEFAULTS.get(kind, {})
        for name in current:
            if (
                name not in declared
                and name != chosen
                and (name not in added or added[name] != current[name])
            ):
                return False
    return True


def writable(app, version):
    """
    Return an app from Marathon in a form that can be sent back: without runtime fields, duplicate
    forms and ``null``.
    """
    version = release(version)
    fields = _plain(_without_runtime_fields(app))
    if version >= (1, 6):
        fields.pop("residency", None)
    for older, newer in RENAMED_FIELDS.items():
        if newer in fields:
            fields.pop(older, None)
    if version < (1, 5) and (
        fields.get("ipAddress") is not None or _docker(fields).get("network") in ("BRIDGE", "USER")
    ):
        # Marathon repeats the service ports of the mappings; sent back, they would be definitions.
        fields.pop("portDefinitions", None)
        fields.pop("ports", None)
    return fields


def merged(current, desired, version, unset=(), mode="merge"):
    """
    Return the body of ``PUT ?partialUpdate=false`` that applies a definition and keeps other
    fields.

    Without it nothing can be unset, and Marathon loses ``executorResources`` and
    ``resourceLimits``. With mode ``replace`` nothing is kept but ``instances`` and ``role``. Below
    Marathon 1.5 the body has the older form.
    """
    version = release(version)
    return _sendable(_combine(current, desired, version, mode, unset), version)


def prepared(config, version):
    """
    Return a definition in the form to send: numbers in env and labels as text, absolute ids, a
    complete upgradeStrategy, and the older or newer (from 1.5) forms of fields.
    """
    version = release(version)
    return _sendable(_modern(_texts(_plain(config), "app"), version), version)


def check(config, version, where="app"):
    """
    Raise ValueError, in one line, for an invalid definition, or a value that YAML may
    have converted.

    A whole number in env, labels, args or constraints is accepted. True and false (which may have
    been ``yes`` or ``on``), fractions (``1.10`` becomes 1.1), times and null are rejected: they
    need quotes.
    """
    version = release(version)
    for error in _app_errors(config, version):
        raise ValueError(f"{where}: {error}")


def check_runs(app):
    """Raise ValueError, one line, for a whole app that has nothing to run."""
    container = app.get("container") or {}
    if not (app.get("cmd") or app.get("args") or container.get("docker") or container.get("appc")):
        raise ValueError(
            "there is nothing to run: an app has cmd, args or a container with an image"
        )


def check_fields(config, kind):
    """
    Raise ValueError, in one line, for a misspelt field or a value of the wrong type in a part of an
    app, pod or group, for any version of Marathon.
    """
    for error in _errors(config, kind, ""):
        raise ValueError(error)


def without_unknown(config, kind):
    """
    Return an app, pod or group without the fields that Marathon does not have or use, or that only
    Marathon sets, and warnings about these. Marathon accepts and drops the first
    (``apps-invalid-unknown-field`` and the like of the recorded responses). ``check`` refuses those
    that look like a misspelt field.
    """
    warnings = []
    return _without_unknown(config, kind, "", warnings), warnings


def _without_unknown(value, kind, path, warnings):
    if isinstance(kind, list):
        if not isinstance(value, (list, tuple)):
            return value
        return [
            _without_unknown(item, kind[0], f"{path}[{number}]", warnings)
            for number, item in enumerate(value)
        ]
    if kind not in OBJECTS or not isinstance(value, Mapping):
        return value
    prefix = f"{path}." if path else ""
    supported, fields_of_marathon = {}, []
    for name, item in value.items():
        field = f"{prefix}{name}"
        reason = _reason_to_ignore(value, kind, name)
        if name in FIELDS_OF_MARATHON.get(kind, ()):
            fields_of_marathon += [field] if item is not None else []
        elif reason:
            warnings.append(f"{field}: ignored, since {reason}")
        else:
            supported[name] = _without_unknown(item, OBJECTS[kind][name], field, warnings)
    if fields_of_marathon:
        # One warning, since an app that Marathon returned has up to ten of them.
        warnings.append(f"{', '.join(fields_of_marathon)}: ignored, since only Marathon sets this")
    return supported


def _reason_to_ignore(fields, kind, name):
    """Return why a field of an object should not be sent, None if it should."""
    if name not in OBJECTS[kind]:
        return "Marathon does not have this field"
    if kind == "app" and name in IGNORED_FIELDS and fields[name]:
        return "Marathon does not use this field"
    is_command = kind == "healthCheck" and fields.get("protocol") == "COMMAND"
    if is_command and name in ENDPOINT_FIELDS and fields[name] is not None:
        return "protocol COMMAND has no endpoint"  # 500, from Marathon 1.5 on
    return None


def ignored(config, kind, current=None, is_checked=True):
    """
    Return warnings about what Marathon accepts in a valid definition and does not store: fields
    that it does not have or sets itself, and ports that the network of an app does not have.

    current
        The app from Marathon that the definition is merged into. None: there is none.

    is_checked
        False: raise ValueError as ``check_fields`` does, which was not called.
    """
    warnings = []
    # Marathon has the fields that it shows, so none of them is misspelt or unknown.
    is_update = kind == "app" and current and isinstance(config, Mapping)
    if not (is_update and stands(current, config, CONVERTED_SINCE)):
        if not is_checked:
            check_fields(config, kind)
        warnings = without_unknown(config, kind)[1]
    if kind == "app":
        fields = {name: config[name] for name in PORT_FIELDS if name in config}
        warnings += _ignored_ports(_plain(fields), current or {})
    elif kind == "group":
        warnings += _ignored_ports_of_group(_plain(config), "")
    return warnings


def _ignored_ports_of_group(group, prefix):
    warnings = []
    for number, app in enumerate(group.get("apps", ())):
        warnings += [f"{prefix}apps[{number}].{text}" for text in _ignored_ports(app, {})]
    for number, subgroup in enumerate(group.get("groups", ())):
        warnings += _ignored_ports_of_group(subgroup, f"{prefix}groups[{number}].")
    return warnings


def _ignored_ports(app, current):
    """
    Return warnings about ports that an app cannot have, as it is on the host network, or is not.

    Marathon 1.8 drops port mappings on the host network (``apps-invalid-mappings-host`` of the
    recorded responses), and makes mappings with defaults of port definitions on another network.
    """
    networks = _networks(app) or _networks(current) or HOST
    if any(network.get("mode") != "host" for network in networks):
        return _ignored_ports_of_container(app)
    warnings = _ignored_ports_on_host(app)
    if app.get("ports") and app.get("portDefinitions") == []:
        warnings.append("ports: ignored, since portDefinitions is declared as well")
    return warnings


def _ignored_ports_of_container(app):
    warnings = [
        f"{field}: at most their number counts, since the app is not on the host network"
        for field in ("portDefinitions", "ports")
        if app.get(field)
    ]
    if app.get("requirePorts"):
        warnings.append("requirePorts: ignored, since the app is not on the host network")
    container, discovery = app.get("container", {}), app.get("ipAddress", {}).get("discovery", {})
    is_mapped = "portMappings" in container and container.get("type") == "MESOS"
    if is_mapped and discovery.get("ports"):
        field = "ipAddress.discovery.ports"
        warnings.append(f"{field}: ignored, since container.portMappings is declared as well")
    return warnings


def _ignored_ports_on_host(app):
    container, docker, address = app.get("container", {}), _docker(app), app.get("ipAddress", {})
    ignored_fields = {
        "container.portMappings": container.get("portMappings"),
        "container.docker.portMappings": docker.get("portMappings"),
        **{f"ipAddress.{name}": value for name, value in address.items() if name != "discovery"},
        "ipAddress.discovery.ports": address.get("discovery", {}).get("ports"),
    }
    return [
        f"{field}: ignored, since the app is on the host network"
        for field, value in ignored_fields.items()
        if value
    ]


def _networks(app):
    """Return the networks of an app, declared or from Marathon, None if it says nothing of them."""
    mode = NETWORK_MODES.get(_docker(app).get("network"))
    if mode:
        return [{"mode": mode}]
    if app.get("ipAddress") is not None:
        return [{"mode": "container"}]
    return app.get("networks")


def fields(kind, version):
    """Return the names of the fields that an app or a pod may be declared with."""
    version = release(version)
    unknown = (
        RUNTIME_FIELDS
        | IGNORED_FIELDS
        | {"id"}
        | ({name for name, since in SINCE.items() if version < since} if kind == "app" else set())
    )
    return sorted(OBJECTS[kind].keys() - unknown)


# --- pods ---


def canonical_pod(config, version):
    """Return the canonical form of a pod, be it declared or as Marathon returned it."""
    version = release(version)
    return _filled_pod(_declared_pod(config, version), version)


def diff_pod(current, desired, version, mode="merge", unset=()):
    """Return what a definition changes in an existing pod, see ``diff``; ``scaling`` is kept."""
    version = release(version)
    old = canonical_pod(current, version)
    new = _filled_pod(_combine_pod(current, desired, mode, unset, version), version)
    return _changes(old, _with_chosen_networks(old, new))


def merged_pod(current, desired, version, unset=(), mode="merge"):
    """
    Return the body of a PUT that applies a definition and keeps other fields, since Marathon
    replaces the whole pod. Mode ``replace`` keeps only ``scaling``, ``role`` and
    ``legacySharedCgroups``, without which tasks restart.
    """
    return _combine_pod(current, desired, mode, unset, release(version))


def prepared_pod(config, version):
    """Return a pod in the form to send: environment and labels as text, and the id absolute."""
    return _declared_pod(config, release(version))


def check_pod(config, version, where="pod"):
    """Raise ValueError, in one line, for an invalid pod; see ``check``."""
    for error in _pod_errors(config, release(version)):
        raise ValueError(f"{where}: {error}")


# --- groups ---


def check_group(config, version, where="group"):
    """Raise ValueError, in one line, for an invalid group, or app in it; see ``check``."""
    for error in _group_errors(config, release(version)):
        raise ValueError(f"{where}: {error}")


# --- the parts of an app, in the newer form ---


def _plain(value):
    """Return a copy without null in mappings, with 2.0 as 2, and dates as text."""
    if type(value) in AS_THEY_ARE:
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.isoformat() if isinstance(value, datetime.date) else value


def _without_runtime_fields(app):
    """Leave out what Marathon owns or ignores."""
    return {
        key: value
        for key, value in app.items()
        if key not in RUNTIME_FIELDS and key not in IGNORED_FIELDS
    }


def _as_text(value):
    return json.dumps(value) if isinstance(value, (bool, int, float)) else value


def _texts(value, kind):
    """Convert text fields to text and ids to absolute ids."""
    if isinstance(kind, list):
        return [_texts(item, kind[0]) for item in value] if isinstance(value, list) else value
    if kind in SCALARS and kind not in ("text", "portProtocol"):
        return value
    if kind == "portProtocol":
        # Marathon from 1.5 on knows only this spelling.
        return "udp,tcp" if value == "tcp,udp" else value
    if kind == "text":
        return _as_text(value)
    if kind == "constraint" and isinstance(value, list):
        texts = [_as_text(item) for item in value]
        return texts[:2] if texts[2:] == [""] else texts
    if not isinstance(value, dict):
        return value
    if kind in ("values", "environment"):
        return {key: _as_text(item) for key, item in value.items()}
    fields = OBJECTS.get(kind, {})
    converted = {key: _texts(item, fields.get(key, "any")) for key, item in value.items()}
    if kind in ("app", "pod") and "id" in converted:
        converted["id"] = _absolute(converted["id"])
    if kind == "app" and isinstance(converted.get("dependencies"), list):
        converted["dependencies"] = [_absolute(item) for item in converted["dependencies"]]
    return converted


def _absolute(identifier):
    """
    Resolve an id against the root, as Marathon does from 1.5 on. Up to 1.4, dependencies were
    relative to the app.
    """
    segments = []
    for segment in str(identifier).split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments)


def _docker(app):
    container = app.get("container")
    docker = container.get("docker") if isinstance(container, dict) else None
    return docker if isinstance(docker, dict) else {}


def _modern(app, version):
    """Replace deprecated forms with those of Marathon 1.5. ``app`` is a copy and may be partial."""
    app = _without_runtime_fields(app)
    if version >= (1, 6):
        app.pop("residency", None)
    _remove_empty(app, SINCE, version)  # Marathon drops them.
    uris, ports, address = (app.pop(key, None) for key in RENAMED_FIELDS)
    if uris is not None and not app.get("fetch"):
        app["fetch"] = [{"uri": uri, "extract": uri.endswith(ARCHIVES)} for uri in uris]
    for artifact in app.get("fetch", ()):
        if "outputFile" in artifact:
            artifact["destPath"] = artifact.pop("outputFile")
    if ports is not None:
        app.setdefault("portDefinitions", [{"port": port} for port in ports])
    if app.get("acceptedResourceRoles") == []:
        del app["acceptedResourceRoles"]
    container, docker = app.get("container"), _docker(app)
    mode = NETWORK_MODES.get(docker.pop("network", None))
    mappings = docker.pop("portMappings", None)
    if mappings is not None:
        container.setdefault("portMappings", mappings)
    if mode or address is not None:
        _modern_network(app, mode, address or {}, version)
    return app


def _modern_network(app, mode, address, version):
    name = address.get("networkName")
    if not mode:
        mode = "container/bridge" if name == MESOS_BRIDGE and version >= (1, 5) else "container"
    network = {"mode": mode}
    if mode == "container" and name:
        network["name"] = name
    if mode != "host" and address.get("labels"):
        network["labels"] = address["labels"]
    if version < (1, 5) and "groups" in address:
        network["groups"] = _sorted(address["groups"])
    discovery = address.get("discovery")
    if discovery not in NO_DISCOVERY:
        container = app.setdefault("container", {"type": "MESOS"})
        if container.get("type") == "MESOS":
            container.setdefault(
                "portMappings",
                [
                    {
                        **{key: port[key] for key in ("name", "protocol", "labels") if key in port},
                        "containerPort": port.get("number", 0),
                    }
                    for port in discovery["ports"]
                ],
            )
        elif mode == "container":
            network["discovery"] = discovery  # up to 1.4, also beside the mappings of Docker
    app.setdefault("networks", [network])


def _modes(app):
    return {network.get("mode", "container") for network in app.get("networks") or HOST}


def _settled(app, version):
    """Remove ports that the network of an app cannot have; from 1.5 on, add default ports."""
    modes = _modes(app)
    container = app.get("container")
    if modes == {"host"}:
        if container:
            container.pop("portMappings", None)
        app.setdefault(
            "portDefinitions",
            [{"port": 0, "name": "default"}] if version >= (1, 4) else [{"port": 0}],
        )
        return app
    definitions = app.pop("portDefinitions", None) or ()
    app["requirePorts"] = False
    if version < (1, 5):
        if container:
            container.setdefault("portMappings", [])
        return app
    if container is None:
        container, definitions = app.setdefault("container", {"type": "MESOS"}), ()
    mappings = container.setdefault("portMappings", [dict(DEFAULT_PORT)])
    mappings.extend({} for _ in definitions[len(mappings) :])
    return app


def _sorted(values):
    """Return a set that JSON has as a list."""
    unique = {json.dumps(value, sort_keys=True): value for value in values}
    return [unique[text] for text in sorted(unique)]


def _filled(app, version):
    """Fill in all defaults of a whole app in the newer form."""
    container = (
        _container(app["container"], "container/bridge" in _modes(app), version)
        if "container" in app
        else None
    )
    volumes = container["volumes"] if container else ()
    persistent = any("persistent" in volume for volume in volumes)
    filled = {
        "instances": 1,
        "cpus": 1,
        "mem": 128,
        "disk": 0,
        "executor": "",
        "requirePorts": False,
        "backoffSeconds": 1,
        "backoffFactor": 1.15,
        "maxLaunchDelaySeconds": _max_launch_delay(version),
        "args": [],
        "env": {},
        "labels": {},
        "secrets": {},
        "constraints": [],
        "dependencies": [],
        "acceptedResourceRoles": [],
        "fetch": [],
        "healthChecks": [],
        "readinessChecks": [],
        **app,
    }
    if version >= (1, 3):
        filled.setdefault("gpus", 0)
    if version >= (1, 4):
        filled.setdefault("killSelection", "YOUNGEST_FIRST")
        filled["unreachableStrategy"] = _unreachable(
            app.get("unreachableStrategy"), persistent, version
        )
    if container:
        filled["container"] = container
    if version < (1, 6) and (persistent or "residency" in app):
        filled["residency"] = {**RESIDENCY, **app.get("residency", {})}
    if not filled.get("tty"):
        filled.pop("tty", None)
    filled["upgradeStrategy"] = {
        **_default_upgrade(app),
        **app.get("upgradeStrategy", {}),
    }
    filled["networks"] = [_network(network) for network in app.get("networks") or HOST]
    if "portDefinitions" in app:
        filled["portDefinitions"] = [
            {"port": 0, **_port(definition)} for definition in app["portDefinitions"]
        ]
    filled["fetch"] = [{**FETCH, **artifact} for artifact in filled["fetch"]]
    filled["healthChecks"] = [_health_check(item, version) for item in filled["healthChecks"]]
    filled["readinessChecks"] = [_readiness_check(item) for item in filled["readinessChecks"]]
    for key in ("constraints", "dependencies", "acceptedResourceRoles", "healthChecks"):
        filled[key] = _sorted(filled[key])
    if "check" in app:
        filled["check"] = {**CHECK, **app["check"]}
        if "http" in app["check"]:
            filled["check"]["http"] = {"scheme": "HTTP", **app["check"]["http"]}
    if "executorResources" in app:
        filled["executorResources"] = {**EXECUTOR, **app["executorResources"]}
    return filled


def _default_upgrade(app):
    """Return the default upgradeStrategy, which depends on whether the app is resident."""
    volumes = (app.get("container") or {}).get("volumes", ())
    has_volume = any("persistent" in volume or "external" in volume for volume in volumes)
    return UPGRADE_RESIDENT if has_volume or "residency" in app else UPGRADE


def _max_launch_delay(version):
    return 300 if version >= (1, 8) else 3600


def _unreachable(strategy, persistent, version):
    if strategy == "disabled":
        return strategy
    if strategy is None and persistent:
        return (
            "disabled"
            if version >= (1, 4, 2)
            else {"inactiveAfterSeconds": 3600, "expungeAfterSeconds": 604800}
        )
    long = (1, 4) <= version < (1, 4, 9) or version == (1, 5, 0)
    return {
        "inactiveAfterSeconds": 300 if long else 0,
        "expungeAfterSeconds": 600 if long else 0,
        **(strategy or {}),
    }


def _network(definition):
    network = {"mode": "container", "labels": {}, **definition}
    if not network.get("groups"):
        network.pop("groups", None)
    if network["mode"] != "container":  # what Marathon drops
        network.pop("name", None)
    return {**network, "labels": {}} if network["mode"] == "host" else network


def _port(definition):
    """Fill in what a port definition and a port mapping have in common."""
    return {"protocol": "tcp", "labels": {}, **definition}


def _mapping(definition, bridged):
    mapping = {
        "containerPort": 0,
        "servicePort": 0,
        **({"hostPort": 0} if bridged else {}),
        **_port(definition),
    }
    if mapping.get("networkNames") == []:
        del mapping["networkNames"]
    return mapping


def _container(definition, bridged, version):
    container = {
        "type": "DOCKER",
        **definition,
        "volumes": [_volume(volume, version) for volume in definition.get("volumes", ())],
    }
    if "docker" in definition:
        container["docker"] = {
            "forcePullImage": False,
            "privileged": False,
            "parameters": [],
            **definition["docker"],
        }
        if container["type"] == "MESOS":  # these it does not store
            container["docker"].update(privileged=False, parameters=[])
    if "appc" in definition:
        container["appc"] = {"labels": {}, "forcePullImage": False, **definition["appc"]}
    if container["type"] == "DOCKER":
        container.pop("linuxInfo", None)
    _fill_linux_info(container)
    if "portMappings" in definition:
        container["portMappings"] = [
            _mapping(mapping, bridged) for mapping in definition["portMappings"]
        ]
    return container


def _fill_linux_info(part):
    """Fill in the defaults of the linuxInfo of a container or pod."""
    linux_info = part.get("linuxInfo")
    if linux_info and "seccomp" in linux_info:
        seccomp = {"unconfined": False, **linux_info["seccomp"]}
        part["linuxInfo"] = {**linux_info, "seccomp": seccomp}


def _volume(declared_volume, version):
    volume = dict(declared_volume)
    if "persistent" in volume:
        info = volume["persistent"]
        kind = "mount" if "profileName" in info and version >= (1, 8) else "root"
        volume["persistent"] = {
            "type": kind,
            **info,
            "constraints": _sorted(info.get("constraints", ())),
        }
    if "external" in volume:
        volume["external"] = {"options": {}, "shared": False, **volume["external"]}
    return volume


def _health_check(check, version):
    """Fill in a health check, and leave out what Marathon drops for its protocol."""
    protocol = check.get("protocol", "HTTP")
    by_mesos = protocol == "COMMAND" or protocol.startswith("MESOS_")
    filled, unused = {**HEALTH_CHECK, **check}, set()
    if by_mesos and version >= (1, 4):
        filled.setdefault("delaySeconds", 15)
    else:
        unused.add("delaySeconds")
    if protocol in ("HTTP", "HTTPS") and version < (1, 5):
        filled.setdefault("ignoreHttp1xx", False)
    else:
        unused.add("ignoreHttp1xx")
    if protocol.startswith("MESOS_") and version >= (1, 6):
        filled.setdefault("ipProtocol", "IPv4")
    else:
        unused.add("ipProtocol")
    if protocol == "COMMAND":
        unused |= {"path", "port", "portIndex"}
    elif "port" not in check:
        filled.setdefault("portIndex", 0)
    if protocol in ("TCP", "MESOS_TCP"):
        unused.add("path")
    return {key: value for key, value in filled.items() if key not in unused}


def _readiness_check(check):
    filled = {**READINESS_CHECK, **check}
    filled["httpStatusCodesForReady"] = _sorted(filled["httpStatusCodesForReady"] or [200])
    return filled


# --- merging and comparing apps ---


def _combine(current, desired, version, mode, unset):
    """Return the resulting app in the newer form, without undeclared defaults."""
    base = _modern(_texts(writable(current, version), "app"), version)
    definition = _modern(_texts(_plain(desired), "app"), version)
    removed = {RENAMED_FIELDS.get(key, key) for key in unset}
    _expect_mode(mode)
    for key in removed & definition.keys():
        raise ValueError(f"{key}: both declared and in unset")
    if mode == "merge":
        base_fields = _kept_fields(base, definition)
        _merge_settings(base, definition, MERGED_FIELDS)
        _keep_network_groups(base, definition)
    else:
        base_fields = {key: base[key] for key in ("id", "instances", "role") if key in base}
    return {
        key: value for key, value in {**base_fields, **definition}.items() if key not in removed
    }


def _merge_settings(base, definition, fields):
    """Add to the declared mappings the current settings that they do not mention."""
    for field in fields:
        if isinstance(base.get(field), dict) and isinstance(definition.get(field), dict):
            definition[field] = {**base[field], **definition[field]}


def _keep_network_groups(base, definition):
    """Add the current ``ipAddress.groups``, up to 1.4, unless others are declared."""
    for old, new in zip(base.get("networks", ()), definition.get("networks", ())):
        if "groups" in old and new.get("mode", "container") == "container":
            new.setdefault("groups", old["groups"])


def _expect_mode(mode):
    if mode not in ("merge", "replace"):
        raise ValueError(f"mode: {mode!r} is neither merge nor replace")


def _kept_fields(base, definition):
    """Return the current fields that the definition does not exclude."""
    excluded_field = None
    if definition.get("args"):
        excluded_field = "cmd"
    elif "cmd" in definition:
        excluded_field = "args"
    fields = {key: value for key, value in base.items() if key != excluded_field}
    if "networks" in definition:
        if _modes(definition) != {"host"}:
            fields.pop("portDefinitions", None)
            fields.pop("requirePorts", None)
        elif fields.get("container"):
            fields["container"] = {
                key: value for key, value in fields["container"].items() if key != "portMappings"
            }
    return fields


def _sendable(app, version):
    """Return an app in the form of the version, with the fields that must be complete."""
    if "upgradeStrategy" in app:
        app["upgradeStrategy"] = {**_default_upgrade(app), **app["upgradeStrategy"]}
    if "networks" in app and _modes(app) != {"host"}:
        definitions = app.pop("portDefinitions", None)
        app.pop("requirePorts", None)
        if definitions and version >= (1, 5) and "container" in app:
            mappings = app["container"].setdefault("portMappings", [dict(DEFAULT_PORT)])
            mappings.extend({} for _ in definitions[len(mappings) :])
    return _older(app, version) if version < (1, 5) else app


def _older(app, version):
    """Return an app in the form of Marathon up to 1.4."""
    container, docker = app.get("container"), _docker(app)
    networks = app.pop("networks", None)
    mappings = container.pop("portMappings", None) if container else None
    if docker and mappings is not None and container.get("type") != "MESOS":
        docker["portMappings"] = mappings
        mappings = None
    if networks:
        if len(networks) > 1:
            raise ValueError("networks: several need Marathon 1.5")
        network = networks[0]
        mode = network.get("mode", "container")
        if docker and container.get("type") != "MESOS":
            docker["network"] = next(
                older for older, newer in NETWORK_MODES.items() if newer == mode
            )
        elif mode == "container/bridge":
            raise ValueError("networks: container/bridge without Docker needs Marathon 1.5")
        if mode == "container" or network.get("labels") or network.get("groups"):
            if mappings and container == {"type": "MESOS"}:  # what ipAddress alone stands for
                del app["container"]
            app["ipAddress"] = {
                "labels": network.get("labels", {}),
                **({"networkName": network["name"]} if "name" in network else {}),
                **({"groups": network["groups"]} if "groups" in network else {}),
            }
            discovery = _discovery(mappings) if mappings else network.get("discovery")
            if discovery:
                app["ipAddress"]["discovery"] = discovery
    if version < (1, 4, 6):
        for artifact in app.get("fetch", ()):
            if "destPath" in artifact:
                artifact["outputFile"] = artifact.pop("destPath")
    return app


def _discovery(mappings):
    """Return mappings of a container that is not Docker's, as Marathon up to 1.4 has them."""
    for mapping in mappings:
        if (
            mapping.get("hostPort") is not None
            or mapping.get("servicePort")
            or "name" not in mapping
        ):
            raise ValueError(
                "container.portMappings: without Docker and before Marathon 1.5 "
                "they have a name, and no host or service port"
            )
    return {
        "ports": [
            {
                "number": mapping.get("containerPort", 0),
                "name": mapping["name"],
                "protocol": mapping.get("protocol", "tcp"),
                "labels": mapping.get("labels", {}),
            }
            for mapping in mappings
        ]
    }


def _with_chosen_values(old, new, version):
    """Copy the values that Marathon chose from the old app."""
    _with_chosen_networks(old, new)
    for theirs, ours in zip(old.get("portDefinitions", ()), new.get("portDefinitions", ())):
        ours["port"] = ours["port"] or theirs["port"]
    mappings = [(app.get("container") or {}).get("portMappings", ()) for app in (old, new)]
    for theirs, ours in zip(*mappings):
        ours["servicePort"] = ours["servicePort"] or theirs["servicePort"]
    if "role" in old:
        new.setdefault("role", old["role"])
    if version >= (1, 9) and new["acceptedResourceRoles"]:
        accepted = [role for role in new["acceptedResourceRoles"] if role in ("*", new.get("role"))]
        if old["acceptedResourceRoles"] == (accepted or ["*"]):
            new["acceptedResourceRoles"] = old["acceptedResourceRoles"]
    if {key for key in {*old, *new} if old.get(key) != new.get(key)} <= {
        "executorResources",
        "instances",
    }:
        new["executorResources"] = old.get("executorResources")
    return new


def _with_chosen_networks(old, new):
    for theirs, ours in zip(old["networks"], new["networks"]):
        if (
            ours["mode"] == theirs["mode"] == "container"
            and "name" not in ours
            and "name" in theirs
        ):
            ours["name"] = theirs["name"]
    return new


def _changes(old, new, path="", key=""):
    """Return old and new value of each path that differs."""
    if old == new:
        return {}
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(key, old.get(key), new.get(key)) for key in sorted({*old, *new})]
    elif key != "healthChecks" and _objects(old) and _objects(new) and len(old) == len(new):
        pairs = [(str(number), *pair) for number, pair in enumerate(zip(old, new))]
    else:
        return {path: {"old": old, "new": new}}
    changes = {}
    for name, *pair in pairs:
        changes.update(
            _changes(*pair, f"{path}/{name.replace('~', '~0').replace('/', '~1')}", name)
        )
    return changes


def _objects(value):
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


# --- pods ---


def _without_version(pod):
    return {key: value for key, value in pod.items() if key != "version"}


def _declared_pod(config, version):
    """Return a pod without empty fields that only a later version has: Marathon drops them."""
    pod = _without_version(_texts(_plain(config), "pod"))
    _remove_empty(pod, POD_SINCE, version)
    for container in pod.get("containers", ()):
        _remove_empty(container, POD_CONTAINER_SINCE, version)
    return pod


def _remove_empty(fields, since, version):
    for name, first_version in since.items():
        if version < first_version and not fields.get(name, True):
            del fields[name]


def _combine_pod(current, desired, mode, unset, version):
    base, definition = _without_version(_plain(current)), _declared_pod(desired, version)
    _expect_mode(mode)
    for key in set(unset) & definition.keys():
        raise ValueError(f"{key}: both declared and in unset")
    if mode == "merge":
        base_fields = base
        _merge_settings(base, definition, POD_MERGED_FIELDS)
    else:
        preserved = ("id", "scaling", "role", "legacySharedCgroups")
        base_fields = {key: base[key] for key in preserved if key in base}
    return {key: value for key, value in {**base_fields, **definition}.items() if key not in unset}


def _filled_pod(pod, version):
    """Fill in all defaults of a whole pod."""
    networks = [_network(network) for network in pod.get("networks", ())]
    in_container = any(network["mode"] == "container" for network in networks)
    volumes = [_volume(volume, version) for volume in pod.get("volumes", ())]
    persistent = any("persistent" in volume for volume in volumes)
    scheduling, placement = (
        pod.get("scheduling", {}),
        pod.get("scheduling", {}).get("placement", {}),
    )
    upgrade = UPGRADE_RESIDENT if persistent and "upgrade" not in scheduling else UPGRADE
    filled = {
        "labels": {},
        "environment": {},
        "secrets": {},
        **pod,
        "networks": networks,
        "volumes": volumes,
        "containers": [
            _pod_container(container, in_container) for container in pod.get("containers", ())
        ],
        "scaling": {"kind": "fixed", "instances": 1, **pod.get("scaling", {})},
        "executorResources": {**EXECUTOR, **pod.get("executorResources", {})},
        "scheduling": {
            "killSelection": "YOUNGEST_FIRST",
            **scheduling,
            "backoff": {
                "backoff": 1,
                "backoffFactor": 1.15,
                "maxLaunchDelay": _max_launch_delay(version),
                **scheduling.get("backoff", {}),
            },
            "upgrade": {**upgrade, **scheduling.get("upgrade", {})},
            "placement": {
                key: _sorted(placement.get(key, ()))
                for key in ("constraints", "acceptedResourceRoles")
            },
            "unreachableStrategy": _unreachable(
                scheduling.get("unreachableStrategy"), persistent, version
            ),
        },
    }
    _fill_linux_info(filled)
    if not filled.get("legacySharedCgroups"):
        filled.pop("legacySharedCgroups", None)
    return filled


def _pod_container(definition, in_container):
    endpoint = {
        "protocol": [],
        "labels": {},
        "networkNames": [],
        **({} if in_container else {"hostPort": 0}),
    }
    container = {
        "environment": {},
        "labels": {},
        **definition,
        "resources": {**RESOURCES, **definition.get("resources", {})},
        "endpoints": [{**endpoint, **part} for part in definition.get("endpoints", ())],
        "volumeMounts": [
            {"readOnly": False, **part} for part in definition.get("volumeMounts", ())
        ],
        "artifacts": [{**FETCH, **part} for part in definition.get("artifacts", ())],
    }
    if "image" in definition:
        container["image"] = {"forcePull": False, "labels": {}, **definition["image"]}
    if "healthCheck" in definition:
        container["healthCheck"] = {**POD_HEALTH_CHECK, **definition["healthCheck"]}
        if "http" in definition["healthCheck"]:
            container["healthCheck"]["http"] = {
                "scheme": "HTTP",
                **definition["healthCheck"]["http"],
            }
    if not container.get("tty"):
        container.pop("tty", None)
    _fill_linux_info(container)
    return container


# --- validation ---


def _app_errors(config, version):
    yield from _errors(config, "app", "")
    config = _plain(config)
    declared = {key for key, value in config.items() if value}
    yield from _unsupported_fields(config, SINCE, version)
    yield from _id_errors(config, version)
    if declared >= {"cmd", "args"}:
        yield "cmd and args: declare only one"
    if config.get("cmd") is not None and len(_as_text(config["cmd"])) < (
        2 if version >= (1, 5) else 1
    ):
        yield "cmd: Marathon requires a command of at least two characters"
    if declared >= {"uris", "fetch"}:
        yield "uris and fetch: declare only one, preferably fetch"
    if declared >= {"ports", "portDefinitions"} and config["ports"] != [
        entry.get("port", 0) for entry in config["portDefinitions"]
    ]:
        yield "ports and portDefinitions: declare only one, preferably portDefinitions"
    if config.get("ipAddress") is not None and declared & {"ports", "portDefinitions"}:
        yield "ipAddress: an app with its own address cannot have ports or portDefinitions"
    yield from _container_errors(config, declared, version)
    for number, entry in enumerate(config.get("healthChecks") or ()):
        if (entry.get("protocol") == "COMMAND") != bool(entry.get("command")):
            yield (
                f"healthChecks[{number}]: protocol COMMAND requires command, and command requires "
                "protocol COMMAND"
            )
        if version < (1, 4) and entry.get("protocol", "").startswith("MESOS_"):
            yield f"healthChecks[{number}]: {entry['protocol']} needs Marathon 1.4"
    check = config.get("check")
    if check is not None and len({"http", "tcp", "exec"} & check.keys()) != 1:
        yield "check: needs exactly one of http, tcp and exec"
    yield from _linux_info_errors(config.get("container"), "container.", version)
    if version < (1, 3) and any(
        {"destPath", "outputFile"} & entry.keys() for entry in config.get("fetch") or ()
    ):
        yield "fetch: destPath needs Marathon 1.3"
    if version < (1, 5):
        try:
            prepared(config, version)
        except ValueError as error:
            yield str(error)
    yield from _ignored_settings(config, version)


def _unsupported_fields(config, since, version, prefix=""):
    """Yield an error for each declared field that only a later version has."""
    for key in sorted(since):
        if config.get(key) and version < since[key]:
            yield (
                f"{prefix}{key}: needs Marathon {_version_text(since[key])}; "
                f"{_version_text(version)} ignores it"
            )


def _linux_info_errors(part, prefix, version):
    """Yield an error for each field of linuxInfo, of a container or pod, that is too new."""
    linux_info = (part or {}).get("linuxInfo") or {}
    yield from _unsupported_fields(linux_info, LINUX_INFO_SINCE, version, f"{prefix}linuxInfo.")


def _ignored_settings(config, version):
    """Yield an error for each declared setting that the version accepts and does not store."""
    if version >= (1, 5) and (config.get("ipAddress") or {}).get("groups"):
        yield "ipAddress.groups: Marathon 1.5 and later ignore it; leave it out"
    timeout = RESIDENCY["relaunchEscalationTimeoutSeconds"]
    residency = config.get("residency") or {}
    if version >= (1, 6) and residency.get("relaunchEscalationTimeoutSeconds", timeout) != timeout:
        yield (
            "residency.relaunchEscalationTimeoutSeconds: Marathon 1.6 and later ignore it; "
            "leave it out"
        )
    container = config.get("container") or {}
    if container.get("type") == "MESOS":
        for key in ("privileged", "parameters"):
            if _docker(config).get(key):
                yield (
                    f"container.docker.{key}: Marathon ignores it in a container of type MESOS; "
                    "leave it out, or use type DOCKER"
                )
    elif container.get("linuxInfo"):
        yield (
            "container.linuxInfo: Marathon ignores it in a container of type DOCKER; "
            "leave it out, or use type MESOS"
        )
    for number, check in enumerate(config.get("healthChecks") or ()):
        stored = _health_check(check, version)
        for key in ("delaySeconds", "ignoreHttp1xx", "ipProtocol"):
            default = ADDED_DEFAULTS["healthCheck"].get(key)
            if key not in stored and check.get(key, default) != default:
                yield (
                    f"healthChecks[{number}].{key}: Marathon {_version_text(version)} ignores it "
                    f"with protocol {stored['protocol']}; leave it out"
                )


def _version_text(version):
    return ".".join(map(str, version))


def _container_errors(config, declared_fields, version):
    """Yield conflicts between container and networks."""
    container = config.get("container") or {}
    docker = container.get("docker") or {}
    network = docker.get("network")
    if "networks" in declared_fields and (network or config.get("ipAddress") is not None):
        yield (
            f"networks and {'container.docker.network' if network else 'ipAddress'}: "
            "two forms of the same setting; declare only one"
        )
    if network == "NONE" and version >= (1, 5):
        yield "container.docker.network: Marathon 1.5 and later do not support NONE"
    if docker.get("portMappings") and container.get("portMappings"):
        yield (
            "container.docker.portMappings and container.portMappings: "
            "declare only one, preferably the latter"
        )
    if (
        config.get("container") is not None
        and container.get("type", "DOCKER") == "DOCKER"
        and not docker.get("image")
    ):
        yield (
            "container: type DOCKER, the default, needs docker.image; "
            "set type: MESOS without an image"
        )


def _pod_errors(config, version):
    yield from _errors(config, "pod", "")
    config = _plain(config)
    yield from _unsupported_fields(config, POD_SINCE, version)
    for number, container in enumerate(config.get("containers") or ()):
        prefix = f"containers[{number}]."
        yield from _unsupported_fields(container, POD_CONTAINER_SINCE, version, prefix)
        yield from _linux_info_errors(container, prefix, version)
    yield from _linux_info_errors(config, "", version)
    yield from _id_errors(config, version)


def _group_errors(config, version):
    yield from _errors(config, "group", "")
    if config.get("enforceRole") is not None and version < ENFORCE_ROLE_SINCE:
        yield (
            f"enforceRole: needs Marathon {_version_text(ENFORCE_ROLE_SINCE)}; "
            f"{_version_text(version)} ignores it"
        )
    for kind, member_errors in (("apps", _app_errors), ("groups", _group_errors)):
        for number, member in enumerate(config.get(kind) or ()):
            for error in member_errors(member, version):
                yield f"{kind}[{number}].{error}"


def _id_errors(config, version):
    """Yield errors in the id and in dependencies."""
    ids = [("id", config["id"])] if config.get("id") is not None else []
    for key, identifier in ids + [
        ("dependencies", dependency) for dependency in config.get("dependencies") or ()
    ]:
        segments = [segment for segment in str(identifier).split("/") if segment]
        if not segments:
            yield f"{key}: {identifier!r} is not the id of an app, such as /shop/cart"
        elif {".", ".."} & set(segments):
            yield (
                f"{key}: {identifier!r} is relative, which versions of Marathon resolve "
                "differently; write an absolute id such as /shop/cart"
            )
        elif not all(map(SEGMENT.fullmatch, segments)):
            yield (
                f"{key}: {identifier!r} is not a valid id: between slashes use a-z, 0-9, dots "
                "and inner hyphens, no upper case"
            )
        elif key == "id" and version >= (1, 8) and segments[-1] in RESERVED:
            yield (
                f"{key}: {identifier!r} ends with {segments[-1]}, "
                "which Marathon 1.8 and later reserve"
            )


def _errors(value, kind, path):
    """
    Yield misspelt fields, wrong types, and values that YAML may have converted. Messages do not
    contain values of env.
    """
    if isinstance(kind, list):
        if not isinstance(value, (list, tuple)):
            yield f"{path}: {_describe(value)} should be a list"
            return
        for number, item in enumerate(value):
            yield from _errors(item, kind[0], f"{path}[{number}]")
    elif kind == "any" or (kind in SPECIAL_TEXTS and value == SPECIAL_TEXTS[kind]):
        return
    elif kind in SCALARS:
        fits, should = SCALARS[kind]
        if not fits(value):
            yield f"{path}: {_describe(value)} should be {should}"
        elif value not in CHOICES.get(kind, (value,)):
            yield f"{path}: {value!r} is not one of {', '.join(CHOICES[kind])}"
    elif kind == "constraint":
        if not isinstance(value, (list, tuple)) or not 2 <= len(value) <= 3:
            yield (
                f"{path}: {_describe(value)} "
                "should be a list of two or three, such as [hostname, UNIQUE]"
            )
            return
        for item, part in zip(value, ("text", "operator", "text")):
            yield from _errors(item, part, path)
    elif not isinstance(value, Mapping):
        example = "" if path else ", such as {cmd: sleep 100}"
        yield f"{path or 'config'}: {_describe(value)} should be a mapping{example}"
    elif kind in ("values", "environment"):
        for name, item in value.items():
            if not (isinstance(name, str) or _is_whole(name)):
                yield f"{path}: the name {_describe(name)} should be text; put it in quotes"
            secret = kind == "environment" and isinstance(item, Mapping) and set(item) == {"secret"}
            yield from _errors(item["secret"] if secret else item, "text", f"{path}.{name}")
    else:
        for name, item in value.items():
            yield from _field_errors(OBJECTS[kind], f"{path}." if path else "", name, item)


def _field_errors(fields, prefix, name, value):
    if name not in fields:
        similar_name = _text.similar_name(name, fields.keys() - RUNTIME_FIELDS - IGNORED_FIELDS)
        if similar_name:
            yield f"{prefix}{name}: there is no such field. Did you mean {similar_name}?"
    elif value is not None:  # null means the default, and Marathon itself returns it
        yield from _errors(value, fields[name], f"{prefix}{name}")


def _describe(value):
    """Describe a value: a number or boolean itself, otherwise only its type."""
    if value is None:
        return "nothing"
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    names = {str: "text", list: "a list", tuple: "a list", dict: "a mapping"}
    return next(
        (name for kind, name in names.items() if isinstance(value, kind)),
        f"a {type(value).__name__}",
    )


def _is_whole(value):
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    )


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value):
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return (
        isinstance(value, str)
        or is_integer
        or (isinstance(value, datetime.date) and not isinstance(value, datetime.datetime))
    )


SCALARS = {
    **dict.fromkeys(("text", *CHOICES), (_is_text, "text; put it in quotes")),
    "whole": (_is_whole, "a whole number"),
    "number": (_is_number, "a number"),
    "limit": (_is_number, "a number or unlimited"),
    "flag": (lambda value: isinstance(value, bool), "true or false"),
}
