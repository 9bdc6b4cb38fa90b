"""What ``lucid album`` does: write down the tasks, paint them, and say what became of them."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from lucid.albums.album import DESCRIPTION, Album, add_inputs
from lucid.albums.cluster import Cluster
from lucid.albums.painting import STOPPED, own_versions
from lucid.albums.processes import Engine, InProcess, Processes, gpus, set_threads
from lucid.albums.run import Progress, run_album
from lucid.albums.scenes import join_scenes
from lucid.albums.sheets import check_sheet, write_sheet
from lucid.albums.site import write_site
from lucid.albums.store import Store
from lucid.cli.album import AlbumArguments
from lucid.cli.album_paint import paint
from lucid.cli.album_plan import WORDS, Plan
from lucid.cli.console import echo, format_time, log_printable
from lucid.cli.recipe_args import recipe_names
from lucid.cli.run import changed_parameters
from lucid.errors import UsageError, printable
from lucid.reading import parse_table, read_text

MANY = 20_000
"""Pictures of an album that needs --yes."""

SHOWN = 20
"""Failures that are listed at the end."""

SOME_FAILED = 3
"""Exit code of an album of which some pictures are missing."""

EVERY = 60.0
"""Seconds between two lines of progress where there is no terminal."""


def run_command(arguments: AlbumArguments) -> None:
    """Make an album, go on with one, or write its page."""
    words = arguments.words
    for sheet in arguments.sheet:
        check_sheet(sheet, replace=arguments.force)
    first = words[0] if words and not words[0].startswith("-") else ""
    is_toml = first.lower().endswith(".toml")
    is_album = bool(first) and not is_toml and ("://" in first or Path(first).is_dir())
    if is_album and not arguments.output:
        _refuse_description(words[1:], arguments)
        album = Album(Store(first))
        only_shown = (arguments.page or arguments.sheet) and not arguments.retry_failed
    else:
        album = _describe(words[is_toml:], first if is_toml else "", arguments)
        only_shown = False
    progress = None if only_shown else _paint(album, arguments)
    if arguments.page:
        _say(arguments, f"wrote {write_site(album)}")
    for sheet in arguments.sheet:
        _say(arguments, f"wrote {write_sheet(album, sheet, replace=arguments.force)}")
    if progress is not None:
        _finish(album, progress, arguments)


def _refuse_description(words: tuple[str, ...], arguments: AlbumArguments) -> None:
    """Refuse to describe an album that has its description."""
    typed = [
        f"--{name}"
        for name in ("classes", "each", "vary", "seeds", "command", "suffix", "change")
        if getattr(arguments, name)
    ]
    if words or typed:
        word = (*words, *typed)[0]
        raise UsageError(
            f"{word}: this album has its description: give the folder alone, or the new "
            "description with -o and --change"
        )


def _describe(words: tuple[str, ...], file: str, arguments: AlbumArguments) -> Album:
    """Write an album down, as its file and the options say."""
    if not arguments.output and len(words) == 1 and not words[0].startswith("-"):
        raise UsageError(f"{words[0]}: there is no such album: give -o FOLDER to make one")
    if not arguments.output:
        raise UsageError(
            "an album needs a folder: give -o FOLDER, or the folder of one to go on with"
        )
    source = Path(file or DESCRIPTION)
    description = parse_table(read_text(source), source) if file else {}
    description.pop("made", None)
    command_name = arguments.command or str(description.get("command", "draw"))
    description["command"] = command_name
    group = click.get_current_context().find_root().command
    assert isinstance(group, click.Group)
    command = group.commands.get(command_name)
    if command is not None:
        description |= _typed_options(command, words)
    axes = description.pop("axes", {})
    if not isinstance(axes, dict):
        raise UsageError(f"{source}: axes is no table: write [axes]")
    axes = {**axes, **_typed_axes(arguments)}
    pictures = description.get("base")
    if isinstance(pictures, list):
        folder = command_name != "film" and any(Path(str(each)).is_dir() for each in pictures)
        if len(pictures) != 1 or folder:
            axes["base"] = [*_as_list_of(axes.get("base", [])), *description.pop("base")]
            axes = {name: each for name, each in axes.items() if each != []}
    for name in axes:
        description.pop(name, None)
    if "seed" in axes:  # the last axis changes first: pictures of one thing lie side by side
        axes["seed"] = axes.pop("seed")
    description |= {"suffix": arguments.suffix} if arguments.suffix else {}
    description |= {"axes": axes} if axes else {}
    plan = Plan(description, source, group)
    if plan.count > MANY and not arguments.yes:
        raise UsageError(f"{plan.count:,} pictures: give --yes if that is what you want")
    next(plan.tasks())  # errors appear before anything is written
    store = Store(arguments.output)
    return Album.write(store, description, plan.tasks(), change=arguments.change)


def _typed_options(command: click.Command, words: tuple[str, ...]) -> dict[str, Any]:
    """The options of the command that paints, as they were typed."""
    found: dict[str, Any] = {}
    rest: list[str] = []
    following = iter(words)
    for word in following:  # a nightmare takes net, picture and layer without their names
        name, mark, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and name in WORDS.get(command.name or "", ()):
            found[name] = value if mark else next(following, "")
        else:
            rest.append(word)
    names = {each.name: each for each in command.params}
    for name, typed in changed_parameters(command, tuple(rest)).items():
        if name not in names or not names[name].expose_value:  # --help
            raise UsageError(f"{name}: is said by lucid {command.name} --help")
        found[recipe_names(names[name])[0]] = _as_list(typed)
    return found


def _as_list(typed: Any) -> Any:
    """Tuples as lists, as a description has them."""
    return [*map(_as_list, typed)] if isinstance(typed, list | tuple) else typed


def _as_list_of(value: Any) -> list[Any]:
    """A list as it is, another value as a list of one."""
    return value if isinstance(value, list) else [value]


def _typed_axes(arguments: AlbumArguments) -> dict[str, Any]:
    """The axes that were typed."""
    axes: dict[str, Any] = {}
    if arguments.classes:
        several = len(arguments.classes) > 1
        axes["class"] = [*arguments.classes] if several else arguments.classes[0]
    if arguments.each:
        axes["base"] = [*arguments.each]
    for text in arguments.vary:
        name, mark, values = text.partition("=")
        if not mark or not values:
            raise UsageError(f"--vary {text}: write NAME=VALUES, such as strength=.3,1,3")
        axes[name.strip().removeprefix("--")] = values
    if arguments.seeds:
        axes["seed"] = arguments.seeds
    return axes


def _paint(album: Album, arguments: AlbumArguments) -> Progress:
    """Paint what is missing."""
    versions = own_versions()
    album.store.sweep()
    if arguments.cluster or album.store.folder is None:
        add_inputs(album)
    line, before = _ProgressLine(arguments), None
    if threading.current_thread() is threading.main_thread():
        # The picture under way is not kept, as draw would after Ctrl-C.
        before = signal.signal(signal.SIGINT, _leave)
    try:
        progress = run_album(
            album,
            _engine(album, arguments),
            retry_failed=arguments.retry_failed,
            versions=versions,
            watch=line.show,
        )
    except SystemExit as stop:
        line.end()
        if stop.code in STOPPED:
            echo(f"stopped: lucid album {album.store.url} goes on", err=True)
        raise
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
        line.end()
        album.store.sweep()  # what processes that were killed have left
        log_printable(logging.ERROR if arguments.quiet else logging.WARNING)  # each picture sets it
    return progress


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _engine(album: Album, arguments: AlbumArguments) -> Engine:
    """What paints, as the options say."""
    store = album.store
    if arguments.cluster:
        _silence("distributed", "tornado", "asyncio")
        wanted = own_versions() if arguments.strict else None
        return Cluster(
            store,
            paint,
            arguments.cluster,
            workers=arguments.workers,
            threads=arguments.threads,
            wanted=wanted,
        )
    device = str(album.description.get("device", "auto"))
    found = len(gpus()) if device in ("auto", "cuda") else 0
    if workers := arguments.workers or (found if found > 1 else 0):
        return Processes(store, paint, workers, arguments.threads)
    if arguments.threads:
        set_threads(arguments.threads)
    return InProcess(store, paint)


def _silence(*packages: str) -> None:
    """Print no logs of packages that report a lost connection by a page of traceback."""
    with contextlib.suppress(ImportError):
        import distributed  # noqa: F401  # which sets the levels of its loggers

    for name in [*packages, *logging.root.manager.loggerDict]:
        if name.partition(".")[0] in packages:
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _finish(album: Album, progress: Progress, arguments: AlbumArguments) -> None:
    """Say what became of the album; exit with a code of its own if something failed."""
    changed = progress.done or arguments.change
    if not progress.set_aside and album.description.get("scenes") and changed:
        _say(arguments, f"wrote {join_scenes(album)}")
    total = progress.there + progress.done
    each = f", {progress.seconds / progress.done:.1f} s each" if progress.done else ""
    _say(
        arguments,
        f"{total} of {progress.total} pictures are in {album.store.url} ({progress.done} painted "
        f"now{each})",
    )
    if progress.set_aside:
        _exit_failed(album, progress.set_aside)


def _exit_failed(album: Album, failed: dict[str, str]) -> NoReturn:
    """List what failed."""
    shown = 0
    for task in album.tasks():
        if task.key in failed and shown < SHOWN:
            echo(f"failed: {task.caption or task.key}: {failed[task.key]}", err=True)
            shown += 1
    if len(failed) > SHOWN:
        echo(f"failed: {len(failed) - SHOWN} more", err=True)
    echo(
        f"{len(failed)} failed three times each; {album.store.url}/failed/ has the reasons, and "
        f"lucid album {album.store.url} --retry-failed tries again",
        err=True,
    )
    raise SystemExit(SOME_FAILED)


def _say(arguments: AlbumArguments, text: str) -> None:
    if not arguments.quiet:
        echo(text)


class _ProgressLine:
    """One line that says how far the album has come; without a terminal, one a minute."""

    def __init__(self, arguments: AlbumArguments) -> None:
        self.quiet = arguments.quiet
        self.terminal = bool(sys.stderr and sys.stderr.isatty())
        self._last, self._noted, self._open = time.monotonic(), 0, False

    def show(self, progress: Progress) -> None:
        """Show the progress."""
        for note in progress.notes[self._noted :]:
            self.end()
            echo(note, err=True)
        self._noted = len(progress.notes)
        if self.quiet:
            return
        text = printable(progress_text(progress))
        if self.terminal:
            click.echo(f"\r\x1b[2K{text}", err=True, nl=False)
            self._open = True
        elif time.monotonic() - self._last >= EVERY:
            self._last = time.monotonic()
            click.echo(text, err=True)

    def end(self) -> None:
        """Go to the next line."""
        if self._open:
            click.echo(err=True)
            self._open = False


def progress_text(progress: Progress) -> str:
    """Say how far an album has come, in a line."""
    parts = [f"{progress.there + progress.done} of {progress.total}"]
    if progress.set_aside:
        parts.append(f"{len(progress.set_aside)} failed")
    if progress.done:
        parts.append(f"{progress.elapsed / progress.done:.1f} s a picture")
    if progress.state:
        parts.append(progress.state)
    if (left := progress.left) is not None:
        parts.append(f"{format_time(left) if left >= 60 else f'{left:.0f} s'} left")
    return ", ".join(parts)
