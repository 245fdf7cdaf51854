"""
Which entries of the topology an orchestration skips. ``orchestration/topology.jinja`` runs this.

The caller sets these names: ``entries``, the entries of the topology with their roles, and
``skip``.
"""

import fnmatch
import re

entries, skip = {}, []


def run():
    """
    Return a mapping with ``patterns``, the ids and globs of ``skip``; ``nodes``, the entries that
    are left with their roles; and ``errors``, a sentence for each invalid value.

    An entry that is a glob is skipped as a whole only if ``skip`` has the same glob. Which minions
    of it are skipped is for those to decide that know the minions, see rollout.py.
    """
    patterns = [skip] if isinstance(skip, str) else skip
    if not isinstance(patterns, list) or not all(isinstance(node, str) for node in patterns):
        error = f"skip = {skip}: should be a list of nodes, ids or globs."
        return {"patterns": [], "nodes": entries, "errors": [error]}
    errors = [
        f"skip = {pattern}: not in the topology. Known: {', '.join(entries)}."
        for pattern in patterns
        if not any(_concerns(pattern, entry) for entry in entries)
    ]
    nodes = {
        entry: roles
        for entry, roles in entries.items()
        if not any(_is_skipped(entry, pattern) for pattern in patterns)
    }
    return {"patterns": patterns, "nodes": nodes, "errors": errors}


def _is_glob(text):
    return any(character in text for character in "*?[")


def _is_skipped(entry, pattern):
    if _is_glob(entry):
        return entry == pattern
    return fnmatch.fnmatchcase(entry, pattern)


def _concerns(pattern, entry):
    """Return whether a pattern leaves out the nodes of an entry, or may leave out some of them."""
    if entry == pattern or not _is_glob(entry):
        return _is_skipped(entry, pattern)
    if not _is_glob(pattern):
        return fnmatch.fnmatchcase(pattern, entry)
    beginnings = sorted([_beginning(pattern), _beginning(entry)], key=len)
    return beginnings[1].startswith(beginnings[0])


def _beginning(glob):
    """Return the text before the first wildcard."""
    return re.split(r"[*?[]", glob, maxsplit=1)[0]
