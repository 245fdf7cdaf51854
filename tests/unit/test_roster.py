"""conf/roster: salt-ssh reaches whom the table names, with the roles that it grants; what is wrong is said before a host is touched."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from lab import ROOT, SALT_LINES, saltenv

# Reads the roster beside a master's configuration, with further options, for each line of JSON that it gets.
READ = """
import json, sys
import salt.config, salt.roster
for line in sys.stdin:
    directory, more = json.loads(line)
    options = salt.config.master_config(directory + "/master")
    options.update(roster_file=directory + "/roster", **more)
    try:
        answer = {"rows": salt.roster.Roster(options, "flat").targets("*", "glob")}
    except SystemExit as error:
        answer = {"said": str(error)}
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
    """The real Salt of a line, to be asked for rosters."""
    command = [saltenv.machine_env(request.param), "-W", "ignore", "-c", READ]
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
    """Read the roster for a table and a hosts.yaml; return its rows, or what is said instead."""

    def read(nodes: dict, hosts: object = None, **options) -> dict | str:
        pillar = tmp_path / "pillar"
        pillar.mkdir()
        (pillar / "topology.sls").symlink_to(ROOT / "pillar/topology.sls")
        (pillar / "topology.yaml").write_text(yaml.safe_dump({"nodes": nodes}))
        (tmp_path / "master").write_text(
            yaml.safe_dump({"root_dir": str(tmp_path), "pillar_roots": {"base": [str(pillar)]}})
        )
        (tmp_path / "roster").write_text((ROOT / "conf/roster").read_text())
        if hosts is not None:
            (tmp_path / "hosts.yaml").write_text(
                hosts if isinstance(hosts, str) else yaml.safe_dump(hosts)
            )
        answer = reader(tmp_path, options)
        return answer["said"].replace(f"{tmp_path}/", "") if "said" in answer else answer["rows"]

    read.line = reader.line
    return read


def without_check(rows: dict) -> dict:
    return {
        name: {key: value for key, value in row.items() if key != "set_path"}
        for name, row in rows.items()
    }


def test_a_node_that_the_table_names_is_reached_at_its_address_and_has_the_roles_of_its_row(roster):
    assert without_check(roster(NODES)) == {
        "lxcm01.devops.test": {"host": "172.31.250.10", "grains": {"roles": []}},
        "lxcc01.devops.test": {
            "host": "172.31.250.11",
            "grains": {"roles": ["zookeeper", "mesos-master"]},
        },
    }


def test_agents_of_a_pattern_are_listed_and_have_its_roles(roster):
    second = {"host": "172.31.250.66", "sudo": True}
    rows = without_check(
        roster(NODES, {"lxb001.devops.test": "172.31.250.65", "lxb002.devops.test": second})
    )
    assert rows["lxb001.devops.test"] == {
        "host": "172.31.250.65",
        "grains": {"roles": ["mesos-slave"]},
    }
    assert rows["lxb002.devops.test"] == second | {"grains": {"roles": ["mesos-slave"]}}


def test_more_may_be_said_of_a_node_that_the_table_names(roster):
    rows = without_check(roster(NODES, {"lxcc01.devops.test": {"user": "admin", "port": 2222}}))
    assert rows["lxcc01.devops.test"] == {
        "host": "172.31.250.11",
        "user": "admin",
        "port": 2222,
        "grains": {"roles": ["zookeeper", "mesos-master"]},
    }


def test_without_a_table_all_hosts_are_listed(roster):
    host = {"host": "172.31.250.11", "grains": {"roles": ["docker"]}}
    assert without_check(roster({}, {"lxdev01": host})) == {"lxdev01": host}


@pytest.mark.parametrize(
    "nodes, hosts, words",
    [
        (
            NODES | {"lxb*.devops.test": {"address": "172.31.250.64/26", "roles": ["mesos-slvae"]}},
            None,
            [
                "topology:nodes:lxb*.devops.test:roles = mesos-slvae: no such role. Did you mean mesos-slave?"
            ],
        ),
        (
            NODES,
            {"lxx001.devops.test": "172.31.250.65"},
            ["topology:nodes = lxx001.devops.test: no row is for this minion"],
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
            ["hosts.yaml: lxdev01 = {'grains': {}}: should say where it is"],
        ),
    ],
    ids=["table", "unknown agent", "number", "number for host", "list", "no YAML", "no host"],
)
def test_what_is_wrong_is_said_and_nobody_is_reached(roster, nodes, hosts, words):
    said = roster(nodes, hosts)
    assert isinstance(said, str) and len(said.splitlines()) == len(words), said
    for word in words:
        assert word in said


def pythons(directory: Path, **versions: str | None) -> str:
    """A PATH with these interpreters and nothing else: each is as old as it says, or does not run."""
    directory.mkdir()
    for name, version in versions.items():
        old = (
            version
            and f'exec /usr/bin/python3 -c "import sys; sys.version_info = ({version}); exec(sys.argv.pop(1))" "$2"'
        )
        (directory / name).write_text(f"#!/bin/sh\n{old or 'exit 127'}\n")
        (directory / name).chmod(0o755)
    return str(directory)


def looked(check: str, path: str) -> subprocess.CompletedProcess:
    """What the shell of a host makes of it, in the two ways in which Salt has it evaluate the value."""
    script = f'set -e\nset -u\nSET_PATH="{check}"\nexport PATH={check}\necho "$SET_PATH" "$PATH"'
    return subprocess.run(
        ["/bin/sh"], input=script, env={"PATH": path}, capture_output=True, text=True, check=False
    )


def test_a_host_with_the_python_that_salt_needs_is_entered_and_one_with_an_older_is_not(
    roster, tmp_path
):
    check = roster(NODES)["lxcm01.devops.test"]["set_path"]
    needed = int(re.search(r"needs 3\.(\d+) or later", looked(check, "/nowhere").stderr)[1])
    assert needed >= 9  # which parts of both environments need
    path = pythons(tmp_path / "enough", python3=f"3, {needed}")
    done = looked(check, path)
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", [path, path])
    assert looked(check, pythons(tmp_path / "old", python3=f"3, {needed - 1}")).returncode == 10


@pytest.mark.parametrize(
    "there",
    [
        {},
        {"python": "2, 7", "python2": "2, 7"},
        {"python3": "3, 5"},
        {"python3": None, "python2": "2, 7"},
    ],
    ids=["none", "2.7", "3.5", "one that does not run"],
)
def test_a_host_without_one_is_refused_with_what_to_do(roster, tmp_path, there):
    done = looked(
        roster(NODES)["lxcm01.devops.test"]["set_path"], pythons(tmp_path / "bin", **there)
    )
    assert (done.returncode, done.stdout) == (10, "")
    advice = {"3006": "salt-ssh -r HOST 'yum -y install python3'", "3008": "salt-ssh --relenv"}[
        roster.line
    ]
    assert (
        "Nothing was copied." in done.stderr
        and advice in done.stderr
        and len(done.stderr.splitlines()) == 1
    ), done.stderr


def test_a_path_of_the_hosts_own_is_looked_at(roster, tmp_path):
    path = pythons(tmp_path / "opt", python3="3, 11")
    check = roster({}, {"lxdev01": {"host": "172.31.250.11", "set_path": f"{path}:$PATH"}})[
        "lxdev01"
    ]["set_path"]
    assert looked(check, "/nowhere").stdout.split() == [f"{path}:/nowhere"] * 2


def test_salt_that_brings_its_own_python_does_not_look_for_one(roster):
    checked = "set_path" in roster(NODES, relenv=True)["lxcm01.devops.test"]
    assert checked == (roster.line == "3006")  # which cannot
