"""
formulas/common/roles.yaml and releases.yaml are the only source of roles and release settings.

A role, and settings of a release, are added to a copy of the repository, and nothing else is edited
there.
"""

import shutil
from pathlib import Path

import pytest
import yaml

from lab import ROOT, SALT_LINES, plan

from .topologies import topology

ROLES = yaml.safe_load((ROOT / "formulas/common/roles.yaml").read_text())
NEW_ROLE = """
mesos-exporter:
  formula: mesos
  sls: mesos.exporter
  unit: mesos-exporter
  needs: [marathon]
  ports:
    - {name: mesos-exporter, port: 9105, from: clients}
  deploy:
    name: Mesos exporter
    sls: mesos.exporter
"""
RELEASE_SETTINGS = {
    "marathon": {"http_port": 18080, "java_opts": "-Xmx3g"},
    "chronos": {"http_port": "x"},
}
EXPORTER = {"lxcc01": {"roles": ["zookeeper", "mesos-master", "mesos-exporter"]}}
NODE = "lxcc01.devops.test"


def copy_of_repository(target: Path) -> Path:
    """Copy the files that Salt renders, with a new role and additional settings of EL 7."""
    for name in ("_modules", "_states", "formulas", "pillar", "salt"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, target / name, symlinks=True, ignore=ignored)
    with (target / "formulas/common/roles.yaml").open("a") as file:
        file.write(NEW_ROLE)
    path = target / "formulas/common/releases.yaml"
    releases = yaml.safe_load(path.read_text())
    releases[7]["settings"].update(RELEASE_SETTINGS)
    path.write_text(yaml.safe_dump(releases))
    return target


@pytest.fixture(scope="module")
def answers_by_line(tmp_path_factory) -> dict[str, dict[str, dict]]:
    repository = copy_of_repository(tmp_path_factory.mktemp("repository"))

    def pillar_root(contents: dict) -> list[str]:
        directory = tmp_path_factory.mktemp("pillar")
        (directory / "topology.sls").symlink_to(repository / "pillar/topology.sls")
        (directory / "topology.yaml").write_text(yaml.safe_dump(contents, sort_keys=False))
        return [str(directory)]

    def case(name: str, contents: dict, **keys) -> dict:
        return {"id": name, "pillar_roots": pillar_root(contents), "site": True, **keys}

    exporter = topology(EXPORTER)
    nodes = ["lxcm01.devops.test", *(f"lxcc0{number}.devops.test" for number in (1, 2, 3))]
    lonely = {"nodes": {NODE: {"address": "172.31.250.11", "roles": ["mesos-exporter"]}}}
    misspelt = topology({"lxcc01": {"roles": ["mesos-exprter", "zookeeper"]}})
    roles = {"roles": EXPORTER["lxcc01"]["roles"]}
    marathon = {"id": NODE, "grains": {"roles": ["marathon"]}}
    cases = {
        "misspelt role": case(NODE, misspelt, only="validation", grains=roles),
        "missing role": case(NODE, lonely, only="validation", grains={"roles": ["mesos-exporter"]}),
        "firewall": case(NODE, exporter, sls=["common.firewall"], grains=roles),
        "deploy": case(
            "lxcm01.devops.test_master",
            exporter,
            sls=["orchestration.deploy"],
            runners={"manage.status": {"up": nodes, "down": []}},
        ),
        "release": {**marathon, "sls": ["marathon", "common.firewall"]},
        "release and pillar": {
            **marathon,
            "sls": ["marathon"],
            "pillar": {"marathon": {"http_port": 28080}},
        },
        "release with an error": {
            **marathon,
            "only": "validation",
            "pillar": {"chronos": {"http_port": 0}},
        },
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "ROOT", repository)
        return {
            line: dict(zip(cases, plan.render(line, list(cases.values())), strict=True))
            for line in SALT_LINES
        }


@pytest.fixture(params=SALT_LINES)
def answers(request, answers_by_line) -> dict[str, dict]:
    return answers_by_line[request.param]


def contents(answer: dict, path: str) -> str:
    assert not answer.get("errors"), answer["errors"]
    return answer["files"][path]["contents"]


def test_the_topology_knows_a_new_role(answers):
    message = answers["misspelt role"]["validation"][0]
    assert "no such role. Did you mean mesos-exporter?" in message


def test_the_topology_checks_the_requirements_of_a_new_role(answers):
    message = "\n".join(answers["missing role"]["validation"])
    assert (
        "there are no nodes with the role marathon. mesos-exporter cannot run without them"
        in message
    )


def test_the_firewall_opens_the_port_of_a_new_role(answers):
    zone = contents(answers["firewall"], "/etc/firewalld/zones/public.xml")
    assert "<!-- mesos-exporter -->" in zone and 'port="9105"' in zone


def test_a_new_role_is_deployed_in_the_order_of_roles_yaml(answers):
    steps = [state["id"] for state in answers["deploy"]["states"]]
    assert steps.index("Chronos on lxcc03.devops.test") < steps.index(f"Mesos exporter on {NODE}")


def test_settings_of_a_release_take_effect_in_every_formula(answers):
    environment = contents(answers["release"], "/etc/default/marathon")
    assert 'MARATHON_HTTP_PORT="18080"' in environment and 'JAVA_OPTS="-Xmx3g"' in environment
    assert 'port="18080"' in contents(answers["release"], "/etc/firewalld/zones/public.xml")


def test_pillar_takes_precedence_over_the_settings_of_a_release(answers):
    environment = contents(answers["release and pillar"], "/etc/default/marathon")
    assert 'MARATHON_HTTP_PORT="28080"' in environment and 'JAVA_OPTS="-Xmx3g"' in environment


def test_settings_are_validated_against_the_defaults_of_the_release(answers):
    [message] = answers["release with an error"]["validation"]
    assert 'from 1 to 65535, as the default "x"' in message


def test_the_top_file_assigns_every_role_its_states():
    top = yaml.safe_load((ROOT / "salt/top.sls").read_text())["base"]
    assert top.pop("*") == ["common.minion"]
    assert {target: states[1:] for target, states in top.items()} == {
        f"roles:{name}": [role["sls"]] for name, role in ROLES.items()
    }
    assert all(states[0] == {"match": "grain"} for states in top.values())


def test_every_role_has_a_formula_and_states():
    for name, role in ROLES.items():
        formula, sls = ROOT / "formulas" / role["formula"], role["sls"].replace(".", "/")
        assert (formula / "defaults.yaml").is_file(), name
        assert (ROOT / "formulas" / sls / "init.sls").is_file(), name
