"""Read access to the leading master: the v0 endpoints and the reading calls of the v1 API."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..wire.http import Request, answer, route
from ..wire.task_states import STATES
from . import resources
from .tasks import Task, counts

if TYPE_CHECKING:
    from .master import Peer

DEFAULT_LIMIT = 100  # tasks that /tasks returns without the parameter "limit"


def _nanoseconds(at: float) -> dict[str, int]:
    return {"nanoseconds": int(at * 1e9)}


def _by_role(entries: Iterable[dict[str, Any]]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield each entry with its role (of the allocation, else the reservation) and its parents."""
    for entry in entries:
        role = entry.get("allocation_info", {}).get("role") or resources.role(entry)
        parts = role.split("/")
        for depth in range(len(parts)):
            yield "/".join(parts[: depth + 1]), entry


def _summed(entries: Iterable[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the amounts of resources by role."""
    entries_by_role: dict[str, list[dict[str, Any]]] = {}
    for role, entry in _by_role(entries):
        entries_by_role.setdefault(role, []).append(entry)
    return {role: resources.amounts(entries) for role, entries in entries_by_role.items()}


class Views:
    """Mixin of ``Master``."""

    # --- agents ---

    def agent(self, agent: Peer) -> dict[str, Any]:
        """Return an agent as ``/state`` does."""
        info, total = agent.info, agent.total
        summary = {
            "id": agent.id,
            "hostname": info["hostname"],
            "port": info["port"],
            "attributes": {a["name"]: resources.plain(a) for a in info["attributes"]},
            "pid": agent.pid,
            "registered_time": agent.registered,
            "resources": resources.totals(total),
            "used_resources": resources.totals(self.allocated(agent)),
            "offered_resources": resources.totals([]),
            "reserved_resources": {
                r: resources.totals(e) for r, e in resources.reserved(total).items()
            },
            "unreserved_resources": resources.totals(e for e in total if resources.role(e) == "*"),
            "active": self.active(agent),
            "version": agent.version,
            "capabilities": agent.capabilities,
        }
        if agent.reregistered:
            summary["reregistered_time"] = agent.reregistered
        if self.since("1.9.0"):
            summary["deactivated"] = agent.id in self.deactivated
        if drain := self.drains.get(agent.id):
            summary["drain_info"] = {"state": drain["state"], "config": drain["config"]}
            summary["estimated_drain_start_time_seconds"] = drain["start"]
        return summary

    def agent_in_full(self, agent: Peer) -> dict[str, Any]:
        """Return an agent as ``/slaves`` does."""
        total = agent.total
        return {
            **self.agent(agent),
            "reserved_resources_full": {
                r: resources.full(e) for r, e in resources.reserved(total).items()
            },
            "unreserved_resources_full": resources.full(
                e for e in total if resources.role(e) == "*"
            ),
            "used_resources_full": resources.full(self.allocated(agent)),
            "offered_resources_full": [],
        }

    def recovered_agent_summaries(self) -> list[dict[str, Any]]:
        """Return the agents of the registry that have not reregistered yet."""
        return [
            {
                "id": id_,
                "hostname": info["hostname"],
                "port": info["port"],
                "attributes": {a["name"]: resources.plain(a) for a in info["attributes"]},
            }
            for id_, info in self.recovered_agents.items()
        ]

    @route("/slaves")
    def get_agents(self, request: Request) -> Any:
        """Return the agents, or the one whose ID is ``slave_id``."""
        agent_id = request.args.get("slave_id")
        agents = [agent for agent in self.registered()[0] if agent_id in (None, agent.id)]
        return {
            "slaves": [self.agent_in_full(agent) for agent in agents],
            "recovered_slaves": [
                summary
                for summary in self.recovered_agent_summaries()
                if agent_id in (None, summary["id"])
            ],
        }

    def call_agents(self, _request: Request, _call: dict) -> Any:
        """GET_AGENTS"""
        return {
            "get_agents": {
                "agents": [self._agent_v1(agent) for agent in self.registered()[0]],
                "recovered_agents": list(self.recovered_agents.values()),
            }
        }

    def _agent_v1(self, agent: Peer) -> dict[str, Any]:
        entry = {
            "agent_info": agent.info,
            "active": self.active(agent),
            "version": agent.version,
            "pid": agent.pid,
            "registered_time": _nanoseconds(agent.registered),
            "total_resources": resources.full(agent.total),
            "capabilities": [{"type": name} for name in agent.capabilities],
        }
        if allocated := self.allocated(agent):
            entry["allocated_resources"] = resources.full(allocated)
        if agent.reregistered:
            entry["reregistered_time"] = _nanoseconds(agent.reregistered)
        if self.since("1.9.0"):
            entry["deactivated"] = agent.id in self.deactivated
        if drain := self.drains.get(agent.id):
            entry["drain_info"] = {"state": drain["state"], "config": drain["config"]}
            entry["estimated_drain_start_time"] = {"nanoseconds": int(drain["start"]) * 10**9}
        return entry

    # --- frameworks and tasks ---

    def visible_frameworks(self, request: Request) -> tuple[list[Peer], list[Peer]]:
        """Return the registered and the completed frameworks that the principal may view."""
        if not self.access.may(request, "view_frameworks"):
            return [], []
        return self.registered()[1], self.completed_frameworks

    def tasks_of(self, framework: Peer) -> list[Task]:
        """Return all tasks of a framework."""
        return [task for task in self.tasks.values() if task.key[0] == framework.id]

    def framework_summary(self, framework: Peer) -> dict[str, Any]:
        """Return a framework as ``/state-summary`` does, without its tasks."""
        info = framework.info
        active = not framework.unregistered and self.active(framework)
        used = resources.totals(
            entry for task in self.tasks_of(framework) for entry in task.allocated
        )
        return {
            "id": framework.id,
            "name": info["name"],
            "used_resources": used,
            "offered_resources": resources.totals([]),
            "capabilities": framework.capabilities,
            "hostname": info.get("hostname", ""),
            "webui_url": info.get("webui_url", ""),
            "active": active,
            "connected": active,
            "recovered": False,
        }

    def framework(self, framework: Peer) -> dict[str, Any]:
        """Return a framework as ``/state`` does."""
        info, tasks = framework.info, self.tasks_of(framework)
        summary = self.framework_summary(framework)
        entry = {
            **summary,
            "user": info["user"],
            "failover_timeout": info.get("failover_timeout", 0.0),
            "checkpoint": info.get("checkpoint", False),
            "registered_time": framework.registered,
            "unregistered_time": framework.unregistered,
            "resources": summary["used_resources"],
            **({"roles": info["roles"]} if "roles" in info else {"role": info.get("role", "*")}),
            "tasks": [
                task.v0() for task in tasks if not task.over and task.state != "TASK_UNREACHABLE"
            ],
            "unreachable_tasks": [task.v0() for task in tasks if task.state == "TASK_UNREACHABLE"],
            "completed_tasks": [task.v0() for task in tasks if task.over],
            "offers": [],
            "executors": [
                self._executor(task) for task in tasks if not task.over and "executor" in task.info
            ],
        }
        if "principal" in info:
            entry["principal"] = info["principal"]
        if "labels" in info:
            entry["labels"] = info["labels"]["labels"]
        if framework.reregistered and framework.reregistered != framework.registered:
            entry["reregistered_time"] = framework.reregistered
        if self.since("1.11.0"):
            entry["offer_constraints"] = {}
        return entry

    @staticmethod
    def _executor(task: Task) -> dict[str, Any]:
        executor = task.info["executor"]
        return {
            "executor_id": executor["executor_id"]["value"],
            "name": "",
            "framework_id": task.key[0],
            "command": {"argv": [], "uris": []},
            "resources": resources.totals(executor.get("resources", [])),
            "role": task.role,
            "type": executor["type"],
            "slave_id": task.agent_id,
        }

    @route("/frameworks")
    def get_frameworks(self, request: Request) -> Any:
        """Return the frameworks, or the one whose ID is ``framework_id``."""
        framework_id = request.args.get("framework_id")
        registered, completed = (
            [
                self.framework(framework)
                for framework in frameworks
                if framework_id in (None, framework.id)
            ]
            for frameworks in self.visible_frameworks(request)
        )
        return {
            "frameworks": registered,
            "completed_frameworks": completed,
            "unregistered_frameworks": [],
        }

    def call_frameworks(self, request: Request, _call: dict) -> Any:
        """GET_FRAMEWORKS"""
        registered, completed = (
            [self._framework_v1(framework) for framework in frameworks]
            for frameworks in self.visible_frameworks(request)
        )
        return {"get_frameworks": {"frameworks": registered, "completed_frameworks": completed}}

    def _framework_v1(self, framework: Peer) -> dict[str, Any]:
        active = not framework.unregistered and self.active(framework)
        entry = {
            "framework_info": framework.info,
            "active": active,
            "connected": active,
            "recovered": False,
            "registered_time": _nanoseconds(framework.registered),
            "reregistered_time": _nanoseconds(framework.reregistered or framework.registered),
        }
        if framework.unregistered:
            entry["unregistered_time"] = _nanoseconds(framework.unregistered)
        if allocated := [part for task in self.tasks_of(framework) for part in task.allocated]:
            entry["allocated_resources"] = resources.full(allocated)
        if self.since("1.11.0"):
            entry["offer_constraints"] = {}
        return entry

    def visible_tasks(self, request: Request) -> list[Task]:
        """Return the tasks of the frameworks that the principal may view, oldest first."""
        registered, completed = self.visible_frameworks(request)
        framework_ids = {framework.id for framework in (*registered, *completed)}
        tasks = [task for task in self.tasks.values() if task.key[0] in framework_ids]
        return sorted(
            tasks, key=lambda task: task.statuses[0]["timestamp"] if task.statuses else time.time()
        )

    @route("/tasks")
    def get_tasks(self, request: Request) -> Any:
        """Return a page of tasks, by default the newest first."""
        tasks = [
            task
            for task in self.visible_tasks(request)
            if request.args.get("framework_id") in (None, task.key[0])
            and request.args.get("task_id") in (None, task.key[1])
        ]
        if request.args.get("order") != "asc":
            tasks.reverse()
        limit = request.args.get("limit", DEFAULT_LIMIT, int)
        offset = request.args.get("offset", 0, int)
        return {"tasks": [task.v0() for task in tasks[offset : offset + limit]]}

    def call_tasks(self, request: Request, _call: dict) -> Any:
        """GET_TASKS"""
        return {"get_tasks": self._tasks_v1(request)}

    def _tasks_v1(self, request: Request) -> dict[str, Any]:
        tasks = self.visible_tasks(request)
        return {
            "tasks": [
                task.v1() for task in tasks if not task.over and task.state != "TASK_UNREACHABLE"
            ],
            "unreachable_tasks": [task.v1() for task in tasks if task.state == "TASK_UNREACHABLE"],
            "completed_tasks": [task.v1() for task in tasks if task.over],
        }

    def call_executors(self, request: Request, _call: dict) -> Any:
        """GET_EXECUTORS"""
        executors = [
            {
                "executor_info": {
                    **task.info["executor"],
                    "framework_id": task.info["framework_id"],
                },
                "agent_id": task.info["agent_id"],
            }
            for task in self.visible_tasks(request)
            if not task.over and "executor" in task.info
        ]
        return {"get_executors": {"executors": executors}}

    # --- state ---

    @route("/state")
    def get_state(self, request: Request) -> Any:
        """Return the master, its agents and frameworks."""
        agents = self.registered()[0]
        frameworks, completed = self.visible_frameworks(request)
        active = sum(map(self.active, agents))
        info = self.info()
        state = {
            **self.build(),
            "start_time": self.start_time,
            "elected_time": self.elected_time,
            "id": self.id,
            "pid": self.pid,
            "hostname": self.hostname,
            "capabilities": self.capabilities(),
            "activated_slaves": float(active),
            "deactivated_slaves": float(len(agents) - active),
            "unreachable_slaves": float(len(self.unreachable)),
            "leader": self.pid,
            "leader_info": {key: info[key] for key in ("id", "pid", "port", "hostname")},
            **({"cluster": self.flags["cluster"]} if "cluster" in self.flags else {}),
            "slaves": [self.agent(agent) for agent in agents],
            "recovered_slaves": self.recovered_agent_summaries(),
            "frameworks": [self.framework(framework) for framework in frameworks],
            "completed_frameworks": [self.framework(framework) for framework in completed],
            "orphan_tasks": [],
            "unregistered_frameworks": [],
        }
        if self.access.may(request, "view_flags"):
            state.update(
                flags=self.flags,
                **{
                    key: self.flags[key]
                    for key in ("log_dir", "external_log_file")
                    if key in self.flags
                },
            )
        return state

    def call_state(self, request: Request, call: dict) -> Any:
        """GET_STATE"""
        return {
            "get_state": {
                "get_tasks": self._tasks_v1(request),
                **self.call_executors(request, call),
                **self.call_frameworks(request, call),
                **self.call_agents(request, call),
            }
        }

    @route("/state-summary")
    def get_summary(self, request: Request) -> Any:
        """Return agents and frameworks with the numbers of their tasks."""
        agents = self.registered()[0]
        frameworks = self.visible_frameworks(request)[0]
        tasks = [task for framework in self.registered()[1] for task in self.tasks_of(framework)]

        def of_agent(agent: Peer) -> dict[str, Any]:
            agent_tasks = [task for task in tasks if task.agent_id == agent.id]
            return {
                **self.agent(agent),
                **counts(agent_tasks),
                "framework_ids": sorted({task.key[0] for task in agent_tasks}),
            }

        def of_framework(framework: Peer) -> dict[str, Any]:
            framework_tasks = self.tasks_of(framework)
            return {
                **self.framework_summary(framework),
                **counts(framework_tasks),
                "slave_ids": sorted({task.agent_id for task in framework_tasks}),
            }

        return {
            "hostname": self.hostname,
            **({"cluster": self.flags["cluster"]} if "cluster" in self.flags else {}),
            "slaves": [of_agent(agent) for agent in agents],
            "frameworks": [of_framework(framework) for framework in frameworks],
        }

    def call_master(self, _request: Request, _call: dict) -> Any:
        """GET_MASTER. The enum of capabilities lacks QUOTA_V2, so this entry is empty."""
        capabilities = [
            {} if name == "QUOTA_V2" else {"type": name} for name in self.capabilities()
        ]
        info = {**self.info(), "capabilities": capabilities}
        return {
            "get_master": {
                "master_info": info,
                "start_time": self.start_time,
                "elected_time": self.elected_time,
            }
        }

    def call_operations(self, _request: Request, _call: dict) -> Any:
        """GET_OPERATIONS, which does not contain the operations of operators."""
        return {"get_operations": {}}

    # --- roles ---

    def capacity(self) -> dict[str, float]:
        """Return the total resources of all agents."""
        return resources.amounts(entry for agent in self.agents.values() for entry in agent.total)

    def _allocated(self) -> dict[str, dict[str, float]]:
        return _summed(entry for task in self.tasks.values() for entry in task.allocated)

    def _reserved(self) -> dict[str, dict[str, float]]:
        return _summed(
            entry
            for agent in self.agents.values()
            for entry in agent.total
            if resources.role(entry) != "*"
        )

    def consumed(self) -> dict[str, dict[str, float]]:
        """Return what counts against quota by role: allocations and unallocated reservations."""
        allocated_reservations = [
            entry
            for task in self.tasks.values()
            for entry in task.allocated
            if "reservations" in entry
        ]
        allocated = _summed(allocated_reservations)
        total = self._allocated()
        for role, amounts in self._reserved().items():
            consumed = total.setdefault(role, {})
            for name, value in amounts.items():
                unallocated = value - allocated.get(role, {}).get(name, 0)
                consumed[name] = round(consumed.get(name, 0) + unallocated, 3)
        return {
            role: {name: value for name, value in sorted(amounts.items()) if value}
            for role, amounts in total.items()
        }

    def _roles(self) -> Mapping[str, list[str]]:
        """Return the framework IDs by role, for roles with a framework, resources or settings."""
        frameworks_by_role: dict[str, list[str]] = {}
        for framework in self.registered()[1]:
            for role in framework.info.get("roles") or [framework.info.get("role", "*")]:
                frameworks_by_role.setdefault(role, []).append(framework.id)
        roles_with_quota = {
            role for role, quota in self.quotas.items() if quota["guarantees"] or quota["limits"]
        }
        for role in (*self._allocated(), *self._reserved(), *self.weights, *roles_with_quota):
            frameworks_by_role.setdefault(role, [])
        for role in list(frameworks_by_role):
            for depth in range(1, role.count("/") + 1):
                frameworks_by_role.setdefault("/".join(role.split("/")[:depth]), [])
        return dict(sorted(frameworks_by_role.items()))

    @route("/roles")
    def get_roles(self, request: Request) -> Any:
        """Return the roles with their weight, quota and resources."""
        allocated, reserved, consumed = self._allocated(), self._reserved(), self.consumed()

        def role(name: str, frameworks: list[str]) -> dict[str, Any]:
            quota = self.quotas.get(name, {"guarantees": {}, "limits": {}})
            quota_info = {"role": name, "guarantee": quota["guarantees"]}
            if self.since("1.9.0"):
                quota_info.update(limit=quota["limits"], consumed=consumed.get(name, {}))
            return {
                "name": name,
                "weight": self.weights.get(name, 1.0),
                "quota": quota_info,
                "resources": allocated.get(name, {}),
                "allocated": allocated.get(name, {}),
                "offered": {},
                "reserved": reserved.get(name, {}),
                "frameworks": frameworks,
            }

        return {"roles": [role(*entry) for entry in self._visible_roles(request)]}

    def _visible_roles(self, request: Request) -> list[tuple[str, list[str]]]:
        # Frameworks are not filtered here; Mesos authorizes roles independently.
        return list(self._roles().items())

    def call_roles(self, request: Request, _call: dict) -> Any:
        """GET_ROLES"""
        allocated = self._allocated()
        roles = []
        for name, frameworks in self._visible_roles(request):
            scalars = [
                {"name": resource, "type": "SCALAR", "scalar": {"value": value}}
                for resource, value in allocated.get(name, {}).items()
            ]
            roles.append(
                {
                    "name": name,
                    "weight": self.weights.get(name, 1.0),
                    **(
                        {"frameworks": [{"value": id_} for id_ in frameworks]} if frameworks else {}
                    ),
                    **({"resources": scalars} if scalars else {}),
                }
            )
        return {"get_roles": {"roles": roles} if roles else {}}

    # --- metrics ---

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the master. A standby has no agents and frameworks."""
        agents, frameworks = self.registered() if self.leading else ([], [])
        connected = sum(map(self._heard, agents))
        active = sum(map(self.active, agents))
        active_frameworks = sum(map(self.active, frameworks))
        total = resources.totals(entry for agent in agents for entry in agent.total)
        used = resources.totals(entry for agent in agents for entry in self.allocated(agent))
        metrics = {
            "master/elected": float(self.leading),
            "master/uptime_secs": time.time() - self.start_time,
            "master/slaves_active": active,
            "master/slaves_connected": connected,
            "master/slaves_disconnected": len(agents) - connected,
            "master/slaves_inactive": len(agents) - active,
            "master/slaves_unreachable": len(self.unreachable),
            "master/frameworks_active": active_frameworks,
            "master/frameworks_connected": active_frameworks,
            "master/frameworks_disconnected": len(frameworks) - active_frameworks,
            "master/frameworks_inactive": len(frameworks) - active_frameworks,
            "master/recovery_slave_removals": 0,
            "master/slave_removals": len(self.unreachable),
            "master/event_queue_messages": 0,
            "master/dropped_messages": 0,
            "master/outstanding_offers": 0,
            "registrar/queued_operations": 0,
            **super().metrics(),
        }
        if self.replicated:
            metrics["registrar/log/recovered"] = self.replica == "VOTING"
        for name in resources.SCALARS:
            metrics[f"master/{name}_total"] = total[name]
            metrics[f"master/{name}_used"] = used[name]
            metrics[f"master/{name}_percent"] = used[name] / total[name] if total[name] else 0.0
        number = counts(self.tasks.values())
        for state in STATES:
            metrics[f"master/tasks_{state.removeprefix('TASK_').lower()}"] = number[state]
        return {name: float(value) for name, value in metrics.items()}

    @route("/master/version", local=True, realm=None)
    def no_version(self, _request: Request) -> Any:
        """Respond with 404: libprocess serves the version only as ``/version``."""
        return answer("404 Not Found.", 404)
