"""Darknet's nightmare: enhance in a picture what the layers of a net respond to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import torch
from PIL import Image
from torch import Tensor

from lucid.core.ascent import Ascent, Step
from lucid.core.canvas import Canvas, PixelCanvas
from lucid.core.device import Runtime, RuntimeOptions, precision_name, reraise_oom, resolve_runtime
from lucid.core.objectives import Enhance
from lucid.core.optimizers import DarknetStep
from lucid.core.provenance import made_by
from lucid.core.receptive_field import WindowPlanner
from lucid.errors import LARGEST, LucidError, Stop, UsageError, tell
from lucid.imaging import Size
from lucid.imaging.io import Picture, to_pil, to_tensor
from lucid.imaging.recipes import Recipe, with_recipe
from lucid.nets.net import Net
from lucid.nets.registry import NetLike, to_net
from lucid.nightmares import darknet_ops
from lucid.nightmares.steps import OCTAVE_SCALE, NightmareStep, draw_steps, layers_around


@dataclass(frozen=True)
class ShiftedView:
    """The view of a nightmare's step: the whole picture, shifted, resized and mirrored.

    As in Darknet, ``scatter`` resizes the gradient like a picture; it is not the derivative of
    ``gather``.
    """

    step: NightmareStep
    size: Size  # of the picture

    @property
    def scaled_size(self) -> Size:
        """Height and width of what the net is shown."""
        height, width = (max(1, int(length * self.step.scale)) for length in self.size)
        return height, width

    def gather(self, image: Tensor) -> Tensor:
        """Shift, resize and mirror the picture, (3, height, width), into a batch of one."""
        shifted = darknet_ops.shift(image, self.step.dy, self.step.dx)
        resized = darknet_ops.resize(shifted, *self.scaled_size)
        return (resized.flip(2) if self.step.flip else resized)[None]

    def scatter(self, values: Tensor) -> Tensor:
        """Move the gradient of the batch back to the picture's pixels, (3, height, width)."""
        (value,) = values.flip(3) if self.step.flip else values
        resized = darknet_ops.resize(value, *self.size)
        return darknet_ops.shift(resized, -self.step.dy, -self.step.dx)


@dataclass(frozen=True)
class Progress:
    """The steps done, of the total of all rounds, and the picture at work."""

    done: int
    total: int
    canvas: Canvas

    def picture(self) -> Image.Image:
        """Return the picture after the last step."""
        return to_pil(self.canvas.image())


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def nightmare(
    net: NetLike,
    image: Picture,
    layer: str,
    *,
    rounds: int = 1,
    iterations: int = 10,
    layer_range: int = 1,
    octaves: int = 4,
    rate: float = 0.05,
    threshold: float = 1.0,
    zoom: float = 1.0,
    rotate: float = 0.0,
    normalize: bool = True,
    grey: str | float = "auto",
    steps: Sequence[NightmareStep] | None = None,
    tile_size: int | None = None,
    seed: int = 0,
    runtime: Runtime | None = None,
    watch: Callable[[Progress], object] | None = None,
    **legacy: Unpack[RuntimeOptions],
) -> Iterator[Image.Image]:
    """Enhance in a picture what a layer, or the layers around it, respond to.

    The algorithm of ``darknet nightmare`` (Joseph Redmon's nightmare.c): each step shows the
    net the whole picture at a random shift, octave and mirroring, and enhances the features
    to which a layer responds most strongly.

    Args:
        net: any net.
        image: a Pillow image, or (3, height, width), RGB, 0..1.
        layer: name of a layer; a Darknet layer's is its number.
        rounds: number of pictures to make, each from the one before.
        iterations: steps of a round.
        layer_range: number of layers around ``layer`` to draw from.
        octaves: number of scales to draw from, each 3/4 of the one before.
        rate: step size (Darknet's ``-rate``), in units of the picture's 0..1.
        threshold: standard deviations above the mean from which on a feature is enhanced.
        zoom: after each round, the fraction of the picture's middle that fills the next one, above
            0 and at most 4.
        rotate: after each round, the angle by which the picture is rotated, in radians.
        normalize: whether each step is normalized to mean 0 and standard deviation 1.
        grey: the pull towards mid grey. ``darknet``: 0.1 x (0.5 - image), beside the raw gradient;
            a number X: X x (0.5 - image), beside the gradient divided by its standard deviation;
            ``auto``: Darknet's, unless it outweighs the gradient, then 0.1.
        steps: steps to replay, shared out evenly among the rounds, in place of ``iterations``,
            ``layer_range``, ``octaves`` and ``seed``.
        tile_size: largest side, in pixels, that the net is shown at once; a larger picture is
            cut into windows, with the same result but for rounding. Without it, as much as fits
            into half of the memory.
        seed: of the random steps; Darknet's is always 0.
        runtime: where and how to run the net: device and precision.
        watch: called after each step; False, or ``lucid.Stop``, stops after that step, with no
            further picture.
        legacy: version 0.1's ``device``, ``precision`` and ``deterministic``.

    Yields:
        The picture after each round, before it is rotated and zoomed. It carries its recipe.

    Raises:
        UsageError: a setting makes no sense; raised before the first step.
        LucidError: the picture is too small for a layer, or too large for the memory.

    >>> import lucid
    >>> net = lucid.load("lucid64")
    >>> picture = lucid.draw(net, ["goldfish"], size=(64, 64), iterations=1)
    >>> rounds = lucid.nightmare(net, picture, "8", rounds=2, iterations=1, zoom=0.9)
    >>> [dream.size for dream in rounds]
    [(64, 64), (64, 64)]
    """
    check_counts(rounds=rounds, iterations=iterations, range=layer_range, octaves=octaves)
    check_finite(rate=rate, thresh=threshold, rotate=rotate)
    if not 0 < zoom <= 4:
        raise UsageError(f"zoom {zoom} must be above 0 and at most 4: 0.9 goes in, 1.1 goes out")
    net = to_net(net)
    ascent = Ascent(net, resolve_runtime(runtime, legacy))
    given: dict[str, Any] = {
        **{"rounds": rounds, "iters": iterations, "range": layer_range, "octaves": octaves},
        **{"rate": rate, "thresh": threshold, "zoom": zoom, "rotate": rotate},
        **{"norm": int(normalize), "grey": grey, "steps": steps, "tile-size": tile_size},
        "seed": seed,
    }
    picture = to_tensor(image, "picture").to(ascent.device)
    size = (picture.shape[1], picture.shape[2])
    if steps is None:
        layers = layers_around(net, layer, layer_range)
        scales = [OCTAVE_SCALE**octave for octave in range(octaves)]
        kinds = [NightmareStep(name, 0, 0, False, scale) for name in layers for scale in scales]
        total, upcoming = rounds * iterations, draw_steps(layers, octaves, seed)
    else:
        if not steps or len(steps) % rounds:
            raise UsageError(f"{len(steps)} steps cannot be shared out among {rounds} rounds")
        kinds = [replace(step, layer=net.resolve_layer(step.layer)) for step in steps]
        total, upcoming = len(steps), iter(kinds)
    planner = WindowPlanner(
        lambda pictures, name: ascent.forward(pictures, [name])[name], ascent.device, tile_size
    )
    _check_views_fit(ascent, planner, picture, kinds)
    optimizer = DarknetStep(rate, normalize=normalize, grey=grey)

    @torch.inference_mode(False)  # whatever the caller's modes are
    @torch.enable_grad()
    def pictures(picture: Tensor) -> Iterator[Image.Image]:
        canvas = PixelCanvas(picture)
        for done, step in enumerate(itertools.islice(upcoming, total), start=1):
            view = ShiftedView(step, size)
            windows = planner.windows(step.layer, view.scaled_size)
            objective = Enhance(step.layer, threshold)
            ascent.step(canvas, Step(view, objective, windows=windows), optimizer)
            try:
                tell(watch, Progress(done, total, canvas))
            except Stop:
                return
            if done % (total // rounds) == 0:
                picture = canvas.image().detach()
                number = done // (total // rounds) - 1
                recipe = nightmare_recipe(ascent, (net, image, layer), given, round=number)
                yield with_recipe(to_pil(picture), recipe)
                if rotate:
                    picture = darknet_ops.rotate(picture, rotate)
                canvas = PixelCanvas(darknet_ops.zoom(picture, zoom))

    return pictures(picture)


def nightmare_recipe(
    ascent: Ascent,
    words: tuple[Net, Picture, str],
    given: Mapping[str, Any],
    **made: Any,
) -> Recipe:
    """Write down what ``lucid nightmare`` would have to be told.

    Args:
        ascent: that of the nightmare.
        words: the net, the picture as it was given, and the layer.
        given: options by their names on the command line; those that are None are left out.
        made: what else is to be written down of a picture.
    """
    net, image, layer = words
    is_file = isinstance(image, str | Path)
    program = [name for name in ("steps",) if given.get(name)] + ["picture"] * (not is_file)
    options = {name: each for name, each in given.items() if each is not None and name != "steps"}
    options |= {"precision": precision_name(ascent.dtype)}
    options |= {"deterministic": True} if ascent.runtime.deterministic else {}
    facts = {**made_by(net, ascent.device), **made, **({"program": program} if program else {})}
    named = str(image) if is_file else "?"
    return Recipe("nightmare", {"words": [net.name, named, layer], **options}, facts)


def _check_views_fit(
    ascent: Ascent, planner: WindowPlanner, picture: Tensor, steps: Sequence[NightmareStep]
) -> None:
    """Raise a LucidError, before the first step, if a scale is too small or large for a layer."""
    size = (picture.shape[1], picture.shape[2])
    smallest: dict[str, NightmareStep] = {}
    with reraise_oom(ascent.device), torch.no_grad():
        for step in steps:
            planner.windows(step.layer, ShiftedView(step, size).scaled_size)
            if step.layer not in smallest or step.scale < smallest[step.layer].scale:
                smallest[step.layer] = step
        for name, step in smallest.items():
            view = ShiftedView(step, size)
            if planner.windows(name, view.scaled_size):
                continue
            try:
                ascent.forward(view.gather(picture), [name])
            except LucidError as error:
                raise LucidError(
                    f"{error}. Use fewer octaves or larger scales, or a larger picture"
                ) from error


def check_counts(**counts: int) -> None:
    """Raise a UsageError for a count that is not from 1 to 2**31 - 1."""
    for name, count in counts.items():
        if not isinstance(count, int) or not 1 <= count < 2**31:
            raise UsageError(f"{name} {count} must be 1 or more")


def check_finite(**numbers: float) -> None:
    """Raise a UsageError for a number that is NaN or beyond ``LARGEST``."""
    for name, number in numbers.items():
        if not isinstance(number, int | float) or not abs(number) <= LARGEST:
            raise UsageError(f"{name} {number} must be from {-LARGEST:.0f} to {LARGEST:.0f}")
