"""Every node: time, journal, kernel, repositories, firewall, and the services of its roles."""

import configparser
from pathlib import Path

import pytest
import yaml

ROLES = yaml.safe_load((Path(__file__).parents[2] / "formulas/common/roles.yaml").read_text())

# Common settings come with any role. A node without a role is not changed.
managed = pytest.mark.role(*ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_a_service_runs_only_if_the_node_has_its_role(host, roles, agent, runs, role):
    unit = agent["unit"] if role == "mesos-slave" else ROLES[role]["unit"]
    if role in roles:
        runs(unit)
    else:
        assert not host.service(unit).is_running


@managed
def test_the_clock_is_synchronized(host, settings, runs):
    if settings("common")["time"]["enabled"]:
        runs("chronyd")
        for pool in settings("common")["time"]["pools"]:
            assert f"pool {pool} " in host.file("/etc/chrony.conf").content_string


@managed
def test_the_journal_survives_a_reboot(host):
    machine = host.check_output("cat /etc/machine-id")
    assert host.file(f"/var/log/journal/{machine}/system.journal").is_file


@managed
def test_kernel_parameters_have_their_values(host, settings):
    for name, value in settings("common")["sysctl"].items():
        path = f"/proc/sys/{name.replace('.', '/')}"
        # In a container vm.* belongs to its host, and the file is read-only.
        if value is not None and host.run("test -w %s", path).rc == 0:
            assert host.check_output("cat %s", path) == str(value), name


@managed
def test_packages_are_verified(host, settings):
    for path in host.check_output("ls /etc/yum.repos.d/*.repo").split():
        repositories = configparser.ConfigParser(interpolation=None)
        repositories.read_string(host.file(path).content_string)
        for section in repositories.sections():
            if repositories[section].getboolean("enabled", True):
                assert repositories[section].getboolean("gpgcheck"), f"{path}: [{section}]"


def declared_rules(roles, settings) -> set[tuple[str, str]]:
    """Return what the firewall must allow: pairs of port/protocol and network or ``everyone``."""
    firewall, zookeeper, mesos = (
        settings("common")["firewall"],
        settings("zookeeper"),
        settings("mesos"),
    )
    marathon, chronos = settings("marathon"), settings("chronos")
    members = firewall["members"] or []
    networks = {
        "everyone": ["everyone"],
        "clients": ["everyone"] if firewall["clients"] is None else firewall["clients"] + members,
        "members": members,
    }
    ports = {
        "zookeeper": [
            (zookeeper[name], "members") for name in ("client_port", "peer_port", "election_port")
        ],
        "mesos-master": [(mesos["master"]["flags"].get("port", 5050), "clients")],
        "mesos-slave": [(mesos["slave"]["flags"].get("port", 5051), "clients")],
        "marathon": [(marathon["http_port"], "clients"), (marathon["libprocess_port"], "members")],
        "chronos": [(chronos["http_port"], "clients"), (chronos["libprocess_port"], "members")],
    }
    rules = [(f"{port}/tcp", who) for role in roles for port, who in ports.get(role, [])]
    rules += [
        (f"{rule['port']}/{rule.get('protocol', 'tcp')}", rule["from"])
        for rule in firewall["extra"]
    ]
    return {(port, network) for port, who in rules for network in networks[who]}


@managed
def test_the_firewall_allows_only_what_the_roles_declare(host, roles, settings, runs):
    firewall = settings("common")["firewall"]
    if not firewall["enabled"]:
        return
    runs("firewalld")
    zone = f"--zone={firewall['zone']}"
    rules = {
        (port, "everyone")
        for port in host.check_output("firewall-cmd %s --list-ports", zone).split()
    }
    for rule in host.check_output("firewall-cmd %s --list-rich-rules", zone).splitlines():
        words = dict(
            word.partition("=")[::2] for word in rule.replace('"', "").split() if "=" in word
        )
        assert rule.endswith("accept"), rule
        rules.add((f"{words['port']}/{words['protocol']}", words["address"]))
    assert rules == declared_rules(roles, settings)
    assert set(host.check_output("firewall-cmd %s --list-services", zone).split()) == set(
        firewall["services"]
    )


@managed
def test_no_rule_is_only_in_the_running_firewall(host, settings):
    """A rule that was only added at run time would be lost with the next reload."""
    firewall = settings("common")["firewall"]
    if firewall["enabled"]:
        for option in ("--list-ports", "--list-rich-rules", "--list-services"):
            now, later = (
                host.check_output(f"firewall-cmd {word} --zone={firewall['zone']} {option}")
                for word in ("", "--permanent")
            )
            assert sorted(now.split()) == sorted(later.split())
