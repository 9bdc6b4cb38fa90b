from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from lucid.core.device import Runtime
from lucid.drawing.loop import draw
from lucid.drawing.targets import Target, classes
from lucid.errors import UsageError
from lucid.imaging.io import from_pil, to_pil
from lucid.nets.net import Net
from lucid.tiling.regions import PATHS, MaskRegion, PathRegion, read_path
from lucid.tiling.tiles import Tiling

SMALL: dict[str, Any] = {
    "tile_size": 32,
    "octave_count": 2,
    "iterations": 3,
    "runtime": Runtime(device="cpu", precision="fp32"),
}


def change(painted: Image.Image, base: Tensor) -> np.ndarray:
    """The largest change of each pixel, (height, width), in units of 255."""
    return abs(from_pil(painted) - base).amax(0).mul(255).round().numpy()


@pytest.fixture
def grey() -> Tensor:
    return torch.full((3, 64, 96), 128 / 255)


def test_what_is_masked_out_is_kept_to_the_bit(classifier: Net, photo: Tensor) -> None:
    mask = torch.zeros(40, 56)
    mask[:, :20] = 1
    base = from_pil(to_pil(photo))
    changed = change(draw(classifier, ["goldfish"], base, mask=mask, **SMALL), base)
    assert changed[:, 21:].max() == 0
    assert changed[:, :18].mean() > 2


def test_a_class_grows_at_its_point(classifier: Net, grey: Tensor) -> None:
    target = Target(classes(classifier, ["goldfish"]), PathRegion(((0.25, 0.5),), diameter=0.5))
    changed = change(draw(classifier, [target], grey, **SMALL), grey)
    rows, columns = changed.nonzero()
    assert 8 < columns.min() < columns.max() < 40
    assert 16 <= rows.min() < rows.max() < 48


def test_two_classes_grow_in_their_masks(classifier: Net, grey: Tensor) -> None:
    left, right = torch.zeros(64, 96), torch.zeros(64, 96)
    left[:, :32], right[:, 64:] = 1, 1
    targets = [
        Target(classes(classifier, ["goldfish"]), MaskRegion(left)),
        Target(classes(classifier, ["tench"]), MaskRegion(right)),
    ]
    changed = change(draw(classifier, targets, grey, **SMALL), grey)
    assert changed[:, 34:62].max() == 0
    assert changed[:, :30].mean() > 2 < changed[:, 66:].mean()


@pytest.mark.parametrize("name", sorted(PATHS))
def test_a_path_is_painted_along(classifier: Net, grey: Tensor, name: str) -> None:
    region = PathRegion(read_path(name), diameter=0.25)
    painted = region.mask((64, 96)).numpy()
    changed = change(
        draw(classifier, [Target(classes(classifier, ["goldfish"]), region)], grey, **SMALL), grey
    )
    assert changed[painted == 0].max() == 0
    assert changed[painted > 0.9].mean() > 2
    for x, y in PATHS[name]:
        assert painted[min(63, int(y * 64)), min(95, int(x * 96))] > 0.9


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5),
    st.floats(0.1, 1),
    st.integers(0, 99),
)
def test_a_brush_blends_to_at_most_what_it_holds(
    points: list[tuple[float, float]], diameter: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    tiling = Tiling((16, 16))
    (view,) = PathRegion(tuple(points), diameter).views((40, 56), tiling, generator)
    seen = view.gather(torch.rand(3, 40, 56))
    assert seen.shape[1:] == (3, 16, 16)
    back = view.scatter(torch.ones_like(seen))
    assert back.shape == (3, 40, 56)
    assert 0 <= back.min() <= back.max() <= 1 + 1e-5


def test_paths_as_they_are_typed() -> None:
    assert read_path(".1,.5 .5,.2") == ((0.1, 0.5), (0.5, 0.2))
    assert read_path("M 0.1 0.5 L 0.5,0.2 Z") == ((0.1, 0.5), (0.5, 0.2), (0.1, 0.5))


@pytest.mark.parametrize("text", ["", "zigzag", "1,2,3", ".1,.", "5,5", "C 0 0 1 1"])
def test_what_is_no_path_says_what_would_be(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not line, circle, sine, or points such as"):
        read_path(text)


def test_masks_follow_the_octave() -> None:
    mask = torch.zeros(10, 10)
    mask[:5] = 1
    assert MaskRegion(mask).mask((40, 60))[:17].min() > 0.99
    assert MaskRegion(mask).mask((40, 60))[23:].max() < 0.01
