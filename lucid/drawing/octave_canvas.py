"""The canvas of an octave: what was painted before, a base, or noise; with its mask."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from lucid.core.canvas import (
    Canvas,
    FourierCanvas,
    LayeredCanvas,
    PhaseCanvas,
    PixelCanvas,
    TintedCanvas,
)
from lucid.core.cppn import CPPNCanvas
from lucid.drawing.config import OctaveConfig
from lucid.drawing.plan import Plan
from lucid.errors import UsageError
from lucid.imaging import Size
from lucid.plugins import call
from lucid.tiling.octaves import start_image
from lucid.tiling.regions import MaskRegion

MARGIN = 16
"""Pixels around a picture of Fourier coefficients, so that opposite borders need not fit."""


def octave_canvas(
    plan: Plan,
    size: Size,
    octave: OctaveConfig,
    generator: Generator,
    start: Tensor | None,
    background: Tensor | None = None,
) -> Canvas:
    """Make the canvas of an octave.

    Args:
        plan: of the drawing.
        size: (height, width) of the octave.
        octave: its hyperparameters.
        generator: of the random numbers.
        start: what to begin with, (3, *size), 0..1; None for noise.
        background: what is shown where nothing may change, (3, *size), 0..1; None for the start.

    Raises:
        UsageError: the canvas is of the user's own, and is none.
    """
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
        canvas = _unmasked_canvas(plan, size, octave, generator, start)
    if plan.keep_colors and plan.base is not None:
        colours = start_image(size, None, plan.base.to(plan.ascent.device), wrap=plan.wrap)
        assert colours is not None
        canvas = TintedCanvas(canvas, colours)
    mask = paintable(plan, size)
    if mask is None:
        return canvas
    if background is None:
        background = canvas.image().detach() if start is None else start
    return LayeredCanvas(canvas, background, mask.to(background))


def _unmasked_canvas(
    plan: Plan, size: Size, octave: OctaveConfig, generator: Generator, start: Tensor | None
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
