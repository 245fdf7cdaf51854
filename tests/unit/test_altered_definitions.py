"""
Apps and jobs that were altered at random, applied twice by the real states to fake daemons: each is
refused in one line, or created once, kept, and lost nowhere without a word.
"""

import copy
import json
import os
import random
import re
from pathlib import Path

import applying
import marathon_world
import pytest

from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.wire.election import MemoryRoom

pytestmark = pytest.mark.lines("3008")

DATA = Path(__file__).with_name("data")
CHRONOS = "3.0.2"
FIXED_SEED = int(os.environ.get("FUZZ_SEED", "20261129"))  # repeats a run
SEEDS = [FIXED_SEED, random.SystemRandom().randrange(2**32)]
ALTERED_APPS, ALTERED_JOBS = 120, 80  # for each seed
VALUES = (
    None,
    True,
    False,
    0,
    1,
    -1,
    1.5,
    70000,
    2**40,
    "",
    "x",
    "ü",
    "R/x/P",
    [],
    {},
    [[]],
    ["a"],
)
EMPTY = (None, "", 0, False)
# Where Marathon and Chronos store a value under another name than the declared one.
STORED_NAMES = {
    "uris": "uri",
    "ports": "port",
    "network": "mode",
    "networkName": "name",
    "number": "containerPort",
    "outputFile": "destPath",
}
STORED_VALUES = {
    ("network", "BRIDGE"): "container/bridge",
    ("network", "HOST"): "host",
    ("network", "USER"): "container",
    ("protocol", "tcp,udp"): "udp,tcp",
}
# The second run compares these, since Chronos and Marathon write them in another form.
REWRITTEN = {"schedule", "dependencies"}


def recorded_apps():
    """Return the apps that a real Marathon 1.8 accepted, and those that people write."""
    apps = list(json.loads((DATA / "marathon" / "posted.json").read_text()).values())
    for name in ("apps-valid", "apps-invalid"):
        for line in (DATA / "marathon-1.8.244" / f"{name}.jsonl").read_text().splitlines():
            exchange = json.loads(line)
            if exchange["request"]["method"] == "POST" and exchange["status"] == 201:
                apps.append(json.loads(exchange["request"]["body"]))
    return [{key: value for key, value in app.items() if key != "id"} for app in apps]


def recorded_jobs():
    """Return the jobs that a real Chronos 3.0.2 accepted, without those of tests of its runs."""
    jobs = []
    for name in ("fields", "write", "read"):
        for line in (DATA / "chronos-3.0.2" / f"{name}.jsonl").read_text().splitlines():
            exchange = json.loads(line)
            if exchange["method"] == "POST" and exchange["status"] == 204 and "body" in exchange:
                jobs.append(json.loads(exchange["body"]))
    return [{key: value for key, value in job.items() if key != "name"} for job in jobs]


def places(value, path=()):
    """Yield the path of each value in a definition, without that of the definition itself."""
    members = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for key, item in members:
        yield (*path, key)
        yield from places(item, (*path, key))


def altered(definition, donors, choose):
    """Return a copy of a definition with one or two random changes."""
    copied = copy.deepcopy(definition)
    for _ in range(choose.randint(1, 2)):
        paths = list(places(copied))
        if not paths or choose.random() < 0.4:
            donor = choose.choice(donors)
            if donor:
                field = choose.choice(sorted(donor))
                copied[field] = copy.deepcopy(donor[field])
            continue
        *parents, key = choose.choice(paths)
        container = copied
        for parent in parents:
            container = container[parent]
        alter(container, key, choose)
    return copied


def alter(container, key, choose):
    """Change, remove, misspell or add a member of a mapping or list."""
    change = choose.choice(("value", "value", "remove", "misspell", "unknown"))
    if change == "value":
        container[key] = copy.deepcopy(choose.choice(VALUES))
    elif change == "remove":
        del container[key]
    elif isinstance(container, list):
        container.append(copy.deepcopy(container[key]))
    elif change == "misspell":
        container[f"{key}s"] = container.pop(key)
    else:
        container["maintainer"] = "ops"


def leaves(value, path="", name=""):
    """Yield path, name and text of each value that is neither a mapping nor a list."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else key, key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            is_variable = path == "environmentVariables" and isinstance(item, dict)
            # Messages of Chronos name a variable, since it may come from a mapping.
            place = f".{item.get('name')}" if is_variable else f"[{number}]"
            yield from leaves(item, f"{path}{place}", name)
    elif value not in EMPTY and name not in REWRITTEN:
        text = as_text(STORED_VALUES.get((name, value), value))
        yield path, STORED_NAMES.get(name, name), text


def as_text(value):
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (value if isinstance(value, str) else json.dumps(value)).casefold()


def lost(declared, stored, comment):
    """Return the paths of declared values that are neither stored nor in the comment."""
    stored_values = {(name, text) for _, name, text in leaves(stored)}
    field_lists = re.findall(r"[.;:] ([\w.\[\]]+(?:, [\w.\[\]]+)*): ", comment)
    reported = {field for fields in field_lists for field in fields.split(", ")}
    return [
        path
        for path, name, text in leaves(declared)
        if (name, text) not in stored_values
        and not any(
            path == field or path.startswith((f"{field}.", f"{field}[")) for field in reported
        )
    ]


def outcome(service, function, name, config, read, **arguments):
    """Apply a state twice. Returns ``refused`` or ``created``, or what went wrong."""
    answer = service(function, name, config=config, **arguments)
    if answer["result"] is False and not answer["changes"]:
        is_one_line = answer["comment"] and "\n" not in answer["comment"]
        return "refused" if is_one_line and read(name) is None else f"refusal: {answer['comment']}"
    if answer["result"] is not True or not answer["changes"]:
        return f"first run: {answer['comment']}"
    writes = len(service.writes())
    again = service(function, name, config=config, **arguments)
    if again["result"] is not True or again["changes"] or len(service.writes()) != writes:
        return f"second run: {again['comment']} {again['changes']}"
    missing = lost(config, read(name), again["comment"])
    return f"lost: {missing}" if missing else "created"


def check(definitions, count, seed, record_property, title, version, try_out):
    """Try altered definitions, and record how many were refused and created."""
    choose, errors = random.Random(seed), []
    counts = {"refused": 0, "created": 0, "faulty": 0}
    for number in range(count):
        config = altered(choose.choice(definitions), definitions, choose)
        result = try_out(number, config)
        counts[result if result in counts else "faulty"] += 1
        if result not in counts:
            errors.append(f"{result}\n    {json.dumps(config)}")
    kind = "fixed seed" if seed == FIXED_SEED else "random seed"
    record_property("table", (f"{title}, {kind}", version, counts))
    assert not errors, "\n".join([f"seed {seed}: {counts}", *errors])
    assert counts["refused"] and counts["created"]


@pytest.mark.parametrize("seed", SEEDS, ids=["fixed", "random"])
def test_an_altered_app_is_refused_or_kept(salt, running, record_property, seed):
    marathon = marathon_world.start(salt, running)
    marathon.mesos.hold = True  # the tasks do not matter here

    def read(name):
        return marathon.server.tree.apps.get(name)

    def try_out(number, config):
        return outcome(
            marathon, "app_present", f"/app-{number}", config, read, force=True, wait=False
        )

    title = "Altered apps, marathon.app_present"
    check(
        recorded_apps(),
        ALTERED_APPS,
        seed,
        record_property,
        title,
        marathon_world.NEW,
        try_out,
    )


class ChronosStates(applying.StateRunner):
    service = "chronos"

    def __init__(self, salt, server):
        self.salt, self.server, self.url = salt, server, server.url

    def writes(self):
        return [request for request in self.server.requests if request.method != "GET"]


@pytest.mark.parametrize("seed", SEEDS, ids=["fixed", "random"])
def test_an_altered_job_is_refused_or_kept(salt, running, record_property, seed):
    local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
    agents = Agents(agent("lxb001.devops.test", {}))
    server = Chronos(local, None, CHRONOS, servers=MemoryRoom(), agents=agents)
    server.loop = 0.05
    chronos = ChronosStates(salt, running(server))
    parent = {"command": "true", "schedule": "R/2030-01-01T00:00:00Z/PT24H"}
    for name in ("f1", "f7", "fa", "w1", "alpha"):
        chronos("job_present", name, config=parent)

    def try_out(number, config):
        return outcome(chronos, "job_present", f"job-{number}", config, server.jobs.get)

    title = "Altered jobs, chronos.job_present"
    check(recorded_jobs(), ALTERED_JOBS, seed, record_property, title, CHRONOS, try_out)
