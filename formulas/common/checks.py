#!py
"""
The framework of validation: the checks that the errors.py of all formulas share, and
pillar/topology_file.py with them.

common/validation.py runs the errors.py of each formula with these keywords: ``checks``, the
functions below; ``settings``; ``types``, its types.yaml; and ``roles``, the roles of the node.
``tree.node`` describes the node. An errors.py returns a list of errors: tuples of setting, value,
and a sentence that says what is wrong and what would be right; or Deprecated. A value of the wrong
type never gets there.
"""

import difflib
import json
import re
from types import SimpleNamespace
from typing import NamedTuple

# Names of settings whose values are secrets, which no message shows. A setting that names a file is
# not one.
SECRET = re.compile(
    "(secret|password|credential|zk_auth)(?![^:]*_(file|path|resolver)(:|$))", re.IGNORECASE
)

_SERVER = r"[\w.\[\]:-]+:\d+"
ZOOKEEPER_SERVERS = re.compile(rf"{_SERVER}(,{_SERVER})*")
ZOOKEEPER_URL = re.compile(rf"zk://([^\s@/]+:[^\s@]+@)?{_SERVER}(,{_SERVER})*/[^\s/]\S*")

# A definition in a file on Salt's file server.
DEFINITION_FILE = re.compile(r"salt://\S+\.(json|ya?ml)(\?saltenv=\S+)?")

# Words that YAML does not read as text unless they are in quotes.
NOT_TEXT = re.compile(
    r"|~|null|true|false|yes|no|on|off|[-+]?(\d[\d_:]*\.?|\.\d)[\d_]*(e[-+]?\d+)?|0[xo][\da-f]+",
    re.IGNORECASE,
)

MAX_VALUE_LENGTH = 80
MAX_PATH_LENGTH = 200


class MessageText(str):
    """A value that is already formatted for a message."""


class Deprecated(NamedTuple):
    """A warning, not an error: the old name of a setting, and its current name."""

    setting: str
    name: str


def run():
    """Return the functions and patterns of this file as one object."""
    return SimpleNamespace(**globals())


def sentence(path, value, message, minion):
    """Return an error as one sentence, without the value of a secret."""
    text = "(hidden)" if is_secret(str(path)) else hide_password(value_text(value))
    name = _shorten(_one_line(path), MAX_PATH_LENGTH)
    text = _shorten(text, MAX_VALUE_LENGTH)
    return f"{name} = {text} on {minion}: {_one_line(message)}"


def _shorten(text, length):
    return f"{text[:length]}..." if len(text) > length else text


def value_text(value):
    """Return a value on one line: text that YAML would read as something else, in quotes."""
    if isinstance(value, MessageText) or not isinstance(value, str):
        return _one_line(value)
    return _one_line(quoted(value))


def quoted(value):
    """Return text in quotes, if YAML would read it as something else; any other value as it is."""
    if not isinstance(value, str) or not value.isprintable():
        return value
    if NOT_TEXT.fullmatch(value) or value != value.strip():
        return "'{}'".format(value.replace("'", "''"))
    return value


def _one_line(value):
    if isinstance(value, str) and value.isprintable():
        return value
    return as_json(value)


def as_json(value):
    """Return any value as JSON, without the secrets in it."""
    try:
        return json.dumps(_without_secrets(value), default=str)
    except (TypeError, ValueError):
        # Names that are not text, or a number of more digits than Python writes.
        return f"({type(value).__name__})"


def _without_secrets(value):
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: "(hidden)" if is_secret(str(key)) else _without_secrets(item)
        for key, item in value.items()
    }


def hide_password(text):
    """Return text without the user and password of a URL."""
    return re.sub(r"://\S*@", "://(hidden)@", text)


def is_secret(name):
    """Return whether a setting, or an option of a program, has a secret as its value."""
    return SECRET.search(name) is not None


def closest(word, words):
    """Return the word that was probably meant, or None."""
    matches = difflib.get_close_matches(str(word), [str(candidate) for candidate in words], 1)
    return matches[0] if matches else None


def hint(word, words):
    """Return a hint for an unknown word: ``Did you mean docker? Known: zookeeper, docker.``"""
    match = closest(word, words)
    question = f"Did you mean {match}? " if match else ""
    return f"{question}Known: {', '.join(str(candidate) for candidate in words)}."


def as_list(value):
    """Return a list as it is, and [] instead of anything else."""
    return value if isinstance(value, list) else []


def as_mapping(value):
    """Return a mapping as it is, and {} instead of anything else."""
    return value if isinstance(value, dict) else {}


def is_port(value):
    """Return whether a value is a port. ``True`` is not."""
    return type(value) is int and 1 <= value <= 65535


def is_number(value):
    """Return whether a value is a number that is not negative. ``True`` is not."""
    return type(value) in (int, float) and 0 <= value < float("inf")


def number_in_quotes(value):
    """Return the message for text that is a number without its quotes, or None."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", value):
        return f"{value} in quotes is text. Write it without quotes."
    return None


def word(value):
    """Return a value as programs read it: true and false in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_json(value):
    """Return whether a value can be written as JSON: no dates, and all names are text."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(is_json(item) for item in value)
    if isinstance(value, str):
        return not re.search(r"[\0\ud800-\udfff]", value)
    if isinstance(value, (int, float)):
        return abs(value) < float("inf") if isinstance(value, float) else abs(value) < 2**63
    return value is None


def choice(setting, value, words):
    """Yield the error of a text that is not one of some words."""
    if isinstance(value, str) and value not in words:
        noun = setting.rpartition(":")[2].replace("_", " ")
        yield setting, value, f"no such {noun}. {hint(value, words)}"


def version(setting, value, example):
    """Yield the error of a version that is not three numbers."""
    if isinstance(value, str) and not re.fullmatch(r"\d+\.\d+\.\d+", value):
        yield (
            setting,
            value,
            f"not a version. Example: {example}. What follows the version belongs in release.",
        )


def optional_version(setting, value, example):
    """Yield the error of a version that is neither null nor two or three numbers as text."""
    if value is None or isinstance(value, str) and re.fullmatch(r"\d+(\.\d+){1,2}", value):
        return
    message = f"not a version. Example: '{example}', in quotes. The rest belongs in release."
    yield setting, value, message


def zookeeper_url(setting, value, path):
    """Yield the error of a text that is not a ZooKeeper URL."""
    if isinstance(value, str) and not ZOOKEEPER_URL.fullmatch(value):
        example = f"zk://10.0.0.1:2181,10.0.0.2:2181{path}"
        yield setting, value, f"not a ZooKeeper URL. Example: {example}."
