"""Contact sheets: many small images side by side in one image."""

from __future__ import annotations

import functools
import itertools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from PIL import Image, ImageDraw, ImageFont

GAP = 2
"""Pixels between neighbouring images."""

FONT_SIZE = 12
"""Height of a label's letters in pixels, where they fit."""

SMALLEST = 6
"""The least height of letters; longer labels are broken into lines."""

UNKNOWN = "\uffff"
"""A character that no font has: what is drawn in its place is drawn for all that are missing."""

ALIKE = str.maketrans("‐‑‒–—−‘’‚“”„", "------'''\"\"\"")
"""Characters that are drawn as others, which the font has."""


@dataclass(frozen=True)
class Labels:
    """Texts below the images of a sheet, broken into lines.

    Attributes:
        font: whose letters all of them have.
        lines: of each text.
        rows: number of lines that there is room for.
        above: pixels between an image and its text.
    """

    font: ImageFont.FreeTypeFont
    lines: list[list[str]]
    rows: int
    above: int = 0

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        width: int,
        *,
        size: int = FONT_SIZE,
        most: int | None = None,
        above: int = 0,
    ) -> Labels:
        """Find the largest letters whose every word fits into a width, and break texts into lines.

        Args:
            texts: of any characters.
            width: in pixels.
            size: height of the letters in pixels, if they fit.
            most: lines of a text; of a longer one the end is left out. None for any number.
            above: pixels between an image and its text.
        """
        texts = [showable(text) for text in texts]
        words = {word for text in texts for word in text.split()}
        while size > SMALLEST and any(load_font(size).getlength(word) > width for word in words):
            size -= 1
        font = load_font(size)
        lines = [_shorten(_break(text, font, width), most, font, width) for text in texts]
        return cls(font, lines, max(map(len, lines), default=0), above)

    @property
    def height(self) -> int:
        """Pixels that a text and the space above it take."""
        return self.above + self.line_height * self.rows

    @property
    def line_height(self) -> int:
        """Pixels from line to line."""
        return sum(self.font.getmetrics()) + 1

    def part(self, start: int, stop: int) -> Labels:
        """Some of the texts, with as much room as all."""
        return replace(self, lines=self.lines[start:stop])


def contact_sheet(
    images: Sequence[Image.Image],
    *,
    columns: int | None = None,
    labels: Sequence[str] | Labels = (),
    gap: int = GAP,
    paper: str = "black",
    ink: str = "white",
) -> Image.Image:
    """Arrange images of one size in rows on a sheet of mode ``RGB``.

    Args:
        images: one or more images.
        columns: images in a row; None for about as many as there are rows.
        labels: a text to print below each image, or none at all. All have one size of letters, at
            which the longest fits below an image, in several lines if need be.
        gap: pixels between neighbouring images.
        paper: colour of the sheet.
        ink: colour of the labels.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    following = iter(images)  # which may be read when they are asked for: each once
    first = next(following)
    width, height = first.size
    if not isinstance(labels, Labels):
        labels = Labels.fit(labels, width - GAP)  # letters may reach beyond
    dx, dy = width + gap, height + labels.height + gap
    rows = math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (columns * dx - gap, rows * dy - gap), paper)
    canvas = ImageDraw.Draw(sheet)
    for number, image in enumerate(itertools.chain([first], following)):
        row, column = divmod(number, columns)
        sheet.paste(image, (column * dx, row * dy))
        for line, text in enumerate(labels.lines[number] if labels.lines else ()):
            top = row * dy + height + labels.above + line * labels.line_height
            place = (column * dx + 1, top)
            canvas.text(place, text, fill=ink, font=labels.font)
    return sheet


@functools.cache
def load_font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font, in a size in pixels."""
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))


def showable(text: str) -> str:
    """Replace what Pillow's own font cannot show: accents are left out, and others become "?".

    >>> showable("Café – 日本")
    'Cafe - ??'
    """
    plain = unicodedata.normalize("NFKD", text.translate(ALIKE))
    return "".join(
        char if char.isspace() or _in_font(char) else "?"
        for char in plain
        if not unicodedata.combining(char)
    )


@functools.lru_cache(maxsize=4096)
def _in_font(char: str) -> bool:
    font = load_font(FONT_SIZE)
    seen, missing = font.getmask(char), font.getmask(UNKNOWN)
    return (seen.size, bytes(seen)) != (missing.size, bytes(missing))


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


def _shorten(
    lines: list[str], most: int | None, font: ImageFont.FreeTypeFont, width: int
) -> list[str]:
    """The first lines, the last of which tells by three dots that there are more."""
    if most is None or len(lines) <= most:
        return lines
    last = lines[most - 1]
    while last and font.getlength(f"{last}...") > width:
        last = last[:-1]
    return [*lines[: most - 1], f"{last}..."]
