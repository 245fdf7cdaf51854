"""
The table of nodes: what follows from it for each minion, and that everything wrong with it is said at once.

What a node then looks like is in the golden files ``ha-*`` and ``wide-*``.
"""

import ast
import json
from fnmatch import fnmatch

import pytest
import yaml

from lab import ROOT, SALT_LINES

from .cases import CONTROL, FORMULAS, ROLES, WIDE, against, member
from .tables import FAULTS, WILD, table

SOURCE = ROOT / "pillar" / "topology.sls"
AGENT_ROLES = ("mesos-slave", "docker")
MASTER = "lxcm01.devops.test_master"

# One more fault than those of the table: this minion's.
MINIONS = {
    "no row": (
        member("lxc02", "172.31.250.66", table=table()),
        "topology:nodes",
        "lxc02.devops.test",
        "no row is for this minion (the nearest: lxcc02.devops.test). Give it one, or a pattern that fits;",
    ),
    "two patterns": (
        member(
            "lxb001",
            "172.31.250.66",
            table=table({"lx*.devops.test": {"address": "172.31.250.0/24"}}),
        ),
        "topology:nodes",
        "lxb*.devops.test, lx*.devops.test",
        "patterns that all fit lxb001.devops.test",
    ),
    "no address in the network": (
        member("lxb001", "10.0.0.1", table=table()),
        "topology:nodes:lxb*.devops.test:address",
        "172.31.250.64/26",
        "this minion has no address in it, only 10.0.0.1, 127.0.0.1.",
    ),
    "no address at all": (
        {**member("lxb001", "", table=table()), "grains": {}},
        "topology:nodes:lxb*.devops.test:address",
        "172.31.250.64/26",
        "no address in it, only none at all.",
    ),
    "two addresses in the network": (
        {
            **member("lxb001", "", table=table()),
            "grains": {"ipv4": ["172.31.250.70", "172.31.250.66", "127.0.0.1"]},
        },
        "topology:nodes:lxb*.devops.test:address",
        "172.31.250.64/26",
        "several addresses in it, 172.31.250.66, 172.31.250.70.",
    ),
    "a grain that is junk": (
        {
            **member("lxb001", "", table=table()),
            "grains": {"ipv4": [None, "x", ["172.31.250.66"], {}, "fd00::1"]},
        },
        "topology:nodes:lxb*.devops.test:address",
        "172.31.250.64/26",
        "no address in it, only none at all.",
    ),
}


def agents(count: int, named: bool) -> dict:
    """The repository's table with so many agents: a row each, or a pattern for each rack of fifty."""
    rows = {
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
    return table(rows if named else racks)


def asks(case: dict, only: str = "pillar", **more) -> dict:
    """The case, without a run: what the minion receives, or what is wrong with it."""
    return {**case, "only": only, **more}


SETTINGS = {
    "repository lxb001": asks(member("lxb001", "172.31.250.65")),
    "repository lxb002": asks(member("lxb002", "172.31.250.66")),
    "repository lxcc02": asks(member("lxcc02", "172.31.250.12")),
    "repository lxcm01": asks(member("lxcm01", "172.31.250.10")),
    **{
        f"{count} {kind}": asks(
            member("lxb001", "172.31.250.65", table=agents(count, kind == "rows"))
        )
        for count in (5, 5000)
        for kind in ("rows", "patterns")
    },
    "many for a control node": asks(member("lxcc01", "172.31.250.11", table=agents(200, False))),
    "one address as text": asks(
        {**member("lxb001", "", table=table()), "grains": {"ipv4": "172.31.250.65"}}
    ),
    "wide pattern": asks(member("lxb001", "10.0.2.1", table=WIDE)),
    "wide row": asks(member("lxb007", "10.0.3.7", table=WIDE)),
    "wide observer": asks(member("lxco01", "10.0.1.14", table=WIDE)),
    "other order": asks(
        member("lxcc02", "172.31.250.12", table={"nodes": dict(reversed(table()["nodes"].items()))})
    ),
    "allowed even": asks(
        member("lxcc01", "172.31.250.11", table=table({"lxcc03": None}, allow_even=True))
    ),
    "grown to five": asks(
        member(
            "lxcc01",
            "172.31.250.11",
            table=table(
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
    "empty": asks(member("lxb001", "172.31.250.65", table={"nodes": {}})),
    "master": {"id": MASTER, "site": True, "only": "pillar"},
    "master of a wrong table": {
        "id": MASTER,
        "table": table({"lxcc01": {"zookeeper_id": 0}}),
        "only": "pillar",
    },
    "master of no table": {"id": MASTER, "table": {"nodes": {}}, "only": "pillar"},
}

SENTENCES = {
    **{
        name: asks(member("lxb001", "172.31.250.65", table=wrong), "faults")
        for name, (wrong, _) in FAULTS.items()
    },
    **{name: asks(case, "faults") for name, (case, *_) in MINIONS.items()},
    **{
        f"wild: {name}": asks(
            member("lxb001", "172.31.250.65", table="") | {"table": text}, "faults"
        )
        for name, (text, _) in WILD.items()
    },
    "stamped later": asks(member("lxb001", "172.31.250.65", "cronos"), "faults", stamping=True),
    "not stamped": asks(member("lxb001", "172.31.250.65", "cronos"), "faults"),
    "settings against it": asks(
        against(
            "zookeeper",
            "mesos-master",
            zookeeper={"servers": None, "observers": [1], "myid": 2, "client_port": 2182},
            mesos={"master": {"flags": {"quorum": 7}}},
        ),
        "faults",
    ),
    "settings beside it": asks(
        against(
            "zookeeper",
            "mesos-master",
            zookeeper={"servers": {1: "10.0.0.1"}, "observers": [], "heap": 1024},
            mesos={"zk": "zk://me:secret@10.0.0.1:2181/mesos"},
            common={"firewall": {"members": ["10.0.0.0/8"]}},
        ),
        "faults",
    ),
    "an id of the master's": {"id": MASTER, "site": True, "only": "faults"},
}

RUNS = {
    "three and one": member(
        "lxb001",
        "172.31.250.65",
        *AGENT_ROLES,
        table=FAULTS["three at once"][0],
        pillar={"docker": {"flag": 1}},
    ),
    "unreadable": member("lxb001", "172.31.250.65", *AGENT_ROLES, table="")
    | {"table": WILD["tabs"][0]},
}


@pytest.fixture(scope="module")
def all_found(render):
    return render({**SETTINGS, **SENTENCES, **RUNS})


@pytest.fixture(params=SALT_LINES)
def found(request, all_found) -> dict[str, dict]:
    """What one Salt line makes of the tables."""
    return all_found[request.param]


def constants() -> dict:
    """The constants of topology.sls that are plain data."""
    assigned = {
        ast.unparse(statement.targets[0]): statement.value
        for statement in ast.parse(SOURCE.read_text()).body
        if isinstance(statement, ast.Assign)
    }
    return {name: ast.literal_eval(assigned[name]) for name in ("PORTS", "CHROOTS", "CONTROL")}


@pytest.mark.parametrize("name", FAULTS)
def test_all_faults_of_a_table_are_told_and_nothing_else_follows_from_it(found, name):
    answer, expected = found[name], FAULTS[name][1]
    assert list(answer["pillar"]) == ["topology"] and list(answer["pillar"]["topology"]) == [
        "faults"
    ]
    faults = answer["pillar"]["topology"]["faults"]
    assert [(path, value) for path, value, _ in faults] == [
        (path, value) for path, value, _ in expected
    ]
    for (*_, wrong), (*_, words) in zip(faults, expected, strict=True):
        assert words in wrong
    assert answer["faults"] == [
        f"{path} = {value[:80]} on lxb001.devops.test: {wrong}" for path, value, wrong in faults
    ]


@pytest.mark.parametrize("name", MINIONS)
def test_a_minion_that_does_not_fit_the_table_is_refused(found, name):
    case, path, value, words = MINIONS[name]
    answer = found[name]
    [[found_path, found_value, wrong]] = answer["pillar"]["topology"]["faults"]
    assert (found_path, found_value) == (path, value)
    assert words in wrong
    assert answer["faults"] == [f"{path} = {value} on {case['id']}: {wrong}"]


@pytest.mark.parametrize("name", WILD)
def test_no_file_whatsoever_is_a_traceback(found, name):
    answer = found[f"wild: {name}"]
    assert "errors" not in answer
    assert list(answer["pillar"]["topology"]) == ["faults"]
    assert answer["faults"]
    assert WILD[name][1] in "\n".join(answer["faults"])
    for sentence in answer["faults"]:
        assert sentence.isprintable() and "Traceback" not in sentence and len(sentence) < 500


def test_three_faults_are_one_message_with_those_of_the_settings(found):
    [message] = found["three and one"]["errors"]
    head, *lines = message.splitlines()
    assert head.startswith(
        "Rendering SLS 'base:common.refuse' failed: topology:nodes:lxcc01.devops.test:zookeeper_id = 300 on lxb001"
    )
    assert [line.partition(" = ")[0] for line in lines] == [
        "topology:nodes:lxb*.devops.test:roles",
        "topology:nodes:lxcc03.devops.test:address",
        "docker:flag",
    ]
    assert "states" not in found["three and one"] and "Traceback" not in message


def test_a_table_that_cannot_be_read_is_one_line(found):
    [message] = found["unreadable"]["errors"]
    assert message.startswith(
        "Rendering SLS 'base:common.refuse' failed: topology = topology.yaml on lxb001.devops.test: cannot be read. line 2: "
    )
    assert len(message.splitlines()) == 1


def test_the_grain_is_not_looked_at_by_who_is_about_to_write_it(found):
    assert found["stamped later"]["faults"] == []
    [sentence] = found["not stamped"]["faults"]
    assert sentence.startswith(
        "grains:roles = [cronos] on lxb001.devops.test: the table says [mesos-slave, docker], in the row lxb*."
    )


def test_settings_that_contradict_the_table_are_refused(found):
    refused = [
        sentence.partition(" on lxdev01: ") for sentence in found["settings against it"]["faults"]
    ]
    assert {
        setting: wrong for setting, _, wrong in refused if wrong.startswith("comes from the table")
    } == {
        setting: f"comes from the table: {value}. Take it out of the settings."
        for setting, value in (
            ("zookeeper:servers = null", '{"1": "10.0.0.1"}'),
            ("zookeeper:observers = [1]", "[]"),
            ("zookeeper:myid = 2", "1"),
            ("zookeeper:client_port = 2182", "2181"),
            ("mesos:master:flags:quorum = 7", "1"),
        )
    }


def test_other_settings_win_over_the_table(found):
    answer = found["settings beside it"]
    assert answer["faults"] == []
    assert answer["pillar"]["mesos"]["zk"] == "zk://me:secret@10.0.0.1:2181/mesos"
    assert answer["pillar"]["common"]["firewall"]["members"] == ["10.0.0.0/8"]
    assert answer["pillar"]["zookeeper"]["myid"] == 1


@pytest.mark.parametrize(
    "few, many",
    [("5 rows", "5000 rows"), ("5 patterns", "5000 patterns"), ("5 rows", "5 patterns")],
)
def test_what_an_agent_receives_does_not_grow_with_the_number_of_agents(found, few, many):
    assert found[few]["pillar"] == found[many]["pillar"] == found["repository lxb001"]["pillar"]


def test_agents_receive_the_same_but_for_their_own_address(found):
    one, other = (
        json.dumps(found[f"repository {name}"]["pillar"]) for name in ("lxb001", "lxb002")
    )
    assert one != other
    assert one.replace("172.31.250.65", "172.31.250.66") == other


def test_a_row_wins_over_a_pattern(found):
    assert found["wide row"]["pillar"]["topology"]["row"] == "lxb007.devops.test"
    assert found["wide row"]["pillar"]["topology"]["roles"] == ["mesos-slave"]
    assert found["wide row"]["pillar"]["mesos"]["slave"]["flags"]["ip"] == "10.0.3.7"
    assert found["wide pattern"]["pillar"]["topology"]["row"] == "lxb*.devops.test"


def test_a_node_is_called_by_its_address_or_by_its_id(found):
    assert found["repository lxb001"]["pillar"]["topology"]["name"] == "172.31.250.65"
    assert found["wide pattern"]["pillar"]["topology"]["name"] == "lxb001.devops.test"
    assert found["wide pattern"]["pillar"]["mesos"]["slave"]["flags"] == {
        "hostname": "lxb001.devops.test",
        "ip": "10.0.2.1",
        "port": 15051,
    }


def test_a_control_node_knows_all_rows_and_an_agent_the_control_nodes(found):
    control = [f"172.31.250.1{number}" for number in (1, 2, 3)]
    assert found["repository lxcc02"]["pillar"]["common"]["firewall"]["members"] == [
        "172.31.250.10",
        *control,
        "172.31.250.64/26",
    ]
    for name in ("lxb001", "lxcm01"):
        assert found[f"repository {name}"]["pillar"]["common"]["firewall"]["members"] == control
    assert found["many for a control node"]["pillar"]["common"]["firewall"]["members"] == [
        "172.31.250.10",
        *control,
        "172.31.250.64/26",
        "10.1.0.0/26",
        "10.1.1.0/26",
        "10.1.2.0/26",
        "10.1.3.0/26",
    ]


def test_who_has_no_role_knows_where_the_apis_are(found):
    pillar = found["repository lxcm01"]["pillar"]
    for formula, port in (("mesos", 5050), ("marathon", 8080), ("chronos", 4400)):
        assert pillar[formula] == {
            "url": [f"http://172.31.250.1{number}:{port}" for number in (1, 2, 3)]
        }
    assert "zookeeper" not in pillar


def test_who_brings_it_there_is_told_what_runs_and_nobody_else(found):
    runs = {"marathon": "apps", "chronos": "jobs", "mesos": "quotas"}
    told = {
        name: [
            formula
            for formula, key in runs.items()
            if key in found[name]["pillar"].get(formula, {})
        ]
        for name in ("repository lxcc02", "repository lxb001", "repository lxcm01", "master")
    }
    assert told == {
        "repository lxcc02": list(runs),
        "repository lxb001": [],
        "repository lxcm01": [],
        "master": [],
    }
    nodes, top = table()["nodes"], yaml.safe_load((ROOT / "pillar" / "top.sls").read_text())["base"]
    granted = {
        node
        for node in nodes
        for pattern, files in top.items()
        if "apps" in files and fnmatch(node, pattern)
    }
    assert granted == {
        node
        for node, row in nodes.items()
        if {"mesos-master", "marathon", "chronos"} & set(row["roles"])
    }


def test_the_order_of_the_rows_restarts_nothing(found):
    """Nothing that ends up in a file of a service depends on it."""
    one, other = ({**found[name]["pillar"]} for name in ("repository lxcc02", "other order"))
    for pillar in (one, other):
        for formula in ("mesos", "marathon", "chronos"):
            pillar[formula]["url"].sort()
        pillar["common"]["firewall"]["members"].sort()
    assert json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert list(one["zookeeper"]["servers"]) == list(other["zookeeper"]["servers"])


@pytest.mark.parametrize(
    "name, quorum, servers",
    [
        ("repository lxcc02", 2, ["1", "2", "3"]),
        ("allowed even", 2, ["1", "2"]),
        ("grown to five", 3, ["1", "2", "3", "4", "5"]),
    ],
)
def test_the_quorum_is_more_than_half_of_the_masters(found, name, quorum, servers):
    pillar = found[name]["pillar"]
    assert pillar["mesos"]["master"]["flags"]["quorum"] == quorum
    assert list(pillar["zookeeper"]["servers"]) == servers
    assert pillar["topology"]["settled"]["mesos:master:flags:quorum"] == quorum


def test_an_observer_is_a_server_and_knows_that_it_is_one(found):
    zookeeper = found["wide observer"]["pillar"]["zookeeper"]
    assert zookeeper["myid"] == 255 and zookeeper["observers"] == [255]
    assert list(zookeeper["servers"]) == ["7", "8", "9", "255"]
    assert "observers" not in found["repository lxcc02"]["pillar"]["zookeeper"]


def test_the_grain_may_be_one_address(found):
    assert found["one address as text"]["pillar"] == found["repository lxb001"]["pillar"]


def test_nothing_follows_from_an_empty_table(found):
    assert found["empty"]["pillar"] == {}
    assert found["master of no table"]["pillar"] == {"topology": {"faults": [], "nodes": {}}}


def test_a_runbook_receives_the_rows_in_their_order(found):
    nodes = table()["nodes"]
    assert found["master"]["pillar"] == {
        "topology": {"faults": [], "nodes": {name: row["roles"] for name, row in nodes.items()}}
    }
    assert list(found["master"]["pillar"]["topology"]["nodes"]) == list(nodes)


def test_a_runbook_for_a_wrong_table_receives_no_node(found):
    topology = found["master of a wrong table"]["pillar"]["topology"]
    assert topology["nodes"] == {}
    assert [path for path, *_ in topology["faults"]] == [
        "topology:nodes:lxcc01.devops.test:zookeeper_id"
    ]


def test_no_minion_can_have_the_id_of_a_runbook(found):
    [sentence] = found["an id of the master's"]["faults"]
    assert sentence.startswith(f"grains:id = {MASTER} ")


def test_the_ports_and_paths_of_the_table_are_those_of_the_formulas():
    defaults = {
        name: yaml.safe_load((FORMULAS / name / "defaults.yaml").read_text())
        for name in ("zookeeper", "mesos", "marathon", "chronos")
    }
    assert constants()["PORTS"] == {
        "zookeeper": defaults["zookeeper"]["client_port"],
        "zookeeper-peer": defaults["zookeeper"]["peer_port"],
        "zookeeper-election": defaults["zookeeper"]["election_port"],
        "mesos-master": defaults["mesos"]["master"]["flags"]["port"],
        "mesos-slave": defaults["mesos"]["slave"]["flags"]["port"],
        "marathon": defaults["marathon"]["http_port"],
        "chronos": defaults["chronos"]["http_port"],
    }
    # The path of Chronos is the program's own default.
    assert {**constants()["CHROOTS"], "chronos": None} == {
        "mesos": defaults["mesos"]["zk"].partition("2181")[2],
        "marathon": defaults["marathon"]["zk"].partition("2181")[2],
        "chronos": None,
    }


def test_the_comments_of_the_table_say_the_defaults():
    text = (ROOT / "pillar" / "topology.yaml").read_text()
    commented = yaml.safe_load(
        "\n".join(
            line.removeprefix("# ")
            for line in text.split("# advertise:", 1)[1].splitlines()
            if line.startswith(("#   ", "# ports:", "# chroots:"))
        )
    )
    assert commented == {"ports": constants()["PORTS"], "chroots": constants()["CHROOTS"]}


def test_the_table_knows_the_roles_that_the_formulas_know():
    granted = {
        role
        for row in WIDE["nodes"].values()
        for role in ([row["roles"]] if isinstance(row["roles"], str) else row["roles"])
    }
    assert granted == set(ROLES)
    assert constants()["CONTROL"] == CONTROL


def test_the_pillar_asks_nobody_but_the_table_and_the_grain():
    """What it says is the same whenever it is asked: no modules, no mine, no other pillar."""
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 7))
    names = {item.id for item in ast.walk(tree) if isinstance(item, ast.Name)}
    assert {name for name in names if name.startswith("__")} == {
        "__file__",
        "__opts__",
        "__grains__",
    }
    imported = {
        item.module if isinstance(item, ast.ImportFrom) else item.names[0].name
        for item in ast.walk(tree)
        if isinstance(item, ast.Import | ast.ImportFrom)
    }
    assert imported <= {
        "difflib",
        "fnmatch",
        "ipaddress",
        "re",
        "reprlib",
        "collections",
        "pathlib",
        "salt.utils.yaml",
    }
