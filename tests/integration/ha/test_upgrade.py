"""
orchestration.upgrade: Mesos 1.4 to 1.9, and Marathon 1.6 to 1.8 by its own procedure, also after a
run that was interrupted.

The last file of this folder, as it removes the store of Marathon: there is no way back from the
versions of the other tests.
"""

import json

import pytest
import yaml
from cluster_lab import eventually, steps
from ha_cluster import (
    CONTROL,
    ELECTION_SECONDS,
    active_agents,
    apply_all,
    changes,
    check_healthy,
    failed_tasks,
    failed_tasks_since,
    failures,
    get,
    marathon_leader,
    no_turn_is_left,
    wait_for_pages,
)
from ha_observer import Observer

from lab import cluster

pytestmark = pytest.mark.lines("3008")

OLD_VERSIONS = {"mesos": {"version": "1.4.3"}, "marathon": {"version": "1.6.567"}}
BACKUP = {"backup": {"directory": "/srv/upgrade-test", "keep": 1}}
# Of Marathon itself, and of its fake.
STORES = ("/marathon", "/lab-fakes/marathon")
FILES = "/etc/marathon /etc/default/marathon /etc/systemd/system/marathon.service.d/salt.conf"


def call(ha, *words: str):
    """Return the result of an execution function on a control node."""
    result = ha.at("lxcc01").execute("salt-call", "--out=json", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)["local"]


def remove_marathon(ha) -> None:
    """Remove Marathon with its apps and its store, as yum and Marathon cannot go back."""
    for app in call(ha, "marathon.apps"):
        call(ha, "marathon.delete_app", app["id"], "force=True")
    eventually(lambda: not call(ha, "marathon.deployments"))
    ha.run(f"salt 'lxcc*' cmd.run 'yum -y remove marathon; rm -rf {FILES}'")
    eventually(lambda: not call(ha, "zk.export", "/marathon")["ephemeral"])
    for path in STORES:
        paths = [znode["path"] for znode in call(ha, "zk.export", path)["znodes"]]
        call(ha, "zk.delete_znodes", json.dumps(paths), "confirm=True")


def versions() -> dict[str, set[str]]:
    """Return the versions of the masters, and of the Marathon that leads."""
    return {
        "mesos": {get(host, 5050, "/version").json()["version"] for host in CONTROL},
        "marathon": {get(host, 8080, "/v2/info").json()["version"] for host in CONTROL},
    }


@pytest.fixture(scope="module")
def old(ha):
    """Bring the cluster to old versions, and let an app run there. Yields its pages."""
    ha.run("salt-run saltutil.sync_runners && salt '*' saltutil.sync_all")
    remove_marathon(ha)
    settings = cluster.topology_directory() / "settings.sls"
    settings.write_text(yaml.safe_dump(OLD_VERSIONS))
    assert failures(apply_all(ha)) == []
    check_healthy(ha, agents=active_agents())
    # The quotas of orchestration.apps need Mesos 1.9.
    ha.at("lxcc01").converge("marathon.apps")
    pages = wait_for_pages("http-server")
    assert versions() == {"mesos": {"1.4.3"}, "marathon": {"1.6.567"}}
    settings.unlink()
    yield pages
    ha.run(f"rm -rf {BACKUP['backup']['directory']}")


def stop_one_marathon(ha) -> str:
    """Leave the cluster as a run that was interrupted does. Returns the host."""
    host = next(host for host in CONTROL if host != marathon_leader(ha))
    ha.at(host).converge("orchestration.minion.marathon_stopped")
    return host


def failures_of(ha, host: str) -> list[str]:
    """Return the comments of the states of Marathon that fail in a test run on a host."""
    results = ha.at(host).apply("marathon", "test=True")
    return [state["comment"] for state in results.values() if state["result"] is False]


def test_each_service_is_away_for_one_election_at_most_during_an_upgrade(ha, old):
    lost_before, agents = failed_tasks(), active_agents()
    stopped = stop_one_marathon(ha)
    # Not even where it is stopped: the leader has the old version.
    for host in CONTROL:
        comments = [failure for failure in failures_of(ha, host) if "requisite" not in failure]
        assert len(comments) == 1 and "orchestration.upgrade" in comments[0], comments
        assert ha.at(host).run("rpm -q marathon") == "marathon-1.6.567-1.el7.noarch\n"
    assert ha.at(stopped).run("systemctl is-active marathon || true") != "active\n"
    with Observer(ha) as observer:
        code, output = ha.orchestrate("upgrade", json.dumps(BACKUP))
    print(observer.table())
    assert code == 0, output
    names, _ = steps(output)
    assert names[0] == "The cluster is backed up" and "Marathon 1.8.244 leads" in names
    assert versions() == {"mesos": {"1.9.0"}, "marathon": {"1.8.244"}}
    assert ha.run(f"ls {BACKUP['backup']['directory']}").count("\n") == 1
    # All but one of the Marathons are stopped while the store is migrated.
    observer.check_turns(apart_from=("marathon",))
    for service, outages in observer.outages.items():
        assert all(seconds < ELECTION_SECONDS for seconds in outages), (service, observer.table())
        assert len(outages) <= 1, observer.table()
    assert failed_tasks_since(lost_before) == {}
    assert no_turn_is_left(ha)
    check_healthy(ha, agents=agents)
    assert wait_for_pages("http-server") == old


def test_a_second_run_changes_nothing(ha, old):
    names, changed = ha.orchestrated("upgrade", json.dumps(BACKUP))
    assert (names, changed) == (["All nodes have the versions in pillar"], [])
    done = apply_all(ha)
    assert failures(done) == [] and not any(changes(done).values()), changes(done)
    for host in CONTROL:
        assert ha.at(host).run("systemctl is-enabled marathon") == "enabled\n"
