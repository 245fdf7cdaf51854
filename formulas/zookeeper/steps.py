#!py
"""
The steps between versions of ZooKeeper, as data. zookeeper.package reads it, and the table in
docs/operate.md is compared with it.

Servers of both versions are in the ensemble while it is upgraded, so these are the steps that
ZooKeeper knows as rolling upgrades.

Source: "Upgrading to 3.5.0" in zookeeperReconfig of ZooKeeper 3.5; the release notes of 3.6.0,
which name the upgrade from 3.5; KIP-902 of Apache Kafka for 3.5 to 3.8.
"""

import re

# First version, and the oldest version from which a server can be upgraded to it.
STEPS = """
0.0.0  0.0.0
3.5.0  3.4.6
3.6.0  3.5.0
"""

# The last releases of the versions by way of which the others are reached.
STOPS = "3.4.14 3.5.10"

version = ""


def run():
    """
    Return from which versions a server can go to another one (keyword ``version``).

    The step is possible from ``since`` on. ``stops`` are the way from older versions, each with its
    ``version`` and ``since``; the one that comes last on the way is the first item.
    """
    return {"since": since(version), "stops": list(stops(version))}


def since(zookeeper):
    """Return the oldest version from which the step to a version of ZooKeeper is possible."""
    steps = [line.split() for line in STEPS.strip().splitlines()]
    return [oldest for start, oldest in steps if numbers(start) <= numbers(zookeeper)][-1]


def stops(zookeeper):
    """Yield the stops on the way to a version of ZooKeeper, backwards."""
    oldest = numbers(since(zookeeper))
    for stop in STOPS.split():
        is_on_the_way = oldest <= numbers(stop) < numbers(zookeeper)
        if is_on_the_way and numbers(since(stop)) < oldest:
            yield {"version": stop, "since": since(stop)}
            yield from stops(stop)
            return


def numbers(text):
    """
    Return ``3.5.10`` as (3, 5, 10), and ``3.5`` as (3, 5, 0), to compare it.

    A text that is not a version counts as 0.0.0: common.validate refuses it, but all files are
    rendered first.
    """
    match = re.fullmatch(r"\d+(\.\d+)*", text, re.ASCII)
    parts = [int(part) for part in match[0].split(".")] if match else [0]
    return tuple((parts + [0, 0])[:3])
