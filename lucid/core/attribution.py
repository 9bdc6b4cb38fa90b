"""Where in a picture the evidence for a score lies."""

from __future__ import annotations

import torch
from torch import Tensor

from lucid.nets.net import LOGITS, Net

CANDIDATES = 4
"""How many of a net's last layers are tried."""


def attribution_layer(net: Net) -> str | None:
    """Find the last layer with features for each place that a net's logits are computed from.

    Args:
        net: a net with classes.

    Returns:
        The layer's name; None if none of the net's last layers is one.

    Raises:
        UsageError: the net has no classes.
    """
    net.require_classes()
    names = [name for name, _, shape in net.describe() if len(shape) == 3 and shape[-1] > 1]
    weights = next(net.parameters(), torch.empty(0))
    image = torch.zeros(1, 3, *net.input_size, device=weights.device, requires_grad=True)
    for name in reversed(names[-CANDIDATES:]):
        activations = net.activations(image, [name, LOGITS])
        score = activations[LOGITS].sum()
        if torch.autograd.grad(score, activations[name], allow_unused=True)[0] is not None:
            return name
    return None


def attribution_maps(features: Tensor, scores: Tensor) -> Tensor:
    """Compute where the evidence for scores lies.

    The value at a place is how much its features add to a score: the gradient of the score times
    the features, summed over the channels (Selvaraju et al., "Grad-CAM", 2017, without its average
    over places).

    Args:
        features: the output of a layer, (n, channels, rows, columns), such as of the one that
            ``attribution_layer`` finds.
        scores: such as logits of classes, (n, scores), computed from the features with autograd.

    Returns:
        (n, scores, rows, columns). The gradient counts as a constant, so that the maps are
        differentiable themselves.
    """
    maps = []
    for score in scores.unbind(1):
        (grad,) = torch.autograd.grad(score.sum(), features, retain_graph=True)
        maps.append((grad * features).sum(1))
    return torch.stack(maps, 1)
