"""Quota and weights of roles, and how a master checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..wire.http import Refusal
from . import resources

Amounts = dict[str, float]


def role_fault(role: str) -> str | None:
    """Return what is wrong with the name of a role, in the master's words."""
    if not role:
        return "Role names cannot be the empty string"
    for part in role.split("/"):
        if any(letter.isspace() or letter == "\b" for letter in part):
            return f"Role component '{part}' is invalid because it contains backspace or whitespace"
        if part in (".", "..") or part.startswith("-"):
            return f"Role component '{part}' is invalid because it is '.', '..' or begins with '-'"
        if not part:
            return f"Role '{role}' cannot start, end with or double a slash"
    return None


class Weights(dict):
    """Weight by role. One that was set stays listed for ever."""

    def change(self, infos: list[dict[str, Any]]) -> None:
        """Set some; all or none."""
        new = {}
        for info in infos:
            role, weight = info.get("role", ""), float(info.get("weight", 0))
            if fault := role_fault(role):
                raise Refusal(
                    400,
                    "Failed to validate update weights request JSON: "
                    f"Invalid role '{role}': {fault}",
                )
            if weight <= 0:
                text = f"Invalid weight '{weight:g}': Weights must be positive"
                raise Refusal(
                    400, f"Failed to validate update weights request JSON for role '{role}': {text}"
                )
            new[role] = weight
        self.update(new)

    def infos(self) -> list[dict[str, Any]]:
        """Return them as the APIs do."""
        return [{"role": role, "weight": weight} for role, weight in self.items()]


def _values(amounts: Mapping[str, Any]) -> Amounts:
    return {name: float(value.get("value", 0)) for name, value in amounts.items()}


class Quotas(dict):
    """
    Guarantees and limits by role: ``{"web": {"guarantees": {"cpus": 1.0}, "limits": {}}}``.

    A role whose quota was reset with UPDATE_QUOTA stays listed, with neither, until a failover.
    """

    def change(
        self,
        configs: list[dict[str, Any]],
        force: bool,
        capacity: Amounts,
        consumed: Mapping[str, Amounts],
    ) -> None:
        """UPDATE_QUOTA: replace all of each role's quota; all or none."""
        new = {}
        for config in configs:
            role = config.get("role", "")
            if fault := role_fault(role):
                raise Refusal(400, f"Invalid QuotaConfig: Invalid 'QuotaConfig.role': {fault}")
            if "/" in role:
                raise Refusal(400, f"Updating quota on nested role '{role}' is not supported yet")
            quota = {key: _values(config.get(key, {})) for key in ("guarantees", "limits")}
            self._check(role, quota)
            new[role] = quota
        if not force:
            self._fits(new, capacity, consumed)
        self.update(new)

    def _check(self, role: str, quota: dict[str, Amounts]) -> None:
        guarantees, limits = quota["guarantees"], quota["limits"]
        for kind, amounts in (("guarantee", guarantees), ("limit", limits)):
            for name, value in amounts.items():
                if value < 0:
                    text = f"Invalid {kind} configuration {{'{name}': {value:g}}}"
                    raise Refusal(
                        400, f"Invalid QuotaConfig: {text}: Negative values not supported"
                    )
        if any(value > limits.get(name, value) for name, value in guarantees.items()):
            guarantees_text, limits_text = (
                ", ".join(f"{name}: {value:g}" for name, value in sorted(amounts.items()))
                for amounts in (guarantees, limits)
            )
            text = (
                f"'QuotaConfig.guarantees' {{ {guarantees_text} }} is not contained within "
                f"the 'QuotaConfig.limits' {{ {limits_text} }}"
            )
            raise Refusal(400, f"Invalid QuotaConfig: {text}")

    def _fits(
        self,
        new: Mapping[str, dict[str, Amounts]],
        capacity: Amounts,
        consumed: Mapping[str, Amounts],
    ) -> None:
        hint = "(use 'force' flag to bypass this check)"
        for role, quota in new.items():
            used, limits = consumed.get(role, {}), quota["limits"]
            if any(used.get(name, 0) > value for name, value in limits.items()):
                text = f"Role '{role}' is already consuming '{resources.words(used)}'"
                excess = f"this is more than the requested limits '{resources.words(limits)}'"
                raise Refusal(400, f"Invalid QuotaConfig: {text}; {excess} {hint}")
        total = self._guaranteed({**self, **new})
        if any(value > capacity.get(name, 0) for name, value in total.items()):
            text = (
                f"total quota guarantees '{resources.words(total)}' exceed cluster capacity "
                f"'{resources.words(capacity)}'"
            )
            raise Refusal(400, f"Invalid QuotaConfig: {text} {hint}")

    @staticmethod
    def _guaranteed(quotas: Mapping[str, dict[str, Amounts]]) -> Amounts:
        total: Amounts = {}
        for quota in quotas.values():
            for name, value in quota["guarantees"].items():
                total[name] = total.get(name, 0) + value
        return {name: value for name, value in total.items() if value}

    def add(self, request: dict[str, Any], capacity: Amounts) -> None:
        """SET_QUOTA and POST /quota: set guarantees, which are also limits, of a new role."""
        role = request.get("role", "")
        if fault := role_fault(role):
            raise Refusal(
                400, f"Failed to validate set quota request: QuotaInfo with invalid role: {fault}"
            )
        if role in self:
            raise Refusal(
                400,
                f"Failed to validate set quota request: Cannot set quota for role '{role}' "
                "which already has quota",
            )
        amounts = {
            entry["name"]: float(entry["scalar"]["value"]) for entry in request.get("guarantee", [])
        }
        quota = {
            "guarantees": {name: value for name, value in amounts.items() if value},
            "limits": amounts,
        }
        total = self._guaranteed({**self, role: quota})
        if not request.get("force") and any(
            value > capacity.get(name, 0) for name, value in total.items()
        ):
            text = (
                f"Total quota guarantees '{resources.words(total)}' exceed cluster capacity "
                f"'{resources.words(capacity)}'"
            )
            raise Refusal(
                409,
                "Quota guarantees overcommit the cluster "
                f"(use 'force' to bypass this check): {text}",
            )
        self[role] = quota

    def status(self, configs: bool) -> dict[str, Any]:
        """Return them as the APIs do: infos, and since Mesos 1.9 configs, too."""
        if not self:
            return {}
        infos, config_entries = [], []
        for role, quota in self.items():
            guarantee = [
                {"name": name, "type": "SCALAR", "scalar": {"value": value}}
                for name, value in quota["guarantees"].items()
            ]
            infos.append({"role": role, **({"guarantee": guarantee} if guarantee else {})})
            both = {
                key: {name: {"value": value} for name, value in quota[key].items()}
                for key in quota
                if quota[key]
            }
            config_entries.append({"role": role, **both})
        return {"infos": infos, **({"configs": config_entries} if configs else {})}
