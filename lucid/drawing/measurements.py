"""What a drawing has come to after a pass, in numbers: its objective, and what the net sees."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lucid.core.ascent import Ascent
from lucid.core.objectives import Channel, ClassLogits, Objective, Sum
from lucid.drawing.plan import Plan
from lucid.drawing.progress import Progress
from lucid.nets.net import LOGITS, Net
from lucid.tiling.octaves import resize


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.no_grad()
def measure(plan: Plan, progress: Progress) -> dict[str, float]:
    """Show the net the whole picture, at the size that the net was trained at.

    Args:
        plan: of the drawing.
        progress: of the drawing.

    Returns:
        ``objective``, the value of what is maximised, added up over the targets; and for each class
        among the targets, by its name, its probability, 0..1.
    """
    net, targets = plan.net, [target.objective for target in plan.targets]
    image = progress.canvas.image().detach()
    shown = resize(image, net.input_size, wrap=plan.wrap).clamp(0, 1)[None]
    layers = {layer for objective in targets for layer in objective.layers}
    activations = plan.ascent.forward(shown, layers)
    measured = {"objective": math.fsum(float(each.forward(activations).sum()) for each in targets)}
    if LOGITS in layers:
        probabilities = plan.ascent.workers[0].net.probabilities(shown)[0]
        for key in [key for objective in targets for key in _classes(objective)]:
            numbers = (key,) if isinstance(key, int) else key
            name = net.classes[numbers[0]]
            name += f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
            measured[name] = float(probabilities[list(numbers)].sum())
    return measured


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.no_grad()
def inactive(
    ascent: Ascent,
    net: Net,
    channels: Sequence[Channel],
    image: Tensor,
    *,
    wrap: bool = False,
) -> list[Channel]:
    """Which of some channels are active nowhere in a picture, (3, height, width), RGB, 0..1."""
    if not net.any_size:
        image = resize(image, net.input_size, wrap=wrap)
    shown = image.clamp(0, 1)[None].to(ascent.device)
    activations = ascent.forward(shown, {each.layer for each in channels})
    return [each for each in channels if not activations[each.layer][:, each.channel].any()]


def dead_channels(plan: Plan, progress: Progress) -> list[str]:
    """List the channels among the targets that are active nowhere in the picture.

    Args:
        plan: of the drawing.
        progress: of the drawing.

    Returns:
        Their names, ``LAYER:CHANNEL``. Some features are zero on nearly every picture.
    """
    channels = [
        target.objective for target in plan.targets if isinstance(target.objective, Channel)
    ]
    if not channels:
        return []
    image = progress.canvas.image().detach()
    found = inactive(plan.ascent, plan.net, channels, image, wrap=plan.wrap)
    return [f"{each.layer}:{each.channel}" for each in found]


def _classes(objective: Objective) -> list[int | tuple[int, ...]]:
    """The classes of an objective, or of the parts of a sum."""
    if isinstance(objective, ClassLogits):
        return list(objective.weights)
    if isinstance(objective, Sum):
        return [key for _, part in objective.parts for key in _classes(part)]
    return []
