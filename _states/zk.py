"""
States for ZooKeeper. The name is zk because Salt up to 3007 has a module ``zookeeper``.
"""

import importlib
import re
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import _ready
import _zookeeper_data
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_ready)
importlib.reload(_zookeeper_data)

SERVING_MODES = ("leader", "follower", "observer")
VOTING_MODES = ("leader", "follower")
# The first version that does not start with a transaction log and no snapshot.
SNAPSHOT_REQUIRED = [3, 5]
# The id that zk.ensemble gives to a server that is alone.
DEFAULT_ID = 1


def myid_stays(name, myid):
    """
    Fail if this server already has another id, before its ``myid`` file is written. Changes
    nothing.

    A server that returns under another id would vote twice, or take the place of a running server.

    name
        Path of the file ``myid`` in the data directory. If it is missing or empty, the server has
        no id yet.

    myid
        The id that the server should have, 1 to 255.

    .. code-block:: yaml

        zookeeper-myid-stays:
          zk.myid_stays:
            - name: /var/lib/zookeeper/myid
            - myid: 1
    """
    current_id = ""
    if __salt__["file.file_exists"](name):
        current_id = __salt__["file.read"](name).strip()
    if current_id in ("", str(myid)):
        comment = f"The id of this server is {myid}"
        return {"name": name, "result": True, "changes": {}, "comment": comment}
    comment = (
        f"This server has the id {current_id} in {name}, but pillar zookeeper:myid is {myid}; "
        f"nothing was changed. If pillar is wrong, set it to {current_id}. If the server is to "
        f"join as {myid} without data, stop zookeeper, move {name.rpartition('/')[0]} away, and "
        "apply the states again."
    )
    return {"name": name, "result": False, "changes": {}, "comment": comment}


def step_allowed(name, package, since, stops=(), data_dir=None, data_log_dir=None, trust=False):
    """
    Fail if the installed ZooKeeper cannot be replaced by another version in one step. Changes
    nothing.

    Servers of both versions are in the ensemble during an upgrade, so they must understand each
    other. ``formulas/zookeeper/steps.py`` lists the versions. From 3.5 on, a server with a
    transaction log and no snapshot does not start; up to 3.4 this is possible.

    .. code-block:: yaml

        zookeeper-step:
          zk.step_allowed:
            - name: 3.8.0
            - package: mesosphere-zookeeper
            - since: 3.5.0
            - stops:
                - {version: 3.5.10, since: 3.4.6}
            - data_dir: /var/lib/zookeeper

    name
        The version of the package that is to be installed.

    package
        The name of the package.

    since
        The first version from which the step is possible.

    stops
        Intermediate versions for servers older than ``since``, newest first. Each has ``version``
        and its own ``since``. Default: none.

    data_dir, data_log_dir
        The directories of the snapshots and of the transaction log. Default of the second: the
        first. Default of the first: they are not checked.

    trust
        Whether the option ``snapshot.trust.empty`` is set, which lets a server start without a
        snapshot. Default False.

    Succeeds if the package is not installed.
    """
    installed = __salt__["pkg.version"](package)
    numbers = _version_numbers(installed)
    setting = f"zookeeper:version = {name} on {__grains__['id']}"
    result, comment = True, f"ZooKeeper {installed} can be replaced by {name}"
    if not numbers:
        comment = f"ZooKeeper {name} can be installed"
    elif numbers < _version_numbers(since):
        next_stops = [stop for stop in stops if _version_numbers(stop["since"]) <= numbers]
        advice = f" Upgrade all servers to {next_stops[0]['version']} first." if next_stops else ""
        result = False
        comment = (
            f"{setting}: only {since} and later can be upgraded to this version, and {installed} "
            f"is installed.{advice}"
        )
    elif numbers < SNAPSHOT_REQUIRED <= _version_numbers(name) and not trust:
        directory = _logs_without_snapshot(data_dir, data_log_dir)
        if directory:
            result = False
            comment = (
                f"{setting}: {directory} has a transaction log and no snapshot, so the new version "
                "would not start. A follower writes a snapshot when it is restarted. For a single "
                "server set zookeeper:options:snapshot.trust.empty: true until the upgrade is done."
            )
    return {"name": name, "result": result, "changes": {}, "comment": comment}


def _logs_without_snapshot(data_dir, data_log_dir):
    """Return the directory of the transaction log if there is no snapshot, else None."""
    if not data_dir:
        return None
    logs = Path(data_log_dir or data_dir, "version-2")
    if not any(logs.glob("log.*")) or any(Path(data_dir, "version-2").glob("snapshot.*")):
        return None
    return logs


def _version_numbers(version):
    """Return ``3.4.6-0.1.el7`` as [3, 4, 6], to compare it; [] if nothing is installed."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return [int(number) for number in match[1].split(".")] if match else []


def ensemble_available(name, servers, port=2181, myid=None, timeout=120, observers=()):
    """
    Wait until a ZooKeeper ensemble serves. Changes nothing.

    .. code-block:: yaml

        zookeeper-ensemble:
          zk.ensemble_available:
            - servers:
                1: 10.0.0.1
                2: 10.0.0.2
                3: 10.0.0.3
            - timeout: 120

    name
        Any text.

    servers
        Mapping of the ids of all servers to their addresses.

    port
        Port for clients, default 2181.

    myid
        The id of the server to check. It must respond, and if a majority of the voters responds, it
        must serve. So the first of three servers does not wait for others that do not exist yet,
        and a restarted server must have joined the others again. Default: check the ensemble, which
        must have one leader and a serving majority of the voters.

    timeout
        Seconds to wait, default 120. 0 means to check once.

    observers
        List of the ids of the servers that do not vote. Default: none.

    A server in mode ``standalone`` counts only if it is the only one in ``servers``: otherwise it
    does not belong to the ensemble. The comment of a failed state has the last status of each
    server.
    """
    problem = _argument_problem(servers, myid, observers)
    if problem:
        return {"name": name, "result": False, "changes": {}, "comment": problem}
    voters = _voters(servers, observers)
    serving_modes = (*SERVING_MODES, "standalone") if len(servers) == 1 else SERVING_MODES

    def check(request_timeout):
        modes, comment = _modes(servers, port, request_timeout)
        if myid is None:
            return _has_quorum(modes, voters, serving_modes), comment
        if modes[str(myid)] in serving_modes:
            return True, comment
        # A server that runs alone does not belong to the ensemble yet.
        responding = sum(modes[voter] not in ("unreachable", "standalone") for voter in voters)
        if modes[str(myid)] == "unreachable" or responding * 2 > len(voters):
            return False, comment
        reason = (
            f"Server {myid} responds. Responding voters: {responding} of {len(voters)}, too few "
            "to serve"
        )
        return True, f"{reason}\n{comment}"

    subject = f"server {myid} to serve"
    if myid is None:
        subject = "a leader and a majority of the ensemble"
    return _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])


def quorum_without_member(name, servers, myid, port=2181, timeout=120, observers=()):
    """
    Wait until a ZooKeeper ensemble would keep its quorum without one of its servers. Changes
    nothing.

    .. code-block:: yaml

        the-others-have-a-quorum:
          zk.quorum_without_member:
            - servers:
                1: 10.0.0.1
                2: 10.0.0.2
                3: 10.0.0.3
            - myid: 1

    name
        Any text.

    servers, port, timeout, observers
        See ``zk.ensemble_available``.

    myid
        The id of the server that is about to be restarted. The other servers that serve have to be
        a majority of all voters. An observer can always be restarted, and so can a server that
        still runs alone.

    The comment of a failed state has the last status of each server.
    """
    problem = _argument_problem(servers, myid, observers)
    if problem:
        return {"name": name, "result": False, "changes": {}, "comment": problem}
    voters = _voters(servers, observers)

    def check(request_timeout):
        modes, comment = _modes(servers, port, request_timeout)
        # A standalone server is in no quorum yet. The others wait until it restarts with the new
        # list.
        can_stop = str(myid) not in voters or modes[str(myid)] == "standalone"
        peers = voters - {str(myid)}
        serving = [voter for voter in peers if modes[voter] in VOTING_MODES]
        return can_stop or len(serving) * 2 > len(voters), comment

    subject = f"a majority of {len(voters)} voters without server {myid}"
    return _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])


def data_stays(
    name,
    config,
    record,
    servers=None,
    myid=None,
    observers=(),
    port=2181,
    data_log_dir=None,
    data_lost=(),
    timeout=120,
):
    """
    Fail if this server was started before and its data is missing. Changes nothing.

    The disk may just not be mounted. A server that starts without its disk is empty, and a majority
    of empty servers elects a leader, which deletes the data of the others.

    .. code-block:: yaml

        zookeeper-data-stays:
          zk.data_stays:
            - name: /var/lib/zookeeper
            - config: /etc/zookeeper/conf/zoo.cfg
            - record: /etc/zookeeper/conf/salt-record
            - servers: {1: 10.0.0.1, 2: 10.0.0.2, 3: 10.0.0.3}
            - myid: 2

    name
        The data directory.

    config
        Path of ``zoo.cfg``, as the last run wrote it.

    record
        Path of a file, on another disk than the data, that exists if the server was started on this
        host. If this file is missing, a ``zoo.cfg`` with servers and no ``myid`` also means that
        the server was started: the states write ``myid`` first.

    servers, myid, observers, port
        As for ``zk.ensemble_available``. Default: a server that is alone. Its id is 1.

    data_log_dir
        The directory of the transaction log. Default: the data directory.

    data_lost
        Ids of the servers whose data is lost for good. Such a server may begin empty, as soon as a
        quorum of the others serves: it copies their data. Default: none.

    timeout
        Seconds to wait for that quorum, default 120. 0 means to check once.
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": ""}
    zoo_cfg = _zookeeper_data.read_zoo_cfg(config)
    has_myid = Path(name, "myid").exists()
    was_started = Path(record).exists()
    if not was_started and (has_myid or not _zookeeper_data.server_addresses(zoo_cfg)):
        return {**ret, "comment": "No server was started on this host before"}
    directory = _zookeeper_data.missing_database(name, data_log_dir)
    if directory is None:
        return {**ret, "comment": "This server has its data"}
    if not isinstance(data_lost, (list, tuple)):
        return {**ret, "result": False, "comment": "data_lost: should be a list of ids"}
    server_id = str(DEFAULT_ID if myid is None else myid)
    if server_id not in {str(lost_id) for lost_id in data_lost}:
        comment = _lost_data_message(directory, server_id, zoo_cfg, name, data_log_dir)
        return {**ret, "result": False, "comment": comment}
    if len(servers or {}) < 2:
        return {**ret, "comment": f"The data of server {server_id} is lost. It starts empty"}
    problem = _argument_problem(servers, server_id, observers)
    if problem:
        return {**ret, "result": False, "comment": problem}
    voters = _voters(servers, observers)

    def check(request_timeout):
        modes, comment = _modes(servers, port, request_timeout)
        if _serves_without(modes, voters, server_id):
            return True, f"The data of server {server_id} is lost. It copies the data of the others"
        return False, comment

    subject = f"a quorum without server {server_id}, which lost its data"
    return _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])


def _lost_data_message(directory, server_id, zoo_cfg, data_dir, data_log_dir):
    """Return why a server without its data is refused, and what to do."""
    message = (
        f"Server {server_id} has run on {__opts__['id']} before, but {directory} has none of its "
        "data. Is its disk mounted? Nothing was changed."
    )
    old_data_dir = zoo_cfg.get("dataDir", data_dir)
    old_log_dir = zoo_cfg.get("dataLogDir", old_data_dir)
    if directory == data_dir and old_data_dir != data_dir:
        return (
            f"{message} The server had its data in {old_data_dir}: stop zookeeper, move all of it, "
            "and apply the states again."
        )
    if directory == data_log_dir and old_log_dir != data_log_dir:
        return (
            f"{message} The server had its log in {old_log_dir}: stop zookeeper, move the files "
            f"log.* from {old_log_dir}/version-2 to {data_log_dir}/version-2, and apply the states "
            "again."
        )
    return (
        f"{message} Mount it and apply the states again. If the data is lost for good, add "
        f"{server_id} to pillar zookeeper:data_lost."
    )


def may_join(
    name,
    config,
    servers=None,
    myid=None,
    observers=(),
    port=2181,
    data_log_dir=None,
    timeout=120,
    settle=10,
):
    """
    Wait until this server can start with a list of servers, before that list is written. Changes
    nothing on this host.

    Fails where a majority of empty servers could elect a leader, or where there would be two
    leaders. docs/decisions/empty-servers.md has the reasons. Succeeds at once on a server that has
    data and whose list of servers does not change.

    .. code-block:: yaml

        zookeeper-may-join:
          zk.may_join:
            - name: /var/lib/zookeeper
            - config: /etc/zookeeper/conf/zoo.cfg
            - servers: {1: 10.0.0.1, 2: 10.0.0.2, 3: 10.0.0.3}
            - myid: 2

    name
        The data directory.

    config
        Path of ``zoo.cfg``, as the last run wrote it.

    servers, myid, observers, port
        As for ``zk.ensemble_available``. Default: a server that is alone.

    data_log_dir
        The directory of the transaction log. Default: the data directory.

    timeout
        Seconds to wait, default 120. 0 means to check once.

    settle
        If no server serves, a server without data waits until no server has started or stopped for
        this many seconds, once for each unreachable server with a lower id, and once more if its
        start would complete a quorum. Default 10, longer than a restart takes. Removed servers
        count as stopped after three times as long without a response.

    * A server whose address changes has to be stopped first, and so have servers that are removed
      while others are added.
    * If servers are only removed, all but one of them have to be stopped first. The last one has to
      run, and not to lead, until all others but the leader have the new list. Then it stops, and
      the leader gets the list. ``withdrawn.stopped`` does this on the removed servers.
    * A server that has data of its own does not join others that serve without it.
    * A server without data starts if a quorum serves, which has the data. If nobody serves, as
      during the first installation, the servers start one by one, in the order of their ids.
    * If a server runs alone, those of the others that it needs for a quorum start first, and the
      rest later. They are no quorum without it. It gets the new list when they respond.
    * Servers that are added to an ensemble join it before its own servers get the new list. If
      several are added, the leader gets it last: the servers record their lists in ZooKeeper, see
      ``zk.server_lists``.
    """
    servers = servers or {}
    if servers:
        problem = _argument_problem(servers, myid, observers)
        if problem:
            return {"name": name, "result": False, "changes": {}, "comment": problem}
    server_id = str(myid)
    old_servers = _zookeeper_data.server_addresses(_zookeeper_data.read_zoo_cfg(config))
    removed_servers = _removed_servers(old_servers, servers, server_id)
    remaining_servers = servers or {server_id: old_servers.get(server_id)}
    shrinkage = None
    if removed_servers and _only_removes(old_servers, removed_servers, remaining_servers):
        shrinkage = _Shrinkage(
            old_servers, removed_servers, remaining_servers, server_id, port, 3 * settle
        )
    has_data = _zookeeper_data.has_transactions(name, data_log_dir)
    was_alone = len(old_servers) < 2
    voters = _voters(servers, observers)
    first_start = _FirstStart(voters, server_id, settle)
    growth = _Growth(old_servers, servers, voters, server_id, port)

    def check(request_timeout):
        if shrinkage:
            is_ready, comment = shrinkage.check(request_timeout)
        else:
            is_ready, comment = _are_stopped(removed_servers, port, request_timeout)
        if not is_ready:
            return False, comment
        if len(servers) < 2 or (has_data and not was_alone and not growth.added):
            return True, comment
        modes, comment = _modes(servers, port, request_timeout)
        if not has_data:
            is_ready, reason = first_start.check(modes)
        elif was_alone:
            is_ready, reason = _may_leave_standalone(modes, voters, server_id)
        else:
            is_ready, reason = growth.check(modes, request_timeout)
        return is_ready, reason if is_ready else f"{reason}\n{comment}"

    subject = f"server {server_id} to be allowed to start"
    return _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])


def path_stays(name, path, files, configured_by, variable=None, default=None):
    """
    Fail if the path of a ``zk://`` URL of a service that is already configured would change.
    Changes nothing.

    What the service stores is below that path, so another path is another, empty cluster. The hosts
    in the URL may change.

    .. code-block:: yaml

        mesos-path-stays:
          zk.path_stays:
            - name: mesos:zk
            - path: /mesos
            - files: [/etc/mesos/zk]
            - configured_by: [/etc/systemd/system/mesos-master.service.d/salt.conf]

    name
        The setting that the path comes from, for messages.

    path
        The path that the service should have, such as ``/mesos``.

    files
        List of the files that may have the old URL, or the path alone. The first that has one
        counts.

    configured_by
        List of files that exist if Salt has already configured the service. Without any of them the
        files are those of the package.

    variable
        Name of the environment variable that has the URL in those files that consist of variables.
        Default: there are no such files.

    default
        The path if no file has one. Default: there is none.
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": f"The path is {path}"}
    config_files = [file for file in configured_by if Path(file).exists()]
    if not config_files:
        return ret
    old_path = default
    for file in files:
        path_in_file = _zookeeper_data.read_zk_path(file, variable)
        if path_in_file:
            old_path = path_in_file
            break
    if old_path is None or old_path.rstrip("/") == path.rstrip("/"):
        return ret
    comment = (
        f"{name} on {__opts__['id']}: the path in ZooKeeper is {old_path}, but pillar says "
        f"{path}. That would start a new, empty cluster; nothing was changed. If you want one, "
        f"stop the service on all nodes, remove {' and '.join(config_files)}, and apply the states "
        "again."
    )
    return {**ret, "result": False, "comment": comment}


def _may_leave_standalone(modes, voters, server_id):
    """Return whether a server that was alone, with data, may join the others."""
    # Another server that runs alone has a database of its own, and is in no ensemble.
    absent = {
        voter for voter in voters - {server_id} if modes[voter] in ("unreachable", "standalone")
    }
    if modes[server_id] == "standalone" and (len(voters) - len(absent)) * 2 <= len(voters):
        needed = _needed_by_standalone(voters, server_id)
        return False, (
            f"Server {server_id} serves alone. With the new list it would wait for a quorum: apply "
            f"the states to {_ids(needed & absent)} as well"
        )
    if not _serves_without(modes, voters, server_id):
        return True, "This server joins with its data"
    return False, (
        f"The other servers already serve, and server {server_id} on {__opts__['id']} would lose "
        "its data when it joins them. To keep its data, stop the others, move their data "
        "directories away, and apply the states again. To keep theirs, move that of server "
        f"{server_id} away"
    )


def _needed_by_standalone(voters, server_id):
    """Return the servers that start first, so that a server that runs alone has a quorum."""
    peers = sorted(voters - {server_id}, key=int)
    return set(peers[: len(voters) // 2])


class _ServerLists:
    """
    The lists of servers that the members of an ensemble have recorded in ZooKeeper.

    old_servers, servers
        The addresses by id, before and after.

    server_id, port
        The id of this server, and the port for clients.
    """

    def __init__(self, old_servers, servers, server_id, port):
        self._old_servers = old_servers
        self._servers = {str(key): address for key, address in servers.items()}
        self._id = server_id
        self._port = port
        self._is_recording = False

    def start_recording(self, timeout):
        """Record the old list, once. From then on each server adds its own."""
        if self._is_recording or __opts__["test"]:
            return
        self._call(
            "zk.record_server_list",
            myid=self._id,
            server_list=self._old_servers,
            timeout=timeout,
        )
        self._is_recording = True

    def outdated_servers(self, server_ids, timeout):
        """Return the servers that have not recorded the new list."""
        lists = self._call("zk.server_lists", timeout=timeout)
        return _zookeeper_data.outdated_servers(lists, server_ids, self._servers)

    def _call(self, function, **arguments):
        return __salt__[function](servers=self._servers, port=self._port, **arguments)


class _Growth:
    """
    Decides when a server that has data and belongs to an ensemble gets a list with more servers.

    old_servers, servers
        The addresses by id, before and after.

    voters, server_id, port
        The ids of the servers that vote, the id of this one, and the port for clients.
    """

    def __init__(self, old_servers, servers, voters, server_id, port):
        self.added = sorted(voters - set(old_servers), key=int)
        self._peers = voters & set(old_servers) - {server_id}
        self._voters = voters
        self._id = server_id
        self._lists = _ServerLists(old_servers, servers, server_id, port)

    def check(self, modes, timeout):
        """Return whether the server may get the new list, from the modes of all, and the reason."""
        serving = {voter for voter in self._voters if modes[voter] in VOTING_MODES}
        leaders = [voter for voter in serving if modes[voter] == "leader"]
        if len(leaders) != 1 or len(serving - {self._id}) * 2 <= len(self._voters):
            return False, f"The other servers have no quorum. Start {_name_servers(self.added)}"
        # Majorities of lists that differ in one server have a server in common.
        if len(self.added) == 1:
            return True, f"Server {_ids(self.added)} has joined"
        self._lists.start_recording(timeout)
        if modes[self._id] != "leader":
            return True, f"Servers {_ids(self.added)} may join"
        outdated_servers = self._lists.outdated_servers(self._peers, timeout)
        if outdated_servers:
            return False, (
                f"Server {self._id} leads, so it is the last to get the new servers. Apply the "
                f"states to {_ids(outdated_servers)} first"
            )
        return True, f"Server {self._id} leads, and all others have the new servers"


class _Shrinkage:
    """
    Decides when a member of an ensemble gets a list with fewer servers. See
    docs/decisions/empty-servers.md.

    old_servers, removed, servers
        The addresses by id: before, those of the removed servers, and after.

    server_id, port
        The id of this server, and the port for clients.

    settle
        Seconds without a response after which a removed server counts as stopped, and not as
        restarting.
    """

    def __init__(self, old_servers, removed, servers, server_id, port, settle):
        self._removed = removed
        self._settle = settle
        self._stopped_since = None
        self._servers = {str(key): address for key, address in servers.items()}
        self._id = server_id
        self._port = port
        self._lists = _ServerLists(old_servers, servers, server_id, port)

    def check(self, timeout):
        """Return whether the server may get the new list, and the reason."""
        modes, comment = _modes({**self._removed, **self._servers}, self._port, timeout)
        is_ready, reason = self._check(modes, timeout)
        return is_ready, f"{reason}\n{comment}"

    def _check(self, modes, timeout):
        running = {key for key in self._removed if modes[key] != "unreachable"}
        if not running:
            return self._check_stopped(modes, timeout)
        self._stopped_since = None
        still_running = f"{_describe_running(running)}. Apply the states there, or stop"
        if len(running) > 1:
            return False, f"{still_running} all but one of them for good"
        still_running += " it for good."
        if len(self._servers) < 2:
            # In an ensemble of two, every write is on both servers.
            if modes[self._id] not in VOTING_MODES:
                return False, f"{still_running} This server is not in a quorum with it"
            return True, f"Server {_ids(running)} stops when server {self._id} runs alone"
        if "leader" in {modes[key] for key in running}:
            return False, f"{still_running} It is the leader"
        # During an election this server may be the next leader.
        if modes[self._id] != "leader" and "leader" not in modes.values():
            return False, "No server leads"
        self._lists.start_recording(timeout)
        if modes[self._id] != "leader":
            return True, f"Server {_ids(running)} stops when the others have the new list"
        outdated_servers = self._outdated_servers(timeout)
        if outdated_servers:
            return False, (
                f"Server {self._id} leads, so it is the last to get the new list. Apply the states "
                f"to {_ids(outdated_servers)} first"
            )
        return False, f"{still_running} Server {self._id} is the leader, and gets the new list last"

    def _check_stopped(self, modes, timeout):
        """Return whether the removed servers have stopped for good, and a comment."""
        if self._stopped_since is None:
            self._stopped_since = time.monotonic()
        # The removed servers stop when the others have the new list.
        is_leader_and_last = modes[self._id] == "leader" and not self._outdated_servers(timeout)
        if is_leader_and_last or time.monotonic() - self._stopped_since >= self._settle:
            return True, f"Stopped: {_ids(self._removed)}"
        return False, f"Not running, or just being restarted: {_ids(self._removed)}"

    def _outdated_servers(self, timeout):
        """Return the other servers that have not recorded the new list."""
        return self._lists.outdated_servers(set(self._servers) - {self._id}, timeout)


def server_list_recorded(name, servers, myid, port=2181, timeout=10):
    """
    Record in ZooKeeper which list of servers this server was started with, if the others need to
    know: see ``zk.may_join``.

    Does nothing in an ensemble to which no voters were added, and while this server does not serve.

    .. code-block:: yaml

        zookeeper-server-list:
          zk.server_list_recorded:
            - servers: {1: 10.0.0.1, 2: 10.0.0.2, 3: 10.0.0.3}
            - myid: 1

    name
        Any text.

    servers, port
        As for ``zk.ensemble_available``.

    myid
        The id of this server.

    timeout
        Seconds to connect to this server, default 10.
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": ""}
    problem = _argument_problem(servers, myid, ())
    if problem:
        return {**ret, "result": False, "comment": problem}
    server_list = {str(server_id): address for server_id, address in servers.items()}
    server_id = str(myid)
    local = {"servers": {server_id: server_list[server_id]}, "port": port, "timeout": timeout}
    try:
        modes, comment = _modes(local["servers"], port, timeout)
        if modes[server_id] not in SERVING_MODES:
            return {**ret, "comment": f"Nothing is recorded. {comment}"}
        lists = __salt__["zk.server_lists"](**local)
        if lists is None or lists.get(server_id) == server_list:
            return {**ret, "comment": "Nothing to record"}
        ret["changes"] = {"servers": {"old": lists.get(server_id), "new": server_list}}
        if __opts__["test"]:
            return {**ret, "result": None, "comment": "The list of servers would be recorded"}
        __salt__["zk.record_server_list"](server_id, server_list, **local)
    except (CommandExecutionError, SaltInvocationError) as error:
        return {**ret, "result": False, "changes": {}, "comment": str(error)}
    return {**ret, "comment": "The list of servers was recorded"}


class _FirstStart:
    """
    Decides whether a server without data may start. It is called with the modes of all servers
    again and again, and remembers the last ones.

    voters
        The ids of the servers that vote.

    server_id
        The id of this server.

    settle
        Seconds, see ``may_join``.
    """

    def __init__(self, voters, server_id, settle):
        self._voters = voters
        self._id = server_id
        self._settle = settle
        self._quorum = len(voters) // 2 + 1
        self._modes = None
        self._stable_since = None
        self._servers_with_data = set()

    def check(self, modes):
        """Return whether the server may start, given the modes of all servers, and the reason."""
        if modes != self._modes:
            self._modes = modes
            self._stable_since = time.monotonic()
        if self._id not in self._voters:
            return True, f"Server {self._id} does not vote"
        if modes[self._id] != "unreachable":
            return True, f"Server {self._id} is running"
        if _serves_without(modes, self._voters, self._id):
            return True, f"A quorum serves. Server {self._id} copies its data"
        serving = self._with_modes(*VOTING_MODES, "standalone")
        self._servers_with_data |= serving
        if len(serving) == 1 and self._id in self._first_joiners():
            return True, f"Server {_ids(serving)} has the data, and joins when this server responds"
        if serving:
            return False, self._reason_to_wait(serving)
        unreachable = self._with_modes("unreachable") - {self._id}
        restarting = unreachable & self._servers_with_data
        if restarting:
            return False, f"With data, but no longer running: {_ids(restarting)}"
        return self._may_be_first(unreachable)

    def _may_be_first(self, unreachable):
        """Return whether the server may start while nobody serves."""
        # Every server that has data is running, and takes part in the election.
        if not unreachable:
            return True, "All others are waiting for a quorum"
        waits = len([voter for voter in unreachable if int(voter) < int(self._id)])
        if len(self._voters) - len(unreachable) >= self._quorum:
            waits += 1
        seconds_left = self._settle * waits - (time.monotonic() - self._stable_since)
        if seconds_left > 0:
            return False, f"No server serves. Not running: {_ids(unreachable)}"
        return True, f"No server serves. Server {self._id} starts empty"

    def _reason_to_wait(self, serving):
        standalone = self._with_modes("standalone")
        if standalone:
            return (
                f"Server {_ids(standalone)} has the data and runs alone. Apply the states to it "
                f"and to {_ids(self._first_joiners()) or 'the others'}, so that it joins the others"
            )
        return (
            f"{len(serving)} of {len(self._voters)} servers serve. A server without data starts "
            f"when {self._quorum} do. Start those that have data first"
        )

    def _first_joiners(self):
        """Return the servers that start before the one that runs alone gets the new list."""
        standalone = self._with_modes("standalone")
        if len(standalone) != 1:
            return set()
        return _needed_by_standalone(self._voters, *standalone)

    def _with_modes(self, *modes):
        return {voter for voter in self._voters if self._modes[voter] in modes}


def _voters(servers, observers):
    return {str(server_id) for server_id in servers} - {str(observer) for observer in observers}


def _modes(servers, port, timeout):
    """Return the mode of each server by its id, as text, and a comment that describes them."""
    statuses = __salt__["zk.ensemble"](servers=servers, port=port, timeout=timeout)
    modes = {str(server_id): status["mode"] for server_id, status in statuses.items()}
    lines = [_describe_status(server_id, status) for server_id, status in statuses.items()]
    return modes, "\n".join(lines)


def _serves_without(modes, voters, server_id):
    """Return whether voters other than this one have a leader and a quorum."""
    serving = [modes[voter] for voter in voters - {server_id} if modes[voter] in VOTING_MODES]
    return serving.count("leader") == 1 and len(serving) * 2 > len(voters)


def _are_stopped(servers, port, timeout):
    """Return whether none of the servers responds, and a comment."""
    if not servers:
        return True, "This server may start"
    modes, comment = _modes(servers, port, timeout)
    running = {server_id for server_id, mode in modes.items() if mode != "unreachable"}
    if not running:
        return True, f"Stopped: {_ids(servers)}\n{comment}"
    pronoun = "it" if len(running) == 1 else "them"
    return False, f"{_describe_running(running)}. Stop {pronoun} for good\n{comment}"


def _describe_running(server_ids):
    """Return a sentence about removed servers that still run."""
    if len(server_ids) == 1:
        return f"Server {_ids(server_ids)} was removed from zookeeper:servers and is still running"
    return f"Servers {_ids(server_ids)} were removed from zookeeper:servers and are still running"


def _removed_servers(old_servers, servers, server_id):
    """Return the other old servers whose addresses are not in the new list: id to address."""
    if len(old_servers) < 2:
        return {}
    addresses = {ip for address in servers.values() for ip in _ip_addresses(address)}
    removed = {}
    for old_id, address in old_servers.items():
        if old_id != server_id and not _ip_addresses(address) & addresses:
            removed[old_id] = address
    return removed


def _only_removes(old_servers, removed, servers):
    """Return whether a list has the old servers but for the removed ones, and no others."""
    return {str(server_id) for server_id in servers} == set(old_servers) - set(removed)


def _ip_addresses(address):
    """Return the IP addresses of a host, or its name if it is unknown."""
    address = str(address)
    if re.fullmatch(r"[0-9.]+", address):
        return {address}
    try:
        entries = socket.getaddrinfo(address, None)
    except (OSError, UnicodeError):
        return {address}
    return {entry[4][0] for entry in entries}


def _name_servers(server_ids):
    noun = "server" if len(server_ids) == 1 else "servers"
    return f"{noun} {_ids(server_ids)}"


def _ids(server_ids):
    return ", ".join(sorted(server_ids, key=int))


def _argument_problem(servers, myid, observers):
    """Return what is wrong with the arguments, an empty text if they are valid."""
    if not isinstance(servers, Mapping) or not servers:
        return "servers: should be addresses by id, such as {1: 10.0.0.1, 2: 10.0.0.2}"
    ids = [str(server_id) for server_id in servers]
    if not isinstance(observers, (list, tuple)) or {str(item) for item in observers} - set(ids):
        return f"observers: should be a list of ids out of {', '.join(ids)}"
    if myid is not None and str(myid) not in ids:
        return f"myid: {myid} is not one of the servers {', '.join(ids)}"
    if {str(observer) for observer in observers} == set(ids):
        return "observers: no server would vote"
    return ""


def _has_quorum(modes, voters, serving_modes):
    serving = [modes[voter] for voter in voters if modes[voter] in serving_modes]
    leaders = sum(mode in ("leader", "standalone") for mode in serving)
    return leaders == 1 and len(serving) * 2 > len(voters)


def _describe_status(server_id, status):
    error = f" ({status['error']})" if status["error"] else ""
    return f"{server_id} {status['address']}: {status['mode']}{error}"
