"""`lucid draw` as an artist types it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageStat
from test_cli import QUICK, Run, desk, run, size_of

import lucid
from lucid.drawing.specs import LayerSpec, parse_layer
from lucid.imaging import recipes

pytestmark = pytest.mark.slow

__all__ = ["desk", "run"]

TINY = ("--tile-size", "32", "--octaves", "1", "--iters", "1", "--device", "cpu", "-o", "out.png")


def test_draw_many_and_a_sheet_of_them(desk: Path, run: Run) -> None:
    result = run(*QUICK, "--seed", "3", "--count", "4", "-o", "many.png", "--size", "40x30")
    assert result.output == (
        "painting goldfish (0)\nwrote 5 pictures, many_seed3.png to many.png (seed 3)\n"
    )
    assert size_of(desk / "many_seed6.png") == (40, 30)
    width, height = size_of(desk / "many.png")
    assert width == 82
    assert height > 62  # the seeds stand below the pictures
    assert (desk / "many_seed3.png").read_bytes() != (desk / "many_seed4.png").read_bytes()


def test_draw_pictures_that_are_pushed_apart(desk: Path, run: Run) -> None:
    words = ("--seed", "3", "--count", "2", "--size", "40x32", "--iters", "3")
    assert run(*QUICK, *words, "-o", "seeds.png").exit_code == 0
    result = run(*QUICK, *words, "--diverse", "-o", "apart.png")
    assert result.output == (
        "painting goldfish (0)\nwrote 3 pictures, apart_seed3.png to apart.png (seed 3)\n"
    )
    net = lucid.load("tiny.cfg")
    options: dict[str, Any] = {"size": (32, 40), "seed": 3, "tile_size": 32, "octave_count": 1}
    runtime = lucid.Runtime(device="cpu")
    expected = lucid.draw_diverse(
        net, "goldfish", count=2, iterations=3, runtime=runtime, **options
    )
    for picture, seed in zip(expected, (3, 4), strict=True):
        drawn = Image.open(desk / f"apart_seed{seed}.png")
        assert drawn.tobytes() == picture.tobytes()
        assert drawn.tobytes() != Image.open(desk / f"seeds_seed{seed}.png").tobytes()
    before = (desk / "apart_seed4.png").read_bytes()
    assert run("redo", "apart_seed4.png", "-o", "apart.png", "--force").exit_code == 0
    assert (desk / "apart_seed4.png").read_bytes() == before
    refused = run(*QUICK, "--diverse", "-o", "one.png")
    assert refused.exit_code == 2
    assert "--diverse needs several pictures: add --count, such as --count 9" in refused.output


def test_draw_one_thing_in_the_pattern_of_another(desk: Path, run: Run) -> None:
    words = ("--class", "goldfish", "--skin", "tench", "--seed", "3", "--size", "40x32")
    assert run("draw", "--net", "tiny.cfg", *words, *TINY).exit_code == 0
    options: dict[str, Any] = {"size": (32, 40), "seed": 3, "tile_size": 32, "octave_count": 1}
    runtime, net = lucid.Runtime(device="cpu"), lucid.load("tiny.cfg")
    expected = lucid.draw_skin(net, "goldfish", "tench", iterations=1, runtime=runtime, **options)
    assert Image.open(desk / "out.png").tobytes() == expected.tobytes()
    before = (desk / "out.png").read_bytes()
    assert run("redo", "out.png", "-o", "out.png", "--force").exit_code == 0
    assert (desk / "out.png").read_bytes() == before
    for more in ("--on-disk", "--diverse --count 2", "--layer 0", "--skin nobody"):
        refused = run("draw", "--net", "tiny.cfg", *words, *more.split(), "-o", "no.png")
        assert refused.exit_code == 2, more
    assert not list(desk.glob("no*"))


def test_draw_keeps_its_stages(desk: Path, run: Run) -> None:
    words = ("--seed", "3", "--octaves", "2", "--save-every", "1", "-o", "kept.png")
    assert run(*QUICK, *words).exit_code == 0
    assert sorted(path.name for path in desk.glob("kept*")) == [
        "kept.png",
        "kept_pass00001.png",
        "kept_pass00002.png",
    ]
    (desk / "kept.png").unlink()
    assert "kept_pass0000" in run(*QUICK, *words).output, "and are not lost without a word"
    assert size_of(desk / "kept_pass00001.png") == (32, 32)


def test_a_transparent_base_stays_transparent(desk: Path, run: Run) -> None:
    base = Image.open(desk / "photo.v2.png").convert("RGBA")
    base.putalpha(Image.linear_gradient("L").resize(base.size))
    base.save(desk / "ghost.png")
    assert run(*QUICK, "ghost.png", "-o", "out.png").exit_code == 0
    alpha = Image.open(desk / "out.png").getchannel("A")
    assert alpha.tobytes() == base.getchannel("A").tobytes()
    refused = run(*QUICK, "ghost.png", "-o", "out.jpg")
    assert refused.exit_code == 2
    assert "out.jpg: JPEG cannot be transparent, as the base is: use .png" in refused.output


def test_exif_turns_the_picture_the_right_way(desk: Path, run: Run) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.open(desk / "photo.v2.png").save(desk / "turned.jpg", exif=exif)
    assert run(*QUICK, "turned.jpg", "-o", "out.png").exit_code == 0
    assert size_of(desk / "out.png") == (44, 60)


@pytest.mark.parametrize(
    "words",
    [
        "--class goldfish:0.7 --class tench:.3",
        "--class goldfish@.3,.5 --class tench@.7,.5,20 --size 60x40",
        "--class goldfish@mask.png photo.v2.png",
        "--class goldfish --path sine --brush 16 --size 60x40",
        "--class sharks",
        "--random-classes 2",
        "--mix mix.toml",
        "--layer 0",
        "--layer 0:3",
        "--layer 2:1@.5,.5 --class goldfish",
        "--layer 0 --guide photo.v2.png",
        "photo.v2.png --layer 0 --preset deepdream",
        "photo.v2.png --class goldfish --mask mask.png",
        "photo.v2.png --class goldfish --keep-colors --strength .3",
        "--class goldfish --canvas pixels --tv .1 --blur .5",
        "--class goldfish --canvas phase",
        "--class goldfish --preset deepdraw",
        "--class goldfish --tiles fixed --padding mean",
    ],
)
def test_draw_in_every_manner(desk: Path, run: Run, words: str) -> None:
    mask = Image.new("L", (60, 44))
    mask.paste(255, (0, 0, 30, 44))
    mask.save(desk / "mask.png")
    (desk / "mix.toml").write_text('goldfish = 0.7\n"tiger shark@.5,.5" = 0.3\n')
    net = QUICK[1:3]
    result = run("draw", *net, *words.split(), *TINY)
    assert result.exit_code == 0, result.output
    assert ImageStat.Stat(Image.open(desk / "out.png").convert("RGB")).stddev[0] > 0.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "there is nothing to draw: give --class, --mix, --random-classes or --layer"),
        ("--class goldfish:x", "'x' in 'goldfish:x' is not a number"),
        ("--class goldfish@here", "region 'here' is neither X,Y nor X,Y,DIAMETER nor an image"),
        ("--class goldfish@2,3", "X and Y must be from 0 to 1"),
        ("--class goldfish@no.png", "no.png: cannot be read (No such file"),
        ("--class goldfish --path 1", "path '1' is not line, circle, sine"),
        ("--class goldfish --brush 20", "--brush means nothing without --path"),
        ("--class goldfish --mask no.png", "no.png: cannot be read (No such file"),
        ("--class goldfish --guide photo.v2.png", "--guide needs one --layer"),
        ("--class goldfish --keep-colors", "there are no colours to keep"),
        ("--class goldfish --preset no", "there is no preset 'no': deepdraw, deepdream"),
        ("--mix no.toml", "no.toml: cannot be read"),
        ("--mix photo.v2.png", "photo.v2.png: is not a text file"),
        ("--random-classes 9", "has no more than 5 classes"),
        ("--layer 99", "has no layer 99"),
        ("--layer 0:99", "layer 0 has channels 0 to 7, no 99"),
        ("--layer 0:x", "'0:x' is not LAYER, LAYER:CHANNEL, LAYER:CHANNEL,CHANNEL or"),
        ("--layer 0@.5,.5", "'0@.5,.5' is not LAYER, LAYER:CHANNEL"),
    ],
)
def test_what_cannot_be_drawn_says_why(desk: Path, run: Run, words: str, message: str) -> None:
    net = QUICK[1:3]
    before = sorted(os.listdir(desk))
    result = run("draw", *net, *words.split(), *TINY)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert sorted(os.listdir(desk)) == before


@pytest.mark.slow
def test_a_sheet_of_layers(desk: Path, run: Run) -> None:
    result = run("layers", "tiny.cfg", "--sheet", "photo.v2.png", "--device", "cpu")
    assert result.output == "wrote tiny_layers.png\n"
    assert size_of(desk / "tiny_layers.png")[0] == 128 * 2 + 2
    assert "exists" in run("layers", "tiny.cfg", "--sheet", "photo.v2.png").output
    assert "mean nothing without --sheet" in run("layers", "tiny.cfg", "--force").output


def test_a_channel_that_stays_dead_is_said(
    run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk / "shy.py").write_text("""
import lucid, torch
from torch import nn

def make_net():
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        module[0].bias.copy_(torch.tensor([-99.0, 9.0]))
    return lucid.wrap(module, input_size=(32, 32))
""")
    words = ("--net", "shy.py:make_net", "--size", "32x32", "--iters", "1", "--octaves", "1")
    dead = run("draw", *words, "--layer", "1:0", "-o", "dead.png")
    assert dead.exit_code == 0, dead.output
    assert "1:0 is active nowhere in dead.png" in dead.stderr
    alive = run("draw", *words, "--layer", "1:1", "-o", "alive.png")
    assert "active nowhere" not in alive.stderr


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("64", (64, 48)),
        ("x24", (32, 24)),
        ("32x", (32, 24)),
        ("50%", (20, 15)),
        ("32x32", (32, 32)),
    ],
)
def test_sizes_are_said_in_many_ways(
    desk: Path, run: Run, typed: str, expected: tuple[int, int]
) -> None:
    Image.linear_gradient("L").resize((40, 30)).convert("RGB").save("base.png")
    drawn = run(*QUICK, "base.png", "--size", typed, "-o", "sized.png")
    assert drawn.exit_code == 0, drawn.output
    assert size_of(Path("sized.png")) == expected
    again = run("redo", "sized.png", "-o", "again.png")
    assert again.exit_code == 0, again.output
    assert Path("again.png").read_bytes() == Path("sized.png").read_bytes()


def test_the_longest_side_of_a_picture_from_noise_is_both(desk: Path, run: Run) -> None:
    assert run(*QUICK, "--size", "40", "-o", "noise.png").exit_code == 0
    assert size_of(Path("noise.png")) == (40, 40)


def test_classes_are_numbers_with_commas_and_ranges(desk: Path, run: Run) -> None:
    few = [*QUICK[: QUICK.index("--class")], *QUICK[QUICK.index("--class") + 2 :]]
    drawn = run(*few, "--class", "1,3-4:.5", "--seed", "1", "-o", "some.png")
    assert drawn.exit_code == 0, drawn.output
    assert "painting tench (1) and tiger shark (3) and tiger cat (4)" in drawn.stderr
    assert recipes.read("some.png").options["class"] == ["1,3-4:.5"]
    film = run("film", *few[1:], "--class", "0-1", "--frames", "1", "-o", "f.gif")
    assert "painting goldfish (0) and tench (1)" in film.stderr
    for typed, message in (("4-3", "no range of classes"), ("0-9", "has no class 5")):
        refused = run(*few, "--class", typed)
        assert refused.exit_code == 2
        assert message in refused.stderr


def test_layers_have_several_channels_and_weights(desk: Path, run: Run) -> None:
    few = [*QUICK[: QUICK.index("--class")], *QUICK[QUICK.index("--class") + 2 :], "--seed", "1"]
    said = {
        "one": ["--layer", "2:3"],
        "more": ["--layer", "2:3,7,9"],
        "less": ["--layer", "2:3:-1"],
        "whole": ["--layer", "0::-.5", "--layer", "2:3"],
        "neuron": ["--layer", "2:3@.5,.5:2"],
    }
    for name, words in said.items():
        drawn = run(*few, *words, "-o", f"{name}.png")
        assert drawn.exit_code == 0, drawn.output
    assert len({Path(f"{name}.png").read_bytes() for name in said}) == len(said)
    assert parse_layer("2:3,7@.5,.25:-2") == LayerSpec("2", (3, 7), (0.5, 0.25), -2.0)
    for typed in ("2:", "2@.5,.5", "2:3,", "2:3:x", "2::", "2:3@2,0", ":3", "2:3:1:1"):
        assert run(*few, "--layer", typed).exit_code == 2, typed
    past = run(*few, "--layer", "2:3,99")
    assert "no 99" in past.stderr


def test_as_many_classes_as_asked_for_are_printed(desk: Path, run: Run) -> None:
    for number, lines in (("1", 1), ("3", 3), ("99", 5)):
        seen = run("classify", "tiny.cfg", "photo.v2.png", "-n", number)
        assert seen.exit_code == 0, seen.output
        assert len(seen.stdout.splitlines()) == lines


def test_frames_a_second(desk: Path, run: Run) -> None:
    words = ("--net", "tiny.cfg", "--class", "goldfish", "--frames", "2", "--iters", "1")
    made = run("film", *words, "--size", "32x32", "--fps", "20", "-o", "fast.gif")
    assert made.exit_code == 0, made.output
    with Image.open("fast.gif") as film:
        assert film.info["duration"] == 50
