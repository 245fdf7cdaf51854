"""marathon.step_allowed, applied by the real Salt: no step that Marathon would refuse."""

import re
import runpy

import pytest
from marathon_versions import MATRIX, NEW, OLD, POSSIBLE, STEPS

from lab import ROOT
from lab.fakes.marathon.server import Marathon
from lab.fakes.mesos.master import Master
from lab.fakes.wire.election import MemoryRoom


def arguments(version):
    """Return the arguments that marathon.config gives to marathon.step_allowed."""
    steps = runpy.run_path(str(ROOT / "formulas/marathon/steps.py"))
    return {
        "name": version,
        "since": steps["since"](version),
        "before": steps["before"](version),
        "stops": list(steps["stops"](version)),
    }


def step(salt, old, new, test=False):
    """Return the result of marathon.step_allowed for a step."""
    installed = {"marathon": f"{old}-1.el7" if old else ""}
    answer = salt("marathon.step_allowed", test, installed=installed, **arguments(new))
    assert answer["changes"] == {}, answer
    return answer


@pytest.mark.parametrize("old, new, step_kind", STEPS)
def test_the_state_allows_the_possible_steps_only(salt, old, new, step_kind):
    answer = step(salt, old, new)
    assert answer["result"] is (step_kind == POSSIBLE), answer
    assert ("can be replaced by" in answer["comment"]) is (step_kind == POSSIBLE)
    assert ("and later only" in answer["comment"]) is (step_kind == OLD)
    assert ("cannot read the store" in answer["comment"]) is (step_kind == NEW)


@pytest.mark.parametrize(
    "old, new, allowed",
    [
        ("1.5.10", "1.5.15", True),
        ("1.5.15", "1.5.10", False),
        ("1.4.13", "1.4.8", False),
        ("1.6.590", "1.6.549", True),
        ("1.8.244", "1.8.207", True),
        ("1.8.207", "1.8.180", False),
        ("1.9.109", "1.9.64", True),
        ("1.9.64", "1.9.34", False),
        ("1.9.34", "1.9.32", False),
    ],
)
def test_within_a_minor_version_the_store_counts(salt, old, new, allowed):
    assert step(salt, old, new)["result"] is allowed


def test_a_node_without_marathon_can_get_any_version(salt):
    for version in MATRIX:
        answer = step(salt, None, version)
        assert answer["result"] is True and "can be installed" in answer["comment"]


@pytest.mark.parametrize("test", [False, True])
def test_the_message_names_the_next_step(salt, test):
    answer = step(salt, "1.4.13", "1.8.244", test)
    assert answer["result"] is False
    assert answer["comment"] == (
        "marathon:version = 1.8.244 on unit: reads the store of 1.6.0 and later only, and "
        "1.4.13-1.el7 is installed. On all nodes with Marathon, upgrade to 1.6.567 first."
    )


def test_a_version_from_which_nothing_leads_on_is_refused(salt):
    answer = step(salt, "0.2.1", "1.8.244")
    assert answer["result"] is False
    assert answer["comment"].endswith(
        "0.2.1-1.el7 is installed. No intermediate version can migrate it."
    )


@pytest.mark.parametrize("test", [False, True])
def test_the_message_for_a_downgrade_says_how_to_go_back(salt, test):
    answer = step(salt, "1.8.244", "1.7.236", test)
    assert answer["result"] is False
    assert answer["comment"] == (
        "marathon:version = 1.7.236 on unit: cannot read the store of 1.8.244-1.el7, which is "
        "installed. Keep that version. To go back, restore a backup of the store and remove the "
        "package first."
    )


@pytest.mark.parametrize("old, new", [(old, new) for old, new, kind in STEPS if kind == OLD])
def test_the_named_steps_lead_there(salt, old, new):
    path = [old]
    while path[-1] != new:
        comment = step(salt, path[-1], new)["comment"]
        match = re.search("upgrade to (.+) first", comment)
        path.append(match[1] if match else new)
        assert len(path) <= 4 and step(salt, path[-2], path[-1])["result"] is True, path


# --- the leading master ---


@pytest.fixture
def master(running, tmp_path):
    """Return a function that starts a master of a version, and returns its URL."""

    def start(version: str) -> str:
        options = ["--ip=127.0.0.1", "--port=0", "--hostname=127.0.0.1", f"--work_dir={tmp_path}"]
        server = running(Master(options, None, version, MemoryRoom()))
        return f"http://127.0.0.1:{server.port}"

    return start


def step_with_masters(salt, old, masters, test=False):
    return salt(
        "marathon.step_allowed",
        test,
        installed={"marathon": f"{old}-1.el7"},
        mesos="1.5.0",
        masters=masters,
        **arguments("1.8.244"),
    )


def test_a_leading_master_that_is_too_old_keeps_marathon_as_it_is(salt, master, nobody):
    url = master("1.4.3")
    for test in (True, False):
        answer = step_with_masters(salt, "1.6.567", [nobody, url], test)
        assert answer["result"] is False and answer["changes"] == {}
        assert answer["comment"] == (
            f"marathon:version = 1.8.244 on unit: needs Mesos 1.5.0, and the leading master {url} "
            "has 1.4.3. Apply the states again when all masters are upgraded."
        )


def test_a_leading_master_that_is_new_enough_allows_the_step(salt, master, nobody):
    url = master("1.9.0")
    assert step_with_masters(salt, "1.6.567", f"{nobody},{url}")["result"] is True


def test_masters_are_asked_before_a_change_alone(salt, nobody):
    assert step_with_masters(salt, "1.8.244", [nobody])["result"] is True
    answer = step_with_masters(salt, "1.6.567", [nobody])
    assert answer["result"] is False
    assert "the version of the leading master is unknown" in answer["comment"]


def test_a_test_run_does_not_ask_a_single_master_which_the_run_may_upgrade(salt, master):
    url = master("1.4.3")
    assert step_with_masters(salt, "1.6.567", [url], test=True)["result"] is True
    assert step_with_masters(salt, "1.6.567", [url])["result"] is False


# --- the other Marathons ---


@pytest.fixture
def peers(running, nobody):
    """Return a function that starts a Marathon of a version, and returns the URLs of two peers."""

    def start(version: str) -> list[str]:
        options = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
        server = running(Marathon(options, None, version, MemoryRoom(), MemoryRoom()))
        return [nobody, server.url]

    return start


def step_beside(salt, old, new, urls, test=False, **options):
    installed = {"marathon": f"{old}-1.el7"}
    values = {**arguments(new), "same_store": same_store(new), "peers": urls, **options}
    return salt("marathon.step_allowed", test, installed=installed, **values)


def same_store(version):
    return runpy.run_path(str(ROOT / "formulas/marathon/steps.py"))["same_store"](version)


@pytest.mark.parametrize("test", [False, True])
def test_the_store_is_not_migrated_while_an_old_marathon_leads(salt, peers, test):
    answer = step_beside(salt, "1.6.567", "1.8.244", peers("1.6.567"), test)
    assert answer["result"] is False and answer["changes"] == {}
    assert answer["comment"] == (
        "marathon:version = 1.8.244 on unit: would migrate the store, which 1.6.567-1.el7 cannot "
        "read afterwards, and Marathon 1.6.567 leads. All but one of the Marathons have to be "
        "stopped first. Run: salt-run state.orchestrate orchestration.upgrade"
    )


def test_the_store_is_not_migrated_while_nobody_knows_who_leads(salt, nobody):
    answer = step_beside(salt, "1.6.567", "1.8.244", f"{nobody},{nobody}/x")
    assert answer["result"] is False
    assert "and no Marathon leads" in answer["comment"]


def test_an_old_marathon_is_replaced_when_the_new_version_leads(salt, peers):
    urls = peers("1.8.244")
    assert step_beside(salt, "1.6.567", "1.8.244", urls)["result"] is True
    assert step_beside(salt, "1.6.567", "1.8.244", ",".join(urls))["result"] is True


@pytest.mark.parametrize("old, new", [("1.8.207", "1.8.244"), ("1.6.549", "1.6.567")])
def test_versions_with_the_same_store_are_replaced_one_by_one(salt, nobody, old, new):
    assert step_beside(salt, old, new, [nobody, f"{nobody}/x"])["result"] is True


def test_a_marathon_without_peers_migrates_its_store(salt, nobody):
    for urls in (None, nobody, [nobody]):
        assert step_beside(salt, "1.6.567", "1.8.244", urls)["result"] is True


def test_the_orchestration_may_migrate_the_store(salt, peers, master):
    urls = peers("1.6.567")
    assert step_beside(salt, "1.6.567", "1.8.244", urls, orchestrated=True)["result"] is True
    masters = {"mesos": "1.5.0", "masters": [master("1.4.3"), urls[0]]}
    answers = [
        step_beside(salt, "1.6.567", "1.8.244", urls, test, orchestrated=True, **masters)
        for test in (True, False)
    ]
    # The run itself upgrades the masters before.
    assert [answer["result"] for answer in answers] == [True, False]
    assert "needs Mesos 1.5.0" in answers[1]["comment"]
