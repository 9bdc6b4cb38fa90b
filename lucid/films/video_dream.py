"""Draw on every frame of a video, and let what is drawn move with the things in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from PIL import Image
from torch import Tensor

from lucid.drawing.config import default_config
from lucid.drawing.loop import Plan, prepare
from lucid.errors import UsageError
from lucid.films.film import Watch, draw_frame, film_config
from lucid.films.keyframes import Keyframes
from lucid.films.optical_flow import estimate_flow
from lucid.imaging.io import from_pil
from lucid.nets.net import Net
from lucid.tiling import octaves

BLEND = 0.85
"""Weight of the warped last frame in what the next one is drawn on. Found by eye."""


def dream_over(
    net: Net,
    keyframes: Keyframes,
    footage: Iterable[Image.Image],
    *,
    hold: float = BLEND,
    flow: bool = True,
    seed: int = 0,
    skip: int = 0,
    last: Image.Image | None = None,
    watch: Watch | None = None,
    **settings: Any,
) -> Iterator[Image.Image]:
    """Draw on every frame of a video.

    Each frame is drawn on a blend of the video's frame and the last result, warped along the
    video's optical flow, so that what is drawn sticks to things and does not flicker (after
    Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos", 2016). Where something
    comes into view, the blend is the video's frame alone.

    Args:
        net: the network.
        keyframes: what is drawn; its warps are not used.
        footage: the video's frames, all of one size.
        hold: weight of the warped last result in the blend, 0..1.
        flow: whether results are warped and blended; otherwise each frame is drawn by itself.
        seed: of every frame alike, as other random numbers in each would flicker.
        skip: number of frames that are done already.
        last: the result of the last frame that is done.
        watch: called after each pass with the frame's number and the drawing's progress.
        settings: those of ``film`` but ``frames`` and ``after``.

    Yields:
        The result for each frame.

    Raises:
        UsageError: a setting makes no sense.
    """
    if not 0 <= hold <= 1:
        raise UsageError(f"hold {hold:g} must be from 0 to 1")
    config = settings.pop("manner", None)
    # A frame on which nothing is drawn yet takes as many passes as a single picture.
    configs = {
        True: config or default_config(net, on_a_base=True),
        False: config or film_config(net),
    }
    plans: dict[bool, Plan] = {}
    before: Tensor | None = None
    for frame, image in enumerate(footage):
        if frame < skip - 1:
            continue
        now = from_pil(image)
        if settings.get("size"):
            now = octaves.resize(now, settings["size"]).clamp(0, 1)
        if before is not None and now.shape != before.shape:
            raise UsageError(f"frame {frame} is not of the size of the one before: give a size")
        if frame >= skip:
            base, fresh = now, True
            if flow and before is not None and last is not None:
                base = estimate_flow(before, now).blend(from_pil(last), now, hold)
                fresh = False
            if fresh not in plans:
                objective = 1 * keyframes.objective(0)
                plans[fresh] = prepare(net, objective, now, manner=configs[fresh], **settings)
            plan = plans[fresh]
            plan.generator.manual_seed(seed)
            last = draw_frame(plan, keyframes, frame, base.to(plan.ascent.device), watch)
            yield last
        before = now
