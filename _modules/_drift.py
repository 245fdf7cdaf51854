"""
Compare what runs with what is declared, for ``cluster.drift``. A helper, not a module itself:
Salt's loader skips names that begin with ``_``.
"""

import contextlib
import json
import os
import re
from collections.abc import Mapping

# What is shown instead of two values that may have a secret, or of one, or of none.
DIFFERS = "differs"
PRESENT = "present"
ABSENT = "none"
# Users in URLs, values that are redacted already, and JSON.
SECRET_TEXT = re.compile(r"//[^\s/]*@|\*\*\*|^(\{\s*\"|\[\s*[\[{\"])")
SECRET_FLAG = re.compile("pass|secret|token|credential|key")
MAX_LENGTH = 80
DIRECTORY_FLAGS = ("attributes", "resources")
# The init wrapper removes it, as the daemons do not know it.
WRAPPER_FLAGS = ("logger",)
QUANTITY = re.compile(r"(\d+(?:\.\d+)?)([A-Za-z]+)")
# Of durations and sizes, in seconds and bytes.
UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "secs": 1,
    "mins": 60,
    "hrs": 3600,
    "days": 86400,
    "weeks": 604800,
    "B": 1,
    "KB": 1024,
    "MB": 1024**2,
    "GB": 1024**3,
    "TB": 1024**4,
}
# Function of a state -> what its changes are about.
SUBJECTS = {
    "flags_managed": "flag",
    "apps_present": "app",
    "app_absent": "app",
    "group_present": "group",
    "group_absent": "group",
    "jobs_present": "job",
    "weights_present": "weight",
    "quota_present": "quota",
    "quota_absent": "quota",
}
# The paths of their changes begin with the name of the subject.
BULK_FUNCTIONS = ("flags_managed", "apps_present", "jobs_present", "weights_present")
# SLS, or the beginning of its name -> what the screen calls the service.
SERVICES = {"mesos.master": "mesos-master", "mesos.slave": "mesos-slave", "common": "host"}
# What states for daemons would do -> what the daemon is now.
DAEMON_STATUSES = {"started": "not running", "enabled": "disabled", "reactivated": "drained"}
STALE_MARK = "Newer than the process: "
# States that only run after a change of another one, or before it.
CONSEQUENCES = ("cmd", "module")
PRECAUTIONS = ("store_saved",)
VERSION = re.compile(r"\d+\.\d+\.\d+")
MARATHON_VARIABLE = re.compile(r'MARATHON_(?P<name>\w+)="(?P<text>.*)"')
ESCAPED = re.compile(r"\\(.)")
# Servers in a zoo.cfg. Some versions show the default type, and where the server listens.
SERVER = re.compile(r"server\.\d+")
SERVER_TYPE = re.compile(r"(:participant)?(;.*)?$")
# Options in daemon.json -> the keys of `docker info`.
DOCKER_KEYS = {
    "storage-driver": "Driver",
    "log-driver": "LoggingDriver",
    "live-restore": "LiveRestoreEnabled",
    "data-root": "DockerRootDir",
    "graph": "DockerRootDir",
    "default-runtime": "DefaultRuntime",
    "debug": "Debug",
    "labels": "Labels",
}
DOCKER_LISTS = ("labels", "registry-mirrors")


def difference(service, subject, runs, declared):
    """
    Return one difference: texts, without secrets.

    ``runs`` and ``declared`` are values of any type, or None for what is not set.
    """
    texts = [_display_text(runs), _display_text(declared)]
    if DIFFERS in texts and None not in (runs, declared):
        texts = [DIFFERS, DIFFERS]
    elif DIFFERS in texts:
        texts = [PRESENT if text == DIFFERS else text for text in texts]
    return {"service": service, "what": subject, "runs": texts[0], "declared": texts[1]}


def _display_text(value):
    """Return a value for the screen: one line, and no value that may have a secret."""
    if value is None:
        return ABSENT
    if isinstance(value, (Mapping, list)):
        return DIFFERS
    text = " ".join(str(value).split())
    if SECRET_TEXT.search(text):
        return DIFFERS
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}..."


# --- flags ---


def flags_on_disk(directory):
    """
    Return the flags in a directory, name -> text, as the init wrapper of Mesos passes them.

    Raises OSError if the directory cannot be read.
    """
    flags = {}
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if name.startswith("."):
            continue
        if os.path.isdir(path):
            if name in DIRECTORY_FLAGS:
                flags[name] = _joined(path)
        elif name.startswith("?"):
            flag = name[len("?no-") :] if name.startswith("?no-") else name[1:]
            flags[flag] = "false" if name.startswith("?no-") else "true"
        else:
            flags[name] = _read(path)
    return {name: text for name, text in flags.items() if name not in WRAPPER_FLAGS}


def _joined(directory):
    names = [name for name in sorted(os.listdir(directory)) if not name.startswith(".")]
    return ";".join(f"{name}:{_read(os.path.join(directory, name))}" for name in names)


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().rstrip("\n")


def compare_flags(service, flags, running_flags, aliases):
    """
    Return the differences about the flags on disk that the daemon does not have.

    flags
        Name -> text, see ``flags_on_disk``.

    running_flags
        Name -> text, the answer of ``/flags``. It names defaults as well.

    aliases
        Old name of a flag -> its new name.
    """
    differences = []
    for name, text in flags.items():
        running = running_flags.get(name, running_flags.get(aliases.get(name)))
        if running is not None and _is_same_flag(text, running):
            continue
        # A path is no secret.
        if SECRET_FLAG.search(name) and not text.startswith(("/", "file://")):
            running, text = DIFFERS, DIFFERS
        differences.append(difference(service, f"flag {name}", running, text))
    return differences


def _is_same_flag(text, running):
    candidates = [text]
    if text.startswith("file://"):
        path = text[len("file://") :]
        candidates.append(path)
        # Mesos reads the value from the file, unless the flag is a path.
        with contextlib.suppress(OSError):
            candidates.append(_read(path).strip())
    return _canonical(running) in [_canonical(candidate) for candidate in candidates]


def _canonical(text):
    """Return the value of a flag: Mesos shows 60secs as 1mins, and writes JSON anew."""
    text = text.strip()
    match = QUANTITY.fullmatch(text)
    if match and match[2] in UNITS:
        # A duration is a whole number of nanoseconds.
        return round(float(match[1]) * UNITS[match[2]], 9)
    try:
        return json.loads(text)
    except ValueError:
        pass
    return sorted(text.split(";")) if ";" in text else text


# --- options of Marathon, ZooKeeper and dockerd ---


def marathon_options_on_disk(directory=None, environment=None):
    """
    Return the options of Marathon in its files, name -> text: those of a directory of flags, and
    the variables ``MARATHON_*`` of an environment file. Raises OSError if a file cannot be read.
    """
    options = flags_on_disk(directory) if directory else {}
    for line in _read(environment).splitlines() if environment else ():
        variable = MARATHON_VARIABLE.fullmatch(line)
        if variable:
            text = ESCAPED.sub(r"\1", variable["text"])
            # An option without a value.
            options[variable["name"].lower()] = text or "true"
    return options


def compare_marathon(options, info):
    """Return the differences from the options that ``/v2/info`` has. It does not have all."""
    running = {}
    for section in ("marathon_config", "zookeeper_config", "http_config"):
        running.update(info.get(section) or {})
    return _compare_options("marathon", options, running)


def zookeeper_options_on_disk(path):
    """Return the options in a zoo.cfg, name -> text. Raises OSError if it cannot be read."""
    lines = [line.partition("=") for line in _read(path).splitlines() if not line.startswith("#")]
    return {name: ESCAPED.sub(r"\1", text) for name, separator, text in lines if separator}


def compare_zookeeper(options, running_options):
    """
    Return the differences from the options that the command ``conf`` has. It does not have all, and
    the list of servers only from 3.5 on, and only of an ensemble.
    """
    options = {name: SERVER_TYPE.sub("", text) for name, text in options.items()}
    running = {name: SERVER_TYPE.sub("", text) for name, text in running_options.items()}
    # A number there, a word in the file. The list of servers has it as well.
    running.pop("peerType", None)
    for name in {"dataDir", "dataLogDir"} & set(options) & set(running):
        options[name] = options[name].rstrip("/")
        running[name] = re.sub("/version-2$", "", running[name])
    servers = {name: None for name in running if SERVER.fullmatch(name)}
    if servers:
        servers.update((name, None) for name in options if SERVER.fullmatch(name))
        running = {**servers, **running}
        options = {**servers, **options}
    return _compare_options("zookeeper", options, running)


def compare_docker(options, info):
    """Return the differences from what ``docker info`` has. It does not have all."""
    running = {name: info[key] for name, key in DOCKER_KEYS.items() if key in info}
    running["registry-mirrors"] = (info.get("RegistryConfig") or {}).get("Mirrors")
    return _compare_options("docker", _normalized_lists(options), _normalized_lists(running))


def _normalized_lists(options):
    """Return options of dockerd without the slash that it adds to the URL of a mirror."""
    lists = {
        name: [str(item).rstrip("/") for item in options[name] or []]
        for name in DOCKER_LISTS
        if name in options
    }
    return {**options, **lists}


def _compare_options(service, options, running):
    """Return the differences of the options that the daemon reports."""
    return [
        difference(service, f"option {name}", _option_text(running[name]), _option_text(value))
        for name, value in options.items()
        if name in running and _option_text(value) != _option_text(running[name])
    ]


def _option_text(value):
    """Return the value of an option as text: a list with commas, in any order."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        value = value.strip().split(",")
    if isinstance(value, list):
        return ",".join(sorted(str(item).strip() for item in value)) or None
    return value if value is None else str(value)


# --- versions ---


def compare_version(service, running, installed):
    """Return the difference that another version runs than is installed, as a list."""
    versions = [VERSION.search(str(text)) for text in (running, installed)]
    if None in versions or versions[0][0] == versions[1][0]:
        return []
    return [difference(service, "version", running, installed)]


# --- states ---


class StateResults:
    """The results of a test run: names in it, differences and errors."""

    def __init__(self, results):
        ordered = sorted(results.items(), key=lambda entry: entry[1].get("__run_num__", 0))
        self._entries = [(tag.split("_|-"), result) for tag, result in ordered]

    def name(self, state_id):
        """Return the name of the state with an ID, such as that of a package; None without one."""
        for (_, current_id, name, _), _ in self._entries:
            if current_id == state_id:
                return name
        return None

    def errors(self):
        """Return the comments of the states that cannot be compared."""
        return [
            f"{state_id}: {' '.join(result['comment'].split())}"
            for (_, state_id, _, _), result in self._entries
            # A state that did not run has a requisite that failed, and is listed itself.
            if result["result"] is False and result.get("__state_ran__", True)
        ]

    def differences(self, version):
        """
        Return what the states would change.

        version
            Function that returns the installed version of a package.
        """
        differences = []
        for (state, _, name, function), result in self._entries:
            if result["result"] is not None or state in CONSEQUENCES or function in PRECAUTIONS:
                continue
            service = _service(result["__sls__"])
            if state == "pkg":
                differences += _package_differences(service, result, version)
            elif state == "daemon":
                differences += _daemon_differences(service, result)
            elif function in SUBJECTS:
                differences += _value_differences(service, name, function, result["changes"])
            else:
                # Their changes are differences of files, which may have secrets.
                differences.append(difference(service, f"{state} {name}", DIFFERS, DIFFERS))
        return differences


def _service(sls):
    for prefix, service in SERVICES.items():
        if sls == prefix or sls.startswith(f"{prefix}."):
            return service
    return sls.partition(".")[0]


def _package_differences(service, result, version):
    differences = []
    for package, change in result["changes"].items():
        declared = change["new"]
        match = re.search(rf"{re.escape(package)}=([^\s,]+)", result["comment"])
        if match:
            declared = match[1]
        if declared == "removed":
            declared = None
        installed = version(package) or None
        differences.append(difference(service, f"package {package}", installed, declared))
    return differences


def _daemon_differences(service, result):
    stale_files = result["comment"].partition(STALE_MARK)[2]
    differences = []
    for subject, action in result["changes"].items():
        status = DAEMON_STATUSES.get(action)
        if not status:
            status = f"started before {stale_files}" if stale_files else "with files that differ"
        differences.append(difference(service, f"daemon {subject}", status, action))
    return differences


def _value_differences(service, name, function, changes):
    differences = []
    for path, old, new in _values(changes):
        if function not in BULK_FUNCTIONS:
            path = [name, *path]
        # Only the ids of apps begin with a slash. The field / is the whole definition.
        name_text = path[0] if SUBJECTS[function] in ("app", "group") else path[0].lstrip("/")
        fields = [field.lstrip("/") for field in path[1:] if field != "/"]
        subject = " ".join([SUBJECTS[function], name_text, *fields])
        if function == "flags_managed" and name.endswith("-secrets"):
            old, new = DIFFERS, DIFFERS
        differences.append(difference(service, subject, old, new))
    return differences


def _values(changes, path=()):
    """Return path, old and new value of each change; a state may nest its changes."""
    values = []
    for key, change in changes.items():
        key_path = [*path, str(key)]
        if not isinstance(change, Mapping):
            values.append((key_path, DIFFERS, change))
        elif change and set(change) <= {"old", "new"}:
            values.append((key_path, change.get("old"), change.get("new")))
        else:
            values += _values(change, key_path)
    return values


def merge(state_differences, running_differences):
    """
    Return all differences, sorted, one for each flag.

    If the files differ from pillar and the daemon from the files, the difference has what runs and
    what pillar declares.
    """
    running = {(entry["service"], entry["what"]): entry for entry in running_differences}
    merged = []
    for entry in state_differences:
        subject = (entry["service"], entry["what"].replace("flag ?", "flag "))
        live = running.pop(subject, None)
        merged.append({**entry, "runs": live["runs"]} if live else entry)
    merged += running.values()
    return sorted(merged, key=lambda entry: (entry["service"], entry["what"]))
