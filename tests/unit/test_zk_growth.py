"""zk.server_lists, zk.server_list_recorded, and zk.may_join while an ensemble grows or shrinks."""

import contextlib
import random
import time

import pytest
import zookeeper_server

# Both lines apply every state in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

LISTS_PATH = "/salt-mesos/zookeeper"


class Member:
    """The host of a member of an ensemble, server N of which is at 127.0.0.N."""

    def __init__(self, salt, target: int, directory):
        self.salt, self._target, self._directory = salt, target, directory
        self.running = {}
        self.servers, self.port = {}, None

    def ensemble(self, *modes: str | None) -> None:
        """Start the servers of an ensemble. None: it is down."""
        self.servers = {str(number): f"127.0.0.{number}" for number in range(1, len(modes) + 1)}
        while True:
            self.port = random.randint(20000, 30000)  # Outside of the kernel's range.
            with contextlib.suppress(OSError):
                for number, mode in enumerate(modes, 1):
                    if mode:
                        self.running[number] = zookeeper_server.Member(
                            f"127.0.0.{number}", self.port, mode, self._target
                        )
                return

    def stop(self, number: int) -> None:
        self.running.pop(number).stop()

    def had(self, *ids: int) -> dict:
        """Write the list of servers before the change, and some data."""
        servers = {str(number): self.servers[str(number)] for number in ids}
        lines = [f"server.{number}={host}:2888:3888" for number, host in servers.items()]
        (self._directory / "zoo.cfg").write_text("\n".join(lines) + "\n")
        (self._directory / "version-2").mkdir()
        (self._directory / "version-2" / "log.1").write_text("x")
        return servers

    def keep(self, *ids: int) -> None:
        """Let the next list have only some of the servers."""
        self.servers = {str(number): self.servers[str(number)] for number in ids}

    def may_join(self, myid: int, test=False, timeout=0, settle=10):
        return self.salt(
            "zk.may_join",
            test,
            name=str(self._directory),
            config=str(self._directory / "zoo.cfg"),
            servers=self.servers,
            port=self.port,
            myid=myid,
            timeout=timeout,
            settle=settle,
        )

    def record(self, myid: int, test=False):
        return self.salt(
            "zk.server_list_recorded",
            test,
            name="x",
            servers=self.servers,
            port=self.port,
            myid=myid,
        )

    def lists(self) -> dict | None:
        return self.salt.call("zk.server_lists", servers=self.servers, port=self.port)


@pytest.fixture
def zookeeper_client(zookeeper):
    with zookeeper_server.client_module().Client(zookeeper.address) as client:
        yield client


@pytest.fixture
def member(salt, zookeeper, zookeeper_client, tmp_path):
    member = Member(salt, zookeeper.port, tmp_path)
    clear(zookeeper_client)
    yield member
    for server in member.running.values():
        server.stop()
    clear(zookeeper_client)


def clear(client) -> None:
    """Delete all records."""
    if client.exists(LISTS_PATH):
        for server_id in client.children(LISTS_PATH):
            client.delete(f"{LISTS_PATH}/{server_id}")
        client.delete(LISTS_PATH)


def passes(answer) -> str:
    assert (answer["result"], answer["changes"]) == (True, {}), answer
    return answer["comment"]


def fails(answer) -> str:
    assert (answer["result"], answer["changes"]) == (False, {}), answer
    return answer["comment"]


def test_new_servers_join_before_the_old_ones_get_the_list(member):
    member.ensemble("leader", "follower", "follower", None, None)
    member.had(1, 2, 3)
    comment = fails(member.may_join(2))
    assert "The other servers have no quorum. Start servers 4, 5" in comment
    assert member.may_join(2, test=True)["result"] is None
    assert member.lists() is None


def test_a_follower_gets_the_list_as_soon_as_a_quorum_serves_without_it(member):
    member.ensemble("leader", "follower", "follower", "follower", None)
    old_servers = member.had(1, 2, 3)
    assert "Servers 4, 5 may join" in passes(member.may_join(2))
    assert member.lists() == {"2": old_servers}


def test_the_leader_is_the_last_to_get_several_new_servers(member):
    member.ensemble("follower", "leader", "follower", "follower", "follower")
    old_servers = member.had(1, 2, 3)
    assert "Apply the states to 1, 3 first" in fails(member.may_join(2))
    assert member.lists() == {"2": old_servers}
    for myid in (1, 3):
        answer = member.record(myid)
        assert answer["result"] is True, answer
        assert answer["changes"] == {"servers": {"old": None, "new": member.servers}}
        if myid == 1:
            assert "Apply the states to 3 first" in fails(member.may_join(2))
    assert "all others have the new servers" in passes(member.may_join(2))


def test_the_leader_need_not_be_last_if_one_server_is_added(member):
    member.ensemble("leader", "follower", "follower", "follower")
    member.had(1, 2, 3)
    assert passes(member.may_join(1)) == "Server 4 has joined"
    assert member.lists() is None


def test_with_the_leader_last_in_test_mode_nothing_is_recorded(member):
    member.ensemble("leader", "follower", "follower", "follower", "follower")
    member.had(1, 2, 3)
    assert member.may_join(1, test=True)["result"] is None
    assert member.lists() is None


@pytest.mark.parametrize(
    "modes, comment",
    [
        (
            ("follower", "follower", "leader", "follower", "follower"),
            "Servers 4, 5 were removed from zookeeper:servers and are still running. Apply the "
            "states there, or stop all but one of them for good",
        ),
        (
            ("follower", "follower", "follower", "leader", None),
            "Server 4 was removed from zookeeper:servers and is still running. Apply the states "
            "there, or stop it for good. It is the leader",
        ),
    ],
    ids=["two of them run", "one of them leads"],
)
def test_the_servers_that_remain_wait_for_the_removed_ones(member, modes, comment):
    member.ensemble(*modes)
    member.had(1, 2, 3, 4, 5)
    member.keep(1, 2, 3)
    assert comment in fails(member.may_join(1))
    assert member.may_join(1, test=True)["result"] is None
    assert member.lists() is None


def test_the_leader_gets_the_shorter_list_when_the_last_removed_server_has_stopped(member):
    member.ensemble("follower", "leader", "follower", "follower", None)
    old_servers = member.had(1, 2, 3, 4, 5)
    member.keep(1, 2, 3)
    assert "Server 4 stops when the others have the new list" in passes(member.may_join(1))
    assert "Apply the states to 1, 3 first" in fails(member.may_join(2))
    assert member.lists() == {"1": old_servers, "2": old_servers}
    for myid in (1, 3):
        assert member.record(myid)["changes"]["servers"]["new"] == member.servers
    assert "Server 2 is the leader, and gets the new list last" in fails(member.may_join(2))
    member.stop(4)
    assert passes(member.may_join(2)).startswith("Stopped: 4, 5")


def test_removed_servers_that_do_not_respond_for_a_while_have_stopped(member):
    """Those that lead are restarted, and need the others as they are."""
    member.ensemble("follower", "leader", "follower", None, None)
    member.had(1, 2, 3, 4, 5)
    member.keep(1, 2, 3)
    for myid in (1, 2):
        assert "Not running, or just being restarted: 4, 5" in fails(member.may_join(myid))
        assert member.may_join(myid, test=True)["result"] is None
        start = time.monotonic()
        assert "Stopped: 4, 5" in passes(member.may_join(myid, timeout=60, settle=1))
        assert time.monotonic() - start >= 3
    assert member.lists() is None


def test_no_server_gets_a_shorter_list_during_an_election(member):
    member.ensemble("follower", "follower", "follower", "follower", None)
    member.had(1, 2, 3, 4, 5)
    member.keep(1, 2, 3)
    assert "No server leads" in fails(member.may_join(1))
    assert member.lists() is None


def test_a_server_that_is_added_and_others_that_are_removed_make_no_order(member):
    member.ensemble("follower", "leader", "follower", "follower")
    member.had(1, 2, 3)
    member.keep(1, 2, 4)
    assert "Server 3 was removed from zookeeper:servers" in fails(member.may_join(1))


def test_a_list_is_recorded_only_while_an_ensemble_grows(member):
    member.ensemble("leader", "follower", None)
    for test in (True, False):
        assert passes(member.record(1, test)) == "Nothing to record"
    assert "Nothing is recorded" in passes(member.record(3))
    assert member.lists() is None


def test_a_list_is_recorded_once(member, salt):
    member.ensemble("leader", "follower")
    old_servers = {"1": "127.0.0.1"}
    salt.call("zk.record_server_list", 1, old_servers, servers=member.servers, port=member.port)
    predicted = member.record(1, test=True)
    assert predicted["result"] is None and member.lists() == {"1": old_servers}
    answer = member.record(1)
    assert answer["result"] is True and answer["changes"] == predicted["changes"]
    for test in (True, False):
        assert passes(member.record(1, test)) == "Nothing to record"
    assert member.lists() == {"1": member.servers}


def test_a_record_that_somebody_else_wrote_is_no_list(member, zookeeper_client):
    member.ensemble("leader", "follower")
    zookeeper_client.ensure_path(f"{LISTS_PATH}/1")
    zookeeper_client.ensure_path(f"{LISTS_PATH}/2")
    zookeeper_client.set(f"{LISTS_PATH}/2", b"[1]")
    assert member.lists() == {"1": {}, "2": {}}


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ((3, {"1": "127.0.0.1"}), "SaltInvocationError: myid: 3 is not one of the servers"),
        ((1, "x"), "SaltInvocationError: servers: should be addresses by id"),
    ],
    ids=str,
)
def test_invalid_arguments_are_rejected_in_one_sentence(salt, arguments, expected):
    with pytest.raises(salt.Error) as caught:
        salt.call("zk.record_server_list", *arguments)
    assert str(caught.value).startswith(expected)


def test_without_a_server_there_is_an_error_of_salt(salt):
    with pytest.raises(salt.Error) as caught:
        salt.call("zk.server_lists", servers={"1": "127.0.0.1"}, port=9, timeout=1)
    assert str(caught.value).startswith("CommandExecutionError: ZooKeeper: 127.0.0.1:9")
