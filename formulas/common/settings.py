#!py
"""
The settings of a formula: its defaults.yaml, what differs on this node's release of EL, and pillar
on top. Nothing else merges settings.

Keywords:

formula    whose settings to return
defaults   the contents of its defaults.yaml, and
releases   those of releases.yaml, from callers that have them: Jinja's import_yaml is much faster
overrides  instead of the formula's pillar, which Salt 3008 masks outside of templates
details    True: return ``settings``, with pillar as it is, and the ``defaults`` on this release

Without ``formula`` the result is what is known of this node: its ``roles``, always as a list; its
``release``, with what differs there; all ``releases`` by number; and the names of settings in
pillar that are ``deprecated``.
"""

formula = ""
defaults = None
releases = None
overrides = None
details = False

# Mappings with defaults that take any other key of the program as well.
OPEN_SECTIONS = ("options", "flags", "environment", "sysctl", "journald")

# What runs on the cluster.
DECLARATIONS = ("apps", "groups", "jobs", "quotas", "weights")

# Formula -> setting that was renamed -> its name now.
RENAMED = {"mesos": {"flavour": "vendor", "logs_kept": "log_retention"}}


def run():
    """Return the settings of the formula, or what is known of this node."""
    all_releases = releases or _yaml("common/releases.yaml")
    # common.guard stops rendering on a release that is not there. EL 7 takes its place, so that
    # this is the only error.
    release = all_releases.get(__grains__.get("osmajorrelease"), all_releases[7])
    if not formula:
        roles = __grains__.get("roles") or []
        return {
            "roles": roles if isinstance(roles, list) else [roles],
            "release": release,
            "releases": all_releases,
            "deprecated": _deprecated(),
        }
    on_release = _merge(
        defaults or _yaml(f"{formula}/defaults.yaml"), release["settings"].get(formula, {})
    )
    pillar = _pillar()
    # Only then: Salt 3008 has mappings of its own, which hide their values from logs.
    if not details and not _is_plain(pillar):
        pillar = _plain(pillar)
    settings = _repair(_merge(on_release, pillar), on_release)
    if not details:
        return settings
    return {"settings": settings, "defaults": on_release}


def _yaml(path):
    return __salt__["slsutil.renderer"](f"salt://{path}", default_renderer="yaml")


def _pillar():
    """Return what pillar has for the formula, by the settings' names of today."""
    pillar = __salt__["pillar.get"](formula, {}) if overrides is None else overrides
    if not isinstance(pillar, dict):
        return {}
    renamed = RENAMED.get(formula, {})
    current = {key: value for key, value in pillar.items() if key not in renamed}
    for old, new in renamed.items():
        if old in pillar:
            current.setdefault(new, pillar[old])
    return current


def _merge(base, settings):
    return __salt__["slsutil.merge"](base, settings)


def _repair(settings, base):
    """
    Put the default in the place of a value of another shape.

    common.guard stops rendering for it. With the default, templates add no error of their own.
    """
    for key, default in base.items():
        value = settings[key]
        is_open = key in OPEN_SECTIONS
        if isinstance(default, dict):
            if not isinstance(value, dict):
                settings[key] = default
            elif default and not is_open:
                _repair(value, default)
        elif isinstance(default, list):
            if not isinstance(value, list):
                settings[key] = default
        elif default is not None and (value is None or isinstance(value, (dict, list))):
            settings[key] = default
    return settings


def _plain(value, section=None, is_declared=False):
    """
    Return the value of a section that templates can write as JSON: without dates, and all names are
    text, except in what runs on the cluster, whose names are not sorted.

    common.guard stops rendering for those, too.
    """
    if isinstance(value, dict):
        is_declared = is_declared or section in DECLARATIONS
        keeps_names = is_declared or _has_ids(value, section)
        return {
            key if keeps_names and _is_scalar(key) else str(key): _plain(item, key, is_declared)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_plain(item, None, is_declared) for item in value]
    return value if _is_scalar(value) else str(type(value))


def _has_ids(value, section):
    """Return whether the names in a mapping are the ids of servers, which are numbers."""
    return section == "servers" and all(type(key) is int for key in value)


def _is_scalar(value):
    if isinstance(value, int):
        return abs(value) < 2**63
    return value is None or isinstance(value, (str, float))


def _is_plain(value, section=None):
    if isinstance(value, dict):
        are_names = all(isinstance(key, str) for key in value) or _has_ids(value, section)
        return are_names and all(_is_plain(item, key) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return _is_scalar(value)


def _deprecated():
    """Return the old names in pillar and those of today: ``{"mesos:flavour": "mesos:vendor"}``."""
    names = {}
    for name, renamed in RENAMED.items():
        pillar = __salt__["pillar.get"](name, {})
        for old, new in renamed.items():
            if isinstance(pillar, dict) and old in pillar:
                names[f"{name}:{old}"] = f"{name}:{new}"
    return names
