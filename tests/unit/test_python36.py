"""What salt-ssh takes to a host runs on the Python of EL7, 3.6: the modules and states, and the programs that templates run there."""

import ast
import subprocess

import pytest

from lab import ROOT, ssh

SENT = sorted(
    [*ROOT.glob("_modules/*.py"), *ROOT.glob("_states/*.py"), *ROOT.glob("formulas/*/plan.py")]
)

# From 3.7 on: what has bitten, or lies near at hand. Those that are asked for first (hasattr, try) do no harm.
NEWER_METHODS = {
    "removeprefix",
    "removesuffix",
    "isascii",
    "time_ns",
    "nullcontext",
    "fromisocalendar",
}
NEWER_MODULES = {"dataclasses", "tomllib", "contextvars"}
NEWER_ARGUMENTS = {"strict": "zip", "capture_output": "run", "text": "run", "missing_ok": "unlink"}


@pytest.mark.parametrize("path", SENT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_its_syntax_and_what_it_calls_are_those_of_python_3_6(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    assert list(newer(tree)) == []
    if python := ssh.python36():  # who knows better, where there is one
        program = (
            "import sys; compile(open(sys.argv[1], encoding='utf-8').read(), sys.argv[1], 'exec')"
        )
        subprocess.run([python, "-c", program, path], check=True)


def newer(tree: ast.AST):
    """What Python 3.6 has not, each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in NEWER_METHODS:
            yield node.lineno, node.attr
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [node.module]
                if isinstance(node, ast.ImportFrom)
                else [name.name for name in node.names]
            )
            yield from (
                (node.lineno, name)
                for name in names
                if name in NEWER_MODULES or name == "__future__"
            )
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            yield from (
                (node.lineno, f"{called}({each.arg}=)")
                for each in node.keywords
                if NEWER_ARGUMENTS.get(each.arg) == called
            )
            if called == "isinstance" and isinstance(node.args[1], ast.BinOp):
                yield node.lineno, "isinstance(..., a | b)"
        elif isinstance(node, ast.AnnAssign) and isinstance(
            node.annotation, ast.BinOp | ast.Subscript
        ):
            yield node.lineno, ast.unparse(node.annotation)  # in quotes it is not evaluated
