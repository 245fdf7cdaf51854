"""Maintenance of a cluster: the schedule and the modes of the machines."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from ..wire.http import Refusal

Machine = dict[str, str]


def key(machine: Machine) -> tuple[str, str]:
    """Return the identity of a machine: the host name without case, and the IP address."""
    return machine.get("hostname", "").lower(), machine.get("ip", "")


def format_machine(machine: Machine) -> str:
    """Return the MachineID as the master writes it."""
    return json.dumps(machine, separators=(",", ":"))


def _nanoseconds(info: dict[str, Any]) -> dict[str, int]:
    value = info["nanoseconds"]
    if isinstance(value, str):
        value = float(value)
    return {"nanoseconds": int(value)}


def _checked(machines: list[Machine], keys: set[tuple[str, str]]) -> None:
    for machine in machines:
        if not any(key(machine)):
            raise Refusal(400, "Both 'hostname' and 'ip' for a machine are empty")
        if machine.get("ip"):
            try:
                ipaddress.IPv4Address(machine["ip"])
            except ValueError:
                raise Refusal(400, f"Failed to parse IPv4: {machine['ip']}") from None
        if key(machine) in keys:
            text = f"Machine '{format_machine(machine)}' appears more than once in the schedule"
            raise Refusal(400, text)
        keys.add(key(machine))


class Maintenance:
    """The schedule and the modes of machines. ``ids`` has the first spelling of each MachineID."""

    def __init__(self) -> None:
        self.windows: list[dict[str, Any]] = []
        self.down: set[tuple[str, str]] = set()
        self.ids: dict[tuple[str, str], Machine] = {}

    def load(self, record: dict[str, Any]) -> None:
        """Load the state from the registry."""
        self.windows = record.get("windows", [])
        self.down = {tuple(machine) for machine in record.get("down", [])}
        self.ids = {}
        for window in self.windows:
            for machine in window["machine_ids"]:
                self.ids.setdefault(key(machine), machine)

    def record(self) -> dict[str, Any]:
        """Return the state for the registry."""
        return {"windows": self.windows, "down": sorted(self.down)}

    def add(self, machine: Machine) -> None:
        """Add the machine of a registered agent."""
        self.ids.setdefault(key(machine), machine)

    @property
    def scheduled(self) -> set[tuple[str, str]]:
        """The keys of all machines in the schedule."""
        return {key(machine) for window in self.windows for machine in window["machine_ids"]}

    def replace(self, schedule: dict[str, Any]) -> None:
        """Replace the schedule."""
        keys: set[tuple[str, str]] = set()
        windows = []
        for window in schedule.get("windows", []):
            if not window.get("machine_ids"):
                raise Refusal(400, "List of machines in the maintenance window is empty")
            unavailability = {"start": _nanoseconds(window["unavailability"]["start"])}
            if "duration" in window["unavailability"]:
                unavailability["duration"] = _nanoseconds(window["unavailability"]["duration"])
                if unavailability["duration"]["nanoseconds"] < 0:
                    raise Refusal(400, "Unavailability 'duration' is negative")
            _checked(window["machine_ids"], keys)
            windows.append({"machine_ids": window["machine_ids"], "unavailability": unavailability})
        for machine in sorted(self.down - keys):
            raise Refusal(
                400,
                f"Machine '{format_machine(self.ids[machine])}' is deactivated "
                "and cannot be removed from the schedule",
            )
        self.windows = windows
        for window in windows:
            for machine in window["machine_ids"]:
                self.ids.setdefault(key(machine), machine)

    def _machines(self, machines: list[Machine]) -> None:
        if not machines:
            raise Refusal(400, "List of machines is empty")
        _checked(machines, set())
        for machine in machines:
            if key(machine) not in self.ids:
                raise Refusal(
                    400,
                    f"Machine '{format_machine(machine)}' is not part of a maintenance schedule",
                )

    def start(self, machines: list[Machine]) -> None:
        """Take machines down."""
        self._machines(machines)
        for machine in machines:
            if key(machine) in self.down or key(machine) not in self.scheduled:
                raise Refusal(
                    400,
                    f"Machine '{format_machine(machine)}' is not in DRAINING mode "
                    "and cannot be brought down",
                )
        self.down |= {key(machine) for machine in machines}

    def stop(self, machines: list[Machine]) -> None:
        """Bring machines up and remove them from the schedule."""
        self._machines(machines)
        for machine in machines:
            if key(machine) not in self.down:
                raise Refusal(
                    400,
                    f"Machine '{format_machine(machine)}' is not in DOWN mode "
                    "and cannot be brought up",
                )
        ended = {key(machine) for machine in machines}
        self.down -= ended
        for window in self.windows:
            window["machine_ids"] = [
                machine for machine in window["machine_ids"] if key(machine) not in ended
            ]
        self.windows = [window for window in self.windows if window["machine_ids"]]

    def schedule(self) -> dict[str, Any]:
        """Return the schedule as the APIs do."""
        return {"windows": self.windows} if self.windows else {}

    def status(self) -> dict[str, Any]:
        """Return the machines that are draining or down."""
        draining = [{"id": self.ids[machine]} for machine in sorted(self.scheduled - self.down)]
        down = [self.ids[machine] for machine in sorted(self.down)]
        return {
            **({"draining_machines": draining} if draining else {}),
            **({"down_machines": down} if down else {}),
        }
