"""Several pictures of one thing that differ: painted side by side and pushed apart."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from lucid.core.objectives import LayerObjective
from lucid.drawing.loop import passes
from lucid.drawing.options import DrawOptions
from lucid.drawing.plan import Plan, prepare
from lucid.drawing.progress import Progress
from lucid.drawing.recipe import draw_recipe
from lucid.drawing.targets import Targets
from lucid.errors import Stop, UsageError, tell
from lucid.imaging.io import Picture
from lucid.imaging.recipes import with_recipe
from lucid.nets.net import Net
from lucid.nets.registry import NetLike

DIVERSITY_WEIGHT = 20.0
"""Default weight of how much pictures of a group differ. Found on lions and teapots by lucid64:
with 12 they differ little more than by their seeds, with 30 SqueezeNet names only half of them."""

FEATURE_DECAY = 0.8
"""How much of a picture's remembered features is kept at each step; a step may show a part only."""


@dataclass
class Group:
    """What the pictures of a group show, as far as they are painted.

    Attributes:
        features: by the number of each picture, the mean over places of a layer's features, of
            length 1, (channels,).
    """

    features: dict[int, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Diversity(LayerObjective):
    """How little a picture resembles the others of its group.

    After the diversity objective of Olah, Mordvintsev and Schubert, "Feature Visualization", 2017,
    which compares the images of one batch; here, each picture is compared with what the others
    showed when they were last painted.

    Attributes:
        group: the pictures' features; ``forward`` writes those of its own picture there.
        number: of its own picture.
        weight: factor of the value.
    """

    group: Group
    number: int
    weight: float = DIVERSITY_WEIGHT

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """Minus the weighted mean cosine of the angles to the other pictures' features, (n,)."""
        features = activations[self.layer].flatten(2).mean(2)
        n_views = getattr(activations, "n_views", 1)
        features = F.normalize(features.view(n_views, -1, features.shape[1]).mean(0), dim=1)
        seen, shown = self.group.features, features.detach().mean(0)
        others = [value.to(shown) for number, value in seen.items() if number != self.number]
        before = seen.get(self.number, shown).to(shown)
        seen[self.number] = F.normalize(before.lerp(shown, 1 - FEATURE_DECAY), dim=0)
        if not others:
            return 0 * features.sum(1)
        return -self.weight * (features @ torch.stack(others).T).mean(1)


def diversity_layer(net: Net) -> str:
    """Find the layer in which pictures are compared: the last with features that are no classes.

    Raises:
        UsageError: no layer has features for each place.
    """
    layers = [
        name
        for name, _, shape in net.describe()
        if len(shape) == 3 and shape[-1] > 1 and shape[0] != len(net.classes)
    ]
    if not layers:
        raise UsageError(f"{net.name} has no layer in which pictures can be compared")
    return layers[-1]


def prepare_group(plan: Plan, count: int, weight: float = DIVERSITY_WEIGHT) -> list[Plan]:
    """Plan several pictures that are pushed apart, with consecutive seeds.

    Args:
        plan: of the first picture, made by ``prepare``.
        count: the number of pictures, 2 or more.
        weight: of how much they differ, relative to the targets.

    Raises:
        UsageError: the count is below 2, or the net has no layer to compare pictures in.
    """
    if count < 2:
        raise UsageError(f"{count} picture cannot differ from others: use a count of 2 or more")
    if plan.edits:
        raise UsageError("pictures that are pushed apart cannot be edited: leave at out")
    layer, group = diversity_layer(plan.net), Group()
    plans = []
    for number in range(count):
        apart = Diversity(layer, group, number, weight)
        targets = [replace(each, objective=each.objective + apart) for each in plan.targets]
        plans.append(replace(plan, targets=targets, seed=plan.seed + number))
    return plans


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def draw_diverse(
    net: NetLike,
    targets: Targets,
    base: Picture | None = None,
    *,
    count: int,
    weight: float = DIVERSITY_WEIGHT,
    watch: Callable[[list[Progress]], object] | None = None,
    **options: Unpack[DrawOptions],
) -> list[Image.Image]:
    """Paint several pictures that differ from each other more than their seeds alone make them.

    The pictures are painted side by side. Besides the targets, each maximises how little its
    features resemble those of the others (the diversity objective of Olah, Mordvintsev and
    Schubert, "Feature Visualization", 2017).

    Args:
        net: any net; one with classes, if a class is a target.
        targets: what to paint, as for ``draw``.
        base: the picture to paint on; None for noise.
        count: number of pictures, 2 or more. The first has the seed of the options, and each
            other the next.
        weight: of how much the pictures differ, relative to the targets.
        watch: called after each pass of all pictures; False, or ``lucid.Stop``, stops with the
            pictures so far.
        options: see ``DrawOptions``.

    Returns:
        The pictures, RGB. Each carries the recipe of all.

    Raises:
        UsageError: an option makes no sense, or the net lacks a class or layer.
        LucidError: a picture does not fit into memory.

    >>> import lucid
    >>> net = lucid.load("lucid64")
    >>> pictures = lucid.draw_diverse(net, "lion", count=2, size=(64, 64), iterations=1)
    >>> [picture.size for picture in pictures]
    [(64, 64), (64, 64)]
    """
    plan = prepare(net, targets, base, **options)
    stages: list[Progress] = []
    passed = 0
    with contextlib.suppress(Stop):
        for each in zip(*map(passes, prepare_group(plan, count, weight)), strict=True):
            stages = list(each)
            passed += 1
            tell(watch, stages)
    unfinished = passed if stages[0].done < stages[0].total else None
    group: dict[str, Any] = {"count": count, "diverse": True}
    if weight != DIVERSITY_WEIGHT:
        group["weight"] = weight
    recipe = draw_recipe(plan, group, passes=unfinished)
    return [with_recipe(stage.picture(), recipe) for stage in stages]
