"""The files of an album's page: what is written, what is kept, and what cannot be read."""

from __future__ import annotations

import io
import json
import logging
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from album_maker import Painted, classes_and_seeds, make_album, paint, png
from PIL import Image

from lucid.albums.album import Album
from lucid.albums.site import PAGE, write_site
from lucid.albums.site_data import START, earlier_looks, value_text
from lucid.albums.store import Store
from lucid.imaging import video


def read_data(folder: Path) -> dict[str, Any]:
    """What the page knows."""
    text = (folder / "page" / "pictures.js").read_text()
    assert text.startswith(START)
    found = json.loads(text.removeprefix(START).rstrip(";\n"))
    assert isinstance(found, dict)
    return found


def thumbs(folder: Path) -> dict[str, tuple[int, int]]:
    """The sizes of the thumbnails, by their names."""
    found = {}
    for path in folder.glob("thumbs/*/*"):
        with Image.open(path) as image:
            assert image.format == "WEBP"
            found[path.name] = image.size
    return found


def test_the_files_of_a_page(tmp_path: Path) -> None:
    wide = Painted({"seed": 1}, png((900, 600)), "wide")
    small = Painted({"seed": 2}, png((100, 50)), "small")
    middle = Painted({"seed": 3}, png((500, 500)), "middle")
    long = Painted({"seed": 4}, png((2000, 20)), "long")
    missing = Painted({"seed": 5}, None, "missing")
    album = make_album(tmp_path, [wide, small, middle, long, missing])
    told: list[tuple[object, ...]] = []
    index = write_site(album, watch=lambda *progress: told.append(progress))
    assert index == tmp_path / "index.html"
    assert {path.name for path in (tmp_path / "page").iterdir()} == {
        "pictures.js",
        *(path.name for path in PAGE.iterdir() if path.name != "index.html"),
    }
    assert thumbs(tmp_path) == {
        f"{wide.task.key}_320.webp": (320, 213),
        f"{wide.task.key}_640.webp": (640, 427),
        f"{small.task.key}_320.webp": (100, 50),
        f"{middle.task.key}_320.webp": (320, 320),
        f"{middle.task.key}_640.webp": (500, 500),
        f"{long.task.key}_320.webp": (60, 20),  # its middle
    }
    data = read_data(tmp_path)
    assert data["title"] == tmp_path.name
    assert data["wanted"] == 5
    columns = data["columns"]
    assert columns["caption"] == ["wide", "small", "middle", "long"]
    assert columns["width"] == [900, 100, 500, 2000]
    assert columns["thumbs"] == [2, 1, 2, 1]
    assert columns["suffix"] == [".png"]  # of all
    assert told == [(number, 4) for number in range(1, 5)]
    assert not [*(tmp_path / ".parts").iterdir()]


def test_recipes_come_out_as_they_are(tmp_path: Path) -> None:
    """The page puts recipes together from pieces; so does this."""
    pictures = [
        Painted({"net": "lucid64", "class": ["lion", "it's -- a"], "scale": 1.0, "seed": 3}),
        Painted({"net": "lucid64", "class": ["eagle"], "scale": 1e-05, "seed": 3}),
        Painted({"net": "x y", "deterministic": True, "file": "-x.png"}),
    ]
    write_site(make_album(tmp_path, pictures))
    data = read_data(tmp_path)

    def text(name: str, number: int) -> list[str]:
        cell = data["columns"][name][number]
        lines = list(cell["all"] if isinstance(cell, dict) else data["first"][name])
        if isinstance(cell, list):
            for at in range(0, len(cell), 2):
                lines[cell[at]] = cell[at + 1]
        return [data["texts"][line] for line in lines]

    for number, each in enumerate(pictures):
        assert "\n".join(text("toml", number)) == each.task.recipe.toml()
        assert " --".join(text("command", number)) == each.task.recipe.command_line()


def test_thumbnails_are_kept(tmp_path: Path) -> None:
    pictures = classes_and_seeds(["lion", "eagle"], 2)
    album = make_album(tmp_path, [*pictures[:3], Painted(pictures[3].options, None)])
    write_site(album)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("thumbs/*/*")}
    gone = Painted(pictures[0].options).task
    shutil.move(tmp_path / gone.name, tmp_path / "moved.png")  # nobody asks for it again
    paint(album, pictures[3])
    again = Painted(pictures[1].options, png((20, 20), "blue"))
    paint(album, again, time=1_790_000_100.0)
    write_site(album)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.glob("thumbs/*/*")}
    assert len(after) == 4
    changed = {path.name for path in before if before[path] != after[path]}
    assert changed == {f"{again.task.key}_320.webp"}
    assert read_data(tmp_path)["columns"]["width"] == [20, 48, 48]
    (tmp_path / "page" / "pictures.js").write_text("window.ALBUM = {};")
    shutil.move(tmp_path / "moved.png", tmp_path / gone.name)
    write_site(album)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("thumbs/*/*")} == after
    assert read_data(tmp_path)["columns"]["width"] == [48, 20, 48, 48]


@pytest.mark.parametrize(
    "script", [b"", b"\xff", b"window.ALBUM = [];", b'window.ALBUM = {"columns":{"key":[1,2]}}']
)
def test_another_script_in_the_place_of_the_data(script: bytes) -> None:
    assert earlier_looks(script) == {}


def huge_png() -> bytes:
    """The beginning of a picture of 16,384x16,384 pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 16_384, 16_384, 8, 2, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            *(struct.pack(">I", 13), chunk, struct.pack(">I", zlib.crc32(chunk))),
            b"\0\0\0\0IDAT5\xaf\x06\x1e",
        ]
    )


def test_what_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good, vanished = Painted({"seed": 1}), Painted({"seed": 2}, caption="vanished")
    cut = Painted({"seed": 3}, png((300, 300))[:-40])
    huge, noise = Painted({"seed": 4}, huge_png()), Painted({"seed": 5}, b"\0" * 99, suffix=".mp4")
    unknown = Painted({"seed": 6})
    strange = Painted({"seed": 8}, seconds=float("nan"))
    album = make_album(tmp_path, [good, vanished, cut, huge, noise, unknown, strange])
    (tmp_path / vanished.task.name).unlink()
    (tmp_path / unknown.task.done_name).write_text("[]")
    with caplog.at_level(logging.WARNING, "lucid"):
        write_site(album)
    assert read_data(tmp_path)["columns"]["thumbs"] == [1, 0, 0, 0, 1]
    assert len(caplog.messages) == 4
    for each in (cut, huge, noise, unknown):
        assert sum(each.task.key in message for message in caplog.messages) == 1
    assert all(len(message.splitlines()) == 1 for message in caplog.messages)


def test_films_and_animations(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue", "blue")]
    kinds = (".mp4", ".webm", ".gif", ".webp", ".apng")
    for kind in kinds:
        video.write(frames, tmp_path / f"film{kind}")
    pages = io.BytesIO()
    frames[0].save(pages, "TIFF", save_all=True, append_images=frames[1:])
    album = make_album(
        tmp_path / "films",
        [
            *(
                Painted({"as": kind}, (tmp_path / f"film{kind}").read_bytes(), suffix=kind)
                for kind in kinds
            ),
            Painted({"as": "tif"}, pages.getvalue(), suffix=".tif"),
        ],
    )
    write_site(album)
    columns = read_data(tmp_path / "films")["columns"]
    assert columns["moves"] == [1, 1, 1, 1, 1, 0]
    assert columns["width"] == [64]
    for path in (tmp_path / "films").glob("thumbs/*/*"):
        with Image.open(path) as image:
            red, _, blue = image.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
            assert red > 200
            assert blue < 60


def test_the_page_so_far(tmp_path: Path) -> None:
    album = make_album(tmp_path, classes_and_seeds(["lion"], 5))
    write_site(album, watch=lambda number, count: number < 2)
    assert len(read_data(tmp_path)["columns"]["key"]) == 2


def test_an_album_without_pictures(tmp_path: Path) -> None:
    write_site(make_album(tmp_path, []))
    assert read_data(tmp_path)["columns"] == {}


def test_names_from_outside(tmp_path: Path) -> None:
    folder = tmp_path / "<b> & 'birds' "
    hostile = "</script><img src=x onerror=alert(1)>\u2028\u2029\ud800"
    write_site(
        make_album(folder, [Painted({"class": hostile}, png(), hostile, {hostile: hostile})])
    )
    script = (folder / "page" / "pictures.js").read_bytes()
    assert script.isascii()
    assert b"<" not in script
    assert script.count(b"\n") == 1
    assert read_data(folder)["columns"]["caption"] == [hostile]
    page = (folder / "index.html").read_text()
    assert "<title>&lt;b&gt; &amp; &#x27;birds&#x27; </title>" in page


def test_a_store_elsewhere(tmp_path: Path) -> None:
    name = f"memory://{tmp_path.name}/birds"
    album = make_album(name, [Painted({"seed": 1}), Painted({"seed": 2}, png((400, 400)))])
    vanished = Painted({"seed": 1})
    assert write_site(album) == f"{name}/index.html"
    store = Store(name)
    key = vanished.task.key
    with Image.open(io.BytesIO(store.read(f"thumbs/{key[:2]}/{key}_320.webp"))) as image:
        assert image.size == (48, 32)
    assert earlier_looks(store.read("page/pictures.js"))[vanished.task.key][1].width == 48
    store.delete(vanished.task.name)
    store.delete("page/pictures.js")
    write_site(Album(store))
    assert vanished.task.key not in earlier_looks(store.read("page/pictures.js"))


def test_values_as_texts() -> None:
    values = ["lion", 3, 1.5, True, False, ["a", "b"], None]
    assert [*map(value_text, values)] == ["lion", "3", "1.5", "yes", "no", "a, b", "None"]


def test_a_page_of_many_pictures_is_light(tmp_path: Path) -> None:
    pictures = classes_and_seeds([f"class {n}" for n in range(20)], 10, content=png((8, 8)))
    write_site(make_album(tmp_path, pictures))
    assert (tmp_path / "page" / "pictures.js").stat().st_size < 130 * len(pictures) + 4_000
    files = [path for path in PAGE.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 60_000
    for path in files:
        text = path.read_text(encoding="utf-8")
        for mark in ("https://", "//cdn", "@import", "innerHTML", "eval(", "onclick="):
            assert mark not in text, (path.name, mark)
        assert text.count("http://") == text.count("http://www.w3.org/2000/svg")
