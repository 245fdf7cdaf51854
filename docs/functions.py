"""
Writes ``docs/functions.md`` and ``docs/states.md``, the lists of the execution modules' public functions and of the states,
from their source. ``make docs`` calls it.

Order, sections and signatures are those of the source; docstrings of functions are those of the loaded ones, as some are put
together there. Salt need not be installed.
"""

import ast
import importlib
import inspect
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[1]
PAGE, STATES_PAGE = Path(__file__).with_name("functions.md"), Path(__file__).with_name("states.md")
COMMAND = "make docs"
MODULES = {"mesos": "mesos", "marathon": "mesos_marathon", "chronos": "mesos_chronos", "zk": "zk"}
HEAD = f"""# Functions of the execution modules

Written by `{COMMAND}` from the docstrings; `salt-call sys.doc mesos.summary` shows a function's whole text. Each but those of `zk` takes
`profile` and the settings of a connection, such as `url`: see [mesos](#mesosconnection), [marathon](#marathonconnection) and
[chronos](#chronosconnection).
"""

STATES_HEAD = f"""# States

Written by `{COMMAND}` from the docstrings; `salt-call sys.state_doc marathon.app_present` shows a state's whole text. What a state
changes it tells as `changes`; with `test=True` it tells the same and changes nothing. Those about a cluster take `profile` and the
settings of a connection, such as `url`: see [mesos](functions.md#mesosconnection), [marathon](functions.md#marathonconnection) and
[chronos](functions.md#chronosconnection).
"""


def loaded(source: str) -> types.ModuleType:
    """Return a module of ``_modules``, loaded with nothing of Salt but names for its exceptions."""
    exceptions = types.ModuleType("salt.exceptions")
    exceptions.CommandExecutionError = type("CommandExecutionError", (Exception,), {})
    exceptions.SaltInvocationError = type("SaltInvocationError", (Exception,), {})
    empty = {name: types.ModuleType(name) for name in ("salt", "salt.utils", "salt.utils.platform")}
    # Both are as before when this is over, so that tests in this process see none of it.
    with (
        mock.patch.dict(sys.modules, {**empty, "salt.exceptions": exceptions}),
        mock.patch.object(sys, "path", [str(ROOT / "_modules"), *sys.path]),
    ):
        return importlib.import_module(source)


def functions(source: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield section, name, arguments and docstring of each public function of a module, in the order of the source."""
    text = (ROOT / "_modules" / f"{source}.py").read_text()
    module = loaded(source)
    sections = [
        (number, found[1])
        for number, line in enumerate(text.splitlines(), 1)
        if (found := re.fullmatch(r"# --- (.+) ---", line))
    ]
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            section = next(
                (title for number, title in reversed(sections) if number < node.lineno),
                "connection" if sections else "",
            )
            name = getattr(module, "__func_alias__", {}).get(node.name, node.name)
            yield (
                section,
                name,
                ast.unparse(node.args),
                inspect.cleandoc(getattr(module, node.name).__doc__ or ""),
            )


def states(module: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, arguments and docstring of each state of a module, in the order of the source."""
    for node in ast.parse((ROOT / "_states" / f"{module}.py").read_text()).body:
        # What Salt calls where something that is watched changed is none.
        if (
            isinstance(node, ast.FunctionDef)
            and not node.name.startswith("_")
            and node.name != "mod_watch"
        ):
            yield node.name, ast.unparse(node.args), ast.get_docstring(node) or ""


def example(docstring: str, language: str = "bash") -> str:
    """Return the commands, or the YAML, of the example in a docstring, or nothing."""
    _, _, block = docstring.partition(f".. code-block:: {language}")
    lines = re.match(r"(?:[ \t]*\n|[ \t]+.*(?:\n|$))*", block)[0]
    return inspect.cleandoc(lines).strip()


def entry(name: str, arguments: str, docstring: str, language: str = "bash") -> str:
    """Return what is said of one function or state: its arguments, its first paragraph and its example."""
    first = " ".join(docstring.partition("\n\n")[0].split())
    return f"#### {name}\n\n`{name}({arguments})`\n\n{first}\n\n```{language}\n{example(docstring, language)}\n```\n"


def page() -> str:
    """Return what ``docs/functions.md`` has to be."""
    parts = [HEAD]
    for name, source in MODULES.items():
        parts.append(f"## {name}\n")
        last = None
        for section, function, arguments, docstring in functions(source):
            if section and section != last:
                parts.append(f"### {name}: {section}\n")
            last = section
            parts.append(entry(f"{name}.{function}", arguments, docstring))
    return "\n".join(parts)


def states_page() -> str:
    """Return what ``docs/states.md`` has to be."""
    parts = [STATES_HEAD]
    for module in MODULES:
        parts.append(f"## {module}\n")
        parts += [
            entry(f"{module}.{state}", arguments, docstring, "yaml")
            for state, arguments, docstring in states(module)
        ]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
    STATES_PAGE.write_text(states_page())
