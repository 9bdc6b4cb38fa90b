"""The steps of a nightmare: drawn at random from a seed, or read from a file and replayed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from lucid.errors import LucidError, UsageError
from lucid.imaging.files import atomic_write
from lucid.nets.net import Net
from lucid.reading import parse_json, read_text

OCTAVE_SCALE = 0.75  # each of Darknet's octaves is this fraction of the one before
JITTER = 8  # shifts are drawn from -8 to 7 pixels
MAX_SHIFT = 1_000_000  # pixels; a larger shift in a file is taken for a mistake


@dataclass(frozen=True)
class NightmareStep:
    """A step on a layer: the picture moved left and up (``dx``, ``dy``, pixels), mirrored, scaled.

    ``flip`` mirrors left to right; ``scale`` is a fraction of the size, above 0 and at most 4.
    """

    layer: str
    dx: int
    dy: int
    flip: bool
    scale: float


def layers_around(net: Net, layer: str, layer_range: int) -> list[str]:
    """List ``layer_range`` layers around a layer; raise a UsageError if there are not as many."""
    first = net.layers.index(net.resolve_layer(layer)) - layer_range // 2
    last = first + layer_range - 1
    if first < 0 or last >= len(net.layers):
        raise UsageError(
            f"layer {layer} with a range of {layer_range} reaches from layer number {first} to "
            f"{last}: {net.name}'s are 0 to {len(net.layers) - 1}"
        )
    return net.layers[first : last + 1]


def draw_steps(layers: Sequence[str], octaves: int, seed: int) -> Iterator[NightmareStep]:
    """Draw random steps without end, each value in the order in which Darknet draws it."""
    generator = torch.Generator().manual_seed(seed)

    def below(end: int) -> int:
        return int(torch.randint(end, (), generator=generator))

    while True:
        yield NightmareStep(
            layer=layers[below(len(layers))],
            scale=OCTAVE_SCALE ** below(octaves),
            dx=below(2 * JITTER) - JITTER,
            dy=below(2 * JITTER) - JITTER,
            flip=bool(below(2)),
        )


def read_steps(path: Path, net: Net) -> list[NightmareStep]:
    """Read steps on a net's layers from a JSON file: a list, or an object with it as ``steps``.

    A step is written as ``{"layer": 5, "dx": -2, "dy": 3, "flip": 0, "scale": 0.75}``.
    """
    content = parse_json(read_text(path), path)
    steps = content.get("steps") if isinstance(content, dict) else content
    if not isinstance(steps, list) or not steps:
        raise LucidError(f"{path}: holds no list of steps")
    return [_read_step(step, f"{path}: step {number}", net) for number, step in enumerate(steps)]


def _read_step(step: object, where: str, net: Net) -> NightmareStep:
    if not isinstance(step, dict) or set(step) != {"layer", "dx", "dy", "flip", "scale"}:
        raise LucidError(f"{where} must have layer, dx, dy, flip and scale, and nothing else")
    for key in ("dx", "dy"):
        if type(step[key]) is not int or abs(step[key]) > MAX_SHIFT:
            raise LucidError(
                f"{where}: {key} {step[key]!r} is not a whole number of pixels, up to {MAX_SHIFT}"
            )
    if step["flip"] not in (0, 1):
        raise LucidError(f"{where}: flip {step['flip']!r} is not false, true, 0 or 1")
    scale = step["scale"]
    if type(scale) not in (int, float) or not 0 < scale <= 4:
        raise LucidError(f"{where}: scale {scale!r} is not a number above 0 and at most 4")
    if not str(step["layer"]).isprintable():
        raise LucidError(f"{where}: layer {step['layer']!r} is not a layer's name")
    try:
        layer = net.resolve_layer(str(step["layer"]))
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
    return NightmareStep(layer, step["dx"], step["dy"], bool(step["flip"]), float(scale))


def write_steps(steps: Sequence[NightmareStep], path: Path, *, replace: bool = True) -> None:
    """Write steps to a JSON file that ``read_steps`` reads."""
    with atomic_write(path, replace=replace) as part:
        part.write_text(json.dumps({"steps": [asdict(step) for step in steps]}, indent=1) + "\n")
