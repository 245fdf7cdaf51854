"""What a leading Marathon leaves to the next one: a text for the group's record, and back."""

from __future__ import annotations

import dataclasses
import json
import zlib
from typing import Any

from .deployments import Action, Plan
from .tasks import Instance, Task
from .tree import Tree


def store(kept: dict[str, Any]) -> bytes:
    """
    Write down a framework's id, tree, versions, history, plans, instances, delays and failures.

    Trees name apps and pods by their versions, as Marathon's own do: their definitions stand in ``versions``.
    """
    plans = [
        {**_fields(plan), "original": _named(plan.original), "target": _named(plan.target)}
        for plan in kept["plans"]
    ]
    record = {
        **kept,
        "tree": _named(kept["tree"]),
        "history": [[version, _named(tree)] for version, tree in kept["history"]],
        "plans": plans,
        "instances": [dataclasses.asdict(instance) for instance in kept["instances"]],
    }
    return zlib.compress(json.dumps(record).encode())


def load(record: bytes) -> dict[str, Any]:
    """Read what ``store`` wrote; nothing of an empty record."""
    if not record:
        return {}
    kept = json.loads(zlib.decompress(record))
    versions = kept["versions"]
    kept["tree"] = _tree(kept["tree"], versions)
    kept["history"] = [(version, _tree(tree, versions)) for version, tree in kept["history"]]
    kept["plans"] = [
        Plan(**{
            **plan, "original": _tree(plan["original"], versions), "target": _tree(plan["target"], versions),
            "steps": [[Action(*action) for action in step] for step in plan["steps"]],
        })
        for plan in kept["plans"]
    ]  # fmt: skip
    kept["instances"] = [
        Instance(**{**one, "tasks": {id: Task(**task) for id, task in one["tasks"].items()}})
        for one in kept["instances"]
    ]
    return kept


def _fields(plan: Plan) -> dict[str, Any]:
    return {field.name: getattr(plan, field.name) for field in dataclasses.fields(plan)}


def _named(tree: Tree) -> dict[str, Any]:
    return {
        "apps": {path: app["version"] for path, app in tree.apps.items()},
        "pods": {path: pod["version"] for path, pod in tree.pods.items()},
        "groups": tree.groups,
    }


def _tree(named: dict[str, Any], versions: dict[str, dict[str, Any]]) -> Tree:
    return Tree(
        *(
            {path: versions[kind][path][version] for path, version in named[kind].items()}
            for kind in ("apps", "pods")
        ),
        named["groups"],
    )
