"""
Compare the files of a formula with the settings that they were made from.

Each program's file is read with the rules of its format (readers.py), independent of the templates.
"""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

from lab.fakes.mesos import flag_data
from lab.fakes.mesos import flags as fake_flags

from . import readers
from .in_process import Minion


def word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def words(value: object) -> str:
    """Return a value of yum or sysctl."""
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    return str(int(value)) if isinstance(value, bool) else str(value)


def set_values(values: dict) -> dict:
    return {name: value for name, value in values.items() if value is not None}


def check(minion: Minion, formula: str, directory: Path) -> dict:
    """
    Return the files of a formula. Raises AssertionError if one does not have what the settings
    declare.
    """
    settings = minion.render("common/settings.py", formula=formula)
    files = minion.files(formula)
    CHECKS[formula](minion, settings, files, directory)
    return files


def check_common(minion, settings, files, directory):
    sysctl = readers.assignments(files["/etc/sysctl.d/90-mesos.conf"])
    assert sysctl == {name: words(value) for name, value in set_values(settings["sysctl"]).items()}
    lines = readers.unit(files["/etc/systemd/journald.conf.d/salt.conf"])
    journald = {name: word(value) for name, value in set_values(settings["journald"]).items()}
    assert sorted(lines) == sorted(("Journal", *item) for item in journald.items())
    repositories = settings["repositories"]
    sections = readers.ini(files["/etc/yum.repos.d/salt-extra.repo"])
    assert set(sections) == set(repositories["extra"])
    for name, options in repositories["extra"].items():
        for option, value in set_values(options).items():
            assert sections[name][option] == words(value)
    if repositories["baseurl"]:
        section = readers.ini(files["/etc/yum.repos.d/mesosphere.repo"])["mesosphere"]
        assert section["baseurl"] == f"{repositories['baseurl']}/$basearch/"
    if settings["time"]["enabled"]:
        lines = files["/etc/chrony.conf"].splitlines()
        for noun in ("server", "pool"):
            expected = [f"{noun} {host} iburst" for host in settings["time"][f"{noun}s"]]
            assert [line for line in lines if line.startswith(f"{noun} ")] == expected
    if settings["firewall"]["enabled"]:
        firewall = settings["firewall"]
        text = files[f"/etc/firewalld/zones/{firewall['zone']}.xml"]
        zone = ElementTree.fromstring(text)
        assert zone.findtext("short") == firewall["zone"]
        services = [service.get("name") for service in zone.iter("service")]
        assert services == firewall["services"]


def check_zookeeper(minion, settings, files, directory):
    [path] = [path for path in files if path.endswith("zoo.cfg")]
    options = readers.properties(files[path])
    for name, value in set_values(settings["options"]).items():
        expected = ",".join(value) if isinstance(value, list) else word(value)
        assert options[name] == expected
    assert options["dataDir"] == settings["data_dir"]
    servers = {name: value for name, value in options.items() if name.startswith("server.")}
    assert len(servers) == len(settings["servers"])
    ElementTree.fromstring(files[path.replace("zoo.cfg", "logback.xml")])
    flags = f"-Xms{settings['heap']}m -Xmx{settings['heap']}m"
    flags += f" {settings['java_opts']}" if settings["java_opts"] else ""
    variables = {name: word(value) for name, value in set_values(settings["environment"]).items()}
    java_env = files.get("/etc/zookeeper/conf/java.env")
    if java_env is None:
        values = readers.environment(files["/etc/sysconfig/zookeeper"])
        assert variables.items() <= values.items()
        return
    names = ["SERVER_JVMFLAGS", *variables]
    values = readers.shell(java_env, names, directory)
    assert values == {"SERVER_JVMFLAGS": flags, **variables}


def check_mesos(minion, settings, files, directory):
    for daemon, table in (("master", flag_data.MASTER), ("slave", flag_data.AGENT)):
        section = settings[daemon]
        variables_path = next(
            path for path in files if re.search(f"default/mesos-{_directory(daemon)}$", path)
        )
        variables = {
            name: word(value) for name, value in set_values(section["environment"]).items()
        }
        assert readers.shell(files[variables_path], list(variables), directory) == variables
        [path] = [path for path in files if re.search(f"mesos-{_directory(daemon)}.service", path)]
        for name, value in set_values(section["unit"]).items():
            values = value if isinstance(value, list) else [value]
            lines = [line for line in readers.unit(files[path]) if line[1] == name]
            assert lines == [("Service", name, word(item)) for item in values]
        [path] = [path for path in files if re.search(f"^/etc/mesos-{_directory(daemon)}$", path)]
        check_flags(files[path], table, settings["version"])
    variables = {name: word(value) for name, value in set_values(settings["environment"]).items()}
    assert readers.shell(files["/etc/default/mesos"], list(variables), directory) == variables
    assert files["/etc/mesos/zk"] == f"{settings['zk']}\n"


def _directory(daemon):
    return "master" if daemon == "master" else "(slave|agent)"


def check_flags(flags, table, version):
    """Have the fake daemon load the flags as the init wrapper passes them."""
    known_flags = fake_flags.flags_of_version(table, version)
    arguments = []
    for name, value in set_values(flags).items():
        text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        # Files with JSON, or text that the init wrapper puts together.
        is_file = text.startswith(("file:", "/")) or name in ("attributes", "resources")
        if name == "?no-logger" or is_file or value is False and name.startswith("?"):
            continue
        arguments.append(f"--{name[1:]}" if name.startswith("?") else f"--{name}={text.rstrip()}")
    fake_flags.load(known_flags, arguments, {})


def check_framework(minion, settings, files, directory):
    formula = "marathon" if "/etc/marathon/secrets" in files else "chronos"
    plan = minion.render(f"{formula}/plan.py", settings=settings)
    path = plan.get("environment", "/etc/sysconfig/chronos")
    expected = {name: word(value) for name, value in plan["variables"].items()}
    assert readers.environment(files[path]) == expected
    secrets = {name: word(value) for name, value in plan["secrets"].items()}
    assert readers.environment(files[f"/etc/{formula}/secrets"]) == secrets
    for name, value in set_values(settings["environment"]).items():
        assert expected[name] == word(value)
    options = {
        name: value for name, value in settings["options"].items() if value not in (None, False)
    }
    for name, value in options.items():
        texts = [expected.get(f"MARATHON_{name.upper()}"), secrets.get(f"MARATHON_{name.upper()}")]
        texts += [plan["flags"].get(name), plan["flags"].get(f"?{name}")]
        assert ("" if value is True else word(value)) in [word(text) for text in texts] or (
            value is True and plan["flags"].get(f"?{name}") is True
        )


def check_docker(minion, settings, files, directory):
    assert json.loads(files["/etc/docker/daemon.json"]) == set_values(settings["options"])
    proxy = readers.environment(files["/etc/sysconfig/docker-proxy"])
    for name in ("http_proxy", "https_proxy"):
        assert proxy.get(name.upper()) == (settings[name] or None)
    assert proxy.get("NO_PROXY", "") == ",".join(settings["no_proxy"])
    if settings["package"] == "docker":
        options = readers.environment(files["/etc/sysconfig/docker"])["OPTIONS"]
        assert options.split() == settings["flags"]


CHECKS = {
    "common": check_common,
    "zookeeper": check_zookeeper,
    "mesos": check_mesos,
    "marathon": check_framework,
    "chronos": check_framework,
    "docker": check_docker,
}
