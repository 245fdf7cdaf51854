"""marathon.available and chronos.available, and the modules that they ask, against the fake daemons of several versions."""

import pytest

from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.server import Marathon
from lab.fakes.mesos.master import Master
from lab.fakes.wire.election import MemoryRoom

LOCAL = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
DAEMONS = {
    **{f"marathon {version}": (Marathon, version) for version in ("1.1.2", "1.4.13", "1.8.244")},
    **{f"chronos {version}": (Chronos, version) for version in ("2.4.0", "2.5.0", "3.0.2")},
}


@pytest.fixture(params=DAEMONS)
def server(request, running, tmp_path):
    """Start servers of one kind and version, of whom the first leads; ``server.name`` is that of state and module."""
    kind, version = DAEMONS[request.param]
    room, servers = MemoryRoom(), MemoryRoom()
    running(Master(["--ip=127.0.0.1", "--port=0", f"--work_dir={tmp_path}"], room=room))

    def start():
        return running(kind([*LOCAL], None, version, room, servers))

    start.name = kind.__name__.lower()
    start.tells_the_leader = request.param != "chronos 2.4.0"
    start.servers = servers
    return start


def test_leader_and_standby_name_the_leader_and_the_gate_is_open(salt, server, nobody):
    leader, standby = server(), server()
    expected = {"url": leader.url, "host": "127.0.0.1", "port": leader.port}
    if not server.tells_the_leader:
        expected = {"url": None, "host": None, "port": None}
    for url in (leader.url, standby.url, [nobody, standby.url]):
        assert salt.call(f"{server.name}.leader", url=url) == expected
        for test in (True, False):
            answer = salt(f"{server.name}.available", test, url=url, timeout=10)
            assert (answer["result"], answer["changes"]) == (True, {}), answer
            assert answer["comment"].startswith(
                f"{leader.url} leads" if expected["url"] else "A leader responds"
            )


def test_a_server_without_a_leader_keeps_the_gate_shut(salt, server, nobody, monkeypatch):
    monkeypatch.setattr(Marathon, "pause", 0.01)
    server()
    lost = server()
    lost.group.members = []
    answer = salt(f"{server.name}.available", url=[nobody, lost.url], timeout=1)
    assert (answer["result"], answer["changes"]) == (False, {}), answer
    first, *said = answer["comment"].splitlines()
    assert first == f"Waited 1 seconds for a leader of {server.name.capitalize()}:"
    assert (
        len(said) == 2
        and said[0].startswith(f"  GET {nobody}/")
        and said[0].endswith(": Connection refused")
    )
    assert said[1].startswith(f"  GET {lost.url}/") and " 50" in said[1]
    assert salt(f"{server.name}.available", True, url=lost.url)["result"] is None


@pytest.mark.parametrize("name", ["marathon", "chronos"])
@pytest.mark.parametrize(
    "arguments, said",
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
def test_wrong_arguments_fail_at_once(salt, name, arguments, said):
    answer = salt(f"{name}.available", **{"timeout": 3600, **arguments})
    assert (
        answer["result"] is False
        and answer["comment"].startswith(said)
        and "\n" not in answer["comment"]
    )


def test_what_answers_like_no_chronos_is_not_taken_for_one(salt, raw):
    server = raw(
        lambda heard: b"HTTP/1.1 404 x\r\n\r\n"
        if b"leader" in heard
        else b"HTTP/1.1 200 OK\r\n\r\nhello"
    )
    with pytest.raises(salt.Error, match="/ping: the response is not from Chronos: hello$"):
        salt.call("chronos.leader", url=server.url)
