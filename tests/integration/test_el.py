"""EL 8 and EL 9: a bare host gets the same services as CentOS 7, from other packages."""

import json

import pytest
from cluster_lab import Lab

pytestmark = pytest.mark.lines("3008")  # test_entry_points.py has an EL 8 with 3006

# Host of tests/topologies/el.yaml -> its grains os and osmajorrelease.
HOSTS = {"lxel8": ("AlmaLinux", 8), "lxel9": ("AlmaLinux", 9)}


@pytest.fixture(params=HOSTS)
def host(el, request) -> Lab:
    """One of the hosts of the lab."""
    return el.at(request.param)


def test_salt_detects_the_system_of_the_host(host):
    grains = json.loads(host.run("salt-call grains.item os osmajorrelease --out=json"))["local"]
    assert (grains["os"], grains["osmajorrelease"]) == HOSTS[host.host]
    assert host.run("rpm --query --whatprovides system-release").startswith("almalinux-release-")


def test_a_bare_host_converges_and_a_second_run_changes_nothing(host):
    services = {
        f"{role}-service"
        for role in ("zookeeper", "mesos-master", "mesos-slave", "marathon", "chronos", "docker")
    }
    assert services | {"repositories-vault"} <= set(host.converge())
    assert host.converge() == {}


def test_the_packages_are_those_of_the_release_of_el(host):
    assert host.run(
        "rpm --query --queryformat '%{name} %{version}\\n' aventer-zookeeper mesos docker-ce"
    ).splitlines() == ["aventer-zookeeper 3.8.0", "mesos 1.11.0", "docker-ce 26.1.3"]
    for path in host.run("ls /etc/yum.repos.d/almalinux*.repo").split():
        assert "mirrorlist" not in host.run(f"cat {path}"), path


def test_unit_and_flag_directory_are_called_mesos_agent(host):
    assert host.run("systemctl is-active mesos-agent") == "active\n"
    assert host.run("cat /etc/mesos-agent/containerizers") == "docker,mesos\n"
    assert (
        host.run("ls -d /etc/mesos-slave /etc/default/mesos-slave 2>&1 | grep -c 'No such file'")
        == "2\n"
    )


def test_a_node_passes_the_tests_of_its_roles(host):
    host.verify()
