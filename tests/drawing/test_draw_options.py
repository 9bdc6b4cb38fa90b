"""Options of a drawing that take the place of what the configuration says."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import lucid
from lucid.core.canvas import FourierCanvas, PhaseCanvas
from lucid.drawing.plan import prepare
from lucid.errors import UsageError
from lucid.imaging.io import from_pil
from lucid.nets.net import Net

QUICK: dict[str, Any] = {"size": (48, 48), "iterations": 3, "octave_count": 1, "seed": 1}


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
