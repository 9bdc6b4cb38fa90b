"""Masks by name, and bases of another shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import lucid
from lucid.errors import UsageError
from lucid.imaging.fit import fit_image, inside
from lucid.imaging.masks import NAMED, named_mask

SIDES = st.integers(1, 300)


def landscape(height: int = 120, width: int = 160) -> Tensor:
    """A blue sky with a white cloud over a rough green field; the horizon is at 40 %."""
    generator = torch.Generator().manual_seed(0)
    picture = torch.empty(3, height, width)
    horizon = int(0.4 * height)
    colours = torch.tensor([[0.4, 0.6, 0.9], [0.25, 0.5, 0.2]])[:, :, None, None]
    picture[:, :horizon], picture[:, horizon:] = colours[0], colours[1]
    picture[:, horizon:] += 0.1 * torch.randn(3, height - horizon, width, generator=generator)
    picture[:, 10:20, 40:70] = 0.95
    return picture.clamp(0, 1)


@given(SIDES, SIDES, st.sampled_from([name for name in NAMED if name != "sky"]))
def test_masks_have_the_size_that_is_asked_for(height: int, width: int, name: str) -> None:
    mask = named_mask(name, (height, width))
    assert mask.shape == (height, width)
    assert 0 <= mask.min() <= mask.max() <= 1


def test_halves_and_the_centre_are_where_they_should_be() -> None:
    masks = {name: named_mask(name, (60, 80)) for name in NAMED if name != "sky"}
    assert masks["top"][5, 40] == masks["left"][30, 5] == masks["center"][30, 40] == 1
    assert masks["top"][55, 40] == masks["left"][30, 75] == masks["center"][2, 2] == 0
    torch.testing.assert_close(masks["bottom"], masks["top"].flip(0))
    torch.testing.assert_close(masks["right"], masks["left"].flip(1))
    assert masks["top"][30, 0] == pytest.approx(0.5, abs=0.05)


def test_the_sky_is_found_with_its_clouds() -> None:
    mask = named_mask("sky", (120, 160), landscape())
    assert mask[:40].mean() > 0.95
    assert mask[60:].mean() < 0.02


@pytest.mark.parametrize("shade", [(0.3, 0.5, 0.2), (0.9, 0.9, 0.9)])
def test_where_there_is_no_sky_that_is_said(shade: tuple[float, float, float]) -> None:
    generator = np.random.default_rng(0)
    rough = 0.5 * generator.random((3, 120, 160)) + 0.5 * np.array(shade)[:, None, None]
    with pytest.raises(UsageError, match="no sky was found"):
        named_mask("sky", (120, 160), torch.from_numpy(rough).float())
    with pytest.raises(UsageError, match="needs a picture"):
        named_mask("sky", (120, 160))


@given(SIDES, SIDES, SIDES, SIDES)
def test_shapes_fit(height: int, width: int, rows: int, columns: int) -> None:
    image = torch.zeros(1, height, width)
    cut = fit_image(image, (rows, columns), "crop")
    assert min(cut.shape[1:]) >= 1
    assert cut.shape[1] == height or cut.shape[2] == width
    if min(cut.shape[1:]) > 20 and min(rows, columns) > 20:
        assert cut.shape[1] / cut.shape[2] == pytest.approx(rows / columns, rel=0.05)
    assert fit_image(image, (rows, columns), "stretch") is image
    smaller = inside((height, width), (rows, columns))
    assert 1 <= smaller[0] <= max(1, rows)
    assert 1 <= smaller[1] <= max(1, columns)


def test_a_base_keeps_its_shape() -> None:
    base = landscape()
    few = {"iterations": 1, "octave_count": 1, "strength": 0.0, "seed": 0}
    half = torch.nn.functional.interpolate(base[None], (60, 80), mode="area")[0]
    for fit, size in (("crop", (60, 60)), ("inside", (45, 60)), ("stretch", (60, 60))):
        picture = lucid.draw("lucid64", "lion", base, size=60, fit=fit, **few)  # type: ignore[arg-type]
        assert picture.size == size[::-1]
        drawn = torch.from_numpy(np.array(picture)).movedim(2, 0) / 255
        if fit == "crop":
            torch.testing.assert_close(drawn[:, 30:], half[:, 30:, 10:70], atol=0.12, rtol=0)
    mask = lucid.draw("lucid64", "lion", base, mask="top", **{**few, "strength": 1.0})  # type: ignore[arg-type]
    changed = (torch.from_numpy(np.array(mask)).movedim(2, 0) / 255 - base).abs().mean(0)
    assert changed[:50].mean() > 3 * changed[80:].mean()
    with pytest.raises(UsageError, match="fit='wide' must be crop or pad or inside or stretch"):
        lucid.draw("lucid64", "lion", base, fit="wide")
