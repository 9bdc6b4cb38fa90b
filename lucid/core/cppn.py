"""A picture as a small network of its own, from the place of a pixel to its colour."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from lucid.core.canvas import Canvas
from lucid.errors import UsageError
from lucid.imaging import Size

HIDDEN, LAYERS = 24, 8
"""Channels of a hidden layer, and the number of all layers, as in tensorflow/lucid."""


class CPPNCanvas(Canvas):
    """A compositional pattern-producing network (Stanley, 2007), whose weights are optimized.

    Its pictures have no pixels: they are smooth, and can be rendered at any size (``render``).
    After Mordvintsev, Pezzotti, Schubert and Olah, "Differentiable Image Parameterizations",
    2018. The parameter holds the weights and biases of all layers, one after another.

    Attributes:
        size: height and width of the picture.
    """

    def __init__(self, parameter: Tensor, size: Size) -> None:
        """Take the weights of a network, for a picture of (height, width)."""
        self.size = size
        self.parameter = parameter.requires_grad_()

    @classmethod
    def noise(cls, size: Size, *, generator: Generator, device: torch.device) -> CPPNCanvas:
        """Start from random weights, drawn on the generator's own device: a grey picture."""
        weights = []
        for inputs, outputs in _shapes():
            deviation = math.sqrt(1 / inputs) if outputs != 3 else 0.0
            drawn = torch.randn(outputs, inputs, generator=generator) * deviation
            weights += [drawn.flatten(), torch.zeros(outputs)]
        return cls(torch.cat(weights).to(device), size)

    def image(self) -> Tensor:
        """The network's colours at every pixel."""
        return self.render(self.size)

    def render(self, size: Size) -> Tensor:
        """The picture at another size, (3, *size), RGB, 0..1; its whole is always shown."""
        axes = []
        for length, own in zip(size, self.size, strict=True):
            # A square is from -sqrt(3) to sqrt(3), of variance 1.
            half = math.sqrt(3) * own / min(self.size)
            axes.append(torch.linspace(-half, half, length, device=self.parameter.device))
        x = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
        start = 0
        for inputs, outputs in _shapes():
            matrix = self.parameter[start : start + inputs * outputs].view(outputs, inputs)
            start += inputs * outputs
            x = torch.addmm(self.parameter[start : start + outputs, None], matrix, x)
            start += outputs
            if outputs != 3:  # both odd and even functions, of about variance 1
                bent = torch.atan(x)
                x = torch.cat([bent / 0.67, bent.square() / 0.6])
        return torch.sigmoid(x).view(3, *size)

    def blur(self, sigma: float) -> None:
        """Raise a UsageError: there are no pixels."""
        raise UsageError("a CPPN has no pixels to blur: use the canvas fourier or pixels")


def _shapes() -> list[tuple[int, int]]:
    """The numbers of inputs and outputs of each layer."""
    hidden = [(2 * HIDDEN, HIDDEN)] * (LAYERS - 2)
    return [(2, HIDDEN), *hidden, (2 * HIDDEN, 3)]
