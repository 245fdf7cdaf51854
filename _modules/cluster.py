"""
Turns of the nodes of a cluster: which node may restart a daemon now, which nodes wait for a turn,
and which nodes an operator holds. Also the metrics of a node's daemons.

The turns are stored in ZooKeeper, see ``_turn``. The setting ``common:restarts:zookeeper`` has its
servers; ``pillar/topology.sls`` derives it from the topology.
"""

import importlib
import logging
import os
import re
import tempfile
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import _http_client
import _prometheus
import _turn
from salt.exceptions import CommandExecutionError, SaltInvocationError

# After a sync Salt still has the old helpers in sys.modules.
importlib.reload(_turn)
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
HELD_TIMEOUT = 3


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
    settings = __pillar__.get(service)
    myid = settings.get("myid") if isinstance(settings, Mapping) else None
    statuses = __salt__["zk.ensemble"](timeout=LEADER_TIMEOUT)
    return statuses.get(myid, {}).get("mode") == "leader"


def _leads_by_url(service):
    """Return whether the leader of a service has an address or the name of this node."""
    url = __salt__[f"{service}.leader"](timeout=LEADER_TIMEOUT, retries=0)["url"]
    return urlsplit(url).hostname in _own_names()


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
    mesos = __pillar__.get("mesos")
    mesos = mesos if isinstance(mesos, Mapping) else {}
    flags = (mesos.get("slave") or {}).get("flags") or {}
    # The agents have no URL in pillar. They use TLS if the masters do.
    urls = _configured_urls("mesos")
    scheme = urlsplit(urls[0]).scheme if urls else "http"
    url = f"{scheme}://{flags.get('ip') or '127.0.0.1'}:{flags.get('port') or 5051}"
    _add_mesos(families, "agent", url, timeout)


def _add_mesos(families, daemon, url, timeout):
    snapshot = _get("mesos", url, "/metrics/snapshot", timeout).json()
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


def _get(service, url, path, timeout):
    settings = {"timeout": timeout, "connect_timeout": timeout}
    try:
        client = _http_client.Client(service, url, __salt__, __context__, None, settings)
    except _http_client.HttpError:
        # A zk:// URL in pillar, and no leader. This request needs none.
        settings["url"] = url
        client = _http_client.Client(service, url, __salt__, __context__, None, settings)
    return client.for_server(url, trusted=True).get(path)


def _own_url(service, default):
    """Return the URL in pillar that is on this node, or a default."""
    names = _own_names()
    for url in _configured_urls(service):
        if urlsplit(url).hostname in names:
            return url
    return default


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


# --- for the states of daemon ---


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
