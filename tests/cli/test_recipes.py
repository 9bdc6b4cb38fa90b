"""Recipes: stored in every picture and film, read again, and followed by `run` and `redo`."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_cli import QUICK, Run, desk, run, size_of

from lucid.cli import main
from lucid.errors import LucidError
from lucid.imaging import recipes
from lucid.imaging.files import FORMATS
from lucid.imaging.io import write_image
from lucid.imaging.metadata import metadata_options, read_metadata
from lucid.imaging.recipes import Recipe

pytestmark = pytest.mark.slow

__all__ = ["desk", "run"]

FILM = ("film", "--net", "tiny.cfg", "--class", "goldfish", "--frames", "2", "--iters", "1")
MOVING = (*FILM, "--octaves", "1", "--device", "cpu", "--seed", "1", "photo.v2.png")

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
plain = st.one_of(words, st.booleans(), st.integers(-(2**60), 2**60), st.floats(-1e9, 1e9))
KEPT = ("command", "made", "masks", "files", "manner")
options = st.dictionaries(words.filter(lambda key: key not in KEPT), plain)


def n_frames(file: Path | io.BytesIO) -> int:
    with Image.open(file) as image:
        return int(getattr(image, "n_frames", 1))


@pytest.mark.slow
@given(
    words,
    options,
    st.dictionaries(
        words.filter(lambda key: key not in KEPT), plain | st.dictionaries(words, plain)
    ),
)
def test_a_recipe_is_read_as_it_was_written(command: str, told: dict, made: dict) -> None:
    recipe = Recipe(command, told, made)
    text = recipe.toml()
    assert text.isascii()
    assert recipes.parse(text, "here") == recipe
    assert recipes.parse(recipe.json(), "here") == recipe


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tiff", "gif", "apng"])
def test_a_text_is_kept_in_every_format(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"picture.{ending}"
    text = 'command = "draw"\n' + "seed = 1\n" * 500
    picture = Image.linear_gradient("L").convert("RGB")
    if path.suffix in FORMATS:
        write_image(picture, path, text)
    else:
        kind = {"gif": "GIF", "apng": "PNG"}[ending]
        frames = [picture.rotate(90)]
        picture.save(
            path, kind, save_all=True, append_images=frames, **metadata_options(kind, text)
        )
    assert read_metadata(path) == text


def test_a_picture_without_a_text_has_none(desk: Path) -> None:
    assert read_metadata(desk / "photo.v2.png") is None
    with pytest.raises(LucidError, match=r"photo\.v2\.png: holds no recipe of lucid's"):
        recipes.read(desk / "photo.v2.png")


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp"])
def test_a_picture_is_made_again(desk: Path, run: Run, ending: str) -> None:
    """From what it says of itself come the same bytes; nothing is overwritten."""
    first = run(*QUICK, "photo.v2.png", "--tv", ".1", "-o", f"out.{ending}")
    assert first.exit_code == 0, first.output
    again = run("redo", f"out.{ending}")
    assert again.exit_code == 0, again.output
    assert f"wrote out_redo_0000.{ending} (seed" in again.output
    assert "not as it was" not in again.output
    same = (desk / f"out_redo_0000.{ending}").read_bytes()
    assert same == (desk / f"out.{ending}").read_bytes()


def test_what_was_left_open_is_filled_in(desk: Path, run: Run) -> None:
    assert run(*QUICK, "photo.v2.png", "-o", "out.png").exit_code == 0
    recipe = recipes.read(desk / "out.png")
    assert recipe.command == "draw"
    assert recipe.options["class"] == ["goldfish"]
    assert recipe.options["base"] == "photo.v2.png"
    assert recipe.options["overlap"] == 0.5
    assert recipe.options["precision"] in ("fp32", "bf16")
    assert type(recipe.options["seed"]) is int
    assert recipe.made["octaves"] == ["60x44, 1 passes"]
    assert recipe.made["config"]["canvas"] == "fourier"
    assert recipe.made["files"]["photo.v2.png"] == recipes.sha256_file(desk / "photo.v2.png")
    assert recipe.made["files"]["tiny.cfg"] == recipes.sha256_file(desk / "tiny.cfg")
    assert len(recipe.made["weights"]) == 64
    assert "output" not in recipe.options


def test_a_picture_is_made_again_with_changes(desk: Path, run: Run) -> None:
    assert run(*QUICK, "--size", "40x30", "--seed", "3", "-o", "out.png").exit_code == 0
    changes = ("--size", "50x40", "--class", "tench", "--class", "tiger cat", "-o", "new.png")
    result = run("redo", "out.png", *changes)
    assert result.output == "painting tench (1) and tiger cat (4)\nwrote new.png (seed 3)\n"
    assert size_of(desk / "new.png") == (50, 40)
    assert recipes.read(desk / "new.png").options["class"] == ["tench", "tiger cat"]
    on_a_base = run("redo", "out.png", "photo.v2.png", "--size", "60x44", "-o", "based.png")
    assert on_a_base.exit_code == 0, on_a_base.output
    assert recipes.read(desk / "based.png").options["base"] == "photo.v2.png"


def test_what_is_not_as_it_was_is_said(desk: Path, run: Run) -> None:
    assert run(*QUICK, "photo.v2.png", "-o", "out.png").exit_code == 0
    Image.new("RGB", (60, 44), "red").save(desk / "photo.v2.png")
    weights = bytearray((desk / "tiny.weights").read_bytes())
    weights[-4:] = b"\0\0\0\0"
    (desk / "tiny.weights").write_bytes(weights)
    said = run("redo", "out.png", "--count", "2").output
    assert said.count("not as it was: photo.v2.png is another file now\n") == 1
    assert said.count("not as it was: the net has other weights\n") == 1


def test_stages_and_sheets_have_recipes(desk: Path, run: Run) -> None:
    words = ("--seed", "3", "--octaves", "2", "--save-every", "1", "--count", "2")
    assert run(*QUICK, *words, "-o", "out.png").exit_code == 0
    assert recipes.read("out_seed4_pass00001.png").made["passes"] == 1
    said = run("redo", "out_seed4_pass00001.png").output
    assert said.count("not as it was: that was after 1 passes, this is whole\n") == 1
    single, sheet = recipes.read(desk / "out_seed4.png"), recipes.read(desk / "out.png")
    assert (single.options["seed"], single.options["count"]) == (4, 1)
    assert (sheet.options["seed"], sheet.options["count"]) == (3, 2)
    assert run("redo", "out.png").exit_code == 0
    assert (desk / "out_redo_0000.png").read_bytes() == (desk / "out.png").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".gif", ".webp", ".apng", ".mp4"])
def test_a_film_is_made_again(desk: Path, run: Run, ending: str) -> None:
    if ending == ".mp4":
        pytest.importorskip("av")
    warps = ("--warp", "zoom:.05", "--warp", "rotate:1", "--at", "1", "zoom=.1")
    first = run(*MOVING, *warps, "-o", f"film{ending}")
    assert first.exit_code == 0, first.output
    beside = recipes.read(desk / f"film{ending}.json")
    assert beside.options["warp"] == ["zoom:.05", "rotate:1"]
    assert beside.options["at"] == [["1", "zoom=.1"]]
    assert recipes.read(desk / f"film{ending}") == beside
    if ending != ".mp4":
        kept = read_metadata(desk / f"film{ending}")
        assert recipes.parse(kept or "", "film") == beside
    again = run("redo", f"film{ending}")
    assert again.exit_code == 0, again.output
    same = (desk / f"film_redo_0000{ending}").read_bytes()
    assert same == (desk / f"film{ending}").read_bytes()


def test_a_folder_of_frames_is_made_again(desk: Path, run: Run) -> None:
    assert run(*MOVING, "-o", "frames").exit_code == 0
    assert recipes.read(desk / "frames").options["frames"] == 2
    assert recipes.read(desk / "frames" / "frame_000001.png").command == "film"
    assert run("redo", "frames").exit_code == 0
    for name in ("frame_000000.png", "frame_000001.png", "film.json"):
        one, other = ((desk / folder / name) for folder in ("frames", "frames_redo_0000"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("more", ["-range 2 -zoom .9", "-reconstruct -momentum .5", "--grey .1"])
def test_a_nightmare_is_made_again(desk: Path, run: Run, more: str) -> None:
    words = f"nightmare tiny.cfg tiny.weights photo.v2.png 1 -iters 1 -rounds 2 {more}"
    assert run(*words.split()).exit_code == 0
    name = "photo_tiny_1_000001.png"
    assert recipes.read(desk / name).made["round"] == 1
    again = run("redo", name)
    assert again.exit_code == 0, again.output
    same = (desk / "photo_tiny_1_000001_redo_0000" / name).read_bytes()
    assert same == (desk / name).read_bytes()


@pytest.mark.slow
def test_a_sheet_of_layers_is_made_again(desk: Path, run: Run) -> None:
    words = ("layers", "tiny.cfg", "--sheet", "photo.v2.png", "--device", "cpu")
    assert run(*words, "-o", "sheet.png").exit_code == 0
    assert run("redo", "sheet.png").exit_code == 0
    assert (desk / "sheet_redo_0000.png").read_bytes() == (desk / "sheet.png").read_bytes()


def test_what_is_painted_on_disk_has_a_recipe(desk: Path, run: Run) -> None:
    assert run(*QUICK, "--size", "50x40", "--on-disk", "-o", "out.png").exit_code == 0
    recipe = recipes.read(desk / "out.png")
    assert recipe.options["on-disk"] is True
    assert recipe.made["config"]["canvas"] == "pixels"
    assert run("redo", "out.png").exit_code == 0
    assert (desk / "out_redo_0000.png").read_bytes() == (desk / "out.png").read_bytes()


def test_a_recipe_written_by_hand_is_followed(desk: Path, run: Run) -> None:
    """Files that it names are looked for beside it, too."""
    folder = desk / "recipes"
    folder.mkdir()
    for name in ("tiny.cfg", "tiny.weights", "tiny.names", "photo.v2.png"):
        shutil.move(desk / name, folder / name)
    Image.linear_gradient("L").save(folder / "mask.png")
    (folder / "mine.toml").write_text(
        """
        command = "draw"
        net = "tiny.cfg"
        base = "photo.v2.png"
        class = ["goldfish:2@mask.png", "tench@.2,.5"]
        tile-size = 32
        octaves = 1
        iters = 1
        seed = 4
        keep-colors = true
        """
    )
    result = run("run", "recipes/mine.toml", "-o", "out.png", "--strength", ".5")
    assert result.output == "painting goldfish (0) and tench (1)\nwrote out.png (seed 4)\n"
    assert recipes.read(desk / "out.png").options["strength"] == 0.5
    assert recipes.read(desk / "out.png").options["keep-colors"] is True
    assert run("run", "recipes/mine.toml", "-o", "out.png").exit_code == 2, "it is there already"


def test_show_says_what_run_takes(desk: Path, run: Run) -> None:
    assert run(*QUICK, "--size", "40x30", "-o", "out.png").exit_code == 0
    shown = run("show", "out.png").output
    (desk / "again.toml").write_text(shown)
    assert run("run", "again.toml", "-o", "again.png").exit_code == 0
    assert (desk / "again.png").read_bytes() == (desk / "out.png").read_bytes()
    as_json = run("show", "out.png", "--json").output
    assert recipes.parse(as_json, "it") == recipes.parse(shown, "it")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'command = "paint"',
            "r.toml: command 'paint' is not draw, explain, film, layers, nightmare, sheet",
        ),
        ('command = "draw"\nclas = "x"', "r.toml: `lucid draw` has no option 'clas'; the near"),
        ("command", "r.toml: is not TOML ("),
        ("seed = 3", 'r.toml: a recipe says what to run: command = "draw"'),
        ('{"command": 3}', 'r.toml: a recipe says what to run: command = "draw"'),
        ('command = "draw"\nclass = "goldfish"\nsize = "big"', "'big' is not a size in pixels"),
        ('command = "draw"\nclass = "unicorn"\nnet = "tiny.cfg"', "tiny has no class 'unicorn'"),
    ],
)
def test_what_cannot_be_followed_says_why(desk: Path, run: Run, text: str, message: str) -> None:
    (desk / "r.toml").write_text(text)
    before = sorted(desk.iterdir())
    result = run("run", "r.toml")
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert sorted(desk.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("show no.png", "no.png: cannot be read (No such file"),
        ("redo photo.v2.png", "photo.v2.png: holds no recipe of lucid's"),
        ("redo no.mp4", "no.mp4: holds no recipe of lucid's (there is no such file)"),
        ("run no.toml", "no.toml: cannot be read (No such file"),
    ],
)
def test_where_there_is_no_recipe(desk: Path, run: Run, words: str, message: str) -> None:
    result = run(*words.split())
    assert result.exit_code == 1
    assert message in result.output


def test_an_unknown_change_is_refused(desk: Path, run: Run) -> None:
    assert run(*QUICK, "--size", "40x30", "-o", "out.png").exit_code == 0
    result = run("redo", "out.png", "--sise", "3x3")
    assert result.exit_code == 2
    assert "No such option" in result.output
    assert "--sise" in result.output


def test_several_bases_and_patterns(desk: Path, run: Run) -> None:
    for name in ("one", "two"):
        shutil.copy(desk / "photo.v2.png", desk / f"{name}.png")
    result = run(*QUICK, "one.png", "t*.png", "--seed", "3", "-o", "{stem}-dream.png")
    assert result.output == (
        "painting goldfish (0)\nwrote one-dream.png (seed 3)\nwrote two-dream.png (seed 3)\n"
    )
    assert recipes.read(desk / "two-dream.png").options["base"] == "two.png"
    numbered = run(*QUICK, "one.png", "two.png", "--seed", "3")
    assert "wrote one_goldfish_0000.png (seed 3)\nwrote two_gold" in numbered.output
    films = run(*MOVING[:-1], "one.png", "two.png", "-o", "{stem}.gif")
    assert films.exit_code == 0, films.output
    assert n_frames(desk / "two.gif") == 2
    for words, message in {
        ("one.png", "two.png", "-o", "a.png"): "a.png would be written more than once",
        ("x*.png",): "x*.png: no file fits",
    }.items():
        refused = run(*QUICK, *words)
        assert refused.exit_code == 2
        assert message in refused.output


def test_a_picture_goes_through_a_pipe(desk: Path) -> None:
    words = [*QUICK, "-", "--seed", "3", "-o", "-"]
    given = (desk / "photo.v2.png").read_bytes()
    result = CliRunner().invoke(main, words, input=given)
    assert result.exit_code == 0
    assert size_of(io.BytesIO(result.stdout_bytes)) == (60, 44)
    again = CliRunner().invoke(main, [*QUICK, "photo.v2.png", "--seed", "3", "-o", "file.png"])
    assert again.exit_code == 0
    with Image.open(io.BytesIO(result.stdout_bytes)) as piped:
        assert piped.tobytes() == Image.open(desk / "file.png").tobytes()
    film = CliRunner().invoke(main, [*MOVING[:-1], "-", "-o", "-"], input=given)
    assert n_frames(io.BytesIO(film.stdout_bytes)) == 2
    assert "film_0000.gif" not in [path.name for path in desk.iterdir()]


def test_no_color_is_heeded(desk: Path) -> None:
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        result = CliRunner().invoke(main, ["show", "no.png"], env=environment, color=True)
        assert ("\x1b[31m" in result.output) == coloured


def test_what_comes_through_a_pipe_is_known_for_what_it_is(desk: Path, run: Run) -> None:
    assert run(*QUICK, "--size", "40x30", "-o", "out.png").exit_code == 0
    shown = CliRunner().invoke(main, ["show", "-"], input=(desk / "out.png").read_bytes())
    assert shown.output == run("show", "out.png").output
    assert run(*MOVING, "-o", "film.gif").exit_code == 0
    words = [*MOVING[:-3], "--seed", "1", "--no-flow", "-", "-o", "over.gif"]
    over = CliRunner().invoke(main, words, input=(desk / "film.gif").read_bytes())
    assert over.output == "painting goldfish (0)\nwrote over.gif (2 frames, seed 1)\n"
    words = [*QUICK, "-", "--seed", "1", "-o", "piped.png"]
    given = (desk / "photo.v2.png").read_bytes()
    assert CliRunner().invoke(main, words, input=given).exit_code == 0
    recipe = recipes.read(desk / "piped.png")
    assert recipe.made["files"]["-"] == recipes.sha256_file(desk / "photo.v2.png")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-o - --count 2", "-o - takes one picture: leave --count out"),
        ("-o - --save-every 1", "-o - takes one picture: leave --save-every out"),
        ("-o - --on-disk", "-o - takes one picture: leave --on-disk out"),
        ("-o - photo.v2.png one.png", "-o - takes one picture: leave several bases out"),
        ("-o {stem}.png --resume photo.v2.png one.png", "--resume goes on with one at a time"),
        (
            "-o {stem}-x.png one.png one-x_seed3.png --count 2 --seed 3",
            "would be written more than once",
        ),
        ("-o there.bmp", "there.bmp.json exists: give --force to overwrite it"),
    ],
)
def test_nothing_is_lost(desk: Path, run: Run, words: str, message: str) -> None:
    for name in ("one", "one_seed3", "one-x_seed3"):
        shutil.copy(desk / "photo.v2.png", desk / f"{name}.png")
    (desk / "there.bmp.json").write_text("mine")
    if "more than once" in message:
        words = words.replace("one-x_seed3.png", "one_seed3.png").replace("{stem}-x", "{stem}")
        words += " --force"
    before = {path: path.read_bytes() for path in desk.iterdir()}
    result = run(*QUICK, *words.split())
    assert result.exit_code == 2
    assert message in result.output
    assert {path: path.read_bytes() for path in desk.iterdir()} == before


def test_a_recipe_too_long_for_the_file_stands_beside_it(desk: Path) -> None:
    recipe = Recipe("draw", {"class": ["goldfish"], "path": ".1,.5 .9,.5 " * 9000})
    recipes.write_picture(Image.new("RGB", (8, 8)), desk / "long.jpg", recipe)
    assert recipes.read(desk / "long.jpg") == recipe
    assert (desk / "long.jpg.json").exists()


def test_a_recipe_of_version_0_1_is_read() -> None:
    """Its drawings have the table `made.manner`, which is called `made.config` now."""
    text = 'command = "draw"\nclass = ["goldfish"]\n\n[made.manner]\ncanvas = "pixels"\n'
    recipe = recipes.parse(text, "it")
    assert recipe.options == {"class": ["goldfish"]}
    assert recipe.made == {"config": {"canvas": "pixels"}}


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), "\udcff name"])
def test_a_recipe_can_be_read_whatever_stands_in_it(odd: object) -> None:
    text = Recipe("draw", {"tv": odd}).toml()
    assert recipes.parse(text, "it").command == "draw"


def test_other_programs_texts_are_no_recipes(desk: Path, run: Run) -> None:
    Image.new("RGB", (8, 8)).save(desk / "gimp.gif", comment=b"Created with GIMP")
    assert "gimp.gif: holds no recipe of lucid's" in run("show", "gimp.gif").output
    assert run(*QUICK, "--size", "40x30", "-o", "out.png").exit_code == 0
    (desk / "out.png.json").write_text('{"somebody": "else"}')
    assert run("show", "out.png").exit_code == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('keep-colors = "yes"', "r.toml: keep-colors = 'yes' must be true or false"),
        ("when = 2020-01-01", "r.toml: holds a date: write it as a text"),
        ("[made]\nfiles = 3", "r.toml: made.files is no table"),
    ],
)
def test_a_setting_of_the_wrong_kind(desk: Path, run: Run, line: str, message: str) -> None:
    (desk / "r.toml").write_text(f'command = "draw"\nclass = "goldfish"\nnet = "tiny.cfg"\n{line}')
    result = run("run", "r.toml")
    assert (result.exit_code, message in result.output) == (1, True), result.output


@pytest.mark.parametrize("key", ['[60, "zoom=1"]', "[[1]]", '["x"]'])
def test_a_key_frame_is_two_words(desk: Path, run: Run, key: str) -> None:
    (desk / "r.toml").write_text(f'command = "film"\nclass = "goldfish"\nat = {key}\n')
    assert "r.toml: at must be lists of 2 in a list" in run("run", "r.toml").output


def test_a_strangers_picture_runs_no_code(desk: Path, run: Run) -> None:
    """Nor does it say where to write."""
    (desk / "w.py").write_text("open('it ran', 'w')\n")
    told = Recipe("film", {"class": "goldfish", "warps": "w.py", "output": "x.gif"})
    recipes.write_picture(Image.new("RGB", (8, 8)), desk / "nice.png", told)
    result = run("redo", "nice.png")
    assert "nice.png: was made with Python code in w.py: if you trust it" in result.output
    assert not (desk / "it ran").exists()
    told = Recipe("draw", {"net": "tiny.cfg", "class": "goldfish", "output": "x.png", "iters": 1})
    recipes.write_picture(Image.new("RGB", (8, 8)), desk / "nice.png", told)
    again = run("redo", "nice.png", "--octaves", "1", "--size", "40x30")
    assert "wrote nice_redo_0000.png" in again.output


def test_a_frame_and_its_folder_are_made_again(
    desk: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*MOVING, "-o", "frames").exit_code == 0
    assert "wrote frames/frame_000001_redo_0000 (2" in run("redo", "frames/frame_000001.png").output
    assert "frames_redo_0000 (2" in run("redo", "frames/film.json").output
    monkeypatch.chdir(desk / "frames")
    assert run("show", ".").output == run("show", "film.json").output


def test_a_nightmare_is_changed_by_what_is_typed(desk: Path, run: Run) -> None:
    """Its recipe names options that mean nothing beside the new ones."""
    words = "nightmare tiny.cfg photo.v2.png 1 -iters 1 -rounds 2 -rotate .1"
    assert run(*words.split()).exit_code == 0
    name = "photo_tiny_1_000001.png"
    turned = run("redo", name, "--rotate-degrees", "30", "-prefix", "turned")
    assert turned.exit_code == 0, turned.output
    assert (desk / "turned" / name).read_bytes() != (desk / name).read_bytes()
    rebuilt = run("redo", name, "-reconstruct", "-prefix", "rebuilt")
    assert rebuilt.exit_code == 0, rebuilt.output
    refused = run("redo", name, "-reconstruct", "-range", "2")
    assert "-range means nothing beside -reconstruct" in refused.output


def test_masks_are_among_the_files(desk: Path, run: Run) -> None:
    Image.linear_gradient("L").save(desk / "mask.png")
    words = ("draw", "--net", "tiny.cfg", "--class", "tench:2@mask.png", "--iters", "1")
    assert run(*words, "--octaves", "1", "--size", "40x30", "-o", "out.png").exit_code == 0
    found = recipes.read(desk / "out.png").made["files"]
    assert found["mask.png"] == recipes.sha256_file(desk / "mask.png")


def test_a_bad_base_is_found_before_the_first_film(desk: Path, run: Run) -> None:
    result = run(*MOVING, "nope.png", "-o", "{stem}.gif")
    assert "nope.png: cannot be read (No such" in result.output
    assert not (desk / "photo.v2.gif").exists()


def test_a_changed_file_is_noticed_from_elsewhere(desk: Path, run: Run) -> None:
    folder = desk / "kept"
    folder.mkdir()
    assert run(*QUICK, "photo.v2.png", "-o", "kept/out.png").exit_code == 0
    (desk / "photo.v2.png").unlink()
    Image.new("RGB", (60, 44), "red").save(folder / "photo.v2.png")
    said = run("redo", "kept/out.png").output
    assert "not as it was: kept/photo.v2.png is another file now\n" in said
