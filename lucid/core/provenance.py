"""What a result depends on besides its settings: versions, device, threads and weights."""

from __future__ import annotations

from typing import Any

import torch

from lucid.core.device import device_name
from lucid.imaging import recipes
from lucid.nets.net import Net


def made_by(net: Net, device: torch.device) -> dict[str, Any]:
    """What a recipe records under ``made``, as JSON-compatible values."""
    return {
        **recipes.versions(),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "net": net.name,
        "weights": net.fingerprint,
    }
