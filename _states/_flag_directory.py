"""
A directory of flag files, for ``mesos.flags_managed``. A helper, not a state itself: Salt's loader
skips names that begin with ``_``.
"""

import contextlib
import functools
import grp
import importlib
import json
import os
import pwd
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from typing import NamedTuple

import _declared
from salt.exceptions import CommandExecutionError, SaltInvocationError

# After a sync Salt still has the old helper in sys.modules.
importlib.reload(_declared)

FLAG_NAME = re.compile(r"\??[A-Za-z][A-Za-z0-9_-]*")
ENTRY_NAME = re.compile(r"[^\s./:;~][^/:;~]*")
RANGE = re.compile(r"\d+(-\d+)?")
# Flags that may be a directory with a file for each entry, which the init wrapper of the agent puts
# together.
DIRECTORY_FLAGS = ("attributes", "resources")
# Variables that the init wrapper turns into flags.
WRAPPER_VARIABLES = {
    "CLUSTER": "cluster",
    "IP": "ip",
    "ISOLATION": "isolation",
    "LOGS": "log_dir",
    "MASTER": "master",
    "PORT": "port",
    "ZK": "zk",
}
PROGRAM_VARIABLE = re.compile(r"(?:MESOS|MARATHON|CHRONOS)_(.+)")
REDACTED = "***"
MAX_TEXT_LENGTH = 1000


class _File(NamedTuple):
    """A file that should be: its text, permissions, and whether its text is nobody's business."""

    text: str
    mode: int
    is_secret: bool


class _Step(NamedTuple):
    """One thing to change: where (relative to the directory), what the report says, and how it is done."""

    path: str
    old: "str | None"
    new: "str | None"
    do: "Callable[[], None]"


def plan(name, flags, secrets, environment, aliases, owner, modes):
    """
    Compare a directory with the flags that it should contain. Changes nothing.

    name
        The directory, an absolute path.

    flags, secrets, environment, aliases
        See ``mesos.flags_managed``; ``secrets`` is a mapping here.

    owner, modes
        Names of user and group (None: leave them), and permissions of files and directories.

    Returns a ``_declared.Plan``. Raises SaltInvocationError, with a line for each error, for
    invalid arguments; CommandExecutionError for a directory that cannot be read.
    """
    errors = _argument_errors(name, flags, secrets, environment, aliases)
    try:
        user_id = _owner_id(owner[0], pwd.getpwnam, "pw_uid", "user")
        owner_ids = (user_id, _owner_id(owner[1], grp.getgrnam, "gr_gid", "group"))
        file_mode, directory_mode = (_parse_mode(mode) for mode in modes)
        files = {} if errors else _expected_files(flags, secrets, file_mode)
    except ValueError as error:
        errors.append(str(error))
    if errors:
        raise SaltInvocationError("\n".join(errors))

    def steps_left():
        return _steps(name, files, owner_ids, directory_mode)

    try:
        steps = steps_left()
    except OSError as error:
        raise CommandExecutionError(str(error)) from None
    changes = _changes(steps)
    paths = ", ".join(changes)
    return _declared.Plan(
        changes,
        f"{name} holds the declared flags and nothing else",
        f"{name} would be changed: {paths}",
        lambda: _apply(name, steps, steps_left),
    )


def _changes(steps):
    return {step.path: {"old": step.old, "new": step.new} for step in steps}


def _apply(name, steps, steps_left):
    """Take the steps, and check that none is left. Raises IncompleteChange."""
    completed = []
    try:
        for step in steps:
            step.do()
            completed.append(step)
        remaining = steps_left()
    except OSError as error:
        raise _declared.IncompleteChange(str(error), _changes(completed)) from None
    if remaining:
        paths = ", ".join(step.path for step in remaining)
        raise _declared.IncompleteChange(f"Changed by someone else at the same time: {paths}")
    return f"{name} was changed: {', '.join(_changes(steps))}"


def _argument_errors(name, flags, secrets, environment, aliases):
    """Everything that is wrong with the arguments, as sentences."""
    faults = []
    if (
        not isinstance(name, str)
        or not os.path.isabs(name)
        or os.path.realpath(name).count("/") < 2
    ):
        faults.append(
            f"name: {name} is not a directory that one could own. It looks like /etc/mesos-master"
        )
    elif os.path.lexists(name) and not os.path.isdir(name):
        faults.append(f"name: {name} is there and not a directory")
    if not isinstance(environment, (Mapping, list, tuple)):
        faults.append("environment: should be a mapping or a list of names")
    for argument, value in (("flags", flags), ("secrets", secrets), ("aliases", aliases)):
        if not isinstance(value, Mapping):
            faults.append(f"{argument}: should be a mapping")
    if faults:
        return faults

    spellings = {}
    for flag, value in (*flags.items(), *secrets.items()):
        if not isinstance(flag, str) or not FLAG_NAME.fullmatch(flag):
            faults.append(f"{flag}: not the name of a flag")
        elif value is not None and (value is not False or not flag.startswith("?")):
            spellings.setdefault(_canonical_flag(flag, aliases), []).append(flag)
    for variable in environment:
        match = PROGRAM_VARIABLE.fullmatch(str(variable))
        flag = match[1] if match else WRAPPER_VARIABLES.get(variable)
        if flag:
            spellings.setdefault(_canonical_flag(flag, aliases), []).append(
                f"{variable} (environment)"
            )
    for flag, names in spellings.items():
        if len(names) > 1:
            faults.append(
                f"{flag}: the same flag in {len(names)} spellings: {', '.join(names)}. Keep one of them"
            )
    return faults


def _canonical_flag(flag, aliases):
    """The name of a flag behind ``?x``, ``no-x``, ``disable_x``, capital letters and old names."""
    plain = re.sub("^(no|disable)_", "", flag.lstrip("?").lower().replace("-", "_"))
    return aliases.get(plain, plain)


def _owner_id(name, find, attribute, kind):
    """The number of a user or group, -1 (leave it) for None."""
    if name is None:
        return -1
    try:
        return getattr(find(str(name)), attribute)
    except KeyError:
        raise ValueError(f"{kind}: there is no {kind} {name}") from None


def _parse_mode(mode):
    """Permissions as a number. Salt's YAML makes of an unquoted 0644 the number 644."""
    if not re.fullmatch(r"0?[0-7]{3}", str(mode)):
        raise ValueError(f"mode: {mode} are no permissions. They look like '0644'")
    return int(str(mode), 8)


def _expected_files(flags, secrets, mode):
    """What should be: relative path -> _File, or None for a directory. Raises ValueError for an impossible value."""
    wanted = {}
    for flag, value in flags.items():
        if flag in DIRECTORY_FLAGS and isinstance(value, Mapping):
            entries = {
                entry: _entry_text(flag, entry, given)
                for entry, given in value.items()
                if given is not None
            }
            wanted.update({flag: None} if entries else {})
            wanted.update(
                {
                    f"{flag}/{entry}": _File(f"{text}\n", mode, False)
                    for entry, text in entries.items()
                }
            )
        elif flag.startswith("?"):
            if value not in (True, False, None):
                raise ValueError(f"{flag}: a bare flag has no value; true or false")
            wanted.update({flag: _File("", mode, False)} if value else {})
        elif value is not None:
            wanted[flag] = _File(f"{_flag_text(flag, value)}\n", mode, False)
    for flag, value in secrets.items():
        if value is not None:
            wanted[flag] = _File(_flag_text(flag, value), 0o600, True)
    return wanted


def _flag_text(flag, value):
    """A value as the daemon reads it. Raises ValueError, without the value in it, if there is no such text."""
    text = value
    try:
        if not isinstance(value, str):
            text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError):
        raise ValueError(
            f"{flag}: the value is neither text, number, boolean nor JSON. A date needs quotes"
        ) from None
    if "\0" in text:
        raise ValueError(f"{flag}: text cannot hold a NUL")
    return text.rstrip("\n")


def _entry_text(flag, entry, value):
    """An attribute or a resource as text. Raises ValueError if it is neither."""
    if not isinstance(entry, str) or not ENTRY_NAME.fullmatch(entry):
        raise ValueError(f"{flag}: {entry} is not a name that an entry can have")
    if isinstance(value, list) and value and all(isinstance(item, (str, int)) for item in value):
        items = [str(item) for item in value]
        if all(RANGE.fullmatch(item) for item in items):
            return f"[{','.join(item if '-' in item else f'{item}-{item}' for item in items)}]"
        return f"{{{','.join(items)}}}"
    if isinstance(value, (list, Mapping)):
        raise ValueError(f"{flag}: {entry} should be text, a number, or a list of these")
    text = _flag_text(f"{flag}: {entry}", value)
    if not text or "\n" in text or ";" in text:
        raise ValueError(f"{flag}: {entry} cannot be empty, hold a semicolon or span lines")
    return text


def _steps(name, wanted, owner, dir_mode):
    """Compare what is with what should be; return the steps between them, in an order in which they can be done."""
    root = os.path.realpath(name)
    if not os.path.isdir(root):
        if not wanted:
            return []
        there = []
    else:
        there = _list_entries(root, wanted)

    steps = []
    for path in there:
        if path not in wanted:
            full = os.path.join(root, path)
            steps.append(_Step(path, _describe(full, path), None, functools.partial(_remove, full)))
    replaced = set()
    for path, file in {".": None, **wanted}.items():
        full = os.path.normpath(os.path.join(root, path))
        is_there = os.path.lexists(full) and os.path.dirname(path) not in replaced
        old = _describe(full, path, file) if is_there else None
        mode = file.mode if file else dir_mode
        if is_there and _has_content(full, file):
            is_now, should = _permissions(full, owner, mode)
            if is_now != should:
                steps.append(
                    _Step(
                        path,
                        is_now,
                        should,
                        functools.partial(_set_owner_and_mode, full, mode, owner),
                    )
                )
        elif file is None:
            replaced.add(path)
            steps.append(
                _Step(
                    path,
                    old,
                    "directory",
                    functools.partial(_make_directory, full, dir_mode, owner),
                )
            )
        else:
            new = REDACTED if file.is_secret else _displayed(file.text)
            steps.append(
                _Step(
                    path,
                    old,
                    new,
                    functools.partial(_write_file, full, file.text, file.mode, owner),
                )
            )
    return steps


def _list_entries(root, wanted):
    """Relative paths of what lies in the directory, and in its subdirectories that should be there. Sorted."""
    found = []
    for entry in sorted(os.listdir(root)):
        if entry.startswith("."):
            continue
        found.append(entry)
        below = os.path.join(root, entry)
        if entry in wanted and wanted[entry] is None and _file_type(below) == "directory":
            found += [
                f"{entry}/{inner}"
                for inner in sorted(os.listdir(below))
                if not inner.startswith(".")
            ]
    return found


def _file_type(path):
    """What lies at a path. A symlink is none of the kinds that should be there, wherever it leads."""
    mode = os.lstat(path).st_mode
    if stat.S_ISREG(mode):
        return "file"
    return "directory" if stat.S_ISDIR(mode) else "other"


def _has_content(path, file):
    """Whether what is there is what should be, permissions and owner aside."""
    if file is None:
        return _file_type(path) == "directory"
    return _file_type(path) == "file" and _read(path) == file.text


def _read(path):
    """The text of a file; bytes that are no UTF-8 are replaced, and then differ from anything that is wanted."""
    with open(path, encoding="utf-8", errors="replace", newline="") as stream:
        return stream.read()


def _describe(full, path, file=None):
    """What a report says of something that is there, before it is changed or removed."""
    kind = _file_type(full)
    if kind == "directory":
        return "directory"
    if kind == "other":
        return (
            f"link to {os.readlink(full)}" if os.path.islink(full) else "neither file nor directory"
        )
    # What others cannot read is not shown to them, nor what has been left of a secret
    # (credential.rpmsave).
    is_left = file is None and re.search("credential|secret|password", path)
    if is_left or (file and file.is_secret) or not os.lstat(full).st_mode & stat.S_IROTH:
        return REDACTED
    return _displayed(_read(full))


def _displayed(text):
    """Text for a report: not endless, and without the credentials of a URL."""
    text = re.sub(r"(://)[^\s/@]*:\S*@", rf"\g<1>{REDACTED}@", text.rstrip("\n"))
    return text if len(text) <= MAX_TEXT_LENGTH else f"{text[:MAX_TEXT_LENGTH]}..."


def _permissions(path, owner, mode):
    """Permissions and owner as they are, and as they should be, to be compared and shown."""
    now = os.stat(path)
    uid, gid = (
        (now.st_uid if owner[0] < 0 else owner[0]),
        (now.st_gid if owner[1] < 0 else owner[1]),
    )
    return f"{stat.S_IMODE(now.st_mode):04o} {now.st_uid}:{now.st_gid}", f"{mode:04o} {uid}:{gid}"


def _remove(path):
    """Remove whatever is there; a symlink, not what it leads to."""
    if _file_type(path) == "directory":
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _make_directory(path, mode, owner):
    """Make a directory in place of whatever is there."""
    if os.path.lexists(path):
        _remove(path)
    os.makedirs(path)
    _set_owner_and_mode(path, mode, owner)


def _set_owner_and_mode(path, mode, owner):
    """Set owner and permissions; in this order, as a change of owner takes permissions away."""
    os.chown(path, *owner)
    os.chmod(path, mode)


def _write_file(path, text, mode, owner):
    """Write a file beside, under a name that daemons skip, and put it in place in one go: they never see half of it."""
    if os.path.lexists(path) and _file_type(path) == "directory":
        shutil.rmtree(path)
    handle, beside = tempfile.mkstemp(prefix=".", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        _set_owner_and_mode(beside, mode, owner)
        os.replace(beside, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
