"""Contact sheets of albums: where each picture is, and what cannot be."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pypdf
import pytest
from album_maker import Painted, classes_and_seeds, make_album, png
from PIL import Image

from lucid.albums import sheets
from lucid.albums.sheets import GAP, write_sheet
from lucid.errors import LucidError, Stop, UsageError
from lucid.imaging import video
from lucid.imaging.contact_sheet import Labels, contact_sheet, showable


def test_a_picture_of_all_pictures(tmp_path: Path) -> None:
    colours = ["red", "lime", "blue", "yellow"]
    pictures = [
        Painted({"seed": n}, png((64, 32), colour), f"number {n}")
        for n, colour in enumerate(colours)
    ]
    album = make_album(tmp_path / "birds", [*pictures, Painted({"seed": 9}, None, "to come")])
    path = write_sheet(album, tmp_path / "sheet.png", columns=3, side=40)
    with Image.open(path) as sheet:
        assert sheet.width == 3 * 40 + 2 * GAP
        dy = (sheet.height + GAP) // 2
        for n, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]):
            left, top = n % 3 * (40 + GAP), n // 3 * dy
            assert sheet.getpixel((left + 20, top + 35)) == colour
            assert sheet.getpixel((left + 20, top + 5)) == (0, 0, 0)  # 64x32 in a square
            below = sheet.crop((left, top + 41, left + 40, top + dy - GAP))
            assert below.getextrema() != ((0, 0),) * 3
        assert sheet.getpixel((60, dy + 35)) == (0, 0, 0)  # the fifth is to come


def test_films_transparency_and_odd_shapes(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "blue")]
    video.write(frames, tmp_path / "film.mp4")
    video.write(frames, tmp_path / "film.gif")
    clear, grey, thin = io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(clear, "PNG")
    Image.new("I;16", (8, 8), 65535).save(grey, "PNG")
    Image.new("RGB", (4, 3000), "lime").save(thin, "PNG")
    contents = [
        ((tmp_path / "film.mp4").read_bytes(), ".mp4", (255, 0, 0)),
        ((tmp_path / "film.gif").read_bytes(), ".gif", (255, 0, 0)),
        (clear.getvalue(), ".png", (0, 0, 0)),
        (grey.getvalue(), ".png", (255, 255, 255)),
        (thin.getvalue(), ".png", (0, 255, 0)),
    ]
    album = make_album(
        tmp_path / "odd",
        [Painted({"seed": n}, each[0], suffix=each[1]) for n, each in enumerate(contents)],
    )
    path = write_sheet(album, tmp_path / "sheet.png", columns=5, side=32)
    with Image.open(path) as sheet:
        for n, (*_, wanted) in enumerate(contents):
            seen = sheet.getpixel((n * (32 + GAP) + (15 if n == 4 else 16), 16))
            assert isinstance(seen, tuple)
            assert max(abs(a - b) for a, b in zip(seen, wanted, strict=True)) < 12, n


def test_pages_to_print(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    album = make_album(tmp_path / "Vögel – 日本", classes_and_seeds(["lion", "eagle"], 15))
    path = write_sheet(
        album,
        tmp_path / "sheet.pdf",
        columns=4,
        watch=lambda *progress: told.append(progress),
    )
    document = pypdf.PdfReader(path)
    assert len(document.pages) == 2
    assert document.metadata is not None
    assert document.metadata.title == "Vögel – 日本"
    for page in document.pages:
        assert [round(float(side)) for side in page.mediabox[2:]] == [595, 842]
        assert len(page.images) == 1
    first, last = (page.images[0].image for page in document.pages)
    assert first is not None
    assert last is not None
    assert first.size == last.size == sheets.PAGE
    # Orange, as the pictures are, has no blue.
    orange = [(np.asarray(page.convert("RGB"))[..., 2] < 60).sum() for page in (first, last)]
    assert orange[0] == pytest.approx(2 * orange[1], rel=0.1)  # of 20 and of 10 pictures
    assert told == [(number, 30) for number in range(1, 31)]


def test_one_page_is_in_memory_at_a_time(tmp_path: Path) -> None:
    drawn: list[int] = []

    def draw(number: int) -> Image.Image:
        drawn.append(number)
        return Image.new("RGB", sheets.PAGE, (number, 0, 0))

    book = sheets.Book(draw, 3)
    book.save(tmp_path / "book.pdf", "PDF", save_all=True)
    assert drawn == [0, 1, 2]
    assert len(pypdf.PdfReader(tmp_path / "book.pdf").pages) == 3


def test_a_damaged_picture_has_an_empty_cell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    album = make_album(tmp_path / "birds", [Painted({"seed": 1}, b"no"), Painted({"seed": 2})])
    (tmp_path / "birds" / Painted({"seed": 2}).task.name).unlink()
    path = write_sheet(album, tmp_path / "sheet.png", side=32)
    with Image.open(path) as sheet:
        assert sheet.getextrema() == ((0, 0),) * 3
    assert len(caplog.messages) == 1


def test_what_cannot_be(tmp_path: Path) -> None:
    album = make_album(tmp_path / "birds", [Painted({"seed": n}) for n in range(3)])
    for name, settings, reason in [
        ("sheet.jpg", {}, r"\.png.*\.pdf"),
        ("sheet", {}, r"\.png.*\.pdf"),
        ("sheet.png", {"side": 40_000}, r"\.pdf"),
        ("sheet.png", {"side": 2}, "16"),
        ("sheet.png", {"columns": 0}, "1 or more"),
        ("sheet.pdf", {"columns": 400}, "fewer"),
    ]:
        with pytest.raises(UsageError, match=reason):
            write_sheet(album, tmp_path / name, **settings)  # type: ignore[arg-type]
    with pytest.raises(LucidError, match="no picture"):
        write_sheet(make_album(tmp_path / "empty", []), tmp_path / "sheet.png")
    with pytest.raises(Stop):
        write_sheet(album, tmp_path / "sheet.pdf", watch=lambda *_: False)
    assert not list(tmp_path.glob("sheet*"))


def test_an_existing_file_is_kept_unless_told(tmp_path: Path) -> None:
    album = make_album(tmp_path / "birds", [Painted({"seed": 1})])
    path = tmp_path / "sheet.png"
    path.write_bytes(b"mine")
    with pytest.raises(LucidError, match="exists"):
        write_sheet(album, path)
    assert path.read_bytes() == b"mine"
    write_sheet(album, path, replace=True)
    assert path.read_bytes() != b"mine"


def test_a_picture_too_large_to_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    header = struct.pack(">IIBBBBB", 16_384, 16_384, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    content += struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\0IDAT5\xaf\x06\x1e"
    album = make_album(tmp_path / "birds", [Painted({"seed": 1}, content)])
    write_sheet(album, tmp_path / "sheet.png", side=32)
    assert "megapixels" in caplog.text or "pixels" in caplog.text


def test_captions_that_the_font_cannot_show() -> None:
    assert showable("lion <b> & é ß 日本 \U0001f981 — \x07") == "lion <b> & e ? ?? ? - ?"
    labels = Labels.fit(["日本 " * 40, "x" * 200, ""], 60, most=3)
    assert [len(lines) for lines in labels.lines] == [3, 3, 1]
    assert labels.lines[0][-1].endswith("...")
    assert all(labels.font.getlength(line) <= 60 for text in labels.lines for line in text)
    picture = Image.new("RGB", (60, 60))
    sheet = contact_sheet([picture] * 3, columns=3, labels=labels, paper="white", ink="black")
    assert sheet.height == 60 + labels.height
