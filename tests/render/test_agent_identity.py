"""What is compared with an agent's checkpoint is what its flags say."""

import pytest

from .in_process import Formulas, Minion

FORMULAS = Formulas()
DEFAULTS = {
    "name": "/var/lib/mesos",
    "port": 5051,
    "reconfiguration_policy": "additive",
    "version": "1.9.0",
    "agent": "http://127.0.0.1:5051",
}


def states(slave, **mesos):
    """Return the states of the agent's files: id -> arguments."""
    minion = Minion(FORMULAS, {"mesos": {"slave": slave, **mesos}}, ["mesos-slave"])
    declared = {}
    for state_id, functions in minion.states("mesos.slave.config").items():
        if isinstance(functions, dict):
            [arguments] = functions.values()
            declared[state_id] = {key: value for item in arguments for key, value in item.items()}
    return declared


def identity(slave, **mesos):
    return states(slave, **mesos).get("mesos-slave-identity")


def test_defaults_are_compared():
    assert identity({}) == DEFAULTS


def test_attributes_and_resources_are_those_of_the_flag_directory():
    slave = {"attributes": {"rack": "r1"}, "resources": {"cpus": 4, "ports": ["31000-32000"]}}
    declared = states(slave)
    flags = declared["mesos-slave-flags"]["flags"]
    for name in ("attributes", "resources"):
        assert declared["mesos-slave-identity"][name] == flags[name] == slave[name]


@pytest.mark.parametrize(
    "flags, compared",
    [
        ({"hostname": "h", "ip": "10.0.0.1"}, {"hostname": "h", "agent": "http://10.0.0.1:5051"}),
        ({"port": 5052}, {"port": 5052, "agent": "http://127.0.0.1:5052"}),
        ({"advertise_port": 80}, {"port": 80}),
        ({"reconfiguration_policy": "equal"}, {"reconfiguration_policy": "equal"}),
        ({"default_role": "web"}, {"default_role": "web"}),
        ({"domain": {"fault_domain": {}}}, {"domain": {"fault_domain": {}}}),
        ({"work_dir": "/srv/mesos"}, {"name": "/srv/mesos"}),
    ],
    ids=lambda value: next(iter(value)),
)
def test_flags_are_compared_as_the_agent_takes_them(flags, compared):
    assert identity({"flags": flags}) == {**DEFAULTS, **compared}


def test_flags_in_the_environment_are_compared():
    expected = {**DEFAULTS, "hostname": "h", "default_role": "web"}
    environment = {"MESOS_HOSTNAME": "h"}
    slave = {"environment": {"MESOS_DEFAULT_ROLE": "web", "TZ": "UTC"}}
    assert identity(slave, environment=environment) == expected


def test_a_version_without_policies_is_compared_without_one():
    expected = {**DEFAULTS, "version": "1.4.3"}
    del expected["reconfiguration_policy"]
    assert identity({}, version="1.4.3") == expected


def test_nothing_is_compared_where_a_hook_decides():
    declared = states({"flags": {"hooks": "site_Attributes"}})
    assert "mesos-slave-identity" not in declared
    assert declared["mesos-slave-secrets"]["require"] == [{"pkg": "mesos-package"}]


def test_no_flag_is_written_if_the_agent_would_refuse_to_start():
    declared = states({})
    assert {"mesos": "mesos-slave-identity"} in declared["mesos-slave-secrets"]["require"]
    assert {"mesos": "mesos-slave-secrets"} in declared["mesos-slave-flags"]["require"]


def test_a_master_has_no_identity_to_keep():
    minion = Minion(FORMULAS, {}, ["mesos-master"])
    assert "mesos-master-identity" not in minion.states("mesos.master.config")
