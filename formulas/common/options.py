#!py
"""
Which options a version of Marathon or Chronos has. Both formulas have a table in their options.py.

One option a line: its name, its type, and the versions that have it. ``1.5.7-1.6.0 1.6.322`` are
1.5.7 and later ones before 1.6.0, and all from 1.6.322 on. Types:

    text     any text                       toggle   no value; off with disable_ before the name
    integer  an integer                     switch   no value, off by default
    number   a number                       fixed    no value, on by default: nothing turns it off
"""

import re

table, oldest, newest, version = "", "", "", ""


def run():
    """
    Return the options of a version.

    Keywords: ``table``; ``oldest`` and ``newest``, the minor versions in the table; ``version``. A
    later version gets the options of the newest, and so does text that is not a version.

    ``types``
        Name -> type, of the options of this version.

    ``ranges``
        Name -> the versions that have it, of the other options: ``[["1.5.7", "1.6.0"]]``. The last
        end is None if the newest version has the option.

    ``is_complete``
        Whether the table has this version, so that any other option is unknown.
    """
    is_version = re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}", str(version))
    numbers = _numbers(version)
    is_complete = _numbers(oldest) <= numbers[:2] <= _numbers(newest)
    if not is_version or numbers[:2] > _numbers(newest):
        numbers = (*_numbers(newest), 10**9)
    types, ranges = {}, {}
    for line in filter(None, table.splitlines()):
        name, option_type, *texts = line.split()
        spans = [_span(text) for text in texts]
        if any(_is_in(numbers, span) for span in spans):
            types[name] = option_type
        ranges.setdefault(name, []).extend(spans)
    ranges = {name: spans for name, spans in ranges.items() if name not in types}
    if not is_version:
        return {"types": types, "ranges": {}, "is_complete": False}
    return {"types": types, "ranges": ranges, "is_complete": is_complete}


def _span(text):
    """Return ``1.5.7-1.6.0`` as a list: the first version, and the first without the option."""
    start, _, end = text.partition("-")
    return [start, end or None]


def _is_in(numbers, span):
    start, end = span
    return _numbers(start) <= numbers and (end is None or numbers < _numbers(end))


def _numbers(text):
    """Return ``1.4.13`` as (1, 4, 13), to compare it."""
    return tuple(int(number) for number in re.findall("[0-9]+", str(text))[:3])
