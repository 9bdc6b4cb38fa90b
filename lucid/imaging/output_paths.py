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
import time
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
def reserve(path: Path, *, wait: float = 0.3) -> Iterator[None]:
    """Keep other processes from writing a file, for a ``with`` statement.

    The file need not exist and is not touched. This process may reserve a file several times.

    Args:
        path: the file.
        wait: for how many seconds to wait for another process, which may only be tidying up.

    Raises:
        ReservedError: another process has reserved the file.
        UsageError: there is no such folder, or it cannot be written to.
    """
    from filelock import Timeout

    target = follow_links(path)
    if not target.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}")
    hidden = _hidden(target, ".lock")
    lock = _lock(hidden)
    first = not lock.is_locked
    try:
        if first and _is_broken(hidden):
            hidden.unlink(missing_ok=True)
        lock.acquire(timeout=wait, poll_interval=0.02)
    except Timeout:
        holder = lock.pid
        raise ReservedError(
            f"{path}: another lucid{f' (process {holder})' if holder else ''} is writing this "
            f"file: wait for it, or give another name. If none is, delete {hidden}"
        ) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be written there ({error.strerror or error})") from error
    try:
        if first:
            _delete_parts(hidden)
            _sweep(target.parent)
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
            if abandoned:
                _delete_parts(path)


def _delete_parts(lock: Path) -> None:
    """Delete the temporary files that belong to a lock which this process holds."""
    for part in lock.parent.glob(f"{lock.stem}-*.part"):
        part.unlink(missing_ok=True)


def _is_broken(lock: Path) -> bool:
    """Tell whether a lock has been empty for a minute, as after a power failure."""
    try:
        found = lock.stat()
    except OSError:
        return False
    return found.st_size == 0 and time.time() - found.st_mtime > 60


@contextlib.contextmanager
def _abandoned(path: Path) -> Iterator[bool]:
    """Tell whether a lock's process has ended; if so, hold the lock for a ``with`` statement."""
    from filelock import Timeout

    lock = _lock(path)
    if lock.is_locked or process_runs(lock.pid):
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


def process_runs(process: int | None) -> bool:
    """Tell whether a process of this number runs, as far as that can be known at no cost."""
    if process is None:  # the lock has just been released
        return True
    if os.name == "nt":  # where os.kill would end the process
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


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
