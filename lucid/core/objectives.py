"""What to maximise: numbers computed from a net's activations.

A new objective is a class with ``layers`` and ``forward``, or any function of activations.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from lucid.errors import UsageError
from lucid.nets.layouts import token_grid
from lucid.nets.net import LOGITS


class Activations(dict[str, Tensor]):
    """Layer outputs by layer name, (n_views * n, ...) each.

    Attributes:
        n_views: how many augmented views of each of the n images there are: the first view of
            all images comes first, then the second of all, and so on.
        base: the activations for the same parts of the picture that is painted on, in the same
            views, without gradients; None unless an objective sees the base.
    """

    n_views = 1
    base: Activations | None = None


class Objective(ABC):
    """A function of activations that gradient ascent increases.

    Objectives add up: ``lucid.Channel("8", 5) - 0.5 * lucid.LayerL2("4")``.
    """

    sees_base = False
    """Whether ``forward`` reads the base's activations, ``Activations.base``."""

    @property
    @abstractmethod
    def layers(self) -> frozenset[str]:
        """Names of the layers that ``forward`` reads; ``LOGITS`` is the class scores."""

    @abstractmethod
    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """Compute the value to increase.

        Args:
            activations: the outputs of ``layers``, (n, ...) each.

        Returns:
            One number per image, (n,), or one for all. Ascent increases their sum.
        """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "measure" in vars(cls):  # the name of `forward` in version 0.1
            cls.forward = vars(cls)["measure"]  # type: ignore[method-assign]

    def __add__(self, other: Objective) -> Objective:
        return Sum(((1, self), (1, other)))

    def __sub__(self, other: Objective) -> Objective:
        return Sum(((1, self), (-1, other)))

    def __mul__(self, factor: float) -> Objective:
        return Sum(((factor, self),))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1


@dataclass(frozen=True)
class Sum(Objective):
    """A weighted sum of objectives, as ``+``, ``-`` and ``*`` make it.

    Attributes:
        parts: pairs of a weight and an objective.

    Raises:
        UsageError: a part is something else.
    """

    parts: tuple[tuple[float, Objective], ...]

    def __post_init__(self) -> None:
        for weight, part in self.parts:
            if not isinstance(part, Objective):
                raise UsageError(f"{part!r} is no objective, and objectives add up with their like")
            if not isinstance(weight, Real):
                raise UsageError(f"an objective times {weight!r}: give a number")

    @property
    def sees_base(self) -> bool:  # type: ignore[override]
        """Whether a part reads the base's activations."""
        return any(part.sees_base for _, part in self.parts)

    @property
    def layers(self) -> frozenset[str]:
        """The layers of all parts."""
        return frozenset().union(*(part.layers for _, part in self.parts))

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """Add the parts up, over all images, (); of a part with a value a view, the views' means.

        So a layer weighs as much beside a class whether an image is seen in one view or in many.
        """
        n_views = getattr(activations, "n_views", 1)
        n_shown = len(next(iter(activations.values())))
        total = []
        for weight, part in self.parts:
            values = part.forward(activations)
            each_view = values.ndim and len(values) == n_shown
            total.append(weight * values.sum() / (n_views if each_view else 1))
        return torch.stack(total).sum()


@dataclass(frozen=True)
class CallableObjective(Objective):
    """Any function of activations as an objective.

    Attributes:
        function: takes a mapping from layer names to activations, (n, ...) each; returns a
            number, or one per image, (n,).
        names: the layer names that the function uses, each with the name that the net gives
            the layer.
    """

    function: Callable[[Mapping[str, Tensor]], Tensor]
    names: tuple[tuple[str, str], ...]

    @property
    def sees_base(self) -> bool:  # type: ignore[override]
        """Whether the function is an objective's, which reads the base's activations."""
        return bool(getattr(getattr(self.function, "__self__", None), "sees_base", False))

    @property
    def layers(self) -> frozenset[str]:
        """The layers that the function reads."""
        return frozenset(layer for _, layer in self.names)

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """Call the function with the names that it uses."""
        named = Activations({name: activations[layer] for name, layer in self.names})
        named.n_views = getattr(activations, "n_views", 1)
        if base := getattr(activations, "base", None):
            named.base = Activations({name: base[layer] for name, layer in self.names})
        return self.function(named)


@dataclass(frozen=True)
class LayerObjective(Objective):
    """The base of objectives that read one layer.

    Attributes:
        layer: its name, or the number that a Darknet net has for it.
    """

    layer: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "layer", str(self.layer))

    @property
    def layers(self) -> frozenset[str]:
        """The one layer."""
        return frozenset([self.layer])


@dataclass(frozen=True)
class LayerL2(LayerObjective):
    """Half the squared L2 norm of a layer's activations, whose gradient is the activations.

    The objective of Google's DeepDream (Mordvintsev, Olah and Tyka, "Inceptionism", 2015).
    """

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """Half the sum of squares, (n,)."""
        return activations[self.layer].flatten(1).square().sum(1) / 2


@dataclass(frozen=True)
class LayerContrast(LayerObjective):
    """How much the features of a layer differ from place to place: half the log of their variance.

    Its gradient strengthens what the layer sees where it stands out, as ``LayerL2`` does, and does
    not depend on the scale of the layer's activations.
    """

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """Half the log of the mean squared deviation of channels from their spatial means, (n,)."""
        features = activations[self.layer].flatten(2)
        deviation = features - features.mean(2, keepdim=True)
        return deviation.square().mean((1, 2)).clamp(min=1e-12).log() / 2


@dataclass(frozen=True)
class Channel(LayerObjective):
    """One channel of a layer: its mean, or one neuron.

    From Olah, Mordvintsev and Schubert, "Feature Visualization", 2017.

    Attributes:
        channel: number of the channel, from 0.
        neuron: (x, y) position of one neuron, as fractions of the view's width and height;
            None for the mean over all positions. Of a transformer's layer, the token at that
            place.
    """

    channel: int
    neuron: tuple[float, float] | None = None

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """The channel's mean or the neuron's activation, (n,)."""
        features = activations[self.layer][:, self.channel : self.channel + 1]
        if self.neuron is not None:
            features = at_place(features, self.neuron, self.layer)
        return features.flatten(1).mean(1)


def at_place(features: Tensor, place: tuple[float, float], layer: str) -> Tensor:
    """The features of one neuron, (n, channels), at (x, y), fractions of width and height.

    Raises:
        UsageError: these are tokens that do not lie in a square.
    """
    x, y = place
    if features.ndim == 2:
        return features
    if features.ndim == 3:
        grid = token_grid(features.shape[2])
        if grid is None:
            raise UsageError(
                f"the {features.shape[2]} tokens of layer {layer} are no square of places: "
                "leave @X,Y out"
            )
        return features[:, :, grid.token(x, y)]
    height, width = features.shape[2:]
    return features[:, :, min(int(y * height), height - 1), min(int(x * width), width - 1)]


@dataclass(frozen=True)
class Guide(LayerObjective):
    """Similarity to another picture, the guide.

    Each position of a layer moves towards the guide's feature vector with which its dot product is
    largest. The guided dreams of Google's DeepDream notebook (2015).

    Attributes:
        features: the layer's activations for the guide, (channels, positions).
    """

    features: Tensor

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """The sum of the largest dot products, (n,)."""
        similarity = torch.einsum("ncp,cg->npg", activations[self.layer].flatten(2), self.features)
        return similarity.amax(2).sum(1)


@dataclass(frozen=True)
class Enhance(LayerObjective):
    """Strengthen the strongest features of a layer: Darknet's nightmare.

    Half the sum of squares of the features above ``mean + threshold * std`` of the layer: each
    of them is its own gradient, and all others have none (``calculate_loss`` in Darknet's
    nightmare.c).

    Attributes:
        threshold: in standard deviations above the mean.
        bound: the threshold as a number, where statistics of the layer are known already.
    """

    threshold: float = 1.0
    bound: float | None = None

    def with_global_stats(self, parts: Iterable[Mapping[str, Tensor]]) -> Enhance:
        """Fix the threshold for a picture that is seen in parts.

        Args:
            parts: the activations of each part, (1, ...), without overlap.
        """
        count, total, squares = 0, 0.0, 0.0
        for activations in parts:
            std, mean = (
                float(value) for value in torch.std_mean(activations[self.layer], correction=0)
            )
            size = activations[self.layer].numel()
            count += size
            total += size * mean
            squares += size * (std**2 + mean**2)
        mean = total / count
        std = math.sqrt(max(0.0, squares / count - mean**2))
        return replace(self, bound=mean + self.threshold * std)

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """Half the sum of squares above the threshold, (n,)."""
        features = activations[self.layer]
        axes = tuple(range(1, features.ndim))
        bound: Tensor | float
        if self.bound is None:
            constant = features.detach()
            mean = constant.mean(axes, keepdim=True)
            # torch.std_mean is more careful, and took a fortieth of a nightmare's step.
            std = (constant - mean).square().mean(axes, keepdim=True).sqrt()
            bound = mean + self.threshold * std
        else:
            bound = self.bound
        return (features * (features > bound)).square().sum(axes) / 2


@dataclass(frozen=True)
class FeatureInversion(LayerObjective):
    """Minus half the squared distance to another picture's activations.

    Darknet's ``-reconstruct`` (Mahendran and Vedaldi, "Understanding Deep Image Representations by
    Inverting Them", 2014).

    Attributes:
        features: the layer's activations for that picture, (channels, height, width).
    """

    features: Tensor

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """Minus half the squared distance, (n,)."""
        return -(activations[self.layer] - self.features).square().flatten(1).sum(1) / 2


SHARE_PENALTY = 6.0
"""Default weight of the penalty that keeps the classes of a mix at their shares. Found by trial
on six pairs: at 1 the stronger class still wins."""


@dataclass(frozen=True)
class ClassLogits(Objective):
    """One class or a mix: the weighted sum of logits and of log-probabilities.

    The gradient of a log-probability fades for a class that has become likely, and turns the
    picture away from all other classes.

    A mix has a penalty besides: half the squares of how far the log-probabilities of its
    classes lie from the shares that their weights ask for. With several views of an image, the
    probabilities of a mix are those in the mean of all views: what is a lion from afar and a
    sports car from nearby is both.

    Attributes:
        weights: a weight for each class number, or for a tuple of numbers (a group, of which
            any class will do); a negative weight shrinks its class.
        log_prob_weight: factor of the log-probabilities.
        share_penalty: factor of the penalty, for mixes.
    """

    weights: Mapping[int | tuple[int, ...], float]
    log_prob_weight: float = 0
    share_penalty: float = 0
    layers = frozenset([LOGITS])

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """The value for each image, (n,), over all of its views."""
        logits = activations[LOGITS]
        columns = []
        for key in self.weights:
            if isinstance(key, int):
                columns.append(logits[:, key])
            else:  # the probability of a group is the sum of its classes' probabilities
                columns.append(logits.index_select(1, _indices(key, logits.device)).logsumexp(1))
        chosen = torch.stack(columns, 1)
        log_probs = chosen - logits.logsumexp(1, keepdim=True)
        n_views = getattr(activations, "n_views", 1)
        by_view = (n_views, -1, chosen.shape[1])
        log_probs = log_probs.view(by_view).logsumexp(0) - math.log(n_views)
        mixed = chosen.view(by_view).mean(0) + self.log_prob_weight * log_probs
        # Weights are plain numbers, which travel with the commands to a GPU: a tensor of them
        # would have to be waited for.
        terms, positive = [], {}
        for column, weight in enumerate(self.weights.values()):
            terms.append(mixed[:, column] * weight)
            if weight > 0:
                positive[column] = weight
        total = torch.stack(terms).sum(0)
        if self.share_penalty and len(positive) > 1:
            total = total - self.share_penalty * _share_penalty(log_probs, positive)
        return total


def _share_penalty(log_probs: Tensor, weights: Mapping[int, float]) -> Tensor:
    """Half the squared distance of log-probabilities, (n, columns), from their shares, (n,)."""
    whole = sum(weights.values())
    gap = torch.stack(
        [log_probs[:, column] - math.log(weight / whole) for column, weight in weights.items()], 1
    )
    return (gap - gap.mean(1, keepdim=True)).square().sum(1) / 2


@functools.lru_cache(64)
def _indices(numbers: tuple[int, ...], device: torch.device) -> Tensor:
    """Send class numbers to a device once: sending them at every step would be waited for."""
    return torch.tensor(numbers, device=device)
