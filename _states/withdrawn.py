"""
States for roles that a node no longer has.
"""

import importlib
import re
from collections.abc import Mapping

import _ready
from salt.exceptions import CommandExecutionError

# After a sync Salt still has the old helper in sys.modules.
importlib.reload(_ready)

# Between restarts of a daemon that fails, systemd reports "activating".
RUNNING_STATES = ("active", "activating", "reloading", "deactivating")
ENABLED_STATES = ("enabled", "enabled-runtime")
PROPERTIES = ("ActiveState", "UnitFileState")
STEP_DONE = {"stop": "stopped", "disable": "disabled", "mask": "masked"}
VOTING_MODES = ("leader", "follower", "standalone")


def stopped(name, daemons, mask=False, ensemble=None, masters=None, timeout=120, restarts=None):
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
        stopped only if a majority of the voters serves, which is also a majority of the servers in
        the ``zoo.cfg`` of this node, or includes a server in mode standalone. Default: no check.

    masters
        The other Mesos masters: ``url``, see ``mesos.connection``, and ``quorum_file``, the file
        with the flag ``quorum`` of the master on this node. A daemon with the role ``mesos-master``
        is stopped only if enough of them are healthy and have recovered their log: a majority, and
        at least as many as that flag says. Default: no check.

    timeout
        Seconds to wait for these servers, default 120.

    restarts
        See ``daemon.running``. In a cluster a running daemon is stopped only in a turn, which the
        node keeps until ``daemon.turn_returned``. Default: the settings in pillar.

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
                _take_turn(daemon, restarts)
                comments += _ask_peers(name, daemon, peers.get(daemon["role"]), timeout)
            if not steps:
                continue
            if not __opts__["test"]:
                _run_steps(steps, daemon, mask)
            ret["changes"][daemon["unit"]] = _change(status, mask)
            comments.append(_describe_steps(steps, daemon))
    except CommandExecutionError as error:
        ret["result"] = False
        comments.append(str(error))
    if ret["result"] and ret["changes"] and __opts__["test"]:
        ret["result"] = None
    comments = comments or ["No daemon runs or is enabled without its role"]
    ret["comment"] = "\n".join([*comments, *_describe_unmanaged(daemons, managed)])
    return ret


def _take_turn(daemon, restarts):
    """Wait for a turn. Raises CommandExecutionError if it does not come."""
    if __opts__["test"]:
        return
    if restarts is None:
        # The function pillar.get of Salt 3008 would hide the values.
        restarts = (__pillar__.get("common") or {}).get("restarts") or {}
    if not restarts.get("zookeeper") or not restarts.get("turn"):
        return
    if daemon.get("control"):
        restarts = {**restarts, "turn": "control-nodes"}
    ret = __states__["daemon.turn"](daemon["unit"], starts_again=False, restarts=restarts)
    if not ret["result"]:
        raise CommandExecutionError(ret["comment"])


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
    """Return the properties of the daemons' units, in the same order. One process for all."""
    if not daemons:
        return []
    units = [daemon["unit"] for daemon in daemons]
    output = _systemctl("show", "--property=" + ",".join(PROPERTIES), *units)
    statuses = []
    for block in re.split(r"\n\s*\n", output):
        properties = dict(line.partition("=")[::2] for line in block.splitlines())
        statuses.append({key: properties.get(key, "") for key in PROPERTIES})
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


def _change(status, mask):
    old = "running" if status["ActiveState"] in RUNNING_STATES else "stopped"
    at_boot = status["UnitFileState"] or "not installed"
    new_at_boot = "disabled" if at_boot in ENABLED_STATES else at_boot
    if mask:
        new_at_boot = "masked"
    return {"old": f"{old}, {at_boot}", "new": f"stopped, {new_at_boot}"}


def _describe_steps(steps, daemon):
    verb = "would be" if __opts__["test"] else "was"
    done = " and ".join(STEP_DONE[step] for step in steps)
    reason = f"{__opts__['id']} does not have the role {daemon['role']}"
    return f"{daemon['unit']} {verb} {done}, since {reason}"


def _describe_unmanaged(daemons, managed):
    """Return a sentence about the daemons that are left alone, if there are any."""
    units = [daemon["unit"] for daemon in daemons if daemon not in managed]
    if not units:
        return []
    return [f"Not installed by these states, and left alone: {', '.join(units)}"]


# --- the servers that remain ---


def _ask_peers(name, daemon, peers, timeout):
    """
    Wait until the servers of the same kind on other nodes can do without this one.

    Returns a list of comments of a test run. Raises CommandExecutionError if they cannot.
    """
    if not peers:
        return []
    make_check = {"zookeeper": _ensemble_check, "mesos-master": _masters_check}[daemon["role"]]
    subject, check = make_check(daemon, peers)
    ret = _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])
    if ret["result"] is False:
        raise CommandExecutionError(
            f"{daemon['unit']} on {__opts__['id']} was not stopped. {ret['comment']}\nTo stop it "
            f"anyway, run systemctl stop {daemon['unit']} there, and apply the states again"
        )
    return [ret["comment"]] if ret["result"] is None else []


def _ensemble_check(daemon, ensemble):
    """Return what to wait for, and a check for ``_ready.wait_until_ready``."""
    servers = ensemble["servers"]
    observers = {str(observer) for observer in ensemble.get("observers") or []}
    voters = {str(server_id) for server_id in servers} - observers
    configured_votes = sum(_count_votes(path) for path in daemon.get("files") or [])
    port = ensemble.get("port", 2181)

    def check(request_timeout):
        statuses = __salt__["zk.ensemble"](servers=servers, port=port, timeout=request_timeout)
        modes = {str(server_id): status["mode"] for server_id, status in statuses.items()}
        serving = [voter for voter in voters if modes[voter] in VOTING_MODES]
        # A server in mode standalone no longer belongs to the ensemble of this one.
        has_standalone = "standalone" in modes.values()
        has_quorum = len(serving) * 2 > len(voters)
        has_old_quorum = has_standalone or len(serving) * 2 > configured_votes
        comment = "\n".join(
            f"{server_id} {status['address']}: {status['error'] or status['mode']}"
            for server_id, status in statuses.items()
        )
        return has_quorum and has_old_quorum, comment

    count = max(len(voters), configured_votes) // 2 + 1
    return f"{_ready.plural(count, 'ZooKeeper server')} to serve besides this one", check


def _count_votes(path):
    """Return the number of servers in a zoo.cfg that vote."""
    members = re.findall(r"^server\.\d+=(\S+)", _read(path), re.MULTILINE)
    return sum(not member.endswith(":observer") for member in members)


def _masters_check(_daemon, masters):
    """Return what to wait for, and a check for ``_ready.wait_until_ready``."""
    urls = masters["url"]
    urls = urls.split(",") if isinstance(urls, str) else urls
    quorum = re.match(r"\d+", _read(masters["quorum_file"]))
    old_quorum = int(quorum[0]) if quorum else 1
    count = max(len(urls) // 2 + 1, old_quorum)

    def check(request_timeout):
        statuses = __salt__["mesos.masters"](url=urls, timeout=request_timeout, retries=0)
        recovered = [status for status in statuses if _has_recovered(status)]
        return len(recovered) >= count, "\n".join(_describe_master(status) for status in statuses)

    subject = f"{_ready.plural(count, 'Mesos master')} besides this one to have recovered their log"
    return subject, check


def _has_recovered(master):
    return master["healthy"] and master["log_recovered"] is not False


def _describe_master(master):
    if not master["healthy"]:
        return f"{master['url']}: {master['error']}"
    state = "healthy" if _has_recovered(master) else "its log has not recovered"
    return f"{master['url']}: {state}"
