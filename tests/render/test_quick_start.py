"""
The quick start of INSTALL.md: its topology and settings are valid, and every node gets its roles.
"""

import re

import pytest
import yaml

from lab import ROOT, SALT_LINES

INSTALL = (ROOT / "INSTALL.md").read_text()
SERVICES = {"zookeeper", "docker", "mesos-master", "mesos-slave", "marathon", "chronos"}


def example(path: str) -> dict:
    """Return the contents of a file that the quick start shows."""
    [block] = re.findall(
        rf"^```yaml\n# {re.escape(path)}\n(.*?)^```", INSTALL, re.MULTILINE | re.DOTALL
    )
    return yaml.safe_load(block)


@pytest.fixture(scope="module")
def nodes() -> dict[str, dict]:
    """The nodes of the topology."""
    return example("/srv/mesos/pillar/topology.yaml")["nodes"]


@pytest.fixture(scope="module")
def answers(render, nodes):
    """The rendered states and files of each node, by Salt line."""
    cases = {
        name: {
            "id": name,
            "grains": {"roles": node["roles"], "ipv4": ["127.0.0.1", node["address"]]},
            "topology": {"nodes": nodes},
            "settings": example("/srv/mesos/pillar/settings.sls"),
        }
        for name, node in nodes.items()
    }
    return render(cases)


@pytest.mark.parametrize("line", SALT_LINES)
def test_every_node_of_the_quick_start_runs_every_service(answers, nodes, line):
    assert len(nodes) == 3
    for name in nodes:
        answer = answers[line][name]
        assert "errors" not in answer, "\n".join(answer["errors"])
        assert answer["invalid"] == []
        running = {
            state["name"] for state in answer["states"] if state["function"] == "daemon.running"
        }
        assert running >= SERVICES


@pytest.mark.parametrize("line", SALT_LINES)
def test_minions_of_the_quick_start_still_reach_their_master(answers, nodes, line):
    addresses = {node["address"] for node in nodes.values()}
    for name in nodes:
        zone = answers[line][name]["files"]["/etc/firewalld/zones/public.xml"]["contents"]
        rules = re.findall(r"<rule.*?</rule>", zone, re.DOTALL)
        sources = {
            re.search(r'source address="([^"]+)"', rule)[1]
            for rule in rules
            if 'port="4505-4506"' in rule
        }
        assert sources == addresses
