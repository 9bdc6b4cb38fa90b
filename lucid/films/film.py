"""Films as feedback loops: draw a little, warp the picture, draw again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack, cast

import torch
from PIL import Image
from torch import Generator, Tensor

from lucid.core.provenance import made_by
from lucid.drawing.config import DrawConfig, default_config
from lucid.drawing.loop import passes
from lucid.drawing.octave_canvas import paintable
from lucid.drawing.options import DrawOptions, complete_options
from lucid.drawing.plan import Given, Plan, prepare
from lucid.drawing.progress import Progress
from lucid.drawing.recipe import draw_recipe
from lucid.drawing.targets import Target, Targets, find_targets
from lucid.errors import Stop, UsageError, tell
from lucid.films.guide_frames import GuideFrames
from lucid.films.keyframes import Keyframes
from lucid.films.spectrum import SpectrumLimit
from lucid.films.warp import parse
from lucid.imaging import Size
from lucid.imaging.fit import fit_image, fit_size
from lucid.imaging.io import Picture, from_pil, to_pil, to_tensor
from lucid.imaging.recipes import Recipe, with_recipe
from lucid.nets.net import Net
from lucid.nets.registry import NetLike, to_net
from lucid.tiling.octaves import start_image

CONTRAST = 1.1
"""How loud waves of any length may become in a film (see ``SpectrumLimit``)."""

FILM_OPTIONS = {
    *("class", "layer", "base", "warp", "frames", "size", "fit", "octaves", "iters", "contrast"),
    *("net", "strength", "variety", "tile-size", "seed", "precision", "deterministic"),
    *("mask", "keep-colors", "padding", "octave-scale", "canvas", "weight-decay", "laplacian"),
    *("flip", "pooling"),
}
"""What ``lucid film`` can be told of a film that a program made."""

Watch = Callable[[int, Progress], object]
"""Called after each pass with the number of the frame and the progress of its drawing; stops the
film before that frame by returning False, or by raising ``lucid.Stop``."""


def film_config(net: Net) -> DrawConfig:
    """Return the default hyperparameters of a film's frames."""
    # Few, as the frames before have done most of the work. Found by eye.
    return replace(
        default_config(net, on_base=True), octaves=2, iterations=6, first_octave_factor=1
    )


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def film(
    net: NetLike,
    targets: Keyframes | Targets,
    base: Picture | None = None,
    *,
    frames: int,
    warps: Sequence[str] = (),
    contrast: float = CONTRAST,
    after: tuple[int, Image.Image] | None = None,
    watch: Watch | None = None,
    **options: Unpack[DrawOptions],
) -> Iterator[Image.Image]:
    """Draw on a picture, warp it, draw on the result, and so on.

    A frame depends on the bytes of the frame before, on its own number and on the seed alone: a
    film that was cut short continues as if it had never stopped.

    Args:
        net: the net that draws.
        targets: what to draw, as for ``draw``; or ``Keyframes``, for targets and warps that
            change.
        base: what frame 0 is drawn on: a Pillow image, or (3, height, width), RGB, 0..1. Without
            it frame 0 is drawn from noise, with the octaves and iterations of ``draw``, and with
            its ``config`` unless one is given.
        frames: number of frames; the first is frame 0.
        warps: applied between two frames, typed as on the command line: ``zoom:.05``. Keyframes
            have warps of their own.
        contrast: how loud waves of any length may become from frame to frame, as a multiple of
            what they are in the base or in photographs, whichever is more; 0 for no limit.
        after: number and picture of the last frame of a film that was cut short: only the frames
            that follow are drawn.
        watch: called with the frame's number and the progress of its drawing after each pass;
            False, or ``lucid.Stop``, ends the film before that frame.
        options: those of ``draw``; the default ``config`` is ``film_config``. A strength of the
            keyframes multiplies ``strength``.

    Yields:
        The frames, RGB. Each carries the film's recipe.

    Raises:
        UsageError: an option makes no sense, or the net lacks a class or layer.
        LucidError: a frame does not fit into memory.

    >>> import lucid
    >>> net = lucid.load("lucid64")
    >>> picture = lucid.draw(net, "beacon", size=(64, 64), iterations=1)
    >>> film = lucid.film(net, "jellyfish", picture, frames=2, warps=["zoom:.05"], iterations=1)
    >>> [frame.size for frame in film]
    [(64, 64), (64, 64)]
    """
    if not isinstance(frames, int) or frames < 1:
        raise UsageError(f"frames={frames!r} must be a whole number, 1 or more")
    if isinstance(warps, str):
        raise UsageError(f"warps={warps!r} must be a list of warps: [{warps!r}]")
    if options.get("at"):
        raise UsageError("a film has no edits: give keyframes")
    net = to_net(net)
    keyframes = resolve_keyframes(net, targets, warps)
    settings = complete_options(options)
    if settings["canvas"] == "cppn" and frames > 1:
        raise UsageError("a CPPN starts from nothing, a frame from the one before: no film")
    # The first frame's things are as large as those of the frames that are drawn on it.
    settings["subject"] = settings["subject"] or "tile"
    given, started = {"warp": [*warps], "frames": frames, "contrast": contrast}, base
    number, last = after or (-1, None)
    base = None if base is None else to_tensor(base)
    if base is not None and settings["size"] is not None:
        shape, size = (base.shape[1], base.shape[2]), cast(Size, settings["size"])
        settings["size"] = fit_size(shape, size, settings["fit"])
        base = fit_image(base, size, settings["fit"])
    image: Tensor | Image.Image | None = base if last is None else to_tensor(last)
    if image is None:
        first: DrawOptions = {
            **settings,
            # Without tint and noise, as the frames that follow.
            "config": settings["config"]
            or replace(default_config(net, on_base=False), tint=0.0, noise=0.0),
            "octave_count": None,
            "octave_scale": None,
            "iterations": None,
            "strength": settings["strength"] * keyframes.strength(0),
        }
        plan = prepare(net, keyframes.at(0), **first)
        limit = spectrum_limit(plan, None, contrast)
        try:
            painted = _paint(plan, 0, watch)
        except Stop:
            return
        image = to_pil(limit(painted) if limit else painted)
        number = 0
        recipe = film_recipe(plan, targets, started, options, given)
        yield with_recipe(image, recipe)
    settings["config"] = settings["config"] or film_config(net)
    plan = prepare(net, as_sums(keyframes.at(0)), image, **settings)
    limit = spectrum_limit(plan, base, contrast)
    recipe = film_recipe(plan, targets, started, options, given)
    for frame in range(number + 1, frames):
        generator = frame_generator(settings["seed"], frame)
        start = (image if isinstance(image, Tensor) else from_pil(image)).to(plan.ascent.device)
        if frame:
            start = keyframes.warp(start, frame, generator)
        try:
            image = draw_frame(plan, keyframes, frame, start, watch, generator, limit)
        except Stop:
            return
        yield with_recipe(image, recipe)


def film_recipe(
    plan: Plan,
    targets: Keyframes | Targets,
    base: Picture | None,
    options: DrawOptions,
    more: Mapping[str, Any],
) -> Recipe:
    """Write down what ``lucid film`` would have to be told; as ``draw_recipe`` does."""
    if isinstance(targets, Keyframes):
        targets, more = [], {**more, "keyframes": targets}
    drawn = draw_recipe(plan, more, source=Given(targets, base, options))
    given, program = {}, [*drawn.made.get("program", ())]
    for name, value in drawn.options.items():
        if name in FILM_OPTIONS:
            given[name] = value
        elif name in options:
            program.append(f"{name} {value!r}")
    if options.get("variety") is None:
        given["variety"] = float(default_config(plan.net, on_base=False).variety)
    made = {**made_by(plan.net, plan.ascent.device), "config": film_config(plan.net).to_dict()}
    return Recipe("film", given, made | ({"program": program} if program else {}))


def spectrum_limit(plan: Plan, base: Picture | None, contrast: float) -> SpectrumLimit | None:
    """The limit of the frames' contrast; None for ``contrast`` 0.

    Raises:
        UsageError: ``contrast`` is negative or too large.
    """
    if not isinstance(contrast, int | float) or not 0 <= contrast <= 100:
        raise UsageError(f"contrast {contrast} must be from 0 to 100; {CONTRAST} is usual")
    if not contrast:
        return None
    if base is not None:
        base = start_image(plan.size, None, to_tensor(base).cpu(), wrap=plan.wrap)
    return SpectrumLimit.of(plan.size, contrast, base, wrap=plan.wrap)


def resolve_keyframes(
    net: Net, targets: Keyframes | Targets, warps: Sequence[str] = ()
) -> Keyframes:
    """Turn what ``film`` is given into keyframes, with the net's own names of layers."""
    if not isinstance(targets, Keyframes):
        found = find_targets(net, targets, film_config(net))
        return Keyframes({0: found}, [parse(warp) for warp in warps])
    if warps:
        raise UsageError("keyframes have warps of their own: give them those")
    if isinstance(targets.targets, GuideFrames):
        return targets
    resolved = {}
    for frame, value in targets.targets.items():
        listed = list(value) if isinstance(value, Sequence) else [value]
        resolved[frame] = [find_targets(net, [each], film_config(net))[0] for each in listed]
    return replace(targets, targets=resolved)


def frame_generator(seed: int, frame: int) -> Generator:
    """The generator of a frame's random numbers, which depend on the seed and its number alone."""
    return Generator().manual_seed((seed * 1_000_003 + frame) % 2**63)


def as_sums(targets: Sequence[Target]) -> list[Target]:
    """Targets that are no mixes of classes: such would cool down, which takes many passes."""
    return [replace(target, objective=1 * target.objective) for target in targets]


def draw_frame(
    plan: Plan,
    keyframes: Keyframes,
    frame: int,
    base: Tensor,
    watch: Watch | None,
    generator: Generator | None = None,
    limit: SpectrumLimit | None = None,
) -> Image.Image:
    """Draw a frame on a base, (3, height, width), 0..1; without a generator, by the plan's seed.

    Raises:
        Stop: the watch function wants no more.
    """
    frame_plan = replace(
        plan,
        base=base,
        targets=keyframes.at(frame),
        strength=plan.strength * keyframes.strength(frame),
    )
    painted = _paint(frame_plan, frame, watch, generator)
    if limit is None:
        return to_pil(painted)
    mask = paintable(frame_plan, plan.size)
    return to_pil(limit(painted) if mask is None else painted.lerp(limit(painted), mask.cpu()))


def _paint(
    plan: Plan, frame: int, watch: Watch | None, generator: Generator | None = None
) -> Tensor:
    """Paint a frame, (3, height, width), 0..1, on the CPU."""
    for progress in passes(plan, generator):
        tell(watch, frame, progress)
    return progress.canvas.image().detach().cpu()
