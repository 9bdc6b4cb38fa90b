"""Feedback loops: dream a little, warp, dream again."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from PIL import Image
from torch import Generator, Tensor

from lucid.core.objectives import Objective
from lucid.drawing.config import ON_A_BASE, DrawConfig, default_config
from lucid.drawing.loop import Plan, Progress, Target, classes, draw, find_wishes, paint, prepare
from lucid.errors import UsageError
from lucid.films.expressions import Expression
from lucid.films.optical_flow import estimate_flow
from lucid.films.warps import Warp, parse
from lucid.imaging import Size
from lucid.imaging.io import from_pil, to_pil
from lucid.nets.net import Net
from lucid.tiling import octaves

Key = TypeVar("Key")

ITERATIONS = 6
"""Passes a frame at each octave: the frames before have done most of it."""

OCTAVES = 2

HOLD = 0.85
"""Of the last dream, in the blend that a video's next frame is dreamt on. Found by eye."""


@dataclass(frozen=True)
class Keyframes:
    """What a film does, frame by frame.

    Attributes:
        wanted: what grows, by the frame where it is at its height; in between, each
            gives way to the next.
        warps: what happens to the picture before each dream but the first, in order.
        changes: the first number of a warp, by its name, or the ``strength``; by the
            frame where it has that value, and likewise.
    """

    wanted: Mapping[int, Objective]
    warps: Sequence[Warp] = ()
    changes: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.wanted:
            raise UsageError("there is nothing to dream of: name a class or a layer")
        for name, keys in self.changes.items():
            if not all(map(math.isfinite, keys.values())):
                raise UsageError(f"{name!r} cannot change to what is no number")
            if name == "strength":
                if not all(0 <= value <= 100 for value in keys.values()):
                    raise UsageError("a strength must be from 0 to 100; 1 is usual")
                continue
            changed = [warp for warp in self.warps if warp.name == name]
            if not changed:
                raise UsageError(f"{name!r} cannot change: it is none of the film's warps")
            for warp in changed:
                if not warp.arguments or "n" in warp.arguments[0].variables:
                    raise UsageError(f"{name!r} has no number to begin with that could change")
        for frame in {frame for keys in self.changes.values() for frame in keys}:
            self.warp(torch.zeros(3, 16, 16), frame, Generator())  # what is wrong is said now

    def objective(self, frame: int) -> Objective:
        """What grows at a frame."""
        before, after, share = between(self.wanted, frame)
        return before if share == 0 else (1 - share) * before + share * after

    def strength(self, frame: int) -> float:
        """How far each dream goes there, as a multiple of the usual."""
        return self._number("strength", 1.0, frame)

    def warp(self, image: Tensor, frame: int, generator: Generator) -> Tensor:
        """A picture on its way to a frame."""
        for warp in self.warps:
            if warp.name in self.changes:
                own = float(warp.arguments[0](t=frame))
                value = self._number(warp.name, own, frame)
                first = Expression(repr(value), warp.arguments[0].variables)
                warp = replace(warp, arguments=(first, *warp.arguments[1:]))  # noqa: PLW2901
            image = warp(image, frame, generator)
        return image

    def _number(self, name: str, usual: float, frame: int) -> float:
        keys = {0: usual, **self.changes.get(name, {})}
        before, after, share = between(keys, frame)
        return (1 - share) * before + share * after


def between(keys: Mapping[int, Key], frame: int) -> tuple[Key, Key, float]:
    """The keys before and after a frame, and how far it lies between them, 0..1."""
    frames = sorted(keys)
    place = bisect.bisect_right(frames, frame)
    if place in (0, len(frames)):
        only = keys[frames[min(place, len(frames) - 1)]]
        return only, only, 0
    first, last = frames[place - 1], frames[place]
    return keys[first], keys[last], (frame - first) / (last - first)


def film_config(net: Net) -> DrawConfig:
    """How a film's frames climb, if nothing else is asked for. Found by eye."""
    return replace(
        default_config(net, on_a_base=True), octaves=OCTAVES, iterations=ITERATIONS, opening=1
    )


def write_script(
    net: Net, wanted: Sequence[str] | Mapping[str, float] | Objective, warps: Sequence[str] = ()
) -> Keyframes:
    """A film of one and the same dream, from first to last.

    Args:
        net: who dreams.
        wanted: classes or an objective, as ``draw`` takes them.
        warps: what happens between two frames, as the command line has it: ``zoom:.05``.

    Raises:
        UsageError: the net lacks a class, or there is no such warp.
    """
    if not isinstance(wanted, Objective):
        wanted = classes(net, wanted, film_config(net))
    return Keyframes({0: wanted}, [parse(warp) for warp in warps])


def film(
    net: Net,
    script: Keyframes | Sequence[str] | Mapping[str, float] | Objective,
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
    watch: Callable[[int, Progress], None] | None = None,
) -> Iterator[Image.Image]:
    """Dream on a picture, warp it, dream again, and so on.

    Each frame depends on the one before, as whole bytes, on its number and the seed: so a
    film goes on from any frame as if it had never stopped.

    Args:
        net: see ``draw``.
        script: what grows, and what happens between two frames; or only what grows, as
            ``write_script`` takes it.
        base: what the first frame dreams on; without it, that frame is drawn from noise,
            with all that ``draw`` does.
        frames: how many; the first has the number 0.
        warps: see ``write_script``, where no whole script is given.
        size: see ``draw``.
        manner: how the frames climb. Without it, ``film_config``.
        tile_size: see ``draw``.
        octave_count: see ``draw``.
        iterations: see ``draw``.
        strength: see ``draw``; the script's is a multiple of it.
        seed: of all that is drawn at random.
        device: see ``Ascent``.
        precision: see ``Ascent``.
        batch: see ``Ascent``.
        after: the last frame of a film that was cut short, with its number: those that
            follow are made.
        watch: called after each pass, with the frame's number.

    Yields:
        The frames, as Pillow images.

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
    if not isinstance(script, Keyframes):
        script = write_script(net, script, warps)
    elif warps:
        raise UsageError("a script has its own warps: give it those")
    machine = {"device": device, "precision": precision, "batch": batch}
    number, picture = after if after else (-1, None)
    if picture is None and base is None:
        picture = draw(
            net,
            script.objective(0),
            size=size,
            tile_size=tile_size,
            strength=strength * script.strength(0),
            seed=seed,
            watch=None if watch is None else lambda progress: watch(0, progress),
            **machine,  # type: ignore[arg-type]
        )
        number = 0
        yield picture
    start = picture if picture is not None else base
    for objective in script.wanted.values():
        find_wishes(net, objective, ON_A_BASE)  # what is wrong is said now
    plan = prepare(
        net,
        1 * script.objective(0),  # a sum: a few passes leave a mix no time to settle
        start,
        size=size,
        manner=manner or film_config(net),
        tile_size=tile_size,
        octave_count=octave_count,
        iterations=iterations,
        strength=strength,
        **machine,  # type: ignore[arg-type]
    )
    for frame in range(number + 1, frames):
        plan.generator.manual_seed((seed * 1_000_003 + frame) % 2**63)
        shown = plan.base if picture is None else from_pil(picture)
        assert shown is not None
        shown = shown.to(plan.ascent.device)
        if frame:
            shown = script.warp(shown, frame, plan.generator)
        picture = _dream(plan, script, frame, shown, watch)
        yield picture


def dream_over(
    net: Net,
    script: Keyframes,
    footage: Iterable[Image.Image],
    *,
    hold: float = HOLD,
    flow: bool = True,
    seed: int = 0,
    skip: int = 0,
    last: Image.Image | None = None,
    watch: Callable[[int, Progress], None] | None = None,
    **settings: Any,
) -> Iterator[Image.Image]:
    """Dream on every frame of a video.

    Each frame is blended with the last dream, moved to where things have moved since (after
    Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos", 2016): so what is
    dreamt sticks to things and does not flicker. Where something comes into view, the
    video is shown as it is.

    Args:
        net: see ``draw``.
        script: see ``film``; warps have no say here.
        footage: the video's frames, all of one size.
        hold: how much of the moved dream there is in the blend, 0..1.
        flow: whether dreams are moved; else each frame is dreamt by itself.
        seed: the same at every frame, lest what is drawn at random flicker.
        skip: how many frames are done already.
        last: the last one's dream.
        watch: see ``film``.
        settings: those of ``film`` but ``frames`` and ``after``.

    Yields:
        A dream for each frame.

    Raises:
        UsageError: a setting makes no sense.
    """
    if not 0 <= hold <= 1:
        raise UsageError(f"hold {hold:g} must be from 0 to 1")
    manner = settings.pop("manner", None)
    # What nothing was dreamt on yet takes as long as any picture.
    manners = {
        True: manner or default_config(net, on_a_base=True),
        False: manner or film_config(net),
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
            shown, fresh = now, True
            if flow and before is not None and last is not None:
                shown = estimate_flow(before, now).blend(from_pil(last), now, hold)
                fresh = False
            if fresh not in plans:
                objective = 1 * script.objective(0)
                plans[fresh] = prepare(net, objective, now, manner=manners[fresh], **settings)
            plan = plans[fresh]
            plan.generator.manual_seed(seed)
            last = _dream(plan, script, frame, shown.to(plan.ascent.device), watch)
            yield last
        before = now


def _dream(
    plan: Plan,
    script: Keyframes,
    frame: int,
    shown: Tensor,
    watch: Callable[[int, Progress], None] | None,
) -> Image.Image:
    """What a film makes of a picture, (3, height, width), 0..1, at a frame."""
    here = replace(
        plan,
        base=shown,
        wishes=[Target(script.objective(frame))],
        strength=plan.strength * script.strength(frame),
    )
    told = None if watch is None else lambda progress: watch(frame, progress)
    return to_pil(paint(here, watch=told))
