"""
Jobs of Chronos: validation, canonical form, differences, and what to send. A helper of the module
chronos, not a module itself: Salt's loader skips names that begin with ``_``. It sends no requests.
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

# After a sync Salt still has the old helpers in sys.modules.
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
# The fields of a job, and what they are if a job is made without them; None: the server's own configuration says that.
DEFAULTS = {
    "command": "", "shell": True, "executor": "", "executorFlags": "", "taskInfoData": "", "owner": "", "ownerName": "",
    "description": "", "runAsUser": None, "scheduleTimeZone": "", "epsilon": None, "async": False, "retries": 2,
    "cpus": None, "mem": None, "disk": None, "disabled": None, "softError": False, "highPriority": False,
    "dataProcessingJobType": False, "concurrent": False, "arguments": [], "uris": [], "fetch": [],
    "environmentVariables": [], "constraints": [], "container": {}, "schedule": None, "parents": None,
}  # fmt: skip
CHRONOS_2_FIELDS = ("epsilon", "async")
RESOURCES = ("cpus", "mem", "disk")
FETCH_DEFAULTS = {
    "uri": "",
    "executable": False,
    "cache": False,
    "extract": None,
    "output_file": "",
}
CONTAINER_DEFAULTS = {
    "type": "DOCKER", "image": "", "network": "HOST", "networkName": "", "networkInfos": [], "volumes": [], "parameters": [],
    "forcePullImage": False,
}  # fmt: skip
EXTRACT_DEFAULT_VERSION = (3, 0, 1)  # by itself what it fetches
# What a job that ran after one with a schedule still has of its own when that one is deleted.
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
    _arguments.require(
        isinstance(name, str) and name.strip() and name.isprintable(),
        "name",
        name,
        "the name of a job. A number needs quotes",
    )
    return name


def check_match(match):
    _arguments.require(
        match in _chronos_schedule.MATCHES,
        "match",
        match,
        f"one of {', '.join(_chronos_schedule.MATCHES)}",
    )


def parse_schedule(argument, value):
    try:
        return _chronos_schedule.parse(value)
    except ValueError as error:
        raise SaltInvocationError(f"{argument}: {error}") from None


def validate(config, name=None):
    """
    Return the fields of a job to send, without those that are null: Chronos takes null for the text "null".

    Raises SaltInvocationError for what is no field, and for values that Chronos would drop or take for something else.
    """
    _arguments.require(
        isinstance(config, Mapping), "config", config, "a mapping of the job's fields"
    )
    given = {field: value for field, value in config.items() if value is not None}
    if name is not None and given.get("name", name) != name:
        raise SaltInvocationError(
            f"config: says name: {given['name']!r}, and the job is called {name!r}"
        )
    unknown = [
        str(field)
        for field in given
        if field not in DEFAULTS and field not in COUNTERS and field != "name"
    ]
    if unknown:
        raise SaltInvocationError(
            f"config: {', '.join(unknown)}: no such field. A job has {', '.join(sorted(DEFAULTS))}"
        )
    given.pop("name", None)
    if isinstance(given.get("environmentVariables"), Mapping):
        given["environmentVariables"] = [
            {"name": key, "value": value} for key, value in given["environmentVariables"].items()
        ]
    for field, value in given.items():
        fits, should = _FIELDS.get(field, _TEXT)
        shown = (
            "its value"
            if field in ("environmentVariables", "container", "arguments")
            else _text.shorten(repr(value))
        )
        if not fits(value):
            raise SaltInvocationError(f"{field}: {shown} should be {should}")
    if "schedule" in given:
        parse_schedule("schedule", given["schedule"])
    if "epsilon" in given:
        try:
            _chronos_schedule.parse_period(given["epsilon"])
        except ValueError as error:
            raise SaltInvocationError(f"epsilon: {error}") from None
    for one, other in (("schedule", "parents"), ("uris", "fetch")):
        if given.get(one) and given.get(other):
            raise SaltInvocationError(f"{one}: there is {other}, too. Give one of them")
        if given.get(other) == [] and one in given:
            del given[other]
        elif given.get(one) == [] and other in given:
            del given[one]
    if "environmentVariables" in given:
        given["environmentVariables"] = [
            {"name": each["name"], "value": _as_text(each.get("value", ""))}
            for each in given["environmentVariables"]
        ]
    if "constraints" in given:
        given["constraints"] = [[str(part) for part in each] for each in given["constraints"]]
    for field in ("fetch", "container"):
        if field in given:
            given[field] = _without_null(given[field])
    return given


def _without_null(value):
    if isinstance(value, Mapping):
        return {name: _without_null(part) for name, part in value.items() if part is not None}
    return (
        [_without_null(part) for part in value if part is not None]
        if isinstance(value, list)
        else value
    )


def validate_all(jobs, known, generation, owner_name):
    """Return of many jobs the fields of those that are right, by name, with warnings, and what is wrong with the others."""
    wanted, warnings, faults = {}, {}, []
    for name, config in jobs.items():
        try:
            fields = validate(config, check_name(name))
            if owner_name and fields.setdefault("ownerName", owner_name) != owner_name:
                raise SaltInvocationError(
                    f"ownerName: {fields['ownerName']!r} should be {owner_name!r}, as owner_name says"
                )
            warnings[name] = remove_unsupported_fields(fields, generation)
            if name not in known:
                check_new(name, fields, generation)
            wanted[name] = fields
        except SaltInvocationError as error:
            faults.append(f"{name}: {error}")
    return wanted, warnings, faults


def remove_unsupported_fields(wanted, generation):
    """Leave out what a generation does not know. Returns warnings."""
    ignored = [name for name in CHRONOS_2_FIELDS if name in wanted] if generation == 3 else []
    for name in ignored:
        del wanted[name]
    return [f"{name}: Chronos 3 has no such field; it was left out" for name in ignored]


def check_new(name, wanted, generation):
    """Refuse a new job that Chronos would refuse, or run at once although nobody said so."""
    form = re.compile(NAME_PATTERNS[generation], re.ASCII)
    _arguments.require(
        form.fullmatch(name),
        "name",
        name,
        f"made of {NAME_DESCRIPTIONS[generation]} for Chronos {generation}",
    )
    if not wanted.get("schedule") and not wanted.get("parents"):
        raise SaltInvocationError(
            "config: a new job needs a schedule or parents. With none of them it would run at once, and once only"
        )
    wanted.setdefault("command", "")  # without it Chronos 2 fails


def check_parents(name, wanted, known):
    """Refuse parents that are not there, and a job that would wait for itself."""
    unknown = sorted(set(wanted) - set(known) - {name})
    if unknown:
        missing = ", ".join(map(repr, unknown))
        raise _http_client.NotFound(
            f"parents: There is no job called {missing}. Chronos 3 would drop {name!r} without a word"
        )
    above, left = set(), list(wanted)
    while left:
        each = left.pop()
        if each not in above:
            above.add(each)
            left += known.get(each, {}).get("parents", [])
    if name in above:
        raise SaltInvocationError(
            f"parents: {name!r} would run after itself, by way of {', '.join(sorted(above - {name})) or 'itself'}"
        )


def parents_by_job(known, foreseen, wanted=()):
    """Return the parents of each job as they will be."""
    found = {name: each.get("parents", []) for name, each in known.items()}
    found.update(foreseen or {})
    found = {name: parents for name, parents in found.items() if parents is not None}
    for name in wanted:
        if wanted[name].get("parents"):
            found[name] = sorted(set(wanted[name]["parents"]))
        elif wanted[name].get("schedule"):
            found[name] = []
    return found


def parent_errors(graph, wanted, gone):
    """Say what is wrong with the parents of jobs as they will be, if others will be gone."""
    faults = []
    for name, fields in wanted.items():
        try:
            check_parents(name, fields.get("parents", []), graph)
        except (CommandExecutionError, SaltInvocationError) as error:
            faults.append(f"{name}: {error}")
    for name, each in graph.items():
        missed = [parent for parent in each["parents"] if parent in gone]
        if missed and name not in gone:
            faults.append(f"{name}: runs after {', '.join(missed)}, which would be deleted")
    return faults


def in_parent_order(graph):
    """Yield the names of jobs in lists, none before all its parents."""
    left = {name: set(each["parents"]) for name, each in graph.items()}
    while left:
        names = [name for name, parents in left.items() if not parents & left.keys()] or list(left)
        yield names
        for name in names:
            del left[name]


def schedule_warnings(body, generation):
    """What a person should know of when the job to send runs."""
    found = []
    zone = body.get("scheduleTimeZone", "")
    if zone and not _chronos_schedule.zone_known(zone):
        found.append(
            f"scheduleTimeZone: {zone} is not known on this minion, so times are compared to the hour. Chronos takes zones that it "
            "does not know for GMT"
        )
    try:
        begins = _chronos_schedule.begins(body.get("schedule"), zone)
    except ValueError:
        return found
    if (
        begins
        and begins.timestamp() < time.time()
        and not body.get("disabled")
        and _remaining_runs(body["schedule"]) != 0
    ):
        then = "runs it at once" if generation == 3 else "leaves out the runs that it has missed"
        found.append(
            f"schedule: begins in the past, at {begins.isoformat()}: Chronos {generation} {then}"
        )
    return found


# --- canonical form and differences ---


def canonical(given):
    """The fields of a job that can be compared, in one spelling."""
    found = {name: value for name, value in given.items() if name in DEFAULTS and value is not None}
    for name in RESOURCES:
        if not found.get(name):
            found.pop(name, None)
    entries = [{"uri": uri} for uri in found.pop("uris", [])] + found.get("fetch", [])
    if "fetch" in given or "uris" in given:
        found["fetch"] = sorted(
            ({**FETCH_DEFAULTS, **entry} for entry in entries), key=lambda entry: entry["uri"]
        )
    if "parents" in found:
        found["parents"] = sorted(set(found["parents"]))
    if "constraints" in found:
        found["constraints"] = sorted([str(part) for part in each] for each in found["constraints"])
    if "environmentVariables" in found:
        pairs = found["environmentVariables"]
        found["environmentVariables"] = sorted(
            ({"name": each["name"], "value": _as_text(each.get("value", ""))} for each in pairs),
            key=lambda each: each["name"],
        )
    if "container" in found:
        found["container"] = _canonical_container(found["container"])
    return found


def _canonical_container(given):
    found = (
        {
            **CONTAINER_DEFAULTS,
            **{name: value for name, value in given.items() if value is not None},
        }
        if given
        else {}
    )
    for name in ("type", "network"):
        if found:
            found[name] = found[name].upper()
    if found:
        found["volumes"] = [
            {**each, "mode": each.get("mode", "RO").upper()} for each in found["volumes"]
        ]
        # Chronos shows the numbers of ports as text.
        found["networkInfos"] = [
            {
                "name": "",
                "labels": [],
                **each,
                "portMappings": [
                    {name: str(value) for name, value in ports.items()}
                    for ports in each.get("portMappings", [])
                ],
            }
            for each in found["networkInfos"]
        ]
    return found


def _as_text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def changed_fields(
    current, wanted, replace=False, match="equivalent", preserve_counters=True, reset_schedule=False
):
    """What is to change of a job: what differs, and what changes although it is the same."""
    changes = diff(current, _with_defaults(wanted, current, replace), match)
    if current is None:
        return changes
    if reset_schedule and wanted.get("schedule") not in (None, current.get("schedule")):
        changes["schedule"] = {"old": current.get("schedule"), "new": wanted["schedule"]}
    counted = {name: current[name] for name in COUNTERS if current.get(name)}
    if counted and not preserve_counters:
        changes["counters"] = {"old": counted, "new": {name: COUNTERS[name] for name in counted}}
    # Chronos disables a job that has no runs left. One that gets new ones is to have them.
    if (
        "schedule" in changes
        and wanted.get("schedule")
        and "disabled" not in wanted
        and current.get("disabled")
        and _has_no_runs_left(current)
    ):
        changes["disabled"] = {"old": True, "new": False}
    return changes


def _has_no_runs_left(job):
    """Whether a job has a schedule, and no run left."""
    return _remaining_runs(job.get("schedule")) == 0


def _with_defaults(wanted, current, replace):
    """What is wanted, if all is to be replaced with the defaults of what is not given."""
    if not replace or current is None:
        return wanted
    either = {"uris", "fetch"} & set(wanted) or {"fetch" if "fetch" in current else "uris"}
    left_out = {"uris", "fetch"} - either
    defaults = {
        name: value
        for name, value in DEFAULTS.items()
        if value is not None and name not in left_out
    }
    return {
        **{
            name: value
            for name, value in defaults.items()
            if name in current or name == "container"
        },
        **wanted,
    }


def diff(current, wanted, match="equivalent"):
    """What differs between a job as the server shows it and the fields that are wanted."""
    new, old = canonical(wanted), canonical(current or {})
    if current is None:
        return {name: {"old": None, "new": value} for name, value in new.items()}
    if "schedule" in new and "parents" in old:
        new["parents"] = None
    if "parents" in new and "schedule" in old and new["parents"] is not None:
        new["schedule"] = None
    zone = new.get("scheduleTimeZone", old.get("scheduleTimeZone", ""))
    changes = {
        name: {"old": old.get(name), "new": value}
        for name, value in new.items()
        if not _is_same(
            name, value, old.get(name, {} if name == "container" else None), zone, match
        )
    }
    if "parents" in new and "schedule" in new and new["schedule"] is None:
        changes.pop("scheduleTimeZone", None)
    # Chronos disables a job that has no runs left; to enable it again would not make it run.
    if new.get("disabled") is False and "schedule" not in changes and _has_no_runs_left(old):
        changes.pop("disabled", None)
    return changes


def _is_same(name, wanted, found, zone, match):
    if wanted is None or found is None:
        return wanted == found or (not wanted and not found)
    try:
        if name == "schedule":
            return _chronos_schedule.equivalent(wanted, found, zone, match)
        if name == "epsilon":
            return _chronos_schedule.parse_period(wanted) == _chronos_schedule.parse_period(found)
    except ValueError:
        return False
    if name == "fetch":
        left_open = [
            {**entry, "extract": None} if mine["extract"] is None else entry
            for mine, entry in zip(wanted, found)
        ]
        return len(wanted) == len(found) and wanted == left_open
    return wanted == found


def _remaining_runs(schedule):
    """How often a schedule has a job run yet. None: for ever, or not to be told."""
    try:
        return _chronos_schedule.parse(schedule).repeat
    except ValueError:
        return None


def differences(before, after):
    """What became different of a job."""
    names = sorted({*before, *after})
    return {
        name: {"old": before.get(name), "new": after.get(name)}
        for name in names
        if before.get(name) != after.get(name)
    }


# --- what to send, and what Chronos makes of it ---


def merge(current, wanted, changes, replace, preserve_counters):
    """The whole job to send: what is wanted, and of the server what is to stay."""
    kept = set(DEFAULTS) - (set(wanted) & {"cpus", "mem", "disk"} if replace else set())
    base = (
        {}
        if replace
        else {
            name: value
            for name, value in current.items()
            if name in kept and value not in (None, [], {})
        }
    )
    if "uris" in wanted or "fetch" in wanted:
        base.pop("uris", None)
        base.pop("fetch", None)
    timing = ("schedule", "scheduleTimeZone", "parents")
    if wanted.get("parents"):
        base = {name: value for name, value in base.items() if name not in timing}
    elif wanted.get("schedule"):
        base.pop("parents", None)
    elif replace:
        base.update({name: current[name] for name in timing if name in current})
    body = {
        "name": current["name"],
        **base,
        **{name: value for name, value in wanted.items() if name not in COUNTERS},
    }
    for name in RESOURCES:
        if not body.get(name):
            body.pop(name, None)
            if not replace and current.get(name):
                body[name] = current[name]
    if "schedule" in body and "schedule" not in changes and current.get("schedule"):
        body["schedule"] = current["schedule"]
    if "disabled" in current:
        body["disabled"] = (
            changes["disabled"]["new"] if "disabled" in changes else current["disabled"]
        )
    if preserve_counters:
        body.update({name: current[name] for name in COUNTERS if name in current})
    return body


def lost_fields(found, wanted):
    """The fields of a job that Chronos did not keep; that it has been disabled since may have many reasons."""
    return sorted(field for field in diff(found, wanted) if field != "disabled")


def after_parent_deletion(child, parent):
    """What Chronos makes of a job whose parent is deleted."""
    if "parents" in parent:
        return {
            **child,
            "parents": sorted({*child["parents"], *parent["parents"]} - {parent["name"]}),
        }
    kept = {name: value for name, value in child.items() if name in FIELDS_KEPT_WITHOUT_PARENT}
    lost = {
        name: "" if default is None else default
        for name, default in DEFAULTS.items()
        if name in child
    }
    for name in ("parents", "container"):
        lost.pop(name, None)
    return {
        **lost,
        **kept,
        "schedule": parent["schedule"],
        "scheduleTimeZone": parent.get("scheduleTimeZone", ""),
    }


# --- types of fields ---


def is_text(value):
    return isinstance(value, str)


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_number(value):
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and 0 <= value < float("inf")
    )


def is_text_list(value):
    return isinstance(value, list) and all(map(is_text, value))


def _is_variable(value):
    named = (
        isinstance(value, Mapping)
        and set(value) <= {"name", "value"}
        and is_text(value.get("name"))
    )
    return named and isinstance(value.get("value", ""), (str, int, float))


def _is_constraint(value):
    fits = (
        isinstance(value, list)
        and len(value) == 3
        and is_text(value[0])
        and value[1] in CONSTRAINT_OPERATORS
    )
    return fits and isinstance(value[2], (str, int, float))


def _is_fetch_entry(value):
    flags = ("executable", "cache", "extract")
    fits = (
        isinstance(value, Mapping)
        and set(value) <= set(FETCH_DEFAULTS)
        and is_text(value.get("uri"))
        and value["uri"]
    )
    return fits and all(isinstance(value.get(name), (bool, type(None))) for name in flags)


def _is_container(value):
    if value == {}:
        return True
    fits = (
        isinstance(value, Mapping)
        and set(value) <= set(CONTAINER_DEFAULTS)
        and is_text(value.get("image"))
        and value["image"]
    )
    texts = (
        all(
            isinstance(value.get(name), (str, type(None)))
            for name in ("type", "network", "networkName")
        )
        if fits
        else False
    )
    lists = ("volumes", "parameters", "networkInfos")
    return texts and all(
        value.get(name) is None or _is_list_of(lambda each: isinstance(each, Mapping))(value[name])
        for name in lists
    )


def _is_list_of(fits):
    return lambda value: isinstance(value, list) and all(map(fits, value))


_TEXT = (is_text, "text. A number or a truth value needs quotes")
_FLAG = (lambda value: isinstance(value, bool), "true or false")
_COUNT = (is_count, "a number from 0 up")
_NUMBER = (is_number, "a number from 0 up")
_TEXTS = (is_text_list, "a list of texts")
_FIELDS = {
    **{
        name: _FLAG
        for name in (
            "shell",
            "async",
            "disabled",
            "softError",
            "highPriority",
            "dataProcessingJobType",
            "concurrent",
        )
    },
    **{
        name: _COUNT for name in ("retries", "successCount", "errorCount", "errorsSinceLastSuccess")
    },
    **{name: _NUMBER for name in RESOURCES},
    **{name: _TEXTS for name in ("arguments", "uris")},
    "parents": (
        lambda value: is_text_list(value) and value,
        "a list of names of jobs, and not an empty one",
    ),
    "environmentVariables": (_is_list_of(_is_variable), "a mapping, or a list of name and value"),
    "constraints": (
        _is_list_of(_is_constraint),
        f"a list such as [[rack, EQUALS, r1]]; Chronos knows {', '.join(CONSTRAINT_OPERATORS)}",
    ),
    "fetch": (
        _is_list_of(_is_fetch_entry),
        f"a list of entries with uri, and of {', '.join(FETCH_DEFAULTS)}",
    ),
    "container": (_is_container, f"a mapping with image, and of {', '.join(CONTAINER_DEFAULTS)}"),
}
