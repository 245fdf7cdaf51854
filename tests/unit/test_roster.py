"""conf/roster: hosts and roles come from the topology, and errors stop salt-ssh."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from lab import ROOT, SALT_LINES, saltenv

# Reads the roster beside a master's configuration, with options, for each line of JSON on stdin.
SCRIPT = """
import json, sys
import salt.config, salt.roster
for line in sys.stdin:
    directory, extra = json.loads(line)
    options = salt.config.master_config(directory + "/master")
    options.update(roster_file=directory + "/roster", **extra)
    try:
        answer = {"roster": salt.roster.Roster(options, "flat").targets("*", "glob")}
    except SystemExit as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
"""

NODES = {
    "lxcm01.devops.test": {"address": "172.31.250.10", "roles": []},
    "lxcc01.devops.test": {
        "address": "172.31.250.11",
        "roles": ["zookeeper", "mesos-master"],
        "zookeeper_id": 1,
    },
    "lxb*.devops.test": {"address": "172.31.250.64/26", "roles": ["mesos-slave"]},
}


@pytest.fixture(scope="module", params=SALT_LINES)
def reader(request):
    """A function that has the real Salt of a line read a roster."""
    command = [saltenv.machine_env(request.param), "-W", "ignore", "-c", SCRIPT]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def read(directory: Path, options: dict) -> dict:
            print(json.dumps([str(directory), options]), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        read.line = request.param
        yield read
        process.stdin.close()


@pytest.fixture
def roster(reader, tmp_path):
    """Return a function: topology and hosts.yaml -> roster, or the error."""

    def read(nodes: dict, hosts: object = None, clusters: dict | None = None, **options):
        pillar = tmp_path / "pillar"
        pillar.mkdir()
        (pillar / "topology.sls").symlink_to(ROOT / "pillar/topology.sls")
        if clusters is None:
            (pillar / "topology.yaml").write_text(yaml.safe_dump({"nodes": nodes}))
        else:
            (pillar / "topologies").mkdir()
        for name, entries in (clusters or {}).items():
            path = pillar / "topologies" / f"{name}.yaml"
            path.write_text(yaml.safe_dump({"nodes": entries}))
        (tmp_path / "master").write_text(
            yaml.safe_dump({"root_dir": str(tmp_path), "pillar_roots": {"base": [str(pillar)]}})
        )
        (tmp_path / "roster").write_text((ROOT / "conf/roster").read_text())
        if hosts is not None:
            (tmp_path / "hosts.yaml").write_text(
                hosts if isinstance(hosts, str) else yaml.safe_dump(hosts)
            )
        answer = reader(tmp_path, options)
        if "error" in answer:
            return answer["error"].replace(f"{tmp_path}/", "")
        return answer["roster"]

    read.line = reader.line
    return read


def without_check(roster: dict) -> dict:
    """Return a roster without the check of the Python, which every entry has."""
    return {
        name: {key: value for key, value in entry.items() if key != "set_path"}
        for name, entry in roster.items()
    }


def test_a_node_of_the_topology_has_its_address_and_its_roles(roster):
    assert without_check(roster(NODES)) == {
        "lxcm01.devops.test": {"host": "172.31.250.10", "grains": {"roles": []}},
        "lxcc01.devops.test": {
            "host": "172.31.250.11",
            "grains": {"roles": ["zookeeper", "mesos-master"]},
        },
    }


def test_hosts_that_match_a_glob_have_its_roles(roster):
    second = {"host": "172.31.250.66", "sudo": True}
    entries = without_check(
        roster(NODES, {"lxb001.devops.test": "172.31.250.65", "lxb002.devops.test": second})
    )
    assert entries["lxb001.devops.test"] == {
        "host": "172.31.250.65",
        "grains": {"roles": ["mesos-slave"]},
    }
    assert entries["lxb002.devops.test"] == second | {"grains": {"roles": ["mesos-slave"]}}


def test_hosts_yaml_can_add_keys_to_a_node_of_the_topology(roster):
    entries = without_check(roster(NODES, {"lxcc01.devops.test": {"user": "admin", "port": 2222}}))
    assert entries["lxcc01.devops.test"] == {
        "host": "172.31.250.11",
        "user": "admin",
        "port": 2222,
        "grains": {"roles": ["zookeeper", "mesos-master"]},
    }


def test_without_a_topology_hosts_yaml_lists_all_hosts(roster):
    host = {"host": "172.31.250.11", "grains": {"roles": ["docker"]}}
    assert without_check(roster({}, {"lxdev01": host})) == {"lxdev01": host}


CLUSTERS = {
    "ulm": NODES,
    "bonn": {
        "bonn-cc": {
            "address": "10.0.2.1",
            "roles": ["zookeeper", "mesos-master"],
            "zookeeper_id": 1,
        },
        "bonn-b*": {"address": "10.0.2.0/24", "roles": ["mesos-slave", "docker"]},
    },
}


def test_the_nodes_of_all_clusters_have_the_roles_of_their_own(roster):
    hosts = {"bonn-b1": "10.0.2.7", "lxb001.devops.test": "172.31.250.65"}
    entries = without_check(roster({}, hosts, clusters=CLUSTERS))
    assert {name: entry["grains"]["roles"] for name, entry in entries.items()} == {
        "lxcm01.devops.test": [],
        "lxcc01.devops.test": ["zookeeper", "mesos-master"],
        "lxb001.devops.test": ["mesos-slave"],
        "bonn-cc": ["zookeeper", "mesos-master"],
        "bonn-b1": ["mesos-slave", "docker"],
    }
    assert entries["bonn-cc"]["host"] == "10.0.2.1"


@pytest.mark.parametrize(
    "shared, hosts",
    [
        ({"lxb001.devops.test": {"address": "10.0.2.9", "roles": ["docker"]}}, {}),
        (
            {"lxb*1.devops.test": {"address": "10.0.2.0/24", "roles": ["docker"]}},
            {"lxb001.devops.test": "172.31.250.65"},
        ),
    ],
    ids=["by its id", "by globs"],
)
def test_a_host_of_two_clusters_is_an_error(roster, shared, hosts):
    clusters = {**CLUSTERS, "bonn": {**CLUSTERS["bonn"], **shared}}
    [name] = shared
    assert roster({}, hosts, clusters=clusters) == (
        f"topologies:nodes = {name} of bonn, lxb*.devops.test of ulm: all of these entries match "
        "lxb001.devops.test. A node belongs to one cluster. Change them."
    )


@pytest.mark.parametrize(
    "nodes, hosts, words",
    [
        (
            NODES | {"lxb*.devops.test": {"address": "172.31.250.64/26", "roles": ["mesos-slvae"]}},
            None,
            [
                "topology:nodes:lxb*.devops.test:roles = mesos-slvae: "
                "no such role. Did you mean mesos-slave?"
            ],
        ),
        (
            NODES,
            {"lxx001.devops.test": "172.31.250.65"},
            ["topology:nodes = lxx001.devops.test: the topology has no entry for this minion"],
        ),
        (
            NODES,
            {"lxb001.devops.test": 65},
            ["hosts.yaml: lxb001.devops.test = 65: should be an address, or a mapping"],
        ),
        (
            NODES,
            {"lxb001.devops.test": {"host": 65}},
            ["hosts.yaml: lxb001.devops.test = {'host': 65}: should be an address"],
        ),
        (
            NODES,
            ["lxb001.devops.test"],
            ["hosts.yaml = ['lxb001.devops.test']: should be a mapping"],
        ),
        (NODES, "lxb001: [}", ["hosts.yaml = (not YAML): line 1: "]),
        (
            {},
            {"lxdev01": {"grains": {}}},
            ["hosts.yaml: lxdev01 = {'grains': {}}: has no address. Set host."],
        ),
    ],
    ids=["topology", "unknown agent", "number", "number for host", "list", "not YAML", "no host"],
)
def test_an_error_is_reported_and_there_is_no_roster(roster, nodes, hosts, words):
    error = roster(nodes, hosts)
    assert isinstance(error, str) and len(error.splitlines()) == len(words), error
    for text in words:
        assert text in error


def pythons(directory: Path, **versions: str | None) -> str:
    """Return a PATH with nothing but these interpreters: each claims a version, or does not run."""
    directory.mkdir()
    for name, version in versions.items():
        command = (
            version
            and f'exec /usr/bin/python3 -c "import sys; sys.version_info = ({version}); '
            f'exec(sys.argv.pop(1))" "$2"'
        )
        (directory / name).write_text(f"#!/bin/sh\n{command or 'exit 127'}\n")
        (directory / name).chmod(0o755)
    return str(directory)


def run_check(check: str, path: str) -> subprocess.CompletedProcess:
    """Have a shell evaluate ``set_path`` in the two ways in which Salt does."""
    script = f'set -e\nset -u\nSET_PATH="{check}"\nexport PATH={check}\necho "$SET_PATH" "$PATH"'
    return subprocess.run(
        ["/bin/sh"], input=script, env={"PATH": path}, capture_output=True, text=True, check=False
    )


def test_a_host_needs_the_python_that_salt_needs(roster, tmp_path):
    check = roster(NODES)["lxcm01.devops.test"]["set_path"]
    minor = int(re.search(r"needs 3\.(\d+) or later", run_check(check, "/nowhere").stderr)[1])
    assert minor >= 9  # Packages in both environments need it.
    path = pythons(tmp_path / "enough", python3=f"3, {minor}")
    result = run_check(check, path)
    assert (result.returncode, result.stderr, result.stdout.split()) == (0, "", [path, path])
    assert run_check(check, pythons(tmp_path / "old", python3=f"3, {minor - 1}")).returncode == 10


@pytest.mark.parametrize(
    "interpreters",
    [
        {},
        {"python": "2, 7", "python2": "2, 7"},
        {"python3": "3, 5"},
        {"python3": None, "python2": "2, 7"},
    ],
    ids=["none", "2.7", "3.5", "broken"],
)
def test_a_host_without_a_recent_python_is_refused_with_advice(roster, tmp_path, interpreters):
    result = run_check(
        roster(NODES)["lxcm01.devops.test"]["set_path"], pythons(tmp_path / "bin", **interpreters)
    )
    assert (result.returncode, result.stdout) == (10, "")
    advice = {"3006": "salt-ssh -r HOST 'yum -y install python3'", "3008": "salt-ssh --relenv"}[
        roster.line
    ]
    assert (
        "Nothing was copied." in result.stderr
        and advice in result.stderr
        and len(result.stderr.splitlines()) == 1
    ), result.stderr


def test_the_set_path_of_a_host_is_checked(roster, tmp_path):
    path = pythons(tmp_path / "opt", python3="3, 11")
    check = roster({}, {"lxdev01": {"host": "172.31.250.11", "set_path": f"{path}:$PATH"}})[
        "lxdev01"
    ]["set_path"]
    assert run_check(check, "/nowhere").stdout.split() == [f"{path}:/nowhere"] * 2


def test_salt_with_its_own_python_does_not_check_the_host(roster):
    is_checked = "set_path" in roster(NODES, relenv=True)["lxcm01.devops.test"]
    assert is_checked == (roster.line == "3006")  # 3006 cannot bring a Python.
