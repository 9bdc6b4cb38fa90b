"""``lucid album`` as it is typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tomllib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from album_tasks import check_whole
from click.testing import CliRunner, Result
from conftest import CLASS_NAMES, CLASSIFIER, LUCID, write_net
from PIL import Image

from lucid.albums.album import Album
from lucid.albums.store import Store
from lucid.albums.task import Task
from lucid.cli import main
from lucid.imaging.video import Footage

pytestmark = pytest.mark.slow

NET = ("--net", "tiny.cfg", "--size", "32x32", "--iters", "1", "--octaves", "1")


def lucid(*words: str) -> Result:
    return CliRunner().invoke(main, [*words], env={"OMP_NUM_THREADS": "1"})


def album(*words: str, code: int = 0) -> Result:
    result = lucid("album", *words)
    assert result.exit_code == code, result.output
    return result


def tasks(folder: str) -> list[Task]:
    return [*Album(Store(folder)).tasks()]


def test_an_album_has_the_bytes_that_draw_writes(desk: Path) -> None:
    said = album("--classes", "goldfish,tiger cat", "--seeds", "0-1", *NET, "-o", "fish")
    assert "4 of 4 pictures are in fish (4 painted now" in said.output
    found = {task.caption: task for task in tasks("fish")}
    assert [*found] == [
        *("goldfish, seed 0", "goldfish, seed 1", "tiger cat, seed 0", "tiger cat, seed 1"),
    ]
    lucid("draw", "--class", "tiger cat", "--seed", "1", *NET, "-o", "one.png")
    painted = (desk / "fish" / found["tiger cat, seed 1"].name).read_bytes()
    assert painted == (desk / "one.png").read_bytes()
    check_whole(Album(Store("fish")))

    again = album("fish", "--workers", "2")
    assert "4 of 4 pictures are in fish (0 painted now)" in again.output


def test_workers_paint_the_same_bytes(desk: Path) -> None:
    words = ("--classes", "all", "--each", "photo.png", *NET)
    album(*words, "-o", "one")
    album(*words, "-o", "two", "--workers", "2")
    one, two = ([*Album(Store(folder)).entries()] for folder in ("one", "two"))
    assert len(one) == len(CLASS_NAMES)
    assert [record.files for _, record in one] == [record.files for _, record in two]


def test_a_description_and_its_options(desk: Path) -> None:
    (desk / "set").mkdir()
    for name in ("a.png", "b.png"):
        (desk / "set" / name).write_bytes((desk / "photo.png").read_bytes())
    (desk / "set" / "album.toml").write_text(
        'net = "tiny.cfg"\nclass = "tench"\niters = 1\noctaves = 1\nsize = "32x32"\n'
        '[axes]\nbase = "*.png"\nstrength = [0.5, 1]\n'
    )
    album("set/album.toml", "--class", "goldfish", "--vary", "overlap=0,.25", "-o", "out")
    found = tasks("out")
    # Both photographs are the same file: a key follows from what is in it, not from its name.
    assert len(found) == 4
    assert found[0].axes == {"base": "a", "strength": "0.5", "overlap": "0"}
    assert found[0].caption == "a, strength 0.5, overlap 0"
    assert found[0].options["class"] == ["goldfish"]
    assert [*found[0].files] == ["tiny.cfg", "set/a.png"]
    described = tomllib.loads((desk / "out" / "album.toml").read_text())
    assert described["axes"] == {"base": "*.png", "strength": [0.5, 1], "overlap": "0,.25"}
    assert len([*(desk / "out").glob("files/*/*.png")]) == 4


def test_a_folder_of_pictures_is_an_axis(desk: Path) -> None:
    (desk / "set").mkdir()
    for name in ("a.png", "b.png", "notes.txt"):
        (desk / "set" / name).write_bytes((desk / "photo.png").read_bytes())
    album("set", "--class", "tench", *NET, "-o", "one")
    album("--each", "set", "--class", "tench", *NET, "-o", "two")
    assert [task.caption for task in tasks("one")] == ["a"]  # b is the same picture
    assert tasks("one") == tasks("two")


def test_keys_do_not_depend_on_how_or_where_things_are_typed(desk: Path) -> None:
    first = ("--class", "goldfish", *NET)
    album(*first, "--strength", "1.50", "--device", "cpu", "-o", "a")
    album(*first, "--vary", "strength=1.5", "--overlap", ".5", "--seed", "0", "-o", "b")
    assert [task.key for task in tasks("a")] == [task.key for task in tasks("b")]
    write_net(desk, CLASSIFIER.replace("filters=12", "filters=13"), names=CLASS_NAMES)
    album(*first, "--strength", "1.5", "-o", "c")
    assert tasks("c")[0].key != tasks("a")[0].key


def test_what_is_missing_is_painted_and_no_more(desk: Path) -> None:
    words = ("--class", "goldfish", *NET, "-o", "a")
    album(*words, "--seeds", "0-1")
    refused = album(*words, "--seeds", "0-3", code=2)
    assert (
        "a: holds another album, whose axes differ: give another -o, or --change" in refused.output
    )
    said = album(*words, "--seeds", "1-3", "--change")
    assert "3 of 3 pictures are in a (2 painted now" in said.output
    assert len([*(desk / "a").glob("files/*/*.png")]) == 4


def test_a_picture_that_fails_is_listed_and_can_be_tried_again(desk: Path) -> None:
    (desk / "bad.png").write_bytes(b"\x89PNG nothing")
    said = album("--each", "*.png", "--class", "tench", *NET, "-o", "a", code=3)
    assert "1 of 2 pictures" in said.output
    assert "failed: bad: bad.png: is not an image that can be read" in said.output
    assert "lucid album a --retry-failed tries again" in said.output
    bad = next(task for task in tasks("a") if task.caption == "bad")
    assert len([*(desk / "a" / "failed" / bad.key).iterdir()]) == 3
    assert album("a", code=3).output.count("failed: bad") == 1
    (desk / "bad.png").write_bytes((desk / "photo.png").read_bytes())
    still = album("a", "--retry-failed", code=3)
    assert "bad.png: is another file than when the album was described" in still.output
    album("--each", "*.png", "--class", "tench", *NET, "-o", "a", "--change")


def test_films_nightmares_and_sheets(desk: Path) -> None:
    film = ("--command", "film", "--class", "goldfish", *NET, "--frames", "2", "--suffix", "gif")
    album(*film, "--seeds", "0-1", "-o", "films")
    assert [Footage(path).count for path in (desk / "films").glob("files/*/*.gif")] == [2, 2]
    assert album("films", "--retry-failed").exit_code == 0

    words = ("--command", "nightmare", "--net", "tiny.cfg", "--each", "photo.png", "--iters", "1")
    album(*words, "--octaves", "1", "--vary", "layer=0,2", "-o", "nights")
    lucid(
        "nightmare", "tiny.cfg", "photo.png", "2", "--iters", "1", "--octaves", "1", "-o", "n.png"
    )
    second = tasks("nights")[1]
    assert second.axes == {"base": "photo", "layer": "2"}
    assert (desk / "nights" / second.name).read_bytes() == (desk / "n.png").read_bytes()

    sheet = ("--command", "sheet", "--net", "tiny.cfg", "--iters", "1", "--size", "32")
    album(*sheet, "--vary", "layer=0,2", "--channels", "0-1", "-o", "sheets")
    assert len([*(desk / "sheets").glob("files/*/*")]) == 2


def test_scenes_are_joined_to_one_film(desk: Path) -> None:
    (desk / "film.toml").write_text(
        'command = "film"\nnet = "tiny.cfg"\nsize = "32x32"\niters = 1\noctaves = 1\n'
        'frames = 6\nfps = 20\nsuffix = ".apng"\ndissolve = 2\n'
        '[[scenes]]\nclass = "goldfish"\n[[scenes]]\nclass = "tench"\nbase = "photo.png"\n'
        '[[scenes]]\nclass = "tiger cat"\nframes = 4\nat = [["2", "class=tench"]]\n'
    )
    said = album("film.toml", "-o", "long", "--workers", "2")
    assert "wrote long/film.apng" in said.output
    film = Footage(desk / "long" / "film.apng")
    assert (film.count, film.delay) == (6 + 6 + 4 - 2 * 2, Fraction(5))
    frames = [*film]
    first, second = ([*Footage(desk / "long" / task.name)] for task in tasks("long")[:2])
    assert frames[0].tobytes() == first[0].tobytes()
    assert frames[4].tobytes() == Image.blend(first[4], second[0], 1 / 3).tobytes()
    assert frames[6].tobytes() == second[2].tobytes()
    text = (desk / "film.toml").read_text()
    (desk / "film.toml").write_text(text.replace("dissolve = 2", "dissolve = 3"))
    short = album("film.toml", "-o", "long", "--change", code=2)
    assert "scene 3: 4 frames are too few for dissolves of 3" in short.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--classes", "goldfsh"), "has no class 'goldfsh'; the nearest are goldfish"),
        (("--class", "goldfsh"), "has no class 'goldfsh'; the nearest are goldfish"),
        (("--vary", "strenth=1,2"), "the axis strenth is no option of lucid draw; the nearest"),
        (("--vary", "strength=1,a"), "the axis strength = a: 'a' is not a valid number"),
        (("--vary", "strength"), "--vary strength: write NAME=VALUES"),
        (("--seeds", "0-x"), "seed = '0-x' is no list of whole numbers and ranges"),
        (("--seeds", "3-1"), "seed = '3-1' is no list of whole numbers and ranges"),
        (("--class", "tench", "--seeds", "0-999999999"), "1,000,000,000 pictures: give --yes"),
        (("--each", "none*.jpg"), "base = 'none*.jpg': no file fits"),
        (("--each", "none.jpg"), "none.jpg: there is no such picture"),
        (("--count", "3"), "count: each task of an album is one picture or film"),
        (("--preview",), "preview says where to write or what to print"),
        (("-iters", "3"), "-iters: give two dashes, --iters"),
        (("--suffix", "xyz"), "suffix .xyz is none of .png"),
        (("--objective", "mine.py:mine"), "an album runs no Python of your own"),
        (("--vary", "net=lucid64,evil.py:f"), "net = evil.py:f: an album runs no Python"),
        (("--each", "notes.toml"), "notes.toml: a description comes first"),
        (("--classes", "all", "--each", "missing"), "missing: there is no such picture"),
        (("--itres", "3"), "No such option '--itres'. (Did you mean"),
        (("no.toml",), "no.toml"),
    ],
)
def test_bad_input_is_one_line(desk: Path, words: tuple[str, ...], message: str) -> None:
    result = lucid("album", *words, "--net", "tiny.cfg", "-o", "a")
    assert result.exit_code in (1, 2), result.output
    assert message in result.output
    assert not (desk / "a").exists()


def test_folders_that_are_no_albums(desk: Path) -> None:
    assert "an album needs a folder: give -o" in album("--class", "tench", code=2).output
    (desk / "empty").mkdir()
    assert "empty: holds no album" in album("empty", code=1).output
    album("--class", "tench", *NET, "-o", "a")
    refused = album("a", "--seeds", "3", code=2)
    assert "--seeds: this album has its description" in refused.output
    (desk / "broken.toml").write_text("a = = 1")
    assert "broken.toml: is not TOML" in album("broken.toml", "-o", "b", code=1).output
    (desk / "scenes.toml").write_text("[[scenes]]\nclass = 'tench'\n")
    (desk / "axes.toml").write_text("axes = 3\n")
    assert "axes.toml: axes is no table" in album("axes.toml", "-o", "b", code=2).output
    assert "scenes are those of one film" in album("scenes.toml", "-o", "b", code=2).output


def test_no_description_runs_python(desk: Path) -> None:
    (desk / "evil.py").write_text("open('ran', 'w')\nf = None\n")
    (desk / "evil.pt").write_bytes(b"a saved program")
    for text in (
        'net = "evil.py:f"\n[axes]\nclass = "tench"\n',
        'net = "evil.pt"\n[axes]\nclass = "tench"\n',
        'command = "nightmare"\nnet = "evil.py:f"\nbase = "photo.png"\nlayer = 2\n',
        'command = "sheet"\n[axes]\nnet = ["evil.py:f"]\nlayer = [2]\n',
        'command = "film"\n[[scenes]]\nclass = "tench"\nnet = "evil.py:f"\n',
    ):
        (desk / "evil.toml").write_text(text)
        refused = album("evil.toml", "-o", "b", code=2)
        assert "an album runs no Python of your own" in refused.output, refused.output
    assert not (desk / "ran").exists()
    assert not (desk / "b").exists()


def test_a_manifest_of_a_stranger_cannot_read_elsewhere(desk: Path) -> None:
    album("--class", "tench", *NET, "-o", "a")
    line = json.loads((desk / "a" / "manifest.jsonl").read_text())
    line["options"]["base"] = [str(desk / "photo.png")]
    line["key"] = "0" * 32
    (desk / "a" / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    assert "photo.png, of which the manifest has no hash" in album("a", code=3).output


def test_odd_descriptions(desk: Path) -> None:
    said = {
        "base = []\nclass = 'tench'\nnet = 'tiny.cfg'\nsize = 32\niters = 1\n": 0,
        "base = [1]\nclass = 'tench'\n": 1,
        "net = ','\nclass = 'tench'\n": 2,
        "class = 'tench'\nnet = 'tiny.cfg'\n[axes]\nseed = '0-999999999999999999,0-9'\n": 2,
        "net = 'tiny.cfg'\n": 2,
        "strength = [1, 2]\nclass = 'tench'\nnet = 'tiny.cfg'\n": 2,
    }
    for number, (text, code) in enumerate(said.items()):
        (desk / "odd.toml").write_text(text)
        result = lucid("album", "odd.toml", "-o", f"o{number}")
        assert result.exit_code == code, result.output
        assert (desk / f"o{number}").exists() == (code == 0)
    assert "there is nothing to paint" in album("-o", "b", *NET, code=2).output
    assert "zoo: there is no such album" in album("zoo", code=2).output


def test_a_group_keeps_its_weight_and_its_region(desk: Path) -> None:
    album("--classes", "sharks:2@.5,.5,20", *NET, "-o", "a")
    assert [task.options["class"] for task in tasks("a")] == [
        ["great white shark:2@.5,.5,20"],
        ["tiger shark:2@.5,.5,20"],
    ]


def test_another_kind_of_file_is_another_picture(desk: Path) -> None:
    album("--class", "tench", *NET, "-o", "a")
    said = album("--class", "tench", *NET, "-o", "a", "--suffix", "jpg", "--change")
    assert "(1 painted now" in said.output
    (desk / "a" / "done" / ".DS_Store").touch()
    assert "(0 painted now" in album("a").output


def test_a_manifest_of_a_stranger_cannot_write_elsewhere(desk: Path) -> None:
    album("--class", "tench", *NET, "-o", "a")
    line = json.loads((desk / "a" / "manifest.jsonl").read_text())
    line["options"]["log"] = str(desk / "log.csv")
    line["key"] = "0" * 32
    (desk / "a" / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    said = album("a", code=3)
    assert "log says where to write" in said.output
    assert not (desk / "log.csv").exists()


def test_ctrl_c_keeps_what_is_there(
    desk: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    from test_run import wait_for

    for workers in ((), ("--workers", "2")):
        folder = desk / f"album{len(workers)}"
        words = (*LUCID, "album", "--class", "tench", *NET, "--seeds", "0-199", "-o", str(folder))
        process = start([*words, *workers], stderr=subprocess.PIPE, env=os.environ.copy())
        wait_for(lambda: len([*folder.glob("done/*/*")]) >= 2)  # noqa: B023
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 130
        assert f"stopped: lucid album {folder} goes on" in said
        assert "Traceback" not in said
        found = Album(Store(folder))
        done = len([*found.entries()])
        assert 2 <= done < 200
        # A worker may have been stopped between the picture and its record.
        assert done <= len([*folder.glob("files/*/*.png")]) <= done + 2
        assert not [*folder.glob(".parts/*")]
