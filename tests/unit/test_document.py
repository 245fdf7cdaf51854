"""The runner of documents, with hosts that are a function; and INSTALL.md as far as it can be read without any host."""

import re

import pytest
import yaml

from integration import document
from integration.document import Command, DocumentError
from lab import ROOT, ssh

INSTALL = (ROOT / "INSTALL.md").read_text()


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
    """Answers from a table: command -> what it prints, or (status, output), or a list of these, one for each time it is asked."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def __call__(self, host: str, text: str) -> tuple[int, str]:
        self.asked.append((host, text))
        answer = self.answers[text.split()[0]]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return answer if isinstance(answer, tuple) else (0, answer)


def run(text: str, execute: Hosts, patience: float = 0) -> None:
    for part in document.parse(text):
        document.run(part, execute, patience, pause=0)


# Reading


def test_only_console_blocks_are_run():
    text = "```sh\n[a]# one\n```\n```\n[a]# two\n```\n" + fenced("[a]# three")
    assert [command.text for command in commands(text)] == ["three"]


def test_a_block_in_a_longer_fence_is_an_example_of_a_block():
    assert document.parse("````text\n```console\n[a]# no\n```\n````\n") == []


def test_a_command_knows_its_line_its_hosts_and_what_it_is_to_print():
    [first, second] = commands("# Title\n\n" + fenced("[a]# uptime", "up", "long", "[b,c]# true"))
    assert first == Command(4, ["a"], "uptime", "up\nlong\n")
    assert second == Command(7, ["b", "c"], "true", "")


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
def test_a_command_goes_on_until_the_shell_sees_its_end(lines):
    [command, after] = commands(fenced(f"[a]# {lines[0]}", *lines[1:], "printed", "[a]# next"))
    assert command.text == "\n".join(lines)
    assert command.expected == "printed\n"
    assert after.text == "next"


def test_a_backslash_that_is_one_does_not_continue():
    [command] = commands(fenced("[a]# echo \\\\", "\\"))
    assert (command.text, command.expected) == ("echo \\\\", "\\\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (fenced("uptime"), "line 2: no prompt"),
        (fenced(), "line 1: nothing to run"),
        (fenced("[a]# true", "[a]# cat <<EOF"), "line 3: this command has no end"),
        (fenced("[a]# echo )"), "line 2: .*syntax error"),
        (
            fenced("[a]# true", words="verfiy"),
            "line 1: console verfiy means nothing. Known: refused, verify",
        ),
        ("```console\n[a]# true\n", "line 1: this fence has no end"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(text, said):
    with pytest.raises(DocumentError, match=said):
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


def test_a_part_that_only_verifies_is_run_after_each_of_the_others():
    text = (
        DIVIDED
        + "#### Verify\n"
        + fenced("[a]# check", words="verify")
        + "### Next\n"
        + fenced("[a]# next")
    )
    found = {
        part.title: [block.commands[0].text for block in part.blocks]
        for part in document.parse(text)
    }
    assert found == {
        "Server": ["before"],
        "Server: By hand": ["hand", "check"],
        "Server: Salt": ["salt", "check"],
        "Next": ["next"],
    }


def test_without_parts_that_do_something_what_verifies_is_run_in_its_place():
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


def test_a_part_that_does_something_and_verifies_stays_as_it_is():
    text = DIVIDED + fenced("[a]# see", words="verify") + "#### Other\n" + fenced("[a]# other")
    found = [[block.commands[0].text for block in part.blocks] for part in document.parse(text)]
    assert found == [["before"], ["hand"], ["salt", "see"], ["other"]]


def test_a_heading_in_a_block_is_none():
    assert [
        part.title for part in document.parse("# Title\n" + fenced("[a]# cat <<EOF", "# no", "EOF"))
    ] == ["Title"]


# Running


def test_every_host_of_a_prompt_runs_the_command():
    execute = Hosts(id="root\n")
    run(fenced("[a01-03]# id", "root"), execute)
    assert sorted(execute.asked) == [("a01", "id"), ("a02", "id"), ("a03", "id")]


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("up ... days", "up 12 days\n"),
        ("one   two", " one\n two\n"),
        ("...\nFailed: 0\n...", "Summary\n----\nFailed:     0\n----\nTotal: 5\n"),
        ("", "anything"),
        ("\n", "anything"),
    ],
)
def test_dots_stand_for_anything_and_white_space_is_alike(expected, said):
    run(fenced("[a]# uptime", expected), Hosts(uptime=said))


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("up", "down"),
        ("Failed: 0", "Failed: 1"),
        ("one", "one two"),
        ("one ... three", "one two"),
    ],
)
def test_another_output_fails_with_line_command_host_and_both_outputs(expected, said):
    with pytest.raises(DocumentError) as caught:
        run(fenced("[a]# uptime", expected), Hosts(uptime=said))
    text = str(caught.value)
    assert text.startswith("line 2: [a]# uptime")
    assert expected in text and said in text and "\na:" in text


def test_one_host_of_several_that_differs_is_named_and_the_others_are_not():
    def execute(host: str, _text: str) -> tuple[int, str]:
        return 0, "down" if host == "a02" else "up"

    with pytest.raises(DocumentError) as caught:
        run(fenced("[a01-03]# uptime", "up"), execute)
    assert re.findall(r"^(a\d\d):", str(caught.value), re.MULTILINE) == ["a02"]


def test_a_command_that_fails_fails_the_document_even_where_nothing_is_expected():
    with pytest.raises(
        DocumentError, match="line 2: .*false\na: it ended with 3, and said:\nno luck"
    ):
        run(fenced("[a]# false"), Hosts(false=(3, "no luck")))


def test_of_a_refused_block_the_last_command_must_fail():
    text = fenced("[a]# true", "[a]# apply", "refused: ...", words="refused")
    run(text, Hosts(true="", apply=(1, "refused: no such setting")))
    with pytest.raises(DocumentError, match="ended with 0"):
        run(text, Hosts(true="", apply="refused: but it went on"))
    with pytest.raises(DocumentError, match="ended with 1"):
        run(text, Hosts(true=(1, ""), apply=(1, "refused: x")))


def test_what_is_verified_is_asked_again_from_its_first_command_until_it_is_so():
    execute = Hosts(one="1", two=["no", (1, "2"), "2"])
    run(fenced("[a]# one", "1", "[a]# two", "2", words="verify"), execute, patience=60)
    assert [text for _, text in execute.asked] == ["one", "two"] * 3


def test_what_never_becomes_so_fails_when_the_time_is_over():
    execute = Hosts(one="0")
    with pytest.raises(DocumentError, match="line 2: "):
        run(fenced("[a]# one", "1", words="verify"), execute, patience=0.05)
    assert len(execute.asked) > 1


def test_what_is_not_verified_is_asked_once():
    execute = Hosts(one=["0", "1"])
    with pytest.raises(DocumentError):
        run(fenced("[a]# one", "1"), execute, patience=60)
    assert len(execute.asked) == 1


def test_after_the_first_failure_nothing_more_of_a_part_is_run():
    execute = Hosts(one=(1, ""), two="")
    with pytest.raises(DocumentError):
        run(fenced("[a]# one") + fenced("[a]# two"), execute)
    assert execute.asked == [("a", "one")]


def test_the_machine_that_runs_this_is_asked_without_its_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.example.org")
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert document.here('echo "<$http_proxy$NO_PROXY>"; echo err >&2; exit 4') == (4, "<>\nerr\n")


# INSTALL.md


def test_install_is_about_the_hosts_of_the_lab():
    topology = yaml.safe_load((ROOT / "tests/topologies/ha.yaml").read_text())
    table = yaml.safe_load((ROOT / topology["table"]).read_text())["nodes"]
    nodes = {name: row["address"] for name, row in table.items() if "*" not in name} | topology[
        "glob_hosts"
    ]
    known = {name.partition(".")[0] for name in nodes} | {document.LAPTOP, ssh.ADMIN.name}
    assert {host for command in commands(INSTALL) for host in command.hosts} <= known
    for name, address in nodes.items():
        assert f"{name} " in INSTALL, name
        assert address in INSTALL, name


def test_install_shows_the_table_of_the_repository():
    [shown] = re.findall(
        r"^```yaml\n# pillar/topology.yaml\n(.*?)```", INSTALL, re.MULTILINE | re.DOTALL
    )
    assert (
        yaml.safe_load(shown)["nodes"]
        == yaml.safe_load((ROOT / "pillar/topology.yaml").read_text())["nodes"]
    )


def test_every_link_of_install_leads_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", INSTALL)
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)", INSTALL, re.MULTILINE)
    }
    broken = [
        link
        for link in links
        if not link.startswith("http")
        and not (
            link.removeprefix("#") in anchors
            if link.startswith("#")
            else (ROOT / link.partition("#")[0]).exists()
        )
    ]
    assert links and not broken
