"""docs/schema.json is generated from the formulas, and describes pillar as validation takes it."""

import ast
import importlib.util
import json
import re

import pytest
import yaml

from lab import ROOT

SPEC = importlib.util.spec_from_file_location("schema_page", ROOT / "docs" / "schema.py")
generator = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generator)

SCHEMA = json.loads(generator.page())
JSON_TYPES = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def is_valid(value: object, schema: dict) -> bool:
    """Return whether a value matches a schema, for the keywords that the generator writes."""
    types = schema.get("type", [])
    types = types if isinstance(types, list) else [types]
    if types and not any(JSON_TYPES[name](value) for name in types):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "anyOf" in schema and not any(is_valid(value, option) for option in schema["anyOf"]):
        return False
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        return False
    if isinstance(value, int) and not isinstance(value, bool):
        return schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if isinstance(value, list):
        items_are_valid = all(is_valid(item, schema.get("items", {})) for item in value)
        return items_are_valid and len(value) >= schema.get("minItems", 0)
    if isinstance(value, dict):
        return all(is_valid_entry(str(key), item, schema) for key, item in value.items())
    return True


def is_valid_entry(key: str, value: object, schema: dict) -> bool:
    if key in schema.get("properties", {}):
        return is_valid(value, schema["properties"][key])
    for pattern, entry in schema.get("patternProperties", {}).items():
        if re.search(pattern, key):
            return is_valid(value, entry)
    additional = schema.get("additionalProperties", True)
    return additional if isinstance(additional, bool) else is_valid(value, additional)


def test_the_file_matches_the_formulas():
    assert generator.PAGE.read_text() == generator.page(), (
        f"docs/schema.json does not match the formulas: run `{generator.COMMAND}` and commit it"
    )


@pytest.mark.parametrize("formula", generator.NAMES)
def test_examples_and_defaults_match_the_schema(formula):
    directory = ROOT / "formulas" / formula
    assert is_valid(yaml.safe_load((directory / "pillar.example").read_text()), SCHEMA)
    defaults = yaml.safe_load((directory / "defaults.yaml").read_text())
    assert is_valid({formula: defaults}, SCHEMA)


@pytest.mark.parametrize(
    "pillar",
    [
        {"zookeeper": {"zookeper": 1}},
        {"zookeeper": {"heap": "512"}},
        {"zookeeper": {"log_level": "LOUD"}},
        {"marathon": {"hostname": ["a"]}},
        {"marathon": {"http_port": 70000}},
        {"mesos": {"master": {"flags": {"clustr": "blue"}}}},
        {"mesos": {"master": {"flags": {"zk_session_timeout": 20}}}},
        {"mesos": {"slave": {"flags": {"?no-logger": "yes"}}}},
        {"docker": {"options": {"debug": "true"}}},
        {"common": {"time": {"servers": "ntp1.example.org"}}},
    ],
    ids=json.dumps,
)
def test_wrong_settings_do_not_match_the_schema(pillar):
    assert not is_valid(pillar, SCHEMA)


def test_every_type_has_a_schema():
    source = (ROOT / "formulas/common/setting_types.py").read_text()
    [table] = [
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "TYPES"
    ]
    assert {key.value for key in table.keys} | {"null"} == set(generator.TYPES)


def test_settings_are_described():
    marathon = SCHEMA["properties"]["marathon"]["properties"]
    assert marathon["java_opts"]["description"] == "Options of the JVM."
    assert marathon["java_opts"]["default"] == "-Xmx1g"
    flags = SCHEMA["properties"]["mesos"]["properties"]["master"]["properties"]["flags"]
    assert flags["properties"]["slave_ping_timeout"]["deprecated"] is True
