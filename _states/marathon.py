"""
Promises about Marathon: a leader that answers, and apps and pods that are as declared.

Each reads, compares, says what differs, changes that and reads it back. Changes are ``{path: {"old": ..., "new": ...}}``, with
paths such as ``/labels/team``; an app or pod as a whole is ``/``. With ``test=True`` they are the same, and nothing is sent.
What all states have in common is told at ``marathon.app_present``.
"""

import importlib
import time
from collections.abc import Mapping

import _declared
import _mesos_gate
from salt.exceptions import CommandExecutionError, SaltInvocationError

# A minion that has had this module before still has the older helpers in memory.
importlib.reload(_declared)
importlib.reload(_mesos_gate)

INTERVAL = 0.5  # seconds between two looks at a deployment or at a lock
# What says how many instances there are.
AMOUNT = {"app": "instances", "pod": "scaling"}
# How an app does, which is no part of what it is.
DOING = ("deployments", "lastTaskFailure", "readinessCheckResults", "taskStats", "tasks", "tasksHealthy", "tasksRunning", "tasksStaged",
         "tasksUnhealthy", "version", "versionInfo")
RESTARTS = ("app_present", "app_running", "app_restarted")


def __virtual__():
    """Say why where the module that this one asks is not there."""
    if "marathon.leader" in __salt__:
        return True
    return False, "The execution module marathon of this repository is not loaded (on a proxy minion for Marathon that of Salt is)"


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

    return _mesos_gate.wait(name, "a leader of Marathon", question, timeout, __opts__["test"])


def app_present(name, config, mode="merge", unset=(), instances_managed=True, force=False, wait=False, timeout=300, rollback=False,
                wait_for_lock=0, show_secrets=False, profile=None, **connection):
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

    name
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    config
        The fields of the app, a mapping as in Marathon's JSON; the older forms are understood, too.

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
    marathon = _Marathon("app", name, force, wait, timeout, wait_for_lock, profile, connection)
    return _present(marathon, config, mode, unset, instances_managed, show_secrets, rollback)


def app_absent(name, force=False, wait=False, timeout=300, wait_for_lock=0, show_secrets=False, profile=None, **connection):
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


def app_running(name, instances=1, force=False, wait=False, timeout=300, wait_for_lock=0, profile=None, **connection):
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


def app_suspended(name, force=False, wait=False, timeout=300, wait_for_lock=0, profile=None, **connection):
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


def app_scaled(name, instances, force=False, wait=False, timeout=300, wait_for_lock=0, profile=None, **connection):
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


def app_restarted(name, force=False, wait=False, timeout=300, wait_for_lock=0, profile=None, **connection):
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
        return mod_watch(name, "app_restarted", force, wait, timeout, wait_for_lock, profile, **connection)
    return {"name": name, "result": True, "changes": {}, "comment": f"{name} is restarted only if something that it watches changes"}


def mod_watch(name, sfun=None, force=False, wait=False, timeout=300, wait_for_lock=0, profile=None, config=None, mode=None, unset=None,
              instances=None, instances_managed=None, show_secrets=None, rollback=None, **connection):
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
        return {"name": name, "result": False, "changes": {},
                "comment": f"watch: marathon.{sfun} cannot watch; {', '.join(f'marathon.{each}' for each in RESTARTS)} can"}
    marathon = _Marathon("app", name, force, wait, timeout, wait_for_lock, profile, connection)

    def plan():
        marathon.check()
        before = marathon.ask("app")["version"]

        def act():
            begun = marathon.write("restart_app")
            if marathon.ask("app")["version"] == before:
                raise CommandExecutionError(f"{name} was to be restarted, but Marathon still has its version {before}")
            return marathon.settled(begun, f"{name} was restarted")

        return _declared.Plan({"/restarted": {"old": False, "new": True}}, "", f"{name} would be restarted", act)

    return _declared.keep(name, __opts__["test"], plan)


def pod_present(name, config, mode="merge", unset=(), instances_managed=True, force=False, wait=False, timeout=300, wait_for_lock=0,
                show_secrets=False, profile=None, **connection):
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
        The fields of the pod, a mapping as in Marathon's JSON.

    mode, unset
        As of an app; ``replace`` keeps ``scaling`` and ``role`` if they are not given.

    instances_managed
        False: ``scaling`` counts for a pod that is made, and not any more afterwards. Default True.

    force, wait, timeout, wait_for_lock, show_secrets, profile, connection
        See ``marathon.app_present``.
    """
    marathon = _Marathon("pod", name, force, wait, timeout, wait_for_lock, profile, connection)
    return _present(marathon, config, mode, unset, instances_managed, show_secrets)


def pod_absent(name, force=False, wait=False, timeout=300, wait_for_lock=0, show_secrets=False, profile=None, **connection):
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


# --- what they have in common ---


class _Marathon:
    """An app or pod of a Marathon: how to read it, to write it and to wait for it."""

    def __init__(self, kind, name, force, wait, timeout, wait_for_lock, profile, connection):
        self.kind, self.name = kind, name
        self.force, self.wait, self.timeout, self.wait_for_lock = force, wait, timeout, wait_for_lock
        # Salt tells mod_watch its __reqs__, too.
        self.where = {"profile": profile, **{key: value for key, value in connection.items() if not key.startswith("__")}}

    def check(self):
        """Refuse wrong arguments, before anything is asked."""
        for argument in ("force", "wait"):
            _expect(isinstance(getattr(self, argument), bool), argument, getattr(self, argument), "True or False")
        for argument, least in (("timeout", 1), ("wait_for_lock", 0)):
            value = getattr(self, argument)
            fits = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= 3600
            _expect(fits, argument, value, f"a number of seconds from {least} to 3600")

    def ask(self, function, *arguments, **named):
        """Call a function of the execution module with the name first."""
        return __salt__[f"marathon.{function}"](self.name, *arguments, **named, **self.where)

    def write(self, function, *arguments, **named):
        """The same with what writes: again and again while another deployment locks it, as long as one may wait."""
        deadline = time.monotonic() + self.wait_for_lock
        while True:
            try:
                return self.ask(function, *arguments, force=self.force, **named)
            except CommandExecutionError as error:
                left = deadline - time.monotonic()
                info = getattr(error, "info", None)
                locked = isinstance(info, Mapping) and info.get("status") == 409 and info.get("deployments")
                if not locked or left <= 0:
                    raise
            time.sleep(min(INTERVAL, left))

    def settled(self, begun, said, undo=None):
        """
        Wait, if that is wanted, for what was begun, and return what is to be said. Raises Broken if it did not succeed; ``undo``
        is called then with the deployment, None if that is over, and returns what is said of it and what is changed still.
        """
        deployment = begun["deploymentId"]
        if not self.wait:
            return f"{said}; deployment {deployment} is under way" if deployment else said
        result, fault = self.outcome(deployment)
        if result == "done":
            return f"{said}, and its deployment is done"
        if undo and result != "cancelled":
            undone, changes = undo(deployment if result == "timeout" else None)
            raise _declared.Broken(f"{said}, but {fault}. {undone}", changes)
        raise _declared.Broken(f"{said}, but {fault}{_advice(result, deployment)}")

    def under_way(self):
        """Wait, if that is wanted, for the last deployment of what is as declared already. Raises CommandExecutionError."""
        found = self.ask("deployments") if self.wait and not __opts__["test"] else ()
        if found:
            deployment = found[-1]["id"]
            result, fault = self.outcome(deployment)
            if result != "done":
                raise CommandExecutionError(f"{self.name} is as declared, but {fault}{_advice(result, deployment)}")

    def outcome(self, deployment):
        """Wait for a deployment and return what came of it, as ``marathon.wait_deployment`` does, and what is wrong."""
        found = {"result": "unknown"}
        if deployment:
            found = self.about_deployment("wait_deployment", deployment, timeout=self.timeout, interval=INTERVAL)
        result = found["result"]
        if result == "unknown":  # it was over at the first look
            lacking = self._lacking()
            return ("failed", lacking) if lacking else ("done", None)
        goes_on = f"goes on after {self.timeout:g} seconds"
        how = {"timeout": goes_on, "cancelled": f"{deployment} was cancelled", "failed": f"{deployment} failed"}.get(result)
        return result, f"its deployment {how}: {found['reason']}"

    def about_deployment(self, function, deployment, **named):
        """Call a function of the execution module about a deployment."""
        return __salt__[f"marathon.{function}"](deployment, **named, **self.where)

    def _lacking(self):
        """What there is less of than there should be; what is not there at all lacks nothing."""
        if not self.ask(f"{self.kind}_exists"):
            return None
        if self.kind == "pod":
            found = self.ask("pod_status")
            return None if found["status"] == "STABLE" else f"it is {found['status']}: {found.get('message') or 'no reason given'}"
        found = self.ask("app", embed=["counts", "lastTaskFailure"])
        running, failure = found.get("tasksRunning", 0), found.get("lastTaskFailure")
        if running >= found["instances"] and not found.get("tasksUnhealthy"):
            return None
        last = f"; the last that failed: {failure.get('state')}: {failure.get('message') or 'no reason given'}" if failure else ""
        return f"{running} of {found['instances']} instances run, {found.get('tasksUnhealthy', 0)} unhealthy{last}"


def _advice(result, deployment):
    return f". It is left as it is; marathon.cancel_deployment {deployment} undoes it" if result == "timeout" else ""


def _present(marathon, config, mode, unset, instances_managed, show_secrets, rollback=False):
    kind, name = marathon.kind, marathon.name

    def differences():
        found = marathon.ask(f"diff_{kind}", config, mode=mode, unset=unset)
        if instances_managed or "/" in found:
            return found
        return {path: each for path, each in found.items() if path.split("/")[1] != AMOUNT[kind]}

    def plan():
        marathon.check()
        _expect(isinstance(instances_managed, bool), "instances_managed", instances_managed, "True or False")
        _expect(isinstance(rollback, bool), "rollback", rollback, "True or False")
        _expect(marathon.wait or not rollback, "rollback", rollback, "False without wait: only who waits sees that it failed")
        changes = differences()
        is_new = "/" in changes
        if not changes:
            marathon.under_way()

        def act():
            before = marathon.ask(kind)["version"] if rollback and not is_new else None

            def undo(deployment):
                try:
                    if deployment:
                        begun = marathon.about_deployment("cancel_deployment", deployment)
                    else:
                        begun = marathon.write("delete_app") if is_new else marathon.write("rollback_app", before)
                    result, fault = marathon.outcome(begun["deploymentId"])
                    is_back = differences() == changes
                except CommandExecutionError as error:
                    result, fault, is_back = None, str(error), False
                if is_back:
                    return "That was undone: it is as it was before" + ("" if result == "done" else f", but {fault}"), {}
                return f"It could not be undone: {fault or 'it is not as it was before'}", None

            if is_new:
                begun = marathon.write(f"create_{kind}", config)
            else:
                wanted = {field: value for field, value in config.items() if instances_managed or field != AMOUNT[kind]}
                how = {"partial": mode == "merge"} if kind == "app" else {"mode": mode}
                begun = marathon.write(f"update_{kind}", wanted, unset=unset, **how)
            left = differences()
            if left:
                raise _declared.Broken(f"{name} was sent, but Marathon has something else at {', '.join(sorted(left))}")
            return marathon.settled(begun, f"{name} was {'created' if is_new else 'updated'}", undo if rollback else None)

        return _declared.Plan(changes, f"{name} is as declared", f"{name} would be {'created' if is_new else 'updated'}", act)

    return _declared.keep(name, __opts__["test"], plan, show_secrets)


def _absent(marathon, show_secrets):
    kind, name = marathon.kind, marathon.name

    def plan():
        marathon.check()
        changes = {}
        if marathon.ask(f"{kind}_exists"):
            found = {field: value for field, value in marathon.ask(kind).items() if field not in DOING}
            changes = {"/": {"old": found, "new": None}}

        def act():
            try:
                begun = marathon.write(f"delete_{kind}")
            except CommandExecutionError:
                if marathon.ask(f"{kind}_exists"):
                    raise
                return f"{name} was deleted by somebody else"
            if marathon.ask(f"{kind}_exists"):
                raise _declared.Broken(f"{name} was deleted, but Marathon has it again")
            return marathon.settled(begun, f"{name} was deleted")

        return _declared.Plan(changes, f"There is no {kind} called {name}", f"{name} would be deleted", act)

    return _declared.keep(name, __opts__["test"], plan, show_secrets)


def _scaled(marathon, instances, least, wanted):
    name = marathon.name

    def plan():
        marathon.check()
        whole = isinstance(instances, int) and not isinstance(instances, bool)
        _expect(whole and instances >= least, "instances", instances, f"a whole number, {least} or more")
        old = marathon.ask("app")["instances"]
        new = wanted(old)
        if old == new:
            marathon.under_way()

        def act():
            begun = marathon.write("scale_app", new)
            found = marathon.ask("app")["instances"]
            if found != new:
                raise _declared.Broken(f"{name} was to have {new} instances, but Marathon has {found}")
            return marathon.settled(begun, f"{name} was scaled from {old} to {new}")

        changes = {"/instances": {"old": old, "new": new}} if old != new else {}
        return _declared.Plan(changes, f"{name} has {old} instances", f"{name} would be scaled from {old} to {new}", act)

    return _declared.keep(name, __opts__["test"], plan)


def _expect(fits, argument, value, should):
    """Refuse an argument, in one line."""
    if not fits:
        raise SaltInvocationError(f"{argument}: {value!r} should be {should}")
