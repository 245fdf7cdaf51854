"""What a node gets, to the letter, from both Salt lines. ``pytest tests/render --update-golden`` writes it anew."""

from pathlib import Path

import pytest

from lab import SALT_LINES

from .cases import NODES, SAME
from .portrait import portrait

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", NODES)
def test_a_node_gets_what_the_golden_file_says(rendered, name, request):
    answer = rendered[name]
    assert "errors" not in answer, "\n".join(answer["errors"])
    found = portrait(answer, NODES[name].get("shows", ""))
    path = GOLDEN / f"{name}.txt"
    # The first line writes, the others have to agree.
    if (
        request.config.getoption("--update-golden")
        and request.node.callspec.params["rendered"] == SALT_LINES[0]
    ):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(found)
    assert found.splitlines() == path.read_text().splitlines()


def test_no_golden_file_is_left_over():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(NODES)


@pytest.mark.parametrize("name", SAME)
def test_two_ways_to_say_the_same(rendered, name):
    _, other = SAME[name]
    assert rendered[name]["files"] == rendered[other]["files"]
    assert [state["id"] for state in rendered[name]["states"]] == [
        state["id"] for state in rendered[other]["states"]
    ]
