"""zk.step_allowed, applied by the real Salt: no step that ZooKeeper does not know."""

import re
import runpy

import pytest

from lab import ROOT

PACKAGE = "mesosphere-zookeeper"
STEPS = runpy.run_path(str(ROOT / "formulas/zookeeper/steps.py"))


def step(salt, old, new, test=False, **options):
    """Return the result of zk.step_allowed, with the arguments that zookeeper.package gives it."""
    installed = {PACKAGE: f"{old}-0.1.el7" if old else ""}
    arguments = {
        "name": new,
        "package": PACKAGE,
        "since": STEPS["since"](new),
        "stops": list(STEPS["stops"](new)),
        **options,
    }
    answer = salt("zk.step_allowed", test, installed=installed, **arguments)
    assert answer["changes"] == {}, answer
    return answer


@pytest.mark.parametrize(
    "old, new, allowed",
    [
        ("3.4.5", "3.4.14", True),
        ("3.4.5", "3.5.10", False),
        ("3.4.6", "3.5.10", True),
        ("3.4.14", "3.6.4", False),
        ("3.4.14", "3.8", False),
        ("3.5.10", "3.8.4", True),
        ("3.8.0", "3.8.4", True),
    ],
)
def test_a_server_goes_where_a_rolling_upgrade_leads(salt, old, new, allowed):
    for test in (True, False):
        assert step(salt, old, new, test)["result"] is allowed


def test_a_new_server_gets_any_version(salt):
    answer = step(salt, None, "3.8.0")
    assert answer["result"] is True and answer["comment"] == "ZooKeeper 3.8.0 can be installed"


def test_the_message_names_the_next_step(salt):
    assert step(salt, "3.4.6", "3.8.0")["comment"] == (
        "zookeeper:version = 3.8.0 on unit: only 3.5.0 and later can be upgraded to this version, "
        "and 3.4.6-0.1.el7 is installed. Upgrade all servers to 3.5.10 first."
    )


def test_the_named_steps_lead_there(salt):
    path = ["3.4.5"]
    while path[-1] != "3.8.4":
        match = re.search("servers to (.+) first", step(salt, path[-1], "3.8.4")["comment"])
        path.append(match[1] if match else "3.8.4")
        assert step(salt, path[-2], path[-1])["result"] is True, path
    assert path == ["3.4.5", "3.4.14", "3.5.10", "3.8.4"]


# --- a log without a snapshot ---


@pytest.fixture
def directories(tmp_path):
    """The directories of a server that has a transaction log and no snapshot."""
    for name in ("data/version-2", "log/version-2"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "log/version-2/log.1").touch()
    return {"data_dir": str(tmp_path / "data"), "data_log_dir": str(tmp_path / "log")}


def test_a_server_that_would_not_start_is_not_upgraded(salt, directories):
    for test in (True, False):
        answer = step(salt, "3.4.14", "3.5.10", test, **directories)
        assert answer["result"] is False
        assert answer["comment"].startswith(
            f"zookeeper:version = 3.5.10 on unit: {directories['data_log_dir']}/version-2 has a "
            "transaction log and no snapshot, so the new version would not start. A follower"
        )


def test_the_log_is_in_the_data_directory_without_one_of_its_own(salt, directories):
    data = {"data_dir": directories["data_log_dir"]}
    assert step(salt, "3.4.14", "3.5.10", **data)["result"] is False


def test_a_snapshot_or_the_option_allows_the_upgrade(salt, directories, tmp_path):
    assert step(salt, "3.4.14", "3.5.10", trust=True, **directories)["result"] is True
    assert step(salt, "3.4.6", "3.4.14", **directories)["result"] is True
    assert step(salt, "3.5.10", "3.8.0", **directories)["result"] is True
    (tmp_path / "data/version-2/snapshot.1").touch()
    assert step(salt, "3.4.14", "3.5.10", **directories)["result"] is True
