"""States and files of each node; both Salt lines must render the same.

``pytest tests/render --update-golden`` writes the files.
"""

from pathlib import Path

import pytest

from lab import SALT_LINES

from .cases import EQUIVALENT, NODES
from .node_text import node_text

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", NODES)
def test_a_node_gets_the_states_and_files_in_its_golden_file(rendered, name, request):
    answer = rendered[name]
    assert "errors" not in answer, "\n".join(answer["errors"])
    text = node_text(answer, NODES[name].get("shows", ""))
    path = GOLDEN / f"{name}.txt"
    # The first line writes the file, and the second must render the same.
    if (
        request.config.getoption("--update-golden")
        and request.node.callspec.params["rendered"] == SALT_LINES[0]
    ):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text)
    assert text.splitlines() == path.read_text().splitlines()


def test_every_golden_file_has_a_case():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(NODES)


@pytest.mark.parametrize("name", EQUIVALENT)
def test_equivalent_settings_render_to_the_same(rendered, name):
    _, expected_name = EQUIVALENT[name]
    answer, expected = rendered[name], rendered[expected_name]
    assert answer["files"] == expected["files"]
    ids, expected_ids = (
        [state["id"] for state in states] for states in (answer["states"], expected["states"])
    )
    assert ids == expected_ids
