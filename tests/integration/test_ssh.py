"""
Hosts without a minion, by salt-ssh: the same cluster and files, without additional round trips.

Salt 3006 runs on Python 3.6, as on EL7, if this machine has one (else on the hosts' own). Salt 3008
brings its own Python, to hosts without any.
"""

import json

import pytest
from cluster_lab import Lab
from document import parse, run
from ha_cluster import (
    CHANGED,
    SERVICES,
    active_agents,
    app_on_fixed_port,
    check_healthy,
    daemon_changes,
    failed_tasks,
    failed_tasks_since,
)
from ha_observer import Observer

from conftest import FILE_LISTS, booted, converged_single
from lab import ROOT, SALT_LINES

HOST = "lxdev01"  # of tests/topologies/single.yaml

# Wrappers of ssh and scp that log each run.
COUNT_ROUND_TRIPS = r"""
mkdir -p /root/counted
for program in ssh scp; do
    printf '#!/bin/sh\necho %s >> /root/trips\nexec /usr/bin/%s "$@"\n' \
        $program $program > /root/counted/$program
done
chmod +x /root/counted/*
"""

# A tree of two states with a module, and the same roster.
CREATE_SMALL_TREE = r"""
mkdir -p /root/small/tree/_modules /root/small/conf/master.d
cp /etc/salt/roster /etc/salt/hosts.yaml /root/small/conf/
cp /etc/salt/master.d/lab.conf /etc/salt/master.d/ssh.conf /root/small/conf/master.d/
echo 'file_roots: {base: [/root/small/tree]}' > /root/small/conf/master.d/mesos.conf
echo "base: {'*': [small]}" > /root/small/tree/top.sls
printf 'one:\n  test.nop: []\n' > /root/small/tree/small.sls
printf 'two:\n  file.managed:\n    - name: /root/small\n    - contents: small\n' \
    >> /root/small/tree/small.sls
echo 'def answer(): return 42' > /root/small/tree/_modules/small.py
"""


@pytest.fixture(scope="module", params=SALT_LINES)
def by_ssh(request):
    """One host with all roles, converged by salt-ssh; FILE_LISTS has the files of a minion."""
    if request.param not in FILE_LISTS:
        with converged_single(request.param):
            pass
    with booted("single", request.param, HOST, "--transport", "ssh") as lab:
        yield lab


@pytest.fixture(scope="module")
def bare_by_ssh():
    """The hosts of the topology with only sshd, and the host admin with salt-ssh 3006."""
    with booted("ha", "3006", "lxcc01", "--transport", "ssh", "--no-apply") as lab:
        yield lab


def apply_states(lab: Lab, *args: str) -> dict[str, dict]:
    """Run ``salt-ssh '*' state.apply`` and return the results by minion id."""
    result = lab.call("salt", "*", "state.apply", *args, "--out=json", "--static", "--no-color")
    try:
        return json.loads(result.stdout)
    except ValueError:
        raise AssertionError(
            f"exit {result.returncode}\n{result.stdout}\n{result.stderr}"
        ) from None


def changed_ids(results: dict[str, dict]) -> dict[str, list[str]]:
    """Return the ids of the states with changes by minion id. All states must have succeeded."""
    failures = {
        f"{host} {key}": state["comment"]
        for host, states in results.items()
        for key, state in states.items()
        if state["result"] is not True
    }
    assert not failures, json.dumps(failures, indent=2)
    ids_by_host = {
        host: [state["__id__"] for state in states.values() if state["changes"]]
        for host, states in results.items()
    }
    return {host: ids for host, ids in ids_by_host.items() if ids}


def call(lab: Lab, function: str, *args: str) -> object:
    """Return the result of a function on the host."""
    return json.loads(lab.do("salt", HOST, function, *args, "--out=json", "--static"))[HOST]


def round_trips(lab: Lab, *args: str) -> list[str]:
    """Return the programs that a run of salt-ssh calls to reach the host, in order."""
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


def test_salt_ssh_creates_the_same_files_as_master_and_minion(by_ssh):
    assert by_ssh.file_list() == FILE_LISTS[by_ssh.line]


def test_a_second_run_changes_nothing_as_its_test_run_predicts(by_ssh):
    assert changed_ids(apply_states(by_ssh, "test=True")) == {}
    assert changed_ids(apply_states(by_ssh)) == {}


def test_the_roster_has_the_roles_and_the_modules_have_their_helpers(by_ssh):
    assert call(by_ssh, "grains.get", "roles")[0] == "zookeeper"
    assert call(by_ssh, "mesos.leader") and call(by_ssh, "chronos.leader")


def test_a_highstate_takes_as_many_round_trips_as_one_of_two_states(by_ssh):
    by_ssh.at("admin").run(COUNT_ROUND_TRIPS + CREATE_SMALL_TREE)
    default, small = ["'*' state.apply"], ["-c /root/small/conf '*' state.apply"]
    round_trips_by_command = {}
    for command in (default, small):  # the first run copies the modules
        round_trips(by_ssh, *command)
        round_trips_by_command[command[0]] = round_trips(by_ssh, *command)
    print(round_trips_by_command)
    assert round_trips_by_command[default[0]] == round_trips_by_command[small[0]]


def test_invalid_settings_are_rejected_with_one_message_and_nothing_is_changed(by_ssh):
    before = by_ssh.file_list()
    output = json.dumps(apply_states(by_ssh, """pillar={"zookeeper": {"zookeper": 1}}"""))
    assert (
        output.count("zookeeper:zookeper") == 1
        and "no such setting. Known: " in output
        and "Traceback" not in output
    )
    assert by_ssh.file_list() == before


def test_a_host_without_a_python_for_salt_is_rejected_before_anything_is_copied(by_ssh):
    """Salt 3008 without --relenv, and 3006 on a host without python3, such as a new EL7."""
    by_ssh.at("admin").run(
        COUNT_ROUND_TRIPS
        + CREATE_SMALL_TREE
        + "sed -i /relenv/d /root/small/conf/master.d/lab.conf"
    )
    by_ssh.run(
        r"rm -rf /var/tmp/.root_*_salt; mv /usr/local/bin/python3 /root/ 2>/dev/null;"
        r"printf '#!/bin/sh\nexit 127\n' > /usr/local/bin/python3 && "
        r"chmod +x /usr/local/bin/python3"
    )
    try:
        result = by_ssh.call(
            "run", "admin", "sh", "-c", "salt-ssh -c /root/small/conf '*' state.apply"
        )
    finally:
        by_ssh.run("rm /usr/local/bin/python3; mv /root/python3 /usr/local/bin/ 2>/dev/null; true")
    assert result.returncode != 0
    output = result.stdout + result.stderr
    assert (
        "Nothing was copied." in output
        and {"3006": "yum -y install python3", "3008": "--relenv"}[by_ssh.line] in output
    ), output
    assert "_salt\n" not in by_ssh.run("ls -A /var/tmp")


def test_the_examples_in_the_document_about_salt_ssh_work(bare_by_ssh):
    def execute(host: str, text: str) -> tuple[int, str]:
        result = bare_by_ssh.at(host).execute("bash", "-c", f"exec 2>&1\n{text}")
        return result.returncode, result.stdout + result.stderr

    parts = parse((ROOT / "docs/salt-ssh.md").read_text())
    assert parts
    for part in parts:
        run(part, execute)


def test_a_second_run_on_the_hosts_of_the_document_changes_nothing(bare_by_ssh):
    results = apply_states(bare_by_ssh)
    assert len(results) == 8 and changed_ids(results) == {}


def test_a_change_of_every_service_by_salt_ssh_restarts_each_daemon_in_its_turn(bare_by_ssh):
    lost_before, agents = failed_tasks(), active_agents()
    with app_on_fixed_port() as port, Observer(bare_by_ssh, "python3", app_port=port) as observer:
        results = apply_states(bare_by_ssh, f"pillar={json.dumps(CHANGED)}")
    print(observer.table())
    assert changed_ids(results)
    changes = daemon_changes(results)
    restarted = {host: dict.fromkeys(units, "restarted") for host, units in SERVICES.items()}
    assert {host: changes[host] for host in SERVICES} == restarted
    assert set(observer.down.values()) == {1}, observer.table()
    observer.check_elections()
    assert observer.outages["app"] == [], observer.table()
    assert failed_tasks_since(lost_before) == {}
    check_healthy(bare_by_ssh, agents=agents)
    assert changed_ids(apply_states(bare_by_ssh, f"pillar={json.dumps(CHANGED)}")) == {}
