"""The groups of a Marathon with all that is in them, and what it remembers of earlier versions."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Iterable
from typing import Any

from .normal import App, mappings, parent, service_ports


class Clock:
    """Gives timestamps as Marathon writes them, each later than the one before."""

    def __init__(self) -> None:
        self.last = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)

    def now(self) -> str:
        """Return a new timestamp."""
        self.last = max(
            datetime.datetime.now(datetime.timezone.utc),
            self.last + datetime.timedelta(milliseconds=1),
        )
        return stamp(self.last)


def stamp(when: datetime.datetime) -> str:
    """Write a time as ``2026-01-31T23:59:59.999Z``."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z"


def at(seconds: float) -> str:
    """Write the seconds of ``time.time()``."""
    return stamp(datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc))


def parsed(text: str) -> datetime.datetime | None:
    """Read a timestamp; None if it is none."""
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None


@dataclasses.dataclass
class Tree:
    """Apps, pods and groups by their ids. What is in the mappings is replaced, never changed."""

    apps: dict[str, App] = dataclasses.field(default_factory=dict)
    pods: dict[str, App] = dataclasses.field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def copy(self) -> Tree:
        """Return a tree that can be changed."""
        return Tree(dict(self.apps), dict(self.pods), dict(self.groups))

    def spec(self, path: str) -> App | None:
        """Return an app or a pod."""
        return self.apps.get(path) or self.pods.get(path)

    def specs(self) -> dict[str, App]:
        """Return all apps and pods."""
        return {**self.apps, **self.pods}

    @staticmethod
    def inside(path: str, among: Iterable[str]) -> list[str]:
        """Return the ids that are directly in a group."""
        return sorted(name for name in among if name != "/" and parent(name) == path)

    @staticmethod
    def below(path: str, among: Iterable[str]) -> list[str]:
        """Return the ids anywhere below a group."""
        prefix = path.rstrip("/") + "/"
        return sorted(name for name in among if name != "/" and name.startswith(prefix))

    def touch(self, path: str, version: str, enforce_role: bool = False) -> None:
        """Give a group and those that it is in a new version; those that are not there come into being."""
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
        """Put an app or a pod (``kind`` is ``apps`` or ``pods``); an empty group of the same id makes room."""
        path = spec["id"]
        if path in self.groups and not self.below(path, [*self.groups, *self.specs()]):
            del self.groups[path]
        getattr(self, kind)[path] = spec
        self.touch(parent(path), version, enforce_role)

    def remove(self, path: str) -> None:
        """Remove a group and all below it; of ``/`` only what is below."""
        for among in (self.apps, self.pods, self.groups):
            for name in self.below(path, among):
                del among[name]
        if path != "/":
            self.groups.pop(path, None)

    def dependencies(self) -> dict[str, list[str]]:
        """Return what each app and pod depends on, by the ids of apps and pods; groups are resolved."""
        specs = self.specs()
        found = {}
        for path, spec in specs.items():
            named = list(spec.get("dependencies", []))
            group = parent(path)
            while True:
                named += self.groups.get(group, {}).get("dependencies", [])
                if group == "/":
                    break
                group = parent(group)
            found[path] = [
                each
                for name in named
                for each in ([name] if name in specs else self.below(name, specs))
                if each != path
            ]
        return found


def instances(spec: App) -> int:
    """Return how many instances an app or a pod shall have."""
    return spec["scaling"]["instances"] if "containers" in spec else spec["instances"]


def with_instances(spec: App, count: int) -> App:
    """Return an app or a pod with another number of instances."""
    if "containers" in spec:
        return {**spec, "scaling": {**spec["scaling"], "instances": count}}
    return {**spec, "instances": count}


def config_version(spec: App) -> str:
    """Return since when an app or pod is as it is but for the number of its instances."""
    return spec.get("versionInfo", {}).get("lastConfigChangeAt", spec["version"])


def _comparable(spec: App) -> App:
    """What makes a new version where it differs; Marathon forgot executorResources of apps here."""
    ignored = {"version", "versionInfo", "residency"} | (
        set() if "containers" in spec else {"executorResources"}
    )
    return {name: value for name, value in spec.items() if name not in ignored}


def same(one: App, other: App) -> bool:
    """Whether two definitions are the same to Marathon."""
    return _comparable(one) == _comparable(other)


def scaled(one: App, other: App) -> bool:
    """Whether two definitions differ in nothing but the number of instances."""
    return same(with_instances(one, 0), with_instances(other, 0))


def versioned(spec: App, old: App | None, version: str, restart: bool = False) -> App:
    """Return a definition with its version: the old definition, if nothing changed."""
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
    """There is no free service port any more."""


def assign_ports(app: App, old: App | None, taken: set[int], lowest: int, highest: int) -> App:
    """Return an app with numbers for its service ports 0: those that it had, in their order, then free ones."""
    own = {entry[name] for entry, name in service_ports(app)}
    had = [entry[name] for entry, name in service_ports(old)] if old else []
    reused = [port for port in had if port not in own and lowest <= port <= highest]
    places = service_ports(app)
    for entry, name in places:
        if not entry[name]:
            if reused:
                entry[name] = reused.pop(0)
            else:
                entry[name] = next(
                    (port for port in range(lowest, highest) if port not in taken | own), 0
                )
                if not entry[name]:
                    raise PortsExhausted
            own.add(entry[name])
    taken |= own
    if mappings(app) and app.get(
        "portDefinitions"
    ):  # up to 1.4 an app has both, with the same numbers
        ports = [entry[name] for entry, name in places]
        defined = app["portDefinitions"] + [{"protocol": "tcp", "labels": {}}] * (
            len(ports) - len(app["portDefinitions"])
        )
        app["portDefinitions"] = [
            {**entry, "port": port} for entry, port in zip(defined, ports, strict=False)
        ]
    return app


def capacity(spec: App) -> tuple[int, int]:
    """Return (fewest healthy, most at all) instances while an app or pod is replaced."""
    upgrade = spec["scheduling"]["upgrade"] if "containers" in spec else spec["upgradeStrategy"]
    wanted = instances(spec)
    least = math.ceil(wanted * upgrade["minimumHealthCapacity"])
    most = wanted + math.floor(wanted * upgrade["maximumOverCapacity"])
    if least == most and most:  # it would never end
        strategy = spec["scheduling"] if "containers" in spec else spec
        return (
            (least - 1, most)
            if strategy["unreachableStrategy"] == "disabled"
            else (least, most + 1)
        )
    return least, most
