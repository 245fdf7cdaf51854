"""The launch queue: specs that wait for offers, the reasons, and the delay after failures."""

from __future__ import annotations

import time
from typing import Any

from ..wire.http import Request, answer
from .errors import Refused, api
from .normal import App, absolute
from .placement import REASONS
from .tree import at, config_version


class Queue:
    """Marathon's API for the launch queue."""

    def delay(self: Any, spec: App) -> None:
        """Increase the launch delay of an app or pod after a failure."""
        policy = spec["scheduling"]["backoff"] if "containers" in spec else spec
        initial_delay = policy["backoff"] if "containers" in spec else policy["backoffSeconds"]
        max_delay = (
            policy["maxLaunchDelay"] if "containers" in spec else policy["maxLaunchDelaySeconds"]
        )
        config, seconds, _ = self.delays.get(spec["id"], ("", 0.0, 0.0))
        seconds = min(
            seconds * policy["backoffFactor"]
            if config == config_version(spec) and seconds
            else initial_delay,
            max_delay,
        )
        self.delays[spec["id"]] = (config_version(spec), seconds, time.time() + seconds)

    def delay_left(self: Any, path: str) -> float:
        """Return the remaining launch delay in seconds. A new configuration has no delay."""
        config, _, until = self.delays.get(path, ("", 0.0, 0.0))
        spec = self.tree.spec(path)
        return max(until - time.time(), 0.0) if spec and config == config_version(spec) else 0.0

    @api("/v2/queue", "GET")
    def get_queue(self: Any, request: Request) -> Any:
        """List the specs that wait for a launch."""
        unused = "lastUnusedOffers" in request.args.getlist("embed")
        return answer(
            {"queue": [self._queued(path, count, unused) for path, count in self.queue.items()]}
        )

    def _queued(self: Any, path: str, count: int, unused: bool) -> dict[str, Any]:
        wait, seconds_left = self.waits[path], self.delay_left(path)
        pod = path in self.tree.pods
        view: dict[str, Any] = {
            "count": count,
            "delay": {"timeLeftSeconds": int(seconds_left), "overdue": seconds_left == 0},
            "pod" if pod else "app": self.spec_view(path),
        }
        if self.line >= (1, 4):
            funnel, passed = [], wait.get("seen", 0)
            for reason in REASONS if self.line >= (1, 8) else REASONS[:2] + REASONS[4:9]:
                declined = wait["rejected"].get(reason, 0)
                funnel.append({"reason": reason, "declined": declined, "processed": passed})
                passed -= declined
            unused_count = wait["processed"] if "unused" in wait else 0
            view["since"] = at(wait["since"])
            view["processedOffersSummary"] = {
                "processedOffersCount": wait["processed"],
                "unusedOffersCount": unused_count,
                **({"lastUnusedOfferAt": at(wait["unused"])} if "unused" in wait else {}),
                **({"lastUsedOfferAt": at(wait["used"])} if "used" in wait else {}),
                "rejectSummaryLastOffers": funnel,
                "rejectSummaryLaunchAttempt": funnel,
            }
            if unused:
                view["lastUnusedOffers"] = [
                    {"offer": offer(agent), "reason": [reason], "timestamp": at(wait["unused"])}
                    for agent, reason in wait["offers"].values()
                ]
        if self.line >= (1, 9):
            view["role"] = (self.tree.spec(path) or {}).get("role", self.settings.role)
        return view

    @api("/v2/queue/<path:id>/delay", "DELETE")
    def reset_delay(self: Any, _request: Request, id: str) -> Any:
        """Reset the launch delay of an app or pod."""
        path = absolute(id)
        if path not in self.queue:
            refusal = Refused(404, f"Application {path} not found in tasks queue.")
            raise refusal.as_text() if self.line >= (1, 8) else refusal
        self.delays.pop(path, None)
        self.advance()
        return answer(None, 204)


def offer(agent: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of an agent's resources as an offer."""
    resources = []
    for role, free in agent["free"].items():
        for name, value in free.items():
            if name == "ports":
                resources.append(
                    {
                        "name": name,
                        "role": role,
                        "ranges": [{"begin": low, "end": high} for low, high in value],
                    }
                )
            elif value:
                resources.append({"name": name, "role": role, "scalar": value})
    attributes = [
        {"name": name, "scalar" if isinstance(value, int | float) else "text": value}
        for name, value in agent.get("attributes", {}).items()
    ]
    return {
        "id": agent["id"].replace("-S", "-O"), "agentId": agent["id"],
        "hostname": agent["hostname"],
        "resources": resources,
        "attributes": attributes,
    }  # fmt: skip
