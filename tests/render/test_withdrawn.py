"""Which daemons common.withdrawn stops on which node."""

import pytest

from .cases import ROLES
from .in_process import Formulas, Minion
from .test_rules import states_of

FORMULAS = Formulas()
STOP_ORDER = ["chronos", "marathon", "mesos-slave", "docker", "mesos-master", "zookeeper"]
ENSEMBLE = {"servers": {1: "10.0.0.1"}, "observers": [], "port": 2181}
URLS = ["http://10.0.0.1:5050"]


def withdrawn(roles: list[str], topology: dict | None) -> dict:
    """Return what withdrawn.py tells of a node with these roles."""
    pillar = {}
    if topology is not None:
        topology = {"entry": "lxdev01", "errors": [], "ensemble": ENSEMBLE, **topology}
        pillar = {"topology": topology, "mesos": {"url": URLS}}
    return rendered_by(pillar, roles)


def rendered_by(pillar: dict, roles: list[str]) -> dict:
    keywords = {"rows": FORMULAS.read_yaml("common/roles.yaml"), "roles": roles}
    return Minion(FORMULAS, pillar, roles).render("common/withdrawn.py", **keywords)


def test_users_are_stopped_before_what_they_use():
    result = withdrawn([], {"roles": []})
    assert result["roles"] == STOP_ORDER
    units = [daemon["unit"] for daemon in result["daemons"]]
    assert units.index("mesos-slave") < units.index("docker.socket") < units.index("docker")
    assert set(result["roles"]) == set(ROLES)


def test_the_roles_of_a_node_are_not_withdrawn():
    result = withdrawn(["marathon", "docker"], {"roles": ["marathon", "docker"]})
    assert result["roles"] == [role for role in STOP_ORDER if role not in ("marathon", "docker")]
    assert {daemon["role"] for daemon in result["daemons"]} == set(result["roles"])


def test_nothing_is_withdrawn_on_a_node_without_roles_and_topology():
    assert withdrawn([], None)["daemons"] == []


def test_without_a_topology_the_grain_tells_what_is_withdrawn():
    result = withdrawn(["zookeeper"], None)
    assert result["roles"] == [role for role in STOP_ORDER if role != "zookeeper"]
    assert result["ensemble"] is None and result["masters"] is None


def test_only_a_node_that_loses_them_asks_the_ensemble_and_the_masters():
    agent = withdrawn(["docker"], {"roles": ["docker"]})
    assert agent["ensemble"] == ENSEMBLE
    assert agent["masters"] == {"url": URLS, "quorum_file": "/etc/mesos-master/quorum"}
    control = withdrawn(["zookeeper", "mesos-master"], {"roles": ["zookeeper", "mesos-master"]})
    assert control["ensemble"] is None and control["masters"] is None


def test_a_node_of_a_topology_without_zookeeper_asks_nobody():
    topology = {"entry": "lxdev01", "errors": [], "roles": ["docker"], "ensemble": {}}
    result = rendered_by({"topology": topology}, ["docker"])
    assert result["ensemble"] == {} and result["masters"] is None


def test_the_units_and_files_are_those_of_versions_yaml():
    daemons = withdrawn([], {"roles": []})["daemons"]
    agents = {daemon["unit"] for daemon in daemons if daemon["role"] == "mesos-slave"}
    vendors = FORMULAS.read_yaml("mesos/versions.yaml").values()
    assert agents == {vendor["slave"]["unit"] for vendor in vendors}
    [server] = [daemon for daemon in daemons if daemon["role"] == "zookeeper"]
    packages = FORMULAS.read_yaml("zookeeper/versions.yaml").values()
    assert set(server["files"]) == {f"{package['conf']}/zoo.cfg" for package in packages}
    assert {server["unit"]} == {package["service"] for package in packages}


@pytest.mark.parametrize("name", ["standalone", "zookeeper-el7", "mesos-aventer", "docker-ce"])
def test_what_a_node_installs_can_be_withdrawn(rendered, name):
    """The files by which a daemon is recognized are written by the formula that starts it."""
    answer = rendered[name]
    daemons = {daemon["unit"]: daemon for daemon in withdrawn([], {"roles": []})["daemons"]}
    services = {state["name"] for state in states_of(answer, "service.running", "daemon.running")}
    units = services.intersection(daemons)
    assert units
    for unit in units:
        marker = f"Managed by Salt ({daemons[unit]['formula']}."
        contents = [
            answer["files"][path]["contents"]
            for path in daemons[unit]["files"]
            if path in answer["files"]
        ]
        assert contents and all(marker in text for text in contents), unit
