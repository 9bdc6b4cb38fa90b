from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lucid.imaging.padding import crop

SPAN = st.tuples(st.integers(-25, 25), st.integers(1, 30)).map(
    lambda span: range(span[0], span[0] + span[1])
)


@pytest.mark.slow
@given(st.integers(1, 12), st.integers(1, 12), SPAN, SPAN, st.booleans())
def test_crop_agrees_with_numpy_pad(
    height: int, width: int, rows: range, columns: range, wrap: bool
) -> None:
    image = torch.arange(2.0 * height * width).view(2, height, width)
    margin = 60
    padded = np.pad(
        image.numpy(), [(0, 0), (margin, margin), (margin, margin)], "wrap" if wrap else "reflect"
    )
    expected = padded[
        :,
        rows.start + margin : rows.stop + margin,
        columns.start + margin : columns.stop + margin,
    ]
    assert np.array_equal(crop(image, rows, columns, wrap=wrap), expected)


def test_a_crop_inside_the_image_is_a_view() -> None:
    image = torch.rand(3, 9, 9)
    shown = crop(image, range(2, 6), range(9))
    assert shown.untyped_storage().data_ptr() == image.untyped_storage().data_ptr()


class Copies(TorchDispatchMode):
    """Records the number of values in each tensor that an operation allocates."""

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
def test_a_crop_at_a_corner_of_a_large_image_copies_little(wrap: bool) -> None:
    image = torch.zeros(3, 2000, 3000)
    with Copies(image) as copies:
        crop(image, range(-20, 40), range(2950, 3010), wrap=wrap)
    assert copies.sizes
    assert max(copies.sizes) <= 3 * 60 * 3000
