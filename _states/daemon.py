"""
States that keep a daemon running, and restart it in turns with the other nodes of its cluster.

Salt's ``service.running`` restarts a daemon when a state that it watches has changed something.
``daemon.running`` compares times: a daemon is stale if a file that it reads is newer than its
process. So if a run is interrupted after it changed a file, the next run restarts the daemon. See
docs/decisions/restarts.md.
"""

import contextlib
import fnmatch
import importlib
import json
import operator
import os
import re
import time
from collections.abc import Mapping
from typing import NamedTuple

import _declared
import _ready
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_declared)
importlib.reload(_ready)

# For messages about a turn that does not come, or about other nodes that do not become ready.
WITHOUT_TURN = (
    "If this change is what makes the other nodes ready, apply it without a turn: "
    'pillar=\'{"common": {"restarts": {"rolling": false}}}\''
)

# Records for later runs, which survive a power cut.
STATE_DIRECTORY = "/var/lib/salt-mesos"
# Records of the options that a daemon has loaded. A reboot restarts the daemon, and deletes them.
RUN_DIRECTORY = "/run/salt-mesos"
FAILED_KEY = "daemon.failed"
DISRUPTED_KEY = "daemon.disrupted"
# Class of turns -> why this run got none of them.
REFUSED_KEY = "daemon.refused"
# The errors of cluster.take_turn that come after a wait.
WAIT_ERRORS = ("PeerUnready", "TurnTimeout")

# All in seconds.
POLL_INTERVAL = 0.5
# A daemon that has run for less than this is checked even if nothing has changed.
SETTLED_UPTIME = 60
# Long enough to see a daemon exit twice: systemd starts it again after 20 seconds.
FIRST_START_TIMEOUT = 45
# A daemon without readiness checks counts as ready after this time.
MIN_UPTIME = 2

# A daemon may exit once while the others of its cluster start.
MAX_EXITS = 2
ACTIVE_TASK_STATES = ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")
# The last lines of the journal that a comment has, and those that are read for it. A stack trace of
# Java has many lines, and the error is above it.
JOURNAL_LINES = 12
JOURNAL_LINES_READ = 200
STACK_FRAME = re.compile(r"\s+(at \S+\(.*\)|\.\.\. \d+ more)$")
MAX_JOURNAL_LINE = 300

PROPERTIES = (
    "ActiveState",
    "ConditionResult",
    "DropInPaths",
    "ExecMainExitTimestampMonotonic",
    "ExecMainStartTimestampMonotonic",
    "FragmentPath",
    "LoadState",
    "MainPID",
    "NeedDaemonReload",
    "Result",
    "SubState",
    "UnitFileState",
)

LEADER_CHECK = {"mesos.leader_available": {}}

DEFAULT_RESTARTS = {
    "zookeeper": None,
    "turn": None,
    "max_unavailable": 1,
    "turn_timeout": 3600,
    "ready_timeout": 120,
    "drain": True,
    "drain_timeout": 600,
    "rolling": True,
}


def running(
    name,
    reads=(),
    ready=None,
    peers=None,
    reload=None,
    drain=None,
    zookeeper=None,
    unmask=False,
    agent=None,
    since=None,
    restarts=None,
):
    """
    Ensure that a daemon is enabled, runs with the files as they are now, and is ready.

    .. code-block:: yaml

        mesos-master-service:
          daemon.running:
            - name: mesos-master
            - reads: [/etc/mesos-master, /etc/mesos/zk]
            - ready:
                mesos.leader_available:
                  member: http://10.0.0.1:5050
                  url: [http://10.0.0.1:5050, http://10.0.0.2:5050, http://10.0.0.3:5050]
            - peers:
                mesos.quorum_without_member:
                  member: http://10.0.0.1:5050
                  url: [http://10.0.0.1:5050, http://10.0.0.2:5050, http://10.0.0.3:5050]
                  quorum: 2
            - watch:
              - pkg: mesos-package

    name
        The systemd unit.

    reads
        Files and directories that the daemon reads when it starts. If the ctime of one of them is
        later than the start of the daemon, the daemon is stale and is restarted. The unit and its
        drop-ins count as well; rpm writes the unit anew with each version of the package.

    ready
        Readiness checks: states with their arguments, each of which has the argument ``timeout``.
        After a restart all of them have to succeed within ``restarts:ready_timeout``. A daemon that
        did not run before only has to keep running, since other nodes of a new cluster may come
        later; the comment says what it waits for. Default none: the daemon has to keep running for
        2 seconds.

    peers
        States, like ``ready``, that have to succeed before a running daemon is restarted. They
        check that the cluster can do without this node for a moment. Not checked on a node that
        needs no turn. Default none.

    reload
        For a daemon that loads some of its options anew on ``systemctl reload``: a mapping with
        ``file``, the JSON file that has its options; ``options``, those that the file is to have;
        and ``keys``, the names of the options that need no restart. Default None.

    drain
        Host name of the Mesos agent whose tasks die with the daemon: the agent is drained first,
        and reactivated after the restart. Before Mesos 1.9 a maintenance window of its machine
        begins instead, which ends after the restart, or when ``restarts:drain_timeout`` is over and
        the frameworks have not moved the tasks. With ``restarts:drain: false`` the tasks are
        killed; the comment says how many. Default None.

    zookeeper
        The ZooKeeper servers that the daemon needs: ``host:port[,host:port]``. While none of them
        serves, for example because this run starts ZooKeeper later, a daemon that is started need
        neither be ready nor keep running. Default: ``restarts:zookeeper``.

    unmask
        Whether to unmask the unit. Default False: the state fails, as somebody has masked it.

    agent
        Host name of the Mesos agent on this host, or None. While somebody keeps the agent out of
        service (``mesos.out_of_service``), the daemon is neither restarted nor reloaded: the state
        succeeds and says so, and the restart is owed until the agent is back. A daemon that does
        not run is started. Default: ``drain``.

    since
        A time in Unix seconds, by the clock of this host: a daemon that started earlier is
        restarted, whatever it reads. Default None. ``orchestration.restart`` uses it.

    restarts
        A mapping of ``zookeeper``, ``turn``, ``max_unavailable``, ``turn_timeout``,
        ``ready_timeout``, ``drain``, ``drain_timeout`` and ``rolling``; default: the settings
        ``common:restarts`` in pillar, see ``formulas/common/defaults.yaml``. Without ``zookeeper``
        and ``turn`` the node has no peers, and restarts its daemons without a turn.

    Each restart of a running daemon in a cluster needs a turn (``cluster.turns``), which the node
    keeps until ``daemon.turn_returned`` at the end of the run. The state fails if the turn does not
    come, if a check of ``peers`` fails, if an operator holds the node (``cluster.hold``), or if the
    daemon does not become ready. In the last case the comment has the last lines of the journal.

    ``watch`` the states that change the files: without it a test run does not report the restart.
    """
    try:
        daemon = _Daemon(
            name, reads, ready, peers, reload, drain, zookeeper, unmask, agent, since, restarts
        )
        return daemon.ensure_running(__opts__["test"])
    except _OutOfService as reason:
        return _result(name, True, str(reason))
    except (CommandExecutionError, SaltInvocationError) as error:
        return _result(name, False, str(error))


def mod_watch(name, sfun=None, **arguments):
    """
    Salt calls this after ``daemon.running``, if a state that it watches changes something and
    ``daemon.running`` has not restarted the daemon. Not to be used by itself.
    """
    if sfun != "running":
        comment = f"daemon.{sfun} cannot watch other states"
        return _result(name, False, comment)
    # Salt 3008 adds arguments of its own.
    arguments = {key: value for key, value in arguments.items() if not key.startswith("__")}
    if not __opts__["test"]:
        return running(name, **arguments)
    try:
        daemon = _Daemon(name, **arguments)
        return daemon.foresee_restart(_declared.watched_names(__low__, __lowstate__, __running__))
    except _OutOfService as reason:
        return _result(name, True, str(reason))
    except (CommandExecutionError, SaltInvocationError) as error:
        return _result(name, False, str(error))


def turn(
    name,
    package=None,
    version=None,
    replaces=(),
    units=None,
    peers=None,
    drain=None,
    starts_again=True,
    agent=None,
    restarts=None,
):
    """
    Take a turn before a running daemon is stopped, or its package is replaced. Changes nothing
    itself.

    .. code-block:: yaml

        marathon-turn:
          daemon.turn:
            - package: marathon
            - version: 1.8.244

        marathon-package:
          pkg.installed:
            - name: marathon
            - version: 1.8.244
            - require:
              - daemon: marathon-turn

    name
        The systemd unit of the daemon, or any text with ``units``.

    package, version
        What is about to be installed: the name of the package, and its version, with or without the
        release; ``*`` stands for any text. If the installed package has this version, no turn is
        needed. Default: the daemon is about to be stopped.

    replaces
        Names of packages that are removed before, since they conflict with the new one. A turn is
        needed if one of them is installed. Default none.

    units
        Systemd units that use the package. A turn is needed if one of them runs. Default: ``name``.

    starts_again
        Whether the daemon has to run at the end of the run. Default True; False if it is stopped
        for good.

    peers, drain, agent, restarts
        See ``daemon.running``. The state fails while the agent is out of service, so that a package
        is not replaced.
    """
    try:
        reason = f"{name} is stopped"
        if package is not None:
            reason = _replacement(package, version, replaces)
            if reason is None:
                return _result(name, True, f"{package} is not replaced")
        units = [name] if units is None else units
        options = {"peers": peers, "drain": drain, "agent": agent, "restarts": restarts}
        daemons = [_Daemon(unit, **options) for unit in units]
        return _ensure_turn(name, daemons, reason, starts_again)
    except (CommandExecutionError, SaltInvocationError) as error:
        return _result(name, False, str(error))


def turn_returned(name, restarts=None):
    """
    Give back the turn of this run, if it has taken one. The last state of a run (``order: last``).

    .. code-block:: yaml

        turn-returned:
          daemon.turn_returned:
            - order: last

    name
        Any text.

    restarts
        See ``daemon.running``.

    If a daemon did not become ready, the node stays unready: it keeps its turn until a later run
    succeeds, or until ``cluster.release``.
    """
    restarts = _restarts(restarts)
    failed_units = __context__.pop(FAILED_KEY, [])
    disrupted_units = __context__.pop(DISRUPTED_KEY, [])
    __context__.pop(REFUSED_KEY, None)
    if __opts__["test"] or not _has_peers(restarts) or not _remembers("unready"):
        return _result(name, True, "This run has not taken a turn")
    for unit in disrupted_units:
        if unit not in failed_units and not _Daemon(unit).status().is_active:
            failed_units.append(unit)
    try:
        had_turn = __salt__["cluster.return_turn"](
            ready=not failed_units, zookeeper=restarts["zookeeper"]
        )
    except CommandExecutionError as error:
        # The lease ends with its session. The next run removes the record.
        comment = f"This node counts as unready until its next run: {error}"
        return _result(name, not failed_units, comment)
    if failed_units:
        units = ", ".join(failed_units)
        comment = f"Not ready: {units}. Until they are, other {restarts['turn']} restart nothing"
        return _result(name, False, comment)
    _forget("unready")
    comment = "The turn was returned" if had_turn else "This node is ready again"
    return _result(name, True, comment)


# --- a daemon ---


class _OutOfService(CommandExecutionError):
    """The daemon was left alone, since the Mesos agent of this host is out of service."""


class _Status(NamedTuple):
    """The status of a unit, from ``systemctl show``."""

    properties: "Mapping"

    @property
    def exists(self):
        return self.properties["LoadState"] not in ("not-found", "")

    @property
    def is_masked(self):
        return self.properties["LoadState"] == "masked"

    @property
    def is_active(self):
        return self.properties["ActiveState"] in ("active", "reloading")

    @property
    def is_enabled(self):
        return self.properties["UnitFileState"].startswith(("enabled", "static", "generated"))

    @property
    def needs_reload(self):
        return self.properties["NeedDaemonReload"] == "yes"

    @property
    def unit_files(self):
        paths = [self.properties["FragmentPath"], *self.properties["DropInPaths"].split()]
        return [path for path in paths if path]

    @property
    def start(self):
        """The start of the main process on the monotonic clock, in seconds; 0 for none."""
        return self._seconds("ExecMainStartTimestampMonotonic")

    @property
    def has_exited(self):
        return self._seconds("ExecMainExitTimestampMonotonic") > 0

    @property
    def uptime(self):
        return time.monotonic() - self.start

    @property
    def started_at(self):
        """The start of the main process in Unix seconds."""
        return time.time() - self.uptime

    def _seconds(self, name):
        return int(self.properties[name] or 0) / 1e6


class _Daemon:
    """The unit of a daemon, and how it is kept running. See ``running`` for the arguments."""

    def __init__(
        self,
        name,
        reads=(),
        ready=None,
        peers=None,
        reload=None,
        drain=None,
        zookeeper=None,
        unmask=False,
        agent=None,
        since=None,
        restarts=None,
    ):
        for argument, value in (("ready", ready), ("peers", peers), ("reload", reload)):
            if value is not None and not isinstance(value, Mapping):
                raise SaltInvocationError(f"{argument}: {value!r} should be a mapping")
        self.name = name
        self.reads = list(reads)
        self.ready = ready or {}
        self.peers = peers or {}
        self.restarts = _restarts(restarts)
        self.agent = drain
        self.host_agent = agent or drain
        self.zookeeper = zookeeper or self.restarts["zookeeper"]
        self.unmask = unmask
        if since is not None and (isinstance(since, bool) or not isinstance(since, (int, float))):
            raise SaltInvocationError(f"since: {since!r} should be a time in Unix seconds")
        self.since = since
        self.options = _Options(name, reload) if reload else None
        self.comments = []

    def status(self):
        """Return the status of the unit. Starts one process."""
        command = ["systemctl", "show", self.name, "--property=" + ",".join(PROPERTIES)]
        lines = __salt__["cmd.run_stdout"](command, python_shell=False).splitlines()
        properties = dict(line.partition("=")[::2] for line in lines)
        return _Status({key: properties.get(key, "") for key in PROPERTIES})

    # --- deciding what to do ---

    def ensure_running(self, test):
        status = self.status()
        if not status.exists:
            if test:
                comment = f"{self.name} would be started"
                return _result(self.name, None, comment, {self.name: "started"})
            raise CommandExecutionError(f"The unit {self.name} does not exist")
        if status.is_masked and not self.unmask:
            raise CommandExecutionError(
                f"Unit {self.name}.service is masked. Unmask it: systemctl unmask {self.name}"
            )
        stale_files = self._stale_files(status) if status.is_active else []
        is_overdue = self._is_overdue(status)
        reasons = self._restart_reasons(stale_files, is_overdue)
        reloadable = not is_overdue and self._is_reloadable(status, stale_files)
        changes = self._planned_changes(status, reasons, reloadable)
        if not changes:
            return self._check_unchanged(status, test)
        if status.is_active:
            self.require_service()
        if test:
            return _result(self.name, None, self._foreseen(changes, reasons), changes)
        return self._apply(status, changes, reasons)

    def _is_overdue(self, status):
        """Return whether the process started before the time that ``since`` names."""
        return self.since is not None and status.is_active and status.started_at < self.since

    def _restart_reasons(self, stale_files, is_overdue):
        reasons = [f"It has run since before {_utc(self.since)}"] if is_overdue else []
        return [*reasons, _describe_stale(stale_files)] if stale_files else reasons

    def _planned_changes(self, status, reasons, reloadable):
        if not status.is_active:
            # The upgrade of a package may stop its daemon. Its start then completes a restart.
            was_active = self.name in __context__.get(DISRUPTED_KEY, [])
            return {self.name: "restarted" if was_active else "started"}
        changes = {}
        if not status.is_enabled:
            changes[f"{self.name} at boot"] = "enabled"
        if reasons:
            changes[self.name] = "reloaded" if reloadable else "restarted"
        return changes

    def _apply(self, status, changes, reasons):
        self._prepare_unit(status)
        action = changes.get(self.name)
        if action == "restarted":
            self._restart(reasons, status.is_active)
        elif action == "started":
            self._start()
        elif action == "reloaded":
            self._reload()
        comment = f"{self.name} was {action}" if action else f"{self.name} is running"
        return _result(self.name, True, ". ".join([comment, *self.comments]), changes)

    def _check_unchanged(self, status, test):
        """Check a daemon that needs no change. Somebody else may have just started it."""
        comment = f"{self.name} is running"
        if self.options and not test:
            self.options.remember(status)
        if self.agent and _remembers("drained"):
            # An earlier run was interrupted before it reactivated the agent.
            if not self._with_leader(self._is_listed, self.restarts["ready_timeout"]):
                return _result(self.name, True, f"{comment}. {self._unlisted()}")
            changes = {self.agent: "reactivated"}
            if test:
                return _result(self.name, None, f"{self.agent} would be reactivated", changes)
            self._reactivate()
            return _result(self.name, True, ". ".join([comment, *self.comments]), changes)
        if test or (status.uptime >= SETTLED_UPTIME and not _remembers("unready")):
            return _result(self.name, True, comment)
        self._await_ready(status.start, must_be_ready=_remembers("unready"))
        return _result(self.name, True, ". ".join([comment, *self.comments]))

    def foresee_restart(self, watched_names):
        """
        Return the result of a test run in which watched states would change something.

        watched_names
            The names of these states: for the options that the daemon can reload, the path of their
            file.
        """
        status = self.status()
        if status.is_active:
            self.require_service()
        action = "restarted" if status.is_active else "started"
        only_options = self.options is not None and watched_names == {self.options.path}
        if status.is_active and only_options and self._can_reload_options(status):
            action = "reloaded"
        changes = {self.name: action}
        comments = [f"{self.name} would be {action}, since something that it reads would change"]
        if action == "restarted":
            comments += self.killed_tasks("would kill")
        return _result(self.name, None, ". ".join(comments), changes)

    def _foreseen(self, changes, reasons):
        comments = [f"{name} would be {action}" for name, action in changes.items()]
        if changes.get(self.name) == "restarted":
            reasons = [*reasons, *self.killed_tasks("would kill")]
        return ". ".join([*comments, *reasons])

    # --- stale files ---

    def _stale_files(self, status):
        """Return the files that are newer than the process, without those in the future."""
        now = time.time()
        started_at = status.started_at
        paths = [*self.reads, *status.unit_files]
        if self.options:
            paths.append(self.options.path)
        stale_files = [
            path
            for path, changed_at in _ctimes(paths).items()
            if started_at < changed_at <= now and not self._has_loaded(path, status)
        ]
        return sorted(stale_files)

    def _has_loaded(self, path, status):
        return (
            self.options is not None
            and path == self.options.path
            and self.options.is_loaded(status)
        )

    def _is_reloadable(self, status, stale_files):
        if not self.options or stale_files != [self.options.path]:
            return False
        return self._can_reload_options(status)

    def _can_reload_options(self, status):
        if not self.options or not self.options.has_record(status):
            return False
        return self.options.are_reloadable()

    # --- changes ---

    def _prepare_unit(self, status):
        if status.is_masked:
            self._systemctl("unmask")
            status = self.status()
        if status.needs_reload:
            self._systemctl("daemon-reload", [])
        if not status.is_enabled:
            self._systemctl("enable")

    def _start(self):
        self._refuse_if_held()
        before = time.monotonic()
        self._systemctl("start")
        self._await_ready(before, must_be_ready=False)
        # An earlier run may have been interrupted after it stopped the daemon.
        self._reactivate()

    def _restart(self, reasons, is_active):
        self.comments += reasons
        self._take_turn(f"restart of {self.name}")
        if is_active:
            # Somebody may have drained the agent while this node waited for its turn.
            self.require_service()
            self._drain()
        before = time.monotonic()
        self._systemctl("restart")
        self._await_ready(before, must_be_ready=True)
        self._reactivate()

    def _reload(self):
        self._refuse_if_held()
        self._systemctl("reload")
        self.options.remember(self.status())

    def _systemctl(self, action, units=None):
        """Call systemctl for this unit. Raises CommandExecutionError if it fails."""
        command = ["systemctl", action, *([self.name] if units is None else units)]
        outcome = __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True)
        if outcome["retcode"]:
            error = " ".join((outcome["stderr"] or outcome["stdout"]).split())
            self._fail(f"{' '.join(command)} failed: {error}")

    # --- turns ---

    def prepare_stop(self, reason, starts_again):
        """Take a turn, as something else is about to stop the daemon."""
        if starts_again:
            __context__.setdefault(DISRUPTED_KEY, []).append(self.name)
        self._take_turn(reason)
        self._drain()

    def _take_turn(self, reason):
        """Wait for a turn and for healthy peers. Does nothing on a node without peers."""
        if not _has_peers(self.restarts):
            return
        if not self.restarts["rolling"]:
            self._refuse_if_held()
            self.comments.append("Without a turn, since common:restarts:rolling is false")
            return
        _require_no_failure(self.name)
        turn_class = self.restarts["turn"]
        refusals = __context__.setdefault(REFUSED_KEY, {})
        try:
            # The other daemons of a run would wait as long as the first one.
            if turn_class in refusals:
                raise CommandExecutionError(refusals[turn_class])
            turn = __salt__["cluster.take_turn"](
                reason,
                turn_class,
                limit=self._limit(),
                timeout=self.restarts["turn_timeout"],
                zookeeper=self.restarts["zookeeper"],
            )
        except CommandExecutionError as error:
            if type(error).__name__ in WAIT_ERRORS:
                refusals[turn_class] = str(error)
            raise CommandExecutionError(
                f"{self.name} was not touched: {error}. {WITHOUT_TURN}"
            ) from None
        _remember("unready", {"unit": self.name, "reason": reason})
        if turn["waited_for"]:
            waited = _ready.plural(turn["waited"], "second")
            self.comments.append(f"Waited {waited} for {', '.join(turn['waited_for'])}")
        self._await_peers()

    def _limit(self):
        """Return how many agents, or control nodes, may be disrupted at the same time."""
        if self.restarts["turn"] != "agents":
            return 1
        limit = self.restarts["max_unavailable"]
        if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0:
            return limit
        match = re.fullmatch(r"([1-9][0-9]?|100)%", str(limit))
        if not match:
            raise SaltInvocationError(
                f"max_unavailable: {limit!r} should be a number from 1, or a percentage such as 10%"
            )
        agents = __salt__["mesos.agents"](active=True)
        return max(1, len(agents) * int(match[1]) // 100)

    def _await_peers(self):
        """Wait until the cluster can lose this node for a moment."""
        reasons = self._unmet(self.peers, self.restarts["ready_timeout"])
        if reasons:
            raise CommandExecutionError(
                f"{self.name} was not touched. {'; '.join(reasons)}. {WITHOUT_TURN}"
            )

    def _poll(self, query, is_pending):
        """Repeat a query until its result is not pending, or for ``ready_timeout``. Returns it."""
        deadline = time.monotonic() + self.restarts["ready_timeout"]
        while True:
            result = query()
            if not is_pending(result) or time.monotonic() >= deadline:
                return result
            time.sleep(POLL_INTERVAL)

    def _refuse_if_held(self):
        if not _has_peers(self.restarts):
            return
        try:
            hold = __salt__["cluster.held"](zookeeper=self.restarts["zookeeper"])
        except CommandExecutionError:
            # A new cluster has no ZooKeeper yet, so nobody can have held a node.
            return
        if hold:
            raise CommandExecutionError(
                f"{self.name} was not touched: {__opts__['id']} is held ({hold['reason']}). "
                "Release it with cluster.release"
            )

    def require_service(self):
        """
        Raise _OutOfService if somebody keeps the Mesos agent of this host out of service.

        Without a leader nobody knows, and the checks of ``peers`` and ``drain`` decide.
        """
        if not self.host_agent or _remembers("drained"):
            return
        # orchestration.undrain has brought the agent back before, which its test run has not.
        if __opts__["test"] and __pillar__.get("in_service"):
            return
        try:
            self._await_reregistration(self.host_agent)
            entries = __salt__["mesos.out_of_service"]()
        except CommandExecutionError:
            return
        for entry in entries:
            if (entry["hostname"] or "").lower() == self.host_agent.lower():
                raise _OutOfService(
                    f"{self.name} was not touched: the Mesos agent {self.host_agent} is out of "
                    f"service ({entry['reason']}). orchestration.undrain brings it back, and "
                    "carries out what is owed"
                )

    # --- readiness ---

    def _await_ready(self, begin, must_be_ready):
        """
        Wait until the daemon is ready. Raises CommandExecutionError with the journal.

        begin
            Time on the monotonic clock. Only processes that started later count as exits.

        must_be_ready
            Whether the readiness checks have to succeed; False: the daemon has to keep running.
        """
        timeout = self.restarts["ready_timeout"]
        if not must_be_ready:
            timeout = min(timeout, FIRST_START_TIMEOUT)
        deadline = time.monotonic() + timeout
        exited_starts = set()
        while True:
            status = self.status()
            if status.has_exited and status.start >= begin - 1:
                exited_starts.add(status.start)
            reasons = self._reasons_not_ready(status, exited_starts, begin)
            if not reasons:
                if self.options:
                    self.options.remember(status)
                return
            is_over = time.monotonic() >= deadline
            is_waiting = (is_over and status.is_active) or self._waits_for_others()
            if is_waiting and not must_be_ready:
                self.comments.append(f"It is waiting: {'; '.join(reasons)}")
                return
            if is_over:
                seconds = _ready.plural(timeout, "second")
                self._fail(f"{self.name} is not ready after {seconds}: {'; '.join(reasons)}")
            time.sleep(POLL_INTERVAL)

    def _reasons_not_ready(self, status, exited_starts, begin):
        """Return why the daemon is not ready. Raises CommandExecutionError if it never will be."""
        state = f"{status.properties['ActiveState']} ({status.properties['SubState']})"
        if status.properties["ConditionResult"] == "no" and not status.is_active:
            self._fail(f"{self.name} was not started: a condition of its unit is not met")
        if status.properties["ActiveState"] in ("failed", "inactive"):
            self._fail(f"{self.name} has exited ({status.properties['Result']})")
        if len(exited_starts) >= MAX_EXITS and not self._waits_for_others():
            self._fail(f"{self.name} keeps exiting ({status.properties['Result']})")
        if not status.is_active:
            return [f"it is {state}"]
        if not self.ready:
            short = status.uptime < MIN_UPTIME and status.start >= begin - 1
            return ["it has just been started"] if short else []
        return self._unmet(self.ready)

    def _waits_for_others(self):
        """Return whether the ZooKeeper that the daemon needs does not serve."""
        if not self.zookeeper:
            return False
        try:
            __salt__["cluster.held"](zookeeper=self.zookeeper)
        except CommandExecutionError:
            return True
        return False

    def _unmet(self, checks, timeout=0):
        """Return the reasons of the checks that do not succeed within ``timeout`` seconds."""
        reasons = []
        for check, arguments in checks.items():
            result = __states__[check](name=self.name, timeout=timeout, **(arguments or {}))
            if result["result"] is not True:
                reasons.append(" ".join(result["comment"].split()))
        return reasons

    def _fail(self, reason):
        """Raise CommandExecutionError with the last lines of the journal."""
        __context__.setdefault(FAILED_KEY, []).append(self.name)
        lines = self._journal()
        text = "\n".join(["The journal ends with:", *lines]) if lines else "The journal is empty."
        raise CommandExecutionError(f"{reason.rstrip('.')}. {text}")

    def _journal(self):
        """Return the last lines of the journal, without the stack traces of Java."""
        command = ["journalctl", "--unit", self.name, "--lines", str(JOURNAL_LINES_READ)]
        command += ["--output=cat", "--no-pager", "--quiet"]
        text = __salt__["cmd.run_stdout"](command, python_shell=False, output_loglevel="quiet")
        lines = [line for line in text.splitlines() if not STACK_FRAME.match(line)]
        return [
            f"  {_declared.redact_secrets(line[:MAX_JOURNAL_LINE])}"
            for line in lines[-JOURNAL_LINES:]
        ]

    # --- the tasks of an agent ---

    def killed_tasks(self, verb):
        """
        Return a sentence about the tasks that die with the daemon, in a list; empty without any.

        All tasks are counted, also those that do not run in Docker.
        """
        if not self.agent or self.restarts["drain"]:
            return []
        try:
            agents = __salt__["mesos.agents"](hostname=self.agent)
            count = sum(len(_active_tasks(agent)) for agent in agents)
        except CommandExecutionError:
            count = None
        if count == 0:
            return []
        tasks = f"up to {_ready.plural(count, 'task')}" if count else "its tasks"
        return [f"That {verb} {tasks}, since common:restarts:drain is false"]

    def _drain(self):
        """Drain the Mesos agent whose tasks would die with the daemon."""
        if not self.agent:
            return
        if not self.restarts["drain"]:
            self.comments += self.killed_tasks("kills")
            return
        timeout = self.restarts["drain_timeout"]
        if not _remembers("drained"):
            if not self._with_leader(self._needs_drain, timeout):
                return
            _remember("drained", {"agent": self.agent})
        try:
            self._with_leader(self._drain_once, timeout)
        except CommandExecutionError as error:
            # Ends a maintenance window. A drain cannot be stopped, so the next run waits for it.
            with contextlib.suppress(CommandExecutionError):
                self._reactivate_once()
                _forget("drained")
            raise CommandExecutionError(
                f"{self._untouched()}: {error}. To allow that, set common:restarts:drain: false"
            ) from None
        self.comments.append(f"{self.agent} was drained first")

    def _untouched(self):
        return f"{self.name} was not touched, since its tasks would be killed"

    def _needs_drain(self):
        """
        Return whether to drain the agent. An agent that somebody else has drained stays so.

        A new leader knows neither the agent nor its tasks until the agent has reregistered. An
        agent without tasks may get one before its daemon has stopped, so it is drained as well.
        """
        agents = self._poll(
            lambda: __salt__["mesos.agents"](hostname=self.agent), _none_is_connected
        )
        if _none_is_connected(agents):
            seconds = _ready.plural(self.restarts["ready_timeout"], "second")
            raise CommandExecutionError(
                f"{self._untouched()}: after {seconds} the agent {self.agent} has not reregistered "
                "with the Mesos leader"
            )
        agents = [agent for agent in agents if agent["active"] and not agent["deactivated"]]
        if not agents:
            return False
        has_tasks = bool(_active_tasks(agents[0]))
        if not _is_scheduled(agents[0]):
            # Before Mesos 1.9 nothing keeps all frameworks from starting a task there.
            return has_tasks or "AGENT_DRAINING" in __salt__["mesos.info"]()["capabilities"]
        if has_tasks:
            raise CommandExecutionError(
                f"{self._untouched()}: the machine of {self.agent} is scheduled for maintenance, "
                "so the agent cannot be drained"
            )
        return False

    def _drain_once(self):
        self._await_reregistration(self.agent)
        _require_success(
            __states__["mesos.agents_out_of_service"](
                self.agent,
                [self.agent],
                timeout=self.restarts["drain_timeout"],
                # An earlier run has drained it, and it was retired since, or does not start.
                ignore_missing=True,
            )
        )

    def _reactivate(self):
        if not self.agent or not _remembers("drained"):
            return
        timeout = self.restarts["ready_timeout"]
        try:
            # An agent that needs the daemon registers after the daemon has started.
            if not self._with_leader(lambda: self._poll(self._is_listed, operator.not_), timeout):
                self.comments.append(self._unlisted())
                return
            self._with_leader(self._reactivate_once, timeout)
        except CommandExecutionError as error:
            self._fail(f"The agent {self.agent} is still drained: {error}")
        _forget("drained")
        self.comments.append(f"{self.agent} was reactivated")

    def _is_listed(self):
        """Return whether the Mesos leader lists the agent."""
        return bool(__salt__["mesos.agents"](hostname=self.agent))

    def _unlisted(self):
        return (
            f"{self.agent} is not registered, so it was not reactivated. The next run does that "
            "once it is"
        )

    def _reactivate_once(self):
        self._await_reregistration(self.agent)
        _require_success(__states__["mesos.agents_in_service"](self.agent, [self.agent]))

    def _await_reregistration(self, agent):
        """
        Wait until an agent has reregistered with a new leader, which does not know before whether
        the agent is drained.
        """
        self._poll(
            lambda: __salt__["mesos.agents"](hostname=agent),
            lambda agents: any(entry["recovered"] for entry in agents),
        )

    def _with_leader(self, function, timeout):
        """
        Call a function that queries the Mesos masters, and repeat it during an election.

        Raises the function's error if there was a leader before and after the call, or when
        ``timeout`` seconds are over.
        """
        deadline = time.monotonic() + timeout
        while True:
            had_leader = not self._unmet(LEADER_CHECK)
            try:
                return function()
            except CommandExecutionError:
                is_stable = had_leader and not self._unmet(LEADER_CHECK)
                if is_stable or time.monotonic() >= deadline:
                    raise
            time.sleep(POLL_INTERVAL)


class _Options:
    """
    The options that a daemon has loaded from a JSON file, some of which it can reload.

    A record below /run has these options, and the start time of the process that has loaded them.
    """

    def __init__(self, unit, reload):
        self.path = reload["file"]
        options = reload["options"]
        self.options = {key: value for key, value in options.items() if value is not None}
        self.keys = set(reload["keys"])
        self.record_path = os.path.join(RUN_DIRECTORY, f"{unit}.json")

    def has_record(self, status):
        """Return whether the options that this process has loaded are on record."""
        return self._record().get("start") == status.start

    def is_loaded(self, status):
        """Return whether this process has loaded the options in the file."""
        return self.has_record(status) and self._record().get("options") == self._in_file()

    def are_reloadable(self):
        """Return whether a reload is enough for the options that the daemon has not loaded."""
        # An option that is no longer in the file keeps its value on a reload.
        loaded = self._record()["options"]
        changed_keys = {
            key for key in {*loaded, *self.options} if loaded.get(key) != self.options.get(key)
        }
        return changed_keys <= self.keys & set(self.options)

    def remember(self, status):
        """Record that the running process has loaded the options in the file."""
        if not status.is_active or self.has_record(status) and self.is_loaded(status):
            return
        record = {"start": status.start, "options": self._in_file()}
        _write_json(self.record_path, record)

    def _record(self):
        return _read_json(self.record_path) or {}

    def _in_file(self):
        return _read_json(self.path) or {}


# --- helpers ---


def _result(name, result, comment, changes=None):
    return {"name": name, "result": result, "changes": changes or {}, "comment": comment}


def _restarts(restarts):
    if restarts is None:
        # The function pillar.get of Salt 3008 would hide the values.
        restarts = (__pillar__.get("common") or {}).get("restarts")
    if restarts and not isinstance(restarts, Mapping):
        raise SaltInvocationError(f"restarts: {restarts!r} should be a mapping")
    settings = {**DEFAULT_RESTARTS, **(restarts or {})}
    # The orchestrations have one timeout for all readiness checks.
    timeout = __pillar__.get("timeout")
    if isinstance(timeout, int) and not isinstance(timeout, bool) and timeout > 0:
        settings["ready_timeout"] = timeout
    return settings


def _ensure_turn(name, daemons, reason, starts_again):
    comment = reason
    running_daemons = [daemon for daemon in daemons if daemon.status().is_active]
    if not running_daemons:
        return _result(name, True, f"{comment}, and no daemon that uses it runs")
    running_daemons[0].require_service()
    if __opts__["test"]:
        killed_tasks = running_daemons[0].killed_tasks("would kill")
        return _result(name, True, ". ".join([comment, *killed_tasks]))
    for daemon in running_daemons:
        daemon.prepare_stop(reason, starts_again)
        comment = ". ".join([comment, *daemon.comments])
    return _result(name, True, comment)


def _replacement(package, version, replaces):
    """Return which installed package is about to be replaced, in words, or None."""
    installed = __salt__["pkg.version"](package)
    if installed and not _has_version(installed, version):
        return f"{package} {installed} is replaced"
    for conflict in replaces:
        installed = __salt__["pkg.version"](conflict)
        if installed:
            return f"{conflict} {installed} is replaced by {package}"
    return None


def _has_version(installed, version):
    """Return whether an installed ``[epoch:]version-release`` matches a version or a glob."""
    candidates = {installed, installed.partition(":")[2] or installed}
    return any(
        fnmatch.fnmatchcase(candidate, pattern)
        for candidate in candidates
        for pattern in (version, f"{version}-*")
    )


def _has_peers(restarts):
    return bool(restarts["zookeeper"] and restarts["turn"])


def _require_no_failure(unit):
    """Raise CommandExecutionError if another daemon of this run did not become ready."""
    failed_units = __context__.get(FAILED_KEY)
    if failed_units:
        raise CommandExecutionError(
            f"{unit} was not touched, since {', '.join(failed_units)} did not become ready"
        )


def _none_is_connected(agents):
    """Return whether the leader lists agents, none of which is connected to it."""
    return bool(agents) and not any(agent["active"] or agent["deactivated"] for agent in agents)


def _active_tasks(agent):
    """Return the tasks that run on an agent."""
    return [
        task
        for task in __salt__["mesos.tasks"]()
        if task["agent_id"] == agent["id"] and task["state"] in ACTIVE_TASK_STATES
    ]


def _is_scheduled(agent):
    """Return whether the machine of an agent has a maintenance window."""
    machines = [
        machine
        for window in __salt__["mesos.maintenance_schedule"]()
        for machine in window["machines"]
    ]
    return any(
        (machine.get("hostname") or "").lower() == agent["hostname"].lower() for machine in machines
    )


def _require_success(result):
    """Raise CommandExecutionError with the comment of a state that has failed."""
    if not result["result"]:
        raise CommandExecutionError(" ".join(result["comment"].split()))


def _describe_stale(files):
    return f"Newer than the process: {', '.join(files)}"


def _utc(seconds):
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def _ctimes(paths):
    """Return the ctime of each file, and of each file in a directory, in Unix seconds."""
    ctimes = {}
    for path in paths:
        with contextlib.suppress(OSError):
            ctimes[path] = _ctime(path)
        with contextlib.suppress(OSError):
            for name in os.listdir(path):
                file = os.path.join(path, name)
                ctimes[file] = _ctime(file)
    return ctimes


def _ctime(path):
    """Return the later ctime of a file and of the link to it."""
    return max(os.stat(path).st_ctime, os.lstat(path).st_ctime)


def _state_path(fact):
    return os.path.join(STATE_DIRECTORY, f"{fact}.json")


def _remembers(fact):
    return os.path.exists(_state_path(fact))


def _remember(fact, record):
    _write_json(_state_path(fact), record)


def _forget(fact):
    with contextlib.suppress(FileNotFoundError):
        os.remove(_state_path(fact))


def _read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _write_json(path, content):
    """Write a file that only root can read, so that it is complete even after a power cut."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    beside = f"{path}.new"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
