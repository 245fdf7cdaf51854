"""A node with the role chronos."""

import re

import pytest

pytestmark = pytest.mark.role("chronos")


@pytest.fixture
def chronos(settings) -> dict:
    return settings("chronos")


def test_it_runs(runs):
    runs("chronos")


def test_it_answers(get, chronos):
    assert get(f"http://localhost:{chronos['http_port']}/ping").strip() == "pong"


@pytest.fixture
def leader(settled, chronos) -> str:
    """Who leads, as host:port."""
    prefix = "scheduler" if str(chronos["version"]).startswith("2.") else "v1/scheduler"
    return settled(
        f"http://localhost:{chronos['http_port']}/{prefix}/leader", lambda answer: answer["leader"]
    )["leader"]


def test_it_has_a_leader(leader):
    assert leader


def test_the_leader_listens_for_the_mesos_master_where_the_firewall_expects_it(
    host, leader, listening, chronos
):
    if leader.partition(":")[0] in (chronos["hostname"], host.check_output("hostname")):
        assert chronos["libprocess_port"] in listening


def test_no_stray_file_is_taken_for_an_option(host):
    names = host.check_output("find /etc/chronos/conf -type f -printf '%f\\n'").splitlines()
    assert names
    for name in names:
        assert re.fullmatch(r"\??[a-z0-9_]+", name), name
