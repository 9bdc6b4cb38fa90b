"""The one core: look at a canvas, ask a net for the way up, take a step.

Everything lucid paints comes from ``Ascent.step``: a canvas (what is climbed),
a step (where to look and what to want there) and a rule (how to move).
"""

from __future__ import annotations

import contextlib
import copy
import logging
import os
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from lucid.core.canvas import Canvas
from lucid.core.cuda_graphs import Answer, GraphedForward
from lucid.core.device import (
    find_devices,
    find_precision,
    free_memory,
    precision_name,
    reraise_oom,
    saved_activation_bytes,
    to_device,
    tune_malloc,
)
from lucid.core.objectives import Objective
from lucid.core.optimizers import Optimizer, rms
from lucid.core.receptive_field import SPARE, Window, Windows
from lucid.core.transforms import Transform
from lucid.errors import UsageError, is_out_of_memory
from lucid.nets.net import Net

log = logging.getLogger("lucid")

GRAPHS = "LUCID_CUDA_GRAPHS"
"""Set to 1, this environment variable has a net's passes recorded on CUDA and replayed. No GPU was
at hand to measure that on, so it must be asked for."""

MOST = {"cpu": 16, "cuda": 64, "mps": 16}
"""Images that a device is shown at once, where memory allows. Only the CPU's was tried."""


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
        transforms: how the net looks at it, several times if there are several: what the
            view must survive.
        equalize: whether every image of the batch climbs with equal strength;
            otherwise the gradients are left as they are.
        windows: how to cut what the net is shown where that fits into no memory.
        variation: how strongly the total variation of what is shown is held down, in
            units of an equalized gradient.
    """

    view: View
    objective: Objective
    transforms: Sequence[Transform] = ()
    equalize: bool = False
    windows: Windows | None = None
    variation: float = 0


@dataclass(frozen=True)
class Worker:
    """A net on one device, at one precision.

    Attributes:
        net: it.
        device: where it runs.
        dtype: what it computes in.
        replay: what asks it in place of ``look``, if anything does.
    """

    net: Net
    device: torch.device
    dtype: torch.dtype
    replay: GraphedForward | None = None

    def look(self, images: Tensor, layers: frozenset[str]) -> dict[str, Tensor]:
        """What the layers put out, at the worker's precision, in fp32."""
        precision: AbstractContextManager[None] = contextlib.nullcontext()
        if self.dtype != torch.float32:
            # No cache, which a recording would take for the weights themselves.
            precision = torch.autocast(self.device.type, self.dtype, cache_enabled=False)
        with precision:
            seen = self.net.activations(images, layers)
        return {name: value.float() for name, value in seen.items()}

    def see(
        self, images: Tensor, layers: Collection[str], transforms: Sequence[Transform] = ()
    ) -> dict[str, Tensor]:
        """See ``Ascent.see``."""
        # Not at the net's precision: half a pixel of a turn is lost in bf16.
        glances = [transform(images) for transform in transforms] or [images]
        images = torch.cat(glances) if len(glances) > 1 else glances[0]
        images = images.contiguous(memory_format=torch.channels_last)
        return (self.replay or self.look)(images, frozenset(layers))

    def asking(self) -> Worker:
        """The worker, with nothing replayed."""
        return replace(self, replay=None)

    def gradient(
        self, images: Tensor, objective: Objective, transforms: Sequence[Transform]
    ) -> Tensor:
        """See ``Ascent.gradient``; of images on any device, there."""
        shown = to_device(images.detach(), self.device).requires_grad_()
        seen = self.see(shown, objective.layers, transforms)
        total = objective.over(max(1, len(transforms))).measure(seen).sum()
        (gradient,) = torch.autograd.grad(total, shown)
        if self.replay:
            gradient = gradient.clone()  # the next replay writes there
        return gradient.to(images.device)

    def replaying(self) -> Worker:
        """The worker, with its net's passes recorded, if that was asked for and can be done."""
        # Until torch 2.14 all recordings of a process must be of one device.
        first = self.device.type == "cuda" and not self.device.index
        if not (first and self.net.capturable and os.environ.get(GRAPHS) == "1"):
            return self

        def record(answer: Answer, sample: tuple[Tensor]) -> Answer:
            # Should it fail, this brings the stream back.
            with torch.cuda.stream(torch.cuda.current_stream(self.device)):
                return cast(Answer, torch.cuda.make_graphed_callables(answer, sample))

        return replace(self, replay=GraphedForward(self.look, record))


class Ascent:
    """A net, made ready on one or several devices at a precision.

    On a CPU, malloc is told to keep what is freed, up to 2 GiB, from here on in the whole
    process (``machine.keep_freed_memory``).

    Attributes:
        device: the first of them, where canvases live.
        dtype: what the net computes in there.
    """

    def __init__(
        self,
        net: Net,
        *,
        device: str = "auto",
        precision: str = "auto",
        batch: int | None = None,
        deterministic: bool = False,
    ) -> None:
        """Move the net to where it will run. Its weights are frozen.

        Args:
            net: the net to climb.
            device: ``auto`` (the best at hand), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``;
                or several with commas between, which share each batch's images.
            precision: ``fp32``, ``bf16``, ``fp16`` or ``auto``: bf16 where the
                device multiplies it in hardware, else fp32.
            batch: the most images a device is shown at once, each glance at one
                counted. The same batch size gives the same bytes. Without it, as many
                as pay and fit.
            deterministic: only operations that give the same bytes each time,
                from here on in the whole process; a CPU's always do.

        Raises:
            UsageError: there is no such device or precision.
        """
        if batch is not None and batch < 1:
            raise UsageError(f"a batch of {batch} holds nothing: use 1 or more")
        devices = find_devices(device)
        self.device = devices[0]
        self._batch = batch
        self._batches: dict[torch.Size, int] = {}
        if any(where.type == "cpu" for where in devices):
            tune_malloc()
        if deterministic:
            # cuBLAS must be told before its first use.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True)
        net.eval().requires_grad_(False)
        nets = [net, *(copy.deepcopy(net) for _ in devices[1:])]
        for one, where in zip(nets, devices, strict=True):
            one.to(where)
            one.to(memory_format=torch.channels_last)
        self.workers = [
            Worker(one, where, find_precision(precision, where))
            for one, where in zip(nets, devices, strict=True)
        ]
        if len(devices) == 1:  # nothing else may be asked for while one records
            self.workers = [self.workers[0].replaying()]
        self.dtype = self.workers[0].dtype
        self._threads = ThreadPoolExecutor(len(devices)) if len(devices) > 1 else None

    @property
    def batch(self) -> int | None:
        """The batch that was asked for, or the largest that was found to fit; None until then."""
        return max(self._batches.values(), default=self._batch)

    @property
    def precision(self) -> str:
        """What the first device's net computes in, by its short name."""
        return precision_name(self.dtype)

    def see(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """What the named layers put out, (n, …) each, at the ascent's precision, in fp32.

        Args:
            images: (n, 3, height, width), RGB, 0..1, on the ascent's device.
            layers: as the net names them.
        """
        return self.workers[0].asking().see(images, layers)

    def gradient(
        self,
        images: Tensor,
        objective: Objective,
        transforms: Sequence[Transform] = (),
        windows: Windows | None = None,
    ) -> Tensor:
        """How each image would have to change for its objective to grow.

        Where they do not fit into memory after all, half as many at once are tried.

        Args:
            images: (n, 3, height, width), RGB, 0..1, on the ascent's device.
            objective: what to climb.
            transforms: what to do to the images before the net sees them; with several,
                it sees every image at several glances.
            windows: how to cut the images; not together with transforms.

        Returns:
            The gradient, of the images' shape, in fp32.
        """
        if windows:
            return self._in_windows(images, objective, windows)
        shape, glances = images.shape[1:], max(1, len(transforms))
        # One image alone leaves nothing to choose.
        if shape not in self._batches and len(images) * glances > 1:
            self._batches[shape] = self._batch or self._fitting(images, objective, transforms)
        done: list[Tensor] = []
        while (start := sum(map(len, done))) < len(images):
            batch = self._batches.get(shape, 1)
            waiting = images[start:].split(max(1, batch // glances))[: len(self.workers)]
            try:
                done += self._share_out(waiting, objective, transforms)
            except RuntimeError as error:
                if batch <= glances or not is_out_of_memory(error):
                    raise
                self._batches[shape] = batch // 2
                log.warning(
                    "not enough memory for %d images at once: going on with %d, as --batch %d does",
                    *(batch, batch // 2, batch // 2),
                )
        return torch.cat(done) if len(done) > 1 else done[0]

    def _share_out(
        self, parts: Sequence[Tensor], objective: Objective, transforms: Sequence[Transform]
    ) -> list[Tensor]:
        """The gradients of no more parts than there are workers."""
        if self._threads is None or len(parts) == 1:
            return [
                worker.gradient(part, objective, transforms)
                for worker, part in zip(self.workers, parts, strict=False)
            ]
        running = [
            self._threads.submit(worker.gradient, part, objective, transforms)
            for worker, part in zip(self.workers, parts, strict=False)
        ]
        return [each.result() for each in running]

    def _fitting(
        self, images: Tensor, objective: Objective, transforms: Sequence[Transform]
    ) -> int:
        """How many images like these pay, and fit into half of the smallest memory."""
        most = min(MOST[worker.device.type] for worker in self.workers)
        first = self.workers[0].asking()
        kept = saved_activation_bytes(
            lambda: first.see(
                images[:1].detach().requires_grad_(), objective.layers, transforms[:1]
            )
        )
        room = min(free_memory(worker.device) for worker in self.workers) / 2
        batch = max(1, min(most, int(room / max(1.0, SPARE * kept))))
        log.info(
            "%d images at once on each of %s",
            *(batch, ", ".join(f"{w.device} ({precision_name(w.dtype)})" for w in self.workers)),
        )
        return batch

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

    def step(self, canvas: Canvas, step: Step, rule: Optimizer) -> None:
        """Look at the canvas, find the way up, move it.

        Raises:
            LucidError: it does not fit into the device's memory.
        """
        with reraise_oom(self.device):
            image = canvas.image()
            push = self.push(step.view.gather(image.detach()), step)
            (slope,) = torch.autograd.grad(image, canvas.parameter, step.view.scatter(push))
            rule(canvas, slope)

    def push(self, shown: Tensor, step: Step) -> Tensor:
        """Where a step wants each image to go.

        Args:
            shown: what its view shows, (n, 3, height, width), RGB, 0..1.
            step: whose view is not asked.

        Returns:
            (n, 3, height, width).
        """
        gradient = self.gradient(shown, step.objective, step.transforms, step.windows)
        if step.equalize:
            gradient /= rms(gradient)
        if step.variation:
            gradient = gradient - step.variation * variation_slope(shown)
        return gradient


def variation_slope(images: Tensor) -> Tensor:
    """How the total variation of (n, channels, height, width) images, 0..1, grows with each
    pixel (Rudin, Osher and Fatemi, 1992): up to a few units where pixels stand alone."""
    down, across = (
        F.pad(images.diff(dim=axis), pad) for axis, pad in ((2, (0, 0, 0, 1)), (3, (0, 1)))
    )
    # Steps of less than a grey level count as none, else flat places would flicker.
    length = (down.square() + across.square() + (1 / 255) ** 2).sqrt()
    down, across = down / length, across / length
    above, left = F.pad(down, (0, 0, 1, 0))[..., :-1, :], F.pad(across, (1, 0))[..., :-1]
    return above - down + left - across
