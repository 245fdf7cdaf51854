"""Several clusters on one Salt master, and minions that are not nodes of any."""

import pytest

from lab import SALT_LINES

from .topologies import topology

MASTER = "salt_master"
CONTROL = ["zookeeper", "mesos-master", "marathon", "chronos"]


def cluster(name: str, network: int, **keys) -> dict:
    """Return a topology with a control node and agents by a glob."""
    control = {"address": f"10.0.{network}.1", "roles": CONTROL, "zookeeper_id": 1}
    agents = {"address": f"10.0.{network}.0/24", "roles": ["mesos-slave"]}
    return {"nodes": {f"{name}-cc": control, f"{name}-b*": agents}, **keys}


TOPOLOGIES = {
    "ulm.yaml": cluster("ulm", 1, chroots={"mesos": "/ulm"}),
    "bonn.yaml": cluster("bonn", 2),
}
UNREADABLE = {**TOPOLOGIES, "bonn.yaml": "nodes: [}"}
SHARED_GLOB = {
    **TOPOLOGIES,
    "bonn.yaml": {
        "nodes": {
            **cluster("bonn", 2)["nodes"],
            "*b1": {"address": "10.0.2.0/24", "roles": ["mesos-slave"]},
        }
    },
}
SHARED_NODE = {
    **TOPOLOGIES,
    "bonn.yaml": {
        "nodes": {
            **cluster("bonn", 2)["nodes"],
            "ulm-b1": {"address": "10.0.2.9", "roles": ["mesos-slave"]},
        }
    },
}


def minion(name: str, *roles, topologies=TOPOLOGIES, **keys) -> dict:
    address = f"10.0.{1 if name.startswith('ulm') else 2}.{1 if name.endswith('cc') else 7}"
    grains = {"ipv4": ["127.0.0.1", address], "roles": list(roles)}
    return {"id": name, "grains": grains, "topologies": topologies, **keys}


def orchestration(name: str, topologies=TOPOLOGIES, **pillar) -> dict:
    return {
        "id": MASTER,
        "sls": [f"orchestration.{name}"],
        "topologies": topologies,
        "pillar": pillar,
    }


NO_AGENTS = {"agents": {}, "responding": [], "errors": []}
DEBIAN = {"os": "Debian", "os_family": "Debian", "osmajorrelease": 12}
CASES = {
    "node of ulm": minion("ulm-cc", *CONTROL),
    "agent of bonn": minion("bonn-b1", "mesos-slave"),
    "foreign": minion("web1", "webserver"),
    "foreign, without roles": minion("web1"),
    "foreign, role as text": {**minion("web1"), "grains": {"roles": "webserver"}},
    "foreign, Debian": {**minion("web1"), "grains": {"roles": ["webserver"], **DEBIAN}},
    "foreign, wrong settings": minion("web1", pillar={"docker": {"nonsense": 1}}),
    "foreign, one topology": {"id": "web1", "grains": {"roles": ["web"]}, "topology": topology()},
    "foreign, topology with an error": {
        "id": "web1",
        "grains": {"roles": ["web"]},
        "topology": topology({"lxcc01": {"zookeeper_id": 0}}),
    },
    "foreign, an unreadable topology": minion("web1", "webserver", topologies=UNREADABLE),
    "foreign, a formula by hand": minion("web1", "webserver", sls=["mesos.slave"]),
    "a former node": minion("old1", "webserver", "mesos-slave"),
    "a former node, one topology": {
        "id": "lxcc04.devops.test",
        "grains": {"roles": ["mesos-slave"]},
        "topology": topology(),
    },
    "node of ulm, bonn unreadable": minion("ulm-cc", *CONTROL, topologies=UNREADABLE),
    "node without its roles": minion("ulm-b1", "webserver", "docker"),
    "node with other roles": minion("ulm-b1", "webserver", "mesos-slave"),
    "in two clusters by globs": minion("ulm-b1", "mesos-slave", topologies=SHARED_GLOB),
    "in two clusters by id": minion("ulm-b1", "mesos-slave", topologies=SHARED_NODE),
    "beside a node of two clusters": minion("ulm-cc", *CONTROL, topologies=SHARED_NODE),
    "a name that is none": minion("ulm-cc", topologies={**TOPOLOGIES, "Bonn.yml": ""}),
    "a name that YAML reads": minion("ulm-cc", topologies={**TOPOLOGIES, "no.yaml": ""}),
    "no file": minion("ulm-cc", topologies={}),
    "both": {**minion("ulm-cc"), "topology": topology()},
    "roles of a node": minion(
        "ulm-b1", "webserver", "docker", "db", sls=["orchestration.minion.roles"]
    ),
    "roles withdrawn": {
        **minion("bonn-b9", sls=["orchestration.minion.roles"]),
        "grains": {"roles": ["webserver", "docker"], "ipv4": ["10.0.2.9"]},
        "topologies": {
            "bonn.yaml": {
                "nodes": {
                    **cluster("bonn", 2)["nodes"],
                    "bonn-b9": {"address": "10.0.2.9", "roles": []},
                }
            }
        },
    },
    "roles of a foreign minion": minion("web1", "webserver", sls=["orchestration.minion.roles"]),
    "deploy ulm": {
        **orchestration("deploy", cluster="ulm"),
        "runners": {"manage.status": {"up": ["ulm-cc", "ulm-b1"], "down": []}},
    },
    "roles of bonn": orchestration("roles", cluster="bonn"),
    "the only cluster": orchestration("roles", {"bonn.yaml": TOPOLOGIES["bonn.yaml"]}),
    "apps of bonn": orchestration("apps", cluster="bonn", timeout=7),
    "apps of ulm, bonn unreadable": orchestration("apps", UNREADABLE, cluster="ulm"),
    "new ids": orchestration("agent_identity", cluster="bonn", agents="*"),
    "drain": {
        **orchestration("drain", cluster="bonn", agents="*"),
        "runners": {"cluster.agents": {**NO_AGENTS, "errors": ["answer of the runner"]}},
    },
    **{
        f"{name} without a cluster": orchestration(name, agents=["*"])
        for name in ("deploy", "roles", "apps", "verify", "drain", "retire", "agent_identity")
    },
    "unknown cluster": orchestration("deploy", cluster="köln"),
    "cluster that is a number": orchestration("deploy", cluster=7),
    "cluster of one topology": {
        **orchestration("deploy", None, cluster="ulm"),
        "topology": topology(),
    },
    "deploy with a shared node": orchestration("deploy", SHARED_NODE, cluster="ulm"),
}
CASES["cluster of one topology"].pop("topologies")


@pytest.fixture(scope="module")
def answers_by_line(render):
    return render(CASES)


@pytest.fixture(params=SALT_LINES)
def answers(request, answers_by_line) -> dict[str, dict]:
    return answers_by_line[request.param]


def targets(answer: dict) -> str:
    """Return all targets of an orchestration."""
    assert not answer.get("errors"), answer
    return str([state["arguments"]["tgt"] for state in answer["states"]])


def test_a_node_gets_the_topology_of_its_cluster(answers):
    pillar = answers["node of ulm"]["pillar"]
    assert pillar["mesos"]["zk"] == "zk://10.0.1.1:2181/ulm"
    assert pillar["topology"]["cluster"] == "ulm"
    assert pillar["common"]["firewall"]["members"] == ["10.0.1.1", "10.0.1.0/24"]
    pillar = answers["agent of bonn"]["pillar"]
    assert pillar["mesos"]["zk"] == "zk://10.0.2.1:2181/mesos"
    assert pillar["topology"]["cluster"] == "bonn"
    for name in ("node of ulm", "agent of bonn"):
        assert "errors" not in answers[name] and len(answers[name]["states"]) > 10


@pytest.mark.parametrize(
    "name",
    [
        "foreign",
        "foreign, without roles",
        "foreign, role as text",
        "foreign, Debian",
        "foreign, wrong settings",
        "foreign, one topology",
        "foreign, topology with an error",
    ],
)
def test_a_foreign_minion_is_neither_refused_nor_changed(answers, name):
    (state,) = answers[name]["states"]
    assert (state["id"], state["function"]) == ("foreign-minion", "test.nop")
    assert "has an entry for this minion" in state["name"].replace("no entry", "an entry")
    assert answers[name]["files"] == {}


def test_a_foreign_minion_gets_no_formula_by_hand(answers):
    [message] = answers["foreign, a formula by hand"]["errors"]
    assert "topologies:nodes = web1 on web1: no topology has an entry for this minion." in message
    assert "one of the clusters: bonn, ulm." in message and "grain roles" not in message


def test_a_minion_is_refused_while_its_entry_may_be_in_an_unreadable_file(answers):
    [message] = answers["foreign, an unreadable topology"]["errors"]
    assert "topologies/bonn = bonn.yaml on web1: cannot be read. line 1" in message
    assert "errors" not in answers["node of ulm, bonn unreadable"]


@pytest.mark.parametrize(
    "name, words",
    [
        (
            "a former node",
            "If it is not a node, remove mesos-slave from its grain roles: "
            "salt 'old1' grains.setval roles '[webserver]'.",
        ),
        (
            "a former node, one topology",
            "the topology has no entry for this minion (closest: lxcc03.devops.test).",
        ),
        (
            "node without its roles",
            "grains:roles = [webserver, docker] on ulm-b1: the topology assigns [mesos-slave] in "
            "its entry ulm-b*. If that is right, run salt-run state.orchestrate orchestration.roles"
            " pillar='{\"cluster\": \"ulm\"}', or salt 'ulm-b1' grains.setval roles "
            "'[webserver, mesos-slave]'.",
        ),
        (
            "in two clusters by globs",
            "topologies:nodes = *b1 of bonn, ulm-b* of ulm on ulm-b1: all of these entries match "
            "ulm-b1. A node belongs to one cluster.",
        ),
        ("in two clusters by id", "ulm-b1 of bonn, ulm-b* of ulm on ulm-b1"),
        ("a name that is none", "topology = topologies/Bonn.yml on ulm-cc: not a file NAME.yaml."),
        ("a name that YAML reads", "topology = topologies/no.yaml on ulm-cc: not a file NAME"),
        ("no file", "topology = topologies/ on ulm-cc: empty. It needs a file NAME.yaml"),
        ("both", "topology = topology.yaml on ulm-cc: the directory topologies has the topologies"),
    ],
)
def test_a_node_is_refused_with_the_reason(answers, name, words):
    [message] = answers[name]["errors"]
    assert words in message and "Traceback" not in message


@pytest.mark.parametrize("name", ["node with other roles", "beside a node of two clusters"])
def test_a_node_is_not_refused(answers, name):
    assert "errors" not in answers[name] and len(answers[name]["states"]) > 10


def test_roles_of_others_stay_in_the_grain(answers):
    for name, roles in (
        ("roles of a node", ["webserver", "db", "mesos-slave"]),
        ("roles withdrawn", ["webserver"]),
    ):
        assert answers[name]["states"][-1]["arguments"]["value"] == roles


def test_no_role_is_assigned_to_a_foreign_minion(answers):
    (state,) = answers["roles of a foreign minion"]["states"]
    assert state["function"] == "test.fail_without_changes" and "web1" in state["name"]


@pytest.mark.parametrize("name", ["deploy ulm", "roles of bonn", "apps of bonn", "new ids"])
def test_an_orchestration_targets_only_its_cluster(answers, name):
    names = {"ulm", "bonn"}
    own = "ulm" if "ulm" in name else "bonn"
    assert own in targets(answers[name])
    assert (names - {own}).pop() not in targets(answers[name])


def test_all_agents_are_those_of_the_cluster(answers):
    (target,) = [state["arguments"]["tgt"] for state in answers["new ids"]["states"]]
    assert target == "( * ) and ( bonn-cc or bonn-b* ) and G@roles:mesos-slave"
    (state,) = answers["drain"]["states"]
    assert state["name"] == "answer of the runner"


def test_nodes_do_not_get_the_option_cluster(answers):
    pillars = [state["arguments"]["pillar"] for state in answers["apps of bonn"]["states"]]
    assert pillars == [{"timeout": 7}] * 3


def test_the_only_cluster_need_not_be_named(answers):
    assert targets(answers["the only cluster"]) == "[['bonn-cc'], 'bonn-b*']"


def test_the_topology_of_another_cluster_may_be_unreadable(answers):
    assert targets(answers["apps of ulm, bonn unreadable"]) == str([["ulm-cc"]] * 3)


@pytest.mark.parametrize(
    "name, words",
    [
        *(
            (
                f"{name} without a cluster",
                'cluster = null: name one of bonn, ulm, such as pillar=\'{"cluster": "bonn"}\'.',
            )
            for name in ("deploy", "roles", "apps", "verify", "drain", "retire", "agent_identity")
        ),
        ("unknown cluster", "cluster = köln: name one of bonn, ulm, such as"),
        ("cluster that is a number", "cluster = 7: name one of bonn, ulm, such as"),
        ("cluster of one topology", "cluster = ulm: there is only one, that of pillar/topology"),
        (
            "deploy with a shared node",
            "topologies:nodes = ulm-b1 of bonn, ulm-b* of ulm: all of these entries match ulm-b1.",
        ),
    ],
)
def test_an_orchestration_refuses_to_guess_the_cluster(answers, name, words):
    (state,) = answers[name]["states"]
    assert state["function"] == "test.fail_without_changes"
    assert words in state["name"]
