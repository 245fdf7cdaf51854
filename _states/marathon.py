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
import _marathon_apps
import _ready
from salt.exceptions import CommandExecutionError, SaltInvocationError

# After a sync Salt still has the old helpers in sys.modules.
importlib.reload(_declared)
importlib.reload(_ready)
importlib.reload(_marathon_apps)

INTERVAL = 0.5  # seconds between two looks at a deployment or at a lock
PATIENT = 60  # times that a question which nobody answered is asked again, once something has begun
# What says how many instances there are.
AMOUNT = {"app": "instances", "pod": "scaling"}
RESTARTS = ("app_present", "app_running", "app_restarted")
ALL_VERSIONS = "99.0"
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
            "False without wait: only who waits sees that it failed",
        )
        _marathon_apps.require(mode in ("merge", "replace"), "mode", mode, "merge or replace")
        _marathon_apps.require(
            isinstance(owner, str) and owner.strip(), "owner", owner, "text, such as salt"
        )
        declared = _marathon_apps.load_members(apps, "apps", _load)
        current = _marathon_apps.Current(marathon)
        current.read_apps()
        wanted = {
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
        return _marathon_apps.Declared(wanted, {}), current, deletions, mode

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
    marathon = _Marathon("group", name, force, wait, timeout, wait_for_lock, profile, connection)

    def read():
        _marathon_apps.check_group_id(name)
        _marathon_apps.require(isinstance(purge, bool), "purge", purge, "True or False")
        groups_by_id = _marathon_apps.flatten_group(
            _marathon_apps.absolute_id(name),
            {"apps": apps, "groups": groups, "dependencies": dependencies},
            _load,
        )
        declared = _marathon_apps.Declared({}, {})
        for id, group in groups_by_id.items():
            declared.apps.update(group["apps"] or {})
            declared.dependencies[id] = group["dependencies"]
        current = _marathon_apps.Current(marathon)
        current.read_apps()
        current.read_groups()
        for id in groups_by_id.keys() - current.groups.keys():
            marathon.call("group_exists", id)  # refuses what is no id
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
    Keep a group away: delete it with all apps, pods and groups in it. The changes tell each of them.

    .. code-block:: yaml

        /shop:
          marathon.group_absent: []

    name
        Id of the group. ``/`` is refused: that is everything.

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
        name = _marathon_apps.absolute_id(self.name)
        found = _foreseen().get(name)
        if found is False:
            raise CommandExecutionError(
                f"There is no app called {name}: a state before this one would delete it"
            )
        return found

    def waiter(self, find_deployments=None, find_problem=None):
        """Return the ``_Waiter`` for the deployments of this app or pod, or of those that the functions find."""
        return _Waiter(self, find_deployments or self._deployments, find_problem or self._problem)

    def _deployments(self):
        """Return the running deployments that change it."""
        return self.ask("deployments")

    def _problem(self):
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

    def settled(self, begun, said, undo=None):
        """
        Wait, if that is wanted, for what was begun, one or a list, and return what is to be said. Raises Broken if it did not
        succeed; ``undo`` is called then with the deployment, None if that is over, and returns what is said of it and what is
        changed still.
        """
        deployments = [
            each["deploymentId"] for each in ([begun] if isinstance(begun, Mapping) else begun)
        ]
        if not self._marathon.wait:
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
        for each in (
            self._find_deployments() if self._marathon.wait and not __opts__["test"] else ()
        ):
            result, fault = self.outcome(each["id"])
            if result != "done":
                raise CommandExecutionError(
                    f"{self._marathon.name} is as declared, but {fault}{_advice(result, each['id'])}"
                )

    def outcome(self, deployment):
        """Wait for a deployment and return what came of it, as ``marathon.wait_deployment`` does, and what is wrong."""
        found = {"result": "unknown"}
        if deployment:
            found = self._marathon.call(
                "wait_deployment", deployment, timeout=self._marathon.timeout, interval=INTERVAL
            )
        result = found["result"]
        if result == "unknown":  # it was over at the first look
            lacking = self._find_problem()
            return ("failed", lacking) if lacking else ("done", None)
        goes_on = f"goes on after {self._marathon.timeout:g} seconds"
        how = {
            "timeout": goes_on,
            "cancelled": f"{deployment} was cancelled",
            "failed": f"{deployment} failed",
        }.get(result)
        return result, f"its deployment {how}: {found['reason']}"


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
            told.items()
            if low["fun"] in MANY
            else ((_marathon_apps.absolute_id(low["name"]), told),)
        ):
            whole, amount = changes.get("/"), changes.get("/instances")
            if whole:
                found[id] = {"instances": whole["new"].get("instances")} if whole["new"] else False
            elif amount:
                found[id] = {"instances": amount["new"]}
    return found


def _keep(marathon, read, kept, show_secrets, rollback=False):
    """Keep several apps and groups as they are declared. ``read`` returns these, and the changes of those to be deleted."""

    def plan():
        marathon.check()
        _marathon_apps.require(
            isinstance(marathon.name, str) and marathon.name.strip(), "name", marathon.name, "text"
        )
        declared, current, deletions, mode = read()
        apps = _marathon_apps.Apps(marathon, declared, current, mode, _foreseen)
        return apps.plan(deletions, kept, rollback)

    return _declared.run_plan(marathon.name, __opts__["test"], plan, show_secrets)


def _load(config, source):
    return _declared.load_definition(config, source, __salt__, __low__, __pillar__)


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
            "False without wait: only who waits sees that it failed",
        )
        config = marathon.declared(given, unset)
        changes = differences(config)
        is_new = "/" in changes
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

    return _declared.run_plan(name, __opts__["test"], plan, show_secrets)


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
                return f"{name} was deleted by somebody else"
            if marathon.ask(f"{kind}_exists"):
                raise _declared.IncompleteChange(f"{name} was deleted, but Marathon has it again")
            return marathon.waiter().settled(begun, f"{name} was deleted")

        return _declared.Plan(
            changes, f"There is no {kind} called {name}", f"{name} would be deleted", act
        )

    return _declared.run_plan(name, __opts__["test"], plan, show_secrets)


def _scaled(marathon, instances, least, wanted):
    name = marathon.name

    def plan():
        marathon.check()
        whole = isinstance(instances, int) and not isinstance(instances, bool)
        _marathon_apps.require(
            whole and instances >= least, "instances", instances, f"a whole number, {least} or more"
        )
        old = (marathon.foreseen() or marathon.ask("app"))["instances"]
        new = wanted(old)
        if old == new:
            marathon.waiter().under_way()

        def act():
            begun = marathon.write("scale_app", new)
            found = marathon.ask("app")["instances"]
            if found != new:
                raise _declared.IncompleteChange(
                    f"{name} was to have {new} instances, but Marathon has {found}"
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
