"""All cases go through the real Salt of each line once; the tests look at the answers."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from lab import ROOT, SALT_LINES, plan

from .cases import NODES, REFUSALS, SAME


@pytest.hookimpl(tryfirst=True)  # before xdist looks
def pytest_collection_modifyitems(items):
    """Where tests run on several processors, these stay on one: most share what is rendered once."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("render"))


@pytest.fixture(scope="session")
def render(tmp_path_factory):
    """
    A function: cases by name -> what Salt makes of them, Salt line -> name of the case -> answer. The lines work side by side.

    A case may have a ``table``, as data, text or bytes, which then stands in the place of the repository's; and ``settings``
    with it, in the place of pillar/settings.sls.
    """

    def lay(case: dict) -> dict:
        if "table" not in case:
            return case
        place = tmp_path_factory.mktemp("table")
        # The table is looked for beside this link, not where it leads to.
        (place / "topology.sls").symlink_to(ROOT / "pillar/topology.sls")
        table = case["table"]
        if table is not None:
            text = (
                table if isinstance(table, str | bytes) else yaml.safe_dump(table, sort_keys=False)
            )
            (place / "topology.yaml").write_bytes(
                text if isinstance(text, bytes) else text.encode()
            )
        (place / "settings.sls").write_text(yaml.safe_dump(case.get("settings", {})))
        return {**case, "table": None, "pillar_roots": [str(place)], "site": True}

    def run(cases: dict[str, dict]) -> dict[str, dict[str, dict]]:
        laid = [lay(case) for case in cases.values()]
        with ThreadPoolExecutor() as pool:
            rendered = pool.map(lambda line: plan.render(line, laid), SALT_LINES)
            return {
                line: dict(zip(cases, found, strict=True))
                for line, found in zip(SALT_LINES, rendered, strict=True)
            }

    return run


@pytest.fixture(scope="session")
def answers(render) -> dict[str, dict[str, dict]]:
    """What Salt makes of every node, and of every mistake that is refused."""
    return render(
        {**NODES, **{name: case for name, (case, _) in [*SAME.items(), *REFUSALS.items()]}}
    )


@pytest.fixture(params=SALT_LINES)
def rendered(request, answers) -> dict[str, dict]:
    """What one Salt line makes of every case."""
    return answers[request.param]
