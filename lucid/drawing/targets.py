"""What to paint: classes, layers and functions of activations, everywhere or in a region."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Unpack

import torch
from torch import Generator, Tensor

from lucid.core.ascent import Ascent
from lucid.core.device import Runtime, RuntimeOptions, resolve_runtime
from lucid.core.directions import Direction
from lucid.core.objectives import (
    SHARE_PENALTY,
    CallableObjective,
    Channel,
    ClassLogits,
    Guide,
    Objective,
    Sum,
)
from lucid.drawing.config import DrawConfig, default_config
from lucid.errors import UsageError
from lucid.imaging.io import Picture, center_crop_resize, to_tensor
from lucid.nets.class_names import normalize_name, related_classes
from lucid.nets.imagenet import group_members
from lucid.nets.net import LOGITS, Net, UnknownClassError
from lucid.nets.registry import LARGEST_NET, NetLike, load_meta, nets_with_class, to_net
from lucid.plugins import call
from lucid.tiling.regions import Region

log = logging.getLogger("lucid")


@dataclass(frozen=True)
class Target:
    """An objective and where to paint it.

    Attributes:
        objective: what to maximise.
        region: where; None for the whole picture.
    """

    objective: Objective
    region: Region | None = None


Function = Callable[[Mapping[str, Tensor]], Tensor]
"""From activations by layer name, (n, ...) each, to a number or one per image, (n,)."""

Targets = (
    str
    | int
    | Objective
    | Target
    | Function
    | Mapping[str, float]
    | Sequence[str | int | Objective | Target | Function]
)
"""What ``draw`` takes: a class's name, number or group; an objective; any function of
activations; classes with weights; or a list, of which classes make one mix, objectives and
functions their sum, and each ``Target`` one by itself."""


Classes = str | int | Iterable[str | int] | Mapping[str, float] | Mapping[str | int, float]
"""Names or numbers of classes, or names of groups; with weights if not all are equal."""


def find_targets(net: Net, targets: Targets, config: DrawConfig) -> list[Target]:
    """Turn what is asked for into objectives with their regions.

    Args:
        net: the net that paints.
        targets: see ``Targets``.
        config: hyperparameters, which hold weights of class objectives.

    Raises:
        UsageError: the net lacks a class or layer, or nothing is asked for.
    """
    if isinstance(targets, Mapping):
        return [Target(classes(net, targets, config))]
    if isinstance(targets, str | int | Integral | Objective | Target) or callable(targets):
        targets = [targets]
    if not isinstance(targets, Sequence) or isinstance(targets, bytes):
        raise UsageError(f"{targets!r} is nothing that can be drawn: name a class")
    found, names, total = [], [], None
    for item in targets:
        if isinstance(item, str | int | Integral):
            names.append(item)
        elif isinstance(item, Target):
            if not isinstance(item.objective, Objective):
                raise UsageError(f"a Target's objective is an Objective, not {item.objective!r}")
            found.append(Target(_resolve_layers(net, item.objective), item.region))
        else:
            part = _resolve_layers(net, _as_objective(net, item))
            total = part if total is None else total + part
    if names or (total is None and not found):
        named = classes(net, names, config)
        total = named if total is None else total + named
    return found if total is None else [*found, Target(total)]


def with_cooldown(config: DrawConfig, targets: Sequence[Target]) -> tuple[DrawConfig, bool]:
    """The hyperparameters that suit the targets, and whether these are a mix of classes."""
    for target in targets:
        if isinstance(target.objective, ClassLogits) and target.objective.share_penalty:
            return replace(config, cooldown=config.cooldown or config.mix_cooldown), True
    return config, False


def classes(net: NetLike, named: Classes, config: DrawConfig | None = None) -> ClassLogits:
    """The objective of one class, or of a mix of several, as it suits a net.

    Args:
        net: a net with classes.
        named: names or numbers of classes, or names of groups; with weights if not all are equal.
        config: the drawing's hyperparameters; without them, the net's defaults.

    Raises:
        UsageError: none is named, the net lacks one, or all weights are 0.

    >>> import lucid
    >>> lucid.classes(lucid.load("lucid64"), {"lion": 3, "monarch": 1}).weights
    {22: 0.75, 29: 0.25}
    """
    net = to_net(net)
    weights = class_weights(net, named)
    config = config or default_config(net, on_base=False)
    if len(weights) == 1:
        return ClassLogits(weights, config.log_prob_weight)
    return ClassLogits(weights, config.mix_log_prob_weight, SHARE_PENALTY)


def class_weights(net: Net, named: Classes) -> dict[int | tuple[int, ...], float]:
    """Numbers of classes, or tuples of a group's numbers, with weights whose magnitudes sum to 1.

    Raises:
        UsageError: none is named, the net lacks one, or all weights are 0.
    """
    if isinstance(named, str | int | Integral):
        named = [str(named)]
    if not isinstance(named, Iterable) or isinstance(named, bytes):
        raise UsageError(f"{named!r} is no class: give a name, a number, or several")
    weights: dict[int | tuple[int, ...], float] = {}
    total = 0.0
    for name, weight in (
        named if isinstance(named, Mapping) else dict.fromkeys(named, 1.0)
    ).items():
        is_name = isinstance(name, str | Integral) and not isinstance(name, bool)
        if not is_name or not isinstance(weight, Real):
            raise UsageError(f"{name!r}: {weight!r} is no class and its weight: give 'lion': 0.5")
        found = resolve_class(net, str(name))
        weights[found] = weights.get(found, 0.0) + float(weight)
    if not weights:
        raise UsageError("there is nothing to draw: name a class")
    for weight in weights.values():
        total += abs(weight)
    if not 0 < total < math.inf:
        raise UsageError("the classes' weights must be finite and not all 0")
    for found in weights:
        weights[found] /= total
    return weights


def random_mix(net: NetLike, seed: int) -> Direction:
    """The objective of every class, each with a weight of the same size and a random sign.

    From dream.py (the "lucid dreaming" post), which calls that ``randomise``.

    Args:
        net: a net with classes.
        seed: of the signs, 0 or more.

    Raises:
        UsageError: the net has no classes.

    >>> import lucid
    >>> lucid.random_mix("lucid64", seed=3).vector[:3].tolist()
    [-1.0, -1.0, 1.0]
    """
    net = to_net(net)
    net.require_classes()
    signs = torch.randint(2, (len(net.classes),), generator=Generator().manual_seed(seed))
    return Direction(LOGITS, 2.0 * signs - 1)


CAFFE_CLASSIFIERS = ("loss1/classifier", "loss2/classifier", "loss3/classifier", "fc8", "prob")
"""How Caffe's nets name the layers that score classes; the first two are GoogLeNet's auxiliary."""


def find_classifier(net: Net, name: str) -> str | None:
    """Find the layer that scores classes, by the net's name for it or Caffe's.

    Returns:
        The layer's name; None for the net's own class logits.

    Raises:
        UsageError: there is no such layer, or it does not score the classes.
    """
    try:
        layer = net.resolve_layer(name)
    except UsageError:
        if name not in CAFFE_CLASSIFIERS:
            raise
        if name in CAFFE_CLASSIFIERS[:2]:
            log.warning("%s has no %s here: its class scores are maximised", net.name, name)
        return None
    if net.layer_shape(name) != (len(net.classes),):
        raise UsageError(
            f"layer {name} of {net.name} does not score its {len(net.classes)} classes"
        )
    return None if layer == net.describe()[-1].name else layer


def resolve_class(net: Net, name: str) -> int | tuple[int, ...]:
    """The number of a class, or the numbers of a group's classes.

    Args:
        net: a net with classes.
        name: as for ``Net.class_index``; or a group (``birds``), singular or plural.

    Raises:
        UsageError: there is neither; the message names classes that come near it, and nets that
            have it.
    """
    try:
        if name not in net.classes:
            spelt = normalize_name(name) in map(normalize_name, net.classes)
            if not spelt and (group := group_members(name, net.classes)):
                return tuple(group)
        return net.class_index(name)
    except UnknownClassError as error:
        others = nets_with_class(name)
        if others:
            some = " or ".join(f"--net {other}" for other in others[:3])
            know = "know" if len(others) > 1 else "knows"
            raise UsageError(f"{error}. Try {some}, which {know} it") from error
        known = load_meta(LARGEST_NET).classes
        if related_classes(name, net.classes) or not (near := related_classes(name, known)):
            raise
        some = ", ".join(known[number] for number in near)
        raise UsageError(f"{error}. Try --net {LARGEST_NET}, which has {some}") from error


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def guide(
    net: NetLike,
    layer: str,
    picture: Picture,
    *,
    runtime: Runtime | None = None,
    **legacy: Unpack[RuntimeOptions],
) -> Guide:
    """The objective of similarity to another picture, as a layer sees it.

    Args:
        net: any net.
        layer: the name of a layer whose features lie over parts of the picture.
        picture: a Pillow image, or (3, height, width), RGB, 0..1.
        runtime: where and how to run the net.
        legacy: version 0.1's ``device`` and ``precision``.

    Raises:
        UsageError: there is no such layer, or each of its features sees the whole picture.
    """
    net = to_net(net)
    layer = net.resolve_layer(layer)
    ascent = Ascent(net, resolve_runtime(runtime, legacy))
    shown = to_tensor(picture, "guide")
    if not net.any_size:
        shown = center_crop_resize(shown, net.input_size)
    with torch.no_grad():
        features = ascent.forward(shown[None].to(ascent.device), [layer])[layer]
    if features.ndim < 3 or math.prod(features.shape[2:]) == 1:
        raise UsageError(f"layer {layer} sees a picture as a whole: a guide needs an earlier one")
    return Guide(layer, features[0].flatten(1))


def _as_objective(net: Net, item: Objective | Function) -> Objective:
    """An objective as it is; a function with the layers that it names or is seen to read."""
    if isinstance(item, Objective):
        return item
    if not callable(item):
        raise UsageError(f"{item!r} is no class's name, objective, target or function")
    named = getattr(item, "layers", None)
    if named is None:
        probe = _Probe(net)
        with torch.no_grad():
            call("objective", item, activations=probe)
        named = tuple(probe)
        if not named:
            raise UsageError(f"{item!r} reads no layer's activations: acts['LAYER']")
    return CallableObjective(item, tuple((name, name) for name in named))


class _Probe(dict[str, Tensor]):
    """Activations of a blank image, computed when they are read.

    So the keys are the layers that a function reads.
    """

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net

    def __missing__(self, name: str) -> Tensor:
        layer = name if name == LOGITS else self.net.resolve_layer(name)
        weights = next(self.net.parameters(), torch.empty(0))
        image = torch.zeros(1, 3, *self.net.input_size, device=weights.device)
        self[name] = self.net.activations(image, [layer])[layer].float()
        return self[name]


def _check_channels(net: Net, objective: Objective) -> None:
    """Refuse a channel that its layer does not have, in an objective or in a sum of some."""
    if isinstance(objective, Sum):
        for _, part in objective.parts:
            _check_channels(net, part)
    if isinstance(objective, Channel):
        check_channel(net, objective.layer, objective.channel)
        if objective.neuron and not all(0 <= place <= 1 for place in objective.neuron):
            raise UsageError(f"neuron {objective.neuron} must be (x, y), each from 0 to 1")


def check_channel(net: Net, layer: str, channel: int) -> None:
    """Raise a UsageError for a channel that a layer does not have."""
    count = net.layer_shape(layer)[0]
    if not isinstance(channel, Integral) or not 0 <= channel < count:
        raise UsageError(f"layer {layer} has channels 0 to {count - 1}, no {channel}")


def _resolve_layers(net: Net, objective: Objective) -> Objective:
    """The objective with the net's own names of its layers.

    Raises:
        UsageError: the net has no such layer, or the layer no such channel.
    """
    _check_channels(net, objective)
    names = tuple(
        (name, name if name == LOGITS else net.resolve_layer(name)) for name in objective.layers
    )
    if all(name == layer for name, layer in names):
        return objective
    if isinstance(objective, CallableObjective):
        return CallableObjective(objective.function, names)
    return CallableObjective(objective.forward, names)
