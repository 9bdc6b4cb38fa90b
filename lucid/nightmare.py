"""Darknet's nightmare: a picture overgrown by what a layer sees in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Generator, Tensor

from lucid import images, warps
from lucid.ascent import Ascent, DarknetRule, Step
from lucid.canvas import Canvas, PixelCanvas
from lucid.errors import LucidError, UsageError
from lucid.images import Size
from lucid.nets import Net
from lucid.objectives import Enhance

OCTAVE = 0.75
"""Each of Darknet's octaves is this much of the one before."""

JITTER = 8
"""Shifts are drawn from -8 to 7 pixels."""


@dataclass(frozen=True)
class Draw:
    """What one step looks at, as Darknet draws it.

    Attributes:
        layer: the name of the layer to enhance.
        dx: how far the picture is shifted to the left, in pixels.
        dy: how far it is shifted upwards.
        flip: whether it is mirrored.
        scale: the side of what the net sees, as a fraction of the picture's.
    """

    layer: str
    dx: int
    dy: int
    flip: bool
    scale: float


def layers_around(net: Net, layer: str, layer_range: int) -> list[str]:
    """As many layers as ``layer_range`` says, ``layer`` in their middle.

    Raises:
        UsageError: there is no such layer, or the range reaches past the net's.
    """
    first = net.layers.index(net.find_layer(layer)) - layer_range // 2
    last = first + layer_range - 1
    if first < 0 or last >= len(net.layers):
        raise UsageError(
            f"layer {layer} with a range of {layer_range} reaches from layer number {first} to "
            f"{last}: {net.name}'s are 0 to {len(net.layers) - 1}"
        )
    return net.layers[first : last + 1]


def schedule(
    layers: Sequence[str], *, iterations: int, octaves: int, generator: Generator
) -> list[Draw]:
    """Draw the steps of one round, each in the order in which Darknet draws."""

    def below(end: int) -> int:
        return int(torch.randint(end, (), generator=generator))

    return [
        Draw(
            layer=layers[below(len(layers))],
            scale=OCTAVE ** below(octaves),
            dx=below(2 * JITTER) - JITTER,
            dy=below(2 * JITTER) - JITTER,
            flip=bool(below(2)),
        )
        for _ in range(iterations)
    ]


@dataclass(frozen=True)
class Glimpse:
    """The view of one step: the whole picture, shifted, resized, mirrored.

    The way back resizes the gradient as if it were a picture, as Darknet does;
    it is not the derivative of the way there.
    """

    draw: Draw
    size: Size

    def gather(self, image: Tensor) -> Tensor:
        height, width = (max(1, int(length * self.draw.scale)) for length in self.size)
        seen = warps.resize(warps.shift(image, self.draw.dy, self.draw.dx), height, width)
        return (seen.flip(2) if self.draw.flip else seen)[None]

    def scatter(self, values: Tensor) -> Tensor:
        (value,) = values.flip(3) if self.draw.flip else values
        return warps.shift(warps.resize(value, *self.size), -self.draw.dy, -self.draw.dx)


@dataclass(frozen=True)
class Progress:
    """How far a nightmare has come: steps done, of how many in all its rounds."""

    done: int
    total: int
    canvas: Canvas

    def picture(self) -> Image.Image:
        """The picture after that step."""
        return images.to_pil(self.canvas.image())


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
        grey: ``auto``, ``darknet`` or a number; see ``DarknetRule``.
        seed: of all that is drawn; Darknet's own is always 0.
        device: see ``Ascent``.
        precision: see ``Ascent``.
        deterministic: see ``Ascent``.
        watch: called after each step.

    Yields:
        The picture after each round, before it is turned and zoomed.

    Raises:
        UsageError: a setting makes no sense; raised before the first step.
    """
    _check(rounds=rounds, iterations=iterations, range=layer_range, octaves=octaves)
    for name, number in {"rate": rate, "thresh": threshold, "rotate": rotate}.items():
        if not math.isfinite(number):
            raise UsageError(f"{name} {number} must be a finite number")
    if not 0 < zoom <= 4:
        raise UsageError(f"zoom {zoom} must be above 0 and at most 4: 0.9 goes in, 1.1 goes out")
    layers = layers_around(net, layer, layer_range)
    ascent = Ascent(net, device=device, precision=precision, deterministic=deterministic)
    rule = DarknetRule(rate, normalize=normalize, grey=grey)
    generator = torch.Generator().manual_seed(seed)
    picture = image if isinstance(image, Tensor) else images.from_pil(image)
    picture = picture.to(ascent.device)
    size = (picture.shape[1], picture.shape[2])

    # Found out now, not rounds later: the smallest octave may show the net too little.
    smallest = Glimpse(Draw(layer, 0, 0, False, OCTAVE ** (octaves - 1)), size)
    try:
        with torch.no_grad():
            net.activations(smallest.gather(picture), layers)
    except LucidError as error:
        raise LucidError(
            f"{error}. Use fewer octaves than {octaves}, or a larger picture"
        ) from error

    def paint(picture: Tensor) -> Iterator[Image.Image]:
        done = 0
        for _ in range(rounds):
            canvas = PixelCanvas(picture)
            for draw in schedule(
                layers, iterations=iterations, octaves=octaves, generator=generator
            ):
                step = Step(Glimpse(draw, size), Enhance(draw.layer, threshold))
                ascent.step(canvas, step, rule)
                done += 1
                if watch:
                    watch(Progress(done, rounds * iterations, canvas))
            picture = canvas.image().detach()
            yield images.to_pil(picture)
            if rotate:
                picture = warps.rotate(picture, rotate)
            picture = warps.zoom(picture, zoom)

    return paint(picture)


def _check(**counts: int) -> None:
    for name, count in counts.items():
        if not 1 <= count < 2**31:
            raise UsageError(f"{name} {count} must be 1 or more")
