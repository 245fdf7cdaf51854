"""Where instances go: constraints, roles, resources and ports of the agents that the master shows."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .normal import App, is_host, mappings

Agent = dict[str, Any]  # as in the protocol of peers.py
Free = dict[str, dict[str, Any]]  # what an agent has left, by role

REASONS = (
    "UnfulfilledRole", "UnfulfilledConstraint", "NoCorrespondingReservationFound", "AgentMaintenance",
    "InsufficientCpus", "InsufficientMemory", "InsufficientDisk", "InsufficientGpus", "InsufficientPorts",
    "DeclinedScarceResources",
)  # fmt: skip
LACKING = {
    "cpus": "InsufficientCpus", "mem": "InsufficientMemory", "disk": "InsufficientDisk", "gpus": "InsufficientGpus",
}  # fmt: skip


class Part(NamedTuple):
    """What one task of an instance needs: its container's name (None of an app), resources, and host ports."""

    name: str | None
    resources: dict[str, float]
    ports: list[int]  # 0: any


class Fit(NamedTuple):
    """Where a part gets its resources: v1 resources and the ports, in the order of the part's."""

    resources: list[dict[str, Any]]
    ports: list[int]


def parts(spec: App) -> list[Part]:
    """Return what the tasks of an app or a pod need."""
    if "containers" in spec:
        return [
            Part(
                container["name"],
                container["resources"],
                [
                    entry["hostPort"]
                    for entry in container.get("endpoints", [])
                    if "hostPort" in entry
                ],
            )
            for container in spec["containers"]
        ]
    scalars = {name: spec[name] for name in ("cpus", "mem", "disk", "gpus")}
    if is_host(spec):
        definitions = spec.get("portDefinitions") or []
        ports = [entry["port"] if spec.get("requirePorts") else 0 for entry in definitions]
    else:
        ports = [entry["hostPort"] for entry in mappings(spec) if "hostPort" in entry]
    return [Part(None, scalars, ports)]


def constraints(spec: App) -> list[tuple[str, str, str | None]]:
    """Return the constraints of an app or a pod as (field, operator, value)."""
    if "containers" not in spec:
        return [
            (entry[0], entry[1].upper(), entry[2] if len(entry) > 2 else None)
            for entry in spec["constraints"]
        ]
    placement = spec["scheduling"].get("placement", {})
    return [
        (entry["fieldName"], entry["operator"], entry.get("value"))
        for entry in placement.get("constraints", [])
    ]


def value(agent: Agent, field: str) -> str | None:
    """Return what an agent has of a constraint's field, None if nothing."""
    if field in ("hostname", "@hostname"):
        return agent["hostname"]
    found = agent.get("attributes", {}).get(field)
    return None if found is None else f"{found:g}" if isinstance(found, int | float) else str(found)


def allowed(agent: Agent, others: list[Agent], wanted: list[tuple[str, str, str | None]]) -> bool:
    """Whether an agent fulfils constraints, where the other instances are on these agents."""
    return all(_fulfils(agent, others, *constraint) for constraint in wanted)


def _fulfils(
    agent: Agent, others: list[Agent], field: str, operator: str, limit: str | None
) -> bool:
    own = value(agent, field)
    if operator == "UNLIKE":
        return own is None or not re.fullmatch(limit or "", own)
    if own is None:
        return False
    taken = [value(other, field) for other in others]
    if operator == "UNIQUE":
        return own not in taken
    if operator == "CLUSTER":
        return own == limit if limit else not taken or own == taken[0]
    if operator == "LIKE":
        return bool(re.fullmatch(limit or "", own))
    if operator == "IS":
        return own == limit
    if operator == "MAX_PER":
        return taken.count(own) < int(limit or 0)
    # GROUP_BY: as even as possible over the groups that are known, or that the value says there are
    counts = {each: taken.count(each) for each in {*taken, own}}
    least = 0 if limit and len(set(taken)) < int(limit) else min(counts.values())
    return counts[own] == least


def roles(spec: App, own: str, accepted: list[str]) -> list[str]:
    """Return from which roles an app or a pod takes resources: its own first. ``accepted`` is what it accepts by default."""
    placement = spec["scheduling"].get("placement", {}) if "containers" in spec else spec
    named = placement.get("acceptedResourceRoles") or accepted or [own, "*"]
    return sorted(named, key=lambda each: each == "*")


def take(free: Free, wanted: list[Part], among: list[str], user: str) -> list[Fit] | str:
    """
    Take what the parts need out of what an agent has; where it has not, return why, and nothing is taken.

    among
        The roles whose resources may be taken.

    user
        The role that uses them.
    """
    if not any(role in free for role in among):
        return "UnfulfilledRole"
    left = {
        role: {**free[role], "ports": _numbers(free[role].get("ports", []))}
        for role in among
        if role in free
    }
    fits = []
    for part in wanted:
        resources = []
        for name, amount in part.resources.items():
            for role, has in left.items():
                used = min(amount, has.get(name, 0))
                if used > 0:
                    has[name] = round(has[name] - used, 3)
                    amount = round(amount - used, 3)
                    resources.append(
                        _resource(
                            name, {"type": "SCALAR", "scalar": {"value": float(used)}}, role, user
                        )
                    )
            if amount > 0:
                return LACKING[name]
        ports = []
        for port in part.ports:
            role = next(
                (
                    role
                    for role, has in left.items()
                    if (port in has["ports"] if port else has["ports"])
                ),
                None,
            )
            if role is None:
                return "InsufficientPorts"
            number = port or min(left[role]["ports"])
            left[role]["ports"].remove(number)
            ports.append(number)
            ranges = {"range": [{"begin": number, "end": number}]}
            resources.append(_resource("ports", {"type": "RANGES", "ranges": ranges}, role, user))
        fits.append(Fit(resources, ports))
    for role, has in left.items():
        free[role] = {**has, "ports": [[number, number] for number in sorted(has["ports"])]}
    return fits


def reserve(free: Free, resources: list[dict[str, Any]]) -> None:
    """Take resources out of what an agent has."""
    for resource in resources:
        has = free.get(resource.get("reservations", [{"role": "*"}])[-1]["role"], {})
        if "ranges" in resource:
            used = {
                number
                for each in resource["ranges"]["range"]
                for number in range(each["begin"], each["end"] + 1)
            }
            has["ports"] = [
                [number, number] for number in sorted(_numbers(has.get("ports", [])) - used)
            ]
        else:
            has[resource["name"]] = round(
                has.get(resource["name"], 0) - resource["scalar"]["value"], 3
            )


def _numbers(ranges: list[list[int]]) -> set[int]:
    return {number for begin, end in ranges for number in range(begin, end + 1)}


def _resource(name: str, what: dict[str, Any], role: str, user: str) -> dict[str, Any]:
    reserved = {} if role == "*" else {"reservations": [{"type": "STATIC", "role": role}]}
    return {"name": name, **what, **reserved, "allocation_info": {"role": user}}
