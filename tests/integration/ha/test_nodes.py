"""An agent is added and a control node is replaced, without an edit of the tree."""

import subprocess

import pytest
from ha_cluster import check_healthy

from lab import ROOT

pytestmark = pytest.mark.lines("3008")


def checksums() -> str:
    """Of all files of the repository that Salt serves."""
    return subprocess.run(
        "find pillar salt/ formulas conf -type f -exec md5sum {} + | sort",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_fifth_agent_joins_by_its_name_alone(ha):
    before = checksums()
    ha.do("add", "lxb005")
    ha.at("lxcm01").run("salt-run state.orchestrate orchestration.roles")
    ha.at("lxb005").converge()
    check_healthy(ha, agents=5)
    assert ha.at("lxb005").converge() == {}
    assert ha.at("lxb001").converge() == {} and ha.at("lxcc01").converge() == {}
    assert checksums() == before


def test_a_replaced_member_rejoins_with_its_id(ha):
    ha.do("replace", "lxcc02")
    ha.at("lxcm01").run("salt-run state.orchestrate orchestration.roles")
    ha.at("lxcc02").converge()
    check_healthy(ha, agents=5)
    assert ha.at("lxcc02").run("cat /var/lib/zookeeper/myid").strip() == "2"
    assert ha.at("lxcc02").converge() == {} and ha.at("lxcc01").converge() == {}
