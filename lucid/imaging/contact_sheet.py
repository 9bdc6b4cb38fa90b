"""Many small pictures on one sheet, to choose from by looking."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

GAP = 2
"""Pixels between the pictures of a sheet."""

LABEL = 12
"""Pixels, the height of a line of text."""


def contact_sheet(
    pictures: Sequence[Image.Image], *, columns: int | None = None, labels: Sequence[str] = ()
) -> Image.Image:
    """Pictures of one size on one sheet, row by row.

    Args:
        pictures: at least one.
        columns: without it, what makes the sheet about square.
        labels: a line of text to stand under each.
    """
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    width, height = pictures[0].size
    line = LABEL if labels else 0
    across, down = width + GAP, height + line + GAP
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * across - GAP, rows * down - GAP))
    pen = ImageDraw.Draw(sheet)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        sheet.paste(picture, (column * across, row * down))
        if labels:
            pen.text((column * across + 2, row * down + height), labels[number], fill="white")
    return sheet
