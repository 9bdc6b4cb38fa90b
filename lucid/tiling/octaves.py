"""At what scales to climb: small first, so that shapes come before details."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lucid.core.canvas import logit
from lucid.imaging import Size


def sizes(size: Size, count: int, scale: float, smallest: int) -> list[Size]:
    """The sizes of the octaves, growing by ``scale`` and ending at ``size``.

    No octave's shorter side falls below ``smallest`` (nor is enlarged to it).
    Octaves that would, stay at that size, so that their steps are not lost.

    Args:
        size: height and width of the last octave.
        count: how many octaves.
        scale: what one octave is larger than the one before, 1 or more.
        smallest: pixels.
    """
    floor = min(1.0, smallest / min(size))
    factors = [max(scale ** (index + 1 - count), floor) for index in range(count)]
    return [(max(1, round(size[0] * f)), max(1, round(size[1] * f))) for f in factors]


def count(size: Size, scale: float, smallest: int) -> int:
    """How many octaves lead from ``smallest`` pixels up to ``size``."""
    if scale == 1:
        return 1
    return 1 + math.ceil(math.log(max(1.0, min(size) / smallest)) / math.log(scale))


def sizes_from_scales(scales: Sequence[float], size: Size) -> list[Size]:
    """The sizes of octaves that each say how much larger they are than the one before.

    Args:
        scales: the first one's is not looked at.
        size: height and width of the last octave.
    """
    shares = [1 / math.prod(scales[number + 1 :]) for number in range(len(scales))]
    return [(max(1, round(size[0] * share)), max(1, round(size[1] * share))) for share in shares]


def resize(image: Tensor, size: Size, *, wrap: bool = False) -> Tensor:
    """A (channels, height, width) image at another size, bicubic.

    With ``wrap`` the image is taken as one of a wall of its like, so that what
    fits together at its edges still does.
    """
    if tuple(image.shape[1:]) == size:
        return image
    if not wrap:
        return F.interpolate(image[None], size, mode="bicubic", antialias=True)[0]
    height, width = size
    wall = resize(image.repeat(1, 3, 3), (3 * height, 3 * width))
    return wall[:, height : 2 * height, width : 2 * width]


def start(
    size: Size,
    dream: Tensor | None,
    base: Tensor | None,
    *,
    wrap: bool = False,
    between: str = "logits",
) -> Tensor | None:
    """What an octave begins with, (3, *size), 0..1; None where there is nothing yet.

    From noise that is the last octave's dream, enlarged. On a photograph it is
    the photograph plus what was dreamt into it so far: only the change is
    enlarged, so the photograph keeps its own detail (as in Google's deepdream
    notebook).

    Args:
        size: of the octave.
        dream: what the last octave ended with.
        base: the photograph, at any size.
        wrap: whether the picture's edges are to fit together.
        between: what the change is taken between: ``logits``, where adding it cannot
            leave 0..1, or ``pixels``, as in the notebook.
    """
    if base is None:
        return None if dream is None else resize(dream, size, wrap=wrap).clamp(0, 1)
    photograph = resize(base, size, wrap=wrap).clamp(0, 1)
    if dream is None:
        return photograph
    before = resize(base, (dream.shape[1], dream.shape[2]), wrap=wrap)
    change = resize(detail(dream, before, between), size, wrap=wrap)
    return with_detail(photograph, change, between)


def detail(dream: Tensor, before: Tensor, between: str) -> Tensor:
    """What a dream changed in an image; ``between`` is as in ``start``."""
    return dream - before if between == "pixels" else logit(dream) - logit(before)


def with_detail(photograph: Tensor, change: Tensor, between: str) -> Tensor:
    """A photograph, changed by a ``detail`` of its own size."""
    if between == "pixels":
        return (photograph + change).clamp(0, 1)
    return torch.sigmoid(logit(photograph) + change)
