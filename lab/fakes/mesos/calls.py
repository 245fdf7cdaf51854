"""Write access to the leading master: the v0 endpoints and the writing calls of the v1 API."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

from ..wire.http import Refusal, Request, Response, answer, route
from . import resources
from .daemon import COMMON_CALLS, allow_only, read_json
from .maintenance import key
from .views import Views

ACCEPTED = 202


def _reserve_fault(entry: dict[str, Any], principal: str | None) -> str | None:
    """Return why a resource cannot be reserved, in the master's words; None if it can."""
    reservation = entry.get("reservations", [{}])[-1]
    if reservation.get("type") != "DYNAMIC":
        return f"Resource {resources.text([entry])} is not dynamically reserved"
    if principal and "principal" not in reservation:
        return (
            f"A reserve operation was attempted by principal '{principal}', but there is a "
            "reserved resource in the request with no principal set"
        )
    if principal and reservation["principal"] != principal:
        return (
            f"A reserve operation was attempted by authenticated principal '{principal}', which "
            "does not match a reserved resource in the request with principal "
            f"'{reservation['principal']}'"
        )
    return None


class Calls(Views):
    """Mixin of ``Master``."""

    # --- weights and quota ---

    @route("/weights", realm="readwrite")
    def weights_endpoint(self, request: Request) -> Any:
        """Return the weights (GET) or update some (PUT)."""
        allow_only(request, "GET", "PUT")
        if request.method == "GET":
            return self.weights.infos()
        infos = read_json(request, "Failed to parse update weights request JSON '{body}': ")
        return self.call_update_weights(request, {"weight_infos": infos})

    def call_update_weights(self, request: Request, call: dict) -> Any:
        """UPDATE_WEIGHTS"""
        self.access.demand(request, "update_weights")
        self._wait_for_registry()
        with self.lock:
            self.weights.change(call.get("weight_infos", []))
            self._store()

    def call_weights(self, _request: Request, _call: dict) -> Any:
        """GET_WEIGHTS. Without weights the response has no ``get_weights``."""
        return {"get_weights": {"weight_infos": self.weights.infos()}} if self.weights else {}

    @route("/quota", "/quota/<path:role>", realm="readwrite")
    def quota_endpoint(self, request: Request, role: str | None = None) -> Any:
        """Return all quotas (GET), set one (POST) or remove one (DELETE)."""
        allow_only(request, "GET", "POST", "DELETE")
        if request.method == "GET":
            return self.quotas.status(self.since("1.9.0"))
        if request.method == "POST":
            quota_request = read_json(request, "Failed to parse set quota request JSON '{body}': ")
            return self.call_set_quota(request, {"quota_request": quota_request})
        path = f"/master{self.rewrite(request.path)}"
        if role is None:
            raise Refusal(
                400,
                f"Failed to parse remove quota request for path '{path}': "
                "expected 3 tokens, found 2 tokens",
            )
        if role not in self.quotas:
            raise Refusal(
                400, f"Failed to remove quota for path '{path}': Role '{role}' has no quota set"
            )
        return self.call_remove_quota(request, {"role": role})

    def call_quota(self, _request: Request, _call: dict) -> Any:
        """GET_QUOTA"""
        return {"get_quota": {"status": self.quotas.status(self.since("1.9.0"))}}

    def call_set_quota(self, request: Request, call: dict) -> Any:
        """SET_QUOTA"""
        self.access.demand(request, "update_quotas")
        with self.lock:
            self.quotas.add(call["quota_request"], self.capacity())
            self._store()

    def call_update_quota(self, request: Request, call: dict) -> Any:
        """UPDATE_QUOTA"""
        self.access.demand(request, "update_quotas")
        with self.lock:
            self.quotas.change(
                call.get("quota_configs", []),
                call.get("force", False),
                self.capacity(),
                self.consumed(),
            )
            self._store()

    def call_remove_quota(self, request: Request, call: dict) -> Any:
        """REMOVE_QUOTA. Without a quota to remove, the master crashes as the real one does."""
        self.access.demand(request, "update_quotas")
        with self.lock:
            if call["role"] not in self.quotas:
                self.ended = "terminate called after throwing an instance of 'std::out_of_range'"
                self.log.write("FATAL", self.ended)
                # Exit in a thread, as a server cannot stop while handling a request.
                threading.Thread(target=self.exit, args=(-6,), daemon=True).start()
                self.hang_up(request)
            del self.quotas[call["role"]]
            self._store()

    # --- maintenance ---

    @route("/maintenance/schedule", realm="readwrite")
    def schedule_endpoint(self, request: Request) -> Any:
        """Return the schedule (GET) or replace it (POST)."""
        allow_only(request, "GET", "POST")
        if request.method == "GET":
            return self._seen_schedule(request)
        return self.call_update_schedule(request, {"schedule": read_json(request)})

    def _seen_schedule(self, request: Request) -> dict[str, Any]:
        return (
            self.maintenance.schedule()
            if self.access.may(request, "get_maintenance_schedules")
            else {}
        )

    def call_schedule(self, request: Request, _call: dict) -> Any:
        """GET_MAINTENANCE_SCHEDULE"""
        return {"get_maintenance_schedule": {"schedule": self._seen_schedule(request)}}

    def call_update_schedule(self, request: Request, call: dict) -> Any:
        """UPDATE_MAINTENANCE_SCHEDULE"""
        self.access.demand(request, "update_maintenance_schedules")
        with self.lock:
            self.maintenance.replace(call["schedule"])
            self._store()

    @route("/maintenance/status", realm="readonly")
    def status_endpoint(self, request: Request) -> Any:
        """Return the machines that are draining or down."""
        allow_only(request, "GET")
        return self.maintenance.status()

    def call_status(self, _request: Request, _call: dict) -> Any:
        """GET_MAINTENANCE_STATUS"""
        return {"get_maintenance_status": {"status": self.maintenance.status()}}

    @route("/machine/down", realm="readwrite")
    def down_endpoint(self, request: Request) -> Any:
        """Take machines down."""
        allow_only(request, "POST")
        return self.call_start_maintenance(request, {"machines": read_json(request)})

    @route("/machine/up", realm="readwrite")
    def up_endpoint(self, request: Request) -> Any:
        """Bring machines up."""
        allow_only(request, "POST")
        return self.call_stop_maintenance(request, {"machines": read_json(request)})

    def call_start_maintenance(self, request: Request, call: dict) -> Any:
        """START_MAINTENANCE: removes the agents of the machines with their tasks."""
        self.access.demand(request, "start_maintenances")
        with self.lock:
            self.maintenance.start(call.get("machines", []))
            for agent in list(self.agents.values()):
                machine = {
                    "hostname": agent.info["hostname"],
                    "ip": agent.pid.partition("@")[2].rpartition(":")[0],
                }
                if key(machine) in self.maintenance.down:
                    self._forget(agent.id, "TASK_LOST", "Operator initiated 'Machine DOWN'")
            self._store()

    def call_stop_maintenance(self, request: Request, call: dict) -> Any:
        """STOP_MAINTENANCE"""
        self.access.demand(request, "stop_maintenances")
        with self.lock:
            self.maintenance.stop(call.get("machines", []))
            self._store()

    # --- agents ---

    def _is_known(self, id_: str) -> bool:
        return id_ in self.agents or id_ in self.recovered_agents or id_ in self.unreachable

    def call_drain(self, request: Request, call: dict) -> Any:
        """DRAIN_AGENT. A drained agent starts draining again."""
        self.access.demand(request, "drain_agents")
        id_ = call["agent_id"]["value"]
        with self.lock:
            if not self._is_known(id_):
                raise Refusal(400, "Unknown agent")
            agent = self.agents.get(id_)
            if (
                agent
                and key(
                    {
                        "hostname": agent.info["hostname"],
                        "ip": agent.pid.partition("@")[2].rpartition(":")[0],
                    }
                )
                in self.maintenance.scheduled
            ):
                raise Refusal(400, "Agent is part of a maintenance schedule")
            config: dict[str, Any] = {"mark_gone": call.get("mark_gone", False)}
            if "max_grace_period" in call:
                config["max_grace_period"] = {
                    "nanoseconds": int(call["max_grace_period"].get("seconds", 0)) * 10**9
                }
            start = self.drains.get(id_, {"start": time.time()})["start"]
            self.drains[id_] = {"state": "DRAINING", "config": config, "start": start}
            self.deactivated.add(id_)
            if id_ in self.unreachable:
                self.drains[id_]["state"] = "DRAINED"
            if agent and config["mark_gone"] and not self.allocated(agent):
                self._mark_gone(id_)
            self._store()

    def call_deactivate(self, request: Request, call: dict) -> Any:
        """DEACTIVATE_AGENT"""
        self.access.demand(request, "deactivate_agents")
        with self.lock:
            if not self._is_known(call["agent_id"]["value"]):
                raise Refusal(400, "Unknown agent")
            self.deactivated.add(call["agent_id"]["value"])
            self._store()

    def call_reactivate(self, request: Request, call: dict) -> Any:
        """REACTIVATE_AGENT"""
        self.access.demand(request, "reactivate_agents")
        id_ = call["agent_id"]["value"]
        with self.lock:
            if id_ not in self.deactivated:
                raise Refusal(400, "Agent is not deactivated")
            if self.drains.get(id_, {}).get("state") == "DRAINING":
                raise Refusal(400, "Agent is still in the DRAINING state")
            self.deactivated.discard(id_)
            self.drains.pop(id_, None)
            self._store()

    def call_mark_gone(self, request: Request, call: dict) -> Any:
        """MARK_AGENT_GONE, which is permanent."""
        self.access.demand(request, "mark_agents_gone")
        id_ = call["agent_id"]["value"]
        with self.lock:
            if id_ not in self.gone_agents and not self._is_known(id_):
                raise Refusal(404, f"Agent '{id_}' not found")
            self._mark_gone(id_)

    # --- frameworks ---

    @route("/teardown", realm="readwrite")
    def teardown_endpoint(self, request: Request) -> Any:
        """Remove a framework."""
        allow_only(request, "POST")
        if "frameworkId" not in request.form:
            raise Refusal(400, "Missing 'frameworkId' query parameter in the request body")
        return self.call_teardown(request, {"framework_id": {"value": request.form["frameworkId"]}})

    def call_teardown(self, request: Request, call: dict) -> Any:
        """TEARDOWN"""
        id_ = call["framework_id"]["value"]
        with self.lock:
            if id_ not in self.frameworks:
                raise Refusal(400, "No framework found with specified ID")
            self.access.demand(request, "teardown_frameworks")
            self.complete(id_)

    # --- reservations and volumes ---

    def _form(self, request: Request, name: str, prefix: str) -> tuple[str, list[dict[str, Any]]]:
        """Return the agent ID and the resources of a request to a v0 endpoint."""
        allow_only(request, "POST")
        if "slaveId" not in request.form:
            raise Refusal(400, "Missing 'slaveId' query parameter in the request body")
        if name not in request.form:
            raise Refusal(400, f"Missing '{name}' query parameter in the request body")
        text = request.form[name]
        try:
            entries = json.loads(text)
        except json.JSONDecodeError as error:
            # The parser of Mesos consumes an "n" as the start of null.
            remainder = text[error.pos :].removeprefix("n")
            raise Refusal(
                400,
                f"{prefix} '{name}' query parameter in the request body: "
                f"syntax error at line 1 near: {remainder}",
            ) from error
        if not isinstance(entries, list):
            raise Refusal(
                400,
                f"{prefix} '{name}' query parameter in the request body: "
                "Unexpected JSON type parsed",
            )
        return request.form["slaveId"], entries

    @route("/reserve", realm="readwrite")
    def reserve_endpoint(self, request: Request) -> Any:
        """Reserve resources of an agent."""
        return self._reserve(request, *self._form(request, "resources", "Error parsing"))

    @route("/unreserve", realm="readwrite")
    def unreserve_endpoint(self, request: Request) -> Any:
        """Unreserve resources of an agent."""
        return self._unreserve(request, *self._form(request, "resources", "Error parsing"))

    @route("/create-volumes", realm="readwrite")
    def create_endpoint(self, request: Request) -> Any:
        """Create persistent volumes."""
        return self._create(request, *self._form(request, "volumes", "Error in parsing"))

    @route("/destroy-volumes", realm="readwrite")
    def destroy_endpoint(self, request: Request) -> Any:
        """Destroy persistent volumes."""
        return self._destroy(request, *self._form(request, "volumes", "Error in parsing"))

    def call_reserve(self, request: Request, call: dict) -> Any:
        """RESERVE_RESOURCES"""
        return self._reserve(request, call["agent_id"]["value"], call.get("resources", []))

    def call_unreserve(self, request: Request, call: dict) -> Any:
        """UNRESERVE_RESOURCES"""
        return self._unreserve(request, call["agent_id"]["value"], call.get("resources", []))

    def call_create_volumes(self, request: Request, call: dict) -> Any:
        """CREATE_VOLUMES"""
        return self._create(request, call["agent_id"]["value"], call.get("volumes", []))

    def call_destroy_volumes(self, request: Request, call: dict) -> Any:
        """DESTROY_VOLUMES"""
        return self._destroy(request, call["agent_id"]["value"], call.get("volumes", []))

    def _operate(
        self,
        agent_id: str,
        consumed: list[dict[str, Any]],
        converted: list[dict[str, Any]],
        reported: list[dict[str, Any]],
    ) -> Response:
        """Convert free resources of an agent; 409 with ``reported`` if they are not free."""
        with self.lock:
            agent = self.agents[agent_id]
            free = resources.minus(agent.total, map(resources.modern, self.allocated(agent)))
            try:
                resources.minus(free, consumed)
            except ValueError:
                raise Refusal(
                    409, f"{resources.text(free)} does not contain {resources.text(reported)}"
                ) from None
            agent.total = self.totals[agent_id] = resources.plus(
                resources.minus(agent.total, consumed), converted
            )
            self._store()
        return answer(None, ACCEPTED)

    def _agent_for(
        self, agent_id: str, entries: list[dict[str, Any]]
    ) -> tuple[str, list[dict[str, Any]]]:
        """Return the agent's name in error messages, and the resources in the newer form."""
        agent = self.agents.get(agent_id)
        if agent is None:
            raise Refusal(400, "No agent found with specified ID")
        return f"agent {agent_id} at {agent.pid} ({agent.info['hostname']})", [
            resources.modern(entry) for entry in entries
        ]

    def _reserve(self, request: Request, agent_id: str, entries: list[dict[str, Any]]) -> Any:
        name, requested = self._agent_for(agent_id, entries)
        for entry in requested:
            if fault := _reserve_fault(entry, request.environ.get("principal")):
                raise Refusal(400, f"Invalid RESERVE operation on {name}: {fault}")
        plain = [resources.unreserved(entry) for entry in requested]
        return self._operate(agent_id, plain, requested, plain)

    def _unreserve(self, _request: Request, agent_id: str, entries: list[dict[str, Any]]) -> Any:
        _, requested = self._agent_for(agent_id, entries)
        return self._operate(
            agent_id, requested, [resources.unreserved(entry) for entry in requested], requested
        )

    def _create(self, _request: Request, agent_id: str, entries: list[dict[str, Any]]) -> Any:
        name, requested = self._agent_for(agent_id, entries)
        if any("reservations" not in entry for entry in requested):
            text = (
                "Invalid resources: Invalid DiskInfo: "
                "Persistent volumes cannot be created from unreserved resources"
            )
            raise Refusal(400, f"Invalid CREATE operation on {name}: {text}")
        plain = [
            {key: value for key, value in entry.items() if key != "disk"} for entry in requested
        ]
        return self._operate(agent_id, plain, requested, plain)

    def _destroy(self, _request: Request, agent_id: str, entries: list[dict[str, Any]]) -> Any:
        _, requested = self._agent_for(agent_id, entries)
        total = self.agents[agent_id].total
        if not all(any(resources.same(entry, volume) for entry in total) for volume in requested):
            raise Refusal(400, "Invalid DESTROY operation: Persistent volumes not found")
        plain = [
            {key: value for key, value in entry.items() if key != "disk"} for entry in requested
        ]
        return self._operate(agent_id, requested, plain, requested)

    # --- common ---

    def _wait_for_registry(self) -> None:
        """Block a write until the registry is recovered."""
        while not self.recovered and self.leading and not self.ended:
            time.sleep(0.1)

    def hang_up(self, request: Request) -> None:
        """Close the connection without a response."""
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError

    def _dispatch(self, request: Request, call: dict[str, Any]) -> Any:
        if not self.recovered:
            return answer("Master has not finished recovery", 503)
        return super()._dispatch(request, call)

    calls = {
        **COMMON_CALLS,
        "GET_MASTER": Views.call_master,
        "GET_AGENTS": Views.call_agents,
        "GET_FRAMEWORKS": Views.call_frameworks,
        "GET_EXECUTORS": Views.call_executors,
        "GET_TASKS": Views.call_tasks,
        "GET_OPERATIONS": Views.call_operations,
        "GET_STATE": Views.call_state,
        "GET_ROLES": Views.call_roles,
        "GET_WEIGHTS": call_weights,
        "UPDATE_WEIGHTS": call_update_weights,
        "GET_QUOTA": call_quota,
        "SET_QUOTA": call_set_quota,
        "UPDATE_QUOTA": call_update_quota,
        "REMOVE_QUOTA": call_remove_quota,
        "GET_MAINTENANCE_SCHEDULE": call_schedule,
        "UPDATE_MAINTENANCE_SCHEDULE": call_update_schedule,
        "GET_MAINTENANCE_STATUS": call_status,
        "START_MAINTENANCE": call_start_maintenance,
        "STOP_MAINTENANCE": call_stop_maintenance,
        "DRAIN_AGENT": call_drain,
        "DEACTIVATE_AGENT": call_deactivate,
        "REACTIVATE_AGENT": call_reactivate,
        "MARK_AGENT_GONE": call_mark_gone,
        "TEARDOWN": call_teardown,
        "RESERVE_RESOURCES": call_reserve,
        "UNRESERVE_RESOURCES": call_unreserve,
        "CREATE_VOLUMES": call_create_volumes,
        "DESTROY_VOLUMES": call_destroy_volumes,
    }
