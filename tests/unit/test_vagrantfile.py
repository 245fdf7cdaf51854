"""Vagrantfile: real Vagrant reads it, with the repository's topology and with others.

No machine boots, and no provider is needed.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from lab import ROOT

TOPOLOGY = yaml.safe_load((ROOT / "pillar/topology.yaml").read_text())
SCRIPT = Path(__file__).with_name("vagrantfile.rb")


class Project:
    """A copy of what Vagrant reads of the repository, with a topology of its own."""

    def __init__(self, home: Path, topology: object):
        self.home = home
        (home / "pillar").mkdir()
        (home / "pillar/topology.yaml").write_text(
            topology if isinstance(topology, str) else yaml.safe_dump(topology, sort_keys=False)
        )
        (home / "Vagrantfile").write_text((ROOT / "Vagrantfile").read_text())
        (home / "conf").symlink_to(ROOT / "conf")
        (home / "formulas/common").mkdir(parents=True)
        roles = (ROOT / "formulas/common/roles.yaml").read_text()
        (home / "formulas/common/roles.yaml").write_text(roles)

    def run(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "VAGRANT_HOME": str(self.home / ".vagrant.d"),
        }
        return subprocess.run(
            command,
            cwd=self.home,
            env=variables | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def machines(self, *triggers: str, **environment: str) -> dict[str, dict]:
        """Return what Vagrant would boot, by name. With ``up`` the triggers before that run."""
        result = self.run("ruby", SCRIPT, *triggers, **environment)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


@pytest.fixture
def project(ruby, vagrant, tmp_path):
    """Return a function: topology -> project."""
    return lambda topology=TOPOLOGY: Project(tmp_path, topology)


@pytest.fixture(scope="module")
def cluster(ruby, vagrant, tmp_path_factory) -> dict[str, dict]:
    """The machines of the repository's topology with an empty environment."""
    return Project(tmp_path_factory.mktemp("cluster"), TOPOLOGY).machines()


def addresses(machines: dict[str, dict]) -> dict[str, str]:
    return {machine["id"]: machine["address"] for machine in machines.values()}


def test_there_is_a_machine_for_each_node_and_two_for_a_glob(cluster):
    entries = {id: entry["address"] for id, entry in TOPOLOGY["nodes"].items() if "*" not in id}
    assert addresses(cluster) == {
        **entries,
        "lxb001.devops.test": "172.31.250.65",
        "lxb002.devops.test": "172.31.250.66",
    }
    assert list(cluster) == [id.partition(".")[0] for id in addresses(cluster)]


def test_an_added_entry_is_an_added_machine(cluster, project):
    entry = {
        "address": "172.31.250.14",
        "roles": ["zookeeper"],
        "zookeeper_id": 4,
        "zookeeper_observer": True,
    }
    after = project(
        {**TOPOLOGY, "nodes": {**TOPOLOGY["nodes"], "lxco01.devops.test": entry}}
    ).machines()
    assert addresses(after) == {**addresses(cluster), "lxco01.devops.test": "172.31.250.14"}


def test_an_entry_with_the_id_takes_precedence_over_a_glob(project):
    entry = {"address": "172.31.250.99", "roles": ["mesos-slave"]}
    machines = project({"nodes": {**TOPOLOGY["nodes"], "lxb002.devops.test": entry}}).machines(
        AGENTS="3"
    )
    assert [machine["address"] for name, machine in machines.items() if name.startswith("lxb")] == [
        "172.31.250.99",
        "172.31.250.65",
        "172.31.250.67",
    ]


def test_the_environment_sets_the_number_and_the_size_of_machines(project):
    machines = project().machines(
        AGENTS="4", BOX="centos/7", CPUS="3", CONTROL_MEMORY="4096", MEMORY="2048"
    )
    assert {name: machine["size"] for name, machine in machines.items()} == {
        "lxcm01": [2048, 3],
        **{f"lxcc0{number}": [4096, 3] for number in (1, 2, 3)},
        **{f"lxb00{number}": [2048, 3] for number in (1, 2, 3, 4)},
    }
    assert {machine["box"] for machine in machines.values()} == {"centos/7"}


def test_every_machine_knows_the_names_of_all(cluster):
    for machine in cluster.values():
        names = [f"{peer['address']} {peer['id']} {name}" for name, peer in cluster.items()]
        assert machine["hosts"] == ["127.0.0.1 localhost", *names]


def test_the_node_without_roles_is_the_salt_master_and_knows_all_keys(cluster):
    for name, machine in cluster.items():
        minion = f"""-j '{{"id":"{machine["id"]}","master":"172.31.250.10"}}' -F -c /tmp"""
        master = " -k /tmp/minion-seed-keys -M" if name == "lxcm01" else ""
        assert (
            " ".join(machine["command"].split())
            == f"conf/install-salt {minion}{master} stable 3006"
        )
        assert machine["known"] == (
            [peer["id"] for peer in cluster.values()] if name == "lxcm01" else []
        )
        assert (machine["master"], machine["folders"]) == (
            ("conf/master.d/mesos.conf", ["/srv/mesos"])
            if name == "lxcm01"
            else ("__UNSET__VALUE__", [])
        )


def test_the_environment_sets_where_salt_comes_from(project):
    environment = {
        "SALT_LINE": "3008",
        "SALT_REPO": "http://mirror/salt",
        "SALT_KEY": "http://mirror/key",
        "CENTOS_VAULT": "http://mirror/7.9",
    }
    for machine in project().machines(**environment).values():
        assert machine["command"].startswith(
            "conf/install-salt -R 'http://mirror/salt' -G 'http://mirror/key' "
            "-V 'http://mirror/7.9' "
        )
        assert machine["command"].endswith(" stable 3008")


def test_keys_are_created_once_before_the_first_boot_and_only_their_owner_can_read_them(project):
    repository = project(
        {
            "nodes": {
                "lxcm01": {"address": "10.0.0.1"},
                "lxcc01": {"address": "10.0.0.2", "roles": "zookeeper"},
            }
        }
    )
    repository.run("vagrant", "validate", "--ignore-provider")
    assert not (repository.home / "build").exists()
    machines = repository.machines("up")
    keys = {
        Path(path): Path(path).read_bytes()
        for machine in machines.values()
        for path in machine["keys"]
    }
    assert len(keys) == 2 * len(machines) and {
        path.stat().st_mode & 0o777 for path in keys if path.suffix == ".pem"
    } == {0o600}
    repository.machines("up")
    assert {path: path.read_bytes() for path in keys} == keys


@pytest.mark.parametrize(
    "nodes, environment, words",
    [
        ({}, {"AGENTS": "no"}, "AGENTS = no: should be a number, 1 or more."),
        ({}, {"MEMORY": "2G"}, "MEMORY = 2G: should be a number, 1 or more."),
        (
            {},
            {"AGENTS": "64"},
            "nodes:lxb*.devops.test:address = 172.31.250.64/26: has no 64 addresses.",
        ),
        (
            {"lxb[12].devops.test": {"address": "10.0.0.0/24"}},
            {},
            "nodes:lxb[12].devops.test: should be a glob with one *",
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
    ids=["agents", "memory", "too many agents", "glob", "address", "entry", "no nodes", "not YAML"],
)
def test_an_error_is_one_line(project, nodes, environment, words):
    topology = (
        {**TOPOLOGY, "nodes": {**TOPOLOGY["nodes"], **nodes}}
        if isinstance(nodes, dict)
        else nodes or {"nodes": {}}
    )
    result = project(topology).run(
        "vagrant", "validate", "--ignore-provider", **{"AGENTS": "2"} | environment
    )
    assert result.returncode == 1 and words in result.stderr, result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr


def test_vagrant_validates_the_file(project):
    result = project().run("vagrant", "validate", "--ignore-provider")
    output = result.stdout + result.stderr
    assert result.returncode == 0 and "validated successfully" in output, output


def test_a_machine_with_a_new_control_role_gets_the_memory_of_a_control_node(project):
    """Only roles.yaml is edited."""
    entry = {"address": "172.31.250.14", "roles": ["mesos-dns"]}
    repository = project({"nodes": {**TOPOLOGY["nodes"], "lxdns01.devops.test": entry}})
    assert repository.machines()["lxdns01"]["size"] == [1536, 2]
    with (repository.home / "formulas/common/roles.yaml").open("a") as roles:
        roles.write("mesos-dns: {formula: mesos, sls: mesos.dns, unit: mesos-dns, control: true}\n")
    assert repository.machines()["lxdns01"]["size"] == [3072, 2]
