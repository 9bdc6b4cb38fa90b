"""An album in a store: what it is to have, what is there, and what failed.

::

    album.toml           how the album was described
    manifest.jsonl       its tasks, one a line, in their order
    files/ab/KEY.png     a picture; KEY begins with ab
    done/ab/KEY.json     written after the picture: its hash, and where and how fast it was made
    failed/KEY/1.json    the first failure of a task, with its traceback
    inputs/HASH/NAME     photographs and other files that workers elsewhere need
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lucid.albums.store import Store, StoreError
from lucid.albums.task import BROKEN, KEY, Task
from lucid.errors import LucidError, UsageError
from lucid.imaging import recipes
from lucid.reading import parse_table

log = logging.getLogger("lucid")

DESCRIPTION = "album.toml"
MANIFEST = "manifest.jsonl"

ATTEMPTS = 3
"""How often a task may fail before it is set aside."""


@dataclass(frozen=True)
class Record:
    """What is known of a picture that is there.

    Attributes:
        key: of its task.
        files: SHA-256 of the picture, and of the file of its recipe if the picture cannot hold
            that, by their names in the store.
        seconds: that it took to paint.
        machine: name of the machine that painted it.
        device: that the net ran on.
        versions: of lucid and of packages that may change the bytes.
        time: when it was finished, in seconds since 1970.
    """

    key: str
    files: Mapping[str, str]
    seconds: float = 0.0
    machine: str = ""
    device: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    time: float = 0.0


@dataclass(frozen=True)
class Failure:
    """A time that a task failed.

    Attributes:
        key: of the task.
        reason: what went wrong, in a line.
        machine: name of the machine where.
        traceback: of the exception; empty if the process died.
        time: when, in seconds since 1970.
        run: of which run this was, if the process died.
    """

    key: str
    reason: str
    machine: str = ""
    traceback: str = ""
    time: float = 0.0
    run: str = ""


class Album:
    """An album in a store.

    Attributes:
        store: where its files lie.
        description: what it was made from: ``command``, options, and a table of ``axes``.
        count: number of its tasks.
    """

    def __init__(self, store: Store) -> None:
        """Open the album in a store.

        Raises:
            LucidError: there is none, or it cannot be read.
        """
        self.store = store
        try:
            text = store.read(DESCRIPTION).decode(errors="replace")
        except FileNotFoundError:
            raise LucidError(
                f"{store.url}: holds no album (it has no {DESCRIPTION}): make one with lucid album "
                "ALBUM.toml -o FOLDER"
            ) from None
        content = parse_table(text, f"{store.url}/{DESCRIPTION}")
        made = content.pop("made", {})
        self.description: dict[str, Any] = content
        count = made.get("tasks", 0) if isinstance(made, dict) else 0
        self.count = count if isinstance(count, int) else 0

    @classmethod
    def write(
        cls,
        store: Store,
        description: Mapping[str, Any],
        tasks: Iterable[Task],
        *,
        change: bool = False,
    ) -> Album:
        """Write down an album, before any of it is painted. What is painted already stays.

        Args:
            store: where its files are to lie.
            description: what it is made from.
            tasks: what it is to have.
            change: whether another album may be there, whose place this one takes.

        Raises:
            UsageError: another album is there.
            StoreError: the store cannot be written.
        """
        if store.exists(DESCRIPTION) and not change:
            there = cls(store).description
            if there != json.loads(json.dumps(description)):
                names = sorted({*there, *description})
                odd = [name for name in names if there.get(name) != description.get(name)]
                raise UsageError(
                    f"{store.url}: holds another album, whose {' and '.join(odd[:3])} differ: give "
                    "another -o, or --change to describe that album anew (no picture is deleted)"
                )
        with store.staging(MANIFEST) as folder:
            listed = folder / MANIFEST
            try:
                with listed.open("wb") as file:
                    seen: set[bytes] = set()
                    for task in tasks:  # two of them may be the same picture
                        if (key := bytes.fromhex(task.key)) not in seen:
                            file.write(task.line())
                            seen.add(key)
                count = len(seen)
            except OSError as error:
                raise StoreError(f"{store.url}: cannot be written ({error.strerror})") from error
            store.put(MANIFEST, listed)
        content = {**description, "made": {**recipes.versions(), "tasks": count}}
        store.write(DESCRIPTION, recipes.format_toml(content).encode())
        return cls(store)

    def tasks(self) -> Iterator[Task]:
        """Read the tasks, one after the other."""
        try:
            for line in self.store.read_lines(MANIFEST):
                yield Task.from_line(line)
        except FileNotFoundError:
            raise LucidError(
                f"{self.store.url}: has no {MANIFEST}: give its description again, and this folder "
                "behind -o"
            ) from None

    def done_keys(self) -> set[bytes]:
        """The keys of the pictures that are there, as 16 bytes each."""
        done: set[bytes] = set()
        for folder in self.store.names("done"):
            if not re.fullmatch("[0-9a-f]{2}", folder):
                continue  # such as .DS_Store
            # A picture that somebody has deleted is painted again.
            files = self.store.names(f"files/{folder}")
            there = {name.partition(".")[0] for name in files if not name.endswith(".json")}
            for name in self.store.names(f"done/{folder}"):
                key = name.removesuffix(".json")
                if KEY.fullmatch(key) and key in there:
                    done.add(bytes.fromhex(key))
        return done

    def record(self, task: Task) -> Record | None:
        """What is known of a task's picture; None if that is not there."""
        try:
            return Record(**json.loads(self.store.read(task.done_name)))
        except FileNotFoundError:
            return None
        except BROKEN as error:
            raise LucidError(
                f"{self.store.url}/{task.done_name}: is no record ({error})"
            ) from error

    def entries(self, done: Collection[bytes] | None = None) -> Iterator[tuple[Task, Record]]:
        """The tasks whose pictures are there, in the album's order, with what is known of these.

        Args:
            done: what ``done_keys`` returned; None to ask anew.
        """
        done = self.done_keys() if done is None else done
        for task in self.tasks():
            if bytes.fromhex(task.key) not in done:
                continue
            try:
                record = self.record(task)
            except LucidError as error:
                log.warning("%s", error)
                continue
            if record:
                yield task, record

    def failed_keys(self) -> set[str]:
        """The keys of the tasks that have failed at least once."""
        return {*self.store.names("failed")}

    def failures(self, key: str) -> list[Failure]:
        """The failures of a task, the first one first."""
        found = []
        for name in sorted(self.store.names(f"failed/{key}"), key=len):
            try:
                found.append(Failure(**json.loads(self.store.read(f"failed/{key}/{name}"))))
            except (FileNotFoundError, *BROKEN):
                continue  # another process has just deleted it
        return found

    def add_failure(self, failure: Failure) -> None:
        """Write down that a task failed."""
        add_failure(self.store, failure)

    def forget_failures(self, key: str) -> None:
        """Let a task be tried again."""
        for name in self.store.names(f"failed/{key}"):
            self.store.delete(f"failed/{key}/{name}")
        if self.store.folder is not None:
            with contextlib.suppress(OSError):
                (self.store.folder / "failed" / key).rmdir()


def add_record(store: Store, task: Task, record: Record) -> None:
    """Write down that a task's picture is there."""
    store.write(task.done_name, json.dumps(asdict(record)).encode())


def add_failure(store: Store, failure: Failure) -> None:
    """Write down that a task failed."""
    number = len(store.names(f"failed/{failure.key}")) + 1
    store.write(f"failed/{failure.key}/{number}.json", json.dumps(asdict(failure)).encode())


def add_inputs(album: Album) -> None:
    """Copy the input files of an album into its store, for workers that do not have them.

    Files that are not here, or have changed, are left out: perhaps the workers have them.

    Raises:
        StoreError: the store cannot be written.
    """
    seen: set[str] = set()
    for task in album.tasks():
        for name, digest in task.files.items():
            copy = f"inputs/{digest}/{Path(name).name}"
            if copy in seen:
                continue
            seen.add(copy)
            if is_here(Path(name), digest) and not album.store.exists(copy):
                with album.store.staging(copy) as folder:
                    album.store.put(copy, Path(shutil.copyfile(name, folder / Path(name).name)))


def is_here(file: Path, digest: str) -> bool:
    """Tell whether a file is on this machine, and has a SHA-256."""
    if not file.is_file():
        return False
    found = file.stat()
    return _digest(str(file.resolve()), found.st_mtime_ns, found.st_size) == digest


@functools.lru_cache(maxsize=1000)
def _digest(path: str, changed: int, size: int) -> str:
    """The SHA-256 of a file, which is read again when it has changed."""
    return recipes.sha256_file(Path(path))


def find_input(store: Store, name: str, digest: str, folder: Path) -> Path:
    """Find an input file on this machine, or fetch it from the store.

    Args:
        store: of the album.
        name: the file's name, as the options have it.
        digest: its SHA-256.
        folder: where to put it.

    Raises:
        LucidError: neither has it.
    """
    here = Path(name)
    if is_here(here, digest):
        return here
    kept = folder / digest / here.name
    if kept.is_file():
        return kept
    try:
        content = store.read(f"inputs/{digest}/{here.name}")
    except FileNotFoundError:
        if here.is_file():
            what = "is another file than when the album was described: describe it with --change"
        else:
            what = f"is not here, in {Path.cwd()}, and the album holds no copy"
        raise LucidError(f"{name}: {what}") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise LucidError(f"{name}: the album's copy is damaged: delete {store.url}/inputs/{digest}")
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f".{kept.name}.part")
    part.write_bytes(content)
    part.replace(kept)
    return kept
