"""The hooks in .pre-commit-config.yaml run what `make lint` runs."""

import re
import subprocess

import pytest
import yaml

from lab import ROOT

HOOKS = {
    hook["id"]: hook
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repository["hooks"]
}


def lint_recipe() -> str:
    """Return the commands of the target `lint`."""
    makefile = (ROOT / "Makefile").read_text()
    return re.search(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]


def test_every_linter_has_a_hook():
    recipe = lint_recipe()
    linters = set(re.findall(r"\.venv/bin/([\w-]+)", recipe))
    entries = " ".join(hook["entry"] for hook in HOOKS.values())
    assert linters
    assert [linter for linter in linters if f".venv/bin/{linter}" not in entries] == []
    assert "vagrant validate" in recipe and "vagrant validate" in entries


@pytest.mark.parametrize("name", [name for name, hook in HOOKS.items() if "files" in hook])
def test_a_hook_matches_files_of_the_repository(name):
    paths = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    hook = HOOKS[name]
    matches = [path for path in paths if re.search(hook["files"], path)]
    excluded = hook.get("exclude", "^$")
    assert [path for path in matches if not re.search(excluded, path)]
