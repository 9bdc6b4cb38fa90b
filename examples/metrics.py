"""How well a picture hides how it was made: seams, edges, likeness to its base; how much a
film flickers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from scipy.ndimage import median_filter
from torch import Tensor

from lucid.films.optical_flow import Flow
from lucid.imaging import Size
from lucid.imaging.filters import gaussian_blur
from lucid.tiling.tiles import Tile

EDGE = 16
"""Pixels from the outside that count as the edge."""


class Borders:
    """How often a tile's border ran between two neighbouring pixels.

    Attributes:
        below: (height - 1, width): between a pixel and the one below it.
        beside: (height, width - 1): between a pixel and the one to its right.
    """

    def __init__(self, size: Size) -> None:
        """Of a picture of (height, width) pixels, where no tile has been yet."""
        height, width = size
        self.size = size
        self.below = torch.zeros(height - 1, width)
        self.beside = torch.zeros(height, width - 1)

    def add(self, tiles: Iterable[tuple[Tile, Size]], octave: Size) -> None:
        """Count a pass's tiles, given in pixels of an octave of (height, width)."""
        down, across = (whole / part for whole, part in zip(self.size, octave, strict=True))
        height, width = self.size
        for (top, left), (tall, wide) in tiles:
            first, last = round(top * down), round((top + tall) * down)
            start, stop = round(left * across), round((left + wide) * across)
            rows, columns = slice(max(0, first), max(0, last)), slice(max(0, start), max(0, stop))
            for row in (first, last):
                if 0 < row < height:
                    self.below[row - 1, columns] += 1
            for column in (start, stop):
                if 0 < column < width:
                    self.beside[rows, column - 1] += 1


def seam_ratio(change: Tensor, borders: Borders) -> float:
    """How much more neighbours differ where tiles met than anywhere: 1 is no more.

    The mean absolute difference of neighbouring pixels weighted by how often a border
    ran between them, over the unweighted mean.

    Args:
        change: (3, height, width), what was painted less what it was painted on.
        borders: of all tiles that were looked at; without any, the ratio is not a number.
    """
    below, beside = (change.diff(dim=axis).abs().mean(0).cpu() for axis in (1, 2))
    weighted = (below * borders.below).sum() + (beside * borders.beside).sum()
    weighted = weighted / (borders.below.sum() + borders.beside.sum())
    plain = (below.sum() + beside.sum()) / (below.numel() + beside.numel())
    return float(weighted / plain)


def worst_line(change: Tensor) -> float:
    """How much the roughest row or column of differences stands out: the largest ratio of
    its mean to the median of its 31 neighbours.

    Args:
        change: as in ``seam_ratio``; 32 pixels a side or more.
    """
    worst = 0.0
    for axis, other in ((1, 2), (2, 1)):
        profile = change.diff(dim=axis).abs().mean((0, other)).cpu().numpy()
        worst = max(worst, float(np.max(profile / median_filter(profile, 31, mode="nearest"))))
    return worst


def edge_ratio(change: Tensor) -> float:
    """How much more the outermost 16 pixels changed than the rest, in the mean.

    Args:
        change: as in ``seam_ratio``; more than 32 pixels a side.
    """
    size = change.abs().mean(0)
    inner = size[EDGE:-EDGE, EDGE:-EDGE]
    outer = (size.sum() - inner.sum()) / (size.numel() - inner.numel())
    return float(outer / inner.mean())


def ssim(image: Tensor, other: Tensor) -> float:
    """The structural similarity of two (3, height, width) images, 0..1: 1 for the same one
    (Wang, Bovik, Sheikh and Simoncelli, 2004, with their Gaussian window of 1.5 pixels).
    """

    def mean(values: Tensor) -> Tensor:
        return gaussian_blur(values, 1.5)

    here, there = mean(image), mean(other)
    spread = mean(image * image) - here * here
    other_spread = mean(other * other) - there * there
    together = mean(image * other) - here * there
    small, smaller = 0.01**2, 0.03**2
    likeness = (2 * here * there + small) * (2 * together + smaller)
    return float(
        (likeness / ((here**2 + there**2 + small) * (spread + other_spread + smaller))).mean()
    )


def flicker(frames: Sequence[Tensor], flows: Sequence[Flow]) -> float:
    """How much frames change that should only move: the mean absolute difference of each
    from the one before, moved to where things are now, where they are in view in both.

    Args:
        frames: two or more, (3, height, width), 0..1.
        flows: how things move from each to the next, one fewer.
    """
    changes = [
        ((after - flow.warp(before)).abs() * flow.valid).sum() / (3 * flow.valid.sum())
        for before, after, flow in zip(frames[:-1], frames[1:], flows, strict=True)
    ]
    return float(torch.stack(changes).mean())
