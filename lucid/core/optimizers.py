"""How far a canvas moves along the way up: one rule for each program that dreams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from lucid.core.canvas import Canvas
from lucid.errors import UsageError
from lucid.imaging.filters import gaussian_blur, gaussian_radius


class Optimizer(Protocol):
    """How a canvas moves.

    Attributes:
        rate: how far.
    """

    rate: float

    def __call__(self, canvas: Canvas, slope: Tensor) -> None:
        """Move the canvas's parameter, given how the objective grows with it."""


class Adam:
    """Kingma and Ba's rule (2014): every parameter moves by about ``rate`` a step."""

    def __init__(self, canvas: Canvas, rate: float) -> None:
        self.rate = rate
        # Fused, it takes a quarter of the time.
        fused = canvas.parameter.device.type in ("cpu", "cuda")
        self.optimizer = torch.optim.Adam([canvas.parameter], lr=rate, maximize=True, fused=fused)

    def __call__(self, canvas: Canvas, slope: Tensor) -> None:
        # The fused step takes both as they lie in memory, so they must lie there alike.
        canvas.parameter.grad = torch.empty_like(canvas.parameter).copy_(slope)
        self.optimizer.param_groups[0]["lr"] = self.rate
        self.optimizer.step()


class DeepDreamStep:
    """The step of Google's deepdream and of deepdraw (2015), on pixels: so long that those
    that were looked at move by ``rate`` in the mean.

    Before, the gradient may be lifted towards its low frequencies, by adding blurred
    copies of it (as the later deepdreams do with a pyramid of Laplacians).
    """

    def __init__(self, rate: float, lift: Sequence[float] = ()) -> None:
        """
        Args:
            rate: in units of the picture's 0..1.
            lift: deviations, in pixels, of the Gaussians that the copies are blurred with.
        """
        self.rate, self.lift = rate, lift

    def __call__(self, canvas: Canvas, slope: Tensor) -> None:
        with torch.no_grad():
            way = self.lifted(slope)
            length = self.rate / self.mean(way.abs().sum(), slope.count_nonzero())
            canvas.parameter.add_(length * way).clamp_(0, 1)

    def lifted(self, slope: Tensor) -> Tensor:
        """The gradient, (channels, height, width), and its blurred copies, added up."""
        return sum((gaussian_blur(slope, sigma) for sigma in self.lift), slope)

    @property
    def reach(self) -> int:
        """How far the copies are blurred, in pixels."""
        return max((gaussian_radius(sigma) for sigma in self.lift), default=0)

    @staticmethod
    def mean(total: Tensor, count: Tensor) -> Tensor:
        """Of ``count`` values that add up to ``total``; never zero, ready to divide by."""
        return (total / count.clamp(min=1)).clamp(min=torch.finfo(total.dtype).tiny)


GREY_PULL = 0.1
"""How strongly Darknet draws a nightmare towards mid grey."""


class DarknetStep:
    """The step of Darknet's nightmare, on pixels.

    To the gradient is added a pull towards grey; the sum, normalised to mean 0
    and deviation 1, is taken ``rate`` times.
    """

    def __init__(self, rate: float, *, normalize: bool = True, grey: str | float = "auto") -> None:
        """
        Args:
            rate: the step's size, in units of the picture's 0..1.
            normalize: whether the step is normalised (Darknet's ``-norm``).
            grey: ``darknet`` adds 0.1 x (0.5 - image) to the raw gradient. A
                number X divides the gradient by its standard deviation first,
                then adds X x (0.5 - image). ``auto`` is Darknet's way unless
                its pull outweighs the gradient's own deviation, which would
                leave a grey rectangle; then it is 0.1.
        """
        if isinstance(grey, str) and grey not in ("auto", "darknet"):
            raise UsageError(f"grey={grey!r} is not auto, darknet or a number")
        if isinstance(grey, float) and not math.isfinite(grey):
            raise UsageError(f"grey={grey} must be a finite number")
        self.rate, self.normalize, self.grey = rate, normalize, grey

    def __call__(self, canvas: Canvas, slope: Tensor) -> None:
        with torch.no_grad():
            step = self._pulled(slope, 0.5 - canvas.parameter)
            if self.normalize:
                step = (step - step.mean()) / std(step[None])[0]
            canvas.parameter.add_(self.rate * step).clamp_(0, 1)

    def _pulled(self, slope: Tensor, pull: Tensor) -> Tensor:
        pull = pull * (GREY_PULL if isinstance(self.grey, str) else self.grey)
        if self.grey == "darknet":
            return slope + pull
        spread = std(slope[None])[0]
        # torch.where and no `if`: the decision stays on the device.
        force = pull.std(correction=0)
        small = force > spread if self.grey == "auto" else torch.ones_like(force, dtype=torch.bool)
        # Without any gradient there is nothing to paint, and nothing is greyed.
        pull = torch.where(slope.any(), pull, torch.zeros_like(pull))
        return torch.where(small, slope / spread, slope) + pull


class MomentumSGD:
    """The step of Darknet's reconstruction, on pixels.

    The gradient, normalised to mean 0 and deviation 1, is added to a velocity,
    and so is a pull of every pixel towards its neighbours; the picture moves by
    ``rate`` velocities (after ``reconstruct_picture`` in Darknet's nightmare.c,
    where the normalisation and the pull are commented out).
    """

    def __init__(self, rate: float, momentum: float, pull: float, reach: int) -> None:
        """
        Args:
            rate: in units of the picture's 0..1.
            momentum: how much of the velocity stays from step to step.
            pull: towards each neighbour (Darknet's ``-lambda``).
            reach: how far neighbours lie, in pixels (``-smooth``): all pixels of a
                square of 2 x reach + 1.
        """
        self.rate, self.momentum, self.pull, self.reach = rate, momentum, pull, reach
        self.velocity: Tensor | None = None

    def __call__(self, canvas: Canvas, slope: Tensor) -> None:
        image = canvas.parameter
        with torch.no_grad():
            if self.velocity is None:
                self.velocity = torch.zeros_like(image)
            self.velocity += (slope - slope.mean()) / std(slope[None])[0]
            side = 2 * self.reach + 1
            mean = F.avg_pool2d(image, side, 1, self.reach, count_include_pad=False)
            # At the picture's edges fewer neighbours pull.
            count = F.avg_pool2d(torch.ones_like(image), side, 1, self.reach) * side**2
            self.velocity += self.pull * count * (mean - image)
            canvas.parameter.add_(self.rate * self.velocity).clamp_(0, 1)
            self.velocity *= self.momentum


def rms(values: Tensor) -> Tensor:
    """The root mean square of each item of a batch, never zero, ready to divide by."""
    axes = tuple(range(1, values.ndim))
    length = torch.linalg.vector_norm(values, dim=axes, keepdim=True)
    return (length / math.sqrt(values[0].numel())).clamp(min=torch.finfo(values.dtype).tiny)


def std(values: Tensor) -> Tensor:
    """The standard deviation of each item of a batch, never zero, ready to divide by."""
    spread = values.std(tuple(range(1, values.ndim)), correction=0, keepdim=True)
    return spread.clamp(min=torch.finfo(values.dtype).tiny)
