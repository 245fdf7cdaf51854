"""
The runner of documents, with fake hosts; and what the documents say about the hosts of the lab and
the topology.
"""

import re

import pytest
import yaml

from integration import document
from integration.document import Command, DocumentError
from lab import ROOT, ssh

INSTALL = (ROOT / "INSTALL.md").read_text()
DOCUMENTS = ("INSTALL.md", "docs/operate.md", "docs/salt-ssh.md")


def fenced(*lines: str, words: str = "") -> str:
    return "\n".join([f"```console {words}", *lines, "```", ""])


def commands(text: str) -> list[Command]:
    return [
        command
        for part in document.parse(text)
        for block in part.blocks
        for command in block.commands
    ]


class Hosts:
    """
    Fake hosts. ``answers`` maps a command to its output, to (status, output), or to a list of
    these, one for each call.
    """

    def __init__(self, **answers):
        self.answers = answers
        self.calls = []

    def __call__(self, host: str, text: str) -> tuple[int, str]:
        self.calls.append((host, text))
        answer = self.answers[text.split()[0]]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return answer if isinstance(answer, tuple) else (0, answer)


def run(text: str, execute: Hosts, timeout: float = 0) -> None:
    for part in document.parse(text):
        document.run(part, execute, timeout, pause=0)


# Reading


def test_a_block_in_a_list_loses_its_indentation():
    text = "1. Do\n\n" + "".join(
        f"   {line}\n" for line in fenced("[a]# x", "b", "  c").split("\n")
    )
    (command,) = commands(text)
    assert (command.text, command.expected) == ("x", "b\n  c\n")


def test_a_block_in_a_comment_is_run():
    assert [command.text for command in commands(f"<!-- Boot:\n{fenced('[a]# x')}-->")] == ["x"]


def test_only_console_blocks_are_run():
    text = "```sh\n[a]# one\n```\n```\n[a]# two\n```\n" + fenced("[a]# three")
    assert [command.text for command in commands(text)] == ["three"]


def test_a_block_in_a_longer_fence_is_an_example_of_a_block():
    assert document.parse("````text\n```console\n[a]# no\n```\n````\n") == []


def test_a_command_has_a_line_hosts_and_expected_output():
    [uptime, true] = commands("# Title\n\n" + fenced("[a]# uptime", "up", "long", "[b,c]# true"))
    assert uptime == Command(4, ["a"], "uptime", "up\nlong\n")
    assert true == Command(7, ["b", "c"], "true", "")


@pytest.mark.parametrize(
    ("prompt", "hosts"),
    [
        ("lxcc01", ["lxcc01"]),
        ("lxcc01-03", ["lxcc01", "lxcc02", "lxcc03"]),
        ("lxb009-011", ["lxb009", "lxb010", "lxb011"]),
        ("lxcc01-02,lxb001,laptop", ["lxcc01", "lxcc02", "lxb001", "laptop"]),
    ],
)
def test_a_prompt_names_hosts_one_by_one_or_as_a_range(prompt, hosts):
    assert document.hosts(prompt) == hosts


@pytest.mark.parametrize(
    "lines",
    [
        ["cat > file <<'EOF'", "", "server=1", "[section]# comment", "EOF"],
        ["for word in a b; do", "  echo $word", "done"],
        ["echo one \\", "  two"],
        ["echo 'one", "two'"],
        ["true &&", "  echo yes"],
    ],
)
def test_a_command_continues_until_it_is_complete(lines):
    [command, after] = commands(fenced(f"[a]# {lines[0]}", *lines[1:], "printed", "[a]# next"))
    assert command.text == "\n".join(lines)
    assert command.expected == "printed\n"
    assert after.text == "next"


def test_an_escaped_backslash_at_the_end_does_not_continue_a_command():
    [command] = commands(fenced("[a]# echo \\\\", "\\"))
    assert (command.text, command.expected) == ("echo \\\\", "\\\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (fenced("uptime"), "line 2: a prompt such as"),
        (fenced(), "line 1: this block has no command"),
        (fenced("[a]# true", "[a]# cat <<EOF"), "line 3: this command is not complete"),
        (fenced("[a]# echo )"), "line 2: .*syntax error"),
        (
            fenced("[a]# true", words="verfiy"),
            "line 1: unknown word after console: verfiy. Known: refused, verify",
        ),
        ("```console\n[a]# true\n", "line 1: this fence is not closed"),
    ],
)
def test_a_syntax_error_is_reported_with_its_line(text, message):
    with pytest.raises(DocumentError, match=message):
        document.parse(text)


# Order


DIVIDED = (
    "## Five\n### Server\n"
    + fenced("[a]# before")
    + "#### By hand\n"
    + fenced("[a]# hand")
    + "#### Salt\n"
    + fenced("[a]# salt")
)


def test_a_part_that_only_verifies_runs_after_each_other_part():
    text = (
        DIVIDED
        + "#### Verify\n"
        + fenced("[a]# check", words="verify")
        + "### Next\n"
        + fenced("[a]# next")
    )
    order = {
        part.title: [block.commands[0].text for block in part.blocks]
        for part in document.parse(text)
    }
    assert order == {
        "Server": ["before"],
        "Server: By hand": ["hand", "check"],
        "Server: Salt": ["salt", "check"],
        "Next": ["next"],
    }


def test_verify_blocks_run_in_place_if_all_later_parts_only_verify():
    text = (
        "### Server\n"
        + fenced("[a]# make")
        + fenced("[a]# check", words="verify")
        + "#### More\n"
        + fenced("[a]# more", words="verify")
    )
    assert [[block.commands[0].text for block in part.blocks] for part in document.parse(text)] == [
        ["make", "check"],
        ["more"],
    ]


def test_a_part_with_other_blocks_keeps_its_verify_blocks():
    text = DIVIDED + fenced("[a]# see", words="verify") + "#### Other\n" + fenced("[a]# other")
    order = [[block.commands[0].text for block in part.blocks] for part in document.parse(text)]
    assert order == [["before"], ["hand"], ["salt", "see"], ["other"]]


def test_a_comment_in_a_block_is_not_a_heading():
    assert [
        part.title for part in document.parse("# Title\n" + fenced("[a]# cat <<EOF", "# no", "EOF"))
    ] == ["Title"]


# Running


def test_every_host_of_a_prompt_runs_the_command():
    execute = Hosts(id="root\n")
    run(fenced("[a01-03]# id", "root"), execute)
    assert sorted(execute.calls) == [("a01", "id"), ("a02", "id"), ("a03", "id")]


@pytest.mark.parametrize(
    ("expected", "output"),
    [
        ("up ... days", "up 12 days\n"),
        ("one   two", " one\n two\n"),
        ("...\nFailed: 0\n...", "Summary\n----\nFailed:     0\n----\nTotal: 5\n"),
        ("", "anything"),
        ("\n", "anything"),
    ],
)
def test_dots_match_any_text_and_white_space_is_equal(expected, output):
    run(fenced("[a]# uptime", expected), Hosts(uptime=output))


@pytest.mark.parametrize(
    ("expected", "output"),
    [
        ("up", "down"),
        ("Failed: 0", "Failed: 1"),
        ("one", "one two"),
        ("one ... three", "one two"),
    ],
)
def test_a_difference_is_reported_with_line_command_host_and_both_outputs(expected, output):
    with pytest.raises(DocumentError) as caught:
        run(fenced("[a]# uptime", expected), Hosts(uptime=output))
    text = str(caught.value)
    assert text.startswith("line 2: [a]# uptime")
    assert expected in text and output in text and "\na:" in text


def test_only_hosts_that_differ_are_named():
    def execute(host: str, _text: str) -> tuple[int, str]:
        return 0, "down" if host == "a02" else "up"

    with pytest.raises(DocumentError) as caught:
        run(fenced("[a01-03]# uptime", "up"), execute)
    assert re.findall(r"^(a\d\d):", str(caught.value), re.MULTILINE) == ["a02"]


def test_a_failing_command_fails_the_document_even_if_any_output_is_accepted():
    with pytest.raises(DocumentError, match="line 2: .*false\na: exit status 3, output:\nno luck"):
        run(fenced("[a]# false"), Hosts(false=(3, "no luck")))


def test_the_last_command_of_a_refused_block_must_fail():
    text = fenced("[a]# true", "[a]# apply", "refused: ...", words="refused")
    run(text, Hosts(true="", apply=(1, "refused: no such setting")))
    with pytest.raises(DocumentError, match="exit status 0"):
        run(text, Hosts(true="", apply="refused: but it succeeded"))
    with pytest.raises(DocumentError, match="exit status 1"):
        run(text, Hosts(true=(1, ""), apply=(1, "refused: x")))


def test_a_verify_block_is_repeated_from_its_first_command_until_it_succeeds():
    execute = Hosts(one="1", two=["no", (1, "2"), "2"])
    run(fenced("[a]# one", "1", "[a]# two", "2", words="verify"), execute, timeout=60)
    assert [text for _, text in execute.calls] == ["one", "two"] * 3


def test_a_verify_block_fails_after_the_timeout():
    execute = Hosts(one="0")
    with pytest.raises(DocumentError, match="line 2: "):
        run(fenced("[a]# one", "1", words="verify"), execute, timeout=0.05)
    assert len(execute.calls) > 1


def test_other_blocks_run_once():
    execute = Hosts(one=["0", "1"])
    with pytest.raises(DocumentError):
        run(fenced("[a]# one", "1"), execute, timeout=60)
    assert len(execute.calls) == 1


def test_a_part_stops_at_its_first_failure():
    execute = Hosts(one=(1, ""), two="")
    with pytest.raises(DocumentError):
        run(fenced("[a]# one") + fenced("[a]# two"), execute)
    assert execute.calls == [("a", "one")]


def test_local_commands_run_without_the_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.example.org")
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert document.run_locally('echo "<$http_proxy$NO_PROXY>"; echo err >&2; exit 4') == (
        4,
        "<>\nerr\n",
    )


# The documents


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_runs_commands_only_on_hosts_of_the_lab(name):
    known_hosts = {host.partition(".")[0] for host in lab_addresses()}
    known_hosts |= {document.LAPTOP, ssh.ADMIN.name}
    examples = commands((ROOT / name).read_text())
    assert examples
    assert {host for command in examples for host in command.hosts} <= known_hosts


def test_install_lists_the_hosts_of_the_lab():
    for name, address in lab_addresses().items():
        assert f"| {name} | {address} |" in INSTALL


def lab_addresses() -> dict[str, str]:
    """Return the hosts of the topology ``ha``: id -> address."""
    lab_topology = yaml.safe_load((ROOT / "tests/topologies/ha.yaml").read_text())
    nodes = yaml.safe_load((ROOT / lab_topology["topology"]).read_text())["nodes"]
    addresses = {name: node["address"] for name, node in nodes.items() if "*" not in name}
    return addresses | lab_topology["glob_hosts"]


def test_install_shows_the_topology_of_the_repository():
    [example] = re.findall(
        r"^```yaml\n# pillar/topology.yaml\n(.*?)```", INSTALL, re.MULTILINE | re.DOTALL
    )
    topology = yaml.safe_load((ROOT / "pillar/topology.yaml").read_text())
    assert yaml.safe_load(example)["nodes"] == topology["nodes"]


def test_only_commands_that_no_test_can_repeat_are_not_run():
    """One needs a time, one says what differs on the hosts of the lab, and one never ends."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/operate.md").read_text(), re.S)
    commands = [" ".join(block.split()[:3]) for block in blocks]
    assert commands == [
        "salt-run state.orchestrate orchestration.restart",
        "salt-run cluster.drift",
        "salt-run state.event 'salt/beacon/*/mesos_cluster/*'",
    ]
