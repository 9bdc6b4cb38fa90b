"""Albums on a real Dask cluster: whatever dies, every picture is there once, and whole."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import album_paints
import pytest
from album_tasks import check_whole, make_album, make_tasks
from conftest import CLASS_NAMES, CLASSIFIER, LUCID, write_net
from test_run import check_swept, pids, wait_for

from lucid.albums import cluster as clusters
from lucid.albums.album import Album
from lucid.albums.cluster import Cluster
from lucid.albums.painting import Paint, own_versions
from lucid.albums.run import Progress, run_album
from lucid.albums.store import Store, StoreError
from lucid.errors import LucidError, UsageError

pytestmark = pytest.mark.slow
distributed = pytest.importorskip("distributed")

Start = Callable[..., subprocess.Popen[str]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class DaskProcesses:
    """A scheduler and workers, each a process of its own that a test may kill."""

    def __init__(self, start: Start, folder: Path) -> None:
        self.start, self.folder = start, folder
        self.port = free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        self.env["DASK_TEST"] = str(folder)

    def run(self, module: str, *words: str, **settings: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *words, "--no-dashboard"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": self.env}
        return self.start(command, **{**quiet, **settings})

    def scheduler(self) -> subprocess.Popen[str]:
        return self.run("dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port))

    def worker(self, host: str = "127.0.0.1", **settings: Any) -> subprocess.Popen[str]:
        return self.run(
            *("dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--host", host),
            *("--local-directory", str(self.folder), "--death-timeout", "60"),
            **settings,
        )


@pytest.fixture
def dask(start: Start, tmp_path: Path) -> Iterator[DaskProcesses]:
    """What a test starts of Dask, which ends with the test."""
    folder = tmp_path / "dask"
    folder.mkdir()
    yield DaskProcesses(start, folder)
    for pid in pids(f"DASK_TEST={folder}"):
        os.kill(pid, signal.SIGKILL)


def paint(
    album: Album,
    address: str,
    function: Paint = album_paints.slow,
    watch: Callable[[Progress], None] | None = None,
) -> Progress:
    engine = Cluster(album.store, function, address, threads=1, patience=60)
    return run_album(album, engine, versions=own_versions(), watch=watch)


def test_a_cluster_paints_the_bytes_that_draw_writes(desk: Path, dask: DaskProcesses) -> None:
    elsewhere = desk / "elsewhere"
    elsewhere.mkdir()
    write_net(elsewhere, CLASSIFIER, names=CLASS_NAMES)  # the photograph travels with the album
    dask.scheduler()
    dask.worker(cwd=elsewhere)
    net = ("--net", "tiny.cfg", "--size", "32x32", "--iters", "1", "--octaves", "1")
    command = (*LUCID, "album", "--classes", "all", *net, "photo.png", "-o", "a", "--threads", "1")
    done = subprocess.run(
        [*command, "--cluster", dask.address, "--strict"],
        cwd=desk,
        env=dask.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "5 of 5 pictures are in a (5 painted now" in done.stdout
    draw = (*LUCID, "draw", "--class", "tiger cat", *net, "photo.png", "--seed", "0", "-o", "x.png")
    subprocess.run(draw, cwd=desk, env=dask.env, check=True, capture_output=True)
    album = Album(Store(desk / "a"))
    task = next(task for task in album.tasks() if task.caption == "tiger cat")
    assert (desk / "a" / task.name).read_bytes() == (desk / "x.png").read_bytes()
    check_whole(album)


def test_a_killed_worker_loses_nothing(tmp_path: Path, dask: DaskProcesses) -> None:
    dask.scheduler()
    workers = [dask.worker(), dask.worker()]
    album = make_album(tmp_path / "a", make_tasks(10, strength=0.4))

    def watch(progress: Progress) -> None:
        if progress.done >= 2 and workers[0].poll() is None:
            workers[0].kill()
            workers[0].wait()
            dask.worker()

    progress = paint(album, dask.address, watch=watch)
    assert workers[0].poll() is not None
    assert (progress.done + progress.there, progress.set_aside) == (10, {})
    check_swept(album)


def test_a_scheduler_that_is_started_again_goes_on(tmp_path: Path, dask: DaskProcesses) -> None:
    scheduler = dask.scheduler()
    dask.worker()
    album = make_album(tmp_path / "a", make_tasks(8, strength=0.4))

    def watch(progress: Progress) -> None:
        if progress.done >= 2 and scheduler.poll() is None:
            scheduler.kill()
            scheduler.wait()
            dask.scheduler()
            dask.worker()  # Dask's workers end with their scheduler

    progress = paint(album, dask.address, watch=watch)
    assert scheduler.poll() is not None
    assert (progress.done + progress.there, progress.set_aside) == (8, {})
    assert album.failed_keys() == set()
    check_swept(album)


CLIENT = """
import album_paints
from lucid.albums.album import Album
from lucid.albums.cluster import Cluster
from lucid.albums.run import run_album
from lucid.albums.store import Store, StoreError

album = Album(Store({folder!r}))
run_album(album, Cluster(album.store, album_paints.slow, {address!r}, threads=1))
"""


def test_a_killed_client_is_run_again(tmp_path: Path, dask: DaskProcesses, start: Start) -> None:
    dask.scheduler()
    dask.worker()
    folder = tmp_path / "a"
    album = make_album(folder, make_tasks(8, strength=0.4))
    text = CLIENT.format(folder=str(folder), address=dask.address)
    client = start([sys.executable, "-c", text], env=dask.env)
    wait_for(lambda: len([*folder.glob("done/*/*")]) >= 2)
    client.kill()
    client.wait()
    progress = paint(album, dask.address)
    assert progress.done + progress.there == 8
    check_swept(album)


def test_a_task_that_kills_workers_is_set_aside(
    tmp_path: Path, dask: DaskProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask.env["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "0"
    monkeypatch.setattr("lucid.albums.run.ATTEMPTS", 2)  # each costs the start of a worker
    dask.scheduler()
    workers = [dask.worker()]
    album = make_album(tmp_path / "a", make_tasks(3))
    bad = [*album.tasks()][1]

    def watch(progress: Progress) -> None:
        if workers[-1].poll() is not None:
            workers.append(dask.worker())

    progress = paint(album, dask.address, album_paints.deadly, watch)
    assert progress.set_aside == {bad.key: "its workers died, one after the other"}
    assert progress.done + progress.there == 2


def test_what_fails_on_one_machine_is_painted_on_another(desk: Path, dask: DaskProcesses) -> None:
    empty = desk / "elsewhere"
    empty.mkdir()
    dask.scheduler()
    # 127.0.0.2 is a machine of its own, as far as Dask knows, without the net's weights.
    dask.worker("127.0.0.2", cwd=empty)
    dask.worker("127.0.0.1", cwd=desk)
    with distributed.Client(dask.address) as client:
        client.wait_for_workers(2, timeout=60)
    words = ("--class", "tench", "--net", "tiny.cfg", "--size", "32x32", "--iters", "1")
    command = (*LUCID, "album", *words, "--seeds", "0-7", "-o", "a", "--threads", "1")
    run = subprocess.run(
        [*command, "--cluster", dask.address],
        cwd=desk,
        env=dask.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "8 of 8 pictures are in a" in run.stdout
    album = Album(Store(desk / "a"))
    reasons = [each.reason for task in album.tasks() for each in album.failures(task.key)]
    assert reasons
    assert all("weights for tiny.cfg" in each or "only numbers" in each for each in reasons)
    check_whole(album)


def test_a_machine_that_does_not_share_the_folder_is_named(
    tmp_path: Path, dask: DaskProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lucid.albums.run.SHARED_AFTER", (0,))
    album = make_album(tmp_path / "a", make_tasks(3))

    class Elsewhere(Store):
        """The folder, as it is called on a machine with a disk of its own."""

        address = str(tmp_path / "b")

    dask.scheduler()
    dask.worker()
    engine = Cluster(Elsewhere(tmp_path / "a"), album_paints.quick, dask.address, threads=1)
    with pytest.raises(StoreError, match=r"a: what 127\.0\.0\.1 painted is not there: give -o"):
        run_album(album, engine)


def test_other_versions_are_said_once_and_refused_if_strict(
    tmp_path: Path, dask: DaskProcesses
) -> None:
    dask.scheduler()
    dask.worker()
    album = make_album(tmp_path / "a", make_tasks(3))
    engine = Cluster(album.store, album_paints.quick, dask.address, threads=1)
    progress = run_album(album, engine, versions=own_versions() | {"lucid": "99"})
    (note,) = progress.notes
    assert note.startswith(f"127.0.0.1: lucid is {own_versions()['lucid']}, not 99: its pictures")

    album = make_album(tmp_path / "b", make_tasks(3))
    wanted = own_versions() | {"torch": "99"}
    engine = Cluster(album.store, album_paints.quick, dask.address, threads=1, wanted=wanted)
    with pytest.raises(LucidError, match=r"127\.0\.0\.1: torch is .*, not 99 \(--strict\)"):
        run_album(album, engine)
    assert [*album.entries()] == []


def test_a_scheduler_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "CONNECT", 1.0)
    store = Store(tmp_path)
    with pytest.raises(LucidError, match="no scheduler answers there"):
        Cluster(store, album_paints.quick, f"tcp://127.0.0.1:{free_port()}")
    with pytest.raises(
        UsageError, match="--cluster ftp://x: is no scheduler's address: give HOST:PORT"
    ):
        Cluster(store, album_paints.quick, "ftp://x")


def test_an_album_for_gpus_needs_workers_with_gpus(tmp_path: Path, dask: DaskProcesses) -> None:
    dask.scheduler()
    dask.worker()
    album = make_album(tmp_path / "a", make_tasks(3, device="cuda"))
    engine = Cluster(album.store, album_paints.quick, dask.address, threads=1)
    with pytest.raises(LucidError, match="no worker offers a GPU: start them with --resources"):
        run_album(album, engine)
    dask.run("dask_worker", dask.address, "--nthreads", "1", "--no-nanny", "--resources", "GPU=1")
    engine = Cluster(album.store, album_paints.quick, dask.address, threads=1)
    while engine.slots() < 4:
        time.sleep(0.1)
    assert run_album(album, engine).done == 3


def test_a_cluster_without_workers_is_named(tmp_path: Path, dask: DaskProcesses) -> None:
    dask.scheduler()
    album = make_album(tmp_path / "a", make_tasks(3))
    engine = Cluster(album.store, album_paints.quick, dask.address, patience=1)
    with pytest.raises(LucidError, match="has no workers: start some with dask worker tcp"):
        run_album(album, engine)


JOBS = """
import album_paints, dask, dask_jobqueue.local
from lucid.albums import cluster
from lucid.albums.album import Album
from lucid.albums.run import run_album
from lucid.albums.store import Store

if __name__ == "__main__":
    # Its jobs are processes of this machine; the other queues differ in how they are told.
    cluster.JOB_QUEUES["local"] = "local.LocalCluster"
    dask.config.set({"jobqueue.local.cores": 1, "jobqueue.local.memory": "2GB"})
    album = Album(Store("a"))
    engine = cluster.Cluster(album.store, album_paints.quick, "local", workers=2, threads=1)
    print(engine._jobs.scheduler_address, run_album(album, engine).done)
"""


def test_jobs_of_a_queue_paint(tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    album = make_album(tmp_path / "a", make_tasks(4))
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", JOBS],
        cwd=tmp_path,
        env=env | {"DASK_TEST": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tls://")
    assert done.stdout.endswith(" 4\n")
    check_whole(album)
    wait_for(lambda: not pids(f"DASK_TEST={tmp_path}"))


def test_a_queue_that_is_not_there_is_named(desk: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    words = ("--class", "tench", "--net", "tiny.cfg", "-o", "a", "--cluster", "slurm")
    done = subprocess.run(
        [*LUCID, "album", *words], cwd=desk, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: --cluster slurm: You must specify how much cores")
    assert len(done.stderr.splitlines()) == 1
