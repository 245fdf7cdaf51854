"""kitchen.yml: its suites, what they need on each driver, and what is copied to a machine.

No machine is needed.
"""

import dataclasses
import os
import subprocess

import pytest
import yaml

from lab import ROOT, LabError, kitchen
from lab.fakes.wire.versions import release

ROLES = list(yaml.safe_load((ROOT / "formulas/common/roles.yaml").read_text()))
PROXY = {"KITCHEN_DRIVER": "proxy", "KITCHEN_HOSTNAME": "192.0.2.11"}
GENERATIONS = yaml.safe_load((ROOT / "formulas/marathon/versions.yaml").read_text())["generations"]


@pytest.fixture
def instances(ruby):
    """Return a function: environment -> what ``kitchen list`` lists, by name."""
    return lambda **environment: {
        instance.name: instance
        for instance in kitchen.instances({"PATH": os.environ["PATH"], **environment})
    }


@pytest.fixture
def standalone(instances) -> kitchen.Instance:
    """The suite with all roles on an existing machine."""
    return instances(**PROXY)["standalone-centos-7"]


def roles(instance: kitchen.Instance) -> list[str]:
    return instance.provisioner["grains"]["roles"]


def test_each_role_has_a_suite_and_one_suite_has_all_roles(instances):
    listed = instances()
    for role in ROLES:
        assert roles(listed[f"{role}-centos-7"])[-1] == role
    assert roles(listed["standalone-centos-7"]) == ROLES


def generation_of(version: str) -> int:
    """Return the generation of Marathon's package in a version."""
    rows = [row for row in GENERATIONS if release(row["since"]) <= release(version)]
    return rows[-1]["generation"]


def test_each_generation_of_marathon_has_a_suite(instances):
    generations = {}
    for instance in instances().values():
        suite, _, number = instance.suite.rpartition("-generation-")
        if suite == "marathon":
            path = ROOT / instance.provisioner["pillars_from_files"]["suite.sls"]
            version = yaml.safe_load(path.read_text())["marathon"]["version"]
            generations[int(number)] = generation_of(version)
    expected = {row["generation"] for row in GENERATIONS}
    assert generations == {number: number for number in expected}


def test_el_8_and_9_have_suites_for_the_roles_with_packages(instances):
    suites = {}
    for instance in instances().values():
        suites.setdefault(instance.platform, []).append(instance.suite)
    assert (
        suites["almalinux-8"]
        == suites["almalinux-9"]
        == ["zookeeper", "mesos-master", "mesos-slave", "docker"]
    )
    assert set(suites["almalinux-8"]) < set(suites["centos-7"])


def test_every_suite_runs_in_ci(instances):
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert {
        f"{suite}-centos-7" for suite in workflow["jobs"]["kitchen"]["strategy"]["matrix"]["suite"]
    } == {instance.name for instance in instances().values() if instance.platform == "centos-7"}


def test_every_file_of_settings_belongs_to_a_suite(instances):
    paths = {
        instance.provisioner["pillars_from_files"]["suite.sls"] for instance in instances().values()
    }
    assert paths == {str(path.relative_to(ROOT)) for path in (ROOT / "tests/kitchen").glob("*.sls")}


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
    ids=["vagrant", "docker", "root on a machine", "another user on a machine"],
)
def test_every_command_of_another_user_than_root_uses_sudo(
    instances, environment, driver, user, sudo
):
    instance = instances(**environment)["docker-centos-7"]
    assert (instance.driver["name"], instance.driver["username"]) == (driver, user)
    assert kitchen.converge(instance).startswith("sudo -E ") == sudo
    assert (
        ("| sudo sh -s" in kitchen.prepare(instance))
        == ("--sudo" in kitchen.verify(instance, {})[0])
        == sudo
    )


NO_TIME_AND_NO_FIREWALL = {"time": {"enabled": False}, "firewall": {"enabled": False}}


@pytest.mark.parametrize(
    "environment, settings",
    [
        ({}, {}),
        ({"KITCHEN_DRIVER": "docker"}, NO_TIME_AND_NO_FIREWALL),
        (PROXY, {}),
        ({**PROXY, "KITCHEN_PORT": "22"}, {}),
        (
            {**PROXY, "KITCHEN_PORT": "2222"},
            {"firewall": {"extra": [{"port": 2222, "from": "everyone"}]}},
        ),
        ({"KITCHEN_PORT": "2222"}, {}),
    ],
    ids=["vagrant", "container", "machine", "port 22", "another port", "vagrant ignores the port"],
)
def test_a_driver_sets_clock_and_firewall(instances, environment, settings):
    pillars = instances(**environment)["docker-centos-7"].provisioner["pillars"]
    assert pillars["driver.sls"] == {"common": settings}


def test_packages_come_from_the_configured_mirror(instances):
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


@pytest.mark.parametrize(
    "environment, aventer_key, docker_key",
    [
        ({"MIRROR_KEY": "http://192.0.2.1/a"}, "http://192.0.2.1/a", "http://192.0.2.1/a"),
        (
            {"MIRROR_KEY": "http://192.0.2.1/a", "DOCKER_KEY": "http://192.0.2.1/d"},
            "http://192.0.2.1/a",
            "http://192.0.2.1/d",
        ),
    ],
)
def test_the_packages_of_docker_can_have_a_key_of_their_own(
    instances, environment, aventer_key, docker_key
):
    listed = instances(MIRROR="http://192.0.2.1", **environment)
    platform = listed["docker-almalinux-9"].provisioner["pillars"]["platform.sls"]
    repositories = platform["common"]["repositories"]
    assert repositories["gpgkey"] == aventer_key
    assert repositories["extra"]["docker-ce"]["gpgkey"] == docker_key


def test_salt_comes_from_the_configured_mirror(instances):
    environment = {
        "SALT_REPO": "http://192.0.2.1/salt one",
        "SALT_KEY": "http://192.0.2.1/key",
        "SALT_LINE": "3008",
    }
    arguments = kitchen.prepare(instances(**environment)["docker-centos-7"]).split(" -s -- ")[1]
    assert arguments == (
        "-R http://192.0.2.1/salt\\ one -G http://192.0.2.1/key "
        "-V http://vault.centos.org/7.9.2009 3008\n"
    )


@pytest.mark.parametrize(
    "environment, words",
    [
        ({"KITCHEN_DRIVER": "docked"}, ["KITCHEN_DRIVER = docked", "vagrant, docker, proxy"]),
        ({"KITCHEN_DRIVER": "proxy"}, ["KITCHEN_HOSTNAME is not set"]),
        ({**PROXY, "KITCHEN_PORT": "ssh"}, ["KITCHEN_PORT = ssh: not a port"]),
        ({**PROXY, "KITCHEN_PORT": "65536"}, ["KITCHEN_PORT = 65536: not a port"]),
    ],
)
def test_a_wrong_environment_is_refused(instances, environment, words):
    with pytest.raises(LabError) as refusal:
        instances(**environment)
    assert all(word in str(refusal.value) for word in words) and "\n" not in str(refusal.value)


def test_a_suite_overrides_its_platform_which_overrides_the_file(ruby, tmp_path):
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
    by_name = {
        instance.name: instance
        for instance in kitchen.instances({"PATH": os.environ["PATH"]}, tmp_path / "kitchen.yml")
    }
    assert list(by_name) == ["web-one-el-79", "web-one-el-8", "excluding-el-79", "including-el-8"]
    assert by_name["web-one-el-79"].driver == {
        "name": "vagrant",
        "box": "b",
        "customize": {"cpus": 1, "memory": 3},
        "volume": ["three"],
    }
    assert by_name["including-el-8"].driver["customize"] == {"cpus": 1, "memory": 1}
    assert by_name["including-el-8"].verifier == {"name": "shell"}


EXTENSIONS = ("_modules", "_states", "_runners")


def test_only_formulas_modules_states_and_runners_are_copied(standalone, tmp_path):
    kitchen.sandbox(standalone, tmp_path)
    expected = {
        str(path.relative_to(directory))
        for directory in (ROOT, ROOT / "formulas")
        for path in directory.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and (directory != ROOT or path.relative_to(ROOT).parts[0] in EXTENSIONS)
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


def test_the_copied_minion_uses_only_the_copied_tree(standalone, tmp_path):
    kitchen.sandbox(standalone, tmp_path)
    minion = yaml.safe_load((tmp_path / "etc/salt/minion").read_text())
    assert minion["local"] is True and minion["root_dir"] == "/tmp/kitchen"
    assert all(
        path.startswith("/tmp/kitchen/")
        for roots in ("file_roots", "pillar_roots")
        for path in minion[roots]["base"]
    )


def test_an_option_that_the_tests_do_not_support_is_refused(standalone, tmp_path):
    unsupported = dataclasses.replace(
        standalone, provisioner={**standalone.provisioner, "vendor_repo": [{"type": "apt"}]}
    )
    with pytest.raises(LabError, match="vendor_repo: not supported by the tests"):
        kitchen.sandbox(unsupported, tmp_path)
    kitchen.sandbox(standalone, tmp_path)


def test_the_verifier_connects_to_the_machine_of_the_driver(instances):
    environment = {**PROXY, "KITCHEN_PORT": "2222"}
    instance = instances(**environment)["standalone-centos-7"]
    command, variables = kitchen.verify(instance, kitchen.machine_state(instance))
    assert "ssh://$KITCHEN_USERNAME@$KITCHEN_HOSTNAME:$KITCHEN_PORT" in command
    assert variables == {
        "KITCHEN_INSTANCE": "standalone-centos-7",
        "KITCHEN_PLATFORM": "centos-7",
        "KITCHEN_SUITE": "standalone",
        "KITCHEN_HOSTNAME": "192.0.2.11",
        "KITCHEN_PORT": "2222",
        "KITCHEN_USERNAME": "root",
    }


@pytest.mark.parametrize(
    "environment, options",
    [
        ({}, []),
        ({"KITCHEN_SSH_KEY": "/my keys/key"}, ["--ssh-identity-file=/my keys/key"]),
    ],
    ids=["no key", "a path with a space"],
)
def test_the_verifier_passes_the_key_as_one_argument(standalone, environment, options):
    command, variables = kitchen.verify(standalone, kitchen.machine_state(standalone))
    result = subprocess.run(
        ["sh", "-c", command.replace(".venv/bin/pytest", "printf '%s\\n'")],
        env={"PATH": os.environ["PATH"], **variables, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines() == [
        "tests/testinfra",
        "--hosts=ssh://root@192.0.2.11:22?controlpersist=2",
        "--ssh-config=tests/kitchen/ssh_config",
        *options,
    ]


def test_a_container_has_systemd_and_the_key_of_kitchen(ruby, tmp_path):
    (tmp_path / "key.pub").write_text("ssh-rsa AAAA kitchen_docker_key\n")
    program = f"""@image, @username, @public_key = "centos:centos7", "kitchen", "{tmp_path}/key.pub"
        puts ERB.new(File.read("tests/kitchen/Dockerfile.erb")).result(binding)"""
    result = subprocess.run(
        [ruby, "-rerb", "-r./tests/kitchen/environment", "-e", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "CENTOS_VAULT": "http://192.0.2.1/vault"},
    )
    assert (
        "FROM centos:centos7\n" in result.stdout
        and "baseurl=http://192.0.2.1/vault|" in result.stdout
    )
    assert (
        "echo 'ssh-rsa AAAA kitchen_docker_key' > /home/kitchen/.ssh/authorized_keys"
        in result.stdout
    )
