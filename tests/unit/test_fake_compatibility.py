"""A fake Marathon refuses the stores, the libraries and the masters that a real one refuses."""

import json
import time

import pytest
import requests
from marathon_versions import OLD, POSSIBLE, STEPS

from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon import compatibility, server
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.marathon.server import Marathon
from lab.fakes.mesos.master import Master
from lab.fakes.wire.election import MemoryRoom
from lab.fakes.wire.scallop import OptionError

LOCAL = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
APP = {"id": "/x", "cmd": "sleep 3600", "cpus": 0.1, "mem": 32, "instances": 0}


# --- stores ---


def marathon(servers, version):
    agents = Agents(agent("lxb001.devops.test"))
    return Marathon(LOCAL, None, version, servers=servers, agents=agents)


def refusal(daemon):
    """Start a Marathon, and return why it ended, None if it leads."""
    statuses = []
    daemon.exit = lambda status: (statuses.append(status), daemon.stop())
    daemon.start()
    return (statuses[0], daemon.ended) if statuses else None


@pytest.mark.parametrize("old, new, step_kind", STEPS)
def test_a_fake_refuses_a_store_and_keeps_it_where_the_step_is_impossible(
    running, old, new, step_kind
):
    servers = MemoryRoom()
    old_server = running(marathon(servers, old))
    assert requests.post(f"{old_server.url}/v2/apps", json=APP, timeout=5).status_code == 201
    old_server.stop()
    record = servers.record
    new_server = marathon(servers, new)
    ending = refusal(new_server)
    if step_kind == POSSIBLE:
        assert ending is None
        apps = requests.get(f"{new_server.url}/v2/apps", timeout=5).json()["apps"]
        assert [app["id"] for app in apps] == ["/x"]
        new_server.stop()
        return
    status, message = ending
    assert status == (104 if new_server.line >= (1, 6) else 137)
    assert servers.record == record and not new_server.leading
    if step_kind == OLD:
        assert message.startswith("Migration from versions < ")
    else:
        assert "newer than" in message or "is too new" in message
    assert refusal(marathon(servers, old)) is None


@pytest.mark.parametrize(
    "stored, version, message",
    [
        (
            "1.4.13",
            "1.8.244",
            "Migration from versions < Version(1, 6, 0, PERSISTENCE_STORE) are not supported. "
            "Your version: Version(1, 4, 13, PERSISTENCE_STORE)",
        ),
        (
            "1.3.14",
            "1.5.15",
            "Migration from versions < Version(1, 4, 0, PERSISTENCE_STORE) are not supported. "
            "Your version: Version(1, 3, 14, LEGACY)",
        ),
        (
            "18.200.0",
            "1.7.236",
            "Migration from Version(18, 200, 0, PERSISTENCE_STORE) is not supported as it is newer "
            "than Version(17, 0, 0, PERSISTENCE_STORE).",
        ),
        (
            "1.4.13",
            "1.3.14",
            "The existing storage version Version(1, 4, 13) is too new. Current storage version is "
            "Version(1, 3, 14)",
        ),
        ("1.4.13", "1.3.7", None),
        ("18.200.0", "1.8.244", None),
    ],
)
def test_the_messages_are_those_of_marathon(stored, version, message):
    assert compatibility.store_problem(stored, version) == message


def test_a_standby_does_not_look_at_the_store_before_it_is_elected(running):
    servers = MemoryRoom()
    leader = running(marathon(servers, "1.4.13"))
    standby = running(marathon(servers, "1.8.244"))
    assert requests.get(f"{standby.url}/ping", timeout=5).status_code == 200
    leader.stop()
    assert "Version(1, 4, 13, PERSISTENCE_STORE)" in standby.ended


def test_a_standby_of_a_later_version_migrates_the_store_when_it_is_elected(running):
    servers = MemoryRoom()
    leader, standby = (running(marathon(servers, version)) for version in ("1.6.567", "1.8.244"))
    leader.stop()
    standby.stop()
    assert "Version(18, 200, 0" in refusal(marathon(servers, "1.6.567"))[1]


# --- Mesos ---


@pytest.mark.parametrize(
    "version, library, status, message",
    [
        ("1.3.14", "0.28.2", 0, ""),
        ("1.4.13", "1.0.4", 1, "Failed to load libmesos: 1.0.4\n"),
        ("1.4.13", "1.1.0", 0, ""),
        ("1.6.567", "1.4.3", 0, ""),
        ("1.7.236", "1.4.3", 1, "Failed to load libmesos: 1.4.3\n"),
        ("1.7.236", "1.5.0", 0, ""),
        (
            "1.8.244",
            "1.4.3",
            109,
            "Found libmesos version 1.4.3 is incompatible with minimum required version: 1.5.0\n"
            "Failed to load libmesos: 1.4.3\n",
        ),
        ("1.8.244", "1.11.0", 0, ""),
    ],
)
def test_a_fake_refuses_an_older_library_of_mesos(
    monkeypatch, capsys, tmp_path, version, library, status, message
):
    path = tmp_path / f"libmesos-{library}.so"
    path.write_text("")
    monkeypatch.setenv("MESOS_NATIVE_JAVA_LIBRARY", str(path))
    monkeypatch.setattr("sys.argv", ["marathon", "--master", "localhost:5050"])
    monkeypatch.setattr(server, "serve", lambda daemon, bind_error_status: 0)
    assert server.main(version) == status
    assert capsys.readouterr().err == message


@pytest.mark.parametrize(
    "version, status", [("1.3.14", None), ("1.6.567", None), ("1.7.236", 106), ("1.8.244", 106)]
)
def test_a_fake_refuses_an_older_master(running, tmp_path, version, status):
    room = MemoryRoom()
    mesos = ["--ip=127.0.0.1", "--port=0", "--hostname=127.0.0.1", f"--work_dir={tmp_path}"]
    running(Master(mesos, room=room, version="1.4.3"))
    daemon = Marathon(LOCAL, None, version, room, MemoryRoom())
    statuses = []
    daemon.exit = statuses.append
    running(daemon)
    deadline = time.monotonic() + 10
    while not (daemon.framework_id or statuses) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert bool(daemon.framework_id) is (status is None)
    assert statuses[:1] == ([] if status is None else [status])
    if status:
        assert daemon.ended == (
            "Mesos Master version 1.4.3 does not meet minimum required version 1.5.0"
        )


# --- authentication ---


PRINCIPAL = ["--mesos_authentication_principal", "marathon"]
SECRET = ["--mesos_authentication_secret", "sesame"]


def credential(*options, version="1.8.244"):
    agents = Agents(agent("lxb001.devops.test"))
    daemon = Marathon([*LOCAL, *options], None, version, servers=MemoryRoom(), agents=agents)
    return daemon.describe().get("credential")


def test_a_secret_is_used_only_with_the_option_mesos_authentication():
    assert credential(*PRINCIPAL, *SECRET) is None
    expected = {"principal": "marathon", "secret": "sesame"}
    assert credential(*PRINCIPAL, *SECRET, "--mesos_authentication") == expected
    assert credential(*PRINCIPAL, "--mesos_authentication") == {"principal": "marathon"}


def test_a_secret_file_is_used_in_its_place(tmp_path):
    (tmp_path / "secret").write_text("sesame")
    file = ["--mesos_authentication_secret_file", str(tmp_path / "secret")]
    expected = {"principal": "marathon", "secret": "sesame"}
    assert credential(*PRINCIPAL, *file) is None
    assert credential(*PRINCIPAL, *file, "--mesos_authentication") == expected
    assert credential(*PRINCIPAL, *file, version="1.1.7") == expected


@pytest.mark.parametrize(
    "options, message",
    [
        (
            ["--mesos_authentication"],
            "When specifying 'mesos_authentication', all of the following options must also be "
            "provided: mesos_authentication_principal",
        ),
        (
            [*PRINCIPAL, *SECRET, "--mesos_authentication_secret_file", "/etc/secret"],
            "There should be only one or zero of the following options: "
            "mesos_authentication_secret, mesos_authentication_secret_file",
        ),
    ],
)
def test_options_of_authentication_that_do_not_fit_together_are_refused(options, message):
    with pytest.raises(OptionError) as refused:
        credential(*options)
    assert str(refused.value) == message


@pytest.fixture
def strict_masters(running, tmp_path):
    """A room with a master that registers only authenticated frameworks."""
    room = MemoryRoom()
    credentials = {"credentials": [{"principal": "marathon", "secret": "sesame"}]}
    (tmp_path / "credentials").write_text(json.dumps(credentials))
    flags = ["--ip=127.0.0.1", "--port=0", "--hostname=127.0.0.1", f"--work_dir={tmp_path}"]
    flags += ["--authenticate_frameworks", f"--credentials={tmp_path}/credentials"]
    running(Master(flags, room=room))
    return room


def registration(running, daemon):
    """Start a framework. Returns the exit status and the error, None for one that registers."""
    statuses = []
    daemon.exit = statuses.append
    running(daemon)
    deadline = time.monotonic() + 10
    while not (daemon.framework_id or statuses):
        assert time.monotonic() < deadline, "neither registered nor refused"
        time.sleep(0.02)
    return (statuses[0], daemon.ended) if statuses else None


@pytest.mark.parametrize("version, status", [("1.5.15", 137), ("1.8.244", 106)])
def test_a_master_refuses_a_marathon_that_does_not_use_its_secret(
    running, strict_masters, version, status
):
    options = [*LOCAL, *PRINCIPAL, *SECRET]
    daemon = Marathon(options, None, version, strict_masters, MemoryRoom())
    ended, message = registration(running, daemon)
    assert ended == status
    assert message.startswith("Framework at scheduler-")
    assert message.endswith(" is not authenticated.")


def test_a_master_registers_a_marathon_with_its_secret_and_refuses_another_one(
    running, strict_masters
):
    options = [*LOCAL, *PRINCIPAL, "--mesos_authentication"]
    marathons = [
        Marathon([*options, *secret], None, "1.8.244", strict_masters, MemoryRoom())
        for secret in (SECRET, ["--mesos_authentication_secret", "open"])
    ]
    assert registration(running, marathons[0]) is None
    assert registration(running, marathons[1]) == (106, "Master refused authentication")


@pytest.mark.parametrize(
    "version, ending",
    [("2.4.0", None), ("2.5.0", (1, "Master refused authentication")), ("3.0.2", None)],
)
def test_chronos_sends_its_secret_except_where_it_sends_the_name_of_an_object(
    running, strict_masters, tmp_path, version, ending
):
    (tmp_path / "secret").write_text("sesame")
    options = [*PRINCIPAL, "--mesos_authentication_secret_file", str(tmp_path / "secret")]
    daemon = Chronos([*LOCAL, *options], None, version, strict_masters, MemoryRoom())
    assert registration(running, daemon) == ending
