"""mesos.quorums and mesos.master_log_stays, run by the real Salt against fake masters."""

import pytest

from lab.fakes.mesos.master import Master
from lab.fakes.wire.election import MemoryRoom

# Both lines apply every state in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

# Nobody listens.
DOWN = "http://127.0.0.1:9"
SECTION = "docs/operate.md, Grow from one control node to three"


class Host:
    """The host of a master, with its files, and the other masters."""

    def __init__(self, salt, running, raw, directory):
        self.salt, self._running, self._raw = salt, running, raw
        self.work_dir = directory / "work"
        self.record = directory / "master-record"
        self.flags = directory / "mesos-master"
        self._directory = directory
        self._room = MemoryRoom()
        self.urls = []

    def master(self, quorum: int) -> str:
        """Start a master without peers, and return its URL."""
        number = len(self.urls)
        arguments = (
            "--ip=127.0.0.1",
            "--port=0",
            "--hostname=127.0.0.1",
            f"--quorum={quorum}",
            "--zk=zk://127.0.0.1/mesos",
            f"--work_dir={self._directory / str(number)}",
        )
        master = self._running(Master([*arguments], None, "1.11.0", self._room))
        self.urls.append(master.url)
        return master.url

    def recovered_master(self, recovered: int) -> None:
        """Start a server that is healthy, and tells whether its log has recovered."""
        body = b'{"registrar/log/recovered": %d}' % recovered
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.urls.append(self._raw(head % len(body) + body).url)

    def begin_log(self, quorum: int) -> None:
        """Write the files of a master that was started with this quorum."""
        (self.work_dir / "replicated_log").mkdir(parents=True)
        (self.work_dir / "replicated_log" / "LOCK").write_text("")
        self.record.write_text("")
        self.flags.mkdir()
        (self.flags / "quorum").write_text(f"{quorum}\n")

    def log_stays(self, test=False, quorum=2, **arguments):
        return self.salt(
            "mesos.master_log_stays",
            test,
            name=str(self.work_dir),
            record=str(self.record),
            quorum=quorum,
            url=self.urls or [DOWN],
            **{"timeout": 0, **arguments},
        )


@pytest.fixture
def host(salt, running, raw, tmp_path):
    return Host(salt, running, raw, tmp_path)


def passes(answer) -> str:
    assert (answer["result"], answer["changes"]) == (True, {}), answer
    return answer["comment"]


def fails(answer) -> str:
    assert (answer["result"], answer["changes"]) == (False, {}), answer
    return answer["comment"]


def test_the_quorum_of_each_master_is_shown(host, salt):
    quorums = {host.master(2): 2, host.master(3): 3, DOWN: None}
    assert salt.call("mesos.quorums", url=list(quorums), retries=0) == quorums


def test_a_master_that_tells_no_quorum_has_none(raw, salt):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    for body in (b"{}", b"[]"):
        url = raw(head + body).url
        assert salt.call("mesos.quorums", url=url, retries=0) == {url: None}


def test_a_new_master_begins_a_log_if_no_master_has_a_lower_quorum(host):
    assert "No master runs with a quorum below 2" in passes(host.log_stays())
    host.master(2)
    passes(host.log_stays())


def test_a_new_master_waits_for_masters_with_a_lower_quorum(host):
    url = host.master(2)
    comment = fails(host.log_stays(quorum=3))
    assert f"have a quorum below 3: {url} with 2" in comment
    assert host.log_stays(True, quorum=3)["result"] is None


@pytest.mark.parametrize("test", [True, False])
def test_a_new_master_is_refused_at_once_beside_one_with_a_quorum_of_1(host, test):
    url = host.master(1)
    comment = fails(host.log_stays(test, timeout=3600))
    assert f"{url} runs with a quorum of 1, and the master on unit would start with 2" in comment
    assert SECTION in comment


def test_a_master_that_has_its_log_keeps_its_quorum(host):
    host.begin_log(2)
    url = host.master(2)
    for arguments in ({}, {"member": url}, {"member": DOWN, "flags": str(host.flags)}):
        assert passes(host.log_stays(**arguments)) == "This master has its log"
    # Nothing tells its quorum.
    assert passes(host.log_stays(member=DOWN, flags="/nowhere")) == "This master has its log"


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("runs", [True, False])
def test_a_master_that_is_alone_does_not_become_one_of_several(host, test, runs):
    """A restart with the higher quorum would leave the cluster without a leader for good."""
    # A run that was interrupted may have written the flag: what the master runs with counts.
    host.begin_log(2 if runs else 1)
    member = host.master(1) if runs else DOWN
    comment = fails(host.log_stays(test, member=member, flags=str(host.flags), timeout=3600))
    assert comment.startswith("The master on unit has a quorum of 1, and would get 2. No master")
    assert SECTION in comment and "recovered their log: " in comment


def test_a_master_whose_log_was_moved_away_becomes_one_of_several(host):
    host.begin_log(1)
    (host.work_dir / "replicated_log").rename(host.work_dir / "replicated_log.old")
    passes(host.log_stays(member=DOWN, flags=str(host.flags)))


@pytest.mark.parametrize("current, quorum", [(1, 2), (2, 3)])
def test_the_quorum_rises_when_so_many_masters_have_recovered_their_logs(host, current, quorum):
    host.begin_log(current)
    arguments = {"member": DOWN, "flags": str(host.flags), "quorum": quorum}
    for _ in range(quorum - 1):
        host.recovered_master(1)
    comment = fails(host.log_stays(**arguments))
    assert f"recovered their log: {quorum - 1}, the quorum is {quorum}" in comment
    host.recovered_master(1)
    passes(host.log_stays(**arguments))


@pytest.mark.parametrize("quorum", [1, 2])
@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("test", [True, False])
def test_a_missing_disk_is_refused_by_name(host, quorum, exists, test):
    host.record.write_text("")
    if exists:
        (host.work_dir / "meta").mkdir(parents=True)
        (host.work_dir / "replicated_log").mkdir()
    assert fails(host.log_stays(test, quorum)) == (
        f"A master has run on unit before, but {host.work_dir} has no replicated_log. Is its disk "
        "mounted? Nothing was changed. Mount it and apply the states again. If the log is lost for "
        "good, add unit to pillar mesos:master:log_lost."
    )


def test_a_log_that_was_moved_away_is_not_lost(host):
    host.record.write_text("")
    (host.work_dir / "replicated_log.old").mkdir(parents=True)
    passes(host.log_stays())


def test_a_lost_log_is_copied_from_a_quorum_of_the_others(host):
    host.record.write_text("")
    host.recovered_master(1)
    host.recovered_master(0)
    comment = fails(host.log_stays(log_lost=["unit"]))
    assert "Masters that have recovered their log: 1, the quorum is 2" in comment
    host.recovered_master(1)
    assert "their log: 2" in passes(host.log_stays(log_lost=["unit"]))
    assert "mounted?" in fails(host.log_stays(log_lost=["lxcc02"]))


def test_a_single_master_may_lose_its_log_if_that_is_declared(host):
    host.record.write_text("")
    passes(host.log_stays(quorum=1, log_lost=["unit"]))
