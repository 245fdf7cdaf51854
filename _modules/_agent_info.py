"""
The identity of a Mesos agent: host name, port, attributes, resources and domain. Reads what an
agent has checkpointed about itself, and finds the differences that keep it from starting.
A helper of the execution modules, not a module itself: Salt's loader skips names that begin with
``_``.

An agent writes its ``SlaveInfo`` to ``meta/slaves/latest/slave.info`` when it registers for the
first time, and compares it with its flags at each start. Sources in apache/mesos:
include/mesos/mesos.proto (the messages), 3rdparty/stout/include/stout/protobuf.hpp (the file),
src/slave/compatibility.cpp (the comparison), src/common/values.cpp (the text of flags) and
src/slave/containerizer/containerizer.cpp (what an agent detects).
"""

import json
import math
import os
import re
import struct

CHECKPOINT = "meta/slaves/latest/slave.info"
LATEST = "meta/slaves/latest"
BOOT_ID = "/proc/sys/kernel/random/boot_id"
SIZE_FORMAT = "=I"  # 4 bytes in the order of the host
POLICIES = ("equal", "additive")
# The first version with the flag reconfiguration_policy. Earlier ones need everything to be equal.
FIRST_VERSION_WITH_POLICY = (1, 5)
# Resources that an agent detects if no flag declares them.
DETECTED = ("cpus", "mem", "disk", "gpus")
DEFAULT_PORTS = "[31000-32000]"
DEFAULT_PORT = 5051

VALUE_TYPES = ("SCALAR", "RANGES", "SET", "TEXT")
SOURCE_TYPES = ("UNKNOWN", "PATH", "MOUNT", "BLOCK", "RAW")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]+")
RESOURCE_NAME = re.compile(r"\s*([^(]*?)\s*(?:\(\s*([^)]*?)\s*\).*)?")


class Unreadable(Exception):
    """There is a checkpoint, but it cannot be read, or has unknown content."""


# --- the checkpoint ---


def read(work_dir):
    """
    Return what the agent with this work directory has checkpointed, None before it registered.

    The keys are ``id``, ``hostname``, ``port``, ``domain`` (``region`` and ``zone``, or None),
    ``attributes`` (a list of ``name``, ``type`` and ``value``) and ``resources`` (a list of
    ``name``, ``label``, ``type`` and ``value``). A scalar is a number, ranges are a list of pairs,
    a set is a list of text. Raises Unreadable.
    """
    latest = os.path.join(work_dir, LATEST)
    path = os.path.join(work_dir, CHECKPOINT)
    try:
        if not _exists(latest):
            return None
        if not os.path.isdir(latest):
            raise Unreadable(f"{latest} leads to {_target(latest)}, which is missing")
        if not _exists(path):
            return None
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    # Mesos ignores an empty file: the host stopped before the content was on disk.
    if not content:
        return None
    try:
        return _slave_info(_decode(_message(content), SLAVE_INFO))
    except (KeyError, IndexError, UnicodeDecodeError, ValueError, struct.error):
        raise Unreadable(f"{path} is not the SlaveInfo of an agent") from None


def _exists(path):
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _target(link):
    return os.readlink(link) if os.path.islink(link) else link


def has_rebooted(work_dir):
    """
    Return whether the host has rebooted since the agent last started.

    An agent that is not compatible with its checkpoint then registers as a new agent, and does not
    refuse to start.
    """
    try:
        with open(os.path.join(work_dir, "meta/boot_id")) as stream:
            boot_id = stream.read().strip()
        with open(BOOT_ID) as stream:
            return stream.read().strip() != boot_id
    except OSError:
        return False


def _message(content):
    """Return the message in a file: 4 bytes with its size, and the message."""
    [size] = struct.unpack_from(SIZE_FORMAT, content)
    message = content[struct.calcsize(SIZE_FORMAT) :]
    if len(message) != size:
        raise ValueError("the file has another size")
    return message


# --- the wire format of protocol buffers ---


def _integer(value):
    if not isinstance(value, int):
        raise ValueError("not an integer")
    return value


def _text(value):
    if isinstance(value, int):
        raise ValueError("not text")
    return value.decode("utf-8")


def _double(value):
    if isinstance(value, int):
        raise ValueError("not a number")
    [number] = struct.unpack("<d", value)
    return number


def _value_type(value):
    return VALUE_TYPES[_integer(value)]


def _source_type(value):
    return SOURCE_TYPES[_integer(value)]


# A message: number of a field -> its name and its kind. The kind is a function that decodes the
# value, or the fields of a nested message; in a list if the field is repeated. Fields that are not
# listed here are not compared.
NAME = {1: ("name", _text)}
ROOT = {1: ("root", _text)}
SCALAR = {1: ("value", _double)}
RANGE = {1: ("begin", _integer), 2: ("end", _integer)}
RANGES = {1: ("range", [RANGE])}
SET = {1: ("item", [_text])}
TEXT = {1: ("value", _text)}
ATTRIBUTE = {
    1: ("name", _text),
    2: ("type", _value_type),
    3: ("scalar", SCALAR),
    4: ("ranges", RANGES),
    5: ("text", TEXT),
    6: ("set", SET),
}
SOURCE = {
    1: ("type", _source_type),
    2: ("path", ROOT),
    3: ("mount", ROOT),
    4: ("id", _text),
    6: ("profile", _text),
}
RESOURCE = {
    1: ("name", _text),
    2: ("type", _value_type),
    3: ("scalar", SCALAR),
    4: ("ranges", RANGES),
    5: ("set", SET),
    6: ("role", _text),
    7: ("disk", {3: ("source", SOURCE)}),
    13: ("reservations", [{3: ("role", _text)}]),
}
DOMAIN = {1: ("fault_domain", {1: ("region", NAME), 2: ("zone", NAME)})}
SLAVE_INFO = {
    1: ("hostname", _text),
    3: ("resources", [RESOURCE]),
    5: ("attributes", [ATTRIBUTE]),
    6: ("id", {1: ("value", _text)}),
    8: ("port", _integer),
    10: ("domain", DOMAIN),
}


def _decode(data, fields):
    """Return a message as a mapping of names to values. Raises ValueError and IndexError."""
    message = {}
    for number, value in _wire_fields(data):
        if number not in fields:
            continue
        name, kind = fields[number]
        if isinstance(kind, list):
            message.setdefault(name, []).append(_decode_value(value, kind[0]))
        else:
            message[name] = _decode_value(value, kind)
    return message


def _decode_value(value, kind):
    if not isinstance(kind, dict):
        return kind(value)
    if isinstance(value, int):
        raise ValueError("not a message")
    return _decode(value, kind)


def _wire_fields(data):
    """Yield the number and the value of each field: an integer, or bytes."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        wire_type = tag & 7
        if wire_type == 0:
            value, position = _varint(data, position)
        elif wire_type in (1, 2, 5):
            size = {1: 8, 5: 4}.get(wire_type)
            if size is None:
                size, position = _varint(data, position)
            value = data[position : position + size]
            position += size
            if len(value) != size:
                raise ValueError("the message ends too early")
        else:
            raise ValueError("unknown wire type")
        yield tag >> 3, value


def _varint(data, position):
    """Return the integer at a position, and the position behind it."""
    value = 0
    for index in range(10):
        byte = data[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise ValueError("an integer of more than 64 bits")


# --- the checkpointed identity ---


def _slave_info(message):
    """Return a SlaveInfo as ``read`` does. Raises KeyError if a required field is missing."""
    return {
        "id": message.get("id", {}).get("value"),
        "hostname": message["hostname"],
        "port": message.get("port", DEFAULT_PORT),
        "domain": _domain(message.get("domain")),
        "attributes": [
            {"name": entry["name"], "type": entry["type"], "value": _value(entry)}
            for entry in message.get("attributes", [])
        ],
        "resources": [_resource(entry, "*") for entry in message.get("resources", [])],
    }


def _domain(message):
    if not message or "fault_domain" not in message:
        return None
    fault_domain = message["fault_domain"]
    return {key: fault_domain[key]["name"] for key in ("region", "zone")}


def _value(entry):
    """Return the value of an attribute or a resource, in the form of Mesos' JSON."""
    value_type = entry["type"]
    if value_type == "SCALAR":
        return float(entry["scalar"]["value"])
    if value_type == "RANGES":
        ranges = entry.get("ranges", {}).get("range", [])
        return _merge_ranges([(int(pair["begin"]), int(pair["end"])) for pair in ranges])
    if value_type == "SET":
        return sorted(set(entry.get("set", {}).get("item", [])))
    return entry["text"]["value"]


def _resource(entry, default_role):
    """
    Return a resource, in the form of Mesos' JSON, with a label: ``cpus``, ``cpus(web)``,
    ``disk(web)[MOUNT:/data]``. Resources with the same label are added up.
    """
    roles = [reservation["role"] for reservation in entry.get("reservations", [])]
    role = ",".join(roles) or entry.get("role", default_role)
    label = _label(entry["name"], role)
    source = entry.get("disk", {}).get("source")
    if source:
        label += f"[{_source_label(source)}]"
    value = _value(entry)
    return {"name": entry["name"], "label": label, "type": entry["type"], "value": value}


def _source_label(source):
    parts = [source["type"]]
    for key in ("path", "mount"):
        if key in source:
            parts.append(source[key].get("root", ""))
    parts += [source[key] for key in ("id", "profile") if key in source]
    return ":".join(parts)


def _merge_ranges(ranges):
    """Return ranges in order, without those that overlap or touch."""
    merged = []
    for begin, end in sorted(ranges):
        if merged and begin <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


# --- the identity that flags declare ---


def declared(attributes, resources, hostname, port, domain, default_role):
    """
    Return the identity of an agent with these flags, in the form of ``read``, without an id.

    attributes, resources, domain
        Text, as the daemon reads it, or None. ``file:///path`` names a file with the text.

    hostname
        Text, or None: the agent looks it up, so it is unknown and is not compared.

    port
        Number, or None for 5051.

    default_role
        Role of the resources that do not name one; None for ``*``.

    Additional keys: ``detected``, the labels of resources that the agent detects, so their amounts
    are unknown. Raises ValueError for text that the agent does not accept.
    """
    role = default_role or "*"
    entries = _parse_resources(_content(resources), role)
    names = {entry["name"] for entry in entries}
    detected = [_label(name, role) for name in DETECTED if name not in names]
    if "ports" not in names:
        entries.append(_parse_resource("ports", DEFAULT_PORTS, role))
    return {
        "hostname": hostname,
        "port": int(port or DEFAULT_PORT),
        "domain": _parse_domain(_content(domain)),
        "attributes": _parse_attributes(_content(attributes)),
        "resources": entries,
        "detected": detected,
    }


def add_detected(info, totals):
    """Add the resources that an agent has detected, ``{name: amount}``, to those of its flags."""
    for label in info["detected"]:
        name = label.partition("(")[0]
        entry = {"name": name, "label": label, "type": "SCALAR", "value": float(totals[name])}
        info["resources"].append(entry)


def _content(text):
    """Return the text of a flag, empty for None, read from a file if it names one."""
    if text is None:
        return ""
    if not text.startswith("file://"):
        return text
    path = text[len("file://") :]
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read().strip()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None


def _label(name, role):
    return name if role == "*" else f"{name}({role})"


def _parse_domain(text):
    try:
        return _domain(json.loads(text)) if text else None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(f"domain: {text} is not a fault domain in JSON") from None


def _parse_attributes(text):
    attributes = []
    for pair in filter(None, re.split("[;\n]", text)):
        name, _, value = pair.partition(":")
        if not name or not value:
            raise ValueError(f"attributes: {pair} should be NAME:VALUE")
        attributes.append({"name": name, **_parse_value(value)})
    return attributes


def _parse_resources(text, default_role):
    if text.lstrip().startswith("["):
        try:
            return [_resource(entry, default_role) for entry in json.loads(text)]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ValueError(f"resources: {text} is not a list of resources in JSON") from None
    resources = []
    for token in filter(None, text.split(";")):
        parts = [part for part in token.split(":") if part]
        if len(parts) != 2:
            raise ValueError(f"resources: {token} should be NAME:VALUE")
        resources.append(_parse_resource(parts[0], parts[1], default_role))
    return resources


def _parse_resource(name, text, default_role):
    match = RESOURCE_NAME.fullmatch(name)
    if not match:
        raise ValueError(f"resources: the parentheses in {name} do not match")
    role = default_role if match.group(2) is None else match.group(2)
    value = _parse_value(text)
    if value["type"] == "TEXT":
        raise ValueError(f"resources: {name} should be a number, ranges or a set, and not {text}")
    return {**value, "name": match.group(1), "label": _label(match.group(1), role)}


def _parse_value(text):
    """Return ``type`` and ``value`` of an attribute or resource in a flag, as values.cpp does."""
    plain = text.replace(" ", "")
    if plain.startswith("["):
        bounds = [part for part in re.split(r"[\[\]\-,\n]", plain) if part]
        if len(bounds) % 2 or not all(bound.isdigit() for bound in bounds):
            raise ValueError(f"{plain} should be ranges, such as [31000-32000]")
        pairs = [(int(bounds[i]), int(bounds[i + 1])) for i in range(0, len(bounds), 2)]
        return {"type": "RANGES", "value": _merge_ranges(pairs)}
    if plain.startswith("{"):
        items = {part for part in re.split(r"[{},\n]", plain) if part}
        return {"type": "SET", "value": sorted(items)}
    if HEXADECIMAL.fullmatch(plain):
        return {"type": "SCALAR", "value": float(int(plain, 16))}
    # Negative numbers are text.
    if NUMBER.fullmatch(plain) and float(plain) >= 0 and math.isfinite(float(plain)):
        return {"type": "SCALAR", "value": float(plain)}
    return {"type": "TEXT", "value": plain}


# --- the comparison ---


def effective_policy(version, policy):
    """
    Return the policy that the agent applies to changes: ``equal`` or ``additive``.

    version
        Version of Mesos, such as ``1.9.0``, None for one that knows the policies.

    policy
        The flag ``reconfiguration_policy``, None if it is not set.

    Raises ValueError for a policy that Mesos does not have.
    """
    if policy is not None and policy not in POLICIES:
        raise ValueError(f"reconfiguration_policy: {policy} should be equal or additive")
    numbers = re.findall(r"\d+", str(version or ""))[:2]
    if numbers and tuple(int(number) for number in numbers) < FIRST_VERSION_WITH_POLICY:
        return "equal"
    return policy or "equal"


def differences(checkpoint, flags, policy):
    """
    Return the differences that keep an agent from starting: ``{path: {"old": ..., "new": ...}}``.

    checkpoint, flags
        The results of ``read`` and ``declared``.

    policy
        ``equal``: any difference counts. ``additive``: additions and growth do not count.

    Paths are ``hostname``, ``port``, ``domain``, ``attributes/NAME`` and ``resources/LABEL``; old
    and new are text, or None.
    """
    is_additive = policy == "additive"
    changes = {}
    for key in ("hostname", "port", "domain"):
        old, new = checkpoint[key], flags[key]
        is_unknown = key == "hostname" and (old is None or new is None)
        is_addition = is_additive and key == "domain" and old is None
        if old != new and not is_unknown and not is_addition:
            changes[key] = {"old": _format_domain(old), "new": _format_domain(new)}
    for key, make_index, is_permitted in (
        ("attributes", _attributes_by_name, _is_attribute_permitted),
        ("resources", _resources_by_label, _is_resource_permitted),
    ):
        old_entries, new_entries = make_index(checkpoint[key]), make_index(flags[key])
        for name in sorted(set(old_entries) | set(new_entries)):
            old, new = old_entries.get(name), new_entries.get(name)
            if key == "resources" and name in flags["detected"]:
                continue
            if not _is_equal(old, new) and not (is_additive and is_permitted(old, new)):
                changes[f"{key}/{name}"] = {"old": format_value(old), "new": format_value(new)}
    return changes


def as_text(checkpoint):
    """Return the result of ``read`` with attributes and resources as ``{name: text}``."""
    attributes = _attributes_by_name(checkpoint["attributes"])
    resources = _resources_by_label(checkpoint["resources"])
    return {
        **checkpoint,
        "attributes": {name: format_value(entry) for name, entry in attributes.items()},
        "resources": {label: format_value(entry) for label, entry in resources.items()},
    }


def uncompared(checkpoint, flags):
    """Return the values that were not compared, as the agent detects them: ``{label: old}``."""
    amounts = {}
    if flags["hostname"] is None:
        amounts["hostname"] = checkpoint["hostname"]
    for label, entry in sorted(_resources_by_label(checkpoint["resources"]).items()):
        if label in flags["detected"]:
            amounts[label] = format_value(entry)
    return amounts


def _attributes_by_name(attributes):
    """Index attributes. Of several with the same name, Mesos compares the first."""
    index = {}
    for entry in attributes:
        index.setdefault(entry["name"], entry)
    return index


def _resources_by_label(resources):
    """Index resources, added up, without empty ones, which Mesos ignores."""
    index = {}
    for entry in resources:
        total = index.get(entry["label"])
        if total is None or total["type"] != entry["type"]:
            index[entry["label"]] = dict(entry)
        elif entry["type"] == "SCALAR":
            total["value"] += entry["value"]
        elif entry["type"] == "RANGES":
            total["value"] = _merge_ranges(total["value"] + entry["value"])
        else:
            total["value"] = sorted(set(total["value"]) | set(entry["value"]))
    return {label: entry for label, entry in index.items() if not _is_empty(entry)}


def _is_empty(entry):
    return not (_thousandths(entry["value"]) if entry["type"] == "SCALAR" else entry["value"])


def _is_equal(old, new):
    if old is None or new is None or old["type"] != new["type"]:
        return old is new
    if old["type"] == "SCALAR":
        return _thousandths(old["value"]) == _thousandths(new["value"])
    return old["value"] == new["value"]


def _is_attribute_permitted(old, new):
    """Return whether ``additive`` permits a change: a new attribute, or more ranges."""
    if old is None:
        return True
    is_ranges = new is not None and old["type"] == new["type"] == "RANGES"
    return is_ranges and _includes(new["value"], old["value"])


def _is_resource_permitted(old, new):
    """Return whether ``additive`` permits a change: a new resource, or more of one."""
    if old is None:
        return True
    if new is None or old["type"] != new["type"]:
        return False
    if old["type"] == "SCALAR":
        return _thousandths(old["value"]) <= _thousandths(new["value"])
    if old["type"] == "RANGES":
        return _includes(new["value"], old["value"])
    return set(old["value"]) <= set(new["value"])


def _includes(ranges, parts):
    """Return whether each part is in one of the ranges."""
    return all(
        any(begin <= part_begin and part_end <= end for begin, end in ranges)
        for part_begin, part_end in parts
    )


def _thousandths(number):
    """Return a scalar as Mesos compares it."""
    return math.floor(number * 1000 + 0.5)


def format_value(entry):
    """Return the value of an attribute or resource as text, None for none."""
    if entry is None:
        return None
    value = entry["value"]
    if entry["type"] == "SCALAR":
        return f"{_thousandths(value) / 1000:.15g}"
    if entry["type"] == "RANGES":
        return f"[{', '.join(f'{begin}-{end}' for begin, end in value)}]"
    if entry["type"] == "SET":
        return f"{{{', '.join(value)}}}"
    return value


def _format_domain(value):
    if isinstance(value, dict):
        return f"region {value['region']}, zone {value['zone']}"
    return value
