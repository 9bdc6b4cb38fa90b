"""The picture that the studio keeps by itself, for ``lucid studio --resume``."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection
from pathlib import Path

from lucid.errors import LucidError, UsageError
from lucid.imaging import recipes
from lucid.imaging.files import atomic_write
from lucid.resources import cache_folder
from lucid.studio.document import Document

log = logging.getLogger("lucid")

PICTURE = "picture.png"
"""The file of the picture; those that it was painted on lie beside it, named by their hashes."""


def autosave_folder() -> Path:
    """Where the picture is kept."""
    return cache_folder() / "studio"


def save(document: Document, folder: Path) -> bool:
    """Keep a picture and what it was painted on; tell whether there was anything to keep."""
    if document.climb is None:
        return False
    needed = {digest for digest in (document.begun.photo, document.begun.guide) if digest}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for digest in needed:
            if not (folder / digest).exists():
                with atomic_write(folder / digest) as part:
                    part.write_bytes(document.assets.path(digest).read_bytes())
        # The recipe in the picture names them, so the picture comes last.
        with atomic_write(folder / PICTURE) as part:
            part.write_bytes(document.png())
        for path in folder.iterdir():
            if len(path.name) == 64 and path.name not in needed:
                path.unlink()
    except (LucidError, OSError) as error:
        log.warning("the picture could not be saved: %s", error)
        return False
    return True


def resume(document: Document, folder: Path, nets: Collection[str]) -> None:
    """Take up a picture that was kept: its settings, and the edits that lead to it.

    Raises:
        LucidError: none was kept, it cannot be read, or its net is none of ``nets``.
    """
    picture = folder / PICTURE
    if not picture.is_file():
        raise UsageError(f"{folder} holds no picture to resume: leave --resume out")
    recipe = recipes.read(picture)
    if (net := recipe.options.get("net", "lucid64")) not in nets:
        raise UsageError(f"{picture} was painted by the net {net}: give --net {net}, too")
    for digest in map(str, recipe.made.get("files", {}).values()):
        with contextlib.suppress(OSError):  # recall says which picture is missing
            document.assets.upload(digest, (folder / digest).read_bytes())
    document.recall(recipe)
