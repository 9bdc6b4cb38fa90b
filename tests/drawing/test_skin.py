from __future__ import annotations

from typing import Any

import pytest
import torch

import lucid
from lucid.core.device import Runtime
from lucid.core.objectives import Channel, ClassLogits
from lucid.drawing.loop import draw
from lucid.drawing.plan import prepare
from lucid.drawing.progress import Progress
from lucid.drawing.skin import SKIN_SHARE, draw_skin, prepare_skin, silhouette
from lucid.errors import UsageError
from lucid.imaging.io import from_pil
from lucid.nets.net import Net

OPTIONS: dict[str, Any] = {"size": (64, 64), "iterations": 4, "runtime": Runtime(device="cpu")}


@pytest.mark.slow
def test_a_silhouette_is_where_the_thing_stands() -> None:
    net = lucid.load("lucid64")
    lion = from_pil(draw(net, "lion", **{**OPTIONS, "iterations": 12}))
    picture = torch.full((3, 128, 128), 0.5)
    picture[:, 64:, 64:] = lion
    plan = prepare(net, "lion", size=(128, 128), subject=1.0)
    mask = silhouette(plan, picture)
    assert mask.shape == (128, 128)
    assert mask.min() >= 0
    assert mask.max() <= 1
    corner = mask[64:, 64:].mean()
    assert corner > 0.3
    assert mask[:56, :56].mean() < corner / 4


@pytest.mark.slow
def test_only_the_silhouette_gets_the_pattern() -> None:
    net, told = lucid.load("lucid64"), list[Progress]()
    plain = from_pil(draw(net, "lion", **OPTIONS))
    worn = from_pil(draw_skin(net, "lion", "monarch", watch=told.append, **OPTIONS))
    mask = silhouette(prepare(net, "lion", **OPTIONS), plain)
    change = (worn - plain).abs().mean(0)
    assert change[mask > 0.9].mean() > 10 * change[mask < 0.01].mean()
    monarch = net.class_index("monarch")
    before, after = net.probabilities(torch.stack([plain, worn]))[:, monarch].tolist()
    assert after > before
    steps = [each.done for each in told]
    assert steps == sorted(steps)
    assert told[-1].done == told[-1].total == told[0].total


def test_the_pattern_counts_twice() -> None:
    net = lucid.load("lucid64")
    plan = prepare(net, {"lion": 3, "tabby": 1}, **OPTIONS)
    pattern = prepare_skin(plan, {"monarch": 1, "ladybug": 1}, **OPTIONS)
    objective = pattern.targets[0].objective
    assert isinstance(objective, ClassLogits)
    names = {net.classes[key]: each for key, each in objective.weights.items()}  # type: ignore[index]
    thirds = {"lion": 1 / 4, "tabby": 1 / 12, "monarch": 1 / 3, "ladybug": 1 / 3}
    assert names == pytest.approx(thirds)
    assert pattern.subject == pytest.approx(SKIN_SHARE * 64), "of the thing, not of a tile"


def test_what_cannot_wear_a_skin_is_refused(classifier: Net) -> None:
    layer = prepare(classifier, Channel("0", 1), size=(32, 32))
    with pytest.raises(UsageError, match="a skin needs a thing to wear it"):
        prepare_skin(layer, "tench")
    module = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    net = lucid.wrap(module, classes=["red", "green", "blue"])
    with pytest.raises(UsageError, match="no late layer that tells where a class is"):
        prepare_skin(prepare(net, "red", size=(32, 32)), "green")


def test_a_silhouette_is_found_at_any_precision() -> None:
    net = lucid.load("lucid64")
    picture = torch.rand(3, 64, 64)
    runtime = Runtime(device="cpu", precision="bf16")
    plan = prepare(net, "lion", size=(64, 64), runtime=runtime)
    assert silhouette(plan, picture).max() > 0.5
