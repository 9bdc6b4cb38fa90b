"""Paths of output files: number them, reserve them, and clear away what killed processes left.

A reserved file has a lock beside it, a hidden file that names the process which holds it
(``filelock.SoftFileLock``). What is written first goes to a temporary file of the same hidden name.
So a lock whose process has ended tells which temporary files nobody needs any more.

Commands import this module as soon as they start, so it imports what takes time where it is used.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Container, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lucid.errors import UsageError

if TYPE_CHECKING:
    from filelock import SoftFileLock

PREFIX = ".lucid-"
"""Start of the names of locks and temporary files, which are short whatever the output's name."""

MAX_STEM = 200
"""Bytes of the longest stem of a numbered file."""


class ReservedError(UsageError):
    """Another process is writing the file."""


def follow_links(path: Path) -> Path:
    """Return the absolute path of the file that is written under a name: where links lead."""
    return Path(os.path.realpath(path))


def exists(path: Path) -> bool:
    """Tell whether there is a file, a folder or a link, even one that leads nowhere.

    Raises:
        UsageError: there cannot be one: the name is too long, or its folder cannot be read.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be written ({reason})") from error
    return True


def free_paths(stem: str, folder: Path = Path(), suffix: str = ".png") -> Iterator[Path]:
    """Iterate over the unused paths among ``stem_0000.png``, ``stem_0001.png`` and so on.

    A long stem is cut, because names have up to 255 bytes, and some need room for an addition.
    """
    while len(os.fsencode(stem)) > MAX_STEM:
        stem = stem[:-1]
    numbered = (folder / f"{stem}_{number:04d}{suffix}" for number in itertools.count())
    return (path for path in numbered if not exists(path))


def next_free_path(
    stem: str, folder: Path = Path(), suffix: str = ".png", taken: Container[Path] = ()
) -> Path:
    """Find the first of ``free_paths`` that is not taken."""
    return next(path for path in free_paths(stem, folder, suffix) if path not in taken)


@contextlib.contextmanager
def reserve(path: Path) -> Iterator[None]:
    """Keep other processes from writing a file, for a ``with`` statement.

    The file need not exist and is not touched. This process may reserve a file several times.

    Raises:
        ReservedError: another process has reserved the file.
        UsageError: the folder cannot be written to.
    """
    from filelock import Timeout

    path = follow_links(path)
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}")
    lock = _lock(_hidden(path, ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        holder = f" (process {lock.pid})" if lock.pid else ""
        raise ReservedError(
            f"{path}: another lucid is writing this file{holder}: wait for it, or give another name"
        ) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be written there ({error.strerror or error})") from error
    try:
        _sweep(path.parent)
        yield
    finally:
        lock.release()


def temporary_path(path: Path) -> Path:
    """Return a path for the next content of a file, beside it."""
    import secrets

    return _hidden(path, f"-{secrets.token_hex(4)}.part")


def _lock(path: Path) -> SoftFileLock:
    from filelock import SoftFileLock

    # All threads of a process share one lock, which counts how often it is held.
    return SoftFileLock(path, thread_local=False, is_singleton=True)


def _hidden(path: Path, ending: str) -> Path:
    import hashlib

    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f"{PREFIX}{name}{ending}")


def _sweep(folder: Path) -> None:
    """Delete the locks and temporary files of processes that have ended."""
    for path in folder.glob(f"{PREFIX}*.lock"):
        with _abandoned(path) as abandoned:
            for part in folder.glob(f"{path.stem}-*.part") if abandoned else ():
                part.unlink(missing_ok=True)


@contextlib.contextmanager
def _abandoned(path: Path) -> Iterator[bool]:
    """Tell whether a lock's process has ended; if so, hold the lock for a ``with`` statement."""
    from filelock import Timeout

    lock = _lock(path)
    if lock.is_locked:  # by this process
        yield False
        return
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):  # its process runs, or the file is another user's
        yield False
        return
    try:
        yield True
    finally:
        with contextlib.suppress(OSError):  # another process may clear away the same
            lock.release()


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a temporary folder for a ``with`` statement; delete those of processes that ended."""
    import shutil
    import tempfile

    for old in Path(tempfile.gettempdir()).glob("lucid-*/lock"):
        with _abandoned(old) as abandoned:
            if abandoned:
                shutil.rmtree(old.parent, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(prefix="lucid-", ignore_cleanup_errors=True) as folder,
        _lock(Path(folder) / "lock").acquire(timeout=0),
    ):
        yield Path(folder)
