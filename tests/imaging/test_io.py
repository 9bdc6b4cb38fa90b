from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import torch
from PIL import Image

from lucid.errors import LucidError, UsageError
from lucid.imaging.files import atomic_write, check_writable
from lucid.imaging.io import center_crop_resize, read_image, to_pil, write_image
from lucid.imaging.output_paths import next_free_path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    picture = torch.rand(3, 9, 13)
    write_image(to_pil(picture), tmp_path / "a.png")
    torch.testing.assert_close(read_image(tmp_path / "a.png"), picture, atol=0.5 / 255, rtol=0)


def test_exif_turns_the_picture_the_right_way(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (3, 20, 10)


@pytest.mark.parametrize(
    ("mode", "colour"),
    [
        ("L", 128),
        ("RGBA", (128, 128, 128, 255)),
        ("CMYK", (0, 0, 0, 127)),
        ("I;16", 128 * 257),
        ("F", 128 / 255),
    ],
)
def test_every_kind_of_picture_becomes_rgb(tmp_path: Path, mode: str, colour: float) -> None:
    name = tmp_path / ("a.png" if mode in ("L", "RGBA", "I;16") else "a.tif")
    Image.new(mode, (5, 4), colour).save(name)
    torch.testing.assert_close(
        read_image(name), torch.full((3, 4, 5), 128 / 255), atol=1.1 / 255, rtol=0
    )


def test_what_is_no_image_says_so(tmp_path: Path) -> None:
    text = tmp_path / "a.png"
    text.write_text("no image")
    with pytest.raises(LucidError, match=r"a\.png: is not an image"):
        read_image(text)
    Image.new("RGB", (64, 64)).save(text)
    text.write_bytes(text.read_bytes()[:60])
    with pytest.raises(LucidError, match=r"a\.png: cannot be read as an image"):
        read_image(text)
    with pytest.raises(LucidError, match=r"b\.png: cannot be read .No such file"):
        read_image(tmp_path / "b.png")
    with pytest.raises(LucidError, match="it is a folder"):
        read_image(tmp_path)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("precious")

    def write_half() -> None:
        with atomic_write(path) as part:
            part.write_text("half")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_half()
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_written_picture_is_as_readable_as_any_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_image(Image.new("RGB", (2, 2)), tmp_path / "a.png")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "a.png")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("name", ["a", "a.txt", "missing/a.png", "folder.png"])
def test_where_nothing_can_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError):
        check_writable(tmp_path / name)


def test_a_format_that_cannot_hold_the_size_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"WEBP holds at most 16383 pixels a side: use \.png"):
        check_writable(tmp_path / "a.webp", (100, 20_000))


def test_numbers_go_on_where_they_are_free(tmp_path: Path) -> None:
    assert next_free_path("x", tmp_path).name == "x_0000.png"
    (tmp_path / "x_0000.png").touch()
    assert next_free_path("x", tmp_path).name == "x_0001.png"


def test_center_crop_resize_takes_the_middle() -> None:
    wide = torch.zeros(3, 10, 30)
    wide[:, :, 10:20] = 1
    assert (center_crop_resize(wide, (10, 10)) == 1).all()
