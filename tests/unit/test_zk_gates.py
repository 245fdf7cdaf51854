"""zk.ensemble and zk.ensemble_available, run by the real Salt against servers that answer srvr."""

import contextlib
import random
import time

import pytest

# Both lines apply every state in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

# The response of ZooKeeper 3.4.6.
SERVES = b"""Zookeeper version: 3.4.6-1569965, built on 02/20/2014 09:09 GMT
Latency min/avg/max: 0/1/25
Received: 113
Sent: 112
Connections: 3
Outstanding: 0
Zxid: 0x100000012
Mode: %s
Node count: 17
"""
NOT_SERVING = b"This ZooKeeper instance is not currently serving requests\n"
NOT_ALLOWED = b"srvr is not executed because it is not in the whitelist.\n"
DOWN = "down"  # Nobody listens.


class Ensemble:
    """Servers 1, 2, ... at 127.0.0.1, 127.0.0.2, ... on one port."""

    def __init__(self, raw, says):
        self.raw, self.says, self.running = raw, says, {}
        self.servers = {str(number): f"127.0.0.{number}" for number in range(1, len(says) + 1)}
        while True:
            self.port = random.randint(20000, 30000)  # Outside of the kernel's range.
            with contextlib.suppress(OSError):
                for number, response in enumerate(says, 1):
                    self.start(number, response)
                return

    def start(self, number, response):
        answer = SERVES % response.encode() if isinstance(response, str) else response
        if response != DOWN:
            self.running[number] = self.raw(
                lambda heard: answer if heard == b"srvr" else b"", f"127.0.0.{number}", self.port
            )

    def available(self, salt, test=False, **arguments):
        return salt(
            "zk.ensemble_available",
            test,
            **{"servers": self.servers, "port": self.port, "timeout": 0, **arguments},
        )


@pytest.fixture
def start_ensemble(raw):
    return lambda *says: Ensemble(raw, says)


def test_the_mode_or_the_error_of_every_server_is_shown(salt, start_ensemble):
    ensemble = start_ensemble(
        "leader",
        "follower",
        "observer",
        "standalone",
        NOT_SERVING,
        NOT_ALLOWED,
        "read-only",
        DOWN,
        b"",
        None,
    )
    assert salt.call("zk.ensemble", servers=ensemble.servers, port=ensemble.port, timeout=2) == {
        "1": {"address": "127.0.0.1", "mode": "leader", "error": None},
        "2": {"address": "127.0.0.2", "mode": "follower", "error": None},
        "3": {"address": "127.0.0.3", "mode": "observer", "error": None},
        "4": {"address": "127.0.0.4", "mode": "standalone", "error": None},
        "5": {"address": "127.0.0.5", "mode": "not serving", "error": NOT_SERVING.decode().strip()},
        "6": {"address": "127.0.0.6", "mode": "not serving", "error": NOT_ALLOWED.decode().strip()},
        "7": {"address": "127.0.0.7", "mode": "not serving", "error": "Mode: read-only"},
        "8": {"address": "127.0.0.8", "mode": "unreachable", "error": "Connection refused"},
        "9": {
            "address": "127.0.0.9",
            "mode": "unreachable",
            "error": "closed the connection without a response",
        },
        "10": {
            "address": "127.0.0.10",
            "mode": "unreachable",
            "error": "no response within 2 seconds",
        },
    }


def test_the_servers_are_those_in_pillar_or_the_local_one(salt, start_ensemble):
    ensemble = start_ensemble("leader", "follower")
    pillar = {"zookeeper": {"servers": ensemble.servers, "client_port": ensemble.port}}
    assert [status["mode"] for status in salt.call("zk.ensemble", pillar=pillar).values()] == [
        "leader",
        "follower",
    ]
    alone = {"1": {"address": "127.0.0.1", "mode": "leader", "error": None}}
    assert (
        salt.call(
            "zk.ensemble", pillar={"zookeeper": {"servers": {}, "client_port": ensemble.port}}
        )
        == alone
    )
    assert salt.call("zk.ensemble", port=ensemble.port) == alone


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"servers": ["127.0.0.1"]}, "servers: should be addresses by id"),
        ({"servers": {"0": "127.0.0.1"}}, "servers: '0' is not an id"),
        ({"servers": {"256": "127.0.0.1"}}, "servers: '256' is not an id"),
        ({"servers": {"1": None}}, "servers: 1: None is not an address"),
        ({"port": "2181"}, "port: '2181' is not a port"),
        ({"port": 70000}, "port: 70000 is not a port"),
        ({"timeout": 0}, "timeout: 0 is not a number of seconds"),
    ],
    ids=str,
)
def test_invalid_arguments_are_rejected_in_one_sentence(salt, arguments, expected):
    with pytest.raises(salt.Error) as caught:
        salt.call("zk.ensemble", **arguments)
    assert str(caught.value).startswith(f"SaltInvocationError: {expected}")


@pytest.mark.parametrize(
    "says, observers",
    [
        (("leader", "follower", "follower"), []),
        (("follower", "leader", DOWN), []),
        (("follower", "leader", NOT_SERVING), []),
        (("follower", "leader", "follower", "observer"), [4]),
        (("follower", "leader", "follower", DOWN, DOWN), [4, 5]),
        (("leader", DOWN), ["2"]),
        (("standalone",), []),
        (("leader",), []),
    ],
    ids=str,
)
def test_an_ensemble_with_one_leader_and_a_majority_of_voters_is_ready(
    salt, start_ensemble, says, observers
):
    ensemble = start_ensemble(*says)
    for test in (True, False):
        answer = ensemble.available(salt, test, observers=observers, timeout=10)
        assert (answer["result"], answer["changes"]) == (True, {}), answer


@pytest.mark.parametrize(
    "says, observers",
    [
        (("leader", DOWN, DOWN), []),
        (("follower", "follower", "follower"), []),
        (("leader", "leader", "follower"), []),
        (("leader", NOT_SERVING, NOT_SERVING), []),
        (("standalone", "standalone", "standalone"), []),
        (("standalone", "follower", "follower"), []),
        (("leader", DOWN, DOWN, "observer", "observer"), [4, 5]),
        (("leader", "follower", DOWN, DOWN), []),
        ((DOWN,), []),
    ],
    ids=str,
)
def test_an_ensemble_without_one_leader_or_a_majority_is_not_ready(
    salt, start_ensemble, says, observers
):
    ensemble = start_ensemble(*says)
    answer = ensemble.available(salt, observers=observers)
    assert (answer["result"], answer["changes"]) == (False, {}), answer
    assert ensemble.available(salt, True, observers=observers)["result"] is None


@pytest.mark.parametrize(
    "says, myid",
    [
        ((NOT_SERVING, DOWN, DOWN), 1),  # The first of three during the installation.
        (("follower", "leader", DOWN), 1),
        (("follower", "leader", DOWN), 2),
        ((NOT_SERVING, DOWN, DOWN, DOWN, NOT_SERVING), 5),
        (("leader", "follower", "follower"), "3"),
        ((NOT_SERVING, NOT_SERVING, DOWN, DOWN), 2),
        (("standalone",), 1),
        (("standalone", NOT_SERVING, DOWN), 2),  # Server 1 has not read the list of servers.
    ],
    ids=str,
)
def test_a_server_is_ready_if_it_serves_or_too_few_voters_respond(salt, start_ensemble, says, myid):
    answer = start_ensemble(*says).available(salt, myid=myid, timeout=10)
    assert (answer["result"], answer["changes"]) == (True, {}), answer


@pytest.mark.parametrize(
    "says, myid",
    [
        ((NOT_SERVING, NOT_SERVING, DOWN), 1),
        (("leader", "follower", NOT_SERVING), 3),
        (("leader", "follower", DOWN), 3),
        ((DOWN, DOWN, DOWN), 2),
        (("standalone", "leader", "follower"), 1),  # It has not read the list of servers.
        ((NOT_SERVING,), 1),
    ],
    ids=str,
)
def test_a_server_is_not_ready_if_it_is_down_or_not_part_of_the_majority(
    salt, start_ensemble, says, myid
):
    answer = start_ensemble(*says).available(salt, myid=myid)
    assert (answer["result"], answer["changes"]) == (False, {}), answer


def test_an_observer_waits_for_the_voters(salt, start_ensemble):
    says = (NOT_SERVING, NOT_SERVING, DOWN, NOT_SERVING)
    assert start_ensemble(*says).available(salt, observers=[4], myid=4)["result"] is False
    assert (
        start_ensemble(NOT_SERVING, DOWN, DOWN, NOT_SERVING).available(
            salt, observers=[4], myid=4, timeout=10
        )["result"]
        is True
    )
    assert (
        start_ensemble("leader", "follower", DOWN, "observer").available(
            salt, observers=[4], myid=4, timeout=10
        )["result"]
        is True
    )


def test_the_wait_ends_as_soon_as_the_servers_serve(salt, start_ensemble):
    ensemble = start_ensemble("follower", NOT_SERVING, DOWN)
    answers = iter([NOT_SERVING])
    ensemble.running[2].says = lambda _heard: next(answers, SERVES % b"leader")
    assert ensemble.available(salt, timeout=10)["result"] is True
    assert len(ensemble.running[2].heard) == 2


def test_a_single_check_allows_more_than_a_second(salt, start_ensemble):
    ensemble = start_ensemble("leader")
    ensemble.running[1].says = lambda _heard: time.sleep(1.3) or SERVES % b"leader"
    assert ensemble.available(salt, timeout=0)["result"] is True


def test_the_comment_has_the_last_status_of_each_server(salt, start_ensemble):
    ensemble = start_ensemble("follower", NOT_SERVING, DOWN)
    assert ensemble.available(salt, timeout=1)["comment"].splitlines() == [
        "Waited 1 second for a leader and a majority of the ensemble:",
        "  1 127.0.0.1: follower",
        "  2 127.0.0.2: not serving (This ZooKeeper instance is not currently serving requests)",
        "  3 127.0.0.3: unreachable (Connection refused)",
    ]
    assert (
        ensemble.available(salt, True, myid=2)["comment"].splitlines()[0]
        == "Would wait for server 2 to serve:"
    )
    passed = start_ensemble(NOT_SERVING, DOWN, DOWN).available(salt, myid=1)["comment"]
    assert (
        passed.splitlines()[0] == "Server 1 responds. Responding voters: 1 of 3, too few to serve"
    )


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"servers": ["127.0.0.1"]}, "servers: should be addresses by id"),
        ({"servers": {}}, "servers: should be addresses by id"),
        ({"servers": None}, "servers: should be addresses by id"),
        ({"servers": {"a": "127.0.0.1"}}, "servers: 'a' is not an id"),
        ({"servers": {"1": ["127.0.0.1"]}}, "servers: 1: ['127.0.0.1'] is not an address"),
        ({"servers": {"1": "127.0.0.1"}, "myid": 2}, "myid: 2 is not one of the servers 1"),
        (
            {"servers": {"1": "127.0.0.1"}, "observers": [2]},
            "observers: should be a list of ids out of 1",
        ),
        (
            {"servers": {"1": "127.0.0.1"}, "observers": 1},
            "observers: should be a list of ids out of 1",
        ),
        ({"servers": {"1": "127.0.0.1"}, "observers": [1]}, "observers: no server would vote"),
        ({"servers": {"1": "127.0.0.1"}, "timeout": -1}, "timeout: -1 is not a number of seconds"),
        (
            {"servers": {"1": "127.0.0.1"}, "timeout": float("inf")},
            "timeout: inf is not a number of seconds",
        ),
        ({"servers": {"1": "127.0.0.1"}, "port": 0}, "port: 0 is not a port"),
    ],
    ids=str,
)
@pytest.mark.parametrize("test", [True, False])
def test_invalid_arguments_of_the_state_fail_at_once(salt, test, arguments, expected):
    answer = salt("zk.ensemble_available", test, **{"timeout": 3600, **arguments})
    assert (answer["result"], answer["changes"]) == (False, {}), answer
    assert answer["comment"].startswith(expected) and "\n" not in answer["comment"]
