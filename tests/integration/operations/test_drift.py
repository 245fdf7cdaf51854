"""salt-run cluster.drift names what was changed by hand, and nothing after the repair."""

import json

import pytest
from ha_cluster import check_healthy, check_rejoined, no_turn_is_left

pytestmark = pytest.mark.lines("3008")

# The packages of the lab have a program of Debian in them, which is of another version.
FOREIGN = {("zookeeper", "version"), ("docker", "version")}


@pytest.fixture(autouse=True, scope="module")
def runner(ha):
    ha.at("lxcm01").run("salt '*' saltutil.sync_all && salt-run saltutil.sync_runners")
    ha.orchestrated("apps")
    check_healthy(ha)


def drift(ha) -> dict[tuple[str, str], tuple[str, str]]:
    """Return what runs and what is declared, by node and subject. Asserts the exit code."""
    result = ha.at("lxcm01").execute("salt-run", "cluster.drift", "--out=json")
    data = json.loads(result.stdout)
    assert data["errors"] == [], data["errors"]
    assert result.returncode == data["retcode"] == (1 if data["drift"] else 0)
    return {
        (entry["node"].partition(".")[0], entry["what"]): (entry["runs"], entry["declared"])
        for entry in data["drift"]
        if (entry["service"], entry["what"]) not in FOREIGN
    }


def test_a_deployed_cluster_has_no_drift(ha):
    assert drift(ha) == {}


def test_each_change_by_hand_is_named_and_its_repair_leaves_none(ha):
    minion = ha.at("lxcc02")
    minion.run("echo 45secs > /etc/mesos-master/offer_timeout")
    minion.run("systemctl restart mesos-master")
    minion.run("salt-call marathon.scale_app /hello 3")
    check_healthy(ha)
    minion.run("salt-call mesos.set_weights '{web: 5}'")
    assert drift(ha) == {
        ("lxcc02", "flag offer_timeout"): ("45secs", "none"),
        ("lxcc02", "daemon mesos-master"): ("with files that differ", "restarted"),
        ("cluster", "app /hello instances"): ("3", "2"),
        ("cluster", "weight web"): ("5.0", "2.0"),
    }
    minion.converge()
    check_rejoined(ha, "lxcc02")
    ha.orchestrated("apps")
    assert no_turn_is_left(ha)
    assert drift(ha) == {}
