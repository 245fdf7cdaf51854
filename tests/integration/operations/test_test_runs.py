"""With test=True each orchestration names what it would do, and changes nothing."""

import json

import pytest
from ha_cluster import (
    CHANGED,
    HOSTS,
    chronos_leader,
    get,
    marathon_leader,
    mesos_leader,
    start_times,
)

from lab import ROOT

pytestmark = pytest.mark.lines("3008")

AGENT = {"agents": ["lxb004*"]}
ONE_MORE = {"marathon": {"apps": {"/hello": {"instances": 3}}}}
# Orchestration -> its keys of pillar, and a part of its output.
ORCHESTRATIONS = {
    "agent_identity": (AGENT, "docker would be restarted"),
    "apps": (ONE_MORE, "instances"),
    "deploy": ({"batch": 3}, "zookeeper would be restarted"),
    "drain": (AGENT, "would be taken out of service"),
    "replace": (AGENT, "salt-key -d lxb004.devops.test"),
    "restart": ({"role": "marathon"}, "marathon would be restarted"),
    "retire": (AGENT, "salt-key -d lxb004.devops.test"),
    "roles": ({}, "have their roles"),
    "undrain": (AGENT, "mesos-slave would be restarted"),
    "upgrade": ({}, "There is nothing to upgrade"),
    "verify": ({}, "A job of Chronos runs, succeeds and is removed"),
}
# What the nodes have on disk beside their files: records of turns, and backups.
RECORDS = "find /var/lib/salt-mesos -type f -exec md5sum {} + | sort"


@pytest.fixture(autouse=True, scope="module")
def modules(ha):
    ha.at("lxcm01").run("salt-run saltutil.sync_runners && salt '*' saltutil.sync_all")
    ha.orchestrated("apps")


def on_cluster(ha) -> dict:
    """Return what an orchestration may change in Mesos, Marathon and Chronos."""
    state = get(mesos_leader(ha), 5050, "/slaves").json()
    jobs = get(chronos_leader(ha), 4400, "/scheduler/jobs").json()
    return {
        "agents": sorted((agent["id"], agent["active"]) for agent in state["slaves"]),
        "drained": [agent["id"] for agent in state["slaves"] if agent.get("drain_info")],
        "apps": {
            app["id"]: (app["version"], app["instances"])
            for app in get(marathon_leader(ha), 8080, "/v2/apps").json()["apps"]
        },
        "jobs": sorted((job["name"], job["command"]) for job in jobs),
    }


def on_hosts(ha) -> dict:
    """Return what an orchestration may change on the hosts."""
    return {
        "processes": start_times(ha),
        "files": {host: ha.at(host).file_list() for host in HOSTS},
        "records": {host: ha.at(host).run(RECORDS) for host in HOSTS},
    }


def test_a_test_run_of_each_orchestration_changes_nothing(ha, serve):
    files = (ROOT / "salt" / "orchestration").glob("*.sls")
    assert ORCHESTRATIONS.keys() == {file.stem for file in files}
    serve(CHANGED)
    before, hosts_before = on_cluster(ha), on_hosts(ha)
    for name, (options, text) in ORCHESTRATIONS.items():
        code, output = ha.orchestrate(name, json.dumps(options), test=True)
        assert code == 0 and text in output, name
        assert on_cluster(ha) == before, name
    assert on_hosts(ha) == hosts_before
