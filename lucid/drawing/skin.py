"""One thing in the pattern of another: a lion with the wings of a monarch for a mane.

A mix of two classes often stands side by side, each in its own part of the picture. Here the first
thing is painted alone. Where the net sees it, its silhouette, the other is painted on it, smaller,
together with the first, so that the shape stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Unpack

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from lucid.core.attribution import attribution_layer, attribution_maps
from lucid.core.device import reraise_oom
from lucid.core.objectives import SHARE_PENALTY, ClassLogits
from lucid.drawing.config import default_config
from lucid.drawing.loop import Watch, passes, run
from lucid.drawing.options import DrawOptions
from lucid.drawing.plan import Plan, prepare
from lucid.drawing.progress import Progress
from lucid.drawing.recipe import draw_recipe
from lucid.drawing.subject import composition_size
from lucid.drawing.targets import Target, Targets, class_weights
from lucid.errors import UsageError
from lucid.imaging.filters import gaussian_blur
from lucid.imaging.io import Picture
from lucid.imaging.recipes import with_recipe
from lucid.nets.net import LOGITS, Net
from lucid.nets.registry import NetLike
from lucid.tiling.octaves import resize
from lucid.tiling.regions import MaskRegion

SKIN_SHARE = 0.4
"""How large the pattern is, in shares of the thing that wears it."""

SKIN_WEIGHT = 2 / 3
"""Weight of the pattern beside the thing, of 1. Found by eye with lucid1000: with 1 the thing is
lost, with a half it hardly changes."""

EDGE = 2.5
"""How steeply a silhouette rises, from the median of the evidence to its maximum."""

SOFTNESS = 0.027
"""Standard deviation of the blur of a silhouette's edge, in shares of the thing's side."""


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def draw_skin(
    net: NetLike,
    targets: Targets,
    skin: str | Mapping[str, float],
    base: Picture | None = None,
    *,
    watch: Watch | None = None,
    **options: Unpack[DrawOptions],
) -> Image.Image:
    """Paint one thing in the pattern of another.

    Args:
        net: a net with classes and a late layer with features for each place.
        targets: the thing: classes, as for ``draw``.
        skin: the class that lends its pattern, or several with weights.
        base: the picture to paint on: a Pillow image, or (3, height, width), RGB, 0..1; None for
            noise.
        watch: called after each pass; False, or ``lucid.Stop``, stops with the picture so far.
        options: see ``DrawOptions``; ``config`` and ``variety`` are of the thing alone.

    Returns:
        The picture, RGB.

    Raises:
        UsageError: an option makes no sense, the net lacks a class, or the thing is not classes
            for the whole picture.
        LucidError: the picture does not fit into memory.

    >>> import lucid
    >>> net = lucid.load("lucid64")
    >>> lucid.draw_skin(net, "lion", "monarch", size=(64, 64), iterations=1).size
    (64, 64)
    """
    plan = prepare(net, targets, base, **options)
    pattern = prepare_skin(plan, skin, **options)
    progress, unfinished = run(skin_passes(plan, pattern), watch)
    recipe = draw_recipe(plan, {"skin": skin}, passes=unfinished)
    return with_recipe(progress.picture(), recipe)


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def prepare_skin(
    plan: Plan, skin: str | Mapping[str, float], **options: Unpack[DrawOptions]
) -> Plan:
    """Plan the pattern that is painted on what a plan paints.

    Args:
        plan: of the thing, made by ``prepare``.
        skin: the class that lends its pattern, or several with weights.
        options: those that the plan was made with.

    Returns:
        A plan on a grey base, which ``skin_passes`` replaces by the painted thing.

    Raises:
        UsageError: the net lacks a class, the thing is not classes for the whole picture, or no
            layer tells where the net sees a class.
    """
    if plan.edits:
        raise UsageError("a thing with a skin cannot be edited: leave at out")
    net = plan.net
    weights = {key: each * (1 - SKIN_WEIGHT) for key, each in _thing(plan).weights.items()}
    for key, each in class_weights(net, skin).items():
        weights[key] = weights.get(key, 0) + each * SKIN_WEIGHT
    _layer(net)  # an error appears before any work
    config = default_config(net, on_base=True)
    mix = ClassLogits(weights, config.mix_log_prob_weight, SHARE_PENALTY)
    settings: DrawOptions = {**options, "config": config, "mask": None}
    settings |= {"size": plan.size, "variety": None}
    if net.any_size:
        settings["subject"] = f"{SKIN_SHARE * _side(plan):.6g}px"
    pattern = prepare(net, Target(mix), torch.full((3, *plan.size), 0.5), **settings)
    return replace(pattern, ascent=plan.ascent)


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def skin_passes(plan: Plan, pattern: Plan) -> Iterator[Progress]:
    """Paint a thing, then the pattern on it, pass by pass.

    Args:
        plan: of the thing, made by ``prepare``.
        pattern: made by ``prepare_skin``.

    Yields:
        How far the drawing has come, after each pass.

    Raises:
        LucidError: a step does not fit into memory.
    """
    total = plan.total + pattern.total
    for progress in passes(plan):
        yield replace(progress, total=total)
    painted = progress.canvas.image().detach()
    on_thing = replace(pattern, base=painted, mask=silhouette(plan, painted), seed=plan.seed)
    for progress in passes(on_thing):
        yield replace(progress, done=plan.total + progress.done, total=total)


def silhouette(plan: Plan, painted: Tensor) -> Tensor:
    """Find where the net of a plan sees what it painted.

    Args:
        plan: of the thing, made by ``prepare``.
        painted: (3, height, width), RGB, 0..1.

    Returns:
        (height, width), from 0 to 1 at the places that add most to the logits of the thing's
        classes, with a soft edge; 0 where the plan's own mask is 0.

    Raises:
        UsageError: the thing is not classes for the whole picture, or no layer tells where the net
            sees a class.
        LucidError: the picture does not fit into memory.
    """
    net, size = plan.net, (painted.shape[1], painted.shape[2])
    layer, shown = _layer(net), net.input_size
    if net.any_size:  # the thing fills a tile
        shown = composition_size(size, plan.subject, plan.tiling.tile)
    small = resize(painted, shown).clamp(0, 1)[None].requires_grad_()
    with reraise_oom(plan.ascent.device):
        # In fp32, whatever the precision of the drawing: an ascent's layers come as copies.
        activations = net.activations(small, [layer, LOGITS])
        scores = ClassLogits(_thing(plan).weights).forward(activations)
        evidence = attribution_maps(activations[layer], scores[:, None]).detach()
    evidence = F.interpolate(evidence, size, mode="bicubic")[0, 0]
    above = evidence - evidence.median()
    above = EDGE * above / above.max().clamp(min=torch.finfo(above.dtype).tiny)
    mask = gaussian_blur(above.clamp(0, 1)[None], SOFTNESS * _side(plan))[0]
    return mask if plan.mask is None else mask * MaskRegion(plan.mask).mask(size).to(mask)


def _layer(net: Net) -> str:
    """The layer that tells where a net sees a class."""
    layer = attribution_layer(net)
    if layer is None:
        raise UsageError(f"{net.name} has no late layer that tells where a class is: no skin")
    return layer


def _side(plan: Plan) -> float:
    """The side of the thing in pixels, which is no larger than the picture."""
    return min(plan.subject, *plan.size)


def _thing(plan: Plan) -> ClassLogits:
    """The classes that a plan paints all over the picture."""
    objective = plan.targets[0].objective
    if len(plan.targets) != 1 or plan.targets[0].region or not isinstance(objective, ClassLogits):
        raise UsageError("a skin needs a thing to wear it: a class, without layers and regions")
    return objective
