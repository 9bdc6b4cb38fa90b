"""A sheet of seeds: nine pictures that grow side by side, to go on with one."""

from __future__ import annotations

from dataclasses import replace

import torch
from PIL import Image

from lucid.drawing.climb import Climb
from lucid.errors import UsageError
from lucid.imaging.io import to_pil
from lucid.nets.net import Net
from lucid.studio.assets import Assets
from lucid.studio.checks import MAX_SEED
from lucid.studio.settings import Settings

SIDE = 3
"""Pictures in a row, and in a column."""

CELL = 200
"""The longest side of a picture on the sheet, in pixels."""


class SeedSheet:
    """The first octaves of nine drawings.

    The picture that is picked goes on, at all sizes that follow: its recipe is that of its seed.

    Attributes:
        climbs: the drawings, by consecutive seeds.
    """

    def __init__(self, settings: Settings, net: Net, assets: Assets) -> None:
        self.settings = [
            replace(settings, seed=(settings.seed + number) % MAX_SEED)
            for number in range(SIDE * SIDE)
        ]
        plan = settings.plan(net, assets)
        self.climbs = [Climb(replace(plan, seed=each.seed)) for each in self.settings]
        share = CELL / max(settings.size)
        self.cell = max(1, round(settings.size[0] * share)), max(1, round(settings.size[1] * share))
        self._image = Image.new("RGB", (SIDE * self.cell[0], SIDE * self.cell[1]))
        self._turn = 0
        self._changed = set(range(len(self.climbs)))

    def step(self) -> bool:
        """Move one drawing on by one ring; return whether any is left to move."""
        left = [number for number, climb in enumerate(self.climbs) if not self._is_done(climb)]
        if not left:
            return False
        number = next((each for each in left if each >= self._turn), left[0])
        self.climbs[number].step()
        self._changed.add(number)
        self._turn = number + 1
        return True

    @staticmethod
    def _is_done(climb: Climb) -> bool:
        """Whether a drawing has come to the end of its first octave."""
        _, first = climb.plan.octaves[0]
        return climb.finished or climb.passes >= first.iterations

    def picture(self) -> Image.Image:
        """All nine in one picture, row by row."""
        width, height = self.cell
        for number in self._changed:
            with torch.no_grad():
                image = to_pil(self.climbs[number].canvas.image().detach())
            place = (number % SIDE * width, number // SIDE * height)
            self._image.paste(image.resize(self.cell, Image.Resampling.BILINEAR), place)
        self._changed.clear()
        return self._image

    def pick(self, index: object) -> tuple[Climb, Settings]:
        """The drawing at an index, 0 to 8, and its settings.

        Raises:
            UsageError: there is none.
        """
        if not isinstance(index, int) or not 0 <= index < len(self.climbs):
            raise UsageError("pick a picture by its index, 0 to 8")
        return self.climbs[index], self.settings[index]
