"""
Mutated pillar and topologies: each is refused in clear lines, or renders to files from which the
programs read what was declared. FUZZ_SEED repeats a run, FUZZ_COUNT is the number of mutations.
"""

import copy
import os
import random
import re
import shutil
import subprocess
import sys
import types
from collections import Counter
from typing import NamedTuple

import pytest
import yaml

from lab import ROOT

from . import declared_files
from .cases import ROLES
from .in_process import LOADER, Formulas, Minion, merge
from .mutations import mutate

FIXED_SEED = 20_260_101
COUNT = int(os.environ.get("FUZZ_COUNT", "1000"))
FORMULAS = Formulas()
DUMPER = getattr(yaml, "CDumper", yaml.Dumper)
EXAMPLES = ("common", "zookeeper", "mesos", "marathon", "chronos", "docker")
# Also mutated: other packages, which read other files.
VARIANTS = {
    "zookeeper": {"package": "zookeeper"},
    "mesos": {"vendor": "aventer", "version": "1.11.0"},
    "marathon": {"version": "1.4.13"},
    "docker": {
        "package": "docker",
        "version": None,
        "options": {"data-root": None, "graph": "/srv/docker", "exec-opts": None},
    },
}
# One in this many mutations is one of the topology.
TOPOLOGY_SHARE = 5
NODE = "lxcc01.devops.test"
MESSAGE = re.compile(r"[^\n]+ = [^\n]* on [\w.]+: [^\n]+[.?]")


DROP_IN = re.compile(r"/etc/systemd/system/[^/]+\.service\.d/[^/]+\.conf")


class Run(NamedTuple):
    """
    The mutations of one seed: how often each result came, the failures with their mutations, and
    the different drop-ins of systemd that were read back.
    """

    seed: int
    counts: Counter
    failures: list[str]
    drop_ins: set[str]


def seeds() -> list:
    fixed = int(os.environ.get("FUZZ_SEED", FIXED_SEED))
    names = {"fixed seed": fixed, "random seed": random.SystemRandom().randrange(10**9)}
    return [
        pytest.param(seed, id=name, marks=pytest.mark.xdist_group(f"fuzz {name}"))
        for name, seed in names.items()
    ]


def example(formula: str) -> dict:
    path = ROOT / "formulas" / formula / "pillar.example"
    pillar = yaml.load(path.read_text(), LOADER)
    if formula == "mesos":
        # The example has authentication at ZooKeeper's servers elsewhere.
        pillar["mesos"]["zk"] = "zk://localhost:2181/mesos"
    return pillar


def documents() -> list[tuple[str, dict]]:
    """Return formula and pillar of each document that is mutated, except for the topology."""
    pairs = [(formula, example(formula)) for formula in EXAMPLES]
    variants = [(name, merge(example(name), {name: keys})) for name, keys in VARIANTS.items()]
    return pairs + variants


def roles_of(formula: str) -> list[str]:
    return {
        "common": list(ROLES),
        "mesos": ["mesos-master", "mesos-slave", "docker"],
    }.get(formula, [formula])


def result(minion: Minion, formulas: list[str], directory, drop_ins: set[str]) -> str:
    """
    Return ``refused``, or ``read back``, and collect the drop-ins. Raises AssertionError if neither
    is right.
    """
    errors = minion.errors()
    for error in errors:
        assert MESSAGE.fullmatch(error), f"not a clear line: {error!r}"
        assert "Traceback" not in error and len(error) < 2000
    if errors:
        for formula in formulas:
            list(minion.declarations(formula))  # Templates add no error of their own.
        return "refused"
    for formula in formulas:
        files = declared_files.check(minion, formula, directory)
        drop_ins.update(text for path, text in files.items() if DROP_IN.fullmatch(path))
    return "read back"


def topology_pillar(topology: dict, directory) -> dict:
    """Return the pillar that pillar/topology.sls derives from a topology."""
    text = yaml.dump(topology, Dumper=DUMPER, allow_unicode=True)
    (directory / "topology.yaml").write_text(text)
    source = (ROOT / "pillar/topology.sls").read_text()
    code = compile(source.partition("\n")[2], "topology.sls", "exec")
    link = directory / "topology.sls"
    if not link.exists():
        link.symlink_to(ROOT / "pillar/topology.sls")
    namespace = {
        "__file__": str(link),
        "__opts__": {"id": NODE},
        "__grains__": {"ipv4": ["127.0.0.1", "172.31.250.11"]},
    }
    exec(code, namespace)
    return namespace["run"]()


@pytest.fixture(scope="module")
def salt_yaml():
    """The one function of Salt that topology_file.py imports."""
    module = types.ModuleType("salt.utils.yaml")
    module.safe_load = lambda text: yaml.load(text, LOADER)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("salt", "salt.utils"):
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        monkeypatch.setitem(sys.modules, "salt.utils.yaml", module)
        yield


def value_at(document: object, path: tuple) -> object:
    """Return the value at a path, or the mapping from which it was deleted."""
    for key in path:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return document
    return document


def run_mutations(seed: int, directory) -> Run:
    generator = random.Random(seed)
    topology = yaml.load((ROOT / "pillar/topology.yaml").read_text(), LOADER)
    pairs = documents()
    counts, failures, drop_ins = Counter(), [], set()
    for number in range(COUNT):
        if number % TOPOLOGY_SHARE == 0:
            name, formulas = "topology", list(EXAMPLES)
            mutated, path = mutate(topology, generator)
        else:
            name, document = generator.choice(pairs)
            formulas = [name]
            mutated, path = mutate(document, generator)
        try:
            if name == "topology":
                pillar = topology_pillar(mutated, directory)
                roles = pillar.get("topology", {}).get("roles", [])
                minion = Minion(FORMULAS, pillar, roles, id=NODE)
            else:
                minion = Minion(FORMULAS, copy.deepcopy(mutated), roles_of(name))
            counts[result(minion, formulas, directory, drop_ins)] += 1
        except Exception as error:  # Any exception is a failure to be shown with its mutation.
            kind = "wrong" if isinstance(error, AssertionError) else "traceback"
            counts[kind] += 1
            failures.append(
                f"{kind}: {name} {path} {value_at(mutated, path)!r:.300}: {error!r:.400}"
            )
    return Run(seed, counts, failures, drop_ins)


@pytest.mark.parametrize("number", range(len(EXAMPLES) + len(VARIANTS)))
def test_documents_without_mutations_are_read_back(number, tmp_path):
    formula, pillar = documents()[number]
    minion = Minion(FORMULAS, pillar, roles_of(formula))
    assert result(minion, [formula], tmp_path, set()) == "read back"


@pytest.fixture(scope="module", params=seeds())
def run(request, tmp_path_factory, salt_yaml):
    return run_mutations(request.param, tmp_path_factory.mktemp("fuzz"))


def test_mutations_are_rejected_or_read_back(run):
    print(f"FUZZ_SEED={run.seed}: {dict(run.counts)}")
    assert not run.failures, f"FUZZ_SEED={run.seed}\n" + "\n".join(run.failures[:20])
    assert run.counts["refused"] > COUNT / 10 and run.counts["read back"] > COUNT / 10


def systemd_complaints(drop_ins: list[str], directory) -> list[str]:
    """Return what ``systemd-analyze verify`` says of some drop-ins, with the line that it means."""
    units = []
    for number, text in enumerate(drop_ins):
        unit = directory / f"number{number}.service"
        unit.write_text("[Service]\nExecStart=/bin/true\n")
        drop_in = directory / f"{unit.name}.d" / "salt.conf"
        drop_in.parent.mkdir()
        drop_in.write_text(text)
        units.append(unit)
    command = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = []
    for path, line, message in re.findall(r"^(\S+salt\.conf):(\d+): (.*)$", done.stderr, re.M):
        lines = drop_ins[int(re.search(r"number(\d+)", path)[1])].splitlines()
        complaints.append(f"{message} ({lines[int(line) - 1]})")
    return complaints


@pytest.fixture(scope="module")
def systemd_analyze():
    """Skip a test without systemd-analyze, or fail it in CI."""
    if shutil.which("systemd-analyze") is None:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse("systemd-analyze is not installed")


def test_systemd_reads_every_drop_in(run, systemd_analyze, tmp_path):
    assert run.drop_ins
    assert systemd_complaints(sorted(run.drop_ins), tmp_path) == []


def test_systemd_complains_about_what_it_would_ignore(systemd_analyze, tmp_path):
    drop_ins = ["[Service]\nRestartSec=5\n", "[Service]\nKillMod=process\nTasksMax=many\n"]
    complaints = systemd_complaints(drop_ins, tmp_path)
    assert len(complaints) == 2
    assert "KillMod=process" in complaints[0] and "TasksMax=many" in complaints[1]
