"""Words in the wrong place, and names that are no classes: the one line that says what is meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import CLASS_NAMES, CLASSIFIER, write_net
from PIL import Image

from lucid.cli import main


def run(line: str) -> Result:
    return CliRunner().invoke(main, line.split(" "))


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "dog.png")
    write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("draw goldfish", "there is no picture goldfish: did you mean --class goldfish?"),
        ("film cats", "there is no picture cats: did you mean --class cats?"),
        ("draw Persian cat", 'no picture Persian cat: did you mean --class "Persian cat"?'),
        ("draw --class golden retriever", 'did you mean --class "golden retriever"?'),
        ("draw --class tiger cat", 'did you mean --class "tiger cat"?'),
        (
            "draw dog.png --class lion --mask cenre",
            "'cenre' is neither a picture nor top, bottom, left",
        ),
        ("draw nothing.png --class lion", "nothing.png: cannot be read"),
        ("classify dog.png lucid64", "dog.png stands where the net should"),
        ("nightmare dog.png lucid64 8", "dog.png stands where the net should"),
        ("nightmare lucid64 dog.png 8 9", "NET IMAGE… LAYER. For several layers"),
        ("draw --class lion --width 512", "there is no option --width: give --size"),
        ("film --class lion --fps=25 --delay 4", "--fps and --delay say the same"),
        ("draw --class lion --seed abc", "'abc' is not a whole number, such as 7"),
        ("draw --class lion --size 5e", "such as 640x480"),
        ("draw --class lion --size 50%", "a size in percent needs a picture"),
        ("film --class lion --at 20 clas=tabby", "there is no key 'clas'; the nearest are class"),
        ("film --class lion --warp zom:.1", "there is no warp 'zom'; the nearest is zoom"),
        ("draw --class lion --net lucid65", "there is no net 'lucid65'; the nearest are lucid"),
        ("draw --class octopus", "no class 'octopus'; the nearest are jellyfish (12), sea slug"),
        ("draw --class flower", "Try --net lucid1000, which has daisy, yellow lady's slipper"),
        ("draw --class whale", "Try --net lucid1000, which knows it"),
        ("draw --class dgo", "the nearest are dogs, goose"),
        ("draw --class face", "no class 'face'"),
        ("classify dog.png", "dog.png is a picture, and no net stands before"),
        ("classify lucid64", "lucid64 is a net without a picture"),
        ("nightmare lucid64 dog.png", "`lucid layers NET` lists"),
        ("classes lucid64 octopus", "'octopus' in its name; the nearest are jellyfish (12)"),
    ],
)
def test_a_word_in_the_wrong_place_is_understood(line: str, message: str) -> None:
    result = run(line)
    assert result.exit_code in (1, 2)
    assert len(result.output.splitlines()) == 1
    assert message.lower() in result.output.lower()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("cat", "one of 3 cats: tabby (20), Persian cat (21), lion (22)"),
        ("lions", "lion (22)"),
        ("a_lion", "lion (22)"),
        ("retriever", "golden retriever (19)"),
        ("19", "golden retriever (19)"),
    ],
)
def test_what_was_understood_is_said(name: str, what: str, desk: Path) -> None:
    few = "--size 24x24 --octaves 1 --iters 1 --tile-size 24 --device cpu"
    result = run(f"draw --class {name} {few} -o a.png")
    assert result.output.splitlines()[0] == f"painting {what}"
    assert "painting" not in run(f"draw --class {name} {few} -o b.png --quiet").output


@pytest.mark.slow
def test_a_film_says_what_it_paints(desk: Path) -> None:
    few = "--frames 1 --size 24x24 --octaves 1 --iters 1 --tile-size 24 --device cpu"
    result = run(f"film --class lions --at 5 class=cat {few} -o a.gif")
    assert result.output.startswith("painting lion (22) and one of 3 cats: tabby (20)")


def test_recipes_of_old_versions_may_name_any_part_of_a_class(desk: Path) -> None:
    lines = ["class = ['reat white:2', 'tiger c', 'goldfish@.5,.5,20']", "net = 'tiny.cfg'"]
    lines += ["size = '24x24'", "iters = 1", "octaves = 1", "tile-size = 24", "device = 'cpu'"]
    recipe = "\n".join(["command = 'draw'", *lines, "output = 'a.png'"])
    (desk / "new.toml").write_text(recipe)
    assert "no class 'reat white'" in run("run new.toml").output
    (desk / "old.toml").write_text(f"{recipe}\n[made]\nlucid = '0.2.0'\n")
    result = run("run old.toml")
    painted = "painting great white shark (2) and tiger cat (4) and goldfish (0)"
    assert result.output.splitlines()[0] == painted
