"""What stands past a picture's edges: its mirror image, or its other side."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def window(image: Tensor, rows: range, columns: range, *, wrap: bool = False) -> Tensor:
    """Cut rows and columns, in or out of the picture, from a (channels, height, width) image.

    Of a picture that may be larger than memory, no more is copied than is shown.

    Args:
        image: of any size.
        rows: which, without gaps.
        columns: likewise.
        wrap: whether past an edge stands the other side; otherwise, what lies before the
            edge, mirrored at the outermost pixel.
    """
    size = image.shape[1], image.shape[2]
    spans = list(zip((rows, columns), size, strict=True))
    pads = [(max(0, -span.start), max(0, span.stop - length)) for span, length in spans]
    if any(max(pad) > length - (not wrap) for pad, length in zip(pads, size, strict=True)):
        # Further out than F.pad can: past the mirror image's own edge.
        down, across = (_places(span, length, wrap).to(image.device) for span, length in spans)
        return image.index_select(1, down).index_select(2, across)
    cuts = [_needed(span, length, wrap) for span, length in spans]
    part = image[:, cuts[0].start : cuts[0].stop, cuts[1].start : cuts[1].stop]
    if any(map(any, pads)):
        part = F.pad(part, (*pads[1], *pads[0]), "circular" if wrap else "reflect")
    (top, left) = (
        span.start - cut.start + before
        for (span, _), cut, (before, _) in zip(spans, cuts, pads, strict=True)
    )
    return part[:, top : top + len(rows), left : left + len(columns)]


def _needed(span: range, length: int, wrap: bool) -> range:
    """The pixels, of ``length``, that a span shows, with all between them."""
    if wrap and (span.start < 0 or span.stop > length):
        return range(length)
    first, last = max(0, span.start), min(length, span.stop)
    # What is mirrored at one end may lie before the other.
    if span.start < 0:
        last = max(last, 1 - span.start)
    if span.stop > length:
        first = min(first, 2 * length - 1 - span.stop)
    return range(first, last)


def _places(span: range, length: int, wrap: bool) -> Tensor:
    positions = torch.arange(span.start, span.stop)
    return wrapped(positions, length) if wrap else reflected(positions, length)


def wrapped(positions: Tensor, length: int) -> Tensor:
    """Go on at the other side, as often as needed."""
    return positions.remainder(length)


def reflected(positions: Tensor, length: int) -> Tensor:
    """Mirror positions at the first and last pixel, as often as needed."""
    if length == 1:
        return torch.zeros_like(positions)
    folded = positions.remainder(2 * length - 2)
    return torch.minimum(folded, 2 * length - 2 - folded)
