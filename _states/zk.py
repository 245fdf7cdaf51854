"""
States for ZooKeeper. The name is zk because Salt up to 3007 has a module ``zookeeper``.
"""

import importlib
from collections.abc import Mapping

import _ready

# After a sync Salt still has the old helper in sys.modules.
importlib.reload(_ready)

SERVING_MODES = ("leader", "follower", "observer")


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
        f"This server has the id {current_id} in {name}, pillar zookeeper:myid says {myid}; "
        f"nothing was changed. If pillar is wrong, put {current_id} there. If the server is to "
        f"join as {myid}, with no data yet, stop zookeeper, move {name.rpartition('/')[0]} away "
        "and apply again."
    )
    return {"name": name, "result": False, "changes": {}, "comment": comment}


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
        The id of one server, for a readiness check on each of them: this server must respond, and
        it must serve as soon as a majority of the voters responds. So the first of three servers
        does not wait for the others, which do not exist yet, and a restarted server must have
        joined the others again. Without it there must be one leader, and a majority of the voters
        must serve.

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
    voters = {str(server_id) for server_id in servers} - {str(observer) for observer in observers}
    serving_modes = (*SERVING_MODES, "standalone") if len(servers) == 1 else SERVING_MODES

    def check(request_timeout):
        statuses = __salt__["zk.ensemble"](servers=servers, port=port, timeout=request_timeout)
        modes = {str(server_id): status["mode"] for server_id, status in statuses.items()}
        comment = "\n".join(
            _describe_status(server_id, status) for server_id, status in statuses.items()
        )
        if myid is None:
            return _has_quorum(modes, voters, serving_modes), comment
        if modes[str(myid)] in serving_modes:
            return True, comment
        responding = sum(modes[voter] != "unreachable" for voter in voters)
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
            - myid: 2

    name
        Any text.

    servers, port, timeout, observers
        See ``zk.ensemble_available``.

    myid
        The id of the server that is about to be restarted. The other servers that serve have to be
        a majority of all voters. An observer can always be restarted.

    The comment of a failed state has the last status of each server.
    """
    problem = _argument_problem(servers, myid, observers)
    if problem:
        return {"name": name, "result": False, "changes": {}, "comment": problem}
    voters = {str(server_id) for server_id in servers} - {str(observer) for observer in observers}

    def check(request_timeout):
        statuses = __salt__["zk.ensemble"](servers=servers, port=port, timeout=request_timeout)
        modes = {str(server_id): status["mode"] for server_id, status in statuses.items()}
        peers = voters - {str(myid)}
        serving = [voter for voter in peers if modes[voter] in ("leader", "follower")]
        is_spare = str(myid) not in voters or len(serving) * 2 > len(voters)
        return is_spare, "\n".join(
            _describe_status(server_id, status) for server_id, status in statuses.items()
        )

    subject = f"a majority of {len(voters)} voters without server {myid}"
    return _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])


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
