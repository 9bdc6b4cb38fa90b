from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lucid import octaves
from lucid.canvas import FourierCanvas, PixelCanvas
from lucid.transforms import Affine, draw_affine

CPU = torch.device("cpu")


@settings(deadline=None)
@given(st.integers(1, 33), st.integers(1, 33), st.floats(0.5, 2))
def test_a_fourier_canvas_shows_the_image_it_is_made_of(
    height: int, width: int, decay: float
) -> None:
    image = torch.rand(3, height, width) * 0.9 + 0.05
    shown = FourierCanvas.of(image, decay=decay).image()
    torch.testing.assert_close(shown, image, atol=1e-3, rtol=1e-3)


def test_noise_is_grey_and_its_seeds_own() -> None:
    def noise(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return FourierCanvas.noise((32, 48), decay=1.2, generator=generator, device=CPU).image()

    assert noise(0).shape == (3, 32, 48)
    assert torch.equal(noise(0), noise(0))
    assert not torch.equal(noise(0), noise(1))
    assert (noise(0) - 0.5).abs().max() < 0.2


def test_a_step_on_the_coefficients_changes_broad_shapes_most() -> None:
    """The same step for every coefficient moves low frequencies further."""
    generator = torch.Generator().manual_seed(0)
    canvas = FourierCanvas.noise((64, 64), decay=1.0, generator=generator, device=CPU)
    before = canvas.image().detach()
    with torch.no_grad():
        canvas.parameter += 0.05 * torch.randn(canvas.parameter.shape, generator=generator).sign()
    power = torch.fft.rfft2(canvas.image().detach() - before).abs().mean(0)
    assert power[1:4, 1:4].mean() > 5 * power[28:32, 28:32].mean()


def test_every_canvas_is_differentiable_in_its_parameter() -> None:
    image = torch.rand(3, 8, 10)
    for canvas in (PixelCanvas(image), FourierCanvas.of(image, decay=1)):
        shown = canvas.image()
        (gradient,) = torch.autograd.grad(shown, canvas.parameter, torch.ones_like(shown))
        assert gradient.shape == canvas.parameter.shape
        assert gradient.any()


def test_a_pixel_canvas_leaves_its_image_alone() -> None:
    image = torch.rand(3, 4, 4)
    canvas = PixelCanvas(image)
    with torch.no_grad():
        canvas.parameter += 1
    assert image.max() <= 1


@given(
    st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    st.integers(1, 8),
    st.floats(1, 3),
    st.integers(1, 400),
)
def test_octaves_grow_to_the_size_and_never_below_the_smallest(
    size: tuple[int, int], count: int, scale: float, smallest: int
) -> None:
    ladder = octaves.sizes(size, count, scale, smallest)
    assert len(ladder) == count
    assert ladder[-1] == size
    assert ladder == sorted(ladder)
    assert min(ladder[0]) >= min(smallest, *size) - 1


def test_octaves_of_1_4() -> None:
    assert octaves.sizes((512, 1024), 3, 1.4, 224) == [(261, 522), (366, 731), (512, 1024)]
    assert octaves.sizes((512, 512), 3, 1.4, 300) == [(300, 300), (366, 366), (512, 512)]


def test_only_the_change_is_carried_up_so_the_photograph_stays_sharp() -> None:
    base = torch.rand(3, 64, 64) * 0.8 + 0.1
    small = octaves.resize(base, (32, 32))
    again = octaves.start((64, 64), small, base)
    torch.testing.assert_close(again, base, atol=1e-3, rtol=1e-3)
    brighter = octaves.start((64, 64), (small + 0.05).clamp(0, 1), base)
    assert ((brighter - base) > 0).float().mean() > 0.95


def test_from_noise_the_dream_itself_is_enlarged() -> None:
    assert octaves.start((8, 8), None, None) is None
    enlarged = octaves.start((8, 8), torch.full((3, 4, 4), 0.25), None)
    torch.testing.assert_close(enlarged, torch.full((3, 8, 8), 0.25))


def test_a_wrapped_image_is_resized_as_part_of_its_wall() -> None:
    image = torch.rand(3, 10, 14)
    rolled = octaves.resize(image.roll((3, 5), (1, 2)), (20, 28), wrap=True)
    torch.testing.assert_close(
        rolled, octaves.resize(image, (20, 28), wrap=True).roll((6, 10), (1, 2))
    )
    plain = octaves.resize(image.roll((3, 5), (1, 2)), (20, 28))
    assert (rolled - plain).abs().max() > 0.05, "at the edges it matters"


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
