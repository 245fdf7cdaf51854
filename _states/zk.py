"""
Promises about ZooKeeper that no file state can keep. Called zk, as Salt up to 3007 has a module ``zookeeper``.
"""

from collections.abc import Mapping

import _mesos_gate

SERVING = ("leader", "follower", "observer")


def myid_stays(name, myid):
    """
    Fail if a server has another id already, before anything writes to its file. Changes nothing itself.

    A server that comes back under another id votes twice, or takes the place of one that is still there.

    name
        Path of the file ``myid`` in the data directory. No file, or an empty one: the server has no id yet.

    myid
        The id that it is to have, 1 to 255.

    .. code-block:: yaml

        zookeeper-myid-stays:
          zk.myid_stays:
            - name: /var/lib/zookeeper/myid
            - myid: 1
    """
    present = ""
    if __salt__["file.file_exists"](name):
        present = __salt__["file.read"](name).strip()
    good = present in ("", str(myid))
    comment = f"The id of this server is {myid}"
    if not good:
        comment = (
            f"This server has the id {present} in {name}, pillar zookeeper:myid says {myid}; it was left as it is. "
            f"If pillar is wrong, put {present} there. If the server is to join as {myid}, with no data yet, "
            f"stop zookeeper, move {name.rpartition('/')[0]} away and apply again."
        )
    return {"name": name, "result": good, "changes": {}, "comment": comment}


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
        Free text.

    servers
        Addresses of all servers by id.

    port
        Port for clients.

    myid
        The id of one of the servers, for a gate behind each of them: this one must answer, and it must serve as soon as
        a majority of those that vote answers at all. So the first of three does not wait for the others, which are yet
        to come, and one that was restarted must have joined the others again. Without it one leader and a majority of
        those that vote must serve.

    timeout
        Seconds. 0: ask once.

    observers
        Ids of the servers that do not vote.

    A server that says ``standalone`` serves nobody but itself: it counts only where it is the one server there is.
    Fails with what each server last said.
    """
    ask = __salt__["zk.ensemble"]
    known = [str(each) for each in servers] if isinstance(servers, Mapping) else []
    fault = ""
    if not known:
        fault = "servers: should be addresses by id, such as {1: 10.0.0.1, 2: 10.0.0.2}"
    elif not isinstance(observers, (list, tuple)) or {str(each) for each in observers} - set(known):
        fault = f"observers: should be a list of ids out of {', '.join(known)}"
    elif myid is not None and str(myid) not in known:
        fault = f"myid: {myid} is none of the servers {', '.join(known)}"
    elif len({str(each) for each in observers}) == len(known):
        fault = "observers: nobody is left to vote"
    if fault:
        return {"name": name, "result": False, "changes": {}, "comment": fault}
    voters = set(known) - {str(each) for each in observers}
    serving = (*SERVING, "standalone") if len(known) == 1 else SERVING

    def question(seconds):
        found = ask(servers=servers, port=port, timeout=seconds)
        modes = {str(number): each["mode"] for number, each in found.items()}
        said = "\n".join(_said(number, each) for number, each in found.items())
        if myid is not None:
            mode = modes[str(myid)]
            answering = sum(modes[each] != "unreachable" for each in voters)
            is_waiting = mode != "unreachable" and answering * 2 <= len(voters)
            if is_waiting:
                said = f"Server {myid} answers, as {answering} of {len(voters)} do that vote: too few to serve\n{said}"
            return mode in serving or is_waiting, said
        leaders = sum(
            modes[each] in ("leader", "standalone") and modes[each] in serving for each in voters
        )
        return leaders == 1 and sum(modes[each] in serving for each in voters) * 2 > len(
            voters
        ), said

    what = "a leader and a majority of the ensemble" if myid is None else f"server {myid} to serve"
    return _mesos_gate.wait(name, what, question, timeout, __opts__["test"])


def _said(number, found):
    return f"{number} {found['address']}: {found['mode']}" + (
        f" ({found['error']})" if found["error"] else ""
    )
