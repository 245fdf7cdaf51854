"""What the leading master shows of itself, its agents, frameworks, tasks and roles: the older endpoints and the v1 API."""

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

DEFAULT_LIMIT = 100  # tasks that /tasks shows unless told otherwise


def _nanoseconds(at: float) -> dict[str, int]:
    return {"nanoseconds": int(at * 1e9)}


def _by_role(entries: Iterable[dict[str, Any]]) -> Iterable[tuple[str, dict[str, Any]]]:
    """The roles that hold an entry: the one that it is allocated to or reserved for, and those above it."""
    for entry in entries:
        role = entry.get("allocation_info", {}).get("role") or resources.role(entry)
        parts = role.split("/")
        for depth in range(len(parts)):
            yield "/".join(parts[: depth + 1]), entry


def _summed(entries: Iterable[dict[str, Any]]) -> dict[str, dict[str, float]]:
    held: dict[str, list[dict[str, Any]]] = {}
    for role, entry in _by_role(entries):
        held.setdefault(role, []).append(entry)
    return {role: resources.amounts(each) for role, each in held.items()}


class Views:
    """A part of ``Master``."""

    # --- agents ---

    def agent(self, agent: Peer) -> dict[str, Any]:
        """Show an agent as ``/state`` does."""
        info, total = agent.info, agent.total
        shown = {
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
            shown["reregistered_time"] = agent.reregistered
        if self.since("1.9.0"):
            shown["deactivated"] = agent.id in self.deactivated
        if drain := self.drains.get(agent.id):
            shown["drain_info"] = {"state": drain["state"], "config": drain["config"]}
            shown["estimated_drain_start_time_seconds"] = drain["start"]
        return shown

    def agent_in_full(self, agent: Peer) -> dict[str, Any]:
        """Show an agent as ``/slaves`` does."""
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

    def recovered_agents_shown(self) -> list[dict[str, Any]]:
        """Show the agents that the registry knows and that did not come back yet."""
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
        """Show the agents, or the one that ``slave_id`` names."""
        wanted = request.args.get("slave_id")
        agents = [agent for agent in self.registered()[0] if wanted in (None, agent.id)]
        return {
            "slaves": [self.agent_in_full(agent) for agent in agents],
            "recovered_slaves": [
                each for each in self.recovered_agents_shown() if wanted in (None, each["id"])
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
        shown = {
            "agent_info": agent.info,
            "active": self.active(agent),
            "version": agent.version,
            "pid": agent.pid,
            "registered_time": _nanoseconds(agent.registered),
            "total_resources": resources.full(agent.total),
            "capabilities": [{"type": name} for name in agent.capabilities],
        }
        if held := self.allocated(agent):
            shown["allocated_resources"] = resources.full(held)
        if agent.reregistered:
            shown["reregistered_time"] = _nanoseconds(agent.reregistered)
        if self.since("1.9.0"):
            shown["deactivated"] = agent.id in self.deactivated
        if drain := self.drains.get(agent.id):
            shown["drain_info"] = {"state": drain["state"], "config": drain["config"]}
            shown["estimated_drain_start_time"] = {"nanoseconds": int(drain["start"]) * 10**9}
        return shown

    # --- frameworks and tasks ---

    def seen_frameworks(self, request: Request) -> tuple[list[Peer], list[Peer]]:
        """The frameworks, and those that ended, that who asks may see."""
        if not self.access.may(request, "view_frameworks"):
            return [], []
        return self.registered()[1], self.completed_frameworks

    def tasks_of(self, framework: Peer) -> list[Task]:
        """All tasks of a framework."""
        return [task for task in self.tasks.values() if task.key[0] == framework.id]

    def framework_summary(self, framework: Peer) -> dict[str, Any]:
        """Show a framework as ``/state-summary`` does, without its tasks."""
        info, lives = framework.info, not framework.unregistered and self.active(framework)
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
            "active": lives,
            "connected": lives,
            "recovered": False,
        }

    def framework(self, framework: Peer) -> dict[str, Any]:
        """Show a framework as ``/state`` does."""
        info, tasks = framework.info, self.tasks_of(framework)
        summary = self.framework_summary(framework)
        shown = {
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
            shown["principal"] = info["principal"]
        if "labels" in info:
            shown["labels"] = info["labels"]["labels"]
        if framework.reregistered and framework.reregistered != framework.registered:
            shown["reregistered_time"] = framework.reregistered
        if self.since("1.11.0"):
            shown["offer_constraints"] = {}
        return shown

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
        """Show the frameworks, or the one that ``framework_id`` names."""
        wanted = request.args.get("framework_id")
        shown = [
            [self.framework(each) for each in some if wanted in (None, each.id)]
            for some in self.seen_frameworks(request)
        ]
        return {
            "frameworks": shown[0],
            "completed_frameworks": shown[1],
            "unregistered_frameworks": [],
        }

    def call_frameworks(self, request: Request, _call: dict) -> Any:
        """GET_FRAMEWORKS"""
        now, over = (
            [self._framework_v1(each) for each in some] for some in self.seen_frameworks(request)
        )
        return {"get_frameworks": {"frameworks": now, "completed_frameworks": over}}

    def _framework_v1(self, framework: Peer) -> dict[str, Any]:
        lives = not framework.unregistered and self.active(framework)
        shown = {
            "framework_info": framework.info,
            "active": lives,
            "connected": lives,
            "recovered": False,
            "registered_time": _nanoseconds(framework.registered),
            "reregistered_time": _nanoseconds(framework.reregistered or framework.registered),
        }
        if framework.unregistered:
            shown["unregistered_time"] = _nanoseconds(framework.unregistered)
        if held := [entry for task in self.tasks_of(framework) for entry in task.allocated]:
            shown["allocated_resources"] = resources.full(held)
        if self.since("1.11.0"):
            shown["offer_constraints"] = {}
        return shown

    def seen_tasks(self, request: Request) -> list[Task]:
        """The tasks of the frameworks that who asks may see, oldest first."""
        seen = {each.id for some in self.seen_frameworks(request) for each in some}
        found = [task for task in self.tasks.values() if task.key[0] in seen]
        return sorted(
            found, key=lambda task: task.statuses[0]["timestamp"] if task.statuses else time.time()
        )

    @route("/tasks")
    def get_tasks(self, request: Request) -> Any:
        """Show tasks, the newest first, a page of them."""
        found = [
            task
            for task in self.seen_tasks(request)
            if request.args.get("framework_id") in (None, task.key[0])
            and request.args.get("task_id") in (None, task.key[1])
        ]
        if request.args.get("order") != "asc":
            found.reverse()
        limit = request.args.get("limit", DEFAULT_LIMIT, int)
        offset = request.args.get("offset", 0, int)
        return {"tasks": [task.v0() for task in found[offset : offset + limit]]}

    def call_tasks(self, request: Request, _call: dict) -> Any:
        """GET_TASKS"""
        return {"get_tasks": self._tasks_v1(request)}

    def _tasks_v1(self, request: Request) -> dict[str, Any]:
        tasks = self.seen_tasks(request)
        return {
            "tasks": [
                task.v1() for task in tasks if not task.over and task.state != "TASK_UNREACHABLE"
            ],
            "unreachable_tasks": [task.v1() for task in tasks if task.state == "TASK_UNREACHABLE"],
            "completed_tasks": [task.v1() for task in tasks if task.over],
        }

    def call_executors(self, request: Request, _call: dict) -> Any:
        """GET_EXECUTORS"""
        shown = [
            {
                "executor_info": {
                    **task.info["executor"],
                    "framework_id": task.info["framework_id"],
                },
                "agent_id": task.info["agent_id"],
            }
            for task in self.seen_tasks(request)
            if not task.over and "executor" in task.info
        ]
        return {"get_executors": {"executors": shown}}

    # --- all at once ---

    @route("/state")
    def get_state(self, request: Request) -> Any:
        """Show the master, its agents and frameworks."""
        agents = self.registered()[0]
        frameworks, completed = self.seen_frameworks(request)
        active = sum(map(self.active, agents))
        info = self.info()
        shown = {
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
            "recovered_slaves": self.recovered_agents_shown(),
            "frameworks": [self.framework(framework) for framework in frameworks],
            "completed_frameworks": [self.framework(framework) for framework in completed],
            "orphan_tasks": [],
            "unregistered_frameworks": [],
        }
        if self.access.may(request, "view_flags"):
            shown.update(
                flags=self.flags,
                **{
                    key: self.flags[key]
                    for key in ("log_dir", "external_log_file")
                    if key in self.flags
                },
            )
        return shown

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
        """Show agents and frameworks with the numbers of their tasks."""
        agents = self.registered()[0]
        frameworks = self.seen_frameworks(request)[0]
        tasks = [task for each in self.registered()[1] for task in self.tasks_of(each)]

        def of_agent(agent: Peer) -> dict[str, Any]:
            mine = [task for task in tasks if task.agent_id == agent.id]
            return {
                **self.agent(agent),
                **counts(mine),
                "framework_ids": sorted({task.key[0] for task in mine}),
            }

        def of_framework(framework: Peer) -> dict[str, Any]:
            mine = self.tasks_of(framework)
            return {
                **self.framework_summary(framework),
                **counts(mine),
                "slave_ids": sorted({task.agent_id for task in mine}),
            }

        return {
            "hostname": self.hostname,
            **({"cluster": self.flags["cluster"]} if "cluster" in self.flags else {}),
            "slaves": [of_agent(agent) for agent in agents],
            "frameworks": [of_framework(framework) for framework in frameworks],
        }

    def call_master(self, _request: Request, _call: dict) -> Any:
        """GET_MASTER; its enum has no QUOTA_V2, so that this one comes out empty."""
        known = [{} if name == "QUOTA_V2" else {"type": name} for name in self.capabilities()]
        info = {**self.info(), "capabilities": known}
        return {
            "get_master": {
                "master_info": info,
                "start_time": self.start_time,
                "elected_time": self.elected_time,
            }
        }

    def call_operations(self, _request: Request, _call: dict) -> Any:
        """GET_OPERATIONS; those of operators are not in it."""
        return {"get_operations": {}}

    # --- roles ---

    def capacity(self) -> dict[str, float]:
        """All that agents have."""
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
        """What counts against the quota of each role: what its tasks hold, and what is reserved for it besides."""
        reserved_held = [
            entry
            for task in self.tasks.values()
            for entry in task.allocated
            if "reservations" in entry
        ]
        held = _summed(reserved_held)
        total = self._allocated()
        for role, amounts in self._reserved().items():
            mine = total.setdefault(role, {})
            for name, value in amounts.items():
                mine[name] = round(mine.get(name, 0) + value - held.get(role, {}).get(name, 0), 3)
        return {
            role: {name: value for name, value in sorted(amounts.items()) if value}
            for role, amounts in total.items()
        }

    def _roles(self) -> Mapping[str, list[str]]:
        """All roles that something is known of, and the frameworks of each."""
        found: dict[str, list[str]] = {}
        for framework in self.registered()[1]:
            for role in framework.info.get("roles") or [framework.info.get("role", "*")]:
                found.setdefault(role, []).append(framework.id)
        set_ = {
            role for role, quota in self.quotas.items() if quota["guarantees"] or quota["limits"]
        }
        for role in (*self._allocated(), *self._reserved(), *self.weights, *set_):
            found.setdefault(role, [])
        for role in list(found):
            for depth in range(1, role.count("/") + 1):
                found.setdefault("/".join(role.split("/")[:depth]), [])
        return dict(sorted(found.items()))

    @route("/roles")
    def get_roles(self, request: Request) -> Any:
        """Show the roles with weight, quota and what they hold."""
        allocated, reserved, consumed = self._allocated(), self._reserved(), self.consumed()

        def role(name: str, frameworks: list[str]) -> dict[str, Any]:
            quota = self.quotas.get(name, {"guarantees": {}, "limits": {}})
            shown = {"role": name, "guarantee": quota["guarantees"]}
            if self.since("1.9.0"):
                shown.update(limit=quota["limits"], consumed=consumed.get(name, {}))
            return {
                "name": name,
                "weight": self.weights.get(name, 1.0),
                "quota": shown,
                "resources": allocated.get(name, {}),
                "allocated": allocated.get(name, {}),
                "offered": {},
                "reserved": reserved.get(name, {}),
                "frameworks": frameworks,
            }

        return {"roles": [role(name, frameworks) for name, frameworks in self._seen_roles(request)]}

    def _seen_roles(self, request: Request) -> list[tuple[str, list[str]]]:
        # Frameworks are not filtered here: roles are seen by those who may see roles.
        return list(self._roles().items())

    def call_roles(self, request: Request, _call: dict) -> Any:
        """GET_ROLES"""
        allocated = self._allocated()
        shown = []
        for name, frameworks in self._seen_roles(request):
            held = [
                {"name": each, "type": "SCALAR", "scalar": {"value": value}}
                for each, value in allocated.get(name, {}).items()
            ]
            shown.append(
                {
                    "name": name,
                    "weight": self.weights.get(name, 1.0),
                    **(
                        {"frameworks": [{"value": each} for each in frameworks]}
                        if frameworks
                        else {}
                    ),
                    **({"resources": held} if held else {}),
                }
            )
        return {"get_roles": {"roles": shown} if shown else {}}

    # --- metrics ---

    def metrics(self) -> dict[str, float]:
        """Return what the master measures; a standby has no peers."""
        agents, frameworks = self.registered() if self.leading else ([], [])
        connected = sum(map(self._heard, agents))
        active, lively = sum(map(self.active, agents)), sum(map(self.active, frameworks))
        total = resources.totals(entry for agent in agents for entry in agent.total)
        used = resources.totals(entry for agent in agents for entry in self.allocated(agent))
        found = {
            "master/elected": float(self.leading),
            "master/uptime_secs": time.time() - self.start_time,
            "master/slaves_active": active,
            "master/slaves_connected": connected,
            "master/slaves_disconnected": len(agents) - connected,
            "master/slaves_inactive": len(agents) - active,
            "master/slaves_unreachable": len(self.unreachable),
            "master/frameworks_active": lively,
            "master/frameworks_connected": lively,
            "master/frameworks_disconnected": len(frameworks) - lively,
            "master/frameworks_inactive": len(frameworks) - lively,
            "master/recovery_slave_removals": 0,
            "master/slave_removals": len(self.unreachable),
            "master/event_queue_messages": 0,
            "master/dropped_messages": 0,
            "master/outstanding_offers": 0,
            "registrar/queued_operations": 0,
            **super().metrics(),
        }
        if self.replicated:
            found["registrar/log/recovered"] = self.replica == "VOTING"
        for name in resources.SCALARS:
            found[f"master/{name}_total"] = total[name]
            found[f"master/{name}_used"] = used[name]
            found[f"master/{name}_percent"] = used[name] / total[name] if total[name] else 0.0
        number = counts(self.tasks.values())
        for state in STATES:
            found[f"master/tasks_{state.removeprefix('TASK_').lower()}"] = number[state]
        return {name: float(value) for name, value in found.items()}

    @route("/master/version", local=True, realm=None)
    def no_version(self, _request: Request) -> Any:
        """The version has one path only."""
        return answer("404 Not Found.", 404)
