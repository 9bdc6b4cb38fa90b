"""Padding beyond the border of an image: reflect or wrap."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def crop(image: Tensor, rows: range, columns: range, *, wrap: bool = False) -> Tensor:
    """Cut out a rectangle that may reach beyond the border of a (channels, height, width) image.

    Rows and columns are consecutive; 0 is the image's first. Beyond its border the image repeats
    if ``wrap`` is true, and is otherwise mirrored at its outermost pixels. A rectangle inside the
    image is a view; otherwise little more than the rectangle is copied, however large the image.
    """
    spans = [(rows, image.shape[1]), (columns, image.shape[2])]
    pads = [(max(0, -span.start), max(0, span.stop - length)) for span, length in spans]
    far = any(max(pad) >= length for pad, (_, length) in zip(pads, spans, strict=True))
    if wrap or far:
        return _index(image, rows, columns, wrap)
    sources = [_reflected_pixels(span, length) for span, length in spans]
    part = image[:, sources[0].start : sources[0].stop, sources[1].start : sources[1].stop]
    if any(map(any, pads)):
        part = F.pad(part, (*pads[1], *pads[0]), "reflect")
    top, left = (
        span.start - source.start + pad[0]
        for (span, _), source, pad in zip(spans, sources, pads, strict=True)
    )
    return part[:, top : top + len(rows), left : left + len(columns)]


def _reflected_pixels(span: range, length: int) -> range:
    """Find the part of an axis that a span shows, directly or mirrored at one of the ends."""
    first, last = max(0, span.start), min(length, span.stop)
    # A pixel mirrored at one end may lie beyond the other end of the span.
    if span.start < 0:
        last = max(last, 1 - span.start)
    if span.stop > length:
        first = min(first, 2 * length - 1 - span.stop)
    return range(first, last)


def _index(image: Tensor, rows: range, columns: range, wrap: bool) -> Tensor:
    """Copy a rectangle pixel by pixel: slower than F.pad, but padding may exceed the image."""
    outside = []
    for axis, span in ((1, rows), (2, columns)):
        if span.start >= 0 and span.stop <= image.shape[axis]:
            image = image.narrow(axis, span.start, len(span))
        else:
            outside.append((axis, span))
    for axis, span in outside:
        length = image.shape[axis]
        period = length if wrap else max(1, 2 * length - 2)
        positions = torch.arange(span.start, span.stop, device=image.device).remainder(period)
        if not wrap:
            positions = torch.minimum(positions, period - positions)
        image = image.index_select(axis, positions)
    return image
