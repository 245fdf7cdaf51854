"""
salt-run cluster.backup and cluster.restore, with fake servers and a real ZooKeeper. The real Salt
calls the execution functions; only the bus between the master and the minions is left out.
"""

import base64
import getpass
import json
import os
import stat
import subprocess
import types
from pathlib import Path
from unittest import mock

import pytest
import runner_modules
import zookeeper_server
from mesos_world import MesosCluster, until

from lab import ROOT, SALT_LINES, saltenv
from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

# One process runs all tests that need a ZooKeeper.
pytestmark = [pytest.mark.lines("3008"), pytest.mark.xdist_group("zookeeper")]

NODE = "cc01"
SECRET = "sesame"
APP = {"cmd": "sleep 3600", "cpus": 0.1, "mem": 32, "env": {"PASSWORD": SECRET}}
POD = {
    "containers": [
        {
            "name": "a",
            "exec": {"command": {"shell": "sleep 3600"}},
            "resources": {"cpus": 0.1, "mem": 32},
        }
    ]
}
JOB = {"command": "echo hello", "schedule": "R/2030-01-01T00:00:00.000Z/PT24H"}
CHILD = {"command": "echo report", "parents": ["day"]}
LOCAL = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]


runner = runner_modules.load("mesos_backup")
Client = zookeeper_server.client_module().Client


class LocalCluster(runner.Cluster):
    """A cluster of one node whose minion is that of the tests."""

    def __init__(self, world):
        topology = {"nodes": {NODE: world.roles}}
        super().__init__(None, {}, topology, [NODE], 5)
        self._world = world

    def call(self, nodes, function, arguments=None):
        arguments = arguments or {}
        if function == "service.status":
            return {node: (True, dict(self._world.units)) for node in nodes}
        if function == "pkg.list_pkgs":
            return {node: (True, {"mesos": "1.11.0", "bash": "5"}) for node in nodes}
        self._world.calls.append((function, arguments))
        positional = ()
        if function == "cluster.part":
            # Salt's minion of the tests has an argument called function itself.
            positional = [arguments[name] for name in ("function", "arguments", "offset")]
            arguments = {}
        answers = {}
        for node in nodes:
            try:
                result = self._world.call(function, *positional, **arguments)
                answers[node] = (True, result)
            except self._world.salt.Error as error:
                answers[node] = (False, f"ERROR: {error}")
        return answers


class World:
    """The servers of a cluster, and its Salt master, whose runner is called by methods."""

    def __init__(self, salt, directory: Path, servers: dict):
        self.salt, self.directory = salt, directory
        self.roles = list(servers)
        self.pillar = {}
        self.units = {"marathon": False, "chronos": False, "mesos-master": False}
        self.calls = []
        self.options = {"id": "cm01", "cluster.backup_directory": str(directory)}
        for role, server in servers.items():
            self.replace(role, server)

    def replace(self, role: str, server) -> None:
        """Use another server."""
        if role == "zookeeper":
            self.pillar["zookeeper"] = {"servers": {1: "127.0.0.1"}, "client_port": server.port}
        else:
            service = role.partition("-")[0]
            self.pillar[service] = {"url": server.url, "retries": 0}

    def call(self, function: str, *positional, **arguments):
        return self.salt.call(function, *positional, pillar=self.pillar, **arguments)

    def run(self, function, *positional, **arguments) -> dict:
        """Call a function of the runner, as a scheduler does, and return its data."""
        world = self

        class Context:
            def __enter__(self):
                return LocalCluster(world)

            def __exit__(self, *_):
                pass

        with mock.patch.multiple(
            runner,
            create=True,
            _cluster=lambda _timeout, _cluster: Context(),
            __opts__=self.options,
            __context__={},
            __salt__={"pillar.show_pillar": lambda minion: self.pillar},
        ):
            data = function(*positional, **arguments)
        assert "Traceback" not in json.dumps(data)
        assert SECRET not in json.dumps(data)
        return data

    def backup(self, **arguments) -> dict:
        data = self.run(runner.backup, **arguments)
        assert data["retcode"] == 0, data
        return data

    def restore(self, name="latest", **arguments) -> dict:
        data = self.run(runner.restore, name, **arguments)
        assert data["retcode"] == 0, data
        return data

    def fails(self, function, *positional, **arguments) -> str:
        """Return the error of a function of the runner."""
        data = self.run(function, *positional, **arguments)
        assert data["retcode"] == 1
        assert data["steps"][-1] == f"Error: {data['error']}"
        return data["error"]

    def writes(self) -> list[str]:
        """Return the functions that have changed something."""
        reads = ("cluster.part", "mesos.diff_quota", "mesos.diff_weights")
        return [
            function
            for function, arguments in self.calls
            if function not in reads and not arguments.get("dry_run")
        ]

    def settle(self) -> None:
        until(lambda: not self.call("marathon.deployments"))


def marathon_server(running, version="1.8.244"):
    agents = Agents(*(agent(f"lxb00{number}.devops.test", {}) for number in (1, 2)))
    return running(Marathon(LOCAL, None, version, servers=MemoryRoom(), agents=agents))


def chronos_server(running, version="3.0.2"):
    agents = Agents(agent("lxb001.devops.test", {}))
    server = Chronos(LOCAL, None, version, servers=MemoryRoom(), agents=agents)
    server.loop = 0.05
    return running(server)


@pytest.fixture
def frameworks(salt, running, tmp_path) -> World:
    """A cluster with Marathon and Chronos, with two apps, a pod, a group and two jobs."""
    servers = {"marathon": marathon_server(running), "chronos": chronos_server(running)}
    world = World(salt, tmp_path / "backups", servers)
    world.call("marathon.create_app", "/shop/cart", APP)
    world.call("marathon.create_app", "/web", {**APP, "instances": 2})
    world.call("marathon.create_pod", "/pod", POD)
    world.settle()
    world.call("marathon.create_group", "/empty", {})
    world.call("chronos.create_job", "day", JOB)
    world.call("chronos.create_job", "a-report", CHILD)
    return world


def replace_frameworks(world, running) -> None:
    """Let the world have a new Marathon of another version, and a new Chronos."""
    world.replace("marathon", marathon_server(running, "1.10.26"))
    world.replace("chronos", chronos_server(running))


@pytest.fixture
def mesos(salt, running, tmp_path) -> World:
    """A cluster with Mesos alone, with a quota, weights and a maintenance schedule."""
    cluster = MesosCluster(salt, running, tmp_path / "mesos", "--cluster=unit")
    world = World(salt, tmp_path / "backups", {"mesos-master": cluster.leader})
    world.call("mesos.set_quota", "web", limits={"cpus": 2, "mem": 512})
    world.call("mesos.set_weights", {"web": 3})
    world.call("mesos.add_maintenance_window", ["lxb001.devops.test"], "2040-01-01T00:00:00Z", "1h")
    return world


@pytest.fixture
def znodes(salt, zookeeper, tmp_path) -> World:
    """A cluster with ZooKeeper alone, with binary data below /marathon."""
    world = World(salt, tmp_path / "backups", {"zookeeper": zookeeper})
    with Client(zookeeper.address) as client:
        delete_tree(client, "/marathon")
        client.ensure_path("/marathon/state")
        client.set("/marathon/state", bytes(range(256)))
        client.create("/marathon/state/framework:id", b"id")
        client.create("/marathon/leader-1", b"", ephemeral=True)
    return world


def delete_tree(client, path: str) -> None:
    if client.exists(path):
        for name in client.children(path):
            delete_tree(client, f"{path}/{name}")
        client.delete(path)


def backup_path(world, data) -> Path:
    return world.directory / data["name"]


# --- backup ---


def test_only_the_owner_may_read_a_backup(frameworks):
    path = backup_path(frameworks, frameworks.backup())
    assert stat.S_IMODE(frameworks.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    files = sorted(path.iterdir())
    assert [file.name for file in files] == [
        "chronos.json",
        "manifest.json",
        "marathon.json",
        "settings.json",
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_the_manifest_has_counts_versions_and_checksums(frameworks):
    data = frameworks.backup()
    manifest = json.loads((backup_path(frameworks, data) / "manifest.json").read_text())
    assert data["counts"] == {"apps": 2, "pods": 1, "groups": 1, "jobs": 2}
    assert manifest["counts"] == data["counts"]
    assert manifest["versions"] == {"marathon": "1.8.244", "chronos": "API 3"}
    assert manifest["cluster"] == "cm01"
    assert all(len(entry["sha256"]) == 64 for entry in manifest["files"].values())


def test_the_settings_are_the_topology_and_the_versions_of_packages(frameworks):
    path = backup_path(frameworks, frameworks.backup())
    settings = json.loads((path / "settings.json").read_text())
    assert settings == {
        "topology": {"nodes": {NODE: ["marathon", "chronos"]}},
        "packages": {NODE: {"mesos": "1.11.0"}},
    }


def test_an_interrupted_backup_leaves_nothing_behind(frameworks, nobody):
    frameworks.pillar["chronos"] = {"url": nobody, "retries": 0}
    error = frameworks.fails(runner.backup)
    assert error.startswith("chronos.jobs fails on each node with the role chronos: cc01: ")
    assert list(frameworks.directory.iterdir()) == []


def test_a_backup_that_was_killed_is_reported_and_is_no_backup(frameworks):
    killed = frameworks.directory / ".incomplete-2030-01-01T00-00-00Z"
    killed.mkdir(parents=True)
    error = frameworks.fails(runner.restore, "latest")
    assert error.startswith(f"{frameworks.directory} has no complete backup.")
    step = frameworks.backup()["steps"][0]
    assert step == f"{killed} is left from an interrupted backup. Remove it if none is running."


def rename_backup(world, name: str) -> Path:
    """Give the latest backup another date."""
    path = backup_path(world, world.backup())
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["name"] = name
    manifest["checksum"] = runner._manifest_checksum(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path.rename(world.directory / name)


def test_old_backups_are_removed_and_nothing_else(frameworks):
    old = rename_backup(frameworks, "2020-01-01T00-00-00Z")
    extended = rename_backup(frameworks, "2020-01-02T00-00-00Z")
    (extended / "notes.txt").write_text("mine")
    incomplete = frameworks.directory / "2020-01-03T00-00-00Z"
    incomplete.mkdir()
    data = frameworks.backup(keep=1)
    assert data["removed"] == ["2020-01-01T00-00-00Z"]
    assert not old.exists()
    assert f"{extended} is not removed: notes.txt is not part of the backup." in data["steps"]
    names = sorted(path.name for path in frameworks.directory.iterdir())
    assert names == ["2020-01-02T00-00-00Z", "2020-01-03T00-00-00Z", data["name"]]


def test_each_cluster_has_a_directory_of_its_own(bus_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "__opts__", {"id": "cm01"}, raising=False)
    cluster = bus_cluster({"cc01": False})
    assert runner._directory(tmp_path, cluster) == tmp_path
    cluster.topology["cluster"] = "ulm"
    assert runner._directory(tmp_path, cluster) == tmp_path / "ulm"
    assert runner._directory(None, cluster) == Path("/var/lib/salt-mesos/backups/ulm")
    assert runner._cluster_name(cluster) == "ulm"


@pytest.mark.parametrize("keep", [0, -1, True, "two"])
def test_keep_is_a_positive_number(frameworks, keep):
    error = frameworks.fails(runner.backup, keep=keep)
    assert error == f"keep: {keep!r} should be a number of backups, 1 or more."


def test_an_empty_list_of_jobs_is_read_again(bus_cluster, monkeypatch):
    monkeypatch.setattr(runner, "SETTLE_SECONDS", 0)
    cluster = bus_cluster({"cc01": False})
    lists = [{}, {"day": JOB}]
    monkeypatch.setattr(cluster, "read", lambda *_: lists.pop(0))
    assert runner._read_jobs(cluster) == {"day": JOB}


# --- restore ---


def test_apps_and_jobs_are_restored_to_a_new_cluster_of_another_version(frameworks, running):
    jobs = frameworks.call("chronos.jobs")
    frameworks.backup()
    replace_frameworks(frameworks, running)
    data = frameworks.restore()
    assert data["changes"] is True
    assert [app["id"] for app in frameworks.call("marathon.apps")] == ["/shop/cart", "/web"]
    app = frameworks.call("marathon.app", "/web")
    assert app["instances"] == 2 and app["env"] == {"PASSWORD": SECRET}
    assert frameworks.call("marathon.pod_exists", "/pod")
    assert frameworks.call("marathon.group_exists", "/empty")
    assert frameworks.call("chronos.jobs") == jobs


def test_a_restore_can_be_repeated_and_then_writes_nothing(frameworks, running):
    frameworks.backup()
    replace_frameworks(frameworks, running)
    frameworks.restore()
    frameworks.settle()
    version = frameworks.call("marathon.app", "/web")["version"]
    data = frameworks.restore()
    assert data["changes"] is False
    assert "The apps, pods and groups are equal to the backup." in data["steps"]
    assert "The jobs are equal to the backup." in data["steps"]
    assert frameworks.call("marathon.app", "/web")["version"] == version


def test_the_test_mode_shows_what_would_be_done_and_writes_nothing(frameworks, running):
    frameworks.backup()
    replace_frameworks(frameworks, running)
    data = frameworks.restore(test=True)
    assert data["changes"] is True
    assert "Would restore the apps /shop/cart, /web." in data["steps"]
    assert "Would restore the jobs a-report, day." in data["steps"]
    assert data["steps"][-1] == "Nothing was changed, as test=True."
    assert frameworks.call("marathon.apps") == []
    assert frameworks.call("chronos.jobs") == {}


def test_a_running_cluster_is_refused_and_what_runs_is_named(frameworks):
    frameworks.backup()
    frameworks.call("marathon.create_app", "/new", APP)
    frameworks.call("marathon.update_app", "/web", {"instances": 1})
    frameworks.call("chronos.create_job", "night", JOB)
    frameworks.calls.clear()
    error = frameworks.fails(runner.restore, "latest")
    assert error.startswith("The cluster runs the apps /new, /web, the jobs night, which differ")
    assert frameworks.writes() == []
    frameworks.settle()
    frameworks.restore(force=True)
    assert frameworks.call("marathon.app", "/web")["instances"] == 2
    assert frameworks.call("marathon.app_exists", "/new")


def test_one_app_is_restored_to_a_running_cluster(frameworks):
    frameworks.backup()
    frameworks.call("marathon.update_app", "/web", {"instances": 1})
    frameworks.call("marathon.delete_app", "/shop/cart")
    frameworks.settle()
    frameworks.restore(app="shop/cart")
    assert frameworks.call("marathon.app", "/shop/cart")["env"] == {"PASSWORD": SECRET}
    assert frameworks.call("marathon.app", "/web")["instances"] == 1


def test_one_job_is_restored(frameworks):
    frameworks.backup()
    frameworks.call("chronos.delete_job", "a-report")
    frameworks.call("chronos.update_job", "day", {"retries": 7})
    frameworks.restore(job="a-report")
    jobs = frameworks.call("chronos.jobs")
    assert jobs["a-report"]["parents"] == ["day"]
    assert jobs["day"]["retries"] == 7


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"app": "/none"}, "app: /none is not in the backup "),
        ({"pod": ["/none"]}, "pod: /none is not in the backup "),
        ({"job": "none"}, "job: none is not in the backup "),
        ({"quotas": True}, "The backup "),
        ({"znodes": "/marathon"}, "The backup "),
    ],
)
def test_what_is_not_in_the_backup_is_an_error(frameworks, arguments, message):
    frameworks.backup()
    assert frameworks.fails(runner.restore, "latest", **arguments).startswith(message)


def test_missed_runs_are_not_made_up_for(frameworks, running):
    past = {"command": "echo past", "schedule": "R5/2026-01-01T00:30:00.000Z/PT1H"}
    path = backup_path(frameworks, frameworks.backup())
    change_content(path, "chronos.json", lambda jobs: jobs.update(day={**jobs["day"], **past}))
    replace_frameworks(frameworks, running)
    data = frameworks.restore()
    job = frameworks.call("chronos.job", "day")
    assert job["schedule"].startswith("R5/20") and ":30:00.000Z/PT1H" in job["schedule"]
    assert job["successCount"] == 0 and not frameworks.call("chronos.summary")["failing"]
    assert any(step.startswith("The job day has the schedule R5/") for step in data["steps"])
    assert frameworks.restore()["changes"] is False


def test_a_missed_single_run_leaves_the_job_disabled(frameworks, running):
    single = {"command": "echo past", "schedule": "R1/2026-06-01T00:00:00.000Z/PT0S"}
    path = backup_path(frameworks, frameworks.backup())
    change_content(path, "chronos.json", lambda jobs: jobs.update(day={**jobs["day"], **single}))
    replace_frameworks(frameworks, running)
    data = frameworks.restore()
    job = frameworks.call("chronos.job", "day")
    assert job["disabled"] is True and job["successCount"] == 0
    step = "The job day is disabled, as the time of its only run is in the past."
    assert step in data["steps"]
    assert frameworks.restore()["changes"] is False


def test_quotas_weights_and_maintenance_are_restored(mesos):
    path = backup_path(mesos, mesos.backup())
    assert json.loads((path / "manifest.json").read_text())["cluster"] == "unit"
    schedule = mesos.call("mesos.maintenance_schedule")
    mesos.call("mesos.remove_quota", "web")
    mesos.call("mesos.set_weights", {"web": 1})
    mesos.call("mesos.set_maintenance_schedule", [], confirm=True)
    assert mesos.restore()["changes"] is True
    assert mesos.call("mesos.quota", "web")["limits"] == {"cpus": 2, "mem": 512}
    assert mesos.call("mesos.weight", "web") == 3
    assert mesos.call("mesos.maintenance_schedule") == schedule
    mesos.calls.clear()
    assert mesos.restore()["changes"] is False
    assert mesos.writes() == []


def test_guarantees_are_restored_to_a_mesos_without_limits(salt, running, tmp_path):
    server = MesosCluster(salt, running, tmp_path / "mesos", version="1.8.1").leader
    world = World(salt, tmp_path / "backups", {"mesos-master": server})
    world.call("mesos.set_quota", "web", guarantees={"cpus": 1})
    world.backup()
    world.call("mesos.remove_quota", "web")
    assert world.restore()["changes"] is True
    assert world.call("mesos.quota", "web") == {"guarantees": {"cpus": 1}, "limits": {}}
    assert world.restore()["changes"] is False


def test_quotas_alone_are_restored(mesos):
    mesos.backup()
    mesos.call("mesos.remove_quota", "web")
    mesos.call("mesos.set_weights", {"web": 1})
    mesos.restore(quotas=True)
    assert mesos.call("mesos.quota", "web")["limits"] == {"cpus": 2, "mem": 512}
    assert mesos.call("mesos.weight", "web") == 1


# --- damaged backups ---


def change_content(path: Path, name: str, change) -> None:
    """Change a file of a backup, and the manifest with it."""
    content = json.loads((path / name).read_text())
    change(content)
    data = runner._dump(content)
    (path / name).write_bytes(data)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"][name]["sha256"] = runner.hashlib.sha256(data).hexdigest()
    manifest["checksum"] = runner._manifest_checksum(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


def flip_bit(path):
    data = bytearray((path / "marathon.json").read_bytes())
    data[len(data) // 2] ^= 1
    (path / "marathon.json").write_bytes(data)


def truncate(path):
    os.truncate(path / "chronos.json", 10)


def remove(path):
    (path / "chronos.json").unlink()


def edit_manifest(path):
    text = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(text.replace('"cm01"', '"cm02"'))


def lose_app(path):
    change_content(path, "marathon.json", lambda content: content["apps"].pop())


@pytest.mark.parametrize(
    "damage, message",
    [
        (flip_bit, "marathon.json is damaged: its SHA-256 checksum is not "),
        (truncate, "chronos.json is damaged: its SHA-256 checksum is not "),
        (remove, "chronos.json is missing. The backup is damaged."),
        (edit_manifest, "manifest.json is damaged: its own SHA-256 checksum differs."),
        (lose_app, "manifest.json: it counts 2 apps, and the files have 1. "),
    ],
)
def test_a_damaged_backup_is_refused_and_the_file_is_named(frameworks, damage, message):
    path = backup_path(frameworks, frameworks.backup())
    damage(path)
    frameworks.calls.clear()
    error = frameworks.fails(runner.restore, path.name)
    assert error.startswith(f"{path}/{message}")
    assert frameworks.calls == []


# --- znodes ---


def test_znodes_are_restored_byte_by_byte_and_new_ones_deleted(znodes, zookeeper):
    data = znodes.backup()
    with Client(zookeeper.address) as client:
        client.set("/marathon/state", b"")
        client.delete("/marathon/state/framework:id")
        client.ensure_path("/marathon/new/child")
        assert znodes.restore(znodes="/marathon", test=True)["changes"] is True
        assert client.get("/marathon/state")[0] == b""
        assert znodes.restore(data["name"], znodes="/marathon")["changes"] is True
        assert client.get("/marathon/state")[0] == bytes(range(256))
        assert client.get("/marathon/state/framework:id")[0] == b"id"
        assert not client.exists("/marathon/new")
        assert znodes.restore(znodes="/marathon")["changes"] is False


def test_ephemeral_znodes_are_not_in_a_backup(znodes, zookeeper):
    with Client(zookeeper.address) as client:
        client.create("/marathon/leader-2", b"", ephemeral=True)
        path = backup_path(znodes, znodes.backup())
    lines = (path / "znodes.jsonl").read_text().splitlines()
    paths = [json.loads(line)["path"] for line in lines]
    assert "/marathon/state/framework:id" in paths
    assert not [name for name in paths if name.startswith("/marathon/leader-")]


def test_znodes_of_a_running_daemon_are_refused(znodes, zookeeper, monkeypatch):
    znodes.roles.append("marathon")
    znodes.units["marathon"] = True
    znodes.roles.remove("marathon")
    znodes.backup()
    znodes.roles.append("marathon")
    error = znodes.fails(runner.restore, "latest", znodes="/marathon")
    assert error.startswith("marathon runs on cc01 and uses /marathon. Stop it on all nodes: ")
    znodes.units["marathon"] = False
    monkeypatch.setattr(runner, "SESSION_TIMEOUT", 0)
    with Client(zookeeper.address) as client:
        client.create("/marathon/leader-3", b"", ephemeral=True)
        error = znodes.fails(runner.restore, "latest", znodes="/marathon")
    assert error == (
        "A daemon still has a session with ZooKeeper after 0 seconds: /marathon/leader-3. Stop it."
    )


def test_the_session_of_a_stopped_daemon_may_expire_during_the_restore(
    znodes, zookeeper, monkeypatch
):
    znodes.backup()
    with Client(zookeeper.address) as client:
        client.create("/marathon/leader-3", b"", ephemeral=True)
        monkeypatch.setattr(runner.time, "sleep", lambda _: client.delete("/marathon/leader-3"))
        data = znodes.restore("latest", znodes="/marathon")
    assert data["steps"][-3:-1] == [
        "Waiting until sessions with ZooKeeper have expired: /marathon/leader-3.",
        "The znodes at /marathon are equal to the backup.",
    ]


def test_pages_of_an_export_make_up_all_znodes(znodes, zookeeper):
    with Client(zookeeper.address) as client:
        for number in range(5):
            client.create(f"/marathon/big-{number}", os.urandom(200 * 1024))
        client.create("/marathon/big-2/child", b"small")
    page = znodes.call("zk.export", "/marathon")
    assert page["next"] is not None
    complete = runner._export(LocalCluster(znodes), "/marathon")[0]
    paths = [znode["path"] for znode in complete]
    assert paths == [
        "/marathon",
        "/marathon/big-0",
        "/marathon/big-1",
        "/marathon/big-2",
        "/marathon/big-2/child",
        "/marathon/big-3",
        "/marathon/big-4",
        "/marathon/state",
        "/marathon/state/framework:id",
    ]
    assert max(len(base64.b64decode(znode["data"])) for znode in complete) == 200 * 1024


def test_an_acl_is_restored(znodes, zookeeper):
    with Client(zookeeper.address) as client:
        acl = [zookeeper_server.client_module().Acl(1, "world", "anyone")]
        client.create("/marathon/read-only", b"x", acl=acl)
        znodes.backup()
        client.delete("/marathon/read-only")
        znodes.restore(znodes="/marathon")
        assert client.acl("/marathon/read-only") == acl


def test_a_znode_that_exceeds_one_answer_is_read_in_parts(znodes, zookeeper):
    data = os.urandom(900 * 1024)
    with Client(zookeeper.address) as client:
        client.create("/marathon/huge", data)
    znodes.calls.clear()
    [znode] = runner._export(LocalCluster(znodes), "/marathon/huge")[0]
    assert base64.b64decode(znode["data"]) == data
    assert len(znodes.calls) > 2
    parts = [znodes.call("cluster.part", "zk.export", {"path": "/marathon/huge"}, 0)]
    assert len(json.dumps(parts[0])) < 1024 * 1024 < parts[0]["length"]


def test_a_result_that_keeps_changing_is_an_error(znodes, zookeeper):
    cluster = LocalCluster(znodes)
    with Client(zookeeper.address) as client:
        client.create("/marathon/huge", b"")
        answer = cluster.call

        def call(*arguments):
            client.set("/marathon/huge", os.urandom(900 * 1024))
            return answer(*arguments)

        cluster.call = call
        with pytest.raises(runner.BackupError, match="changed each time while it was read"):
            runner._export(cluster, "/marathon")


# --- Salt ---


class Bus:
    """The client of Salt, with a fixed answer of each node."""

    def __init__(self, answers: dict):
        self.answers, self.asked_nodes = answers, []

    def cmd(self, nodes, *_, **__):
        self.asked_nodes += nodes
        return {node: self.answers[node] for node in nodes}


@pytest.fixture
def bus_cluster(monkeypatch):
    """Return a function that makes a cluster of nodes with fixed answers."""
    jid = types.SimpleNamespace(gen_jid=lambda _: "1")
    utils = types.SimpleNamespace(jid=jid)
    monkeypatch.setattr(runner, "salt", types.SimpleNamespace(utils=utils))
    monkeypatch.setattr(runner, "_erase_arguments", lambda *_: None)

    def make(answers: dict):
        topology = {"nodes": dict.fromkeys(answers, ["marathon"])}
        return runner.Cluster(Bus(answers), {}, topology, list(answers), 5)

    return make


@pytest.mark.parametrize(
    "silence", [False, {"out": "no_return", "ret": "Minion did not return.", "retcode": 1}]
)
def test_a_node_that_is_down_is_asked_once_and_another_one_answers(bus_cluster, silence):
    cluster = bus_cluster({"cc01": silence, "cc02": {"ret": True, "retcode": 0}})
    assert cluster.write("marathon", "test.ping") is True
    assert cluster.write("marathon", "test.ping") is True
    assert cluster._client.asked_nodes == ["cc01", "cc02", "cc02"]


def test_the_error_of_each_node_is_in_the_message(bus_cluster):
    failure = {"ret": "ERROR: no leader", "retcode": 1}
    cluster = bus_cluster({"cc01": False, "cc02": failure})
    with pytest.raises(runner.BackupError) as error:
        cluster.read("marathon", "marathon.export")
    assert str(error.value) == (
        "marathon.export fails on each node with the role marathon: cc01: it does not respond to "
        "Salt; cc02: no leader."
    )


def test_a_damaged_answer_is_an_error(bus_cluster):
    damaged = {"ret": {"text": "eJw=", "length": 4, "sha256": "0"}, "retcode": 0}
    cluster = bus_cluster({"cc01": damaged})
    with pytest.raises(runner.BackupError, match="cc01: the result arrived damaged"):
        cluster.read("marathon", "marathon.export")


JOB_CACHE = """
import os, sys, types
import salt.config, salt.loader, salt.utils.extmods, salt.utils.jid, salt.payload
scratch, root, secret = sys.argv[1:]
opts = salt.config.apply_master_config({
    "root_dir": scratch, "conf_file": scratch + "/master", "log_file": scratch + "/log",
    "file_client": "local", "file_roots": {"base": [root + "/salt", root + "/formulas"]},
    "extension_modules": scratch + "/extmods",
})
os.makedirs(opts["cachedir"], exist_ok=True)
salt.utils.extmods.sync(opts, "runners")
runners = salt.loader.runner(opts)
assert "cluster.backup" in runners and "cluster.status" in runners
module = sys.modules[runners["cluster.backup"].__module__]
returners = salt.loader.returners(opts, {})

class Client:
    def cmd(self, nodes, function, arguments, jid, full_return, nocache, **options):
        jid = returners["local_cache.prep_jid"](nocache=nocache, passed_jid=jid)
        load = {"jid": jid, "fun": function, "arg": arguments, "tgt": nodes, "tgt_type": "list"}
        returners["local_cache.save_load"](jid, load, minions=nodes)
        answer = {"id": "cc01", "jid": jid, "return": secret, "retcode": 0, "success": True}
        returners["local_cache.returner"](answer)
        # A late answer comes after the runner has given up.
        self.late = lambda: returners["local_cache.returner"](answer)
        self.jid = jid
        return {"cc01": {"ret": secret, "retcode": 0}}

client = Client()
cluster = module.Cluster(client, opts, {"nodes": {"cc01": ["marathon"]}}, ["cc01"], 5)
assert cluster.call(["cc01"], "marathon.import", {"config": secret}) == {"cc01": (True, secret)}
client.late()
assert returners["local_cache.get_load"](client.jid)["fun"] == "marathon.import"
"""


@pytest.mark.parametrize("line", SALT_LINES)
def test_the_job_cache_of_salt_has_neither_answers_nor_arguments(line, tmp_path):
    command = [saltenv.machine_env(line), "-W", "ignore", "-c", JOB_CACHE, tmp_path, ROOT, SECRET]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    files = [path for path in (tmp_path / "var").rglob("*") if path.is_file()]
    assert ".load.p" in {path.name for path in files}
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize("line", SALT_LINES)
def test_salt_run_prints_sentences_or_json_and_exits_with_the_code(line, tmp_path):
    for directory in ("pillar", "var/cache/salt/master/proc"):
        (tmp_path / directory).mkdir(parents=True)
    options = {
        "root_dir": str(tmp_path),
        "user": getpass.getuser(),
        "id": "cm01",
        "file_roots": {"base": [str(ROOT / "salt"), str(ROOT / "formulas")]},
        "pillar_roots": {"base": [str(tmp_path / "pillar")]},
        "cluster.backup_directory": str(tmp_path / "backups"),
    }
    (tmp_path / "master").write_text(json.dumps(options))
    python = saltenv.machine_env(line)
    command = [python, "-W", "ignore", python.with_name("salt-run"), "-c", tmp_path]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)

    run("saltutil.sync_runners")
    message = "The topology names no node. Edit pillar/topology.yaml."
    text = run("cluster.backup")
    assert (text.stdout, text.returncode) == (f"Error: {message}\n", 1)
    assert not (tmp_path / "backups").exists()
    result = run("--out=json", "--log-level=quiet", "cluster.restore", "latest")
    assert (json.loads(result.stdout)["error"], result.returncode) == (message, 1)
    (tmp_path / "master").write_text(json.dumps({**options, "ext_job_cache": "redis"}))
    assert run("cluster.backup").stdout.startswith(
        "Error: The Salt master stores all answers (ext_job_cache: redis)"
    )
