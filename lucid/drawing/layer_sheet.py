"""One small deep dream per layer, to choose a layer by looking."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from PIL import Image
from torch import Tensor

from lucid.core.objectives import LayerL2
from lucid.drawing.config import ON_A_BASE, read_preset
from lucid.drawing.loop import draw
from lucid.errors import LucidError
from lucid.imaging import Size
from lucid.imaging.contact_sheet import contact_sheet
from lucid.nets.net import Net


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
    manner = replace(read_preset("deepdream", ON_A_BASE), octaves=2, rate=4 / 255)
    dreams, labels = [], []
    for name in chosen:
        if watch:
            watch(name)
        try:
            dream = draw(
                net,
                LayerL2(name),
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
