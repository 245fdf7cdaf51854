"""Settings with an error stop rendering with one message, and nothing is applied."""

import pytest

from .cases import ERRORS, NODE


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_stops_rendering_and_is_named(rendered, name):
    answer = rendered[name]
    assert "states" not in answer, "rendered without an error"
    assert len(answer["errors"]) == 1, "\n".join(answer["errors"])
    message = answer["errors"][0]
    for text in (*ERRORS[name][1], NODE):
        assert text in message
    assert "Traceback" not in message
    # One error is one line, which begins with the SLS that Salt names.
    assert message.startswith("Rendering SLS 'base:common.refuse' failed: ")
    assert len(message.splitlines()) == 1, message
