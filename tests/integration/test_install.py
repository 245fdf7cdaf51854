"""INSTALL.md is true: what it tells people to type is typed, in its order, on bare hosts, and they print what it says."""

from dataclasses import dataclass

import pytest
from cluster_lab import Lab
from document import LAPTOP, DocumentError, Part, here, parse, run
from ha_cluster import CONTROL, HOSTS, get, mesos_leader, modules_know_who_leads, whole

from lab import ROOT

# What other tests run, for it begins with other hosts.
ELSEWHERE = {"11 Without minions: salt-ssh"}

# The document installs 3006, the last line with packages for EL7.
pytestmark = pytest.mark.lines("3006")


@dataclass
class Reader:
    """Somebody who follows the document, from its beginning to the first thing that is not true."""

    lab: Lab
    stopped: str = ""

    def execute(self, host: str, text: str) -> tuple[int, str]:
        """Type a command on a host, or here."""
        if host == LAPTOP:
            return here(text)
        done = self.lab.at(host).execute("bash", "-c", f"exec 2>&1\n{text}")
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def reader(bare):
    return Reader(bare)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(part, id=f"line {part.line}, {part.title}")
        for part in parse((ROOT / "INSTALL.md").read_text())
        if part.chapter not in ELSEWHERE
    ],
)
def test_what_the_document_says_is_true(reader: Reader, part: Part):
    if reader.stopped:
        pytest.skip(f"the document is not true from {reader.stopped} on, and this builds on it")
    wrong = ""
    try:
        run(part, reader.execute)
    except DocumentError as error:
        wrong = str(error)
    if wrong:
        reader.stopped = wrong.partition(":")[0]
        pytest.fail(f"INSTALL.md, {wrong}", pytrace=False)


def test_the_cluster_of_the_document_is_whole_and_a_second_run_changes_nothing(reader: Reader):
    if reader.stopped:
        pytest.skip(f"the document is not true from {reader.stopped} on, and this builds on it")
    whole(reader.lab)
    assert reader.lab.converge_all(HOSTS) == {}
    whole(reader.lab)


def test_masters_that_do_not_lead_redirect_to_the_leader(reader: Reader):
    leader = mesos_leader(reader.lab)
    for host in set(CONTROL) - {leader}:
        response = get(host, 5050, "/state", allow_redirects=False)
        assert response.status_code == 307
        assert response.headers["Location"].startswith(f"//{CONTROL[leader]}:5050/")


@pytest.mark.parametrize("host", ["lxcc01", "lxb001"])
def test_a_node_of_the_document_is_what_its_roles_promise(reader: Reader, host):
    reader.lab.at(host).verify()


def test_the_modules_know_who_leads(reader: Reader):
    modules_know_who_leads(reader.lab)
