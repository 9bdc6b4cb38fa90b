"""Decide everything that a drawing needs before the first step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Unpack, cast

import torch
from torch import Generator, Tensor

from lucid.core.ascent import Ascent
from lucid.core.objectives import CallableObjective
from lucid.core.optimizers import Optimizer
from lucid.core.transforms import (
    Transform,
    checked_transform,
    draw_affines,
    draw_disturbance,
    draw_shrink,
    mirror,
)
from lucid.drawing.config import (
    TILE,
    DrawConfig,
    OctaveConfig,
    PassSettings,
    default_config,
    on_canvas,
)
from lucid.drawing.edits import TimedEdit, find_mask, with_edits
from lucid.drawing.options import CanvasFactory, DrawOptions, complete_options
from lucid.drawing.subject import (
    choose_subject,
    composition_size,
    detail_objective,
    detail_octaves,
    detail_tiling,
)
from lucid.drawing.targets import Target, Targets, find_classifier, find_targets, with_cooldown
from lucid.errors import UsageError
from lucid.imaging import Size
from lucid.imaging.fit import fit_image, fit_size
from lucid.imaging.io import Picture, to_tensor
from lucid.nets.net import LOGITS, Net
from lucid.nets.registry import NetLike, to_net
from lucid.tiling.octaves import octave_sizes, sizes_from_scales
from lucid.tiling.tiles import Tiling

COOLDOWN_VIEWS = 8
"""Augmented views of each tile during the cooldown: with four, one or two mixes in twelve came
out lopsided."""

REDIRECTED = 16
"""Passes in which rectifiers are redirected, so that a feature begins that is not active yet."""

MAX_VIEWS = 32
"""The most views of an octave that is smaller than a tile."""

IN_CONFIG = ("variety", "weight_decay", "laplacian", "flip")
"""Options of a drawing that replace attributes of the configuration."""

DETAIL_SIGMA = 1.5
"""What is coarser than this, in pixels, stays as it is at octaves that only add detail."""


@dataclass(frozen=True)
class Given:
    """What ``prepare`` was given: targets, base and options."""

    targets: Targets
    base: Picture | None
    options: DrawOptions


@dataclass(frozen=True)
class Plan:
    """A drawing that is ready to begin: painting it twice gives the same picture.

    Attributes:
        net: the net that paints.
        ascent: the net, where it runs.
        targets: what to paint, and where.
        config: hyperparameters.
        base: (3, height, width), RGB, 0..1: the picture to paint on; None for noise.
        size: height and width of the picture.
        subject: the side of one thing in the picture, in pixels.
        tiling: how pictures are cut into tiles.
        octaves: sizes of the octaves, with their hyperparameters.
        strength: factor of the lr.
        mask: (height, width), 0..1: where the picture may change; None for everywhere.
        keep_colors: whether the base keeps its colours.
        seed: of the random numbers.
        canvas: makes canvases of the user's own, in place of the config's.
        optimizer: makes optimizers of the user's own, in place of the config's.
        transforms: of the user's own, applied to what the net is shown.
        alpha: whether the picture is transparent where what was painted matters little.
        edits: changes that are made under way, each with its moment.
        given: targets, base and options as they were given, for the recipe.
    """

    net: Net
    ascent: Ascent
    targets: Sequence[Target]
    config: DrawConfig
    base: Tensor | None
    size: Size
    subject: float
    tiling: Tiling
    octaves: Sequence[tuple[Size, OctaveConfig]]
    strength: float
    mask: Tensor | None
    keep_colors: bool
    seed: int
    canvas: CanvasFactory | None = None
    optimizer: Callable[[float], Optimizer] | None = None
    transforms: Sequence[Transform] = ()
    alpha: bool = False
    edits: tuple[TimedEdit, ...] = ()
    given: Given | None = field(default=None, repr=False)

    @property
    def wrap(self) -> bool:
        """Whether opposite borders of the picture are to fit together."""
        return self.tiling.padding == "wrap"

    @property
    def total(self) -> int:
        """Pixels to pass over, in all passes of all octaves."""
        total = 0
        for (height, width), octave in self.octaves:
            total += octave.iterations * height * width
        return total

    @property
    def composing(self) -> int:
        """Pixels to pass over before the octaves that only add detail."""
        return replace(self, octaves=[each for each in self.octaves if not each[1].detail]).total

    def octave_targets(self, octave: OctaveConfig) -> Sequence[Target]:
        """What an octave paints: detail, or the targets, whose classes may be another layer's."""
        if octave.detail:
            objective = detail_objective(self.net)
            return [Target(objective)] if objective else []
        if octave.layer is None:
            return self.targets
        names = ((LOGITS, octave.layer),)
        return [
            replace(target, objective=CallableObjective(target.objective.forward, names))
            if target.objective.layers == {LOGITS}
            else target
            for target in self.targets
        ]

    def to_dict(self) -> dict[str, Any]:
        """Resolved settings as JSON-compatible values."""
        return {
            "size": f"{self.size[1]}x{self.size[0]}",
            "subject": round(self.subject, 2),
            "tile": list(self.tiling.tile),
            "octaves": [
                f"{width}x{height}, {octave.iterations} passes"
                for (height, width), octave in self.octaves
            ],
            "config": self.config.to_dict(),
        }

    def pass_settings(
        self, size: Size, octave: OctaveConfig, number: int, done: int, generator: Generator
    ) -> PassSettings:
        """Draw the settings of one pass over an octave of (height, width).

        ``number`` is the pass's in its octave, ``done`` the pixels passed over before it.
        """
        if octave.detail:
            return self._detail_settings(size, octave, number)
        config, tiling = self.config, fit_tiling(self.tiling, self.net, size)
        lr_scale, max_angle, scale = 1.0, config.max_angle, config.scale
        n_views, downscale_prob = 1, 0.0
        cooled = done / self.composing - (1 - config.cooldown) if config.cooldown else 0
        if cooled > 0:
            lr_scale = 1 - 0.97 * cooled / config.cooldown
            max_angle, scale, downscale_prob = config.max_angle / 6, (0.775, 1.225), 0.6
            n_views = COOLDOWN_VIEWS
        shown = size if tiling.order == "none" else tiling.tile
        # Where tiles overlap, a part of the picture is seen in several of them anyway.
        small = math.prod(self.size) < math.prod(shown)  # and seen in its reflections, too
        seen = 1 if small else math.prod(shown) / math.prod(size)
        count = max(min(2, n_views), int(n_views * seen))
        count = min(count, max(MAX_VIEWS, n_views))
        affines = draw_affines(
            generator, count, max_angle=max_angle, scale=scale, shift=config.shift
        )
        shrink = draw_shrink(generator, shown, self.net.input_size, downscale_prob)
        transforms: list[list[Transform]] = []
        for affine in affines:
            transforms.append([affine, shrink] if shrink else [affine])
            if config.flip and torch.rand((), generator=generator) < 0.5:
                transforms[-1].insert(0, mirror)
            if config.tint or config.noise:
                transforms[-1].append(draw_disturbance(generator, config.tint, config.noise))
            transforms[-1] += self.transforms
        share = number / octave.iterations
        (first_lr, last_lr), (first_blur, last_blur) = octave.lr, octave.blur
        return PassSettings(
            lr=self.strength * lr_scale * (first_lr + (last_lr - first_lr) * share),
            blur=first_blur + (last_blur - first_blur) * share,
            tiling=tiling,
            transforms=transforms,
            tv_weight=config.tv_weight,
            blur_sigmas=config.blur_sigmas,
            laplacian=config.laplacian,
            redirect=done < REDIRECTED * math.prod(size),  # done counts pixels, not passes
        )

    def _detail_settings(self, size: Size, octave: OctaveConfig, number: int) -> PassSettings:
        """The settings of a pass that only adds detail: larger tiles, seen as they are."""
        first, last = octave.lr
        return PassSettings(
            lr=self.strength * (first + (last - first) * number / octave.iterations),
            blur=0,
            tiling=detail_tiling(self.tiling, self.net, size),
            transforms=(),
            tv_weight=self.config.detail_tv_weight,
            high_pass=DETAIL_SIGMA,
        )


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def prepare(
    net: NetLike,
    targets: Targets,
    base: Picture | None = None,
    **options: Unpack[DrawOptions],
) -> Plan:
    """Plan a drawing.

    Args:
        net: the net that paints, or its name.
        targets: what to paint.
        base: the picture to paint on: a file, a Pillow image or (3, height, width), RGB, 0..1;
            None for noise.
        options: see ``DrawOptions``.

    Raises:
        UsageError: an option makes no sense, the net lacks a class or layer, or the picture does
            not fit into memory.
    """
    settings = complete_options(options)
    net = to_net(net)
    config = settings["config"] or default_config(net, on_base=base is not None)
    for name in IN_CONFIG:
        if (value := settings[name]) is not None:  # type: ignore[literal-required]
            config = replace(config, **{name: value})
    if isinstance(settings["canvas"], str):
        config = on_canvas(config, settings["canvas"])
    if isinstance(settings["optimizer"], str):
        config = replace(config, optimizer=settings["optimizer"])
    found = find_targets(net, targets, config)
    config, is_mix = with_cooldown(config, found)
    if is_mix:
        config = replace(config, last_octave_factor=config.mix_last_octave_factor)
    given_base = base
    base = None if base is None else to_tensor(base)
    if not 0 <= settings["strength"] <= 100:
        raise UsageError(f"strength {settings['strength']} must be from 0 to 100; 1 is usual")
    if settings["keep_colors"] and base is None:
        raise UsageError("there are no colours to keep: give a picture to paint on")
    tile, size = _sizes(net, settings, base, config)
    base, mask = _fit(base, settings["mask"], size, settings["fit"])
    tiling = Tiling(
        tile, config.order or settings["order"], settings["overlap"], settings["padding"]
    )
    usual = settings["subject"] is None and min(size) <= min(tile)
    side = min(tile) if usual else choose_subject(net, found, base, config, size, tile, settings)
    composition = composition_size(size, side, tile) if side > min(tile) else size
    if side < min(tile):
        tiling = replace(tiling, tile=(max(8, round(side)),) * 2)
    if math.prod(composition) > math.prod(tile) and config.tiled_tv_weight > config.tv_weight:
        config = replace(config, tv_weight=config.tiled_tv_weight)
    if tiling.order == "none" and not net.any_size and size != net.input_size:
        raise UsageError(f"{net.name} cannot see a whole picture of that size: use tiles")
    octaves = _octaves(net, config, composition, tiling.tile, settings)
    if composition != size:
        octaves += detail_octaves(composition, size, config, settings["iterations"])
    plan = Plan(
        net=net,
        ascent=Ascent(net, settings["runtime"]),
        targets=found,
        config=config,
        base=base,
        size=size,
        subject=side,
        tiling=tiling,
        octaves=octaves,
        strength=settings["strength"],
        mask=mask,
        keep_colors=settings["keep_colors"],
        seed=settings["seed"],
        canvas=None if isinstance(settings["canvas"], str) else settings["canvas"],
        optimizer=None if isinstance(settings["optimizer"], str) else settings["optimizer"],
        transforms=list(map(checked_transform, settings["transforms"])),
        alpha=settings["alpha"],
        given=Given(targets, given_base, options),
    )
    return with_edits(plan, settings["at"]) if settings["at"] else plan


def _fit(
    base: Tensor | None, mask: Picture | None, size: Size, fit: str
) -> tuple[Tensor | None, Tensor | None]:
    """The base, and the mask that was named or given as a picture, in the shape of a size."""
    shape = size if base is None else (base.shape[1], base.shape[2])
    found = None if mask is None else find_mask(mask, size, base, shape, fit)
    return None if base is None else fit_image(base, size, fit), found


def _sizes(
    net: Net, settings: DrawOptions, base: Tensor | None, config: DrawConfig
) -> tuple[Size, Size]:
    """The sizes of a tile and of the picture.

    The picture has the size asked for, the base's, a tile's, or what octaves of given scales lead
    up to from one.
    """
    side = settings["tile_size"]
    if base is not None and config.canvas == "cppn":
        raise UsageError("a CPPN starts from nothing: leave the picture out, or the canvas cppn")
    if net.any_size:
        tile = (side or TILE, side or TILE)
    elif side and (side, side) != net.input_size:
        height, width = net.input_size
        raise UsageError(f"{net.name} sees only {width}x{height} pixels: leave the tile size out")
    else:
        tile = net.input_size
    size = cast(Size | None, settings["size"])
    if size is None and base is not None:
        size = (base.shape[1], base.shape[2])
    elif size is not None and base is not None:
        size = fit_size((base.shape[1], base.shape[2]), size, settings["fit"])
    elif size is None:
        grown = math.prod(map(attrgetter("scale"), config.octave_configs[1:]))
        size = round(tile[0] * grown), round(tile[1] * grown)
    if min(size) < 1:
        raise UsageError(f"size {size[1]}x{size[0]} has no pixels")
    return tile, size


def _octaves(
    net: Net, config: DrawConfig, size: Size, tile: Size, settings: DrawOptions
) -> list[tuple[Size, OctaveConfig]]:
    """The sizes of the octaves, with their hyperparameters."""
    count, iterations = settings["octave_count"], settings["iterations"]
    if (count is not None and count < 1) or (iterations is not None and iterations < 1):
        raise UsageError("octaves and iters must be 1 or more")
    scale = settings["octave_scale"] or config.octave_scale
    if not 1 <= scale <= 10:
        raise UsageError("the octave scale must be from 1 to 10")
    if config.octave_configs:
        configs = [
            replace(
                octave,
                iterations=iterations or octave.iterations,
                layer=None if octave.layer is None else find_classifier(net, octave.layer),
            )
            for octave in config.octave_configs
        ]
        sizes = sizes_from_scales([octave.scale for octave in configs], size)
        return list(zip(sizes, configs, strict=True))
    # Found by eye: a picture of a tile's size that starts at two thirds of it shows one thing
    # whole; a larger picture that starts below a tile shows many things cut off.
    smallest = min(max(tile), max(net.input_size), max(1, 2 * min(size) // 3))
    if config.order == "none":
        smallest = 1
    lr, blur = (config.lr, config.lr), (config.blur, config.blur)
    octaves = []
    sizes = octave_sizes(size, count or config.octaves, scale, smallest)
    for number, octave_size in enumerate(sizes):
        passes = iterations or config.iterations
        if iterations is None and number == 0:
            passes *= config.first_octave_factor
        if iterations is None and number == len(sizes) - 1:
            passes *= config.last_octave_factor
        octaves.append((octave_size, OctaveConfig(passes, lr, blur)))
    return octaves


def fit_tiling(tiling: Tiling, net: Net, octave: Size) -> Tiling:
    """Make tiles no larger than an octave, where the net still sees its own size then."""
    if not net.any_size or tiling.order == "none":
        return tiling
    height = min(tiling.tile[0], max(net.input_size[0], octave[0]))
    width = min(tiling.tile[1], max(net.input_size[1], octave[1]))
    return replace(tiling, tile=(height, width))
