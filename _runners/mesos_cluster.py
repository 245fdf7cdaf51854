"""
The state of a cluster of the topology, on one screen for people and for monitoring, and what
differs from pillar.

The runner asks the minions with execution modules of this tree, and changes nothing. Its file is
not called ``cluster.py``: that would replace the runner of Salt 3008 for clusters of Salt masters.
With another file name and the same virtual name, Salt loads both.
"""

import fnmatch
import json
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import salt.client
import salt.output
import salt.utils.minions
from salt.exceptions import SaltException

__virtualname__ = "cluster"
DEFAULT_TIMEOUT = 30
# A test run of all states takes longer.
DRIFT_TIMEOUT = 120
# Seconds for each request to a service.
REQUEST_TIMEOUT = 5
OK = "ok"
DEGRADED = "degraded"
DOWN = "down"
EXIT_CODES = {OK: 0, DEGRADED: 1, DOWN: 2}
SEVERITIES = (DOWN, DEGRADED)
MAX_LISTED = 10
CONTROL_ROLES = ("zookeeper", "mesos-master", "marathon", "chronos")
AGENT_ROLE = "mesos-slave"
# Role -> what orchestration.apps applies on one node with it, see formulas/common/roles.yaml.
CLUSTER_SLS = {
    "mesos-master": "mesos.policy",
    "marathon": "marathon.apps",
    "chronos": "chronos.jobs",
}
DRIFT_COLUMNS = ("node", "service", "what")
# Those whose other servers do not tell whether a server runs.
FRAMEWORK_NAMES = {"marathon": "Marathon", "chronos": "Chronos"}
# Flags of a master without which it lets everyone in.
DEMANDS = ("authenticate_agents", "authenticate_http_readwrite")
SERVING_MODES = ("leader", "follower", "observer", "standalone")
# Function -> its arguments. service.status takes a glob: the units of the frameworks begin so.
QUESTIONS = {
    "service.status": ["[cm]*"],
    "zk.ensemble": [{"__kwarg__": True, "timeout": REQUEST_TIMEOUT}],
    "mesos.summary": [{"__kwarg__": True, "timeout": REQUEST_TIMEOUT, "retries": 0}],
    "mesos.agents": [{"__kwarg__": True, "timeout": REQUEST_TIMEOUT, "retries": 0}],
    "mesos.flags": [{"__kwarg__": True, "timeout": REQUEST_TIMEOUT, "retries": 0}],
    "mesos.out_of_service": [{"__kwarg__": True, "timeout": REQUEST_TIMEOUT, "retries": 0}],
    "marathon.summary": [{"__kwarg__": True, "timeout": REQUEST_TIMEOUT, "retries": 0}],
    "chronos.summary": [{"__kwarg__": True, "timeout": REQUEST_TIMEOUT, "retries": 0}],
    "cluster.turns": [],
}


class Problem(NamedTuple):
    """
    What has failed.

    ``kind`` is ``quorum``, ``leader``, ``replica``, ``agent``, ``app``, ``job``, ``node``,
    ``topology`` or ``salt``; ``subject`` is its name, such as the id of a node.
    """

    severity: str
    kind: str
    subject: str
    message: str


def __virtual__():
    return __virtualname__


def status(timeout=DEFAULT_TIMEOUT, cluster=None):
    """
    Show how the cluster is: problems first, then figures of its services.

    timeout
        Seconds that the minions have to answer. Default 30.

    cluster
        Name of the cluster, if the Salt master has several: ``pillar/topologies/NAME.yaml``.
        Default: the only one.

    Prints a screen whose first line names the worst problem, or begins with ``OK``. With ``--out``
    prints these data instead:

    * ``status``: ``ok``, ``degraded`` or ``down``;
    * ``problems``: the worst first, each with ``severity`` (``down`` or ``degraded``), ``kind``
      (``quorum``, ``leader``, ``replica``, ``agent``, ``app``, ``job``, ``node``, ``topology`` or
      ``salt``), ``subject`` (such as the id of a node) and ``message``;
    * ``notes``: what is no problem: turns in progress, nodes that an operator keeps from restarts,
      agents that somebody keeps out of service, and that no credentials are demanded;
    * ``nodes``, ``zookeeper``, ``mesos``, ``marathon``, ``chronos``: figures;
    * ``retcode``: the exit code, 0 for ok, 1 for degraded, 2 for down.

    Changes nothing. Raises nothing if services or nodes do not respond: these are problems.

    CLI Example:

    .. code-block:: bash

        salt-run cluster.status
        salt-run cluster.status timeout=60 --out=json
        salt-run cluster.status cluster=berlin
    """
    try:
        data = _report(*_ask(timeout, cluster))
    except SaltException as error:
        problems = Problems()
        problems.down("salt", "salt-master", _salt_failure(error))
        data = problems.judgement()
    return _present(data, "cluster.status", _screen)


def drift(timeout=DRIFT_TIMEOUT, cluster=None):
    """
    Show what runs, or is installed, on the nodes of the cluster, and differs from pillar.

    timeout
        Seconds that the minions have to answer. Default 120. A minion that still works on it has
        more.

    cluster
        Name of the cluster, if the Salt master has several: ``pillar/topologies/NAME.yaml``.
        Default: the only one.

    Asks all nodes of the topology with ``cluster.drift``, and one node with each of the roles
    mesos-master, marathon and chronos for quotas and weights, groups and apps, and jobs.

    Prints a screen with a line for each difference. With ``--out`` prints these data instead:

    * ``status``: ``ok``, ``drift``, or ``unknown`` if something could not be compared;
    * ``drift``: a list of differences, each with ``node`` (the id, or ``cluster``), ``service``,
      ``what`` (such as ``flag quorum``), ``runs``, ``declared`` and ``next``, the command that
      repairs it. Values that may be secret are ``differs``;
    * ``errors``: what could not be compared, each with ``node`` and ``message``;
    * ``notes``: what runs in the cluster and is not declared;
    * ``nodes``: how many nodes the topology has;
    * ``retcode``: the exit code, 0 for ok, 1 for drift, 2 for unknown.

    Changes nothing. Raises nothing if nodes or services do not respond: these are errors.

    CLI Example:

    .. code-block:: bash

        salt-run cluster.drift
        salt-run cluster.drift timeout=300 --out=json
        salt-run cluster.drift cluster=berlin
    """
    try:
        data = _drift_report(*_ask_drift(timeout, cluster))
    except SaltException as error:
        errors = [{"node": "salt-master", "message": _salt_failure(error)}]
        data = _drift_data([], errors, [], 0)
    return _present(data, "cluster.drift", _drift_screen)


def _salt_failure(error):
    return f"Salt cannot ask the minions: {error}. Check the service salt-master."


def _present(data, function, screen):
    """Set the exit code, print the screen if the command line asks for it, and return the data."""
    __context__["retcode"] = data["retcode"]
    # Only the command line has this option. An orchestration or the API gets the data alone.
    if __opts__.get("fun") != function or __opts__.get("output"):
        return data
    salt.output.display_output(screen(data), "txt", __opts__)
    _suppress_output(__salt__)
    return data


def agents(agents, timeout=DEFAULT_TIMEOUT, cluster=None):
    """
    Return the Mesos agents that ids or globs of minions mean, with their addresses.

    The orchestrations drain, undrain, retire and replace use it. Changes nothing.

    agents
        An id or a glob, such as ``lxb001*``, or a list of these.

    timeout
        Seconds that the minions have to answer. Default 30.

    cluster
        Name of the cluster, if the Salt master has several: ``pillar/topologies/NAME.yaml``.
        Default: the only one.

    Returns a mapping: ``agents`` (id to address, sorted by id), ``responding`` (ids of those that
    respond to Salt) and ``errors`` (a sentence for each id or glob that means no agent). The
    address of an agent that does not respond is the one that it told the Salt master last.

    CLI Example:

    .. code-block:: bash

        salt-run cluster.agents 'lxb00*'
        salt-run cluster.agents 'lxb00*' cluster=berlin
    """
    patterns = [agents] if isinstance(agents, str) else agents
    if not _are_patterns(patterns):
        sentence = "should be a list of agents, ids or globs of minions. Example: [lxb001*]."
        return {"agents": {}, "responding": [], "errors": [f"agents = {agents!r}: {sentence}"]}
    try:
        topology, minions = _read_topology(__salt__, __opts__, cluster)
        roles_by_minion = _members(topology, minions)
        errors = [sentence for _, sentence in _topology_errors(topology, roles_by_minion)]
        if errors:
            return {"agents": {}, "responding": [], "errors": errors}
        selected, errors = _select_agents(patterns, roles_by_minion)
        addresses, responding = {}, []
        if not errors:
            addresses, responding = _agent_addresses(selected, minions, timeout)
    except SaltException as error:
        return {"agents": {}, "responding": [], "errors": [f"Salt cannot ask the minions: {error}"]}
    for node in selected:
        if not errors and node not in addresses:
            errors.append(
                f"{node} does not respond to Salt, and its address is not known. Check that the "
                "host is up and its salt-minion runs."
            )
    return {"agents": addresses, "responding": responding, "errors": errors}


def _are_patterns(patterns):
    if not isinstance(patterns, list) or not patterns:
        return False
    return all(isinstance(pattern, str) and pattern for pattern in patterns)


def _select_agents(patterns, roles_by_minion):
    """Return the ids of the agents that patterns mean, and a sentence for each that means none."""
    selected = set()
    errors = []
    agent_ids = _nodes_with(roles_by_minion, AGENT_ROLE)
    choice = f"Agents: {_listing(agent_ids)}."
    for pattern in patterns:
        nodes = fnmatch.filter(sorted(roles_by_minion), pattern)
        matches = [node for node in nodes if node in agent_ids]
        selected.update(matches)
        is_glob = pattern not in roles_by_minion
        if not nodes:
            errors.append(f"agents = {pattern}: no minion of the topology matches. {choice}")
        elif not matches or (len(matches) < len(nodes) and not is_glob):
            errors.append(
                f"agents = {pattern}: {_listing(nodes)} has not the role {AGENT_ROLE}. {choice}"
            )
    return sorted(selected), errors


def _listing(names):
    """Return names for a message, at most ten of them."""
    if not names:
        return "none"
    ellipsis = ", ..." if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + ellipsis


def _agent_addresses(nodes, minions, timeout):
    """Return the address of each node that is known, and the nodes that respond to Salt."""
    accepted = [node for node in nodes if node in minions]
    entries = {}
    if accepted:
        with salt.client.get_local_client(mopts=__opts__) as client:
            entries = client.cmd(
                accepted, "pillar.raw", ["topology"], tgt_type="list", timeout=timeout
            )
    responding = sorted(node for node in accepted if isinstance(entries.get(node), dict))
    addresses = {}
    for node in nodes:
        entry = entries.get(node)
        if node not in responding:
            entry = _cached_entry(node)
        address = entry.get("address") if isinstance(entry, dict) else None
        if address:
            addresses[node] = address
    return addresses, responding


def _cached_entry(node):
    """Return the pillar ``topology`` that the Salt master has last given to a minion."""
    pillar = __salt__["cache.pillar"](tgt=node, tgt_type="list")
    return (pillar.get(node) or {}).get("topology") or {}


def _suppress_output(functions):
    """
    Keep salt-run from printing the data, from which it takes the exit code, after the screen.

    functions
        ``__salt__`` of the calling runner: Salt gives none to a module that another one imports.

    Salt 3008 has no outputter that prints nothing. The event that prints is given to one module of
    each name, which is not always this one, as Salt 3008 has its own runner of this name.
    """
    event = functions["pillar.show_pillar"].__globals__.get("__jid_event__")
    if event is not None:
        event.print_func = None


def _read_topology(functions, opts, cluster):
    """
    Return the topology of a cluster, with the errors of pillar, and the accepted minions.

    functions, opts
        ``__salt__`` and ``__opts__`` of the calling runner.

    cluster
        Name of the cluster. None for the only one.
    """
    pillar = functions["pillar.show_pillar"](minion=opts["id"])
    topology = _select_cluster(pillar.get("topology") or {}, cluster)
    for error in pillar.get("_errors", []):
        topology["errors"].append(["pillar", "", error])
    minions = salt.utils.minions.CkMinions(opts).check_minions("*", "glob")["minions"]
    topology["errors"] += _shared_minions(topology, minions)
    return topology, minions


def _select_cluster(pillar, cluster):
    """
    Return the topology of a cluster: ``nodes``, ``errors``, ``cluster`` (None for the only one),
    ``file``, and ``others``, the nodes of the other clusters by name.

    pillar
        The pillar ``topology``: ``nodes`` and ``errors``, or these for each of ``clusters``.
    """
    clusters = pillar.get("clusters")
    topology = {"nodes": {}, "errors": [], "cluster": None, "others": {}}
    if clusters is None:
        topology.update(pillar, file="pillar/topology.yaml")
        if cluster is not None:
            message = "there is only one, that of pillar/topology.yaml. Leave this out."
            topology["errors"] = [*topology["errors"], ["cluster", cluster, message]]
        return topology
    names = list(clusters)
    if cluster is None and len(names) == 1:
        cluster = names[0]
    if cluster not in names:
        message = f"name one of {', '.join(names)}, such as cluster={names[0]}."
        value = "null" if cluster is None else cluster
        return {**topology, "errors": [["cluster", value, message]], "file": "pillar/topologies"}
    return {
        **topology,
        **clusters[cluster],
        "cluster": cluster,
        "others": {name: clusters[name]["nodes"] for name in names if name != cluster},
        "file": f"pillar/topologies/{cluster}.yaml",
    }


def _shared_minions(topology, minions):
    """Return an error for each minion that globs of another cluster match, too."""
    errors = []
    own_minions = _members(topology, minions)
    for cluster, nodes in topology["others"].items():
        for minion in sorted(set(_members({"nodes": nodes}, minions)) & set(own_minions)):
            message = (
                f"it is also in the cluster {cluster}. A node belongs to one cluster. Change an "
                "entry or a glob."
            )
            errors.append([f"{topology['file']}:nodes", minion, message])
    return errors


def _ask(timeout, cluster):
    """Return the topology, the accepted minions, the entry of each node, and the answers."""
    topology, minions = _read_topology(__salt__, __opts__, cluster)
    roles_by_minion = _members(topology, minions)
    accepted = sorted(set(minions) & set(roles_by_minion))
    control = [node for node in accepted if _is_control(roles_by_minion[node])]
    if not accepted:
        return topology, minions, {}, {}
    with salt.client.get_local_client(mopts=__opts__) as client:
        # pillar.get of Salt 3008 returns asterisks.
        entries = client.cmd(accepted, "pillar.raw", ["topology"], tgt_type="list", timeout=timeout)
        responding = [node for node in control if node in entries]
        if not responding:
            return topology, minions, entries, {}
        return topology, minions, entries, _ask_services(client, responding, timeout)


def _ask_services(client, nodes, timeout):
    """
    Return the answers to the questions, by node and function.

    Each is a job of its own. While a job of several functions runs, Salt cannot start
    ``state.apply`` on the minion: it takes the name of the running function for text.
    """
    answers = {}
    for function, arguments in QUESTIONS.items():
        replies = client.cmd(nodes, function, arguments, tgt_type="list", timeout=timeout)
        for node, reply in replies.items():
            answers.setdefault(node, {})[function] = reply
        # Do not wait again for a node that has stopped answering.
        nodes = [node for node in nodes if node in replies]
        if not nodes:
            break
    return answers


def _members(topology, minions):
    """
    Return the roles of each node: those that the topology names, and minions that match a glob.

    An entry with the id itself takes precedence over a glob.
    """
    nodes = topology.get("nodes") or {}
    globs = [name for name in nodes if any(character in name for character in "*?[")]
    roles_by_minion = {name: nodes[name] for name in nodes if name not in globs}
    for minion in minions:
        for pattern in globs:
            if minion not in roles_by_minion and fnmatch.fnmatchcase(minion, pattern):
                roles_by_minion[minion] = nodes[pattern]
    return roles_by_minion


class Problems:
    """What has failed, and notes. ``judgement`` is the data about them."""

    def __init__(self):
        self.entries = []
        self.notes = []

    def down(self, kind, subject, message):
        """Add what keeps the cluster from serving."""
        self.entries.append(Problem(DOWN, kind, subject, message))

    def degraded(self, kind, subject, message):
        """Add a failure with which the cluster still serves."""
        self.entries.append(Problem(DEGRADED, kind, subject, message))

    def note(self, message):
        """Add what is worth to be known, and has not failed."""
        self.notes.append(message)

    def judgement(self):
        """Return status, exit code, problems and notes. The worst problems are first."""
        ordered = sorted(self.entries, key=lambda problem: SEVERITIES.index(problem.severity))
        status_text = ordered[0].severity if ordered else OK
        return {
            "status": status_text,
            "retcode": EXIT_CODES[status_text],
            "problems": [dict(problem._asdict()) for problem in ordered],
            "notes": self.notes,
        }


def _report(topology, minions, entries, answers):
    """
    Return the data of ``cluster.status``.

    topology
        Mapping with ``nodes`` (id or glob to roles) and ``errors``, as pillar has it for the
        master.

    minions
        Ids of the minions whose keys are accepted.

    entries
        Minion id to its pillar ``topology``, for each node that answered.

    answers
        Control node to answers by function. An answer that is text is an error.
    """
    problems = Problems()
    roles_by_minion = _members(topology, minions)
    for setting, sentence in _topology_errors(topology, roles_by_minion):
        problems.down("topology", setting, sentence)
    nodes = _check_nodes(problems, roles_by_minion, minions, entries)
    control = [node for node in sorted(roles_by_minion) if _is_control(roles_by_minion[node])]
    if control and not answers:
        sentence = (
            f"No control node responds to Salt ({', '.join(control)}), so nothing is known of the "
            "services. Check that the hosts are up and their salt-minion runs."
        )
        problems.down("node", "control", sentence)
        return {**problems.judgement(), "nodes": nodes}
    sections = {
        "nodes": nodes,
        "zookeeper": _check_zookeeper(problems, roles_by_minion, answers, entries),
        "mesos": _check_mesos(problems, roles_by_minion, answers, entries),
        "marathon": _check_marathon(problems, roles_by_minion, answers),
        "chronos": _check_chronos(problems, roles_by_minion, answers),
    }
    _check_replicas(problems, roles_by_minion, answers)
    _check_turns(problems, answers)
    return {**problems.judgement(), **sections}


def _topology_errors(topology, roles_by_minion):
    """Return setting and sentence of each error of the topology."""
    errors = []
    for setting, value, message in topology.get("errors") or []:
        sentence = f"{setting} = {value}: {message}"
        if setting != "cluster":
            sentence = f"The topology has an error: {sentence}"
        errors.append((setting, sentence))
    if not errors and not roles_by_minion:
        file = topology.get("file", "pillar/topology.yaml")
        errors.append(("nodes", f"The topology names no node. Edit {file}."))
    return errors


def _is_control(roles):
    return any(role in CONTROL_ROLES for role in roles)


def _nodes_with(roles_by_minion, role):
    return sorted(node for node, roles in roles_by_minion.items() if role in roles)


def _answer(answers, function):
    """Return the first answer that is no error, and the errors of the nodes without one."""
    errors = []
    for node in sorted(answers):
        answer = answers[node].get(function) if isinstance(answers[node], dict) else answers[node]
        if isinstance(answer, (dict, list)):
            return answer, errors
        lines = str(answer or "").strip().splitlines()
        message = lines[-1].rpartition("Error: ")[2] if lines else "no answer"
        errors.append(f"{node}: {message}")
    return None, errors


def _check_nodes(problems, roles_by_minion, minions, entries):
    silent = []
    for node in sorted(roles_by_minion):
        if node not in minions:
            problems.degraded("node", node, _not_accepted(node))
        elif not isinstance(entries.get(node), dict):
            silent.append(node)
            problems.degraded("node", node, _silent(node))
    return {"total": len(roles_by_minion), "silent": silent}


def _not_accepted(node):
    return (
        f"{node} is in the topology, and its key is not accepted. Compare its fingerprint, and "
        f"run: salt-key -a {node}"
    )


def _silent(node):
    return f"{node} does not respond to Salt. Check that the host is up and its salt-minion runs."


def _check_zookeeper(problems, roles_by_minion, answers, entries):
    nodes = _nodes_with(roles_by_minion, "zookeeper")
    if not nodes:
        return {}
    ensemble, errors = _ensemble(answers)
    if ensemble is None:
        problems.down("quorum", "zookeeper", _unanswered("ZooKeeper", nodes, errors))
        return {}
    modes = {}
    for server in ensemble.values():
        modes[_host(server["address"], entries)] = server["mode"]
    serving = [host for host, mode in modes.items() if mode in SERVING_MODES]
    if not {"leader", "standalone"} & set(modes.values()):
        sentence = (
            f"ZooKeeper has lost its quorum: {len(serving)} of {len(modes)} servers serve. "
            f"Start ZooKeeper on {', '.join(sorted(set(modes) - set(serving)))}."
        )
        problems.down("quorum", "zookeeper", sentence)
        return {"servers": modes}
    for host, mode in modes.items():
        if mode not in SERVING_MODES:
            sentence = f"The ZooKeeper server {host} is {mode}. See there: journalctl -u zookeeper"
            problems.degraded("replica", f"zookeeper on {host}", sentence)
    return {"servers": modes}


def _ensemble(answers):
    """Return the answer in which most servers serve, as one node may be cut off; and errors."""
    ensembles = []
    for node in sorted(answers):
        ensemble, _ = _answer({node: answers[node]}, "zk.ensemble")
        if ensemble:
            ensembles.append(ensemble)
    if not ensembles:
        return _answer(answers, "zk.ensemble")
    return max(ensembles, key=_serving_count), []


def _serving_count(ensemble):
    return sum(server["mode"] in SERVING_MODES for server in ensemble.values())


def _host(address, entries):
    """Return the node that has an address or a name, or the address if no node has answered so."""
    for node, entry in entries.items():
        if isinstance(entry, dict) and address in (entry.get("address"), entry.get("name")):
            return node
    return address


def _unanswered(service, nodes, errors):
    reason = "; ".join(errors) or "none of these nodes responds to Salt"
    return f"{service} on {', '.join(nodes)} does not respond: {reason}."


def _check_mesos(problems, roles_by_minion, answers, entries):
    nodes = _nodes_with(roles_by_minion, "mesos-master")
    if not nodes:
        return {}
    summary, errors = _answer(answers, "mesos.summary")
    if summary is None:
        sentence = (
            f"Mesos has no leader that has recovered. See on {', '.join(nodes)}: journalctl "
            f"-u mesos-master. {'; '.join(errors)}"
        )
        problems.down("leader", "mesos", sentence.rstrip())
        return {}
    for url, state in summary["masters"].items():
        if state not in ("leads", "stands by"):
            host = _host(urlsplit(url).hostname, entries)
            sentence = (
                f"The Mesos master {host} is not healthy: {state}. See there: journalctl -u "
                "mesos-master"
            )
            problems.degraded("replica", f"mesos-master on {host}", sentence)
    _check_security(problems, answers)
    agents, errors = _answer(answers, "mesos.agents")
    if agents is None:
        sentence = f"Mesos does not list its agents: {'; '.join(errors)}"
        problems.degraded("leader", "mesos", sentence)
    else:
        # Modules of an older tree do not have the function.
        out_of_service, _ = _answer(answers, "mesos.out_of_service")
        _check_agents(problems, roles_by_minion, agents, out_of_service or [], entries)
    return summary


def _check_security(problems, answers):
    """Note that the masters let everyone in. Masters before 1.0 do not tell."""
    flags, _ = _answer(answers, "mesos.flags")
    if flags and any(flags.get(name) != "true" for name in DEMANDS):
        problems.note(
            "The Mesos masters demand no credentials: everyone who reaches their port may run any "
            "command on the agents. See SECURITY.md"
        )


def _by_host(agents):
    by_host = {}
    for agent in agents:
        by_host[agent["hostname"]] = agent
        by_host[agent["ip"]] = agent
    return by_host


def _check_agents(problems, roles_by_minion, agents, out_of_service, entries):
    """
    Report agents that are not registered, and note those that somebody keeps out of service.

    Nodes are known by address or name.
    """
    by_host = _by_host(agents)
    out_of_service_by_host = _by_host(out_of_service)
    for node in _nodes_with(roles_by_minion, AGENT_ROLE):
        entry = entries.get(node)
        if not isinstance(entry, dict):
            # Without its answer its address is not known. _check_nodes has reported the node.
            continue
        agent = _of_node(entry, by_host)
        absence = _of_node(entry, out_of_service_by_host)
        reason = absence["reason"] if absence else _reason_of(agent)
        problem = _agent_problem(agent)
        if reason:
            problems.note(_out_of_service_note(node, reason, absence, entry.get("cluster")))
        elif problem:
            problems.degraded("agent", node, f"The agent {node} {problem}")


def _of_node(entry, by_host):
    """Return the agent of a node by its name, or else by its address; None without one."""
    return by_host.get(entry.get("name")) or by_host.get(entry.get("address"))


def _reason_of(agent):
    """Return why an agent is out of service, as far as the list of agents tells; else None."""
    if agent is None or not (agent["drain"] or agent["deactivated"]):
        return None
    return (agent["drain"] or "deactivated").lower()


def _out_of_service_note(node, reason, absence, cluster):
    tasks = absence["tasks"] if absence else {}
    number = f"{len(tasks)} task{'' if len(tasks) == 1 else 's'}"
    running = f", and {number} still on it" if tasks else ""
    options = {"agents": [node]}
    if cluster:
        options["cluster"] = cluster
    return (
        f"The agent {node} is out of service ({reason}){running}. To end this: salt-run "
        f"state.orchestrate orchestration.undrain pillar='{json.dumps(options)}'"
    )


def _agent_problem(agent):
    """Return why an agent takes no tasks, and what to do; empty if it takes them."""
    journal = "See there: journalctl -u mesos-slave -u mesos-agent"
    if agent is None:
        return f"is not registered at the Mesos master. {journal}"
    if not agent["active"]:
        return f"is registered, and not connected. {journal}"
    return ""


def _check_marathon(problems, roles_by_minion, answers):
    nodes = _nodes_with(roles_by_minion, "marathon")
    if not nodes:
        return {}
    summary, errors = _answer(answers, "marathon.summary")
    if summary is None or not summary.get("leader"):
        problems.down("leader", "marathon", _no_leader("Marathon", nodes, errors))
        return summary or {}
    for app in summary["unhealthy"]:
        sentence = f"The app {app} has unhealthy instances. See: salt-call marathon.app {app}"
        if app.startswith("... "):
            sentence = f"Unhealthy apps that are not listed: {app[4:]}."
        problems.degraded("app", app, sentence)
    for app, reason in summary["waiting"].items():
        sentence = f"The app {app} waits: {reason}. See: salt-call marathon.queue"
        if app == "...":
            sentence = f"Waiting apps that are not listed: {reason}."
        problems.degraded("app", app, sentence)
    for step in summary["deployments"]:
        problems.note(f"Marathon deploys: {step}")
    return summary


def _check_chronos(problems, roles_by_minion, answers):
    nodes = _nodes_with(roles_by_minion, "chronos")
    if not nodes:
        return {}
    summary, errors = _answer(answers, "chronos.summary")
    if summary is None:
        problems.down("leader", "chronos", _no_leader("Chronos", nodes, errors))
        return {}
    for job, failure in summary["failing"].items():
        sentence = f"The job {job} fails: {failure}. See: salt-call chronos.job {job}"
        if job == "...":
            sentence = f"Failing jobs that are not listed: {failure}."
        problems.degraded("job", job, sentence)
    return summary


def _no_leader(service, nodes, errors):
    sentence = (
        f"{service} has no leader. See on {', '.join(nodes)}: journalctl -u {service.lower()}"
    )
    return f"{sentence}. {'; '.join(errors)}" if errors else sentence


def _check_replicas(problems, roles_by_minion, answers):
    """Report daemons that do not run although their node answers."""
    for node in sorted(answers):
        units = answers[node].get("service.status") if isinstance(answers[node], dict) else None
        if not isinstance(units, dict):
            continue
        for role, service in FRAMEWORK_NAMES.items():
            if role in roles_by_minion.get(node, []) and not units.get(role):
                sentence = (
                    f"{service} on {node} does not run. Start it there: systemctl start {role}"
                )
                problems.degraded("replica", f"{role} on {node}", sentence)


def _check_turns(problems, answers):
    turns, _ = _answer(answers, "cluster.turns")
    if turns is None:
        # Without ZooKeeper, which is reported, there are no turns.
        return
    for turn_class in ("control-nodes", "agents"):
        holders = [entry["host"] for entry in turns[turn_class] if entry["state"] == "holds"]
        for node, record in turns["unready"][turn_class].items():
            # A node that has its turn is unready until it gives it back.
            if node not in holders:
                sentence = (
                    f"{node} is not ready since a restart ({record['reason']}). Apply its states "
                    f"again: salt {node} state.apply"
                )
                problems.degraded("node", node, sentence)
        for entry in turns[turn_class]:
            verb = "has its turn" if entry["state"] == "holds" else "waits for its turn"
            problems.note(f"{entry['host']} {verb} to restart: {entry['reason']}")
    for node, record in turns["held"].items():
        expiry = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(record["expiry"]))
        problems.note(
            f"{node} is held until {expiry}: {record['reason']}. To end this: salt-call "
            f"cluster.release {node}"
        )


def _screen(data):
    """Return the text for people: the worst problem, the others, notes, and figures."""
    messages = [problem["message"] for problem in data["problems"]]
    if messages:
        lines = [f"{data['status'].upper()}: {messages[0]}"]
        lines += [f"  - {message}" for message in messages[1:]]
    else:
        lines = [f"OK: {_overview(data)}"]
    lines += [f"  * {note}" for note in data["notes"]]
    for address, mode in data.get("zookeeper", {}).get("servers", {}).items():
        lines.append(f"ZooKeeper  {address}  {mode}")
    mesos = data.get("mesos", {})
    if mesos:
        lines.append(f"Mesos      {mesos['version']}, leader {mesos['leader']}")
        lines.append(f"Agents     {_counts(mesos['agents'])}")
        lines += [f"Resources  {name}: {usage}" for name, usage in mesos["resources"].items()]
    marathon = data.get("marathon", {})
    if marathon:
        lines.append(f"Marathon   {marathon['version']}, leader {marathon['leader']}")
        lines.append(f"Apps       {_counts(marathon['apps'])}")
        lines.append(f"Instances  {_counts(marathon['instances'])}")
    chronos = data.get("chronos", {})
    if chronos:
        lines.append(f"Chronos    leader {chronos['leader'] or 'not named by this version'}")
        lines.append(f"Jobs       {_counts(chronos['jobs'])}")
    return "\n".join(lines)


def _overview(data):
    agents = data["mesos"].get("agents", {}).get("up", 0)
    return f"{data['nodes']['total']} nodes answer, {agents} agents are up."


def _counts(counts):
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"


# --- drift ---


def _ask_drift(timeout, cluster):
    """Return the topology, the accepted minions, and two mappings of nodes to answers."""
    topology, minions = _read_topology(__salt__, __opts__, cluster)
    roles_by_minion = _members(topology, minions)
    accepted = sorted(set(minions) & set(roles_by_minion))
    if not accepted:
        return topology, minions, {}, {}
    cluster_answers = {}
    with salt.client.get_local_client(mopts=__opts__) as client:
        answers = client.cmd(accepted, "cluster.drift", tgt_type="list", timeout=timeout)
        for node, sls in _cluster_questions(roles_by_minion, answers).items():
            answer = client.cmd([node], "cluster.drift", [sls], tgt_type="list", timeout=timeout)
            cluster_answers[node] = answer.get(node)
    return topology, minions, answers, cluster_answers


def _cluster_questions(roles_by_minion, answers):
    """Return the SLS that compare what the cluster has, by the node that is asked."""
    questions = {}
    for role, sls in CLUSTER_SLS.items():
        nodes = _nodes_with(roles_by_minion, role)
        responding = [node for node in nodes if isinstance(answers.get(node), dict)]
        if responding:
            questions.setdefault(responding[0], []).append(sls)
    return questions


def _drift_report(topology, minions, answers, cluster_answers):
    """
    Return the data of ``cluster.drift``.

    topology, minions
        See ``_report``.

    answers
        Node to what ``cluster.drift`` returned there. Text is an error.

    cluster_answers
        Node to what ``cluster.drift`` returned there about the cluster.
    """
    differences, errors, notes = [], [], []
    roles_by_minion = _members(topology, minions)
    for _, sentence in _topology_errors(topology, roles_by_minion):
        errors.append({"node": "topology", "message": sentence})
    for node in sorted(roles_by_minion):
        if node not in minions:
            errors.append({"node": node, "message": _not_accepted(node)})
        elif node not in answers:
            errors.append({"node": node, "message": _silent(node)})
    for node, answer in sorted(answers.items()):
        _add_answer(node, node, answer, (differences, errors, notes))
    for node, answer in sorted(cluster_answers.items()):
        _add_answer("cluster", node, answer, (differences, errors, notes))
    return _drift_data(differences, errors, notes, len(roles_by_minion))


def _add_answer(subject, node, answer, lists):
    """Add the answer of a node, which is about a subject, to differences, errors and notes."""
    differences, errors, notes = lists
    if isinstance(answer, dict):
        differences += [{"node": subject, **difference} for difference in answer["drift"]]
        errors += [{"node": node, "message": message} for message in answer["errors"]]
        notes += answer["notes"]
        return
    _, messages = _answer({node: answer}, "cluster.drift")
    message = messages[0].partition(": ")[2] if messages else "no answer"
    errors.append({"node": node, "message": message})


def _drift_data(differences, errors, notes, node_count):
    status_text, retcode = "ok", 0
    if errors:
        status_text, retcode = "unknown", 2
    elif differences:
        status_text, retcode = "drift", 1
    return {
        "status": status_text,
        "retcode": retcode,
        "drift": differences,
        "errors": errors,
        "notes": notes,
        "nodes": node_count,
    }


def _drift_screen(data):
    """Return the text for people: the verdict, the differences, what is not known, and notes."""
    differences = data["drift"]
    if data["errors"]:
        messages = [f"{error['node']}: {error['message']}" for error in data["errors"]]
        lines = [f"UNKNOWN: {messages[0]}", *[f"  - {message}" for message in messages[1:]]]
    elif differences:
        lines = [f"DRIFT: {_plural(len(differences), 'difference')}."]
    else:
        lines = [f"OK: {_plural(data['nodes'], 'node')} and the cluster are as pillar declares."]
    widths = {
        column: max((len(difference[column]) for difference in differences), default=0)
        for column in DRIFT_COLUMNS
    }
    for difference in differences:
        columns = [difference[column].ljust(widths[column]) for column in DRIFT_COLUMNS]
        values = difference["runs"]
        if values != difference["declared"]:
            values = f"runs: {values}, declared: {difference['declared']}"
        lines.append(f"{'  '.join(columns)}  {values}. Next: {difference['next']}")
    return "\n".join(lines + [f"  * {note}" for note in data["notes"]])


def _plural(number, noun):
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
