"""Hash what a drawing depends on."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def hash_value(digest: Any, value: object) -> None:
    """Feed a value into a hash: tensors, inside objectives and regions too, by all their bytes."""
    if isinstance(value, Tensor):
        digest.update(f"{value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    elif isinstance(value, tuple | list):
        digest.update(f"{type(value).__name__} {len(value)}".encode())
        for item in value:
            hash_value(digest, item)
    elif hasattr(value, "__qualname__"):  # a function
        digest.update(f"{value.__module__} {value.__qualname__}".encode())
    elif hasattr(value, "__dict__"):
        digest.update(type(value).__qualname__.encode())
        hash_value(digest, [*vars(value).items()])
    else:
        digest.update(repr(value).encode())
