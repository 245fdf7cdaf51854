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

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_declared)

FLAG_NAME = re.compile(r"\??[A-Za-z][A-Za-z0-9_-]*")
ENTRY_NAME = re.compile(r"[^\s./:;~][^/:;~]*")
RANGE = re.compile(r"\d+(-\d+)?")
# Flags that may be a directory with a file for each entry. The init wrapper of the agent joins
# them.
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
SECRET_MODE = 0o600


class _File(NamedTuple):
    """An expected file: its text, its permissions, and whether the text is a secret."""

    text: str
    mode: int
    is_secret: bool


class _Step(NamedTuple):
    """One change: the path in the directory, its description before and after, and the action."""

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
        Names of user and group, or None to keep them; permissions of files and directories.

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

    def remaining_steps():
        return _steps(name, files, owner_ids, directory_mode)

    try:
        steps = remaining_steps()
    except OSError as error:
        raise CommandExecutionError(str(error)) from None
    changes = _changes(steps)
    paths = ", ".join(changes)
    return _declared.Plan(
        changes,
        f"{name} holds the declared flags and nothing else",
        f"{name} would be changed: {paths}",
        lambda: _apply(name, steps, remaining_steps),
    )


def _changes(steps):
    return {step.path: {"old": step.old, "new": step.new} for step in steps}


def _apply(name, steps, remaining_steps):
    """Perform the steps and verify the result. Raises IncompleteChange if it differs."""
    completed = []
    try:
        for step in steps:
            step.do()
            completed.append(step)
        remaining = remaining_steps()
    except OSError as error:
        raise _declared.IncompleteChange(str(error), _changes(completed)) from None
    if remaining:
        paths = ", ".join(step.path for step in remaining)
        raise _declared.IncompleteChange(f"Changed by someone else at the same time: {paths}")
    return f"{name} was changed: {', '.join(_changes(steps))}"


# --- arguments ---


def _argument_errors(name, flags, secrets, environment, aliases):
    """Return the errors in the arguments, each a sentence; an empty list if they are valid."""
    errors = _type_errors(name, flags, secrets, environment, aliases)
    if errors:
        return errors
    spellings = {}
    for flag, value in (*flags.items(), *secrets.items()):
        if not isinstance(flag, str) or not FLAG_NAME.fullmatch(flag):
            errors.append(f"{flag}: not the name of a flag")
        elif _is_set(flag, value):
            spellings.setdefault(_canonical_flag(flag, aliases), []).append(flag)
    for variable in environment:
        flag = _flag_of_variable(variable)
        if flag:
            spelling = f"{variable} (environment)"
            spellings.setdefault(_canonical_flag(flag, aliases), []).append(spelling)
    for flag, names in spellings.items():
        if len(names) > 1:
            errors.append(
                f"{flag}: the same flag in {len(names)} spellings: {', '.join(names)}. "
                "Keep one of them"
            )
    return errors


def _type_errors(name, flags, secrets, environment, aliases):
    errors = []
    if not _is_own_directory(name):
        errors.append(
            f"name: {name} is not the absolute path of a directory for flags, such as "
            "/etc/mesos-master"
        )
    elif os.path.lexists(name) and not os.path.isdir(name):
        errors.append(f"name: {name} exists and is not a directory")
    if not isinstance(environment, (Mapping, list, tuple)):
        errors.append("environment: should be a mapping or a list of names")
    for argument, value in (("flags", flags), ("secrets", secrets), ("aliases", aliases)):
        if not isinstance(value, Mapping):
            errors.append(f"{argument}: should be a mapping")
    return errors


def _is_own_directory(name):
    """Return whether a path is absolute and not directly below the root, such as /etc."""
    if not isinstance(name, str) or not os.path.isabs(name):
        return False
    return os.path.realpath(name).count("/") >= 2


def _is_set(flag, value):
    """Return whether a value sets a flag: null does not, nor does false for ``?name``."""
    if value is None:
        return False
    return value is not False or not flag.startswith("?")


def _flag_of_variable(variable):
    """Return the flag that an environment variable sets, None if it sets none."""
    match = PROGRAM_VARIABLE.fullmatch(str(variable))
    return match[1] if match else WRAPPER_VARIABLES.get(variable)


def _canonical_flag(flag, aliases):
    """Return the name of a flag without ``?``, ``no-``, ``disable_``, capitals and old names."""
    plain = re.sub("^(no|disable)_", "", flag.lstrip("?").lower().replace("-", "_"))
    return aliases.get(plain, plain)


def _owner_id(name, find, attribute, kind):
    """Return the number of a user or group; for None -1, which does not change it."""
    if name is None:
        return -1
    try:
        return getattr(find(str(name)), attribute)
    except KeyError:
        raise ValueError(f"{kind}: there is no {kind} {name}") from None


def _parse_mode(mode):
    """Return permissions as a number. Salt's YAML reads an unquoted 0644 as the number 644."""
    if not re.fullmatch(r"0?[0-7]{3}", str(mode)):
        raise ValueError(f"mode: {mode} should be permissions such as '0644'")
    return int(str(mode), 8)


# --- expected files ---


def _expected_files(flags, secrets, mode):
    """
    Return the expected content: relative paths to _File, or to None for a directory.

    Raises ValueError for an invalid value.
    """
    files = {}
    for flag, value in flags.items():
        if flag in DIRECTORY_FLAGS and isinstance(value, Mapping):
            files.update(_expected_directory(flag, value, mode))
        elif flag.startswith("?"):
            if value not in (True, False, None):
                raise ValueError(f"{flag}: should be true or false, as the flag has no value")
            if value:
                files[flag] = _File("", mode, False)
        elif value is not None:
            files[flag] = _File(f"{_flag_text(flag, value)}\n", mode, False)
    for flag, value in secrets.items():
        if value is not None:
            files[flag] = _File(_flag_text(flag, value), SECRET_MODE, True)
    return files


def _expected_directory(flag, entries, mode):
    """Return the directory of a flag and its files; nothing if it has no entries."""
    files = {}
    for entry, value in entries.items():
        if value is not None:
            text = _entry_text(flag, entry, value)
            files[f"{flag}/{entry}"] = _File(f"{text}\n", mode, False)
    return {flag: None, **files} if files else {}


def flag_text(flag, value):
    """
    Return a flag as the daemon gets it from its files, None if it is not set.

    Raises ValueError for an invalid value.
    """
    if value is None:
        return None
    if flag not in DIRECTORY_FLAGS or not isinstance(value, Mapping):
        return _flag_text(flag, value)
    entries = [
        f"{entry}:{_entry_text(flag, entry, content)}"
        for entry, content in value.items()
        if content is not None
    ]
    return ";".join(entries) or None


def _flag_text(flag, value):
    """
    Return a value as the daemon reads it.

    Raises ValueError for an invalid value. The message does not contain it.
    """
    text = value
    try:
        if not isinstance(value, str):
            text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError):
        raise ValueError(
            f"{flag}: should be text, a number, true or false, or what JSON can hold. Quote dates"
        ) from None
    if "\0" in text:
        raise ValueError(f"{flag}: text cannot contain a NUL character")
    return text.rstrip("\n")


def _entry_text(flag, entry, value):
    """Return an attribute or a resource as text. Raises ValueError if it is invalid."""
    if not isinstance(entry, str) or not ENTRY_NAME.fullmatch(entry):
        raise ValueError(f"{flag}: {entry} is not a valid name for an entry")
    if isinstance(value, list) and value and all(isinstance(item, (str, int)) for item in value):
        return _list_text([str(item) for item in value])
    if isinstance(value, (list, Mapping)):
        raise ValueError(f"{flag}: {entry} should be text, a number, or a list of these")
    text = _flag_text(f"{flag}: {entry}", value)
    if not text or "\n" in text or ";" in text:
        raise ValueError(f"{flag}: {entry} should be one line, not empty and without a semicolon")
    return text


def _list_text(items):
    """Return a list as a Mesos range if all items are numbers or ranges, otherwise as a set."""
    if not all(RANGE.fullmatch(item) for item in items):
        return f"{{{','.join(items)}}}"
    ranges = [item if "-" in item else f"{item}-{item}" for item in items]
    return f"[{','.join(ranges)}]"


# --- steps ---


def _steps(name, files, owner, directory_mode):
    """Return the steps from the current to the expected content, in a feasible order."""
    root = os.path.realpath(name)
    if os.path.isdir(root):
        existing = _list_entries(root, files)
    elif files:
        existing = []
    else:
        return []
    steps = []
    for path in existing:
        if path not in files:
            full = os.path.join(root, path)
            remove = functools.partial(_remove, full)
            steps.append(_Step(path, _describe(full, path), None, remove))
    replaced = set()
    for path, file in {".": None, **files}.items():
        full = os.path.normpath(os.path.join(root, path))
        exists = os.path.lexists(full) and os.path.dirname(path) not in replaced
        if exists and _has_content(full, file):
            mode = file.mode if file else directory_mode
            steps += _permission_steps(full, path, mode, owner)
            continue
        old = _describe(full, path, file) if exists else None
        if file is None:
            replaced.add(path)
            new = "directory"
            do = functools.partial(_make_directory, full, directory_mode, owner)
        else:
            new = REDACTED if file.is_secret else _displayed(file.text)
            do = functools.partial(_write_file, full, file.text, file.mode, owner)
        steps.append(_Step(path, old, new, do))
    return steps


def _permission_steps(full, path, mode, owner):
    """Return a list with the step that sets permissions and owner, empty if they are correct."""
    current, expected = _permissions(full, owner, mode)
    if current == expected:
        return []
    do = functools.partial(_set_owner_and_mode, full, mode, owner)
    return [_Step(path, current, expected, do)]


def _list_entries(root, files):
    """
    Return the relative paths in the directory and in its expected subdirectories, sorted.

    Names that begin with a dot are ignored.
    """
    paths = []
    for entry in _visible_names(root):
        paths.append(entry)
        full = os.path.join(root, entry)
        is_expected_directory = entry in files and files[entry] is None
        if is_expected_directory and _file_type(full) == "directory":
            paths += [f"{entry}/{name}" for name in _visible_names(full)]
    return paths


def _visible_names(directory):
    return [name for name in sorted(os.listdir(directory)) if not name.startswith(".")]


def _file_type(path):
    """Return file, directory or other. A symlink is other, no matter where it leads."""
    mode = os.lstat(path).st_mode
    if stat.S_ISREG(mode):
        return "file"
    return "directory" if stat.S_ISDIR(mode) else "other"


def _has_content(path, file):
    """Return whether the content of a path is correct. Ignores permissions and owner."""
    if file is None:
        return _file_type(path) == "directory"
    return _file_type(path) == "file" and _read(path) == file.text


def _read(path):
    """Return the text of a file. Replaced bytes that are not UTF-8 differ from any valid value."""
    with open(path, encoding="utf-8", errors="replace", newline="") as stream:
        return stream.read()


def _describe(full, path, file=None):
    """Return the description of an existing path in a report."""
    file_type = _file_type(full)
    if file_type == "directory":
        return "directory"
    if file_type == "other":
        if os.path.islink(full):
            return f"link to {os.readlink(full)}"
        return "neither file nor directory"
    # Do not report what only the owner can read, nor the remains of a secret such as
    # credential.rpmsave.
    is_secret = file is not None and file.is_secret
    is_remainder = file is None and re.search("credential|secret|password", path)
    is_public = os.lstat(full).st_mode & stat.S_IROTH
    if is_secret or is_remainder or not is_public:
        return REDACTED
    return _displayed(_read(full))


def _displayed(text):
    """Return text for a report: shortened, and without the credentials of a URL."""
    text = re.sub(r"(://)[^\s/@]*:\S*@", rf"\g<1>{REDACTED}@", text.rstrip("\n"))
    return text if len(text) <= MAX_TEXT_LENGTH else f"{text[:MAX_TEXT_LENGTH]}..."


def _permissions(path, owner, mode):
    """Return the current and the expected permissions and owner, as text for a report."""
    status = os.stat(path)
    user_id = status.st_uid if owner[0] < 0 else owner[0]
    group_id = status.st_gid if owner[1] < 0 else owner[1]
    current = f"{stat.S_IMODE(status.st_mode):04o} {status.st_uid}:{status.st_gid}"
    return current, f"{mode:04o} {user_id}:{group_id}"


# --- changes ---


def _remove(path):
    """Remove a file, a directory, or a symlink without its target."""
    if _file_type(path) == "directory":
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _make_directory(path, mode, owner):
    """Create a directory, which replaces an existing file."""
    if os.path.lexists(path):
        _remove(path)
    os.makedirs(path)
    _set_owner_and_mode(path, mode, owner)


def _set_owner_and_mode(path, mode, owner):
    """Set owner and permissions, in this order: a new owner resets some permissions."""
    os.chown(path, *owner)
    os.chmod(path, mode)


def _write_file(path, text, mode, owner):
    """Write a file atomically. Daemons ignore the name of the temporary file."""
    if os.path.lexists(path) and _file_type(path) == "directory":
        shutil.rmtree(path)
    handle, temporary_path = tempfile.mkstemp(prefix=".", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        _set_owner_and_mode(temporary_path, mode, owner)
        os.replace(temporary_path, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary_path)
