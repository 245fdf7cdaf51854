"""The plain script that makes the secrets. The runner, which does the same, runs in test_secure."""

import importlib.util
import stat
import subprocess
import sys

import pytest

from lab import ROOT

SCRIPT = ROOT / "_runners/mesos_secrets.py"
NAMES = ["agents.sls", "chronos.sls", "marathon.sls", "masters.sls"]


@pytest.fixture
def pillar(tmp_path):
    (tmp_path / "topology.yaml").write_text("nodes: {}\n")
    return tmp_path


def run(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_files_are_made_that_only_their_owner_reads(pillar):
    result = run(pillar)
    directory = pillar / "secrets"
    assert result.returncode == 0
    assert result.stdout == f"created in {directory}: {', '.join(NAMES)}\n"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert sorted(path.name for path in directory.iterdir()) == NAMES
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_a_second_run_changes_nothing(pillar):
    run(pillar)
    before = {path: path.read_text() for path in (pillar / "secrets").iterdir()}
    result = run(pillar)
    assert result.returncode == 0 and result.stdout.startswith("kept in ")
    assert before == {path: path.read_text() for path in (pillar / "secrets").iterdir()}


def test_other_clusters_get_other_secrets(pillar):
    run(pillar)
    old_text = (pillar / "secrets/masters.sls").read_text()
    (pillar / "secrets").rename(pillar / "away")
    run(pillar)
    assert old_text != (pillar / "secrets/masters.sls").read_text()


def test_each_of_several_clusters_has_secrets_of_its_own(pillar):
    (pillar / "topologies").mkdir()
    for name in ("blue", "green"):
        (pillar / f"topologies/{name}.yaml").write_text("nodes: {}\n")
        assert run(pillar, name).returncode == 0
    texts = {path.read_text() for path in (pillar / "secrets").glob("*/masters.sls")}
    assert len(texts) == 2
    result = run(pillar, "red")
    assert result.returncode == 1 and "has no topologies/red.yaml" in result.stderr
    assert run(pillar, "../green").returncode == 1


def test_a_part_of_the_files_is_refused_and_not_completed(pillar):
    run(pillar)
    (pillar / "secrets/chronos.sls").unlink()
    result = run(pillar)
    assert result.returncode == 1 and "lacks chronos.sls" in result.stderr
    assert not (pillar / "secrets/chronos.sls").exists()


@pytest.mark.parametrize("arguments, code", [([], 2), (["/nowhere"], 1)])
def test_a_directory_without_a_topology_is_refused(arguments, code):
    result = run(*arguments)
    assert result.returncode == code
    assert "topology.yaml" in result.stderr and "Traceback" not in result.stderr


def test_a_directory_that_cannot_be_written_is_named(pillar):
    (pillar / "secrets").write_text("a file")
    result = run(pillar)
    assert result.returncode == 1
    assert f"{pillar}/secrets/agents.sls cannot be written: Not a directory" in result.stderr


def test_an_error_leaves_no_file_behind(pillar, monkeypatch):
    spec = importlib.util.spec_from_file_location("script", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    real_open = script.os.open

    def full(path, *arguments):
        if path.endswith("masters.sls"):
            raise OSError(28, "No space left on device", path)
        return real_open(path, *arguments)

    monkeypatch.setattr(script.os, "open", full)
    with pytest.raises(OSError, match="No space"):
        script._write_secrets(pillar)
    assert list((pillar / "secrets").iterdir()) == []
