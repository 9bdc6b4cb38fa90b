"""Functions that paint for the tests of albums; workers import this module."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from lucid.albums.task import Task
from lucid.errors import LucidError
from lucid.imaging.recipes import write_picture


def quick(task: Task, path: Path, inputs: Mapping[str, Path]) -> None:
    """A picture of one colour."""
    shade = int(task.axes.get("seed", "0")) % 256
    write_picture(Image.new("RGB", (16, 16), (shade, 80, 160)), path, task.recipe)


def slow(task: Task, path: Path, inputs: Mapping[str, Path]) -> None:
    """A picture that takes as long as the option says, half of which it lies there half-written."""
    path.write_bytes(b"half a picture")
    time.sleep(float(task.options.get("strength", 0.3)))
    quick(task, path, inputs)


def deadly(task: Task, path: Path, inputs: Mapping[str, Path]) -> None:
    """Seed 1 kills its process."""
    if task.axes["seed"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    quick(task, path, inputs)


def poisoned(task: Task, path: Path, inputs: Mapping[str, Path]) -> None:
    """Seed 1 fails."""
    if task.axes["seed"] == "1":
        raise LucidError("there is no such class")
    quick(task, path, inputs)


def nothing(task: Task, path: Path, inputs: Mapping[str, Path]) -> None:
    """An empty file: what albums cost besides pictures."""
    path.touch()
