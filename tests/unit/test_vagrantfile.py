"""Vagrantfile: real Vagrant reads it, beside the table or one with a row more. No machine is booted, and no box or provider needed."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from lab import ROOT

TABLE = yaml.safe_load((ROOT / "pillar/topology.yaml").read_text())
ASK = Path(__file__).with_name("vagrantfile.rb")


class Project:
    """A copy of the repository as far as Vagrant looks at it, with a table of its own."""

    def __init__(self, home: Path, table: object):
        self.home = home
        (home / "pillar").mkdir()
        (home / "pillar/topology.yaml").write_text(
            table if isinstance(table, str) else yaml.safe_dump(table, sort_keys=False)
        )
        (home / "Vagrantfile").write_text((ROOT / "Vagrantfile").read_text())
        (home / "conf").symlink_to(ROOT / "conf")

    def run(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "VAGRANT_HOME": str(self.home / ".vagrant.d"),
        }
        return subprocess.run(
            command,
            cwd=self.home,
            env=own | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def machines(self, *pulled: str, **environment: str) -> dict[str, dict]:
        """What Vagrant would boot, by name; with ``up`` what comes before that is done."""
        done = self.run("ruby", ASK, *pulled, **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def project(ruby, vagrant, tmp_path):
    """A function: table -> project."""
    return lambda table=TABLE: Project(tmp_path, table)


@pytest.fixture(scope="module")
def cluster(ruby, vagrant, tmp_path_factory) -> dict[str, dict]:
    """What would be booted with the repository's table and nothing in the environment."""
    return Project(tmp_path_factory.mktemp("cluster"), TABLE).machines()


def addresses(machines: dict[str, dict]) -> dict[str, str]:
    return {machine["id"]: machine["address"] for machine in machines.values()}


def test_the_machines_are_the_rows_of_the_table_and_two_for_a_pattern(cluster):
    rows = {id: row["address"] for id, row in TABLE["nodes"].items() if "*" not in id}
    assert addresses(cluster) == {
        **rows,
        "lxb001.devops.test": "172.31.250.65",
        "lxb002.devops.test": "172.31.250.66",
    }
    assert list(cluster) == [id.partition(".")[0] for id in addresses(cluster)]


def test_one_row_more_is_one_machine_more(cluster, project):
    row = {
        "address": "172.31.250.14",
        "roles": ["zookeeper"],
        "zookeeper_id": 4,
        "zookeeper_observer": True,
    }
    after = project({**TABLE, "nodes": {**TABLE["nodes"], "lxco01.devops.test": row}}).machines()
    assert addresses(after) == {**addresses(cluster), "lxco01.devops.test": "172.31.250.14"}


def test_a_row_with_the_very_id_wins_over_a_pattern(project):
    row = {"address": "172.31.250.99", "roles": ["mesos-slave"]}
    machines = project({"nodes": {**TABLE["nodes"], "lxb002.devops.test": row}}).machines(
        AGENTS="3"
    )
    assert [machine["address"] for name, machine in machines.items() if name.startswith("lxb")] == [
        "172.31.250.99",
        "172.31.250.65",
        "172.31.250.67",
    ]


def test_how_many_and_how_large_is_said_by_the_environment(project):
    machines = project().machines(
        AGENTS="4", BOX="centos/7", CPUS="3", CONTROL_MEMORY="4096", MEMORY="2048"
    )
    assert {name: machine["size"] for name, machine in machines.items()} == {
        "lxcm01": [2048, 3],
        **{f"lxcc0{number}": [4096, 3] for number in (1, 2, 3)},
        **{f"lxb00{number}": [2048, 3] for number in (1, 2, 3, 4)},
    }
    assert {machine["box"] for machine in machines.values()} == {"centos/7"}


def test_each_machine_has_the_names_of_all(cluster):
    for machine in cluster.values():
        names = [f"{other['address']} {other['id']} {name}" for name, other in cluster.items()]
        assert machine["hosts"] == ["127.0.0.1 localhost", *names]


def test_the_row_without_roles_is_the_salt_master_and_knows_the_keys_of_all(cluster):
    for name, machine in cluster.items():
        minion = f"""-j '{{"id":"{machine["id"]}","master":"172.31.250.10"}}' -F -c /tmp"""
        master = " -k /tmp/minion-seed-keys -M" if name == "lxcm01" else ""
        assert (
            " ".join(machine["command"].split())
            == f"conf/install-salt {minion}{master} stable 3006"
        )
        assert machine["known"] == (
            [one["id"] for one in cluster.values()] if name == "lxcm01" else []
        )
        assert (machine["master"], machine["folders"]) == (
            ("conf/master.d/mesos.conf", ["/srv/mesos"])
            if name == "lxcm01"
            else ("__UNSET__VALUE__", [])
        )


def test_salt_comes_from_where_the_environment_says(project):
    chosen = {
        "SALT_LINE": "3008",
        "SALT_REPO": "http://mirror/salt",
        "SALT_KEY": "http://mirror/key",
        "CENTOS_VAULT": "http://mirror/7.9",
    }
    for machine in project().machines(**chosen).values():
        assert machine["command"].startswith(
            "conf/install-salt -R 'http://mirror/salt' -G 'http://mirror/key' -V 'http://mirror/7.9' "
        )
        assert machine["command"].endswith(" stable 3008")


def test_keys_are_made_once_before_the_first_boot_and_for_nobody_else_to_read(project):
    own = project(
        {
            "nodes": {
                "lxcm01": {"address": "10.0.0.1"},
                "lxcc01": {"address": "10.0.0.2", "roles": "zookeeper"},
            }
        }
    )
    own.run("vagrant", "validate", "--ignore-provider")
    assert not (own.home / "build").exists()
    machines = own.machines("up")
    keys = {
        Path(path): Path(path).read_bytes()
        for machine in machines.values()
        for path in machine["keys"]
    }
    assert len(keys) == 2 * len(machines) and {
        path.stat().st_mode & 0o777 for path in keys if path.suffix == ".pem"
    } == {0o600}
    own.machines("up")
    assert {path: path.read_bytes() for path in keys} == keys


@pytest.mark.parametrize(
    "nodes, environment, words",
    [
        ({}, {"AGENTS": "no"}, "AGENTS = no: should be a number from 1 on."),
        ({}, {"MEMORY": "2G"}, "MEMORY = 2G: should be a number from 1 on."),
        (
            {},
            {"AGENTS": "64"},
            "nodes:lxb*.devops.test:address = 172.31.250.64/26: has no 64 addresses.",
        ),
        (
            {"lxb[12].devops.test": {"address": "10.0.0.0/24"}},
            {},
            "nodes:lxb[12].devops.test: a pattern with one *",
        ),
        (
            {"lxcc04": {"address": "lxcc04"}},
            {},
            "nodes:lxcc04:address = lxcc04: not an IPv4 address",
        ),
        ({"lxcc04": ["zookeeper"]}, {}, "nodes:lxcc04 = "),
        (None, {}, "nodes: should be a mapping"),
        ("nodes: {lxcc01: {roles: [docker}\n", {}, "cannot be read: "),
    ],
    ids=["agents", "memory", "too many agents", "pattern", "address", "row", "no nodes", "no YAML"],
)
def test_what_cannot_be_booted_is_refused_in_one_line(project, nodes, environment, words):
    table = (
        {**TABLE, "nodes": {**TABLE["nodes"], **nodes}}
        if isinstance(nodes, dict)
        else nodes or {"nodes": {}}
    )
    done = project(table).run(
        "vagrant", "validate", "--ignore-provider", **{"AGENTS": "2"} | environment
    )
    assert done.returncode == 1 and words in done.stderr and len(done.stderr.splitlines()) == 1, (
        done.stderr
    )


def test_vagrant_finds_the_file_in_order(project):
    done = project().run("vagrant", "validate", "--ignore-provider")
    assert done.returncode == 0 and "validated successfully" in done.stdout, (
        done.stdout + done.stderr
    )
