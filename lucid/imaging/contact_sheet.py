"""Contact sheets: many small images side by side in one image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from PIL import Image, ImageDraw, ImageFont

GAP = 2
"""Pixels between neighbouring images."""

FONT_SIZE = 12
"""Height of a label's letters in pixels, where they fit."""

SMALLEST = 6
"""The least height of letters; longer labels are broken into lines."""


def contact_sheet(
    images: Sequence[Image.Image], *, columns: int | None = None, labels: Sequence[str] = ()
) -> Image.Image:
    """Arrange images of one size in rows on a black sheet of mode ``RGB``.

    Args:
        images: one or more images.
        columns: images in a row; None for about as many as there are rows.
        labels: a text to print below each image, or none at all. All have one size of letters, at
            which the longest fits below an image, in several lines if need be.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    width, height = images[0].size
    font, lines = _fit(labels, width - GAP)  # letters may reach beyond
    line_height = sum(font.getmetrics()) + 1
    dx, dy = width + GAP, height + line_height * max(map(len, lines), default=0) + GAP
    rows = math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (columns * dx - GAP, rows * dy - GAP))
    canvas = ImageDraw.Draw(sheet)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        sheet.paste(image, (column * dx, row * dy))
        for line, text in enumerate(lines[number] if lines else ()):
            place = (column * dx + 1, row * dy + height + line * line_height)
            canvas.text(place, text, fill="white", font=font)
    return sheet


def _fit(labels: Sequence[str], width: int) -> tuple[ImageFont.FreeTypeFont, list[list[str]]]:
    """Find the largest letters whose every word fits into a width, and break labels into lines."""
    words = [word for label in labels for word in label.split()]
    size = FONT_SIZE
    while size > SMALLEST and any(_font(size).getlength(word) > width for word in words):
        size -= 1
    font = _font(size)
    return font, [_break(label, font, width) for label in labels]


def _font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font, in a size in pixels."""
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))


def _break(label: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a label into lines of at most a width, between words and, if need be, within them."""
    lines = [""]
    for word in label.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        lines += [""] if lines[-1] else []
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines
