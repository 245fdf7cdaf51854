#!py
"""
The settings of a formula: defaults.yaml, merged with the settings for this release of EL, those for
the level of security (common/security.yaml), and pillar, in this order. Nothing else merges
settings.

Keywords:

formula    name of the formula
overrides  settings to use instead of ``pillar.get``, because Salt 3008 masks the values that it
           returns outside templates
details    True: return a mapping of ``settings``, with the values of pillar unchanged, and
           ``defaults``, those of this release

Without ``formula`` the result describes this node: its ``roles``, always a list, and
``unknown_roles``, values of its grain ``roles`` that are not in roles.yaml; its ``release``,
with the settings for it; all ``releases`` by number; and ``deprecated``, the old names of settings
in pillar with the current names.
"""

formula = ""
overrides = None
details = False

# Mappings that accept any option of the program, not only those with a default.
OPEN_SECTIONS = ("options", "flags", "environment", "sysctl", "journald")

# Settings that declare what runs on the cluster.
DECLARATIONS = ("apps", "groups", "jobs", "quotas", "weights")

# Formula -> setting that was renamed -> its name now.
RENAMED = {"mesos": {"flavour": "vendor", "logs_kept": "log_retention"}}


def run():
    """Return the settings of the formula, or what is known of this node."""
    all_releases = tree.data("common/releases.yaml")
    # common.validate stops rendering on an unsupported release. The settings for EL 7 keep other
    # errors from following.
    release = all_releases.get(__grains__.get("osmajorrelease"), all_releases[7])
    if not formula:
        roles = __grains__.get("roles") or []
        roles = roles if isinstance(roles, list) else [roles]
        names = list(tree.data("common/roles.yaml"))
        return {
            "roles": [role for role in roles if role in names],
            "unknown_roles": [role for role in roles if role not in names],
            "release": release,
            "releases": all_releases,
            "deprecated": _deprecated(),
        }
    defaults = _merge(tree.data(f"{formula}/defaults.yaml"), release["settings"].get(formula, {}))
    defaults = _merge(defaults, _security_settings().get(formula, {}))
    pillar = _pillar()
    # Copy pillar only if necessary: a copy loses Salt 3008's mappings, which hide values in logs.
    if not details and not _has_json_types(pillar):
        pillar = _as_json_types(pillar)
    settings = _replace_invalid(_merge(defaults, pillar), defaults)
    if not details:
        return settings
    return {"settings": settings, "defaults": defaults}


def _security_settings():
    """Return the settings of the level of security. common.validate refuses an unknown level."""
    level = __pillar__
    for key in ("common", "security", "level"):
        level = level.get(key) if isinstance(level, dict) else None
    return tree.data("common/security.yaml").get(str(level), {})


def _pillar():
    """Return the formula's pillar, with old names of settings replaced by the current ones."""
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


def _replace_invalid(settings, base):
    """
    Replace each value of a wrong type by its default.

    common.validate reports the value and stops rendering. With the default, templates do not fail
    before that.
    """
    for key, default in base.items():
        value = settings[key]
        is_open = key in OPEN_SECTIONS
        if isinstance(default, dict):
            if not isinstance(value, dict):
                settings[key] = default
            elif default and not is_open:
                _replace_invalid(value, default)
        elif isinstance(default, list):
            if not isinstance(value, list):
                settings[key] = default
        elif default is not None and (value is None or isinstance(value, (dict, list))):
            settings[key] = default
    return settings


def _as_json_types(value, section=None, is_declared=False):
    """
    Convert dates and keys to text. Keys in DECLARATIONS stay as they are, since templates do not
    sort them. common.validate reports all of these values, and stops rendering.
    """
    if isinstance(value, dict):
        is_declared = is_declared or section in DECLARATIONS
        keeps_names = is_declared or _has_ids(value, section)
        return {
            key if keeps_names and _is_scalar(key) else str(key): _as_json_types(
                item, key, is_declared
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_as_json_types(item, None, is_declared) for item in value]
    return value if _is_scalar(value) else str(type(value))


def _has_ids(value, section):
    """Return whether the names in a mapping are the ids of servers, which are numbers."""
    return section == "servers" and all(type(key) is int for key in value)


def _is_scalar(value):
    if isinstance(value, int):
        return abs(value) < 2**63
    return value is None or isinstance(value, (str, float))


def _has_json_types(value, section=None):
    if isinstance(value, dict):
        are_names = all(isinstance(key, str) for key in value) or _has_ids(value, section)
        return are_names and all(_has_json_types(item, key) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_has_json_types, value))
    return _is_scalar(value)


def _deprecated():
    """Map old names in pillar to the current names: ``{"mesos:flavour": "mesos:vendor"}``."""
    names = {}
    for name, renamed in RENAMED.items():
        pillar = __salt__["pillar.get"](name, {})
        for old, new in renamed.items():
            if isinstance(pillar, dict) and old in pillar:
                names[f"{name}:{old}"] = f"{name}:{new}"
    return names
