"""What lucid's steps cost on this machine, beside the bare network's.

The *floor* is what nobody can go below with the same net: forward, and backward to the
images, of the same batch at the same precision, and nothing else. Floor and step take
turns in one run, so that a busy machine slows both.
"""

from __future__ import annotations

import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lucid.core.ascent import Ascent, Step
from lucid.core.canvas import FourierCanvas, PixelCanvas
from lucid.core.device import device_name, find_devices, precision_name
from lucid.core.objectives import ClassLogits, Enhance, LayerL2, Objective
from lucid.core.optimizers import Adam, DarknetStep
from lucid.drawing.config import FROM_NOISE, TILE
from lucid.drawing.loop import MARGIN, paint, prepare
from lucid.films.film import Keyframes, film, film_config
from lucid.films.warps import parse
from lucid.imaging import Size
from lucid.imaging.video import Frames
from lucid.nets.net import Net
from lucid.nets.registry import random_init
from lucid.nightmares.nightmare import ShiftedView
from lucid.nightmares.steps import NightmareStep
from lucid.tiling.tiles import Pass, Tile, Tiling

SCREAM = (448, 352)
"""Height and width of the picture of Darknet's published nightmare, whose layer is 10."""

DARKNET = 16.2 / 0.53
"""How many bare fp32 steps the original takes for one of its own, on that picture: seconds
of both, measured once, side by side, on two cores of a Xeon."""

WORSE = 1.1
"""A ratio that grew by more than this has become worse."""


@dataclass(frozen=True)
class Row:
    """What one task took.

    Attributes:
        task: ``nightmare``, ``draw``, ``pass`` or ``film``.
        net: its name.
        size: width and height of the picture, and what of it is one step.
        precision: what the net computed in.
        floor: seconds that the bare net takes (median).
        step: seconds that lucid takes (median).
        ratio: ``step`` / ``floor``; of ``pass``, after division by how many of the
            picture's pixels its tiles hold.
        images: that the net was shown in a step.
        megapixels: that it was shown in a second.
        peak_memory: the most that the process (on CUDA: the device) has held so far, in bytes.
    """

    task: str
    net: str
    size: str
    precision: str
    floor: float
    step: float
    ratio: float
    images: int
    megapixels: float
    peak_memory: int

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.task, self.net, self.size, self.precision


@dataclass(frozen=True)
class Report:
    """All that was measured in one run.

    Attributes:
        device: by its own name.
        machine: the operating system's word for it.
        threads: that torch computes with.
        torch: its version.
        rows: a task each.
    """

    device: str
    machine: str
    threads: int
    torch: str
    rows: list[Row] = field(default_factory=list)

    def published(self) -> Iterator[tuple[str, float, float]]:
        """Of Darknet's published command: precision, seconds of its ten iterations, and how
        many times as long the original would take, by the bare fp32 step of this run."""
        published = ("nightmare", "vgg-conv", _across(SCREAM))
        found = {row.precision: row for row in self.rows if row.key[:3] == published}
        if bare := found.get("fp32"):
            for precision, row in found.items():
                yield precision, 10 * row.step, DARKNET * bare.floor / row.step

    def worse_than(self, before: dict[str, Any]) -> list[tuple[Row, float]]:
        """The rows that have become worse since an earlier report, with what they were.

        Args:
            before: the earlier report, as ``dataclasses.asdict`` gives it.
        """
        ratios = {
            (row["task"], row["net"], row["size"], row["precision"]): float(row["ratio"])
            for row in before["rows"]
        }
        return [
            (row, ratios[row.key])
            for row in self.rows
            if row.key in ratios and row.ratio > WORSE * ratios[row.key]
        ]


@dataclass(frozen=True)
class Task:
    """Something to measure.

    Attributes:
        name: ``nightmare``, ``draw``, ``pass`` or ``film``.
        net: by its name.
        size: (height, width) of the picture, in pixels; without it, the task's own.
        order: of the tiles of ``pass``.
        tile: their side, in pixels.
        batch: how many images the net is shown at once.
        layer: of ``nightmare``.
    """

    name: str
    net: str
    size: Size | None = None
    order: str = "spiral"
    tile: int = TILE
    batch: int = 16
    layer: str = "10"


TASKS = (
    Task("nightmare", "vgg-conv", SCREAM),
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
    """Measure tasks one after the other.

    Args:
        tasks: what to measure.
        load: makes a net of its name; random weights are as fast as any.
        device: see ``Ascent``.
        precisions: see ``Ascent``.
        repeats: how many of each are timed; medians are reported.
        watch: called after each.
    """
    where = find_devices(device)[0]
    report = Report(
        device_name(where), platform.platform(), torch.get_num_threads(), torch.__version__
    )
    for task in tasks:
        for precision in precisions:
            row = _measure(task, load(task.net), device, precision, repeats)
            report.rows.append(row)
            if watch:
                watch(row)
    return report


def _measure(task: Task, net: Net, device: str, precision: str, repeats: int) -> Row:
    ascent = Ascent(net, device=device, precision=precision, batch=task.batch)
    share, images = 1.0, 1
    floor: Callable[[], object]
    step: Callable[[], object]
    if task.name == "nightmare":
        size = task.size or SCREAM
        layer = net.resolve_layer(task.layer)
        floor = bare_step(net, ascent, LayerL2(layer), 1, size)
        step, shown = _nightmare_step(ascent, layer, size), size
    elif task.name == "draw":
        size, shown, images = _room_for(task), (task.tile, task.tile), task.batch
        tiles = Tiling(shown, "fixed").cut(size, torch.Generator()).batches
        sweep = Pass(size, shown, [[tile for batch in tiles for tile in batch][:images]])
        floor = bare_step(net, ascent, ClassLogits({0: 1.0}), images, shown)
        step = _drawing(ascent, sweep)
    elif task.name == "film":
        size, shown = task.size or (512, 512), task.size or (512, 512)
        floor, step = _filming(net, size, device=device, precision=precision, batch=task.batch)
    else:
        size, shown = task.size or (768, 1024), (task.tile, task.tile)
        generator = torch.Generator().manual_seed(0)
        sweep = Tiling(shown, task.order).cut(size, generator)
        images = sum(map(len, sweep.batches))
        share = images * task.tile**2 / (size[0] * size[1])
        floor = _drawing(ascent, Pass(size, size, [[Tile(0, 0)]]))
        step = _drawing(ascent, sweep)
    times: list[tuple[float, float]] = []
    for repeat in range(repeats + 1):
        pair = _time(floor, ascent.device), _time(step, ascent.device)
        if repeat:  # the first of each warms up
            times.append(pair)
    bare, ours = (statistics.median(each) for each in zip(*times, strict=True))
    return Row(
        task=task.name,
        net=net.name,
        size=_across(size) if images == 1 else f"{_across(size)}, {images} of {_across(shown)}",
        precision=precision_name(ascent.dtype),
        floor=bare,
        step=ours,
        ratio=ours / (share * bare),
        images=images,
        megapixels=images * shown[0] * shown[1] / 1e6 / ours,
        peak_memory=_peak_memory(ascent.device),
    )


def bare_step(
    net: Net, ascent: Ascent, objective: Objective, count: int, size: Size
) -> Callable[[], None]:
    """Forward, and backward to the images: the floor."""
    device = ascent.device
    images = torch.rand(count, 3, *size, device=device)
    images = images.to(memory_format=torch.channels_last).requires_grad_()

    def run() -> None:
        with torch.autocast(device.type, ascent.dtype, ascent.dtype != torch.float32):
            seen = net.activations(images, objective.layers)
        total = sum(value.float().square().sum() for value in seen.values())
        assert isinstance(total, torch.Tensor)
        torch.autograd.grad(total, images)

    return run


def _nightmare_step(ascent: Ascent, layer: str, size: Size) -> Callable[[], None]:
    canvas = PixelCanvas(torch.rand(3, *size, device=ascent.device))
    view = ShiftedView(NightmareStep(layer, dx=5, dy=-3, scale=1, flip=True), size)
    step, rule = Step(view, Enhance(layer)), DarknetStep(0.05)
    return lambda: ascent.step(canvas, step, rule)


def _drawing(ascent: Ascent, sweep: Pass) -> Callable[[], None]:
    """A whole pass, as ``lucid draw`` makes it."""
    generator = torch.Generator().manual_seed(0)
    canvas = FourierCanvas.noise(
        sweep.size,
        decay=FROM_NOISE.decay,
        margin=MARGIN,
        generator=generator,
        device=ascent.device,
    )
    rule, objective = Adam(canvas, FROM_NOISE.rate), ClassLogits({0: 1.0})

    def run() -> None:
        # Made anew each time, as in a drawing: its blending weights are part of the cost.
        again = Pass(sweep.size, sweep.tile, sweep.batches, sweep.padding)
        turns = draw_glances(
            generator, 1, turn=FROM_NOISE.turn, scale=FROM_NOISE.scale, shift=FROM_NOISE.shift
        )
        for view in again.views():
            ascent.step(canvas, Step(view, objective, turns, equalize=True), rule)

    return run


def _filming(
    net: Net, size: Size, **machine: Any
) -> tuple[Callable[[], object], Callable[[], object]]:
    """A frame's dream alone, and a whole frame, from the last one's bytes to its own file."""
    script = Keyframes({0: ClassLogits({0: 1.0})}, [parse("zoom:0.05")])
    base = torch.rand(3, *size)
    plan = prepare(net, script.objective(0), base, manner=film_config(net), **machine)
    more = film(net, script, base, frames=10**6, **machine)

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            Frames(Path(folder)).append(next(more))

    return lambda: paint(plan), run


def _room_for(task: Task) -> Size:
    """The least square picture that holds a batch of tiles at half overlap."""
    count = 1
    while count**2 < task.batch:
        count += 1
    side = task.tile + (count - 1) * round(task.tile / 2)
    return side, side


def _across(size: Size) -> str:
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
    import resource  # Unix alone has it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024
