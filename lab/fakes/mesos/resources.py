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
        return {
            "type": "RANGES",
            "ranges": {"range": [{"begin": int(low), "end": int(high)} for low, high in bounds]},
        }
    if text.startswith("{"):
        return {
            "type": "SET",
            "set": {"item": [item.strip() for item in text.strip("{}").split(",")]},
        }
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
    """Add the role and the older form of a reservation, as the masters' APIs do; what is held is summed by role."""
    found: list[Resource] = []
    for entry in entries:
        held = entry.get("allocation_info")
        at = next(
            (
                each
                for each in found
                if held and same(each, entry) and each.get("allocation_info") == held
            ),
            None,
        )
        if at and "scalar" in entry:
            at["scalar"] = {"value": round(at["scalar"]["value"] + entry["scalar"]["value"], 3)}
        else:
            found.append({**entry, "role": role(entry), **_reservation(entry)})
    return found


def _reservation(entry: Resource) -> dict[str, Any]:
    last = entry.get("reservations", [{}])[-1]
    if last.get("type") != "DYNAMIC":
        return {}
    return {
        "reservation": {key: value for key, value in last.items() if key in ("principal", "labels")}
    }


def modern(entry: Resource) -> Resource:
    """Turn ``role`` and ``reservation``, the older form, into ``reservations``."""
    found = {
        key: value
        for key, value in entry.items()
        if key not in ("role", "reservation", "allocation_info")
    }
    if "reservation" in entry:
        found["reservations"] = [{"type": "DYNAMIC", "role": entry["role"], **entry["reservation"]}]
    elif entry.get("role", "*") != "*" and "reservations" not in entry:
        found["reservations"] = [{"type": "STATIC", "role": entry["role"]}]
    if "scalar" in entry:
        found["scalar"] = {"value": float(entry["scalar"]["value"])}
    return found


def unreserved(entry: Resource) -> Resource:
    """The same without its last reservation, and without a volume on it."""
    kept = {key: value for key, value in entry.items() if key not in ("reservations", "disk")}
    left = entry.get("reservations", [])[:-1]
    return {**kept, **({"reservations": left} if left else {})}


def same(one: Resource, other: Resource) -> bool:
    """Whether two differ in their amount only."""
    return all(one.get(key) == other.get(key) for key in ("name", "reservations", "disk"))


def plus(entries: Iterable[Resource], more: Iterable[Resource]) -> list[Resource]:
    """Sum two lists of resources."""
    found = [dict(entry) for entry in entries]
    for extra in more:
        at = next((entry for entry in found if same(entry, extra) and "scalar" in entry), None)
        if at is None:
            found.append(dict(extra))
        else:
            at["scalar"] = {"value": round(at["scalar"]["value"] + extra["scalar"]["value"], 3)}
    return found


def minus(entries: Iterable[Resource], less: Iterable[Resource]) -> list[Resource]:
    """Take away; ValueError, in the master's words, where it is not there. Ranges are left as they are."""
    found = [dict(entry) for entry in entries]
    for taken in less:
        if "scalar" not in taken:
            continue
        at = next((entry for entry in found if same(entry, taken)), None)
        if at is None or round(at["scalar"]["value"] - taken["scalar"]["value"], 3) < 0:
            raise ValueError(f"{text(entries)} does not contain {text([taken])}")
        at["scalar"] = {"value": round(at["scalar"]["value"] - taken["scalar"]["value"], 3)}
    return [entry for entry in found if entry.get("scalar", {"value": 1})["value"] > 0]


def text(entries: Iterable[Resource]) -> str:
    """Return resources as the master writes them: ``cpus:2; disk(reservations: [(DYNAMIC,web)])[vol-1:data]:50``."""
    return "; ".join(f"{_label(entry)}:{_amount(entry)}" for entry in entries)


def _label(entry: Resource) -> str:
    held = [
        ",".join(filter(None, (r["type"], r["role"], r.get("principal"))))
        for r in entry.get("reservations", [])
    ]
    label = entry["name"] + (
        f"(reservations: [{','.join(f'({each})' for each in held)}])" if held else ""
    )
    disk = entry.get("disk")
    return (
        f"{label}[{disk['persistence']['id']}:{disk['volume']['container_path']}]"
        if disk
        else label
    )


def _amount(entry: Resource) -> str:
    value = plain(entry)
    return f"{value:g}" if isinstance(value, float | int) else str(value).replace(" ", "")


def amounts(entries: Iterable[Resource]) -> dict[str, float]:
    """Sum scalars up, those only that are there: ``{"cpus": 0.5, "mem": 64.0}``, by name."""
    total: dict[str, float] = {}
    for entry in entries:
        if "scalar" in entry:
            total[entry["name"]] = round(
                total.get(entry["name"], 0.0) + float(entry["scalar"]["value"]), 3
            )
    return {name: total[name] for name in sorted(total) if total[name]}


def words(quantities: dict[str, float]) -> str:
    """Return amounts as the master writes them: ``cpus:9; mem:4608``, and ``{}`` for none."""
    return "; ".join(f"{name}:{value:g}" for name, value in sorted(quantities.items())) or "{}"


def totals(entries: Iterable[Resource]) -> dict[str, Any]:
    """Sum scalars up, as in ``{"disk": 4096.0, "mem": 2560.0, "gpus": 0.0, "cpus": 5.0, "ports": "[31000-32000]"}``."""
    total: dict[str, Any] = dict.fromkeys(SCALARS, 0.0)
    for entry in entries:
        value = plain(entry)
        if isinstance(value, float | int):
            value = round(total.get(entry["name"], 0.0) + value, 3)
        total[entry["name"]] = value
    return total


def reserved(entries: list[Resource]) -> dict[str, list[Resource]]:
    """Group what is reserved by role."""
    by_role: dict[str, list[Resource]] = {}
    for entry in entries:
        if role(entry) != "*":
            by_role.setdefault(role(entry), []).append(entry)
    return by_role


def free_ranges(ranges: Iterable[dict[str, int]], taken: set[int]) -> list[list[int]]:
    """Return what is left of ranges: ``[[31000, 31004], [31006, 32000]]``."""
    found: list[list[int]] = []
    for each in ranges:
        begin = each["begin"]
        for port in sorted(port for port in taken if each["begin"] <= port <= each["end"]):
            if port > begin:
                found.append([begin, port - 1])
            begin = port + 1
        if begin <= each["end"]:
            found.append([begin, each["end"]])
    return found
