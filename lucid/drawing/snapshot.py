"""Copies of a drawing under way, and the memory that they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lucid.core.canvas import Canvas
from lucid.core.optimizers import Optimizer
from lucid.drawing.importance import Importance


@dataclass(frozen=True)
class Snapshot:
    """A copy of a climb at one moment.

    Attributes:
        state: the climb's attributes by name, apart from its canvas.
        generator: the state of its random numbers.
        tensors: its canvas, optimizer and importance.
        nbytes: bytes of memory that all of these take, with what the octave before ended with.
    """

    state: dict[str, Any]
    generator: Tensor
    tensors: tuple[Canvas, Optimizer, Importance | None]
    nbytes: int


def count_bytes(value: Any, seen: set[int] | None = None) -> int:
    """Bytes of all tensors in a value and its attributes, each counted once, but for ``seen``."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, dict):
        return sum(count_bytes(each, seen) for each in value.values())
    if isinstance(value, tuple | list):
        return sum(count_bytes(each, seen) for each in value)
    return count_bytes(vars(value), seen) if hasattr(value, "__dict__") else 0
