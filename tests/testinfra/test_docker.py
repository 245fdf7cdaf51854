"""A node with the role docker: dockerd for the agent's containers."""

import json

import pytest

pytestmark = pytest.mark.role("docker")


@pytest.fixture
def info(host) -> dict:
    return json.loads(host.check_output("docker info --format '{{json .}}'"))


@pytest.fixture
def image(host):
    """An image that contains only the host's echo. No registry is needed."""
    host.check_output(
        "tar --create --dereference --file - /bin/echo "
        "$(ldd /bin/echo | grep --only-matching '/lib[^ ]*') | docker import - probe"
    )
    yield "probe"
    host.check_output("docker rmi probe")


def test_dockerd_runs(runs):
    runs("docker")


def test_dockerd_runs_with_the_declared_options(info, settings):
    options = settings("docker")["options"]
    assert info["Driver"] == options["storage-driver"]
    assert info["LoggingDriver"] == options["log-driver"]
    assert info["LiveRestoreEnabled"] == options["live-restore"]


def test_dockerd_runs_containers(host, image):
    assert host.check_output("docker run --rm --memory 64m %s /bin/echo hello", image) == "hello"


def test_dockerd_starts_after_the_firewall(unit_property):
    """If firewalld started later, it would remove the iptables chains of Docker."""
    assert "firewalld.service" in unit_property("docker", "After").split()


def test_dockerd_does_not_listen_on_the_network(listening):
    assert not listening & {2375, 2376}


def test_packets_of_containers_are_forwarded(host):
    assert host.file("/proc/sys/net/ipv4/ip_forward").content_string == "1\n"
