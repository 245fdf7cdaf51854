"""Routes of pods."""

from __future__ import annotations

import copy
import re
from typing import Any

from ..wire.http import Request, answer
from . import fields, rules, views
from .errors import Refused, api, body, flag, invalid, missing
from .normal import App, absolute, default_launch_delay, default_unreachable
from .tree import at, instances, parsed

POD = re.compile(r".+\.(instance-|marathon-)[^.]+")
STATES = {"TASK_STAGING": "STAGING", "TASK_STARTING": "STAGING", "TASK_RUNNING": "STABLE"}


def complete_pod(definition: App, settings: Any) -> App:
    """Add the defaults of a pod."""
    pod = copy.deepcopy(definition)
    pod["id"] = absolute(pod["id"])
    resident = any("persistent" in volume for volume in pod.get("volumes", []))
    scheduling = pod.get("scheduling", {})
    least, over = (0.5, 0) if resident else (1, 1)
    pod["scheduling"] = {
        "backoff": {
            "backoff": 1, "backoffFactor": 1.15,
            "maxLaunchDelay": default_launch_delay(settings.line),
            **scheduling.get("backoff", {}),
        },
        "upgrade": {"minimumHealthCapacity": least, "maximumOverCapacity": over,
        **scheduling.get("upgrade", {})},
        "killSelection": scheduling.get("killSelection", "YOUNGEST_FIRST"),
        "unreachableStrategy": default_unreachable(settings.release, resident),
    }  # fmt: skip
    strategy = scheduling.get("unreachableStrategy")
    if strategy is not None:
        filled = (
            strategy
            if isinstance(strategy, str)
            else {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0, **strategy}
        )
        pod["scheduling"]["unreachableStrategy"] = filled
    if placement := {
        name: value for name, value in scheduling.get("placement", {}).items() if value
    }:
        pod["scheduling"]["placement"] = placement
    pod["scaling"] = {"kind": "fixed", "instances": 1, **pod.get("scaling", {})}
    pod["executorResources"] = {
        "cpus": 0.1,
        "mem": 32,
        "disk": 10,
        **pod.get("executorResources", {}),
    }
    container_network = False
    networks = []
    for entry in pod.get("networks", []):
        network = {"mode": "container", **entry}
        if network["mode"] == "container" and "name" not in network:
            if not settings.default_network:
                invalid([("/networks", "no network name specified and no default network defined")])
            network["name"] = settings.default_network
        container_network = container_network or network["mode"] == "container"
        networks.append({name: value for name, value in network.items() if value != {}})
    pod["networks"] = networks
    for container in pod["containers"]:
        container["resources"] = {
            "cpus": 1,
            "mem": 128,
            "disk": 0,
            "gpus": 0,
            **container["resources"],
        }
        for endpoint in container.get("endpoints", []):
            if not container_network:
                endpoint.setdefault("hostPort", 0)
        for mount in container.get("volumeMounts", []):
            mount.setdefault("readOnly", False)
        for name in ("artifacts", "endpoints", "volumeMounts", "environment", "labels"):
            if not container.get(name):
                container.pop(name, None)
        for artifact in container.get("artifacts", []):
            artifact.update({"extract": True, "executable": False, "cache": False, **artifact})
    if settings.line >= (1, 9):
        pod.setdefault("role", settings.role)
    else:
        pod.pop("role", None)
    if not pod.get("legacySharedCgroups") or settings.line < (1, 10):
        pod.pop("legacySharedCgroups", None)
    for name in ("networks", "labels", "environment", "secrets", "volumes"):
        if not pod.get(name):
            pod.pop(name, None)
    return pod


class Pods:
    """Marathon's API for pods."""

    def read_pod(self: Any, request: Request, path: str | None = None) -> App:
        """Read the pod in a request. Raises Refused if it is invalid."""
        definition = fields.read(fields.POD, body(request), self.line)
        pod_id = absolute(definition["id"])
        if path is not None and pod_id != path:
            raise Refused(400, f"'{path}' does not match definition's id ('{definition['id']}')")
        pod = complete_pod(
            {name: value for name, value in definition.items() if name != "version"},
            self.settings_for(pod_id),
        )
        errors = [("/id", text) for text in rules.of_id(pod["id"], self.line)]
        names = [container["name"] for container in pod["containers"]]
        if not names:
            errors.append(("/containers", "must not be empty"))
        if len(names) != len(set(names)):
            errors.append(("/containers", "container names are unique"))
        invalid(errors)
        return pod

    def find_pod(self: Any, id: str) -> App:
        """Return a pod by its id. Raises Refused (404) if it does not exist."""
        pod = self.tree.pods.get(absolute(id))
        if pod is None:
            raise missing("Pod", absolute(id))
        return pod

    @api("/v2/pods", "HEAD", since=(1, 4))
    def have_pods(self: Any, _request: Request) -> Any:
        """Report that this version supports pods."""
        return answer(None)

    @api("/v2/pods", "GET", since=(1, 4))
    def get_pods(self: Any, _request: Request) -> Any:
        """List the pods."""
        return answer([views.pod(pod) for _, pod in sorted(self.tree.pods.items())])

    @api("/v2/pods/<path:id>", "GET", since=(1, 4))
    def get_pod(self: Any, _request: Request, id: str) -> Any:
        """Return a pod."""
        path = absolute(id)
        if path not in self.tree.pods:
            raise Refused(404, f'{{"message": "pod with {path} does not exist"}}')
        return answer(views.pod(self.tree.pods[path]))

    @api("/v2/pods", "POST", since=(1, 4))
    def create_pod(self: Any, request: Request) -> Any:
        """Create a pod."""
        pod = self.read_pod(request)
        if pod["id"] in self.tree.specs():
            raise Refused(409, f"A pod with id [{pod['id']}] already exists.")
        return self._put_pod(request, pod, 201)

    @api("/v2/pods/<path:id>", "PUT", since=(1, 4))
    def put_pod(self: Any, request: Request, id: str) -> Any:
        """Replace a pod, or create it."""
        pod = self.read_pod(request, absolute(id))
        return self._put_pod(request, pod, 200)

    def _put_pod(self: Any, request: Request, pod: App, status: int) -> Any:
        tree, version = self.tree.copy(), self.clock.now()
        tree.put("pods", pod, version, self.enforces_roles)
        plan = self.deploy(tree, version, flag(request, "force"))
        response = self.changed(plan, status, views.pod(plan.target.pods[pod["id"]]))
        if status == 201:
            response.headers["Location"] = pod["id"]
        return response

    @api("/v2/pods/<path:id>", "DELETE", since=(1, 4))
    def delete_pod(self: Any, request: Request, id: str) -> Any:
        """Delete a pod."""
        path, tree, version = self.find_pod(id)["id"], self.tree.copy(), self.clock.now()
        del tree.pods[path]
        self._touch_parent(tree, path, version)
        plan = self.deploy(tree, version, flag(request, "force"))
        response = answer(None, 202)
        response.headers["Marathon-Deployment-Id"] = response.headers["Location"] = plan.id
        return response

    @api("/v2/pods/::status", "GET", since=(1, 4))
    def get_pod_statuses(self: Any, _request: Request) -> Any:
        """List the status of all pods."""
        return answer([self._status_of(pod) for _, pod in sorted(self.tree.pods.items())])

    @api("/v2/pods/<path:id>::status", "GET", since=(1, 4))
    def get_pod_status(self: Any, _request: Request, id: str) -> Any:
        """Return the status of a pod."""
        return answer(self._status_of(self.find_pod(id)))

    def _status_of(self: Any, pod: App) -> dict[str, Any]:
        statuses = [self._instance_status(pod, status) for status in self.instances_of(pod["id"])]
        stable = sum(status["status"] == "STABLE" for status in statuses)
        now = self.clock.now()
        return {
            "id": pod["id"],
            "spec": views.pod(pod),
            "status": "STABLE" if stable >= instances(pod) else "DEGRADED",
            "statusSince": now,
            "instances": statuses,
            "terminationHistory": [],
            "lastUpdated": now,
            "lastChanged": pod["version"],
        }

    def _instance_status(self: Any, pod: App, instance: Any) -> dict[str, Any]:
        now = self.clock.now()
        containers = []
        for task in instance.tasks.values():
            container = next(
                (entry for entry in pod["containers"] if entry["name"] == task.container), {}
            )
            since = at(task.started or task.staged)
            allocated = iter(task.ports)
            endpoints = [
                {
                    "name": entry["name"],
                    **({"allocatedHostPort": next(allocated, 0)} if "hostPort" in entry else {}),
                }
                for entry in container.get("endpoints", [])
            ]
            containers.append(
                {
                    "name": task.container, "status": task.state, "statusSince": since,
                    "containerId": task.id,
                    "endpoints": endpoints, "conditions": [],
                    "resources": container.get("resources", {}),
                    "lastUpdated": since, "lastChanged": since,
                }
            )  # fmt: skip
        states = {STATES.get(task.state, "DEGRADED") for task in instance.tasks.values()}
        status = "TERMINAL" if instance.killed else states.pop() if len(states) == 1 else "DEGRADED"
        resources = {
            name: sum(entry["resources"][name] for entry in pod["containers"])
            + pod["executorResources"].get(name, 0)
            for name in ("cpus", "mem", "disk", "gpus")
        }
        return {
            "id": instance.id, "status": status,
            "statusSince": min(entry["statusSince"] for entry in containers),
            "conditions": [], "agentHostname": instance.agent["hostname"],
            "agentId": instance.agent["id"],
            "resources": resources, "networks": [], "containers": containers, "localVolumes": [],
            "specReference": f"/v2/pods{pod['id']}::versions/{instance.version}",
            "lastUpdated": now, "lastChanged": now,
        }  # fmt: skip

    @api("/v2/pods/<path:id>::versions", "GET", since=(1, 4))
    def get_pod_versions(self: Any, _request: Request, id: str) -> Any:
        """List the versions of a pod."""
        return answer(sorted(self.versions["pods"][self.find_pod(id)["id"]], reverse=True))

    @api("/v2/pods/<path:id>::versions/<version>", "GET", since=(1, 4))
    def get_pod_version(self: Any, _request: Request, id: str, version: str) -> Any:
        """Return a pod in an earlier version."""
        versions = self.versions["pods"].get(absolute(id), {})
        for name, pod in versions.items():
            if parsed(name) == parsed(version):
                return answer(views.pod(pod))
        raise missing("Pod", absolute(id))

    @api("/v2/pods/<path:id>::instances/<instance>", "DELETE", since=(1, 4))
    def kill_pod_instance(self: Any, _request: Request, id: str, instance: str) -> Any:
        """Kill instance_ instance of a pod."""
        self._check_ids([instance])
        chosen = [
            instance_
            for instance_ in self.instances_of(self.find_pod(id)["id"])
            if instance_.id == instance
        ]
        if not chosen:
            raise missing("Task", instance)
        return answer(self._kill_instances(chosen)[0])

    @api("/v2/pods/<path:id>::instances", "DELETE", since=(1, 4))
    def kill_pod_instances(self: Any, request: Request, id: str) -> Any:
        """Kill instances of a pod."""
        ids = fields.read(["string"], body(request), self.line)
        self._check_ids(ids)
        return answer(
            self._kill_instances(
                [
                    instance
                    for instance in self.instances_of(self.find_pod(id)["id"])
                    if instance.id in ids
                ]
            )
        )

    @staticmethod
    def _check_ids(ids: list[str]) -> None:
        text = f"must fully match regular expression '^{POD.pattern}$'"
        invalid(
            [
                (f"({index})" if len(ids) > 1 else "/", text)
                for index, id in enumerate(ids)
                if not POD.fullmatch(id)
            ]
        )

    def _kill_instances(self: Any, chosen: list[Any]) -> list[dict[str, Any]]:
        views = [
            {
                "instanceId": {"idString": instance.id},
                "agentInfo": {"host": instance.agent["hostname"], "agentId": instance.agent["id"]},
            }
            for instance in chosen
        ]
        self.instances_killed([instance.id for instance in chosen])
        self.advance()
        return views
