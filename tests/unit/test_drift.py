"""cluster.drift: what runs, and is not as pillar declares it, on a node and in the cluster."""

import importlib.util
import json

import pytest
from mesos_world import HOSTS, MesosCluster

from lab import ROOT
from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

LOCAL = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
NODE = {"topology": {"address": "127.0.0.1", "name": "127.0.0.1"}}
APP = {"cmd": "sleep 3600", "cpus": 0.1, "mem": 32, "instances": 1}
JOB = {"command": "true", "schedule": "R/2030-01-01T00:00:00Z/PT24H"}


def load():
    spec = importlib.util.spec_from_file_location("_drift", ROOT / "_modules" / "_drift.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


drift = load()


def recorded_flags(daemon: str) -> dict[str, str]:
    """Return what ``/flags`` of a real Mesos 1.11.0 answered."""
    for path in (ROOT / "tests/unit/data/mesos-1.11.0").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            exchange = json.loads(line)
            if exchange["name"] == f"{daemon}-get-flags":
                return exchange["json"]["flags"]
    raise LookupError(daemon)


# --- flags ---


@pytest.mark.parametrize(
    "name, text",
    [
        ("executor_registration_timeout", "60secs"),
        ("gc_delay", "7days"),
        ("fetcher_cache_size", "2048MB"),
        ("gc_disk_headroom", "0.10"),
        ("strict", "true"),
        ("attributes", "ssd:1;rack:r1;zone:z1"),
        ("master", "zk://127.0.0.1:2181/mesos"),
        ("isolation", "posix/cpu,posix/mem,filesystem/posix"),
    ],
)
def test_another_spelling_of_what_a_real_agent_runs_with_is_no_drift(name, text):
    assert drift.compare_flags("mesos-slave", {name: text}, recorded_flags("agent"), {}) == []


@pytest.mark.parametrize(
    "name, text, running",
    [
        ("executor_registration_timeout", "2mins", "1mins"),
        ("fetcher_cache_size", "2MB", "2GB"),
        ("strict", "false", "true"),
        ("attributes", "rack:r2", "rack:r1;zone:z1;ssd:1"),
        ("domain", "eu", "none"),
    ],
)
def test_a_flag_that_a_real_agent_does_not_run_with_is_drift(name, text, running):
    [entry] = drift.compare_flags("mesos-slave", {name: text}, recorded_flags("agent"), {})
    assert entry == {
        "service": "mesos-slave",
        "what": f"flag {name}",
        "runs": running,
        "declared": text,
    }


def test_a_flag_by_its_old_name_is_compared_with_its_new_name():
    aliases = {"slave_ping_timeout": "agent_ping_timeout"}
    flags, running_flags = {"slave_ping_timeout": "15secs"}, {"agent_ping_timeout": "15secs"}
    assert drift.compare_flags("mesos-master", flags, running_flags, aliases) == []


def test_flags_are_read_as_the_init_wrapper_reads_them(tmp_path):
    (tmp_path / "quorum").write_text("2\n")
    (tmp_path / "?strict").write_text("")
    (tmp_path / "?no-hostname_lookup").write_text("")
    (tmp_path / "?no-logger").write_text("")
    (tmp_path / ".quorum.swp").write_text("3")
    (tmp_path / "attributes").mkdir()
    (tmp_path / "attributes" / "zone").write_text("z1\n")
    (tmp_path / "attributes" / "rack").write_text("r1\n")
    assert drift.flags_on_disk(tmp_path) == {
        "quorum": "2",
        "strict": "true",
        "hostname_lookup": "false",
        "attributes": "rack:r1;zone:z1",
    }


def test_the_value_of_a_flag_may_be_in_a_file_that_it_names(tmp_path):
    (tmp_path / "zk").write_text("zk://10.0.0.1:2181/mesos\n")
    (tmp_path / "acls").write_text('{"permissive": true}\n')
    flags = {"zk": f"file://{tmp_path}/zk", "acls": f"file://{tmp_path}/acls"}
    flags["credentials"] = "file:///etc/mesos/credentials"
    running_flags = {
        "zk": "zk://10.0.0.1:2181/mesos",
        "acls": '{"permissive":true}',
        "credentials": "/etc/mesos/credentials",
    }
    assert drift.compare_flags("mesos-master", flags, running_flags, {}) == []


@pytest.mark.parametrize(
    "name, text, running",
    [
        ("zk", "zk://me:secret@a/mesos", "zk://me:hidden@a/mesos"),
        ("executor_environment_variables", '{"TOKEN": "secret"}', '{"TOKEN":"hidden"}'),
        ("modules", '{"libraries": ["secret"]}', '[{"key": "hidden"}]'),
        ("some_password", "secret", "hidden"),
    ],
)
def test_secrets_are_not_shown(name, text, running):
    [entry] = drift.compare_flags("mesos-master", {name: text}, {name: running}, {})
    assert (entry["runs"], entry["declared"]) == ("differs", "differs")


# --- options of Marathon, ZooKeeper and dockerd ---

INFO = json.loads(
    (ROOT / "tests/unit/data/marathon-1.8.244/info.jsonl").read_text().splitlines()[1]
)["json"]
# Of Docker 26, shortened.
DOCKER_INFO = {
    "Driver": "overlay2",
    "LoggingDriver": "json-file",
    "LiveRestoreEnabled": True,
    "DockerRootDir": "/var/lib/docker",
    "Debug": False,
    "Labels": None,
    "RegistryConfig": {"Mirrors": ["https://mirror.example.org/"]},
}


def as_tuples(entries: list[dict]) -> list[tuple]:
    return [(entry["what"], entry["runs"], entry["declared"]) for entry in entries]


def test_options_of_marathon_are_read_from_the_files_of_each_generation(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/zk").write_text("zk://a:2181/marathon\n")
    (tmp_path / "conf/?ha").touch()
    file = tmp_path / "default"
    lines = ["# Managed by Salt", 'JAVA_OPTS="-Xmx512m"', 'MARATHON_CHECKPOINT=""']
    lines += [r'MARATHON_FRAMEWORK_NAME="blue \"sky\""']
    file.write_text("\n".join(lines))
    assert drift.marathon_options_on_disk(str(tmp_path / "conf"), str(file)) == {
        "zk": "zk://a:2181/marathon",
        "ha": "true",
        "checkpoint": "true",
        "framework_name": 'blue "sky"',
    }


@pytest.mark.parametrize(
    "options, expected",
    [
        (
            {
                "checkpoint": "true",
                "task_launch_timeout": "300000",
                "zk": "zk://127.0.0.61:12181/marathon9",
                "http_port": "8080",
                "disable_http": "true",
            },
            [],
        ),
        ({"ha": "true"}, [("option ha", "false", "true")]),
        ({"webui_url": "http://m"}, [("option webui_url", "none", "http://m")]),
        (
            {"features": "vips,task_killing"},
            [("option features", "none", "task_killing,vips")],
        ),
    ],
)
def test_options_of_marathon_are_compared_with_a_recorded_answer(options, expected):
    assert as_tuples(drift.compare_marathon(options, INFO)) == expected


@pytest.mark.parametrize(
    "options, expected",
    [
        (
            {
                "storage-driver": "overlay2",
                "live-restore": True,
                "labels": [],
                "log-opts": {"max-size": "50m"},
                "registry-mirrors": ["https://mirror.example.org"],
            },
            [],
        ),
        ({"log-driver": "journald"}, [("option log-driver", "json-file", "journald")]),
        ({"live-restore": False}, [("option live-restore", "true", "false")]),
        ({"labels": ["b=1", "a=1"]}, [("option labels", "none", "a=1,b=1")]),
        (
            {"registry-mirrors": []},
            [("option registry-mirrors", "https://mirror.example.org", "none")],
        ),
    ],
)
def test_options_of_dockerd_are_compared(options, expected):
    assert as_tuples(drift.compare_docker(options, DOCKER_INFO)) == expected


@pytest.mark.parametrize(
    "file, running, expected",
    [
        (
            "dataDir=/d/\ntickTime=2000\npeerType=observer\nautopurge.purgeInterval=1\n"
            "server.1=10.0.0.1:2888:3888\n",
            {
                "dataDir": "/d/version-2",
                "peerType": "1",
                "tickTime": "2000",
                "serverId": "1",
                "server.1": "10.0.0.1:2888:3888:participant;0.0.0.0:2181",
            },
            [],
        ),
        ("# x=1\ntickTime=3000\n", {"tickTime": "2000"}, [("option tickTime", "2000", "3000")]),
        (
            "server.1=a:2888:3888\nserver.2=c:2888:3888\n",
            {"server.1": "a:2888:3888", "server.3": "b:2888:3888:participant"},
            [
                ("option server.3", "b:2888:3888", "none"),
                ("option server.2", "none", "c:2888:3888"),
            ],
        ),
        # Before 3.5 no server lists the servers.
        ("server.1=a:2888:3888\n", {"tickTime": "2000"}, []),
    ],
)
def test_options_of_zookeeper_are_compared(tmp_path, file, running, expected):
    path = tmp_path / "zoo.cfg"
    path.write_text(file)
    options = drift.zookeeper_options_on_disk(str(path))
    assert as_tuples(drift.compare_zookeeper(options, running)) == expected


# --- states ---


def result(changes: dict, comment: str = "", state_result=None, sls: str = "mesos.master.config"):
    return {"changes": changes, "comment": comment, "result": state_result, "__sls__": sls}


def differences(tag: str, state_result: dict) -> list[tuple]:
    states = drift.StateResults({tag: state_result})
    entries = states.differences({"mesos": "1.9.0-2.0.1"}.get)
    assert not states.errors()
    return [
        (entry["service"], entry["what"], entry["runs"], entry["declared"]) for entry in entries
    ]


# As Salt 3006 and 3008 report them.
@pytest.mark.parametrize(
    "changes, comment, expected",
    [
        (
            {"mesos": {"new": "installed", "old": ""}},
            "The following packages would be installed/updated: mesos=1.11.0-2.0.1",
            ("package mesos", "1.9.0-2.0.1", "1.11.0-2.0.1"),
        ),
        (
            {"marathon": {"new": "installed", "old": ""}},
            "The following packages would be installed/updated: marathon",
            ("package marathon", "none", "installed"),
        ),
        (
            {"mesos": {"new": "removed", "old": ""}},
            "The following packages will be removed: mesos.",
            ("package mesos", "1.9.0-2.0.1", "none"),
        ),
    ],
)
def test_a_package_has_the_installed_version_and_the_one_in_pillar(changes, comment, expected):
    state_result = result(changes, comment, sls="mesos.package")
    assert differences("pkg_|-x_|-x_|-installed", state_result) == [("mesos", *expected)]


@pytest.mark.parametrize(
    "changes, comment, expected",
    [
        (
            {"mesos-master": "restarted"},
            "mesos-master would be restarted. Newer than the process: /etc/mesos/zk",
            ("daemon mesos-master", "started before /etc/mesos/zk", "restarted"),
        ),
        (
            {"mesos-master": "restarted"},
            "mesos-master would be restarted, since something that it reads would change",
            ("daemon mesos-master", "with files that differ", "restarted"),
        ),
        (
            {"mesos-master": "started"},
            "mesos-master would be started",
            ("daemon mesos-master", "not running", "started"),
        ),
        (
            {"mesos-master at boot": "enabled"},
            "mesos-master at boot would be enabled",
            ("daemon mesos-master at boot", "disabled", "enabled"),
        ),
    ],
)
def test_a_daemon_that_is_stale_or_stopped_is_drift(changes, comment, expected):
    tag = "daemon_|-mesos-master-service_|-mesos-master_|-running"
    state_result = result(changes, comment, sls="mesos.master.service")
    assert differences(tag, state_result) == [("mesos-master", *expected)]


def test_a_file_that_differs_is_named_without_its_content():
    tag = "file_|-mesos-zk_|-/etc/mesos/zk_|-managed"
    state_result = result({"diff": "-zk://me:secret@a"}, sls="mesos.config")
    [(_, *values)] = differences(tag, state_result)
    assert values == ["file /etc/mesos/zk", "differs", "differs"]


def test_secret_files_of_mesos_differ_and_are_not_shown():
    tag = "mesos_|-mesos-master-secrets_|-/etc/mesos/master-secrets_|-flags_managed"
    [(_, *values)] = differences(tag, result({"credentials": {"old": "a", "new": "b"}}))
    assert values == ["flag credentials", "differs", "differs"]


@pytest.mark.parametrize("state", ["module", "cmd"])
def test_commands_that_follow_a_change_are_no_drift(state):
    tag = f"{state}_|-mesos-master-unit-reload_|-x_|-run"
    assert differences(tag, result({}, "x would have been executed")) == []


def test_a_store_that_would_be_saved_before_an_upgrade_is_no_drift():
    tag = "marathon_|-marathon-store-saved_|-/marathon_|-store_saved"
    state_result = result({"/marathon": "saved"}, sls="marathon.config")
    assert differences(tag, state_result) == []


def test_a_failed_state_is_an_error_and_what_requires_it_is_not():
    states = drift.StateResults(
        {
            "mesos_|-a_|-x_|-flags_managed": result({}, "x: not valid\n", False),
            "file_|-b_|-y_|-managed": {**result({}, "requisite", False), "__state_ran__": False},
        }
    )
    assert (states.errors(), states.differences({}.get)) == (["a: x: not valid"], [])


def test_a_flag_that_differs_in_daemon_file_and_pillar_is_one_difference():
    in_states = [drift.difference("mesos-master", "flag quorum", "3", "2")]
    running = [drift.difference("mesos-master", "flag quorum", "1", "3")]
    expected = [drift.difference("mesos-master", "flag quorum", "1", "2")]
    assert drift.merge(in_states, running) == expected


@pytest.mark.parametrize(
    "running, installed, is_same",
    [
        ("1.9.0", "1.9.0-2.0.1", True),
        ("20.10.9", "3:20.10.9-3.el7", True),
        ("3.4.14-4c25d480e66aadd371de8bd2fd8da255ac140bcf, built on x", "3.4.14-1", True),
        ("1.8.222", "1.8.244-1.el7", False),
        (None, "1.9.0", True),
        ("1.9.0", None, True),
    ],
)
def test_versions_are_compared_by_their_numbers(running, installed, is_same):
    assert (drift.compare_version("x", running, installed) == []) == is_same


# --- the function ---


@pytest.fixture
def mesos(salt, running, tmp_path):
    return MesosCluster(salt, running, tmp_path, "--quorum=1", hosts=HOSTS[:1])


def master_states(salt, tmp_path, flags: dict) -> str:
    """Serve the state of the flags of a master, in a directory of the test. Returns its SLS."""
    state = {
        "mesos-master-flags": {
            "mesos.flags_managed": [{"name": str(tmp_path / "flags")}, {"flags": flags}]
        }
    }
    salt.serve("mesos/master/test_of_drift.sls", json.dumps(state))
    return "mesos.master.test_of_drift"


def write_flags(tmp_path, **flags: str) -> None:
    (tmp_path / "flags").mkdir(exist_ok=True)
    for name, text in flags.items():
        (tmp_path / "flags" / name).write_text(f"{text}\n")


def ask_master(salt, mesos, tmp_path, **flags) -> dict:
    sls = master_states(salt, tmp_path, flags)
    pillar = {**NODE, "mesos": {"url": mesos.url}}
    answer = salt.call("cluster.drift", sls=sls, roles=["mesos-master"], pillar=pillar)
    assert answer["errors"] == [] and answer["notes"] == []
    return {entry["what"]: (entry["runs"], entry["declared"]) for entry in answer["drift"]}


def test_a_master_that_runs_with_its_flags_has_no_drift(salt, mesos, tmp_path):
    write_flags(tmp_path, quorum="1", offer_timeout="60secs")
    mesos.leader.flags["offer_timeout"] = "1mins"
    assert ask_master(salt, mesos, tmp_path, quorum=1, offer_timeout="60secs") == {}


def test_what_a_master_runs_with_is_compared_with_its_file_and_pillar(salt, mesos, tmp_path):
    write_flags(tmp_path, quorum="3", cluster="b", registry="in_memory")
    mesos.leader.flags.update(cluster="a", registry="in_memory")
    drift_by_subject = ask_master(salt, mesos, tmp_path, quorum=2, cluster="b")
    assert drift_by_subject == {
        "flag cluster": ("a", "b"),
        "flag quorum": ("1", "2"),
        "flag registry": ("in_memory", "none"),
    }


@pytest.fixture
def package_states(salt):
    """Serve the names of packages, by the IDs of their states. Returns the SLS."""
    names = {"mesos-package": "mesos", "marathon-package": "marathon", "marathon-service": "m"}
    states = {state_id: {"test.nop": [{"name": name}]} for state_id, name in names.items()}
    salt.serve("packages_of_drift.sls", json.dumps(states))
    return "packages_of_drift"


def test_versions_that_run_are_compared_with_those_of_the_packages(
    salt, mesos, running, package_states
):
    room, servers = MemoryRoom(), MemoryRoom()
    leader, standby = (running(Marathon(LOCAL, None, room=room, servers=servers)) for _ in range(2))
    [mesos_agent] = mesos.call("agents")
    settings = {"url": mesos.url, "slave": {"flags": {"port": mesos_agent["port"]}}}
    version = ".".join(map(str, salt.call("marathon.version", url=leader.url)))

    def ask(server, **installed: str) -> list[tuple]:
        pillar = {**NODE, "mesos": settings, "marathon": {"url": server.url}}
        answer = salt.call(
            "cluster.drift",
            sls=package_states,
            roles=["mesos-master", "mesos-slave", "marathon"],
            pillar=pillar,
            installed=installed,
        )
        assert answer["errors"] == []
        return [tuple(entry.values()) for entry in answer["drift"]]

    assert ask(leader, mesos="1.11.0-2.0.1", marathon=f"{version}-1.el7") == []
    apply, restart = "salt 'unit' state.apply", "salt 'unit' service.restart m"
    marathon = ("marathon", "version", version, "1.4.0-1", restart)
    others = [
        (role, "version", "1.11.0", "1.9.0-2.0.1", apply)
        for role in ("mesos-master", "mesos-slave")
    ]
    assert ask(leader, mesos="1.9.0-2.0.1", marathon="1.4.0-1") == [marathon, *others]
    # Its answer is that of the leader.
    assert ask(standby, mesos="1.11.0-2.0.1", marathon="1.4.0-1") == []


def test_an_option_that_marathon_does_not_run_with_is_drift(salt, running, tmp_path):
    marathon = running(Marathon(LOCAL, None, room=MemoryRoom(), servers=MemoryRoom()))
    file = tmp_path / "marathon"
    file.write_text('MARATHON_FRAMEWORK_NAME="blue"\nMARATHON_HTTP_ADDRESS="127.0.0.1"\n')
    names = {"marathon-environment": str(file), "marathon-service": "marathon"}
    states = {state_id: {"test.nop": [{"name": name}]} for state_id, name in names.items()}
    salt.serve("options_of_drift.sls", json.dumps(states))
    pillar = {**NODE, "marathon": {"url": marathon.url}}
    answer = salt.call("cluster.drift", sls="options_of_drift", roles=["marathon"], pillar=pillar)
    assert answer["errors"] == []
    [entry] = answer["drift"]
    assert tuple(entry.values()) == (
        "marathon",
        "option framework_name",
        "marathon",
        "blue",
        "salt 'unit' service.restart marathon",
    )


def test_a_daemon_that_does_not_respond_is_an_error(salt, tmp_path):
    write_flags(tmp_path, quorum="1")
    sls = master_states(salt, tmp_path, {"quorum": 1})
    pillar = {**NODE, "mesos": {"url": "http://127.0.0.1:9"}}
    answer = salt.call("cluster.drift", sls=sls, roles=["mesos-master"], pillar=pillar)
    [error] = answer["errors"]
    assert error.startswith("The Mesos master cannot be compared: GET http://127.0.0.1:9/flags")


def test_states_that_cannot_be_rendered_are_an_error(salt):
    salt.serve("drift_broken.sls", "{{ ")
    answer = salt.call("cluster.drift", sls="drift_broken")
    [error] = answer["errors"]
    assert error.startswith("The states cannot be compared: ") and answer["drift"] == []


def test_by_default_all_states_of_the_node_are_compared(salt):
    nothing = {"drift": [], "notes": [], "errors": []}
    assert salt.call("cluster.drift") == nothing
    [error] = salt.call("cluster.drift", pillar={"mesos": {"quorums": 2}})["errors"]
    assert error.startswith("The states cannot be compared: ") and "quorums" in error


def summary(answer: dict) -> tuple[list[str], list[str]]:
    """Return the differences as text, and the notes."""
    assert answer["errors"] == []
    for entry in answer["drift"]:
        assert entry["next"] == "salt-run state.orchestrate orchestration.apps"
    texts = [f"{entry['what']}: {entry['runs']}, {entry['declared']}" for entry in answer["drift"]]
    return texts, answer["notes"]


def test_apps_are_compared_and_undeclared_ones_are_notes(salt, running):
    agents = Agents(agent("lxb001.devops.test"))
    marathon = running(
        Marathon(LOCAL, None, room=MemoryRoom(), servers=MemoryRoom(), agents=agents)
    )
    for name in ("/web", "/stray", "/team/a"):
        salt.call("marathon.create_app", name, APP, url=marathon.url)
    apps = {"/web": {**APP, "instances": 2}, "/new": APP, "/old": None}
    pillar = {"marathon": {"url": marathon.url, "apps": apps, "groups": {"/team": {}}}}
    answer = salt.call("cluster.drift", sls="marathon.apps", pillar=pillar)
    texts, notes = summary(answer)
    assert texts == [
        "app /new: none, present",
        "app /web instances: 1, 2",
        "app /web labels/MANAGED_BY: none, salt",
    ]
    assert notes == ["Apps that pillar does not declare: /stray"]


def test_jobs_are_compared_and_undeclared_ones_are_notes(salt, running):
    chronos = running(Chronos(LOCAL, None, room=MemoryRoom(), servers=MemoryRoom()))
    for name in ("report", "stray"):
        salt.call("chronos.create_job", name, JOB, url=chronos.url)
    jobs = {"report": {**JOB, "command": "false"}, "new": JOB}
    pillar = {"chronos": {"url": chronos.url, "jobs": jobs}}
    texts, notes = summary(salt.call("cluster.drift", sls=["chronos.jobs"], pillar=pillar))
    assert texts == ["job new: none, present", "job report command: true, false"]
    assert notes == ["Jobs that pillar does not declare: stray"]


def test_weights_and_quotas_are_compared_and_undeclared_ones_are_notes(salt, mesos):
    mesos.call("set_weights", {"web": 2, "stray": 3})
    mesos.call("set_quota", "batch", limits={"cpus": 1})
    mesos.call("set_quota", "stray", limits={"cpus": 1})
    declared = {"weights": {"web": 4}, "quotas": {"batch": {"limits": {"cpus": 2}}}}
    pillar = {"mesos": {"url": mesos.url, **declared}}
    texts, notes = summary(salt.call("cluster.drift", sls="mesos.policy", pillar=pillar))
    assert texts == ["quota batch limits/cpus: 1.0, 2.0", "weight web: 2.0, 4.0"]
    assert notes == [
        "Quotas that pillar does not declare: stray",
        "Weights that pillar does not declare: stray",
    ]


def test_nothing_is_changed(salt, mesos):
    mesos.leader.heard.clear()
    pillar = {"mesos": {"url": mesos.url, "weights": {"web": 4}}}
    salt.call("cluster.drift", sls="mesos.policy", pillar=pillar)
    assert mesos.leader.heard == [] and mesos.call("weights")["web"] == 1
