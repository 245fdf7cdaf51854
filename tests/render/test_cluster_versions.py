"""cluster.versions: which versions a node has, and which pillar declares, without Salt."""

import importlib.util
import sys
import time
import types
from unittest import mock

import pytest

from lab import ROOT

from .in_process import Formulas, Minion

FORMULAS = Formulas()
ROLES = ["zookeeper", "mesos-master", "marathon", "chronos"]
INSTALLED = {
    "mesosphere-zookeeper": "3.4.6-0.1.el7",
    "mesos": "1.4.3-2.0.1.el7",
    "marathon": "1.6.567-1.el7",
    "chronos": "2.5.0-0.1.20170628182950.el7",
}


class CommandExecutionError(Exception):
    """Salt's."""


def load_module():
    """Load the module without Salt."""
    exceptions = types.ModuleType("salt.exceptions")
    exceptions.CommandExecutionError = CommandExecutionError
    exceptions.SaltInvocationError = type("SaltInvocationError", (Exception,), {})
    stubs = {"salt": types.ModuleType("salt"), "salt.exceptions": exceptions}
    path = ROOT / "_modules" / "cluster.py"
    spec = importlib.util.spec_from_file_location("cluster_module", path)
    module = importlib.util.module_from_spec(spec)
    with (
        mock.patch.dict(sys.modules, stubs),
        mock.patch.object(sys, "path", [*sys.path, str(path.parent)]),
    ):
        spec.loader.exec_module(module)
    return module


class Node:
    """A control node; ``marathon`` is the version that leads, None without a leader."""

    def __init__(self, pillar=None, roles=ROLES, marathon="1.6.567", uptime=100.0, **installed):
        self.module = load_module()
        self.pillar = pillar or {}
        self.minion = Minion(FORMULAS, self.pillar, roles)
        self.marathon, self.uptime = marathon, uptime
        self.installed = {**INSTALLED, **installed}
        self.failures = {}

    def versions(self):
        functions = {
            **self.minion.functions,
            "pkg.version": lambda name: self.installed.get(name, ""),
            "service.status": lambda unit: unit != "chronos",
            "cmd.run_stdout": lambda *_, **__: str(int((time.monotonic() - self.uptime) * 1e6)),
            "marathon.info": self._info,
            "state.single": self._state,
            "slsutil.renderer": lambda _: self.minion.tree(),
        }
        names = {"__salt__": functions, "__pillar__": self.pillar, "__grains__": self.minion.grains}
        vars(self.module).update(names, leads=lambda: ["mesos"])
        return self.module.versions()

    def _info(self, **_):
        if self.marathon is None:
            raise CommandExecutionError("no leader")
        return {"version": self.marathon}

    def _state(self, function, name, test, **arguments):
        assert test is True and arguments["since"]
        comment = self.failures.get(function)
        result = {"result": comment is None, "comment": comment or ""}
        return {"state": {"name": name, **result}}


def test_installed_and_declared_versions_are_compared():
    answer = Node({"mesos": {"version": "1.9.0", "release": "2.0.1.el7"}}).versions()
    assert answer["errors"] == []
    components = answer["components"]
    assert list(components) == ["zookeeper", "mesos", "marathon", "chronos"]
    # Without a version in pillar any ZooKeeper will do.
    assert components["zookeeper"] == {
        "installed": "3.4.6-0.1.el7",
        "declared": None,
        "has_declared": True,
        "runs": True,
    }
    assert components["mesos"] == {
        "installed": "1.4.3-2.0.1.el7",
        "declared": "1.9.0-2.0.1.el7",
        "has_declared": False,
    }
    assert components["marathon"]["declared"] == "1.8.244"
    assert components["chronos"]["has_declared"] is True
    assert components["chronos"]["runs"] is False
    assert answer["leads"] == ["mesos"]


@pytest.mark.parametrize(
    "installed, has_declared",
    [("1.9.0-2.0.1.el7", True), ("1:1.9.0-1", True), ("1.9.01-1", False), ("1.9-1", False)],
)
def test_a_version_is_compared_as_a_whole(installed, has_declared):
    answer = Node({"mesos": {"version": "1.9.0"}}, mesos=installed).versions()
    assert answer["components"]["mesos"]["has_declared"] is has_declared


def test_a_node_has_the_components_that_its_roles_need():
    assert list(Node(roles=["mesos-slave"]).versions()["components"]) == ["mesos"]
    answer = Node(roles=["marathon"]).versions()
    assert list(answer["components"]) == ["mesos", "marathon"]


@pytest.mark.parametrize(
    "leading, has_new_store", [("1.6.567", False), ("1.8.206", False), ("1.8.207", True)]
)
def test_the_store_of_the_leading_marathon_is_compared_with_the_declared_one(
    leading, has_new_store
):
    answer = Node({"marathon": {"version": "1.8.244"}}, marathon=leading).versions()
    assert answer["marathon_leader"] == {"version": leading, "has_new_store": has_new_store}


def test_without_a_leader_the_store_is_not_known():
    assert Node(marathon=None).versions()["marathon_leader"] is None
    assert Node(roles=["zookeeper"]).versions()["marathon_leader"] is None


def test_a_daemon_that_is_older_than_the_library_is_reported(tmp_path):
    library = tmp_path / "libmesos.so"
    library.touch()
    for uptime, is_newer in ((100.0, True), (-1.0, False)):
        node = Node(uptime=uptime)
        node.module.LIBRARY = str(library)
        assert node.versions()["components"]["marathon"]["library_newer"] is is_newer
    # Chronos does not run.
    assert node.versions()["components"]["chronos"]["library_newer"] is False


def test_a_step_that_is_not_possible_is_an_error():
    node = Node({"marathon": {"version": "1.8.244"}, "zookeeper": {"version": "3.8.0"}})
    node.failures = {"marathon.step_allowed": "Marathon says no.", "zk.step_allowed": "So does zk."}
    assert node.versions()["errors"] == ["So does zk.", "Marathon says no."]


def test_a_downgrade_is_an_error():
    node = Node({"zookeeper": {"version": "3.4.5"}, "mesos": {"version": "1.4.2"}}, ["zookeeper"])
    assert node.versions()["errors"] == [
        "zookeeper:version = 3.4.5 on lxdev01: 3.4.6-0.1.el7 is installed. An upgrade does not go "
        "back."
    ]


def test_errors_in_pillar_come_first():
    answer = Node({"marathon": {"versoin": "1.8.244"}}).versions()
    assert answer["components"] == {} and "marathon:versoin" in answer["errors"][0]
