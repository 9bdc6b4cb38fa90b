"""Albums for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lucid.albums.album import Album
from lucid.albums.store import Store
from lucid.albums.task import Task


def make_tasks(count: int, **options: object) -> list[Task]:
    """Tasks of one picture for each seed."""
    return [
        Task(
            hashlib.sha256(str(seed).encode()).hexdigest()[:32],
            "draw",
            {"seed": seed, **options},
            {"seed": str(seed)},
            f"seed {seed}",
        )
        for seed in range(count)
    ]


def make_album(where: str | Path, tasks: Sequence[Task]) -> Album:
    """An album of tasks, of which nothing is painted."""
    return Album.write(Store(where), {"command": "draw"}, tasks, change=True)


def check_whole(album: Album) -> None:
    """Every picture is there, as its record says, and nothing else is."""
    import hashlib

    entries = [*album.entries()]
    assert [task.key for task, _ in entries] == [task.key for task in album.tasks()]
    for task, record in entries:
        assert record.files == {task.name: hashlib.sha256(album.store.read(task.name)).hexdigest()}
    assert album.store.folder is not None
    files = [*album.store.folder.rglob("files/**/*.*")]
    assert len(files) == len(entries)
    assert not [*album.store.folder.rglob("*.part")]
    assert not [*album.store.folder.glob(".parts/*")]
