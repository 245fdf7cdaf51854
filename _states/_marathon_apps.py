"""
Several apps of Marathon and the groups that contain them, for the states ``marathon.apps_present``,
``group_present`` and ``group_absent``. A helper, not a state itself: Salt's loader skips names that
begin with ``_``.
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import _declared
from salt.exceptions import CommandExecutionError, SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_declared)

# Fields of an app that report its state and are not part of its definition.
RUNTIME_FIELDS = (
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
GROUP_FIELDS = ("id", "apps", "groups", "dependencies", "enforceRole")
# Fields of Marathon's groups that group_present does not manage.
UNMANAGED_GROUP_FIELDS = {
    "pods": "declare them with marathon.pod_present",
    "scaleBy": "declare the instances of the apps",
}
ENFORCE_ROLE_SINCE = [1, 9]
# The label that says which owner an app of apps_present belongs to.
OWNER_LABEL = "MANAGED_BY"
MAX_IDS_IN_COMMENT = 10


class Declared(NamedTuple):
    """
    Apps and groups that should exist.

    apps
        Id of an app to its fields.

    dependencies
        Id of a group to the ids that it depends on, None if they are not declared.

    enforce_role
        Id of a group to its ``enforceRole``, only for groups that declare it.
    """

    apps: Mapping
    dependencies: Mapping
    enforce_role: Mapping = MappingProxyType({})


class Current:
    """
    Apps, groups and pods that Marathon has.

    ``apps`` and ``pods`` map ids to fields, ``groups`` maps ids to dependencies. ``groups`` is None
    until ``read_groups`` is called.
    """

    def __init__(self, marathon):
        self._marathon = marathon
        self.version = None
        self.apps = {}
        self.groups = None
        self.enforce_role = {}
        self.pods = {}

    def read_apps(self):
        """
        Read all apps, and the version of Marathon if it is not known yet.

        The list is complete even right after an election: without a leader, Marathon responds with
        502 or 503, and a new leader responds after it has read the root group from ZooKeeper, or
        with an error (``rootGroup`` in ``core/group/impl/GroupManagerImpl.scala``).
        """
        if self.version is None:
            self.version = self._marathon.call("version")
        self.apps = {app["id"]: app for app in self._marathon.call("apps")}

    def read_groups(self):
        """Read all groups and pods."""
        self.groups, self.pods = {}, {}
        queue = [self._marathon.call("group", "/", embed=["group.groups", "group.pods"])]
        for group in queue:
            self.groups[group["id"]] = list(group.get("dependencies") or ())
            self.enforce_role[group["id"]] = group.get("enforceRole")
            # Since 1.8 a group shows the status of its pods, with the definition in ``spec``.
            self.pods.update({pod["id"]: pod.get("spec") or pod for pod in group.get("pods") or ()})
            queue += group.get("groups") or ()

    def group_deletion(self, group_id):
        """Return the changes if a group and everything in it is deleted."""
        changes = {}
        for id, dependencies in self.groups.items():
            if is_in_group(id, group_id):
                changes[id] = deletion({"dependencies": dependencies})
        for id, config in {**self.apps, **self.pods}.items():
            if is_in_group(id, group_id):
                changes[id] = deletion(config)
        return changes

    def undeclared_deletion(self, declared_groups):
        """
        Return the changes if everything in these groups that is not declared is deleted.

        declared_groups
            As ``flatten_group`` returns them.
        """
        changes = {}
        for group_id in self.groups.keys() & declared_groups.keys():
            declared_apps = declared_groups[group_id]["apps"]
            declared_subgroups = declared_groups[group_id]["groups"]
            if declared_apps is not None:
                for id, app in self.apps.items():
                    if parent_id(id) == group_id and id not in declared_apps:
                        changes[id] = deletion(app)
            if declared_subgroups is not None:
                for id in self.groups:
                    is_child = id != "/" and parent_id(id) == group_id
                    if is_child and id not in declared_subgroups:
                        changes.update(self.group_deletion(id))
        return changes


class Apps:
    """
    Compare declared apps and groups with those of Marathon, and change them.

    marathon
        The ``Marathon`` of the state, which sends the requests.

    declared, current
        ``Declared`` and ``Current``.

    mode
        See ``marathon.app_present``.

    pending
        Function that returns what earlier states of a test run would have created, scaled or
        deleted.
    """

    def __init__(self, marathon, declared, current, mode, pending):
        self._marathon = marathon
        self._declared = declared
        self._current = current
        self._mode = mode
        self._pending = pending
        self._waiter = marathon.waiter(self._deployments, self._problem)

    def plan(self, deletions, unchanged_comment, rollback=False):
        """Return the ``_declared.Plan``. ``deletions`` has the changes of each id to delete."""
        differences = self._differences()
        current = self._current.apps if self._mode == "merge" else None
        self._marathon.collect_warnings(self._declared.apps, "apps", current=current)
        order = self._check_dependencies(deletions)
        changes = {**differences, **deletions}
        if not changes:
            self._waiter.under_way()
        return _declared.Plan(
            changes,
            unchanged_comment,
            f"{self._marathon.name}: {summarize(changes, 'would be ')}",
            lambda: self._apply(differences, deletions, order, rollback),
        )

    # --- comparison ---

    def _differences(self):
        """Return the changes of apps and groups by id."""
        changes = {}
        for id, dependencies in self._declared.dependencies.items():
            if id not in self._current.groups:
                fields = {"dependencies": dependencies or [], **self._enforce_role(id)}
                changes[id] = {"/": {"old": None, "new": fields}}
                continue
            old = self._current.groups[id]
            if dependencies is not None and set(dependencies) != set(old):
                changes[id] = {"/dependencies": {"old": sorted(old), "new": sorted(dependencies)}}
            enforce_role = self._current.enforce_role[id]
            if self._declared.enforce_role.get(id, enforce_role) != enforce_role:
                new = self._declared.enforce_role[id]
                changes.setdefault(id, {})["/enforceRole"] = {"old": enforce_role, "new": new}
        if self._declared.apps:
            changes.update(
                self._marathon.call(
                    "diff_apps",
                    self._declared.apps,
                    mode=self._mode,
                    current=list(self._current.apps.values()),
                    version=self._current.version,
                )
            )
        return changes

    def _enforce_role(self, id):
        """Return the declared ``enforceRole`` of a group as a field, nothing if it has none."""
        if id not in self._declared.enforce_role:
            return {}
        return {"enforceRole": self._declared.enforce_role[id]}

    def _check_dependencies(self, deletions):
        """
        Return the order of ids in which dependencies come first: id to number.

        Raises SaltInvocationError for an id that is both an app and a group, and for missing or
        circular dependencies.
        """
        current = self._current.apps
        app_ids = {*self._declared.apps, *(id for id in current if id not in deletions)}
        group_ids = set()
        for parent in {parent_id(id) for id in app_ids} - {""}:
            group_ids.update(path_ids(parent))
        for id in sorted(app_ids & {*self._declared.dependencies, *group_ids}):
            raise SaltInvocationError(f"{id} is the id of both an app and a group")
        app_dependencies = {
            id: app.get("dependencies") or () for id, app in current.items() if id not in deletions
        }
        declared_ids = set()
        for id, config in self._declared.apps.items():
            is_replaced = self._mode == "replace" or id not in app_dependencies
            if config.get("dependencies") or is_replaced:
                declared_ids.add(id)
                needed = config.get("dependencies") or ()
                app_dependencies[id] = [absolute_id(needed_id) for needed_id in needed]
        group_dependencies = {
            id: needed for id, needed in (self._current.groups or {}).items() if id not in deletions
        }
        for id, needed in self._declared.dependencies.items():
            if needed is not None:
                group_dependencies[id] = needed
        self._check_missing_dependencies(
            {**group_dependencies, **app_dependencies},
            {*declared_ids, *self._declared.dependencies},
            app_ids,
            deletions,
        )
        old_dependencies = {id: app.get("dependencies") or () for id, app in current.items()}
        return _dependency_order({**old_dependencies, **app_dependencies}, group_dependencies)

    def _check_missing_dependencies(self, dependencies, declared_ids, app_ids, deletions):
        if not any(dependencies.values()):
            return
        pending = self._pending()
        deleted = {*deletions, *(id for id, amount in pending.items() if amount is False)}
        created = [id for id, amount in pending.items() if amount]
        existing = set()
        for id in (
            *app_ids,
            *self._declared.dependencies,
            *(self._current.groups or ()),
            *self._current.pods,
            *created,
        ):
            if id not in deleted:
                existing.update(path_ids(id))
        missing = [
            (id, needed_id)
            for id, needed in dependencies.items()
            for needed_id in needed
            if needed_id not in existing and (id in declared_ids or needed_id in deleted)
        ]
        if missing and self._current.groups is None:
            self._current.read_groups()
            self._check_missing_dependencies(dependencies, declared_ids, app_ids, deletions)
            return
        for id, needed_id in missing:
            problem = "would be deleted" if needed_id in deleted else "does not exist"
            raise SaltInvocationError(f"{id}: dependencies: {needed_id} {problem}")

    # --- changes ---

    def _apply(self, differences, deletions, order, rollback):
        """
        Send the differences, all apps in one deployment, and then the deletions.

        Reads back, waits for each deployment if the state waits, and returns the comment.
        """
        changed = {}
        try:
            return self._send_all(differences, deletions, order, rollback, changed)
        except _declared.IncompleteChange as error:
            changes = changed if error.changes is None else error.changes
            raise _declared.IncompleteChange(str(error), changes) from None
        except (CommandExecutionError, SaltInvocationError) as error:
            if not changed:
                raise
            raise _declared.IncompleteChange(
                f"{self._marathon.name}: {summarize(changed)}; the next step failed: {error}",
                changed,
            ) from None

    def _send_all(self, differences, deletions, order, rollback, changed):
        """Send everything; ``changed`` receives the changes that were sent."""
        old_apps = self._current.apps
        app_changes = {
            id: change for id, change in differences.items() if id in self._declared.apps
        }
        for id in sorted(differences.keys() - app_changes.keys()):
            self._send_group(id, differences[id])
            changed[id] = differences[id]
        results = []
        if app_changes:
            results.append(self._send_apps(app_changes, old_apps))
            changed.update(app_changes)

        def undo(deployment):
            return self._undo(app_changes, old_apps, deployment)

        comments = [self._read_back(changed, results, undo if rollback else None)]

        results = []
        roots = [id for id in deletions if parent_id(id) not in deletions]
        for root in sorted(roots, key=lambda id: -order.get(id, 0)):
            results += self._delete(root)
            for id, change in deletions.items():
                if is_in_group(id, root):
                    changed[id] = change
        deleted = {id: deletions[id] for id in changed if id in deletions}
        comments.append(self._read_back(deleted, results))
        return "; ".join(comment for comment in comments if comment)

    def _send_apps(self, changes, old_apps):
        return self._marathon.send(
            "update_apps",
            {id: self._declared.apps[id] for id in changes},
            mode=self._mode,
            current=[old_apps[id] for id in changes if id in old_apps],
            version=self._current.version,
            # What was read is outdated after another deployment.
            again={"current": None},
        )

    def _send_group(self, id, changes):
        """
        Create a group, or change its dependencies and role, which starts and stops nothing.

        Marathon creates the group of an app together with the app.
        """
        dependencies = self._declared.dependencies[id] or []
        config = {"dependencies": dependencies, **self._enforce_role(id)}
        if id in self._current.groups:
            if "/dependencies" in changes:
                self._marathon.send("update_group", id, {"dependencies": dependencies})
            if "/enforceRole" in changes:
                body = self._enforce_role(id)
                self._marathon.call("api_call", "PATCH", f"/v2/groups{id}", body=body)
            return
        has_apps = any(is_in_group(app_id, id) for app_id in self._declared.apps)
        if dependencies or "enforceRole" in config or not has_apps:
            self._marathon.send("create_group", id, config)

    def _delete(self, id):
        """Delete an app or group. Returns the result in a list, an empty one if it was missing."""
        kind = "group" if id in (self._current.groups or ()) else "app"
        try:
            return [self._marathon.send(f"delete_{kind}", id)]
        except CommandExecutionError:
            if self._marathon.call(f"{kind}_exists", id):
                raise
            return []

    def _read_back(self, changed, results, undo=None):
        """
        Check that Marathon has what was sent, wait for the deployments if the state waits, and
        return the comment. Raises IncompleteChange.
        """
        if not changed:
            return ""
        self._current.read_apps()
        if self._current.groups is not None:
            self._current.read_groups()
        comment = f"{self._marathon.name}: {summarize(changed)}"
        deleted = [
            id for id, change in changed.items() if "/" in change and change["/"]["new"] is None
        ]
        remaining = [
            id for id in deleted if id in self._current.apps or id in (self._current.groups or ())
        ]
        for id, change in self._differences().items():
            if id in changed and id not in deleted:
                remaining.append(f"{id} at {', '.join(sorted(change))}")
        if remaining:
            raise _declared.IncompleteChange(
                f"{comment}, but Marathon has different values: {'; '.join(shorten_ids(remaining))}"
            )
        return self._waiter.settled(results, comment, undo)

    def _undo(self, changes, old_apps, deployment):
        def begin():
            if deployment:
                return [self._marathon.call("cancel_deployment", deployment)]
            results = []
            old = {id: old_apps[id] for id in changes if id in old_apps}
            if old:
                version = self._current.version
                results.append(
                    self._marathon.send("update_apps", old, mode="replace", version=version)
                )
            for id in changes:
                if id not in old_apps:
                    results += self._delete(id)
            return results

        def is_undone():
            self._current.read_apps()
            differences = self._differences()
            return {id: differences[id] for id in differences if id in changes} == changes

        return self._waiter.undone(begin, is_undone)

    # --- deployments ---

    def _deployments(self):
        """Return the running deployments that change these apps and groups."""
        ids = {*self._declared.apps, *self._declared.dependencies}
        return [
            deployment
            for deployment in self._marathon.call("deployments")
            if ids & {*deployment["affectedApps"], *deployment["affectedPods"]}
        ]

    def _problem(self):
        """Return which apps have too few instances, None if all have enough."""
        problems = []
        for app in self._marathon.call("apps", embed=["counts", "lastTaskFailure"]):
            problem = instance_problem(app) if app["id"] in self._declared.apps else None
            if problem:
                problems.append(f"{app['id']}: {problem}")
        return "; ".join(shorten_ids(problems)) or None


def instance_problem(app):
    """Return how many instances of an app are missing or unhealthy, None if there is no problem."""
    running = app.get("tasksRunning", 0)
    unhealthy = app.get("tasksUnhealthy", 0)
    if running >= app["instances"] and not unhealthy:
        return None
    problem = f"{running} of {app['instances']} instances run, {unhealthy} unhealthy"
    failure = app.get("lastTaskFailure")
    if failure:
        message = failure.get("message") or "no reason given"
        problem += f"; last failure: {failure.get('state')}: {message}"
    return problem


# --- order ---


def _dependency_order(app_dependencies, group_dependencies):
    """
    Return the order of ids in which dependencies come first: id to number.

    Apps also depend on what their groups depend on. Raises SaltInvocationError for a circle.
    """
    if not any(app_dependencies.values()) and not any(group_dependencies.values()):
        return {}
    graph = {id: set(needed) for id, needed in app_dependencies.items()}
    for id in app_dependencies:
        for group_id in path_ids(id)[:-1]:
            graph.setdefault(group_id, set()).add(id)
            needed = group_dependencies.get(group_id, ())
            graph[id] |= {needed_id for needed_id in needed if not is_in_group(id, needed_id)}
    return _topological_order(graph)


def _topological_order(graph):
    """Number the nodes of a graph so that each comes after those that it needs."""
    order, iterators = {}, {}
    for start in sorted(graph):
        stack = [] if start in order else [start]
        while stack:
            node = stack[-1]
            needed = iterators.setdefault(node, iter(sorted(graph.get(node, ()))))
            for needed_node in needed:
                if needed_node in iterators and needed_node not in order:
                    circle = [*stack[stack.index(needed_node) :], needed_node]
                    raise SaltInvocationError(
                        f"dependencies: circular: {' needs '.join(shorten_ids(circle))}"
                    )
                if needed_node not in order:
                    stack.append(needed_node)
                    break
            else:
                order[node] = len(order)
                stack.pop()
    return order


# --- definitions ---


def owner_of(app):
    """Return the owner that an app is labelled with, None without one."""
    return (app.get("labels") or {}).get(OWNER_LABEL) or None


def with_owner(id, config, current, mode, instances_managed, owner):
    """
    Return the fields of an app with the label of its owner.

    They are without the number of instances if the app exists and something else manages it. Raises
    SaltInvocationError if the app has another owner.
    """
    current_owner = owner_of(current) if current else None
    if current_owner not in (None, owner):
        raise SaltInvocationError(
            f"{id} belongs to {current_owner!r} (label {OWNER_LABEL}), not to {owner!r}"
        )
    if current and not instances_managed:
        config = {field: value for field, value in config.items() if field != "instances"}
    labels = config.get("labels")
    if labels is None:
        if mode == "merge" and current_owner:
            return config
        labels = {}
        if current and mode == "merge":
            labels = current.get("labels") or {}
    if not isinstance(labels, Mapping):
        return config  # Marathon's validation reports the error
    require(
        labels.get(OWNER_LABEL, owner) == owner,
        f"{id}: labels: {OWNER_LABEL}",
        labels.get(OWNER_LABEL),
        f"omitted, or {owner!r}, the argument owner",
    )
    return {**config, "labels": {**labels, OWNER_LABEL: owner}}


def load_members(members, source, load, group_id=""):
    """
    Return apps or groups as a mapping of absolute ids to fields.

    members
        A mapping of ids to fields, or a list of fields with an id in each.

    source
        The argument that they come from, for messages.

    load
        Function that returns a definition as a mapping: ``load(config, source)``.

    group_id
        The group that contains them.
    """
    if isinstance(members, list):
        configs = [load(config, f"{source}[{index}]") for index, config in enumerate(members)]
        pairs = [(config.get("id"), config) for config in configs]
    else:
        require(
            isinstance(members, Mapping),
            source,
            members,
            "a mapping of ids to fields, or a list of fields with an id in each",
        )
        pairs = members.items()
    configs_by_id = {}
    for id, config in pairs:
        full_id = id_in_group(id, group_id, source)
        is_direct_member = parent_id(full_id) == group_id or not group_id
        require(is_direct_member, f"{source}: id", id, f"the id of a direct member of {group_id}")
        if full_id in configs_by_id:
            raise SaltInvocationError(f"{source}: {full_id} is declared twice")
        config = load(config, f"{source}: {full_id}")
        configs_by_id[full_id] = {**config, "id": full_id} if group_id else config
    return configs_by_id


def flatten_group(id, config, load, collect_warnings):
    """
    Return a declared group and its subgroups by id.

    Each one has ``apps`` (id to fields), ``groups`` (id to fields), ``dependencies`` (ids) and
    ``enforceRole``, None for what is not declared. ``collect_warnings(fields, "group", id)`` is
    called with the fields that Marathon may not have.
    """
    for name, advice in UNMANAGED_GROUP_FIELDS.items():
        if config.get(name):
            raise SaltInvocationError(f"{id}: {name}: not a field of this state; {advice}")
    unknown_names = config.keys() - {*GROUP_FIELDS, *UNMANAGED_GROUP_FIELDS}
    unknown_fields = {name: config[name] for name in sorted(unknown_names, key=str)}
    collect_warnings(unknown_fields, "group", id)
    _check_enforce_role(id, config.get("enforceRole"))
    dependencies = config.get("dependencies")
    if dependencies is not None:
        source = f"{id}: dependencies"
        require(isinstance(dependencies, list), source, dependencies, "a list of ids")
        dependencies = [id_in_group(needed_id, id, source) for needed_id in dependencies]
    apps = config.get("apps")
    if apps is not None:
        apps = load_members(apps, f"{id}: apps", load, id)
        apps = {app_id: _with_absolute_dependencies(id, app) for app_id, app in apps.items()}
    groups = config.get("groups")
    if groups is not None:
        groups = load_members(groups, f"{id}: groups", load, id)
    flat = {
        id: {
            "apps": apps,
            "groups": groups,
            "dependencies": dependencies,
            "enforceRole": config.get("enforceRole"),
        }
    }
    for group_id, group in (groups or {}).items():
        flat.update(flatten_group(group_id, group, load, collect_warnings))
    return flat


def _check_enforce_role(id, value):
    """Raise SaltInvocationError for an invalid ``enforceRole``; only top-level groups have one."""
    if value is None:
        return
    require(isinstance(value, bool), f"{id}: enforceRole", value, "True or False")
    if parent_id(id):
        raise SaltInvocationError(f"{id}: enforceRole: only a group directly below / can have it")


def check_enforce_role_version(declared, version):
    """Raise SaltInvocationError if a version of Marathon would ignore ``enforceRole``."""
    if declared.enforce_role and list(version) < ENFORCE_ROLE_SINCE:
        text = ".".join(map(str, version))
        raise SaltInvocationError(
            f"{next(iter(declared.enforce_role))}: enforceRole: needs Marathon 1.9; {text} "
            "ignores it"
        )


def _with_absolute_dependencies(group_id, app):
    """Return an app with absolute dependencies; relative ones are ids in the group."""
    needed = app.get("dependencies")
    if not isinstance(needed, list) or not all(isinstance(id, str) for id in needed):
        return app
    source = f"{app['id']}: dependencies"
    return {**app, "dependencies": [id_in_group(id, group_id, source) for id in needed]}


def check_group_id(name):
    """Raise SaltInvocationError for the root group."""
    is_valid = isinstance(name, str) and name.strip("/. ")
    require(is_valid, "name", name, "a group below the root /")


def require(is_valid, argument, value, expected):
    """Raise SaltInvocationError, in one line, unless an argument is valid."""
    if not is_valid:
        raise SaltInvocationError(f"{argument}: {value!r} should be {expected}")


# --- ids ---


def absolute_id(id):
    return "/" + str(id).strip("/")


def id_in_group(id, group_id, source):
    """Return the absolute form of an id. Without a leading slash it is relative to the group."""
    is_valid = isinstance(id, str) and id.strip("/ ")
    require(is_valid, f"{source}: id", id, "text such as /shop/cart")
    if id.startswith("/") or not group_id:
        return absolute_id(id)
    return f"{group_id}{absolute_id(id)}"


def parent_id(id):
    """Return the id of the group that contains an app or group, empty for the root group."""
    return id.rpartition("/")[0]


def path_ids(id):
    """Return the ids of the groups that contain an app or group, and its own id."""
    parts = id.strip("/").split("/")
    return ["/" + "/".join(parts[:length]) for length in range(1, len(parts) + 1)]


def is_in_group(id, group_id):
    """Return whether an id is that of a group, or of something in it."""
    return id == group_id or id.startswith(f"{group_id}/")


# --- changes and comments ---


def without_runtime_fields(config):
    return {field: value for field, value in config.items() if field not in RUNTIME_FIELDS}


def deletion(config):
    """Return the changes of a deleted app, pod or group."""
    return {"/": {"old": without_runtime_fields(config), "new": None}}


def summarize(changes, prefix=""):
    """Summarize changes in one line: each action with its ids."""
    ids_by_action = {}
    for id, change in changes.items():
        ids_by_action.setdefault(_action(change), []).append(id)
    return "; ".join(
        f"{prefix}{action}: {', '.join(shorten_ids(sorted(ids)))}"
        for action, ids in ids_by_action.items()
    )


def _action(change):
    if "/" not in change:
        return "updated"
    return "created" if change["/"]["old"] is None else "deleted"


def shorten_ids(texts):
    """Return the first texts of a list, with a note of how many were omitted."""
    omitted = len(texts) - MAX_IDS_IN_COMMENT
    if omitted <= 0:
        return texts
    return [*texts[:MAX_IDS_IN_COMMENT], f"... {omitted} more"]
