"""
Which nodes an orchestration changes, and in which order: ``orchestration/rollout.jinja`` runs this.

The caller sets these names: ``pillar``, that of the orchestration; ``topology_nodes``, the entries
of the topology with their roles; ``entries``, the same without skipped ones; ``skip``, a list of
ids and globs; ``earlier_errors``, a list of sentences; ``roles``, the contents of
``common/roles.yaml``; ``keys``, the keys of pillar that the orchestration has; ``sls``, its name;
``arguments``, those of ``salt-run``.
"""

import fnmatch
import re

import yaml

AGENT_ROLE = "mesos-slave"
# Seconds to wait for responses, and then for minions to say that they are still working.
PING_TIMEOUTS = {"timeout": 20, "gather_job_timeout": 10}
# Seconds to wait for service.status on nodes that responded.
SERVICE_STATUS_TIMEOUT = 60

# If more agents are down, the cause is probably the network or a rack, not single machines.
TOLERATE_DOWN = "25%"
# Enough batches to notice an error early, and few enough for a large cluster.
BATCH = "25%"
# A change that fails on one agent most likely fails on all of them.
MAX_FAILURES = 0

# Old names that orchestration/topology.jinja accepts.
DEPRECATED_KEYS = ["absent", "patience"]

pillar, topology_nodes, entries, skip, earlier_errors, roles = {}, {}, {}, [], [], {}
keys, sls, arguments = [], "", []


def run():
    """
    Return a mapping with

    * ``errors``: sentences about the options, or why nothing can be done. With any of them, or with
      ``earlier_errors``, the other keys are missing;
    * ``responding``: ids of the nodes that respond, in the order of the topology;
    * ``listed_by_id``: those that the topology lists by id;
    * ``silent``: ids of the nodes that do not respond, without skipped ones;
    * ``members``: role to ids of nodes that respond. Where a role says ``running_first``, nodes on
      which its daemon runs are first or last;
    * ``control_nodes``: those with a role that only named nodes have;
    * ``batch_size``: how many agents are changed in one step;
    * ``max_failures``: how many of them may fail.
    """
    errors = [*_unknown_keys(), *_option_errors(pillar)]
    if earlier_errors or errors:
        return {"errors": errors}
    up, down = _ask_nodes(entries)
    errors = _skip_errors([*up, *down])
    if errors:
        return {"errors": errors}
    roles_by_node = _roles_by_node([*up, *down])
    responding = [node for node in roles_by_node if node in up]
    silent = [node for node in roles_by_node if node not in up]
    agents = [node for node in responding if AGENT_ROLE in roles_by_node[node]]
    silent_agents = [node for node in silent if AGENT_ROLE in roles_by_node[node]]
    errors = _response_errors(responding, agents, silent_agents)
    if errors:
        return {"errors": errors}
    return {
        "errors": [],
        "responding": responding,
        "listed_by_id": [node for node in responding if node in entries],
        "silent": silent,
        "members": _members(responding, roles_by_node),
        "control_nodes": [node for node in responding if _is_control(roles_by_node[node])],
        "batch_size": _agent_count(pillar.get("batch", BATCH), len(agents)),
        "max_failures": pillar.get("max_failures", MAX_FAILURES),
    }


# --- options ---


def _unknown_keys():
    """
    Return a sentence for each key of pillar on the command line that the orchestration does not
    have.

    Salt merges them into pillar, which may have any keys, so the command line itself is read.
    """
    if arguments[:1] != [sls]:
        return []
    texts = [
        argument.partition("=")[2]
        for argument in arguments
        if isinstance(argument, str) and argument.startswith("pillar=")
    ]
    options = (yaml.safe_load(texts[-1]) if texts else None) or {}
    return [
        f"{key} = {options[key]}: unknown. The keys of this orchestration are {', '.join(keys)}."
        for key in options
        if key not in [*keys, *DEPRECATED_KEYS]
    ]


def _option_errors(options):
    errors = []
    for key, default, minimum in (
        ("tolerate_down", TOLERATE_DOWN, 0),
        ("batch", BATCH, 1),
    ):
        value = options.get(key, default)
        if not _is_number(value, minimum) and not _is_percentage(value, minimum):
            errors.append(
                f"{key} = {value}: should be a number of agents from {minimum}, or a percentage "
                f"such as {default}."
            )
    value = options.get("max_failures", MAX_FAILURES)
    if not _is_number(value, 0):
        errors.append(f"max_failures = {value}: should be a number of agents from 0.")
    return errors


def _is_number(value, minimum):
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def _is_percentage(value, minimum):
    match = re.fullmatch(r"(\d{1,3})%", value) if isinstance(value, str) else None
    return bool(match) and minimum <= int(match[1]) <= 100


def _agent_count(value, total):
    """Return a number of agents, or that percentage of them: at least one, unless it is 0%."""
    if isinstance(value, int):
        return value
    percentage = int(value[:-1])
    return max(1, total * percentage // 100) if percentage else 0


# --- nodes ---


def _is_glob(entry):
    return any(character in entry for character in "*?[")


def _is_skipped(node):
    return any(node == pattern or fnmatch.fnmatchcase(node, pattern) for pattern in skip)


def _is_control(role_names):
    return any(roles[role].get("control") for role in role_names)


def _ask_nodes(names):
    """Return the ids of the nodes that respond, and of those with a key that do not."""
    if not names:
        return [], []
    answer = __salt__["saltutil.runner"](
        "manage.status",
        kwarg={"tgt": " or ".join(names), "tgt_type": "compound", **PING_TIMEOUTS},
    )
    return sorted(answer["up"]), sorted(answer["down"])


def _skip_errors(minions):
    """Return a sentence for each glob of ``skip`` that leaves out nothing, most likely a typo."""
    nodes = sorted({*minions, *topology_nodes})
    return [
        f"skip = {pattern}: no node of the topology matches. Nodes: {', '.join(nodes)}."
        for pattern in skip
        if _is_glob(pattern) and pattern not in nodes and not fnmatch.filter(nodes, pattern)
    ]


def _roles_by_node(minions):
    """Return the roles of each node: those with an entry, and minions that match a glob."""
    roles_by_node = {node: role_names for node, role_names in entries.items() if not _is_glob(node)}
    for glob in filter(_is_glob, entries):
        for minion in fnmatch.filter(sorted(minions), glob):
            if minion not in topology_nodes and not _is_skipped(minion):
                roles_by_node.setdefault(minion, entries[glob])
    return roles_by_node


def _response_errors(responding, agents, silent_agents):
    if not responding:
        return [
            "No node of the topology responds. Check that the hosts and their salt-minion are "
            "running, and that the master has accepted their keys."
        ]
    if not silent_agents:
        return []
    value = pillar.get("tolerate_down", TOLERATE_DOWN)
    total = len(agents) + len(silent_agents)
    tolerated = _agent_count(value, total)
    if len(silent_agents) <= tolerated and agents:
        return []
    return [
        f"tolerate_down = {value}: {len(silent_agents)} of {total} agents do not respond, and at "
        f"most {tolerated} may: {', '.join(silent_agents)}. Start them or their salt-minion, skip "
        "them, or tolerate more. Nothing was changed."
    ]


def _members(nodes, roles_by_node):
    members = {}
    for name, role in roles.items():
        role_nodes = [node for node in nodes if name in roles_by_node[node]]
        deploy = role.get("deploy", {})
        if "running_first" in deploy and len(role_nodes) > 1:
            running = _nodes_running_unit(role_nodes, role["unit"])
            role_nodes.sort(key=lambda node: (node in running) != deploy["running_first"])
        if role_nodes:
            members[name] = role_nodes
    return members


def _nodes_running_unit(nodes, unit):
    """Return the nodes on which a unit runs."""
    answers = __salt__["saltutil.cmd"](
        nodes, "service.status", arg=[unit], tgt_type="list", timeout=SERVICE_STATUS_TIMEOUT
    )
    return [node for node, answer in answers.items() if answer.get("ret") is True]
