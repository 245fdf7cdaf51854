"""
An agent that is started with other flags on its old work directory does what a real agent of Mesos
1.11.0 did, with the same words.
"""

import pytest

from .scenes import DATA, STARTS, Startup, recorded_start

REFUSED = [change for change in STARTS if recorded_start(change).is_refused]
# The recorder left out some lines.
OMITTED = "   [...]"


@pytest.fixture
def scene(tmp_path):
    scene = Startup(tmp_path)
    yield scene
    scene.stop()


@pytest.mark.parametrize("change", REFUSED)
def test_a_change_is_refused_in_the_recorded_words(scene, change):
    output = recorded_start(change).output
    [start] = [number for number, line in enumerate(output) if "EXIT with status 1" in line]
    expected = [output[start].partition("EXIT with status 1: ")[2], *output[start + 1 :]]
    lines = iter(scene.refused(change).splitlines())
    missing = [line for line in expected if line not in (OMITTED, "") and line not in lines]
    assert missing == []


def test_an_addition_is_accepted_but_not_checkpointed(scene):
    checkpoint = scene.work_dir / "meta" / "slaves" / "latest" / "slave.info"
    before = checkpoint.read_bytes()
    agent = scene.start(*recorded_start("resources-additive").flags)
    assert agent.id.endswith("-S0") and scene.target.agents[agent.id].info["attributes"]
    agent.stop()
    assert checkpoint.read_bytes() == before


def test_every_recorded_start_is_played():
    files = {path.stem for path in DATA.glob("startup-agent-changed-*.txt")}
    assert files == {f"startup-agent-changed-{change}" for change in STARTS}
    assert set(STARTS) - set(REFUSED) == {"resources-additive"}
