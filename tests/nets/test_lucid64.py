"""lucid64, the net that comes with lucid."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import photographs
import pytest
import torch
import train_lucid64
from click.testing import CliRunner
from PIL import Image

from lucid.cli import main
from lucid.core.device import Runtime
from lucid.drawing.loop import draw
from lucid.imaging.io import from_pil
from lucid.nets.net import Net
from lucid.nets.registry import load
from lucid.nets.torchvision import categories
from lucid.resources import bundled


@pytest.fixture(scope="module")
def lucid64() -> Net:
    return load("lucid64")


def test_it_is_the_chain_of_darknet_layers_that_the_program_trains(tmp_path: Path) -> None:
    cfg = bundled()["lucid64"]
    text = cfg.read_text()
    kinds = {line for line in text.splitlines() if line.startswith("[")}
    assert kinds == {"[net]", "[convolutional]", "[maxpool]", "[avgpool]", "[softmax]"}
    assert "batch_normalize" not in text
    assert cfg.with_suffix(".weights").stat().st_size < 25_000_000
    names = cfg.with_suffix(".names").read_text().splitlines()
    train_lucid64.export(train_lucid64.build(64), names, tmp_path / "lucid64")
    assert (tmp_path / "lucid64.cfg").read_text() == text


def test_its_classes_are_imagenets(lucid64: Net) -> None:
    assert len(lucid64.classes) == 64
    assert set(lucid64.classes) <= set(categories("googlenet"))


@pytest.mark.slow
def test_it_classifies_photographs_that_it_was_not_trained_on(lucid64: Net, assets: Path) -> None:
    """Every 20th of those held back, and every 40th under an attack of radius 0.5."""
    with np.load(assets / "data" / "tinyimagenet64_val.npz") as packed:
        jpeg, offset, label = packed["jpeg"], packed["offset"], packed["label"]
    files = [jpeg[start:end].tobytes() for start, end in itertools.pairwise(offset)][::20]
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files])
    held_back = photographs.Photographs(
        torch.from_numpy(pictures).movedim(-1, 1),
        torch.from_numpy(label[::20]).long(),
        lucid64.classes,
    )
    assert train_lucid64.accuracy(lucid64.logits, held_back) > 0.65
    some = held_back.subset(torch.arange(0, len(held_back), 2))
    assert train_lucid64.accuracy(lucid64.logits, some, radius=0.5, steps=2) > 0.5


@pytest.mark.slow
def test_another_net_classifies_the_goldfish_that_it_draws(lucid64: Net, assets: Path) -> None:
    judge = load("squeezenet1_1", assets / "models" / "squeezenet1_1.pth")
    painted = draw(lucid64, ["goldfish"], seed=0, iterations=10, runtime=Runtime(device="cpu"))
    assert painted.size == (224, 224)
    answer = judge.probabilities(from_pil(painted)[None])[0]
    assert judge.class_index("goldfish") in answer.topk(5).indices


@pytest.mark.slow
def test_it_needs_no_network_and_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUCID_CACHE", str(tmp_path / "none"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nothing listens
    drawn = CliRunner().invoke(main, ["draw", "--class", "goldfish", "--iters", "1"])
    assert drawn.exit_code == 0, drawn.output
    with Image.open("goldfish_0000.png") as image:
        assert image.size == (224, 224)
    dreamt = CliRunner().invoke(
        main, ["nightmare", "lucid64", "goldfish_0000.png", "8", "-iters", "2"]
    )
    assert dreamt.exit_code == 0, dreamt.output
    assert Path("goldfish_0000_lucid64_8_000000.png").exists()
