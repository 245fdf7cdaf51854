"""The real Salt of each line renders all cases once. The tests look at the answers."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from lab import ROOT, SALT_LINES, plan

from .cases import EQUIVALENT, NODES


@pytest.hookimpl(tryfirst=True)  # Before xdist.
def pytest_collection_modifyitems(items):
    """Keep these tests in one worker: most of them share one rendering."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("render"))


@pytest.fixture(scope="session")
def render(tmp_path_factory):
    """
    Return a function: cases by name -> Salt line -> name of the case -> answer. The lines, by
    default both, render at the same time.

    A case may have a ``topology``, as data, text or bytes, instead of the repository's, or
    ``topologies``, data or text by the name of the file, and ``settings`` with it instead of
    pillar/settings.sls, and ``secrets``, name of a file -> text.
    """

    def with_pillar_root(case: dict) -> dict:
        case = dict(case)
        if "topology" not in case and "topologies" not in case:
            return case
        directory = tmp_path_factory.mktemp("pillar")
        topologies = case.pop("topologies", None)
        if topologies is not None:
            (directory / "topologies").mkdir()
        for name, contents in (topologies or {}).items():
            text = contents
            if not isinstance(contents, str):
                text = yaml.safe_dump(contents, sort_keys=False)
            (directory / "topologies" / name).write_text(text)
        # topology.sls reads the file beside this link.
        (directory / "topology.sls").symlink_to(ROOT / "pillar/topology.sls")
        contents = case.get("topology")
        if isinstance(contents, dict | list):
            contents = yaml.safe_dump(contents, sort_keys=False)
        if isinstance(contents, str):
            contents = contents.encode()
        if contents is not None:
            (directory / "topology.yaml").write_bytes(contents)
        (directory / "settings.sls").write_text(yaml.safe_dump(case.get("settings", {})))
        for name, text in case.get("secrets", {}).items():
            path = directory / "secrets" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return {**case, "topology": None, "pillar_roots": [str(directory)], "site": True}

    def run(cases: dict[str, dict], lines=SALT_LINES) -> dict[str, dict[str, dict]]:
        complete_cases = [with_pillar_root(case) for case in cases.values()]
        with ThreadPoolExecutor() as pool:
            answers = pool.map(lambda line: plan.render(line, complete_cases), lines)
            return {
                line: dict(zip(cases, line_answers, strict=True))
                for line, line_answers in zip(lines, answers, strict=True)
            }

    return run


@pytest.fixture(scope="session")
def answers(render) -> dict[str, dict[str, dict]]:
    """The answers of Salt for every node, and for equivalent settings."""
    return render({**NODES, **{name: case for name, (case, _) in EQUIVALENT.items()}})


@pytest.fixture(params=SALT_LINES)
def rendered(request, answers) -> dict[str, dict]:
    """The answers of one Salt line, by the name of the case."""
    return answers[request.param]
