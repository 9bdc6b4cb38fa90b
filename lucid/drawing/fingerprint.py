"""Hash what a drawing depends on."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor

from lucid.drawing.plan import Plan


def fingerprint(plan: Plan) -> str:
    """The SHA-256 of everything that a picture depends on but its seed, as hexadecimal digits."""
    digest = hashlib.sha256()
    settings = (plan.config, plan.tiling, plan.octaves, plan.strength, plan.keep_colors)
    ascent = plan.ascent
    runtime = (ascent.device.type, ascent.dtype, ascent.runtime.pooling, torch.__version__)
    net = (plan.net.name, plan.net.fingerprint)
    digest.update(repr((settings, runtime, net)).encode())
    for value in (plan.base, plan.mask, *plan.targets):
        hash_value(digest, value)
    return digest.hexdigest()


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
