"""
What a state tells with test=True is what it then does, and its example runs: every state, applied
by the real Salt of both lines to fake daemons.
"""

import ast
import itertools
import json
from collections.abc import Callable
from typing import NamedTuple

import pytest
import yaml
from mesos_world import HOSTS, World, until

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

# Where a case is played.
MARATHON = ("marathon 1.4.13", "marathon 1.10.26")
CHRONOS = ("chronos 2.5.0", "chronos 3.0.2")
MESOS = ("mesos 1.4.3", "mesos 1.11.0")
DRAINING = ("mesos 1.9.0", "mesos 1.11.0")  # since when agents drain, and roles have limits

# State, and after a comma what is special: the places, the functions that are called there before,
# with their arguments; the arguments of the state; the paths of its changes.
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
        [f"/{each}" for each in HOSTS[:2]],
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

# Those that wait, fail where something is wrong, or act only if what they watch changes: by
# themselves they change nothing.
GATES = {
    "chronos.available": (CHRONOS, {}),
    "chronos.job_run": (CHRONOS, {"name": "x"}),
    "marathon.app_restarted": (MARATHON, {"name": "/x"}),
    "marathon.available": (MARATHON, {}),
    "marathon.step_allowed": (("package",), {"name": "1.8.244", "since": "1.6.0"}),
