"""Files that commands read and write: patterns, standard input and output, refusals."""

from __future__ import annotations

import contextlib
import glob
import re
import shutil
import sys
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from lucid.imaging.output_paths import (
    ReservedError,
    exists,
    free_paths,
    reserve,
    temporary_folder,
)

MAGIC = 16  # bytes by which Pillow tells formats apart
MAX_STDIN = 4 * 2**30  # bytes

STDIN = "lucid.stdin"  # key of context.meta: the file that holds what came on standard input


def find_files(patterns: Sequence[Path]) -> list[Path]:
    """Expand ``*``, ``?`` and ``[]``, which shells do not on Windows, nor within quotes."""
    found: list[Path] = []
    for pattern in patterns:
        if pattern.exists() or not glob.has_magic(str(pattern)):
            found.append(pattern)
        elif matches := sorted(glob.glob(str(pattern))):
            found += map(Path, matches)
        else:
            raise click.UsageError(f"{pattern}: no file fits")
    return found


def resolve_stdin(path: Path) -> Path:
    """Replace ``-`` by a temporary file that holds what came on standard input."""
    if str(path) != "-":
        return path
    context = click.get_current_context()
    # Standard input can be read only once, but is asked for several times.
    if STDIN not in context.meta:
        if not sys.stdin or sys.stdin.isatty():
            raise click.UsageError("-: nothing comes on standard input: pipe a picture in")
        start = sys.stdin.buffer.read(MAGIC)
        if not (suffix := _suffix_of(start)):
            raise click.UsageError("-: standard input is neither a picture nor a video")
        folder = context.with_resource(temporary_folder())
        path = folder / f"stdin{suffix}"
        with path.open("wb") as file:
            while start:
                file.write(start)
                if file.tell() > MAX_STDIN:
                    raise click.UsageError(
                        f"-: more than {MAX_STDIN >> 30} GiB come on standard input: name a file"
                    )
                start = sys.stdin.buffer.read(2**20)
        context.meta[STDIN] = path
    return context.meta[STDIN]


def _suffix_of(start: bytes) -> str:
    """Name the suffix that fits a picture's or a video's first bytes; empty for anything else."""
    from PIL import Image

    if len(start) < MAGIC:
        return ""
    Image.init()
    for name in Image.ID:
        accept = Image.OPEN[name][1]
        if accept and accept(start) is True:
            return f".{name.lower()}"
    return ".mp4" if start[4:8] == b"ftyp" else ""


@contextlib.contextmanager
def stdout_target(output: Path | None, suffix: str) -> Iterator[Path | None]:
    """Replace ``-`` by a temporary file, whose content goes to standard output at the end."""
    if str(output) != "-":
        yield output
        return
    if not sys.stdout:
        raise click.UsageError("-o -: standard output is closed")
    with temporary_folder() as folder:
        path = folder / f"stdout{suffix}"
        try:
            yield path
        finally:  # after Ctrl-C, the picture so far
            if path.exists():
                with path.open("rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)


def fill_name(output: Path, words: Mapping[str, str], taken: Container[Path] = ()) -> Path:
    """Replace words in braces in the name of an output.

    Args:
        output: as it was typed behind ``-o``.
        words: what ``{stem}``, ``{seed}`` and so on stand for.
        taken: the outputs for other bases.

    Raises:
        UsageError: there is another word in braces, or the name is taken.
    """

    def fill(match: re.Match[str]) -> str:
        word = match[1]
        if word not in words:
            known = ", ".join(f"{{{each}}}" for each in words)
            raise click.UsageError(f"-o {output}: {{{word}}} stands for nothing: give {known}")
        # Layers and folders have slashes in their names.
        return re.sub(r"[^\w.+-]+", "-", words[word]).strip("-") or word

    path = Path(re.sub(r"\{(\w*)\}", fill, str(output)))
    if path in taken:
        raise click.UsageError(
            f"{path} would be written more than once: give an -o with {{stem}}, which stands "
            "for each base's name, and bases of different names"
        )
    return path


def check_output(output: Path | None, bases: Sequence[Path], refused: Mapping[str, object]) -> None:
    """Refuse more than one file on standard output, and ``--resume`` with several bases."""
    several = len(bases) > 1
    for name, value in {**refused, "several bases": several}.items():
        if value and str(output) == "-":
            raise click.UsageError(f"-o - takes one picture: leave {name} out, or name a file")
    if several and refused.get("--resume"):
        raise click.UsageError("--resume goes on with one at a time: give one base")


def reserve_output(path: Path) -> None:
    """Reserve a file until the command ends, so that no other process writes it."""
    click.get_current_context().with_resource(reserve(path))


def reserve_numbered(
    stem: str, folder: Path = Path(), suffix: str = ".png", taken: Container[Path] = ()
) -> Path:
    """Reserve the first of ``stem_0000.png``, ``stem_0001.png``, … that is free and not taken."""
    for path in free_paths(stem, folder, suffix):
        if path not in taken:
            with contextlib.suppress(ReservedError):
                click.get_current_context().with_resource(reserve(path, wait=0))
                if not exists(path):  # as it may by now, if another process had reserved it
                    return path
    raise AssertionError("numbers do not end")


def refuse_overwrite(paths: Iterable[Path], force: bool, hint: str = "") -> None:
    """Refuse to overwrite a file without ``--force``; ``hint`` says what else would do."""
    for path in paths:
        if exists(path) and not force:
            raise click.UsageError(f"{path} exists: give --force to overwrite it{hint}")


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, unless it exists."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"{folder}: cannot be made a folder ({error.strerror})") from error
