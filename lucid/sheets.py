"""Many small pictures on one sheet, to choose from by looking."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from PIL import Image, ImageDraw
from torch import Tensor

from lucid.drawing import draw
from lucid.errors import LucidError
from lucid.images import Size
from lucid.manners import ON_A_BASE, read_manner
from lucid.nets import Net
from lucid.objectives import Energy

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


def layer_sheet(
    net: Net,
    picture: Image.Image | Tensor,
    *,
    size: Size = (128, 128),
    most: int = 64,
    device: str = "auto",
    precision: str = "auto",
    watch: Callable[[str], None] | None = None,
) -> Image.Image:
    """What each layer of a net makes of a picture: Google's deepdream, small and short.

    Args:
        net: any net that takes pictures of any size.
        picture: to dream on.
        size: (height, width) of each dream, in pixels.
        most: how many layers at most; of more, evenly chosen ones.
        device: see ``Ascent``.
        precision: see ``Ascent``.
        watch: called with each layer's name before its turn.

    Raises:
        LucidError: no layer can be looked at so.
    """
    # Layers that see the picture as a whole have no dream of their own.
    spatial = [name for name, _, shape in net.describe() if len(shape) == 3 and shape[-1] > 1]
    chosen = spatial[:: max(1, math.ceil(len(spatial) / most))]
    manner = replace(read_manner("deepdream", ON_A_BASE), octaves=2, rate=4 / 255)
    dreams, labels = [], []
    for name in chosen:
        if watch:
            watch(name)
        try:
            dream = draw(
                net,
                Energy(name),
                picture,
                size=size,
                manner=manner,
                device=device,
                precision=precision,
            )
        except LucidError:  # the picture is too small to reach it
            continue
        dreams.append(dream)
        labels.append(name)
    if not dreams:
        raise LucidError(f"{net.name} has no layer that sees a picture of {size[1]}x{size[0]}")
    return contact_sheet(dreams, labels=labels)
