"""What to climb: a number for each image, made of what a net sees in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lucid.nets import SCORES


class Objective(ABC):
    """A number for each image of a batch; the ascent makes it grow.

    Attributes:
        layers: the layers of the net it reads; ``SCORES`` is the class scores.
    """

    layers: frozenset[str]

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
    layers: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", frozenset([self.layer]))

    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        features = seen[self.layer].flatten(1)
        deviation, mean = torch.std_mean(features.detach(), 1, correction=0, keepdim=True)
        strong = features > mean + self.threshold * deviation
        return (features * strong).square().sum(1) / 2


BALANCE = 2.0
"""How hard ``Classes`` holds a mix to its shares: at 1, a class that has taken
everything no longer grows; above, it shrinks until the others catch up."""


@dataclass(frozen=True)
class Classes(Objective):
    """One class, or a mix of several that stays one.

    The weighted sum of the classes' scores. Alone, that sum lets the strongest
    class of a mix take all; so the mix's shares, as the softmax over its own
    classes sees them, are held to the weights by a cross-entropy between the two.

    Attributes:
        weights: a weight for each class number; a negative one shrinks its class.
    """

    weights: Mapping[int, float]
    layers: frozenset[str] = frozenset([SCORES])

    def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
        scores = seen[SCORES]
        numbers = list(self.weights)
        weights = scores.new_tensor([self.weights[number] for number in numbers])
        total = scores[:, numbers] @ weights
        wanted = weights > 0
        if wanted.sum() < 2:
            return total
        shares = weights[wanted]
        within = scores[:, [n for n in numbers if self.weights[n] > 0]].log_softmax(1)
        return total + BALANCE * (within @ shares)
