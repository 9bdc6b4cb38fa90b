"""Keep the contrast of a film: no wave grows louder than in the picture that the film begins with.

Every frame of a film is painted on the one before, so whatever a net likes piles up: without a
warp, the contrast of a hundred frames grows by half, and ends in specks. Here, waves of each length
are made quieter where they are louder than they were. (That amplitudes be kept to those of
photographs is MACO's idea: Fel et al., 2023.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lucid.core.canvas import COLOUR_CORRELATION, padded_size, reflect_margin
from lucid.imaging import Size

MARGIN = 16
"""Pixels of reflection around a picture, so that its borders make no waves."""

BANDS_PER_OCTAVE = 3

PHOTOGRAPHS = ((0.0269, 1.29), (0.0023, 1.90), (0.0033, 1.87))
"""Amplitude of a photograph's waves, of pixels in decorrelated colours: for each colour, the first
number times the wavelength in pixels to the power of the second, up to ``LONGEST``. Fitted to 1209
photographs of 144 pixels."""

LONGEST = 144

SHARE = 0.8
"""Of these root mean squares, which a few photographs of much contrast dominate."""


@dataclass(frozen=True)
class SpectrumLimit:
    """The loudest that waves of each length may be in a picture, computed on the CPU.

    Attributes:
        bands: (height, width // 2 + 1): the number of the band that each Fourier coefficient of a
            picture with its margin belongs to; the constant, which is never changed, has the last.
        amplitudes: (3, bands): the largest root mean square of a band, for each decorrelated
            colour.
        margin: pixels of reflection around the picture.
    """

    bands: Tensor
    amplitudes: Tensor
    margin: int

    @classmethod
    def of(
        cls, size: Size, factor: float, base: Tensor | None = None, *, wrap: bool = False
    ) -> SpectrumLimit:
        """Take the amplitudes of a base, or of photographs where those are larger.

        Args:
            size: (height, width) of the pictures to limit, in pixels.
            factor: how much louder waves may be, above 0.
            base: (3, height, width), RGB, 0..1, of that size; None for photographs alone.
            wrap: whether opposite borders of the pictures fit together.
        """
        margin = 0 if wrap else MARGIN
        height, width = padded_size(size, margin)
        frequencies = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width))
        wavelengths = 1 / frequencies.clamp(min=1 / max(height, width))
        bands = (BANDS_PER_OCTAVE * wavelengths.log2()).round().long()
        bands -= bands.min()
        bands[0, 0] = bands.max() + 1
        photographs = torch.stack(
            [scale * wavelengths.clamp(max=LONGEST) ** power for scale, power in PHOTOGRAPHS]
        )
        loudest = _by_band(SHARE * math.sqrt(height * width) * photographs, bands)
        if base is not None:
            loudest = torch.maximum(loudest, _by_band(_waves(base, margin), bands))
        return cls(bands, factor * loudest, margin)

    def __call__(self, image: Tensor) -> Tensor:
        """Make the waves of a picture, (3, height, width), RGB, 0..1, quieter that are too loud."""
        waves = _waves(image, self.margin)
        gains = (self.amplitudes / _by_band(waves, self.bands).clamp(min=1e-9)).clamp(max=1)
        gains[:, -1] = 1
        height, width = image.shape[1:]
        padded = torch.fft.irfft2(
            waves * gains[:, self.bands], s=padded_size((height, width), self.margin)
        )
        colours = padded[:, self.margin : self.margin + height, self.margin : self.margin + width]
        mixed = torch.einsum("cd,dhw->chw", COLOUR_CORRELATION.to(image), colours)
        return (mixed + 0.5).clamp(0, 1)


def _waves(image: Tensor, margin: int) -> Tensor:
    """The Fourier coefficients of a picture with its margin, in decorrelated colours."""
    inverse = torch.linalg.inv(COLOUR_CORRELATION).to(image)
    colours = torch.einsum("dc,chw->dhw", inverse, image - 0.5)
    return torch.fft.rfft2(reflect_margin(colours, margin))


def _by_band(waves: Tensor, bands: Tensor) -> Tensor:
    """The root mean square of each band, (3, bands), of coefficients or amplitudes."""
    count = int(bands[0, 0]) + 1
    numbers = torch.bincount(bands.flatten(), minlength=count).clamp(min=1)
    squares = torch.zeros(len(waves), count)
    squares.index_add_(1, bands.flatten(), waves.abs().square().flatten(1))
    return (squares / numbers).sqrt()
