"""The routes of apps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from ..wire.http import Request, answer
from . import fields, rules
from . import shown as marathon_shown
from .errors import Refused, api, body, flag, invalid, missing
from .normal import App, absolute, complete, translate
from .tree import Tree, parsed

# What a name in ``embed`` shows.
EMBED = {
    "tasks": {"tasks", "deployments"},
    "failures": {"tasks", "deployments", "lastTaskFailure"},
    **{
        name: {name}
        for name in ("deployments", "readiness", "lastTaskFailure", "counts", "taskStats")
    },
}
TERM = r"((?:\\.|[-A-Za-z0-9_.])+)"
SELECTOR = re.compile(
    rf"\s*{TERM}\s*(?:(==|!=)\s*{TERM}|(in|notin)\s*\(\s*((?:{TERM}\s*(?:,\s*)?)*)\))?\s*(?:,|$)"
)
LOST_BY_UPDATES = (
    "executorResources",
    "resourceLimits",
)  # a partial update forgets them, a fault of Marathon


def selector(text: str) -> Callable[[dict[str, str]], bool]:
    """Read a selector of labels, such as ``tier==web, env in (a, b)``; refuses what is none."""
    checks: list[tuple[str, str, list[str]]] = []
    position = 0
    while position < len(text.rstrip()):
        match = SELECTOR.match(text, position)
        if not match:
            reason = "string matching regex '\\z' expected"
            raise Refused(422, f"Can not parse label selector {text}. Reason: {reason}")
        label, equals, value, member, members = match.groups()[:5]
        values = [value] if equals else re.findall(TERM, members or "")
        checks.append(
            (_plain(label), equals or member or "", [_plain(each) for each in values if each])
        )
        position = match.end()

    def matches(labels: dict[str, str]) -> bool:
        return all(
            label in labels and (not how or (labels[label] in values) == (how in ("==", "in")))
            for label, how, values in checks
        )

    return matches


def _plain(term: str) -> str:
    return re.sub(r"\\(.)", r"\1", term)


def embedded(names: Iterable[str]) -> set[str]:
    """Resolve what ``embed`` names, whatever the prefix."""
    plain = {re.sub(r"^(group\.apps\.|apps\.|app\.)", "", name) for name in names}
    return set().union(*(EMBED.get(name, set()) for name in plain))


class Apps:
    """The part of Marathon that shows and changes apps."""

    # --- how they are shown ---

    def app_shown(self: Any, app: App, embed: set[str] = frozenset()) -> dict[str, Any]:
        """Show an app with what shall be embedded."""
        path, shown = app["id"], marathon_shown.app(app, self.line)
        if "counts" in embed:
            shown |= self.counts(path)
        if "deployments" in embed:
            shown["deployments"] = [
                {"id": plan.id} for plan in self.plans if path in plan.affected("app")
            ]
        if "tasks" in embed:
            shown["tasks"] = self.tasks_of(path)
        if "lastTaskFailure" in embed and path in self.failures:
            shown["lastTaskFailure"] = self.failures[path]
        if "readiness" in embed:
            shown["readinessCheckResults"] = []
        if "taskStats" in embed:
            counts = {
                name.removeprefix("tasks").lower(): count
                for name, count in self.counts(path).items()
            }
            shown["taskStats"] = (
                {"totalSummary": {"stats": {"counts": counts}}} if any(counts.values()) else {}
            )
        return shown

    def shown_spec(self: Any, path: str) -> dict[str, Any]:
        """Show an app or a pod, nothing embedded."""
        app = self.tree.apps.get(path)
        return self.app_shown(app) if app else marathon_shown.pod(self.tree.pods[path])

    def known_app(self: Any, id: str) -> App:
        """Return an app by its id; refuses where there is none."""
        app = self.tree.apps.get(absolute(id))
        if app is None:
            raise missing("App", absolute(id))
        return app

    # --- how they are read ---

    def app_read(self: Any, given: Any, path: str | None = None, group: str = "/") -> App:
        """Make a new app of JSON; refuses one that is none. ``path`` is its id, whatever the JSON says."""
        if isinstance(given, dict) and path is not None:
            given = {**given, "id": path}
        app = fields.read_app(given, self.line, creates=True)
        app["id"] = absolute(app["id"], group)
        return self._app_kept(translate(app, self.settings, update=False))

    def app_updated(self: Any, old: App, given: Any) -> App:
        """Merge JSON into an app, top level by top level."""
        update = fields.read_app(given, self.line)
        if "version" in update:
            return self._app_back(old["id"], update)
        update = translate(update, self.settings, update=True)
        kept = {
            name: value
            for name, value in old.items()
            if name not in LOST_BY_UPDATES and name not in ("version", "versionInfo")
        }
        return self._app_kept({**kept, **update, "id": old["id"]})

    def _app_kept(self: Any, app: App) -> App:
        settings = self.settings_for(app["id"])
        full = complete({name: value for name, value in app.items() if name != "version"}, settings)
        invalid(rules.of_app(full, settings))
        return full

    def _app_back(self: Any, path: str, update: App) -> App:
        """Return an app as it was in an earlier version."""
        if set(update) - {"id", "version"}:
            invalid([("/", "The 'version' field may only be combined with the 'id' field.")])
        app = self.app_at(path, update["version"])
        return {
            name: value for name, value in app.items() if name not in ("version", "versionInfo")
        }

    def app_at(self: Any, path: str, version: str) -> App:
        """Return an app in a version; refuses where there is none."""
        if parsed(version) is None:
            raise Refused(
                422, f"Invalid timestamp provided '{version}'. Expecting ISO-8601 datetime string."
            )
        versions = self.versions["apps"].get(path, {})
        found = next(
            (app for name, app in versions.items() if parsed(name) == parsed(version)), None
        )
        if found is None:
            raise missing("App", path, version)
        return found

    # --- what it answers ---

    @api("/v2/apps", "GET")
    def get_apps(self: Any, request: Request) -> Any:
        """Show the apps that match."""
        cmd, id, label = (request.args.get(name, "") for name in ("cmd", "id", "label"))
        matches = selector(label) if label else lambda _labels: True
        embed = {"counts", "deployments"} | embedded(request.args.getlist("embed"))
        found = [
            self.app_shown(app, embed)
            for path, app in sorted(self.tree.apps.items())
            if cmd.lower() in str(app.get("cmd") or "").lower()
            and id.lower() in path.lower()
            and matches(app["labels"])
        ]
        return answer({"apps": found})

    @api("/v2/apps/<path:id>", "GET")
    def get_app(self: Any, request: Request, id: str) -> Any:
        """Show one app, or all below a group."""
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
                        self.app_shown(self.tree.apps[path], embed)
                        for path in self.tree.below(group, self.tree.apps)
                    ]
                }
            )
        return answer({"app": self.app_shown(self.known_app(id), embed)})

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
        shown = marathon_shown.app(plan.target.apps[path], self.line)
        shown.pop("versionInfo")
        shown |= dict.fromkeys(("tasksStaged", "tasksRunning", "tasksHealthy", "tasksUnhealthy"), 0)
        if self.line < (1, 6):
            shown["tasks"] = []
        response = self.changed(plan, 201, {**shown, "deployments": [{"id": plan.id}]})
        response.headers["Location"] = f"{request.host_url}v2/apps{path}"
        return response

    def _update(
        self: Any, request: Request, changes: dict[str, Any], whole: bool, creates: bool
    ) -> tuple[Any, bool]:
        """Update several apps at once. Returns the deployment, and whether an app is new."""
        tree, version, new = self.tree.copy(), self.clock.now(), False
        for path, given in changes.items():
            old = self.tree.apps.get(path)
            if old is None and not creates:
                raise missing("App", path)
            app = (
                self.app_read(given, path) if old is None or whole else self.app_updated(old, given)
            )
            tree.put("apps", app, version, self.enforces_roles)
            new = new or old is None
        return self.deploy(tree, version, flag(request, "force")), new

    def _whole(self: Any, request: Request) -> bool:
        """Whether a PUT replaces all of an app; before 1.4 none does."""
        return self.line >= (1, 4) and not flag(request, "partialUpdate", True)

    @api("/v2/apps/<path:id>", "PUT")
    def put_app(self: Any, request: Request, id: str) -> Any:
        """Update an app, or create it."""
        plan, new = self._update(request, {absolute(id): body(request)}, self._whole(request), True)
        return self.changed(plan, 201 if new else 200)

    @api("/v2/apps/<path:id>", "PATCH", since=(1, 4))
    def patch_app(self: Any, request: Request, id: str) -> Any:
        """Update an app that is there."""
        return self.changed(self._update(request, {absolute(id): body(request)}, False, False)[0])

    def _several(self: Any, request: Request) -> dict[str, Any]:
        given = fields.read(["any"], body(request), self.line)
        if not all(isinstance(app, dict) and isinstance(app.get("id"), str) for app in given):
            raise Refused(422, "requirement failed: App Update must have app id set")
        return {absolute(app["id"]): app for app in given}

    @api("/v2/apps", "PUT")
    def put_apps(self: Any, request: Request) -> Any:
        """Update several apps, or create them."""
        return self.changed(
            self._update(request, self._several(request), self._whole(request), True)[0]
        )

    @api("/v2/apps", "PATCH", since=(1, 4))
    def patch_apps(self: Any, request: Request) -> Any:
        """Update several apps that are there."""
        return self.changed(self._update(request, self._several(request), False, False)[0])

    @api("/v2/apps/<path:id>", "DELETE")
    def delete_app(self: Any, request: Request, id: str) -> Any:
        """Delete an app. It is forced unless the request says otherwise."""
        path, tree, version = self.known_app(id)["id"], self.tree.copy(), self.clock.now()
        del tree.apps[path]
        self._touch_parent(tree, path, version)
        return self.changed(self.deploy(tree, version, flag(request, "force", True)))

    @staticmethod
    def _touch_parent(tree: Tree, path: str, version: str) -> None:
        tree.touch(absolute(path.rpartition("/")[0]), version)

    @api("/v2/apps/<path:id>/restart", "POST")
    def restart_app(self: Any, request: Request, id: str) -> Any:
        """Replace all tasks of an app."""
        path = self.known_app(id)["id"]
        restart = frozenset({path})
        return self.changed(
            self.deploy(self.tree.copy(), self.clock.now(), flag(request, "force"), restart)
        )

    @api("/v2/apps/<path:id>/versions", "GET")
    def get_app_versions(self: Any, _request: Request, id: str) -> Any:
        """Show the versions of an app, the newest first."""
        return answer(
            {"versions": sorted(self.versions["apps"][self.known_app(id)["id"]], reverse=True)}
        )

    @api("/v2/apps/<path:id>/versions/<version>", "GET")
    def get_app_version(self: Any, _request: Request, id: str, version: str) -> Any:
        """Show an app as it was."""
        return answer(marathon_shown.app(self.app_at(absolute(id), version), self.line))
