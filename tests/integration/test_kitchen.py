"""
Every suite of kitchen.yml converges on a bare host over SSH and is verified, as by test-kitchen.
The commands of Vagrant's provisioner work as well.
"""

import dataclasses
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from cluster_lab import eventually

from lab import ROOT, cluster, hosts, kitchen, network, platforms

HOST = "lxdev01"  # of tests/topologies/single.yaml
SUITES = [
    "zookeeper",
    "mesos-master",
    "mesos-slave",
    "marathon",
    "marathon-generation-1",
    "marathon-generation-2",
    "marathon-generation-3",
    "chronos",
    "docker",
    "standalone",
]


# What firewalld knows as ssh, and lets in by default.
SSH_SERVICE = """<?xml version="1.0" encoding="utf-8"?>
<service><port protocol="tcp" port="{port}"/></service>
"""


@dataclasses.dataclass
class Machine:
    """A host with a new disk, sshd with an authorized key, and Salt."""

    address: str
    port: int
    key: Path
    line: str
    platform: str

    def instance(self, suite: str) -> kitchen.Instance:
        """Return a suite with the driver proxy, and packages from the lab."""
        signed = f"{network.REPOSITORY_URL}/RPM-GPG-KEY-lab"
        return next(
            instance
            for instance in kitchen.instances(
                {
                    "PATH": os.environ["PATH"],
                    "KITCHEN_DRIVER": "proxy",
                    "KITCHEN_HOSTNAME": self.address,
                    "KITCHEN_PORT": str(self.port),
                    "KITCHEN_SSH_KEY": str(self.key),
                    "MIRROR": network.REPOSITORY_URL,
                    "MIRROR_KEY": signed,
                    "SYSTEM_KEY": signed,
                    "SALT_LINE": self.line,
                }
            )
            if (instance.suite, instance.platform) == (suite, self.platform)
        )

    def ssh(self, line: str, **options) -> subprocess.CompletedProcess:
        """Run a shell line as root."""
        config = ["-F", ROOT / "tests/kitchen/ssh_config", "-o", "ControlPath=none"]
        machine = ["-p", str(self.port), "-i", self.key, f"root@{self.address}"]
        command = ["ssh", *config, *machine, line]
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options
        )

    def copy(self, tree: Path) -> None:
        """Copy a tree to the directory of kitchen."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(tree, arcname=".")
        assert (
            self.ssh(f"tar -x -C {kitchen.KITCHEN_ROOT}", input=packed.getvalue()).returncode == 0
        )

    def converge(self, instance: kitchen.Instance, tree: Path) -> subprocess.CompletedProcess:
        """Converge as ``kitchen converge`` does. The stdout of the result is Salt's output."""
        prepared = self.ssh(kitchen.prepare(instance))
        assert prepared.returncode == 0, prepared.stdout
        self.copy(tree)
        return self.ssh(kitchen.converge(instance), text=True)

    def verify(self, instance: kitchen.Instance) -> subprocess.CompletedProcess:
        """Verify as ``kitchen verify`` does."""
        command, variables = kitchen.verify(instance, kitchen.machine_state(instance))
        environment = os.environ | variables | {"KITCHEN_SSH_KEY": str(self.key)}
        return subprocess.run(
            command,
            shell=True,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def platform() -> str:
    """The platform of the machine. A test can replace it with a parameter."""
    return "centos-7"


@pytest.fixture
def port() -> int:
    """The port of sshd on the machine. A test can replace it with a parameter."""
    return 22


@pytest.fixture
def machine(ruby, single, platform, port, tmp_path) -> Machine:
    """A bare host."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    current = cluster.running()
    host = dataclasses.replace(
        current.load_topology().host(HOST), salt_master=False, platform=kitchen.PLATFORMS[platform]
    )
    layers = platforms.layers(host.platform, Path(current.image), lambda _text: None)
    current = dataclasses.replace(current, layers=current.layers | {host.platform: layers})
    hosts.power_off(host.name)
    hosts.make_disk(
        host,
        {
            "etc/hosts": f"127.0.0.1 localhost\n{host.address} {host.id}\n",
            "root/.ssh/authorized_keys": key.with_suffix(".pub").read_text(),
            "etc/ssh/sshd_config.d/port.conf": f"Port {port}\n",
            "etc/firewalld/services/ssh.xml": SSH_SERVICE.format(port=port),
        },
        units=[],
    )
    current.boot([host])
    return Machine(host.address, port, key, single.line, platform)


@pytest.fixture
def tree(tmp_path) -> Path:
    """The directory of the sandbox."""
    return tmp_path / "sandbox"


def converges_and_verifies(machine: Machine, suite: str, tree: Path) -> kitchen.Instance:
    instance = machine.instance(suite)
    kitchen.sandbox(instance, tree)
    converged = machine.converge(instance, tree)
    assert converged.returncode == 0, converged.stdout
    verified = machine.verify(instance)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    for role in instance.provisioner["grains"]["roles"]:
        assert f"tests/testinfra/test_{role.partition('-')[0]}.py ." in verified.stdout, (
            verified.stdout
        )
    return instance


# The suites are independent: this group has a host of its own, beside that of the others.
@pytest.mark.xdist_group("kitchen-suites")
@pytest.mark.lines("3008")
@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_converges_and_verifies(machine, suite, tree):
    converges_and_verifies(machine, suite, tree)


@pytest.mark.lines("3008")
@pytest.mark.parametrize("platform", ["almalinux-8", "almalinux-9"])
# mesos-slave has the roles of all other suites on these platforms.
@pytest.mark.parametrize("suite", ["mesos-slave", "docker"])
def test_a_suite_converges_on_el8_and_el9(machine, suite, tree):
    converges_and_verifies(machine, suite, tree)


@pytest.mark.lines("3006")
def test_the_suite_with_all_roles_converges_with_salt_3006(machine, tree):
    instance = converges_and_verifies(machine, "standalone", tree)
    again = machine.ssh(kitchen.converge(instance), text=True)
    assert again.returncode == 0 and "(changed=" not in again.stdout, again.stdout


# In the group of the suites: the verifier's ssh connection is shared by the name of the instance.
@pytest.mark.xdist_group("kitchen-suites")
@pytest.mark.lines("3008")
def test_a_suite_with_a_wrong_setting_fails_and_does_not_change_the_machine(
    machine, tree, monkeypatch
):
    instance = machine.instance("zookeeper")
    kitchen.sandbox(instance, tree)
    settings = tree / "srv/pillar/suite.sls"
    settings.write_text(settings.read_text().replace("heap:", "heep:"))
    converged = machine.converge(instance, tree)
    assert converged.returncode != 0
    assert (
        "zookeeper:heep = 384" in converged.stdout and "Did you mean heap?" in converged.stdout
    ), converged.stdout
    assert machine.ssh("rpm -q mesosphere-zookeeper").returncode == 1
    monkeypatch.setenv("PYTEST_ADDOPTS", "--exitfirst")
    verified = machine.verify(instance)
    assert verified.returncode == 1 and "1 failed" in verified.stdout, (
        verified.stdout + verified.stderr
    )


@pytest.mark.lines("3008")
@pytest.mark.xdist_group("kitchen-suites")
@pytest.mark.parametrize("port", [2222])
def test_a_suite_converges_and_verifies_on_another_port_of_sshd(machine, tree):
    converges_and_verifies(machine, "docker", tree)
    assert machine.ssh("true").returncode == 0


# As CentOS 7 installs it. The mirror list no longer exists.
CENTOS = """[base]
name=CentOS
mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=os
#baseurl=http://mirror.centos.org/centos/$releasever/os/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7
"""


@pytest.mark.lines("3008")
def test_the_provisioner_of_vagrant_installs_a_salt_master_from_a_mirror(
    machine,
):
    private, public = cluster.key_pair(Path(cluster.running().image))
    for path, contents in {
        "/tmp/bootstrap_salt.sh": (ROOT / "conf/install-salt").read_text(),
        "/tmp/master": (ROOT / "conf/master.d/mesos.conf").read_text(),
        "/tmp/minion.pem": private,
        "/tmp/minion.pub": public,
        "/tmp/minion-seed-keys/lxdev01": public,
        "/etc/yum.repos.d/CentOS-Base.repo": CENTOS,
    }.items():
        hosts.write(HOST, path.lstrip("/"), contents)
    machine.ssh("rm /usr/bin/salt*")
    url = network.REPOSITORY_URL
    options = (
        f"-R {url}/salt -G {url}/RPM-GPG-KEY-lab -V {url}/centos/7.9.2009 "
        f"""-j '{{"id":"{HOST}","master":"{machine.address}"}}' -F -c /tmp """
        "-k /tmp/minion-seed-keys -M stable 3006"
    )
    installed = machine.ssh(f"sh /tmp/bootstrap_salt.sh {options}", text=True)
    assert installed.returncode == 0, installed.stdout
    assert (
        machine.ssh("rpm -q --qf '%{version} ' salt-minion salt-master", text=True).stdout
        == "3006.16 3006.16 "
    )
    assert eventually(
        lambda: '"lxdev01": true' in machine.ssh("salt '*' test.ping --out=json", text=True).stdout
    )
    assert machine.ssh(
        "stat -c %a /etc/salt/pki/minion/minion.pem; ls /tmp/minion.pem", text=True
    ).stdout.startswith("600\nls: ")


def test_every_suite_of_kitchen_yml_is_tested(ruby):
    assert {instance.suite for instance in kitchen.instances({"PATH": os.environ["PATH"]})} == set(
        SUITES
    )
