"""Image metrics for the example programs: seams, changes at the border, similarity, flicker."""

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

BORDER = 16
"""Width in pixels of the image border that ``edge_ratio`` measures."""


class TileEdges:
    """How many tile edges ran between each two neighbouring pixels of an image.

    Attributes:
        size: height and width of the image in pixels.
        rows: (height - 1, width), edges between a pixel and the pixel below.
        columns: (height, width - 1), edges between a pixel and the pixel to its right.
    """

    def __init__(self, size: Size) -> None:
        height, width = size
        self.size = size
        self.rows = torch.zeros(height - 1, width)
        self.columns = torch.zeros(height, width - 1)

    def add(self, tiles: Iterable[tuple[Tile, Size]], octave: Size) -> None:
        """Count the edges of the tiles of a pass.

        Args:
            tiles: the top left corner, and the height and width of each tile, in pixels of the
                octave.
            octave: height and width of the octave in pixels.
        """
        height, width = self.size
        scale_y, scale_x = height / octave[0], width / octave[1]
        for (tile_top, tile_left), (tile_height, tile_width) in tiles:
            top, bottom = round(tile_top * scale_y), round((tile_top + tile_height) * scale_y)
            left, right = round(tile_left * scale_x), round((tile_left + tile_width) * scale_x)
            for row in (top, bottom):
                if 0 < row < height:
                    self.rows[row - 1, max(0, left) : max(0, right)] += 1
            for column in (left, right):
                if 0 < column < width:
                    self.columns[max(0, top) : max(0, bottom), column - 1] += 1


def seam_ratio(change: Tensor, edges: TileEdges) -> float:
    """Compare differences of neighbouring pixels at tile edges with those everywhere.

    Args:
        change: (3, height, width), the painted image minus the image that was painted on.
        edges: the edges of all tiles.

    Returns:
        The mean absolute difference weighted by the number of tile edges, over the unweighted
        mean: 1 if seams are invisible, NaN without any edge.
    """
    rows, columns = (change.diff(dim=axis).abs().mean(0).cpu() for axis in (1, 2))
    at_edges = (rows * edges.rows).sum() + (columns * edges.columns).sum()
    at_edges = at_edges / (edges.rows.sum() + edges.columns.sum())
    everywhere = (rows.sum() + columns.sum()) / (rows.numel() + columns.numel())
    return float(at_edges / everywhere)


def worst_line(change: Tensor) -> float:
    """Find the row or column whose pixels differ most from those of the next one.

    Args:
        change: as for ``seam_ratio``; at least 32 pixels high and wide.

    Returns:
        The largest ratio of a line's mean absolute difference to the median of 31 lines.
    """
    worst = 0.0
    for axis, other in ((1, 2), (2, 1)):
        profile = change.diff(dim=axis).abs().mean((0, other)).cpu().numpy()
        worst = max(worst, float(np.max(profile / median_filter(profile, 31, mode="nearest"))))
    return worst


def edge_ratio(change: Tensor) -> float:
    """Compare the change in the outermost 16 pixels with the change in the rest of the image.

    Args:
        change: as for ``seam_ratio``; more than 32 pixels high and wide.

    Returns:
        The ratio of the mean absolute changes.
    """
    amount = change.abs().mean(0)
    inner = amount[BORDER:-BORDER, BORDER:-BORDER]
    outer = (amount.sum() - inner.sum()) / (amount.numel() - inner.numel())
    return float(outer / inner.mean())


def ssim(image: Tensor, other: Tensor) -> float:
    """Compute the structural similarity of two images.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", 2004, with their Gaussian window of 1.5 pixels.

    Args:
        image: (3, height, width), 0..1.
        other: an image of the same shape.

    Returns:
        The mean over all pixels and channels: 1 for equal images.
    """
    mean, other_mean = gaussian_blur(image, 1.5), gaussian_blur(other, 1.5)
    variance = gaussian_blur(image * image, 1.5) - mean * mean
    other_variance = gaussian_blur(other * other, 1.5) - other_mean * other_mean
    covariance = gaussian_blur(image * other, 1.5) - mean * other_mean
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean * other_mean + c1) * (2 * covariance + c2)
    similarity /= (mean**2 + other_mean**2 + c1) * (variance + other_variance + c2)
    return float(similarity.mean())


def flicker(frames: Sequence[Tensor], flows: Sequence[Flow]) -> float:
    """Compute how much the frames of a film change apart from motion.

    Args:
        frames: two or more images, (3, height, width), 0..1.
        flows: the motion from each frame to the next; one fewer than frames.

    Returns:
        The mean absolute difference between each frame and the previous frame, warped by the
        motion, in the pixels that both show.
    """
    changes = [
        ((after - flow.warp(before)).abs() * flow.valid).sum() / (3 * flow.valid.sum())
        for before, after, flow in zip(frames[:-1], frames[1:], flows, strict=True)
    ]
    return float(torch.stack(changes).mean())
