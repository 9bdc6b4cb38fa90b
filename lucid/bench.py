"""What a step costs, whole and in tiles, on this machine."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from lucid.ascent import Ascent, Step
from lucid.canvas import FourierCanvas
from lucid.images import Size
from lucid.machine import precision_name
from lucid.manners import FROM_NOISE
from lucid.nets import Net
from lucid.objectives import Classes
from lucid.rules import Adam
from lucid.tiles import Tiling
from lucid.transforms import draw_affine


@dataclass(frozen=True)
class Report:
    """What ``bench`` measured.

    Attributes:
        whole_step: seconds of a step over the whole picture (median).
        tiled_pass: seconds of a pass over it in tiles (median).
        area_ratio: how many pixels the tiles hold for each of the picture's.
        overhead: ``tiled_pass`` / (``area_ratio`` x ``whole_step``).
        peak_memory: the most the process (on CUDA: the device) held, in bytes.
    """

    net: str
    size: str
    order: str
    tile: int
    tiles: int
    batch: int
    device: str
    precision: str
    threads: int
    torch: str
    machine: str
    whole_step: float
    tiled_pass: float
    steps_per_second: float
    tiles_per_second: float
    area_ratio: float
    overhead: float
    peak_memory: int


def bench(
    net: Net,
    *,
    size: Size = (768, 1024),
    order: str = "spiral",
    tile: int = 224,
    batch: int = 16,
    device: str = "auto",
    precision: str = "auto",
    repeats: int = 5,
) -> Report:
    """Time a drawing's step untiled and tiled, turn by turn in one run.

    Args:
        net: a net with classes; its weights do not matter.
        size: (height, width) of the picture.
        order: of the tiles.
        tile: their side, in pixels.
        batch: the most tiles the net is shown at once.
        device: see ``Ascent``.
        precision: see ``Ascent``.
        repeats: how many of each are timed; medians are reported.
    """
    ascent = Ascent(net, device=device, precision=precision, batch=batch)
    objective = Classes({0: 1.0})
    generator = torch.Generator().manual_seed(0)
    # Fixed: the lattice's offset changes how many tiles a pass has.
    sweeps = {
        "whole": Tiling(size, "none").cut(size, generator),
        "tiled": Tiling((tile, tile), order).cut(size, generator),
    }

    def one(sweep_name: str) -> Callable[[], None]:
        canvas = FourierCanvas.noise(
            size, decay=FROM_NOISE.decay, generator=generator, device=ascent.device
        )
        rule = Adam(canvas, FROM_NOISE.rate)

        def run() -> None:
            # A new pass each time, as in a drawing: its blending weights are part of the cost.
            turn = draw_affine(generator)
            for view in replace(sweeps[sweep_name]).views():
                ascent.step(canvas, Step(view, objective, [turn], equalize=True), rule)

        return run

    runs = {name: one(name) for name in sweeps}
    times: dict[str, list[float]] = {name: [] for name in sweeps}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            seconds = _time(run, ascent.device)
            if repeat:  # the first of each warms up
                times[name].append(seconds)

    whole, tiled = (statistics.median(times[name]) for name in ("whole", "tiled"))
    count = sum(map(len, sweeps["tiled"].batches))
    ratio = count * tile * tile / (size[0] * size[1])
    return Report(
        net=net.name,
        size=f"{size[1]}x{size[0]}",
        order=order,
        tile=tile,
        tiles=count,
        batch=batch,
        device=_device_name(ascent.device),
        precision=precision_name(ascent.dtype),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        machine=platform.platform(),
        whole_step=whole,
        tiled_pass=tiled,
        steps_per_second=1 / whole,
        tiles_per_second=count / tiled,
        area_ratio=ratio,
        overhead=tiled / (ratio * whole),
        peak_memory=_peak_memory(ascent.device),
    )


def _time(run: Callable[[], None], device: torch.device) -> float:
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter() - start


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # Unix alone has it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024
