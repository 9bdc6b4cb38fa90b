"""Painting on one machine: in this process, or in several of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Collection
from multiprocessing import connection
from typing import Any, Protocol

from lucid.albums.painting import Outcome, Paint, paint_task
from lucid.albums.store import Store
from lucid.albums.task import Task
from lucid.errors import LucidError
from lucid.process import quiet_output

IDLE_DEATHS = 3
"""How often a process may die before it has started, or while it has no task."""


class Engine(Protocol):
    """What paints tasks, several at a time or one."""

    def slots(self) -> int:
        """How many tasks it takes at present, with those that it has."""

    def submit(self, task: Task, avoid: Collection[str]) -> None:
        """Take a task; ``avoid`` are the machines where it failed."""

    def next(self, timeout: float) -> Outcome | None:
        """Wait for a task to end, for at most so many seconds; None if none has."""

    def state(self) -> str:
        """What is to be said of it in the line of progress, such as ``4 machines``."""

    def close(self) -> None:
        """End whatever it has under way."""


class InProcess:
    """Paints one task after the other in this process."""

    def __init__(self, store: Store, paint: Paint) -> None:
        self.store, self.paint = store, paint
        self._waiting: deque[Task] = deque()

    def slots(self) -> int:
        """One."""
        return 1

    def submit(self, task: Task, avoid: Collection[str]) -> None:
        """Take a task."""
        self._waiting.append(task)

    def next(self, timeout: float) -> Outcome | None:
        """Paint the task."""
        return paint_task(self._waiting.popleft(), self.store, self.paint)

    def state(self) -> str:
        """Nothing is to be said."""
        return ""

    def close(self) -> None:
        """Nothing is under way."""


class Processes:
    """Paints in processes of this machine, one task at a time in each.

    A process that dies takes down its own task alone, and a new one takes its place. With GPUs,
    each process sees one of them.
    """

    def __init__(self, store: Store, paint: Paint, count: int, threads: int | None = None) -> None:
        """Start the processes.

        Args:
            store: of the album.
            paint: paints a task.
            count: number of processes.
            threads: CPU threads of each; None to share out the machine's cores.
        """
        found = gpus()
        self._lanes = [
            _Lane(
                store.address,
                paint,
                threads or share_of_cores(count),
                found[number % len(found)] if found else None,
            )
            for number in range(count)
        ]

    def slots(self) -> int:
        """One for each process."""
        return len(self._lanes)

    def submit(self, task: Task, avoid: Collection[str]) -> None:
        """Give a task to a process that has none."""
        next(lane for lane in self._lanes if lane.task is None).send(task)

    def next(self, timeout: float) -> Outcome | None:
        """Wait for a process to finish its task, or to die."""
        handles = {handle: lane for lane in self._lanes for handle in lane.handles()}
        ready = {id(handles[each]): handles[each] for each in connection.wait([*handles], timeout)}
        for lane in ready.values():  # of which one that died is named twice
            if (outcome := lane.receive()) is not None:
                return outcome
        return None

    def state(self) -> str:
        """How many processes there are."""
        return f"{len(self._lanes)} workers"

    def close(self) -> None:
        """End the processes; what they had under way is lost."""
        for lane in self._lanes:
            lane.end()


class _Lane:
    """A process that paints, and the task that it has."""

    def __init__(self, url: str, paint: Paint, threads: int, gpu: str | None) -> None:
        self._settings = (url, paint, threads, gpu)
        self._deaths = 0
        self.task: Task | None = None
        self._start()

    def _start(self) -> None:
        # A process that is forked would have locks of torch's threads, which it does not have.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, *self._settings), daemon=True)
        self._process.start()
        theirs.close()
        self._started = False

    def handles(self) -> list[Any]:
        """What becomes ready when the process answers or dies."""
        return [self._pipe, self._process.sentinel]

    def send(self, task: Task) -> None:
        """Give the process a task."""
        self.task = task
        with contextlib.suppress(OSError):  # it has died, which receive will find out
            self._pipe.send(task)

    def receive(self) -> Outcome | None:
        """Take what the process has to say; start another if it died."""
        try:
            if self._pipe.poll():
                outcome: Outcome | None = self._pipe.recv()
                self._started, self._deaths = True, 0
                if outcome is not None:
                    self.task = None
                return outcome
        except (EOFError, OSError):
            pass
        if self._process.is_alive():
            self._process.join(1)
        code = self._process.exitcode
        self.end()
        task, self.task = self.task, None
        if task is None or not self._started:
            self._deaths += 1
            if self._deaths >= IDLE_DEATHS:
                raise LucidError(f"a worker ends before it paints anything ({_exit_text(code)})")
        started = self._started
        self._start()
        if task is None:
            return None
        if not started:
            return Outcome(task.key, "lost")
        return Outcome(task.key, "died", f"its process died ({_exit_text(code)})", _host())

    def end(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _work(pipe: Any, url: str, paint: Paint, threads: int, gpu: str | None) -> None:
    """Paint the tasks that come through a pipe, until that is closed."""
    # Ctrl-C reaches all processes of a terminal: the first one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    quiet_output()
    threading.Thread(target=_follow_parent, daemon=True).start()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    set_threads(threads)
    store = Store(url)
    with contextlib.suppress(EOFError, OSError):
        pipe.send(None)  # it has started
        while True:
            pipe.send(paint_task(pipe.recv(), store, paint))


def _follow_parent() -> None:
    """End this process as soon as its parent has, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def set_threads(count: int) -> None:
    """Let torch compute with so many threads; a Dask worker is started with one."""
    torch = sys.modules.get("torch")
    if torch is None:  # which reads the variable when it is imported
        os.environ["OMP_NUM_THREADS"] = str(count)
    elif torch.get_num_threads() != count:
        torch.set_num_threads(count)


def share_of_cores(workers: int) -> int:
    """The threads of each of so many workers here; ``OMP_NUM_THREADS`` if that is set."""
    typed = os.environ.get("OMP_NUM_THREADS", "")
    return int(typed) if typed.isdigit() and int(typed) else max(1, count_cores() // workers)


def count_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # on Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpus() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    import torch

    count = torch.cuda.device_count()
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    named = [name for name in seen.split(",") if name]
    return named[:count] if len(named) >= count else [str(number) for number in range(count)]


def _host() -> str:
    return socket.gethostname()


def _exit_text(code: int | None) -> str:
    """Say how a process ended."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
