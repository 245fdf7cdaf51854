"""
Promises about Mesos.

``mesos.flags_managed`` owns the directory that a daemon reads its flags from: one file a flag, and nothing else.
``mesos.leader_available`` and ``mesos.agents_registered`` are gates: they wait for the cluster and change nothing.

All others are about the cluster as a whole: who may have how much of it, and which machines rest. It does not matter which
minion applies them, and one is enough. Changes are ``{path: {"old": ..., "new": ...}}`` of what differs, with paths such as
``/limits/cpus``; with ``test=True`` they are the same, and nothing is sent.
"""

import datetime
import importlib
import re
import time
from collections.abc import Mapping

import _declared
import _flag_directory
import _ready
import salt.utils.data
from salt.exceptions import CommandExecutionError, SaltInvocationError

# After a sync Salt still has the old helpers in sys.modules.
importlib.reload(_declared)
importlib.reload(_ready)
importlib.reload(_flag_directory)

INTERVAL = 0.5  # seconds between two looks at an agent that drains
SECOND = 10**9
# What these make of a machine.
MODES = {
    "maintenance_scheduled": "DRAINING",
    "machine_down": "DOWN",
    "machine_up": "UP",
    "maintenance_cancelled": "UP",
}
# The states of a task that is still there.
LIVE = ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")
# What tells a framework from others; all else changes while it works.
FRAMEWORK = ("id", "name", "user", "roles", "hostname", "webui_url", "principal")


def flags_managed(
    name,
    flags=None,
    secrets=None,
    environment=None,
    aliases=None,
    user=None,
    group=None,
    mode="0644",
    dir_mode="0755",
):
    """
    Own a directory of flag files, such as ``/etc/mesos-master`` or, for Marathon up to 1.4 and Chronos, their ``conf``.

    Each file there is a flag, whatever it is called: ``quorum.rpmnew`` or ``quorum~`` keeps a master from starting. So
    a file is written for each flag, and everything else is removed, subdirectories included; names that begin with a
    dot are left alone, as the daemons do. Files are replaced whole, and not touched if nothing differs.

    .. code-block:: yaml

        mesos-slave-flags:
          mesos.flags_managed:
            - name: /etc/mesos-slave
            - flags:
                master: zk://10.0.0.1:2181/mesos
                switch_user: false
                attributes:
                  rack: r1
                resources:
                  cpus: 8
                  ports: [31000-32000]
                '?no-logger': true
            - secrets: mesos:slave:secrets
            - user: root
            - group: root

    name
        The directory, an absolute path. Made if it is missing and there is something to put in.

    flags
        Values by name. ``true`` and ``false`` are written as such, mappings and lists as JSON, ``null`` is no flag.
        ``?name`` is a bare flag, present if ``true``. ``attributes`` and ``resources``, if they are mappings, become
        a directory with a file for each entry; in there a list is a Mesos range (``[31000-32000]``) if all of it is
        numbers, else a set (``{a,b}``).

    secrets
        More flags, whose files only their owner can read and whose values are not shown. A mapping, or better the
        pillar key of one (``mesos:slave:secrets``), which keeps the values out of the arguments of the state. Written
        without a newline at the end, as some programs take it for a part of the secret.

    environment
        Names of the variables that the daemon gets elsewhere: ``LOGS``, ``PORT``, ``MESOS_QUORUM`` and the like are
        flags too, and given twice are fatal.

    aliases
        Other names of flags, old name to new name, for the same reason.

    user, group
        Owner of directory and files. Left as they are if not given; who runs Salt owns new ones then.

    mode, dir_mode
        Permissions, in quotes. Files of ``secrets`` have ``'0600'``.

    Fails, before anything is changed, if a name or a value makes no sense or a flag is given in two spellings.
    """
    if isinstance(secrets, str):
        # Since Salt 3008 pillar.get returns asterisks outside of templates.
        secrets = salt.utils.data.traverse_dict_and_list(__pillar__, secrets, {})

    def make_plan():
        return _flag_directory.plan(
            name,
            flags=flags or {},
            secrets=secrets or {},
            environment=environment or (),
            aliases=aliases or {},
            owner=(user, group),
            modes=(mode, dir_mode),
        )

    # Values of secrets are redacted in the plan already; other flags may have "key" in their names.
    return _declared.run_plan(name, __opts__["test"], make_plan, show_secrets=True)


def leader_available(name, url=None, member=None, timeout=120):
    """
    Wait until the masters have a leader that has recovered its registry. Changes nothing.

    .. code-block:: yaml

        mesos-leader:
          mesos.leader_available:
            - url: [http://10.0.0.1:5050, http://10.0.0.2:5050, http://10.0.0.3:5050]
            - timeout: 120

    name
        Free text.

    url
        Where the masters are: a URL, several with commas, or a list. If not given the setting ``mesos:url`` counts, else
        ``http://127.0.0.1:5050``. All of them, if ``member`` is given.

    member
        The URL of one of the masters, for a gate behind each of them: this one must be healthy. It must also name a
        leader that has recovered, as soon as a majority of ``url`` is healthy; so the first of three does not wait for
        the others, which are yet to come. Nor does the second, where every healthy master says that its log is not
        recovered: it is new then, and begins when all masters are there, so that the last one waits for the leader.
        With a leader its own replica of the log must have caught up, or the next disk could go before this one is of use.

    timeout
        Seconds. 0: ask once.

    Fails with what each master last said.
    """
    masters, leader = __salt__["mesos.masters"], __salt__["mesos.leader"]
    if member is not None and not (isinstance(member, str) and member):
        return {
            "name": name,
            "result": False,
            "changes": {},
            "comment": "member: should be the URL of one master",
        }

    def question(seconds):
        if member is not None:
            own = masters(url=member, timeout=seconds, retries=0)[0]
            if not own["healthy"]:
                return False, own["error"]
            known = masters(url=url, timeout=seconds, retries=0)
            healthy = sum(each["healthy"] for each in known)
            if healthy * 2 <= len(known):
                return (
                    True,
                    f"{own['url']} is healthy, which {healthy} of {len(known)} masters are: too few for a leader",
                )
            # Who does not tell may have a log that is in use.
            if healthy < len(known) and all(
                each["log_recovered"] is False for each in known if each["healthy"]
            ):
                begins = f"the log of the masters is new and begins when all {len(known)} are there: {healthy} are"
                return True, f"{own['url']} is healthy; {begins}"
        found = leader(url=url if member is None else member, timeout=seconds, retries=0)
        if not found["recovered"]:
            return (
                False,
                f"{found['url']} was elected and has not said yet that it has recovered: {found['error']}",
            )
        if member is not None and own["log_recovered"] is False:
            return False, f"{own['url']} has not caught up with the log of the other masters yet"
        return True, f"{found['url']} leads and has recovered"

    what = "a leader that has recovered" + (f", as {member} sees it" if member is not None else "")
    return _ready.wait_until_ready(name, what, question, timeout, __opts__["test"])


def agents_registered(name, agents=None, count=None, url=None, timeout=120):
    """
    Wait until agents are registered at the leader and active. Changes nothing.

    .. code-block:: yaml

        mesos-agents:
          mesos.agents_registered:
            - agents: [10.0.0.65, 10.0.0.66]
            - timeout: 180

    name
        Free text.

    agents
        Those that must be active, by the host name that they give themselves (flag ``hostname``; upper and lower case
        are the same).

    count
        How many must be active at least, whoever they are. This or ``agents`` is needed; both may be given.

    url
        Where the masters are: a URL, several with commas, or a list. If not given the setting ``mesos:url`` counts, else
        ``http://127.0.0.1:5050``.

    timeout
        Seconds. 0: ask once.

    Fails with the agents that are missing and what the leader says of them, or with what each master said.
    """
    ask = __salt__["mesos.agents"]
    names = [agents] if isinstance(agents, str) else agents
    fault = ""
    if names is None and count is None:
        fault = "agents, count: one of them is needed"
    elif names is not None and not (
        isinstance(names, list) and all(isinstance(each, str) and each for each in names)
    ):
        fault = "agents: should be a list of host names"
    elif count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
        fault = f"count: {count!r} is no number of agents"
    if fault:
        return {"name": name, "result": False, "changes": {}, "comment": fault}
    names = names or []

    def question(seconds):
        known = ask(url=url, timeout=seconds, retries=0)
        active = {each["hostname"].lower() for each in known if each["active"]}
        missing = [each for each in names if each.lower() not in active]
        number = sum(each["active"] for each in known)
        said = [f"{each}: {_agent_as_known(each, known)}" for each in missing]
        if count is not None and number < count:
            said.append(f"{number} of at least {count} agents are active")
        return not said, "\n".join(said) or f"{number} agents are active" + (
            f", {', '.join(names)} among them" if names else ""
        )

    what = " and ".join(
        [
            *([f"the agents {', '.join(names)}"] if names else []),
            *([f"{count} agents"] if count is not None else []),
        ]
    )
    return _ready.wait_until_ready(name, what or "no agents", question, timeout, __opts__["test"])


def _agent_as_known(name, known):
    """What the leader says of an agent that is not active."""
    for each in known:
        if each["hostname"].lower() == name.lower():
            if each["recovered"]:
                return "known from before, has not come back since the leader changed"
            return (
                "deactivated by an operator"
                if each["deactivated"]
                else "registered, and does not answer the leader"
            )
    return "not registered"


def quota_present(name, limits=None, guarantees=None, force=False, profile=None, **connection):
    """
    Keep the quota of a role as it is declared.

    .. code-block:: yaml

        web:
          mesos.quota_present:
            - limits: {cpus: 8, mem: 16384}
            - guarantees: {cpus: 2}

    name
        The role. Nested roles (``a/b``) have no quota of their own.

    limits, guarantees
        Scalars by resource; mem and disk in MiB. One of the two has to be given: what is left out stays as it is, ``{}``
        removes it. Mesos counts in thousandths, and a guarantee of 0 is none; a limit of 0 lets the role have nothing of it.
        Limits need Mesos 1.9.

    force
        True: let the master accept guarantees above the capacity of the cluster, and limits below what the role already has.
        Default False.

    profile, connection
        Where and how to ask: see ``mesos.connection`` of the execution module.

    Before Mesos 1.9 a quota is removed and set anew, and in between the role has none; if the new one is refused it gets the
    old one again.
    """
    ask = _module(profile, connection)
    declared = {"limits": limits, "guarantees": guarantees}

    def differences():
        _expect(isinstance(force, bool), "force", force, "True or False")
        return ask("diff_quota", name, **declared)

    return _kept(
        name,
        differences,
        lambda changes: ask("set_quota", name, force=force, **declared),
        f"The quota of {name} is as declared",
        lambda changes: f"The quota of {name}",
        "set",
    )


def quota_absent(name, profile=None, **connection):
    """
    Keep a role without a quota.

    .. code-block:: yaml

        web:
          mesos.quota_absent: []

    name
        The role.

    profile, connection
        Where and how to ask: see ``mesos.connection`` of the execution module.
    """
    ask = _module(profile, connection)
    return _kept(
        name,
        lambda: ask("diff_quota", name, limits={}, guarantees={}),
        lambda changes: ask("remove_quota", name),
        f"{name} has no quota",
        lambda changes: f"The quota of {name}",
        "removed",
    )


def weights_present(name, weights, profile=None, **connection):
    """
    Keep the weights of some roles: who has twice the weight gets twice the share. Those of other roles stay as they are.

    .. code-block:: yaml

        weights:
          mesos.weights_present:
            - weights:
                web: 2
                batch: 0.5

    name
        Free text.

    weights
        Role to number above 0. Weights cannot be removed: 1 is as if there were none.

    profile, connection
        Where and how to ask: see ``mesos.connection`` of the execution module.
    """
    ask = _module(profile, connection)
    return _kept(
        name,
        lambda: ask("diff_weights", weights),
        lambda changes: ask(
            "set_weights", {path[1:]: each["new"] for path, each in changes.items()}
        ),
        "The weights are as declared",
        lambda changes: f"The weight of {', '.join(path[1:] for path in changes)}",
        "set",
    )


def maintenance_scheduled(
    name, machines, start, duration=None, tolerance=60, profile=None, **connection
):
    """
    Keep machines in the maintenance schedule. All others stay in it as they are.

    .. code-block:: yaml

        new disks:
          mesos.maintenance_scheduled:
            - machines: [lxb001.devops.test, lxb002.devops.test]
            - start: 2030-01-01T00:00:00Z
            - duration: 2h

    name
        Free text.

    machines
        Host names of agents, with commas or as a list; or mappings such as ``{hostname: h, ip: 10.0.0.65}`` for machines that
        have no agent now. Upper and lower case are the same.

    start
        When it begins: ISO 8601 with a zone, or nanoseconds since 1970; ``now`` or ``+90m`` (s, m, h, d, w) count for machines
        that are not scheduled yet, the others keep their start.

    duration
        How long it takes: ``2h``, ``90m`` or nanoseconds. Default: no end.

    tolerance
        By how many seconds the start of a machine that is scheduled may differ, 0 or more. Default 60.

    profile, connection
        Where and how to ask: see ``mesos.connection`` of the execution module.

    In the changes durations are in seconds. Fails, and changes nothing, if parts of the schedule are hidden from this user, as
    these would be erased.
    """
    ask = _module(profile, connection)
    is_relative = start == "now" or (isinstance(start, str) and start.startswith("+"))
    moved = {}

    def differences():
        nonlocal moved
        fits = (
            isinstance(tolerance, (int, float))
            and not isinstance(tolerance, bool)
            and tolerance >= 0
        )
        _expect(fits, "tolerance", tolerance, "a number of seconds, 0 or more")
        wanted = ask("maintenance_window", machines, start, duration)
        scheduled = _scheduled(ask)
        changes, moved = {}, {}
        for label, machine in _labelled(wanted["machines"]).items():
            old, new = scheduled.get(_key(machine)), dict(wanted)
            if old and (is_relative or abs(old["start"] - wanted["start"]) <= tolerance * SECOND):
                new["start"] = old["start"]
            told = {
                "start": start if is_relative and not old else _instant_shown(new["start"]),
                "duration": _seconds(new["duration"]),
            }
            found = _differing(label, old and _times_shown(old), told)
            if found:
                changes.update(found)
                moved.setdefault(_instant_shown(new["start"]), []).append(machine)
        return changes

    def write(changes):
        for begins, those in moved.items():
            ask("add_maintenance_window", those, begins, duration)

    return _kept(
        name,
        differences,
        write,
        "The machines are scheduled as declared",
        _maintenance,
        "scheduled",
    )


def maintenance_cancelled(name, machines, profile=None, **connection):
    """
    Keep machines out of the maintenance schedule. All others stay in it as they are.

    .. code-block:: yaml

        no new disks:
          mesos.maintenance_cancelled:
            - machines: [lxb001.devops.test]

    name
        Free text.

    machines
        Host names, with commas or as a list, or mappings with ``hostname`` and ``ip``. Those that are not scheduled are passed
        over.

    profile, connection
        Where and how to ask: see ``mesos.connection`` of the execution module.

    Fails for machines that are down, which ``mesos.machine_up`` takes out of the schedule, and if parts of the schedule are
    hidden from this user.
    """
    ask = _module(profile, connection)
    found = {}

    def differences():
        nonlocal found
        given, scheduled = _given(machines), _scheduled(ask)
        found = _labelled(_matching(given, [window["machine"] for window in scheduled.values()]))
        down = _labelled(_matching(given, ask("maintenance_status")["down"]))
        if down:
            raise CommandExecutionError(
                f"machines: maintenance of {', '.join(down)} has begun, which mesos.machine_up ends"
            )
        return {
            f"/{label}": {"old": _times_shown(scheduled[_key(machine)]), "new": None}
            for label, machine in found.items()
        }

    return _kept(
        name,
        differences,
        lambda changes: ask("remove_from_schedule", list(found.values())),
        "None of the machines is scheduled",
        _maintenance,
        "cancelled",
    )


def machine_down(name, machines=None, profile=None, **connection):
    """
    Keep machines down for maintenance: their agents end, and all tasks on them are killed.

    .. code-block:: yaml

        lxb002.devops.test:
          mesos.machine_down: []

    name
        The host name, if ``machines`` is not given.

    machines
        Host names, with commas or as a list, or mappings with ``hostname`` and ``ip``. They have to be scheduled for
        maintenance, see ``mesos.maintenance_scheduled``.

    profile, connection
        Where and how to ask: see ``mesos.connection`` of the execution module.
    """
    ask = _module(profile, connection)
    draining = {}

    def differences():
        nonlocal draining
        given = _given(name if machines is None else machines)
        known = _labelled(
            _matching(given, [window["machine"] for window in _scheduled(ask).values()])
        )
        down = {_key(machine) for machine in ask("maintenance_status")["down"]}
        draining = {label: machine for label, machine in known.items() if _key(machine) not in down}
        modes = {
            **{label: "DRAINING" if label in draining else "DOWN" for label in known},
            **_foreseen(given),
        }
        there = {label.lower() for label, mode in modes.items() if mode != "UP"}
        missing = [label for label in map(_label, given) if label.lower() not in there]
        if missing:
            names = ", ".join(missing)
            raise CommandExecutionError(
                f"machines: no maintenance is scheduled of {names}; mesos.maintenance_scheduled comes first"
            )
        return {
            f"/{label}": {"old": "DRAINING", "new": "DOWN"}
            for label, mode in modes.items()
            if mode == "DRAINING"
        }

    return _kept(
        name,
        differences,
        lambda changes: ask("machine_down", list(draining.values()), confirm=True),
        "The machines are down",
        _maintenance,
        "begun",
    )


def machine_up(name, machines=None, profile=None, **connection):
    """
    Keep machines from being down for maintenance; they leave the schedule, and their agents may be started again.

    .. code-block:: yaml

        lxb002.devops.test:
          mesos.machine_up: []

    name
        The host name, if ``machines`` is not given.

    machines
        Host names, with commas or as a list, or mappings with ``hostname`` and ``ip``. Those that are not down are passed over.

    profile, connection
        Where and how to ask: see ``mesos.connection`` of the execution module.
    """
    ask = _module(profile, connection)
    down = {}

    def differences():
        nonlocal down
        given = _given(name if machines is None else machines)
        down = _labelled(_matching(given, ask("maintenance_status")["down"]))
        modes = {**dict.fromkeys(down, "DOWN"), **_foreseen(given)}
        return {
            f"/{label}": {"old": "DOWN", "new": "UP"}
            for label, mode in modes.items()
            if mode == "DOWN"
        }

    return _kept(
        name,
        differences,
        lambda changes: ask("machine_up", list(down.values())),
        "None of the machines is down",
        _maintenance,
        "ended",
    )


def agent_drained(
    name,
    max_grace_period=None,
    mark_gone=False,
    wait=False,
    timeout=300,
    profile=None,
    **connection,
):
    """
    Keep an agent drained: it gets no new tasks, and those that it has are killed. Needs Mesos 1.9.

    .. code-block:: yaml

        lxb003.devops.test:
          mesos.agent_drained:
            - max_grace_period: 10m
            - wait: True

    name
        Id or host name of the agent.

    max_grace_period
        Seconds, or text such as ``10m``: how long tasks have at most to end, whatever they ask for. Default: as they ask. An
        agent that is draining already is left alone.

    mark_gone
        True: the agent is removed for ever once it is drained; one that is not there is gone. Should the machine come back,
        then with another id, so a host name is drained again then. Default False.

    wait
        True: wait until it is drained, or gone, and fail with its tasks if the time is over; also while it was draining
        before. Default False: it has only begun.

    timeout
        Seconds to wait, 1 to 86400, default 300.

    profile, connection
        Where and how to ask: see ``mesos.connection`` of the execution module; only ``timeout`` is another one here.
    """
    ask = _module(profile, connection)
    is_drained = False

    def look():
        found = [
            each
            for each in ask("agents")
            if name == each["id"] or name.lower() == each["hostname"].lower()
        ]
        if len(found) == 1:
            return found[0]
        return None if mark_gone and not found else ask("agent", name)  # which says what is wrong

    def differences():
        nonlocal is_drained
        for argument, value in (("mark_gone", mark_gone), ("wait", wait)):
            _expect(isinstance(value, bool), argument, value, "True or False")
        fits = (
            isinstance(timeout, (int, float))
            and not isinstance(timeout, bool)
            and 1 <= timeout <= 86400
        )
        _expect(fits, "timeout", timeout, "a number of seconds from 1 to 86400")
        is_text = isinstance(max_grace_period, str) and re.fullmatch(
            r"(\d+(\.\d+)?[smhdw])+", max_grace_period
        )
        is_number = (
            isinstance(max_grace_period, int)
            and not isinstance(max_grace_period, bool)
            and max_grace_period >= 0
        )
        fits = is_text or is_number or max_grace_period is None
        _expect(
            fits,
            "max_grace_period",
            max_grace_period,
            "a whole number of seconds, or text such as 10m",
        )
        _needs_draining(ask)
        found = look()
        is_drained = found is None or found["drain"] == "DRAINED"
        if found is None or (found["drain"] and (found["mark_gone"] or not mark_gone)):
            return {}
        machines = [
            machine for window in ask("maintenance_schedule") for machine in window["machines"]
        ]
        is_scheduled = (found["hostname"].lower(), found["ip"]) in map(_key, machines)
        mode = _foreseen([found["hostname"]]).get(
            found["hostname"], "DRAINING" if is_scheduled else "UP"
        )
        if mode != "UP":
            hint = "mesos.maintenance_cancelled takes it out of the schedule"
            raise CommandExecutionError(
                f"{name} is scheduled for maintenance, and cannot be drained besides: {hint}"
            )
        if mark_gone:
            return {"/": {"old": {"hostname": found["hostname"], "id": found["id"]}, "new": None}}
        return {"/drain": {"old": None, "new": "DRAINED"}}

    def settle():
        deadline = time.monotonic() + timeout
        while wait:
            found = look()
            if found is None or (found["drain"] == "DRAINED" and not mark_gone):
                return
            left = deadline - time.monotonic()
            if left <= 0:
                tasks = [
                    each["id"]
                    for each in ask("tasks")
                    if each["agent_id"] == found["id"] and each["state"] in LIVE
                ]
                shown = f"{', '.join(tasks[:10])}{' ...' if len(tasks) > 10 else ''}"
                more = (
                    f", as it has still {shown}. max_grace_period limits how long" if tasks else ""
                )
                raise CommandExecutionError(
                    f"{name} is not drained after {timeout:g} seconds{more}"
                )
            time.sleep(min(INTERVAL, left))

    def write(changes):
        ask(
            "drain_agent",
            name,
            max_grace_period,
            mark_gone=mark_gone,
            confirm=mark_gone,
            again=mark_gone,
        )

    def kept():
        return f"{name} is {('gone' if mark_gone else 'drained') if is_drained else 'draining'}"

    return _kept(
        name,
        differences,
        write,
        kept,
        lambda changes: name,
        "drained" if wait else "told to drain",
        settle,
    )


def agent_active(name, profile=None, **connection):
    """
    Keep an agent from being drained or deactivated. Needs Mesos 1.9.

    .. code-block:: yaml

        lxb003.devops.test:
          mesos.agent_active: []

    name
        Id or host name of the agent.

    profile, connection
        Where and how to ask: see ``mesos.connection`` of the execution module.

    Fails while it is still draining: the master does not take that back.
    """
    ask = _module(profile, connection)

    def differences():
        _needs_draining(ask)
        found = ask("agent", name)
        for low, changes in _earlier():
            same = low["name"].lower() in (found["id"].lower(), found["hostname"].lower())
            if low["fun"] == "agent_drained" and low.get("wait") and same and "/drain" in changes:
                found.update(deactivated=True, drain="DRAINED")
        if found["drain"] == "DRAINING":
            raise CommandExecutionError(
                f"{name} is still draining, and can be active again once it is drained"
            )
        drained = {"/drain": {"old": found["drain"], "new": None}} if found["drain"] else {}
        return (
            {**drained, "/deactivated": {"old": True, "new": False}} if found["deactivated"] else {}
        )

    return _kept(
        name,
        differences,
        lambda changes: ask("reactivate_agent", name),
        f"{name} is neither drained nor deactivated",
        lambda changes: name,
        "reactivated",
    )


def framework_absent(name, confirm=False, show_secrets=False, profile=None, **connection):
    """
    Keep a framework away: it ends for ever, all of its tasks are killed, and its scheduler is refused from then on.

    .. code-block:: yaml

        old-batch:
          mesos.framework_absent:
            - confirm: True

    name
        Id of the framework, or its name if only one has it.

    confirm
        Has to be True.

    show_secrets
        True: values in the changes that look like secrets are shown. Default False: they are ``***``.

    profile, connection
        Where and how to ask: see ``mesos.connection`` of the execution module.

    Fails if several frameworks have this name, and if frameworks are hidden from this user, as it may be one of these.
    """
    ask = _module(profile, connection)

    def differences():
        _expect(
            confirm is True,
            "confirm",
            confirm,
            "True: a framework and all of its tasks end for ever",
        )
        known = ask("frameworks")
        found = [each for each in known if name in (each["id"], each["name"])]
        if len(found) > 1:
            raise CommandExecutionError(
                f"{name} are {len(found)} frameworks. Give the id: {', '.join(each['id'] for each in found)}"
            )
        if not found:
            hidden = sum(
                ask(
                    "metrics", ["master/frameworks_connected", "master/frameworks_disconnected"]
                ).values()
            ) - len(known)
            if hidden > 0:
                raise CommandExecutionError(
                    f"Frameworks are hidden from this user, {hidden:g} of them, and {name} may be one of these"
                )
        return (
            {"/": {"old": {field: found[0][field] for field in FRAMEWORK}, "new": None}}
            if found
            else {}
        )

    return _kept(
        name,
        differences,
        lambda changes: ask("teardown_framework", changes["/"]["old"]["id"], confirm=True),
        f"There is no framework {name}",
        lambda changes: name,
        "torn down",
        show_secrets=show_secrets,
    )


# --- what those about the cluster have in common ---


def _module(profile, connection):
    """How to call functions of the execution module with the settings of a state."""
    return lambda function, *arguments, **named: __salt__[f"mesos.{function}"](
        *arguments, **named, profile=profile, **connection
    )


def _kept(name, differences, write, kept, what, done, settle=lambda: None, show_secrets=True):
    """
    Keep a promise about the cluster, and return what a state returns.

    differences
        Reads, and returns what is to be changed.

    write
        Called with that to make the changes.

    kept
        What is said where nothing differs; or called to learn that.

    what, done
        Called with the changes to learn what is spoken of, and what is done to it: "would be set", "was set".

    settle
        Waits for what was begun, if that is wanted. Raises CommandExecutionError if it does not come about.
    """

    def plan():
        changes = differences()
        if not changes and not __opts__["test"]:
            settle()

        def act():
            said, fault = f"{what(changes)} was {done}", None
            try:
                write(changes)
            except CommandExecutionError as error:
                fault = error
            try:
                left = differences()
            except CommandExecutionError as error:
                if fault:
                    raise CommandExecutionError(
                        f"{fault}; whether it was done is not known: {error}"
                    ) from None
                raise _declared.IncompleteChange(
                    f"{said}, but cannot be read back: {error}"
                ) from None
            if left:
                # What was changed nevertheless, such as a quota of old masters that is gone and was not accepted anew.
                made = {
                    path: {
                        "old": each["old"],
                        "new": left[path]["old"] if path in left else each["new"],
                    }
                    for path, each in changes.items()
                    if path not in left or left[path]["old"] != each["old"]
                }
                elsewhere = f"{said}, but Mesos shows something else at {', '.join(left)}, or hides it from this user"
                raise _declared.IncompleteChange(str(fault or elsewhere), made if fault else None)
            try:
                settle()
            except CommandExecutionError as error:
                raise _declared.IncompleteChange(str(error)) from None
            return said

        return _declared.Plan(
            changes, kept() if callable(kept) else kept, f"{what(changes)} would be {done}", act
        )

    return _declared.run_plan(name, __opts__["test"], plan, show_secrets)


def _earlier():
    """What the earlier states of a test run told of the same masters: pairs of low chunk and changes."""
    return _declared.pending_changes(__low__, __lowstate__, __running__) if __opts__["test"] else []


def _foreseen(given):
    """How machines would be, by host name, where earlier states of a test run would change that."""
    names = {_label(each).lower() for each in given}
    labels = [
        (path[1:], MODES[low["fun"]])
        for low, changes in _earlier()
        if low["fun"] in MODES
        for path in changes
    ]
    return {label: mode for label, mode in labels if label.lower() in names}


def _expect(fits, argument, value, should):
    """Refuse an argument, in one line."""
    if not fits:
        raise SaltInvocationError(f"{argument}: {value!r} should be {should}")


def _maintenance(changes):
    """Whose maintenance changes are about, to be read."""
    return f"Maintenance of {', '.join(dict.fromkeys(path.split('/')[1] for path in changes))}"


def _needs_draining(ask):
    found = ask("info")
    if "AGENT_DRAINING" not in found["capabilities"]:
        raise CommandExecutionError(f"This needs Mesos 1.9; these masters have {found['version']}")


def _scheduled(ask):
    """The windows of the machines that are scheduled, by what makes them the same machine."""
    windows = ask("maintenance_schedule", whole=True)
    return {
        _key(machine): {**window, "machine": machine}
        for window in windows
        for machine in window["machines"]
    }


def _given(machines):
    """Machines as they are declared, as a list. Raises SaltInvocationError for what is none."""
    given = (
        [each.strip() for each in machines.split(",")] if isinstance(machines, str) else machines
    )
    given = [given] if isinstance(given, Mapping) else given
    should = "a host name, or a list of host names or of {hostname, ip}"
    _expect(isinstance(given, list) and given, "machines", machines, should)
    for each in given:
        parts = each if isinstance(each, Mapping) else {"hostname": each}
        fits = (
            set(parts) <= {"hostname", "ip"}
            and any(parts.values())
            and all(isinstance(part, str) for part in parts.values())
        )
        _expect(fits, "machines", each, should)
    return given


def _key(machine):
    """What makes two ids the same machine: host names compare without case, and what is left out is empty."""
    return machine.get("hostname", "").lower(), machine.get("ip", "")


def _matching(given, known):
    """Those of the known machines that are meant by host names or ids."""
    names = {each.lower() for each in given if isinstance(each, str)}
    keys = {_key(each) for each in given if not isinstance(each, str)}
    return [machine for machine in known if _key(machine)[0] in names or _key(machine) in keys]


def _labelled(machines):
    """Machines by host name; with their address, if they have no name of their own."""
    found = {}
    for machine in machines:
        label = _label(machine)
        found[label if label not in found else f"{label} ({machine.get('ip')})"] = machine
    return found


def _label(machine):
    """What a machine is called: its id may be a host name alone, or a mapping."""
    return machine if isinstance(machine, str) else machine.get("hostname") or machine["ip"]


def _differing(label, old, new):
    """What differs between two mappings, by path; as a whole if the first is not there."""
    if old is None:
        return {f"/{label}": {"old": None, "new": new}}
    return {
        f"/{label}/{key}": {"old": old[key], "new": new[key]} for key in new if old[key] != new[key]
    }


def _times_shown(window):
    return {"start": _instant_shown(window["start"]), "duration": _seconds(window["duration"])}


def _instant_shown(nanoseconds):
    """A point in time as text."""
    found = datetime.datetime.fromtimestamp(nanoseconds // SECOND, datetime.timezone.utc)
    return (
        found.replace(microsecond=nanoseconds % SECOND // 1000).isoformat().replace("+00:00", "Z")
    )


def _seconds(nanoseconds):
    """A duration in seconds, a whole number if it is one; None stays None."""
    if nanoseconds is None:
        return None
    return nanoseconds / SECOND if nanoseconds % SECOND else nanoseconds // SECOND
