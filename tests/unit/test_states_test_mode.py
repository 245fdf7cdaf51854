"""
Every state, applied to fake daemons by both lines of Salt: test=True predicts the changes of the
real run, and the example in the docstring runs.
"""

import ast
import itertools
import json
from collections.abc import Callable
from typing import NamedTuple

import pytest
import yaml
from mesos_world import HOSTS, MesosCluster, until

from lab import ROOT
from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

MODULES = ("chronos", "marathon", "mesos", "zk")
LOCAL = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
SMALL = {"cmd": "sleep 3600", "cpus": 0.1, "mem": 32}
TEAM = {**SMALL, "labels": {"team": "a"}}
POD = {
    "containers": [
        {
            "name": "a",
            "exec": {"command": {"shell": "sleep 3600"}},
            "resources": {"cpus": 0.1, "mem": 32},
        }
    ]
}
DOMAIN = {"fault_domain": {"region": {"name": "eu"}, "zone": {"name": "eu-1"}}}
JOB = {"command": "true", "schedule": "R/2030-01-01T00:00:00Z/PT24H"}
REPORT = {"command": "true", "parents": ["hello"], "description": "Reports"}

# The daemons, with version, that a case is applied to.
MARATHON = ("marathon 1.4.13", "marathon 1.10.26")
CHRONOS = ("chronos 2.5.0", "chronos 3.0.2")
MESOS = ("mesos 1.4.3", "mesos 1.11.0")
DRAINING = ("mesos 1.9.0", "mesos 1.11.0")  # 1.9 added draining and limits of roles

# State, and after a comma a variant: the daemons; the functions that are called first, with their
# arguments; the arguments of the state; the paths of its changes.
CASES = {
    "chronos.job_present, new": (CHRONOS, [], {"name": "hello", "config": JOB}, ["/"]),
    "chronos.job_present, merged": (
        CHRONOS,
        [("create_job", "hello", JOB)],
        {"name": "hello", "config": {"environmentVariables": {"LEVEL": 1}}},
        ["/environmentVariables/LEVEL"],
    ),
    "chronos.job_present, replaced": (
        CHRONOS,
        [("create_job", "hello", {**JOB, "owner": "me"})],
        {"name": "hello", "config": {**JOB, "retries": 5}, "mode": "replace"},
        ["/owner", "/retries"],
    ),
    "chronos.job_absent": (CHRONOS, [("create_job", "hello", JOB)], {"name": "hello"}, ["/"]),
    "chronos.job_absent, others run after it": (
        CHRONOS,
        [("create_job", "hello", JOB), ("create_job", "report", REPORT)],
        {"name": "hello", "children": "allow"},
        ["/", "report"],
    ),
    "chronos.jobs_present": (
        CHRONOS,
        [],
        {"jobs": {"report": REPORT, "hello": JOB}},
        ["hello", "report"],
    ),
    "chronos.jobs_present, purged": (
        CHRONOS,
        [("create_job", "hello", {**JOB, "ownerName": "me"})],
        {"jobs": {"day": JOB}, "owner_name": "me", "purge": True},
        ["day", "hello"],
    ),
    "marathon.app_present, new": (MARATHON, [], {"name": "/x", "config": SMALL}, ["/"]),
    "marathon.app_present, merged": (
        MARATHON,
        [("create_app", "/x", TEAM)],
        {"name": "/x", "config": {"labels": {"team": "b"}}},
        ["/labels/team"],
    ),
    "marathon.app_present, replaced": (
        MARATHON,
        [("create_app", "/x", TEAM)],
        {"name": "/x", "config": {**SMALL, "mem": 64}, "mode": "replace"},
        ["/labels/team", "/mem"],
    ),
    "marathon.app_present, unset": (
        MARATHON,
        [("create_app", "/x", TEAM)],
        {"name": "/x", "config": {}, "unset": ["labels"]},
        ["/labels/team"],
    ),
    "marathon.app_absent": (MARATHON, [("create_app", "/x", TEAM)], {"name": "/x"}, ["/"]),
    "marathon.app_running": (
        MARATHON,
        [("create_app", "/x", {**SMALL, "instances": 0})],
        {"name": "/x", "instances": 2},
        ["/instances"],
    ),
    "marathon.app_suspended": (
        MARATHON,
        [("create_app", "/x", SMALL)],
        {"name": "/x"},
        ["/instances"],
    ),
    "marathon.app_scaled": (
        MARATHON,
        [("create_app", "/x", SMALL)],
        {"name": "/x", "instances": 3},
        ["/instances"],
    ),
    "marathon.apps_present": (
        MARATHON,
        [
            ("create_app", "/x", TEAM),
            ("create_app", "/old", {**SMALL, "labels": {"MANAGED_BY": "salt"}}),
        ],
        {"name": "all", "apps": {"/x": {"mem": 64}, "/new": SMALL}, "purge": True},
        ["/new", "/old", "/x"],
    ),
    "marathon.group_absent": (
        MARATHON,
        [("create_app", "/x/y", SMALL)],
        {"name": "/x"},
        ["/x", "/x/y"],
    ),
    "marathon.group_present, new": (
        MARATHON,
        [],
        {"name": "/x", "apps": {"y": SMALL}},
        ["/x", "/x/y"],
    ),
    "marathon.group_present, purged": (
        MARATHON,
        [
            ("create_app", "/x/y", SMALL),
            ("create_app", "/x/z", SMALL),
            ("create_app", "/x/a/b", SMALL),
        ],
        {
            "name": "/x",
            "apps": {"y": {"mem": 64}},
            "groups": {},
            "dependencies": ["/x/y"],
            "purge": True,
        },
        ["/x", "/x/a", "/x/a/b", "/x/y", "/x/z"],
    ),
    "marathon.pod_present, new": (MARATHON, [], {"name": "/x", "config": POD}, ["/"]),
    "marathon.pod_present, merged": (
        MARATHON,
        [("create_pod", "/x", POD)],
        {"name": "/x", "config": {"labels": {"team": "b"}}},
        ["/labels/team"],
    ),
    "marathon.pod_absent": (MARATHON, [("create_pod", "/x", POD)], {"name": "/x"}, ["/"]),
    "mesos.agent_active": (
        DRAINING,
        [("deactivate_agent", HOSTS[3])],
        {"name": HOSTS[3]},
        ["/deactivated"],
    ),
    "mesos.agent_drained": (
        DRAINING,
        [],
        {"name": HOSTS[0], "max_grace_period": "10m"},
        ["/drain"],
    ),
    "mesos.agent_drained, gone": (
        DRAINING,
        [],
        {"name": HOSTS[0], "mark_gone": True, "wait": True},
        ["/"],
    ),
    "mesos.agent_identity_removed": (
        ("checkpoint",),
        [],
        {"unit": "stopped", "domain": DOMAIN},
        ["/drain", "/id"],
    ),
    "mesos.agents_gone": (
        ("mesos 1.8.1", "mesos 1.11.0"),
        [("add_maintenance_window", HOSTS[3], "now")],
        {"agents": [HOSTS[3]], "confirm": True},
        [f"/{HOSTS[3]}"],
    ),
    "mesos.agents_in_service": (
        MESOS,
        [("add_maintenance_window", HOSTS[3], "now")],
        {"agents": {"lxb004": HOSTS[3]}},
        ["/lxb004"],
    ),
    "mesos.agents_out_of_service": (
        MESOS,
        [],
        {"agents": {"lxb004": HOSTS[3]}},
        ["/lxb004"],
    ),
    "mesos.flags_managed": (
        ("directory",),
        [],
        {"flags": {"quorum": 2}, "secrets": {"credentials": "sesame"}},
        [".", "credentials", "quorum"],
    ),
    "mesos.framework_absent": (MESOS, [], {"name": "marathon", "confirm": True}, ["/"]),
    "mesos.machine_down": (
        MESOS,
        [("add_maintenance_window", HOSTS[1], "now")],
        {"name": HOSTS[1]},
        [f"/{HOSTS[1]}"],
    ),
    "mesos.machine_up": (
        MESOS,
        [("add_maintenance_window", HOSTS[1], "now"), ("machine_down", HOSTS[1], True)],
        {"name": HOSTS[1]},
        [f"/{HOSTS[1]}"],
    ),
    "mesos.maintenance_cancelled": (
        MESOS,
        [("add_maintenance_window", HOSTS[:2], "now")],
        {"machines": HOSTS[1]},
        [f"/{HOSTS[1]}"],
    ),
    "mesos.maintenance_scheduled": (
        MESOS,
        [],
        {"machines": HOSTS[:2], "start": "+1h", "duration": "2h"},
        [f"/{host}" for host in HOSTS[:2]],
    ),
    "mesos.maintenance_scheduled, moved": (
        MESOS,
        [("add_maintenance_window", HOSTS[:2], "now", "1h")],
        {"machines": HOSTS[:1], "start": "2030-01-01T00:00:00Z", "duration": "2h"},
        [f"/{HOSTS[0]}/duration", f"/{HOSTS[0]}/start"],
    ),
    "mesos.quota_absent": (
        MESOS,
        [("set_quota", "web", None, {"cpus": 1})],
        {"name": "web"},
        ["/guarantees/cpus"],
    ),
    "mesos.quota_present": (
        MESOS,
        [("set_quota", "web", None, {"cpus": 1})],
        {"name": "web", "guarantees": {"cpus": 2, "mem": 64}},
        ["/guarantees/cpus", "/guarantees/mem"],
    ),
    "mesos.quota_present, limits": (
        DRAINING,
        [("set_quota", "web", {"cpus": 2}, {"cpus": 1})],
        {"name": "web", "limits": {"mem": 1024}},
        ["/limits/cpus", "/limits/mem"],
    ),
    "mesos.weights_present": (MESOS, [], {"weights": {"web": 2, "batch": 1}}, ["/web"]),
}

# States that only wait or check, or that act if a watched state changes.
PASSIVE_CASES = {
    "chronos.available": (CHRONOS, {}),
    "chronos.available_without_member": (CHRONOS, {"member": "http://127.0.0.1:1"}),
    "chronos.job_run": (CHRONOS, {"name": "x"}),
    "marathon.app_restarted": (MARATHON, {"name": "/x"}),
    "marathon.available": (MARATHON, {}),
    "marathon.available_without_member": (MARATHON, {"member": "http://127.0.0.1:1"}),
    "marathon.leader_has_version": (("marathon 1.10.26",), {"version": "1.10.26"}),
    "marathon.step_allowed": (("package",), {"name": "1.8.244", "since": "1.6.0"}),
    "marathon.store_saved": (
        ("package",),
        {"name": "/m", "version": "1.8.244", "same_store": "1.8.207", "zookeeper": "localhost"},
    ),
    "mesos.agent_identity_stays": (("checkpoint",), {"reconfiguration_policy": "additive"}),
    "mesos.agents_registered": (MESOS, {"agents": [HOSTS[0]]}),
    "mesos.leader_available": (MESOS, {}),
    "mesos.agent_available": (("agent",), {}),
    "mesos.quorum_without_member": (MESOS, {"member": "http://127.0.0.1:1", "quorum": 1}),
    "zk.quorum_without_member": (("zk",), {"myid": 1}),
    "zk.ensemble_available": (("zk",), {}),
    "mesos.masters_know_credentials": (("master",), {}),
    "mesos.peers_authenticate": (("master",), {}),
    "mesos.master_log_stays": (("file",), {"record": "/nowhere", "quorum": 1}),
    "zk.data_stays": (("file",), {"config": "/nowhere", "record": "/nowhere"}),
    "zk.may_join": (("file",), {"config": "/nowhere"}),
    "zk.myid_stays": (("file",), {"myid": 1}),
    "zk.server_list_recorded": (("zk",), {"myid": 1}),
    "zk.step_allowed": (
        ("package",),
        {"name": "3.8.0", "package": "mesosphere-zookeeper", "since": "3.5.0"},
    ),
    "zk.path_stays": (("file",), {"path": "/mesos", "files": [], "configured_by": []}),
}

# The function, with its arguments, that must be called before the example of a state can run.
PREREQUISITES = {
    "mesos.agents_gone": ("add_maintenance_window", HOSTS[2], "now"),
    "marathon.app_running": ("create_app", "/web", SMALL),
    "marathon.app_scaled": ("create_app", "/web", SMALL),
    "marathon.app_suspended": ("create_app", "/web", SMALL),
    "marathon.group_present": ("create_app", "/net", SMALL),
    "mesos.machine_down": ("add_maintenance_window", HOSTS[1], "now"),
}

# Salt calls these if a watched state changes. They are not states of their own.
WATCH_FUNCTIONS = {"chronos.mod_watch", "marathon.mod_watch"}
# They remove what they start: see test_verification.py.
TRANSIENT_STATES = {"chronos.verified", "marathon.verified"}


class Target(NamedTuple):
    """
    The server or the file that a state is applied to.

    settings
        The arguments that select it.

    written
        Returns what was written to it up to now.

    is_quiet
        Returns whether nothing is running any more.
    """

    settings: dict
    written: Callable[[], object]
    is_quiet: Callable[[], bool] = lambda: True


@pytest.fixture
def start_target(salt, running, raw, tmp_path):
    """Return a function that starts a target, such as ``mesos 1.11.0``."""

    def framework(server_class, version, **options):
        agents = Agents(*(agent(host, {"rack": "r1"}) for host in HOSTS))
        options.update(servers=MemoryRoom(), agents=agents)
        return running(server_class(LOCAL, None, version, **options))

    def sent(server):
        return [request for request in server.requests if request.method not in ("GET", "HEAD")]

    def marathon(version):
        server = framework(Marathon, version)
        return Target(
            {"url": server.url},
            lambda: sent(server),
            lambda: not salt.call("marathon.deployments", url=server.url),
        )

    def chronos(version):
        server = framework(Chronos, version)
        server.loop = 0.05
        return Target({"url": server.url}, lambda: sent(server))

    def mesos(version):
        cluster = MesosCluster(salt, running, tmp_path, version=version)
        return Target({"url": cluster.url}, lambda: list(cluster.leader.heard))

    def mesos_master():
        credentials = tmp_path / "credentials"
        credentials.write_text('{"credentials": []}')
        cluster = MesosCluster(salt, running, tmp_path, f"--credentials={credentials}", hosts=())
        return Target({"url": cluster.url}, lambda: list(cluster.leader.heard))

    def mesos_agent():
        cluster = MesosCluster(salt, running, tmp_path)
        until(lambda: cluster.leader.agents)
        pid = next(iter(cluster.leader.agents.values())).pid
        url = f"http://{pid.partition('@')[2]}"
        return Target({"agent": url}, lambda: list(cluster.leader.heard))

    def zk():
        server = raw(b"Mode: standalone\n")
        settings = {"servers": {"1": server.address}, "port": server.port}
        return Target(settings, lambda: [request for request in server.heard if request != b"srvr"])

    def files(name):
        def written():
            return {
                str(path): (path.lstat().st_ino, path.lstat().st_mtime_ns)
                for path in tmp_path.rglob("*")
            }

        return Target({"name": str(tmp_path / name)}, written)

    def checkpoint():
        cluster = MesosCluster(salt, running, tmp_path)
        work_dir = tmp_path / HOSTS[0]
        latest = work_dir / "meta" / "slaves" / "latest"
        until(lambda: (latest / "slave.info").exists())
        [peer] = [
            peer for peer in cluster.leader.agents.values() if peer.info["hostname"] == HOSTS[0]
        ]
        settings = {
            "name": str(work_dir),
            "port": peer.info["port"],
            "attributes": {"rack": "r1"},
            "resources": {"cpus": 4, "mem": 2048, "disk": 4096},
            "hostname": HOSTS[0],
            "url": cluster.url,
        }
        return Target(settings, lambda: [*cluster.leader.heard, latest.is_symlink()])

    starters = {
        "agent": mesos_agent,
        "checkpoint": checkpoint,
        "master": mesos_master,
        "package": lambda: Target({}, lambda: None),
        "marathon": marathon,
        "chronos": chronos,
        "mesos": mesos,
        "zk": zk,
        "file": lambda: files("myid"),
        "directory": lambda: files("mesos-master"),
    }

    def start(daemon):
        service, *version = daemon.split()
        return starters[service](*version)

    return start


def parameters(table):
    """Return each case with each of its targets."""
    return [
        pytest.param(case, daemon, id=f"{case}: {daemon}")
        for case, (daemons, *_) in table.items()
        for daemon in daemons
    ]


def state_of(case):
    return case.partition(",")[0]


def test_each_state_has_a_case(salt):
    states = {
        state for module in MODULES for state in salt.loaded(module)["states"]
    } - WATCH_FUNCTIONS
    states -= TRANSIENT_STATES
    covered = {state_of(case) for case in (*CASES, *PASSIVE_CASES)}
    assert covered == states


@pytest.mark.parametrize("case, daemon", parameters(CASES))
def test_a_test_run_writes_nothing_and_predicts_the_changes_and_a_second_run_changes_nothing(
    salt, start_target, case, daemon
):
    target, state = start_target(daemon), state_of(case)
    _, calls, arguments, paths = CASES[case]
    for function, *positional in calls:
        salt.call(f"{state.partition('.')[0]}.{function}", *positional, **target.settings)
    until(target.is_quiet)
    written = target.written()
    predicted = salt(state, True, **target.settings, **arguments)
    assert (
        predicted["result"] is None
        and "would be" in predicted["comment"]
        and target.written() == written
    ), predicted
    applied = salt(state, **target.settings, **arguments)
    assert (
        applied["result"] is True
        and sorted(applied["changes"]) == paths
        and target.written() != written
    ), applied
    assert applied["changes"] == predicted["changes"]
    until(target.is_quiet)
    written = target.written()
    for test in (True, False):
        repeated = salt(state, test, **target.settings, **arguments)
        assert (repeated["result"], repeated["changes"]) == (
            True,
            {},
        ) and target.written() == written, repeated


@pytest.mark.parametrize("case, daemon", parameters(PASSIVE_CASES))
def test_a_state_that_only_waits_or_checks_changes_nothing(salt, start_target, case, daemon):
    target, arguments = start_target(daemon), PASSIVE_CASES[case][1]
    written = target.written()
    for test in (True, False):
        answer = salt(state_of(case), test, **target.settings, **arguments)
        assert (answer["result"], answer["changes"]) == (True, {}), answer
    assert target.written() == written


class Loader(yaml.SafeLoader):
    """A YAML loader that reads a timestamp as text, as Salt does."""


Loader.add_constructor("tag:yaml.org,2002:timestamp", Loader.construct_scalar)


def example_of(state):
    """Return the YAML in the docstring of a state."""
    module, function = state.split(".")
    parsed = ast.parse((ROOT / "_states" / f"{module}.py").read_text())
    text = next(
        ast.get_docstring(node)
        for node in parsed.body
        if isinstance(node, ast.FunctionDef) and node.name == function
    )
    lines = text.partition(".. code-block:: yaml\n")[2].splitlines()
    return yaml.load(
        "\n".join(itertools.takewhile(lambda line: not line or line.startswith("    "), lines)),
        Loader,
    )


@pytest.mark.parametrize("state", sorted({state_of(case) for case in (*CASES, *PASSIVE_CASES)}))
def test_the_example_of_each_state_runs_as_printed(salt, start_target, state):
    cases = {**CASES, **PASSIVE_CASES}.items()
    daemons = next(daemons for case, (daemons, *_) in cases if state_of(case) == state)
    target = start_target(daemons[-1])
    salt.serve("apps/cart.json", json.dumps(SMALL))
    if state in PREREQUISITES:
        function, *positional = PREREQUISITES[state]
        salt.call(f"{state.partition('.')[0]}.{function}", *positional, **target.settings)
    high = {}
    for number, (id_, body) in enumerate(example_of(state).items(), 1):
        ((called, argument_list),) = body.items()
        assert called == state
        arguments = {name: value for argument in argument_list for name, value in argument.items()}
        arguments.pop("watch", None)  # the watched state is not in the example
        module, function = called.split(".")
        declared = [{name: value} for name, value in {**arguments, **target.settings}.items()]
        high[id_] = {
            module: [function, {"order": number}, *declared],
            "__sls__": "unit",
            "__env__": "base",
        }
    # Passive states would wait in vain, and the flag directories are those of this machine.
    is_test_run = state in {*(state_of(case) for case in PASSIVE_CASES), "mesos.flags_managed"}
    answers = salt.call("state.high", high, test=is_test_run)
    assert isinstance(answers, dict) and len(answers) == len(high), answers
    for answer in answers.values():
        assert answer["result"] is not False, answer
