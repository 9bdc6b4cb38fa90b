"""Masks by name: halves, the centre, and the sky of a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from lucid.errors import UsageError, nearest
from lucid.imaging import Size
from lucid.imaging.filters import gaussian_blur

SOFTNESS = 0.2
"""Width of a half's soft edge, as a share of the picture's side."""

SIDE = 160
"""Pixels of the shorter side of the picture that the sky is looked for in."""

EDGE = 0.6
"""The strongest edge (Sobel's, of any colour) that runs through the sky."""

MOST = 0.6
"""The least share of a column, from the top to the end of the sky, that is plain sky."""

GREEN = 0.02
"""How much more green than red and blue the sky may be: leaves are greener."""


def half(size: Size, name: str) -> Tensor:
    """A half of a picture of (height, width): ``top``, ``bottom``, ``left`` or ``right``."""
    height, width = size
    down = (torch.arange(height) + 0.5) / height
    across = (torch.arange(width) + 0.5) / width
    position = down[:, None].expand(size) if name in ("top", "bottom") else across.expand(size)
    position = 1 - position if name in ("bottom", "right") else position
    return ((0.5 - position) / SOFTNESS + 0.5).clamp(0, 1)


def center(size: Size) -> Tensor:
    """An ellipse of half a picture's height and width, with a soft edge."""
    height, width = size
    down = (torch.arange(height) + 0.5) / height * 2 - 1
    across = (torch.arange(width) + 0.5) / width * 2 - 1
    radius = torch.hypot(down[:, None], across)
    return ((0.5 - radius) / SOFTNESS + 0.5).clamp(0, 1)


def sky(picture: Tensor) -> Tensor:
    """Find the sky by colour and position: what is not green, with no strong edge up to the top.

    Args:
        picture: (3, height, width), RGB, 0..1.

    Returns:
        (height, width), 0..1, with a soft edge.

    Raises:
        UsageError: there is no such part of a tenth of the picture.
    """
    scale = min(1.0, SIDE / min(picture.shape[1:]))
    small = functional.interpolate(
        picture.cpu()[None], scale_factor=scale, mode="bilinear", antialias=True
    )[0]
    colours = gaussian_blur(small, 1.0).numpy()
    edges = np.hypot(ndimage.sobel(colours, 1), ndimage.sobel(colours, 2)).max(0)
    red, green, blue = colours
    open_sky = (edges < EDGE) & (green < np.maximum(red, blue) + GREEN)
    parts, _ = ndimage.label(open_sky)
    above = np.unique(parts[: max(1, len(parts) // 10)])
    found = np.isin(parts, above[above > 0])
    # The moon, birds and clouds are in the sky, too: it ends where most above a place is none.
    share = np.cumsum(found, 0) / np.arange(1, len(found) + 1)[:, None]
    ends = found & (share >= MOST)
    rows = np.where(ends.any(0), len(found) - ends[::-1].argmax(0), 0)
    rows = ndimage.median_filter(rows, 9, mode="nearest")
    found = np.arange(len(found))[:, None] < rows
    if found.mean() < 0.1 or found[: len(found) // 4].mean() < 0.5:
        raise UsageError("no sky was found in the picture: paint a mask, or give --mask top")
    soft = gaussian_blur(torch.from_numpy(found).float()[None], 1.5)
    size = (picture.shape[1], picture.shape[2])
    return functional.interpolate(soft[None], size=size, mode="bilinear")[0, 0].clamp(0, 1)


NAMED = ("top", "bottom", "left", "right", "center", "sky")
"""The names of masks."""


def mask_name(text: str) -> str | None:
    """Read the name of a mask, in upper or lower case; None for what may be a picture's file.

    Raises:
        UsageError: the text is neither.
    """
    if text.lower() in NAMED and not Path(text).exists():
        return text.lower()
    if Path(text).exists() or Path(text).suffix:
        return None
    near = nearest(text, NAMED)
    raise UsageError(f"mask {text!r} is neither a picture nor {', '.join(NAMED)}{near}")


def named_mask(name: str, size: Size, base: Tensor | None = None) -> Tensor:
    """Make a mask by its name.

    Args:
        name: one of ``NAMED``.
        size: (height, width) of the picture, in pixels.
        base: the picture, (3, height, width), RGB, 0..1, which ``sky`` looks into.

    Returns:
        (height, width), 0..1.

    Raises:
        UsageError: ``sky`` is asked for without a picture, or there is none in it.
    """
    if name == "sky":
        if base is None:
            raise UsageError("a mask of the sky needs a picture to paint on")
        return sky(base)
    return center(size) if name == "center" else half(size, name)
