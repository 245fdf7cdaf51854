"""
One lab for all files of this folder: the same hosts as those of ``ha``. These files run the
orchestrations and runners with which people operate a cluster. They have a lab of their own, so
that both folders are tested at the same time.
"""

import json

import pytest
import yaml
from cluster_lab import eventually
from ha_cluster import App, get, marathon_leader

from conftest import fixture_of
from lab import cluster

ha = fixture_of("ha", "lxcm01", scope="package")

TASK = {"cmd": "sleep 3600", "cpus": 0.1, "mem": 32}


@pytest.fixture
def serve():
    """Return a function that serves settings to all nodes, until the test ends."""
    path = cluster.topology_directory() / "settings.sls"

    def write(settings: dict) -> None:
        path.write_text(yaml.safe_dump(settings))

    yield write
    path.unlink(missing_ok=True)


@pytest.fixture
def app(ha):
    """An app with tasks on some agents."""
    app = App("spread", 8)
    definition = json.dumps({**TASK, "instances": app.instances})
    minion = ha.at("lxcc01")
    minion.run(f"salt-call marathon.create_app /{app.name} '{definition}'")
    eventually(lambda: len(app.addresses()) == app.instances, 60)
    yield app
    minion.run(f"salt-call marathon.delete_app /{app.name} force=True")
    # Until the deployment is over, the next app of this name is refused.
    eventually(lambda: not get(marathon_leader(ha), 8080, "/v2/deployments").json())
