"""The net in the box."""

from __future__ import annotations

from pathlib import Path

import photographs
import pytest
import torch
import train_lucid64
from click.testing import CliRunner
from PIL import Image

from lucid.cli import main
from lucid.drawing.loop import draw
from lucid.imaging.io import from_pil
from lucid.nets.net import Net
from lucid.nets.registry import load, load_meta
from lucid.resources import bundled


@pytest.fixture(scope="module")
def lucid64() -> Net:
    return load("lucid64")


def test_it_is_a_small_straight_chain_in_plain_darknet_format(tmp_path: Path) -> None:
    cfg = bundled()["lucid64"]
    text = cfg.read_text()
    kinds = {line for line in text.splitlines() if line.startswith("[")}
    assert kinds == {"[net]", "[convolutional]", "[maxpool]", "[avgpool]", "[softmax]"}
    assert "batch_normalize" not in text
    assert cfg.with_suffix(".weights").stat().st_size < 25_000_000
    names = cfg.with_suffix(".names").read_text().splitlines()
    train_lucid64.export(train_lucid64.build(64), names, tmp_path / "lucid64")
    assert (tmp_path / "lucid64.cfg").read_text() == text, "it is what the program trains"


def test_its_classes_are_imagenets(lucid64: Net) -> None:
    imagenet = load_meta("googlenet")
    assert len(lucid64.classes) == len({imagenet.class_index(name) for name in lucid64.classes})
    assert lucid64.class_index("goldfish") == 0


def test_it_names_photographs_it_has_not_seen(lucid64: Net, assets: Path) -> None:
    _, held_back = photographs.read_photographs(assets / "data")

    def scores(pictures: torch.Tensor) -> torch.Tensor:
        return lucid64.logits(pictures)

    assert train_lucid64.accuracy(scores, held_back) > 0.65
    some = held_back.subset(torch.arange(0, len(held_back), 16))
    assert train_lucid64.accuracy(scores, some, radius=0.5) > 0.5


def test_another_net_sees_the_goldfish_it_draws(lucid64: Net, assets: Path) -> None:
    judge = load("squeezenet1_1", assets / "models" / "squeezenet1_1.pth")
    painted = draw(lucid64, ["goldfish"], seed=0, device="cpu")
    assert painted.size == (224, 224)
    answer = judge.probabilities(from_pil(painted)[None])[0]
    assert judge.class_index("goldfish") in answer.topk(5).indices


def test_it_needs_no_network_and_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUCID_CACHE", str(tmp_path / "none"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nobody listens
    drawn = CliRunner().invoke(main, ["draw", "--class", "goldfish", "--iters", "1"])
    assert drawn.exit_code == 0, drawn.output
    assert Image.open("goldfish_0000.png").size == (224, 224)
    dreamt = CliRunner().invoke(
        main, ["nightmare", "lucid64", "goldfish_0000.png", "8", "-iters", "2"]
    )
    assert dreamt.exit_code == 0, dreamt.output
    assert Path("goldfish_0000_lucid64_8_000000.png").exists()
