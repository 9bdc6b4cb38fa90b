"""A picture in the terminal, while it is painted: as the terminal's own graphics where it has
any, else as coloured half blocks."""

from __future__ import annotations

import base64
import io
import math
import os
import re
import secrets
import select
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TextIO

import numpy as np
from PIL import Image

from lucid.errors import UsageError

KINDS = ("kitty", "iterm2", "sixel", "blocks", "none")

ANSWER_WITHIN = 0.3
"""Seconds that a terminal has to say what it can; one at the far end of a slow line needs them."""

CELL = (20, 10)
"""Height and width of a character in pixels, where the terminal does not say: as on the VT340,
which sixels come from."""

Cell = tuple[int, int]

Picture = Image.Image | Callable[[], Image.Image]


def kind(stream: TextIO, environ: Mapping[str, str]) -> str:
    """How pictures can be shown on a stream: one of ``KINDS``.

    ``LUCID_PREVIEW`` names one; else the terminal's variables are looked at, and a terminal
    that they say nothing of is asked for sixels.

    Args:
        stream: where to; only a terminal shows anything.
        environ: such as ``os.environ``.

    Raises:
        UsageError: ``LUCID_PREVIEW`` is none of them.
    """
    asked = environ.get("LUCID_PREVIEW")
    if asked:
        if asked not in KINDS:
            raise UsageError(f"LUCID_PREVIEW={asked}: must be {', '.join(KINDS[:-1])} or none")
        return asked
    term = environ.get("TERM", "")
    if not stream.isatty() or term == "dumb":
        return "none"
    # A multiplexer inherits the variables of the terminal around it, but not what it can.
    if "TMUX" not in environ and not term.startswith(("screen", "tmux")):
        program = environ.get("TERM_PROGRAM", "")
        # WezTerm knows kitty's protocol too, but answers where it is told not to.
        if program in ("iTerm.app", "WezTerm", "mintty") or environ.get("LC_TERMINAL") == "iTerm2":
            return "iterm2"
        if (
            "KITTY_WINDOW_ID" in environ
            or term in ("xterm-kitty", "xterm-ghostty")
            or program == "ghostty"
        ):
            return "kitty"
    if term.startswith(("foot", "mlterm", "yaft")) or _says_sixel(stream):
        return "sixel"
    legible = "utf" in (stream.encoding or "").lower()
    return "blocks" if legible and not environ.get("NO_COLOR") else "none"


def _says_sixel(stream: TextIO) -> bool:
    """Ask the terminal for its attributes, of which 4 is sixel."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        return False
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    line = sys.stdin.fileno()
    try:
        # A program in the background would be stopped for changing the terminal's settings.
        if os.tcgetpgrp(line) != os.getpgrp():
            return False
    except OSError:  # a terminal, but not the one it was started from
        return False
    before = termios.tcgetattr(line)
    answer, found = b"", None
    end = time.monotonic() + ANSWER_WITHIN
    try:
        tty.setcbreak(line, termios.TCSANOW)  # or the answer would be shown, and wait for Enter
        stream.write("\x1b[c")
        stream.flush()
        while not found and select.select([line], [], [], max(0, end - time.monotonic()))[0]:
            answer += os.read(line, 1)
            found = re.search(rb"\x1b\[\?([\d;]*)c", answer)
    finally:
        termios.tcsetattr(line, termios.TCSANOW, before)
    return found is not None and b"4" in found[1].split(b";")


def encode(
    image: Image.Image, kind: str, columns: int, *, cell: Cell = CELL, number: int = 1
) -> str:
    """The characters that show a picture, which is shrunk to fit but never enlarged.

    Args:
        image: any; what is transparent is shown as if it were not.
        kind: one of ``KINDS``.
        columns: the most to take.
        cell: height and width of a character, in pixels.
        number: by which kitty will know the picture.
    """
    columns, rows = extent(image, kind, columns, cell)
    image = image.convert("RGB")
    if kind == "blocks":
        return _blocks(image, columns, cell)
    most = (columns * cell[1], rows * cell[0])
    if image.width > most[0] or image.height > most[1]:
        image.thumbnail(most)
    if kind == "sixel":
        return _sixel(image)
    if kind not in ("kitty", "iterm2"):
        return ""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)  # five times as fast, and a sixth larger
    payload = base64.b64encode(file.getvalue()).decode()
    if kind == "iterm2":
        shape = f"size={len(file.getvalue())};width={columns};height={rows}"
        return f"\x1b]1337;File=inline=1;{shape}:{payload}\a"
    # a=T: show at once, C=1: leave the cursor, q=2: say nothing back, m=1: more comes.
    keys = f"a=T,f=100,i={number},C=1,q=2,"
    parts = [payload[start : start + 4096] for start in range(0, len(payload), 4096)]
    last = len(parts) - 1
    return "".join(
        f"\x1b_G{keys if place == 0 else ''}m={int(place < last)};{part}\x1b\\"
        for place, part in enumerate(parts)
    )


def extent(image: Image.Image, kind: str, columns: int, cell: Cell = CELL) -> tuple[int, int]:
    """How many columns and rows a picture takes of at most so many columns."""
    height, width = cell
    columns = min(columns, image.width if kind == "blocks" else math.ceil(image.width / width))
    across = columns * width
    if kind != "blocks":
        across = min(across, image.width)
    return columns, max(1, math.ceil(across * image.height / image.width / height))


def _blocks(image: Image.Image, columns: int, cell: Cell) -> str:
    """Upper half blocks, each with a colour for the upper pixel and one for the lower."""
    height, width = cell
    down = math.ceil(2 * (columns * width * image.height / image.width / height))
    pixels = np.asarray(image.resize((columns, down), Image.Resampling.LANCZOS))
    if down % 2:
        pixels = np.concatenate([pixels, pixels[-1:]])
    lines = []
    for upper, lower in zip(pixels[::2].tolist(), pixels[1::2].tolist(), strict=True):
        last, line = None, ""
        for above, below in zip(upper, lower, strict=True):
            if (above, below) != last:
                last = (above, below)
                colours = "38;2;{};{};{};48;2;{};{};{}".format(*above, *below)
                line += f"\x1b[{colours}m"
            line += "▀"
        lines.append(f"{line}\x1b[0m")
    return "\n".join(lines)


def _sixel(image: Image.Image) -> str:
    """DEC's bands of six pixel rows, each drawn once for every colour in it."""
    # A palette of all pixels takes seconds to find, and is hardly better.
    some = image.resize((min(image.width, 128), min(image.height, 128)), Image.Resampling.NEAREST)
    paletted = image.quantize(palette=some.quantize(256), dither=Image.Dither.NONE)
    levels = np.reshape(paletted.getpalette() or [], (-1, 3))
    colours = "".join(
        "#{};2;{};{};{}".format(number, *level)
        for number, level in enumerate((levels * 100 / 255).round().astype(int))
    )
    pixels = np.asarray(paletted)
    bands = (_band(pixels[top : top + 6]) for top in range(0, image.height, 6))
    return f'\x1bP0;1q"1;1;{image.width};{image.height}{colours}{"-".join(bands)}\x1b\\'


def _band(pixels: np.ndarray) -> str:
    # For every colour, of each column of six pixels, which have it: a bit each.
    bits = np.zeros((256, pixels.shape[1]), np.uint8)
    for row, colours in enumerate(pixels):
        bits[colours, np.arange(len(colours))] |= 1 << row
    lines = []
    for colour in np.flatnonzero(bits.any(1)):
        text = (bits[colour] + ord("?")).tobytes().decode().rstrip("?")
        packed = re.sub(r"(.)\1{3,}", lambda run: f"!{len(run[0])}{run[1]}", text)
        lines.append(f"#{colour}{packed}")
    return "$".join(lines)


class Preview:
    """Shows pictures one over the other, below what the terminal shows already.

    The cursor then stands at the start of the line below the picture: there a progress bar
    may be drawn, if it stays on that line.

    Attributes:
        kind: how, one of ``KINDS``; with ``none`` nothing is ever shown.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        columns: int | None = None,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Find out what the terminal can show.

        Args:
            stream: where to; without it, standard error.
            columns: the most to take; without it, the terminal's.
            environ: see ``kind``.
            clock: says the time in seconds.

        Raises:
            UsageError: see ``kind``.
        """
        self.stream = stream or sys.stderr
        self.kind = kind(self.stream, environ)
        self.columns = columns
        self.clock = clock
        self._next = -math.inf
        self._shown = (0, 0)
        # Other programs may have pictures in the same window.
        self._number = 2 + 2 * secrets.randbelow(2**30)

    def show(self, picture: Picture, *, last: bool = False) -> None:
        """Draw a picture in place of the last one, unless that was only just drawn.

        Once a second is enough, or less often where drawing would take more than a fifth of
        the time.

        Args:
            picture: it, or what makes it, which is asked only if it will be drawn.
            last: draw it in any case; the next one will be drawn below it.
        """
        began = self.clock()
        if self.kind == "none" or (began < self._next and not last):
            return
        image = picture if isinstance(picture, Image.Image) else picture()
        try:
            self.stream.write("".join(self._drawn(image)))
            self.stream.flush()
        except OSError:  # the terminal is gone: what is painted must go on
            self.kind = "none"
        if last:
            self.let_go()
        ended = self.clock()
        self._next = ended + max(1.0, 4 * (ended - began))

    def let_go(self) -> None:
        """Leave the picture where it is: what is drawn or printed next comes below it."""
        self._shown = (0, 0)
        self._number += 2

    def _drawn(self, image: Image.Image) -> Iterator[str]:
        lines, width, cell = _terminal(self.stream)
        columns = min(self.columns or width, width - 1)
        # What is higher than the screen would scroll away from under the cursor.
        fitting = (lines - 2) * cell[0] * image.width // (image.height * cell[1])
        columns = max(1, min(columns, fitting))
        shape = extent(image, self.kind, columns, cell)
        yield "\r"
        if shape != self._shown:
            # Away with the last one, then make room, so that nothing scrolls while it is drawn.
            if self._shown[1]:
                yield f"\x1b[{self._shown[1]}A"
            yield "\x1b[J" + "\n" * shape[1]
        yield f"\x1b[{shape[1]}A\x1b7"
        # In kitty the new one covers the old before that goes: nothing flickers.
        old, self._number = self._number, self._number ^ 1
        yield encode(image, self.kind, columns, cell=cell, number=self._number)
        if self.kind == "kitty":
            yield f"\x1b_Ga=d,d=I,i={old},q=2\x1b\\"
        yield f"\x1b8\x1b[{shape[1]}B"
        self._shown = shape


def _terminal(stream: TextIO) -> tuple[int, int, Cell]:
    """Its lines, its columns and its characters' height and width in pixels."""
    try:
        import fcntl
        import struct
        import termios

        size = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, bytes(8))
        lines, columns, width, height = struct.unpack("4H", size)
    except (ImportError, OSError, ValueError):
        lines, columns, width, height = 24, 80, 0, 0
    if not (lines and columns):
        lines, columns = 24, 80
    cell = (height // lines, width // columns)
    return lines, columns, cell if all(cell) else CELL
