"""
Shorten and redact text for messages. A helper of the execution modules, not a module itself: Salt's
loader skips names that begin with ``_``.
"""

import difflib
import functools
import re
from collections.abc import Mapping

MAX_LENGTH = 200
# Longer text is cut before it is searched for its first line.
MAX_SCANNED_LENGTH = 10000
MAX_ENTRIES = 10
MIN_ABBREVIATION = 3  # letters
MAX_SHORT_NAME = 4  # letters; one typing error is a large part of such a name
# How similar, from 0 to 1, a word must be to a name to count as misspelt. Few people mistype the
# first letter: container is not a misspelt maintainer.
MISSPELT_RATIO = 0.75
MISSPELT_RATIO_OF_SHORT_NAME = 0.6
MISSPELT_RATIO_OF_FIRST_LETTER = 0.85


def first_line(text):
    """Return the first line that is not blank, without control characters and at most 200 long."""
    printable = "".join(_printable(character) for character in text[:MAX_SCANNED_LENGTH])
    for line in printable.splitlines():
        if line.strip():
            return shorten(" ".join(line.split()))
    return ""


def _printable(character):
    return character if character.isprintable() or character == "\n" else " "


def shorten(text):
    """Return the first 200 characters of a text."""
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}..."


def shorten_list(entries, limit=MAX_ENTRIES):
    """Return the first entries of a list or mapping, with a note of how many were omitted."""
    omitted = len(entries) - limit
    if omitted <= 0:
        return entries
    if isinstance(entries, Mapping):
        return {**dict(list(entries.items())[:limit]), "...": f"{omitted} more"}
    return [*entries[:limit], f"... {omitted} more"]


def redact_user(url):
    """Return a URL, or a text with one in it, with ``***`` for its user and password."""
    return re.sub("//.*@", "//***@", url)


def plural(number, noun):
    """Return a number with its noun: 1 second, 2.5 seconds."""
    return f"{number:g} {noun}" if number == 1 else f"{number:g} {noun}s"


def similar_name(word, names):
    """
    Return the name that a word seems to stand for, None without one: another spelling of it
    (``health_checks`` for ``healthChecks``), an abbreviation (``env`` for ``environment``, or the
    reverse), or a misspelling (``comand`` for ``cmd``).
    """
    return _similar_name(_spelling(word), frozenset(names))


@functools.lru_cache(maxsize=1000)  # many definitions may have the same unknown field
def _similar_name(spelling, names):
    by_spelling = {_spelling(name): name for name in sorted(names)}
    if spelling in by_spelling:
        return by_spelling[spelling]
    related = [name for name in by_spelling if _is_abbreviation(*sorted((spelling, name), key=len))]
    if related:
        return by_spelling[min(related, key=len)]
    ratios = {name: difflib.SequenceMatcher(None, name, spelling).ratio() for name in by_spelling}
    misspelt = [name for name in ratios if ratios[name] >= _misspelt_ratio(spelling, name)]
    return by_spelling[max(misspelt, key=ratios.get)] if misspelt else None


def _spelling(name):
    return str(name).replace("_", "").replace("-", "").lower()


def _is_abbreviation(short, long):
    return len(short) >= MIN_ABBREVIATION and long.startswith(short)


def _misspelt_ratio(word, name):
    if word[:1] != name[:1]:
        return MISSPELT_RATIO_OF_FIRST_LETTER
    return MISSPELT_RATIO_OF_SHORT_NAME if len(name) <= MAX_SHORT_NAME else MISSPELT_RATIO
