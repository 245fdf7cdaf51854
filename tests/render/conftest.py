"""All cases go through the real Salt of each line once; the tests look at the answers."""

import pytest

from lab import SALT_LINES, plan

from .cases import NODES, REFUSALS, SAME


@pytest.fixture(scope="session", params=SALT_LINES)
def rendered(request) -> dict[str, dict]:
    """What a Salt line makes of every case, by the name of the case."""
    cases = {**NODES, **{name: case for name, (case, _) in [*SAME.items(), *REFUSALS.items()]}}
    return dict(zip(cases, plan.render(request.param, list(cases.values())), strict=True))
