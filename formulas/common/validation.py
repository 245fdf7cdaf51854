#!py
"""
The errors in the settings of this node, one sentence each. common.validate stops rendering if there
are any.

A formula's types.yaml and defaults.yaml list all of its settings. An unknown key in pillar, or a
value of another type, is an error. Checks of a single formula are in its errors.py. They run on
settings without unknown keys and wrong types.

Errors in pillar/topology.yaml come first, and nothing may contradict it: neither the grain
``roles`` nor a setting on which all nodes have to agree.

Keywords:

ignore_roles  True: do not compare the grain, which is about to be written
details       True: return a mapping of ``errors``, and ``deprecated``: old names in pillar with the
              current names
"""

import difflib
import functools
import json

ignore_roles = False
details = False


def run():
    """Return the errors as sentences; an empty list if the settings are in order."""
    reports = [*_topology_errors(), *_unknown_pillar_keys(), *_platform_errors(), *_role_errors()]
    for formula in _formulas():
        reports += _formula_errors(formula)
    deprecated = dict(tree.node["deprecated"])
    errors = []
    for report in reports:
        if isinstance(report, _checks().Deprecated):
            deprecated[report.setting] = report.name
        else:
            errors.append(_checks().sentence(*report, __grains__["id"]))
    return {"errors": errors, "deprecated": deprecated} if details else errors


@functools.cache
def _checks():
    return tree.run("common/checks.py")


@functools.cache
def _types():
    return tree.run("common/setting_types.py", checks=_checks())


def _known_roles():
    return tree.data("common/roles.yaml")


def _formulas():
    """Return the names of all formulas, ``common`` first."""
    return ("common", *dict.fromkeys(role["formula"] for role in _known_roles().values()))


def _topology_pillar():
    """Return the pillar key ``topology`` of this node; empty without a topology."""
    topology = __pillar__.get("topology")
    return topology if isinstance(topology, dict) else {}


def _topology_errors():
    """Yield the errors of the topology, and the settings in pillar that contradict it."""
    topology = _topology_pillar()
    if not isinstance(__pillar__.get("topology", {}), dict):
        message = "this key is reserved for the topology, see pillar/topology.yaml."
        yield "topology", __pillar__["topology"], message
    if "nodes" in topology:
        message = "the Salt master needs ids that end like this for orchestrations. Choose another."
        yield "grains:id", __grains__["id"], message
    for setting, value, message in topology.get("errors") or []:
        if value == __grains__["id"] and topology.get("foreign"):
            message += _foreign_advice()
        yield setting, _checks().MessageText(value), message
    for setting, value in (topology.get("fixed") or {}).items():
        actual = _pillar_value(setting, value)
        is_unset = value == [] and actual is None
        if _plain(actual) != _plain(value) and not is_unset:
            message = f"the topology sets this to {json.dumps(value)}. Remove it from the settings."
            yield setting, actual, message


def _foreign_advice():
    """Return what to do with roles of a minion without an entry."""
    roles = ", ".join(tree.node["roles"])
    if not roles:
        return ""
    return (
        f" If it is not a node, remove {roles} from its grain roles: salt '{__grains__['id']}' "
        f"grains.setval roles '{_yaml_list(tree.node['unknown_roles'])}'."
    )


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
    """Return a value as JSON would return it, with all keys as text."""
    return json.loads(json.dumps(value, default=str))


def _unknown_pillar_keys():
    """Yield pillar keys that look like misspelt names of formulas, so that nothing reads them."""
    names = [*_formulas(), "topology"]
    for key, value in __pillar__.items():
        if key not in names and difflib.get_close_matches(str(key), names, 1, cutoff=0.9):
            yield str(key), value, f"no formula reads this key. {_checks().hint(key, names)}"


def _platform_errors():
    """Yield the error of an operating system that the formulas do not support."""
    family, release = __grains__.get("os_family"), __grains__.get("osmajorrelease")
    releases = ", ".join(str(number) for number in tree.node["releases"])
    if family != "RedHat":
        message = f"not of the RedHat family. These formulas support EL {releases}."
        yield "grains:os_family", family, message
    elif release not in tree.node["releases"]:
        yield "grains:osmajorrelease", release, f"not a supported release of EL. Known: {releases}."


def _role_errors():
    """
    Yield roles that are not those of the topology, or, without one, misspelt roles.

    Other values of the grain belong to other formulas.
    """
    roles, unknown_roles = tree.node["roles"], tree.node["unknown_roles"]
    assigned = _topology_pillar().get("roles")
    if assigned is None:
        for role in unknown_roles:
            if _checks().closest(role, _known_roles()):
                message = f"no such role. {_checks().hint(role, _known_roles())}"
                yield "grains:roles", role, message
    elif not ignore_roles and set(roles) != set(assigned):
        cluster = _topology_pillar().get("cluster")
        options = f' pillar=\'{{"cluster": "{cluster}"}}\'' if cluster else ""
        expected = _yaml_list([*unknown_roles, *assigned])
        message = (
            f"the topology assigns {_yaml_list(assigned)} in its entry "
            f"{_topology_pillar()['entry']}. "
            f"If that is right, run salt-run state.orchestrate orchestration.roles{options}, or "
            f"salt '{__grains__['id']}' grains.setval roles '{expected}'."
        )
        yield "grains:roles", _yaml_list([*unknown_roles, *roles]), message


def _yaml_list(values):
    return f"[{', '.join(str(value) for value in values)}]"


def _formula_errors(name):
    """Return the errors in the pillar of one formula. Reads no file if there is none."""
    pillar = __pillar__.get(name)
    if pillar is None:
        return []
    if not isinstance(pillar, dict):
        return [(name, pillar, "should be a mapping of settings.")]
    current, errors = _without_old_names(name, pillar)
    keywords = {"formula": name, "details": True}
    result = tree.run("common/settings.py", overrides=pillar, **keywords)
    types = tree.data(f"{name}/types.yaml")
    type_errors = list(_types().errors((), current, types, result["defaults"]))
    if type_errors:
        valid = _types().without(current, {path for path, *_ in type_errors})
        result = tree.run("common/settings.py", overrides=valid, **keywords)
    for path, value, message in type_errors:
        errors.append((":".join(str(key) for key in (name, *path)), value, message))
    reports = tree.run(
        f"{name}/errors.py",
        settings=result["settings"],
        checks=_checks(),
        roles=_assigned_roles(),
        types=types,
    )
    for report in reports:
        if isinstance(report, _checks().Deprecated):
            setting, new = report
            errors.append(_checks().Deprecated(f"{name}:{setting}", f"{name}:{new}"))
        else:
            setting, value, message = report
            errors.append((f"{name}:{setting}", value, message))
    return errors


def _assigned_roles():
    """Return the roles of this node: those of the topology, or else those of the grain."""
    assigned = _topology_pillar().get("roles")
    return tree.node["roles"] if assigned is None else assigned


def _without_old_names(name, pillar):
    """Return a formula's pillar by the current names, and errors where both are used."""
    current, errors = dict(pillar), []
    for old, new in tree.node["deprecated"].items():
        formula, _, key = old.partition(":")
        if formula != name:
            continue
        new_key = new.partition(":")[2]
        value = current.pop(key)
        if new_key in current:
            errors.append((old, value, f"the old name of {new}, which is set as well. Remove it."))
        current.setdefault(new_key, value)
    return current, errors
