"""One gradient step: look at a canvas, compute the gradient of an objective, move the canvas.

Everything lucid paints comes from ``Ascent.step``, which takes a canvas (what is optimized), a
step (what the net is shown and what it should maximise) and an optimizer (how to move).
"""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol, cast

import torch
from torch import Tensor

from lucid.core.after_fork import Process
from lucid.core.canvas import Canvas
from lucid.core.cuda_graphs import Forward, GraphedForward
from lucid.core.device import (
    Runtime,
    find_devices,
    find_precision,
    free_memory,
    precision_name,
    reraise_oom,
    saved_activation_bytes,
)
from lucid.core.gradient_filters import normalize_laplacian, total_variation_grad
from lucid.core.objectives import Activations, Enhance, Objective
from lucid.core.optimizers import Optimizer, rms
from lucid.core.pooling import POOLINGS, AveragePooling
from lucid.core.receptive_field import SAFETY_FACTOR, Window, Windows
from lucid.core.redirected_relu import RedirectedReLU
from lucid.core.transforms import Transform
from lucid.errors import UsageError, is_out_of_memory
from lucid.imaging.filters import gaussian_blur
from lucid.nets.net import Net

log = logging.getLogger("lucid")

GRAPHS = "LUCID_CUDA_GRAPHS"
"""Set to 1, this environment variable has a net's passes captured as CUDA graphs. On one GPU that
took from 23 % less to 4 % more time, so it is off unless asked for."""

MAX_BATCH = {"cpu": 16, "cuda": 64, "mps": 16}
"""The most images in a batch, by device, where memory allows. Only the CPU's was tried."""


class View(Protocol):
    """What a net is shown of a picture, and how gradients of that become the picture's."""

    def gather(self, image: Tensor) -> Tensor:
        """Cut from a (3, height, width) picture a batch for the net, (n, 3, rows, columns)."""

    def scatter(self, values: Tensor) -> Tensor:
        """Turn values at the batch's pixels into values at the picture's, (3, height, width)."""


@dataclass(frozen=True)
class Step:
    """What the net is shown, and what to maximise there.

    Attributes:
        view: what the net is shown.
        objective: what to maximise.
        transforms: one sequence of transforms for each augmented view of the images; none for
            the images as they are.
        normalize_grad: whether to divide each image's gradient by its root mean square.
        windows: how to cut a picture that does not fit into memory; not with transforms.
        tv_weight: weight of the images' total variation, which is subtracted from the objective,
            in units of a normalised gradient.
        laplacian: levels of the Laplacian pyramid whose bands are made equally strong; 0 for none.
        redirect: whether rectifiers let a gradient through while nothing is active behind them.
        base: what the view shows of the picture that is painted on, for objectives that see it.
        high_pass: standard deviation in pixels of a Gaussian that is subtracted from the gradient,
            so that only detail finer than that changes; 0 for the whole gradient.
    """

    view: View
    objective: Objective
    transforms: Sequence[Sequence[Transform]] = ()
    normalize_grad: bool = False
    windows: Windows | None = None
    tv_weight: float = 0
    laplacian: int = 0
    redirect: bool = False
    base: Tensor | None = None
    high_pass: float = 0


@dataclass(frozen=True)
class Worker:
    """A net on one device, at one precision.

    Attributes:
        net: the network.
        device: where it runs.
        dtype: the number format it computes in.
        graphed: callable used instead of ``activations``; None without CUDA graphs.
        pooling: ``max``, as the net has it, or ``avg`` in its place.
    """

    net: Net
    device: torch.device
    dtype: torch.dtype
    graphed: GraphedForward | None = None
    pooling: str = "max"

    def activations(self, images: Tensor, layers: frozenset[str]) -> dict[str, Tensor]:
        """The outputs of layers, computed at the worker's precision, in fp32."""
        pooling = AveragePooling() if self.pooling == "avg" else contextlib.nullcontext()
        precision: AbstractContextManager[None] = contextlib.nullcontext()
        if self.dtype != torch.float32:
            # No cache: a CUDA graph would take cached casts for the weights themselves.
            precision = torch.autocast(self.device.type, self.dtype, cache_enabled=False)
        with precision, pooling:
            outputs = self.net.activations(images, layers)
        for name in outputs:
            outputs[name] = outputs[name].float()
        return outputs

    def forward(
        self,
        images: Tensor,
        layers: Collection[str],
        transforms: Sequence[Sequence[Transform]] = (),
    ) -> Activations:
        """The outputs of layers for every augmented view of images on the worker's device."""
        views = []
        for chain in transforms:
            # In fp32, whatever the net's precision: bf16 would lose half a pixel of a rotation.
            view = images
            for transform in chain:
                view = transform(view)
            views.append(view)
        shown = torch.cat(views) if len(views) > 1 else views[0] if views else images
        shown = shown.contiguous(memory_format=torch.channels_last)
        outputs = Activations((self.graphed or self.activations)(shown, frozenset(layers)))
        outputs.n_views = max(1, len(views))
        return outputs

    def input_grad(
        self,
        images: Tensor,
        objective: Objective,
        transforms: Sequence[Sequence[Transform]],
        redirect: bool = False,
        base: Tensor | None = None,
    ) -> Tensor:
        """The gradient of an objective with respect to images on any device, there."""
        leaf = images.detach().to(self.device).requires_grad_()
        worker = self.without_graphs() if redirect else self
        with RedirectedReLU() if redirect else contextlib.nullcontext():
            shown = worker.forward(leaf, objective.layers, transforms)
        if base is not None:
            with torch.no_grad():
                seen = base.to(self.device)
                shown.base = self.without_graphs().forward(seen, objective.layers, transforms)
        value = objective.forward(shown).sum()
        (grad,) = torch.autograd.grad(value, leaf)
        if self.graphed:
            grad = grad.clone()  # the next replay writes there
        return grad.to(images.device)

    def without_graphs(self) -> Worker:
        """The same worker, with nothing captured."""
        return replace(self, graphed=None)

    def with_graphs(self) -> Worker:
        """The worker with CUDA graphs, if they were asked for and are possible."""
        # Until torch 2.14 all graphs of a process must be of one device.
        first = self.device.type == "cuda" and not self.device.index
        if not (first and self.net.capturable and os.environ.get(GRAPHS) == "1"):
            return self

        def capture(forward: Forward, sample: tuple[Tensor]) -> Forward:
            # This context restores the stream if capture fails.
            with torch.cuda.stream(torch.cuda.current_stream(self.device)):
                return cast(Forward, torch.cuda.make_graphed_callables(forward, sample))

        return replace(self, graphed=GraphedForward(self.activations, capture))


class Ascent:
    """A net, made ready to run on one or several devices.

    Attributes:
        device: the first device, where canvases live.
        dtype: the number format the net computes in there.
        workers: the net on each device.
    """

    def __init__(self, net: Net, runtime: Runtime | None = None) -> None:
        """Move a net to where it will run, and freeze its weights.

        Args:
            net: the net to maximise objectives of.
            runtime: devices, precision and batch size; without it, the defaults.

        Raises:
            UsageError: there is no such device or precision, the batch size is below 1, or torch's
                default dtype is not float32.
        """
        Process.painted = True
        if torch.get_default_dtype() != torch.float32:
            raise UsageError(
                f"torch's default is {torch.get_default_dtype()}, and lucid paints in single "
                "precision: torch.set_default_dtype(torch.float32)"
            )
        self.runtime = runtime = runtime or Runtime()
        if runtime.batch is not None and runtime.batch < 1:
            raise UsageError(f"a batch of {runtime.batch} holds nothing: use 1 or more")
        if runtime.pooling not in POOLINGS:
            raise UsageError(f"pooling {runtime.pooling!r} is not {' or '.join(POOLINGS)}")
        devices = find_devices(runtime.device)
        self.device = devices[0]
        self._batch = runtime.batch
        self._batches: dict[torch.Size, int] = {}
        if runtime.deterministic:
            # cuBLAS must be told before its first use.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True)
        net.eval().requires_grad_(False)
        self.workers: list[Worker] = []
        for device in devices:
            own = copy.deepcopy(net) if self.workers else net
            own.to(device)
            own.to(memory_format=torch.channels_last)
            dtype = find_precision(runtime.precision, device)
            self.workers.append(Worker(own, device, dtype, pooling=runtime.pooling))
        if len(devices) == 1:  # while one device captures, no other may run
            self.workers = [self.workers[0].with_graphs()]
        self.dtype = self.workers[0].dtype
        self._threads = ThreadPoolExecutor(len(devices)) if len(devices) > 1 else None

    @property
    def batch(self) -> int | None:
        """The batch size asked for, or the largest that was found to fit; None until then."""
        return max(self._batches.values(), default=self._batch)

    def forward(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Compute the outputs of layers.

        Args:
            images: (n, 3, height, width), RGB, 0..1, on the ascent's device.
            layers: names of layers, as the net gives them.

        Returns:
            Activations by layer name, (n, ...) each, in fp32.
        """
        return self.workers[0].without_graphs().forward(images, layers)

    def step(self, canvas: Canvas, step: Step, optimizer: Optimizer) -> None:
        """Take one step: gather, compute the gradient, scatter, move the canvas.

        Raises:
            LucidError: it does not fit into the device's memory.
        """
        with reraise_oom(self.device):
            image = canvas.image()
            input_grad = self.input_grad(step.view.gather(image.detach()), step)
            (grad,) = torch.autograd.grad(image, canvas.parameter, step.view.scatter(input_grad))
            optimizer.step(canvas, grad)

    def input_grad(self, images: Tensor, step: Step) -> Tensor:
        """The direction in which a step moves each image that the net is shown.

        Args:
            images: what the step's view gathered, (n, 3, height, width), RGB, 0..1.
            step: its view is not used.

        Returns:
            (n, 3, height, width): the gradient; normalised, with total variation subtracted, and
            with its low frequencies removed, if the step says so.
        """
        grad = self.gradient(
            *(images, step.objective, step.transforms, step.windows),
            redirect=step.redirect,
            base=step.base,
        )
        if step.laplacian:
            grad = normalize_laplacian(grad, step.laplacian)
        if step.normalize_grad:
            grad /= rms(grad)
        if step.tv_weight:
            grad = grad - step.tv_weight * total_variation_grad(images)
        if step.high_pass:
            grad = grad - gaussian_blur(grad.flatten(0, 1), step.high_pass).view_as(grad)
        return grad

    def gradient(
        self,
        images: Tensor,
        objective: Objective,
        transforms: Sequence[Sequence[Transform]] = (),
        windows: Windows | None = None,
        redirect: bool = False,
        base: Tensor | None = None,
    ) -> Tensor:
        """The gradient of an objective with respect to images.

        Images are split into batches; where a batch does not fit into memory after all, half as
        many images are tried.

        Args:
            images: (n, 3, height, width), RGB, 0..1, on the ascent's device.
            objective: what to maximise.
            transforms: one sequence for each augmented view of the images.
            windows: how to cut the images; not with transforms.
            redirect: of ``Step``; not with windows.
            base: of ``Step``, as many images; not with windows.

        Returns:
            The gradient, of the images' shape, in fp32.
        """
        if windows:
            return self._windowed_gradient(images, objective, windows)
        shape, n_views = images.shape[1:], max(1, len(transforms))
        # One image alone leaves nothing to choose.
        if shape not in self._batches and len(images) * n_views > 1:
            self._batches[shape] = self._batch or self._fitting_batch(images, objective, transforms)
        done: list[Tensor] = []
        while (start := sum(map(len, done))) < len(images):
            batch = self._batches.get(shape, 1)
            most = max(1, batch // n_views)
            parts = images[start:].split(most)[: len(self.workers)]
            bases = [None] * len(parts) if base is None else base[start:].split(most)
            grad = functools.partial(
                Worker.input_grad, objective=objective, transforms=transforms, redirect=redirect
            )
            try:
                if self._threads is None or len(parts) == 1:
                    done.append(grad(self.workers[0], parts[0], base=bases[0]))
                else:
                    done += self._threads.map(
                        lambda worker, part, seen, grad=grad: grad(worker, part, base=seen),
                        *(self.workers, parts, bases),
                    )
            except RuntimeError as error:
                if batch <= n_views or not is_out_of_memory(error):
                    raise
                self._batches[shape] = batch // 2
                log.warning(
                    "not enough memory for %d images at once: going on with %d, as --batch %d does",
                    *(batch, batch // 2, batch // 2),
                )
        return torch.cat(done) if len(done) > 1 else done[0]

    def _fitting_batch(
        self, images: Tensor, objective: Objective, transforms: Sequence[Sequence[Transform]]
    ) -> int:
        """How many images like these pay, and fit into half of the smallest memory."""
        most = min(MAX_BATCH[worker.device.type] for worker in self.workers)
        first = self.workers[0].without_graphs()
        saved = saved_activation_bytes(
            lambda: first.forward(
                images[:1].detach().requires_grad_(), objective.layers, transforms[:1]
            )
        )
        room = min(free_memory(worker.device) for worker in self.workers) / 2
        batch = max(1, min(most, int(room / max(1.0, SAFETY_FACTOR * saved))))
        log.info(
            "%d images at once on each of %s",
            *(batch, ", ".join(f"{w.device} ({precision_name(w.dtype)})" for w in self.workers)),
        )
        return batch

    def _windowed_gradient(self, images: Tensor, objective: Objective, windows: Windows) -> Tensor:
        """The gradient of images that are shown to the net window by window."""
        cuts = list(windows.cut((images.shape[2], images.shape[3])))

        def core_activations(window: Window, pixels: Tensor) -> Mapping[str, Tensor]:
            outputs = self.forward(pixels, objective.layers)
            stride = windows.receptive_field.stride
            return {name: window.core(value, stride) for name, value in outputs.items()}

        if isinstance(objective, Enhance):  # its threshold depends on the whole picture
            with torch.no_grad():
                objective = objective.with_global_stats(
                    core_activations(cut, cut.pixels(images)) for cut in cuts
                )
        total = torch.zeros_like(images)
        for cut in cuts:
            pixels = cut.pixels(images).detach().contiguous(memory_format=torch.channels_last)
            pixels.requires_grad_()
            value = objective.forward(core_activations(cut, pixels)).sum()
            cut.pixels(total).add_(torch.autograd.grad(value, pixels)[0])
        return total
