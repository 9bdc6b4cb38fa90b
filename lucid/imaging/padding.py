"""What stands past a picture's edges: its mirror image, or its other side."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def crop(image: Tensor, rows: range, columns: range, *, wrap: bool = False) -> Tensor:
    """Cut rows and columns, in or out of the picture, from a (channels, height, width) image.

    Of a picture that may be larger than memory, little more is copied than is shown.

    Args:
        image: of any size.
        rows: which, without gaps.
        columns: likewise.
        wrap: whether past an edge stands the other side; otherwise, what lies before the
            edge, mirrored at the outermost pixel.
    """
    spans = [(rows, image.shape[1]), (columns, image.shape[2])]
    pads = [(max(0, -span.start), max(0, span.stop - length)) for span, length in spans]
    far = any(max(pad) >= length for pad, (_, length) in zip(pads, spans, strict=True))
    if wrap or far:
        return _gathered(image, rows, columns, wrap)
    cuts = [_reflection(span, length) for span, length in spans]
    part = image[:, cuts[0].start : cuts[0].stop, cuts[1].start : cuts[1].stop]
    if any(map(any, pads)):
        part = F.pad(part, (*pads[1], *pads[0]), "reflect")
    top, left = (
        span.start - cut.start + before
        for (span, _), cut, (before, _) in zip(spans, cuts, pads, strict=True)
    )
    return part[:, top : top + len(rows), left : left + len(columns)]


def _reflection(span: range, length: int) -> range:
    """Of ``length`` pixels, those that a span shows, with all between them."""
    first, last = max(0, span.start), min(length, span.stop)
    # What is mirrored at one end may lie before the other.
    if span.start < 0:
        last = max(last, 1 - span.start)
    if span.stop > length:
        first = min(first, 2 * length - 1 - span.stop)
    return range(first, last)


def _gathered(image: Tensor, rows: range, columns: range, wrap: bool) -> Tensor:
    """The window, pixel by pixel: slower, but any number of pictures far."""
    outside = []
    for axis, span in ((1, rows), (2, columns)):
        if span.start >= 0 and span.stop <= image.shape[axis]:
            image = image.narrow(axis, span.start, len(span))
        else:
            outside.append((axis, span))
    for axis, span in outside:
        positions = torch.arange(span.start, span.stop, device=image.device)
        fold = wrapped if wrap else reflected
        image = image.index_select(axis, fold(positions, image.shape[axis]))
    return image


def wrapped(positions: Tensor, length: int) -> Tensor:
    """Go on at the other side, as often as needed."""
    return positions.remainder(length)


def reflected(positions: Tensor, length: int) -> Tensor:
    """Mirror positions at the first and last pixel, as often as needed."""
    if length == 1:
        return torch.zeros_like(positions)
    folded = positions.remainder(2 * length - 2)
    return torch.minimum(folded, 2 * length - 2 - folded)
