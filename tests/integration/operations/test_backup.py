"""
salt-run cluster.backup and cluster.restore: everything, a single app, a damaged backup, and the
loss of all control nodes.
"""

import json

import pytest
from cluster_lab import eventually
from ha_cluster import AGENTS, CONTROL, check_healthy
from reader import Reader

pytestmark = pytest.mark.lines("3008")

DIRECTORY = "/srv/backup-test"
APPS = {
    "/backup/web": {"cmd": "sleep 3600", "cpus": 0.1, "mem": 32, "env": {"PASSWORD": "sesame"}},
    "/backup/api": {"cmd": "sleep 3600", "cpus": 0.1, "mem": 32, "labels": {"team": "a"}},
}
JOBS = {
    "backup-day": {"command": "echo day", "schedule": "R/2030-01-01T00:00:00.000Z/PT24H"},
    "backup-report": {"command": "echo report", "parents": ["backup-day"]},
}
ROLE = "backup"
LIMITS = {"cpus": 1.0, "mem": 512.0}
WINDOW = {
    "machines": [{"hostname": AGENTS["lxb004"], "ip": AGENTS["lxb004"]}],
    "start": "2099-01-01T00:00:00Z",
    "duration": "1h",
}


def call(ha, function: str, *arguments: str):
    """Return the result of an execution function on a control node."""
    result = ha.at("lxcc01").execute("salt-call", "--out=json", function, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)["local"]


def run(ha, *arguments: str, exit_code: int = 0) -> dict:
    """Return the data of a runner."""
    command = ("salt-run", "--out=json", *arguments, f"directory={DIRECTORY}")
    result = ha.at("lxcm01").execute(*command)
    assert result.returncode == exit_code, result.stdout + result.stderr
    return json.loads(result.stdout)


def declared(ha) -> dict:
    """Return what the test has created, as the cluster has it."""
    export = call(ha, "marathon.export")
    jobs = call(ha, "chronos.jobs")
    return {
        "apps": [app for app in export["apps"] if app["id"] in APPS],
        "jobs": {name: jobs[name] for name in JOBS if name in jobs},
        "quota": call(ha, "mesos.quota", ROLE),
        "weight": call(ha, "mesos.weight", ROLE),
        "maintenance": call(ha, "mesos.maintenance_schedule"),
    }


def delete(ha) -> None:
    """Delete it through the APIs."""
    call(ha, "marathon.delete_group", "/backup", "force=True")
    eventually(lambda: not call(ha, "marathon.deployments"))
    for name in reversed(JOBS):
        call(ha, "chronos.delete_job", name)
    call(ha, "mesos.remove_quota", ROLE)
    call(ha, "mesos.set_weights", json.dumps({ROLE: 1.0}))
    call(ha, "mesos.remove_from_schedule", json.dumps(WINDOW["machines"]))


@pytest.fixture(scope="module")
def backup(ha):
    """Create apps, jobs and a quota, and back them up. Yields the name and what was created."""
    master = ha.at("lxcm01")
    master.run("salt-run saltutil.sync_runners")
    master.run("salt '*' saltutil.sync_modules")
    for name, app in APPS.items():
        call(ha, "marathon.create_app", name, json.dumps(app))
    for name, job in JOBS.items():
        call(ha, "chronos.create_job", name, json.dumps(job))
    call(ha, "mesos.set_quota", ROLE, f"limits={json.dumps(LIMITS)}")
    call(ha, "mesos.set_weights", json.dumps({ROLE: 2.0}))
    call(ha, "mesos.set_maintenance_schedule", json.dumps([WINDOW]))
    eventually(lambda: not call(ha, "marathon.deployments"))
    yield run(ha, "cluster.backup")["name"], declared(ha)
    delete(ha)
    master.run(f"rm -rf {DIRECTORY}")
    check_healthy(ha)


def test_what_was_deleted_is_restored_item_by_item_and_a_single_app_too(ha, backup):
    name, before = backup
    delete(ha)
    assert declared(ha)["apps"] == [] and declared(ha)["jobs"] == {}
    assert run(ha, "cluster.restore", name)["changes"] is True
    eventually(lambda: not call(ha, "marathon.deployments"))
    assert declared(ha) == before
    assert run(ha, "cluster.restore", name)["changes"] is False
    call(ha, "marathon.delete_app", "/backup/web")
    eventually(lambda: not call(ha, "marathon.deployments"))
    run(ha, "cluster.restore", name, "app=/backup/web")
    assert declared(ha) == before


def test_a_damaged_backup_is_refused(ha, backup):
    name, before = backup
    file = f"{DIRECTORY}/{name}/marathon.json"
    ha.at("lxcm01").run(f"cp {file} /tmp/marathon.json && sed -i s/sesame/sesami/ {file}")
    try:
        error = run(ha, "cluster.restore", name, exit_code=1)["error"]
    finally:
        ha.at("lxcm01").run(f"cat /tmp/marathon.json > {file}; rm /tmp/marathon.json")
    assert error.startswith(f"{file} is damaged: its SHA-256 checksum is not ")
    assert declared(ha) == before


def test_everything_is_restored_after_the_loss_of_all_control_nodes(ha, backup):
    _, before = backup
    ha.at("lxcm01").run("salt-run cluster.backup")
    for host in CONTROL:
        ha.do("replace", host)
    # The steps of docs/operate.md.
    Reader(ha).follow("Recover from the loss of all control nodes")
    check_healthy(ha)
    eventually(lambda: not call(ha, "marathon.deployments"))
    assert declared(ha) == before
