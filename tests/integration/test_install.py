"""
The documents are correct: their commands are typed on bare hosts, in the order of the documents,
and print the expected output.
"""

import pytest
from document import DocumentError, Part, parse, run
from ha_cluster import CONTROL, HOSTS, check_healthy, check_module_leaders, get, mesos_leader
from reader import OPERATE, Reader

from lab import ROOT

# Run one after the other on the same hosts. docs/salt-ssh.md needs other hosts: test_ssh.py.
DOCUMENTS = ("INSTALL.md", OPERATE)

# Sections that need another cluster, and the tests that follow them.
ELSEWHERE = {
    "Go back after the upgrade of a single Marathon": "test_single.py",
    "Grow from one control node to three": "test_deploy.py",
    "Grow from three control nodes to five": "test_deploy.py",
    "Shrink from five control nodes to three": "test_deploy.py",
    "Recover from the loss of all control nodes": "operations/test_backup.py",
}

# The documents install 3006, the last Salt line with packages for EL7.
pytestmark = pytest.mark.lines("3006")


@pytest.fixture(scope="module")
def reader(bare):
    return Reader(bare)


@pytest.mark.parametrize(
    "document, part",
    [
        pytest.param(document, part, id=f"{document} line {part.line}, {part.title}")
        for document in DOCUMENTS
        for part in parse((ROOT / document).read_text())
        if part.title not in ELSEWHERE
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
