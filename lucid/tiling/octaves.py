"""The sizes of octaves, and what goes from one to the next, at a larger size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lucid.core.canvas import logit
from lucid.errors import UsageError
from lucid.imaging import Size

BACK_PROJECTIONS = 3
"""Rounds after which a drawing, shrunk, differs from the smaller one by about a grey level."""

MAX_OCTAVES = 1000
"""The most octaves of a drawing."""


def resize(image: Tensor, size: Size, *, wrap: bool = False) -> Tensor:
    """Resize an image, bicubic and antialiased.

    Args:
        image: (channels, height, width).
        size: the new height and width.
        wrap: whether opposite borders fit together, and are to fit together afterwards.

    Returns:
        (channels, *size); values may leave the range of the image's a little.
    """
    if tuple(image.shape[1:]) == size:
        return image
    if not wrap:
        return F.interpolate(image[None], size, mode="bicubic", antialias=True)[0]
    height, width = size
    copies = resize(image.repeat(1, 3, 3), (3 * height, 3 * width))
    return copies[:, height : 2 * height, width : 2 * width]


def start_image(
    size: Size,
    painted: Tensor | None,
    base: Tensor | None,
    *,
    wrap: bool = False,
    detail_space: str = "logits",
) -> Tensor | None:
    """The picture that an octave starts with.

    From noise that is the last octave's picture, enlarged. On a base it is the base plus what
    was painted on it so far: only the change is enlarged, so the base keeps its own detail (as
    in Google's DeepDream notebook, 2015).

    Args:
        size: height and width of the octave.
        painted: the picture that the last octave ended with, (3, height, width), 0..1.
        base: the picture to paint on, (3, height, width), 0..1, at any size.
        wrap: whether opposite borders are to fit together.
        detail_space: ``logits`` or ``pixels``, in which the change is taken.

    Returns:
        (3, *size), 0..1; None where there is neither a picture nor a base.
    """
    if base is None:
        return None if painted is None else resize(painted, size, wrap=wrap).clamp(0, 1)
    resized = resize(base, size, wrap=wrap).clamp(0, 1)
    if painted is None:
        return resized
    before = resize(base, (painted.shape[1], painted.shape[2]), wrap=wrap)
    change = resize(detail(painted, before, detail_space), size, wrap=wrap)
    return add_detail(resized, change, detail_space)


def back_project(image: Tensor, small: Tensor, *, wrap: bool = False) -> Tensor:
    """Correct an image so that it looks like a smaller one when it is shrunk.

    The difference between the two at the smaller size is enlarged and added (Irani and Peleg,
    "Improving Resolution by Image Registration", 1991).

    Args:
        image: (3, height, width), 0..1.
        small: the smaller picture, (3, *), 0..1.
        wrap: whether opposite borders fit together.

    Returns:
        (3, height, width), 0..1.
    """
    for _ in range(BACK_PROJECTIONS):
        shrunk = resize(image, (small.shape[1], small.shape[2]), wrap=wrap)
        gap = resize(small - shrunk, (image.shape[1], image.shape[2]), wrap=wrap)
        image = (image + gap).clamp(0, 1)
    return image


def detail(painted: Tensor, before: Tensor, detail_space: str) -> Tensor:
    """The change from one image to another, 0..1: of ``logits``, or of ``pixels`` as in DeepDream.

    Adding a change of logits cannot leave 0..1.
    """
    return painted - before if detail_space == "pixels" else logit(painted) - logit(before)


def add_detail(image: Tensor, change: Tensor, detail_space: str) -> Tensor:
    """An image, 0..1, plus a ``detail`` of its own size."""
    if detail_space == "pixels":
        return (image + change).clamp(0, 1)
    return torch.sigmoid(logit(image) + change)


def octave_sizes(size: Size, count: int | None, scale: float, smallest: int) -> list[Size]:
    """The sizes of octaves, each ``scale`` times as large as the one before.

    The last is ``size``. No octave's shorter side falls below ``smallest`` pixels (nor is enlarged
    to it): octaves that would stay at that size, so that their passes are not lost.

    Args:
        size: height and width of the last octave.
        count: how many octaves; None for as many as lead there from ``smallest``.
        scale: 1 or more.
        smallest: in pixels.

    Raises:
        UsageError: there are more than ``MAX_OCTAVES``.
    """
    if count is None and scale > 1:
        count = 1 + math.ceil(math.log(max(1.0, min(size) / smallest)) / math.log(scale))
    count = count or 1
    if count > MAX_OCTAVES:
        raise UsageError(
            f"{count} octaves are too many: give up to {MAX_OCTAVES}, and a larger octave scale"
        )
    least = min(1.0, smallest / min(size))
    sizes = []
    for index in range(count):
        factor = max(scale ** (index + 1 - count), least)
        sizes.append((max(1, round(size[0] * factor)), max(1, round(size[1] * factor))))
    return sizes


def sizes_from_scales(scales: Sequence[float], size: Size) -> list[Size]:
    """The sizes of octaves up to ``size``, each ``scale`` times as large as the one before."""
    shares = [1 / math.prod(scales[number + 1 :]) for number in range(len(scales))]
    return [(max(1, round(size[0] * share)), max(1, round(size[1] * share))) for share in shares]
