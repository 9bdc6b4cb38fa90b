from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lucid.tiling.octaves import back_project, octave_sizes, resize, start_image


@given(
    st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    st.integers(1, 8),
    st.floats(1, 3),
    st.integers(1, 400),
)
def test_octaves_grow_to_the_size_and_never_below_the_smallest(
    size: tuple[int, int], count: int, scale: float, smallest: int
) -> None:
    ladder = octave_sizes(size, count, scale, smallest)
    assert len(ladder) == count
    assert ladder[-1] == size
    assert ladder == sorted(ladder)
    assert min(ladder[0]) >= min(smallest, *size) - 1


@given(
    st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    st.floats(1.05, 3),
    st.integers(1, 400),
)
def test_just_as_many_octaves_as_lead_up_from_the_smallest(
    size: tuple[int, int], scale: float, smallest: int
) -> None:
    ladder = octave_sizes(size, None, scale, smallest)
    count = len(ladder)
    assert abs(min(ladder[0]) - min(smallest, *size)) <= 1
    if count > 1:
        assert min(size) / scale ** (count - 2) >= smallest * 0.999
    assert octave_sizes(size, None, 1, smallest) == [size]


def test_octaves_of_1_4() -> None:
    assert octave_sizes((512, 1024), 3, 1.4, 224) == [(261, 522), (366, 731), (512, 1024)]
    assert octave_sizes((512, 512), 3, 1.4, 300) == [(300, 300), (366, 366), (512, 512)]


def test_only_the_change_is_carried_up_so_the_photograph_stays_sharp() -> None:
    base = torch.rand(3, 64, 64) * 0.8 + 0.1
    small = resize(base, (32, 32))
    again = start_image((64, 64), small, base)
    torch.testing.assert_close(again, base, atol=1e-3, rtol=1e-3)
    brighter = start_image((64, 64), (small + 0.05).clamp(0, 1), base)
    assert brighter is not None
    assert ((brighter - base) > 0).float().mean() > 0.95


def test_from_noise_the_dream_itself_is_enlarged() -> None:
    assert start_image((8, 8), None, None) is None
    enlarged = start_image((8, 8), torch.full((3, 4, 4), 0.25), None)
    torch.testing.assert_close(enlarged, torch.full((3, 8, 8), 0.25))


def test_a_wrapped_image_is_resized_as_part_of_its_wall() -> None:
    image = torch.rand(3, 10, 14)
    rolled = resize(image.roll((3, 5), (1, 2)), (20, 28), wrap=True)
    torch.testing.assert_close(rolled, resize(image, (20, 28), wrap=True).roll((6, 10), (1, 2)))
    plain = resize(image.roll((3, 5), (1, 2)), (20, 28))
    assert (rolled - plain).abs().max() > 0.05, "at the edges it matters"


@pytest.mark.parametrize("wrap", [False, True])
def test_a_corrected_picture_is_the_smaller_one_when_it_is_shrunk(wrap: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    small = 0.2 + 0.6 * torch.rand(3, 20, 31, generator=generator)
    large = (resize(small, (40, 62)) + 0.1 * torch.randn(3, 40, 62, generator=generator)).clamp(
        0, 1
    )
    corrected = back_project(large, small, wrap=wrap)
    before = (resize(large, (20, 31), wrap=wrap) - small).abs().mean()
    after = (resize(corrected, (20, 31), wrap=wrap) - small).abs().mean()
    assert after < 0.25 * before
    assert corrected.min() >= 0
    assert corrected.max() <= 1
    # What only the larger picture can show stays.
    finer = [each - resize(resize(each, (20, 31)), (40, 62)) for each in (large, corrected)]
    assert (finer[1] - finer[0]).square().mean() < 0.35 * finer[0].square().mean()
