"""
Events on Salt's bus when something fails in the cluster, and when it works again.

For the minion on the Salt master. It runs ``salt-run cluster.status``, so its events have the kinds
and sentences of that command.
"""

import json
import os
import subprocess
import tempfile
import time

SALT_RUN = "salt-run"
DEFAULT_TIMEOUT = 30
# Seconds. cluster.status asks the nodes twice, and salt-run has to start.
MIN_RUN_TIME = 60
OUTPUT_LIMIT = 200
# All but timeout and cluster are those of every beacon.
SETTINGS = (
    "interval",
    "timeout",
    "cluster",
    "enabled",
    "disable_during_state_run",
    "run_once",
    "beacon_module",
)

# Problems that were reported, in the cache directory of the minion: a beacon is loaded again, and
# loses its variables, each time that pillar is refreshed.
RECORD_FILE = "mesos_cluster_beacon{}.json"

# The minion waits for a beacon, and has to answer cluster.status as well. So each call only looks
# whether the command of an earlier call has ended. By cluster, None if there is only one.
_runs = {}


def validate(config):
    """Return whether the configuration is valid, and why it is not."""
    if not isinstance(config, list):
        return False, "Configuration for mesos_cluster beacon must be a list."
    settings = _settings(config)
    for name in settings:
        if name not in SETTINGS and not name.startswith("_"):
            return (
                False,
                f"mesos_cluster beacon: {name} is not a setting. Use {', '.join(SETTINGS)}.",
            )
    cluster = settings.get("cluster")
    if cluster is not None and (not isinstance(cluster, str) or not cluster):
        return False, f"mesos_cluster beacon: cluster: {cluster!r} is not a name of a cluster."
    timeout = settings.get("timeout", DEFAULT_TIMEOUT)
    if isinstance(timeout, bool) or not isinstance(timeout, int) or timeout < 1:
        return False, f"mesos_cluster beacon: timeout: {timeout!r} is not a number of seconds."
    return True, "Valid beacon configuration"


def beacon(config):
    """
    Report problems of the cluster that are new, and those that are solved.

    config
        A list of mappings:

        * ``interval``: seconds between the runs of this beacon, as for every beacon;
        * ``timeout``: seconds that the minions have to answer ``cluster.status``. Default 30;
        * ``cluster``: the cluster, if the Salt master has several. Each needs a beacon of its own,
          whose ``beacon_module`` is ``mesos_cluster``.

    Returns events with the tags ``problem/KIND`` and ``solved/KIND``, which Salt sends as
    ``salt/beacon/MINION/NAME/problem/KIND``; NAME is that of the beacon in the configuration. The
    data are ``severity``, ``kind``, ``subject`` and ``message``, see ``cluster.status``, and
    ``cluster`` if it is set. What has failed is reported once. If the command itself fails, the
    kind is ``salt``. The first call after the command has ended sends the events.

    .. code-block:: yaml

        beacons:
          mesos_cluster:
            - interval: 60
    """
    settings = _settings(config)
    timeout, cluster = settings.get("timeout", DEFAULT_TIMEOUT), settings.get("cluster")
    run = _runs.get(cluster)
    if run is not None and run.is_running():
        return []
    _runs[cluster] = Run(timeout, cluster)
    return [] if run is None else _events(run, cluster)


def close(config):
    """End the command that runs. Salt 3008 calls this before it loads the beacons again."""
    run = _runs.pop(_settings(config).get("cluster"), None)
    if run is not None:
        run.kill()


def _settings(config):
    settings = {}
    for entry in config:
        settings.update(entry)
    return settings


class Run:
    """A run of ``salt-run cluster.status``, in a process of its own."""

    def __init__(self, timeout, cluster):
        command = [SALT_RUN, "--out=json", "--log-level=quiet", "cluster.status"]
        command.append(f"timeout={timeout}")
        if cluster:
            command.append(f"cluster={cluster}")
        self._seconds = MIN_RUN_TIME + 2 * timeout
        self._deadline = time.monotonic() + self._seconds
        self._process = None
        # Files, since a process waits if nobody reads a full pipe.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._log
            )
            self.failure = ""
        except OSError as error:
            self.failure = f"cannot be started: {error}"

    def is_running(self):
        """Return whether the command runs. One that takes too long is killed."""
        if self._process is None or self._process.poll() is not None:
            return False
        if time.monotonic() < self._deadline:
            return True
        self.kill()
        self.failure = f"was still running after {self._seconds} seconds"
        return False

    def kill(self):
        """End the command."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def problems(self):
        """Return the problems that the command has printed; None, and a failure, without them."""
        output = _content(self._output)
        try:
            return json.loads(output)["problems"]
        except (ValueError, KeyError, TypeError):
            lines = (output.strip() or _content(self._log).strip()).splitlines()
            reason = lines[-1][:OUTPUT_LIMIT] if lines else "it prints nothing"
            self.failure = self.failure or f"fails: {reason}"
            return None


def _content(file):
    with file:
        file.seek(0)
        return file.read().decode("utf-8", "replace")


def _events(run, cluster):
    """Return events about what has changed since the last one, and record it."""
    earlier = _read_record(cluster)
    problems = run.problems()
    if problems is None:
        # Nothing is known about the other problems, so none of them is solved.
        message = f"salt-run cluster.status {run.failure}"
        failure = {"severity": "down", "kind": "salt", "subject": "cluster.status"}
        problems = [*earlier, {**failure, "message": message}]
    keys, earlier_keys = _keys(problems), _keys(earlier)
    events = []
    for key, problem in keys.items():
        if key not in earlier_keys:
            events.append({"tag": f"problem/{problem['kind']}", **problem})
    for key, problem in earlier_keys.items():
        if key not in keys:
            events.append({"tag": f"solved/{problem['kind']}", **problem})
    if events:
        _write_record(cluster, list(keys.values()))
    return [{**event, "cluster": cluster} for event in events] if cluster else events


def _keys(problems):
    """Return the problems by kind and subject. The first one, which is the worst, stays."""
    return {(problem["kind"], problem["subject"]): problem for problem in reversed(problems)}


def _record_path(cluster):
    suffix = f"-{cluster}" if cluster else ""
    return os.path.join(__opts__["cachedir"], RECORD_FILE.format(suffix))


def _read_record(cluster):
    try:
        with open(_record_path(cluster), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return []


def _write_record(cluster, problems):
    with open(_record_path(cluster), "w", encoding="utf-8") as file:
        json.dump(problems, file)
