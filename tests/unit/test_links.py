"""
References in the documents: each link leads to a file that exists, and to a heading in it; and the
support matrix names tests that exist.
"""

import re
from pathlib import Path

import pytest

from lab import ROOT

DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("formulas/*/README.md")]
)
FENCED_BLOCK = re.compile(r"^( *)(`{3,})[^\n]*\n.*?^\1\2 *$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def prose(text: str) -> str:
    """Return a document without its code blocks."""
    return FENCED_BLOCK.sub("", text)


def links(text: str) -> list[str]:
    """Return the relative links of a document."""
    targets = LINK.findall(INLINE_CODE.sub("code", prose(text)))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    names: set[str] = set()
    for heading in re.findall(r"^#+ (.*)", prose(text), re.MULTILINE):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        number = 0
        while (unique := f"{name}-{number}" if number else name) in names:
            number += 1
        names.add(unique)
    return names


def broken_links(path: Path) -> list[str]:
    """Return the links of a document that lead nowhere."""
    broken = []
    for link in links(path.read_text()):
        relative_path, _, anchor = link.partition("#")
        target = (path.parent / relative_path).resolve() if relative_path else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    return broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(path):
    assert broken_links(path) == []


def test_the_support_matrix_names_tests_that_exist():
    names = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/support.md").read_text()))
    files = {path.stem for path in ROOT.glob("tests/**/test_*.py")}
    assert names and names <= files, names - files


@pytest.mark.parametrize(
    "link, is_broken",
    [
        ("#two-words", False),
        ("#a-title-1", False),
        ("#missing", True),
        ("other.md#there", False),
        ("other.md#missing", True),
        ("missing.md", True),
        ("https://example.org/missing.md", False),
    ],
)
def test_a_broken_link_is_found(tmp_path, link, is_broken):
    page = tmp_path / "page.md"
    page.write_text(f"# A title\n## A title\n### `Two` words\n[text]({link})\n")
    (tmp_path / "other.md").write_text("# There\n")
    assert broken_links(page) == ([link] if is_broken else [])


def test_code_has_no_links():
    text = "````text\n```\n[a](b)\n```\n````\nand `[c](d)`, but [e](f)\n  ```sh\n  [g](h)\n  ```\n"
    assert links(text) == ["f"]


def test_every_symbolic_link_leads_to_a_file_of_the_repository():
    directories = [path for path in ROOT.iterdir() if path.name not in ("build", ".venv", ".git")]
    paths = [path for directory in directories for path in directory.rglob("*")]
    links = [path for path in paths if path.is_symlink()]
    assert links
    assert [str(path) for path in links if not path.resolve().exists()] == []
    assert [str(path) for path in links if not path.resolve().is_relative_to(ROOT)] == []
