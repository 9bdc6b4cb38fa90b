"""Pictures that are transparent where they matter little."""

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
from lucid.core.device import Runtime
from lucid.drawing.importance import Importance
from lucid.imaging.io import from_pil
from lucid.nets.net import Net
from lucid.tiling.regions import PathRegion

CPU = Runtime("cpu", "fp32")
QUICK: dict[str, Any] = {"size": (48, 64), "iterations": 2, "octave_count": 1, "runtime": CPU}


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
