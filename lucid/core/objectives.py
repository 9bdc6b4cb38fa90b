"""What to climb: a number for each image, made of what a net sees in it."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lucid.nets.net import LOGITS


class Objective(ABC):
    """A number for each image of a batch; the ascent makes it grow."""

    @property
    @abstractmethod
    def layers(self) -> frozenset[str]:
        """The layers of the net it reads; ``LOGITS`` is the class scores."""

    def __add__(self, other: Objective) -> Objective:
        return Sum(((1, self), (1, other)))

    def __sub__(self, other: Objective) -> Objective:
        return Sum(((1, self), (-1, other)))

    def __mul__(self, factor: float) -> Objective:
        return Sum(((factor, self),))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1

    def over(self, glances: int) -> Objective:
        """The objective for a batch that holds every image several times, each time seen
        otherwise: all images at the first glance, then all at the second, and so on."""
        return self

    def settled(self, parts: Iterable[Mapping[str, Tensor]]) -> Objective:
        """The objective for a picture that is measured part by part.

        Args:
            parts: what is seen in each, (1, …) of each of ``layers``, without overlap.
        """
        return self

    @abstractmethod
    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        """The numbers, (n,), from the activations of ``layers``, (n, …) each.

        One for each image, be it seen at one glance or, after ``over``, at several.
        """


@dataclass(frozen=True)
class Sum(Objective):
    """What ``+``, ``-`` and ``*`` make of objectives.

    Attributes:
        parts: objectives, each with how much it counts.
    """

    parts: tuple[tuple[float, Objective], ...]

    @property
    def layers(self) -> frozenset[str]:
        return frozenset().union(*(part.layers for _, part in self.parts))

    def over(self, glances: int) -> Sum:
        return Sum(tuple((factor, part.over(glances)) for factor, part in self.parts))

    def settled(self, parts: Iterable[Mapping[str, Tensor]]) -> Sum:
        kept = list(parts)
        return Sum(tuple((factor, part.settled(kept)) for factor, part in self.parts))

    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([factor * part.measure(seen) for factor, part in self.parts]).sum(0)


@dataclass(frozen=True)
class LayerObjective(Objective):
    """What reads one layer.

    Attributes:
        layer: its name.
    """

    layer: str

    @property
    def layers(self) -> frozenset[str]:
        return frozenset([self.layer])


@dataclass(frozen=True)
class LayerL2(LayerObjective):
    """More of all that a layer sees: half the sum of the squares of its features.

    Google's deepdream (Mordvintsev, Olah and Tyka, "Inceptionism", 2015), whose
    gradient at the layer is the layer itself.
    """

    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        return seen[self.layer].flatten(1).square().sum(1) / 2


@dataclass(frozen=True)
class Channel(LayerObjective):
    """One feature of a layer: everywhere, or one neuron of it (Olah, Mordvintsev and
    Schubert, "Feature Visualization", 2017).

    Attributes:
        channel: the feature's number, from 0.
        neuron: (x, y), as shares of the view's width and height, of the one place
            that counts; None for the mean of all.
    """

    channel: int
    neuron: tuple[float, float] | None = None

    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        feature = seen[self.layer][:, self.channel]
        if feature.ndim == 1:
            return feature
        if self.neuron is None:
            return feature.flatten(1).mean(1)
        height, width = feature.shape[1:]
        column, row = (
            min(int(share * length), length - 1)
            for share, length in zip(self.neuron, (width, height), strict=True)
        )
        return feature[:, row, column]


@dataclass(frozen=True)
class Guide(LayerObjective):
    """What resembles another picture: each place of the layer grows towards the feature
    of the guide's that it is most like already, by their dot product.

    The guided dreams of Google's deepdream notebook (2015).

    Attributes:
        features: what it saw in the guide, (channels, places).
    """

    features: Tensor

    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        places = seen[self.layer].flatten(2)
        likeness = torch.einsum("ncp,cg->npg", places, self.features)
        return likeness.amax(2).sum(1)


@dataclass(frozen=True)
class Enhance(LayerObjective):
    """More of what a layer sees already: Darknet's nightmare.

    Half the sum of the squares of the features above
    ``mean + threshold * deviation`` of their layer, so that each of them is
    its own gradient and all others have none (``calculate_loss`` in Darknet's
    nightmare.c).

    Attributes:
        threshold: in deviations above the mean.
        bound: that threshold as a number, where it is known already.
    """

    threshold: float = 1.0
    bound: float | None = None

    def settled(self, parts: Iterable[Mapping[str, Tensor]]) -> Enhance:
        count, total, squares = 0, 0.0, 0.0
        for seen in parts:
            deviation, mean = (
                float(value) for value in torch.std_mean(seen[self.layer], correction=0)
            )
            part = seen[self.layer].numel()
            count += part
            total += part * mean
            squares += part * (deviation**2 + mean**2)
        mean = total / count
        deviation = math.sqrt(max(0.0, squares / count - mean**2))
        return replace(self, bound=mean + self.threshold * deviation)

    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        features = seen[self.layer]
        axes = tuple(range(1, features.ndim))
        bound: Tensor | float
        if self.bound is None:
            still = features.detach()
            mean = still.mean(axes, keepdim=True)
            # torch.std_mean, in its one careful pass, took a fortieth of a nightmare's step.
            deviation = (still - mean).square().mean(axes, keepdim=True).sqrt()
            bound = mean + self.threshold * deviation
        else:
            bound = self.bound
        return (features * (features > bound)).square().sum(axes) / 2


@dataclass(frozen=True)
class FeatureInversion(LayerObjective):
    """What a layer saw in another picture: Darknet's ``-reconstruct``.

    Minus half the squared distance to its features (Mahendran and Vedaldi,
    "Understanding Deep Image Representations by Inverting Them", 2014).

    Attributes:
        features: what it saw, (channels, height, width).
    """

    features: Tensor

    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        return -(seen[self.layer] - self.features).square().flatten(1).sum(1) / 2


FAIRNESS = 6.0
"""How strongly the classes of a mix are kept at the shares asked for. Found by trial on six
pairs: at 1 the stronger still wins."""


@dataclass(frozen=True)
class ClassLogits(Objective):
    """One class, or a mix of several: the weighted sum of their scores.

    To it is added ``balance`` times the weighted sum of their log-probabilities,
    whose gradient fades for a class that has become likely and stays for one that
    has not, and which turns a picture away from the classes that it is not.

    A mix is kept fair: from it is subtracted ``fairness`` times half the squares of how
    far the log-probabilities of its classes lie from the shares that their weights ask
    for. What the net makes of one glance is not what it makes of the picture, which may
    be a lion from afar and a sports car from nearby: so the probabilities of a mix are those
    in the mean of all glances.

    Attributes:
        weights: a weight for each class number, or for a group's numbers, of which any
            will do; a negative one shrinks its class.
        balance: how much the log-probabilities count.
        fairness: how strongly the shares are kept.
        glances: how often a batch holds each image: see ``over``.
    """

    weights: Mapping[int | tuple[int, ...], float]
    balance: float = 0
    fairness: float = 0
    glances: int = 1

    @property
    def layers(self) -> frozenset[str]:
        return frozenset([LOGITS])

    def over(self, glances: int) -> ClassLogits:
        return replace(self, glances=glances)

    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        scores = seen[LOGITS]
        # A group is as likely as all its classes together.
        columns = [
            scores[:, key]
            if isinstance(key, int)
            else scores.index_select(1, _indices(key, scores.device)).logsumexp(1)
            for key in self.weights
        ]
        wanted = torch.stack(columns, 1)
        logs = wanted - scores.logsumexp(1, keepdim=True)
        glances = (self.glances, -1, wanted.shape[1])
        wanted = wanted.view(glances).mean(0)
        logs = logs.view(glances).logsumexp(0) - math.log(self.glances)
        # Numbers go with the commands to a GPU; a tensor of them would be waited for.
        weights = self.weights.values()
        mixed = (wanted + self.balance * logs).unbind(1)
        total = torch.stack([part * weight for part, weight in zip(mixed, weights, strict=True)])
        total = total.sum(0)
        wished = {at: weight for at, weight in enumerate(weights) if weight > 0}
        if self.fairness and len(wished) > 1:
            whole = sum(wished.values())
            gap = torch.stack(
                [logs[:, at] - math.log(weight / whole) for at, weight in wished.items()], 1
            )
            unfairness = (gap - gap.mean(1, keepdim=True)).square().sum(1) / 2
            total = total - self.fairness * unfairness
        return total


@functools.lru_cache(64)
def _indices(numbers: tuple[int, ...], device: torch.device) -> Tensor:
    """Sent once: a list of numbers would be sent, and waited for, at every step."""
    return torch.tensor(numbers, device=device)
