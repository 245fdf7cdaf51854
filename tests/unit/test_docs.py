"""
docs/functions.md and docs/states.md match the docstrings, which document every argument, and
docs/troubleshoot.md the messages about restarts.
"""

import ast
import importlib.util
import re
import textwrap

import pytest
import yaml

from lab import ROOT

SPEC = importlib.util.spec_from_file_location("functions_page", ROOT / "docs" / "functions.py")
generator = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generator)

DOCSTRING = """
Return an app.

Looks it up.

app
    Id of the app,
    text.

limit, offset
    Numbers:

    * first item

profile, connection
    See ``marathon.connection``.

Returns a mapping.

CLI Example:

.. code-block:: bash

    salt-call marathon.app /web
""".strip()


@pytest.mark.parametrize(
    "path, page",
    [
        (generator.FUNCTIONS_PAGE, generator.functions_page),
        (generator.STATES_PAGE, generator.states_page),
    ],
    ids=["functions", "states"],
)
def test_pages_match_the_docstrings(path, page):
    assert path.read_text() == page(), (
        f"docs/{path.name} does not match the docstrings: run `{generator.COMMAND}` and commit it"
    )


def undocumented(docstrings):
    return [name for name, text in docstrings.items() if not text or text.startswith("..")]


@pytest.mark.parametrize("module", generator.MODULES)
def test_each_function_has_a_summary_and_an_example_of_itself(module):
    entries = generator.functions(generator.MODULES[module])
    docstrings = {name: text for _, name, _, text in entries}
    assert docstrings
    assert undocumented(docstrings) == []
    for name, text in docstrings.items():
        assert f"{module}.{name}" in generator.example(text), name


@pytest.mark.parametrize("module", generator.RUNNERS)
def test_each_function_of_a_runner_has_a_summary_and_an_example_of_itself(module):
    docstrings = {name: text for name, _, text in generator.runners(module)}
    assert docstrings
    assert undocumented(docstrings) == []
    for name, text in docstrings.items():
        assert f"salt-run {module}.{name}" in generator.example(text), name


@pytest.mark.parametrize("module", generator.STATE_MODULES)
def test_each_state_has_a_summary_and_an_example_of_itself(module):
    docstrings = {name: text for name, _, text in generator.states(module)}
    assert docstrings
    assert undocumented(docstrings) == []
    for name, text in docstrings.items():
        assert f"{module}.{name}:" in generator.example(text, "yaml"), name


@pytest.mark.parametrize("module", generator.STATE_MODULES)
def test_each_argument_of_a_state_is_documented(module):
    for name, signature, text in generator.states(module):
        documented = set()
        for names, _ in generator.parse(text).arguments:
            documented |= set(names.replace("*", "").split(", "))
        parameters = {part.partition("=")[0].strip(" *") for part in signature.split(", ")}
        assert parameters <= documented, f"{module}.{name}"


def test_a_missing_example_is_detected():
    assert generator.example("Show an app.\n\nReturns it.") == ""
    assert generator.example("Ensure that an app exists.", "yaml") == ""


def test_an_entry_lists_arguments_result_and_example():
    assert generator.entry("marathon.app", "app, limit=1", DOCSTRING) == (
        "#### marathon.app\n\n`marathon.app(app, limit=1)`\n\nReturn an app.\n\nLooks it up.\n\n"
        "* `app`:\n  Id of the app,\n  text.\n"
        "* `limit`, `offset`:\n  Numbers:\n\n  * first item\n\n"
        "Returns a mapping.\n\n"
        "```bash\nsalt-call marathon.app /web\n```\n"
    )


# --- docs/troubleshoot.md ---


def messages(path):
    """Return the texts in a Python file, with an ellipsis for each value in an f-string."""
    texts = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            parts = [getattr(value, "value", None) for value in node.values]
            texts.append("".join(part if isinstance(part, str) else "..." for part in parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
    return texts


def test_the_messages_about_restarts_are_those_of_the_states():
    page = (ROOT / "docs" / "troubleshoot.md").read_text()
    section = page.partition("\n## Restarts and turns\n")[2].partition("\n## ")[0]
    titles = re.findall("^### (.*)", section, re.MULTILINE)
    fragments = {
        fragment.strip()
        for title in titles
        for message in re.findall("`(.*?)`", title)
        for fragment in re.split(r"\.\.\.|: |\. |\d+ seconds", message)
        if fragment.strip()
    }
    assert {"was not touched", "did not get a turn within", "has not been ready since"} < fragments
    files = ["_states/daemon.py", "_states/_ready.py", "_modules/_turn.py", "_modules/cluster.py"]
    texts = [text for file in files for text in messages(ROOT / file)]
    missing = [text for text in fragments if not any(text in message for message in texts)]
    assert missing == []


# --- docs/operate.md ---


def schedules():
    """Return the jobs of Salt's scheduler in the YAML of docs/operate.md, by name."""
    text = (ROOT / "docs" / "operate.md").read_text()
    blocks = re.findall(r"^ *```yaml\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    jobs = {}
    for block in blocks:
        settings = yaml.safe_load(textwrap.dedent(block))
        jobs.update(settings.get("schedule", {}))
    return jobs


@pytest.mark.parametrize("name", ["cluster-backup", "cluster-metrics"])
def test_a_documented_schedule_calls_a_function_with_arguments_that_it_has(name):
    assert set(schedules()) == {"cluster-backup", "cluster-metrics"}
    job = schedules()[name]
    module, function = job["function"].split(".")
    # The scheduler of a Salt master calls runners, that of a minion execution functions.
    signatures = {entry[0]: entry[1] for entry in generator.runners(module)}
    if name == "cluster-metrics":
        signatures = {entry[1]: entry[2] for entry in generator.functions(module)}
    parameters = {part.partition("=")[0] for part in signatures[function].split(", ")}
    assert set(job["kwargs"]) <= parameters
    assert len({"cron", "seconds", "hours"} & set(job)) == 1
    assert set(job) <= {"function", "kwargs", "cron", "seconds", "return_job"}
    assert re.fullmatch(r"\d+ \d+( \*){3}", job.get("cron", "0 0 * * *"))
