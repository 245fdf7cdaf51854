"""
The levels of security: a new cluster at `authenticated`, then its way to `open` and back, with
tasks that run. Nobody gets in without credentials, and no secret is where it does not belong.
"""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import requests
import yaml
from cluster_lab import eventually

from lab import cluster

ROOT = Path(__file__).parents[2]
TOPOLOGY = {
    "nodes": {
        "lxcm01.devops.test": {"address": "172.31.250.10", "roles": []},
        "lxcc01.devops.test": {
            "address": "172.31.250.11",
            "roles": ["zookeeper", "mesos-master", "marathon"],
            "zookeeper_id": 1,
        },
        "lxcc02.devops.test": {"address": "172.31.250.12", "roles": ["chronos"]},
        "lxb*.devops.test": {"address": "172.31.250.64/26", "roles": ["mesos-slave", "docker"]},
    }
}
# Chronos 2.5.0 cannot authenticate. The old launcher of 2.4.0 needs its settings on no other node.
SETTINGS = """
common:
  security: {{level: {level}}}
  firewall: {{clients: [172.31.250.1]}}
{{% if grains.id == 'lxcc02.devops.test' %}}
chronos: {{version: 2.4.0, release: 0.1.20151007110204.el7}}
{{% endif %}}
"""
HOSTS = ["lxcm01", "lxcc01", "lxcc02", "lxb001"]
KEYS = ["common", "mesos", "marathon", "chronos", "topology"]
# Node -> the files with its secrets, without their ending.
FILES_BY_HOST = {
    "lxcm01": [],
    "lxcc01": ["marathon", "masters"],
    "lxcc02": ["chronos"],
    "lxb001": ["agents"],
}
MESOS, AGENT = "http://172.31.250.11:5050", "http://172.31.250.65:5051"
MARATHON, CHRONOS = "http://172.31.250.11:8080", "http://172.31.250.12:4400"
APIS = [
    f"{MESOS}/state",
    f"{MESOS}/metrics/snapshot",
    f"{MESOS}/api/v1",
    f"{AGENT}/state",
    f"{AGENT}/api/v1",
    f"{MARATHON}/v2/apps",
    f"{MARATHON}/",
    f"{CHRONOS}/scheduler/jobs",
    f"{CHRONOS}/",
]

# The other Salt line renders the same files, as tests/render shows.
pytestmark = pytest.mark.lines("3008")


def secrets_directory() -> Path:
    return cluster.topology_directory() / "secrets"


def pillar_file(name: str) -> dict:
    return yaml.safe_load((secrets_directory() / f"{name}.sls").read_text())


def secrets_in(name: str) -> set[str]:
    return set(re.findall("[0-9a-f]{64}", (secrets_directory() / f"{name}.sls").read_text()))


def set_level(level: str) -> None:
    (cluster.topology_directory() / "settings.sls").write_text(SETTINGS.format(level=level))


def make_secrets() -> None:
    """Make them with the script, since the pillar of a lab is read-only for its Salt master."""
    spec = importlib.util.spec_from_file_location("script", ROOT / "_runners/mesos_secrets.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script._main([str(cluster.topology_directory())]) == 0


def running_tasks() -> set[str]:
    """Return the ids of the tasks that run, asked with the password of the operator if needed."""
    login = ("operator", pillar_file("masters")["mesos"]["api"]["password"])
    answer = requests.get(f"{MESOS}/tasks?limit=1000", auth=login, timeout=10)
    return {task["id"] for task in answer.json()["tasks"] if task["state"] == "TASK_RUNNING"}


def registered(login: tuple[str, str] | None = None) -> tuple[int, set[str]]:
    """Return the number of active agents, and the names of active frameworks."""
    state = requests.get(f"{MESOS}/state", auth=login, timeout=10).json()
    names = {entry["name"] for entry in state["frameworks"] if entry["active"]}
    return state["activated_slaves"], {name.partition("-")[0] for name in names}


def statuses(urls: list[str]) -> dict[str, int]:
    return {url: requests.get(url, timeout=10).status_code for url in urls}


def test_a_level_without_its_secrets_is_refused_with_the_command_that_makes_them(secure):
    (cluster.topology_directory() / "topology.yaml").write_text(yaml.safe_dump(TOPOLOGY))
    set_level("authenticated")
    code, output = secure.orchestrate("deploy")
    assert code != 0 and "salt-run cluster.make_secrets" in output
    assert "mesos:master:secrets:credentials" in output
    assert secure.at("lxb001").run("ls -d /etc/mesos* 2>/dev/null || true") == ""


def test_the_runner_makes_the_secrets_once_and_reports_what_it_cannot_write(secure):
    secure.run("salt-run saltutil.sync_runners")
    secure.run("mkdir -p /root/pillar && touch /root/pillar/topology.yaml")
    command = "salt-run --out=json cluster.make_secrets"
    report = json.loads(secure.run(f"{command} directory=/root/pillar"))
    names = ["agents.sls", "chronos.sls", "marathon.sls", "masters.sls"]
    assert report["created"] == names and report["kept"] == []
    modes = secure.run("stat -c %a /root/pillar/secrets /root/pillar/secrets/*").split()
    assert modes == ["700", *["600"] * 4]
    again = json.loads(secure.run(f"{command} directory=/root/pillar"))
    assert again["created"] == [] and again["kept"] == names
    refusal = secure.execute("sh", "-c", command)
    assert refusal.returncode == 1 and "cannot be written" in refusal.stdout, refusal
    secure.run("rm -r /root/pillar")


def test_a_new_cluster_is_deployed_and_works(secure):
    make_secrets()
    secure.orchestrated("deploy")
    secure.orchestrated("apps")
    secure.orchestrated("verify")
    assert secure.converge_all(HOSTS) == {}


def test_no_api_answers_without_credentials(secure):
    assert statuses(APIS) == dict.fromkeys(APIS, 401)


def test_the_modules_and_runners_use_the_credentials(secure):
    status = secure.run("salt-run cluster.status")
    assert status.startswith("OK: ") and "credentials" not in status, status
    assert "True" in secure.at("lxcc01").run("salt-call mesos.agent_health 172.31.250.65")
    assert "mesos_agent_up 1" in secure.at("lxb001").run("salt-call cluster.metrics")


def test_an_agent_without_or_with_a_wrong_credential_is_not_registered(secure):
    agent = secure.at("lxb001")
    login = ("operator", pillar_file("masters")["mesos"]["api"]["password"])
    agent.run("mv /etc/mesos-slave/credential /root/ && systemctl restart mesos-slave")
    eventually(lambda: registered(login)[0] == 0)
    agent.run(
        "mv /root/credential /etc/mesos-slave/ && cp /etc/mesos/slave-secrets/credential /root/ && "
        'echo \'{"principal": "agent", "secret": "guess"}\' > /etc/mesos/slave-secrets/credential '
        "&& systemctl restart mesos-slave"
    )
    eventually(lambda: "refused authentication" in agent.run("journalctl -u mesos-slave"))
    assert registered(login)[0] == 0
    agent.run("cat /root/credential > /etc/mesos/slave-secrets/credential && rm /root/credential")
    agent.run("systemctl restart mesos-slave")
    eventually(lambda: registered(login)[0] == 1)


def test_each_node_has_its_own_secrets_and_shows_none(secure):
    everything = set().union(*map(secrets_in, ("agents", "chronos", "marathon", "masters")))
    for host, names in FILES_BY_HOST.items():
        node = secure.at(host)
        node_secrets = set().union(*map(secrets_in, names))
        # Salt 3008 shows asterisks without a key.
        pillar = "".join(node.run(f"salt-call --out=json pillar.raw {key}") for key in KEYS)
        assert set(re.findall("[0-9a-f]{64}", pillar)) == node_secrets, host
        texts = node.run(
            "(ps axww -o args; journalctl -q; systemctl show '*.service'; "
            "find /etc /var/log /var/lib/mesos /var/cache/salt -type f -perm /o=r -exec cat {} + "
            "2>/dev/null) | LC_ALL=C tr -cd '[:print:]\n'"
        )
        leaked = [secret for secret in everything if secret in texts]
        assert leaked == [], (host, len(leaked))


def test_the_masters_stop_to_demand_credentials_and_no_task_is_lost(secure):
    before = running_tasks()
    assert len(before) >= 3
    set_level("accepting")
    secure.orchestrated("deploy")
    assert running_tasks() == before
    assert statuses([f"{MESOS}/state", f"{AGENT}/state"]) == {
        f"{MESOS}/state": 200,
        f"{AGENT}/state": 200,
    }
    eventually(lambda: registered() == (1, {"marathon", "chronos"}))


def test_open_is_refused_while_the_secrets_are_assigned(secure):
    set_level("open")
    errors = secure.at("lxb001").apply()
    assert len(errors) == 1 and "common:security:level = open" in errors[0]


def test_the_cluster_is_open_without_secrets_and_says_so(secure):
    before = running_tasks()
    secrets_directory().rename(secrets_directory().with_name("away"))
    # Those that send credentials first: masters without any would refuse them.
    for host, sls in [
        ("lxb001", ["mesos.slave"]),
        ("lxcc01", ["marathon"]),
        ("lxcc02", ["chronos"]),
        ("lxcc01", ["mesos.master"]),
    ]:
        secure.at(host).converge(*sls)
    eventually(lambda: registered() == (1, {"marathon", "chronos"}))
    assert "demand no credentials" in secure.run("salt-run cluster.status")
    secrets_directory().with_name("away").rename(secrets_directory())
    assert running_tasks() == before


def test_a_running_cluster_does_not_go_from_open_to_authenticated_at_once(secure):
    set_level("authenticated")
    code, output = secure.orchestrate("deploy")
    assert code != 0 and "Set common:security:level: accepting first" in output, output
    assert "agent 172.31.250.65: it has no credential" in output
    # Nor do others begin to send what the masters do not know.
    results = secure.at("lxcc02").apply("chronos")
    failed = [state["__id__"] for state in results.values() if state["result"] is False]
    assert "chronos-masters-know-credentials" in failed
    assert registered() == (1, {"marathon", "chronos"})


def test_it_goes_there_in_two_steps_and_no_task_is_lost(secure):
    before = running_tasks()
    for level in ("accepting", "authenticated"):
        set_level(level)
        secure.orchestrated("deploy")
        assert running_tasks() == before
    assert statuses(APIS) == dict.fromkeys(APIS, 401)
    secure.orchestrated("verify")
    assert secure.converge_all(HOSTS) == {}
