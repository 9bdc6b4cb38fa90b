"""The picture that the studio keeps by itself, for ``lucid studio --resume``."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from lucid.errors import LucidError, UsageError
from lucid.imaging import recipes
from lucid.imaging.files import atomic_write
from lucid.reading import parse_json, read_text
from lucid.resources import cache_folder
from lucid.studio.document import Document

log = logging.getLogger("lucid")

PICTURE, PHOTO, NAMES = "picture.png", "photo", "photo.json"
"""The files of an autosave: the picture, its photograph, and the photograph's hash and name."""


def autosave_folder() -> Path:
    """Where the picture is kept."""
    return cache_folder() / "studio"


def save(document: Document, folder: Path) -> bool:
    """Keep a picture and its photograph; tell whether there was anything to keep."""
    if document.climb is None:
        return False
    settings = document.settings
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if settings.photo:
            with atomic_write(folder / PHOTO) as part:
                part.write_bytes(document.assets.path(settings.photo).read_bytes())
        with atomic_write(folder / NAMES) as part:
            part.write_text(json.dumps({"photo": settings.photo, "name": settings.photo_name}))
        with atomic_write(folder / PICTURE) as part:
            part.write_bytes(document.png())
    except (LucidError, OSError) as error:
        log.warning("the picture could not be saved: %s", error)
        return False
    return True


def resume(document: Document, folder: Path) -> None:
    """Take up a picture that was kept: its settings, and the edits that lead to it.

    Raises:
        LucidError: none was kept, or it cannot be read.
    """
    if not (folder / PICTURE).is_file():
        raise UsageError(f"{folder} holds no picture to resume: leave --resume out")
    named = parse_json(read_text(folder / NAMES), folder / NAMES)
    if isinstance(named, dict) and named.get("photo"):
        document.assets.upload(str(named["photo"]), (folder / PHOTO).read_bytes())
        changes = {"photo": named["photo"], "photo_name": named.get("name", "")}
        document.settings = document.settings.changed(changes, document.assets)
    document.recall(recipes.read(folder / PICTURE))
