"""Names in product code, lab and tests are nouns of the domain, and no line is too long."""

import ast
import collections
import re
from pathlib import Path

import pytest

from lab import ROOT

# The numbers of vague names and of long lines, as measured.
MAX_VAGUE_NAMES = 0
MAX_VAGUE_NAMES_IN_TESTS = 4
MAX_LONG_LINES = 0
MAX_COLUMNS = 100
WORST_FILES = 10

# Pronouns, participles and other words that do not say what a name stands for.
WORD_LIST = """
    found each given said told wanted known made kept shown gone lacking other others thing things
    stuff how what asked taken left right_ seen held meant named wrong whole one_ here there rest
    own more most few last first
"""
VAGUE_WORDS = set(WORD_LIST.split())
PRODUCT_FOLDERS = (
    "_modules",
    "_states",
    "_runners",
    "_beacons",
    "formulas",
    "pillar",
    "salt",
    "conf",
)
LAB_FOLDERS = ("lab", "tests/lab")
TEST_FOLDERS = ("tests",)
# Functions and arguments that users call by name.
PUBLIC_NAMES = {
    "_modules/cluster.py": {"held"},
    "_modules/mesos.py": {"whole"},
}
PYTHON_FIRST_LINE = re.compile(rb"#!.*\bpy(?:thon\d*(?:\.\d+)?)?\b")


@pytest.fixture(scope="module")
def paths() -> list[Path]:
    """The Python files of the product and the lab."""
    return python_files(ROOT)


@pytest.fixture(scope="module")
def paths_of_tests() -> list[Path]:
    """The Python files of the tests."""
    return python_files(ROOT, TEST_FOLDERS)


def test_there_is_no_vague_name(paths):
    check_names(paths, MAX_VAGUE_NAMES)


def test_the_number_of_vague_names_in_tests_is_below_the_limit(paths_of_tests):
    check_names(paths_of_tests, MAX_VAGUE_NAMES_IN_TESTS)


def check_names(paths: list[Path], limit: int) -> None:
    """Assert that the number of vague names in the files is at most the limit."""
    total, vague_by_path = count_names(paths)
    vague = sum(len(names) for names in vague_by_path.values())
    share = vague / total
    report = f"{vague} of {total} bound names are vague ({share:.1%})\n{worst(vague_by_path)}"
    print(report)
    assert vague <= limit, report


def test_the_number_of_long_lines_is_below_the_limit(paths, paths_of_tests):
    long_lines_by_path = {path: long_lines(path.read_text()) for path in paths + paths_of_tests}
    total = sum(len(numbers) for numbers in long_lines_by_path.values())
    report = f"{total} lines exceed {MAX_COLUMNS} columns\n{worst(long_lines_by_path)}"
    print(report)
    assert total <= MAX_LONG_LINES, report


@pytest.mark.parametrize(
    "code",
    [
        "found = 1",
        "(app, each) = pair",
        "first, *rest = apps",
        "for each in apps: pass",
        "apps = [app for app, said in pairs]",
        "with open(path) as given: pass",
        "try: pass\nexcept ValueError as told: pass",
        "def update(wanted): pass",
        "def update(*, wanted=None): pass",
        "def update(*others): pass",
        "def update(**others): pass",
        "def _known(): pass",
        "async def known(): pass",
        "class kept: pass",
        "class App:\n    shown: int",
        "self.made = 1",
        "one_ = 1",
        "right_ = 1",
        "lambda each: each.name",
        "import json as other",
        "if (found := apps): pass",
    ],
)
def test_a_vague_name_is_counted(code):
    names = [name for _, name in bound_names(code)]
    assert sum(is_vague(name) for name in names) == 1 + (code == "first, *rest = apps")


@pytest.mark.parametrize(
    "code",
    [
        "apps = found",
        "known_jobs = 1",
        "call(each=1)",
        "app.found()",
        "'found = 1'",
        "right = 1",
        "import first.last",
        "del found",
    ],
)
def test_other_names_and_uses_are_not_counted(code):
    assert not [name for _, name in bound_names(code) if is_vague(name)]


def test_a_vague_name_is_reported_with_its_file_and_line(tmp_path):
    path = tmp_path / "apps.py"
    path.write_text("apps = []\nfound = apps\n")
    total, vague_by_path = count_names([path])
    assert (total, vague_by_path) == (2, {path: ["2 found"]})
    assert worst(vague_by_path) == f"  1 {path}: 2 found"


def test_a_long_line_is_counted():
    fits, too_long = "#" * MAX_COLUMNS, "#" * (MAX_COLUMNS + 1)
    assert long_lines(f"{fits}\n{too_long}\n{fits}\n") == ["2"]


def test_all_python_files_of_product_lab_and_tests_are_read(tmp_path, paths, paths_of_tests):
    files = {
        "_modules/mesos.py": "",
        "formulas/mesos/plan.py": "#!py",
        "formulas/mesos/init.sls": "include: []",
        "pillar/topology.sls": "#!py\n",
        "conf/roster": "#!py\n",
        "conf/install-salt": "#!/bin/sh\n",
        "lab/cli.py": "",
        "lab/fakes/launcher": "#!/usr/bin/env python3.11\n",
        "tests/lab/moved.py": "",
        "tests/unit/test_cli.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "salt").mkdir()
    (tmp_path / "salt" / "_modules").symlink_to("../_modules")
    assert [str(path.relative_to(tmp_path)) for path in python_files(tmp_path)] == [
        "_modules/mesos.py",
        "conf/roster",
        "formulas/mesos/plan.py",
        "lab/cli.py",
        "lab/fakes/launcher",
        "pillar/topology.sls",
    ]
    repository = {str(path.relative_to(ROOT)) for path in paths}
    assert {"_modules/mesos.py", "conf/roster", "pillar/topology.sls"} <= repository
    assert Path(__file__) in paths_of_tests
    assert {path.relative_to(ROOT / "tests").parts[0] for path in paths_of_tests} >= {
        "unit",
        "render",
        "integration",
        "testinfra",
        "bench",
    }


def python_files(root: Path, names: tuple[str, ...] = ()) -> list[Path]:
    """
    Return the Python files in some folders: by extension, or by the first line.

    By default those of the product and the lab.
    """
    if not names:
        lab = next(folder for folder in LAB_FOLDERS if (root / folder).is_dir())
        names = (*PRODUCT_FOLDERS, lab)
    folders = [root / name for name in names]
    # Salt's folders in salt/ are links to those in the root; rglob does not follow them.
    return sorted(path for folder in folders for path in folder.rglob("*") if is_python(path))


def is_python(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    if path.suffix == ".py":
        return True
    with path.open("rb") as file:
        return bool(PYTHON_FIRST_LINE.match(file.readline(200)))


def count_names(paths: list[Path]) -> tuple[int, dict[Path, list[str]]]:
    """Return how many names the files bind, and the vague ones with their lines by file."""
    total = 0
    vague_by_path = collections.defaultdict(list)
    for path in paths:
        public_names = PUBLIC_NAMES.get(relative_name(path), ())
        for line, name in sorted(bound_names(path.read_text())):
            total += 1
            if is_vague(name) and name not in public_names:
                vague_by_path[path].append(f"{line} {name}")
    return total, dict(vague_by_path)


def bound_names(code: str):
    """Yield line and name of each variable, parameter, attribute, function, class and import."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                yield node.lineno, name
            case ast.alias(asname=str(name)):
                yield node.lineno, name


def is_vague(name: str) -> bool:
    """Also with leading underscores and in capitals, as of private functions and constants."""
    return name.lstrip("_").lower() in VAGUE_WORDS


def long_lines(code: str) -> list[str]:
    """Return the numbers of the lines that are too long."""
    lines = enumerate(code.splitlines(), start=1)
    return [str(number) for number, line in lines if len(line) > MAX_COLUMNS]


def worst(places_by_path: dict[Path, list[str]]) -> str:
    """Describe the files with the most places, one a line."""
    ordered = sorted(places_by_path.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    lines = []
    for path, places in ordered[:WORST_FILES]:
        if places:
            examples = ", ".join(places[:5])
            lines.append(f"{len(places):3} {relative_name(path)}: {examples}")
    return "\n".join(lines)


def relative_name(path: Path) -> str:
    """Return the path in the repository; other paths remain absolute."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
