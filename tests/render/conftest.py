"""All cases go through the real Salt of each line once; the tests look at the answers."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import SALT_LINES, plan

from .cases import NODES, REFUSALS, SAME


@pytest.fixture(scope="session")
def answers() -> dict[str, dict[str, dict]]:
    """What Salt makes of every case: Salt line -> name of the case -> answer. The lines work side by side."""
    cases = {**NODES, **{name: case for name, (case, _) in [*SAME.items(), *REFUSALS.items()]}}
    with ThreadPoolExecutor() as pool:
        rendered = pool.map(lambda line: plan.render(line, list(cases.values())), SALT_LINES)
        return {line: dict(zip(cases, found, strict=True)) for line, found in zip(SALT_LINES, rendered, strict=True)}


@pytest.fixture(params=SALT_LINES)
def rendered(request, answers) -> dict[str, dict]:
    """What one Salt line makes of every case."""
    return answers[request.param]
