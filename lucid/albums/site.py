"""A web page of an album, which needs no server: open its index.html."""

from __future__ import annotations

import html
import io
import logging
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from lucid.albums.album import Album
from lucid.albums.pictures import first_frame, local_file
from lucid.albums.site_data import Look, SiteData, earlier_looks, made_at
from lucid.albums.store import Store, StoreError
from lucid.albums.task import Task
from lucid.errors import LucidError, Stop, tell
from lucid.imaging.recipes import versions
from lucid.resources import PACKAGE

log = logging.getLogger("lucid")

PAGE = PACKAGE / "albums" / "page"
"""The page's own files, which are the same in all albums."""

INDEX = "index.html"
DATA = "page/pictures.js"

WIDTHS = (320, 640)
"""Pixels across of the thumbnails, as far as the picture has so many."""

LONGEST = 3
"""The longest side of a thumbnail as a multiple of the other: of a longer picture it is a part."""

QUALITY = {"quality": 82, "method": 4}


def write_site(album: Album, *, watch: Callable[..., object] | None = None) -> Path | str:
    """Write a page that shows the pictures of an album, into the album's own store.

    It can be searched, and shows each picture with its recipe and the command that makes it again.
    It works from a folder and from any web server, and loads nothing from elsewhere. Pictures that
    come later are on it when it is written again; thumbnails that are there are kept. A picture
    that cannot be read has a tile without one, and a line in the log.

    Args:
        album: whose pictures these are; it may be painted meanwhile.
        watch: called after each picture with their number so far and in all; the page has the
            pictures so far if it returns False.

    Returns:
        The path of the page's ``index.html``, or its URL.

    Raises:
        StoreError: the store cannot be read or written.
    """
    store, data = album.store, SiteData()
    try:
        earlier = earlier_looks(store.read(DATA))
    except FileNotFoundError:
        earlier = {}
    thumbnails = Thumbnails(store)
    done = album.done_keys()
    try:
        for number, (task, record) in enumerate(album.entries(done), start=1):
            made, look = earlier.pop(task.key, (None, Look()))
            changed = made is not None and made != made_at(record)
            if changed or not thumbnails.there(task, look.thumbs):
                look = _look(task, thumbnails, again=changed)
            data.add(task, record, look)
            tell(watch, number, len(done))
    except Stop:
        pass
    title = album_name(store)
    for file in sorted(PAGE.iterdir()):
        if file.name != INDEX:
            _send(store, f"page/{file.name}", file.read_bytes())
    script = data.script(
        title=title, wanted=album.count, written=int(time.time()), by=f"lucid {versions()['lucid']}"
    )
    _send(store, DATA, script)
    text = (PAGE / INDEX).read_text(encoding="utf-8").replace("$TITLE", html.escape(title))
    _send(store, INDEX, text.encode(errors="replace"))
    return f"{store.url.rstrip('/')}/{INDEX}" if store.folder is None else store.folder / INDEX


def album_name(store: Store) -> str:
    """The name of an album: that of its folder."""
    if store.folder is not None:
        return store.folder.resolve().name or "album"
    return store.url.rstrip("/").rpartition("/")[2]


class Thumbnails:
    """The small pictures of a page, ``thumbs/ab/KEY_320.webp``."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._names: dict[str, set[str]] = {}  # those there, by their folder

    def there(self, task: Task, count: int) -> bool:
        """Tell whether a picture has at least so many thumbnails, and at least one."""
        names = [self._name(task, width) for width in WIDTHS[:count]]
        return bool(names) and all(name in self._there(task) for name in names)

    def make(self, task: Task, image: Image.Image, *, again: bool) -> int:
        """Make those thumbnails of a picture that are not there, or all of them; return how many.

        Raises:
            StoreError: they cannot be written.
        """
        image = _middle(image)
        widths = [
            width for at, width in enumerate(WIDTHS) if not at or image.width > WIDTHS[at - 1]
        ]
        for width in widths:
            if again or self._name(task, width) not in self._there(task):
                self._write(task, image, width)
        return len(widths)

    def _write(self, task: Task, image: Image.Image, width: int) -> None:
        across = min(width, image.width)
        size = across, max(1, round(image.height * across / image.width))
        small = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        content = io.BytesIO()
        small.save(content, "WEBP", **QUALITY)
        name = self._name(task, width)
        _send(self.store, f"thumbs/{task.key[:2]}/{name}", content.getvalue())

    def _there(self, task: Task) -> set[str]:
        folder = task.key[:2]
        if folder not in self._names:
            self._names[folder] = {*self.store.names(f"thumbs/{folder}")}
        return self._names[folder]

    @staticmethod
    def _name(task: Task, width: int) -> str:
        return f"{task.key}_{width}.webp"


def _look(task: Task, thumbnails: Thumbnails, *, again: bool) -> Look:
    """Read a picture's file and see to its thumbnails."""
    try:
        with local_file(thumbnails.store, task.name) as path:
            image, moves = first_frame(path)
    except StoreError:
        raise
    except LucidError as error:
        log.warning("%s", error)
        return Look()
    count = thumbnails.make(task, image, again=again)
    return Look(image.width, image.height, count, moves)


def _middle(image: Image.Image) -> Image.Image:
    """The middle of a picture that is too long for a thumbnail; another picture itself."""
    width = min(image.width, image.height * LONGEST)
    height = min(image.height, image.width * LONGEST)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _send(store: Store, name: str, content: bytes) -> None:
    """Write a file; storage elsewhere is told its kind, as a web server is, by its suffix."""
    if store.folder is not None:
        store.write(name, content)
        return
    with store.staging(name) as folder:
        part = folder / name.rpartition("/")[2]
        part.write_bytes(content)
        store.put(name, part)
