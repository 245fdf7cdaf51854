"""The beacon mesos_cluster: what salt-run cluster.status prints becomes events."""

import importlib.util
import json
import stat
import subprocess
import textwrap
import time

import pytest
import yaml

from lab import ROOT, SALT_LINES, saltenv

APP = {"severity": "degraded", "kind": "app", "subject": "/web", "message": "The app /web waits."}
JOB = {"severity": "degraded", "kind": "job", "subject": "backup", "message": "backup fails."}
LEADER = {"severity": "down", "kind": "leader", "subject": "mesos", "message": "No leader."}
RUN_TIMEOUT = 10  # seconds


def load(cachedir):
    path = ROOT / "_beacons" / "mesos_cluster.py"
    spec = importlib.util.spec_from_file_location("mesos_cluster", path)
    module = importlib.util.module_from_spec(spec)
    module.__opts__ = {"cachedir": str(cachedir)}
    spec.loader.exec_module(module)
    return module


class SaltMaster:
    """A minion with the beacon, and a command in place of salt-run."""

    def __init__(self, directory):
        self.directory = directory
        self.command = directory / "salt-run"
        self.arguments = directory / "arguments"
        self.reload()

    def reload(self) -> None:
        """Load the beacon again, as Salt does after a refresh of pillar."""
        self.beacon = load(self.directory)
        self.beacon.SALT_RUN = str(self.command)

    def script(self, text: str) -> None:
        self.command.write_text(f'#!/bin/sh\necho "$@" > {self.arguments}\n{text}\n')
        self.command.chmod(self.command.stat().st_mode | stat.S_IXUSR)

    def prints(self, *problems: dict) -> None:
        output = self.directory / "output.json"
        output.write_text(json.dumps({"status": "ok", "problems": problems}))
        self.script(f"cat {output}")

    def events(self, **settings) -> list[dict]:
        """Let the beacon start the command, and call it until the command has ended."""
        config = [{"interval": 60}, *({name: value} for name, value in settings.items())]
        assert self.beacon.validate(config)[0]
        cluster = settings.get("cluster")
        if cluster not in self.beacon._runs:
            assert self.beacon.beacon(config) == []
        else:
            # The run that started at the end of the last call was of an earlier state.
            self.beacon.close(config)
            assert self.beacon.beacon(config) == []
        deadline = time.monotonic() + RUN_TIMEOUT
        while self.beacon._runs[cluster].is_running():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self.beacon.beacon(config)


@pytest.fixture
def master(tmp_path):
    master = SaltMaster(tmp_path)
    yield master
    master.beacon.close([])


def tags(events: list[dict]) -> list[str]:
    return sorted(f"{event['tag']} {event['subject']}" for event in events)


def test_a_problem_is_one_event_and_its_end_another(master):
    master.prints(LEADER, APP)
    events = master.events()
    assert tags(events) == ["problem/app /web", "problem/leader mesos"]
    assert {"tag": "problem/app", **APP} in events
    assert master.events() == []
    master.prints(APP, JOB)
    assert tags(master.events()) == ["problem/job backup", "solved/leader mesos"]
    master.prints()
    assert tags(master.events()) == ["solved/app /web", "solved/job backup"]
    assert master.events() == []


def test_a_changed_sentence_is_not_a_new_problem(master):
    master.prints(JOB)
    master.events()
    master.prints({**JOB, "message": "backup fails, 4 since the last success."})
    assert master.events() == []


def test_the_worst_of_two_problems_with_the_same_subject_is_reported(master):
    master.prints(APP, {**APP, "message": "less important"})
    assert [event["message"] for event in master.events()] == [APP["message"]]


def test_events_are_not_repeated_after_the_beacon_is_loaded_again(master):
    master.prints(APP)
    master.events()
    master.reload()
    assert master.events() == []
    master.prints()
    assert tags(master.events()) == ["solved/app /web"]


def test_each_cluster_has_a_command_and_events_of_its_own(master):
    master.prints(APP)
    [event] = master.events(cluster="ulm")
    assert event["cluster"] == "ulm" and event["subject"] == "/web"
    assert "cluster=ulm" in master.arguments.read_text().split()
    [event] = master.events(cluster="bonn")
    assert event["cluster"] == "bonn"
    assert master.events(cluster="ulm") == []
    for name in ("ulm", "bonn"):
        master.beacon.close([{"cluster": name}])
    assert master.beacon._runs == {}


def test_the_minion_does_not_wait_for_the_command(master):
    master.script("exec sleep 60")
    start = time.monotonic()
    for _ in range(3):
        assert master.beacon.beacon([]) == []
    assert time.monotonic() - start < 5
    assert master.beacon._runs[None].is_running()


def test_a_command_that_takes_too_long_is_killed_and_reported(master):
    master.script("exec sleep 60")
    master.beacon.MIN_RUN_TIME = -60
    [event] = master.events(timeout=30)
    assert (event["tag"], event["severity"]) == ("problem/salt", "down")
    assert event["message"] == "salt-run cluster.status was still running after 0 seconds"


@pytest.mark.parametrize(
    "script, reason",
    [
        (
            "echo \"'cluster.status' is not available.\"",
            "fails: 'cluster.status' is not available.",
        ),
        ("echo 'Traceback:' >&2; echo 'OSError: full' >&2; exit 1", "fails: OSError: full"),
        ("exit 3", "fails: it prints nothing"),
        ("echo '[1]'", "fails: [1]"),
    ],
)
def test_a_command_that_fails_is_a_problem_of_its_own(master, script, reason):
    master.prints(APP)
    master.events()
    master.script(script)
    [event] = master.events()
    assert (event["kind"], event["subject"]) == ("salt", "cluster.status")
    assert event["message"] == f"salt-run cluster.status {reason}"
    assert master.events() == []
    master.prints(APP)
    assert tags(master.events()) == ["solved/salt cluster.status"]


def test_a_command_that_is_missing_is_a_problem_of_its_own(master):
    [event] = master.events()
    assert event["message"].startswith("salt-run cluster.status cannot be started: ")


def test_output_that_is_longer_than_a_pipe_is_read(master):
    problems = [{**APP, "subject": f"/web{number}", "message": "x" * 200} for number in range(1000)]
    master.prints(*problems)
    assert len(master.events()) == 1000


def test_the_timeout_is_that_of_the_nodes(master):
    master.prints()
    master.events(timeout=7)
    assert master.arguments.read_text().split()[-2:] == ["cluster.status", "timeout=7"]


@pytest.mark.parametrize(
    "config, message",
    [
        ({"interval": 60}, "must be a list"),
        ([{"intervall": 60}], "intervall is not a setting"),
        ([{"cluster": ["ulm"]}], "cluster: ['ulm'] is not a name of a cluster"),
        ([{"timeout": 0}], "timeout: 0 is not a number of seconds"),
        ([{"timeout": "30"}], "timeout: '30' is not a number of seconds"),
        ([{"timeout": True}], "timeout: True is not a number of seconds"),
    ],
)
def test_an_invalid_configuration_is_refused(master, config, message):
    valid, comment = master.beacon.validate(config)
    assert not valid and message in comment


# --- Salt ---

PROCESS = """
import json, sys, time, salt.config, salt.loader, salt.beacons, salt.utils.extmods
scratch, root, command = sys.argv[1:]
opts = salt.config.apply_minion_config({
    "id": "cm01", "root_dir": scratch,
    "conf_file": scratch + "/minion", "log_file": scratch + "/log",
    "file_client": "local", "file_roots": {"base": [root + "/salt", root + "/formulas"]},
    "cachedir": scratch, "extension_modules": scratch + "/extmods",
})
synced = salt.utils.extmods.sync(opts, "beacons")[0]
beacons = salt.beacons.Beacon(opts, {})
beacons.beacons["mesos_cluster.beacon"].__globals__["SALT_RUN"] = command
events = []
deadline = time.monotonic() + 20
while not events and time.monotonic() < deadline:
    config = {"mesos_cluster": [{"timeout": 5}]}
    events = beacons.process(config, {})
    time.sleep(0.1)
print(json.dumps([synced, events]))
"""


@pytest.mark.parametrize("line", SALT_LINES)
def test_salt_syncs_the_beacon_and_sends_its_events(line, master):
    master.prints(APP)
    python = [saltenv.machine_env(line), "-W", "ignore", "-c", PROCESS]
    command = [*python, master.directory, ROOT, master.command]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    synced, [event] = json.loads(result.stdout)
    assert synced == ["beacons.mesos_cluster"]
    assert event["tag"] == "salt/beacon/cm01/mesos_cluster/problem/app"
    assert event["data"] == {**APP, "id": "cm01"}


RENDER = """
import json, sys, salt.config, salt.loader, salt.template
opts = salt.config.apply_master_config({"file_client": "local"})
renderers = salt.loader.render(opts, {})
for tag, data in json.loads(sys.argv[2]):
    low = salt.template.compile_template(
        sys.argv[1], renderers, "jinja|yaml", [], [], tag=tag, data=data
    )
    print(json.dumps(low))
"""


@pytest.mark.parametrize("line", SALT_LINES)
def test_the_example_of_a_reactor_passes_the_event_in_variables(line):
    data = {**APP, "subject": '/a"; reboot; $(x) {{ y }}', "id": "cm01"}
    tag = "salt/beacon/cm01/mesos_cluster"
    events = [[f"{tag}/problem/app", data], [f"{tag}/solved/app", data]]
    path = ROOT / "docs/monitoring/reactor.sls"
    command = [saltenv.machine_env(line), "-W", "ignore", "-c", RENDER, path, json.dumps(events)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    reactions = [json.loads(text)["report-the-event"] for text in result.stdout.splitlines()]
    for reaction, outcome in zip(reactions, ("failed", "solved"), strict=True):
        [target, arguments] = reaction["local.cmd.run"]
        assert target == {"tgt": "cm01"}
        environment = arguments["kwarg"]["env"]
        assert environment["OUTCOME"] == outcome
        assert environment["SUBJECT"] == data["subject"]
        assert "reboot" not in arguments["kwarg"]["cmd"]
        assert set(environment) == {"OUTCOME", "SEVERITY", "KIND", "SUBJECT", "MESSAGE"}


def test_the_documented_configuration_is_valid(master):
    text = (ROOT / "docs/operate.md").read_text()
    block = text.partition("> /etc/salt/minion.d/beacon.conf <<'EOF'\n")[2].partition("EOF")[0]
    config = yaml.safe_load(textwrap.dedent(block))["beacons"]["mesos_cluster"]
    assert master.beacon.validate(config) == (True, "Valid beacon configuration")
