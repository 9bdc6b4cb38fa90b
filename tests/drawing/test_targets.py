from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lucid.core.device import Runtime
from lucid.core.objectives import Channel, ClassLogits, LayerL2, Objective, Sum
from lucid.drawing.config import SMALL_FROM_NOISE
from lucid.drawing.loop import draw
from lucid.drawing.targets import Target, Targets, find_targets
from lucid.errors import UsageError
from lucid.nets.module import wrap
from lucid.nets.net import LOGITS, Net
from lucid.nets.registry import random_init
from lucid.tiling.regions import MaskRegion

SMALL: dict[str, Any] = {
    "size": (32, 32),
    "tile_size": 32,
    "octave_count": 1,
    "iterations": 2,
    "runtime": Runtime(device="cpu", precision="fp32"),
}
MASK = MaskRegion(torch.ones(4, 4))


def found(net: Net, targets: Targets) -> list[Target]:
    return find_targets(net, targets, SMALL_FROM_NOISE)


def test_a_string_is_one_class(classifier: Net) -> None:
    (target,) = found(classifier, "goldfish")
    assert isinstance(target.objective, ClassLogits)
    assert target.objective.weights == {0: 1.0}
    assert target.region is None
    one, listed = (draw(classifier, each, **SMALL) for each in ("goldfish", ["goldfish"]))
    assert one.tobytes() == listed.tobytes()


def test_a_list_of_objectives_is_their_sum(classifier: Net) -> None:
    """So are objectives and names."""
    layers: list[Objective] = [LayerL2("2"), Channel("0", 3)]
    listed, summed = (
        draw(classifier, each, **SMALL).tobytes() for each in (layers, layers[0] + layers[1])
    )
    assert listed == summed
    (target,) = found(classifier, [LayerL2("2"), "goldfish", "tench"])
    assert isinstance(target.objective, Sum)
    mix = target.objective.parts[1][1]
    assert isinstance(mix, ClassLogits)
    assert set(mix.weights) == {0, 1}
    assert target.objective.layers == {"2", LOGITS}


def test_targets_beside_names_and_objectives_are_all_painted(classifier: Net) -> None:
    region, rest = found(classifier, [Target(LayerL2("2"), MASK), "goldfish", Channel("0", 3)])
    assert region == Target(LayerL2("2"), MASK)
    assert rest.region is None
    assert rest.objective.layers == {"0", LOGITS}


def test_any_function_of_activations_is_an_objective(classifier: Net) -> None:
    channel = draw(classifier, Channel("0", 3), **SMALL).tobytes()
    assert channel == draw(classifier, lambda acts: acts["0"][:, 3].mean((1, 2)), **SMALL).tobytes()
    (target,) = found(classifier, lambda acts: acts["0"].mean() + acts[LOGITS][:, 2].sum())
    assert target.objective.layers == {"0", LOGITS}


def test_a_function_may_name_its_layers_itself(classifier: Net) -> None:
    class Contrast:
        layers = ("0", "2")

        def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
            return activations["0"].std() + activations["2"].std()

    (target,) = found(classifier, Contrast())
    assert target.objective.layers == {"0", "2"}
    assert draw(classifier, Contrast(), **SMALL).size == (32, 32)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ("golfish", "the nearest are goldfish, fish"),
        (lambda acts: acts["99"].mean(), "has no layer"),
        (lambda acts: torch.zeros(()), "reads no layer"),
        (LayerL2("99"), "has no layer"),
        ([3.5], "3.5 is no class's name, objective, target or function"),
        ([], "name a class"),
    ],
)
def test_what_cannot_be_painted(classifier: Net, targets: Targets, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        draw(classifier, targets, **SMALL)


@pytest.mark.slow
def test_layers_in_caffes_spelling_are_painted() -> None:
    """`lucid layers googlenet` says inception4c; Caffe says inception_4c/output."""
    net = random_init("googlenet")
    caffe, own = (
        draw(net, LayerL2(name), **(SMALL | {"size": (64, 64)}))
        for name in ("inception_3a/output", net.resolve_layer("inception_3a/output"))
    )
    assert caffe.tobytes() == own.tobytes()
    (target,) = found(net, LayerL2("inception_3a/output") + Channel("conv1.conv", 2))
    assert target.objective.layers == {net.resolve_layer("inception_3a/output"), "conv1.conv"}


def test_objectives_written_for_version_0_1_still_work() -> None:
    """Their method was called measure."""

    class Brightness(Objective):
        layers = frozenset(["0"])

        def measure(self, seen: Mapping[str, Tensor]) -> Tensor:
            return seen["0"].mean((1, 2, 3))

    net = wrap(
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        input_size=(32, 32),
    )
    brightness = Brightness()  # type: ignore[abstract]
    assert draw(net, brightness, **SMALL).size == (32, 32)
