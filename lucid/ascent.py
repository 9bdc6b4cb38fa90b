"""The one core: look at a canvas, ask a net for the way up, take a step.

Everything lucid paints comes from ``Ascent.step``: a canvas (what is climbed),
a step (where to look and what to want there) and a rule (how to move).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lucid.canvas import Canvas
from lucid.errors import LucidError, UsageError
from lucid.nets import Net, is_out_of_memory
from lucid.objectives import Objective
from lucid.transforms import Transform


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
    """

    view: View
    objective: Objective
    transform: Transform | None = None
    equalize: bool = False


class Rule(Protocol):
    """How a gradient at the picture's pixels moves a canvas."""

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
        self, images: Tensor, objective: Objective, transform: Transform | None = None
    ) -> Tensor:
        """How each image would have to change for its objective to grow.

        Args:
            images: (n, 3, height, width), RGB, 0..1, on the ascent's device.
            objective: what to climb.
            transform: what to do to the images before the net sees them.

        Returns:
            The gradient, of the images' shape, in fp32.
        """
        parts = torch.split(images, self.batch)
        return torch.cat([self._part(part, objective, transform) for part in parts])

    def _part(self, images: Tensor, objective: Objective, transform: Transform | None) -> Tensor:
        images = images.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        with torch.autocast(self.device.type, self.dtype, self.dtype != torch.float32):
            shown = transform(images) if transform else images
            seen = self.net.activations(shown, objective.layers)
        total = objective.measure({name: value.float() for name, value in seen.items()}).sum()
        (gradient,) = torch.autograd.grad(total, images)
        return gradient

    def step(self, canvas: Canvas, step: Step, rule: Rule) -> None:
        """Look at the canvas, find the way up, move it.

        Raises:
            LucidError: it does not fit into the device's memory.
        """
        try:
            image = canvas.image()
            shown = step.view.gather(image.detach())
            gradient = self.gradient(shown, step.objective, step.transform)
            if step.equalize:
                gradient = gradient / deviation(gradient)
            rule(canvas, image, step.view.scatter(gradient))
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise LucidError(
                    f"not enough memory on {self.device}: try a smaller picture, tile or batch"
                ) from error
            raise


def deviation(values: Tensor) -> Tensor:
    """The standard deviation of each item of a batch, never zero, ready to divide by."""
    spread = values.std(tuple(range(1, values.ndim)), correction=0, keepdim=True)
    return spread.clamp(min=torch.finfo(values.dtype).tiny)


class Adam:
    """Kingma and Ba's rule (2014): every parameter moves by about ``rate`` a step."""

    def __init__(self, canvas: Canvas, rate: float) -> None:
        self.optimizer = torch.optim.Adam([canvas.parameter], lr=rate, maximize=True)

    def __call__(self, canvas: Canvas, image: Tensor, gradient: Tensor) -> None:
        (canvas.parameter.grad,) = torch.autograd.grad(image, canvas.parameter, gradient)
        self.optimizer.step()


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


def find_device(name: str) -> torch.device:
    """The device that a name stands for; ``auto`` is CUDA, else MPS, else the CPU.

    Raises:
        UsageError: there is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device {name!r} is not auto, cpu, cuda, cuda:N or mps") from None
    count = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }.get(device.type)
    if count is None or (device.index or 0) >= count:
        raise UsageError(f"there is no device {name} here: try --device auto or --device cpu")
    return device


PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def find_precision(name: str, device: torch.device) -> torch.dtype:
    """The number format that a name stands for on a device.

    Raises:
        UsageError: there is no such precision, or not on this device.
    """
    if name == "auto":
        return torch.bfloat16 if _multiplies_bf16(device) else torch.float32
    if name not in PRECISIONS:
        raise UsageError(f"precision {name!r} is not auto, {', '.join(PRECISIONS)}")
    if name == "fp16" and device.type == "cpu":
        raise UsageError("fp16 needs a GPU: on the CPU use bf16 or fp32")
    return PRECISIONS[name]


def precision_name(dtype: torch.dtype) -> str:
    return next(name for name, known in PRECISIONS.items() if known == dtype)


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # torch has no public word for AMX, the CPU unit that makes bf16 pay off.
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return device.type == "cpu" and bool(has_amx())
