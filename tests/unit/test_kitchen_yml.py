"""kitchen.yml: which suites there are, what they say on which driver, and what of it is copied to a machine. No machine is needed."""

import dataclasses
import os
import subprocess

import pytest
import yaml

from lab import ROOT, LabError, kitchen
from lab.fakes.wire.versions import release

ROLES = ["zookeeper", "mesos-master", "mesos-slave", "marathon", "chronos", "docker"]
PROXY = {"KITCHEN_DRIVER": "proxy", "KITCHEN_HOSTNAME": "192.0.2.11"}
ERAS = yaml.safe_load((ROOT / "formulas/marathon/eras.yaml").read_text())["eras"]


@pytest.fixture
def instances(ruby):
    """A function: environment -> what ``kitchen list`` lists, by name."""
    return lambda **environment: {
        instance.name: instance
        for instance in kitchen.instances({"PATH": os.environ["PATH"], **environment})
    }


@pytest.fixture
def standalone(instances) -> kitchen.Instance:
    """All roles on a machine that is there."""
    return instances(**PROXY)["standalone-centos-7"]


def roles(instance: kitchen.Instance) -> list[str]:
    return instance.provisioner["grains"]["roles"]


def test_each_role_has_a_suite_and_one_has_them_all(instances):
    listed = instances()
    for role in ROLES:
        assert roles(listed[f"{role}-centos-7"])[-1] == role
    assert roles(listed["standalone-centos-7"]) == ROLES


def test_each_era_of_marathon_has_a_suite(instances):
    found = {}
    for instance in instances().values():
        suite, _, era = instance.suite.rpartition("-era-")
        if suite == "marathon":
            version = yaml.safe_load(
                (ROOT / instance.provisioner["pillars_from_files"]["suite.sls"]).read_text()
            )["marathon"]["version"]
            found[int(era)] = [
                row["era"] for row in ERAS if release(row["since"]) <= release(version)
            ][-1]
    assert found == {row["era"]: row["era"] for row in ERAS}


def test_el_8_and_9_have_the_roles_that_there_are_packages_of(instances):
    suites = {}
    for instance in instances().values():
        suites.setdefault(instance.platform, []).append(instance.suite)
    assert (
        suites["almalinux-8"]
        == suites["almalinux-9"]
        == ["zookeeper", "mesos-master", "mesos-slave", "docker"]
    )
    assert set(suites["almalinux-8"]) < set(suites["centos-7"])


def test_each_suite_is_tested_in_ci(instances):
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert {
        f"{suite}-centos-7" for suite in workflow["jobs"]["kitchen"]["strategy"]["matrix"]["suite"]
    } == {instance.name for instance in instances().values() if instance.platform == "centos-7"}


def test_no_file_of_settings_is_left_over(instances):
    named = {
        instance.provisioner["pillars_from_files"]["suite.sls"] for instance in instances().values()
    }
    assert named == {str(path.relative_to(ROOT)) for path in (ROOT / "tests/kitchen").glob("*.sls")}


def test_states_are_assigned_as_on_a_cluster(standalone):
    assert standalone.provisioner["state_top"] == yaml.safe_load(
        (ROOT / "salt/top.sls").read_text()
    )


@pytest.mark.parametrize(
    "environment, driver, user, sudo",
    [
        ({}, "vagrant", None, True),
        ({"KITCHEN_DRIVER": "docker"}, "docker", "kitchen", True),
        (PROXY, "proxy", "root", False),
        ({**PROXY, "KITCHEN_USERNAME": "centos"}, "proxy", "centos", True),
    ],
    ids=["vagrant", "docker", "root at a machine", "somebody at a machine"],
)
def test_who_is_not_root_takes_sudo_for_all_that_is_run(instances, environment, driver, user, sudo):
    instance = instances(**environment)["docker-centos-7"]
    assert (instance.driver["name"], instance.driver["username"]) == (driver, user)
    assert kitchen.converge(instance).startswith("sudo -E ") == sudo
    assert (
        ("| sudo sh -s" in kitchen.prepare(instance))
        == ("--sudo" in kitchen.verify(instance, {})[0])
        == sudo
    )


def test_a_container_keeps_the_clock_and_the_firewall_of_the_machine_below_it(instances):
    assert instances()["docker-centos-7"].provisioner["pillars"]["driver.sls"] == {"common": {}}
    contained = instances(KITCHEN_DRIVER="docker")["docker-centos-7"].provisioner["pillars"][
        "driver.sls"
    ]["common"]
    assert contained == {"time": {"enabled": False}, "firewall": {"enabled": False}}


def test_packages_come_from_the_mirror_that_is_named(instances):
    def repositories(platform: str, **environment: str) -> dict:
        return instances(**environment)[f"docker-{platform}"].provisioner["pillars"][
            "platform.sls"
        ]["common"]["repositories"]

    signed = {
        "gpgkey": "http://192.0.2.1/RPM-GPG-KEY-mesosphere",
        "vault_gpgkey": "http://192.0.2.1/key",
    }
    mirror = {"MIRROR": "http://192.0.2.1", "SYSTEM_KEY": "http://192.0.2.1/key"}
    assert repositories("centos-7") == {"vault": "http://vault.centos.org/7.9.2009"}
    assert repositories("centos-7", **mirror) == {
        **signed,
        "baseurl": "http://192.0.2.1/el/7",
        "vault": "http://192.0.2.1/centos/7.9.2009",
    }
    assert list(repositories("almalinux-8", MIRROR="")["extra"]) == ["aventer", "docker-ce"]
    assert repositories("almalinux-9", **mirror) == {
        **signed,
        "baseurl": "http://192.0.2.1/el/9",
        "vault": "http://192.0.2.1/almalinux/9.6",
        "extra": {
            "docker-ce": {
                "baseurl": "http://192.0.2.1/docker-ce/9/$basearch/stable",
                "gpgkey": "http://192.0.2.1/RPM-GPG-KEY-mesosphere",
            }
        },
    }


def test_so_does_salt(instances):
    chosen = {
        "SALT_REPO": "http://192.0.2.1/salt one",
        "SALT_KEY": "http://192.0.2.1/key",
        "SALT_LINE": "3008",
    }
    words = kitchen.prepare(instances(**chosen)["docker-centos-7"]).split(" -s -- ")[1]
    assert (
        words
        == "-R http://192.0.2.1/salt\\ one -G http://192.0.2.1/key -V http://vault.centos.org/7.9.2009 3008\n"
    )


@pytest.mark.parametrize(
    "environment, words",
    [
        ({"KITCHEN_DRIVER": "docked"}, ["KITCHEN_DRIVER = docked", "vagrant, docker, proxy"]),
        ({"KITCHEN_DRIVER": "proxy"}, ["KITCHEN_HOSTNAME is not set"]),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused(instances, environment, words):
    with pytest.raises(LabError) as refusal:
        instances(**environment)
    assert all(word in str(refusal.value) for word in words) and "\n" not in str(refusal.value)


def test_a_suite_wins_over_its_platform_and_that_over_the_file(tmp_path):
    (tmp_path / "kitchen.yml").write_text("""
driver: {name: vagrant, box: a, customize: {cpus: 1, memory: 1}, volume: [one, two]}
verifier: shell
platforms:
  - {name: el-7.9, driver: {box: b, customize: {memory: 2}}}
  - {name: el-8}
suites:
  - {name: web_one, driver: {customize: {memory: 3}, volume: [three]}}
  - {name: excluding, excludes: [el-8]}
  - {name: including, includes: [el-8], excludes: [el-8]}
""")
    found = {
        instance.name: instance
        for instance in kitchen.instances({"PATH": os.environ["PATH"]}, tmp_path / "kitchen.yml")
    }
    assert list(found) == ["web-one-el-79", "web-one-el-8", "excluding-el-79", "including-el-8"]
    assert found["web-one-el-79"].driver == {
        "name": "vagrant",
        "box": "b",
        "customize": {"cpus": 1, "memory": 3},
        "volume": ["three"],
    }
    assert found["including-el-8"].driver["customize"] == {"cpus": 1, "memory": 1}
    assert found["including-el-8"].verifier == {"name": "shell"}


def test_the_copied_tree_has_formulas_modules_and_states_and_nothing_else(standalone, tmp_path):
    kitchen.sandbox(standalone, tmp_path)
    expected = {
        str(path.relative_to(above))
        for above in (ROOT, ROOT / "formulas")
        for path in above.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and (above != ROOT or path.relative_to(ROOT).parts[0] in ("_modules", "_states"))
    }
    assert {
        str(path.relative_to(tmp_path / "srv/salt"))
        for path in (tmp_path / "srv/salt").rglob("*")
        if path.is_file()
    } == {"top.sls", *expected}
    assert {path.name for path in (tmp_path / "srv/pillar").iterdir()} == {
        "top.sls",
        "driver.sls",
        "platform.sls",
        "suite.sls",
    }
    assert {
        str(path.relative_to(tmp_path / "etc/salt"))
        for path in (tmp_path / "etc/salt").rglob("*")
        if path.is_file()
    } == {"minion", "minion.d/99-minion.conf", "grains"}


def test_the_copied_minion_looks_at_nothing_but_the_tree(standalone, tmp_path):
    kitchen.sandbox(standalone, tmp_path)
    minion = yaml.safe_load((tmp_path / "etc/salt/minion").read_text())
    assert minion["local"] is True and minion["root_dir"] == "/tmp/kitchen"
    assert all(
        path.startswith("/tmp/kitchen/")
        for roots in ("file_roots", "pillar_roots")
        for path in minion[roots]["base"]
    )


def test_what_the_tests_do_not_follow_is_not_in_the_file(standalone, tmp_path):
    asking = dataclasses.replace(
        standalone, provisioner={**standalone.provisioner, "vendor_repo": [{"type": "apt"}]}
    )
    with pytest.raises(LabError, match="vendor_repo: not followed by the tests"):
        kitchen.sandbox(asking, tmp_path)
    kitchen.sandbox(standalone, tmp_path)


def test_the_verifier_goes_where_the_driver_says(standalone):
    command, variables = kitchen.verify(
        standalone,
        {"hostname": "192.0.2.11", "port": "2222", "username": "root", "ssh_key": "/key"},
    )
    assert "ssh://$KITCHEN_USERNAME@$KITCHEN_HOSTNAME:$KITCHEN_PORT" in command
    assert variables == {
        "KITCHEN_INSTANCE": "standalone-centos-7",
        "KITCHEN_PLATFORM": "centos-7",
        "KITCHEN_SUITE": "standalone",
        "KITCHEN_HOSTNAME": "192.0.2.11",
        "KITCHEN_PORT": "2222",
        "KITCHEN_USERNAME": "root",
        "KITCHEN_SSH_KEY": "/key",
    }


def test_a_container_has_systemd_and_lets_kitchen_in(ruby, tmp_path):
    (tmp_path / "key.pub").write_text("ssh-rsa AAAA kitchen_docker_key\n")
    program = f"""@image, @username, @public_key = "centos:centos7", "kitchen", "{tmp_path}/key.pub"
        puts ERB.new(File.read("tests/kitchen/Dockerfile.erb")).result(binding)"""
    done = subprocess.run(
        [ruby, "-rerb", "-r./tests/kitchen/environment", "-e", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "CENTOS_VAULT": "http://192.0.2.1/vault"},
    )
    assert (
        "FROM centos:centos7\n" in done.stdout and "baseurl=http://192.0.2.1/vault|" in done.stdout
    )
    assert (
        "echo 'ssh-rsa AAAA kitchen_docker_key' > /home/kitchen/.ssh/authorized_keys" in done.stdout
    )
