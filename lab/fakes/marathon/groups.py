"""Routes of groups."""

from __future__ import annotations

from typing import Any

from ..wire.http import Request, answer
from . import fields, raml, rules, views
from .apps import embedded
from .errors import Errors, Line, Refused, api, body, flag, invalid, misshapen, missing
from .normal import absolute, parent
from .tree import Tree, instances, parsed, with_instances


def not_child(path: str, group: str, line: Line) -> str:
    """Return the message for an id outside of its group."""
    name = "" if line >= (1, 8) else f" {path}"
    return f"Identifier{name} is not child of {group}. Hint: use relative paths."


def _not_alone(definition: dict[str, Any], path: str = "") -> Errors:
    """Return the errors of ``version`` and ``scaleBy`` beside other members, subgroups included."""
    text = "not allowed in conjunction with other properties."
    errors = [
        (f"{path}/{name}", text)
        for name in ("version", "scaleBy")
        if name in definition and set(definition) - {"id", "enforceRole", name}
    ]
    for index, group in enumerate(definition.get("groups", [])):
        errors += _not_alone(group, f"{path}/groups({index})")
    return errors


DEFAULT_EMBED = {"group.groups", "group.apps", "group.pods"}


class Groups:
    """Marathon's API for groups."""

    def group_view(self: Any, tree: Tree, path: str, embed: set[str]) -> dict[str, Any]:
        """Return the JSON of a group in a tree."""
        kinds = {name.removeprefix("group.") for name in embed} & {"groups", "apps", "pods"}
        inner = embedded(name for name in embed if name.startswith("group.apps."))
        pod_view = self.pod_status if self.line >= (1, 8) else views.pod
        return views.group(
            path, tree, self.line, kinds, lambda app: self.app_view(app, inner), pod_view
        )

    @api("/v2/groups", "GET")
    def get_root(self: Any, request: Request) -> Any:
        """Return the root group."""
        return self._group(request, "/")

    @api("/v2/groups/<path:id>", "GET")
    def get_group(self: Any, request: Request, id: str) -> Any:
        """Return a group."""
        return self._group(request, absolute(id))

    def _group(self: Any, request: Request, path: str) -> Any:
        if path not in self.tree.groups:
            raise missing("Group", path)
        embed = set(request.args.getlist("embed")) or DEFAULT_EMBED
        return answer(self.group_view(self.tree, path, embed))

    @api("/v2/groups/apps", "GET")
    def get_root_apps(self: Any, request: Request) -> Any:
        """List the apps of all groups."""
        return self.get_group_apps(request, "/")

    @api("/v2/groups/<path:id>/apps", "GET")
    def get_group_apps(self: Any, _request: Request, id: str) -> Any:
        """List the apps of a group and its subgroups."""
        path = absolute(id)
        if path not in self.tree.groups:
            raise missing("Group", path)
        return answer(
            [self.app_view(self.tree.apps[name]) for name in self.tree.below(path, self.tree.apps)]
        )

    @api("/v2/groups/versions", "GET")
    def get_root_versions(self: Any, request: Request) -> Any:
        """List the versions of the root group."""
        return self.get_group_versions(request, "/")

    @api("/v2/groups/<path:id>/versions", "GET")
    def get_group_versions(self: Any, _request: Request, id: str) -> Any:
        """List the versions in which a group existed."""
        path = absolute(id)
        if path not in self.tree.groups:
            raise missing("Group", path)
        return answer(
            views.versions(version for version, tree in self.history if path in tree.groups)
        )

    @api("/v2/groups/versions/<version>", "GET")
    def get_root_version(self: Any, request: Request, version: str) -> Any:
        """Return the root group in an earlier version."""
        return self.get_group_version(request, "/", version)

    @api("/v2/groups/<path:id>/versions/<version>", "GET")
    def get_group_version(self: Any, _request: Request, id: str, version: str) -> Any:
        """Return a group in an earlier version."""
        path = absolute(id)
        tree = self._tree_at(version)
        if tree is None or path not in tree.groups:
            raise missing("Group", path)
        return answer(self.group_view(tree, path, DEFAULT_EMBED))

    def _tree_at(self: Any, version: str) -> Tree | None:
        if parsed(version) is None:
            raise Refused(
                422, f"Invalid timestamp provided '{version}'. Expecting ISO-8601 datetime string."
            )
        return next((tree for name, tree in self.history if parsed(name) == parsed(version)), None)

    # --- changes ---

    @api("/v2/groups", "POST")
    def create_root(self: Any, request: Request) -> Any:
        """Create the group that the body names."""
        return self.create_group(request, "/")

    @api("/v2/groups/<path:id>", "POST")
    def create_group(self: Any, request: Request, id: str) -> Any:
        """Create a group."""
        path, definition = self._read_group(request, absolute(id))
        if self.line >= (1, 8):
            self._check_apps(path, definition)
        if path in self.tree.groups:
            raise Refused(409, f"Group {path} is already created. Use PUT to change this group.")
        if path in self.tree.apps:
            raise Refused(409, f"An app with the path {path} already exists.")
        response = self.changed(self._deploy_group(request, path, definition), 201)
        prefix = request.host_url.rstrip("/") if self.line >= (1, 8) else ""
        response.headers["Location"] = f"{prefix}{path}"
        return response

    def _check_apps(self: Any, path: str, definition: dict[str, Any]) -> None:
        """Raise Refused for an invalid app of a group or its subgroups."""
        for app in definition.get("apps", []):
            self.app_read(app, group=path)
        for group in definition.get("groups", []):
            self._check_apps(absolute(group.get("id", ""), path), group)

    @api("/v2/groups", "PUT")
    def put_root(self: Any, request: Request) -> Any:
        """Change the group that the body names, by default the root group."""
        return self.put_group(request, "/")

    @api("/v2/groups/<path:id>", "PUT")
    def put_group(self: Any, request: Request, id: str) -> Any:
        """
        Replace the parts of a group that the body has, scale it, or roll it back to a version.
        """
        path, definition = self._read_group(request, absolute(id))
        if flag(request, "dryRun"):
            version = self.clock.now()
            return answer(
                {"steps": self.dry(self._changed_tree(path, definition, version), version)}
            )
        return self.changed(self._deploy_group(request, path, definition))

    def _read_group(self: Any, request: Request, path: str) -> tuple[str, dict[str, Any]]:
        content = body(request)
        if self.line >= (1, 8) and not isinstance(content, dict):
            content = {}
        definition = fields.read("group", content, self.line)
        if self.line >= (1, 8):
            misshapen(raml.of_group_id(definition.get("id", "")), self.line)
        path = absolute(definition["id"], path) if "id" in definition else path
        invalid([("/id", text) for text in rules.of_id(path, (1, 7))])
        return path, definition

    def _deploy_group(self: Any, request: Request, path: str, definition: dict[str, Any]) -> Any:
        version = self.clock.now()
        return self.deploy(
            self._changed_tree(path, definition, version), version, flag(request, "force")
        )

    def _changed_tree(self: Any, path: str, definition: dict[str, Any], version: str) -> Tree:
        tree = self.tree.copy()
        special = {"scaleBy", "version"} & set(definition)
        if self.line >= (1, 8):
            invalid(_not_alone(definition))
        elif special and set(definition) - {"id", "enforceRole"} != special or len(special) > 1:
            text = "You cannot use version and scaleBy together, or with anything else"
            invalid([("/", text)])
        if special and path not in tree.groups and self.line < (1, 8):
            raise missing("Group", path)
        if "scaleBy" in definition:
            for kind in (tree.apps,):
                for name in tree.below(path, kind):
                    kind[name] = with_instances(
                        kind[name],
                        max(int(-(-instances(kind[name]) * definition["scaleBy"] // 1)), 0),
                    )
        elif "version" in definition:
            then = self._tree_at(definition["version"])
            if then is None or path not in then.groups:
                if self.line >= (1, 8):
                    text = f"Group {path} not available in version {definition['version']}"
                    raise Refused(422, text)
                raise Refused(
                    404, f"Group '{path}' does not exist in version {definition['version']}"
                )
            tree.remove(path)
            for kind in ("apps", "pods", "groups"):
                among, before = getattr(tree, kind), getattr(then, kind)
                among.update({name: before[name] for name in tree.below(path, before)})
            tree.groups[path] = then.groups[path]
        else:
            self._restructure(tree, path, definition, version)
        tree.touch(path, version, self.enforces_roles)
        return tree

    def _restructure(
        self: Any, tree: Tree, path: str, definition: dict[str, Any], version: str
    ) -> None:
        """Replace the apps and subgroups of a group if they are given. Pods stay."""
        tree.touch(path, version, self.enforces_roles)
        if "dependencies" in definition:
            tree.groups[path] = {
                **tree.groups[path],
                "dependencies": [absolute(name, path) for name in definition["dependencies"]],
            }
        if "enforceRole" in definition and self.line >= (1, 9):
            if parent(path) != "/" or path == "/":
                invalid([("/enforceRole", "enforceRole can only be set for top-level groups")])
            tree.groups[path] = {**tree.groups[path], "enforceRole": definition["enforceRole"]}
        if "apps" in definition:
            for name in tree.inside(path, tree.apps):
                del tree.apps[name]
            for app in definition["apps"]:
                full = self.app_read(app, group=path)
                if parent(full["id"]) != path:
                    invalid(
                        [
                            (
                                "/apps(0)/id",
                                not_child(full["id"], path, self.line),
                            )
                        ]
                    )
                tree.apps[full["id"]] = full
        if "groups" in definition:
            inner_groups = {}
            for index, group in enumerate(definition["groups"]):
                if "id" not in group:
                    invalid([(f"/groups({index})/id", "must not be empty")])
                inner = absolute(group["id"], path)
                if parent(inner) != path:
                    invalid(
                        [
                            (
                                f"/groups({index})/id",
                                not_child(inner, path, self.line),
                            )
                        ]
                    )
                inner_groups[inner] = group
            for name in tree.inside(path, tree.groups):
                if name not in inner_groups:
                    tree.remove(name)
            for name, group in inner_groups.items():
                self._restructure(tree, name, group, version)
        for name in tree.inside(path, tree.apps):
            if name in tree.groups and not tree.below(name, [*tree.groups, *tree.specs()]):
                del tree.groups[name]  # an empty group gives way to an app of its name

    @api("/v2/groups/<path:id>", "PATCH", since=(1, 9))
    def patch_group(self: Any, request: Request, id: str) -> Any:
        """Change ``enforceRole`` of a group."""
        path, update = (
            absolute(id),
            fields.read({"enforceRole!": "boolean"}, body(request), self.line),
        )
        if path not in self.tree.groups:
            raise missing("Group", path)
        if parent(path) != "/":
            invalid([("/", "not a top-level path")])
        tree = self.tree.copy()
        tree.groups[path] = {**tree.groups[path], "enforceRole": update["enforceRole"]}
        self.tree = tree
        self.save()
        return answer(None)

    @api("/v2/groups", "DELETE")
    def delete_root(self: Any, request: Request) -> Any:
        """Delete all groups, apps and pods."""
        return self.delete_group(request, "/")

    @api("/v2/groups/<path:id>", "DELETE")
    def delete_group(self: Any, request: Request, id: str) -> Any:
        """Delete a group with its content."""
        path, tree, version = absolute(id), self.tree.copy(), self.clock.now()
        if path not in tree.groups:
            raise missing("Group", path)
        tree.remove(path)
        tree.touch(parent(path), version)
        return self.changed(self.deploy(tree, version, flag(request, "force")))
