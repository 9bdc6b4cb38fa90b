"""Rectifiers that let a gradient through while nothing is active behind them.

A feature that is not active anywhere has no gradient, so that ascent would never begin. Here, a
rectifier passes the gradient that would make its negative inputs larger, if its true gradient is
zero for a whole image (``redirected_relu_grad`` of tensorflow/lucid, 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from lucid.core.replaced_functions import ReplacedFunctions

RECTIFIERS: dict[Callable[..., Tensor], float] = {
    F.relu: torch.inf,
    F.relu_: torch.inf,
    torch.relu: torch.inf,
    torch.relu_: torch.inf,
    Tensor.relu: torch.inf,
    Tensor.relu_: torch.inf,
    F.relu6: 6.0,
}
"""The rectifiers of torch, and the largest value of each."""


class _Rectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, most: float) -> Tensor:
        ctx.save_for_backward(features)
        ctx.most = most
        return features.clamp(0, most)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (features,) = ctx.saved_tensors
        (grad,) = grads
        true = grad.where((features > 0) & (features < ctx.most), 0)
        # Not further below zero, nor above the largest value.
        useful = ((features < ctx.most) & (grad > 0)) | ((features > 0) & (grad < 0))
        redirected = grad.where(useful, 0)
        # As a tensor: a GPU would have to be waited for to decide here.
        nothing = true.flatten(1).abs().amax(1) == 0
        return redirected.where(nothing.view(-1, *[1] * (grad.ndim - 1)), true), None


def _redirected(most: float) -> Callable[..., Tensor]:
    def rectify(features: Tensor, *_arguments: object, **_options: object) -> Tensor:
        rectified: Tensor = _Rectify.apply(features, most)
        return rectified

    return rectify


class RedirectedReLU(ReplacedFunctions):
    """A context in which every rectifier of torch is redirected."""

    replacements: ClassVar[Mapping[Callable[..., Any], Callable[..., Any]]] = {
        rectifier: _redirected(most) for rectifier, most in RECTIFIERS.items()
    }
