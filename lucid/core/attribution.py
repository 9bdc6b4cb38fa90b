"""Where in an image a net sees its classes: class activation maps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from lucid.nets.net import LOGITS, Net

CANDIDATES = 4
"""How many of a net's last layers are tried."""

SHARPNESS = 3
"""How closely the positive part of the evidence, in standard deviations, is followed: smooth, so
that places with evidence against a class have a gradient too."""


def class_maps(features: Tensor, scores: Tensor) -> Tensor:
    """Compute where the evidence for classes lies.

    The value at a place is how much its features add to a score: the gradient of the score times
    the features, summed over the channels (Selvaraju et al., "Grad-CAM", 2017, without its average
    over places).

    Args:
        features: the output of a layer, (n, channels, rows, columns), such as of the one that
            ``attribution_layer`` finds.
        scores: logits of classes, (n, classes), computed from the features with autograd.

    Returns:
        (n, classes, rows, columns). The gradient counts as a constant, so that the maps are
        differentiable themselves.
    """
    maps = []
    for score in scores.unbind(1):
        (grad,) = torch.autograd.grad(score.sum(), features, retain_graph=True)
        maps.append((grad * features).sum(1))
    return torch.stack(maps, 1)


def overlap(maps: Tensor) -> Tensor:
    """How far classes are seen in the same places.

    Args:
        maps: (n, classes, rows, columns), on any scale; places below 0, which speak against a
            class, count little.

    Returns:
        (n,), from near 0 for classes in different places to 1 for equal maps: the sum over places
        of the geometric mean of the maps, each of which is made positive and to sum to 1. For two
        classes this is the Bhattacharyya coefficient.
    """
    places = maps.flatten(2)
    scale = places.detach().std(2, keepdim=True).clamp(min=1e-6)
    evidence = F.softplus(places / scale, beta=SHARPNESS)
    shares = evidence / evidence.sum(2, keepdim=True)
    return shares.log().mean(1).exp().sum(1)


def attribution_layer(net: Net) -> str | None:
    """Find the last layer with features for each place that a net's logits are computed from.

    Returns:
        The layer's name; None if none of the net's last layers is one.
    """
    net.require_classes()
    names = [name for name, _, shape in net.describe() if len(shape) == 3 and shape[-1] > 1]
    device = next(net.parameters()).device
    image = torch.zeros(1, 3, *net.input_size, device=device, requires_grad=True)
    for name in reversed(names[-CANDIDATES:]):
        activations = net.activations(image, [name, LOGITS])
        score = activations[LOGITS].sum()
        if torch.autograd.grad(score, activations[name], allow_unused=True)[0] is not None:
            return name
    return None
