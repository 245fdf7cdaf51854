"""One bare host becomes a cluster and survives failures of its host. Both Salt lines."""

import json
import socket

import pytest
import requests
from cluster_lab import DOCKER_CE, eventually
from document import parse, run
from reader import OPERATE, Reader

from lab import ROOT

HOST = "lxdev01"  # of tests/topologies/single.yaml
ADDRESS = "172.31.250.11"
FILES = (
    "find /etc /var/lib/zookeeper -type f -printf '%p %T@\\n' "
    "| grep -v -e version-2 -e /etc/salt/ | sort | md5sum"
)
# One Salt line is enough if the other cannot differ, or render and unit tests cover both.
one_salt_line = pytest.mark.lines("3008")
SERVICES = ("zookeeper", "mesos-master", "mesos-slave", "marathon", "chronos", "docker")


def request(port: int, path: str) -> requests.Response:
    return requests.get(f"http://{ADDRESS}:{port}{path}", timeout=5)


def check_all_services() -> None:
    eventually(lambda: request(5050, "/health").status_code == 200)
    eventually(lambda: request(5050, "/state").json()["activated_slaves"] == 1)
    eventually(lambda: request(5051, "/health").status_code == 200)
    eventually(lambda: request(8080, "/ping").text.strip() == "pong")
    eventually(lambda: request(4400, "/ping").text.strip() == "pong")


def zookeeper_response(four_letter_word: str) -> str:
    with socket.create_connection((ADDRESS, 2181), timeout=5) as connection:
        connection.sendall(four_letter_word.encode())
        return connection.makefile().read()


def test_up_prints_the_addresses_of_the_services(lab):
    for port in (5050, 5051, 8080, 4400):
        assert f"http://{ADDRESS}:{port}" in lab.up_output


def test_a_second_run_changes_nothing(lab):
    assert lab.converge() == {}


def test_salt_reports_the_second_run_as_successful_and_unchanged(lab):
    states = eventually(
        lambda: json.loads(
            lab.call("salt", "*", "state.apply", "--out=json", "--static").stdout
        ).get(HOST)
    )
    assert all(state["result"] is True and not state["changes"] for state in states.values())


@one_salt_line
def test_the_exit_code_of_a_command_on_a_host_is_returned(lab):
    assert lab.call("run", HOST, "sh", "-c", "exit 7").returncode == 7


def test_every_service_responds_to_a_client(lab):
    check_all_services()


def test_zookeeper_is_standalone(lab):
    assert "Mode: standalone" in zookeeper_response("srvr")


@one_salt_line
def test_internal_ports_are_closed_to_hosts_outside_of_the_cluster(lab):
    try:
        changes = lab.converge(pillar={"common": {"firewall": {"members": ["172.31.250.99"]}}})
        assert list(changes) == ["firewall-zone", "firewall-reload"]
        for port in (2181, 15101, 15201):
            with pytest.raises(OSError):
                socket.create_connection((ADDRESS, port), timeout=3)
        check_all_services()
    finally:
        lab.converge()
    assert "Mode: standalone" in zookeeper_response("srvr")


@one_salt_line
def test_a_port_that_no_role_needs_is_closed(lab):
    lab.run("systemd-run --unit stray-listener --quiet nc -lk 9999")
    try:
        eventually(lambda: lab.execute("nc", "-z", "-w", "3", "localhost", "9999").returncode == 0)
        with pytest.raises(OSError):
            socket.create_connection((ADDRESS, 9999), timeout=3)
    finally:
        lab.run("systemctl stop stray-listener")


@one_salt_line
def test_docker_runs_containers(lab):
    lab.run("tar -C / -c usr/bin/busybox | docker import - bare >/dev/null")
    assert lab.run("docker run --rm -m 64m bare /usr/bin/busybox echo hello") == "hello\n"


@one_salt_line
def test_a_label_of_docker_is_reloaded_and_its_containers_keep_running(lab):
    lab.run("docker run --detach --name watch bare /usr/bin/busybox sleep 3600")
    container = "docker inspect --format '{{.State.StartedAt}} {{.State.Pid}}' watch"
    before = lab.start_time("docker"), lab.run(container)
    pillar = {"docker": {"options": {"labels": ["rack=r1"]}}}
    try:
        foreseen = lab.converge("test=True", pillar=pillar)
        changes = lab.converge(pillar=pillar)
        assert list(changes) == list(foreseen) == ["docker-config", "docker-service"]
        assert changes["docker-service"] == foreseen["docker-service"] == {"docker": "reloaded"}
        assert lab.run("docker info --format '{{.Labels}}'") == "[rack=r1]\n"
        assert (lab.start_time("docker"), lab.run(container)) == before
        assert lab.converge(pillar=pillar) == {}
    finally:
        lab.run("docker rm --force watch")
    # A reload would not remove the label.
    assert lab.converge()["docker-service"] == {"docker": "restarted"}


@one_salt_line
def test_docker_is_replaced_by_docker_ce_and_back(lab):
    for package, removed, pillar in (
        ("docker-ce", "docker", DOCKER_CE),
        ("docker", "docker-ce", None),
    ):
        foreseen = lab.converge("test=True", pillar=pillar)
        changes = lab.converge(pillar=pillar)
        assert changes["docker-service"] == foreseen["docker-service"] == {"docker": "restarted"}
        assert removed in changes["docker-conflicts"] and package in changes["docker-package"]
        assert lab.run(f"rpm --query {package} && systemctl is-enabled docker").endswith(
            "\nenabled\n"
        )
        assert lab.run("docker run --rm -m 64m bare /usr/bin/busybox echo hello") == "hello\n"
        assert lab.converge(pillar=pillar) == {}


def test_a_node_passes_the_tests_of_its_roles(lab):
    lab.verify()


def test_the_summary_of_each_service_fits_on_one_screen(lab):
    for module, text in (("mesos", "agents"), ("marathon", "instances"), ("chronos", "jobs")):
        summary = lab.do("salt", HOST, f"{module}.summary", "--no-color")
        assert text in summary and len(summary.splitlines()) <= 60, summary


@one_salt_line
@pytest.mark.parametrize(
    "command, texts",
    [
        ("mesos.agent nobody.devops.test", "nobody.devops.test"),
        ("mesos.set_quota a/b guarantees='{cpus: 1}'", "a/b"),
        ("mesos.set_quota web guarantees='{cpus: 100000}'", "400"),
        ("mesos.leader url=http://127.0.0.1:5999 retries=0", "Connection refused"),
        ("marathon.app /nosuch", "/nosuch"),
        ("marathon.delete_group /", "/"),
        ("chronos.job nosuch", "nosuch"),
    ],
)
def test_an_error_is_one_line_and_a_nonzero_exit_code(lab, command, texts):
    result = lab.call("run", HOST, "sh", "-c", f"salt-call --no-color {command}")
    # Salt prints the usage of the function on stdout.
    output = result.stderr.strip().removesuffix("Usage:").strip()
    assert result.returncode != 0 and texts in output and len(output.splitlines()) == 1, output


def test_a_stray_file_in_a_flag_directory_is_removed_and_the_master_stays_up(lab):
    lab.run("echo 1 > /etc/mesos-master/quorum.rpmnew")
    expected = lab.converge("test=True")
    assert "quorum.rpmnew" in lab.run("ls /etc/mesos-master")
    changes = lab.converge()
    assert list(changes) == ["mesos-master-flags", "mesos-master-service"]
    assert changes == expected
    assert "quorum.rpmnew" not in lab.run("ls /etc/mesos-master")
    check_all_services()


@one_salt_line
def test_a_flag_restarts_only_the_service_that_reads_it(lab):
    pillar = {"mesos": {"master": {"flags": {"cluster": "blue"}}}}
    before = {unit: lab.start_time(unit) for unit in SERVICES}
    lab.converge(pillar=pillar)
    after = {unit: lab.start_time(unit) for unit in SERVICES}
    assert [unit for unit in SERVICES if before[unit] != after[unit]] == ["mesos-master"]
    assert eventually(lambda: request(5050, "/flags").json()["flags"]["cluster"] == "blue")
    assert lab.converge(pillar=pillar) == {}


@one_salt_line
def test_an_undeclared_flag_is_removed(lab):
    changes = lab.converge()
    assert "mesos-master-flags" in changes
    assert "cluster" not in lab.run("ls /etc/mesos-master").split()
    check_all_services()


def drift(lab) -> dict[tuple[str, str], tuple[str, str]]:
    """Return what runs and what is declared, by service and subject."""
    result = lab.execute("salt-call", "cluster.drift", "--out=json", "--no-color")
    data = json.loads(result.stdout)["local"]
    assert data["errors"] == []
    return {
        (entry["service"], entry["what"]): (entry["runs"], entry["declared"])
        for entry in data["drift"]
        # The packages of the lab have programs of Debian, which are of another version.
        if entry["what"] != "version"
    }


@one_salt_line
def test_a_host_does_not_drift_until_an_option_is_changed_by_hand(lab):
    assert drift(lab) == {}
    lab.run("sed -i s/^tickTime=.*/tickTime=2500/ /etc/zookeeper/conf/zoo.cfg")
    ticks = drift(lab)[("zookeeper", "option tickTime")]
    assert ticks[1] == "2500" != ticks[0]
    assert "zookeeper-config" in lab.converge()
    assert drift(lab) == {}


@one_salt_line
def test_all_services_start_after_a_power_cut(lab):
    assert lab.call("kill", HOST).returncode == 0
    started = lab.call("start", HOST)
    assert started.returncode == 0, started.stdout + started.stderr
    check_all_services()
    for unit in SERVICES:
        eventually(lambda unit=unit: lab.run(f"systemctl is-active {unit} || true") == "active\n")
    eventually(lambda: HOST in lab.call("salt", "*", "test.ping").stdout)
    assert lab.converge() == {}


@pytest.mark.parametrize(
    "pillar, texts",
    [
        ({"zookeeper": {"zookeper": 1}}, ["zookeeper:zookeper", HOST]),
        ({"marathon": {"http_port": "web"}}, ["marathon:http_port", "web", HOST]),
        ({"marathon": {"version": "newest"}}, ["marathon:version", "newest", HOST]),
        (
            {
                "mesos": {
                    "master": {
                        "flags": {"slave_ping_timeout": "15secs", "agent_ping_timeout": "15secs"}
                    }
                }
            },
            ["slave_ping_timeout", "agent_ping_timeout", HOST],
        ),
    ],
    ids=["unknown key", "port", "version", "two spellings"],
)
def test_invalid_settings_are_rejected_and_nothing_is_changed(lab, pillar, texts):
    before = lab.run(FILES)
    errors = lab.apply(pillar=pillar)
    assert isinstance(errors, list) and len(errors) == 1, errors
    for text in texts:
        assert text in errors[0]
    assert "Traceback" not in errors[0]
    assert before == lab.run(FILES)


@one_salt_line
def test_an_unknown_role_is_rejected(lab):
    lab.run("cp /etc/salt/grains /root/grains && sed -i 's/chronos/cronos/' /etc/salt/grains")
    try:
        lab.call("salt", "*", "saltutil.refresh_grains")
        errors = lab.apply()
        assert isinstance(errors, list) and len(errors) == 1, errors
        assert "cronos" in errors[0] and "chronos" in errors[0] and HOST in errors[0]
    finally:
        lab.run("cp /root/grains /etc/salt/grains")
        lab.call("salt", "*", "saltutil.refresh_grains")


@one_salt_line
def test_the_daemon_of_a_removed_role_is_stopped_until_the_role_is_back(lab):
    lab.run("cp /etc/salt/grains /root/grains && sed -i '/mesos-slave/d' /etc/salt/grains")
    try:
        lab.call("salt", "*", "saltutil.refresh_grains")
        lab.converge()
        assert (
            lab.run("systemctl is-active mesos-slave; systemctl is-enabled mesos-slave; true")
            == "inactive\nmasked\n"
        )
        assert lab.converge() == {}
        lab.run("yum -y reinstall mesos")  # its %post enables both daemons
        assert lab.run("systemctl is-enabled mesos-slave; true") == "masked\n"
    finally:
        lab.run("cp /root/grains /etc/salt/grains")
        lab.call("salt", "*", "saltutil.refresh_grains")
    lab.converge()
    assert (
        lab.run("systemctl is-active mesos-slave; systemctl is-enabled mesos-slave")
        == "active\nenabled\n"
    )
    check_all_services()


# A Marathon that begins with an empty store, beside that of the other tests.
NEW_STORE = {"zk": "zk://localhost:2181/upgraded"}
# Where the fake Marathon has what a real one has below the path of its store.
FAKE_STORE = "/lab-fakes/generations"
EMPTY_APP = {"id": "/kept", "cmd": "sleep 3600", "cpus": 0.1, "mem": 32, "instances": 0}


def remove_marathon(lab):
    """
    Remove the package, as yum cannot go back to another architecture, and its files, so that it can
    begin with another path in ZooKeeper.
    """
    drop_in = "/etc/systemd/system/marathon.service.d/salt.conf"
    lab.run(f"yum -y remove marathon && rm -rf /etc/marathon /etc/default/marathon {drop_in}")


def marathon_runs(version: str) -> dict:
    """Wait until a version of Marathon leads. Returns its /v2/info."""

    def info() -> dict | None:
        reply = request(8080, "/v2/info").json()
        return reply if reply["version"] == version and reply["elected"] else None

    return eventually(info)


def failures(results: dict) -> dict[str, str]:
    """Return id and comment of each state that failed by itself."""
    return {
        state["__id__"]: state["comment"]
        for state in results.values()
        if state["result"] is False and "requisite" not in state["comment"]
    }


def restore_store(lab, path: str) -> None:
    """Follow the section of docs/operate.md, on this host and for another path of the store."""
    title = "Go back after the upgrade of a single Marathon"
    text = (ROOT / OPERATE).read_text().replace("[lxcc01]#", f"[{HOST}]#")
    text = text.replace("zk.restore /marathon", f"zk.restore {path}")
    [part] = [part for part in parse(text) if part.title == title]
    assert part.blocks
    run(part, Reader(lab).execute)


@one_salt_line
def test_mesos_and_marathon_are_upgraded_in_place(lab):
    remove_marathon(lab)
    old_versions = {
        "mesos": {"version": "1.4.3"},
        "marathon": {"version": "1.6.567", **NEW_STORE},
    }
    lab.converge(pillar=old_versions)
    eventually(lambda: request(5050, "/version").json()["version"] == "1.4.3")
    marathon_runs("1.6.567")
    changes = lab.converge(pillar={"marathon": NEW_STORE})
    eventually(lambda: request(5050, "/version").json()["version"] == "1.9.0")
    marathon_runs("1.8.244")
    check_all_services()
    assert {"mesos-master-service", "mesos-slave-service", "marathon-service"} <= set(changes)
    assert lab.run("ls /etc/mesos-master /etc/mesos-slave").count(".rpm") == 0
    assert lab.converge(pillar={"marathon": NEW_STORE}) == {}
    # Back to the store of the other tests, which is that of 1.8.244 as well.
    remove_marathon(lab)
    lab.converge()
    check_all_services()


@one_salt_line
def test_mesos_that_is_too_old_for_marathon_is_refused(lab):
    errors = lab.apply(pillar={"mesos": {"version": "1.4.3"}})
    assert isinstance(errors, list) and "needs Mesos 1.5.0 or later" in "\n".join(errors)
    assert lab.converge() == {}


@one_salt_line
def test_marathon_crosses_its_three_generations(lab):
    remove_marathon(lab)
    settings = {
        "zk": "zk://localhost:2181/generations",
        "options": {"framework_name": "blue sky", "task_launch_timeout": 300000},
    }
    for version in ("1.4.13", "1.5.15", "1.6.567", "1.8.244"):
        pillar = {"marathon": {"version": version, **settings}}
        lab.converge(pillar=pillar)
        info = marathon_runs(version)
        assert info["marathon_config"]["framework_name"] == "blue sky", version
        assert info["marathon_config"]["task_launch_timeout"] == 300000, version
        assert lab.run("systemctl is-enabled marathon") == "enabled\n", version
        assert lab.converge(pillar=pillar) == {}, version
        if version == "1.4.13":
            created = requests.post(f"http://{ADDRESS}:8080/v2/apps", json=EMPTY_APP, timeout=5)
            assert created.status_code == 201, created.text
            skipping = {"marathon": {"version": "1.8.244", **settings}}
            before = lab.run(FILES)
            for options in (["test=True"], []):
                comments = failures(lab.apply(*options, pillar=skipping))
                assert list(comments) == ["marathon-step"]
                assert "upgrade to 1.6.567 first" in comments["marathon-step"]
            assert lab.run(FILES) == before
        apps = request(8080, "/v2/apps").json()["apps"]
        assert [app["id"] for app in apps] == ["/kept"], version
        if version == "1.6.567":
            lab.run(f"salt-call zk.save {FAKE_STORE} /root/fake-store.jsonl")
    going_back = {"marathon": {"version": "1.6.567", **settings}}
    comments = failures(lab.apply(pillar=going_back))
    assert "cannot read the store of 1.8.244" in comments["marathon-step"]
    marathon_runs("1.8.244")
    stores = lab.run("stat -c '%a %U %n' /var/lib/salt-mesos/marathon-store-*").splitlines()
    assert all(line.startswith("600 root ") for line in stores), stores
    for version in ("1.4.13", "1.5.15", "1.6.567"):
        assert any(f"/marathon-store-{version}-" in line for line in stores), stores
    created = requests.post(
        f"http://{ADDRESS}:8080/v2/apps", json={**EMPTY_APP, "id": "/later"}, timeout=5
    )
    assert created.status_code == 201, created.text
    restore_store(lab, "/generations")
    lab.run(f"salt-call zk.restore {FAKE_STORE} /root/fake-store.jsonl confirm=True")
    lab.converge(pillar=going_back)
    marathon_runs("1.6.567")
    assert [app["id"] for app in request(8080, "/v2/apps").json()["apps"]] == ["/kept"]
    remove_marathon(lab)
    lab.converge()
    check_all_services()


TAKEN_PORT = 9990
FOREIGN_ADDRESS = "172.31.250.99"
# What breaks the host of a daemon, and what repairs it.
OCCUPIED_PORT = (
    "systemd-run --unit=occupant /opt/saltstack/salt/bin/python3 -m http.server "
    f"--bind 0.0.0.0 {TAKEN_PORT}",
    "systemctl stop occupant",
)
MISSING_JAVA = (
    "java=$(readlink -f /usr/bin/java) && mv $java $java.away",
    "java=$(readlink -m /usr/bin/java) && mv $java.away $java",
)
MISSING_LIBRARY = (
    "mkdir /root/away && mv /usr/lib/libmesos* /root/away",
    "mv /root/away/* /usr/lib && rmdir /root/away",
)
MISSING_CLIENT = ("mv /usr/bin/docker /root/docker", "mv /root/docker /usr/bin/docker")
NO_DAMAGE = ("true", "true")  # the settings are the cause

# Formula, settings that restart its daemon, damage, and a text of the daemon's own error.
FAILING_DAEMONS = [
    (
        "zookeeper",
        {"zookeeper": {"options": {"clientPortAddress": FOREIGN_ADDRESS}}},
        NO_DAMAGE,
        "Cannot assign requested address",
    ),
    ("zookeeper", {"zookeeper": {"options": {"tickTime": 1999}}}, MISSING_JAVA, "java"),
    (
        "mesos.master",
        {"mesos": {"master": {"flags": {"port": TAKEN_PORT}}}},
        OCCUPIED_PORT,
        "Address already in use",
    ),
    (
        "mesos.master",
        {"mesos": {"master": {"flags": {"ip": FOREIGN_ADDRESS}}}},
        NO_DAMAGE,
        "Cannot assign requested address",
    ),
    (
        "mesos.slave",
        {"mesos": {"slave": {"flags": {"max_completed_executors_per_framework": 99}}}},
        MISSING_CLIENT,
        "Could not create DockerContainerizer",
    ),
    (
        "mesos.slave",
        {"mesos": {"slave": {"flags": {"ip": FOREIGN_ADDRESS}}}},
        NO_DAMAGE,
        "Cannot assign requested address",
    ),
    (
        "marathon",
        {"marathon": {"http_port": TAKEN_PORT}},
        OCCUPIED_PORT,
        "Address already in use",
    ),
    (
        "marathon",
        {"marathon": {"options": {"task_launch_timeout": 310000}}},
        MISSING_LIBRARY,
        "UnsatisfiedLinkError",
    ),
    ("chronos", {"chronos": {"http_port": TAKEN_PORT}}, OCCUPIED_PORT, "Address already in use"),
    (
        "docker",
        {"docker": {"options": {"storage-driver": "no-such-driver"}}},
        NO_DAMAGE,
        "driver not supported",
    ),
]


@one_salt_line
@pytest.mark.parametrize(
    "formula, settings, damage, error",
    FAILING_DAEMONS,
    ids=[f"{formula}: {error}" for formula, _, _, error in FAILING_DAEMONS],
)
def test_a_daemon_that_fails_after_its_restart_fails_the_state(
    lab, formula, settings, damage, error
):
    break_host, repair_host = damage
    lab.run(break_host)
    try:
        # Long enough for the daemon to end with its error, on a busy machine as well.
        timeout = {"common": {"restarts": {"ready_timeout": 30}}}
        results = lab.apply(formula, pillar={**settings, **timeout})
    finally:
        lab.run(repair_host)
        # The cause is gone: the settings, or the damage.
        lab.converge(formula, pillar={} if damage == NO_DAMAGE else settings)
        lab.converge(formula)
    (comment,) = failures(results).values()
    assert error in comment, comment


@one_salt_line
def test_all_services_run_again_after_their_failures(lab):
    check_all_services()
    assert lab.converge() == {}


def test_the_run_reports_no_secret(lab):
    secret = "open-sesame-4711"
    result = lab.apply("test=True", pillar={"marathon": {"http_credentials": f"admin:{secret}"}})
    assert secret not in json.dumps(result)
