"""How a canvas moves along its gradient: one optimizer for each program that dreams."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor

from lucid.core.canvas import Canvas
from lucid.errors import LARGEST, UsageError
from lucid.imaging.filters import gaussian_blur, gaussian_radius


class Optimizer(Protocol):
    """Updates a canvas.

    Attributes:
        lr: the step size.
    """

    lr: float

    def step(self, canvas: Canvas, grad: Tensor) -> None:
        """Move the parameter of a canvas.

        Args:
            canvas: what is optimized.
            grad: the gradient of the objective, of the parameter's shape; it points uphill.
        """


@dataclass
class Adam:
    """Adam (Kingma and Ba, 2014): every parameter moves by about ``lr`` a step.

    One of these belongs to one canvas, whose moments it keeps.

    Attributes:
        lr: the step size.
    """

    lr: float
    _adam: torch.optim.Adam | None = field(default=None, init=False, repr=False)

    def step(self, canvas: Canvas, grad: Tensor) -> None:
        """Move the parameter uphill."""
        if self._adam is None:
            fused = canvas.parameter.device.type in ("cpu", "cuda")  # takes a quarter of the time
            self._adam = torch.optim.Adam([canvas.parameter], maximize=True, fused=fused)
        # The fused step reads both tensors in memory order, so their layouts must be alike.
        canvas.parameter.grad = torch.empty_like(canvas.parameter).copy_(grad)
        self._adam.param_groups[0]["lr"] = self.lr
        self._adam.step()


TorchOptimizerFactory = Callable[..., torch.optim.Optimizer]
"""A class of ``torch.optim``, or a partial of one: from parameters and ``lr`` to an optimizer."""


def is_torch_optimizer(factory: object) -> TypeGuard[TorchOptimizerFactory]:
    """Tell whether something makes optimizers of torch's: a class, or ``functools.partial``."""
    kind = factory.func if isinstance(factory, functools.partial) else factory
    return isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)


@dataclass
class TorchOptimizer:
    """The step of any optimizer of ``torch.optim``.

    L-BFGS takes one step at a time and no line search, since each step is shown something else.
    One of these belongs to one canvas, whose state it keeps.

    Attributes:
        lr: the step size.
        make: makes torch's optimizer.
    """

    lr: float
    make: TorchOptimizerFactory
    _made: torch.optim.Optimizer | None = field(default=None, init=False, repr=False)

    def step(self, canvas: Canvas, grad: Tensor) -> None:
        """Move the parameter uphill."""
        if self._made is None:
            own = self.make.func if isinstance(self.make, functools.partial) else self.make
            more = {"max_iter": 1} if own is torch.optim.LBFGS else {}
            self._made = self.make([canvas.parameter], lr=self.lr, **more)
        canvas.parameter.grad = torch.empty_like(canvas.parameter).copy_(-grad)
        for group in self._made.param_groups:
            group["lr"] = self.lr
        self._made.step(lambda: 0.0)  # whose value nothing reads that takes one step at a time
        canvas.clamp()


@dataclass
class DeepDreamStep:
    """The step of Google's DeepDream and of deepdraw (2015), on pixels.

    The step's length makes the pixels that have a gradient move by ``lr`` in the mean.

    Attributes:
        lr: in units of the picture's 0..1.
        blur_sigmas: standard deviations, in pixels, of Gaussians: copies of the gradient blurred
            with each are added to it first, which strengthens its low frequencies (as the later
            deepdreams do with a Laplacian pyramid).
    """

    lr: float
    blur_sigmas: Sequence[float] = ()

    def step(self, canvas: Canvas, grad: Tensor) -> None:
        """Move the pixels uphill, within 0..1."""
        with torch.no_grad():
            direction = self.with_blurred_copies(grad)
            length = self.lr / self.safe_mean(direction.abs().sum(), grad.count_nonzero())
            canvas.parameter.add_(length * direction).clamp_(0, 1)

    def with_blurred_copies(self, grad: Tensor) -> Tensor:
        """The gradient, (channels, height, width), plus its blurred copies."""
        return sum((gaussian_blur(grad, sigma) for sigma in self.blur_sigmas), grad)

    @property
    def radius(self) -> int:
        """How far blurring spreads a gradient, in pixels."""
        return max((gaussian_radius(sigma) for sigma in self.blur_sigmas), default=0)

    @staticmethod
    def safe_mean(total: Tensor, count: Tensor) -> Tensor:
        """The mean of ``count`` values that sum to ``total``; never zero, to divide by."""
        return (total / count.clamp(min=1)).clamp(min=torch.finfo(total.dtype).tiny)


GREY_PULL = 0.1
"""How strongly Darknet pulls a nightmare towards mid grey."""


class DarknetStep:
    """The step of Darknet's nightmare, on pixels.

    The gradient plus a pull towards grey, normalised to mean 0 and standard deviation 1, times
    ``lr``.
    """

    def __init__(self, lr: float, *, normalize: bool = True, grey: str | float = "auto") -> None:
        """Set the step up.

        Args:
            lr: the step size, in units of the picture's 0..1 (Darknet's ``-rate``).
            normalize: whether the step is normalised (Darknet's ``-norm``).
            grey: ``darknet`` adds 0.1 x (0.5 - image) to the raw gradient. A number X divides
                the gradient by its standard deviation first, then adds X x (0.5 - image).
                ``auto`` is Darknet's way unless its pull has a larger standard deviation than
                the gradient, which would leave a grey rectangle; then it is 0.1.

        Raises:
            UsageError: ``grey`` is none of these.
        """
        if isinstance(grey, str) and grey not in ("auto", "darknet"):
            raise UsageError(f"grey={grey!r} is not auto, darknet or a number")
        if not isinstance(grey, str) and not abs(grey) <= LARGEST:
            raise UsageError(f"grey={grey} must be from {-LARGEST:.0f} to {LARGEST:.0f}")
        self.lr, self.normalize, self.grey = lr, normalize, grey

    def step(self, canvas: Canvas, grad: Tensor) -> None:
        """Move the pixels uphill, within 0..1."""
        with torch.no_grad():
            step = self._with_pull(grad, 0.5 - canvas.parameter)
            if self.normalize:
                step = (step - step.mean()) / std(step[None])[0]
            canvas.parameter.add_(self.lr * step).clamp_(0, 1)

    def _with_pull(self, grad: Tensor, pull: Tensor) -> Tensor:
        pull = pull * (GREY_PULL if isinstance(self.grey, str) else self.grey)
        if self.grey == "darknet":
            return grad + pull
        spread = std(grad[None])[0]
        # torch.where and no `if`: the decision stays on the device.
        force = pull.std(correction=0)
        small = force > spread if self.grey == "auto" else torch.ones_like(force, dtype=torch.bool)
        # Without any gradient there is nothing to paint, and nothing turns grey.
        pull = torch.where(grad.any(), pull, torch.zeros_like(pull))
        return torch.where(small, grad / spread, grad) + pull


class MomentumSGD:
    """The step of Darknet's reconstruction, on pixels.

    Gradient ascent with momentum and a pull of every pixel towards its neighbours. The gradient is
    normalised to mean 0 and standard deviation 1 (after ``reconstruct_picture`` in Darknet's
    nightmare.c, where the normalisation and the pull are commented out).
    """

    def __init__(self, lr: float, momentum: float, smoothing: float, radius: int) -> None:
        """Set the step up.

        Args:
            lr: the step size, in units of the picture's 0..1.
            momentum: how much of the velocity is kept from step to step, 0 to under 1.
            smoothing: the pull towards each neighbour (Darknet's ``-lambda``).
            radius: how far neighbours lie, in pixels (``-smooth``): all pixels of a square of
                2 x radius + 1.
        """
        self.lr, self.momentum, self.smoothing, self.radius = lr, momentum, smoothing, radius
        self.velocity: Tensor | None = None

    def step(self, canvas: Canvas, grad: Tensor) -> None:
        """Move the pixels uphill, within 0..1."""
        image = canvas.parameter
        with torch.no_grad():
            if self.velocity is None:
                self.velocity = torch.zeros_like(image)
            self.velocity += (grad - grad.mean()) / std(grad[None])[0]
            side = 2 * self.radius + 1
            mean = F.avg_pool2d(image, side, 1, self.radius, count_include_pad=False)
            # Pixels at the border have fewer neighbours.
            count = F.avg_pool2d(torch.ones_like(image), side, 1, self.radius) * side**2
            self.velocity += self.smoothing * count * (mean - image)
            canvas.parameter.add_(self.lr * self.velocity).clamp_(0, 1)
            self.velocity *= self.momentum


def rms(values: Tensor) -> Tensor:
    """The root mean square of each item of a batch, (n, 1, ...); never zero, to divide by."""
    axes = tuple(range(1, values.ndim))
    length = torch.linalg.vector_norm(values, dim=axes, keepdim=True)
    return (length / math.sqrt(values[0].numel())).clamp(min=torch.finfo(values.dtype).tiny)


def std(values: Tensor) -> Tensor:
    """The standard deviation of each item of a batch, (n, 1, ...); never zero, to divide by."""
    spread = values.std(tuple(range(1, values.ndim)), correction=0, keepdim=True)
    return spread.clamp(min=torch.finfo(values.dtype).tiny)
