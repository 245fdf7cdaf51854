"""
What orchestration.restart restarts, from its keys of pillar ``role`` and ``since``.

The caller sets these names: ``pillar``, that of the orchestration; ``members``, the roles with
their nodes; and ``roles``, the contents of ``common/roles.yaml``.
"""

import datetime
import time

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

pillar, members, roles = {}, {}, {}


def run():
    """
    Return a mapping with

    * ``errors``: sentences;
    * ``roles``: the roles whose daemons are restarted, in the order of ``common/roles.yaml``. All
      of them, if only stale daemons are restarted;
    * ``since``: Unix seconds. Daemons that have started later are not restarted again. None, if
      only stale daemons are restarted;
    * ``since_text``: the same time as the pillar key has it.
    """
    role = pillar.get("role")
    names = [role] if isinstance(role, str) else role
    errors = _role_errors(role, names)
    since = int(time.time())
    text = pillar.get("since")
    if text is not None:
        since = _parse(text)
        if names is None:
            errors.append(f"since = {text}: needs the key role. Stale daemons are restarted once.")
    if since is None or since > time.time():
        errors.append(
            f"since = {text}: should be a time in the past, in UTC, such as "
            f"{time.strftime(TIME_FORMAT, time.gmtime())}."
        )
    if errors:
        return {"errors": errors}
    return {
        "errors": [],
        "roles": [name for name in roles if name in members and (not names or name in names)],
        "since": since if names else None,
        "since_text": time.strftime(TIME_FORMAT, time.gmtime(since)),
    }


def _role_errors(role, names):
    if names is None:
        return []
    if not isinstance(names, list) or not names:
        return [f"role = {role}: should be a role or a list of roles: {', '.join(roles)}."]
    errors = []
    for name in names:
        if not isinstance(name, str) or name not in roles:
            errors.append(f"role = {name}: should be one of {', '.join(roles)}.")
        elif name not in members:
            errors.append(f"role = {name}: no node that responds has this role.")
    return errors


def _parse(text):
    """Return the Unix seconds of a time in UTC; None if it is none."""
    try:
        parsed = datetime.datetime.strptime(text, TIME_FORMAT)
    except (TypeError, ValueError):
        return None
    return int(parsed.replace(tzinfo=datetime.timezone.utc).timestamp())
