"""
What an agent checkpoints about itself, and which changes of it Mesos permits.

The file is that of stout's ``protobuf::write``: 4 bytes with the size of the message, and the
message, a ``SlaveInfo``. The modules of the product have a reader of their own, so that a mistake
in one of the two is noticed. Fields, comparison and texts: include/mesos/mesos.proto,
src/slave/compatibility.cpp and src/common/type_utils.cpp of apache/mesos.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from typing import Any

from ..wire.versions import release
from . import resources

Message = dict[str, Any]

ENUMS = {
    "Value.Type": ("SCALAR", "RANGES", "SET", "TEXT"),
    "Source.Type": ("UNKNOWN", "PATH", "MOUNT", "BLOCK", "RAW"),
    "ReservationInfo.Type": ("UNKNOWN", "STATIC", "DYNAMIC"),
}
# Message -> its fields by number: name and type. A star marks repeated fields.
MESSAGES: dict[str, dict[int, tuple[str, str]]] = {
    "SlaveInfo": {
        1: ("hostname", "string"),
        3: ("resources", "Resource*"),
        5: ("attributes", "Attribute*"),
        6: ("id", "SlaveID"),
        7: ("checkpoint", "bool"),
        8: ("port", "integer"),
        10: ("domain", "DomainInfo"),
    },
    "SlaveID": {1: ("value", "string")},
    "Resource": {
        1: ("name", "string"),
        2: ("type", "Value.Type"),
        3: ("scalar", "Scalar"),
        4: ("ranges", "Ranges"),
        5: ("set", "Set"),
        6: ("role", "string"),
        7: ("disk", "DiskInfo"),
        13: ("reservations", "ReservationInfo*"),
    },
    "Attribute": {
        1: ("name", "string"),
        2: ("type", "Value.Type"),
        3: ("scalar", "Scalar"),
        4: ("ranges", "Ranges"),
        5: ("text", "Text"),
    },
    "Scalar": {1: ("value", "double")},
    "Ranges": {1: ("range", "Range*")},
    "Range": {1: ("begin", "integer"), 2: ("end", "integer")},
    "Set": {1: ("item", "string*")},
    "Text": {1: ("value", "string")},
    "DiskInfo": {3: ("source", "Source")},
    "Source": {1: ("type", "Source.Type"), 2: ("path", "Root"), 3: ("mount", "Root")},
    "Root": {1: ("root", "string")},
    "ReservationInfo": {
        1: ("principal", "string"),
        3: ("role", "string"),
        4: ("type", "ReservationInfo.Type"),
    },
    "DomainInfo": {1: ("fault_domain", "FaultDomain")},
    "FaultDomain": {1: ("region", "Name"), 2: ("zone", "Name")},
    "Name": {1: ("name", "string")},
}
VARINT, FIXED64, LENGTH = 0, 1, 2
ADDITIVE = "Configuration change not permitted under 'additive' policy"
# The messages about host name, port and domain have other quotes.
ADDITIVE_BACKTICKS = "Configuration change not permitted under `additive` policy"
LINE = "------------------------------------------------------------"


# --- the file ---


def write(info: Message) -> bytes:
    """Return the content of ``slave.info``. Reservations become roles, as Mesos downgrades them."""
    message = encode("SlaveInfo", {**info, "resources": list(map(_with_role, info["resources"]))})
    return struct.pack("=I", len(message)) + message


def read(content: bytes) -> Message:
    """Return the AgentInfo in a file. Raises ValueError for anything else."""
    try:
        (size,) = struct.unpack_from("=I", content)
        if len(content) != size + 4:
            raise ValueError("hit EOF unexpectedly, possible corruption")
        info = decode("SlaveInfo", content[4:])
    except (IndexError, KeyError, struct.error) as error:
        raise ValueError("Failed to deserialize message") from error
    entries = [resources.modern(entry) for entry in info.get("resources", [])]
    return {**info, "resources": entries, "attributes": info.get("attributes", [])}


def _with_role(entry: Message) -> Message:
    reservations = entry.get("reservations", [])
    if len(reservations) > 1:
        return entry
    plain = {key: value for key, value in entry.items() if key != "reservations"}
    return {**plain, "role": reservations[0]["role"] if reservations else "*"}


# --- protocol buffers ---


def encode(name: str, message: Message) -> bytes:
    """Return a message in the wire format."""
    data = b""
    for number, (field, kind) in sorted(MESSAGES[name].items()):
        if field in message:
            values = message[field] if kind.endswith("*") else [message[field]]
            for value in values:
                data += _encode_field(number, kind.rstrip("*"), value)
    return data


def _encode_field(number: int, kind: str, value: Any) -> bytes:
    if kind == "double":
        return _varint(number << 3 | FIXED64) + struct.pack("<d", value)
    if kind in ENUMS:
        return _varint(number << 3 | VARINT) + _varint(ENUMS[kind].index(value))
    if kind in ("integer", "bool"):
        return _varint(number << 3 | VARINT) + _varint(int(value))
    content = value.encode() if kind == "string" else encode(kind, value)
    return _varint(number << 3 | LENGTH) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def decode(name: str, data: bytes) -> Message:
    """Return a message. Raises KeyError, IndexError or struct.error for anything else."""
    message: Message = {}
    stream = iter(data)
    for tag in _tags(stream):
        field, kind = MESSAGES[name][tag >> 3]
        value = _decode_field(kind.rstrip("*"), stream)
        if kind.endswith("*"):
            message.setdefault(field, []).append(value)
        else:
            message[field] = value
    return message


def _tags(stream: Iterator[int]) -> Iterator[int]:
    for byte in stream:
        yield _number(stream, byte)


def _number(stream: Iterator[int], byte: int | None = None) -> int:
    byte = next(stream) if byte is None else byte
    number, shift = byte & 0x7F, 0
    while byte & 0x80:
        byte, shift = next(stream), shift + 7
        number |= (byte & 0x7F) << shift
    return number


def _decode_field(kind: str, stream: Iterator[int]) -> Any:
    if kind == "double":
        return struct.unpack("<d", bytes(next(stream) for _ in range(8)))[0]
    number = _number(stream)
    if kind in ENUMS:
        return ENUMS[kind][number]
    if kind in ("integer", "bool"):
        return bool(number) if kind == "bool" else number
    content = bytes(next(stream) for _ in range(number))
    return content.decode() if kind == "string" else decode(kind, content)


def text(name: str, message: Message, indent: str = "") -> str:
    """Return a message as ``DebugString`` prints it, which is how the log shows it."""
    lines = []
    for _, (field, kind) in sorted(MESSAGES[name].items()):
        if field not in message:
            continue
        for value in message[field] if kind.endswith("*") else [message[field]]:
            plain = kind.rstrip("*")
            if plain in MESSAGES:
                content = text(plain, value, f"{indent}  ")
                lines += [f"{indent}{field} {{\n{content}{indent}}}\n"]
            else:
                lines += [f"{indent}{field}: {_scalar_text(plain, value)}\n"]
    return "".join(lines)


def _scalar_text(kind: str, value: Any) -> str:
    if kind == "string":
        escaped = (
            chr(byte) if 32 <= byte < 127 and byte not in b"\"'\\" else f"\\{byte:03o}"
            for byte in value.encode()
        )
        return f'"{"".join(escaped)}"'
    if kind == "bool":
        return str(value).lower()
    return f"{value:.15g}" if kind == "double" else str(value)


# --- the comparison ---


def equal(previous: Message, current: Message, version: str) -> str | None:
    """Return why an agent refuses to start if everything must be equal, None if it starts."""
    if _comparable(previous) == _comparable(current):
        return None
    old, new = text("SlaveInfo", previous), text("SlaveInfo", current)
    if release(version) < (1, 5):
        parts = ["Incompatible agent info detected.", LINE]
        return "\n".join([*parts, f"Old agent info:\n{old}", LINE, f"New agent info:\n{new}", LINE])
    line = f"\n{LINE}"
    parts = ["Incompatible agent info detected. ", line, f"Old agent info:\n{old}", line]
    return "\n".join([*parts, f"New agent info:\n{new}", line])


def _comparable(info: Message) -> Message:
    attributes = sorted(
        (entry["name"], entry["type"], _amount(entry)) for entry in _attributes(info)
    )
    return {
        **{key: info.get(key) for key in ("hostname", "port", "id", "domain", "checkpoint")},
        "attributes": attributes,
        "resources": {key: _amount(entry) for key, entry in _summed(info).items()},
    }


def additive(previous: Message, current: Message) -> str | None:
    """Return why an agent with the policy ``additive`` refuses to start, None if it starts."""
    for key, name in (("hostname", "Hostname"), ("port", "Port")):
        if previous[key] != current[key]:
            change = f"{previous[key]} to {current[key]}"
            return f"{ADDITIVE_BACKTICKS}: {name} changed from {change}"
    domains = [previous.get("domain"), current.get("domain", {})]
    if domains[0] and domains[0] != domains[1]:
        old, new = (json.dumps(d, sort_keys=True, separators=(",", ":")) for d in domains)
        return f"{ADDITIVE_BACKTICKS}: Domain changed from {old} to {new}"
    resources_by_key = _summed(current)
    for key, resource in _summed(previous).items():
        if error := _resource_error(resource, resources_by_key.get(key)):
            return error
    attributes = _attributes(current)
    for attribute in _attributes(previous):
        matches = [entry for entry in attributes if entry["name"] == attribute["name"]]
        if error := _attribute_error(attribute, matches[0] if matches else None):
            return error
    return None


def _attributes(info: Message) -> list[Message]:
    return info.get("attributes", [])


def _summed(info: Message) -> dict[tuple, Message]:
    """Return the resources by what must be equal, added up, without empty ones."""
    sums: dict[tuple, Message] = {}
    for entry in info["resources"]:
        identity = [entry.get(field) for field in ("name", "type", "reservations", "disk")]
        key = (json.dumps(identity, sort_keys=True),)
        sums[key] = _sum(sums[key], entry) if key in sums else entry
    return {key: entry for key, entry in sums.items() if _amount(entry)}


def _sum(entry: Message, addend: Message) -> Message:
    kind = entry["type"]
    if kind == "SCALAR":
        return {**entry, "scalar": {"value": entry["scalar"]["value"] + addend["scalar"]["value"]}}
    if kind == "RANGES":
        return {**entry, "ranges": {"range": entry["ranges"]["range"] + addend["ranges"]["range"]}}
    return {**entry, "set": {"item": entry["set"]["item"] + addend["set"]["item"]}}


def _amount(entry: Message) -> Any:
    """Return the value of a resource or attribute in the form in which Mesos compares it."""
    if entry["type"] == "SCALAR":
        return math.floor(entry["scalar"]["value"] * 1000 + 0.5)
    if entry["type"] == "RANGES":
        return _coalesced(entry["ranges"]["range"])
    if entry["type"] == "SET":
        return sorted(set(entry["set"]["item"]))
    return entry["text"]["value"]


def _coalesced(ranges: list[dict[str, int]]) -> list[tuple[int, int]]:
    bounds: list[tuple[int, int]] = []
    for begin, end in sorted((bound["begin"], bound["end"]) for bound in ranges):
        if bounds and begin <= bounds[-1][1] + 1:
            bounds[-1] = (bounds[-1][0], max(bounds[-1][1], end))
        else:
            bounds.append((begin, end))
    return bounds


def _value_text(entry: Message) -> str:
    amount = _amount(entry)
    if entry["type"] == "SCALAR":
        return f"{amount / 1000:.15g}"
    if entry["type"] == "RANGES":
        return f"[{', '.join(f'{begin}-{end}' for begin, end in amount)}]"
    return f"{{{', '.join(amount)}}}" if entry["type"] == "SET" else amount


def _is_part(entry: Message, match: Message) -> bool:
    if entry["type"] == "SCALAR":
        return _amount(entry) <= _amount(match)
    if entry["type"] == "SET":
        return set(_amount(entry)) <= set(_amount(match))
    bounds = _amount(match)
    return all(any(b <= begin and end <= e for b, e in bounds) for begin, end in _amount(entry))


def _resource_error(resource: Message, match: Message | None) -> str | None:
    name, old = resource["name"], _value_text(resource)
    if match is None:
        return f"{ADDITIVE}. Resource not found: {resources.label(resource)}:{old}"
    if _is_part(resource, match):
        return None
    new = _value_text(match)
    if resource["type"] == "SCALAR":
        return f"{ADDITIVE}: Value of scalar resource '{name}' decreased from {old} to {new}"
    kind = "range" if resource["type"] == "RANGES" else "set"
    return (
        f"{ADDITIVE}: Previous value of {kind} resource '{name}' ({old}) not included in "
        f"current {new}"
    )


def _attribute_error(attribute: Message, match: Message | None) -> str | None:
    name, old = attribute["name"], _value_text(attribute)
    if match is None:
        return f"{ADDITIVE}: Couldn't find attribute {name}={old}"
    if match["type"] != attribute["type"]:
        numbers = [ENUMS["Value.Type"].index(entry["type"]) for entry in (attribute, match)]
        change = f"{numbers[0]} to {numbers[1]}"
        return f"{ADDITIVE}: Type of attribute '{name}' changed from {change}"
    new = _value_text(match)
    if attribute["type"] == "RANGES":
        if _is_part(attribute, match):
            return None
        return f"Previous value of ranges resource '{name}' ({old}) not included in current {new}"
    if _amount(attribute) == _amount(match):
        return None
    kind = attribute["type"].lower()
    return f"{ADDITIVE}: Value of {kind} attribute '{name}' changed from {old} to {new}"
