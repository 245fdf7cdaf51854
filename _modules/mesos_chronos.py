"""
Query and manage the jobs of Chronos. Loaded as ``chronos``. Supports Chronos 2.3 to 3.0; the API
changed with 3.0, and the functions detect which of the two generations a server has.

Every function takes ``profile`` and connection settings such as ``url`` and ``timeout``, see
``chronos.connection``. Any server can be queried: those that do not lead forward each request to
the leader. However, they forward only the status of an error, not the leader's message.

Chronos replaces a job as a whole, and rewrites the schedule of a job with each run. These functions
preserve what they are not asked to change: the other fields of a job, its counters, and its
schedule, unless the new one differs by more than completed runs.
"""

import contextlib
import datetime
import importlib
import importlib.util
import re
import time
import typing
from collections.abc import Mapping

import _arguments
import _chronos_job
import _chronos_schedule
import _http_client
import _http_settings
import _text
import salt.utils.platform
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_text)
importlib.reload(_http_settings)
importlib.reload(_http_client)
importlib.reload(_arguments)
importlib.reload(_chronos_schedule)
importlib.reload(_chronos_job)

DEFAULT_URL = "http://127.0.0.1:4400"
PREFIXES = {2: "/scheduler", 3: "/v1/scheduler"}
# The limit for a search for all jobs; by default Chronos returns ten.
SEARCH_LIMIT = 10**6
POLL_INTERVAL = 0.2
# For up to a second after an election the new leader of Chronos 3 returns an empty list of jobs.
SETTLE_SECONDS = 2
MAX_SETTLE_READS = 5
# Seconds after which a list of jobs no longer proves that an empty list is wrong.
READING_MAX_AGE = 60
MAX_WAIT = 3600
PERCENTILES = (
    "99thPercentile",
    "98thPercentile",
    "95thPercentile",
    "75thPercentile",
    "median",
    "mean",
)
STATUSES = ("success", "failure", "fresh")
STATES = ("idle", "queued", "running")
# What Chronos sends as the message if it has none.
EMPTY_MESSAGES = ("Bad Request", "Internal Server Error")


__func_alias__ = {"import_": "import"}
__virtualname__ = "chronos"


def __virtual__():
    """Leave the name to Salt's own module where it works: on a proxy minion, up to Salt 3007."""
    proxy_type = (__opts__.get("proxy") or {}).get("proxytype")
    is_chronos_proxy = salt.utils.platform.is_proxy() and proxy_type == "chronos"
    if is_chronos_proxy and importlib.util.find_spec("salt.proxy.chronos"):
        return False, "On a proxy minion for Chronos, Salt's own module has this name"
    return __virtualname__


def _client(profile, connection):
    return _http_client.Client("chronos", DEFAULT_URL, __salt__, __context__, profile, connection)


def connection(profile=None, **connection):
    return _client(profile, connection).public_settings()


connection.__doc__ = _http_settings.CONNECTION_DOC.format(
    service="chronos",
    default=DEFAULT_URL,
    port=4400,
    extra_settings="""
        * ``api_version``: 2 or 3, the generation of the API. Default ``auto``: detected once per
          process.""",
)


# --- servers ---


def ping(profile=None, **connection):
    """
    Check that Chronos responds.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns True. Raises CommandExecutionError with the error of each server if none responds, or if
    the response is not from Chronos. Uses ``GET /ping``, which the leader answers.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.ping
    """
    return _ping(_client(profile, connection))


def _ping(client):
    response = client.get("/ping")
    if response.text().strip() != "pong":
        raise _unexpected_response(response)
    return True


@contextlib.contextmanager
def _parsing(response):
    """Raise an error about the response, in one line, if its content is not as expected."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _unexpected_response(response) from None


def _unexpected_response(response):
    text = f"the response is not from Chronos: {response.summary()}"
    return response.error(_http_client.HttpError, text)


def leader(profile=None, **connection):
    """
    Show the leading Chronos. A result also means that it responds, since the other servers ask it.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns ``url``, ``host`` and ``port`` under which the leader announces itself. Chronos up to
    2.4 reveals only that there is a leader: all three are None. Raises CommandExecutionError with
    the error of each server if none of them knows a leader.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.leader
        salt-call chronos.leader url=http://10.0.0.1:4400,http://10.0.0.2:4400
    """
    client, failures = _client(profile, connection), []
    for url in client.urls:
        try:
            return _leader(client.for_server(url, trusted=True))
        except CommandExecutionError as error:
            failures.append(error)
    raise _http_client.combined_error(failures)


def _leader(server):
    # Neither generation has the path of the other, and 2.4 has no such path at all.
    for prefix in (PREFIXES[3], PREFIXES[2]):
        response = server.get(f"{prefix}/leader", allow=(404, 405))
        if response.status == 200:
            return _http_client.leader_address(response)
    _ping(server)
    return {"url": None, "host": None, "port": None}


def api_version(profile=None, **connection):
    """
    Show the generation of the API that the servers have.

    profile, connection
        Connection settings, see ``chronos.connection``. With ``api_version`` nothing is sent.

    Returns 2 (Chronos 2.3 to 2.5, paths below ``/scheduler``) or 3 (Chronos 3.0, paths below
    ``/v1/scheduler``). Chronos does not reveal its exact version.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.api_version
    """
    client = _client(profile, connection)
    __context__.pop(_generation_key(client), None)
    return _generation(client)


def _generation(client):
    setting = client.setting("api_version")
    if setting not in (None, "auto"):
        _arguments.require(str(setting) in ("2", "3"), "api_version", setting, "2, 3 or auto")
        return int(setting)
    key = _generation_key(client)
    if key not in __context__:
        __context__[key] = _detect_generation(client)
    return __context__[key]


def _generation_key(client):
    return f"chronos.api_version:{','.join(client.urls)}"


def _detect_generation(client):
    # Not jobs/summary: a single job with unreadable times makes that fail.
    response = client.get(f"{PREFIXES[3]}/leader", allow=(404, 405))
    if response.status == 200:
        # Another web server may have a page for every path. Fail, so that this is not remembered.
        if "leader" not in response.json():
            raise _unexpected_response(response)
        return 3
    _ping(client)
    return 2


def _request(client, method, path, read_back=None, **options):
    """
    Send a request below the prefix of the generation.

    With ``read_back`` it is a write, see ``Client.write``. Chronos never reports an error with 404,
    so a 404 means that the prefix is wrong: since the generation was detected, the servers may have
    been replaced by others.
    """

    def send(generation):
        if read_back:
            return client.write(method, PREFIXES[generation] + path, read_back, **options)
        return client.request(method, PREFIXES[generation] + path, **options)

    generation = _generation(client)
    try:
        return send(generation)
    except _http_client.NotFound:
        __context__.pop(_generation_key(client), None)
        if _generation(client) == generation:
            raise
        return send(_generation(client))


def _get_from_3(client, path, **options):
    """GET what only Chronos 3 has. Returns None for Chronos 2, also if it is detected only now."""
    if _generation(client) == 2:
        return None
    try:
        return _request(client, "GET", path, **options)
    except _http_client.HttpError:
        if _generation(client) == 3:
            raise
        return None


def _request_about(client, method, path, name, **options):
    """Send a request about a job. Raises NotFound if the job does not exist."""
    try:
        return _request(client, method, path, **options)
    except (_http_client.InvalidRequest, _http_client.ServerError) as error:
        if _means_missing(error.info["message"] or ""):
            raise _no_job(name) from None
        if error.info["message"] in EMPTY_MESSAGES:
            hint = (
                "Only the leader returns the reason of an error: query the server that "
                "chronos.leader shows"
            )
            raise type(error)(f"{error}. {hint}", **error.info) from None
        raise


def _means_missing(message):
    return "not found" in message


def _no_job(name):
    return _http_client.NotFound(f"There is no job called {name!r}")


# --- reading jobs ---


def jobs(profile=None, **connection):
    """
    Show all jobs.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns name to job, sorted by name, with the fields that Chronos returns: ``command``,
    ``cpus``, ``mem`` and ``disk`` (MiB), ``schedule`` (of the next run) and ``scheduleTimeZone`` or
    ``parents``, ``disabled``, ``successCount``, ``errorCount``, ``lastSuccess``, ``lastError`` and
    more. Chronos may list the same files in ``uris`` and ``fetch``; then ``uris`` is empty here.
    Uses ``GET jobs``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.jobs
    """
    return _jobs(_client(profile, connection))


def _jobs(client):
    return _parse_jobs(_request(client, "GET", "/jobs"))


class _Reading(typing.NamedTuple):
    """What a list of jobs contained. ``time`` is that of the monotonic clock, in seconds."""

    leader: "str | None"
    names: frozenset
    time: float


def _settled_jobs(client):
    """
    Return all jobs, to decide what to write or to report a job as missing.

    For up to a second after an election, Chronos 3 returns an empty list. A job that is created
    because it is missing from such a list loses its counters and runs immediately. Therefore an
    empty list, or one that lacks jobs of the previous one, is read again after SETTLE_SECONDS, as
    is any list after a change of leader. Raises CommandExecutionError if the lists keep differing.
    """
    if _generation(client) == 2:
        return _jobs(client)
    key = _reading_key(client)
    for _ in range(MAX_SETTLE_READS):
        previous, leader = __context__.get(key), _leader_url(client)
        jobs = _jobs(client)
        __context__[key] = _Reading(leader, frozenset(jobs), time.monotonic())
        if not _may_be_incomplete(jobs, leader, previous):
            return jobs
        time.sleep(SETTLE_SECONDS)
    raise CommandExecutionError(
        "The list of jobs was different each time it was read, and may be incomplete. "
        "Try again when the leader of Chronos is stable"
    )


def _reading_key(client):
    return f"chronos.reading:{','.join(client.urls)}"


def _may_be_incomplete(jobs, leader, previous):
    if previous is None:
        return not jobs
    if leader != previous.leader or not previous.names <= jobs.keys():
        return True
    return not jobs and time.monotonic() - previous.time > READING_MAX_AGE


def _forget_job(client, name):
    """Do not expect a job that was deleted in the next list."""
    reading = __context__.get(_reading_key(client))
    if reading:
        __context__[_reading_key(client)] = reading._replace(names=reading.names - {name})


def _parse_jobs(response):
    jobs = response.json(list)
    with _parsing(response):
        jobs.sort(key=lambda job: job["name"])
        return {job["name"]: _normalized(job) for job in jobs}


def _normalized(job):
    """Return a copy of a job with its files in ``fetch`` only, and sorted parents."""
    job = dict(job)
    if job.get("fetch") and job.get("uris"):
        job["uris"] = []
    if "parents" in job:
        job["parents"] = sorted(job["parents"])
    return job


def job(name, profile=None, **connection):
    """
    Show a job.

    name
        Name of the job.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns its fields, see ``chronos.jobs``. Raises CommandExecutionError if there is no such job.
    Uses ``GET job/NAME``, for Chronos 2 ``GET jobs``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.job hello
    """
    return _get_job(_client(profile, connection), _chronos_job.check_name(name))


def _get_job(client, name):
    """Return a job. Raises NotFound if it does not exist."""
    job = _find_job(client, name)
    if job is None:
        raise _no_job(name)
    return job


def _find_job(client, name):
    """Return a job, None if it does not exist."""
    response = _get_from_3(client, f"/job/{_http_client.quote(name)}", allow=(400,))
    if response is None:
        return _jobs(client).get(name)
    if response.status == 200:
        job = response.json()
        if job.get("name") != name:
            raise _unexpected_response(response)
        return _normalized(job)
    if _means_missing(response.summary()):
        return None
    # A server that does not lead forwards 400 without a message, which may have any reason.
    return _jobs(client).get(name)


def job_exists(name, profile=None, **connection):
    """
    Check whether a job exists.

    name
        Name of the job.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns True or False. An empty list of jobs is read again after two seconds, since a leader
    that was just elected has not loaded them. Raises CommandExecutionError if Chronos cannot be
    queried.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.job_exists hello
    """
    client, name = _client(profile, connection), _chronos_job.check_name(name)
    return _find_job(client, name) is not None or name in _settled_jobs(client)


def jobs_summary(profile=None, **connection):
    """
    Show a summary of all jobs.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns name to ``status`` (``success``, ``failure``, or ``fresh`` before the first run),
    ``state`` (``idle``, ``queued``, or for example ``1 running``), ``schedule``, ``parents`` and
    ``disabled``, sorted by name. Uses ``GET jobs/summary``, for Chronos 2 ``GET jobs`` and
    ``GET graph/csv``. A job whose times Chronos cannot parse makes both fail: then the jobs alone
    are used, and every state is ``unknown``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.jobs_summary
    """
    return _summaries(_client(profile, connection))


def _summaries(client):
    jobs = None
    try:
        response = _get_from_3(client, "/jobs/summary")
        if response is not None:
            return _parse_summaries(response)
    except (_http_client.InvalidRequest, _http_client.ServerError):
        jobs = _jobs(client)
    nodes = _graph(client) if jobs is None else _graph_of(jobs)
    summaries = {}
    for name, job in (_jobs(client) if jobs is None else jobs).items():
        node = nodes.get(name, {})
        summaries[name] = {
            "status": node.get("status", "fresh"),
            "state": node.get("state", "idle"),
            "schedule": job.get("schedule", ""),
            "parents": job.get("parents", []),
            "disabled": job.get("disabled", False),
        }
    return summaries


def _parse_summaries(response):
    content = response.json()
    summaries = {}
    with _parsing(response):
        for job in sorted(content["jobs"], key=lambda job: job["name"]):
            fields = {field: value for field, value in job.items() if field != "name"}
            summaries[job["name"]] = {**fields, "parents": sorted(fields["parents"])}
    return summaries


def search(name=None, command=None, any=None, limit=0, offset=0, profile=None, **connection):
    """
    Find jobs by parts of their names and commands. Case is ignored.

    name, command
        Text that the name, or the command, must contain. Default: any name and command.

    any
        Text that the name or the command must contain. Default: any text.

    limit, offset
        How many jobs to return at most, default 0 for all of them; and how many to skip, default 0.
        The order is that of Chronos, not by name; with ``any`` it is by name.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns name to job, see ``chronos.jobs``. Uses ``GET jobs/search``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.search hello
        salt-call chronos.search command=echo limit=5
    """
    texts = {"name": name, "command": command, "any": any}
    for argument, value in texts.items():
        _arguments.require(value is None or isinstance(value, str), argument, value, "text")
    for argument, value in (("limit", limit), ("offset", offset)):
        is_valid = _chronos_job.is_count(value) and value <= SEARCH_LIMIT
        _arguments.require(is_valid, argument, value, f"a number from 0 to {SEARCH_LIMIT}")
    params = {"name": name, "command": command, "limit": limit or SEARCH_LIMIT, "offset": offset}
    client = _client(profile, connection)
    if any is None:
        return _parse_jobs(_request(client, "GET", "/jobs/search", params=params))
    # Chronos adds the jobs that match "any" to the others, instead of restricting the result.
    params = {**params, "limit": SEARCH_LIMIT, "offset": 0}
    jobs = _parse_jobs(_request(client, "GET", "/jobs/search", params=params))
    matches = [job for job in jobs if _mentions(jobs[job], any)]
    end = offset + limit if limit else None
    return {job: jobs[job] for job in matches[offset:end]}


def _mentions(job, text):
    """Return whether the name or the command of a job contains a text. Case is ignored."""
    texts = (job["name"], job.get("command", ""))
    return text.lower() in "\n".join(texts).lower()


def stats(percentile="99thPercentile", profile=None, **connection):
    """
    Show how long the runs of each job take.

    percentile
        ``99thPercentile`` (default), ``98thPercentile``, ``95thPercentile``, ``75thPercentile``, or
        just the number of one of these; ``median`` or ``mean``.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns name to duration, as Chronos measures it, the longest first. Uses
    ``GET stats/PERCENTILE``. A new leader starts without measurements.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.stats
        salt-call chronos.stats mean
    """
    by_number = f"{percentile}thPercentile"
    statistic = by_number if by_number in PERCENTILES else percentile
    _arguments.require(
        statistic in PERCENTILES, "percentile", percentile, f"one of {', '.join(PERCENTILES)}"
    )
    response = _request(_client(profile, connection), "GET", f"/stats/{statistic}")
    entries = response.json(list)
    with _parsing(response):
        entries.sort(key=lambda entry: (-entry["time"], entry["jobNameLabel"]))
        return {entry["jobNameLabel"]: entry["time"] for entry in entries}


def job_stats(name, profile=None, **connection):
    """
    Show how long the runs of a job take.

    name
        Name of the job.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns ``histogram`` (``count``, ``mean``, ``median``, ``75thPercentile`` and more; durations
    as Chronos measures them) and ``history`` (a list, empty unless Chronos uses Cassandra). Raises
    CommandExecutionError if there is no such job. Uses ``GET job/stat/NAME``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.job_stats hello
    """
    client = _client(profile, connection)
    path = f"/job/stat/{_http_client.quote(_chronos_job.check_name(name))}"
    content = _request_about(client, "GET", path, name).json()
    return {
        "histogram": content.get("histogram", {}),
        "history": content.get("taskStatHistory", []),
    }


# --- dependencies ---


def graph(format="dict", profile=None, **connection):
    """
    Show which jobs run after which.

    format
        ``dict`` (default), ``csv`` (lines ``node,NAME,STATUS,STATE`` and ``link,PARENT,CHILD``) or
        ``dot`` (for Graphviz).

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns text; for ``dict`` name to ``status`` and ``state`` (see ``chronos.jobs_summary``),
    ``parents`` and ``children``, sorted by name. Uses ``GET graph/csv`` and ``GET graph/dot``. If
    ``dict`` is not available from Chronos because a job has times that it cannot parse, it is made
    from ``GET jobs``, and every state is ``unknown``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.graph
        salt-call chronos.graph dot
    """
    _arguments.require(format in ("dict", "csv", "dot"), "format", format, "dict, csv or dot")
    client = _client(profile, connection)
    if format == "dict":
        return _graph(client)
    return _request(client, "GET", f"/graph/{format}").text()


def _graph(client):
    try:
        response = _request(client, "GET", "/graph/csv")
    except (_http_client.InvalidRequest, _http_client.ServerError):
        return _graph_of(_jobs(client))
    lines = sorted(line.split(",") for line in response.text().splitlines() if line)
    nodes = {}
    with _parsing(response):
        for kind, *_ in lines:
            if kind not in ("node", "link"):
                raise _unexpected_response(response)
        for _, name, status, state in [line for line in lines if line[0] == "node"]:
            nodes[name] = {"status": status, "state": state, "parents": [], "children": []}
        for _, parent, child in [line for line in lines if line[0] == "link"]:
            nodes[parent]["children"].append(child)
            nodes[child]["parents"].append(parent)
    return nodes


def _graph_of(jobs):
    """Return the graph of jobs without what only Chronos knows, their state."""
    nodes = {}
    for name, job in jobs.items():
        nodes[name] = {
            "status": _status(job),
            "state": "unknown",
            "parents": list(job.get("parents", [])),
            "children": [child for child in jobs if name in jobs[child].get("parents", [])],
        }
    return nodes


def _status(job):
    """Return how the last run of a job ended, ``unknown`` if its times are not valid."""
    success, error = job.get("lastSuccess", ""), job.get("lastError", "")
    if not success and not error:
        return "fresh"
    if success and error and not (success[:1].isdigit() and error[:1].isdigit()):
        return "unknown"
    return "success" if success >= error else "failure"


def children(name, profile=None, **connection):
    """
    List the jobs that run after a job.

    name
        Name of the job.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns the sorted names of the jobs that have it as a parent. Raises CommandExecutionError if
    there is no such job.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.children hello
    """
    return _relatives(name, "children", profile, connection)


def parents(name, profile=None, **connection):
    """
    List the jobs that a job runs after.

    name
        Name of the job.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns their sorted names; an empty list for a job with a schedule. Raises
    CommandExecutionError if there is no such job.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.parents hello-report
    """
    return _relatives(name, "parents", profile, connection)


def _relatives(name, kind, profile, connection):
    nodes = _graph(_client(profile, connection))
    if _chronos_job.check_name(name) not in nodes:
        raise _no_job(name)
    return nodes[name][kind]


def summary(profile=None, **connection):
    """
    Show Chronos on one screen.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns ``leader`` (None for Chronos 2.4, which does not reveal it), ``api_version``, ``jobs``
    (how many there are, with a schedule, dependent and disabled, by the status of the last run and
    by state), ``failing`` (name to the time of the last failure and the number of failures since
    the last success), ``disabled`` (names), ``next`` (name to the time of the next run) and
    ``dependents`` (name to the jobs that run after it). The last four are cut after ten entries,
    with a note of how many were omitted.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.summary
    """
    client = _client(profile, connection)
    jobs, nodes = _jobs(client), _graph(client)
    dependents = {name: node["children"] for name, node in nodes.items() if node["children"]}
    next_runs = sorted(_next_runs(jobs), key=lambda run: run[1])
    return {
        "leader": _leader_url(client),
        "api_version": _generation(client),
        "jobs": _job_counts(jobs, nodes),
        "failing": _text.shorten_list(_failing(jobs, nodes)),
        "disabled": _text.shorten_list([name for name, job in jobs.items() if job.get("disabled")]),
        "next": _text.shorten_list(dict(next_runs)),
        "dependents": _text.shorten_list(dependents),
    }


def _job_counts(jobs, nodes):
    scheduled = sum("parents" not in job for job in jobs.values())
    counts = {
        "total": len(jobs),
        "scheduled": scheduled,
        "dependent": len(jobs) - scheduled,
        "disabled": sum(job.get("disabled", False) for job in jobs.values()),
    }
    for status in STATUSES:
        counts[status] = sum(status in node["status"] for node in nodes.values())
    for state in STATES:
        counts[state] = sum(state in node["state"] for node in nodes.values())
    return counts


def _failing(jobs, nodes):
    failing = {}
    for name, job in jobs.items():
        error_count = job.get("errorsSinceLastSuccess", 0)
        if error_count or nodes.get(name, {}).get("status") == "failure":
            last_error = job.get("lastError") or "never"
            failing[name] = f"{last_error}, {error_count} since the last success"
    return failing


def _leader_url(client):
    try:
        response = _request(client, "GET", "/leader", allow=(405,)).raise_for_status()
    except _http_client.NotFound:
        return None
    return _http_client.leader_address(response)["url"]


def _next_runs(jobs):
    """Yield name and time of the next run of each job that has one."""
    for name, job in jobs.items():
        try:
            schedule, zone = job["schedule"], job.get("scheduleTimeZone", "")
            if job["disabled"] or _chronos_schedule.parse(schedule).repeat == 0:
                continue
            start = _chronos_schedule.start_time(schedule, zone)
        except (KeyError, ValueError):
            continue  # A job with parents, or a schedule that only Chronos can parse.
        if start is None:
            yield name, "at once"
        else:
            yield name, start.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- comparing ---


def schedule_equivalent(desired, current, tz="", match="equivalent"):
    """
    Check whether a schedule is the same as another one after some runs. Sends no request.

    desired
        The schedule as it was written, such as ``R/2030-01-01T00:00:00Z/PT24H``.

    current
        The schedule that Chronos shows. With each run Chronos moves the start to the next run and
        lowers the number of repetitions.

    tz
        The time zone of the job, such as ``Europe/Berlin``. It takes precedence over the offsets in
        both schedules. Default: none.

    match
        ``equivalent`` (default): the same period and phase, and unlimited or no more repetitions;
        an empty desired start matches any start. ``period``: the start does not matter.
        ``strict``: the same start and number of repetitions, in any spelling.

    Returns True or False. ``PT24H`` and ``P1D`` are the same unless the zone has summer time.
    Raises SaltInvocationError for an invalid schedule.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.schedule_equivalent R/2018-01-01T00:00Z/PT24H R/2026-05-04T00:00Z/P1D
        salt-call chronos.schedule_equivalent R/2018-01-01/P1D R/2026-07-01/P1D tz=Europe/Berlin
    """
    _chronos_job.check_match(match)
    _arguments.require(isinstance(tz, str), "tz", tz, "the name of a time zone")
    for argument, value in (("desired", desired), ("current", current)):
        _chronos_job.parse_schedule(argument, value)
    return _chronos_schedule.equivalent(desired, current, tz, match)


def canonical_job(config, version=None):
    """
    Return a job in the canonical form that is used to compare jobs. Sends no request.

    config
        Fields of a job, a mapping.

    version
        The version of Chronos, such as ``3.0.2``, which decides the default of ``extract`` in
        ``fetch``. Default: unknown, ``extract`` stays None.

    Returns the fields without those that are null, the counters, and resources of 0 (which mean the
    default). ``uris`` become ``fetch``, lists whose order does not matter are sorted, and entries
    of ``fetch`` and ``container`` are completed with defaults. Raises SaltInvocationError for
    unknown fields, and for values that Chronos would drop or misunderstand.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.canonical_job '{command: echo, uris: ["http://10.0.0.1/a.tgz"], cpus: 0}'
        salt-call chronos.canonical_job '{uris: ["http://10.0.0.1/a.tgz"]}' version=3.0.2
    """
    is_valid = version is None or re.fullmatch(r"\d+\.\d+(\.\d+)?", str(version))
    _arguments.require(is_valid, "version", version, "a version such as 3.0.2")
    job = _chronos_job.canonical(_chronos_job.validate(config)[0])
    if version is not None:
        numbers = tuple(int(part) for part in str(version).split("."))
        for entry in job.get("fetch", []):
            if entry["extract"] is None:
                entry["extract"] = numbers >= _chronos_job.EXTRACT_DEFAULT_VERSION
    return job


def diff_job(name, config, replace=False, match="equivalent", profile=None, **connection):
    """
    Show what ``chronos.put_job`` would change. Changes nothing.

    name
        Name of the job.

    config
        Fields of the job, a mapping, see ``chronos.put_job``.

    replace
        Whether fields that are not in ``config`` should have their defaults. Default False: they
        are not compared.

    match
        How to compare schedules, see ``chronos.schedule_equivalent``. Default ``equivalent``.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns field to ``old`` and ``new`` for the fields that differ; ``old`` is None for a new job.
    A job that Chronos has disabled because it has no runs left does not differ.
    Raises SaltInvocationError as ``chronos.put_job`` does.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.diff_job hello '{schedule: R/2030-01-01T00:00:00Z/PT12H, retries: 3}'
    """
    _chronos_job.check_match(match)
    client = _client(profile, connection)
    fields, _ = _chronos_job.validate(config, _chronos_job.check_name(name))
    _chronos_job.remove_unsupported_fields(fields, _generation(client))
    return _chronos_job.changed_fields(_find_job(client, name), fields, replace, match)


# --- writing jobs ---


class _Plan(typing.NamedTuple):
    """What put_jobs has to write: mappings by name of the job, and who led when they were read."""

    leader: "str | None"
    current_jobs: Mapping
    fields_by_job: Mapping
    changes: Mapping


class _WriteOptions(typing.NamedTuple):
    """Arguments of the functions that write jobs, see put_job."""

    replace: bool = False
    preserve_counters: bool = True
    reset_schedule: bool = False
    match: str = "equivalent"
    wait: float = 10

    def check(self):
        """Raise SaltInvocationError for invalid values."""
        _chronos_job.check_match(self.match)
        is_valid = _chronos_job.is_number(self.wait) and self.wait <= MAX_WAIT
        _arguments.require(is_valid, "wait", self.wait, f"a number of seconds from 0 to {MAX_WAIT}")
        _check_flags(
            replace=self.replace,
            preserve_counters=self.preserve_counters,
            reset_schedule=self.reset_schedule,
        )

    def changes(self, current, fields):
        """Return what to change in a job, as field to ``old`` and ``new``."""
        return _chronos_job.changed_fields(
            current,
            fields,
            self.replace,
            self.match,
            self.preserve_counters,
            self.reset_schedule,
        )

    def body(self, name, current, fields, changes):
        """Return the complete job to send."""
        if current is None:
            return {"name": name, **fields}
        return _chronos_job.merge(current, fields, changes, self.replace, self.preserve_counters)


def _check_flags(**flags):
    for argument, value in flags.items():
        _arguments.require(isinstance(value, bool), argument, value, "true or false")


def put_job(
    name,
    config,
    replace=False,
    preserve_counters=True,
    reset_schedule=False,
    match="equivalent",
    wait=10,
    profile=None,
    **connection,
):
    """
    Create a job, or change an existing one.

    name
        Name of the job: letters, digits and any of ``. _ -``; for Chronos 2 also spaces and ``#``.

    config
        Fields of the job, a mapping as in Chronos' JSON: ``command``, and ``schedule``
        (repetitions, start and period, such as ``R/2030-01-01T00:00:00Z/PT24H``) with
        ``scheduleTimeZone``, or ``parents`` (names of jobs to run after); ``cpus``, ``mem`` and
        ``disk`` (MiB; 0 means the default of the server), ``retries``, ``environmentVariables`` (a
        list of ``name`` and ``value``, or a mapping), ``constraints`` (``[[rack, EQUALS, r1]]``),
        ``uris`` or ``fetch``, ``container``, ``runAsUser``, ``owner``, ``description``,
        ``disabled`` and more. A field that is null counts as omitted, also within ``container`` and
        ``fetch``. A field that Chronos does not have is ignored with a warning, unless it looks
        like a misspelt one.

    replace
        Whether omitted fields get their defaults, also those of ``container``. Default False: they
        stay as they are.

    preserve_counters
        Whether the numbers of successes and errors stay. Default True.

    reset_schedule
        Whether to send the schedule as it is in ``config`` even if that of the server is
        equivalent. Default False, since Chronos 3 immediately runs a job whose start is in the
        past.

    match
        How to compare schedules, see ``chronos.schedule_equivalent``. Default ``equivalent``.

    wait
        Seconds to wait until a new job exists, 0 to 3600, default 10. Chronos 3 accepts a job
        before it creates or drops it.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns ``created``, ``changes`` (as ``chronos.diff_job``; without any, nothing is sent),
    ``warnings`` (a list of messages) and ``job``, the resulting job.

    Raises SaltInvocationError for misspelt fields, and for values that Chronos would drop or
    misunderstand, before anything is sent. Raises CommandExecutionError for parents that do not
    exist, and if the job does not exist in the end. An empty list of jobs is read again after two
    seconds, since a leader that was just elected has not loaded them. Uses ``POST iso8601`` and
    ``POST dependency``; with concurrent writes the last one wins.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.put_job hello '{command: echo, schedule: R/2030-01-01T00:00:00Z/PT24H}'
        salt-call chronos.put_job hello '{description: Says hello, retries: 3}'
    """
    options = _WriteOptions(replace, preserve_counters, reset_schedule, match, wait)
    return _put_job(name, config, options, profile, connection)


def create_job(name, config, wait=10, profile=None, **connection):
    """
    Create a job.

    name, config, wait
        As for ``chronos.put_job``.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns the same as ``chronos.put_job``. Raises CommandExecutionError if the job exists, and
    otherwise the same errors as ``chronos.put_job``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.create_job good-night '{command: echo good night, parents: [hello]}'
    """
    options = _WriteOptions(wait=wait)
    return _put_job(name, config, options, profile, connection, may_exist=False)


def update_job(
    name,
    config,
    replace=False,
    preserve_counters=True,
    reset_schedule=False,
    match="equivalent",
    profile=None,
    **connection,
):
    """
    Change a job.

    name, config, replace, preserve_counters, reset_schedule, match
        As for ``chronos.put_job``.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns the same as ``chronos.put_job``. Raises CommandExecutionError if there is no such job,
    and otherwise the same errors as ``chronos.put_job``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.update_job hello '{command: echo hello again}'
        salt-call chronos.update_job hello '{schedule: R/2031-01-01/P1D}' reset_schedule=True
    """
    options = _WriteOptions(replace, preserve_counters, reset_schedule, match, POLL_INTERVAL)
    return _put_job(name, config, options, profile, connection, may_be_new=False)


def put_jobs(
    jobs,
    replace=False,
    preserve_counters=True,
    reset_schedule=False,
    match="equivalent",
    wait=10,
    absent=(),
    owner_name=None,
    purge=False,
    test=False,
    foreseen=None,
    profile=None,
    **connection,
):
    """
    Create, change and delete many jobs, parents first. If any of them is invalid, nothing is sent.

    jobs
        Name to fields, a mapping, see ``chronos.put_job``. Parents may be among them, or already
        exist.

    replace, match
        As for ``chronos.put_job``.

    preserve_counters, reset_schedule
        As for ``chronos.put_job``, but they apply only to jobs that change anyway.

    wait
        Seconds to wait until new jobs exist, 0 to 3600, default 10; once per level of the
        dependencies.

    absent
        Names of jobs to delete, a list, children first. Their tasks are killed. Default: none.

    owner_name
        The ``ownerName`` of all these jobs, which Chronos only displays. Default: a field as any
        other.

    purge
        Whether to delete the jobs that have this ``owner_name`` and are not in ``jobs``. Default
        False.

    test
        True: send nothing, and return what would be done. Default False.

    foreseen
        Only with ``test``: name to the list of parents that a job will have by then, None for a job
        that will have been deleted. Default: nothing.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns ``created`` (a list of names), ``changes`` (of the jobs that were written, name to the
    same as ``chronos.diff_job``), ``deleted`` (name to the former job), ``lost`` (name to the
    fields that Chronos did not store as they were sent) and ``warnings`` (name to a list).

    Raises SaltInvocationError for invalid fields, as ``chronos.put_job``, and CommandExecutionError
    for parents that do not exist or are to be deleted, and for cycles; with all errors, before
    anything is sent. Raises CommandExecutionError at the first job that cannot be written; its
    ``info["done"]`` is what would have been returned for the jobs before.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.put_jobs '{day: {schedule: R/2030-01-01T00:00:00Z/P1D}}' owner_name=ops
        salt-call chronos.put_jobs '{evening: {parents: [hello]}}' absent='[morning]' test=True
    """
    options = _WriteOptions(replace, preserve_counters, reset_schedule, match, wait)
    options.check()
    _check_flags(purge=purge, test=test)
    _check_many(jobs, absent, owner_name, purge)
    client = _client(profile, connection)
    generation, current_jobs = _generation(client), _settled_jobs(client)
    fields_by_job, warnings, errors = _chronos_job.validate_all(
        jobs, current_jobs, generation, owner_name
    )
    deleted_names = [
        name
        for name, job in current_jobs.items()
        if name in absent or (purge and job.get("ownerName") == owner_name and name not in jobs)
    ]
    parents_of = _chronos_job.parents_by_job(current_jobs, foreseen, fields_by_job)
    graph = {name: {"parents": parents} for name, parents in parents_of.items()}
    _raise_errors(errors, _chronos_job.parent_errors(graph, fields_by_job, deleted_names))
    changes = {}
    for name, fields in fields_by_job.items():
        current = current_jobs.get(name)
        if _chronos_job.changed_fields(current, fields, replace, match):
            changes[name] = options.changes(current, fields)
            body = options.body(name, current, fields, changes[name])
            warnings[name] += _chronos_job.schedule_warnings(body, generation)
        if current is not None:
            warnings[name] += _chronos_job.counter_warnings(current, fields)
    plan = _Plan(_leader_read(client), current_jobs, fields_by_job, changes)
    done = {
        "created": [],
        "changes": {},
        "deleted": {},
        "lost": {},
        "warnings": {name: messages for name, messages in warnings.items() if messages},
    }
    if test:
        return {
            **done,
            "created": [name for name in changes if name not in current_jobs],
            "changes": changes,
            "deleted": {name: current_jobs[name] for name in deleted_names},
        }
    order = list(_chronos_job.in_parent_order(graph))
    try:
        for names in order:
            _write_jobs(client, [name for name in names if name in changes], plan, options, done)
        for names in reversed(order):
            for name in names:
                if name in deleted_names:
                    deletion = delete_job(name, profile=profile, **connection)
                    done["deleted"][name] = deletion["deleted"]
    except CommandExecutionError as error:
        info = getattr(error, "info", None) or {}
        raise _http_client.HttpError(str(error), **{**info, "done": done}) from None
    return done


def _check_many(jobs, absent, owner_name, purge):
    """Raise SaltInvocationError for invalid arguments of put_jobs."""
    _arguments.require(isinstance(jobs, Mapping), "jobs", jobs, "a mapping of names to fields")
    _arguments.require(
        owner_name is None or (_chronos_job.is_text(owner_name) and owner_name),
        "owner_name",
        owner_name,
        "text. A number needs quotes",
    )
    _arguments.require(
        _chronos_job.is_text_list(absent) or absent == (),
        "absent",
        absent,
        "a list of names of jobs",
    )
    contradictory = [name for name in absent if name in jobs]
    if contradictory:
        raise SaltInvocationError(
            f"absent: {', '.join(contradictory)} should not be in jobs as well"
        )
    _arguments.require(
        owner_name or not purge,
        "purge",
        purge,
        "False without owner_name, which limits what may be deleted",
    )


def _write_jobs(client, names, plan, options, done):
    """Write jobs, wait for them, and record in ``done`` what was changed."""
    bodies = {}
    _check_new_jobs(client, [name for name in names if name not in plan.current_jobs], plan.leader)
    for name in names:
        current = None
        if name in plan.current_jobs:
            # Read it again: an outdated schedule would repeat a run.
            current = _get_job(client, name)
        changes = plan.changes[name]
        bodies[name] = options.body(name, current, plan.fields_by_job[name], changes)
        _post(client, bodies[name], changes, options.wait)
        done["changes"][name] = changes
        if current is None:
            done["created"].append(name)
    _check_written(client, bodies, plan.fields_by_job, options.wait, done)


def _leader_read(client):
    """Return who led when the jobs were read to be changed, None if it is unknown."""
    reading = __context__.get(_reading_key(client))
    return reading.leader if reading else None


def _check_new_jobs(client, new_names, leader):
    """Raise Conflict if jobs exist that are to be created, which a change of leader can reveal."""
    if not new_names or _generation(client) == 2 or _leader_url(client) == leader:
        return
    jobs = _settled_jobs(client)
    existing = [name for name in new_names if name in jobs]
    if existing:
        raise _http_client.Conflict(
            f"{', '.join(existing)}: exists, although the former leader {leader} did not have it. "
            "Apply the change again"
        )


def _raise_errors(field_errors, parent_errors):
    """Raise all errors at once, if there are any."""
    if parent_errors:
        raise CommandExecutionError("; ".join(field_errors + parent_errors))
    if field_errors:
        raise SaltInvocationError("; ".join(field_errors))


def _put_job(name, config, options, profile, connection, may_be_new=True, may_exist=True):
    options.check()
    fields, warnings = _chronos_job.validate(config, _chronos_job.check_name(name))
    client = _client(profile, connection)
    generation = _generation(client)
    warnings += _chronos_job.remove_unsupported_fields(fields, generation)
    all_jobs = _settled_jobs(client)
    # Unlike the job itself, the list has both uris and fetch, whichever was sent.
    current = _get_job(client, name) if name in all_jobs else None
    if current is None and not may_be_new:
        raise _no_job(name)
    if current is not None and not may_exist:
        raise _http_client.Conflict(f"There is a job called {name!r} already")
    _chronos_job.check_parents(name, fields.get("parents", []), all_jobs)
    if current is None:
        _chronos_job.check_new(name, fields, generation)
    changes = options.changes(current, fields)
    body = options.body(name, current, fields, changes)
    warnings += _chronos_job.schedule_warnings(body, generation)
    if current is not None:
        warnings += _chronos_job.counter_warnings(current, fields)
    if not changes:
        return {"created": False, "changes": {}, "warnings": warnings, "job": current}
    if current is None:
        _check_new_jobs(client, [name], _leader_read(client))
    job = _post(client, body, changes, options.wait) or _wait_for_job(client, name, options.wait)
    if job is None:
        raise CommandExecutionError(_explain_missing(client, name, body))
    lost_fields = _chronos_job.lost_fields(job, fields)
    if lost_fields:
        warnings.append(f"Chronos did not store as sent: {', '.join(lost_fields)}")
    return {"created": current is None, "changes": changes, "warnings": warnings, "job": job}


def _check_written(client, bodies, fields_by_job, wait, done):
    """Wait for jobs that were posted, and record in ``done`` which exist and what they lost."""
    jobs_by_name = _wait_for_jobs(client, list(bodies), wait)
    missing = [name for name in bodies if name not in jobs_by_name]
    for name in missing:
        del done["changes"][name]
    done["created"] = [name for name in done["created"] if name in done["changes"]]
    for name, job in jobs_by_name.items():
        lost_fields = _chronos_job.lost_fields(job, fields_by_job[name])
        if lost_fields:
            done["lost"][name] = lost_fields
    if missing:
        name = missing[0]
        raise CommandExecutionError(_explain_missing(client, name, bodies[name]))


def _post(client, body, changes, wait):
    """Post a job. Returns the job that was read back if the response was lost, otherwise None."""
    name = body["name"]
    comparable = {
        field: value for field, value in body.items() if field not in _chronos_job.COUNTERS
    }

    def read_back():
        job = _wait_for_job(client, name, wait)
        if job is None or _chronos_job.diff(job, comparable):
            return None
        reset_counters = changes["counters"]["new"] if "counters" in changes else ()
        if any(job.get(counter) for counter in reset_counters):
            return None
        return job

    endpoint = "/dependency" if "parents" in body else "/iso8601"
    try:
        result = _request_about(client, "POST", endpoint, name, body=body, read_back=read_back)
    except _http_client.HttpError as error:
        # A server that does not lead may return an empty 400 although the leader stored the job.
        has_no_reason = error.info["message"] in EMPTY_MESSAGES
        job = read_back() if has_no_reason else None
        if job is None:
            raise type(error)(f"{name}: {error}", **error.info) from None
        return job
    return result.read_back


def _wait_for_job(client, name, wait):
    """Return a job as soon as it exists, None if it does not in time."""
    return _wait_for_jobs(client, [name], wait).get(name)


def _wait_for_jobs(client, names, wait):
    """Return jobs by name as soon as all exist; after the wait those that do."""
    deadline = time.monotonic() + wait
    while True:
        jobs = _find_jobs(client, names)
        existing = {name: jobs[name] for name in names if jobs.get(name)}
        if len(existing) == len(names) or time.monotonic() >= deadline:
            return existing
        time.sleep(POLL_INTERVAL)


def _find_jobs(client, names):
    """Return jobs by name, with one request. Those that do not exist may be None or missing."""
    if len(names) > 1:
        return _jobs(client)
    return {name: _find_job(client, name) for name in names}


def _explain_missing(client, name, body):
    """Return why a job that Chronos has just accepted may not exist."""
    missing_parents = sorted(set(body.get("parents", [])) - set(_jobs(client)))
    if missing_parents:
        reason = (
            f"its parents {', '.join(missing_parents)} do not exist any more, "
            "and Chronos hides such a job until they do"
        )
    else:
        reason = "it was deleted by another client, or Chronos needs more time (argument wait)"
    return f"Chronos accepted the job {name!r}, but it does not exist: {reason}"


def import_(jobs, dry_run=False, wait=10, profile=None, **connection):
    """
    Create and update jobs from ``chronos.jobs``. Nothing is deleted, and unchanged ones are not
    sent.

    jobs
        The result of ``chronos.jobs``, or a part of it. Parents may be among them, or already
        exist.

    dry_run
        True: only return what would change. Default False.

    wait
        Seconds to wait until new jobs exist, see ``chronos.put_jobs``.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns ``created`` and ``changed`` (lists of names), ``rescheduled`` (name to the new schedule,
    None for a job that is disabled instead) and ``warnings`` (name to a list of messages).

    Runs that were missed are not made up for: a start in the past moves to the next run, with the
    same number of repetitions, as Chronos 3 would run the job at once. A job without a period whose
    run was missed is disabled. A new job keeps its counters. Raises what ``chronos.put_jobs``
    raises.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.import '{imported: {schedule: R5/2020-01-01T00:00:00Z/PT1H}}' dry_run=True
    """
    _arguments.require(isinstance(jobs, Mapping), "jobs", jobs, "a mapping of names to fields")
    for name, job in jobs.items():
        _arguments.require(isinstance(job, Mapping), f"jobs: {name}", job, "a mapping of fields")
    current_jobs = _settled_jobs(_client(profile, connection))
    now = datetime.datetime.now(datetime.timezone.utc)
    fields_by_job = {}
    rescheduled = {}
    for name, job in jobs.items():
        fields, is_rescheduled = _chronos_job.importable(job, current_jobs.get(name), now)
        fields_by_job[name] = fields
        if is_rescheduled:
            is_moved = fields["schedule"] != job["schedule"]
            rescheduled[name] = fields["schedule"] if is_moved else None
    result = put_jobs(
        fields_by_job, replace=True, wait=wait, test=dry_run, profile=profile, **connection
    )
    written = result["changes"]
    return {
        "created": result["created"],
        "changed": [name for name in written if name not in result["created"]],
        "rescheduled": {name: rescheduled[name] for name in rescheduled if name in written},
        "warnings": result["warnings"],
    }


def delete_job(name, children="refuse", test=False, foreseen=None, profile=None, **connection):
    """
    Delete a job, and kill its tasks.

    name
        Name of the job.

    children
        ``refuse`` (default): fail if other jobs run after it. ``allow``: Chronos gives those jobs
        the parents of the deleted job; or, if it has a schedule, that schedule, and resets most of
        their other fields.

    test, foreseen
        As for ``chronos.put_jobs``.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns ``deleted`` (the former job) and ``children``: name to the fields that changed, each
    with ``old`` and ``new``. Raises CommandExecutionError if there is no such job, and if it has
    children and ``children`` is ``refuse``. Uses ``DELETE job/NAME``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.delete_job hello-report
        salt-call chronos.delete_job hello children=allow
    """
    _arguments.require(children in ("refuse", "allow"), "children", children, "refuse or allow")
    _check_flags(test=test)
    client, name = _client(profile, connection), _chronos_job.check_name(name)
    before = _settled_jobs(client)
    if name not in before:
        raise _no_job(name)
    parents_of = _chronos_job.parents_by_job(before, foreseen)
    child_names = [child for child, parents in parents_of.items() if name in parents]
    if child_names and children == "refuse":
        raise _http_client.Conflict(
            f"{', '.join(child_names)} run after {name!r}, and Chronos would reset most of their "
            "fields. Delete them first, or set children=allow"
        )
    if test:
        after = {
            child: _chronos_job.after_parent_deletion(before[child], before[name])
            for child in child_names
            if child in before
        }
    else:
        path = f"/job/{_http_client.quote(name)}"
        _request_about(
            client, "DELETE", path, name, read_back=lambda: _find_job(client, name) is None
        )
        _forget_job(client, name)
        after = _jobs(client) if child_names else {}
    child_changes = {
        child: _chronos_job.differences(before.get(child, {}), after.get(child, {}))
        for child in child_names
    }
    return {"deleted": before[name], "children": child_changes}


# --- runs ---


def run_job(name, arguments=None, profile=None, **connection):
    """
    Run a job now.

    name
        Name of the job.

    arguments
        Text to append to its command for this run, instead of its own arguments. It must not
        contain ``;``, which Chronos would remove. Needs Chronos 2.5. Default: none.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns True as soon as the run is queued. For Chronos 3 it takes one repetition of the
    schedule. Raises CommandExecutionError if there is no such job; if it is disabled, or a run of
    it waits for resources already (Chronos 3), since Chronos would accept the request and run
    nothing; and if the response was lost, so that it is not known whether the job runs; see
    ``chronos.jobs_summary``. Uses ``PUT job/NAME``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.run_job hello
        salt-call chronos.run_job hello arguments='--loud'
    """
    client, name = _client(profile, connection), _chronos_job.check_name(name)
    _arguments.require(
        arguments is None or isinstance(arguments, str),
        "arguments",
        arguments,
        "text. A number needs quotes",
    )
    _arguments.require(
        ";" not in (arguments or ""),
        "arguments",
        arguments,
        "without a ;, which Chronos would remove",
    )
    if arguments:
        _require_2_5(client, "arguments for a single run")
    _check_can_run(client, name)
    path = f"/job/{_http_client.quote(name)}"
    _request_about(client, "PUT", path, name, params={"arguments": arguments or None})
    return True


def _check_can_run(client, name):
    """Raise Conflict if Chronos would accept a run of a job, and then run nothing."""
    if _get_job(client, name).get("disabled"):
        raise _http_client.Conflict(
            f"The job {name!r} is disabled, so Chronos would not run it. Enable it first"
        )
    if _generation(client) == 3 and _summaries(client).get(name, {}).get("state") == "queued":
        raise _http_client.Conflict(
            f"A run of {name!r} is already waiting for resources, and Chronos would drop another"
        )


def mark_success(name, profile=None, **connection):
    """
    Record a success of a job, and start the jobs that wait for it.

    name
        Name of the job.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns True. Raises CommandExecutionError if there is no such job, and for Chronos before 2.5,
    which cannot do this. Uses ``PUT job/success/NAME``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.mark_success hello
    """
    client, name = _client(profile, connection), _chronos_job.check_name(name)
    _require_2_5(client, "chronos.mark_success")
    path = f"/job/success/{_http_client.quote(name)}"
    response = _request_about(client, "PUT", path, name)
    if "true" not in response.text():
        raise _no_job(name)
    return True


def kill_tasks(name, profile=None, **connection):
    """
    Kill all tasks of a job. The job stays, and its next run starts as scheduled.

    name
        Name of the job.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns True, also if it has no task. Raises CommandExecutionError if there is no such job. Uses
    ``DELETE task/kill/NAME``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.kill_tasks hello
    """
    client, name = _client(profile, connection), _chronos_job.check_name(name)
    _get_job(client, name)  # Chronos 2 would answer 500 without a message.
    path = f"/task/kill/{_http_client.quote(name)}"

    def read_back():
        return _summaries(client)[name]["state"] == "idle"

    _request_about(client, "DELETE", path, name, read_back=read_back)
    return True


def _require_2_5(client, feature):
    """Raise CommandExecutionError for Chronos before 2.5, which may ignore the request."""
    if _generation(client) != 2:
        return
    # Chronos 2.5 is the first with this path; a 404 may also be that of Chronos 3.
    has_leader_path = client.get(f"{PREFIXES[2]}/leader", allow=(404, 405)).status == 200
    if not has_leader_path and _detect_generation(client) == 2:
        raise CommandExecutionError(f"{feature}: needs Chronos 2.5")


# --- any other request ---


def api_call(method, path, params=None, body=None, confirm=False, profile=None, **connection):
    """
    Send any request, for what has no function here.

    method, path
        For example ``GET`` and ``/metrics``. The API is below ``/v1/scheduler``, before Chronos 3
        below ``/scheduler``.

    params
        The query, a mapping. Default: none.

    body
        Content to send as JSON. Default: none.

    confirm
        Must be True for DELETE, which cannot be undone.

    profile, connection
        Connection settings, see ``chronos.connection``.

    Returns the content of the response: parsed JSON, text if it is not JSON, None if it is empty.
    Only GET and HEAD are retried.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.api_call GET /metrics
    """
    _arguments.require(
        method in ("GET", "HEAD", "POST", "PUT", "DELETE"),
        "method",
        method,
        "GET, HEAD, POST, PUT or DELETE",
    )
    _arguments.require(
        isinstance(path, str) and re.fullmatch(r"/[!-~]*", path) and "?" not in path,
        "path",
        path,
        "a path such as /metrics",
    )
    _arguments.require(params is None or isinstance(params, Mapping), "params", params, "a mapping")
    _arguments.require(
        confirm is True or method != "DELETE",
        "confirm",
        confirm,
        f"True, since {method} {path} cannot be undone",
    )
    client = _client(profile, connection)
    return client.request(method, path, params=params, body=body).json_or_text()
