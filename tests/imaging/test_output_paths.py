"""Output files: numbered, reserved, written whole, and cleared away after a killed process."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lucid.errors import UsageError
from lucid.imaging.files import atomic_write, check_path
from lucid.imaging.output_paths import (
    ReservedError,
    exists,
    free_paths,
    next_free_path,
    reserve,
    temporary_folder,
)

HOLD = """
import os, sys
from pathlib import Path
from lucid.imaging.files import atomic_write
with atomic_write(Path(sys.argv[1])) as part:
    part.write_text("half")
    print("ready", flush=True)
    sys.stdin.read()
"""


def hold(start: Callable[..., subprocess.Popen[str]], path: Path) -> subprocess.Popen[str]:
    """A process that is writing a file and waits."""
    command = [sys.executable, "-c", HOLD, str(path)]
    process = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_a_file_that_another_process_writes_is_refused(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    path = tmp_path / "a.txt"
    process = hold(start, path)
    with (
        pytest.raises(ReservedError, match=rf"a.txt: another lucid .process {process.pid}"),
        reserve(path),
    ):
        pass
    (tmp_path / "link.txt").symlink_to(path)  # the same file by another name
    with pytest.raises(ReservedError), reserve(tmp_path / "link.txt"):
        pass
    with reserve(tmp_path / "b.txt"):
        pass
    process.communicate("")
    with reserve(path):
        assert path.read_text() == "half"
    assert {each.name for each in tmp_path.iterdir()} == {"a.txt", "link.txt"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_the_next_run_clears_away_what_a_killed_one_left(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    (tmp_path / ".a.txt.mine").write_text("kept")
    (tmp_path / ".lucid-notes").write_text("kept")
    process = hold(start, tmp_path / "a.txt")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list(tmp_path.glob(".lucid-*"))) == 3
    with atomic_write(tmp_path / "other.txt") as part:
        part.write_text("whole")
    assert {each.name for each in tmp_path.iterdir()} == {
        *("other.txt", ".a.txt.mine", ".lucid-notes")
    }


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_temporary_folders_of_killed_processes_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: Callable[..., subprocess.Popen[str]]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    wait = (
        "import sys; from lucid.imaging.output_paths import temporary_folder\n"
        "with temporary_folder() as f: (f / 'a').touch(); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", wait]
    killed, alive = (
        start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)
    )
    for process in (killed, alive):
        assert process.stdout
        process.stdout.readline()
    killed.kill()
    killed.wait()
    (tmp_path / "lucid-mine").mkdir()
    with temporary_folder() as folder:
        assert folder.parent == tmp_path
        assert len(list(tmp_path.glob("lucid-*"))) == 3  # this one, the other's, the user's
    alive.communicate("")
    assert [each.name for each in tmp_path.iterdir()] == ["lucid-mine"]


def test_one_process_may_reserve_a_file_twice(tmp_path: Path) -> None:
    with reserve(tmp_path / "a.txt"):
        with atomic_write(tmp_path / "a.txt") as part:
            part.write_text("x")
        assert list(tmp_path.glob(".lucid-*.lock"))
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_that_appears_meanwhile_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.txt"
    with atomic_write(path, replace=False) as part:
        part.write_text("new")
        path.write_text("old")
    assert "another program made this file meanwhile: it is kept" in caplog.text
    assert "a_0000.txt" in caplog.text
    assert path.read_text() == "old"
    assert (tmp_path / "a_0000.txt").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_the_same_file_clears_away_what_was_left_of_it(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    process = hold(start, tmp_path / "a.txt")
    process.send_signal(signal.SIGKILL)
    process.wait()
    with atomic_write(tmp_path / "a.txt") as part:
        part.write_text("whole")
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_lock_that_a_power_failure_emptied_is_forgotten(tmp_path: Path) -> None:
    with reserve(tmp_path / "a.txt"):
        (lock,) = tmp_path.glob(".lucid-*.lock")
    lock.touch()
    said = rf"If none is, delete .*{lock.name}"
    with pytest.raises(ReservedError, match=said), reserve(tmp_path / "a.txt"):
        pass
    os.utime(lock, (0, 0))
    with reserve(tmp_path / "a.txt"):
        pass
    assert not list(tmp_path.iterdir())


def test_without_hard_links_nothing_is_replaced_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)  # as on FAT
    path = tmp_path / "a.txt"
    with atomic_write(path, replace=False) as part:
        part.write_text("first")
    with atomic_write(path, replace=False) as part:
        part.write_text("second")
    assert path.read_text() == "first"
    assert (tmp_path / "a_0000.txt").read_text() == "second"


def test_a_link_stays_a_link_and_a_mode_stays_as_it_was(tmp_path: Path) -> None:
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    with atomic_write(link) as part:
        part.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_dangling_and_circular_links(tmp_path: Path) -> None:
    dangling, circle = tmp_path / "dangling.txt", tmp_path / "circle.txt"
    dangling.symlink_to(tmp_path / "nothing.txt")
    circle.symlink_to(circle)
    assert exists(dangling)
    assert exists(circle)
    check_path(dangling)
    with atomic_write(dangling) as part:
        part.write_text("new")
    assert (tmp_path / "nothing.txt").read_text() == "new"
    with pytest.raises(UsageError, match=r"circle\.txt: is a link that leads in a circle"):
        check_path(circle)


@pytest.mark.parametrize("length", [1, 200, 244, 250, 255])
def test_every_name_that_the_file_system_takes_is_written(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("x" * length)
    check_path(path)
    with atomic_write(path) as part:
        part.write_text("whole")
    assert path.read_text() == "whole"


@pytest.mark.parametrize("name", ["x" * 256, "ä" * 128, "a\0b"])
def test_an_impossible_name_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        check_path(tmp_path / name)


def test_numbered_names_are_short_and_skip_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "x_0000.png").touch()
    (tmp_path / "x_0001.png").symlink_to("nothing")
    assert next_free_path("x", tmp_path).name == "x_0002.png"
    assert next_free_path("x", tmp_path, taken={tmp_path / "x_0002.png"}).name == "x_0003.png"
    for letter in "xä\udcff":
        name = next(free_paths(letter * 300, tmp_path)).name
        assert 200 < len(os.fsencode(name)) < 220
