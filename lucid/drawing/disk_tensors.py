"""Tensors in files of one folder, and blocks and bands to work through them piece by piece."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lucid.imaging import Size
from lucid.tiling.octaves import resize

BLOCK = 256
"""Rows and columns of a block."""

BAND = 2**22
"""The most pixels of a band."""


class TensorFolder:
    """A folder whose files are seen as tensors (``numpy.memmap``).

    The system keeps in memory what there is room for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def tensor(self, name: str, *shape: int) -> Tensor:
        """A file as a tensor in fp32; a file that does not exist yet is made, all zeros."""
        path = self.folder / name
        if not path.exists():
            with path.open("wb") as file:
                # If the disk ran full later, at a write to memory, the system would kill the
                # process.
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, 4 * math.prod(shape))
                file.truncate(4 * math.prod(shape))
        # torch.from_file takes only paths in UTF-8.
        return torch.from_numpy(np.memmap(path, np.float32, "r+", shape=shape))

    def delete(self, *patterns: str, keep: str = "") -> None:
        """Delete the files that fit any of the patterns, except one."""
        for path in itertools.chain(*(self.folder.glob(pattern) for pattern in patterns)):
            if path.name != keep:
                path.unlink()

    def resize(self, image: Tensor, target: Tensor, *, wrap: bool) -> Tensor:
        """Fill a target, (3, rows, columns), with an image, (3, height, width), at its size."""
        height, width = target.shape[1:]
        wide = self.tensor("wide", 3, image.shape[1], width)
        for rows in bands((image.shape[1], max(width, image.shape[2]))):
            part = image[:, rows]
            wide[:, rows] = resize(part, (part.shape[1], width), wrap=wrap)
        for columns in bands((width, max(height, image.shape[1]))):
            part = wide[:, :, columns]
            target[:, :, columns] = resize(part, (height, part.shape[2]), wrap=wrap)
        self.delete("wide")
        return target


def bands(size: Size) -> Iterator[slice]:
    """Bands of about equally many rows that cover (height, width).

    Each band has at most ``BAND`` pixels, unless it is a single row.
    """
    height, width = size
    count = min(math.ceil(height * width / BAND), height)
    bounds = [height * number // count for number in range(count + 1)]
    return (slice(first, last) for first, last in itertools.pairwise(bounds))


def blocks_along(span: slice, radius: int, length: int) -> range:
    """The numbers of the blocks along an axis that a span touches, with ``radius`` around it."""
    first, last = max(0, span.start - radius), min(length, span.stop + radius)
    return range(first // BLOCK, (last - 1) // BLOCK + 1)


def block(number: int, length: int) -> slice:
    """The pixels of the block with that number along an axis of some length."""
    return slice(number * BLOCK, min(length, (number + 1) * BLOCK))


def widen(span: slice, radius: int, length: int) -> tuple[slice, slice]:
    """A span with ``radius`` pixels around it, and where the span lies in that."""
    first = max(0, span.start - radius)
    inner = slice(span.start - first, span.stop - first)
    return slice(first, min(length, span.stop + radius)), inner
