#!py
"""
The settings of a formula: its defaults.yaml, what differs on this node's release of EL, and pillar
on top. Nothing else merges settings.

Keywords:

formula    whose settings to return
defaults   the contents of its defaults.yaml, and
releases   those of releases.yaml, from callers that have them: Jinja's import_yaml is much faster
overrides  instead of the formula's pillar, which Salt 3008 masks outside of templates
details    True: return ``settings``, the ``defaults`` on this release, and ``open_sections``

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
    settings = _repair(_merge(on_release, _pillar()), on_release)
    if not details:
        return settings
    return {"settings": settings, "defaults": on_release, "open_sections": OPEN_SECTIONS}


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
    Put the default in the place of what should be a mapping and is not.

    common.guard stops rendering for it. With the default, templates that expect a mapping add no
    error of their own.
    """
    for key, default in base.items():
        if not isinstance(default, dict):
            continue
        if not isinstance(settings[key], dict):
            settings[key] = default
        elif key not in OPEN_SECTIONS:
            _repair(settings[key], default)
    return settings


def _deprecated():
    """Return the old names in pillar and those of today: ``{"mesos:flavour": "mesos:vendor"}``."""
    names = {}
    for name, renamed in RENAMED.items():
        pillar = __salt__["pillar.get"](name, {})
        for old, new in renamed.items():
            if isinstance(pillar, dict) and old in pillar:
                names[f"{name}:{old}"] = f"{name}:{new}"
    return names
