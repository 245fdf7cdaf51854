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
``release``, with what differs there; the numbers of all ``releases``; and the names of settings in
pillar that are ``deprecated``.
"""

formula = ""
defaults = None
releases = None
overrides = None
details = False

# Mappings with defaults that take any other key of the program as well.
OPEN_SECTIONS = ("options", "flags", "environment", "sysctl", "journald")

# What runs on the cluster: their names are not sorted, and checked elsewhere.
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
            "releases": list(all_releases),
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


def _plain(value, sorts_names=True):
    """
    Return a value that templates can write as JSON: no dates, and no names of several types where
    they are sorted.

    common.guard stops rendering for those, too.
    """
    if isinstance(value, dict):
        are_numbers = all(type(key) is int for key in value)
        return {
            key if are_numbers or not sorts_names and _is_scalar(key) else str(key): _plain(
                item, sorts_names and key not in DECLARATIONS
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_plain(item, sorts_names) for item in value]
    return value if _is_scalar(value) else str(type(value))


def _is_scalar(value):
    if isinstance(value, int):
        return abs(value) < 2**63
    return value is None or isinstance(value, (str, float))


def _is_plain(value):
    if isinstance(value, dict):
        key_types = {type(key) for key in value}
        is_sortable = len(key_types) < 2 and key_types <= {str, int}
        return is_sortable and all(map(_is_plain, value.values()))
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
