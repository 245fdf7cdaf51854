"""Options of Marathon and Chronos: what the scallop library makes of a command line.

An option takes exactly one value and may be given once; a toggle takes none and has a ``disable_`` form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from .versions import release


class OptionError(Exception):
    """The command line is refused; the text is scallop's."""


class Known(NamedTuple):
    """What a version knows: options and toggles with their defaults, and which options take an integer."""

    options: Mapping[str, str | None]
    toggles: Mapping[str, bool]
    numbers: Collection[str]

    @classmethod
    def of(cls, table: object, version: str) -> Known:
        """Read the tables of ``marathon_options`` or ``chronos_options``."""
        options: dict[str, str | None] = {}
        toggles: dict[str, bool] = {}
        gone = set(_until(table.REMOVED, version))
        for entry in _until(table.OPTIONS, version):
            name, equals, default = entry.partition("=")
            options[name] = default if equals else None
        for entry in _until(table.TOGGLES, version):
            name, _, default = entry.partition("=")
            toggles[name] = default == "on"
        return cls(
            {name: default for name, default in options.items() if name not in gone},
            {name: default for name, default in toggles.items() if name not in gone},
            table.NUMBERS.split(),
        )


def _until(groups: Mapping[str, str], version: str) -> Iterable[str]:
    for since, names in groups.items():
        if release(since) <= release(version):
            yield from names.split()


def parse(arguments: Iterable[str], known: Known) -> dict[str, str | bool | None]:
    """
    Read a command line.

    Returns the value of every option and toggle. Raises OptionError for anything unknown, doubled, of the wrong type,
    for a value too many and for one that is missing.
    """
    given: dict[str, list[str | None]] = {}
    waiting: list[
        str | None
    ] = []  # the values of the last option, ending with None while its value is to come
    for argument in arguments:
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            if name not in known.options and name.removeprefix("disable_") not in known.toggles:
                raise OptionError(f"Unknown option '{name}'")
            given.setdefault(name, []).append(value if equals else None)
            waiting = given[name] if name in known.options else []
        elif waiting and waiting[-1] is None:
            waiting[-1] = argument
        else:
            raise OptionError(f"Excess arguments provided: '{argument}'")

    found: dict[str, str | bool | None] = {**known.options, **known.toggles}
    for name, values in given.items():
        toggle = name.removeprefix("disable_")
        if name in known.options:
            found[name] = _one(name, values, known)
        elif len(values) > 1 or (name != toggle and toggle in given):
            raise OptionError(f"Bad arguments for option '{toggle}' - it should be given once")
        else:
            found[toggle] = name == toggle
    return found


def _one(name: str, values: list[str | None], known: Known) -> str:
    """Return the one value of an option."""
    shown = " ".join(value or "" for value in values)
    if len(values) != 1 or values[0] is None:
        text = "you should provide exactly one argument for this option"
        raise OptionError(f"Bad arguments for option '{name}': '{shown}' - {text}")
    if name in known.numbers and not values[0].lstrip("-").isdigit():
        raise OptionError(f"Bad arguments for option '{name}': '{shown}' - wrong arguments format")
    return values[0]
