"""
States for roles that a node no longer has.
"""

import importlib
import re
from collections.abc import Mapping
from pathlib import Path

import _ready
import _zookeeper_data
from salt.exceptions import CommandExecutionError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_ready)
importlib.reload(_zookeeper_data)

# Between restarts of a daemon that fails, systemd reports "activating".
RUNNING_STATES = ("active", "activating", "reloading", "deactivating")
ENABLED_STATES = ("enabled", "enabled-runtime")
UNIT_PROPERTIES = ("ActiveState", "UnitFileState")
PAST_TENSE = {"stop": "stopped", "disable": "disabled", "mask": "masked"}
VOTING_MODES = ("leader", "follower", "standalone")
# Seconds.
REQUEST_TIMEOUT = 5


def stopped(
    name,
    daemons,
    mask=False,
    ensemble=None,
    masters=None,
    timeout=120,
    restarts=None,
    reason=None,
):
    """
    Stop and disable daemons of roles that this node does not have, one after the other.

    .. code-block:: yaml

        withdrawn-roles:
          withdrawn.stopped:
            - daemons:
              - role: marathon
                unit: marathon
                formula: marathon
                files: [/etc/systemd/system/marathon.service.d/salt.conf]
              - role: zookeeper
                unit: zookeeper
                formula: zookeeper
                files: [/etc/zookeeper/conf/zoo.cfg]
            - ensemble:
                servers: {1: 10.0.0.1, 2: 10.0.0.2, 3: 10.0.0.3}

    name
        Any text.

    daemons
        List of mappings, in the order in which the daemons are stopped: ``role``; ``unit``, the
        systemd unit; ``formula`` and ``files``; and ``control``, default False. A daemon is left
        alone unless one of the files has the line ``Managed by Salt`` of that formula, since
        somebody else may have installed it. A daemon without ``files`` is stopped in any case. One
        with ``control`` takes a turn of the control nodes, whatever this node is.

    mask
        True: mask the units as well, whether they are installed or not. Default False.

    ensemble
        The ZooKeeper ensemble without this node: ``servers`` (addresses by id), ``observers`` (list
        of ids, default none) and ``port`` (default 2181). A daemon with the role ``zookeeper`` is
        stopped only if the remaining voters that serve are a majority of ``servers``, and of the
        voters in this node's ``zoo.cfg``. If a remaining server is standalone, the old list no
        longer counts. If servers are only removed, the last one waits until all remaining servers
        but the leader have the new list, see ``zk.may_join``. If it leads itself, it is restarted
        first, so that another server leads. Default: no check.

    masters
        The other Mesos masters: ``url``, see ``mesos.connection``, and ``quorum_file``, the file
        with the flag ``quorum`` of the master on this node. A daemon with the role ``mesos-master``
        is stopped only if enough of them are healthy and have recovered their log: a majority, and
        at least as many as that flag says. While they have, and the flag is above 1,
        ``replicated_log`` in the directory of the flag ``work_dir``, a file beside that one, is
        renamed to ``replicated_log.withdrawn``: it misses what the others write from now on, and
        must not vote if the node gets the role again. Default: no check.

    timeout
        Seconds to wait for these servers, default 120.

    restarts
        See ``daemon.running``. In a cluster a running daemon is stopped only in a turn, which the
        node keeps until ``daemon.turn_returned``. Default: the settings in pillar.

    reason
        Why they are stopped, for the comment. Default: that the node does not have the role.

    Deletes nothing. If a daemon cannot be stopped, the state fails, and those after it keep
    running. A daemon that does not run is disabled without a check of the other servers.
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": ""}
    if not _are_daemons(daemons):
        comment = f"daemons: {daemons!r} should be a list of mappings with role and unit"
        return {**ret, "result": False, "comment": comment}
    peers = {"zookeeper": ensemble, "mesos-master": masters}
    managed = [daemon for daemon in daemons if _is_managed(daemon)]
    comments = []
    try:
        for daemon, status in zip(managed, _statuses(managed)):
            steps = _steps(status, mask)
            if "stop" in steps:
                options = (peers.get(daemon["role"]), timeout, restarts)
                comments += _prepare_stop(name, daemon, *options)
            if steps:
                if not __opts__["test"]:
                    _run_steps(steps, daemon, mask)
                ret["changes"][daemon["unit"]] = _unit_change(status, mask)
                comments.append(_describe_steps(steps, daemon, reason))
            if daemon["role"] == "mesos-master" and masters:
                ret["changes"].update(_rename_log(masters, others_have_log="stop" in steps))
    except CommandExecutionError as error:
        ret["result"] = False
        comments.append(str(error))
    if ret["result"] and ret["changes"] and __opts__["test"]:
        ret["result"] = None
    comments = comments or ["No daemon runs or is enabled without its role"]
    ret["comment"] = "\n".join([*comments, *_describe_unmanaged(daemons, managed)])
    return ret


def _prepare_stop(name, daemon, peers, timeout, restarts):
    """
    Take a turn, and wait until the other servers can do without this one. Returns a list of
    comments.
    """
    if daemon["role"] != "zookeeper" or not peers:
        _take_turn(daemon, restarts)
        return _wait_for_masters(name, daemon, peers, timeout)
    server = _RemovedServer(daemon, peers)
    comments = []
    while True:
        # The other servers need turns before this one stops, so it waits without a turn.
        _return_turn(restarts)
        comments += _wait_for_ensemble(name, daemon, server, timeout)
        if __opts__["test"]:
            return comments
        _take_turn(daemon, restarts)
        # Another removed server may have been first.
        if server.can_stop(REQUEST_TIMEOUT)[0]:
            return comments
        if server.must_hand_over:
            _systemctl("restart", daemon["unit"])
            server.wait_until_member(timeout)
            comments.append(f"{daemon['unit']} was restarted, so that another server leads")


def _take_turn(daemon, restarts):
    """Wait for a turn. Raises CommandExecutionError if it does not come."""
    restarts = _restarts(restarts)
    if __opts__["test"] or not restarts:
        return
    if daemon.get("control"):
        restarts = {**restarts, "turn": "control-nodes"}
    ret = __states__["daemon.turn"](daemon["unit"], starts_again=False, restarts=restarts)
    if not ret["result"]:
        raise CommandExecutionError(ret["comment"])


def _return_turn(restarts):
    """Give back the turn of this run. Raises CommandExecutionError if a daemon is not ready."""
    restarts = _restarts(restarts)
    if __opts__["test"] or not restarts:
        return
    ret = __states__["daemon.turn_returned"]("turn-returned", restarts=restarts)
    if not ret["result"]:
        raise CommandExecutionError(ret["comment"])


def _restarts(restarts):
    """Return the settings of restarts in a cluster, None on a node without peers."""
    if restarts is None:
        # The function pillar.get of Salt 3008 would hide the values.
        restarts = (__pillar__.get("common") or {}).get("restarts") or {}
    return restarts if restarts.get("zookeeper") and restarts.get("turn") else None


# --- daemons ---


def _are_daemons(value):
    if not isinstance(value, list):
        return False
    return all(isinstance(item, Mapping) and {"role", "unit"} <= set(item) for item in value)


def _is_managed(daemon):
    """Return whether this tree has installed a daemon on this node."""
    marker = f"Managed by Salt ({daemon.get('formula')}."
    paths = daemon.get("files") or []
    return not paths or any(marker in _read(path) for path in paths)


def _read(path):
    """Return the text of a file, empty if it does not exist."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _systemctl(*arguments):
    """Return the output of systemctl. Raises CommandExecutionError if it fails."""
    command = ["systemctl", *arguments]
    answer = __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True)
    if answer["retcode"] != 0:
        reason = answer["stderr"] or answer["stdout"] or f"exit code {answer['retcode']}"
        raise CommandExecutionError(f"{' '.join(command)} failed on {__opts__['id']}: {reason}")
    return answer["stdout"]


def _statuses(daemons):
    """Return the properties of the daemons' units, in the same order. Calls systemctl once."""
    if not daemons:
        return []
    units = [daemon["unit"] for daemon in daemons]
    output = _systemctl("show", "--property=" + ",".join(UNIT_PROPERTIES), *units)
    statuses = []
    for block in re.split(r"\n\s*\n", output):
        properties = dict(line.partition("=")[::2] for line in block.splitlines())
        statuses.append({key: properties.get(key, "") for key in UNIT_PROPERTIES})
    if len(statuses) != len(units):
        raise CommandExecutionError(
            f"systemctl show on {__opts__['id']} described {len(statuses)} of {len(units)} units"
        )
    return statuses


def _steps(status, mask):
    """Return what has to be done with a unit: a list out of stop, disable and mask."""
    steps = []
    if status["ActiveState"] in RUNNING_STATES:
        steps.append("stop")
    if status["UnitFileState"] in ENABLED_STATES:
        steps.append("disable")
    if mask and status["UnitFileState"] != "masked":
        steps.append("mask")
    return steps


def _run_steps(steps, daemon, mask):
    """Call systemctl for each step. Raises CommandExecutionError if one had no effect."""
    for step in steps:
        _systemctl(step, daemon["unit"])
    [status] = _statuses([daemon])
    if _steps(status, mask):
        raise CommandExecutionError(
            f"{daemon['unit']} on {__opts__['id']} is still {status['ActiveState']} and "
            f"{status['UnitFileState']}, although systemctl reported success: {', '.join(steps)}"
        )


def _rename_log(masters, others_have_log):
    """
    Rename the replicated log of a stopped master. Returns the change, none without a log.

    The log stays if the other masters do not have it, as it may be the last one. So does that of a
    single master: it can only vote alone.
    """
    work_dir = _read(Path(masters["quorum_file"]).with_name("work_dir")).strip()
    log = Path(work_dir or "/nowhere", "replicated_log")
    if not log.is_dir() or _quorum(masters) == 1:
        return {}
    if not others_have_log and not _masters_check(masters)[1](REQUEST_TIMEOUT)[0]:
        return {}
    new = log.with_name("replicated_log.withdrawn")
    number = 1
    while new.exists():
        number += 1
        new = log.with_name(f"replicated_log.withdrawn.{number}")
    if not __opts__["test"]:
        try:
            log.rename(new)
        except OSError as error:
            raise CommandExecutionError(f"{log} on {__opts__['id']}: {error}") from None
    return {str(log): {"old": str(log), "new": str(new)}}


def _unit_change(status, mask):
    old = "running" if status["ActiveState"] in RUNNING_STATES else "stopped"
    at_boot = status["UnitFileState"] or "not installed"
    new_at_boot = "disabled" if at_boot in ENABLED_STATES else at_boot
    if mask:
        new_at_boot = "masked"
    return {"old": f"{old}, {at_boot}", "new": f"stopped, {new_at_boot}"}


def _describe_steps(steps, daemon, reason):
    verb = "would be" if __opts__["test"] else "was"
    done = " and ".join(PAST_TENSE[step] for step in steps)
    reason = reason or f"{__opts__['id']} does not have the role {daemon['role']}"
    return f"{daemon['unit']} {verb} {done}, since {reason}"


def _describe_unmanaged(daemons, managed):
    """Return a sentence about the daemons that are left alone, if there are any."""
    units = [daemon["unit"] for daemon in daemons if daemon not in managed]
    if not units:
        return []
    return [f"Not installed by these states, and left alone: {', '.join(units)}"]


# --- the servers that remain ---


def _wait_for_masters(name, daemon, peers, timeout):
    """
    Wait until the Mesos masters on other nodes can do without this one.

    Returns a list of comments of a test run. Raises CommandExecutionError if they cannot.
    """
    if not peers:
        return []
    subject, check = _masters_check(peers)
    return _wait(name, daemon, subject, check, timeout)


def _wait_for_ensemble(name, daemon, server, timeout):
    """As ``_wait_for_masters``, for a ZooKeeper server."""
    return _wait(name, daemon, server.subject, server.may_take_turn, timeout)


def _wait(name, daemon, subject, check, timeout):
    ret = _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])
    if ret["result"] is False:
        raise CommandExecutionError(
            f"{daemon['unit']} on {__opts__['id']} was not stopped. {ret['comment']}\nTo stop it "
            f"anyway, run systemctl stop {daemon['unit']} there, and apply the states again"
        )
    return [ret["comment"]] if ret["result"] is None else []


class _RemovedServer:
    """
    Decides when a ZooKeeper server stops that is no longer in the list of servers. See
    docs/decisions/empty-servers.md.

    daemon, ensemble
        See ``stopped``.
    """

    def __init__(self, daemon, ensemble):
        self.must_hand_over = False
        self._servers = {str(key): address for key, address in ensemble["servers"].items()}
        observers = {str(observer) for observer in ensemble.get("observers") or []}
        self._voters = set(self._servers) - observers
        self._port = ensemble.get("port", 2181)
        zoo_cfg = {}
        self._configured_votes = 0
        for path in daemon.get("files") or []:
            options = _zookeeper_data.read_zoo_cfg(path)
            self._configured_votes += _zookeeper_data.count_votes(options)
            zoo_cfg.update(options)
        self._id = _read(Path(zoo_cfg.get("dataDir", "/nowhere"), "myid")).strip()
        old_servers = _zookeeper_data.server_addresses(zoo_cfg)
        # Empty if other servers are added at the same time.
        self._old_servers = {}
        if self._id in old_servers and set(self._servers) < set(old_servers):
            self._old_servers = old_servers
        count = max(len(self._voters), self._configured_votes) // 2 + 1
        self.subject = f"{_ready.plural(count, 'other ZooKeeper server')} to serve"

    def may_take_turn(self, request_timeout):
        """Return whether this server stops, or hands over the leadership, in its next turn."""
        can_stop, comment = self.can_stop(request_timeout)
        return can_stop or self.must_hand_over, comment

    def wait_until_member(self, timeout):
        """Wait until the server serves again. Raises CommandExecutionError if it does not."""
        ret = __states__["zk.ensemble_available"](
            "restarted", self._old_servers, self._port, self._id, timeout
        )
        if not ret["result"]:
            raise CommandExecutionError(ret["comment"])

    def can_stop(self, request_timeout):
        """Return whether the others can do without this server, and a comment."""
        servers = {**self._old_servers, **self._servers}
        statuses = __salt__["zk.ensemble"](
            servers=servers, port=self._port, timeout=request_timeout
        )
        modes = {str(server_id): status["mode"] for server_id, status in statuses.items()}
        can_stop, reason = self._check(modes, request_timeout)
        lines = [
            f"{server_id} {status['address']}: {status['error'] or status['mode']}"
            for server_id, status in statuses.items()
        ]
        return can_stop, "\n".join([*reason, *lines])

    def _check(self, modes, request_timeout):
        self.must_hand_over = False
        serving = [voter for voter in self._voters if modes[voter] in VOTING_MODES]
        # A server in mode standalone no longer belongs to the ensemble of this one.
        if "standalone" in {modes[key] for key in self._servers}:
            return len(serving) * 2 > len(self._voters), []
        if len(serving) * 2 <= max(len(self._voters), self._configured_votes):
            return False, []
        if modes.get(self._id) not in VOTING_MODES:
            return True, []
        removed_peers = set(self._old_servers) - set(self._servers) - {self._id}
        running = sorted(key for key in removed_peers if modes[key] != "unreachable")
        if running:
            if modes[self._id] != "leader":
                return True, []
            return False, [f"Server {self._id} leads, so it stops after {', '.join(running)}"]
        if len(self._servers) < 2:
            return False, ["The server that remains has to run alone first"]
        if modes[self._id] == "leader":
            self.must_hand_over = True
            return False, [
                f"Server {self._id} leads, so it is restarted first, so that another server leads"
            ]
        outdated_servers = ", ".join(sorted(self._outdated_servers(modes, request_timeout)))
        if not outdated_servers:
            return True, []
        return False, [
            f"Apply the states to {outdated_servers} first, so that they get the new list"
        ]

    def _outdated_servers(self, modes, request_timeout):
        """Return the servers that remain, do not lead, and have another list of servers."""
        lists = __salt__["zk.server_lists"](
            servers=self._servers, port=self._port, timeout=request_timeout
        )
        followers = {key for key in self._servers if modes[key] != "leader"}
        return _zookeeper_data.outdated_servers(lists, followers, self._servers)


def _masters_check(masters):
    """Return what to wait for, and a check for ``_ready.wait_until_ready``."""
    urls = masters["url"]
    urls = urls.split(",") if isinstance(urls, str) else urls
    count = max(len(urls) // 2 + 1, _quorum(masters))

    def check(request_timeout):
        statuses = __salt__["mesos.masters"](url=urls, timeout=request_timeout, retries=0)
        recovered = [status for status in statuses if _has_recovered(status)]
        return len(recovered) >= count, "\n".join(_describe_master(status) for status in statuses)

    subject = f"{_ready.plural(count, 'other Mesos master')} to recover the log"
    return subject, check


def _quorum(masters):
    """Return the quorum of the master on this node, 1 if its flag is not known."""
    quorum = re.match(r"\d+", _read(masters["quorum_file"]))
    return int(quorum[0]) if quorum else 1


def _has_recovered(master):
    return master["healthy"] and master["log_recovered"] is not False


def _describe_master(master):
    if not master["healthy"]:
        return f"{master['url']}: {master['error']}"
    state = "healthy" if _has_recovered(master) else "its log has not recovered"
    return f"{master['url']}: {state}"
