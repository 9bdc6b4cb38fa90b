"""Darknet's ``.weights`` files, read and written.

A file is a header (major, minor, revision as 32-bit integers; the number of images seen in
training, 32-bit before version 0.2 and 64-bit since), then the arrays of all layers end to end as
32-bit floats. All numbers are little-endian.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from lucid.errors import LucidError
from lucid.imaging.files import atomic_write
from lucid.nets.darknet.layers import Connected, Layer


def load(path: Path, layers: Sequence[Layer]) -> None:
    """Set the parameters of layers from a file.

    Args:
        path: the ``.weights`` file.
        layers: all layers of the net, in the order of its cfg; changed in place.

    Raises:
        LucidError: the file cannot be read, or its length is not that of these layers. The message
            tells the bytes expected and found.
    """
    try:
        # Mapped, so that a wrong file is refused by its length before it is read.
        content = np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is empty"
        raise LucidError(f"{path}: cannot be read as Darknet weights ({reason})") from error
    if len(content) < 16:
        raise LucidError(f"{path}: {len(content)} bytes are too few for a Darknet weights header")
    major, minor = (int(number) for number in content[:8].view("<i4"))
    transposed = major > 1000 or minor > 1000
    header = 20 if major * 10 + minor >= 2 and major < 1000 and minor < 1000 else 16

    expected = header + 4 * sum(math.prod(shape) for layer in layers for _, shape in layer.stored())
    if len(content) != expected:
        problem = "truncated, or" if len(content) < expected else "too long:"
        raise LucidError(
            f"{path}: {problem} not the weights of this cfg: "
            f"{expected:,} bytes expected, {len(content):,} found"
        )
    floats = content[header:].view("<f4")
    for layer in layers:
        arrays = {}
        for name, shape in layer.stored():
            array, floats = np.split(floats, [math.prod(shape)])
            turned = transposed and name == "weight" and isinstance(layer, Connected)
            arrays[name] = array.reshape(shape[::-1]).T if turned else array.reshape(shape)
        layer.set_weights(arrays)


def write(path: Path, arrays: Iterable[ArrayLike], *, replace: bool = True) -> None:
    """Write layers' arrays (biases, then weights) in the format of version 0.2, which all read."""
    with atomic_write(path, replace=replace) as temporary, temporary.open("wb") as file:
        np.array([0, 2, 0], "<i4").tofile(file)
        np.array([0], "<i8").tofile(file)
        for array in arrays:
            np.ascontiguousarray(array, "<f4").tofile(file)
