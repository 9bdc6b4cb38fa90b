"""Painting what a classifier knows: one class or a mix, from noise or on a photograph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from lucid import images, nets, octaves
from lucid.ascent import Adam, Ascent, Step
from lucid.canvas import Canvas, FourierCanvas
from lucid.errors import UsageError
from lucid.images import Size
from lucid.machine import memory
from lucid.nets import Net, UnknownClassError
from lucid.objectives import BALANCE, Classes
from lucid.tiles import Tiling
from lucid.transforms import compose, draw_affine, draw_shrink

TILE = 224
"""The side of a tile on a net that takes any: what most of ImageNet's are trained at."""

BYTES_PER_PIXEL = 300
"""Of memory at the last octave, as measured at 2048x2048: coefficients, their gradient, Adam's
two moments, the picture, its tiles and their gradients."""


@dataclass(frozen=True)
class Manner:
    """How fast, how broadly and from how near to climb.

    Attributes:
        octaves: at how many sizes to climb; None for as many as lead up from the
            size that the net was trained at.
        iterations: at each octave.
        opening: how many times as many at the first, where shapes are found.
        rate: of ``Adam``.
        decay: of ``FourierCanvas``.
        turn: of ``draw_affine``.
        scale: of ``draw_affine``.
        balance: of ``Classes``, for a single class.
    """

    octaves: int | None
    iterations: int
    opening: int
    rate: float
    decay: float
    turn: float
    scale: tuple[float, float]
    balance: float


# Found by eye on SqueezeNet at 224 to 768 pixels. A photograph is half the way
# there, and at the pace of noise it drowns.
FROM_NOISE = Manner(
    octaves=4,
    iterations=48,
    opening=1,
    rate=0.02,
    decay=1.2,
    turn=0.3,
    scale=(0.7, 1.25),
    balance=0,
)
ON_A_BASE = replace(FROM_NOISE, iterations=24, decay=1.1)

# Found by eye on lucid64: it paints whole things at its own size, then finishes them
# without losing sight of the whole. docs/lucid64.md says how.
SMALL_FROM_NOISE = Manner(
    octaves=None,
    iterations=32,
    opening=3,
    rate=0.01,
    decay=1.2,
    turn=0.15,
    scale=(0.85, 1.1),
    balance=2,
)
SMALL_ON_A_BASE = replace(SMALL_FROM_NOISE, octaves=4, iterations=24, opening=1, decay=1.1)


def manner(net: Net, *, on_a_base: bool) -> Manner:
    """The one that suits a net; a net trained at less than ``TILE`` pixels is a small one."""
    if max(net.input_size) < TILE:
        return SMALL_ON_A_BASE if on_a_base else SMALL_FROM_NOISE
    return ON_A_BASE if on_a_base else FROM_NOISE


@dataclass(frozen=True)
class Progress:
    """How far a drawing has come.

    Attributes:
        done: pixels climbed through, of ``total`` in all octaves.
        octave: height and width of the octave at work.
        size: height and width of the last one.
    """

    done: int
    total: int
    octave: Size
    size: Size
    canvas: Canvas
    wrap: bool

    def picture(self) -> Image.Image:
        """What is painted so far, at the size of the last octave."""
        with torch.no_grad():
            return images.to_pil(octaves.resize(self.canvas.image(), self.size, wrap=self.wrap))


def draw(
    net: Net,
    classes: Sequence[str] | Mapping[str, float],
    base: Image.Image | Tensor | None = None,
    *,
    size: Size | None = None,
    order: str = "spiral",
    tile_size: int | None = None,
    overlap: float = 0.5,
    padding: str = "reflect",
    octave_count: int | None = None,
    octave_scale: float = 1.4,
    iterations: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    batch: int = 16,
    deterministic: bool = False,
    watch: Callable[[Progress], None] | None = None,
) -> Image.Image:
    """Paint classes of a net.

    The picture's Fourier coefficients climb the classes' scores (Olah,
    Mordvintsev and Schubert, "Feature Visualization", 2017) through
    overlapping tiles (Øygard's deepdraw, 2015), at one size after another
    (Mordvintsev, Olah and Tyka, "Inceptionism", 2015).

    Args:
        net: a net with classes.
        classes: their names or numbers, with weights if not all are equal.
        base: what to paint on: a Pillow image, or (3, height, width), RGB,
            0..1. Without it, noise.
        size: (height, width) of the picture, in pixels. Without it, the
            base's, else one tile's.
        order: in which tiles are climbed: ``spiral`` (ring by ring from the
            centre, each seeing what the last one changed), ``grid``,
            ``random``, or ``none`` (the whole picture at once).
        tile_size: the tiles' side, in pixels. Without it, 224, or what the
            net is built for.
        overlap: of neighbouring tiles, as a fraction, from 0 to under 1.
        padding: what stands past the picture's edge: ``reflect``, ``wrap``
            (makes a seamless texture) or ``mean`` (deepdraw's, to compare with).
        octave_count: at how many sizes to climb. None is smaller than the net was
            trained at, or than two thirds of a picture that is hardly larger.
            Without it, 4; from noise on a net trained at less than 224 pixels,
            as many as lead up from there.
        octave_scale: how much larger each is than the one before.
        iterations: passes over the picture at each octave. Without it, what suits
            the net and the base: see ``manner``.
        seed: of all that is drawn at random.
        device: see ``Ascent``.
        precision: see ``Ascent``.
        batch: the most tiles the net is shown at once.
        deterministic: see ``Ascent``.
        watch: called after each pass.

    Raises:
        UsageError: a setting makes no sense, or the net lacks a class; says which
            nets have it.
        LucidError: the picture does not fit into memory.
    """
    weights = class_weights(net, classes)
    style = manner(net, on_a_base=base is not None)
    objective = Classes(weights, style.balance if len(weights) == 1 else BALANCE)
    if isinstance(base, Image.Image):
        base = images.from_pil(base)
    tiling = Tiling(_tile(net, tile_size), order, overlap, padding)
    if size is None:
        size = tiling.tile if base is None else (base.shape[1], base.shape[2])
    _check_size(size, tiling.tile)
    if order == "none" and not net.any_size and size != net.input_size:
        raise UsageError(f"{net.name} cannot see a whole picture of that size: use tiles")

    plan = _plan(net, style, size, tiling.tile, octave_count, octave_scale, iterations)
    ascent = Ascent(
        net, device=device, precision=precision, batch=batch, deterministic=deterministic
    )
    base = None if base is None else base.to(ascent.device)
    generator = torch.Generator().manual_seed(seed)
    wrap = padding == "wrap"
    done, total = 0, sum(passes * math.prod(octave) for octave, passes in plan)
    dream: Tensor | None = None
    for octave, passes in plan:
        start = octaves.start(octave, dream, base, wrap=wrap)
        if start is None:
            canvas = FourierCanvas.noise(
                octave, decay=style.decay, generator=generator, device=ascent.device
            )
        else:
            canvas = FourierCanvas.of(start, decay=style.decay)
        rule = Adam(canvas, style.rate)
        cutting = fit(tiling, net, octave)
        seen = octave if order == "none" else cutting.tile
        for _ in range(passes):
            turn = draw_affine(generator, turn=style.turn, scale=style.scale)
            glance = compose(draw_shrink(generator, seen, net.input_size), turn)
            for view in cutting.cut(octave, generator).views():
                ascent.step(canvas, Step(view, objective, glance, equalize=True), rule)
            done += math.prod(octave)
            if watch:
                watch(Progress(done, total, octave, size, canvas, wrap))
        dream = canvas.image().detach()
    assert dream is not None
    return images.to_pil(dream)


def class_weights(net: Net, classes: Sequence[str] | Mapping[str, float]) -> dict[int, float]:
    """The numbers of named classes, with weights whose magnitudes sum to 1.

    Raises:
        UsageError: none is named, the net lacks one, or all weights are 0.
    """
    named = classes if isinstance(classes, Mapping) else dict.fromkeys(classes, 1.0)
    if not named:
        raise UsageError("there is nothing to draw: name a class")
    weights: dict[int, float] = {}
    for name, weight in named.items():
        try:
            number = net.find_class(name)
        except UnknownClassError as error:
            others = nets.knowing(name)
            if not others:
                raise
            some = " or ".join(f"--net {other}" for other in others[:3])
            raise UsageError(f"{error}. Try {some}, which know it") from error
        weights[number] = weights.get(number, 0.0) + weight
    sum_of_all = sum(abs(weight) for weight in weights.values())
    if not 0 < sum_of_all < math.inf:
        raise UsageError("the classes' weights must be finite and not all 0")
    return {number: weight / sum_of_all for number, weight in weights.items()}


def _plan(
    net: Net,
    style: Manner,
    size: Size,
    tile: Size,
    count: int | None,
    scale: float,
    iterations: int | None,
) -> list[tuple[Size, int]]:
    """The octaves, and how many passes to make over each."""
    # Found by eye: a picture of a tile's size that starts at two thirds of it
    # shows one thing whole; a larger picture that starts below a tile, many cut off.
    smallest = min(max(tile), max(net.input_size), 2 * min(size) // 3)
    for given in (count, iterations):
        if given is not None and given < 1:
            raise UsageError("octaves and iters must be 1 or more")
    if not 1 <= scale <= 10:
        raise UsageError("the octave scale must be from 1 to 10")
    if count is None:
        count = style.octaves or octaves.count(size, scale, smallest)
    if iterations is None:
        passes = [style.iterations * style.opening, *[style.iterations] * (count - 1)]
    else:
        passes = [iterations] * count
    return list(zip(octaves.sizes(size, count, scale, smallest), passes, strict=True))


def fit(tiling: Tiling, net: Net, octave: Size) -> Tiling:
    """Tiles no larger than the octave, if the net then still sees its own size."""
    if not net.any_size or tiling.order == "none":
        return tiling
    sides = zip(tiling.tile, net.input_size, octave, strict=True)
    height, width = (min(tile, max(native, side)) for tile, native, side in sides)
    return replace(tiling, tile=(height, width))


def _tile(net: Net, side: int | None) -> Size:
    if net.any_size:
        return (side or TILE,) * 2
    if side and (side, side) != net.input_size:
        height, width = net.input_size
        raise UsageError(f"{net.name} sees only {width}x{height} pixels: leave the tile size out")
    return net.input_size


def _check_size(size: Size, tile: Size) -> None:
    """Refuse, before any work, a picture that this machine cannot hold."""
    height, width = size
    if min(size) < 1:
        raise UsageError(f"size {width}x{height} has no pixels")
    # A picture smaller than a tile is filled up to one.
    needed = BYTES_PER_PIXEL * max(height, tile[0]) * max(width, tile[1])
    here = memory(torch.device("cpu"))
    if needed > here:
        raise UsageError(
            f"size {width}x{height} in tiles of {tile[0]} needs about {needed / 2**30:,.0f} GiB of "
            f"memory, and this machine has {here / 2**30:,.0f}"
        )
