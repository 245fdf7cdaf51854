"""
Runs the examples of a Markdown document. They are fenced blocks that begin with ``console``::

    ```console
    [lxcc01-03]# uptime --pretty
    up ...
    ```

``[host]#`` is the prompt. ``[lxcc01-03,lxb001]#`` names four hosts, which run the command at the
same time; ``[laptop]#`` is the machine that runs the tests. A command continues over as many lines
as the shell needs. The lines up to the next prompt are the output that each host must print, on
stdout or stderr: ``...`` matches any text, and all white space is equal. Without such lines any
output is accepted. The command must exit with 0.

A fence may be indented, as in a list. One in an HTML comment (``<!-- -->``) is run as well: readers
do not see what the test does in their place, such as to boot a machine.

Words after ``console`` change how a block is run:

    verify      the block is repeated until all of it succeeds, or VERIFY_TIMEOUT is over
    refused     the last command must exit with a status other than 0

Blocks run in the order of the document, with one exception: in a section (###) with subsections
(####), a subsection that has only ``verify`` blocks runs after each of the other subsections. So a
reader may follow any of the other subsections, and then verify.
"""

import doctest
import os
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

VERIFY_TIMEOUT = 120  # seconds
LAPTOP = "laptop"
BLOCK_WORDS = {"verify", "refused"}

FENCE = re.compile(r"( *)(`{3,})\s*(.*)")
HEADING = re.compile(r"(#{1,6}) (.*)")
PROMPT = re.compile(r"\[([\w,-]+)\]# (.*)")
OUTPUT_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# Runs a command on a host; returns its exit status and its output.
Execute = Callable[[str, str], tuple[int, str]]


class DocumentError(Exception):
    """The document cannot be parsed, or an example failed. The text names the line."""


@dataclass
class Command:
    """A command, the hosts that run it, and the output they must print. Empty: any output."""

    line: int
    hosts: list[str]
    text: str
    expected: str = ""


@dataclass
class Block:
    """The commands in one fence."""

    line: int
    words: set[str]
    commands: list[Command]


@dataclass
class Part:
    """The blocks below one heading."""

    line: int
    level: int
    title: str
    blocks: list[Block] = field(default_factory=list)

    @property
    def only_verifies(self) -> bool:
        """Whether it has no block but ``verify`` blocks."""
        return all("verify" in block.words for block in self.blocks)


def parse(text: str) -> list[Part]:
    """Return the parts with blocks, in the order in which to run them. Raises DocumentError."""
    parts = []
    for section in _sections(_headings(text)):
        parts += _ordered(section[0], section[1:])
    return [part for part in parts if part.blocks]


def _ordered(section: Part, subsections: list[Part]) -> list[Part]:
    """Return a section and its subsections in order, with the ``verify`` blocks after each."""
    actions = [part for part in subsections if not part.only_verifies]
    if not actions:
        return [section, *subsections]
    checks = []
    for part in subsections:
        if part.only_verifies:
            checks += part.blocks
    for part in actions:
        part.blocks += checks
    return [section, *actions]


def _sections(parts: list[Part]) -> list[list[Part]]:
    """Group each part below a #### heading with the section above, and prefix its title."""
    sections: list[list[Part]] = []
    for part in parts:
        if part.level > 3 and sections:
            part.title = f"{sections[-1][0].title}: {part.title}"
            sections[-1].append(part)
        else:
            sections.append([part])
    return sections


def _headings(text: str) -> list[Part]:
    """Return a part for each heading, with its blocks."""
    parts = [Part(1, 1, "")]
    fence, indentation, words, start, block_lines = "", "", [], 0, []
    for number, line in enumerate(text.splitlines(), 1):
        match = FENCE.fullmatch(line)
        if not fence and match:
            indentation, fence, start, block_lines = match[1], match[2], number, []
            words = match[3].split()
        elif fence and match and not match[3] and len(match[2]) >= len(fence):
            if words[:1] == ["console"]:
                parts[-1].blocks.append(_block(start, words[1:], block_lines))
            fence = ""
        elif fence:
            block_lines.append(line.removeprefix(indentation))
        elif heading := HEADING.fullmatch(line):
            parts.append(Part(number, len(heading[1]), heading[2].replace("`", "")))
    if fence:
        raise DocumentError(f"line {start}: this fence is not closed")
    return parts


def _block(start: int, words: list[str], content: list[str]) -> Block:
    """Parse the lines between two fences."""
    unknown = set(words) - BLOCK_WORDS
    if unknown:
        raise DocumentError(
            f"line {start}: unknown word after console: {' '.join(sorted(unknown))}. "
            f"Known: {', '.join(sorted(BLOCK_WORDS))}"
        )
    commands: list[Command] = []
    for number, line in enumerate(content, start + 1):
        prompt = PROMPT.fullmatch(line)
        if commands and _continues(commands[-1]):
            commands[-1].text += f"\n{line}"
        elif prompt:
            commands.append(Command(number, hosts(prompt[1]), prompt[2]))
        elif commands:
            commands[-1].expected += f"{line}\n"
        else:
            raise DocumentError(f"line {number}: a prompt such as [lxcc01]# must come first")
    if not commands:
        raise DocumentError(f"line {start}: this block has no command")
    if _continues(commands[-1]):
        raise DocumentError(f"line {commands[-1].line}: this command is not complete")
    return Block(start, set(words), commands)


def _continues(command: Command) -> bool:
    """Whether a shell would read another line. Raises DocumentError for a syntax error."""
    if command.expected:
        return False
    result = subprocess.run(
        ["bash", "-n"],
        input=command.text,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    if re.search("unexpected (end of file|EOF)|here-document at line", result.stderr):
        return True
    if result.returncode:
        raise DocumentError(f"line {command.line}: {result.stderr.strip()}")
    return re.search(r"(?<!\\)(\\\\)*\\$", command.text) is not None


def hosts(text: str) -> list[str]:
    """Return the hosts of a prompt: ``lxcc01-03,lxb001`` is lxcc01, lxcc02, lxcc03 and lxb001."""
    names = []
    for word in text.split(","):
        span = re.fullmatch(r"(.*?)(\d+)-(\d+)", word)
        if span:
            prefix, start, end = span.groups()
            numbers = range(int(start), int(end) + 1)
            names += [f"{prefix}{number:0{len(start)}}" for number in numbers]
        else:
            names.append(word)
    return names


def run(part: Part, execute: Execute, timeout: float = VERIFY_TIMEOUT, pause: float = 1) -> None:
    """Run the blocks of a part. Raises DocumentError, with the line, for the first failure."""
    for block in part.blocks:
        deadline = time.monotonic() + timeout
        while True:
            try:
                _run_block(block, execute)
                break
            except DocumentError:
                if "verify" not in block.words or time.monotonic() > deadline:
                    raise
            time.sleep(pause)


def _run_block(block: Block, execute: Execute) -> None:
    """Run the commands of a block once."""
    for command in block.commands:
        must_fail = "refused" in block.words and command is block.commands[-1]
        _run_command(command, execute, must_fail)


def _run_command(command: Command, execute: Execute, must_fail: bool) -> None:
    """Run a command on its hosts. Raises DocumentError with the difference on each host."""
    with ThreadPoolExecutor(len(command.hosts)) as pool:
        results = list(pool.map(lambda host: execute(host, command.text), command.hosts))
    failures = ""
    checker = doctest.OutputChecker()
    for host, (status, output) in zip(command.hosts, results, strict=True):
        if must_fail == (status == 0):
            failures += f"\n{host}: exit status {status}, output:\n{output}"
        elif command.expected.strip() and not checker.check_output(
            command.expected, output, OUTPUT_OPTIONS
        ):
            example = doctest.Example(command.text, command.expected)
            difference = checker.output_difference(example, output, OUTPUT_OPTIONS)
            failures += f"\n{host}:\n{difference}"
    if failures:
        prompt = f"[{','.join(command.hosts)}]#"
        raise DocumentError(f"line {command.line}: {prompt} {command.text}{failures}")


def run_locally(text: str) -> tuple[int, str]:
    """Run a command on this machine, without its proxy: the hosts are reached directly."""
    environment = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    result = subprocess.run(
        ["bash", "-c", text],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        timeout=900,
        check=False,
    )
    return result.returncode, result.stdout
