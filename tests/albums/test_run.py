"""Albums painted in this process and in several: what fails, dies or is stopped loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import album_paints
import pytest
from album_tasks import check_whole, make_album, make_tasks

from lucid.albums.album import Album, Failure
from lucid.albums.painting import Paint
from lucid.albums.processes import InProcess, Processes, count_cores, share_of_cores
from lucid.albums.run import Progress, run_album
from lucid.albums.store import Store, StoreError
from lucid.albums.task import Task, task_key
from lucid.errors import LucidError


def in_process(
    album: Album, paint: Paint = album_paints.quick, *, retry_failed: bool = False
) -> Progress:
    return run_album(album, InProcess(album.store, paint), retry_failed=retry_failed)


def test_what_is_there_is_not_painted_again(tmp_path: Path) -> None:
    album = make_album(tmp_path, make_tasks(5))
    first = in_process(album)
    assert (first.done, first.there, first.set_aside) == (5, 0, {})
    check_whole(album)
    gone = [*album.tasks()][2]
    (tmp_path / gone.name).unlink()
    second = in_process(album)
    assert (second.done, second.there) == (1, 4)
    check_whole(album)


def test_the_same_picture_twice_is_painted_once(tmp_path: Path) -> None:
    album = make_album(tmp_path, [*make_tasks(2), *make_tasks(2)])
    progress = in_process(album)
    assert (progress.done, progress.there, progress.total) == (2, 0, 2)


def test_a_poisoned_task_is_set_aside_and_the_rest_is_painted(tmp_path: Path) -> None:
    album = make_album(tmp_path, make_tasks(3))
    bad = [*album.tasks()][1]
    progress = in_process(album, album_paints.poisoned)
    assert progress.set_aside == {bad.key: "there is no such class"}
    assert progress.done == 2
    names = sorted(path.name for path in (tmp_path / "failed" / bad.key).iterdir())
    assert names == ["1.json", "2.json", "3.json"]
    assert "LucidError: there is no such class" in album.failures(bad.key)[0].traceback

    again = in_process(album)  # it is not tried again of itself
    assert again.set_aside == {bad.key: "there is no such class"}
    mended = in_process(album, retry_failed=True)
    assert (mended.done, mended.set_aside) == (1, {})
    assert album.failures(bad.key) == []
    check_whole(album)


def test_failures_of_earlier_runs_count(tmp_path: Path) -> None:
    album = make_album(tmp_path, make_tasks(2))
    bad = [*album.tasks()][1]
    in_process(album, album_paints.poisoned)
    (tmp_path / "failed" / bad.key / "3.json").unlink()
    progress = in_process(album, album_paints.poisoned)
    assert [*progress.set_aside] == [bad.key]
    assert len(album.failures(bad.key)) == 3


def test_a_full_disk_stops_the_run_and_blames_no_picture(disk: Callable[[str], Path]) -> None:
    folder = disk("160k")
    album = make_album(folder, make_tasks(40))
    painted = []

    def paint(task: Task, path: Path, inputs: Mapping[str, Path]) -> None:
        painted.append(task.key)
        album_paints.quick(task, path, inputs)

    with pytest.raises(StoreError, match="the disk is full"):
        in_process(album, paint)
    assert len({*painted}) < 40  # it is known at once, and not after all pictures
    there = len([*album.entries()])
    assert 0 < there < 40
    assert album.failed_keys() == set()
    subprocess.run(["mount", "-o", "remount,size=1m", folder], check=True)
    assert in_process(album).done == 40 - there
    check_whole(album)


def test_a_store_without_rights_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/.*: cannot be reached or written"):
        make_album(tmp_path / "file", make_tasks(1))


def test_keys_follow_from_what_a_picture_depends_on() -> None:
    key = task_key("draw", {"class": ["lion"], "seed": 1}, "net", {})
    assert key == task_key("draw", {"seed": 1, "class": ["lion"]}, "net", {})
    others = [
        task_key("film", {"class": ["lion"], "seed": 1}, "net", {}),
        task_key("draw", {"class": ["lion"], "seed": 2}, "net", {}),
        task_key("draw", {"class": ["lion"], "seed": 1}, "other", {}),
        task_key("draw", {"class": ["lion"], "seed": 1}, "net", {"sha256:1": "mask"}),
    ]
    assert len({key, *others}) == 5


@pytest.mark.parametrize(
    "change", [{"key": "../../" + "a" * 26}, {"suffix": "./x"}, {"suffix": ".p/n"}, {"other": 1}]
)
def test_a_manifest_cannot_lead_out_of_the_store(change: dict[str, object]) -> None:
    held = json.loads(make_tasks(1)[0].line())
    with pytest.raises(LucidError, match="a line is no task"):
        Task.from_line(json.dumps(held | change))


def test_cores_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert share_of_cores(1) == count_cores()
    assert share_of_cores(10_000) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert share_of_cores(10_000) == 3


def pids(marker: str) -> list[int]:
    """The processes whose environment has a marker."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_a_task_that_kills_its_process_is_set_aside(tmp_path: Path) -> None:
    album = make_album(tmp_path, make_tasks(6))
    bad = [*album.tasks()][1]
    progress = run_album(album, Processes(album.store, album_paints.deadly, 2))
    assert progress.set_aside == {bad.key: "its process died (signal SIGKILL)"}
    assert progress.done == 5
    assert [each.reason for each in album.failures(bad.key)] == [progress.set_aside[bad.key]] * 3


def test_deaths_count_in_their_own_run_alone(tmp_path: Path) -> None:
    album = make_album(tmp_path, make_tasks(2))
    bad = [*album.tasks()][1]
    for run in ("one", "two", "three"):
        album.add_failure(Failure(bad.key, "its process died", run=run))
    assert in_process(album).done == 2
    album.forget_failures(bad.key)
    (tmp_path / bad.name).unlink()
    for _ in range(3):
        album.add_failure(Failure(bad.key, "its process died", run="one"))
    assert in_process(album).set_aside == {bad.key: "its process died"}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no /proc")
def test_a_killed_worker_costs_one_try_of_one_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALBUM_TEST", str(tmp_path))
    album = make_album(tmp_path, make_tasks(6, strength=0.3))
    killed: list[int] = []

    def watch(progress: Progress) -> None:
        if progress.done == 1 and not killed:
            workers = [pid for pid in pids(f"ALBUM_TEST={tmp_path}") if pid != os.getpid()]
            spawned = [pid for pid in workers if b"spawn_main" in command_line(pid)]
            os.kill(spawned[0], signal.SIGKILL)
            killed.append(spawned[0])

    progress = run_album(album, Processes(album.store, album_paints.slow, 2), watch=watch)
    assert killed
    assert (progress.done, progress.set_aside) == (6, {})
    check_swept(album)
    assert sum(len(album.failures(task.key)) for task in album.tasks()) <= 1


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def check_swept(album: Album) -> None:
    """All is whole, once the remains of killed processes are swept, as the next run does."""
    album.store.sweep()
    check_whole(album)


PROGRAM = """
    import album_paints
    from lucid.albums.album import Album, Failure
    from lucid.albums.processes import InProcess, Processes
    from lucid.albums.run import run_album
    from lucid.albums.store import Store

    if __name__ == "__main__":
        album = Album(Store({folder!r}))
        print("begun", flush=True)
        run_album(album, Processes(album.store, album_paints.slow, 2))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no /proc")
def test_workers_end_with_a_parent_that_was_killed(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    folder = tmp_path / "album"
    album = make_album(folder, make_tasks(8, strength=0.4))
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM.format(folder=str(folder))))
    marker = f"ALBUM_TEST={tmp_path}"
    env = os.environ | {"ALBUM_TEST": str(tmp_path)}
    env["PYTHONPATH"] = os.pathsep.join([*sys.path, env.get("PYTHONPATH", "")])
    parent = start([sys.executable, str(program)], env=env)
    wait_for(lambda: len([*folder.glob("done/*/*")]) >= 2)
    parent.kill()
    parent.wait()
    wait_for(lambda: not pids(marker))
    there = len([*album.entries()])
    assert 2 <= there < 8
    progress = in_process(album, album_paints.slow)
    assert (progress.there, progress.done) == (there, 8 - there)
    check_swept(album)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_an_album_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LucidError, match="holds no album"):
        Album(Store(tmp_path))
    make_album(tmp_path, make_tasks(1))
    (tmp_path / "manifest.jsonl").unlink()
    with pytest.raises(LucidError, match=r"has no manifest\.jsonl"):
        [*Album(Store(tmp_path)).tasks()]
