"""Directions of a layer, and caricatures of a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import lucid
from lucid.cli import main
from lucid.core.ascent import Ascent, Step
from lucid.core.device import Runtime
from lucid.core.directions import Caricature, Direction, DirectionNeuron
from lucid.core.objectives import Activations, Channel
from lucid.core.transforms import Affine
from lucid.errors import UsageError
from lucid.imaging.io import from_pil
from lucid.nets.net import LOGITS, Net
from lucid.tiling.tiles import Tiling

CPU = Runtime("cpu", "fp32")
QUICK: dict[str, Any] = {"iterations": 2, "octave_count": 2, "seed": 1, "runtime": CPU}


def test_a_direction_along_one_channel_is_that_channel(classifier: Net, photo: Tensor) -> None:
    features = Ascent(classifier, CPU).forward(photo[None], ["0", LOGITS])
    vector = torch.zeros(features["0"].shape[1])
    vector[2] = 1
    for direction, channel in (
        (Direction("0", vector), Channel("0", 2)),
        (DirectionNeuron("0", vector), Channel("0", 2, (0.5, 0.5))),
        (Direction("0", vector, neuron=(0.1, 0.9)), Channel("0", 2, (0.1, 0.9))),
        (Direction(LOGITS, torch.tensor([0.0, 1, 0, 0, 0])), Channel(LOGITS, 1)),
    ):
        torch.testing.assert_close(direction.forward(features), channel.forward(features))
    with pytest.raises(UsageError, match=r"direction of shape \(3,\) for layer 0, which has 8"):
        Direction("0", torch.ones(3)).forward(features)


def test_a_power_of_the_cosine_prefers_what_points_the_same_way() -> None:
    vector = torch.tensor([1.0, 0.0])
    pure = Activations({"x": torch.tensor([[1.0, 0.0]])})
    loud = Activations({"x": torch.tensor([[2.0, 6.0]])})
    plain, sharp = Direction("x", vector), Direction("x", vector, cosine_power=2)
    assert float(plain.forward(loud)) > float(plain.forward(pure))
    assert float(sharp.forward(loud)) < float(sharp.forward(pure))


def test_the_base_is_seen_in_the_same_parts_and_views(classifier: Net, photo: Tensor) -> None:
    """A caricature of a picture on itself is largest where nothing was moved."""
    ascent = Ascent(classifier, Runtime("cpu", "fp32", batch=2))
    views = Tiling((32, 32)).cut((40, 56), torch.Generator().manual_seed(0)).views()
    transforms = [[Affine(0.2, 1.1, (0.05, 0))], [Affine(-0.1, 0.9, (0, 0))]]
    seen: list[tuple[Tensor, Tensor]] = []

    class Spy(Caricature):
        def forward(self, activations: Any) -> Tensor:
            seen.append((activations["0"].detach(), activations.base["0"]))
            return super().forward(activations)

    for view in views:
        step = Step(view, Spy("0"), transforms, base=view.gather(photo))
        grad = ascent.input_grad(view.gather(photo), step)
        assert grad.any()
    assert len(seen) > len(views)  # batches of two images: one tile in both views
    for shown, base in seen:
        torch.testing.assert_close(shown, base)


@pytest.mark.slow
@pytest.mark.parametrize("size", [None, (70, 90)])
def test_a_caricature_strengthens_what_a_layer_sees(
    classifier: Net, photo: Tensor, size: tuple[int, int] | None
) -> None:
    options = {**QUICK, "tile_size": 32, "size": size, "iterations": 6}
    picture = lucid.draw(classifier, Caricature("0", cosine_power=0), photo, **options)
    start = lucid.draw(classifier, Caricature("0"), photo, **{**options, "strength": 0})
    ascent = Ascent(classifier, CPU)
    first, last, base = (
        ascent.forward(each[None], ["0"])
        for each in (from_pil(start), from_pil(picture), from_pil(start))
    )
    values = []
    for each in (first, last):
        shown = Activations(each)
        shown.base = Activations(base)
        values.append(float(Caricature("0", 0).forward(shown)))
    assert values[1] > 1.01 * values[0]


def test_sums_and_names_of_layers_reach_the_base(classifier: Net, photo: Tensor) -> None:
    total = 2 * Caricature(0) + 0.1 * Channel("0", 1)  # type: ignore[arg-type]  # a number
    assert total.sees_base
    assert not Channel("0", 1).sees_base
    assert lucid.draw(classifier, total, photo, **QUICK).size == (photo.shape[2], photo.shape[1])
    with pytest.raises(UsageError, match="a caricature is of a picture"):
        lucid.draw(classifier, Caricature("0"), **QUICK)


@pytest.fixture
def desk(desk: Path) -> Path:
    """The usual folder, with files of directions."""
    np.save(desk / "rows.npy", np.eye(3, 8))
    np.save(desk / "words.npy", np.array(["a", "b"]))
    (desk / "text.npy").write_text("no numbers")
    np.save(desk / "nan.npy", np.full(8, np.nan))
    return desk


@pytest.mark.slow
def test_directions_and_caricatures_on_the_command_line(desk: Path) -> None:
    words = "photo.png --net tiny.cfg --iters 1 --octaves 1 --device cpu --seed 1 --tile-size 32"
    for command in ("draw", "film --frames 2"):
        for option in ("--layer 0 --direction rows.npy --row 2", "--caricature 0"):
            suffix = ".png" if command == "draw" else ".gif"
            made = CliRunner().invoke(
                main, f"{command} {words} {option} -o a{suffix} --force".split()
            )
            assert made.exit_code == 0, made.output
            again = CliRunner().invoke(main, f"redo a{suffix} -o b{suffix} --force".split())
            assert again.exit_code == 0, again.output
            assert (desk / f"a{suffix}").read_bytes() == (desk / f"b{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("--direction rows.npy", 2, "needs one --layer"),
        ("--layer 0 --direction rows.npy", 2, "rows.npy: a direction of shape (3, 8), but layer 0"),
        ("--layer 0 --direction rows.npy --row 3", 2, "rows.npy: has no row 3"),
        ("--layer 2 --direction rows.npy --row 0", 2, "but layer 2 has"),
        ("--layer 0 --direction words.npy", 1, "words.npy: is no NumPy file (.npy) of numbers"),
        ("--layer 0 --direction text.npy", 1, "text.npy: is no NumPy file (.npy) of numbers"),
        ("--layer 0 --direction nan.npy", 1, "nan.npy: holds numbers that are none"),
        ("--layer 0 --direction none.npy", 1, "none.npy: cannot be read"),
        ("--class tench --row 3", 2, "--row is of a --direction"),
        ("--caricature 77", 2, "has no layer 77"),
    ],
)
def test_bad_directions_are_one_clear_line(desk: Path, options: str, code: int, said: str) -> None:
    words = f"draw photo.png --net tiny.cfg {options} --iters 1 --device cpu"
    refused = CliRunner().invoke(main, words.split())
    assert refused.exit_code == code
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) <= 2


def test_a_caricature_needs_a_picture(desk: Path) -> None:
    refused = CliRunner().invoke(main, ["draw", "--net", "tiny.cfg", "--caricature", "0"])
    assert refused.exit_code == 2
    assert "--caricature is of a picture: give BASE" in refused.stderr
