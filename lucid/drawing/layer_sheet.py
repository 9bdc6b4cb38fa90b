"""One small deep dream per layer, to choose a layer by looking."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from PIL import Image
from torch import Tensor

from lucid.core.device import Runtime
from lucid.core.objectives import LayerL2
from lucid.drawing.config import ON_A_BASE
from lucid.drawing.loop import draw
from lucid.drawing.preset_files import read_preset
from lucid.errors import LucidError
from lucid.imaging import Size
from lucid.imaging.contact_sheet import contact_sheet
from lucid.nets.net import Net


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def layer_sheet(
    net: Net,
    picture: Image.Image | Tensor,
    *,
    size: Size = (128, 128),
    most: int = 64,
    runtime: Runtime | None = None,
    watch: Callable[[str], None] | None = None,
) -> Image.Image:
    """What each layer of a net makes of a picture: Google's DeepDream, small and short.

    Returns a contact sheet of at most ``most`` evenly spaced layers, with their names, each at
    ``size`` (height, width); calls ``watch`` with each name before its turn. Raises LucidError if
    no layer sees a picture of that size.
    """
    # Layers whose features see the whole picture have no dream of their own.
    spatial = [name for name, _, shape in net.describe() if len(shape) == 3 and shape[-1] > 1]
    chosen = spatial[:: max(1, math.ceil(len(spatial) / most))]
    config = replace(read_preset("deepdream", ON_A_BASE), octaves=2, lr=4 / 255)
    dreams, labels = [], []
    for name in chosen:
        if watch:
            watch(name)
        try:
            dreams.append(
                draw(net, LayerL2(name), picture, size=size, config=config, runtime=runtime)
            )
        except LucidError:  # the picture is too small to reach this layer
            continue
        labels.append(name)
    if not dreams:
        raise LucidError(f"{net.name} has no layer that sees a picture of {size[1]}x{size[0]}")
    return contact_sheet(dreams, labels=labels)
