from __future__ import annotations

import base64
import io
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from PIL import Image

from lucid.errors import UsageError
from lucid.imaging.preview import DEFAULT_CELL, Preview, detect_protocol, encode, size_in_cells


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Screen(Terminal):
    """A terminal of 24 lines that interprets the escape sequences of the half blocks.

    Attributes:
        cells: the character and its two colours at each row and column.
        row: the cursor's row.
        column: the cursor's column.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cells: dict[tuple[int, int], tuple[str, tuple[int, ...]]] = {}
        self.row = self.column = 0
        self.colours: tuple[int, ...] = ()

    def write(self, text: str) -> int:
        for numbers, letter, other in re.findall(r"\x1b\[([\d;]*)([A-Za-z])|(\x1b[78]|.|\n)", text):
            if letter:
                self._control(letter, numbers)
            elif other == "\x1b7":
                self.saved = self.row, self.column
            elif other == "\x1b8":
                self.row, self.column = self.saved
            elif other == "\r":
                self.column = 0
            elif other == "\n":
                self.column = 0
                self._down()
            else:
                assert self.column < 80
                self.cells[self.row, self.column] = (other, self.colours)
                self.column += 1
        return len(text)

    def _control(self, letter: str, numbers: str) -> None:
        if letter == "A":
            self.row -= int(numbers)
            assert self.row >= 0
        elif letter == "B":
            self.row = min(23, self.row + int(numbers))
        elif letter == "J":
            for place in [place for place in self.cells if place >= (self.row, self.column)]:
                del self.cells[place]
        else:
            assert letter == "m"
            self.colours = () if numbers == "0" else tuple(map(int, numbers.split(";")))

    def _down(self) -> None:
        if self.row < 23:
            self.row += 1
        else:
            self.cells = {(row - 1, column): cell for (row, column), cell in self.cells.items()}
            self.cells = {place: cell for place, cell in self.cells.items() if place[0] >= 0}

    def line(self, row: int) -> str:
        there = [place for place in self.cells if place[0] == row]
        return "".join(self.cells[place][0] for place in sorted(there))

    def picture(self, top: int, columns: int, rows: int) -> Image.Image:
        """The image that the half blocks show."""
        pixels = np.zeros((2 * rows, columns, 3), np.uint8)
        for row in range(rows):
            for column in range(columns):
                letter, colours = self.cells[top + row, column]
                assert letter == "▀"
                assert colours[0:2] == (38, 2)
                assert colours[5:7] == (48, 2)
                pixels[2 * row, column], pixels[2 * row + 1, column] = colours[2:5], colours[7:10]
        return Image.fromarray(pixels)


@pytest.fixture
def picture() -> Image.Image:
    """Noise, 60 pixels wide and 40 high: no two pixels are alike."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    return Image.fromarray(pixels)


def kitty_parts(text: str) -> list[tuple[dict[str, str], str]]:
    found = re.findall(r"\x1b_G([^;\x1b]*);?([^\x1b]*)\x1b\\", text)
    return [(dict(key.split("=") for key in keys.split(",")), payload) for keys, payload in found]


def from_png(payload: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(payload, validate=True)))


def test_kitty_gets_the_same_pixels(picture: Image.Image) -> None:
    text = encode(picture, "kitty", 80, image_id=7)
    parts = kitty_parts(text)
    first = parts[0][0]
    assert (first["a"], first["f"], first["i"], first["q"]) == ("T", "100", "7", "2")
    assert [keys["m"] for keys, _ in parts] == ["1"] * (len(parts) - 1) + ["0"]
    assert all(set(keys) == {"m"} for keys, _ in parts[1:])
    assert len(parts) > 1
    assert all(0 < len(payload) <= 4096 for _, payload in parts)
    assert all(len(payload) % 4 == 0 for _, payload in parts)
    shown = from_png("".join(payload for _, payload in parts))
    assert shown.tobytes() == picture.tobytes()
    assert re.sub(r"\x1b_G[^\x1b]*\x1b\\", "", text) == ""


def test_iterm2_gets_the_same_pixels(picture: Image.Image) -> None:
    match = re.fullmatch(r"\x1b]1337;File=([^:]*):([^\a]*)\a", encode(picture, "iterm2", 80))
    assert match
    keys = dict(key.split("=") for key in match[1].split(";"))
    assert keys["inline"] == "1"
    assert int(keys["size"]) == len(base64.b64decode(match[2]))
    assert (keys["width"], keys["height"]) == ("6", "2")  # 60x40 pixels
    assert from_png(match[2]).tobytes() == picture.tobytes()


def decode_sixel(text: str) -> np.ndarray:
    """Decode sixels to RGB pixels; -1 where no pixel was drawn."""
    match = re.fullmatch(r'\x1bP[\d;]*q"1;1;(\d+);(\d+)(.*)\x1b\\', text)
    assert match
    width, height = int(match[1]), int(match[2])
    pixels = np.full((height + 5, width, 3), -1.0)
    palette: dict[int, list[float]] = {}
    colour, top, x = 0, 0, 0
    for word in re.findall(r"#\d+(?:;2;\d+;\d+;\d+)?|!\d+[?-~]|[?-~]|\$|-", match[3]):
        if word.startswith("#"):
            colour, *levels = map(int, word[1:].split(";"))
            if levels:
                palette[colour] = [level * 255 / 100 for level in levels[1:]]
        elif word == "$":
            x = 0
        elif word == "-":
            x, top = 0, top + 6
        else:
            count = int(word[1:-1]) if word[0] == "!" else 1
            bits = ord(word[-1]) - ord("?")
            for row in range(6):
                if bits >> row & 1:
                    assert (pixels[top + row, x : x + count] == -1).all()
                    pixels[top + row, x : x + count] = palette[colour]
            x += count
            assert x <= width
    assert (pixels[height:] == -1).all()
    return pixels[:height]


def test_sixels_show_the_picture() -> None:
    # Six colours, in runs and alone; 40 rows are no multiple of six.
    colours = np.array(
        [[255, 0, 0], [0, 255, 0], [9, 9, 9], [255, 255, 255], [0, 0, 0], [40, 90, 7]]
    )
    numbers = np.random.default_rng(0).integers(0, 6, (40, 60))
    numbers[3:17, 5:50] = 2
    picture = Image.fromarray(colours[numbers].astype(np.uint8))
    shown = decode_sixel(encode(picture, "sixel", 80))
    assert np.abs(shown - colours[numbers]).max() <= 2  # its levels are percents


@pytest.mark.slow
def test_sixels_of_many_colours_come_near(picture: Image.Image) -> None:
    smooth = picture.resize((200, 140), Image.Resampling.BICUBIC, box=(3, 3, 9, 8))

    def distance(shown: np.ndarray) -> float:
        return float(np.abs(shown - np.asarray(smooth)).mean())

    best = np.asarray(smooth.quantize(256).convert("RGB"), float)
    assert distance(decode_sixel(encode(smooth, "sixel", 80))) < distance(best) + 2


def test_half_blocks_show_each_pixel(picture: Image.Image) -> None:
    screen = Screen()
    screen.write(encode(picture, "blocks", 60))
    assert (screen.row, screen.column, screen.colours) == (19, 60, ())
    assert screen.picture(0, 60, 20).tobytes() == picture.tobytes()


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (300, 30), (7, 7), (1, 1), (3, 500)])
@pytest.mark.parametrize("columns", [1, 10, 39])
def test_half_blocks_fit_and_keep_the_shape(size: tuple[int, int], columns: int) -> None:
    screen = Screen()
    picture = Image.new("RGB", size, (1, 2, 3))
    lines = encode(picture, "blocks", columns).split("\n")
    wide, high = size_in_cells(picture, "blocks", columns)
    assert wide == min(columns, size[0])
    assert len(lines) == high
    assert abs(wide * size[1] / size[0] - 2 * high) <= 2
    screen.write(lines[-1])
    assert screen.column == wide


@pytest.mark.parametrize("way", ["kitty", "iterm2"])
def test_what_is_too_wide_is_shrunk(picture: Image.Image, way: str) -> None:
    text = encode(picture.resize((600, 400)), way, 12)
    payloads = re.findall(r"[;:]([\w+/=]+)(?:\x1b\\|\a)", text)
    assert from_png("".join(payloads)).size == (12 * DEFAULT_CELL[1], 80)


def test_pictures_of_any_mode(picture: Image.Image) -> None:
    for mode in ("L", "P", "RGBA", "1"):
        other = picture.convert(mode)
        assert encode(other, "blocks", 30) == encode(other.convert("RGB"), "blocks", 30)
    assert encode(picture, "none", 30) == ""


KITTY = {"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (KITTY, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm", "TERM_PROGRAM": "mintty"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "foot-extra"}, "sixel"),
        ({"TERM": "mlterm"}, "sixel"),
        ({"TERM": "yaft-256color"}, "sixel"),
        ({"TERM": "xterm-256color"}, "blocks"),
        ({}, "blocks"),
        ({"TERM": "dumb"}, "none"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "none"),
        ({"TERM": "xterm", "NO_COLOR": ""}, "blocks"),
        ({**KITTY, "NO_COLOR": "1"}, "kitty"),  # no colours of text
        # tmux passes the variables on, but no pictures.
        ({**KITTY, "TERM": "tmux-256color"}, "blocks"),
        ({**KITTY, "TERM": "screen"}, "blocks"),
        ({**KITTY, "TMUX": "/tmp/tmux-0/default,1,0"}, "blocks"),
        ({**KITTY, "LUCID_PREVIEW": "none"}, "none"),
        ({**KITTY, "LUCID_PREVIEW": "sixel"}, "sixel"),
        ({"TERM": "dumb", "LUCID_PREVIEW": "blocks"}, "blocks"),
    ],
)
def test_kinds(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # nobody to ask
    assert detect_protocol(Terminal(), environ) == expected


def test_what_is_no_terminal_shows_nothing() -> None:
    assert detect_protocol(io.StringIO(), KITTY) == "none"


def test_half_blocks_need_their_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    old = Terminal()
    old.encoding = "ascii"
    assert detect_protocol(old, {"TERM": "xterm"}) == "none"


def test_a_kind_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match=r"LUCID_PREVIEW=sixels: must be kitty, .* or none"):
        detect_protocol(Terminal(), {"LUCID_PREVIEW": "sixels"})


ASK = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from lucid.imaging.preview import detect_protocol
before = termios.tcgetattr(0)
print(detect_protocol(sys.stderr, {"TERM": "xterm"}), termios.tcgetattr(0) == before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"\x1b[?62;4;22c", "sixel"),
        (b"abc\x1b[?4c", "sixel"),  # someone types ahead
        (b"\x1b[?64;1;42c", "blocks"),
        (b"\x1b[?62;4", "blocks"),
        (b"", "blocks"),
    ],
)
def test_a_terminal_is_asked_for_sixels(answer: bytes, expected: str) -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    asking = subprocess.Popen(
        [sys.executable, "-X", "utf8", "-c", ASK],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    )
    try:
        asked = b""
        end = time.monotonic() + 30
        while b"\x1b[c" not in asked:
            assert select.select([ours], [], [], end - time.monotonic())[0]
            asked += os.read(ours, 100)
        os.write(ours, answer)
        said = asking.communicate(timeout=30)[0].decode().split()
        assert said == [expected, "True"]
        assert termios.tcgetattr(theirs) == before
        left = b""  # the answer is not shown
        while select.select([ours], [], [], 0)[0]:
            left += os.read(ours, 100)
        assert asked + left == b"\x1b[c"
    finally:
        asking.kill()
        os.close(ours)
        os.close(theirs)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


BLOCKS = {"LUCID_PREVIEW": "blocks"}


def preview(stream: Terminal, clock: Callable[[], float] | None = None) -> Preview:
    return Preview(stream, columns=30, environ=BLOCKS, clock=clock or Clock())


def test_pictures_are_drawn_one_over_the_other(picture: Image.Image) -> None:
    screen, clock = Screen(), Clock()
    screen.write("$ lucid draw\n")
    shown = preview(screen, clock)
    for turned in (0, 180, 0, 180):
        shown.show(picture.rotate(turned))
        clock.now += 2
        assert (screen.row, screen.column) == (11, 0)
        expected = picture.rotate(turned).resize((30, 20), Image.Resampling.LANCZOS)
        assert screen.picture(1, 30, 10).tobytes() == expected.tobytes()
        screen.write("bar")
    assert screen.line(0) == "$ lucid draw"
    assert screen.line(11) == "bar"
    assert len(screen.cells) == len("$ lucid drawbar") + 300


def test_at_the_bottom_the_screen_scrolls_once(picture: Image.Image) -> None:
    screen, clock = Screen(), Clock()
    for number in range(30):
        screen.write(f"{number}\n")
    shown = preview(screen, clock)
    for _ in range(3):
        shown.show(picture)
        clock.now += 2
    assert (screen.row, screen.column) == (23, 0)
    assert screen.line(12) == "29"
    screen.picture(13, 30, 10)


def test_a_picture_of_another_size_leaves_nothing_of_the_last(picture: Image.Image) -> None:
    screen, clock = Screen(), Clock()
    shown = preview(screen, clock)
    for size in ((60, 40), (20, 40), (60, 20), (60, 40), (16, 16)):
        shown.show(picture.resize(size))
        clock.now += 2
    assert (screen.row, len(screen.cells)) == (8, 16 * 8)
    screen.picture(0, 16, 8)


def test_a_tall_picture_stays_on_the_screen(picture: Image.Image) -> None:
    screen = Screen()
    preview(screen).show(picture.resize((60, 600)))
    assert screen.row == 20  # 24 lines, one of them the cursor's
    screen.picture(0, 4, 20)


def test_after_the_last_a_new_one_is_drawn_below(picture: Image.Image) -> None:
    screen = Screen()
    shown = preview(screen)
    small = picture.resize((20, 10))
    shown.show(small, last=True)
    shown.show(small, last=True)
    assert screen.row == 10
    assert screen.picture(0, 20, 5).tobytes() == screen.picture(5, 20, 5).tobytes()


def test_kitty_deletes_the_picture_before(picture: Image.Image) -> None:
    stream, clock = Terminal(), Clock()
    shown = Preview(stream, environ={"LUCID_PREVIEW": "kitty"}, clock=clock)
    steps = []
    for _ in range(3):
        stream.truncate(stream.seek(0))
        shown.show(picture)
        clock.now += 2
        parts = [keys for keys, _ in kitty_parts(stream.getvalue())]
        new = [keys["i"] for keys in parts if keys.get("a") == "T"]
        gone = [keys["i"] for keys in parts if (keys.get("a"), keys.get("d")) == ("d", "I")]
        steps.append((*new, *gone))
    assert steps[1][1] == steps[0][0] != steps[1][0]
    assert steps[2][1] == steps[1][0] != steps[2][0]


def test_once_a_second_is_enough(picture: Image.Image) -> None:
    stream, clock = Terminal(), Clock()
    shown = preview(stream, clock)
    drawn: list[int] = []

    def draw(number: int) -> Image.Image:
        drawn.append(number)
        return picture

    for tenths in range(31):
        clock.now = 100 + tenths / 10
        shown.show(partial(draw, tenths))
    assert drawn == [0, 10, 20, 30]
    shown.show(partial(draw, -1), last=True)
    assert drawn[-1] == -1


def test_slow_drawing_is_done_less_often(picture: Image.Image) -> None:
    clock = Clock()

    class Slow(Terminal):
        def write(self, text: str) -> int:
            clock.now += 2
            return super().write(text)

    stream = Slow()
    shown = preview(stream, clock)
    shown.show(picture)
    before = stream.getvalue()
    clock.now += 7.9
    shown.show(picture)
    assert stream.getvalue() == before
    clock.now += 0.2
    shown.show(picture)
    assert stream.getvalue() != before


def test_none_shows_nothing(picture: Image.Image) -> None:
    stream = Terminal()
    shown = Preview(stream, environ={"LUCID_PREVIEW": "none"})
    shown.show(pytest.fail, last=True)
    assert stream.getvalue() == ""


def test_a_terminal_that_is_gone_stops_nothing(picture: Image.Image) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", encoding="utf-8") as stream:
        shown = Preview(stream, environ=BLOCKS)
        shown.show(picture)
        assert shown.protocol == "none"
        shown.show(picture, last=True)


def test_a_closed_stream_shows_nothing() -> None:
    assert detect_protocol(None, {}) == "none"
    assert detect_protocol(None, {"LUCID_PREVIEW": "kitty"}) == "none"
