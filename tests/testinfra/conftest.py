"""
Tests of a running node, in the lab, in Vagrant or kitchen, or on your own machines.

    pytest tests/testinfra --lab-host lxdev01
    pytest tests/testinfra --hosts=ssh://root@192.0.2.11

The mark ``role`` of a test selects nodes by their grain ``roles``. Expected values are the defaults
of the formulas for the node's release of EL, merged with the pillar of the node. SALT_CALL replaces
the command ``salt-call``: ``salt-call --config-dir /tmp/kitchen/etc/salt --local``.
"""

import functools
import json
import os
import time
from pathlib import Path

import pytest
import yaml

import testinfra.backend

FORMULAS = Path(__file__).parents[2] / "formulas"

# The longest that a daemon needs: one that started before its ZooKeeper is restarted.
WAIT_SECONDS = 90

testinfra.backend.BACKENDS["lab"] = "lab.testinfra_backend.LabBackend"


def pytest_configure(config):
    config.addinivalue_line("markers", "role(name, ...): only for nodes with one of these roles")
    config.addinivalue_line("markers", "without_role(name): only for nodes that lack this role")
    if config.getoption("--lab-host"):
        config.option.hosts = f"lab://{config.getoption('--lab-host')}"


def pytest_ignore_collect(config):
    """Require a host; without one testinfra would test this machine."""
    return None if config.option.hosts else True


def ask(host, question: str) -> object:
    """Return the JSON that ``salt-call`` on a node prints."""
    return json.loads(
        host.check_output(f"{os.environ.get('SALT_CALL', 'salt-call')} {question} --out=json")
    )["local"]


@functools.cache
def roles_of(host) -> frozenset[str]:
    """Return the roles of a node. The grain is a list or one string."""
    roles = ask(host, "--local grains.get roles")
    return frozenset(roles.split() if isinstance(roles, str) else roles)


@functools.cache
def pillar_of(host) -> dict:
    """Return the pillar of a node. Without ``unmask``, Salt 3008 shows asterisks."""
    return ask(host, "pillar.items unmask=True")


@functools.cache
def release_of(host) -> dict:
    """Return the settings of the node's release of EL, by formula."""
    releases = yaml.safe_load((FORMULAS / "common/releases.yaml").read_text())
    return releases[int(host.system_info.release.partition(".")[0])]["settings"]


def merge(defaults: dict, pillar: dict) -> dict:
    """Return the defaults merged with the pillar, as each formula's map.jinja does."""
    merged = dict(defaults)
    for key, value in pillar.items():
        old = merged.get(key)
        merged[key] = (
            merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged


def pytest_collection_modifyitems(config, items):
    """Deselect the tests of roles that a node does not have."""
    selected, deselected = [], []
    for item in items:
        node = getattr(item, "callspec", None) and item.callspec.params.get("_testinfra_host")
        fits = node is None or (
            all(roles_of(node) & set(mark.args) for mark in item.iter_markers("role"))
            and not any(
                roles_of(node) & set(mark.args) for mark in item.iter_markers("without_role")
            )
        )
        (selected if fits else deselected).append(item)
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = selected


@pytest.fixture
def roles(host) -> frozenset[str]:
    """The roles of the node."""
    return roles_of(host)


@pytest.fixture
def settings(host):
    """Return a function: name of a formula -> its settings on this node."""

    def settings(formula: str) -> dict:
        defaults = yaml.safe_load((FORMULAS / formula / "defaults.yaml").read_text())
        return merge(
            merge(defaults, release_of(host).get(formula, {})), pillar_of(host).get(formula) or {}
        )

    return settings


@pytest.fixture
def agent(settings) -> dict:
    """Names of the agent in the node's build of Mesos: ``unit``, ``flags``, ``environment``."""
    return yaml.safe_load((FORMULAS / "mesos/versions.yaml").read_text())[
        settings("mesos")["vendor"]
    ]["slave"]


@functools.cache
def deadline_of(host) -> float:
    """
    Return when the tests of a node stop waiting: WAIT_SECONDS after the first of them had to wait.

    All tests share it, so a node with a dead service costs this time once and not in every test.
    """
    return time.monotonic() + WAIT_SECONDS


def wait_for(host, call, condition):
    """Repeat a call until its result meets a condition or the deadline is over; return it."""
    result = call()
    while not condition(result) and time.monotonic() < deadline_of(host):
        time.sleep(0.5)
        result = call()
    return result


@pytest.fixture
def get(host):
    """Return a function: URL -> the response to curl on the node, once a server responds."""

    def get(url: str) -> str:
        answer = wait_for(
            host,
            lambda: host.run("curl --silent --show-error --fail --location --max-time 10 %s", url),
            lambda answer: answer.rc == 0,
        )
        assert answer.rc == 0, f"{url}: {answer.stderr}"
        return answer.stdout

    return get


@pytest.fixture
def settled(host, get):
    """
    Return a function: URL, condition -> the URL's JSON.

    The JSON meets the condition, unless the deadline is over.
    """
    return lambda url, condition: wait_for(host, lambda: json.loads(get(url)), condition)


@pytest.fixture
def listening(host) -> set[int]:
    """The TCP ports on which the node listens."""
    sockets = host.check_output("ss --listening --numeric --tcp").splitlines()[1:]
    return {int(socket.split()[3].rpartition(":")[2]) for socket in sockets}


@pytest.fixture
def runs(host):
    """Return a function that waits until a unit runs, and asserts that it is enabled."""

    def check(unit: str) -> None:
        service = host.service(unit)
        is_running = wait_for(host, lambda: service.is_running, bool)
        assert is_running, host.run("systemctl status --no-pager %s", unit).stdout
        assert service.is_enabled, unit

    return check


@pytest.fixture
def unit_property(host):
    """Return a function: unit, property such as ``KillMode`` -> its value in systemd."""
    return lambda unit, name: host.check_output(
        "systemctl show --property %s %s", name, unit
    ).partition("=")[2]
