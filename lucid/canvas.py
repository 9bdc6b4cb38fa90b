"""What is climbed: the numbers behind a picture."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor

from lucid.images import Size

# How the colours of ImageNet's photographs vary together: the square root of
# their covariance, scaled so that its longest column is 1. The figures are
# those of tensorflow/lucid (Olah, Mordvintsev, Schubert 2017).
_COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOUR_CORRELATION = _COLOURS / _COLOURS.norm(dim=0).max()

NEARLY = 0.02
"""Black and white of a given picture are taken as this far from 0 and 1: a
sigmoid never gets there, and what is near its ends hardly moves."""


class Canvas(ABC):
    """A picture as numbers that can be climbed.

    Attributes:
        parameter: the numbers, a leaf tensor.
    """

    parameter: Tensor

    @abstractmethod
    def image(self) -> Tensor:
        """The picture, (3, height, width), RGB, 0..1, differentiable in ``parameter``."""


class PixelCanvas(Canvas):
    """The pixels themselves. Whoever moves them keeps them within 0..1."""

    def __init__(self, image: Tensor) -> None:
        """Start from an image, (3, height, width), 0..1."""
        self.parameter = image.detach().clone().requires_grad_()

    def image(self) -> Tensor:
        return self.parameter


class FourierCanvas(Canvas):
    """The picture's Fourier coefficients, in decorrelated colours.

    A step of equal length for each coefficient, scaled by a power of its wave
    length, changes a picture the way photographs differ: broad shapes by much,
    fine noise by little (Olah, Mordvintsev and Schubert, "Feature
    Visualization", 2017).
    """

    def __init__(self, spectrum: Tensor, size: Size, decay: float) -> None:
        """Take real and imaginary parts, (3, height, width // 2 + 1, 2), as they are.

        Args:
            spectrum: the coefficients, before they are scaled.
            size: the picture's height and width.
            decay: amplitudes fall with frequency to this power; photographs
                lie near 1, more makes broader shapes and stronger colours.
        """
        self.size = size
        self.scale = _wave_lengths(size, spectrum.device) ** decay * (
            math.sqrt(math.prod(size)) / 4
        )
        self.colours = COLOUR_CORRELATION.to(spectrum)
        self.parameter = spectrum.requires_grad_()

    @classmethod
    def noise(
        cls, size: Size, *, decay: float, generator: Generator, device: torch.device
    ) -> FourierCanvas:
        """A grey field with a little noise, drawn on the generator's own device."""
        height, width = size
        spectrum = 0.01 * torch.randn(3, height, width // 2 + 1, 2, generator=generator)
        return cls(spectrum.to(device), size, decay)

    @classmethod
    def of(cls, image: Tensor, *, decay: float) -> FourierCanvas:
        """The canvas that shows an image, (3, height, width), 0..1."""
        size = (image.shape[1], image.shape[2])
        plain = torch.einsum(
            "dc,chw->dhw", torch.linalg.inv(COLOUR_CORRELATION).to(image), logit(image)
        )
        canvas = cls(torch.view_as_real(torch.fft.rfft2(plain)), size, decay)
        with torch.no_grad():
            canvas.parameter /= canvas.scale[..., None]
        return canvas

    def image(self) -> Tensor:
        spectrum = torch.view_as_complex(self.parameter) * self.scale
        plain = torch.fft.irfft2(spectrum, s=self.size)
        return torch.sigmoid(torch.einsum("dc,chw->dhw", self.colours, plain))


def logit(image: Tensor) -> Tensor:
    """The inverse of the sigmoid, of an image whose ends are kept off 0 and 1."""
    return torch.logit(image.clamp(NEARLY, 1 - NEARLY))


def _wave_lengths(size: Size, device: torch.device) -> Tensor:
    """Of every coefficient of an rfft2, in pixels, none longer than the picture."""
    height, width = size
    down = torch.fft.fftfreq(height, device=device)[:, None]
    across = torch.fft.rfftfreq(width, device=device)
    return 1 / torch.hypot(down, across).clamp(min=1 / max(height, width))
