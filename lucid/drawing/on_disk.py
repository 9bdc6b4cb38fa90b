"""Drawing pictures that are larger than memory.

The canvas is pixels in a file, seen as a tensor (``torch.from_file``): the system keeps in
memory what there is room for. Tiles stream through the net, what they want is added up in a
second file, and the canvas moves block by block. So a picture may be as large as the disk, and
a run that was killed goes on from its last whole pass.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from lucid.core.canvas import grey_noise
from lucid.core.device import to_device
from lucid.core.objectives import Objective
from lucid.core.optimizers import DeepDreamStep
from lucid.drawing.config import default_config, on_canvas
from lucid.drawing.loop import PassSettings, Plan, Target, prepare
from lucid.errors import LucidError, UsageError
from lucid.imaging import Size
from lucid.imaging.files import atomic_write, check_writable
from lucid.imaging.io import write_png_rows
from lucid.nets.net import Net
from lucid.tiling import octaves
from lucid.tiling.regions import FullImage
from lucid.tiling.tiles import Batch, Pass, TileView

log = logging.getLogger("lucid")

CHUNK = 64
"""Tiles that are cut at once: a multiple of every batch that lucid chooses."""

BLOCK = 256
"""Rows and columns that are moved at once."""

BAND = 2**22
"""Pixels that are resized or written at once."""

BYTES_PER_PIXEL = 4 * (3 + 3 + 3 + 3 + 1)
"""Of disk: the canvas before and after a pass, what tiles want and what becomes of that, and
their weights."""

STATE = "state.json"
FILES = ("canvas_*", "gradient", "way", "weights", "wide", "change", "larger", f".{STATE}.*")


def draw_on_disk(
    net: Net,
    wanted: Sequence[str] | Mapping[str, float] | Objective | Sequence[Target],
    path: Path,
    base: Image.Image | Tensor | None = None,
    *,
    resume: bool = False,
    note: Callable[[Plan], str] | None = None,
    watch: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> None:
    """Paint what a net knows, on pixels in a file, and write it as PNG.

    What ``draw`` paints on pixels, in any tiles, octaves and manner but one with masks,
    places, blur or jitter. Beside the picture a folder named after it with ``.part`` holds
    ``BYTES_PER_PIXEL``, until the picture is whole.

    Args:
        net: see ``draw``.
        wanted: see ``draw``.
        path: where to write; it ends in ``.png``.
        base: see ``draw``. At its own size it must fit into memory.
        resume: whether to go on where a run with the same arguments was killed; it
            then ends at the same picture.
        note: makes a text of the plan, once it is done, to keep in the file.
        watch: called with the pixels climbed through, and their total.
        settings: those of ``draw``. The manner is that of ``pixels``, if none is given.

    Raises:
        UsageError: a setting makes no sense here; there is nothing to resume, or there
            is and ``resume`` is not given.
        LucidError: what is to be resumed was begun otherwise; the disk is full.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path}: what is painted on disk is written as .png")
    folder = _folder(path)
    before = _read_state(folder, settings.get("seed")) if resume else None
    if before:
        settings |= {"seed": before.seed, "batch": before.batch}
    style = default_config(net, on_a_base=base is not None)
    settings["manner"] = settings.get("manner") or on_canvas(style, "pixels")
    plan = prepare(net, wanted, base, **settings)
    _check(plan)
    check_writable(path, plan.size)
    work = DiskDrawing(plan, folder, before, watch or (lambda done, total: None))
    try:
        work.begin()
        canvas = work.paint()
        bands = (canvas[:, rows] for rows in _bands(plan.size))
        write_png_rows(bands, plan.size, path, note(plan) if note else "")
        work.end()
    except OSError as error:
        raise LucidError(
            f"{folder}: {error.strerror or error}; --resume goes on from the last whole pass"
        ) from error


def seed_to_resume(path: Path, seed: int | None = None) -> int:
    """The seed of the drawing at ``path`` that was cut short.

    Raises:
        UsageError: none was, or it has another than the one given.
    """
    return _read_state(_folder(path), seed).seed


@dataclass(frozen=True)
class _State:
    """Where a run stands after a whole pass: what a killed one needs to go on.

    Attributes:
        recipe: a hash of all that the picture depends on but the seed.
        seed: of all that is drawn at random.
        octave: the number of the one at work.
        passes: done there.
        batch: how many images the net is shown at once.
        generator: its state, as hexadecimal digits.
    """

    recipe: str
    seed: int
    octave: int
    passes: int
    batch: int | None
    generator: str

    @property
    def canvas(self) -> str:
        """The name of the file that holds it."""
        return f"canvas_{self.octave}_{self.passes}"


class DiskDrawing:
    """A drawing under way, and its folder."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        before: _State | None,
        watch: Callable[[int, int], None],
    ) -> None:
        """Of a plan, in a folder, after what a killed run had done before."""
        self.plan, self.folder, self.state, self.watch = plan, folder, before, watch
        self.recipe = plan.recipe()
        self.done = 0

    def begin(self) -> None:
        """Make the folder ready, or the generator what it was."""
        if self.state is None:
            if (self.folder / STATE).exists():
                raise UsageError(
                    f"{self.folder} holds a drawing that was cut short: --resume goes on with "
                    "it; remove it to begin anew"
                )
            _check_disk(self.folder.parent, self.plan.size)
            self.folder.mkdir(exist_ok=True)
            self._drop(*FILES)
            log.warning(
                "painting pixels in files in %s; if cut short, --resume goes on", self.folder
            )
            return
        if self.state.recipe != self.recipe:
            raise UsageError(
                f"{self.folder} was begun with other settings: give the same, or remove it"
            )
        self._drop(*FILES, but=self.state.canvas)
        digits = bytearray.fromhex(self.state.generator)
        self.plan.generator.set_state(torch.frombuffer(digits, dtype=torch.uint8))

    def end(self) -> None:
        """Remove what is not needed any more."""
        self._drop(*FILES, STATE)
        self.folder.rmdir()

    def paint(self) -> Tensor:
        """All octaves, or what is left of them; the canvas, (3, height, width)."""
        plan, before = self.plan, self.state
        dream: Tensor | None = None
        for index, (octave, stage) in enumerate(plan.stages):
            first = 0
            if before and index < before.octave:
                self.done += stage.iterations * math.prod(octave)
                continue
            if before and index == before.octave:
                first, dream = before.passes, self._map(before.canvas, 3, *octave)
                self.done += first * math.prod(octave)
            else:
                dream = self._start(index, octave, dream)
                self._keep(index, 0)
            gradient = self._map("gradient", 3, *octave)
            for number in range(first, stage.iterations):
                now = plan.turn(octave, stage, number, self.done)
                name = f"canvas_{index}_{number}"
                # A pass that is cut short leaves the canvas before it as it was.
                shutil.copyfile(self.folder / name, self.folder / f"canvas_{index}_{number + 1}")
                dream = self._map(f"canvas_{index}_{number + 1}", 3, *octave)
                self._climb(dream, gradient, now)
                self._keep(index, number + 1)
            self._drop("gradient", "way")
        assert dream is not None
        return dream

    def _start(self, index: int, octave: Size, dream: Tensor | None) -> Tensor:
        """What an octave begins with: see ``octaves.start``."""
        plan, base, between = self.plan, self.plan.base, self.plan.style.carry
        canvas = self._map(f"canvas_{index}_0", 3, *octave)
        if base is None and dream is None:
            return grey_noise(canvas, plan.style.background, plan.generator)
        if base is None:
            assert dream is not None
            return self._resize(dream, canvas).clamp_(0, 1)
        self._resize(base, canvas).clamp_(0, 1)
        if dream is None:
            return canvas
        size = (dream.shape[1], dream.shape[2])
        change = self._resize(base, self._map("change", *dream.shape))
        for rows in _bands(size):
            change[:, rows] = octaves.detail(dream[:, rows], change[:, rows], between)
        larger = self._resize(change, self._map("larger", 3, *octave))
        for rows in _bands(octave):
            canvas[:, rows] = octaves.with_detail(canvas[:, rows], larger[:, rows], between)
        self._drop("change", "larger")
        return canvas

    def _resize(self, image: Tensor, to: Tensor) -> Tensor:
        """Fill ``to`` with an image at its size: first each row's length, then each column's."""
        height, width = to.shape[1:]
        wide = self._map("wide", 3, image.shape[1], width)
        for rows in _bands((image.shape[1], max(width, image.shape[2]))):
            part = image[:, rows]
            wide[:, rows] = octaves.resize(part, (part.shape[1], width), wrap=self.plan.wrap)
        for columns in _bands((width, max(height, image.shape[1]))):
            part = wide[:, :, columns]
            to[:, :, columns] = octaves.resize(part, (height, part.shape[2]), wrap=self.plan.wrap)
        self._drop("wide")
        return to

    def _climb(self, canvas: Tensor, gradient: Tensor, now: PassSettings) -> None:
        """One pass: see ``draw``."""
        plan, size = self.plan, (canvas.shape[1], canvas.shape[2])
        rule = DeepDreamStep(now.rate, plan.style.lift)
        sweeps = [now.tiling.cut(size, plan.generator) for _ in plan.wishes]
        tiles = sum(len(batch) for sweep in sweeps for batch in sweep.batches)
        start, shown = self.done, 0
        for wish, sweep in zip(plan.wishes, sweeps, strict=True):
            weights = self._map("weights", 1, *size)
            window = sweep.window(weights)
            for tile in itertools.chain(*sweep.batches):
                sweep.add(weights, tile, window[None])
            for batch in sweep.batches:
                for first in range(0, len(batch), CHUNK):
                    chunk = batch[first : first + CHUNK]
                    cuts = [TileView(sweep, [tile]).gather(canvas) for tile in chunk]
                    step = now.step(TileView(sweep, chunk), wish.objective)
                    push = plan.ascent.push(
                        to_device(torch.cat(cuts), plan.ascent.device), step
                    ).cpu()
                    for tile, value in zip(chunk, push * window, strict=True):
                        sweep.add(gradient, tile, value)
                    shown += len(chunk)
                    self.watch(start + math.prod(size) * shown // tiles, plan.total)
                self._move(canvas, gradient, weights, _blocks(sweep, batch, rule.reach), rule)
            self._drop("weights")
        self.done = start + math.prod(size)

    def _move(
        self,
        canvas: Tensor,
        gradient: Tensor,
        weights: Tensor,
        blocks: list[tuple[slice, slice]],
        rule: DeepDreamStep,
    ) -> None:
        """Move blocks of the canvas as tiles want it, and forget what they want."""
        size = (canvas.shape[1], canvas.shape[2])
        way = self._map("way", *canvas.shape)

        def lift(block: tuple[slice, slice]) -> tuple[float, int]:
            rows, columns = block
            down, inner_rows = _around(rows, rule.reach, size[0])
            across, inner_columns = _around(columns, rule.reach, size[1])
            slope = gradient[:, down, across] / weights[:, down, across]
            way[:, rows, columns] = rule.lifted(slope)[:, inner_rows, inner_columns]
            moved = slope[:, inner_rows, inner_columns].count_nonzero()
            # Plain numbers: a tensor that is kept holds a heap open that would shrink.
            return float(way[:, rows, columns].abs().sum()), int(moved)

        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            totals, counts = zip(*threads.map(lift, blocks), strict=True)
        length = rule.rate / rule.mean(torch.tensor(sum(totals)), torch.tensor(sum(counts)))
        for rows, columns in blocks:
            canvas[:, rows, columns].add_(length * way[:, rows, columns]).clamp_(0, 1)
            gradient[:, rows, columns] = 0

    def _keep(self, octave: int, passes: int) -> None:
        """Note that a pass is whole; what came before it is not needed any more."""
        before, plan = self.state, self.plan
        digits = plan.generator.get_state().numpy().tobytes().hex()
        seed = plan.generator.initial_seed()
        self.state = _State(self.recipe, seed, octave, passes, plan.ascent.batch, digits)
        with atomic_write(self.folder / STATE) as part:
            part.write_text(json.dumps(dataclasses.asdict(self.state)), encoding="utf-8")
        if before and before.canvas != self.state.canvas:
            self._drop(before.canvas)

    def _map(self, name: str, *shape: int) -> Tensor:
        """A file of the folder as a tensor in fp32; one that is not there yet is all zeros."""
        path, count = self.folder / name, math.prod(shape)
        if not path.exists() and hasattr(os, "posix_fallocate"):
            # Were the disk found full later, at a write to memory, the system would kill us.
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, 4 * count)
        mapped = torch.from_file(str(path), shared=True, size=count, dtype=torch.float32)
        return mapped.view(shape)

    def _drop(self, *names: str, but: str = "") -> None:
        for path in itertools.chain(*(self.folder.glob(name) for name in names)):
            if path.name != but:
                path.unlink()


def _blocks(sweep: Pass, batch: Batch, reach: int) -> list[tuple[slice, slice]]:
    """The blocks of the picture, as rows and columns, that a batch of tiles moves, if what
    moves spreads by ``reach``."""
    touched = {
        (row, column)
        for tile in batch
        for _, rows in sweep.inside(tile.top, 0)
        for _, columns in sweep.inside(tile.left, 1)
        for row in _numbers(rows, reach, sweep.size[0])
        for column in _numbers(columns, reach, sweep.size[1])
    }
    return [(_block(row, sweep.size[0]), _block(column, sweep.size[1])) for row, column in touched]


def _numbers(places: slice, reach: int, length: int) -> range:
    """The blocks along an axis that places touch, if they spread."""
    first, last = max(0, places.start - reach), min(length, places.stop + reach)
    return range(first // BLOCK, (last - 1) // BLOCK + 1)


def _block(number: int, length: int) -> slice:
    return slice(number * BLOCK, min(length, (number + 1) * BLOCK))


def _around(places: slice, reach: int, length: int) -> tuple[slice, slice]:
    """Places with what lies around them, and where they lie in that."""
    first = max(0, places.start - reach)
    inner = slice(places.start - first, places.stop - first)
    return slice(first, min(length, places.stop + reach)), inner


def _bands(size: Size) -> Iterator[slice]:
    """Bands of about equally many rows, each of ``BAND`` pixels at most, if not of one row."""
    height, width = size
    count = min(math.ceil(height * width / BAND), height)
    bounds = [height * number // count for number in range(count + 1)]
    return (slice(first, last) for first, last in itertools.pairwise(bounds))


def _folder(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _read_state(folder: Path, seed: int | None) -> _State:
    """What a killed run noted last; ``seed`` is what is asked for, if any is."""
    try:
        state = _State(**json.loads((folder / STATE).read_text(encoding="utf-8")))
        (folder / state.canvas).stat()
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{folder} holds nothing to resume: leave --resume out") from error
    if seed not in (None, state.seed):
        raise UsageError(f"{folder} was begun with seed {state.seed}, not {seed}")
    return state


def _check_disk(folder: Path, size: Size) -> None:
    """Refuse what does not fit."""
    needed = BYTES_PER_PIXEL * math.prod(size)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise LucidError(
            f"{folder}: painting {size[1]}x{size[0]} needs {needed / 2**30:.1f} GiB of disk "
            f"there, and {free / 2**30:.1f} are free"
        )


def _check(plan: Plan) -> None:
    """Refuse what needs the whole picture at once."""
    style = plan.style
    if style.canvas != "pixels" or style.rule != "mean":
        raise UsageError("on disk only pixels can be painted: use --canvas pixels")
    if any(type(wish.place) is not FullImage for wish in plan.wishes):
        raise UsageError("on disk there are no places: the whole picture is painted")
    if style.jitter or any(any(stage.blur) for _, stage in plan.stages):
        raise UsageError("on disk there is neither blur nor jitter: use another preset")
    if plan.tiling.order in ("none", "fixed") or plan.tiling.padding == "mean":
        raise UsageError("on disk tiles are spiral, grid or random, and padding reflects or wraps")
