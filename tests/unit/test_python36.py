"""
What salt-ssh copies to hosts runs on the Python of EL7, 3.6: modules, states and plan.py files.
"""

import ast
import subprocess

import pytest

from lab import ROOT, ssh

PATHS = sorted(
    [
        *ROOT.glob("_modules/*.py"),
        *ROOT.glob("_states/*.py"),
        *ROOT.glob("formulas/*/plan.py"),
        *(ROOT / f"formulas/common/{name}.py" for name in ("options", "settings", "tree")),
    ]
)

# New in 3.7 or later, and likely to be used by mistake.
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


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_uses_only_syntax_and_functions_of_python_3_6(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    assert list(newer_features(tree)) == []
    if python := ssh.python36():  # The interpreter itself, if it is installed.
        program = (
            "import sys; compile(open(sys.argv[1], encoding='utf-8').read(), sys.argv[1], 'exec')"
        )
        subprocess.run([python, "-c", program, path], check=True)


def newer_features(tree: ast.AST):
    """Yield line and name of each use of what Python 3.6 does not have."""
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
                (node.lineno, f"{called}({keyword.arg}=)")
                for keyword in node.keywords
                if NEWER_ARGUMENTS.get(keyword.arg) == called
            )
            if called == "isinstance" and isinstance(node.args[1], ast.BinOp):
                yield node.lineno, "isinstance(..., a | b)"
        elif isinstance(node, ast.AnnAssign) and isinstance(
            node.annotation, ast.BinOp | ast.Subscript
        ):
            yield node.lineno, ast.unparse(node.annotation)  # In quotes it would not be evaluated.
