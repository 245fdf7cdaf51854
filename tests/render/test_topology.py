"""
The topology: the settings that are derived for each minion, and the report of all its errors.

The golden files ``ha-*`` and ``wide-*`` have the states and files of the nodes.
"""

import ast
import json
from fnmatch import fnmatch

import pytest
import yaml

from lab import ROOT, SALT_LINES

from .cases import CONTROL, FORMULAS, WIDE, contradicting, member
from .topologies import ERRORS, UNREADABLE, topology

# The path of Chronos is the default of Chronos itself, not of the formula.
CHROOTS = {"mesos": "/mesos", "marathon": "/marathon", "chronos": "/chronos/state"}
AGENT_ROLES = ("mesos-slave", "docker")
MASTER = "lxcm01.devops.test_master"

# Name -> minion that does not match the topology, and its error: setting, value, a part of the
# message.
MINIONS = {
    "no entry": (
        member("lxc02", "172.31.250.66", topology=topology()),
        "topology:nodes",
        "lxc02.devops.test",
        "no entry for this minion (closest: lxcc02.devops.test). Add one, or a glob that matches.",
    ),
    "two globs": (
        member(
            "lxb001",
            "172.31.250.66",
            topology=topology({"lx*.devops.test": {"address": "172.31.250.0/24"}}),
        ),
        "topology:nodes",
        "lxb*.devops.test, lx*.devops.test",
        "all of these globs match lxb001.devops.test",
    ),
    "no address in the network": (
        member("lxb001", "10.0.0.1", topology=topology()),
        "topology:nodes:lxb*.devops.test:address",
        "172.31.250.64/26",
        "the minion has no address in this network, only 10.0.0.1, 127.0.0.1.",
    ),
    "no address at all": (
        {**member("lxb001", "", topology=topology()), "grains": {}},
        "topology:nodes:lxb*.devops.test:address",
        "172.31.250.64/26",
        "the minion has no IPv4 address.",
    ),
    "two addresses in the network": (
        {
            **member("lxb001", "", topology=topology()),
            "grains": {"ipv4": ["172.31.250.70", "172.31.250.66", "127.0.0.1"]},
        },
        "topology:nodes:lxb*.devops.test:address",
        "172.31.250.64/26",
        "several addresses in this network, 172.31.250.66, 172.31.250.70.",
    ),
    "an invalid grain": (
        {
            **member("lxb001", "", topology=topology()),
            "grains": {"ipv4": [None, "x", ["172.31.250.66"], {}, "fd00::1"]},
        },
        "topology:nodes:lxb*.devops.test:address",
        "172.31.250.64/26",
        "the minion has no IPv4 address.",
    ),
}


def agents(count: int, by_name: bool) -> dict:
    """Return the repository's topology with an entry for each agent, or a glob for fifty."""
    entries = {
        f"lxn{number:04}.devops.test": {
            "address": f"10.{number // 250}.{number % 250}.1",
            "roles": list(AGENT_ROLES),
        }
        for number in range(count)
    }
    racks = {
        f"lxr{number:03}-*.devops.test": {
            "address": f"10.1.{number}.0/26",
            "roles": list(AGENT_ROLES),
        }
        for number in range((count + 49) // 50)
    }
    return topology(entries if by_name else racks)


def only(case: dict, part: str = "pillar", **keys) -> dict:
    """Return a case for the pillar alone, or with ``validation`` for the errors in it as well."""
    return {**case, "only": part, **keys}


PILLARS = {
    "repository lxb001": only(member("lxb001", "172.31.250.65")),
    "repository lxb002": only(member("lxb002", "172.31.250.66")),
    "repository lxcc02": only(member("lxcc02", "172.31.250.12")),
    "repository lxcm01": only(member("lxcm01", "172.31.250.10")),
    **{
        f"{count} {kind}": only(
            member("lxb001", "172.31.250.65", topology=agents(count, kind == "entries"))
        )
        for count in (5, 5000)
        for kind in ("entries", "globs")
    },
    "many agents, control node": only(
        member("lxcc01", "172.31.250.11", topology=agents(200, False))
    ),
    "one address as text": only(
        {**member("lxb001", "", topology=topology()), "grains": {"ipv4": "172.31.250.65"}}
    ),
    "wide glob": only(member("lxb001", "10.0.2.1", topology=WIDE)),
    "wide entry": only(member("lxb007", "10.0.3.7", topology=WIDE)),
    "wide observer": only(member("lxco01", "10.0.1.14", topology=WIDE)),
    "other order": only(
        member(
            "lxcc02",
            "172.31.250.12",
            topology={"nodes": dict(reversed(topology()["nodes"].items()))},
        )
    ),
    "allowed even": only(
        member("lxcc01", "172.31.250.11", topology=topology({"lxcc03": None}, allow_even=True))
    ),
    "grown to five": only(
        member(
            "lxcc01",
            "172.31.250.11",
            topology=topology(
                {
                    f"lxcc0{number}.devops.test": {
                        "address": f"172.31.250.1{number}",
                        "roles": list(CONTROL),
                        "zookeeper_id": number,
                    }
                    for number in (4, 5)
                }
            ),
        )
    ),
    "empty": only(member("lxb001", "172.31.250.65", topology={"nodes": {}})),
    "master": {"id": MASTER, "site": True, "only": "pillar"},
    "master of a topology with an error": {
        "id": MASTER,
        "topology": topology({"lxcc01": {"zookeeper_id": 0}}),
        "only": "pillar",
    },
    "master of an empty topology": {"id": MASTER, "topology": {"nodes": {}}, "only": "pillar"},
}

MESSAGES = {
    **{
        name: only(member("lxb001", "172.31.250.65", topology=contents), "validation")
        for name, (contents, _) in ERRORS.items()
    },
    **{name: only(case, "validation") for name, (case, *_) in MINIONS.items()},
    **{
        f"unreadable: {name}": only(
            member("lxb001", "172.31.250.65", topology="") | {"topology": text}, "validation"
        )
        for name, (text, _) in UNREADABLE.items()
    },
    "ignored roles": only(
        member("lxb001", "172.31.250.65", "cronos"), "validation", ignore_roles=True
    ),
    "other roles": only(member("lxb001", "172.31.250.65", "cronos"), "validation"),
    "contradicting settings": only(
        contradicting(
            "zookeeper",
            "mesos-master",
            zookeeper={"servers": None, "observers": [1], "myid": 2, "client_port": 2182},
            mesos={"master": {"flags": {"quorum": 7}}},
        ),
        "validation",
    ),
    "other settings": only(
        contradicting(
            "zookeeper",
            "mesos-master",
            zookeeper={"servers": {1: "10.0.0.1"}, "observers": [], "heap": 1024},
            mesos={"zk": "zk://me:secret@10.0.0.1:2181/mesos"},
            common={"firewall": {"members": ["10.0.0.0/8"]}},
        ),
        "validation",
    ),
    "id of an orchestration": {"id": MASTER, "site": True, "only": "validation"},
}

RUNS = {
    "three errors and one": member(
        "lxb001",
        "172.31.250.65",
        *AGENT_ROLES,
        topology=ERRORS["three at once"][0],
        pillar={"docker": {"flag": 1}},
    ),
    "unreadable": member("lxb001", "172.31.250.65", *AGENT_ROLES, topology="")
    | {"topology": UNREADABLE["tabs"][0]},
}


@pytest.fixture(scope="module")
def answers_by_line(render):
    return render({**PILLARS, **MESSAGES, **RUNS})


@pytest.fixture(params=SALT_LINES)
def minions(request, answers_by_line) -> dict[str, dict]:
    """The answers of one Salt line, by the name of the case."""
    return answers_by_line[request.param]


@pytest.mark.parametrize("name", ERRORS)
def test_all_errors_of_a_topology_are_reported_and_nothing_is_derived(minions, name):
    answer, expected = minions[name], ERRORS[name][1]
    assert list(answer["pillar"]) == ["topology"]
    assert list(answer["pillar"]["topology"]) == ["errors"]
    errors = answer["pillar"]["topology"]["errors"]
    assert [error[:2] for error in errors] == [list(error[:2]) for error in expected]
    for (*_, message), (*_, words) in zip(errors, expected, strict=True):
        assert words in message
    assert answer["validation"] == [
        f"{setting} = {value[:80]} on lxb001.devops.test: {message}"
        for setting, value, message in errors
    ]


@pytest.mark.parametrize("name", MINIONS)
def test_a_minion_without_a_matching_entry_is_rejected(minions, name):
    case, setting, value, words = MINIONS[name]
    answer = minions[name]
    [error] = answer["pillar"]["topology"]["errors"]
    assert error[:2] == [setting, value]
    assert words in error[2]
    assert answer["validation"] == [f"{setting} = {value} on {case['id']}: {error[2]}"]


@pytest.mark.parametrize("name", UNREADABLE)
def test_no_file_causes_a_traceback(minions, name):
    answer = minions[f"unreadable: {name}"]
    assert "errors" not in answer
    assert set(answer["pillar"]["topology"]) <= {"errors", "foreign"}
    assert UNREADABLE[name][1] in "\n".join(answer["validation"])
    for message in answer["validation"]:
        assert message.isprintable() and "Traceback" not in message and len(message) < 500


def test_errors_of_the_topology_and_of_settings_are_one_message(minions):
    [message] = minions["three errors and one"]["errors"]
    first_line, *lines = message.splitlines()
    assert first_line.startswith(
        "Rendering SLS 'base:common.invalid' failed: "
        "topology:nodes:lxcc01.devops.test:zookeeper_id = 300 on lxb001"
    )
    assert [line.partition(" = ")[0] for line in lines] == [
        "topology:nodes:lxb*.devops.test:roles",
        "topology:nodes:lxcc03.devops.test:address",
        "docker:flag",
    ]
    assert "states" not in minions["three errors and one"] and "Traceback" not in message


def test_an_unreadable_topology_is_one_line(minions):
    [message] = minions["unreadable"]["errors"]
    assert message.startswith(
        "Rendering SLS 'base:common.invalid' failed: "
        "topology = topology.yaml on lxb001.devops.test: cannot be read. line 2: "
    )
    assert len(message.splitlines()) == 1


def test_validation_can_ignore_the_grain_that_is_about_to_be_written(minions):
    assert minions["ignored roles"]["validation"] == []
    [message] = minions["other roles"]["validation"]
    assert message.startswith(
        "grains:roles = [cronos] on lxb001.devops.test: "
        "the topology assigns [mesos-slave, docker] in its entry lxb*."
    )


def test_settings_that_contradict_the_topology_are_rejected(minions):
    messages = [
        message.partition(" on lxdev01: ")
        for message in minions["contradicting settings"]["validation"]
    ]
    contradictions = {
        setting: message
        for setting, _, message in messages
        if message.startswith("the topology sets this")
    }
    assert contradictions == {
        setting: f"the topology sets this to {value}. Remove it from the settings."
        for setting, value in (
            ("zookeeper:servers = null", '{"1": "10.0.0.1"}'),
            ("zookeeper:observers = [1]", "[]"),
            ("zookeeper:myid = 2", "1"),
            ("zookeeper:client_port = 2182", "2181"),
            ("mesos:master:flags:quorum = 7", "1"),
        )
    }


def test_other_settings_take_precedence_over_the_topology(minions):
    answer = minions["other settings"]
    assert answer["validation"] == []
    assert answer["pillar"]["mesos"]["zk"] == "zk://me:secret@10.0.0.1:2181/mesos"
    assert answer["pillar"]["common"]["firewall"]["members"] == ["10.0.0.0/8"]
    assert answer["pillar"]["zookeeper"]["myid"] == 1


@pytest.mark.parametrize(
    "small, large",
    [("5 entries", "5000 entries"), ("5 globs", "5000 globs"), ("5 entries", "5 globs")],
)
def test_the_pillar_of_an_agent_does_not_grow_with_the_number_of_agents(minions, small, large):
    pillar = minions["repository lxb001"]["pillar"]
    assert minions[small]["pillar"] == minions[large]["pillar"] == pillar


def test_the_pillars_of_agents_differ_only_in_the_address(minions):
    pillar, other_pillar = (
        json.dumps(minions[f"repository {name}"]["pillar"]) for name in ("lxb001", "lxb002")
    )
    assert pillar != other_pillar
    assert pillar.replace("172.31.250.65", "172.31.250.66") == other_pillar


def test_every_node_knows_the_zookeeper_ensemble(minions):
    servers = {number: f"172.31.250.1{number}" for number in (1, 2, 3)}
    for name in ("repository lxb001", "repository lxcm01", "repository lxcc02"):
        ensemble = minions[name]["pillar"]["topology"]["ensemble"]
        assert {int(key): address for key, address in ensemble["servers"].items()} == servers
        assert (ensemble["observers"], ensemble["port"]) == ([], 2181)
    wide = minions["wide entry"]["pillar"]["topology"]["ensemble"]
    assert (wide["observers"], wide["port"]) == ([255], 12181)


def test_an_entry_with_the_id_takes_precedence_over_a_glob(minions):
    pillar = minions["wide entry"]["pillar"]
    assert pillar["topology"]["entry"] == "lxb007.devops.test"
    assert pillar["topology"]["roles"] == ["mesos-slave"]
    assert pillar["mesos"]["slave"]["flags"]["ip"] == "10.0.3.7"
    assert minions["wide glob"]["pillar"]["topology"]["entry"] == "lxb*.devops.test"


def test_a_node_is_advertised_by_its_address_or_by_its_id(minions):
    assert minions["repository lxb001"]["pillar"]["topology"]["name"] == "172.31.250.65"
    assert minions["wide glob"]["pillar"]["topology"]["name"] == "lxb001.devops.test"
    assert minions["wide glob"]["pillar"]["mesos"]["slave"]["flags"] == {
        "hostname": "lxb001.devops.test",
        "ip": "10.0.2.1",
        "port": 15051,
    }


def test_control_nodes_know_all_entries_and_agents_the_control_nodes(minions):
    def members(name: str) -> list:
        return minions[name]["pillar"]["common"]["firewall"]["members"]

    control = [f"172.31.250.1{number}" for number in (1, 2, 3)]
    everyone = ["172.31.250.10", *control, "172.31.250.64/26"]
    assert members("repository lxcc02") == everyone
    assert members("repository lxb001") == members("repository lxcm01") == control
    racks = [f"10.1.{number}.0/26" for number in range(4)]
    assert members("many agents, control node") == [*everyone, *racks]


def test_a_node_without_roles_gets_the_urls_of_the_apis(minions):
    pillar = minions["repository lxcm01"]["pillar"]
    for formula, port in (("mesos", 5050), ("marathon", 8080), ("chronos", 4400)):
        urls = [f"http://172.31.250.1{number}:{port}" for number in (1, 2, 3)]
        assert pillar[formula] == {"url": urls}
    assert "zookeeper" not in pillar


def test_only_the_nodes_that_apply_declarations_get_them(minions):
    keys = {"marathon": "apps", "chronos": "jobs", "mesos": "quotas"}
    formulas = {
        name: [
            formula
            for formula, key in keys.items()
            if key in minions[name]["pillar"].get(formula, {})
        ]
        for name in ("repository lxcc02", "repository lxb001", "repository lxcm01", "master")
    }
    assert formulas == {
        "repository lxcc02": list(keys),
        "repository lxb001": [],
        "repository lxcm01": [],
        "master": [],
    }


def test_the_top_file_of_pillar_gives_declarations_to_the_nodes_that_apply_them():
    nodes = topology()["nodes"]
    top = yaml.safe_load((ROOT / "pillar" / "top.sls").read_text())["base"]
    globs = [glob for glob, files in top.items() if "apps" in files]
    assert {node for node in nodes if any(fnmatch(node, glob) for glob in globs)} == {
        node
        for node, entry in nodes.items()
        if {"mesos-master", "marathon", "chronos"} & set(entry["roles"])
    }


def test_the_order_of_the_entries_does_not_restart_a_service(minions):
    """No file of a service depends on the order."""
    pillars = [{**minions[name]["pillar"]} for name in ("repository lxcc02", "other order")]
    for pillar in pillars:
        for formula in ("mesos", "marathon", "chronos"):
            pillar[formula]["url"].sort()
        pillar["common"]["firewall"]["members"].sort()
    original, reordered = pillars
    assert json.dumps(original, sort_keys=True) == json.dumps(reordered, sort_keys=True)
    assert list(original["zookeeper"]["servers"]) == list(reordered["zookeeper"]["servers"])


@pytest.mark.parametrize(
    "name, quorum, servers",
    [
        ("repository lxcc02", 2, ["1", "2", "3"]),
        ("allowed even", 2, ["1", "2"]),
        ("grown to five", 3, ["1", "2", "3", "4", "5"]),
    ],
)
def test_the_quorum_is_more_than_half_of_the_masters(minions, name, quorum, servers):
    pillar = minions[name]["pillar"]
    assert pillar["mesos"]["master"]["flags"]["quorum"] == quorum
    assert list(pillar["zookeeper"]["servers"]) == servers
    assert pillar["topology"]["fixed"]["mesos:master:flags:quorum"] == quorum


def test_an_observer_is_one_of_the_servers(minions):
    zookeeper = minions["wide observer"]["pillar"]["zookeeper"]
    assert zookeeper["myid"] == 255 and zookeeper["observers"] == [255]
    assert list(zookeeper["servers"]) == ["7", "8", "9", "255"]
    assert "observers" not in minions["repository lxcc02"]["pillar"]["zookeeper"]


def test_the_grain_ipv4_may_be_one_address(minions):
    pillar = minions["repository lxb001"]["pillar"]
    assert minions["one address as text"]["pillar"] == pillar


def test_nothing_is_derived_from_an_empty_topology(minions):
    assert minions["empty"]["pillar"] == {}
    pillar = minions["master of an empty topology"]["pillar"]
    assert pillar == {"topology": {"errors": [], "nodes": {}}}


def test_an_orchestration_gets_the_entries_in_their_order(minions):
    roles = {name: entry["roles"] for name, entry in topology()["nodes"].items()}
    assert minions["master"]["pillar"] == {"topology": {"errors": [], "nodes": roles}}
    assert list(minions["master"]["pillar"]["topology"]["nodes"]) == list(roles)


def test_an_orchestration_of_a_topology_with_errors_gets_no_node(minions):
    pillar = minions["master of a topology with an error"]["pillar"]["topology"]
    assert pillar["nodes"] == {}
    settings = [setting for setting, *_ in pillar["errors"]]
    assert settings == ["topology:nodes:lxcc01.devops.test:zookeeper_id"]


def test_no_node_can_have_the_id_of_an_orchestration(minions):
    [message] = minions["id of an orchestration"]["validation"]
    assert message.startswith(f"grains:id = {MASTER} ")


def test_the_paths_in_zookeeper_are_the_defaults_of_the_formulas():
    marathon, mesos = (
        yaml.safe_load((FORMULAS / name / "defaults.yaml").read_text())
        for name in ("marathon", "mesos")
    )
    assert CHROOTS["mesos"] == mesos["zk"].partition("2181")[2]
    assert CHROOTS["marathon"] == marathon["zk"].partition("2181")[2]


def test_the_comments_of_the_topology_show_the_defaults():
    text = (ROOT / "pillar" / "topology.yaml").read_text()
    lines = [
        line.removeprefix("# ")
        for line in text.split("# advertise:", 1)[1].splitlines()
        if line.startswith(("#   ", "# ports:", "# chroots:"))
    ]
    assert yaml.safe_load("\n".join(lines)) == {"ports": default_ports(), "chroots": CHROOTS}


def default_ports() -> dict:
    """Return the ports that the topology knows, with the defaults of the formulas."""
    ports = {}
    for role in yaml.safe_load((FORMULAS / "common" / "roles.yaml").read_text()).values():
        for port in role.get("ports", []):
            value = yaml.safe_load((FORMULAS / role["formula"] / "defaults.yaml").read_text())
            for key in port["setting"].split(":"):
                value = value[key]
            if "name" in port:
                ports[port["name"]] = value
    return ports


def test_the_pillar_depends_on_the_topology_and_the_grains_alone():
    """It uses no modules, mine or other pillar, so it is the same in every run."""
    names, imports = set(), set()
    for path in (ROOT / "pillar" / "topology.sls", ROOT / "pillar" / "topology_file.py"):
        for item in ast.walk(ast.parse(path.read_text(), feature_version=(3, 7))):
            if isinstance(item, ast.Name) and item.id.startswith("__"):
                names.add(item.id)
            elif isinstance(item, ast.ImportFrom):
                imports.add(item.module)
            elif isinstance(item, ast.Import):
                imports.update(alias.name for alias in item.names)
    assert names == {"__file__", "__opts__", "__grains__"}
    assert imports == {
        "collections",
        "copy",
        "fnmatch",
        "importlib.util",
        "ipaddress",
        "itertools",
        "pathlib",
        "re",
        "reprlib",
        "salt.utils.yaml",
    }
