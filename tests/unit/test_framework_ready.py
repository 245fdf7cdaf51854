"""
Readiness of Marathon and Chronos: the states marathon.available and chronos.available, and the
functions that they call, against fake daemons of several versions.
"""

import socket
import threading

import pytest

from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.server import Marathon
from lab.fakes.mesos.master import Master
from lab.fakes.wire.election import MemoryRoom

LOCAL = ["--http_address", "127.0.0.1", "--hostname", "127.0.0.1"]
DAEMONS = {
    **{f"marathon {version}": (Marathon, version) for version in ("1.1.2", "1.4.13", "1.8.244")},
    **{f"chronos {version}": (Chronos, version) for version in ("2.4.0", "2.5.0", "3.0.2")},
}


@pytest.fixture(params=DAEMONS)
def server(request, running, tmp_path):
    """
    Return a function that starts servers of one kind and version. The first one leads.
    ``server.name`` is the name of the state module.
    """
    kind, version = DAEMONS[request.param]
    room, servers = MemoryRoom(), MemoryRoom()
    running(Master(["--ip=127.0.0.1", "--port=0", f"--work_dir={tmp_path}"], room=room))

    def start(*options, port=0):
        options = [*LOCAL, "--http_port", str(port), *options]
        return running(kind(options, None, version, room, servers))

    start.name = kind.__name__.lower()
    start.reports_leader = request.param != "chronos 2.4.0"
    start.servers = servers
    return start


def test_available_succeeds_with_the_url_of_the_leader_or_of_a_standby(salt, server, nobody):
    leader, standby = server(), server()
    expected = {"url": leader.url, "host": "127.0.0.1", "port": leader.port}
    if not server.reports_leader:
        expected = {"url": None, "host": None, "port": None}
    for url in (leader.url, standby.url, [nobody, standby.url]):
        assert salt.call(f"{server.name}.leader", url=url) == expected
        for test in (True, False):
            result = salt(f"{server.name}.available", test, url=url, timeout=10)
            assert (result["result"], result["changes"]) == (True, {}), result
            assert result["comment"].startswith(
                f"{leader.url} leads" if expected["url"] else "A leader responds"
            )


def test_available_fails_after_the_timeout_without_a_leader(salt, server, nobody, monkeypatch):
    monkeypatch.setattr(Marathon, "pause", 0.01)
    server()
    leaderless = server()
    leaderless.group.members = []
    result = salt(f"{server.name}.available", url=[nobody, leaderless.url], timeout=1)
    assert (result["result"], result["changes"]) == (False, {}), result
    heading, *errors = result["comment"].splitlines()
    assert heading == f"Waited 1 second for a leader of {server.name.capitalize()}:"
    assert (
        len(errors) == 2
        and errors[0].startswith(f"  GET {nobody}/")
        and errors[0].endswith(": Connection refused")
    )
    assert errors[1].startswith(f"  GET {leaderless.url}/") and " 50" in errors[1]
    assert salt(f"{server.name}.available", True, url=leaderless.url)["result"] is None


def without_member(salt, server, member, *peers, timeout=0, **options) -> dict:
    """Return the result of ``available_without_member`` for these URLs."""
    options.update(member=member, url=[member, *peers], timeout=timeout)
    result = salt(f"{server.name}.available_without_member", **options)
    assert result["changes"] == {}
    return result


def test_a_server_can_be_restarted_while_another_one_responds(salt, server, nobody):
    leader, standby = server(), server()
    for member, peer in ((leader.url, standby.url), (standby.url, leader.url)):
        result = without_member(salt, server, member, nobody, peer)
        assert result["result"] is True and peer in result["comment"]


def test_the_only_server_that_responds_cannot_be_restarted(salt, server, nobody, tmp_path):
    member, record = server().url, tmp_path / "salt-record"
    for text in (None, f"# Servers\n{member}\n{nobody}\n"):
        if text:
            record.write_text(text)
        result = without_member(salt, server, member, nobody, timeout=1, record=str(record))
        assert result["result"] is False, result
        heading, error = result["comment"].splitlines()
        assert heading.startswith("Waited 1 second for another ") and member in heading
        assert nobody in error and error.endswith("Connection refused")


def test_the_only_server_that_was_set_up_can_be_restarted(salt, server, nobody, tmp_path):
    member, record = server().url, tmp_path / "salt-record"
    record.write_text(f"# Servers\n{member}\n")
    assert without_member(salt, server, member, nobody, record=str(record))["result"] is True
    assert without_member(salt, server, member)["result"] is True


def test_a_server_that_knows_no_leader_cannot_take_over(salt, server, monkeypatch):
    monkeypatch.setattr(Marathon, "pause", 0.01)
    member, leaderless = server(), server()
    leaderless.group.members = []
    assert without_member(salt, server, member.url, leaderless.url)["result"] is False


def test_without_any_leader_a_restart_only_waits_for_an_election(salt, server, nobody, monkeypatch):
    monkeypatch.setattr(Marathon, "pause", 0.01)
    server()
    member = server()
    members, member.group.members = member.group.members, []
    result = without_member(salt, server, member.url, nobody, timeout=1)
    assert result["result"] is True and "has no leader" in result["comment"]

    def elect():
        member.group.members = members

    election = threading.Timer(1, elect)
    election.start()
    assert without_member(salt, server, member.url, nobody, timeout=4)["result"] is False
    election.join()


def test_a_server_with_other_credentials_can_take_over(salt, server, raw):
    peer = raw(lambda request: b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    assert without_member(salt, server, server().url, peer.url)["result"] is True


def test_the_wait_ends_when_another_server_responds(salt, server):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    member = server()
    start = threading.Timer(1, lambda: server(port=port))
    start.start()
    peer = f"http://127.0.0.1:{port}"
    assert without_member(salt, server, member.url, peer, timeout=60)["result"] is True
    start.join()


@pytest.mark.parametrize("name", ["marathon", "chronos"])
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"timeout": -1}, "timeout: -1 is not a number of seconds"),
        (
            {"url": "ftp://10.0.0.1:8080"},
            "url: ftp://10.0.0.1:8080 is not an http:// or https:// URL",
        ),
        ({"url": ["http://10.0.0.1", 7]}, "url: should be text, not int"),
    ],
    ids=str,
)
def test_invalid_arguments_fail_without_waiting(salt, name, arguments, message):
    result = salt(f"{name}.available", **{"timeout": 3600, **arguments})
    assert (
        result["result"] is False
        and result["comment"].startswith(message)
        and "\n" not in result["comment"]
    )


def test_a_response_that_is_not_from_chronos_is_an_error(salt, raw):
    server = raw(
        lambda request: b"HTTP/1.1 404 x\r\n\r\n"
        if b"leader" in request
        else b"HTTP/1.1 200 OK\r\n\r\nhello"
    )
    with pytest.raises(salt.Error, match="/ping: the response is not from Chronos: hello$"):
        salt.call("chronos.leader", url=server.url)


# --- the version that leads ---


def test_the_version_that_leads_is_awaited(salt, running):
    room, servers = MemoryRoom(), MemoryRoom()
    leader, standby = (
        running(Marathon([*LOCAL, "--http_port", "0"], None, version, room, servers))
        for version in ("1.6.567", "1.8.244")
    )
    # A standby answers with the version of the leader.
    for url in (leader.url, standby.url):
        arguments = {"version": "1.8.244", "url": url, "timeout": 0}
        result = salt("marathon.leader_has_version", **arguments)
        assert (result["result"], result["changes"]) == (False, {})
        assert "for Marathon 1.8.244 to lead:\n  Marathon 1.6.567 leads" in result["comment"]
        assert salt("marathon.leader_has_version", True, **arguments)["result"] is None
    leader.stop()
    result = salt("marathon.leader_has_version", version="1.8.244", url=standby.url, timeout=60)
    assert result["result"] is True and "Marathon 1.8.244 leads on 127.0.0.1:" in result["comment"]
