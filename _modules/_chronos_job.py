"""
Jobs of Chronos: validation, canonical form, differences, and what to send. A helper of the module
chronos, not a module itself: Salt's loader skips names that begin with ``_``. It sends no requests.

``fields`` is always a mapping from field to value, as in Chronos' JSON. ``generation`` is 2 or 3,
the generation of the API.
"""

import importlib
import re
import time
from collections.abc import Mapping

import _arguments
import _chronos_schedule
import _http_client
import _text
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_text)
importlib.reload(_arguments)
importlib.reload(_http_client)
importlib.reload(_chronos_schedule)

NAME_PATTERNS = {2: r"[\w\s.#-]+", 3: r"[\w.-]+"}
NAME_DESCRIPTIONS = {
    2: "letters, digits, spaces and any of . # _ -",
    3: "letters, digits and any of . _ -",
}
CONSTRAINT_OPERATORS = ("EQUALS", "LIKE", "UNLIKE")
COUNTERS = {
    "successCount": 0,
    "errorCount": 0,
    "errorsSinceLastSuccess": 0,
    "lastSuccess": "",
    "lastError": "",
}
# The fields of a job with their defaults. None: the configuration of the server decides.
DEFAULTS = {
    "command": "",
    "shell": True,
    "executor": "",
    "executorFlags": "",
    "taskInfoData": "",
    "owner": "",
    "ownerName": "",
    "description": "",
    "runAsUser": None,
    "scheduleTimeZone": "",
    "epsilon": None,
    "async": False,
    "retries": 2,
    "cpus": None,
    "mem": None,
    "disk": None,
    "disabled": None,
    "softError": False,
    "highPriority": False,
    "dataProcessingJobType": False,
    "concurrent": False,
    "arguments": [],
    "uris": [],
    "fetch": [],
    "environmentVariables": [],
    "constraints": [],
    "container": {},
    "schedule": None,
    "parents": None,
}
CHRONOS_2_FIELDS = ("epsilon", "async")
RESOURCES = ("cpus", "mem", "disk")
TIMING_FIELDS = ("schedule", "scheduleTimeZone", "parents")
FETCH_FIELDS = {"uris", "fetch"}
EXCLUSIVE_FIELDS = (("schedule", "parents"), ("uris", "fetch"))
# Fields whose values may contain secrets, so that error messages do not quote them.
CONFIDENTIAL_FIELDS = ("environmentVariables", "container", "arguments")
FETCH_DEFAULTS = {
    "uri": "",
    "executable": False,
    "cache": False,
    "extract": None,
    "output_file": "",
}
CONTAINER_TYPES = ("DOCKER", "MESOS")
NETWORKS = ("BRIDGE", "HOST", "USER")
VOLUME_MODES = ("RO", "RW")
PROTOCOLS = ("IPv4", "IPv6")
MAX_PORT = 65535
CONTAINER_DEFAULTS = {
    "type": "DOCKER",
    "image": "",
    "network": "HOST",
    "networkName": "",
    "networkInfos": [],
    "volumes": [],
    "parameters": [],
    "forcePullImage": False,
}
# The first version whose default is to extract archives.
EXTRACT_DEFAULT_VERSION = (3, 0, 1)
# When a job with a schedule is deleted, a job that ran after it keeps only these fields.
FIELDS_KEPT_WITHOUT_PARENT = (
    "name",
    "command",
    "executor",
    "executorFlags",
    "taskInfoData",
    "owner",
    "epsilon",
    "async",
    "retries",
    *RESOURCES,
    "disabled",
    "softError",
    "highPriority",
    "uris",
    "fetch",
    *COUNTERS,
)


# --- validation ---


def check_name(name):
    """Return the name of a job. Raises SaltInvocationError if it is not text."""
    _arguments.require(
        isinstance(name, str) and name.strip() and name.isprintable(),
        "name",
        name,
        "the name of a job. A number needs quotes",
    )
    return name


def check_match(match):
    """Raise SaltInvocationError for an unknown way to compare schedules."""
    _arguments.require(
        match in _chronos_schedule.MATCHES,
        "match",
        match,
        f"one of {', '.join(_chronos_schedule.MATCHES)}",
    )


def parse_schedule(argument, value):
    """Return a Schedule. Raises SaltInvocationError, with the name of the argument."""
    try:
        return _chronos_schedule.parse(value)
    except ValueError as error:
        raise SaltInvocationError(f"{argument}: {error}") from None


def validate(config, name=None):
    """
    Return the fields of a job to send, without those that are null, and a list of warnings.

    Chronos would take null for the text "null". Fields that Chronos does not have are left out,
    with a warning. Raises SaltInvocationError for misspelt fields, and for values that Chronos
    would drop or misunderstand.
    """
    _arguments.require(
        isinstance(config, Mapping), "config", config, "a mapping of the job's fields"
    )
    fields = {field: value for field, value in config.items() if value is not None}
    if name is not None and fields.get("name", name) != name:
        raise SaltInvocationError(
            f"config: name is {fields['name']!r}, but the job is called {name!r}"
        )
    warnings = []
    fields = _without_unknown(fields, {*DEFAULTS, *COUNTERS, "name"}, "", warnings)
    fields.pop("name", None)
    variables = fields.get("environmentVariables")
    if isinstance(variables, Mapping):
        fields["environmentVariables"] = [
            {"name": key, "value": value} for key, value in variables.items()
        ]
    for field, convert in _NESTED_FIELDS.items():
        if field in fields:
            fields[field] = convert(field, fields[field], warnings)
    for field in fields:
        if _FIELD_TYPES.get(field) in (_COUNT, _NUMBER):
            fields[field] = _text_as_number(fields[field])
    _check_types(fields)
    _check_times(fields)
    _resolve_exclusive_fields(fields)
    if fields.get("parents") and fields.pop("scheduleTimeZone", ""):
        warnings.append("scheduleTimeZone: ignored, since a job with parents has no schedule")
    return fields, warnings


def _without_unknown(fields, known_names, path, warnings):
    """
    Return fields without those that Chronos does not have, and append warnings about these.

    Raises SaltInvocationError for a name that looks like a misspelt field.
    """
    prefix = f"{path}." if path else ""
    location = prefix or "config: "
    supported = {}
    for name, value in fields.items():
        if name in known_names:
            supported[name] = value
            continue
        similar_name = _text.similar_name(name, known_names)
        if similar_name:
            raise SaltInvocationError(
                f"{location}{name}: there is no such field. Did you mean {similar_name}?"
            )
        warnings.append(f"{prefix}{name}: ignored, since Chronos does not have this field")
    return supported


def _text_as_number(value):
    """Return the number in a text, as Chronos reads it; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return int(value) if re.fullmatch(r"\d+", value, re.ASCII) else float(value)
    except ValueError:
        return value


def _check_types(fields):
    for field, value in fields.items():
        if field in _NESTED_FIELDS:
            continue  # Checked when they were converted.
        is_valid, expected = _FIELD_TYPES.get(field, _TEXT)
        if not is_valid(value):
            quoted = _text.shorten(repr(value))
            if field in CONFIDENTIAL_FIELDS:
                quoted = "its value"
            raise SaltInvocationError(f"{field}: {quoted} should be {expected}")


def _check_times(fields):
    if "schedule" in fields:
        parse_schedule("schedule", fields["schedule"])
    if "epsilon" in fields:
        try:
            _chronos_schedule.parse_period(fields["epsilon"])
        except ValueError as error:
            raise SaltInvocationError(f"epsilon: {error}") from None


def _resolve_exclusive_fields(fields):
    """Of two fields that exclude each other, remove the empty one."""
    for field, alternative in EXCLUSIVE_FIELDS:
        if fields.get(field) and fields.get(alternative):
            raise SaltInvocationError(f"{field}: cannot be combined with {alternative}")
        if field in fields and fields.get(alternative) == []:
            del fields[alternative]
        elif alternative in fields and fields.get(field) == []:
            del fields[field]


def _constraints_as_text(constraints):
    return [[str(part) for part in constraint] for constraint in constraints]


def validate_all(jobs, current_jobs, generation, owner_name):
    """
    Return the fields of the valid jobs, and warnings, both by name; and a list of errors.

    jobs
        Name to fields.

    current_jobs
        Name to fields of the jobs on the server.

    owner_name
        The ``ownerName`` that all of them must have, None for any.
    """
    fields_by_job, warnings, errors = {}, {}, []
    for name, config in jobs.items():
        try:
            fields, warnings[name] = validate(config, check_name(name))
            if owner_name and fields.setdefault("ownerName", owner_name) != owner_name:
                raise SaltInvocationError(
                    f"ownerName: {fields['ownerName']!r} should be {owner_name!r}, "
                    "the argument owner_name"
                )
            warnings[name] += remove_unsupported_fields(fields, generation)
            if name not in current_jobs:
                check_new(name, fields, generation)
            fields_by_job[name] = fields
        except SaltInvocationError as error:
            errors.append(f"{name}: {error}")
    return fields_by_job, warnings, errors


def remove_unsupported_fields(fields, generation):
    """Remove the fields that a generation does not have. Returns warnings."""
    if generation != 3:
        return []
    ignored = [name for name in CHRONOS_2_FIELDS if name in fields]
    for name in ignored:
        del fields[name]
    return [f"{name}: ignored, since Chronos 3 does not have this field" for name in ignored]


def counter_warnings(current, fields):
    """Return warnings about declared counters, which are only sent for a new job."""
    return [
        f"{name}: ignored, since the job exists and Chronos counts its runs"
        for name in COUNTERS
        if name in fields and fields[name] != current.get(name)
    ]


def check_new(name, fields, generation):
    """Raise SaltInvocationError for a new job that Chronos would reject, or run unexpectedly."""
    pattern = re.compile(NAME_PATTERNS[generation], re.ASCII)
    _arguments.require(
        pattern.fullmatch(name),
        "name",
        name,
        f"made of {NAME_DESCRIPTIONS[generation]} for Chronos {generation}",
    )
    if not fields.get("schedule") and not fields.get("parents"):
        raise SaltInvocationError(
            "config: a new job needs a schedule or parents. "
            "Without them Chronos would run it once, immediately"
        )
    fields.setdefault("command", "")  # Chronos 2 fails without a command.


# --- parents ---


def check_parents(name, parents, jobs):
    """
    Raise NotFound for parents that do not exist, SaltInvocationError for a cycle.

    jobs
        Name to fields of all jobs; of these only ``parents`` is used.
    """
    missing = sorted(set(parents) - set(jobs) - {name})
    if missing:
        quoted = ", ".join(repr(parent) for parent in missing)
        raise _http_client.NotFound(
            f"parents: There is no job called {quoted}. "
            f"Chronos 3 would accept {name!r}, but hide it until they exist"
        )
    ancestors, queue = set(), list(parents)
    while queue:
        ancestor = queue.pop()
        if ancestor not in ancestors:
            ancestors.add(ancestor)
            queue += jobs.get(ancestor, {}).get("parents", [])
    if name in ancestors:
        between = sorted(ancestors - {name})
        via = f", via {', '.join(between)}" if between else ""
        raise SaltInvocationError(f"parents: {name!r} would run after itself{via}")


def parents_by_job(current_jobs, foreseen, fields_by_job=()):
    """
    Return the parents of each job as they will be.

    current_jobs
        Name to fields of the jobs on the server.

    foreseen
        Name to parents that other states of a test run would set; None for a deleted job.

    fields_by_job
        Name to fields of the jobs to write.
    """
    parents_of = {name: fields.get("parents", []) for name, fields in current_jobs.items()}
    parents_of.update(foreseen or {})
    parents_of = {name: parents for name, parents in parents_of.items() if parents is not None}
    for name in fields_by_job:
        fields = fields_by_job[name]
        if fields.get("parents"):
            parents_of[name] = sorted(set(fields["parents"]))
        elif fields.get("schedule"):
            parents_of[name] = []
    return parents_of


def parent_errors(graph, fields_by_job, deleted_names):
    """
    Return what is wrong with the parents of jobs, as a list of messages.

    graph
        Name to fields of all jobs as they will be; of these only ``parents`` is used.

    fields_by_job
        Name to fields of the jobs to write.

    deleted_names
        The jobs to delete.
    """
    errors = []
    for name, fields in fields_by_job.items():
        try:
            check_parents(name, fields.get("parents", []), graph)
        except (CommandExecutionError, SaltInvocationError) as error:
            errors.append(f"{name}: {error}")
    for name, fields in graph.items():
        deleted_parents = [parent for parent in fields["parents"] if parent in deleted_names]
        if deleted_parents and name not in deleted_names:
            errors.append(
                f"{name}: runs after {', '.join(deleted_parents)}, which would be deleted"
            )
    return errors


def in_parent_order(graph):
    """Yield lists of names of jobs, so that no job comes before any of its parents."""
    remaining = {name: set(fields["parents"]) for name, fields in graph.items()}
    while remaining:
        names = [name for name, parents in remaining.items() if not parents & remaining.keys()]
        if not names:  # A cycle.
            names = list(remaining)
        yield names
        for name in names:
            del remaining[name]


def schedule_warnings(fields, generation):
    """Return warnings about the time when a job will run."""
    warnings = []
    zone = fields.get("scheduleTimeZone", "")
    if zone and not _chronos_schedule.has_zone(zone):
        warnings.append(
            f"scheduleTimeZone: {zone} is unknown on this minion, so a start may be off by up to "
            "an hour without being reported. Chronos uses GMT for time zones it does not know"
        )
    try:
        start = _chronos_schedule.start_time(fields.get("schedule"), zone)
    except ValueError:
        return warnings
    in_past = start is not None and start.timestamp() < time.time()
    if in_past and not fields.get("disabled") and _remaining_runs(fields["schedule"]) != 0:
        effect = "skips the missed runs"
        if generation == 3:
            effect = "runs the job immediately"
        warnings.append(
            f"schedule: the start {start.isoformat()} is in the past, "
            f"so Chronos {generation} {effect}"
        )
    return warnings


def importable(job, current, now):
    """
    Return the fields of an exported job to send, and whether its schedule was changed.

    current
        The job of that name in Chronos, None if it does not exist.

    now
        A datetime with a zone. The next run is later, as Chronos 3 runs a job at once whose start
        is in the past. A job whose only run was missed is disabled.

    Fields that are empty or that only Chronos sets are left out, and so are the counters of a job
    that exists. The schedule stays if that of the current job follows from it.
    """
    names = set(DEFAULTS) if current else {*DEFAULTS, *COUNTERS}
    fields = {
        name: value for name, value in job.items() if name in names and value not in (None, [], {})
    }
    if fields.get("parents"):
        fields.pop("schedule", None)
        fields.pop("scheduleTimeZone", None)
        return fields, False
    zone = fields.get("scheduleTimeZone", "")
    try:
        schedule = _chronos_schedule.without_missed_runs(fields.get("schedule"), now, zone)
        follows = current and _chronos_schedule.equivalent(
            fields["schedule"], current.get("schedule"), zone
        )
    except ValueError:
        # Validation reports it with the name of the job.
        return fields, False
    if schedule is None:
        return _without_missed_run(fields, follows)
    if follows:
        return fields, False
    return {**fields, "schedule": schedule}, schedule != fields["schedule"]


def _without_missed_run(fields, follows):
    """Disable a job whose only run was missed, unless that of the server ``follows`` from it."""
    if follows:
        return {name: value for name, value in fields.items() if name != "disabled"}, False
    if fields.get("disabled") or _has_no_runs_left(fields):
        return fields, False
    return {**fields, "disabled": True}, True


# --- canonical form ---


def canonical(fields):
    """Return the fields of a job that can be compared, in one spelling."""
    job = {name: value for name, value in fields.items() if name in DEFAULTS and value is not None}
    for name in RESOURCES:
        if not job.get(name):
            job.pop(name, None)
    entries = [{"uri": uri} for uri in job.pop("uris", [])] + job.get("fetch", [])
    if "fetch" in fields or "uris" in fields:
        complete_entries = [{**FETCH_DEFAULTS, **entry} for entry in entries]
        job["fetch"] = sorted(complete_entries, key=lambda entry: entry["uri"])
    if "parents" in job:
        job["parents"] = sorted(set(job["parents"]))
    if "constraints" in job:
        job["constraints"] = sorted(_constraints_as_text(job["constraints"]))
    if "environmentVariables" in job:
        variables = job["environmentVariables"]
        job["environmentVariables"] = sorted(variables, key=lambda variable: variable["name"])
    if "container" in job:
        job["container"] = _canonical_container(job["container"])
    return job


def _canonical_container(container):
    if not container:
        return {}
    values = {name: value for name, value in container.items() if value is not None}
    complete = {**CONTAINER_DEFAULTS, **values}
    for name in ("type", "network"):
        complete[name] = complete[name].upper()
    complete["volumes"] = [
        {**volume, "mode": volume.get("mode", "RO").upper()} for volume in complete["volumes"]
    ]
    complete["networkInfos"] = [_canonical_network(network) for network in complete["networkInfos"]]
    return complete


def _canonical_network(network):
    # Chronos returns port numbers as text.
    port_mappings = [
        {name: str(value) for name, value in mapping.items()}
        for mapping in network.get("portMappings", [])
    ]
    return {"name": "", "labels": [], **network, "portMappings": port_mappings}


# --- differences ---


def changed_fields(
    current, fields, replace=False, match="equivalent", preserve_counters=True, reset_schedule=False
):
    """
    Return what to change in a job, as field to ``old`` and ``new``.

    That is what differs, and what is to be reset although it is equivalent. ``current`` is None for
    a new job.
    """
    changes = diff(current, _with_defaults(fields, current, replace), match)
    if current is None:
        return changes
    schedule = fields.get("schedule")
    if reset_schedule and schedule not in (None, current.get("schedule")):
        changes["schedule"] = {"old": current.get("schedule"), "new": schedule}
    counters = {name: current[name] for name in COUNTERS if current.get(name)}
    if counters and not preserve_counters:
        changes["counters"] = {"old": counters, "new": {name: COUNTERS[name] for name in counters}}
    # Chronos disables a job that has no runs left. A new schedule has to enable it.
    new_schedule = "schedule" in changes and schedule and "disabled" not in fields
    if new_schedule and current.get("disabled") and _has_no_runs_left(current):
        changes["disabled"] = {"old": True, "new": False}
    return changes


def _has_no_runs_left(job):
    return _remaining_runs(job.get("schedule")) == 0


def _remaining_runs(schedule):
    """Return the number of runs left; None if it is unlimited or unknown."""
    try:
        return _chronos_schedule.parse(schedule).repeat
    except ValueError:
        return None


def _with_defaults(fields, current, replace):
    """Return the fields; with ``replace`` also the defaults of the others."""
    if not replace or current is None:
        return fields
    used_fetch_fields = FETCH_FIELDS & set(fields)
    if not used_fetch_fields:
        used_fetch_fields = {"fetch" if "fetch" in current else "uris"}
    unused_fetch_fields = FETCH_FIELDS - used_fetch_fields
    defaults = {
        name: value
        for name, value in DEFAULTS.items()
        if value is not None
        and name not in unused_fetch_fields
        and (name in current or name == "container")
    }
    if fields.get("container"):
        fields = {**fields, "container": {**CONTAINER_DEFAULTS, **fields["container"]}}
    return {**defaults, **fields}


def _with_current_container(fields, current):
    """Return fields whose container has what only that of the current job has."""
    if not fields.get("container") or not (current or {}).get("container"):
        return fields
    return {**fields, "container": {**current["container"], **fields["container"]}}


def diff(current, fields, match="equivalent"):
    """
    Return how fields differ from a job on the server, as field to ``old`` and ``new``.

    Neither omitted fields nor omitted members of the container differ.
    """
    new, old = canonical(_with_current_container(fields, current)), canonical(current or {})
    if current is None:
        return {name: {"old": None, "new": value} for name, value in new.items()}
    if "schedule" in new and "parents" in old:
        new["parents"] = None
    if "parents" in new and "schedule" in old and new["parents"] is not None:
        new["schedule"] = None
    zone = new.get("scheduleTimeZone", old.get("scheduleTimeZone", ""))
    changes = {}
    for name, value in new.items():
        old_value = old.get(name, {} if name == "container" else None)
        if not _is_same(name, value, old_value, zone, match):
            changes[name] = {"old": old.get(name), "new": value}
    if "parents" in new and "schedule" in new and new["schedule"] is None:
        changes.pop("scheduleTimeZone", None)
    # Chronos disables a job that has no runs left. Enabling it would not make it run again.
    if new.get("disabled") is False and "schedule" not in changes and _has_no_runs_left(old):
        changes.pop("disabled", None)
    return changes


def _is_same(name, new, old, zone, match):
    if new is None or old is None:
        return new == old or (not new and not old)
    try:
        if name == "schedule":
            return _chronos_schedule.equivalent(new, old, zone, match)
        if name == "epsilon":
            return _chronos_schedule.parse_period(new) == _chronos_schedule.parse_period(old)
    except ValueError:
        return False
    if name == "fetch":
        return len(new) == len(old) and all(map(_is_same_fetch_entry, new, old))
    return new == old


def _is_same_fetch_entry(new, old):
    # Without "extract" the server decides.
    return new == ({**old, "extract": None} if new["extract"] is None else old)


def differences(before, after):
    """Return how two mappings differ, as key to ``old`` and ``new``."""
    return {
        name: {"old": before.get(name), "new": after.get(name)}
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


# --- what to send, and what Chronos makes of it ---


def merge(current, fields, changes, replace, preserve_counters):
    """Return the complete job to send: the fields, and what stays of the current job."""
    base = {}
    if not replace:
        base = {
            name: value
            for name, value in current.items()
            if name not in COUNTERS and value not in (None, [], {})
        }
        fields = _with_current_container(fields, current)
    if FETCH_FIELDS & set(fields):
        base.pop("uris", None)
        base.pop("fetch", None)
    if fields.get("parents"):
        base = {name: value for name, value in base.items() if name not in TIMING_FIELDS}
    elif fields.get("schedule"):
        base.pop("parents", None)
    elif replace:
        base.update({name: current[name] for name in TIMING_FIELDS if name in current})
    without_counters = {name: value for name, value in fields.items() if name not in COUNTERS}
    body = {**base, "name": current["name"], **without_counters}
    for name in RESOURCES:
        if not body.get(name):
            body.pop(name, None)
            if not replace and current.get(name):
                body[name] = current[name]
    if "schedule" in body and "schedule" not in changes and current.get("schedule"):
        body["schedule"] = current["schedule"]
    if "disabled" in changes and "disabled" in current:
        body["disabled"] = changes["disabled"]["new"]
    elif "disabled" in current:
        body["disabled"] = current["disabled"]
    if preserve_counters:
        body.update({name: current[name] for name in COUNTERS if name in current})
    return body


def lost_fields(job, fields):
    """
    Return the fields that Chronos did not store as they were sent.

    ``disabled`` is not among them, since Chronos itself may have disabled the job in the meantime.
    """
    return sorted(field for field in diff(job, fields) if field != "disabled")


def after_parent_deletion(child, parent):
    """Return what Chronos makes of a job when one of its parents is deleted."""
    if "parents" in parent:
        parents = {*child["parents"], *parent["parents"]} - {parent["name"]}
        return {**child, "parents": sorted(parents)}
    reset = {
        name: "" if default is None else default
        for name, default in DEFAULTS.items()
        if name in child and name not in ("parents", "container")
    }
    kept_fields = {name: child[name] for name in child if name in FIELDS_KEPT_WITHOUT_PARENT}
    return {
        **reset,
        **kept_fields,
        "schedule": parent["schedule"],
        "scheduleTimeZone": parent.get("scheduleTimeZone", ""),
    }


# --- types of fields ---


def is_text(value):
    return isinstance(value, str)


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_number(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value < float("inf")


def is_text_list(value):
    return isinstance(value, list) and all(map(is_text, value))


def _is_boolean(value):
    return isinstance(value, bool)


def _is_parent_list(value):
    return is_text_list(value) and bool(value)


# --- what is in fields: converted, and checked where Chronos would fail or drop it ---


def _invalid(path, expected, value=None):
    """Return an error about a part of a field. A value that may be a secret is not passed."""
    quoted = "its value" if value is None else _text.shorten(repr(value))
    return SaltInvocationError(f"{path}: {quoted} should be {expected}")


def _convert_text(path, value, _warnings):
    """Return text; a whole number is accepted. YAML has already altered any other number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not is_text(value):
        raise _invalid(path, "text. Numbers and booleans need quotes")
    return value


def _convert_boolean(path, value, _warnings):
    if not isinstance(value, bool):
        raise _invalid(path, "true or false", value)
    return value


def _convert_port(path, value, _warnings):
    port = _text_as_number(value)
    if not is_count(port) or port > MAX_PORT:
        raise _invalid(path, f"a port from 0 to {MAX_PORT}", value)
    return port


def _choice(*words):
    """Return a converter of words whose case does not matter."""
    by_lower_case = {word.lower(): word for word in words}

    def convert(path, value, _warnings):
        word = by_lower_case.get(str(value).lower())
        if word is None:
            raise _invalid(path, f"one of {', '.join(words)}", value)
        return word

    return convert


def _list_of(convert_item):
    """Return a converter of lists."""

    def convert(path, value, warnings):
        if not isinstance(value, list):
            raise _invalid(path, "a list")
        return [convert_item(f"{path}[{i}]", item, warnings) for i, item in enumerate(value)]

    return convert


def _mapping_of(required_names, **converters):
    """Return a converter of mappings that leaves out members that are null or unknown."""

    def convert(path, value, warnings):
        if not isinstance(value, Mapping):
            raise _invalid(path, f"a mapping with {', '.join(converters)}")
        members = {name: item for name, item in value.items() if item is not None}
        members = _without_unknown(members, set(converters), path, warnings)
        for name in required_names:
            if name not in members or members[name] == "":
                raise _invalid(path, f"a mapping with {' and '.join(required_names)}")
        return {
            name: converters[name](f"{path}.{name}", item, warnings)
            for name, item in members.items()
        }

    return convert


def _convert_constraint(path, value, warnings):
    if not isinstance(value, list) or len(value) != 3:
        raise _invalid(path, "a list of attribute, operator and operand", value)
    attribute, operator, operand = value
    if operator not in CONSTRAINT_OPERATORS:
        operators = ", ".join(CONSTRAINT_OPERATORS)
        raise _invalid(f"{path}[1]", f"one of Chronos' operators {operators}", operator)
    return [
        _convert_text(f"{path}[0]", attribute, warnings),
        operator,
        _convert_text(f"{path}[2]", operand, warnings),
    ]


def _convert_variable(path, value, warnings):
    if isinstance(value, Mapping) and is_text(value.get("name")):
        # Also a mapping of variables was converted to a list, so the index would not help.
        path = f"environmentVariables.{value['name']}"
    variable = _VARIABLE(path, value, warnings)
    # Chronos rejects a variable without a value.
    if isinstance(value, Mapping) and value.get("value", "") is None:
        raise _invalid(path, "text; an empty one needs quotes")
    return {"value": "", **variable}


def _convert_container(path, value, warnings):
    if value == {}:
        return {}
    return _CONTAINER(path, value, warnings)


_VARIABLE = _mapping_of(("name",), name=_convert_text, value=_convert_text)
_PARAMETERS = _list_of(_mapping_of(("key", "value"), key=_convert_text, value=_convert_text))
_PORT_MAPPINGS = _list_of(
    _mapping_of(
        ("hostPort", "containerPort"),
        hostPort=_convert_port,
        containerPort=_convert_port,
        protocol=_convert_text,
    )
)
_CONTAINER = _mapping_of(
    ("image",),
    type=_choice(*CONTAINER_TYPES),
    image=_convert_text,
    network=_choice(*NETWORKS),
    networkName=_convert_text,
    networkInfos=_list_of(
        _mapping_of(
            ("name",),
            name=_convert_text,
            protocol=_choice(*PROTOCOLS),
            labels=_PARAMETERS,
            portMappings=_PORT_MAPPINGS,
        )
    ),
    volumes=_list_of(
        _mapping_of(
            ("containerPath",),
            hostPath=_convert_text,
            containerPath=_convert_text,
            mode=_choice(*VOLUME_MODES),
            external=_mapping_of(
                ("name", "provider"),
                name=_convert_text,
                provider=_convert_text,
                options=_PARAMETERS,
            ),
        )
    ),
    parameters=_PARAMETERS,
    forcePullImage=_convert_boolean,
)
_NESTED_FIELDS = {
    "environmentVariables": _list_of(_convert_variable),
    "constraints": _list_of(_convert_constraint),
    "fetch": _list_of(
        _mapping_of(
            ("uri",),
            uri=_convert_text,
            executable=_convert_boolean,
            cache=_convert_boolean,
            extract=_convert_boolean,
            output_file=_convert_text,
        )
    ),
    "container": _convert_container,
}


# A function that checks the value, and what the value should be.
_TEXT = (is_text, "text. Numbers and booleans need quotes")
_BOOLEAN = (_is_boolean, "true or false")
_COUNT = (is_count, "a number of at least 0")
_NUMBER = (is_number, "a number of at least 0")
_TEXTS = (is_text_list, "a list of text values")
# Fields that are neither listed nor in _NESTED_FIELDS are text.
_FIELD_TYPES = {
    "shell": _BOOLEAN,
    "async": _BOOLEAN,
    "disabled": _BOOLEAN,
    "softError": _BOOLEAN,
    "highPriority": _BOOLEAN,
    "dataProcessingJobType": _BOOLEAN,
    "concurrent": _BOOLEAN,
    "retries": _COUNT,
    "successCount": _COUNT,
    "errorCount": _COUNT,
    "errorsSinceLastSuccess": _COUNT,
    "cpus": _NUMBER,
    "mem": _NUMBER,
    "disk": _NUMBER,
    "arguments": _TEXTS,
    "uris": _TEXTS,
    "parents": (_is_parent_list, "a list of at least one name of a job"),
}
