"""The nodes that are rendered, by name.

A case is a minion, in the form that lab/render.py describes.
"""

from pathlib import Path

import yaml

FORMULAS = Path(__file__).parents[2] / "formulas"
ROLES = tuple(yaml.safe_load((FORMULAS / "common" / "roles.yaml").read_text()))
NODE = "lxdev01"
SECRET = "open-sesame-4711"
# The options with which Marathon uses a secret.
AUTHENTICATION = {
    "mesos_authentication": True,
    "mesos_authentication_principal": "marathon",
}


def node(*roles: str, pillar: dict | None = None, **keys) -> dict:
    """Return a minion with these roles."""
    return {"id": NODE, "grains": {"roles": list(roles)}, "pillar": pillar or {}, **keys}


def example(formula: str, *roles: str) -> dict:
    """Return a minion with the settings of a formula's pillar.example."""
    pillar = yaml.safe_load((FORMULAS / formula / "pillar.example").read_text())
    return node(*roles, pillar=pillar, shows=formula)


DECLARATION_SLS = ["mesos.policy", "marathon.apps", "chronos.jobs"]


def declared(**pillar: object) -> dict:
    """Return a minion that applies what its pillar declares for the cluster."""
    return node(pillar=pillar, sls=DECLARATION_SLS)


def declarations(formula: str, *keys: str) -> dict:
    """Return the declarations in a formula's pillar.example."""
    pillar = yaml.safe_load((FORMULAS / formula / "pillar.example").read_text())
    return {formula: {key: pillar[formula][key] for key in keys}}


def single(role: str, formula: str, **settings) -> dict:
    """Return a minion with one role and some settings of a formula.

    Its golden file shows that formula.
    """
    return node(role, pillar={formula: settings}, shows=formula)


def vault(platform: str, url: str, **grains) -> dict:
    """Return a minion on EL 8 or 9 that uses a mirror of the system's repositories.

    Its golden file shows them.
    """
    case = single("docker", "common", repositories={"vault": url})
    return {**case, "platform": platform, "grains": {**case["grains"], **grains}}


def member(name: str, address: str, *roles: str, topology: object = None, **keys) -> dict:
    """Return a minion with a topology; by default it is the repository's."""
    case = {
        "id": f"{name}.devops.test",
        "grains": {"roles": list(roles), "ipv4": ["127.0.0.1", address]},
        **keys,
    }
    return case | ({"site": True} if topology is None else {"topology": topology})


CONTROL = ("zookeeper", "mesos-master", "marathon", "chronos")

# Every key of a topology: an observer, separate nodes for agents, other ports and paths, names
# instead of addresses.
WIDE = {
    "nodes": {
        **{
            f"lxcc0{number}.devops.test": {
                "address": f"10.0.0.1{number}",
                "roles": list(CONTROL),
                "zookeeper_id": 10 - number,
            }
            for number in (1, 2, 3)
        },
        "lxco01.devops.test": {
            "address": "10.0.1.14",
            "roles": "zookeeper",
            "zookeeper_id": 255,
            "zookeeper_observer": True,
        },
        "lxb*.devops.test": {"address": "10.0.2.0/24", "roles": ["mesos-slave", "docker"]},
        "lxb007.devops.test": {"address": "10.0.3.7", "roles": ["mesos-slave"]},
    },
    "advertise": "name",
    "ports": {
        "zookeeper": 12181,
        "zookeeper-peer": 12888,
        "zookeeper-election": 13888,
        "mesos-master": 15050,
        "mesos-slave": 15051,
        "marathon": 18080,
        "chronos": 14400,
    },
    "chroots": {"mesos": "/blue/mesos", "marathon": "/blue/marathon", "chronos": "/blue/chronos"},
}

# A golden file each. `shows`: the only formula in the file.
NODES = {
    "standalone": node(*ROLES),
    "no-roles": node(),
    **{role: node(role) for role in ROLES},
    "example-common": example("common", *ROLES),
    "example-zookeeper": example("zookeeper", "zookeeper"),
    "example-mesos": example("mesos", "mesos-master", "mesos-slave", "docker"),
    "example-marathon": example("marathon", "marathon"),
    "example-chronos": example("chronos", "chronos"),
    "example-docker": example("docker", "docker"),
    "declared": declared(
        **declarations("marathon", "apps", "groups", "deployment"),
        **declarations("chronos", "jobs", "deployment"),
        **declarations("mesos", "quotas", "weights"),
    ),
    "declared-nothing": declared(),
    "declared-examples": declared(
        **yaml.safe_load((FORMULAS.parent / "pillar" / "apps.sls").read_text())
    ),
    "el8": node(*ROLES, platform="el8"),
    "el8-vault": vault("el8", "https://mirror.example.org/almalinux/8"),
    "el9-vault": vault("el9", "https://mirror.example.org/almalinux/9"),
    "nothing-common": single(
        "docker", "common", time={"enabled": False}, firewall={"enabled": False}
    ),
    "zookeeper-el7": single("zookeeper", "zookeeper", package="zookeeper"),
    "zookeeper-observer": single(
        "zookeeper",
        "zookeeper",
        package="aventer-zookeeper",
        myid=3,
        observers=[3],
        servers={1: "10.0.0.1", 2: "10.0.0.2", 3: "10.0.0.3"},
    ),
    "mesos-apache": single("mesos-slave", "mesos", vendor="apache"),
    "mesos-aventer": single("mesos-slave", "mesos", vendor="aventer"),
    "marathon-1.4.13": single("marathon", "marathon", version="1.4.13"),
    "marathon-1.5.15": single("marathon", "marathon", version="1.5.15"),
    "chronos-2.4.0": single("chronos", "chronos", version="2.4.0"),
    "docker-ce": single("docker", "docker", package="docker-ce"),
    "ha-lxcm01": member("lxcm01", "172.31.250.10"),
    "ha-lxcc01": member("lxcc01", "172.31.250.11", *CONTROL),
    "ha-lxcc02": member("lxcc02", "172.31.250.12", *CONTROL),
    "ha-lxb001": member("lxb001", "172.31.250.65", "mesos-slave", "docker"),
    "wide-lxcc01": member("lxcc01", "10.0.0.11", *CONTROL, topology=WIDE),
    "wide-lxco01": member("lxco01", "10.0.1.14", "zookeeper", topology=WIDE),
    "wide-lxb001": member("lxb001", "10.0.2.1", "mesos-slave", "docker", topology=WIDE),
    "secrets": node(
        *ROLES,
        pillar={
            "mesos": {
                "zk": f"zk://mesos:{SECRET}@localhost:2181/mesos",
                "master": {
                    "secrets": {
                        "credentials": {"credentials": [{"principal": "ops", "secret": SECRET}]}
                    }
                },
                "slave": {"secrets": {"credential": {"principal": "agent", "secret": SECRET}}},
            },
            "marathon": {
                "master": f"zk://mesos:{SECRET}@localhost:2181/mesos",
                "http_credentials": f"admin:{SECRET}",
                "ssl_keystore_password": SECRET,
                "mesos_authentication_secret": SECRET,
                "options": AUTHENTICATION,
            },
            "chronos": {
                "master": "file:///etc/mesos/zk",
                "http_credentials": f"admin:{SECRET}",
                "mesos_authentication_secret": SECRET,
            },
            "docker": {"https_proxy": f"http://proxy:{SECRET}@10.0.0.1:3128"},
        },
        shows="mesos",
    ),
    "secrets-marathon-1.4.13": single(
        "marathon",
        "marathon",
        version="1.4.13",
        http_credentials=f"admin:{SECRET}",
        zk=f"zk://marathon:{SECRET}@localhost:2181/marathon",
        mesos_authentication_secret=SECRET,
        options=AUTHENTICATION,
    ),
}

# A topology of one node, whose settings must not contradict it.
ALONE = {
    "nodes": {
        NODE: {"address": "10.0.0.1", "roles": ["zookeeper", "mesos-master"], "zookeeper_id": 1}
    }
}


def contradicting(*roles: str, **settings) -> dict:
    """Return the minion of the topology ALONE with these roles and settings."""
    return {**node(*roles), "topology": ALONE, "settings": settings}


# Cases that must get the same as another one, of NODES.
EQUIVALENT = {
    "EL 9, which differs from EL 8 only in its own repositories": (
        node(*ROLES, platform="el9"),
        "el8",
    ),
    "the defaults of EL 8 as settings on EL 7": (
        node(
            *ROLES,
            pillar={
                "zookeeper": {"package": "aventer-zookeeper"},
                "mesos": {"vendor": "aventer", "version": "1.11.0"},
                "docker": {"package": "docker-ce"},
            },
        ),
        "el8",
    ),
    "roles as one string": ({**node(), "grains": {"roles": "zookeeper"}}, "zookeeper"),
    "an empty topology": ({**node(*ROLES), "topology": {"nodes": {}}}, "standalone"),
    "the default version of Marathon as a setting": (
        single("marathon", "marathon", version="1.8.244"),
        "marathon",
    ),
    "the generation of Marathon from the installed package": (
        {
            **single("marathon", "marathon", version="installed"),
            "installed": {"marathon": "1.5.15-1.el7"},
        },
        "marathon-1.5.15",
    ),
}

# Cases with one error each, and parts of the message: setting, value, what would be right.
ERRORS = {
    "unknown setting": (
        single("zookeeper", "zookeeper", zookeper=1),
        ["zookeeper:zookeper", "= 1", "Known: package,"],
    ),
    "misspelt setting": (
        single("zookeeper", "zookeeper", client_prot=2182),
        ["zookeeper:client_prot", "2182", "Did you mean client_port?"],
    ),
    "unknown setting in a section": (
        node("docker", pillar={"common": {"firewall": {"client": ["10.0.0.0/8"]}}}),
        ["common:firewall:client ", "Did you mean clients?"],
    ),
    "misspelt formula": (
        node("zookeeper", pillar={"zookeper": {"heap": 1}}),
        ["zookeper", "Did you mean zookeeper?"],
    ),
    "unknown role": (
        node("zookeeper", "cronos"),
        ["grains:roles", "cronos", "Did you mean chronos?", "mesos-master"],
    ),
    "unknown role, one string": (
        {**node(), "grains": {"roles": "master"}},
        ["grains:roles", "= master", "mesos-master"],
    ),
    "port that is text": (
        single("marathon", "marathon", http_port="web"),
        ["marathon:http_port", "web", "8080"],
    ),
    "port that is invalid": (
        single("zookeeper", "zookeeper", client_port=70000),
        ["zookeeper:client_port", "70000", "65535"],
    ),
    "port of a flag": (
        single("mesos-master", "mesos", master={"flags": {"port": "web"}}),
        ["mesos:master:flags:port", "web", "65535"],
    ),
    "AdminServer on the port of Marathon": (
        node(
            "zookeeper",
            "marathon",
            pillar={"zookeeper": {"options": {"admin.enableServer": True}}},
        ),
        ["zookeeper:options:admin.enableServer = true", "port 8080", "another admin.serverPort."],
    ),
    "wrong type": (
        single("zookeeper", "zookeeper", heap="much"),
        ["zookeeper:heap", "much", "an integer"],
    ),
    "old and new name of a flag": (
        single(
            "mesos-master",
            "mesos",
            master={"flags": {"slave_ping_timeout": "15secs", "agent_ping_timeout": "15secs"}},
        ),
        ["mesos:master:flags:slave_ping_timeout", "mesos:master:flags:agent_ping_timeout"],
    ),
    "flag and its negation": (
        single(
            "mesos-slave", "mesos", slave={"flags": {"switch_user": True, "?no-switch_user": True}}
        ),
        ["mesos:slave:flags:switch_user", "mesos:slave:flags:?no-switch_user"],
    ),
    "flag and variable": (
        single("mesos-slave", "mesos", slave={"environment": {"LOGS": "/var/log"}}),
        ["mesos:slave:environment:LOGS", "mesos:slave:flags:log_dir"],
    ),
    "version of Marathon that is invalid": (
        single("marathon", "marathon", version="newest"),
        ["marathon:version", "newest", "1.8.244"],
    ),
    "version of Marathon that is a number": (
        single("marathon", "marathon", version=1.8),
        ["marathon:version", "1.8"],
    ),
    "Mesos that is too old for Marathon": (
        node("marathon", pillar={"mesos": {"version": "1.4.3"}}),
        [
            "mesos:version = 1.4.3",
            "Marathon 1.8.244 on this node needs Mesos 1.5.0 or later.",
            "or a marathon:version before 1.7.0.",
        ],
    ),
    "Mesos that is too old for the installed Marathon": (
        {
            **node(
                "marathon",
                pillar={"mesos": {"version": "1.0.3"}, "marathon": {"version": "installed"}},
            ),
            "installed": {"marathon": "1.4.13-1.0.678.el7"},
        },
        ["mesos:version = 1.0.3", "needs Mesos 1.1.0", "marathon:version before 1.4.0."],
    ),
    "secret that Marathon would not use": (
        single("marathon", "marathon", mesos_authentication_secret=SECRET),
        [
            "marathon:mesos_authentication_secret = (hidden)",
            "marathon:options:mesos_authentication: true",
        ],
    ),
    "secret file that Marathon would not use": (
        single("marathon", "marathon", options={"mesos_authentication_secret_file": "/etc/x"}),
        [
            "marathon:options:mesos_authentication_secret_file = /etc/x",
            "marathon:options:mesos_authentication: true",
        ],
    ),
    "secret in a file as well": (
        single(
            "marathon",
            "marathon",
            mesos_authentication_secret=SECRET,
            options={**AUTHENTICATION, "mesos_authentication_secret_file": "/etc/x"},
        ),
        ["marathon:options:mesos_authentication_secret_file", "Keep one of them."],
    ),
    "authentication without a principal": (
        single("marathon", "marathon", options={"mesos_authentication": True}),
        [
            "marathon:options:mesos_authentication = true",
            "needs the option mesos_authentication_principal",
        ],
    ),
    "Debian": (
        {
            **node("zookeeper"),
            "grains": {"roles": ["zookeeper"], "os": "Debian", "os_family": "Debian"},
        },
        ["grains:os_family", "Debian", "RedHat"],
    ),
    "EL 6": (
        vault("el7", "http://vault.centos.org/6.10", osmajorrelease=6),
        ["grains:osmajorrelease", "= 6", "Known: 7, 8, 9."],
    ),
    "vault of a system whose files are not known": (
        vault("el8", "https://mirror.example.org/el/8", os="RedHat"),
        [
            "common:repositories:vault",
            "RedHat 8",
            "AlmaLinux, CentOS, Rocky",
            "common:repositories:extra",
        ],
    ),
    "repository without its key": (
        node(
            "docker",
            pillar={"common": {"repositories": {"baseurl": "https://mirror.example.org/el/7"}}},
        ),
        ["common:repositories:gpgkey", "gpgcheck: false"],
    ),
    "network that is invalid": (
        node("docker", pillar={"common": {"firewall": {"clients": ["everybody"]}}}),
        ["common:firewall:clients", "everybody"],
    ),
    "id of a server that is not listed": (
        single("zookeeper", "zookeeper", servers={1: "10.0.0.1"}, myid=2),
        ["zookeeper:myid", "= 2", "Known: 1"],
    ),
    "option of Docker set twice": (
        single("docker", "docker", flags=["--log-driver=journald"]),
        ["docker:flags", "--log-driver=journald", "twice"],
    ),
    "URL of an API that is invalid": (
        single("docker", "mesos", url=["http://10.0.0.1:5050", "10.0.0.2:5050"]),
        ["mesos:url", "10.0.0.2:5050", "http://10.0.0.1:5050"],
    ),
    "no URL of an API": (
        single("docker", "chronos", url=[]),
        ["chronos:url", "[]", "http://10.0.0.1:5050"],
    ),
    "grain that differs from the topology": (
        contradicting("docker", "zookeeper"),
        [
            "grains:roles = [docker, zookeeper]",
            "[zookeeper, mesos-master]",
            "salt-run state.orchestrate orchestration.roles",
            "grains.setval roles '[zookeeper, mesos-master]'",
        ],
    ),
    "servers that are not the topology's": (
        contradicting("zookeeper", "mesos-master", zookeeper={"servers": {2: "10.0.0.2"}}),
        ["zookeeper:servers", "10.0.0.2", 'the topology sets this to {"1": "10.0.0.1"}.'],
    ),
    "port that is not the topology's": (
        contradicting("zookeeper", "mesos-master", zookeeper={"client_port": 2182}),
        ["zookeeper:client_port = 2182", "the topology sets this to 2181."],
    ),
    "quorum that is not the topology's": (
        contradicting("zookeeper", "mesos-master", mesos={"master": {"flags": {"quorum": 2}}}),
        ["mesos:master:flags:quorum = 2", "the topology sets this to 1."],
    ),
    "list as the topology": (
        node("docker", pillar={"topology": ["lxdev01"]}),
        ["topology = ", "lxdev01", "pillar/topology.yaml"],
    ),
    "misspelt topology": (
        node("docker", pillar={"topolgy": {}}),
        ["topolgy", "Did you mean topology?"],
    ),
    "app with an impossible id": (
        declared(marathon={"apps": {"/Shop/Cart": {"cmd": "x"}}}),
        ["marathon:apps:/Shop/Cart", "/shop/cart"],
    ),
    "the root as a group": (
        declared(marathon={"groups": {"/": None}}),
        ["marathon:groups:/ = /", "not an id that a group can have"],
    ),
    "app twice": (
        declared(marathon={"apps": {"web": {}, "/web": {}}}),
        ["marathon:apps:/web", "the same id as web."],
    ),
    "app that is a command": (
        declared(marathon={"apps": {"/web": "sleep 100"}}),
        ["marathon:apps:/web = sleep 100", "salt://apps/NAME.json or .yaml"],
    ),
    "app that is a list": (
        declared(marathon={"apps": {"/web": [{"env": {"TOKEN": SECRET}}]}}),
        ["marathon:apps:/web = (a list)", "a mapping"],
    ),
    "apps that are a list": (
        declared(marathon={"apps": [{"id": "/web"}]}),
        ["marathon:apps", "should be a mapping."],
    ),
    "group with an unknown key": (
        declared(marathon={"groups": {"/shop": {"app": {}}}}),
        ["marathon:groups:/shop:app", "Known: apps, groups, dependencies, purge"],
    ),
    "group that is no mapping": (
        declared(marathon={"groups": {"/shop": 1}}),
        ["marathon:groups:/shop = 1", "should be a mapping"],
    ),
    "deployment with an unknown key": (
        declared(marathon={"deployment": {"purg": True}}),
        ["marathon:deployment:purg = true", "Did you mean purge?"],
    ),
    "unknown mode": (
        declared(marathon={"deployment": {"mode": "mix"}}),
        ["marathon:deployment:mode = mix", "Known: merge, replace."],
    ),
    "apps without an owner": (
        declared(marathon={"deployment": {"owner": " "}}),
        ["marathon:deployment:owner", "label"],
    ),
    "timeout of 0": (
        declared(marathon={"deployment": {"timeout": 0}}),
        ["marathon:deployment:timeout = 0", "from 1 to 3600"],
    ),
    "rollback without waiting": (
        declared(marathon={"deployment": {"rollback": True, "wait": False}}),
        ["marathon:deployment:rollback", "wait: true"],
    ),
    "job with a name of two lines": (
        declared(chronos={"jobs": {"a\nb": {}}}),
        ['"chronos:jobs:a\\nb" = "a\\nb"', "on one line"],
    ),
    "job that is a command": (
        declared(chronos={"jobs": {"hello": "echo hello"}}),
        ["chronos:jobs:hello = echo hello", "salt://jobs/NAME.json or .yaml"],
    ),
    "unknown match of schedules": (
        declared(chronos={"deployment": {"match": "same"}}),
        ["chronos:deployment:match = same", "equivalent"],
    ),
    "purge without an owner of jobs": (
        declared(chronos={"deployment": {"purge": True}}),
        ["chronos:deployment:purge = true", "needs owner_name"],
    ),
    "owner of jobs that is a number": (
        declared(chronos={"deployment": {"owner_name": 7}}),
        ["chronos:deployment:owner_name = 7", "text"],
    ),
    "quota of a role below another": (
        declared(mesos={"quotas": {"a/b": None}}),
        ["mesos:quotas:a/b", "(a/b) has none"],
    ),
    "quota of nothing": (
        declared(mesos={"quotas": {"web": {}}}),
        ["mesos:quotas:web = {}", "guarantees, limits, or both", "null"],
    ),
    "quota of an unknown resource": (
        declared(mesos={"quotas": {"web": {"limits": {"cpu": 1}}}}),
        ["mesos:quotas:web:limits:cpu = 1", "Known: cpus, mem, disk, gpus."],
    ),
    "quota of ports": (
        declared(
            mesos={
                "quotas": {"web": {"limits": {"ports": 1}}},
                "slave": {"resources": {"ports": [1], "tapes": 2}},
            }
        ),
        ["mesos:quotas:web:limits:ports", "Known: cpus, mem, disk, gpus, tapes."],
    ),
    "quota that is negative": (
        declared(mesos={"quotas": {"web": {"limits": {"cpus": -1}}}}),
        ["mesos:quotas:web:limits:cpus = -1", "0 or more"],
    ),
    "quota that is text": (
        declared(mesos={"quotas": {"web": {"limits": {"mem": "2G"}}}}),
        ["mesos:quotas:web:limits:mem = 2G", "should be a number"],
    ),
    "guarantee above the limit": (
        declared(mesos={"quotas": {"web": {"limits": {"cpus": 1}, "guarantees": {"cpus": 2}}}}),
        ["mesos:quotas:web:guarantees:cpus = 2", "the limit, which is 1."],
    ),
    "unknown key of a quota": (
        declared(mesos={"quotas": {"web": {"limits": {}, "garantees": {}}}}),
        ["mesos:quotas:web:garantees", "Known: guarantees, limits"],
    ),
    "force that is text": (
        declared(mesos={"quotas": {"web": {"limits": {}, "force": "yes"}}}),
        ["mesos:quotas:web:force = 'yes'", "true or false"],
    ),
    "limits without resources": (
        declared(mesos={"quotas": {"web": {"limits": 4}}}),
        ["mesos:quotas:web:limits = 4", "{cpus: 8, mem"],
    ),
    "negative weight": (
        declared(mesos={"weights": {"web": -1}}),
        ["mesos:weights:web = -1", "above 0"],
    ),
    "weight that is withdrawn": (
        declared(mesos={"weights": {"web": None}}),
        ["mesos:weights:web = null", "The default of Mesos is 1"],
    ),
    "weight that is true": (
        declared(mesos={"weights": {"web": True}}),
        ["mesos:weights:web = true", "above 0"],
    ),
    "weight of no role": (
        declared(mesos={"weights": {"a//b": 2}}),
        ["mesos:weights:a//b", "web/frontend"],
    ),
    "secret among the flags": (
        single("mesos-master", "mesos", master={"flags": {"credentials": '{"credentials": []}'}}),
        ["mesos:master:flags:credentials", "mesos:master:secrets:credentials"],
    ),
    "credentials without a password": (
        single("marathon", "marathon", http_credentials=SECRET),
        ["marathon:http_credentials = (hidden)", "user:password"],
    ),
    "name that is a number in quotes": (
        single("marathon", "marathon", options={"5": "x"}),
        ["marathon:options:5 = x", "the name of an option"],
    ),
    "duration without a unit": (
        single("mesos-master", "mesos", master={"flags": {"zk_session_timeout": 20}}),
        ["mesos:master:flags:zk_session_timeout = 20", "20secs"],
    ),
    "masters that Marathon does not look for": (
        node("marathon", pillar={"mesos": {"zk": "zk://10.0.0.1:2181/mesos"}}),
        ["mesos:zk = zk://10.0.0.1:2181/mesos", "marathon:master is not set"],
    ),
}
