from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lucid.core.transforms import (
    Affine,
    Disturbance,
    Shrink,
    draw_affines,
    draw_disturbance,
    draw_shrink,
)


def test_an_affine_transform_that_does_nothing() -> None:
    images = torch.rand(2, 3, 9, 12)
    torch.testing.assert_close(Affine(0, 1, (0, 0))(images), images, atol=1e-5, rtol=1e-5)


def test_a_quarter_turn_of_an_oblong_keeps_its_middle_and_proportions() -> None:
    images = torch.zeros(1, 1, 41, 81)
    images[0, 0, 20, 25:56] = 1  # a level bar of 31 pixels
    turned = Affine(torch.pi / 2, 1, (0, 0))(images)[0, 0]
    assert turned[5:36, 40].min() > 0.9, "upright now, and as long"
    assert turned[:, :38].max() < 0.1


@given(
    st.integers(1, 5),
    st.floats(-0.4, 0.4),
    st.floats(0.8, 1.3),
    st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)),
)
@settings(deadline=None, max_examples=25)
def test_gradients_come_back_nearly_as_they_exactly_would(
    count: int, angle: float, scale: float, shift: tuple[float, float]
) -> None:
    affine = Affine(angle, scale, shift)
    generator = torch.Generator().manual_seed(count)
    images = torch.rand(count, 3, 48, 64, generator=generator).requires_grad_()
    gradient = F.avg_pool2d(torch.randn(count, 3, 48, 64, generator=generator), 5, 1, 2)
    (back,) = torch.autograd.grad(affine(images), images, gradient)
    # Its own arithmetic, which torch knows the exact way back of.
    (exact,) = torch.autograd.grad(affine.sample(images, "reflection"), images, gradient)
    assert F.cosine_similarity(back.flatten(), exact.flatten(), dim=0) > 0.98
    assert back.norm() == pytest.approx(exact.norm().item(), rel=0.06)


@pytest.mark.parametrize("affine", [Affine(0, 0.2, (0, 0)), Affine(0.1, 1, (1.5, 0))])
def test_far_from_an_images_own_place_gradients_come_back_exactly(affine: Affine) -> None:
    images = torch.rand(2, 3, 16, 20).requires_grad_()
    gradient = torch.randn(2, 3, 16, 20)
    (back,) = torch.autograd.grad(affine(images), images, gradient)
    (exact,) = torch.autograd.grad(affine.sample(images, "reflection"), images, gradient)
    assert torch.equal(back, exact)


def test_an_affine_transform_is_undone_by_its_way_back() -> None:
    down, across = torch.meshgrid(torch.arange(60.0), torch.arange(90.0), indexing="ij")
    images = torch.stack((down, across, down + across))[None]
    affine = Affine(0.3, 0.9, (0.03, -0.05))
    again = affine.inverse((60, 90))(affine(images))
    middle = (..., slice(20, 40), slice(30, 60))
    torch.testing.assert_close(again[middle], images[middle], atol=1e-2, rtol=0)


@pytest.mark.parametrize(("shift", "place"), [((0.0, 0.25), (4, 2)), ((0.25, 0.0), (2, 4))])
def test_shifts_are_shares_of_the_side(shift: tuple[float, float], place: tuple[int, int]) -> None:
    images = torch.zeros(1, 1, 8, 8)
    images[0, 0, 4, 4] = 1
    assert Affine(0, 1, shift)(images)[0, 0][place] > 0.9


def test_drawn_transforms_stay_within_their_bounds() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = draw_affines(generator, 200, max_angle=0.3, scale=(0.7, 1.25), shift=0.1)
    assert all(abs(a.angle) <= 0.3 and 0.7 <= a.scale <= 1.25 for a in drawn)
    assert all(max(map(abs, a.shift)) <= 0.1 for a in drawn)
    assert max(a.scale for a in drawn) > 1.2


def test_what_is_shrunk_keeps_its_mean_and_its_place() -> None:
    images = torch.zeros(2, 3, 64, 96)
    images[:, :, :32, :48] = 1
    shrunk = Shrink((16, 24))(images)
    assert shrunk.shape == (2, 3, 16, 24)
    torch.testing.assert_close(shrunk.mean((2, 3)), images.mean((2, 3)))
    assert shrunk[:, :, :6, :10].min() > 0.99


def test_a_net_is_shown_from_its_own_size_up_to_all_there_is() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [draw_shrink(generator, (224, 448), (64, 64)) for _ in range(200)]
    heights, widths = zip(*(shrink.size for shrink in drawn if shrink), strict=True)
    assert len(heights) == 200
    assert 64 <= min(heights) < 70
    assert 218 < max(heights) <= 224
    assert all(abs(width - 2 * height) <= 1 for height, width in zip(heights, widths, strict=True))


def test_the_smallest_size_has_its_own_probability() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [draw_shrink(generator, (224, 448), (64, 64), downscale_prob=0.6) for _ in range(100)]
    assert 40 < drawn.count(Shrink((64, 128))) < 80


def test_what_is_no_larger_than_the_nets_own_size_is_shown_as_it_is() -> None:
    generator = torch.Generator()
    before = generator.get_state()
    assert draw_shrink(generator, (40, 300), (64, 64)) is None
    assert torch.equal(generator.get_state(), before), "nothing is drawn"


def test_affines_cover_the_range_of_scales() -> None:
    """A bright square shrinks and grows: each transform takes its own part of the range."""
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(1, 3, 64, 64)
    images[..., 24:40, 24:40] = 1
    affines = draw_affines(generator, 4, max_angle=0, scale=(0.5, 1.5), shift=0)
    assert len(affines) == 4
    for number, affine in enumerate(affines):
        side = float(affine(images)[0, 0].mean().sqrt()) * 64 / 16
        assert 0.48 + number / 4 <= side <= 0.77 + number / 4


def test_colours_change_and_noise_is_added() -> None:
    images = torch.full((2, 3, 60, 80), 0.5)
    tinted = Disturbance(gains=(1, 2, 0), offsets=(0, 0, 0.3), noise=0, seed=1)(images)
    torch.testing.assert_close(tinted[1, :, 7, 9], torch.tensor([0.5, 1.0, 0.3]))
    noisy = Disturbance(gains=(1, 1, 1), offsets=(0, 0, 0), noise=0.1, seed=1)(images)
    assert float((noisy - 0.5).std()) == pytest.approx(0.1, rel=0.05)
    assert abs(float(noisy.mean()) - 0.5) < 0.005
    assert torch.equal(noisy[0], noisy[1]), "however tiles are split into batches"
    other = Disturbance(gains=(1, 1, 1), offsets=(0, 0, 0), noise=0.1, seed=2)(images)
    assert not torch.equal(noisy, other)


def test_disturbances_are_drawn_within_their_range() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [draw_disturbance(generator, 0.2, 0.05) for _ in range(200)]
    gains = torch.tensor([each.gains for each in drawn])
    offsets = torch.tensor([each.offsets for each in drawn])
    assert 0.8 <= gains.min() < 0.82
    assert 1.18 < gains.max() <= 1.2
    assert -0.1 <= offsets.min() < -0.09
    assert 0.09 < offsets.max() <= 0.1
    assert {each.noise for each in drawn} == {0.05}
    assert len({each.seed for each in drawn}) == 200
