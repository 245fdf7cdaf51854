"""
What an app or a pod of Marathon amounts to, in the terms of a version: its canonical form, where two of them differ, and
what to send. No module itself: Salt's loader skips names that begin with ``_``. It asks nobody and needs nothing of Salt.

Marathon never returns what it was sent: it fills in defaults, which differ from version to version, turns deprecated forms
into newer ones, and loses some fields. Whoever compares its answer with a declaration as they are finds differences
forever, and as any difference restarts all tasks, that is no small thing. Here both are brought into one form first:

* the newer form, with every version: ``fetch``, not ``uris``; ``portDefinitions``, not ``ports``; ``networks`` and
  ``container.portMappings``, not ``ipAddress``, ``container.docker.network`` and ``container.docker.portMappings``;
* all defaults filled in; lists and mappings always there, if need be empty; single values without a default (``cmd``,
  ``user``, ``container``, ...) left out if they are not given. ``null`` is the same as not given, as it is to Marathon;
* sets sorted, ids absolute, whole numbers without a fraction; what Marathon owns or ignores left out.

Versions are such as ``1.5.0-SNAPSHOT`` or ``(1, 5, 0)``. Configurations are never changed, always copied.
"""

import datetime
import difflib
import json
import math
import re
from collections.abc import Mapping

# What Marathon puts into its answers, and does not want back.
OWNED = frozenset(
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
# What no version does anything with any more.
IGNORED = frozenset(("storeUrls", "taskRateLimit"))
RENAMED = {"uris": "fetch", "ports": "portDefinitions", "ipAddress": "networks"}

ARCHIVES = (".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".gz", ".tgz", ".tbz2", ".txz", ".zip")
MODES = {"HOST": "host", "BRIDGE": "container/bridge", "USER": "container", "NONE": "none"}
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

# The fields of what Marathon understands, and what may stand there: text, a whole number, a number, a flag (true or false),
# values (text by name), environment (the same, or a secret), the name of another object, one of these in a list; any.
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
        "backoffSeconds": "number",
        "maxLaunchDelaySeconds": "number",
        "taskKillGracePeriodSeconds": "number",
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
        **dict.fromkeys(OWNED, "any"),
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
        "appc": "any",
        "linuxInfo": "any",
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
        "gracePeriodSeconds": "number",
        "intervalSeconds": "number",
        "timeoutSeconds": "number",
        "delaySeconds": "number",
        "maxConsecutiveFailures": "whole",
        "ignoreHttp1xx": "flag",
        "ipProtocol": "text",
    },
    "command": {"value": "text"},
    "check": {
        "http": "any",
        "tcp": "any",
        "exec": "any",
        "intervalSeconds": "number",
        "timeoutSeconds": "number",
        "delaySeconds": "number",
    },
    "readinessCheck": {
        "name": "text",
        "protocol": "text",
        "path": "text",
        "portName": "text",
        "intervalSeconds": "number",
        "timeoutSeconds": "number",
        "httpStatusCodesForReady": ["whole"],
        "preserveLastResponse": "flag",
    },
    "upgrade": {"minimumHealthCapacity": "number", "maximumOverCapacity": "number"},
    "unreachable": {"inactiveAfterSeconds": "number", "expungeAfterSeconds": "number"},
    "residency": {"relaunchEscalationTimeoutSeconds": "number", "taskLostBehavior": "text"},
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
        "linuxInfo": "any",
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
        "linuxInfo": "any",
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
        "http": "any",
        "tcp": "any",
        "exec": "any",
        "maxConsecutiveFailures": "whole",
        "gracePeriodSeconds": "number",
        "intervalSeconds": "number",
        "timeoutSeconds": "number",
        "delaySeconds": "number",
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
}
CHOICES = {
    "operator": ("UNIQUE", "CLUSTER", "GROUP_BY", "LIKE", "UNLIKE", "MAX_PER", "IS"),
    "portProtocol": ("tcp", "udp", "udp,tcp", "tcp,udp"),
    "checkProtocol": ("HTTP", "HTTPS", "TCP", "COMMAND", "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP"),
    "networkMode": ("host", "container", "container/bridge"),
    "dockerNetwork": tuple(MODES),
    "containerType": ("DOCKER", "MESOS"),
    "access": ("RO", "RW"),
    "selection": ("YOUNGEST_FIRST", "OLDEST_FIRST"),
}
# Older versions take these in silence and lose them.
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
# Lists that Marathon up to 1.4 returns as null.
NULLED = ("args", "acceptedResourceRoles")
# What Marathon adds to a part of an app where it is not given, whatever else stands there and with whatever version.
ADDED = {
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
# What has nothing but text in it.
TEXTS = frozenset(("text", "values", "environment", *CHOICES))
# Where 0 leaves it to Marathon which number it is.
CHOSEN = {"portMapping": "servicePort", "portDefinition": "port"}
AS_THEY_ARE = (str, int, bool)
# Fields that are told in two ways, or mean another thing than they say.
TWOFOLD = frozenset((*RENAMED, *IGNORED, *OWNED, "residency"))
TWOFOLD_BEFORE_1_5 = TWOFOLD | {"container", "networks", "portDefinitions", "fetch"}
# The one text that may stand where otherwise something else does.
WORDS = {"unreachable": "disabled", "limit": "unlimited"}


def release(version):
    """Return a version as numbers: ``1.5.0-SNAPSHOT`` is (1, 5, 0). Raises ValueError if it is none."""
    if isinstance(version, tuple) and len(version) == 3:
        return version
    text = ".".join(map(str, version)) if isinstance(version, (tuple, list)) else str(version)
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    if not found:
        raise ValueError(f"{version!r} is no version of Marathon, such as 1.8.244")
    return tuple(int(number or 0) for number in found.groups())


# --- apps ---


def canonical(config, version):
    """Return the canonical form of an app, be it declared or as Marathon returned it."""
    version = release(version)
    return _filled(
        _settled(_modern(_texts(_plain(_without_owned(config)), "app"), version), version), version
    )


def diff(current, desired, version, mode="merge", unset=()):
    """
    Return what a declaration would change in an app that exists: ``{"/labels/team": {"old": "a", "new": "b"}}``.

    With mode ``merge`` only the top-level fields that are given count, and those that these rule out (``args`` rules out
    ``cmd``); what is left out within such a field means its default. With ``replace`` all fields count, except
    ``instances`` and ``role`` if they are not given. ``unset`` are top-level fields to be removed.

    The paths are JSON pointers into the canonical form, to the deepest place that differs; sets, lists of text and lists of
    different length are told as a whole. What is not there is None. No difference is made of what Marathon decides (a port 0,
    the name of the default network, roles of which it accepts none) nor of executorResources alone, as Marathon does
    not take such a change for one.
    """
    version = release(version)
    old = canonical(current, version)
    new = _filled(_settled(_together(current, desired, version, mode, unset), version), version)
    return _changes(old, _conceded(old, new, version))


def stands(current, desired, version):
    """
    Say whether a declaration that is to be merged surely changes nothing in an app as Marathon returned it, which takes a
    fiftieth of the time of ``diff`` and ``check``. True: neither would find anything. False: they have to look.
    """
    twofold = TWOFOLD if version >= (1, 5) else TWOFOLD_BEFORE_1_5
    fields = OBJECTS["app"]
    for name, value in desired.items():
        if value is None:
            return False
        if (
            name not in current
            or name in twofold
            or name not in fields
            or not _alike(value, current[name], fields[name])
        ):
            return False
    return True


def _alike(given, shown, kind):
    """Whether a part of a declaration is what Marathon shows, with nothing to it but what it always adds."""
    if given == shown and isinstance(kind, str) and kind in TEXTS:
        return True
    if isinstance(given, dict):
        return (
            isinstance(shown, dict) and isinstance(kind, str) and _alike_parts(given, shown, kind)
        )
    if isinstance(given, list):
        if not isinstance(shown, list) or len(given) != len(shown):
            return False
        part = kind[0] if isinstance(kind, list) else "text" if kind == "constraint" else "any"
        left = list(shown)
        for each in given:
            place = 0
            if part in ("healthCheck", "constraint"):  # these are sets
                place = next(
                    (number for number, other in enumerate(left) if _alike(each, other, part)), 0
                )
            if not _alike(each, left.pop(place), part):
                return False
        return True
    if type(given) is bool or type(shown) is bool:
        return given is shown
    return given == shown or (type(given) is int and str(given) == shown and kind == "text")


def _alike_parts(given, shown, kind):
    if kind == "healthCheck" and "port" in given:
        return False
    fields, chosen = OBJECTS.get(kind, {}), CHOSEN.get(kind)
    other = "text" if kind in TEXTS else "any"
    for name, value in given.items():
        if name == chosen and value == 0 and type(value) is int:
            continue
        if name not in shown:
            return False
        there = shown[name]
        if not (type(value) is type(there) is str and value == there) and not _alike(
            value, there, fields.get(name, other)
        ):
            return False
    if given.keys() != shown.keys():
        added = ADDED.get(kind, {})
        for name in shown:
            if (
                name not in given
                and name != chosen
                and (name not in added or added[name] != shown[name])
            ):
                return False
    return True


def writable(app, version):
    """Return of an app that Marathon returned what may be sent back: nothing that it owns, nothing twice, no ``null``."""
    version = release(version)
    kept = _plain(_without_owned(app))
    if version >= (1, 6):
        kept.pop("residency", None)
    for older, newer in RENAMED.items():
        if newer in kept:
            kept.pop(older, None)
    if version < (1, 5) and (
        kept.get("ipAddress") is not None or _docker(kept).get("network") in ("BRIDGE", "USER")
    ):
        # Marathon shows the service ports of the mappings there, too. Sent back they would be another definition.
        kept.pop("portDefinitions", None)
        kept.pop("ports", None)
    return kept


def merged(current, desired, version, unset=(), mode="merge"):
    """
    Return the body of ``PUT ?partialUpdate=false`` that makes an app what is desired and keeps what is not mentioned.

    Without it nothing can be unset, and Marathon loses ``executorResources`` and ``resourceLimits``. With mode ``replace`` nothing
    is kept but ``instances`` and ``role``. Below Marathon 1.5 the body has the older form.
    """
    version = release(version)
    return _sendable(_together(current, desired, version, mode, unset), version)


def prepared(config, version):
    """
    Return a declaration as it should be sent: numbers in env and labels as text, ids absolute, the other half of an
    upgradeStrategy filled in, and in the form that the version knows: the newer one from 1.5 on, else the older one.
    """
    version = release(version)
    return _sendable(_modern(_texts(_plain(config), "app"), version), version)


def check(config, version, where="app"):
    """
    Raise ValueError, one line, for what is surely wrong, also with a part of an app, and for what YAML may have changed.

    A whole number in env, labels, args or constraints is taken as it is written. True and false (which may have been
    ``yes`` or ``on``), fractions (``1.10`` has become 1.1), times and nothing at all are refused: quotes make text of them.
    """
    version = release(version)
    for fault in _app_faults(config, version):
        raise ValueError(f"{where}: {fault}")


def check_runs(app):
    """Raise ValueError, one line, for a whole app that has nothing to run."""
    container = app.get("container") or {}
    if not (app.get("cmd") or app.get("args") or container.get("docker") or container.get("appc")):
        raise ValueError(
            "there is nothing to run: an app has cmd, args or a container with an image"
        )


def fields(kind, version):
    """Return the names of the fields that an app or a pod may be declared with."""
    version = release(version)
    unknown = (
        OWNED
        | IGNORED
        | {"id"}
        | ({name for name, since in SINCE.items() if version < since} if kind == "app" else set())
    )
    return sorted(OBJECTS[kind].keys() - unknown)


# --- pods ---


def canonical_pod(config, version):
    """Return the canonical form of a pod, be it declared or as Marathon returned it."""
    return _filled_pod(_without_version(_texts(_plain(config), "pod")), release(version))


def diff_pod(current, desired, version, mode="merge", unset=()):
    """Return what a declaration would change in a pod that exists; see ``diff``. ``scaling`` is kept like ``instances``."""
    version = release(version)
    old = canonical_pod(current, version)
    new = _filled_pod(_together_pod(current, desired, mode, unset), version)
    return _changes(old, _conceded_networks(old, new))


def merged_pod(current, desired, version, unset=(), mode="merge"):
    """
    Return the body of the PUT that makes a pod what is desired and keeps what is not mentioned: Marathon replaces all of it.
    With mode ``replace`` nothing is kept but ``scaling``, ``role`` and ``legacySharedCgroups``, without which tasks restart.
    """
    release(version)
    return _together_pod(current, desired, mode, unset)


def prepared_pod(config, version):
    """Return the declaration of a pod as it should be sent: numbers in environment and labels as text, the id absolute."""
    release(version)
    return _without_version(_texts(_plain(config), "pod"))


def check_pod(config, version, where="pod"):
    """Raise ValueError, one line, for what is surely wrong with a pod, and for what YAML may have changed; see ``check``."""
    for fault in _pod_faults(config, release(version)):
        raise ValueError(f"{where}: {fault}")


# --- the parts of an app, in the newer form ---


def _plain(value):
    """Return a copy of JSON: nothing that is null in mappings, no fraction that is none, dates as text."""
    if type(value) in AS_THEY_ARE:
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.isoformat() if isinstance(value, datetime.date) else value


def _without_owned(app):
    """Leave out what Marathon owns or ignores."""
    return {key: value for key, value in app.items() if key not in OWNED and key not in IGNORED}


def _text(value):
    return json.dumps(value) if isinstance(value, (bool, int, float)) else value


def _texts(value, kind):
    """Make text of what should be text, of an id one that is absolute, and of a half upgradeStrategy nothing yet."""
    if isinstance(kind, list):
        return [_texts(each, kind[0]) for each in value] if isinstance(value, list) else value
    if kind in SCALARS and kind not in ("text", "portProtocol"):
        return value
    if kind == "portProtocol":
        return (
            "udp,tcp" if value == "tcp,udp" else value
        )  # the one spelling that Marathon knows from 1.5 on
    if kind == "text":
        return _text(value)
    if kind == "constraint" and isinstance(value, list):
        texts = [_text(each) for each in value]
        return texts[:2] if texts[2:] == [""] else texts
    if not isinstance(value, dict):
        return value
    if kind in ("values", "environment"):
        return {key: _text(each) for key, each in value.items()}
    fields = OBJECTS.get(kind, {})
    made = {key: _texts(each, fields.get(key, "any")) for key, each in value.items()}
    if kind in ("app", "pod") and "id" in made:
        made["id"] = _absolute(made["id"])
    if kind == "app" and isinstance(made.get("dependencies"), list):
        made["dependencies"] = [_absolute(each) for each in made["dependencies"]]
    return made


def _absolute(identifier):
    """Resolve an id against the root, as Marathon does from 1.5 on; before, dependencies were relative to the app."""
    found = []
    for segment in str(identifier).split("/"):
        if segment == "..":
            found = found[:-1]
        elif segment not in ("", "."):
            found.append(segment)
    return "/" + "/".join(found)


def _docker(app):
    container = app.get("container")
    docker = container.get("docker") if isinstance(container, dict) else None
    return docker if isinstance(docker, dict) else {}


def _modern(app, version):
    """Replace deprecated forms by those that Marathon returns from 1.5 on. ``app`` is a copy, and part of an app will do."""
    app = _without_owned(app)
    if version >= (1, 6):
        app.pop("residency", None)
    uris, ports, address = (app.pop(key, None) for key in RENAMED)
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
    mode = MODES.get(docker.pop("network", None))
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
    """Leave in a whole app the ports that its network can have. Up to 1.4 nothing is made up."""
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
    resident = persistent or "residency" in app or any("external" in volume for volume in volumes)
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
        **(UPGRADE_RESIDENT if resident else UPGRADE),
        **app.get("upgradeStrategy", {}),
    }
    filled["networks"] = [_network(network) for network in app.get("networks") or HOST]
    if "portDefinitions" in app:
        filled["portDefinitions"] = [
            {"port": 0, **_port(definition)} for definition in app["portDefinitions"]
        ]
    for key in ("backoffSeconds", "maxLaunchDelaySeconds", "taskKillGracePeriodSeconds"):
        if isinstance(filled.get(key), float):
            filled[key] = int(filled[key])
    filled["fetch"] = [{**FETCH, **artifact} for artifact in filled["fetch"]]
    filled["healthChecks"] = [_health_check(each, version) for each in filled["healthChecks"]]
    filled["readinessChecks"] = [_readiness_check(each) for each in filled["readinessChecks"]]
    for key in ("constraints", "dependencies", "acceptedResourceRoles", "healthChecks"):
        filled[key] = _sorted(filled[key])
    if "check" in app:
        filled["check"] = {**CHECK, **app["check"]}
        if "http" in app["check"]:
            filled["check"]["http"] = {"scheme": "HTTP", **app["check"]["http"]}
    if "executorResources" in app:
        filled["executorResources"] = {**EXECUTOR, **app["executorResources"]}
    return filled


def _max_launch_delay(version):
    return 300 if version >= (1, 8) else 3600


def _unreachable(given, persistent, version):
    if given == "disabled":
        return given
    if given is None and persistent:
        return (
            "disabled"
            if version >= (1, 4, 2)
            else {"inactiveAfterSeconds": 3600, "expungeAfterSeconds": 604800}
        )
    long = (1, 4) <= version < (1, 4, 9) or version == (1, 5, 0)
    return {
        "inactiveAfterSeconds": 300 if long else 0,
        "expungeAfterSeconds": 600 if long else 0,
        **(given or {}),
    }


def _network(given):
    network = {"mode": "container", "labels": {}, **given}
    if network["mode"] != "container":  # what Marathon drops
        network.pop("name", None)
    return {**network, "labels": {}} if network["mode"] == "host" else network


def _port(given):
    """Fill in what a port definition and a port mapping have in common."""
    return {"protocol": "tcp", "labels": {}, **given}


def _mapping(given, bridged):
    mapping = {
        "containerPort": 0,
        "servicePort": 0,
        **({"hostPort": 0} if bridged else {}),
        **_port(given),
    }
    if mapping.get("networkNames") == []:
        del mapping["networkNames"]
    return mapping


def _container(given, bridged, version):
    container = {
        "type": "DOCKER",
        **given,
        "volumes": [_volume(volume, version) for volume in given.get("volumes", ())],
    }
    if "docker" in given:
        container["docker"] = {
            "forcePullImage": False,
            "privileged": False,
            "parameters": [],
            **given["docker"],
        }
        if container["type"] == "MESOS":  # these it does not store
            container["docker"].update(privileged=False, parameters=[])
    if "appc" in given:
        container["appc"] = {"labels": {}, "forcePullImage": False, **given["appc"]}
    if container["type"] == "DOCKER":
        container.pop("linuxInfo", None)
    if "portMappings" in given:
        container["portMappings"] = [_mapping(each, bridged) for each in given["portMappings"]]
    return container


def _volume(given, version):
    volume = dict(given)
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


def _health_check(given, version):
    """Fill in a health check, and leave out what Marathon drops for its protocol."""
    protocol = given.get("protocol", "HTTP")
    by_mesos = protocol == "COMMAND" or protocol.startswith("MESOS_")
    filled, unused = {**HEALTH_CHECK, **given}, set()
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
    elif "port" not in given:
        filled.setdefault("portIndex", 0)
    if protocol in ("TCP", "MESOS_TCP"):
        unused.add("path")
    return {key: value for key, value in filled.items() if key not in unused}


def _readiness_check(given):
    filled = {**READINESS_CHECK, **given}
    filled["httpStatusCodesForReady"] = _sorted(filled["httpStatusCodesForReady"] or [200])
    return filled


# --- two apps ---


def _together(current, desired, version, mode, unset):
    """Return the app that results, whole and in the newer form, but without defaults that nobody gave."""
    base = _modern(_texts(writable(current, version), "app"), version)
    wanted = _modern(_texts(_plain(desired), "app"), version)
    removed = {RENAMED.get(key, key) for key in unset}
    _expect_mode(mode)
    for key in removed & wanted.keys():
        raise ValueError(f"{key}: both given and to be unset")
    kept = (
        _kept(base, wanted)
        if mode == "merge"
        else {key: base[key] for key in ("id", "instances", "role") if key in base}
    )
    return {key: value for key, value in {**kept, **wanted}.items() if key not in removed}


def _expect_mode(mode):
    if mode not in ("merge", "replace"):
        raise ValueError(f"mode: {mode!r} is neither merge nor replace")


def _kept(base, wanted):
    """Return of an app what can stay beside what is wanted."""
    ruled_out = {"cmd"} if wanted.get("args") else {"args"} if "cmd" in wanted else set()
    kept = {key: value for key, value in base.items() if key not in ruled_out}
    if "networks" in wanted:
        if _modes(wanted) != {"host"}:
            kept.pop("portDefinitions", None)
            kept.pop("requirePorts", None)
        elif kept.get("container"):
            kept["container"] = {
                key: value for key, value in kept["container"].items() if key != "portMappings"
            }
    return kept


def _sendable(app, version):
    """Complete what Marathon wants complete, and return it in the form that the version knows."""
    if "upgradeStrategy" in app:
        volumes = (app.get("container") or {}).get("volumes", ())
        resident = any("persistent" in volume or "external" in volume for volume in volumes)
        app["upgradeStrategy"] = {
            **(UPGRADE_RESIDENT if resident else UPGRADE),
            **app["upgradeStrategy"],
        }
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
            docker["network"] = next(older for older, newer in MODES.items() if newer == mode)
        elif mode == "container/bridge":
            raise ValueError("networks: container/bridge without Docker needs Marathon 1.5")
        if mode == "container" or network.get("labels"):
            if mappings and container == {"type": "MESOS"}:  # what ipAddress alone stands for
                del app["container"]
            app["ipAddress"] = {
                "labels": network.get("labels", {}),
                **({"networkName": network["name"]} if "name" in network else {}),
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
                "container.portMappings: without Docker and before Marathon 1.5 they have a name, and no host or service port"
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


def _conceded(old, new, version):
    """Take over from an app what the other one leaves to Marathon."""
    _conceded_networks(old, new)
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


def _conceded_networks(old, new):
    for theirs, ours in zip(old["networks"], new["networks"]):
        if (
            ours["mode"] == theirs["mode"] == "container"
            and "name" not in ours
            and "name" in theirs
        ):
            ours["name"] = theirs["name"]
    return new


def _changes(old, new, path="", key=""):
    """Return old and new value of each deepest place that differs."""
    if old == new:
        return {}
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(key, old.get(key), new.get(key)) for key in sorted({*old, *new})]
    elif key != "healthChecks" and _objects(old) and _objects(new) and len(old) == len(new):
        pairs = [(str(number), *pair) for number, pair in enumerate(zip(old, new))]
    else:
        return {path: {"old": old, "new": new}}
    found = {}
    for name, *pair in pairs:
        found.update(_changes(*pair, f"{path}/{name.replace('~', '~0').replace('/', '~1')}", name))
    return found


def _objects(value):
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


# --- pods ---


def _without_version(pod):
    return {key: value for key, value in pod.items() if key != "version"}


def _together_pod(current, desired, mode, unset):
    base, wanted = (
        _without_version(_plain(current)),
        _without_version(_texts(_plain(desired), "pod")),
    )
    _expect_mode(mode)
    for key in set(unset) & wanted.keys():
        raise ValueError(f"{key}: both given and to be unset")
    kept = (
        base
        if mode == "merge"
        else {
            key: base[key]
            for key in ("id", "scaling", "role", "legacySharedCgroups")
            if key in base
        }
    )
    return {key: value for key, value in {**kept, **wanted}.items() if key not in unset}


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
        "containers": [_pod_container(each, in_container) for each in pod.get("containers", ())],
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
    if not filled.get("legacySharedCgroups"):
        filled.pop("legacySharedCgroups", None)
    return filled


def _pod_container(given, in_container):
    endpoint = {
        "protocol": [],
        "labels": {},
        "networkNames": [],
        **({} if in_container else {"hostPort": 0}),
    }
    container = {
        "environment": {},
        "labels": {},
        **given,
        "resources": {**RESOURCES, **given.get("resources", {})},
        "endpoints": [{**endpoint, **each} for each in given.get("endpoints", ())],
        "volumeMounts": [{"readOnly": False, **each} for each in given.get("volumeMounts", ())],
        "artifacts": [{**FETCH, **each} for each in given.get("artifacts", ())],
    }
    if "image" in given:
        container["image"] = {"forcePull": False, "labels": {}, **given["image"]}
    if "healthCheck" in given:
        container["healthCheck"] = {**POD_HEALTH_CHECK, **given["healthCheck"]}
        if "http" in given["healthCheck"]:
            container["healthCheck"]["http"] = {"scheme": "HTTP", **given["healthCheck"]["http"]}
    if not container.get("tty"):
        container.pop("tty", None)
    return container


# --- what is surely wrong ---


def _app_faults(config, version):
    yield from _faults(config, "app", "")
    given = {key for key, value in config.items() if value}
    for key in sorted(given & SINCE.keys()):
        if version < SINCE[key]:
            yield f"{key}: needs Marathon {_dotted(SINCE[key])}; {_dotted(version)} would take it in silence and lose it"
    yield from _id_faults(config, version)
    if given >= {"cmd", "args"}:
        yield "cmd and args: give one of them"
    if config.get("cmd") is not None and len(_text(config["cmd"])) < (
        2 if version >= (1, 5) else 1
    ):
        yield "cmd: Marathon takes no command of a single character, or of none"
    if given >= {"uris", "fetch"}:
        yield "uris and fetch: give one of them, best fetch"
    if given >= {"ports", "portDefinitions"} and config["ports"] != [
        each.get("port", 0) for each in config["portDefinitions"]
    ]:
        yield "ports and portDefinitions: give one of them, best portDefinitions"
    if config.get("ipAddress") is not None and given & {"ports", "portDefinitions"}:
        yield "ipAddress: an app with an address of its own has no ports or portDefinitions"
    yield from _container_faults(config, given, version)
    for number, each in enumerate(config.get("healthChecks") or ()):
        if (each.get("protocol") == "COMMAND") != bool(each.get("command")):
            yield f"healthChecks[{number}]: protocol COMMAND and command belong together"
        if version < (1, 4) and each.get("protocol", "").startswith("MESOS_"):
            yield f"healthChecks[{number}]: {each['protocol']} needs Marathon 1.4"
    if version < (1, 3) and any(
        {"destPath", "outputFile"} & each.keys() for each in config.get("fetch") or ()
    ):
        yield "fetch: destPath needs Marathon 1.3"
    if version < (1, 5):
        try:
            prepared(config, version)
        except ValueError as error:
            yield str(error)


def _dotted(version):
    return ".".join(map(str, version))


def _container_faults(config, given, version):
    """Yield what does not go together in container and networks."""
    container = config.get("container") or {}
    docker = container.get("docker") or {}
    network = docker.get("network")
    if "networks" in given and (network or config.get("ipAddress") is not None):
        yield f"networks and {'container.docker.network' if network else 'ipAddress'}: the new and the old way to say it; give one of them"
    if network == "NONE" and version >= (1, 5):
        yield "container.docker.network: NONE is not known from Marathon 1.5 on"
    if docker.get("portMappings") and container.get("portMappings"):
        yield "container.docker.portMappings and container.portMappings: give one of them, best the latter"
    if (
        config.get("container") is not None
        and container.get("type", "DOCKER") == "DOCKER"
        and not docker.get("image")
    ):
        yield "container: one of type DOCKER, which is the default, has docker.image; is it MESOS?"


def _pod_faults(config, version):
    yield from _faults(config, "pod", "")
    yield from _id_faults(config, version)


def _id_faults(config, version):
    """Yield what is wrong with the id, and with those of dependencies."""
    named = [("id", config["id"])] if config.get("id") is not None else []
    for key, identifier in named + [
        ("dependencies", each) for each in config.get("dependencies") or ()
    ]:
        segments = [segment for segment in str(identifier).split("/") if segment]
        if not segments:
            yield f"{key}: {identifier!r} is no app; an id is such as /shop/cart"
        elif {".", ".."} & set(segments):
            yield f"{key}: {identifier!r} is relative, and versions differ in to what; write it from the root, such as /shop/cart"
        elif not all(map(SEGMENT.fullmatch, segments)):
            yield f"{key}: {identifier!r} is no id: between slashes a-z, 0-9, hyphens inside and dots, no upper case"
        elif key == "id" and version >= (1, 8) and segments[-1] in RESERVED:
            yield f"{key}: {identifier!r} ends with {segments[-1]}, which Marathon 1.8 and later keep for themselves"


def _faults(value, kind, path):
    """Yield where something is of the wrong type, of no known name, or what YAML may have changed. Values of env are not told."""
    if isinstance(kind, list):
        if not isinstance(value, (list, tuple)):
            yield f"{path}: {_shown(value)} should be a list"
            return
        for number, each in enumerate(value):
            yield from _faults(each, kind[0], f"{path}[{number}]")
    elif kind == "any" or (kind in WORDS and value == WORDS[kind]):
        return
    elif kind in SCALARS:
        fits, should = SCALARS[kind]
        if not fits(value):
            yield f"{path}: {_shown(value)} should be {should}"
        elif value not in CHOICES.get(kind, (value,)):
            yield f"{path}: {value!r} is none of {', '.join(CHOICES[kind])}"
    elif kind == "constraint":
        if not isinstance(value, (list, tuple)) or not 2 <= len(value) <= 3:
            yield f"{path}: {_shown(value)} should be a list of two or three, such as [hostname, UNIQUE]"
            return
        for each, part in zip(value, ("text", "operator", "text")):
            yield from _faults(each, part, path)
    elif not isinstance(value, Mapping):
        yield f"{path or 'config'}: {_shown(value)} should be a mapping{', such as {cmd: sleep 100}' if not path else ''}"
    elif kind in ("values", "environment"):
        for name, each in value.items():
            if not (isinstance(name, str) or _is_whole(name)):
                yield f"{path}: the name {_shown(name)} should be text; put it in quotes"
            secret = kind == "environment" and isinstance(each, Mapping) and set(each) == {"secret"}
            yield from _faults(each["secret"] if secret else each, "text", f"{path}.{name}")
    else:
        for name, each in value.items():
            yield from _field_faults(OBJECTS[kind], f"{path}." if path else "", name, each)


def _field_faults(fields, prefix, name, value):
    if name not in fields:
        near = difflib.get_close_matches(str(name), fields, 1)
        yield f"{prefix}{name}: there is no such field" + (f"; is it {near[0]}?" if near else "")
    elif value is not None:
        yield from _faults(value, fields[name], f"{prefix}{name}")
    elif name not in NULLED and (
        isinstance(fields[name], list) or fields[name] in ("values", "environment")
    ):
        empty = "[]" if isinstance(fields[name], list) else "{}"
        yield f"{prefix}{name}: nothing stands there; leave it out, or write {empty}"


def _shown(value):
    """Say what stands there: numbers and the like as they are, of all else only what it is."""
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
    whole = isinstance(value, int) and not isinstance(value, bool)
    return (
        isinstance(value, str)
        or whole
        or (isinstance(value, datetime.date) and not isinstance(value, datetime.datetime))
    )


SCALARS = {
    **dict.fromkeys(("text", *CHOICES), (_is_text, "text; put it in quotes")),
    "whole": (_is_whole, "a whole number"),
    "number": (_is_number, "a number"),
    "limit": (_is_number, "a number or unlimited"),
    "flag": (lambda value: isinstance(value, bool), "true or false"),
}
