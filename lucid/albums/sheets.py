"""Contact sheets of an album: one picture, or a PDF to print."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from lucid.albums.album import Album
from lucid.albums.pictures import first_frame, local_file
from lucid.albums.site import album_name
from lucid.albums.store import Store, StoreError
from lucid.errors import LucidError, UsageError, tell
from lucid.imaging.contact_sheet import FONT_SIZE, Labels, contact_sheet, load_font
from lucid.imaging.files import MAX_PIXELS, atomic_write, check_path
from lucid.imaging.io import write_image
from lucid.imaging.output_paths import exists

log = logging.getLogger("lucid")

SUFFIXES = (".png", ".pdf")

MAX_SIDE = 65_000
"""Pixels of the longest side of a sheet that is one picture; other programs open no longer ones."""

GAP = 12
"""Pixels between the cells."""

ABOVE = 2
"""Pixels between a cell and its caption."""

MAX_LINES = 3
"""Lines of a caption; the end of a longer one is left out."""

DPI = 150
PAGE = (1240, 1754)
"""Width and height of an A4 page in pixels."""

MARGIN = 75
"""Pixels around what is on a page: half an inch."""

TITLE, SMALL = 30, 16
"""Height in pixels of a page's letters: those of the title, and all others."""

HEAD, FOOT = 56, 34
"""Pixels that the title and the number of a page take, with the space beside the pictures."""


def write_sheet(
    album: Album,
    path: Path,
    *,
    columns: int | None = None,
    side: int = 224,
    replace: bool = False,
    watch: Callable[..., object] | None = None,
) -> Path:
    """Write a contact sheet of the pictures of an album that are there, with their captions.

    Films are shown by their first frame. A picture that cannot be read has an empty cell, and a
    line in the log.

    Args:
        album: whose pictures these are; it may be painted meanwhile.
        path: a ``.png`` file, one picture with all of them; or a ``.pdf`` file of A4 pages.
        columns: pictures in a row; None for about as many as there are rows, where those of the
            last axis stand side by side, or as many as fit on a page.
        side: pixels of a cell, in which a picture is fitted; on a page the cells are enlarged until
            they fill its width, or shrunk where ``columns`` are too many.
        replace: whether to replace an existing file.
        watch: called after each picture with their number so far and in all.

    Returns:
        The file.

    Raises:
        UsageError: the file's name, the number of columns or the side have no valid meaning, or the
            sheet would be too large for one picture.
        LucidError: no picture is there, the file cannot be written, or it exists and is not to be
            replaced.
        Stop: the watch function returned False; nothing is written.
    """
    check_sheet(path, replace=replace)
    suffix = path.suffix.lower()
    if side < 16:
        raise UsageError(f"side={side} is too small: 16 pixels or more can be seen")
    if columns is not None and columns < 1:
        raise UsageError(f"columns={columns} must be 1 or more")
    names, captions, last = [], [], set()
    done = album.done_keys()
    for task in album.tasks():
        if bytes.fromhex(task.key) in done:
            names.append(task.name)
            captions.append(task.caption)
            last.add([*task.axes.values()][-1] if task.axes else None)
    if not names:
        raise LucidError(f"{album.store.url}: no picture of this album is there yet")
    if suffix == ".pdf":
        columns = columns or max(1, (PAGE[0] - 2 * MARGIN + GAP) // (side + GAP))
        side = (PAGE[0] - 2 * MARGIN + GAP) // columns - GAP
        if side < 16:
            raise UsageError(f"columns={columns} are too many for a page: give fewer")
    paper, size = ("white", SMALL) if suffix == ".pdf" else ("black", FONT_SIZE)
    cells = Cells(album.store, names, side, paper, watch, total=len(names))
    labels = Labels.fit(captions, side - 2, size=size, most=MAX_LINES, above=ABOVE)
    if suffix == ".png":
        columns = min(columns or _columns(len(names), len(last)), len(names))
        _write_picture(path, cells, labels, columns, replace=replace)
    else:
        _write_pages(path, cells, labels, columns or 1, album_name(album.store), replace=replace)
    return path


def _columns(count: int, together: int) -> int:
    """About as many columns as rows, where so many pictures that belong together share a row."""
    square = math.sqrt(count)
    return together * max(1, round(square / together)) if together <= square else math.ceil(square)


def check_sheet(path: Path, *, replace: bool = False) -> None:
    """Refuse, before long work, a file that no sheet can be written to.

    Raises:
        UsageError: its name has another suffix, or it is a folder.
        LucidError: it exists and is not to be replaced.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: end the name in .png, for one picture, or .pdf, for pages")
    check_path(path)
    if not replace and exists(path):
        raise LucidError(f"{path} exists: give another name, --force, or replace=True")


@dataclass(frozen=True)
class Cells(Sequence[Image.Image]):
    """Pictures of an album, each read and fitted in a square when it is asked for.

    Attributes:
        store: that they are read from.
        names: of their files there.
        side: pixels of the square.
        paper: its colour.
        watch: called after each picture, when all are gone through.
        before: number of pictures that were gone through before these.
        total: number of pictures to go through.
    """

    store: Store
    names: Sequence[str]
    side: int
    paper: str
    watch: Callable[..., object] | None = None
    before: int = 0
    total: int = 0

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._cell(name) for name in self.names[index]]
        return self._cell(self.names[index])

    def __iter__(self) -> Iterator[Image.Image]:
        for number, name in enumerate(self.names, start=self.before + 1):
            yield self._cell(name)
            tell(self.watch, number, self.total)

    def part(self, start: int, stop: int) -> Cells:
        """Some of the pictures."""
        return replace_fields(self, names=self.names[start:stop], before=start)

    def _cell(self, name: str) -> Image.Image:
        cell = Image.new("RGB", (self.side, self.side), self.paper)
        try:
            with local_file(self.store, name) as path:
                image, _ = first_frame(path)
        except StoreError:
            raise
        except LucidError as error:
            log.warning("%s", error)
            return cell
        scale = self.side / max(image.size)
        width, height = (max(1, round(scale * each)) for each in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
        place = ((self.side - width) // 2, self.side - height)  # its caption is below
        cell.paste(image, place, image if image.mode == "RGBA" else None)
        return cell


def _write_picture(
    path: Path, cells: Cells, labels: Labels, columns: int, *, replace: bool
) -> None:
    """Write one picture of all cells."""
    width = columns * (cells.side + GAP) - GAP
    height = math.ceil(len(cells) / columns) * (cells.side + labels.height + GAP) - GAP
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise UsageError(
            f"{path}: a sheet of {len(cells):,} pictures would have {width}x{height} pixels, which "
            "few programs open: give a name that ends in .pdf, or a smaller side"
        )
    sheet = contact_sheet(cells, columns=columns, labels=labels, gap=GAP)
    write_image(sheet, path, replace=replace)


def _write_pages(
    path: Path, cells: Cells, labels: Labels, columns: int, title: str, *, replace: bool
) -> None:
    """Write a PDF, of which one page at a time is in memory."""
    room = PAGE[1] - 2 * MARGIN - HEAD - FOOT
    per_page = columns * max(1, (room + GAP) // (cells.side + labels.height + GAP))
    count = math.ceil(len(cells) / per_page)

    def draw(number: int) -> Image.Image:
        start, stop = number * per_page, (number + 1) * per_page
        part, texts = cells.part(start, stop), labels.part(start, stop)
        sheet = contact_sheet(
            part, columns=columns, labels=texts, gap=GAP, paper="white", ink="black"
        )
        page = Image.new("RGB", PAGE, "white")
        page.paste(sheet, (MARGIN, MARGIN + HEAD))
        canvas = ImageDraw.Draw(page)
        heading = Labels.fit([title], PAGE[0] - 2 * MARGIN, size=TITLE, most=1)
        canvas.text((MARGIN, MARGIN), heading.lines[0][0], fill="black", font=heading.font)
        place = (PAGE[0] - MARGIN, PAGE[1] - MARGIN)
        canvas.text(
            place, f"{number + 1} / {count}", fill="#555", font=load_font(SMALL), anchor="rs"
        )
        return page

    book = Book(draw, count)
    with atomic_write(path, replace=replace) as part:
        book.save(part, "PDF", save_all=True, resolution=DPI, title=title, quality=85)


class Book(Image.Image):
    """Pages that are drawn one at a time: to Pillow an image of several frames.

    Pillow's PDF writer takes a list of pages as well, of which it keeps all in memory.

    Attributes:
        n_frames: number of pages.
    """

    def __init__(self, draw: Callable[[int], Image.Image], count: int) -> None:
        super().__init__()
        blank = Image.new("RGB", PAGE)
        self.im, self._mode, self._size = blank.im, blank.mode, blank.size
        self.n_frames = count
        self._draw = draw

    def seek(self, frame: int) -> None:
        """Draw a page.

        Raises:
            EOFError: there are fewer pages.
        """
        if frame >= self.n_frames:
            raise EOFError(f"there is no page {frame + 1}")
        self.paste(self._draw(frame))
