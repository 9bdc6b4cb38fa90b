"""Painting what a classifier knows: classes and mixes, layers and their features, from
noise or on a photograph, everywhere or where one points."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from PIL import Image
from torch import Generator, Tensor

from lucid.core.ascent import Ascent, Step, View
from lucid.core.canvas import (
    Canvas,
    FourierCanvas,
    LayeredCanvas,
    PhaseCanvas,
    PixelCanvas,
    TintedCanvas,
)
from lucid.core.device import total_memory
from lucid.core.objectives import FAIRNESS, ClassLogits, Guide, Objective
from lucid.core.optimizers import Adam, DeepDreamStep, Optimizer
from lucid.core.transforms import Pad, Transform, compose, draw_glances, draw_shrink
from lucid.drawing.config import CLOSING, SETTLING, TILE, DrawConfig, OctaveConfig, default_config
from lucid.errors import UsageError
from lucid.imaging import Size
from lucid.imaging.io import center_crop_resize, from_pil, to_pil
from lucid.nets.imagenet import group_members
from lucid.nets.net import LOGITS, Net, UnknownClassError
from lucid.nets.registry import nets_with_class
from lucid.tiling import octaves
from lucid.tiling.regions import FullImage, MaskRegion, Region
from lucid.tiling.tiles import RolledView, Tile, TileView, Tiling

BYTES_PER_PIXEL = 300
"""Of memory at the last octave, as measured at 2048x2048: coefficients, their gradient, Adam's
two moments, the picture, its tiles and their gradients."""

MARGIN = 16
"""Pixels around a picture of waves, so that its opposite edges need not fit together."""


@dataclass(frozen=True)
class Target:
    """What should grow, and where.

    Attributes:
        objective: what.
        place: where.
    """

    objective: Objective
    place: Region = field(default_factory=FullImage)


@dataclass(frozen=True)
class Progress:
    """How far a drawing has come.

    Attributes:
        done: pixels climbed through, of ``total`` in all octaves.
        octave: height and width of the octave at work.
        size: height and width of the last one.
        canvas: what is climbed.
        wrap: whether the picture's edges are to fit together.
        views: what was looked at in the last pass.
        batch: the most images that the net was shown at once; None while that was one.
    """

    done: int
    total: int
    octave: Size
    size: Size
    canvas: Canvas
    wrap: bool
    views: Sequence[View] = ()
    batch: int | None = None

    def tiles(self) -> list[tuple[Tile, Size]]:
        """Where the tiles of the last pass lay in the octave, and how large they are."""
        views = [view for view in self.views if isinstance(view, TileView)]
        return [(tile, view.sweep.tile) for view in views for tile in view.batch]

    def picture(self) -> Image.Image:
        """What is painted so far, at the size of the last octave."""
        with torch.no_grad():
            return to_pil(octaves.resize(self.canvas.image(), self.size, wrap=self.wrap))


def draw(
    net: Net,
    classes: Sequence[str] | Mapping[str, float] | Objective | Sequence[Target],
    base: Image.Image | Tensor | None = None,
    *,
    size: Size | None = None,
    manner: DrawConfig | None = None,
    order: str = "spiral",
    tile_size: int | None = None,
    overlap: float = 0.5,
    padding: str = "reflect",
    octave_count: int | None = None,
    octave_scale: float | None = None,
    iterations: int | None = None,
    strength: float = 1,
    mask: Tensor | None = None,
    keep_colors: bool = False,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    batch: int | None = None,
    deterministic: bool = False,
    watch: Callable[[Progress], None] | None = None,
) -> Image.Image:
    """Paint what a net knows.

    The picture's Fourier coefficients climb the classes' scores (Olah,
    Mordvintsev and Schubert, "Feature Visualization", 2017) through
    overlapping tiles (Øygard's deepdraw, 2015), at one size after another
    (Mordvintsev, Olah and Tyka, "Inceptionism", 2015).

    Args:
        net: any net; one with classes, if classes are wanted.
        classes: their names or numbers, or groups', with weights if not all are equal;
            or an objective of one's own; or several wishes, each with its place.
        base: what to paint on: a Pillow image, or (3, height, width), RGB,
            0..1. Without it, noise.
        size: (height, width) of the picture, in pixels. Without it, the
            base's, else one tile's.
        manner: how to climb. Without it, what suits the net and the base: see
            ``lucid.drawing.config``.
        order: in which tiles are climbed: ``spiral`` (ring by ring from the
            centre, each seeing what the last one changed), ``grid``,
            ``random``, ``none`` (the whole picture at once) or ``fixed`` (deepdraw's
            first form, to compare with).
        tile_size: the tiles' side, in pixels. Without it, 224, or what the
            net is built for.
        overlap: of neighbouring tiles, as a fraction, from 0 to under 1.
        padding: what stands past the picture's edge: ``reflect``, ``wrap``
            (makes a seamless texture) or ``mean`` (deepdraw's, to compare with).
        octave_count: at how many sizes to climb. None is smaller than the net was
            trained at, or than two thirds of a picture that is hardly larger.
            Without it, the manner's.
        octave_scale: how much larger each is than the one before; likewise.
        iterations: passes over the picture at each octave; likewise.
        strength: how far to go, as a multiple of the manner's rate: from 0, not at all.
        mask: (height, width), 0..1: the picture changes where it is bright alone.
        keep_colors: whether the base lends its colours, and only brightness is dreamt.
        seed: of all that is drawn at random.
        device: see ``Ascent``.
        precision: see ``Ascent``.
        batch: see ``Ascent``.
        deterministic: see ``Ascent``.
        watch: called after each pass.

    Raises:
        UsageError: a setting makes no sense, or the net lacks a class; says which
            nets have it.
        LucidError: the picture does not fit into memory.

    >>> import lucid
    >>> net = lucid.load("lucid64")
    >>> lucid.draw(net, {"lion": 2, "monarch": 1}, size=(48, 64), iterations=1).size
    (64, 48)
    """
    plan = prepare(
        net,
        classes,
        base,
        size=size,
        manner=manner,
        order=order,
        tile_size=tile_size,
        overlap=overlap,
        padding=padding,
        octave_count=octave_count,
        octave_scale=octave_scale,
        iterations=iterations,
        strength=strength,
        seed=seed,
        device=device,
        precision=precision,
        batch=batch,
        deterministic=deterministic,
    )
    return to_pil(paint(plan, mask=mask, keep_colors=keep_colors, watch=watch))


def grow(
    net: Net,
    classes: Sequence[str] | Mapping[str, float] | Objective | Sequence[Target],
    base: Image.Image | Tensor | None = None,
    *,
    every: int = 8,
    mask: Tensor | None = None,
    keep_colors: bool = False,
    **settings: Any,
) -> Iterator[Image.Image]:
    """Paint what a net knows, and show it growing; the last picture is the one that ``draw``
    makes of the same.

    Args:
        net: see ``draw``.
        classes: see ``draw``.
        base: see ``draw``.
        every: after how many passes there is something to see.
        mask: see ``draw``.
        keep_colors: see ``draw``.
        settings: all others of ``draw``, but ``watch``.

    Yields:
        The picture so far, at the size it will have.

    Raises:
        UsageError: see ``draw``; raised before the first pass.

    >>> import lucid
    >>> net = lucid.load("lucid64")
    >>> stages = lucid.grow(net, ["goldfish"], size=(64, 64), iterations=1, every=2)
    >>> [stage.size for stage in stages]
    [(64, 64), (64, 64)]
    """
    if every < 1:
        raise UsageError(f"every {every} must be 1 or more")
    plan = prepare(net, classes, base, **settings)

    def stages() -> Iterator[Image.Image]:
        progress = climb(plan, mask=mask, keep_colors=keep_colors)
        for number, stage in enumerate(progress, start=1):
            if number % every == 0 or stage.done == stage.total:
                yield stage.picture()

    return stages()


def paint(
    plan: Plan,
    *,
    mask: Tensor | None = None,
    keep_colors: bool = False,
    watch: Callable[[Progress], None] | None = None,
) -> Tensor:
    """Do what is planned; the arguments are those of ``draw``.

    Returns:
        The picture, (3, height, width), 0..1, on the plan's device.

    Raises:
        UsageError: see ``climb``.
        LucidError: see ``draw``.
    """
    for progress in climb(plan, mask=mask, keep_colors=keep_colors):
        if watch:
            watch(progress)
    return progress.canvas.image().detach()


def climb(
    plan: Plan, *, mask: Tensor | None = None, keep_colors: bool = False
) -> Iterator[Progress]:
    """Do what is planned, pass by pass; the arguments are those of ``draw``.

    Yields:
        How far it has come, after each pass.

    Raises:
        UsageError: there are no colours to keep, or this machine cannot hold the picture.
        LucidError: see ``draw``.
    """
    _check_memory(plan.size, plan.tiling.tile)
    style, generator, ascent = plan.style, plan.generator, plan.ascent
    base = None if plan.base is None else plan.base.to(ascent.device)
    if keep_colors and base is None:
        raise UsageError("there are no colours to keep: give a picture to paint on")
    done, dream = 0, None
    for octave, stage in plan.stages:
        start = octaves.start(octave, dream, base, wrap=plan.wrap, between=style.carry)
        canvas = _canvas(style, octave, start, 0 if plan.wrap else MARGIN, generator, ascent.device)
        photograph = octaves.start(octave, None, base, wrap=plan.wrap)
        if keep_colors and photograph is not None:
            canvas = TintedCanvas(canvas, photograph)
        canvas = _masked(canvas, _painted(plan.wishes, mask, octave), start, photograph)
        rule: Optimizer = Adam(canvas, 0) if style.rule == "adam" else DeepDreamStep(0, style.lift)
        for number in range(stage.iterations):
            now = plan.turn(octave, stage, number, done)
            rule.rate = now.rate
            looked = [
                (wish, view)
                for wish in plan.wishes
                for view in wish.place.views(octave, now.tiling, generator)
            ]
            for wish, view in looked:
                shaken = _shaken(view, style.jitter, generator)
                ascent.step(canvas, now.step(shaken, wish.objective), rule)
            if sigma := stage.blur_at(number):
                canvas.blur(sigma)
            done += math.prod(octave)
            views = [view for _, view in looked]
            batch = ascent.batch
            yield Progress(done, plan.total, octave, plan.size, canvas, plan.wrap, views, batch)
        dream = canvas.image().detach()


@dataclass(frozen=True)
class PassSettings:
    """How one pass goes.

    Attributes:
        rate: of the rule.
        tiling: how the octave is cut into tiles.
        glances: how the net looks at each of them.
        variation: of ``Step``.
    """

    rate: float
    tiling: Tiling
    glances: Sequence[Transform]
    variation: float

    def step(self, view: View, objective: Objective) -> Step:
        """A step of the pass."""
        return Step(view, objective, self.glances, equalize=True, variation=self.variation)


@dataclass(frozen=True)
class Plan:
    """A drawing that is ready to begin.

    Attributes:
        net: who draws.
        style: how to climb.
        wishes: what should grow, and where.
        base: (3, height, width), RGB, 0..1: what to paint on, if not on noise.
        tiling: how pictures are cut.
        size: height and width of the picture.
        stages: its octaves' sizes, with what to do at each.
        strength: a multiple of the manner's rate.
        ascent: the net, where it runs.
        generator: of all that is drawn at random.
    """

    net: Net
    style: DrawConfig
    wishes: Sequence[Target]
    base: Tensor | None
    tiling: Tiling
    size: Size
    stages: Sequence[tuple[Size, OctaveConfig]]
    strength: float
    ascent: Ascent
    generator: Generator

    @property
    def wrap(self) -> bool:
        """Whether the picture's edges are to fit together."""
        return self.tiling.padding == "wrap"

    @property
    def total(self) -> int:
        """Pixels to climb through, in all octaves."""
        return sum(stage.iterations * math.prod(octave) for octave, stage in self.stages)

    def plain(self) -> dict[str, Any]:
        """What it will do, with nothing left open, as numbers, words and lists: to be
        written down."""
        return {
            "size": f"{self.size[1]}x{self.size[0]}",
            "tile": list(self.tiling.tile),
            "octaves": [
                f"{width}x{height}, {stage.iterations} passes"
                for (height, width), stage in self.stages
            ],
            "manner": self.style.plain(),
        }

    def recipe(self) -> str:
        """A hash of all that the picture depends on but the seed."""
        said = (self.style, self.wishes, self.tiling, self.stages, self.strength)
        machine = (self.ascent.device.type, self.ascent.dtype)
        net = (self.net.name, self.net.fingerprint)
        recipe = hashlib.sha256(repr((net, machine, torch.__version__, said)).encode())
        if self.base is not None:
            recipe.update(self.base.cpu().numpy().tobytes())
        return recipe.hexdigest()

    def turn(self, octave: Size, stage: OctaveConfig, number: int, done: int) -> PassSettings:
        """Draw how a pass goes: the one with a number, after ``done`` pixels of the total."""
        now = self.style.at(done / self.total)
        tiling = fit(self.tiling, self.net, octave)
        seen = octave if tiling.order == "none" else tiling.tile
        return PassSettings(
            self.strength * now.pace * stage.rate_at(number),
            tiling,
            _glances(now, self.generator, seen, octave, self.net.input_size),
            now.variation,
        )


def prepare(
    net: Net,
    wanted: Sequence[str] | Mapping[str, float] | Objective | Sequence[Target],
    base: Image.Image | Tensor | None = None,
    *,
    size: Size | None = None,
    manner: DrawConfig | None = None,
    order: str = "spiral",
    tile_size: int | None = None,
    overlap: float = 0.5,
    padding: str = "reflect",
    octave_count: int | None = None,
    octave_scale: float | None = None,
    iterations: int | None = None,
    strength: float = 1,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    batch: int | None = None,
    deterministic: bool = False,
) -> Plan:
    """Find out all that a drawing needs; the arguments are those of ``draw``.

    Raises:
        UsageError: see ``draw``.
    """
    style = manner or default_config(net, on_a_base=base is not None)
    wishes = find_wishes(net, wanted, style)
    if any(isinstance(wish.objective, ClassLogits) and wish.objective.fairness for wish in wishes):
        style = replace(style, settling=style.settling or SETTLING, closing=CLOSING)
    if isinstance(base, Image.Image):
        base = from_pil(base)
    if not 0 <= strength <= 100:
        raise UsageError(f"strength {strength} must be from 0 to 100; 1 is usual")
    tiling = Tiling(_tile(net, tile_size), style.order or order, overlap, padding)
    if size is None:
        size = _usual_size(style, tiling.tile) if base is None else (base.shape[1], base.shape[2])
    if min(size) < 1:
        raise UsageError(f"size {size[1]}x{size[0]} has no pixels")
    if math.prod(size) > math.prod(tiling.tile):
        style = replace(style, variation=max(style.variation, style.tiled_variation))
    if tiling.order == "none" and not net.any_size and size != net.input_size:
        raise UsageError(f"{net.name} cannot see a whole picture of that size: use tiles")
    if style.pad and not net.any_size:
        raise UsageError(f"{net.name} sees pictures of one size only: it cannot be shown a pad")
    return Plan(
        net,
        style,
        wishes,
        base,
        tiling,
        size,
        _stages(net, style, size, tiling.tile, octave_count, octave_scale, iterations),
        strength,
        Ascent(net, device=device, precision=precision, batch=batch, deterministic=deterministic),
        torch.Generator().manual_seed(seed),
    )


def find_wishes(
    net: Net,
    wanted: Sequence[str] | Mapping[str, float] | Objective | Sequence[Target],
    style: DrawConfig,
) -> list[Target]:
    """What is wanted, as objectives with their places.

    Raises:
        UsageError: the net lacks a class or layer, or nothing is wanted.
    """
    if isinstance(wanted, Objective):
        wanted = [Target(wanted)]
    if not isinstance(wanted, Mapping) and any(isinstance(wish, Target) for wish in wanted):
        wishes = [wish for wish in wanted if isinstance(wish, Target)]
    else:
        wishes = [Target(classes(net, wanted, style))]  # type: ignore[arg-type]
    for layer in set().union(*(wish.objective.layers for wish in wishes)) - {LOGITS}:
        net.resolve_layer(layer)
    return wishes


def classes(
    net: Net, named: Sequence[str] | Mapping[str, float], style: DrawConfig | None = None
) -> ClassLogits:
    """The objective of one class, or of a mix of several, as it suits a net.

    Args:
        net: a net with classes.
        named: names or numbers of classes or groups, with weights if not all are equal.
        style: the manner to paint in; without it, that of noise.

    Raises:
        UsageError: see ``class_weights``.
    """
    weights = class_weights(net, named)
    style = style or default_config(net, on_a_base=False)
    if len(weights) == 1:
        return ClassLogits(weights, style.balance)
    return ClassLogits(weights, style.mixing, FAIRNESS)


def guide(
    net: Net,
    layer: str,
    picture: Image.Image | Tensor,
    *,
    device: str = "auto",
    precision: str = "auto",
) -> Guide:
    """The objective that resembles another picture, as a layer sees it.

    Args:
        net: any net.
        layer: the name of a layer whose features lie over parts of the picture.
        picture: a Pillow image, or (3, height, width), RGB, 0..1.
        device: see ``Ascent``.
        precision: see ``Ascent``.

    Raises:
        UsageError: there is no such layer, or it sees the picture as a whole.
    """
    layer = net.resolve_layer(layer)
    ascent = Ascent(net, device=device, precision=precision)
    shown = from_pil(picture) if isinstance(picture, Image.Image) else picture
    if not net.any_size:
        shown = center_crop_resize(shown, net.input_size)
    with torch.no_grad():
        features = ascent.see(shown[None].to(ascent.device), [layer])[layer]
    if features.ndim != 4 or features.shape[2:] == (1, 1):
        raise UsageError(f"layer {layer} sees a picture as a whole: a guide needs an earlier one")
    return Guide(layer, features[0].flatten(1))


def _canvas(
    style: DrawConfig,
    octave: Size,
    start: Tensor | None,
    margin: int,
    generator: Generator,
    device: torch.device,
) -> Canvas:
    """What an octave is painted on: what it begins with, or noise."""
    if style.canvas == "pixels":
        if start is not None:
            return PixelCanvas(start)
        return PixelCanvas.noise(
            octave, background=style.background, generator=generator, device=device
        )
    if style.canvas == "phase":
        if start is not None:
            return PhaseCanvas.of(start, margin=margin)
        return PhaseCanvas.noise(octave, margin=margin, generator=generator, device=device)
    if start is not None:
        return FourierCanvas.of(start, decay=style.decay, margin=margin)
    return FourierCanvas.noise(
        octave, decay=style.decay, margin=margin, generator=generator, device=device
    )


def _painted(wishes: Sequence[Target], mask: Tensor | None, octave: Size) -> Tensor | None:
    """Where anything may change, (height, width), 0..1; None for everywhere."""
    places = [wish.place.mask(octave) for wish in wishes]
    given = [place for place in places if place is not None]
    painted = torch.stack(given).amax(0) if len(given) == len(places) else None
    if mask is None:
        return painted
    whole = MaskRegion(mask).mask(octave)
    return whole if painted is None else whole * painted


def _masked(
    canvas: Canvas, painted: Tensor | None, start: Tensor | None, photograph: Tensor | None
) -> Canvas:
    """The canvas, shown only where it may be painted on."""
    if painted is None:
        return canvas
    below = canvas.image().detach() if start is None else start
    painted = painted.to(below)
    if photograph is not None:
        # What an octave changed spreads a little when it is enlarged.
        below = torch.where(painted > 0, below, photograph)
    return LayeredCanvas(canvas, below, painted)


def _glances(
    now: DrawConfig, generator: Generator, seen: Size, octave: Size, least: Size
) -> list[Transform]:
    """How to look at tiles of one size, in an octave of another."""
    # Where tiles overlap, one sees what the others do from elsewhere.
    count = max(min(2, now.glances), now.glances * math.prod(seen) // math.prod(octave))
    turns = draw_glances(generator, count, turn=now.turn, scale=now.scale, shift=now.shift)
    shrink = draw_shrink(generator, seen, least, now.afar)
    frame = Pad(now.pad) if now.pad else None
    return [compose(frame, turn, shrink) for turn in turns]


def _shaken(view: View, jitter: int, generator: Generator) -> View:
    if not jitter or not isinstance(view, TileView):
        return view
    down, across = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist()
    return RolledView(view, down, across)


def class_weights(
    net: Net, classes: Sequence[str] | Mapping[str, float]
) -> dict[int | tuple[int, ...], float]:
    """The numbers of named classes and groups, with weights whose magnitudes sum to 1.

    Raises:
        UsageError: none is named, the net lacks one, or all weights are 0.
    """
    named = classes if isinstance(classes, Mapping) else dict.fromkeys(classes, 1.0)
    if not named:
        raise UsageError("there is nothing to draw: name a class")
    weights: dict[int | tuple[int, ...], float] = {}
    for name, weight in named.items():
        found = resolve_class(net, name)
        weights[found] = weights.get(found, 0.0) + weight
    sum_of_all = sum(abs(weight) for weight in weights.values())
    if not 0 < sum_of_all < math.inf:
        raise UsageError("the classes' weights must be finite and not all 0")
    return {number: weight / sum_of_all for number, weight in weights.items()}


def resolve_class(net: Net, name: str) -> int | tuple[int, ...]:
    """The number of a class, or the numbers of a group's.

    Raises:
        UsageError: there is neither; says which nets have it.
    """
    group = group_members(name, net.classes)
    if group:
        return tuple(group)
    try:
        return net.class_index(name)
    except UnknownClassError as error:
        others = nets_with_class(name)
        if not others:
            raise
        some = " or ".join(f"--net {other}" for other in others[:3])
        raise UsageError(f"{error}. Try {some}, which know it") from error


def _stages(
    net: Net,
    style: DrawConfig,
    size: Size,
    tile: Size,
    count: int | None,
    scale: float | None,
    iterations: int | None,
) -> list[tuple[Size, OctaveConfig]]:
    """The octaves, and what to do at each."""
    for given in (count, iterations):
        if given is not None and given < 1:
            raise UsageError("octaves and iters must be 1 or more")
    scale = scale or style.octave_scale
    if not 1 <= scale <= 10:
        raise UsageError("the octave scale must be from 1 to 10")
    # Found by eye: a picture of a tile's size that starts at two thirds of it
    # shows one thing whole; a larger picture that starts below a tile, many cut off.
    smallest = min(max(tile), max(net.input_size), 2 * min(size) // 3)
    if style.order == "none":
        smallest = 1
    if style.stages:
        stages = [
            replace(stage, iterations=iterations or stage.iterations) for stage in style.stages
        ]
        return list(
            zip(
                octaves.sizes_from_scales([stage.scale for stage in stages], size),
                stages,
                strict=True,
            )
        )
    if count is None:
        count = style.octaves or octaves.count(size, scale, smallest)
    usual = OctaveConfig(iterations or style.iterations, (style.rate,) * 2, (style.blur,) * 2)
    stages = [usual] * count
    if iterations is None:
        stages[0] = replace(stages[0], iterations=stages[0].iterations * style.opening)
        stages[-1] = replace(stages[-1], iterations=stages[-1].iterations * style.closing)
    return list(zip(octaves.sizes(size, count, scale, smallest), stages, strict=True))


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


def _usual_size(style: DrawConfig, tile: Size) -> Size:
    """Where nothing is asked for: a tile's, or what stages lead up to from one."""
    grown = math.prod(stage.scale for stage in style.stages[1:])
    return round(tile[0] * grown), round(tile[1] * grown)


def fits_memory(size: Size, tile: Size = (TILE, TILE)) -> bool:
    """Whether this machine can hold a picture of (height, width) that ``draw`` paints."""
    return _bytes_needed(size, tile) <= total_memory(torch.device("cpu"))


def _bytes_needed(size: Size, tile: Size) -> int:
    # A picture smaller than a tile is filled up to one.
    return BYTES_PER_PIXEL * max(size[0], tile[0]) * max(size[1], tile[1])


def _check_memory(size: Size, tile: Size) -> None:
    """Refuse, before any work, a picture that this machine cannot hold."""
    if not fits_memory(size, tile):
        here = total_memory(torch.device("cpu"))
        side = math.isqrt(int(here / BYTES_PER_PIXEL)) // 64 * 64
        raise UsageError(
            f"size {size[1]}x{size[0]} in tiles of {tile[0]} needs about "
            f"{_bytes_needed(size, tile) / 2**30:,.0f} GiB of memory, and this machine has "
            f"{here / 2**30:,.0f}: pictures in memory go up to about {side}x{side} here; larger "
            "ones `lucid draw` paints on disk, as pixels, and without masks"
        )
