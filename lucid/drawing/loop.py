"""Paint a picture from the beginning to the end, and show it growing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Unpack

from PIL import Image
from torch import Generator, Tensor

from lucid.drawing.climb import Climb
from lucid.drawing.options import DrawOptions
from lucid.drawing.plan import Plan, prepare
from lucid.drawing.progress import Progress
from lucid.drawing.recipe import draw_recipe
from lucid.drawing.targets import Targets
from lucid.errors import Stop, UsageError, tell
from lucid.imaging.io import Picture
from lucid.imaging.recipes import with_recipe
from lucid.nets.registry import NetLike

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
    recipe = draw_recipe(plan, passes=unfinished)
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
                recipe = draw_recipe(plan, passes=unfinished)
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
    progress, _ = run(passes(plan, generator), watch)
    return progress.image()


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


def passes(plan: Plan, generator: Generator | None = None) -> Iterator[Progress]:
    """Paint what is planned, pass by pass, as ``paint`` does.

    Yields:
        How far the drawing has come, after each pass.

    Raises:
        UsageError: this machine cannot hold the picture.
        LucidError: a step does not fit into memory.
    """
    climb = Climb(plan, generator)
    shown = (0, 0), 0  # the moment, and how many edits were made
    while climb.step():
        if climb.passes > shown[0][0]:
            shown = climb.moment, len(climb.edits)
            yield climb.progress()
    if shown != (climb.moment, len(climb.edits)):  # by an edit that changes or ends the picture
        yield climb.progress()
