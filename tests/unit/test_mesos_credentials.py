"""
What an operator asks before masters demand credentials, and with which credentials agents are
asked. The real Salt calls fake daemons.
"""

import json

import pytest
from mesos_world import HOSTS, FastAgent, MesosCluster, until

from lab.fakes.mesos.master import Master

# Both lines apply every state in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

# Nobody listens.
DOWN = "http://127.0.0.1:9"
OPERATOR = {"principal": "operator", "secret": "sesame"}
AGENT = {"principal": "agent", "secret": "mellon"}


class World:
    """A cluster without agents, to which a test adds some."""

    def __init__(self, salt, running, directory, *flags):
        self.salt, self._running, self._directory = salt, running, directory
        self.cluster = MesosCluster(salt, running, directory, *flags, hosts=())
        self.url = self.cluster.url
        self.api = {"mesos": {"api": {"username": "agent", "password": "mellon"}}}

    def agent(self, hostname, *flags):
        number = len(self.cluster.leader.agents)
        self._running(
            FastAgent(
                [
                    "--ip=127.0.0.1",
                    "--port=0",
                    f"--hostname={hostname}",
                    f"--work_dir={self._directory / hostname}",
                    *flags,
                ],
                None,
                "1.11.0",
                self.cluster.room,
            )
        )
        until(lambda: len(self.cluster.leader.agents) > number)

    def file(self, name, contents):
        path = self._directory / name
        path.write_text(json.dumps(contents))
        return path

    def peers(self, pillar=None, **arguments):
        return self.salt.call(
            "mesos.peers_without_credentials", url=self.url, pillar=pillar, **arguments
        )


@pytest.fixture
def credentials(tmp_path):
    """The path of the credentials of a master."""
    path = tmp_path / "credentials"
    path.write_text(json.dumps({"credentials": [OPERATOR, AGENT]}))
    return path


def master(running, directory, *flags):
    """Start a master that is alone, and return its URL."""
    local = ["--ip=127.0.0.1", "--port=0", "--hostname=127.0.0.1", f"--work_dir={directory}"]
    return running(Master([*local, *flags], None, "1.11.0")).url


@pytest.fixture
def masters(running, tmp_path, credentials):
    """The URLs of masters: without credentials, with some, and with some that it demands."""
    flag = f"--credentials={credentials}"
    return [
        master(running, tmp_path / "1"),
        master(running, tmp_path / "2", flag),
        master(running, tmp_path / "3", flag, "--authenticate_http_readonly"),
    ]


def test_masters_that_run_without_credentials_are_listed(salt, masters):
    urls = [*masters, DOWN]
    assert salt.call("mesos.masters_without_credentials", url=urls, retries=0) == masters[:1]


def test_no_daemon_begins_to_send_credentials_that_a_master_does_not_know(salt, masters):
    setting = "mesos:slave:secrets:credential"
    ret = salt("mesos.masters_know_credentials", name=setting, url=masters)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert setting in ret["comment"] and f"{masters[0]} would refuse it" in ret["comment"]
    assert "Apply the states of the Mesos masters first" in ret["comment"]
    ret = salt("mesos.masters_know_credentials", name=setting, url=[*masters[1:], DOWN])
    assert (ret["result"], ret["changes"]) == (True, {})


def test_agents_and_frameworks_without_credentials_are_listed(salt, running, tmp_path, credentials):
    world = World(salt, running, tmp_path, f"--credentials={credentials}")
    world.agent(HOSTS[0], f"--credential={world.file('credential', AGENT)}")
    world.agent("without")
    world.cluster.framework = world.cluster.launch()
    assert world.peers() == {
        "agents": {"without": "it has no credential"},
        "frameworks": ["marathon"],
    }
    assert world.peers(frameworks=False)["frameworks"] == []
    assert world.peers(agents=False)["agents"] == {}
    ret = salt("mesos.peers_authenticate", name="flags", url=world.url)
    assert (ret["result"], ret["changes"]) == (False, {})
    for text in (
        "agent without: it has no credential",
        "framework marathon: it has no principal",
        "Set common:security:level: accepting first",
    ):
        assert text in ret["comment"]
    assert f"agent {HOSTS[0]}:" not in ret["comment"]


def test_what_the_leader_demands_already_is_not_asked_again(salt, running, tmp_path, credentials):
    flags = ("--authenticate_agents", "--authenticate_frameworks", f"--credentials={credentials}")
    world = World(salt, running, tmp_path, *flags)
    world.agent(HOSTS[0], f"--credential={world.file('credential', AGENT)}")
    assert world.peers() == {"agents": {}, "frameworks": []}
    assert salt("mesos.peers_authenticate", name="flags", url=world.url)["result"] is True


def test_without_a_leader_nobody_can_be_refused(salt):
    assert salt("mesos.peers_authenticate", name="flags", url=DOWN)["result"] is True


def test_wrong_credentials_of_the_operator_are_an_error(salt, running, tmp_path, credentials):
    flags = ("--authenticate_http_readwrite", f"--credentials={credentials}")
    world = World(salt, running, tmp_path, *flags)
    ret = salt("mesos.peers_authenticate", name="flags", url=world.url)
    assert ret["result"] is False and "401" in ret["comment"]


def test_agents_get_their_own_password_and_not_that_of_the_masters(salt, running, tmp_path):
    world = World(salt, running, tmp_path)
    agents = world.file("http_credentials", {"credentials": [OPERATOR]})
    world.agent("closed", "--authenticate_http_readonly", f"--http_credentials={agents}")
    pillar = {
        "mesos": {"agent_api": {"username": "operator", "password": "sesame"}, **world.api["mesos"]}
    }
    arguments = {"url": world.url, "retries": 0}
    state = salt.call("mesos.agent_state", "closed", pillar=pillar, **arguments)
    assert state["hostname"] == "closed"
    # By URL as well, for which the masters need not respond.
    [peer] = world.cluster.leader.agents.values()
    url = f"http://{peer.pid.partition('@')[2]}"
    assert salt.call("mesos.agent_metrics", url, pillar=pillar)["slave/registered"] == 1
    with pytest.raises(salt.Error, match="401"):
        salt.call("mesos.agent_state", "closed", pillar=world.api, **arguments)
    assert world.peers(pillar)["agents"] == {"closed": "it has no credential"}
    assert "its flags are not known: " in world.peers(world.api)["agents"]["closed"]
