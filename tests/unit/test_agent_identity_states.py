"""
mesos.agent_identity_stays and mesos.agent_identity_removed, and the functions that they call,
applied by real Salt to the checkpoints of fake agents.
"""

import itertools
import os
import shutil
from pathlib import Path

import pytest
from mesos_world import HOSTS, MesosCluster, until

from lab.fakes.mesos.agent import Agent
from lab.fakes.mesos.daemon import Exit

HOST = HOSTS[0]
RESOURCES = {"cpus": 4, "mem": 2048, "disk": 4096, "ports": ["31000-32000"]}
UNITS = (f"unit-{number}" for number in itertools.count())
COMMAND = (
    "salt-run state.orchestrate orchestration.agent_identity "
    """pillar='{"agents": ["unit"]}'"""
)


class Host:
    """A host with an agent that has registered, and the settings that it has."""

    def __init__(self, salt, world: MesosCluster):
        self.salt, self.world = salt, world
        self.work_dir = world.directory / HOST
        self.latest = self.work_dir / "meta" / "slaves" / "latest"
        [self.agent] = [agent for agent in world.leader.agents.values() if self.is_here(agent)]
        until(lambda: (self.latest / "slave.info").exists())
        self.settings = {
            "name": str(self.work_dir),
            "hostname": HOST,
            "port": self.agent.info["port"],
            "attributes": {"rack": "r1"},
            "resources": RESOURCES,
            "agent": f"http://127.0.0.1:{self.agent.info['port']}",
            "url": world.url,
        }

    @staticmethod
    def is_here(agent):
        return agent.info["hostname"] == HOST

    def stays(self, test=False, **changed):
        return self.salt("mesos.agent_identity_stays", test, **{**self.settings, **changed})

    def removed(self, test=False, **changed):
        return self.salt("mesos.agent_identity_removed", test, **{**self.settings, **changed})

    def keeps(self, **changed) -> str:
        """Check that the agent keeps its id, also with ``test``. Returns the comment."""
        answers = [self.stays(test, **changed) for test in (True, False)]
        for answer in answers:
            assert (answer["result"], answer["changes"]) == (True, {}), answer
        assert answers[0]["comment"] == answers[1]["comment"]
        return answers[0]["comment"]

    def refuses(self, **changed) -> list[str]:
        """Check that the agent would refuse to start. Returns the lines of the comment."""
        answers = [self.stays(test, **changed) for test in (True, False)]
        for answer in answers:
            assert (answer["result"], answer["changes"]) == (False, {}), answer
        assert answers[0]["comment"] == answers[1]["comment"]
        return answers[0]["comment"].splitlines()

    def meta(self) -> dict[str, str]:
        """Return all files and links below the checkpoint."""
        return {
            str(path.relative_to(self.work_dir)): os.readlink(path) if path.is_symlink() else ""
            for path in (self.work_dir / "meta").rglob("*")
        }


@pytest.fixture
def host(salt, running, tmp_path):
    return Host(salt, MesosCluster(salt, running, tmp_path))


# --- agent_identity_stays ---


def test_an_agent_with_the_same_settings_keeps_its_id(host):
    comment = host.keeps()
    assert comment == f"The agent keeps its id {host.agent.info['id']['value']}"
    assert host.keeps(resources="cpus:4;mem:2048;disk:4096;ports:[31000-32000]") == comment


def test_an_agent_that_never_registered_may_have_any_settings(salt, tmp_path):
    for test in (True, False):
        answer = salt("mesos.agent_identity_stays", test, name=str(tmp_path), attributes="a:b")
        assert (answer["result"], answer["comment"]) == (True, "The agent has not registered yet")


@pytest.mark.parametrize("policy", ["equal", "additive"])
def test_a_refusal_names_each_difference_the_policy_and_the_command(host, policy):
    lines = host.refuses(
        attributes={"rack": "r2"},
        resources={**RESOURCES, "cpus": 2},
        reconfiguration_policy=policy,
    )
    agent_id = host.agent.info["id"]["value"]
    assert lines == [
        f"The agent {agent_id} would refuse to start: reconfiguration_policy {policy} does not "
        f"allow these changes to its checkpoint in {host.latest}",
        "  attributes/rack: r1 -> r2",
        "  resources/cpus: 4 -> 2",
        "Undo the changes, or drain the agent and let it register under a new id:",
        f"  {COMMAND}",
    ]


def test_an_addition_depends_on_policy_and_version(host):
    added = {"attributes": {"rack": "r1", "zone": "z1"}}
    host.keeps(**added, reconfiguration_policy="additive", version="1.5.0")
    assert "  attributes/zone: (none) -> z1" in host.refuses(**added)
    lines = host.refuses(**added, reconfiguration_policy="additive", version="1.4.3")
    assert "reconfiguration_policy equal does not allow these changes" in lines[0]


def test_a_policy_that_mesos_does_not_have_is_refused(host):
    message = "reconfiguration_policy: any should be equal or additive"
    assert host.refuses(reconfiguration_policy="any") == [message]


def test_a_value_that_flags_managed_refuses_is_refused(host):
    assert host.refuses(attributes={"a:b": 1}) == [
        "attributes: a:b is not a valid name for an entry"
    ]


def test_what_no_flag_declares_is_named_and_not_compared(host):
    comment = host.keeps(resources={"ports": ["31000-32000"]}, hostname=None)
    assert comment.splitlines()[1] == (
        f"Not compared, as no flag declares it: hostname ({HOST} in the checkpoint), "
        "cpus (4 in the checkpoint), disk (4096 in the checkpoint), mem (2048 in the checkpoint)"
    )


def test_after_a_reboot_the_agent_gets_a_new_id_and_does_not_refuse(host):
    (host.work_dir / "meta" / "boot_id").write_text("before\n")
    comment = host.keeps(attributes={"rack": "r2"})
    assert comment.startswith("The host has rebooted, so the agent registers under a new id")
    assert "  attributes/rack: r1 -> r2" in comment


def test_an_unreadable_checkpoint_is_replaced_by_a_guess(host):
    (host.latest / "slave.info").write_bytes(b"unknown")
    guess = "This is a guess from the flags of the running agent"
    assert guess in host.keeps()
    lines = host.refuses(attributes={"rack": "r2"}, resources={**RESOURCES, "cpus": 2})
    assert lines[1:3] == ["  attributes/rack: r1 -> r2", "  resources/cpus: 4 -> 2"]
    assert guess in lines[-1] and "slave.info is not the SlaveInfo of an agent" in lines[-1]


def test_an_unreadable_checkpoint_of_a_stopped_agent_is_an_error(host, nobody):
    (host.latest / "slave.info").write_bytes(b"unknown")
    [line] = host.refuses(agent=nobody, url=nobody)
    assert "slave.info is not the SlaveInfo of an agent, and the running agent did not" in line


def test_no_flag_is_written_after_a_refusal(host, tmp_path):
    changed = {"rack": "r2"}
    stays = {**host.settings, "attributes": changed}
    flags = {"name": str(tmp_path / "flags"), "flags": {"attributes": changed}}
    flags["require"] = [{"mesos": "agent_identity_stays"}]
    high = {
        function: {
            "mesos": [function, *({key: value} for key, value in arguments.items())],
            "__sls__": "unit",
            "__env__": "base",
        }
        for function, arguments in (("agent_identity_stays", stays), ("flags_managed", flags))
    }
    for test in (True, False):
        answers = host.salt.call("state.high", high, test=test)
        assert [answer["result"] for answer in answers.values()] == [False, False], answers
    assert not (tmp_path / "flags").exists()


# --- agent_identity_removed ---


def test_an_agent_that_can_start_is_left_alone(host):
    before = host.meta()
    for test in (True, False):
        answer = host.removed(test, unit=next(UNITS))
        assert (answer["result"], answer["changes"]) == (True, {}), answer
    assert host.meta() == before and host.world.leader.heard == []


def test_an_agent_is_drained_and_stopped_and_only_the_link_is_removed(host):
    unit, agent_id = next(UNITS), host.agent.info["id"]["value"]
    changed = {"unit": unit, "attributes": {"rack": "r2"}}
    before = host.meta()
    tested = host.removed(True, **changed)
    assert tested["result"] is None and host.meta() == before and host.world.leader.heard == []
    answer = host.removed(**changed)
    assert answer["result"] is True, answer
    assert (
        answer["changes"]
        == tested["changes"]
        == {
            "/drain": {"old": None, "new": "DRAINED"},
            f"/{unit}": {"old": "running", "new": "stopped"},
            "/id": {"old": agent_id, "new": None},
        }
    )
    assert host.world.leader.drains[agent_id]["state"] == "DRAINED"
    assert [task.state for task in host.world.leader.tasks.values()] == ["TASK_KILLED"]
    assert host.salt.call("service.status", unit) is False
    del before["meta/slaves/latest"]
    assert before.keys() <= host.meta().keys() and not os.path.lexists(host.latest)
    for test in (True, False):
        again = host.removed(test, **changed)
        assert (again["result"], again["changes"]) == (True, {}), again


def test_the_next_start_registers_a_new_agent_that_keeps_its_id(host, running):
    flags = [
        "--ip=127.0.0.1",
        "--port=0",
        f"--hostname={HOST}",
        f"--work_dir={host.work_dir}",
        "--resources=cpus:4;mem:2048;disk:4096;ports:[31000-32000]",
        "--attributes=rack:r2",
    ]
    changed = {"attributes": {"rack": "r2"}}
    host.removed(unit=next(UNITS), **changed)
    agent = Agent(flags, None, "1.11.0", host.world.room)
    running(agent)
    until(lambda: agent.id and (host.latest / "slave.info").exists())
    assert agent.id != host.agent.info["id"]["value"]
    host.keeps(**changed, port=agent.port)
    with pytest.raises(Exit, match="Incompatible agent info detected"):
        Agent(flags[:-1], None, "1.11.0", host.world.room).start()


def test_an_agent_that_does_not_drain_keeps_running(host):
    unit = next(UNITS)
    host.world.leader._drain = lambda *_: None
    answer = host.removed(unit=unit, attributes={"rack": "r2"}, timeout=1)
    assert answer["result"] is False and "is not drained after 1 second" in answer["comment"]
    assert answer["changes"] == {"/drain": {"old": None, "new": "DRAINING"}}
    assert host.salt.call("service.status", unit) is True and host.latest.exists()


def test_a_unit_that_does_not_stop_keeps_its_checkpoint(host):
    answer = host.removed(unit="stubborn", attributes={"rack": "r2"}, drain=False)
    assert answer["result"] is False and answer["changes"] == {}
    assert answer["comment"] == "stubborn is still running after service.stop"
    assert host.latest.exists()


def test_an_agent_that_is_not_registered_is_not_drained(host, running, tmp_path):
    leader = MesosCluster(host.salt, running, tmp_path / "other", hosts=())
    answer = host.removed(unit="stopped", attributes={"rack": "r2"}, url=leader.url)
    assert answer["result"] is True and list(answer["changes"]) == ["/id"]
    assert leader.leader.heard == []


def test_before_mesos_1_9_an_agent_is_only_stopped_without_draining(salt, running, tmp_path):
    host = Host(salt, MesosCluster(salt, running, tmp_path, version="1.8.1"))
    changed = {"attributes": {"rack": "r2"}, "unit": next(UNITS)}
    for test in (True, False):
        answer = host.removed(test, **changed)
        assert (answer["result"], answer["changes"]) == (False, {})
        assert "needs Mesos 1.9" in answer["comment"]
    assert host.latest.exists()
    assert host.removed(**changed, drain=False)["result"] is True
    assert not os.path.lexists(host.latest)


@pytest.mark.parametrize("damage", ["content", "missing directory"])
def test_a_damaged_checkpoint_is_removed(host, damage):
    agent_id = host.agent.info["id"]["value"]
    if damage == "content":
        (host.latest / "slave.info").write_bytes(b"unknown")
    else:
        shutil.rmtree(host.latest.resolve())
    answer = host.removed(unit="stopped", drain=False)
    assert answer["result"] is True and answer["changes"] == {"/id": {"old": agent_id, "new": None}}
    assert not os.path.lexists(host.latest)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"drain": 1}, "drain: 1 should be True or False"),
        ({"timeout": 0}, "timeout: 0 should be a number of seconds from 1 to 86400"),
        ({"max_grace_period": "soon"}, "max_grace_period: 'soon' should be an integer number"),
    ],
)
def test_invalid_arguments_change_nothing(host, arguments, message):
    answer = host.removed(unit=next(UNITS), attributes={"rack": "r2"}, **arguments)
    assert (answer["result"], answer["changes"]) == (False, {})
    assert answer["comment"].startswith(message) and host.latest.exists()


def test_a_test_run_sees_that_the_identity_would_be_removed(host):
    high = {}
    unit = next(UNITS)
    settings = {**host.settings, "attributes": {"rack": "r2"}}
    for number, (function, options) in enumerate(
        (("agent_identity_removed", {"unit": unit}), ("agent_identity_stays", {})), 1
    ):
        arguments = {**settings, **options, "order": number}
        high[function] = {
            "mesos": [function, *({key: value} for key, value in arguments.items())],
            "__sls__": "unit",
            "__env__": "base",
        }
    answers = host.salt.call("state.high", high, test=True)
    results = {answer["__id__"]: answer for answer in answers.values()}
    assert results["agent_identity_removed"]["result"] is None
    assert results["agent_identity_stays"]["result"] is True, results
    assert results["agent_identity_stays"]["comment"] == "The agent will register under a new id"


# --- functions ---


def test_a_checkpoint_is_shown_as_text(host):
    checkpoint = host.salt.call("mesos.agent_checkpoint", str(host.work_dir))
    assert checkpoint == {
        "id": host.agent.info["id"]["value"],
        "hostname": HOST,
        "port": host.agent.info["port"],
        "domain": None,
        "attributes": {"rack": "r1"},
        "resources": {"cpus": "4", "mem": "2048", "disk": "4096", "ports": "[31000-32000]"},
    }
    assert host.salt.call("mesos.agent_checkpoint", str(Path(host.work_dir, "missing"))) is None


def test_a_difference_is_shown_with_policy_and_id(host):
    difference = host.salt.call(
        "mesos.diff_agent",
        str(host.work_dir),
        attributes="rack:r2",
        resources="mem:2048;disk:4096",
        hostname=HOST,
        port=host.agent.info["port"],
        reconfiguration_policy="additive",
    )
    assert difference == {
        "id": host.agent.info["id"]["value"],
        "policy": "additive",
        "changes": {"attributes/rack": {"old": "r1", "new": "r2"}},
        "not_compared": {"cpus": "4"},
        "rebooted": False,
        "guess": None,
    }
    for resources, message in (
        ("cpus=1", "resources: cpus=1 should be NAME:VALUE"),
        ({"cpus": 1}, "resources: {'cpus': 1} should be text"),
    ):
        with pytest.raises(host.salt.Error, match=message):
            host.salt.call("mesos.diff_agent", str(host.work_dir), resources=resources)
