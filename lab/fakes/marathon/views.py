"""JSON of apps, pods and groups, as each version of Marathon returns it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from .errors import Line
from .fields import SINCE
from .normal import App, service_ports

# Members that are left out if they are empty, since 1.5.
OMITTED = (
    "env",
    "args",
    "constraints",
    "dependencies",
    "fetch",
    "healthChecks",
    "readinessChecks",
    "secrets",
)
# Members that are ``null`` if they are not set, before 1.5.
NULLS = (
    "cmd", "args", "user", "container", "ipAddress", "residency", "taskKillGracePeriodSeconds",
)  # fmt: skip


def app(definition: App, line: Line) -> App:
    """Return the JSON of an app."""
    return _new(definition) if line >= (1, 5) else _old(definition, line)


def _new(definition: App) -> App:
    return {
        name: float(value) if name in ("cpus", "mem", "disk") else value
        for name, value in definition.items()
        if value or name not in OMITTED
    }


def _old(definition: App, line: Line) -> App:
    view = {name: definition.get(name) for name in NULLS} | definition
    view["args"] = definition.get("args") or None
    view["uris"] = [entry["uri"] for entry in definition["fetch"]]
    view["storeUrls"] = []
    for name in ("cpus", "mem", "disk"):
        view[name] = (
            int(definition[name]) if definition[name] == int(definition[name]) else definition[name]
        )
    if line < (1, 4):
        view.setdefault("acceptedResourceRoles", None)
    if definition.get("ipAddress") is None:
        view["ports"] = [entry[name] for entry, name in service_ports(definition)]
    else:
        view.pop("requirePorts", None)
    return {name: value for name, value in view.items() if SINCE.get(name, (0,)) <= line}


def versions(timestamps: Iterable[str]) -> list[str]:
    """
    Return timestamps in an order that is always the same, but not that of time. Marathon's is that
    of a hash table.
    """
    return sorted(timestamps, key=lambda timestamp: zlib.crc32(timestamp.encode()))


def pod(definition: App) -> App:
    """Return the JSON of a pod."""
    return {name: value for name, value in definition.items() if name != "versionInfo"}


def group(
    path: str, tree: Any, line: Line, kinds: set[str], app_view: Any, pod_view: Any
) -> dict[str, Any]:
    """
    Return the JSON of a group and its content.

    tree
        Has the mappings ``apps``, ``pods`` and ``groups``.

    kinds
        ``apps``, ``pods`` and ``groups``: the content to include.

    app_view, pod_view
        Return the JSON of an app or a pod.
    """
    definition = tree.groups[path]
    view: dict[str, Any] = {
        "id": path,
        "dependencies": definition["dependencies"],
        "version": tree.groups["/"]["version"],
    }
    if "apps" in kinds:
        view["apps"] = [app_view(tree.apps[name]) for name in tree.inside(path, tree.apps)]
    if "groups" in kinds:
        view["groups"] = [
            group(name, tree, line, kinds, app_view, pod_view)
            for name in tree.inside(path, tree.groups)
        ]
    if "pods" in kinds and line >= (1, 4):
        view["pods"] = [pod_view(tree.pods[name]) for name in tree.inside(path, tree.pods)]
    if line >= (1, 9):
        view["enforceRole"] = definition.get("enforceRole", False)
    return view
