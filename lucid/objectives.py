"""What to climb: a number for each image, made of what a net sees in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lucid.nets import SCORES


class Objective(ABC):
    """A number for each image of a batch; the ascent makes it grow."""

    @property
    @abstractmethod
    def layers(self) -> frozenset[str]:
        """The layers of the net it reads; ``SCORES`` is the class scores."""

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
    """

    layer: str
    threshold: float = 1.0

    @property
    def layers(self) -> frozenset[str]:
        return frozenset([self.layer])

    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        features = seen[self.layer].flatten(1)
        deviation, mean = torch.std_mean(features.detach(), 1, correction=0, keepdim=True)
        strong = features > mean + self.threshold * deviation
        return (features * strong).square().sum(1) / 2


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
