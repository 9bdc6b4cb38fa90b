"""What a worker does with one task: paint it, put it into the store, and write that down."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from lucid.albums.album import Failure, Record, add_failure, add_record, find_input
from lucid.albums.store import FULL, Store, StoreError
from lucid.albums.task import Task
from lucid.errors import LucidError
from lucid.imaging import recipes

ONE_AT_A_TIME = threading.Lock()
"""Held while a picture is painted: torch's settings are those of a whole process."""

STOPPED = (129, 130, 143)
"""Exit codes of a command that a signal has stopped."""

Status = Literal["done", "there", "failed", "died", "store", "refused", "lost"]


class Paint(Protocol):
    """Paints one task. Workers import it by its name, so it must be a function of a module."""

    def __call__(self, task: Task, path: Path, inputs: Mapping[str, Path]) -> None:
        """Paint a task.

        Args:
            task: what to paint.
            path: the file to write; further files beside it have names that begin with its own.
            inputs: where the files are on this machine that the task's options name.
        """


@dataclass(frozen=True)
class Outcome:
    """What became of a task. This is all that comes back from a worker.

    Attributes:
        key: of the task.
        status: ``done``; ``there``, if another worker had painted it; ``failed``; ``died``, if the
            worker did; ``store``, if the store failed; ``refused``, if versions differ; ``lost``,
            if the connection to the worker was, which says nothing of the task.
        reason: what went wrong, in a line.
        machine: name of the worker's machine.
        seconds: that the worker took.
        versions: of lucid and torch there.
    """

    key: str
    status: Status
    reason: str = ""
    machine: str = ""
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)


def paint_task(  # noqa: PLR0911
    task: Task, store: Store, paint: Paint, *, wanted: Mapping[str, str] | None = None
) -> Outcome:
    """Paint a task, unless its picture is there.

    Args:
        task: what to paint.
        store: where the picture is to lie.
        paint: paints it.
        wanted: the versions that this machine must have; None for any.

    Returns:
        What became of it. Failures of the task are written into the store.
    """
    begin = time.monotonic()
    machine = socket.gethostname()
    versions = own_versions()

    def outcome(status: Status, reason: str = "") -> Outcome:
        return Outcome(task.key, status, reason, machine, time.monotonic() - begin, versions)

    if wanted is not None and (odd := differing(versions, wanted)):
        return outcome("refused", odd)
    try:
        with ONE_AT_A_TIME:
            if store.exists(task.done_name) and store.exists(task.name):
                return outcome("there")
            begin = time.monotonic()
            with (
                store.staging(task.name) as folder,
                tempfile.TemporaryDirectory(prefix="lucid-inputs-") as fetched,
            ):
                inputs = {
                    name: find_input(store, name, digest, Path(fetched))
                    for name, digest in task.files.items()
                }
                paint(task, folder / f"{task.key}{task.suffix}", inputs)
                made = _made(task, folder / f"{task.key}{task.suffix}")
                files = _publish(task, folder, store)
        seconds = time.monotonic() - begin
        device = str(made.get("device", ""))
        add_record(
            store,
            task,
            Record(task.key, files, round(seconds, 3), machine, device, versions, time.time()),
        )
    except StoreError as error:
        return outcome("store", str(error))
    except SystemExit as error:
        if error.code in STOPPED:
            raise
        return outcome("failed", _note(store, task, machine, error))
    except Exception as error:
        cause = error.__cause__ or error
        if getattr(cause, "errno", None) in FULL:
            return outcome("store", f"{error}")
        return outcome("failed", _note(store, task, machine, error))
    return outcome("done")


def differing(versions: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """Say which versions differ; empty if none does."""
    odd = [name for name in wanted if versions.get(name) != wanted[name]]
    return ", ".join(
        f"{name} is {versions.get(name, 'missing')}, not {wanted[name]}" for name in odd
    )


def own_versions() -> dict[str, str]:
    """The versions that decide about the bytes of a picture."""
    found = recipes.versions()
    return {name: found[name] for name in ("lucid", "torch")}


def _made(task: Task, path: Path) -> Mapping[str, Any]:
    """What the finished picture says of how it was made.

    Raises:
        LucidError: this machine's net has other weights than the album's.
    """
    if not path.is_file():
        raise LucidError(f"{path.name}: the command has not written it")
    try:
        made = recipes.read(path).made
    except LucidError:  # a function of the user's own paints without recipes
        return {}
    if task.net and made.get("weights", task.net) != task.net:
        raise LucidError(f"the weights of {made.get('net')} are others on this machine")
    return made


def _publish(task: Task, folder: Path, store: Store) -> dict[str, str]:
    """Move all files of a task into the store, the picture last; return their hashes."""
    main = f"{task.key}{task.suffix}"
    painted = sorted(folder.iterdir(), key=lambda path: path.name == main)
    stem = task.name.removesuffix(task.suffix)
    names = {path: stem + path.name.removeprefix(task.key) for path in painted if path.is_file()}
    hashes = {name: recipes.sha256_file(path) for path, name in names.items()}
    for path, name in names.items():
        store.put(name, path)
    return hashes


def _note(store: Store, task: Task, machine: str, error: BaseException) -> str:
    """Write down why a task failed; return that in a line."""
    reason = str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        reason = "there is not enough memory"
    format_message = getattr(error, "format_message", None)  # of click's exceptions
    reason = format_message() if format_message else reason
    text = "".join(traceback.format_exception(error))
    with contextlib.suppress(StoreError):
        add_failure(store, Failure(task.key, reason, machine, text, time.time()))
    return reason
