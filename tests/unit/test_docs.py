"""docs/functions.md and docs/states.md match the docstrings, and everything has an example."""

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
def test_the_pages_match_the_docstrings(path, page):
    assert path.read_text() == page(), (
        f"docs/{path.name} differs from the docstrings: run `{generator.COMMAND}` and commit it"
    )


@pytest.mark.parametrize("module", generator.MODULES)
def test_each_function_has_a_first_line_and_an_example(module):
    docstrings = {name: text for _, name, _, text in generator.functions(generator.MODULES[module])}
    assert docstrings
    assert [name for name, text in docstrings.items() if not text or text.startswith("..")] == []
    assert [
        name
        for name, text in docstrings.items()
        if f"{module}.{name}" not in generator.example(text)
    ] == []


@pytest.mark.parametrize("module", generator.MODULES)
def test_each_state_has_a_first_line_and_an_example(module):
    docstrings = {name: text for name, _, text in generator.states(module)}
    assert docstrings
    assert [name for name, text in docstrings.items() if not text or text.startswith("..")] == []
    assert [
        name
        for name, text in docstrings.items()
        if f"{module}.{name}:" not in generator.example(text, "yaml")
    ] == []


def test_a_missing_example_is_detected():
    assert (
        generator.example("Show an app.\n\nReturns it.")
        == generator.example("Ensure an app.", "yaml")
        == ""
    )
