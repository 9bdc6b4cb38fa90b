"""Albums of small pictures, for tests."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from lucid.albums.album import Album, Record, add_record
from lucid.albums.store import Store
from lucid.albums.task import Task, task_key


def png(size: tuple[int, int] = (48, 32), colour: str = "orange") -> bytes:
    """A picture of one colour."""
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, "PNG")
    return content.getvalue()


@dataclass
class Painted:
    """What is to be in an album, and its file; None for a picture that is not there yet."""

    options: Mapping[str, Any]
    content: bytes | None = field(default_factory=png)
    caption: str = ""
    axes: Mapping[str, Any] = field(default_factory=dict)
    suffix: str = ".png"
    seconds: float = 2.5

    @property
    def task(self) -> Task:
        key = task_key("draw", self.options, "", {})
        return Task(key, "draw", self.options, self.axes, self.caption, self.suffix)


def make_album(where: Path | str, pictures: Sequence[Painted]) -> Album:
    """An album in a store, painted as far as there are pictures."""
    store = Store(where)
    album = Album.write(store, {"command": "draw"}, [each.task for each in pictures])
    for each in pictures:
        if each.content is not None:
            paint(album, each)
    return album


def paint(album: Album, picture: Painted, time: float = 1_790_000_000.0) -> None:
    """Add a picture to an album."""
    task, content = picture.task, picture.content or b""
    album.store.write(task.name, content)
    files = {task.name: hashlib.sha256(content).hexdigest()}
    record = Record(task.key, files, picture.seconds, "easel", "cpu", {}, time)
    add_record(album.store, task, record)


def classes_and_seeds(classes: Sequence[str], seeds: int, **settings: Any) -> list[Painted]:
    """A picture of each class with each seed."""
    return [
        Painted(
            {"net": "lucid64", "class": [name], "seed": seed},
            caption=f"{name}, seed {seed}",
            axes={"class": name, "seed": seed},
            **settings,
        )
        for name in classes
        for seed in range(seeds)
    ]
