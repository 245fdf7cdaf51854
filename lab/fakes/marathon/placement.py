"""Match instances with agents: constraints, roles, resources and ports."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .normal import App, is_host, mappings

Agent = dict[str, Any]  # see the protocol of peers.py
Free = dict[str, dict[str, Any]]  # free resources of an agent, by role

REASONS = (
    "UnfulfilledRole", "UnfulfilledConstraint", "NoCorrespondingReservationFound",
    "AgentMaintenance",
    "InsufficientCpus", "InsufficientMemory", "InsufficientDisk", "InsufficientGpus",
    "InsufficientPorts",
    "DeclinedScarceResources",
)  # fmt: skip
INSUFFICIENT = {
    "cpus": "InsufficientCpus", "mem": "InsufficientMemory", "disk": "InsufficientDisk",
    "gpus": "InsufficientGpus",
}  # fmt: skip


class Part(NamedTuple):
    """
    Requirements of one task: name of the container (None for an app), resources and host ports.
    """

    name: str | None
    resources: dict[str, float]
    ports: list[int]  # 0: any


class Fit(NamedTuple):
    """Resources for a part: v1 resources, and the ports in the order of the part."""

    resources: list[dict[str, Any]]
    ports: list[int]


def parts(spec: App) -> list[Part]:
    """Return the requirements of the tasks of an app or pod."""
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
    """Return the constraints of an app or pod as (field, operator, value)."""
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
    """Return an agent's value for the field of a constraint, None if it has none."""
    if field in ("hostname", "@hostname"):
        return agent["hostname"]
    attribute = agent.get("attributes", {}).get(field)
    return (
        None
        if attribute is None
        else f"{attribute:g}"
        if isinstance(attribute, int | float)
        else str(attribute)
    )


def allowed(
    agent: Agent, used_agents: list[Agent], constraints: list[tuple[str, str, str | None]]
) -> bool:
    """
    Return whether an agent meets the constraints, if the other instances run on ``used_agents``.
    """
    return all(_fulfils(agent, used_agents, *constraint) for constraint in constraints)


def _fulfils(
    agent: Agent, used_agents: list[Agent], field: str, operator: str, limit: str | None
) -> bool:
    agent_value = value(agent, field)
    if operator == "UNLIKE":
        return agent_value is None or not re.fullmatch(limit or "", agent_value)
    if agent_value is None:
        return False
    used_values = [value(used_agent, field) for used_agent in used_agents]
    if operator == "UNIQUE":
        return agent_value not in used_values
    if operator == "CLUSTER":
        return agent_value == limit if limit else not used_values or agent_value == used_values[0]
    if operator == "LIKE":
        return bool(re.fullmatch(limit or "", agent_value))
    if operator == "IS":
        return agent_value == limit
    if operator == "MAX_PER":
        return used_values.count(agent_value) < int(limit or 0)
    # GROUP_BY: spread evenly over the groups. The value may tell how many groups exist.
    counts = {
        used_value: used_values.count(used_value) for used_value in {*used_values, agent_value}
    }
    least = 0 if limit and len(set(used_values)) < int(limit) else min(counts.values())
    return counts[agent_value] == least


def roles(spec: App, own_role: str, accepted: list[str]) -> list[str]:
    """
    Return the roles whose resources an app or pod uses, its own first. ``accepted`` is the default.
    """
    placement = spec["scheduling"].get("placement", {}) if "containers" in spec else spec
    names = placement.get("acceptedResourceRoles") or accepted or [own_role, "*"]
    return sorted(names, key=lambda role: role == "*")


def take(free: Free, parts: list[Part], among: list[str], user: str) -> list[Fit] | str:
    """
    Take the resources of all parts from an agent. Returns the reason if the agent lacks something;
    then nothing is taken.

    among
        Roles whose resources may be taken.

    user
        Role that uses the resources.
    """
    if not any(role in free for role in among):
        return "UnfulfilledRole"
    remaining = {
        role: {**free[role], "ports": _numbers(free[role].get("ports", []))}
        for role in among
        if role in free
    }
    fits = []
    for part in parts:
        resources = []
        for name, amount in part.resources.items():
            for role, available in remaining.items():
                used = min(amount, available.get(name, 0))
                if used > 0:
                    available[name] = round(available[name] - used, 3)
                    amount = round(amount - used, 3)
                    resources.append(
                        _resource(
                            name, {"type": "SCALAR", "scalar": {"value": float(used)}}, role, user
                        )
                    )
            if amount > 0:
                return INSUFFICIENT[name]
        ports = []
        for port in part.ports:
            role = next(
                (
                    role
                    for role, available in remaining.items()
                    if (port in available["ports"] if port else available["ports"])
                ),
                None,
            )
            if role is None:
                return "InsufficientPorts"
            number = port or min(remaining[role]["ports"])
            remaining[role]["ports"].remove(number)
            ports.append(number)
            ranges = {"range": [{"begin": number, "end": number}]}
            resources.append(_resource("ports", {"type": "RANGES", "ranges": ranges}, role, user))
        fits.append(Fit(resources, ports))
    for role, available in remaining.items():
        free[role] = {
            **available,
            "ports": [[number, number] for number in sorted(available["ports"])],
        }
    return fits


def reserve(free: Free, resources: list[dict[str, Any]]) -> None:
    """Subtract resources from the free resources of an agent."""
    for resource in resources:
        resources_of_role = free.get(resource.get("reservations", [{"role": "*"}])[-1]["role"], {})
        if "ranges" in resource:
            used = {
                number
                for interval in resource["ranges"]["range"]
                for number in range(interval["begin"], interval["end"] + 1)
            }
            resources_of_role["ports"] = [
                [number, number]
                for number in sorted(_numbers(resources_of_role.get("ports", [])) - used)
            ]
        else:
            resources_of_role[resource["name"]] = round(
                resources_of_role.get(resource["name"], 0) - resource["scalar"]["value"], 3
            )


def _numbers(ranges: list[list[int]]) -> set[int]:
    return {number for begin, end in ranges for number in range(begin, end + 1)}


def _resource(name: str, content: dict[str, Any], role: str, user: str) -> dict[str, Any]:
    reserved = {} if role == "*" else {"reservations": [{"type": "STATIC", "role": role}]}
    return {"name": name, **content, **reserved, "allocation_info": {"role": user}}
