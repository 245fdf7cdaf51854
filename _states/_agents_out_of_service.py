"""
Agents that are out of service: drained, deactivated, or on a machine in maintenance. A helper of
the states of mesos: Salt's loader skips names that begin with ``_``.
"""

import importlib
import time
from collections.abc import Mapping

import _ready
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_ready)

POLL_INTERVAL = 0.5  # seconds
MAX_TASKS_IN_COMMENT = 10
# Reasons of mesos.out_of_service that mean that tasks leave the agent. Tasks stay on a deactivated
# agent.
DRAIN_REASONS = ("draining", "drained", "maintenance", "down")
REASONS_WITHOUT_TASKS = ("drained", "down")
MARK_AGENT_GONE_SINCE = (1, 5)
AGENTS_EXPECTED = "a list of ids, host names or addresses of agents, or a mapping of names to these"


def subject(changes):
    """Return the agents of changes, whose paths are ``/NAME``, as the subject of a sentence."""
    names = [path[1:] for path in changes]
    return f"{'The agent' if len(names) == 1 else 'Each of the agents'} {', '.join(names)}"


def require_reregistration(agents):
    """
    Raise CommandExecutionError for agents that have not reregistered with a new leader. The
    registry does not say whether an agent is drained.

    agents
        Name to an agent, as ``mesos.agent`` returns it, or None.
    """
    recovered = [name for name, agent in agents.items() if agent and agent["recovered"]]
    if recovered:
        raise CommandExecutionError(
            f"{', '.join(recovered)} has not reregistered with the new leader. Until then, the "
            "leader does not know whether it is drained or deactivated. Run this again after it "
            "has reregistered"
        )


class _Agents:
    """
    Agents of one state, by the names that messages use.

    call
        A function that calls the execution module mesos.

    agents
        See ``mesos.agents_out_of_service``.
    """

    def __init__(self, call, agents):
        self._call = call
        self._agents = agents
        self._registered = {}
        self._entries = {}

    def read(self):
        """Read which agents are registered, and which are out of service."""
        references = self._references()
        registered = self._call("agents")
        entries = self._call("out_of_service")
        self._registered = {}
        self._entries = {}
        for name, reference in references.items():
            matches = [agent for agent in registered if _is_agent(agent, reference)]
            if len(matches) > 1:
                ids = ", ".join(agent["id"] for agent in matches)
                raise CommandExecutionError(
                    f"agents: {len(matches)} agents are called {reference}. Use an id: {ids}"
                )
            if matches:
                self._registered[name] = matches[0]
            for entry in entries:
                if _is_agent(entry, reference):
                    self._entries[name] = entry

    def names(self):
        return list(self._references())

    def missing(self):
        """Return the names of agents that are not registered."""
        return [name for name in self._references() if name not in self._registered]

    def agent(self, name):
        return self._registered.get(name)

    def reason(self, name):
        """Return why an agent is out of service, None if it is in service."""
        return self._entries[name]["reason"] if name in self._entries else None

    def tasks(self, name):
        """Return the ids of the tasks that run on an agent that is out of service."""
        return list(self._entries[name]["tasks"]) if name in self._entries else []

    def machine(self, name):
        """Return the machine of an agent as the maintenance schedule has it."""
        entry = self._entries.get(name) or self._registered[name]
        return {key: entry[key] for key in ("hostname", "ip") if entry[key]}

    def call(self, function, *arguments, **options):
        return self._call(function, *arguments, **options)

    def _references(self):
        if isinstance(self._agents, Mapping):
            references = dict(self._agents)
        else:
            names = [self._agents] if isinstance(self._agents, str) else self._agents
            references = {name: name for name in names} if isinstance(names, list) else {}
        if not references or not all(_is_text(reference) for reference in references.values()):
            raise SaltInvocationError(f"agents: {self._agents!r} should be {AGENTS_EXPECTED}")
        return references


class Drain:
    """Take agents out of service, and wait until nothing runs on them."""

    def __init__(self, call, agents, check_arguments, max_grace_period, timeout, ignore_missing):
        self._agents = _Agents(call, agents)
        self._check_arguments = check_arguments
        self._max_grace_period = max_grace_period
        self._timeout = timeout
        self._ignore_missing = ignore_missing
        self._can_drain = True

    def differences(self):
        self._check_arguments()
        self._can_drain = "AGENT_DRAINING" in self._agents.call("info")["capabilities"]
        self._agents.read()
        missing = self._agents.missing()
        if missing and not self._ignore_missing:
            raise CommandExecutionError(
                f"agents: not registered at the leading Mesos master: {', '.join(missing)}. Start "
                "the Mesos agent there, or remove it with orchestration.retire"
            )
        new = "drained" if self._can_drain else "maintenance"
        changes = {}
        for name in self._agents.names():
            reason = self._agents.reason(name)
            if name not in missing and reason not in DRAIN_REASONS:
                changes[f"/{name}"] = {"old": reason or "active", "new": new}
        return changes

    def write(self, changes):
        names = [path[1:] for path in changes]
        if self._can_drain:
            for name in names:
                agent_id = self._agents.agent(name)["id"]
                self._agents.call("drain_agent", agent_id, self._max_grace_period)
        else:
            machines = [self._agents.machine(name) for name in names]
            self._agents.call("add_maintenance_window", machines, "now")

    def wait_until_empty(self):
        """Wait until nothing runs on the agents. Raises CommandExecutionError after the timeout."""
        deadline = time.monotonic() + self._timeout
        while True:
            self._agents.read()
            busy = [name for name in self._agents.names() if self._is_busy(name)]
            if not busy:
                return
            if time.monotonic() >= deadline:
                raise CommandExecutionError(self._timeout_comment(busy))
            time.sleep(POLL_INTERVAL)

    def _is_busy(self, name):
        if self._agents.agent(name) is None:
            return False
        reason = self._agents.reason(name)
        if reason is None:
            raise CommandExecutionError(
                f"{name} was brought back into service by another user in the meantime"
            )
        if reason == "draining":
            return True
        return reason not in REASONS_WITHOUT_TASKS and bool(self._agents.tasks(name))

    def _timeout_comment(self, busy):
        tasks = "; ".join(_describe_tasks(name, self._agents.tasks(name)) for name in busy)
        advice = "max_grace_period limits how long tasks may take to stop"
        if not self._can_drain:
            advice = (
                "Before Mesos 1.9 only the frameworks can move them: stop them there, or kill them "
                "with mesos.machine_down"
            )
        seconds = _ready.plural(self._timeout, "second")
        return f"After {seconds} {tasks}. {advice}. Run this again to continue"

    def unchanged_comment(self):
        comments = []
        for name in self._agents.names():
            reason = self._agents.reason(name)
            if reason is None:
                comments.append(f"{name} is not registered, and nothing runs on it")
            else:
                comments.append(f"{name} is out of service ({reason})")
        return ". ".join(comments)


class Reactivation:
    """Bring agents back into service."""

    def __init__(self, call, agents):
        self._agents = _Agents(call, agents)
        # Machines that were down: their agents register only now.
        self._returning = set()

    def differences(self):
        self._agents.read()
        names = self._agents.names()
        missing = [name for name in self._agents.missing() if not self._agents.reason(name)]
        if set(missing) - self._returning:
            raise CommandExecutionError(
                f"agents: not registered at the leading Mesos master: {', '.join(missing)}. Start "
                "the Mesos agent there first"
            )
        require_reregistration({name: self._agents.agent(name) for name in names})
        draining = [name for name in names if self._agents.reason(name) == "draining"]
        if draining:
            raise CommandExecutionError(
                f"still draining, which cannot be stopped: {', '.join(draining)}. Run this again "
                "when they are drained"
            )
        changes = {}
        for name in names:
            reason = self._agents.reason(name)
            if reason:
                changes[f"/{name}"] = {"old": reason, "new": "active"}
        return changes

    def write(self, changes):
        for path, change in changes.items():
            name = path[1:]
            if change["old"] in ("drained", "deactivated"):
                self._agents.call("reactivate_agent", self._agents.agent(name)["id"])
            else:
                _end_maintenance(self._agents, name, change["old"])
                self._returning.add(name)

    def unchanged_comment(self):
        return f"In service: {', '.join(self._agents.names())}"


class Removal:
    """Remove agents permanently."""

    def __init__(self, call, agents, check_arguments, timeout, test):
        self._agents = _Agents(call, agents)
        self._check_arguments = check_arguments
        self._timeout = timeout
        self._test = test

    def differences(self):
        self._check_arguments()
        self._agents.read()
        changes = {}
        for name in self._agents.names():
            agent = self._agents.agent(name)
            reason = self._agents.reason(name)
            if agent and not self._test:
                self._require_empty(name, reason)
            if agent or reason:
                changes[f"/{name}"] = {"old": agent["id"] if agent else reason, "new": None}
        return changes

    def _require_empty(self, name, reason):
        if reason not in DRAIN_REASONS or reason == "draining":
            raise CommandExecutionError(
                f"{name} is {reason or 'active'}, and is only removed once it is drained"
            )
        tasks = self._agents.tasks(name)
        if tasks:
            raise CommandExecutionError(_describe_tasks(name, tasks))

    def write(self, changes):
        for path in changes:
            name = path[1:]
            agent = self._agents.agent(name)
            if agent:
                self._remove(name, agent)
            reason = self._agents.reason(name)
            if reason in ("maintenance", "down"):
                _end_maintenance(self._agents, name, reason)

    def _remove(self, name, agent):
        version = self._agents.call("info")["version"]
        if tuple(int(part) for part in version.split(".")[:2]) >= MARK_AGENT_GONE_SINCE:
            self._agents.call("mark_agent_gone", agent["id"], confirm=True)
            return
        deadline = time.monotonic() + self._timeout
        while any(entry["id"] == agent["id"] for entry in self._agents.call("agents")):
            if time.monotonic() >= deadline:
                seconds = _ready.plural(self._timeout, "second")
                raise CommandExecutionError(
                    f"After {seconds} {name} is still registered. Stop its Mesos agent, since "
                    f"Mesos {version} cannot remove it"
                )
            time.sleep(POLL_INTERVAL)

    def unchanged_comment(self):
        return f"Not registered: {', '.join(self._agents.names())}"


def _end_maintenance(agents, name, reason):
    function = "machine_up" if reason == "down" else "remove_from_schedule"
    agents.call(function, [agents.machine(name)])


def _describe_tasks(name, tasks):
    if not tasks:
        return f"{name} is not drained"
    ellipsis = " ..." if len(tasks) > MAX_TASKS_IN_COMMENT else ""
    ids = ", ".join(tasks[:MAX_TASKS_IN_COMMENT])
    verb = "runs" if len(tasks) == 1 else "run"
    return f"{_ready.plural(len(tasks), 'task')} still {verb} on {name}: {ids}{ellipsis}"


def _is_agent(agent, reference):
    """Return whether an agent or a machine has an id, host name or address."""
    if reference in (agent["id"], agent["ip"]):
        return True
    return (agent["hostname"] or "").lower() == reference.lower()


def _is_text(value):
    return isinstance(value, str) and bool(value)
