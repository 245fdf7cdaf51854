"""marathon.verified and chronos.verified, applied to fake servers of several versions."""

import threading

import marathon_world
import pytest
from marathon_world import VERSIONS

from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

APP = "/salt-mesos-verify/app"
JOB = "salt-mesos-verify"
OPTIONS = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
CHRONOS_VERSIONS = ("2.4.0", "2.5.0", "3.0.2")


@pytest.fixture
def marathon(salt, running):
    """Return a function that starts a Marathon of a version with an agent of some memory."""

    def start(version=VERSIONS[-1], mem=4096.0):
        agents = Agents(agent("lxb001", mem=mem))
        server = Marathon(OPTIONS, None, version, servers=MemoryRoom(), agents=agents)
        return marathon_world.MarathonStates(salt, running(server), agents)

    return start


@pytest.fixture
def chronos(salt, running):
    """Return a function that starts a Chronos of a version with one agent, or none."""

    def start(version=CHRONOS_VERSIONS[-1], agent_count=1):
        agents = Agents(*(agent(f"lxb00{number}") for number in range(1, agent_count + 1)))
        server = Chronos(OPTIONS, None, version, servers=MemoryRoom(), agents=agents)
        server.loop = 0.05
        running(server)
        return Jobs(salt, server, agents)

    return start


class Jobs(marathon_world.MarathonStates):
    service = "chronos"


def fail_tasks(mesos, message):
    """Let each task fail as soon as it is launched. Returns a function that ends this."""
    over = threading.Event()

    def run():
        while not over.wait(0.02):
            for task_id, status in list(mesos.tasks.items()):
                if status["state"] in ("TASK_STAGING", "TASK_RUNNING"):
                    mesos.fail(task_id, message)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def end():
        over.set()
        thread.join()

    return end


# --- apps ---


@pytest.mark.parametrize("version", VERSIONS)
def test_an_app_runs_answers_and_is_removed_with_its_group(marathon, version):
    states = marathon(version)
    result = states("verified", APP, timeout=20)
    assert (result["result"], result["changes"]) == (True, {}), result
    assert "ran on lxb00" in result["comment"] and "answered over HTTP" in result["comment"]
    assert result["comment"].endswith("It was removed")
    assert states.call("apps") == []
    assert not states.call("group_exists", "/salt-mesos-verify")
    assert len(states.mesos.launched) == 1


def test_a_test_run_starts_no_app(marathon):
    states = marathon()
    result = states("verified", APP, True)
    assert result["result"] is None and "would run" in result["comment"]
    assert states.writes() == []


def test_an_app_that_gets_no_offer_fails_with_the_declined_resources_and_is_removed(marathon):
    states = marathon(mem=1.0)
    result = states("verified", APP, timeout=2)
    assert result["result"] is False
    assert "did not run and answer within 2 seconds" in result["comment"]
    assert "declined" in result["comment"] and "InsufficientMemory" in result["comment"]
    assert states.call("apps") == []


def test_an_app_whose_task_fails_names_its_message_and_is_removed(marathon):
    states = marathon()
    states.mesos.hold = True
    end = fail_tasks(states.mesos, "Failed to launch container: no space")
    try:
        result = states("verified", APP, timeout=3)
    finally:
        end()
    assert result["result"] is False
    assert "Failed to launch container: no space" in result["comment"]
    assert states.call("apps") == []


def test_the_app_of_an_interrupted_run_is_removed_first(marathon):
    states = marathon()
    states.call("create_app", APP, marathon_world.SMALL)
    states.wait_for_deployments()
    result = states("verified", APP, timeout=20)
    assert result["result"] is True
    assert result["comment"].startswith(f"{APP} of an interrupted run was removed. The app")


@pytest.mark.parametrize("timeout", [0, -1, True, "soon", 3601])
def test_an_invalid_timeout_is_an_error(marathon, timeout):
    states = marathon()
    result = states("verified", APP, timeout=timeout)
    assert result["result"] is False and result["comment"].startswith("timeout: ")
    assert states.writes() == []


# --- jobs ---


@pytest.mark.parametrize("version", CHRONOS_VERSIONS)
def test_a_job_runs_succeeds_and_is_removed(chronos, version):
    states = chronos(version)
    result = states("verified", JOB, timeout=20)
    assert (result["result"], result["changes"]) == (True, {}), result
    assert result["comment"] == f"The job {JOB} ran and succeeded. It was removed"
    assert states.call("jobs") == {}


def test_a_job_that_gets_no_offer_says_so_and_is_removed(chronos):
    states = chronos(agent_count=0)
    result = states("verified", JOB, timeout=2)
    assert result["result"] is False
    assert "its state is queued. No agent has offered 0.1 CPUs, 32 MiB" in result["comment"]
    assert states.call("jobs") == {}


def test_a_job_whose_task_fails_is_removed_and_mesos_is_asked_for_the_message(
    chronos, salt, nobody
):
    states = chronos()
    states.mesos.hold = True
    end = fail_tasks(states.mesos, "no space")
    try:
        result = states("verified", JOB, timeout=20, pillar={"mesos": {"url": nobody}})
    finally:
        end()
    assert result["result"] is False
    assert (
        f"The job {JOB} failed: its task failed, and Mesos does not tell why" in (result["comment"])
    )
    assert states.call("jobs") == {}


def test_the_job_of_an_interrupted_run_is_removed_first(chronos):
    states = chronos()
    states.call("create_job", JOB, {"command": "sleep 3600", "schedule": "R/2030-01-01/P1D"})
    result = states("verified", JOB, timeout=20)
    assert result["result"] is True
    assert result["comment"].startswith(f"{JOB} of an interrupted run was removed. The job")
