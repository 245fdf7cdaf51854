"""in_process.py renders the same as the real Salt."""

import copy

import pytest

from lab import SALT_LINES

from .cases import NODES
from .in_process import FILE_SLS, Formulas, Minion

FORMULAS = Formulas()
NAMES = [name for name in NODES if name.startswith("example-") or name == "standalone"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("line", SALT_LINES)
def test_files_are_equal_to_those_of_salt(answers, line, name):
    case = NODES[name]
    roles = case["grains"]["roles"]
    node = Minion(FORMULAS, copy.deepcopy(case["pillar"]), roles)
    assert node.errors() == []
    expected = answers[line][name]["files"]
    formulas = [case["shows"]] if "shows" in case else FILE_SLS
    for formula in formulas:
        for path, contents in node.files(formula).items():
            if isinstance(contents, str):
                assert contents.rstrip("\n") == expected[path]["contents"].rstrip("\n"), path


def test_errors_are_equal_to_those_of_salt(render):
    pillar = {"marathon": {"options": {"Name": "x"}}, "mesos": {"weights": {"web": "2"}}}
    case = {"id": "lxdev01", "grains": {"roles": ["marathon"]}, "pillar": pillar}
    expected = Minion(FORMULAS, pillar, ["marathon"]).errors()
    for answers in render({"wrong": {**case, "only": "validation"}}).values():
        assert answers["wrong"]["validation"] == expected
