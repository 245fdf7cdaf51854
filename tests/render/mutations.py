"""Mutations of pillar and of the topology, by a random generator with a seed."""

import copy
import datetime
import random

VALUES = (
    *(None, True, False, 0, 1, -1, 1.5, 65536, 10**20, 10**4000, float("inf"), float("nan")),
    *(
        "",
        " ",
        "a",
        "2",
        "yes",
        "true",
        "null",
        "20secs",
        "-5",
        "a b",
        "a,b",
        "a:b",
        "/a b",
        "/srv",
    ),
    *("10.0.0.1", "10.0.0.0/8", "host.example.org:80", "http://a.example.org/x", "file:///etc/x"),
    "zk://10.0.0.1:2181,10.0.0.2:2181/x",
    """quote " and ' and $HOME and `id` and %n and ; and # and \\ end""",
    *("$(id)", "`id`", "a\\", "a ;b", "<a>&b", "[1-2]", "{a,b}", "{{ 1 }}", "- a: b", "# a", "'"),
    *(
        "line\nbreak",
        "carriage\rreturn",
        "tab\tb",
        "\0",
        "\x1b[31m",
        "a\u2028b",
        " a ",
        "Zoë \u2603",
    ),
    "x" * 10_000,
    *([], [None], ["a"], ["a", "b"], [1, "a"], ["a\nb"], [["a"]], [{}], [{"a": 1}], ["10.0.0.1"]),
    *({}, {"a": 1}, {"a": None}, {"a": {"b": [1]}}, {5: "x"}, {True: "x"}, {None: 1}),
    *({5: 1, "a": 2}, {"a b": 1}, {"": 1}, {"a\nb": 1}, {"quote\"'$": 1}),
    datetime.date(2026, 1, 1),
    {"a": datetime.date(2026, 1, 1)},
    b"bytes",
)
KEYS = ("", "a", "a b", "A", "a-b", "a\nb", "a:b", "$(id)", "a]", "Zoë", "?a", 5, 1.5, True, None)


def paths(value: object, prefix: tuple = ()) -> list[tuple]:
    """Return the paths of all values in a document."""
    all_paths = [prefix] if prefix else []
    items = value.items() if isinstance(value, dict) else []
    if isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        all_paths += paths(item, (*prefix, key))
    return all_paths


def mutate(document: dict, generator: random.Random) -> tuple[dict, tuple]:
    """Return a copy of a document with one mutation, and the path of what was changed."""
    mutated = copy.deepcopy(document)
    path = generator.choice(paths(document))
    *sections, key = path
    parent = mutated
    for section in sections:
        parent = parent[section]
    kind = generator.choice(["value", "value", "value", "key", "typing error", "missing"])
    if kind == "value" or isinstance(parent, list):
        parent[key] = copy.deepcopy(generator.choice(VALUES))
    elif kind == "key":
        parent[generator.choice(KEYS)] = copy.deepcopy(generator.choice(VALUES))
    elif kind == "typing error":
        text = str(key)
        position = generator.randrange(len(text) + 1)
        parent[text[:position] + text[position + 1 :]] = parent.pop(key)
    else:
        del parent[key]
    return mutated, path
