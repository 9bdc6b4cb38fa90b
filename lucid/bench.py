"""Measure what lucid's gradient steps cost on this machine, compared with the bare network.

The baseline is a forward pass of the same net and the backward pass to its images, with the same
batch at the same precision, and nothing else. Baseline and step are timed alternately, so that
other load on the machine slows both.
"""

from __future__ import annotations

import math
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from lucid.core.ascent import Ascent, Step
from lucid.core.canvas import FourierCanvas, PixelCanvas
from lucid.core.device import Runtime, device_name, find_devices, precision_name
from lucid.core.objectives import ClassLogits, Enhance, LayerL2, Objective
from lucid.core.optimizers import Adam, DarknetStep
from lucid.core.transforms import draw_affines
from lucid.drawing.config import FROM_NOISE, TILE
from lucid.drawing.loop import paint
from lucid.drawing.octave_canvas import MARGIN
from lucid.drawing.plan import prepare
from lucid.films.film import film, film_config
from lucid.films.keyframes import Keyframes
from lucid.films.warp import parse
from lucid.imaging import Size
from lucid.imaging.video import Frames
from lucid.nets.net import Net
from lucid.nets.registry import random_init
from lucid.nightmares.nightmare import ShiftedView
from lucid.nightmares.steps import NightmareStep
from lucid.tiling.tiles import Pass, Tile, Tiling

PUBLISHED_SIZE = (448, 352)
"""Height and width of the image of Darknet's published nightmare, which uses layer 10."""

DARKNET_RATIO = 16.2 / 0.53
"""Duration of a step of the original Darknet divided by the fp32 baseline, on that image: seconds
of both, measured once, side by side, on two cores of a Xeon."""

REGRESSION_THRESHOLD = 1.1
"""A ratio that grew by more than this factor is a regression."""


@dataclass(frozen=True)
class Row:
    """The measurement of one task.

    Attributes:
        task: ``nightmare``, ``draw``, ``pass`` or ``film``.
        size: width and height of the image; with several tiles also their number and size.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        baseline: median duration of the bare network's step in seconds.
        step: median duration of lucid's step in seconds.
        ratio: ``step`` / ``baseline``; for ``pass`` also divided by the number of pixels in all
            tiles over the number of pixels in the image.
        images: images that the net sees in a step.
        megapixels: megapixels that the net sees in a second.
        peak_memory: the most bytes that the process has held so far; on CUDA, the device.
    """

    task: str
    net: str
    size: str
    precision: str
    baseline: float
    step: float
    ratio: float
    images: int
    megapixels: float
    peak_memory: int


@dataclass(frozen=True)
class Report:
    """All measurements of one run, on a device of that name, with the number of torch's threads."""

    device: str
    platform: str
    threads: int
    torch: str
    rows: list[Row] = field(default_factory=list)

    def compared(self, before: dict[str, Any]) -> list[tuple[Row, float]]:
        """Find the rows that an earlier report holds, too, with their ratios there.

        ``before`` is a report as ``dataclasses.asdict`` returns it, of any version.
        """
        keys = ("task", "net", "size", "precision")
        ratios = {tuple(row[key] for key in keys): float(row["ratio"]) for row in before["rows"]}
        pairs = [(row, ratios.get(tuple(getattr(row, key) for key in keys))) for row in self.rows]
        return [(row, old) for row, old in pairs if old]

    def regressions(self, before: dict[str, Any]) -> list[tuple[Row, float]]:
        """Find the rows whose ratio grew by over ``REGRESSION_THRESHOLD``, with the old ratios."""
        pairs = self.compared(before)
        return [(row, old) for row, old in pairs if row.ratio > REGRESSION_THRESHOLD * old]


@dataclass(frozen=True)
class Task:
    """What to measure: ``nightmare``, ``draw``, ``pass`` or ``film``.

    Attributes:
        size: height and width of the image in pixels; ``draw`` always takes the smallest square
            that holds a batch of tiles.
        order: order of the tiles in ``pass``: ``spiral``, ``random`` or ``grid``.
        tile: height and width of the square tiles in pixels.
        batch: maximum number of images that the net sees at once.
        layer: layer of ``nightmare``.
    """

    name: str
    net: str
    size: Size | None = None
    order: str = "spiral"
    tile: int = TILE
    batch: int = 16
    layer: str = "10"


TASKS = (
    Task("nightmare", "vgg-conv", PUBLISHED_SIZE),
    Task("nightmare", "vgg-conv", (768, 1024)),
    Task("draw", "squeezenet1_1"),
    Task("draw", "googlenet"),
    Task("pass", "squeezenet1_1", (768, 1024)),
    Task("film", "lucid64", (512, 512)),
)


def bench(
    tasks: Sequence[Task] = TASKS,
    *,
    load: Callable[[str], Net] = random_init,
    device: str = "auto",
    precisions: Sequence[str] = ("auto",),
    repeats: int = 5,
    watch: Callable[[Row], None] | None = None,
) -> Report:
    """Measure tasks one after the other, each in each precision.

    ``load`` makes a net from its name; random weights are as fast as trained ones. Baseline and
    step are timed ``repeats`` times, after one untimed run. ``watch`` is called for every row.
    """
    report = Report(
        device=device_name(find_devices(device)[0]),
        platform=platform.platform(),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
    )
    for task in tasks:
        for precision in precisions:
            runtime = Runtime(device=device, precision=precision, batch=task.batch)
            row = _measure(task, load(task.net), runtime, repeats)
            report.rows.append(row)
            if watch:
                watch(row)
    return report


@dataclass(frozen=True)
class _Workload:
    """Two functions to time, and what the net sees in the second."""

    baseline: Callable[[], object]
    step: Callable[[], object]
    size: Size
    seen: Size
    images: int = 1


def _measure(task: Task, net: Net, runtime: Runtime, repeats: int) -> Row:
    ascent = Ascent(net, runtime)
    work = _WORKLOADS[task.name](task, net, ascent, runtime)
    times = [
        (_time(work.baseline, ascent.device), _time(work.step, ascent.device))
        for _ in range(repeats + 1)
    ]
    baseline, step = map(statistics.median, zip(*times[1:], strict=True))
    pixels = work.images * math.prod(work.seen)
    size = format_size(work.size)
    return Row(
        task=task.name,
        net=net.name,
        size=size if work.images == 1 else f"{size}, {work.images} of {format_size(work.seen)}",
        precision=precision_name(ascent.dtype),
        baseline=baseline,
        step=step,
        ratio=step / baseline / (pixels / math.prod(work.size) if task.name == "pass" else 1),
        images=work.images,
        megapixels=pixels / 1e6 / step,
        peak_memory=_peak_memory(ascent.device),
    )


def _nightmare(task: Task, net: Net, ascent: Ascent, runtime: Runtime) -> _Workload:
    """A step of a nightmare."""
    size, layer = task.size or PUBLISHED_SIZE, net.resolve_layer(task.layer)
    canvas = PixelCanvas(torch.rand(3, *size, device=ascent.device))
    view = ShiftedView(NightmareStep(layer, dx=5, dy=-3, scale=1, flip=True), size)
    step, optimizer = Step(view, Enhance(layer)), DarknetStep(0.05)
    baseline = _bare_step(net, ascent, LayerL2(layer), 1, size)
    return _Workload(baseline, lambda: ascent.step(canvas, step, optimizer), size, size)


def _draw(task: Task, net: Net, ascent: Ascent, runtime: Runtime) -> _Workload:
    """A step of a drawing: one batch of tiles that overlap by half."""
    tile, columns = (task.tile, task.tile), math.ceil(math.sqrt(task.batch))
    side = task.tile + (columns - 1) * round(task.tile / 2)
    size = (side, side)
    batches = Tiling(tile, "fixed").cut(size, torch.Generator()).batches
    tiles = [each for batch in batches for each in batch][: task.batch]
    baseline = _bare_step(net, ascent, ClassLogits({0: 1.0}), task.batch, tile)
    step = _draw_pass(ascent, Pass(size, tile, [tiles]))
    return _Workload(baseline, step, size, tile, task.batch)


def _pass(task: Task, net: Net, ascent: Ascent, runtime: Runtime) -> _Workload:
    """A pass over an image in tiles; the baseline is a step over the whole image."""
    size, tile = task.size or (768, 1024), (task.tile, task.tile)
    tile_pass = Tiling(tile, task.order).cut(size, torch.Generator().manual_seed(0))
    images = sum(map(len, tile_pass.batches))
    baseline = _draw_pass(ascent, Pass(size, size, [[Tile(0, 0)]]))
    return _Workload(baseline, _draw_pass(ascent, tile_pass), size, tile, images)


def _film(task: Task, net: Net, ascent: Ascent, runtime: Runtime) -> _Workload:
    """A frame, from the last frame's file to its own; the baseline is the frame's drawing."""
    size = task.size or (512, 512)
    keyframes = Keyframes({0: ClassLogits({0: 1.0})}, [parse("zoom:0.05")])
    base = torch.rand(3, *size)
    objective, config = keyframes.objective(0), film_config(net)
    plan = prepare(net, objective, base, config=config, runtime=runtime)
    frames = film(net, keyframes, base, frames=10**6, runtime=runtime)

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            Frames(Path(folder)).append(next(frames))

    return _Workload(lambda: paint(plan), run, size, size)


_WORKLOADS = {"nightmare": _nightmare, "draw": _draw, "pass": _pass, "film": _film}


def _bare_step(
    net: Net, ascent: Ascent, objective: Objective, count: int, size: Size
) -> Callable[[], None]:
    """The network's forward pass, and its backward pass to the images."""
    images = torch.rand(count, 3, *size, device=ascent.device)
    images = images.to(memory_format=torch.channels_last).requires_grad_()

    def run() -> None:
        with torch.autocast(images.device.type, ascent.dtype, ascent.dtype != torch.float32):
            activations = net.activations(images, objective.layers)
        total = sum(value.float().square().sum() for value in activations.values())
        assert isinstance(total, torch.Tensor)
        torch.autograd.grad(total, images)

    return run


def _draw_pass(ascent: Ascent, tile_pass: Pass) -> Callable[[], None]:
    """A whole pass, as `lucid draw` makes it."""
    config, generator = FROM_NOISE, torch.Generator().manual_seed(0)
    canvas = FourierCanvas.noise(
        tile_pass.size,
        decay_power=config.decay_power,
        margin=MARGIN,
        generator=generator,
        device=ascent.device,
    )
    optimizer, objective = Adam(config.lr), ClassLogits({0: 1.0})

    def run() -> None:
        # A new object each time, as in a drawing: the blending weights are part of the cost.
        again = replace(tile_pass)
        affines = draw_affines(
            generator, 1, max_angle=config.max_angle, scale=config.scale, shift=config.shift
        )
        for view in again.views():
            ascent.step(canvas, Step(view, objective, [affines], normalize_grad=True), optimizer)

    return run


def format_size(size: Size) -> str:
    """Format a height and width in pixels as WIDTHxHEIGHT."""
    return f"{size[1]}x{size[0]}"


def _time(run: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter() - start


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # Unix only

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024
