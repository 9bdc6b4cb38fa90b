"""Videos and sounds, which PyAV reads and writes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lucid.errors import LucidError, UsageError
from lucid.reading import check_regular


def import_av() -> Any:
    """Import the optional PyAV library; a UsageError says how to get it."""
    try:
        import av
    except ImportError:
        raise UsageError(
            "videos need PyAV: pip install 'lucid-nightmare[video]', or end the name in .gif"
        ) from None
    return av


@contextlib.contextmanager
def open_av(path: Path, failure: str) -> Iterator[Any]:
    """Open a video or sound file.

    Args:
        path: the file.
        failure: what to say of a file that cannot be read, in here or while it is open.

    Raises:
        LucidError: the file cannot be read.
    """
    av = import_av()
    check_regular(path)
    try:
        with av.open(str(path)) as container:
            yield container
    except (av.FFmpegError, IndexError, OSError) as error:
        raise LucidError(f"{path}: {failure} ({error})") from error
