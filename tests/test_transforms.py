from __future__ import annotations

import pytest
import torch

from lucid.transforms import Affine, draw_affine


def test_an_affine_transform_that_does_nothing() -> None:
    images = torch.rand(2, 3, 9, 12)
    torch.testing.assert_close(Affine(0, 1, (0, 0))(images), images, atol=1e-5, rtol=1e-5)


def test_a_quarter_turn_of_an_oblong_keeps_its_middle_and_proportions() -> None:
    images = torch.zeros(1, 1, 41, 81)
    images[0, 0, 20, 25:56] = 1  # a level bar of 31 pixels
    turned = Affine(torch.pi / 2, 1, (0, 0))(images)[0, 0]
    assert turned[5:36, 40].min() > 0.9, "upright now, and as long"
    assert turned[:, :38].max() < 0.1


@pytest.mark.parametrize(("shift", "place"), [((0.0, 0.25), (4, 2)), ((0.25, 0.0), (2, 4))])
def test_shifts_are_shares_of_the_side(shift: tuple[float, float], place: tuple[int, int]) -> None:
    images = torch.zeros(1, 1, 8, 8)
    images[0, 0, 4, 4] = 1
    assert Affine(0, 1, shift)(images)[0, 0][place] > 0.9


def test_drawn_transforms_stay_within_their_bounds() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [draw_affine(generator, turn=0.3, scale=(0.7, 1.25), shift=0.1) for _ in range(200)]
    assert all(abs(a.angle) <= 0.3 and 0.7 <= a.scale <= 1.25 for a in drawn)
    assert all(max(map(abs, a.shift)) <= 0.1 for a in drawn)
    assert max(a.scale for a in drawn) > 1.2
