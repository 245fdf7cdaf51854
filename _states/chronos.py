"""
Promises about Chronos: a leader that answers, and jobs that are as declared.

Each reads, compares, says what differs, changes that and reads it back. Changes are ``{path: {"old": ..., "new": ...}}``, with
paths such as ``/command`` and ``/environmentVariables/LEVEL``; a job as a whole is ``/``. Of several jobs they stand below the
name of each. With ``test=True`` they are the same, and nothing is sent. What all states have in common is told at
``chronos.job_present``.
"""

import functools
import importlib
from collections.abc import Mapping

import _declared
import _ready
from salt.exceptions import CommandExecutionError, SaltInvocationError

# After a sync Salt still has the old helpers in sys.modules.
importlib.reload(_declared)
importlib.reload(_ready)

# How a job does, which is no part of what it is.
DOING = ("successCount", "errorCount", "errorsSinceLastSuccess", "lastSuccess", "lastError")


def __virtual__():
    """Say why where the module that this one asks is not there."""
    if "chronos.leader" in __salt__:
        return True
    return (
        False,
        "The execution module chronos of this repository is not loaded (on a proxy minion for Chronos that of Salt is)",
    )


def available(name, url=None, timeout=120):
    """
    Wait until Chronos has a leader that answers. Changes nothing.

    .. code-block:: yaml

        chronos-leader:
          chronos.available:
            - url: [http://10.0.0.1:4400, http://10.0.0.2:4400]
            - timeout: 120

    name
        Free text.

    url
        Where the servers are: a URL, several with commas, or a list. If not given the setting ``chronos:url`` counts, else
        ``http://127.0.0.1:4400``. One of them is enough that answers; those that do not lead ask the leader.

    timeout
        Seconds. 0: ask once.

    Fails with what each server last said.
    """
    leader = __salt__["chronos.leader"]

    def question(seconds):
        found = leader(url=url, timeout=seconds)
        return True, f"{found['url']} leads" if found[
            "url"
        ] else "A leader answers; up to 2.4 Chronos does not tell who it is"

    return _ready.wait_until_ready(name, "a leader of Chronos", question, timeout, __opts__["test"])


def job_present(
    name,
    config,
    mode="merge",
    match="equivalent",
    reset_schedule=False,
    reset_counters=False,
    wait_visible=10,
    show_secrets=False,
    profile=None,
    **connection,
):
    """
    Keep a job as it is declared. What Chronos makes of a schedule with each run is no difference: a later start, a lower number
    of repetitions, and that it disables a job that has run as often as it should. If something else differs the job is sent with
    the schedule and the counters that it has by then, so that it runs when it would have run anyway.

    .. code-block:: yaml

        hello:
          chronos.job_present:
            - config:
                command: echo hello
                schedule: R/2030-01-01T00:00:00Z/PT24H
                scheduleTimeZone: Europe/Berlin

        hello-report:
          chronos.job_present:
            - config:
                command: echo report
                parents: [hello]

    name
        Of the job: letters, digits and any of ``. _ -``; for Chronos 2 also spaces and ``#``.

    config
        The fields of the job, a mapping as in Chronos' JSON, or a file that holds them, such as ``salt://jobs/hello.yaml`` or
        ``.json``. A new job needs a ``schedule`` or ``parents``, which have to be there before it; a job that is there may go
        from one to the other. ``disabled`` is compared only if it is given; ``{disabled: True}`` alone keeps a job that is there
        from running. Another ``schedule`` enables a job that was over, unless ``disabled`` is given.

    mode
        ``merge`` (default): only the fields that are given count. ``replace``: those that are not given get their defaults,
        but for ``schedule`` or ``parents``, ``disabled``, and what the server's own configuration says.

    match
        When a schedule is the same. ``equivalent`` (default): the same period, in the same phase, for ever or not more often.
        ``period``: whenever it runs.

    reset_schedule
        True: if the job is changed, its schedule begins anew as it stands in ``config``. Default False.

    reset_counters
        True: if the job is changed, it has run and failed 0 times. Default False.

    wait_visible
        Seconds until a new job must be there, 0 to 3600, default 10: Chronos 3 says yes first, and then makes the job.

    show_secrets
        True: values in the changes that look like secrets are shown. Default False: they are ``***``.

    profile, connection
        Where and how to ask: see ``chronos.connection`` of the execution module.

    The comment warns of a start in the past: Chronos 3 runs such a job at once, Chronos 2 leaves out what it has missed.
    """
    given = {
        "mode": mode,
        "match": match,
        "reset_schedule": reset_schedule,
        "reset_counters": reset_counters,
        "wait_visible": wait_visible,
    }

    def read():
        return {name: _declared.load_definition(config, "config", __salt__, __low__, __pillar__)}

    return _present(
        name,
        read,
        lambda changes: changes.get(name, {}),
        show_secrets,
        given,
        {"profile": profile, **connection},
    )


def job_absent(name, children="refuse", show_secrets=False, profile=None, **connection):
    """
    Keep a job away: delete it, and kill its tasks.

    .. code-block:: yaml

        hello-report:
          chronos.job_absent: []

        hello:
          chronos.job_absent:
            - require:
              - chronos: hello-report

    name
        Of the job.

    children
        ``refuse`` (default): the state fails if other jobs run after it. ``allow``: Chronos changes those. They get the
        parents of the deleted job; if it has a schedule they get that, run by it from now on, and lose most of what they are:
        container, environment, arguments, constraints, user, description ... The changes show all of it, below their names.

    show_secrets, profile, connection
        See ``chronos.job_present``.
    """
    ask = functools.partial(_call, name, {"profile": profile, **connection})

    def plan():
        _expect(children in ("refuse", "allow"), "children", children, "refuse or allow")
        if not ask("job_exists"):
            return _declared.Plan({}, f"There is no job called {name}", "", None)
        changes = _deleted(ask("delete_job", children, test=True, foreseen=_foreseen()))
        altered = _names([child for child in changes if child != "/"])
        more = f", and Chronos {{}} what runs after it: {altered}" if altered else ""

        def act():
            try:
                gone = ask("delete_job", children)
            except CommandExecutionError:
                if ask("job_exists"):
                    raise
                return f"{name} was deleted by somebody else"
            if ask("job_exists"):
                raise _declared.IncompleteChange(f"{name} was deleted, but Chronos has it again")
            # What Chronos has made of the children counts, not what was expected.
            changes.clear()
            changes.update(_deleted(gone))
            return f"{name} was deleted{more.format('has changed')}"

        return _declared.Plan(
            changes, "", f"{name} would be deleted{more.format('would change')}", act
        )

    return _declared.run_plan(name, __opts__["test"], plan, show_secrets)


def jobs_present(
    name,
    jobs,
    mode="merge",
    match="equivalent",
    reset_schedule=False,
    reset_counters=False,
    absent=(),
    owner_name=None,
    purge=False,
    wait_visible=10,
    show_secrets=False,
    profile=None,
    **connection,
):
    """
    Keep many jobs as they are declared, each as ``chronos.job_present`` does. They are read at once, and written parents first;
    if anything is wrong with one of them, or with who runs after whom, nothing is written, and all that is wrong is told.

    .. code-block:: yaml

        nightly-jobs:
          chronos.jobs_present:
            - jobs:
                hello:
                  command: echo hello
                  schedule: R/2030-01-01T00:00:00Z/PT24H
                hello-report:
                  command: echo report
                  parents: [hello]
            - owner_name: nightly
            - purge: True

    name
        Free text.

    jobs
        Name to fields, as ``config`` of ``chronos.job_present``, also as files; or a file that holds all of them. Parents may be
        among them, or be there already.

    mode, match, reset_schedule, reset_counters
        As of a job.

    absent
        Names of jobs that are to be gone, a list: they are deleted, children first, and their tasks killed. The state fails if
        a job that stays runs after one of them. Default: none.

    owner_name
        What these jobs have as their ``ownerName``. Chronos shows that in its page and does nothing else with it. Default: it is
        a field like others.

    purge
        True: jobs with this ``owner_name`` that are not declared here are gone, too; so each ``owner_name`` belongs to one state.
        Default False.

    wait_visible
        Seconds until new jobs must be there, default 10, once for each generation of parents and children.

    show_secrets, profile, connection
        See ``chronos.job_present``.
    """
    given = {
        "mode": mode,
        "match": match,
        "reset_schedule": reset_schedule,
        "reset_counters": reset_counters,
        "wait_visible": wait_visible,
        "absent": absent,
        "owner_name": owner_name,
        "purge": purge,
    }

    def read():
        found = _declared.load_definition(jobs, "jobs", __salt__, __low__, __pillar__)
        return {
            job: _declared.load_definition(config, f"jobs: {job}", __salt__, __low__, __pillar__)
            for job, config in found.items()
        }

    return _present(
        name, read, lambda changes: changes, show_secrets, given, {"profile": profile, **connection}
    )


def job_run(name, arguments=None, profile=None, **connection):
    """
    Run a job now if something that this watches changed. Changes nothing otherwise.

    .. code-block:: yaml

        import-prices:
          chronos.job_run:
            - arguments: --all
            - watch:
              - file: /srv/prices.csv

    With ``onchanges`` in place of ``watch`` it does the same.

    name
        Of the job. It has to be there when it is run. For Chronos 3 the run is the next one of its schedule, which moves on.

    arguments
        Text to add to its command for this run, in place of its own arguments, without ``;``. Needs Chronos 2.5. Default: none.

    profile, connection
        See ``chronos.job_present``.

    The state does not wait until the job has run.
    """
    # Salt calls mod_watch for watch and listen; with onchanges it comes here, and only if there are changes.
    if __low__.get("onchanges") or __low__.get("onchanges_any"):
        return mod_watch(name, "job_run", arguments, profile, **connection)
    return {
        "name": name,
        "result": True,
        "changes": {},
        "comment": f"{name} is run only if something that it watches changes",
    }


def mod_watch(name, sfun=None, arguments=None, profile=None, **connection):
    """
    Run a job, as something changed that ``chronos.job_run`` watches. Called by Salt, with all arguments of that.

    .. code-block:: yaml

        import-prices:
          chronos.job_run:
            - listen:
              - file: /srv/prices.csv
    """
    if sfun != "job_run":
        return {
            "name": name,
            "result": False,
            "changes": {},
            "comment": f"watch: chronos.{sfun} cannot watch; chronos.job_run can",
        }
    # Salt tells its __reqs__, too.
    where = {
        "profile": profile,
        **{key: value for key, value in connection.items() if not key.startswith("__")},
    }
    ask = functools.partial(_call, name, where)

    def plan():
        fits = arguments is None or (isinstance(arguments, str) and ";" not in arguments)
        _expect(fits, "arguments", arguments, "text without a ;. A number needs quotes")
        if not ask("job_exists") and _foreseen().get(name) is None:
            raise CommandExecutionError(f"There is no job called {name!r}")

        def act():
            ask("run_job", arguments)
            return f"{name} was told to run"

        return _declared.Plan(
            {"/run": {"old": False, "new": True}}, "", f"{name} would be told to run", act
        )

    return _declared.run_plan(name, __opts__["test"], plan)


# --- what they have in common ---


def _call(what, where, function, *arguments, **named):
    """Call a function of the execution module with what it is about first: a name, or many jobs."""
    return __salt__[f"chronos.{function}"](what, *arguments, **named, **where)


def _present(name, read, shown, show_secrets, given, where):
    """Keep the jobs that ``read`` returns as ``given`` says; ``shown`` makes of the changes by job those of the state."""

    def plan():
        options = _options(**given)
        jobs = read()
        put = functools.partial(_call, jobs, where, "put_jobs", **options)
        planned = put(test=True, foreseen=_foreseen())
        changes, warned = _by_job(planned), _warned(planned)

        def act():
            try:
                done = put()
            except CommandExecutionError as error:
                info = getattr(error, "info", None) or {}
                if "done" not in info:
                    raise
                raise _declared.IncompleteChange(str(error), shown(_by_job(info["done"]))) from None
            if done["lost"]:
                lost = "; ".join(
                    f"{job}: {', '.join(fields)}" for job, fields in done["lost"].items()
                )
                raise _declared.IncompleteChange(
                    f"What was sent Chronos did not keep as it was: {lost}"
                )
            return f"{_summary(changes, ('was', 'were'))}{_warned(done)}"

        kept = (
            f"{_names(list(jobs))} {'is' if len(jobs) == 1 else 'are'} as declared"
            if jobs
            else "No job is declared"
        )
        return _declared.Plan(
            shown(changes),
            f"{kept}{warned}",
            f"{_summary(changes, ('would be', 'would be'))}{warned}",
            act,
        )

    return _declared.run_plan(name, __opts__["test"], plan, show_secrets)


def _options(mode, match, reset_counters, wait_visible, **others):
    """Return what the execution module is told. Raises SaltInvocationError for what it calls otherwise."""
    _expect(mode in ("merge", "replace"), "mode", mode, "merge or replace")
    _expect(match in ("equivalent", "period"), "match", match, "equivalent or period")
    _expect(isinstance(reset_counters, bool), "reset_counters", reset_counters, "True or False")
    fits = (
        isinstance(wait_visible, (int, float))
        and not isinstance(wait_visible, bool)
        and 0 <= wait_visible <= 3600
    )
    _expect(fits, "wait_visible", wait_visible, "a number of seconds from 0 to 3600")
    return {
        "replace": mode == "replace",
        "match": match,
        "preserve_counters": not reset_counters,
        "wait": wait_visible,
        **others,
    }


def _by_job(answer):
    """The changes, by job and path, that ``chronos.put_jobs`` tells."""
    changes = {}
    for job, fields in answer["changes"].items():
        if job in answer["created"]:
            changes[job] = {
                "/": {"old": None, "new": {field: each["new"] for field, each in fields.items()}}
            }
        else:
            changes[job] = _paths(fields)
    for job, old in answer["deleted"].items():
        changes[job] = {"/": {"old": _declaration(old), "new": None}}
    return changes


def _deleted(answer):
    """The changes that ``chronos.delete_job`` tells: those of the children are below their names."""
    children = {child: _paths(_declaration(fields)) for child, fields in answer["children"].items()}
    return {"/": {"old": _declaration(answer["deleted"]), "new": None}, **children}


def _declaration(job):
    return {field: value for field, value in job.items() if field not in DOING}


def _paths(fields):
    """Changes by path of changes by field."""
    found = {}
    for field, each in fields.items():
        if field == "counters":  # which is none
            found.update({f"/{path}": pair for path, pair in _pairs(each["old"], each["new"])})
            continue
        old, new = (
            _named(each[side]) if field == "environmentVariables" else each[side]
            for side in ("old", "new")
        )
        if isinstance(old, Mapping) and isinstance(new, Mapping) and old != new:
            found.update({f"/{field}/{path}": pair for path, pair in _pairs(old, new)})
        else:
            found[f"/{field}"] = each
    return found


def _pairs(old, new):
    """Path, and old and new value, of what differs in two mappings."""
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            yield key, {"old": old.get(key), "new": new.get(key)}


def _named(variables):
    """Environment variables by name."""
    return {each["name"]: each["value"] for each in variables or ()}


def _foreseen():
    """In a test: the parents of jobs as they would be by now if the states before this one had done what they only told."""
    found = {}
    for low, changes in (
        _declared.pending_changes(__low__, __lowstate__, __running__) if __opts__["test"] else ()
    ):
        own = {path: each for path, each in changes.items() if path.startswith("/")}
        others = {job: paths for job, paths in changes.items() if job not in own}
        for job, paths in {low["name"]: own, **others}.items():
            if "/" in paths:
                new = paths["/"]["new"]
                found[job] = None if new is None else list(new.get("parents", ()))
            elif "/parents" in paths:
                found[job] = list(paths["/parents"]["new"] or ())
    return found


def _summary(changes, verbs):
    """Say which jobs are created, updated and deleted."""
    kinds = {"created": [], "updated": [], "deleted": []}
    for job, paths in changes.items():
        kinds[
            "updated" if "/" not in paths else "created" if paths["/"]["old"] is None else "deleted"
        ].append(job)
    return "; ".join(
        f"{_names(jobs)} {verbs[len(jobs) > 1]} {kind}" for kind, jobs in kinds.items() if jobs
    )


def _names(jobs, most=10):
    more = f" and {len(jobs) - most} more" if len(jobs) > most else ""
    return f"{', '.join(jobs[:most])}{more}"


def _warned(answer):
    return "".join(f". {job}: {said}" for job, each in answer["warnings"].items() for said in each)


def _expect(fits, argument, value, should):
    """Refuse an argument, in one line."""
    if not fits:
        raise SaltInvocationError(f"{argument}: {value!r} should be {should}")
