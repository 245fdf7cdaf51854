"""Command lines of Marathon and Chronos, parsed as the scallop library does.

An option takes exactly one value and may occur once. A toggle takes no value and has a
``disable_`` form; a switch has none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from .versions import release

# Types of options that take a value.
VALUE_TYPES = ("text", "integer", "number")


class OptionError(Exception):
    """The command line is invalid. The message is scallop's."""


class KnownOptions(NamedTuple):
    """
    Options, toggles and switches of a version with defaults, and the names of options with integer
    values.
    """

    options: Mapping[str, str | None]
    toggles: Mapping[str, bool]
    switches: Mapping[str, bool]
    numbers: Collection[str]

    @classmethod
    def of(cls, definitions: object, version: str) -> KnownOptions:
        """Read the options of a version from the module ``options`` of Marathon or Chronos."""
        defaults: dict[str, str] = {}
        for since, texts in definitions.DEFAULTS.items():
            if release(since) <= release(version):
                defaults.update(text.split("=", 1) for text in texts.split())
        types = dict(_types(definitions.TABLE, version))
        names_on = definitions.ON.split()
        return cls(
            {name: defaults.get(name) for name in types if types[name] in VALUE_TYPES},
            {name: name in names_on for name in types if types[name] == "toggle"},
            {name: name in names_on for name in types if types[name] in ("switch", "fixed")},
            [name for name in types if types[name] == "integer"],
        )


def _types(table: str, version: str) -> Iterable[tuple[str, str]]:
    """Yield name and type of each option that a version has. The launcher reads ``no_logger``."""
    for line in filter(None, table.splitlines()):
        name, option_type, *spans = line.split()
        if name != "no_logger" and any(_is_in(version, span) for span in spans):
            yield name, option_type


def _is_in(version: str, span: str) -> bool:
    start, _, end = span.partition("-")
    return release(start) <= release(version) and (not end or release(version) < release(end))


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
            if not _is_known(name, known_options):
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
        **known_options.switches,
    }
    for name, values in values_by_name.items():
        toggle = name.removeprefix("disable_")
        if name in known_options.options:
            settings[name] = _single_value(name, values, known_options)
        elif name in known_options.switches and len(values) == 1:
            settings[name] = True
        elif len(values) > 1 or (name != toggle and toggle in values_by_name):
            raise OptionError(f"Bad arguments for option '{toggle}' - it should be given once")
        else:
            settings[toggle] = name == toggle
    return settings


def _is_known(name: str, known_options: KnownOptions) -> bool:
    toggle = name.removeprefix("disable_")
    is_option = name in known_options.options or name in known_options.switches
    return is_option or toggle in known_options.toggles


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
