"""Resources and attributes of agents: from the text of a flag to the JSON of the APIs."""

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
    """Turn ``4``, ``[31000-32000,8080-8080]``, ``{a,b}`` or ``r1`` into the type and value of the APIs."""
    text = text.strip()
    if text.startswith("["):
        bounds = [part.split("-") for part in text.strip("[]").split(",")]
        return {"type": "RANGES", "ranges": {"range": [{"begin": int(low), "end": int(high)} for low, high in bounds]}}
    if text.startswith("{"):
        return {"type": "SET", "set": {"item": [item.strip() for item in text.strip("{}").split(",")]}}
    try:
        return {"type": "SCALAR", "scalar": {"value": float(text)}}
    except ValueError:
        return {"type": "TEXT", "text": {"value": text}}


def plain(entry: dict[str, Any]) -> Any:
    """Return the value of a resource or attribute as the older endpoints show it: a float or text."""
    if entry["type"] == "SCALAR":
        return entry["scalar"]["value"]
    if entry["type"] == "RANGES":
        return "[" + ", ".join(f"{r['begin']}-{r['end']}" for r in entry["ranges"]["range"]) + "]"
    if entry["type"] == "SET":
        return "{" + ", ".join(entry["set"]["item"]) + "}"
    return entry["text"]["value"]


def attributes(text: str) -> list[dict[str, Any]]:
    """Read ``rack:r1;ssd:1``; ValueError, in the agent's words, where there is no colon."""
    found = []
    for pair in filter(None, re.split("[;\n]", text)):
        name, colon, value = pair.partition(":")
        if not colon:
            raise ValueError(f"Invalid attribute key:value pair '{pair}'")
        found.append({"name": name.strip(), **_value(value)})
    return found


def resources(text: str) -> list[Resource]:
    """Read ``cpus:4;mem(web):512`` or JSON; ValueError, in the agent's words, if it is neither."""
    if text.startswith("["):
        return json.loads(text)
    found = []
    for pair in filter(None, re.split("[;\n]", text)):
        name, colon, value = pair.partition(":")
        match = NAME.fullmatch(name.strip())
        if not colon or ":" in value or not match:
            raise ValueError(f"Bad value for resources, missing or extra ':' in {pair}")
        resource = {"name": match[1], **_value(value)}
        if resource["type"] == "TEXT":
            raise ValueError(f"Bad type for resource {match[1]} value {value.strip()} type TEXT")
        if match[2] and match[2] != "*":
            resource["reservations"] = [{"type": "STATIC", "role": match[2]}]
        found.append(resource)
    return found


def detected(work_dir: str) -> list[Resource]:
    """Return what an agent offers of this machine where its flag does not say: less what Mesos leaves to the system."""
    disk = os.statvfs(work_dir)
    disk_mib = disk.f_blocks * disk.f_frsize // 2**20
    mem_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    return resources(
        f"cpus:{os.cpu_count()}"
        f";mem:{mem_mib - 1024 if mem_mib >= 2048 else mem_mib // 2}"
        f";disk:{disk_mib - 5120 if disk_mib >= 10240 else disk_mib // 2}"
        ";ports:[31000-32000]"
    )


def role(resource: Resource) -> str:
    """Return the role that a resource is reserved for, ``*`` for none."""
    return resource.get("reservations", [{"role": "*"}])[-1]["role"]


def full(entries: Iterable[Resource]) -> list[Resource]:
    """Add the role, as the masters' APIs do."""
    return [{**entry, "role": role(entry)} for entry in entries]


def totals(entries: Iterable[Resource]) -> dict[str, Any]:
    """Sum scalars up, as in ``{"disk": 4096.0, "mem": 2560.0, "gpus": 0.0, "cpus": 5.0, "ports": "[31000-32000]"}``."""
    total: dict[str, Any] = dict.fromkeys(SCALARS, 0.0)
    for entry in entries:
        value = plain(entry)
        total[entry["name"]] = total.get(entry["name"], 0.0) + value if isinstance(value, float) else value
    return total


def reserved(entries: list[Resource]) -> dict[str, list[Resource]]:
    """Group what is reserved by role."""
    by_role: dict[str, list[Resource]] = {}
    for entry in entries:
        if role(entry) != "*":
            by_role.setdefault(role(entry), []).append(entry)
    return by_role
