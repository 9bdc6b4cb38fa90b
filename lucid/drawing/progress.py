"""How far a drawing has come, and the picture so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from lucid.core.ascent import View
from lucid.core.canvas import Canvas
from lucid.drawing.importance import Importance
from lucid.drawing.plan import Plan
from lucid.imaging import Size
from lucid.imaging.io import to_pil
from lucid.tiling.octaves import resize, start_image
from lucid.tiling.tiles import Tile, TileView


@dataclass(frozen=True)
class Progress:
    """How far a drawing has come.

    Attributes:
        plan: what is painted.
        done: pixels passed over, of ``total`` in all octaves.
        total: pixels to pass over.
        octave: height and width of the octave being painted.
        canvas: the canvas being painted.
        painted_on: where anything was painted so far, (height, width), 0..1; None for everywhere.
        views: what the net was shown in the last pass.
        batch: the most images that the net was shown at once; None while that was one.
        importance: how much each place mattered so far; None unless the picture is to show that.
    """

    plan: Plan
    done: int
    total: int
    octave: Size
    canvas: Canvas
    painted_on: Tensor | None = None
    views: Sequence[View] = ()
    batch: int | None = None
    importance: Importance | None = None

    @property
    def size(self) -> Size:
        """Height and width of the last octave."""
        return self.plan.size

    @property
    def wrap(self) -> bool:
        """Whether opposite borders of the picture are to fit together."""
        return self.plan.wrap

    def tiles(self) -> list[tuple[Tile, Size]]:
        """The tiles of the last pass, in pixels of the octave, each with its size."""
        views = [view for view in self.views if isinstance(view, TileView)]
        return [(tile, view.tile_pass.tile) for view in views for tile in view.batch]

    @torch.inference_mode(False)
    @torch.no_grad()
    def image(self) -> Tensor:
        """What is painted so far, (3, *size), 0..1: a base keeps the detail that octaves lack."""
        plan, image = self.plan, self.canvas.image().detach()
        if self.octave == plan.size:
            return image
        if plan.base is None or plan.canvas:
            return resize(image, plan.size, wrap=plan.wrap)
        base, space = plan.base.to(image), plan.config.detail_space
        shown = start_image(plan.size, image, base, wrap=plan.wrap, detail_space=space)
        assert shown is not None
        if self.painted_on is None:
            return shown
        unchanged = resize(base, plan.size, wrap=plan.wrap).clamp(0, 1)
        return torch.where(self.painted_on.to(image) > 0, shown, unchanged)

    def picture(self) -> Image.Image:
        """What is painted so far, at the size of the last octave."""
        picture = to_pil(self.image())
        if self.importance:
            picture.putalpha(to_pil(self.importance.alpha().expand(3, -1, -1)).convert("L"))
        return picture
