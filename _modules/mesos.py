"""
What the masters and agents of a Mesos cluster say, and what operators tell them. For Mesos 1.0 to 1.11.

Every function takes ``profile`` and settings of the connection, such as ``url`` and ``timeout``: see ``mesos.connection``.
Any master will do, as those that do not lead name the leader; several are asked one after another until one knows.

The operator API (``POST /api/v1``) is used where the master has it, and the older endpoints where not. A leader that has not
recovered its registry yet is never taken for an empty cluster: it answers the older endpoints with empty lists.
"""

import base64
import datetime
import importlib
import math
import re
import time
import urllib.parse
from collections.abc import Mapping

import _http_client
import _http_settings
import _text
from salt.exceptions import CommandExecutionError, SaltInvocationError

# After a sync Salt still has the old helpers in sys.modules.
importlib.reload(_text)
importlib.reload(_http_settings)
importlib.reload(_http_client)

DEFAULT_URL = "http://127.0.0.1:5050"
PAGE = 1000  # tasks asked for at once; the master's own default is 100
SECOND = 10**9
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
# Calls that cannot be taken back, and what they do.
IRREVERSIBLE = {
    "REMOVE_QUOTA": "kills the leading master if the role has no quota (mesos.remove_quota does the same safely)",
    "MARK_AGENT_GONE": "removes an agent for ever",
    "TEARDOWN": "ends a framework and all of its tasks for ever",
    "START_MAINTENANCE": "kills all tasks on the machines",
    "DESTROY_VOLUMES": "destroys data",
    "UPDATE_MAINTENANCE_SCHEDULE": "replaces the schedule of the whole cluster",
}
STREAMS = (
    "SUBSCRIBE",
    "ATTACH_CONTAINER_INPUT",
    "ATTACH_CONTAINER_OUTPUT",
    "LAUNCH_NESTED_CONTAINER_SESSION",
)
SCALARS = ("cpus", "mem", "disk", "gpus")
VERIFY = 10  # seconds until a reservation, which the master only accepts at first, is seen


def _client(profile, connection):
    return _http_client.Client("mesos", DEFAULT_URL, __salt__, __context__, profile, connection)


def connection(profile=None, **connection):
    return _client(profile, connection).public_settings()


connection.__doc__ = _http_settings.CONNECTION_DOC.format(
    service="mesos", default=DEFAULT_URL, port=5050, extra_settings=""
)


# --- masters ---


def leader(profile=None, **connection):
    """
    Say which master leads, and whether it has recovered its registry, before which it does nothing for anyone.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns ``url``, ``host`` and ``port`` of the leader as it makes itself known, ``recovered``, and ``error``: why it
    is not known to have recovered, else None.

    Raises CommandExecutionError with what each master said if none of them knows a leader. Rests on ``GET /redirect``,
    which every master answers without authentication, and on v1 GET_HEALTH.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.leader
        salt-call mesos.leader url=http://10.0.0.1:5050,http://10.0.0.2:5050
    """
    return _leader(_client(profile, connection))


def _leader(client):
    failures, named, asked = [], [], {}
    for candidate in client.urls:
        try:
            elected = _elected(client.for_server(candidate, trusted=True))
        except CommandExecutionError as error:
            failures.append(error)
            continue
        # The name under which the leader makes itself known may not be one that works from here.
        for place in dict.fromkeys((elected, candidate)):
            if place not in asked:
                asked[place] = _why_not_recovered(
                    client.for_server(place, trusted=place == candidate)
                )
            if asked[place] is None:
                return {
                    **_http_client.server_address(elected),
                    "url": place,
                    "recovered": True,
                    "error": None,
                }
        named.append(
            {**_http_client.server_address(elected), "recovered": False, "error": asked[elected]}
        )
    if named:
        return named[0]
    raise _http_client.combined_error(failures)


def _elected(master):
    """Ask one master for the URL of the leader; it answers this without authentication, and the leader itself, too."""
    answer = master.get("/redirect", allow=(307,))
    found = _http_client.redirect_target(answer)
    if found is None:
        raise answer.error(
            _http_client.HttpError, f"{answer.status}, which is not how a Mesos master answers"
        )
    return found.rstrip("/")


def _why_not_recovered(master):
    """
    Ask a master whether it leads and has recovered. Returns None if so, else why that is not known.

    The v1 API is closed to everyone until the leader has read and written its registry (503, "Master has not finished
    recovery"; in all versions that have this API). The other candidates do not tell: the older endpoints answer 200 with
    empty lists, ``elected_time`` and the metric ``master/elected`` are set at once, and ``registrar/log/recovered`` is
    about the local replica of the log, which a standby or a leader without a quorum may well have recovered.
    """
    try:
        answer = master.request(
            "POST", "/api/v1", body={"type": "GET_HEALTH"}, idempotent=True, allow=(307,)
        )
    except CommandExecutionError as error:
        return str(error)
    return f"POST {answer.url}: does not lead" if answer.status == 307 else None


def masters(profile=None, **connection):
    """
    Say of each master whether it lives, whether it leads and whether its log is recovered.

    profile, connection
        Where and how to ask: see ``mesos.connection``. ``url`` has to name all masters, as only these are asked.

    Returns a list in the order of ``url``, each with ``url``, ``healthy``, ``leader`` (also one that has not recovered
    yet), ``log_recovered`` (whether its own replica of the log has recovered: not so on a new disk, until all masters, or
    enough that have recovered, are there; None if it does not tell), and ``error``: what keeps it from being healthy,
    else from knowing a leader, else None.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.masters
        salt-call mesos.masters url=http://10.0.0.1:5050,http://10.0.0.2:5050,http://10.0.0.3:5050
    """
    client = _client(profile, connection)
    return list(
        _http_client.map_concurrently(
            lambda url: _master(client.for_server(url, trusted=True)),
            {url: url for url in client.urls},
        ).values()
    )


def _master(master):
    found = {
        "url": master.urls[0],
        "healthy": False,
        "leader": False,
        "log_recovered": None,
        "error": None,
    }
    try:
        master.get("/health")
        found.update(healthy=True, log_recovered=_log_recovered(master))
        answer = master.request(
            "POST", "/api/v1", body={"type": "GET_HEALTH"}, idempotent=True, allow=(307,)
        )
        found["leader"] = answer.status == 200
    except _http_client.NoLeader as error:
        found.update(
            leader="not finished recovery" in (error.info["message"] or ""), error=str(error)
        )
    except CommandExecutionError as error:
        found["error"] = str(error)
    return found


def _log_recovered(master):
    """Whether the local replica of the log has recovered. None: no answer, or a registry that is in no log."""
    try:
        said = master.get("/metrics/snapshot").json().get("registrar/log/recovered")
    except CommandExecutionError:
        return None
    return bool(said) if said in (0, 1) else None


def health(profile=None, **connection):
    """
    Say whether a master that answers has a leader that has recovered.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns True or False. False also means that nobody answers; ``mesos.leader`` says why. Raises CommandExecutionError
    for wrong credentials alone, as these say nothing of the cluster.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.health
    """
    try:
        return bool(_call(_client(profile, connection), "GET_HEALTH", needed="healthy")["healthy"])
    except _http_client.AccessDenied:
        raise
    except CommandExecutionError:
        return False


def version(profile=None, **connection):
    """
    Show version and build of a master.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns ``version`` (such as ``1.9.0``), ``build_date``, ``build_time`` (seconds since 1970), ``build_user`` and, of
    some builds, ``git_sha`` and ``git_tag``. Any master answers for itself (``GET /version``).

    CLI Example:

    .. code-block:: bash

        salt-call mesos.version
    """
    return _client(profile, connection).get("/version").json()


def flags(profile=None, **connection):
    """
    Show the flags that the leader runs with, defaults included.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns flag to value; each value is text (``"true"``, ``"15secs"``). Raises CommandExecutionError (403) for those who
    may not view flags. Rests on v1 GET_FLAGS.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.flags
    """
    found = _call(_client(profile, connection), "GET_FLAGS", needed="flags")
    return {
        each["name"]: each.get("value", "")
        for each in sorted(found["flags"], key=lambda each: each["name"])
    }


def info(profile=None, **connection):
    """
    Show who the leader is and what it can do.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns ``id``, ``hostname``, ``ip``, ``port``, ``pid``, ``version``, ``capabilities`` (a list such as
    ``AGENT_DRAINING``), ``start_time`` and ``elected_time`` (seconds since 1970). Rests on v1 GET_MASTER.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.info
    """
    found = _call(_client(profile, connection), "GET_MASTER", needed="master_info")
    told = found["master_info"]
    return {
        "id": told["id"],
        "hostname": told.get("hostname"),
        "ip": told.get("address", {}).get("ip"),
        "port": told["port"],
        "pid": told.get("pid"),
        "version": told.get("version"),
        # QUOTA_V2 has no name in this enumeration, and comes as an empty mapping.
        "capabilities": [each["type"] for each in told.get("capabilities", []) if "type" in each],
        "start_time": found.get("start_time"),
        "elected_time": found.get("elected_time"),
    }


def state(profile=None, **connection):
    """
    Show all that the leader knows, as it is. On a large cluster that is much, and costs the master some time.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns the answer of ``GET /state``: ``slaves``, ``frameworks`` with their tasks, ``completed_frameworks``, ``flags`` ...

    CLI Example:

    .. code-block:: bash

        salt-call mesos.state
    """
    return _older(_client(profile, connection), "/state")


def state_summary(profile=None, **connection):
    """
    Show agents and frameworks with the numbers of their tasks by state, as the leader tells them.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns the answer of ``GET /state-summary``: ``hostname``, ``cluster``, ``slaves`` and ``frameworks``. For a screen
    see ``mesos.summary``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.state_summary
    """
    return _older(_client(profile, connection), "/state-summary")


def metrics(names=None, timeout=None, profile=None, **connection):
    """
    Show what the leader measures.

    names
        Which: a name, a list, or patterns such as ``master/tasks_*``. Default: all, some 500.

    timeout
        Seconds after which the leader answers without those that it has not got yet. Default: no limit of its own, so
        the connection's timeout of 15 seconds.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns name to number, sorted. Rests on v1 GET_METRICS, since ``/metrics/snapshot`` of a standby answers, too.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.metrics 'master/slaves_*'
    """
    client = _client(profile, connection)
    payload = (
        {}
        if timeout is None
        else {"timeout": {"nanoseconds": int(_http_settings.check_timeout(timeout) * SECOND)}}
    )
    found = {
        each["name"]: each.get("value")
        for each in _call(client, "GET_METRICS", payload, "metrics")["metrics"]
    }
    patterns = [names] if isinstance(names, str) else names
    if patterns is None:
        return dict(sorted(found.items()))
    _expect(
        isinstance(patterns, list) and all(isinstance(each, str) for each in patterns),
        "names",
        names,
        "a name, a pattern or a list",
    )
    forms = [re.compile(re.escape(each).replace(r"\*", ".*")) for each in patterns]
    return {
        name: found[name] for name in sorted(found) if any(form.fullmatch(name) for form in forms)
    }


def summary(profile=None, **connection):
    """
    Show the cluster on one screen.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns ``leader``, ``version``, ``masters`` (URL to ``leads``, ``stands by`` or what is wrong), ``agents`` (how many
    are ``up``, ``draining``, ``drained``, ``deactivated``, ``down`` (registered, and silent) and ``unreachable``), ``resources``
    (such as ``cpus: 3.5 of 16 (22 %)``; mem and disk in MiB), ``frameworks`` (name to how it is, the first ten) and ``tasks`` (how many are
    in each state that has any).

    Costs the same for any number of agents and tasks: v1 GET_METRICS and GET_FRAMEWORKS, where tasks are counted and not
    listed. Agents are read one by one only while some are deactivated, to tell why.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.summary
    """
    client = _client(profile, connection)
    master = _call(client, "GET_MASTER", needed="master_info")["master_info"]
    measured = {
        each["name"]: each.get("value", 0)
        for each in _call(client, "GET_METRICS", {}, "metrics")["metrics"]
    }
    named = _call(client, "GET_FRAMEWORKS").get("frameworks", [])
    asked = _http_client.map_concurrently(
        lambda url: _master(client.for_server(url, trusted=True)), {url: url for url in client.urls}
    )

    def number(name):
        return int(measured.get(f"master/{name}", 0))

    agents_shown = {
        "up": number("slaves_active"),
        **_deactivated(client, number("slaves_connected") - number("slaves_active")),
    }
    agents_shown.update(
        down=number("slaves_disconnected"), unreachable=number("slaves_unreachable")
    )
    return {
        "leader": f"{master.get('hostname')}:{master['port']}",
        "version": master.get("version"),
        "masters": {
            url: "leads" if each["leader"] else each["error"] or "stands by"
            for url, each in asked.items()
        },
        "agents": agents_shown,
        "resources": {
            name: _share(measured, name) for name in SCALARS if measured.get(f"master/{name}_total")
        },
        "frameworks": _text.shorten_list(_frameworks_by_name(named)),
        "tasks": {
            name[len("master/tasks_") :]: int(value)
            for name, value in sorted(measured.items())
            if name.startswith("master/tasks_") and value
        },
    }


def _deactivated(client, number):
    """How many agents are draining, drained and merely deactivated, of a number that are one of these."""
    found = {"draining": 0, "drained": 0, "deactivated": 0}
    if number > 0:
        for each in _older(client, "/state-summary")["slaves"]:
            if each.get("deactivated"):
                found[each.get("drain_info", {}).get("state", "deactivated").lower()] += 1
    return found


def _share(measured, name):
    used, total = measured.get(f"master/{name}_used", 0), measured[f"master/{name}_total"]
    return f"{_plain(used)} of {_plain(total)} ({round(100 * used / total)} %)"


def _plain(number):
    return f"{round(number, 3):g}" if abs(number) < 10**6 else f"{number:.0f}"


def _frameworks_by_name(frameworks_told):
    found = {}
    for each in sorted(frameworks_told, key=lambda each: each["framework_info"]["name"]):
        how = (
            "active"
            if each.get("active")
            else "disconnected"
            if not each.get("connected")
            else "inactive"
        )
        info_told = each["framework_info"]
        key = (
            info_told["name"]
            if info_told["name"] not in found
            else f"{info_told['name']} ({info_told['id']['value']})"
        )
        found[key] = how
    return found


# --- agents ---


def agents(active=None, hostname=None, attributes=None, profile=None, **connection):
    """
    List the agents that the leader knows.

    active
        True: only those that offer resources. False: only the others. Default: all.

    hostname
        Only those that call themselves so; upper and lower case are the same.

    attributes
        Only those that have these: a mapping such as ``{rack: r1}``.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns a list sorted by host name, each with ``id``, ``hostname``, ``ip``, ``port``, ``active``, ``deactivated`` (by an
    operator, Mesos 1.9), ``drain`` (``DRAINING``, ``DRAINED`` or None), ``mark_gone`` (whether it is removed for ever once it
    is drained), ``recovered`` (known from the registry and not back since the leader changed), ``version``, ``attributes``,
    ``resources`` and ``used`` (cpus; mem and disk in MiB). An agent that the leader has given up on is not in it.

    Raises CommandExecutionError if there is no leader that has recovered: one that has not says that it has no agents.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agents active=True
        salt-call mesos.agents attributes='{rack: r1}'
    """
    _expect(active in (None, True, False), "active", active, "True, False or left out")
    _expect(
        attributes is None or isinstance(attributes, Mapping),
        "attributes",
        attributes,
        "a mapping such as {rack: r1}",
    )
    wanted = {str(name): str(value) for name, value in (attributes or {}).items()}
    return [
        each
        for each in _agents(_client(profile, connection))
        if active in (None, each["active"])
        and (hostname is None or each["hostname"].lower() == str(hostname).lower())
        and wanted.items()
        <= {name: _attribute_text(value) for name, value in each["attributes"].items()}.items()
    ]


def _attribute_text(value):
    return _plain(value) if isinstance(value, float) else str(value)


def _agents(client):
    answer = _older_answer(client, "/slaves")
    shown = answer.json()
    try:
        found = [_agent(each, False) for each in shown["slaves"]]
        found += [_agent(each, True) for each in shown.get("recovered_slaves", [])]
    except (KeyError, TypeError):
        raise answer.error(
            _http_client.HttpError, f"not how a Mesos master answers: {answer.summary()}"
        ) from None
    return sorted(found, key=lambda each: (each["hostname"], each["id"]))


def _agent(shown, recovered):
    return {
        "id": shown["id"],
        "hostname": shown["hostname"],
        "ip": shown["pid"].partition("@")[2].rpartition(":")[0] if "pid" in shown else None,
        "port": shown.get("port"),
        "active": shown.get("active", False) and not recovered,
        "deactivated": shown.get("deactivated", False),
        "drain": shown.get("drain_info", {}).get("state"),
        "mark_gone": shown.get("drain_info", {}).get("config", {}).get("mark_gone", False),
        "recovered": recovered,
        "version": shown.get("version"),
        "attributes": shown.get("attributes", {}),
        "resources": shown.get("resources", {}),
        "used": shown.get("used_resources", {}),
    }


def agent(agent, profile=None, **connection):
    """
    Show one agent.

    agent
        Its id or the host name that it gives itself.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns what ``mesos.agents`` has of it. Raises CommandExecutionError, with those that there are, if there is none, and
    with the ids if several have this host name.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agent lxb001.devops.test
    """
    return _one_agent(_client(profile, connection), agent)


def _one_agent(client, wanted):
    _expect(
        isinstance(wanted, str) and wanted, "agent", wanted, "the id or the host name of an agent"
    )
    known = _agents(client)
    found = [
        each for each in known if wanted == each["id"] or wanted.lower() == each["hostname"].lower()
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandExecutionError(
            f"agent: {wanted} are {len(found)}. Give the id: {', '.join(each['id'] for each in found)}"
        )
    raise CommandExecutionError(
        f"agent: there is no agent {wanted}. {_known([each['hostname'] for each in known])}"
    )


def _known(names):
    shown = ", ".join(sorted(names)[:10])
    return (
        f"There {'is' if len(names) == 1 else 'are'} {shown}{' ...' if len(names) > 10 else ''}"
        if names
        else "There are none"
    )


def _agent_client(client, wanted):
    """A client for an agent itself, which is not sent credentials unless the caller named its URL or redirect_hosts allows it."""
    if isinstance(wanted, str) and "://" in wanted:
        return client.for_server(wanted, trusted=True)
    found = _one_agent(client, wanted)
    scheme = urllib.parse.urlsplit(client.urls[0]).scheme
    # A certificate is for a name; else the address is surer, as names of agents are not known everywhere.
    host = found["hostname"] if scheme == "https" or not found["ip"] else found["ip"]
    return client.for_server(f"{scheme}://{host}:{found['port']}")


def agent_health(agent, profile=None, **connection):
    """
    Say whether an agent answers and has recovered.

    agent
        Its id, host name or URL.

    profile, connection
        Where and how to ask: see ``mesos.connection``. Credentials go to an agent if its URL is given or ``redirect_hosts``
        names it.

    Returns True or False; False also if nobody answers there.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agent_health lxb001.devops.test
    """
    client = _agent_client(_client(profile, connection), agent)
    try:
        return bool(_call(client, "GET_HEALTH", needed="healthy")["healthy"])
    except _http_client.AccessDenied:
        raise
    except CommandExecutionError:
        return False


def _agent_doc(function, what, shape, example):
    """Give a function that asks an agent for something its docstring."""
    function.__doc__ = f"""
    {what}

    agent
        Its id, host name or URL.

    profile, connection
        Where and how to ask: see ``mesos.connection``. Credentials go to an agent if its URL is given or ``redirect_hosts``
        names it.

    Returns {shape}. Raises CommandExecutionError if there is no such agent or it does not answer.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.{example} lxb001.devops.test
    """
    return function


def agent_state(agent, profile=None, **connection):
    return _agent_client(_client(profile, connection), agent).get("/state").json()


_agent_doc(
    agent_state,
    "Show all that an agent says of itself.",
    "the answer of its ``GET /state``: ``id``, ``resources``, ``frameworks`` with executors and tasks, ``flags`` ...",
    "agent_state",
)


def agent_containers(agent, profile=None, **connection):
    return _agent_client(_client(profile, connection), agent).get("/containers").json(list)


_agent_doc(
    agent_containers,
    "Show the containers that run on an agent.",
    "the list of its ``GET /containers``: ``container_id``, ``executor_id``, ``framework_id``, ``statistics``, ``status``",
    "agent_containers",
)


def agent_statistics(agent, profile=None, **connection):
    return _agent_client(_client(profile, connection), agent).get("/monitor/statistics").json(list)


_agent_doc(
    agent_statistics,
    "Show what the executors on an agent use.",
    "the list of its ``GET /monitor/statistics``; memory in bytes, times in seconds",
    "agent_statistics",
)


def agent_flags(agent, profile=None, **connection):
    return _agent_client(_client(profile, connection), agent).get("/flags").json()["flags"]


_agent_doc(
    agent_flags,
    "Show the flags that an agent runs with.",
    "flag to value; each value is text",
    "agent_flags",
)


def agent_metrics(agent, profile=None, **connection):
    return dict(
        sorted(
            _agent_client(_client(profile, connection), agent)
            .get("/metrics/snapshot")
            .json()
            .items()
        )
    )


_agent_doc(agent_metrics, "Show what an agent measures.", "name to number, sorted", "agent_metrics")


# --- frameworks and tasks ---


def frameworks(active=None, name=None, completed=False, profile=None, **connection):
    """
    List the frameworks.

    active
        True: only those that are connected and get offers. False: only the others. Default: all.

    name
        Only those of this name.

    completed
        Whether those that ended are listed, too. Default: False.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns a list sorted by name, each with ``id``, ``name``, ``active``, ``connected``, ``completed``, ``user``, ``roles``,
    ``hostname``, ``webui_url``, ``principal``, ``failover_timeout`` (seconds), ``checkpoint`` and ``resources`` (what its tasks
    hold: cpus; mem and disk in MiB). Who may not view frameworks gets an empty list. Rests on v1 GET_FRAMEWORKS.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.frameworks active=True
    """
    found = _frameworks(_client(profile, connection))
    return [
        each
        for each in found
        if active in (None, each["active"])
        and name in (None, each["name"])
        and (completed or not each["completed"])
    ]


def _frameworks(client):
    told = _call(client, "GET_FRAMEWORKS")
    found = [_framework(each, False) for each in told.get("frameworks", [])]
    found += [_framework(each, True) for each in told.get("completed_frameworks", [])]
    return sorted(found, key=lambda each: (each["name"], each["id"]))


def _framework(told, completed):
    shown = told["framework_info"]
    held = {}
    for each in told.get("allocated_resources", []):
        if "scalar" in each:
            held[each["name"]] = round(held.get(each["name"], 0) + each["scalar"]["value"], 3)
    return {
        "id": shown["id"]["value"],
        "name": shown["name"],
        "active": told.get("active", False),
        "connected": told.get("connected", False),
        "completed": completed,
        "user": shown.get("user"),
        "roles": shown.get("roles") or [shown.get("role", "*")],
        "hostname": shown.get("hostname"),
        "webui_url": shown.get("webui_url"),
        "principal": shown.get("principal"),
        "failover_timeout": shown.get("failover_timeout", 0.0),
        "checkpoint": shown.get("checkpoint", False),
        "resources": held,
    }


def framework(framework, profile=None, **connection):
    """
    Show one framework.

    framework
        Its id, or its name if only one has it.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns what ``mesos.frameworks`` has of it; one that ended only by its id. Raises CommandExecutionError, with those that
    there are, if there is none, and with the ids if several have this name.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.framework marathon
    """
    return _one_framework(_client(profile, connection), framework)


def _one_framework(client, wanted):
    _expect(
        isinstance(wanted, str) and wanted, "framework", wanted, "the id or the name of a framework"
    )
    known = _frameworks(client)
    found = [
        each
        for each in known
        if wanted == each["id"] or (wanted == each["name"] and not each["completed"])
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandExecutionError(
            f"framework: {wanted} are {len(found)}. Give the id: {', '.join(each['id'] for each in found)}"
        )
    names = [each["name"] for each in known if not each["completed"]]
    raise CommandExecutionError(f"framework: there is no framework {wanted}. {_known(names)}")


def tasks(framework=None, state=None, limit=None, profile=None, **connection):
    """
    List tasks, those that ended included, the oldest first.

    framework
        Only those of this framework: its id or name.

    state
        Only those in this state, such as ``TASK_RUNNING`` or ``running``.

    limit
        How many at most. Default: all, in pages of 1,000, whatever the master's own limit is.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns a list, each with ``id``, ``name``, ``framework_id``, ``agent_id``, ``state``, ``role``, ``resources`` (cpus; mem and
    disk in MiB), ``healthy`` (None without health checks), ``started`` and ``changed`` (seconds since 1970), and ``message`` of
    its last status, if the master tells it. Rests on ``GET /tasks``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.tasks framework=marathon state=running
    """
    _expect(
        limit is None or (_is_int(limit) and limit > 0),
        "limit",
        limit,
        "a number of tasks, 1 or more",
    )
    client = _client(profile, connection)
    wanted = None
    if state is not None:
        wanted = str(state).upper()
        wanted = wanted if wanted.startswith("TASK_") else f"TASK_{wanted}"
    params = {
        "limit": PAGE,
        "order": "asc",
        "framework_id": _one_framework(client, framework)["id"] if framework else None,
    }
    found, offset = {}, 0
    while True:
        page = _older(client, "/tasks", params={**params, "offset": offset})["tasks"]
        for each in page:
            if wanted in (None, each["state"]):
                found[each["framework_id"], each["id"]] = _task(each)
        # New tasks come at the end, so that none is missed between two pages.
        offset += len(page)
        if len(page) < PAGE or (limit and len(found) >= limit):
            return list(found.values())[:limit]


def _task(shown):
    statuses = shown.get("statuses") or [{}]
    return {
        "id": shown["id"],
        "name": shown["name"],
        "framework_id": shown["framework_id"],
        "agent_id": shown["slave_id"],
        "state": shown["state"],
        "role": shown.get("role"),
        "resources": shown.get("resources", {}),
        "healthy": statuses[-1].get("healthy"),
        "started": statuses[0].get("timestamp"),
        "changed": statuses[-1].get("timestamp"),
        "message": statuses[-1].get("message"),
    }


def teardown_framework(framework, confirm=False, profile=None, **connection):
    """
    End a framework for ever: all of its tasks are killed, and its scheduler is refused from then on.

    framework
        Its id, or its name if only one has it.

    confirm
        Has to be True.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns the framework as it was. Raises SaltInvocationError without ``confirm``, CommandExecutionError if there is no such
    framework or it ended already. v1 TEARDOWN, before Mesos 1.5 ``POST /teardown``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.teardown_framework marathon confirm=True
    """
    client = _client(profile, connection)
    found = _one_framework(client, framework)
    if found["completed"]:
        raise CommandExecutionError(f"framework: {framework} has ended already")
    _confirmed(
        confirm,
        f"framework: {found['name']} ({found['id']}) and all of its tasks would end for ever",
    )

    def done():
        return any(each["id"] == found["id"] and each["completed"] for each in _frameworks(client))

    if _version(client) >= (1, 5):
        _write(client, "TEARDOWN", {"framework_id": {"value": found["id"]}}, done)
    else:
        client.write("POST", "/teardown", done, form={"frameworkId": found["id"]})
    return found


# --- roles, weights, quota ---


def roles(profile=None, **connection):
    """
    Show the roles that something is known of: a framework, a weight, a quota, a reservation.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns role to ``weight``, ``guarantees``, ``limits``, ``consumed`` (what counts against the quota), ``allocated``,
    ``reserved`` (cpus; mem and disk in MiB) and ``frameworks`` (ids). Before Mesos 1.9 ``limits``, ``consumed``,
    ``allocated`` and ``reserved`` are empty. Rests on ``GET /roles``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.roles
    """
    found = _older(_client(profile, connection), "/roles").get("roles", [])
    return {each["name"]: _role(each) for each in sorted(found, key=lambda each: each["name"])}


def _role(shown):
    quota_told = shown.get("quota", {})
    return {
        "weight": shown.get("weight", 1.0),
        "guarantees": quota_told.get("guarantee", {}),
        "limits": quota_told.get("limit", {}),
        "consumed": quota_told.get("consumed", {}),
        "allocated": shown.get("allocated", {}),
        "reserved": shown.get("reserved", {}),
        "frameworks": shown.get("frameworks", []),
    }


def role(role, profile=None, **connection):
    """
    Show one role.

    role
        Its name, such as ``web``.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns what ``mesos.roles`` has of it. Raises CommandExecutionError if nothing is known of it.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.role web
    """
    known = roles(profile, **connection)
    if role not in known:
        raise CommandExecutionError(f"role: nothing is known of {role}. {_known(list(known))}")
    return known[role]


def weights(profile=None, **connection):
    """
    Show the weights that were set. A role that is not in it has 1.0.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns role to weight. Who may not view a role does not see its weight. Rests on v1 GET_WEIGHTS.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.weights
    """
    return _weights(_client(profile, connection))


def _weights(client):
    found = _call(client, "GET_WEIGHTS").get("weight_infos", [])
    return {
        each["role"]: float(each["weight"]) for each in sorted(found, key=lambda each: each["role"])
    }


def weight(role, profile=None, **connection):
    """
    Show the weight of a role.

    role
        Its name, such as ``web``.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns a number; 1.0 where none was set.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.weight web
    """
    return _weights(_client(profile, connection)).get(_role_name(role), 1.0)


def set_weights(weights, profile=None, **connection):
    """
    Set the weights of some roles; those of the others stay. Weights cannot be removed: 1.0 is as if there were none.

    weights
        Role to number above 0, such as ``{web: 2, batch: 0.5}``.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns all weights, read back. Rests on v1 UPDATE_WEIGHTS.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.set_weights '{web: 2, batch: 0.5}'
    """
    wanted = _weights_wanted(weights)
    client = _client(profile, connection)
    infos = [{"role": name, "weight": value} for name, value in wanted.items()]
    _write(
        client,
        "UPDATE_WEIGHTS",
        {"weight_infos": infos},
        lambda: wanted.items() <= _weights(client).items(),
    )
    return _weights(client)


def _weights_wanted(given):
    """Check weights by role."""
    _expect(
        isinstance(given, Mapping) and given,
        "weights",
        given,
        "a mapping of roles to numbers, such as {web: 2}",
    )
    for name, value in given.items():
        _role_name(name, "weights")
        _expect(_is_number(value) and value > 0, f"weights: {name}", value, "a number above 0")
    return {name: float(value) for name, value in given.items()}


def diff_weights(weights, profile=None, **connection):
    """
    Say which weights a declaration would change.

    weights
        Role to number above 0, such as ``{web: 2, batch: 0.5}``; roles that are not in it stay as they are.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns path to ``old`` and ``new``, such as ``{/web: {old: 1.0, new: 2.0}}``; nothing if all are so already. A role without
    a weight has 1.0.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.diff_weights '{web: 2, batch: 0.5}'
    """
    wanted = _weights_wanted(weights)
    current = _weights(_client(profile, connection))
    return {
        f"/{name}": {"old": current.get(name, 1.0), "new": value}
        for name, value in wanted.items()
        if current.get(name, 1.0) != value
    }


def quotas(profile=None, **connection):
    """
    Show the quota of each role that has one.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns role to ``guarantees`` and ``limits`` (cpus; mem and disk in MiB). Before Mesos 1.9 masters tell guarantees alone.
    A role whose quota was reset, which the master lists until a failover, is not in it. Rests on v1 GET_QUOTA.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.quotas
    """
    return _quotas(_client(profile, connection))


def _quotas(client):
    status = _call(client, "GET_QUOTA").get("status", {})
    found = {}
    for each in status.get("infos", []):
        amounts = {
            entry["name"]: float(entry["scalar"]["value"]) for entry in each.get("guarantee", [])
        }
        found[each["role"]] = {"guarantees": amounts, "limits": {}}
    for each in status.get("configs", []):
        found[each["role"]] = {
            key: {name: float(value["value"]) for name, value in sorted(each.get(key, {}).items())}
            for key in ("guarantees", "limits")
        }
    return {
        name: found[name]
        for name in sorted(found)
        if found[name]["guarantees"] or found[name]["limits"]
    }


def quota(role, profile=None, **connection):
    """
    Show the quota of a role.

    role
        Its name, such as ``web``.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns ``guarantees`` and ``limits`` (cpus; mem and disk in MiB), both empty if it has none.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.quota web
    """
    return _quotas(_client(profile, connection)).get(
        _role_name(role), {"guarantees": {}, "limits": {}}
    )


def set_quota(role, limits=None, guarantees=None, force=False, profile=None, **connection):
    """
    Set the quota of a role.

    role
        Its name, such as ``web``. Nested roles (``a/b``) have no quota of their own.

    limits, guarantees
        Scalars by resource, such as ``{cpus: 8, mem: 16384}``; mem and disk in MiB. What is left out stays as it is, ``{}``
        removes it. A limit of 0 lets the role have nothing of it. Limits need Mesos 1.9.

    force
        Let the master accept guarantees above the capacity of the cluster, and limits below what the role already has.
        Default: False.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns the quota as the master then reports it.

    Raises CommandExecutionError where the master refuses it, with its numbers. v1 UPDATE_QUOTA replaces all of a role's quota,
    so what was left out is read first. Before Mesos 1.9 a quota cannot be changed: it is removed and set anew, and in between
    the role has none; if the new one is refused the role gets the old one again.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.set_quota web limits='{cpus: 2, mem: 2048}'
        salt-call mesos.set_quota batch guarantees='{cpus: 0.5}'
    """
    client = _client(profile, connection)
    current, wanted = _quota_wanted(client, role, limits, guarantees)
    if wanted["limits"] or _version(client) >= (1, 9):  # where it is older, limits were refused
        payload = {
            "force": bool(force),
            "quota_configs": [
                {
                    "role": role,
                    **{
                        key: {name: {"value": value} for name, value in wanted[key].items()}
                        for key in wanted
                        if wanted[key]
                    },
                }
            ],
        }
        _write(
            client,
            "UPDATE_QUOTA",
            payload,
            lambda: _quotas(client).get(role) == _without_zeros(wanted),
        )
    else:
        _set_old_quota(client, role, current["guarantees"], wanted["guarantees"], force)
    return _quotas(client).get(role, {"guarantees": {}, "limits": {}})


def _quota_wanted(client, role_, limits, guarantees):
    """The quota of a role as it is and as it is to be. Raises SaltInvocationError, CommandExecutionError for what cannot be."""
    _role_name(role_)
    _expect(
        "/" not in role_,
        "role",
        role_,
        "a role at the top: nested roles have no quota of their own",
    )
    _expect(
        limits is not None or guarantees is not None,
        "limits",
        limits,
        "given, or guarantees: there is nothing to set",
    )
    given = {"guarantees": _amounts("guarantees", guarantees), "limits": _amounts("limits", limits)}
    current = _quotas(client).get(role_, {"guarantees": {}, "limits": {}})
    wanted = {key: current[key] if value is None else value for key, value in given.items()}
    for name, value in wanted["guarantees"].items():
        most = wanted["limits"].get(name, value)
        _expect(
            value <= most,
            f"guarantees: {name}",
            value,
            f"at most the limit, which is {_plain(most)}",
        )
    if wanted["limits"] and _version(client) < (1, 9):
        raise CommandExecutionError(
            "limits: this needs Mesos 1.9; the master is older. Give guarantees"
        )
    return current, wanted


def _without_zeros(wanted):
    return {
        "guarantees": {name: value for name, value in wanted["guarantees"].items() if value},
        "limits": wanted["limits"],
    }


def _set_old_quota(client, role, current, wanted, force):
    """Set guarantees with the calls that Mesos had before 1.9, which only work where there are none; restores them if that fails."""

    def write(guarantees, force):
        entries = [
            {"name": name, "type": "SCALAR", "scalar": {"value": value}}
            for name, value in guarantees.items()
        ]
        body = {"role": role, "force": bool(force), "guarantee": entries}
        client.write(
            "POST",
            "/quota",
            lambda: _quotas(client).get(role, {}).get("guarantees") == guarantees,
            body=body,
        )

    if current:
        client.write(
            "DELETE", f"/quota/{_http_client.quote(role)}", lambda: role not in _quotas(client)
        )
    if not wanted:
        return
    try:
        write(wanted, force)
    except CommandExecutionError as error:
        try:
            if current:
                write(current, True)
        except CommandExecutionError as second:
            raise CommandExecutionError(
                f"{error}; and {role} did not get the quota again that it had: {second}"
            ) from None
        raise


def diff_quota(role, limits=None, guarantees=None, profile=None, **connection):
    """
    Say what a declaration would change in the quota of a role.

    role
        Its name, such as ``web``.

    limits, guarantees
        Scalars by resource, as for ``mesos.set_quota``: what is left out stays as it is, ``{}`` removes it.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns path to ``old`` and ``new``, such as ``{/limits/cpus: {old: 1.0, new: 2.0}}``; nothing if it is so already. Mesos
    counts in thousandths, and a guarantee of 0 is none.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.diff_quota web limits='{cpus: 2, mem: 2048}'
    """
    current, wanted = (
        _without_zeros(each)
        for each in _quota_wanted(_client(profile, connection), role, limits, guarantees)
    )
    changes = {}
    for kind in ("guarantees", "limits"):
        for name in sorted({*current[kind], *wanted[kind]}):
            old, new = current[kind].get(name), wanted[kind].get(name)
            if old is None or new is None or round(old - new, 3):
                changes[f"/{kind}/{name}"] = {"old": old, "new": new}
    return changes


def _amounts(argument, given):
    """Check scalars by resource; None stays None."""
    if given is None:
        return None
    _expect(isinstance(given, Mapping), argument, given, "a mapping such as {cpus: 8, mem: 16384}")
    for name, value in given.items():
        _expect(
            isinstance(name, str) and name != "ports",
            f"{argument}: {name}",
            value,
            "of a scalar resource: cpus, mem, disk, gpus",
        )
        _expect(
            _is_number(value) and value >= 0, f"{argument}: {name}", value, "a number, 0 or more"
        )
    return {name: float(value) for name, value in given.items()}


def remove_quota(role, profile=None, **connection):
    """
    Take the quota of a role away.

    role
        Its name, such as ``web``.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns True if it had one, else False. Rests on v1 UPDATE_QUOTA, before Mesos 1.9 on ``DELETE /quota/ROLE``: the call
    REMOVE_QUOTA is never used, as it kills the leading master if the role has no quota.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.remove_quota batch
    """
    _role_name(role)
    client = _client(profile, connection)
    if role not in _quotas(client):
        return False
    if _version(client) >= (1, 9):
        _write(
            client,
            "UPDATE_QUOTA",
            {"quota_configs": [{"role": role}]},
            lambda: role not in _quotas(client),
        )
    else:
        client.write(
            "DELETE", f"/quota/{_http_client.quote(role)}", lambda: role not in _quotas(client)
        )
    return True


# --- maintenance ---


def maintenance_schedule(whole=False, profile=None, **connection):
    """
    Show the maintenance schedule of the cluster.

    whole
        True: fail where parts of it are hidden from this user, as far as that can be known: machines that are draining or
        down are in the schedule. Default False.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns a list of windows, by start: ``machines`` (each with ``hostname`` and ``ip``, as far as they were given),
    ``start`` and ``duration`` (both in nanoseconds, the first since 1970; a duration of None has no end). Who may not view
    schedules gets an empty list. Rests on v1 GET_MAINTENANCE_SCHEDULE.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.maintenance_schedule
    """
    return (_windows_to_change if whole else _windows)(_client(profile, connection))


def _windows(client):
    told = _call(client, "GET_MAINTENANCE_SCHEDULE").get("schedule", {}).get("windows", [])
    found = [
        {
            "machines": [
                {key: each[key] for key in ("hostname", "ip") if each.get(key)}
                for each in window["machine_ids"]
            ],
            "start": int(window["unavailability"]["start"]["nanoseconds"]),
            "duration": _duration_told(window["unavailability"]),
        }
        for window in told
    ]
    return sorted(found, key=lambda window: (window["start"], str(window["machines"])))


def _duration_told(unavailability):
    return int(unavailability["duration"]["nanoseconds"]) if "duration" in unavailability else None


def maintenance_status(profile=None, **connection):
    """
    Show which machines are draining for maintenance and which are down.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns ``draining`` and ``down``, lists of machines with ``hostname`` and ``ip``. Rests on v1 GET_MAINTENANCE_STATUS.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.maintenance_status
    """
    return _status(_client(profile, connection))


def _status(client):
    told = _call(client, "GET_MAINTENANCE_STATUS").get("status", {})
    return {
        "draining": sorted(
            (each["id"] for each in told.get("draining_machines", [])), key=_machine_key
        ),
        "down": sorted(told.get("down_machines", []), key=_machine_key),
    }


def _machine_key(machine):
    """What makes two ids the same machine: host names compare without case, and what is left out is empty."""
    return machine.get("hostname", "").lower(), machine.get("ip", "")


def _windows_to_change(client):
    """
    The schedule as it may be written back. Raises CommandExecutionError if parts of it are hidden.

    A master answers who may not view schedules with an empty one. The status is not filtered in this way: a machine that is
    draining or down by it has to be in the schedule.
    """
    windows = _windows(client)
    seen = {_machine_key(machine) for window in windows for machine in window["machines"]}
    status = _status(client)
    hidden = [
        machine
        for machine in (*status["draining"], *status["down"])
        if _machine_key(machine) not in seen
    ]
    if hidden:
        names = ", ".join(machine.get("hostname") or machine["ip"] for machine in hidden)
        raise CommandExecutionError(
            f"The maintenance schedule is not shown to this user as it is: {names} should be in it. Writing it back would erase that, "
            "so nothing was changed"
        )
    return windows


def _write_schedule(client, windows):
    """Replace the schedule; returns it as read back."""
    payload = {
        "schedule": {
            "windows": [
                {
                    "machine_ids": window["machines"],
                    "unavailability": {
                        "start": {"nanoseconds": window["start"]},
                        **(
                            {"duration": {"nanoseconds": window["duration"]}}
                            if window["duration"] is not None
                            else {}
                        ),
                    },
                }
                for window in windows
            ]
        }
    }
    _write(
        client,
        "UPDATE_MAINTENANCE_SCHEDULE",
        payload,
        lambda: _same_schedule(_windows(client), windows),
    )
    return _windows(client)


def _same_schedule(one, other):
    def key(windows):
        return sorted(
            (
                window["start"],
                window["duration"] or -1,
                sorted(map(_machine_key, window["machines"])),
            )
            for window in windows
        )

    return key(one) == key(other)


def set_maintenance_schedule(windows, confirm=False, profile=None, **connection):
    """
    Replace the maintenance schedule of the whole cluster.

    windows
        A list as ``mesos.maintenance_schedule`` returns it. ``start`` and ``duration`` may also be written as for
        ``mesos.add_maintenance_window``, and machines as host names of agents.

    confirm
        Has to be True if machines would no longer be scheduled.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns the schedule, read back. Raises SaltInvocationError, with the machines, if some would be dropped without
    ``confirm``; CommandExecutionError if a machine is down, which has to stay in the schedule.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.set_maintenance_schedule '[{machines: [lxb001.devops.test], start: +1h, duration: 2h}]' confirm=True
    """
    _expect(
        isinstance(windows, list) and all(isinstance(each, Mapping) for each in windows),
        "windows",
        windows,
        "a list of windows",
    )
    client = _client(profile, connection)
    current = _windows_to_change(client)
    wanted = []
    for each in windows:
        for key in each:
            _expect(
                key in ("machines", "start", "duration"),
                f"windows: {key}",
                each[key],
                "a key of a window: machines, start, duration",
            )
        machines = _machines(client, each.get("machines"), current)
        wanted.append(
            {
                "machines": machines,
                "start": _instant(each.get("start")),
                "duration": _duration(each.get("duration")),
            }
        )
    kept = {_machine_key(machine) for window in wanted for machine in window["machines"]}
    dropped = [
        machine
        for window in current
        for machine in window["machines"]
        if _machine_key(machine) not in kept
    ]
    if dropped:
        names = ", ".join(machine.get("hostname") or machine["ip"] for machine in dropped)
        _confirmed(confirm, f"windows: {names} would no longer be scheduled")
    return _write_schedule(client, wanted)


def add_maintenance_window(machines, start, duration=None, profile=None, **connection):
    """
    Schedule machines for maintenance; all other windows stay as they are.

    machines
        Host names of agents, with commas or as a list; or mappings such as ``{hostname: h, ip: 10.0.0.65}`` for machines
        that have no agent now.

    start
        When it begins: ``now``, ``+90m`` from now (s, m, h, d, w), ISO 8601 with a zone (``2030-01-01T00:00:00Z``), or
        nanoseconds since 1970.

    duration
        How long it takes: ``2h``, ``90m`` or nanoseconds. Default: no end.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns the schedule, read back. A machine that is scheduled already is moved to the new window. Raises
    CommandExecutionError if parts of the schedule are hidden from this user, as these would be erased.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.add_maintenance_window lxb002.devops.test start=+1h duration=2h
    """
    client = _client(profile, connection)
    current, window = _window(client, machines, start, duration)
    return _write_schedule(client, [*_without(current, window["machines"]), window])


def _window(client, machines, start, duration):
    """The schedule, and a window that is to be in it."""
    times = {"start": _instant(start), "duration": _duration(duration)}
    current = _windows_to_change(client)
    return current, {"machines": _machines(client, machines, current), **times}


def maintenance_window(machines, start, duration=None, profile=None, **connection):
    """
    Show the window that ``mesos.add_maintenance_window`` would add to the schedule, and add nothing.

    machines, start, duration
        As for ``mesos.add_maintenance_window``.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns ``machines`` (each with ``hostname`` and ``ip``, as the schedule or the agent spells them), ``start`` and
    ``duration`` (in nanoseconds). Raises what ``mesos.add_maintenance_window`` raises.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.maintenance_window lxb002.devops.test start=2030-01-01T00:00:00Z duration=2h
    """
    return _window(_client(profile, connection), machines, start, duration)[1]


def _without(windows, machines):
    """Windows without some machines; those that have none left are gone."""
    out = {_machine_key(machine) for machine in machines}
    left = [
        {
            **window,
            "machines": [each for each in window["machines"] if _machine_key(each) not in out],
        }
        for window in windows
    ]
    return [window for window in left if window["machines"]]


def remove_from_schedule(machines, profile=None, **connection):
    """
    Take machines out of the maintenance schedule; all others stay in it.

    machines
        Host names, with commas or as a list, or mappings with ``hostname`` and ``ip``. Those that are not scheduled are
        passed over.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns the schedule, read back. Raises CommandExecutionError for machines that are down (``mesos.machine_up`` takes
    these out) and if parts of the schedule are hidden from this user.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.remove_from_schedule lxb002.devops.test
    """
    client = _client(profile, connection)
    current = _windows_to_change(client)
    wanted = _without(current, _machines(client, machines, current))
    return current if _same_schedule(current, wanted) else _write_schedule(client, wanted)


def machine_down(machines, confirm=False, profile=None, **connection):
    """
    Take machines down for maintenance: their agents end, and all tasks on them are killed.

    machines
        Host names, with commas or as a list, or mappings with ``hostname`` and ``ip``. They have to be scheduled.

    confirm
        Has to be True.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns what ``mesos.maintenance_status`` returns. Raises SaltInvocationError without ``confirm``, with the agents that
    would end; CommandExecutionError for machines that are not scheduled or are down already. Rests on v1 START_MAINTENANCE.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.machine_down lxb002.devops.test confirm=True
    """
    client = _client(profile, connection)
    wanted = _machines(client, machines, _windows(client))
    keys = set(map(_machine_key, wanted))
    ending = [
        each for each in _agents(client) if (each["hostname"].lower(), each["ip"] or "") in keys
    ]
    names = (
        ", ".join(
            f"{each['hostname']} ({_plain(each['used'].get('cpus', 0))} cpus in use)"
            for each in ending
        )
        or "no agent"
    )
    _confirmed(confirm, f"machines: {names} would end, with all tasks")

    def done():
        return keys <= set(map(_machine_key, _status(client)["down"]))

    _write(client, "START_MAINTENANCE", {"machines": wanted}, done)
    return _status(client)


def machine_up(machines, profile=None, **connection):
    """
    Bring machines back from maintenance: their agents may register again. They leave the schedule.

    machines
        Host names, with commas or as a list, or mappings with ``hostname`` and ``ip``.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns what ``mesos.maintenance_status`` returns. Raises CommandExecutionError for machines that are not down. The agents
    themselves have to be started. Rests on v1 STOP_MAINTENANCE.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.machine_up lxb002.devops.test
    """
    client = _client(profile, connection)
    wanted = _machines(client, machines, _windows(client), _status(client)["down"])
    keys = set(map(_machine_key, wanted))
    _write(
        client,
        "STOP_MAINTENANCE",
        {"machines": wanted},
        lambda: not keys & set(map(_machine_key, _status(client)["down"])),
    )
    return _status(client)


def _machines(client, given, windows, down=()):
    """Ids of machines: a mapping as it is; a host name as the schedule has it, or as its agent calls itself."""
    given = [each.strip() for each in given.split(",")] if isinstance(given, str) else given
    given = [given] if isinstance(given, Mapping) else given
    _expect(
        isinstance(given, list) and given,
        "machines",
        given,
        "a host name, or a list of host names or of {hostname, ip}",
    )
    found, agents_known = [], None
    for each in given:
        if isinstance(each, Mapping):
            fits = (
                set(each) <= {"hostname", "ip"}
                and any(each.values())
                and all(isinstance(value, str) for value in each.values())
            )
            _expect(fits, "machines", dict(each), "a mapping with hostname and ip, or one of them")
            found.append({key: value for key, value in each.items() if value})
            continue
        _expect(isinstance(each, str) and each, "machines", each, "a host name")
        known = [*down, *(machine for window in windows for machine in window["machines"])]
        like = [machine for machine in known if machine.get("hostname", "").lower() == each.lower()]
        if not like:
            agents_known = _agents(client) if agents_known is None else agents_known
            like = [
                {"hostname": one["hostname"], "ip": one["ip"]}
                for one in agents_known
                if one["hostname"].lower() == each.lower() and one["ip"]
            ]
        if not like:
            names = _known([one["hostname"] for one in agents_known])
            raise CommandExecutionError(
                f"machines: no agent and no scheduled machine is called {each}. {names}. Or give hostname and ip"
            )
        found.append(like[0])
    return list({_machine_key(machine): machine for machine in found}.values())


def _moment(text):
    """The moment that a text in ISO 8601 names. ValueError if it names none."""
    if hasattr(datetime.datetime, "fromisoformat"):
        return datetime.datetime.fromisoformat(text)
    # Python 3.6
    return datetime.datetime.strptime(
        re.sub(r":(\d\d)$", r"\1", text.replace(" ", "T")), "%Y-%m-%dT%H:%M:%S%z"
    )


def _instant(given):
    """A point in time as nanoseconds since 1970. Raises SaltInvocationError for what is none, or could be two."""
    should = (
        "now, +1h, ISO 8601 with a zone such as 2030-01-01T00:00:00Z, or nanoseconds since 1970"
    )
    if given == "now":
        return round(time.time() * 10**9)
    if isinstance(given, str) and given.startswith("+"):
        return round(time.time() * 10**9) + _duration(given[1:], "start")
    if _is_int(given) and 10**15 <= given < 2**63:  # anything less would be seconds or milliseconds
        return given
    if isinstance(given, datetime.datetime):
        given = given.isoformat()
    if isinstance(given, str):
        try:
            found = _moment(re.sub("[Zz]$", "+00:00", given.strip()))
        except ValueError:
            found = None
        if found and found.tzinfo and found.year < 2262:  # what 64 bits hold
            return round(found.timestamp() * 10**6) * 1000
    raise SaltInvocationError(f"start: {given!r} is not {should}")


def _duration(given, argument="duration"):
    """A length of time as nanoseconds; None stays None."""
    if given is None:
        return None
    if _is_int(given) and given >= SECOND:
        return given
    if isinstance(given, str) and re.fullmatch(r"(\d+(\.\d+)?[smhdw])+", given):
        return round(
            sum(
                float(number) * UNITS[unit]
                for number, unit in re.findall(r"([\d.]+)([smhdw])", given)
            )
            * SECOND
        )
    raise SaltInvocationError(
        f"{argument}: {given!r} is not a length of time such as 90m, 2h, 1d12h, or nanoseconds (at least a second)"
    )


# --- agents: drain, deactivate, remove ---


def drain_agent(
    agent,
    max_grace_period=None,
    mark_gone=False,
    confirm=False,
    again=False,
    profile=None,
    **connection,
):
    """
    Drain an agent: it gets no new tasks, and those that it has are killed.

    agent
        Its id or host name.

    max_grace_period
        Seconds, or text such as ``10m``: how long tasks have at most to end, whatever they ask for. Default: as they ask.

    mark_gone
        Whether the agent is removed for ever once it is drained. Default: False.

    confirm
        Has to be True with ``mark_gone``.

    again
        Drain an agent that is drained or draining already: the master then begins anew, with the new settings. Default:
        False, it stays as it is.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns what ``mesos.agent`` has of it; None with ``mark_gone`` if it is gone already. Needs Mesos 1.9 (v1 DRAIN_AGENT).
    Raises CommandExecutionError if there is no such agent, or its machine is scheduled for maintenance.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.drain_agent lxb003.devops.test max_grace_period=10m
    """
    grace = None
    if max_grace_period is not None:
        fits = _is_int(max_grace_period) and max_grace_period >= 0
        grace = (
            max_grace_period if fits else _duration(max_grace_period, "max_grace_period") // SECOND
        )
    client = _client(profile, connection)
    _needs(client, (1, 9), "Draining")
    found = _one_agent(client, agent)
    if mark_gone:
        _confirmed(confirm, f"agent: {found['hostname']} ({found['id']}) would be removed for ever")
    if found["drain"] and not again:
        return found
    payload = {"agent_id": {"value": found["id"]}, "mark_gone": bool(mark_gone)}
    if grace is not None:
        payload["max_grace_period"] = {
            "seconds": grace
        }  # "10mins", as some documents have it, is refused
    _write(
        client,
        "DRAIN_AGENT",
        payload,
        lambda: any(each["id"] == found["id"] and each["drain"] for each in _agents(client)),
    )
    return next((each for each in _agents(client) if each["id"] == found["id"]), None)


def deactivate_agent(agent, profile=None, **connection):
    """
    Give an agent no new tasks; those that it has go on.

    agent
        Its id or host name.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns what ``mesos.agent`` has of it. Needs Mesos 1.9 (v1 DEACTIVATE_AGENT). Does nothing to one that is deactivated.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.deactivate_agent lxb004.devops.test
    """
    return _activate(agent, "DEACTIVATE_AGENT", True, profile, connection)


def reactivate_agent(agent, profile=None, **connection):
    """
    Give an agent that was drained or deactivated tasks again.

    agent
        Its id or host name.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns what ``mesos.agent`` has of it. Needs Mesos 1.9 (v1 REACTIVATE_AGENT). Does nothing to one that is active. Raises
    CommandExecutionError while it is still draining.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.reactivate_agent lxb004.devops.test
    """
    return _activate(agent, "REACTIVATE_AGENT", False, profile, connection)


def _activate(wanted, call, deactivated, profile, connection):
    client = _client(profile, connection)
    _needs(client, (1, 9), "Deactivating")
    found = _one_agent(client, wanted)
    if found["deactivated"] == deactivated:
        return found

    def done():
        return any(
            each["id"] == found["id"] and each["deactivated"] == deactivated
            for each in _agents(client)
        )

    _write(client, call, {"agent_id": {"value": found["id"]}}, done)
    return _one_agent(client, found["id"])


def mark_agent_gone(agent, confirm=False, profile=None, **connection):
    """
    Remove an agent for ever: its tasks are lost, and should it come back it is told to end.

    agent
        Its id; or its host name, as long as the leader knows it.

    confirm
        Has to be True.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns the id. Needs Mesos 1.5 (v1 MARK_AGENT_GONE). Raises SaltInvocationError without ``confirm``,
    CommandExecutionError if there is no such agent. Of one that is gone already it is as good as done.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.mark_agent_gone lxb004.devops.test confirm=True
    """
    client = _client(profile, connection)
    _needs(client, (1, 5), "Marking agents gone")
    # An agent that is unreachable is in no list; its id is enough.
    id_ = (
        agent
        if isinstance(agent, str) and re.fullmatch(r"[\w-]+-S\d+", agent)
        else _one_agent(client, agent)["id"]
    )
    _confirmed(confirm, f"agent: {id_} would be removed for ever, and its tasks lost")
    # It may be repeated as a read may: once it is done it stays so, and 503 means that the master is busy with this agent.
    client.request(
        "POST",
        "/api/v1",
        body=_body("MARK_AGENT_GONE", {"agent_id": {"value": id_}}),
        idempotent=True,
    )
    return id_


# --- reservations and volumes ---


def reservations(agent, profile=None, **connection):
    """
    Show what is reserved on an agent.

    agent
        Its id or host name.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns role to ``static`` and ``dynamic`` (cpus; mem and disk in MiB; without volumes) and ``volumes`` (id to ``path`` and
    ``size`` in MiB). Rests on ``GET /slaves``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.reservations lxb001.devops.test
    """
    client = _client(profile, connection)
    return _reservations(client, _one_agent(client, agent)["id"])


def _reservations(client, agent_id):
    shown = _older(client, "/slaves", params={"slave_id": agent_id})["slaves"]
    found = {}
    for role_, entries in sorted(
        (shown[0] if shown else {}).get("reserved_resources_full", {}).items()
    ):
        mine = found.setdefault(role_, {"static": {}, "dynamic": {}, "volumes": {}})
        for each in entries:
            volume = each.get("disk", {}).get("persistence")
            if volume:
                mine["volumes"][volume["id"]] = {
                    "path": each["disk"]["volume"]["container_path"],
                    "size": each["scalar"]["value"],
                }
            elif "scalar" in each:
                kind = mine["dynamic" if "reservation" in each else "static"]
                kind[each["name"]] = round(kind.get(each["name"], 0) + each["scalar"]["value"], 3)
    return found


def reserve(agent, role, resources, principal=None, profile=None, **connection):
    """
    Reserve resources of an agent for a role.

    agent
        Its id or host name.

    role
        For whom, such as ``web``.

    resources
        Scalars by name: ``{cpus: 1, mem: 512}``; mem and disk in MiB.

    principal
        Who reserves. Default: the user name of the connection, if there is one: masters with authentication demand it.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns what ``mesos.reservations`` returns, once it is there: the master accepts (202) before the agent has done it.
    Raises CommandExecutionError if that is not free (409), or did not come within 10 seconds. Rests on v1 RESERVE_RESOURCES.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.reserve lxb001.devops.test web '{cpus: 0.5, mem: 64}'
    """
    return _reserve("RESERVE_RESOURCES", 1, agent, role, resources, principal, profile, connection)


def unreserve(agent, role, resources, principal=None, profile=None, **connection):
    """
    Take reservations back that were made with ``mesos.reserve``.

    agent
        Its id or host name.

    role
        For whom it was reserved.

    resources
        Scalars by name: ``{cpus: 1, mem: 512}``; mem and disk in MiB.

    principal
        Who reserved it. Default: the user name of the connection, if there is one.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns what ``mesos.reservations`` returns, once it is there. Raises CommandExecutionError if that is not reserved or in
    use (409), or did not come within 10 seconds. Rests on v1 UNRESERVE_RESOURCES.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.unreserve lxb001.devops.test web '{cpus: 0.5, mem: 64}'
    """
    return _reserve(
        "UNRESERVE_RESOURCES", -1, agent, role, resources, principal, profile, connection
    )


def _reserve(call, sign, wanted, role_, given, principal, profile, connection):
    _role_name(role_)
    amounts = _amounts("resources", given)
    _expect(
        amounts and all(amounts.values()),
        "resources",
        given,
        "scalars above 0, such as {cpus: 1, mem: 512}",
    )
    client = _client(profile, connection)
    id_ = _one_agent(client, wanted)["id"]
    before = _reservations(client, id_).get(role_, {}).get("dynamic", {})
    reservation = _reservation(client, role_, principal)
    entries = [
        {"name": name, "type": "SCALAR", "scalar": {"value": value}, "reservations": [reservation]}
        for name, value in amounts.items()
    ]

    def done():
        now = _reservations(client, id_)
        held = now.get(role_, {}).get("dynamic", {})
        moved = all(
            round(held.get(name, 0) - before.get(name, 0) - sign * value, 3) == 0
            for name, value in amounts.items()
        )
        return (now,) if moved else None

    _write(client, call, {"agent_id": {"value": id_}, "resources": entries}, done)
    return _seen(done, f"The master accepted {call}")[0]


def _reservation(client, role_, principal):
    principal = client.setting("username") if principal is None else principal
    return {"type": "DYNAMIC", "role": role_, **({"principal": principal} if principal else {})}


def _seen(done, what):
    """Wait until what was accepted is there. Raises OutcomeUnknown if it does not come."""
    deadline = time.monotonic() + VERIFY
    while True:
        found = done()
        if found:
            return found
        if time.monotonic() > deadline:
            raise _http_client.OutcomeUnknown(
                f"{what}, and it was not there {VERIFY} seconds later: the agent may have refused it"
            )
        time.sleep(0.2)


def create_volumes(agent, role, volumes, principal=None, profile=None, **connection):
    """
    Create persistent volumes from disk that is reserved for a role.

    agent
        Its id or host name.

    role
        For whom the disk is reserved.

    volumes
        Id to ``path`` (in the container) and ``size`` (MiB): ``{data-1: {path: data, size: 100}}``.

    principal
        Who reserved the disk. Default: the user name of the connection, if there is one.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns what ``mesos.reservations`` returns, once they are there. Raises CommandExecutionError if there is not so much
    reserved disk (409), or they did not come within 10 seconds. Rests on v1 CREATE_VOLUMES.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.create_volumes lxb001.devops.test web '{data-1: {path: data, size: 100}}'
    """
    _role_name(role)
    _expect(
        isinstance(volumes, Mapping) and volumes,
        "volumes",
        volumes,
        "a mapping such as {data-1: {path: data, size: 100}}",
    )
    for name, each in volumes.items():
        fits = (
            isinstance(each, Mapping)
            and set(each) == {"path", "size"}
            and _is_number(each["size"])
            and each["size"] > 0
        )
        _expect(
            fits and isinstance(each["path"], str),
            f"volumes: {name}",
            each,
            "a mapping with path and size (MiB)",
        )
    client = _client(profile, connection)
    id_ = _one_agent(client, agent)["id"]
    entries = [_volume(client, role, name, each, principal) for name, each in volumes.items()]

    def done():
        now = _reservations(client, id_)
        return (now,) if set(volumes) <= set(now.get(role, {}).get("volumes", {})) else None

    _write(client, "CREATE_VOLUMES", {"agent_id": {"value": id_}, "volumes": entries}, done)
    return _seen(done, "The master accepted CREATE_VOLUMES")[0]


def _volume(client, role_, name, volume, principal):
    persistence = {"id": name}
    reservation = _reservation(client, role_, principal)
    if "principal" in reservation:
        persistence["principal"] = reservation["principal"]
    disk = {"persistence": persistence, "volume": {"container_path": volume["path"], "mode": "RW"}}
    return {
        "name": "disk",
        "type": "SCALAR",
        "scalar": {"value": float(volume["size"])},
        "reservations": [reservation],
        "disk": disk,
    }


def destroy_volumes(agent, role, ids, confirm=False, principal=None, profile=None, **connection):
    """
    Destroy persistent volumes, with the data on them. The disk stays reserved.

    agent
        Its id or host name.

    role
        For whom they are.

    ids
        One id or a list.

    confirm
        Has to be True.

    principal
        Who reserved the disk. Default: the user name of the connection, if there is one.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns what ``mesos.reservations`` returns, once they are gone. Raises SaltInvocationError without ``confirm``,
    CommandExecutionError for volumes that are not there or in use. Rests on v1 DESTROY_VOLUMES.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.destroy_volumes lxb001.devops.test web data-1 confirm=True
    """
    wanted = [ids] if isinstance(ids, str) else ids
    _expect(
        isinstance(wanted, list) and wanted and all(isinstance(each, str) for each in wanted),
        "ids",
        ids,
        "an id or a list of ids",
    )
    client = _client(profile, connection)
    id_ = _one_agent(client, agent)["id"]
    there = _reservations(client, id_).get(_role_name(role), {}).get("volumes", {})
    for each in wanted:
        if each not in there:
            raise CommandExecutionError(
                f"ids: {role} has no volume {each} on {agent}. {_known(list(there))}"
            )
    _confirmed(confirm, f"ids: the data on {', '.join(wanted)} would be destroyed")
    entries = [_volume(client, role, name, there[name], principal) for name in wanted]

    def done():
        now = _reservations(client, id_)
        return None if set(wanted) & set(now.get(role, {}).get("volumes", {})) else (now,)

    _write(client, "DESTROY_VOLUMES", {"agent_id": {"value": id_}, "volumes": entries}, done)
    return _seen(done, "The master accepted DESTROY_VOLUMES")[0]


# --- logs and files ---


def logging_level(agent=None, profile=None, **connection):
    """
    Show how much the leader, or an agent, logs.

    agent
        Id, host name or URL of an agent. Default: the leading master.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns a number, 0 as a rule; more is more. Rests on v1 GET_LOGGING_LEVEL.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.logging_level
    """
    return _logging_level(_server(profile, connection, agent))


def _logging_level(client):
    return _call(client, "GET_LOGGING_LEVEL", needed="level")["level"]


def set_logging_level(level, duration="10m", agent=None, profile=None, **connection):
    """
    Let the leader, or an agent, log more for a while.

    level
        A number: 0 as usual, 3 and more everything.

    duration
        How long: ``10m``, ``1h`` or nanoseconds. Default: ten minutes.

    agent
        Id, host name or URL of an agent. Default: the leading master.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns the level, read back. Rests on v1 SET_LOGGING_LEVEL.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.set_logging_level 1 duration=5m
    """
    _expect(_is_int(level) and 0 <= level <= 100, "level", level, "a number from 0 to 100")
    client = _server(profile, connection, agent)
    payload = {"level": level, "duration": {"nanoseconds": _duration(duration)}}
    _write(client, "SET_LOGGING_LEVEL", payload, lambda: _logging_level(client) == level)
    return _logging_level(client)


def list_files(path, agent=None, profile=None, **connection):
    """
    List a directory of the leader, or of an agent: the sandbox of a task.

    path
        Such as ``/master/log``, which is a file and has nothing in it, or the directory of an executor.

    agent
        Id, host name or URL of an agent. Default: the leading master.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns a list, each with ``path``, ``size`` (bytes), ``mode``, ``uid``, ``gid`` and ``mtime`` (seconds since 1970). Raises
    CommandExecutionError (404) if there is none. Rests on v1 LIST_FILES.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.list_files /master/log
    """
    _expect(isinstance(path, str) and path.startswith("/"), "path", path, "an absolute path")
    found = _call(_server(profile, connection, agent), "LIST_FILES", {"path": path}).get(
        "file_infos", []
    )
    return [
        {
            "path": each["path"],
            "size": each.get("size"),
            "mode": each.get("mode"),
            "uid": each.get("uid"),
            "gid": each.get("gid"),
            "mtime": each.get("mtime", {}).get("nanoseconds", 0) / SECOND,
        }
        for each in found
    ]


def read_file(path, offset=0, length=65536, agent=None, profile=None, **connection):
    """
    Read a part of a file of the leader, or of an agent.

    path
        Such as ``/master/log``, ``/slave/log``, or ``stdout`` below the directory of an executor.

    offset
        Where to begin, in bytes; with a minus sign: so many before its end. Default: 0.

    length
        How many bytes at most. Default: 65,536.

    agent
        Id, host name or URL of an agent. Default: the leading master.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns ``size`` (bytes, of the whole file), ``offset`` and ``text``. Raises CommandExecutionError (404) if there is none,
    (403) for those who may not read it. Rests on v1 READ_FILE.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.read_file /master/log offset=-500
    """
    _expect(isinstance(path, str) and path.startswith("/"), "path", path, "an absolute path")
    _expect(_is_int(offset), "offset", offset, "a number of bytes")
    _expect(
        _is_int(length) and 0 < length <= 16 * 2**20,
        "length",
        length,
        "a number of bytes from 1 to 16777216",
    )
    client = _server(profile, connection, agent)
    if offset < 0:
        size = _call(client, "READ_FILE", {"path": path, "offset": 0, "length": 1}, "size")["size"]
        offset = max(0, size + offset)
    found = _call(client, "READ_FILE", {"path": path, "offset": offset, "length": length}, "data")
    return {
        "size": found["size"],
        "offset": offset,
        "text": base64.b64decode(found["data"]).decode("utf-8", "replace"),
    }


def api_call(call, payload=None, agent=None, confirm=False, profile=None, **connection):
    """
    Make any call of the v1 operator API: the way out for what has no function here.

    call
        Its type, such as ``GET_OPERATIONS``.

    payload
        What goes with it, a mapping: the member of the call's own name, without that name.

    agent
        Id, host name or URL of an agent. Default: the leading master.

    confirm
        Has to be True for calls that cannot be taken back. REMOVE_QUOTA is one of them: it kills the leading master if the
        role has no quota.

    profile, connection
        Where and how to ask: see ``mesos.connection``.

    Returns the answer as it is, with its ``type``; None where it is empty. Only calls that begin with GET, LIST or READ are
    repeated if there is no answer. Streams (SUBSCRIBE ...) are refused.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.api_call GET_OPERATIONS
        salt-call mesos.api_call READ_FILE '{path: /master/log, offset: 0, length: 100}'
    """
    _expect(
        isinstance(call, str) and re.fullmatch("[A-Z_]+", call),
        "call",
        call,
        "the type of a call, such as GET_OPERATIONS",
    )
    _expect(call not in STREAMS, "call", call, "one with an answer: this one is a stream")
    _expect(payload is None or isinstance(payload, Mapping), "payload", payload, "a mapping")
    if call in IRREVERSIBLE:
        _confirmed(confirm, f"call: {call} {IRREVERSIBLE[call]}")
    read = call.startswith(("GET_", "LIST_", "READ_"))
    payload = {} if payload is None and call == "GET_METRICS" else payload
    answer = _server(profile, connection, agent).request(
        "POST", "/api/v1", body=_body(call, payload), idempotent=read
    )
    return answer.json() if answer.body else None


# --- how it is asked ---


def _server(profile, connection, agent_wanted):
    client = _client(profile, connection)
    return client if agent_wanted is None else _agent_client(client, agent_wanted)


def _body(call, payload=None):
    return {"type": call} if payload is None else {"type": call, call.lower(): payload}


def _call(client, call, payload=None, needed=None):
    """Make a v1 call that reads; returns the member of its answer, empty if there is none, with at least what is needed in it."""
    answer = client.request("POST", "/api/v1", body=_body(call, payload), idempotent=True)
    found = answer.json()
    told = found.get(call.lower(), {})
    if found.get("type") != call or (needed and needed not in told):
        raise answer.error(
            _http_client.HttpError, f"not how Mesos answers {call}: {answer.summary()}"
        )
    return told


def _write(client, call, payload, done):
    """Make a v1 call that changes something; where no answer comes ``done`` tells whether it is done."""
    return client.write("POST", "/api/v1", done, body=_body(call, payload), idempotent=False)


def _older_answer(client, path, params=None):
    """GET one of the older endpoints of the leader, after making sure that it has recovered: before, these show nothing."""
    _call(client, "GET_HEALTH")
    return client.get(path, params=params)


def _older(client, path, params=None):
    return _older_answer(client, path, params).json()


def _version(client):
    """The version of the masters, as numbers, asked anew each time: they may be in the middle of an update."""
    answer = client.get("/version")
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", str(answer.json().get("version")))
    if not match:
        raise answer.error(
            _http_client.HttpError, f"not how a Mesos master answers: {answer.summary()}"
        )
    return tuple(int(part or 0) for part in match.groups())


def _needs(client, version_needed, what):
    found = _version(client)
    if found < version_needed:
        shown = ".".join(map(str, version_needed))
        raise CommandExecutionError(
            f"{what} needs Mesos {shown}; these masters have {'.'.join(map(str, found))}"
        )


# --- arguments ---


def _expect(fits, argument, value, should):
    """Raise SaltInvocationError, with the argument, what it is and what it should be, unless it fits."""
    if not fits:
        raise SaltInvocationError(f"{argument}: {value!r} is not {should}")


def _confirmed(confirm, what):
    if confirm is not True:
        raise SaltInvocationError(f"{what}. If that is meant: confirm=True")


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _role_name(name, argument="role"):
    """Return the name of a role. Raises SaltInvocationError if Mesos would refuse it."""
    fits = isinstance(name, str) and all(
        part
        and part not in (".", "..")
        and not part.startswith("-")
        and not re.search(r"[\s\b]", part)
        for part in name.split("/")
    )
    _expect(fits, argument, name, "the name of a role, such as web or web/frontend")
    return name
