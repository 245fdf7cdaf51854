"""
Hosts without a minion, by salt-ssh: the same cluster and files, without additional round trips.

Salt 3006 runs on Python 3.6, as on EL7, if this machine has one (else on the hosts' own). Salt 3008
brings its own Python, to hosts without any.
"""

import json

import pytest
from cluster_lab import Lab
from document import parse, run

from conftest import PORTRAITS, booted, converged_single
from lab import ROOT, SALT_LINES

HOST = "lxdev01"  # of tests/topologies/single.yaml

# ssh and scp as they are, and a line for each of their runs.
COUNTED = r"""
mkdir -p /root/counted
for program in ssh scp; do
    printf '#!/bin/sh\necho %s >> /root/trips\nexec /usr/bin/%s "$@"\n' $program $program > /root/counted/$program
done
chmod +x /root/counted/*
"""

# A tree of two states, with a module of its own, as this one has some; the roster is the same.
SMALL = r"""
mkdir -p /root/small/tree/_modules /root/small/conf/master.d
cp /etc/salt/roster /etc/salt/hosts.yaml /root/small/conf/
cp /etc/salt/master.d/lab.conf /etc/salt/master.d/ssh.conf /root/small/conf/master.d/
echo 'file_roots: {base: [/root/small/tree]}' > /root/small/conf/master.d/mesos.conf
echo "base: {'*': [small]}" > /root/small/tree/top.sls
printf 'one:\n  test.nop: []\ntwo:\n  file.managed:\n    - name: /root/small\n    - contents: small\n' > /root/small/tree/small.sls
echo 'def answer(): return 42' > /root/small/tree/_modules/small.py
"""


@pytest.fixture(scope="module", params=SALT_LINES)
def by_ssh(request):
    """One host with all roles, converged by salt-ssh, and its files by a minion in PORTRAITS."""
    if request.param not in PORTRAITS:
        with converged_single(request.param):
            pass
    with booted("single", request.param, HOST, "--transport", "ssh") as lab:
        yield lab


@pytest.fixture(scope="module")
def bare_by_ssh():
    """The hosts of the table with sshd alone, and the host admin with salt-ssh 3006."""
    with booted("ha", "3006", "lxcc01", "--transport", "ssh", "--no-apply") as lab:
        yield lab


def applied(lab: Lab, *args: str) -> dict[str, dict]:
    """``salt-ssh '*' state.apply``: the results by minion id."""
    done = lab.call("salt", "*", "state.apply", *args, "--out=json", "--static", "--no-color")
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"exit {done.returncode}\n{done.stdout}\n{done.stderr}") from None


def changes(results: dict[str, dict]) -> dict[str, list[str]]:
    """What changed: minion id -> ids of states. Insists that all of them are true."""
    faults = {
        f"{host} {key}": state["comment"]
        for host, states in results.items()
        for key, state in states.items()
        if state["result"] is not True
    }
    assert not faults, json.dumps(faults, indent=2)
    ids_by_host = {
        host: [state["__id__"] for state in states.values() if state["changes"]]
        for host, states in results.items()
    }
    return {host: ids for host, ids in ids_by_host.items() if ids}


def answer(lab: Lab, function: str, *args: str) -> object:
    """What a function returns on the host."""
    return json.loads(lab.do("salt", HOST, function, *args, "--out=json", "--static"))[HOST]


def trips(lab: Lab, *args: str) -> list[str]:
    """The programs that a run of salt-ssh calls to reach the host, one for each time."""
    lab.at("admin").run(f"rm -f /root/trips; PATH=/root/counted:$PATH salt-ssh {' '.join(args)}")
    return lab.at("admin").run("cat /root/trips").split()


def test_up_converges_a_host_without_a_minion(by_ssh):
    assert (
        "salt-ssh '*' state.apply" in by_ssh.up_output
        and "Agents registered: 1 of 1" in by_ssh.up_output
    )
    assert (
        by_ssh.run("systemctl is-active salt-minion; ls -A /opt/saltstack/salt; true")
        == "inactive\n"
    )


def test_the_files_are_those_that_master_and_minion_make(by_ssh):
    assert by_ssh.portrait() == PORTRAITS[by_ssh.line]


def test_a_second_run_changes_nothing_and_so_says_a_test_run(by_ssh):
    assert changes(applied(by_ssh, "test=True")) == {}
    assert changes(applied(by_ssh)) == {}


def test_roles_come_with_the_roster_and_modules_with_their_helpers(by_ssh):
    assert answer(by_ssh, "grains.get", "roles")[0] == "zookeeper"
    assert answer(by_ssh, "mesos.leader") and answer(by_ssh, "chronos.leader")


def test_a_highstate_takes_no_more_round_trips_than_one_of_two_states(by_ssh):
    by_ssh.at("admin").run(COUNTED + SMALL)
    default, small = ["'*' state.apply"], ["-c /root/small/conf '*' state.apply"]
    trips_by_command = {}
    for command in (default, small):  # once, so that the modules are there
        trips(by_ssh, *command)
        trips_by_command[command[0]] = trips(by_ssh, *command)
    print(trips_by_command)
    assert trips_by_command[default[0]] == trips_by_command[small[0]]


def test_wrong_settings_are_refused_in_one_message_and_nothing_is_touched(by_ssh):
    before = by_ssh.portrait()
    output = json.dumps(applied(by_ssh, """pillar={"zookeeper": {"zookeper": 1}}"""))
    assert (
        output.count("zookeeper:zookeper") == 1
        and "no such setting. Known: " in output
        and "Traceback" not in output
    )
    assert by_ssh.portrait() == before


def test_a_host_with_no_python_for_salt_is_refused_before_anything_is_copied(by_ssh):
    """Salt 3008 without --relenv, and 3006 where there is no python3, as EL7 comes."""
    by_ssh.at("admin").run(COUNTED + SMALL + "sed -i /relenv/d /root/small/conf/master.d/lab.conf")
    by_ssh.run(
        r"rm -rf /var/tmp/.root_*_salt; mv /usr/local/bin/python3 /root/ 2>/dev/null;"
        r"printf '#!/bin/sh\nexit 127\n' > /usr/local/bin/python3 && chmod +x /usr/local/bin/python3"
    )
    try:
        done = by_ssh.call(
            "run", "admin", "sh", "-c", "salt-ssh -c /root/small/conf '*' state.apply"
        )
    finally:
        by_ssh.run("rm /usr/local/bin/python3; mv /root/python3 /usr/local/bin/ 2>/dev/null; true")
    assert done.returncode != 0
    output = done.stdout + done.stderr
    assert (
        "Nothing was copied." in output
        and {"3006": "yum -y install python3", "3008": "--relenv"}[by_ssh.line] in output
    ), output
    assert "_salt\n" not in by_ssh.run("ls -A /var/tmp")


def test_the_examples_of_the_document_about_salt_ssh_work(bare_by_ssh):
    def execute(host: str, text: str) -> tuple[int, str]:
        done = bare_by_ssh.at(host).execute("bash", "-c", f"exec 2>&1\n{text}")
        return done.returncode, done.stdout + done.stderr

    parts = parse((ROOT / "docs/salt-ssh.md").read_text())
    assert parts
    for part in parts:
        run(part, execute)


def test_so_made_the_second_run_changes_nothing_on_any_host(bare_by_ssh):
    results = applied(bare_by_ssh)
    assert len(results) == 8 and changes(results) == {}
