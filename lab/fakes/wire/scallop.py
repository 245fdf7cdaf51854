"""Command lines of Marathon and Chronos, parsed as the scallop library does.

An option takes exactly one value and may occur once. A toggle takes no value and has a
``disable_`` form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from .versions import release


class OptionError(Exception):
    """The command line is invalid. The message is scallop's."""


class KnownOptions(NamedTuple):
    """Options and toggles of a version with defaults, and the names of integer options."""

    options: Mapping[str, str | None]
    toggles: Mapping[str, bool]
    numbers: Collection[str]

    @classmethod
    def of(cls, definitions: object, version: str) -> KnownOptions:
        """Read the options of a version from the module ``options`` of Marathon or Chronos."""
        options: dict[str, str | None] = {}
        toggles: dict[str, bool] = {}
        removed = set(_until(definitions.REMOVED, version))
        for entry in _until(definitions.OPTIONS, version):
            name, equals, default = entry.partition("=")
            options[name] = default if equals else None
        for entry in _until(definitions.TOGGLES, version):
            name, _, default = entry.partition("=")
            toggles[name] = default == "on"
        return cls(
            {name: default for name, default in options.items() if name not in removed},
            {name: default for name, default in toggles.items() if name not in removed},
            definitions.NUMBERS.split(),
        )


def _until(groups: Mapping[str, str], version: str) -> Iterable[str]:
    for since, names in groups.items():
        if release(since) <= release(version):
            yield from names.split()


def parse(arguments: Iterable[str], known_options: KnownOptions) -> dict[str, str | bool | None]:
    """
    Parse a command line.

    Returns the value of every option and toggle. Raises OptionError for an unknown or repeated
    option, and for a value of the wrong type, an excess value or a missing one.
    """
    values_by_name: dict[str, list[str | None]] = {}
    # The values of the latest option. They end with None while its value has not been read yet.
    pending: list[str | None] = []
    for argument in arguments:
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            toggle = name.removeprefix("disable_")
            if name not in known_options.options and toggle not in known_options.toggles:
                raise OptionError(f"Unknown option '{name}'")
            values_by_name.setdefault(name, []).append(value if equals else None)
            pending = values_by_name[name] if name in known_options.options else []
        elif pending and pending[-1] is None:
            pending[-1] = argument
        else:
            raise OptionError(f"Excess arguments provided: '{argument}'")

    settings: dict[str, str | bool | None] = {
        **known_options.options,
        **known_options.toggles,
    }
    for name, values in values_by_name.items():
        toggle = name.removeprefix("disable_")
        if name in known_options.options:
            settings[name] = _single_value(name, values, known_options)
        elif len(values) > 1 or (name != toggle and toggle in values_by_name):
            raise OptionError(f"Bad arguments for option '{toggle}' - it should be given once")
        else:
            settings[toggle] = name == toggle
    return settings


def _single_value(name: str, values: list[str | None], known_options: KnownOptions) -> str:
    """Return the value of an option. Raises OptionError unless there is exactly one."""
    arguments = " ".join(value or "" for value in values)
    if len(values) != 1 or values[0] is None:
        text = "you should provide exactly one argument for this option"
        raise OptionError(f"Bad arguments for option '{name}': '{arguments}' - {text}")
    if name in known_options.numbers and not values[0].lstrip("-").isdigit():
        text = "wrong arguments format"
        raise OptionError(f"Bad arguments for option '{name}': '{arguments}' - {text}")
    return values[0]
