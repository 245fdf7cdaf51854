"""Comparison of version numbers."""

from __future__ import annotations


def release(version: str) -> tuple[int, ...]:
    """Turn ``1.9.0`` into the tuple ``(1, 9, 0)``, which compares correctly."""
    return tuple(int(part) for part in version.split("."))
