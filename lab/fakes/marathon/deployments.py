"""Deployments: from one tree to another in steps, which proceed as tasks come and go."""

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
    """One action of a step: Start, Stop, Scale or Restart of an app or pod."""

    verb: str
    kind: str  # app or pod
    path: str

    def shown(self) -> dict[str, Any]:
        """Return what the API says of it."""
        return {
            "action": f"{self.verb}{'Application' if self.kind == 'app' else 'Pod'}",
            self.kind: self.path,
        }


@dataclasses.dataclass
class Plan:
    """A deployment: what was, what shall be, and how far it is."""

    id: str
    version: str
    original: Tree
    target: Tree
    steps: list[list[Action]]
    step: int = 0

    def affected(self, kind: str = "") -> set[str]:
        """Return the ids of the apps or pods that it changes."""
        return {action.path for step in self.steps for action in step if kind in ("", action.kind)}

    def current(self) -> list[Action]:
        """Return the actions of the step that it is at."""
        return self.steps[self.step] if self.step < len(self.steps) else []

    def shown(self) -> dict[str, Any]:
        """Return what the API says of it."""
        return {
            "id": self.id,
            "version": self.version,
            "affectedApps": sorted(self.affected("app")),
            "affectedPods": sorted(self.affected("pod")),
            "steps": steps_shown(self.steps),
            "currentActions": [
                {**action.shown(), "readinessCheckResults": []} for action in self.current()
            ],
            "currentStep": self.step + 1,
            "totalSteps": len(self.steps),
        }


def steps_shown(steps: list[list[Action]]) -> list[dict[str, Any]]:
    """Return what the API says of steps."""
    return [{"actions": [action.shown() for action in step]} for step in steps]


def plan_steps(
    original: Tree, target: Tree, restart: frozenset[str] = frozenset()
) -> list[list[Action]]:
    """Stop what goes, start what comes, then scale and restart what depends on nothing first."""

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
        return 1 + max((depth(each) for each in needed[path]), default=0)

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
    """The part of Marathon that changes its tree."""

    def deploy(
        self: Any,
        target: Tree,
        version: str,
        force: bool = False,
        restart: frozenset[str] = frozenset(),
        kill: tuple[str, ...] = (),
    ) -> Plan:
        """
        Make a tree the one that shall be; refuses one that breaks rules, or that others are at work at.

        restart
            Apps and pods that are restarted although nothing changed.

        kill
            Ids of instances that go first.
        """
        running = int(self.options.get("max_running_deployments") or 10**9)
        if self.line >= (1, 6) and len(self.plans) >= running:
            raise Refused(403, CROWDED.format(running))
        target = self._settled(target, version, restart)
        plan = Plan(
            str(uuid.uuid4()), version, self.tree, target, plan_steps(self.tree, target, restart)
        )
        conflicts = [other for other in self.plans if other.affected() & plan.affected()]
        if conflicts and not force:
            raise Refused(409, LOCKED, deployments=[{"id": other.id} for other in conflicts])
        for other in conflicts:
            self.plans.remove(other)
            self.tell("deployment_failed", id=other.id)
        self.tree = target
        self.remember(version)
        self.tell("group_change_success", groupId="/", version=version)
        self.plans.append(plan)
        self.touched = True
        self.instances_killed(kill)
        self.advance()
        return plan

    def dry(self: Any, target: Tree, version: str) -> list[dict[str, Any]]:
        """Return the steps that a deployment would have."""
        return steps_shown(plan_steps(self.tree, self._settled(target, version)))

    def _settled(
        self: Any, target: Tree, version: str, restart: frozenset[str] = frozenset()
    ) -> Tree:
        """Return a tree with ports and versions given, after a look at the rules."""
        taken = {
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
                        spec = assign_ports(copy.deepcopy(spec), old, taken, *bounds)
                    except PortsExhausted:
                        text = (
                            f"All ports in the range [{bounds[0]}-{bounds[1]}) are already in use"
                        )
                        raise Refused(500, text) from None
                among[path] = versioned(spec, old, version, path in restart)
        invalid(rules.of_tree(settled.specs(), settled.groups, settled.dependencies()))
        most = int(self.options.get("max_apps") or 10**9)
        if len(settled.apps) > most:
            text = f"This Marathon instance may only handle up to {most} Apps! (Override with command line option --max_apps)"
            invalid([("/", text)])
        return settled

    # --- progress ---

    def advance(self: Any) -> None:
        """Take every deployment as far as it goes now, and let tasks be started and killed."""
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
        """Set about an action, and return whether it is done."""
        path = action.path
        if action.verb == "Start":
            self.goals.setdefault(path, 0)
            return True
        if action.verb == "Stop":
            self.goals.pop(path, None)
            self.instances_killed([instance.id for instance in self.instances_of(path)])
            return not self.instances_of(path)
        spec = plan.target.spec(path)
        wanted = instances(spec)
        self.goals[path] = wanted
        found = self.instances_of(path)
        if action.verb == "Restart" and any(one.version != config_version(spec) for one in found):
            return False
        return len(found) == wanted and all(self.is_ready(one) for one in found)

    def replaces(self: Any, path: str) -> bool:
        """Whether the instances of an app or pod are being replaced by newer ones now."""
        return any(
            action.verb == "Restart" and action.path == path
            for plan in self.plans
            for action in plan.current()
        )

    def limits(self: Any, path: str) -> tuple[int, int]:
        """Return (fewest healthy, most) instances that an app or pod that is being replaced may have."""
        return capacity(self.tree.spec(path))

    # --- what it answers ---

    def changed(self: Any, plan: Plan, status: int = 200, body: Any = None) -> Response:
        """Answer with a deployment."""
        given = {"version": plan.version, "deploymentId": plan.id} if body is None else body
        response = answer(given, status)
        response.headers["Marathon-Deployment-Id"] = plan.id
        return response

    @api("/v2/deployments", "GET")
    def get_deployments(self: Any, _request: Request) -> Any:
        """Show what is being deployed. Before 1.8 the newest may not be there yet: ``late`` more times."""
        shown = [plan.shown() for plan in self.plans]
        if self.late and self.line < (1, 8):
            self.late -= 1
            shown = shown[:-1]
        if self.line < (1, 4):
            for each in shown:
                del each["affectedPods"]
        return answer(shown)

    @api("/v2/deployments/<id>", "DELETE")
    def delete_deployment(self: Any, request: Request, id: str) -> Any:
        """Cancel a deployment: with a new one that takes everything back or, forced, just so."""
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
        """Return the tree without what a deployment changed."""
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
    """There is no such deployment."""
    return Refused(404, f"DeploymentPlan {id} does not exist")
