"""Films as feedback loops: draw a little, warp the picture, draw again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image
from torch import Tensor

from lucid.core.objectives import Objective
from lucid.drawing.config import ON_A_BASE, DrawConfig, default_config
from lucid.drawing.loop import Plan, Progress, Target, classes, draw, find_wishes, paint, prepare
from lucid.errors import UsageError
from lucid.films.keyframes import Keyframes
from lucid.films.warp import parse
from lucid.imaging import Size
from lucid.imaging.io import from_pil, to_pil
from lucid.nets.net import Net

Watch = Callable[[int, Progress], None]
"""Called after each pass with the frame's number."""

ITERATIONS = 6
"""Passes over a frame at each octave: the frames before it have done most of the work."""

OCTAVES = 2


def film_config(net: Net) -> DrawConfig:
    """Return the configuration of a film's frames, where no other is given.

    Args:
        net: the network.
    """
    return replace(
        default_config(net, on_a_base=True), octaves=OCTAVES, iterations=ITERATIONS, opening=1
    )


def film(
    net: Net,
    targets: Keyframes | Sequence[str] | Mapping[str, float] | Objective,
    base: Image.Image | Tensor | None = None,
    *,
    frames: int,
    warps: Sequence[str] = (),
    size: Size | None = None,
    manner: DrawConfig | None = None,
    tile_size: int | None = None,
    octave_count: int | None = None,
    iterations: int | None = None,
    strength: float = 1,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    batch: int | None = None,
    after: tuple[int, Image.Image] | None = None,
    watch: Watch | None = None,
) -> Iterator[Image.Image]:
    """Draw on a picture, warp it, draw on the result, and so on.

    A frame depends on the bytes of the frame before, on its own number and on the seed alone: a
    film that was cut short continues as if it had never stopped.

    Args:
        net: the network.
        targets: classes, weights by class or an objective, as ``draw`` takes them; or
            ``Keyframes``, for targets and warps that change.
        base: what frame 0 is drawn on: an image, or (3, height, width), RGB, 0..1. Without it
            frame 0 is drawn from noise, with the settings of ``draw``.
        frames: number of frames; the first is frame 0.
        warps: applied between two frames, typed as on the command line: ``zoom:.05``. Keyframes
            have warps of their own.
        after: number and picture of the last frame of a film that was cut short: only the frames
            that follow are drawn.
        watch: called after each pass with the frame's number and the drawing's progress.

    Yields:
        The frames.

    Raises:
        UsageError: a setting makes no sense.

    >>> import lucid
    >>> net = lucid.load("lucid64")
    >>> picture = lucid.draw(net, ["beacon"], size=(64, 64), iterations=1)
    >>> film = lucid.film(net, ["jellyfish"], picture, frames=2, warps=["zoom:.05"], iterations=1)
    >>> [frame.size for frame in film]
    [(64, 64), (64, 64)]
    """
    if frames < 1:
        raise UsageError(f"a film of {frames} frames shows nothing: use 1 or more")
    if not isinstance(targets, Keyframes):
        if not isinstance(targets, Objective):
            targets = classes(net, targets, film_config(net))
        targets = Keyframes({0: targets}, [parse(warp) for warp in warps])
    elif warps:
        raise UsageError("keyframes have warps of their own: give them those")
    machine: dict[str, Any] = {"device": device, "precision": precision, "batch": batch}
    number, picture = after if after else (-1, None)
    if picture is None and base is None:
        picture = draw(
            net,
            targets.objective(0),
            size=size,
            tile_size=tile_size,
            strength=strength * targets.strength(0),
            seed=seed,
            watch=None if watch is None else lambda progress: watch(0, progress),
            **machine,
        )
        number = 0
        yield picture
    start = picture if picture is not None else base
    for objective in targets.targets.values():
        find_wishes(net, objective, ON_A_BASE)  # refuses a layer that the net lacks
    plan = prepare(
        net,
        1 * targets.objective(0),  # a sum: a few passes leave a mix no time to settle
        start,
        size=size,
        manner=manner or film_config(net),
        tile_size=tile_size,
        octave_count=octave_count,
        iterations=iterations,
        strength=strength,
        **machine,
    )
    for frame in range(number + 1, frames):
        plan.generator.manual_seed((seed * 1_000_003 + frame) % 2**63)
        shown = plan.base if picture is None else from_pil(picture)
        assert shown is not None
        shown = shown.to(plan.ascent.device)
        if frame:
            shown = targets.warp(shown, frame, plan.generator)
        picture = draw_frame(plan, targets, frame, shown, watch)
        yield picture


def draw_frame(
    plan: Plan, keyframes: Keyframes, frame: int, base: Tensor, watch: Watch | None
) -> Image.Image:
    """Draw one frame.

    Args:
        plan: of all frames.
        keyframes: what is drawn, and how strongly.
        frame: its number.
        base: what it is drawn on, (3, height, width), RGB, 0..1.
        watch: called after each pass with the frame's number.

    Returns:
        The frame.
    """
    frame_plan = replace(
        plan,
        base=base,
        wishes=[Target(keyframes.objective(frame))],
        strength=plan.strength * keyframes.strength(frame),
    )
    return to_pil(
        paint(frame_plan, watch=None if watch is None else lambda progress: watch(frame, progress))
    )
