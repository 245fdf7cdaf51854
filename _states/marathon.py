"""
Promises about Marathon: a leader that answers, and apps and pods that are as declared.

Each reads, compares, says what differs, changes that and reads it back. Changes are ``{path: {"old": ..., "new": ...}}``, with
paths such as ``/labels/team``; an app or pod as a whole is ``/``. States about several apps have such changes for each id:
``{"/web": {"/labels/team": {...}}}``. With ``test=True`` they are the same, and nothing is sent. What all states have in common
is told at ``marathon.app_present``.
"""

import difflib
import importlib
import time
from collections.abc import Mapping

import _declared
import _ready
from salt.exceptions import CommandExecutionError, SaltInvocationError

# After a sync Salt still has the old helpers in sys.modules.
importlib.reload(_declared)
importlib.reload(_ready)

INTERVAL = 0.5  # seconds between two looks at a deployment or at a lock
PATIENT = 60  # times that a question which nobody answered is asked again, once something has begun
# What says how many instances there are.
AMOUNT = {"app": "instances", "pod": "scaling"}
# How an app does, which is no part of what it is.
DOING = (
    "deployments",
    "lastTaskFailure",
    "readinessCheckResults",
    "taskStats",
    "tasks",
    "tasksHealthy",
    "tasksRunning",
    "tasksStaged",
    "tasksUnhealthy",
    "version",
    "versionInfo",
)
RESTARTS = ("app_present", "app_running", "app_restarted")
OWNER = "MANAGED_BY"  # the label that says whose an app of apps_present is
ALL_VERSIONS = "99.0"
MOST = 10  # of what is told in a line
MANY = ("apps_present", "group_present", "group_absent")  # their changes stand below ids


def __virtual__():
    """Say why where the module that this one asks is not there."""
    if "marathon.leader" in __salt__:
        return True
    return (
        False,
        "The execution module marathon of this repository is not loaded (on a proxy minion for Marathon that of Salt is)",
    )


def available(name, url=None, timeout=120):
    """
    Wait until Marathon has a leader that answers. Changes nothing.

    .. code-block:: yaml

        marathon-leader:
          marathon.available:
            - url: [http://10.0.0.1:8080, http://10.0.0.2:8080]
            - timeout: 120

    name
        Free text.

    url
        Where the servers are: a URL, several with commas, or a list. If not given the setting ``marathon:url`` counts, else
        ``http://127.0.0.1:8080``. One of them is enough that answers; those that do not lead ask the leader.

    timeout
        Seconds. 0: ask once.

    Fails with what each server last said.
    """
    leader = __salt__["marathon.leader"]

    def question(seconds):
        found = leader(url=url, timeout=seconds)
        return True, f"{found['url']} leads"

    return _ready.wait_until_ready(
        name, "a leader of Marathon", question, timeout, __opts__["test"]
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
    Keep an app as it is declared. Defaults, and what Marathon fills in, are no difference. Anything that differs but
    ``instances`` restarts the tasks of the app. Restarts it, too, if something watched changes and the app does not.

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
        The fields of the app, a mapping as in Marathon's JSON; the older forms are understood, too. Or the file that has them:
        ``salt://apps/web.yaml`` or ``.json``, taken as it is, without Jinja. Or where in pillar they are, ``pillar:apps:web``, which
        keeps secrets out of the arguments of the state. Fields may also be arguments of the state, beside it or in its place:
        those that ``marathon.fields`` lists.

        Text that YAML takes for something else is refused where that is seen: ``DEBUG: yes``, ``VERSION: 1.10``. An SLS does
        not tell ``0644`` from ``644``, nor ``22:22`` from ``1342``: they need quotes there; in a file they are refused.

    mode
        ``merge`` (default): only the fields that are given count. ``replace``: all of them, except ``instances`` and ``role`` if
        they are not given.

    unset
        Names of fields to be removed, a list. Default none.

    instances_managed
        False: ``instances`` counts for an app that is made, and not any more afterwards, as something else scales it. Default
        True.

    force
        True: a deployment that is under way for the same is given up for this. Default False: the state fails then, with the
        ids of those.

    wait
        True: wait until the deployment is over, and fail if it was cancelled, or failed, or the time is over. An app that is as
        declared while its deployment is under way is waited for, too. Default False: Marathon has only begun.

    timeout
        Seconds to wait for the deployment, 1 to 3600, default 300.

    rollback
        True: if the deployment fails, or the time is over, it is undone, which takes up to ``timeout`` seconds more: the app is
        what it was before, or gone if it was new. The state fails nevertheless. Needs ``wait``. Default False: it is left as it
        is.

    wait_for_lock
        Seconds to try again while another deployment locks the app, up to 3600, default 0.

    show_secrets
        True: values in the changes that look like secrets are shown. Default False: they are ``***``.

    profile, connection
        Where and how to ask: see ``marathon.connection`` of the execution module; only ``timeout`` is another one here.
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
    Keep an app away: delete it and its tasks.

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
    Keep an app from being suspended. It has to be there. One that has instances keeps their number. Restarts it if something
    watched changes and it was not suspended.

    .. code-block:: yaml

        /web:
          marathon.app_running:
            - instances: 2
            - wait: True

    name
        Id of the app.

    instances
        How many instances an app gets that has none: a whole number, 1 or more. Default 1.

    force, wait, timeout, wait_for_lock, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Marathon("app", name, force, wait, timeout, wait_for_lock, profile, connection)
    return _scaled(marathon, instances, 1, lambda current: current or instances)


def app_suspended(
    name, force=False, wait=False, timeout=300, wait_for_lock=0, profile=None, **connection
):
    """
    Keep an app without instances. It has to be there.

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
    Keep an app at a number of instances. It has to be there. None of those that stay restarts.

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
    Replace all tasks of an app by new ones if something that this watches changed. Changes nothing otherwise.

    .. code-block:: yaml

        /web:
          marathon.app_restarted:
            - wait: True
            - watch:
              - file: /srv/web/settings.json

    With ``onchanges`` in place of ``watch`` it does the same.

    name
        Id of the app. It has to be there when it is restarted.

    force, wait, timeout, wait_for_lock, profile, connection
        See ``marathon.app_present``.
    """
    # Salt calls mod_watch for watch and listen; with onchanges it comes here, and only if there are changes.
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
    Restart an app, as something changed that ``marathon.app_present``, ``marathon.app_running`` or ``marathon.app_restarted``
    watches. Called by Salt, with all arguments of these.

    .. code-block:: yaml

        /web:
          marathon.app_running:
            - watch:
              - file: /srv/web/settings.json
    """
    if sfun not in RESTARTS:
        return {
            "name": name,
            "result": False,
            "changes": {},
            "comment": f"watch: marathon.{sfun} cannot watch; {', '.join(f'marathon.{each}' for each in RESTARTS)} can",
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
            return marathon.settled(begun, f"{name} was restarted")

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
    Keep a pod as it is declared. Anything that differs but ``scaling`` restarts its instances. Needs Marathon 1.4.

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
        The fields of the pod, a mapping as in Marathon's JSON, or a file that has them, or both, as of an app.

    mode, unset
        As of an app; ``replace`` keeps ``scaling`` and ``role`` if they are not given.

    instances_managed
        False: ``scaling`` counts for a pod that is made, and not any more afterwards. Default True.

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
    Keep a pod away: delete it and its instances. Needs Marathon 1.4.

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
    Keep many apps as they are declared: one read, and one deployment for all that differ. Marathon starts what others depend on
    before these. Changes are told by app: ``{"/web": {"/labels/team": {"old": "a", "new": "b"}}}``.

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
        Free text.

    apps
        Ids of apps to their fields: a mapping each, or the file or place in pillar that has them, as of
        ``marathon.app_present``. What an app depends on has to be there, or be declared, too; a circle of those is refused.

    mode, instances_managed
        As of ``marathon.app_present``, for all of them.

    purge
        True: apps that have the label of this owner, and are not declared, are deleted; nothing else ever is. They go after
        the others were sent and, with ``wait``, run. Default False: they stay.

    owner
        Whose the apps are, text, default ``salt``: each gets the label ``MANAGED_BY`` with it. An app that has that of another
        is refused. On an app that is there already the label is a change as any other, which restarts its tasks.

    rollback
        True: if the deployment fails, or the time is over, all apps are what they were before, or gone if they were new, and
        none is purged. Needs ``wait``. Default False.

    force, wait, timeout, wait_for_lock, show_secrets, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Apps("apps", name, force, wait, timeout, wait_for_lock, profile, connection, mode)

    def read():
        for argument, value in (
            ("instances_managed", instances_managed),
            ("purge", purge),
            ("rollback", rollback),
        ):
            _expect(isinstance(value, bool), argument, value, "True or False")
        _expect(
            wait or not rollback,
            "rollback",
            rollback,
            "False without wait: only who waits sees that it failed",
        )
        _expect(mode in ("merge", "replace"), "mode", mode, "merge or replace")
        _expect(isinstance(owner, str) and owner.strip(), "owner", owner, "text, such as salt")
        declared = _members(apps, "apps")
        marathon.read()
        marathon.wanted = {
            id: _owned(id, given, marathon.there.get(id), mode, instances_managed, owner)
            for id, given in declared.items()
        }
        return {
            id: _gone(app)
            for id, app in marathon.there.items()
            if purge and id not in declared and _owner(app) == owner
        }

    return _keep(marathon, read, f"{name}: all is as declared", show_secrets, rollback)


def group_present(
    name,
    apps=None,
    groups=None,
    dependencies=None,
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
    Keep a group, and what is declared of it. What is not declared stays unless it is to be purged: Marathon's own PUT of a group
    deletes that, so none is made with apps or groups in it. Changes are told by app and group:
    ``{"/shop/db": {"/mem": {"old": 32, "new": 64}}, "/shop": {"/dependencies": {...}}}``.

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
        Id of the group. ``/`` is refused.

    apps
        Apps of the group: ids to their fields, or a list as in Marathon's JSON, each with its ``id``. Only the fields that are
        given count. Each may be a file, as of ``marathon.app_present``. Default None: nothing is said of them.

    groups
        Groups in the group: ids to ``apps``, ``groups`` and ``dependencies`` of theirs, or a list of these, each with its
        ``id``. Default None: nothing is said of them.

    dependencies
        Ids of apps and groups that start before those of the group, a list. What does not begin with a slash is in the group.
        Default None: they stay.

    purge
        True: where ``apps`` are given others are deleted, where ``groups`` are given others are, with all that is in them. Pods
        of the group itself stay. The changes tell each of them. Default False: they stay.

    force, wait, timeout, wait_for_lock, show_secrets, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Apps("group", name, force, wait, timeout, wait_for_lock, profile, connection)

    def read():
        _refuse_root(name)
        _expect(isinstance(purge, bool), "purge", purge, "True or False")
        declared = _flat(
            _absolute(name), {"apps": apps, "groups": groups, "dependencies": dependencies}
        )
        for id, each in declared.items():
            marathon.wanted.update(each["apps"] or {})
            marathon.depends[id] = each["dependencies"]
        marathon.read()
        marathon.read_groups()
        for id in declared.keys() - marathon.groups.keys():
            marathon.call("group_exists", id)  # refuses what is no id
        return marathon.undeclared(declared) if purge else {}

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
    Keep a group away: delete it with all apps, pods and groups in it. The changes tell each of them.

    .. code-block:: yaml

        /shop:
          marathon.group_absent: []

    name
        Id of the group. ``/`` is refused: that is everything.

    force, wait, timeout, wait_for_lock, show_secrets, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Apps("group", name, force, wait, timeout, wait_for_lock, profile, connection)

    def read():
        _refuse_root(name)
        if not marathon.ask("group_exists"):
            return {}
        marathon.read()
        marathon.read_groups()
        return marathon.all_in(_absolute(name))

    return _keep(marathon, read, f"There is no group called {name}", show_secrets)


# --- what they have in common ---


class _Marathon:
    """An app, pod or group of a Marathon, or several: how to read them, to write them and to wait for them."""

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
        # Salt tells mod_watch its __reqs__, too.
        given = {key: value for key, value in connection.items() if not key.startswith("__")}
        self.known_fields = (
            __salt__["marathon.fields"](kind, version=ALL_VERSIONS) if takes_fields else ()
        )
        self.fields = {key: value for key, value in given.items() if key in self.known_fields}
        self.where = {
            "profile": profile,
            **{key: value for key, value in given.items() if key not in self.fields},
        }

    def check(self):
        """Refuse wrong arguments, before anything is asked."""
        for argument in ("force", "wait"):
            _expect(
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
            _expect(fits, argument, value, f"a number of seconds from {least} to 3600")

    def declared(self, config, unset):
        """The fields that are declared, wherever they stand."""
        self.call("connection")  # refuses what is neither a field nor a setting
        if config is None and not self.fields and not unset:
            raise SaltInvocationError(
                "config: nothing is declared; give it, or fields such as cmd in its place"
            )
        if config is None:
            return self.fields
        found = _declared.load_definition(config, "config", __salt__, __low__, __pillar__)
        twice = sorted(self.fields.keys() & found.keys())
        if twice:
            raise SaltInvocationError(f"{', '.join(twice)}: given twice, in config and beside it")
        return {**found, **self.fields}

    def call(self, function, *arguments, **named):
        """Call a function of the execution module."""
        try:
            return __salt__[f"marathon.{function}"](*arguments, **named, **self.where)
        except SaltInvocationError as error:
            name, refused, _ = str(error).partition(": no such argument")
            near = difflib.get_close_matches(name, self.known_fields, 1) if refused else ()
            if near:
                raise SaltInvocationError(
                    f"{name}: no such argument; is it the field {near[0]}?"
                ) from None
            raise

    def ask(self, function, *arguments, **named):
        """The same with the name first."""
        return self.call(function, self.name, *arguments, **named)

    def write(self, function, *arguments, **named):
        """The same with what writes to it."""
        return self.send(function, self.name, *arguments, **named)

    def send(self, function, *arguments, again=(), **named):
        """
        Call a function that writes: again and again while another deployment is in its way, as long as one may wait. ``again``:
        named arguments that are others then.
        """
        deadline = time.monotonic() + self.wait_for_lock
        while True:
            try:
                done = self.call(function, *arguments, force=self.force, **named)
                if (
                    self.wait
                ):  # from here on for the next leader, too, who goes on with what was begun
                    self.where = {"retries": PATIENT, **self.where}
                return done
            except CommandExecutionError as error:
                left = deadline - time.monotonic()
                info = getattr(error, "info", None)
                locked = (
                    isinstance(info, Mapping)
                    and info.get("status") == 409
                    and info.get("deployments")
                )
                if not locked or left <= 0:
                    raise
            named.update(again)
            time.sleep(min(INTERVAL, left))

    def foreseen(self):
        """
        In a test run: what the app will be by what the states before this one would change, ``{"instances": 2}``; None where
        they would not. Raises CommandExecutionError where they would delete it.
        """
        name = _absolute(self.name)
        found = _foreseen().get(name)
        if found is False:
            raise CommandExecutionError(
                f"There is no app called {name}: a state before this one would delete it"
            )
        return found

    def settled(self, begun, said, undo=None):
        """
        Wait, if that is wanted, for what was begun, one or a list, and return what is to be said. Raises Broken if it did not
        succeed; ``undo`` is called then with the deployment, None if that is over, and returns what is said of it and what is
        changed still.
        """
        deployments = [
            each["deploymentId"] for each in ([begun] if isinstance(begun, Mapping) else begun)
        ]
        if not self.wait:
            under_way = [each for each in deployments if each]
            return f"{said}; deployment {', '.join(under_way)} is under way" if under_way else said
        for deployment in deployments:
            result, fault = self.outcome(deployment)
            if result == "done":
                continue
            if undo and result != "cancelled":
                undone, changes = undo(deployment if result == "timeout" else None)
                raise _declared.IncompleteChange(f"{said}, but {fault}. {undone}", changes)
            raise _declared.IncompleteChange(f"{said}, but {fault}{_advice(result, deployment)}")
        return f"{said}, and its deployment is done" if deployments else said

    def undone(self, begin, is_back):
        """Undo with what ``begin`` begins, and return what is said of it, and what is changed still, None: everything."""
        try:
            faults = [
                fault
                for result, fault in [self.outcome(each["deploymentId"]) for each in begin()]
                if result != "done"
            ]
            back = is_back()
        except CommandExecutionError as error:
            faults, back = [str(error)], False
        if back:
            return (
                f"That was undone: it is as it was before{', but ' + faults[0] if faults else ''}",
                {},
            )
        return (
            f"It could not be undone: {faults[0] if faults else 'it is not as it was before'}",
            None,
        )

    def under_way(self):
        """Wait, if that is wanted, for the deployments of what is as declared already. Raises CommandExecutionError."""
        for each in self.deployments() if self.wait and not __opts__["test"] else ():
            result, fault = self.outcome(each["id"])
            if result != "done":
                raise CommandExecutionError(
                    f"{self.name} is as declared, but {fault}{_advice(result, each['id'])}"
                )

    def deployments(self):
        """The deployments under way that change it."""
        return self.ask("deployments")

    def outcome(self, deployment):
        """Wait for a deployment and return what came of it, as ``marathon.wait_deployment`` does, and what is wrong."""
        found = {"result": "unknown"}
        if deployment:
            found = self.call(
                "wait_deployment", deployment, timeout=self.timeout, interval=INTERVAL
            )
        result = found["result"]
        if result == "unknown":  # it was over at the first look
            lacking = self._lacking()
            return ("failed", lacking) if lacking else ("done", None)
        goes_on = f"goes on after {self.timeout:g} seconds"
        how = {
            "timeout": goes_on,
            "cancelled": f"{deployment} was cancelled",
            "failed": f"{deployment} failed",
        }.get(result)
        return result, f"its deployment {how}: {found['reason']}"

    def _lacking(self):
        """What there is less of than there should be; what is not there at all lacks nothing."""
        if not self.ask(f"{self.kind}_exists"):
            return None
        if self.kind == "pod":
            found = self.ask("pod_status")
            return (
                None
                if found["status"] == "STABLE"
                else f"it is {found['status']}: {found.get('message') or 'no reason given'}"
            )
        return _lacks(self.ask("app", embed=["counts", "lastTaskFailure"]))


def _foreseen():
    """
    In a test run: what apps and groups will be by what the states before this one would change: id to ``{"instances": 2}``,
    as far as the changes tell, False where it would be deleted.
    """
    found = {}
    for low, told in (
        _declared.pending_changes(__low__, __lowstate__, __running__) if __opts__["test"] else ()
    ):
        for id, changes in (
            told.items() if low["fun"] in MANY else ((_absolute(low["name"]), told),)
        ):
            whole, amount = changes.get("/"), changes.get("/instances")
            if whole:
                found[id] = {"instances": whole["new"].get("instances")} if whole["new"] else False
            elif amount:
                found[id] = {"instances": amount["new"]}
    return found


def _lacks(app):
    """What an app has less of than it should."""
    running, failure = app.get("tasksRunning", 0), app.get("lastTaskFailure")
    if running >= app["instances"] and not app.get("tasksUnhealthy"):
        return None
    last = (
        f"; the last that failed: {failure.get('state')}: {failure.get('message') or 'no reason given'}"
        if failure
        else ""
    )
    return f"{running} of {app['instances']} instances run, {app.get('tasksUnhealthy', 0)} unhealthy{last}"


def _absolute(name):
    """An id in its full form."""
    return "/" + str(name).strip("/")


def _keep(marathon, read, kept, show_secrets, rollback=False):
    """Keep several apps and groups as they are declared. ``read`` returns the changes of those that are to be gone."""

    def plan():
        marathon.check()
        gone = read()
        differing = marathon.differences()
        marathon.check_tree(gone)
        changes = {**differing, **gone}
        if not changes:
            marathon.under_way()
        would = f"{marathon.name}: {_summary(changes, 'would be ')}"
        return _declared.Plan(
            changes, kept, would, lambda: marathon.changed(differing, gone, rollback)
        )

    return _declared.run_plan(marathon.name, __opts__["test"], plan, show_secrets)


class _Apps(_Marathon):
    """
    Several apps of a Marathon, and the groups that they are in.

    mode
        As of app_present.

    wanted
        The apps that are declared: id to fields.

    depends
        The groups that are declared: id to what they depend on, None if that is not declared.

    there, groups, pods
        What Marathon has: id to app, to the dependencies of the group, to pod. ``groups`` is None unless it was asked for.
    """

    def __init__(
        self, kind, name, force, wait, timeout, wait_for_lock, profile, connection, mode="merge"
    ):
        super().__init__(kind, name, force, wait, timeout, wait_for_lock, profile, connection)
        self.mode, self.wanted, self.depends = mode, {}, {}
        self.version, self.there, self.groups, self.pods, self.order = None, {}, None, {}, {}

    def read(self):
        """Ask for all apps, and for the version of Marathon if it is not known."""
        self.version = self.version or self.call("version")
        self.there = {each["id"]: each for each in self.call("apps")}

    def read_groups(self):
        """Ask for all groups and pods."""
        self.groups, self.pods = {}, {}
        ahead = [self.call("group", "/", embed=["group.groups", "group.pods"])]
        for group in ahead:
            self.groups[group["id"]] = list(group.get("dependencies") or ())
            self.pods.update({pod["id"]: pod for pod in group.get("pods") or ()})
            ahead += group.get("groups") or ()

    def differences(self):
        """What is to be changed: by id of an app or group, and then as of one."""
        found = {}
        for id, dependencies in self.depends.items():
            if id not in self.groups:
                found[id] = {"/": {"old": None, "new": {"dependencies": dependencies or []}}}
            elif dependencies is not None and set(dependencies) != set(self.groups[id]):
                found[id] = {
                    "/dependencies": {"old": sorted(self.groups[id]), "new": sorted(dependencies)}
                }
        if self.wanted:
            there = list(self.there.values())
            found.update(
                self.call(
                    "diff_apps", self.wanted, mode=self.mode, current=there, version=self.version
                )
            )
        return found

    def all_in(self, group):
        """What is to be changed where a group goes with all that is in it."""
        found = {
            id: _gone({"dependencies": dependencies})
            for id, dependencies in self.groups.items()
            if _is_in(id, group)
        }
        return {
            **found,
            **{
                id: _gone(each)
                for id, each in {**self.there, **self.pods}.items()
                if _is_in(id, group)
            },
        }

    def undeclared(self, declared):
        """What is to be changed where all goes that is not declared."""
        found = {}
        for group in self.groups.keys() & declared.keys():
            for kind, among in (("apps", self.there), ("groups", self.groups)):
                if declared[group][kind] is None:
                    continue
                for id in among:
                    if id != "/" and _parent(id) == group and id not in declared[group][kind]:
                        found.update({id: _gone(among[id])} if kind == "apps" else self.all_in(id))
        return found

    def check(self):
        super().check()
        _expect(isinstance(self.name, str) and self.name.strip(), "name", self.name, "text")

    def check_tree(self, gone):
        """Refuse what cannot be beside the rest; ``order`` has what others depend on first."""
        ids = {*self.wanted, *(id for id in self.there if id not in gone)}
        groups = {
            above for group in {_parent(id) for id in ids} - {""} for above in _path_to(group)
        }
        for id in sorted(ids & {*self.depends, *groups}):
            raise SaltInvocationError(f"{id}: both an app and a group; an id is one of them")
        needs = {
            id: app.get("dependencies") or () for id, app in self.there.items() if id not in gone
        }
        given = {
            id
            for id, config in self.wanted.items()
            if config.get("dependencies") or self.mode == "replace" or id not in needs
        }
        needs.update(
            {
                id: [_absolute(each) for each in self.wanted[id].get("dependencies") or ()]
                for id in given
            }
        )
        group_needs = {id: found for id, found in (self.groups or {}).items() if id not in gone}
        group_needs.update({id: found for id, found in self.depends.items() if found is not None})
        self._refuse_missing({**group_needs, **needs}, {*given, *self.depends}, ids, gone)
        self._refuse_circles(
            {**{id: app.get("dependencies") or () for id, app in self.there.items()}, **needs},
            group_needs,
        )

    def _refuse_missing(self, needs, given, ids, gone):
        if not any(needs.values()):
            return
        told = _foreseen()
        gone = {*gone, *(id for id, each in told.items() if each is False)}
        made = [id for id, each in told.items() if each]
        known = {
            above
            for id in (*ids, *self.depends, *(self.groups or ()), *self.pods, *made)
            if id not in gone
            for above in _path_to(id)
        }
        lacking = [
            (id, each)
            for id, found in needs.items()
            for each in found
            if each not in known and (id in given or each in gone)
        ]
        if lacking and self.groups is None:
            self.read_groups()
            self._refuse_missing(needs, given, ids, gone)
            return
        for id, each in lacking:
            deleted = ", as it is to be deleted" if each in gone else ""
            raise SaltInvocationError(f"{id}: dependencies: there is no {each}{deleted}")

    def _refuse_circles(self, needs, group_needs):
        if not any(needs.values()) and not any(group_needs.values()):
            return
        graph = {id: set(found) for id, found in needs.items()}
        for id in needs:
            for group in _path_to(id)[:-1]:
                graph.setdefault(group, set()).add(id)
                graph[id] |= {each for each in group_needs.get(group, ()) if not _is_in(id, each)}
        self.order = _in_order(graph)

    def changed(self, differing, gone, rollback=False):
        """
        Send what differs, the apps in one deployment, and then delete what is to be gone. Read back, wait for each deployment if
        that is wanted, and return what is to be said.
        """
        done, before = {}, self.there
        apps = {id: each for id, each in differing.items() if id in self.wanted}
        try:
            for id in sorted(differing.keys() - apps.keys()):
                self._send_group(id)
                done[id] = differing[id]
            begun = []
            if apps:
                current = [before[id] for id in apps if id in before]
                begun.append(
                    self.send(
                        "update_apps",
                        {id: self.wanted[id] for id in apps},
                        mode=self.mode,
                        current=current,
                        version=self.version,
                        again={"current": None},
                    )
                )
                done.update(apps)
            said = [
                self._read_back(
                    done,
                    begun,
                    (lambda deployment: self._undo(apps, before, deployment)) if rollback else None,
                )
            ]
            begun = []
            for top in sorted(
                (id for id in gone if _parent(id) not in gone),
                key=lambda id: -self.order.get(id, 0),
            ):
                begun += self._delete(top)
                done.update({id: each for id, each in gone.items() if _is_in(id, top)})
            said.append(self._read_back({id: gone[id] for id in done if id in gone}, begun))
        except _declared.IncompleteChange as error:
            raise _declared.IncompleteChange(
                str(error), done if error.changes is None else error.changes
            ) from None
        except (CommandExecutionError, SaltInvocationError) as error:
            if not done:
                raise
            raise _declared.IncompleteChange(
                f"{self.name}: {_summary(done)}, but then: {error}", done
            ) from None
        return "; ".join(filter(None, said))

    def _send_group(self, id):
        """Make a group or change what it depends on, which starts and stops nothing. One with apps comes with these."""
        config = {"dependencies": self.depends[id] or []}
        if id in self.groups:
            self.send("update_group", id, config)
        elif config["dependencies"] or not any(_is_in(app, id) for app in self.wanted):
            self.send("create_group", id, config)

    def _delete(self, id):
        """Delete an app or a group; returns the deployment, in a list, unless somebody else deleted it."""
        kind = "group" if id in (self.groups or ()) else "app"
        try:
            return [self.send(f"delete_{kind}", id)]
        except CommandExecutionError:
            if self.call(f"{kind}_exists", id):
                raise
            return []

    def _read_back(self, done, begun, undo=None):
        """Refuse to be content with anything else than what was to be; wait, if that is wanted, and return what is to be said."""
        if not done:
            return ""
        self.read()
        if self.groups is not None:
            self.read_groups()
        said = f"{self.name}: {_summary(done)}"
        lost = [id for id, each in done.items() if "/" in each and each["/"]["new"] is None]
        left = [id for id in lost if id in self.there or id in (self.groups or ())]
        left += [
            f"{id} at {', '.join(sorted(each))}"
            for id, each in self.differences().items()
            if id in done and id not in lost
        ]
        if left:
            raise _declared.IncompleteChange(
                f"{said}; that was sent, but Marathon has something else: {'; '.join(_few(left))}"
            )
        return self.settled(begun, said, undo)

    def _undo(self, apps, before, deployment):
        def begin():
            if deployment:
                return [self.call("cancel_deployment", deployment)]
            old = {id: before[id] for id in apps if id in before}
            begun = (
                [self.send("update_apps", old, mode="replace", version=self.version)] if old else []
            )
            return begun + [each for id in apps if id not in before for each in self._delete(id)]

        def is_back():
            self.read()
            return {id: each for id, each in self.differences().items() if id in apps} == apps

        return self.undone(begin, is_back)

    def deployments(self):
        ids = {*self.wanted, *self.depends}
        return [
            each
            for each in self.call("deployments")
            if ids & {*each["affectedApps"], *each["affectedPods"]}
        ]

    def _lacking(self):
        found = self.call("apps", embed=["counts", "lastTaskFailure"])
        lacking = {each["id"]: _lacks(each) for each in found if each["id"] in self.wanted}
        return "; ".join(_few([f"{id}: {why}" for id, why in lacking.items() if why])) or None


def _in_order(graph):
    """Number ids, of which each needs others, so that these come first. Raises SaltInvocationError for a circle."""
    order, ahead = {}, {}
    for start in sorted(graph):
        stack = [] if start in order else [start]
        while stack:
            id = stack[-1]
            for each in ahead.setdefault(id, iter(sorted(graph.get(id, ())))):
                if each in ahead and each not in order:
                    raise SaltInvocationError(
                        f"dependencies: a circle: {' needs '.join(_few([*stack[stack.index(each) :], each]))}"
                    )
                if each not in order:
                    stack.append(each)
                    break
            else:
                order[id] = len(order)
                stack.pop()
    return order


def _owner(app):
    return (app.get("labels") or {}).get(OWNER) or None


def _owned(id, config, current, mode, instances_managed, owner):
    """The fields of an app with the label of its owner, and without the number of instances if something else manages it."""
    other = _owner(current) if current else None
    if other not in (None, owner):
        raise SaltInvocationError(
            f"{id}: it belongs to {other!r}, by its label {OWNER}, and not to {owner!r}"
        )
    if current and not instances_managed:
        config = {field: value for field, value in config.items() if field != "instances"}
    labels = config.get("labels")
    if labels is None:
        if mode == "merge" and other:
            return config
        labels = (current.get("labels") if current and mode == "merge" else None) or {}
    if isinstance(labels, Mapping):  # what else it may be is refused later
        _expect(
            labels.get(OWNER, owner) == owner,
            f"{id}: labels: {OWNER}",
            labels.get(OWNER),
            f"left out, or {owner!r} as the owner is",
        )
        return {**config, "labels": {**labels, OWNER: owner}}
    return config


def _members(given, what, base=""):
    """Apps or groups as they are declared, a mapping or a list with an id in each: full id to fields."""
    if isinstance(given, list):
        given = [
            _declared.load_definition(each, f"{what}[{number}]", __salt__, __low__, __pillar__)
            for number, each in enumerate(given)
        ]
        given = [(each.get("id"), each) for each in given]
    else:
        _expect(
            isinstance(given, Mapping),
            what,
            given,
            "a mapping of ids to fields, or a list of fields with an id in each",
        )
        given = given.items()
    found = {}
    for id, config in given:
        full = _inside(id, base, what)
        _expect(
            _parent(full) == base or not base, f"{what}: id", id, f"one that is in {base} itself"
        )
        if full in found:
            raise SaltInvocationError(f"{what}: {full} stands there twice")
        config = _declared.load_definition(config, f"{what}: {full}", __salt__, __low__, __pillar__)
        found[full] = {**config, "id": full} if base else config
    return found


def _inside(id, base, what):
    """The full form of an id in a group."""
    _expect(isinstance(id, str) and id.strip("/ "), f"{what}: id", id, "text such as /shop/cart")
    return _absolute(id) if id.startswith("/") or not base else f"{base}{_absolute(id)}"


def _flat(id, config):
    """A group and those in it, as they are declared: id to ``apps`` (id to fields), ``groups`` (ids) and ``dependencies``."""
    unknown = sorted(map(str, config.keys() - {"id", "apps", "groups", "dependencies"}))
    if unknown:
        raise SaltInvocationError(
            f"{id}: {', '.join(unknown)}: there is no such field; a group has apps, groups and dependencies"
        )
    dependencies, apps, groups = (
        config.get("dependencies"),
        config.get("apps"),
        config.get("groups"),
    )
    if dependencies is not None:
        _expect(
            isinstance(dependencies, list), f"{id}: dependencies", dependencies, "a list of ids"
        )
        dependencies = [_inside(each, id, f"{id}: dependencies") for each in dependencies]
    if apps is not None:
        apps = {
            name: _in_group(id, each) for name, each in _members(apps, f"{id}: apps", id).items()
        }
    if groups is not None:
        groups = _members(groups, f"{id}: groups", id)
    found = {id: {"apps": apps, "groups": groups, "dependencies": dependencies}}
    for name, each in (groups or {}).items():
        found.update(_flat(name, each))
    return found


def _in_group(group, app):
    """An app of a group, with what it depends on in full; Marathon takes that for an id in the group."""
    needs = app.get("dependencies")
    if isinstance(needs, list) and all(isinstance(each, str) for each in needs):
        return {
            **app,
            "dependencies": [_inside(each, group, f"{app['id']}: dependencies") for each in needs],
        }
    return app


def _refuse_root(name):
    _expect(
        isinstance(name, str) and name.strip("/. "),
        "name",
        name,
        "a group below the root: / is everything",
    )


def _parent(id):
    return id.rpartition("/")[0]


def _path_to(id):
    """An id, and before it those of the groups that it is in."""
    parts = id.strip("/").split("/")
    return ["/" + "/".join(parts[:number]) for number in range(1, len(parts) + 1)]


def _is_in(id, group):
    return id == group or id.startswith(f"{group}/")


def _shown(app):
    return {field: value for field, value in app.items() if field not in DOING}


def _gone(each):
    """The change of what is deleted."""
    return {"/": {"old": _shown(each), "new": None}}


def _summary(changes, would=""):
    """What is done with which ids, in a line."""
    kinds = {}
    for id, each in changes.items():
        whole = each.get("/")
        kind = "updated" if whole is None else "created" if whole["old"] is None else "deleted"
        kinds.setdefault(kind, []).append(id)
    return "; ".join(
        f"{would}{kind}: {', '.join(_few(sorted(ids)))}" for kind, ids in kinds.items()
    )


def _few(texts):
    return texts if len(texts) <= MOST else [*texts[:MOST], f"... {len(texts) - MOST} more"]


def _advice(result, deployment):
    """What is to be done about a deployment that did not succeed."""
    told = {
        "timeout": f". It is left as it is; marathon.cancel_deployment {deployment} undoes it",
        "failed": ". It is left as it is; marathon.queue says what is waited for, and the logs of the tasks why they end",
    }
    return told.get(result, "")


def _present(marathon, given, mode, unset, instances_managed, show_secrets, rollback=False):
    kind, name = marathon.kind, marathon.name

    def differences(config):
        found = marathon.ask(f"diff_{kind}", config, mode=mode, unset=unset)
        if instances_managed or "/" in found:
            return found
        return {path: each for path, each in found.items() if path.split("/")[1] != AMOUNT[kind]}

    def plan():
        marathon.check()
        _expect(
            isinstance(instances_managed, bool),
            "instances_managed",
            instances_managed,
            "True or False",
        )
        _expect(isinstance(rollback, bool), "rollback", rollback, "True or False")
        _expect(
            marathon.wait or not rollback,
            "rollback",
            rollback,
            "False without wait: only who waits sees that it failed",
        )
        config = marathon.declared(given, unset)
        changes = differences(config)
        is_new = "/" in changes
        if not changes:
            marathon.under_way()

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

                return marathon.undone(begin, lambda: differences(config) == changes)

            if is_new:
                begun = marathon.write(f"create_{kind}", config)
            else:
                wanted = {
                    field: value
                    for field, value in config.items()
                    if instances_managed or field != AMOUNT[kind]
                }
                how = {"partial": mode == "merge"} if kind == "app" else {"mode": mode}
                begun = marathon.write(f"update_{kind}", wanted, unset=unset, **how)
            left = differences(config)
            if left:
                raise _declared.IncompleteChange(
                    f"{name} was sent, but Marathon has something else at {', '.join(sorted(left))}"
                )
            return marathon.settled(
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

    return _declared.run_plan(name, __opts__["test"], plan, show_secrets)


def _absent(marathon, show_secrets):
    kind, name = marathon.kind, marathon.name

    def plan():
        marathon.check()
        changes = {}
        if marathon.ask(f"{kind}_exists"):
            found = {
                field: value for field, value in marathon.ask(kind).items() if field not in DOING
            }
            changes = {"/": {"old": found, "new": None}}

        def act():
            try:
                begun = marathon.write(f"delete_{kind}")
            except CommandExecutionError:
                if marathon.ask(f"{kind}_exists"):
                    raise
                return f"{name} was deleted by somebody else"
            if marathon.ask(f"{kind}_exists"):
                raise _declared.IncompleteChange(f"{name} was deleted, but Marathon has it again")
            return marathon.settled(begun, f"{name} was deleted")

        return _declared.Plan(
            changes, f"There is no {kind} called {name}", f"{name} would be deleted", act
        )

    return _declared.run_plan(name, __opts__["test"], plan, show_secrets)


def _scaled(marathon, instances, least, wanted):
    name = marathon.name

    def plan():
        marathon.check()
        whole = isinstance(instances, int) and not isinstance(instances, bool)
        _expect(
            whole and instances >= least, "instances", instances, f"a whole number, {least} or more"
        )
        old = (marathon.foreseen() or marathon.ask("app"))["instances"]
        new = wanted(old)
        if old == new:
            marathon.under_way()

        def act():
            begun = marathon.write("scale_app", new)
            found = marathon.ask("app")["instances"]
            if found != new:
                raise _declared.IncompleteChange(
                    f"{name} was to have {new} instances, but Marathon has {found}"
                )
            return marathon.settled(begun, f"{name} was scaled from {old} to {new}")

        changes = {"/instances": {"old": old, "new": new}} if old != new else {}
        return _declared.Plan(
            changes,
            f"{name} has {old} instances",
            f"{name} would be scaled from {old} to {new}",
            act,
        )

    return _declared.run_plan(name, __opts__["test"], plan)


def _expect(fits, argument, value, should):
    """Refuse an argument, in one line."""
    if not fits:
        raise SaltInvocationError(f"{argument}: {value!r} should be {should}")
