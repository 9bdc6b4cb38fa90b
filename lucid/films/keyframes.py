"""Keyframes: what a film draws and how it moves, by frame."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import TypeVar, cast

import torch
from torch import Generator, Tensor

from lucid.core.objectives import SHARE_PENALTY, ClassLogits, Objective
from lucid.drawing.targets import Target
from lucid.errors import UsageError
from lucid.films.expressions import Expression
from lucid.films.warp import Warp, current_name, parse
from lucid.tiling.regions import move

Value = TypeVar("Value")

OWN_KEYS = {"strength": 100, "blend": 1}
"""Keys besides those of warps, with their largest values."""


@dataclass(frozen=True)
class Keyframes:
    """What a film draws at each frame, and how it warps the picture between two frames.

    Attributes:
        targets: objectives, or targets with regions (or lists of these), each by the number of
            the frame where it is drawn alone; between two of them both are mixed, with weights that
            change linearly; classes as in a hybrid, so that each has its share. A brush moves from
            one region to the next.
        warps: applied in this order before each frame but number 0; typed as on the command line
            (``zoom:.05``), or made by ``lucid.films.warp.parse``.
        keyframes: by the name of a warp, its first number; by ``strength``, a multiple of the
            film's strength (0..100); and by ``blend``, that of ``dream_over`` (0..1): its values by
            the number of the frame, with values that change linearly in between. At frame 0 it has
            the value typed with the warp or given to the film, or strength 1, unless another is
            given.

    Raises:
        UsageError: there is no objective, a frame is no number from 0, or a warp cannot have such
            a value.
    """

    targets: Mapping[int, Objective | Target | Sequence[Objective | Target]]
    warps: Sequence[Warp | str] = ()
    keyframes: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.targets:
            raise UsageError("there is nothing to dream of: name a class or a layer")
        for frame in (*self.targets, *(each for at in self.keyframes.values() for each in at)):
            if not isinstance(frame, Integral) or frame < 0:
                raise UsageError(f"a keyframe at frame {frame!r}: the first frame is number 0")
        warps = [parse(each) if isinstance(each, str) else each for each in self.warps]
        object.__setattr__(self, "warps", warps)
        current = {
            "blend" if name == "hold" else current_name(name): values  # its name of version 0.1
            for name, values in self.keyframes.items()
        }
        object.__setattr__(self, "keyframes", current)
        for name, values in current.items():
            if not all(map(math.isfinite, values.values())):
                raise UsageError(f"a keyframe of {name!r} is no number: give a finite one")
            if name in OWN_KEYS:
                if not all(0 <= value <= OWN_KEYS[name] for value in values.values()):
                    raise UsageError(f"a {name} must be from 0 to {OWN_KEYS[name]}")
                continue
            changed = [warp for warp in self._parsed if warp.name == name]
            if not changed:
                raise UsageError(f"{name!r} cannot have keyframes: it is none of the film's warps")
            for warp in changed:
                if not warp.arguments or "n" in warp.arguments[0].variables:
                    raise UsageError(f"{name!r} has no first number that could have keyframes")
        for frame in {frame for values in current.values() for frame in values}:
            self.warp(torch.zeros(3, 16, 16), frame, Generator())  # refuses a value out of range

    @property
    def _parsed(self) -> Sequence[Warp]:
        return cast(Sequence[Warp], self.warps)

    def at(self, frame: int) -> list[Target]:
        """Return what is drawn at a frame, and where: mixes, between two keyframes.

        Between keyframes of different numbers of targets, those of the first stay.
        """
        before, after, position = between(self.targets, frame)
        first = _targets(before)
        if position == 0 or len(last := _targets(after)) != len(first):
            return first
        return [
            Target(
                _mix(one.objective, other.objective, position),
                move(one.region, other.region, position),
            )
            for one, other in zip(first, last, strict=True)
        ]

    def objective(self, frame: int) -> Objective:
        """Return the objective at a frame, wherever it is drawn; of several, the first."""
        return self.at(frame)[0].objective

    def strength(self, frame: int) -> float:
        """Return the strength at a frame, as a multiple of the film's."""
        return self._value("strength", 1.0, frame)

    def blend(self, default: float, frame: int) -> float:
        """Return the blend at a frame of a video."""
        return self._value("blend", default, frame)

    def warp(self, image: Tensor, frame: int, generator: Generator) -> Tensor:
        """Apply all warps to a picture, (3, height, width), RGB, 0..1, that a frame is drawn on."""
        for warp in self._parsed:
            arguments = warp.arguments
            if warp.name in self.keyframes:
                value = self._value(warp.name, float(arguments[0](t=frame)), frame)
                first = Expression(repr(value), arguments[0].variables)
                arguments = (first, *arguments[1:])
            image = replace(warp, arguments=arguments)(image, frame, generator)
        return image

    def _value(self, name: str, default: float, frame: int) -> float:
        before, after, position = between({0: default, **self.keyframes.get(name, {})}, frame)
        return (1 - position) * before + position * after


def _targets(value: Objective | Target | Sequence[Objective | Target]) -> list[Target]:
    """The targets of a keyframe, as they are given or as objectives."""
    listed = value if isinstance(value, Sequence) else [value]
    return [each if isinstance(each, Target) else Target(each) for each in listed]


def _mix(before: Objective, after: Objective, position: float) -> Objective:
    """A mix of two objectives; of classes, each with its share, as in a hybrid."""
    if before is after:
        return before
    if not (isinstance(before, ClassLogits) and isinstance(after, ClassLogits)):
        return (1 - position) * before + position * after
    if before == after:
        return before
    weights: dict[int | tuple[int, ...], float] = {}
    for objective, share in ((before, 1 - position), (after, position)):
        for number, weight in objective.weights.items():
            weights[number] = weights.get(number, 0.0) + share * weight
    factors = (before.log_prob_weight, after.log_prob_weight)
    return ClassLogits(weights, max(factors), SHARE_PENALTY)


def between(keyframes: Mapping[int, Value], frame: int) -> tuple[Value, Value, float]:
    """Find the values before and after a frame, and the frame's position between them, 0..1.

    Before the first keyframe and after the last, these are that one twice, and 0.
    """
    frames = sorted(keyframes)
    index = bisect.bisect_right(frames, frame)
    if index in (0, len(frames)):
        only = keyframes[frames[min(index, len(frames) - 1)]]
        return only, only, 0
    first, last = frames[index - 1], frames[index]
    return keyframes[first], keyframes[last], (frame - first) / (last - first)
