"""Read the files of the formulas by the rules of each format, as the programs do."""

import configparser
import re
import subprocess
from pathlib import Path


def shell(text: str, names: list[str], directory: Path) -> dict[str, str]:
    """Return variables that bash has after sourcing a file, in an empty environment."""
    path = directory / "sourced"
    path.write_text(text)
    script = 'set -eu; . "$1"; shift; for name; do printf "%s\\0" "${!name}"; done'
    command = ["env", "-i", "bash", "--norc", "-c", script, "bash", str(path), *names]
    subprocess.run(["bash", "-n", path], check=True, capture_output=True)
    done = subprocess.run(command, check=True, capture_output=True)
    assert done.stderr == b""
    return dict(zip(names, done.stdout.decode().split("\0")[:-1], strict=True))


def environment(text: str) -> dict[str, str]:
    """Return the variables of an EnvironmentFile of systemd (load_env_file)."""
    variables = {}
    for line in text.splitlines():
        if not line or line.startswith(("#", ";")):
            continue
        name, equals, value = line.partition("=")
        assert equals and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name), line
        variables[name] = _unquoted(value)
    return variables


def _unquoted(value: str) -> str:
    letters, quote, is_escaped = [], "", False
    for letter in value:
        if is_escaped:
            letters.append(letter)
            is_escaped = False
        elif letter == "\\" and quote != "'":
            is_escaped = True
        elif quote and letter == quote:
            quote = ""
        elif not quote and letter in "\"'":
            quote = letter
        else:
            letters.append(letter)
    assert not quote and not is_escaped, f"a quote is open: {value}"
    return "".join(letters)


def unit(text: str) -> list[tuple[str, str, str]]:
    """Return section, option and value of each line in a file of systemd."""
    section, lines = "", []
    for line in text.splitlines():
        if not line.strip() or line.startswith(("#", ";")):
            continue
        assert not line.endswith("\\") and len(line.encode()) < 2048, line
        if line.startswith("["):
            section = line.strip("[]")
        else:
            option, equals, value = line.partition("=")
            assert equals, line
            lines.append((section, option.strip(), value.strip()))
    return lines


def ini(text: str) -> dict[str, dict[str, str]]:
    """Return the sections of a repository file, in which ` ;` begins a comment."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",), strict=True)
    parser.optionxform = str
    parser.read_string(text)
    return {section: dict(parser[section]) for section in parser.sections()}


def properties(text: str) -> dict[str, str]:
    """Return the properties that Java reads (java.util.Properties.load)."""
    text.encode("latin-1")
    values = {}
    for line in text.splitlines():
        stripped = line.lstrip(" \t\f")
        if not stripped or stripped[0] in "#!":
            continue
        assert not re.search(r"(?<!\\)(\\\\)*\\$", stripped), f"the line goes on: {line}"
        name, _, value = stripped.partition("=")
        assert name not in values, f"twice: {name}"
        values[name.strip()] = re.sub(r"\\(.)", r"\1", value.lstrip(" \t\f"))
    return values


def assignments(text: str) -> dict[str, str]:
    """Return the kernel parameters of a file in sysctl.d."""
    values = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith(("#", ";")):
            name, equals, value = line.partition("=")
            assert equals and len(line.encode()) < 2048, line
            values[name.strip()] = value.strip()
    return values
