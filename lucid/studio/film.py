"""A film that begins with the picture of the studio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

from lucid.errors import UsageError
from lucid.films.film import film
from lucid.films.keyframes import Keyframes
from lucid.films.warp import WARPS, usage
from lucid.imaging import video
from lucid.imaging.recipes import INFO, Recipe, parse
from lucid.nets.net import Net
from lucid.studio.assets import Assets
from lucid.studio.checks import check_text, whole_number
from lucid.studio.settings import Settings

MAX_FRAMES = 600
MAX_PIXELS = 2**29
"""The most pixels of all frames: they are kept in memory."""

MAX_LISTED = 20
"""The most warps, and the most key frames."""

FORMATS = ("gif", "mp4")


class FilmRoom:
    """A film under way.

    Attributes:
        frames: those that are drawn, RGB.
        count: how many there will be.
    """

    def __init__(
        self,
        command: dict[str, Any],
        settings: Settings,
        net: Net,
        assets: Assets,
        picture: Image.Image,
        name: str,
        interrupted: Callable[[], bool],
    ) -> None:
        """Check what was asked for.

        Args:
            command: ``frames``, ``warps`` and ``at`` from the page.
            settings: of the picture, whose rows are what is dreamt of.
            net: the net that draws.
            assets: masks.
            picture: what the first frame is drawn on.
            name: of that picture's file, for the recipe.
            interrupted: tells whether to leave the frame under way; it is drawn again later.

        Raises:
            LucidError: a warp or a key frame makes no sense.
        """
        self.frames: list[Image.Image] = []
        self.count = whole_number(1, MAX_FRAMES)("frames", command.get("frames", 24))
        self.warps = [check_text("a warp", each) for each in _listed(command, "warps")]
        self.at = [_key(each) for each in _listed(command, "at")]
        self.settings, self.net, self.assets = settings, net, assets
        self.picture, self.name, self.interrupted = picture, name, interrupted
        width, height = settings.size
        if self.count * width * height > MAX_PIXELS:
            most = MAX_PIXELS // (width * height)
            raise UsageError(f"frames={self.count} do not fit into memory: {most} do at this size")
        self.keyframes = self._keyframes()
        self._drawing: Iterator[Image.Image] | None = None

    def _keyframes(self) -> Keyframes:
        reader = self.settings.reader(self.net, self.assets)
        targets: dict[int, Any] = {}
        if words := self.settings.target_words():
            targets[0] = reader.parse(words).get("targets")
        values: dict[str, dict[int, float]] = {}
        for frame, text in self.at:
            name, _, value = (part.strip() for part in text.partition("="))
            if name in ("class", "layer"):
                targets[frame] = reader.parse(text).get("targets")
                continue
            try:
                values.setdefault(name, {})[frame] = float(value)
            except ValueError:
                raise UsageError(f"{text!r}: write NAME=NUMBER, or class=NAME") from None
        return Keyframes(targets, self.warps, values)

    def step(self) -> bool:
        """Draw a frame, or leave it if a command waits; return whether any is left."""
        if self._drawing is None:
            after = (len(self.frames) - 1, self.frames[-1]) if self.frames else None
            width, height = self.settings.size
            self._drawing = film(
                *(self.net, self.keyframes, self.picture),
                frames=self.count,
                after=after,
                watch=lambda *_: not self.interrupted(),
                size=(height, width),
                seed=self.settings.seed,
                strength=self.settings.strength,
                padding=self.settings.padding,
            )
        frame = next(self._drawing, None)
        if frame is None:
            self._drawing = None  # which was interrupted
        else:
            self.frames.append(frame)
        return len(self.frames) < self.count

    def progress(self) -> dict[str, Any]:
        """How far the film has come, for the page."""
        return {"type": "progress", "frame": len(self.frames), "frames": self.count}

    def recipe(self) -> Recipe:
        """The recipe by which ``lucid redo`` makes the film, from the saved picture."""
        made = parse(self.frames[0].info[INFO], "the film")
        options = {name: value for name, value in made.options.items() if name != "at"}
        kinds: dict[str, list[str]] = {"class": [], "layer": []}
        for row in self.settings.active:
            kinds[row.kind].append(row.words())
        options = {
            **{kind: rows for kind, rows in kinds.items() if rows},
            **options,
            **{"base": [self.name], "warp": self.warps, "frames": len(self.frames)},
            **({"at": [[frame, text] for frame, text in self.at]} if self.at else {}),
        }
        facts = {name: value for name, value in made.made.items() if name != "program"}
        used = [row.mask for row in self.settings.active if row.mask]
        return Recipe("film", options, facts, {mask: self.assets.masks[mask] for mask in used})

    def write(self, suffix: str) -> tuple[bytes, str]:
        """The film as the bytes of a file, and the file's suffix.

        Raises:
            LucidError: there is no such format, or no frame yet.
        """
        if suffix not in FORMATS:
            raise UsageError(f"a film is written as {' or '.join(FORMATS)}")
        if not self.frames:
            raise UsageError("the film has no frame yet: wait a moment")
        path = self.assets.folder / f"film.{suffix}"
        video.write(self.frames, path, metadata=self.recipe().toml())
        content = path.read_bytes()
        path.unlink()
        return content, path.suffix


def list_warps() -> list[dict[str, str]]:
    """The warps for the page: names, how they are typed, and what they do."""
    return [
        {"name": name, "usage": usage(name), "about": (WARPS[name].__doc__ or "").split("\n")[0]}
        for name in sorted(WARPS)
    ]


def _listed(command: dict[str, Any], name: str) -> list[Any]:
    found = command.get(name, [])
    if not isinstance(found, list) or len(found) > MAX_LISTED:
        raise UsageError(f"{name} must be a list of {MAX_LISTED} or fewer")
    return found


def _key(value: Any) -> tuple[int, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise UsageError("a key frame is a number and a text such as class=lion")
    return whole_number(0, MAX_FRAMES)("frame", value[0]), check_text("a key frame", value[1])
