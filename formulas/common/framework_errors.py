#!py
"""
The errors in the settings that Marathon and Chronos have in common. Both parse options with
scallop, behind similar launchers, and both have declarations of what runs on them.

The errors.py of both formulas renders this with ``settings`` and ``checks`` (see common/checks.py)
and with: ``formula``, its name; ``own_options``, the options that are settings; ``version``, of the
program; and ``known_options``, the options of that version, see options.py.
"""

import json
import re

formula, own_options, version, known_options = "", (), "", {}

# Section of declarations -> name of one of them in messages.
DECLARATIONS = {"apps": "app", "jobs": "job"}

# Environment variable -> the setting that replaces it.
OWN_VARIABLES = {
    "JAVA_OPTS": "java_opts",
    "LIBPROCESS_IP": "libprocess_ip",
    "LIBPROCESS_PORT": "libprocess_port",
    "MESOSPHERE_HTTP_CREDENTIALS": "http_credentials",
    "MESOSPHERE_KEYSTORE_PASS": "ssl_keystore_password",
}


def run():
    """Return the errors: setting, value, message."""
    return [*_options(), *_variables(), *_credentials(), *_definitions()]


def _options():
    options = settings["options"]
    for name, value in options.items():
        message = _option_error(name, value)
        if message:
            yield f"options:{name}", value, message
        disabled = f"disable_{name}"
        if value is not None and options.get(disabled) is not None:
            message = f"the same option as {formula}:options:{disabled}. Keep one of them."
            yield f"options:{name}", value, message


def _option_error(name, value):
    """Return why the program would not start with an option, or None."""
    if name in own_options:
        return f"use the setting {formula}:{name} instead."
    if value is None:
        return None
    if value == "":
        return "should be text, a number, true or false, and not empty."
    option_type = known_options["types"].get(name)
    toggle = re.sub("^disable_", "", name)
    if option_type is None and known_options["types"].get(toggle) == "toggle":
        return _disabled_error(toggle, value)
    if option_type is None:
        return _unknown_option_error(name, value)
    return _option_value_error(option_type, value)


def _disabled_error(toggle, value):
    """Return what is wrong with an option that has disable_ before its name, or None."""
    if value is True:
        return None
    if value is False:
        return f"a double negative. Set {toggle}: true."
    return "an option without a value: should be true or false, without quotes."


def _unknown_option_error(name, value):
    """Return why a version does not have an option, or None if that is not known."""
    program = f"{formula.capitalize()} {version}"
    spans = known_options["ranges"].get(name)
    if spans:
        return f"{program} does not have this option. Versions that do: {_range_text(spans)}."
    if known_options["is_complete"]:
        match = checks.closest(name, [*known_options["types"], *own_options])
        question = f" Did you mean {match}?" if match else ""
        return f"no such option of {program}.{question}"
    if value is False:
        return f"not known as an option without a value. Leave it out, or set disable_{name}: true."
    return None


def _range_text(spans):
    """Return the versions that have an option: ``from 1.5.7 on before 1.6.0, from 1.6.322 on``."""
    texts = []
    for start, end in spans:
        texts.append(f"from {start} on before {end}" if end else f"from {start} on")
    return ", ".join(texts)


def _option_value_error(option_type, value):
    """Return what is wrong with the value of an option, or None."""
    if option_type in ("toggle", "switch", "fixed"):
        if not isinstance(value, bool):
            return "an option without a value: should be true or false, without quotes."
        if option_type == "fixed" and value is False:
            return f"{formula.capitalize()} has no option that turns it off. Leave it out."
        return None
    if isinstance(value, bool):
        return "needs a value: should be text or a number."
    if option_type == "integer" and not re.fullmatch("-?[0-9]{1,18}", str(value)):
        return "should be an integer."
    if option_type == "number" and not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]+)?", str(value)):
        return "should be a number."
    return None


def _variables():
    """Yield variables that cannot be set, and those that are options or settings."""
    prefix = f"{formula.upper()}_"
    for name, value in settings["environment"].items():
        path = f"environment:{name}"
        if name in OWN_VARIABLES:
            yield path, value, f"use the setting {formula}:{OWN_VARIABLES[name]} instead."
        elif name.startswith(prefix):
            option = name[len(prefix) :].lower()
            section = "" if option in own_options else "options:"
            yield path, value, f"an option. Use {formula}:{section}{option} instead."


def _credentials():
    """Yield credentials with which the program would serve without a password."""
    credentials = settings["http_credentials"]
    if credentials is not None and not re.fullmatch("[^:]+:[^:]+", credentials):
        message = (
            "should be user:password, neither part empty and no other colon. "
            f"{formula.capitalize()} would serve without a password, or refuse everyone."
        )
        yield "http_credentials", "(hidden)", message
    for name in ("ssl_keystore_password", "mesos_authentication_secret"):
        if settings[name] == "":
            yield name, "(hidden)", "should not be empty. Leave it out, or set null."


def _definitions():
    """Yield invalid definitions of apps and jobs. Lists may hold secrets, so they are hidden."""
    for section, noun in DECLARATIONS.items():
        for name, definition in settings.get(section, {}).items():
            if isinstance(definition, dict) or definition is None or _is_file(definition):
                continue
            value = "(a list)" if isinstance(definition, list) else definition
            message = (
                f"should be a mapping, or a file: salt://{section}/NAME.json or .yaml. "
                f"null deletes the {noun}."
            )
            yield f"{section}:{name}", value, message
    for section in (*DECLARATIONS, "groups"):
        yield from _names(section, settings.get(section))


def _is_file(definition):
    return isinstance(definition, str) and checks.DEFINITION_FILE.fullmatch(definition)


def _names(path, value):
    """Yield names that YAML has changed: yes, on, 1.10. Their values are not shown."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return
    for name, item in items:
        is_name = isinstance(name, str) or type(name) is int
        if isinstance(value, dict) and not is_name:
            message = f"YAML reads this name as {json.dumps(name)}. Put it in quotes."
            yield f"{path}:{name}", "(not shown)", message
        yield from _names(f"{path}:{name}", item)
        is_leaf = not isinstance(item, (dict, list))
        if is_leaf and item is not None and not checks.is_json(item):
            yield f"{path}:{name}", "(not shown)", "cannot be JSON. Put a date in quotes."
