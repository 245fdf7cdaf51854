"""
How an answer is compared with one that was recorded.

Statuses, error texts, headers, names of members, types, booleans, enums, ids and amounts have to be the same. What differs from
run to run (times, measurements, ports, process ids) has to have the same type; lists that come in the order of a hash may come
in any.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

# Members whose value is another one each time, or on each machine: the type counts.
LOOSE = {
    *(
        "start_time",
        "elected_time",
        "registered_time",
        "reregistered_time",
        "unregistered_time",
        "timestamp",
        "nanoseconds",
    ),
    *(
        "estimated_drain_start_time_seconds",
        "build_date",
        "build_time",
        "build_user",
        "uuid",
        "status_update_uuid",
        "executor_pid",
    ),
    *(
        "avg_load_1min",
        "avg_load_5min",
        "avg_load_15min",
        "cpus_total",
        "mem_free_bytes",
        "mem_total_bytes",
    ),
    *(
        "cpus_system_time_secs",
        "cpus_user_time_secs",
        "mem_rss_bytes",
        "log_dir",
        "directory",
        "size",
        "data",
        "log",
    ),
    *("container", "container_id", "master_hostname"),
}
# Below these everything is loose: flags name this machine's paths, and metrics are measured.
LOOSE_BELOW = {"flags", "metrics", "container_status"}
# The id of a master, a new one each time it starts.
LOOSE_PATHS = {"/id", "/leader_info/id", "/get_master/master_info/id"}
# What the fake daemons lack, and why: path of a list or mapping whose recorded members need not all be there.
PARTIAL = {
    "metrics": "the fake daemons measure what modules and people read, not all 500",
}


def differences(expected: Any, found: Any, path: str = "", loose: bool = False) -> Iterator[str]:
    """What is different, a line each, by path."""
    name = path.rpartition("/")[2].partition("[")[0]
    loose = loose or name in LOOSE or name in LOOSE_BELOW or path in LOOSE_PATHS
    if _kind(expected) != _kind(found):
        yield f"{path}: {_kind(expected)} was recorded, here it is {_kind(found)} ({_short(found)})"
    elif isinstance(expected, dict):
        missing = (
            []
            if path.endswith(tuple(f"/{each}" for each in PARTIAL))
            else expected.keys() - found.keys()
        )
        yield from (f"{path}/{key}: is missing" for key in sorted(missing))
        yield from (
            f"{path}/{key}: was not recorded ({_short(found[key])})"
            for key in sorted(found.keys() - expected.keys())
        )
        for key in expected.keys() & found.keys():
            yield from differences(expected[key], found[key], f"{path}/{key}", loose)
    elif isinstance(expected, list):
        yield from _lists(expected, found, path, loose)
    elif not loose and expected != found:
        yield f"{path}: {_short(expected)} was recorded, here it is {_short(found)}"


def _lists(expected: list, found: list, path: str, loose: bool) -> Iterator[str]:
    if path.endswith(tuple(f"/{each}" for each in PARTIAL)):
        known = {each["name"]: each for each in expected}
        for each in found:
            if each["name"] not in known:
                yield f"{path}[{each['name']}]: was not recorded"
            else:
                yield from differences(known[each["name"]], each, f"{path}[{each['name']}]", loose)
        return
    if len(expected) != len(found):
        yield f"{path}: {len(expected)} entries were recorded, here are {len(found)}: {_short([_name(each) for each in found])}"
        return
    for number, (one, other) in enumerate(
        zip(sorted(expected, key=_key), sorted(found, key=_key), strict=True)
    ):
        yield from differences(one, other, f"{path}[{number}]", loose)


def _kind(value: Any) -> str:
    return type(value).__name__


def _key(value: Any) -> str:
    """Sorts entries of a list alike in both answers: by what is not loose."""

    def firm(each: Any) -> Any:
        if isinstance(each, dict):
            return {
                key: firm(inner) for key, inner in each.items() if key not in LOOSE | LOOSE_BELOW
            }
        return [firm(inner) for inner in each] if isinstance(each, list) else each

    if isinstance(value, dict):
        inner = value.get("agent_info") or value.get("framework_info") or value.get("info") or value
        return str(inner.get("id", inner.get("task_id", inner.get("name", "")))) + json.dumps(
            firm(value), sort_keys=True
        )
    return json.dumps(firm(value), sort_keys=True)


def _name(value: Any) -> Any:
    return (
        next((value[key] for key in ("name", "id", "role", "task_id") if key in value), value)
        if isinstance(value, dict)
        else value
    )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 160 else f"{text[:160]}..."


def of_headers(expected: dict[str, str], found: Any) -> Iterator[str]:
    """What is different in the headers that matter."""
    for name in ("Content-Type", "Location", "Allow", "WWW-Authenticate"):
        if expected.get(name) != found.get(name):
            yield f"header {name}: {expected.get(name)} was recorded, here it is {found.get(name)}"


def of_text(expected: str, found: str) -> Iterator[str]:
    """What is different in a text; amounts may be in any order, as they come from a hash."""

    def firm(text: str) -> Any:
        return sorted(re.split("[;,] ?| ", text)) if "does not contain" in text else text

    if firm(expected) != firm(found):
        yield f"text: {_short(expected)} was recorded, here it is {_short(found)}"
