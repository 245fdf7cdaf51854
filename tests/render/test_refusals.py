"""Wrong input stops rendering with one clear message, and nothing is applied."""

import pytest

from .cases import NODE, REFUSALS


@pytest.mark.parametrize("name", REFUSALS)
def test_a_mistake_is_refused_by_name(rendered, name):
    answer = rendered[name]
    assert "states" not in answer, "rendered as if nothing were wrong"
    assert len(answer["errors"]) == 1, "\n".join(answer["errors"])
    message = answer["errors"][0]
    for word in (*REFUSALS[name][1], NODE):
        assert word in message
    assert "Traceback" not in message
    # One mistake, one sentence, below the line in which Salt says which SLS refuses.
    assert message.startswith("Rendering SLS 'base:common.refuse' failed: ")
    assert len(message.splitlines()) == 1, message
