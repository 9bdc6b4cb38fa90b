"""The size of one thing: composed small, enlarged, and painted finer."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import lucid
from lucid.cli import main
from lucid.core.ascent import Ascent, Step
from lucid.core.device import Runtime
from lucid.core.objectives import LayerContrast
from lucid.drawing.config import DrawConfig
from lucid.drawing.loop import paint, passes
from lucid.drawing.on_disk import draw_on_disk
from lucid.drawing.plan import Plan, prepare
from lucid.drawing.subject import (
    composition_size,
    detail_objective,
    detail_octaves,
    subject_side,
)
from lucid.errors import UsageError
from lucid.imaging import recipes
from lucid.imaging.filters import gaussian_blur
from lucid.imaging.io import read_image
from lucid.nets.net import Net
from lucid.nightmares.reconstruct import IdentityView
from lucid.tiling.octaves import resize

CPU = Runtime("cpu", "fp32")
SIDES = st.integers(8, 3000)


@pytest.fixture(scope="module")
def net() -> Net:
    return lucid.load("lucid64")


@pytest.mark.parametrize(
    ("subject", "side"),
    [(0.5, 100), ("0.5", 100), (".5", 100), ("50%", 100), ("224px", 224), ("1", 200), (2, 400)],
)
def test_a_subject_is_a_share_or_pixels(subject: float | str, side: float) -> None:
    assert subject_side(subject, (300, 200)) == pytest.approx(side)


@pytest.mark.parametrize("subject", ["", "half", "0", "-1", "0px", "nan", "inf", "224", "1e3", -1])
def test_a_subject_that_is_neither_is_refused(subject: float | str) -> None:
    with pytest.raises(UsageError, match="no share of the picture's shorter side, such as"):
        subject_side(subject, (300, 200))


@given(SIDES, SIDES, st.floats(0.01, 20))
def test_octaves_of_detail_lead_up_to_the_size(height: int, width: int, share: float) -> None:
    size, tile = (height, width), (224, 224)
    composition = composition_size(size, share * min(size), tile)
    octaves = detail_octaves(composition, size, DrawConfig(), None)
    sizes = [composition, *(octave_size for octave_size, _ in octaves)]
    assert sizes[-1] == size
    for small, large in itertools.pairwise(sizes):
        for before, after in zip(small, large, strict=True):
            # A side of a few pixels cannot be halved exactly.
            assert before <= after <= 2 * before + 1


def plan_of(net: Net, side: int, **options: object) -> Plan:
    settings = {"size": (side, side), "iterations": 1, "octave_count": 1, "runtime": CPU}
    return prepare(net, "goldfish", **(settings | options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("side", "options", "sizes"),
    [
        (224, {}, [224]),
        (448, {}, [224, 448]),
        (600, {}, [262, 396, 600]),  # the default is at most 512 pixels
        (600, {"subject": 1}, [224, 367, 600]),
        (600, {"subject": "224px"}, [600]),
        (600, {"tile_size": 96}, [600]),
        (600, {"subject": "tile"}, [600]),
        (600, {"order": "none"}, [600]),
        (192, {"tile_size": 96, "subject": 1}, [96, 192]),
    ],
)
def test_a_plan_composes_small(
    net: Net, side: int, options: dict[str, object], sizes: list[int]
) -> None:
    assert [size[0] for size, _ in plan_of(net, side, **options).octaves] == sizes


def test_layers_and_bases_are_as_large_as_a_tile(net: Net) -> None:
    size, base = (448, 448), torch.full((3, 448, 448), 0.5)
    assert prepare(net, lucid.LayerL2("8"), size=size, runtime=CPU).subject == 224
    assert prepare(net, "goldfish", base, runtime=CPU).subject == 224


def test_a_small_subject_makes_small_tiles(net: Net) -> None:
    assert plan_of(net, 256, subject=0.25).tiling.tile == (64, 64)


def test_the_larger_picture_is_the_small_one_with_more_detail(net: Net) -> None:
    options = {"tile_size": 64, "subject": 1, "iterations": 4}
    small = paint(plan_of(net, 64, **options))
    large = paint(plan_of(net, 128, **options))
    shrunk, enlarged = resize(large, (64, 64)), resize(small, (128, 128)).clamp(0, 1)
    assert (shrunk - small).abs().mean() < 0.004, "about a grey level"
    detail = (large - gaussian_blur(large, 1.5)).square().mean()
    assert detail > 1.3 * (enlarged - gaussian_blur(enlarged, 1.5)).square().mean()


def test_detail_leaves_what_is_coarser_alone(net: Net) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(1, 3, 96, 96, generator=generator)
    objective = detail_objective(net)
    assert objective is not None
    step = Step(IdentityView(), objective, normalize_grad=True, high_pass=1.5)
    grad = Ascent(net, CPU).input_grad(images, step)[0]
    assert gaussian_blur(grad, 6).square().mean() < 0.001 * grad.square().mean()


def test_contrast_does_not_depend_on_scale() -> None:
    features = torch.rand(2, 4, 5, 5, generator=torch.Generator().manual_seed(1))

    def value(scale: float) -> Tensor:
        return LayerContrast("a").forward({"a": scale * features})

    assert torch.allclose(value(10) - value(1), torch.full((2,), math.log(10)), atol=1e-5)
    flat = LayerContrast("a").forward({"a": torch.ones(1, 4, 5, 5)})
    assert flat.isfinite().all()


@pytest.mark.slow
def test_on_disk_it_is_the_same_way(net: Net, tmp_path: Path) -> None:
    pictures = []
    for side in (64, 96):
        path = tmp_path / f"{side}.png"
        draw_on_disk(
            *(net, "goldfish", path),
            size=(side, side),
            tile_size=64,
            subject=1.0,
            iterations=2,
            runtime=CPU,
        )
        pictures.append(read_image(path))
    small, large = pictures
    assert large.shape == (3, 96, 96)
    assert (resize(large, (64, 64)) - small).abs().mean() < 0.25 * small.std()


def test_a_composition_is_the_small_picture_itself(net: Net) -> None:
    options = {"tile_size": 64, "subject": 1, "iterations": 2}
    small = paint(plan_of(net, 64, **options))
    *_, composed = (
        progress.canvas.image().detach()
        for progress in passes(plan_of(net, 128, **options))
        if progress.octave == (64, 64)
    )
    assert torch.equal(composed, small)


def test_detail_stays_within_a_mask_and_a_base_can_have_a_subject(net: Net) -> None:
    mask = torch.zeros(96, 96)
    mask[:, :48] = 1
    base = torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(2))
    settings = {"tile_size": 64, "subject": 1.0, "iterations": 1, "runtime": CPU, "mask": mask}
    plan = prepare(net, "goldfish", base, **settings)  # type: ignore[arg-type]
    assert [octave.detail for _, octave in plan.octaves][-1]
    change = (paint(plan) - base).abs()
    assert change[:, :, 60:].max() < 1e-5
    assert change[:, :, :40].mean() > 1e-3


@pytest.mark.parametrize("made", ["tile = []", "tile = 5", 'tile = [64, 64]\nsize = "0xb"'])
def test_a_strangers_recipe_is_refused_in_one_line(tmp_path: Path, made: str) -> None:
    path = tmp_path / "stranger.toml"
    path.write_text(f'command = "draw"\nclass = "goldfish"\n[made]\nlucid = "0.2.0"\n{made}\n')
    done = CliRunner().invoke(main, ["run", str(path), "--size=96x96"])
    assert done.exit_code == 1
    assert "is no size" in done.output
    assert not isinstance(done.exception, ValueError | TypeError)


@pytest.mark.slow
def test_an_old_film_begins_as_it_did(tmp_path: Path) -> None:
    path, words = tmp_path / "film.toml", ["--size=64x64", "--iters=1", "--octaves=1", "--quiet"]
    path.write_text(
        'command = "film"\nclass = "goldfish"\nframes = 1\nseed = 1\n[made]\nlucid = "0.2.0"\n'
    )
    target = tmp_path / "film.gif"
    done = CliRunner().invoke(main, ["run", str(path), *words, "-o", str(target)])
    assert done.exit_code == 0, done.output
    assert recipes.read(target).options["variety"] == 0


def test_a_net_without_early_layers_says_what_works() -> None:
    module = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    net = lucid.wrap(module, classes=["red", "green", "blue"])
    options = {"size": (448, 448), "runtime": CPU, "iterations": 1}
    assert prepare(net, "red", **options).subject == 224  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no early layer to paint detail with: use --subject 224"):
        prepare(net, "red", subject=1.0, **options)  # type: ignore[arg-type]


def test_redo_keeps_things_as_large_in_the_picture(tmp_path: Path) -> None:
    run, words = CliRunner().invoke, ["--octaves=1", "--iters=1", "--quiet", "--device=cpu"]
    small, large = str(tmp_path / "small.png"), str(tmp_path / "large.png")
    done = run(main, ["draw", "--class=goldfish", "--size=64x64", "-o", small, *words])
    assert done.exit_code == 0, done.output
    done = run(main, ["redo", small, "--size=96x96", "-o", large])
    assert done.exit_code == 0, done.output
    before, after = recipes.read(small), recipes.read(large)
    assert before.options["subject"] == after.options["subject"] == "3.5"
    assert after.made["octaves"] == ["64x64, 1 passes", "96x96, 1 passes"]
    done = run(main, ["draw", "--class=goldfish", "--subject=big"])
    assert done.exit_code == 2
    assert "'big' is no share" in done.output
