"""A program reads a value from its file as it was declared, or validation rejects the value."""

import json
import re
from xml.etree import ElementTree

import pytest

from . import readers
from .in_process import Formulas, Minion

FORMULAS = Formulas()
HOSTILE = {
    "double quotes": 'a "b" c',
    "single quotes": "it's",
    "dollar": "$HOME ${HOME} $(id)",
    "backticks": "`id`",
    "percent": "100%% %n",
    "semicolon": "a;b",
    "semicolon after a space": "a ;b",
    "hash": "a #b",
    "backslash": "a\\b \\n",
    "backslash at the end": "a\\",
    "exclamation mark": "!a !!",
    "glob": "* ? [a]",
    "ampersand and brackets": "<a> && b > /dev/null",
    "unicode": "Zoë \u2603 \U0001f600",
    "empty": "",
    "spaces around it": "  a  ",
    "line break": "a\nb=c",
    "carriage return": "a\rb",
    "paragraph separator": "a\u2029b",
    "NUL": "a\0b",
    "escape": "\x1b[31m",
    "10,000 characters": "x" * 10_000,
    "true": True,
    "zero": 0,
    "number": 1.5,
}
# Setting with the value at its end, and how the program reads it back.
SETTINGS = {
    "shell, mesos": ("mesos", ("master", "environment", "VALUE"), ["mesos-master"]),
    "shell, zookeeper": ("zookeeper", ("environment", "VALUE"), ["zookeeper"]),
    "environment, marathon": ("marathon", ("environment", "VALUE"), ["marathon"]),
    "environment, marathon option": ("marathon", ("options", "framework_name"), ["marathon"]),
    "environment, chronos": ("chronos", ("environment", "VALUE"), ["chronos"]),
    "unit": ("mesos", ("master", "unit", "SyslogIdentifier"), ["mesos-master"]),
    "journald": ("common", ("journald", "TTYPath"), []),
    "yum": ("common", ("repositories", "extra", "epel", "name"), []),
    "sysctl": ("common", ("sysctl", "kernel.core_pattern"), []),
    "zoo.cfg": ("zookeeper", ("options", "some.option"), ["zookeeper"]),
    "json": ("docker", ("options", "cgroup-parent"), ["docker"]),
    "json, log option": ("docker", ("options", "log-opts", "tag"), ["docker"]),
}
# Values that no line of any file can contain.
BROKEN = ("line break", "carriage return", "paragraph separator", "NUL", "escape")
# Values that the format cannot contain either.
REFUSED = {
    "environment, marathon option": ["empty", "true"],
    "unit": ["backslash at the end", "spaces around it", "10,000 characters"],
    "journald": ["backslash at the end", "spaces around it", "10,000 characters"],
    "yum": ["semicolon after a space", "hash", "empty", "spaces around it"],
    "sysctl": ["empty", "spaces around it", "10,000 characters"],
    "zoo.cfg": ["unicode", "empty", "spaces around it"],
    "json": ["true", "zero", "number"],
    "json, log option": ["true", "zero", "number"],
}


def minion(setting: str, value: object) -> Minion:
    formula, path, roles = SETTINGS[setting]
    section = value
    for key in reversed(path):
        section = {key: section}
    if setting == "yum":
        section["repositories"]["extra"]["epel"]["baseurl"] = "http://a.example.org"
    return Minion(FORMULAS, {formula: section}, roles)


def read_back(setting: str, files: dict, directory) -> object:
    """Return the value of a setting as the program reads it in the files of the formula."""
    if setting.startswith("shell"):
        path = "/etc/default/mesos-master"
        text = files.get(path) or files["/etc/zookeeper/conf/java.env"]
        return readers.shell(text, ["VALUE"], directory)["VALUE"]
    if setting.startswith("environment"):
        text = files.get("/etc/default/marathon") or files["/etc/sysconfig/chronos"]
        variables = readers.environment(text)
        return variables.get("VALUE", variables.get("MARATHON_FRAMEWORK_NAME"))
    if setting == "unit":
        text = files["/etc/systemd/system/mesos-master.service.d/salt.conf"]
        return {option: value for _, option, value in readers.unit(text)}["SyslogIdentifier"]
    if setting == "journald":
        text = files["/etc/systemd/journald.conf.d/salt.conf"]
        return {option: value for _, option, value in readers.unit(text)}["TTYPath"]
    if setting == "yum":
        return readers.ini(files["/etc/yum.repos.d/salt-extra.repo"])["epel"]["name"]
    if setting == "sysctl":
        return readers.assignments(files["/etc/sysctl.d/90-mesos.conf"])["kernel.core_pattern"]
    if setting == "zoo.cfg":
        return readers.properties(files["/etc/zookeeper/conf/zoo.cfg"])["some.option"]
    options = json.loads(files["/etc/docker/daemon.json"])
    return options["log-opts"]["tag"] if "log option" in setting else options["cgroup-parent"]


def text_of(setting: str, value: object) -> str:
    if isinstance(value, bool):
        return str(int(value)) if setting in ("yum", "sysctl") else str(value).lower()
    return str(value)


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_value_is_read_back_as_declared_or_rejected(setting, case, tmp_path):
    node = minion(setting, HOSTILE[case])
    errors = node.errors()
    is_json = setting.startswith("json")
    is_broken = case in BROKEN and not (setting == "json, log option" and case != "NUL")
    if is_broken or case in REFUSED.get(setting, []):
        assert len(errors) == 1 and len(errors[0].splitlines()) == 1, errors
        return
    assert errors == []
    formula, _, _ = SETTINGS[setting]
    value = read_back(setting, node.files(formula), tmp_path)
    expected = HOSTILE[case] if is_json else text_of(setting, HOSTILE[case])
    assert value == expected


LISTS = {
    "a repository with two addresses": (
        {
            "common": {
                "repositories": {"extra": {"epel": {"baseurl": ["http://a/x", "http://b/x"]}}}
            }
        },
        "/etc/yum.repos.d/salt-extra.repo",
        "baseurl=http://a/x http://b/x",
    ),
    "a range of ports": (
        {"common": {"sysctl": {"net.ipv4.ip_local_port_range": [32768, 60999]}}},
        "/etc/sysctl.d/90-mesos.conf",
        "net.ipv4.ip_local_port_range = 32768 60999",
    ),
    "four-letter words": (
        {"zookeeper": {"options": {"4lw.commands.whitelist": ["ruok", "srvr"]}}},
        "/etc/zookeeper/conf/zoo.cfg",
        "4lw.commands.whitelist=ruok,srvr",
    ),
    "an option of a unit": (
        {"mesos": {"master": {"unit": {"Environment": ["A=1", "B=2"]}}}},
        "/etc/systemd/system/mesos-master.service.d/salt.conf",
        "Environment=A=1\nEnvironment=B=2",
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_written_in_the_format_of_the_file(name):
    pillar, path, lines = LISTS[name]
    [formula] = pillar
    node = Minion(FORMULAS, pillar, ["mesos-master"])
    assert node.errors() == []
    assert f"\n{lines}\n" in node.files(formula)[path]


def test_the_firewall_zone_is_xml():
    pillar = {"common": {"firewall": {"clients": ["10.0.0.0/8"], "members": ["fd00::/64"]}}}
    node = Minion(FORMULAS, pillar, ["zookeeper", "marathon"])
    zone = ElementTree.fromstring(node.files("common")["/etc/firewalld/zones/public.xml"])
    addresses = {source.get("address") for source in zone.iter("source")}
    assert addresses == {"10.0.0.0/8", "fd00::/64"}


@pytest.mark.parametrize(
    "options", ['-Dx="a b"', "-Dx='a'", "-Dx=`id`", "-Dx=a\\ b", "a\nexport B=c"]
)
@pytest.mark.parametrize("formula", ["zookeeper", "marathon", "chronos"])
def test_options_of_the_jvm_that_no_launcher_reads_are_rejected(formula, options):
    [error] = Minion(FORMULAS, {formula: {"java_opts": options}}, [formula]).errors()
    assert re.search("java_opts.*options of the JVM without quotes", error)


def test_a_dollar_in_options_of_the_jvm_is_not_expanded(tmp_path):
    pillar = {"zookeeper": {"java_opts": "-Dx=$HOME -Dy=$(id)"}}
    node = Minion(FORMULAS, pillar, ["zookeeper"])
    assert node.errors() == []
    text = node.files("zookeeper")["/etc/zookeeper/conf/java.env"]
    variables = readers.shell(text, ["SERVER_JVMFLAGS"], tmp_path)
    assert variables["SERVER_JVMFLAGS"] == "-Xms512m -Xmx512m -Dx=$HOME -Dy=$(id)"
