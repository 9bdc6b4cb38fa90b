"""Where the channels of a layer's output lie: convolutions put them first, transformers last."""

from __future__ import annotations

import math
from typing import NamedTuple

from lucid.imaging import Size

EXTRA_TOKENS = (0, 1, 2, 5)
"""How many tokens may stand for no place: the class's, a teacher's, and registers."""


class Grid(NamedTuple):
    """Tokens that stand for places of the image, row by row, behind some that do not."""

    extra: int
    rows: int
    columns: int

    def token(self, x: float, y: float) -> int:
        """The token at a place, given as fractions of the image's width and height, 0 to 1."""
        row = min(int(y * self.rows), self.rows - 1)
        return self.extra + row * self.columns + min(int(x * self.columns), self.columns - 1)


def token_grid(count: int, image: Size = (1, 1)) -> Grid | None:
    """How so many tokens of an image of (height, width) may lie; None if they are no tokens."""
    for extra in EXTRA_TOKENS:
        if count <= extra:
            break
        rows = math.sqrt((count - extra) * image[0] / image[1])
        columns = (count - extra) / rows
        if rows.is_integer() and columns.is_integer():
            return Grid(extra, int(rows), int(columns))
    return None


def has_channels_last(shape: tuple[int, ...], image: Size) -> bool:
    """Tell whether an output is (height, width, channels) or (windows, tokens, channels), or such.

    Args:
        shape: of the output for one image, without the batch.
        image: height and width of the image; the places of the output have the same ratio.
    """
    if len(shape) == 3:
        if _same_ratio(shape[1:], image):
            return False
        windows = all(grid and not grid.extra for grid in (token_grid(n, image) for n in shape[:2]))
        return windows or _same_ratio(shape[:2], image)
    if len(shape) == 2:
        return token_grid(shape[0], image) is not None or token_grid(shape[1], image) is None
    return False


def _same_ratio(places: tuple[int, ...], image: Size) -> bool:
    return places[0] * image[1] == places[1] * image[0]
