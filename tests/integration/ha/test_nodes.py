"""
An agent is added and a control node is replaced, without an edit of the tree. A role is taken from
a node, and given back.
"""

import contextlib
import subprocess
from collections.abc import Iterator

import pytest
import yaml
from cluster_lab import eventually
from ha_cluster import check_healthy

from lab import ROOT, cluster

pytestmark = pytest.mark.lines("3008")


def checksums() -> str:
    """Return the checksums of all files of the repository that Salt serves."""
    return subprocess.run(
        "find pillar salt/ formulas conf -type f -exec md5sum {} + | sort",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_fifth_agent_joins_by_its_name(ha):
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


@contextlib.contextmanager
def topology_without(role: str, host: str) -> Iterator[None]:
    """Serve the repository's topology without a role of a node, and assign the roles."""
    contents = yaml.safe_load((ROOT / "pillar/topology.yaml").read_text())
    contents["nodes"][f"{host}.devops.test"]["roles"].remove(role)
    topology = cluster.topology_directory() / "topology.yaml"
    link = topology.with_name("topology.sls")
    topology.write_text(yaml.safe_dump(contents, sort_keys=False))
    link.symlink_to("/srv/mesos/pillar/topology.sls")
    try:
        yield
    finally:
        link.unlink()
        topology.unlink()


def unit_states(host, unit: str) -> list[str]:
    return host.run(f"systemctl is-active {unit}; systemctl is-enabled {unit}; true").split()


def test_a_role_that_is_withdrawn_stops_its_daemon_until_it_is_given_back(ha):
    node = ha.at("lxcc03")
    files = "find /etc/chronos /etc/sysconfig/chronos -type f -exec md5sum {} + | sort"
    contents = node.run(files)
    expected = {"chronos": {"old": "running, enabled", "new": "stopped, disabled"}}
    with topology_without("chronos", "lxcc03"):
        ha.at("lxcm01").run("salt-run state.orchestrate orchestration.roles")
        predicted = node.apply("test=True")
        changes = {state["__id__"]: state["changes"] for state in predicted.values()}
        assert changes["withdrawn-roles"] == expected
        assert unit_states(node, "chronos") == ["active", "enabled"]
        assert node.converge()["withdrawn-roles"] == expected
        assert unit_states(node, "chronos") == ["inactive", "disabled"]
        assert node.converge() == {}
        assert node.run(files) == contents
        check_healthy(ha, agents=5)
    ha.at("lxcm01").run("salt-run state.orchestrate orchestration.roles")
    node.converge()
    eventually(lambda: unit_states(node, "chronos") == ["active", "enabled"])
    assert node.converge() == {}
    check_healthy(ha, agents=5)
