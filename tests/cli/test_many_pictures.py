"""Many pictures from one command: words in braces, rows of classes, going on after a stop."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from test_cli import DRAW, Run, desk, run

from lucid.imaging import recipes
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.fit import fit_image, fit_mask
from lucid.imaging.io import read_image
from lucid.nets.registry import load
from lucid.tiling.octaves import resize

pytestmark = pytest.mark.slow

__all__ = ["desk", "run"]

FEW = (*DRAW, "--iters", "1", "--size", "32x32", "--device", "cpu", "--seed", "3")

FEWER = ("-iters", "2", "-octaves", "1", "--device", "cpu")


def names(folder: Path, pattern: str = "*.png") -> list[str]:
    return sorted(path.name for path in folder.glob(pattern) if path.name != "photo.v2.png")


def test_words_in_braces_stand_for_what_was_drawn(desk: Path, run: Run) -> None:
    assert run(*FEW, "-o", "{class}-{net}-{seed}-{stem}.png").exit_code == 0
    assert run(*FEW, "photo.v2.png", "-o", "{stem}_{layer}.png", "--layer", "2:1").exit_code == 0
    assert names(desk) == ["goldfish-tiny-3-noise.png", "photo.v2_2-1.png"]
    film = ("film", *FEW[1:], "--frames", "1", "-o", "{class}_{seed}.gif")
    assert run(*film).exit_code == 0
    assert names(desk, "*.gif") == ["goldfish_3.gif"]
    for words in (FEW, film[:-2]):
        unknown = run(*words, "-o", "{sed}.gif")
        assert unknown.exit_code == 2
        assert "{sed} stands for nothing: give {stem}" in unknown.output


def test_seeds_and_classes_in_braces_name_single_pictures(desk: Path, run: Run) -> None:
    words = ("--class", "tiger cat", "--each", "--count", "2", "-o", "{class}/{seed}.png")
    for folder in ("goldfish", "tiger-cat", "goldfish+tiger-cat"):
        (desk / folder).mkdir()
    result = run(*FEW, *words)
    assert result.exit_code == 0, result.output
    assert names(desk / "goldfish") == names(desk / "tiger-cat") == ["3.png", "4.png"]
    assert names(desk / "goldfish+tiger-cat") == ["3-4.png"]


def test_each_class_is_drawn_by_itself_in_a_row(desk: Path, run: Run) -> None:
    result = run(*FEW, "--class", "sharks", "--each", "--count", "2", "-o", "all.png")
    assert "painting goldfish (0)\npainting great white shark (2)\n" in result.output
    singles = ["goldfish", "great-white-shark", "tiger-shark"]
    expected = [f"all_{each}_seed{seed}.png" for each in singles for seed in (3, 4)]
    assert names(desk) == ["all.png", *expected]
    with Image.open(desk / "all.png") as sheet:
        assert sheet.width == 2 * 32 + 2
        assert sheet.height > 3 * 32
    recipe = recipes.read(desk / expected[3])
    assert recipe.options["class"] == ["great white shark"]
    assert (recipe.options["seed"], recipe.options["count"]) == (4, 1)
    assert run("redo", expected[3], "-o", "again.png").exit_code == 0
    with Image.open(desk / expected[3]) as before, Image.open(desk / "again.png") as again:
        assert before.tobytes() == again.tobytes()


def test_the_sheet_is_made_again_from_its_recipe(desk: Path, run: Run) -> None:
    assert run(*FEW, "--class", "tench", "--each", "-o", "two.png").exit_code == 0
    assert run("redo", "two.png", "-o", "again.png").exit_code == 0
    with Image.open(desk / "two.png") as before, Image.open(desk / "again.png") as again:
        assert before.tobytes() == again.tobytes()


def test_only_what_is_missing_is_drawn(desk: Path, run: Run) -> None:
    words = (*FEW, "--count", "3", "-o", "some.png")
    assert run(*words).exit_code == 0
    sheet, kept = (desk / "some.png").read_bytes(), desk / "some_seed3.png"
    (desk / "some_seed4.png").unlink()
    before = kept.stat().st_mtime_ns
    result = run(*words[:-2], "-o", "some.png", "--resume")
    assert result.output.splitlines() == [
        "painting goldfish (0)",
        "wrote some_seed4.png",
        "wrote some.png",
    ]
    assert "painting" not in run(*words[:-2], "-o", "some.png", "--resume").output
    assert kept.stat().st_mtime_ns == before
    assert (desk / "some.png").read_bytes() == sheet


def test_the_first_seed_is_found_again(desk: Path, run: Run) -> None:
    words = (*FEW[:-2], "--count", "2", "-o", "some.png")
    assert "nothing to resume: give --seed" in run(*words, "--resume").output
    assert run(*words, "--seed", "7").exit_code == 0
    (desk / "some_seed8.png").unlink()
    assert "wrote some_seed8.png" in run(*words, "--resume").output


def test_pictures_of_other_settings_are_not_taken_for_finished(desk: Path, run: Run) -> None:
    words = (*FEW, "--count", "2", "-o", "some.png")
    assert run(*words).exit_code == 0
    other = run(*words, "--strength", "2", "--resume")
    assert other.exit_code == 2
    assert "some_seed3.png was made with other settings" in other.output
    Image.new("RGB", (8, 8)).save(desk / "some_seed3.png")
    assert "holds no recipe of lucid's" in run(*words, "--resume").output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--each --layer 2", "--each is for classes: leave --layer out"),
        ("--each --count 2 --diverse", "--diverse and --each cannot be combined"),
        ("--count 2 --diverse --resume -o a.png", "--diverse and --resume cannot be combined"),
        ("--each --on-disk -o a.png", "there is no --each for pictures that are painted on disk"),
        ("--each -o -", "-o - takes one picture: leave --each out"),
    ],
)
def test_what_cannot_be_combined_says_so(desk: Path, run: Run, words: str, message: str) -> None:
    result = run(*FEW, *words.split())
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize("side", [24, 64, 224])
def test_labels_are_never_clipped(side: int) -> None:
    labels = ["lion (22), seed 5", "a very long and winding name of donaudampfschifffahrt", "x"]
    images = [Image.new("RGB", (side, side), "navy")] * 3
    sheet = contact_sheet(images, columns=3, labels=labels)
    height = sheet.height
    assert sheet.width == 3 * side + 4
    # Letters end before the gap to the next picture, and before the lower edge.
    for number in range(2):
        gap = sheet.crop((number * (side + 2) + side, side, (number + 1) * (side + 2), height))
        assert gap.getbbox() is None
    assert sheet.crop((0, height - 1, sheet.width, height)).getbbox() is None
    assert sheet.crop((0, side, side, height)).getbbox() is not None


def test_each_pass_is_logged(desk: Path, run: Run) -> None:
    words = (*DRAW, "--iters", "2", "--octaves", "2", "--size", "48x48", "--device", "cpu")
    result = run(*words, "--class", "tench", "--seed", "3", "-o", "a.png", "--log", "log.csv")
    assert result.exit_code == 0, result.output
    with (desk / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["seed", "octave", "pass", "done", "objective", "goldfish", "tench"]
    assert [row["pass"] for row in rows] == [str(number + 1) for number in range(len(rows))]
    assert (rows[-1]["octave"], rows[-1]["done"]) == ("48x48", "1.0000")
    net = load("tiny.cfg")
    shown = resize(read_image("a.png"), net.input_size)[None]
    probability = net.probabilities(shown)[0, net.class_index("tench")]
    assert float(rows[-1]["tench"]) == pytest.approx(float(probability), abs=0.01)
    again = run(*words, "-o", "b.png", "--log", "log.csv")
    assert again.exit_code == 2
    assert "log.csv exists: give --force" in again.output
    both = run(*words, "--layer", "2:1", "--count", "2", "-o", "c.png", "--log", "two.csv")
    assert both.exit_code == 0, both.output
    with (desk / "two.csv").open(newline="") as file:
        assert len({row["seed"] for row in csv.DictReader(file)}) == 2


def test_a_nightmare_is_written_where_that_is_said(desk: Path, run: Run) -> None:
    words = ("nightmare", "tiny.cfg", "photo.v2.png", "2", "--iters", "1", "--rounds", "3")
    result = run(*words, "-o", "{stem}-{net}-{layer}.png")
    assert result.exit_code == 0, result.output
    assert names(desk) == ["photo.v2-tiny-2.png"]
    assert recipes.read(desk / "photo.v2-tiny-2.png").made["round"] == 2
    assert "exists: give --force" in run(*words, "-o", "photo.v2-tiny-2.png").output
    both = run(*words, "-o", "other.png", "-prefix", "folder")
    assert "-prefix means nothing beside -o" in both.output
    assert not (desk / "folder").exists()
    assert run("redo", "photo.v2-tiny-2.png", "-o", "again.png").exit_code == 0
    with Image.open("photo.v2-tiny-2.png") as before, Image.open("again.png") as again:
        assert before.tobytes() == again.tobytes()


def test_several_recipes_are_followed(desk: Path, run: Run) -> None:
    for name in ("a", "b"):
        lines = ['command = "draw"', 'net = "tiny.cfg"', 'class = ["goldfish"]', "octaves = 1"]
        lines += ["iters = 1", "tile-size = 32", 'size = "24x24"', f'output = "{name}.png"']
        (desk / f"{name}.toml").write_text("\n".join(lines))
    result = run("run", "*.toml", "--seed", "5")
    assert result.exit_code == 0, result.output
    assert names(desk) == ["a.png", "b.png"]
    more = run("run", "a.toml", "b.toml", "photo.v2.png", "--size", "16x16", "-o", "{stem}.webp")
    assert more.exit_code == 2  # both would write photo.v2.webp
    assert "exists" in more.output


def test_nightmares_of_several_pictures_and_patterns(desk: Path, run: Run) -> None:
    for name in ("one.png", "two.png"):
        shutil.copy(desk / "photo.v2.png", desk / name)
    options = FEWER
    made = run("nightmare", "tiny.cfg", "one.png", "t*.png", "2", *options)
    assert made.exit_code == 0, made.output
    for name in ("one", "two"):
        assert (desk / f"{name}_tiny_2_000000.png").exists()
    assert run("redo", "two_tiny_2_000000.png", "-o", "again.png").exit_code == 0
    assert (desk / "again.png").read_bytes() == (desk / "two_tiny_2_000000.png").read_bytes()
    named = run(
        *("nightmare", "tiny.cfg", "tiny.weights", "one.png", "two.png", "2"),
        *(*options, "-o", "{stem}_dark.png"),
    )
    assert named.exit_code == 0, named.output
    assert (desk / "two_dark.png").exists()
    for words, said in (
        (("one.png", "one.png"), "another image has its name"),
        (("one.png", "no.png"), "no.png: is no picture"),
        (("n*.png", "one.png"), "n*.png: no file fits"),
        (("one.png", "two.png", "2", "--save-steps", "s.json"), "the steps of one image"),
        (("one.png", "two.png", "2", "-o", "same.png"), "has its name"),
    ):
        layer = () if "2" in words else ("0",)
        refused = run("nightmare", "tiny.cfg", *words, *layer, *options)
        assert refused.exit_code == 2
        assert said in refused.stderr


def test_a_nightmare_of_another_size(desk: Path, run: Run) -> None:
    words = [
        "nightmare",
        "tiny.cfg",
        "photo.v2.png",
        "2",
        "-iters",
        "1",
        "-octaves",
        "1",
        "--device",
        "cpu",
    ]
    with Image.open("photo.v2.png") as photo:
        width, height = photo.size
    for size, fit, expected in (
        ("50%", "crop", (round(width / 2), round(height / 2))),
        ("48x48", "pad", (48, 48)),
        ("48x48", "inside", (48, round(48 * height / width))),
    ):
        made = run(*words, "--size", size, "--fit", fit, "-o", "a.png", "--force")
        assert made.exit_code == 0, made.output
        with Image.open("a.png") as picture:
            assert picture.size == expected


def test_padding_keeps_the_whole_picture_and_mirrors_its_borders() -> None:
    image = torch.rand(3, 20, 30)
    padded = fit_image(image, (60, 60), "pad")
    assert padded.shape == (3, 30, 30)
    assert padded[:, 5:25].equal(image)
    assert padded[:, 4].equal(image[:, 1])
    narrow = fit_image(image, (10, 90), "pad")
    assert narrow.shape == (3, 20, 180)
    assert narrow[:, :, 75:105].equal(image)
    mask = torch.rand(20, 30)
    assert fit_mask(mask, (20, 30), (60, 60), "pad").shape == (30, 30)


def test_repeated_steps_are_taken_in_single_precision(desk: Path, run: Run) -> None:
    steps = [{"layer": 2, "dx": 0, "dy": 0, "flip": 0, "scale": 1}]
    (desk / "s.json").write_text(json.dumps(steps))
    words = [
        "nightmare",
        "tiny.cfg",
        "photo.v2.png",
        "2",
        "--steps",
        "s.json",
        "--device",
        "cpu",
        "-o",
        "a.png",
        "--force",
    ]
    assert run(*words).exit_code == 0
    assert recipes.read(desk / "a.png").options["precision"] == "fp32"
    single = (desk / "a.png").read_bytes()
    assert run(*words, "--precision", "bf16").exit_code == 0
    assert recipes.read(desk / "a.png").options["precision"] == "bf16"
    assert (desk / "a.png").read_bytes() != single


def test_several_recipes_are_checked_before_the_first_is_followed(desk: Path, run: Run) -> None:
    small = "size = '32x24'\niters = 1\noctaves = 1\ntile-size = 32\nnet = 'tiny.cfg'\n"
    Path("one.toml").write_text(f"command = 'draw'\nclass = 'goldfish'\nseed = 1\n{small}")
    Path("night.toml").write_text(
        "command = 'nightmare'\nwords = ['tiny.cfg', 'photo.v2.png', '0']\n"
    )
    before = set(desk.iterdir())
    same = run("run", "one.toml", "one.toml", "-o", "same.png")
    assert same.exit_code == 2
    assert "2 recipes would all be written to same.png" in same.stderr
    unfit = run("run", "one.toml", "night.toml", "--octave-scale", "2")
    assert unfit.exit_code == 2
    assert unfit.stderr.startswith("Error: night.toml: ")
    assert set(desk.iterdir()) == before
