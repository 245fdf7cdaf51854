"""How each version of Marathon shows the apps, pods and groups that it keeps."""

from __future__ import annotations

from typing import Any

from .errors import Line
from .fields import SINCE
from .normal import App, service_ports

# Since 1.5 these are left out where they are empty.
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
# Before, these are ``null`` where they are not set.
NULLS = (
    "cmd", "args", "user", "container", "ipAddress", "residency", "taskKillGracePeriodSeconds",
)  # fmt: skip


def app(kept: App, line: Line) -> App:
    """Show one app."""
    return _new(kept) if line >= (1, 5) else _old(kept, line)


def _new(kept: App) -> App:
    return {
        name: float(value) if name in ("cpus", "mem", "disk") else value
        for name, value in kept.items()
        if value or name not in OMITTED
    }


def _old(kept: App, line: Line) -> App:
    shown = {name: kept.get(name) for name in NULLS} | kept
    shown["args"] = kept.get("args") or None
    shown["uris"] = [entry["uri"] for entry in kept["fetch"]]
    shown["storeUrls"] = []
    for name in ("cpus", "mem", "disk"):
        shown[name] = int(kept[name]) if kept[name] == int(kept[name]) else kept[name]
    if line < (1, 4):
        shown.setdefault("acceptedResourceRoles", None)
    if kept.get("ipAddress") is None:
        shown["ports"] = [entry[name] for entry, name in service_ports(kept)]
    else:
        shown.pop("requirePorts", None)
    return {name: value for name, value in shown.items() if SINCE.get(name, (0,)) <= line}


def pod(kept: App) -> App:
    """Show one pod."""
    return {name: value for name, value in kept.items() if name != "versionInfo"}


def group(path: str, tree: Any, line: Line, wanted: set[str], show_app: Any) -> dict[str, Any]:
    """
    Show one group and what is in it.

    tree
        Has the mappings ``apps``, ``pods`` and ``groups``.

    wanted
        ``apps``, ``pods`` and ``groups``: what to show of it.

    show_app
        Shows one app.
    """
    kept = tree.groups[path]
    shown: dict[str, Any] = {
        "id": path,
        "dependencies": kept["dependencies"],
        "version": kept["version"],
    }
    if "apps" in wanted:
        shown["apps"] = [show_app(tree.apps[name]) for name in tree.inside(path, tree.apps)]
    if "groups" in wanted:
        shown["groups"] = [
            group(name, tree, line, wanted, show_app) for name in tree.inside(path, tree.groups)
        ]
    if "pods" in wanted and line >= (1, 4):
        shown["pods"] = [pod(tree.pods[name]) for name in tree.inside(path, tree.pods)]
    if line >= (1, 9):
        shown["enforceRole"] = kept.get("enforceRole", False)
    return shown
