"""
The jobs of Chronos: what they are, how they do, and everything that can be done with them. Loaded as ``chronos``. For
Chronos 2.3 to 3.0, whose API moved with 3.0: which of the two a server speaks is found out.

Every function takes ``profile`` and settings of the connection, such as ``url`` and ``timeout``: see ``chronos.connection``.
Any server will do, as those that do not lead pass every request on to the leader. But they keep to themselves what the
leader says is wrong, and tell the status alone.

Chronos replaces a job as a whole, and writes a job's schedule anew with each run. Here, what is not given stays as it is: the
other fields of a job, its counters, and the schedule, unless it is really another one.
"""

import contextlib
import importlib
import importlib.util
import re
import time
from collections.abc import Mapping

import _arguments
import _chronos_job
import _chronos_schedule
import _http_client
import _http_settings
import _text
import salt.utils.platform
from salt.exceptions import CommandExecutionError, SaltInvocationError

# After a sync Salt still has the old helpers in sys.modules.
importlib.reload(_text)
importlib.reload(_http_settings)
importlib.reload(_http_client)
importlib.reload(_arguments)
importlib.reload(_chronos_schedule)
importlib.reload(_chronos_job)

DEFAULT_URL = "http://127.0.0.1:4400"
PREFIXES = {2: "/scheduler", 3: "/v1/scheduler"}
ALL = 10**6  # jobs; a search without a limit stops after ten
POLL = 0.2  # seconds between two looks for a new job
STATISTICS = (
    "99thPercentile",
    "98thPercentile",
    "95thPercentile",
    "75thPercentile",
    "median",
    "mean",
)


__virtualname__ = "chronos"


def __virtual__():
    """Leave the name to Salt's own module where that one works: on a proxy minion for Chronos, up to Salt 3007."""
    proxied = (__opts__.get("proxy") or {}).get("proxytype")
    if (
        salt.utils.platform.is_proxy()
        and proxied == "chronos"
        and importlib.util.find_spec("salt.proxy.chronos")
    ):
        return False, "This is a proxy minion for Chronos: the module of Salt itself keeps the name"
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
        * ``api_version``: 2 or 3, the generation of the API. Default ``auto``: the server is asked, once for each process.""",
)


# --- servers ---


def ping(profile=None, **connection):
    """
    Ask whether Chronos answers.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns True. Raises CommandExecutionError with what each server said if none answers, or if what answers is no Chronos.
    Rests on ``GET /ping``, which is the leader's to answer.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.ping
    """
    return _ping(_client(profile, connection))


def _ping(client):
    answer = client.get("/ping")
    if answer.text().strip() != "pong":
        raise _strange(answer)
    return True


@contextlib.contextmanager
def _understood(answer):
    """Say in one line that an answer is not what it should be, if what is needed of it is not there."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _strange(answer) from None


def _strange(answer):
    return answer.error(_http_client.HttpError, f"not how Chronos answers: {answer.summary()}")


def leader(profile=None, **connection):
    """
    Say which Chronos leads. That it is known means that it answers, too: the others ask it.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns ``url``, ``host`` and ``port`` of the leader as it makes itself known. Chronos up to 2.4 does not tell who
    leads, only that somebody does: then all three are None. Raises CommandExecutionError with what each server said if
    none of them knows a leader.

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
    # Neither generation knows the path of the other, and 2.4 has no such question at all.
    for prefix in (PREFIXES[3], PREFIXES[2]):
        answer = server.get(f"{prefix}/leader", allow=(404, 405))
        if answer.status == 200:
            return _http_client.leader_address(answer)
    _ping(server)
    return {"url": None, "host": None, "port": None}


def api_version(profile=None, **connection):
    """
    Say which generation of the API the servers speak.

    profile, connection
        Where and how to ask: see ``chronos.connection``. With ``api_version`` nobody is asked.

    Returns 2 (Chronos 2.3 to 2.5, below ``/scheduler``) or 3 (Chronos 3.0, below ``/v1/scheduler``). Chronos tells its
    version nowhere.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.api_version
    """
    client = _client(profile, connection)
    __context__.pop(_generation_key(client), None)
    return _generation(client)


def _generation(client):
    forced = client.setting("api_version")
    if forced not in (None, "auto"):
        _arguments.require(str(forced) in ("2", "3"), "api_version", forced, "2, 3 or auto")
        return int(forced)
    key = _generation_key(client)
    if key not in __context__:
        __context__[key] = _probed(client)
    return __context__[key]


def _generation_key(client):
    return f"chronos.api_version:{','.join(client.urls)}"


def _probed(client):
    answer = client.get(f"{PREFIXES[3]}/jobs/summary", allow=(404, 405))
    if answer.status == 200:
        _summarized(
            answer
        )  # some other server may have a page for every path: that is not to be remembered
        return 3
    _ping(client)
    return 2


def _ask(client, method, path, done=None, **options):
    """
    Ask below the prefix of the servers' generation; ``done`` makes it a write, see ``Client.write``.

    An error of the API is never 404, so that is the prefix: other servers may answer now than those who were asked for it.
    """

    def ask(generation):
        if done:
            return client.write(method, PREFIXES[generation] + path, done, **options)
        return client.request(method, PREFIXES[generation] + path, **options)

    generation = _generation(client)
    try:
        return ask(generation)
    except _http_client.NotFound:
        __context__.pop(_generation_key(client), None)
        if _generation(client) == generation:
            raise
        return ask(_generation(client))


def _ask_3(client, path, **options):
    """Ask for what only Chronos 3 has; None from Chronos 2, also if it turns out just now that it is one."""
    if _generation(client) == 2:
        return None
    try:
        return _ask(client, "GET", path, **options)
    except _http_client.HttpError:
        if _generation(client) == 3:
            raise
        return None


def _change(client, method, path, name, **options):
    """Ask for something about a job that may not be there. Raises NotFound if it is not."""
    try:
        return _ask(client, method, path, **options)
    except (_http_client.InvalidRequest, _http_client.ServerError) as error:
        if _says_missing(error.info["message"] or ""):
            raise _no_job(name) from None
        if error.info["message"] in ("Bad Request", "Internal Server Error"):
            hint = "A server that does not lead keeps the reason to itself: ask the one that chronos.leader names"
            raise type(error)(f"{error}. {hint}", **error.info) from None
        raise


def _says_missing(message):
    return "not found" in message


def _no_job(name):
    return _http_client.NotFound(f"There is no job called {name!r}")


# --- reading jobs ---


def jobs(profile=None, **connection):
    """
    Show all jobs.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns name to job, sorted by name, each with the fields that Chronos tells: ``command``, ``cpus``, ``mem`` and ``disk``
    (MiB), ``schedule`` (that of the next run) and ``scheduleTimeZone`` or ``parents``, ``disabled``, ``successCount``,
    ``errorCount``, ``lastSuccess``, ``lastError`` ... What Chronos lists twice, as ``uris`` and as ``fetch``, is shown in
    ``fetch`` alone. Rests on ``GET jobs``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.jobs
    """
    return _jobs(_client(profile, connection))


def _jobs(client):
    return _by_name(_ask(client, "GET", "/jobs"))


def _by_name(answer):
    found = answer.json(list)
    with _understood(answer):
        return {each["name"]: _plain(each) for each in sorted(found, key=lambda each: each["name"])}


def _plain(job):
    """A job with what is to be fetched said once, and parents sorted."""
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
        Its name.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns its fields, see ``chronos.jobs``. Raises CommandExecutionError if there is no such job. Rests on ``GET job/NAME``,
    for Chronos 2 on ``GET jobs``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.job hello
    """
    return _known(_client(profile, connection), _chronos_job.check_name(name))


def _known(client, name):
    found = _find(client, name)
    if found is None:
        raise _no_job(name)
    return found


def _find(client, name):
    """A job, None if there is none of that name."""
    answer = _ask_3(client, f"/job/{_http_client.quote(name)}", allow=(400,))
    if answer is None:
        return _jobs(client).get(name)
    if answer.status == 200:
        found = answer.json()
        if found.get("name") != name:
            raise _strange(answer)
        return _plain(found)
    # A server that does not lead passes on the status without a word, which may mean anything.
    if _says_missing(answer.summary()) or name not in _summaries(client):
        return None
    return _plain(answer.raise_for_status().json())


def job_exists(name, profile=None, **connection):
    """
    Say whether there is a job of a name.

    name
        Its name.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns True or False. False is a job that is not there; whatever else is wrong raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.job_exists hello
    """
    return _find(_client(profile, connection), _chronos_job.check_name(name)) is not None


def jobs_summary(profile=None, **connection):
    """
    Show all jobs in a line each.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns name to ``status`` (``success``, ``failure``, or ``fresh`` before the first run), ``state`` (``idle``, ``queued``, or
    ``1 running``), ``schedule``, ``parents`` and ``disabled``, sorted by name. Rests on ``GET jobs/summary``, for Chronos 2 on
    ``GET jobs`` and ``GET graph/csv``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.jobs_summary
    """
    return _summaries(_client(profile, connection))


def _summaries(client):
    answer = _ask_3(client, "/jobs/summary")
    if answer is not None:
        return _summarized(answer)
    states = _graph(client)
    return {
        name: {
            "status": states.get(name, {}).get("status", "fresh"),
            "state": states.get(name, {}).get("state", "idle"),
            "schedule": each.get("schedule", ""),
            "parents": each.get("parents", []),
            "disabled": each.get("disabled", False),
        }
        for name, each in _jobs(client).items()
    }


def _summarized(answer):
    found = answer.json()
    with _understood(answer):
        jobs = {
            each["name"]: {key: value for key, value in each.items() if key != "name"}
            for each in found["jobs"]
        }
        return {
            name: {**jobs[name], "parents": sorted(jobs[name]["parents"])} for name in sorted(jobs)
        }


def search(name=None, command=None, any=None, limit=0, offset=0, profile=None, **connection):
    """
    Find jobs by parts of their names and commands; upper and lower case are the same.

    name, command
        Text that the name, and the command, must have in it. Default: any.

    any
        Text that one of both must have in it. Default: any.

    limit, offset
        How many jobs to show at most, 0 for all of them (default), and how many to leave out first, in the order of
        Chronos, which is none of names.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns name to job, see ``chronos.jobs``. Rests on ``GET jobs/search``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.search hello
        salt-call chronos.search command=echo limit=5
    """
    texts = {"name": name, "command": command, "any": any}
    for argument, value in texts.items():
        _arguments.require(value is None or isinstance(value, str), argument, value, "text")
    for argument, value in (("limit", limit), ("offset", offset)):
        _arguments.require(
            _chronos_job.is_count(value) and value <= ALL,
            argument,
            value,
            f"a number from 0 to {ALL}",
        )
    params = {**texts, "limit": limit or ALL, "offset": offset}
    return _by_name(_ask(_client(profile, connection), "GET", "/jobs/search", params=params))


def stats(percentile="99thPercentile", profile=None, **connection):
    """
    Show how long the runs of the jobs take.

    percentile
        ``99thPercentile`` (default), ``98thPercentile``, ``95thPercentile``, ``75thPercentile``, or just the number of
        these; ``median`` or ``mean``.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns name to time, as Chronos measures it, the longest first. Rests on ``GET stats/PERCENTILE``; what a leader has
    measured ends with it.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.stats
        salt-call chronos.stats mean
    """
    wanted = (
        f"{percentile}thPercentile" if f"{percentile}thPercentile" in STATISTICS else percentile
    )
    _arguments.require(
        wanted in STATISTICS, "percentile", percentile, f"one of {', '.join(STATISTICS)}"
    )
    answer = _ask(_client(profile, connection), "GET", f"/stats/{wanted}")
    found = answer.json(list)
    with _understood(answer):
        return {
            each["jobNameLabel"]: each["time"]
            for each in sorted(found, key=lambda each: (-each["time"], each["jobNameLabel"]))
        }


def job_stats(name, profile=None, **connection):
    """
    Show how long the runs of a job take.

    name
        Its name.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns ``histogram`` (``count``, ``mean``, ``median``, ``75thPercentile`` ...: times as Chronos measures them) and
    ``history`` (a list, empty unless Chronos has a Cassandra). Raises CommandExecutionError if there is no such job. Rests on
    ``GET job/stat/NAME``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.job_stats hello
    """
    client = _client(profile, connection)
    found = _change(
        client, "GET", f"/job/stat/{_http_client.quote(_chronos_job.check_name(name))}", name
    ).json()
    return {"histogram": found.get("histogram", {}), "history": found.get("taskStatHistory", [])}


# --- who depends on whom ---


def graph(format="dict", profile=None, **connection):
    """
    Show which jobs run after which.

    format
        ``dict`` (default), ``csv`` (lines ``node,NAME,STATUS,STATE`` and ``link,PARENT,CHILD``) or ``dot`` (for Graphviz).

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns text, or for ``dict`` name to ``status`` and ``state`` (see ``chronos.jobs_summary``), ``parents`` and
    ``children``, sorted by name. Rests on ``GET graph/csv`` and ``GET graph/dot``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.graph
        salt-call chronos.graph dot
    """
    _arguments.require(format in ("dict", "csv", "dot"), "format", format, "dict, csv or dot")
    client = _client(profile, connection)
    return _graph(client) if format == "dict" else _ask(client, "GET", f"/graph/{format}").text()


def _graph(client):
    answer = _ask(client, "GET", "/graph/csv")
    lines = [line.split(",") for line in answer.text().splitlines() if line]
    found = {}
    with _understood(answer):
        if not all(kind in ("node", "link") for kind, *_ in lines):
            raise _strange(answer)
        for _, name, status, state in sorted(line for line in lines if line[0] == "node"):
            found[name] = {"status": status, "state": state, "parents": [], "children": []}
        for _, parent, child in sorted(line for line in lines if line[0] == "link"):
            found[parent]["children"].append(child)
            found[child]["parents"].append(parent)
    return found


def children(name, profile=None, **connection):
    """
    List the jobs that run after a job.

    name
        Its name.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns a list of names, sorted, of those that name it as a parent. Raises CommandExecutionError if there is no such job.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.children hello
    """
    return _relatives(name, "children", profile, connection)


def parents(name, profile=None, **connection):
    """
    List the jobs that a job runs after.

    name
        Its name.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns a list of names, sorted; it is empty for a job that has a schedule. Raises CommandExecutionError if there is no
    such job.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.parents hello-report
    """
    return _relatives(name, "parents", profile, connection)


def _relatives(name, kind, profile, connection):
    found = _graph(_client(profile, connection))
    if _chronos_job.check_name(name) not in found:
        raise _no_job(name)
    return found[name][kind]


def summary(profile=None, **connection):
    """
    Show Chronos on one screen.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns ``leader`` (None for Chronos 2.4, which does not tell), ``api_version``, ``jobs`` (how many there are, with a
    schedule, dependent and disabled, by the status of their last run and by what they do now), ``failing`` (name to when the
    last run failed and how many have since one succeeded), ``disabled`` (names), ``next`` (name to time of the next runs) and
    ``dependents`` (name to those that run after it); of the last four at most ten, and how many more there are.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.summary
    """
    client = _client(profile, connection)
    known, states = _jobs(client), _graph(client)
    numbers = {
        "total": len(known),
        "scheduled": sum("parents" not in each for each in known.values()),
    }
    numbers["dependent"] = numbers["total"] - numbers["scheduled"]
    numbers["disabled"] = sum(each.get("disabled", False) for each in known.values())
    for kind, names in (
        ("status", ("success", "failure", "fresh")),
        ("state", ("idle", "queued", "running")),
    ):
        numbers.update(
            {name: sum(name in each[kind] for each in states.values()) for name in names}
        )
    return {
        "leader": _leading(client),
        "api_version": _generation(client),
        "jobs": numbers,
        "failing": _text.shorten_list(
            {
                name: f"{each.get('lastError') or 'never'}, {each.get('errorsSinceLastSuccess', 0)} since the last success"
                for name, each in known.items()
                if each.get("errorsSinceLastSuccess")
                or states.get(name, {}).get("status") == "failure"
            }
        ),
        "disabled": _text.shorten_list(
            [name for name, each in known.items() if each.get("disabled")]
        ),
        "next": _text.shorten_list(dict(sorted(_next_runs(known), key=lambda run: run[1]))),
        "dependents": _text.shorten_list(
            {name: each["children"] for name, each in states.items() if each["children"]}
        ),
    }


def _leading(client):
    try:
        return _http_client.leader_address(
            _ask(client, "GET", "/leader", allow=(405,)).raise_for_status()
        )["url"]
    except _http_client.NotFound:
        return None


def _next_runs(known):
    for name, each in known.items():
        try:
            schedule, zone = each["schedule"], each.get("scheduleTimeZone", "")
            if not each["disabled"] and _chronos_schedule.parse(schedule).repeat != 0:
                begins = _chronos_schedule.begins(schedule, zone)
                utc = _chronos_schedule.EPOCH.tzinfo
                yield (
                    name,
                    "at once"
                    if begins is None
                    else begins.astimezone(utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                )
        except (KeyError, ValueError):
            continue  # it has parents, or what Chronos understands and nobody else does


# --- comparing ---


def schedule_equivalent(desired, current, tz="", match="equivalent"):
    """
    Say whether a schedule is another one after some runs. Asks nobody.

    desired
        The schedule that somebody wrote, such as ``R/2030-01-01T00:00:00Z/PT24H``.

    current
        The one that Chronos shows. With each run it writes the start of the next one, and a lower number of repetitions.

    tz
        The time zone of the job, such as ``Europe/Berlin``; it goes before the offsets in both. Default: none.

    match
        ``equivalent`` (default): the same period, in the same phase, for ever or not more often; a desired start that is
        empty fits all. ``period``: the start does not matter. ``strict``: the same start and number, in any spelling.

    Returns True or False. ``PT24H`` and ``P1D`` are the same unless the zone has summer time. Raises SaltInvocationError for
    what is no schedule.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.schedule_equivalent R/2018-01-01T00:00:00Z/PT24H R/2026-05-04T00:00:00.000Z/P1D
        salt-call chronos.schedule_equivalent R/2018-01-01T00:00:00/P1D R/2026-07-01T00:00:00.000+02:00/P1D tz=Europe/Berlin
    """
    _chronos_job.check_match(match)
    _arguments.require(isinstance(tz, str), "tz", tz, "the name of a time zone")
    for argument, value in (("desired", desired), ("current", current)):
        _chronos_job.parse_schedule(argument, value)
    return _chronos_schedule.equivalent(desired, current, tz, match)


def canonical_job(config, version=None):
    """
    Write a job in the one spelling in which two can be compared. Asks nobody.

    config
        Fields of a job, a mapping.

    version
        That of Chronos, such as ``3.0.2``, for what differs by it. Default: not known, and left open.

    Returns the fields that are given, without those that are null, the counters, and sizes of 0 (which mean the default):
    ``uris`` as ``fetch``, lists without an order sorted, what is missing in entries of ``fetch`` and in ``container`` filled in.
    Raises SaltInvocationError for fields that there are not, and for values that Chronos would drop or misunderstand.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.canonical_job '{command: echo, uris: ["http://10.0.0.1/hello.tgz"], cpus: 0}' version=3.0.2
    """
    fits = version is None or re.fullmatch(r"\d+\.\d+(\.\d+)?", str(version))
    _arguments.require(fits, "version", version, "a version such as 3.0.2")
    found = _chronos_job.canonical(_chronos_job.validate(config))
    if version is not None:
        extracts = (
            tuple(int(part) for part in str(version).split("."))
            >= _chronos_job.EXTRACT_DEFAULT_VERSION
        )
        for entry in found.get("fetch", []):
            entry["extract"] = extracts if entry["extract"] is None else entry["extract"]
    return found


def diff_job(name, config, replace=False, match="equivalent", profile=None, **connection):
    """
    Show what ``chronos.put_job`` would change. Changes nothing.

    name
        Of the job.

    config
        Fields of the job, a mapping, see ``chronos.put_job``.

    replace
        Whether fields that are not given should have their defaults. Default False: they are not compared.

    match
        When a schedule counts as the same, see ``chronos.schedule_equivalent``. Default ``equivalent``.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns field to ``old`` and ``new``, for those that differ; ``old`` is None of a job that is not there. Of what Chronos
    changes by itself, a job that has run as often as it should, and is therefore disabled, does not differ.
    Raises SaltInvocationError as ``chronos.put_job`` does.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.diff_job hello '{description: Says hello, schedule: R/2030-01-01T00:00:00Z/PT12H}'
    """
    _chronos_job.check_match(match)
    client = _client(profile, connection)
    wanted = _chronos_job.validate(config, _chronos_job.check_name(name))
    _chronos_job.remove_unsupported_fields(wanted, _generation(client))
    return _chronos_job.changed_fields(_find(client, name), wanted, replace, match)


# --- changing jobs ---


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
    Create a job, or change the one that is there.

    name
        Of the job: letters, digits and any of ``. _ -``; for Chronos 2 also spaces and ``#``.

    config
        Fields of the job, a mapping in Chronos' own names: ``command``, and ``schedule`` (such as
        ``R/2030-01-01T00:00:00Z/PT24H``: how often, first start, period) with ``scheduleTimeZone``, or ``parents`` (names of jobs
        to run after); ``cpus``, ``mem`` and ``disk`` (MiB; 0: the server's default), ``retries``, ``environmentVariables`` (a list
        of ``name`` and ``value``, or a mapping), ``constraints`` (``[[rack, EQUALS, r1]]``), ``uris`` or ``fetch``, ``container``,
        ``runAsUser``, ``owner``, ``description``, ``disabled`` ... What is null counts as not given.

    replace
        Whether fields that are not given get their defaults. Default False: they stay as they are.

    preserve_counters
        Whether the numbers of successes and errors stay. Default True.

    reset_schedule
        Whether the schedule is sent as it stands in ``config``, even though the one of the server is the same after some runs.
        Default False: Chronos 3 would run a job at once whose start is in the past.

    match
        When a schedule counts as the same, see ``chronos.schedule_equivalent``. Default ``equivalent``.

    wait
        Seconds until a new job must be there, default 10. Chronos 3 says yes first, and then makes the job, or drops it.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns ``created``, ``changes`` (as ``chronos.diff_job``; if there are none nothing is sent), ``warnings`` (a list of what a
    person should know) and ``job``, as it then is.

    Raises SaltInvocationError for fields that there are not and values that Chronos would drop or misunderstand, before
    anything is sent, and CommandExecutionError for parents that are not there, and if the job is not there in the end. Rests
    on ``POST iso8601`` and ``POST dependency``, of which the last to write wins.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.put_job hello '{command: echo hello, schedule: R/2030-01-01T00:00:00Z/PT24H}'
        salt-call chronos.put_job hello '{description: Says hello, retries: 3}'
    """
    return _put(
        name,
        config,
        (True, False),
        replace,
        preserve_counters,
        reset_schedule,
        match,
        wait,
        profile,
        connection,
    )


def create_job(name, config, wait=10, profile=None, **connection):
    """
    Create a job.

    name, config, wait
        As for ``chronos.put_job``.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns what ``chronos.put_job`` does. Raises CommandExecutionError if there is such a job, and as ``chronos.put_job`` does.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.create_job good-night '{command: echo good night, parents: [hello]}'
    """
    return _put(name, config, (True,), False, True, False, "equivalent", wait, profile, connection)


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
        Where and how to ask: see ``chronos.connection``.

    Returns what ``chronos.put_job`` does. Raises CommandExecutionError if there is no such job, and as ``chronos.put_job`` does.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.update_job hello '{command: echo hello again}'
        salt-call chronos.update_job hello '{schedule: R/2031-01-01T00:00:00Z/PT24H}' reset_schedule=True
    """
    return _put(
        name,
        config,
        (False,),
        replace,
        preserve_counters,
        reset_schedule,
        match,
        POLL,
        profile,
        connection,
    )


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
    Create many jobs, and change those that are there: parents first, and nothing at all if anything is wrong with one of them.

    jobs
        Name to fields, a mapping; see ``chronos.put_job``. Parents may be among them, or be there already.

    replace, match
        As for ``chronos.put_job``.

    preserve_counters, reset_schedule
        As for ``chronos.put_job``, but they count only for jobs that change anyway.

    wait
        Seconds until new jobs must be there, default 10; once for each generation of parents and children.

    absent
        Names of jobs to delete, a list, children first; their tasks are killed. Default: none.

    owner_name
        The ``ownerName`` of all these jobs; Chronos shows that, and does nothing else with it. Default: it is a field like others.

    purge
        Whether jobs that have this ``owner_name`` and are not among ``jobs`` are deleted, too. Default False.

    test
        True: nothing is sent, and the answer tells what would be done. Default False.

    foreseen
        For a test only, what will have changed by then: name to a list of parents, None for a job that will be gone. Default:
        nothing.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns ``created`` (a list of names), ``changes`` (name to what ``chronos.diff_job`` returns, of those that were written),
    ``deleted`` (name to job as it was), ``lost`` (name to the fields that Chronos did not keep as they were given) and
    ``warnings`` (name to a list).

    Raises SaltInvocationError for wrong fields, as ``chronos.put_job``, and CommandExecutionError for parents that are not there
    or are to be deleted, and jobs that would run after themselves; with all that is wrong, before anything is sent. Raises
    CommandExecutionError at the first job that cannot be written; its ``info["done"]`` is what was done before, as it would have
    been returned.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.put_jobs '{day: {schedule: R/2030-01-01T00:00:00Z/P1D}, evening: {parents: [day, hello]}}' test=True
        salt-call chronos.put_jobs '{day: {schedule: R/2030-01-01T00:00:00Z/P1D}}' owner_name=ops purge=True
    """
    _check_options(
        match,
        wait,
        replace=replace,
        preserve_counters=preserve_counters,
        reset_schedule=reset_schedule,
        purge=purge,
        test=test,
    )
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
    twice = [name for name in absent if name in jobs]
    _arguments.require(not twice, "absent", ", ".join(twice), "no job that is to be there")
    _arguments.require(
        owner_name or not purge,
        "purge",
        purge,
        "False without owner_name, which says whose jobs may be deleted",
    )
    client = _client(profile, connection)
    generation, known = _generation(client), _jobs(client)
    wanted, warnings, faults = _chronos_job.validate_all(jobs, known, generation, owner_name)
    undeclared = [
        name
        for name, each in known.items()
        if purge and each.get("ownerName") == owner_name and name not in jobs
    ]
    gone = [name for name in known if name in absent or name in undeclared]
    graph = {
        name: {"parents": parents}
        for name, parents in _chronos_job.parents_by_job(known, foreseen, wanted).items()
    }
    misplaced = _chronos_job.parent_errors(graph, wanted, gone)
    if faults or misplaced:
        raise (CommandExecutionError if misplaced else SaltInvocationError)(
            "; ".join(faults + misplaced)
        )
    changes = {}
    for name, fields in wanted.items():
        current = known.get(name)
        if _chronos_job.changed_fields(current, fields, replace, match):
            changes[name] = _chronos_job.changed_fields(
                current, fields, replace, match, preserve_counters, reset_schedule
            )
            body = (
                _chronos_job.merge(current, fields, changes[name], replace, preserve_counters)
                if current
                else fields
            )
            warnings[name] += _chronos_job.schedule_warnings(body, generation)
    order = list(_chronos_job.in_parent_order(graph))
    done = {
        "created": [],
        "changes": {},
        "deleted": {},
        "lost": {},
        "warnings": {name: said for name, said in warnings.items() if said},
    }
    if test:
        return {
            **done,
            "created": [name for name in changes if name not in known],
            "changes": changes,
            "deleted": {name: known[name] for name in gone},
        }
    try:
        for names in order:
            bodies = {}
            for name in [name for name in names if name in changes]:
                current = _still(client, name) if name in known else None
                fields = wanted[name]
                bodies[name] = (
                    _chronos_job.merge(current, fields, changes[name], replace, preserve_counters)
                    if current
                    else {"name": name, **fields}
                )
                _posted(client, bodies[name], changes[name], wait)
                done["changes"][name] = changes[name]
                done["created"] += [name] * (current is None)
            _read_back(client, bodies, wanted, wait, done)
        for names in reversed(order):
            for name in [name for name in names if name in gone]:
                done["deleted"][name] = delete_job(name, profile=profile, **connection)["deleted"]
    except CommandExecutionError as error:
        raise _http_client.HttpError(
            str(error), **{**(getattr(error, "info", None) or {}), "done": done}
        ) from None
    return done


def _put(
    name,
    config,
    allowed,
    replace,
    preserve_counters,
    reset_schedule,
    match,
    wait,
    profile,
    connection,
):
    _check_options(
        match,
        wait,
        replace=replace,
        preserve_counters=preserve_counters,
        reset_schedule=reset_schedule,
    )
    wanted = _chronos_job.validate(config, _chronos_job.check_name(name))
    client = _client(profile, connection)
    warnings = _chronos_job.remove_unsupported_fields(wanted, _generation(client))
    known = _jobs(client)
    # The list says twice what is to be fetched, and not how it was given.
    current = _find(client, name) if name in known else None
    if (current is None) not in allowed:
        raise (
            _no_job(name)
            if current is None
            else _http_client.Conflict(f"There is a job called {name!r} already")
        )
    _chronos_job.check_parents(name, wanted.get("parents", []), known)
    if current is None:
        _chronos_job.check_new(name, wanted, _generation(client))
        changes, body = _chronos_job.diff(None, wanted), {"name": name, **wanted}
    else:
        changes = _chronos_job.changed_fields(
            current, wanted, replace, match, preserve_counters, reset_schedule
        )
        body = _chronos_job.merge(current, wanted, changes, replace, preserve_counters)
    warnings += _chronos_job.schedule_warnings(body, _generation(client))
    if not changes:
        return {"created": False, "changes": {}, "warnings": warnings, "job": current}
    found = _written(client, body, changes, wait)
    if found is None:
        raise CommandExecutionError(_why_gone(client, name, body))
    lost = _chronos_job.lost_fields(found, wanted)
    if lost:
        warnings.append(f"Chronos did not keep as it was given: {', '.join(lost)}")
    return {"created": current is None, "changes": changes, "warnings": warnings, "job": found}


def _still(client, name):
    """A job as it is now: what is sent along of a schedule that has moved on meanwhile would have it run again."""
    found = _find(client, name)
    if found is None:
        raise _no_job(name)
    return found


def _read_back(client, bodies, wanted, wait, done):
    """Wait for jobs that were posted, and say what became of them."""
    found = _appeared(client, list(bodies), wait)
    missing = [name for name in bodies if name not in found]
    for name in missing:
        del done["changes"][name]
    done["created"] = [name for name in done["created"] if name in done["changes"]]
    for name in found:
        lost = _chronos_job.lost_fields(found[name], wanted[name])
        if lost:
            done["lost"][name] = lost
    if missing:
        raise CommandExecutionError(_why_gone(client, missing[0], bodies[missing[0]]))


def _written(client, body, changes, wait):
    """Post a job, and return it as it is then; None if it does not appear."""
    return _posted(client, body, changes, wait) or _visible(client, body["name"], wait)


def _posted(client, body, changes, wait):
    """Post a job. Returns it as it is then, if no answer came and it was looked for; else None."""
    sent = {name: value for name, value in body.items() if name not in _chronos_job.COUNTERS}

    def done():
        found = _visible(client, body["name"], wait)
        reset = (
            "counters" not in changes
            or not any(found.get(name) for name in changes["counters"]["new"])
            if found
            else False
        )
        return found if found and reset and not _chronos_job.diff(found, sent) else None

    endpoint = "/dependency" if "parents" in body else "/iso8601"
    try:
        result = _change(client, "POST", endpoint, body["name"], body=body, done=done)
    except _http_client.HttpError as error:
        raise type(error)(f"{body['name']}: {error}", **error.info) from None
    return result.read_back


def _visible(client, name, wait):
    """A job, as soon as it is there; None if it is not in time."""
    return _appeared(client, [name], wait).get(name)


def _appeared(client, names, wait):
    """Jobs by name, as soon as all are there; those that are there in time."""
    deadline = time.monotonic() + wait
    while True:
        known = _jobs(client) if len(names) > 1 else {name: _find(client, name) for name in names}
        found = {name: known[name] for name in names if known.get(name)}
        if len(found) == len(names) or time.monotonic() >= deadline:
            return found
        time.sleep(POLL)


def _why_gone(client, name, body):
    """Say why a job is not there that Chronos has just accepted."""
    gone = sorted(set(body.get("parents", [])) - set(_jobs(client)))
    if gone:
        why = f"its parents {', '.join(gone)} are gone, and then Chronos drops it without a word"
    else:
        why = "it may have been deleted by somebody else, or Chronos takes longer (wait=)"
    return f"Chronos accepted the job {name!r}, and it is not there: {why}"


def delete_job(name, children="refuse", test=False, foreseen=None, profile=None, **connection):
    """
    Delete a job, and kill its tasks.

    name
        Its name.

    children
        ``refuse`` (default): nothing is done if other jobs run after it. ``allow``: Chronos then gives them the parents of the
        deleted job, or, if it has a schedule, that schedule, and most of their other fields are lost.

    test, foreseen
        As for ``chronos.put_jobs``.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns ``deleted`` (the job as it was) and ``children``: name to what became different, field to ``old`` and ``new``.
    Raises CommandExecutionError if there is no such job, and if it has children and these are not allowed for. Rests on
    ``DELETE job/NAME``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.delete_job hello-report
        salt-call chronos.delete_job hello children=allow
    """
    _arguments.require(children in ("refuse", "allow"), "children", children, "refuse or allow")
    _arguments.require(isinstance(test, bool), "test", test, "true or false")
    client, name = _client(profile, connection), _chronos_job.check_name(name)
    before = _jobs(client)
    if name not in before:
        raise _no_job(name)
    dependent = [
        child
        for child, parents in _chronos_job.parents_by_job(before, foreseen).items()
        if name in parents
    ]
    if dependent and children == "refuse":
        raise _http_client.Conflict(
            f"{', '.join(dependent)} run after {name!r}, and would lose most of their fields. Delete them first, or allow it: "
            "children=allow"
        )
    if test:
        after = {
            child: _chronos_job.after_parent_deletion(before[child], before[name])
            for child in dependent
            if child in before
        }
    else:
        _change(
            client,
            "DELETE",
            f"/job/{_http_client.quote(name)}",
            name,
            done=lambda: _find(client, name) is None,
        )
        after = _jobs(client) if dependent else {}
    return {
        "deleted": before[name],
        "children": {
            child: _chronos_job.differences(before.get(child, {}), after.get(child, {}))
            for child in dependent
        },
    }


def run_job(name, arguments=None, profile=None, **connection):
    """
    Run a job now.

    name
        Its name.

    arguments
        Text to add to its command for this run, instead of its own arguments; no ``;``, which Chronos would leave out. Needs
        Chronos 2.5. Default: none.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns True as soon as the run is queued. With Chronos 3 it counts as the next one of the schedule, which moves on.
    Raises CommandExecutionError if there is no such job. If the answer is lost, whether it runs is not known:
    ``chronos.jobs_summary`` may tell. Rests on ``PUT job/NAME``.

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
        "without a ;, which Chronos would leave out",
    )
    if arguments:
        _needs_2_5(client, "arguments for a single run")
    _change(
        client,
        "PUT",
        f"/job/{_http_client.quote(name)}",
        name,
        params={"arguments": arguments or None},
    )
    return True


def mark_success(name, profile=None, **connection):
    """
    Count a success of a job that nobody saw, and begin the jobs that wait for it.

    name
        Its name.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns True. Raises CommandExecutionError if there is no such job, and for Chronos before 2.5, which cannot do this. Rests on
    ``PUT job/success/NAME``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.mark_success hello
    """
    client, name = _client(profile, connection), _chronos_job.check_name(name)
    _needs_2_5(client, "chronos.mark_success")
    answer = _change(client, "PUT", f"/job/success/{_http_client.quote(name)}", name)
    if "true" not in answer.text():
        raise _no_job(name)
    return True


def kill_tasks(name, profile=None, **connection):
    """
    Kill all tasks of a job. The job stays, and runs again when it is due.

    name
        Its name.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns True, also if it has no task. Raises CommandExecutionError if there is no such job. Rests on
    ``DELETE task/kill/NAME``.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.kill_tasks hello
    """
    client, name = _client(profile, connection), _chronos_job.check_name(name)
    _known(client, name)  # Chronos 2 answers 500 without a word if there is none
    path = f"/task/kill/{_http_client.quote(name)}"
    _change(client, "DELETE", path, name, done=lambda: _summaries(client)[name]["state"] == "idle")
    return True


def _needs_2_5(client, what):
    """Refuse what Chronos before 2.5 cannot do, or does not say that it has not done."""
    if (
        _generation(client) == 2
        and client.get(f"{PREFIXES[2]}/leader", allow=(404, 405)).status != 200
        and _probed(client) == 2
    ):
        raise CommandExecutionError(f"{what}: needs Chronos 2.5")


# --- anything else ---


def api_call(method, path, params=None, body=None, confirm=False, profile=None, **connection):
    """
    Make any request: the way out for what has no function here.

    method, path
        Such as ``GET`` and ``/metrics``. The API itself is below ``/v1/scheduler``, before Chronos 3 below ``/scheduler``.

    params
        The query, a mapping. Default none.

    body
        What is sent as JSON. Default nothing.

    confirm
        Has to be True for a DELETE: that cannot be taken back.

    profile, connection
        Where and how to ask: see ``chronos.connection``.

    Returns the answer: what its JSON says, text if it is none, None if it is empty. Only GET is repeated if there is no answer.

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
        f"True: {method} {path} cannot be taken back",
    )
    return (
        _client(profile, connection).request(method, path, params=params, body=body).json_or_text()
    )


# --- checks ---


def _check_options(match, wait, **flags):
    _chronos_job.check_match(match)
    _arguments.require(
        _chronos_job.is_number(wait) and wait <= 3600,
        "wait",
        wait,
        "a number of seconds from 0 to 3600",
    )
    for argument, value in flags.items():
        _arguments.require(isinstance(value, bool), argument, value, "true or false")
