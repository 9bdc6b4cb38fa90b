"""Rows of pictures between two objectives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image

import lucid
from lucid.core.device import Runtime
from lucid.errors import UsageError
from lucid.imaging.io import from_pil
from lucid.nets.net import Net

CPU = Runtime("cpu", "fp32")
QUICK: dict[str, Any] = {"size": (48, 64), "iterations": 2, "octave_count": 1, "runtime": CPU}


def test_a_row_goes_from_one_objective_to_another(classifier: Net) -> None:
    first, last = lucid.Channel("0", 1), lucid.Channel("0", 5)
    row = lucid.draw_interpolated(classifier, first, last, count=3, seed=1, **QUICK)
    apart = lucid.draw_interpolated(
        classifier, first, last, count=3, seed=1, share_broad=False, **QUICK
    )
    alone = lucid.draw(classifier, 1.0 * first + 0.0 * last, seed=1, **QUICK)
    assert apart[0].tobytes() == alone.tobytes()

    def distance(pictures: list[Image.Image]) -> float:
        """Of the broad shapes of the first and the last picture."""
        one, other = (from_pil(each) for each in (pictures[0], pictures[-1]))
        pool = torch.nn.functional.avg_pool2d
        return float((pool(one, 16) - pool(other, 16)).square().mean())

    assert distance(row) < distance(apart) / 2
    assert len({picture.tobytes() for picture in row}) == 3
    stopped: list[int] = []

    def stop(stages: list[Any]) -> bool:
        stopped.append(len(stages))
        return False

    assert len(lucid.draw_interpolated(classifier, first, last, count=2, watch=stop, **QUICK)) == 2
    assert stopped == [2]
    for count in (1, "2"):
        with pytest.raises(UsageError, match="must be a whole number, 2 or more"):
            lucid.draw_interpolated(classifier, first, last, count=count, **QUICK)  # type: ignore
    with pytest.raises(UsageError, match="'tench' is no objective"):
        lucid.draw_interpolated(classifier, "tench", last, count=2, **QUICK)  # type: ignore
