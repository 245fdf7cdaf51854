"""Which modules are loaded as marathon and chronos, on minions and on proxy minions."""

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
def test_a_minion_loads_the_module_of_this_repository(salt, name, proxytype):
    names = salt.loaded(name, proxytype)
    assert f"{name}.leader" in names["functions"] and f"{name}.available" in names["states"]
    assert f"{name}.connection" in names["functions"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_proxy_minion_loads_the_module_of_salt_if_salt_has_one(salt, name):
    names = salt.loaded(name, proxytype=name)
    if salt.line == "3006":
        assert names == {"functions": BUILT_IN[name], "states": []}
    else:
        assert f"{name}.leader" in names["functions"] and f"{name}.available" in names["states"]


def test_zk_and_mesos_have_these_functions_and_states(salt):
    assert salt.loaded("zk") == {
        "functions": [
            "zk.delete_znodes",
            "zk.ensemble",
            "zk.export",
            "zk.metrics",
            "zk.options",
            "zk.put_znodes",
            "zk.record_server_list",
            "zk.restore",
            "zk.save",
            "zk.server_lists",
        ],
        "states": [
            "zk.data_stays",
            "zk.ensemble_available",
            "zk.may_join",
            "zk.myid_stays",
            "zk.path_stays",
            "zk.quorum_without_member",
            "zk.server_list_recorded",
            "zk.step_allowed",
        ],
    }
    assert salt.loaded("mesos")["states"] == [
        f"mesos.{state}"
        for state in (
            "agent_active",
            "agent_available",
            "agent_drained",
            "agent_identity_removed",
            "agent_identity_stays",
            "agents_gone",
            "agents_in_service",
            "agents_out_of_service",
            "agents_registered",
            "flags_managed",
            "framework_absent",
            "leader_available",
            "machine_down",
            "machine_up",
            "maintenance_cancelled",
            "maintenance_scheduled",
            "master_log_stays",
            "masters_know_credentials",
            "peers_authenticate",
            "quorum_without_member",
            "quota_absent",
            "quota_present",
            "weights_present",
        )
    ]
