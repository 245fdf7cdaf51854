"""_text: shortened, counted and misspelt words in messages."""

import importlib.util

import pytest

from lab import ROOT

SPEC = importlib.util.spec_from_file_location("_text", ROOT / "_modules" / "_text.py")
text = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(text)

FIELDS = [
    "args",
    "cmd",
    "constraints",
    "container",
    "env",
    "gpus",
    "healthChecks",
    "id",
    "instances",
    "labels",
    "mem",
    "networks",
    "portDefinitions",
    "ports",
    "upgradeStrategy",
    "uris",
]


@pytest.mark.parametrize(
    "word, name",
    [
        ("health_checks", "healthChecks"),
        ("healthchecks", "healthChecks"),
        ("id_", "id"),
        ("environment", "env"),
        ("upgrade", "upgradeStrategy"),
        ("port", "ports"),
        ("comand", "cmd"),
        ("command", "cmd"),
        ("cdm", "cmd"),
        ("instnaces", "instances"),
        ("nstances", "instances"),
        ("containers", "container"),
    ],
)
def test_another_spelling_an_abbreviation_and_a_misspelling_stand_for_a_name(word, name):
    assert text.similar_name(word, FIELDS) == name


@pytest.mark.parametrize(
    "word",
    [
        "$schema",
        "comment",
        "comments",
        "contact",
        "description",
        "kind",
        "maintainer",
        "name",
        "notes",
        "owner",
        "tags",
        "team",
    ],
)
def test_a_word_of_its_own_stands_for_no_name(word):
    assert text.similar_name(word, FIELDS) is None
    assert text.similar_name(word, ()) is None


def test_a_word_that_is_not_text_stands_for_no_name():
    assert text.similar_name(5, FIELDS) is None


@pytest.mark.parametrize(
    "number, words", [(1, "1 second"), (1.0, "1 second"), (2.5, "2.5 seconds"), (0, "0 seconds")]
)
def test_only_one_is_singular(number, words):
    assert text.plural(number, "second") == words
