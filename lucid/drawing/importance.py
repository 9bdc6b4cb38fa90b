"""How much each place of a picture matters to what was painted, as its opacity."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from lucid.core.ascent import View
from lucid.imaging import Size
from lucid.imaging.filters import gaussian_blur
from lucid.tiling.octaves import resize

LEAST, MOST = 0.2, 0.95
"""Shares of the places that are transparent, and that are opaque or less."""

SIGMA = 1 / 64
"""Standard deviation of a blur of the map, as a share of the picture's shorter side."""


@dataclass
class Importance:
    """The magnitudes of all gradients that a picture followed, added up place by place.

    From MACO (Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude
    Constrained Optimization", 2023; the library Horama), where the map is a picture's opacity.

    Attributes:
        size: (height, width) of the picture.
        total: (height, width), the sum so far.
    """

    size: Size
    total: Tensor | None = field(default=None, repr=False)

    def record(self, view: View) -> View:
        """A view whose gradients are added up."""
        return _RecordedView(view, self)

    def add(self, grad: Tensor) -> None:
        """Add the gradient of a picture of any size, (3, height, width)."""
        magnitude = resize(grad.detach().abs().mean(0, keepdim=True), self.size)[0].cpu()
        self.total = magnitude if self.total is None else self.total + magnitude

    def alpha(self) -> Tensor:
        """The opacity of each place, (height, width), 0..1; opaque if nothing was recorded."""
        if self.total is None:
            return torch.ones(self.size)
        smooth = gaussian_blur(self.total[None], SIGMA * min(self.size))[0]
        # A sample: torch finds quantiles of no more than 16 million numbers.
        some = smooth.flatten()[:: max(1, smooth.numel() // 1_000_000)]
        least, most = some.quantile(torch.tensor([LEAST, MOST])).tolist()
        return ((smooth - least) / max(most - least, 1e-12)).clamp(0, 1)


@dataclass(frozen=True)
class _RecordedView:
    view: View
    importance: Importance

    def gather(self, image: Tensor) -> Tensor:
        return self.view.gather(image)

    def scatter(self, values: Tensor) -> Tensor:
        grad = self.view.scatter(values)
        self.importance.add(grad)
        return grad
