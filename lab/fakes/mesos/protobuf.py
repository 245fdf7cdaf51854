"""Validation of v1 API calls, as protobuf's JSON parser does: members and required fields."""

from __future__ import annotations

from typing import Any

from ..wire.http import Refusal

# A message maps field names to forms; "!" marks required fields. A list has the form of its items,
# a Map the form of its values.
ID = {"value!": str}
MACHINE = {"hostname": str, "ip": str}
NANOSECONDS = {"nanoseconds!": int}
RESOURCE = {"name!": str, "type!": str, "scalar": {"value!": float}}


class Map:
    """A mapping whose keys are data."""

    def __init__(self, form: Any) -> None:
        self.form = form


AMOUNTS = Map({"value!": float})
SCHEDULE = {
    "windows": [
        {
            "machine_ids": [MACHINE],
            "unavailability!": {"start!": NANOSECONDS, "duration": NANOSECONDS},
        }
    ]
}

MEMBERS = {
    "GET_METRICS": {"timeout": NANOSECONDS},
    "SET_LOGGING_LEVEL": {"level!": int, "duration!": NANOSECONDS},
    "LIST_FILES": {"path!": str},
    "READ_FILE": {"path!": str, "offset!": int, "length": int},
    "UPDATE_WEIGHTS": {"weight_infos": [{"role": str, "weight!": float}]},
    "SET_QUOTA": {"quota_request!": {"force": bool, "role": str, "guarantee": [RESOURCE]}},
    "REMOVE_QUOTA": {"role!": str},
    "UPDATE_QUOTA": {
        "force": bool,
        "quota_configs": [{"role": str, "guarantees": AMOUNTS, "limits": AMOUNTS}],
    },
    "UPDATE_MAINTENANCE_SCHEDULE": {"schedule!": SCHEDULE},
    "START_MAINTENANCE": {"machines": [MACHINE]},
    "STOP_MAINTENANCE": {"machines": [MACHINE]},
    "DRAIN_AGENT": {
        "agent_id!": ID,
        "max_grace_period": {"seconds": int, "nanos": int},
        "mark_gone": bool,
    },
    "DEACTIVATE_AGENT": {"agent_id!": ID},
    "REACTIVATE_AGENT": {"agent_id!": ID},
    "MARK_AGENT_GONE": {"agent_id!": ID},
    "TEARDOWN": {"framework_id!": ID},
    "RESERVE_RESOURCES": {"agent_id!": ID, "source": [RESOURCE], "resources": [RESOURCE]},
    "UNRESERVE_RESOURCES": {"agent_id!": ID, "resources": [RESOURCE]},
    "CREATE_VOLUMES": {"agent_id!": ID, "volumes": [RESOURCE]},
    "DESTROY_VOLUMES": {"agent_id!": ID, "volumes": [RESOURCE]},
    "PRUNE_IMAGES": {},
}
KINDS = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
}


def member(name: str, call: dict[str, Any], side: str) -> dict[str, Any]:
    """
    Return the member with the arguments of a call, empty for a call without arguments.

    Raises Refusal with the message of ``side`` (master or agent) if it is missing or malformed.
    """
    if name not in MEMBERS:
        return {}
    key = name.lower()
    missing: list[str] = []
    if key in call:
        _read(key, call[key], MEMBERS[name], missing, key)
    if missing:
        raise Refusal(
            400,
            "Failed to convert JSON into Call protobuf: "
            f"Missing required fields: {', '.join(missing)}",
        )
    if key not in call:
        raise Refusal(400, f"Failed to validate {side}::Call: Expecting '{key}' to be present")
    return call[key]


def _read(path: str, value: Any, form: Any, missing: list[str], field: str) -> None:
    if isinstance(form, list):
        _expect(value, list, field)
        for number, item in enumerate(value):
            _read(f"{path}[{number}]", item, form[0], missing, field)
    elif isinstance(form, Map):
        _expect(value, dict, field)
        for item in value.values():
            _read(path, item, form.form, missing, "value")
    elif isinstance(form, dict):
        _expect(value, dict, field)
        for name, inner in form.items():
            plain = name.rstrip("!")
            if plain in value:
                _read(f"{path}.{plain}", value[plain], inner, missing, plain)
            elif name.endswith("!"):
                missing.append(f"{path}.{plain}")
    elif form in (int, float):
        _expect(value, (int, float, str), field)  # numbers may be written as strings
    else:
        _expect(value, form, field)


def _expect(value: Any, kind: Any, field: str) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise Refusal(
            400,
            "Failed to convert JSON into Call protobuf: "
            f"Not expecting a JSON {KINDS[type(value)]} for field '{field}'",
        )
