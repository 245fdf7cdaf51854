"""Which module has the names marathon and chronos, on minions and on proxy minions of both Salt lines."""

import pytest

BUILT_IN = {
    "marathon": [
        "marathon.app",
        "marathon.apps",
        "marathon.has_app",
        "marathon.info",
        "marathon.restart_app",
        "marathon.rm_app",
        "marathon.update_app",
    ],
    "chronos": [
        "chronos.has_job",
        "chronos.job",
        "chronos.jobs",
        "chronos.rm_job",
        "chronos.update_job",
    ],
}


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("proxytype", [None, "esxi"])
def test_a_minion_has_ours(salt, name, proxytype):
    found = salt.loaded(name, proxytype)
    assert f"{name}.leader" in found["functions"] and f"{name}.available" in found["states"]
    assert f"{name}.connection" in found["functions"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_proxy_minion_keeps_the_module_of_salt_as_long_as_salt_has_it(salt, name):
    found = salt.loaded(name, proxytype=name)
    if salt.line == "3006":
        assert found == {"functions": BUILT_IN[name], "states": []}
    else:
        assert f"{name}.leader" in found["functions"] and f"{name}.available" in found["states"]


def test_zk_and_mesos_bring_these_functions_and_states(salt):
    assert salt.loaded("zk") == {
        "functions": ["zk.ensemble"],
        "states": ["zk.ensemble_available", "zk.myid_stays"],
    }
    assert salt.loaded("mesos")["states"] == [
        f"mesos.{state}"
        for state in (
            "agent_active",
            "agent_drained",
            "agents_registered",
            "flags_managed",
            "framework_absent",
            "leader_available",
            "machine_down",
            "machine_up",
            "maintenance_cancelled",
            "maintenance_scheduled",
            "quota_absent",
            "quota_present",
            "weights_present",
        )
    ]
