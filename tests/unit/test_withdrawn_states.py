"""withdrawn.stopped, applied by the real Salt with a fake systemctl."""

import contextlib
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zookeeper_server

from lab import SALT_LINES

# Keeps its units in the file units.json: name -> ActiveState, UnitFileState, and the actions that
# fail or do nothing. Writes its arguments to the file calls.
SYSTEMCTL = """\
#!%s
import json, pathlib, sys

home = pathlib.Path(__file__).parent
units = json.loads((home / "units.json").read_text())
action, *arguments = sys.argv[1:]
with open(home / "calls", "a") as calls:
    print(action, *arguments[-1:] if action != "show" else [], file=calls)
if action == "show":
    blocks = []
    for name in arguments[1:]:
        unit = units.get(name, {"active": "inactive", "file": ""})
        blocks.append(f"UnitFileState={unit['file']}\\nActiveState={unit['active']}\\n")
    print("\\n".join(blocks), end="")
    sys.exit()
unit = units.setdefault(arguments[0], {"active": "inactive", "file": ""})
if action in unit.get("fails", []):
    sys.exit(f"Job for {arguments[0]}.service failed.")
if action not in unit.get("ignores", []):
    key, value = {
        "restart": ("active", "active"),
        "stop": ("active", "inactive"),
        "disable": ("file", "disabled"),
        "mask": ("file", "masked"),
    }[action]
    unit[key] = value
(home / "units.json").write_text(json.dumps(units))
"""
SRVR = "Zookeeper version: 3.4.14-4c25d480e66aadd371de8bd2fd8da255ac140bcf\nMode: %s\n"
LISTS_PATH = "/salt-mesos/zookeeper"
RUNNING = {"active": "active", "file": "enabled"}
STOPPED_CHANGE = {"old": "running, enabled", "new": "stopped, disabled"}


class Systemd:
    """The fake systemctl, and files that this tree has written."""

    def __init__(self, directory: Path):
        self.directory = directory
        path = directory / "systemctl"
        path.write_text(SYSTEMCTL % sys.executable)
        path.chmod(0o755)
        self.reset()

    def reset(self, **units: dict) -> None:
        for path in self.directory.glob("*.conf"):
            path.unlink()
        (self.directory / "units.json").write_text(json.dumps(units))
        self.calls()

    def units(self) -> dict:
        return json.loads((self.directory / "units.json").read_text())

    def calls(self) -> list[str]:
        """Return the calls since the last time, without options."""
        path = self.directory / "calls"
        calls = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return calls

    def daemon(self, role: str, content: str | None = None, formula: str = "") -> dict:
        """Return an entry of ``daemons``, whose file this tree has written."""
        formula = formula or role
        path = self.directory / f"{role}.conf"
        if content is None:
            content = f"# Managed by Salt ({formula}.config).\n"
        path.write_text(content)
        return {"role": role, "unit": role, "formula": formula, "files": [str(path)]}


@pytest.fixture(scope="module", params=SALT_LINES)
def minion(request, tmp_path_factory, start_minion):
    """A minion with the fake systemctl, and the systemctl."""
    systemd = Systemd(tmp_path_factory.mktemp("systemd"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(systemd.directory), prepend=":")
        with start_minion(request.param, tmp_path_factory.mktemp("salt")) as salt:
            yield salt, systemd


@pytest.fixture
def systemd(minion) -> Systemd:
    minion[1].reset()
    return minion[1]


@pytest.fixture
def apply(minion, systemd):
    """Return a function that applies withdrawn.stopped."""

    def apply(*daemons: dict, test: bool = False, **arguments) -> dict:
        salt, _ = minion
        arguments = {"timeout": 0, **arguments}
        return salt("withdrawn.stopped", test, name="roles", daemons=list(daemons), **arguments)

    return apply


def test_daemons_are_stopped_and_disabled_in_their_order(apply, systemd):
    systemd.reset(chronos=RUNNING, docker=RUNNING)
    daemons = [systemd.daemon("chronos"), systemd.daemon("docker")]
    answer = apply(*daemons)
    assert answer["result"] is True
    assert answer["changes"] == {"chronos": STOPPED_CHANGE, "docker": STOPPED_CHANGE}
    assert (
        "chronos was stopped and disabled, since unit does not have the role chronos"
        in (answer["comment"])
    )
    assert systemd.calls() == [
        "show",
        "stop chronos",
        "disable chronos",
        "show",
        "stop docker",
        "disable docker",
        "show",
    ]
    assert set(systemd.units()) == {"chronos", "docker"}
    assert all(
        unit == {"active": "inactive", "file": "disabled"} for unit in systemd.units().values()
    )


def test_the_comment_has_the_reason(apply, systemd):
    systemd.reset(marathon=RUNNING)
    answer = apply(systemd.daemon("marathon"), reason="the store is about to be migrated")
    assert (
        "marathon was stopped and disabled, since the store is about to be migrated"
        in answer["comment"]
    )


def test_a_test_run_reports_the_same_changes_and_makes_none(apply, systemd):
    systemd.reset(chronos=RUNNING)
    daemon = systemd.daemon("chronos")
    predicted = apply(daemon, test=True)
    assert predicted["result"] is None
    assert "chronos would be stopped and disabled" in predicted["comment"]
    assert systemd.calls() == ["show"] and systemd.units() == {"chronos": RUNNING}
    assert apply(daemon)["changes"] == predicted["changes"] == {"chronos": STOPPED_CHANGE}


@pytest.mark.parametrize("test", [True, False])
def test_stopped_daemons_cost_one_process_and_are_left_as_they_are(apply, systemd, test):
    stopped = {"active": "failed", "file": "disabled"}
    systemd.reset(chronos=stopped, marathon={"active": "inactive", "file": "masked"})
    daemons = [systemd.daemon(role) for role in ("chronos", "marathon", "docker")]
    answer = apply(*daemons, test=test)
    assert (answer["result"], answer["changes"]) == (True, {})
    assert answer["comment"] == "No daemon runs or is enabled without its role"
    assert systemd.calls() == ["show"]


@pytest.mark.parametrize(
    "content",
    ["# Managed by Salt.\n", "# Managed by Salt (docker-ce.config).\n", "[Service]\n", ""],
)
def test_a_daemon_that_somebody_else_has_installed_is_left_alone(apply, systemd, content):
    systemd.reset(docker=RUNNING)
    answer = apply(systemd.daemon("docker", content))
    assert (answer["result"], answer["changes"]) == (True, {})
    assert "Not installed by these states, and left alone: docker" in answer["comment"]
    assert systemd.calls() == [] and systemd.units() == {"docker": RUNNING}


def test_a_daemon_without_its_file_is_left_alone(apply, systemd):
    systemd.reset(docker=RUNNING)
    daemon = systemd.daemon("docker")
    Path(daemon["files"][0]).unlink()
    assert apply(daemon)["changes"] == {} and systemd.calls() == []


def test_one_of_several_files_is_enough(apply, systemd):
    systemd.reset(zookeeper=RUNNING)
    daemon = systemd.daemon("zookeeper")
    daemon["files"].insert(0, "/nonexistent/zoo.cfg")
    assert apply(daemon)["changes"] == {"zookeeper": STOPPED_CHANGE}


def test_a_daemon_that_only_starts_at_boot_is_disabled(apply, systemd):
    systemd.reset(chronos={"active": "inactive", "file": "enabled"})
    answer = apply(systemd.daemon("chronos"))
    assert answer["changes"] == {"chronos": {**STOPPED_CHANGE, "old": "stopped, enabled"}}
    assert systemd.calls() == ["show", "disable chronos", "show"]


def test_a_daemon_that_waits_for_its_next_start_is_stopped(apply, systemd):
    systemd.reset(chronos={"active": "activating", "file": "static"})
    answer = apply(systemd.daemon("chronos"))
    assert answer["changes"] == {"chronos": {"old": "running, static", "new": "stopped, static"}}


@pytest.mark.parametrize(
    "unit, old",
    [
        (RUNNING, "running, enabled"),
        ({"active": "inactive", "file": "disabled"}, "stopped, disabled"),
        ({"active": "inactive", "file": ""}, "stopped, not installed"),
        ({"active": "active", "file": "masked"}, "running, masked"),
    ],
)
def test_a_unit_is_masked_whether_it_is_installed_or_not(apply, systemd, unit, old):
    systemd.reset(agent=unit)
    daemon = {"role": "mesos-slave", "unit": "agent"}
    predicted = apply(daemon, mask=True, test=True)
    answer = apply(daemon, mask=True)
    assert answer["result"] is True and predicted["result"] is None
    assert answer["changes"] == predicted["changes"]
    assert answer["changes"] == {"agent": {"old": old, "new": "stopped, masked"}}
    systemd.calls()
    assert apply(daemon, mask=True)["changes"] == {} and systemd.calls() == ["show"]


def test_the_daemons_after_one_that_fails_keep_running(apply, systemd):
    units = {"chronos": RUNNING, "marathon": {**RUNNING, "fails": ["stop"]}, "docker": RUNNING}
    systemd.reset(**units)
    answer = apply(*(systemd.daemon(role) for role in units))
    assert answer["result"] is False and set(answer["changes"]) == {"chronos"}
    assert (
        "systemctl stop marathon failed on unit: Job for marathon.service failed."
        in (answer["comment"])
    )
    assert systemd.units()["docker"] == RUNNING


def test_a_daemon_that_is_still_running_fails_the_state(apply, systemd):
    systemd.reset(chronos={**RUNNING, "ignores": ["stop"]})
    answer = apply(systemd.daemon("chronos"))
    assert (answer["result"], answer["changes"]) == (False, {})
    assert "chronos on unit is still active and disabled" in answer["comment"]


@pytest.mark.parametrize("daemons", ["chronos", ["chronos"], [{"role": "chronos"}]])
def test_daemons_of_another_shape_are_refused(minion, systemd, daemons):
    answer = minion[0]("withdrawn.stopped", name="roles", daemons=daemons)
    assert answer["result"] is False and "daemons: " in answer["comment"]
    assert systemd.calls() == []


# --- ZooKeeper ---


@pytest.fixture
def ensemble(raw):
    """Return a function that starts servers 1, 2, ... with these modes; None: it is down."""

    def start(*modes: str | None, observers=()) -> dict:
        servers = {str(number): f"127.0.0.{number}" for number in range(1, len(modes) + 1)}
        while True:
            port = random.randint(20000, 30000)  # Outside of the kernel's range.
            with contextlib.suppress(OSError):
                for mode, address in zip(modes, servers.values(), strict=True):
                    if mode:
                        raw((SRVR % mode).encode(), address, port)
                return {"servers": servers, "port": port, "observers": list(observers)}

    return start


def server(systemd: Systemd, votes: int, observers: int = 0) -> dict:
    """Return ZooKeeper with a zoo.cfg of an ensemble."""
    lines = ["# Managed by Salt (zookeeper.config)."]
    for number in range(1, votes + observers + 1):
        suffix = ":observer" if number > votes else ""
        lines.append(f"server.{number}=10.0.0.{number}:2888:3888{suffix}")
    return systemd.daemon("zookeeper", "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "votes, modes, observers",
    [
        (5, ("leader", "follower", "follower"), ()),
        (3, ("leader", "follower", None), ()),
        (3, ("standalone",), ()),
        (1, ("standalone",), ()),
        (3, ("leader", "follower", None), ("3",)),
    ],
    ids=["5 to 3", "moved", "3 to 1, afterwards", "from a single one", "without an observer"],
)
def test_zookeeper_is_stopped_if_the_others_have_a_quorum(
    apply, systemd, ensemble, votes, modes, observers
):
    systemd.reset(zookeeper=RUNNING)
    answer = apply(server(systemd, votes), ensemble=ensemble(*modes, observers=observers))
    assert answer["result"] is True, answer["comment"]
    assert answer["changes"] == {"zookeeper": STOPPED_CHANGE}


@pytest.mark.parametrize(
    "votes, modes, count",
    [
        (3, ("leader", None, None), "2 other ZooKeeper servers"),
        (5, ("leader", "follower", None), "3 other ZooKeeper servers"),
        (3, ("follower",), "2 other ZooKeeper servers"),
        (3, ("observer", "observer", "leader"), "2 other ZooKeeper servers"),
        (3, (None,), "2 other ZooKeeper servers"),
    ],
    ids=["outage", "5 to 3 with an outage", "3 to 1", "observers", "nobody"],
)
def test_zookeeper_keeps_running_if_the_others_have_no_quorum(
    apply, systemd, ensemble, votes, modes, count
):
    systemd.reset(zookeeper=RUNNING)
    servers = ensemble(*modes)
    predicted = apply(server(systemd, votes), ensemble=servers, test=True)
    answer = apply(server(systemd, votes), ensemble=servers)
    assert f"Would wait for {count} to serve" in predicted["comment"]
    assert (answer["result"], answer["changes"]) == (False, {})
    assert f"zookeeper on unit was not stopped. Waited 0 seconds for {count}" in answer["comment"]
    assert "1 127.0.0.1: " in answer["comment"]
    assert "run systemctl stop zookeeper there, and apply the states again" in answer["comment"]
    assert systemd.units() == {"zookeeper": RUNNING}


def test_a_zookeeper_that_does_not_run_is_disabled_without_asking(apply, systemd):
    systemd.reset(zookeeper={"active": "inactive", "file": "enabled"})
    unreachable = {"servers": {"1": "127.0.0.1"}, "port": 1}
    answer = apply(server(systemd, 3), ensemble=unreachable)
    assert answer["result"] is True and systemd.units()["zookeeper"]["file"] == "disabled"


def test_observers_in_zoo_cfg_do_not_count(apply, systemd, ensemble):
    systemd.reset(zookeeper=RUNNING)
    answer = apply(server(systemd, 3, observers=3), ensemble=ensemble("leader", "follower", None))
    assert answer["result"] is True, answer["comment"]


def test_a_state_waits_for_the_quorum(apply, systemd, ensemble, raw):
    systemd.reset(zookeeper=RUNNING)
    servers = ensemble(None, "leader", None)
    late = iter(["This ZooKeeper instance is not currently serving requests\n"])
    raw(lambda heard: next(late, SRVR % "follower").encode(), "127.0.0.1", servers["port"])
    answer = apply(server(systemd, 3), ensemble=servers, timeout=30)
    assert answer["changes"] == {"zookeeper": STOPPED_CHANGE}


class Shrinking:
    """
    The host of server 4 or 5 of an ensemble, of which 1 to 3 remain. Server N is at 127.0.0.N.
    """

    def __init__(self, systemd, zookeeper, *modes: str | None):
        self.systemd = systemd
        self._target = zookeeper.port
        self._running = {}
        self._servers = {str(number): f"127.0.0.{number}" for number in range(1, 6)}
        self.remaining = {key: self._servers[key] for key in "123"}
        while True:
            self.port = random.randint(20000, 30000)  # Outside of the kernel's range.
            with contextlib.suppress(OSError):
                for number, mode in enumerate(modes, 1):
                    self.set_mode(number, mode)
                break
        self.ensemble = {"servers": self.remaining, "port": self.port}

    def set_mode(self, number: int, mode: str | Callable[[], str] | None) -> None:
        """Start a server, or stop it, or give it another mode."""
        if number in self._running:
            self._running.pop(number).stop()
        if mode:
            self._running[number] = zookeeper_server.Member(
                f"127.0.0.{number}", self.port, mode, self._target
            )

    def daemon(self, server_id: int) -> dict:
        """Return the ZooKeeper of this host, with the list of five."""
        self.systemd.reset(zookeeper=RUNNING)
        (self.systemd.directory / "myid").write_text(f"{server_id}\n")
        lines = ["# Managed by Salt (zookeeper.config).", f"dataDir={self.systemd.directory}"]
        lines += [f"server.{key}={host}:2888:3888" for key, host in self._servers.items()]
        return self.systemd.daemon("zookeeper", "\n".join(lines) + "\n")

    def elect_after_restart(self, leader: int, old_leader: int) -> None:
        """Let another server lead as soon as ZooKeeper is restarted on this host."""
        calls = self.systemd.directory / "calls"

        def mode(is_next_leader: bool) -> str:
            is_restarted = "restart zookeeper" in calls.read_text()
            return "leader" if is_restarted == is_next_leader else "follower"

        self.set_mode(leader, lambda: mode(True))
        self.set_mode(old_leader, lambda: mode(False))

    def record(self, salt, *server_ids: int) -> None:
        """Let these servers have recorded the list of three."""
        for server_id in server_ids:
            options = {"servers": self.remaining, "port": self.port}
            salt.call("zk.record_server_list", server_id, self.remaining, **options)

    def stop(self) -> None:
        for number in list(self._running):
            self.set_mode(number, None)


@pytest.fixture
def shrinking(systemd, zookeeper):
    """Return a function that starts the five servers with these modes."""
    started = []

    def start(*modes: str | None) -> Shrinking:
        started.append(Shrinking(systemd, zookeeper, *modes))
        return started[-1]

    yield start
    for ensemble in started:
        ensemble.stop()
    with zookeeper_server.client_module().Client(zookeeper.address) as client:
        for server_id in client.children(LISTS_PATH) if client.exists(LISTS_PATH) else []:
            client.delete(f"{LISTS_PATH}/{server_id}")


def test_the_first_of_two_removed_servers_stops_at_once(apply, shrinking):
    ensemble = shrinking("follower", "leader", "follower", "follower", "follower")
    answer = apply(ensemble.daemon(4), ensemble=ensemble.ensemble)
    assert answer["changes"] == {"zookeeper": STOPPED_CHANGE}, answer


def test_a_removed_server_that_leads_is_not_the_first_to_stop(apply, shrinking):
    ensemble = shrinking("follower", "follower", "follower", "leader", "follower")
    for test in (True, False):
        answer = apply(ensemble.daemon(4), ensemble=ensemble.ensemble, test=test)
        assert answer["changes"] == {} or test, answer
        assert "Server 4 leads, so it stops after 5" in answer["comment"]


def test_the_last_removed_server_stops_when_the_others_but_the_leader_have_the_new_list(
    apply, shrinking, minion
):
    ensemble = shrinking("follower", "leader", "follower", "follower", None)
    answer = apply(ensemble.daemon(4), ensemble=ensemble.ensemble)
    assert (answer["result"], answer["changes"]) == (False, {})
    assert "Apply the states to 1, 3 first, so that they get the new list" in answer["comment"]
    ensemble.record(minion[0], 1, 3)
    answer = apply(ensemble.daemon(4), ensemble=ensemble.ensemble)
    assert answer["changes"] == {"zookeeper": STOPPED_CHANGE}, answer


def test_the_last_removed_server_hands_over_before_it_stops(apply, shrinking, systemd, minion):
    ensemble = shrinking("follower", "follower", "follower", "leader", None)
    ensemble.record(minion[0], 1, 2, 3)
    daemon = ensemble.daemon(4)
    ensemble.elect_after_restart(1, 4)
    answer = apply(daemon, ensemble=ensemble.ensemble, timeout=30)
    assert answer["changes"] == {"zookeeper": STOPPED_CHANGE}, answer
    assert "zookeeper was restarted, so that another server leads" in answer["comment"]
    actions = [call for call in systemd.calls() if call != "show"]
    assert actions == ["restart zookeeper", "stop zookeeper", "disable zookeeper"]


# --- Mesos masters ---


@pytest.fixture
def masters(raw, tmp_path):
    """Return a function that starts masters; each is ``recovered``, ``empty`` or ``down``."""

    def start(*states: str, quorum: int | None) -> dict:
        def respond(state: str):
            metrics = json.dumps({"registrar/log/recovered": float(state == "recovered")})

            def response(heard: bytes) -> bytes:
                body = metrics if b"/metrics/snapshot" in heard else ""
                kind = "Content-Type: application/json\r\nConnection: close\r\n"
                head = f"HTTP/1.1 200 OK\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
                return (head + body).encode()

            return response

        urls = ["http://127.0.0.1:1"] * states.count("down")
        urls += [raw(respond(state)).url for state in states if state != "down"]
        quorum_file = tmp_path / "quorum"
        if quorum is not None:
            quorum_file.write_text(f"{quorum}\n")
        return {"url": urls, "quorum_file": str(quorum_file)}

    return start


@pytest.mark.parametrize(
    "states, quorum",
    [
        (("recovered",) * 3, 3),
        (("recovered", "recovered", "down"), 2),
        (("recovered",), 1),
        (("recovered",), None),
    ],
    ids=["5 to 3", "moved", "from a single one", "without the flag"],
)
def test_a_master_is_stopped_if_the_others_have_the_log(apply, systemd, masters, states, quorum):
    systemd.reset(**{"mesos-master": RUNNING})
    daemon = systemd.daemon("mesos-master", formula="mesos")
    answer = apply(daemon, masters=masters(*states, quorum=quorum))
    assert answer["result"] is True, answer["comment"]
    assert answer["changes"] == {"mesos-master": STOPPED_CHANGE}


def test_the_log_of_a_withdrawn_master_is_renamed_so_that_it_does_not_vote_again(
    apply, systemd, masters, tmp_path
):
    daemon = systemd.daemon("mesos-master", formula="mesos")
    arguments = {"masters": masters("recovered", "recovered", quorum=2)}
    (tmp_path / "work_dir").write_text(f"{tmp_path / 'mesos'}\n")
    log = tmp_path / "mesos" / "replicated_log"
    for new in ("replicated_log.withdrawn", "replicated_log.withdrawn.2"):
        (log / "LOCK").mkdir(parents=True)
        systemd.reset(**{"mesos-master": RUNNING})
        daemon = systemd.daemon("mesos-master", formula="mesos")
        expected = {
            "mesos-master": STOPPED_CHANGE,
            str(log): {"old": str(log), "new": str(log.with_name(new))},
        }
        assert apply(daemon, test=True, **arguments)["changes"] == expected and log.exists()
        assert apply(daemon, **arguments)["changes"] == expected
        assert not log.exists() and (log.with_name(new) / "LOCK").is_dir()
    assert apply(daemon, **arguments)["changes"] == {}


@pytest.mark.parametrize(
    "states, quorum, is_renamed",
    [
        (("recovered", "recovered"), 2, True),
        (("recovered", "down"), 2, False),
        (("down", "down"), 2, False),
        (("recovered",), 1, False),
    ],
    ids=["after an interruption", "no majority", "no master runs", "a single master moved"],
)
def test_the_log_of_a_master_that_was_stopped_before_is_kept_unless_the_others_have_it(
    apply, systemd, masters, tmp_path, states, quorum, is_renamed
):
    (tmp_path / "work_dir").write_text(f"{tmp_path / 'mesos'}\n")
    log = tmp_path / "mesos" / "replicated_log"
    (log / "LOCK").mkdir(parents=True)
    systemd.reset(**{"mesos-master": {"active": "inactive", "file": "disabled"}})
    daemon = systemd.daemon("mesos-master", formula="mesos")
    answer = apply(daemon, masters=masters(*states, quorum=quorum))
    assert answer["result"] is True and bool(answer["changes"]) is is_renamed
    assert log.exists() is not is_renamed


@pytest.mark.parametrize(
    "states, quorum, count",
    [
        (("recovered", "recovered", "down"), 3, "3 other Mesos masters"),
        (("recovered", "down", "empty"), 1, "2 other Mesos masters"),
        (("recovered",), 2, "2 other Mesos masters"),
    ],
    ids=["5 to 3 with an outage", "an empty log", "3 to 1"],
)
@pytest.mark.parametrize("mask", [True, False])
def test_a_master_keeps_running_if_the_others_do_not_have_the_log(
    apply, systemd, masters, states, quorum, count, mask
):
    systemd.reset(**{"mesos-master": RUNNING})
    daemon = systemd.daemon("mesos-master", formula="mesos")
    answer = apply(daemon, masters=masters(*states, quorum=quorum), mask=mask)
    assert (answer["result"], answer["changes"]) == (False, {})
    assert f"{count} to recover the log" in answer["comment"]
    if "down" in states:
        assert "http://127.0.0.1:1: " in answer["comment"]
    if "empty" in states:
        assert "its log has not recovered" in answer["comment"]
    assert systemd.units() == {"mesos-master": RUNNING}
