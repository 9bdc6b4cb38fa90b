"""Average pooling in place of maximum pooling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from conftest import CLASS_NAMES, CLASSIFIER, write_net
from torch import nn

import lucid
from lucid.cli import main
from lucid.core.ascent import Ascent
from lucid.core.device import Runtime
from lucid.errors import UsageError
from lucid.imaging.recipes import read
from lucid.nets.net import LOGITS

QUICK: dict[str, Any] = {"size": (48, 48), "iterations": 3, "octave_count": 1, "seed": 1}


def test_average_pooling_takes_the_place_of_maximum_pooling(tmp_path: Path) -> None:
    def net_with(pool: nn.Module) -> nn.Module:
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 4, 3), pool, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*layers)

    images = torch.rand(2, 3, 32, 32)
    expected = lucid.wrap(net_with(nn.AvgPool2d(3, 2)), input_size=(32, 32)).logits(images)
    net = lucid.wrap(net_with(nn.MaxPool2d(3, 2)), input_size=(32, 32))
    found = Ascent(net, Runtime("cpu", "fp32", pooling="avg")).forward(images, [LOGITS])[LOGITS]
    torch.testing.assert_close(found, expected)
    as_it_is = Ascent(net, Runtime("cpu", "fp32")).forward(images, [LOGITS])[LOGITS]
    assert not torch.allclose(as_it_is, expected)
    with pytest.raises(UsageError, match="pooling 'mean' is not max or avg"):
        Ascent(net, Runtime("cpu", pooling="mean"))


def test_average_pooling_of_a_padded_darknet_layer(tmp_path: Path) -> None:
    cfg = "[net]\nwidth=7\nheight=7\nchannels=3\n\n[maxpool]\nsize=2\nstride=2\npadding=1\n"
    (tmp_path / "pool.cfg").write_text(cfg)
    (tmp_path / "pool.weights").write_bytes(bytes(16))
    net = lucid.load(str(tmp_path / "pool.cfg"))
    ascent = Ascent(net, Runtime("cpu", "fp32", pooling="avg"))
    images = torch.rand(1, 3, 7, 7)
    pooled = ascent.forward(images, ["0"])["0"]
    # Windows that reach past the border count only what lies in the image.
    torch.testing.assert_close(pooled[..., 0, 0], images[..., :2, :2].mean((2, 3)))
    assert pooled.isfinite().all()
    assert float(pooled.max()) <= float(images.max())


def test_pooling_is_in_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES)
    monkeypatch.chdir(tmp_path)
    words = (
        "draw --net tiny.cfg --class tench --size 48 --iters 2 --octaves 1 --device cpu --seed 1"
    )
    more = "--pooling avg --laplacian 2 --weight-decay 2 --flip -o a.png"
    made = CliRunner().invoke(main, f"{words} {more}".split())
    assert made.exit_code == 0, made.output
    again = CliRunner().invoke(main, ["redo", "a.png", "-o", "b.png"])
    assert again.exit_code == 0, again.output
    one, two = (Path(name).read_bytes() for name in ("a.png", "b.png"))
    assert one == two
    assert read("a.png").options["pooling"] == "avg"
