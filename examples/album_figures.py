"""Measure what albums cost: the figures of docs/albums.md.

Run with one of: speedup, overhead, share, memory, loop, kills. Each takes minutes, wants the
machine for itself, and prints what it measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from lucid.albums import painting
from lucid.albums.album import Album
from lucid.albums.cluster import Cluster
from lucid.albums.processes import InProcess, Processes
from lucid.albums.run import Progress, run_album
from lucid.albums.store import Store
from lucid.albums.task import Task
from lucid.cli.album_paint import paint

LOOPED = 16
"""Classes of the album that is compared with a loop; 64 are all, and take half an hour."""

LUCID = [sys.executable, "-m", "lucid"]


def sleep(task: Task, path: Path, inputs: Mapping[str, Path]) -> None:
    """Take as long as a picture does."""
    time.sleep(float(task.options["strength"]))
    path.touch()


def tasks(count: int, seconds: float) -> Iterator[Task]:
    """Tasks that sleep."""
    for seed in range(count):
        key = hashlib.sha256(str(seed).encode()).hexdigest()[:32]
        yield Task(key, "draw", {"seed": seed, "strength": seconds}, {"seed": str(seed)})


def resident() -> float:
    """Megabytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def serve_workers(address: str, count: int) -> None:
    """Run many Dask workers of one thread in this process."""
    from distributed import Worker

    painting.ONE_AT_A_TIME = contextlib.nullcontext()  # type: ignore[assignment]

    async def serve() -> None:
        workers = [Worker(address, nthreads=1, dashboard=False) for _ in range(count)]
        await asyncio.gather(*workers)
        await asyncio.gather(*(each.finished() for each in workers))

    asyncio.run(serve())


@contextlib.contextmanager
def simulated_cluster(count: int) -> Iterator[str]:
    """A scheduler, and so many workers in one process; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    commands = [
        [*scheduler, "--port", str(port), "--no-dashboard"],
        [sys.executable, __file__, "workers", "--address", address, "--count", str(count)],
    ]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen(command, env=env, **quiet) for command in commands]  # type: ignore[call-overload]
    try:
        yield address
    finally:
        for process in started:
            process.kill()
            process.wait()


def run_simulated(folder: Path, workers: int, count: int, seconds: float) -> list[float]:
    """Run an album of sleeping tasks; return its seconds, and megabytes at each tenth."""
    album = Album.write(Store(folder), {"command": "draw"}, tasks(count, seconds))
    megabytes: list[float] = []
    begin = 0.0

    def watch(progress: Progress) -> None:
        nonlocal begin
        if progress.done and not begin:
            begin = time.monotonic() - seconds
        if progress.done * 10 >= count * len(megabytes):
            megabytes.append(resident())

    with simulated_cluster(workers) as address:
        import album_figures  # as the workers know this file

        engine = Cluster(album.store, album_figures.sleep, address, threads=1)
        while engine.slots() < 2 * workers:
            time.sleep(0.5)
        progress = run_album(album, engine, watch=watch)
    assert progress.done + progress.there == count
    return [time.monotonic() - begin, *megabytes]


def overhead(folder: Path) -> None:
    """10,000 tasks on 100 workers that sleep 3 s over each."""
    elapsed, *_ = run_simulated(folder, 100, 10_000, 3.0)
    ideal = 10_000 * 3.0 / 100
    print(f"10,000 tasks of 3 s on 100 workers: {elapsed:.1f} s, ideally {ideal:.0f} s")
    print(f"{(elapsed - ideal) / 10_000 * 1e3:.2f} ms a task")


def share(folder: Path) -> None:
    """40 tasks of 3 s on two workers."""
    elapsed, *_ = run_simulated(folder, 2, 40, 3.0)
    print(f"40 tasks of 3 s on two workers: {elapsed:.2f} s, {elapsed / 60 - 1:.2%} over 60 s")


def memory(folder: Path) -> None:
    """100,000 tasks that take no time."""
    elapsed, *megabytes = run_simulated(folder, 20, 100_000, 0.0)
    print(
        f"100,000 empty tasks: {elapsed:.0f} s, {elapsed / 100:.2f} ms a task and worker's writing"
    )
    print("client's megabytes:", " ".join(f"{each:.0f}" for each in megabytes))
    print(f"growth: {max(megabytes) - megabytes[0]:.1f} MB")


def album_seconds(folder: Path, *words: str) -> float:
    """Run ``lucid album``; return its seconds."""
    begin = time.monotonic()
    subprocess.run([*LUCID, "album", *words, "-o", str(folder), "-q"], check=True)
    return time.monotonic() - begin


def pictures_per_hour(folder: Path) -> float:
    """How fast an album was painted, but for the start of its processes."""
    times = sorted(record.time for _, record in Album(Store(folder)).entries())
    return (len(times) - 2) / (times[-1] - times[1]) * 3600


def speedup(folder: Path) -> None:
    """Two workers of one thread against one of one thread, taken in turns."""
    words = ("--classes", "0-19", "--seeds", "0", "--threads", "1")
    seconds: dict[int, list[float]] = {1: [], 2: []}
    rates: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(2):
        for workers in (1, 2):
            album = folder / f"{turn}_{workers}"
            seconds[workers].append(album_seconds(album, *words, "--workers", str(workers)))
            rates[workers].append(pictures_per_hour(album))
    print("20 pictures of 224x224; with one worker, then with two:")
    print("seconds with the start:", seconds, f"{min(seconds[1]) / min(seconds[2]):.2f} times")
    print("pictures an hour:", rates, f"{max(rates[2]) / max(rates[1]):.2f} times")


def loop(folder: Path) -> None:
    """An album on one process, and a shell loop over ``lucid draw``, in turns."""
    names = (Path(__file__).parent.parent / "cfg" / "lucid64.names").read_text().splitlines()
    seconds, looped = [], []
    for part in range(0, LOOPED, 8):
        here = folder / f"album{part}"
        words = ("--classes", f"{part}-{part + 7}", "--seeds", "0-1")
        seconds.append(album_seconds(here, *words))
        begin = time.monotonic()
        for name in names[part : part + 8]:
            for seed in ("0", "1"):
                target = folder / f"{name}_{seed}.png"
                words = ("draw", "--class", name, "--seed", seed, "-o", str(target), "-q")
                subprocess.run([*LUCID, *words], check=True)
        looped.append(time.monotonic() - begin)
    print("album:", *(f"{each:.1f}" for each in seconds), "s for 16 pictures of 224x224 each")
    print("loop:", *(f"{each:.1f}" for each in looped), "s")
    print(f"{sum(looped) / sum(seconds):.2f} times as fast")
    drawn = {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.png")}
    painted = {
        digest
        for part in range(0, LOOPED, 8)
        for _, record in Album(Store(folder / f"album{part}")).entries()
        for digest in record.files.values()
    }
    print(f"the same bytes: {len(drawn & painted)} of {len(painted)}")


def processes(marker: str) -> list[int]:
    """The processes that have a marker in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if marker.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def paint_and_count(task: Task, path: Path, inputs: Mapping[str, Path]) -> None:
    """Paint a task, and note that it was painted."""
    paint(task, path, inputs)
    with (Path(os.environ["ALBUM_KILLS"]) / "painted.txt").open("a") as file:
        file.write(f"{task.key}\n")


def paint_album(folder: Path) -> None:
    """Go on with an album in two processes."""
    import album_figures

    album = Album(Store(folder))
    album.store.sweep()
    run_album(album, Processes(album.store, album_figures.paint_and_count, 2, 1))


def kills(folder: Path) -> None:
    """Kill any one process of an album 30 times, at random moments; run it again when it ended."""
    draw = random.Random(1)
    here = folder / "album"
    names = (Path(__file__).parent.parent / "cfg" / "lucid64.names").read_text().splitlines()
    listed = [
        Task(
            hashlib.sha256(f"{name} {seed}".encode()).hexdigest()[:32],
            "draw",
            {"class": [name], "seed": seed, "size": "64x64", "iters": "4"},
        )
        for name in names
        for seed in range(4)
    ]
    Album.write(Store(here), {"command": "draw"}, listed)
    marker = f"ALBUM_KILLS={folder}"
    command = [sys.executable, __file__, "client", "--folder", str(here)]
    env = os.environ | {"ALBUM_KILLS": str(folder)}
    killed, runs, client = {"client": 0, "worker": 0}, 0, None
    while sum(killed.values()) < 30:
        if client is None or client.poll() is not None:
            if client is not None and client.returncode == 0:
                break  # all is painted
            client = subprocess.Popen(command, env=env)
            runs += 1
            time.sleep(2.5)
        time.sleep(draw.uniform(0.1, 2.5))
        alive = processes(marker)
        if not alive:
            continue
        victim = draw.choice(alive)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            killed["client" if victim == client.pid else "worker"] += 1
        if victim == client.pid:
            client.wait()
            while processes(marker):  # its workers end with it
                time.sleep(0.05)
    if client is not None:
        client.wait()
    subprocess.run(command, env=env, check=True)
    album = Album(Store(here))
    album.store.sweep()
    entries = [*album.entries()]
    wrong = sum(
        hashlib.sha256(album.store.read(name)).hexdigest() != digest
        for _, record in entries
        for name, digest in record.files.items()
    )
    files = [*here.rglob("files/*/*")]
    print(
        f"killed {killed} in {runs} runs: {len(entries)} of {album.count} pictures, {wrong} wrong"
    )
    print(f"{len(files)} files of pictures, {len([*here.rglob('.parts/*')])} left-overs")
    painted = Counter((folder / "painted.txt").read_text().split())
    print(f"painted twice: {sum(count - 1 for count in painted.values())} of {len(painted)}")
    clean = Album.write(Store(folder / "clean"), {"command": "draw"}, listed)
    run_album(clean, InProcess(clean.store, paint))
    same = {record.key: [*record.files.values()] for _, record in clean.entries()}
    alike = sum(same[record.key] == [*record.files.values()] for _, record in entries)
    print(f"as in an album that nobody disturbed: {alike}")


def main() -> None:
    """Measure one thing."""
    parser = argparse.ArgumentParser(description=__doc__)
    figures = {each.__name__: each for each in (speedup, overhead, share, memory, loop, kills)}
    parser.add_argument("figure", choices=[*figures, "workers", "client"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--address")
    parser.add_argument("--count", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.figure == "workers":
        serve_workers(arguments.address, arguments.count)
        return
    if arguments.figure == "client":
        paint_album(arguments.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        figures[arguments.figure](Path(folder))


if __name__ == "__main__":
    main()
