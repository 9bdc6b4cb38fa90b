"""Darknet's nightmare: a picture overgrown by what a layer sees in it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from lucid.core.ascent import Ascent, Step
from lucid.core.canvas import Canvas, PixelCanvas
from lucid.core.device import reraise_oom
from lucid.core.objectives import Enhance, FeatureInversion
from lucid.core.optimizers import DarknetStep, MomentumSGD
from lucid.core.receptive_field import WindowPlanner
from lucid.errors import LucidError, UsageError
from lucid.imaging import Size
from lucid.imaging.io import from_pil, to_pil
from lucid.nets.net import Net
from lucid.nightmares import darknet_ops
from lucid.nightmares.steps import OCTAVE, NightmareStep, layers_around, schedule


@dataclass(frozen=True)
class ShiftedView:
    """The view of one step: the whole picture, shifted, resized, mirrored.

    The way back resizes the gradient as if it were a picture, as Darknet does;
    it is not the derivative of the way there.
    """

    draw: NightmareStep
    size: Size

    @property
    def shown(self) -> Size:
        """Height and width of what the net is shown."""
        height, width = (max(1, int(length * self.draw.scale)) for length in self.size)
        return height, width

    def gather(self, image: Tensor) -> Tensor:
        seen = darknet_ops.resize(darknet_ops.shift(image, self.draw.dy, self.draw.dx), *self.shown)
        return (seen.flip(2) if self.draw.flip else seen)[None]

    def scatter(self, values: Tensor) -> Tensor:
        (value,) = values.flip(3) if self.draw.flip else values
        return darknet_ops.shift(
            darknet_ops.resize(value, *self.size), -self.draw.dy, -self.draw.dx
        )


@dataclass(frozen=True)
class Progress:
    """How far a nightmare has come: steps done, of how many in all its rounds."""

    done: int
    total: int
    canvas: Canvas

    def picture(self) -> Image.Image:
        """The picture after that step."""
        return to_pil(self.canvas.image())


def nightmare(
    net: Net,
    image: Image.Image | Tensor,
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
    device: str = "auto",
    precision: str = "auto",
    deterministic: bool = False,
    watch: Callable[[Progress], None] | None = None,
) -> Iterator[Image.Image]:
    """Let a layer, and those around it, have its way with a picture.

    What ``darknet nightmare`` does (Joseph Redmon's nightmare.c): each step
    shows the net the whole picture at a random shift, octave and mirroring, and
    enhances the features that a layer sees most strongly.

    Args:
        net: any net.
        image: a Pillow image, or (3, height, width), RGB, 0..1.
        layer: the name of a layer (a Darknet layer's is its number).
        rounds: how many pictures to make, each from the one before.
        iterations: steps in a round.
        layer_range: how many layers around ``layer`` to draw from.
        octaves: how many scales to draw from, each 3/4 of the one before.
        rate: the step's size, in units of the picture's 0..1.
        threshold: how many standard deviations above the mean a feature must
            lie to be enhanced.
        zoom: after each round, how much of the picture's middle fills the next.
        rotate: after each round, a turn, in radians.
        normalize: whether steps are normalised.
        grey: ``auto``, ``darknet`` or a number; see ``DarknetStep``.
        steps: to take instead of drawing some; they take the place of
            ``iterations``, ``layer_range``, ``octaves`` and ``seed``, and are
            shared out evenly among the rounds.
        tile_size: the largest side, in pixels, that the net is shown at once. A
            larger picture is cut into windows, which give the same result to rounding.
            Without it, what fits into half of the memory.
        seed: of all that is drawn; Darknet's own is always 0.
        device: see ``Ascent``.
        precision: see ``Ascent``.
        deterministic: see ``Ascent``.
        watch: called after each step.

    Yields:
        The picture after each round, before it is turned and zoomed.

    Raises:
        UsageError: a setting makes no sense; raised before the first step.
        LucidError: the net cannot see the picture so, or not in this memory.

    >>> import lucid
    >>> net = lucid.load("lucid64")
    >>> picture = lucid.draw(net, ["goldfish"], size=(64, 64), iterations=1)
    >>> rounds = lucid.nightmare(net, picture, "8", rounds=2, iterations=1, zoom=0.9)
    >>> [dream.size for dream in rounds]
    [(64, 64), (64, 64)]
    """
    _check(rounds=rounds, iterations=iterations, range=layer_range, octaves=octaves)
    _check_finite(rate=rate, thresh=threshold, rotate=rotate)
    if not 0 < zoom <= 4:
        raise UsageError(f"zoom {zoom} must be above 0 and at most 4: 0.9 goes in, 1.1 goes out")
    ascent = Ascent(net, device=device, precision=precision, deterministic=deterministic)
    picture = image if isinstance(image, Tensor) else from_pil(image)
    picture = picture.to(ascent.device)
    size = (picture.shape[1], picture.shape[2])
    draws: Iterator[NightmareStep]
    if steps is None:
        layers = layers_around(net, layer, layer_range)
        scales = [OCTAVE**octave for octave in range(octaves)]
        looks = [NightmareStep(name, 0, 0, False, scale) for name in layers for scale in scales]
        total, draws = rounds * iterations, schedule(layers, octaves, seed)
    else:
        if not steps or len(steps) % rounds:
            raise UsageError(f"{len(steps)} steps cannot be shared out among {rounds} rounds")
        looks = [replace(step, layer=net.resolve_layer(step.layer)) for step in steps]
        total, draws = len(steps), iter(looks)
    fitting = WindowPlanner(
        lambda pictures, name: ascent.see(pictures, [name])[name], ascent.device, tile_size
    )
    _try(ascent, fitting, picture, looks)
    rule = DarknetStep(rate, normalize=normalize, grey=grey)

    def paint(picture: Tensor) -> Iterator[Image.Image]:
        canvas = PixelCanvas(picture)
        for done, draw in enumerate(itertools.islice(draws, total), start=1):
            glimpse = ShiftedView(draw, size)
            step = Step(
                glimpse,
                Enhance(draw.layer, threshold),
                windows=fitting.windows(draw.layer, glimpse.shown),
            )
            ascent.step(canvas, step, rule)
            if watch:
                watch(Progress(done, total, canvas))
            if done % (total // rounds) == 0:
                picture = canvas.image().detach()
                yield to_pil(picture)
                if rotate:
                    picture = darknet_ops.rotate(picture, rotate)
                canvas = PixelCanvas(darknet_ops.zoom(picture, zoom))

    return paint(picture)


@dataclass(frozen=True)
class IdentityView:
    """The view of a reconstruction: the picture, as it is."""

    def gather(self, image: Tensor) -> Tensor:
        return image[None]

    def scatter(self, values: Tensor) -> Tensor:
        return values[0]


def reconstruct(
    net: Net,
    image: Image.Image | Tensor,
    layer: str,
    *,
    rounds: int = 1,
    iterations: int = 10,
    rate: float = 0.05,
    momentum: float = 0.9,
    pull: float = 0.01,
    reach: int = 1,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    deterministic: bool = False,
    watch: Callable[[Progress], None] | None = None,
) -> Iterator[Image.Image]:
    """Rebuild a picture from nothing but what a layer saw in it.

    What ``darknet nightmare -reconstruct`` does, after Mahendran and Vedaldi,
    "Understanding Deep Image Representations by Inverting Them" (2014).

    Args:
        net: any net.
        image: a Pillow image, or (3, height, width), RGB, 0..1.
        layer: the name of the layer whose features are all that is known.
        rounds: how many pictures to make, each from the one before.
        iterations: steps in a round.
        rate: see ``MomentumSGD``.
        momentum: see ``MomentumSGD``.
        pull: see ``MomentumSGD``; Darknet's ``-lambda``.
        reach: see ``MomentumSGD``; Darknet's ``-smooth``.
        seed: of the noise that it starts from.
        device: see ``Ascent``.
        precision: see ``Ascent``.
        deterministic: see ``Ascent``.
        watch: called after each step.

    Yields:
        The picture after each round.

    Raises:
        UsageError: a setting makes no sense; raised before the first step.
        LucidError: the net cannot see the picture, or not in this memory.
    """
    _check(rounds=rounds, iterations=iterations)
    if reach < 0:
        raise UsageError(f"smooth {reach} must be 0 or more")
    _check_finite(rate=rate, **{"lambda": pull})
    if not 0 <= momentum < 1:
        raise UsageError(f"momentum {momentum} must be from 0 to under 1")
    layer = net.resolve_layer(layer)
    ascent = Ascent(net, device=device, precision=precision, deterministic=deterministic)
    rule = MomentumSGD(rate, momentum, pull, reach)
    picture = image if isinstance(image, Tensor) else from_pil(image)
    with reraise_oom(ascent.device), torch.no_grad():
        features = ascent.see(picture[None].to(ascent.device), [layer])[layer][0]
    noise = torch.rand(picture.shape, generator=torch.Generator().manual_seed(seed))
    canvas = PixelCanvas(noise.to(ascent.device))
    step = Step(IdentityView(), FeatureInversion(layer, features))

    def paint() -> Iterator[Image.Image]:
        for done in range(1, rounds * iterations + 1):
            ascent.step(canvas, step, rule)
            if watch:
                watch(Progress(done, rounds * iterations, canvas))
            if done % iterations == 0:
                yield to_pil(canvas.image())

    return paint()


def _try(
    ascent: Ascent, fitting: WindowPlanner, picture: Tensor, looks: Sequence[NightmareStep]
) -> None:
    """Find out now, not rounds later, what cannot be looked at.

    Raises:
        LucidError: a layer at its smallest scale is shown too little; or a scale is
            too large for the memory, and its layer cannot be cut.
    """
    size = (picture.shape[1], picture.shape[2])
    smallest: dict[str, NightmareStep] = {}
    with reraise_oom(ascent.device), torch.no_grad():
        for look in looks:
            fitting.windows(look.layer, ShiftedView(look, size).shown)
            if look.layer not in smallest or look.scale < smallest[look.layer].scale:
                smallest[look.layer] = look
        for name, look in smallest.items():
            glimpse = ShiftedView(look, size)
            if fitting.windows(name, glimpse.shown):
                continue
            try:
                ascent.see(glimpse.gather(picture), [name])
            except LucidError as error:
                raise LucidError(
                    f"{error}. Use fewer octaves or larger scales, or a larger picture"
                ) from error


def _check(**counts: int) -> None:
    for name, count in counts.items():
        if not 1 <= count < 2**31:
            raise UsageError(f"{name} {count} must be 1 or more")


def _check_finite(**numbers: float) -> None:
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise UsageError(f"{name} {number} must be a finite number")
