"""
States for Mesos.

``mesos.flags_managed`` manages the directory that a daemon reads its flags from: one file for each
flag. ``mesos.leader_available`` and ``mesos.agents_registered`` are readiness checks: they wait for
the cluster and change nothing. ``mesos.master_log_stays`` protects the log of the masters.

All other states are about the cluster: quotas, weights, maintenance, agents and frameworks. Apply
them on one minion, no matter which. They report the differences as
``{path: {"old": ..., "new": ...}}``, with paths such as ``/limits/cpus``. With ``test=True`` they
report the same and change nothing.
"""

import datetime
import importlib
import re
import time
from collections.abc import Mapping
from pathlib import Path

import _agent_identity
import _agents_out_of_service
import _declared
import _flag_directory
import _ready
import salt.utils.data
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_declared)
importlib.reload(_ready)
importlib.reload(_flag_directory)
importlib.reload(_agent_identity)
importlib.reload(_agents_out_of_service)

DRAIN_POLL_INTERVAL = 0.5  # seconds
MIN_DRAIN_TIMEOUT = 1
MAX_DRAIN_TIMEOUT = 86400
MAX_TASKS_IN_COMMENT = 10
NANOSECONDS = 10**9
# The mode of a machine after each of these states.
MACHINE_MODES = {
    "maintenance_scheduled": "DRAINING",
    "machine_down": "DOWN",
    "machine_up": "UP",
    "maintenance_cancelled": "UP",
}
ACTIVE_TASK_STATES = ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")
# The fields of a framework that do not change while it is running.
FRAMEWORK_FIELDS = ("id", "name", "user", "roles", "hostname", "webui_url", "principal")
GRACE_PERIOD = re.compile(r"(\d+(\.\d+)?[smhdw])+")
REQUEST_TIMEOUT = 5  # seconds
SINGLE_LOG = (
    "No master would lead: the replicated log of a single master cannot grow. Nothing was changed. "
    "Follow docs/operate.md, Grow from one control node to three, from the step that stops "
    "mesos-master."
)
MACHINES_EXPECTED = "a host name, or a list of host names or of {hostname, ip}"


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
    Manage a directory of flag files: one file for each flag, and nothing else.

    Examples are ``/etc/mesos-master``, and the ``conf`` directories of Chronos and of Marathon up
    to 1.4. The daemons take each file in it for a flag: ``quorum.rpmnew`` or ``quorum~`` keeps a
    master from starting. Therefore every other file and subdirectory is removed, except for names
    that begin with a dot, which the daemons ignore. Files are replaced atomically, and only if
    they differ.

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
        Absolute path of the directory. It is created if it is missing and there are flags.

    flags
        Mapping of names to values. Default: no flags. Booleans are written as ``true`` and
        ``false``, mappings and lists as JSON; ``null`` means no flag. ``?name`` is a flag without a
        value, present if it is ``true``. If ``attributes`` or ``resources`` is a mapping, it
        becomes a directory with a file for each entry. In it, a list of numbers is written as a
        Mesos range (``[31000-32000]``), any other list as a set (``{a,b}``).

    secrets
        Mapping of more flags, whose values are not reported; or, better, the pillar key of such a
        mapping (``mesos:slave:secrets``), which keeps the values out of the arguments of the state.
        Only the owner can read their files. They end without a newline, which some programs would
        take for a part of the secret. Default: no secrets.

    environment
        List of the environment variables of the daemon, default none. Variables such as ``LOGS``,
        ``PORT`` and ``MESOS_QUORUM`` set flags as well, and a daemon does not start if a flag is
        set twice.

    aliases
        Mapping of old names of flags to new ones, to detect a flag that is set under both. Default:
        no aliases.

    user, group
        Owner and group of the directory and its files, text. Default None: they do not change, and
        new files belong to the user that runs Salt.

    mode, dir_mode
        Permissions of files and directories, text in quotes. Default ``'0644'`` and ``'0755'``.
        Files of ``secrets`` always have ``'0600'``.

    Fails, before it changes anything, for invalid names and values, and if a flag is set twice.
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


# --- readiness checks ---


def master_log_stays(
    name, record, quorum, url=None, log_lost=(), timeout=120, member=None, flags=None
):
    """
    Fail if this master has lost its replicated log, would start one among masters with a lower
    quorum, or would get a higher quorum than there are logs. Changes nothing.

    A master without a log waits for the others to have one, or for all of them to have none: then
    they begin a new one, without quotas, weights, maintenance and the list of agents. A majority of
    masters without a log has no leader. So a master that runs alone, with a quorum of 1, is refused
    at once if it is to become one of several, and so are the others.

    .. code-block:: yaml

        mesos-master-log-stays:
          mesos.master_log_stays:
            - name: /var/lib/mesos
            - record: /etc/mesos/master-record
            - quorum: 2
            - member: http://10.0.0.1:5050
            - flags: /etc/mesos-master

    name
        The work directory of the master. Its log is in ``replicated_log``. Another directory whose
        name begins so, such as ``replicated_log.old``, is a log that was moved away on purpose.

    record
        Path of a file that exists if the master was started on this host before, on another disk
        than the log.

    quorum
        The flag ``quorum``, a number.

    url
        URLs of all masters. Default: as for ``mesos.connection``.

    log_lost
        Minion ids of the masters whose logs are lost for good. Such a master may begin without, as
        soon as a quorum of the others has recovered theirs: it copies that. Default: none.

    timeout
        Seconds to wait for the other masters, default 120. 0 means to check once.

    member
        URL of this master. A higher quorum than the one that it runs with is refused until so many
        masters have recovered their logs. Default None: its quorum is not queried.

    flags
        The directory of its flags, which has the quorum of a master that is stopped. Default: None.
    """
    ret = {"name": name, "result": True, "changes": {}, "comment": ""}
    minion_id = __opts__["id"]
    if list(Path(name).glob("replicated_log/*")):
        return _quorum_rises(ret, quorum, url, member, flags, timeout)
    if not isinstance(log_lost, (list, tuple)):
        return {**ret, "result": False, "comment": "log_lost: should be a list of minion ids"}
    is_lost = Path(record).exists() and not list(Path(name).glob("replicated_log?*"))
    if is_lost and minion_id not in log_lost:
        comment = (
            f"A master has run on {minion_id} before, but {name} has no replicated_log. Is its "
            "disk mounted? Nothing was changed. Mount it and apply the states again. If the log is "
            f"lost for good, add {minion_id} to pillar mesos:master:log_lost."
        )
        return {**ret, "result": False, "comment": comment}
    if quorum == 1:
        return {**ret, "comment": "This master starts with an empty log"}

    def check(request_timeout):
        options = {"url": url, "timeout": request_timeout, "retries": 0}
        if is_lost:
            return _have_log(__salt__["mesos.masters"](**options), quorum)
        return _no_lower_quorum(__salt__["mesos.quorums"](**options), quorum)

    subject = "masters with a log" if is_lost else f"masters with a quorum of {quorum}"
    return _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])


def _quorum_rises(ret, quorum, url, member, flags, timeout):
    """Return the result for a master that has its log: whether the quorum may be that high."""
    try:
        current = _current_quorum(member, flags) if quorum > 1 else None
    except (CommandExecutionError, SaltInvocationError) as error:
        return {**ret, "result": False, "comment": str(error)}
    if current is None or current >= quorum:
        return {**ret, "comment": "This master has its log"}

    def check(request_timeout):
        options = {"url": url, "timeout": request_timeout, "retries": 0}
        is_ready, comment = _have_log(__salt__["mesos.masters"](**options), quorum)
        if current == 1 and not is_ready:
            raise SaltInvocationError(
                f"The master on {__opts__['id']} has a quorum of 1, and would get {quorum}. "
                f"{SINGLE_LOG} {comment}"
            )
        return is_ready, comment

    subject = f"masters with a log, to change the quorum from {current} to {quorum}"
    return _ready.wait_until_ready(ret["name"], subject, check, timeout, __opts__["test"])


def _current_quorum(member, flags):
    """Return the quorum that a master runs with, or else starts with. None: neither is known."""
    current = None
    if member is not None:
        options = {"url": member, "timeout": REQUEST_TIMEOUT, "retries": 0}
        current = __salt__["mesos.quorums"](**options).get(member)
    if current is None and flags is not None:
        try:
            current = int(Path(flags, "quorum").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
    return current


def _have_log(masters, quorum):
    """Return whether a quorum of masters has recovered its log, and a comment."""
    recovered = [master["url"] for master in masters if master["log_recovered"]]
    comment = f"Masters that have recovered their log: {len(recovered)}, the quorum is {quorum}"
    return len(recovered) >= quorum, comment


def _no_lower_quorum(quorums, quorum):
    """Return whether no master runs with a lower quorum, and a comment."""
    lower = {url: value for url, value in quorums.items() if value is not None and value < quorum}
    if not lower:
        return True, f"No master runs with a quorum below {quorum}"
    single = [url for url, value in sorted(lower.items()) if value == 1]
    if single:
        raise SaltInvocationError(
            f"{', '.join(single)} runs with a quorum of 1, and the master on {__opts__['id']} "
            f"would start with {quorum}. {SINGLE_LOG}"
        )
    running = ", ".join(f"{url} with {value}" for url, value in sorted(lower.items()))
    return False, (
        f"Two masters could lead at the same time, since these have a quorum below {quorum}: "
        f"{running}. Apply the states there first"
    )


def leader_available(name, url=None, member=None, timeout=120):
    """
    Wait until the masters have a leader that has recovered its registry. Changes nothing.

    .. code-block:: yaml

        mesos-leader:
          mesos.leader_available:
            - url: [http://10.0.0.1:5050, http://10.0.0.2:5050, http://10.0.0.3:5050]
            - timeout: 120

    name
        Any text.

    url
        URLs of the masters, as a list or separated by commas. Default: the setting ``mesos:url``,
        otherwise ``http://127.0.0.1:5050``. With ``member`` it must name all masters.

    member
        URL of one master, to check each master in turn after it was started. Default None. This
        master must be healthy, and:

        * As long as at most half of the masters in ``url`` are healthy, nothing else is required.
          So the first of three masters does not wait for the others, which are started later.
        * Nothing else is required either if some masters are not healthy and all healthy ones
          report that their log has not recovered. The log is new then, and is initialized when all
          masters are running, so the last one waits for the leader.
        * Otherwise the master must know a leader that has recovered, and its own replica of the log
          must have recovered. Otherwise, restarting the next master could lose the majority of the
          replicas.

    timeout
        Seconds to wait, default 120. 0 means to check once.

    Fails with the latest error of each master.
    """
    masters = __salt__["mesos.masters"]
    leader = __salt__["mesos.leader"]
    if member is not None and not (isinstance(member, str) and member):
        comment = "member: should be the URL of one master"
        return {"name": name, "result": False, "changes": {}, "comment": comment}

    def check(request_timeout):
        options = {"timeout": request_timeout, "retries": 0}
        status = None
        if member is not None:
            status = masters(url=member, **options)[0]
            if not status["healthy"]:
                return False, status["error"]
            reason = _reason_for_no_leader(masters(url=url, **options))
            if reason:
                return True, f"{status['url']} is healthy. {reason}"
        elected = leader(url=url if member is None else member, **options)
        if not elected["recovered"]:
            error = elected["error"]
            return False, f"{elected['url']} is elected, but not known to have recovered: {error}"
        if status is not None and status["log_recovered"] is False:
            return False, f"{status['url']} has not caught up with the replicated log yet"
        return True, f"{elected['url']} leads and has recovered"

    subject = "a leader that has recovered"
    if member is not None:
        subject += f", according to {member}"
    return _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])


def _reason_for_no_leader(masters):
    """Return why there cannot be a leader yet, None if there should be one."""
    healthy = [master for master in masters if master["healthy"]]
    if len(healthy) * 2 <= len(masters):
        return f"Healthy masters: {len(healthy)} of {len(masters)}, too few to elect a leader"
    # If a master does not report whether its log has recovered (None), the log may be in use.
    is_new = all(master["log_recovered"] is False for master in healthy)
    if is_new and len(healthy) < len(masters):
        return (
            f"The replicated log is new and will be initialized when all {len(masters)} masters "
            f"are running. {len(healthy)} are healthy"
        )
    return None


def quorum_without_member(name, member, quorum, url=None, timeout=120):
    """
    Wait until the masters would keep their quorum without one of them. Changes nothing.

    .. code-block:: yaml

        the-others-have-a-quorum:
          mesos.quorum_without_member:
            - member: http://10.0.0.1:5050
            - quorum: 2
            - url: [http://10.0.0.1:5050, http://10.0.0.2:5050, http://10.0.0.3:5050]

    name
        Any text.

    member
        URL of the master that is about to be restarted. One that runs alone, with a quorum of 1,
        cannot become one of several by a restart, see ``mesos.master_log_stays``.

    quorum
        The flag ``quorum`` of the masters. That many others have to be healthy, with a replica of
        the log that has recovered. While masters are added, the member still runs with a lower
        quorum, and that many are enough: the new masters wait until the old ones have the higher
        one.

    url
        URLs of all masters, as a list or separated by commas. Default: the setting ``mesos:url``.

    timeout
        Seconds to wait, default 120. 0 means to check once.

    Fails with the latest error of each master.
    """

    def check(request_timeout):
        options = {"timeout": request_timeout, "retries": 0}
        statuses = __salt__["mesos.masters"](url=url, **options)
        peers = [status for status in statuses if status["url"] != member]
        spare = [status for status in peers if _is_recovered(status)]
        current_quorum = __salt__["mesos.quorums"](url=member, **options).get(member) or quorum
        comment = "\n".join(_describe_master(status) for status in statuses)
        return len(spare) >= min(quorum, current_quorum), comment

    subject = f"{quorum} masters with a recovered log, besides {member}"
    return _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])


def _is_recovered(master):
    return master["healthy"] and master["log_recovered"] is not False


def _describe_master(master):
    if not master["healthy"]:
        return f"{master['url']}: {master['error']}"
    if not _is_recovered(master):
        return f"{master['url']}: healthy, but its log has not recovered"
    return f"{master['url']}: healthy"


def masters_know_credentials(name, url=None, timeout=0):
    """
    Fail if a master would refuse a daemon because it begins to send credentials. Changes nothing.

    A master without the flag ``credentials`` refuses every agent and framework that sends some, and
    these exit.

    .. code-block:: yaml

        mesos-slave-masters-know-credentials:
          mesos.masters_know_credentials:
            - name: mesos:slave:secrets:credential
            - timeout: 120

    name
        The setting with the credential that is about to be used, for messages.

    url
        URLs of all masters. Default: as for ``mesos.connection``. A master that does not respond
        refuses nobody.

    timeout
        Seconds to wait until all masters have credentials, default 0: check once.
    """

    def check(request_timeout):
        options = {"url": url, "timeout": request_timeout, "retries": 0}
        urls = __salt__["mesos.masters_without_credentials"](**options)
        if not urls:
            return True, "No master is without credentials"
        return False, (
            f"{name}: {', '.join(urls)} would refuse it, as they run without the flag credentials. "
            "Apply the states of the Mesos masters first, and then these again."
        )

    return _ready.wait_until_ready(
        name, "masters with credentials", check, timeout, __opts__["test"]
    )


def peers_authenticate(name, agents=True, frameworks=True, url=None):
    """
    Fail if masters would begin to refuse agents or frameworks that are registered, because these
    send no credentials. Changes nothing.

    .. code-block:: yaml

        mesos-master-peers-authenticate:
          mesos.peers_authenticate:
            - name: mesos:master:flags

    name
        Any text.

    agents, frameworks
        Booleans: whether the masters are about to demand credentials from these. Default True.

    url
        URLs of all masters. Default: as for ``mesos.connection``. Without a leader nothing is
        registered that could be refused.
    """
    ret = {"name": name, "result": False, "changes": {}, "comment": ""}
    try:
        peers = __salt__["mesos.peers_without_credentials"](
            agents=agents, frameworks=frameworks, url=url, retries=0
        )
    except (CommandExecutionError, SaltInvocationError) as error:
        return {**ret, "comment": str(error)}
    reasons = [f"agent {hostname}: {reason}" for hostname, reason in peers["agents"].items()]
    reasons += [f"framework {framework}: it has no principal" for framework in peers["frameworks"]]
    if not reasons:
        return {**ret, "result": True, "comment": "Every agent and framework has credentials"}
    ret["comment"] = (
        "The masters would refuse these as soon as they demand credentials. Nothing was changed. "
        "Set common:security:level: accepting first, and apply it to all nodes.\n"
        + "\n".join(f"  {reason}" for reason in reasons)
    )
    return ret


def agent_available(name, agent, timeout=120):
    """
    Wait until an agent says that it is registered with the leading master. Changes nothing.

    .. code-block:: yaml

        this-agent-is-registered:
          mesos.agent_available:
            - agent: http://10.0.0.65:5051

    name
        Any text.

    agent
        URL of the agent. This asks the process that runs now, while ``mesos.agents_registered``
        asks the masters, which do not notice a restart at once.

    timeout
        Seconds to wait, default 120. 0 means to check once.

    An agent that does not show its metrics to everyone (``authenticate_http_readonly``) needs the
    credentials in the setting ``mesos:agent_api``, or ``mesos:api`` if that is empty.
    """

    def check(request_timeout):
        options = {"timeout": request_timeout, "retries": 0}
        values = __salt__["mesos.agent_metrics"](agent, **options)
        if values.get("slave/registered") == 1:
            return True, f"{agent} is registered"
        return False, f"{agent} is not registered with a master"

    subject = f"{agent} to be registered"
    return _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])


def agents_registered(name, agents=None, count=None, url=None, timeout=120):
    """
    Wait until agents are registered at the leader and active. Changes nothing.

    An agent that an operator has drained or deactivated only has to be registered.

    .. code-block:: yaml

        mesos-agents:
          mesos.agents_registered:
            - agents: [10.0.0.65, 10.0.0.66]
            - timeout: 180

    name
        Any text.

    agents
        List of the host names of agents that must be active, as in their flag ``hostname``. Case
        does not matter. Default None.

    count
        Number of agents that must be active, at least. Default None. This or ``agents`` is
        required; both are allowed.

    url
        URLs of the masters, as a list or separated by commas. Default: the setting ``mesos:url``,
        otherwise ``http://127.0.0.1:5050``.

    timeout
        Seconds to wait, default 120. 0 means to check once.

    Fails with the status of each agent that is not active, or with the error of each master.
    """
    list_agents = __salt__["mesos.agents"]
    names = [agents] if isinstance(agents, str) else agents
    error = _agents_registered_error(names, count)
    if error:
        return {"name": name, "result": False, "changes": {}, "comment": error}
    names = names or []

    def check(request_timeout):
        registered = list_agents(url=url, timeout=request_timeout, retries=0)
        active = [agent["hostname"].lower() for agent in registered if agent["active"]]
        # An operator has drained or deactivated it, and does not want it to be active.
        deactivated = [agent["hostname"].lower() for agent in registered if agent["deactivated"]]
        missing = [name for name in names if name.lower() not in [*active, *deactivated]]
        problems = [f"{hostname}: {_describe_agent(hostname, registered)}" for hostname in missing]
        if count is not None and len(active) < count:
            problems.append(f"active agents: {len(active)} of at least {count}")
        if problems:
            return False, "\n".join(problems)
        including = [name for name in names if name.lower() in active]
        comment = f"Active agents: {len(active)}"
        if including:
            comment = f"{comment}, including {', '.join(including)}"
        out_of_service = [name for name in names if name not in including]
        if out_of_service:
            comment = f"{comment}. Out of service: {', '.join(out_of_service)}"
        return True, comment

    subjects = []
    if names:
        subjects.append(f"the agents {', '.join(names)}")
    if count is not None:
        subjects.append(_ready.plural(count, "agent"))
    subject = " and ".join(subjects) or "no agents"
    return _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])


def _agents_registered_error(names, count):
    """Return what is wrong with arguments of agents_registered, None if they are valid."""
    if names is None and count is None:
        return "agents, count: one of them is required"
    if names is not None:
        is_list = isinstance(names, list)
        if not is_list or not all(isinstance(name, str) and name for name in names):
            return "agents: should be a list of host names"
    if count is not None and not (_is_int(count) and count >= 0):
        return f"count: {count!r} should be a number of agents, 0 or more"
    return None


def _describe_agent(hostname, agents):
    """Return the status of an agent that is not active."""
    for agent in agents:
        if agent["hostname"].lower() != hostname.lower():
            continue
        if agent["recovered"]:
            return "in the registry, but has not reregistered since the leader changed"
        return "registered, but disconnected from the leader"
    return "not registered"


# --- quota and weights ---


def quota_present(name, limits=None, guarantees=None, force=False, profile=None, **connection):
    """
    Ensure that a role has the declared quota.

    .. code-block:: yaml

        web:
          mesos.quota_present:
            - limits: {cpus: 8, mem: 16384}
            - guarantees: {cpus: 2}

    name
        Name of the role. Nested roles (``a/b``) have no quota of their own.

    limits, guarantees
        Mappings of scalar resources to numbers; mem and disk in MiB. At least one of the two is
        required. The other one does not change; ``{}`` removes it. Mesos counts in thousandths, so
        smaller differences are ignored. A guarantee of 0 is no guarantee; a limit of 0 means that
        the role gets nothing of the resource. Limits need Mesos 1.9.

    force
        Boolean: whether the leader accepts guarantees above the capacity of the cluster, and limits
        below what the role already uses. Default False.

    profile, connection
        See ``mesos.connection`` of the execution module.

    Before Mesos 1.9 a quota is removed and set again, and the role has none in between. If the new
    quota is rejected, the role gets the previous one.
    """
    call = _module(profile, connection)
    declared = {"limits": limits, "guarantees": guarantees}

    def differences():
        _require(isinstance(force, bool), "force", force, "True or False")
        return call("diff_quota", name, **declared)

    return _run_cluster_plan(
        name,
        differences,
        lambda changes: call("set_quota", name, force=force, **declared),
        f"The quota of {name} is as declared",
        lambda changes: f"The quota of {name}",
        "set",
    )


def quota_absent(name, profile=None, **connection):
    """
    Ensure that a role has no quota.

    .. code-block:: yaml

        web:
          mesos.quota_absent: []

    name
        Name of the role.

    profile, connection
        See ``mesos.connection`` of the execution module.
    """
    call = _module(profile, connection)
    return _run_cluster_plan(
        name,
        lambda: call("diff_quota", name, limits={}, guarantees={}),
        lambda changes: call("remove_quota", name),
        f"{name} has no quota",
        lambda changes: f"The quota of {name}",
        "removed",
    )


def weights_present(name, weights, profile=None, **connection):
    """
    Ensure that roles have the declared weights. Weights of other roles do not change.

    A role with twice the weight gets twice the share of the resources.

    .. code-block:: yaml

        weights:
          mesos.weights_present:
            - weights:
                web: 2
                batch: 0.5

    name
        Any text.

    weights
        Mapping of roles to numbers above 0. A weight cannot be removed; 1 is the same as none.

    profile, connection
        See ``mesos.connection`` of the execution module.
    """
    call = _module(profile, connection)

    def write(changes):
        call("set_weights", {path[1:]: change["new"] for path, change in changes.items()})

    return _run_cluster_plan(
        name,
        lambda: call("diff_weights", weights),
        write,
        "The weights are as declared",
        lambda changes: f"The weight of {', '.join(path[1:] for path in changes)}",
        "set",
    )


# --- maintenance ---


def maintenance_scheduled(
    name, machines, start, duration=None, tolerance=60, profile=None, **connection
):
    """
    Ensure that machines are scheduled for maintenance. Other machines keep their schedule.

    .. code-block:: yaml

        new disks:
          mesos.maintenance_scheduled:
            - machines: [lxb001.devops.test, lxb002.devops.test]
            - start: 2030-01-01T00:00:00Z
            - duration: 2h

    name
        Any text.

    machines
        Host names of agents, as a list or separated by commas. Case does not matter. For a machine
        without an agent use a mapping such as ``{hostname: h, ip: 10.0.0.65}``.

    start
        Begin of the maintenance: ISO 8601 with a time zone, or nanoseconds since 1970. ``now`` and
        ``+90m`` (s, m, h, d, w) apply to machines that are not scheduled yet; the others keep their
        start.

    duration
        ``2h``, ``90m`` or nanoseconds. Default None: no end.

    tolerance
        Seconds by which the start of a scheduled machine may differ, 0 or more. Default 60.

    profile, connection
        See ``mesos.connection`` of the execution module.

    Changes contain durations in seconds. Fails, without changes, if a part of the schedule is
    hidden from this user, because it would be erased.
    """
    call = _module(profile, connection)
    is_relative = start == "now" or (isinstance(start, str) and start.startswith("+"))
    machines_by_start = {}

    def differences():
        is_valid = _is_number(tolerance) and tolerance >= 0
        _require(is_valid, "tolerance", tolerance, "a number of seconds, 0 or more")
        window = call("maintenance_window", machines, start, duration)
        scheduled = _scheduled_windows(call)
        changes = {}
        machines_by_start.clear()
        for label, machine in _machines_by_label(window["machines"]).items():
            old = scheduled.get(_machine_key(machine))
            new_start = window["start"]
            if old:
                deviation = abs(old["start"] - new_start)
                if is_relative or deviation <= tolerance * NANOSECONDS:
                    new_start = old["start"]
            start_text = _format_time(new_start)
            new = {"start": start_text, "duration": _to_seconds(window["duration"])}
            if is_relative and not old:
                new["start"] = start
            machine_changes = _diff_times(label, old and _window_times(old), new)
            if machine_changes:
                changes.update(machine_changes)
                machines_by_start.setdefault(start_text, []).append(machine)
        return changes

    def write(changes):
        for start_text, ids in list(machines_by_start.items()):
            call("add_maintenance_window", ids, start_text, duration)

    return _run_cluster_plan(
        name,
        differences,
        write,
        "The machines are scheduled as declared",
        _maintenance_subject,
        "scheduled",
    )


def maintenance_cancelled(name, machines, profile=None, **connection):
    """
    Ensure that machines are not scheduled for maintenance. Other machines keep their schedule.

    .. code-block:: yaml

        no new disks:
          mesos.maintenance_cancelled:
            - machines: [lxb001.devops.test]

    name
        Any text.

    machines
        Host names, as a list or separated by commas, or mappings with ``hostname`` and ``ip``.
        Machines that are not scheduled are ignored.

    profile, connection
        See ``mesos.connection`` of the execution module.

    Fails for machines that are down (``mesos.machine_up`` removes those from the schedule), and if
    a part of the schedule is hidden from this user.
    """
    call = _module(profile, connection)
    cancelled = {}

    def differences():
        references = _check_machines(machines)
        scheduled = _scheduled_windows(call)
        scheduled_machines = [window["machine"] for window in scheduled.values()]
        cancelled.clear()
        cancelled.update(_machines_by_label(_matching(references, scheduled_machines)))
        down = _machines_by_label(_matching(references, call("maintenance_status")["down"]))
        if down:
            raise CommandExecutionError(
                f"machines: maintenance of {', '.join(down)} has started; mesos.machine_up ends it"
            )
        return {
            f"/{label}": {"old": _window_times(scheduled[_machine_key(machine)]), "new": None}
            for label, machine in cancelled.items()
        }

    return _run_cluster_plan(
        name,
        differences,
        lambda changes: call("remove_from_schedule", list(cancelled.values())),
        "None of the machines is scheduled",
        _maintenance_subject,
        "cancelled",
    )


def machine_down(name, machines=None, profile=None, **connection):
    """
    Ensure that machines are down for maintenance. Their agents terminate, all tasks are killed.

    .. code-block:: yaml

        lxb002.devops.test:
          mesos.machine_down: []

    name
        Host name, unless ``machines`` is used.

    machines
        Host names, as a list or separated by commas, or mappings with ``hostname`` and ``ip``. The
        machines must be scheduled, see ``mesos.maintenance_scheduled``. Default: ``name``.

    profile, connection
        See ``mesos.connection`` of the execution module.
    """
    call = _module(profile, connection)
    draining = {}

    def differences():
        references = _check_machines(name if machines is None else machines)
        scheduled_machines = [window["machine"] for window in _scheduled_windows(call).values()]
        scheduled = _machines_by_label(_matching(references, scheduled_machines))
        down_keys = {_machine_key(machine) for machine in call("maintenance_status")["down"]}
        modes = {}
        draining.clear()
        for label, machine in scheduled.items():
            if _machine_key(machine) in down_keys:
                modes[label] = "DOWN"
            else:
                modes[label] = "DRAINING"
                draining[label] = machine
        modes.update(_pending_modes(references))
        unavailable = {label.lower() for label, mode in modes.items() if mode != "UP"}
        labels = [_machine_label(reference) for reference in references]
        missing = [label for label in labels if label.lower() not in unavailable]
        if missing:
            raise CommandExecutionError(
                f"machines: no maintenance of {', '.join(missing)} is scheduled. "
                "Schedule it with mesos.maintenance_scheduled first"
            )
        return {
            f"/{label}": {"old": "DRAINING", "new": "DOWN"}
            for label, mode in modes.items()
            if mode == "DRAINING"
        }

    return _run_cluster_plan(
        name,
        differences,
        lambda changes: call("machine_down", list(draining.values()), confirm=True),
        "The machines are down",
        _maintenance_subject,
        "started",
    )


def machine_up(name, machines=None, profile=None, **connection):
    """
    Ensure that machines are not down for maintenance. They leave the schedule.

    Their agents may register again, but must be started separately.

    .. code-block:: yaml

        lxb002.devops.test:
          mesos.machine_up: []

    name
        Host name, unless ``machines`` is used.

    machines
        Host names, as a list or separated by commas, or mappings with ``hostname`` and ``ip``.
        Machines that are not down are ignored. Default: ``name``.

    profile, connection
        See ``mesos.connection`` of the execution module.
    """
    call = _module(profile, connection)
    down = {}

    def differences():
        references = _check_machines(name if machines is None else machines)
        down.clear()
        down.update(_machines_by_label(_matching(references, call("maintenance_status")["down"])))
        modes = {**dict.fromkeys(down, "DOWN"), **_pending_modes(references)}
        return {
            f"/{label}": {"old": "DOWN", "new": "UP"}
            for label, mode in modes.items()
            if mode == "DOWN"
        }

    return _run_cluster_plan(
        name,
        differences,
        lambda changes: call("machine_up", list(down.values())),
        "None of the machines is down",
        _maintenance_subject,
        "ended",
    )


# --- agents ---


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
    Ensure that an agent is drained: it gets no new tasks, and its current tasks are killed.

    .. code-block:: yaml

        lxb003.devops.test:
          mesos.agent_drained:
            - max_grace_period: 10m
            - wait: True

    name
        Id or host name of the agent.

    max_grace_period
        Maximum time that a task has to terminate: seconds, or text such as ``10m``. Default None:
        the grace period of the task. It does not change for an agent that is already draining.

    mark_gone
        Boolean: whether to remove the agent permanently once it is drained. Default False. An agent
        that is not registered counts as removed. If the machine returns it has a new agent id, so
        with a host name as ``name`` it is drained again.

    wait
        Boolean: whether to wait until the agent is drained, or removed, and to fail with its
        remaining tasks after ``timeout``. Default False: only start to drain.

    timeout
        Seconds to wait, 1 to 86400. Default 300.

    profile, connection
        See ``mesos.connection`` of the execution module. The ``timeout`` of the connection cannot
        be set here.

    Needs Mesos 1.9. Fails if the machine is scheduled for maintenance.
    """
    call = _module(profile, connection)
    is_complete = False

    def find_agent():
        matches = [agent for agent in call("agents") if _is_agent(agent, name)]
        if len(matches) == 1:
            return matches[0]
        if mark_gone and not matches:
            return None
        # Raises the error for an unknown or ambiguous name.
        return call("agent", name)

    def differences():
        nonlocal is_complete
        _check_drain_arguments(max_grace_period, mark_gone, wait, timeout)
        _require_draining(call)
        agent = find_agent()
        is_complete = agent is None or agent["drain"] == "DRAINED"
        if agent is None or (agent["drain"] and (agent["mark_gone"] or not mark_gone)):
            return {}
        if _maintenance_mode(call, agent) != "UP":
            raise CommandExecutionError(
                f"{name} is scheduled for maintenance and cannot be drained. "
                "mesos.maintenance_cancelled removes it from the schedule"
            )
        if mark_gone:
            return {"/": {"old": {"hostname": agent["hostname"], "id": agent["id"]}, "new": None}}
        return {"/drain": {"old": None, "new": "DRAINED"}}

    def wait_until_drained():
        deadline = time.monotonic() + timeout
        while wait:
            agent = find_agent()
            if agent is None or (agent["drain"] == "DRAINED" and not mark_gone):
                return
            seconds_left = deadline - time.monotonic()
            if seconds_left <= 0:
                tasks = _describe_active_tasks(call, agent["id"])
                seconds = _ready.plural(timeout, "second")
                raise CommandExecutionError(f"{name} is not drained after {seconds}{tasks}")
            time.sleep(min(DRAIN_POLL_INTERVAL, seconds_left))

    def write(changes):
        options = {"mark_gone": mark_gone, "confirm": mark_gone, "again": mark_gone}
        call("drain_agent", name, max_grace_period, **options)

    def unchanged_comment():
        if not is_complete:
            return f"{name} is draining"
        return f"{name} is removed" if mark_gone else f"{name} is drained"

    return _run_cluster_plan(
        name,
        differences,
        write,
        unchanged_comment,
        lambda changes: name,
        "drained" if wait else "set to drain",
        wait_until_drained,
    )


def _is_agent(agent, name):
    """Return whether an agent has an id or host name."""
    return name == agent["id"] or name.lower() == agent["hostname"].lower()


def _check_drain_arguments(max_grace_period, mark_gone, wait, timeout):
    """Raise SaltInvocationError for invalid arguments of agent_drained."""
    for argument, value in (("mark_gone", mark_gone), ("wait", wait)):
        _require(isinstance(value, bool), argument, value, "True or False")
    _check_drain_times(max_grace_period, timeout)


def _check_drain_times(max_grace_period, timeout):
    is_valid = _is_number(timeout) and MIN_DRAIN_TIMEOUT <= timeout <= MAX_DRAIN_TIMEOUT
    expected = f"a number of seconds from {MIN_DRAIN_TIMEOUT} to {MAX_DRAIN_TIMEOUT}"
    _require(is_valid, "timeout", timeout, expected)
    is_text = isinstance(max_grace_period, str) and GRACE_PERIOD.fullmatch(max_grace_period)
    is_seconds = _is_int(max_grace_period) and max_grace_period >= 0
    is_valid = max_grace_period is None or is_text or is_seconds
    expected = "an integer number of seconds, or text such as 10m"
    _require(is_valid, "max_grace_period", max_grace_period, expected)


def _maintenance_mode(call, agent):
    """Return UP, DRAINING or DOWN for the machine of an agent, with pending changes."""
    hostname = agent["hostname"]
    pending = _pending_modes([hostname])
    windows = call("maintenance_schedule")
    keys = [_machine_key(machine) for window in windows for machine in window["machines"]]
    is_scheduled = (hostname.lower(), agent["ip"]) in keys
    return pending.get(hostname, "DRAINING" if is_scheduled else "UP")


def _describe_active_tasks(call, agent_id):
    task_ids = [
        task["id"]
        for task in call("tasks")
        if task["agent_id"] == agent_id and task["state"] in ACTIVE_TASK_STATES
    ]
    if not task_ids:
        return ""
    ellipsis = " ..." if len(task_ids) > MAX_TASKS_IN_COMMENT else ""
    ids = ", ".join(task_ids[:MAX_TASKS_IN_COMMENT])
    return (
        f". Its remaining tasks are {ids}{ellipsis}. max_grace_period limits how long they may "
        "take to stop"
    )


def agent_active(name, profile=None, **connection):
    """
    Ensure that an agent is neither drained nor deactivated.

    .. code-block:: yaml

        lxb003.devops.test:
          mesos.agent_active: []

    name
        Id or host name of the agent.

    profile, connection
        See ``mesos.connection`` of the execution module.

    Needs Mesos 1.9. Fails while the agent is still draining, which cannot be stopped.
    """
    call = _module(profile, connection)

    def differences():
        _require_draining(call)
        agent = call("agent", name)
        if _will_be_drained(agent):
            agent.update(deactivated=True, drain="DRAINED")
        _agents_out_of_service.require_reregistration({name: agent})
        if agent["drain"] == "DRAINING":
            raise CommandExecutionError(
                f"{name} is still draining, and can only be reactivated once it is drained"
            )
        if not agent["deactivated"]:
            return {}
        changes = {}
        if agent["drain"]:
            changes["/drain"] = {"old": agent["drain"], "new": None}
        changes["/deactivated"] = {"old": True, "new": False}
        return changes

    return _run_cluster_plan(
        name,
        differences,
        lambda changes: call("reactivate_agent", name),
        f"{name} is neither drained nor deactivated",
        lambda changes: name,
        "reactivated",
    )


def _will_be_drained(agent):
    """Return whether an earlier state of a test run would have drained an agent."""
    names = (agent["id"].lower(), agent["hostname"].lower())
    for chunk, changes in _pending_changes():
        if chunk["fun"] != "agent_drained" or not chunk.get("wait"):
            continue
        if chunk["name"].lower() in names and "/drain" in changes:
            return True
    return False


# --- agents out of service ---


def agents_out_of_service(
    name,
    agents,
    max_grace_period=None,
    timeout=600,
    ignore_missing=False,
    profile=None,
    **connection,
):
    """
    Ensure that agents are out of service, and that nothing runs on them any more.

    .. code-block:: yaml

        lxb003 is out of service:
          mesos.agents_out_of_service:
            - agents: {lxb003: lxb003.devops.test}
            - max_grace_period: 10m

    name
        Any text.

    agents
        The agents that go out of service at the same time: a list of ids, host names or addresses,
        or a mapping of the names that messages use to these.

    max_grace_period
        See ``mesos.agent_drained``. Before Mesos 1.9 it has no effect.

    timeout
        Seconds to wait until nothing runs on the agents, 1 to 86400. Default 600.

    ignore_missing
        Boolean: whether to ignore agents that are not registered, on which nothing runs. Default
        False: the state fails.

    profile, connection
        See ``mesos.connection`` of the execution module. The ``timeout`` of the connection cannot
        be set here.

    From Mesos 1.9 on, the agents are drained, and Mesos kills their tasks. With an older Mesos a
    maintenance window of their machines begins now, without an end; the frameworks move the tasks
    themselves, or nobody does. An agent that is out of service for another reason stays as it is.

    Fails if tasks still run after ``timeout``, and lists them. The agents stay out of service.
    """
    call = _module(profile, connection)

    def check_arguments():
        _check_drain_times(max_grace_period, timeout)
        _require(isinstance(ignore_missing, bool), "ignore_missing", ignore_missing, "a boolean")

    drain = _agents_out_of_service.Drain(
        call, agents, check_arguments, max_grace_period, timeout, ignore_missing
    )
    return _run_cluster_plan(
        name,
        drain.differences,
        drain.write,
        drain.unchanged_comment,
        _agents_out_of_service.subject,
        "taken out of service",
        drain.wait_until_empty,
    )


def agents_in_service(name, agents, profile=None, **connection):
    """
    Ensure that agents are in service: neither drained, deactivated nor in maintenance.

    .. code-block:: yaml

        lxb003 is in service:
          mesos.agents_in_service:
            - agents: {lxb003: lxb003.devops.test}

    name
        Any text.

    agents
        See ``mesos.agents_out_of_service``.

    profile, connection
        See ``mesos.connection`` of the execution module.

    Fails, without changes, if an agent is still draining, which cannot be stopped, and if one is
    neither registered nor in maintenance.
    """
    call = _module(profile, connection)
    reactivation = _agents_out_of_service.Reactivation(call, agents)
    return _run_cluster_plan(
        name,
        reactivation.differences,
        reactivation.write,
        reactivation.unchanged_comment,
        _agents_out_of_service.subject,
        "brought back into service",
    )


def agents_gone(name, agents, confirm=False, timeout=120, profile=None, **connection):
    """
    Ensure that agents are removed permanently. They must be out of service, without tasks.

    .. code-block:: yaml

        lxb003 is gone:
          mesos.agents_gone:
            - agents: {lxb003: lxb003.devops.test}
            - confirm: True

    name
        Any text.

    agents
        See ``mesos.agents_out_of_service``. Those that are not registered count as removed.

    confirm
        Must be True. Default False.

    timeout
        Seconds, 1 to 86400. Before Mesos 1.5, which cannot remove agents, the state waits until the
        master has noticed that they are stopped. Default 120; the master needs 75 by default.

    profile, connection
        See ``mesos.connection`` of the execution module. The ``timeout`` of the connection cannot
        be set here.

    Their machines leave the maintenance schedule. An agent that is still running is shut down, and
    registers under a new id if something starts it again, so stop it first.
    """
    call = _module(profile, connection)

    def check_arguments():
        expected = "True: the agents would be removed permanently"
        _require(confirm is True, "confirm", confirm, expected)
        _check_drain_times(None, timeout)

    removal = _agents_out_of_service.Removal(
        call, agents, check_arguments, timeout, __opts__["test"]
    )
    return _run_cluster_plan(
        name,
        removal.differences,
        removal.write,
        removal.unchanged_comment,
        _agents_out_of_service.subject,
        "removed permanently",
    )


# --- the identity of the agent on this host ---


def agent_identity_stays(
    name,
    attributes=None,
    resources=None,
    hostname=None,
    port=None,
    domain=None,
    default_role=None,
    reconfiguration_policy=None,
    version=None,
    agent=None,
    profile=None,
    **connection,
):
    """
    Check that the agent of this host could start under its id with these flags. Changes nothing.

    An agent checkpoints what it is when it registers. If its flags later say something that
    ``reconfiguration_policy`` does not permit, it exits at each start. Require this before
    ``mesos.flags_managed``.

    .. code-block:: yaml

        mesos-slave-identity:
          mesos.agent_identity_stays:
            - name: /var/lib/mesos
            - hostname: lxb001.devops.test
            - attributes: {rack: r1}
            - resources: {cpus: 8, ports: [31000-32000]}
            - reconfiguration_policy: additive
            - version: 1.9.0

    name
        Work directory of the agent.

    attributes, resources
        Flags of the agent, in any form that ``mesos.flags_managed`` accepts. Default None: the
        flag is not set.

    hostname, port
        What the agent advertises. Default None: the agent looks up its host name, which is then not
        compared, and the port is 5051.

    domain, default_role
        Flags of the agent. Default None: not set.

    reconfiguration_policy
        ``equal`` or ``additive``: attributes, resources and a domain may be added, and resources
        and ranges may grow. Default None: ``equal``.

    version
        Version of Mesos that is to start. Before 1.5 everything must be equal. Default None: 1.5 or
        later.

    agent
        URL of the agent. It is asked what it is if the checkpoint cannot be read, and the comment
        says that the result is a guess. Default ``http://127.0.0.1:5051``.

    profile, connection
        See ``mesos.connection`` of the execution module.

    Cpus, mem, disk and gpus that no flag declares are detected by the agent. They are not compared,
    and the comment names them. Succeeds if the agent has never registered, and if the host has
    rebooted since, because the agent then registers under a new id. Fails otherwise with each
    difference, the policy, and the command that gives the agent a new id.
    """
    call = _module(profile, connection)
    flags = {
        "attributes": attributes,
        "resources": resources,
        "hostname": hostname,
        "domain": domain,
        "default_role": default_role,
    }

    def make_plan():
        if _will_have_no_identity(name):
            return _declared.Plan({}, "The agent will register under a new id", "", _do_not_wait)
        difference = call(
            "diff_agent",
            name,
            port=port,
            reconfiguration_policy=reconfiguration_policy,
            version=version,
            agent=agent,
            **_agent_identity.flag_texts(flags),
        )
        cluster = __salt__["pillar.get"]("topology:cluster")
        comment = _agent_identity.stays_comment(name, difference, __grains__["id"], cluster)
        return _declared.Plan({}, comment, "", _do_not_wait)

    return _declared.run_plan(name, __opts__["test"], make_plan)


def _will_have_no_identity(work_dir):
    """Return whether an earlier state of a test run would have removed the agent's identity."""
    return any(
        chunk["fun"] == "agent_identity_removed" and chunk["name"] == work_dir and "/id" in changes
        for chunk, changes in _pending_changes()
    )


def agent_identity_removed(
    name,
    unit,
    attributes=None,
    resources=None,
    hostname=None,
    port=None,
    domain=None,
    default_role=None,
    reconfiguration_policy=None,
    version=None,
    drain=True,
    max_grace_period=None,
    timeout=300,
    agent=None,
    restarts=None,
    profile=None,
    **connection,
):
    """
    Ensure that the agent of this host can start with these flags, under a new id if necessary.

    If it would refuse to start, it is drained and stopped, and ``meta/slaves/latest`` below its
    work directory is removed: the link to what it has checkpointed, and nothing else. The next
    start registers a new agent. Otherwise nothing changes.

    .. code-block:: yaml

        mesos-slave-new-id:
          mesos.agent_identity_removed:
            - name: /var/lib/mesos
            - unit: mesos-slave
            - attributes: {rack: r2}
            - max_grace_period: 10m

    name
        Work directory of the agent.

    unit
        Name of its unit, which is stopped.

    attributes, resources, hostname, port, domain, default_role, reconfiguration_policy, version
        See ``mesos.agent_identity_stays``.

    drain
        Boolean: whether to drain the agent first if it is connected to the leader. Default True,
        which needs Mesos 1.9. With False, and if it is not connected, its tasks are lost.

    max_grace_period
        Maximum time that a task has to terminate: seconds, or text such as ``10m``. Default None:
        the grace period of the task.

    timeout
        Seconds to wait until the agent is drained, 1 to 86400. Default 300.

    agent, profile, connection
        See ``mesos.agent_identity_stays``.

    restarts
        See ``daemon.running``. In a cluster the agent is drained and stopped only in its turn,
        which it keeps until ``daemon.turn_returned``.

    Fails, with the agent still running, if its turn does not come, or if it cannot be drained.
    """
    call = _module(profile, connection)
    flags = {
        "attributes": attributes,
        "resources": resources,
        "hostname": hostname,
        "domain": domain,
        "default_role": default_role,
    }

    def is_refused():
        texts = _agent_identity.flag_texts(flags)
        options = {"reconfiguration_policy": reconfiguration_policy, "version": version}
        try:
            difference = call("diff_agent", name, port=port, agent=agent, **options, **texts)
        except CommandExecutionError:
            return True
        # An agent does not start either with a checkpoint that cannot be read.
        return bool(difference["changes"] or difference["guess"])

    def plan_changes(agent_id):
        changes = {}
        registered = drain and _agent_identity.registered_agent(call, agent_id)
        if registered and registered["drain"] != "DRAINED":
            _require_draining(call)
            changes["/drain"] = {"old": registered["drain"], "new": "DRAINED"}
        if __salt__["service.status"](unit):
            changes[f"/{unit}"] = {"old": "running", "new": "stopped"}
        return {**changes, "/id": {"old": agent_id, "new": None}}

    def make_plan():
        _require(isinstance(drain, bool), "drain", drain, "True or False")
        _check_drain_times(max_grace_period, timeout)
        agent_id = _agent_identity.checkpointed_id(name)
        changes = plan_changes(agent_id) if agent_id and is_refused() else {}

        def apply():
            turn = __states__["daemon.turn"](unit, restarts=restarts)
            if not turn["result"]:
                raise CommandExecutionError(turn["comment"])
            removal = _agent_identity.Removal(call, __salt__, name, unit, changes)
            removal.run(max_grace_period, timeout)
            return f"The agent {agent_id} was stopped, and will register under a new id"

        return _declared.Plan(
            changes,
            "The agent can start under its id, or has none",
            f"The agent {agent_id} would be stopped, and register under a new id",
            apply,
        )

    return _declared.run_plan(name, __opts__["test"], make_plan)


# --- frameworks ---


def framework_absent(name, confirm=False, show_secrets=False, profile=None, **connection):
    """
    Ensure that a framework does not exist. Ending it is permanent, and kills all of its tasks.

    Its scheduler can never reregister under the same id.

    .. code-block:: yaml

        old-batch:
          mesos.framework_absent:
            - confirm: True

    name
        Id of the framework, or its name if only one has it.

    confirm
        Must be True. Default False.

    show_secrets
        Boolean: whether changes show values that look like secrets. Default False: they are
        ``***``.

    profile, connection
        See ``mesos.connection`` of the execution module.

    Fails if several frameworks have this name, and if some frameworks are hidden from this user,
    because this one may be among them.
    """
    call = _module(profile, connection)

    def differences():
        expected = "True: the framework and all of its tasks would end permanently"
        _require(confirm is True, "confirm", confirm, expected)
        frameworks = call("frameworks")
        matches = [entry for entry in frameworks if name in (entry["id"], entry["name"])]
        if len(matches) > 1:
            ids = ", ".join(entry["id"] for entry in matches)
            raise CommandExecutionError(
                f"{len(matches)} frameworks are called {name}. Use an id: {ids}"
            )
        if matches:
            old = {field: matches[0][field] for field in FRAMEWORK_FIELDS}
            return {"/": {"old": old, "new": None}}
        _require_visible_frameworks(call, name, len(frameworks))
        return {}

    return _run_cluster_plan(
        name,
        differences,
        lambda changes: call("teardown_framework", changes["/"]["old"]["id"], confirm=True),
        f"There is no framework {name}",
        lambda changes: name,
        "torn down",
        show_secrets=show_secrets,
    )


def _require_visible_frameworks(call, name, visible):
    """Raise CommandExecutionError if there are more frameworks than this user can view."""
    metrics = ["master/frameworks_connected", "master/frameworks_disconnected"]
    hidden = sum(call("metrics", metrics).values()) - visible
    if hidden > 0:
        raise CommandExecutionError(
            f"Frameworks hidden from this user: {hidden:g}. {name} may be one of them"
        )


# --- plans for the cluster ---


def _module(profile, connection):
    """Return a function that calls the execution module with the connection of a state."""

    def call(function, *args, **kwargs):
        return __salt__[f"mesos.{function}"](*args, **kwargs, profile=profile, **connection)

    return call


def _do_not_wait():
    pass


def _run_cluster_plan(
    name, differences, write, unchanged, subject, verb, settle=_do_not_wait, show_secrets=True
):
    """
    Run a plan for the cluster, and return the result of the state.

    name
        Name of the state.

    differences
        Called without arguments; reads from the cluster and returns the changes.

    write
        Called with the changes; makes them.

    unchanged
        The comment if there are no changes, or a function that returns it.

    subject, verb
        For the comments "SUBJECT would be VERB" and "SUBJECT was VERB": a function of the changes,
        and a participle.

    settle
        Waits until the cluster has applied the changes. Raises CommandExecutionError if it does
        not. Default: do not wait.

    show_secrets
        Whether the reported changes show secrets. Default True.
    """

    def make_plan():
        changes = differences()
        if not changes and not __opts__["test"]:
            settle()

        def apply():
            comment = f"{subject(changes)} was {verb}"
            _write_and_verify(differences, write, changes, comment)
            try:
                settle()
            except CommandExecutionError as error:
                raise _declared.IncompleteChange(str(error)) from None
            return comment

        return _declared.Plan(
            changes,
            unchanged() if callable(unchanged) else unchanged,
            f"{subject(changes)} would be {verb}",
            apply,
        )

    return _declared.run_plan(name, __opts__["test"], make_plan, show_secrets)


def _write_and_verify(differences, write, changes, comment):
    """
    Make changes, and check that no difference remains.

    An error of the write is ignored if there is no difference afterwards. Raises
    CommandExecutionError if the outcome is unknown, IncompleteChange if a difference remains.
    """
    write_error = None
    try:
        write(changes)
    except CommandExecutionError as error:
        write_error = error
    try:
        remaining = differences()
    except CommandExecutionError as error:
        if write_error:
            raise CommandExecutionError(
                f"{write_error}; it is not known whether the change was made: {error}"
            ) from None
        raise _declared.IncompleteChange(
            f"{comment}, but reading it back failed: {error}"
        ) from None
    if not remaining:
        return
    if write_error:
        # A part may have been changed nevertheless, such as a quota before Mesos 1.9, which was
        # removed and could not be set again.
        completed = _completed_changes(changes, remaining)
        raise _declared.IncompleteChange(str(write_error), completed)
    paths = ", ".join(remaining)
    raise _declared.IncompleteChange(
        f"{comment}, but Mesos reports a different value of {paths}, or hides it from this user"
    )


def _completed_changes(changes, remaining):
    """Return the part of the planned changes that was made."""
    completed = {}
    for path, change in changes.items():
        if path not in remaining:
            completed[path] = change
        elif remaining[path]["old"] != change["old"]:
            completed[path] = {"old": change["old"], "new": remaining[path]["old"]}
    return completed


def _pending_changes():
    """Return the low chunks and changes of the earlier states of a test run."""
    if not __opts__["test"]:
        return []
    return _declared.pending_changes(__low__, __lowstate__, __running__)


def _pending_modes(references):
    """Return the modes of machines, by label, that earlier states of a test run would change."""
    names = {_machine_label(reference).lower() for reference in references}
    modes = {}
    for chunk, changes in _pending_changes():
        if chunk["fun"] not in MACHINE_MODES:
            continue
        for path in changes:
            label = path[1:]
            if label.lower() in names:
                modes[label] = MACHINE_MODES[chunk["fun"]]
    return modes


# --- arguments ---


def _require(is_valid, argument, value, expected):
    """Raise SaltInvocationError, in one line, unless an argument is valid."""
    if not is_valid:
        raise SaltInvocationError(f"{argument}: {value!r} should be {expected}")


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _require_draining(call):
    info = call("info")
    if "AGENT_DRAINING" not in info["capabilities"]:
        raise CommandExecutionError(f"This needs Mesos 1.9; these masters have {info['version']}")


# --- machines ---


def _check_machines(machines):
    """
    Return declared machines as a list of host names and mappings.

    Raises SaltInvocationError if they are not valid.
    """
    references = machines
    if isinstance(machines, str):
        references = [hostname.strip() for hostname in machines.split(",")]
    elif isinstance(machines, Mapping):
        references = [machines]
    is_valid = isinstance(references, list) and references
    _require(is_valid, "machines", machines, MACHINES_EXPECTED)
    for reference in references:
        parts = reference if isinstance(reference, Mapping) else {"hostname": reference}
        is_valid = (
            set(parts) <= {"hostname", "ip"}
            and any(parts.values())
            and all(isinstance(part, str) for part in parts.values())
        )
        _require(is_valid, "machines", reference, MACHINES_EXPECTED)
    return references


def _scheduled_windows(call):
    """Return the window of each scheduled machine, with the machine, by machine key."""
    return {
        _machine_key(machine): {**window, "machine": machine}
        for window in call("maintenance_schedule", whole=True)
        for machine in window["machines"]
    }


def _machine_key(machine):
    """
    Return a key that is equal for two ids of the same machine.

    Mesos ignores the case of host names, and a part that is omitted is the same as an empty one.
    """
    return machine.get("hostname", "").lower(), machine.get("ip", "")


def _matching(references, machines):
    """Return the machines that host names and ids refer to."""
    hostnames = {reference.lower() for reference in references if isinstance(reference, str)}
    keys = {_machine_key(reference) for reference in references if not isinstance(reference, str)}
    return [
        machine
        for machine in machines
        if _machine_key(machine)[0] in hostnames or _machine_key(machine) in keys
    ]


def _machines_by_label(machines):
    """Return machines by label. A repeated label gets the address appended."""
    labelled = {}
    for machine in machines:
        label = _machine_label(machine)
        if label in labelled:
            label = f"{label} ({machine.get('ip')})"
        labelled[label] = machine
    return labelled


def _machine_label(machine):
    """Return the host name of a machine, or its address if it has none."""
    if isinstance(machine, str):
        return machine
    return machine.get("hostname") or machine["ip"]


def _maintenance_subject(changes):
    labels = dict.fromkeys(path.split("/")[1] for path in changes)
    return f"Maintenance of {', '.join(labels)}"


def _diff_times(label, old, new):
    """Return the changes between the times of a machine; one change if it is not scheduled."""
    if old is None:
        return {f"/{label}": {"old": None, "new": new}}
    return {
        f"/{label}/{key}": {"old": old[key], "new": new[key]} for key in new if old[key] != new[key]
    }


def _window_times(window):
    return {"start": _format_time(window["start"]), "duration": _to_seconds(window["duration"])}


def _format_time(nanoseconds):
    """Return nanoseconds since 1970 in ISO 8601."""
    utc = datetime.timezone.utc
    seconds = datetime.datetime.fromtimestamp(nanoseconds // NANOSECONDS, utc)
    moment = seconds.replace(microsecond=nanoseconds % NANOSECONDS // 1000)
    return moment.isoformat().replace("+00:00", "Z")


def _to_seconds(nanoseconds):
    """Return a duration in seconds, an integer if possible; None stays None."""
    if nanoseconds is None:
        return None
    is_integer = nanoseconds % NANOSECONDS == 0
    return nanoseconds // NANOSECONDS if is_integer else nanoseconds / NANOSECONDS
