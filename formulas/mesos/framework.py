#!py
"""
What is wrong with the settings that Marathon and Chronos have in common: both read options with scallop, behind
launchers that are alike.

Run by the ``faults.py`` of these formulas, with the globals ``formula`` (its name), ``settings`` (merged), ``own``
(options that are settings), ``toggles`` and ``switches`` (options without a value, with and without a ``disable_``).
"""

import json
import re

# Set by whoever runs this.
formula, own, toggles, switches = "", (), (), ()

# What runs there: setting -> one of it.
RUNS = {"apps": "app", "jobs": "job"}
FILE = re.compile(r"salt://\S+\.(json|ya?ml)(\?saltenv=\S+)?")

VARIABLES = {
    "JAVA_OPTS": "java_opts",
    "LIBPROCESS_IP": "libprocess_ip",
    "LIBPROCESS_PORT": "libprocess_port",
    "MESOSPHERE_HTTP_CREDENTIALS": "http_credentials",
    "MESOSPHERE_KEYSTORE_PASS": "ssl_keystore_password",
}


def run():
    """Return a list of faults: setting, value, and what is wrong with it."""
    return [*_options(), *_twice(), *_variables(), *_lines(), *_definitions()]


def _fault(key, value, wrong):
    """A fault; common/faults.py makes a sentence of it, without secrets."""
    return key, value, wrong


def _mapping(value):
    """The value if it is a mapping, else an empty one: its type is another check's business."""
    return value if isinstance(value, dict) else {}


def _options():
    """Options that the program would not start with."""
    for name, value in settings["options"].items():
        path = f"options:{name}"
        plain = str(name).removeprefix("disable_")
        if not isinstance(name, str) or not re.fullmatch("[a-z][a-z0-9_]*", name):
            yield _fault(path, value, "not the name of an option.")
        elif name in own:
            yield _fault(path, value, f"has a setting of its own: {formula}:{name}.")
        elif isinstance(value, dict | list) or value == "":
            yield _fault(path, value, "should be text, a number, true or false.")
        elif value is not None and (plain in toggles or name in switches):
            if not isinstance(value, bool):
                yield _fault(
                    path, value, "an option without a value: true or false, without quotes."
                )
            elif value is False and plain in toggles and plain != name:
                yield _fault(path, value, f"says no twice. Give {plain}: true.")
        elif value is False:
            wrong = f"not known as an option without a value. Leave it out, or give disable_{name}: true."
            yield _fault(path, value, wrong)


def _twice():
    """Options given both as they are and disabled."""
    for name, value in settings["options"].items():
        other = f"disable_{name}"
        if value is not None and settings["options"].get(other) is not None:
            yield _fault(
                f"options:{name}",
                value,
                f"the same option as {formula}:options:{other}. Keep one of them.",
            )


def _variables():
    """Variables that are options or settings."""
    prefix = f"{formula.upper()}_"
    for name, value in settings["environment"].items():
        path = f"environment:{name}"
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w*", name):
            yield _fault(path, value, "not the name of a variable.")
        elif isinstance(value, dict | list):
            yield _fault(path, value, "should be text or a number.")
        elif name in VARIABLES:
            yield _fault(path, value, f"has a setting of its own: {formula}:{VARIABLES[name]}.")
        elif name.startswith(prefix):
            option = name.removeprefix(prefix).lower()
            yield _fault(
                path,
                value,
                f"is an option: {formula}:{'' if option in own else 'options:'}{option}.",
            )


def _lines():
    """Text that a line cannot hold."""
    places = {name: value for name, value in settings.items() if isinstance(value, str)}
    for section in ("options", "environment"):
        places |= {f"{section}:{name}": value for name, value in settings[section].items()}
    for path, value in places.items():
        if isinstance(value, str) and re.search(r"[\n\0]", value):
            yield _fault(path, value, "should be one line.")


def _definitions():
    """What is no definition of an app or a job. Of a list no more is told, as there may be a secret in it."""
    for section, one in RUNS.items():
        for name, definition in _mapping(settings.get(section)).items():
            if not isinstance(definition, dict | None) and not (
                isinstance(definition, str) and FILE.fullmatch(definition)
            ):
                wrong = f"should be a mapping, or a file: salt://{section}/NAME.json or .yaml. null takes the {one} away."
                yield _fault(
                    f"{section}:{name}",
                    "(a list)" if isinstance(definition, list) else definition,
                    wrong,
                )
    for section in (*RUNS, "groups"):
        yield from _names(section, settings.get(section))


def _names(path, value):
    """Names in definitions that YAML has made something else of: yes, on, 1.10. What they stand for is not told."""
    for name, each in (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    ):
        if isinstance(value, dict) and not isinstance(name, str | int) or isinstance(name, bool):
            yield _fault(
                f"{path}:{name}",
                "(given)",
                f"YAML takes this name for {json.dumps(name)}. Put it in quotes.",
            )
        yield from _names(f"{path}:{name}", each)
