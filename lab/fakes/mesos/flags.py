"""
Flags of the Mesos daemons: what they accept, refuse and say about it.

The rules are those of stout's flags (apache/mesos, 3rdparty/stout/include/stout/flags/flags.hpp),
the texts those that the daemons print.
"""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ..wire.versions import release

DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|secs|mins|hrs|days|weeks)")
SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "secs": 1,
    "mins": 60,
    "hrs": 3600,
    "days": 86400,
    "weeks": 604800,
}


class FlagError(Exception):
    """The command line or the environment is refused; the text is what the daemon prints."""


class Flag(NamedTuple):
    """
    One flag of one version: its name, type, default (None: not set) and the other name that it also
    answers to.
    """

    name: str
    type: str
    default: str | None
    alias: str | None


def seconds(duration: str) -> float:
    """Turn ``15secs``, ``1.5mins`` into seconds; raise ValueError otherwise."""
    match = DURATION.fullmatch(duration)
    if not match:
        raise ValueError(f"Invalid duration '{duration}'")
    return float(match[1]) * SECONDS[match[2]]


def _pattern(expression: str, complaint: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if not re.fullmatch(expression, value):
            raise ValueError(complaint)

    return check


def _json(value: str) -> None:
    try:
        json.loads(value)
    except ValueError as error:
        raise ValueError(f"syntax error at line 1 near: {value}") from error


CHECKS: dict[str, Callable[[str], object]] = {
    "bool": _pattern("true|false|1|0", "Expecting a boolean (e.g., true or false)"),
    "int": _pattern(r"-?\d+", "Failed to convert into required type"),
    "num": _pattern(r"-?\d+(\.\d+)?", "Failed to convert into required type"),
    "bytes": _pattern(r"\d+(B|KB|MB|GB|TB)", "Invalid bytes"),
    "time": seconds,
    "json": _json,
    **dict.fromkeys(("file", "list", "path", "paths", "string"), lambda value: None),
}


def flags_of_version(table: str, version: str) -> dict[str, Flag]:
    """
    Read the flags that a version knows out of a table of ``flag_data``, by name.

    A flag that is newer than the version but had another name before is known by that name.
    """
    flags = {}
    for line in table.strip().splitlines():
        name, since, kind, default, *old = line.split()
        alias = old[0] if old else None
        if release(since) > release(version):
            alias_since = old[1] if len(old) > 1 else "0"
            if alias is None or release(alias_since) > release(version):
                continue
            name, alias = alias, None
        flags[name] = Flag(name, kind, {"-": None, "''": ""}.get(default, default), alias)
    return flags


def split(arguments: Iterable[str]) -> list[tuple[str, str | None]]:
    """
    Split a command line into (name, value), None where there is no ``=``; anything but flags is
    skipped.
    """
    pairs: list[tuple[str, str | None]] = []
    for argument in arguments:
        argument = argument.strip()
        if argument == "--":
            break
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            pairs.append((name.lower(), value if equals else None))
    return pairs


def load(
    flags: Mapping[str, Flag],
    arguments: Iterable[str],
    environment: Mapping[str, str],
    required: Iterable[str] = (),
) -> dict[str, str]:
    """
    Load the flags of a daemon from its command line and from ``MESOS_*`` variables.

    A variable that is no flag is ignored, and so is one whose literal name stands on the command
    line.

    Returns every flag that is set, by default or by someone, as text: what ``/flags`` shows. Raises
    FlagError, with the daemon's own words, for an unknown flag, one given twice (in whatever
    spelling), a value of the wrong type, and a flag of ``required`` that is missing.
    """
    names = {flag.name: flag for flag in flags.values()} | {
        flag.alias: flag for flag in flags.values() if flag.alias
    }
    pairs = split(arguments)
    given_names = {name for name, _ in pairs}
    for variable, value in environment.items():
        name = variable.removeprefix("MESOS_").lower()
        if (
            variable.startswith("MESOS_")
            and name.removeprefix("no-") in names
            and name not in given_names
        ):
            pairs.append((name, value))

    values: dict[str, str] = {}
    loaded: dict[str, str] = {}
    for name, value in sorted(pairs, key=lambda pair: pair[0]):
        plain = name.removeprefix("no-")
        negated = plain != name
        via = f" via '{name}'" if negated else ""
        flag = names.get(plain)
        if flag is None:
            raise FlagError(f"Failed to load unknown flag '{plain}'{via}")
        if flag.name in loaded:
            raise FlagError(f"Flag '{plain}' is already loaded via name '{loaded[flag.name]}'")
        loaded[flag.name] = plain
        values[flag.name] = _value(flag, plain, name, value, negated)
    for name in required:
        if name not in loaded:
            raise FlagError(f"Flag '{name}' is required, but it was not provided")
    defaults = {flag.name: flag.default for flag in flags.values() if flag.default is not None}
    return dict(sorted({**defaults, **values}.items()))


def _value(flag: Flag, plain: str, name: str, value: str | None, negated: bool) -> str:
    """Check one value as given and turn it into the text that ``/flags`` shows."""
    if flag.type == "bool":
        if negated and value:
            raise FlagError(
                f"Failed to load boolean flag '{plain}' via '{name}' with value '{value}'"
            )
        value = value or ("false" if negated else "true")
    elif negated:
        raise FlagError(f"Failed to load non-boolean flag '{plain}' via '{name}'")
    elif value is None:
        raise FlagError(f"Failed to load non-boolean flag '{plain}': Missing value")
    try:
        if value.startswith("file://") and flag.type != "file":
            value = _content(value.removeprefix("file://"))
        CHECKS[flag.type](value)
    except ValueError as error:
        raise FlagError(
            f"Failed to load flag '{plain}': Failed to load value '{value}': {error}"
        ) from error
    return {"1": "true", "0": "false"}.get(value, value) if flag.type == "bool" else value


def _content(path: str) -> str:
    """Read the file that a ``file://`` value names."""
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError as error:
        raise ValueError(f"Error reading file '{path}': {error.strerror}") from error
