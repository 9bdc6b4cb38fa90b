"""Painting an album: what is missing is given to an engine, and what fails is tried again."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field

from lucid.albums.album import ATTEMPTS, Album, Failure
from lucid.albums.painting import Outcome, differing
from lucid.albums.processes import Engine
from lucid.albums.store import StoreError
from lucid.albums.task import Task
from lucid.errors import LucidError

SHARED_AFTER = (0, 1, 4, 15, 40)
"""Seconds between looks for a picture that another machine says it has written."""

PATIENCE = 1.0
"""Seconds to wait for an outcome before the progress is told again."""


@dataclass
class Progress:
    """How far an album has come.

    Attributes:
        total: number of its tasks.
        there: pictures that were there before.
        done: pictures that were painted in this run.
        set_aside: tasks that have failed too often, by their keys, with the last reason.
        seconds: that workers have spent on the pictures of this run, all together.
        elapsed: seconds since this run began.
        machines: names of the machines that have painted something.
        state: what the engine says of itself.
        notes: what is to be said once, such as of versions that differ.
    """

    total: int
    there: int = 0
    done: int = 0
    set_aside: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    elapsed: float = 0.0
    machines: set[str] = field(default_factory=set)
    state: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take; None as long as nothing is painted."""
        remaining = self.total - self.there - self.done - len(self.set_aside)
        return remaining * self.elapsed / self.done if self.done else None


def run_album(
    album: Album,
    engine: Engine,
    *,
    retry_failed: bool = False,
    versions: Mapping[str, str] | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> Progress:
    """Paint what is missing of an album.

    A task that fails is tried again at the end, elsewhere if there are other machines, until it has
    failed three times, in this run and in those before; then it is set aside. The death of a
    process counts in its own run alone: who knows what killed it.

    Args:
        album: what is to be painted.
        engine: paints.
        retry_failed: whether to try again what was set aside in earlier runs.
        versions: of lucid and torch here, to say once which machine has others; None not to.
        watch: called with how far the album has come, about once a second.

    Returns:
        How far it has come.

    Raises:
        StoreError: the store cannot be read or written.
        LucidError: the engine cannot go on, or a worker's versions were refused.
    """
    runner = _Runner(album, engine, retry_failed, versions, watch)
    try:
        return runner.run()
    finally:
        engine.close()


class _Runner:
    """One run over an album."""

    def __init__(
        self,
        album: Album,
        engine: Engine,
        retry_failed: bool,
        versions: Mapping[str, str] | None,
        watch: Callable[[Progress], None] | None,
    ) -> None:
        self.album, self.engine, self.watch, self.versions = album, engine, watch, versions
        self.retry_failed = retry_failed
        self.progress = Progress(album.count)
        self._under_way: dict[str, Task] = {}
        self._again: deque[Task] = deque()  # failed
        self._lost: deque[Task] = deque()  # of which nothing is known
        self._exhausted = False  # whether nothing is left that was never tried
        self._name = uuid.uuid4().hex[:8]
        self._failed_on: dict[str, list[str]] = {}  # machines, by the keys of tasks
        self._begin = time.monotonic()

    def run(self) -> Progress:
        """Give out tasks and take in outcomes until nothing is left."""
        with contextlib.closing(self._missing()) as waiting:
            while True:
                while len(self._under_way) < self.engine.slots() and (task := self._next(waiting)):
                    self._under_way[task.key] = task
                    self.engine.submit(task, self._failed_on.get(task.key, []))
                if self._exhausted and not (self._under_way or self._again or self._lost):
                    self._tell()
                    return self.progress
                if (outcome := self.engine.next(PATIENCE)) is not None:
                    self._take(outcome)
                self._tell()

    def _next(self, waiting: Iterator[Task]) -> Task | None:
        """The task to give out next: what was lost, what was never tried, then what failed."""
        if self._lost:
            return self._lost.popleft()
        if (following := next(waiting, None)) is not None:
            return following
        self._exhausted = True
        return self._again.popleft() if self._again else None

    def _missing(self) -> Generator[Task]:
        """The tasks that are to be painted, in the album's order."""
        done, failed = self.album.done_keys(), self.album.failed_keys()
        seen: set[bytes] = set()
        for task in self.album.tasks():
            key = bytes.fromhex(task.key)
            if key in done or key in seen:
                self.progress.there += 1
                continue
            seen.add(key)
            if task.key in failed:
                if self.retry_failed:
                    self.album.forget_failures(task.key)
                elif reason := self._set_aside_before(task):
                    self.progress.set_aside[task.key] = reason
                    continue
            yield task

    def _set_aside_before(self, task: Task) -> str:
        """Why an earlier run set a task aside; empty if none did."""
        failures = self.album.failures(task.key)
        raised = [each for each in failures if each.traceback]
        deaths = Counter(each.run for each in failures if not each.traceback)
        if len(raised) >= ATTEMPTS or any(count >= ATTEMPTS for count in deaths.values()):
            return failures[-1].reason
        self._failed_on[task.key] = [each.machine for each in raised]
        return ""

    def _take(self, outcome: Outcome) -> None:
        """Take note of what became of a task."""
        task = self._under_way.pop(outcome.key, None)
        if task is None:
            return
        self._compare_versions(outcome)
        progress = self.progress
        match outcome.status:
            case "done" | "there":
                self._check_written(task, outcome.machine)
                progress.done += outcome.status == "done"
                progress.there += outcome.status == "there"
                progress.seconds += outcome.seconds
                progress.machines.add(outcome.machine)
            case "lost":
                self._lost.append(task)
            case "refused":
                raise LucidError(f"{outcome.machine}: {outcome.reason} (--strict)")
            case "died" if self.album.store.exists(task.done_name):
                progress.done += 1  # its last act was to write that down
            case "failed" | "died" | "store":
                self._take_failure(task, outcome)

    def _check_written(self, task: Task, machine: str) -> None:
        """Refuse a machine that has written into a folder of its own."""
        store = self.album.store
        if machine in self.progress.machines:
            return
        for pause in SHARED_AFTER:  # a file system over the network may know of a file late
            time.sleep(pause)
            store.names(task.done_name.rpartition("/")[0])
            if store.exists(task.done_name):
                return
        raise StoreError(
            f"{store.url}: what {machine} painted is not there: give -o a folder that all "
            "machines share under one name, or a URL such as s3://BUCKET/FOLDER"
        )

    def _take_failure(self, task: Task, outcome: Outcome) -> None:
        """Try a task again, or set it aside."""
        machines = self._failed_on.setdefault(task.key, [])
        machines.append(outcome.machine)
        if outcome.status == "died":
            self.album.add_failure(
                Failure(task.key, outcome.reason, outcome.machine, time=time.time(), run=self._name)
            )
        if len(machines) < ATTEMPTS:
            # A store that fails would fail for all others, too: that is to be known at once.
            (self._lost if outcome.status == "store" else self._again).append(task)
        elif outcome.status == "store":
            raise StoreError(outcome.reason)
        else:
            self.progress.set_aside[task.key] = outcome.reason

    def _compare_versions(self, outcome: Outcome) -> None:
        """Say once of a machine that it has other versions."""
        if not outcome.versions or self.versions is None:
            return
        if outcome.machine not in self.progress.machines and (
            odd := differing(outcome.versions, self.versions)
        ):
            note = f"{outcome.machine}: {odd}: its pictures may differ from those made here"
            if note not in self.progress.notes:
                self.progress.notes.append(note)

    def _tell(self) -> None:
        self.progress.elapsed = time.monotonic() - self._begin
        self.progress.state = self.engine.state()
        if self.watch:
            self.watch(self.progress)
