"""A long film of scenes that were painted independently, joined with dissolves."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from lucid.albums.album import Album, find_input
from lucid.albums.pictures import local_file
from lucid.errors import LucidError, UsageError
from lucid.imaging import video
from lucid.imaging.video import DEFAULT_DELAY, Footage

DISSOLVE = 12
"""Frames of a dissolve."""


def join_scenes(album: Album) -> str:
    """Join the scenes of an album to one film, ``film.mp4`` or of their own suffix.

    The last frames of each scene dissolve into the first of the next, as many as the description's
    ``dissolve`` says. Its ``audio`` is the film's sound.

    Returns:
        Where the film lies.

    Raises:
        UsageError: a scene is too short for its dissolves.
        LucidError: scenes are missing, or differ in size.
    """
    tasks = [*album.tasks()]
    missing = [task.caption for task in tasks if not album.store.exists(task.done_name)]
    if missing:
        raise LucidError(f"{album.store.url}: {', '.join(missing[:3])}: not painted yet")
    dissolve = check_dissolve(album.description)
    name = f"film{tasks[0].suffix}"
    with contextlib.ExitStack() as stack, album.store.staging(name) as folder:
        scenes = []
        for task in tasks:
            path = stack.enter_context(local_file(album.store, task.name))
            scenes.append(Footage(path))
        short = [
            task.caption
            for task, each in zip(tasks, scenes, strict=True)
            if each.count < 2 * dissolve
        ]
        if short:
            raise UsageError(
                f"{', '.join(short[:3])}: too short for dissolves of {dissolve} frames: give "
                "another dissolve, and --change"
            )
        film = folder / name
        sound = tasks[0].options.get("audio")
        if isinstance(sound, str) and sound in tasks[0].files:
            sound = str(find_input(album.store, sound, tasks[0].files[sound], folder))
        video.write(
            dissolved(scenes, dissolve),
            film,
            delay=_delay(album.description, scenes[0]),
            sound=Path(sound) if sound else None,
        )
        album.store.put(name, film)
    return f"{album.store.url.rstrip('/')}/{name}"


def check_dissolve(description: Any) -> int:
    """The frames of a dissolve.

    Raises:
        UsageError: that is no number of frames.
    """
    frames = description.get("dissolve", DISSOLVE)
    if not isinstance(frames, int) or isinstance(frames, bool) or not 0 <= frames <= 10_000:
        raise UsageError(f"dissolve = {frames!r} is no number of frames, such as {DISSOLVE}")
    return frames


def dissolved(scenes: Sequence[Iterable[Image.Image]], dissolve: int) -> Iterator[Image.Image]:
    """Iterate over the frames of several films, of which at most ``dissolve`` are in memory.

    Args:
        scenes: RGB frames of one size.
        dissolve: frames in which each film goes over to the next.
    """
    ending: list[Image.Image] = []
    for number, scene in enumerate(scenes):
        held: deque[Image.Image] = deque()
        keep = dissolve if number < len(scenes) - 1 else 0
        for index, frame in enumerate(scene):
            if index < len(ending):
                share = (index + 1) / (len(ending) + 1)
                if frame.size != ending[index].size:
                    raise LucidError(
                        f"scene {number + 1} has {frame.width}x{frame.height} pixels, the one "
                        f"before {ending[index].width}x{ending[index].height}: give one size"
                    )
                held.append(Image.blend(ending[index], frame, share))
            else:
                held.append(frame)
            if len(held) > keep:
                yield held.popleft()
        ending = [*held]


def _delay(description: Any, scene: Footage) -> Fraction:
    """Hundredths of a second between frames, as the film's options say."""
    if fps := description.get("fps"):
        return 100 / Fraction(str(fps))
    return Fraction(description.get("delay") or scene.delay or DEFAULT_DELAY)
