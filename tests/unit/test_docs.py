"""docs/functions.md and docs/states.md are what the docstrings say, and each function and state has an example."""

import importlib.util

import pytest

from lab import ROOT

SPEC = importlib.util.spec_from_file_location("functions_page", ROOT / "docs" / "functions.py")
generator = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generator)


@pytest.mark.parametrize(
    "path, page",
    [(generator.PAGE, generator.page), (generator.STATES_PAGE, generator.states_page)],
    ids=["functions", "states"],
)
def test_pages_are_what_the_docstrings_say(path, page):
    assert path.read_text() == page(), (
        f"docs/{path.name} is not what the docstrings say: run `{generator.COMMAND}` and commit it"
    )


@pytest.mark.parametrize("module", generator.MODULES)
def test_each_function_has_a_first_line_and_an_example_of_its_own(module):
    found = {name: text for _, name, _, text in generator.functions(generator.MODULES[module])}
    assert found
    assert [name for name, text in found.items() if not text or text.startswith("..")] == []
    assert [
        name for name, text in found.items() if f"{module}.{name}" not in generator.example(text)
    ] == []


@pytest.mark.parametrize("module", generator.MODULES)
def test_each_state_has_a_first_line_and_an_example_of_its_own(module):
    found = {name: text for name, _, text in generator.states(module)}
    assert found
    assert [name for name, text in found.items() if not text or text.startswith("..")] == []
    assert [
        name
        for name, text in found.items()
        if f"{module}.{name}:" not in generator.example(text, "yaml")
    ] == []


def test_what_has_no_example_is_seen():
    assert (
        generator.example("Show a thing.\n\nReturns it.")
        == generator.example("Keep a thing.", "yaml")
        == ""
    )
