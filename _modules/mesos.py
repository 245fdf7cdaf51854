"""
What the masters of a Mesos cluster say. For Mesos 1.0 to 1.11.

Every function takes ``url``, where the masters are: a URL, several with commas, or a list of them. If it is not given
the setting ``mesos:url`` counts (minion configuration or pillar), else ``http://127.0.0.1:5050``. Any master will do,
as those that do not lead name the leader; several are asked one after another until one knows.
"""

import importlib

import _mesos_http
from salt.exceptions import CommandExecutionError

# A minion that has had this module before still has the older helper in memory.
importlib.reload(_mesos_http)

DEFAULT_URL = "http://127.0.0.1:5050"


def _urls(url):
    return _mesos_http.candidates(url, __salt__["config.get"]("mesos:url", default=None, omit_grains=True), DEFAULT_URL)


def leader(url=None, timeout=5):
    """
    Say which master leads, and whether it has recovered its registry, before which it does nothing for anyone.

    url
        Where the masters are, see above.

    timeout
        Seconds for each request.

    Returns ``url``, ``host`` and ``port`` of the leader as it makes itself known, ``recovered``, and ``error``: why it
    is not known to have recovered, else None. Raises CommandExecutionError with what each master said if none of them
    knows a leader.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.leader
        salt-call mesos.leader url=http://10.0.0.1:5050,http://10.0.0.2:5050
    """
    urls, timeout = _urls(url), _mesos_http.seconds(timeout)
    failures, named, asked = [], [], {}
    for candidate in urls:
        try:
            elected = _elected(candidate, timeout)
        except CommandExecutionError as error:
            failures.append(str(error))
            continue
        # The name under which the leader makes itself known may not be one that works from here.
        for place in dict.fromkeys((elected, candidate)):
            if place not in asked:
                asked[place] = _why_not_recovered(place, timeout)
            if asked[place] is None:
                return {**_mesos_http.place(elected), "url": place, "recovered": True, "error": None}
        named.append({**_mesos_http.place(elected), "recovered": False, "error": asked[elected]})
    if named:
        return named[0]
    raise CommandExecutionError("\n".join(failures))


def _elected(url, timeout):
    """Ask one master for the URL of the leader; it answers this without authentication, and the leader itself, too."""
    answer = _mesos_http.send("GET", f"{url}/redirect", timeout=timeout)
    found = _mesos_http.target(answer)
    if found is None:
        answer.good()
        raise CommandExecutionError(f"GET {answer.url}: {answer.status}, which is not how a Mesos master answers")
    return found.rstrip("/")


def _why_not_recovered(url, timeout):
    """
    Ask a master whether it leads and has recovered. Returns None if so, else why that is not known.

    The v1 API is closed to everyone until the leader has read and written its registry (503, "Master has not finished
    recovery"; in all versions that have this API). The other candidates do not tell: the older endpoints answer 200 with
    empty lists, ``elected_time`` and the metric ``master/elected`` are set at once, and ``registrar/log/recovered`` is
    about the local replica of the log, which a standby or a leader without a quorum may well have recovered.
    """
    try:
        answer = _mesos_http.send("POST", f"{url}/api/v1", {"type": "GET_HEALTH"}, timeout)
        if _mesos_http.target(answer):
            return f"POST {answer.url}: does not lead"
        answer.good()
    except CommandExecutionError as error:
        return str(error)
    return None


def masters(url=None, timeout=5):
    """
    Say of each master whether it lives, whether it leads and whether its log is recovered.

    url
        Where the masters are, see above; all of them, as only these are asked.

    timeout
        Seconds for each request.

    Returns a list in the order of ``url``, each with ``url``, ``healthy``, ``leader`` (also one that has not recovered
    yet), ``log_recovered`` (whether its own replica of the log has recovered: not so on a new disk, until all masters, or
    enough that have recovered, are there; None if it does not tell), and ``error``: what keeps it from being healthy,
    else from knowing a leader, else None.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.masters url=http://10.0.0.1:5050,http://10.0.0.2:5050,http://10.0.0.3:5050
    """
    urls, timeout = _urls(url), _mesos_http.seconds(timeout)
    return list(_mesos_http.together(lambda each: _master(each, timeout), {each: each for each in urls}).values())


def _master(url, timeout):
    found = {"url": url, "healthy": False, "leader": False, "log_recovered": None, "error": None}
    try:
        _mesos_http.send("GET", f"{url}/health", timeout=timeout).good()
        found.update(healthy=True, log_recovered=_log_recovered(url, timeout))
        answer = _mesos_http.send("POST", f"{url}/api/v1", {"type": "GET_HEALTH"}, timeout)
        if _mesos_http.target(answer) is None:
            found["leader"] = answer.status == 200 or "not finished recovery" in answer.text()
            answer.good()
    except CommandExecutionError as error:
        found["error"] = str(error)
    return found


def _log_recovered(url, timeout):
    """Whether the local replica of the log has recovered. None: no answer, or a registry that is in no log."""
    try:
        shown = _mesos_http.send("GET", f"{url}/metrics/snapshot", timeout=timeout).good().json()
    except CommandExecutionError:
        return None
    said = shown.get("registrar/log/recovered")
    return bool(said) if said in (0, 1) else None


def agents(url=None, active=None, timeout=5):
    """
    List the agents that the leader knows.

    url
        Where the masters are, see above.

    active
        True: only those that offer resources. False: only the others. None: all.

    timeout
        Seconds for each request.

    Returns a list sorted by host name, each with ``id``, ``hostname``, ``port``, ``active``, ``deactivated`` (by an
    operator, Mesos 1.9), ``recovered`` (known from the registry and not back since the leader changed), ``version``,
    ``attributes`` and ``resources``. An agent that the leader has given up on is not in it. Raises CommandExecutionError
    if there is no leader that has recovered: one that has not says that it has no agents at all.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agents active=True
    """
    elected = leader(url, timeout)
    if not elected["recovered"]:
        raise CommandExecutionError(f"{elected['url']} was elected and has not said yet that it has recovered: {elected['error']}")
    answer = _mesos_http.send("GET", f"{elected['url']}/slaves", timeout=timeout).good()
    shown = answer.json()
    try:
        found = [_agent(each, False) for each in shown["slaves"]]
        found += [_agent(each, True) for each in shown.get("recovered_slaves", [])]
    except (KeyError, TypeError):
        raise CommandExecutionError(f"GET {answer.url}: not how a Mesos master answers: {answer.first_line()}") from None
    return sorted((each for each in found if active in (None, each["active"])), key=lambda each: (each["hostname"], each["id"]))


def _agent(shown, recovered):
    return {
        "id": shown["id"],
        "hostname": shown["hostname"],
        "port": shown.get("port"),
        "active": shown.get("active", False) and not recovered,
        "deactivated": shown.get("deactivated", False),
        "recovered": recovered,
        "version": shown.get("version"),
        "attributes": shown.get("attributes", {}),
        "resources": shown.get("resources", {}),
    }
