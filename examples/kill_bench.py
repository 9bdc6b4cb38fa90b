"""Kill lucid at random moments, run it twice at once, and count what is lost.

    python examples/kill_bench.py --kills 300 > kills.md

Each kill starts a command in a folder of its own, which holds a photograph and another file, and
ends it at a random moment of its usual time: by SIGKILL, SIGTERM or SIGHUP, by a disk that is full,
or by deleting the folder that it writes into. Then the same command runs to its end. Prints a
Markdown table of four counts, which all should be 0:

- lost: files that were there before and are changed or gone;
- half: files under their final name that are not whole;
- wrong: results that differ from those of a run without a kill;
- left: temporary files that are still there after the second run.

At the end, eight pairs of commands run at once. Of each pair either both write files of their own,
or one is refused.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from PIL import Image

from lucid.errors import LucidError
from lucid.imaging import recipes, video

SMALL = ["--size", "64x64", "--octaves", "2", "--iters", "2", "--seed", "1", "--device", "cpu"]
DRAW = ["draw", "--class", "lion", *SMALL]
FILM = ["film", "photo.png", "--class", "lion", "--frames", "3", "--warp", "zoom:.05", *SMALL]
COMMANDS = {
    "draw": [*DRAW, "-o", "out/a.png"],
    "draw on disk": [*DRAW, "--on-disk", "-o", "out/a.png"],
    "film, GIF": [*FILM, "-o", "out/a.gif"],
    "film, MP4": [*FILM, "-o", "out/a.mp4"],
    "film, WebP": [*FILM, "-o", "out/a.webp"],
    "film, frames": [*FILM, "-o", "out/frames"],
    "nightmare": [
        "nightmare",
        "lucid64",
        "photo.png",
        "8",
        "-rounds",
        "3",
        "-iters",
        "1",
        "-octaves",
        "1",
        "-prefix",
        "out",
    ],
    "run": ["run", "recipe.toml"],
}
RECIPE = """command = "draw"
base = "photo.png"
class = "monarch"
size = "64x64"
octaves = 1
iters = 4
seed = 2
output = "out/a.png"
"""
ENDS = ("KILL", "TERM", "HUP", "full disk", "no folder")


@dataclass
class Counts:
    """What happened to one command."""

    kills: int = 0
    lost: int = 0
    half: int = 0
    wrong: int = 0
    left: int = 0
    messages: list[str] = field(default_factory=list)


def make_desk(folder: Path) -> Path:
    """A folder with a photograph, a recipe, and a file that must not change."""
    (folder / "out").mkdir(parents=True)
    ramp = np.linspace(0, 255, 48, dtype=np.uint8)
    pixels = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], ramp[::-1, None]), axis=-1)
    Image.fromarray(pixels).save(folder / "photo.png")
    (folder / "recipe.toml").write_text(RECIPE)
    for name in ("out/mine.png", "out/.mine.png.1234", "out/notes.txt"):
        (folder / name).write_text(f"{name} is the user's")
    return folder


def digests(folder: Path) -> dict[str, str]:
    """The hash of each file in a folder and below."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def results(folder: Path, before: dict[str, str]) -> dict[str, str]:
    """The pixels of each picture or film that a command wrote, as hashes."""
    found = {}
    for path in sorted((folder / "out").rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and name not in before and path.suffix != ".json":
            frames = list(video.read(path))
            pixels = b"".join(frame.convert("RGB").tobytes() for frame in frames)
            found[name] = hashlib.sha256(pixels).hexdigest()
    return found


def is_whole(path: Path) -> bool:
    """Whether a file under its final name can be read to its end."""
    try:
        if path.suffix in (".json", ".toml"):
            recipes.read(path)
        else:
            list(video.read(path))
    except LucidError:
        return False
    return True


def start(words: list[str], folder: Path, limit: int | None = None) -> subprocess.Popen[bytes]:
    """Start a command; its files may grow to ``limit`` bytes."""
    full = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))" if limit else ""
    code = f"import resource; {full}\nfrom lucid.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
    )


def kill(words: list[str], folder: Path, end: str, after: float, generator: random.Random) -> bool:
    """Start a command and end it; tell whether its folder was deleted."""
    process = start(words, folder, generator.randrange(1, 30_000) if end == "full disk" else None)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        if end == "no folder":
            shutil.rmtree(folder / "out", ignore_errors=True)
            process.communicate(timeout=300)
            return True
        if end != "full disk":
            process.send_signal(getattr(signal, f"SIG{end}"))
    process.communicate(timeout=300)
    return False


def check_kill(
    words: list[str],
    expected: dict[str, str],
    end: str,
    after: float,
    generator: random.Random,
    counts: Counts,
) -> None:
    """Kill a command, look at what is there, run the command again, and look again."""
    with tempfile.TemporaryDirectory() as name:
        folder = make_desk(Path(name))
        before = digests(folder)
        if kill(words, folder, end, after, generator):
            (folder / "out").mkdir(exist_ok=True)
            for path in [path for path in before if path.startswith("out/")]:
                del before[path]
        now = digests(folder)
        counts.kills += 1
        lost = [path for path, digest in before.items() if now.get(path) != digest]
        final = [path for path in now if path not in before and ".part" not in path]
        final = [path for path in final if not Path(path).name.startswith(".lucid-")]
        half = [path for path in final if not is_whole(folder / path)]
        resumable = any(
            (folder / place).exists()
            for place in (
                *("out/a.png.part/state.json", "out/frames/film.json"),
                *(f"out/a.{kind}.part/film.json" for kind in ("gif", "mp4", "webp")),
            )
        )
        more = ["--resume"] if resumable else ["--force"]
        again = start([*words, *more], folder)
        error = again.communicate(timeout=300)[1].decode(errors="replace").strip()
        after_all = digests(folder)
        lost += [path for path, digest in before.items() if after_all.get(path) != digest]
        wrong = again.returncode != 0 or results(folder, before) != expected
        left = [path for path in after_all if ".lucid-" in path or ".part" in path]
        left += [path.name for path in folder.glob("lucid-*")]
        for count, found in (("lost", lost), ("half", half), ("left", left)):
            if found:
                setattr(counts, count, getattr(counts, count) + 1)
                counts.messages.append(f"{end} after {after:.1f} s: {count}: {', '.join(found)}")
        if wrong:
            counts.wrong += 1
            counts.messages.append(f"{end} after {after:.1f} s: wrong: {more} {error[-300:]}")


PAIRS: dict[str, tuple[list[str], list[str]]] = {
    "draw, numbered": (DRAW, DRAW),
    "draw, one name": (COMMANDS["draw"], COMMANDS["draw"]),
    "draw, one name, forced": ([*COMMANDS["draw"], "--force"], [*COMMANDS["draw"], "--force"]),
    "on disk": (COMMANDS["draw on disk"], COMMANDS["draw on disk"]),
    "draw and on disk": (COMMANDS["draw"], COMMANDS["draw on disk"]),
    "film, one name": (COMMANDS["film, GIF"], COMMANDS["film, GIF"]),
    "film, one folder": (COMMANDS["film, frames"], COMMANDS["film, frames"]),
    "nightmare": (COMMANDS["nightmare"], COMMANDS["nightmare"]),
}
"""Eight ways to run two at once."""


def run_pair(pair: tuple[list[str], list[str]]) -> str:
    """Run two commands at once; say what came of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = make_desk(Path(name))
        before = digests(folder)
        processes = [start(words, folder) for words in pair]
        codes = sorted(
            process.returncode for process in processes if process.communicate(timeout=300)
        )
        now = digests(folder)
        written = [path for path in now if path not in before]
        half = [path for path in written if not is_whole(folder / path)]
        hidden = [path for path in written if "/." in path or path.startswith(".")]
        lost = [path for path, digest in before.items() if now.get(path) != digest]
        if half or hidden or lost or codes not in ([0, 0], [0, 2]):
            return f"WRONG: {codes} {half} {hidden} {lost}"
        # One after the other, a forced run replaces the first one's picture, as it was told to.
        return "both wrote" if codes == [0, 0] else "one wrote, one was refused"


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--kills", default=300, show_default=True, help="Number of kills.")
@click.option("--seed", default=0, show_default=True)
def main(kills: int, seed: int) -> None:
    generator = random.Random(seed)
    usual: dict[str, float] = {}
    expected: dict[str, dict[str, str]] = {}
    for name, words in COMMANDS.items():
        with tempfile.TemporaryDirectory() as where:
            folder = make_desk(Path(where))
            before, begin = digests(folder), time.monotonic()
            process = start(words, folder)
            error = process.communicate()[1]
            if process.returncode:
                sys.exit(f"{name}: {error.decode()}")
            usual[name], expected[name] = time.monotonic() - begin, results(folder, before)
    table = {name: Counts() for name in COMMANDS}
    ends: Counter[str] = Counter()
    with click.progressbar(range(kills), label="killing", file=sys.stderr) as bar:
        for number in bar:
            name = list(COMMANDS)[number % len(COMMANDS)]
            end = ENDS[number // len(COMMANDS) % len(ENDS)]
            ends[end] += 1
            # Most of the time goes into imports, where nothing can be lost.
            after = usual[name] * generator.uniform(0.3, 1.1)
            known = len(table[name].messages)
            check_kill(COMMANDS[name], expected[name], end, after, generator, table[name])
            for message in table[name].messages[known:]:
                click.echo(f"{name}: {message}", err=True)
    click.echo(
        "| command | kills | lost | half | wrong | left |\n| --- | --- | --- | --- | --- | --- |"
    )
    for name, counts in table.items():
        cells = (name, counts.kills, counts.lost, counts.half, counts.wrong, counts.left)
        click.echo("| " + " | ".join(map(str, cells)) + " |")
    click.echo("\n" + ", ".join(f"{count} by {end}" for end, count in ends.items()) + "\n")
    for name, pair in PAIRS.items():
        click.echo(f"- {name}: {run_pair(pair)}")


if __name__ == "__main__":
    main()
