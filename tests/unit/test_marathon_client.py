"""
The client ``marathon`` from PyPI, which no one here wrote, against the fake of several versions.
"""

import collections
import collections.abc
import contextlib
import time

import pytest
import requests
from marathon import MarathonClient
from marathon.exceptions import (
    ConflictError,
    InternalServerError,
    MarathonHttpError,
    NoResponseError,
    NotFoundError,
)
from marathon.models import MarathonApp, MarathonGroup

from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

LOCAL = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]


@pytest.fixture(params=["1.4.13", "1.8.244", "1.10.26"])
def version(request):
    return request.param


@pytest.fixture
def mesos():
    return Agents(agent("lxb001.devops.test"), agent("lxb002.devops.test"))


@pytest.fixture
def connect(running, version, mesos):
    """
    Start a Marathon and return a client of it, which hears of no proxy and no password from the
    environment.
    """

    def start(*options, servers=None, **named):
        server = running(
            Marathon(
                [*LOCAL, *options], None, version, servers=servers or MemoryRoom(), agents=mesos
            )
        )
        return client_of(server.url, **named)

    return start


@pytest.fixture(autouse=True)
def older_python(monkeypatch):
    """Give the client the name that it still uses and Python 3.10 removed."""
    monkeypatch.setattr(collections, "Iterable", collections.abc.Iterable, raising=False)


@pytest.fixture
def client(connect):
    return connect()


def client_of(*urls, **named):
    session = requests.Session()
    session.trust_env = False
    return MarathonClient(list(urls), session=session, timeout=5, **named)


def until(true, what):
    deadline = time.monotonic() + 10
    while not (found := true()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.01)
    return found


def deployed(client):
    """Wait until nothing is being deployed."""
    until(lambda: not client.list_deployments(), "the deployments")


@pytest.fixture
def web(client):
    """An app of two instances that runs."""
    client.create_app(
        "/web",
        MarathonApp(cmd="sleep 3600", cpus=0.1, mem=32, instances=2, labels={"tier": "front"}),
    )
    deployed(client)
    return "/web"


def test_an_app_that_was_created_runs_and_is_listed(client, web):
    assert [app.id for app in client.list_apps()] == ["/web"]
    app = client.get_app(web)
    assert (app.cmd, app.cpus, app.mem, app.instances, app.tasks_running) == (
        "sleep 3600",
        0.1,
        32,
        2,
        2,
    )
    assert {task.host for task in app.tasks} <= {"lxb001.devops.test", "lxb002.devops.test"}


def test_apps_are_found_by_command_id_and_label(client, web):
    client.create_app("/other", MarathonApp(cmd="sleep 1", instances=0))
    assert [app.id for app in client.list_apps(cmd="3600")] == ["/web"]
    assert [app.id for app in client.list_apps(app_id="OTH")] == ["/other"]
    assert [app.id for app in client.list_apps(label="tier==front")] == ["/web"]
    assert client.list_apps(label="tier notin (front, back)") == []


def test_an_app_is_updated_scaled_and_rolled_back(client, web):
    first = client.get_app(web).version
    assert set(client.update_app(web, MarathonApp(cmd="sleep 7200"))) == {"version", "deploymentId"}
    deployed(client)
    client.scale_app(web, instances=3)
    deployed(client)
    app = client.get_app(web)
    assert (app.cmd, app.instances, app.tasks_running, app.labels) == (
        "sleep 7200",
        3,
        3,
        {"tier": "front"},
    )
    assert len(client.list_versions(web)) == 3
    client.rollback_app(web, first)
    deployed(client)
    assert (client.get_app(web).cmd, client.get_app(web).instances) == ("sleep 3600", 2)
    versions = sorted(client.list_versions(web))
    assert client.get_version(web, versions[-2]).cmd == "sleep 7200"


def test_a_restart_replaces_all_tasks(client, web):
    before = {task.id for task in client.list_tasks(web)}
    client.restart_app(web)
    deployed(client)
    assert before.isdisjoint(task.id for task in client.list_tasks(web))


def test_an_app_that_was_deleted_is_gone_with_its_tasks(client, web, mesos):
    client.delete_app(web)
    deployed(client)
    assert (client.list_apps(), client.list_tasks()) == ([], [])
    assert {status["state"] for status in mesos.tasks.values()} == {"TASK_KILLED"}


def test_several_apps_are_updated_at_once(client, web):
    client.update_apps(
        [MarathonApp(id="/web", instances=1), MarathonApp(id="/new", cmd="sleep 60")]
    )
    deployed(client)
    assert {app.id: app.instances for app in client.list_apps()} == {"/web": 1, "/new": 1}


def test_a_killed_task_is_replaced_unless_the_app_is_scaled(client, web):
    first, second = client.list_tasks(web)
    assert client.kill_task(web, first.id).id == first.id
    until(
        lambda: len(client.list_tasks(web)) == 2
        and first.id not in {task.id for task in client.list_tasks(web)},
        "a new task",
    )
    client.kill_given_tasks([second.id], scale=True)
    deployed(client)
    assert (
        client.get_app(web).instances,
        second.id in {task.id for task in client.list_tasks(web)},
    ) == (1, False)


def test_all_tasks_of_an_app_are_killed_on_one_host(client, web):
    host = client.list_tasks(web)[0].host
    expected = {task.id for task in client.list_tasks(web) if task.host == host}
    assert {task.id for task in client.kill_tasks(web, host=host)} == expected
    until(
        lambda: len(client.list_tasks(web)) == 2
        and expected.isdisjoint(t.id for t in client.list_tasks(web)),
        "new tasks",
    )


def test_groups_are_created_scaled_and_deleted(client, version):
    apps = [
        MarathonApp(id="cart", cmd="sleep 60", dependencies=["db"]),
        MarathonApp(id="db", cmd="sleep 60"),
    ]
    client.create_group(MarathonGroup(id="/shop", apps=apps))
    deployed(client)
    assert {app.id: app.dependencies for app in client.list_apps()} == {
        "/shop/cart": ["/shop/db"],
        "/shop/db": [],
    }
    if version.startswith("1.10"):
        with pytest.raises(
            TypeError, match="enforce_role"
        ):  # which 1.9 added, and the client does not know
            client.get_group("/shop")
    else:
        assert [group.id for group in client.list_groups()] == ["/shop"]
        assert [app.id for app in client.get_group("/shop").apps] == ["/shop/cart", "/shop/db"]
    client.scale_group("/shop", 2)
    deployed(client)
    assert {app.instances for app in client.list_apps()} == {2}
    client.delete_group("/shop")
    deployed(client)
    assert (client.list_groups(), client.list_apps()) == ([], [])
    with pytest.raises(NotFoundError, match="Group '/shop' does not exist"):
        client.get_group("/shop")


def test_a_deployment_without_offers_is_seen_locks_and_is_taken_back(connect, mesos):
    mesos.agents.clear()
    client = connect()
    client.create_app("/big", MarathonApp(cmd="sleep 60"))
    (deployment,) = client.list_deployments()
    assert (deployment.affected_apps, deployment.current_actions[0].action) == (
        ["/big"],
        "ScaleApplication",
    )
    with pytest.raises(ConflictError, match="App is locked"):
        client.update_app("/big", MarathonApp(cmd="sleep 61"))
    client.delete_deployment(deployment.id)
    deployed(client)
    assert client.list_apps() == []


def test_a_deployment_is_cancelled_by_force_without_a_new_one(connect, mesos):
    mesos.agents.clear()
    client = connect()
    client.create_app("/big", MarathonApp(cmd="sleep 60"))
    client.delete_deployment(client.list_deployments()[0].id, force=True)
    assert (client.list_deployments(), [app.id for app in client.list_apps()]) == ([], ["/big"])


def test_what_waits_for_offers_is_in_the_queue(connect, mesos, version):
    mesos.agents.clear()
    client = connect()
    client.create_app("/big", MarathonApp(cmd="sleep 60"))
    if version.startswith("1.10"):
        with pytest.raises(
            TypeError, match="role"
        ):  # which 1.9 added, and the client does not know
            client.list_queue()
    else:
        (item,) = client.list_queue()
        assert (item.app.id, item.count, item.delay.overdue) == ("/big", 1, True)


def test_the_delay_of_an_app_that_fails_is_reset(client, mesos):
    client.create_app("/sick", MarathonApp(cmd="exit 1", backoff_seconds=3600))
    failure = until(lambda: client.get_app("/sick").last_task_failure, "the failure")
    assert (failure.state, failure.message, len(mesos.launched)) == (
        "TASK_FAILED",
        "Command exited with status 1",
        1,
    )
    client.reset_delay("/sick")
    until(lambda: len(mesos.launched) == 2, "the next try")


def test_info_leader_and_ping(client, version):
    info = client.get_info()
    assert (info.name, info.version, info.elected) == ("marathon", version, True)
    assert client.get_leader() == {"leader": info.leader}
    assert b"pong" in client.ping()


def test_a_leader_that_is_deleted_leaves_all_to_the_next(connect, mesos):
    servers = MemoryRoom()
    client, other = connect(servers=servers), connect(servers=servers)
    client.create_app("/web", MarathonApp(cmd="sleep 60"))
    deployed(client)
    before = [task.id for task in client.list_tasks()]
    assert "abdicated" in client.delete_leader()["message"]
    both = client_of(client.servers[0], other.servers[0])

    def other_leads():
        with contextlib.suppress(InternalServerError):  # nobody leads for a moment
            return both.get_leader()["leader"] == other.servers[0].removeprefix("http://")

    until(other_leads, "the other one")
    assert [task.id for task in both.list_tasks()] == before


def test_errors_are_told_apart(client, web, version):
    with pytest.raises(NotFoundError, match="App '/none' does not exist"):
        client.get_app("/none")
    with pytest.raises(ConflictError, match=r"An app with id \[/web\] already exists"):
        client.create_app("/web", MarathonApp(cmd="sleep 60"))
    with pytest.raises(MarathonHttpError, match="Object is not valid") as raised:
        client.create_app("/bad", MarathonApp(cmd="sleep 60", args=["a"]))
    assert (raised.value.status_code, raised.value.error_details[0]["path"]) == (422, "/")
    with pytest.raises(MarathonHttpError, match="Invalid JSON") as raised:
        client.create_app("/bad", MarathonApp(cmd=5))
    assert raised.value.status_code == (400 if version.startswith("1.4") else 422)
    with pytest.raises(NotFoundError, match="DeploymentPlan none does not exist"):
        client.delete_deployment("none")


def test_a_password_is_asked_for(connect):
    assert (
        connect("--http_credentials", "ops:secret", username="ops", password="secret").list_apps()
        == []
    )
    with pytest.raises(MarathonHttpError) as raised:
        connect("--http_credentials", "ops:secret", username="ops", password="wrong").list_apps()
    assert raised.value.status_code == 401


def test_the_next_server_is_asked_where_one_is_down(client, nobody):
    assert client_of(nobody, *client.servers).list_apps() == []
    with pytest.raises(NoResponseError):
        client_of(nobody).list_apps()


def test_events_tell_of_a_deployment(client):
    client.sse_session.trust_env = False
    events = client.event_stream(
        raw=True, event_types=["event_stream_attached", "deployment_success"]
    )
    assert "event_stream_attached" in next(events)
    client.create_app("/web", MarathonApp(cmd="sleep 60"))
    assert "deployment_success" in next(events)
