"""
Shorten and redact text for messages. A helper of the execution modules, not a module itself: Salt's
loader skips names that begin with ``_``.
"""

import re
from collections.abc import Mapping

MAX_LENGTH = 200
# Longer text is cut before it is searched for its first line.
MAX_SCANNED_LENGTH = 10000
MAX_ENTRIES = 10


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
