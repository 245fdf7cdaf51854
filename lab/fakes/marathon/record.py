"""Serialize the state of a leading Marathon for the next leader."""

from __future__ import annotations

import dataclasses
import json
import zlib
from typing import Any

from .deployments import Action, Plan
from .tasks import Instance, Task
from .tree import Tree


def store(state: dict[str, Any]) -> bytes:
    """
    Serialize framework id, version of the store, tree, versions, history, plans, instances, delays
    and failures.

    Trees refer to apps and pods by version, as Marathon's own do. ``versions`` has their
    definitions.
    """
    plans = [
        {
            **_fields(plan),
            "original": _references(plan.original),
            "target": _references(plan.target),
        }
        for plan in state["plans"]
    ]
    record = {
        **state,
        "tree": _references(state["tree"]),
        "history": [[version, _references(tree)] for version, tree in state["history"]],
        "plans": plans,
        "instances": [dataclasses.asdict(instance) for instance in state["instances"]],
    }
    return zlib.compress(json.dumps(record).encode())


def load(record: bytes) -> dict[str, Any]:
    """Parse the output of ``store``. An empty record has no state."""
    if not record:
        return {}
    state = json.loads(zlib.decompress(record))
    versions = state["versions"]
    state["tree"] = _tree(state["tree"], versions)
    state["history"] = [(version, _tree(tree, versions)) for version, tree in state["history"]]
    state["plans"] = [
        Plan(**{
            **plan, "original": _tree(plan["original"], versions), "target": _tree(plan["target"],
            versions),
            "steps": [[Action(*action) for action in step] for step in plan["steps"]],
        })
        for plan in state["plans"]
    ]  # fmt: skip
    state["instances"] = [
        Instance(**{**fields, "tasks": {id: Task(**task) for id, task in fields["tasks"].items()}})
        for fields in state["instances"]
    ]
    return state


def _fields(plan: Plan) -> dict[str, Any]:
    return {field.name: getattr(plan, field.name) for field in dataclasses.fields(plan)}


def _references(tree: Tree) -> dict[str, Any]:
    return {
        "apps": {path: app["version"] for path, app in tree.apps.items()},
        "pods": {path: pod["version"] for path, pod in tree.pods.items()},
        "groups": tree.groups,
    }


def _tree(references: dict[str, Any], versions: dict[str, dict[str, Any]]) -> Tree:
    return Tree(
        *(
            {path: versions[kind][path][version] for path, version in references[kind].items()}
            for kind in ("apps", "pods")
        ),
        references["groups"],
    )
