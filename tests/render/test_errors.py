"""
Settings with an error stop rendering with one message, and nothing is applied.

Only Salt 3008 renders them: test_topology.py and test_single.py show that 3006 reports the errors
of validation in the same way.
"""

import pytest

from .cases import ERRORS, NODE

LINE = "3008"


@pytest.fixture(scope="module")
def answers(render) -> dict[str, dict]:
    return render({name: case for name, (case, _) in ERRORS.items()}, lines=[LINE])[LINE]


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_stops_rendering_and_is_reported(answers, name):
    answer = answers[name]
    assert "states" not in answer, "rendered without an error"
    assert len(answer["errors"]) == 1, "\n".join(answer["errors"])
    message = answer["errors"][0]
    for text in (*ERRORS[name][1], NODE):
        assert text in message
    assert "Traceback" not in message
    # One error is one line, which begins with the SLS that Salt names.
    assert message.startswith("Rendering SLS 'base:common.invalid' failed: ")
    assert len(message.splitlines()) == 1, message
