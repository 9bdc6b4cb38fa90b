"""Contact sheets: many small images side by side in one image."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

GAP = 2
"""Pixels between neighbouring images."""

LABEL_HEIGHT = 12
"""Height of a line of text in pixels."""


def contact_sheet(
    images: Sequence[Image.Image], *, columns: int | None = None, labels: Sequence[str] = ()
) -> Image.Image:
    """Arrange images of one size in rows on a black sheet of mode ``RGB``.

    Args:
        images: one or more images.
        columns: images in a row; None for about as many as there are rows.
        labels: one line of text to print below each image, or none at all.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    width, height = images[0].size
    dx, dy = width + GAP, height + (LABEL_HEIGHT if labels else 0) + GAP
    rows = math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (columns * dx - GAP, rows * dy - GAP))
    canvas = ImageDraw.Draw(sheet)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        sheet.paste(image, (column * dx, row * dy))
        if labels:
            canvas.text((column * dx + 2, row * dy + height), labels[number], fill="white")
    return sheet
