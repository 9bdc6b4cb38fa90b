from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lucid.core.canvas import (
    Canvas,
    CropMargin,
    FourierCanvas,
    LayeredCanvas,
    PhaseCanvas,
    PixelCanvas,
    TintedCanvas,
    padded_size,
)
from lucid.errors import UsageError
from lucid.imaging.filters import gaussian_blur

CPU = torch.device("cpu")


@pytest.mark.slow
@settings(deadline=None)
@given(st.integers(1, 33), st.integers(1, 33), st.floats(0.5, 2), st.integers(0, 40))
def test_a_fourier_canvas_shows_the_image_it_is_made_of(
    height: int, width: int, decay: float, margin: int
) -> None:
    image = torch.rand(3, height, width) * 0.9 + 0.05
    shown = FourierCanvas.from_image(image, decay_power=decay, margin=margin).image()
    torch.testing.assert_close(shown, image, atol=1e-3, rtol=1e-3)


def test_noise_is_grey_and_its_seeds_own() -> None:
    def noise(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return FourierCanvas.noise(
            (32, 48), decay_power=1.2, generator=generator, device=CPU
        ).image()

    assert noise(0).shape == (3, 32, 48)
    assert torch.equal(noise(0), noise(0))
    assert not torch.equal(noise(0), noise(1))
    assert (noise(0) - 0.5).abs().max() < 0.2


def test_a_step_on_the_coefficients_changes_broad_shapes_most() -> None:
    """The same step for every coefficient moves low frequencies further."""
    generator = torch.Generator().manual_seed(0)
    canvas = FourierCanvas.noise((64, 64), decay_power=1.0, generator=generator, device=CPU)
    before = canvas.image().detach()
    with torch.no_grad():
        canvas.parameter += 0.05 * torch.randn(canvas.parameter.shape, generator=generator).sign()
    power = torch.fft.rfft2(canvas.image().detach() - before).abs().mean(0)
    assert power[1:4, 1:4].mean() > 5 * power[28:32, 28:32].mean()


def test_a_margin_keeps_opposite_edges_apart() -> None:
    """What pulls at one edge alone moves the other without a margin, and hardly with one."""

    def moved(margin: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        canvas = FourierCanvas.noise(
            (64, 64), decay_power=1.2, margin=margin, generator=generator, device=CPU
        )
        before = canvas.image()
        pull = torch.zeros_like(before)
        pull[:, :, :4] = 1
        (canvas.parameter.grad,) = torch.autograd.grad(before, canvas.parameter, pull)
        with torch.no_grad():
            canvas.parameter += canvas.parameter.grad / canvas.parameter.grad.abs().max()
        return (canvas.image() - before).detach().mean((0, 1))

    wrapping, apart = moved(0), moved(16)
    assert wrapping[-1] > 0.9 * wrapping[0]
    assert apart[0] > 4 * apart[-1]


def test_a_margin_changes_as_the_mirror_of_the_picture() -> None:
    whole = torch.zeros(1, 6, 8, requires_grad=True)
    CropMargin.apply(whole, (2, 4), 2).backward(torch.arange(8.0).reshape(1, 2, 4))
    rows = [[6, 5, 4, 5, 6, 7, 6, 5], [2, 1, 0, 1, 2, 3, 2, 1]]
    expected = torch.tensor([[rows[(row + 1) % 2] for row in range(6)]], dtype=torch.float)
    assert whole.grad is not None
    torch.testing.assert_close(whole.grad, expected)


IMAGE = torch.rand(3, 8, 10, generator=torch.Generator().manual_seed(1)) * 0.8 + 0.1
EVERY_CANVAS: dict[str, Callable[[], Canvas]] = {
    "pixels": lambda: PixelCanvas(IMAGE),
    "fourier": lambda: FourierCanvas.from_image(IMAGE, decay_power=1, margin=3),
    "phase": lambda: PhaseCanvas.from_image(IMAGE, margin=3),
    "layered": lambda: LayeredCanvas(PixelCanvas(IMAGE), 1 - IMAGE, torch.full((8, 10), 0.8)),
    "tinted": lambda: TintedCanvas(FourierCanvas.from_image(IMAGE, decay_power=1), IMAGE),
}


@pytest.mark.parametrize("kind", EVERY_CANVAS)
def test_every_canvas_shows_a_picture_that_its_parameter_moves(kind: str) -> None:
    canvas = EVERY_CANVAS[kind]()
    image = canvas.image()
    assert image.shape == IMAGE.shape
    assert 0 <= image.min() <= image.max() <= 1
    (grad,) = torch.autograd.grad(image, canvas.parameter, torch.randn_like(image))
    assert grad.shape == canvas.parameter.shape
    assert grad.any()
    before = image.detach().clone()
    with torch.no_grad():
        canvas.parameter += 0.01 * grad / grad.abs().max()
    assert not torch.equal(canvas.image(), before)


@pytest.mark.parametrize("kind", EVERY_CANVAS)
def test_every_canvas_but_phases_can_be_blurred(kind: str) -> None:
    canvas = EVERY_CANVAS[kind]()
    if kind == "phase":
        with pytest.raises(UsageError, match="phases cannot be blurred"):
            canvas.blur(1)
        return
    before = canvas.image().detach().clone()
    canvas.blur(1)
    assert canvas.image().diff(dim=2).abs().sum() < before.diff(dim=2).abs().sum()


def test_a_pixel_canvas_leaves_its_image_alone() -> None:
    image = torch.rand(3, 4, 4)
    canvas = PixelCanvas(image)
    with torch.no_grad():
        canvas.parameter += 1
    assert image.max() <= 1


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 20))
def test_a_picture_with_its_margin_is_quick_to_transform(
    height: int, width: int, margin: int
) -> None:
    for long, length in zip(padded_size((height, width), margin), (height, width), strict=True):
        assert long >= length + 2 * margin
        for factor in (2, 3, 5):
            while long % factor == 0:
                long //= factor  # noqa: PLW2901
        assert long == 1
    assert padded_size((height, width), 0) == (height, width)


def test_variety_starts_with_broad_shapes_as_strong_as_those_of_photographs() -> None:
    def start(variety: float, seed: int) -> Tensor:
        return FourierCanvas.noise(
            (96, 96),
            decay_power=1.2,
            margin=16,
            variety=variety,
            generator=torch.Generator().manual_seed(seed),
            device=CPU,
        ).image()

    plain = FourierCanvas.noise(
        (96, 96),
        decay_power=1.2,
        margin=16,
        generator=torch.Generator().manual_seed(3),
        device=CPU,
    )
    assert torch.equal(start(0, 3), plain.image())
    contrasts = [torch.stack([start(v, seed) for seed in range(8)]).std(0).mean() for v in (0, 1)]
    assert contrasts[0] < 0.05
    assert 0.1 < contrasts[1] < 0.3, "photographs of one side differ by about a quarter"
    shapes = start(1, 5)
    assert gaussian_blur(shapes, 4).std() > 0.9 * shapes.std(), "and nothing of them is fine"
