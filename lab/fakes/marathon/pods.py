"""Routes of pods."""

from __future__ import annotations

import copy
import re
from typing import Any

from werkzeug.exceptions import MethodNotAllowed

from ..wire.http import Request, answer
from . import fields, raml, rules, views
from .errors import Errors, Refused, api, body, flag, invalid, misshapen, missing, unique
from .normal import NO_NETWORK_NAME, App, absolute, default_launch_delay, default_unreachable
from .tree import at, instances, parsed

INSTANCE_ID = r"^(.+)\.(instance-|marathon-)([^\.]+)$"
HEALTH_CHECK = {
    "gracePeriodSeconds": 300, "intervalSeconds": 60, "maxConsecutiveFailures": 3,
    "timeoutSeconds": 20, "delaySeconds": 15,
}  # fmt: skip
HEALTH_CHECK_KINDS = ("http", "tcp", "exec")
# Names of states in the answer to a kill.
CONDITIONS = {"TASK_STAGING": "Staging", "TASK_STARTING": "Starting", "TASK_RUNNING": "Running"}
BAD_TIMESTAMP = "Invalid timestamp provided '{}'. Expecting ISO-8601 datetime string."
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
                invalid([("/networks", NO_NETWORK_NAME)])
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
        container.pop("check", None)
        if "shell" in container.get("exec", {}).get("command", {}):
            container["exec"]["command"].pop("argv", None)
        if "healthCheck" in container:
            container["healthCheck"] = {**HEALTH_CHECK, **container["healthCheck"]}
        for name in ("artifacts", "endpoints", "volumeMounts", "environment", "labels"):
            if not container.get(name):
                container.pop(name, None)
        for artifact in container.get("artifacts", []):
            artifact.update({"extract": True, "executable": False, "cache": False, **artifact})
    for volume in pod.get("volumes", []):
        if "persistent" in volume:
            defaults = {"type": "root", "constraints": []}
            volume["persistent"] = {**defaults, **volume["persistent"]}
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


def of_pod(pod: App, settings: Any) -> Errors:
    """Return the errors of a complete pod."""
    errors: Errors = []
    names = [container["name"] for container in pod["containers"]]
    if not names:
        errors.append(("/containers", "must not be empty"))
    if not unique(names):
        errors.append(("/containers", "container names must be unique"))
    endpoints = [entry for container in pod["containers"] for entry in endpoints_of(container)]
    if not unique(entry["name"] for entry in endpoints):
        errors.append(("/", "endpoint names nust be unique across all containers"))
    if not unique(entry.get("hostPort") or None for entry in endpoints):
        errors.append(("/", "host ports must be unique across all containers"))
    if pod["scaling"]["instances"] < 0:
        text = f"got {pod['scaling']['instances']}, expected 0 or more"
        errors.append(("/scaling/instances", text))
    for index, container in enumerate(pod["containers"]):
        errors += _of_health_check(container, f"/containers({index})/healthCheck")
    networks = pod.get("networks", [])
    if len(networks) > 1 and any(network["mode"] != "container" for network in networks):
        errors.append(("/networks", rules.NETWORK_MIX))
    return errors + _of_volumes(pod) + _of_secrets(pod, settings)


def endpoints_of(container: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the endpoints of a container."""
    return container.get("endpoints", [])


def _of_health_check(container: dict[str, Any], path: str) -> Errors:
    check = container.get("healthCheck")
    if check is None:
        return []
    kinds = [kind for kind in HEALTH_CHECK_KINDS if kind in check]
    if len(kinds) != 1:
        return [(path, "Only one of http, tcp, or command may be specified")]
    names = [entry["name"] for entry in endpoints_of(container)]
    if kinds == ["exec"] or check[kinds[0]]["endpoint"] in names:
        return []
    return [(f"{path}/{kinds[0]}/endpoint", "contained in the container endpoints")]


def _of_volumes(pod: App) -> Errors:
    """Return the errors of volumes that no container mounts, and of mounts without a volume."""
    errors: Errors = []
    names = [volume["name"] for volume in pod.get("volumes", [])]
    mounted = set()
    for number, container in enumerate(pod["containers"]):
        for index, mount in enumerate(container.get("volumeMounts", [])):
            mounted.add(mount["name"])
            if mount["name"] not in names:
                path = f"/containers({number})/volumeMounts({index})/name"
                errors.append((path, "Referenced Volume in VolumeMount should exist"))
    for index, name in enumerate(names):
        if name not in mounted:
            text = "volume must be referenced by at least one container"
            errors.append((f"/volumes({index})", text))
    if not unique(names):
        errors.append(("/volumes", "volume names must be unique"))
    return errors


def _of_secrets(pod: App, settings: Any) -> Errors:
    """Return the errors of secrets, which are a feature."""
    errors: Errors = []
    secrets = pod.get("secrets", {})
    references = {
        name: value["secret"]
        for name, value in pod.get("environment", {}).items()
        if isinstance(value, dict)
    }
    if "secrets" not in settings.features:
        if references:
            errors.append(("/environment", rules.SECRET_REFERENCES))
        if secrets:
            errors.append(("/secrets", "must be empty"))
            errors.append(("/secrets", rules.disabled("secrets")))
    errors += [
        (f"/environment/{name}/secret", "references an undefined secret")
        for name, secret in references.items()
        if secret not in secrets
    ]
    return errors


class Pods:
    """Marathon's API for pods."""

    def read_pod(self: Any, request: Request, path: str | None = None) -> App:
        """Read the pod in a request. Raises Refused if it is invalid."""
        definition = fields.read(fields.POD, body(request), self.line)
        if self.line >= (1, 8):
            misshapen(raml.of_pod(definition), self.line)
        pod_id = absolute(definition["id"])
        if path is not None and pod_id != path:
            raise Refused(400, f"'{path}' does not match definition's id ('{definition['id']}')")
        pod = complete_pod(
            {name: value for name, value in definition.items() if name != "version"},
            self.settings_for(pod_id),
        )
        errors = [("/id", text) for text in rules.of_id(pod["id"], self.line)]
        if self.line >= (1, 8) and not definition["id"].startswith("/"):
            errors.append(("/id", "Path needs to be absolute"))
        invalid(errors + of_pod(pod, self.settings))
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
        if id.endswith("::instances"):
            raise MethodNotAllowed
        if ":" in id and self.line >= (1, 8):
            invalid([("/", rules.of_id(path, self.line)[0])])
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
            response.headers["Location"] = self._location(request, pod["id"][1:])
        return response

    def _location(self: Any, request: Request, name: str) -> str:
        """Return the Location of a pod or a deployment, which is not a path of the API."""
        return f"{request.host_url}{name}" if self.line >= (1, 8) else f"/{name}"

    @api("/v2/pods/<path:id>", "DELETE", since=(1, 4))
    def delete_pod(self: Any, request: Request, id: str) -> Any:
        """Delete a pod."""
        path, tree, version = self.find_pod(id)["id"], self.tree.copy(), self.clock.now()
        del tree.pods[path]
        self._touch_parent(tree, path, version)
        plan = self.deploy(tree, version, flag(request, "force"))
        response = answer(None, 202)
        response.headers["Marathon-Deployment-Id"] = plan.id
        response.headers["Location"] = self._location(request, plan.id)
        return response

    @api("/v2/pods/::status", "GET", since=(1, 4))
    def get_pod_statuses(self: Any, _request: Request) -> Any:
        """List the status of all pods."""
        return answer([self.pod_status(pod) for _, pod in sorted(self.tree.pods.items())])

    @api("/v2/pods/<path:id>::status", "GET", since=(1, 4))
    def get_pod_status(self: Any, _request: Request, id: str) -> Any:
        """Return the status of a pod."""
        return answer(self.pod_status(self.find_pod(id)))

    def pod_status(self: Any, pod: App) -> dict[str, Any]:
        """Return the JSON of the status of a pod."""
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
            view = {
                "name": task.container, "status": task.state, "statusSince": since,
                "containerId": task.id, "endpoints": endpoints, "conditions": [],
                "lastUpdated": since, "lastChanged": since,
            }  # fmt: skip
            if task.started or self.line < (1, 8):
                view["resources"] = container.get("resources", {})
            containers.append(view)
        states = {STATES.get(task.state, "DEGRADED") for task in instance.tasks.values()}
        status = "DEGRADED"
        if instance.killed:
            status = "TERMINAL"
        elif states == {"STAGING"} and self.line >= (1, 8):
            status = "PENDING"
        elif len(states) == 1:
            status = states.pop()
        used = [view["resources"] for view in containers if "resources" in view]
        resources = {
            name: round(sum(entry.get(name, 0) for entry in [*used, pod["executorResources"]]), 3)
            for name in ("cpus", "mem", "disk", "gpus")
        }
        addresses = [[task.address] for task in instance.tasks.values() if task.address]
        return {
            "id": instance.id, "status": status,
            "statusSince": min(entry["statusSince"] for entry in containers),
            "conditions": [], "agentHostname": instance.agent["hostname"],
            "agentId": instance.agent["id"],
            "resources": resources, "containers": containers, "localVolumes": [],
            "networks": [{"addresses": entry} for entry in addresses[:1]],
            "specReference": f"/v2/pods{pod['id']}::versions/{instance.version}",
            "lastUpdated": now, "lastChanged": now,
        }  # fmt: skip

    @api("/v2/pods/<path:id>::versions", "GET", since=(1, 4))
    def get_pod_versions(self: Any, _request: Request, id: str) -> Any:
        """List the versions of a pod."""
        return answer(self.listed_versions("pods", self.find_pod(id)["id"]))

    @api("/v2/pods/<path:id>::versions/<version>", "GET", since=(1, 4))
    def get_pod_version(self: Any, _request: Request, id: str, version: str) -> Any:
        """Return a pod in an earlier version."""
        if self.line >= (1, 8) and parsed(version) is None:
            raise Refused(422, BAD_TIMESTAMP.format(version))
        versions = self.versions["pods"].get(absolute(id), {})
        for name, pod in versions.items():
            if parsed(name) == parsed(version):
                return answer(views.pod(pod))
        if absolute(id) in self.tree.pods:
            self.missing_versions.setdefault(absolute(id), set()).add(version)
        raise missing("Pod", absolute(id))

    @api("/v2/pods/<path:id>::instances/<instance>", "DELETE", since=(1, 4))
    def kill_pod_instance(self: Any, _request: Request, id: str, instance: str) -> Any:
        """Kill instance_ instance of a pod."""
        self._check_ids([("/", instance)])
        chosen = [
            instance_
            for instance_ in self.instances_of(self.find_pod(id)["id"])
            if instance_.id == instance
        ]
        if not chosen:
            raise missing("Task", instance)
        return answer(self._kill_instances(self.find_pod(id), chosen)[0])

    @api("/v2/pods/<path:id>::instances", "DELETE", since=(1, 4))
    def kill_pod_instances(self: Any, request: Request, id: str) -> Any:
        """Kill instances of a pod."""
        ids = fields.read(["string"], body(request), self.line)
        self._check_ids([(f"({index})", id) for index, id in enumerate(ids)])
        if self.line >= (1, 8) and absolute(id) not in self.tree.pods:
            raise missing("Path", absolute(id))
        pod = self.find_pod(id)
        chosen = [instance for instance in self.instances_of(pod["id"]) if instance.id in ids]
        return answer(self._kill_instances(pod, chosen))

    @staticmethod
    def _check_ids(places: list[tuple[str, str]]) -> None:
        """Raise Refused for malformed ids of instances. ``places`` are pairs of place and id."""
        text = f"must fully match regular expression '{INSTANCE_ID}'"
        invalid([(place, text) for place, id in places if not re.fullmatch(INSTANCE_ID, id)])

    def _killed_view(self: Any, pod: App, instance: Any) -> dict[str, Any]:
        """Return the JSON of an instance that is being killed."""
        agent = {"host": instance.agent["hostname"], "agentId": instance.agent["id"]}
        if self.line < (1, 8):
            return {"instanceId": {"idString": instance.id}, "agentInfo": agent}
        task = next(iter(instance.tasks.values()))
        since = at(task.started or task.staged)
        return {
            "instanceId": instance.id,
            "state": {
                "condition": CONDITIONS.get(task.state, "Killed"),
                "since": since,
                **({"activeSince": since} if task.started else {}),
                "goal": "Running",
            },
            "agentInfo": {**agent, "attributes": []},
            "runSpecVersion": instance.version,
            "unreachableStrategy": pod["scheduling"]["unreachableStrategy"],
        }

    def _kill_instances(self: Any, pod: App, chosen: list[Any]) -> list[dict[str, Any]]:
        views = [self._killed_view(pod, instance) for instance in chosen]
        self.kill_instances([instance.id for instance in chosen])
        self.advance()
        return views
