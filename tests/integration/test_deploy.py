"""The orchestration deploy: from bare minions to one control node, and from one to three."""

import re
from pathlib import Path

import pytest
import yaml
from ha_cluster import HOSTS, check_healthy

from lab import cluster

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "pillar/topology.yaml"
ETC = (
    "find /etc /var/lib -type f -printf '%p %T@\\n' "
    "| grep -v -e /etc/salt/ -e version-2 -e /var/lib/[^z] | sort | md5sum"
)

# It is about the steps and the services; test_install.py walks the same way with the other line.
pytestmark = pytest.mark.lines("3008")


@pytest.fixture
def table(bare):
    """A way to serve another table than the repository's; None takes it back."""
    place = cluster.topology_directory()

    def serve(contents: dict | str | None) -> None:
        for path in place.iterdir():
            path.unlink()
        if contents is not None:
            place.joinpath("topology.yaml").write_text(
                contents if isinstance(contents, str) else yaml.safe_dump(contents, sort_keys=False)
            )
            place.joinpath("topology.sls").symlink_to("/srv/mesos/pillar/topology.sls")

    yield serve
    serve(None)


def test_bare_hosts_are_bare(bare):
    for host in ("lxcc01", "lxb001"):
        assert (
            bare.at(host).run("ls /etc/mesos* /etc/zookeeper /etc/docker 2>/dev/null | wc -l")
            == "0\n"
        )
        assert "roles" not in bare.at(host).run("cat /etc/salt/grains 2>/dev/null || true")


def test_without_its_role_a_node_is_refused_and_told_what_to_do(bare):
    errors = bare.at("lxcc01").apply()
    assert isinstance(errors, list) and len(errors) == 1, errors
    for words in ("grains:roles", "zookeeper", "salt-run state.orchestrate orchestration.roles"):
        assert words in errors[0]


@pytest.mark.parametrize(
    "invalid_rows, words",
    [
        ({"lxcc02.devops.test": {"zookeeper_id": 1}}, ["lxcc02.devops.test:zookeeper_id", "= 1"]),
        (
            {
                "lxcc01.devops.test": {"zookeeper_id": 300},
                "lxcc02.devops.test": {"address": "172.31.250"},
                "lxb*.devops.test": {"roles": ["mesos-slaves"]},
            },
            [
                "lxcc01.devops.test:zookeeper_id",
                "300",
                "lxcc02.devops.test:address",
                "172.31.250",
                "mesos-slaves",
                "Did you mean mesos-slave?",
            ],
        ),
    ],
    ids=["one fault", "three at once"],
)
def test_a_faulty_table_is_refused_and_no_host_is_touched(bare, table, invalid_rows, words):
    before = {host: bare.at(host).run(ETC) for host in ("lxcc01", "lxb001")}
    faulty = yaml.safe_load(TABLE.read_text())
    for row, settings in invalid_rows.items():
        faulty["nodes"][row] |= settings
    table(faulty)
    for host in before:
        errors = bare.at(host).apply()
        assert isinstance(errors, list) and len(errors) == 1, errors
        assert all(word in errors[0] for word in words) and "Traceback" not in errors[0], errors
    code, printed = bare.orchestrate("deploy")
    assert code != 0 and all(word in printed for word in words) and "Traceback" not in printed
    assert before == {host: bare.at(host).run(ETC) for host in before}


def test_one_control_node_is_deployed(bare, table):
    small = yaml.safe_load(TABLE.read_text())
    for node in ("lxcc02", "lxcc03"):
        del small["nodes"][f"{node}.devops.test"]
    table(small)
    steps, changed = bare.orchestrated("deploy")
    order = [
        "Every named node responds and has its roles",
        "ZooKeeper on lxcc01.devops.test",
        "ZooKeeper has its quorum",
        "Mesos master on lxcc01.devops.test",
        "The Mesos masters have a leader",
        "The Mesos slaves are registered",
        "Marathon on lxcc01.devops.test",
        "Chronos on lxcc01.devops.test",
        "Every node has all that its roles name",
    ]
    assert [step for step in steps if step in order] == order
    assert "ZooKeeper on lxcc01.devops.test" in changed
    bare.at("lxcc01").run("/opt/mesosphere/zookeeper/bin/zkCli.sh create /kept treasure")


def test_a_dead_node_stops_it_by_name_before_anything_is_changed(bare):
    bare.do("kill", "lxcc03")
    before = {host: bare.at(host).run(ETC) for host in ("lxcc01", "lxcc02")}
    code, printed = bare.orchestrate("deploy")
    assert code != 0 and "lxcc03.devops.test" in printed
    assert "ZooKeeper on" not in printed
    assert before == {host: bare.at(host).run(ETC) for host in before}


def test_without_the_dead_node_it_goes_on_as_far_as_there_is_a_quorum(bare):
    """
    ZooKeeper grows from one server to two of three.

    The log of the masters cannot: one voting and one new replica are not a quorum.
    """
    code, printed = bare.orchestrate("deploy", '{"skip": ["lxcc03.devops.test"], "timeout": 15}')
    steps = re.findall(r"ID: (.*)", printed)
    assert "ZooKeeper has its quorum" in steps and "lxcc03.devops.test" not in "".join(steps)
    assert steps.index("Mesos master on lxcc01.devops.test") < steps.index(
        "Mesos master on lxcc02.devops.test"
    )
    assert (
        code != 0
        and "this-master-is-healthy" in printed
        and "Waited 15 seconds for a leader that has recovered" in printed
    )
    assert "Run failed on minions: lxcc02.devops.test" in printed and "Marathon on" not in printed


def test_with_a_new_log_of_all_three_masters_the_cluster_is_whole(bare):
    """As INSTALL.md has it, 7.2: what the one ZooKeeper server knew is what the three know."""
    bare.at("lxcc01").run(
        "systemctl stop mesos-master && "
        "mv /var/lib/mesos/replicated_log /var/lib/mesos/replicated_log.old"
    )
    bare.do("start", "lxcc03")
    bare.orchestrated("deploy")
    check_healthy(bare)
    assert "treasure" in bare.at("lxcc03").run(
        "/opt/mesosphere/zookeeper/bin/zkCli.sh get /kept 2>&1"
    )


def test_run_again_it_changes_nothing_and_so_does_state_apply(bare):
    assert bare.orchestrated("deploy")[1] == []
    assert bare.converge_all(HOSTS) == {}


def test_a_node_that_is_not_in_the_topology_cannot_be_skipped(bare):
    code, printed = bare.orchestrate("deploy", '{"skip": ["lxcc09.devops.test"]}')
    assert code != 0 and "lxcc09.devops.test" in printed and "lxcc01.devops.test" in printed


def test_a_service_that_fails_stops_it_with_host_and_reason(bare):
    """ZooKeeper cannot be started on lxcc02: the run ends there, says so, and touches no master."""
    bare.at("lxcc02").run("systemctl mask --now zookeeper")
    try:
        code, printed = bare.orchestrate("deploy")
        assert (
            code != 0
            and "Run failed on minions: lxcc02.devops.test" in printed
            and "Unit zookeeper.service is masked" in printed
        )
        assert "Mesos master on" not in printed
    finally:
        bare.at("lxcc02").run("systemctl unmask zookeeper && systemctl start zookeeper")
    check_healthy(bare)
