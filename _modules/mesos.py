"""
Query and change a Mesos cluster: its masters and agents. For Mesos 1.0 to 1.11.

Every function takes ``profile`` and settings of the connection, such as ``url`` and ``timeout``:
see ``mesos.connection``. Any master can be queried, since a master that does not lead redirects to
the leader. If ``url`` names several masters, they are tried in turn until one knows the leader.

Unless stated otherwise, a number of ``mem`` or ``disk`` is in MiB.

The functions use the operator API (``POST /api/v1``) where the master has it, and the older
endpoints otherwise. A leader that has not recovered its registry answers the older endpoints with
empty lists; the functions report an error instead of an empty cluster.
"""

import base64
import datetime
import importlib
import math
import re
import time
import urllib.parse
from collections.abc import Mapping

import _agent_info
import _arguments
import _http_client
import _http_settings
import _text
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_text)
importlib.reload(_agent_info)
importlib.reload(_arguments)
importlib.reload(_http_settings)
importlib.reload(_http_client)

DEFAULT_URL = "http://127.0.0.1:5050"
# The settings of connections to agents, in pillar.
AGENT_PROFILE = "agent_api"
TASKS_PER_PAGE = 1000  # the default of the master is 100
NANOSECONDS = 10**9
SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
# Calls that cannot be undone, and their effect.
IRREVERSIBLE = {
    "REMOVE_QUOTA": (
        "kills the leading master if the role has no quota (mesos.remove_quota is safe)"
    ),
    "MARK_AGENT_GONE": "removes an agent permanently",
    "TEARDOWN": "ends a framework and all of its tasks permanently",
    "START_MAINTENANCE": "kills all tasks on the machines",
    "DESTROY_VOLUMES": "destroys data",
    "UPDATE_MAINTENANCE_SCHEDULE": "replaces the schedule of the entire cluster",
}
STREAMING_CALLS = (
    "SUBSCRIBE",
    "ATTACH_CONTAINER_INPUT",
    "ATTACH_CONTAINER_OUTPUT",
    "LAUNCH_NESTED_CONTAINER_SESSION",
)
ACTIVE_TASK_STATES = ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")
SCALAR_RESOURCES = ("cpus", "mem", "disk", "gpus")
VERIFY_TIMEOUT = 10  # seconds until an accepted operation must be visible
POLL_INTERVAL = 0.2
MAX_READ_LENGTH = 16 * 2**20
# A smaller number of nanoseconds since 1970 is probably meant as seconds or milliseconds.
MIN_NANOSECONDS = 10**15
MAX_YEAR = 2262  # the nanoseconds of a part of this year exceed 64 bits
MACHINES_EXPECTED = "a host name, or a list of host names or of {hostname, ip}"


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
    Return the leading master, and whether it has recovered its registry.

    A leader does not serve any request before it has recovered.

    profile, connection
        See ``mesos.connection``.

    Returns a mapping: ``url``, ``host`` and ``port`` of the leader, ``recovered`` (boolean) and
    ``error`` (why it is not known to have recovered, otherwise None).

    Raises CommandExecutionError, with the error of every master, if none of them knows a leader.
    Uses ``GET /redirect``, which needs no authentication, and v1 GET_HEALTH.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.leader
        salt-call mesos.leader url=http://10.0.0.1:5050,http://10.0.0.2:5050
    """
    return _leader(_client(profile, connection))


def _leader(client):
    failures = []
    unrecovered = []
    errors = {}
    for candidate in client.urls:
        try:
            elected = _elected_url(client.for_server(candidate, trusted=True))
        except CommandExecutionError as error:
            failures.append(error)
            continue
        # The address that the leader advertises may not be reachable from this host.
        for url in dict.fromkeys((elected, candidate)):
            if url not in errors:
                master = client.for_server(url, trusted=url == candidate)
                errors[url] = _recovery_error(master)
            if errors[url] is None:
                address = _http_client.server_address(elected)
                return {**address, "url": url, "recovered": True, "error": None}
        address = _http_client.server_address(elected)
        unrecovered.append({**address, "recovered": False, "error": errors[elected]})
    if unrecovered:
        return unrecovered[0]
    raise _http_client.combined_error(failures)


def _elected_url(master):
    """Ask one master for the URL of the leader. No master requires authentication for this."""
    response = master.get("/redirect", allow=(307,))
    url = _http_client.redirect_target(response)
    if url is None:
        raise response.error(
            _http_client.HttpError, f"{response.status} is not the response of a Mesos master"
        )
    return url.rstrip("/")


def _recovery_error(master):
    """
    Return why a master is not known to lead and to have recovered; None if it has.

    The v1 API is closed (503, "Master has not finished recovery") until the leader has read and
    written its registry, in all versions that have this API. Nothing else tells: the older
    endpoints answer 200 with empty lists, ``elected_time`` and the metric ``master/elected`` are
    set at once, and ``registrar/log/recovered`` is about the local replica of the log, which may
    have recovered on a standby, or on a leader without a quorum.
    """
    try:
        response = _get_health(master)
    except CommandExecutionError as error:
        return str(error)
    if response.status == 307:
        return f"POST {response.url}: the server is not the leader"
    return None


def _get_health(master):
    """Send v1 GET_HEALTH to one master. Returns its response, which may be a redirect."""
    body = {"type": "GET_HEALTH"}
    return master.request("POST", "/api/v1", body=body, idempotent=True, allow=(307,))


def masters(profile=None, **connection):
    """
    Return the status of each master: healthy, leading, log recovered.

    profile, connection
        See ``mesos.connection``. Only the masters in ``url`` are queried, so it must name all.

    Returns a list in the order of ``url``, each entry with ``url``, ``healthy`` (boolean),
    ``leader`` (boolean; also True for a leader that has not recovered yet), ``log_recovered``
    and ``error`` (why it is not healthy, or why it knows no leader; otherwise None).

    ``log_recovered`` tells whether the master's own replica of the log has recovered. On a new
    disk it has not, until all masters, or a majority with recovered replicas, are running. It is
    None if the master does not tell.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.masters
        salt-call mesos.masters url=http://10.0.0.1:5050,http://10.0.0.2:5050,http://10.0.0.3:5050
    """
    return list(_masters_by_url(_client(profile, connection)).values())


def _masters_by_url(client):
    def status(url):
        return _master_status(client.for_server(url, trusted=True))

    return _http_client.map_concurrently(status, {url: url for url in client.urls})


def _master_status(master):
    status = {
        "url": master.urls[0],
        "healthy": False,
        "leader": False,
        "log_recovered": None,
        "error": None,
    }
    try:
        master.get("/health")
        status.update(healthy=True, log_recovered=_log_recovered(master))
        status["leader"] = _get_health(master).status == 200
    except _http_client.NoLeader as error:
        is_leader = "not finished recovery" in (error.info["message"] or "")
        status.update(leader=is_leader, error=str(error))
    except CommandExecutionError as error:
        status["error"] = str(error)
    return status


def _log_recovered(master):
    """
    Return whether the local replica of the log has recovered.

    Returns None without a response, and if the registry is not in a replicated log.
    """
    try:
        value = master.get("/metrics/snapshot").json().get("registrar/log/recovered")
    except CommandExecutionError:
        return None
    return bool(value) if value in (0, 1) else None


def quorums(profile=None, **connection):
    """
    Return the quorum of the replicated log that each master runs with.

    profile, connection
        See ``mesos.connection``. Only the masters in ``url`` are queried, so it must name all.

    Returns a mapping of the URL of each master to its flag ``quorum``, a number; None for a master
    that does not respond, or does not tell. Uses ``GET /flags``, since GET_FLAGS of the v1 API
    describes the leader.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.quorums
        salt-call mesos.quorums url=http://10.0.0.1:5050,http://10.0.0.2:5050,http://10.0.0.3:5050
    """
    client = _client(profile, connection)

    def quorum(url):
        return _quorum(client.for_server(url, trusted=True))

    return _http_client.map_concurrently(quorum, {url: url for url in client.urls})


def _quorum(master):
    try:
        content = master.get("/flags").json()
    except CommandExecutionError:
        return None
    values = content.get("flags") if isinstance(content, Mapping) else None
    value = values.get("quorum") if isinstance(values, Mapping) else None
    return int(value) if re.fullmatch("[0-9]+", str(value)) else None


def health(profile=None, **connection):
    """
    Return whether a master responds and has a leader that has recovered.

    profile, connection
        See ``mesos.connection``.

    Returns True or False. It is also False if no master responds; ``mesos.leader`` tells why.
    Raises CommandExecutionError only for wrong credentials, which tell nothing about the cluster.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.health
    """
    return _is_healthy(_client(profile, connection))


def _is_healthy(client):
    try:
        return bool(_call(client, "GET_HEALTH", required="healthy")["healthy"])
    except _http_client.AccessDenied:
        raise
    except CommandExecutionError:
        return False


def version(profile=None, **connection):
    """
    Return version and build of a master.

    profile, connection
        See ``mesos.connection``. The first master in ``url`` that responds describes itself.

    Returns ``version`` (such as ``1.9.0``), ``build_date``, ``build_time`` (seconds since 1970),
    ``build_user`` and, of some builds, ``git_sha`` and ``git_tag``. Raises CommandExecutionError
    if no master responds. Uses ``GET /version``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.version
    """
    return _client(profile, connection).get("/version").json()


def flags(profile=None, **connection):
    """
    Return the flags of the leader, including those that have their default value.

    profile, connection
        See ``mesos.connection``.

    Returns a mapping of flags to values, which are all text (``"true"``, ``"15secs"``). Raises
    CommandExecutionError (403) if the user may not view flags. Uses v1 GET_FLAGS.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.flags
    """
    content = _call(_client(profile, connection), "GET_FLAGS", required="flags")
    values = {flag["name"]: flag.get("value", "") for flag in content["flags"]}
    return dict(sorted(values.items()))


def info(profile=None, **connection):
    """
    Return identity, address and capabilities of the leader.

    profile, connection
        See ``mesos.connection``.

    Returns ``id``, ``hostname``, ``ip``, ``port``, ``pid``, ``version``, ``capabilities`` (a list
    with names such as ``AGENT_DRAINING``), ``start_time`` and ``elected_time`` (seconds since
    1970). Raises CommandExecutionError if no leader responds. Uses v1 GET_MASTER.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.info
    """
    content = _call(_client(profile, connection), "GET_MASTER", required="master_info")
    master = content["master_info"]
    # QUOTA_V2 has no name in this enumeration, and is sent as an empty mapping.
    capabilities = [entry["type"] for entry in master.get("capabilities", []) if "type" in entry]
    return {
        "id": master["id"],
        "hostname": master.get("hostname"),
        "ip": master.get("address", {}).get("ip"),
        "port": master["port"],
        "pid": master.get("pid"),
        "version": master.get("version"),
        "capabilities": capabilities,
        "start_time": content.get("start_time"),
        "elected_time": content.get("elected_time"),
    }


def state(profile=None, **connection):
    """
    Return the complete state of the leader. Large, and expensive for the leader of a big cluster.

    profile, connection
        See ``mesos.connection``.

    Returns the response to ``GET /state``: ``slaves``, ``frameworks`` with their tasks,
    ``completed_frameworks``, ``flags`` and so on. Raises CommandExecutionError if there is no
    leader that has recovered.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.state
    """
    return _get_from_leader(_client(profile, connection), "/state").json()


def state_summary(profile=None, **connection):
    """
    Return agents and frameworks with the number of their tasks in each state.

    profile, connection
        See ``mesos.connection``.

    Returns the response to ``GET /state-summary``: ``hostname``, ``cluster``, ``slaves`` and
    ``frameworks``. ``mesos.summary`` is shorter. Raises CommandExecutionError if there is no
    leader that has recovered.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.state_summary
    """
    return _get_from_leader(_client(profile, connection), "/state-summary").json()


def metrics(names=None, timeout=None, profile=None, **connection):
    """
    Return metrics of the leader.

    names
        A name, a glob such as ``master/tasks_*``, or a list of these. Default: all, about 500.

    timeout
        Seconds after which the leader responds without the metrics that are not available yet.
        Default: no such limit, only the ``timeout`` of the connection (15 seconds).

    profile, connection
        See ``mesos.connection``.

    Returns a mapping of names to numbers, sorted. Raises SaltInvocationError for invalid names.
    Uses v1 GET_METRICS, because a standby master would respond to ``/metrics/snapshot`` as well.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.metrics 'master/slaves_*'
    """
    client = _client(profile, connection)
    payload = {}
    if timeout is not None:
        seconds = _http_settings.check_timeout(timeout)
        payload = {"timeout": {"nanoseconds": int(seconds * NANOSECONDS)}}
    values = _metrics(client, payload)
    if names is None:
        return dict(sorted(values.items()))
    globs = [names] if isinstance(names, str) else names
    is_valid = isinstance(globs, list) and all(isinstance(glob, str) for glob in globs)
    _arguments.require(is_valid, "names", names, "a name, a glob such as master/*, or a list")
    patterns = [re.compile(re.escape(glob).replace(r"\*", ".*")) for glob in globs]
    return {
        name: value
        for name, value in sorted(values.items())
        if any(pattern.fullmatch(name) for pattern in patterns)
    }


def _metrics(client, payload):
    entries = _call(client, "GET_METRICS", payload, "metrics")["metrics"]
    return {entry["name"]: entry.get("value") for entry in entries}


def summary(profile=None, **connection):
    """
    Return a summary of the cluster that fits on one screen.

    profile, connection
        See ``mesos.connection``.

    Returns a mapping:

    * ``leader``: host and port; ``version``.
    * ``masters``: URL to ``leads``, ``stands by`` or its error.
    * ``agents``: how many are ``up``, ``draining``, ``drained``, ``deactivated``, ``down``
      (registered, but disconnected) and ``unreachable``.
    * ``resources``: used and total, such as ``cpus: 3.5 of 16 (22 %)``; mem and disk in MiB.
    * ``frameworks``: name to ``active``, ``inactive`` or ``disconnected``, at most ten.
    * ``tasks``: how many are in each state.

    Raises CommandExecutionError if there is no leader that has recovered. The cost does not depend
    on the number of agents and tasks: v1 GET_METRICS and GET_FRAMEWORKS do not list them. Agents
    are only listed while some are deactivated, to tell which of them drain.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.summary
    """
    client = _client(profile, connection)
    master = _call(client, "GET_MASTER", required="master_info")["master_info"]
    values = {name: value or 0 for name, value in _metrics(client, {}).items()}
    framework_entries = _call(client, "GET_FRAMEWORKS").get("frameworks", [])
    return {
        "leader": f"{master.get('hostname')}:{master['port']}",
        "version": master.get("version"),
        "masters": {
            url: _describe_master(status) for url, status in _masters_by_url(client).items()
        },
        "agents": _agent_counts(client, values),
        "resources": {
            name: _describe_usage(values, name)
            for name in SCALAR_RESOURCES
            if values.get(f"master/{name}_total")
        },
        "frameworks": _text.shorten_list(_framework_statuses(framework_entries)),
        "tasks": _task_counts(values),
    }


def _describe_master(status):
    if status["leader"]:
        return "leads"
    return status["error"] or "stands by"


def _agent_counts(client, metric_values):
    def count(name):
        return int(metric_values.get(f"master/{name}", 0))

    deactivated = count("slaves_connected") - count("slaves_active")
    return {
        "up": count("slaves_active"),
        **_deactivated_counts(client, deactivated),
        "down": count("slaves_disconnected"),
        "unreachable": count("slaves_unreachable"),
    }


def _deactivated_counts(client, total):
    """Return how many of the deactivated agents are draining, drained, or neither."""
    counts = {"draining": 0, "drained": 0, "deactivated": 0}
    if total > 0:
        for entry in _get_from_leader(client, "/state-summary").json()["slaves"]:
            if entry.get("deactivated"):
                drain_state = entry.get("drain_info", {}).get("state", "deactivated")
                counts[drain_state.lower()] += 1
    return counts


def _task_counts(metric_values):
    prefix = "master/tasks_"
    return {
        name[len(prefix) :]: int(value)
        for name, value in sorted(metric_values.items())
        if name.startswith(prefix) and value
    }


def _describe_usage(metric_values, name):
    used = metric_values.get(f"master/{name}_used", 0)
    total = metric_values[f"master/{name}_total"]
    percentage = round(100 * used / total)
    return f"{_format_number(used)} of {_format_number(total)} ({percentage} %)"


def _format_number(number):
    return f"{round(number, 3):g}" if abs(number) < 10**6 else f"{number:.0f}"


def _framework_statuses(entries):
    """Map name to active, inactive or disconnected. A repeated name gets its id appended."""
    statuses = {}
    for entry in sorted(entries, key=lambda entry: entry["framework_info"]["name"]):
        framework_info = entry["framework_info"]
        name = framework_info["name"]
        if name in statuses:
            name = f"{name} ({framework_info['id']['value']})"
        statuses[name] = _framework_status(entry)
    return statuses


def _framework_status(entry):
    if entry.get("active"):
        return "active"
    return "inactive" if entry.get("connected") else "disconnected"


def masters_without_credentials(profile=None, **connection):
    """
    List the masters that run without the flag ``credentials``.

    Such a master refuses every agent and framework that sends credentials, and these exit.

    profile, connection
        See ``mesos.connection``. Only the masters in ``url`` are queried, so it must name all.

    Returns a list of URLs, in the order of ``url``. A master that does not respond is not in it,
    nor one that demands credentials from this user. Uses ``GET /flags``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.masters_without_credentials
    """
    client = _client(profile, connection)

    def lacks_credentials(url):
        try:
            flag_values = _v0_flags(client.for_server(url, trusted=True))
        except CommandExecutionError:
            return False
        return not flag_values.get("credentials")

    urls = {url: url for url in client.urls}
    lacks_by_url = _http_client.map_concurrently(lacks_credentials, urls)
    return [url for url in client.urls if lacks_by_url[url]]


def _v0_flags(server):
    values = server.get("/flags").json().get("flags")
    return values if isinstance(values, Mapping) else {}


def peers_without_credentials(agents=True, frameworks=True, profile=None, **connection):
    """
    List the agents and frameworks that would be refused if the masters demanded credentials.

    agents, frameworks
        Booleans: whether to look at these. Default True.

    profile, connection
        See ``mesos.agent_health``.

    Returns a mapping: ``agents``, host names of active agents that run without the flag
    ``credential``, each with a sentence why they would be refused; and ``frameworks``, names of
    active frameworks that have no principal. Nothing is listed that the leader already demands. All
    is empty if no master leads. Raises CommandExecutionError if the leader gives no answer, for
    example to wrong credentials. Asks each agent: ``GET /flags``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.peers_without_credentials
    """
    peers = {"agents": {}, "frameworks": []}
    client = _client(profile, connection)
    try:
        leader_flags = flags(profile=profile, **connection)
    except (_http_client.NoLeader, _http_client.Unreachable):
        return peers
    if agents and leader_flags.get("authenticate_agents") != "true":
        peers["agents"] = _agents_without_credential(client, profile, connection)
    if frameworks and leader_flags.get("authenticate_frameworks") != "true":
        for entry in _frameworks(client):
            if entry["active"] and not entry["principal"]:
                peers["frameworks"].append(entry["name"])
    return peers


def _agents_without_credential(client, profile, connection):
    agents_client, is_for_agents = _agents_client(client, profile, connection)
    clients = {
        entry["hostname"]: agents_client.for_server(_agent_url(client, entry), is_for_agents)
        for entry in _agents(client)
        if entry["active"]
    }
    errors = _http_client.map_concurrently(_credential_error, clients)
    return {hostname: sentence for hostname, sentence in sorted(errors.items()) if sentence}


def _credential_error(agent):
    """Return why an agent would not authenticate, as one sentence; None if it would."""
    try:
        return None if _v0_flags(agent).get("credential") else "it has no credential"
    except CommandExecutionError as error:
        return f"its flags are not known: {_text.first_line(str(error))}"


# --- agents ---


def agents(active=None, hostname=None, attributes=None, profile=None, **connection):
    """
    List the agents that are registered at the leader.

    active
        True: only agents that offer resources. False: only those that do not. Default: all.

    hostname
        Only agents with this host name, text. Case does not matter. Default: all.

    attributes
        Only agents with these attributes, a mapping such as ``{rack: r1}``. Default: all.

    profile, connection
        See ``mesos.connection``.

    Returns a list sorted by host name, each entry with ``id``, ``hostname``, ``ip``, ``port``,
    ``active``, ``deactivated`` (by an operator, Mesos 1.9), ``drain`` (``DRAINING``, ``DRAINED``
    or None), ``mark_gone`` (removed permanently once it is drained), ``recovered`` (in the
    registry, but has not reregistered since the leader changed), ``version``, ``attributes``,
    ``resources`` and ``used`` (cpus; mem and disk in MiB). It does not contain unreachable agents.

    Raises CommandExecutionError if there is no leader that has recovered; before that, a leader
    would report no agents. Uses ``GET /slaves``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agents active=True
        salt-call mesos.agents attributes='{rack: r1}'
    """
    _arguments.require(active in (None, True, False), "active", active, "True, False or omitted")
    is_valid = attributes is None or isinstance(attributes, Mapping)
    _arguments.require(is_valid, "attributes", attributes, "a mapping such as {rack: r1}")
    required = {str(name): str(value) for name, value in (attributes or {}).items()}

    def matches(agent):
        if active not in (None, agent["active"]):
            return False
        if hostname is not None and agent["hostname"].lower() != str(hostname).lower():
            return False
        texts = {name: _attribute_text(value) for name, value in agent["attributes"].items()}
        return required.items() <= texts.items()

    return [agent for agent in _agents(_client(profile, connection)) if matches(agent)]


def _attribute_text(value):
    return _format_number(value) if isinstance(value, float) else str(value)


def _agents(client):
    response = _get_from_leader(client, "/slaves")
    content = response.json()
    try:
        agents = [_agent(entry, False) for entry in content["slaves"]]
        agents += [_agent(entry, True) for entry in content.get("recovered_slaves", [])]
    except (AttributeError, KeyError, TypeError):
        raise _unexpected_response(response, "GET /slaves") from None
    return sorted(agents, key=lambda agent: (agent["hostname"], agent["id"]))


def _agent(entry, recovered):
    drain = entry.get("drain_info", {})
    return {
        "id": entry["id"],
        "hostname": entry["hostname"],
        "ip": entry["pid"].partition("@")[2].rpartition(":")[0] if "pid" in entry else None,
        "port": entry.get("port"),
        "active": entry.get("active", False) and not recovered,
        "deactivated": entry.get("deactivated", False),
        "drain": drain.get("state"),
        "mark_gone": drain.get("config", {}).get("mark_gone", False),
        "recovered": recovered,
        "version": entry.get("version"),
        "attributes": entry.get("attributes", {}),
        "resources": entry.get("resources", {}),
        "used": entry.get("used_resources", {}),
    }


def agent(agent, profile=None, **connection):
    """
    Return one agent.

    agent
        Id or host name of the agent, text. Case of the host name does not matter.

    profile, connection
        See ``mesos.connection``.

    Returns its entry in the list of ``mesos.agents``. Raises CommandExecutionError, with the host
    names that exist, if there is no such agent; with the ids, if several have this host name.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agent lxb001.devops.test
    """
    return _find_agent(_client(profile, connection), agent)


def _find_agent(client, name):
    is_valid = isinstance(name, str) and name
    _arguments.require(is_valid, "agent", name, "the id or the host name of an agent")
    agents = _agents(client)
    matches = [
        agent
        for agent in agents
        if name == agent["id"] or name.lower() == agent["hostname"].lower()
    ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise _ambiguous("agent", name, matches)
    names = _describe_available([agent["hostname"] for agent in agents])
    raise CommandExecutionError(f"agent: there is no agent {name}. {names}")


def _ambiguous(argument, name, matches):
    ids = ", ".join(match["id"] for match in matches)
    return CommandExecutionError(
        f"{argument}: {len(matches)} {argument}s are called {name}. Use an id: {ids}"
    )


def _describe_available(names):
    if not names:
        return "There are none"
    ellipsis = " ..." if len(names) > 10 else ""
    return f"Known: {', '.join(sorted(names)[:10])}{ellipsis}"


def _agent_client(profile, connection, agent):
    """
    Return a client for an agent, given by id, host name or URL.

    Credentials are only sent if the caller specified the URL, if ``redirect_hosts`` permits it, or
    if pillar has some for agents.
    """
    client = _client(profile, connection)
    is_url = isinstance(agent, str) and "://" in agent
    url = agent if is_url else _agent_url(client, _find_agent(client, agent))
    agents_client, is_for_agents = _agents_client(client, profile, connection)
    return agents_client.for_server(url, trusted=is_url or is_for_agents)


def _agents_client(client, profile, connection):
    """Return a client for agents, and whether its credentials are those for agents."""
    section = __salt__["config.get"](f"mesos:{AGENT_PROFILE}", default=None, omit_grains=True)
    if profile is not None or not isinstance(section, Mapping) or not section:
        return client, False
    settings = {**connection, "url": client.urls}
    agents_client = _http_client.Client(
        "mesos", DEFAULT_URL, __salt__, __context__, AGENT_PROFILE, settings
    )
    return agents_client, True


def _agent_url(client, entry):
    """Return the URL of an agent in the list of agents."""
    scheme = urllib.parse.urlsplit(client.urls[0]).scheme
    # A certificate is issued for a name. Without TLS use the address, which needs no DNS.
    use_name = scheme == "https" or not entry["ip"]
    host = entry["hostname"] if use_name else entry["ip"]
    return f"{scheme}://{host}:{entry['port']}"


def agent_health(agent, profile=None, **connection):
    """
    Return whether an agent responds and has recovered.

    agent
        Id, host name or URL of the agent, text.

    profile, connection
        See ``mesos.connection``. Agents get the credentials in ``mesos:agent_api``, by default.
        Without these, or with ``profile``, they get those of the masters, and only an agent whose
        URL is the argument ``agent``, or which ``redirect_hosts`` names.

    Returns True or False. It is also False if the agent does not respond. Raises
    CommandExecutionError if there is no such agent, and for wrong credentials.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agent_health lxb001.devops.test
    """
    return _is_healthy(_agent_client(profile, connection, agent))


def agent_state(agent, profile=None, **connection):
    """
    Return the complete state of an agent.

    agent, profile, connection
        See ``mesos.agent_health``.

    Returns the response to its ``GET /state``: ``id``, ``resources``, ``frameworks`` with executors
    and tasks, ``flags`` and so on. Raises CommandExecutionError if there is no such agent or it
    does not respond.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agent_state lxb001.devops.test
    """
    return _agent_client(profile, connection, agent).get("/state").json()


def agent_containers(agent, profile=None, **connection):
    """
    List the containers that run on an agent.

    agent, profile, connection
        See ``mesos.agent_health``.

    Returns the response to its ``GET /containers``, a list: ``container_id``, ``executor_id``,
    ``framework_id``, ``statistics``, ``status``. Raises CommandExecutionError if there is no such
    agent or it does not respond.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agent_containers lxb001.devops.test
    """
    return _agent_client(profile, connection, agent).get("/containers").json(list)


def agent_statistics(agent, profile=None, **connection):
    """
    Return the resource usage of the executors on an agent.

    agent, profile, connection
        See ``mesos.agent_health``.

    Returns the response to its ``GET /monitor/statistics``, a list; memory in bytes, times in
    seconds. Raises CommandExecutionError if there is no such agent or it does not respond.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agent_statistics lxb001.devops.test
    """
    return _agent_client(profile, connection, agent).get("/monitor/statistics").json(list)


def agent_flags(agent, profile=None, **connection):
    """
    Return the flags of an agent.

    agent, profile, connection
        See ``mesos.agent_health``.

    Returns a mapping of flags to values, which are all text. Raises CommandExecutionError if there
    is no such agent or it does not respond. Uses its ``GET /flags``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agent_flags lxb001.devops.test
    """
    return _agent_client(profile, connection, agent).get("/flags").json()["flags"]


def agent_metrics(agent, profile=None, **connection):
    """
    Return the metrics of an agent.

    agent, profile, connection
        See ``mesos.agent_health``.

    Returns a mapping of names to numbers, sorted. Raises CommandExecutionError if there is no such
    agent or it does not respond. Uses its ``GET /metrics/snapshot``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agent_metrics lxb001.devops.test
    """
    values = _agent_client(profile, connection, agent).get("/metrics/snapshot").json()
    return dict(sorted(values.items()))


# --- what an agent has checkpointed ---


def agent_checkpoint(work_dir="/var/lib/mesos"):
    """
    Return what the agent of this host has checkpointed about itself.

    At each start an agent compares its flags with this, and refuses to start if they differ. It is
    written when the agent registers under a new id, and never after that.

    work_dir
        Work directory of the agent, default ``/var/lib/mesos``.

    Returns a mapping: ``id``, ``hostname``, ``port``, ``domain`` (``region`` and ``zone``, or
    None), ``attributes`` and ``resources`` (mappings of names to text; a resource of a role is
    called ``cpus(web)``). None if the agent has never registered. Raises CommandExecutionError if
    the file cannot be read. Reads ``meta/slaves/latest/slave.info``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.agent_checkpoint
        salt-call mesos.agent_checkpoint /srv/mesos
    """
    try:
        checkpoint = _agent_info.read(work_dir)
    except _agent_info.Unreadable as error:
        raise CommandExecutionError(str(error)) from None
    return checkpoint and _agent_info.as_text(checkpoint)


def diff_agent(
    work_dir="/var/lib/mesos",
    attributes=None,
    resources=None,
    hostname=None,
    port=None,
    domain=None,
    default_role=None,
    reconfiguration_policy=None,
    version=None,
    agent=None,
    profile=None,
    **connection,
):
    """
    Return the differences that would keep the agent of this host from starting with these flags.

    work_dir
        Work directory of the agent, default ``/var/lib/mesos``.

    attributes, resources, domain, default_role, reconfiguration_policy
        Flags of the agent, text as on its command line. Default None: the flag is not set.

    hostname, port
        Host name and port that the agent advertises. Default None: the agent looks up its host
        name, which is then not compared, and the port is 5051.

    version
        Version of Mesos that would be started, such as ``1.9.0``. Before 1.5 everything must be
        equal. Default None: 1.5 or later.

    agent
        URL of the agent on this host, which is asked for its flags if its checkpoint cannot be
        read. Default ``http://127.0.0.1:5051``.

    profile, connection
        See ``mesos.connection``.

    Returns a mapping:

    * ``id`` of the agent, None before its first registration
    * ``policy``: ``equal`` or ``additive``
    * ``changes``: the differences that the policy does not permit, ``{path: {"old": ..., "new":
      ...}}`` with paths such as ``attributes/rack`` and ``resources/cpus``
    * ``not_compared``: what the agent determines itself, name -> text in the checkpoint
    * ``rebooted``: whether the host has rebooted since the agent last started. The agent would then
      register as a new agent, and not refuse to start
    * ``guess``: why the flags of the running agent were compared instead of the checkpoint,
      otherwise None

    Raises SaltInvocationError for flags that Mesos does not accept; CommandExecutionError if
    neither the checkpoint nor the running agent can be read.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.diff_agent attributes='rack:r2' reconfiguration_policy=additive
        salt-call mesos.diff_agent /srv/mesos resources='cpus:4;mem:8192'
    """
    for argument, text in (
        ("attributes", attributes),
        ("resources", resources),
        ("domain", domain),
    ):
        is_valid = text is None or isinstance(text, str)
        _arguments.require(is_valid, argument, text, "text, as on the agent's command line")
    try:
        policy = _agent_info.effective_policy(version, reconfiguration_policy)
        flags = _agent_info.declared(attributes, resources, hostname, port, domain, default_role)
    except ValueError as error:
        raise SaltInvocationError(str(error)) from None
    guess = None
    try:
        checkpoint = _agent_info.read(work_dir)
    except _agent_info.Unreadable as error:
        guess = str(error)
        url = agent or f"http://127.0.0.1:{_agent_info.DEFAULT_PORT}"
        checkpoint = _declared_by_running_agent(url, guess, profile, connection)
    if checkpoint is None:
        changes, not_compared = {}, {}
    else:
        changes = _agent_info.differences(checkpoint, flags, policy)
        not_compared = _agent_info.uncompared(checkpoint, flags)
    return {
        "id": checkpoint and checkpoint["id"],
        "policy": policy,
        "changes": changes,
        "not_compared": not_compared,
        "rebooted": _agent_info.has_rebooted(work_dir),
        "guess": guess,
    }


def _declared_by_running_agent(url, reason, profile, connection):
    """
    Return what the running agent is, according to its flags.

    That may differ from its checkpoint, which has none of what was added since the agent
    registered.
    """
    try:
        state = agent_state(url, profile=profile, **connection)
        flags = state["flags"]
        running = _agent_info.declared(
            flags.get("attributes"),
            flags.get("resources"),
            state["hostname"],
            state["pid"].rpartition(":")[2],
            flags.get("domain"),
            flags.get("default_role"),
        )
        _agent_info.add_detected(running, state["resources"])
    except (CommandExecutionError, KeyError, ValueError) as error:
        raise CommandExecutionError(
            f"{reason}, and the running agent did not report it: {error}"
        ) from None
    return {**running, "id": state["id"] or None}


# --- frameworks and tasks ---


def frameworks(active=None, name=None, completed=False, profile=None, **connection):
    """
    List the frameworks.

    active
        True: only frameworks that are connected and receive offers. False: only those that are
        not. Default: all.

    name
        Only frameworks with this name, text. Default: all.

    completed
        Boolean: whether to include frameworks that have ended. Default False.

    profile, connection
        See ``mesos.connection``.

    Returns a list sorted by name, each entry with ``id``, ``name``, ``active``, ``connected``,
    ``completed``, ``user``, ``roles``, ``hostname``, ``webui_url``, ``principal``,
    ``failover_timeout`` (seconds), ``checkpoint`` and ``resources`` (allocated: cpus; mem and disk
    in MiB). It is empty if the user may not view frameworks. Raises CommandExecutionError if there
    is no leader that has recovered. Uses v1 GET_FRAMEWORKS.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.frameworks active=True
    """

    def matches(framework):
        if active not in (None, framework["active"]) or name not in (None, framework["name"]):
            return False
        return completed or not framework["completed"]

    return [entry for entry in _frameworks(_client(profile, connection)) if matches(entry)]


def _frameworks(client):
    content = _call(client, "GET_FRAMEWORKS")
    entries = [_framework(entry, False) for entry in content.get("frameworks", [])]
    entries += [_framework(entry, True) for entry in content.get("completed_frameworks", [])]
    return sorted(entries, key=lambda entry: (entry["name"], entry["id"]))


def _framework(entry, completed):
    framework_info = entry["framework_info"]
    allocated = {}
    for resource in entry.get("allocated_resources", []):
        if "scalar" in resource:
            _add_amount(allocated, resource["name"], resource["scalar"]["value"])
    return {
        "id": framework_info["id"]["value"],
        "name": framework_info["name"],
        "active": entry.get("active", False),
        "connected": entry.get("connected", False),
        "completed": completed,
        "user": framework_info.get("user"),
        "roles": framework_info.get("roles") or [framework_info.get("role", "*")],
        "hostname": framework_info.get("hostname"),
        "webui_url": framework_info.get("webui_url"),
        "principal": framework_info.get("principal"),
        "failover_timeout": framework_info.get("failover_timeout", 0.0),
        "checkpoint": framework_info.get("checkpoint", False),
        "resources": allocated,
    }


def _add_amount(amounts, name, value):
    """Add to an amount, rounded to thousandths as in Mesos."""
    amounts[name] = round(amounts.get(name, 0) + value, 3)


def framework(framework, profile=None, **connection):
    """
    Return one framework.

    framework
        Id of the framework, or its name, text. One that has ended is only found by its id.

    profile, connection
        See ``mesos.connection``.

    Returns its entry in the list of ``mesos.frameworks``. Raises CommandExecutionError, with the
    names that exist, if there is no such framework; with the ids, if several have this name.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.framework marathon
    """
    return _find_framework(_client(profile, connection), framework)


def _find_framework(client, name):
    is_valid = isinstance(name, str) and name
    _arguments.require(is_valid, "framework", name, "the id or the name of a framework")
    entries = _frameworks(client)
    running = [entry for entry in entries if not entry["completed"]]
    matches = [entry for entry in entries if name == entry["id"]]
    matches += [entry for entry in running if name == entry["name"] != entry["id"]]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise _ambiguous("framework", name, matches)
    names = _describe_available([entry["name"] for entry in running])
    raise CommandExecutionError(f"framework: there is no framework {name}. {names}")


def tasks(framework=None, state=None, limit=None, profile=None, **connection):
    """
    List tasks, including those that have ended, oldest first.

    framework
        Only tasks of this framework: its id or name, text. Default: all.

    state
        Only tasks in this state, such as ``TASK_RUNNING`` or ``running``. Default: all.

    limit
        Maximum number of tasks, an integer. Default: all. They are read in pages of 1,000.

    profile, connection
        See ``mesos.connection``.

    Returns a list, each entry with ``id``, ``name``, ``framework_id``, ``agent_id``, ``state``,
    ``role``, ``resources`` (cpus; mem and disk in MiB), ``healthy`` (None without health checks),
    ``started`` and ``changed`` (seconds since 1970), and ``message`` of the latest status, if
    there is one. Raises SaltInvocationError for an invalid limit, CommandExecutionError if there is
    no such framework. Uses ``GET /tasks``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.tasks framework=marathon state=running
    """
    is_valid = limit is None or (_is_int(limit) and limit > 0)
    _arguments.require(is_valid, "limit", limit, "a number of tasks, 1 or more")
    client = _client(profile, connection)
    framework_id = _find_framework(client, framework)["id"] if framework else None
    task_state = None if state is None else _task_state(state)
    params = {"limit": TASKS_PER_PAGE, "order": "asc", "framework_id": framework_id}
    entries = {}
    offset = 0
    while True:
        page = _get_from_leader(client, "/tasks", {**params, "offset": offset}).json()["tasks"]
        for entry in page:
            if task_state in (None, entry["state"]):
                entries[entry["framework_id"], entry["id"]] = _task(entry)
        # New tasks are appended at the end, so none is missed between two pages.
        offset += len(page)
        if len(page) < TASKS_PER_PAGE or (limit and len(entries) >= limit):
            return list(entries.values())[:limit]


def _task_state(name):
    """Return the full name of a task state: ``running`` becomes ``TASK_RUNNING``."""
    upper = str(name).upper()
    return upper if upper.startswith("TASK_") else f"TASK_{upper}"


def _task(entry):
    statuses = entry.get("statuses") or [{}]
    return {
        "id": entry["id"],
        "name": entry["name"],
        "framework_id": entry["framework_id"],
        "agent_id": entry["slave_id"],
        "state": entry["state"],
        "role": entry.get("role"),
        "resources": entry.get("resources", {}),
        "healthy": statuses[-1].get("healthy"),
        "started": statuses[0].get("timestamp"),
        "changed": statuses[-1].get("timestamp"),
        "message": statuses[-1].get("message"),
    }


def teardown_framework(framework, confirm=False, profile=None, **connection):
    """
    End a framework permanently: its tasks are killed, and its scheduler can never reregister.

    framework
        Id of the framework, or its name if only one has it, text.

    confirm
        Must be True. Default False.

    profile, connection
        See ``mesos.connection``.

    Returns the framework as it was, as ``mesos.framework``. Raises SaltInvocationError without
    ``confirm``; CommandExecutionError if there is no such framework or it has already ended. Uses
    v1 TEARDOWN, before Mesos 1.5 ``POST /teardown``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.teardown_framework marathon confirm=True
    """
    client = _client(profile, connection)
    entry = _find_framework(client, framework)
    framework_id = entry["id"]
    if entry["completed"]:
        raise CommandExecutionError(f"framework: {framework} has already ended")
    _require_confirmation(
        confirm,
        f"framework: {entry['name']} ({framework_id}) and all of its tasks would end permanently",
    )

    def is_done():
        return any(
            candidate["id"] == framework_id and candidate["completed"]
            for candidate in _frameworks(client)
        )

    if _version(client) >= (1, 5):
        _write(client, "TEARDOWN", {"framework_id": {"value": framework_id}}, is_done)
    else:
        client.write("POST", "/teardown", is_done, form={"frameworkId": framework_id})
    return entry


# --- roles, weights, quota ---


def roles(profile=None, **connection):
    """
    Return the roles that have a framework, a weight, a quota or a reservation.

    profile, connection
        See ``mesos.connection``.

    Returns a mapping of roles to ``weight``, ``guarantees``, ``limits``, ``consumed`` (what counts
    against the quota), ``allocated``, ``reserved`` (cpus; mem and disk in MiB) and ``frameworks``
    (ids). Before Mesos 1.9 ``limits``, ``consumed``, ``allocated`` and ``reserved`` are empty.
    Raises CommandExecutionError if there is no leader that has recovered. Uses ``GET /roles``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.roles
    """
    content = _get_from_leader(_client(profile, connection), "/roles").json()
    entries = {entry["name"]: _role(entry) for entry in content.get("roles", [])}
    return dict(sorted(entries.items()))


def _role(entry):
    quota = entry.get("quota", {})
    return {
        "weight": entry.get("weight", 1.0),
        "guarantees": quota.get("guarantee", {}),
        "limits": quota.get("limit", {}),
        "consumed": quota.get("consumed", {}),
        "allocated": entry.get("allocated", {}),
        "reserved": entry.get("reserved", {}),
        "frameworks": entry.get("frameworks", []),
    }


def role(role, profile=None, **connection):
    """
    Return one role.

    role
        Name of the role, text, such as ``web``.

    profile, connection
        See ``mesos.connection``.

    Returns its entry in the mapping of ``mesos.roles``. Raises CommandExecutionError if the leader
    does not know the role.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.role web
    """
    entries = roles(profile, **connection)
    if role not in entries:
        names = _describe_available(list(entries))
        raise CommandExecutionError(f"role: the leader does not know the role {role}. {names}")
    return entries[role]


def weights(profile=None, **connection):
    """
    Return the weights of the roles that have one. All other roles have the weight 1.0.

    profile, connection
        See ``mesos.connection``.

    Returns a mapping of roles to numbers, without the roles that the user may not view. Raises
    CommandExecutionError if there is no leader that has recovered. Uses v1 GET_WEIGHTS.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.weights
    """
    return _weights(_client(profile, connection))


def _weights(client):
    entries = _call(client, "GET_WEIGHTS").get("weight_infos", [])
    by_role = {entry["role"]: float(entry["weight"]) for entry in entries}
    return dict(sorted(by_role.items()))


def weight(role, profile=None, **connection):
    """
    Return the weight of a role.

    role
        Name of the role, text, such as ``web``.

    profile, connection
        See ``mesos.connection``.

    Returns a number, 1.0 if the role has no weight. Raises SaltInvocationError for an invalid name.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.weight web
    """
    return _weights(_client(profile, connection)).get(_check_role(role), 1.0)


def set_weights(weights, profile=None, **connection):
    """
    Set the weights of some roles. All other roles keep theirs.

    A weight cannot be removed. Set it to 1.0, which is the same as no weight.

    weights
        Mapping of roles to numbers above 0, such as ``{web: 2, batch: 0.5}``.

    profile, connection
        See ``mesos.connection``.

    Returns all weights, as ``mesos.weights``. Raises SaltInvocationError for invalid weights,
    CommandExecutionError if the leader rejects them. Uses v1 UPDATE_WEIGHTS.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.set_weights '{web: 2, batch: 0.5}'
    """
    desired = _check_weights(weights)
    client = _client(profile, connection)
    infos = [{"role": name, "weight": value} for name, value in desired.items()]

    def is_done():
        return desired.items() <= _weights(client).items()

    _write(client, "UPDATE_WEIGHTS", {"weight_infos": infos}, is_done)
    return _weights(client)


def _check_weights(weights):
    """Return weights as floats by role. Raises SaltInvocationError if they are not valid."""
    is_valid = isinstance(weights, Mapping) and weights
    _arguments.require(
        is_valid, "weights", weights, "a mapping of roles to numbers, such as {web: 2}"
    )
    for name, value in weights.items():
        _check_role(name, "weights")
        is_valid = _is_number(value) and value > 0
        _arguments.require(is_valid, f"weights: {name}", value, "a number above 0")
    return {name: float(value) for name, value in weights.items()}


def diff_weights(weights, profile=None, **connection):
    """
    Return which weights ``mesos.set_weights`` would change. Changes nothing.

    weights
        See ``mesos.set_weights``.

    profile, connection
        See ``mesos.connection``.

    Returns a mapping of paths to ``old`` and ``new``, such as ``{/web: {old: 1.0, new: 2.0}}``;
    empty if nothing would change. Raises SaltInvocationError for invalid weights.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.diff_weights '{web: 2, batch: 0.5}'
    """
    desired = _check_weights(weights)
    current = _weights(_client(profile, connection))
    return {
        f"/{name}": {"old": current.get(name, 1.0), "new": value}
        for name, value in desired.items()
        if current.get(name, 1.0) != value
    }


def quotas(profile=None, **connection):
    """
    Return the quota of each role that has one.

    profile, connection
        See ``mesos.connection``.

    Returns a mapping of roles to ``guarantees`` and ``limits`` (cpus; mem and disk in MiB). Before
    Mesos 1.9 there are only guarantees. It does not contain roles whose quota was reset, which the
    leader lists until a failover. Raises CommandExecutionError if there is no leader that has
    recovered. Uses v1 GET_QUOTA.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.quotas
    """
    return _quotas(_client(profile, connection))


def _quotas(client):
    status = _call(client, "GET_QUOTA").get("status", {})
    by_role = {}
    for entry in status.get("infos", []):
        guarantees = {
            resource["name"]: float(resource["scalar"]["value"])
            for resource in entry.get("guarantee", [])
        }
        by_role[entry["role"]] = {"guarantees": guarantees, "limits": {}}
    for entry in status.get("configs", []):
        by_role[entry["role"]] = {
            kind: _scalar_values(entry.get(kind, {})) for kind in ("guarantees", "limits")
        }
    return {
        role: quota
        for role, quota in sorted(by_role.items())
        if quota["guarantees"] or quota["limits"]
    }


def _scalar_values(scalars):
    return {name: float(scalar["value"]) for name, scalar in sorted(scalars.items())}


def _quota(client, role):
    return _quotas(client).get(role, {"guarantees": {}, "limits": {}})


def quota(role, profile=None, **connection):
    """
    Return the quota of a role.

    role
        Name of the role, text, such as ``web``.

    profile, connection
        See ``mesos.connection``.

    Returns ``guarantees`` and ``limits`` (cpus; mem and disk in MiB), both empty without a quota.
    Raises SaltInvocationError for an invalid name.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.quota web
    """
    return _quota(_client(profile, connection), _check_role(role))


def set_quota(role, limits=None, guarantees=None, force=False, profile=None, **connection):
    """
    Set the quota of a role.

    role
        Name of the role, text, such as ``web``. Nested roles (``a/b``) have no quota of their own.

    limits, guarantees
        Mappings of scalar resources to numbers, such as ``{cpus: 8, mem: 16384}``; mem and disk in
        MiB. At least one of the two is needed. The other one does not change; ``{}`` removes it. A
        limit of 0 means that the role gets nothing of the resource; a guarantee of 0 is no
        guarantee. Limits need Mesos 1.9.

    force
        Boolean: whether the leader accepts guarantees above the capacity of the cluster, and limits
        below what the role already uses. Default False.

    profile, connection
        See ``mesos.connection``.

    Returns the quota, as ``mesos.quota``. Raises SaltInvocationError for invalid arguments,
    CommandExecutionError if the leader rejects the quota.

    Uses v1 UPDATE_QUOTA. Before Mesos 1.9 a quota cannot be changed: it is removed and set again,
    and the role has none in between. If the new quota is rejected, the role gets the previous one.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.set_quota web limits='{cpus: 2, mem: 2048}'
        salt-call mesos.set_quota batch guarantees='{cpus: 0.5}'
    """
    client = _client(profile, connection)
    current, desired = _check_quota(client, role, limits, guarantees)
    # Limits have been checked to be supported.
    if desired["limits"] or _version(client) >= (1, 9):
        _update_quota(client, role, desired, force)
    else:
        _replace_guarantees(client, role, current["guarantees"], desired["guarantees"], force)
    return _quota(client, role)


def _check_quota(client, role, limits, guarantees):
    """
    Return the current and the desired quota of a role.

    UPDATE_QUOTA replaces both limits and guarantees, so the omitted one is the current one. Raises
    SaltInvocationError for invalid arguments, CommandExecutionError for limits before Mesos 1.9.
    """
    _check_role(role)
    _arguments.require(
        "/" not in role, "role", role, "a top-level role: nested roles have no quota of their own"
    )
    _arguments.require(
        limits is not None or guarantees is not None,
        "limits",
        limits,
        "a mapping such as {cpus: 8}, unless there are guarantees",
    )
    declared = {
        "guarantees": _check_amounts("guarantees", guarantees),
        "limits": _check_amounts("limits", limits),
    }
    current = _quota(client, role)
    desired = {
        kind: current[kind] if amounts is None else amounts for kind, amounts in declared.items()
    }
    for name, value in desired["guarantees"].items():
        limit = desired["limits"].get(name, value)
        _arguments.require(
            value <= limit,
            f"guarantees: {name}",
            value,
            f"at most the limit, {_format_number(limit)}",
        )
    if desired["limits"] and _version(client) < (1, 9):
        raise CommandExecutionError(
            "limits: this needs Mesos 1.9, and the leader is older. Use guarantees instead"
        )
    return current, desired


def _update_quota(client, role, desired, force):
    config = {"role": role}
    for kind, amounts in desired.items():
        if amounts:
            config[kind] = {name: {"value": value} for name, value in amounts.items()}

    def is_done():
        return _quotas(client).get(role) == _without_zero_guarantees(desired)

    payload = {"force": bool(force), "quota_configs": [config]}
    _write(client, "UPDATE_QUOTA", payload, is_done)


def _without_zero_guarantees(quota):
    guarantees = {name: value for name, value in quota["guarantees"].items() if value}
    return {"guarantees": guarantees, "limits": quota["limits"]}


def _replace_guarantees(client, role, current, desired, force):
    """
    Set guarantees with the requests of Mesos before 1.9, which can only add and remove a quota.

    Restores the current guarantees if the leader rejects the desired ones.
    """

    def add(guarantees, force):
        resources = [_scalar(name, value) for name, value in guarantees.items()]

        def is_done():
            return _quota(client, role)["guarantees"] == guarantees

        body = {"role": role, "force": bool(force), "guarantee": resources}
        client.write("POST", "/quota", is_done, body=body)

    if current:
        _delete_quota(client, role)
    if not desired:
        return
    try:
        add(desired, force)
    except CommandExecutionError as error:
        if current:
            try:
                add(current, True)
            except CommandExecutionError as restore_error:
                raise CommandExecutionError(
                    f"{error}; and the previous quota of {role} could not be restored: "
                    f"{restore_error}"
                ) from None
        raise


def _delete_quota(client, role):
    path = f"/quota/{_http_client.quote(role)}"
    client.write("DELETE", path, lambda: role not in _quotas(client))


def _scalar(name, value):
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}}


def diff_quota(role, limits=None, guarantees=None, profile=None, **connection):
    """
    Return what ``mesos.set_quota`` would change. Changes nothing.

    role, limits, guarantees
        See ``mesos.set_quota``.

    profile, connection
        See ``mesos.connection``.

    Returns a mapping of paths to ``old`` and ``new``, such as
    ``{/limits/cpus: {old: 1.0, new: 2.0}}``; empty if nothing would change. Mesos counts in
    thousandths, so smaller differences are ignored. Raises what ``mesos.set_quota`` raises for
    invalid arguments.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.diff_quota web limits='{cpus: 2, mem: 2048}'
    """
    client = _client(profile, connection)
    current, desired = _check_quota(client, role, limits, guarantees)
    current = _without_zero_guarantees(current)
    desired = _without_zero_guarantees(desired)
    changes = {}
    for kind in ("guarantees", "limits"):
        for name in sorted({*current[kind], *desired[kind]}):
            old = current[kind].get(name)
            new = desired[kind].get(name)
            if old is None or new is None or round(old - new, 3):
                changes[f"/{kind}/{name}"] = {"old": old, "new": new}
    return changes


def _check_amounts(argument, amounts):
    """
    Return the amounts of scalar resources as floats; None stays None.

    Raises SaltInvocationError if they are not valid.
    """
    if amounts is None:
        return None
    is_valid = isinstance(amounts, Mapping)
    _arguments.require(is_valid, argument, amounts, "a mapping such as {cpus: 8, mem: 16384}")
    for name, value in amounts.items():
        is_scalar = isinstance(name, str) and name != "ports"
        _arguments.require(
            is_scalar,
            f"{argument}: {name}",
            value,
            "an amount of a scalar resource: cpus, mem, disk, gpus",
        )
        is_valid = _is_number(value) and value >= 0
        _arguments.require(is_valid, f"{argument}: {name}", value, "a number, 0 or more")
    return {name: float(value) for name, value in amounts.items()}


def remove_quota(role, profile=None, **connection):
    """
    Remove the quota of a role. Idempotent.

    role
        Name of the role, text, such as ``web``.

    profile, connection
        See ``mesos.connection``.

    Returns True if the role had a quota, otherwise False. Raises SaltInvocationError for an invalid
    name, CommandExecutionError if the leader rejects the request. Uses v1 UPDATE_QUOTA, before
    Mesos 1.9 ``DELETE /quota/ROLE``. It never uses the call REMOVE_QUOTA, which kills the leading
    master if the role has no quota.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.remove_quota batch
    """
    _check_role(role)
    client = _client(profile, connection)
    if role not in _quotas(client):
        return False
    if _version(client) >= (1, 9):
        payload = {"quota_configs": [{"role": role}]}
        _write(client, "UPDATE_QUOTA", payload, lambda: role not in _quotas(client))
    else:
        _delete_quota(client, role)
    return True


# --- maintenance ---


def maintenance_schedule(whole=False, profile=None, **connection):
    """
    Return the maintenance schedule of the cluster.

    whole
        Boolean: whether to fail if a part of the schedule is hidden from this user. This is only
        detected for machines that are draining or down. Default False.

    profile, connection
        See ``mesos.connection``.

    Returns a list of windows sorted by start: ``machines`` (each with ``hostname`` and ``ip``, or
    one of them), ``start`` (nanoseconds since 1970) and ``duration`` (nanoseconds; None if the
    window has no end). It is empty if the user may not view schedules. Raises
    CommandExecutionError if there is no leader that has recovered. Uses v1
    GET_MAINTENANCE_SCHEDULE.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.maintenance_schedule
    """
    client = _client(profile, connection)
    return _complete_windows(client) if whole else _windows(client)


def _windows(client):
    content = _call(client, "GET_MAINTENANCE_SCHEDULE")
    entries = content.get("schedule", {}).get("windows", [])
    windows = [_parse_window(entry) for entry in entries]
    return sorted(windows, key=lambda window: (window["start"], str(window["machines"])))


def _parse_window(entry):
    machines = [
        {key: machine[key] for key in ("hostname", "ip") if machine.get(key)}
        for machine in entry["machine_ids"]
    ]
    unavailability = entry["unavailability"]
    duration = None
    if "duration" in unavailability:
        duration = int(unavailability["duration"]["nanoseconds"])
    start = int(unavailability["start"]["nanoseconds"])
    return {"machines": machines, "start": start, "duration": duration}


def _window_payload(window):
    unavailability = {"start": {"nanoseconds": window["start"]}}
    if window["duration"] is not None:
        unavailability["duration"] = {"nanoseconds": window["duration"]}
    return {"machine_ids": window["machines"], "unavailability": unavailability}


def maintenance_status(profile=None, **connection):
    """
    Return which machines are draining for maintenance and which are down.

    profile, connection
        See ``mesos.connection``.

    Returns ``draining`` and ``down``, lists of machines with ``hostname`` and ``ip``. Raises
    CommandExecutionError if there is no leader that has recovered. Uses v1
    GET_MAINTENANCE_STATUS.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.maintenance_status
    """
    return _maintenance_status(_client(profile, connection))


def _maintenance_status(client):
    status = _call(client, "GET_MAINTENANCE_STATUS").get("status", {})
    draining = [entry["id"] for entry in status.get("draining_machines", [])]
    down = status.get("down_machines", [])
    return {
        "draining": sorted(draining, key=_machine_key),
        "down": sorted(down, key=_machine_key),
    }


def _machine_key(machine):
    """
    Return a key that is equal for two ids of the same machine.

    Mesos ignores the case of host names, and a part that is omitted is the same as an empty one.
    """
    return machine.get("hostname", "").lower(), machine.get("ip", "")


def _machine_keys(machines):
    return {_machine_key(machine) for machine in machines}


def _scheduled_machines(windows):
    return [machine for window in windows for machine in window["machines"]]


def _machine_names(machines):
    return ", ".join(machine.get("hostname") or machine["ip"] for machine in machines)


def _complete_windows(client):
    """
    Return the windows of the schedule. Raises CommandExecutionError if some of them are hidden.

    A user who may not view schedules gets an empty one, and writing that back would erase it. The
    status is not filtered like this, and every machine that is draining or down in it must be in
    the schedule.
    """
    windows = _windows(client)
    scheduled = _machine_keys(_scheduled_machines(windows))
    status = _maintenance_status(client)
    unavailable = [*status["draining"], *status["down"]]
    hidden = [machine for machine in unavailable if _machine_key(machine) not in scheduled]
    if hidden:
        raise CommandExecutionError(
            "The maintenance schedule is not completely visible to this user: "
            f"{_machine_names(hidden)} should be in it. Nothing was changed, because writing the "
            "schedule back would erase the hidden part"
        )
    return windows


def _write_schedule(client, windows):
    """Replace the schedule. Returns the new one as the leader reports it."""
    payload = {"schedule": {"windows": [_window_payload(window) for window in windows]}}

    def is_done():
        return _schedule_key(_windows(client)) == _schedule_key(windows)

    _write(client, "UPDATE_MAINTENANCE_SCHEDULE", payload, is_done)
    return _windows(client)


def _schedule_key(windows):
    """Return a key that is equal for two schedules that mean the same."""
    return sorted(
        (window["start"], window["duration"] or -1, sorted(map(_machine_key, window["machines"])))
        for window in windows
    )


def set_maintenance_schedule(windows, confirm=False, profile=None, **connection):
    """
    Replace the maintenance schedule of the entire cluster.

    windows
        A list of mappings with ``machines``, ``start`` and, optionally, ``duration``, which are the
        arguments of ``mesos.add_maintenance_window``. What ``mesos.maintenance_schedule`` returns
        is valid, too.

    confirm
        Must be True if this removes machines from the schedule. Default False.

    profile, connection
        See ``mesos.connection``.

    Returns the new schedule, as ``mesos.maintenance_schedule``. Raises SaltInvocationError, with
    the machines, if some would be removed without ``confirm``; CommandExecutionError if one of them
    is down, which means that it must stay in the schedule.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.set_maintenance_schedule '[{machines: [lxb001.devops.test], start: +1h}]'
    """
    is_valid = isinstance(windows, list) and all(isinstance(entry, Mapping) for entry in windows)
    _arguments.require(is_valid, "windows", windows, "a list of windows")
    client = _client(profile, connection)
    current = _complete_windows(client)
    desired = []
    for entry in windows:
        for key in entry:
            is_valid = key in ("machines", "start", "duration")
            expected = "one of the keys of a window: machines, start, duration"
            _arguments.require(is_valid, "windows", key, expected)
        machines = _machine_ids(client, entry.get("machines"), current)
        start = _nanoseconds_since_1970(entry.get("start"))
        duration = _duration(entry.get("duration"))
        desired.append({"machines": machines, "start": start, "duration": duration})
    keys = _machine_keys(_scheduled_machines(desired))
    removed = [
        machine for machine in _scheduled_machines(current) if _machine_key(machine) not in keys
    ]
    if removed:
        names = _machine_names(removed)
        _require_confirmation(confirm, f"windows: {names} would no longer be scheduled")
    return _write_schedule(client, desired)


def add_maintenance_window(machines, start, duration=None, profile=None, **connection):
    """
    Schedule machines for maintenance. Other machines stay in the schedule as they are.

    machines
        Host names of agents, as a list or separated by commas. For a machine without an agent use a
        mapping such as ``{hostname: h, ip: 10.0.0.65}``.

    start
        Begin of the maintenance: ``now``, ``+90m`` from now (s, m, h, d, w), ISO 8601 with a time
        zone (``2030-01-01T00:00:00Z``), or nanoseconds since 1970.

    duration
        ``2h``, ``90m`` or nanoseconds. Default None: no end.

    profile, connection
        See ``mesos.connection``.

    Returns the new schedule, as ``mesos.maintenance_schedule``. A machine that is already scheduled
    is moved to the new window. Raises SaltInvocationError for invalid arguments;
    CommandExecutionError for an unknown host name, and if a part of the schedule is hidden from
    this user, because it would be erased.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.add_maintenance_window lxb002.devops.test start=+1h duration=2h
    """
    client = _client(profile, connection)
    current, window = _new_window(client, machines, start, duration)
    return _write_schedule(client, [*_without_machines(current, window["machines"]), window])


def _new_window(client, machines, start, duration):
    """Return the windows of the schedule, and a new window."""
    times = {"start": _nanoseconds_since_1970(start), "duration": _duration(duration)}
    current = _complete_windows(client)
    return current, {"machines": _machine_ids(client, machines, current), **times}


def maintenance_window(machines, start, duration=None, profile=None, **connection):
    """
    Return the window that ``mesos.add_maintenance_window`` would add. Changes nothing.

    machines, start, duration
        See ``mesos.add_maintenance_window``.

    profile, connection
        See ``mesos.connection``.

    Returns ``machines`` (each with ``hostname`` and ``ip``, spelled as in the schedule or as the
    agent does), ``start`` (nanoseconds since 1970) and ``duration`` (nanoseconds or None). Raises
    what ``mesos.add_maintenance_window`` raises.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.maintenance_window lxb002.devops.test start=2030-01-01T00:00:00Z duration=2h
    """
    return _new_window(_client(profile, connection), machines, start, duration)[1]


def _without_machines(windows, machines):
    """Return windows without some machines, and without the windows that become empty."""
    excluded = _machine_keys(machines)
    remaining = []
    for window in windows:
        kept_machines = [
            machine for machine in window["machines"] if _machine_key(machine) not in excluded
        ]
        if kept_machines:
            remaining.append({**window, "machines": kept_machines})
    return remaining


def remove_from_schedule(machines, profile=None, **connection):
    """
    Remove machines from the maintenance schedule. Other machines stay in it as they are.

    machines
        Host names, as a list or separated by commas, or mappings with ``hostname`` and ``ip``.
        Machines that are not scheduled are ignored.

    profile, connection
        See ``mesos.connection``.

    Returns the new schedule, as ``mesos.maintenance_schedule``. Raises CommandExecutionError for
    machines that are down (``mesos.machine_up`` removes those), and if a part of the schedule is
    hidden from this user.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.remove_from_schedule lxb002.devops.test
    """
    client = _client(profile, connection)
    current = _complete_windows(client)
    desired = _without_machines(current, _machine_ids(client, machines, current))
    if _schedule_key(current) == _schedule_key(desired):
        return current
    return _write_schedule(client, desired)


def machine_down(machines, confirm=False, profile=None, **connection):
    """
    Start the maintenance of machines: their agents terminate, and all tasks on them are killed.

    machines
        Host names, as a list or separated by commas, or mappings with ``hostname`` and ``ip``. The
        machines must be scheduled for maintenance.

    confirm
        Must be True. Default False.

    profile, connection
        See ``mesos.connection``.

    Returns the result of ``mesos.maintenance_status``. Raises SaltInvocationError without
    ``confirm``, with the agents that would terminate; CommandExecutionError for machines that are
    not scheduled or already down. Uses v1 START_MAINTENANCE.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.machine_down lxb002.devops.test confirm=True
    """
    client = _client(profile, connection)
    ids = _machine_ids(client, machines, _windows(client))
    keys = _machine_keys(ids)
    descriptions = [
        f"{agent['hostname']} ({_format_number(agent['used'].get('cpus', 0))} cpus in use)"
        for agent in _agents(client)
        if (agent["hostname"].lower(), agent["ip"] or "") in keys
    ]
    names = ", ".join(descriptions) or "no agent"
    _require_confirmation(confirm, f"machines: {names} would terminate, and all of its tasks")

    def is_done():
        return keys <= _machine_keys(_maintenance_status(client)["down"])

    _write(client, "START_MAINTENANCE", {"machines": ids}, is_done)
    return _maintenance_status(client)


def machine_up(machines, profile=None, **connection):
    """
    End the maintenance of machines: their agents may register again. They leave the schedule.

    machines
        Host names, as a list or separated by commas, or mappings with ``hostname`` and ``ip``.

    profile, connection
        See ``mesos.connection``.

    Returns the result of ``mesos.maintenance_status``. The agents must be started separately.
    Raises CommandExecutionError for machines that are not down. Uses v1 STOP_MAINTENANCE.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.machine_up lxb002.devops.test
    """
    client = _client(profile, connection)
    windows = _windows(client)
    ids = _machine_ids(client, machines, windows, _maintenance_status(client)["down"])
    keys = _machine_keys(ids)

    def is_done():
        return not keys & _machine_keys(_maintenance_status(client)["down"])

    _write(client, "STOP_MAINTENANCE", {"machines": ids}, is_done)
    return _maintenance_status(client)


def _machine_ids(client, machines, windows, down=()):
    """
    Return the ids of machines, without duplicates.

    A host name is looked up among the machines that are down or scheduled, so that the id is
    spelled as there, and then among the agents. Raises SaltInvocationError for invalid arguments,
    CommandExecutionError for an unknown host name.
    """
    if isinstance(machines, str):
        machines = [name.strip() for name in machines.split(",")]
    elif isinstance(machines, Mapping):
        machines = [machines]
    is_valid = isinstance(machines, list) and machines
    _arguments.require(is_valid, "machines", machines, MACHINES_EXPECTED)
    candidates = [*down, *_scheduled_machines(windows)]
    agents = None
    ids = []
    for machine in machines:
        if isinstance(machine, Mapping):
            ids.append(_check_machine_id(machine))
            continue
        is_valid = isinstance(machine, str) and machine
        _arguments.require(is_valid, "machines", machine, "a host name")
        match = _machine_with_hostname(candidates, machine)
        if match is None:
            agents = _agents(client) if agents is None else agents
            match = _machine_with_hostname([agent for agent in agents if agent["ip"]], machine)
        if match is None:
            names = _describe_available([agent["hostname"] for agent in agents])
            raise CommandExecutionError(
                f"machines: no agent and no scheduled machine is called {machine}. {names}. "
                "For a machine without an agent use hostname and ip"
            )
        ids.append({key: match[key] for key in ("hostname", "ip") if key in match})
    return list({_machine_key(machine_id): machine_id for machine_id in ids}.values())


def _machine_with_hostname(machines, hostname):
    for machine in machines:
        if machine.get("hostname", "").lower() == hostname.lower():
            return machine
    return None


def _check_machine_id(machine):
    is_valid = (
        set(machine) <= {"hostname", "ip"}
        and any(machine.values())
        and all(isinstance(value, str) for value in machine.values())
    )
    expected = "a mapping with hostname and ip, or one of them"
    _arguments.require(is_valid, "machines", dict(machine), expected)
    return {key: value for key, value in machine.items() if value}


def _parse_iso_8601(text):
    """Return the datetime of a text in ISO 8601. Raises ValueError if it is not valid."""
    if hasattr(datetime.datetime, "fromisoformat"):
        return datetime.datetime.fromisoformat(text)
    # Python 3.6
    compact = re.sub(r":(\d\d)$", r"\1", text.replace(" ", "T"))
    return datetime.datetime.strptime(compact, "%Y-%m-%dT%H:%M:%S%z")


def _nanoseconds_since_1970(time_):
    """
    Return a point in time in nanoseconds since 1970.

    Raises SaltInvocationError if it is not valid, or ambiguous because it has no time zone.
    """
    if time_ == "now":
        return round(time.time() * NANOSECONDS)
    if isinstance(time_, str) and time_.startswith("+"):
        return round(time.time() * NANOSECONDS) + _duration(time_[1:], "start")
    if _is_int(time_) and MIN_NANOSECONDS <= time_ < 2**63:
        return time_
    if isinstance(time_, datetime.datetime):
        time_ = time_.isoformat()
    moment = None
    if isinstance(time_, str):
        try:
            moment = _parse_iso_8601(re.sub("[Zz]$", "+00:00", time_.strip()))
        except ValueError:
            moment = None
    _arguments.require(
        moment and moment.tzinfo and moment.year < MAX_YEAR,
        "start",
        time_,
        "now, +1h, ISO 8601 with a zone such as 2030-01-01T00:00:00Z, or nanoseconds since 1970",
    )
    return round(moment.timestamp() * 10**6) * 1000


def _duration(duration, argument="duration"):
    """
    Return a duration in nanoseconds; None stays None.

    Raises SaltInvocationError if it is not valid.
    """
    if duration is None:
        return None
    if _is_int(duration) and duration >= NANOSECONDS:
        return duration
    is_valid = isinstance(duration, str) and re.fullmatch(r"(\d+(\.\d+)?[smhdw])+", duration)
    _arguments.require(
        is_valid,
        argument,
        duration,
        "a duration such as 90m, 2h, 1d12h, or nanoseconds (at least a second)",
    )
    parts = re.findall(r"([\d.]+)([smhdw])", duration)
    return round(
        sum(float(number) * SECONDS_PER_UNIT[unit] for number, unit in parts) * NANOSECONDS
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
    Drain an agent: it gets no new tasks, and its current tasks are killed.

    agent
        Id or host name of the agent, text.

    max_grace_period
        Maximum time that a task has to terminate: seconds, or text such as ``10m``. Default None:
        the grace period of the task.

    mark_gone
        Boolean: whether to remove the agent permanently once it is drained. Default False.

    confirm
        Must be True with ``mark_gone``. Default False.

    again
        Boolean: whether to drain an agent that is draining or drained already once more, with the
        new settings. Default False: nothing changes.

    profile, connection
        See ``mesos.connection``.

    Returns the agent, as ``mesos.agent``; None if ``mark_gone`` has removed it already. It does not
    wait until the agent is drained. Raises SaltInvocationError for invalid arguments;
    CommandExecutionError if there is no such agent, or its machine is scheduled for maintenance.
    Needs Mesos 1.9 (v1 DRAIN_AGENT).

    CLI Example:

    .. code-block:: bash

        salt-call mesos.drain_agent lxb003.devops.test max_grace_period=10m
    """
    grace_period = _grace_period(max_grace_period)
    client = _client(profile, connection)
    _require_version(client, (1, 9), "Draining")
    entry = _find_agent(client, agent)
    agent_id = entry["id"]
    if mark_gone:
        _require_confirmation(
            confirm, f"agent: {entry['hostname']} ({agent_id}) would be removed permanently"
        )
    if entry["drain"] and not again:
        return entry
    payload = {"agent_id": {"value": agent_id}, "mark_gone": bool(mark_gone)}
    if grace_period is not None:
        # The master rejects text such as "10mins", which some of its documentation uses.
        payload["max_grace_period"] = {"seconds": grace_period}

    def is_done():
        agent = _agent_with_id(client, agent_id)
        return agent is not None and agent["drain"]

    _write(client, "DRAIN_AGENT", payload, is_done)
    return _agent_with_id(client, agent_id)


def _grace_period(max_grace_period):
    """Return a grace period in seconds; None stays None."""
    if max_grace_period is None:
        return None
    if _is_int(max_grace_period) and max_grace_period >= 0:
        return max_grace_period
    return _duration(max_grace_period, "max_grace_period") // NANOSECONDS


def _agent_with_id(client, agent_id):
    """Return an agent, None if it is not registered."""
    for agent in _agents(client):
        if agent["id"] == agent_id:
            return agent
    return None


def out_of_service(profile=None, **connection):
    """
    List the agents that are out of service, and what still runs on them.

    profile, connection
        See ``mesos.connection``.

    Returns a list sorted by host name. Each entry has ``hostname`` and ``ip`` (each may be None
    for a machine), ``id`` of the agent (None for a machine without one), ``reason``:

    * ``draining``, ``drained`` or ``deactivated``: see ``mesos.drain_agent``;
    * ``maintenance``: a maintenance window of its machine has begun, and has not ended;
    * ``down``: its machine is down for maintenance;

    and ``tasks``: a mapping of the ids of the tasks that still run there to their state. Raises
    CommandExecutionError if there is no leader that has recovered. Uses ``GET /slaves``, v1
    GET_MAINTENANCE_SCHEDULE and GET_MAINTENANCE_STATUS, and ``GET /tasks``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.out_of_service
    """
    client = _client(profile, connection)
    machine_reasons = _machine_reasons(client)
    machines_with_agent = set()
    entries = []
    for agent in _agents(client):
        keys = [key for key in machine_reasons if _is_on_machine(agent, key)]
        machines_with_agent.update(keys)
        reasons = [_agent_reason(agent), *(machine_reasons[key] for key in keys)]
        reason = next(filter(None, reasons), None)
        if reason:
            entries.append(_out_of_service_entry(agent, reason))
    for key in set(machine_reasons) - machines_with_agent:
        machine = {"id": None, "hostname": key[0] or None, "ip": key[1] or None}
        entries.append(_out_of_service_entry(machine, machine_reasons[key]))
    if entries:
        _add_active_tasks(entries, tasks(profile=profile, **connection))
    return sorted(entries, key=lambda entry: (entry["hostname"] or "", entry["ip"] or ""))


def _out_of_service_entry(agent, reason):
    identity = {key: agent[key] for key in ("id", "hostname", "ip")}
    return {**identity, "reason": reason, "tasks": {}}


def _agent_reason(agent):
    """Return why an agent offers nothing, by what an operator has asked for; None otherwise."""
    if agent["drain"]:
        return agent["drain"].lower()
    return "deactivated" if agent["deactivated"] else None


def _machine_reasons(client):
    """Map the keys of machines whose maintenance has begun to ``maintenance`` or ``down``."""
    now = time.time() * NANOSECONDS
    reasons = {}
    for window in _windows(client):
        has_ended = window["duration"] is not None and window["start"] + window["duration"] < now
        if window["start"] <= now and not has_ended:
            reasons.update(dict.fromkeys(_machine_keys(window["machines"]), "maintenance"))
    down = _machine_keys(_maintenance_status(client)["down"])
    return {**reasons, **dict.fromkeys(down, "down")}


def _is_on_machine(agent, machine_key):
    """Return whether an agent runs on a machine, whose id may have only one of its two parts."""
    hostname, ip = machine_key
    return hostname in ("", agent["hostname"].lower()) and ip in ("", agent["ip"])


def _add_active_tasks(entries, running):
    """Add to each entry the tasks that run on its agent."""
    for task in running:
        for entry in entries:
            if task["agent_id"] == entry["id"] and task["state"] in ACTIVE_TASK_STATES:
                entry["tasks"][task["id"]] = task["state"]


def deactivate_agent(agent, profile=None, **connection):
    """
    Deactivate an agent: it gets no new tasks, and its current tasks continue. Idempotent.

    agent
        Id or host name of the agent, text.

    profile, connection
        See ``mesos.connection``.

    Returns the agent, as ``mesos.agent``. Raises CommandExecutionError if there is no such agent.
    Needs Mesos 1.9 (v1 DEACTIVATE_AGENT).

    CLI Example:

    .. code-block:: bash

        salt-call mesos.deactivate_agent lxb004.devops.test
    """
    return _set_deactivated(agent, "DEACTIVATE_AGENT", True, profile, connection)


def reactivate_agent(agent, profile=None, **connection):
    """
    Reactivate an agent that was drained or deactivated. Idempotent.

    agent
        Id or host name of the agent, text.

    profile, connection
        See ``mesos.connection``.

    Returns the agent, as ``mesos.agent``. Raises CommandExecutionError if there is no such agent,
    and while it is still draining. Needs Mesos 1.9 (v1 REACTIVATE_AGENT).

    CLI Example:

    .. code-block:: bash

        salt-call mesos.reactivate_agent lxb004.devops.test
    """
    return _set_deactivated(agent, "REACTIVATE_AGENT", False, profile, connection)


def _set_deactivated(agent, call, deactivated, profile, connection):
    client = _client(profile, connection)
    _require_version(client, (1, 9), "Deactivating")
    entry = _find_agent(client, agent)
    if entry["recovered"]:
        raise CommandExecutionError(
            f"{agent} has not reregistered with the new leader. Until then, the leader does not "
            "know whether it is drained or deactivated"
        )
    if entry["deactivated"] == deactivated:
        return entry

    def is_done():
        agent = _agent_with_id(client, entry["id"])
        return agent is not None and agent["deactivated"] == deactivated

    _write(client, call, {"agent_id": {"value": entry["id"]}}, is_done)
    return _find_agent(client, entry["id"])


def mark_agent_gone(agent, confirm=False, profile=None, **connection):
    """
    Remove an agent permanently: its tasks are lost, and it is shut down if it ever returns.

    agent
        Id of the agent, text; or its host name while it is registered.

    confirm
        Must be True. Default False.

    profile, connection
        See ``mesos.connection``.

    Returns the id, also if the agent has already been removed. Raises SaltInvocationError without
    ``confirm``, CommandExecutionError if there is no such agent. Needs Mesos 1.5 (v1
    MARK_AGENT_GONE).

    CLI Example:

    .. code-block:: bash

        salt-call mesos.mark_agent_gone lxb004.devops.test confirm=True
    """
    client = _client(profile, connection)
    _require_version(client, (1, 5), "Marking agents gone")
    # An unreachable agent is not in the list of agents, so an id is not looked up.
    is_id = isinstance(agent, str) and re.fullmatch(r"[\w-]+-S\d+", agent)
    agent_id = agent if is_id else _find_agent(client, agent)["id"]
    _require_confirmation(
        confirm, f"agent: {agent_id} would be removed permanently, and its tasks lost"
    )
    # Retried like a read, since the call is idempotent. The master answers 503 while it is busy
    # with this agent.
    body = _body("MARK_AGENT_GONE", {"agent_id": {"value": agent_id}})
    client.request("POST", "/api/v1", body=body, idempotent=True)
    return agent_id


# --- reservations and volumes ---


def reservations(agent, profile=None, **connection):
    """
    Return the reserved resources of an agent.

    agent
        Id or host name of the agent, text.

    profile, connection
        See ``mesos.connection``.

    Returns a mapping of roles to ``static`` and ``dynamic`` (cpus; mem and disk in MiB; without
    volumes) and ``volumes`` (id to ``path`` and ``size`` in MiB). Raises CommandExecutionError if
    there is no such agent. Uses ``GET /slaves``.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.reservations lxb001.devops.test
    """
    client = _client(profile, connection)
    return _reservations(client, _find_agent(client, agent)["id"])


def _reservations(client, agent_id):
    content = _get_from_leader(client, "/slaves", {"slave_id": agent_id}).json()
    agents = content["slaves"]
    resources_by_role = agents[0].get("reserved_resources_full", {}) if agents else {}
    return {
        role: _parse_reserved(resources) for role, resources in sorted(resources_by_role.items())
    }


def _parse_reserved(resources):
    reserved = {"static": {}, "dynamic": {}, "volumes": {}}
    for resource in resources:
        volume = resource.get("disk", {}).get("persistence")
        if volume:
            reserved["volumes"][volume["id"]] = {
                "path": resource["disk"]["volume"]["container_path"],
                "size": resource["scalar"]["value"],
            }
        elif "scalar" in resource:
            kind = "dynamic" if "reservation" in resource else "static"
            _add_amount(reserved[kind], resource["name"], resource["scalar"]["value"])
    return reserved


def reserve(agent, role, resources, principal=None, profile=None, **connection):
    """
    Reserve resources of an agent for a role.

    agent
        Id or host name of the agent, text.

    role
        Name of the role, text, such as ``web``.

    resources
        Mapping of scalar resources to numbers above 0, such as ``{cpus: 1, mem: 512}``; mem and
        disk in MiB.

    principal
        Principal of the reservation, text. A master with authentication requires one. Default: the
        ``username`` of the connection, if there is one.

    profile, connection
        See ``mesos.connection``.

    Returns the result of ``mesos.reservations`` as soon as it contains the reservation, because the
    master accepts the request (202) before the agent has applied it. Raises SaltInvocationError for
    invalid arguments; CommandExecutionError if the resources are not available (409), or if the
    reservation is not visible within 10 seconds. Uses v1 RESERVE_RESOURCES.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.reserve lxb001.devops.test web '{cpus: 0.5, mem: 64}'
    """
    client = _client(profile, connection)
    return _change_reservation(client, "RESERVE_RESOURCES", 1, agent, role, resources, principal)


def unreserve(agent, role, resources, principal=None, profile=None, **connection):
    """
    Release resources that ``mesos.reserve`` has reserved.

    agent, role, resources, principal
        See ``mesos.reserve``.

    profile, connection
        See ``mesos.connection``.

    Returns the result of ``mesos.reservations`` as soon as it shows the release. Raises
    SaltInvocationError for invalid arguments; CommandExecutionError if the resources are not
    reserved or are in use (409), or if the release is not visible within 10 seconds. Uses v1
    UNRESERVE_RESOURCES.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.unreserve lxb001.devops.test web '{cpus: 0.5, mem: 64}'
    """
    client = _client(profile, connection)
    return _change_reservation(client, "UNRESERVE_RESOURCES", -1, agent, role, resources, principal)


def _change_reservation(client, call, sign, agent, role, resources, principal):
    """Reserve (``sign`` is 1) or release (-1) resources, and wait until that is visible."""
    _check_role(role)
    amounts = _check_amounts("resources", resources)
    is_valid = amounts and all(amounts.values())
    expected = "scalars above 0, such as {cpus: 1, mem: 512}"
    _arguments.require(is_valid, "resources", resources, expected)
    agent_id = _find_agent(client, agent)["id"]
    reservation = _reservation(client, role, principal)
    entries = [
        {**_scalar(name, value), "reservations": [reservation]} for name, value in amounts.items()
    ]

    def dynamic_amounts(current):
        return current.get(role, {}).get("dynamic", {})

    before = dynamic_amounts(_reservations(client, agent_id))

    def is_changed(current):
        amounts_now = dynamic_amounts(current)
        return all(
            round(amounts_now.get(name, 0) - before.get(name, 0) - sign * value, 3) == 0
            for name, value in amounts.items()
        )

    return _write_operation(client, call, agent_id, "resources", entries, is_changed)


def _reservation(client, role, principal):
    principal = client.setting("username") if principal is None else principal
    reservation = {"type": "DYNAMIC", "role": role}
    if principal:
        reservation["principal"] = principal
    return reservation


def _write_operation(client, call, agent_id, key, entries, is_changed):
    """
    Make a call that the master accepts before the agent applies it, and wait for the agent.

    is_changed
        Called with the reservations of the agent; returns whether they show the change.

    Returns the reservations of the agent. Raises OutcomeUnknown if the change does not show.
    """

    def changed_reservations():
        current = _reservations(client, agent_id)
        return (current,) if is_changed(current) else None

    payload = {"agent_id": {"value": agent_id}, key: entries}
    _write(client, call, payload, changed_reservations)
    deadline = time.monotonic() + VERIFY_TIMEOUT
    while True:
        result = changed_reservations()
        if result:
            return result[0]
        if time.monotonic() > deadline:
            raise _http_client.OutcomeUnknown(
                f"The master accepted {call}, but the change was not visible {VERIFY_TIMEOUT} "
                "seconds later: the agent may have rejected it"
            )
        time.sleep(POLL_INTERVAL)


def create_volumes(agent, role, volumes, principal=None, profile=None, **connection):
    """
    Create persistent volumes from disk that is reserved for a role.

    agent
        Id or host name of the agent, text.

    role
        Name of the role that the disk is reserved for, text.

    volumes
        Mapping of ids to ``path`` (in the container) and ``size`` (MiB), such as
        ``{data-1: {path: data, size: 100}}``.

    principal
        Principal of the reservation, see ``mesos.reserve``.

    profile, connection
        See ``mesos.connection``.

    Returns the result of ``mesos.reservations`` as soon as it contains the volumes. Raises
    SaltInvocationError for invalid arguments; CommandExecutionError if there is not enough reserved
    disk (409), or if the volumes are not visible within 10 seconds. Uses v1 CREATE_VOLUMES.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.create_volumes lxb001.devops.test web '{data-1: {path: data, size: 100}}'
    """
    _check_role(role)
    _check_volumes(volumes)
    client = _client(profile, connection)
    agent_id = _find_agent(client, agent)["id"]
    entries = [_volume(client, role, name, volume, principal) for name, volume in volumes.items()]

    def is_changed(current):
        return set(volumes) <= set(_role_volumes(current, role))

    return _write_operation(client, "CREATE_VOLUMES", agent_id, "volumes", entries, is_changed)


def _role_volumes(current_reservations, role):
    return current_reservations.get(role, {}).get("volumes", {})


def _check_volumes(volumes):
    is_valid = isinstance(volumes, Mapping) and volumes
    expected = "a mapping such as {data-1: {path: data, size: 100}}"
    _arguments.require(is_valid, "volumes", volumes, expected)
    for name, volume in volumes.items():
        is_valid = isinstance(volume, Mapping) and set(volume) == {"path", "size"}
        if is_valid:
            is_valid = _is_number(volume["size"]) and volume["size"] > 0
            is_valid = is_valid and isinstance(volume["path"], str)
        expected = "a mapping with path and size (MiB)"
        _arguments.require(is_valid, f"volumes: {name}", volume, expected)


def _volume(client, role, name, volume, principal):
    persistence = {"id": name}
    reservation = _reservation(client, role, principal)
    if "principal" in reservation:
        persistence["principal"] = reservation["principal"]
    disk = {"persistence": persistence, "volume": {"container_path": volume["path"], "mode": "RW"}}
    return {
        **_scalar("disk", float(volume["size"])),
        "reservations": [reservation],
        "disk": disk,
    }


def destroy_volumes(agent, role, ids, confirm=False, principal=None, profile=None, **connection):
    """
    Destroy persistent volumes and the data on them. The disk stays reserved.

    agent
        Id or host name of the agent, text.

    role
        Name of the role that the volumes belong to, text.

    ids
        Id of a volume, or a list of ids.

    confirm
        Must be True. Default False.

    principal
        Principal of the reservation, see ``mesos.reserve``.

    profile, connection
        See ``mesos.connection``.

    Returns the result of ``mesos.reservations`` as soon as the volumes are removed. Raises
    SaltInvocationError without ``confirm``; CommandExecutionError for volumes that do not exist or
    are in use, or if the removal is not visible within 10 seconds. Uses v1 DESTROY_VOLUMES.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.destroy_volumes lxb001.devops.test web data-1 confirm=True
    """
    names = [ids] if isinstance(ids, str) else ids
    is_valid = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
    _arguments.require(is_valid, "ids", ids, "an id or a list of ids")
    client = _client(profile, connection)
    agent_id = _find_agent(client, agent)["id"]
    volumes = _role_volumes(_reservations(client, agent_id), _check_role(role))
    for name in names:
        if name not in volumes:
            available = _describe_available(list(volumes))
            raise CommandExecutionError(f"ids: {role} has no volume {name} on {agent}. {available}")
    _require_confirmation(confirm, f"ids: the data on {', '.join(names)} would be destroyed")
    entries = [_volume(client, role, name, volumes[name], principal) for name in names]

    def is_changed(current):
        return not set(names) & set(_role_volumes(current, role))

    return _write_operation(client, "DESTROY_VOLUMES", agent_id, "volumes", entries, is_changed)


# --- logs and files ---


def logging_level(agent=None, profile=None, **connection):
    """
    Return the logging level of the leader or of an agent.

    agent
        Id, host name or URL of an agent, text. Default None: the leader.

    profile, connection
        See ``mesos.connection``.

    Returns a number, 0 by default; a higher level logs more. Raises CommandExecutionError if the
    daemon does not respond. Uses v1 GET_LOGGING_LEVEL.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.logging_level
    """
    return _logging_level(_daemon_client(profile, connection, agent))


def _logging_level(client):
    return _call(client, "GET_LOGGING_LEVEL", required="level")["level"]


def set_logging_level(level, duration="10m", agent=None, profile=None, **connection):
    """
    Raise the logging level of the leader or of an agent for a limited time.

    level
        Integer from 0 (default level) to 100; 3 and above log everything.

    duration
        Duration, such as ``10m``, ``1h``, or nanoseconds. Default ten minutes.

    agent
        Id, host name or URL of an agent, text. Default None: the leader.

    profile, connection
        See ``mesos.connection``.

    Returns the level that the daemon reports. Raises SaltInvocationError for invalid arguments,
    CommandExecutionError if the daemon does not respond. Uses v1 SET_LOGGING_LEVEL.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.set_logging_level 1 duration=5m
    """
    is_valid = _is_int(level) and 0 <= level <= 100
    _arguments.require(is_valid, "level", level, "a number from 0 to 100")
    client = _daemon_client(profile, connection, agent)
    payload = {"level": level, "duration": {"nanoseconds": _duration(duration)}}
    _write(client, "SET_LOGGING_LEVEL", payload, lambda: _logging_level(client) == level)
    return _logging_level(client)


def list_files(path, agent=None, profile=None, **connection):
    """
    List a directory of the leader or of an agent, such as the sandbox of a task.

    path
        Absolute path, such as the directory of an executor. ``/master/log`` is a file, and its list
        is empty.

    agent
        Id, host name or URL of an agent, text. Default None: the leader.

    profile, connection
        See ``mesos.connection``.

    Returns a list, each entry with ``path``, ``size`` (bytes), ``mode``, ``uid``, ``gid`` and
    ``mtime`` (seconds since 1970). Raises SaltInvocationError for a relative path,
    CommandExecutionError (404) for one that does not exist. Uses v1 LIST_FILES.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.list_files /master/log
    """
    _require_absolute_path(path)
    content = _call(_daemon_client(profile, connection, agent), "LIST_FILES", {"path": path})
    return [_parse_file_info(entry) for entry in content.get("file_infos", [])]


def _parse_file_info(entry):
    return {
        "path": entry["path"],
        "size": entry.get("size"),
        "mode": entry.get("mode"),
        "uid": entry.get("uid"),
        "gid": entry.get("gid"),
        "mtime": entry.get("mtime", {}).get("nanoseconds", 0) / NANOSECONDS,
    }


def read_file(path, offset=0, length=65536, agent=None, profile=None, **connection):
    """
    Read a part of a file of the leader or of an agent.

    path
        Absolute path, such as ``/master/log``, ``/slave/log``, or ``stdout`` in the directory of an
        executor.

    offset
        Where to start: number of bytes from the begin, or before the end if it is negative.
        Default 0.

    length
        Maximum number of bytes to read, 1 to 16,777,216. Default 65,536.

    agent
        Id, host name or URL of an agent, text. Default None: the leader.

    profile, connection
        See ``mesos.connection``.

    Returns ``size`` (of the complete file, bytes), ``offset`` (bytes from the begin) and ``text``.
    Raises SaltInvocationError for invalid arguments; CommandExecutionError if the file does not
    exist (404) or the user may not read it (403). Uses v1 READ_FILE.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.read_file /master/log offset=-500
    """
    _require_absolute_path(path)
    _arguments.require(_is_int(offset), "offset", offset, "a number of bytes")
    is_valid = _is_int(length) and 0 < length <= MAX_READ_LENGTH
    expected = f"a number of bytes from 1 to {MAX_READ_LENGTH}"
    _arguments.require(is_valid, "length", length, expected)
    client = _daemon_client(profile, connection, agent)
    if offset < 0:
        payload = {"path": path, "offset": 0, "length": 1}
        size = _call(client, "READ_FILE", payload, "size")["size"]
        offset = max(0, size + offset)
    payload = {"path": path, "offset": offset, "length": length}
    content = _call(client, "READ_FILE", payload, "data")
    text = base64.b64decode(content["data"]).decode("utf-8", "replace")
    return {"size": content["size"], "offset": offset, "text": text}


def _require_absolute_path(path):
    is_valid = isinstance(path, str) and path.startswith("/")
    _arguments.require(is_valid, "path", path, "an absolute path")


def api_call(call, payload=None, agent=None, confirm=False, profile=None, **connection):
    """
    Make any call of the v1 operator API, for calls that have no function in this module.

    call
        Type of the call, text, such as ``GET_OPERATIONS``.

    payload
        Mapping with the arguments of the call. It is sent under the name of the call. Default None.

    agent
        Id, host name or URL of an agent, text. Default None: the leader.

    confirm
        Must be True for calls that cannot be undone. Default False. One of them is REMOVE_QUOTA,
        which kills the leading master if the role has no quota.

    profile, connection
        See ``mesos.connection``.

    Returns the response with its ``type``, None if it is empty. Only calls that start with GET,
    LIST or READ are retried. Raises SaltInvocationError without ``confirm``, and for calls that
    open a stream (SUBSCRIBE and others); CommandExecutionError if the daemon rejects the call.

    CLI Example:

    .. code-block:: bash

        salt-call mesos.api_call GET_OPERATIONS
        salt-call mesos.api_call READ_FILE '{path: /master/log, offset: 0, length: 100}'
    """
    is_valid = isinstance(call, str) and re.fullmatch("[A-Z_]+", call)
    _arguments.require(is_valid, "call", call, "the type of a call, such as GET_OPERATIONS")
    is_valid = call not in STREAMING_CALLS
    _arguments.require(is_valid, "call", call, "a call with one response; this one opens a stream")
    is_valid = payload is None or isinstance(payload, Mapping)
    _arguments.require(is_valid, "payload", payload, "a mapping")
    if call in IRREVERSIBLE:
        _require_confirmation(confirm, f"call: {call} {IRREVERSIBLE[call]}")
    if payload is None and call == "GET_METRICS":
        payload = {}
    is_read = call.startswith(("GET_", "LIST_", "READ_"))
    client = _daemon_client(profile, connection, agent)
    body = _body(call, payload)
    response = client.request("POST", "/api/v1", body=body, idempotent=is_read)
    return response.json() if response.body else None


# --- requests ---


def _daemon_client(profile, connection, agent):
    """Return a client for an agent, or for the leader if there is no agent."""
    if agent is None:
        return _client(profile, connection)
    return _agent_client(profile, connection, agent)


def _body(call, payload=None):
    return {"type": call} if payload is None else {"type": call, call.lower(): payload}


def _call(client, call, payload=None, required=None):
    """
    Make a v1 call that reads. Returns the content of the response, empty if there is none.

    Raises HttpError if the response is not one to this call, or has no member ``required``.
    """
    response = client.request("POST", "/api/v1", body=_body(call, payload), idempotent=True)
    answer = response.json()
    content = answer.get(call.lower(), {})
    if answer.get("type") != call or (required and required not in content):
        raise _unexpected_response(response, call)
    return content


def _unexpected_response(response, request):
    return response.error(
        _http_client.HttpError,
        f"this is not the response of a Mesos master to {request}: {response.summary()}",
    )


def _write(client, call, payload, is_done):
    """Make a v1 call that writes. If the response is lost, ``is_done`` tells whether it worked."""
    return client.write("POST", "/api/v1", is_done, body=_body(call, payload), idempotent=False)


def _get_from_leader(client, path, params=None):
    """
    GET one of the older endpoints, after a check that the leader has recovered.

    Before that, these endpoints answer with empty lists.
    """
    _call(client, "GET_HEALTH")
    return client.get(path, params=params)


def _version(client):
    """
    Return the version of the masters as a tuple of numbers.

    It is never cached, since an upgrade may be in progress.
    """
    response = client.get("/version")
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", str(response.json().get("version")))
    if not match:
        raise _unexpected_response(response, "GET /version")
    return tuple(int(part or 0) for part in match.groups())


def _require_version(client, minimum, action):
    version = _version(client)
    if version < minimum:
        raise CommandExecutionError(
            f"{action} needs Mesos {_version_text(minimum)}; "
            f"these masters have {_version_text(version)}"
        )


def _version_text(version):
    return ".".join(str(part) for part in version)


# --- arguments ---


def _require_confirmation(confirm, effect):
    if confirm is not True:
        raise SaltInvocationError(f"{effect}. To confirm this, use confirm=True")


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _check_role(name, argument="role"):
    """Return the name of a role. Raises SaltInvocationError if Mesos would reject it."""
    is_valid = isinstance(name, str) and all(_is_role_part(part) for part in name.split("/"))
    expected = "the name of a role, such as web or web/frontend"
    _arguments.require(is_valid, argument, name, expected)
    return name


def _is_role_part(part):
    if part in ("", ".", "..") or part.startswith("-"):
        return False
    return not re.search(r"[\s\b]", part)
