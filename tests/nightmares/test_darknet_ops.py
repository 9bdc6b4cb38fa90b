from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from lucid.nightmares import darknet_ops


@given(st.integers(1, 12), st.integers(1, 12), st.integers(-20, 20), st.integers(-20, 20))
def test_shift_repeats_border_pixels(height: int, width: int, dy: int, dx: int) -> None:
    image = torch.rand(1, height, width)
    padded = np.pad(image[0].numpy(), 20, mode="edge")
    expected = padded[20 + dy : 20 + dy + height, 20 + dx : 20 + dx + width]
    np.testing.assert_array_equal(darknet_ops.shift(image, dy, dx)[0].numpy(), expected)


def test_zoom_enlarges_below_1_and_shrinks_above() -> None:
    image = torch.zeros(3, 20, 20)
    image[:, 8:12, 8:12] = 1
    assert torch.equal(darknet_ops.zoom(image, 1.0), image)
    assert darknet_ops.zoom(image, 0.5).sum() > 3 * image.sum()
    assert darknet_ops.zoom(image, 2.0).sum() < image.sum() / 2


def test_rotation_leaves_corners_black() -> None:
    turned = darknet_ops.rotate(torch.ones(3, 21, 21), 0.5)
    assert turned[0, 10, 10] == 1
    assert turned[0, 0, 0] == 0
    torch.testing.assert_close(darknet_ops.rotate(turned, 0.0), turned, atol=1e-5, rtol=0)
