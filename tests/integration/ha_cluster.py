"""The cluster of the topology ``ha``: its hosts, leaders, and responses of its services."""

import contextlib
import json
import re
from dataclasses import dataclass

import requests
from cluster_lab import eventually

from lab import hosts

CONTROL = {"lxcc01": "172.31.250.11", "lxcc02": "172.31.250.12", "lxcc03": "172.31.250.13"}
AGENTS = {f"lxb00{number}": f"172.31.250.{64 + number}" for number in range(1, 5)}
HOSTS = ["lxcm01", *CONTROL, *AGENTS]
NAMES = {address: name for name, address in CONTROL.items()}
UNITS = ("zookeeper", "mesos-master", "marathon", "chronos")
# Seconds. A ZooKeeper session lasts up to 40, and the new leader needs time to start.
ELECTION_TIMEOUT = 60
# How long no master may lead when its leader was restarted. Its session in ZooKeeper lasts 10
# seconds, and it does not end it when it stops.
ELECTION_SECONDS = 25


def get(host: str, port: int, path: str, **options) -> requests.Response:
    address = CONTROL.get(host) or AGENTS[host]
    return requests.get(f"http://{address}:{port}{path}", timeout=5, **options)


def zookeeper_modes(lab) -> dict[str, str]:
    """Return the mode of each server that is running and serves."""
    modes = {}
    for host in CONTROL:
        if hosts.running(host):
            result = lab.at(host).execute("sh", "-c", "printf srvr | nc -w 2 localhost 2181")
            for mode in re.findall(r"^Mode: (\w+)$", result.stdout, re.MULTILINE):
                modes[host] = mode
    return modes


def persistent_znodes(lab, host: str) -> int:
    """Return the number of znodes that a server has, without those that end with a session."""
    response = lab.at(host).run("printf mntr | nc -w 2 localhost 2181")
    counts = dict(re.findall(r"^(zk_\w+)\s+(\d+)$", response, re.MULTILINE))
    return int(counts["zk_znode_count"]) - int(counts["zk_ephemerals_count"])


def zookeeper_leader(lab) -> str:
    return next((host for host, mode in zookeeper_modes(lab).items() if mode == "leader"), "")


def is_leading_master(host: str) -> bool:
    """Return whether a master runs and leads. A standby answers 307."""
    try:
        return get(host, 5050, "/state", allow_redirects=False).status_code == 200
    except OSError:
        return False


def mesos_leader(_lab) -> str:
    leaders = [host for host in CONTROL if is_leading_master(host)]
    assert len(leaders) <= 1, leaders
    return leaders[0] if leaders else ""


def framework_leader(port: int, path: str) -> str:
    """Return the leader that all servers name, or an empty string if they do not agree."""
    leaders = set()
    for host in CONTROL:
        try:
            leaders.add(get(host, port, path).json()["leader"].partition(":")[0])
        except OSError:
            continue
    return NAMES[leaders.pop()] if len(leaders) == 1 else ""


def marathon_leader(_lab) -> str:
    return framework_leader(8080, "/v2/leader")


def chronos_leader(_lab) -> str:
    return framework_leader(4400, "/scheduler/leader")


def active_frameworks(master: str) -> set[str]:
    return {
        framework["name"]
        for framework in get(master, 5050, "/state").json()["frameworks"]
        if framework["active"]
    }


def check_healthy(lab, servers: int = 3, agents: int = 4) -> None:
    """Assert a quorum, a leader of each kind, and active agents and frameworks."""
    eventually(
        lambda: sorted(zookeeper_modes(lab).values()) == ["follower"] * (servers - 1) + ["leader"],
        ELECTION_TIMEOUT,
    )
    leader = eventually(lambda: mesos_leader(lab), ELECTION_TIMEOUT)
    eventually(
        lambda: get(leader, 5050, "/state").json()["activated_slaves"] == agents, ELECTION_TIMEOUT
    )
    eventually(lambda: active_frameworks(leader) == {"marathon", "chronos"}, ELECTION_TIMEOUT)
    eventually(lambda: marathon_leader(lab), ELECTION_TIMEOUT)
    eventually(lambda: chronos_leader(lab), ELECTION_TIMEOUT)


def control_node_with_all_services(lab, *hosts: str) -> str:
    """
    Return one of these control nodes that has all of its services.

    A daemon that loses leadership exits, and systemd restarts it after a minute.
    """

    def has_all_services(host: str) -> bool:
        return lab.at(host).run(f"systemctl is-active {' '.join(UNITS)} || true").split() == [
            "active"
        ] * len(UNITS)

    return eventually(lambda: next(filter(has_all_services, hosts), None), 90)


def check_rejoined(lab, host: str) -> None:
    """Assert that a booted host runs its services, needs no change, and the cluster is healthy."""
    control_node_with_all_services(lab, host)
    check_healthy(lab)
    assert lab.at(host).converge() == {}


def check_module_leaders(lab) -> None:
    """Assert that the modules report the same leaders as the services."""
    minion = lab.at("lxcm01")
    leader = json.loads(minion.run("salt-call mesos.leader --out=json"))["local"]
    assert leader["url"] == f"http://{CONTROL[mesos_leader(lab)]}:5050"
    assert (
        len(json.loads(minion.run("salt-call mesos.agents active=True --out=json"))["local"]) == 4
    )
    assert CONTROL[marathon_leader(lab)] in minion.run("salt-call marathon.leader")
    assert CONTROL[chronos_leader(lab)] in minion.run("salt-call chronos.leader")
    ensemble = json.loads(lab.at("lxcc01").run("salt-call zk.ensemble --out=json"))["local"]
    assert sorted(server["mode"] for server in ensemble.values()) == [
        "follower",
        "follower",
        "leader",
    ]


def running_tasks(app: str) -> list[dict]:
    """Return the running tasks of an app."""
    leader = eventually(lambda: framework_leader(8080, "/v2/leader"))
    tasks = get(leader, 8080, f"/v2/apps/{app}/tasks").json()["tasks"]
    return [task for task in tasks if task["state"] == "TASK_RUNNING"]


def served_pages(app: str) -> list[str]:
    """Return the pages that the tasks of an app serve on their published ports."""
    return [
        requests.get(f"http://{task['host']}:{task['ports'][0]}/", timeout=5).text
        for task in running_tasks(app)
    ]


def wait_for_pages(app: str, instances: int = 1) -> list[str]:
    """Wait until ``instances`` tasks of an app serve a page, and return the pages."""
    return eventually(lambda: len(bodies := served_pages(app)) == instances and bodies)


@dataclass
class App:
    """An app of Marathon."""

    name: str
    instances: int

    def addresses(self) -> list[str]:
        """Return the address of the agent of each running task."""
        return [task["host"] for task in running_tasks(self.name)]

    def wait_until_moved(self, *addresses: str) -> None:
        """Wait until all instances run, and none of them on these agents."""

        def has_moved() -> bool:
            current = self.addresses()
            return len(current) == self.instances and not set(current) & set(addresses)

        # Marathon hears of it after Mesos.
        eventually(has_moved, 60)


def agent_host(ha, task: dict):
    """Return the host on which a task runs."""
    return ha.at({address: host for host, address in AGENTS.items()}[task["host"]])


# --- an app with a fixed port ---

# One of those that the agents offer. Marathon starts at most one task of the app on each agent.
APP_PORT = 31999
APP = {
    "id": "/fixed-port",
    "cmd": "mkdir -p /www && echo $HOST > /www/index.html && exec httpd -f -p 80 -h /www",
    "container": {
        "type": "DOCKER",
        "docker": {"image": "busybox"},
        "portMappings": [{"containerPort": 80, "hostPort": APP_PORT}],
    },
    "networks": [{"mode": "container/bridge"}],
    "cpus": 0.1,
    "mem": 32,
    "instances": 2,
}


@contextlib.contextmanager
def app_on_fixed_port():
    """Run a container on two agents, and remove it at the end. The value is its port."""
    request_app("PUT", APP)
    wait_for_pages("fixed-port", instances=2)
    yield APP_PORT
    request_app("DELETE")


def request_app(method: str, definition: dict | None = None) -> None:
    leader = eventually(lambda: framework_leader(8080, "/v2/leader"), ELECTION_TIMEOUT)
    url = f"http://{CONTROL[leader]}:8080/v2/apps/fixed-port?force=true"
    requests.request(method, url, json=definition, timeout=10).raise_for_status()


# --- changes of all nodes at once ---

# One option of each service. The one of Docker cannot be reloaded.
CHANGED = {
    "zookeeper": {"options": {"syncLimit": 6}},
    "mesos": {
        "master": {"flags": {"max_completed_frameworks": 40}},
        "slave": {"flags": {"executor_shutdown_grace_period": "6secs"}},
    },
    "marathon": {"options": {"task_launch_timeout": 310000}},
    "chronos": {"options": {"failure_retry": 61000}},
    "docker": {"options": {"log-opts": {"max-size": "60m"}}},
}
SERVICES = {
    **{host: ("zookeeper", "mesos-master", "marathon", "chronos") for host in CONTROL},
    **{host: ("docker", "mesos-slave") for host in AGENTS},
}


def start_times(lab) -> dict[tuple[str, str], str]:
    """Return when each daemon has started, by host and unit."""
    return {
        (host, unit): lab.at(host).start_time(unit)
        for host, units in SERVICES.items()
        for unit in units
    }


def downtimes(lab, unit: str) -> list[tuple[int, int]]:
    """
    Return when a daemon was stopped and started last, in microseconds, for each host, in order.

    All hosts of the lab have the same monotonic clock.
    """
    command = f"systemctl show -p ActiveExitTimestampMonotonic {unit} | cut -d= -f2; "
    command += f"systemctl show -p ActiveEnterTimestampMonotonic {unit} | cut -d= -f2"
    hosts_of_unit = [host for host, units in SERVICES.items() if unit in units]
    return sorted(tuple(map(int, lab.at(host).run(command).split())) for host in hosts_of_unit)


def starts_since(lab, seconds: float) -> dict[tuple[str, str], int]:
    """Return how often systemd has started each daemon since a time, by host and unit."""
    # The message "Started UNIT".
    query = f"journalctl -q -o cat --since @{int(seconds)} "
    query += "MESSAGE_ID=39f53479d3a045ac8e11786248231fbf UNIT="
    return {
        (host, unit): int(lab.at(host).run(f"{query}{unit}.service | wc -l"))
        for host, units in SERVICES.items()
        for unit in units
    }


# Prints the znodes below /salt-mesos, each with the transactions that last changed it.
LIST_TURN_ZNODES = """
import json, sys
sys.path.insert(0, "/var/cache/salt/minion/extmods/modules")
import _zookeeper_client
paths, znodes = ["/salt-mesos"], {}
with _zookeeper_client.Client("localhost:2181") as client:
    while paths:
        path = paths.pop()
        znodes[path] = client.exists(path)
        paths += [path + "/" + name for name in client.children(path)]
print(json.dumps(znodes))
"""


def turn_znodes(lab) -> dict[str, list]:
    """Return the znodes below /salt-mesos, with their versions and last transactions."""
    return json.loads(lab.at("lxcc01").python(LIST_TURN_ZNODES))


def apply_all(lab, pillar: dict | None = None, target: str = "*"):
    """Run ``salt '*' state.apply``, whatever its result. ``target`` is a compound target."""
    extra = [f"pillar={json.dumps(pillar)}"] if pillar else []
    options = ("--timeout=900", "--out=json", "--static", "--compound")
    return lab.call("salt", *options, target, "state.apply", *extra)


def failures(done) -> list[str]:
    """Return the failed states, or what was printed instead of results."""
    return [
        f"{host}: {state if isinstance(states, list) else state['comment']}"
        for host, states in json.loads(done.stdout).items()
        for state in (states.values() if isinstance(states, dict) else states)
        if isinstance(states, list) or state["result"] is False
    ]


def changes(done) -> dict[str, dict[str, str]]:
    """Return the changes of the daemons by host, from the output of ``state.apply``."""
    return daemon_changes(json.loads(done.stdout))


def daemon_changes(results: dict[str, dict]) -> dict[str, dict[str, str]]:
    """Return the changes of the daemons by host, from the results by minion id."""
    return {
        host.partition(".")[0]: {
            name: change
            for key, state in states.items()
            if key.startswith("daemon_|")
            for name, change in state["changes"].items()
        }
        for host, states in results.items()
    }


def turns(lab) -> dict:
    return json.loads(lab.at("lxcc01").run("salt-call cluster.turns --out=json"))["local"]


def no_turn_is_left(lab) -> bool:
    status = turns(lab)
    return not (status["control-nodes"] or status["agents"]) and not any(status["unready"].values())


def failed_tasks() -> dict[str, str]:
    """
    Map the id of each failed or lost task to its state. A mapping, because the order of the tasks
    depends on the leader.
    """
    state = get(mesos_leader(None), 5050, "/state").json()
    tasks = [task for entry in state["frameworks"] for task in entry["completed_tasks"]]
    states = {task["id"]: task["state"] for task in tasks}
    return {
        id_: state for id_, state in states.items() if state not in ("TASK_KILLED", "TASK_FINISHED")
    }


def failed_tasks_since(before: dict[str, str]) -> dict[str, str]:
    """
    Return the tasks that have failed or were lost since ``before``.

    A new leader knows earlier tasks only if their agents report them.
    """
    return {id_: state for id_, state in failed_tasks().items() if id_ not in before}


def agent_ids() -> dict[str, str]:
    """Return the id of each agent that the leader has registered, by address."""
    state = get(eventually(lambda: mesos_leader(None)), 5050, "/state").json()
    return {agent["hostname"]: agent["id"] for agent in state["slaves"]}


def active_agents() -> int:
    """Return the number of active agents: four, and those that other tests have added."""
    return get(eventually(lambda: mesos_leader(None)), 5050, "/state").json()["activated_slaves"]
