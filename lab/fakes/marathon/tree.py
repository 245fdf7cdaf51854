"""The groups of a Marathon with their apps and pods, and their versions."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Iterable
from typing import Any

from .normal import App, mappings, parent, service_ports


class Clock:
    """Makes timestamps as Marathon writes them, each later than the previous one."""

    def __init__(self) -> None:
        self.latest = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)

    def now(self) -> str:
        """Return a new timestamp."""
        self.latest = max(
            datetime.datetime.now(datetime.timezone.utc),
            self.latest + datetime.timedelta(milliseconds=1),
        )
        return stamp(self.latest)


def stamp(when: datetime.datetime) -> str:
    """Format a time as ``2026-01-31T23:59:59.999Z``."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z"


def at(seconds: float) -> str:
    """Format seconds since the epoch as a timestamp."""
    return stamp(datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc))


def parsed(text: str) -> datetime.datetime | None:
    """Parse a timestamp. Returns None if it is invalid."""
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None


@dataclasses.dataclass
class Tree:
    """Apps, pods and groups by id. Values of the mappings are replaced, never changed."""

    apps: dict[str, App] = dataclasses.field(default_factory=dict)
    pods: dict[str, App] = dataclasses.field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def copy(self) -> Tree:
        """Return a copy whose mappings can be changed."""
        return Tree(dict(self.apps), dict(self.pods), dict(self.groups))

    def spec(self, path: str) -> App | None:
        """Return an app or pod."""
        return self.apps.get(path) or self.pods.get(path)

    def specs(self) -> dict[str, App]:
        """Return all apps and pods."""
        return {**self.apps, **self.pods}

    @staticmethod
    def inside(path: str, among: Iterable[str]) -> list[str]:
        """Return the ids directly in a group."""
        return sorted(name for name in among if name != "/" and parent(name) == path)

    @staticmethod
    def below(path: str, among: Iterable[str]) -> list[str]:
        """Return the ids anywhere below a group."""
        prefix = path.rstrip("/") + "/"
        return sorted(name for name in among if name != "/" and name.startswith(prefix))

    def touch(self, path: str, version: str, enforce_role: bool = False) -> None:
        """Give a group and its parents a new version. Missing groups are created."""
        while True:
            new = {
                "dependencies": [],
                "enforceRole": enforce_role and parent(path) == "/" and path != "/",
            }
            self.groups[path] = {**new, **self.groups.get(path, {}), "version": version}
            if path == "/":
                return
            path = parent(path)

    def put(self, kind: str, spec: App, version: str, enforce_role: bool = False) -> None:
        """
        Put an app or pod (``kind`` is ``apps`` or ``pods``). It replaces an empty group of the same
        id.
        """
        path = spec["id"]
        if path in self.groups and not self.below(path, [*self.groups, *self.specs()]):
            del self.groups[path]
        getattr(self, kind)[path] = spec
        self.touch(parent(path), version, enforce_role)

    def remove(self, path: str) -> None:
        """Remove a group and everything below it. The root group itself stays."""
        for among in (self.apps, self.pods, self.groups):
            for name in self.below(path, among):
                del among[name]
        if path != "/":
            self.groups.pop(path, None)

    def dependencies(self) -> dict[str, list[str]]:
        """
        Return the dependencies of each app and pod by id. A group stands for its apps and pods.
        """
        specs = self.specs()
        dependencies_by_path = {}
        for path, spec in specs.items():
            names = list(spec.get("dependencies", []))
            group = parent(path)
            while True:
                names += self.groups.get(group, {}).get("dependencies", [])
                if group == "/":
                    break
                group = parent(group)
            dependencies_by_path[path] = [
                needed
                for name in names
                for needed in ([name] if name in specs else self.below(name, specs))
                if needed != path
            ]
        return dependencies_by_path


def instances(spec: App) -> int:
    """Return the number of instances of an app or pod."""
    return spec["scaling"]["instances"] if "containers" in spec else spec["instances"]


def with_instances(spec: App, count: int) -> App:
    """Return an app or pod with a different number of instances."""
    if "containers" in spec:
        return {**spec, "scaling": {**spec["scaling"], "instances": count}}
    return {**spec, "instances": count}


def config_version(spec: App) -> str:
    """Return the version of the last change that was more than scaling."""
    return spec.get("versionInfo", {}).get("lastConfigChangeAt", spec["version"])


def _comparable(spec: App) -> App:
    """
    Return the members whose change makes a new version. Marathon ignores executorResources of apps.
    """
    ignored = {"version", "versionInfo", "residency"} | (
        set() if "containers" in spec else {"executorResources"}
    )
    return {name: value for name, value in spec.items() if name not in ignored}


def same(spec: App, previous: App) -> bool:
    """Return whether Marathon regards two definitions as equal."""
    return _comparable(spec) == _comparable(previous)


def scaled(spec: App, previous: App) -> bool:
    """Return whether two definitions differ only in the number of instances."""
    return same(with_instances(spec, 0), with_instances(previous, 0))


def versioned(spec: App, old: App | None, version: str, restart: bool = False) -> App:
    """Return a definition with its version: the old definition if nothing changed."""
    if old is not None and same(old, spec) and not restart:
        return old
    change = (
        config_version(old) if old is not None and scaled(old, spec) and not restart else version
    )
    return {
        **spec,
        "version": version,
        "versionInfo": {"lastScalingAt": version, "lastConfigChangeAt": change},
    }


class PortsExhausted(Exception):
    """There is no free service port."""


def assign_ports(app: App, old: App | None, used_ports: set[int], lowest: int, highest: int) -> App:
    """Replace service ports 0: first by the previous ports of the app, then by free ones."""
    app_ports = {entry[name] for entry, name in service_ports(app)}
    old_ports = [entry[name] for entry, name in service_ports(old)] if old else []
    reused = [port for port in old_ports if port not in app_ports and lowest <= port <= highest]
    places = service_ports(app)
    for entry, name in places:
        if not entry[name]:
            if reused:
                entry[name] = reused.pop(0)
            else:
                entry[name] = next(
                    (port for port in range(lowest, highest) if port not in used_ports | app_ports),
                    0,
                )
                if not entry[name]:
                    raise PortsExhausted
            app_ports.add(entry[name])
    used_ports |= app_ports
    if mappings(app) and app.get(
        "portDefinitions"
    ):  # up to 1.4 an app has both, with the same ports
        ports = [entry[name] for entry, name in places]
        defined = app["portDefinitions"] + [{"protocol": "tcp", "labels": {}}] * (
            len(ports) - len(app["portDefinitions"])
        )
        app["portDefinitions"] = [
            {**entry, "port": port} for entry, port in zip(defined, ports, strict=False)
        ]
    return app


def capacity(spec: App) -> tuple[int, int]:
    """Return the least healthy and the largest total number of instances during a restart."""
    upgrade = spec["scheduling"]["upgrade"] if "containers" in spec else spec["upgradeStrategy"]
    count = instances(spec)
    minimum = math.ceil(count * upgrade["minimumHealthCapacity"])
    maximum = count + math.floor(count * upgrade["maximumOverCapacity"])
    if minimum == maximum and maximum:  # otherwise the restart would never end
        strategy = spec["scheduling"] if "containers" in spec else spec
        return (
            (minimum - 1, maximum)
            if strategy["unreachableStrategy"] == "disabled"
            else (minimum, maximum + 1)
        )
    return minimum, maximum
