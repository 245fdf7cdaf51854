"""INSTALL.md is true: what it tells people to type is typed, in its order, on bare hosts, and they print what it says."""

from dataclasses import dataclass

import pytest
from cluster_lab import Lab
from document import LAPTOP, DocumentError, Part, here, parse, run

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
