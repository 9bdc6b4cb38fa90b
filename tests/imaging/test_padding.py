from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lucid.imaging.padding import crop, reflected, wrapped

SPAN = st.tuples(st.integers(-25, 25), st.integers(1, 30)).map(
    lambda span: range(span[0], span[0] + span[1])
)


@given(st.integers(1, 9), st.integers(-40, 40))
def test_folding_goes_as_far_as_needed(length: int, position: int) -> None:
    positions = torch.tensor([position])
    assert 0 <= reflected(positions, length).item() < length
    assert wrapped(positions, length).item() == position % length
    assert reflected(positions, length) == reflected(-positions, length)


@given(st.integers(1, 12), st.integers(1, 12), SPAN, SPAN, st.booleans())
def test_a_window_shows_each_place_folded_into_the_picture(
    height: int, width: int, rows: range, columns: range, wrap: bool
) -> None:
    image = torch.arange(2.0 * height * width).view(2, height, width)
    fold = wrapped if wrap else reflected
    down, across = (
        fold(torch.arange(span.start, span.stop), length)
        for span, length in ((rows, height), (columns, width))
    )
    expected = image[:, down[:, None], across]
    assert torch.equal(crop(image, rows, columns, wrap=wrap), expected)


def test_a_window_inside_the_picture_copies_nothing() -> None:
    image = torch.rand(3, 9, 9)
    shown = crop(image, range(2, 6), range(9))
    assert shown.untyped_storage().data_ptr() == image.untyped_storage().data_ptr()


class Copies(TorchDispatchMode):
    """Notes how many values each copy holds of what is computed."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.of = image.untyped_storage().data_ptr()
        self.sizes: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and out.untyped_storage().data_ptr() != self.of:
            self.sizes.append(out.numel())
        return out


@pytest.mark.parametrize("wrap", [False, True])
def test_at_a_corner_of_a_large_picture_little_is_copied(wrap: bool) -> None:
    image = torch.zeros(3, 2000, 3000)
    with Copies(image) as copies:
        crop(image, range(-20, 40), range(2950, 3010), wrap=wrap)
    assert copies.sizes
    assert max(copies.sizes) <= 3 * 60 * 3000
