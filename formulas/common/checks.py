#!py
"""
The framework of validation: the checks that the faults.py of all formulas share, and
pillar/topology_file.py with them.

common/validation.py hands these functions to the faults.py of each formula as ``checks``, and its
settings as ``settings``. What that returns is a list of errors: tuples of setting, value, and a
sentence that says what is wrong and what would be right. A value of the wrong type where the
default is a mapping never gets there: see common/settings.py.
"""

import difflib
import ipaddress
import json
import re
from types import SimpleNamespace

# In the name of a setting: its value is a secret, and no message shows it. Not so where a file is
# named.
SECRET = re.compile(
    "(secret|password|credential|zk_auth)(?![^:]*_(file|path|resolver)(:|$))", re.IGNORECASE
)

_SERVER = r"[\w.\[\]:-]+:\d+"
ZOOKEEPER_SERVERS = re.compile(rf"{_SERVER}(,{_SERVER})*")
ZOOKEEPER_URL = re.compile(rf"zk://([^\s@/]+:[^\s@]+@)?{_SERVER}(,{_SERVER})*/[^\s/]\S*")
API_URL = re.compile(r"https?://[^\s/?#,]+(/\S*)?")
VARIABLE = re.compile(r"[A-Za-z_]\w*")

# The file of a definition, on Salt's file server.
DEFINITION_FILE = re.compile(r"salt://\S+\.(json|ya?ml)(\?saltenv=\S+)?")


def run():
    """Return the functions and patterns of this file as one object."""
    return SimpleNamespace(**globals())


def sentence(path, value, message, minion):
    """Return an error as one sentence, without the value of a secret."""
    text = "(hidden)" if is_secret(str(path)) else hide_password(_text(value))
    return f"{_text(path)} = {text[:80]} on {minion}: {message}"


def _text(value):
    """Return a value on one line."""
    if isinstance(value, str) and value.isprintable():
        return value
    return json.dumps(value, default=str)


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


def is_port_setting(value):
    """Return whether a setting can be a port: a number, also as text, or null."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    return value is None or is_port(value)


def is_number(value):
    """Return whether a value is a number that is not negative. ``True`` is not."""
    return type(value) in (int, float) and 0 <= value < float("inf")


def is_network(value):
    """Return whether a value is an address or a network, such as ``10.0.0.0/8``."""
    try:
        return isinstance(value, str) and bool(ipaddress.ip_network(value, strict=False))
    except ValueError:
        return False


def is_api_url(value):
    """Return whether a value is null, a URL, a list of URLs, or a ZooKeeper URL."""
    if value is None:
        return True
    if isinstance(value, str) and re.fullmatch(r"zk://[^\s/]+/\S+", value):
        return True
    urls = value if isinstance(value, list) else [value]
    return bool(urls) and all(isinstance(url, str) and API_URL.fullmatch(url) for url in urls)


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


def variables(path, values):
    """Yield variables with an impossible name, or a value that is not one line."""
    for name, value in values.items():
        if not isinstance(name, str) or not VARIABLE.fullmatch(name):
            yield f"{path}:{name}", value, "not the name of a variable."
        elif isinstance(value, (dict, list)) or re.search(r"[\n\0]", str(value)):
            yield f"{path}:{name}", value, "should be one line of text, or a number."
