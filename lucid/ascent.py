"""The one core: look at a canvas, ask a net for the way up, take a step.

Everything lucid paints comes from ``Ascent.step``: a canvas (what is climbed),
a step (where to look and what to want there) and a rule (how to move).
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from lucid.canvas import Canvas, gaussian
from lucid.errors import UsageError
from lucid.machine import enough_memory, find_device, find_precision
from lucid.nets import Net
from lucid.objectives import Objective
from lucid.transforms import Transform
from lucid.windows import Window, Windows


class View(Protocol):
    """A way to look at a picture: what a net is shown of it, and the way back."""

    def gather(self, image: Tensor) -> Tensor:
        """From a (3, height, width) picture a batch for the net, (n, 3, …, …)."""

    def scatter(self, values: Tensor) -> Tensor:
        """From values at the batch's pixels to values at the picture's."""


@dataclass(frozen=True)
class Step:
    """Where to look and what to want there.

    Attributes:
        view: what the net is shown.
        objective: what should grow.
        transform: what the net's view must survive, if anything.
        equalize: whether every image of the batch climbs with equal strength;
            otherwise the gradients are left as they are.
        windows: how to cut what the net is shown where that fits into no memory.
        variation: how strongly the picture's total variation is held down, in
            deviations of an equalized gradient.
    """

    view: View
    objective: Objective
    transform: Transform | None = None
    equalize: bool = False
    windows: Windows | None = None
    variation: float = 0


class Rule(Protocol):
    """How a gradient at the picture's pixels moves a canvas.

    Attributes:
        rate: how far.
    """

    rate: float

    def __call__(self, canvas: Canvas, image: Tensor, gradient: Tensor) -> None: ...


class Ascent:
    """A net, made ready on a device at a precision."""

    def __init__(
        self,
        net: Net,
        *,
        device: str = "auto",
        precision: str = "auto",
        batch: int = 16,
        deterministic: bool = False,
    ) -> None:
        """Move the net to where it will run. Its weights are frozen.

        Args:
            net: the net to climb.
            device: ``auto`` (the best at hand), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
            precision: ``fp32``, ``bf16``, ``fp16`` or ``auto``: bf16 where the
                device multiplies it in hardware, else fp32.
            batch: the most images the net is shown at once. The same batch
                size gives the same bytes.
            deterministic: only operations that give the same bytes each time,
                from here on in the whole process; a CPU's always do.

        Raises:
            UsageError: there is no such device or precision.
        """
        if batch < 1:
            raise UsageError(f"a batch of {batch} holds nothing: use 1 or more")
        self.device = find_device(device)
        self.dtype = find_precision(precision, self.device)
        self.batch = batch
        if deterministic:
            # cuBLAS must be told before its first use.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True)
        self.net = net.eval().requires_grad_(False).to(self.device)
        self.net.to(memory_format=torch.channels_last)

    def gradient(
        self,
        images: Tensor,
        objective: Objective,
        transform: Transform | None = None,
        windows: Windows | None = None,
    ) -> Tensor:
        """How each image would have to change for its objective to grow.

        Args:
            images: (n, 3, height, width), RGB, 0..1, on the ascent's device.
            objective: what to climb.
            transform: what to do to the images before the net sees them.
            windows: how to cut the images; not together with a transform.

        Returns:
            The gradient, of the images' shape, in fp32.
        """
        if windows:
            return self._in_windows(images, objective, windows)
        parts = torch.split(images, self.batch)
        return torch.cat([self._part(part, objective, transform) for part in parts])

    def _part(self, images: Tensor, objective: Objective, transform: Transform | None) -> Tensor:
        images = images.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        total = objective.measure(self.see(images, objective.layers, transform)).sum()
        (gradient,) = torch.autograd.grad(total, images)
        return gradient

    def see(
        self, images: Tensor, layers: Collection[str], transform: Transform | None = None
    ) -> dict[str, Tensor]:
        """What the named layers put out, (n, …) each, at the ascent's precision, in fp32.

        Args:
            images: (n, 3, height, width), RGB, 0..1, on the ascent's device.
            layers: as the net names them.
            transform: what to do to the images first.
        """
        with torch.autocast(self.device.type, self.dtype, self.dtype != torch.float32):
            shown = transform(images) if transform else images
            seen = self.net.activations(shown, layers)
        return {name: value.float() for name, value in seen.items()}

    def _in_windows(self, images: Tensor, objective: Objective, windows: Windows) -> Tensor:
        cuts = list(windows.cut((images.shape[2], images.shape[3])))

        def answered(window: Window, pixels: Tensor) -> dict[str, Tensor]:
            seen = self.see(pixels, objective.layers)
            return {name: window.core(value, windows.reach.stride) for name, value in seen.items()}

        with torch.no_grad():
            objective = objective.settled(answered(cut, cut.pixels(images)) for cut in cuts)
        total = torch.zeros_like(images)
        for cut in cuts:
            pixels = cut.pixels(images).detach().contiguous(memory_format=torch.channels_last)
            pixels.requires_grad_()
            measured = objective.measure(answered(cut, pixels)).sum()
            cut.pixels(total).add_(torch.autograd.grad(measured, pixels)[0])
        return total

    def step(self, canvas: Canvas, step: Step, rule: Rule) -> None:
        """Look at the canvas, find the way up, move it.

        Raises:
            LucidError: it does not fit into the device's memory.
        """
        with enough_memory(self.device):
            image = canvas.image()
            shown = step.view.gather(image.detach())
            gradient = self.gradient(shown, step.objective, step.transform, step.windows)
            if step.equalize:
                gradient = gradient / deviation(gradient)
            gradient = step.view.scatter(gradient)
            if step.variation:
                gradient = gradient - step.variation * variation_slope(image.detach())
            rule(canvas, image, gradient)


def deviation(values: Tensor) -> Tensor:
    """The standard deviation of each item of a batch, never zero, ready to divide by."""
    spread = values.std(tuple(range(1, values.ndim)), correction=0, keepdim=True)
    return spread.clamp(min=torch.finfo(values.dtype).tiny)


def variation_slope(image: Tensor) -> Tensor:
    """How the total variation of a (channels, height, width) image, 0..1, grows with each
    pixel (Rudin, Osher and Fatemi, 1992): up to a few units where pixels stand alone."""
    down, across = (
        F.pad(image.diff(dim=axis), pad) for axis, pad in ((1, (0, 0, 0, 1)), (2, (0, 1)))
    )
    # Steps of less than a grey level count as none, else flat places would flicker.
    length = (down.square() + across.square() + (1 / 255) ** 2).sqrt()
    down, across = down / length, across / length
    above, left = F.pad(down, (0, 0, 1, 0))[:, :-1], F.pad(across, (1, 0))[:, :, :-1]
    return above - down + left - across


class Adam:
    """Kingma and Ba's rule (2014): every parameter moves by about ``rate`` a step."""

    def __init__(self, canvas: Canvas, rate: float) -> None:
        self.rate = rate
        self.optimizer = torch.optim.Adam([canvas.parameter], lr=rate, maximize=True)

    def __call__(self, canvas: Canvas, image: Tensor, gradient: Tensor) -> None:
        canvas.parameter.grad = _through(canvas, image, gradient)
        self.optimizer.param_groups[0]["lr"] = self.rate
        self.optimizer.step()


def _through(canvas: Canvas, image: Tensor, gradient: Tensor) -> Tensor:
    """A gradient at the picture's pixels as one at the canvas's parameter."""
    return torch.autograd.grad(image, canvas.parameter, gradient)[0]


class MeanRule:
    """The step of Google's deepdream and of deepdraw (2015), on pixels: so long that a
    pixel moves by ``rate`` in the mean.

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

    def __call__(self, canvas: Canvas, image: Tensor, gradient: Tensor) -> None:
        slope = _through(canvas, image, gradient)
        with torch.no_grad():
            moved = sum((gaussian(slope, sigma) for sigma in self.lift), slope)
            mean = moved.abs().mean().clamp(min=torch.finfo(moved.dtype).tiny)
            canvas.parameter.add_(self.rate / mean * moved).clamp_(0, 1)


GREY_PULL = 0.1
"""How strongly Darknet draws a nightmare towards mid grey."""


class DarknetRule:
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

    def __call__(self, canvas: Canvas, image: Tensor, gradient: Tensor) -> None:
        with torch.no_grad():
            step = self._pulled(gradient, 0.5 - image)
            if self.normalize:
                step = (step - step.mean()) / deviation(step[None])[0]
            canvas.parameter.add_(self.rate * step).clamp_(0, 1)

    def _pulled(self, gradient: Tensor, pull: Tensor) -> Tensor:
        pull = pull * (GREY_PULL if isinstance(self.grey, str) else self.grey)
        if self.grey == "darknet":
            return gradient + pull
        spread = deviation(gradient[None])[0]
        # torch.where and no `if`: the decision stays on the device.
        strength = pull.std(correction=0)
        small = (
            strength > spread
            if self.grey == "auto"
            else torch.ones_like(strength, dtype=torch.bool)
        )
        # Without any gradient there is nothing to paint, and nothing is greyed.
        pull = torch.where(gradient.any(), pull, torch.zeros_like(pull))
        return torch.where(small, gradient / spread, gradient) + pull


class MomentumRule:
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

    def __call__(self, canvas: Canvas, image: Tensor, gradient: Tensor) -> None:
        with torch.no_grad():
            if self.velocity is None:
                self.velocity = torch.zeros_like(image)
            self.velocity += (gradient - gradient.mean()) / deviation(gradient[None])[0]
            side = 2 * self.reach + 1
            mean = F.avg_pool2d(image, side, 1, self.reach, count_include_pad=False)
            # At the picture's edges fewer neighbours pull.
            count = F.avg_pool2d(torch.ones_like(image), side, 1, self.reach) * side**2
            self.velocity += self.pull * count * (mean - image)
            canvas.parameter.add_(self.rate * self.velocity).clamp_(0, 1)
            self.velocity *= self.momentum
