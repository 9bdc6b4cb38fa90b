from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch import Tensor

from lucid.core.objectives import LayerL2
from lucid.drawing.config import FROM_NOISE, DrawConfig, on_canvas, presets, read_preset
from lucid.drawing.loop import draw
from lucid.errors import LucidError, UsageError
from lucid.nets.net import Net

SMALL = {"tile_size": 32, "device": "cpu", "precision": "fp32"}


def test_deepdraws_octaves_are_as_published() -> None:
    """Øygard's notebook: passes, blur and step sizes of its four octaves."""
    stages = read_preset("deepdraw", FROM_NOISE).stages
    assert [stage.iterations for stage in stages] == [190, 150, 150, 10]
    assert [stage.scale for stage in stages[1:]] == [1.2, 1.2, 1.0]
    assert [tuple(round(255 * rate, 6) for rate in stage.rate) for stage in stages] == [
        (11, 11),
        (6, 6),
        (6, 3),
        (3, 3),
    ]
    assert [stage.blur for stage in stages] == [
        (2.5, 0.78),
        (0.936, 0.78),
        (0.936, 0.44),
        (0.44, 0.304),
    ]


def test_rates_and_blurs_run_from_start_to_end() -> None:
    stage = read_preset("deepdraw", FROM_NOISE).stages[2]
    assert stage.rate_at(0) * 255 == pytest.approx(6)
    assert stage.rate_at(75) * 255 == pytest.approx(4.5)
    assert stage.blur_at(75) == pytest.approx((0.936 + 0.44) / 2)


@pytest.mark.parametrize("name", ["deepdraw", "deepdream"])
def test_presets_paint(classifier: Net, photo: Tensor, name: str) -> None:
    manner = read_preset(name, FROM_NOISE)
    wanted = LayerL2("0") if name == "deepdream" else ["goldfish"]
    painted = draw(classifier, wanted, photo, manner=manner, iterations=2, **SMALL)
    assert painted.size == (56, 40)


def test_a_preset_from_noise_grows_as_its_octaves_say(classifier: Net) -> None:
    manner = read_preset("deepdraw", FROM_NOISE)
    painted = draw(classifier, ["goldfish"], manner=manner, iterations=1, **SMALL)
    assert painted.size == (46, 46)  # 32 * 1.2 * 1.2


@pytest.mark.parametrize("canvas", ["fourier", "pixels", "phase"])
def test_any_canvas_under_tiles(classifier: Net, photo: Tensor, canvas: str) -> None:
    manner = on_canvas(FROM_NOISE, canvas)
    for base in (None, photo):
        painted = draw(
            classifier,
            ["goldfish"],
            base,
            size=(70, 50),
            manner=manner,
            octave_count=2,
            iterations=2,
            **SMALL,
        )
        assert painted.size == (50, 70)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("turn = 0.1\nscale = [0.9, 1.1]\nlift = [1, 2]\noctaves = 2")
    (tmp_path / "own.json").write_text(json.dumps({"octaves": [{"iter_n": 5, "start_sigma": 1}]}))
    toml = read_preset(str(tmp_path / "own.toml"), FROM_NOISE)
    assert (toml.turn, toml.scale, toml.lift, toml.octaves) == (0.1, (0.9, 1.1), (1, 2), 2)
    (stage,) = read_preset(str(tmp_path / "own.json"), FROM_NOISE).stages
    assert (stage.iterations, stage.blur, stage.rate) == (5, (1, 1), (0.02, 0.02))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trun = 1", "no manner has 'trun'; the nearest are turn"),
        ("turn = 'far'", "turn = 'far' is not what a turn can be"),
        ("scale = [1]", r"scale = \[1\] is not what"),
        ("scale = [0, 1]", r"scale = \[0, 1\] is not what"),
        ("iterations = 1.5", r"iterations = 1.5 is not what"),
        ("canvas = 'oil'", "canvas 'oil' is not fourier or pixels or phase"),
        ("rule = 'mean'", "the rule mean moves pixels"),
        ("turn = ", "is not TOML"),
        ("[[octaves]]\niter = 3", "no octave has 'iter'; the nearest are iter_n"),
        ("[[octaves]]\niter_n = 0", "iter_n = 0 is not a count"),
        ("[[octaves]]\nstart_sigma = -1", "start_sigma = -1 is not a number from 0"),
        ("[[octaves]]\nscale = 0", "scale = 0 is not from 0.1 to 10"),
        ("lift = [0]", r"lift = \[0\] is not what"),
        ("octaves = [3]", "an octave is a table, not 3"),
        ("octaves = 'many'", "octaves = 'many' is not what"),
    ],
)
def test_what_is_no_manner_says_why(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(LucidError, match=message):
        read_preset(str(tmp_path / "own.toml"), FROM_NOISE)


def test_no_such_preset_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no preset 'deepdrem': deepdraw, deepdream, or a \.toml"):
        read_preset("deepdrem", FROM_NOISE)
    with pytest.raises(UsageError, match="cannot be read"):
        read_preset(str(tmp_path / "none.toml"), FROM_NOISE)
    assert set(presets()) == {"deepdraw", "deepdream"}


def test_a_mix_settles() -> None:
    manner = DrawConfig(settling=0.5)
    assert manner.at(0.4) is manner
    late = manner.at(1.0)
    assert late.pace == pytest.approx(0.03)
    assert late.turn < manner.turn
    assert late.glances > manner.glances == 1
