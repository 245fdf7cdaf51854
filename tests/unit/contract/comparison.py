"""
Compare a response with a recorded one.

Statuses, error texts, headers, names of members, types, booleans, enums, ids and amounts must be
equal. Values that differ from run to run (times, measurements, ports, process ids) must have the
same type. The order of lists does not matter, since the daemons build some of them from hashes.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

# Members whose value differs from run to run or between machines: only the type is compared.
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
# Members whose entire content is loose: flags contain paths of the machine, metrics are measured.
LOOSE_BELOW = {"flags", "metrics", "container_status"}
# The id of a master, which is new each time it starts.
LOOSE_PATHS = {"/id", "/leader_info/id", "/get_master/master_info/id"}
# Lists and mappings that may lack recorded members, with the reason.
PARTIAL = {
    "metrics": "the fake daemons have the metrics that modules and people read, not all 500",
}


def differences(expected: Any, actual: Any, path: str = "", loose: bool = False) -> Iterator[str]:
    """Yield a line with path for each difference."""
    name = path.rpartition("/")[2].partition("[")[0]
    loose = loose or name in LOOSE or name in LOOSE_BELOW or path in LOOSE_PATHS
    if _kind(expected) != _kind(actual):
        kind = f"{_kind(actual)} ({_short(actual)})"
        yield f"{path}: {_kind(expected)} was recorded, here it is {kind}"
    elif isinstance(expected, dict):
        missing = set() if _is_partial(path) else expected.keys() - actual.keys()
        yield from (f"{path}/{key}: is missing" for key in sorted(missing))
        yield from (
            f"{path}/{key}: was not recorded ({_short(actual[key])})"
            for key in sorted(actual.keys() - expected.keys())
        )
        for key in expected.keys() & actual.keys():
            yield from differences(expected[key], actual[key], f"{path}/{key}", loose)
    elif isinstance(expected, list):
        yield from _lists(expected, actual, path, loose)
    elif not loose and expected != actual:
        yield f"{path}: {_short(expected)} was recorded, here it is {_short(actual)}"


def _lists(expected: list, actual: list, path: str, loose: bool) -> Iterator[str]:
    if _is_partial(path):
        recorded = {entry["name"]: entry for entry in expected}
        for entry in actual:
            entry_path = f"{path}[{entry['name']}]"
            if entry["name"] not in recorded:
                yield f"{entry_path}: was not recorded"
            else:
                yield from differences(recorded[entry["name"]], entry, entry_path, loose)
        return
    if len(expected) != len(actual):
        names = _short([_name(entry) for entry in actual])
        yield f"{path}: {len(expected)} entries were recorded, here are {len(actual)}: {names}"
        return
    pairs = zip(sorted(expected, key=_key), sorted(actual, key=_key), strict=True)
    for number, (expected_entry, actual_entry) in enumerate(pairs):
        yield from differences(expected_entry, actual_entry, f"{path}[{number}]", loose)


def _is_partial(path: str) -> bool:
    return path.endswith(tuple(f"/{name}" for name in PARTIAL))


def _kind(value: Any) -> str:
    return type(value).__name__


def _key(value: Any) -> str:
    """Return a key that sorts both lists alike: by the values that are not loose."""

    def firm(content: Any) -> Any:
        if isinstance(content, dict):
            return {
                key: firm(inner) for key, inner in content.items() if key not in LOOSE | LOOSE_BELOW
            }
        return [firm(inner) for inner in content] if isinstance(content, list) else content

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


def header_differences(expected: dict[str, str], actual: Any) -> Iterator[str]:
    """Yield the differences in the headers that are compared."""
    for name in ("Content-Type", "Location", "Allow", "WWW-Authenticate"):
        if expected.get(name) != actual.get(name):
            yield f"header {name}: {expected.get(name)} was recorded, here it is {actual.get(name)}"


def text_differences(expected: str, actual: str) -> Iterator[str]:
    """Yield the difference between texts. Amounts may be in any order, as they are in a hash."""

    def firm(text: str) -> Any:
        return sorted(re.split("[;,] ?| ", text)) if "does not contain" in text else text

    if firm(expected) != firm(actual):
        yield f"text: {_short(expected)} was recorded, here it is {_short(actual)}"
