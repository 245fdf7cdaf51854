"""The levels of security: what each node gets, and what is refused."""

import importlib.util
import re

import pytest
import yaml

from lab import ROOT, SALT_LINES

from .cases import member, node
from .in_process import Formulas, Minion

SPEC = importlib.util.spec_from_file_location("script", ROOT / "_runners/mesos_secrets.py")
SCRIPT = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(SCRIPT)
FILES = SCRIPT._file_contents()
FORMULAS = Formulas()
TOPOLOGY = {
    "nodes": {
        "lxcc01.devops.test": {
            "address": "172.31.250.11",
            "roles": ["zookeeper", "mesos-master"],
            "zookeeper_id": 1,
        },
        "lxcc02.devops.test": {"address": "172.31.250.12", "roles": ["marathon"]},
        "lxcc03.devops.test": {"address": "172.31.250.13", "roles": ["chronos"]},
        "lxcc04.devops.test": {"address": "172.31.250.14", "roles": ["zookeeper"]},
        "lxb*.devops.test": {"address": "172.31.250.64/26", "roles": ["mesos-slave"]},
    }
}
TOPOLOGY["nodes"]["lxcc04.devops.test"]["zookeeper_id"] = 2
TOPOLOGY["allow_even"] = True
# Minion -> address, roles, and the files with its secrets.
MINIONS = {
    "lxcc01": ("172.31.250.11", ["zookeeper", "mesos-master"], ["masters.sls"]),
    "lxcc02": ("172.31.250.12", ["marathon"], ["marathon.sls"]),
    "lxcc03": ("172.31.250.13", ["chronos"], ["chronos.sls"]),
    "lxcc04": ("172.31.250.14", ["zookeeper"], []),
    "lxb001": ("172.31.250.66", ["mesos-slave"], ["agents.sls"]),
}
CHRONOS = "/etc/chronos"
DEMANDED = {
    "/etc/mesos-master/authenticate_agents": "true",
    "/etc/mesos-master/authenticate_frameworks": "true",
    "/etc/mesos-master/authenticate_http_frameworks": "true",
    "/etc/mesos-master/authenticate_http_readonly": "true",
    "/etc/mesos-master/authenticate_http_readwrite": "true",
    "/etc/mesos-master/http_framework_authenticators": "basic",
    "/etc/mesos-slave/authenticate_http_executors": "true",
    "/etc/mesos-slave/authenticate_http_readonly": "true",
    "/etc/mesos-slave/authenticate_http_readwrite": "true",
}
SENT = {
    "/etc/mesos-master/credentials": "file:///etc/mesos/master-secrets/credentials",
    "/etc/mesos-slave/credential": "file:///etc/mesos/slave-secrets/credential",
    "/etc/mesos-slave/http_credentials": "file:///etc/mesos/slave-secrets/http_credentials",
    "/etc/mesos-slave/jwt_secret_key": "file:///etc/mesos/slave-secrets/jwt_secret_key",
    "/etc/chronos/conf/mesos_authentication_principal": "chronos",
    f"{CHRONOS}/conf/mesos_authentication_secret_file": f"{CHRONOS}/mesos-authentication-secret",
}


def secrets_in(text: str) -> set[str]:
    return set(re.findall("[0-9a-f]{64}", text))


def cases(level: str) -> dict[str, dict]:
    settings = {"common": {"security": {"level": level}}, "chronos": {"version": "3.0.2"}}
    return {
        f"{level} {name}": {
            **member(name, address, *roles, topology=TOPOLOGY),
            "settings": settings,
            "secrets": FILES,
        }
        for name, (address, roles, _) in MINIONS.items()
    }


@pytest.fixture(scope="module")
def answers(render):
    return render({**cases("accepting"), **cases("authenticated")})


@pytest.mark.parametrize("line", SALT_LINES)
@pytest.mark.parametrize("name", MINIONS)
def test_a_node_gets_the_secrets_of_its_roles_and_no_others(answers, line, name):
    node_secrets = set().union(*(secrets_in(FILES[file]) for file in MINIONS[name][2]))
    answer = answers[line][f"authenticated {name}"]
    assert "errors" not in answer, answer["errors"]
    assert secrets_in(yaml.safe_dump(answer["pillar"])) == node_secrets
    for path, file in answer["files"].items():
        assert not secrets_in(file.get("contents", "")) or file["mode"] == "0600", path


@pytest.mark.parametrize("line", SALT_LINES)
@pytest.mark.parametrize("level, demands", [("accepting", False), ("authenticated", True)])
def test_credentials_are_sent_at_both_levels_and_demanded_at_one(answers, line, level, demands):
    files = {}
    for name in MINIONS:
        files.update(answers[line][f"{level} {name}"]["files"])
    flags = {
        path: files[path]["contents"].strip() for path in {**DEMANDED, **SENT} if path in files
    }
    assert flags == {**SENT, **(DEMANDED if demands else {})}
    environment = files["/etc/default/marathon"]["contents"]
    assert "MARATHON_MESOS_AUTHENTICATION=" in environment
    assert 'MARATHON_MESOS_AUTHENTICATION_PRINCIPAL="marathon"' in environment


def test_a_node_of_one_of_several_clusters_gets_the_secrets_of_that_cluster(render):
    other = SCRIPT._file_contents()
    files = {f"blue/{name}": text for name, text in FILES.items()}
    files |= {f"green/{name}": text for name, text in other.items()} | other
    nodes = {"lxg01.devops.test": {"address": "172.31.249.1", "roles": []}}
    case = {
        **member("lxb001", "172.31.250.66", "mesos-slave", topology=None),
        "topologies": {"blue.yaml": TOPOLOGY, "green.yaml": {"nodes": nodes}},
        "settings": {"common": {"security": {"level": "authenticated"}}},
        "secrets": files,
    }
    case.pop("site", None)
    answer = render({"blue": {**case, "only": "pillar"}}, lines=["3008"])["3008"]["blue"]
    assert answer["pillar"]["topology"]["cluster"] == "blue"
    assert secrets_in(yaml.safe_dump(answer["pillar"])) == secrets_in(FILES["agents.sls"])


def test_secrets_are_unique_and_files_belong_together():
    texts = [yaml.safe_load(text) for text in FILES.values()]
    agents, chronos, marathon, masters = texts
    entries = masters["mesos"]["master"]["secrets"]["credentials"]["credentials"]
    by_principal = {entry["principal"]: entry["secret"] for entry in entries}
    assert agents["mesos"]["slave"]["secrets"]["credential"]["secret"] == by_principal["agent"]
    assert chronos["chronos"]["mesos_authentication_secret"] == by_principal["chronos"]
    assert marathon["marathon"]["mesos_authentication_secret"] == by_principal["marathon"]
    assert masters["mesos"]["agent_api"] == agents["mesos"]["agent_api"]
    # Four principals, agents' operator, the key of tokens, and the users of both frameworks.
    assert len(secrets_in("".join(FILES.values()))) == 8


def refusals(pillar: dict, *roles: str) -> list[str]:
    return Minion(FORMULAS, pillar, roles).errors()


def at(level: str, **pillar: dict) -> dict:
    return {**pillar, "common": {"security": {"level": level, **pillar.get("security", {})}}}


@pytest.mark.parametrize("level", ["accepting", "authenticated"])
@pytest.mark.parametrize(
    "role, texts",
    [
        ("mesos-master", ["mesos:master:secrets:credentials", "pillar/secrets/masters.sls"]),
        ("mesos-slave", ["mesos:slave:secrets:jwt_secret_key", "pillar/secrets/agents.sls"]),
        ("marathon", ["marathon:http_credentials", "pillar/secrets/marathon.sls"]),
        ("chronos", ["chronos:mesos_authentication_secret", "pillar/secrets/chronos.sls"]),
    ],
)
def test_a_level_without_secrets_is_refused(level, role, texts):
    [error] = refusals(at(level), role)
    assert error.startswith(f"common:security:level = {level} on lxdev01: ")
    assert all(text in error for text in [*texts, "salt-run cluster.make_secrets"]), error


def test_a_node_without_daemons_needs_no_secrets():
    assert refusals(at("authenticated"), "zookeeper", "docker") == []


def test_the_level_open_is_refused_with_secrets_that_would_be_used():
    [error] = refusals(yaml.safe_load(FILES["agents.sls"]), "mesos-slave")
    assert error.startswith("common:security:level = open on lxdev01: ")
    assert "accepting" in error and "authenticated" in error


def test_an_unknown_level_is_refused():
    [error] = refusals(at("tls"), "mesos-master")
    assert "common:security:level = tls" in error and "Known: open, accepting, auth" in error


def test_an_agent_without_ssl_needs_no_key_of_tokens():
    pillar = yaml.safe_load(FILES["agents.sls"])
    pillar["common"]["security"]["level"] = "authenticated"
    pillar["mesos"]["slave"]["flags"] = {"authenticate_http_executors": None}
    pillar["mesos"]["slave"]["secrets"]["jwt_secret_key"] = None
    assert refusals(pillar, "mesos-slave") == []


def test_a_version_of_mesos_without_the_flags_is_refused():
    pillar = yaml.safe_load(FILES["agents.sls"])
    pillar["common"]["security"]["level"] = "authenticated"
    pillar["mesos"]["version"] = "1.2.3"
    errors = refusals(pillar, "mesos-slave")
    assert any("authenticate_http_executors" in error and "1.3" in error for error in errors)


@pytest.mark.parametrize(
    "version, flag, is_refused",
    [
        ("2.5.0", None, True),
        ("2.5.0", False, False),
        ("3.0.2", None, False),
        ("2.4.0", None, False),
    ],
)
def test_a_chronos_that_cannot_authenticate_is_refused(version, flag, is_refused):
    pillar = yaml.safe_load(FILES["chronos.sls"])
    pillar["common"]["security"]["level"] = "authenticated"
    pillar["chronos"].update(version=version, launcher="new")
    if flag is not None:
        pillar["mesos"]["master"] = {"flags": {"authenticate_frameworks": flag}}
    errors = refusals(pillar, "chronos")
    assert [error.partition(" = ")[0] for error in errors] == ["chronos:version"] * is_refused


@pytest.mark.parametrize("version, is_sent", [("2.4.0", True), ("2.5.0", False), ("3.0.2", True)])
def test_chronos_gets_a_secret_only_if_it_would_send_it(version, is_sent):
    pillar = {
        "chronos": {
            "version": version,
            "launcher": "new",
            "mesos_authentication_secret": "sesame",
            "options": {"mesos_authentication_principal": "chronos"},
        }
    }
    files = Minion(FORMULAS, pillar, ["chronos"]).files("chronos")
    assert ("mesos_authentication_secret_file" in files["/etc/chronos/conf"]) == is_sent


def test_secrets_in_one_file_still_work_without_a_level(render):
    secrets = {
        "mesos": {
            "master": {
                "flags": {"authenticate_agents": True},
                "secrets": {"credentials": {"credentials": []}},
            }
        }
    }
    answer = render({"old": node("mesos-master", pillar=secrets)}, lines=["3008"])["3008"]["old"]
    assert "errors" not in answer and "/etc/mesos-master/authenticate_agents" in answer["files"]
    assert "/etc/mesos-master/authenticate_http_readonly" not in answer["files"]
