"""Paint pictures that are larger than memory, as pixels in a file.

Tiles stream through the net; their gradients are summed in a second file, and the canvas moves
block by block. So a picture may be as large as the disk, and a run that was killed goes on from
its last whole pass.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import math
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor

from lucid.core.ascent import View
from lucid.core.canvas import grey_noise
from lucid.core.device import Runtime, to_device
from lucid.core.optimizers import DeepDreamStep
from lucid.drawing.climb import Climb
from lucid.drawing.config import default_config, on_canvas
from lucid.drawing.disk_tensors import TensorFolder, bands, block, blocks_along, widen
from lucid.drawing.fingerprint import fingerprint
from lucid.drawing.options import DrawOptions, complete_options
from lucid.drawing.plan import Plan, prepare
from lucid.drawing.targets import Target, Targets
from lucid.errors import LucidError, UsageError
from lucid.imaging import Size
from lucid.imaging.files import atomic_write, check_writable
from lucid.imaging.io import Picture, write_png_rows
from lucid.imaging.output_paths import reserve
from lucid.nets.registry import NetLike, to_net
from lucid.reading import parse_table, read_text
from lucid.tiling.octaves import add_detail, detail
from lucid.tiling.tiles import Batch, Pass, TileView

log = logging.getLogger("lucid")

CHUNK = 64
"""Tiles that are cut at once: a multiple of every batch size that lucid chooses."""

BYTES_PER_PIXEL = 4 * (3 + 3 + 3 + 3 + 1)
"""Bytes of disk: the canvas before and after a pass, the tiles' gradients, the update made of
them, and the blending weights."""

STATE = "state.json"
FILES = ("canvas_*", "gradient", "update", "weights", "wide", "change", "larger", ".lucid-*")


def draw_on_disk(
    net: NetLike,
    targets: Targets,
    path: Path,
    base: Picture | None = None,
    *,
    resume: bool = False,
    replace: bool = True,
    metadata: Callable[[Plan], str] | None = None,
    watch: Callable[[int, int], None] | None = None,
    **options: Unpack[DrawOptions],
) -> None:
    """Paint what ``draw`` paints on the canvas ``pixels``, in files, and write it as PNG.

    Beside the picture a folder named after it with ``.part`` holds ``BYTES_PER_PIXEL`` bytes per
    pixel until the picture is whole.

    Args:
        net: the net that paints.
        targets: what to paint, as for ``draw``; without regions.
        path: where to write; it ends in ``.png``.
        base: the picture to paint on; at its own size it must fit into memory.
        resume: whether to go on where a run with the same arguments was killed. The picture is
            the same as without the interruption.
        replace: whether to replace an existing file (see ``lucid.imaging.files.atomic_write``).
        metadata: makes a text of the plan, once it is painted, to keep in the file.
        watch: called with the pixels passed over so far, and their total.
        options: see ``DrawOptions``; without mask, keep_colors, blur, jitter, and the orders
            none and fixed. The default config is that of the canvas ``pixels``.

    Raises:
        UsageError: an option makes no sense here; another process is painting this picture; there
            is nothing to resume, or there is and ``resume`` is not given.
        LucidError: what is to be resumed was begun with other settings; the disk is full.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path}: what is painted on disk is written as .png")
    with reserve(path):
        _draw(net, targets, path, base, resume, replace, metadata, watch, options)


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def _draw(
    net: NetLike,
    targets: Targets,
    path: Path,
    base: Picture | None,
    resume: bool,
    replace: bool,
    metadata: Callable[[Plan], str] | None,
    watch: Callable[[int, int], None] | None,
    options: DrawOptions,
) -> None:
    """Do what ``draw_on_disk`` does, while the picture is reserved."""
    folder = _folder(path)
    before = _read_state(folder, options.get("seed")) if resume else None
    settings = complete_options(options)
    net = to_net(net)
    if not settings["config"]:
        settings["config"] = on_canvas(default_config(net, on_base=base is not None), "pixels")
    if before:
        runtime = settings["runtime"] or Runtime()
        settings["runtime"] = dataclasses.replace(runtime, batch=before.batch)
        settings["seed"] = before.seed
    plan = prepare(net, targets, base, **settings)
    _check(plan)
    check_writable(path, plan.size)
    try:
        climb = DiskClimb(plan, folder, before, watch or (lambda done, total: None))
        while climb.step():
            pass
        rows = (climb.pixels[:, band] for band in bands(plan.size))
        text = metadata(plan) if metadata else ""
        write_png_rows(rows, plan.size, path, text, replace=replace)
        climb.end()
    except OSError as error:
        raise LucidError(
            f"{folder}: {error.strerror or error}; --resume goes on from the last whole pass"
        ) from error


def seed_to_resume(path: Path, seed: int | None = None) -> int:
    """The seed of the drawing at ``path`` that was cut short.

    Raises:
        UsageError: there is no such drawing, or its seed is not the one given.
    """
    return _read_state(_folder(path), seed).seed


@dataclass(frozen=True)
class _State:
    """Where a run stands after a whole pass of an octave, for a killed run to go on from.

    ``generator`` is the state of the random numbers, as hex digits.
    """

    fingerprint: str
    seed: int
    octave: int
    passes: int
    batch: int | None
    generator: str

    def check(self) -> None:
        """Raise a ValueError or TypeError for values that no run has written."""
        counts = (self.seed, self.octave, self.passes, 1 if self.batch is None else self.batch)
        if not all(type(count) is int and count >= 0 for count in counts):
            raise ValueError("a number is no count")
        bytes.fromhex(self.generator)

    @property
    def canvas(self) -> str:
        """The name of the file that holds the canvas."""
        return f"canvas_{self.octave}_{self.passes}"


class DiskClimb(Climb):
    """A drawing whose canvas lies in a folder; ``state`` is what a killed run had done before."""

    pixels: Tensor  # the canvas, (3, height, width), in a file
    _weighted: Pass | None  # whose weights are in a file
    _tiles: int  # of the pass under way
    _shown: int

    def __init__(
        self, plan: Plan, folder: Path, state: _State | None, watch: Callable[[int, int], None]
    ) -> None:
        self.files, self.state, self.watch = TensorFolder(folder), state, watch
        self.fingerprint = fingerprint(plan)
        super().__init__(plan)

    def _begin(self) -> None:
        """Make the folder ready, or refuse it; go to where a killed run left it."""
        folder, state = self.files.folder, self.state
        if state is None:
            if (folder / STATE).exists():
                raise UsageError(
                    f"{folder} holds a drawing that was cut short: --resume goes on with it; "
                    "remove it to begin anew"
                )
            _check_disk(folder.parent, self.plan.size)
            folder.mkdir(exist_ok=True)
            self.files.delete(*FILES)
            log.warning("painting pixels in files in %s; if cut short, --resume goes on", folder)
            self._begin_octave()
            return
        if state.fingerprint != self.fingerprint:
            raise UsageError(f"{folder} was begun with other settings: give the same, or remove it")
        self.files.delete(*FILES, keep=state.canvas)
        for index, (_, octave) in enumerate(self.plan.octaves[: state.octave + 1]):
            self._octave, self._number = index, 0
            for _ in range(octave.iterations if index < state.octave else state.passes):
                self._count_pass()
        self.pixels = self.files.tensor(state.canvas, 3, *self._current[0])
        digits = bytearray.fromhex(state.generator)
        self.generator.set_state(torch.frombuffer(digits, dtype=torch.uint8))

    def end(self) -> None:
        """Remove the folder."""
        self.files.delete(*FILES, STATE)
        self.files.folder.rmdir()

    def _begin_octave(self) -> None:
        """Make the canvas of an octave, (3, height, width), in a file."""
        self.files.delete("gradient", "update")
        size, _ = self._current
        self.pixels = self._start_pixels(self._octave, size, self.pixels if self._octave else None)
        self._save_state()

    def _begin_pass(self) -> None:
        """Copy the canvas, so that a pass that is cut short leaves the canvas before it."""
        super()._begin_pass()
        size, _ = self._current
        names = [f"canvas_{self._octave}_{self._number + more}" for more in (0, 1)]
        before, after = (self.files.folder / name for name in names)
        shutil.copyfile(before, after)
        self.pixels = self.files.tensor(names[1], 3, *size)
        self._tiles = sum(len(view.batch) for view in self._views if isinstance(view, TileView))
        self._shown, self._weighted = 0, None

    def _end_pass(self) -> None:
        self.files.delete("weights")
        self._count_pass()
        self._save_state()

    def _start_pixels(self, index: int, size: Size, painted: Tensor | None) -> Tensor:
        """What an octave starts with, as ``tiling.octaves.start_image`` has it."""
        plan, base, space = self.plan, self.plan.base, self.plan.config.detail_space
        canvas = self.files.tensor(f"canvas_{index}_0", 3, *size)
        if base is None and painted is None:
            return grey_noise(canvas, plan.config.background, self.generator)
        if base is None:
            assert painted is not None
            return self.files.resize(painted, canvas, wrap=plan.wrap).clamp_(0, 1)
        self.files.resize(base, canvas, wrap=plan.wrap).clamp_(0, 1)
        if painted is None:
            return canvas
        change = self.files.tensor("change", *painted.shape)
        self.files.resize(base, change, wrap=plan.wrap)
        for rows in bands((painted.shape[1], painted.shape[2])):
            change[:, rows] = detail(painted[:, rows], change[:, rows], space)
        larger = self.files.tensor("larger", 3, *size)
        self.files.resize(change, larger, wrap=plan.wrap)
        for rows in bands(size):
            canvas[:, rows] = add_detail(canvas[:, rows], larger[:, rows], space)
        self.files.delete("change", "larger")
        return canvas

    def _paint(self, target: Target, view: View) -> None:
        """Move the canvas by one ring of tiles."""
        assert isinstance(view, TileView)  # as _check sees to
        plan, (size, _), tile_pass = self.plan, self._current, view.tile_pass
        settings, canvas = self._settings, self.pixels
        gradient = self.files.tensor("gradient", 3, *size)
        if tile_pass is not self._weighted:  # of the pass of another target
            self.files.delete("weights")
        weights = self.files.tensor("weights", 1, *size)
        window = tile_pass.window(weights)
        if tile_pass is not self._weighted:
            for tile in itertools.chain(*tile_pass.batches):
                tile_pass.add(weights, tile, window[None])
            self._weighted = tile_pass
        for first in range(0, len(view.batch), CHUNK):
            chunk = view.batch[first : first + CHUNK]
            cuts = [TileView(tile_pass, [tile]).gather(canvas) for tile in chunk]
            tiles = to_device(torch.cat(cuts), plan.ascent.device)
            step = settings.step(TileView(tile_pass, chunk), target.objective)
            grads = plan.ascent.input_grad(tiles, step).cpu()
            for tile, value in zip(chunk, grads * window, strict=True):
                tile_pass.add(gradient, tile, value)
            self._shown += len(chunk)
            self.watch(self.done + math.prod(size) * self._shown // self._tiles, plan.total)
        optimizer = DeepDreamStep(settings.lr, settings.blur_sigmas)
        blocks = _blocks(tile_pass, view.batch, optimizer)
        self._move(canvas, gradient, weights, blocks, optimizer)

    def _move(
        self,
        canvas: Tensor,
        gradient: Tensor,
        weights: Tensor,
        blocks: list[tuple[slice, slice]],
        optimizer: DeepDreamStep,
    ) -> None:
        """Move blocks of the canvas along the gradient, and set the gradient to zero there."""
        height, width = canvas.shape[1:]
        update = self.files.tensor("update", *canvas.shape)

        def blur(rows_and_columns: tuple[slice, slice]) -> tuple[float, int]:
            rows, columns = rows_and_columns
            wide_rows, inner_rows = widen(rows, optimizer.radius, height)
            wide_columns, inner_columns = widen(columns, optimizer.radius, width)
            grad = gradient[:, wide_rows, wide_columns] / weights[:, wide_rows, wide_columns]
            blurred = optimizer.with_blurred_copies(grad)
            update[:, rows, columns] = blurred[:, inner_rows, inner_columns]
            moved = grad[:, inner_rows, inner_columns].count_nonzero()
            # Plain numbers: a tensor that is kept holds a heap open that would shrink.
            return float(update[:, rows, columns].abs().sum()), int(moved)

        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            totals, counts = zip(*threads.map(blur, blocks), strict=True)
        mean = optimizer.safe_mean(torch.tensor(sum(totals)), torch.tensor(sum(counts)))
        length = optimizer.lr / mean
        for rows, columns in blocks:
            canvas[:, rows, columns].add_(length * update[:, rows, columns]).clamp_(0, 1)
            gradient[:, rows, columns] = 0

    def _save_state(self) -> None:
        """Record that a pass is whole, and delete the canvas before it."""
        before, plan = self.state, self.plan
        digits = self.generator.get_state().numpy().tobytes().hex()
        self.state = _State(
            *(self.fingerprint, plan.seed, self._octave, self._number),
            *(plan.ascent.batch, digits),
        )
        with atomic_write(self.files.folder / STATE) as part:
            part.write_text(json.dumps(dataclasses.asdict(self.state)), encoding="utf-8")
        if before and before.canvas != self.state.canvas:
            self.files.delete(before.canvas)


def _blocks(tile_pass: Pass, batch: Batch, optimizer: DeepDreamStep) -> list[tuple[slice, slice]]:
    """The blocks of the picture, as rows and columns, that a batch of tiles moves."""
    height, width = tile_pass.size
    touched = {
        (row, column)
        for tile in batch
        for _, rows in tile_pass.overlaps(tile.top, 0)
        for _, columns in tile_pass.overlaps(tile.left, 1)
        for row in blocks_along(rows, optimizer.radius, height)
        for column in blocks_along(columns, optimizer.radius, width)
    }
    return [(block(row, height), block(column, width)) for row, column in touched]


def _folder(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _read_state(folder: Path, seed: int | None) -> _State:
    """What a killed run recorded last; ``seed`` is the one asked for, if any is."""
    try:
        state = _State(**parse_table(read_text(folder / STATE), folder / STATE, as_json=True))
        state.check()
        (folder / state.canvas).stat()
    except (OSError, ValueError, TypeError, LucidError) as error:
        raise UsageError(f"{folder} holds nothing to resume: leave --resume out") from error
    if seed not in (None, state.seed):
        raise UsageError(f"{folder} was begun with seed {state.seed}, not {seed}")
    return state


def _check_disk(folder: Path, size: Size) -> None:
    """Refuse a picture for which there is not enough room."""
    needed = BYTES_PER_PIXEL * math.prod(size)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise LucidError(
            f"{folder}: painting {size[1]}x{size[0]} needs {needed / 2**30:.1f} GiB of disk "
            f"there, and {free / 2**30:.1f} are free"
        )


def _check(plan: Plan) -> None:
    """Refuse what needs the whole picture at once."""
    config = plan.config
    if config.canvas != "pixels" or config.optimizer != "deepdream":
        raise UsageError("on disk only pixels can be painted: use --canvas pixels")
    if plan.canvas or plan.optimizer or callable(plan.tiling.order) or plan.transforms:
        raise UsageError("on disk nothing of your own is used: leave canvas, order and so on out")
    if any(target.region for target in plan.targets) or plan.mask is not None:
        raise UsageError("on disk there are no regions: the whole picture is painted")
    if plan.edits:
        raise UsageError("on disk nothing changes under way: leave at out")
    if config.weight_decay or plan.alpha:
        raise UsageError("on disk nothing decays or is transparent: leave that out")
    if plan.keep_colors:
        raise UsageError("on disk a base cannot keep its colours: leave keep_colors out")
    if config.jitter or any(any(octave.blur) for _, octave in plan.octaves):
        raise UsageError("on disk there is neither blur nor jitter: use another preset")
    if plan.tiling.order in ("none", "fixed") or plan.tiling.padding == "mean":
        raise UsageError("on disk tiles are spiral, grid or random, and padding reflects or wraps")
