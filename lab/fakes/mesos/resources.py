"""Resources and attributes of agents: parsing of flags, arithmetic, and JSON for the APIs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from typing import Any

Resource = dict[str, Any]
SCALARS = ("disk", "mem", "gpus", "cpus")
NAME = re.compile(r"([^()]+)(?:\(([^()]+)\))?")


def _value(text: str) -> dict[str, Any]:
    """Parse ``4``, ``[31000-32000,8080-8080]``, ``{a,b}`` or ``r1`` into a typed value."""
    text = text.replace(" ", "")
    if text.startswith("["):
        bounds = [part.split("-") for part in text.strip("[]").split(",")]
        return {
            "type": "RANGES",
            "ranges": {"range": [{"begin": int(low), "end": int(high)} for low, high in bounds]},
        }
    if text.startswith("{"):
        return {
            "type": "SET",
            "set": {"item": [item.strip() for item in text.strip("{}").split(",")]},
        }
    # Negative numbers, nan and inf are text.
    if re.fullmatch(r"\+?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text):
        return {"type": "SCALAR", "scalar": {"value": float(text)}}
    return {"type": "TEXT", "text": {"value": text}}


def plain(entry: dict[str, Any]) -> Any:
    """Return the value of a resource or attribute as the v0 endpoints do: a float or text."""
    if entry["type"] == "SCALAR":
        return entry["scalar"]["value"]
    if entry["type"] == "RANGES":
        return "[" + ", ".join(f"{r['begin']}-{r['end']}" for r in entry["ranges"]["range"]) + "]"
    if entry["type"] == "SET":
        return "{" + ", ".join(entry["set"]["item"]) + "}"
    return entry["text"]["value"]


def attributes(text: str) -> list[dict[str, Any]]:
    """Parse ``rack:r1;ssd:1``. Raises ValueError with the agent's message without a colon."""
    entries = []
    for pair in filter(None, re.split("[;\n]", text)):
        name, colon, value = pair.partition(":")
        if not colon:
            raise ValueError(f"Invalid attribute key:value pair '{pair}'")
        entries.append({"name": name.strip(), **_value(value)})
    return entries


def resources(text: str, default_role: str = "*") -> list[Resource]:
    """Parse ``cpus:4;mem(web):512`` or JSON. Raises ValueError with the agent's message."""
    if text.startswith("["):
        return [modern({"role": default_role, **entry}) for entry in json.loads(text)]
    entries = []
    for pair in filter(None, re.split("[;\n]", text)):
        name, colon, value = pair.partition(":")
        match = NAME.fullmatch(name.strip())
        if not colon or ":" in value or not match:
            raise ValueError(f"Bad value for resources, missing or extra ':' in {pair}")
        resource = {"name": match[1], **_value(value)}
        if resource["type"] == "TEXT":
            raise ValueError(f"Bad type for resource {match[1]} value {value.strip()} type TEXT")
        role = match[2] or default_role
        if role != "*":
            resource["reservations"] = [{"type": "STATIC", "role": role}]
        entries.append(resource)
    return entries


def detected(work_dir: str, default_role: str = "*") -> list[Resource]:
    """Return the resources of this machine, without the share that Mesos leaves to the system."""
    disk = os.statvfs(work_dir)
    disk_mib = disk.f_blocks * disk.f_frsize // 2**20
    mem_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    return resources(
        f"cpus:{os.cpu_count()}"
        f";mem:{mem_mib - 1024 if mem_mib >= 2048 else mem_mib // 2}"
        f";disk:{disk_mib - 5120 if disk_mib >= 10240 else disk_mib // 2}"
        ";ports:[31000-32000]",
        default_role,
    )


def role(resource: Resource) -> str:
    """Return the role that a resource is reserved for, ``*`` if unreserved."""
    return resource.get("reservations", [{"role": "*"}])[-1]["role"]


def full(entries: Iterable[Resource]) -> list[Resource]:
    """
    Return resources as the master's APIs do, with ``role`` and the older form of a reservation.

    Allocated scalars are summed by role.
    """
    combined: list[Resource] = []
    for entry in entries:
        allocation = entry.get("allocation_info")
        matches = [
            match
            for match in combined
            if allocation and same(match, entry) and match.get("allocation_info") == allocation
        ]
        if matches and "scalar" in entry:
            _add_scalar(matches[0], entry)
        else:
            combined.append({**entry, "role": role(entry), **_reservation(entry)})
    return combined


def _add_scalar(total: Resource, entry: Resource) -> None:
    """Add the value of a scalar to another, rounded to three digits as Mesos does."""
    total["scalar"] = {"value": round(total["scalar"]["value"] + entry["scalar"]["value"], 3)}


def _reservation(entry: Resource) -> dict[str, Any]:
    reservation = entry.get("reservations", [{}])[-1]
    if reservation.get("type") != "DYNAMIC":
        return {}
    fields = ("principal", "labels")
    return {"reservation": {key: value for key, value in reservation.items() if key in fields}}


def modern(entry: Resource) -> Resource:
    """Convert ``role`` and ``reservation``, the older form, to ``reservations``."""
    resource = {
        key: value
        for key, value in entry.items()
        if key not in ("role", "reservation", "allocation_info")
    }
    if "reservation" in entry:
        reservation = {"type": "DYNAMIC", "role": entry["role"], **entry["reservation"]}
        resource["reservations"] = [reservation]
    elif entry.get("role", "*") != "*" and "reservations" not in entry:
        resource["reservations"] = [{"type": "STATIC", "role": entry["role"]}]
    if "scalar" in entry:
        resource["scalar"] = {"value": float(entry["scalar"]["value"])}
    return resource


def unreserved(entry: Resource) -> Resource:
    """Return a resource without its last reservation and without its volume."""
    resource = {key: value for key, value in entry.items() if key not in ("reservations", "disk")}
    reservations = entry.get("reservations", [])[:-1]
    return {**resource, **({"reservations": reservations} if reservations else {})}


def same(entry: Resource, candidate: Resource) -> bool:
    """Return whether two resources differ at most in their values."""
    return all(entry.get(key) == candidate.get(key) for key in ("name", "reservations", "disk"))


def plus(entries: Iterable[Resource], addends: Iterable[Resource]) -> list[Resource]:
    """Add two lists of resources."""
    sums = [dict(entry) for entry in entries]
    for addend in addends:
        matches = [entry for entry in sums if same(entry, addend) and "scalar" in entry]
        if matches:
            _add_scalar(matches[0], addend)
        else:
            sums.append(dict(addend))
    return sums


def minus(entries: Iterable[Resource], subtrahends: Iterable[Resource]) -> list[Resource]:
    """
    Subtract scalars; ranges are not changed.

    Raises ValueError with the master's message if the entries do not contain the subtrahends.
    """
    differences = [dict(entry) for entry in entries]
    for subtrahend in subtrahends:
        if "scalar" not in subtrahend:
            continue
        match = next((entry for entry in differences if same(entry, subtrahend)), None)
        minuend = match["scalar"]["value"] if match else 0.0
        difference = round(minuend - subtrahend["scalar"]["value"], 3)
        if match is None or difference < 0:
            raise ValueError(f"{text(entries)} does not contain {text([subtrahend])}")
        match["scalar"] = {"value": difference}
    return [entry for entry in differences if entry.get("scalar", {"value": 1})["value"] > 0]


def text(entries: Iterable[Resource]) -> str:
    """
    Format resources as the master does.

    For example ``cpus:2; disk(reservations: [(DYNAMIC,web)])[vol-1:data]:50``.
    """
    return "; ".join(f"{label(entry)}:{_amount(entry)}" for entry in entries)


def label(entry: Resource) -> str:
    """Format a resource without its value: ``cpus(reservations: [(STATIC,web)])``."""
    label = entry["name"]
    reservations = [
        ",".join(filter(None, (r["type"], r["role"], r.get("principal"))))
        for r in entry.get("reservations", [])
    ]
    if reservations:
        label += f"(reservations: [{','.join(f'({fields})' for fields in reservations)}])"
    if disk := entry.get("disk"):
        label += f"[{_disk(disk)}]"
    return label


def _disk(disk: dict[str, Any]) -> str:
    source = disk.get("source", {})
    parts = [source["type"]] if source else []
    parts += [source[key]["root"] for key in ("path", "mount") if key in source]
    text = ":".join(parts)
    if "persistence" in disk:
        text += f"{',' if text else ''}{disk['persistence']['id']}"
    return f"{text}:{disk['volume']['container_path']}" if "volume" in disk else text


def _amount(entry: Resource) -> str:
    value = plain(entry)
    return f"{value:g}" if isinstance(value, float | int) else str(value).replace(" ", "")


def amounts(entries: Iterable[Resource]) -> dict[str, float]:
    """Sum scalars by name, without zeros: ``{"cpus": 0.5, "mem": 64.0}``."""
    total: dict[str, float] = {}
    for entry in entries:
        if "scalar" in entry:
            total[entry["name"]] = round(
                total.get(entry["name"], 0.0) + float(entry["scalar"]["value"]), 3
            )
    return {name: total[name] for name in sorted(total) if total[name]}


def words(quantities: dict[str, float]) -> str:
    """Format quantities as the master does: ``cpus:9; mem:4608``, or ``{}`` if empty."""
    return "; ".join(f"{name}:{value:g}" for name, value in sorted(quantities.items())) or "{}"


def totals(entries: Iterable[Resource]) -> dict[str, Any]:
    """Sum scalars by name, with zeros: ``{"disk": 0.0, "cpus": 5.0, "ports": "[31000-32000]"}``."""
    total: dict[str, Any] = dict.fromkeys(SCALARS, 0.0)
    for entry in entries:
        value = plain(entry)
        if isinstance(value, float | int):
            value = round(total.get(entry["name"], 0.0) + value, 3)
        total[entry["name"]] = value
    return total


def reserved(entries: list[Resource]) -> dict[str, list[Resource]]:
    """Group the reserved resources by role."""
    by_role: dict[str, list[Resource]] = {}
    for entry in entries:
        if role(entry) != "*":
            by_role.setdefault(role(entry), []).append(entry)
    return by_role


def free_ranges(ranges: Iterable[dict[str, int]], used_ports: set[int]) -> list[list[int]]:
    """Return the ranges of free ports: ``[[31000, 31004], [31006, 32000]]``."""
    free: list[list[int]] = []
    for bounds in ranges:
        begin, end = bounds["begin"], bounds["end"]
        for port in sorted(port for port in used_ports if bounds["begin"] <= port <= end):
            if port > begin:
                free.append([begin, port - 1])
            begin = port + 1
        if begin <= end:
            free.append([begin, end])
    return free
