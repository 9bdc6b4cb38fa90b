"""Where an album's files lie: a folder, or any storage that fsspec knows, such as S3."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import re
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from lucid.errors import LucidError, UsageError
from lucid.imaging.output_paths import process_runs

PARTS = ".parts"
"""The folder of unfinished files, beside the finished ones: a file is renamed at no cost there."""

TRIES = 4
"""How often an operation is tried on a storage that may fail for a moment."""

FIRST_PAUSE = 0.2
"""Seconds before the second try; each further pause is three times as long."""

LASTING = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError)
"""Errors that no second try mends."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of errors of a disk without room."""

Result = TypeVar("Result")


class StoreError(LucidError):
    """A store cannot be read or written; no picture is to blame."""


@functools.cache
def _machine() -> str:
    """A word for this machine, since its last start, and this container on it."""
    parts = [socket.gethostname(), hex(uuid.getnode())]
    for file in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with contextlib.suppress(OSError):
            path = Path(file)
            parts.append(os.readlink(path) if path.is_symlink() else path.read_text())
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]


class Store:
    """The files of an album.

    A name is a path with slashes below the store. A file is either there whole or not at all: in a
    folder it is written under another name and renamed, and an object store such as S3 takes it in
    one request.

    Attributes:
        url: the folder's path, or a URL such as ``s3://bucket/birds``, to be shown: a name and a
            password in it are left out.
        folder: the folder; None of a URL.
    """

    def __init__(self, url: str | Path) -> None:
        """Open a store, which need not exist.

        Raises:
            UsageError: no package is installed that knows this kind of URL.
        """
        whole = str(url).removeprefix("file://")
        self.url = re.sub("://[^/@]*@", "://", whole).rstrip("/") or whole
        self.folder = Path(whole) if "://" not in whole else None
        self._whole = whole
        self._fs: Any = None
        self._root = ""
        if self.folder is None:
            try:
                self._fs, self._root = fsspec.url_to_fs(whole, use_listings_cache=False)
            except Exception as error:  # each file system raises its own kinds
                raise UsageError(f"{self.url}: is no storage that can be used: {error}") from error

    @property
    def address(self) -> str:
        """The store as a process finds it that runs in another folder."""
        return self._whole if self.folder is None else str(self.folder.resolve())

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises:
            FileNotFoundError: there is none.
            StoreError: it cannot be read.
        """
        if self.folder is not None:
            return self._try(name, (self.folder / name).read_bytes)
        return bytes(self._try(name, lambda: self._fs.cat_file(self._path(name))))

    def read_lines(self, name: str) -> Iterator[bytes]:
        """Read a file line by line; raises what ``read`` does."""

        def start() -> Any:
            if self.folder is not None:
                return (self.folder / name).open("rb")
            return self._fs.open(self._path(name), "rb")

        with self._try(name, start) as lines:
            yield from lines

    def write(self, name: str, content: bytes) -> None:
        """Write a file, in place of one of that name.

        Raises:
            StoreError: it cannot be written.
        """
        if self.folder is None:
            self._try(name, lambda: self._fs.pipe_file(self._path(name), content), writes=True)
            return
        with self.staging(name) as folder:
            part = folder / "part"

            def fill() -> None:
                part.write_bytes(content)

            self._try(name, fill, writes=True)
            self.put(name, part)

    def put(self, name: str, file: Path) -> None:
        """Move a file of this machine into the store, in place of one of that name.

        Raises:
            StoreError: it cannot be written.
        """
        if self.folder is None:
            send = functools.partial(self._fs.put_file, str(file), self._path(name))
            self._try(name, send, writes=True)
            file.unlink(missing_ok=True)
            return
        target = self.folder / name

        def move() -> None:
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb+") as opened:  # whose content must not come later than its name
                os.fsync(opened.fileno())
            file.replace(target)

        self._try(name, move, writes=True)

    def exists(self, name: str) -> bool:
        """Tell whether there is a file of a name."""
        if self.folder is not None:
            return (self.folder / name).is_file()
        return bool(self._try(name, lambda: self._fs.exists(self._path(name))))

    def names(self, folder: str) -> list[str]:
        """List what lies in a folder, by names without folders; nothing if that is not there."""

        def look() -> list[str]:
            try:
                if self.folder is not None:
                    return os.listdir(self.folder / folder)
                found = self._fs.ls(self._path(folder), detail=False)
            except FileNotFoundError:
                return []
            return [str(path).rstrip("/").rpartition("/")[2] for path in found]

        return sorted(name for name in self._try(folder, look) if name)

    def delete(self, name: str) -> None:
        """Delete a file, if there is one."""

        def remove() -> None:
            with contextlib.suppress(FileNotFoundError):
                if self.folder is not None:
                    (self.folder / name).unlink()
                else:
                    self._fs.rm_file(self._path(name))

        self._try(name, remove)

    @contextlib.contextmanager
    def staging(self, name: str) -> Iterator[Path]:
        """Make a folder for files that ``put`` is to move, for a ``with`` statement.

        That of a store in a folder lies on the same disk.
        """
        if self.folder is None:
            with tempfile.TemporaryDirectory(prefix="lucid-album-") as temporary:
                yield Path(temporary)
            return
        made = self.folder / PARTS / f"{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._try(name, lambda: made.mkdir(parents=True), writes=True)
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def sweep(self) -> None:
        """Delete the unfinished files of processes of this machine that have ended."""
        if self.folder is None:
            return
        for made in (self.folder / PARTS).glob(f"{_machine()}-*-*"):
            process = made.name.split("-")[1]
            if process.isdigit() and not process_runs(int(process)):
                shutil.rmtree(made, ignore_errors=True)

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _try(self, name: str, operation: Callable[[], Result], *, writes: bool = False) -> Result:
        """Do an operation, and again if a storage over the network fails for a moment."""
        reason: Exception | None = None
        for tried in range(TRIES):
            if tried:
                time.sleep(FIRST_PAUSE * 3 ** (tried - 1))
            try:
                return operation()
            except Exception as error:  # each storage raises its own kinds
                if isinstance(error, FileNotFoundError) and not writes:
                    raise
                reason = error
                if isinstance(error, LASTING) or getattr(error, "errno", None) in FULL:
                    break
        detail = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        if getattr(reason, "errno", None) in FULL:
            detail = "the disk is full: the same command goes on once there is room"
        where = f"{self.url.rstrip('/')}/{name}"
        raise StoreError(f"{where}: cannot be reached or written ({detail})") from reason
