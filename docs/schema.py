"""
Write ``docs/schema.json``, the JSON Schema of pillar, from the ``defaults.yaml`` and ``types.yaml``
of each formula and from the flags of Mesos. Editors complete and check pillar with it.

    python docs/schema.py
"""

import json
import re
import runpy
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
FORMULAS = ROOT / "formulas"
PAGE = ROOT / "docs" / "schema.json"
COMMAND = "python docs/schema.py"

NAMES = ("common", "zookeeper", "mesos", "marathon", "chronos", "docker")

ONE_LINE = {"type": "string", "pattern": r"^[^\n\r\u0000]*$"}
SCALAR = {"type": ["string", "number", "boolean"]}
PORT = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 65535},
        {"type": "string", "pattern": "^[0-9]{1,5}$"},
    ]
}
URL = {"type": "string", "pattern": r"^[a-z][a-z0-9+.-]*://\S+$"}

# Name of a type in types.yaml -> its JSON Schema.
TYPES = {
    "anything": {},
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "switch": {"enum": [True, False, "true", "false"]},
    "integer": {"type": "integer"},
    "positive integer": {"type": "integer", "minimum": 1},
    "count": {
        "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+$"}]
    },
    "number": {"type": "number"},
    "text": ONE_LINE,
    "word": {"type": "string", "pattern": r"^\S+$"},
    "scalar": SCALAR,
    "json": {},
    "mapping": {"type": "object"},
    "list": {"type": "array"},
    "port": PORT,
    "path": {"type": "string", "pattern": r"^/\S*$"},
    "api url": {"anyOf": [URL, {"type": "array", "items": URL, "minItems": 1}]},
    "url": URL,
    "host": {"type": "string", "pattern": r"^[\w.:-]+$"},
    "servers": {"type": "string", "pattern": r"^[^\s,:]+:[0-9]{1,5}(,[^\s,:]+:[0-9]{1,5})*$"},
    "turn class": {"enum": ["control-nodes", "agents"]},
    "percentage": {"type": "string", "pattern": "^([1-9][0-9]?|100)%$"},
    "proxy exception": {"type": "string", "pattern": r"^\S+$"},
    "network": {"type": "string", "pattern": "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"},
    "service": {"type": "string", "pattern": r"^[\w.-]+$"},
    "zone": {"type": "string", "pattern": r"^[\w-]{1,17}$"},
    "argument": {"type": "string", "pattern": r"^\S+$"},
    "java options": {"type": "string", "pattern": "^[^\"'\\\\`\\n]*$"},
    "log size": {"type": "string", "pattern": "^[1-9][0-9]*(KB|MB|GB)?$"},
    "environment value": SCALAR,
    "unit value": SCALAR,
    "yum value": SCALAR,
    "yum item": {"type": "string", "pattern": r"^[^\s,]+$"},
    "zoo.cfg value": SCALAR,
    "zoo.cfg item": {"type": "string", "pattern": r"^[\w.*-]+$"},
    "parameter value": SCALAR,
}

# Type of a flag in formulas/mesos/flags.py -> its JSON Schema.
DURATION = r"^[0-9]+(\.[0-9]+)?(ns|us|ms|secs|mins|hrs|days|weeks)$"
FLAG_TYPES = {
    "bool": {"enum": [True, False, 0, 1, "true", "false", "0", "1"]},
    "int": {"type": ["integer", "string"]},
    "num": {"type": ["number", "string"]},
    "time": {"type": "string", "pattern": rf"{DURATION}|^file:///"},
    "bytes": {"type": "string", "pattern": "^[0-9]+(B|KB|MB|GB|TB)$|^file:///"},
    "path": {"type": "string", "pattern": "^/|^file:///"},
    "file": {"type": "string", "pattern": "^/|^file:///"},
    "paths": {"type": ["string", "array"]},
    "list": {"type": ["string", "array"]},
    "json": {"type": ["object", "array", "string"]},
    "string": SCALAR,
}

# Type of an option in formulas/marathon/options.py and formulas/chronos/options.py -> its schema.
OPTION_TYPES = {
    "text": SCALAR,
    "integer": {"type": ["integer", "string"]},
    "number": {"type": ["number", "string"]},
    "toggle": {"type": "boolean"},
    "switch": {"type": "boolean"},
    "fixed": {"type": "boolean"},
}


def page() -> str:
    """Return the content of ``docs/schema.json``."""
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Pillar of the Mesos formulas",
        "type": "object",
        "properties": {name: formula(name) for name in NAMES},
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def formula(name: str) -> dict:
    """Return the schema of the settings of a formula."""
    directory = FORMULAS / name
    text = (directory / "defaults.yaml").read_text()
    types = yaml.safe_load((directory / "types.yaml").read_text())
    schema = section(types, yaml.safe_load(text), descriptions(text), ())
    if name == "mesos":
        for daemon, table in mesos_flags().items():
            schema["properties"][daemon]["properties"]["flags"].update(table)
    if name in ("marathon", "chronos"):
        schema["properties"]["options"]["properties"] = framework_options(name)
    return schema


def section(types: dict, defaults: dict, comments: dict, path: tuple) -> dict:
    """Return the schema of a mapping of settings."""
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    for key, spec in types.items():
        default = (defaults or {}).get(key)
        if key.startswith("<"):
            schema["additionalProperties"] = setting(spec, None, comments, (*path, key))
            continue
        entry = setting(spec, default, comments, (*path, key))
        description = comments.get((*path, key))
        schema["properties"][key] = {
            **({"description": description} if description else {}),
            **entry,
        }
    if not schema["properties"]:
        del schema["properties"]
    return schema


def setting(spec: object, default: object, comments: dict, path: tuple) -> dict:
    """Return the schema of one setting."""
    if isinstance(spec, dict):
        return section(spec, default, comments, path)
    schema = {"enum": spec} if isinstance(spec, list) else alternatives(spec)
    if default is not None:
        schema = {**schema, "default": default}
    return schema


def alternatives(spec: str) -> dict:
    """Return the schema of a type such as ``list of host or null``."""
    schemas = [
        {"type": "array", "items": TYPES[name[8:]]} if name.startswith("list of ") else TYPES[name]
        for name in spec.split(" or ")
    ]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def descriptions(text: str) -> dict[tuple, str]:
    """Return the comment in front of each key of a defaults.yaml, by the path of the key."""
    comments, lines, path = {}, [], []
    for line in text.splitlines():
        stripped = line.strip()
        match = re.match(r"( *)([\w.-]+):", line)
        if stripped.startswith("#"):
            lines.append(stripped.lstrip("# "))
        elif match:
            path = [*path[: len(match[1]) // 2], match[2]]
            if lines:
                comments[tuple(path)] = " ".join(lines)
            lines = []
        elif not stripped:
            lines = []
    return comments


def mesos_flags() -> dict[str, dict]:
    """Return the properties of the flags of each daemon, those of all versions."""
    tables = runpy.run_path(str(FORMULAS / "mesos/flags.py"))
    schemas = {}
    for daemon, text, removed in (
        ("master", tables["MASTER"], ""),
        ("slave", tables["AGENT"] + tables["AGENT_FEATURES"], tables["AGENT_REMOVED"]),
    ):
        properties = {}
        for line in filter(None, text.splitlines()):
            name, since, flag_type, _, *old = line.split()
            schema = {"anyOf": [FLAG_TYPES[flag_type], TYPES["null"]]}
            properties[name] = {"description": f"Since Mesos {since}.", **schema}
            for old_name in old[:1]:
                properties[old_name] = {"description": f"Now {name}.", "deprecated": True, **schema}
        for line in filter(None, removed.splitlines()):
            name, since, end, flag_type = line.split()
            schema = {"anyOf": [FLAG_TYPES[flag_type], TYPES["null"]], "deprecated": True}
            properties[name] = {"description": f"Mesos {since} to {end}.", **schema}
        schemas[daemon] = {
            "properties": dict(sorted(properties.items())),
            "patternProperties": {r"^\?": {"type": ["boolean", "null"]}},
            "additionalProperties": False,
        }
    return schemas


def framework_options(name: str) -> dict[str, dict]:
    """Return the properties of the options of Marathon or Chronos, those of all versions."""
    directory = FORMULAS / name
    own_options = runpy.run_path(str(directory / "errors.py"))["OWN_OPTIONS"]
    properties = {}
    for line in filter(None, runpy.run_path(str(directory / "options.py"))["OPTIONS"].splitlines()):
        option, option_type, *spans = line.split()
        if option in own_options:
            continue
        ranges = [span.replace("-", " to before ") for span in spans]
        properties[option] = {
            "description": f"In {name.capitalize()} from {', from '.join(ranges)}.",
            "anyOf": [OPTION_TYPES[option_type], TYPES["null"]],
        }
    return properties


if __name__ == "__main__":
    PAGE.write_text(page())
