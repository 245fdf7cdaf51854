#!py
"""
The steps between versions of Marathon, as data. marathon.config and the fake Marathon of the lab
read it, and the table in docs/operate.md is compared with it.

Marathon's state in ZooKeeper, its store, has a version. Whichever Marathon is elected reads it,
migrates an older store to its own version, and exits if the store is newer, or too old. A standby
does not look. So after a step that Marathon refuses no Marathon leads, and there is no way back but
a backup of the store.

Source: Migration.scala of mesosphere/marathon at its release tags 1.1.0 to 1.10.26.
"""

# First version; the oldest store that it migrates; and the version of the store that it leaves.
# `own`: the version of Marathon itself.
STORES = """
0.0.0    0.3.0  own
1.4.0    0.8.0  own
1.5.0    1.4.0  own
1.6.0    1.4.0  1.6.0
1.7.0    1.4.0  17.0.0
1.8.0    1.6.0  18.100.0
1.8.207  1.6.0  18.200.0
1.9.0    1.6.0  19.100.0
1.9.34   1.6.0  19.200.0
1.9.64   1.6.0  19.300.0
1.10.0   1.6.0  110.100.0
"""

# Versions by way of which the others are reached: one of each minor version, all of them packaged.
STOPS = "1.1.7 1.3.14 1.4.13 1.5.15 1.6.567 1.7.236 1.8.244 1.9.109 1.10.26"

version = ""


def run():
    """
    Return from which versions a node can go to another one (keyword ``version``).

    The step is possible from ``since`` on, and not from ``before`` on, which is None without a
    limit. From ``same_store`` on nothing is migrated. ``stops`` are the way from older versions,
    each with its ``version`` and ``since``; the one that comes last on the way is the first item.
    """
    return {
        "since": since(version),
        "same_store": same_store(version),
        "before": before(version),
        "stops": list(stops(version)),
    }


def since(marathon):
    """
    Return the oldest version from which the step to a version of Marathon is possible.

    It is that of the oldest store: up to 1.6.0 the store has the version of its Marathon.
    """
    return _step(marathon)[1]


def store(marathon):
    """Return the version of the store that a version of Marathon leaves."""
    version = _step(marathon)[2]
    return marathon if version == "own" else version


def same_store(marathon):
    """Return the first version that leaves the same store as a version of Marathon."""
    start, _, version = _step(marathon)
    return marathon if version == "own" else start


def before(marathon):
    """Return the first version whose store a version of Marathon refuses as newer, or None."""
    start, _, version = _step(marathon)
    if version == "own":
        major, minor, patch = numbers(marathon)
        return f"{major}.{minor}.{patch + 1}"
    newer = [step[0] for step in _steps() if numbers(step[0]) > numbers(start)]
    return newer[0] if newer else None


def stops(marathon):
    """Yield the stops on the way to a version of Marathon, backwards."""
    oldest = numbers(since(marathon))
    for stop in STOPS.split():
        is_on_the_way = oldest <= numbers(stop) < numbers(marathon)
        if is_on_the_way and numbers(since(stop)) < oldest:
            yield {"version": stop, "since": since(stop)}
            yield from stops(stop)
            return


def numbers(text):
    """Return ``1.8.244`` as (1, 8, 244), to compare it."""
    return tuple(int(part) for part in text.split("."))


def _steps():
    return [line.split() for line in STORES.strip().splitlines()]


def _step(marathon):
    return [step for step in _steps() if numbers(step[0]) <= numbers(marathon)][-1]
