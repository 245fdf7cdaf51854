"""Versions that compare."""

from __future__ import annotations


def release(version: str) -> tuple[int, ...]:
    """Turn ``1.9.0`` into something that compares."""
    return tuple(int(part) for part in version.split("."))
