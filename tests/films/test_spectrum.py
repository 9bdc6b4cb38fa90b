"""The limit of a film's contrast."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import lucid
from lucid.core.objectives import ClassLogits
from lucid.drawing.options import DrawOptions
from lucid.films.keyframes import Keyframes
from lucid.films.spectrum import SpectrumLimit
from lucid.imaging.io import from_pil


def noise(height: int, width: int, std: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (0.5 + std * torch.randn(3, height, width, generator=generator)).clamp(0, 1)


def detail(image: Tensor) -> float:
    """The standard deviation of differences of neighbours."""
    return float(image.diff(dim=1).std())


@given(st.integers(1, 70), st.integers(1, 70), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_quiet_picture_stays_as_it_is(height: int, width: int, wrap: bool) -> None:
    image = noise(height, width, 0.1)
    limit = SpectrumLimit.of((height, width), 1.1, image, wrap=wrap)
    torch.testing.assert_close(limit(image), image, atol=1e-4, rtol=0)


@pytest.mark.parametrize("wrap", [False, True])
def test_specks_are_made_as_quiet_as_the_base_is(wrap: bool) -> None:
    # Both are louder than photographs.
    base, loud = noise(48, 61, 0.15), noise(48, 61, 0.3, seed=1)
    limit = SpectrumLimit.of((48, 61), 1.0, base, wrap=wrap)
    assert detail(loud) > 1.6 * detail(base)
    assert detail(limit(loud)) == pytest.approx(detail(base), rel=0.08)
    half = SpectrumLimit.of((48, 61), 0.5, base, wrap=wrap)
    assert detail(half(loud)) == pytest.approx(detail(base) / 2, rel=0.15)


def test_the_mean_colour_is_kept() -> None:
    image = noise(40, 40, 0.2) * torch.tensor([0.9, 0.6, 0.3])[:, None, None]
    limited = SpectrumLimit.of((40, 40), 0.2)(image)
    torch.testing.assert_close(limited.mean((1, 2)), image.mean((1, 2)), atol=0.03, rtol=0)
    assert limited.std() < 0.8 * image.std()


@pytest.mark.slow
def test_contrast_does_not_pile_up_in_a_film() -> None:
    net = lucid.load("lucid64")
    base = 0.5 + 0.2 * torch.sin(torch.arange(48.0) / 5).expand(3, 48, 48)

    def frames(contrast: float) -> list[Tensor]:
        options: DrawOptions = {"iterations": 3, "octave_count": 1, "seed": 1, "strength": 3}
        film = lucid.film(net, "lion", base, frames=12, contrast=contrast, **options)
        return [from_pil(each) for each in film]

    limited, free = frames(1.1), frames(0)
    assert free[-1].std() > 1.15 * free[3].std()
    assert limited[-1].std() < 0.9 * free[-1].std()
    assert detail(limited[-1]) < 0.9 * detail(free[-1])


def test_a_contrast_out_of_range_is_refused() -> None:
    film = lucid.film(lucid.load("lucid64"), "lion", frames=2, size=(32, 32), contrast=-1)
    with pytest.raises(lucid.UsageError, match="contrast -1 must be from 0 to 100"):
        next(iter(film))


def test_keyframes_of_classes_cross_as_a_hybrid() -> None:
    dog, cat = ClassLogits({3: 1.0}, 4), ClassLogits({5: 0.5, 3: 0.5}, 8, 6.0)
    keyframes = Keyframes({0: dog, 10: cat})
    assert keyframes.objective(0) is dog
    assert keyframes.objective(12) is cat
    half = keyframes.objective(5)
    assert isinstance(half, ClassLogits)
    assert half.weights == {3: 0.75, 5: 0.25}
    assert half.share_penalty > 0
    assert half.log_prob_weight == 8
