"""Files that commands write: none is lost, replaced unasked, or left half written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LUCID
from PIL import Image
from test_cli import QUICK, Run, Start, desk, run, size_of

from lucid.imaging import recipes
from lucid.imaging.output_paths import reserve

pytestmark = pytest.mark.slow

__all__ = ["desk", "run"]

NIGHTMARE = ("nightmare", "tiny.cfg", "photo.v2.png", "0", "-iters", "1", "-octaves", "1")
FILM = (
    *("film", "--net", "tiny.cfg", "--class", "goldfish", "--size", "40x32", "--tile-size", "32"),
    *("--octaves", "1", "--iters", "1", "--frames", "2", "--device", "cpu"),
)


def names(folder: Path) -> set[str]:
    """What is in a folder that the test did not begin with."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(("tiny", "photo"))}


@pytest.mark.slow
def test_three_at_once_write_three_files(desk: Path, start: Start) -> None:
    processes = [start([*LUCID, *QUICK], cwd=desk, stdout=subprocess.PIPE) for _ in range(3)]
    written = {process.communicate()[0].split()[1] for process in processes}
    assert {process.returncode for process in processes} == {0}
    assert written == names(desk) == {f"goldfish_000{number}.png" for number in range(3)}


def test_a_number_in_use_is_skipped_and_a_name_in_use_refused(
    desk: Path, run: Run, start: Start
) -> None:
    hold = (
        "import sys; from pathlib import Path; from lucid.imaging.output_paths import reserve\n"
        "names = 'goldfish_0000.png', 'film_0000.gif', 'a_redo_0000.png'\n"
        "a, b, c = map(Path, names)\n"
        "with reserve(a), reserve(b), reserve(c): print(flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    holder = start([sys.executable, "-c", hold], cwd=desk, **pipes)
    assert holder.stdout
    holder.stdout.readline()
    assert "wrote goldfish_0001.png" in run(*QUICK).output
    assert "wrote film_0001.gif" in run(*FILM).output
    assert run(*QUICK, "-o", "a.png").exit_code == 0
    assert "wrote a_redo_0001.png" in run("redo", "a.png").output
    refused = run(*QUICK, "-o", "goldfish_0000.png")
    assert refused.exit_code == 2
    assert f"another lucid (process {holder.pid}) is writing this file" in refused.output


@pytest.mark.slow
def test_two_may_not_resume_one_drawing(desk: Path, run: Run, start: Start) -> None:
    words = [*QUICK, "--on-disk", "-o", "a.png"]
    with reserve(desk / "a.png"):
        other = start([*LUCID, *words], cwd=desk, stderr=subprocess.PIPE)
        assert "a.png: another lucid (process" in other.communicate()[1]
    assert other.returncode == 2
    assert names(desk) == set()
    assert run(*words).exit_code == 0


def test_a_film_keeps_what_lucid_did_not_make(desk: Path, run: Run) -> None:
    folder = desk / "frames"
    folder.mkdir()
    kept = (".secret.png.gpg", "frame_holiday.png", "notes.txt", "frame_1.png")
    for name in kept:
        (folder / name).write_text(name)
    for force in ((), ("--force",), ("--force",)):
        assert run(*FILM, "-o", "frames", *force).exit_code == 0
    assert names(folder) == {
        *kept,
        *("frame_000000.png", "frame_000001.png", "preview.png", "film.json"),
    }
    for name in kept:
        assert (folder / name).read_text() == name


@pytest.mark.parametrize("name", ["preview.png", "film.json", "frame_000003.png"])
def test_a_film_replaces_no_file_of_a_name_of_its_own(desk: Path, run: Run, name: str) -> None:
    (desk / "frames").mkdir()
    Image.new("RGB", (3, 3)).save(desk / "frames" / "a.png")
    (desk / "frames" / "a.png").rename(desk / "frames" / name)
    refused = run(*FILM, "-o", "frames", "--force")
    assert refused.exit_code == 2
    assert f"{name}: was not made by lucid, and is not replaced" in refused.output
    assert names(desk / "frames") == {name}


def test_a_mistake_does_not_block_its_correction(desk: Path, run: Run) -> None:
    for mistake in (("--strength", "nan"), ("--warp", "affine:t-1,1")):
        assert run(*FILM, *mistake, "-o", "a.gif").exit_code == 2
        assert names(desk) == set()
    assert run(*FILM, "-o", "a.gif").exit_code == 0
    assert names(desk) == {"a.gif", "a.gif.json"}


def test_what_cannot_be_resumed_is_refused(desk: Path, run: Run) -> None:
    assert run(*FILM, "-o", "frames").exit_code == 0
    assert run("film", "--from", "frames", "-o", "copy").exit_code == 0
    refused = run(*FILM, "-o", "copy", "--resume")
    assert refused.exit_code == 2
    assert "copy holds no film that was cut short: leave --resume out" in refused.output


def test_a_film_without_recipes_is_lucids_own_too(desk: Path, run: Run) -> None:
    assert run(*FILM, "--no-recipe", "-o", "frames").exit_code == 0
    assert names(desk / "frames") == {"frame_000000.png", "frame_000001.png", "preview.png"}
    assert run(*FILM, "--no-recipe", "-o", "frames", "--force").exit_code == 0
    # Until version 0.2, sheets held no text.
    assert run(*FILM, "-o", "old").exit_code == 0
    Image.new("RGB", (3, 3)).save(desk / "old" / "preview.png")
    assert run(*FILM, "-o", "old", "--force").exit_code == 0


def test_a_film_goes_on_before_a_gap(desk: Path, run: Run) -> None:
    words = (*FILM, "--frames", "3", "--seed", "1", "-o", "frames")
    assert run(*words).exit_code == 0, run(*words).output
    before = (desk / "frames" / "frame_000002.png").read_bytes()
    (desk / "frames" / "frame_000001.png").unlink()
    assert run(*words, "--resume").exit_code == 0
    assert (desk / "frames" / "frame_000002.png").read_bytes() == before
    assert len(list((desk / "frames").glob("frame_*.png"))) == 3


def test_a_film_is_resumed_from_another_folder(desk: Path, run: Run) -> None:
    (desk / "el").mkdir()
    os.chdir(desk / "el")
    paths = (str(desk / "photo.v2.png"), "--net", str(desk / "tiny.cfg"), *FILM[3:])
    words = ("film", *paths, "--seed", "1", "-o", str(desk / "frames"))
    assert run(*words, "--frames", "1").exit_code == 0
    os.chdir(desk)
    assert run(*words, "--resume").output.endswith("(2 frames, seed 1)\n")


def test_a_nightmare_keeps_the_pictures_of_an_earlier_run(desk: Path, run: Run) -> None:
    assert run(*NIGHTMARE, "-rounds", "2").exit_code == 0
    before = (desk / "photo_tiny_0_000001.png").read_bytes()
    refused = run(*NIGHTMARE, "-rounds", "3", "--seed", "8")
    assert refused.exit_code == 2
    assert "photo_tiny_0_000000.png exists: give --force to overwrite it" in refused.output
    refused = run("run", "photo_tiny_0_000001.png")
    assert refused.exit_code == 2
    assert (desk / "photo_tiny_0_000001.png").read_bytes() == before
    assert run(*NIGHTMARE, "-rounds", "2", "--seed", "8", "--force").exit_code == 0
    assert (desk / "photo_tiny_0_000001.png").read_bytes() != before


@pytest.mark.parametrize("length", [244, 251])
def test_a_long_name_is_written_in_the_end(desk: Path, run: Run, length: int) -> None:
    name = "x" * (length - 4) + ".png"
    assert run(*QUICK, "-o", name).exit_code == 0
    assert recipes.read(desk / name).command == "draw"


def test_a_base_with_a_long_name_makes_a_short_one(desk: Path, run: Run) -> None:
    base = "b" * 232 + ".png"
    (desk / "photo.v2.png").rename(desk / base)
    result = run(*QUICK, base)
    assert result.exit_code == 0
    (written,) = names(desk) - {base}
    assert written.startswith("b" * 150)
    assert written.endswith("_0000.png")


def test_a_name_that_is_too_long_is_refused_before_the_work(desk: Path, run: Run) -> None:
    for words in (("-o", "x" * 252 + ".png"), ("-o", "x" * 248 + ".png", "--count", "2")):
        refused = run(*QUICK, *words)
        assert refused.exit_code == 2
        assert "File name too long" in refused.output
        assert names(desk) == set()


def test_links_are_not_replaced(desk: Path, run: Run) -> None:
    (desk / "link.png").symlink_to(desk / "target.png")
    refused = run(*QUICK, "-o", "link.png")
    assert refused.exit_code == 2
    assert "link.png exists" in refused.output
    assert run(*QUICK, "-o", "link.png", "--force").exit_code == 0
    assert (desk / "link.png").is_symlink()
    assert size_of(desk / "target.png") == (32, 32)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
@pytest.mark.parametrize("number", ["TERM", "HUP"])
def test_a_signal_leaves_nothing_behind(desk: Path, start: Start, number: str) -> None:
    (desk / "tmp").mkdir()
    environment = {**os.environ, "TMPDIR": str(desk / "tmp")}
    words = ["draw", "-", *QUICK[1:-4], "--iters", "100000", "-v", "-o", "a.png"]
    code = getattr(signal, f"SIG{number}")
    # Under nohup, SIGHUP is ignored, and programs that are started ignore it, too.
    before = signal.signal(code, signal.SIG_DFL)
    try:
        with (desk / "photo.v2.png").open("rb") as photo:
            pipes = {"stdin": photo, "stderr": subprocess.PIPE}
            process = start([*LUCID, *words], cwd=desk, env=environment, **pipes)
    finally:
        signal.signal(code, before)
    assert process.stderr
    while "drawing at" not in process.stderr.readline():
        pass
    assert list((desk / "tmp").glob("lucid-*/stdin.png"))
    process.send_signal(code)
    process.stderr.read()
    assert process.wait(timeout=60) == 128 + code
    left = [path.name for path in (desk / "tmp").iterdir()]
    assert [name for name in left if not name.startswith("torchinductor")] == []  # torch's own
    assert names(desk) == {"tmp"}
