"""Paint: octave by octave, pass by pass, tile by tile."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import torch
from PIL import Image
from torch import Generator, Tensor

from lucid.core.ascent import View
from lucid.core.canvas import (
    Canvas,
    FourierCanvas,
    LayeredCanvas,
    PhaseCanvas,
    PixelCanvas,
    TintedCanvas,
)
from lucid.core.cppn import CPPNCanvas
from lucid.core.device import check_memory
from lucid.core.optimizers import (
    Adam,
    DeepDreamStep,
    Optimizer,
    TorchOptimizer,
    is_torch_optimizer,
)
from lucid.drawing.config import OctaveConfig, PassSettings
from lucid.drawing.importance import Importance
from lucid.drawing.options import DrawOptions
from lucid.drawing.plan import Plan, prepare
from lucid.drawing.recipe import draw_recipe
from lucid.drawing.targets import Target, Targets
from lucid.errors import Stop, UsageError, tell
from lucid.imaging import Size
from lucid.imaging.io import Picture, to_pil
from lucid.imaging.recipes import with_recipe
from lucid.nets.registry import NetLike
from lucid.plugins import call
from lucid.tiling.octaves import back_project, resize, start_image
from lucid.tiling.regions import MaskRegion
from lucid.tiling.tiles import RolledView, Tile, TileView

MARGIN = 16
"""Pixels around a picture of Fourier coefficients, so that opposite borders need not fit."""


@dataclass(frozen=True)
class Progress:
    """How far a drawing has come.

    Attributes:
        done: pixels passed over, of ``total`` in all octaves.
        total: pixels to pass over.
        octave: height and width of the octave being painted.
        size: height and width of the last octave.
        canvas: the canvas being painted.
        wrap: whether opposite borders of the picture are to fit together.
        views: what the net was shown in the last pass.
        batch: the most images that the net was shown at once; None while that was one.
        importance: how much each place mattered so far; None unless the picture is to show that.
    """

    done: int
    total: int
    octave: Size
    size: Size
    canvas: Canvas
    wrap: bool
    views: Sequence[View] = ()
    batch: int | None = None
    importance: Importance | None = None

    def tiles(self) -> list[tuple[Tile, Size]]:
        """The tiles of the last pass, in pixels of the octave, each with its size."""
        views = [view for view in self.views if isinstance(view, TileView)]
        return [(tile, view.tile_pass.tile) for view in views for tile in view.batch]

    def picture(self) -> Image.Image:
        """What is painted so far, at the size of the last octave."""
        with torch.no_grad():
            picture = to_pil(resize(self.canvas.image(), self.size, wrap=self.wrap))
        if self.importance:
            picture.putalpha(to_pil(self.importance.alpha().expand(3, -1, -1)).convert("L"))
        return picture


Watch = Callable[[Progress], object]
"""Called after each pass; stops the work by returning False, or by raising ``lucid.Stop``."""


def draw(
    net: NetLike,
    targets: Targets,
    base: Picture | None = None,
    *,
    watch: Watch | None = None,
    **options: Unpack[DrawOptions],
) -> Image.Image:
    """Paint what a net knows.

    The picture's Fourier coefficients maximise the targets (Olah, Mordvintsev and Schubert,
    "Feature Visualization", 2017) through overlapping tiles (Øygard's deepdraw, 2015), at one
    size after another (Mordvintsev, Olah and Tyka, "Inceptionism", 2015).

    Args:
        net: any net, or its name; one with classes, if a class is a target.
        targets: what to paint: a class (its name or number, or the end of a name that only one
            has), a group (``birds``), a mapping of classes to weights, an objective, any function
            of activations, a ``Target`` with a region, or a list of these.
        base: the picture to paint on: a file, a Pillow image, or (3, height, width), RGB, 0..1;
            None for noise.
        watch: called after each pass; False, or ``lucid.Stop``, stops with the picture so far.
        options: see ``DrawOptions``.

    Returns:
        The picture, RGB. It carries its recipe, for ``lucid.save``.

    Raises:
        UsageError: an option makes no sense, or the net lacks a class or layer.
        LucidError: the picture does not fit into memory.

    >>> import lucid
    >>> net = lucid.load("lucid64")
    >>> lucid.draw(net, {"lion": 2, "monarch": 1}, size=(48, 64), iterations=1).size
    (64, 48)
    >>> lucid.draw(net, lambda acts: acts["8"][:, 5].mean(), size=(48, 64), iterations=1).size
    (64, 48)
    """
    plan = prepare(net, targets, base, **options)
    progress, unfinished = run(passes(plan), watch)
    recipe = draw_recipe(plan, targets, base, options, passes=unfinished)
    return with_recipe(progress.picture(), recipe)


def grow(
    net: NetLike,
    targets: Targets,
    base: Picture | None = None,
    *,
    every: int = 8,
    **options: Unpack[DrawOptions],
) -> Iterator[Image.Image]:
    """Paint what a net knows, and show it growing; the last picture is the one of ``draw``.

    Args:
        net: any net; one with classes, if a class is a target.
        targets: what to paint, as for ``draw``.
        base: the picture to paint on; None for noise.
        every: number of passes between two pictures, 1 or more.
        options: see ``DrawOptions``.

    Yields:
        The picture so far, at the size that it will have.

    Raises:
        UsageError: an option makes no sense, or the net lacks a class or layer; raised before
            the first pass.

    >>> import lucid
    >>> net = lucid.load("lucid64")
    >>> stages = lucid.grow(net, "goldfish", size=(64, 64), iterations=1, every=2)
    >>> [stage.size for stage in stages]
    [(64, 64), (64, 64)]
    """
    if every < 1:
        raise UsageError(f"every {every} must be 1 or more")
    plan = prepare(net, targets, base, **options)

    def pictures() -> Iterator[Image.Image]:
        for number, progress in enumerate(passes(plan), start=1):
            finished = progress.done == progress.total
            if number % every == 0 or finished:
                unfinished = None if finished else number
                recipe = draw_recipe(plan, targets, base, options, passes=unfinished)
                yield with_recipe(progress.picture(), recipe)

    return pictures()


def paint(
    plan: Plan,
    *,
    watch: Watch | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Paint what is planned.

    Args:
        plan: made by ``prepare``.
        watch: called after each pass; False, or ``Stop``, stops with the picture so far.
        generator: of the random numbers, in place of a new one with the plan's seed.

    Returns:
        The picture, (3, height, width), RGB, 0..1, on the ascent's device.

    Raises:
        LucidError: the picture does not fit into memory.
    """
    progress, unfinished = run(passes(plan, generator), watch)
    painted = progress.canvas.image().detach()
    return resize(painted, plan.size, wrap=plan.wrap) if unfinished else painted


def run(painting: Iterator[Progress], watch: Watch | None) -> tuple[Progress, int | None]:
    """Paint until the end, or until a watch function stops that.

    Returns:
        How far the drawing has come, and after how many passes it was stopped; None if it is whole.
    """
    number = 0
    with contextlib.suppress(Stop):
        for progress in painting:
            number += 1
            tell(watch, progress)
    return progress, number if progress.done < progress.total else None


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def passes(plan: Plan, generator: Generator | None = None) -> Iterator[Progress]:
    """Paint what is planned, pass by pass, as ``paint`` does.

    Yields:
        How far the drawing has come, after each pass.

    Raises:
        UsageError: this machine cannot hold the picture.
        LucidError: a step does not fit into memory.
    """
    check_memory(plan.size, plan.tiling.tile)
    generator = generator or torch.Generator().manual_seed(plan.seed)
    config, ascent = plan.config, plan.ascent
    base = None if plan.base is None else plan.base.to(ascent.device)
    done, total, painted = 0, plan.total, None
    if plan.importance:
        plan.importance.total = None
    for size, octave in plan.octaves:
        canvas = _canvas(plan, size, octave, painted, base, generator)
        targets = plan.octave_targets(octave) if octave.detail or octave.layer else plan.targets
        optimizer: Optimizer = Adam(0) if config.optimizer == "adam" else DeepDreamStep(0)
        if plan.optimizer:
            optimizer = _own_optimizer(plan.optimizer)
        seen = base is not None and any(target.objective.sees_base for target in targets)
        resized = resize(base, size, wrap=plan.wrap) if base is not None and seen else None
        for number in range(octave.iterations):
            settings = plan.pass_settings(size, octave, number, done, generator)
            optimizer.lr = settings.lr
            if isinstance(optimizer, DeepDreamStep):
                optimizer.blur_sigmas = settings.blur_sigmas
            views = _views(targets, size, settings, generator)
            for target, view in views:
                shown = view
                if config.jitter and not octave.detail and isinstance(view, TileView):
                    dy, dx = torch.randint(
                        -config.jitter, config.jitter + 1, (2,), generator=generator
                    ).tolist()
                    shown = RolledView(view, dy, dx)
                if plan.importance:
                    shown = plan.importance.record(shown)
                step = settings.step(shown, target.objective)
                if target.objective.sees_base and resized is not None:
                    step = dataclasses.replace(step, base=shown.gather(resized))
                ascent.step(canvas, step, optimizer)
            if settings.blur:
                canvas.blur(settings.blur)
            if config.weight_decay:
                canvas.decay(max(0, 1 - settings.lr * config.weight_decay))
            if octave.detail and number == octave.iterations - 1:
                canvas = _with_composition(plan, size, octave, canvas, painted, base, generator)
            done += math.prod(size)
            yield Progress(
                *(done, total, size, plan.size, canvas, plan.wrap),
                [view for _, view in views],
                ascent.batch,
                plan.importance,
            )
        painted = canvas.image().detach()


def _own_optimizer(make: Callable[..., Any]) -> Optimizer:
    """Make an optimizer of the user's own, or one of torch's."""
    if is_torch_optimizer(make):
        make = functools.partial(TorchOptimizer, make=make)
    optimizer: Optimizer = call("optimizer", make, lr=0.0)
    if not callable(getattr(optimizer, "step", None)):
        raise UsageError(f"the optimizer is a {type(optimizer).__name__} without step()")
    return optimizer


def _views(
    targets: Sequence[Target], size: Size, settings: PassSettings, generator: Generator
) -> list[tuple[Target, View]]:
    """Draw what the net is shown in one pass, for each target."""
    views: list[tuple[Target, View]] = []
    for target in targets:
        drawn: Sequence[View]
        if target.region is None:
            drawn = settings.tiling.cut(size, generator).views()
        else:
            drawn = target.region.views(size, settings.tiling, generator)
        for view in drawn:
            views.append((target, view))
    return views


def _canvas(
    plan: Plan,
    size: Size,
    octave: OctaveConfig,
    painted: Tensor | None,
    base: Tensor | None,
    generator: Generator,
) -> Canvas:
    """The canvas of an octave: what was painted before, a base, or noise; with its mask."""
    config = plan.config
    start = None
    if painted is not None or base is not None:
        start = start_image(size, painted, base, wrap=plan.wrap, detail_space=config.detail_space)
    if plan.canvas:
        given = {"start": start, "generator": generator, "device": plan.ascent.device}
        canvas = call("canvas", plan.canvas, size=size, **given)
        if not isinstance(canvas, Canvas):
            raise UsageError(f"the canvas is a {type(canvas).__name__}: derive it from Canvas")
        if (shape := tuple(canvas.image().shape)) != (3, *size):
            raise UsageError(
                f"the canvas's image() must be of shape {(3, *size)}, RGB, not {shape}"
            )
    else:
        canvas = _unmasked_canvas(plan, size, octave, start, generator)
    resized = None if base is None else start_image(size, None, base, wrap=plan.wrap)
    if plan.keep_colors and resized is not None:
        canvas = TintedCanvas(canvas, resized)
    mask = paintable(plan, size)
    if mask is None:
        return canvas
    background = canvas.image().detach() if start is None else start
    mask = mask.to(background)
    if resized is not None:
        # Enlarging spreads what an octave changed a little beyond its mask.
        background = torch.where(mask > 0, background, resized)
    return LayeredCanvas(canvas, background, mask)


def _with_composition(
    plan: Plan,
    size: Size,
    octave: OctaveConfig,
    canvas: Canvas,
    painted: Tensor | None,
    base: Tensor | None,
    generator: Generator,
) -> Canvas:
    """The canvas of a detail octave, corrected to be the octave before when it is shrunk."""
    if painted is None or plan.canvas or plan.config.canvas != "fourier":
        return canvas
    corrected = back_project(canvas.image().detach(), painted, wrap=plan.wrap)
    return _canvas(plan, size, octave, corrected, base, generator)


def _unmasked_canvas(
    plan: Plan, size: Size, octave: OctaveConfig, start: Tensor | None, generator: Generator
) -> Canvas:
    """A canvas that starts from a picture, or from noise."""
    config, margin = plan.config, 0 if plan.wrap else MARGIN
    given: dict[str, Any] = {"generator": generator, "device": plan.ascent.device}
    if config.canvas == "pixels":
        grey = {"background": config.background, **given}
        return PixelCanvas.noise(size, **grey) if start is None else PixelCanvas(start)
    if config.canvas == "phase" and start is None:
        return PhaseCanvas.noise(size, margin=margin, **given)
    if config.canvas == "phase" and start is not None:
        return PhaseCanvas.from_image(start, margin=margin)
    if config.canvas == "cppn" and start is None:
        return CPPNCanvas.noise(size, **given)
    if start is not None:
        decay_power = config.detail_decay_power if octave.detail else config.decay_power
        return FourierCanvas.from_image(start, decay_power=decay_power, margin=margin)
    given |= {"decay_power": config.decay_power, "variety": config.variety, "margin": margin}
    return FourierCanvas.noise(size, **given)


def paintable(plan: Plan, size: Size) -> Tensor | None:
    """Where anything may change, (*size,), 0..1; None for everywhere."""
    regions = []
    for target in plan.targets:
        if target.region is not None:
            regions.append(target.region.mask(size))
    limited = torch.stack(regions).amax(0) if len(regions) == len(plan.targets) else None
    if plan.mask is None:
        return limited
    mask = MaskRegion(plan.mask).mask(size)
    return mask if limited is None else mask * limited
