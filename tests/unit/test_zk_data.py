"""zk.data_stays, zk.may_join and zk.path_stays, run by the real Salt."""

import contextlib
import random
import threading
import time
from pathlib import Path

import pytest
from zookeeper_server import SERVES

# Both lines apply every state in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

NOT_SERVING = b"This ZooKeeper instance is not currently serving requests\n"
DOWN, LOOKING = "down", "looking"


class Host:
    """
    The host of one server, with its files, and the other servers of an ensemble.

    Server N is at 127.0.0.N. ``modes`` has the modes of all servers in the order of their ids.
    """

    def __init__(self, salt, raw, directory: Path):
        self.salt, self._raw = salt, raw
        self.data, self.log = directory / "data", directory / "log"
        self.config = directory / "zoo.cfg"
        self.record = directory / "salt-record"
        self.running = {}
        self.port = None

    def ensemble(self, *modes: str) -> "Host":
        self.servers = {str(number): f"127.0.0.{number}" for number in range(1, len(modes) + 1)}
        while True:
            self.port = random.randint(20000, 30000)  # Outside of the kernel's range.
            with contextlib.suppress(OSError):
                for number, mode in enumerate(modes, 1):
                    self.set_mode(number, mode)
                return self

    def set_mode(self, number: int, mode: str) -> None:
        """Start or stop a server, or let it respond with another mode."""
        if number in self.running:
            self.running.pop(number).stop()
        if mode != DOWN:
            answer = NOT_SERVING if mode == LOOKING else SERVES % mode.encode()
            address = f"127.0.0.{number}"
            self.running[number] = self._raw(
                lambda heard: answer if heard == b"srvr" else b"", address, self.port
            )

    def stop_after_answer(self, number: int) -> None:
        """Stop a server when it has responded once more."""
        server = self.running[number]
        answer = server.says

        def respond(heard):
            if heard == b"srvr":
                server.stop()
            return answer(heard)

        server.says = respond

    def later(self, seconds: float, number: int, mode: str) -> None:
        """Change the mode of a server while a state waits."""
        timer = threading.Timer(seconds, self.set_mode, (number, mode))
        timer.daemon = True
        timer.start()

    def write_config(self, addresses: dict, **options) -> None:
        lines = [f"{name}={value}" for name, value in options.items()]
        lines += [f"server.{number}={host}:2888:3888" for number, host in addresses.items()]
        self.config.write_text("# Managed by Salt\n" + "\n".join(lines) + "\n")

    def start(self, *names: str, directory: Path | None = None) -> None:
        """Put files below version-2, and the record of a start."""
        database = (directory or self.data) / "version-2"
        database.mkdir(parents=True)
        for name in names:
            (database / name).write_text("x")
        self.record.write_text("")

    def data_stays(self, test=False, **arguments):
        arguments = {"timeout": 0, **arguments}
        if self.port:
            arguments = {"servers": self.servers, "port": self.port, **arguments}
        return self.salt(
            "zk.data_stays",
            test,
            name=str(self.data),
            config=str(self.config),
            record=str(self.record),
            **arguments,
        )

    def may_join(self, test=False, **arguments):
        arguments = {"timeout": 0, "settle": 0, **arguments}
        if self.port:
            arguments = {"servers": self.servers, "port": self.port, **arguments}
        return self.salt(
            "zk.may_join", test, name=str(self.data), config=str(self.config), **arguments
        )


@pytest.fixture
def host(salt, raw, tmp_path):
    return Host(salt, raw, tmp_path)


def passes(answer) -> str:
    assert (answer["result"], answer["changes"]) == (True, {}), answer
    return answer["comment"]


def fails(answer) -> str:
    assert (answer["result"], answer["changes"]) == (False, {}), answer
    return answer["comment"]


# --- data_stays ---


def test_a_new_host_has_no_data_to_lose(host):
    assert "No server was started" in passes(host.data_stays(myid=2))
    # The zoo.cfg of the package.
    host.write_config({}, dataDir="/var/lib/zookeeper")
    passes(host.data_stays(myid=2))


def test_a_first_installation_that_was_interrupted_continues(host):
    host.write_config({1: "127.0.0.1", 2: "127.0.0.2"})
    host.data.mkdir()
    (host.data / "myid").write_text("2")
    passes(host.data_stays(myid=2))


@pytest.mark.parametrize("names", [["currentEpoch"], ["snapshot.0"], ["log.1", "snapshot.c"]])
def test_a_server_that_was_started_has_its_data(host, names):
    host.start(*names)
    assert passes(host.data_stays(myid=2)) == "This server has its data"


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("exists", [True, False])
def test_a_missing_disk_is_refused_by_name(host, test, exists):
    host.start("log.1")
    host.data.rename(host.data.with_name("unmounted"))
    if exists:
        host.data.mkdir()
    comment = fails(host.data_stays(test, myid=2))
    assert comment == (
        f"Server 2 has run on unit before, but {host.data} has none of its data. Is its disk "
        "mounted? Nothing was changed. Mount it and apply the states again. If the data is lost "
        "for good, add 2 to pillar zookeeper:data_lost."
    )
    if exists:
        host.data.rmdir()
    host.data.with_name("unmounted").rename(host.data)
    passes(host.data_stays(test, myid=2))


def test_an_emptied_directory_with_myid_is_refused(host):
    host.start()
    (host.data / "myid").write_text("2")
    assert "mounted?" in fails(host.data_stays(myid=2))


def test_without_a_record_the_servers_in_zoo_cfg_are_evidence(host):
    host.write_config({1: "127.0.0.1", 2: "127.0.0.2"})
    assert "mounted?" in fails(host.data_stays(myid=2))


def test_a_single_server_is_protected_as_well(host):
    host.record.write_text("")
    assert fails(host.data_stays()).startswith("Server 1 has run on unit before")
    assert "It starts empty" in passes(host.data_stays(data_lost=[1]))


def test_the_disk_of_the_log_is_protected_as_well(host):
    host.start("snapshot.c")
    comment = fails(host.data_stays(myid=2, data_log_dir=str(host.log)))
    assert f"{host.log} has none of its data" in comment
    host.start(directory=host.log)
    passes(host.data_stays(myid=2, data_log_dir=str(host.log)))


def test_another_directory_in_pillar_is_refused_with_the_old_one(host):
    host.record.write_text("")
    host.write_config({}, dataDir="/old")
    comment = fails(host.data_stays(myid=2))
    assert "had its data in /old: stop zookeeper, move all of it" in comment
    host.start("snapshot.c")
    comment = fails(host.data_stays(myid=2, data_log_dir=str(host.log)))
    assert f"move the files log.* from /old/version-2 to {host.log}/version-2" in comment


def test_lost_data_is_copied_from_a_quorum_of_the_others(host):
    host.record.write_text("")
    host.ensemble("leader", DOWN, "follower")
    assert "copies the data of the others" in passes(host.data_stays(myid=2, data_lost=[2]))
    assert "mounted?" in fails(host.data_stays(myid=2, data_lost=[3]))


@pytest.mark.parametrize(
    "modes",
    [
        ("leader", DOWN, DOWN),
        (LOOKING, DOWN, LOOKING),
        ("standalone", DOWN, DOWN),
        ("follower", DOWN, "follower"),
        (DOWN, DOWN, DOWN),
    ],
    ids=str,
)
def test_lost_data_needs_a_quorum_of_the_others(host, modes):
    host.record.write_text("")
    host.ensemble(*modes)
    comment = fails(host.data_stays(myid=2, data_lost=["2"]))
    assert "a quorum without server 2, which lost its data" in comment
    assert host.data_stays(True, myid=2, data_lost=["2"])["result"] is None


# --- may_join ---


@pytest.mark.parametrize(
    "modes, myid, comment",
    [
        ((DOWN,), 1, "This server may start"),
        (("leader", "follower", DOWN), 3, "A quorum serves"),
        (("leader", "follower", "follower", DOWN, DOWN), 5, "A quorum serves"),
        # 1 -> 3 and 1 -> 5: those that server 1 needs for a quorum.
        (("standalone", DOWN, DOWN), 2, "Server 1 has the data, and joins when this server"),
        ((DOWN, DOWN, "standalone"), 1, "Server 3 has the data, and joins when this server"),
        (("standalone", LOOKING, DOWN, DOWN, DOWN), 3, "Server 1 has the data, and joins"),
        # The first servers of an installation, and 1 -> 3 after server 1 has the new list.
        ((DOWN, DOWN, DOWN), 1, "starts empty"),
        ((LOOKING, DOWN, DOWN), 2, "starts empty"),
        ((LOOKING, LOOKING, DOWN), 3, "All others are waiting"),
        ((DOWN, DOWN, LOOKING), 1, "starts empty"),
        # It was started already.
        ((LOOKING, DOWN, DOWN), 1, "Server 1 is running"),
        (("follower", "leader", DOWN), 1, "Server 1 is running"),
    ],
    ids=str,
)
def test_a_server_without_data_starts(host, modes, myid, comment):
    assert comment in passes(host.ensemble(*modes).may_join(myid=myid))


@pytest.mark.parametrize(
    "modes, myid, comment",
    [
        # 1 -> 3: server 1 does not have the new list, and 2 and 3 would be a quorum.
        (("standalone", DOWN, DOWN), 3, "runs alone. Apply the states to it and to 2, so that"),
        (("standalone", LOOKING, DOWN), 3, "Server 1 has the data and runs alone"),
        (("standalone", LOOKING, LOOKING, DOWN, DOWN), 4, "Server 1 has the data and runs alone"),
        (("standalone", "standalone", DOWN), 3, "Server 1, 2 has the data and runs alone"),
        # 3 -> 5 while one of the three is off: two new ones and one that lags would be a majority.
        (("leader", "follower", DOWN, DOWN, DOWN), 4, "2 of 5 servers serve"),
        (("follower", "follower", "follower", DOWN, DOWN), 4, "3 of 5 servers serve"),
    ],
    ids=str,
)
def test_a_server_without_data_waits(host, modes, myid, comment):
    host.ensemble(*modes)
    assert comment in fails(host.may_join(myid=myid))
    assert host.may_join(True, myid=myid)["result"] is None


def test_an_observer_without_data_starts(host):
    host.ensemble("standalone", DOWN, DOWN, DOWN)
    assert "does not vote" in passes(host.may_join(myid=4, observers=[4]))


def test_the_second_empty_server_waits_until_the_first_had_time_to_join(host):
    host.ensemble(LOOKING, DOWN, DOWN)
    start = time.monotonic()
    passes(host.may_join(myid=2, settle=2, timeout=30))
    assert time.monotonic() - start >= 2
    start = time.monotonic()
    passes(host.may_join(myid=3, settle=2, timeout=30))
    assert time.monotonic() - start >= 4


def test_the_first_of_several_servers_does_not_wait(host):
    host.ensemble(DOWN, DOWN, DOWN)
    passes(host.may_join(myid=1, settle=3600, timeout=10))
    fails(host.may_join(myid=2, settle=3600))


def test_a_server_that_runs_alone_is_awaited_while_it_restarts(host):
    host.ensemble("standalone", DOWN, DOWN)
    host.later(1, 1, DOWN)
    start = time.monotonic()
    host.later(4, 1, LOOKING)
    assert "starts empty" in passes(host.may_join(myid=3, settle=0, timeout=30))
    assert time.monotonic() - start >= 4


def test_a_server_that_runs_alone_and_ends_stops_the_growth(host):
    host.ensemble("standalone", DOWN, DOWN)
    host.stop_after_answer(1)
    comment = fails(host.may_join(myid=3, settle=0, timeout=4))
    assert comment.startswith("Waited 4 seconds for server 3 to be allowed to start")
    assert "With data, but no longer running: 1" in comment


def test_a_member_with_data_asks_nobody(host):
    host.start("log.1")
    host.ensemble(DOWN, DOWN, DOWN)
    host.write_config(host.servers)
    passes(host.may_join(myid=2))


def test_a_server_that_was_alone_brings_its_data(host):
    host.start("log.1")
    host.ensemble("standalone", LOOKING, DOWN)
    assert "joins with its data" in passes(host.may_join(myid=1))
    host.ensemble("standalone", DOWN, LOOKING)
    passes(host.may_join(myid=1))
    host.ensemble(DOWN, DOWN, DOWN)
    passes(host.may_join(myid=1))


@pytest.mark.parametrize(
    "modes, missing",
    [
        (("standalone", DOWN, DOWN), "2"),
        (("standalone", "standalone", DOWN), "2"),
        (("standalone", LOOKING, DOWN, DOWN, DOWN), "3"),
    ],
    ids=str,
)
def test_a_server_that_serves_alone_does_not_wait_for_a_quorum_with_the_new_list(
    host, modes, missing
):
    host.start("log.1")
    host.ensemble(*modes)
    comment = fails(host.may_join(myid=1))
    assert "Server 1 serves alone. With the new list it would wait for a quorum" in comment
    assert f"apply the states to {missing} as well" in comment
    assert host.may_join(True, myid=1)["result"] is None


def test_a_server_with_data_does_not_join_others_that_serve_without_it(host):
    host.start("log.1")
    host.ensemble("standalone", "leader", "follower")
    comment = fails(host.may_join(myid=1))
    assert "The other servers already serve, and server 1 on unit would lose its data" in comment


def test_a_server_without_transactions_joins_others_that_serve(host):
    host.start("snapshot.0")
    host.ensemble("standalone", "leader", "follower")
    passes(host.may_join(myid=1))


@pytest.mark.parametrize("servers", [{}, {"1": "127.0.0.1"}], ids=["none", "one"])
def test_a_server_runs_alone_when_one_of_the_two_others_has_stopped(host, servers):
    host.start("log.1")
    host.ensemble("follower", "leader", "follower")
    host.write_config(host.servers)
    comment = fails(host.may_join(myid=1, servers=servers))
    assert (
        "Servers 2, 3 were removed from zookeeper:servers and are still running. Apply the states "
        "there, or stop all but one of them for good"
    ) in comment
    host.set_mode(3, DOWN)
    assert "Server 2 stops when server 1 runs alone" in passes(
        host.may_join(myid=1, servers=servers)
    )
    host.set_mode(1, LOOKING)
    assert "This server is not in a quorum with it" in fails(host.may_join(myid=1, servers=servers))
    host.set_mode(2, DOWN)
    passes(host.may_join(myid=1, servers=servers))


def test_a_server_that_moved_has_to_be_stopped_at_its_old_address(host):
    host.start("log.1")
    host.ensemble("follower", "leader", "follower")
    host.write_config(host.servers)
    servers = {**host.servers, "3": "127.0.0.4"}
    comment = fails(host.may_join(myid=1, servers=servers))
    assert "Server 3 was removed from zookeeper:servers and is still running. Stop it" in comment
    host.later(1, 3, DOWN)
    passes(host.may_join(myid=1, servers=servers, timeout=20))


def test_a_name_instead_of_an_address_is_the_same_server(host):
    host.start("log.1")
    host.ensemble("leader", "follower")
    host.write_config({1: "localhost", 2: "127.0.0.2"})
    passes(host.may_join(myid=2))


@pytest.mark.parametrize("function", ["data_stays", "may_join"])
def test_invalid_arguments_fail_in_one_sentence(host, function):
    host.record.write_text("")
    apply = getattr(host, function)
    options = {"data_lost": [3]} if function == "data_stays" else {}
    servers = {"1": "127.0.0.1", "2": "127.0.0.2"}
    comment = fails(apply(servers=servers, myid=3, **options))
    assert comment == "myid: 3 is not one of the servers 1, 2"


# --- path_stays ---


def path_stays(salt, path, *files, test=False, **arguments):
    return salt("zk.path_stays", test, name="mesos:zk", path=path, files=list(files), **arguments)


@pytest.mark.parametrize(
    "content",
    [
        "zk://10.0.0.1:2181/mesos\n",
        "zk://user:pass@10.0.0.1:2181,10.0.0.2:2181/mesos",
        "/mesos\n",
        "# Managed by Salt\nMARATHON_MASTER=zk://h:1/other\nMARATHON_ZK=zk://10.0.0.1:2181/mesos\n",
        "export MARATHON_ZK='zk://10.0.0.1:2181/mesos'\n",
    ],
    ids=["url", "with a password", "path", "variable", "quoted"],
)
def test_hosts_may_change_and_the_path_may_not(salt, tmp_path, content):
    file, drop_in = tmp_path / "zk", tmp_path / "salt.conf"
    file.write_text(content)
    options = {"variable": "MARATHON_ZK", "configured_by": [str(drop_in)]}
    passes(path_stays(salt, "/new", str(file), **options))  # The file is the package's.
    drop_in.write_text("")
    for test in (True, False):
        passes(path_stays(salt, "/mesos", str(file), test=test, **options))
        comment = fails(path_stays(salt, "/new", str(file), test=test, **options))
        assert comment == (
            "mesos:zk on unit: the path in ZooKeeper is /mesos, but pillar says /new. That would "
            "start a new, empty cluster; nothing was changed. If you want one, stop the service on "
            f"all nodes, remove {drop_in}, and apply the states again."
        )


def test_a_path_that_no_file_has_is_the_default(salt, tmp_path):
    drop_in = tmp_path / "salt.conf"
    drop_in.write_text("")
    options = {"configured_by": [str(drop_in)]}
    missing = str(tmp_path / "missing")
    passes(path_stays(salt, "/new", missing, **options))
    passes(path_stays(salt, "/a", missing, default="/a", **options))
    fails(path_stays(salt, "/new", missing, default="/a", **options))


def test_the_first_file_with_a_path_counts(salt, tmp_path):
    environment, secrets = tmp_path / "environment", tmp_path / "secrets"
    environment.write_text("JAVA_OPTS=-Xmx1g\n")
    secrets.write_text("MARATHON_ZK=zk://u:p@h:1/marathon\n")
    options = {"variable": "MARATHON_ZK", "configured_by": [str(secrets)]}
    files = (str(tmp_path / "missing"), str(environment), str(secrets))
    passes(path_stays(salt, "/marathon", *files, **options))
    fails(path_stays(salt, "/other", *files, **options))
