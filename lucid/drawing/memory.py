"""Whether a machine can hold a picture while it is painted."""

from __future__ import annotations

import math

import torch

from lucid.core.device import total_memory
from lucid.drawing.config import TILE
from lucid.errors import UsageError
from lucid.imaging import Size

BYTES_PER_PIXEL = 300
"""Memory at the last octave, as measured at 2048x2048: coefficients, their gradient, Adam's two
moments, the picture, its tiles and their gradients."""


def fits_memory(size: Size, tile: Size = (TILE, TILE)) -> bool:
    """Whether this machine can hold a picture of (height, width) that ``draw`` paints."""
    try:
        check_memory(size, tile)
    except UsageError:
        return False
    return True


def check_memory(size: Size, tile: Size) -> None:
    """Raise a UsageError if this machine cannot hold a picture of (height, width) in tiles."""
    available = total_memory(torch.device("cpu"))
    # A picture smaller than a tile is padded to one.
    needed = BYTES_PER_PIXEL * max(size[0], tile[0]) * max(size[1], tile[1])
    if needed > available:
        side = math.isqrt(int(available / BYTES_PER_PIXEL)) // 64 * 64
        raise UsageError(
            f"size {size[1]}x{size[0]} in tiles of {tile[0]} needs about "
            f"{needed / 2**30:,.0f} GiB of memory, and this machine has "
            f"{available / 2**30:,.0f}: pictures in memory go up to about {side}x{side} here; "
            "larger ones `lucid draw` paints on disk, as pixels, and without masks"
        )
