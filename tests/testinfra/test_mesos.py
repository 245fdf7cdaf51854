"""The roles mesos-master and mesos-slave; their package enables both daemons."""

import json
import re

import pytest

master = pytest.mark.role("mesos-master")
slave = pytest.mark.role("mesos-slave")
either = pytest.mark.role("mesos-master", "mesos-slave")

PORTS = {"master": 5050, "slave": 5051}


@pytest.fixture
def unit(agent):
    """The unit of a daemon."""
    return lambda daemon: agent["unit"] if daemon == "slave" else "mesos-master"


def url(settings, daemon: str, path: str) -> str:
    """Return the address of a daemon of this node; libprocess binds only ``ip``, if set."""
    flags = settings("mesos")[daemon]["flags"]
    return f"http://{flags.get('ip', 'localhost')}:{flags.get('port', PORTS[daemon])}{path}"


@pytest.mark.parametrize(
    "daemon", [pytest.param("master", marks=master), pytest.param("slave", marks=slave)]
)
def test_the_daemon_runs_and_is_healthy(get, runs, settings, unit, daemon):
    runs(unit(daemon))
    get(url(settings, daemon, "/health"))


@pytest.mark.parametrize(
    "daemon",
    [
        pytest.param("master", marks=[slave, pytest.mark.without_role("mesos-master")]),
        pytest.param("slave", marks=[master, pytest.mark.without_role("mesos-slave")]),
    ],
)
def test_the_other_daemon_is_masked(host, unit, daemon):
    assert host.service(unit(daemon)).is_masked
    assert not host.service(unit(daemon)).is_running


@pytest.mark.parametrize(
    "daemon", [pytest.param("master", marks=master), pytest.param("slave", marks=slave)]
)
def test_the_daemon_runs_with_the_declared_flags(get, settings, daemon):
    running = json.loads(get(url(settings, daemon, "/flags")))["flags"]
    for name, value in settings("mesos")[daemon]["flags"].items():
        # Not compared: bare flags and JSON, which Mesos reports in another form, and flags that
        # are not passed to Mesos below 1.5.
        if (
            not name.startswith("?")
            and isinstance(value, str | int | float)
            and name != "reconfiguration_policy"
        ):
            assert running[name] == (
                str(value).lower() if isinstance(value, bool) else str(value)
            ), name


@pytest.mark.parametrize(
    "daemon", [pytest.param("master", marks=master), pytest.param("slave", marks=slave)]
)
def test_the_flag_directory_contains_only_flags(host, agent, daemon):
    """Any other file would be an unknown flag, and the daemon would not start."""
    directory = agent["flags"] if daemon == "slave" else "/etc/mesos-master"
    names = host.check_output("find %s -type f -printf '%%f\\n'", directory).splitlines()
    assert names
    for name in names:
        assert re.fullmatch(r"\??[a-z0-9_]+(-[a-z0-9_]+)*", name), name


@pytest.mark.parametrize(
    "daemon", [pytest.param("master", marks=master), pytest.param("slave", marks=slave)]
)
def test_the_daemon_listens_on_its_port(listening, settings, daemon):
    assert settings("mesos")[daemon]["flags"].get("port", PORTS[daemon]) in listening


@master
@slave
def test_the_master_has_activated_an_agent(settled, settings):
    assert (
        settled(url(settings, "master", "/state"), lambda state: state["activated_slaves"])[
            "activated_slaves"
        ]
        >= 1
    )


@master
def test_the_master_knows_the_leader(get, settings):
    """A standby redirects ``/state`` to the leader. Without a leader it responds with 503."""
    assert json.loads(get(url(settings, "master", "/state")))["leader"].startswith("master@")


@slave
def test_the_agent_is_registered(settled, settings):
    assert (
        settled(
            url(settings, "slave", "/metrics/snapshot"), lambda metrics: metrics["slave/registered"]
        )["slave/registered"]
        == 1
    )


@slave
def test_tasks_survive_a_restart_of_the_agent(unit_property, agent):
    assert unit_property(agent["unit"], "KillMode") == "process"


@either
def test_old_logs_are_removed(host, settings):
    """glog begins a new file at every start and never removes one."""
    mesos = settings("mesos")
    rule = f"d {mesos['master']['flags']['log_dir']} - - - {mesos['log_retention']}"
    assert rule in host.file("/etc/tmpfiles.d/mesos-logs.conf").content_string.splitlines()
    assert host.service("systemd-tmpfiles-clean.timer").is_running
