"""
Documents whose examples are run. What is to be run stands in fenced blocks of a Markdown file that begin with ``console``::

    ```console
    [lxcc01-03]# uptime --pretty
    up ...
    ```

``[host]#`` is the prompt. ``[lxcc01-03,lxb001]#`` are four hosts, which all run the command at the same time; ``[laptop]#`` is the machine
that runs this. A command goes on over as many lines as the shell needs to see its end. What follows, up to the next prompt, is what
each of the hosts is to print, to stdout or stderr: ``...`` stands for anything, and all white space is alike. Where nothing follows it may
print what it likes. It is to end with 0.

Words after ``console`` say more of a block:

    verify      holds sooner or later: the block is repeated until all of it is so, or PATIENCE is over
    refused     its last command is to end with another status than 0

Blocks are run in the order of the document, heading by heading. One exception: of a section (###) that is divided (####), a part with
nothing but ``verify`` blocks is run after each of the other parts, instead of in its place. So a reader may do either of them, and verify.
"""

import doctest
import os
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

PATIENCE = 120  # seconds until what is verified has to be so
LAPTOP = "laptop"
WORDS = {"verify", "refused"}

FENCE = re.compile(r"(`{3,})\s*(.*)")
HEADING = re.compile(r"(#{1,6}) (.*)")
PROMPT = re.compile(r"\[([\w,-]+)\]# (.*)")
SIMILAR = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# Runs a command on a host; returns its exit status and all that it printed.
Execute = Callable[[str, str], tuple[int, str]]


class DocumentError(Exception):
    """The document cannot be read, or is not true; the text names the line."""


@dataclass
class Command:
    """What one or several hosts run, and what they are to print; nothing: whatever they do."""

    line: int
    hosts: list[str]
    text: str
    expected: str = ""


@dataclass
class Block:
    """Commands in one fence."""

    line: int
    words: set[str]
    commands: list[Command]


@dataclass
class Part:
    """What stands below one heading. ``chapter`` is the heading of level 2 above it, or itself."""

    line: int
    level: int
    title: str
    chapter: str = ""
    blocks: list[Block] = field(default_factory=list)

    @property
    def only_verifies(self) -> bool:
        """Whether it asks, and does nothing."""
        return all("verify" in block.words for block in self.blocks)


def parse(text: str) -> list[Part]:
    """Return the parts of a document that have something to run, in the order in which it is run. DocumentError if it makes no sense."""
    parts = []
    for section in _sections(_read(text)):
        divided = [part for part in section[1:] if not part.only_verifies]
        checks = (
            [block for part in section[1:] if part.only_verifies for block in part.blocks]
            if divided
            else []
        )
        for part in section:
            if part in divided:
                part.blocks += checks
            if part.blocks and (part not in section[1:] or not divided or part in divided):
                parts.append(part)
    return parts


def _sections(parts: list[Part]) -> list[list[Part]]:
    """Put the parts below #### headings to the one above them. The title of such a part says whose it is."""
    sections: list[list[Part]] = []
    for part in parts:
        if part.level > 3 and sections:
            part.title = f"{sections[-1][0].title}: {part.title}"
            sections[-1].append(part)
        else:
            sections.append([part])
    return sections


def _read(text: str) -> list[Part]:
    """Return all headings of a document, each with its blocks."""
    parts = [Part(1, 1, "")]
    fence, words, opened, content = "", [], 0, []
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.fullmatch(line)
        if not fence and mark:
            fence, words, opened, content = mark[1], mark[2].split(), number, []
        elif fence and mark and not mark[2] and len(mark[1]) >= len(fence):
            if words[:1] == ["console"]:
                parts[-1].blocks.append(_block(opened, words[1:], content))
            fence = ""
        elif fence:
            content.append(line)
        elif heading := HEADING.fullmatch(line):
            level, title = len(heading[1]), heading[2].replace("`", "")
            parts.append(Part(number, level, title, parts[-1].chapter if level > 2 else title))
    if fence:
        raise DocumentError(f"line {opened}: this fence has no end")
    return parts


def _block(opened: int, words: list[str], content: list[str]) -> Block:
    """Read what stands between two fences."""
    unknown = set(words) - WORDS
    if unknown:
        raise DocumentError(
            f"line {opened}: console {' '.join(sorted(unknown))} means nothing. Known: {', '.join(sorted(WORDS))}"
        )
    commands: list[Command] = []
    for number, line in enumerate(content, opened + 1):
        prompt = PROMPT.fullmatch(line)
        if commands and _unfinished(commands[-1]):
            commands[-1].text += f"\n{line}"
        elif prompt:
            commands.append(Command(number, hosts(prompt[1]), prompt[2]))
        elif commands:
            commands[-1].expected += f"{line}\n"
        else:
            raise DocumentError(f"line {number}: no prompt such as [lxcc01]# stands before this")
    if not commands:
        raise DocumentError(f"line {opened}: nothing to run")
    if _unfinished(commands[-1]):
        raise DocumentError(f"line {commands[-1].line}: this command has no end")
    return Block(opened, set(words), commands)


def _unfinished(command: Command) -> bool:
    """Whether a shell would wait for more. DocumentError where it would complain."""
    if command.expected:
        return False
    environment = {**os.environ, "LC_ALL": "C"}
    said = subprocess.run(
        ["bash", "-n"],
        input=command.text,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if re.search("unexpected (end of file|EOF)|here-document at line", said.stderr):
        return True
    if said.returncode:
        raise DocumentError(f"line {command.line}: {said.stderr.strip()}")
    return re.search(r"(?<!\\)(\\\\)*\\$", command.text) is not None


def hosts(text: str) -> list[str]:
    """Return the hosts of a prompt: ``lxcc01-03,lxb001`` is lxcc01, lxcc02, lxcc03 and lxb001."""
    found = []
    for word in text.split(","):
        span = re.fullmatch(r"(.*?)(\d+)-(\d+)", word)
        if span:
            name, first, last = span.groups()
            found += [
                f"{name}{number:0{len(first)}}" for number in range(int(first), int(last) + 1)
            ]
        else:
            found.append(word)
    return found


def run(part: Part, execute: Execute, patience: float = PATIENCE, pause: float = 1) -> None:
    """Run a part, block by block. DocumentError, naming the line, for the first thing that is not true, or does not become so."""
    for block in part.blocks:
        deadline = time.monotonic() + patience
        while True:
            try:
                for command in block.commands:
                    _run(
                        command, execute, "refused" in block.words and command is block.commands[-1]
                    )
                break
            except DocumentError:
                if "verify" not in block.words or time.monotonic() > deadline:
                    raise
            time.sleep(pause)


def _run(command: Command, execute: Execute, refused: bool) -> None:
    """Run a command on all of its hosts; DocumentError with what was wrong on each."""
    with ThreadPoolExecutor(len(command.hosts)) as pool:
        answers = list(pool.map(lambda host: execute(host, command.text), command.hosts))
    wrong = ""
    checker = doctest.OutputChecker()
    for host, (status, said) in zip(command.hosts, answers, strict=True):
        if refused == (status == 0):
            wrong += f"\n{host}: it ended with {status}, and said:\n{said}"
        elif command.expected.strip() and not checker.check_output(command.expected, said, SIMILAR):
            example = doctest.Example(command.text, command.expected)
            wrong += f"\n{host}:\n{checker.output_difference(example, said, SIMILAR)}"
    if wrong:
        raise DocumentError(
            f"line {command.line}: [{','.join(command.hosts)}]# {command.text}{wrong}"
        )


def here(text: str) -> tuple[int, str]:
    """Run a command on this machine, which reaches the hosts without its proxy."""
    environment = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    done = subprocess.run(
        ["bash", "-c", text],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        timeout=900,
        check=False,
    )
    return done.returncode, done.stdout
