"""The studio from Python: in a cell of a notebook, or behind a program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lucid.errors import UsageError

if TYPE_CHECKING:
    from lucid.studio.server import Studio


def studio(
    photo: str | Path | None = None,
    *,
    net: str = "lucid64",
    port: int = 0,
    folder: str | Path | None = None,
) -> Studio:
    """Open the studio: as the last line of a notebook's cell, the page is shown there.

    Args:
        photo: a photograph's file to begin with; None for an empty canvas.
        net: the net that paints.
        port: of the page; 0 for any that is free.
        folder: where the picture is saved automatically; None for the cache folder.

    Returns:
        The studio, which runs in the background until ``stop()``; ``url`` is its address,
        ``picture()`` the picture as it is now.

    Raises:
        UsageError: the port is taken, there is no such net, or the extra ``studio`` is missing.
        LucidError: the photograph cannot be read.
    """
    check_installed()
    from lucid.studio.server import Studio

    kept = None if folder is None else Path(folder)
    return Studio(photo, net=net, port=port, in_notebook=True, folder=kept).start()


def check_installed() -> None:
    """Raise a UsageError that says how to get what the page is served with, if that is missing."""
    try:
        import starlette
        import uvicorn
        import websockets
    except ImportError as error:
        raise UsageError(
            f"the studio needs {error.name}: pip install 'lucid-nightmare[studio]'"
        ) from None
    del starlette, uvicorn, websockets
