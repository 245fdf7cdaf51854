"""docs/functions.md is what the docstrings of the modules say, and each public function has an example."""

import importlib.util

import pytest

from lab import ROOT

SPEC = importlib.util.spec_from_file_location("functions_page", ROOT / "docs" / "functions.py")
generator = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generator)


def test_page_is_what_the_docstrings_say():
    current = generator.PAGE.read_text() == generator.page()
    assert current, f"docs/functions.md is not what the docstrings say: run `{generator.COMMAND}` and commit it"


@pytest.mark.parametrize("module", generator.MODULES)
def test_each_function_has_a_first_line_and_an_example_of_its_own(module):
    found = {name: text for _, name, _, text in generator.functions(generator.MODULES[module])}
    assert found
    assert [name for name, text in found.items() if not text or text.startswith("..")] == []
    assert [name for name, text in found.items() if f"{module}.{name}" not in generator.example(text)] == []


def test_function_without_an_example_is_seen():
    assert generator.example("Show a thing.\n\nReturns it.") == ""
