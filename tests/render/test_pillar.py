"""Settings that no program would read in the rendered files: each is rejected or adapted."""

import json

import pytest

from lab.fakes.mesos import flag_data
from lab.fakes.mesos import flags as fake_flags

from .cases import ROLES
from .in_process import Formulas, Minion

FORMULAS = Formulas()

# Pillar -> parts of the only message.
REFUSED = {
    "credentials without a password": (
        {"marathon": {"http_credentials": "admin"}},
        ["marathon:http_credentials = (hidden)", "user:password"],
    ),
    "credentials without a user": (
        {"chronos": {"http_credentials": ":secret"}},
        ["chronos:http_credentials = (hidden)", "user:password"],
    ),
    "a password with a colon": (
        {"marathon": {"http_credentials": "admin:a:b"}},
        ["marathon:http_credentials = (hidden)", "no other colon"],
    ),
    "an empty password of the key store": (
        {"marathon": {"ssl_keystore_password": ""}},
        ["marathon:ssl_keystore_password = (hidden)", "empty"],
    ),
    "credentials that are a list": (
        {"marathon": {"http_credentials": ["admin", "hush"]}},
        ["marathon:http_credentials = (hidden)", "should be text"],
    ),
    "a section that is a list, with a secret": (
        {"marathon": [{"http_credentials": "admin:hush"}]},
        ['marathon = [{"http_credentials": "(hidden)"}]', "should be a mapping"],
    ),
    "a mapping in a repository": (
        {"common": {"repositories": {"extra": {"epel": {"baseurl": {"a": "b"}}}}}},
        ["common:repositories:extra:epel:baseurl", "not empty"],
    ),
    "the id of a repository with a bracket": (
        {"common": {"repositories": {"extra": {"a]b": {"baseurl": "http://a/x"}}}}},
        ["common:repositories:extra:a]b", "not the id of a repository"],
    ),
    "a list for journald": (
        {"common": {"journald": {"Storage": ["persistent"]}}},
        ["common:journald:Storage", "one line"],
    ),
    "a line break in a kernel parameter": (
        {"common": {"sysctl": {"vm.swappiness": "1\nkernel.panic = 1"}}},
        ["common:sysctl:vm.swappiness", "on one line"],
    ),
    "a time server with an option": (
        {"common": {"time": {"servers": ["ntp1.example.org\nserver x"]}}},
        ["common:time:servers", "a host name or an address"],
    ),
    "a service that is not a name": (
        {"common": {"firewall": {"services": ['ssh"/>']}}},
        ["common:firewall:services", "firewalld"],
    ),
    "a zone with a slash": (
        {"common": {"firewall": {"zone": "../../x"}}},
        ["common:firewall:zone", "the name of a zone"],
    ),
    "ports in the wrong order": (
        {"common": {"firewall": {"extra": [{"port": "32000-31000", "from": "clients"}]}}},
        ["common:firewall:extra", "not a port"],
    ),
    "three ports in a range": (
        {"common": {"firewall": {"extra": [{"port": "1-2-3", "from": "clients"}]}}},
        ["common:firewall:extra", "not a port"],
    ),
    "a host name that is a list": (
        {"marathon": {"hostname": ["a"]}},
        ["marathon:hostname", "a host name", "null"],
    ),
    "an address that is a number": (
        {"chronos": {"libprocess_ip": 10}},
        ["chronos:libprocess_ip = 10", "an address"],
    ),
    "a release with a space": (
        {"mesos": {"release": "1 2"}},
        ["mesos:release", "text without spaces"],
    ),
    "a directory that is relative": (
        {"zookeeper": {"log_dir": "log"}},
        ["zookeeper:log_dir = log", "an absolute path"],
    ),
    "a directory with a command": (
        {"zookeeper": {"data_log_dir": "/srv/$(id)"}},
        ["zookeeper:data_log_dir", "an absolute path"],
    ),
    "no memory": ({"zookeeper": {"heap": 0}}, ["zookeeper:heap = 0", "above 0"]),
    "a log size with a space": (
        {"zookeeper": {"log_size": "100 MB"}},
        ["zookeeper:log_size = 100 MB", "such as 100MB"],
    ),
    "a tick with a unit": (
        {"zookeeper": {"options": {"tickTime": "2s"}}},
        ["zookeeper:options:tickTime = 2s", "an integer"],
    ),
    "an option of zoo.cfg that is a list": (
        {"zookeeper": {"options": {"snapCount": [1]}}},
        ["zookeeper:options:snapCount", "on one line"],
    ),
    "a server twice, as number and text": (
        {
            "zookeeper": {
                "servers": {1: "10.0.0.1", "1": "10.0.0.2", 2: "10.0.0.3"},
                "myid": 2,
            }
        },
        ["zookeeper:servers", "the same id twice"],
    ),
    "an isolator with a comma": (
        {"mesos": {"slave": {"flags": {"isolation": ["a,b"]}}}},
        ["mesos:slave:flags:isolation", "a list of words"],
    ),
    "a duration without a unit": (
        {"mesos": {"master": {"flags": {"zk_session_timeout": 20}}}},
        ["mesos:master:flags:zk_session_timeout = 20", "20secs"],
    ),
    "a duration that is text without a unit": (
        {"mesos": {"slave": {"flags": {"gc_delay": "2"}}}},
        ["mesos:slave:flags:gc_delay = '2'", "2secs"],
    ),
    "a size without a unit": (
        {"mesos": {"slave": {"flags": {"fetcher_cache_size": 2}}}},
        ["mesos:slave:flags:fetcher_cache_size = 2", "2MB"],
    ),
    "a boolean that is a word": (
        {"mesos": {"slave": {"flags": {"strict": "no"}}}},
        ["mesos:slave:flags:strict = 'no'", "true or false"],
    ),
    "a number that is a word": (
        {"mesos": {"slave": {"flags": {"gc_disk_headroom": "half"}}}},
        ["mesos:slave:flags:gc_disk_headroom = half", "a number"],
    ),
    "a directory of a flag that is relative": (
        {"mesos": {"master": {"flags": {"work_dir": "mesos"}}}},
        ["mesos:master:flags:work_dir = mesos", "an absolute path"],
    ),
    "JSON that is not": (
        {"mesos": {"master": {"flags": {"acls": "{permissive"}}}},
        ["mesos:master:flags:acls", "JSON"],
    ),
    "a mapping for text": (
        {"mesos": {"master": {"flags": {"cluster": {"name": "blue"}}}}},
        ["mesos:master:flags:cluster", "text"],
    ),
    "a misspelt flag": (
        {"mesos": {"master": {"flags": {"clustr": "blue"}}}},
        ["mesos:master:flags:clustr", "mesos-master 1.9.0", "Did you mean cluster?"],
    ),
    "a misspelt secret": (
        {"mesos": {"master": {"secrets": {"credential": {"a": "b"}}}}},
        ["mesos:master:secrets:credential", "Did you mean credentials?"],
    ),
    "a flag of the agent for the master": (
        {"mesos": {"master": {"flags": {"gc_delay": "2days"}}}},
        ["mesos:master:flags:gc_delay", "no such flag"],
    ),
    "a flag of a newer version": (
        {"mesos": {"master": {"flags": {"allocator_recovery_timeout": "1mins"}}}},
        ["mesos:master:flags:allocator_recovery_timeout", "1.11 is the first"],
    ),
    "a flag of an older version": (
        {"mesos": {"slave": {"flags": {"docker_puller": "local"}}}},
        ["mesos:slave:flags:docker_puller", "0.26 was the last"],
    ),
    "a value without one": (
        {"mesos": {"slave": {"flags": {"?default_role": True}}}},
        ["mesos:slave:flags:?default_role", "needs a value"],
    ),
    "an attribute that is a set": (
        {"mesos": {"slave": {"attributes": {"disks": ["ssd", "hdd"]}}}},
        ["mesos:slave:attributes:disks", "ranges"],
    ),
    "an attribute that is text of a set": (
        {"mesos": {"slave": {"attributes": {"disks": "{ssd,hdd}"}}}},
        ["mesos:slave:attributes:disks", "ranges"],
    ),
    "ports without brackets": (
        {"mesos": {"slave": {"resources": {"ports": "31000-32000"}}}},
        ["mesos:slave:resources:ports", "[31000-32000]"],
    ),
    "a range in the wrong order": (
        {"mesos": {"slave": {"resources": {"ports": ["32000-31000"]}}}},
        ["mesos:slave:resources:ports", "[31000-32000]"],
    ),
    "processors in words": (
        {"mesos": {"slave": {"resources": {"cpus": "four"}}}},
        ["mesos:slave:resources:cpus = four", "a number"],
    ),
    "memory below 0": (
        {"mesos": {"slave": {"resources": {"mem": -5}}}},
        ["mesos:slave:resources:mem = -5", "0 or more"],
    ),
    "memory of a role": (
        {"mesos": {"slave": {"resources": {"mem(web)": "1G"}}}},
        ["mesos:slave:resources:mem(web) = 1G", "0 or more"],
    ),
    "half a GPU": (
        {"mesos": {"slave": {"resources": {"gpus": 0.5}}}},
        ["mesos:slave:resources:gpus = 0.5", "an integer"],
    ),
    "resources as text, one in words": (
        {"mesos": {"slave": {"resources": "cpus:4;mem:much"}}},
        ["mesos:slave:resources:mem = much", "a number"],
    ),
    "resources as a list of text": (
        {"mesos": {"slave": {"resources": ["cpus"]}}},
        ["mesos:slave:resources", "SCALAR"],
    ),
    "a registry with a scheme": (
        {"docker": {"options": {"insecure-registries": ["https://registry.example.org:5000"]}}},
        ["docker:options:insecure-registries", "without a scheme"],
    ),
    "a mirror without a scheme": (
        {"docker": {"options": {"registry-mirrors": ["mirror.example.org"]}}},
        ["docker:options:registry-mirrors", "a URL"],
    ),
    "a mirror with a path": (
        {"docker": {"options": {"registry-mirrors": ["https://mirror.example.org/v2"]}}},
        ["docker:options:registry-mirrors", "without a path"],
    ),
    "an option of dockerd that is text": (
        {"docker": {"options": {"debug": "true"}}},
        ["docker:options:debug = 'true'", "without quotes"],
    ),
    "a list of dockerd that is text": (
        {"docker": {"options": {"dns": "10.0.0.1"}}},
        ["docker:options:dns = 10.0.0.1", "a list"],
    ),
    "a label without a name": (
        {"docker": {"options": {"labels": ["=a"]}}},
        ["docker:options:labels = =a", "name=value"],
    ),
    "a misspelt option of dockerd": (
        {"docker": {"options": {"registry-mirror": ["https://mirror.example.org"]}}},
        ["docker:options:registry-mirror ", "registry-mirrors"],
    ),
    "an option of dockerd with an underscore": (
        {"docker": {"options": {"live_restore": True}}},
        ["docker:options:live_restore", "not the name of an option"],
    ),
    "a flag of dockerd with a space": (
        {"docker": {"flags": ["--label a=b"]}},
        ["docker:flags", "without spaces"],
    ),
    "a proxy with a line break": (
        {"docker": {"http_proxy": "http://a:1\nB=c"}},
        ["docker:http_proxy", "a URL"],
    ),
    "names that are numbers": (
        {"marathon": {"options": {5: "x"}}},
        ["marathon:options:5 = x", "YAML does not read this name as text"],
    ),
    "names that are dates of an environment": (
        {"mesos": {"environment": {True: "x"}}},
        ["mesos:environment:True = x", "YAML does not read this name as text"],
    ),
    "a weight in quotes": (
        {"mesos": {"weights": {"web": "2"}}},
        ["mesos:weights:web = '2'", "2 in quotes is text"],
    ),
    "an amount in quotes": (
        {"mesos": {"quotas": {"web": {"limits": {"cpus": "4"}}}}},
        ["mesos:quotas:web:limits:cpus = '4'", "4 in quotes is text"],
    ),
    "an integer in quotes": (
        {"zookeeper": {"heap": "512"}},
        ["zookeeper:heap = '512'", "512 in quotes is text"],
    ),
    "Mesos without ZooKeeper's port": (
        {"zookeeper": {"client_port": 2182}},
        ["zookeeper:client_port = 2182", "mesos:zk"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_invalid_setting_is_rejected_with_one_line(name):
    pillar, texts = REFUSED[name]
    [message] = Minion(FORMULAS, pillar, ROLES).errors()
    assert "hush" not in message and len(message.splitlines()) == 1
    for text in texts:
        assert text in message


def test_a_long_name_is_shortened_in_the_message():
    pillar = {"mesos": {"slave": {"resources": "x" * 10_000}}}
    [message] = Minion(FORMULAS, pillar, ["mesos-slave"]).errors()
    assert message.startswith("mesos:slave:resources:xxx") and len(message) < 500


@pytest.mark.parametrize("name", REFUSED)
def test_templates_do_not_raise_errors_for_invalid_settings(name):
    pillar, _ = REFUSED[name]
    [formula] = pillar
    assert list(Minion(FORMULAS, pillar, ROLES).declarations(formula))


ZK = "zk://10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181/mesos"


def test_settings_that_contradict_each_other_are_rejected_with_both_names():
    pillar = {"mesos": {"zk": ZK}}
    messages = Minion(FORMULAS, pillar, ["zookeeper", "marathon"]).errors()
    assert len(messages) == 2
    assert "mesos:zk" in messages[0] and "marathon:master is not set" in messages[0]
    assert "mesos:zk" in messages[1] and "zookeeper:servers is empty" in messages[1]


def test_a_master_setting_of_marathon_only_is_rejected_on_a_node_with_an_agent():
    pillar = {"marathon": {"master": ZK}}
    assert Minion(FORMULAS, pillar, ["marathon"]).errors() == []
    [message] = Minion(FORMULAS, pillar, ["marathon", "mesos-slave"]).errors()
    assert message.startswith("marathon:master = zk://") and "mesos:zk is not set" in message


# Flags -> what the daemon gets.
FLAGS = {
    "a list": ("slave", {"isolation": ["cgroups/cpu", "cgroups/mem"]}, "cgroups/cpu,cgroups/mem"),
    "text of a list": (
        "slave",
        {"isolation": "cgroups/cpu,cgroups/mem"},
        "cgroups/cpu,cgroups/mem",
    ),
    "paths": ("slave", {"network_cni_plugins_dir": ["/opt/a", "/opt/b"]}, "/opt/a:/opt/b"),
    "a boolean": ("slave", {"strict": False}, "false"),
    "a number": ("slave", {"gc_disk_headroom": 0.2}, "0.2"),
    "a duration": ("master", {"zk_session_timeout": "20secs"}, "20secs"),
    "a size": ("slave", {"fetcher_cache_size": "3GB"}, "3GB"),
}


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_is_written_as_the_daemon_reads_it(name):
    daemon, flags, expected = FLAGS[name]
    node = Minion(FORMULAS, {"mesos": {daemon: {"flags": flags}}}, ["mesos-master", "mesos-slave"])
    assert node.errors() == []
    [flag] = flags
    written = node.files("mesos")[f"/etc/mesos-{daemon}"][flag]
    text = written if isinstance(written, str) else json.dumps(written)
    table = flag_data.MASTER if daemon == "master" else flag_data.AGENT
    loaded = fake_flags.load(fake_flags.flags_of_version(table, "1.9.0"), [f"--{flag}={text}"], {})
    assert loaded[flag] == expected


@pytest.mark.parametrize(
    "resources",
    [
        "cpus:4; mem:8192;ports:[31000-32000, 33000];",
        '[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 4}}]',
        [{"name": "disks", "type": "SET", "set": {"item": ["a", "b"]}}],
        {"cpus": 4.5, "mem(web)": "1024", "gpus": 1, "ports": [31000, "32000-33000"]},
        {"tapes": 2, "disks": ["a", "b"], "slots": "[1-4]", "mem": None},
        None,
    ],
)
def test_resources_in_all_forms_of_mesos_are_accepted(resources):
    pillar = {"mesos": {"slave": {"resources": resources}}}
    assert Minion(FORMULAS, pillar, ["mesos-slave"]).errors() == []


def test_the_old_name_of_a_flag_is_reported():
    pillar = {"mesos": {"master": {"flags": {"slave_ping_timeout": "20secs"}}}}
    node = Minion(FORMULAS, pillar, ["mesos-master"])
    assert node.render("common/validation.py", details=True) == {
        "errors": [],
        "deprecated": {
            "mesos:master:flags:slave_ping_timeout": "mesos:master:flags:agent_ping_timeout"
        },
    }
    assert "mesos:master:flags:agent_ping_timeout" in node.template(
        "common/validate.sls", {"sls": "common.validate"}
    )


def test_the_old_name_is_the_name_in_an_old_version():
    settings = {"version": "0.28.2", "master": {"flags": {"slave_ping_timeout": "20secs"}}}
    node = Minion(FORMULAS, {"mesos": settings}, ["mesos-master"])
    result = node.render("common/validation.py", details=True)
    assert result == {"errors": [], "deprecated": {}}


def test_a_default_that_an_old_version_does_not_support_is_omitted():
    node = Minion(FORMULAS, {"mesos": {"version": "1.4.3"}}, ["mesos-slave"])
    assert node.errors() == []
    assert "reconfiguration_policy" not in node.files("mesos")["/etc/mesos-slave"]
    settings = {"version": "1.4.3", "slave": {"flags": {"reconfiguration_policy": "equal"}}}
    [message] = Minion(FORMULAS, {"mesos": settings}, ["mesos-slave"]).errors()
    assert "1.5 is the first" in message


@pytest.mark.parametrize("formula", ["zookeeper", "mesos", "docker"])
def test_the_values_of_a_type_are_those_of_versions_yaml(formula):
    setting = "vendor" if formula == "mesos" else "package"
    types = FORMULAS.read_yaml(f"{formula}/types.yaml")
    assert types[setting] == list(FORMULAS.read_yaml(f"{formula}/versions.yaml"))


@pytest.mark.parametrize(
    "formula", ["common", "zookeeper", "mesos", "marathon", "chronos", "docker"]
)
def test_every_setting_has_a_type(formula):
    defaults = FORMULAS.read_yaml(f"{formula}/defaults.yaml")
    types = FORMULAS.read_yaml(f"{formula}/types.yaml")
    assert list(types) == list(defaults)
    node = Minion(FORMULAS, {formula: defaults})
    assert node.errors() == []
