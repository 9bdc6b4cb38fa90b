from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lucid.core.device import Runtime
from lucid.core.objectives import LayerL2
from lucid.drawing.config import FROM_NOISE, on_canvas
from lucid.drawing.loop import draw
from lucid.drawing.plan import prepare
from lucid.drawing.preset_files import RENAMED, read_preset
from lucid.errors import LucidError, UsageError
from lucid.nets.net import Net
from lucid.resources import presets

SMALL: dict[str, Any] = {"tile_size": 32, "runtime": Runtime(device="cpu", precision="fp32")}


def test_deepdraws_octaves_are_as_published() -> None:
    """Øygard's notebook: passes, blur and step sizes of its four octaves."""
    octaves = read_preset("deepdraw", FROM_NOISE).octave_configs
    assert [octave.iterations for octave in octaves] == [190, 150, 150, 10]
    assert [octave.scale for octave in octaves[1:]] == [1.2, 1.2, 1.0]
    assert [tuple(round(255 * lr, 6) for lr in octave.lr) for octave in octaves] == [
        (11, 11),
        (6, 6),
        (6, 3),
        (3, 3),
    ]
    assert [octave.blur for octave in octaves] == [
        (2.5, 0.78),
        (0.936, 0.78),
        (0.936, 0.44),
        (0.44, 0.304),
    ]


def test_lr_and_blur_run_from_start_to_end(classifier: Net) -> None:
    config = read_preset("deepdraw", FROM_NOISE)
    plan = prepare(classifier, "goldfish", config=config, **SMALL)
    size, octave = plan.octaves[2]
    first, middle = (
        plan.pass_settings(size, octave, number, 0, torch.Generator()) for number in (0, 75)
    )
    assert first.lr * 255 == pytest.approx(6)
    assert middle.lr * 255 == pytest.approx(4.5)
    assert middle.blur == pytest.approx((0.936 + 0.44) / 2)


@pytest.mark.parametrize("name", ["deepdraw", "deepdream"])
def test_presets_paint(classifier: Net, photo: Tensor, name: str) -> None:
    config = read_preset(name, FROM_NOISE)
    target = LayerL2("0") if name == "deepdream" else "goldfish"
    painted = draw(classifier, target, photo, config=config, iterations=2, **SMALL)
    assert painted.size == (56, 40)


def test_a_preset_from_noise_grows_as_its_octaves_say(classifier: Net) -> None:
    config = read_preset("deepdraw", FROM_NOISE)
    painted = draw(classifier, ["goldfish"], config=config, iterations=1, **SMALL)
    assert painted.size == (46, 46)  # 32 * 1.2 * 1.2


@pytest.mark.parametrize("canvas", ["fourier", "pixels", "phase"])
def test_any_canvas_under_tiles(classifier: Net, photo: Tensor, canvas: str) -> None:
    config = on_canvas(FROM_NOISE, canvas)
    for base in (None, photo):
        painted = draw(
            classifier,
            ["goldfish"],
            base,
            size=(70, 50),
            config=config,
            octave_count=2,
            iterations=2,
            **SMALL,
        )
        assert painted.size == (50, 70)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        "max_angle = 0.1\nscale = [0.9, 1.1]\nblur_sigmas = [1, 2]\noctaves = 2"
    )
    (tmp_path / "own.json").write_text(json.dumps({"octaves": [{"iter_n": 5, "start_sigma": 1}]}))
    toml = read_preset(str(tmp_path / "own.toml"), FROM_NOISE)
    assert (toml.max_angle, toml.scale, toml.blur_sigmas, toml.octaves) == (
        0.1,
        (0.9, 1.1),
        (1, 2),
        2,
    )
    (octave,) = read_preset(str(tmp_path / "own.json"), FROM_NOISE).octave_configs
    assert (octave.iterations, octave.blur, octave.lr) == (5, (1, 1), (0.02, 0.02))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_angel = 1", "no setting 'max_angel'; the nearest is max_angle"),
        ("turn = 'far'", "max_angle = 'far' is not a possible value"),
        ("scale = [1]", r"scale = \[1\] is not a possible"),
        ("scale = [0, 1]", r"scale = \[0, 1\] is not a possible"),
        ("iterations = 1.5", r"iterations = 1.5 is not a possible"),
        ("canvas = 'oil'", "canvas 'oil' is not fourier or pixels or phase"),
        ("rule = 'mean'", "the optimizer deepdream moves pixels"),
        ("turn = ", "is not TOML"),
        ("[[octaves]]\niter = 3", "no octave has 'iter'; the nearest is iter_n"),
        ("[[octaves]]\niter_n = 0", "iter_n = 0 is not a count"),
        ("[[octaves]]\nstart_sigma = -1", "start_sigma = -1 is not a number from 0"),
        ("[[octaves]]\nscale = 0", "scale = 0 is not from 0.1 to 10"),
        ("lift = [0]", r"blur_sigmas = \[0\] is not a possible"),
        ("octaves = [3]", "an octave is a table, not 3"),
        ("octaves = 'many'", "octaves = 'many' is not a possible"),
    ],
)
def test_what_is_no_preset_says_why(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(LucidError, match=message):
        read_preset(str(tmp_path / "own.toml"), FROM_NOISE)


def test_no_such_preset_names_those_there_are(tmp_path: Path) -> None:
    known = "deepdraw, deepdream, dreampy"
    with pytest.raises(UsageError, match=rf"no preset 'deepdrem': {known}, or a \.toml"):
        read_preset("deepdrem", FROM_NOISE)
    with pytest.raises(LucidError, match="cannot be read"):
        read_preset(str(tmp_path / "none.toml"), FROM_NOISE)
    assert set(presets()) == {"deepdraw", "deepdream", "dreampy"}


def test_a_mix_cools_down(classifier: Net) -> None:
    plan = prepare(classifier, ["goldfish", "tench"], size=(32, 32), **SMALL)
    assert plan.config.cooldown == 0.5
    size, octave = plan.octaves[-1]

    def settings(share: float) -> tuple[float, int]:
        done = int(share * plan.total)
        found = plan.pass_settings(size, octave, 0, done, torch.Generator())
        return found.lr, len(found.transforms)

    assert settings(0.4) == (plan.config.lr, 1)
    lr, n_views = settings(1.0)
    assert lr == pytest.approx(0.03 * plan.config.lr)
    assert n_views == 8


def test_keys_of_version_0_1_mean_the_same(tmp_path: Path) -> None:
    old = {"rule": "mean", "rate": 0.01, "turn": 0.2, "lift": [1, 2], "variation": 0.02}
    old |= {"settling": 0.3, "balance": 3, "mixing": 5, "carry": "pixels", "decay": 1.1}
    old |= {"opening": 2, "closing": 3, "tiled_variation": 0.1}
    assert set(old) == set(RENAMED)
    new = {RENAMED[key]: value for key, value in old.items()} | {"optimizer": "deepdream"}
    configs = []
    for name, settings in (("old", old), ("new", new)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"canvas": "pixels", **settings}))
        configs.append(read_preset(str(path), FROM_NOISE))
    assert configs[0] == configs[1]
    assert configs[0].lr == 0.01


def test_a_preset_without_octaves_keeps_those_of_the_net(tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("")
    start = replace(FROM_NOISE, octaves=None)
    assert read_preset(str(tmp_path / "empty.toml"), start) == start
