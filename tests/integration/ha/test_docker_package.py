"""The package of dockerd is replaced by another one, which stops dockerd."""

import pytest
from cluster_lab import DOCKER_CE
from ha_cluster import (
    active_agents,
    agent_host,
    failed_tasks,
    failed_tasks_since,
    no_turn_is_left,
    running_tasks,
    wait_for_pages,
)

pytestmark = pytest.mark.lines("3008")


def test_an_agent_is_drained_before_another_package_replaces_its_dockerd(ha):
    ha.orchestrated("apps")
    wait_for_pages("http-server")
    lost_before, agents = failed_tasks(), active_agents()
    (task,) = running_tasks("http-server")
    agent = agent_host(ha, task)
    try:
        changes = agent.converge(pillar=DOCKER_CE)
        assert "docker" in changes["docker-conflicts"]
        assert changes["docker-service"] == {"docker": "restarted"}
        (moved_task,) = running_tasks("http-server")
        assert moved_task["host"] != task["host"]
    finally:
        agent.converge()
    assert wait_for_pages("http-server")
    assert failed_tasks_since(lost_before) == {}
    assert active_agents() == agents and no_turn_is_left(ha)
