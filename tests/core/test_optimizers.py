"""Optimizers of torch's own."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch

import lucid
from lucid.core.ascent import Ascent
from lucid.core.canvas import PixelCanvas
from lucid.core.device import Runtime
from lucid.core.optimizers import TorchOptimizer
from lucid.imaging.io import from_pil
from lucid.nets.net import Net

QUICK: dict[str, Any] = {"size": (48, 48), "iterations": 3, "octave_count": 1, "seed": 1}


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
