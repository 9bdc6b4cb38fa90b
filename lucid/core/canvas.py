"""Parameterizations of a picture: the numbers that gradient ascent changes."""

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

# How the colours of ImageNet's photographs vary together: the square root of their covariance,
# scaled so that its longest column is 1. The figures are those of tensorflow/lucid (Olah,
# Mordvintsev and Schubert, 2017).
_COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOUR_CORRELATION = _COLOURS / _COLOURS.norm(dim=0).max()

PHOTOGRAPH_AMPLITUDES = torch.tensor([0.257, 0.170, 0.230])
"""Amplitude of a photograph's Fourier coefficients, of logits in decorrelated colours: this
number for each colour, times the wavelength in pixels to the power below. Fitted to 3200
photographs of Tiny ImageNet (the residual is a fifth)."""

PHOTOGRAPH_DECAY_POWER = 1.1

BROAD_PARTS = 4
"""Shapes are broad if there is room for at most this many, side by side, in a picture."""

EPS = 0.02
"""Black and white of a given picture are taken as this far from 0 and 1: a sigmoid never gets
there, and what is near its ends hardly moves."""


class Canvas(ABC):
    """A picture as numbers that can be optimized.

    Attributes:
        parameter: the numbers, a leaf tensor.
    """

    parameter: Tensor

    @abstractmethod
    def image(self) -> Tensor:
        """Make the picture, (3, height, width), RGB, 0..1, differentiable in ``parameter``."""

    @abstractmethod
    def blur(self, sigma: float) -> None:
        """Blur what is painted with a Gaussian.

        Args:
            sigma: its standard deviation in pixels, above 0.
        """

    def clamp(self) -> None:  # noqa: B027, most canvases need nothing
        """Bring numbers back that make no picture, after a step."""

    def decay(self, factor: float) -> None:
        """Draw what is painted towards grey, by a factor of 0 to 1 (weight decay)."""
        with torch.no_grad():
            self.parameter.mul_(factor)


class PixelCanvas(Canvas):
    """The pixels themselves, within 0..1."""

    def __init__(self, image: Tensor) -> None:
        """Start from an image, (3, height, width), 0..1."""
        self.parameter = image.detach().clone().requires_grad_()

    @classmethod
    def noise(
        cls, size: Size, *, background: float, generator: Generator, device: torch.device
    ) -> PixelCanvas:
        """Start from ``grey_noise`` of (height, width), drawn on the generator's own device."""
        return cls(grey_noise(torch.empty(3, *size), background, generator).to(device))

    def image(self) -> Tensor:
        """The pixels."""
        return self.parameter

    def clamp(self) -> None:
        """Keep the pixels within 0..1."""
        with torch.no_grad():
            self.parameter.clamp_(0, 1)

    def decay(self, factor: float) -> None:
        """Draw the pixels towards mid grey."""
        with torch.no_grad():
            self.parameter.sub_(0.5).mul_(factor).add_(0.5)

    def blur(self, sigma: float) -> None:
        """Blur the pixels."""
        with torch.no_grad():
            self.parameter.copy_(gaussian_blur(self.parameter, sigma))


class SpectralCanvas(Canvas):
    """The base of canvases that hold a picture's two-dimensional Fourier transform.

    What is transformed are logits in decorrelated colours.

    Waves that leave a picture at one edge come in at the opposite one. A margin that is never
    shown lets opposite edges differ.

    Attributes:
        size: height and width of the picture.
        padded_size: height and width with the margin.
        margin: on every side, in pixels, at the least.
    """

    def __init__(self, parameter: Tensor, size: Size, margin: int) -> None:
        """Take a parameter, for a picture of (height, width) with a margin."""
        self.size, self.margin, self.padded_size = size, margin, padded_size(size, margin)
        self.colours = COLOUR_CORRELATION.to(parameter.device)
        self.parameter = parameter.requires_grad_()

    def _frequencies(self) -> Tensor:
        """The frequency of every coefficient of an rfft2, in cycles per pixel."""
        height, width = self.padded_size
        device = self.parameter.device
        vertical = torch.fft.fftfreq(height, device=device)[:, None]
        return torch.hypot(vertical, torch.fft.rfftfreq(width, device=device))

    def wavelengths(self) -> Tensor:
        """The wavelength of every coefficient, in pixels; none is longer than the picture."""
        return 1 / self._frequencies().clamp(min=1 / max(self.padded_size))

    def _to_rgb(self, spectrum: Tensor) -> Tensor:
        """The picture, without the margin, of a complex spectrum."""
        logits = CropMargin.apply(
            torch.fft.irfft2(spectrum, s=self.padded_size), self.size, self.margin
        )
        return torch.sigmoid((self.colours @ logits.flatten(1)).view_as(logits))


class FourierCanvas(SpectralCanvas):
    """The picture's Fourier coefficients, each scaled by a power of its wavelength.

    A step of equal length for each coefficient then changes a picture the way photographs
    differ: broad shapes by much, fine noise by little (Olah, Mordvintsev and Schubert, "Feature
    Visualization", 2017).
    """

    def __init__(self, spectrum: Tensor, size: Size, decay_power: float, margin: int = 0) -> None:
        """Take coefficients as they are.

        Args:
            spectrum: real and imaginary parts before scaling, (3, height, width // 2 + 1, 2),
                where height and width include the margin.
            size: height and width of the picture.
            decay_power: amplitudes fall with frequency to this power; photographs lie near 1,
                more makes broader shapes and stronger colours.
            margin: on every side, in pixels, at the least.
        """
        super().__init__(spectrum, size, margin)
        self.scale = self.wavelengths() ** decay_power * (
            math.sqrt(math.prod(self.padded_size)) / 4
        )

    @classmethod
    def noise(
        cls,
        size: Size,
        *,
        decay_power: float,
        margin: int = 0,
        variety: float = 0,
        generator: Generator,
        device: torch.device,
    ) -> FourierCanvas:
        """Start from a grey field with a little noise, drawn on the generator's own device.

        ``variety`` adds broad shapes of random colours, whose contrast is that of a photograph's
        broad shapes times this.
        """
        height, width = padded_size(size, margin)
        spectrum = 0.01 * torch.randn(3, height, width // 2 + 1, 2, generator=generator)
        canvas = cls(spectrum.to(device), size, decay_power, margin)
        if variety:
            shapes = torch.randn(spectrum.shape, generator=generator).to(device) / math.sqrt(2)
            shapes[:, 0, 0] /= 2  # the mean colour, which would leave no room for the rest
            wavelengths = canvas.wavelengths()
            # In units of the scale, which has a factor of 1 / 4.
            decay = 4 * wavelengths ** (PHOTOGRAPH_DECAY_POWER - decay_power)
            contrast = variety * PHOTOGRAPH_AMPLITUDES.to(device)[:, None, None] * decay
            broad = wavelengths > min(size) / BROAD_PARTS
            with torch.no_grad():
                canvas.parameter += (contrast * broad)[..., None] * shapes
        return canvas

    @classmethod
    def from_image(cls, image: Tensor, *, decay_power: float, margin: int = 0) -> FourierCanvas:
        """Start from an image, (3, height, width), 0..1."""
        logits = reflect_margin(_decorrelated_logits(image), margin)
        spectrum = torch.view_as_real(torch.fft.rfft2(logits))
        canvas = cls(spectrum, (image.shape[1], image.shape[2]), decay_power, margin)
        with torch.no_grad():
            canvas.parameter /= canvas.scale[..., None]
        return canvas

    def image(self) -> Tensor:
        """The inverse transform of the scaled coefficients."""
        return self._to_rgb(torch.view_as_complex(self.parameter) * self.scale)

    def blur(self, sigma: float) -> None:
        """Damp high frequencies."""
        with torch.no_grad():
            damping = torch.exp(-2 * (math.pi * sigma * self._frequencies()) ** 2)
            self.parameter *= damping[..., None]


class PhaseCanvas(SpectralCanvas):
    """The phases of the picture's Fourier coefficients; their amplitudes are those of photographs.

    So no wave can grow loud, and what is painted keeps the contrast and grain of a photograph
    (MACO: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude
    Constrained Optimization", 2023).
    """

    def __init__(self, phases: Tensor, size: Size, margin: int = 0) -> None:
        """Take phases as they are.

        Args:
            phases: (3, height, width // 2 + 1), in radians, where height and width include the
                margin.
            size: height and width of the picture.
            margin: on every side, in pixels, at the least.
        """
        super().__init__(phases, size, margin)
        amplitudes = PHOTOGRAPH_AMPLITUDES.to(phases)[:, None, None]
        self.magnitude = (
            amplitudes
            * self.wavelengths() ** PHOTOGRAPH_DECAY_POWER
            * math.sqrt(math.prod(self.padded_size))
        )
        self.magnitude[:, 0, 0] = 0  # mid grey on the whole

    @classmethod
    def noise(
        cls, size: Size, *, margin: int = 0, generator: Generator, device: torch.device
    ) -> PhaseCanvas:
        """Start from random phases: a cloud with the colours of photographs."""
        height, width = padded_size(size, margin)
        phases = 2 * math.pi * torch.rand(3, height, width // 2 + 1, generator=generator)
        return cls(phases.to(device), size, margin)

    @classmethod
    def from_image(cls, image: Tensor, *, margin: int = 0) -> PhaseCanvas:
        """Start from an image's phases: its shapes, but not its contrast.

        Args:
            image: (3, height, width), 0..1.
            margin: on every side, in pixels, at the least.
        """
        phases = torch.fft.rfft2(reflect_margin(_decorrelated_logits(image), margin)).angle()
        return cls(phases, (image.shape[1], image.shape[2]), margin)

    def image(self) -> Tensor:
        """The inverse transform of the phases with a photograph's amplitudes."""
        return self._to_rgb(torch.polar(self.magnitude, self.parameter))

    def blur(self, sigma: float) -> None:
        """Raise a UsageError: amplitudes are fixed."""
        raise UsageError("phases cannot be blurred: use the canvas fourier or pixels")

    def decay(self, factor: float) -> None:
        """Raise a UsageError: amplitudes are fixed."""
        raise UsageError("phases do not decay: use the canvas fourier or pixels")


class WrappingCanvas(Canvas):
    """A canvas that shows another one in its own way.

    Attributes:
        canvas: what is painted.
    """

    canvas: Canvas

    def blur(self, sigma: float) -> None:
        """Blur what is painted."""
        self.canvas.blur(sigma)

    def clamp(self) -> None:
        """Bring back what makes no picture."""
        self.canvas.clamp()

    def decay(self, factor: float) -> None:
        """Draw what is painted towards grey."""
        self.canvas.decay(factor)


class LayeredCanvas(WrappingCanvas):
    """A canvas that is shown through a mask, over a picture that does not change.

    Attributes:
        canvas: what is painted.
        background: (3, height, width), 0..1.
        mask: (height, width): 1 where the canvas is shown, 0 where the background is.
    """

    def __init__(self, canvas: Canvas, background: Tensor, mask: Tensor) -> None:
        self.canvas, self.background, self.mask = canvas, background, mask
        self.parameter = canvas.parameter

    def image(self) -> Tensor:
        """The canvas and the background, mixed by the mask."""
        return self.background + self.mask * (self.canvas.image() - self.background)


class TintedCanvas(WrappingCanvas):
    """A canvas whose brightness is shown in the colours of a picture, (3, height, width), 0..1."""

    def __init__(self, canvas: Canvas, colours: Tensor) -> None:
        self.canvas, self.colours = canvas, colours
        self.parameter = canvas.parameter

    def image(self) -> Tensor:
        """The picture that lends its colours, as bright as the canvas."""
        change = luma(self.canvas.image()) - luma(self.colours)
        return (self.colours + change).clamp(0, 1)


def grey_noise(image: Tensor, background: float, generator: Generator) -> Tensor:
    """Fill an image in place with grey noise, whose standard deviation is 8/255, as deepdraw does.

    Args:
        image: of any shape.
        background: the mean grey, 0..1.
        generator: of the random numbers.

    Returns:
        The image.
    """
    return image.normal_(background, 8 / 255, generator=generator).clamp_(0, 1)


def logit(image: Tensor) -> Tensor:
    """The inverse of the sigmoid, of an image whose ends are kept ``EPS`` from 0 and 1."""
    return torch.logit(image.clamp(EPS, 1 - EPS))


def _decorrelated_logits(image: Tensor) -> Tensor:
    """An image's logits, in decorrelated colours."""
    inverse = torch.linalg.inv(COLOUR_CORRELATION).to(image)
    return torch.einsum("dc,chw->dhw", inverse, logit(image))


class CropMargin(torch.autograd.Function):
    """Cuts a margin off.

    In the backward pass, the margin gets the reflection of the picture's gradient: without one,
    waves that reach into the margin would hold the edges back.
    """

    @staticmethod
    def forward(context: Any, padded: Tensor, size: Size, margin: int) -> Tensor:
        """Cut the margin off a (channels, height, width) image."""
        context.margin = margin
        return padded[:, margin : margin + size[0], margin : margin + size[1]]

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """Reflect the gradient into the margin."""
        return reflect_margin(grad, context.margin), None, None


def padded_size(size: Size, margin: int) -> Size:
    """A size with a margin on every side.

    The far sides have a few pixels more where that makes the lengths quick to transform: products
    of small factors.
    """
    if not margin:
        return size
    return (
        next_fast_len(size[0] + 2 * margin, real=True),
        next_fast_len(size[1] + 2 * margin, real=True),
    )


def reflect_margin(image: Tensor, margin: int) -> Tensor:
    """A (channels, height, width) image at its ``padded_size``, with its reflection around it."""
    if not margin:
        return image
    height, width = padded_size((image.shape[1], image.shape[2]), margin)
    return crop(image, range(-margin, height - margin), range(-margin, width - margin))
