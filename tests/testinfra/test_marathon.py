"""A node with the role marathon, of any generation of its package."""

import re

import pytest

pytestmark = pytest.mark.role("marathon")


@pytest.fixture
def marathon(settings) -> dict:
    return settings("marathon")


@pytest.fixture
def info(settled, marathon) -> dict:
    return settled(
        f"http://localhost:{marathon['http_port']}/v2/info", lambda info: info.get("leader")
    )


def test_marathon_runs(runs):
    runs("marathon")


def test_marathon_responds(get, marathon):
    assert get(f"http://localhost:{marathon['http_port']}/ping").strip() == "pong"


def test_marathon_has_a_leader(info):
    assert info["leader"]


def test_the_running_version_is_the_installed_one(host, info):
    assert info["version"] == host.check_output("rpm --query --queryformat '%{version}' marathon")


def test_marathon_runs_with_the_declared_options(info, marathon):
    """Marathon reports its options; those in a file that this generation ignores are missing."""
    running = info["marathon_config"]
    for name, value in marathon["options"].items():
        if name in running and value is not None:
            assert str(running[name]).lower() == str(value).lower(), name


def test_the_leader_listens_on_the_libprocess_port_of_the_firewall(host, info, listening, marathon):
    if info["leader"].partition(":")[0] in (marathon["hostname"], host.check_output("hostname")):
        assert marathon["libprocess_port"] in listening


def test_the_option_directory_contains_no_stray_file(host):
    names = host.check_output(
        "find /etc/marathon/conf -type f -printf '%f\\n' 2>/dev/null || true"
    ).splitlines()
    for name in names:
        assert re.fullmatch(r"\??[a-z0-9_]+", name), name


def test_the_user_that_runs_tasks_exists(host, marathon):
    """By default it would be Marathon's own user, which only its package creates."""
    assert host.user(marathon["mesos_user"]).exists
