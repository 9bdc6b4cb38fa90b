"""Draw on every frame of a video, so that what is drawn moves with the things in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Unpack, cast

import torch
from PIL import Image
from torch import Tensor

from lucid.drawing.options import DrawOptions, complete_options
from lucid.drawing.plan import Plan, prepare
from lucid.drawing.targets import Targets
from lucid.errors import Stop, UsageError
from lucid.films.film import (
    CONTRAST,
    Watch,
    as_sums,
    draw_frame,
    film_config,
    film_recipe,
    frame_generator,
    resolve_keyframes,
    spectrum_limit,
)
from lucid.films.keyframes import Keyframes
from lucid.films.optical_flow import estimate_flow
from lucid.imaging import Size
from lucid.imaging.fit import fit_image, fit_size
from lucid.imaging.io import from_pil
from lucid.imaging.recipes import with_recipe
from lucid.nets.registry import NetLike, to_net
from lucid.tiling.octaves import resize


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def dream_over(
    net: NetLike,
    targets: Keyframes | Targets,
    footage: Iterable[Image.Image],
    *,
    blend: float = 0.85,
    flow: bool = True,
    contrast: float = CONTRAST,
    skip: int = 0,
    last: Image.Image | None = None,
    watch: Watch | None = None,
    **options: Unpack[DrawOptions],
) -> Iterator[Image.Image]:
    """Draw on every frame of a video.

    Each frame is drawn on a blend of the video's frame and the last result, warped along the
    video's optical flow, so that what is drawn sticks to things and does not flicker (after
    Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos", 2016). Where something
    comes into view, the blend is the video's frame alone.

    Args:
        net: the net that draws.
        targets: what to draw, as for ``film``. The warps of keyframes change the last result
            before it is blended with the video's frame.
        footage: the video's frames, all of one size unless ``size`` is given.
        blend: weight of the warped last result in the blend, 0..1. Keyframes may change it.
        flow: whether results are warped and blended; otherwise each frame is drawn by itself.
        contrast: how loud waves of any length may become, as a multiple of what they are in the
            video's frame or in photographs, whichever is more; 0 for no limit. Frames that are
            drawn by themselves have none.
        skip: number of frames that are done already.
        last: result of the last frame that is done.
        watch: called with the frame's number and the progress of its drawing after each pass;
            False, or ``lucid.Stop``, ends the film before that frame.
        options: those of ``draw``. All frames use the same ``seed``, as other random numbers in
            each would flicker. The default ``config`` is ``film_config``, or that of ``draw`` where
            there is no last result.

    Yields:
        The result for each frame, RGB. Each carries a recipe, which cannot name the footage.

    Raises:
        UsageError: an option makes no sense, or the net lacks a class or layer.
        LucidError: a frame does not fit into memory.
    """
    renamed: dict[str, Any] = {**options}
    blend = renamed.pop("hold", blend)  # the name of version 0.1
    if not 0 <= blend <= 1:
        raise UsageError(f"blend {blend:g} must be from 0 to 1")
    settings = complete_options(cast(DrawOptions, renamed))
    net = to_net(net)
    keyframes = resolve_keyframes(net, targets)
    footage = iter(footage)
    given = {"footage": footage, "contrast": contrast}
    plans: dict[bool, Plan] = {}
    before: Tensor | None = None
    for frame, image in enumerate(footage):
        if frame < skip - 1:
            continue
        now = from_pil(image)
        if settings["size"]:
            fit, asked = settings["fit"], cast(Size, settings["size"])
            size = fit_size((now.shape[1], now.shape[2]), asked, fit)
            now = resize(fit_image(now, size, fit), size).clamp(0, 1)
        if before is not None and now.shape != before.shape:
            raise UsageError(f"frame {frame} is not of the size of the one before: give a size")
        if frame >= skip:
            start, follows = now, False
            if flow and before is not None and last is not None:
                generator = frame_generator(settings["seed"], frame)
                warped = keyframes.warp(from_pil(last), frame, generator)
                share = keyframes.blend(blend, frame)
                start, follows = estimate_flow(before, now).blend(warped, now, share), True
            if follows not in plans:
                # A frame on which nothing is drawn yet takes as many passes as a single picture.
                config = settings["config"] or (film_config(net) if follows else None)
                plan_options: DrawOptions = {**settings, "config": config}
                plans[follows] = prepare(net, as_sums(keyframes.at(frame)), now, **plan_options)
            plan = plans[follows]
            recipe = film_recipe(plan, targets, None, options, given)
            limit = spectrum_limit(plan, now, contrast) if follows else None
            start = start.to(plan.ascent.device)
            try:
                last = draw_frame(plan, keyframes, frame, start, watch, limit=limit)
            except Stop:
                return
            yield with_recipe(last, recipe)
        before = now
