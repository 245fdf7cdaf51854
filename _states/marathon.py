"""
States for Marathon: wait for a leader, and manage apps, groups and pods.

Each state reads, compares, reports the differences, changes them and reads them back. Changes are
``{path: {"old": ..., "new": ...}}``, with paths such as ``/labels/team``; the path of a whole app
or pod is ``/``. States for several apps report such changes by id: ``{"/web": {"/labels/team":
{...}}}``. With ``test=True`` they report the same changes and send nothing.
``marathon.app_present`` documents the arguments that all states share.
"""

import contextlib
import glob
import importlib
import os
import re
import time
from collections.abc import Mapping

import _declared
import _marathon_apps
import _ready
import _verification
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_declared)
importlib.reload(_ready)
importlib.reload(_marathon_apps)
importlib.reload(_verification)

WAIT_INTERVAL = 0.5  # seconds between two requests
LEADER_TIMEOUT = 5  # seconds
WAIT_RETRIES = 60  # retries of an unanswered request after a deployment has started
# The field with the number of instances.
SCALING_FIELDS = {"app": "instances", "pod": "scaling"}
# Fields of an app that Marathon may ignore, depending on the network of the app.
PORT_FIELDS = frozenset(("container", "portDefinitions", "ports", "requirePorts"))
RESTARTS = ("app_present", "app_running", "app_restarted")
ALL_VERSIONS = "99.0"
SAVED_STORES = "/var/lib/salt-mesos"
MAX_SAVED_STORES = 10
MULTIPLE_APP_STATES = ("apps_present", "group_present", "group_absent")  # their changes are by id


def __virtual__():
    """Return the reason if the execution module is missing."""
    if "marathon.leader" in __salt__:
        return True
    return (
        False,
        "The execution module marathon of this repository is not loaded. On a proxy minion for "
        "Marathon, Salt loads its own module of that name",
    )


def available(name, url=None, timeout=120):
    """
    Wait until Marathon has a leader that responds. Changes nothing.

    .. code-block:: yaml

        marathon-leader:
          marathon.available:
            - url: [http://10.0.0.1:8080, http://10.0.0.2:8080]
            - timeout: 120

    name
        Any text.

    url
        URLs of the servers: one, several separated by commas, or a list. Default: the setting
        ``marathon:url``, otherwise ``http://127.0.0.1:8080``. One server that responds is enough;
        servers that do not lead query the leader.

    timeout
        Seconds to wait, default 120. 0: check once.

    Fails with the last error of each server.
    """
    leader = __salt__["marathon.leader"]

    def check(seconds):
        address = leader(url=url, timeout=seconds)
        return True, f"{address['url']} leads"

    return _ready.wait_until_ready(name, "a leader of Marathon", check, timeout, __opts__["test"])


def available_without_member(name, member, url, record=None, timeout=120):
    """
    Wait until Marathon can do without one of its servers: another one responds and knows a leader.
    Changes nothing.

    .. code-block:: yaml

        another-marathon-responds:
          marathon.available_without_member:
            - member: http://10.0.0.1:8080
            - url: [http://10.0.0.1:8080, http://10.0.0.2:8080]

    name
        Any text.

    member
        URL of the server that is about to be stopped, as in ``url``.

    url
        URLs of all servers: several separated by commas, or a list.

    record
        A file with the URLs of the servers that were set up, one a line. If it has no other than
        ``member``, the others are new, and nothing is required. Default None: they are not.

    timeout
        Seconds to wait, default 120. 0: check once.

    Nothing is required either if no server has a leader, ``member`` included, for longer than an
    election takes: there is no service that could be interrupted. Fails with the last error of each
    other server.
    """
    leader = __salt__["marathon.leader"]
    return _ready.wait_for_another_server(
        name, "Marathon", leader, member, url, record, timeout, __opts__["test"]
    )


def leader_has_version(name, version, url=None, timeout=120):
    """
    Wait until a Marathon of a version leads. Changes nothing.

    The new version migrates the store when it is elected, so an upgrade is only done then.

    .. code-block:: yaml

        marathon-is-upgraded:
          marathon.leader_has_version:
            - version: 1.8.244
            - url: [http://10.0.0.1:8080, http://10.0.0.2:8080]

    name
        Any text.

    version
        The version: ``1.8.244``.

    url
        See ``marathon.available``.

    timeout
        Seconds to wait, default 120. 0: check once.

    Fails with the version that leads, or with the last error of each server.
    """
    info = __salt__["marathon.info"]

    def check(seconds):
        answer = info(url=url, timeout=seconds)
        comment = f"Marathon {answer['version']} leads on {answer.get('leader') or 'no server'}"
        is_ready = bool(answer.get("leader")) and answer["version"] == version
        return is_ready, comment

    subject = f"Marathon {version} to lead"
    return _ready.wait_until_ready(name, subject, check, timeout, __opts__["test"])


def verified(name="/salt-mesos-verify/app", timeout=120, profile=None, **connection):
    """
    Verify that an app runs on the cluster and answers over HTTP, and remove it.

    .. code-block:: yaml

        /salt-mesos-verify/app:
          marathon.verified:
            - timeout: 120

    name
        Id of the app, which nothing else may have: an app of this id, and of the same group, is
        taken for that of an interrupted run and removed. Default ``/salt-mesos-verify/app``.

    timeout
        Seconds until the app must answer, 1 to 3600. Default 120.

    profile, connection
        See ``marathon.connection`` of the execution module. The ``timeout`` of the connection
        cannot be set here.

    The app is a web server, started with the Python of the agent, and the agent asks it. Fails with
    the reason, such as declined offers or the message of the failed task. Changes nothing in the
    end: the app is removed also after a failure.
    """

    def call(function, *arguments, **options):
        return __salt__[f"marathon.{function}"](
            *arguments, profile=profile, **connection, **options
        )

    verification = _verification.AppVerification(call, name, timeout)
    return _verification.run(name, timeout, verification, __opts__["test"])


def step_allowed(
    name,
    since,
    before=None,
    stops=(),
    mesos=None,
    masters=None,
    same_store=None,
    peers=None,
    orchestrated=False,
):
    """
    Fail if the installed Marathon cannot be replaced by another version in one step. Changes
    nothing.

    Whichever Marathon is elected reads the store in ZooKeeper, and exits if another version left it
    that is newer or too old. It also exits if the leading Mesos master is too old for it, as while
    the masters are upgraded one after the other. ``formulas/marathon/steps.py`` and
    ``formulas/mesos/frameworks.py`` list the versions.

    Where several Marathons share a store, an upgrade that migrates it needs all but one of them to
    be stopped, as ``orchestration.upgrade`` does. Otherwise one of the old version could be elected
    after the migration, and exit, as often as systemd starts it.

    .. code-block:: yaml

        marathon-step:
          marathon.step_allowed:
            - name: 1.8.244
            - since: 1.6.0
            - before: 1.9.0
            - same_store: 1.8.207
            - stops:
                - {version: 1.6.567, since: 1.4.0}
                - {version: 1.4.13, since: 0.8.0}
            - mesos: 1.5.0
            - masters: http://10.0.0.1:5050,http://10.0.0.2:5050,http://10.0.0.3:5050
            - peers: http://10.0.0.1:8080,http://10.0.0.2:8080,http://10.0.0.3:8080

    name
        The version of the package ``marathon`` that is to be installed.

    since
        The first version from which the step is possible.

    before
        The first version above it from which it is not. Default: no limit.

    stops
        Versions by way of which it is possible from those that are too old, the last one on the way
        first. Each has its ``version``, and its ``since`` as above. Default: none.

    mesos
        The oldest Mesos with which the version works. Default: any.

    masters
        URLs of the Mesos masters, see ``mesos.connection``. The leader is asked for its version if
        another version of Marathon is installed. Default: it is not.

    same_store
        The first version that leaves the same store: from there on nothing is migrated. Default:
        this is not checked.

    peers
        URLs of all Marathons that share the store, see ``marathon.connection``. If there are
        several, and the store would be migrated, the step is only allowed if a Marathon with the
        new store leads. Default: there is one.

    orchestrated
        Whether the caller has made sure that no other old Marathon can be elected. Default False.

    A test run does not ask a single master, as the run itself may upgrade it, and neither does an
    orchestrated one.

    Succeeds if the package is not installed, whatever is in ZooKeeper.
    """
    installed = __salt__["pkg.version"]("marathon")
    numbers = _version_numbers(installed)
    setting = f"marathon:version = {name} on {__grains__['id']}"
    if not numbers:
        result, comment = True, f"Marathon {name} can be installed"
    elif numbers < _version_numbers(since):
        next_stops = [stop for stop in stops if _version_numbers(stop["since"]) <= numbers]
        advice = "No intermediate version can migrate it."
        if next_stops:
            stop = next_stops[0]["version"]
            advice = f"On all nodes with Marathon, upgrade to {stop} first."
        result = False
        comment = (
            f"{setting}: reads the store of {since} and later only, and {installed} is installed. "
            f"{advice}"
        )
    elif before is not None and numbers >= _version_numbers(before):
        result = False
        comment = (
            f"{setting}: cannot read the store of {installed}, which is installed. Keep that "
            "version. To go back, restore a backup of the store and remove the package first."
        )
    else:
        result, comment = True, f"Marathon {installed} can be replaced by {name}"
        obstacle = None
        if not orchestrated:
            obstacle = _store_obstacle(installed, same_store, peers)
        if not obstacle and not (orchestrated and __opts__["test"]):
            obstacle = _mesos_obstacle(name, numbers, mesos, masters)
        if obstacle:
            result, comment = False, f"{setting}: {obstacle}"
    return {"name": name, "result": result, "changes": {}, "comment": comment}


def store_saved(name, version, same_store, zookeeper, peers=None, directory=SAVED_STORES):
    """
    Save the store of a single Marathon before another version migrates it.

    A migrated store cannot be read by the old version. If several Marathons share the store,
    ``orchestration.upgrade`` migrates it, and takes a backup of the cluster before.

    .. code-block:: yaml

        marathon-store-saved:
          marathon.store_saved:
            - name: /marathon
            - version: 1.8.244
            - same_store: 1.8.207
            - zookeeper: 10.0.0.1:2181

    name
        The path of the store in ZooKeeper.

    version
        The version of the package ``marathon`` that is about to be installed.

    same_store
        The first version that leaves the same store: from there on nothing is migrated.

    zookeeper
        The ZooKeeper servers of the store: ``host:port[,host:port]``.

    peers
        URLs of all Marathons that share the store, see ``marathon.connection``. If there are
        several, nothing is saved. Default: there is one.

    directory
        Where to save it, default ``/var/lib/salt-mesos``. The file is named after the installed
        version and the time, in UTC, and only root can read it. ``zk.restore`` reads it. The newest
        10 files of a version are kept.

    Fails if the store cannot be read, so require it for the package. Saves nothing if the package
    is not installed, if its store is not migrated, or if ZooKeeper has no store.
    """
    installed = __salt__["pkg.version"]("marathon")
    numbers = _version_numbers(installed)
    urls = peers.split(",") if isinstance(peers, str) else peers or []
    result = {"name": name, "result": True, "changes": {}}
    if not numbers or numbers >= _version_numbers(same_store) or len(urls) > 1:
        return {**result, "comment": f"Marathon {version} does not migrate the store here"}
    changes = {name: "saved"}
    servers, port = _zookeeper_servers(zookeeper)
    no_store = {**result, "comment": f"There is no store at {name}"}
    if __opts__["test"]:
        # The run itself may start ZooKeeper.
        with contextlib.suppress(CommandExecutionError, SaltInvocationError):
            if not __salt__["zk.export"](name, servers=servers, port=port)["znodes"]:
                return no_store
        comment = f"The store {name} would be saved in {directory}"
        return {**result, "result": None, "changes": changes, "comment": comment}
    prefix = f"{directory}/marathon-store-{'.'.join(map(str, numbers))}-"
    file = f"{prefix}{time.strftime('%Y-%m-%dT%H-%M-%SZ', time.gmtime())}.jsonl"
    try:
        count = __salt__["zk.save"](name, file, servers=servers, port=port)
    except (CommandExecutionError, SaltInvocationError) as error:
        comment = f"Marathon {version} would migrate the store {name}, which cannot be saved: "
        return {**result, "result": False, "comment": f"{comment}{error}"}
    if not count:
        return no_store
    # A run that fails later, and is repeated, must not fill the disk.
    for old_file in sorted(glob.glob(f"{glob.escape(prefix)}*.jsonl"))[:-MAX_SAVED_STORES]:
        with contextlib.suppress(OSError):
            os.remove(old_file)
    comment = f"{_ready.plural(count, 'znode')} of {name} saved in {file}"
    return {**result, "changes": changes, "comment": comment}


def _zookeeper_servers(text):
    """Return the servers in ``host:port[,host:port]`` as addresses by id, and their port."""
    hosts_by_port = {}
    for entry in text.split(","):
        host, colon, port = entry.rpartition(":")
        if not colon or "]" in port:
            host, port = entry, "2181"
        hosts_by_port.setdefault(port, []).append(host.strip("[]"))
    # Servers of one port are enough: any server that serves is asked.
    port, hosts = next(iter(hosts_by_port.items()))
    return dict(enumerate(hosts, start=1)), int(port) if port.isdigit() else port


def _store_obstacle(installed, same_store, peers):
    """Return why this node must not get a version that migrates the store, None if it may."""
    urls = peers.split(",") if isinstance(peers, str) else peers or []
    if same_store is None or len(urls) < 2:
        return None
    oldest = _version_numbers(same_store)
    if _version_numbers(installed) >= oldest:
        return None
    leader = "no Marathon leads"
    with contextlib.suppress(CommandExecutionError):
        version = __salt__["marathon.info"](url=urls, timeout=LEADER_TIMEOUT, retries=0)["version"]
        if _version_numbers(version) >= oldest:
            return None
        leader = f"Marathon {version} leads"
    return (
        f"would migrate the store, which {installed} cannot read afterwards, and {leader}. "
        "All but one of the Marathons have to be stopped first. Run: salt-run state.orchestrate "
        "orchestration.upgrade"
    )


def _mesos_obstacle(version, installed_numbers, mesos, masters):
    """Return why the leading master does not allow a version of Marathon, None if it does."""
    if not mesos or not masters or installed_numbers == _version_numbers(version):
        return None
    urls = masters.split(",") if isinstance(masters, str) else masters
    if __opts__["test"] and len(urls) == 1:
        return None
    try:
        leader = __salt__["mesos.leader"](url=masters)["url"]
        leader_version = __salt__["mesos.version"](url=leader)["version"]
    except CommandExecutionError as error:
        return f"needs Mesos {mesos}, and the version of the leading master is unknown: {error}"
    if _version_numbers(leader_version) >= _version_numbers(mesos):
        return None
    return (
        f"needs Mesos {mesos}, and the leading master {leader} has {leader_version}. Apply the "
        "states again when all masters are upgraded."
    )


def app_present(
    name,
    config=None,
    mode="merge",
    unset=(),
    instances_managed=True,
    force=False,
    wait=False,
    timeout=300,
    rollback=False,
    wait_for_lock=0,
    show_secrets=False,
    profile=None,
    **connection,
):
    """
    Ensure that an app exists as declared. Defaults and values that Marathon fills in are not
    differences. A change of any field except ``instances`` restarts the tasks. A watched change
    restarts an app that is otherwise unchanged.

    .. code-block:: yaml

        /web:
          marathon.app_present:
            - config:
                cmd: python3 -m http.server $PORT0
                cpus: 0.1
                mem: 32
                instances: 2
            - wait: True

        /shop/cart:
          marathon.app_present:
            - config: salt://apps/cart.json
            - instances: 3

    name
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    config
        Fields of the app, a mapping as in Marathon's JSON; deprecated forms are accepted. Or a file
        with the fields, ``salt://apps/web.yaml`` or ``.json``, which is not rendered with Jinja. Or
        a place in pillar, ``pillar:apps:web``, which keeps secrets out of the state's arguments.
        The fields that ``marathon.fields`` lists can also be arguments of the state, with or
        without ``config``. A field that Marathon does not have, such as ``maintainer``, is ignored,
        with a warning in the comment, unless it looks like a misspelt field.

        Text that YAML converts to another type is rejected if that can be detected: ``DEBUG: yes``,
        ``VERSION: 1.10``. In an SLS, ``0644`` and ``22:22`` need quotes, since they arrive as
        numbers; in a file they are rejected.

    mode
        ``merge`` (default): manage only the declared fields. ``replace``: reset all others to their
        defaults, except ``instances`` and ``role``.

    unset
        List of fields to remove. Default: none.

    instances_managed
        False: set ``instances`` only when the app is created, because something else scales it.
        Default True.

    force
        True: cancel a running deployment of the same app. Default False: fail with the ids of the
        running deployments.

    wait
        True: wait until the deployment ends, and fail if it is cancelled, fails or exceeds
        ``timeout``. An unchanged app with a running deployment is waited for, too. Default False:
        do not wait for the deployment.

    timeout
        Seconds to wait for the deployment, 1 to 3600, default 300.

    rollback
        True: revert a deployment that fails or exceeds ``timeout``, which takes up to ``timeout``
        seconds more. An app that was new is deleted. The state fails nevertheless. Requires
        ``wait``. Default False: leave it as it is.

    wait_for_lock
        Seconds to retry while another deployment locks the app, 0 to 3600, default 0.

    show_secrets
        True: report values that look like secrets. Default False: replace them with ``***``.

    profile, connection
        Connection settings: see ``marathon.connection`` of the execution module. Only ``timeout``
        has a different meaning here.
    """
    marathon = _Marathon(
        "app", name, force, wait, timeout, wait_for_lock, profile, connection, takes_fields=True
    )
    return _present(marathon, config, mode, unset, instances_managed, show_secrets, rollback)


def app_absent(
    name,
    force=False,
    wait=False,
    timeout=300,
    wait_for_lock=0,
    show_secrets=False,
    profile=None,
    **connection,
):
    """
    Ensure that an app does not exist: delete it and its tasks.

    .. code-block:: yaml

        /web:
          marathon.app_absent: []

    name
        Id of the app.

    force, wait, timeout, wait_for_lock, show_secrets, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Marathon("app", name, force, wait, timeout, wait_for_lock, profile, connection)
    return _absent(marathon, show_secrets)


def app_running(
    name,
    instances=1,
    force=False,
    wait=False,
    timeout=300,
    wait_for_lock=0,
    profile=None,
    **connection,
):
    """
    Ensure that an existing app is not suspended. An app with instances keeps their number. A
    watched change restarts an app that was not suspended.

    .. code-block:: yaml

        /web:
          marathon.app_running:
            - instances: 2
            - wait: True

    name
        Id of the app.

    instances
        Number of instances for a suspended app: a whole number, 1 or more. Default 1.

    force, wait, timeout, wait_for_lock, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Marathon("app", name, force, wait, timeout, wait_for_lock, profile, connection)
    return _scaled(marathon, instances, 1, lambda current: current or instances)


def app_suspended(
    name, force=False, wait=False, timeout=300, wait_for_lock=0, profile=None, **connection
):
    """
    Ensure that an existing app is suspended, which means without instances.

    .. code-block:: yaml

        /web:
          marathon.app_suspended: []

    name
        Id of the app.

    force, wait, timeout, wait_for_lock, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Marathon("app", name, force, wait, timeout, wait_for_lock, profile, connection)
    return _scaled(marathon, 0, 0, lambda current: 0)


def app_scaled(
    name,
    instances,
    force=False,
    wait=False,
    timeout=300,
    wait_for_lock=0,
    profile=None,
    **connection,
):
    """
    Ensure that an existing app has a number of instances. The remaining instances are not
    restarted.

    .. code-block:: yaml

        /web:
          marathon.app_scaled:
            - instances: 5

    name
        Id of the app.

    instances
        A whole number, 0 or more.

    force, wait, timeout, wait_for_lock, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Marathon("app", name, force, wait, timeout, wait_for_lock, profile, connection)
    return _scaled(marathon, instances, 0, lambda current: instances)


def app_restarted(
    name, force=False, wait=False, timeout=300, wait_for_lock=0, profile=None, **connection
):
    """
    Replace all tasks of an app if a watched state changed. Changes nothing otherwise.

    .. code-block:: yaml

        /web:
          marathon.app_restarted:
            - wait: True
            - watch:
              - file: /srv/web/settings.json

    ``onchanges`` works as well as ``watch``.

    name
        Id of the app. It must exist when it is restarted.

    force, wait, timeout, wait_for_lock, profile, connection
        See ``marathon.app_present``.
    """
    # Salt calls mod_watch for watch and listen, but this function for onchanges.
    if __low__.get("onchanges") or __low__.get("onchanges_any"):
        return mod_watch(
            name, "app_restarted", force, wait, timeout, wait_for_lock, profile, **connection
        )
    return {
        "name": name,
        "result": True,
        "changes": {},
        "comment": f"{name} is restarted only if something that it watches changes",
    }


def mod_watch(
    name,
    sfun=None,
    force=False,
    wait=False,
    timeout=300,
    wait_for_lock=0,
    profile=None,
    config=None,
    mode=None,
    unset=None,
    instances=None,
    instances_managed=None,
    show_secrets=None,
    rollback=None,
    **connection,
):
    """
    Restart an app after a change that ``marathon.app_present``, ``marathon.app_running`` or
    ``marathon.app_restarted`` watches. Called by Salt, with all arguments of that state.

    .. code-block:: yaml

        /web:
          marathon.app_running:
            - watch:
              - file: /srv/web/settings.json
    """
    if sfun not in RESTARTS:
        supported = [f"marathon.{state}" for state in RESTARTS]
        return {
            "name": name,
            "result": False,
            "changes": {},
            "comment": f"watch: marathon.{sfun} cannot watch; {', '.join(supported)} can",
        }
    marathon = _Marathon(
        "app",
        name,
        force,
        wait,
        timeout,
        wait_for_lock,
        profile,
        connection,
        takes_fields=sfun == "app_present",
    )

    def plan():
        marathon.check()
        before = None if marathon.foreseen() else marathon.ask("app")["version"]

        def act():
            begun = marathon.write("restart_app")
            if marathon.ask("app")["version"] == before:
                raise CommandExecutionError(
                    f"{name} was to be restarted, but Marathon still has its version {before}"
                )
            return marathon.waiter().settled(begun, f"{name} was restarted")

        return _declared.Plan(
            {"/restarted": {"old": False, "new": True}}, "", f"{name} would be restarted", act
        )

    return _declared.run_plan(name, __opts__["test"], plan)


def pod_present(
    name,
    config=None,
    mode="merge",
    unset=(),
    instances_managed=True,
    force=False,
    wait=False,
    timeout=300,
    wait_for_lock=0,
    show_secrets=False,
    profile=None,
    **connection,
):
    """
    Ensure that a pod exists as declared. A change of any field except ``scaling`` restarts its
    instances. Requires Marathon 1.4.

    .. code-block:: yaml

        /pod:
          marathon.pod_present:
            - config:
                containers:
                  - name: web
                    exec: {command: {shell: python3 -m http.server}}
                    resources: {cpus: 0.1, mem: 32}

    name
        Id of the pod.

    config
        Fields of the pod, a mapping as in Marathon's JSON, or a source as in
        ``marathon.app_present``.

    mode, unset
        See ``marathon.app_present``; ``replace`` keeps ``scaling`` and ``role``.

    instances_managed
        False: set ``scaling`` only when the pod is created. Default True.

    force, wait, timeout, wait_for_lock, show_secrets, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Marathon(
        "pod", name, force, wait, timeout, wait_for_lock, profile, connection, takes_fields=True
    )
    return _present(marathon, config, mode, unset, instances_managed, show_secrets)


def pod_absent(
    name,
    force=False,
    wait=False,
    timeout=300,
    wait_for_lock=0,
    show_secrets=False,
    profile=None,
    **connection,
):
    """
    Ensure that a pod does not exist: delete it and its instances. Requires Marathon 1.4.

    .. code-block:: yaml

        /pod:
          marathon.pod_absent: []

    name
        Id of the pod.

    force, wait, timeout, wait_for_lock, show_secrets, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Marathon("pod", name, force, wait, timeout, wait_for_lock, profile, connection)
    return _absent(marathon, show_secrets)


def apps_present(
    name,
    apps,
    mode="merge",
    instances_managed=True,
    purge=False,
    owner="salt",
    force=False,
    wait=False,
    timeout=300,
    rollback=False,
    wait_for_lock=0,
    show_secrets=False,
    profile=None,
    **connection,
):
    """
    Ensure that several apps exist as declared, with one read and one deployment. Marathon starts
    dependencies first. Changes are reported by app: ``{"/web": {"/labels/team": {"old": "a", "new":
    "b"}}}``.

    .. code-block:: yaml

        shop:
          marathon.apps_present:
            - apps:
                /shop/db:
                  cmd: sleep 3600
                  cpus: 0.1
                  mem: 32
                /shop/cart: salt://apps/cart.json
            - purge: True
            - owner: shop
            - wait: True

    name
        Any text.

    apps
        Mapping of ids to the fields of each app, or to a source as for ``config`` of
        ``marathon.app_present``. Dependencies must exist or be declared, and must not be circular.

    mode, instances_managed
        See ``marathon.app_present``; they apply to all apps.

    purge
        True: delete undeclared apps with the label of this owner, and nothing else. They are
        deleted after the other apps are deployed. Default False: keep them.

    owner
        Owner of the apps, text, default ``salt``. Each app gets the label ``MANAGED_BY`` with this
        value. The state fails if an app has another owner. Adding the label to an existing app
        restarts its tasks.

    rollback
        True: if the deployment fails or exceeds ``timeout``, revert all apps, delete new ones and
        purge none. Requires ``wait``. Default False.

    force, wait, timeout, wait_for_lock, show_secrets, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Marathon("apps", name, force, wait, timeout, wait_for_lock, profile, connection)

    def read():
        for argument, value in (
            ("instances_managed", instances_managed),
            ("purge", purge),
            ("rollback", rollback),
        ):
            _marathon_apps.require(isinstance(value, bool), argument, value, "True or False")
        _marathon_apps.require(
            wait or not rollback,
            "rollback",
            rollback,
            "False without wait: a failure is noticed only while the state waits",
        )
        _marathon_apps.require(mode in ("merge", "replace"), "mode", mode, "merge or replace")
        _marathon_apps.require(
            isinstance(owner, str) and owner.strip(), "owner", owner, "text, such as salt"
        )
        declared = _marathon_apps.load_members(apps, "apps", _load)
        current = _marathon_apps.Current(marathon)
        current.read_apps()
        owned_apps = {
            id: _marathon_apps.with_owner(
                id, config, current.apps.get(id), mode, instances_managed, owner
            )
            for id, config in declared.items()
        }
        deletions = {
            id: _marathon_apps.deletion(app)
            for id, app in current.apps.items()
            if purge and id not in declared and _marathon_apps.owner_of(app) == owner
        }
        return _marathon_apps.Declared(owned_apps, {}), current, deletions, mode

    return _keep(marathon, read, f"{name} is as declared", show_secrets, rollback)


def group_present(
    name,
    apps=None,
    groups=None,
    dependencies=None,
    enforceRole=None,
    purge=False,
    force=False,
    wait=False,
    timeout=300,
    wait_for_lock=0,
    show_secrets=False,
    profile=None,
    **connection,
):
    """
    Ensure that a group exists with its declared contents. Undeclared contents are kept unless
    ``purge`` is set: Marathon's PUT of a group would delete them, so it is never sent with apps or
    groups. Changes are reported by app and group: ``{"/shop/db": {"/mem": {"old": 32, "new": 64}},
    "/shop": {"/dependencies": {...}}}``.

    .. code-block:: yaml

        /shop:
          marathon.group_present:
            - apps:
                db:
                  cmd: sleep 3600
                  cpus: 0.1
                  mem: 32
                cart: salt://apps/cart.json
            - groups:
                jobs:
                  dependencies: [/shop/db]
            - dependencies: [/net]

    name
        Id of the group. ``/`` is not allowed.

    apps
        Apps of the group: ids mapped to fields, or a list with an ``id`` in each, as in Marathon's
        JSON. Only declared fields are managed. Each app can be a source as in
        ``marathon.app_present``. Default None: apps are not managed.

    groups
        Subgroups: ids mapped to ``apps``, ``groups`` and ``dependencies``, or a list with an ``id``
        in each. Default None: subgroups are not managed.

    dependencies
        List of ids of apps and groups that start before this group. Ids without a leading slash are
        relative to the group. Default None: dependencies are not managed.

    enforceRole
        True: apps and pods below this group get its name as their ``role``. False: they get the
        role of Marathon. Only for a group directly below ``/``; requires Marathon 1.9. Default
        None: not managed.

    purge
        True: delete undeclared apps if ``apps`` is set, and undeclared subgroups with their
        contents if ``groups`` is set. Pods of the group itself are kept. Each deletion is in the
        changes. Default False: keep them.

    force, wait, timeout, wait_for_lock, show_secrets, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Marathon("group", name, force, wait, timeout, wait_for_lock, profile, connection)

    def read():
        _marathon_apps.check_group_id(name)
        _marathon_apps.require(isinstance(purge, bool), "purge", purge, "True or False")
        groups_by_id = _marathon_apps.flatten_group(
            _marathon_apps.absolute_id(name),
            {
                "apps": apps,
                "groups": groups,
                "dependencies": dependencies,
                "enforceRole": enforceRole,
            },
            _load,
            marathon.collect_warnings,
        )
        declared = _marathon_apps.Declared({}, {}, {})
        for id, group in groups_by_id.items():
            declared.apps.update(group["apps"] or {})
            declared.dependencies[id] = group["dependencies"]
            if group["enforceRole"] is not None:
                declared.enforce_role[id] = group["enforceRole"]
        current = _marathon_apps.Current(marathon)
        current.read_apps()
        _marathon_apps.check_enforce_role_version(declared, current.version)
        current.read_groups()
        for id in groups_by_id.keys() - current.groups.keys():
            marathon.call("group_exists", id)  # rejects an invalid id
        deletions = current.undeclared_deletion(groups_by_id) if purge else {}
        return declared, current, deletions, "merge"

    return _keep(marathon, read, f"{name} is as declared", show_secrets)


def group_absent(
    name,
    force=False,
    wait=False,
    timeout=300,
    wait_for_lock=0,
    show_secrets=False,
    profile=None,
    **connection,
):
    """
    Ensure that a group does not exist: delete it with all apps, pods and groups in it. Each
    deletion is in the changes.

    .. code-block:: yaml

        /shop:
          marathon.group_absent: []

    name
        Id of the group. ``/`` is not allowed, as it contains everything.

    force, wait, timeout, wait_for_lock, show_secrets, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Marathon("group", name, force, wait, timeout, wait_for_lock, profile, connection)

    def read():
        _marathon_apps.check_group_id(name)
        declared = _marathon_apps.Declared({}, {})
        current = _marathon_apps.Current(marathon)
        if not marathon.ask("group_exists"):
            return declared, current, {}, "merge"
        current.read_apps()
        current.read_groups()
        deletions = current.group_deletion(_marathon_apps.absolute_id(name))
        return declared, current, deletions, "merge"

    return _keep(marathon, read, f"There is no group called {name}", show_secrets)


# --- helpers ---


class _Marathon:
    """Read and write apps, pods or groups for one state, and wait for their deployments."""

    def __init__(
        self,
        kind,
        name,
        force,
        wait,
        timeout,
        wait_for_lock,
        profile,
        connection,
        takes_fields=False,
    ):
        self.kind, self.name = kind, name
        self.force, self.wait, self.timeout, self.wait_for_lock = (
            force,
            wait,
            timeout,
            wait_for_lock,
        )
        # Salt also passes __reqs__ to mod_watch.
        arguments = {key: value for key, value in connection.items() if not key.startswith("__")}
        self.known_fields = (
            __salt__["marathon.fields"](kind, version=ALL_VERSIONS) if takes_fields else ()
        )
        self.fields = {key: value for key, value in arguments.items() if key in self.known_fields}
        self.warnings = []
        self.where = {
            "profile": profile,
            **{key: value for key, value in arguments.items() if key not in self.fields},
        }

    def check(self):
        """Validate the arguments before any request."""
        for argument in ("force", "wait"):
            _marathon_apps.require(
                isinstance(getattr(self, argument), bool),
                argument,
                getattr(self, argument),
                "True or False",
            )
        for argument, least in (("timeout", 1), ("wait_for_lock", 0)):
            value = getattr(self, argument)
            fits = (
                isinstance(value, (int, float))
                and not isinstance(value, bool)
                and least <= value <= 3600
            )
            _marathon_apps.require(
                fits, argument, value, f"a number of seconds from {least} to 3600"
            )

    def declared(self, config, unset):
        """Return the declared fields, from ``config`` and from the arguments of the state."""
        self.call("connection")  # rejects unknown arguments
        if config is None and not self.fields and not unset:
            raise SaltInvocationError(
                "config: nothing is declared. Set config, or fields such as cmd instead"
            )
        if config is None:
            return self.fields
        definition = _declared.load_definition(config, "config", __salt__, __low__, __pillar__)
        duplicates = sorted(self.fields.keys() & definition.keys())
        if duplicates:
            raise SaltInvocationError(
                f"{', '.join(duplicates)}: set twice, in config and as an argument"
            )
        return {**definition, **self.fields}

    def call(self, function, *arguments, **keywords):
        """Call a function of the execution module."""
        try:
            return __salt__[f"marathon.{function}"](*arguments, **keywords, **self.where)
        except SaltInvocationError as error:
            name, refused, _ = str(error).partition(": no such argument")
            if refused and self.known_fields:
                # Raises an error with the name of the field if this one is misspelt.
                __salt__["marathon.ignored_fields"]({name: None}, self.kind)
            raise

    def collect_warnings(self, config, kind, id="", current=None):
        """
        Collect warnings about fields that Marathon ignores, for the comment of the state.

        config, kind, current
            Arguments of ``marathon.ignored_fields``, which lists them.

        id
            Id of the group that has these fields, which precedes them.

        Raises SaltInvocationError for misspelt fields.
        """
        prefix = f"{id}: " if id else ""
        try:
            messages = __salt__["marathon.ignored_fields"](config, kind, current=current)
        except SaltInvocationError as error:
            raise SaltInvocationError(f"{prefix}{error}") from None
        self.warnings += [f"{prefix}{message}" for message in messages]

    def with_warnings(self, result):
        """Return the result of a state with the warnings in its comment, unless it was refused."""
        if result["result"] is False and not result["changes"]:
            return result
        return {**result, "comment": ". ".join([result["comment"], *self.warnings])}

    def ask(self, function, *arguments, **keywords):
        """Call a function that reads, with the name as its first argument."""
        return self.call(function, self.name, *arguments, **keywords)

    def write(self, function, *arguments, **keywords):
        """Call a function that writes, with the name as its first argument."""
        return self.send(function, self.name, *arguments, **keywords)

    def send(self, function, *arguments, again=(), **keywords):
        """
        Call a function that writes, and retry until ``wait_for_lock`` expires while another
        deployment locks the app. ``again`` has arguments that replace others in a retry.
        """
        deadline = time.monotonic() + self.wait_for_lock
        while True:
            try:
                result = self.call(function, *arguments, force=self.force, **keywords)
                if self.wait:
                    # Wait for the next leader, too, which continues the deployment.
                    self.where = {"retries": WAIT_RETRIES, **self.where}
                return result
            except CommandExecutionError as error:
                remaining = deadline - time.monotonic()
                info = getattr(error, "info", None)
                locked = (
                    isinstance(info, Mapping)
                    and info.get("status") == 409
                    and info.get("deployments")
                )
                if not locked or remaining <= 0:
                    raise
            keywords.update(again)
            time.sleep(min(WAIT_INTERVAL, remaining))

    def foreseen(self):
        """
        Return what earlier states of a test run would change, ``{"instances": 2}``, or None. Raises
        CommandExecutionError if they would delete the app.
        """
        name = _marathon_apps.absolute_id(self.name)
        pending = _foreseen().get(name)
        if pending is False:
            raise CommandExecutionError(
                f"There is no app called {name}: a state before this one would delete it"
            )
        return pending

    def waiter(self, find_deployments=None, find_problem=None):
        """Return a ``_Waiter``, by default for the deployments of this app or pod."""
        return _Waiter(self, find_deployments or self._deployments, find_problem or self._problem)

    def _deployments(self):
        """Return the running deployments that change it."""
        return self.ask("deployments")

    def _problem(self):
        """Return what is missing after a deployment; None if nothing is, or the app was deleted."""
        if not self.ask(f"{self.kind}_exists"):
            return None
        if self.kind == "pod":
            status = self.ask("pod_status")
            return (
                None
                if status["status"] == "STABLE"
                else f"it is {status['status']}: {status.get('message') or 'no reason given'}"
            )
        return _marathon_apps.instance_problem(self.ask("app", embed=["counts", "lastTaskFailure"]))


class _Waiter:
    """
    Waits for deployments, and undoes those that fail.

    find_deployments
        Function that returns the running deployments.

    find_problem
        Function that returns what is still missing after a deployment, None if nothing is.
    """

    def __init__(self, marathon, find_deployments, find_problem):
        self._marathon = marathon
        self._find_deployments = find_deployments
        self._find_problem = find_problem

    def settled(self, begun, comment, undo=None):
        """
        Wait for deployments if the state waits, and return the comment. Raises IncompleteChange if
        one does not succeed. ``undo`` is called then with the deployment, None if it has ended; it
        returns a comment and the remaining changes.
        """
        deployments = [
            item["deploymentId"] for item in ([begun] if isinstance(begun, Mapping) else begun)
        ]
        if not self._marathon.wait:
            under_way = [item for item in deployments if item]
            return (
                f"{comment}; deployment {', '.join(under_way)} is under way"
                if under_way
                else comment
            )
        for deployment in deployments:
            result, fault = self.outcome(deployment)
            if result == "done":
                continue
            if undo and result != "cancelled":
                undone, changes = undo(deployment if result == "timeout" else None)
                raise _declared.IncompleteChange(f"{comment}, but {fault}. {undone}", changes)
            raise _declared.IncompleteChange(f"{comment}, but {fault}{_advice(result, deployment)}")
        return f"{comment}, and its deployment has finished" if deployments else comment

    def undone(self, begin, is_back):
        """
        Start and await the undo. Return a comment and the remaining changes; None: all of them.
        """
        try:
            faults = [
                fault
                for result, fault in [self.outcome(item["deploymentId"]) for item in begin()]
                if result != "done"
            ]
            back = is_back()
        except CommandExecutionError as error:
            faults, back = [str(error)], False
        if back:
            return (
                f"The change was undone{', but ' + faults[0] if faults else ''}",
                {},
            )
        return (
            f"The change could not be undone: {faults[0] if faults else 'it is still in effect'}",
            None,
        )

    def under_way(self):
        """
        Wait for deployments of an unchanged app if the state waits. Raises CommandExecutionError.
        """
        for deployment in (
            self._find_deployments() if self._marathon.wait and not __opts__["test"] else ()
        ):
            result, fault = self.outcome(deployment["id"])
            if result != "done":
                raise CommandExecutionError(
                    f"{self._marathon.name} is as declared, but {fault}"
                    f"{_advice(result, deployment['id'])}"
                )

    def outcome(self, deployment):
        """
        Wait for a deployment. Return the result as ``marathon.wait_deployment``, and a problem.
        """
        outcome = {"result": "unknown"}
        if deployment:
            outcome = self._marathon.call(
                "wait_deployment",
                deployment,
                timeout=self._marathon.timeout,
                interval=WAIT_INTERVAL,
            )
        result = outcome["result"]
        if result == "unknown":  # it had ended before the first request
            problem = self._find_problem()
            return ("failed", problem) if problem else ("done", None)
        seconds = _ready.plural(self._marathon.timeout, "second")
        goes_on = f"was still running after {seconds}"
        ending = {
            "timeout": goes_on,
            "cancelled": f"{deployment} was cancelled",
            "failed": f"{deployment} failed",
        }.get(result)
        return result, f"its deployment {ending}: {outcome['reason']}"


def _version_numbers(version):
    """Return ``1.4.13-1.0.678.el7`` as [1, 4, 13], to compare it; [] if nothing is installed."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return [int(number) for number in match.group(1).split(".")] if match else []


def _foreseen():
    """
    Return what earlier states of a test run would change: id to ``{"instances": 2}``, False if it
    would be deleted.
    """
    pending = {}
    for low, state_changes in (
        _declared.pending_changes(__low__, __lowstate__, __running__) if __opts__["test"] else ()
    ):
        for id, changes in (
            state_changes.items()
            if low["fun"] in MULTIPLE_APP_STATES
            else ((_marathon_apps.absolute_id(low["name"]), state_changes),)
        ):
            replacement, instances = changes.get("/"), changes.get("/instances")
            if replacement:
                pending[id] = (
                    {"instances": replacement["new"].get("instances")}
                    if replacement["new"]
                    else False
                )
            elif instances:
                pending[id] = {"instances": instances["new"]}
    return pending


def _keep(marathon, read, unchanged_comment, show_secrets, rollback=False):
    """Apply several apps and groups. ``read`` returns them, the deletions and the mode."""

    def plan():
        marathon.check()
        _marathon_apps.require(
            isinstance(marathon.name, str) and marathon.name.strip(), "name", marathon.name, "text"
        )
        declared, current, deletions, mode = read()
        apps = _marathon_apps.Apps(marathon, declared, current, mode, _foreseen)
        return apps.plan(deletions, unchanged_comment, rollback)

    result = _declared.run_plan(marathon.name, __opts__["test"], plan, show_secrets)
    return marathon.with_warnings(result)


def _load(config, source):
    return _declared.load_definition(config, source, __salt__, __low__, __pillar__)


def _advice(result, deployment):
    """Return advice for a deployment that did not succeed."""
    advice = {
        "timeout": f". It was not undone; marathon.cancel_deployment {deployment} undoes it",
        "failed": ". It was not undone; marathon.queue shows what it waits for, and the logs of "
        "the tasks show why they end",
    }
    return advice.get(result, "")


def _present(
    marathon, config_argument, mode, unset, instances_managed, show_secrets, rollback=False
):
    kind, name = marathon.kind, marathon.name

    def differences(config):
        changes = marathon.ask(f"diff_{kind}", config, mode=mode, unset=unset)
        if instances_managed or "/" in changes:
            return changes
        return {
            path: change
            for path, change in changes.items()
            if path.split("/")[1] != SCALING_FIELDS[kind]
        }

    def plan():
        marathon.check()
        _marathon_apps.require(
            isinstance(instances_managed, bool),
            "instances_managed",
            instances_managed,
            "True or False",
        )
        _marathon_apps.require(isinstance(rollback, bool), "rollback", rollback, "True or False")
        _marathon_apps.require(
            marathon.wait or not rollback,
            "rollback",
            rollback,
            "False without wait: a failure is noticed only while the state waits",
        )
        config = marathon.declared(config_argument, unset)
        changes = differences(config)
        is_new = "/" in changes
        current = None
        if kind == "app" and mode == "merge" and not is_new and PORT_FIELDS & config.keys():
            current = marathon.ask("app")
        marathon.collect_warnings(config, kind, current=current)
        if not changes:
            marathon.waiter().under_way()

        def act():
            before = marathon.ask(kind)["version"] if rollback and not is_new else None

            def undo(deployment):
                def begin():
                    if deployment:
                        return [marathon.call("cancel_deployment", deployment)]
                    return [
                        marathon.write("delete_app")
                        if is_new
                        else marathon.write("rollback_app", before)
                    ]

                return marathon.waiter().undone(begin, lambda: differences(config) == changes)

            if is_new:
                begun = marathon.write(f"create_{kind}", config)
            else:
                fields = {
                    field: value
                    for field, value in config.items()
                    if instances_managed or field != SCALING_FIELDS[kind]
                }
                options = {"partial": mode == "merge"} if kind == "app" else {"mode": mode}
                begun = marathon.write(f"update_{kind}", fields, unset=unset, **options)
            remaining = differences(config)
            if remaining:
                raise _declared.IncompleteChange(
                    f"{name} was sent, but Marathon has different values at "
                    f"{', '.join(sorted(remaining))}"
                )
            return marathon.waiter().settled(
                begun,
                f"{name} was {'created' if is_new else 'updated'}",
                undo if rollback else None,
            )

        return _declared.Plan(
            changes,
            f"{name} is as declared",
            f"{name} would be {'created' if is_new else 'updated'}",
            act,
        )

    result = _declared.run_plan(name, __opts__["test"], plan, show_secrets)
    return marathon.with_warnings(result)


def _absent(marathon, show_secrets):
    kind, name = marathon.kind, marathon.name

    def plan():
        marathon.check()
        changes = {}
        if marathon.ask(f"{kind}_exists"):
            changes = _marathon_apps.deletion(marathon.ask(kind))

        def act():
            try:
                begun = marathon.write(f"delete_{kind}")
            except CommandExecutionError:
                if marathon.ask(f"{kind}_exists"):
                    raise
                return f"{name} was deleted by another client"
            if marathon.ask(f"{kind}_exists"):
                raise _declared.IncompleteChange(f"{name} was deleted, but it exists again")
            return marathon.waiter().settled(begun, f"{name} was deleted")

        return _declared.Plan(
            changes, f"There is no {kind} called {name}", f"{name} would be deleted", act
        )

    return _declared.run_plan(name, __opts__["test"], plan, show_secrets)


def _scaled(marathon, instances, least, new_instances):
    name = marathon.name

    def plan():
        marathon.check()
        is_integer = isinstance(instances, int) and not isinstance(instances, bool)
        _marathon_apps.require(
            is_integer and instances >= least,
            "instances",
            instances,
            f"a whole number, {least} or more",
        )
        old = (marathon.foreseen() or marathon.ask("app"))["instances"]
        new = new_instances(old)
        if old == new:
            marathon.waiter().under_way()

        def act():
            begun = marathon.write("scale_app", new)
            actual = marathon.ask("app")["instances"]
            if actual != new:
                raise _declared.IncompleteChange(
                    f"{name} was scaled to {new} instances, but Marathon has {actual}"
                )
            return marathon.waiter().settled(begun, f"{name} was scaled from {old} to {new}")

        changes = {"/instances": {"old": old, "new": new}} if old != new else {}
        return _declared.Plan(
            changes,
            f"{name} has {old} instances",
            f"{name} would be scaled from {old} to {new}",
            act,
        )

    return _declared.run_plan(name, __opts__["test"], plan)
