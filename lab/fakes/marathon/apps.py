"""Routes of apps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.exceptions import MethodNotAllowed

from ..wire.http import Request, answer
from . import fields, raml, rules, views
from .errors import Refused, api, body, flag, invalid, misshapen, missing
from .normal import App, absolute, complete, translate
from .tree import Tree, parsed

# Members that a value of ``embed`` adds.
EMBED = {
    "tasks": {"tasks", "deployments"},
    "failures": {"tasks", "deployments", "lastTaskFailure"},
    **{
        name: {name}
        for name in ("deployments", "readiness", "lastTaskFailure", "counts", "taskStats")
    },
}
LABEL = r"(\\.|[-A-Za-z0-9_.])+"  # as Marathon shows it
TERM = r"((?:\\.|[-A-Za-z0-9_.])+)"
SELECTOR = re.compile(
    rf"\s*{TERM}\s*(?:(==|!=)\s*{TERM}|(in|notin)\s*\(\s*((?:{TERM}\s*(?:,\s*)?)*)\))?\s*(?:,|$)"
)
DROPPED_BY_UPDATES = (
    "executorResources",
    "resourceLimits",
)  # a partial update drops these fields, a bug of Marathon


def selector(text: str) -> Callable[[dict[str, str]], bool]:
    """
    Return a function that tests labels against a selector such as ``tier==web, env in (a, b)``.
    Raises Refused if the selector is invalid.
    """
    checks: list[tuple[str, str, list[str]]] = []
    position = 0
    while position < len(text.rstrip()):
        match = SELECTOR.match(text, position)
        if not match:
            reason = "string matching regex '\\z' expected"
            if not re.match(TERM, text[position:].lstrip()):
                character = text[position:].lstrip()[0]
                reason = f"string matching regex '{LABEL}' expected but '{character}' found"
            raise Refused(422, f"Can not parse label selector {text}. Reason: {reason}")
        label, equals, value, member, members = match.groups()[:5]
        values = [value] if equals else re.findall(TERM, members or "")
        checks.append(
            (_plain(label), equals or member or "", [_plain(item) for item in values if item])
        )
        position = match.end()

    def matches(labels: dict[str, str]) -> bool:
        return all(
            label in labels
            and (not operator or (labels[label] in values) == (operator in ("==", "in")))
            for label, operator, values in checks
        )

    return matches


def _plain(term: str) -> str:
    return re.sub(r"\\(.)", r"\1", term)


def embedded(names: Iterable[str]) -> set[str]:
    """Resolve the values of ``embed``; their prefix is ignored."""
    plain = {re.sub(r"^(group\.apps\.|apps\.|app\.)", "", name) for name in names}
    return set().union(*(EMBED.get(name, set()) for name in plain))


class Apps:
    """Marathon's API for apps."""

    # --- JSON of apps ---

    def app_view(self: Any, app: App, embed: set[str] = frozenset()) -> dict[str, Any]:
        """Return the JSON of an app with the embedded members."""
        path, view = app["id"], views.app(app, self.line)
        if "counts" in embed:
            view |= self.counts(path)
        if "deployments" in embed:
            view["deployments"] = [
                {"id": plan.id} for plan in self.plans if path in plan.affected("app")
            ]
        if "tasks" in embed:
            view["tasks"] = self.task_views(path)
        if "lastTaskFailure" in embed and path in self.failures:
            view["lastTaskFailure"] = self.failures[path]
        if "readiness" in embed:
            view["readinessCheckResults"] = []
        if "taskStats" in embed:
            view["taskStats"] = self.task_stats(app)
        return view

    def spec_view(self: Any, path: str) -> dict[str, Any]:
        """Return the JSON of an app or a pod, without embedded members."""
        app = self.tree.apps.get(path)
        return self.app_view(app) if app else views.pod(self.tree.pods[path])

    def find_app(self: Any, id: str) -> App:
        """Return an app by its id. Raises Refused (404) if it does not exist."""
        app = self.tree.apps.get(absolute(id))
        if app is None:
            raise missing("App", absolute(id))
        return app

    # --- parsing ---

    def app_read(self: Any, definition: Any, path: str | None = None, group: str = "/") -> App:
        """
        Make an app from JSON. ``path`` overrides the id in the JSON. Raises Refused if it is
        invalid.
        """
        if path is not None:
            if not isinstance(definition, dict):
                misshapen([("", "error.expected.jsobject")], self.line)
            definition = {**definition, "id": path}
        app = fields.read_app(definition, self.line, creates=True)
        if self.line == (1, 8) and path is None:
            misshapen(raml.of_new_id(app["id"]), self.line)
        app["id"] = absolute(app["id"], group)
        if self.line >= (1, 8) and "dependencies" in app:
            names = app["dependencies"]
            app["dependencies"] = [
                name if name.startswith("..") else absolute(name, group) for name in names
            ]
        return self._completed(translate(app, self.settings, update=False))

    def updated_app(self: Any, old: App, definition: Any) -> App:
        """Merge JSON into an app. Members of the top level are replaced as a whole."""
        update = fields.read_app(definition, self.line)
        if "version" in update:
            return self._rolled_back(old["id"], update)
        update = translate(update, self.settings, update=True)
        current = {
            name: value
            for name, value in old.items()
            if name not in DROPPED_BY_UPDATES and name not in ("version", "versionInfo")
        }
        return self._completed({**current, **update, "id": old["id"]})

    def _completed(self: Any, app: App) -> App:
        settings = self.settings_for(app["id"])
        full = complete({name: value for name, value in app.items() if name != "version"}, settings)
        invalid(rules.of_app(full, settings))
        for constraint in full["constraints"]:
            if self.line >= (1, 8) and constraint[1] not in rules.OPERATORS:
                text = f"illegal constraint specification {','.join(constraint)}"
                raise Refused(500, text)
        return full

    def _rolled_back(self: Any, path: str, update: App) -> App:
        """Return an app as it was in an earlier version."""
        if set(update) - {"id", "version"}:
            invalid([("/", "The 'version' field may only be combined with the 'id' field.")])
        try:
            app = self.app_at(path, update["version"])
        except Refused as error:
            if self.line < (1, 8) or error.status != 404:
                raise
            raise missing("App", path) from error
        return {
            name: value for name, value in app.items() if name not in ("version", "versionInfo")
        }

    def app_at(self: Any, path: str, version: str) -> App:
        """Return an app in a version. Raises Refused (404) if there is no such version."""
        if parsed(version) is None:
            raise Refused(
                422, f"Invalid timestamp provided '{version}'. Expecting ISO-8601 datetime string."
            )
        versions = self.versions["apps"].get(path, {})
        for name, app in versions.items():
            if parsed(name) == parsed(version):
                return app
        raise missing("App", path, version)

    # --- routes ---

    @api("/v2/apps", "GET")
    def get_apps(self: Any, request: Request) -> Any:
        """List the apps that match the query."""
        cmd, id, label = (request.args.get(name, "") for name in ("cmd", "id", "label"))
        matches = selector(label) if label else lambda _labels: True
        embed = {"counts", "deployments"} | embedded(request.args.getlist("embed"))
        apps = [
            self.app_view(app, embed)
            for path, app in sorted(self.tree.apps.items())
            if cmd.lower() in str(app.get("cmd") or "").lower()
            and id.lower() in path.lower()
            and matches(app["labels"])
        ]
        return answer({"apps": apps})

    @api("/v2/apps/<path:id>", "GET")
    def get_app(self: Any, request: Request, id: str) -> Any:
        """Return one app, or all apps below a group (``/group/*``)."""
        embed = {"counts", "deployments", "tasks", "lastTaskFailure"} | embedded(
            request.args.getlist("embed")
        )
        if id == "*" or id.endswith("/*"):
            group = absolute(id[:-1])
            if group not in self.tree.groups:
                raise missing("Group", group)
            return answer(
                {
                    "*": [
                        self.app_view(self.tree.apps[path], embed)
                        for path in self.tree.below(group, self.tree.apps)
                    ]
                }
            )
        return answer({"app": self.app_view(self.find_app(id), embed)})

    @api("/v2/apps", "POST")
    def create_app(self: Any, request: Request) -> Any:
        """Create an app."""
        app, version = self.app_read(body(request)), self.clock.now()
        path = app["id"]
        if path in self.tree.apps:
            raise Refused(409, f"An app with id [{path}] already exists.")
        tree = self.tree.copy()
        tree.put("apps", app, version, self.enforces_roles)
        plan = self.deploy(tree, version, flag(request, "force"))
        view = views.app(self._created_app(plan.target.apps[path], app), self.line)
        view.pop("versionInfo")
        view |= dict.fromkeys(("tasksStaged", "tasksRunning", "tasksHealthy", "tasksUnhealthy"), 0)
        if self.line < (1, 6) or self.line == (1, 8):
            view["tasks"] = []
        response = self.changed(plan, 201, {**view, "deployments": [{"id": plan.id}]})
        prefix = "" if self.line >= (1, 8) else "v2/apps/"
        response.headers["Location"] = f"{request.host_url}{prefix}{path[1:]}"
        return response

    def _created_app(self: Any, stored: App, app: App) -> App:
        """Return a new app for the response. Since 1.8 it has port 0, not assigned ports."""
        if self.line < (1, 8):
            return stored
        return {**app, "version": stored["version"], "versionInfo": stored["versionInfo"]}

    def _update(
        self: Any, request: Request, changes: dict[str, Any], replaces: bool, creates: bool
    ) -> tuple[Any, bool]:
        """
        Update several apps in one deployment. Return the deployment, and whether an app was
        created.
        """
        tree, version, new = self.tree.copy(), self.clock.now(), False
        for path, definition in changes.items():
            old = self.tree.apps.get(path)
            if old is None and not creates:
                raise missing("App", path)
            app = (
                self.app_read(definition, path)
                if old is None or replaces
                else self.updated_app(old, definition)
            )
            tree.put("apps", app, version, self.enforces_roles)
            new = new or old is None
        return self.deploy(tree, version, flag(request, "force")), new

    def _is_replacement(self: Any, request: Request) -> bool:
        """Return whether a PUT replaces the whole app. Before 1.4 every update is partial."""
        return self.line >= (1, 4) and not flag(request, "partialUpdate", True)

    @api("/v2/apps/<path:id>", "PUT")
    def put_app(self: Any, request: Request, id: str) -> Any:
        """Update or create an app."""
        plan, new = self._update(
            request, {absolute(id): body(request)}, self._is_replacement(request), True
        )
        response = self.changed(plan, 201 if new else 200)
        if new and self.line >= (1, 8):
            response.headers["Location"] = f"{request.host_url}{absolute(id)[1:]}"
        return response

    @api("/v2/apps/<path:id>", "PATCH", since=(1, 4))
    def patch_app(self: Any, request: Request, id: str) -> Any:
        """Update an existing app."""
        path, definition = absolute(id), body(request)
        if self.line >= (1, 8) and path not in self.tree.apps:
            self.app_read(definition, path)  # 422 rather than 404 if it is not an app by itself
        return self.changed(self._update(request, {path: definition}, False, False)[0])

    def _updates(self: Any, request: Request) -> dict[str, Any]:
        """Return the updates in a request by id. Since 1.8 those without an id are ignored."""
        definitions = body(request)
        updates = fields.read_apps(definitions, self.line)
        if self.line < (1, 8) and not all("id" in app for app in updates):
            raise Refused(422, "requirement failed: App Update must have app id set")
        pairs = zip(updates, definitions, strict=True)
        return {absolute(app["id"]): definition for app, definition in pairs if "id" in app}

    @api("/v2/apps", "PUT")
    def put_apps(self: Any, request: Request) -> Any:
        """Update or create several apps."""
        return self.changed(
            self._update(request, self._updates(request), self._is_replacement(request), True)[0]
        )

    @api("/v2/apps", "PATCH", since=(1, 4))
    def patch_apps(self: Any, request: Request) -> Any:
        """Update several existing apps."""
        return self.changed(self._update(request, self._updates(request), False, False)[0])

    @api("/v2/apps/<path:id>", "DELETE")
    def delete_app(self: Any, request: Request, id: str) -> Any:
        """Delete an app. ``force`` is true by default."""
        path, tree, version = self.find_app(id)["id"], self.tree.copy(), self.clock.now()
        del tree.apps[path]
        self._touch_parent(tree, path, version)
        return self.changed(self.deploy(tree, version, flag(request, "force", True)))

    @staticmethod
    def _touch_parent(tree: Tree, path: str, version: str) -> None:
        tree.touch(absolute(path.rpartition("/")[0]), version)

    @api("/v2/apps/<path:id>/restart", "GET", "PUT", "DELETE")
    def refuse_restart(self: Any, _request: Request, id: str) -> Any:
        """Refuse methods that the path of a restart does not have."""
        raise MethodNotAllowed

    @api("/v2/apps/<path:id>/restart", "POST")
    def restart_app(self: Any, request: Request, id: str) -> Any:
        """Replace all tasks of an app."""
        path = self.find_app(id)["id"]
        restart = frozenset({path})
        return self.changed(
            self.deploy(self.tree.copy(), self.clock.now(), flag(request, "force"), restart)
        )

    @api("/v2/apps/<path:id>/versions", "GET")
    def get_app_versions(self: Any, _request: Request, id: str) -> Any:
        """List the versions of an app."""
        path = self.find_app(id)["id"]
        return answer({"versions": self.listed_versions("apps", path)})

    def listed_versions(self: Any, kind: str, path: str) -> list[str]:
        """Return the versions of an app or pod, with those that do not exist but were asked for."""
        return views.versions({*self.versions[kind][path], *self.missing_versions.get(path, ())})

    @api("/v2/apps/<path:id>/versions/<version>", "GET")
    def get_app_version(self: Any, _request: Request, id: str, version: str) -> Any:
        """Return an app in an earlier version."""
        path = absolute(id)
        try:
            return answer(views.app(self.app_at(path, version), self.line))
        except Refused as refusal:
            if refusal.status == 404 and path in self.tree.apps:
                self.missing_versions.setdefault(path, set()).add(version)
            raise
