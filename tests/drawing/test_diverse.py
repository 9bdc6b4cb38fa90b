from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

import lucid
from lucid.core.device import Runtime
from lucid.core.objectives import Activations
from lucid.drawing.diverse import Diversity, Group, diversity_layer, draw_diverse
from lucid.drawing.loop import draw
from lucid.errors import UsageError
from lucid.imaging.io import from_pil
from lucid.nets.net import Net

CPU = Runtime(device="cpu", precision="fp32")


def mean_distance(net: Net, pictures: list[Image.Image]) -> float:
    """One minus the mean cosine of pairs of pictures' features."""
    layer = diversity_layer(net)
    shown = torch.stack([from_pil(picture) for picture in pictures])
    with torch.no_grad():
        features = net.activations(shown, [layer])[layer].flatten(2).mean(2)
    unit = F.normalize(features, dim=1)
    pairs = torch.triu_indices(len(pictures), len(pictures), 1)
    return float(1 - (unit[pairs[0]] * unit[pairs[1]]).sum(1).mean())


@pytest.mark.slow
def test_pictures_differ_more_than_by_their_seeds() -> None:
    net = lucid.load("lucid64")
    options: dict[str, Any] = {"size": (64, 64), "iterations": 8, "runtime": CPU}
    seeds = [draw(net, "lion", seed=seed, **options) for seed in range(3)]
    apart = draw_diverse(net, "lion", count=3, **options)
    assert mean_distance(net, apart) > 1.2 * mean_distance(net, seeds)
    shown = torch.stack([from_pil(picture) for picture in apart])
    lion = net.probabilities(shown)[:, net.class_index("lion")]
    assert lion.min() > 1 / len(net.classes), "and are lions still"


def test_the_value_falls_with_the_cosine_to_the_others() -> None:
    group = Group({1: torch.tensor([1.0, 0]), 2: torch.tensor([0, 1.0])})
    objective = Diversity("layer", group, 0, weight=10)
    towards = objective.forward(Activations(layer=torch.tensor([[[[2.0]], [[0.0]]]])))
    assert float(towards) == pytest.approx(-5)  # cosines of 1 and 0
    assert group.features[0].tolist() == [1, 0]
    both = torch.tensor([[[[2.0]], [[0.0]]], [[[0.0]], [[3.0]]]])
    each = Diversity("layer", group, 0, weight=10).forward(Activations(layer=both))
    assert each.tolist() == pytest.approx([-5, -5]), "one for each tile of a batch"
    alone = Diversity("layer", Group(), 0)
    assert float(alone.forward(Activations(layer=torch.ones(1, 2, 3, 3)))) == 0


def test_one_picture_cannot_differ(classifier: Net) -> None:
    with pytest.raises(UsageError, match="1 picture cannot differ"):
        draw_diverse(classifier, "goldfish", count=1)
