"""
States for Chronos: a leader that responds, and jobs that are as declared.

Each state that manages jobs reads, compares, reports what differs, changes it and reads it back.
Changes are ``{path: {"old": ..., "new": ...}}``, with paths such as ``/command`` and
``/environmentVariables/LEVEL``; a job as a whole is ``/``. Changes of several jobs are grouped by
name. With ``test=True`` they are the same, and nothing is sent. Arguments that all states share are
documented at ``chronos.job_present``.
"""

import functools
import importlib
from collections.abc import Mapping

import _declared
import _ready
import _verification
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_declared)
importlib.reload(_ready)
importlib.reload(_verification)

# Fields that change with each run, and are not part of the definition of a job.
RUNTIME_FIELDS = (
    "successCount",
    "errorCount",
    "errorsSinceLastSuccess",
    "lastSuccess",
    "lastError",
)
MAX_WAIT_VISIBLE = 3600
MAX_NAMES_IN_COMMENT = 10


def __virtual__():
    """Load only if the execution module of this repository is loaded."""
    if "chronos.leader" in __salt__:
        return True
    return (
        False,
        "The execution module chronos of this repository is not loaded. "
        "On a proxy minion for Chronos, Salt's own module has this name",
    )


def available(name, url=None, timeout=120):
    """
    Wait until Chronos has a leader that responds. Changes nothing.

    .. code-block:: yaml

        chronos-leader:
          chronos.available:
            - url: [http://10.0.0.1:4400, http://10.0.0.2:4400]
            - timeout: 120

    name
        Any text.

    url
        URLs of the servers: one, several separated by commas, or a list. Default: the setting
        ``chronos:url``, or ``http://127.0.0.1:4400``. One server that responds is enough, since
        those that do not lead ask the leader.

    timeout
        Seconds to wait, 0 to check once.

    The comment of a failed state has the last error of each server.
    """
    leader = __salt__["chronos.leader"]

    def check(request_timeout):
        leader_url = leader(url=url, timeout=request_timeout)["url"]
        if leader_url:
            return True, f"{leader_url} leads"
        return True, "A leader responds. Chronos up to 2.4 does not reveal its address"

    return _ready.wait_until_ready(name, "a leader of Chronos", check, timeout, __opts__["test"])


def available_without_member(name, member, url, record=None, timeout=120):
    """
    Wait until Chronos can do without one of its servers: another one responds and knows a leader.
    Changes nothing.

    .. code-block:: yaml

        another-chronos-responds:
          chronos.available_without_member:
            - member: http://10.0.0.1:4400
            - url: [http://10.0.0.1:4400, http://10.0.0.2:4400]

    name
        Any text.

    member, url, record, timeout
        As for ``marathon.available_without_member``, with the servers of Chronos.
    """
    leader = __salt__["chronos.leader"]
    return _ready.wait_for_another_server(
        name, "Chronos", leader, member, url, record, timeout, __opts__["test"]
    )


def verified(name="salt-mesos-verify", timeout=120, profile=None, **connection):
    """
    Verify that a job runs on the cluster and succeeds, and remove it.

    .. code-block:: yaml

        salt-mesos-verify:
          chronos.verified:
            - timeout: 120

    name
        Name of the job, which nothing else may have: a job of this name is taken for that of an
        interrupted run and removed. Default ``salt-mesos-verify``.

    timeout
        Seconds until the job must have succeeded, 1 to 3600. Default 120.

    profile, connection
        See ``chronos.connection`` of the execution module. The ``timeout`` of the connection cannot
        be set here.

    Fails with the reason: no offers, or the message of the failed task, which Mesos tells. Changes
    nothing in the end: the job is removed also after a failure.
    """

    def call(function, *arguments, **options):
        return __salt__[f"chronos.{function}"](*arguments, profile=profile, **connection, **options)

    verification = _verification.JobVerification(call, __salt__["mesos.tasks"], name, timeout)
    return _verification.run(name, timeout, verification, __opts__["test"])


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
    Ensure that a job exists and is as declared.

    What Chronos itself changes with each run is not a difference: a later start, a lower number of
    repetitions, and that a job without runs left is disabled. If something else differs, the job is
    sent with its current schedule and counters, so that its next run does not move.

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
        Name of the job: letters, digits and any of ``. _ -``; for Chronos 2 also spaces and ``#``.

    config
        Fields of the job, a mapping as in Chronos' JSON, or a file with it, such as
        ``salt://jobs/hello.yaml`` or ``.json``. A new job needs a ``schedule`` or ``parents``; the
        parents must exist. An existing job can be changed from one to the other. ``disabled`` is
        compared only if it is in ``config``; ``{disabled: True}`` alone disables an existing job. A
        new ``schedule`` enables a job without runs left, unless ``disabled`` is in ``config``.

    mode
        ``merge`` (default): omitted fields stay as they are, also those of ``container``. Lists are
        declared as a whole. ``replace``: omitted fields get their defaults, except ``schedule`` or
        ``parents``, ``disabled``, and those whose default the configuration of the server decides.

    match
        How to compare schedules. ``equivalent`` (default): the same period and phase, and unlimited
        or no more repetitions. ``period``: the start does not matter.

    reset_schedule
        True: if the job changes, reset its schedule to the one in ``config``. Default False.

    reset_counters
        True: if the job changes, reset its numbers of successes and errors. Default False.

    wait_visible
        Seconds to wait until a new job exists, 0 to 3600, default 10. Chronos 3 accepts a job
        before it creates it.

    show_secrets
        True: show values in the changes that look like secrets. Default False: they are ``***``.

    profile, connection
        Connection settings, see ``chronos.connection`` of the execution module.

    The comment warns of a start in the past: Chronos 3 immediately runs such a job, Chronos 2 skips
    the missed runs. It also names fields that Chronos does not have, and that are therefore
    ignored; a field that looks misspelt is an error.
    """
    arguments = {
        "mode": mode,
        "match": match,
        "reset_schedule": reset_schedule,
        "reset_counters": reset_counters,
        "wait_visible": wait_visible,
    }

    def load_jobs():
        return {name: _declared.load_definition(config, "config", __salt__, __low__, __pillar__)}

    def reported(changes_by_job):
        return changes_by_job.get(name, {})

    settings = {"profile": profile, **connection}
    return _jobs_present(name, load_jobs, reported, show_secrets, arguments, settings)


def job_absent(name, children="refuse", show_secrets=False, profile=None, **connection):
    """
    Ensure that a job does not exist. Deletes it, and kills its tasks.

    .. code-block:: yaml

        hello-report:
          chronos.job_absent: []

        hello:
          chronos.job_absent:
            - require:
              - chronos: hello-report

    name
        Name of the job.

    children
        ``refuse`` (default): fail if other jobs run after it. ``allow``: Chronos changes those
        jobs. They get the parents of the deleted job; or, if it has a schedule, that schedule, and
        most of their other fields are reset: container, environment, arguments, constraints, user,
        description and more. The changes show all of this, grouped by name.

    show_secrets, profile, connection
        See ``chronos.job_present``.
    """
    call = functools.partial(_call, name, {"profile": profile, **connection})

    def make_plan():
        _check_argument(children in ("refuse", "allow"), "children", children, "refuse or allow")
        if not call("job_exists"):
            return _declared.Plan({}, f"There is no job called {name}", "", None)
        deletion = call("delete_job", children, test=True, foreseen=_pending_parents())
        changes = _deletion_changes(deletion)
        child_names = _join_names([child for child in changes if child != "/"])

        def apply():
            try:
                deletion = call("delete_job", children)
            except CommandExecutionError:
                if call("job_exists"):
                    raise
                return f"{name} was deleted by another client"
            if call("job_exists"):
                raise _declared.IncompleteChange(f"{name} was deleted, but it exists again")
            # Report what Chronos made of the children, not what was expected.
            changes.clear()
            changes.update(_deletion_changes(deletion))
            comment = f"{name} was deleted"
            if child_names:
                comment += f", and Chronos has changed the jobs that run after it: {child_names}"
            return comment

        test_comment = f"{name} would be deleted"
        if child_names:
            test_comment += f", and Chronos would change the jobs that run after it: {child_names}"
        return _declared.Plan(changes, "", test_comment, apply)

    return _declared.run_plan(name, __opts__["test"], make_plan, show_secrets)


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
    Ensure that many jobs exist and are as declared, as ``chronos.job_present`` does for one.

    They are read with a single request and written parents first. If any job is invalid or has
    invalid parents, nothing is written, and the comment has all errors.

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
        Any text.

    jobs
        Name to fields, as ``config`` of ``chronos.job_present``, which may also be files; or one
        file with all of them. Parents may be among them, or already exist.

    mode, match, reset_schedule, reset_counters
        See ``chronos.job_present``.

    absent
        Names of jobs that should not exist, a list. They are deleted, children first, and their
        tasks are killed. The state fails if a remaining job runs after one of them. Default: none.

    owner_name
        The ``ownerName`` of these jobs, which Chronos only displays. Default: a field as any other.

    purge
        True: also delete the jobs with this ``owner_name`` that are not declared here, so each
        ``owner_name`` must belong to one state only. Default False.

    wait_visible
        Seconds to wait until new jobs exist, default 10; once per level of the dependencies.

    show_secrets, profile, connection
        See ``chronos.job_present``.
    """
    arguments = {
        "mode": mode,
        "match": match,
        "reset_schedule": reset_schedule,
        "reset_counters": reset_counters,
        "wait_visible": wait_visible,
        "absent": absent,
        "owner_name": owner_name,
        "purge": purge,
    }

    def load_jobs():
        configs = _declared.load_definition(jobs, "jobs", __salt__, __low__, __pillar__)
        return {
            job: _declared.load_definition(config, f"jobs: {job}", __salt__, __low__, __pillar__)
            for job, config in configs.items()
        }

    def reported(changes_by_job):
        return changes_by_job

    settings = {"profile": profile, **connection}
    return _jobs_present(name, load_jobs, reported, show_secrets, arguments, settings)


def job_run(name, arguments=None, profile=None, **connection):
    """
    Run a job now if something that this state watches changed. Otherwise changes nothing.

    .. code-block:: yaml

        import-prices:
          chronos.job_run:
            - arguments: --all
            - watch:
              - file: /srv/prices.csv

    ``onchanges`` has the same effect as ``watch``.

    name
        Name of the job, which must exist when it is run. For Chronos 3 the run takes one repetition
        of its schedule.

    arguments
        Text to append to its command for this run, instead of its own arguments, without ``;``.
        Needs Chronos 2.5. Default: none.

    profile, connection
        See ``chronos.job_present``.

    The state does not wait until the run has finished. It fails if the job is disabled, or a run of
    it waits for resources already: Chronos would accept the request and run nothing.
    """
    # For watch and listen Salt calls mod_watch; for onchanges this function, if there are changes.
    if __low__.get("onchanges") or __low__.get("onchanges_any"):
        return mod_watch(name, "job_run", arguments, profile, **connection)
    return {
        "name": name,
        "result": True,
        "changes": {},
        "comment": f"{name} is only run if something that this state watches changes",
    }


def mod_watch(name, sfun=None, arguments=None, profile=None, **connection):
    """
    Run a job because something that ``chronos.job_run`` watches changed. Called by Salt, with all
    arguments of that state.

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
            "comment": f"watch: chronos.{sfun} does not support watch; use chronos.job_run",
        }
    # Salt also passes internal arguments such as __reqs__.
    settings = {key: value for key, value in connection.items() if not key.startswith("__")}
    call = functools.partial(_call, name, {"profile": profile, **settings})

    def make_plan():
        is_valid = arguments is None or (isinstance(arguments, str) and ";" not in arguments)
        _check_argument(is_valid, "arguments", arguments, "text without a ;. A number needs quotes")
        if not call("job_exists") and _pending_parents().get(name) is None:
            raise CommandExecutionError(f"There is no job called {name!r}")

        def apply():
            call("run_job", arguments)
            return f"{name} was started"

        changes = {"/run": {"old": False, "new": True}}
        return _declared.Plan(changes, "", f"{name} would be started", apply)

    return _declared.run_plan(name, __opts__["test"], make_plan)


# --- plans ---


def _call(subject, settings, function, *arguments, **options):
    """
    Call a function of the execution module.

    subject
        Its first argument: the name of a job, or many jobs.

    settings
        Profile and connection settings.
    """
    return __salt__[f"chronos.{function}"](subject, *arguments, **options, **settings)


def _jobs_present(name, load_jobs, reported, show_secrets, arguments, settings):
    """
    Ensure that jobs exist and are as declared. Returns the result of the state.

    load_jobs
        Called without arguments; returns name to fields.

    reported
        Called with the changes by job; returns the changes of the state.

    arguments
        The arguments of the state that decide what is compared and changed.

    settings
        Profile and connection settings.
    """

    def make_plan():
        options = _put_options(**arguments)
        jobs = load_jobs()
        put_jobs = functools.partial(_call, jobs, settings, "put_jobs", **options)
        planned = put_jobs(test=True, foreseen=_pending_parents())
        changes, warnings = _changes_by_job(planned), _describe_warnings(planned)

        def apply():
            done = _put_jobs(put_jobs, reported)
            return f"{_describe_changes(changes, 'was', 'were')}{_describe_warnings(done)}"

        test_comment = _describe_changes(changes, "would be", "would be")
        return _declared.Plan(
            reported(changes),
            f"{_unchanged_comment(jobs)}{warnings}",
            f"{test_comment}{warnings}",
            apply,
        )

    return _declared.run_plan(name, __opts__["test"], make_plan, show_secrets)


def _put_jobs(put_jobs, reported):
    """Write jobs. Raises IncompleteChange if only some were written, or not as they were sent."""
    try:
        done = put_jobs()
    except CommandExecutionError as error:
        info = getattr(error, "info", None) or {}
        if "done" not in info:
            raise
        changes = reported(_changes_by_job(info["done"]))
        raise _declared.IncompleteChange(str(error), changes) from None
    if done["lost"]:
        descriptions = [f"{job}: {', '.join(fields)}" for job, fields in done["lost"].items()]
        raise _declared.IncompleteChange(
            f"Chronos did not store as sent: {'; '.join(descriptions)}"
        )
    return done


def _put_options(mode, match, reset_counters, wait_visible, **options):
    """Return the arguments of chronos.put_jobs for those of a state."""
    _check_argument(mode in ("merge", "replace"), "mode", mode, "merge or replace")
    _check_argument(match in ("equivalent", "period"), "match", match, "equivalent or period")
    _check_argument(
        isinstance(reset_counters, bool), "reset_counters", reset_counters, "true or false"
    )
    is_number = isinstance(wait_visible, (int, float)) and not isinstance(wait_visible, bool)
    _check_argument(
        is_number and 0 <= wait_visible <= MAX_WAIT_VISIBLE,
        "wait_visible",
        wait_visible,
        f"a number of seconds from 0 to {MAX_WAIT_VISIBLE}",
    )
    return {
        "replace": mode == "replace",
        "match": match,
        "preserve_counters": not reset_counters,
        "wait": wait_visible,
        **options,
    }


def _pending_parents():
    """
    Return name to parents of the jobs that earlier states of a test run would have changed.

    The parents are None for a job that would have been deleted. Empty unless this is a test run.
    """
    if not __opts__["test"]:
        return {}
    parents_by_job = {}
    for low, changes in _declared.pending_changes(__low__, __lowstate__, __running__):
        changes_by_job = {job: paths for job, paths in changes.items() if not job.startswith("/")}
        paths_of_name = {path: change for path, change in changes.items() if path.startswith("/")}
        for job, paths in {low["name"]: paths_of_name, **changes_by_job}.items():
            if "/" in paths:
                new_job = paths["/"]["new"]
                parents_by_job[job] = None if new_job is None else list(new_job.get("parents", ()))
            elif "/parents" in paths:
                parents_by_job[job] = list(paths["/parents"]["new"] or ())
    return parents_by_job


def _check_argument(is_valid, argument, value, expected):
    """Raise SaltInvocationError, in one line, unless an argument is valid."""
    if not is_valid:
        raise SaltInvocationError(f"{argument}: {value!r} should be {expected}")


# --- changes ---


def _changes_by_job(outcome):
    """Return the changes in the result of chronos.put_jobs, by job and path."""
    changes_by_job = {}
    for job, fields in outcome["changes"].items():
        if job in outcome["created"]:
            new_job = {field: change["new"] for field, change in fields.items()}
            changes_by_job[job] = {"/": {"old": None, "new": new_job}}
        else:
            changes_by_job[job] = _changes_by_path(fields)
    for job, old_job in outcome["deleted"].items():
        changes_by_job[job] = {"/": {"old": _without_runtime_fields(old_job), "new": None}}
    return changes_by_job


def _deletion_changes(deletion):
    """Return the changes in the result of chronos.delete_job; those of children by their names."""
    changes = {"/": {"old": _without_runtime_fields(deletion["deleted"]), "new": None}}
    for child, fields in deletion["children"].items():
        changes[child] = _changes_by_path(_without_runtime_fields(fields))
    return changes


def _without_runtime_fields(job):
    return {field: value for field, value in job.items() if field not in RUNTIME_FIELDS}


def _changes_by_path(fields):
    """Return changes by path for changes by field."""
    changes = {}
    for field, change in fields.items():
        old, new = change["old"], change["new"]
        if field == "counters":  # Not a field of a job, but several.
            for counter, counter_change in _differences(old, new):
                changes[f"/{counter}"] = counter_change
            continue
        if field == "environmentVariables":
            old, new = _values_by_name(old), _values_by_name(new)
        if isinstance(old, Mapping) and isinstance(new, Mapping) and old != new:
            for key, key_change in _differences(old, new):
                changes[f"/{field}/{key}"] = key_change
        else:
            changes[f"/{field}"] = change
    return changes


def _differences(old, new):
    """Yield key and change for each difference between two mappings."""
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            yield key, {"old": old.get(key), "new": new.get(key)}


def _values_by_name(variables):
    return {variable["name"]: variable["value"] for variable in variables or ()}


# --- comments ---


def _unchanged_comment(jobs):
    if not jobs:
        return "No job is declared"
    verb = "is" if len(jobs) == 1 else "are"
    return f"{_join_names(list(jobs))} {verb} as declared"


def _describe_changes(changes_by_job, singular, plural):
    """Return which jobs are created, updated and deleted, with the verb in singular or plural."""
    jobs_by_action = {"created": [], "updated": [], "deleted": []}
    for job, paths in changes_by_job.items():
        jobs_by_action[_action(paths)].append(job)
    sentences = []
    for action, jobs in jobs_by_action.items():
        if jobs:
            verb = plural if len(jobs) > 1 else singular
            sentences.append(f"{_join_names(jobs)} {verb} {action}")
    return "; ".join(sentences)


def _action(paths):
    if "/" not in paths:
        return "updated"
    return "created" if paths["/"]["old"] is None else "deleted"


def _join_names(jobs):
    omitted = len(jobs) - MAX_NAMES_IN_COMMENT
    names = ", ".join(jobs[:MAX_NAMES_IN_COMMENT])
    return f"{names} and {omitted} more" if omitted > 0 else names


def _describe_warnings(outcome):
    """Return the warnings in the result of chronos.put_jobs, to append to a comment."""
    return "".join(
        f". {job}: {message}"
        for job, messages in outcome["warnings"].items()
        for message in messages
    )
