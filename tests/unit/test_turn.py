"""Turns: processes, each a host, that take leases in a real ZooKeeper."""

import contextlib
import functools
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zookeeper_server
from kazoo.client import KazooClient
from mesos_world import until

from lab import ROOT, SALT_LINES, saltenv, ssh

# One process runs all tests that need a ZooKeeper.
pytestmark = pytest.mark.xdist_group("zookeeper")

_zookeeper_client = zookeeper_server.client_module()
CALLER = Path(__file__).with_name("turn_caller.py")
CONSTANTS = {"POLL_INTERVAL": 0.1, "PROGRESS_INTERVAL": 1, "LEADER_DELAY": 0.5}
SECRET = "sesame"


class TurnFailure(Exception):
    """An error that a host has raised; the text begins with the name of its class."""


class Host:
    """A process that takes turns. Its methods are those of turn_caller.py."""

    def __init__(self, python, name: str, zookeeper: str, **options):
        options = {"hosts": zookeeper, "host": name, "session_timeout": 4, **options}
        modules = str(ROOT / "_modules")
        constants = {**CONSTANTS, **options.pop("constants", {})}
        setup = {"modules": modules, "options": options, "constants": constants}
        self.name = name
        self.progress = []
        self.process = subprocess.Popen(
            [python, "-W", "ignore", CALLER, json.dumps(setup)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.result() == "ready"

    def start(self, method: str, **arguments) -> None:
        """Call a method, without waiting for its result."""
        self.process.stdin.write(json.dumps({method: arguments}) + "\n")
        self.process.stdin.flush()

    def result(self):
        """Return the result of the method. Raises TurnFailure."""
        while True:
            answer = json.loads(self.process.stdout.readline())
            if "raised" in answer:
                raise TurnFailure(answer["raised"])
            if "returned" in answer:
                return answer["returned"]
            self.progress.append(answer["progress"])

    def call(self, method: str, **arguments):
        """Call a method, and return its result. Raises TurnFailure."""
        self.start(method, **arguments)
        return self.result()

    def acquire(self, turn_class="agents", limit=1, timeout=60, **options):
        """Take a turn, and return how long it took and for which hosts."""
        self.queue(turn_class, limit, timeout, **options)
        return self.result()

    def queue(self, turn_class="agents", limit=1, timeout=60, reason="restart", **options):
        """Ask for a turn, without waiting for it."""
        arguments = {"turn_class": turn_class, "limit": limit, "timeout": timeout}
        self.start("acquire", reason=reason, **arguments, **options)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def host(zookeeper):
    """Return a function that starts a host, and delete all turns and holds at the end."""
    hosts = []

    def start(name: str, address: str = zookeeper.address, line: str = "3008", **options) -> Host:
        python = options.pop("python", None) or saltenv.machine_env(line)
        hosts.append(Host(python, name, address, **options))
        return hosts[-1]

    yield start
    for started in hosts:
        started.kill()
    client = KazooClient(zookeeper.address)
    client.start()
    client.add_auth("digest", f"salt:{SECRET}")
    client.delete("/salt-mesos", recursive=True)
    client.stop()
    client.close()


@pytest.fixture
def client(zookeeper):
    with _zookeeper_client.Client(zookeeper.address) as client:
        yield client


@pytest.fixture
def proxy(zookeeper):
    with zookeeper_server.Proxy(zookeeper.port) as proxy:
        yield proxy
        proxy.silent = False


# ZooKeeper ends a session only after its timeout.
eventually = functools.partial(until, timeout=30)


def znodes(client, turn_class="agents") -> list[dict]:
    """Return the data of the znodes of a class in the order of their numbers."""
    directory = f"/salt-mesos/turns/{turn_class}"
    try:
        names = sorted(client.children(directory), key=lambda name: name[-10:])
    except _zookeeper_client.NoNode:
        return []
    entries = []
    for name in names:
        with contextlib.suppress(_zookeeper_client.NoNode):
            entries.append(json.loads(client.get(f"{directory}/{name}")[0]))
    return entries


def hosts_in(client, turn_class="agents", acquired=False) -> list[str]:
    """Return the hosts of a class in the order of their queue, or only those with a turn."""
    entries = znodes(client, turn_class)
    return [entry["host"] for entry in entries if entry["acquired"] or not acquired]


def queue_in_order(client, *hosts: Host, **options) -> None:
    """Let hosts ask for a turn one after another."""
    for waiting in hosts:
        waiting.queue(**options)
        eventually(lambda name=waiting.name: name in hosts_in(client))


# --- the queue ---


@pytest.mark.parametrize("line", SALT_LINES)
def test_a_host_takes_its_turn_at_once_and_gives_it_back(host, client, line):
    start = int(time.time())
    node = host("lxcc01", line=line)
    result = node.acquire("control-nodes", reason="mesos-master: flags changed")
    assert result["waited"] < 2 and result["waited_for"] == []
    (entry,) = znodes(client, "control-nodes")
    assert entry.pop("since") >= start and entry.pop("acquired") >= start
    assert entry == {"host": "lxcc01", "reason": "mesos-master: flags changed", "leads": []}
    assert node.call("lost") is False
    node.call("release")
    assert znodes(client, "control-nodes") == [] and node.call("lost") is True
    node.call("release")


@pytest.mark.parametrize("python", [sys.executable, *filter(None, [ssh.python36()])], ids=str)
def test_each_python_takes_turns(host, client, tmp_path, python):
    # The environments of Salt have another Python; the helper needs only these names of it.
    (tmp_path / "salt").mkdir()
    (tmp_path / "salt" / "__init__.py").touch()
    (tmp_path / "salt" / "exceptions.py").write_text(
        "class CommandExecutionError(Exception):\n    pass\n"
        "class SaltInvocationError(TypeError):\n    pass\n"
    )
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {python} "$@"\n')
    wrapper.chmod(0o755)
    old, new = host("lxb001", python=wrapper), host("lxb002")
    old.acquire()
    queue_in_order(client, new)
    assert [entry["host"] for entry in old.call("holders", turn_class="agents")] == [
        "lxb001",
        "lxb002",
    ]
    old.call("release")
    assert new.result()["waited_for"] == ["lxb001"]
    with pytest.raises(TurnFailure, match="TurnTimeout"):
        old.acquire(timeout=0)


def test_hosts_take_turns_in_the_order_of_their_requests(host, client):
    holder, *waiting = [host(f"lxb00{number}") for number in range(1, 5)]
    holder.acquire()
    queue_in_order(client, *waiting)
    for node in waiting:
        time.sleep(1)  # long enough for all of them to see who has the turn
        assert hosts_in(client, acquired=True) == [holder.name]
        holder.call("release")
        result = node.result()
        assert holder.name in result["waited_for"] and result["waited"] > 0
        holder = node


def test_the_limit_is_that_of_the_class(host, client):
    nodes = [host(f"lxb00{number}") for number in range(1, 5)]
    for node in nodes[:2]:
        assert node.acquire(limit=2)["waited"] < 2
    queue_in_order(client, *nodes[2:], limit=2)
    time.sleep(1)
    assert hosts_in(client, acquired=True) == ["lxb001", "lxb002"]
    nodes[1].call("release")
    nodes[2].result()
    assert hosts_in(client, acquired=True) == ["lxb001", "lxb003"]
    control = host("lxcc01")
    assert control.acquire("control-nodes")["waited"] < 2


@pytest.mark.parametrize("limit, size", [(1, 6), (3, 10)])
def test_never_more_hosts_than_the_limit_have_a_turn(host, client, tmp_path, limit, size):
    nodes = [host(f"lxb{number:03}") for number in range(size)]
    for number, node in enumerate(nodes):
        leads = ["mesos"] * (number % 3 == 0)
        node.start("rounds", number=5, limit=limit, directory=str(tmp_path), leads=leads)
    highest = [node.result() for node in nodes]
    assert max(highest) == limit and znodes(client) == []


def test_holders_and_waiting_hosts_are_listed_with_reason_and_time(host, client):
    start = int(time.time())
    holder, waiting = host("lxcc01"), host("lxcc02")
    assert waiting.call("holders", turn_class="agents") == []
    holder.acquire(reason="docker: upgrade")
    queue_in_order(client, waiting, leads=["mesos"], reason="mesos: upgrade")
    entries = holder.call("holders", turn_class="agents")
    assert all(start <= entry.pop("since") <= time.time() for entry in entries)
    assert entries == [
        {"host": "lxcc01", "state": "holds", "reason": "docker: upgrade", "leads": []},
        {"host": "lxcc02", "state": "waits", "reason": "mesos: upgrade", "leads": ["mesos"]},
    ]


def test_a_turn_that_does_not_come_in_time_is_an_error_that_names_the_holder(host, client):
    holder, waiting = host("lxcc01"), host("lxcc02")
    holder.acquire(reason="mesos: upgrade")
    start = time.monotonic()
    with pytest.raises(
        TurnFailure,
        match="^TurnTimeout: agents: lxcc02 did not get a turn within 2 seconds. "
        r"Current holders: lxcc01 since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(mesos: upgrade\)$",
    ):
        waiting.acquire(timeout=2)
    assert 2 <= time.monotonic() - start < 8 and hosts_in(client) == ["lxcc01"]


def test_progress_is_reported_while_a_host_waits(host, client):
    holder, waiting = host("lxcc01"), host("lxcc02")
    holder.acquire()
    queue_in_order(client, waiting)
    time.sleep(3.5)
    holder.call("release")
    waiting.result()
    assert [round(seconds) for seconds, _ in waiting.progress][:3] == [1, 2, 3]
    assert waiting.progress[0][1] == ["lxcc01", "lxcc02"]


# --- leaders ---


def test_a_leader_lets_hosts_that_do_not_lead_go_first(host, client):
    holder, leader, second_leader, *followers = [host(f"lxcc0{number}") for number in range(1, 6)]
    holder.acquire()
    queue_in_order(client, leader, second_leader, leads=["mesos"])
    queue_in_order(client, *followers)
    for node in (*followers, leader, second_leader):
        holder.call("release")
        node.result()
        assert hosts_in(client, acquired=True) == [node.name]
        holder = node


def test_the_leader_whose_election_takes_longest_goes_last(host, client):
    holder, mesos, zookeeper, marathon = (host(name) for name in ("lxcc0", "m", "z", "f"))
    holder.acquire()
    queue_in_order(client, mesos, leads=["mesos"])
    queue_in_order(client, marathon, leads=["marathon", "chronos"])
    queue_in_order(client, zookeeper, leads=["zookeeper"])
    for node in (holder, zookeeper, marathon):
        node_after = {holder: zookeeper, zookeeper: marathon, marathon: mesos}[node]
        node.call("release")
        node_after.result()
        assert hosts_in(client, acquired=True) == [node_after.name]


def test_a_leader_gives_others_the_time_to_queue(host, client):
    leader = host("m", constants={"LEADER_DELAY": 3})
    leader.queue(leads=["mesos"])
    eventually(lambda: hosts_in(client) == ["m"])
    assert host("lxcc01").acquire()["waited"] < 2
    assert hosts_in(client, acquired=True) == ["lxcc01"]


def test_a_leader_takes_its_turn_if_all_others_have_theirs(host, client):
    leader, follower = host("lxcc01"), host("lxcc02")
    assert leader.acquire(leads=["mesos"])["waited"] < 2
    leader.call("release")
    follower.acquire(limit=2)
    assert leader.acquire(limit=2, leads=["mesos"])["waited"] < 2


def test_a_host_that_asks_later_does_not_interrupt_the_turn_of_a_leader(host, client):
    leader, follower = host("lxcc01"), host("lxcc02")
    leader.acquire(leads=["mesos"])
    queue_in_order(client, follower)
    time.sleep(1)
    assert hosts_in(client, acquired=True) == ["lxcc01"] and leader.call("lost") is False


# --- crashes ---


def test_the_turn_of_a_killed_holder_goes_to_the_next_host(host, client):
    holder, waiting = host("lxb001"), host("lxb002")
    holder.acquire()
    queue_in_order(client, waiting)
    holder.kill()
    assert waiting.result()["waited_for"] == ["lxb001"]
    assert hosts_in(client) == ["lxb002"]


def test_the_next_run_of_a_killed_holder_does_not_wait_for_its_session(host, client):
    killed = host("lxcc01", session_timeout=20)
    killed.acquire()
    killed.kill()
    assert host("lxcc01").acquire()["waited"] < 5


def test_a_killed_host_that_waits_does_not_block_the_queue(host, client):
    holder, killed, waiting = host("lxb001"), host("lxb002"), host("lxb003")
    holder.acquire()
    queue_in_order(client, killed, waiting)
    killed.kill()
    holder.call("release")
    waiting.result()


def test_many_holders_are_killed_and_the_limit_still_applies(host, client, tmp_path):
    nodes = [host(f"lxb{number:03}") for number in range(8)]
    victims = [host(f"victim{number}") for number in range(3)]
    queue_in_order(client, *victims, limit=2)
    for node in nodes:
        node.start("rounds", number=2, limit=2, directory=str(tmp_path))
    for victim in victims:
        victim.result()
        victim.kill()
    assert max(node.result() for node in nodes) <= 2
    eventually(lambda: znodes(client) == [])


def test_a_holder_without_connection_knows_that_its_turn_is_lost(host, proxy, client):
    holder, waiting = host("lxcc01", proxy.address), host("lxcc02")
    holder.acquire()
    queue_in_order(client, waiting)
    proxy.refuses = True
    proxy.cut()
    waiting.result()
    assert holder.call("lost") is True
    proxy.refuses = False
    assert holder.call("lost") is True
    holder.call("release")
    assert hosts_in(client) == ["lxcc02"]


def test_a_turn_survives_a_connection_that_breaks(host, proxy, client):
    holder, waiting = host("lxcc01", proxy.address), host("lxcc02")
    holder.acquire()
    queue_in_order(client, waiting)
    for _ in range(3):
        proxy.cut()
        assert holder.call("lost") is False
    assert hosts_in(client, acquired=True) == ["lxcc01"]
    proxy.cut()
    holder.call("release")
    waiting.result()


def test_a_turn_survives_lost_replies(host, proxy, client):
    holder = host("lxcc01", proxy.address)
    for request in (b"/turns", b"-turn-", b'"acquired": 1'):
        proxy.drop_reply = request
        holder.acquire()
        assert proxy.drop_reply is None and holder.call("lost") is False
        assert hosts_in(client) == ["lxcc01"]
        holder.call("release")
        assert hosts_in(client) == []


def test_a_turn_survives_the_restart_of_zookeeper(host, tmp_path):
    server = zookeeper_server.Server(tmp_path / "server")
    with zookeeper_server.serving([server]):
        options = {"address": server.address, "session_timeout": 40}
        holder, waiting = host("lxcc01", **options), host("lxcc02", **options)
        holder.acquire()
        with _zookeeper_client.Client(server.address) as client:
            queue_in_order(client, waiting)
        server.stop()
        server.start()
        server.wait()
        assert holder.call("lost") is False
        with _zookeeper_client.Client(server.address) as client:
            assert hosts_in(client) == ["lxcc01", "lxcc02"]
            assert hosts_in(client, acquired=True) == ["lxcc01"]
        holder.call("release")
        assert waiting.result()["waited_for"] == ["lxcc01"]


def test_an_operator_can_delete_the_znode_of_a_host(host, client):
    holder, waiting = host("lxcc01"), host("lxcc02")
    holder.acquire()
    queue_in_order(client, waiting)
    directory = "/salt-mesos/turns/agents"
    for name in client.children(directory):
        client.delete(f"{directory}/{name}")
    assert holder.call("lost") is True
    with pytest.raises(TurnFailure, match="^TurnLost: agents: the znode .* was deleted while"):
        waiting.result()


def test_without_zookeeper_there_is_no_turn(host, nobody):
    address = nobody.removeprefix("http://")
    node = host("lxcc01", address)
    with pytest.raises(TurnFailure, match=f"^TurnError: ZooKeeper: {address}: Connection refused"):
        node.acquire()


# --- hosts that are held ---


# --- unready hosts ---


def test_an_unready_host_blocks_others_until_it_is_ready(host, client):
    broken, waiting = host("lxb001"), host("lxb002", constants={"UNREADY_TIMEOUT": 1})
    broken.acquire()
    broken.call("set_unready", reason="restart of docker")
    assert list(waiting.call("unready", turn_class="agents")) == ["lxb001"]
    broken.kill()
    with pytest.raises(
        TurnFailure, match=r"PeerUnready: agents: lxb001 has not been ready since .*dock"
    ):
        eventually(lambda: hosts_in(client) == []) and waiting.acquire()
    assert waiting.call("set_ready", host="lxb001") is True
    assert waiting.acquire()["waited"] < 2
    assert waiting.call("set_ready", host="lxb001") is False


def test_an_unready_host_counts_once_while_it_has_a_turn(host, client):
    unready, waiting = host("lxb001"), host("lxb002")
    unready.acquire(limit=2)
    unready.call("set_unready", reason="restart")
    assert waiting.acquire(limit=2)["waited"] < 2


def test_an_unready_host_goes_before_those_that_it_blocks(host, client):
    broken, waiting = host("lxb001"), host("lxb002")
    broken.acquire()
    broken.call("set_unready", reason="restart")
    broken.call("release")
    queue_in_order(client, waiting)
    assert broken.acquire()["waited"] < 5
    broken.call("set_ready", host="lxb001")
    broken.call("release")
    waiting.result()


def test_a_held_host_gets_no_turn_until_it_is_released(host):
    node, operator = host("lxb001"), host("lxcc01")
    expiry = int(time.time()) + 3600
    assert operator.call("holds") == {}
    operator.call("hold", host="lxb001", reason="disk is replaced", expiry=expiry)
    assert operator.call("holds") == {
        "lxb001": {
            "reason": "disk is replaced",
            "expiry": expiry,
            "since": pytest.approx(time.time(), abs=30),
        }
    }
    with pytest.raises(
        TurnFailure, match="^HostHeld: lxb001 is held until .* UTC: disk is replaced$"
    ):
        node.acquire()
    assert operator.acquire()["waited"] < 2
    operator.call("release")
    assert operator.call("release_hold", host="lxb001") is True
    assert operator.call("release_hold", host="lxb001") is False
    assert node.acquire()["waited"] < 2


def test_a_host_that_is_held_while_it_waits_gets_no_turn(host, client):
    holder, waiting = host("lxcc01"), host("lxb001")
    holder.acquire()
    queue_in_order(client, waiting)
    holder.call("hold", host="lxb001", reason="drained", expiry=time.time() + 3600)
    holder.call("release")
    with pytest.raises(TurnFailure, match="^HostHeld: lxb001 is held"):
        waiting.result()
    assert hosts_in(client) == []


def test_a_hold_can_be_prolonged_and_expires(host):
    node = host("lxb001")
    node.call("hold", host="lxb001", reason="a", expiry=time.time() + 3600)
    node.call("hold", host="lxb001", reason="b", expiry=time.time() + 2)
    assert node.call("holds")["lxb001"]["reason"] == "b"
    eventually(lambda: node.call("holds") == {})
    assert node.acquire()["waited"] < 2
    assert node.call("release_hold", host="lxb001") is False


def test_a_hold_outlives_the_process_that_created_it(host):
    operator, node = host("lxcc01"), host("lxb001")
    operator.call("hold", host="lxb001", reason="drained", expiry=time.time() + 3600)
    operator.kill()
    time.sleep(5)
    assert list(node.call("holds")) == ["lxb001"]


def test_a_hold_written_by_hand_counts(host, client):
    client.ensure_path("/salt-mesos/held")
    client.create("/salt-mesos/held/lxb001", b"ask Ms Miller\n")
    with pytest.raises(
        TurnFailure, match="^HostHeld: lxb001 is held until it is released: ask Ms Miller$"
    ):
        host("lxb001").acquire()


# --- access and arguments ---


def test_znodes_with_an_acl_are_closed_to_everyone_else(host, client):
    acl = [_zookeeper_client.digest_acl("salt", SECRET)]
    member = host("lxcc01", login=["salt", SECRET], acl=acl)
    member.acquire()
    member.call("hold", host="lxb001", reason="drained", expiry=time.time() + 3600)
    for path in ("/salt-mesos/turns/agents", "/salt-mesos/held/lxb001"):
        with pytest.raises(_zookeeper_client.NoAuth):
            client.get(path)
    with pytest.raises(TurnFailure, match="^TurnError: ZooKeeper: /salt-mesos/.*: access denied"):
        host("lxcc02").acquire()
    member.call("release")
    assert host("lxcc03", login=["salt", SECRET], acl=acl).acquire()["waited"] < 2


@pytest.mark.parametrize(
    "method, arguments, message",
    [
        ("acquire", {"turn_class": "a/b"}, "class: 'a/b' is not a class of nodes"),
        ("acquire", {"limit": 0}, "limit: 0 is not a number of hosts from 1"),
        ("acquire", {"limit": "1"}, "limit: '1' is not a number of hosts from 1"),
        ("holders", {"turn_class": ""}, "class: '' is not a class of nodes"),
        ("hold", {"expiry": 5}, "expiry: 5 is not a time in the future, in Unix seconds"),
        ("hold", {"expiry": "1h"}, "expiry: '1h' is not a time in the future"),
        ("hold", {"host": "a/b"}, "host: 'a/b' is not a minion id"),
        ("release_hold", {"host": ".."}, "host: '..' is not a minion id"),
    ],
)
def test_an_invalid_argument_is_an_error(host, method, arguments, message):
    valid = {
        "acquire": {"turn_class": "agents", "limit": 1, "reason": "a", "timeout": 1},
        "holders": {},
        "hold": {"host": "lxb001", "reason": "a", "expiry": time.time() + 60},
        "release_hold": {},
    }
    node = host("lxcc01", python=saltenv.machine_env("3008"))
    node.call("hold", **valid["hold"])
    with pytest.raises(TurnFailure) as caught:
        node.call(method, **{**valid[method], **arguments})
    assert str(caught.value).startswith(f"SaltInvocationError: {message}")


def test_invalid_servers_are_an_error(zookeeper, host):
    host("lxcc01").acquire()
    with pytest.raises(TurnFailure, match="^SaltInvocationError: hosts: 'a:x' is not a server"):
        host("lxcc02", "a:x").acquire()
