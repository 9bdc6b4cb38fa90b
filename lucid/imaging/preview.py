"""Show an image in the terminal while it is painted.

Terminals with a graphics protocol (kitty, iTerm2, sixel) show the pixels; others show coloured
half blocks, two pixels in a character cell.
"""

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
from lucid.imaging import Size

PROTOCOLS = ("kitty", "iterm2", "sixel", "blocks", "none")

RESPONSE_TIMEOUT = 0.3
"""Seconds to wait for a terminal's answer, which may come over a slow connection."""

DEFAULT_CELL = (20, 10)
"""Height and width of a character cell in pixels, if the terminal does not report them: those of
the VT340, the first terminal with sixels."""


def detect_protocol(  # noqa: PLR0911
    stream: TextIO | None, environ: Mapping[str, str]
) -> str:
    """Find out how a stream can show images: one of ``PROTOCOLS``.

    The variable ``LUCID_PREVIEW`` names the protocol; otherwise the protocol follows from the
    variables that terminals set; otherwise the terminal is asked whether it supports sixel. A
    stream that is closed (None) or is not a terminal shows nothing. A wrong ``LUCID_PREVIEW`` is a
    UsageError.
    """
    if stream is None:
        return "none"
    wanted = environ.get("LUCID_PREVIEW")
    if wanted:
        if wanted not in PROTOCOLS:
            raise UsageError(f"LUCID_PREVIEW={wanted}: must be {', '.join(PROTOCOLS[:-1])} or none")
        return wanted
    term = environ.get("TERM", "")
    if not stream.isatty() or term == "dumb":
        return "none"
    # tmux and screen pass on the variables of the terminal around them, but not its graphics.
    if "TMUX" not in environ and not term.startswith(("screen", "tmux")):
        program = environ.get("TERM_PROGRAM", "")
        # WezTerm knows kitty's protocol too, but answers even if told not to.
        if program in ("iTerm.app", "WezTerm", "mintty") or environ.get("LC_TERMINAL") == "iTerm2":
            return "iterm2"
        kitty = "KITTY_WINDOW_ID" in environ or term in ("xterm-kitty", "xterm-ghostty")
        if kitty or program == "ghostty":
            return "kitty"
    if term.startswith(("foot", "mlterm", "yaft")) or _supports_sixel(stream):
        return "sixel"
    utf8 = "utf" in (stream.encoding or "").lower()
    return "blocks" if utf8 and not environ.get("NO_COLOR") else "none"


def _supports_sixel(stream: TextIO) -> bool:
    """Ask the terminal for its attributes (DA1), of which number 4 is sixel."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        return False
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    stdin = sys.stdin.fileno()
    try:
        # The system stops a background process that changes the terminal's settings.
        if os.tcgetpgrp(stdin) != os.getpgrp():
            return False
    except OSError:  # a terminal, but not the controlling one
        return False
    settings = termios.tcgetattr(stdin)
    answer, match = b"", None
    end = time.monotonic() + RESPONSE_TIMEOUT
    try:
        tty.setcbreak(stdin, termios.TCSANOW)  # neither echo the answer nor wait for Enter
        stream.write("\x1b[c")
        stream.flush()
        while not match and select.select([stdin], [], [], max(0, end - time.monotonic()))[0]:
            answer += os.read(stdin, 1)
            match = re.search(rb"\x1b\[\?([\d;]*)c", answer)
    finally:
        termios.tcsetattr(stdin, termios.TCSANOW, settings)
    return match is not None and b"4" in match[1].split(b";")


def encode(
    image: Image.Image, protocol: str, columns: int, *, cell: Size = DEFAULT_CELL, image_id: int = 1
) -> str:
    """Encode an image as text and escape sequences that fill at most ``columns`` character cells.

    A large image is shrunk, a small one not enlarged. ``cell`` is the height and width of a
    character cell in pixels; kitty gives the image the number ``image_id``.
    """
    columns, rows = size_in_cells(image, protocol, columns, cell)
    image = image.convert("RGB")
    if protocol == "blocks":
        return _encode_blocks(image, columns, cell)
    image.thumbnail((columns * cell[1], rows * cell[0]))
    if protocol == "sixel":
        return _encode_sixel(image)
    if protocol == "none":
        return ""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)  # five times as fast, and a sixth larger
    payload = base64.b64encode(file.getvalue()).decode()
    if protocol == "iterm2":
        options = f"size={len(file.getvalue())};width={columns};height={rows}"
        return f"\x1b]1337;File=inline=1;{options}:{payload}\a"
    # a=T: show at once; C=1: do not move the cursor; q=2: send no answer; m=1: more follows.
    first_keys = f"a=T,f=100,i={image_id},C=1,q=2,"
    chunks = [payload[start : start + 4096] for start in range(0, len(payload), 4096)]
    return "".join(
        f"\x1b_G{'' if number else first_keys}m={int(number < len(chunks) - 1)};{chunk}\x1b\\"
        for number, chunk in enumerate(chunks)
    )


def size_in_cells(
    image: Image.Image, protocol: str, columns: int, cell: Size = DEFAULT_CELL
) -> tuple[int, int]:
    """Compute the columns and rows of character cells that an encoded image covers."""
    height, width = cell
    if protocol == "blocks":  # a pixel is as wide as a cell
        columns = min(columns, image.width)
        shown_width = columns * width
    else:
        columns = min(columns, math.ceil(image.width / width))
        shown_width = min(columns * width, image.width)
    return columns, max(1, math.ceil(shown_width * image.height / image.width / height))


def _encode_blocks(image: Image.Image, columns: int, cell: Size) -> str:
    """Encode two rows of pixels as a line of upper half blocks on a coloured background."""
    height, width = cell
    rows = math.ceil(2 * (columns * width * image.height / image.width / height))
    pixels = np.asarray(image.resize((columns, rows), Image.Resampling.LANCZOS))
    if rows % 2:
        pixels = np.concatenate([pixels, pixels[-1:]])
    lines = []
    for upper_row, lower_row in zip(pixels[::2].tolist(), pixels[1::2].tolist(), strict=True):
        last, line = None, ""
        for colours in zip(upper_row, lower_row, strict=True):
            if colours != last:
                last, (upper, lower) = colours, colours
                line += "\x1b[38;2;{};{};{};48;2;{};{};{}m".format(*upper, *lower)
            line += "▀"
        lines.append(f"{line}\x1b[0m")
    return "\n".join(lines)


def _encode_sixel(image: Image.Image) -> str:
    """Encode DEC sixels: bands of six rows, each drawn once for every colour in the band."""
    # Finding a palette for all pixels takes seconds, and is hardly better.
    sample = image.resize((min(image.width, 128), min(image.height, 128)), Image.Resampling.NEAREST)
    paletted = image.quantize(palette=sample.quantize(256), dither=Image.Dither.NONE)
    levels = np.reshape(paletted.getpalette() or [], (-1, 3))
    palette = "".join(
        "#{};2;{};{};{}".format(number, *level)
        for number, level in enumerate((levels * 100 / 255).round().astype(int))
    )
    pixels = np.asarray(paletted)
    bands = (_encode_band(pixels[top : top + 6]) for top in range(0, image.height, 6))
    return f'\x1bP0;1q"1;1;{image.width};{image.height}{palette}{"-".join(bands)}\x1b\\'


def _encode_band(pixels: np.ndarray) -> str:
    # bits[colour, x]: one bit for each of the six pixels in column x that have the colour.
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
    """An image in the terminal that is replaced in place by the next one.

    The cursor is left at the start of the line below the image. The caller may write to that
    line, such as a progress bar, but not beyond its end.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        columns: int | None = None,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Detect the protocol of the stream, by default standard error; columns limit the width."""
        self.stream = stream or sys.stderr
        self.protocol = detect_protocol(self.stream, environ)
        self.columns = columns
        self.clock = clock
        self._next_time = -math.inf
        self._shown = (0, 0)
        # Other programs may show kitty images in the same window under low numbers.
        self._image_id = 2 + 2 * secrets.randbelow(2**30)

    def show(self, image: Image.Image | Callable[[], Image.Image], *, last: bool = False) -> None:
        """Replace the image in the terminal, unless the last image was drawn too recently.

        Images are drawn once a second, or less often if drawing would take more than a fifth of the
        time. A function given as the image is called only if the image is drawn. The ``last`` image
        is always drawn, and stays: the next one appears below.
        """
        start = self.clock()
        if self.protocol == "none" or (start < self._next_time and not last):
            return
        drawn = image if isinstance(image, Image.Image) else image()
        try:
            self.stream.write("".join(self._output(drawn)))
            self.stream.flush()
        except OSError:  # the terminal was closed; painting continues
            self.protocol = "none"
        if last:
            self.release()
        end = self.clock()
        self._next_time = end + max(1.0, 4 * (end - start))

    def release(self) -> None:
        """Keep the image in the terminal: later output appears below it."""
        self._shown = (0, 0)
        self._image_id += 2

    def _output(self, image: Image.Image) -> Iterator[str]:
        """Make the output that replaces the last image by the next."""
        lines, width, cell = _terminal_size(self.stream)
        columns = min(self.columns or width, width - 1)
        # An image higher than the screen would scroll.
        fitting = (lines - 2) * cell[0] * image.width // (image.height * cell[1])
        columns = max(1, min(columns, fitting))
        size = size_in_cells(image, self.protocol, columns, cell)
        yield "\r"
        if size != self._shown:
            # Erase the last image, then make room, so that nothing scrolls during drawing.
            if self._shown[1]:
                yield f"\x1b[{self._shown[1]}A"
            yield "\x1b[J" + "\n" * size[1]
        yield f"\x1b[{size[1]}A\x1b7"
        # kitty deletes the last image after the next one has covered it, which avoids flicker.
        old, self._image_id = self._image_id, self._image_id ^ 1
        yield encode(image, self.protocol, columns, cell=cell, image_id=self._image_id)
        if self.protocol == "kitty":
            yield f"\x1b_Ga=d,d=I,i={old},q=2\x1b\\"
        yield f"\x1b8\x1b[{size[1]}B"
        self._shown = size


def _terminal_size(stream: TextIO) -> tuple[int, int, Size]:
    """Return a terminal's lines, columns, and the height and width of its cells in pixels."""
    lines = columns = height = width = 0
    try:
        import fcntl
        import struct
        import termios

        size = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, bytes(8))
        lines, columns, width, height = struct.unpack("4H", size)
    except (ImportError, OSError, ValueError):
        pass
    if not (lines and columns):
        lines, columns = 24, 80
    cell = (height // lines, width // columns)
    return lines, columns, cell if all(cell) else DEFAULT_CELL
