#!py
"""
The errors in the settings of this node, one sentence each. common.guard stops rendering if there
are any.

A setting is a key of a formula's defaults.yaml. A key in pillar that is not there is a typing
error, a value of another type than the default's an oversight. A mapping that is empty in
defaults.yaml, or an open section (common/settings.py), takes any key, since its keys are the
program's own. What only one formula can know stands in its own faults.py.

Errors in pillar/topology.yaml come first, and nothing may contradict it: neither the grain
``roles`` nor a setting on which all nodes have to agree. Keywords: ``ignore_roles``, where the
grain is about to be written; ``node``, what common/settings.py knows of this node, from callers
that have it.
"""

import difflib
import functools
import json
import re

ignore_roles = False
node = None

# What runs on the cluster: the faults.py of the formula checks what these mappings hold.
DECLARATIONS = ("marathon:apps", "marathon:groups", "chronos:jobs", "mesos:quotas", "mesos:weights")

TYPES = {bool: "true or false", int: "an integer", float: "a number", str: "text", list: "a list"}


def run():
    """Return the errors as sentences; an empty list if the settings are in order."""
    errors = [*_topology(), *_pillar_keys(), *_system(), *_roles()]
    for formula in _formulas():
        errors += _formula(formula)
    return [_checks().sentence(*error, __grains__["id"]) for error in errors]


def _render(path, **keywords):
    return __salt__["slsutil.renderer"](f"salt://{path}", default_renderer="yaml", **keywords)


@functools.cache
def _checks():
    return _render("common/checks.py")


@functools.cache
def _node():
    return node or _render("common/settings.py")


@functools.cache
def _known_roles():
    return _render("common/roles.yaml")


def _formulas():
    """Return the names of all formulas, ``common`` first."""
    return ("common", *dict.fromkeys(role["formula"] for role in _known_roles().values()))


def _assigned():
    """Return the pillar key ``topology`` of this node; empty without a topology."""
    topology = __pillar__.get("topology")
    return topology if isinstance(topology, dict) else {}


def _topology():
    """Yield the errors of the topology, and the settings in pillar that contradict it."""
    topology = _assigned()
    if not isinstance(__pillar__.get("topology", {}), dict):
        message = "this key is reserved for the topology, see pillar/topology.yaml."
        yield "topology", __pillar__["topology"], message
    if "nodes" in topology:
        message = "the Salt master needs ids that end like this for orchestrations. Choose another."
        yield "grains:id", __grains__["id"], message
    for error in topology.get("errors") or []:
        yield tuple(error)
    for setting, value in (topology.get("fixed") or {}).items():
        actual = _pillar_value(setting, value)
        is_unset = value == [] and actual is None
        if _plain(actual) != _plain(value) and not is_unset:
            message = f"the topology sets this to {json.dumps(value)}. Remove it from the settings."
            yield setting, actual, message


def _pillar_value(setting, default):
    """Return the value of a setting, such as ``mesos:master:flags:quorum``, in pillar."""
    formula, *keys = setting.split(":")
    value = __pillar__.get(formula, default)
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return default
        value = value[key]
    return value


def _plain(value):
    """Return a value as it is after a way through JSON, where all keys are text."""
    return json.loads(json.dumps(value, default=str))


def _pillar_keys():
    """Yield the names of formulas that are misspelt in pillar. Nobody would read these settings."""
    names = [*_formulas(), "topology"]
    for key, value in __pillar__.items():
        if key not in names and difflib.get_close_matches(str(key), names, 1, cutoff=0.9):
            yield str(key), value, f"no formula reads this key. {_checks().hint(key, names)}"


def _system():
    """Yield the error of an operating system that the formulas do not support."""
    family, release = __grains__.get("os_family"), __grains__.get("osmajorrelease")
    releases = ", ".join(str(number) for number in _node()["releases"])
    if family != "RedHat":
        message = f"not of the RedHat family. These formulas support EL {releases}."
        yield "grains:os_family", family, message
    elif release not in _node()["releases"]:
        yield "grains:osmajorrelease", release, f"not a supported release of EL. Known: {releases}."


def _roles():
    """Yield roles that are not those of the topology, or, without one, unknown roles."""
    roles, assigned = _node()["roles"], _assigned().get("roles")
    if assigned is None:
        for role in roles:
            if role not in _known_roles():
                message = f"no such role. {_checks().hint(role, _known_roles())}"
                yield "grains:roles", role, message
    elif not ignore_roles and {str(role) for role in roles} != set(assigned):
        expected = f"[{', '.join(assigned)}]"
        message = (
            f"the topology assigns {expected} in its entry {_assigned()['entry']}. "
            "If that is right, run salt-run state.orchestrate orchestration.roles, or "
            f"salt '{__grains__['id']}' grains.setval roles '{expected}'."
        )
        yield "grains:roles", f"[{', '.join(str(role) for role in roles)}]", message


def _formula(name):
    """Return the errors in what pillar says for one formula.

    If it says nothing, there is nothing to read.
    """
    pillar = __pillar__.get(name)
    if pillar is None:
        return []
    if not isinstance(pillar, dict):
        return [(name, pillar, "should be a mapping of settings.")]
    details = _render("common/settings.py", formula=name, overrides=pillar, details=True)
    current, errors = _without_old_names(name, pillar)
    errors += _keys(name, current, details["defaults"], details["open_sections"])
    own_errors = _render(f"{name}/faults.py", settings=details["settings"], checks=_checks())
    return errors + [(f"{name}:{key}", value, message) for key, value, message in own_errors]


def _without_old_names(name, pillar):
    """Return a formula's pillar by the current names, and errors where both are used."""
    current, errors = dict(pillar), []
    for old, new in _node()["deprecated"].items():
        formula, _, key = old.partition(":")
        if formula != name:
            continue
        new_key = new.partition(":")[2]
        value = current.pop(key)
        if new_key in current:
            errors.append((old, value, f"the old name of {new}, which is set as well. Remove it."))
        current.setdefault(new_key, value)
    return current, errors


def _keys(path, values, defaults, open_sections, is_open=False):
    """Yield unknown keys, wrong types, and impossible ports and URLs, at all depths."""
    for key, value in values.items():
        setting = f"{path}:{key}"
        default = defaults.get(key)
        message = _value_error(key, value, defaults, is_open)
        if message:
            yield setting, value, message
        elif isinstance(value, dict) and setting not in DECLARATIONS:
            is_section_open = is_open or not default or key in open_sections
            yield from _keys(setting, value, default or {}, open_sections, is_section_open)


def _value_error(key, value, defaults, is_open):
    """Return what is wrong with one key and its value, or None."""
    if key in defaults:
        message = _type_error(value, defaults[key], is_open)
        if message:
            return message
    elif not is_open:
        return f"no such setting. {_checks().hint(key, defaults)}"
    is_port = re.search("(^|_)port$", str(key), re.IGNORECASE)
    if is_port and not _checks().is_port_setting(value):
        return "not a port. A port is a number from 1 to 65535."
    if key == "url" and not is_open and not _checks().is_api_url(value):
        return "should be a URL, or a list of URLs. Example: http://10.0.0.1:5050."
    return None


def _type_error(value, default, is_open):
    """Return what is wrong with the type of a value, or None.

    In open sections null takes a key back.
    """
    if default is None or (value is None and is_open) or _has_type_of(default, value, is_open):
        return None
    if isinstance(default, dict):
        hint = f" {_checks().hint(value, default)}" if default else ""
        return f"should be a mapping.{hint}"
    if value is None:
        return f"has no value. Leave the key out for the default, {json.dumps(default)}."
    return f"should be {TYPES[type(default)]}, as the default {json.dumps(default)}."


def _has_type_of(default, value, is_open):
    """Return whether a value has the type of the default."""
    if isinstance(default, dict) or isinstance(value, dict):
        return isinstance(default, dict) and isinstance(value, dict)
    if isinstance(default, list):
        # Not type(): Salt 3008 may have a kind of list of its own, which hides its values from
        # logs.
        return isinstance(value, list)
    if is_open:
        # The program reads text. Of words for a boolean, all programs know these two.
        is_boolean = str(value).lower() in ("true", "false")
        return not isinstance(value, list) and (type(default) is not bool or is_boolean)
    return type(value) is type(default) or (type(default) is float and type(value) is int)
