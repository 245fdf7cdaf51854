"""
Turns of the nodes of a cluster: which node may restart a daemon now, which nodes wait for a turn,
and which nodes an operator holds. Also the metrics of a node's daemons, and what differs from
pillar.

The turns are stored in ZooKeeper, see ``_turn``. The setting ``common:restarts:zookeeper`` has its
servers; ``pillar/topology.sls`` derives it from the topology.
"""

import base64
import contextlib
import hashlib
import importlib
import json
import logging
import os
import re
import tempfile
import time
import zlib
from collections.abc import Mapping
from urllib.parse import urlsplit

import _drift
import _http_client
import _prometheus
import _text
import _turn
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_text)
importlib.reload(_turn)
importlib.reload(_drift)
importlib.reload(_prometheus)
importlib.reload(_http_client)

log = logging.getLogger(__name__)

LEASES_KEY = "cluster.leases"
TURN_CLASSES = (_turn.CONTROL_NODES, _turn.AGENTS)
DEFAULT_TIMEOUT = 3600
MAX_TIMEOUT = 86400
DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?) *(?P<unit>[smhd])")
SECONDS_BY_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LEADER_TIMEOUT = 5
METRICS_TIMEOUT = 5
DRIFT_TIMEOUT = 5
# Component -> the roles that need its package, and the unit of its daemon. Mesos has several.
COMPONENTS = {
    "zookeeper": (("zookeeper",), "zookeeper"),
    "mesos": (("mesos-master", "mesos-slave", "marathon", "chronos"), None),
    "marathon": (("marathon",), "marathon"),
    "chronos": (("chronos",), "chronos"),
}
LIBRARY = "/usr/lib/libmesos.so"
HELD_TIMEOUT = 3
PART_SIZE = 512 * 1024


def turns(zookeeper=None):
    """
    Show which nodes have a turn, which wait for one, which are unready and which are held.

    zookeeper
        The ZooKeeper servers that keep the turns: ``host:port[,host:port]``, or a list. Default:
        the setting ``common:restarts:zookeeper``.

    Returns a mapping:

    * ``control-nodes``, ``agents``: the queue of each class, in its order: a list of ``host``,
      ``state`` (``holds`` or ``waits``), ``since`` (Unix seconds, of that state), ``reason`` and
      ``leads`` (services);
    * ``unready``: nodes whose daemons did not become ready after a restart, by class and host, with
      ``reason`` and ``since``. Each counts as having a turn until its next successful run;
    * ``held``: nodes that an operator holds, by host, with ``reason``, ``since`` and ``expiry``.

    Raises CommandExecutionError if ZooKeeper cannot be reached.

    CLI Example:

    .. code-block:: bash

        salt-call cluster.turns
    """
    queues = _turns(zookeeper)
    status = {turn_class: queues.holders(turn_class) for turn_class in TURN_CLASSES}
    status["unready"] = {turn_class: queues.unready(turn_class) for turn_class in TURN_CLASSES}
    status["held"] = queues.holds()
    return status


def hold(reason, host=None, duration="1h", zookeeper=None):
    """
    Hold a node: no state starts or restarts a daemon there, until it is released.

    reason
        Why, in a few words. The failed states show it.

    host
        The minion id of the node. Default: this node.

    duration
        How long: seconds, or text such as ``30m``, ``2h`` or ``1d``. Default ``1h``.

    zookeeper
        See ``cluster.turns``.

    Replaces an earlier hold. Returns ``host``, ``reason`` and ``expiry`` (Unix seconds). Raises
    SaltInvocationError for invalid arguments, and CommandExecutionError if ZooKeeper cannot be
    reached.

    CLI Example:

    .. code-block:: bash

        salt-call cluster.hold 'the disk is being replaced' duration=2h
        salt-call cluster.hold 'debugging' host=lxcc02.devops.test
    """
    if not isinstance(reason, str) or not reason.strip():
        raise SaltInvocationError(f"reason: {reason!r} should be text, such as disk replacement")
    host = host or __opts__["id"]
    expiry = int(time.time() + _seconds(duration))
    _turns(zookeeper).hold(host, reason, expiry)
    return {"host": host, "reason": reason, "expiry": expiry}


def release(host=None, zookeeper=None):
    """
    Release a node that is held, or remove the record that it is unready.

    host
        The minion id of the node. Default: this node.

    zookeeper
        See ``cluster.turns``.

    Returns ``host``, ``was_held`` and ``was_unready``. Raises CommandExecutionError if ZooKeeper
    cannot be reached.

    CLI Example:

    .. code-block:: bash

        salt-call cluster.release
        salt-call cluster.release lxb003.devops.test
    """
    host = host or __opts__["id"]
    queues = _turns(zookeeper)
    return {
        "host": host,
        "was_held": queues.release_hold(host),
        "was_unready": queues.set_ready(host),
    }


def leads():
    """
    Return which services this node leads: a list of ``zookeeper``, ``mesos``, ``marathon`` and
    ``chronos``.

    Queries the services of the node's roles, at the addresses in pillar. A service that does not
    respond is left out. Never raises an error.

    CLI Example:

    .. code-block:: bash

        salt-call cluster.leads
    """
    roles = __grains__.get("roles") or []
    checks = {
        "zookeeper": ("zookeeper", _leads_zookeeper),
        "mesos-master": ("mesos", _leads_by_url),
        "marathon": ("marathon", _leads_by_url),
        "chronos": ("chronos", _leads_by_url),
    }
    services = []
    for role, (service, is_leader) in checks.items():
        if role not in roles:
            continue
        try:
            if is_leader(service):
                services.append(service)
        except (CommandExecutionError, SaltInvocationError) as error:
            log.debug("%s did not report its leader: %s", service, error)
    return services


def _leads_zookeeper(service):
    myid = _settings(service).get("myid")
    statuses = __salt__["zk.ensemble"](timeout=LEADER_TIMEOUT)
    return statuses.get(myid, {}).get("mode") == "leader"


def _leads_by_url(service):
    """Return whether the leader of a service has an address or the name of this node."""
    url = __salt__[f"{service}.leader"](timeout=LEADER_TIMEOUT, retries=0)["url"]
    return urlsplit(url).hostname in _own_names()


def _cluster_option():
    """Return the argument that names the cluster for an orchestration; empty if it has no name."""
    topology = __pillar__.get("topology")
    name = topology.get("cluster") if isinstance(topology, Mapping) else None
    return f" pillar='{json.dumps({'cluster': name})}'" if name else ""


def _own_names():
    """Return the addresses and names of this node."""
    topology = __pillar__.get("topology")
    topology = topology if isinstance(topology, Mapping) else {}
    names = {topology.get("address"), topology.get("name"), *__grains__.get("ipv4", [])}
    return names | {__grains__.get("fqdn"), __grains__.get("host")}


# --- metrics ---


def metrics(path=None, timeout=METRICS_TIMEOUT, roles=None):
    """
    Return the metrics of this node's daemons in the text format of Prometheus.

    path
        Write them to this file, for the textfile collector of node_exporter, instead of returning
        them. Its name must end with ``.prom``. It is replaced at once, with mode 0644. Default:
        None.

    timeout
        Seconds for each daemon, default 5.

    roles
        Whose daemons to query: a list of ``zookeeper``, ``mesos-master``, ``mesos-slave`` and
        ``marathon``. Others are ignored. Default: the grain ``roles``.

    Queries the Mesos master and agent (``/metrics/snapshot``), Marathon (``/metrics``) and
    ZooKeeper (``mntr``). For each one there is a metric such as
    ``mesos_master_up``: 1 if it responds, otherwise 0, and the log of the minion says why. A
    Marathon that does not lead has no other metrics than ``marathon_up`` and ``marathon_leader``,
    since it would return those of the leader.

    Returns the text, or the path. Raises SaltInvocationError for invalid arguments, and
    CommandExecutionError if the file cannot be written.

    CLI Example:

    .. code-block:: bash

        salt-call cluster.metrics
        salt-call cluster.metrics path=/var/lib/node_exporter/mesos.prom
    """
    if path is not None and not re.fullmatch(r"/.+\.prom", str(path)):
        raise SaltInvocationError(f"path: {path!r} is not an absolute path that ends with .prom")
    families = _prometheus.Families()
    if roles is None:
        roles = __grains__.get("roles") or []
    for role, (name, daemon, add) in METRICS_BY_ROLE.items():
        if role not in roles:
            continue
        is_up = True
        try:
            add(families, timeout)
        except CommandExecutionError as error:
            log.warning("No metrics of %s: %s", daemon, error)
            is_up = False
        families.add(f"{name}_up", int(is_up), "gauge", f"Whether {daemon} responds.")
    text = families.text()
    if path is None:
        return text
    _replace_file(str(path), text)
    return path


def _add_mesos_master(families, timeout):
    _add_mesos(families, "master", _own_url("mesos", "http://127.0.0.1:5050"), timeout)


def _add_mesos_agent(families, timeout):
    _add_mesos(families, "agent", _agent_url(), timeout, _agent_profile())


def _add_mesos(families, daemon, url, timeout, profile=None):
    snapshot = _get("mesos", url, "/metrics/snapshot", timeout, profile).json()
    _prometheus.add_mesos(families, daemon, snapshot)


def _add_marathon(families, timeout):
    url = _own_url("marathon", "http://127.0.0.1:8080")
    response = _get("marathon", url, "/metrics", timeout)
    # A Marathon that does not lead forwards the request to the leader.
    is_leader = "x-marathon-via" not in response.headers
    text = "Whether this Marathon leads."
    families.add("marathon_leader", int(is_leader), "gauge", text)
    if is_leader:
        _prometheus.add_marathon(families, response.json())


def _add_zookeeper(families, timeout):
    _prometheus.add_zookeeper(families, __salt__["zk.metrics"](timeout=timeout))


# Role -> name of its metrics, what it is called in sentences, function.
METRICS_BY_ROLE = {
    "zookeeper": ("zookeeper", "the ZooKeeper server", _add_zookeeper),
    "mesos-master": ("mesos_master", "the Mesos master", _add_mesos_master),
    "mesos-slave": ("mesos_agent", "the Mesos agent", _add_mesos_agent),
    "marathon": ("marathon", "Marathon", _add_marathon),
}


def _get(service, url, path, timeout, profile=None):
    settings = {"timeout": timeout, "connect_timeout": timeout}
    try:
        client = _http_client.Client(service, url, __salt__, __context__, profile, settings)
    except _http_client.HttpError:
        # A zk:// URL in pillar, and no leader. This request needs none.
        settings["url"] = url
        client = _http_client.Client(service, url, __salt__, __context__, profile, settings)
    return client.for_server(url, trusted=True).get(path)


def _own_url(service, default):
    """Return the URL in pillar that is on this node, or a default."""
    names = _own_names()
    for url in _configured_urls(service):
        if urlsplit(url).hostname in names:
            return url
    return default


def _agent_url():
    """Return the URL of the agent on this node. It uses TLS if the masters do."""
    flags = (_settings("mesos").get("slave") or {}).get("flags") or {}
    urls = _configured_urls("mesos")
    scheme = urlsplit(urls[0]).scheme if urls else "http"
    return f"{scheme}://{flags.get('ip') or '127.0.0.1'}:{flags.get('port') or 5051}"


def _agent_profile():
    """Return the profile of connections to agents, None if they are as those to the masters."""
    return "agent_api" if _settings("mesos").get("agent_api") else None


def _settings(service):
    settings = __pillar__.get(service)
    return settings if isinstance(settings, Mapping) else {}


def _configured_urls(service):
    """Return the URLs in pillar; none if that is a zk:// URL, and nobody leads."""
    try:
        return __salt__[f"{service}.connection"]()["urls"]
    except _http_client.HttpError:
        return []


def _replace_file(path, text):
    try:
        descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise CommandExecutionError(f"{path}: {error.strerror}") from None


# --- drift ---


def drift(sls=None, roles=None, timeout=DRIFT_TIMEOUT):
    """
    Compare what runs on this node, or in the cluster, with what pillar declares.

    sls
        Compare only the states of these SLS: a name or a list. ``mesos.policy``, ``marathon.apps``
        and ``chronos.jobs`` compare quotas and weights, groups and apps, and jobs of the cluster.
        Default: all states of this node.

    roles
        Whose daemons to query: a list of ``zookeeper``, ``mesos-master``, ``mesos-slave``,
        ``marathon`` and ``docker``. Others are ignored. Default: the grain ``roles``; none if
        ``sls`` is not None.

    timeout
        Seconds for each request to a daemon, default 5.

    Compares

    * with the states (``state.apply test=True``): files, installed versions, and whether daemons
      run, and run with the files and packages as they are now;
    * the flags of the Mesos master and agent (``/flags``) with their files;
    * those options of the leading Marathon (``/v2/info``), ZooKeeper (``conf``) and dockerd
      (``docker info``) that they report with their files;
    * the versions of Mesos, the leading Marathon, ZooKeeper and dockerd with those of their
      packages. Chronos reports neither its version nor its options.

    Returns a mapping:

    * ``drift``: a list of differences: ``service``, ``what`` (such as ``flag quorum``), ``runs``,
      ``declared`` and ``next`` (the command that repairs it). Values that may be secret are
      ``differs``;
    * ``notes``: what runs in the cluster and is not declared;
    * ``errors``: what could not be compared, sentences.

    Changes nothing, and raises no error.

    CLI Example:

    .. code-block:: bash

        salt-call cluster.drift
        salt-call cluster.drift sls=marathon.apps
    """
    names = [sls] if isinstance(sls, str) else sls or []
    if roles is None:
        roles = [] if names else __grains__.get("roles") or []
    errors = []
    states = _drift.StateResults(_test_states(names, errors))
    errors += states.errors()
    differences = states.differences(__salt__["pkg.version"])
    running_differences = _compare_daemons(states, roles, timeout, errors)
    return {
        "drift": _with_next_step(differences, running_differences, names, states),
        "notes": _undeclared(names, timeout, errors),
        "errors": errors,
    }


def _test_states(names, errors):
    """Return the results of a test run by tag; none if the states cannot be rendered."""
    try:
        results = __salt__["state.apply"](names or None, test=True)
    except (CommandExecutionError, SaltInvocationError) as error:
        results = str(error)
    if isinstance(results, Mapping):
        return results
    lines = [results] if isinstance(results, str) else map(str, results or [])
    text = _text.shorten(" ".join(" ".join(lines).split()))
    errors.append(f"The states cannot be compared: {text}")
    return {}


def _compare_daemons(states, roles, timeout, errors):
    """Return what the daemons of these roles run with, and their files do not say."""
    differences = []
    for role, (daemon, compare) in COMPARISONS_BY_ROLE.items():
        if role not in roles:
            continue
        try:
            differences += compare(states, timeout)
        except (CommandExecutionError, SaltInvocationError, OSError) as error:
            errors.append(f"{daemon} cannot be compared: {error}")
    return differences


def _compare_mesos_master(states, timeout):
    url = _own_url("mesos", "http://127.0.0.1:5050")
    return _compare_mesos("mesos-master", url, states, timeout)


def _compare_mesos_agent(states, timeout):
    return _compare_mesos("mesos-slave", _agent_url(), states, timeout, _agent_profile())


def _compare_mesos(role, url, states, timeout, profile=None):
    differences = []
    directory = states.name(f"{role}-flags")
    if directory:
        flags = _drift.flags_on_disk(directory)
        running_flags = _get("mesos", url, "/flags", timeout, profile).json().get("flags") or {}
        differences += _drift.compare_flags(role, flags, running_flags, _flag_aliases(role))
    version = _get("mesos", url, "/version", timeout, profile).json().get("version")
    return differences + _compare_version(role, version, "mesos-package", states)


def _flag_aliases(role):
    """Return the old names of the flags of Mesos, each with its new name."""
    flags = __salt__["slsutil.renderer"]("salt://mesos/flags.py", version="0")
    return flags[role.partition("-")[2]]["aliases"]


def _compare_marathon(states, timeout):
    url = _own_url("marathon", "http://127.0.0.1:8080")
    response = _get("marathon", url, "/v2/info", timeout)
    if "x-marathon-via" in response.headers:
        # The leader's answer. The other servers do not reveal their version.
        return []
    info = response.json()
    options = _drift.marathon_options_on_disk(
        states.name("marathon-flags"), states.name("marathon-environment")
    )
    differences = _drift.compare_marathon(options, info)
    return differences + _compare_version(
        "marathon", info.get("version"), "marathon-package", states
    )


def _compare_zookeeper(states, timeout):
    differences = []
    file = states.name("zookeeper-config")
    if file:
        options = _drift.zookeeper_options_on_disk(file)
        differences += _drift.compare_zookeeper(options, __salt__["zk.options"](timeout=timeout))
    version = __salt__["zk.metrics"](timeout=timeout).get("version")
    return differences + _compare_version("zookeeper", version, "zookeeper-package", states)


def _compare_docker(states, timeout):
    command = ["docker", "info", "--format", "{{json .}}"]
    outcome = __salt__["cmd.run_all"](
        command, python_shell=False, ignore_retcode=True, timeout=timeout
    )
    info = {}
    with contextlib.suppress(ValueError):
        info = json.loads(outcome["stdout"])
    # Without a dockerd, newer clients print what they know of themselves, and exit with 0.
    if outcome["retcode"] or not info.get("ServerVersion"):
        error = _text.first_line(outcome["stderr"] or str(info.get("ServerErrors")))
        raise CommandExecutionError(error)
    differences = []
    file = states.name("docker-config")
    if file:
        differences += _drift.compare_docker(_read_json(file), info)
    return differences + _compare_version("docker", info["ServerVersion"], "docker-package", states)


def _read_json(path):
    with open(path, encoding="utf-8") as file:
        try:
            return json.load(file)
        except ValueError:
            raise CommandExecutionError(f"{path}: is not JSON") from None


def _compare_version(service, version, package_state, states):
    package = states.name(package_state)
    installed = __salt__["pkg.version"](package) if package else None
    return _drift.compare_version(service, version, installed)


# Role -> what its daemon is called in sentences, function.
COMPARISONS_BY_ROLE = {
    "zookeeper": ("The ZooKeeper server", _compare_zookeeper),
    "mesos-master": ("The Mesos master", _compare_mesos_master),
    "mesos-slave": ("The Mesos agent", _compare_mesos_agent),
    "marathon": ("Marathon", _compare_marathon),
    "docker": ("dockerd", _compare_docker),
}


def _with_next_step(differences, running_differences, names, states):
    """Return all differences, each with the command that repairs it."""
    apply = f"salt '{__opts__['id']}' state.apply"
    if set(names) & set(CLUSTER_SLS):
        apply = f"salt-run state.orchestrate orchestration.apps{_cluster_option()}"
    pending_services = {difference["service"] for difference in differences}
    steps = []
    for difference in _drift.merge(differences, running_differences):
        service = difference["service"]
        unit = states.name(f"{service}-service")
        step = apply
        if unit and service not in pending_services:
            # Its files are as declared, so no state restarts it.
            step = f"salt '{__opts__['id']}' service.restart {unit}"
        steps.append({**difference, "next": step})
    return steps


# --- what is not declared ---


def _undeclared(names, timeout, errors):
    """Return notes about what the cluster has, and pillar does not declare."""
    notes = []
    for name in names:
        if name not in CLUSTER_SLS:
            continue
        for subject, list_names in CLUSTER_SLS[name].items():
            try:
                undeclared = list_names(timeout)
            except (CommandExecutionError, SaltInvocationError) as error:
                errors.append(f"{subject} cannot be listed: {error}")
                continue
            if undeclared:
                listed = ", ".join(_text.shorten_list(undeclared))
                notes.append(f"{subject} that pillar does not declare: {listed}")
    return notes


def _undeclared_apps(timeout):
    settings = _settings("marathon")
    declared_ids = {_absolute(name) for name in settings.get("apps") or {}}
    groups = tuple(_absolute(name) for name in settings.get("groups") or {})
    ids = [app["id"] for app in __salt__["marathon.apps"](timeout=timeout)]
    return [
        app_id
        for app_id in ids
        if app_id not in declared_ids
        and not any(app_id.startswith(f"{group.rstrip('/')}/") for group in groups)
    ]


def _absolute(app_id):
    return "/" + str(app_id).strip("/")


def _undeclared_jobs(timeout):
    declared_names = _settings("chronos").get("jobs") or {}
    return [
        name for name in __salt__["chronos.jobs"](timeout=timeout) if name not in declared_names
    ]


def _undeclared_quotas(timeout):
    declared_roles = _settings("mesos").get("quotas") or {}
    return [
        role for role in __salt__["mesos.quotas"](timeout=timeout) if role not in declared_roles
    ]


def _undeclared_weights(timeout):
    declared_roles = _settings("mesos").get("weights") or {}
    weights = __salt__["mesos.weights"](timeout=timeout)
    # A weight cannot be removed. 1 is that of a role without one.
    return [role for role in weights if role not in declared_roles and weights[role] != 1]


# SLS that are applied once for a cluster -> what they bring to it, function that lists what else
# the cluster has.
CLUSTER_SLS = {
    "mesos.policy": {"Quotas": _undeclared_quotas, "Weights": _undeclared_weights},
    "marathon.apps": {"Apps": _undeclared_apps},
    "chronos.jobs": {"Jobs": _undeclared_jobs},
}


# --- versions ---


def versions():
    """
    Return which versions of ZooKeeper, Mesos, Marathon and Chronos this node has, and which pillar
    declares. The runner ``cluster.upgrade_plan`` calls it. Changes nothing.

    Returns a mapping:

    * ``components``: a mapping of ``zookeeper``, ``mesos``, ``marathon`` and ``chronos``, as far as
      the node needs them, to ``installed`` (version of the package, None without one), ``declared``
      (None: any), ``has_declared``, ``runs`` (whether its daemon runs; not of Mesos) and
      ``library_newer`` (whether libmesos is newer than the daemon; only of Marathon and Chronos);
    * ``leads``: the services that this node leads, see ``cluster.leads``;
    * ``marathon_leader``: ``version`` of the leading Marathon, and ``has_new_store``: whether it
      leaves the same store as the declared one. None if the node has no Marathon, or nobody leads;
    * ``errors``: errors in the settings, and upgrades that are not possible, sentences.

    Raises CommandExecutionError if the formulas cannot be read.

    CLI Example:

    .. code-block:: bash

        salt-call cluster.versions
    """
    tree = __salt__["slsutil.renderer"]("salt://common/tree.py")
    errors = tree.run("common/validation.py")
    if errors:
        return {"components": {}, "leads": [], "marathon_leader": None, "errors": errors}
    roles = tree.node["roles"]
    components = {
        component: _component(tree, component, unit)
        for component, (component_roles, unit) in COMPONENTS.items()
        if set(component_roles) & set(roles)
    }
    return {
        "components": components,
        "leads": leads(),
        "marathon_leader": _marathon_leader(tree) if "marathon" in components else None,
        "errors": _step_errors(tree, components),
    }


def _component(tree, component, unit):
    """Return the versions of a component, and the status of its daemon."""
    package, declared = _declared_package(tree, component)
    installed = __salt__["pkg.version"](package) or None
    status = {
        "installed": installed,
        "declared": declared,
        "has_declared": declared is None or _is_version(installed or "", declared),
    }
    if unit:
        status["runs"] = __salt__["service.status"](unit)
    if component in ("marathon", "chronos"):
        status["library_newer"] = status["runs"] and _is_library_newer(unit)
    return status


def _declared_package(tree, component):
    """Return the name of a package and its declared version, None for any."""
    settings = _merged_settings(tree, component)
    package = settings["package"] if component == "zookeeper" else component
    if settings["version"] in (None, "installed"):
        return package, None
    return package, "-".join(str(settings[key]) for key in ("version", "release") if settings[key])


def _merged_settings(tree, formula):
    """Return the settings of a formula. The function pillar.get of Salt 3008 would hide values."""
    pillar = _settings(formula)
    return tree.run("common/settings.py", formula=formula, overrides=pillar)


def _is_version(installed, declared):
    """Return whether an installed ``[epoch:]version-release`` is a version, with or without it."""
    return f"{installed.rpartition(':')[2]}-".startswith(f"{declared}-")


def _is_library_newer(unit):
    """Return whether libmesos was installed after a daemon was started."""
    command = ["systemctl", "show", unit, "--property=ExecMainStartTimestampMonotonic", "--value"]
    started = __salt__["cmd.run_stdout"](command, python_shell=False).strip()
    uptime = time.monotonic() - int(started or 0) / 1e6
    try:
        return os.stat(LIBRARY).st_ctime > time.time() - uptime
    except OSError:
        return False


def _step_errors(tree, components):
    """Return why the installed versions cannot be replaced by the declared ones."""
    results = []
    for component, status in components.items():
        if status["has_declared"] or not status["installed"]:
            continue
        settings = _merged_settings(tree, component)
        version = str(settings["version"])
        if _numbers(version) < _numbers(status["installed"]):
            results.append(
                f"{component}:version = {version} on {__grains__['id']}: {status['installed']} is "
                "installed. An upgrade does not go back."
            )
        elif component == "marathon":
            step = tree.run("marathon/steps.py", version=version)
            # The orchestration makes sure that no other Marathon gets the lead.
            results.append(_state("marathon.step_allowed", version, orchestrated=True, **step))
        elif component == "zookeeper":
            results.append(_zookeeper_step(tree, settings, version))
    return [result for result in results if result]


def _zookeeper_step(tree, settings, version):
    step = tree.run("zookeeper/steps.py", version=version)
    trust = settings["options"].get("snapshot.trust.empty")
    return _state(
        "zk.step_allowed",
        version,
        package=settings["package"],
        data_dir=settings["data_dir"],
        data_log_dir=settings["data_log_dir"],
        trust=str(trust).lower() == "true",
        **step,
    )


def _state(function, name, **arguments):
    """Return the comment of a state that fails in a test run, None if it does not."""
    results = __salt__["state.single"](function, name=name, test=True, **arguments)
    if not isinstance(results, Mapping):
        return " ".join(str(line) for line in results)
    [result] = results.values()
    return result["comment"] if result["result"] is False else None


def _marathon_leader(tree):
    """Return what is known of the leading Marathon, None without one."""
    try:
        version = __salt__["marathon.info"](timeout=LEADER_TIMEOUT, retries=0)["version"]
    except CommandExecutionError:
        return None
    _, declared = _declared_package(tree, "marathon")
    if declared is None:
        return {"version": version, "has_new_store": True}
    step = tree.run("marathon/steps.py", version=declared.partition("-")[0])
    has_new_store = _numbers(version) >= _numbers(step["same_store"])
    return {"version": version, "has_new_store": has_new_store}


def _numbers(version):
    """Return ``1.4.13-1.0.678.el7`` as [1, 4, 13], to compare it."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return [int(number) for number in match[1].split(".")] if match else []


# --- for the runner cluster.backup ---


def part(function, arguments=None, offset=0):
    """
    Return a part of the result of an execution function, for the runner ``cluster.backup``.

    Salt cuts answers of more than 1 MiB, so the result is compressed and sent in parts of 512 KiB.

    function
        Name of the function, such as ``marathon.export``. It should only read.

    arguments
        Its arguments, a mapping. Default: none.

    offset
        Number of characters that precede this part, default 0.

    Returns ``text``, the part of the result as JSON, compressed by zlib, in base64; ``length``, the
    number of characters in all parts; and ``sha256``, the checksum of the JSON, by which the caller
    sees that the result has changed between two parts. Raises SaltInvocationError for an unknown
    function, and what the function raises.

    CLI Example:

    .. code-block:: bash

        salt-call cluster.part zk.ensemble
    """
    if function not in __salt__:
        raise SaltInvocationError(f"function: {function!r} should be an execution function")
    result = __salt__[function](**(arguments or {}))
    document = json.dumps(result, sort_keys=True).encode()
    text = base64.b64encode(zlib.compress(document)).decode()
    return {
        "text": text[offset : offset + PART_SIZE],
        "length": len(text),
        "sha256": hashlib.sha256(document).hexdigest(),
    }


# --- for the states daemon.* ---


def take_turn(reason, turn_class, limit=1, timeout=DEFAULT_TIMEOUT, zookeeper=None):
    """
    Wait for a turn of this node, for the rest of this run of states. ``daemon.running`` calls it.

    reason
        What the turn is for. Other nodes show it while they wait.

    turn_class
        ``control-nodes`` or ``agents``.

    limit
        How many nodes of the class may have a turn at the same time, 1 or more. Default 1.

    timeout
        Seconds to wait, default 3600.

    zookeeper
        See ``cluster.turns``.

    From then on the node counts as unready, until ``cluster.return_turn``. Returns ``waited``
    (seconds) and ``waited_for`` (hosts). If this run has this turn already, ``waited`` is 0. Raises
    CommandExecutionError if the turn does not come, if the node is held, or if ZooKeeper cannot be
    reached.

    CLI Example:

    .. code-block:: bash

        salt-call cluster.take_turn 'a restart by hand' agents
        salt-call cluster.return_turn ready=True

    Return a turn that was taken by hand: until then, no other node of the class gets one.
    """
    leases = __context__.setdefault(LEASES_KEY, {})
    lease = leases.get(turn_class)
    if lease is None:
        queues = _turns(zookeeper)
        find_leads = leads if turn_class == _turn.CONTROL_NODES else ()
        lease = queues.acquire(turn_class, limit, reason, timeout, find_leads, _report_waiting)
        leases[turn_class] = lease
        lease.set_unready(reason)
        return {"waited": round(lease.waited), "waited_for": lease.waited_for}
    if lease.lost():
        raise CommandExecutionError(
            f"{turn_class}: the turn of {__opts__['id']} is lost, so another node may have it. "
            "Apply the states again"
        )
    return {"waited": 0, "waited_for": []}


def return_turn(ready, zookeeper=None):
    """
    Give back the turns that this run has, if it has any. ``daemon.turn_returned`` calls it.

    ready
        Whether all daemons that were restarted are ready. False: the node stays unready, and counts
        as a node that has a turn.

    zookeeper
        See ``cluster.turns``.

    Returns whether the run had a turn. Raises CommandExecutionError if ZooKeeper cannot be reached.

    CLI Example:

    .. code-block:: bash

        salt-call cluster.return_turn ready=True
    """
    leases = __context__.pop(LEASES_KEY, {})
    try:
        if ready:
            _turns(zookeeper).set_ready(__opts__["id"])
    finally:
        for lease in leases.values():
            lease.release()
    return bool(leases)


def held(zookeeper=None):
    """
    Return why this node is held: ``reason``, ``since`` and ``expiry``, or None if it is not.

    zookeeper
        See ``cluster.turns``.

    Raises CommandExecutionError if ZooKeeper cannot be reached.

    CLI Example:

    .. code-block:: bash

        salt-call cluster.held
    """
    return _turns(zookeeper, HELD_TIMEOUT).holds().get(__opts__["id"])


def _report_waiting(waited, holders):
    """Tell the log and the event bus that this node waits; the output of a run comes at its end."""
    hosts = [entry["host"] for entry in holders if entry["state"] == "holds"]
    holder_names = ", ".join(hosts)
    log.warning("Waiting for a turn, %d seconds so far. Current holders: %s", waited, holder_names)
    data = {"waited": round(waited), "holders": hosts}
    __salt__["event.send"]("salt-mesos/turn/waiting", data)


def _turns(zookeeper, connect_timeout=_turn.CONNECT_TIMEOUT):
    if zookeeper is None:
        restarts = (__pillar__.get("common") or {}).get("restarts") or {}
        zookeeper = restarts.get("zookeeper")
    if not zookeeper:
        raise SaltInvocationError(
            "zookeeper: the turns of a cluster are in ZooKeeper. Name its servers, or set "
            "common:restarts:zookeeper"
        )
    return _turn.Turns(zookeeper, __opts__["id"], connect_timeout=connect_timeout)


def _seconds(duration):
    if isinstance(duration, (int, float)) and not isinstance(duration, bool):
        seconds = duration
    else:
        match = DURATION.fullmatch(str(duration).strip())
        seconds = float(match["number"]) * SECONDS_BY_UNIT[match["unit"]] if match else 0
    if not 0 < seconds <= 365 * SECONDS_BY_UNIT["d"]:
        raise SaltInvocationError(
            f"duration: {duration!r} should be seconds, or text such as 30m, 2h or 1d; a year at "
            "most"
        )
    return seconds
