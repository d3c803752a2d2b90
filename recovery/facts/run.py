"""A run of ours: how far it is, and why it does not go on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a long step has come."""

    phase: str
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_second: float = 0.0
    detail: str = ""

    @property
    def percent(self) -> float | None:
        return min(100.0, 100 * self.done_bytes / self.total_bytes) if self.total_bytes else None

    @property
    def seconds_left(self) -> float | None:
        if not self.total_bytes or self.bytes_per_second <= 0:
            return None
        return max(0.0, (self.total_bytes - self.done_bytes) / self.bytes_per_second)


@dataclass(frozen=True)
class Refusal:
    """Why something must not be done, and what can be done instead."""

    problem: str
    next_step: str
