"""A drawing under way: ring by ring, and open to changes between two rings."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Unpack

import torch
from PIL import Image
from torch import Generator, Tensor

from lucid.core.ascent import View
from lucid.core.canvas import Canvas
from lucid.core.device import check_memory
from lucid.core.optimizers import (
    Adam,
    DeepDreamStep,
    Optimizer,
    TorchOptimizer,
    is_torch_optimizer,
)
from lucid.drawing.config import OctaveConfig
from lucid.drawing.edits import Edit, Moment, TimedEdit, edited, find_mask
from lucid.drawing.importance import Importance
from lucid.drawing.octave_canvas import octave_canvas, paintable
from lucid.drawing.plan import Plan
from lucid.drawing.progress import Progress
from lucid.drawing.recipe import draw_recipe
from lucid.drawing.snapshot import Snapshot, count_bytes
from lucid.drawing.targets import Target
from lucid.errors import UsageError
from lucid.imaging import Size
from lucid.imaging.recipes import with_recipe
from lucid.plugins import call
from lucid.tiling.octaves import back_project, resize, start_image
from lucid.tiling.regions import MaskRegion, best_tile_first
from lucid.tiling.tiles import RolledView, TileView


class Climb:
    """A drawing under way, which a program moves on, changes, copies and sets back.

    ``draw``, ``grow``, films, drawings on disk and the studio are loops over ``step``.

    Attributes:
        plan: what is painted from now on.
        edits: the changes that were made, each with its moment.
        planned: the changes that are to come.
        passes: whole passes so far.
        rings: rings so far of the pass under way.
        done: pixels passed over so far.
        canvas: what is painted.

    >>> import lucid
    >>> plan = lucid.prepare("lucid64", "lion", size=64, iterations=2)
    >>> climb = lucid.Climb(plan)
    >>> while climb.passes < 3 and climb.step():
    ...     pass
    >>> climb.edit(targets={"lion": 1, "monarch": 0.5}, strength=0.5)
    >>> climb.finish().size
    (64, 64)
    """

    canvas: Canvas
    _optimizer: Optimizer

    @torch.inference_mode(False)  # whatever the caller's modes are
    def __init__(self, plan: Plan, generator: Generator | None = None) -> None:
        """Begin a drawing.

        Args:
            plan: made by ``lucid.prepare``; its own edits are made when their moments come.
            generator: of the random numbers, in place of a new one with the plan's seed.

        Raises:
            UsageError: this machine cannot hold the picture.
        """
        self.plan = self._begun = plan
        self.generator = generator or torch.Generator().manual_seed(plan.seed)
        self.importance = Importance(plan.size) if plan.alpha else None
        self.edits: tuple[TimedEdit, ...] = ()
        self.passes = self.rings = self.done = 0
        self.stopped = False
        self.planned = plan.edits
        self._octave = 0
        self._number = 0  # of the pass in its octave
        self._composed = 0  # pixels passed over in octaves that paint more than detail
        self._painted: Tensor | None = None  # what the octave before ended with
        self._painted_on = paintable(plan, plan.size)
        self._changed: Tensor | None = None  # where the last edit moved masks
        self._rest: deque[tuple[Target, View]] = deque()  # of the pass under way
        self._views: Sequence[View] = ()
        self._begin()

    @property
    def moment(self) -> Moment:
        """Whole passes so far, and rings of the next."""
        return self.passes, self.rings

    @property
    def finished(self) -> bool:
        """Whether nothing is left to paint; an edit may change that."""
        last = self._octave == len(self.plan.octaves) - 1
        return self.stopped or (last and self._number >= self._current[1].iterations)

    @property
    def _current(self) -> tuple[Size, OctaveConfig]:
        """The octave under way, with its size."""
        return self.plan.octaves[self._octave]

    @torch.inference_mode(False)  # whatever the caller's modes are
    @torch.enable_grad()
    def step(self) -> bool:
        """Paint one ring of tiles; where one pass has none, only count the pass.

        Returns:
            Whether there was anything left to do.

        Raises:
            LucidError: the step does not fit into memory.
        """
        while self.planned and self.planned[0][0] <= self.moment:
            (_, edit), *later = self.planned
            self.planned = tuple(later)
            self.edit(**edit)
        if self.finished:
            return False
        if not self._rest:
            self._begin_pass()
        if self._rest:
            self._paint(*self._rest.popleft())
            self.rings += 1
        if not self._rest:
            self._end_pass()
        return True

    def _begin(self) -> None:
        """Make the first canvas, if there is memory for it."""
        check_memory(self.plan.size, self.plan.tiling.tile)
        self._begin_octave()

    def _begin_octave(self) -> None:
        """Make the canvas of an octave, with what the one before ended with."""
        if self._octave:
            self._painted = self.canvas.image().detach()
        self._replace_canvas(*self._start(self._painted))

    def _start(self, painted: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """What an octave begins with, and what it shows where nothing may change."""
        plan, (size, _) = self.plan, self._current
        base = None if plan.base is None else plan.base.to(plan.ascent.device)
        space = plan.config.detail_space
        start = start_image(size, painted, base, wrap=plan.wrap, detail_space=space)
        if base is None or self._painted_on is None:
            return start, start
        # Enlarging spreads what an octave changed a little beyond its mask.
        unchanged = start_image(size, None, base, wrap=plan.wrap)
        where = MaskRegion(self._painted_on).mask(size) if self.edits else paintable(plan, size)
        assert start is not None
        assert where is not None
        assert unchanged is not None
        return start, torch.where(where.to(start) > 0, start, unchanged)

    def _begin_pass(self) -> None:
        """Draw the settings of a pass, and what the net is shown in it."""
        if self._number >= self._current[1].iterations:
            self._octave, self._number = self._octave + 1, 0
            self._begin_octave()
        plan, (size, octave) = self.plan, self._current
        self._settings = plan.pass_settings(
            size, octave, self._number, self._composed, self.generator
        )
        own = octave.detail or octave.layer
        for target in plan.octave_targets(octave) if own else plan.targets:
            views: Sequence[View]
            if target.region is None:
                views = self._settings.tiling.cut(size, self.generator).views()
            else:
                views = target.region.views(size, self._settings.tiling, self.generator)
            if self._changed is not None and self._changed.shape == size:
                views = best_tile_first(views, self._changed)  # so that a stroke is seen at once
            for view in views:
                self._rest.append((target, view))
        self._changed = None
        _, self._views = zip(*self._rest, strict=True) if self._rest else ((), ())
        if plan.base is not None and any(target.objective.sees_base for target, _ in self._rest):
            self._base = resize(plan.base.to(plan.ascent.device), size, wrap=plan.wrap)

    def _paint(self, target: Target, view: View) -> None:
        """Take a step with one ring of tiles."""
        plan, (_, octave) = self.plan, self._current
        jitter, shown = plan.config.jitter, view
        if jitter and not octave.detail and isinstance(view, TileView):
            dy, dx = torch.randint(-jitter, jitter + 1, (2,), generator=self.generator).tolist()
            shown = RolledView(view, dy, dx)
        if self.importance:
            shown = self.importance.record(shown)
        step = self._settings.step(shown, target.objective)
        if target.objective.sees_base and plan.base is not None:
            step = dataclasses.replace(step, base=shown.gather(self._base))
        self._optimizer.lr = self._settings.lr
        if isinstance(self._optimizer, DeepDreamStep):
            self._optimizer.blur_sigmas = self._settings.blur_sigmas
        plan.ascent.step(self.canvas, step, self._optimizer)

    def _end_pass(self) -> None:
        """Do what is done after every pass, and count it."""
        plan, settings = self.plan, self._settings
        if settings.blur:
            self.canvas.blur(settings.blur)
        if plan.config.weight_decay:
            self.canvas.decay(max(0, 1 - settings.lr * plan.config.weight_decay))
        self._count_pass()
        _, octave = self._current
        if octave.detail and self._number == octave.iterations:
            self._restore_composition()

    def _count_pass(self) -> None:
        size, octave = self._current
        self._number, self.passes, self.rings = self._number + 1, self.passes + 1, 0
        self.done += math.prod(size)
        self._composed += 0 if octave.detail else math.prod(size)

    def _restore_composition(self) -> None:
        """Correct a detail octave to be the octave before when it is shrunk."""
        plan = self.plan
        if self._painted is None or plan.canvas or plan.config.canvas != "fourier":
            return
        corrected = back_project(self.canvas.image().detach(), self._painted, wrap=plan.wrap)
        self._replace_canvas(*self._start(corrected))

    def _replace_canvas(self, start: Tensor | None, background: Tensor | None) -> None:
        """Go on from a picture, (3, height, width), 0..1, of the octave's size."""
        size, octave = self._current
        self.canvas = octave_canvas(self.plan, size, octave, self.generator, start, background)
        self._optimizer = _new_optimizer(self.plan)

    @torch.inference_mode(False)
    @torch.enable_grad()
    def edit(self, **changes: Unpack[Edit]) -> None:
        """Change what is painted, from the next ring on.

        The rest of the pass under way is dropped, and a new pass begins. Where a drawing is
        finished or only adds detail, new targets and masks begin another octave of its size.

        Args:
            changes: see ``Edit``.

        Raises:
            UsageError: a change makes no sense; then nothing has changed.
        """
        before, moment = self.plan, self.moment
        erased = None
        if "erase" in changes:
            erased = find_mask(changes["erase"], before.size, before.base)
        plan = edited(before, changes)
        self.plan = plan
        self.edits += ((moment, changes),)
        self.stopped = bool(changes.get("stop"))
        self._rest.clear()
        self._changed = None
        if (seed := changes.get("seed")) is not None:
            self.generator = torch.Generator().manual_seed(seed)
        if (iterations := changes.get("iterations")) is not None:
            self._set_iterations(max(iterations, self._number))
        if "targets" in changes or "mask" in changes:
            if self.finished or self._current[1].detail:
                self._insert_octave()
            self._painted_on = _union(self._painted_on, paintable(plan, plan.size))
        size, _ = self._current
        old, new = paintable(before, size), paintable(plan, size)
        same = (old is None and new is None) or (
            old is not None and new is not None and torch.equal(old, new)
        )
        if erased is None and same and before.wrap == plan.wrap:
            return
        if old is not None and new is not None:
            self._changed = (new - old).abs()
        image = self.canvas.image().detach()
        if erased is not None:
            grey = torch.full_like(image, plan.config.background)
            base = None if plan.base is None else plan.base.to(image)
            original = start_image(size, None, base, wrap=plan.wrap)
            share = MaskRegion(erased).mask(size).to(image)
            image = image.lerp(grey if original is None else original, share)
        self._replace_canvas(image, image)

    def _set_iterations(self, iterations: int) -> None:
        """Give the octave under way another number of passes."""
        octaves = list(self.plan.octaves)
        size, octave = self._current
        octaves[self._octave] = (size, dataclasses.replace(octave, iterations=iterations))
        self.plan = dataclasses.replace(self.plan, octaves=octaves)

    def _insert_octave(self) -> None:
        """Let an octave like the last that paints more than detail follow, at the present size."""
        self._set_iterations(self._number)
        octaves = list(self.plan.octaves)
        (size, _), composing = self._current, [each for _, each in octaves if not each.detail]
        octaves.insert(self._octave + 1, (size, composing[-1]))
        self.plan = dataclasses.replace(self.plan, octaves=octaves)

    def progress(self) -> Progress:
        """How far the drawing has come."""
        done = max(1, self.done) if self.stopped else self.done
        total = done if self.stopped else self.plan.total
        return Progress(
            *(self.plan, done, total, self._current[0], self.canvas),
            self._painted_on,
            self._views,
            self.plan.ascent.batch,
            self.importance,
        )

    def picture(self) -> Image.Image:
        """The picture so far, at the size that it will have.

        The picture carries its recipe, for ``lucid.save``: ``lucid redo`` makes the same picture
        again, edits and all, and stops where this one stands.
        """
        stop: TimedEdit = (self.moment, {"stop": True})
        edits = self.edits if self.finished else (*self.edits, stop)
        return with_recipe(self.progress().picture(), draw_recipe(self._begun, edits=edits))

    def finish(self) -> Image.Image:
        """Paint what is left, and return the picture."""
        while self.step():
            pass
        return self.picture()

    @torch.inference_mode(False)
    def snapshot(self) -> Snapshot:
        """Copy the climb as it is now, to come back to."""
        self.canvas.parameter.grad = None
        tensors = (self.canvas, self._optimizer, self.importance)
        apart = ("canvas", "_optimizer", "importance", "generator")
        kept = {name: value for name, value in vars(self).items() if name not in apart}
        kept["_rest"] = self._rest.copy()
        copied = copy.deepcopy(tensors)
        held = (copied, self._painted, self._painted_on)
        return Snapshot(kept, self.generator.get_state(), copied, count_bytes(held))

    @torch.inference_mode(False)
    def restore(self, snapshot: Snapshot) -> None:
        """Go back, or forward, to a snapshot of this climb; as often as you like."""
        vars(self).update({**snapshot.state, "_rest": snapshot.state["_rest"].copy()})
        self.canvas, self._optimizer, self.importance = copy.deepcopy(snapshot.tensors)
        self.generator = torch.Generator()
        self.generator.set_state(snapshot.generator)

    def fork(self, seed: int) -> Climb:
        """A second climb that goes on from here with other random numbers; this one stays."""
        other = copy.copy(self)
        other.restore(self.snapshot())
        other.edit(seed=seed)
        return other


def _new_optimizer(plan: Plan) -> Optimizer:
    """The optimizer of an octave: the config's, one of torch's, or one of the user's own."""
    if plan.optimizer is None:
        return Adam(0) if plan.config.optimizer == "adam" else DeepDreamStep(0)
    make: Callable[..., Any] = plan.optimizer
    if is_torch_optimizer(make):
        make = functools.partial(TorchOptimizer, make=make)
    optimizer: Optimizer = call("optimizer", make, lr=0.0)
    if not callable(getattr(optimizer, "step", None)):
        raise UsageError(f"the optimizer is a {type(optimizer).__name__} without step()")
    return optimizer


def _union(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """Where either mask is bright; None for everywhere."""
    return None if one is None or other is None else torch.maximum(one, other)
