"""What to climb: a number for each image, made of what a net sees in it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lucid.nets import SCORES


class Objective(ABC):
    """A number for each image of a batch; the ascent makes it grow."""

    @property
    @abstractmethod
    def layers(self) -> frozenset[str]:
        """The layers of the net it reads; ``SCORES`` is the class scores."""

    def settled(self, parts: Iterable[Mapping[str, Tensor]]) -> Objective:
        """The objective for a picture that is measured part by part.

        Args:
            parts: what is seen in each, (1, …) of each of ``layers``, without overlap.
        """
        return self

    @abstractmethod
    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        """The numbers, (n,), from the activations of ``layers``, (n, …) each."""


@dataclass(frozen=True)
class Enhance(Objective):
    """More of what a layer sees already: Darknet's nightmare.

    Half the sum of the squares of the features above
    ``mean + threshold * deviation`` of their layer, so that each of them is
    its own gradient and all others have none (``calculate_loss`` in Darknet's
    nightmare.c).

    Attributes:
        layer: the layer's name.
        threshold: in deviations above the mean.
        bound: that threshold as a number, where it is known already.
    """

    layer: str
    threshold: float = 1.0
    bound: float | None = None

    @property
    def layers(self) -> frozenset[str]:
        return frozenset([self.layer])

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
        features = seen[self.layer].flatten(1)
        bound: Tensor | float
        if self.bound is None:
            deviation, mean = torch.std_mean(features.detach(), 1, correction=0, keepdim=True)
            bound = mean + self.threshold * deviation
        else:
            bound = self.bound
        return (features * (features > bound)).square().sum(1) / 2


@dataclass(frozen=True)
class Rebuild(Objective):
    """What a layer saw in another picture: Darknet's ``-reconstruct``.

    Minus half the squared distance to its features (Mahendran and Vedaldi,
    "Understanding Deep Image Representations by Inverting Them", 2014).

    Attributes:
        layer: the layer's name.
        features: what it saw, (channels, height, width).
    """

    layer: str
    features: Tensor

    @property
    def layers(self) -> frozenset[str]:
        return frozenset([self.layer])

    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        return -(seen[self.layer] - self.features).square().flatten(1).sum(1) / 2


BALANCE = 2.0
"""How much a mix's log-probabilities count beside its scores. Found by eye: they are
among all classes, for those within the mix alone let a third class step in."""


@dataclass(frozen=True)
class Classes(Objective):
    """One class, or a mix of several: the weighted sum of their scores.

    To it is added ``balance`` times the weighted sum of their log-probabilities,
    whose gradient fades for a class that has become likely and stays for one that
    has not, and which turns a picture away from the classes that it is not.

    Attributes:
        weights: a weight for each class number; a negative one shrinks its class.
        balance: how much the log-probabilities count.
    """

    weights: Mapping[int, float]
    balance: float = 0

    @property
    def layers(self) -> frozenset[str]:
        return frozenset([SCORES])

    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        scores = seen[SCORES]
        numbers = list(self.weights)
        weights = scores.new_tensor([self.weights[number] for number in numbers])
        total = scores[:, numbers] @ weights
        if self.balance:
            total = total + self.balance * (scores.log_softmax(1)[:, numbers] @ weights)
        return total
