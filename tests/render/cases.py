"""The nodes that are rendered, by name. A case is a minion as lab/render.py reads it."""

from pathlib import Path

import yaml

FORMULAS = Path(__file__).parents[2] / "formulas"
ROLES = ("zookeeper", "mesos-master", "mesos-slave", "marathon", "chronos", "docker")
NODE = "lxdev01"
SECRET = "open-sesame-4711"


def node(*roles: str, pillar: dict | None = None, **more) -> dict:
    """A minion with these roles."""
    return {"id": NODE, "grains": {"roles": list(roles)}, "pillar": pillar or {}, **more}


def example(formula: str, *roles: str) -> dict:
    """A minion with the settings in a formula's pillar.example."""
    pillar = yaml.safe_load((FORMULAS / formula / "pillar.example").read_text())
    return node(*roles, pillar=pillar, shows=formula)


def one(role: str, formula: str, shows: str = "", **settings) -> dict:
    """A minion with one role and some settings of a formula. Its golden file is about that formula."""
    return node(role, pillar={formula: settings}, shows=shows or formula)


# A golden file each. `shows`: the formula that the case is about; the others are left out of the file.
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

    "nothing-common": one("docker", "common", time={"enabled": False}, firewall={"enabled": False}),
    "zookeeper-el7": one("zookeeper", "zookeeper", package="zookeeper"),
    "zookeeper-observer": one("zookeeper", "zookeeper", package="aventer-zookeeper", myid=3, observers=[3],
                              servers={1: "10.0.0.1", 2: "10.0.0.2", 3: "10.0.0.3"}),
    "mesos-apache": one("mesos-slave", "mesos", flavour="apache"),
    "mesos-aventer": one("mesos-slave", "mesos", flavour="aventer"),
    "marathon-1.4.13": one("marathon", "marathon", version="1.4.13"),
    "marathon-1.5.15": one("marathon", "marathon", version="1.5.15"),
    "chronos-2.4.0": one("chronos", "chronos", version="2.4.0"),
    "docker-ce": one("docker", "docker", package="docker-ce"),

    "secrets": node(*ROLES, pillar={
        "mesos": {
            "zk": f"zk://mesos:{SECRET}@localhost:2181/mesos",
            "master": {"secrets": {"credentials": {"credentials": [{"principal": "ops", "secret": SECRET}]}}},
            "slave": {"secrets": {"credential": {"principal": "agent", "secret": SECRET}}},
        },
        "marathon": {
            "master": f"zk://mesos:{SECRET}@localhost:2181/mesos",
            "http_credentials": f"admin:{SECRET}",
            "ssl_keystore_password": SECRET,
            "mesos_authentication_secret": SECRET,
        },
        "chronos": {
            "master": "file:///etc/mesos/zk",
            "http_credentials": f"admin:{SECRET}",
            "mesos_authentication_secret": SECRET,
        },
        "docker": {"https_proxy": f"http://proxy:{SECRET}@10.0.0.1:3128"},
    }, shows="mesos"),
    "secrets-marathon-1.4.13": one("marathon", "marathon", version="1.4.13", http_credentials=f"admin:{SECRET}",
                                   zk=f"zk://marathon:{SECRET}@localhost:2181/marathon",
                                   mesos_authentication_secret=SECRET),
}

# Two ways to say the same: the case, and the one of NODES that it must equal.
SAME = {
    "roles as one string": ({**node(), "grains": {"roles": "zookeeper"}}, "zookeeper"),
    "the default version of Marathon, said aloud": (one("marathon", "marathon", version="1.8.244"), "marathon"),
    "the era of Marathon from the package that is installed": (
        {**one("marathon", "marathon", version="installed"), "installed": {"marathon": "1.5.15-1.el7"}}, "marathon-1.5.15"),
}

# What is refused, and the words that must be in the refusal: setting, value, what would be right.
REFUSALS = {
    "unknown setting": (one("zookeeper", "zookeeper", zookeper=1), ["zookeeper:zookeper", "= 1", "Known: package,"]),
    "unknown setting with a likeness": (
        one("zookeeper", "zookeeper", client_prot=2182), ["zookeeper:client_prot", "2182", "Did you mean client_port?"]),
    "unknown setting, deeper": (
        node("docker", pillar={"common": {"firewall": {"client": ["10.0.0.0/8"]}}}),
        ["common:firewall:client ", "Did you mean clients?"]),
    "misspelt formula": (node("zookeeper", pillar={"zookeper": {"heap": 1}}), ["zookeper", "Did you mean zookeeper?"]),
    "unknown role": (node("zookeeper", "cronos"), ["grains:roles", "cronos", "Did you mean chronos?", "mesos-master"]),
    "unknown role, one string": ({**node(), "grains": {"roles": "master"}}, ["grains:roles", "= master", "mesos-master"]),
    "port that is no number": (one("marathon", "marathon", http_port="web"), ["marathon:http_port", "web", "8080"]),
    "port that is none": (one("zookeeper", "zookeeper", client_port=70000), ["zookeeper:client_port", "70000", "65535"]),
    "port of a flag": (
        one("mesos-master", "mesos", master={"flags": {"port": "web"}}), ["mesos:master:flags:port", "web", "65535"]),
    "wrong type": (one("zookeeper", "zookeeper", heap="much"), ["zookeeper:heap", "much", "an integer"]),
    "old and new name of a flag": (
        one("mesos-master", "mesos", master={"flags": {"slave_ping_timeout": "15secs", "agent_ping_timeout": "15secs"}}),
        ["mesos:master:flags:slave_ping_timeout", "mesos:master:flags:agent_ping_timeout"]),
    "flag and its negation": (
        one("mesos-slave", "mesos", slave={"flags": {"switch_user": True, "?no-switch_user": True}}),
        ["mesos:slave:flags:switch_user", "mesos:slave:flags:?no-switch_user"]),
    "flag and variable": (
        one("mesos-slave", "mesos", slave={"environment": {"LOGS": "/var/log"}}),
        ["mesos:slave:environment:LOGS", "mesos:slave:flags:log_dir"]),
    "version of Marathon that is none": (
        one("marathon", "marathon", version="newest"), ["marathon:version", "newest", "1.8.244"]),
    "version of Marathon that is a number": (one("marathon", "marathon", version=1.8), ["marathon:version", "1.8"]),
    "Debian": ({**node("zookeeper"), "grains": {"roles": ["zookeeper"], "os": "Debian", "os_family": "Debian"}},
               ["grains:os_family", "Debian", "RedHat"]),
    "repository without its key": (
        node("docker", pillar={"common": {"repositories": {"baseurl": "https://mirror.example.org/el/7"}}}),
        ["common:repositories:gpgkey", "gpgcheck: false"]),
    "network that is none": (
        node("docker", pillar={"common": {"firewall": {"clients": ["everybody"]}}}), ["common:firewall:clients", "everybody"]),
    "id of a server that is not in the table": (
        one("zookeeper", "zookeeper", servers={1: "10.0.0.1"}, myid=2), ["zookeeper:myid", "= 2", "Known: 1"]),
    "option of Docker in two places": (
        one("docker", "docker", flags=["--log-driver=journald"]), ["docker:flags", "--log-driver=journald", "twice"]),
    "secret among the flags": (
        one("mesos-master", "mesos", master={"flags": {"credentials": '{"credentials": []}'}}),
        ["mesos:master:flags:credentials", "mesos:master:secrets:credentials"]),
}
