"""Versions that work together: what validation says of them, the data, and the documents."""

import itertools
import re

import pytest

from lab import ROOT

from .in_process import Formulas, Minion

FORMULAS = Formulas()

# The oldest Mesos of each Marathon, as its releases say.
MARATHONS = {
    "0.15.3": "0.0.0",
    "1.1.7": "0.0.0",
    "1.3.14": "0.0.0",
    "1.4.13": "1.1.0",
    "1.5.15": "1.1.0",
    "1.6.567": "1.1.0",
    "1.7.37": "1.5.0",
    "1.7.236": "1.5.0",
    "1.8.244": "1.5.0",
    "1.9.109": "1.5.0",
    "1.10.26": "1.5.0",
}
MESOS = ("0.28.2", "1.0.4", "1.1.0", "1.4.3", "1.5.0", "1.9.0", "1.11.0")


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def errors(roles: list[str], **versions: str) -> list[str]:
    """Return the errors of a node with these versions of the formulas' packages."""
    pillar = {formula: {"version": version} for formula, version in versions.items()}
    return Minion(FORMULAS, pillar, roles).errors()


def steps_to(version: str) -> dict:
    return Minion(FORMULAS, {}).render("marathon/steps.py", version=version)


@pytest.mark.parametrize("marathon, mesos", itertools.product(MARATHONS, MESOS))
def test_mesos_that_marathon_refuses_is_refused(marathon, mesos):
    messages = errors(["marathon"], marathon=marathon, mesos=mesos)
    if numbers(mesos) >= numbers(MARATHONS[marathon]):
        assert messages == []
        return
    limit = "1.4.0" if numbers(mesos) < [1, 1, 0] else "1.7.0"
    assert messages == [
        f"mesos:version = {mesos} on lxdev01: Marathon {marathon} on this node needs Mesos "
        f"{MARATHONS[marathon]} or later. Set that, or a marathon:version before {limit}."
    ]


def test_only_the_node_with_marathon_needs_its_mesos():
    for roles in (["mesos-slave"], ["mesos-master", "zookeeper"]):
        assert errors(roles, marathon="1.8.244", mesos="1.4.3") == []


def test_chronos_needs_a_mesos_too():
    assert errors(["chronos"], chronos="2.5.0", mesos="0.28.2") == []
    message = (
        "mesos:version = 0.19.1 on lxdev01: Chronos 2.5.0 on this node needs Mesos 0.20.0 or "
        "later. Set that."
    )
    assert message in errors(["chronos"], chronos="2.5.0", mesos="0.19.1")
    assert message not in errors(["marathon"], chronos="2.5.0", mesos="0.19.1")


@pytest.mark.parametrize("release", [7, 8, 9])
def test_the_defaults_work_together(release):
    roles = ["marathon", "chronos"]
    node = Minion(FORMULAS, {"mesos": {}}, roles, os="AlmaLinux", osmajorrelease=release)
    assert node.errors() == []


def test_the_step_comes_before_every_other_state_of_marathon():
    masters = ["http://10.0.0.1:5050", "http://10.0.0.2:5050"]
    for version, mesos in (("1.4.13", "1.1.0"), ("1.8.244", "1.5.0")):
        marathon = {"version": version, "url": ["http://10.0.0.1:8080", "http://10.0.0.2:8080"]}
        pillar = {"marathon": marathon, "mesos": {"url": masters}, "marathon_upgrade": True}
        node = Minion(FORMULAS, pillar, ["marathon"])
        states = node.states("marathon.config")
        del states["include"]
        assert next(iter(states)) == "marathon-step"
        [(function, arguments)] = states.pop("marathon-step").items()
        assert function == "marathon.step_allowed"
        passed = {name: value for item in arguments for name, value in item.items()}
        others = {"mesos": mesos, "masters": masters, "peers": marathon["url"]}
        assert passed == {"name": version, **steps_to(version), **others, "orchestrated": True}
        for name in states:
            assert "marathon-step" in requirements(states, name), name


def requirements(states: dict, name: str) -> set[str]:
    """Return the states that a state requires, directly or by way of others."""
    [arguments] = states[name].values()
    names = {
        requirement
        for argument in arguments
        for requisite in argument.get("require", [])
        for requirement in requisite.values()
    }
    return names.union(*(requirements(states, required) for required in names & set(states)))


def test_versions_that_one_can_stop_at_are_in_order_and_can_be_installed():
    table = FORMULAS.read_yaml("marathon/versions.yaml")["generations"]
    stops = [stop["version"] for stop in steps_to("1.10.26")["stops"]]
    assert stops == ["1.6.567", "1.4.13", "1.1.7"]
    assert all(any(numbers(row["since"]) <= numbers(stop) for row in table) for stop in stops)


def marathon_rows() -> list[str]:
    """Return the rows of the table in operate.md, made from the data."""
    frameworks = Minion(FORMULAS, {}).render("mesos/frameworks.py")["marathon"]
    rows = []
    for minor in ("1.4", "1.5", "1.6", "1.7", "1.8", "1.9", "1.10"):
        version = f"{minor}.0"
        since = steps_to(version)["since"]
        mesos = [row["mesos"] for row in frameworks if numbers(row["since"]) <= numbers(version)][
            -1
        ]
        rows.append(f"| {minor} | {since} and later | {mesos} and later |")
    return rows


def zookeeper_rows() -> list[str]:
    """Return the rows of the table in operate.md, made from the data."""
    rows = []
    for minor in ("3.5", "3.6", "3.7", "3.8"):
        step = Minion(FORMULAS, {}).render("zookeeper/steps.py", version=minor)
        stop = step["stops"][0]["version"]
        rows.append(f"| {minor} | {step['since']} and later | {stop} |")
    return rows


def test_the_table_of_zookeepers_is_made_from_the_data():
    text = (ROOT / "docs/operate.md").read_text().partition("### Versions of ZooKeeper\n")[2]
    table = [line for line in text.partition("\n##")[0].splitlines() if line.startswith("|")]
    assert table[2:] == zookeeper_rows()


def test_the_table_of_marathons_is_made_from_the_data():
    text = (ROOT / "docs/operate.md").read_text().partition("### Versions of Marathon\n")[2]
    table = [line for line in text.partition("\n##")[0].splitlines() if line.startswith("|")]
    assert table[2:] == marathon_rows()


def test_the_sets_in_the_installation_guide_work_together():
    text = (ROOT / "INSTALL.md").read_text().partition("### 2.2 ")[2].partition("\n### ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    sets = {row[0]: row for row in rows[2:]}
    assert len(sets) == 4
    tried = 0
    for _, _, mesos, marathon, chronos, _ in sets.values():
        versions = {"mesos": mesos, "marathon": marathon, "chronos": chronos}
        versions = {
            formula: version if version.count(".") == 2 else f"{version}.0"
            for formula, version in versions.items()
            if re.fullmatch(r"[0-9.]+", version)
        }
        assert errors([formula for formula in versions if formula != "mesos"], **versions) == []
        tried += len(versions) == 3
    assert tried == 3
