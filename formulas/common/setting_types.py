#!py
"""
The types of settings. The types.yaml of each formula has the type of every setting:

    heap: positive integer
    hostname: host or null
    pools: list of host
    log_level: [INFO, WARN]                    one of these words
    environment: {<variable>: environment value or null}

``<variable>`` stands for any key of that kind, see KEYS. A type that is named after a file format
is refused for what that format cannot hold; common/formats.jinja writes the rest. The keyword
``checks`` has the functions of common/checks.py.
"""

import ipaddress
import re
from types import SimpleNamespace

# Bytes of a line that systemd of EL 7 reads at most.
MAX_UNIT_LINE = 2000

# Characters that end a line in some program, and codes that are not characters.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

ONE_LINE = "on one line, without control characters"

# Kind of key -> pattern, and its name in messages. Without a pattern, errors.py checks the keys.
KEYS = {
    "declared": (None, ""),
    "id": (None, ""),
    "flag": (None, ""),
    "name": (r"[^\x00-\x1f\x7f]+", "a name"),
    "option": (r"[a-z][a-z0-9_]*", "the name of an option"),
    "docker option": (r"[a-z0-9][a-z0-9-]*", "the name of an option"),
    "log option": (r"[A-Za-z0-9][\w.-]*", "the name of an option"),
    "zoo.cfg option": (r"[A-Za-z0-9][A-Za-z0-9_.-]*", "the name of an option"),
    "unit option": (r"[A-Za-z][A-Za-z0-9]*", "the name of an option"),
    "yum section": (r"[A-Za-z0-9][A-Za-z0-9_.:-]*", "the id of a repository"),
    "yum option": (r"[a-z][a-z0-9_.]*", "the name of an option"),
    "parameter": (r"-?[A-Za-z0-9_]+([./][A-Za-z0-9_*:-]+)+", "the name of a kernel parameter"),
    "variable": (r"[A-Za-z_][A-Za-z0-9_]*", "the name of a variable"),
}


def run():
    """Return the functions of this file as one object."""
    return SimpleNamespace(errors=errors, without=without, TYPES=TYPES, KEYS=KEYS)


def errors(path, value, spec, default):
    """
    Yield the errors of a setting: path, value, message.

    path
        The keys that lead to the setting, a tuple.

    spec, default
        Its type as in types.yaml, and its default.
    """
    if isinstance(spec, dict) and isinstance(value, dict):
        yield from _mapping_errors(path, value, spec, checks.as_mapping(default))
    elif isinstance(spec, dict):
        hint = f" {checks.hint(value, default)}" if default else ""
        yield path, value, f"should be a mapping.{hint}"
    elif isinstance(spec, list):
        message = _choice_error(path[-1], value, spec)
        if message:
            yield path, value, message
    else:
        message = _type_error(value, spec, default)
        if message:
            yield path, value, message


def without(values, paths):
    """Return settings without those at some paths: tuples of keys."""
    if not isinstance(values, dict):
        return values
    result = {}
    for key, value in values.items():
        if (key,) not in paths:
            result[key] = without(value, {path[1:] for path in paths if path[0] == key})
    return result


def _mapping_errors(path, values, spec, defaults):
    kind = next((key[1:-1] for key in spec if key.startswith("<")), None)
    for key, value in values.items():
        if isinstance(key, str) and key in spec:
            yield from errors((*path, key), value, spec[key], defaults.get(key))
        elif kind is None:
            yield (*path, key), value, f"no such setting. {checks.hint(key, spec)}"
        else:
            message = _key_error(key, kind)
            if message:
                yield (*path, key), value, message
            else:
                default = defaults.get(key)
                yield from errors((*path, key), value, spec[f"<{kind}>"], default)


def _key_error(key, kind):
    """Return what is wrong with a key, or None."""
    pattern, noun = KEYS[kind]
    if kind == "id" and not (_is_integer(key) or isinstance(key, str)):
        return "not the id of a server: a number from 1 to 255."
    if pattern is None:
        return None
    if not isinstance(key, str):
        return f"YAML does not read this name as text. Put it in quotes if it is {noun}."
    if not re.fullmatch(pattern, key):
        return f"not {noun}."
    return None


def _choice_error(key, value, words):
    if isinstance(value, str) and value in words:
        return None
    noun = str(key).replace("_", " ")
    return f"no such {noun}. {checks.hint(value, words)}"


def _type_error(value, spec, default):
    """Return what is wrong with the type of a value, or None."""
    names = spec.split(" or ")
    if value is None and not {"anything", "json"} & set(names):
        if "null" in names:
            return None
        return f"has no value. Leave the key out for the default, {checks.as_json(default)}."
    names = [name for name in names if name != "null"]
    if any(_is(value, name) for name in names):
        return None
    unquoted = _without_quotes(value)
    if any(_is(unquoted, name) for name in names):
        return f"{value} in quotes is text. Write it without quotes."
    nouns = " or ".join(_noun(name) for name in names)
    if default not in (None, "") and not isinstance(default, (dict, list)):
        return f"should be {nouns}, as the default {checks.as_json(default)}."
    return f"should be {nouns}, or null." if "null" in spec.split(" or ") else f"should be {nouns}."


def _is(value, name):
    """Return whether a value has a type."""
    if name.startswith("list of "):
        return isinstance(value, list) and all(_is(item, name[8:]) for item in value)
    return bool(TYPES[name][1](value))


def _noun(name):
    """Return a type as messages call it."""
    if name.startswith("list of "):
        return f"a list, each item {_noun(name[8:])}"
    return TYPES[name][0]


def _without_quotes(value):
    """Return the number or boolean that a text would be without its quotes; else the value."""
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    if re.fullmatch(r"-?[0-9]{1,18}\.[0-9]{1,18}", value):
        return float(value)
    return {"true": True, "false": False}.get(value, value)


# --- what a value can be ---


def _is_boolean(value):
    return isinstance(value, bool)


def _is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_number(value):
    return _is_integer(value) or isinstance(value, float) and abs(value) < float("inf")


def _is_text(value):
    return isinstance(value, str) and not CONTROL.search(value)


def _is_scalar(value):
    return isinstance(value, bool) or _is_number(value) or _is_text(value)


def _is_json(value):
    return checks.is_json(value)


def _is_trimmed(value):
    """Return whether a value is a scalar with no space around it, and not empty."""
    return _is_scalar(value) and str(value) != "" and str(value) == str(value).strip()


def _is_unit_value(value):
    """Return whether systemd reads a value of a unit, or of journald.conf, as it is written."""
    text = str(value)
    is_complete = not text.endswith("\\") and len(text.encode()) <= MAX_UNIT_LINE
    return _is_scalar(value) and is_complete and text == text.strip()


def _is_parameter_value(value):
    """Return whether systemd-sysctl reads a value as it is written."""
    return _is_trimmed(value) and len(str(value).encode()) <= MAX_UNIT_LINE


def _is_yum_value(value):
    """Return whether yum and dnf read an option as it is written. ` ;` begins a comment."""
    return _is_trimmed(value) and not re.search(r"\s[;#]", str(value))


def _is_yum_item(value):
    """Return whether a value can be in a list of yum, which spaces and commas separate."""
    return isinstance(value, str) and _is_yum_value(value) and not re.search(r"[\s,]", value)


def _is_zoo_cfg_value(value):
    """Return whether a value can be in zoo.cfg, which Java reads as ISO 8859-1."""
    return _is_trimmed(value) and all(" " <= letter <= "~" for letter in str(value))


def _is_port(value):
    if isinstance(value, str) and re.fullmatch("[0-9]{1,5}", value):
        value = int(value)
    return _is_integer(value) and 1 <= value <= 65535


def _is_network(value):
    try:
        return isinstance(value, str) and bool(ipaddress.ip_network(value, strict=False))
    except ValueError:
        return False


def _matches(pattern):
    """Return a function: whether a value is text that a pattern matches."""
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: _is_text(value) and compiled.fullmatch(value) is not None


def _is_count(value):
    return _is_integer(value) and value >= 0 or _matches("[0-9]{1,18}")(value)


def _is_switch(value):
    return isinstance(value, bool) or str(value) in ("true", "false")


def _is_api_url(value):
    """Return whether a value is a URL, a list of URLs, or a ZooKeeper URL."""
    if isinstance(value, str) and re.fullmatch(r"zk://[^\s/]+/\S+", value):
        return True
    urls = value if isinstance(value, list) else [value]
    return bool(urls) and all(map(_matches(r"https?://[^\s/?#,]+(/\S*)?"), urls))


_HOST = r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?"
_ADDRESS = r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+"

# Name of a type -> what messages call it, and whether a value has it.
TYPES = {
    "anything": ("anything", lambda value: True),
    "boolean": ("true or false", _is_boolean),
    "switch": ("true or false", _is_switch),
    "integer": ("an integer", _is_integer),
    "positive integer": ("an integer above 0", lambda value: _is_integer(value) and value > 0),
    "count": ("an integer, 0 or more", _is_count),
    "number": ("a number", _is_number),
    "text": (f"text {ONE_LINE}", _is_text),
    "word": ("text without spaces", _matches(r"[\w.+:~^*-]+")),
    "scalar": (f"text {ONE_LINE}, a number, true or false", _is_scalar),
    "json": ("what JSON can hold, with text as names and dates in quotes", _is_json),
    "mapping": ("a mapping", lambda value: isinstance(value, dict) and _is_json(value)),
    "list": ("a list", lambda value: isinstance(value, list) and _is_json(value)),
    "port": ("a port, a number from 1 to 65535", _is_port),
    "path": (
        "an absolute path without spaces or characters that are special to a shell",
        _matches(r"/[\w.+@:,=/-]*"),
    ),
    "api url": (
        "a URL, or a list of URLs, such as http://10.0.0.1:5050",
        _is_api_url,
    ),
    "url": (
        "a URL without spaces, quotes and backslashes, such as https://mirror.example.org/el/7",
        _matches(r"""[a-z][a-z0-9+.-]*://[^\s"'\\`]+"""),
    ),
    "host": (
        "a host name or an address",
        lambda value: _matches(f"{_HOST}|{_ADDRESS}")(value),
    ),
    "servers": (
        "the servers of ZooKeeper, such as 10.0.0.1:2181,10.0.0.2:2181",
        _matches(rf"{_HOST}:[0-9]{{1,5}}(,{_HOST}:[0-9]{{1,5}})*"),
    ),
    "turn class": ("control-nodes or agents", _matches("control-nodes|agents")),
    "percentage": ("a percentage, such as 10%", _matches("([1-9][0-9]?|100)%")),
    "proxy exception": (
        "a host, a domain or a network",
        _matches(r"[A-Za-z0-9_.:*\[\]/-]+"),
    ),
    "network": ("a network, such as 10.0.0.0/8, or an address", _is_network),
    "service": ("the name of a service of firewalld", _matches(r"[A-Za-z0-9_.-]+")),
    "zone": ("the name of a zone, up to 17 letters", _matches(r"[A-Za-z0-9_-]{1,17}")),
    "argument": (
        "text without spaces, quotes and backslashes, as systemd splits the line there",
        _matches(r"""[^\s"'\\]+"""),
    ),
    "java options": (
        "options of the JVM without quotes, as its launcher does not interpret quotes",
        _matches(r"""[^"'\\`]*"""),
    ),
    "log size": ("bytes, or with KB, MB or GB, such as 100MB", _matches("[1-9][0-9]*(KB|MB|GB)?")),
    "environment value": (f"text {ONE_LINE}, a number, true or false", _is_scalar),
    "unit value": (
        "one line of a unit of systemd: no spaces around it, no backslash at its end, "
        f"up to {MAX_UNIT_LINE} bytes",
        _is_unit_value,
    ),
    "yum value": (f"not empty, {ONE_LINE}, and without ` ;`", _is_yum_value),
    "yum item": ("text without spaces and commas", _is_yum_item),
    "zoo.cfg value": (f"not empty, {ONE_LINE}, in ASCII", _is_zoo_cfg_value),
    "zoo.cfg item": ("a word", _matches(r"[\w.*-]+")),
    "parameter value": (
        f"not empty, {ONE_LINE}, up to {MAX_UNIT_LINE} bytes",
        _is_parameter_value,
    ),
}
