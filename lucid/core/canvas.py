"""What is climbed: the numbers behind a picture."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from scipy.fft import next_fast_len
from torch import Generator, Tensor

from lucid.errors import UsageError
from lucid.imaging import Size
from lucid.imaging.filters import gaussian_blur, luma
from lucid.imaging.padding import crop

# How the colours of ImageNet's photographs vary together: the square root of
# their covariance, scaled so that its longest column is 1. The figures are
# those of tensorflow/lucid (Olah, Mordvintsev, Schubert 2017).
_COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOUR_CORRELATION = _COLOURS / _COLOURS.norm(dim=0).max()

# The strength of a photograph's waves, of logits in decorrelated colours: a number for
# each colour times the wave length in pixels to a power. Fitted to 3200 photographs
# of Tiny ImageNet (the residual is a fifth).
PHOTOGRAPHS = torch.tensor([0.257, 0.170, 0.230])
PHOTOGRAPHS_DECAY = 1.1

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

    @abstractmethod
    def blur(self, sigma: float) -> None:
        """Soften what is painted with a Gaussian.

        Args:
            sigma: its deviation in pixels, above 0.
        """


class PixelCanvas(Canvas):
    """The pixels themselves. Whoever moves them keeps them within 0..1."""

    def __init__(self, image: Tensor) -> None:
        """Start from an image, (3, height, width), 0..1."""
        self.parameter = image.detach().clone().requires_grad_()

    @classmethod
    def noise(
        cls, size: Size, *, background: float, generator: Generator, device: torch.device
    ) -> PixelCanvas:
        """``grey_noise`` of a size, drawn on the generator's own device."""
        return cls(grey_noise(torch.empty(3, *size), background, generator).to(device))

    def image(self) -> Tensor:
        return self.parameter

    def blur(self, sigma: float) -> None:
        with torch.no_grad():
            self.parameter.copy_(gaussian_blur(self.parameter, sigma))


class FourierCanvas(Canvas):
    """The picture's Fourier coefficients, in decorrelated colours.

    A step of equal length for each coefficient, scaled by a power of its wave
    length, changes a picture the way photographs differ: broad shapes by much,
    fine noise by little (Olah, Mordvintsev and Schubert, "Feature
    Visualization", 2017).

    Waves that leave a picture at one edge come in at the other. A margin that is never
    shown lets its edges differ.
    """

    def __init__(self, spectrum: Tensor, size: Size, decay: float, margin: int = 0) -> None:
        """Take real and imaginary parts, (3, height, width // 2 + 1, 2), as they are.

        Args:
            spectrum: the coefficients, before they are scaled.
            size: height and width of the picture.
            decay: amplitudes fall with frequency to this power; photographs
                lie near 1, more makes broader shapes and stronger colours.
            margin: on every side, in pixels, at the least.
        """
        self.size, self.whole, self.margin = size, with_margin(size, margin), margin
        self.scale = _wave_lengths(self.whole, spectrum.device) ** decay * (
            math.sqrt(math.prod(self.whole)) / 4
        )
        self.colours = COLOUR_CORRELATION.to(spectrum.device)
        self.parameter = spectrum.requires_grad_()

    @classmethod
    def noise(
        cls,
        size: Size,
        *,
        decay: float,
        margin: int = 0,
        generator: Generator,
        device: torch.device,
    ) -> FourierCanvas:
        """A grey field of a size with a little noise, drawn on the generator's own device."""
        height, width = with_margin(size, margin)
        spectrum = 0.01 * torch.randn(3, height, width // 2 + 1, 2, generator=generator)
        return cls(spectrum.to(device), size, decay, margin)

    @classmethod
    def of(cls, image: Tensor, *, decay: float, margin: int = 0) -> FourierCanvas:
        """The canvas that shows an image, (3, height, width), 0..1."""
        spectrum = torch.view_as_real(torch.fft.rfft2(mirrored(_plain(image), margin)))
        canvas = cls(spectrum, (image.shape[1], image.shape[2]), decay, margin)
        with torch.no_grad():
            canvas.parameter /= canvas.scale[..., None]
        return canvas

    def image(self) -> Tensor:
        spectrum = torch.view_as_complex(self.parameter) * self.scale
        return _develop(spectrum, self.colours, self.whole, self.size, self.margin)

    def blur(self, sigma: float) -> None:
        frequency = _frequencies(self.whole, self.parameter.device)
        with torch.no_grad():
            self.parameter *= torch.exp(-2 * (math.pi * sigma * frequency) ** 2)[..., None]


class PhaseCanvas(Canvas):
    """The phases of the picture's waves alone; their strengths are those of photographs.

    So no wave can grow loud, and what is painted keeps the contrast and grain of a
    photograph (MACO: Fel et al., "Unlocking Feature Visualization for Deeper Networks with
    MAgnitude Constrained Optimization", 2023).
    """

    def __init__(self, phases: Tensor, size: Size, margin: int = 0) -> None:
        """Take phases, (3, height, width // 2 + 1), in radians; the rest is as in
        ``FourierCanvas``."""
        self.size, self.whole, self.margin = size, with_margin(size, margin), margin
        lengths = _wave_lengths(self.whole, phases.device)
        strengths = PHOTOGRAPHS.to(phases)[:, None, None]
        self.magnitude = strengths * lengths**PHOTOGRAPHS_DECAY * math.sqrt(math.prod(self.whole))
        self.magnitude[:, 0, 0] = 0  # mid grey on the whole
        self.colours = COLOUR_CORRELATION.to(phases.device)
        self.parameter = phases.requires_grad_()

    @classmethod
    def noise(
        cls, size: Size, *, margin: int = 0, generator: Generator, device: torch.device
    ) -> PhaseCanvas:
        """Phases at random: a cloud with the colours of photographs."""
        height, width = with_margin(size, margin)
        phases = 2 * math.pi * torch.rand(3, height, width // 2 + 1, generator=generator)
        return cls(phases.to(device), size, margin)

    @classmethod
    def of(cls, image: Tensor, *, margin: int = 0) -> PhaseCanvas:
        """The phases of an image, (3, height, width), 0..1: its shapes, not its contrast."""
        phases = torch.fft.rfft2(mirrored(_plain(image), margin)).angle()
        return cls(phases, (image.shape[1], image.shape[2]), margin)

    def image(self) -> Tensor:
        spectrum = torch.polar(self.magnitude, self.parameter)
        return _develop(spectrum, self.colours, self.whole, self.size, self.margin)

    def blur(self, sigma: float) -> None:
        raise UsageError("phases cannot be blurred: use the canvas fourier or pixels")


class LayeredCanvas(Canvas):
    """A canvas that shows through a mask, over a picture that stays."""

    def __init__(self, canvas: Canvas, below: Tensor, mask: Tensor) -> None:
        """
        Args:
            canvas: what is painted.
            below: (3, height, width), 0..1.
            mask: (height, width): 1 where the canvas shows, 0 where ``below`` does.
        """
        self.canvas, self.below, self.mask = canvas, below, mask
        self.parameter = canvas.parameter

    def image(self) -> Tensor:
        return self.below + self.mask * (self.canvas.image() - self.below)

    def blur(self, sigma: float) -> None:
        self.canvas.blur(sigma)


class TintedCanvas(Canvas):
    """A canvas of which only the brightness shows, in the colours of a picture."""

    def __init__(self, canvas: Canvas, colours: Tensor) -> None:
        """
        Args:
            canvas: what is painted.
            colours: (3, height, width), 0..1, the picture that lends them.
        """
        self.canvas, self.colours = canvas, colours
        self.parameter = canvas.parameter

    def image(self) -> Tensor:
        change = luma(self.canvas.image()) - luma(self.colours)
        return (self.colours + change).clamp(0, 1)

    def blur(self, sigma: float) -> None:
        self.canvas.blur(sigma)


def grey_noise(image: Tensor, background: float, generator: Generator) -> Tensor:
    """Fill an image with a grey, 0..1, that has a deviation of 8 of 255, as deepdraw starts."""
    return image.normal_(background, 8 / 255, generator=generator).clamp_(0, 1)


def _plain(image: Tensor) -> Tensor:
    """An image's logits, in decorrelated colours."""
    inverse = torch.linalg.inv(COLOUR_CORRELATION).to(image)
    return torch.einsum("dc,chw->dhw", inverse, logit(image))


def _develop(spectrum: Tensor, colours: Tensor, whole: Size, size: Size, margin: int) -> Tensor:
    """The image, without the margin, of a spectrum in colours that ``colours`` correlates."""
    plain = CropMargin.apply(torch.fft.irfft2(spectrum, s=whole), size, margin)
    return torch.sigmoid((colours @ plain.flatten(1)).view_as(plain))


class CropMargin(torch.autograd.Function):
    """Cuts a margin off. What would change the picture changes the margin as its mirror:
    were it left alone, waves that reach into it would hold the picture's edges back."""

    @staticmethod
    def forward(context: Any, whole: Tensor, size: Size, margin: int) -> Tensor:
        context.margin = margin
        return whole[:, margin : margin + size[0], margin : margin + size[1]]

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return mirrored(gradient, context.margin), None, None


def with_margin(size: Size, margin: int) -> Size:
    """A size with a margin on every side, and a little more behind it where that makes the
    lengths quick to transform: products of small factors."""
    if not margin:
        return size
    height, width = (next_fast_len(length + 2 * margin, real=True) for length in size)
    return height, width


def mirrored(image: Tensor, margin: int) -> Tensor:
    """A (channels, height, width) image with its mirror image around it: see ``with_margin``."""
    if not margin:
        return image
    height, width = with_margin((image.shape[1], image.shape[2]), margin)
    return crop(image, range(-margin, height - margin), range(-margin, width - margin))


def logit(image: Tensor) -> Tensor:
    """The inverse of the sigmoid, of an image whose ends are kept off 0 and 1."""
    return torch.logit(image.clamp(NEARLY, 1 - NEARLY))


def _frequencies(size: Size, device: torch.device) -> Tensor:
    """Of every coefficient of an rfft2, in waves a pixel."""
    height, width = size
    down = torch.fft.fftfreq(height, device=device)[:, None]
    return torch.hypot(down, torch.fft.rfftfreq(width, device=device))


def _wave_lengths(size: Size, device: torch.device) -> Tensor:
    """Of every coefficient of an rfft2, in pixels, none longer than the picture."""
    return 1 / _frequencies(size, device).clamp(min=1 / max(size))
