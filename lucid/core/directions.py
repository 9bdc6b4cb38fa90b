"""Objectives along directions of a layer's features: vectors, or what a picture has there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lucid.core.objectives import LayerObjective, at_place
from lucid.errors import LucidError, UsageError
from lucid.reading import check_regular

MAX_ARRAY_BYTES = 4 * 2**30
"""Size of the largest file of numbers that is read."""

LEAST_COSINE = 0.1
"""The least cosine similarity that a power is taken of, as in tensorflow/lucid: below it, there
would be no gradient to start with."""


@dataclass(frozen=True)
class Direction(LayerObjective):
    """How far a layer's features point in a direction: the mean of their dot products with it.

    From Olah, Mordvintsev and Schubert, "Feature Visualization", 2017. The direction may be a row
    of a sparse autoencoder's decoder, the weights of a linear probe, or a principal component.

    Attributes:
        vector: the direction, (channels,).
        cosine_power: the dot product is multiplied by the cosine similarity to this power, 0 or
            more: the more, the less other features are painted as well.
        neuron: (x, y) of the only position that counts, as in ``Channel``; None for the mean over
            all positions.
    """

    vector: Tensor
    cosine_power: float = 0
    neuron: tuple[float, float] | None = None

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """The mean dot product, (n,).

        Raises:
            UsageError: the vector is not as long as the layer has channels.
        """
        features = activations[self.layer]
        if self.vector.shape != features.shape[1:2]:
            raise UsageError(
                f"a direction of shape {tuple(self.vector.shape)} for layer {self.layer}, which "
                f"has {features.shape[1]} channels: give one number for each"
            )
        if self.neuron is not None:
            features = at_place(features, self.neuron, self.layer)
        features = features.flatten(2) if features.ndim > 2 else features[:, :, None]
        vector = self.vector.to(features)
        return powered_dot(features, vector[:, None], self.cosine_power, axis=1).mean(1)


@dataclass(frozen=True)
class DirectionNeuron(Direction):
    """How far one neuron's features point in a direction; by default the middle one's."""

    neuron: tuple[float, float] | None = (0.5, 0.5)


@dataclass(frozen=True)
class Caricature(LayerObjective):
    """How strongly a layer's features are those that it has for the base at the same places.

    What the layer sees in the base is exaggerated, and what it does not see goes. From
    "Feature Inversion Caricatures" (a notebook of tensorflow/lucid).

    Attributes:
        cosine_power: the dot product at each place is multiplied by the cosine similarity to this
            power, 0 or more.
    """

    cosine_power: float = 1
    sees_base = True

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        """The mean dot product with the base's features at the same places, (n,).

        Raises:
            UsageError: there is no base.
        """
        base = getattr(activations, "base", None)
        if base is None:
            raise UsageError("a caricature is of a picture: give one to paint on")
        first, second = (each[self.layer].flatten(2) for each in (activations, base))
        # Relative to what the layer has for the base, so that a layer's scale does not matter.
        scale = second.square().sum(1).mean(1).clamp(min=1e-12)
        return powered_dot(first, second, self.cosine_power, axis=1).mean(1) / scale


def powered_dot(first: Tensor, second: Tensor, power: float, axis: int) -> Tensor:
    """Dot products along an axis, each times a power of the cosine similarity (``dot_compare``)."""
    dot = (first * second).sum(axis)
    if not power:
        return dot
    cosine = torch.cosine_similarity(first, second.expand_as(first), dim=axis)
    return dot * cosine.clamp(min=LEAST_COSINE) ** power


def read_array(path: Path) -> Tensor:
    """Read an array of real numbers from a NumPy file, .npy, in single precision.

    Raises:
        LucidError: the file cannot be read, is too large, or holds something else.
    """
    if (size := check_regular(path)) > MAX_ARRAY_BYTES:
        raise LucidError(f"{path}: is too large for an array of numbers ({size:,} bytes)")
    try:
        array = np.load(path, allow_pickle=False)
        numbers = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise LucidError(f"{path}: is no NumPy file (.npy) of numbers") from error
    if not bool(numbers.isfinite().all()):
        raise LucidError(f"{path}: holds numbers that are none (NaN), or infinite ones")
    return numbers
