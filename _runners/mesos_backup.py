"""
Back up what a cluster of the topology stores, and restore it.

A backup is one directory on the Salt master. Apps, jobs, quotas, weights and the maintenance
schedule are in it as the servers return them, so that they can be restored to a new cluster of
other versions through the same APIs. It also has the znodes of ZooKeeper, as they are.

The file is not called ``cluster.py``, because Salt 3008 has a runner of that name for clusters of
Salt masters.
"""

import base64
import datetime
import hashlib
import importlib
import json
import os
import re
import shutil
import time
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path

import mesos_cluster
import salt.client
import salt.output
import salt.payload
import salt.utils.jid
from salt.exceptions import SaltException

# saltutil.sync_* does not replace a file that sys.modules already has.
importlib.reload(mesos_cluster)

__virtualname__ = "cluster"
# Beside what systemd and packages call state: a backup outlives a reinstallation of Salt, whose
# cache in /var/cache may be deleted at any time.
DEFAULT_DIRECTORY = "/var/lib/salt-mesos/backups"
DIRECTORY_OPTION = "cluster.backup_directory"
DEFAULT_TIMEOUT = 60
FORMAT = 1
MANIFEST = "manifest.json"
SETTINGS_FILE = "settings.json"
MARATHON_FILE = "marathon.json"
CHRONOS_FILE = "chronos.json"
MESOS_FILE = "mesos.json"
ZNODES_FILE = "znodes.jsonl"
INCOMPLETE_PREFIX = ".incomplete-"
NAME_FORMAT = "%Y-%m-%dT%H-%M-%SZ"
NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ")
LATEST = "latest"
# Attempts to read a result in parts. It must not change between the parts.
READ_ATTEMPTS = 5
# Bytes of JSON in one request to write znodes.
ZNODES_BYTES = 512 * 1024
# A Salt call that waits for a deployment, in seconds.
DEPLOYMENT_TIMEOUT = 300
# Seconds to wait until the sessions of stopped daemons have expired. ZooKeeper grants at most 40
# with its default tickTime, and a daemon that was killed keeps its session for that long.
SESSION_TIMEOUT = 60
# For up to a second after an election Chronos 3 returns an empty list of jobs.
SETTLE_SECONDS = 3
PACKAGES = (
    "mesos",
    "marathon",
    "chronos",
    "zookeeper",
    "mesosphere-zookeeper",
    "docker-ce",
    "docker",
)
# Role -> setting of its path in ZooKeeper, and its default.
CHROOTS = {
    "marathon": (("marathon", "zk"), "/marathon"),
    "chronos": (("chronos", "options", "zk_path"), "/chronos/state"),
    "mesos-master": (("mesos", "zk"), "/mesos"),
}
# Role -> units that write to its path.
UNITS = {
    "marathon": ("marathon",),
    "chronos": ("chronos",),
    "mesos-master": ("mesos-master",),
}
MAX_IDS_IN_SENTENCE = 20


class BackupError(Exception):
    """Why a backup or a restore stops: one sentence."""


def __virtual__():
    return __virtualname__


# --- what users call ---


def backup(directory=None, keep=None, timeout=DEFAULT_TIMEOUT, cluster=None):
    """
    Back up the apps, jobs, quotas, weights, maintenance schedule and znodes of the cluster.

    directory
        Directory of the Salt master for all backups. Default: the option
        ``cluster.backup_directory`` of the master, or ``/var/lib/salt-mesos/backups``. A cluster
        that has a name uses the directory of this name below it.

    keep
        How many backups of this cluster to keep, 1 or more: older ones are removed after a
        successful backup. Default: all.

    timeout
        Seconds that the minions have to answer, default 60.

    cluster
        Name of the cluster, if the Salt master has several: ``pillar/topologies/NAME.yaml``.
        Default: the only one.

    Prints a sentence for each step. With ``--out`` prints these data instead: ``name`` and ``path``
    of the backup, ``counts``, ``removed`` (names of old backups), ``steps`` (the sentences) and
    ``retcode``: 0, or 1 with an ``error``. Without success no backup has the name.

    CLI Example:

    .. code-block:: bash

        salt-run cluster.backup
        salt-run cluster.backup keep=14 directory=/srv/backups
        salt-run cluster.backup cluster=berlin
    """
    return _run("cluster.backup", lambda report: _backup(report, directory, keep, timeout, cluster))


def restore(
    backup,
    app=None,
    pod=None,
    job=None,
    quotas=False,
    weights=False,
    maintenance=False,
    znodes=None,
    force=False,
    test=False,
    directory=None,
    timeout=DEFAULT_TIMEOUT,
    cluster=None,
):
    """
    Restore a backup, or a part of it. What is equal is left alone, and nothing is deleted.

    backup
        Name of the backup, such as ``2030-01-01T03-00-00Z``, or ``latest``.

    app, pod, job
        Ids of apps or pods, or names of jobs, to restore: a list, or text with commas. Default:
        none.

    quotas, weights, maintenance
        Whether to restore these. Default False. Without any of ``app`` to ``znodes``, everything is
        restored but the znodes.

    znodes
        A path of ZooKeeper to restore, such as ``/marathon``: afterwards it has the znodes of the
        backup and no others. The daemons that use it must be stopped. Default: none.

    force
        Restore everything although the cluster has apps, pods or jobs that differ from those of the
        backup or are not in it; and set quotas above the capacity of the cluster. Default False.

    test
        Only show what would be done. Default False.

    directory, timeout, cluster
        As for ``cluster.backup``.

    Prints a sentence for each step. With ``--out`` prints these data instead: ``name``, ``steps``
    (the sentences), ``changes`` (whether anything was, or would be, changed) and ``retcode``: 0, or
    1 with an ``error``. After an error it can be repeated.

    CLI Example:

    .. code-block:: bash

        salt-run cluster.restore latest test=True
        salt-run cluster.restore 2030-01-01T03-00-00Z
        salt-run cluster.restore latest app=/shop/cart
        salt-run cluster.restore latest cluster=berlin
        salt-run cluster.restore latest znodes=/marathon
    """
    selection = {
        "app": _names("app", app),
        "pod": _names("pod", pod),
        "job": _names("job", job),
        "quotas": quotas,
        "weights": weights,
        "maintenance": maintenance,
        "znodes": znodes,
    }
    return _run(
        "cluster.restore",
        lambda report: _restore(
            report, backup, selection, force, test, directory, timeout, cluster
        ),
    )


class Report:
    """The sentences about the steps, and data for programs. Prints them for people."""

    def __init__(self, is_printed):
        self.is_printed = is_printed
        self.steps = []
        self.data = {}

    def step(self, sentence):
        """Add a sentence about a step."""
        self.steps.append(sentence)
        if self.is_printed:
            salt.output.display_output(sentence, "txt", __opts__)

    def result(self):
        """Return the data."""
        return {**self.data, "steps": self.steps}


def _run(function, run):
    """Call ``run`` with a report, and return its data. An error becomes a sentence."""
    # Only the command line has this option. The scheduler and orchestrations get the data alone.
    report = Report(__opts__.get("fun") == function and not __opts__.get("output"))
    retcode = 0
    try:
        run(report)
    except (BackupError, SaltException, OSError) as error:
        retcode = 1
        sentence = f"Error: {error}"
        report.data["error"] = str(error)
        report.step(sentence)
    __context__["retcode"] = retcode
    if report.is_printed:
        mesos_cluster._suppress_output(__salt__)
    return {**report.result(), "retcode": retcode}


def _names(argument, value):
    if value is None:
        return []
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return [str(name) for name in value]


# --- asking the minions ---


class Cluster:
    """
    The minions of the topology.

    Their answers have secrets, as the environment of apps does. Therefore Salt's job cache stores
    neither the answers (``nocache``) nor, after the call, the arguments.
    """

    def __init__(self, client, opts, topology, minions, timeout):
        self._client = client
        self._opts = opts
        self._timeout = timeout
        self.topology = topology
        roles_by_minion = mesos_cluster._members(topology, minions)
        accepted = sorted(set(minions) & set(roles_by_minion))
        self.roles_by_node = {node: roles_by_minion[node] for node in accepted}
        # Asking a node that is down again would cost the timeout each time.
        self._silent_nodes = set()

    def nodes(self, role):
        """Return the nodes with a role whose keys are accepted."""
        return [node for node, roles in self.roles_by_node.items() if role in roles]

    def call(self, nodes, function, arguments=None):
        """Call a function on nodes. Returns ``(succeeded, result)`` for each that answers."""
        jid = salt.utils.jid.gen_jid(self._opts)
        try:
            answers = self._client.cmd(
                nodes,
                function,
                [{"__kwarg__": True, **(arguments or {})}],
                tgt_type="list",
                timeout=self._timeout,
                jid=jid,
                full_return=True,
                nocache=True,
            )
        finally:
            _erase_arguments(self._opts, jid)
        results = {
            node: (answer.get("retcode", 1) == 0, answer.get("ret"))
            for node, answer in answers.items()
            if _is_answer(answer)
        }
        self._silent_nodes |= set(nodes) - set(results)
        return results

    def read(self, role, function, arguments=None):
        """Return the result of a function on the first node with a role where it succeeds."""
        errors = {}
        for node in self._responding(role):
            try:
                return self._read_parts(node, function, arguments or {})
            except BackupError as error:
                errors[node] = str(error)
        raise self._failure(role, function, errors)

    def write(self, role, function, arguments=None):
        """
        Return the result of a function on the first node with a role that answers.

        Its error is raised: the next node would ask the same leader again.
        """
        for node in self._responding(role):
            answer = self.call([node], function, arguments).get(node)
            if answer is None:
                continue
            succeeded, result = answer
            if not succeeded:
                raise BackupError(f"{function} fails on {node}: {_message(result)}.")
            return result
        raise self._failure(role, function, {})

    def _responding(self, role):
        """Yield the nodes with a role that have not failed to answer."""
        for node in self.nodes(role):
            if node not in self._silent_nodes:
                yield node

    def _failure(self, role, function, errors):
        """Return the error of a function that has failed on each node with a role."""
        reasons = [
            f"{node}: {errors.get(node, 'it does not respond to Salt')}"
            for node in self.nodes(role)
        ]
        reason = "; ".join(reasons) or "no accepted node of the topology has it"
        return BackupError(f"{function} fails on each node with the role {role}: {reason}.")

    def _read_parts(self, node, function, arguments):
        """Return a result that the minion sends in parts. See ``cluster.part``."""
        for _ in range(READ_ATTEMPTS):
            text = ""
            checksums = set()
            length = None
            while length is None or (len(text) < length and len(checksums) == 1):
                part = self._part(node, function, arguments, len(text))
                text += part["text"]
                length = part["length"]
                checksums.add(part["sha256"])
            if len(checksums) == 1:
                return _unpack(text, checksums.pop())
        raise BackupError("the result changed each time while it was read")

    def _part(self, node, function, arguments, offset):
        question = {"function": function, "arguments": arguments, "offset": offset}
        answers = self.call([node], "cluster.part", question)
        if node not in answers:
            raise BackupError("it does not respond to Salt")
        succeeded, part = answers[node]
        if (
            not succeeded
            or not isinstance(part, dict)
            or not {"text", "length", "sha256"} <= set(part)
        ):
            raise BackupError(_message(part))
        return part


def _is_answer(answer):
    """Return whether a minion answered. Otherwise Salt returns False, or an answer of its own."""
    return isinstance(answer, dict) and "ret" in answer and answer.get("out") != "no_return"


def _unpack(text, checksum):
    """Return the value of a compressed text. Raises BackupError if it is damaged."""
    try:
        document = zlib.decompress(base64.b64decode(text))
    except (ValueError, zlib.error):
        document = b""
    if hashlib.sha256(document).hexdigest() != checksum:
        raise BackupError("the result arrived damaged")
    return json.loads(document)


def _message(result):
    """Return the line of an error that says what has failed."""
    lines = str(result).strip().splitlines() or ["no result"]
    return lines[-1].rpartition("Error: ")[2].removeprefix("ERROR: ").rstrip(".")


def _erase_arguments(opts, jid):
    """
    Remove the arguments of a job from the job cache, which stores them even with ``nocache``.

    The file itself stays: without it Salt would store a late answer in its place.
    """
    directory = salt.utils.jid.jid_dir(
        jid, os.path.join(opts["cachedir"], "jobs"), opts["hash_type"]
    )
    path = Path(directory, ".load.p")
    with suppress(FileNotFoundError):
        load = salt.payload.loads(path.read_bytes())
        load["arg"] = []
        replacement = path.with_name(".load.p.new")
        _write_file(replacement, salt.payload.dumps(load))
        replacement.rename(path)


@contextmanager
def _cluster(timeout, cluster):
    """Yield the cluster of the topology. Raises BackupError if answers would be stored."""
    stores = [
        f"{option}: {__opts__[option]}"
        for option, harmless in (
            ("master_job_cache", ("local_cache",)),
            ("ext_job_cache", ("", None)),
            ("event_return", ("", None, [])),
        )
        if __opts__.get(option) not in (*harmless, None)
    ]
    if stores:
        raise BackupError(
            f"The Salt master stores all answers ({', '.join(stores)}), and these have the secrets "
            "of apps. Use a master with the default job cache."
        )
    topology, minions = mesos_cluster._read_topology(__salt__, __opts__, cluster)
    errors = mesos_cluster._topology_errors(topology, topology["nodes"])
    if errors:
        raise BackupError(" ".join(sentence for _, sentence in errors))
    with salt.client.get_local_client(mopts=__opts__) as client:
        yield Cluster(client, __opts__, topology, minions, timeout)


# --- files ---


def _write_file(path, data):
    """Write a file that only its owner may read, to the disk. Raises OSError if it exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _dump(value):
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"


def _directory(directory, cluster):
    """Return the directory of all backups of a cluster."""
    path = Path(directory or __opts__.get(DIRECTORY_OPTION) or DEFAULT_DIRECTORY)
    if not path.is_absolute():
        raise BackupError(f"directory: {directory} should be an absolute path.")
    return path / (cluster.topology.get("cluster") or "")


def _create_directory(path):
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except PermissionError:
        user = __opts__.get("user", "root")
        raise BackupError(
            f"The user {user} may not create {path}. Create it once: install -d -o {user} -m 0700 "
            f"{path}"
        ) from None


class Backup:
    """A backup whose manifest is read, and whose files are checked when they are read."""

    def __init__(self, path):
        self.path = path
        self.manifest = _read_manifest(path)

    def verify(self):
        """Raise BackupError, which names the file, if a file differs from the manifest."""
        for name in sorted(self.manifest["files"]):
            self._verified(name)
        counts = _counts(self.read)
        for kind, count in self.manifest["counts"].items():
            if counts.get(kind) != count:
                raise BackupError(
                    f"{self.path / MANIFEST}: it counts {count} {kind}, and the files have "
                    f"{counts.get(kind, 0)}. The backup is damaged."
                )

    def has(self, name):
        """Return whether there is such a file. There is none for a service without nodes."""
        return name in self.manifest["files"]

    def read(self, name):
        """Return the content of a file, None if there is none."""
        if not self.has(name):
            return None
        data = self._verified(name)
        if name == ZNODES_FILE:
            return [json.loads(line) for line in data.splitlines()]
        return json.loads(data)

    def _verified(self, name):
        path = self.path / name
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise BackupError(f"{path} is missing. The backup is damaged.") from None
        checksum = self.manifest["files"][name]["sha256"]
        if hashlib.sha256(data).hexdigest() != checksum:
            raise BackupError(
                f"{path} is damaged: its SHA-256 checksum is not {checksum}, that of the manifest."
            )
        return data


def _read_manifest(path):
    """Return the manifest of a backup. Raises BackupError if it is not one of this runner."""
    file = path / MANIFEST
    try:
        manifest = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise BackupError(f"{file} does not exist: {path.name} is not a complete backup.") from None
    except ValueError:
        raise BackupError(f"{file} is damaged: it is not JSON.") from None
    required = {"format", "name", "cluster", "counts", "files", "checksum"}
    if not isinstance(manifest, dict) or not required <= set(manifest):
        raise BackupError(f"{file} is damaged: it is not the manifest of a backup.")
    if manifest["format"] != FORMAT:
        raise BackupError(
            f"{file} has the format {manifest['format']}, and this version reads format {FORMAT}."
        )
    if manifest["checksum"] != _manifest_checksum(manifest):
        raise BackupError(f"{file} is damaged: its own SHA-256 checksum differs.")
    return manifest


def _manifest_checksum(manifest):
    content = {key: value for key, value in manifest.items() if key != "checksum"}
    return hashlib.sha256(_dump(content)).hexdigest()


def _counts(read):
    """Return how many of each kind a backup has. ``read`` returns the content of a file."""
    counts = {}
    marathon = read(MARATHON_FILE)
    if marathon is not None:
        counts.update({kind: len(marathon[kind]) for kind in ("apps", "pods", "groups")})
    jobs = read(CHRONOS_FILE)
    if jobs is not None:
        counts["jobs"] = len(jobs)
    mesos = read(MESOS_FILE)
    if mesos is not None:
        counts.update({kind: len(mesos[kind]) for kind in ("quotas", "weights", "windows")})
    znodes = read(ZNODES_FILE)
    if znodes is not None:
        counts["znodes"] = len(znodes)
    return counts


def _complete_backups(directory):
    """Return the complete backups in a directory, the oldest first."""
    backups = []
    for path in sorted(directory.iterdir()) if directory.is_dir() else []:
        if not NAME.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
            continue
        with suppress(BackupError, OSError):
            candidate = Backup(path)
            if candidate.manifest["name"] == path.name:
                backups.append(candidate)
    return backups


# --- backup ---


def _backup(report, directory, keep, timeout, name):
    if keep is not None and (isinstance(keep, bool) or not isinstance(keep, int) or keep < 1):
        raise BackupError(f"keep: {keep!r} should be a number of backups, 1 or more.")
    with _cluster(timeout, name) as cluster:
        parent = _directory(directory, cluster)
        manifest = _create_backup(report, cluster, parent)
    report.data["removed"] = []
    if keep is not None:
        _remove_old(report, parent, manifest["cluster"], keep)


def _create_backup(report, cluster, parent):
    """Write a backup to a directory of its own, which gets its name at the end."""
    _create_directory(parent)
    for path in sorted(parent.glob(f"{INCOMPLETE_PREFIX}*")):
        report.step(f"{path} is left from an interrupted backup. Remove it if none is running.")
    now = datetime.datetime.now(datetime.timezone.utc)
    name = now.strftime(NAME_FORMAT)
    if (parent / name).exists():
        raise BackupError(f"{parent / name} exists already.")
    incomplete = parent / f"{INCOMPLETE_PREFIX}{name}"
    incomplete.mkdir(mode=0o700)
    try:
        manifest = _write_backup(report, cluster, incomplete, name, now)
        incomplete.rename(parent / name)
    finally:
        # After the renaming there is nothing to remove.
        shutil.rmtree(incomplete, ignore_errors=True)
    _sync_directory(parent)
    report.data.update(name=name, path=str(parent / name), counts=manifest["counts"])
    report.step(f"The backup is complete: {parent / name} ({_counts_text(manifest['counts'])}).")
    return manifest


def _write_backup(report, cluster, directory, name, now):
    """Write all files and the manifest. Returns the manifest."""
    contents = {SETTINGS_FILE: _read_settings(cluster)}
    versions = {}
    if cluster.nodes("mesos-master"):
        contents[MESOS_FILE] = _read_mesos(report, cluster)
        versions["mesos"] = cluster.read("mesos-master", "mesos.version")
    if cluster.nodes("marathon"):
        contents[MARATHON_FILE] = cluster.read("marathon", "marathon.export")
        versions["marathon"] = contents[MARATHON_FILE]["version"]
        report.step(f"Read {_counts_text(_counts(contents.get))} in all.")
    if cluster.nodes("chronos"):
        contents[CHRONOS_FILE] = _read_jobs(cluster)
        versions["chronos"] = f"API {cluster.read('chronos', 'chronos.api_version')}"
        report.step(f"Read {len(contents[CHRONOS_FILE])} jobs of Chronos.")
    if cluster.nodes("zookeeper"):
        contents[ZNODES_FILE] = _read_znodes(report, cluster)
    files = {}
    for file, content in contents.items():
        data = _lines(content) if file == ZNODES_FILE else _dump(content)
        _write_file(directory / file, data)
        files[file] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    manifest = {
        "format": FORMAT,
        "name": name,
        "cluster": _cluster_name(cluster),
        "time": now.isoformat(timespec="seconds"),
        "versions": versions,
        "counts": _counts(contents.get),
        "files": files,
    }
    manifest["checksum"] = _manifest_checksum(manifest)
    _write_file(directory / MANIFEST, _dump(manifest))
    _sync_directory(directory)
    return manifest


def _lines(znodes):
    return b"".join(json.dumps(znode, sort_keys=True).encode() + b"\n" for znode in znodes)


def _cluster_name(cluster):
    """Return the name in the topology, or the one that Mesos has, or the id of the Salt master."""
    if cluster.topology.get("cluster"):
        return cluster.topology["cluster"]
    if not cluster.nodes("mesos-master"):
        return __opts__["id"]
    return cluster.read("mesos-master", "mesos.flags").get("cluster") or __opts__["id"]


def _read_settings(cluster):
    """Return the topology, and the versions of the packages of each node."""
    topology = {
        key: cluster.topology[key] for key in ("nodes", "cluster") if cluster.topology.get(key)
    }
    nodes = sorted(cluster.roles_by_node)
    answers = cluster.call(nodes, "pkg.list_pkgs") if nodes else {}
    packages = {}
    for node, (succeeded, versions) in answers.items():
        if succeeded and isinstance(versions, dict):
            packages[node] = {name: versions[name] for name in PACKAGES if name in versions}
    return {"topology": topology, "packages": packages}


def _read_mesos(report, cluster):
    content = {
        "quotas": cluster.read("mesos-master", "mesos.quotas"),
        "weights": cluster.read("mesos-master", "mesos.weights"),
        "windows": cluster.read("mesos-master", "mesos.maintenance_schedule", {"whole": True}),
    }
    counts = {kind: len(content[kind]) for kind in content}
    report.step(f"Read {_counts_text(counts)} of Mesos.")
    return content


def _read_jobs(cluster):
    """Return all jobs of Chronos by name. An empty list is read again."""
    jobs = cluster.read("chronos", "chronos.jobs")
    if not jobs:
        time.sleep(SETTLE_SECONDS)
        jobs = cluster.read("chronos", "chronos.jobs")
    return jobs


def _read_znodes(report, cluster):
    """Return all persistent znodes, the parents first."""
    znodes, _, denied = _export(cluster, "/")
    for path in denied:
        report.step(f"The znode {path} is not in the backup: its ACL does not let Salt read it.")
    report.step(f"Read {len(znodes)} znodes of ZooKeeper.")
    return znodes


def _export(cluster, path):
    """Return the znodes at and below a path, ephemeral paths, and paths that an ACL protects."""
    znodes, ephemeral, denied = [], [], []
    start = None
    while True:
        page = cluster.read("zookeeper", "zk.export", {"path": path, "start": start})
        znodes += page["znodes"]
        ephemeral += page["ephemeral"]
        denied += page["denied"]
        start = page["next"]
        if start is None:
            return znodes, ephemeral, denied


def _remove_old(report, directory, cluster_name, keep):
    """Remove the oldest complete backups of a cluster. Those with other files stay."""
    backups = [
        candidate
        for candidate in _complete_backups(directory)
        if candidate.manifest["cluster"] == cluster_name
    ]
    for candidate in backups[:-keep]:
        path = candidate.path
        foreign = {file.name for file in path.iterdir()} - {MANIFEST, *candidate.manifest["files"]}
        if foreign:
            report.step(f"{path} is not removed: {_ids_text(foreign)} is not part of the backup.")
            continue
        # Without its name it is no backup any more, if the removal is interrupted.
        incomplete = path.with_name(f"{INCOMPLETE_PREFIX}{path.name}")
        path.rename(incomplete)
        shutil.rmtree(incomplete)
        report.data["removed"].append(path.name)
        report.step(f"Removed the old backup {path}.")


def _counts_text(counts):
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "nothing"


def _ids_text(ids):
    """Return ids for a sentence, shortened if there are many."""
    ordered = sorted(ids)
    text = ", ".join(ordered[:MAX_IDS_IN_SENTENCE])
    omitted = len(ordered) - MAX_IDS_IN_SENTENCE
    return f"{text} and {omitted} more" if omitted > 0 else text


# --- restore ---


class Restore:
    """
    The restore of a backup to a cluster. Each method restores one kind, and returns whether it
    changes something.
    """

    def __init__(self, report, cluster, content, force, test):
        self._report = report
        self._cluster = cluster
        self._content = content
        self._force = force
        self._test = test

    def _step(self, verb, text):
        """Report a change: ``verb`` is ``restore`` or ``delete``."""
        predicate = f"Would {verb}" if self._test else f"{verb.capitalize()}d"
        self._report.step(f"{predicate} {text}.")

    def check_cluster(self):
        """Raise BackupError if the cluster has apps, pods or jobs that differ from the backup."""
        conflicts = []
        marathon = self._content(MARATHON_FILE)
        if marathon is not None and self._cluster.nodes("marathon"):
            current = self._cluster.read("marathon", "marathon.export")
            predicted = self._import_marathon(marathon, dry_run=True)
            for kind in ("apps", "pods"):
                ids = _conflicts(current[kind], marathon[kind], predicted[kind])
                if ids:
                    conflicts.append(f"the {kind} {_ids_text(ids)}")
        jobs = self._content(CHRONOS_FILE)
        if jobs is not None and self._cluster.nodes("chronos"):
            current_names = set(_read_jobs(self._cluster))
            predicted = self._cluster.write(
                "chronos", "chronos.import", {"jobs": jobs, "dry_run": True}
            )
            names = current_names - set(jobs) | set(predicted["changed"])
            if names:
                conflicts.append(f"the jobs {_ids_text(names)}")
        if conflicts:
            raise BackupError(
                f"The cluster runs {', '.join(conflicts)}, which differ from the backup or are not "
                "in it. With force=True they get the definitions of the backup; those that are not "
                "in it stay."
            )

    def _import_marathon(self, config, dry_run):
        if not any(config.get(kind) for kind in ("apps", "pods", "groups")):
            return {"apps": [], "pods": [], "groups": []}
        return self._cluster.write(
            "marathon", "marathon.import", {"config": config, "dry_run": dry_run}
        )

    def marathon(self, config):
        """Restore apps, pods and groups. Groups wait for the deployments of their members."""
        predicted = self._import_marathon(config, dry_run=True)
        kinds = [kind for kind in ("apps", "pods", "groups") if predicted[kind]]
        if not self._test and kinds:
            members = {**config, "groups": {}}
            result = self._import_marathon(members, dry_run=False)
            if predicted["groups"]:
                for deployment in filter(None, result.get("deployments", [])):
                    self._wait_deployment(deployment)
                self._import_marathon({"groups": config["groups"]}, dry_run=False)
        for kind in kinds:
            self._step("restore", f"the {kind} {_ids_text(predicted[kind])}")
        if kinds and not self._test:
            self._report.step("Marathon deploys them. To follow it: salt-call marathon.deployments")
        for warning in predicted.get("warnings", []):
            self._report.step(f"Marathon: {warning}.")
        if not kinds:
            self._report.step("The apps, pods and groups are equal to the backup.")
        return bool(kinds)

    def _wait_deployment(self, deployment):
        arguments = {"id": deployment, "timeout": DEPLOYMENT_TIMEOUT}
        outcome = self._cluster.write("marathon", "marathon.wait_deployment", arguments)
        if outcome["result"] not in ("done", "unknown"):
            raise BackupError(
                f"The groups are not restored yet, as the deployment {deployment} of their apps is "
                f"{outcome['result']}. See: salt-call marathon.deployments. Repeat the restore "
                "afterwards."
            )

    def chronos(self, jobs):
        """Restore jobs, parents first. Runs that were missed are not made up for."""
        result = {"created": [], "changed": [], "rescheduled": {}, "warnings": {}}
        if jobs:
            result = self._cluster.write(
                "chronos", "chronos.import", {"jobs": jobs, "dry_run": self._test}
            )
        names = [*result["created"], *result["changed"]]
        if names:
            self._step("restore", f"the jobs {_ids_text(names)}")
        else:
            self._report.step("The jobs are equal to the backup.")
        for name, schedule in sorted(result["rescheduled"].items()):
            if schedule is None:
                sentence = f"The job {name} is disabled, as the time of its only run is in the past"
            else:
                sentence = (
                    f"The job {name} has the schedule {schedule}: missed runs are not made up"
                )
            self._report.step(f"{sentence}.")
        for name, messages in sorted(result["warnings"].items()):
            self._report.step(f"The job {name}: {'; '.join(messages)}.")
        return bool(names)

    def quotas(self, quotas):
        """Set the quotas that differ. Quotas of other roles stay."""
        roles = []
        for role, quota in sorted(quotas.items()):
            arguments = {"role": role, **quota}
            if not self._cluster.write("mesos-master", "mesos.diff_quota", arguments):
                continue
            if not self._test:
                arguments["force"] = self._force
                self._cluster.write("mesos-master", "mesos.set_quota", arguments)
            roles.append(role)
        return self._summarize("quotas", roles)

    def weights(self, weights):
        """Set the weights that differ. Weights of other roles stay."""
        if not weights:
            return self._summarize("weights", [])
        changes = self._cluster.write("mesos-master", "mesos.diff_weights", {"weights": weights})
        if changes and not self._test:
            self._cluster.write("mesos-master", "mesos.set_weights", {"weights": weights})
        return self._summarize("weights", [path.lstrip("/") for path in changes])

    def maintenance(self, windows):
        """Schedule the windows that are not over. Machines that are not in them stay scheduled."""
        now = datetime.datetime.now(datetime.timezone.utc).timestamp() * 10**9
        current = self._cluster.read("mesos-master", "mesos.maintenance_schedule", {"whole": True})
        machines = []
        for window in windows:
            is_over = window["duration"] is not None and window["start"] + window["duration"] < now
            if is_over or window in current:
                continue
            if not self._test:
                self._cluster.write("mesos-master", "mesos.add_maintenance_window", window)
            machines += [machine.get("hostname") or machine["ip"] for machine in window["machines"]]
        return self._summarize("maintenance windows", machines)

    def _summarize(self, kind, names):
        if names:
            self._step("restore", f"the {kind} of {_ids_text(names)}")
        else:
            self._report.step(f"The {kind} are equal to the backup.")
        return bool(names)

    def znodes(self, path, znodes):
        """Give a path of ZooKeeper the znodes of the backup, and no others."""
        self._check_stopped(path)
        current, denied = self._export_without_sessions(path)
        if denied:
            raise BackupError(
                f"The ACL of {_ids_text(denied)} does not let Salt read these znodes."
            )
        current_by_path = {znode["path"]: znode for znode in current}
        different = [znode for znode in znodes if current_by_path.get(znode["path"]) != znode]
        surplus = sorted(set(current_by_path) - {znode["path"] for znode in znodes})
        if not self._test:
            for batch in _batches(different):
                self._cluster.write("zookeeper", "zk.put_znodes", {"znodes": batch})
            if surplus:
                self._cluster.write(
                    "zookeeper", "zk.delete_znodes", {"paths": surplus, "confirm": True}
                )
        if different:
            self._step("restore", f"{len(different)} znodes at {path}")
        if surplus:
            self._step("delete", f"the znodes {_ids_text(surplus)}")
        if not different and not surplus:
            self._report.step(f"The znodes at {path} are equal to the backup.")
        return bool(different or surplus)

    def _export_without_sessions(self, path):
        """Return znodes and protected paths, once the sessions of the stopped daemons are over."""
        deadline = time.monotonic() + SESSION_TIMEOUT
        is_reported = False
        while True:
            znodes, ephemeral, denied = _export(self._cluster, path)
            if not ephemeral:
                return znodes, denied
            if time.monotonic() > deadline:
                raise BackupError(
                    f"A daemon still has a session with ZooKeeper after {SESSION_TIMEOUT} seconds: "
                    f"{_ids_text(ephemeral)}. Stop it."
                )
            if not is_reported:
                self._report.step(
                    f"Waiting until sessions with ZooKeeper have expired: {_ids_text(ephemeral)}."
                )
                is_reported = True
            time.sleep(SETTLE_SECONDS)

    def _check_stopped(self, path):
        """Raise BackupError if a daemon that uses a path runs, or may run."""
        for role in CHROOTS:
            if not _overlaps(path, self._chroot(role)):
                continue
            nodes = self._cluster.nodes(role)
            answers = (
                self._cluster.call(nodes, "service.status", {"name": "[cm]*"}) if nodes else {}
            )
            for node in nodes:
                succeeded, units = answers.get(node, (False, {}))
                running = [unit for unit in UNITS[role] if succeeded and units.get(unit)]
                if running:
                    raise BackupError(
                        f"{running[0]} runs on {node} and uses {path}. Stop it on all nodes: salt "
                        f"-L {','.join(nodes)} service.stop {running[0]}"
                    )
                if not succeeded:
                    raise BackupError(
                        f"{node} does not respond to Salt, so {UNITS[role][0]}, which uses {path}, "
                        "may run there."
                    )

    def _chroot(self, role):
        """Return the path that a role uses, from the pillar of its first node."""
        keys, default = CHROOTS[role]
        nodes = self._cluster.nodes(role)
        value = __salt__["pillar.show_pillar"](minion=nodes[0]) if nodes else {}
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        text = str(value or default)
        if text.startswith("zk://"):
            text = "/" + text.removeprefix("zk://").partition("/")[2]
        return text


def _conflicts(current, definitions, changed_ids):
    """Return the ids of what the cluster has and that differs from, or is not in, a backup."""
    current_ids = {entry["id"] for entry in current}
    ids = {entry["id"] for entry in definitions}
    return current_ids - ids | current_ids & set(changed_ids)


def _overlaps(path, chroot):
    prefixes = [f"{text.rstrip('/')}/" for text in (path, chroot)]
    return prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0])


def _batches(znodes):
    """Yield lists of znodes that fit in a request, at least one znode each."""
    batch, size = [], 0
    for znode in znodes:
        length = len(znode["data"])
        if batch and size + length > ZNODES_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(znode)
        size += length
    if batch:
        yield batch


def _find_backup(directory, name):
    if name == LATEST:
        backups = _complete_backups(directory)
        if not backups:
            raise BackupError(
                f"{directory} has no complete backup. Create one: salt-run cluster.backup"
            )
        return backups[-1]
    if not NAME.fullmatch(str(name)) or not (directory / name).is_dir():
        names = [candidate.path.name for candidate in _complete_backups(directory)]
        raise BackupError(
            f"{directory} has no backup {name}. It has: {_ids_text(names) or 'no complete backup'}."
        )
    return Backup(directory / name)


def _restore(report, name, selection, force, test, directory, timeout, cluster_name):
    with _cluster(timeout, cluster_name) as cluster:
        source = _find_backup(_directory(directory, cluster), name)
        source.verify()
        manifest = source.manifest
        report.data["name"] = manifest["name"]
        report.data["changes"] = False
        report.step(
            f"The backup {manifest['name']} of the cluster {manifest['cluster']} is intact: "
            f"{_counts_text(manifest['counts'])}."
        )
        parts = _selected(source, selection)
        restoration = Restore(report, cluster, source.read, force, test)
        if not any(selection.values()) and not force:
            restoration.check_cluster()
        for method, arguments in parts:
            is_changed = getattr(restoration, method)(*arguments)
            report.data["changes"] = report.data["changes"] or is_changed
    report.step("Nothing was changed, as test=True." if test else "The restore is complete.")


def _selected(source, selection):
    """Return the methods of Restore to call, each with its arguments, in their order."""
    is_complete = not any(selection.values())
    parts = []
    if selection["znodes"]:
        parts.append(("znodes", _selected_znodes(source, selection["znodes"])))
    for kind, key in (("weights", "weights"), ("quotas", "quotas"), ("maintenance", "windows")):
        if selection[kind] or (is_complete and source.has(MESOS_FILE)):
            parts.append((kind, (_required(source, MESOS_FILE)[key],)))
    if selection["app"] or selection["pod"]:
        config = {"groups": {}}
        for kind in ("app", "pod"):
            config[f"{kind}s"] = _selected_entries(source, kind, selection[kind])
        parts.append(("marathon", (config,)))
    elif is_complete and source.has(MARATHON_FILE):
        parts.append(("marathon", (source.read(MARATHON_FILE),)))
    if selection["job"]:
        jobs = _required(source, CHRONOS_FILE)
        _check_names("job", selection["job"], jobs, source)
        parts.append(("chronos", ({name: jobs[name] for name in selection["job"]},)))
    elif is_complete and source.has(CHRONOS_FILE):
        parts.append(("chronos", (source.read(CHRONOS_FILE),)))
    return parts


def _required(source, file):
    content = source.read(file)
    if content is None:
        raise BackupError(f"The backup {source.path.name} has no {file}.")
    return content


def _selected_entries(source, kind, ids):
    """Return the apps or pods with these ids. The leading slash is optional."""
    entries = {entry["id"]: entry for entry in _required(source, MARATHON_FILE)[f"{kind}s"]}
    absolute_ids = [f"/{text.strip('/')}" for text in ids]
    _check_names(kind, absolute_ids, entries, source)
    return [entries[absolute_id] for absolute_id in absolute_ids]


def _check_names(kind, names, entries, source):
    missing = [name for name in names if name not in entries]
    if missing:
        raise BackupError(f"{kind}: {_ids_text(missing)} is not in the backup {source.path.name}.")


def _selected_znodes(source, path):
    """Return the normalized path, and the znodes of the backup at and below it."""
    znodes = _required(source, ZNODES_FILE)
    path = f"/{str(path).strip('/')}"
    prefix = f"{path.rstrip('/')}/"
    selected_znodes = [znode for znode in znodes if f"{znode['path']}/".startswith(prefix)]
    if not selected_znodes:
        raise BackupError(f"znodes: the backup {source.path.name} has no znode at {path}.")
    return path, selected_znodes
