"""One Salt master with two clusters and with minions of others, which are left alone."""

import json

import pytest
import yaml

from lab import cluster, topology

ULM, BONN = "lxulm01", "lxbonn01"
FOREIGN = [host.name for host in topology.load("clusters").hosts if host.name not in (ULM, BONN)]
ROLES = ["zookeeper", "mesos-master", "mesos-slave"]
TOPOLOGIES = {
    "ulm": {
        "nodes": {ULM: {"address": "172.31.250.31", "roles": ROLES, "zookeeper_id": 1}},
    },
    "bonn": {
        "nodes": {BONN: {"address": "172.31.250.32", "roles": ROLES[:2], "zookeeper_id": 7}},
        "chroots": {"mesos": "/bonn/mesos"},
    },
}
# The choice of a cluster is made by rendering, which tests/render does with both lines.
pytestmark = pytest.mark.lines("3008")

CHOICE = "name one of bonn, ulm, such as"

CHECKSUMS = (
    "find /etc /usr/lib/systemd -type f -not -path '/etc/salt/*' -print0 | sort -z "
    "| xargs -0 sha256sum"
)


@pytest.fixture(autouse=True, scope="module")
def foreign_files(clusters) -> dict[str, list[str]]:
    """Serve the topologies. Returns the files of the minions of others before any run."""
    files = {host: contents(clusters.at(host)) for host in FOREIGN}
    directory = cluster.topology_directory()
    (directory / "topology.yaml").unlink()
    (directory / "topologies").mkdir()
    for name, topology_ in TOPOLOGIES.items():
        path = directory / "topologies" / f"{name}.yaml"
        path.write_text(yaml.safe_dump(topology_, sort_keys=False))
    clusters.run("salt-run saltutil.sync_runners")
    return files


def contents(host) -> list[str]:
    """Return the checksums of the files of a host, its grains, packages and modules."""
    return [
        host.run(CHECKSUMS),
        host.run("cat /etc/salt/grains"),
        host.run("rpm -qa 2>/dev/null | sort"),
        host.run("find /var/cache/salt/minion/extmods -name '*.py' 2>/dev/null || true"),
    ]


def grain(host) -> list | str:
    return yaml.safe_load(host.run("cat /etc/salt/grains"))["roles"]


def runner(clusters, function: str, *arguments: str) -> tuple[int, dict]:
    """Call a runner, and return its exit code and data."""
    done = clusters.execute("salt-run", "--out=json", "--no-color", function, *arguments)
    return done.returncode, json.loads(done.stdout)


def apply_everywhere(clusters) -> dict[str, dict]:
    """Run ``salt '*' state.apply``, assert success, and return the states by minion."""
    options = [f"--timeout={cluster.SALT_TIMEOUT}", "--out=json", "--static", "--no-color"]
    done = clusters.call("salt", *options, "*", "state.apply")
    answers = json.loads(done.stdout)
    assert set(answers) == {ULM, BONN, *FOREIGN}
    for minion, states in answers.items():
        assert isinstance(states, dict), (minion, states)
        failed = [state["comment"] for state in states.values() if state["result"] is not True]
        assert not failed, (minion, failed)
    assert done.returncode == 0
    return answers


def test_no_cluster_is_guessed(clusters):
    code, output = clusters.orchestrate("roles")
    assert code != 0 and CHOICE in output
    assert grain(clusters.at(ULM)) == ["monitored"] and grain(clusters.at(BONN)) == []
    code, data = runner(clusters, "cluster.status")
    assert code == 2 and CHOICE in data["problems"][0]["message"]


def test_roles_are_assigned_to_one_cluster_and_those_of_others_stay(clusters):
    clusters.orchestrated("roles", '{"cluster": "ulm"}')
    assert grain(clusters.at(ULM)) == ["monitored", *ROLES]
    assert grain(clusters.at(BONN)) == []
    assert clusters.orchestrated("roles", '{"cluster": "ulm"}')[1] == []


def test_each_cluster_is_deployed_on_its_own(clusters):
    steps, _ = clusters.orchestrated("deploy", '{"cluster": "ulm"}')
    assert f"Mesos master on {ULM}" in steps and BONN not in str(steps)
    assert grain(clusters.at(BONN)) == []
    clusters.orchestrated("deploy", '{"cluster": "bonn"}')
    for host, url in (
        (ULM, "zk://172.31.250.31:2181/mesos"),
        (BONN, "zk://172.31.250.32:2181/bonn/mesos"),
    ):
        assert clusters.at(host).run("cat /etc/mesos/zk").strip() == url


def test_everyone_can_apply_their_states(clusters):
    """A run on all minions needs no change of a cluster, and does nothing to others."""
    answers = apply_everywhere(clusters)
    for minion, states in answers.items():
        assert not [state for state in states.values() if state["changes"]], minion
    for host in FOREIGN:
        (state,) = answers[host].values()
        assert (state["__id__"], state["changes"]) == ("foreign-minion", {})
    assert len(answers[ULM]) > 20 and len(answers[BONN]) > 20


def test_runners_tell_the_clusters_apart(clusters):
    for name, host in (("ulm", ULM), ("bonn", BONN)):
        code, status = runner(clusters, "cluster.status", f"cluster={name}")
        assert (code, status["nodes"]["total"], status["problems"]) == (0, 1, [])
        assert list(status["zookeeper"]["servers"]) == [host]
        code, drift = runner(clusters, "cluster.drift", f"cluster={name}")
        assert (code, drift["drift"], drift["nodes"]) == (0, [], 1)
        code, backup = runner(clusters, "cluster.backup", f"cluster={name}")
        assert code == 0 and backup["path"].startswith(f"/var/lib/salt-mesos/backups/{name}/")
    done = clusters.call(
        "salt", "--out=json", "--static", "-I", "topology:cluster:bonn", "test.ping"
    )
    assert json.loads(done.stdout) == {BONN: True}
    assert runner(clusters, "cluster.agents", "*", "cluster=ulm")[1]["agents"] == {
        ULM: "172.31.250.31"
    }


def test_a_change_of_one_cluster_reaches_only_its_nodes(clusters):
    path = cluster.topology_directory() / "topologies" / "bonn.yaml"
    path.write_text(yaml.safe_dump({**TOPOLOGIES["bonn"], "ports": {"mesos-master": 5150}}))
    answers = apply_everywhere(clusters)
    changed = {
        minion
        for minion, states in answers.items()
        if any(state["changes"] for state in states.values())
    }
    assert changed == {BONN}


def test_minions_of_others_were_left_alone(clusters, foreign_files):
    assert {host: contents(clusters.at(host)) for host in FOREIGN} == foreign_files


def test_a_node_without_an_entry_is_refused_and_says_how_to_leave_it_alone(clusters):
    """Its daemons keep running."""
    path = cluster.topology_directory() / "topologies" / "bonn.yaml"
    path.write_text("nodes: {}\n")
    errors = clusters.at(BONN).apply()
    assert isinstance(errors, list) and "no topology has an entry" in errors[0]
    assert f"salt '{BONN}' grains.setval roles '[]'" in errors[0]
    clusters.at(BONN).run("systemctl is-active mesos-master zookeeper")
