"""Deployments lead from one tree to another in steps, which proceed as tasks start and end."""

from __future__ import annotations

import copy
import dataclasses
import functools
import uuid
from typing import Any, NamedTuple

from ..wire.http import Request, Response, answer
from . import rules
from .errors import CROWDED, LOCKED, Refused, api, flag, invalid
from .tree import (
    PortsExhausted,
    Tree,
    assign_ports,
    capacity,
    config_version,
    instances,
    scaled,
    versioned,
)


class Action(NamedTuple):
    """One action of a step: Start, Stop, Scale or Restart an app or a pod."""

    verb: str
    kind: str  # app or pod
    path: str

    def view(self) -> dict[str, Any]:
        """Return the JSON of the action."""
        return {
            "action": f"{self.verb}{'Application' if self.kind == 'app' else 'Pod'}",
            self.kind: self.path,
        }


@dataclasses.dataclass
class Plan:
    """A deployment: the original tree, the target, and the current step."""

    id: str
    version: str
    original: Tree
    target: Tree
    steps: list[list[Action]]
    step: int = 0

    def affected(self, kind: str = "") -> set[str]:
        """Return the ids of the apps or pods that the deployment changes."""
        return {action.path for step in self.steps for action in step if kind in ("", action.kind)}

    def current(self) -> list[Action]:
        """Return the actions of the current step."""
        return self.steps[self.step] if self.step < len(self.steps) else []

    def view(self) -> dict[str, Any]:
        """Return the JSON of the deployment."""
        return {
            "id": self.id,
            "version": self.version,
            "affectedApps": sorted(self.affected("app")),
            "affectedPods": sorted(self.affected("pod")),
            "steps": step_views(self.steps),
            "currentActions": [
                {**action.view(), "readinessCheckResults": []} for action in self.current()
            ],
            "currentStep": self.step + 1,
            "totalSteps": len(self.steps),
        }


def step_views(steps: list[list[Action]]) -> list[dict[str, Any]]:
    """Return the JSON of steps."""
    return [{"actions": [action.view() for action in step]} for step in steps]


def plan_steps(
    original: Tree, target: Tree, restart: frozenset[str] = frozenset()
) -> list[list[Action]]:
    """Plan the steps: stop, start, then scale and restart, dependencies first."""

    def action(verb: str, path: str) -> Action:
        return Action(verb, "pod" if path in target.pods or path in original.pods else "app", path)

    old, new = original.specs(), target.specs()
    steps = [
        [action("Stop", path) for path in sorted(old) if path not in new],
        [action("Start", path) for path in sorted(new) if path not in old],
    ]
    needed = target.dependencies()

    @functools.cache
    def depth(path: str) -> int:
        return 1 + max((depth(needed_path) for needed_path in needed[path]), default=0)

    levels: dict[int, list[Action]] = {}
    for path, spec in sorted(new.items()):
        before = old.get(path)
        if before is not None and before["version"] == spec["version"] and path not in restart:
            continue
        fresh = (
            before is None or instances(spec) == 0 or path not in restart and scaled(before, spec)
        )
        levels.setdefault(depth(path), []).append(action("Scale" if fresh else "Restart", path))
    return [step for step in [*steps, *(levels[level] for level in sorted(levels))] if step]


class Deployments:
    """Marathon's API for deployments, and their progress."""

    def deploy(
        self: Any,
        target: Tree,
        version: str,
        force: bool = False,
        restart: frozenset[str] = frozenset(),
        kill: tuple[str, ...] = (),
    ) -> Plan:
        """
        Start a deployment to a target tree. Raises Refused if the tree is invalid or locked.

        restart
            Apps and pods to restart although their definition did not change.

        kill
            Ids of instances to kill first.
        """
        limit = int(self.options.get("max_running_deployments") or 10**9)
        if self.line >= (1, 6) and len(self.plans) >= limit:
            raise Refused(403, CROWDED.format(limit))
        target = self._settled(target, version, restart)
        plan = Plan(
            str(uuid.uuid4()), version, self.tree, target, plan_steps(self.tree, target, restart)
        )
        conflicts = [conflict for conflict in self.plans if conflict.affected() & plan.affected()]
        if conflicts and not force:
            raise Refused(409, LOCKED, deployments=[{"id": conflict.id} for conflict in conflicts])
        for conflict in conflicts:
            self.plans.remove(conflict)
            self.tell("deployment_failed", id=conflict.id)
        self.tree = target
        self.remember(version)
        self.tell("group_change_success", groupId="/", version=version)
        self.plans.append(plan)
        self.touched = True
        self.kill_instances(kill)
        self.advance()
        return plan

    def dry(self: Any, target: Tree, version: str) -> list[dict[str, Any]]:
        """Return the steps of a deployment without starting it."""
        return step_views(plan_steps(self.tree, self._settled(target, version)))

    def _settled(
        self: Any, target: Tree, version: str, restart: frozenset[str] = frozenset()
    ) -> Tree:
        """Validate a tree, and return it with assigned service ports and versions."""
        used_ports = {
            entry[name]
            for path, app in target.apps.items()
            if app is self.tree.apps.get(path)
            for entry, name in rules.service_ports(app)
        }
        bounds = int(self.options["local_port_min"]), int(self.options["local_port_max"])
        settled = target.copy()
        for kind in ("apps", "pods"):
            among, before = getattr(settled, kind), getattr(self.tree, kind)
            for path, spec in among.items():
                old = before.get(path)
                if spec is old and path not in restart:
                    continue
                if kind == "apps":
                    try:
                        spec = assign_ports(copy.deepcopy(spec), old, used_ports, *bounds)
                    except PortsExhausted:
                        text = (
                            f"All ports in the range [{bounds[0]}-{bounds[1]}) are already in use"
                        )
                        raise Refused(500, text) from None
                among[path] = versioned(spec, old, version, path in restart)
        for path in sorted(settled.apps.keys() & settled.pods.keys()):
            text = "Applications and Pods may not share the same id"
            invalid([("/", text), (rules.place_of(path, settled.groups), text)])
        specs, groups = settled.specs(), settled.groups
        invalid(rules.of_tree(specs, groups, settled.dependencies(), self.line))
        max_apps = int(self.options.get("max_apps") or 10**9)
        if len(settled.apps) > max_apps:
            text = (
                f"This Marathon instance may only handle up to {max_apps} Apps! "
                "(Override with command line option --max_apps)"
            )
            invalid([("/", text)])
        return settled

    # --- progress ---

    def advance(self: Any) -> None:
        """Advance every deployment as far as possible, and start and kill tasks."""
        again = True
        while again:
            again = False
            for plan in list(self.plans):
                while plan in self.plans and all(
                    [self._done(plan, action) for action in plan.current()]
                ):
                    plan.step += 1
                    again = self.touched = True
                    if plan.step >= len(plan.steps):
                        self.plans.remove(plan)
                        self.tell("deployment_success", id=plan.id)
            self.reconcile()
            again = self.place() or again
        if self.touched:
            self.save()

    def _done(self: Any, plan: Plan, action: Action) -> bool:
        """Carry out an action. Return whether it is complete."""
        path = action.path
        if action.verb == "Start":
            self.goals.setdefault(path, 0)
            return True
        if action.verb == "Stop":
            self.goals.pop(path, None)
            self.kill_instances([instance.id for instance in self.instances_of(path)])
            return not self.instances_of(path)
        spec = plan.target.spec(path)
        goal = instances(spec)
        self.goals[path] = goal
        running = self.instances_of(path)
        before = plan.original.spec(path)
        if self.line >= (1, 8) and action.verb == "Scale" and before and instances(before) > goal:
            return len(running) <= goal  # Marathon only waits for those that it kills
        if action.verb == "Restart" and any(
            instance.version != config_version(spec) for instance in running
        ):
            return False
        return len(running) == goal and all(self.is_ready(instance) for instance in running)

    def replaces(self: Any, path: str) -> bool:
        """Return whether a deployment is replacing the instances of an app or pod."""
        return any(
            action.verb == "Restart" and action.path == path
            for plan in self.plans
            for action in plan.current()
        )

    def limits(self: Any, path: str) -> tuple[int, int]:
        """
        Return how many instances of a restarting app or pod must be healthy, and how many may
        exist.
        """
        return capacity(self.tree.spec(path))

    # --- routes ---

    def changed(self: Any, plan: Plan, status: int = 200, body: Any = None) -> Response:
        """Make the response to a change that started a deployment."""
        content = {"version": plan.version, "deploymentId": plan.id} if body is None else body
        response = answer(content, status)
        response.headers["Marathon-Deployment-Id"] = plan.id
        return response

    @api("/v2/deployments", "GET")
    def get_deployments(self: Any, _request: Request) -> Any:
        """
        List the deployments. Before 1.8 the newest may be missing at first (``late`` counts how
        often).
        """
        views = [plan.view() for plan in self.plans]
        if self.late and self.line < (1, 8):
            self.late -= 1
            views = views[:-1]
        if self.line < (1, 4):
            for view in views:
                del view["affectedPods"]
        return answer(views)

    @api("/v2/deployments/<id>", "DELETE")
    def delete_deployment(self: Any, request: Request, id: str) -> Any:
        """Cancel a deployment. With ``force`` just drop it; otherwise start one that reverts it."""
        plan = next((plan for plan in self.plans if plan.id == id), None)
        if plan is None:
            raise missing_plan(id)
        if flag(request, "force"):
            self.plans.remove(plan)
            self.touched = True
            self.tell("deployment_failed", id=plan.id)
            self.goals.update(
                {
                    path: instances(spec)
                    for path, spec in self.tree.specs().items()
                    if path in plan.affected()
                }
            )
            self.advance()
            return answer(None, 202)
        return self.changed(self.deploy(self._reverted(plan), self.clock.now(), force=True))

    def _reverted(self: Any, plan: Plan) -> Tree:
        """Return the tree without the changes of a deployment."""
        tree = self.tree.copy()
        for kind in ("apps", "pods"):
            among, before = getattr(tree, kind), getattr(plan.original, kind)
            for path in plan.affected(kind[:-1]):
                if path in before:
                    among[path] = before[path]
                else:
                    among.pop(path, None)
        for path in set(plan.original.groups) - set(tree.groups):
            tree.groups[path] = plan.original.groups[path]
        for path in sorted(set(plan.target.groups) - set(plan.original.groups), reverse=True):
            if path in tree.groups and not tree.below(path, [*tree.groups, *tree.specs()]):
                del tree.groups[path]
        return tree


def missing_plan(id: str) -> Refused:
    """Make the error for a deployment that does not exist."""
    return Refused(404, f"DeploymentPlan {id} does not exist")
