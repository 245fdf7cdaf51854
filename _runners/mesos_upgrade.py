"""
The steps of an upgrade: which nodes of the topology do not have the versions in pillar yet, and in
which order they get them.

The file is not called ``cluster.py``, because Salt 3008 has a runner of that name for clusters of
Salt masters.
"""

import fnmatch
import importlib

import mesos_cluster
import salt.client
from salt.exceptions import SaltException

# saltutil.sync_* does not replace a file that sys.modules already has.
importlib.reload(mesos_cluster)

__virtualname__ = "cluster"
DEFAULT_TIMEOUT = 60
COMPONENTS = ("zookeeper", "mesos", "marathon", "chronos")
BACKUP_OPTIONS = ("directory", "keep", "timeout")
# Roles whose nodes have to answer: an upgrade cannot leave them out.
CONTROL_ROLES = ("zookeeper", "mesos-master", "marathon", "chronos")
# What orchestration.upgrade passes to the states of Marathon.
MARATHON_PILLAR = {"marathon_upgrade": True}
SLS = "orchestration.minion."


def __virtual__():
    return __virtualname__


def upgrade_plan(components=None, skip=(), backup=None, timeout=DEFAULT_TIMEOUT, cluster=None):
    """
    Return the steps that bring the cluster to the versions in pillar.

    ``orchestration.upgrade`` carries them out. Changes nothing.

    components
        What to upgrade: a list of any of ``zookeeper``, ``mesos``, ``marathon`` and ``chronos``, or
        one of them. Default: all.

    skip
        Nodes to leave out, a list of ids and globs. Default: none.

    backup
        Options of ``cluster.backup``, which is the first step: a mapping of ``directory``, ``keep``
        and ``timeout``. False: no backup. Default: its defaults.

    timeout
        Seconds that the minions have to answer. Default 60.

    cluster
        Name of the cluster, if the Salt master has several: ``pillar/topologies/NAME.yaml``.

    Returns a mapping:

    * ``steps``: a list of ``name`` (a sentence), and either ``backup`` (the options), or ``nodes``
      (ids), ``sls`` (a list) and ``pillar``;
    * ``notes``: what is not upgraded, sentences;
    * ``errors``: why nothing can be upgraded, sentences. There are no steps then.

    CLI Example:

    .. code-block:: bash

        salt-run cluster.upgrade_plan
        salt-run cluster.upgrade_plan components=marathon
    """
    components = [components] if isinstance(components, str) else components or list(COMPONENTS)
    errors = [*_component_errors(components), *_backup_errors(backup)]
    if errors:
        return {"steps": [], "notes": [], "errors": errors}
    try:
        topology, minions = mesos_cluster._read_topology(__salt__, __opts__, cluster)
        roles_by_node = mesos_cluster._members(topology, minions)
        errors = [text for _, text in mesos_cluster._topology_errors(topology, roles_by_node)]
        if errors:
            return {"steps": [], "notes": [], "errors": errors}
        roles_by_node = _without_skipped(roles_by_node, skip)
        answers = _ask_versions(sorted(set(minions) & set(roles_by_node)), timeout)
    except SaltException as error:
        errors = [f"Salt cannot ask the minions: {error}"]
        return {"steps": [], "notes": [], "errors": errors}
    plan = _plan(components, backup, roles_by_node, answers)
    for step in plan["steps"]:
        if "backup" in step and cluster is not None:
            step["backup"] = {**step["backup"], "cluster": cluster}
    return plan


def _component_errors(components):
    if not isinstance(components, list):
        return [f"components = {components!r}: should be a list out of {', '.join(COMPONENTS)}."]
    return [
        f"components = {component}: no such component. Known: {', '.join(COMPONENTS)}."
        for component in components
        if component not in COMPONENTS
    ]


def _backup_errors(backup):
    expected = f"should be false, or a mapping of {', '.join(BACKUP_OPTIONS)}."
    if backup is None or backup is False:
        return []
    if not isinstance(backup, dict):
        return [f"backup = {backup!r}: {expected}"]
    errors = [
        f"backup = {option}: no such option. Known: {', '.join(BACKUP_OPTIONS)}."
        for option in backup
        if option not in BACKUP_OPTIONS
    ]
    directory = backup.get("directory")
    if directory is not None and not str(directory).startswith("/"):
        errors.append(f"backup:directory = {directory}: should be an absolute path.")
    for option in ("keep", "timeout"):
        value = backup.get(option, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            errors.append(f"backup:{option} = {value}: should be a number, 1 or more.")
    return errors


def _without_skipped(roles_by_node, patterns):
    """Return the nodes that have roles and match none of the ids and globs."""
    return {
        node: roles
        for node, roles in roles_by_node.items()
        if roles and not any(fnmatch.fnmatchcase(node, pattern) for pattern in patterns)
    }


def _ask_versions(accepted, timeout):
    """Return the answers of ``cluster.versions``."""
    if not accepted:
        return {}
    with salt.client.get_local_client(mopts=__opts__) as client:
        # A minion remembers its pillar, and settings.sls has just been edited.
        client.cmd(
            accepted,
            "saltutil.refresh_pillar",
            tgt_type="list",
            timeout=timeout,
            kwarg={"wait": True},
        )
        answers = client.cmd(
            accepted, "cluster.versions", tgt_type="list", timeout=timeout, full_return=True
        )
    return {
        node: answer["ret"]
        for node, answer in answers.items()
        if isinstance(answer, dict) and "ret" in answer and answer.get("out") != "no_return"
    }


# --- the plan ---


def _plan(components, backup, roles_by_node, answers):
    """Return the result of ``upgrade_plan``, with checked arguments."""
    errors, notes = [], []
    cluster = _Versions(components, roles_by_node, answers)
    for node in sorted(roles_by_node):
        answer = answers.get(node)
        if isinstance(answer, dict) and "components" in answer:
            errors += answer["errors"]
        elif answer is not None:
            errors.append(
                f"{node}: cluster.versions failed: {_last_line(answer)}. After an update of this "
                "tree run: salt '*' saltutil.sync_all"
            )
        elif set(roles_by_node[node]) & set(CONTROL_ROLES):
            errors.append(
                f"{node} does not respond to Salt. Start it, or stop its daemons for good and "
                f'leave it out: pillar=\'{{"skip": ["{node}"]}}\''
            )
        else:
            notes.append(f"{node} does not respond to Salt, and was left out.")
    if not errors:
        errors += cluster.errors()
    steps = []
    if not errors:
        marathon_steps = cluster.marathon_steps(errors)
        steps = [
            *cluster.zookeeper_steps(),
            *cluster.mesos_steps(),
            *marathon_steps,
            *cluster.chronos_steps(),
        ]
    if errors:
        return {"steps": [], "notes": notes, "errors": sorted(set(errors))}
    if steps and backup is not False and not cluster.is_marathon_down():
        steps.insert(0, {"name": "The cluster is backed up", "backup": backup or {}})
    return {"steps": steps, "notes": notes, "errors": []}


class _Versions:
    """The versions of a cluster: those that its nodes have, and those that they should have."""

    def __init__(self, components, roles_by_node, answers):
        self._components = components
        self._roles = roles_by_node
        self._answers = {
            node: answer
            for node, answer in answers.items()
            if isinstance(answer, dict) and "components" in answer
        }

    def errors(self):
        """Return why the components cannot be upgraded without others, or not at all."""
        errors = []
        if "mesos" not in self._components:
            for component in ("marathon", "chronos"):
                nodes = [
                    node for node in self._nodes(component) if self._needs_upgrade(node, "mesos")
                ]
                if nodes and component in self._components:
                    change = self._version_change(nodes[0], "mesos")
                    errors.append(
                        f"components = {', '.join(self._components)}: the states of {component} "
                        f"would upgrade Mesos as well ({change} on {nodes[0]}). Add mesos."
                    )
        declared = {self._status(node, "marathon")["declared"] for node in self._nodes("marathon")}
        if len(declared) > 1:
            versions = ", ".join(sorted(map(str, declared)))
            errors.append(f"marathon:version = {versions}: should be the same on all nodes.")
        return errors

    # --- the nodes ---

    def _nodes(self, component):
        """Return the nodes with a component; its leader is the last one."""
        nodes = [node for node in sorted(self._answers) if component in self._components_on(node)]
        return sorted(nodes, key=lambda node: component in self._answers[node]["leads"])

    def _components_on(self, node):
        return self._answers[node]["components"]

    def _status(self, node, component):
        return self._components_on(node)[component]

    def _needs_upgrade(self, node, component):
        status = self._components_on(node).get(component)
        return bool(status and status["installed"] and not status["has_declared"])

    def _version_change(self, node, component):
        status = self._status(node, component)
        installed, declared = status["installed"], status["declared"]
        if "-" not in declared:
            installed = installed.partition("-")[0]
        return f"{installed} -> {declared}"

    def is_marathon_down(self):
        """Return whether no Marathon leads, so that its store cannot be backed up."""
        nodes = self._nodes("marathon")
        return bool(nodes) and not any(self._answers[node]["marathon_leader"] for node in nodes)

    # --- the steps ---

    def zookeeper_steps(self):
        if "zookeeper" not in self._components:
            return
        for node in self._nodes("zookeeper"):
            if self._needs_upgrade(node, "zookeeper"):
                name = f"ZooKeeper on {node}: {self._version_change(node, 'zookeeper')}"
                yield _step(name, [node], "zookeeper")

    def mesos_steps(self):
        """Yield the masters, the leader last, and then all agents in turns."""
        if "mesos" not in self._components:
            return
        nodes = [node for node in self._nodes("mesos") if self._needs_upgrade(node, "mesos")]
        for node in nodes:
            if "mesos-master" in self._roles[node]:
                name = f"Mesos master on {node}: {self._version_change(node, 'mesos')}"
                yield _step(name, [node], "mesos_master")
        agents_by_change = {}
        for node in nodes:
            if "mesos-slave" in self._roles[node]:
                agents_by_change.setdefault(self._version_change(node, "mesos"), []).append(node)
        for change, agents in agents_by_change.items():
            noun = "agent" if len(agents) == 1 else "agents"
            name = f"Mesos {noun} on {', '.join(sorted(agents))}, in turns: {change}"
            yield _step(name, sorted(agents), "mesos_slave")

    def chronos_steps(self):
        for node in self._nodes("chronos"):
            name = self._framework_change(node, "chronos", "Chronos")
            if name:
                yield _step(name, [node], "chronos")

    def _framework_change(self, node, component, noun):
        """Return what a framework needs on a node: another version, or the library of Mesos."""
        if component in self._components and self._needs_upgrade(node, component):
            return f"{noun} on {node}: {self._version_change(node, component)}"
        if "mesos" not in self._components:
            return None
        if self._needs_upgrade(node, "mesos"):
            return f"{noun} on {node} is restarted with libmesos {self._declared_mesos(node)}"
        if self._status(node, component)["library_newer"]:
            return f"{noun} on {node} is restarted with the new libmesos"
        return None

    def _declared_mesos(self, node):
        return self._status(node, "mesos")["declared"]

    def marathon_steps(self, errors):
        """Return the steps of Marathon. Adds to the errors."""
        nodes = self._nodes("marathon")
        outdated = [node for node in nodes if self._needs_upgrade(node, "marathon")]
        if "marathon" not in self._components or not outdated:
            names = {node: self._framework_change(node, "marathon", "Marathon") for node in nodes}
            return [_step(names[node], [node], "marathon") for node in nodes if names[node]]
        leader_info = self._answers[nodes[0]]["marathon_leader"]
        if len(nodes) == 1 or (leader_info and leader_info["has_new_store"]):
            stopped = [
                node
                for node in nodes
                if node not in outdated and not self._is_marathon_running(node)
            ]
            upgrades = self._marathon_upgrades(outdated)
            return [*upgrades, self._marathon_check(outdated[-1]), *self._marathon_starts(stopped)]
        return self._marathon_migration(nodes, outdated, leader_info, errors)

    def _marathon_migration(self, nodes, outdated, leader_info, errors):
        """Return the steps of Marathon's own procedure, from where an earlier run has left it."""
        upgraded = [node for node in nodes if node not in outdated]
        leader_node = next((node for node in nodes if self._is_marathon_leader(node)), None)
        if leader_info is None and not upgraded:
            errors.append(
                "marathon: no Marathon leads, so its store cannot be backed up. Start it first, "
                f"with its old version: salt '{outdated[-1]}' service.start marathon"
            )
            return []
        if leader_info and leader_node is None:
            errors.append(
                f"marathon: the leading Marathon {leader_info['version']} runs on none of the "
                f"nodes {', '.join(nodes)}. Stop every Marathon outside the topology that uses the "
                "same store, or add its node to the topology."
            )
            return []
        successor = next(node for node in [*upgraded, *outdated] if node != leader_node)
        stopped = [
            node for node in outdated if self._is_marathon_running(node) and node != leader_node
        ]
        steps = []
        if stopped:
            name = f"Marathon is stopped on {', '.join(stopped)}"
            steps.append(_step(name, stopped, "marathon_leader", "marathon_stopped"))
        steps += self._marathon_upgrades([successor]) or self._marathon_starts([successor])
        if leader_node:
            steps.append(
                _step(f"Marathon is stopped on {leader_node}", [leader_node], "marathon_stopped")
            )
        steps.append(self._marathon_check(successor))
        steps += self._marathon_upgrades([node for node in outdated if node != successor])
        standbys = [node for node in upgraded if node != successor]
        stopped = [
            node for node in standbys if node == leader_node or not self._is_marathon_running(node)
        ]
        return [*steps, *self._marathon_starts(stopped)]

    def _is_marathon_running(self, node):
        return self._status(node, "marathon")["runs"]

    def _is_marathon_leader(self, node):
        return self._is_marathon_running(node) and "marathon" in self._answers[node]["leads"]

    def _marathon_upgrades(self, nodes):
        return [
            _step(
                f"Marathon on {node}: {self._version_change(node, 'marathon')}", [node], "marathon"
            )
            for node in nodes
            if self._needs_upgrade(node, "marathon")
        ]

    def _marathon_starts(self, nodes):
        return [_step(f"Marathon runs on {node}", [node], "marathon") for node in nodes]

    def _marathon_check(self, node):
        """Return the step that waits until the new version has the lead."""
        version = self._status(node, "marathon")["declared"]
        return _step(f"Marathon {version} leads", [node], "marathon_version")


def _step(name, nodes, *sls):
    pillar = MARATHON_PILLAR if sls[0].startswith("marathon") else {}
    return {"name": name, "nodes": nodes, "sls": [SLS + part for part in sls], "pillar": pillar}


def _last_line(answer):
    lines = str(answer).strip().splitlines() or ["no result"]
    return lines[-1].rstrip(".")
