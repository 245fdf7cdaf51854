"""
Whether an agent of Mesos keeps its id, for ``mesos.agent_identity_stays`` and
``mesos.agent_identity_removed``. A helper, not a state itself: Salt's loader skips names that begin
with ``_``.
"""

import importlib
import json
import os
import time

import _declared
import _flag_directory
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_declared)
importlib.reload(_flag_directory)

LATEST = "meta/slaves/latest"
DRAIN_POLL_INTERVAL = 0.5  # seconds
COMMAND = "salt-run state.orchestrate orchestration.agent_identity pillar='{options}'"


def flag_texts(flags):
    """
    Return flags as the agent reads them: ``{name: text}``, None for those that are not set.

    Raises SaltInvocationError for values that ``mesos.flags_managed`` does not accept.
    """
    try:
        return {name: _flag_directory.flag_text(name, value) for name, value in flags.items()}
    except ValueError as error:
        raise SaltInvocationError(str(error)) from None


# --- agent_identity_stays ---


def stays_comment(work_dir, difference, minion, cluster=None):
    """
    Return why an agent starts under its id.

    work_dir
        Its work directory.

    difference
        The result of ``mesos.diff_agent``.

    minion
        Id of the minion, for the command in the message.

    cluster
        Name of its cluster, if the Salt master has several. Default None.

    Raises CommandExecutionError, with each difference, if the agent would refuse to start.
    """
    changes = _describe(difference["changes"])
    if changes and not difference["rebooted"]:
        options = {"agents": [minion], **({"cluster": cluster} if cluster else {})}
        raise CommandExecutionError(_refusal(work_dir, difference, changes, options))
    if changes:
        comment = (
            f"The host has rebooted, so the agent registers under a new id instead of "
            f"{difference['id']}, with these changes:\n{changes}"
        )
    elif difference["id"]:
        comment = f"The agent keeps its id {difference['id']}"
    else:
        return "The agent has not registered yet"
    if difference["not_compared"]:
        amounts = ", ".join(
            f"{name} ({text} in the checkpoint)"
            for name, text in difference["not_compared"].items()
        )
        comment += f"\nNot compared, as no flag declares it: {amounts}"
    return comment + _guess(difference)


def _refusal(work_dir, difference, changes, options):
    policy = difference["policy"]
    return (
        f"The agent {difference['id']} would refuse to start: reconfiguration_policy {policy} does "
        f"not allow these changes to its checkpoint in {os.path.join(work_dir, LATEST)}\n"
        f"{changes}\n"
        "Undo the changes, or drain the agent and let it register under a new id:\n"
        f"  {COMMAND.format(options=json.dumps(options))}{_guess(difference)}"
    )


def _guess(difference):
    if not difference["guess"]:
        return ""
    return (
        f"\nThis is a guess from the flags of the running agent, since the checkpoint cannot be "
        f"read: {difference['guess']}"
    )


def _describe(changes):
    """Return differences as text, one on each line."""
    lines = []
    for path, change in changes.items():
        old, new = (
            "(none)" if value is None else value for value in (change["old"], change["new"])
        )
        lines.append(f"  {path}: {old} -> {new}")
    return "\n".join(lines)


# --- agent_identity_removed ---


def checkpointed_id(work_dir):
    """Return the id in the name of the directory that ``latest`` leads to, None without it."""
    path = os.path.join(work_dir, LATEST)
    if not os.path.lexists(path):
        return None
    return os.path.basename(os.path.realpath(path))


def registered_agent(call, agent_id):
    """Return an agent that is connected to the leader, None otherwise. It can be drained."""
    for agent in call("agents"):
        is_connected = agent["active"] or agent["deactivated"]
        if agent["id"] == agent_id and is_connected:
            return agent
    return None


class Removal:
    """
    Drain an agent, stop it, and remove the link to what it has checkpointed.

    call, salt
        A function that calls the execution module mesos, and ``__salt__``.

    work_dir, unit
        Work directory and unit of the agent.

    changes
        What is to be done: ``/drain``, ``/UNIT`` and ``/id``.
    """

    def __init__(self, call, salt, work_dir, unit, changes):
        self._call = call
        self._salt = salt
        self._work_dir = work_dir
        self._unit = unit
        self._changes = changes
        self._completed = {}

    def run(self, max_grace_period, timeout):
        """Apply the changes. Raises IncompleteChange, with those already made, if a step fails."""
        try:
            if "/drain" in self._changes:
                self._drain(max_grace_period, timeout)
            self._stop()
            _remove_link(self._work_dir)
        except CommandExecutionError as error:
            raise _declared.IncompleteChange(str(error), self._completed) from None

    def _drain(self, max_grace_period, timeout):
        agent_id = self._changes["/id"]["old"]
        drain = self._changes["/drain"]
        self._call("drain_agent", agent_id, max_grace_period)
        if drain["old"] is None:
            self._completed["/drain"] = {"old": None, "new": "DRAINING"}
        deadline = time.monotonic() + timeout
        while True:
            agent = registered_agent(self._call, agent_id)
            if agent is None or agent["drain"] == "DRAINED":
                self._completed["/drain"] = drain
                return
            if time.monotonic() >= deadline:
                raise CommandExecutionError(
                    f"{agent_id} is not drained after {timeout:g} seconds, and was not stopped. "
                    "max_grace_period limits how long its tasks may take to stop"
                )
            time.sleep(DRAIN_POLL_INTERVAL)

    def _stop(self):
        self._salt["service.stop"](self._unit)
        if self._salt["service.status"](self._unit):
            raise CommandExecutionError(f"{self._unit} is still running after service.stop")
        path = f"/{self._unit}"
        if path in self._changes:
            self._completed[path] = self._changes[path]


def _remove_link(work_dir):
    path = os.path.join(work_dir, LATEST)
    try:
        os.unlink(path)
    except OSError as error:
        raise CommandExecutionError(f"{path}: {error.strerror}") from None
