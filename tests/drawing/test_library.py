"""CPPN canvases, rows between two objectives, and the importance of places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from conftest import CLASS_NAMES, CLASSIFIER, write_net
from PIL import Image
from torch import Tensor

import lucid
from lucid.cli import main
from lucid.core.ascent import Ascent
from lucid.core.cppn import CPPNCanvas
from lucid.core.device import Runtime
from lucid.drawing.config import FROM_NOISE, on_canvas
from lucid.drawing.importance import Importance
from lucid.errors import UsageError
from lucid.imaging.io import from_pil
from lucid.nets.net import Net
from lucid.tiling.regions import PathRegion

CPU = Runtime("cpu", "fp32")
QUICK: dict[str, Any] = {"size": (48, 64), "iterations": 2, "octave_count": 1, "runtime": CPU}


def test_a_cppn_is_one_picture_at_every_size() -> None:
    generator = torch.Generator().manual_seed(1)
    canvas = CPPNCanvas.noise((24, 36), generator=generator, device=torch.device("cpu"))
    torch.testing.assert_close(canvas.image().detach(), torch.full((3, 24, 36), 0.5))  # grey
    with torch.no_grad():
        canvas.parameter.add_(0.3 * torch.randn(canvas.parameter.shape, generator=generator))
    small, large = canvas.render((25, 37)), canvas.render((49, 73))
    torch.testing.assert_close(large[:, ::2, ::2], small, atol=1e-4, rtol=0)
    (grad,) = torch.autograd.grad(small.sum(), canvas.parameter)
    assert grad.isfinite().all()
    assert (grad != 0).float().mean() > 0.9
    with pytest.raises(UsageError, match="no pixels to blur"):
        canvas.blur(1)


@pytest.mark.slow
def test_a_drawing_on_a_cppn_climbs(classifier: Net, photo: Tensor) -> None:
    target = lucid.Channel("0", 1)
    options = {**QUICK, "canvas": "cppn", "seed": 2, "iterations": 20}
    start = lucid.draw(classifier, target, **{**options, "strength": 0})
    picture = lucid.draw(classifier, target, **options)
    ascent = Ascent(classifier, CPU)
    first, last = (
        float(target.forward(ascent.forward(from_pil(each)[None], ["0"])))
        for each in (start, picture)
    )
    assert last > first
    assert 'canvas = "cppn"' in picture.info["lucid"]
    with pytest.raises(UsageError, match="a CPPN starts from nothing"):
        lucid.draw(classifier, target, photo, canvas="cppn")
    assert on_canvas(FROM_NOISE, "cppn").octaves == 1


def test_a_row_goes_from_one_objective_to_another(classifier: Net) -> None:
    first, last = lucid.Channel("0", 1), lucid.Channel("0", 5)
    row = lucid.draw_interpolated(classifier, first, last, count=3, seed=1, **QUICK)
    apart = lucid.draw_interpolated(
        classifier, first, last, count=3, seed=1, share_broad=False, **QUICK
    )
    alone = lucid.draw(classifier, 1.0 * first + 0.0 * last, seed=1, **QUICK)
    assert apart[0].tobytes() == alone.tobytes()

    def distance(pictures: list[Image.Image]) -> float:
        """Of the broad shapes of the first and the last picture."""
        one, other = (from_pil(each) for each in (pictures[0], pictures[-1]))
        pool = torch.nn.functional.avg_pool2d
        return float((pool(one, 16) - pool(other, 16)).square().mean())

    assert distance(row) < distance(apart) / 2
    assert len({picture.tobytes() for picture in row}) == 3
    stopped: list[int] = []

    def stop(stages: list[Any]) -> bool:
        stopped.append(len(stages))
        return False

    assert len(lucid.draw_interpolated(classifier, first, last, count=2, watch=stop, **QUICK)) == 2
    assert stopped == [2]
    for count in (1, "2"):
        with pytest.raises(UsageError, match="must be a whole number, 2 or more"):
            lucid.draw_interpolated(classifier, first, last, count=count, **QUICK)  # type: ignore
    with pytest.raises(UsageError, match="'tench' is no objective"):
        lucid.draw_interpolated(classifier, "tench", last, count=2, **QUICK)  # type: ignore


def test_what_was_painted_is_opaque(classifier: Net, photo: Tensor) -> None:
    region = PathRegion(((0.25, 0.5),), 0.5)
    target = lucid.Target(lucid.classes(classifier, "tench"), region)
    picture = lucid.draw(classifier, target, photo, alpha=True, iterations=2, runtime=CPU)
    assert picture.mode == "RGBA"
    alpha = from_pil(Image.merge("RGB", [picture.getchannel("A")] * 3))[0]
    inside = region.mask((photo.shape[1], photo.shape[2])) > 0.5
    assert alpha[inside].mean() > 0.5
    assert alpha[:, -8:].mean() < 0.05
    assert Importance((4, 5)).alpha().eq(1).all()


def test_importance_adds_up_over_sizes() -> None:
    importance = Importance((64, 64))
    grad = torch.zeros(3, 32, 32)
    grad[:, 8:16, 8:16] = -1
    importance.add(grad)
    importance.add(torch.zeros(3, 64, 64))
    alpha = importance.alpha()
    assert alpha[16:32, 16:32].min() > 0.5
    assert alpha[48:, 48:].max() < 0.01


def test_alpha_and_cppn_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES)
    monkeypatch.chdir(tmp_path)
    words = "draw --net tiny.cfg --class tench --size 48 --iters 2 --octaves 1 --device cpu"
    made = CliRunner().invoke(main, f"{words} --alpha --canvas cppn --seed 1 -o a.png".split())
    assert made.exit_code == 0, made.output
    assert CliRunner().invoke(main, ["redo", "a.png", "-o", "b.png"]).exit_code == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open("a.png") as image:
        assert image.mode == "RGBA"
    refused = CliRunner().invoke(main, f"{words} --alpha -o a.jpg".split())
    assert refused.exit_code == 2
    assert "a.jpg" in refused.stderr
