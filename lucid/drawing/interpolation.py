"""A row of pictures from one objective to another, which keep their composition."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Unpack

import torch
from PIL import Image

from lucid.core.canvas import BROAD_PARTS, Canvas, FourierCanvas, WrappingCanvas
from lucid.core.objectives import Objective
from lucid.drawing.loop import passes
from lucid.drawing.options import DrawOptions
from lucid.drawing.plan import prepare
from lucid.drawing.progress import Progress
from lucid.drawing.recipe import draw_recipe
from lucid.errors import Stop, UsageError, tell
from lucid.imaging.io import Picture
from lucid.imaging.recipes import with_recipe
from lucid.nets.registry import NetLike, to_net


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def draw_interpolated(
    net: NetLike,
    first: Objective,
    last: Objective,
    base: Picture | None = None,
    *,
    count: int,
    share_broad: bool = True,
    watch: Callable[[list[Progress]], object] | None = None,
    **options: Unpack[DrawOptions],
) -> list[Image.Image]:
    """Paint a row of pictures whose objective goes from one to another, step by step.

    All start from the same noise, are shown the same parts, and share their broad shapes after
    each pass, so that the same thing stands at the same place in all of them (interpolations of
    Olah, Mordvintsev and Schubert, "Feature Visualization", 2017; a low-resolution canvas that a
    batch shares, "Differentiable Image Parameterizations", 2018).

    Args:
        net: any net, or its name.
        first: what the first picture maximises, such as ``lucid.Channel("8", 5)``.
        last: what the last picture maximises.
        base: the picture to paint on; None for noise.
        count: number of pictures, 2 or more.
        share_broad: whether the pictures share their broad shapes: waves of which at most four fit
            into the picture. Canvases other than ``fourier`` share none.
        watch: called after each pass of all pictures; False, or ``lucid.Stop``, stops with the
            pictures so far.
        options: see ``DrawOptions``.

    Returns:
        The pictures, RGB. Each carries a recipe, which only a program can follow.

    Raises:
        UsageError: an option makes no sense, or the net lacks a class or layer.

    >>> import lucid
    >>> row = lucid.draw_interpolated(
    ...     "lucid64", lucid.Channel("8", 5), lucid.Channel("8", 9), count=3, size=48, iterations=1
    ... )
    >>> [picture.size for picture in row]
    [(48, 48), (48, 48), (48, 48)]
    """
    if not isinstance(count, int) or count < 2:
        raise UsageError(f"count={count!r} must be a whole number, 2 or more")
    for objective in (first, last):
        if not isinstance(objective, Objective):
            raise UsageError(f"{objective!r} is no objective: lucid.classes(net, NAME) makes one")
    net = to_net(net)
    targets = [
        (1 - number / (count - 1)) * first + (number / (count - 1)) * last
        for number in range(count)
    ]
    plans = [prepare(net, target, base, **options) for target in targets]
    stages: list[Progress] = []
    passed = 0
    with contextlib.suppress(Stop):
        for each in zip(*map(passes, plans), strict=True):
            stages = list(each)
            passed += 1
            if share_broad:
                share_broad_waves([stage.canvas for stage in stages])
            tell(watch, stages)
    unfinished = passed if stages[0].done < stages[0].total else None
    pictures = []
    for plan, stage in zip(plans, stages, strict=True):
        recipe = draw_recipe(plan, passes=unfinished)
        pictures.append(with_recipe(stage.picture(), recipe))
    return pictures


def share_broad_waves(canvases: Sequence[Canvas]) -> None:
    """Give canvases of Fourier coefficients, all of one size, the mean of their broad waves."""
    inner = list(canvases)
    while any(isinstance(each, WrappingCanvas) for each in inner):
        inner = [each.canvas if isinstance(each, WrappingCanvas) else each for each in inner]
    fourier = [each for each in inner if isinstance(each, FourierCanvas)]
    if len(fourier) < len(inner):
        return
    broad = (fourier[0].wavelengths() > min(fourier[0].size) / BROAD_PARTS)[..., None]
    with torch.no_grad():
        mean = torch.stack([each.parameter for each in fourier]).mean(0)
        for each in fourier:
            each.parameter.copy_(torch.where(broad, mean, each.parameter))
