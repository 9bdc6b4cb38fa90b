"""Painting on many machines, with Dask (``dask.distributed``).

Dask sends tasks to workers and notices when these die. Nothing of a picture travels through it: a
worker gets a task of a few hundred bytes and writes its picture into the store.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import queue
import socket
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lucid.albums.painting import Outcome, Paint, paint_task
from lucid.albums.processes import count_cores, set_threads
from lucid.albums.store import Store
from lucid.albums.task import Task
from lucid.errors import LucidError, UsageError
from lucid.process import SPIN_COUNT

AHEAD = 2
"""Tasks for each thread of a worker: one that it paints, and one that waits.

The death of a worker counts against all tasks that were assigned to it.
"""

CONNECT = 10.0
"""Seconds in which a scheduler must answer."""

PATIENCE = 600.0
"""Seconds to wait for a scheduler that has gone, or for a first worker."""

LOOK = 2.0
"""Seconds between looks at which workers there are."""

JOB_QUEUES = {
    **{"slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster", "lsf": "LSFCluster"},
    **{"oar": "OARCluster", "htcondor": "HTCondorCluster", "moab": "MoabCluster"},
}
"""Classes of dask-jobqueue, by what is typed."""

SETTINGS = {
    "distributed": {
        # A worker that loads a net may be silent for long, and is not dead.
        "scheduler": {"worker-ttl": "30 minutes"},
        # Dask sets threads and malloc for many small tasks. Threads are set for each picture
        # (paint_there); malloc keeps what a step will need again (lucid.process.tune_process).
        "nanny": {
            "pre-spawn-environ": {
                "GOMP_SPINCOUNT": SPIN_COUNT,
                "MALLOC_TRIM_THRESHOLD_": 2**31 - 1,
                "MALLOC_MMAP_MAX_": 0,
            }
        },
    }
}
"""How Dask is told to run workers that take minutes over a task; what a user has set, stays."""


class Cluster:
    """Paints on the workers of a Dask cluster."""

    def __init__(
        self,
        store: Store,
        paint: Paint,
        address: str,
        *,
        workers: int | None = None,
        threads: int | None = None,
        wanted: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """Connect to a cluster, or start one from a queue of jobs.

        Args:
            store: of the album. The workers must reach it under the same name.
            paint: paints a task. The workers must be able to import it.
            address: of the scheduler, such as ``tcp://host:8786``; or ``slurm``, ``pbs``, ``sge``,
                ``lsf``, ``oar``, ``htcondor`` or ``moab``, whose jobs dask-jobqueue starts.
            workers: number of jobs to start; of no meaning with an address.
            threads: CPU threads of each worker; None to share out the cores of each machine.
            wanted: the versions that workers must have; None for any.
            patience: seconds to wait for a scheduler that has gone, or for a first worker.

        Raises:
            UsageError: a package is missing, or the address is none.
            LucidError: nothing answers there.
        """
        self.store, self.paint, self.address = store, paint, address
        self.threads, self.wanted, self.patience = threads, wanted, patience
        # Names of tasks in Dask, with their futures; a future of None is lost.
        self._outcomes: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._futures: dict[str, Any] = {}
        self._keys: dict[str, str] = {}  # of tasks that are under way, by their names in Dask
        self._count = itertools.count()
        self._workers: dict[str, int] = {}  # threads by address
        self._looked = self._seen = time.monotonic()
        self._has_gpus = False
        self._jobs = _start_jobs(address, workers or 1) if address in JOB_QUEUES else None
        if self._jobs is not None:  # which may wait in their queue for days
            self.patience = math.inf
        self._client = self._connect()
        self._look(now=True)

    def slots(self) -> int:
        """Two for each thread of a worker."""
        self._look()
        return AHEAD * sum(self._workers.values())

    def submit(self, task: Task, avoid: Collection[str]) -> None:
        """Send a task to a worker, if possible on another machine than those where it failed."""
        others = [address for address in self._workers if _host(address) not in avoid]
        shares = Counter(map(_host, self._workers))
        # A key of its own for each try: Dask would take the result of the last one.
        name = f"lucid-{task.key}-{next(self._count)}"
        settings: dict[str, Any] = {"pure": False, "retries": 2, "key": name}
        if avoid and others:
            settings |= {"workers": others, "allow_other_workers": True}
        self._keys[name] = task.key
        arguments = (task.line(), self.store.address, self.paint, dict(shares), self.threads)
        try:
            if str(task.options.get("device", "")).startswith("cuda"):
                self._check_gpus()
                settings["resources"] = {"GPU": 1}
            future = self._client.submit(paint_there, *arguments, self.wanted, **settings)
        except LucidError:
            raise
        except Exception as error:
            if self._client.status == "running":
                raise LucidError(f"--cluster {self.address}: {error}") from error
            self._outcomes.put((name, None))  # the connection has just been lost
            return
        self._futures[name] = future
        future.add_done_callback(lambda done: self._outcomes.put((name, done)))

    def next(self, timeout: float) -> Outcome | None:
        """Wait for a task to end."""
        self._look()
        try:
            name, future = self._outcomes.get(timeout=timeout)
        except queue.Empty:
            return None
        self._futures.pop(name, None)
        # What is lost may be told twice: by its future, and when the connection is made anew.
        key = self._keys.pop(name, None)
        return None if key is None else _read(key, future)

    def state(self) -> str:
        """How many machines and workers there are."""
        if not self._workers:
            return "waiting for workers"
        machines = len({_host(address) for address in self._workers})
        return f"{len(self._workers)} workers on {machines} machine{'s' * (machines > 1)}"

    def close(self) -> None:
        """Let go of the cluster, and end jobs that were started for it."""
        for future in self._futures.values():
            with contextlib.suppress(Exception):
                future.release()
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)
        if self._jobs is not None:
            with contextlib.suppress(Exception):
                self._jobs.close(timeout=10)

    def _look(self, *, now: bool = False) -> None:
        """See which workers there are; connect anew if the scheduler has gone."""
        if not now and time.monotonic() - self._looked < LOOK:
            return
        try:
            if self._client.status != "running":
                raise OSError("the connection is lost")
            self._workers = dict(self._client.nthreads())
        except Exception:  # whatever a lost connection makes of a call
            self._reconnect()
        self._looked = time.monotonic()
        if self._workers:
            self._seen = self._looked
        elif self._looked - self._seen > self.patience:
            raise LucidError(
                f"--cluster {self.address}: has no workers: start some with dask worker "
                f"{self.address} --nthreads 1"
            )

    def _check_gpus(self) -> None:
        """Refuse tasks that no worker would ever take.

        Raises:
            LucidError: no worker says that it has a GPU.
        """
        if not self._has_gpus:
            found = self._client.scheduler_info(n_workers=-1)["workers"].values()
            self._has_gpus = any("GPU" in each["resources"] for each in found)
        if not self._has_gpus and self._workers:
            raise LucidError(
                f"--cluster {self.address}: the album asks for --device cuda, and no worker offers "
                "a GPU: start them with --resources GPU=1"
            )

    def _connect(self) -> Any:
        """Connect to the scheduler.

        Raises:
            UsageError: the address is none, or a package is missing.
            LucidError: nothing answers.
        """
        distributed = _import("distributed", "'lucid-nightmare[cluster]'")
        _configure()
        target = self.address if self._jobs is None else self._jobs
        try:
            if self._jobs is None:  # a client that cannot connect leaves threads behind
                found = urlsplit(self.address)
                if not found.hostname or not found.port:
                    raise ValueError("give HOST:PORT, such as tcp://studio:8786")
                _wait_for_port(found.hostname, found.port)
            return distributed.Client(target, timeout=CONNECT, set_as_default=False)
        except (ValueError, TypeError) as error:
            raise UsageError(
                f"--cluster {self.address}: is no scheduler's address: {error}"
            ) from error
        except Exception as error:  # of each kind of connection its own
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise LucidError(
                f"--cluster {self.address}: no scheduler answers there ({reason}): start one with "
                "dask scheduler"
            ) from error

    def _reconnect(self) -> None:
        """Wait until the scheduler is back. What was under way is to be given out again."""
        self._workers = {}
        deadline = time.monotonic() + self.patience
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)
        while True:
            try:
                self._client = self._connect()
                break
            except LucidError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
        for name in [*self._keys]:
            self._outcomes.put((name, None))
        self._seen = time.monotonic()


def paint_there(
    line: bytes,
    url: str,
    paint: Paint,
    shares: Mapping[str, int],
    threads: int | None,
    wanted: Mapping[str, str] | None,
) -> Outcome:
    """Paint a task, in a worker.

    Args:
        line: the task.
        url: of the store.
        paint: paints the task.
        shares: number of workers on each machine.
        threads: CPU threads; None for a share of the machine's cores.
        wanted: the versions that the worker must have; None for any.
    """
    from distributed import get_worker

    host = _host(get_worker().address)
    set_threads(threads or max(1, count_cores() // shares.get(host, 1)))
    outcome = paint_task(Task.from_line(line), Store(url), paint, wanted=wanted)
    return replace(outcome, machine=host)  # as submit knows machines


def _wait_for_port(host: str, port: int) -> None:
    """Wait until something listens at a port, for at most ``CONNECT`` seconds.

    Raises:
        OSError: nothing does.
    """
    deadline = time.monotonic() + CONNECT
    while True:
        try:
            socket.create_connection((host, port), CONNECT).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _read(key: str, future: Any) -> Outcome:
    """Take an outcome from what Dask has of it."""
    if future is None or future.status in ("cancelled", "lost"):
        return Outcome(key, "lost")
    if future.status == "finished":
        try:
            outcome: Outcome = future.result(timeout=CONNECT)
            return outcome
        except Exception:  # its worker has gone with it
            return Outcome(key, "lost")
    error = future.exception()
    if type(error).__name__ == "KilledWorker":
        worker = getattr(getattr(error, "last_worker", None), "address", "")
        return Outcome(key, "died", "its workers died, one after the other", _host(worker))
    return Outcome(key, "died", f"{type(error).__name__}: {error}".partition("\n")[0])


def _host(address: str) -> str:
    """The machine in a worker's address."""
    return urlsplit(address).hostname or address


def _import(name: str, source: str) -> Any:
    """Import a package that only albums on clusters need; ``source`` is what pip installs."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"--cluster needs {name.replace('_', '-')}: pip install {source}"
        ) from error


def _configure() -> None:
    """Tell Dask how lucid's workers are to run."""
    import dask

    dask.config.update_defaults(SETTINGS)


def _start_jobs(kind: str, count: int) -> Any:
    """Start jobs of a queue, with dask-jobqueue's own settings (``jobqueue.yaml``)."""
    jobqueue = _import("dask_jobqueue", "dask-jobqueue")
    _configure()
    import dask

    shared = dask.config.get(f"jobqueue.{kind}.shared-temp-directory", None)
    try:
        # Dask runs what it is sent: with certificates of their own, only these jobs can send.
        cluster = attrgetter(JOB_QUEUES[kind])(jobqueue)(
            protocol="tls://",
            security=True,
            shared_temp_directory=shared or str(Path.cwd()),
            scheduler_options={"dashboard": False},
        )
        # adapt() would end a worker in the middle of a long task.
        cluster.scale(jobs=count)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise LucidError(f"--cluster {kind}: {reason}") from error
    return cluster
