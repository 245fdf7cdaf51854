"""
The documents are correct: their commands are typed on bare hosts, in the order of the documents,
and print the expected output.
"""

import shlex
from dataclasses import dataclass

import pytest
from cluster_lab import Lab, lab_command
from document import LAPTOP, DocumentError, Part, parse, run, run_locally
from ha_cluster import CONTROL, HOSTS, check_healthy, check_module_leaders, get, mesos_leader

from lab import ROOT, cluster

# Run one after the other on the same hosts. docs/salt-ssh.md needs other hosts: test_ssh.py.
DOCUMENTS = ("INSTALL.md", "docs/operate.md")

# The documents install 3006, the last Salt line with packages for EL7.
pytestmark = pytest.mark.lines("3006")


@dataclass
class Reader:
    """A reader who follows the documents until an example fails."""

    lab: Lab
    stopped_at: str = ""

    def execute(self, host: str, text: str) -> tuple[int, str]:
        """
        Run a command on a host, or on this machine, where ``lab`` is that of the test, and
        ``LAB_PILLAR`` a directory with pillar that takes precedence over the repository's.
        """
        if host == LAPTOP:
            definitions = f"""
                lab() {{ {shlex.join(lab_command())} "$@"; }}
                LAB_PILLAR={cluster.topology_directory()}
            """
            return run_locally(definitions + text)
        result = self.lab.at(host).execute("bash", "-c", f"exec 2>&1\n{text}")
        return result.returncode, result.stdout + result.stderr


@pytest.fixture(scope="module")
def reader(bare):
    return Reader(bare)


@pytest.mark.parametrize(
    "document, part",
    [
        pytest.param(document, part, id=f"{document} line {part.line}, {part.title}")
        for document in DOCUMENTS
        for part in parse((ROOT / document).read_text())
    ],
)
def test_the_examples_of_a_document_work(reader: Reader, document: str, part: Part):
    if reader.stopped_at:
        pytest.skip(f"builds on {reader.stopped_at}, which failed")
    failure = ""
    try:
        run(part, reader.execute)
    except DocumentError as error:
        failure = f"{document}, {error}"
    if failure:
        reader.stopped_at = failure.partition(":")[0]
        pytest.fail(failure, pytrace=False)


def test_the_cluster_of_the_documents_is_healthy_and_a_second_run_changes_nothing(reader: Reader):
    if reader.stopped_at:
        pytest.skip(f"{reader.stopped_at} failed, and this builds on it")
    check_healthy(reader.lab)
    assert reader.lab.converge_all(HOSTS) == {}
    check_healthy(reader.lab)


def test_masters_that_do_not_lead_redirect_to_the_leader(reader: Reader):
    leader = mesos_leader(reader.lab)
    for host in set(CONTROL) - {leader}:
        response = get(host, 5050, "/state", allow_redirects=False)
        assert response.status_code == 307
        assert response.headers["Location"].startswith(f"//{CONTROL[leader]}:5050/")


@pytest.mark.parametrize("host", ["lxcc01", "lxb001"])
def test_a_node_of_the_documents_passes_the_tests_of_its_roles(reader: Reader, host):
    reader.lab.at(host).verify()


def test_the_modules_report_the_leaders(reader: Reader):
    check_module_leaders(reader.lab)
