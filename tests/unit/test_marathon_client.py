"""The client ``marathon`` from PyPI, an independent program, against fakes of several versions."""

import collections
import collections.abc
import contextlib

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
from mesos_world import until

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
    """Return a function that starts a Marathon and returns a client, without proxy and netrc."""

    def start(*options, servers=None, **client_options):
        server = running(
            Marathon(
                [*LOCAL, *options], None, version, servers=servers or MemoryRoom(), agents=mesos
            )
        )
        return client_of(server.url, **client_options)

    return start


@pytest.fixture(autouse=True)
def older_python(monkeypatch):
    """Provide the name that the client uses and Python 3.10 removed."""
    monkeypatch.setattr(collections, "Iterable", collections.abc.Iterable, raising=False)


@pytest.fixture
def client(connect):
    return connect()


def client_of(*urls, **options):
    session = requests.Session()
    session.trust_env = False
    return MarathonClient(list(urls), session=session, timeout=5, **options)


def wait_for_deployments(client):
    """Wait until no deployment is running."""
    until(lambda: not client.list_deployments(), "the deployments")


@pytest.fixture
def web(client):
    """A running app with two instances."""
    client.create_app(
        "/web",
        MarathonApp(cmd="sleep 3600", cpus=0.1, mem=32, instances=2, labels={"tier": "front"}),
    )
    wait_for_deployments(client)
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


def test_apps_are_filtered_by_command_id_and_label(client, web):
    client.create_app("/other", MarathonApp(cmd="sleep 1", instances=0))
    assert [app.id for app in client.list_apps(cmd="3600")] == ["/web"]
    assert [app.id for app in client.list_apps(app_id="OTH")] == ["/other"]
    assert [app.id for app in client.list_apps(label="tier==front")] == ["/web"]
    assert client.list_apps(label="tier notin (front, back)") == []


def test_an_app_is_updated_scaled_and_rolled_back(client, web):
    version = client.get_app(web).version
    assert set(client.update_app(web, MarathonApp(cmd="sleep 7200"))) == {"version", "deploymentId"}
    wait_for_deployments(client)
    client.scale_app(web, instances=3)
    wait_for_deployments(client)
    app = client.get_app(web)
    assert (app.cmd, app.instances, app.tasks_running, app.labels) == (
        "sleep 7200",
        3,
        3,
        {"tier": "front"},
    )
    assert len(client.list_versions(web)) == 3
    client.rollback_app(web, version)
    wait_for_deployments(client)
    assert (client.get_app(web).cmd, client.get_app(web).instances) == ("sleep 3600", 2)
    versions = sorted(client.list_versions(web))
    assert client.get_version(web, versions[-2]).cmd == "sleep 7200"


def test_a_restart_replaces_all_tasks(client, web):
    before = {task.id for task in client.list_tasks(web)}
    client.restart_app(web)
    wait_for_deployments(client)
    assert before.isdisjoint(task.id for task in client.list_tasks(web))


def test_deleting_an_app_kills_its_tasks(client, web, mesos):
    client.delete_app(web)
    wait_for_deployments(client)
    assert (client.list_apps(), client.list_tasks()) == ([], [])
    assert {status["state"] for status in mesos.tasks.values()} == {"TASK_KILLED"}


def test_several_apps_are_updated_in_one_request(client, web):
    client.update_apps(
        [MarathonApp(id="/web", instances=1), MarathonApp(id="/new", cmd="sleep 60")]
    )
    wait_for_deployments(client)
    assert {app.id: app.instances for app in client.list_apps()} == {"/web": 1, "/new": 1}


def test_a_killed_task_is_replaced_unless_the_app_is_scaled(client, web):
    task, other_task = client.list_tasks(web)
    assert client.kill_task(web, task.id).id == task.id
    until(
        lambda: len(client.list_tasks(web)) == 2
        and task.id not in {task.id for task in client.list_tasks(web)},
        "a new task",
    )
    client.kill_given_tasks([other_task.id], scale=True)
    wait_for_deployments(client)
    assert (
        client.get_app(web).instances,
        other_task.id in {task.id for task in client.list_tasks(web)},
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
    wait_for_deployments(client)
    assert {app.id: app.dependencies for app in client.list_apps()} == {
        "/shop/cart": ["/shop/db"],
        "/shop/db": [],
    }
    if version.startswith("1.10"):
        # 1.9 added the field, and the client does not know it.
        with pytest.raises(TypeError, match="enforce_role"):
            client.get_group("/shop")
    else:
        assert [group.id for group in client.list_groups()] == ["/shop"]
        assert [app.id for app in client.get_group("/shop").apps] == ["/shop/cart", "/shop/db"]
    client.scale_group("/shop", 2)
    wait_for_deployments(client)
    assert {app.instances for app in client.list_apps()} == {2}
    client.delete_group("/shop")
    wait_for_deployments(client)
    assert (client.list_groups(), client.list_apps()) == ([], [])
    with pytest.raises(NotFoundError, match="Group '/shop' does not exist"):
        client.get_group("/shop")


def test_a_deployment_without_offers_is_listed_locks_its_app_and_can_be_rolled_back(connect, mesos):
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
    wait_for_deployments(client)
    assert client.list_apps() == []


def test_a_deployment_is_cancelled_with_force_without_a_new_one(connect, mesos):
    mesos.agents.clear()
    client = connect()
    client.create_app("/big", MarathonApp(cmd="sleep 60"))
    client.delete_deployment(client.list_deployments()[0].id, force=True)
    assert (client.list_deployments(), [app.id for app in client.list_apps()]) == ([], ["/big"])


def test_an_app_that_waits_for_offers_is_in_the_queue(connect, mesos, version):
    mesos.agents.clear()
    client = connect()
    client.create_app("/big", MarathonApp(cmd="sleep 60"))
    if version.startswith("1.10"):
        # 1.9 added the field, and the client does not know it.
        with pytest.raises(TypeError, match="role"):
            client.list_queue()
    else:
        (item,) = client.list_queue()
        assert (item.app.id, item.count, item.delay.overdue) == ("/big", 1, True)


def test_the_delay_of_a_failing_app_is_reset(client, mesos):
    client.create_app("/sick", MarathonApp(cmd="exit 1", backoff_seconds=3600))
    failure = until(lambda: client.get_app("/sick").last_task_failure, "the failure")
    assert (failure.state, failure.message, len(mesos.launched)) == (
        "TASK_FAILED",
        "Command exited with status 1",
        1,
    )
    client.reset_delay("/sick")
    until(lambda: len(mesos.launched) == 2, "the next attempt")


def test_info_leader_and_ping(client, version):
    info = client.get_info()
    assert (info.name, info.version, info.elected) == ("marathon", version, True)
    assert client.get_leader() == {"leader": info.leader}
    assert b"pong" in client.ping()


def test_a_leader_that_abdicates_leaves_its_state_to_the_next_one(connect, mesos):
    servers = MemoryRoom()
    client, standby = connect(servers=servers), connect(servers=servers)
    client.create_app("/web", MarathonApp(cmd="sleep 60"))
    wait_for_deployments(client)
    task_ids = [task.id for task in client.list_tasks()]
    assert "abdicated" in client.delete_leader()["message"]
    both_servers = client_of(client.servers[0], standby.servers[0])

    def standby_leads():
        with contextlib.suppress(InternalServerError):  # there is no leader for a moment
            return both_servers.get_leader()["leader"] == standby.servers[0].removeprefix("http://")

    until(standby_leads, "the other leader")
    assert [task.id for task in both_servers.list_tasks()] == task_ids


def test_each_kind_of_error_has_its_own_exception(client, web, version):
    with pytest.raises(NotFoundError, match="App '/none' does not exist"):
        client.get_app("/none")
    with pytest.raises(ConflictError, match=r"An app with id \[/web\] already exists"):
        client.create_app("/web", MarathonApp(cmd="sleep 60"))
    with pytest.raises(MarathonHttpError, match="Object is not valid") as error_info:
        client.create_app("/bad", MarathonApp(cmd="sleep 60", args=["a"]))
    assert (error_info.value.status_code, error_info.value.error_details[0]["path"]) == (422, "/")
    with pytest.raises(MarathonHttpError, match="Invalid JSON") as error_info:
        client.create_app("/bad", MarathonApp(cmd=5))
    assert error_info.value.status_code == (400 if version.startswith("1.4") else 422)
    with pytest.raises(NotFoundError, match="DeploymentPlan none does not exist"):
        client.delete_deployment("none")


def test_a_password_is_required(connect):
    assert (
        connect("--http_credentials", "ops:secret", username="ops", password="secret").list_apps()
        == []
    )
    with pytest.raises(MarathonHttpError) as error_info:
        connect("--http_credentials", "ops:secret", username="ops", password="wrong").list_apps()
    assert error_info.value.status_code == 401


def test_the_next_server_is_used_if_one_is_down(client, nobody):
    assert client_of(nobody, *client.servers).list_apps() == []
    with pytest.raises(NoResponseError):
        client_of(nobody).list_apps()


def test_the_event_stream_reports_a_deployment(client):
    client.sse_session.trust_env = False
    events = client.event_stream(
        raw=True, event_types=["event_stream_attached", "deployment_success"]
    )
    assert "event_stream_attached" in next(events)
    client.create_app("/web", MarathonApp(cmd="sleep 60"))
    assert "deployment_success" in next(events)
