"""The shell launchers of the packages: files and variables become arguments."""

import os
import subprocess
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "lab" / "packages"
PRINT_ARGUMENTS = '#!/bin/sh\nprintf "[%s]" "$@"\n'


class Host:
    """The root directory of a host with a launcher, and with daemons that print their arguments."""

    def __init__(self, root: Path):
        self.root = root
        self.write("bin/java", PRINT_ARGUMENTS, 0o755)
        self.write("bin/logger", f'#!/bin/sh\nexec tee -a "{root}/syslog" > /dev/null\n', 0o755)
        for daemon in ("usr/sbin/mesos-master", "usr/sbin/mesos-slave"):
            self.write(daemon, PRINT_ARGUMENTS, 0o755)
        for daemon in ("marathon", "chronos"):
            self.write(f"usr/lib/lab-fakes/bin/{daemon}", PRINT_ARGUMENTS, 0o755)

    def write(self, path: str, text: str = "", mode: int = 0o644) -> Path:
        """Write a file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def launch(
        self, package: str, path: str, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess:
        """Run the launcher of a package with all its paths below the root."""
        text = (PACKAGES / package / "root" / path).read_text()
        for directory in ("/etc/", "/usr/sbin/", "/usr/bin/mesosphere", "/usr/lib/"):
            text = text.replace(directory, f"{self.root}{directory}")
        launcher = self.write(path, text, 0o755)
        environment = {"PATH": f"{self.root}/bin:{os.environ['PATH']}", **environment}
        return subprocess.run(
            [launcher, *arguments], env=environment, capture_output=True, text=True, timeout=20
        )


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def mesos(host, role, **environment):
    return host.launch("mesos", "usr/bin/mesos-init-wrapper", role, **environment)


def test_files_variables_and_directories_become_flags(host):
    host.write("etc/mesos/zk", "zk://h:2181/mesos\n")
    host.write("etc/default/mesos", "LOGS=/var/log/mesos\n")
    host.write("etc/default/mesos-slave", f"MASTER=`cat {host.root}/etc/mesos/zk`\nISOLATION=\n")
    for name, text in {
        "?no-logger": "ignored",
        "?no-switch_user": "",
        "foo": "a b\n\n",
        "empty": "",
        ".hidden": "x",
    }.items():
        host.write(f"etc/mesos-slave/{name}", text)
    for name, text in {
        "attributes/zone": "z9\n",
        "attributes/rack": "r1",
        "attributes/none": "",
        "resources/cpus": "4",
    }.items():
        host.write(f"etc/mesos-slave/{name}", text)
    assert mesos(host, "slave").stdout == (
        "[--master=zk://h:2181/mesos][--log_dir=/var/log/mesos][--no-switch_user]"
        "[--empty=][--foo=a b][--attributes=rack:r1;zone:z9][--resources=cpus:4]"
    )


def test_every_file_in_the_flag_directory_is_a_flag(host):
    host.write("etc/mesos-master/?no-logger")
    host.write("etc/mesos-master/quorum", "1\n")
    host.write("etc/mesos-master/quorum.rpmnew", "2\n")
    assert mesos(host, "master").stdout == "[--quorum=1][--quorum.rpmnew=2]"


def test_the_variables_of_the_master_become_flags(host):
    host.write("etc/mesos-master/?no-logger")
    host.write(
        "etc/default/mesos-master", "PORT=5050\nZK=zk://h/m\nIP=10.0.0.1\nCLUSTER=blue\nMASTER=no\n"
    )
    assert (
        mesos(host, "master").stdout
        == "[--zk=zk://h/m][--ip=10.0.0.1][--port=5050][--cluster=blue]"
    )


def test_variables_of_the_settings_file_are_exported(host):
    host.write("usr/sbin/mesos-master", '#!/bin/sh\necho "$MESOS_CLUSTER"\n', 0o755)
    host.write("etc/mesos-master/?no-logger")
    host.write("etc/default/mesos", "MESOS_CLUSTER=blue\n")
    assert mesos(host, "master").stdout == "blue\n"


@pytest.mark.parametrize(
    "line, message", [("LOGS=$UNDEFINED", "unbound variable"), ("ZK=`cat /no/such`", "/no/such")]
)
def test_an_unset_variable_or_a_failing_command_is_fatal(host, line, message):
    host.write("etc/default/mesos-master", line)
    result = mesos(host, "master")
    assert result.returncode == 1
    assert message in result.stderr


def test_the_output_goes_to_syslog_by_default(host):
    host.write("etc/mesos-master/quorum", "1")
    result = mesos(host, "master")
    subprocess.run(
        [
            "sh",
            "-c",
            f"for i in 1 2 3 4 5 6 7 8 9; do [ -s {host.root}/syslog ] && break; sleep .2; done",
        ],
        check=True,
    )
    assert result.stdout == ""
    assert (host.root / "syslog").read_text() == "[--quorum=1]"


# --- Marathon 1.4 ---


def marathon(host, **environment):
    host.write("etc/marathon/conf/?no-logger")
    return host.launch("marathon-1.4", "usr/bin/marathon", **environment).stdout.removeprefix(
        "[@VERSION@]"
    )


def options(text):
    """Split ``[--a][b][--c]`` into {"--a": ["b"], "--c": []}."""
    values_by_option = {}
    for word in text[1:-1].split("]["):
        if word.startswith("--"):
            values_by_option[word] = values = []
        else:
            values.append(word)
    return values_by_option


def test_the_launcher_of_marathon_1_4_reads_subdirectories(host):
    for name, text in {
        "hostname": "h 1\n",
        "?disable_ha": "x",
        "sub/zk": "deep",
        ".swp": "x",
    }.items():
        host.write(f"etc/marathon/conf/{name}", text)
    assert options(marathon(host)) == {
        "--hostname": ["h 1"],
        "--disable_ha": [],
        "--sub/zk": ["deep"],
    }


def test_the_launcher_of_marathon_1_4_derives_zk_and_master_unless_they_are_set(host):
    host.write("etc/mesos/zk", "zk://h1:2181,h2:2181/mesos\n")
    assert options(marathon(host)) == {
        "--zk": ["zk://h1:2181,h2:2181/marathon"],
        "--master": ["zk://h1:2181,h2:2181/mesos"],
    }
    host.write("etc/marathon/conf/master", "local\n")
    host.write("etc/marathon/conf/zk", "zk://h3/m\n")
    assert options(marathon(host)) == {"--zk": ["zk://h3/m"], "--master": ["local"]}


def test_the_launcher_of_marathon_1_4_splits_variables_into_words(host):
    host.write("etc/default/marathon", "MARATHON_HOSTNAME='a b'\nMARATHON_HA=\n")
    assert options(marathon(host, MARATHON_APP_ID="/x")) == {"--hostname": ["a", "b"], "--ha": []}


def test_a_variable_takes_precedence_over_a_file_for_marathon_1_4(host):
    host.write("etc/marathon/conf/hostname", "file")
    assert options(marathon(host, MARATHON_HOSTNAME="variable")) == {"--hostname": ["variable"]}


# --- Chronos ---


def test_the_launcher_of_chronos_2_4_adds_defaults_even_to_options_that_are_set(host):
    host.write("etc/mesos/zk", "zk://h:2181/mesos\n")
    host.write("etc/chronos/conf/master", "set")
    host.launch("chronos-2.4", "usr/bin/chronos")
    subprocess.run(
        [
            "sh",
            "-c",
            "for i in 1 2 3 4 5 6 7 8 9; do "
            f"grep -q zk_hosts {host.root}/syslog && break; sleep .2; done",
        ],
        check=True,
    )
    log = (host.root / "syslog").read_text()
    assert "[@VERSION@][--master][set][--zk_hosts][h:2181][--master][zk://h:2181/mesos]" in log


def test_the_launcher_of_chronos_2_5_adds_defaults_only_to_options_that_are_not_set(host):
    host.write("etc/mesos/zk", "zk://h:2181/mesos\n")
    host.write("etc/chronos/conf/?no-logger")
    host.write("etc/chronos/conf/master", "set")
    host.write("etc/default/chronos", "CHRONOS_HOSTNAME=h1\n")
    result = host.launch("chronos-2.5", "usr/bin/chronos")
    assert result.stdout == "[@VERSION@][--master][set][--hostname][h1][--zk_hosts][h:2181]"
    assert "--hostname h1" in result.stderr, "the launcher traces every option"
