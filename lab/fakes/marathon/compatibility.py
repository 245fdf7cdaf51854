"""What a Marathon of a version does not work with: another store, and an older Mesos.

The tables are those of the formulas, formulas/marathon/steps.py and formulas/mesos/frameworks.py.
The messages are those of Migration.scala and LibMesos.scala of mesosphere/marathon.
"""

from __future__ import annotations

from ..wire import formula_data
from ..wire.versions import release

STEPS = formula_data.read("marathon/steps.py")
FRAMEWORKS = formula_data.read("mesos/frameworks.py")

# The first version that looks whether the store is newer, and the first with the layout of today.
CHECKS_NEWER_SINCE, NEW_LAYOUT_SINCE = "1.3.8", "1.4.0"


def oldest_mesos(version: str) -> str:
    """Return the oldest Mesos that a version accepts, as library and as master."""
    return FRAMEWORKS["oldest_mesos"]("marathon", version)


def store_left_by(version: str) -> str:
    """Return the version of the store that a version leaves, such as ``18.200.0``."""
    return STEPS["store"](version)


def store_problem(stored: str, version: str) -> str | None:
    """Return why a version would not start with a store, None if it would migrate it."""
    oldest, newest = STEPS["since"](version), store_left_by(version)
    if release(stored) < release(oldest):
        verb = "are" if release(version) >= release(NEW_LAYOUT_SINCE) else "is"
        return (
            f"Migration from versions < {_described(oldest, version)} {verb} not supported. "
            f"Your version: {_described(stored, version)}"
        )
    if release(stored) <= release(newest) or release(version) < release(CHECKS_NEWER_SINCE):
        return None
    if release(version) < release(NEW_LAYOUT_SINCE):
        return (
            f"The existing storage version {_described(stored, version)} is too new. "
            f"Current storage version is {_described(newest, version)}"
        )
    return (
        f"Migration from {_described(stored, version)} is not supported as it is newer than "
        f"{_described(newest, version)}."
    )


def _described(store: str, version: str) -> str:
    """Describe a store as a version of Marathon does."""
    parts = [str(part) for part in release(store)]
    if release(version) >= release(NEW_LAYOUT_SINCE):
        is_new = release(store) >= release(NEW_LAYOUT_SINCE)
        parts.append("PERSISTENCE_STORE" if is_new else "LEGACY")
    return f"Version({', '.join(parts)})"
