"""Darknet's ``.weights`` files.

A header (major, minor, revision as 32-bit numbers; images seen, 32-bit before
version 0.2 and 64-bit from it on), then all layers' arrays end to end as
32-bit floats, little-endian.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lucid.errors import LucidError
from lucid.imaging.files import atomic_write
from lucid.nets.darknet.layers import Connected, Layer


def load(path: Path, layers: Iterable[Layer]) -> None:
    """Fill the layers with what the file holds.

    Raises:
        LucidError: the file cannot be read or is not of these layers' length;
            says the bytes expected and found.
    """
    layers = list(layers)
    try:
        # Mapped, so that a wrong file is refused by its length before it is read.
        content = np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is empty"
        raise LucidError(f"{path}: cannot be read as Darknet weights ({reason})") from error
    if len(content) < 16:
        raise LucidError(f"{path}: {len(content)} bytes are too few for a Darknet weights header")
    major, minor = (int(number) for number in content[:8].view("<i4"))
    modern = major * 10 + minor >= 2 and major < 1000 and minor < 1000
    header = 20 if modern else 16
    transposed = major > 1000 or minor > 1000

    expected = header + 4 * sum(math.prod(shape) for layer in layers for _, shape in layer.stored())
    if len(content) != expected:
        fault = "truncated, or" if len(content) < expected else "too long:"
        raise LucidError(
            f"{path}: {fault} not the weights of this cfg: "
            f"{expected:,} bytes expected, {len(content):,} found"
        )
    floats = content[header:].view("<f4")
    start = 0
    for layer in layers:
        arrays = {}
        for name, shape in layer.stored():
            stop = start + math.prod(shape)
            array = floats[start:stop]
            start = stop
            if transposed and name == "weight" and isinstance(layer, Connected):
                arrays[name] = array.reshape(shape[::-1]).T
            else:
                arrays[name] = array.reshape(shape)
        layer.take(arrays)


def write(path: Path, arrays: Iterable[np.ndarray]) -> None:
    """Write arrays end to end as version 0.2, the one that every Darknet reads.

    Args:
        arrays: of each layer in turn, in Darknet's order: biases, then weights.
    """
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.array([0, 2, 0], "<i4").tofile(file)
        np.array([0], "<i8").tofile(file)
        for array in arrays:
            np.ascontiguousarray(array, "<f4").tofile(file)
