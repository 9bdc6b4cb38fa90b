"""Laplacian normalisation, average pooling, torch's optimizers, weight decay and flips."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from conftest import CLASS_NAMES, CLASSIFIER, write_net
from torch import Tensor, nn

import lucid
from lucid.cli import main
from lucid.core.ascent import Ascent
from lucid.core.canvas import FourierCanvas, PhaseCanvas, PixelCanvas
from lucid.core.device import Runtime
from lucid.core.gradient_filters import normalize_laplacian
from lucid.core.optimizers import TorchOptimizer
from lucid.drawing.plan import prepare
from lucid.errors import UsageError
from lucid.imaging.io import from_pil
from lucid.imaging.recipes import read
from lucid.nets.net import LOGITS, Net

QUICK: dict[str, Any] = {"size": (48, 48), "iterations": 3, "octave_count": 1, "seed": 1}


def bands(images: Tensor) -> tuple[float, float]:
    """How strong images are below and above an eighth of the highest frequency."""
    low = F.interpolate(F.avg_pool2d(images, 8), images.shape[2:], mode="bilinear")
    return float(low.square().mean()), float((images - low).square().mean())


def test_laplacian_normalisation_makes_broad_shapes_as_strong_as_fine_ones() -> None:
    torch.manual_seed(0)
    broad = F.interpolate(torch.randn(1, 3, 4, 4), (64, 64), mode="bilinear")
    grad = 0.01 * broad + torch.randn(1, 3, 64, 64)
    low, high = bands(grad)
    normalised_low, normalised_high = bands(normalize_laplacian(grad, 4))
    assert normalised_low / normalised_high > 20 * low / high
    # The scale of the gradient does not matter, and where there is none, none appears.
    torch.testing.assert_close(normalize_laplacian(7 * grad, 4), normalize_laplacian(grad, 4))
    assert not normalize_laplacian(torch.zeros(2, 3, 9, 7), 4).any()
    assert normalize_laplacian(torch.randn(1, 3, 1, 5), 4).shape == (1, 3, 1, 5)


@pytest.mark.parametrize("option", [{"laplacian": 3}, {"weight_decay": 10}, {"flip": True}])
def test_options_of_a_drawing_change_the_picture(classifier: Net, option: dict[str, Any]) -> None:
    plain = lucid.draw(classifier, "goldfish", **QUICK)
    changed = lucid.draw(classifier, "goldfish", **QUICK, **option)
    assert plain.tobytes() != changed.tobytes()
    name, value = next(iter(option.items()))
    key = name.replace("_", "-")
    assert f"{key} = {str(value).lower()}" in changed.info["lucid"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"laplacian": 17}, "laplacian=17 must be from 0 to 16"),
        ({"laplacian": 0.5}, "must be a whole number"),
        ({"weight_decay": -1}, "must be from 0 to 100"),
        ({"flip": "yes"}, "must be True or False"),
    ],
)
def test_impossible_options_are_refused(classifier: Net, option: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        prepare(classifier, "goldfish", **option)


def test_weight_decay_draws_to_grey(classifier: Net) -> None:
    deviations = []
    for decay in (0, 5, 40):
        picture = lucid.draw(classifier, "goldfish", **QUICK, canvas="pixels", weight_decay=decay)
        deviations.append(float((from_pil(picture) - 0.5).abs().mean()))
    assert deviations == sorted(deviations, reverse=True)
    canvas = FourierCanvas.from_image(torch.rand(3, 8, 8), decay_power=1)
    before = canvas.parameter.detach().clone()
    canvas.decay(0.5)
    torch.testing.assert_close(canvas.parameter.detach(), before / 2)
    with pytest.raises(UsageError, match="phases do not decay"):
        PhaseCanvas.from_image(torch.rand(3, 8, 8)).decay(0.5)


@pytest.mark.parametrize(
    "optimizer",
    [
        torch.optim.SGD,
        torch.optim.LBFGS,
        torch.optim.RMSprop,
        functools.partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    ],
)
@pytest.mark.parametrize("canvas", ["fourier", "pixels"])
def test_optimizers_of_torch_climb(classifier: Net, optimizer: Any, canvas: str) -> None:
    target = lucid.Channel("0", 1)
    options = {**QUICK, "canvas": canvas, "optimizer": optimizer, "iterations": 6, "strength": 3}
    start = lucid.draw(classifier, target, **{**options, "strength": 0})
    picture = lucid.draw(classifier, target, **options)
    ascent = Ascent(classifier, Runtime("cpu", "fp32"))
    values = [
        float(target.forward(ascent.forward(from_pil(each)[None], ["0"])))
        for each in (start, picture)
    ]
    assert values[1] > values[0]
    assert "program" in picture.info["lucid"]


def test_lbfgs_finds_the_middle_of_a_bowl_in_few_steps() -> None:
    canvas = PixelCanvas(torch.rand(3, 4, 4))
    optimizer = TorchOptimizer(1.0, torch.optim.LBFGS)
    stretched = torch.linspace(0.2, 2, 48).view(3, 4, 4)
    for _ in range(30):
        grad = -stretched * (canvas.parameter.detach() - 0.3)
        optimizer.step(canvas, grad)
    middle = torch.full((3, 4, 4), 0.3)
    torch.testing.assert_close(canvas.image().detach(), middle, atol=1e-3, rtol=0)


def test_average_pooling_takes_the_place_of_maximum_pooling(tmp_path: Path) -> None:
    def net_with(pool: nn.Module) -> nn.Module:
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 4, 3), pool, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*layers)

    images = torch.rand(2, 3, 32, 32)
    expected = lucid.wrap(net_with(nn.AvgPool2d(3, 2)), input_size=(32, 32)).logits(images)
    net = lucid.wrap(net_with(nn.MaxPool2d(3, 2)), input_size=(32, 32))
    found = Ascent(net, Runtime("cpu", "fp32", pooling="avg")).forward(images, [LOGITS])[LOGITS]
    torch.testing.assert_close(found, expected)
    as_it_is = Ascent(net, Runtime("cpu", "fp32")).forward(images, [LOGITS])[LOGITS]
    assert not torch.allclose(as_it_is, expected)
    with pytest.raises(UsageError, match="pooling 'mean' is not max or avg"):
        Ascent(net, Runtime("cpu", pooling="mean"))


def test_average_pooling_of_a_padded_darknet_layer(tmp_path: Path) -> None:
    cfg = "[net]\nwidth=7\nheight=7\nchannels=3\n\n[maxpool]\nsize=2\nstride=2\npadding=1\n"
    (tmp_path / "pool.cfg").write_text(cfg)
    (tmp_path / "pool.weights").write_bytes(bytes(16))
    net = lucid.load(str(tmp_path / "pool.cfg"))
    ascent = Ascent(net, Runtime("cpu", "fp32", pooling="avg"))
    images = torch.rand(1, 3, 7, 7)
    pooled = ascent.forward(images, ["0"])["0"]
    # Windows that reach past the border count only what lies in the image.
    torch.testing.assert_close(pooled[..., 0, 0], images[..., :2, :2].mean((2, 3)))
    assert pooled.isfinite().all()
    assert float(pooled.max()) <= float(images.max())


def test_pooling_is_in_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES)
    monkeypatch.chdir(tmp_path)
    words = (
        "draw --net tiny.cfg --class tench --size 48 --iters 2 --octaves 1 --device cpu --seed 1"
    )
    more = "--pooling avg --laplacian 2 --weight-decay 2 --flip -o a.png"
    made = CliRunner().invoke(main, f"{words} {more}".split())
    assert made.exit_code == 0, made.output
    again = CliRunner().invoke(main, ["redo", "a.png", "-o", "b.png"])
    assert again.exit_code == 0, again.output
    one, two = (Path(name).read_bytes() for name in ("a.png", "b.png"))
    assert one == two
    assert read("a.png").options["pooling"] == "avg"
