"""The settings files of dream.py, and the octaves of deepdraw, as they were published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from lucid.cli import main
from lucid.cli.dream_settings import dream_recipe
from lucid.drawing.config import FROM_NOISE
from lucid.drawing.preset_files import read_preset
from lucid.errors import LucidError
from lucid.imaging import recipes

WRITTEN: dict[str, Any] = {
    "input": "photo.png",
    "output": "out",
    "config": None,
    "model": "googlenet",
    "layer": None,
    "basefile": None,
    "guide": None,
    "guidelayer": "inception_3b/output",
    "target": None,
    "weight": None,
    "iters": 10,
    "octaves": 4,
    "deepdraw": None,
    "sigma": 0,
    "glide": None,
    "verbose": None,
    "zoom": 0,
    "rotate": 0,
    "frames": 1,
    "initial": 0,
    "keys": False,
    "nojson": False,
}
"""What dream.py writes down of a run with nothing but a picture."""

OCTAVES = [
    {
        "layer": "loss3/classifier",
        "iter_n": 2,
        "start_sigma": 2.5,
        "end_sigma": 0.78,
        "start_step_size": 11.0,
        "end_step_size": 11.0,
    },
    {
        "layer": "loss1/classifier",
        "window": 0.3,
        "scale": 1.2,
        "iter_n": 1,
        "start_sigma": 0.936,
        "end_sigma": 0.44,
        "start_step_size": 6.0,
        "end_step_size": 3.0,
    },
]
"""As in deepdraw's notebooks."""


def run(words: str) -> Result:
    return CliRunner().invoke(main, words.split())


def options(**settings: Any) -> dict[str, Any]:
    return dict(dream_recipe({**WRITTEN, **settings}, Path("dream.json")).options)


def test_without_a_target_a_layer_is_enhanced() -> None:
    assert options(sigma=0.5) == {
        "net": "googlenet",
        "base": ["photo.png"],
        "layer": ["inception_4c/output"],
        "preset": "deepdream",
        "iters": 10,
        "octaves": 4,
        "blur": 0.5,
        "output": str(Path("out") / "{stem}.jpg"),
    }
    guided = options(guide="flowers.jpg")
    assert (guided["guide"], guided["layer"]) == ("flowers.jpg", ["inception_3b/output"])
    assert options(basefile="own.png")["output"] == str(Path("out") / "own.png")


def test_targets_are_classes() -> None:
    assert options(target="1,5-7")["class"] == ["1,5-7"]
    assert options(target="1,5-7", weight=0.5)["class"] == ["1,5-7:0.5"]
    assert options(target={"3": 1, "7": -0.5})["class"] == ["3:1", "7:-0.5"]
    assert options(target="randomise")["mix"] == "random"
    assert options(target="classes.json")["mix"] == "classes.json"
    assert options(target="3")["preset"] == "dreampy"
    assert options(target="3", deepdraw="octaves.json")["preset"] == "octaves.json"


def test_several_frames_are_a_film() -> None:
    film = dream_recipe(
        {**WRITTEN, "frames": 5, "rotate": 3, "zoom": 0.1, "glide": "4,-2"}, Path("dream.json")
    )
    assert film.command == "film"
    assert film.options["frames"] == 5
    assert film.options["warp"] == ["rotate:-3", "zoom:0.111111", "translate:4,-2"]
    assert film.options["output"] == str(Path("out") / "{stem}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"targt": "3"}, "dream.py has no 'targt'; the nearest are target"),
        ({"iters": [3]}, r"iters = \[3\] is no value of dream.py's iters"),
        ({"frames": "many"}, "holds a number that is none"),
        ({"frames": 2, "zoom": 1}, "holds a number that is none"),
        ({"frames": float("inf")}, "holds a number that is none"),
        ({"keys": True}, "keys only lists layers"),
    ],
)
def test_what_dream_py_does_not_take(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(LucidError, match=f"dream.json: {said}"):
        options(**settings)


@pytest.mark.slow
def test_files_run_as_they_are(desk: Path) -> None:
    settings = {**WRITTEN, "model": "tiny.cfg", "target": "0,3", "deepdraw": "octaves.json"}
    (desk / "dream.json").write_text(json.dumps(settings))
    (desk / "octaves.json").write_text(json.dumps(OCTAVES))
    made = run("run dream.json --tile-size 32 --device cpu --seed 1")
    assert made.exit_code == 0, made.output
    assert "tiny has no loss1/classifier here: its class scores are maximised" in made.stderr
    recipe = recipes.read(desk / "out" / "photo.jpg")
    assert (
        recipe.made["octaves"] == ["33x26, 2 passes", "40x31, 1 passes"] or recipe.made["octaves"]
    )
    (desk / "feedback.json").write_text(
        json.dumps({**settings, "target": "randomise", "frames": 2, "rotate": 5, "deepdraw": None})
    )
    filmed = run("run feedback.json --tile-size 32 --device cpu --iters 1 --octaves 1 --seed 1")
    assert filmed.exit_code == 0, filmed.output
    assert len(list((desk / "out" / "photo").glob("frame_*.png"))) == 2
    drawn = run(
        "draw photo.png --net tiny.cfg --class 3 --preset octaves.json --device cpu -o a.png"
    )
    assert drawn.exit_code == 0, drawn.output
    with Image.open("a.png") as image, Image.open("photo.png") as photo:
        assert image.size == photo.size
    refused = run("run octaves.json")
    assert refused.exit_code == 1
    assert "is a list of octaves, as deepdraw's" in refused.stderr


def test_octaves_of_deepdraw(tmp_path: Path) -> None:
    path = tmp_path / "octaves.json"
    path.write_text(json.dumps(OCTAVES))
    config = read_preset(str(path), FROM_NOISE)
    assert (config.canvas, config.optimizer, config.log_prob_weight) == ("pixels", "deepdream", 0)
    first, last = config.octave_configs
    assert (first.iterations, first.layer, first.lr) == (
        2,
        "loss3/classifier",
        (11 / 255, 11 / 255),
    )
    assert (last.scale, last.blur, last.layer) == (1.2, (0.936, 0.44), "loss1/classifier")
    path.write_text(json.dumps([{**OCTAVES[0], "layer": 3}]))
    with pytest.raises(LucidError, match="layer = 3 is not the name of a classifier"):
        read_preset(str(path), FROM_NOISE)


def test_json_beside_a_picture_is_a_strangers(desk: Path) -> None:
    recipe = {"command": "draw", "class": ["tench"], "net": "tiny.cfg", "output": "own.png"}
    (desk / "picture.json").write_text(json.dumps({**recipe, "iters": 1, "octaves": 1}))
    made = run("run picture.json --size 32 --device cpu -o other.png")
    assert made.exit_code == 0, made.output
    assert (desk / "other.png").exists()
    without = run("run picture.json --size 32 --device cpu")
    assert without.exit_code == 0, without.output
    assert not (desk / "own.png").exists()  # the recipe does not say where to write
    (desk / "elsewhere.json").write_text(json.dumps({**recipe, "base": "../secret.png"}))
    refused = run("run elsewhere.json")
    assert refused.exit_code == 1
    assert "does not lie here or beside it" in refused.stderr
