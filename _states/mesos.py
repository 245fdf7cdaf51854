"""
Promises about Mesos.

``mesos.flags_managed`` owns the directory that a daemon reads its flags from: one file a flag, and nothing else.
``mesos.leader_available`` and ``mesos.agents_registered`` are gates: they wait for the cluster and change nothing.
"""

import contextlib
import functools
import grp
import json
import os
import pwd
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from typing import NamedTuple

import _mesos_gate
import salt.utils.data

FLAG = re.compile(r"\??[A-Za-z][A-Za-z0-9_-]*")
ENTRY = re.compile(r"[^\s./:;~][^/:;~]*")
RANGE = re.compile(r"\d+(-\d+)?")

# Flags that may be a directory with a file for each entry, which the init wrapper of the agent puts together.
DIRECTORIES = ("attributes", "resources")

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

HIDDEN = "***"
SHOWN_LENGTH = 1000


class _File(NamedTuple):
    """A file that should be: its text, permissions, and whether its text is nobody's business."""

    text: str
    mode: int
    is_secret: bool


class _Step(NamedTuple):
    """One thing to change: where (relative to the directory), what the report says, and how it is done."""

    path: str
    old: str | None
    new: str | None
    do: Callable[[], None]


def flags_managed(
    name,
    flags=None,
    secrets=None,
    environment=None,
    aliases=None,
    user=None,
    group=None,
    mode="0644",
    dir_mode="0755",
):
    """
    Own a directory of flag files, such as ``/etc/mesos-master`` or, for Marathon up to 1.4 and Chronos, their ``conf``.

    Each file there is a flag, whatever it is called: ``quorum.rpmnew`` or ``quorum~`` keeps a master from starting. So
    a file is written for each flag, and everything else is removed, subdirectories included; names that begin with a
    dot are left alone, as the daemons do. Files are replaced whole, and not touched if nothing differs.

    .. code-block:: yaml

        mesos-slave-flags:
          mesos.flags_managed:
            - name: /etc/mesos-slave
            - flags:
                master: zk://10.0.0.1:2181/mesos
                switch_user: false
                attributes:
                  rack: r1
                resources:
                  cpus: 8
                  ports: [31000-32000]
                '?no-logger': true
            - secrets: mesos:slave:secrets
            - user: root
            - group: root

    name
        The directory, an absolute path. Made if it is missing and there is something to put in.

    flags
        Values by name. ``true`` and ``false`` are written as such, mappings and lists as JSON, ``null`` is no flag.
        ``?name`` is a bare flag, present if ``true``. ``attributes`` and ``resources``, if they are mappings, become
        a directory with a file for each entry; in there a list is a Mesos range (``[31000-32000]``) if all of it is
        numbers, else a set (``{a,b}``).

    secrets
        More flags, whose files only their owner can read and whose values are not shown. A mapping, or better the
        pillar key of one (``mesos:slave:secrets``), which keeps the values out of the arguments of the state. Written
        without a newline at the end, as some programs take it for a part of the secret.

    environment
        Names of the variables that the daemon gets elsewhere: ``LOGS``, ``PORT``, ``MESOS_QUORUM`` and the like are
        flags too, and given twice are fatal.

    aliases
        Other names of flags, old name to new name, for the same reason.

    user, group
        Owner of directory and files. Left as they are if not given; who runs Salt owns new ones then.

    mode, dir_mode
        Permissions, in quotes. Files of ``secrets`` have ``'0600'``.

    Fails, before anything is changed, if a name or a value makes no sense or a flag is given in two spellings.
    """
    ret = {"name": name, "result": False, "changes": {}, "comment": ""}
    if isinstance(secrets, str):
        # Not pillar.get, which from Salt 3008 on answers anyone but a template with asterisks.
        secrets = salt.utils.data.traverse_dict_and_list(__pillar__, secrets, {})
    flags, secrets, aliases = flags or {}, secrets or {}, aliases or {}
    faults = _faults(name, flags, secrets, environment or (), aliases)
    try:
        owner = (_id(user, pwd.getpwnam, "pw_uid", "user"), _id(group, grp.getgrnam, "gr_gid", "group"))
        modes = (_mode(mode), _mode(dir_mode))
        wanted = {} if faults else _wanted(flags, secrets, modes[0])
    except ValueError as error:
        faults.append(str(error))
    if faults:
        ret["comment"] = "\n".join(faults)
        return ret

    try:
        steps = _steps(name, wanted, owner, modes[1])
        if not __opts__["test"]:
            for step in steps:
                step.do()
                ret["changes"][step.path] = {"old": step.old, "new": step.new}
            left = [step.path for step in _steps(name, wanted, owner, modes[1])] if steps else []
            if left:
                ret["comment"] = f"Changed by someone else at the same time: {', '.join(left)}"
                return ret
    except OSError as error:
        ret["comment"] = str(error)
        return ret

    ret["changes"] = {step.path: {"old": step.old, "new": step.new} for step in steps}
    if not steps:
        ret.update(result=True, comment=f"{name} holds the declared flags and nothing else")
    elif __opts__["test"]:
        ret.update(result=None, comment=f"{name} would be changed: {', '.join(ret['changes'])}")
    else:
        ret.update(result=True, comment=f"{name} was changed: {', '.join(ret['changes'])}")
    return ret


def leader_available(name, url=None, member=None, timeout=120):
    """
    Wait until the masters have a leader that has recovered its registry. Changes nothing.

    .. code-block:: yaml

        mesos-leader:
          mesos.leader_available:
            - url: [http://10.0.0.1:5050, http://10.0.0.2:5050, http://10.0.0.3:5050]
            - timeout: 120

    name
        Free text.

    url
        Where the masters are: a URL, several with commas, or a list. If not given the setting ``mesos:url`` counts, else
        ``http://127.0.0.1:5050``. All of them, if ``member`` is given.

    member
        The URL of one of the masters, for a gate behind each of them: this one must be healthy. It must also name a
        leader that has recovered, as soon as a majority of ``url`` is healthy; so the first of three does not wait for
        the others, which are yet to come. Nor does the second, where every healthy master says that its log is not
        recovered: it is new then, and begins when all masters are there, so that the last one waits for the leader.
        With a leader its own replica of the log must have caught up, or the next disk could go before this one is of use.

    timeout
        Seconds. 0: ask once.

    Fails with what each master last said.
    """
    masters, leader = __salt__["mesos.masters"], __salt__["mesos.leader"]
    if member is not None and not (isinstance(member, str) and member):
        return {"name": name, "result": False, "changes": {}, "comment": "member: should be the URL of one master"}

    def question(seconds):
        if member is not None:
            own = masters(url=member, timeout=seconds, retries=0)[0]
            if not own["healthy"]:
                return False, own["error"]
            known = masters(url=url, timeout=seconds, retries=0)
            healthy = sum(each["healthy"] for each in known)
            if healthy * 2 <= len(known):
                return True, f"{own['url']} is healthy, which {healthy} of {len(known)} masters are: too few for a leader"
            # Who does not tell may have a log that is in use.
            if healthy < len(known) and all(each["log_recovered"] is False for each in known if each["healthy"]):
                begins = f"the log of the masters is new and begins when all {len(known)} are there: {healthy} are"
                return True, f"{own['url']} is healthy; {begins}"
        found = leader(url=url if member is None else member, timeout=seconds, retries=0)
        if not found["recovered"]:
            return False, f"{found['url']} was elected and has not said yet that it has recovered: {found['error']}"
        if member is not None and own["log_recovered"] is False:
            return False, f"{own['url']} has not caught up with the log of the other masters yet"
        return True, f"{found['url']} leads and has recovered"

    what = "a leader that has recovered" + (f", as {member} sees it" if member is not None else "")
    return _mesos_gate.wait(name, what, question, timeout, __opts__["test"])


def agents_registered(name, agents=None, count=None, url=None, timeout=120):
    """
    Wait until agents are registered at the leader and active. Changes nothing.

    .. code-block:: yaml

        mesos-agents:
          mesos.agents_registered:
            - agents: [10.0.0.65, 10.0.0.66]
            - timeout: 180

    name
        Free text.

    agents
        Those that must be active, by the host name that they give themselves (flag ``hostname``; upper and lower case
        are the same).

    count
        How many must be active at least, whoever they are. This or ``agents`` is needed; both may be given.

    url
        Where the masters are: a URL, several with commas, or a list. If not given the setting ``mesos:url`` counts, else
        ``http://127.0.0.1:5050``.

    timeout
        Seconds. 0: ask once.

    Fails with the agents that are missing and what the leader says of them, or with what each master said.
    """
    ask = __salt__["mesos.agents"]
    names = [agents] if isinstance(agents, str) else agents
    fault = ""
    if names is None and count is None:
        fault = "agents, count: one of them is needed"
    elif names is not None and not (isinstance(names, list) and all(isinstance(each, str) and each for each in names)):
        fault = "agents: should be a list of host names"
    elif count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
        fault = f"count: {count!r} is no number of agents"
    if fault:
        return {"name": name, "result": False, "changes": {}, "comment": fault}
    names = names or []

    def question(seconds):
        known = ask(url=url, timeout=seconds, retries=0)
        active = {each["hostname"].lower() for each in known if each["active"]}
        missing = [each for each in names if each.lower() not in active]
        number = sum(each["active"] for each in known)
        said = [f"{each}: {_agent_as_known(each, known)}" for each in missing]
        if count is not None and number < count:
            said.append(f"{number} of at least {count} agents are active")
        return not said, "\n".join(said) or f"{number} agents are active" + (f", {', '.join(names)} among them" if names else "")

    what = " and ".join([*([f"the agents {', '.join(names)}"] if names else []), *([f"{count} agents"] if count is not None else [])])
    return _mesos_gate.wait(name, what or "no agents", question, timeout, __opts__["test"])


def _agent_as_known(name, known):
    """What the leader says of an agent that is not active."""
    for each in known:
        if each["hostname"].lower() == name.lower():
            if each["recovered"]:
                return "known from before, has not come back since the leader changed"
            return "deactivated by an operator" if each["deactivated"] else "registered, and does not answer the leader"
    return "not registered"


def _faults(name, flags, secrets, environment, aliases):
    """Everything that is wrong with the arguments, as sentences."""
    faults = []
    if not isinstance(name, str) or not os.path.isabs(name) or os.path.realpath(name).count("/") < 2:
        faults.append(f"name: {name} is not a directory that one could own. It looks like /etc/mesos-master")
    elif os.path.lexists(name) and not os.path.isdir(name):
        faults.append(f"name: {name} is there and not a directory")
    if not isinstance(environment, Mapping | list | tuple):
        faults.append("environment: should be a mapping or a list of names")
    for argument, value in (("flags", flags), ("secrets", secrets), ("aliases", aliases)):
        if not isinstance(value, Mapping):
            faults.append(f"{argument}: should be a mapping")
    if faults:
        return faults

    spellings = {}
    for flag, value in (*flags.items(), *secrets.items()):
        if not isinstance(flag, str) or not FLAG.fullmatch(flag):
            faults.append(f"{flag}: not the name of a flag")
        elif value is not None and (value is not False or not flag.startswith("?")):
            spellings.setdefault(_canonical(flag, aliases), []).append(flag)
    for variable in environment:
        match = PROGRAM_VARIABLE.fullmatch(str(variable))
        flag = match[1] if match else WRAPPER_VARIABLES.get(variable)
        if flag:
            spellings.setdefault(_canonical(flag, aliases), []).append(f"{variable} (environment)")
    for flag, names in spellings.items():
        if len(names) > 1:
            faults.append(f"{flag}: the same flag in {len(names)} spellings: {', '.join(names)}. Keep one of them")
    return faults


def _canonical(flag, aliases):
    """The name of a flag behind ``?x``, ``no-x``, ``disable_x``, capital letters and old names."""
    plain = re.sub("^(no|disable)_", "", flag.lstrip("?").lower().replace("-", "_"))
    return aliases.get(plain, plain)


def _id(name, find, attribute, kind):
    """The number of a user or group, -1 (leave it) for None."""
    if name is None:
        return -1
    try:
        return getattr(find(str(name)), attribute)
    except KeyError:
        raise ValueError(f"{kind}: there is no {kind} {name}") from None


def _mode(mode):
    """Permissions as a number. Salt's YAML makes of an unquoted 0644 the number 644."""
    if not re.fullmatch(r"0?[0-7]{3}", str(mode)):
        raise ValueError(f"mode: {mode} are no permissions. They look like '0644'")
    return int(str(mode), 8)


def _wanted(flags, secrets, mode):
    """What should be: relative path -> _File, or None for a directory. Raises ValueError for an impossible value."""
    wanted = {}
    for flag, value in flags.items():
        if flag in DIRECTORIES and isinstance(value, Mapping):
            entries = {entry: _entry(flag, entry, given) for entry, given in value.items() if given is not None}
            wanted.update({flag: None} if entries else {})
            wanted.update({f"{flag}/{entry}": _File(f"{text}\n", mode, False) for entry, text in entries.items()})
        elif flag.startswith("?"):
            if value not in (True, False, None):
                raise ValueError(f"{flag}: a bare flag has no value; true or false")
            wanted.update({flag: _File("", mode, False)} if value else {})
        elif value is not None:
            wanted[flag] = _File(f"{_text(flag, value)}\n", mode, False)
    for flag, value in secrets.items():
        if value is not None:
            wanted[flag] = _File(_text(flag, value), 0o600, True)
    return wanted


def _text(flag, value):
    """A value as the daemon reads it. Raises ValueError, without the value in it, if there is no such text."""
    text = value
    try:
        if not isinstance(value, str):
            text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError):
        raise ValueError(f"{flag}: the value is neither text, number, boolean nor JSON. A date needs quotes") from None
    if "\0" in text:
        raise ValueError(f"{flag}: text cannot hold a NUL")
    return text.rstrip("\n")


def _entry(flag, entry, value):
    """An attribute or a resource as text. Raises ValueError if it is neither."""
    if not isinstance(entry, str) or not ENTRY.fullmatch(entry):
        raise ValueError(f"{flag}: {entry} is not a name that an entry can have")
    if isinstance(value, list) and value and all(isinstance(item, str | int) for item in value):
        items = [str(item) for item in value]
        if all(RANGE.fullmatch(item) for item in items):
            return f"[{','.join(item if '-' in item else f'{item}-{item}' for item in items)}]"
        return f"{{{','.join(items)}}}"
    if isinstance(value, list | Mapping):
        raise ValueError(f"{flag}: {entry} should be text, a number, or a list of these")
    text = _text(f"{flag}: {entry}", value)
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
        there = _listing(root, wanted)

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
        if is_there and _is_as(full, file):
            is_now, should = _rights(full, owner, mode)
            if is_now != should:
                steps.append(_Step(path, is_now, should, functools.partial(_own, full, mode, owner)))
        elif file is None:
            replaced.add(path)
            steps.append(_Step(path, old, "directory", functools.partial(_make_directory, full, dir_mode, owner)))
        else:
            new = HIDDEN if file.is_secret else _shown(file.text)
            steps.append(_Step(path, old, new, functools.partial(_write, full, file.text, file.mode, owner)))
    return steps


def _listing(root, wanted):
    """Relative paths of what lies in the directory, and in its subdirectories that should be there. Sorted."""
    found = []
    for entry in sorted(os.listdir(root)):
        if entry.startswith("."):
            continue
        found.append(entry)
        below = os.path.join(root, entry)
        if entry in wanted and wanted[entry] is None and _kind(below) == "directory":
            found += [f"{entry}/{inner}" for inner in sorted(os.listdir(below)) if not inner.startswith(".")]
    return found


def _kind(path):
    """What lies at a path. A symlink is none of the kinds that should be there, wherever it leads."""
    mode = os.lstat(path).st_mode
    if stat.S_ISREG(mode):
        return "file"
    return "directory" if stat.S_ISDIR(mode) else "other"


def _is_as(path, file):
    """Whether what is there is what should be, permissions and owner aside."""
    if file is None:
        return _kind(path) == "directory"
    return _kind(path) == "file" and _read(path) == file.text


def _read(path):
    """The text of a file; bytes that are no UTF-8 are replaced, and then differ from anything that is wanted."""
    with open(path, encoding="utf-8", errors="replace", newline="") as stream:
        return stream.read()


def _describe(full, path, file=None):
    """What a report says of something that is there, before it is changed or removed."""
    kind = _kind(full)
    if kind == "directory":
        return "directory"
    if kind == "other":
        return f"link to {os.readlink(full)}" if os.path.islink(full) else "neither file nor directory"
    # What others cannot read is not shown to them, nor what has been left of a secret (credential.rpmsave).
    is_left = file is None and re.search("credential|secret|password", path)
    if is_left or (file and file.is_secret) or not os.lstat(full).st_mode & stat.S_IROTH:
        return HIDDEN
    return _shown(_read(full))


def _shown(text):
    """Text for a report: not endless, and without the credentials of a URL."""
    text = re.sub(r"(://)[^\s/@]*:\S*@", rf"\g<1>{HIDDEN}@", text.rstrip("\n"))
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}..."


def _rights(path, owner, mode):
    """Permissions and owner as they are, and as they should be, to be compared and shown."""
    now = os.stat(path)
    uid, gid = (now.st_uid if owner[0] < 0 else owner[0]), (now.st_gid if owner[1] < 0 else owner[1])
    return f"{stat.S_IMODE(now.st_mode):04o} {now.st_uid}:{now.st_gid}", f"{mode:04o} {uid}:{gid}"


def _remove(path):
    """Remove whatever is there; a symlink, not what it leads to."""
    if _kind(path) == "directory":
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _make_directory(path, mode, owner):
    """Make a directory in place of whatever is there."""
    if os.path.lexists(path):
        _remove(path)
    os.makedirs(path)
    _own(path, mode, owner)


def _own(path, mode, owner):
    """Set owner and permissions; in this order, as a change of owner takes permissions away."""
    os.chown(path, *owner)
    os.chmod(path, mode)


def _write(path, text, mode, owner):
    """Write a file beside, under a name that daemons skip, and put it in place in one go: they never see half of it."""
    if os.path.lexists(path) and _kind(path) == "directory":
        shutil.rmtree(path)
    handle, beside = tempfile.mkstemp(prefix=".", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        _own(beside, mode, owner)
        os.replace(beside, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
